#ifndef DECORR_TESTS_SUPPORT_CALLS_HPP_
#define DECORR_TESTS_SUPPORT_CALLS_HPP_

#include <Eigen/Core>
#include <decorr/decorr.hpp>
#include <decorr/detail/losses/barlow_twins.hpp>
#include <decorr/detail/losses/regularizer_alone.hpp>
#include <decorr/detail/losses/vicreg.hpp>
#include <decorr/detail/regularizers/exact.hpp>
#include <decorr/detail/regularizers/regularizer.hpp>
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

/// Both routes of r_off.
inline std::vector<decorr::detail::ExactRoute> routes() {
  using decorr::detail::ExactRoute;
  return {ExactRoute::correlation, ExactRoute::gram};
}

/// A matrix as the library's internals take it.
template <class Matrix>
decorr::detail::InputRows<typename Matrix::Scalar> input_rows(const Matrix& x) {
  return {x.data(), x.rows(), x.cols(), x.rowStride(), x.colStride()};
}
template <class Matrix>
decorr::detail::OutputRows<typename Matrix::Scalar> output_rows(Matrix& x) {
  return {x.data(), x.rows(), x.cols(), x.rowStride(), x.colStride()};
}

/// r_off or r_sum with its gradients by the route that is asked for, whichever is the cheaper one.
template <class Routed, class Matrix>
typename Matrix::Scalar regularizer_by(const Routed& routed, const Matrix& a, const Matrix& b,
                                       Matrix& grad_a, Matrix& grad_b,
                                       const decorr::Execution& execution = quick()) {
  return decorr::detail::bare(input_rows(a), input_rows(b), output_rows(grad_a),
                              output_rows(grad_b), routed, execution);
}
/// The grouped form by either route.
inline std::vector<decorr::detail::RoutedRelaxed> routes(const decorr::Relaxed& relaxed) {
  using decorr::detail::GroupedRoute;
  return {{relaxed, GroupedRoute::features}, {relaxed, GroupedRoute::gram}};
}

/// Likewise, the terms of a loss.
template <class Routed, class Matrix>
auto terms_by(const Routed& routed, const Matrix& a, const Matrix& b, Matrix& grad_a,
              Matrix& grad_b, const decorr::BarlowTwinsOptions& options) {
  return decorr::detail::barlow_twins(input_rows(a), input_rows(b), output_rows(grad_a),
                                      output_rows(grad_b), options, routed, quick());
}
template <class Routed, class Matrix>
auto terms_by(const Routed& routed, const Matrix& a, const Matrix& b, Matrix& grad_a,
              Matrix& grad_b, const decorr::VicregOptions& options) {
  return decorr::detail::vicreg(input_rows(a), input_rows(b), output_rows(grad_a),
                                output_rows(grad_b), options, routed, quick());
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_CALLS_HPP_
