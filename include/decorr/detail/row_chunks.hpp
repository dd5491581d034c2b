#ifndef DECORR_DETAIL_ROW_CHUNKS_HPP_
#define DECORR_DETAIL_ROW_CHUNKS_HPP_

#include <algorithm>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "decorr/detail/abi.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"

// Work in chunks, on one thread or several. Chunks depend on the sizes alone and are merged in
// order, so a result never depends on the number of threads.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// A pass over what another one has just read or written goes the other way, so that it begins with
// what is still in the cache.
enum class Sweep { ascending, descending };

// Calls body(first, last) for consecutive chunks of 0 .. size - 1.
template <class Body>
void for_each_chunk(Index size, Index chunk, Body&& body, Sweep sweep = Sweep::ascending) {
  const Index chunks = (size + chunk - 1) / chunk;
  for (Index i = 0; i < chunks; ++i) {
    const Index first = (sweep == Sweep::ascending ? i : chunks - 1 - i) * chunk;
    body(first, std::min(size, first + chunk));
  }
}

// How many workers parallel_chunks will have at the most: what a caller needs workspaces for.
inline int worker_count([[maybe_unused]] int threads, [[maybe_unused]] Index size,
                        [[maybe_unused]] Index chunk) {
#if defined(_OPENMP)
  const Index chunks = (size + chunk - 1) / chunk;
  return static_cast<int>(std::max(Index{1}, std::min(Index{threads}, chunks)));
#else
  return 1;
#endif
}

// Calls body(worker, first, last) for the chunks of first .. last - 1, each on one of `workers`
// threads, and after each of them merge(worker), one at a time and in the order of the sweep.
// Neither may throw.
template <class Body, class Merge>
void parallel_chunks([[maybe_unused]] int workers, Index first, Index last, Index chunk,
                     const Body& body, const Merge& merge, Sweep sweep = Sweep::ascending) {
  const Index chunks = (last - first + chunk - 1) / chunk;
  const auto run = [&](int worker, Index i) {
    const Index begin = first + (sweep == Sweep::ascending ? i : chunks - 1 - i) * chunk;
    body(worker, begin, std::min(last, begin + chunk));
  };
#if defined(_OPENMP)
  if (workers > 1) {
#pragma omp parallel for ordered schedule(static, 1) num_threads(workers)
    for (Index i = 0; i < chunks; ++i) {
      const int worker = omp_get_thread_num();
      run(worker, i);
#pragma omp ordered
      merge(worker);
    }
    return;
  }
#endif
  for (Index i = 0; i < chunks; ++i) {
    run(0, i);
    merge(0);
  }
}

// The same where every chunk writes what is its own.
template <class Body>
void parallel_chunks([[maybe_unused]] int workers, Index first, Index last, Index chunk,
                     const Body& body, Sweep sweep = Sweep::ascending) {
  const Index chunks = (last - first + chunk - 1) / chunk;
  const auto run = [&](int worker, Index i) {
    const Index begin = first + (sweep == Sweep::ascending ? i : chunks - 1 - i) * chunk;
    body(worker, begin, std::min(last, begin + chunk));
  };
#if defined(_OPENMP)
  if (workers > 1) {
#pragma omp parallel for schedule(static, 1) num_threads(workers)
    for (Index i = 0; i < chunks; ++i) {
      run(omp_get_thread_num(), i);
    }
    return;
  }
#endif
  for (Index i = 0; i < chunks; ++i) {
    run(0, i);
  }
}

// One array of T for each worker, each on a 64-byte boundary.
template <class T>
class PerWorker {
 public:
  PerWorker() = default;
  PerWorker(int workers, Index size) : stride_(padded(size)), all_(stride_ * workers) {}
  T* of(int worker) { return all_.data() + worker * stride_; }

 private:
  static constexpr Index kLine = static_cast<Index>(kWorkspaceAlignment / sizeof(T));
  static Index padded(Index size) { return (size + kLine - 1) / kLine * kLine; }

  Index stride_ = 0;
  Buffer<T> all_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_ROW_CHUNKS_HPP_
