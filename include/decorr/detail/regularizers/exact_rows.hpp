#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_

#include <algorithm>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"

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
  static_assert(kTile <= kStripColumns, "a sink takes a tile's row at once");

  // Gradients will be computed `gradient_rows` rows at a time. Of the weights that of pairs of
  // features counts.
  ExactRows(Arena& arena, const RegularizerSetup<Scalar>& setup, Index gradient_rows,
            const BlockWeights& weights)
      : setup_(setup),
        workers_(worker_count(setup.execution.threads, std::max(setup.most_rows, setup.features),
                              kTile)),
        weight_(static_cast<Sum>(weights.of_pairs())),
        inputs_(arena, workers_, setup.access.inputs(), kTileRows,
                std::min(setup.features, kStripColumns)),
        derivatives_(arena, workers_, setup.access.has_gradient() ? gradient_rows * tile() : 0) {}

  bool is_covariance() const noexcept { return setup_.is_covariance(); }
  const RowAccess& access() const noexcept { return setup_.access; }
  Index most_rows() const noexcept { return setup_.most_rows; }
  Index features() const noexcept { return setup_.features; }
  Index tile() const noexcept { return std::min(features(), kTile); }
  int workers() const noexcept { return workers_; }

  // R of the sum of squares off the diagonal of m C.
  Sum value(Sum squares, Sum m) const noexcept { return weight_ * squares / (m * m); }
  // What m C times prepared rows has to be multiplied by to be the gradient of gradient_weight * R.
  Scalar gradient_factor(Sum gradient_weight, Sum m) const noexcept {
    return static_cast<Scalar>(weight_ * gradient_weight * Sum(is_covariance() ? 4 : 2) / (m * m));
  }

  // Prepares `count` rows from row `first` on of a view.
  void load_a(const BatchRows<Scalar>& rows, Index first, Index count, Scalar* to) noexcept {
    load(rows.a, *setup_.a, first, count, to,
         [&](int worker) noexcept { return inputs_.a(worker); });
  }
  void load_b(const BatchRows<Scalar>& rows, Index first, Index count, Scalar* to) noexcept {
    load(rows.b, *setup_.b, first, count, to,
         [&](int worker) noexcept { return inputs_.b(worker); });
  }

  // Calls body(worker, first feature, features) for tiles of features, on all workers.
  template <class Body>
  void for_each_tile(const Body& body) const noexcept {
    parallel_chunks(
        workers_, 0, features(), kTile,
        [&](int worker, Index column, Index end) noexcept { body(worker, column, end - column); });
  }

  // A worker's memory for the derivatives by tile() prepared features.
  Stored<Scalar> derivative(int worker) noexcept { return {derivatives_.of(worker), tile()}; }

  // Derivatives of `count` rows from `first` on by a tile of features, through the sink into their
  // gradient rows.
  void store_a(int worker, const BatchRows<Scalar>& rows, Index first, Index count, Index column,
               Index width, const GradientSink<Scalar>& sink) noexcept {
    store(worker, rows.a, rows.b, inputs_.a(worker), inputs_.b(worker), rows.gradient_a, first,
          count, column, width, sink);
  }
  void store_b(int worker, const BatchRows<Scalar>& rows, Index first, Index count, Index column,
               Index width, const GradientSink<Scalar>& sink) noexcept {
    store(worker, rows.b, rows.a, inputs_.b(worker), inputs_.a(worker), rows.gradient_b, first,
          count, column, width, sink);
  }

 private:
  template <class BufferOf>
  void load(const InputRows<Scalar>& input, const Preparation<Scalar>& preparation, Index first,
            Index count, Scalar* to, const BufferOf& buffer) const noexcept {
    parallel_chunks(
        workers_, 0, features(), kStripColumns, [&](int worker, Index column, Index end) noexcept {
          const Index width = end - column;
          for_each_chunk(count, kTileRows, [&](Index row, Index last) noexcept {
            const auto tile = input.tile(first + row, last - row, column, width, buffer(worker));
            for (Index k = row; k < last; ++k) {
              Scalar* own = to + k * features() + column;
              const Scalar* prepared = preparation.apply(tile.row(k - row), column, width, own);
              if (prepared != own) {
                std::copy(prepared, prepared + width, own);
              }
            }
          });
        });
  }

  void store(int worker, const InputRows<Scalar>& own, const InputRows<Scalar>& other,
             Scalar* own_buffer, Scalar* other_buffer, const OutputRows<Scalar>& gradient,
             Index first, Index count, Index column, Index width,
             const GradientSink<Scalar>& sink) noexcept {
    const Stored<Scalar> derivatives = derivative(worker);
    sink.begin(worker, column, width);
    for_each_chunk(count, kTileRows, [&](Index row, Index end) noexcept {
      const Index rows = end - row;
      const Tile<Scalar> from{derivatives.data + row * derivatives.stride, derivatives.stride};
      if (sink.is_needed()) {
        const auto x = sink.reads_rows() ? own.tile(first + row, rows, column, width, own_buffer)
                                         : Tile<const Scalar>();
        const auto o = sink.reads_other_rows()
                           ? other.tile(first + row, rows, column, width, other_buffer)
                           : Tile<const Scalar>();
        for (Index k = 0; k < rows; ++k) {
          sink(worker, column, width, x.data == nullptr ? nullptr : x.row(k),
               o.data == nullptr ? nullptr : o.row(k), from.row(k));
        }
      }
      gradient.copy(first + row, rows, column, width, from);
    });
    sink.merge(worker, column, width);
  }

  RegularizerSetup<Scalar> setup_;
  int workers_;
  Sum weight_;
  TileBuffers<Scalar> inputs_;
  PerWorker<Scalar> derivatives_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_ROWS_HPP_
