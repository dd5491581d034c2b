#ifndef DECORR_DETAIL_STATISTICS_MOMENTS_HPP_
#define DECORR_DETAIL_STATISTICS_MOMENTS_HPP_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Phase 1: means, variances and the views' products, per feature, in one read of the data.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Sums over the samples of one view, for each feature.
template <class Scalar>
struct ViewMoments {
  using Sum = Accumulator<Scalar>;

  Buffer<Sum> mean;
  Buffer<Sum> squares;  // sum_k ((x_k - mean) / unit)^2
  Buffer<Scalar> unit;  // a power of two; empty where it is 1 for all features

  Sum unit_of(Index j) const { return unit ? Sum(unit[j]) : Sum(1); }

  // sqrt(variance_j + epsilon), the variance being the mean square over `degrees`.
  Buffer<Sum> deviations(Sum degrees, Sum epsilon) const {
    Buffer<Sum> result(squares.size());
    if (unit) {
      const Sum least = std::sqrt(epsilon);
      for (Index j = 0; j < result.size(); ++j) {
        result[j] = std::hypot(Sum(unit[j]) * std::sqrt(squares[j] / degrees), least);
      }
      return result;
    }
    // In two loops, as a compiler that keeps errno has no vectors for the second.
    for (Index j = 0; j < result.size(); ++j) {
      result[j] = squares[j] / degrees + epsilon;
    }
    for (Index j = 0; j < result.size(); ++j) {
      result[j] = std::sqrt(result[j]);
    }
    return result;
  }
};

// Sums over the samples of two views. Those of the second one and of both stay empty for one view.
template <class Scalar>
struct Moments {
  using Sum = Accumulator<Scalar>;

  ViewMoments<Scalar> a, b;
  Buffer<Sum> products;            // sum_k ((a_k - mean_a) / unit_a) ((b_k - mean_b) / unit_b)
  Buffer<Sum> differences;         // sum_k ((a_k - b_k) / difference_unit)^2, from the differences
                                   // themselves: exact where a is close to b
  Buffer<Scalar> difference_unit;  // as the views' units

  // weight * sum_k (a_k - b_k)^2, finite wherever that is.
  Sum weighted_difference(Index j, Sum weight) const {
    const Sum unit = difference_unit ? Sum(difference_unit[j]) : Sum(1);
    return weight * unit * differences[j] * unit;
  }
};

// One view or two, read in tiles of rows, and these in strips of features.
template <class Scalar>
class RowTiles {
 public:
  // Accumulators of a strip of features stay in the first-level cache; bound by the bytes read.
  static constexpr Index kMostFeatures = 512;
  // Float sums of so many rows are as accurate as their terms.
  static constexpr Index kMostRows = 64;

  // `b` is null for one view.
  RowTiles(const InputRows<Scalar>& a, const InputRows<Scalar>* b, int threads)
      : a_(&a),
        b_(b),
        workers_(worker_count(threads, a.rows(), kMostRows)),
        buffer_a_(workers_, buffer_size(a)),
        buffer_b_(workers_, b == nullptr ? 0 : buffer_size(*b)),
        counts_(workers_, 1) {}

  Index rows() const { return a_->rows(); }
  Index cols() const { return a_->cols(); }
  bool has_two_views() const { return b_ != nullptr; }
  int workers() const { return workers_; }

  // Calls sum(worker, tile of a, tile of b, rows, column, width) for each strip of a tile, and
  // after the last one merge(worker, rows), one at a time and in the order of the rows. Neither may
  // throw.
  template <class SumStrip, class MergeTile>
  void for_each(const SumStrip& sum, const MergeTile& merge) {
    parallel_chunks(
        workers_, 0, rows(), kMostRows,
        [&](int worker, Index first, Index last) {
          const Index rows = last - first;
          *counts_.of(worker) = rows;
          for_each_chunk(cols(), kMostFeatures, [&](Index column, Index end) {
            const Index width = end - column;
            const auto tile_a = a_->tile(first, rows, column, width, buffer_a_.of(worker));
            const auto tile_b = b_ == nullptr
                                    ? Tile<const Scalar>()
                                    : b_->tile(first, rows, column, width, buffer_b_.of(worker));
            sum(worker, tile_a, tile_b, rows, column, width);
          });
        },
        [&](int worker) { merge(worker, *counts_.of(worker)); });
  }

 private:
  static Index buffer_size(const InputRows<Scalar>& view) {
    return view.direct() ? 0
                         : kMostRows * tile_stride<Scalar>(std::min(view.cols(), kMostFeatures));
  }

  const InputRows<Scalar>* a_;
  const InputRows<Scalar>* b_;
  int workers_;
  PerWorker<Scalar> buffer_a_, buffer_b_;  // tiles of what is not read in place
  PerWorker<Index> counts_;                // rows of a worker's tile
};

// Reads the moments. Squares underflow or overflow where the numbers themselves are good ones. So
// features whose sum of squares says that this may have happened are measured in a unit of their
// own, by a second read: one unit for all that are too small and one for all that are too large, as
// their squares then fit with room to spare (J. L. Blue, ACM Transactions on Mathematical Software
// 4, 1978, 15-23). Ordinary data do not pay for it.
template <class Scalar>
class MomentsReader {
 public:
  using Sum = Accumulator<Scalar>;

  // `b` is null for one view. `epsilon` is what will be added to the variances: one that is nothing
  // beside it needs no digits.
  MomentsReader(const InputRows<Scalar>& a, const InputRows<Scalar>* b, Sum epsilon, int threads)
      : tiles_(a, b, threads),
        features_(a.cols()),
        least_squares_(std::max(Sum(0), (least_variance() - epsilon) * Sum(a.rows()))),
        sums_(tiles_.workers(), (b == nullptr ? 3 : 8) * features_),
        varies_(tiles_.workers(), 1) {
    for (int worker = 0; worker < tiles_.workers(); ++worker) {
      *varies_.of(worker) = 0;
    }
  }

  Moments<Scalar> read() {
    auto moments = read_in(One(), One(), One());
    const Sum least = varies() ? least_squares_ : Sum(0);
    // Squared differences that underflow are nothing in a loss of the same scalar.
    if (!leave_range(moments.a.squares, least) && !leave_range(moments.b.squares, least) &&
        !leave_range(moments.differences, Sum(0))) {
      return moments;
    }
    auto unit_a = units(moments.a.squares, least), unit_b = units(moments.b.squares, least),
         unit_difference = units(moments.differences, Sum(0));
    moments = read_in(PowerOfTwo{unit_a.data()}, PowerOfTwo{unit_b.data()},
                      PowerOfTwo{unit_difference.data()});
    moments.a.unit = std::move(unit_a);
    moments.b.unit = std::move(unit_b);
    moments.difference_unit = std::move(unit_difference);
    return moments;
  }

 private:
  // What underflows, or is flushed to zero, is then less than a quarter of a variance's last digit.
  static Sum least_variance() {
    using Limits = std::numeric_limits<Scalar>;
    return std::ldexp(Sum(Limits::min()), Limits::digits + 2);
  }
  // A tile's sums, which may be kMostRows times as large, and what is made of them are then finite.
  static Sum largest_squares() {
    return std::ldexp(Sum(1), std::numeric_limits<Scalar>::max_exponent - 20);
  }
  static bool is_too_large(Sum squares) { return !(squares <= largest_squares()); }  // or NaN

  static bool leave_range(const Buffer<Sum>& squares, Sum least) {
    int outside = 0;
    for (Index j = 0; j < squares.size(); ++j) {
      outside |= static_cast<int>(squares[j] < least) | static_cast<int>(is_too_large(squares[j]));
    }
    return outside != 0;
  }
  static Buffer<Scalar> units(const Buffer<Sum>& squares, Sum least) {
    // In the middle of the exponents that are out of range.
    constexpr int exponent = std::numeric_limits<Scalar>::max_exponent / 16 * 11;
    const Scalar large = std::ldexp(Scalar(1), exponent), small = std::ldexp(Scalar(1), -exponent);
    Buffer<Scalar> unit(squares.size());
    for (Index j = 0; j < unit.size(); ++j) {
      unit[j] = squares[j] < least ? small : is_too_large(squares[j]) ? large : Scalar(1);
    }
    return unit;
  }
  bool varies() {
    Index varies = 0;
    for (int worker = 0; worker < tiles_.workers(); ++worker) {
      varies |= *varies_.of(worker);
    }
    return varies != 0;
  }

  // The units of a strip's features.
  struct One {
    One from(Index) const { return {}; }
    template <class T>
    T divide(T x, Index) const {
      return x;
    }
    template <class T>
    T multiply(T x, Index) const {
      return x;
    }
  };
  struct PowerOfTwo {
    const Scalar* unit;
    PowerOfTwo from(Index column) const { return {unit + column}; }
    template <class T>
    T divide(T x, Index j) const {
      return x / T(unit[j]);
    }
    template <class T>
    T multiply(T x, Index j) const {
      return x * T(unit[j]);
    }
  };

  // Within a tile, data are shifted by one of its rows, so that no digits are lost to a large mean;
  // tiles are merged by Chan, Golub and LeVeque's formula (The American Statistician 37, 1983,
  // 242-247).
  struct Merge {
    Merge(Index rows, Index count)
        : is_first(count == 0),
          size(static_cast<Sum>(rows)),
          inverse_size(1 / size),
          share(size / (static_cast<Sum>(count) + size)),
          joint(static_cast<Sum>(count) * share) {}
    bool is_first;           // there are no rows yet to merge the tile with
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

  template <class Unit>
  Moments<Scalar> read_in(Unit unit_a, Unit unit_b, Unit unit_difference) {
    const auto zeros = [&] { return Buffer<Sum>::filled(features_, Sum(0)); };
    Moments<Scalar> moments;
    moments.a = {zeros(), zeros(), {}};
    Index count = 0;
    if (!tiles_.has_two_views()) {
      tiles_.for_each(
          [&](int worker, const auto& tile, const auto&, Index rows, Index column, Index width) {
            const OneView sums(sums_.of(worker), features_, column);
            sum_one(tile, rows, width, unit_a.from(column), sums);
            watch(worker, tile, rows, width, sums);
          },
          [&](int worker, Index rows) {
            merge_one(worker, Merge(rows, count), unit_a, moments);
            count += rows;
          });
      return moments;
    }
    moments.b = {zeros(), zeros(), {}};
    moments.products = zeros();
    moments.differences = zeros();
    tiles_.for_each(
        [&](int worker, const auto& tile_a, const auto& tile_b, Index rows, Index column,
            Index width) {
          const TwoViews sums(sums_.of(worker), features_, column);
          sum_two(tile_a, tile_b, rows, width, unit_a.from(column), unit_b.from(column),
                  unit_difference.from(column), sums);
          watch(worker, tile_a, rows, width, sums.a);
          watch(worker, tile_b, rows, width, sums.b);
        },
        [&](int worker, Index rows) {
          merge_two(worker, Merge(rows, count), unit_a, unit_b, moments);
          count += rows;
        });
    return moments;
  }

  // For each feature the middle one of three rows' numbers: one outlier is not what all others are
  // shifted by. If there are NaN, some sum is one in any case.
  static void choose_shift(const Tile<const Scalar>& tile, Index rows, Index width, Scalar* shift) {
    const Scalar *x = tile.row(0), *y = tile.row(rows / 2), *z = tile.row(rows - 1);
    for (Index j = 0; j < width; ++j) {
      const Scalar low = std::min(x[j], y[j]), high = std::max(x[j], y[j]);
      shift[j] = std::max(low, std::min(high, z[j]));
    }
  }

  template <class Unit>
  static void sum_one(const Tile<const Scalar>& tile, Index rows, Index width, Unit unit,
                      const OneView& sums) {
    alignas(kWorkspaceAlignment) Strip shift, sum = {}, square = {};
    choose_shift(tile, rows, width, shift);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* x = tile.row(k);
      tile.prefetch_after(k, 0, width);
      for (Index j = 0; j < width; ++j) {
        const Scalar value = unit.divide(x[j] - shift[j], j);
        sum[j] += value;
        square[j] += value * value;
      }
    }
    std::copy(shift, shift + width, sums.shift);
    std::copy(sum, sum + width, sums.sum);
    std::copy(square, square + width, sums.square);
  }

  template <class Unit>
  static void sum_two(const Tile<const Scalar>& a, const Tile<const Scalar>& b, Index rows,
                      Index width, Unit unit_a, Unit unit_b, Unit unit_difference,
                      const TwoViews& sums) {
    alignas(kWorkspaceAlignment) Strip shift_a, shift_b,
        sum_a = {}, sum_b = {}, square_a = {}, square_b = {}, product = {}, difference = {};
    choose_shift(a, rows, width, shift_a);
    choose_shift(b, rows, width, shift_b);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* x = a.row(k);
      const Scalar* y = b.row(k);
      a.prefetch_after(k, 0, width);
      b.prefetch_after(k, 0, width);
      for (Index j = 0; j < width; ++j) {
        const Scalar value_a = unit_a.divide(x[j] - shift_a[j], j);
        const Scalar value_b = unit_b.divide(y[j] - shift_b[j], j);
        const Scalar gap = unit_difference.divide(x[j] - y[j], j);
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

  // Constant features are ordinary data, dead units above all, and their squares tell nothing: zero
  // may be what underflow has left of others. So where small squares matter, a tile that has them
  // is looked at again while it is in the cache.
  void watch(int worker, const Tile<const Scalar>& tile, Index rows, Index width,
             const OneView& sums) {
    // The shift may be the number that is farthest from the mean.
    const Sum least = least_squares_ * Sum(RowTiles<Scalar>::kMostRows);
    const auto is_small = [&](Index j) { return static_cast<int>(Sum(sums.square[j]) < least); };
    int small = 0;
    if (least > 0) {
      for (Index j = 0; j < width; ++j) {
        small |= is_small(j);
      }
    }
    for (Index k = 0; small != 0 && *varies_.of(worker) == 0 && k < rows; ++k) {
      const Scalar* x = tile.row(k);
      int varies = 0;
      for (Index j = 0; j < width; ++j) {
        varies |= is_small(j) & differ(x[j], sums.shift[j]);
      }
      *varies_.of(worker) |= varies;
    }
  }
  template <class T>
  static int differ(T x, T y) {
    return static_cast<int>(x < y) | static_cast<int>(x > y);
  }

  // The same for tiles that are constant in themselves, before they are merged.
  template <class Unit>
  void watch_means(int worker, const Merge& merge, const OneView& sums, Unit unit,
                   const ViewMoments<Scalar>& view) {
    if (merge.is_first || !(least_squares_ > 0)) {
      return;
    }
    int varies = 0;
    for (Index j = 0; j < features_; ++j) {
      varies |= static_cast<int>(view.squares[j] < least_squares_) &
                differ(tile_mean(merge, sums, j, unit), view.mean[j]);
    }
    *varies_.of(worker) |= varies;
  }

  template <class Unit>
  void merge_one(int worker, const Merge& merge, Unit unit, Moments<Scalar>& moments) {
    const OneView sums(sums_.of(worker), features_, 0);
    watch_means(worker, merge, sums, unit, moments.a);
    for (Index j = 0; j < features_; ++j) {
      merge_view(merge, sums, j, unit, moments.a);
    }
  }

  template <class Unit>
  void merge_two(int worker, const Merge& merge, Unit unit_a, Unit unit_b,
                 Moments<Scalar>& moments) {
    const TwoViews sums(sums_.of(worker), features_, 0);
    watch_means(worker, merge, sums.a, unit_a, moments.a);
    watch_means(worker, merge, sums.b, unit_b, moments.b);
    for (Index j = 0; j < features_; ++j) {
      const Sum delta_a = merge_view(merge, sums.a, j, unit_a, moments.a);
      const Sum delta_b = merge_view(merge, sums.b, j, unit_b, moments.b);
      moments.products[j] += Sum(sums.product[j]) -
                             Sum(sums.a.sum[j]) * (Sum(sums.b.sum[j]) * merge.inverse_size) +
                             delta_a * (delta_b * merge.joint);
      moments.differences[j] += Sum(sums.difference[j]);
    }
  }

  // Merges one feature of one view; returns how far the tile's mean was from that of the rows
  // before, in units.
  template <class Unit>
  static Sum merge_view(const Merge& merge, const OneView& sums, Index j, Unit unit,
                        ViewMoments<Scalar>& view) {
    const Sum gap = tile_mean(merge, sums, j, unit) - view.mean[j];
    const Sum delta = merge.is_first ? Sum(0) : unit.divide(gap, j);
    // Not negative but for rounding and underflow; NaN stays one.
    const Sum sum = Sum(sums.sum[j]), own = Sum(sums.square[j]) - sum * merge.inverse_size * sum;
    view.squares[j] += (own < 0 ? Sum(0) : own) + delta * (delta * merge.joint);
    view.mean[j] += gap * merge.share;
    return delta;
  }
  template <class Unit>
  static Sum tile_mean(const Merge& merge, const OneView& sums, Index j, Unit unit) {
    return Sum(sums.shift[j]) + unit.multiply(Sum(sums.sum[j]) * merge.inverse_size, j);
  }

  static constexpr Index kMostFeatures = RowTiles<Scalar>::kMostFeatures;
  using Strip = Scalar[static_cast<std::size_t>(kMostFeatures)];

  RowTiles<Scalar> tiles_;
  Index features_;
  // Features with less than this, in all, may have lost digits; zero where no digits are needed.
  Sum least_squares_;
  PerWorker<Scalar> sums_;
  PerWorker<Index> varies_;  // whether any tile has small squares of what is not constant
};

// `b` is null for one view.
template <class Scalar>
Moments<Scalar> take_moments(const InputRows<Scalar>& a, const InputRows<Scalar>* b,
                             Accumulator<Scalar> epsilon, int threads) {
  return MomentsReader<Scalar>(a, b, epsilon, threads).read();
}

// (1/n) sum_k a_k b_k for each feature, from the raw numbers: put together from moments it would
// lose digits to the means. Products of float numbers are exact.
template <class Scalar>
Buffer<Accumulator<Scalar>> mean_products(const InputRows<Scalar>& a, const InputRows<Scalar>& b,
                                          int threads) {
  using Sum = Accumulator<Scalar>;
  const Index features = a.cols();
  RowTiles<Scalar> tiles(a, &b, threads);
  PerWorker<Sum> sums(tiles.workers(), features);
  auto result = Buffer<Sum>::filled(features, Sum(0));
  tiles.for_each(
      [&](int worker, const auto& tile_a, const auto& tile_b, Index rows, Index column,
          Index width) {
        alignas(kWorkspaceAlignment)
            Sum product[static_cast<std::size_t>(RowTiles<Scalar>::kMostFeatures)] = {};
        for (Index k = 0; k < rows; ++k) {
          const Scalar* x = tile_a.row(k);
          const Scalar* y = tile_b.row(k);
          tile_a.prefetch_after(k, 0, width);
          tile_b.prefetch_after(k, 0, width);
          for (Index j = 0; j < width; ++j) {
            product[j] += Sum(x[j]) * Sum(y[j]);
          }
        }
        std::copy(product, product + width, sums.of(worker) + column);
      },
      [&](int worker, Index) {
        for (Index j = 0; j < features; ++j) {
          result[j] += sums.of(worker)[j];
        }
      });
  for (Index j = 0; j < features; ++j) {
    result[j] /= static_cast<Sum>(a.rows());
  }
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_MOMENTS_HPP_
