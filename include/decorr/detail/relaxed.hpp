#ifndef DECORR_DETAIL_RELAXED_HPP_
#define DECORR_DETAIL_RELAXED_HPP_

#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>
#include <utility>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/lag_penalty.hpp"
#include "decorr/detail/packing.hpp"
#include "decorr/detail/plan_cache.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"
#include "decorr/options.hpp"

// R_sum by the packed transform: one complex transform of length d for each sample of a
// cross-correlation, and for each two samples of a covariance (docs/mathematics.md, packed
// transform).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// For one block, b = d. O(n d log d); O(d) memory beyond the gradients, whose rows keep the spectra
// between the passes.
template <class Scalar>
class UngroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;

  UngroupedRelaxed(const Correlation<Scalar>& correlation, int exponent, CovarianceScaling scaling,
                   Planning planning)
      : correlation_(correlation),
        features_(correlation.cols()),
        penalty_(features_, exponent, planning),
        forward_(transform_plan<Scalar>(features_, 1, Direction::forward, planning)),
        input_(features_),
        output_(features_),
        half_(penalty_.half()),
        prepared_left_(features_),
        prepared_right_(features_),
        sums_(correlation.is_covariance() ? features_ : 2 * features_) {
    weights_.half_middle =
        correlation.is_covariance() && correlation.left->has_signs() && features_ % 2 == 0;
    if (scaling == CovarianceScaling::block_mean) {
      weights_.weight = std::pow(static_cast<long double>(features_), -exponent);
    }
    if (balances()) {
      balances_ = Buffer<Balance>(correlation.rows());
    }
    if (correlation.has_gradient()) {
      backward_ = transform_plan<Scalar>(features_, 1, Direction::backward, planning);
      filter_ = Buffer<Complex>(features_);
      tail_ = Buffer<Scalar>(2 * features_);
      left_tile_ = Buffer<Scalar>(correlation.left_gradient.direct() ? 0 : kTileRows * features_);
      right_tile_ =
          Buffer<Scalar>(correlation.is_covariance() || correlation.right_gradient.direct()
                             ? 0
                             : kTileRows * features_);
    }
  }

  Index chunk_rows() const { return kTileRows; }

  // Takes rows: transforms them and adds up what the batch is known by, W or sum |Z|^2.
  void accumulate(Index first, Index last) {
    const Index rows = last - first;
    const auto left = correlation_.left->tile(first, rows);
    const auto right = correlation_.is_covariance() ? left : correlation_.right->tile(first, rows);
    Tile<Scalar> left_gradient, right_gradient;
    if (correlation_.has_gradient()) {
      left_gradient = correlation_.left_gradient.tile(first, left_tile_.data());
      right_gradient = correlation_.is_covariance()
                           ? left_gradient
                           : correlation_.right_gradient.tile(first, right_tile_.data());
    }
    for (Index signal = 0; signal < correlation_.signals(rows); ++signal) {
      if (correlation_.is_covariance()) {
        load_samples(left, rows, 2 * signal);
      } else {
        load_views(left.row(signal), right.row(signal), first + signal);
      }
      forward_->execute(input_.data(), output_.data());
      add_spectrum();
      if (correlation_.has_gradient()) {
        const auto [head, rest] = spectrum_rows(left_gradient, right_gradient, rows, signal);
        const Scalar* spectrum = scalars(output_);
        std::copy(spectrum, spectrum + features_, head);
        std::copy(spectrum + features_, spectrum + 2 * features_, rest);
      }
    }
    if (correlation_.has_gradient()) {
      correlation_.left_gradient.store(first, rows, left_gradient);
      if (!correlation_.is_covariance()) {
        correlation_.right_gradient.store(first, rows, right_gradient);
      }
    }
  }

  // sumvec(C) as real parts; needs exponent 1.
  const Complex* lags() { return penalty_.lags(spectrum()); }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    const Sum value = penalty_.apply(spectrum(), weights_);
    if (correlation_.has_gradient()) {
      // The inverse transform is not normalized: 1/d goes here. A covariance meets its rows on both
      // sides of C.
      const Sum factor = gradient_weight * Sum(correlation_.is_covariance() ? 2 : 1) /
                         (correlation_.normalizer * Sum(features_));
      for (Index f = 0; f < half_.size(); ++f) {
        const Complex value_f(static_cast<Scalar>(factor * half_[f].real()),
                              correlation_.is_covariance()
                                  ? Scalar(0)
                                  : static_cast<Scalar>(-factor * half_[f].imag()));
        filter_[f] = value_f;
        if (f > 0) {
          filter_[features_ - f] = std::conj(value_f);
        }
      }
    }
    return value;
  }

  // Writes the gradient with respect to the standardized rows.
  void gradient(Index first, Index last) {
    const Index rows = last - first;
    const auto left = correlation_.left_gradient.load(first, rows, left_tile_.data());
    const auto right = correlation_.is_covariance()
                           ? left
                           : correlation_.right_gradient.load(first, rows, right_tile_.data());
    for (Index signal = 0; signal < correlation_.signals(rows); ++signal) {
      const auto [head, rest] = spectrum_rows(left, right, rows, signal);
      filter_spectrum(head, rest);
      backward_->execute(input_.data(), output_.data());
      if (correlation_.is_covariance()) {
        store_samples(left, rows, 2 * signal);
      } else {
        store_views(left.row(signal), right.row(signal), first + signal);
      }
    }
    correlation_.left_gradient.store(first, rows, left);
    if (!correlation_.is_covariance()) {
      correlation_.right_gradient.store(first, rows, right);
    }
  }

 private:
  // The spectrum of sumvec(C), f = 0 .. d/2, from all rows.
  std::complex<Sum>* spectrum() {
    sums_.finish();
    const Sum* total = sums_.total();
    const Sum m = correlation_.normalizer;
    for (Index f = 0; f < half_.size(); ++f) {
      const Index mirrored = f == 0 ? 0 : features_ - f;
      if (correlation_.is_covariance()) {
        half_[f] = (total[f] + total[mirrored]) / (2 * m);
      } else {
        // S_f = (W_f - conj(W_-f)) / (4 i m)
        half_[f] = {(total[2 * f + 1] + total[2 * mirrored + 1]) / (4 * m),
                    (total[2 * mirrored] - total[2 * f]) / (4 * m)};
      }
    }
    return half_.data();
  }

  bool balances() const { return !correlation_.is_covariance() && correlation_.left->is_raw(); }

  static Scalar* scalars(Buffer<Complex>& buffer) {
    return reinterpret_cast<Scalar*>(buffer.data());
  }

  // Where a signal's 2 d scalars stay between the passes: in the two gradient rows that it will
  // own.
  std::pair<Scalar*, Scalar*> spectrum_rows(const Tile<Scalar>& left, const Tile<Scalar>& right,
                                            Index rows, Index signal) {
    if (!correlation_.is_covariance()) {
      return {left.row(signal), right.row(signal)};
    }
    if (2 * signal + 1 < rows) {
      return {left.row(2 * signal), left.row(2 * signal + 1)};
    }
    return {tail_.data(), tail_.data() + features_};  // the last of an odd number of samples
  }

  // z = b + i rev(a), so that Z = B + i conj(A).
  void load_views(const Scalar* left_row, const Scalar* right_row, Index sample) {
    const Scalar* a = correlation_.left->prepare(left_row, prepared_left_.data());
    const Scalar* b = correlation_.right->prepare(right_row, prepared_right_.data());
    Scalar scale_a = 1, scale_b = 1;
    if (balances()) {
      balances_[sample] = balance(b, a, features_);
      scale_b = std::ldexp(Scalar(1), balances_[sample].exponent);
      scale_a = std::ldexp(Scalar(1), -balances_[sample].exponent);
    }
    Scalar* z = scalars(input_);
    z[0] = scale_b * b[0];
    z[1] = scale_a * a[0];
    for (Index j = 1; j < features_; ++j) {
      z[2 * j] = scale_b * b[j];
      z[2 * j + 1] = scale_a * a[features_ - j];
    }
  }

  void store_views(Scalar* left_row, Scalar* right_row, Index sample) {
    Scalar scale_a = 1, scale_b = 1;
    if (balances()) {
      scale_a = std::ldexp(Scalar(1), -balances_[sample].exponent);
      scale_b = std::ldexp(Scalar(1), balances_[sample].exponent);
    }
    const Scalar* y = scalars(output_);
    prepared_left_[0] = scale_a * y[0];
    prepared_right_[0] = scale_b * y[1];
    for (Index j = 1; j < features_; ++j) {
      prepared_left_[j] = scale_a * y[2 * j];
      prepared_right_[features_ - j] = scale_b * y[2 * j + 1];
    }
    correlation_.left->restore(prepared_left_.data(), left_row);
    correlation_.right->restore(prepared_right_.data(), right_row);
  }

  // z = x_1 + i x_2; a missing second sample is zero.
  void load_samples(const Tile<const Scalar>& tile, Index rows, Index row) {
    const Scalar* x = correlation_.left->prepare(tile.row(row), prepared_left_.data());
    Scalar* z = scalars(input_);
    if (row + 1 < rows) {
      const Scalar* y = correlation_.left->prepare(tile.row(row + 1), prepared_right_.data());
      for (Index j = 0; j < features_; ++j) {
        z[2 * j] = x[j];
        z[2 * j + 1] = y[j];
      }
    } else {
      for (Index j = 0; j < features_; ++j) {
        z[2 * j] = x[j];
        z[2 * j + 1] = 0;
      }
    }
  }

  void store_samples(const Tile<Scalar>& tile, Index rows, Index row) {
    const Scalar* y = scalars(output_);
    for (Index j = 0; j < features_; ++j) {
      prepared_left_[j] = y[2 * j];
      prepared_right_[j] = y[2 * j + 1];
    }
    correlation_.left->restore(prepared_left_.data(), tile.row(row));
    if (row + 1 < rows) {
      correlation_.left->restore(prepared_right_.data(), tile.row(row + 1));
    }
  }

  // W += Z o Z, or sum of |Z|^2; bound by bytes, in the second-level cache.
  void add_spectrum() {
    const Scalar* z = scalars(output_);
    Scalar* sum = sums_.partial();
    if (correlation_.is_covariance()) {
      for (Index f = 0; f < features_; ++f) {
        sum[f] += z[2 * f] * z[2 * f] + z[2 * f + 1] * z[2 * f + 1];
      }
    } else {
      for (Index f = 0; f < features_; ++f) {
        sum[2 * f] += z[2 * f] * z[2 * f] - z[2 * f + 1] * z[2 * f + 1];
        sum[2 * f + 1] += 2 * z[2 * f] * z[2 * f + 1];
      }
    }
    sums_.advance();
  }

  // H o Z; written out because std::complex's product checks for NaN.
  void filter_spectrum(const Scalar* head, const Scalar* rest) {
    Scalar* spectrum = scalars(output_);
    std::copy(head, head + features_, spectrum);
    std::copy(rest, rest + features_, spectrum + features_);
    const Scalar* h = scalars(filter_);
    Scalar* z = scalars(input_);
    for (Index f = 0; f < features_; ++f) {
      z[2 * f] = h[2 * f] * spectrum[2 * f] - h[2 * f + 1] * spectrum[2 * f + 1];
      z[2 * f + 1] = h[2 * f] * spectrum[2 * f + 1] + h[2 * f + 1] * spectrum[2 * f];
    }
  }

  Correlation<Scalar> correlation_;
  Index features_;
  LagPenalty<Scalar> penalty_;
  LagWeights weights_;
  std::shared_ptr<const TransformPlan<Scalar>> forward_, backward_;
  Buffer<Complex> input_, output_, filter_;
  Buffer<std::complex<Sum>> half_;
  Buffer<Scalar> prepared_left_, prepared_right_, tail_, left_tile_, right_tile_;
  Buffer<Balance> balances_;
  RowSums<Scalar> sums_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RELAXED_HPP_
