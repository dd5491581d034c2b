#ifndef DECORR_DETAIL_FFT_FFTW_HPP_
#define DECORR_DETAIL_FFT_FFTW_HPP_

// The only file that names FFTW. The calls used here are also in other libraries with the FFTW3
// interface, so that any of them can be linked instead.

#include <fftw3.h>

#if defined(__ELF__) && defined(__GNUC__) && defined(__has_include)
#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#define DECORR_DETAIL_WEAK_REFERENCES
#endif
#endif

#include <complex>
#include <cstdio>
#include <cstring>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {

enum class Direction {
  forward,
  backward
};  // exp(-2 pi i jk/n), exp(+2 pi i jk/n); neither divides by n

inline namespace DECORR_ABI {

inline int transform_sign(Direction direction) {
  return direction == Direction::forward ? FFTW_FORWARD : FFTW_BACKWARD;
}

inline unsigned planner_flags(Planning planning) {
  const unsigned rigor = planning == Planning::estimate  ? FFTW_ESTIMATE
                         : planning == Planning::patient ? FFTW_PATIENT
                                                         : FFTW_MEASURE;
  return rigor | FFTW_PRESERVE_INPUT;
}

// References that are null where the function is not there, and do not ask for its library. They
// are not of its own name, as all references of a program that includes this would become weak.
// What references do not find is looked for by name, but not from a program's own code, which may
// be linked statically: there dlopen has a price, and the linker warns of it.
#ifdef DECORR_DETAIL_WEAK_REFERENCES
#define DECORR_DETAIL_WEAK_REFERENCE(RESULT, NAME, TARGET, ARGUMENTS) \
  static RESULT NAME ARGUMENTS __attribute__((weakref(TARGET)));
#if defined(RTLD_NOLOAD) && defined(__PIC__) && !defined(__PIE__)
#define DECORR_DETAIL_LOOKS_FOR_LIBRARIES
DECORR_DETAIL_WEAK_REFERENCE(void*, weak_dlopen, "dlopen", (const char*, int))
DECORR_DETAIL_WEAK_REFERENCE(void*, weak_dlsym, "dlsym", (void*, const char*))
DECORR_DETAIL_WEAK_REFERENCE(int, weak_dlclose, "dlclose", (void*))
#endif
#else
#define DECORR_DETAIL_WEAK_REFERENCE(RESULT, NAME, TARGET, ARGUMENTS) \
  static constexpr RESULT(*NAME) ARGUMENTS = nullptr;
#endif

// libdecorr takes FFTW's functions from the FFTW that it was linked with: others of these names,
// Intel's MKL for one, may have been loaded before it for the whole process. A program that is
// compiled from the headers has the order of its libraries in its own hands.
#if defined(DECORR_C_BUILDING) && defined(DECORR_DETAIL_LOOKS_FOR_LIBRARIES)
DECORR_DETAIL_WEAK_REFERENCE(int, weak_dladdr, "dladdr", (const void*, Dl_info*))

// Finds what libdecorr itself and the libraries that it needs have; null in a program that
// libdecorr was not loaded into as a library.
inline void* own_library() {
  static void* const library = []() -> void* {
    Dl_info place;
    if (!weak_dlopen || !weak_dlsym || !weak_dladdr ||
        weak_dladdr(reinterpret_cast<const void*>(&own_library), &place) == 0) {
      return nullptr;
    }
    return weak_dlopen(place.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }();
  return library;
}

template <class Function>
Function* own_function(const char* name, Function* bound) {
  if (own_library() == nullptr) return bound;
  // Where that FFTW calls another FFTW's functions itself, all have to be the other's.
  char planner[32];
  const int prefix_length = static_cast<int>(std::strcspn(name, "_"));
  std::snprintf(planner, sizeof planner, "%.*s_the_planner", prefix_length, name);
  void* const own_planner = weak_dlsym(own_library(), planner);
  if (own_planner != weak_dlsym(RTLD_DEFAULT, planner)) return bound;
  void* const own = weak_dlsym(own_library(), name);
  return own == nullptr ? bound : reinterpret_cast<Function*>(own);
}

// Of a function that need not be there.
template <class Function>
Function* own_function_if_any(const char* name, Function* bound) {
  if (own_library() == nullptr) return bound;
  return reinterpret_cast<Function*>(weak_dlsym(own_library(), name));
}

#define DECORR_DETAIL_OWN_IF_ANY(NAME, BOUND) own_function_if_any(NAME, BOUND)
#define DECORR_DETAIL_OWN(FUNCTION)                                     \
  [] {                                                                  \
    static auto* const function = own_function(#FUNCTION, &(FUNCTION)); \
    return function;                                                    \
  }()
#else
#define DECORR_DETAIL_OWN_IF_ANY(NAME, BOUND) (BOUND)
#define DECORR_DETAIL_OWN(FUNCTION) (&(FUNCTION))
#endif

// While it lives, FFTW plans for a single thread, on which decorr executes its plans, whatever
// number the program has set for its own. That is a number of the process, of FFTW's threads
// library, which a program need not have. Under the planner's lock.
class OneThreadedPlanner {
 public:
  using Get = int (*)();
  using Set = void (*)(int);

  // Null functions are looked for: a library that an interpreter has loaded for one of its modules
  // is not where references look. `suffix`: of the precision in FFTW's names.
  OneThreadedPlanner(Get get, Set set, const char* suffix, void* execute) noexcept
      : get_(get), set_(set) {
    if (get_ == nullptr || set_ == nullptr) find_loaded(suffix, execute);
    if (get_ != nullptr && set_ != nullptr) before_ = get_();
    // Not otherwise, as the first call of set_ in a process makes FFTW discard its planner.
    if (before_ != 1) set_(1);
  }
  ~OneThreadedPlanner() {
    if (before_ != 1) set_(before_);
#ifdef DECORR_DETAIL_LOOKS_FOR_LIBRARIES
    if (library_ != nullptr) weak_dlclose(library_);
#endif
  }
  OneThreadedPlanner(const OneThreadedPlanner&) = delete;
  OneThreadedPlanner& operator=(const OneThreadedPlanner&) = delete;

 private:
  void find_loaded(const char* suffix, void* execute) noexcept {
#ifdef DECORR_DETAIL_LOOKS_FOR_LIBRARIES
    if (!weak_dlopen || !weak_dlsym || !weak_dlclose) return;
    char name[64];
    const auto symbol = [&](void* library, const char* function) {
      std::snprintf(name, sizeof name, "fftw%s_%s", suffix, function);
      return weak_dlsym(library, name);
    };
    for (const char* kind : {"threads", "omp"}) {
      std::snprintf(name, sizeof name, "libfftw3%s_%s.so.3", suffix, kind);
      void* const library = weak_dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
      if (library == nullptr) continue;
      // It may belong to another FFTW of the process; of two that do not it is unknown which one
      // the program uses.
      if (symbol(library, "execute_dft") != execute || library_ != nullptr) {
        get_ = nullptr;
        weak_dlclose(library);
        continue;
      }
      library_ = library;
      get_ = reinterpret_cast<Get>(symbol(library, "planner_nthreads"));
      set_ = reinterpret_cast<Set>(symbol(library, "plan_with_nthreads"));
    }
#else
    static_cast<void>(suffix);
    static_cast<void>(execute);
#endif
  }

  Get get_;
  Set set_;
  int before_ = 1;
  [[maybe_unused]] void* library_ = nullptr;
};

// plan() makes `count` out-of-place transforms of `length`, one after another in memory. It,
// destroy() and the wisdom calls need the planner's lock; execute() needs none. plan_marker() makes
// a transform that nobody else asks for, whose arrays are not touched; null if it is to be made
// only from wisdom and there is none. The members are inline and so emitted only where they are
// used: a program that uses float alone links FFTW's float library alone.
template <class Scalar>
struct Fftw;

#define DECORR_DETAIL_FFTW(SCALAR, PREFIX, SUFFIX, ID)                                             \
  DECORR_DETAIL_WEAK_REFERENCE(int, weak_##PREFIX##_nthreads, #PREFIX "_planner_nthreads", ())     \
  DECORR_DETAIL_WEAK_REFERENCE(void, weak_##PREFIX##_set_nthreads, #PREFIX "_plan_with_nthreads",  \
                               (int))                                                              \
  template <>                                                                                      \
  struct Fftw<SCALAR> {                                                                            \
    using Complex = std::complex<SCALAR>;                                                          \
    using Plan = PREFIX##_plan;                                                                    \
    static constexpr int id = ID;                                                                  \
                                                                                                   \
    static PREFIX##_complex* cast(Complex* x) { return reinterpret_cast<PREFIX##_complex*>(x); }   \
    static Plan plan(int length, int count, Complex* in, Complex* out, int sign, unsigned flags) { \
      return plan_strided(length, count, 1, 1, in, out, sign, flags);                              \
    }                                                                                              \
    static Plan plan_marker(bool only_if_known) {                                                  \
      alignas(64) static Complex arrays[2];                                                        \
      return plan_strided(2, 1, 1009, 2003, arrays, arrays + 1, FFTW_FORWARD,                      \
                          FFTW_ESTIMATE | (only_if_known ? FFTW_WISDOM_ONLY : 0U));                \
    }                                                                                              \
    static void execute(Plan plan, Complex* in, Complex* out) {                                    \
      DECORR_DETAIL_OWN(PREFIX##_execute_dft)(plan, cast(in), cast(out));                          \
    }                                                                                              \
    static void destroy(Plan plan) { DECORR_DETAIL_OWN(PREFIX##_destroy_plan)(plan); }             \
    static bool import_wisdom(const char* path) {                                                  \
      return DECORR_DETAIL_OWN(PREFIX##_import_wisdom_from_filename)(path) != 0;                   \
    }                                                                                              \
    static bool export_wisdom(const char* path) {                                                  \
      return DECORR_DETAIL_OWN(PREFIX##_export_wisdom_to_filename)(path) != 0;                     \
    }                                                                                              \
                                                                                                   \
   private:                                                                                        \
    static Plan plan_strided(int length, int count, int stride_in, int stride_out, Complex* in,    \
                             Complex* out, int sign, unsigned flags) {                             \
      const OneThreadedPlanner planner(                                                            \
          DECORR_DETAIL_OWN_IF_ANY(#PREFIX "_planner_nthreads", weak_##PREFIX##_nthreads),         \
          DECORR_DETAIL_OWN_IF_ANY(#PREFIX "_plan_with_nthreads", weak_##PREFIX##_set_nthreads),   \
          SUFFIX, reinterpret_cast<void*>(DECORR_DETAIL_OWN(PREFIX##_execute_dft)));               \
      return DECORR_DETAIL_OWN(PREFIX##_plan_many_dft)(                                            \
          1, &length, count, cast(in), nullptr, stride_in, length * stride_in, cast(out), nullptr, \
          stride_out, length * stride_out, sign, flags);                                           \
    }                                                                                              \
  };

DECORR_DETAIL_FFTW(float, fftwf, "f", 0)
DECORR_DETAIL_FFTW(double, fftw, "", 1)
DECORR_DETAIL_FFTW(long double, fftwl, "l", 2)

#undef DECORR_DETAIL_FFTW
#undef DECORR_DETAIL_OWN
#undef DECORR_DETAIL_OWN_IF_ANY
#undef DECORR_DETAIL_WEAK_REFERENCE
#undef DECORR_DETAIL_WEAK_REFERENCES
#undef DECORR_DETAIL_LOOKS_FOR_LIBRARIES

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_FFT_FFTW_HPP_
