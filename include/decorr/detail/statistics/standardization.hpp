#ifndef DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_
#define DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Centring and scaling of a view, and the gradient's way back through them.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
using ConstArray = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;

template <class Scalar>
using MutableArray = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;

// Picks what belongs to consecutive features of a row, or to a single feature.
template <class Scalar>
struct AtSegment {
  Index first, count;
  ConstArray<Scalar> operator()(const Buffer<Scalar>& x) const { return {x.data() + first, count}; }
};
template <class Scalar>
struct AtFeature {
  Index feature;
  Scalar operator()(const Buffer<Scalar>& x) const { return x[feature]; }
};

// x^_j = ((x_j - center_j) - residual_j) * factor_j. The mean is center + residual: the first
// difference is nearly exact whatever the mean, the second restores what the rounded centre left
// out. It is dropped where it is small beside the rounding of x^ in every feature.
template <class Scalar>
class Standardization {
 public:
  using Sum = Accumulator<Scalar>;

  // The identity.
  Standardization() = default;
  // Centring; with `scales`, division by the deviations too.
  Standardization(const Buffer<Sum>& means, const Buffer<Sum>& deviations, bool scales)
      : center_(means.size()), factor_(means.size()), residual_(means.size()) {
    Index significant = 0;
    for (Index j = 0; j < means.size(); ++j) {
      center_[j] = static_cast<Scalar>(means[j]);
      factor_[j] = scales ? static_cast<Scalar>(inverse_deviation(deviations[j])) : Scalar(1);
      const Sum residual = means[j] - Sum(center_[j]);
      residual_[j] = static_cast<Scalar>(residual);
      const Sum rounding = Sum(std::numeric_limits<Scalar>::epsilon()) * deviations[j];
      significant += std::abs(residual) <= rounding ? 0 : 1;
    }
    if (significant == 0) {
      residual_ = Buffer<Scalar>();
    }
  }
  // Zero for a deviation that is zero (constant feature, epsilon = 0) or below the normal numbers,
  // whose inverse would overflow.
  static Sum inverse_deviation(Sum deviation) {
    return deviation < Sum(std::numeric_limits<Scalar>::min()) ? Sum(0) : Sum(1) / deviation;
  }
  static Buffer<Sum> inverse_deviations(const Buffer<Sum>& deviations) {
    Buffer<Sum> inverse(deviations.size());
    for (Index j = 0; j < inverse.size(); ++j) {
      inverse[j] = inverse_deviation(deviations[j]);
    }
    return inverse;
  }

  bool is_identity() const { return !center_; }
  Scalar factor(Index j) const { return is_identity() ? Scalar(1) : factor_[j]; }

  // Standardizes `count` numbers; at(parameters) picks the parameters that go with them, of the
  // features of a row's segment or of one column. `factor` replaces the deviation's where not
  // empty.
  template <class At>
  void apply(const Scalar* numbers, Index count, const Buffer<Scalar>& factor, const At& at,
             Scalar* result) const {
    const ConstArray<Scalar> x(numbers, count);
    MutableArray<Scalar> y(result, count);
    const Buffer<Scalar>& factors = factor ? factor : factor_;
    if (is_identity()) {
      if (factors) {
        y = x * at(factors);
      } else {
        y = x;
      }
    } else if (residual_) {
      y = ((x - at(center_)) - at(residual_)) * at(factors);
    } else {
      y = (x - at(center_)) * at(factors);
    }
  }

 private:
  Buffer<Scalar> center_, factor_, residual_;
};

// One view on the way from a regularizer's gradient G, with respect to its prepared rows, to the
// loss's gradient with respect to its raw ones: grad_kj = regularizer_j * G_kj + own_j * x^_kj +
// other_j * o_kj, where o is the other view's standardized row or the difference of the raw rows.
// Every loss ends in this one form, in place; only the coefficients are the loss's own.
template <class Scalar>
struct ViewGradient {
  ViewGradient(const InputRows<Scalar>& view, const Standardization<Scalar>& view_standardization,
               const OutputRows<Scalar>& view_gradient)
      : input(&view),
        standardization(&view_standardization),
        gradient(view_gradient),
        regularizer(view.cols()),
        own(view.cols()),
        other(view.cols()) {}

  const InputRows<Scalar>* input;
  const Standardization<Scalar>* standardization;
  OutputRows<Scalar> gradient;
  Buffer<Scalar> regularizer, own, other;  // the coefficients, to be set before the final pass
  // What makes x^ of the centred row, where it is not the standardization's own factor.
  Buffer<Scalar> factor;
};

enum class OtherTerm { none, other_view, difference };

// The final element-wise pass over one view or, in one read, over two. All memory is taken by the
// constructor, before any output is written.
template <class Scalar>
class FinalPass {
 public:
  FinalPass(const ViewGradient<Scalar>& a, const ViewGradient<Scalar>* b, OtherTerm other_term,
            int threads)
      : a_(&a),
        b_(b),
        other_term_(other_term),
        by_columns_(has_columns(a) && (b == nullptr || has_columns(*b))),
        workers_(worker_count(threads, by_columns_ ? a.input->cols() : a.input->rows(), kTileRows)),
        input_a_(workers_, by_columns_ ? 0 : buffer_size(a.input->direct())),
        grad_a_(workers_, by_columns_ ? 0 : buffer_size(a.gradient.direct())),
        input_b_(workers_, by_columns_ || b == nullptr ? 0 : buffer_size(b->input->direct())),
        grad_b_(workers_, by_columns_ || b == nullptr ? 0 : buffer_size(b->gradient.direct())) {}

  // O(nd), bound by bytes. Along the columns where they are contiguous; otherwise blocks of
  // features are the inner unit, so that their coefficients stay in the first-level cache for all
  // rows of a tile.
  void run() {
    const Index rows = a_->input->rows(), cols = a_->input->cols();
    if (by_columns_) {
      parallel_chunks(workers_, 0, cols, kTileRows, [&](int, Index first, Index last) {
        for (Index j = first; j < last; ++j) {
          for_each_chunk(rows, kBlock,
                         [&](Index begin, Index end) { finish_column(j, begin, end - begin); });
        }
      });
    } else {
      parallel_chunks(
          workers_, 0, rows, kTileRows,
          [&](int worker, Index first, Index last) {
            for_each_chunk(cols, kBlock, [&](Index column, Index end) {
              finish_tile(worker, first, last - first, column, end - column);
            });
          },
          Sweep::descending);
    }
  }

 private:
  static Index buffer_size(bool direct) { return direct ? 0 : tile_size<Scalar>(kBlock); }
  static bool has_columns(const ViewGradient<Scalar>& view) {
    return !view.gradient.direct() && view.input->column(0) != nullptr &&
           view.gradient.column(0) != nullptr;
  }

  void finish_column(Index j, Index first, Index count) const {
    const AtFeature<Scalar> at{j};
    finish(at, count, a_->input->column(j) + first, a_->gradient.column(j) + first,
           b_ == nullptr ? nullptr : b_->input->column(j) + first,
           b_ == nullptr ? nullptr : b_->gradient.column(j) + first);
  }

  void finish_tile(int worker, Index first, Index rows, Index column, Index width) {
    const AtSegment<Scalar> at{column, width};
    const auto a = a_->input->tile(first, rows, column, width, input_a_.of(worker));
    const auto grad_a = a_->gradient.load(first, rows, column, width, grad_a_.of(worker));
    if (b_ == nullptr) {
      for (Index k = 0; k < rows; ++k) {
        finish(at, width, a.row(k), grad_a.row(k), nullptr, nullptr);
      }
    } else {
      const auto b = b_->input->tile(first, rows, column, width, input_b_.of(worker));
      const auto grad_b = b_->gradient.load(first, rows, column, width, grad_b_.of(worker));
      for (Index k = 0; k < rows; ++k) {
        finish(at, width, a.row(k), grad_a.row(k), b.row(k), grad_b.row(k));
      }
      b_->gradient.store(first, rows, column, width, grad_b);
    }
    a_->gradient.store(first, rows, column, width, grad_a);
  }

  // At most kBlock numbers of either view.
  template <class At>
  void finish(const At& at, Index count, const Scalar* a, Scalar* grad_a, const Scalar* b,
              Scalar* grad_b) const {
    alignas(kWorkspaceAlignment) Scalar x_a[kBlock], x_b[kBlock];
    a_->standardization->apply(a, count, a_->factor, at, x_a);
    MutableArray<Scalar> g_a(grad_a, count);
    const ConstArray<Scalar> own_a(x_a, count);
    if (b == nullptr) {
      g_a = g_a * at(a_->regularizer) + own_a * at(a_->own);
      return;
    }
    b_->standardization->apply(b, count, b_->factor, at, x_b);
    MutableArray<Scalar> g_b(grad_b, count);
    const ConstArray<Scalar> own_b(x_b, count);
    if (other_term_ == OtherTerm::other_view) {
      combine(*a_, at, own_a, own_b, g_a);
      combine(*b_, at, own_b, own_a, g_b);
    } else {
      const auto difference = ConstArray<Scalar>(a, count) - ConstArray<Scalar>(b, count);
      combine(*a_, at, own_a, difference, g_a);
      combine(*b_, at, own_b, difference, g_b);
    }
  }

  template <class At, class Other>
  static void combine(const ViewGradient<Scalar>& view, const At& at, const ConstArray<Scalar>& own,
                      const Other& other, MutableArray<Scalar>& gradient) {
    gradient = gradient * at(view.regularizer) + own * at(view.own) + other * at(view.other);
  }

  const ViewGradient<Scalar>* a_;
  const ViewGradient<Scalar>* b_;
  OtherTerm other_term_;
  bool by_columns_;
  int workers_;
  PerWorker<Scalar> input_a_, grad_a_, input_b_, grad_b_;  // tiles of what is not read in place
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_
