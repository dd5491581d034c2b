#ifndef DECORR_DETAIL_RUNTIME_PARALLEL_HPP_
#define DECORR_DETAIL_RUNTIME_PARALLEL_HPP_

#include <algorithm>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Work in chunks, on one thread or several. Chunks depend on the sizes alone and are merged in
// order, so a result never depends on the number of threads.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// A pass over what another one has just read or written goes the other way, so that it begins with
// what is still in the cache.
enum class Sweep { ascending, descending };

// first .. last - 1 in chunks, the last of which may be short.
class Chunks {
 public:
  Chunks(Index first, Index last, Index chunk, Sweep sweep = Sweep::ascending)
      : first_(first),
        last_(last),
        chunk_(chunk),
        count_((last - first + chunk - 1) / chunk),
        sweep_(sweep) {}

  Index count() const { return count_; }
  // Calls body(begin, end) for the i-th chunk on the way.
  template <class Body>
  void visit(Index i, const Body& body) const noexcept(noexcept(body(i, i))) {
    const Index begin = first_ + (sweep_ == Sweep::ascending ? i : count_ - 1 - i) * chunk_;
    body(begin, std::min(last_, begin + chunk_));
  }

 private:
  Index first_, last_, chunk_, count_;
  Sweep sweep_;
};

// Calls body(first, last) for consecutive chunks of 0 .. size - 1.
template <class Body>
void for_each_chunk(Index size, Index chunk, const Body& body,
                    Sweep sweep = Sweep::ascending) noexcept(noexcept(body(size, size))) {
  const Chunks chunks(0, size, chunk, sweep);
  for (Index i = 0; i < chunks.count(); ++i) {
    chunks.visit(i, body);
  }
}

// More threads may be more than a process can have, and OpenMP ends one that cannot have them.
constexpr Index kMostWorkers = 1024;

// How many workers parallel_chunks will have at the most: what a caller needs workspaces for.
inline int worker_count([[maybe_unused]] int threads, [[maybe_unused]] Index size,
                        [[maybe_unused]] Index chunk) {
#if defined(_OPENMP)
  const Index chunks = Chunks(0, size, chunk).count();
  return static_cast<int>(std::max(Index{1}, std::min({Index{threads}, chunks, kMostWorkers})));
#else
  return 1;
#endif
}

// Calls body(worker, first, last) for the chunks of first .. last - 1, each on one of `workers`
// threads, and after each of them merge(worker), one at a time and in the order of the sweep. An
// exception could not leave a thread, so neither throws.
DECORR_DETAIL_NOINLINE inline void parallel_chunks([[maybe_unused]] int workers, Index first,
                                                   Index last, Index chunk,
                                                   FunctionRef<int, Index, Index> body,
                                                   FunctionRef<int> merge,
                                                   Sweep sweep = Sweep::ascending) noexcept {
  const Chunks chunks(first, last, chunk, sweep);
  const auto run = [&](int worker, Index i) noexcept {
    chunks.visit(i, [&](Index begin, Index end) noexcept { body(worker, begin, end); });
  };
#if defined(_OPENMP)
  if (workers > 1) {
#pragma omp parallel for ordered schedule(static, 1) num_threads(workers)
    for (Index i = 0; i < chunks.count(); ++i) {
      const int worker = omp_get_thread_num();
      run(worker, i);
#pragma omp ordered
      merge(worker);
    }
    return;
  }
#endif
  for (Index i = 0; i < chunks.count(); ++i) {
    run(0, i);
    merge(0);
  }
}

// The same where every chunk writes what is its own.
DECORR_DETAIL_NOINLINE inline void parallel_chunks([[maybe_unused]] int workers, Index first,
                                                   Index last, Index chunk,
                                                   FunctionRef<int, Index, Index> body,
                                                   Sweep sweep = Sweep::ascending) noexcept {
  const Chunks chunks(first, last, chunk, sweep);
#if defined(_OPENMP)
  if (workers > 1) {
#pragma omp parallel for schedule(static, 1) num_threads(workers)
    for (Index i = 0; i < chunks.count(); ++i) {
      const int worker = omp_get_thread_num();
      chunks.visit(i, [&](Index begin, Index end) noexcept { body(worker, begin, end); });
    }
    return;
  }
#endif
  for (Index i = 0; i < chunks.count(); ++i) {
    chunks.visit(i, [&](Index begin, Index end) noexcept { body(0, begin, end); });
  }
}

// One array of T for each worker, each on a 64-byte boundary.
template <class T>
class PerWorker {
 public:
  PerWorker() = default;
  PerWorker(Arena& arena, int workers, Index size)
      : stride_(padded(size)), all_(arena, stride_ * workers) {}
  T* of(int worker) noexcept { return all_.data() + worker * stride_; }

 private:
  static constexpr Index kLine = static_cast<Index>(kWorkspaceAlignment / sizeof(T));
  static Index padded(Index size) { return (size + kLine - 1) / kLine * kLine; }

  Index stride_ = 0;
  Buffer<T> all_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_PARALLEL_HPP_
