#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_

#include <algorithm>
#include <cstddef>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// What both routes of the exact regularizer share: prepared rows in, derivatives out.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
class ExactRows {
 public:
  using Sum = Accumulator<Scalar>;

  // Rows that are taken at a time where not all are kept.
  static constexpr Index kChunkRows = 256;
  // Columns of a product that one worker takes at a time.
  static constexpr Index kTile = 512;

  // Gradients will be computed `gradient_rows` rows at a time.
  ExactRows(const Correlation<Scalar>& correlation, Index gradient_rows, CovarianceScaling scaling,
            const Execution& execution)
      : correlation_(correlation),
        workers_(worker_count(execution.threads, std::max(samples(), features()), kTile)),
        tiles_(workers_, tile_size<Scalar>(kBlock)) {
    if (scaling == CovarianceScaling::block_mean) {
      const Sum pairs = Sum(features()) * Sum(features() - 1);
      weight_ = features() > 1 ? Sum(2) / pairs : Sum(0);
    }
    if (has_gradient()) {
      derivatives_ = PerWorker<Scalar>(workers_, gradient_rows * tile());
    }
  }

  const Correlation<Scalar>& correlation() const { return correlation_; }
  bool is_covariance() const { return correlation_.is_covariance(); }
  bool has_gradient() const { return correlation_.has_gradient(); }
  Index samples() const { return correlation_.rows(); }
  Index features() const { return correlation_.cols(); }
  Index tile() const { return std::min(features(), kTile); }
  int workers() const { return workers_; }

  // R of the sum of squares off the diagonal of m C.
  Sum value(Sum squares) const {
    return weight_ * squares / (correlation_.normalizer * correlation_.normalizer);
  }
  // What m C times prepared rows has to be multiplied by to be the gradient of gradient_weight * R.
  Scalar gradient_factor(Sum gradient_weight) const {
    const Sum m = correlation_.normalizer;
    return static_cast<Scalar>(weight_ * gradient_weight * Sum(is_covariance() ? 4 : 2) / (m * m));
  }

  // Prepares rows first .. first + rows - 1 of a view.
  void load(Index first, Index rows, const PreparedView<Scalar>& view, Scalar* to) {
    parallel_chunks(workers_, 0, features(), kBlock, [&](int worker, Index column, Index end) {
      const Index width = end - column;
      for_each_chunk(rows, kTileRows, [&](Index row, Index last) {
        const auto tile =
            view.input().tile(first + row, last - row, column, width, tiles_.of(worker));
        for (Index k = row; k < last; ++k) {
          Scalar* own = to + k * features() + column;
          const Scalar* prepared = view.prepare(tile.row(k - row), column, width, own);
          if (prepared != own) {
            std::copy(prepared, prepared + width, own);
          }
        }
      });
    });
  }

  // Calls body(worker, first feature, features) for tiles of features, on all workers.
  template <class Body>
  void for_each_tile(const Body& body) const {
    parallel_chunks(workers_, 0, features(), kTile, [&](int worker, Index column, Index end) {
      body(worker, column, end - column);
    });
  }

  // A worker's memory for the derivatives by tile() prepared features.
  Stored<Scalar> derivative(int worker) { return {derivatives_.of(worker), tile()}; }

  // Derivatives of rows first .. and features column .. into their gradient rows; adds up their
  // products with the prepared rows.
  void store_left(int worker, Index first, Index rows, Index column, Index width) {
    store(worker, first, rows, column, width, *correlation_.left, correlation_.left_gradient,
          correlation_.left_products);
  }
  void store_right(int worker, Index first, Index rows, Index column, Index width) {
    store(worker, first, rows, column, width, *correlation_.right, correlation_.right_gradient,
          correlation_.right_products);
  }

 private:
  void store(int worker, Index first, Index rows, Index column, Index width,
             const PreparedView<Scalar>& view, const OutputRows<Scalar>& gradient, Sum* products) {
    const Stored<Scalar> derivatives = derivative(worker);
    for_each_chunk(rows, kTileRows, [&](Index row, Index end) {
      const Index count = end - row;
      const Tile<Scalar> from{derivatives.data + row * derivatives.stride, derivatives.stride};
      gradient.copy(first + row, count, column, width, from);
      if (products != nullptr) {
        alignas(kWorkspaceAlignment) Scalar partial[static_cast<std::size_t>(kTile)] = {};
        const auto input = view.input().tile(first + row, count, column, width, tiles_.of(worker));
        for (Index k = 0; k < count; ++k) {
          add_products(view, input.row(k), from.row(k), column, width, partial);
        }
        for (Index j = 0; j < width; ++j) {
          products[column + j] += Sum(partial[j]);
        }
      }
    });
  }

  Correlation<Scalar> correlation_;
  int workers_;
  Sum weight_ = 1;
  PerWorker<Scalar> tiles_, derivatives_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_
