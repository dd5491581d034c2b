#ifndef DECORR_DETAIL_SPECTRA_ROW_SCALE_HPP_
#define DECORR_DETAIL_SPECTRA_ROW_SCALE_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Two rows that share a complex signal, first + i second, may differ in size by many orders of
// magnitude (raw views, or an outlier). Scaling them by powers of two to equal size costs no
// accuracy and keeps the smaller one's.
template <class Scalar>
struct RowScale {
  Scalar first = 1, second = 1;  // the factors; their product is 1
};

// The largest size in a row, or in what came before; NaN may be passed over.
template <class Scalar>
DECORR_DETAIL_NOINLINE Scalar largest_size(const Scalar* row, Index count, Scalar before) noexcept {
  return largest_of(count, before, [row](Index j) noexcept { return std::abs(row[j]); });
}

// From the largest sizes of both rows.
template <class Scalar>
RowScale<Scalar> row_scale(Scalar largest_first, Scalar largest_second) noexcept {
  constexpr int kLimit = std::numeric_limits<Scalar>::max_exponent / 2 - 4;
  int exponent = 0;
  if (!(largest_first > 0) || !(largest_second > 0)) {
    // A row of zeros needs no room.
    exponent = largest_first > 0 ? -kLimit / 2 : largest_second > 0 ? kLimit / 2 : 0;
  } else if (std::isfinite(largest_first) && std::isfinite(largest_second)) {
    exponent = (std::ilogb(largest_second) - std::ilogb(largest_first)) / 2;
  }
  exponent = std::max(-kLimit, std::min(kLimit, exponent));
  return {std::ldexp(Scalar(1), exponent), std::ldexp(Scalar(1), -exponent)};
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_ROW_SCALE_HPP_
