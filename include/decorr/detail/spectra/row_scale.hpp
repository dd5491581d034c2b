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

// The largest sizes of two rows.
template <class Scalar>
struct RowSizes {
  Scalar first = 0, second = 0;
};

// Two rows that share a complex signal, first + i second, may differ in size by many orders of
// magnitude (raw views, an outlier, an epsilon that outweighs one view's deviations). Scaling them
// by powers of two to equal size costs no accuracy and keeps the smaller one's.
template <class Scalar>
struct RowScale {
  Scalar first = 1, second = 1;  // the factors; their product is 1
  // What undoes them: on the rows' own spectra, and on the two derivatives that come back, the real
  // part of which has the first row's factor and is the second one's gradient. Zero for a row of
  // zeros: what comes of it is the other row's rounding.
  Scalar undo_first = 1, undo_second = 1;

  // Rows of one size, as most are, need no scaling.
  bool changes_rows() const noexcept { return first < 1 || first > 1; }
  bool has_row_of_zeros() const noexcept { return !(undo_first > 0 && undo_second > 0); }
};

// The largest size in a row, or in what came before; NaN may be passed over.
template <class Scalar>
DECORR_DETAIL_NOINLINE Scalar largest_size(const Scalar* row, Index count, Scalar before) noexcept {
  return largest_of(count, before, [row](Index j) noexcept { return std::abs(row[j]); });
}

template <class Scalar>
RowScale<Scalar> row_scale(const RowSizes<Scalar>& largest) noexcept {
  // Most rows, for which exponents would be much to take out.
  if (largest.first > 0 && largest.first <= 2 * largest.second &&
      largest.second <= 2 * largest.first) {
    return {};
  }
  // Both factors, and halves of them, are normal numbers.
  constexpr int kLimit = std::numeric_limits<Scalar>::max_exponent - 4;
  const bool has_first = largest.first > 0, has_second = largest.second > 0;
  // Beside a row of zeros the other one is brought to a size of 1.
  const auto exponent_of = [](bool has_row, Scalar size) noexcept {
    return has_row ? std::ilogb(size) : 0;
  };
  int exponent = 0;
  if (std::isfinite(largest.first) && std::isfinite(largest.second)) {
    exponent = exponent_of(has_second, largest.second) - exponent_of(has_first, largest.first);
    exponent /= has_first && has_second ? 2 : 1;
  }
  exponent = std::max(-kLimit, std::min(kLimit, exponent));
  const Scalar first = std::ldexp(Scalar(1), exponent), second = std::ldexp(Scalar(1), -exponent);
  return {first, second, has_first ? second : Scalar(0), has_second ? first : Scalar(0)};
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_ROW_SCALE_HPP_
