#ifndef DECORR_BENCH_REPRESENTATION_PARALLEL_HPP_
#define DECORR_BENCH_REPRESENTATION_PARALLEL_HPP_

#include <Eigen/Core>
#include <algorithm>

/// @file
/// Work on several threads with the same result, bit for bit, for any number of them: work is cut
/// by its size alone, and no two pieces add to the same number. Eigen's own threads cut by their
/// number, so they are switched off (Eigen::setNbThreads(1)).

namespace representation {

using Eigen::Index;

/// work(first, count) of ranges of at most `block` that cover 0 .. size - 1. Must not throw.
template <class Work>
void for_each_range(Index size, Index block, int threads, const Work& work) {
  const Index ranges = (size + block - 1) / block;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static) if (ranges > 1 && threads > 1)
#else
  static_cast<void>(threads);
#endif
  for (Index range = 0; range < ranges; ++range) {
    work(range * block, std::min(block, size - range * block));
  }
}

/// result = left * right, cut along the longer side of the result. Each block of the other factor
/// is packed anew for every piece, so there are few of them.
template <class Left, class Right, class Result>
void multiply(const Left& left, const Right& right, Result& result, int threads) {
  const bool by_rows = result.rows() > result.cols();
  const Index size = by_rows ? result.rows() : result.cols();
  const Index pieces = 8, least = 128;
  for_each_range(
      size, std::max(least, (size + pieces - 1) / pieces), threads, [&](Index first, Index count) {
        if (by_rows) {
          result.middleRows(first, count).noalias() = left.middleRows(first, count) * right;
        } else {
          result.middleCols(first, count).noalias() = left * right.middleCols(first, count);
        }
      });
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_PARALLEL_HPP_
