#ifndef DECORR_DETAIL_RUNTIME_COMPILER_HPP_
#define DECORR_DETAIL_RUNTIME_COMPILER_HPP_

// Around code that a compiler warns of without reason; both in a place where a declaration may
// stand.
//
// GCC 12 takes its own AVX-512 intrinsics, which Eigen's vectors are made of, to use uninitialized
// values, and remarks that a vector type's attributes do not count in template arguments.
#if defined(__GNUC__) && !defined(__clang__)
#define DECORR_DETAIL_VECTOR_CODE_BEGIN                                                     \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wignored-attributes\"") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")                                 \
          _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define DECORR_DETAIL_VECTOR_CODE_END _Pragma("GCC diagnostic pop")
#else
#define DECORR_DETAIL_VECTOR_CODE_BEGIN
#define DECORR_DETAIL_VECTOR_CODE_END
#endif

// Compile time: a function with more work than its call costs has one copy, and one that runs once
// a call of the library is compiled for size.
#if defined(__clang__)
#define DECORR_DETAIL_INLINE __attribute__((always_inline)) inline
#define DECORR_DETAIL_NOINLINE __attribute__((noinline))
#define DECORR_DETAIL_COLD __attribute__((noinline, cold))
#elif defined(__GNUC__)
#define DECORR_DETAIL_INLINE __attribute__((always_inline)) inline
#define DECORR_DETAIL_NOINLINE __attribute__((noinline, noclone))
#define DECORR_DETAIL_COLD __attribute__((noinline, noclone, cold))
#elif defined(_MSC_VER)
#define DECORR_DETAIL_INLINE __forceinline
#define DECORR_DETAIL_NOINLINE __declspec(noinline)
#define DECORR_DETAIL_COLD __declspec(noinline)
#else
#define DECORR_DETAIL_INLINE inline
#define DECORR_DETAIL_NOINLINE
#define DECORR_DETAIL_COLD
#endif

#endif  // DECORR_DETAIL_RUNTIME_COMPILER_HPP_
