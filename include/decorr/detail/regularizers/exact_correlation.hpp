#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_

#include <algorithm>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/regularizers/exact_rows.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"

// R_off through C itself (docs/mathematics.md, the exact form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n d^2) time and d^2 memory; a covariance takes half of the products for C. They run in tiles
// that depend on the sizes alone; bound by flops.
template <class Scalar>
class ExactCorrelation {
 public:
  using Sum = Accumulator<Scalar>;

  DECORR_DETAIL_COLD ExactCorrelation(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                      const BlockWeights& weights)
      : rows_(arena, setup, std::min(setup.most_rows, Rows::kChunkRows), weights),
        features_(setup.features),
        is_covariance_(setup.is_covariance()),
        a_(arena, chunk_rows() * features_),
        b_(is_covariance_ ? a_ : Buffer<Scalar>(arena, a_.size())),
        sums_(arena, features_ * features_, Scalar(0)),
        squares_(arena, features_),
        panels_(
            arena, rows_.workers(),
            {{rows_.tile(), features_, chunk_rows()}, {chunk_rows(), rows_.tile(), features_}}) {}

  // m C, of a covariance at least its lower half.
  Buffer<Scalar>& sums() noexcept { return sums_; }

  void add(const BatchRows<Scalar>& rows) noexcept {
    for_each_chunk(rows.size(), Rows::kChunkRows, [&](Index first, Index last) noexcept {
      const Index count = last - first;
      load(rows, first, count);
      rows_.for_each_tile([&](int worker, Index row, Index width) noexcept {
        // Of a covariance, the tiles up to the diagonal.
        multiply_add<Scalar>(Order::transposed, {a_.data() + row, features_}, Order::as_is,
                             {b_.data(), features_},
                             {width, is_covariance_ ? row + width : features_, count},
                             {sums_.data() + row * features_, features_}, panels_, worker);
      });
    });
  }

  // The value of R; gradients will be those of `gradient_weight` * R. The diagonal is zeroed before
  // squaring: subtracting its squares afterwards would cancel.
  Sum value(const BatchRows<Scalar>&, Sum m, Sum gradient_weight) noexcept {
    factor_ = rows_.gradient_factor(gradient_weight, m);
    Scalar* c = sums_.data();
    rows_.for_each_tile([&](int, Index first, Index width) noexcept {
      if (is_covariance_) {
        mirror(first, first + width);
      }
      for (Index i = first; i < first + width; ++i) {
        Scalar* row = c + i * features_;
        row[i] = 0;
        squares_[i] =
            sum_of<Sum>(features_, [&](Index j) noexcept { return Sum(row[j]) * Sum(row[j]); });
      }
    });
    return rows_.value(sum_of<Sum>(features_, [&](Index i) noexcept { return squares_[i]; }), m);
  }

  // The gradient with respect to the prepared rows, through the sinks.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    for_each_chunk(rows.size(), Rows::kChunkRows, [&](Index first, Index last) noexcept {
      const Index count = last - first;
      load(rows, first, count);
      // dA = factor B C^T, dB = factor A C.
      if (rows_.access().gradient_a) {
        rows_.for_each_tile([&](int worker, Index column, Index width) noexcept {
          differentiate<Order::transposed>(worker, count, column, width, b_.data());
          rows_.store_a(worker, rows, first, count, column, width, sinks.a);
        });
      }
      if (rows_.access().gradient_b && !is_covariance_) {
        rows_.for_each_tile([&](int worker, Index column, Index width) noexcept {
          differentiate<Order::as_is>(worker, count, column, width, a_.data());
          rows_.store_b(worker, rows, first, count, column, width, sinks.b);
        });
      }
    });
  }

 private:
  using Rows = ExactRows<Scalar>;

  // Long enough that adding to C costs less than the product.
  Index chunk_rows() const noexcept { return std::min(rows_.most_rows(), Rows::kChunkRows); }

  void load(const BatchRows<Scalar>& rows, Index first, Index count) noexcept {
    rows_.load_a(rows, first, count, a_.data());
    if (!is_covariance_) {
      rows_.load_b(rows, first, count, b_.data());
    }
  }

  // The upper half of these rows is that below the diagonal, a cache line of each row at a time.
  void mirror(Index first, Index last) noexcept {
    constexpr auto kLine = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
    Scalar* c = sums_.data();
    for_each_chunk(features_ - first, kLine, [&](Index begin, Index end) noexcept {
      for (Index i = first; i < std::min(last, first + end); ++i) {
        for (Index j = std::max(i + 1, first + begin); j < first + end; ++j) {
          c[i * features_ + j] = c[j * features_ + i];
        }
      }
    });
  }

  template <Order kOrder>
  void differentiate(int worker, Index rows, Index column, Index width,
                     const Scalar* other) noexcept {
    const Scalar* c = sums_.data() + column * (kOrder == Order::transposed ? features_ : 1);
    const Stored<Scalar> derivative = rows_.derivative(worker);
    std::fill_n(derivative.data, rows * derivative.stride, Scalar(0));
    multiply_add<Scalar>(Order::as_is, {other, features_}, kOrder, {c, features_},
                         {rows, width, features_}, derivative, panels_, worker);
    for (Index i = 0; i < rows * derivative.stride; ++i) {
      derivative.data[i] *= factor_;
    }
  }

  Rows rows_;
  Index features_;
  bool is_covariance_;
  Scalar factor_ = 1;
  Buffer<Scalar> a_, b_;  // the prepared rows of a chunk; of a covariance, one and the same
  Buffer<Scalar> sums_;
  Buffer<Sum> squares_;
  ProductPanels<Scalar> panels_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_
