#ifndef DECORR_DETAIL_RUNTIME_COMPILER_FLAGS_HPP_
#define DECORR_DETAIL_RUNTIME_COMPILER_FLAGS_HPP_

// Flags under which decorr would be wrong without a word, or would not compile.

// Bad arguments and failures are told by exceptions.
#if !defined(__cpp_exceptions)
#error "decorr: -fno-exceptions leaves no way to report errors, compile with exceptions"
#endif

// NaN options would be accepted, NaN data lost, and the digits that centring in two steps keeps.
#if !defined(DECORR_ALLOW_FAST_MATH)
#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "decorr: -ffast-math (-Ofast, -ffp-model=fast, /fp:fast) needs DECORR_ALLOW_FAST_MATH"
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ == 1
#error "decorr: -ffinite-math-only needs DECORR_ALLOW_FAST_MATH"
#elif defined(__ASSOCIATIVE_MATH__)
#error "decorr: -fassociative-math (-funsafe-math-optimizations) needs DECORR_ALLOW_FAST_MATH"
#endif
#endif

#endif  // DECORR_DETAIL_RUNTIME_COMPILER_FLAGS_HPP_
