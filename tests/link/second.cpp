#include "unit.hpp"

bool second_unit_can_run() {
#if defined(__AVX2__)
#if defined(__FMA__)
  if (!__builtin_cpu_supports("fma")) return false;
#endif
  return __builtin_cpu_supports("avx2");
#else
  return true;
#endif
}

UnitResult second_unit() { return run_unit(); }
