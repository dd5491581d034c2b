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
        threads_(threads) {
    if (two_views) {
      mean_b = Buffer<Sum>::filled(features, Sum(0));
      squares_b = Buffer<Sum>::filled(features, Sum(0));
      products = Buffer<Sum>::filled(features, Sum(0));
      differences = Buffer<Sum>::filled(features, Sum(0));
    }
  }

  // Accumulate: takes all rows of `a` and, for two views, of `b`.
  void accumulate(const InputRows<Scalar>& a, const InputRows<Scalar>* b) {
    const int workers = worker_count(threads_, a.rows(), kMergedRows);
    const Index strip = std::min(features_, kMostFeatures);
    const auto buffer_size = [&](bool direct) {
      return direct ? 0 : kMergedRows * tile_stride<Scalar>(strip);
    };
    PerWorker<Scalar> buffer_a(workers, buffer_size(a.direct()));
    PerWorker<Scalar> buffer_b(workers, buffer_size(b == nullptr || b->direct()));
    PerWorker<Scalar> sums(workers, (b == nullptr ? 3 : 8) * features_);
    PerWorker<Index> counts(workers, 1);  // rows that a worker's sums are of
    parallel_chunks(
        workers, 0, a.rows(), kMergedRows,
        [&](int worker, Index first, Index last) {
          const Index rows = last - first;
          *counts.of(worker) = rows;
          for_each_chunk(features_, strip, [&](Index column, Index end) {
            const Index width = end - column;
            const auto tile_a = a.tile(first, rows, column, width, buffer_a.of(worker));
            if (b == nullptr) {
              sum_one(tile_a, rows, width, OneView(sums.of(worker), features_, column));
            } else {
              sum_two(tile_a, b->tile(first, rows, column, width, buffer_b.of(worker)), rows, width,
                      TwoViews(sums.of(worker), features_, column));
            }
          });
        },
        [&](int worker) {
          const Merge merge(*counts.of(worker), count_);
          if (b == nullptr) {
            merge_one(merge, OneView(sums.of(worker), features_, 0));
          } else {
            merge_two(merge, TwoViews(sums.of(worker), features_, 0));
          }
          count_ += *counts.of(worker);
        });
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

  // Within a tile, data are shifted by its first row, so that no digits are lost to a large mean;
  // tiles are merged by Chan, Golub and LeVeque's formula (The American Statistician 37, 1983,
  // 242-247).
  struct Merge {
    Merge(Index rows, Index count)
        : size(static_cast<Sum>(rows)),
          inverse_size(1 / size),
          share(size / (static_cast<Sum>(count) + size)),
          joint(static_cast<Sum>(count) * share) {}
    Sum size, inverse_size;  // of the tile
    Sum share, joint;        // its part of all rows; n_1 n_2 / (n_1 + n_2)
  };

  // One tile's sums, from `column` on, in a worker's memory.
  struct OneView {
    OneView(Scalar* memory, Index features, Index column)
        : shift(memory + column), sum(shift + features), square(sum + features) {}
    Scalar *shift, *sum, *square;
  };
  struct TwoViews {
    TwoViews(Scalar* memory, Index features, Index column)
        : a(memory, features, column),
          b(memory + 3 * features, features, column),
          product(memory + 6 * features + column),
          difference(product + features) {}
    OneView a, b;
    Scalar *product, *difference;
  };

  static void sum_one(const Tile<const Scalar>& tile, Index rows, Index width,
                      const OneView& sums) {
    alignas(kWorkspaceAlignment) Scalar sum[kMostFeatures] = {}, square[kMostFeatures] = {};
    const Scalar* shift = tile.row(0);
    for (Index k = 1; k < rows; ++k) {
      const Scalar* x = tile.row(k);
      tile.prefetch_after(k, 0, width);
      for (Index j = 0; j < width; ++j) {
        const Scalar value = x[j] - shift[j];
        sum[j] += value;
        square[j] += value * value;
      }
    }
    std::copy(shift, shift + width, sums.shift);
    std::copy(sum, sum + width, sums.sum);
    std::copy(square, square + width, sums.square);
  }

  static void sum_two(const Tile<const Scalar>& a, const Tile<const Scalar>& b, Index rows,
                      Index width, const TwoViews& sums) {
    alignas(kWorkspaceAlignment) Scalar sum_a[kMostFeatures] = {}, sum_b[kMostFeatures] = {},
                                        square_a[kMostFeatures] = {}, square_b[kMostFeatures] = {},
                                        product[kMostFeatures] = {}, difference[kMostFeatures] = {};
    const Scalar* shift_a = a.row(0);
    const Scalar* shift_b = b.row(0);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* x = a.row(k);
      const Scalar* y = b.row(k);
      a.prefetch_after(k, 0, width);
      b.prefetch_after(k, 0, width);
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
    std::copy(shift_a, shift_a + width, sums.a.shift);
    std::copy(shift_b, shift_b + width, sums.b.shift);
    std::copy(sum_a, sum_a + width, sums.a.sum);
    std::copy(sum_b, sum_b + width, sums.b.sum);
    std::copy(square_a, square_a + width, sums.a.square);
    std::copy(square_b, square_b + width, sums.b.square);
    std::copy(product, product + width, sums.product);
    std::copy(difference, difference + width, sums.difference);
  }

  void merge_one(const Merge& merge, const OneView& sums) {
    for (Index j = 0; j < features_; ++j) {
      merge_mean(merge, sums.shift[j], sums.sum[j], sums.square[j], mean_a[j], squares_a[j]);
    }
  }

  void merge_two(const Merge& merge, const TwoViews& sums) {
    const OneView &a = sums.a, &b = sums.b;
    for (Index j = 0; j < features_; ++j) {
      const Sum delta_a =
          merge_mean(merge, a.shift[j], a.sum[j], a.square[j], mean_a[j], squares_a[j]);
      const Sum delta_b =
          merge_mean(merge, b.shift[j], b.sum[j], b.square[j], mean_b[j], squares_b[j]);
      products[j] += Sum(sums.product[j]) - Sum(a.sum[j]) * Sum(b.sum[j]) * merge.inverse_size +
                     delta_a * (delta_b * merge.joint);
      differences[j] += Sum(sums.difference[j]);
    }
  }

  // Merges one feature of one view; returns how far the tile's mean was from that of the rows
  // before.
  static Sum merge_mean(const Merge& merge, Scalar shift, Scalar sum, Scalar square, Sum& mean,
                        Sum& squares) {
    const Sum offset = Sum(sum) * merge.inverse_size;
    const Sum delta = (Sum(shift) + offset) - mean;
    squares += Sum(square) - offset * Sum(sum) + delta * (delta * merge.joint);
    mean += delta * merge.share;
    return delta;
  }

  Index features_;
  int threads_;
  Index count_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_MOMENTS_HPP_
