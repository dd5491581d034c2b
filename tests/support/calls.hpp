#ifndef DECORR_TESTS_SUPPORT_CALLS_HPP_
#define DECORR_TESTS_SUPPORT_CALLS_HPP_

#include <Eigen/Core>
#include <decorr/decorr.hpp>
#include <decorr/detail/bare.hpp>
#include <decorr/detail/exact.hpp>
#include <variant>
#include <vector>

#include "naive.hpp"

/// @file
/// The library's functions with the regularizer chosen at run time.

namespace decorr_tests {

// Tests meet many lengths once: measuring plans for each would take longer than the tests.
inline decorr::Execution quick() {
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  return execution;
}

/// barlow_twins_loss(z_a, z_b[, grad_a, grad_b], options, regularizer).
template <class... Arguments>
auto barlow_twins_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return std::visit(
      [&](const auto& choice) { return decorr::barlow_twins_loss(arguments..., choice, quick()); },
      regularizer);
}

/// vicreg_loss(z_a, z_b[, grad_a, grad_b], options, regularizer).
template <class... Arguments>
auto vicreg_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return std::visit(
      [&](const auto& choice) { return decorr::vicreg_loss(arguments..., choice, quick()); },
      regularizer);
}

/// variance_covariance_loss(z[, grad], options, regularizer).
template <class... Arguments>
auto variance_covariance_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return std::visit(
      [&](const auto& choice) {
        return decorr::variance_covariance_loss(arguments..., choice, quick());
      },
      regularizer);
}

/// r_off(a, b[, grad_a, grad_b]) or r_sum(a, b[, grad_a, grad_b], relaxed).
template <class... Matrices>
auto cross_correlation_regularizer(const Regularizer& regularizer, Matrices&&... matrices) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  return relaxed == nullptr ? decorr::r_off(matrices..., quick())
                            : decorr::r_sum(matrices..., *relaxed, quick());
}

/// Both routes of r_off. For one feature, where nothing is off the diagonal, the Gram route is not
/// taken (n < d never holds) and would leave the rounding of what it subtracts.
inline std::vector<decorr::detail::ExactRoute> routes(Index features) {
  using decorr::detail::ExactRoute;
  return features == 1 ? std::vector<ExactRoute>{ExactRoute::correlation}
                       : std::vector<ExactRoute>{ExactRoute::correlation, ExactRoute::gram};
}

/// r_off with its gradients by the route that is asked for, whichever is the cheaper one.
template <class Matrix>
typename Matrix::Scalar r_off_by(decorr::detail::ExactRoute route, const Matrix& a, const Matrix& b,
                                 Matrix& grad_a, Matrix& grad_b) {
  using Scalar = typename Matrix::Scalar;
  const auto input = [](const Matrix& x) {
    return decorr::detail::InputRows<Scalar>(x.data(), x.rows(), x.cols(), x.rowStride(),
                                             x.colStride());
  };
  const auto output = [](Matrix& x) {
    return decorr::detail::OutputRows<Scalar>(x.data(), x.rows(), x.cols(), x.rowStride(),
                                              x.colStride());
  };
  return decorr::detail::bare<Scalar>(input(a), input(b), output(grad_a), output(grad_b), route,
                                      quick());
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_CALLS_HPP_
