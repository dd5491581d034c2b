#ifndef DECORR_TESTS_SUPPORT_CALLS_HPP_
#define DECORR_TESTS_SUPPORT_CALLS_HPP_

#include <Eigen/Core>
#include <decorr/decorr.hpp>
#include <decorr/detail/losses/barlow_twins.hpp>
#include <decorr/detail/losses/passes.hpp>
#include <decorr/detail/losses/regularizer_alone.hpp>
#include <decorr/detail/losses/vicreg.hpp>
#include <variant>
#include <vector>

#include "naive.hpp"
#include "rows.hpp"

/// @file
/// The library's functions with the regularizer chosen at run time.

namespace decorr_tests {

// Tests meet many lengths once: measuring plans for each would take longer than the tests.
inline decorr::Execution quick() {
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  return execution;
}

inline decorr::Regularizer argument(const Regularizer& regularizer) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  return relaxed == nullptr ? decorr::Regularizer() : decorr::Regularizer(*relaxed);
}

/// barlow_twins_loss(z_a, z_b[, grad_a, grad_b], options, regularizer).
template <class... Arguments>
auto barlow_twins_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return decorr::barlow_twins_loss(arguments..., argument(regularizer), quick());
}

/// vicreg_loss(z_a, z_b[, grad_a, grad_b], options, regularizer).
template <class... Arguments>
auto vicreg_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return decorr::vicreg_loss(arguments..., argument(regularizer), quick());
}

/// variance_covariance_loss(z[, grad], options, regularizer).
template <class... Arguments>
auto variance_covariance_loss(const Regularizer& regularizer, Arguments&&... arguments) {
  return decorr::variance_covariance_loss(arguments..., argument(regularizer), quick());
}

/// r_off(a, b[, grad_a, grad_b]) or r_sum(a, b[, grad_a, grad_b], relaxed).
template <class... Matrices>
auto cross_correlation_regularizer(const Regularizer& regularizer, Matrices&&... matrices) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  return relaxed == nullptr ? decorr::r_off(matrices..., quick())
                            : decorr::r_sum(matrices..., *relaxed, quick());
}

/// A regularizer by a route that is asked for, whichever is the cheaper one.
struct Routed {
  Regularizer regularizer;
  decorr::detail::Route route;
};

/// The exact form, or the grouped one, by either route: through the features, through the samples.
inline std::vector<Routed> routes(const Regularizer& regularizer = decorr::Exact()) {
  using decorr::detail::Route;
  return {{regularizer, Route::features}, {regularizer, Route::gram}};
}

/// compute(batch, regularizer) of matrices by that route.
template <class Matrix, class Compute>
auto compute_by(const Routed& routed, const Matrix& a, const Matrix& b, Matrix& grad_a,
                Matrix& grad_b, const decorr::Execution& execution, const Compute& compute) {
  decorr::detail::Arena arena;
  const decorr::detail::Batch<typename Matrix::Scalar> batch{
      arena,
      {input_rows(a), input_rows(b), output_rows(grad_a), output_rows(grad_b)},
      execution,
      routed.route};
  return compute(batch, argument(routed.regularizer));
}

/// r_off or r_sum with its gradients.
template <class Matrix>
typename Matrix::Scalar regularizer_by(const Routed& routed, const Matrix& a, const Matrix& b,
                                       Matrix& grad_a, Matrix& grad_b,
                                       const decorr::Execution& execution = quick()) {
  return compute_by(
      routed, a, b, grad_a, grad_b, execution, [](const auto& batch, const auto& regularizer) {
        return decorr::detail::loss_of<
            decorr::detail::RegularizerFirstPass<typename Matrix::Scalar>>(batch, {}, regularizer);
      });
}

/// Likewise, the terms of a loss.
template <class Matrix>
auto terms_by(const Routed& routed, const Matrix& a, const Matrix& b, Matrix& grad_a,
              Matrix& grad_b, const decorr::BarlowTwinsOptions& options) {
  return compute_by(routed, a, b, grad_a, grad_b, quick(),
                    [&](const auto& batch, const auto& regularizer) {
                      return decorr::detail::loss_of<
                          decorr::detail::BarlowTwinsFirstPass<typename Matrix::Scalar>>(
                          batch, options, regularizer);
                    });
}
template <class Matrix>
auto terms_by(const Routed& routed, const Matrix& a, const Matrix& b, Matrix& grad_a,
              Matrix& grad_b, const decorr::VicregOptions& options) {
  return compute_by(
      routed, a, b, grad_a, grad_b, quick(), [&](const auto& batch, const auto& regularizer) {
        return decorr::detail::loss_of<decorr::detail::VicregFirstPass<typename Matrix::Scalar>>(
            batch, options, regularizer);
      });
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_CALLS_HPP_
