#ifndef DECORR_DETAIL_MOMENTS_HPP_
#define DECORR_DETAIL_MOMENTS_HPP_

#include <algorithm>
#include <utility>

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

  Moments(Index features, bool two_views)
      : mean_a(Buffer<Sum>::filled(features, Sum(0))),
        squares_a(Buffer<Sum>::filled(features, Sum(0))),
        features_(features),
        strip_a_(kTileRows * kStrip),
        strip_b_(two_views ? kTileRows * kStrip : 0) {
    if (two_views) {
      mean_b = Buffer<Sum>::filled(features, Sum(0));
      squares_b = Buffer<Sum>::filled(features, Sum(0));
      products = Buffer<Sum>::filled(features, Sum(0));
      differences = Buffer<Sum>::filled(features, Sum(0));
    }
  }

  // Accumulate: takes all rows of `a` and, for two views, of `b`.
  void accumulate(const InputRows<Scalar>& a, const InputRows<Scalar>* b) {
    const Index first_count = count_;
    for (Index column = 0; column < features_; column += kStrip) {
      const Index width = std::min(kStrip, features_ - column);
      count_ = first_count;
      for_each_chunk(a.rows(), kTileRows, [&](Index first, Index last) {
        const auto tile_a = a.tile(first, last - first, column, width, strip_a_.data());
        if (b == nullptr) {
          merge_one(tile_a, last - first, column, width);
        } else {
          merge_two(tile_a, b->tile(first, last - first, column, width, strip_b_.data()),
                    last - first, column, width);
        }
        count_ += last - first;
      });
    }
  }

  Index count() const { return count_; }

  Buffer<Sum> mean_a, mean_b;
  Buffer<Sum> squares_a, squares_b;  // sum_k (a_k - mean_a)^2
  Buffer<Sum> products;              // sum_k (a_k - mean_a) (b_k - mean_b)
  Buffer<Sum> differences;  // sum_k (a_k - b_k)^2, from the differences themselves: exact where a
                            // is close to b

 private:
  // Accumulators of a strip of features stay in the first-level cache; bound by the bytes read.
  static constexpr Index kStrip = 512;

  // Within a tile, data are shifted by its first row, so that no digits are lost to a large mean;
  // tiles are merged by Chan, Golub and LeVeque's formula (The American Statistician 37, 1983,
  // 242-247).
  void merge_one(Tile<const Scalar> a, Index rows, Index column, Index width) {
    Scalar sum[kStrip] = {}, squares[kStrip] = {};
    const Scalar* shift = a.row(0);
    for (Index k = 1; k < rows; ++k) {
      const Scalar* x = a.row(k);
      for (Index j = 0; j < width; ++j) {
        const Scalar value = x[j] - shift[j];
        sum[j] += value;
        squares[j] += value * value;
      }
    }
    const Sum size = static_cast<Sum>(rows), before = static_cast<Sum>(count_);
    for (Index j = 0; j < width; ++j) {
      const Sum offset = Sum(sum[j]) / size;
      const Sum delta = (Sum(shift[j]) + offset) - mean_a[column + j];
      squares_a[column + j] += Sum(squares[j]) - offset * Sum(sum[j]) +
                               delta * delta * (before * size / (before + size));
      mean_a[column + j] += delta * (size / (before + size));
    }
  }

  void merge_two(Tile<const Scalar> a, Tile<const Scalar> b, Index rows, Index column,
                 Index width) {
    Scalar product[kStrip] = {}, difference[kStrip] = {}, sum_a[kStrip] = {}, sum_b[kStrip] = {};
    const Scalar* shift_a = a.row(0);
    const Scalar* shift_b = b.row(0);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* x = a.row(k);
      const Scalar* y = b.row(k);
      for (Index j = 0; j < width; ++j) {
        const Scalar value_a = x[j] - shift_a[j], value_b = y[j] - shift_b[j], gap = x[j] - y[j];
        sum_a[j] += value_a;
        sum_b[j] += value_b;
        product[j] += value_a * value_b;
        difference[j] += gap * gap;
      }
    }
    const Sum size = static_cast<Sum>(rows), before = static_cast<Sum>(count_);
    const Sum joint = before * size / (before + size);
    for (Index j = 0; j < width; ++j) {
      const Sum offset_a = Sum(sum_a[j]) / size;
      const Sum delta_a = (Sum(shift_a[j]) + offset_a) - mean_a[column + j];
      const Sum delta_b = (Sum(shift_b[j]) + Sum(sum_b[j]) / size) - mean_b[column + j];
      products[column + j] +=
          Sum(product[j]) - offset_a * Sum(sum_b[j]) + delta_a * delta_b * joint;
      differences[column + j] += Sum(difference[j]);
    }
    merge_one(a, rows, column, width);
    swap_views();
    merge_one(b, rows, column, width);
    swap_views();
  }

  void swap_views() {
    std::swap(mean_a, mean_b);
    std::swap(squares_a, squares_b);
  }

  Index features_, count_ = 0;
  Buffer<Scalar> strip_a_, strip_b_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_MOMENTS_HPP_
