#ifndef DECORR_DETAIL_SPECTRA_SIGNAL_PAIRING_HPP_
#define DECORR_DETAIL_SPECTRA_SIGNAL_PAIRING_HPP_

#include <complex>

#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// Which two rows share a complex signal, and what the spectra of such signals say of C. The choice
// is made once: two views of a sample share a signal, for a cross-correlation, or two samples of a
// view do, for a covariance (docs/mathematics.md, packed transform).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

class SignalPairing {
 public:
  enum class Kind { views, samples };

  explicit SignalPairing(Kind kind) : kind_(kind) {}

  bool pairs_samples() const noexcept { return kind_ == Kind::samples; }

  // How many signals hold so many rows; the last of an odd number of samples is alone.
  Index num_signals(Index rows) const noexcept { return pairs_samples() ? (rows + 1) / 2 : rows; }
  // The sample that a signal holds, or the first of two.
  Index first_row(Index signal) const noexcept { return pairs_samples() ? 2 * signal : signal; }
  bool has_second_row(Index signal, Index rows) const noexcept {
    return !pairs_samples() || 2 * signal + 1 < rows;
  }

  // Of one block, in which the second of two views is reversed: numbers for each frequency that a
  // batch is known by, the parts of W = sum Z^2, or sum |Z|^2.
  Index sums_per_frequency() const noexcept { return pairs_samples() ? 1 : 2; }

  // Adds `count` frequencies of one signal.
  template <class Scalar>
  void add_products(const Scalar* z, Index count, Scalar* sums) const noexcept {
    if (pairs_samples()) {
      for (Index f = 0; f < count; ++f) {
        sums[f] += z[2 * f] * z[2 * f] + z[2 * f + 1] * z[2 * f + 1];
      }
      return;
    }
    for (Index f = 0; f < count; ++f) {
      sums[2 * f] += z[2 * f] * z[2 * f] - z[2 * f + 1] * z[2 * f + 1];
      sums[2 * f + 1] += 2 * z[2 * f] * z[2 * f + 1];
    }
  }

  // The same of a signal that holds a row of zeros, whose products go out but for their rounding. A
  // NaN and an infinity, in the other row, stay, in whichever part of Z they are.
  template <class Scalar>
  DECORR_DETAIL_COLD void add_zeros(const Scalar* z, Index count, Scalar* sums) const noexcept {
    for (Index i = 0; i < sums_per_frequency() * count; ++i) {
      const Index f = i / sums_per_frequency();
      sums[i] += 0 * z[2 * f] * z[2 * f + 1];
    }
  }

  // Frequency f of the spectrum of sumvec(C), from the sums of all signals at f and at -f:
  // S_f = (W_f - conj(W_-f)) / (4 i m), or half the sum of both.
  template <class Sum>
  std::complex<Sum> correlation(const Sum* sums, Index f, Index mirrored, Sum m) const noexcept {
    if (pairs_samples()) {
      return (sums[f] + sums[mirrored]) / (2 * m);
    }
    return {(sums[2 * f + 1] + sums[2 * mirrored + 1]) / (4 * m),
            (sums[2 * mirrored] - sums[2 * f]) / (4 * m)};
  }

  // What makes a signal's spectrum that of its derivative, from D, the spectrum of the value's
  // derivative by sumvec(C): a view meets the other one, conj(D), or itself on both sides of C.
  template <class Sum>
  std::complex<Sum> filter(const std::complex<Sum>& derivative, Sum factor) const noexcept {
    if (pairs_samples()) {
      return 2 * factor * derivative.real();
    }
    return {factor * derivative.real(), -factor * derivative.imag()};
  }

 private:
  Kind kind_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_SIGNAL_PAIRING_HPP_
