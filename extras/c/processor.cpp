#include "processor.hpp"

#include <cstdlib>
#include <cstring>

#include "decorr/version.hpp"

namespace decorr {
namespace c {
namespace {

#if defined(DECORR_C_HAS_AVX2) || defined(DECORR_C_HAS_AVX512)
bool runs_avx2() {
#if defined(DECORR_C_AVX2_HAS_F16C)
  if (!__builtin_cpu_supports("f16c")) return false;
#endif
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

const Kernels& choose_kernels() {
  [[maybe_unused]] const char* asked = std::getenv("DECORR_CPU");
  if (asked != nullptr && std::strcmp(asked, baseline_kernels().name) == 0) {
    return baseline_kernels();
  }
#if defined(DECORR_C_HAS_AVX512)
  const bool not_avx512 = asked != nullptr && std::strcmp(asked, "avx2") == 0;
  if (!not_avx512 && runs_avx512()) return avx512_kernels();
#endif
#if defined(DECORR_C_HAS_AVX2)
  if (runs_avx2()) return avx2_kernels();
#endif
  return baseline_kernels();
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose_kernels();
  return chosen;
}

}  // namespace c
}  // namespace decorr

const char* decorr_version() { return DECORR_VERSION_STRING; }

const char* decorr_cpu() { return decorr::c::kernels().name; }

int32_t decorr_has_threads() {
#if defined(_OPENMP)
  return 1;
#else
  return 0;
#endif
}
