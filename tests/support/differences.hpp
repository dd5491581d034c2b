#ifndef DECORR_TESTS_SUPPORT_DIFFERENCES_HPP_
#define DECORR_TESTS_SUPPORT_DIFFERENCES_HPP_

#include <optional>

#include "naive.hpp"

namespace decorr_tests {

/// Central difference of `function(a, b, sides)` along a direction, per unit of it; nothing where
/// the step crosses a kink.
template <class Function>
std::optional<Real> central_difference(const Function& function, const RealMatrix& a,
                                       const RealMatrix& b, const RealMatrix& direction_a,
                                       const RealMatrix& direction_b, Real step) {
  naive::Sides sides_before, sides_after;
  const Real before = function(a - step * direction_a, b - step * direction_b, &sides_before);
  const Real after = function(a + step * direction_a, b + step * direction_b, &sides_after);
  if (!naive::are_the_same(sides_before, sides_after)) {
    return std::nullopt;
  }
  return (after - before) / (2 * step);
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_DIFFERENCES_HPP_
