#include "unit.hpp"

bool second_unit_can_run() {
#if defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

UnitResult second_unit() { return run_unit(); }
