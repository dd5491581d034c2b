#ifndef DECORR_DETAIL_REGULARIZERS_DOMINANT_FEATURE_HPP_
#define DECORR_DETAIL_REGULARIZERS_DOMINANT_FEATURE_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"

// The feature that a transform would round into all lags of its block (docs/mathematics.md,
// one dominant feature).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// One that outweighs all others together, in both views. What it has with itself is in lag 0, which
// does not count; so the other lags are linear in its size, and are found from batches in which it
// is 2^exponent times smaller, about as large as the others, and in which it is zero. (Of two such
// features the lag that they have in common is as large as what transforms round.)
struct DominantFeature {
  Index feature = -1;  // none
  int exponent = 0;

  explicit operator bool() const noexcept { return feature >= 0; }
};

// squares_a(j) and squares_b(j) are sums of squares over the samples, of the features as a
// regularizer sees them.
template <class Scalar, class Squares>
DECORR_DETAIL_COLD DominantFeature dominant_feature(Index features, const Squares& squares_a,
                                                    const Squares& squares_b) noexcept {
  using Sum = Accumulator<Scalar>;
  // So many times the root of the others' squares, or its product with itself costs few digits.
  constexpr Sum kLeast = 2;
  // Ordinary data go no further.
  if (!(sum_of<Sum>(features, squares_a) < 2 * largest_of(features, Sum(0), squares_a))) {
    return {};
  }
  Index dominant = 0;
  for (Index j = 1; j < features; ++j) {
    dominant = squares_a(j) > squares_a(dominant) ? j : dominant;
  }
  const auto times_others = [&](const Squares& squares) noexcept {
    return std::sqrt(squares(dominant) / sum_of<Sum>(features, [&](Index j) noexcept {
                       return j == dominant ? Sum(0) : squares(j);
                     }));
  };
  const Sum in_a = times_others(squares_a), in_b = times_others(squares_b);
  if (!(in_a > kLeast && in_b > kLeast && std::isfinite(squares_b(dominant)))) {
    return {};
  }
  // Then its products with others are as large as what is rounded. Where it is alone in a view it
  // is made as large as the others of the other one. It keeps its digits.
  using Limits = std::numeric_limits<Scalar>;
  constexpr int kMost = Limits::max_exponent - 2;  // 2^-kMost is a normal number
  constexpr int kLeastExponent = Limits::min_exponent + Limits::digits + 4;
  const Sum size = std::sqrt(std::min(squares_a(dominant), squares_b(dominant)));
  const int most = std::min(kMost, std::ilogb(size) - kLeastExponent);
  const Sum mean = std::sqrt(in_a) * std::sqrt(in_b);
  const Sum times = std::isfinite(mean) ? mean : std::min(in_a, in_b);
  const int exponent = times < std::ldexp(Sum(1), kMost) ? std::ilogb(times) + 1 : kMost;
  return most < 1 ? DominantFeature() : DominantFeature{dominant, std::min(exponent, most)};
}

// Of the raw rows of two views: a few of them, from the first to the last, say whether all are
// worth reading.
template <class Scalar>
DECORR_DETAIL_COLD DominantFeature dominant_feature(Arena& arena, const BatchRows<Scalar>& rows,
                                                    int threads) {
  constexpr Index kFewRows = 4;
  const auto dominant_among = [&](Index count) {
    // The diagonal of a view with itself.
    const auto squares = [&](const InputRows<Scalar>& view) {
      const InputRows<Scalar> some = view.spread(count);
      const BatchRows<Scalar> twice{some, some, {}, {}};
      DiagonalSums<Scalar> sums(arena, rows.features(), count, row_access(twice), threads);
      sums.add(twice);
      return [totals = sums.totals()](Index j) noexcept { return totals[j]; };
    };
    return dominant_feature<Scalar>(rows.features(), squares(rows.a), squares(rows.b));
  };
  const DominantFeature dominant = dominant_among(std::min(rows.size(), kFewRows));
  return dominant && rows.size() > kFewRows ? dominant_among(rows.size()) : dominant;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_DOMINANT_FEATURE_HPP_
