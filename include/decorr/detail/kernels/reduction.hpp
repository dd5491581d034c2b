#ifndef DECORR_DETAIL_KERNELS_REDUCTION_HPP_
#define DECORR_DETAIL_KERNELS_REDUCTION_HPP_

#include <cstddef>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// All parts in one, halves at a time.
template <Index kParts, class Number, class Combine>
Number combine_parts(Number* parts, const Combine& combine) noexcept {
  if constexpr (kParts > 1) {
    for (Index p = 0; p < kParts / 2; ++p) {
      parts[p] = combine(parts[p], parts[p + kParts / 2]);
    }
    combine_parts<kParts / 2>(parts, combine);
  }
  return parts[0];
}

// term(0) .. term(count - 1) and `start` by combine(x, y). In several parts, so that no addition
// waits for the one before, and in an order that is the same for every processor.
template <Index kParts, class Number, class Term, class Combine>
Number reduce(Index count, Number start, const Term& term, const Combine& combine) noexcept {
  Number parts[static_cast<std::size_t>(kParts)];
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
  return combine_parts<kParts>(parts, combine);
}

template <class Number, class Term>
Number sum_of(Index count, const Term& term) noexcept {
  return reduce<16>(count, Number(0), term, [](Number x, Number y) noexcept { return x + y; });
}

// A comparison takes longer than an addition.
template <class Number, class Term>
Number largest_of(Index count, Number least, const Term& term) noexcept {
  return reduce<32>(count, least, term, [](Number x, Number y) noexcept { return x < y ? y : x; });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_REDUCTION_HPP_
