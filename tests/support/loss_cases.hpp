#ifndef DECORR_TESTS_SUPPORT_LOSS_CASES_HPP_
#define DECORR_TESTS_SUPPORT_LOSS_CASES_HPP_

#include <decorr/decorr.hpp>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "calls.hpp"
#include "cases.hpp"
#include "naive.hpp"

namespace decorr_tests {

enum class Family { regularizer, barlow_twins, vicreg, variance_covariance };

/// One public function with a regularizer and options, so that a property of all of them is one
/// loop.
struct LossCase {
  std::string name;
  Family family = Family::regularizer;
  Regularizer regularizer;
  decorr::BarlowTwinsOptions barlow_twins = {};
  decorr::VicregOptions vicreg = {};
  decorr::Execution execution = quick();

  bool is_single_view() const { return family == Family::variance_covariance; }
  const decorr::Relaxed* relaxed() const { return std::get_if<decorr::Relaxed>(&regularizer); }

  /// The value: loss_case(a, b). Value and gradients: loss_case(a, b, grad_a, grad_b). A function
  /// of one view takes `a` and writes `grad_a`.
  template <class A, class B, class... Gradients>
  auto operator()(const A& a, const B& b, Gradients&&... gradients) const {
    switch (family) {
      case Family::barlow_twins:
        return decorr::barlow_twins_loss(a, b, gradients..., barlow_twins, argument(regularizer),
                                         execution)
            .value;
      case Family::vicreg:
        return decorr::vicreg_loss(a, b, gradients..., vicreg, argument(regularizer), execution)
            .value;
      case Family::variance_covariance:
        return call_single(a, gradients...);
      case Family::regularizer:
        break;
    }
    return relaxed() == nullptr ? decorr::r_off(a, b, gradients..., execution)
                                : decorr::r_sum(a, b, gradients..., *relaxed(), execution);
  }

  /// The value by the definition.
  Real definition(const RealMatrix& a, const RealMatrix& b, naive::Sides* sides = nullptr) const {
    switch (family) {
      case Family::barlow_twins:
        return naive::barlow_twins_loss(a, b, barlow_twins, regularizer, sides).value;
      case Family::vicreg:
        return naive::vicreg_loss(a, b, vicreg, regularizer, sides).value;
      case Family::variance_covariance:
        return naive::variance_covariance_loss(a, vicreg, regularizer, sides).value;
      case Family::regularizer:
        break;
    }
    return naive::cross_correlation_regularizer(a, b, regularizer, sides);
  }

 private:
  template <class Z>
  auto call_single(const Z& z) const {
    return decorr::variance_covariance_loss(z, vicreg, argument(regularizer), execution).value;
  }
  template <class Z, class Gradient, class Unused>
  auto call_single(const Z& z, Gradient& gradient, Unused&) const {
    return decorr::variance_covariance_loss(z, gradient, vicreg, argument(regularizer), execution)
        .value;
  }
};

/// Every function with Exact and Relaxed: both exponents, one block and blocks of `block_size`,
/// with and without permutation and signs.
inline std::vector<LossCase> loss_cases(Index features, Index block_size) {
  std::vector<Regularizer> regularizers{decorr::Exact{}};
  std::mt19937_64 generator(7);
  for (const bool randomized : {false, true}) {
    for (const Index size : {Index{0}, block_size}) {
      for (const int exponent : {1, 2}) {
        decorr::Relaxed relaxed;
        relaxed.exponent = exponent;
        relaxed.block_size = size;
        if (randomized) {
          relaxed.permutation = decorr::random_permutation(features, generator);
          relaxed.signs_a = decorr::random_signs(features, generator);
          relaxed.signs_b = decorr::random_signs(features, generator);
        }
        regularizers.emplace_back(relaxed);
      }
    }
  }
  std::vector<LossCase> cases;
  for (const auto& [family, name] :
       {std::pair(Family::regularizer, "regularizer"), std::pair(Family::barlow_twins, "barlow"),
        std::pair(Family::vicreg, "vicreg"), std::pair(Family::variance_covariance, "vcreg")}) {
    for (const Regularizer& regularizer : regularizers) {
      cases.push_back({std::string(name) + ", " + describe(regularizer), family, regularizer});
    }
  }
  return cases;
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_LOSS_CASES_HPP_
