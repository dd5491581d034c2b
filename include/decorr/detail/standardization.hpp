#ifndef DECORR_DETAIL_STANDARDIZATION_HPP_
#define DECORR_DETAIL_STANDARDIZATION_HPP_

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
// out.
template <class Scalar>
class Standardization {
 public:
  using Sum = Accumulator<Scalar>;

  // The identity.
  Standardization() = default;
  // `deviations` may be null: centring only. A deviation of zero (epsilon = 0, constant feature)
  // gives factor zero.
  Standardization(const Buffer<Sum>& means, const Sum* deviations)
      : center_(means.size()), residual_(means.size()), factor_(means.size()) {
    for (Index j = 0; j < means.size(); ++j) {
      center_[j] = static_cast<Scalar>(means[j]);
      residual_[j] = static_cast<Scalar>(means[j] - Sum(center_[j]));
      factor_[j] =
          deviations == nullptr ? Scalar(1) : static_cast<Scalar>(inverse_deviation(deviations[j]));
    }
  }
  static Sum inverse_deviation(Sum deviation) {
    return deviation == Sum(0) ? Sum(0) : Sum(1) / deviation;
  }

  bool is_identity() const { return !center_; }
  Scalar center(Index j) const { return center_[j]; }
  Scalar residual(Index j) const { return residual_[j]; }
  Scalar factor(Index j) const { return factor_[j]; }

  // The row itself where there is nothing to do, otherwise `buffer`.
  const Scalar* apply(const Scalar* row, Index features, Scalar* buffer) const {
    if (is_identity()) {
      return row;
    }
    for (Index j = 0; j < features; ++j) {
      buffer[j] = ((row[j] - center_[j]) - residual_[j]) * factor_[j];
    }
    return buffer;
  }

 private:
  Buffer<Scalar> center_, residual_, factor_;
};

// The way from a regularizer's gradient G, with respect to one view's standardized rows, to the
// loss's gradient with respect to the raw ones: grad_kj = regularizer_j * G_kj + own_j * x^_kj +
// other_j * o_kj, where o is the other view's standardized row or the difference of the raw rows.
// Every loss and view ends in this one form, in place; only the coefficients are the loss's own.
// All memory is taken by the constructor, before any output is written.
enum class OtherTerm { none, other_view, difference };

template <class Scalar>
class ViewGradient {
 public:
  using Sum = Accumulator<Scalar>;

  struct View {
    const InputRows<Scalar>* input = nullptr;
    const Standardization<Scalar>* standardization = nullptr;
  };

  // `other_view` is not looked at where `other_term` is none.
  ViewGradient(View own_view, View other_view, OtherTerm other_term,
               const OutputRows<Scalar>& gradient)
      : regularizer(own_view.input->cols()),
        own(own_view.input->cols()),
        other(own_view.input->cols()),
        own_view_(own_view),
        other_view_(other_view),
        other_term_(other_term),
        gradient_(gradient),
        features_(own_view.input->cols()),
        sums_(features_),
        own_row_(features_),
        other_row_(features_),
        own_tile_(own_view.input->direct() ? 0 : kTileRows * features_),
        other_tile_(other_term == OtherTerm::none || other_view.input->direct()
                        ? 0
                        : kTileRows * features_),
        gradient_tile_(gradient.direct() ? 0 : kTileRows * features_) {}

  // The coefficients, to be set before finish().
  Buffer<Scalar> regularizer, own, other;

  // sum_k G_kj x^_kj, for the gradient through the variance. O(nd), bound by bytes.
  const Sum* products() {
    for_each_chunk(gradient_.rows(), kTileRows, [&](Index first, Index last) {
      const auto input = own_view_.input->tile(first, last - first, own_tile_.data());
      const auto gradient = gradient_.load(first, last - first, gradient_tile_.data());
      for (Index k = 0; k < last - first; ++k) {
        const Scalar* x =
            own_view_.standardization->apply(input.row(k), features_, own_row_.data());
        const Scalar* g = gradient.row(k);
        Scalar* partial = sums_.partial();
        for (Index j = 0; j < features_; ++j) {
          partial[j] += g[j] * x[j];
        }
        sums_.advance();
      }
    });
    sums_.finish();
    return sums_.total();
  }

  // The final element-wise pass. O(nd), bound by bytes.
  void finish() {
    for_each_chunk(gradient_.rows(), kTileRows, [&](Index first, Index last) {
      const Index rows = last - first;
      const auto input = own_view_.input->tile(first, rows, own_tile_.data());
      const auto gradient = gradient_.load(first, rows, gradient_tile_.data());
      const bool has_other = other_term_ != OtherTerm::none;
      const auto other_input = has_other ? other_view_.input->tile(first, rows, other_tile_.data())
                                         : Tile<const Scalar>();
      for (Index k = 0; k < rows; ++k) {
        finish_row(input.row(k), has_other ? other_input.row(k) : nullptr, gradient.row(k));
      }
      gradient_.store(first, rows, gradient);
    });
  }

 private:
  void finish_row(const Scalar* raw, const Scalar* raw_other, Scalar* g) {
    const Scalar* x = own_view_.standardization->apply(raw, features_, own_row_.data());
    for (Index j = 0; j < features_; ++j) {
      g[j] = regularizer[j] * g[j] + own[j] * x[j];
    }
    if (other_term_ == OtherTerm::difference) {
      for (Index j = 0; j < features_; ++j) {
        g[j] += other[j] * (raw[j] - raw_other[j]);
      }
    } else if (other_term_ == OtherTerm::other_view) {
      const Scalar* o = other_view_.standardization->apply(raw_other, features_, other_row_.data());
      for (Index j = 0; j < features_; ++j) {
        g[j] += other[j] * o[j];
      }
    }
  }

  View own_view_, other_view_;
  OtherTerm other_term_;
  OutputRows<Scalar> gradient_;
  Index features_;
  RowSums<Scalar> sums_;
  Buffer<Scalar> own_row_, other_row_, own_tile_, other_tile_, gradient_tile_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STANDARDIZATION_HPP_
