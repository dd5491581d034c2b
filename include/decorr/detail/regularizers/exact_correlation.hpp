#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_

#include <algorithm>
#include <numeric>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/regularizers/exact_rows.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

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

  ExactCorrelation(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
                   const Execution& execution)
      : rows_(correlation, std::min(correlation.rows(), Rows::kChunkRows), scaling, execution),
        features_(correlation.cols()),
        covariance_(correlation.is_covariance()),
        right_(chunk_rows() * features_),
        left_(covariance_ ? 0 : right_.size()),
        matrix_(Buffer<Scalar>::filled(features_ * features_, Scalar(0))),
        squares_(features_),
        panels_(rows_.workers(), {{rows_.tile(), features_, chunk_rows()},
                                  {chunk_rows(), rows_.tile(), features_}}) {}

  // Takes rows: m C += left^T right.
  void accumulate(Index begin, Index end) {
    for_each_chunk(end - begin, Rows::kChunkRows, [&](Index from, Index to) {
      const Index rows = to - from;
      load(begin + from, rows);
      rows_.for_each_tile([&](int worker, Index row, Index width) {
        // Of a covariance, the tiles up to the diagonal.
        multiply_add<Order::transposed, Order::as_is, Scalar>(
            {left() + row, features_}, {right_.data(), features_},
            {width, covariance_ ? row + width : features_, rows},
            {matrix_.data() + row * features_, features_}, panels_, worker);
      });
    });
  }

  // The value of R; gradients will be those of `gradient_weight` * R. The diagonal is zeroed before
  // squaring: subtracting its squares afterwards would cancel.
  Sum finish(Sum gradient_weight) {
    factor_ = rows_.gradient_factor(gradient_weight);
    Scalar* c = matrix_.data();
    rows_.for_each_tile([&](int, Index first, Index width) {
      for (Index i = first; i < first + width; ++i) {
        Scalar* row = c + i * features_;
        if (covariance_) {
          for (Index j = i + 1; j < features_; ++j) {
            row[j] = c[j * features_ + i];
          }
        }
        row[i] = 0;
        squares_[i] = 0;
        for (Index j = 0; j < features_; ++j) {
          squares_[i] += Sum(row[j]) * Sum(row[j]);
        }
      }
    });
    return rows_.value(std::accumulate(squares_.data(), squares_.data() + features_, Sum(0)));
  }

  // Writes the gradient with respect to the prepared rows.
  void gradient(Index begin, Index end) {
    for_each_chunk(end - begin, Rows::kChunkRows, [&](Index from, Index to) {
      const Index first = begin + from, rows = to - from;
      load(first, rows);
      // dA = factor B C^T, dB = factor A C.
      rows_.for_each_tile([&](int worker, Index column, Index width) {
        differentiate<Order::transposed>(worker, rows, column, width, right_.data());
        rows_.store_left(worker, first, rows, column, width);
      });
      if (!covariance_) {
        rows_.for_each_tile([&](int worker, Index column, Index width) {
          differentiate<Order::as_is>(worker, rows, column, width, left());
          rows_.store_right(worker, first, rows, column, width);
        });
      }
    });
  }

 private:
  using Rows = ExactRows<Scalar>;

  // Long enough that adding to C costs less than the product.
  Index chunk_rows() const { return std::min(rows_.samples(), Rows::kChunkRows); }
  const Scalar* left() const { return (covariance_ ? right_ : left_).data(); }

  void load(Index first, Index rows) {
    rows_.load(first, rows, *rows_.correlation().right, right_.data());
    if (!covariance_) {
      rows_.load(first, rows, *rows_.correlation().left, left_.data());
    }
  }

  template <Order kOrder>
  void differentiate(int worker, Index rows, Index column, Index width, const Scalar* other) {
    const Scalar* c = matrix_.data() + column * (kOrder == Order::transposed ? features_ : 1);
    const Stored<Scalar> derivative = rows_.derivative(worker);
    std::fill_n(derivative.data, rows * derivative.stride, Scalar(0));
    multiply_add<Order::as_is, kOrder, Scalar>(
        {other, features_}, {c, features_}, {rows, width, features_}, derivative, panels_, worker);
    for (Index i = 0; i < rows * derivative.stride; ++i) {
      derivative.data[i] *= factor_;
    }
  }

  Rows rows_;
  Index features_;
  bool covariance_;
  Scalar factor_ = 1;
  Buffer<Scalar> right_, left_, matrix_;
  Buffer<Sum> squares_;
  ProductPanels<Scalar> panels_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_CORRELATION_HPP_
