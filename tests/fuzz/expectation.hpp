#ifndef DECORR_TESTS_FUZZ_EXPECTATION_HPP_
#define DECORR_TESTS_FUZZ_EXPECTATION_HPP_

#include <cmath>
#include <limits>
#include <optional>

#include "support/loss_cases.hpp"

/// @file
/// How far rounding may take a loss from its definition, for any data: derived, not tried.
///
/// A sum of n products is off by less than n u times the sum of their absolute values, a transform
/// of length b, in the 2-norm, by less than 4 log2(2b) u times its size, with u the rounding unit
/// (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 24.1). With K
/// = n + 4 log2(2b) every lag sum of C = A^T B / m is then off by less than
///   delta = K u P,   P = sum over samples k of |A_k| |B_k| / m,
/// |A_k| the norm of a row; the lag sums of all blocks together, in the 2-norm, by sqrt(b) delta,
/// as the blocks' norms add up to no more than the rows'. Hence, to the first order and the
/// second, for a weight w of each block
///   q = 2: |R - R'| <= 2 sqrt(w b R) delta + w b delta^2,   q = 1: |R - R'| <= w b G delta.
/// and as many units of the accumulator's rounding as there are lags in all, b G^2, for their sum;
/// so for sums over features.
/// The derivative along a direction D has the same with T = sum_k |DA_k| |B_k| + |A_k| |DB_k|
/// beside P. Centring and scaling leave in an entry what is relative to it, and what is relative to
/// the mean, in the accumulator's unit.

namespace decorr_fuzz {

using decorr_tests::Family;
using decorr_tests::LossCase;
using decorr_tests::Real;
using decorr_tests::RealMatrix;
using Eigen::Index;

/// The arithmetic of the library for a scalar.
struct Arithmetic {
  Real unit, accumulator_unit, smallest, largest;
};
template <class Scalar>
Arithmetic arithmetic_of() {
  using Limits = std::numeric_limits<Scalar>;
  using Accumulator = decltype(Scalar() + double());
  return {Limits::epsilon() / Real(2), std::numeric_limits<Accumulator>::epsilon() / Real(2),
          Limits::min(), Limits::max()};
}

/// A number, and how far rounding may take the library's from it.
struct Expected {
  Real number, bound;

  bool admits(Real actual) const { return std::abs(actual - number) <= bound; }
};

/// Value and derivative along a direction.
struct Expectation {
  Expected value;
  /// Nothing near a kink, where rounding may have taken the data to its other side.
  std::optional<Expected> derivative;
};

/// The value is not finite by the definition, or should not be: losses that centre take every
/// number into account.
bool is_not_finite(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b);

/// A direction for each view, as large as the features' deviations. Its entries' signs are those of
/// `along_a` and `along_b`; zeros stay.
void scale_directions(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b,
                      RealMatrix& along_a, RealMatrix& along_b);

/// Of finite data. Nothing where the scalar's range ends, or where the data are so near to constant
/// that the first order tells nothing.
std::optional<Expectation> expect(const LossCase& loss_case, const RealMatrix& a,
                                  const RealMatrix& b, const RealMatrix& along_a,
                                  const RealMatrix& along_b, const Arithmetic& arithmetic);

/// Of sumvec, the same bound for every lag. Nothing where the scalar's range ends.
struct ExpectedLags {
  RealMatrix lags;
  std::optional<Real> bound;
};
ExpectedLags expect_sumvec(const RealMatrix& a, const RealMatrix& b, const Arithmetic& arithmetic);

}  // namespace decorr_fuzz

#endif  // DECORR_TESTS_FUZZ_EXPECTATION_HPP_
