#ifndef DECORR_DETAIL_KERNELS_REDUCTION_HPP_
#define DECORR_DETAIL_KERNELS_REDUCTION_HPP_

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// term(0) .. term(count - 1) and `start` by combine(x, y). In several parts, so that no addition
// waits for the one before, and in an order that is the same for every processor.
template <class Number, class Term, class Combine>
Number reduce(Index count, Number start, const Term& term, const Combine& combine) noexcept {
  constexpr Index kParts = 16;
  Number parts[kParts];
  for (Number& part : parts) {
    part = start;
  }
  Index j = 0;
  for (; j + kParts <= count; j += kParts) {
    for (Index p = 0; p < kParts; ++p) {
      parts[p] = combine(parts[p], term(j + p));
    }
  }
  for (Index p = 0; j + p < count; ++p) {
    parts[p] = combine(parts[p], term(j + p));
  }
  for (Index width = kParts / 2; width > 0; width /= 2) {
    for (Index p = 0; p < width; ++p) {
      parts[p] = combine(parts[p], parts[p + width]);
    }
  }
  return parts[0];
}

template <class Number, class Term>
Number sum_of(Index count, const Term& term) noexcept {
  return reduce(count, Number(0), term, [](Number x, Number y) noexcept { return x + y; });
}

template <class Number, class Term>
Number largest_of(Index count, Number least, const Term& term) noexcept {
  return reduce(count, least, term, [](Number x, Number y) noexcept { return x < y ? y : x; });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_REDUCTION_HPP_
