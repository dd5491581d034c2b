// Reads the two numbers that a program of docs/languages.md prints, and compares them with the
// definition of the loss: of the same views, and of these after a step along the gradient, which is
// that of central differences.
#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <decorr/presets.hpp>
#include <iostream>
#include <random>

#include "support/differences.hpp"
#include "support/naive.hpp"

namespace {

using decorr_tests::Index;
using decorr_tests::Real;
using decorr_tests::RealMatrix;

constexpr Index kSamples = 40, kFeatures = 36;

// The definition for the signs that a seed draws. Only the draw is the library's.
class Definition {
 public:
  explicit Definition(std::uint64_t seed) {
    std::mt19937_64 generator(seed);
    regularizer_ = *decorr::presets::recommended(kSamples, kFeatures, generator).relaxed();
  }

  Real operator()(const RealMatrix& z_a, const RealMatrix& z_b,
                  decorr_tests::naive::Sides* sides = nullptr) const {
    return decorr_tests::naive::barlow_twins_loss(z_a, z_b, {}, regularizer_, sides).value;
  }

  // By z_a, and by z_b.
  RealMatrix gradient(const RealMatrix& z_a, const RealMatrix& z_b, bool of_a) const {
    RealMatrix result(kSamples, kFeatures);
    const RealMatrix zero = RealMatrix::Zero(kSamples, kFeatures);
    RealMatrix direction = zero;
    for (Index i = 0; i < direction.size(); ++i) {
      direction(i) = 1;
      // The error is of the order of the step's square.
      result(i) = *decorr_tests::central_difference(*this, z_a, z_b, of_a ? direction : zero,
                                                    of_a ? zero : direction, 1e-5L);
      direction(i) = 0;
    }
    return result;
  }

 private:
  decorr_tests::Regularizer regularizer_;
};

bool agrees(const char* name, double printed, Real expected) {
  // Half a unit of the last digit that is printed, and a thousandth of it for rounding.
  if (std::abs(printed - expected) < 0.5005e-6L) return true;
  std::cerr << name << " is " << printed << ", expected " << expected << '\n';
  return false;
}

}  // namespace

int main() {
  double first = 0, second = 0;
  if (!(std::cin >> first >> second)) {
    std::cerr << "Expected two numbers\n";
    return 1;
  }
  RealMatrix z_a(kSamples, kFeatures), z_b(kSamples, kFeatures);
  for (Index i = 0; i < kSamples; ++i) {
    for (Index j = 0; j < kFeatures; ++j) {
      z_a(i, j) = std::sin(static_cast<Real>((i + 1) * (j + 1)));
      z_b(i, j) = z_a(i, j) + 0.3L * std::cos(static_cast<Real>(i + j + 2));
    }
  }
  const Definition before(1), after(2);
  std::cerr.precision(9);
  const bool first_agrees = agrees("The loss", first, before(z_a, z_b));
  const bool second_agrees =
      agrees("The loss after the step", second,
             after(z_a - before.gradient(z_a, z_b, true), z_b - before.gradient(z_a, z_b, false)));
  return first_agrees && second_agrees ? 0 : 1;
}
