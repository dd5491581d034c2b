// The bounds of docs/numerics.md, whose constants are those of bench/numerics/bounds.hpp, hold for
// every kind of data and every function; and what they are measured against is the definition.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "numerics/measure.hpp"
#include "support/differences.hpp"

namespace numerics_test {

namespace {

using namespace decorr_numerics;
using decorr_tests::Real;
using decorr_tests::RealMatrix;
namespace naive = decorr_tests::naive;

struct Shape {
  Index rows, cols, block_size;
};

/// Batches of each kind and shape that no other one has.
template <class Stored, class Scalar>
void check_bounds(std::uint64_t first_seed) {
  std::uint64_t seed = first_seed;
  for (const Kind& kind : all_kinds()) {
    CAPTURE(kind.name);
    int in_range = 0;
    // More samples than features, fewer, and fewer than blocks: all routes.
    for (const Shape& shape : {Shape{12, 8, 3}, Shape{5, 10, 4}, Shape{3, 9, 2}}) {
      CAPTURE(shape.rows);
      ++seed;
      CAPTURE(seed);
      const Batch batch = batch_of(kind, shape.rows, shape.cols, seed);
      for (const LossCase& loss_case : numerics_cases(shape.cols, shape.block_size)) {
        if (kind.has_mean && is_raw(loss_case)) continue;
        CAPTURE(loss_case.name);
        const auto measured = measure<Stored, Scalar>(loss_case, batch);
        if (!measured) continue;
        ++in_range;
        CHECK(measured->library.value <= 1);
        CHECK(measured->library.gradient <= 1);
      }
    }
    CHECK(in_range > 0);
  }
}

}  // namespace

TEST_CASE("float is within the bounds of docs/numerics.md") { check_bounds<float, float>(11000); }
TEST_CASE("double is within them") { check_bounds<double, double>(12000); }
TEST_CASE("bfloat16, computed in float, is within them") {
  check_bounds<Eigen::bfloat16, float>(13000);
}

TEST_CASE("the bounds are a few epsilons for ordinary batches") {
  const Batch batch = batch_of(all_kinds().front(), 40, 24, 14000);
  for (const LossCase& loss_case : numerics_cases(24, 7)) {
    CAPTURE(loss_case.name);
    const auto expected = defined<Exact>(loss_case, batch.a.cast<Exact>(), batch.b.cast<Exact>());
    const Bound bound = bound_of(loss_case, expected, arithmetic_of<double>());
    constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
    CHECK(bound.value < 200 * kEpsilon * static_cast<double>(expected.value));
    CHECK(bound.grad_a < 400 * kEpsilon * norm(expected.grad_a));
  }
}

TEST_CASE("what errors are measured against is the definition, and its derivative") {
  const Batch batch = batch_of(all_kinds().front(), 6, 7, 15000);
  const RealMatrix a = batch.a.cast<Real>(), b = batch.b.cast<Real>();
  const RealMatrix along_a = kinds::gaussian(6, 7, 1).cast<Real>();
  const RealMatrix along_b = kinds::gaussian(6, 7, 2).cast<Real>();
  for (const LossCase& loss_case : numerics_cases(7, 3)) {
    CAPTURE(loss_case.name);
    const auto expected = defined<Exact>(loss_case, a.cast<Exact>(), b.cast<Exact>());
    const auto value = static_cast<Real>(expected.value);
    CHECK(std::abs(value - loss_case.definition(a, b)) <= 1e-15L * value);
    // The third derivative is worth 1e-20, and rounding 1e-40.
    const Exact step = 0x1p-33;
    const auto moved = [&](const Exact& by) {
      return defined<Exact>(loss_case, a.cast<Exact>() + by * along_a.cast<Exact>(),
                            b.cast<Exact>() + by * along_b.cast<Exact>())
          .value;
    };
    const auto derivative = static_cast<Real>(Exact((moved(step) - moved(-step)) / (2 * step)));
    Exact along = expected.grad_a.cwiseProduct(along_a.cast<Exact>()).sum();
    if (!loss_case.is_single_view()) {
      along += expected.grad_b.cwiseProduct(along_b.cast<Exact>()).sum();
    }
    CHECK(std::abs(static_cast<Real>(along) - derivative) <= 1e-16L * std::abs(derivative));
  }
}

}  // namespace numerics_test
