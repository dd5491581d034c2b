#ifndef DECORR_BENCH_NUMERICS_MEASURE_HPP_
#define DECORR_BENCH_NUMERICS_MEASURE_HPP_

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bounds.hpp"
#include "data.hpp"

/// @file
/// The errors of one call, of the library and of the textbook route, over its bound.

namespace decorr_numerics {

/// Every function and form, blocks of single features too; Barlow Twins also without epsilon or
/// standardization, and with a weight that lets its regularizer be seen beside the diagonal.
inline std::vector<LossCase> numerics_cases(Index features, Index block_size) {
  std::vector<LossCase> cases = decorr_tests::loss_cases(features, block_size);
  for (const LossCase& of_blocks : decorr_tests::loss_cases(features, 1)) {
    if (of_blocks.relaxed() != nullptr && of_blocks.relaxed()->block_size == 1) {
      cases.push_back(of_blocks);
    }
  }
  for (LossCase loss_case : std::vector<LossCase>(cases)) {
    if (loss_case.family != Family::barlow_twins) continue;
    const std::string name = loss_case.name;
    loss_case.name = name + ", epsilon 0, lambda 1";
    loss_case.barlow_twins.epsilon = 0;
    loss_case.barlow_twins.lambda = 1;
    cases.push_back(loss_case);
    loss_case.name = name + ", as it is, lambda 1";
    loss_case.barlow_twins.standardize = false;
    cases.push_back(loss_case);
  }
  return cases;
}

/// Whether a call sees means as they are.
inline bool is_raw(const LossCase& loss_case) {
  return loss_case.family == Family::regularizer ||
         (loss_case.family == Family::barlow_twins && !loss_case.barlow_twins.standardize);
}

/// A loss by its definition, in any numbers; a deviation below `least` counts as zero.
template <class Number>
Defined<Number> defined(const LossCase& loss_case, const Matrix<Number>& a, const Matrix<Number>& b,
                        Number least = Number(0)) {
  switch (loss_case.family) {
    case Family::barlow_twins:
      return barlow_twins(a, b, loss_case.barlow_twins, loss_case.relaxed(), least);
    case Family::vicreg:
      return vicreg(a, b, loss_case.vicreg, loss_case.relaxed());
    case Family::variance_covariance:
      return variance_covariance(a, loss_case.vicreg, loss_case.relaxed());
    case Family::regularizer:
      break;
  }
  return regularizer(a, b, loss_case.relaxed());
}

/// Errors over the bound. Above 1 it is broken; infinite where it is zero and the error is not, or
/// where the result is not finite.
struct Ratios {
  double value = 0, gradient = 0;

  void take_larger(const Ratios& other) {
    value = std::max(value, other.value);
    gradient = std::max(gradient, other.gradient);
  }
};

inline double ratio(double error, double bound) {
  if (error == 0) return 0;
  return std::isfinite(error) && bound > 0 ? error / bound
                                           : std::numeric_limits<double>::infinity();
}

/// The 2-norm of a gradient's error, of standardized views times the features' deviations.
template <class Scalar>
double gradient_error(const Matrix<Scalar>& actual, const Matrix<Exact>& expected,
                      const View<Exact>& view, bool is_standardized) {
  if (!actual.allFinite()) return std::numeric_limits<double>::infinity();
  Matrix<Exact> error = actual.template cast<Exact>() - expected;
  if (is_standardized) error *= view.deviation.asDiagonal();
  return norm(error);
}

template <class Scalar>
Ratios ratios_of(const LossCase& loss_case, const Defined<Exact>& expected, const Bound& bound,
                 Scalar value, const Matrix<Scalar>& grad_a, const Matrix<Scalar>& grad_b) {
  const bool is_standardized =
      loss_case.family == Family::barlow_twins && loss_case.barlow_twins.standardize;
  Ratios ratios;
  const double error = std::isfinite(value)
                           ? std::abs(static_cast<double>(Exact(Exact(value) - expected.value)))
                           : std::numeric_limits<double>::infinity();
  ratios.value = ratio(error, bound.value);
  ratios.gradient =
      ratio(gradient_error(grad_a, expected.grad_a, expected.a, is_standardized), bound.grad_a);
  if (!loss_case.is_single_view()) {
    ratios.gradient = std::max(
        ratios.gradient,
        ratio(gradient_error(grad_b, expected.grad_b, expected.b, is_standardized), bound.grad_b));
  }
  return ratios;
}

struct Measured {
  Ratios library, textbook;
};

/// `Stored` is what the batch is rounded to, half for one; the call computes in Scalar. Nothing
/// where the scalar's range ends.
template <class Stored, class Scalar>
std::optional<Measured> measure(const LossCase& loss_case, const Batch& batch) {
  const Matrix<Stored> a = batch.a.cast<Stored>(), b = batch.b.cast<Stored>();
  const Matrix<Scalar> read_a = a.template cast<Scalar>(), read_b = b.template cast<Scalar>();
  constexpr Scalar kLeast = std::numeric_limits<Scalar>::min();
  const auto expected = defined<Exact>(loss_case, read_a.template cast<Exact>(),
                                       read_b.template cast<Exact>(), Exact(kLeast));
  const Arithmetic arithmetic = arithmetic_of<Scalar>();
  const Bound bound = bound_of(loss_case, expected, arithmetic);
  if (!(bound.largest < arithmetic.largest)) return std::nullopt;
  Matrix<Scalar> grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  const Scalar value = loss_case(a, b, grad_a, grad_b);
  Measured measured;
  measured.library = ratios_of(loss_case, expected, bound, value, grad_a, grad_b);
  const Defined<Scalar> textbook = defined<Scalar>(loss_case, read_a, read_b, kLeast);
  measured.textbook =
      ratios_of(loss_case, expected, bound, textbook.value, textbook.grad_a, textbook.grad_b);
  return measured;
}

}  // namespace decorr_numerics

#endif  // DECORR_BENCH_NUMERICS_MEASURE_HPP_
