#ifndef DECORR_DETAIL_STANDARDIZATION_HPP_
#define DECORR_DETAIL_STANDARDIZATION_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/views.hpp"
#include "decorr/detail/workspace.hpp"

// Centring and scaling of a view, and the gradient's way back through them.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// x^_j = ((x_j - center_j) - residual_j) * factor_j. The mean is center + residual: the first
// difference is nearly exact whatever the mean, the second restores what the rounded centre left
// out. It is dropped where it is small beside the rounding of x^ in every feature.
template <class Scalar>
class Standardization {
 public:
  using Sum = Accumulator<Scalar>;

  // The identity.
  Standardization() = default;
  // Centring; with `scales`, division by the deviations too. A deviation of zero (epsilon = 0,
  // constant feature) gives factor zero.
  Standardization(const Buffer<Sum>& means, const Buffer<Sum>& deviations, bool scales)
      : center_(means.size()), factor_(means.size()), residual_(means.size()) {
    bool negligible = true;
    for (Index j = 0; j < means.size(); ++j) {
      center_[j] = static_cast<Scalar>(means[j]);
      factor_[j] = scales ? static_cast<Scalar>(inverse_deviation(deviations[j])) : Scalar(1);
      const Sum residual = means[j] - Sum(center_[j]);
      residual_[j] = static_cast<Scalar>(residual);
      negligible = negligible && std::abs(residual) <=
                                     Sum(std::numeric_limits<Scalar>::epsilon()) * deviations[j];
    }
    if (negligible) {
      residual_ = Buffer<Scalar>();
    }
  }
  static Sum inverse_deviation(Sum deviation) {
    return deviation == Sum(0) ? Sum(0) : Sum(1) / deviation;
  }

  bool is_identity() const { return !center_; }
  Scalar factor(Index j) const { return is_identity() ? Scalar(1) : factor_[j]; }

  // Standardizes x, which holds features first .. first + count - 1 of a row, with other factors if
  // they are not null.
  void apply(const Scalar* x, Index first, Index count, const Scalar* factors,
             Scalar* buffer) const {
    if (factors == nullptr) {
      factors = factor_.data();
    }
    const Scalar* factor = factors == nullptr ? nullptr : factors + first;
    if (is_identity()) {
      for (Index j = 0; j < count; ++j) {
        buffer[j] = factor == nullptr ? x[j] : x[j] * factor[j];
      }
      return;
    }
    const Scalar* center = center_.data() + first;
    if (residual_) {
      const Scalar* residual = residual_.data() + first;
      for (Index j = 0; j < count; ++j) {
        buffer[j] = ((x[j] - center[j]) - residual[j]) * factor[j];
      }
    } else {
      for (Index j = 0; j < count; ++j) {
        buffer[j] = (x[j] - center[j]) * factor[j];
      }
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
        workers_(worker_count(threads, a.input->rows(), kTileRows)),
        tiles_(workers_, 4 * kTileRows * kBlock) {}

  // O(nd), bound by bytes. Blocks of features are the inner unit, so that their coefficients stay
  // in the first-level cache for all rows of a tile.
  void run() {
    parallel_chunks(workers_, 0, a_->input->rows(), kTileRows,
                    [&](int worker, Index first, Index last) {
                      for_each_chunk(a_->input->cols(), kBlock, [&](Index column, Index end) {
                        finish_tile(first, last - first, column, end - column, tiles_.of(worker));
                      });
                    });
  }

 private:
  void finish_tile(Index first, Index rows, Index column, Index width, Scalar* buffer) {
    constexpr Index kSize = kTileRows * kBlock;
    const auto input_a = a_->input->tile(first, rows, column, width, buffer);
    const auto grad_a = a_->gradient.load(first, rows, column, width, buffer + kSize);
    Scalar standardized_a[kBlock], standardized_b[kBlock];
    if (b_ == nullptr) {
      for (Index k = 0; k < rows; ++k) {
        a_->standardization->apply(input_a.row(k), column, width, nullptr, standardized_a);
        combine(*a_, column, width, standardized_a, nullptr, grad_a.row(k));
      }
      a_->gradient.store(first, rows, column, width, grad_a);
      return;
    }
    const auto input_b = b_->input->tile(first, rows, column, width, buffer + 2 * kSize);
    const auto grad_b = b_->gradient.load(first, rows, column, width, buffer + 3 * kSize);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* a = input_a.row(k);
      const Scalar* b = input_b.row(k);
      a_->standardization->apply(a, column, width, nullptr, standardized_a);
      b_->standardization->apply(b, column, width, nullptr, standardized_b);
      if (other_term_ == OtherTerm::other_view) {
        combine(*a_, column, width, standardized_a, standardized_b, grad_a.row(k));
        combine(*b_, column, width, standardized_b, standardized_a, grad_b.row(k));
      } else {
        Scalar difference[kBlock];
        for (Index j = 0; j < width; ++j) {
          difference[j] = a[j] - b[j];
        }
        combine(*a_, column, width, standardized_a, difference, grad_a.row(k));
        combine(*b_, column, width, standardized_b, difference, grad_b.row(k));
      }
    }
    a_->gradient.store(first, rows, column, width, grad_a);
    b_->gradient.store(first, rows, column, width, grad_b);
  }

  static void combine(const ViewGradient<Scalar>& view, Index column, Index width,
                      const Scalar* own, const Scalar* other, Scalar* gradient) {
    const Scalar* weight = view.regularizer.data() + column;
    const Scalar* own_weight = view.own.data() + column;
    const Scalar* other_weight = view.other.data() + column;
    if (other == nullptr) {
      for (Index j = 0; j < width; ++j) {
        gradient[j] = weight[j] * gradient[j] + own_weight[j] * own[j];
      }
    } else {
      for (Index j = 0; j < width; ++j) {
        gradient[j] = weight[j] * gradient[j] + own_weight[j] * own[j] + other_weight[j] * other[j];
      }
    }
  }

  const ViewGradient<Scalar>* a_;
  const ViewGradient<Scalar>* b_;
  OtherTerm other_term_;
  int workers_;
  PerWorker<Scalar> tiles_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STANDARDIZATION_HPP_
