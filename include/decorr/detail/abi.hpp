#ifndef DECORR_DETAIL_ABI_HPP_
#define DECORR_DETAIL_ABI_HPP_

// DECORR_ABI names the inline namespace of everything that is compiled differently with and without
// OpenMP or with different vector flags. The linker keeps one copy of each inline function by its
// name; without this, a file built with -mavx512f could hand its copy to one built for the
// baseline, or a serial copy to one that expects threads.
//
// The inline namespace is always the innermost one:
//
//   namespace decorr { inline namespace DECORR_ABI { ... } }
//   namespace decorr { namespace detail { inline namespace DECORR_ABI { ... } } }
//
// A `detail` opened inside the inline namespace would be a second one and make decorr::detail
// ambiguous. Outside it stay the option structs, so that files exchange them, and the state of the
// process (plan cache, planner mutex, workspace pool), so that there is one of each.

#if defined(_OPENMP)
#define DECORR_DETAIL_ABI_THREADS openmp
#else
#define DECORR_DETAIL_ABI_THREADS serial
#endif

#if defined(__AVX512F__)
#define DECORR_DETAIL_ABI_VECTORS avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define DECORR_DETAIL_ABI_VECTORS avx2
#elif defined(__AVX__)
#define DECORR_DETAIL_ABI_VECTORS avx
#else
#define DECORR_DETAIL_ABI_VECTORS baseline
#endif

#define DECORR_DETAIL_ABI_PASTE(threads, vectors) threads##_##vectors
#define DECORR_DETAIL_ABI_NAME(threads, vectors) DECORR_DETAIL_ABI_PASTE(threads, vectors)
#define DECORR_ABI DECORR_DETAIL_ABI_NAME(DECORR_DETAIL_ABI_THREADS, DECORR_DETAIL_ABI_VECTORS)

#endif  // DECORR_DETAIL_ABI_HPP_
