#ifndef DECORR_DETAIL_REGULARIZERS_LAG_PENALTY_HPP_
#define DECORR_DETAIL_REGULARIZERS_LAG_PENALTY_HPP_

#include <algorithm>
#include <cmath>
#include <complex>

#include "decorr/detail/fft/plan_cache.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// The regularizer of one sumvec, sum_i w_i |s_i|^q over its lags i, from spectrum to spectrum.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// +1, -1, and the argument itself for zero and NaN.
template <class Scalar>
Scalar sign_of(Scalar value) {
  return value > 0 ? Scalar(1) : value < 0 ? Scalar(-1) : value;
}

// Lags 0 and length/2 of a block.
template <class Sum>
struct LagValues {
  Sum zero = 0, middle = 0;
};

// Spectra are the first half, f = 0 .. length/2, of those of real signals.
//
// A transform longer than the block keeps its lags apart: lag i of the block is the sum of lags i
// and i - b of the transform, the latter at the end of its period. They are folded, and so q =
// 2 is computed in the lag domain there too.
template <class Scalar>
class LagPenalty {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;
  using ComplexSum = std::complex<Sum>;

  // `transform` made the spectra of blocks, and outlives this object.
  LagPenalty(Arena& arena, const TransformPlan<Scalar>& transform, Index block_size, int exponent,
             Planning planning)
      : length_(transform.length()),
        block_size_(block_size),
        exponent_(exponent),
        power_deviation_(transform.power_deviation()) {
    if (is_in_lags()) {
      forward_ = transform_plan<Scalar>(length_, 1, Direction::forward, planning);
      backward_ = transform_plan<Scalar>(length_, 1, Direction::backward, planning);
      spectrum_ = Buffer<Complex>(arena, length_);
      lags_ = Buffer<Complex>(arena, length_);
    }
  }

  Index num_frequencies() const noexcept { return length_ / 2 + 1; }
  // How many frequencies of the whole spectrum f stands for: itself, and -f where that is another.
  Index multiplicity(Index f) const noexcept { return f == 0 || 2 * f == length_ ? 1 : 2; }

  // The value; `spectrum` of the sumvec s is replaced by that of the value's derivative by s.
  Sum apply(ComplexSum* spectrum, const LagWeights& weights) noexcept {
    return is_in_lags() ? lag_sum(spectrum, weights) : squares(spectrum, weights);
  }

  // Whether the penalty goes through the lags; if not, it is a sum over frequencies, and apply() is
  // the same as, for each of them, square(), and middle_square().
  bool is_in_lags() const noexcept { return exponent_ == 1 || length_ != block_size_; }

  // Lag 0 (sign 1) or length/2 (sign -1) of a spectrum.
  Sum lag(const ComplexSum* spectrum, int sign) const noexcept {
    Sum sum = 0;
    for (Index f = 0; f < num_frequencies(); ++f) {
      sum += alternating(f, sign) * Sum(multiplicity(f)) * spectrum[f].real();
    }
    return sum / Sum(length_);
  }
  // What is left of lag length/2 when lag 0 is gone, as it is where the middle lag is halved.
  Sum middle_lag(Sum middle, Sum zero, const LagWeights& weights) const noexcept {
    if (!weights.half_middle) {
      return middle;
    }
    Sum rendered = 0;
    for (Index f = 0; f < num_frequencies(); ++f) {
      rendered += alternating(f, -1) * Sum(multiplicity(f)) * (1 + Sum(power_deviation_[f]));
    }
    return middle - zero * (rendered / Sum(length_));
  }
  // What frequency f adds to the value; `number` is replaced by the derivative's there.
  Sum square(Index f, ComplexSum& number, const LagWeights& weights,
             const LagValues<Sum>& lags) const noexcept {
    const Sum weight = static_cast<Sum>(weights.weight);
    if (weights.without_zero) {
      number -= lags.zero * (1 + Sum(power_deviation_[f]));
    }
    const Sum middle = weights.half_middle ? alternating(f, -1) * lags.middle : Sum(0);
    number -= middle;
    const Sum square = Sum(multiplicity(f)) * std::norm(number);
    number = weight * (Sum(2) * number + middle);
    return weight * square / Sum(length_);
  }
  Sum middle_square(const LagWeights& weights, const LagValues<Sum>& lags) const noexcept {
    return weights.half_middle ? static_cast<Sum>(weights.weight) * lags.middle * lags.middle / 2
                               : Sum(0);
  }

  // s itself, as the real parts of the result. Needs exponent 1.
  const Complex* lags(ComplexSum* spectrum) noexcept {
    const Sum zero = remove_zero(spectrum);
    inverse(spectrum);
    lags_[0] += static_cast<Scalar>(zero);
    return lags_.data();
  }

 private:
  // Subtracts lag 0's contribution from the spectrum and returns its value. In the frequency domain
  // and before squaring: the difference of squares would lose float's digits. Lag 0 holds the
  // diagonal of C, which may be as large as sqrt(n d) times everything else, so it is subtracted as
  // the transforms rendered it.
  DECORR_DETAIL_NOINLINE Sum remove_zero(ComplexSum* spectrum) const noexcept {
    const Sum removed = lag(spectrum, 1);
    for (Index f = 0; f < num_frequencies(); ++f) {
      spectrum[f] -= removed * (1 + Sum(power_deviation_[f]));
    }
    return removed;
  }
  static Sum alternating(Index f, int sign) noexcept {
    return sign < 0 && f % 2 != 0 ? Sum(-1) : Sum(1);
  }

  // q = 2, by Parseval: no inverse transform.
  DECORR_DETAIL_NOINLINE Sum squares(ComplexSum* spectrum,
                                     const LagWeights& weights) const noexcept {
    LagValues<Sum> lags;
    lags.zero = lag(spectrum, 1);
    lags.middle = middle_lag(lag(spectrum, -1), lags.zero, weights);
    Sum value = 0;
    for (Index f = 0; f < num_frequencies(); ++f) {
      value += square(f, spectrum[f], weights, lags);
    }
    return value + middle_square(weights, lags);
  }

  // In the lag domain.
  DECORR_DETAIL_NOINLINE Sum lag_sum(ComplexSum* spectrum, const LagWeights& weights) noexcept {
    const Sum weight = static_cast<Sum>(weights.weight);
    if (weights.without_zero) {
      remove_zero(spectrum);
    }
    inverse(spectrum);
    Sum value = 0;
    for (Index i = 0; i < block_size_; ++i) {
      const Sum lag_weight = i == 0 && weights.without_zero                         ? Sum(0)
                             : weights.half_middle && i > 0 && 2 * i == block_size_ ? weight / 2
                                                                                    : weight;
      const Scalar lag = lags_[i].real();
      const Sum size = std::abs(Sum(lag));
      // A weight of zero drops lag 0 whatever rounding left there, but not a NaN.
      value += lag_weight * (exponent_ == 2 ? size * size : size);
      lags_[i] =
          Complex(static_cast<Scalar>(lag_weight) * (exponent_ == 2 ? 2 * lag : sign_of(lag)), 0);
    }
    std::fill(lags_.data() + block_size_, lags_.data() + length_, Complex(0));
    for (Index i = 1; i < block_size_ && length_ != block_size_; ++i) {
      lags_[length_ - block_size_ + i] = lags_[i];
    }
    forward_.execute(lags_.data(), spectrum_.data());
    for (Index f = 0; f < num_frequencies(); ++f) {
      const bool real = multiplicity(f) == 1;
      spectrum[f] = ComplexSum(Sum(spectrum_[f].real()), real ? Sum(0) : Sum(spectrum_[f].imag()));
    }
    return value;
  }

  // Spectrum to lags, folded.
  DECORR_DETAIL_NOINLINE void inverse(const ComplexSum* spectrum) noexcept {
    for (Index f = 0; f < num_frequencies(); ++f) {
      const Complex value(static_cast<Scalar>(spectrum[f].real() / Sum(length_)),
                          static_cast<Scalar>(spectrum[f].imag() / Sum(length_)));
      spectrum_[f] = value;
      if (f > 0) {
        spectrum_[length_ - f] = std::conj(value);
      }
    }
    if (length_ % 2 == 0) {
      spectrum_[length_ / 2] = Complex(spectrum_[length_ / 2].real(), 0);
    }
    backward_.execute(spectrum_.data(), lags_.data());
    for (Index i = 1; i < block_size_ && length_ != block_size_; ++i) {
      lags_[i] += lags_[length_ - block_size_ + i];
    }
  }

  Index length_, block_size_;
  int exponent_;
  const Scalar* power_deviation_;
  TransformPlan<Scalar> forward_, backward_;
  Buffer<Complex> spectrum_, lags_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_LAG_PENALTY_HPP_
