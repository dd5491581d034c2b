#ifndef DECORR_DETAIL_FFT_TRANSFORM_LENGTH_HPP_
#define DECORR_DETAIL_FFT_TRANSFORM_LENGTH_HPP_

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Whether a number has no prime factor above `largest`. Calls ask each time, so it takes few steps
// for any number.
inline bool is_smooth(Index number, Index largest) {
  for (Index factor = 2; factor <= largest; ++factor) {
    while (number % factor == 0) {
      number /= factor;
    }
  }
  return number == 1;
}

// The least 2^i 3^j 5^k >= number that is a multiple of 8: the lengths that FFT libraries are
// fastest at. Long ones are powers of two: planning others takes FFTW minutes.
inline Index smooth_length(Index number) {
  constexpr Index kLong = Index{1} << 18;
  Index length = 8;
  while (length < number) {
    length *= 2;
  }
  if (length <= kLong) {
    for (Index shorter = (number + 7) / 8 * 8; shorter < length; shorter += 8) {
      if (is_smooth(shorter, 5)) {
        return shorter;
      }
    }
  }
  return length;
}

// Whether transforms may be longer than what they transform.
enum class Padding { allowed, none };

// The length of the transforms that correlate signals of `width` numbers. A width with a large
// prime factor is slow to transform directly. There the signals are padded with zeros, to a length
// where no two lags of their correlation meet, 2 width - 1 or more; lags are folded afterwards, so
// the result is the same. The limit is where three transforms of the padded length cost less than
// two of the width, measured with FFTW 3.3.10: those spectra that find no room in their store are
// transformed twice forward. Where all find room it errs to the side of the direct transform.
inline Index transform_length(Index width, Padding padding = Padding::allowed) {
  constexpr Index kLargestFactor = 23;
  // FFT libraries count in int, and the next power of two would be beyond that.
  constexpr Index kWidest = Index{1} << 29;
  if (padding == Padding::none || width > kWidest || is_smooth(width, kLargestFactor)) {
    return width;
  }
  return smooth_length(2 * width - 1);
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_FFT_TRANSFORM_LENGTH_HPP_
