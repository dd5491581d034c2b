#ifndef DECORR_LOSSES_HPP_
#define DECORR_LOSSES_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <utility>

#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/misuse.hpp"
#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

/// @file
/// Whole losses on raw embeddings: centring and scaling are inside, and gradients go through them.
///
/// For all functions here: inputs are n x d, a row is one sample's embedding; n at least 2 where a
/// variance is taken. Float, double, long double; half and bfloat16 are computed in float, and
/// their gradients may be float or 16-bit. Either storage order, Maps, blocks and other views with
/// strides are read in place, other expressions are evaluated once. Gradients are with respect to
/// the raw embeddings, `scale` included; they go to any matrix, array or view that can be assigned
/// to, are overwritten, never resized, and may overlap neither the inputs nor each other
/// (regularizers.hpp says what counts as overlapping). `no_gradient` in a gradient's place leaves
/// that view without one, as a teacher's: what is computed for it alone is not paid for (all of its
/// backward pass in vicreg_loss, a product with the exact and the grouped regularizers, its last
/// step; the transforms of an ungrouped Relaxed serve both views at once). The regularizer is Exact
/// (the default, also for {}) or Relaxed. The published weights differ between the two, see
/// presets.hpp: a lambda of 0.0051 on a plain Relaxed is not the published loss. NaN and infinities
/// in the data propagate to the value and the gradients; a constant feature gives finite results.
/// Standardization and the variance term are accurate for deviations that are normal numbers of the
/// scalar up to a quarter of its largest, whatever their mixture and epsilon; a deviation (epsilon
/// included) below the smallest normal number counts as zero, like that of a constant feature. What
/// rounding leaves of values and gradients has a bound (docs/numerics.md), one for all features of
/// a view together: with Relaxed a small feature's gradient has the rounding of the large ones'.
/// Terms and gradients beyond the scalar's range are infinite or NaN. Features so small that their
/// products are subnormal numbers (1e-20 in float) can take many times as long
/// (docs/performance.md). Throws InvalidArgument, a std::invalid_argument that names function,
/// argument and both values, for shapes that differ, empty matrices, too few rows, gradients that
/// overlap or whose elements share memory, and options out of range (weights, gamma and scale are
/// finite, epsilon at least 0 too, and the regularizer's as options.hpp says); std::bad_alloc and
/// std::runtime_error (no plan) as they come. With Execution::communicator a call is one of several
/// processes', rows are counted over all of them, and what another one fails by is thrown as a
/// CollectiveError (docs/distributed.md). Gradients are untouched when a function throws, but where
/// a communicator fails in the last sum of Barlow Twins (communicator.hpp). All functions may be
/// called from several threads at once. Cost: O(n d) for the moments and the regularizer's own
/// (regularizers.hpp); memory beyond inputs and outputs is the regularizer's and O(d), and n d
/// numbers for each gradient that is stored in 16 bits or in a view whose type knows no strides (by
/// indices, reversed).

namespace decorr {
inline namespace DECORR_ABI {

/// Barlow Twins: scale * ( sum_i (1 - C_ii)^2 + lambda * R(C) ), C = A^T B / n of the views
/// standardized per feature with the biased variance and epsilon under the root. Zbontar et al.
/// 2021, arXiv 2103.03230, equations 1 and 2; relaxed after Shigeto et al. 2023, arXiv 2301.01569.
/// Defaults: facebookresearch/barlowtwins. Value and gradients.
///
/// @snippet losses.cpp barlow_twins_loss
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::DenseBase<A>& z_a,
                                                          const Eigen::DenseBase<B>& z_b,
                                                          GradientA&& grad_a, GradientB&& grad_b,
                                                          const BarlowTwinsOptions& options = {},
                                                          const Regularizer& regularizer = {},
                                                          const Execution& execution = {}) {
  return detail::evaluate<detail::BarlowTwinsFirstPass>(
      "barlow_twins_loss", z_a.derived(), z_b.derived(), std::forward<GradientA>(grad_a),
      std::forward<GradientB>(grad_b), options, regularizer, execution);
}

/// Barlow Twins, value only.
template <class A, class B>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::DenseBase<A>& z_a,
                                                          const Eigen::DenseBase<B>& z_b,
                                                          const BarlowTwinsOptions& options = {},
                                                          const Regularizer& regularizer = {},
                                                          const Execution& execution = {}) {
  return barlow_twins_loss(z_a, z_b, no_gradient, no_gradient, options, regularizer, execution);
}

/// VICReg: scale * ( invariance * mean((A-B)^2) + variance * V + covariance * (R(K_A) + R(K_B)) / d
/// ), V the average (or sum) over the views of mean_j max(0, gamma - sqrt(var_j + epsilon)), K =
/// centred X^T X / (n - 1), var unbiased. With Relaxed, K_A has signs_a and K_B signs_b: signs of
/// both views or of none, anything else is refused. Bardes et al. 2022, arXiv 2105.04906, equations
/// 1 to 6. Defaults: facebookresearch/vicreg. Value and gradients.
///
/// @snippet losses.cpp vicreg_loss
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::DenseBase<A>& z_a,
                                               const Eigen::DenseBase<B>& z_b, GradientA&& grad_a,
                                               GradientB&& grad_b,
                                               const VicregOptions& options = {},
                                               const Regularizer& regularizer = {},
                                               const Execution& execution = {}) {
  return detail::evaluate<detail::VicregFirstPass>(
      "vicreg_loss", z_a.derived(), z_b.derived(), std::forward<GradientA>(grad_a),
      std::forward<GradientB>(grad_b), options, regularizer, execution);
}

/// VICReg, value only.
template <class A, class B>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::DenseBase<A>& z_a,
                                               const Eigen::DenseBase<B>& z_b,
                                               const VicregOptions& options = {},
                                               const Regularizer& regularizer = {},
                                               const Execution& execution = {}) {
  return vicreg_loss(z_a, z_b, no_gradient, no_gradient, options, regularizer, execution);
}

/// Of one view, whose gradient is the second argument: a second view would be overwritten. scale *
/// ( variance * V + covariance * R(K) / d ), for any layer; the options' invariance and
/// sum_variance are not used. With Relaxed, signs_a are the view's. Zhu et al. 2023 (VCReg), arXiv
/// 2306.13292. Value and gradient.
///
/// @snippet losses.cpp variance_covariance_loss
template <class Z, class Gradient, detail::EnableGradient<Gradient> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::DenseBase<Z>& z, Gradient&& grad, const VicregOptions& options = {},
    const Regularizer& regularizer = {}, const Execution& execution = {}) {
  return detail::evaluate<detail::VcregFirstPass>("variance_covariance_loss", z.derived(),
                                                  detail::NoView(), std::forward<Gradient>(grad),
                                                  no_gradient, options, regularizer, execution);
}

/// Variance and covariance of one view, value only.
template <class Z>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::DenseBase<Z>& z, const VicregOptions& options = {},
    const Regularizer& regularizer = {}, const Execution& execution = {}) {
  return variance_covariance_loss(z, no_gradient, options, regularizer, execution);
}

/// @cond
// Settings in another order, a whole preset, the options of another loss, one gradient of two:
// compile to the sentence that says what is expected. {} has no type, and so overloads of its own.

template <class A, class... Arguments,
          detail::Misuse kFound = detail::misuse_of_loss<2, BarlowTwinsOptions, A, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOf<A>> barlow_twins_loss(const Eigen::DenseBase<A>&,
                                                       const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class B, class... Settings,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOf<A>> barlow_twins_loss(const Eigen::DenseBase<A>&,
                                                       const Eigen::DenseBase<B>&,
                                                       detail::DefaultOptions, const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class B, class GradientA, class GradientB, class... Settings,
          detail::EnableGradient<GradientA> = 0, detail::EnableGradient<GradientB> = 0,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOf<A>> barlow_twins_loss(const Eigen::DenseBase<A>&,
                                                       const Eigen::DenseBase<B>&, GradientA&&,
                                                       GradientB&&, detail::DefaultOptions,
                                                       const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class... Arguments,
          detail::Misuse kFound = detail::misuse_of_loss<2, VicregOptions, A, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOf<A>> vicreg_loss(const Eigen::DenseBase<A>&, const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class B, class... Settings,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOf<A>> vicreg_loss(const Eigen::DenseBase<A>&, const Eigen::DenseBase<B>&,
                                            detail::DefaultOptions, const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class B, class GradientA, class GradientB, class... Settings,
          detail::EnableGradient<GradientA> = 0, detail::EnableGradient<GradientB> = 0,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOf<A>> vicreg_loss(const Eigen::DenseBase<A>&, const Eigen::DenseBase<B>&,
                                            GradientA&&, GradientB&&, detail::DefaultOptions,
                                            const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Z, class... Arguments,
          detail::Misuse kFound = detail::misuse_of_loss<1, VicregOptions, Z, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(const Eigen::DenseBase<Z>&,
                                                                     const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Z, class... Settings,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(const Eigen::DenseBase<Z>&,
                                                                     detail::DefaultOptions,
                                                                     const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Z, class Gradient, class... Settings, detail::EnableGradient<Gradient> = 0,
          detail::Misuse kFound = detail::misuse_behind_default<Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(const Eigen::DenseBase<Z>&,
                                                                     Gradient&&,
                                                                     detail::DefaultOptions,
                                                                     const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
/// @endcond

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_LOSSES_HPP_
