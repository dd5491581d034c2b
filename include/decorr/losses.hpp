#ifndef DECORR_LOSSES_HPP_
#define DECORR_LOSSES_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>

#include "decorr/detail/call/losses.hpp"
#include "decorr/options.hpp"

/// @file
/// Whole losses on raw embeddings: centring and scaling are inside, and gradients go through them.
///
/// For all functions here: inputs are n x d, a row is one sample's embedding; n at least 2 where a
/// variance is taken. Float, double, long double; half and bfloat16 are computed in float, and
/// their gradients may be float or 16-bit. Either storage order, Maps, blocks and other views with
/// strides are read in place, other expressions are evaluated once. Gradients are with respect to
/// the raw embeddings, `scale` included; they go to any matrix or view that can be assigned to, are
/// overwritten, never resized, and may overlap neither the inputs nor each other (regularizers.hpp
/// says what counts as overlapping). The regularizer is Exact (the default, also for {}) or
/// Relaxed. The published weights differ between the two, see presets.hpp: a lambda of 0.0051 on a
/// plain Relaxed is not the published loss. NaN and infinities in the data propagate to the value
/// and the gradients; a constant feature gives finite results. Standardization and the variance
/// term are accurate for deviations that are normal numbers of the scalar up to a quarter of its
/// largest, whatever their mixture and epsilon; a deviation (epsilon included) below the smallest
/// normal number counts as zero, like that of a constant feature. Terms and gradients beyond the
/// scalar's range are infinite or NaN. Features so small that their products are subnormal numbers
/// (1e-20 in float) can take many times as long (docs/performance.md). Throws
/// std::invalid_argument, naming
/// function, argument and both values, for shapes that differ, empty matrices, too few rows,
/// gradients that overlap or whose elements share memory, and options out of range (weights, gamma
/// and scale are finite, epsilon at least 0 too, and the regularizer's as options.hpp says);
/// std::bad_alloc and std::runtime_error (no plan) as they come. Gradients are untouched when a
/// function throws. All functions may be called from several threads at once. Cost: O(n d) for the
/// moments and the regularizer's own (regularizers.hpp); memory beyond inputs and outputs is the
/// regularizer's and O(d), and n d numbers for each gradient that is stored in 16 bits or in a view
/// whose type knows no strides (by indices, reversed).

namespace decorr {

/// The weighted terms of a Barlow Twins loss; value is their sum.
template <class Scalar>
struct BarlowTwinsLoss {
  Scalar value;
  Scalar diagonal;      ///< scale * sum_i (1 - C_ii)^2, the invariance term of the paper
  Scalar off_diagonal;  ///< scale * lambda * R(C), the redundancy reduction term
};

/// The weighted terms of a VICReg loss; value is their sum.
template <class Scalar>
struct VicregLoss {
  Scalar value;
  Scalar invariance;
  Scalar variance;
  Scalar covariance;
};

/// The weighted terms of variance_covariance_loss; value is their sum.
template <class Scalar>
struct VarianceCovarianceLoss {
  Scalar value;
  Scalar variance;
  Scalar covariance;
};

inline namespace DECORR_ABI {

/// Barlow Twins: scale * ( sum_i (1 - C_ii)^2 + lambda * R(C) ), C = A^T B / n of the views
/// standardized per feature with the biased variance and epsilon under the root. Zbontar et al.
/// 2021, arXiv 2103.03230, equations 1 and 2; relaxed after Shigeto et al. 2023, arXiv 2301.01569.
/// Defaults: facebookresearch/barlowtwins. Value only.
template <class A, class B>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::MatrixBase<A>& z_a,
                                                          const Eigen::MatrixBase<B>& z_b,
                                                          const BarlowTwinsOptions& options = {},
                                                          const Exact& regularizer = {},
                                                          const Execution& execution = {}) {
  return detail::barlow_twins_value(z_a.derived(), z_b.derived(), options, regularizer, execution);
}

// The overloads for Relaxed bind to a base class further up, which makes {} in the regularizer's
// place mean Exact.

/// The same with the relaxed regularizer.
template <class A, class B>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::DenseBase<A>& z_a,
                                                          const Eigen::DenseBase<B>& z_b,
                                                          const BarlowTwinsOptions& options,
                                                          const Relaxed& regularizer,
                                                          const Execution& execution = {}) {
  return detail::barlow_twins_value(z_a.derived(), z_b.derived(), options, regularizer, execution);
}

/// Barlow Twins, value and gradients.
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::MatrixBase<A>& z_a,
                                                          const Eigen::MatrixBase<B>& z_b,
                                                          GradientA&& grad_a, GradientB&& grad_b,
                                                          const BarlowTwinsOptions& options = {},
                                                          const Exact& regularizer = {},
                                                          const Execution& execution = {}) {
  return detail::barlow_twins_gradient(z_a.derived(), z_b.derived(), grad_a, grad_b, options,
                                       regularizer, execution);
}

/// The same with the relaxed regularizer.
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
BarlowTwinsLoss<detail::ScalarOf<A, B>> barlow_twins_loss(const Eigen::DenseBase<A>& z_a,
                                                          const Eigen::DenseBase<B>& z_b,
                                                          GradientA&& grad_a, GradientB&& grad_b,
                                                          const BarlowTwinsOptions& options,
                                                          const Relaxed& regularizer,
                                                          const Execution& execution = {}) {
  return detail::barlow_twins_gradient(z_a.derived(), z_b.derived(), grad_a, grad_b, options,
                                       regularizer, execution);
}

/// VICReg: scale * ( invariance * mean((A-B)^2) + variance * V + covariance * (R(K_A) + R(K_B)) / d
/// ), V the average (or sum) over the views of mean_j max(0, gamma - sqrt(var_j + epsilon)), K =
/// centred X^T X / (n - 1), var unbiased. Bardes et al. 2022, arXiv 2105.04906, equations 1 to 6.
/// Defaults: facebookresearch/vicreg. Value only.
template <class A, class B>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::MatrixBase<A>& z_a,
                                               const Eigen::MatrixBase<B>& z_b,
                                               const VicregOptions& options = {},
                                               const Exact& regularizer = {},
                                               const Execution& execution = {}) {
  return detail::vicreg_value(z_a.derived(), z_b.derived(), options, regularizer, execution);
}

/// The same with the relaxed regularizer: K_A with signs_a, K_B with signs_b.
template <class A, class B>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::DenseBase<A>& z_a,
                                               const Eigen::DenseBase<B>& z_b,
                                               const VicregOptions& options,
                                               const Relaxed& regularizer,
                                               const Execution& execution = {}) {
  return detail::vicreg_value(z_a.derived(), z_b.derived(), options, regularizer, execution);
}

/// VICReg, value and gradients.
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::MatrixBase<A>& z_a,
                                               const Eigen::MatrixBase<B>& z_b, GradientA&& grad_a,
                                               GradientB&& grad_b,
                                               const VicregOptions& options = {},
                                               const Exact& regularizer = {},
                                               const Execution& execution = {}) {
  return detail::vicreg_gradient(z_a.derived(), z_b.derived(), grad_a, grad_b, options, regularizer,
                                 execution);
}

/// The same with the relaxed regularizer.
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
VicregLoss<detail::ScalarOf<A, B>> vicreg_loss(const Eigen::DenseBase<A>& z_a,
                                               const Eigen::DenseBase<B>& z_b, GradientA&& grad_a,
                                               GradientB&& grad_b, const VicregOptions& options,
                                               const Relaxed& regularizer,
                                               const Execution& execution = {}) {
  return detail::vicreg_gradient(z_a.derived(), z_b.derived(), grad_a, grad_b, options, regularizer,
                                 execution);
}

/// Variance and covariance of one view: scale * ( variance * V + covariance * R(K) / d ), for any
/// layer; the options' invariance and sum_variance are not used. With Relaxed, signs_a are the
/// view's. Zhu et al. 2023 (VCReg), arXiv 2306.13292. Value only.
template <class Z>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::MatrixBase<Z>& z, const VicregOptions& options = {}, const Exact& regularizer = {},
    const Execution& execution = {}) {
  return detail::variance_covariance_value(z.derived(), options, regularizer, execution);
}

/// The same with the relaxed regularizer.
template <class Z>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::DenseBase<Z>& z, const VicregOptions& options, const Relaxed& regularizer,
    const Execution& execution = {}) {
  return detail::variance_covariance_value(z.derived(), options, regularizer, execution);
}

/// Variance and covariance of one view, value and gradient.
template <class Z, class Gradient, detail::EnableGradient<Gradient> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::MatrixBase<Z>& z, Gradient&& grad, const VicregOptions& options = {},
    const Exact& regularizer = {}, const Execution& execution = {}) {
  return detail::variance_covariance_gradient(z.derived(), grad, options, regularizer, execution);
}

/// The same with the relaxed regularizer.
template <class Z, class Gradient, detail::EnableGradient<Gradient> = 0>
VarianceCovarianceLoss<detail::ScalarOf<Z>> variance_covariance_loss(
    const Eigen::DenseBase<Z>& z, Gradient&& grad, const VicregOptions& options,
    const Relaxed& regularizer, const Execution& execution = {}) {
  return detail::variance_covariance_gradient(z.derived(), grad, options, regularizer, execution);
}

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_LOSSES_HPP_
