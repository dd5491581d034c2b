#ifndef DECORR_DETAIL_MOMENTS_HPP_
#define DECORR_DETAIL_MOMENTS_HPP_

#include <algorithm>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/views.hpp"
#include "decorr/detail/workspace.hpp"

// Phase 1: means, variances and the views' products, per feature, in one read of the data.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Sums over the samples, for each feature. Those of the second view and of both stay empty for one
// view.
template <class Scalar>
class Moments {
 public:
  using Sum = Accumulator<Scalar>;

  Moments(Index features, bool two_views, int threads)
      : mean_a(Buffer<Sum>::filled(features, Sum(0))),
        squares_a(Buffer<Sum>::filled(features, Sum(0))),
        features_(features),
        strip_(std::min(kMostFeatures, ((features + 7) / 8 + kLine - 1) / kLine * kLine)),
        workers_(worker_count(threads, features, strip_)) {
    if (two_views) {
      mean_b = Buffer<Sum>::filled(features, Sum(0));
      squares_b = Buffer<Sum>::filled(features, Sum(0));
      products = Buffer<Sum>::filled(features, Sum(0));
      differences = Buffer<Sum>::filled(features, Sum(0));
    }
  }

  // Accumulate: takes all rows of `a` and, for two views, of `b`. Strips of features are
  // independent of each other.
  void accumulate(const InputRows<Scalar>& a, const InputRows<Scalar>* b) {
    const auto buffer_size = [&](bool direct) {
      return direct ? 0 : kMergedRows * tile_stride<Scalar>(strip_);
    };
    PerWorker<Scalar> buffer_a(workers_, buffer_size(a.direct()));
    PerWorker<Scalar> buffer_b(workers_, buffer_size(b == nullptr || b->direct()));
    parallel_chunks(workers_, 0, features_, strip_, [&](int worker, Index column, Index end) {
      Index count = count_;
      for_each_chunk(a.rows(), kMergedRows, [&](Index first, Index last) {
        const Index rows = last - first, width = end - column;
        const auto tile_a = a.tile(first, rows, column, width, buffer_a.of(worker));
        if (b == nullptr) {
          merge_one(tile_a, rows, column, width, count);
        } else {
          merge_two(tile_a, b->tile(first, rows, column, width, buffer_b.of(worker)), rows, column,
                    width, count);
        }
        count += rows;
      });
    });
    count_ += a.rows();
  }

  Buffer<Sum> mean_a, mean_b;
  Buffer<Sum> squares_a, squares_b;  // sum_k (a_k - mean_a)^2
  Buffer<Sum> products;              // sum_k (a_k - mean_a) (b_k - mean_b)
  Buffer<Sum> differences;  // sum_k (a_k - b_k)^2, from the differences themselves: exact where a
                            // is close to b

 private:
  // Accumulators of a strip of features stay in the first-level cache; bound by the bytes read.
  static constexpr Index kMostFeatures = 512;
  // Float sums of so many rows are as accurate as their terms.
  static constexpr Index kMergedRows = 64;
  static constexpr Index kLine = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));

  // Within a tile, data are shifted by its first row, so that no digits are lost to a large mean;
  // tiles are merged by Chan, Golub and LeVeque's formula (The American Statistician 37, 1983,
  // 242-247).
  struct Merge {
    Merge(Index rows, Index count)
        : size(static_cast<Sum>(rows)),
          share(size / (static_cast<Sum>(count) + size)),
          joint(static_cast<Sum>(count) * share) {}
    Sum size, share, joint;  // of the tile; its part of all rows; n_1 n_2 / (n_1 + n_2)
  };

  void merge_one(const Tile<const Scalar>& tile, Index rows, Index column, Index width,
                 Index count) {
    alignas(kWorkspaceAlignment) Scalar sum[kMostFeatures] = {}, square[kMostFeatures] = {};
    const Scalar* shift = tile.row(0);
    for (Index k = 1; k < rows; ++k) {
      const Scalar* x = tile.row(k);
      for (Index j = 0; j < width; ++j) {
        const Scalar value = x[j] - shift[j];
        sum[j] += value;
        square[j] += value * value;
      }
    }
    const Merge merge(rows, count);
    for (Index j = 0; j < width; ++j) {
      merge_mean(merge, shift[j], sum[j], square[j], mean_a[column + j], squares_a[column + j]);
    }
  }

  void merge_two(const Tile<const Scalar>& a, const Tile<const Scalar>& b, Index rows, Index column,
                 Index width, Index count) {
    alignas(kWorkspaceAlignment) Scalar sum_a[kMostFeatures] = {}, sum_b[kMostFeatures] = {},
                                        square_a[kMostFeatures] = {}, square_b[kMostFeatures] = {},
                                        product[kMostFeatures] = {}, difference[kMostFeatures] = {};
    const Scalar* shift_a = a.row(0);
    const Scalar* shift_b = b.row(0);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* x = a.row(k);
      const Scalar* y = b.row(k);
      for (Index j = 0; j < width; ++j) {
        const Scalar value_a = x[j] - shift_a[j], value_b = y[j] - shift_b[j], gap = x[j] - y[j];
        sum_a[j] += value_a;
        sum_b[j] += value_b;
        square_a[j] += value_a * value_a;
        square_b[j] += value_b * value_b;
        product[j] += value_a * value_b;
        difference[j] += gap * gap;
      }
    }
    const Merge merge(rows, count);
    for (Index j = 0; j < width; ++j) {
      const Index i = column + j;
      const Sum delta_a =
          merge_mean(merge, shift_a[j], sum_a[j], square_a[j], mean_a[i], squares_a[i]);
      const Sum delta_b =
          merge_mean(merge, shift_b[j], sum_b[j], square_b[j], mean_b[i], squares_b[i]);
      products[i] += Sum(product[j]) - Sum(sum_a[j]) * Sum(sum_b[j]) / merge.size +
                     delta_a * delta_b * merge.joint;
      differences[i] += Sum(difference[j]);
    }
  }

  // Merges one feature of one view; returns how far the tile's mean was from that of the rows
  // before.
  static Sum merge_mean(const Merge& merge, Scalar shift, Scalar sum, Scalar square, Sum& mean,
                        Sum& squares) {
    const Sum offset = Sum(sum) / merge.size;
    const Sum delta = (Sum(shift) + offset) - mean;
    squares += Sum(square) - offset * Sum(sum) + delta * delta * merge.joint;
    mean += delta * merge.share;
    return delta;
  }

  Index features_, strip_;
  int workers_;
  Index count_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_MOMENTS_HPP_
