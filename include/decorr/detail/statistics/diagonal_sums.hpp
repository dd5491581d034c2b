#ifndef DECORR_DETAIL_STATISTICS_DIAGONAL_SUMS_HPP_
#define DECORR_DETAIL_STATISTICS_DIAGONAL_SUMS_HPP_

#include <algorithm>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// sum_k a_k b_k for each feature, the diagonal of a C of raw numbers: put together from moments it
// would lose digits to the means. Products of float numbers are exact. Summed by whoever reads both
// rows of a sample, or in a read of its own.
template <class Scalar>
class DiagonalSums {
 public:
  using Sum = Accumulator<Scalar>;

  DiagonalSums() = default;
  DiagonalSums(Arena& arena, Index features, Index most_rows, const RowAccess& access, int threads)
      : workers_(worker_count(threads, most_rows, kTileRows)),
        tiles_(arena, workers_, access.inputs(), kTileRows, std::min(features, kStripColumns)),
        parts_(arena, workers_, features),
        totals_(arena, features, Sum(0)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(totals_); }
  Buffer<Sum>& totals() noexcept { return totals_; }

  // A worker's chunk of rows, to be merged in the order of the chunks.
  void begin(int worker) noexcept { std::fill_n(parts_.of(worker), totals_.size(), Sum(0)); }
  // `count` features from `column` on, of one sample.
  DECORR_DETAIL_NOINLINE void add(int worker, Index column, Index count, const Scalar* a,
                                  const Scalar* b) noexcept {
    Sum* parts = parts_.of(worker) + column;
    for (Index j = 0; j < count; ++j) {
      parts[j] += Sum(a[j]) * Sum(b[j]);
    }
  }
  void merge(int worker) noexcept {
    const Sum* parts = parts_.of(worker);
    for (Index j = 0; j < totals_.size(); ++j) {
      totals_[j] += parts[j];
    }
  }

  // A read of its own. Bound by bytes.
  DECORR_DETAIL_COLD void add(const BatchRows<Scalar>& rows) noexcept {
    parallel_chunks(
        workers_, 0, rows.size(), kTileRows,
        [&](int worker, Index first, Index last) noexcept {
          begin(worker);
          for_each_chunk(totals_.size(), kStripColumns, [&](Index column, Index end) noexcept {
            const Index count = last - first, width = end - column;
            const auto a = rows.a.tile(first, count, column, width, tiles_.a(worker));
            const auto b = rows.b.tile(first, count, column, width, tiles_.b(worker));
            for (Index k = 0; k < count; ++k) {
              add(worker, column, width, a.row(k), b.row(k));
            }
          });
        },
        [&](int worker) noexcept { merge(worker); });
  }

 private:
  int workers_ = 1;
  TileBuffers<Scalar> tiles_;
  PerWorker<Sum> parts_;
  Buffer<Sum> totals_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_DIAGONAL_SUMS_HPP_
