#ifndef DECORR_DETAIL_PACKING_HPP_
#define DECORR_DETAIL_PACKING_HPP_

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/standardization.hpp"
#include "decorr/detail/views.hpp"
#include "decorr/detail/workspace.hpp"

// Load: centre, scale, sign and permute a row, and pack two rows in one complex signal. Store: the
// way back.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The rows of one view as a regularizer sees them: x'_j = s[p_j] * x^[p_j], with standardization,
// permutation p and signs s folded into one affine map per position. What is not asked for costs
// nothing.
template <class Scalar>
class PreparedView {
 public:
  PreparedView(const InputRows<Scalar>& input, const Standardization<Scalar>& standardization,
               const std::vector<Index>& permutation, const std::vector<std::int8_t>& signs)
      : input_(&input),
        identity_(standardization.is_identity() && permutation.empty() && signs.empty()),
        raw_(standardization.is_identity()),
        permutation_(permutation.empty() ? nullptr : permutation.data()) {
    const Index features = input.cols();
    if (!input.direct()) {
      tile_buffer_ = Buffer<Scalar>(kTileRows * features);
    }
    if (!identity_) {
      center_ = Buffer<Scalar>(features);
      residual_ = Buffer<Scalar>(features);
      factor_ = Buffer<Scalar>(features);
      for (Index j = 0; j < features; ++j) {
        const Index source = permutation_ == nullptr ? j : permutation_[j];
        const Scalar sign =
            signs.empty() ? Scalar(1) : Scalar(signs[static_cast<std::size_t>(source)]);
        center_[j] = standardization.is_identity() ? Scalar(0) : standardization.center(source);
        residual_[j] = standardization.is_identity() ? Scalar(0) : standardization.residual(source);
        factor_[j] =
            sign * (standardization.is_identity() ? Scalar(1) : standardization.factor(source));
      }
    }
    if (permutation_ != nullptr) {
      // The way back gathers too: a scatter takes twice as long.
      inverse_ = Buffer<Index>(features);
      for (Index j = 0; j < features; ++j) {
        inverse_[permutation_[j]] = j;
      }
    }
    if (!signs.empty()) {
      sign_ = Buffer<Scalar>(features);
      for (Index j = 0; j < features; ++j) {
        sign_[j] = Scalar(signs[static_cast<std::size_t>(j)]);
      }
    }
  }

  Index rows() const { return input_->rows(); }
  Index cols() const { return input_->cols(); }
  bool has_signs() const { return static_cast<bool>(sign_); }
  // Without standardization two views may differ in scale by any factor.
  bool is_raw() const { return raw_; }

  // At most kTileRows rows as they are stored, to be prepared one by one.
  Tile<const Scalar> tile(Index first, Index rows) {
    return input_->tile(first, rows, tile_buffer_.data());
  }

  // The prepared row: `row` itself where there is nothing to do, otherwise `buffer`.
  const Scalar* prepare(const Scalar* row, Scalar* buffer) const {
    if (identity_) {
      return row;
    }
    const Index features = cols();
    if (permutation_ == nullptr) {
      for (Index j = 0; j < features; ++j) {
        buffer[j] = ((row[j] - center_[j]) - residual_[j]) * factor_[j];
      }
    } else {
      for (Index j = 0; j < features; ++j) {
        buffer[j] = ((row[permutation_[j]] - center_[j]) - residual_[j]) * factor_[j];
      }
    }
    return buffer;
  }

  // The gradient with respect to x^ from the gradient with respect to x'.
  void restore(const Scalar* prepared, Scalar* gradient) const {
    const Index features = cols();
    if (inverse_) {
      for (Index j = 0; j < features; ++j) {
        gradient[j] = prepared[inverse_[j]];
      }
    } else {
      std::copy(prepared, prepared + features, gradient);
    }
    if (sign_) {
      for (Index j = 0; j < features; ++j) {
        gradient[j] *= sign_[j];
      }
    }
  }

 private:
  const InputRows<Scalar>* input_;
  bool identity_, raw_;
  const Index* permutation_;
  Buffer<Index> inverse_;
  Buffer<Scalar> center_, residual_, factor_, sign_, tile_buffer_;
};

// The operands of C = left^T right / samples: two views for a cross-correlation, twice the same one
// for a covariance.
template <class Scalar>
struct Correlation {
  PreparedView<Scalar>* left = nullptr;
  PreparedView<Scalar>* right = nullptr;
  Accumulator<Scalar> normalizer = 1;  // m
  // Where the gradients go; empty for a value alone.
  OutputRows<Scalar> left_gradient, right_gradient;

  bool is_covariance() const { return left == right; }
  bool has_gradient() const { return static_cast<bool>(left_gradient); }
  Index rows() const { return left->rows(); }
  Index cols() const { return left->cols(); }
  // A cross-correlation packs the two views of one sample, a covariance two samples of one view.
  Index signals(Index rows) const { return is_covariance() ? (rows + 1) / 2 : rows; }
  Index rows_per_signal() const { return is_covariance() ? 2 : 1; }
};

// Two rows that share a complex signal, first + i second, may differ in size by many orders of
// magnitude (raw views, or an outlier). Scaling them by powers of two to equal size costs no
// accuracy and keeps the smaller one's.
struct Balance {
  int exponent = 0;  // first is multiplied by 2^exponent, second by 2^-exponent
};

template <class Scalar>
Balance balance(const Scalar* first, const Scalar* second, Index features) {
  Scalar largest_first = 0, largest_second = 0;
  for (Index j = 0; j < features; ++j) {
    largest_first = std::max(largest_first, std::abs(first[j]));
    largest_second = std::max(largest_second, std::abs(second[j]));
  }
  // A row of zeros needs no room; NaN and infinities are not worth balancing.
  constexpr int kLimit = 60;
  if (!(largest_first > 0) || !(largest_second > 0)) {
    const bool first_only = largest_first > 0, second_only = largest_second > 0;
    return {first_only ? -kLimit / 2 : second_only ? kLimit / 2 : 0};
  }
  if (largest_first > std::numeric_limits<Scalar>::max() ||
      largest_second > std::numeric_limits<Scalar>::max()) {
    return {};
  }
  return {(std::ilogb(largest_second) - std::ilogb(largest_first)) / 2};
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_PACKING_HPP_
