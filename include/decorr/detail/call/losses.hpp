#ifndef DECORR_DETAIL_CALL_LOSSES_HPP_
#define DECORR_DETAIL_CALL_LOSSES_HPP_

#include <type_traits>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"

// The public losses between their border and their page: checks first, then rows.

namespace decorr {

template <class Scalar>
struct BarlowTwinsLoss;
template <class Scalar>
struct VicregLoss;
template <class Scalar>
struct VarianceCovarianceLoss;

namespace detail {
inline namespace DECORR_ABI {

template <class A, class B, class Options, class Regularizer>
Call check_loss(const char* function, const ViewNames& names, const A& a, const B& b,
                Index least_rows, const Options& options, const Regularizer& regularizer,
                const Execution& execution) {
  const Call call(function);
  check_views(call, names, a, b, least_rows);
  call.check(options);
  call.check(regularizer, a.cols());
  call.check(execution);
  return call;
}

// What is run between the two ends: rows in, named terms out.
template <class Scalar, class Regularizer>
auto barlow_twins_runner(const BarlowTwinsOptions& options, const Regularizer& regularizer,
                         const Execution& execution) {
  return [&](const InputRows<Scalar>& a, const InputRows<Scalar>& b,
             const OutputRows<Scalar>& grad_a, const OutputRows<Scalar>& grad_b) {
    const auto terms = barlow_twins(a, b, grad_a, grad_b, options, regularizer, execution);
    const auto diagonal = static_cast<Scalar>(terms.diagonal);
    const auto off_diagonal = static_cast<Scalar>(terms.off_diagonal);
    return BarlowTwinsLoss<Scalar>{diagonal + off_diagonal, diagonal, off_diagonal};
  };
}

template <class Scalar, class Regularizer>
auto vicreg_runner(const VicregOptions& options, const Regularizer& regularizer,
                   const Execution& execution) {
  return [&](const InputRows<Scalar>& a, const InputRows<Scalar>& b,
             const OutputRows<Scalar>& grad_a, const OutputRows<Scalar>& grad_b) {
    const auto terms = vicreg(a, b, grad_a, grad_b, options, regularizer, execution);
    const auto invariance = static_cast<Scalar>(terms.invariance);
    const auto variance = static_cast<Scalar>(terms.variance);
    const auto covariance = static_cast<Scalar>(terms.covariance);
    return VicregLoss<Scalar>{invariance + variance + covariance, invariance, variance, covariance};
  };
}

template <class Scalar, class Regularizer>
auto variance_covariance_runner(const VicregOptions& options, const Regularizer& regularizer,
                                const Execution& execution) {
  return [&](const InputRows<Scalar>& z, const OutputRows<Scalar>& grad) {
    const auto terms = variance_covariance(z, grad, options, regularizer, execution);
    const auto variance = static_cast<Scalar>(terms.variance);
    const auto covariance = static_cast<Scalar>(terms.covariance);
    return VarianceCovarianceLoss<Scalar>{variance + covariance, variance, covariance};
  };
}

template <class A, class B, class Regularizer>
Call check_barlow_twins(const A& a, const B& b, const BarlowTwinsOptions& options,
                        const Regularizer& regularizer, const Execution& execution) {
  return check_loss("barlow_twins_loss", kLossNames, a, b, options.standardize ? 2 : 1, options,
                    regularizer, execution);
}

template <class A, class B, class Regularizer>
auto barlow_twins_value(const A& a, const B& b, const BarlowTwinsOptions& options,
                        const Regularizer& regularizer, const Execution& execution) {
  check_barlow_twins(a, b, options, regularizer, execution);
  return call_two_views(a, b, barlow_twins_runner<ScalarOf<A, B>>(options, regularizer, execution));
}

template <class A, class B, class GradientA, class GradientB, class Regularizer>
auto barlow_twins_gradient(const A& a, const B& b, GradientA& grad_a, GradientB& grad_b,
                           const BarlowTwinsOptions& options, const Regularizer& regularizer,
                           const Execution& execution) {
  const Call call = check_barlow_twins(a, b, options, regularizer, execution);
  return call_two_views(call, kLossNames, a, b, grad_a, grad_b,
                        barlow_twins_runner<ScalarOf<A, B>>(options, regularizer, execution));
}

template <class A, class B, class Regularizer>
auto vicreg_value(const A& a, const B& b, const VicregOptions& options,
                  const Regularizer& regularizer, const Execution& execution) {
  check_loss("vicreg_loss", kLossNames, a, b, 2, options, regularizer, execution);
  return call_two_views(a, b, vicreg_runner<ScalarOf<A, B>>(options, regularizer, execution));
}

template <class A, class B, class GradientA, class GradientB, class Regularizer>
auto vicreg_gradient(const A& a, const B& b, GradientA& grad_a, GradientB& grad_b,
                     const VicregOptions& options, const Regularizer& regularizer,
                     const Execution& execution) {
  const Call call = check_loss("vicreg_loss", kLossNames, a, b, 2, options, regularizer, execution);
  return call_two_views(call, kLossNames, a, b, grad_a, grad_b,
                        vicreg_runner<ScalarOf<A, B>>(options, regularizer, execution));
}

template <class Z, class Regularizer>
auto variance_covariance_value(const Z& z, const VicregOptions& options,
                               const Regularizer& regularizer, const Execution& execution) {
  check_loss("variance_covariance_loss", kSingleNames, z, z, 2, options, regularizer, execution);
  return call_one_view(z, variance_covariance_runner<ScalarOf<Z>>(options, regularizer, execution));
}

template <class Z, class Gradient, class Regularizer>
auto variance_covariance_gradient(const Z& z, Gradient& grad, const VicregOptions& options,
                                  const Regularizer& regularizer, const Execution& execution) {
  const Call call = check_loss("variance_covariance_loss", kSingleNames, z, z, 2, options,
                               regularizer, execution);
  return call_one_view(call, kSingleNames, z, grad,
                       variance_covariance_runner<ScalarOf<Z>>(options, regularizer, execution));
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_LOSSES_HPP_
