#ifndef DECORR_DETAIL_RUNTIME_ABI_HPP_
#define DECORR_DETAIL_RUNTIME_ABI_HPP_

#include <Eigen/Core>  // what it makes of the flags

#include "decorr/detail/runtime/compiler_flags.hpp"

// DECORR_ABI names the inline namespace of everything that is compiled differently with and without
// OpenMP or for different processors. The linker keeps one copy of each inline function by its
// name; without this, a file built with -mavx512f could hand its copy to one built for the
// baseline, or a serial copy to one that expects threads.
//
// The inline namespace is always the innermost one:
//
//   namespace decorr { inline namespace DECORR_ABI { ... } }
//   namespace decorr { namespace detail { inline namespace DECORR_ABI { ... } } }
//
// A `detail` opened inside the inline namespace would be a second one and make decorr::detail
// ambiguous. Outside it stay the option structs and the exception (errors.hpp), so that files
// exchange them, and the data of the process (plans, planner's mutex, free workspaces;
// process_state.hpp), so that there is one of each; no function that computes.
//
// The name is openmp or serial, the vectors in a word, then digits for what compilers and Eigen use
// unasked: instructions, alignment, fast mathematics. It need not be read, only differ.

// 1 for a macro that is defined as 1, as the version 1.0.0 or as nothing, else 0.
#define DECORR_DETAIL_ABI_IS_ ,
#define DECORR_DETAIL_ABI_IS_1 ,
#define DECORR_DETAIL_ABI_IS_1000000 ,
#define DECORR_DETAIL_ABI_SECOND(first, second, ...) second
// The comma, if it is one, makes the 1 a second argument.
// NOLINTNEXTLINE(bugprone-macro-parentheses)
#define DECORR_DETAIL_ABI_CHOOSE(comma) DECORR_DETAIL_ABI_SECOND(comma 1, 0, )
#define DECORR_DETAIL_ABI_IS(value) DECORR_DETAIL_ABI_CHOOSE(DECORR_DETAIL_ABI_IS_##value)
#define DECORR_DETAIL_ABI_BIT(macro) DECORR_DETAIL_ABI_IS(macro)

// Four of them as one digit.
#define DECORR_DETAIL_ABI_HEX_0000 0
#define DECORR_DETAIL_ABI_HEX_0001 1
#define DECORR_DETAIL_ABI_HEX_0010 2
#define DECORR_DETAIL_ABI_HEX_0011 3
#define DECORR_DETAIL_ABI_HEX_0100 4
#define DECORR_DETAIL_ABI_HEX_0101 5
#define DECORR_DETAIL_ABI_HEX_0110 6
#define DECORR_DETAIL_ABI_HEX_0111 7
#define DECORR_DETAIL_ABI_HEX_1000 8
#define DECORR_DETAIL_ABI_HEX_1001 9
#define DECORR_DETAIL_ABI_HEX_1010 a
#define DECORR_DETAIL_ABI_HEX_1011 b
#define DECORR_DETAIL_ABI_HEX_1100 c
#define DECORR_DETAIL_ABI_HEX_1101 d
#define DECORR_DETAIL_ABI_HEX_1110 e
#define DECORR_DETAIL_ABI_HEX_1111 f
#define DECORR_DETAIL_ABI_DIGIT_OF(a, b, c, d) DECORR_DETAIL_ABI_HEX_##a##b##c##d
#define DECORR_DETAIL_ABI_DIGIT(a, b, c, d) DECORR_DETAIL_ABI_DIGIT_OF(a, b, c, d)
#define DECORR_DETAIL_ABI_HEX(a, b, c, d)                                     \
  DECORR_DETAIL_ABI_DIGIT(DECORR_DETAIL_ABI_BIT(a), DECORR_DETAIL_ABI_BIT(b), \
                          DECORR_DETAIL_ABI_BIT(c), DECORR_DETAIL_ABI_BIT(d))

#define DECORR_DETAIL_ABI_PASTE(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define DECORR_DETAIL_ABI_JOIN(a, b, c, d, e, f, g, h) \
  DECORR_DETAIL_ABI_PASTE(a, b, c, d, e, f, g, h)

#if defined(_OPENMP)
#define DECORR_DETAIL_ABI_THREADS openmp_
#else
#define DECORR_DETAIL_ABI_THREADS serial_
#endif

#if defined(__AVX512F__)
#define DECORR_DETAIL_ABI_VECTORS avx512_
#elif defined(__AVX2__)
#define DECORR_DETAIL_ABI_VECTORS avx2_
#elif defined(__AVX__)
#define DECORR_DETAIL_ABI_VECTORS avx_
#else
#define DECORR_DETAIL_ABI_VECTORS baseline_
#endif

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
#define DECORR_DETAIL_ABI_INSTRUCTIONS_1                                                    \
  DECORR_DETAIL_ABI_JOIN(                                                                   \
      DECORR_DETAIL_ABI_HEX(__SSE__, __SSE2__, __SSE3__, __SSSE3__),                        \
      DECORR_DETAIL_ABI_HEX(__SSE4_1__, __SSE4_2__, __AVX__, __AVX2__),                     \
      DECORR_DETAIL_ABI_HEX(__FMA__, __F16C__, __FMA4__, __XOP__),                          \
      DECORR_DETAIL_ABI_HEX(__SSE4A__, __POPCNT__, __LZCNT__, __BMI__),                     \
      DECORR_DETAIL_ABI_HEX(__BMI2__, __TBM__, __MOVBE__, __ADX__),                         \
      DECORR_DETAIL_ABI_HEX(__PRFCHW__, __LAHF_SAHF__, __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16, \
                            __SSE_MATH__),                                                  \
      DECORR_DETAIL_ABI_HEX(__SSE2_MATH__, __GFNI__, __CMPCCXADD__, __APX_F__),             \
      DECORR_DETAIL_ABI_HEX(__AVX512F__, __AVX512CD__, __AVX512DQ__, __AVX512BW__))
#define DECORR_DETAIL_ABI_INSTRUCTIONS_2                                                        \
  DECORR_DETAIL_ABI_JOIN(                                                                       \
      DECORR_DETAIL_ABI_HEX(__AVX512VL__, __AVX512ER__, __AVX512PF__, __AVX512IFMA__),          \
      DECORR_DETAIL_ABI_HEX(__AVX512VBMI__, __AVX512VBMI2__, __AVX512VNNI__, __AVX512BITALG__), \
      DECORR_DETAIL_ABI_HEX(__AVX512VPOPCNTDQ__, __AVX512BF16__, __AVX512FP16__,                \
                            __AVX512VP2INTERSECT__),                                            \
      DECORR_DETAIL_ABI_HEX(__AVX5124FMAPS__, __AVX5124VNNIW__, __AVX10_1__, __AVX10_2__),      \
      DECORR_DETAIL_ABI_HEX(__AVXVNNI__, __AVXIFMA__, __AVXNECONVERT__, __AVXVNNIINT8__),       \
      DECORR_DETAIL_ABI_HEX(__AVXVNNIINT16__, __AVX10_1_512__, __EVEX512__, 0), , )
#elif defined(__ARM_ARCH)
#define DECORR_DETAIL_ABI_INSTRUCTIONS_1                                                           \
  DECORR_DETAIL_ABI_JOIN(                                                                          \
      DECORR_DETAIL_ABI_HEX(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_SVE, __ARM_FEATURE_SVE2), \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_SVE2p1, __ARM_FEATURE_SME,                               \
                            __ARM_FEATURE_FP16_VECTOR_ARITHMETIC,                                  \
                            __ARM_FEATURE_FP16_SCALAR_ARITHMETIC),                                 \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_FP16_FML, __ARM_FEATURE_BF16_VECTOR_ARITHMETIC,          \
                            __ARM_FEATURE_BF16_SCALAR_ARITHMETIC, __ARM_FEATURE_BF16),             \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_DOTPROD, __ARM_FEATURE_MATMUL_INT8, __ARM_FEATURE_QRDMX, \
                            __ARM_FEATURE_COMPLEX),                                                \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_FRINT, __ARM_FEATURE_ATOMICS, __ARM_FEATURE_RCPC,        \
                            __ARM_FEATURE_SHA3),                                                   \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_SHA512, __ARM_FEATURE_MOPS, __ARM_FEATURE_CSSC,          \
                            __ARM_FEATURE_IDIV),                                                   \
      DECORR_DETAIL_ABI_HEX(__ARM_FEATURE_UNALIGNED, __ARM_FEATURE_DIRECTED_ROUNDING, 0, 0), )
#define DECORR_DETAIL_ABI_INSTRUCTIONS_2
#else
#define DECORR_DETAIL_ABI_INSTRUCTIONS_1                                                          \
  DECORR_DETAIL_ABI_JOIN(                                                                         \
      DECORR_DETAIL_ABI_HEX(__ALTIVEC__, __VSX__, _ARCH_PWR7, _ARCH_PWR8),                        \
      DECORR_DETAIL_ABI_HEX(_ARCH_PWR9, _ARCH_PWR10, _ARCH_PWR11, __MMA__),                       \
      DECORR_DETAIL_ABI_HEX(__VEC__, __mips_msa, __riscv_vector, __riscv_zba),                    \
      DECORR_DETAIL_ABI_HEX(__riscv_zbb, __riscv_zbs, __riscv_zfh, __riscv_zvfh),                 \
      DECORR_DETAIL_ABI_HEX(__riscv_zicond, __loongarch_sx, __loongarch_asx, __wasm_simd128__), , \
      , )
#define DECORR_DETAIL_ABI_INSTRUCTIONS_2
#endif

// Levels that are numbers.
#if defined(__ARM_ARCH)
#define DECORR_DETAIL_ABI_LEVEL DECORR_DETAIL_ABI_JOIN(_level, __ARM_ARCH, , , , , , )
#elif defined(__s390x__) && defined(__ARCH__)
#define DECORR_DETAIL_ABI_LEVEL DECORR_DETAIL_ABI_JOIN(_level, __ARCH__, , , , , , )
#else
#define DECORR_DETAIL_ABI_LEVEL
#endif
#if defined(__ARM_FEATURE_SVE_BITS)
#define DECORR_DETAIL_ABI_LENGTH DECORR_DETAIL_ABI_JOIN(_bits, __ARM_FEATURE_SVE_BITS, , , , , , )
#else
#define DECORR_DETAIL_ABI_LENGTH
#endif

#define DECORR_DETAIL_ABI_MATH                                                     \
  DECORR_DETAIL_ABI_HEX(__FAST_MATH__, __FINITE_MATH_ONLY__, __ASSOCIATIVE_MATH__, \
                        __RECIPROCAL_MATH__)
#define DECORR_DETAIL_ABI_EIGEN \
  DECORR_DETAIL_ABI_HEX(EIGEN_VECTORIZE, EIGEN_USE_BLAS, EIGEN_DONT_PARALLELIZE, EIGEN_FAST_MATH)

#define DECORR_DETAIL_ABI_ALIGNMENT \
  DECORR_DETAIL_ABI_JOIN(_, EIGEN_MAX_ALIGN_BYTES, _, EIGEN_MAX_STATIC_ALIGN_BYTES, , , , )

#define DECORR_DETAIL_ABI_PROCESSOR                                                          \
  DECORR_DETAIL_ABI_JOIN(DECORR_DETAIL_ABI_INSTRUCTIONS_1, DECORR_DETAIL_ABI_INSTRUCTIONS_2, \
                         DECORR_DETAIL_ABI_LEVEL, DECORR_DETAIL_ABI_LENGTH, , , , )
#define DECORR_ABI                                                                    \
  DECORR_DETAIL_ABI_JOIN(DECORR_DETAIL_ABI_THREADS, DECORR_DETAIL_ABI_VECTORS,        \
                         DECORR_DETAIL_ABI_PROCESSOR, DECORR_DETAIL_ABI_ALIGNMENT, _, \
                         DECORR_DETAIL_ABI_EIGEN, DECORR_DETAIL_ABI_MATH, )

#endif  // DECORR_DETAIL_RUNTIME_ABI_HPP_
