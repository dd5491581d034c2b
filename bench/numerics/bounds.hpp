#ifndef DECORR_BENCH_NUMERICS_BOUNDS_HPP_
#define DECORR_BENCH_NUMERICS_BOUNDS_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "definition.hpp"
#include "support/loss_cases.hpp"

/// @file
/// How far rounding takes the library from the definition: the formulas and the constants that
/// docs/numerics.md states, in one place for the program that measures and the tests that insist.

namespace decorr_numerics {

using decorr_tests::Family;
using decorr_tests::LossCase;

/// The constants, in units of epsilon, for value and gradient.
inline constexpr double kValueConstant = 8, kGradientConstant = 8;

/// The rounding and the range of the scalar that computes, in double.
struct Arithmetic {
  double epsilon, accumulator_epsilon;
  double smallest, largest;  ///< normal numbers
};
template <class Scalar>
Arithmetic arithmetic_of() {
  using Accumulator = decltype(Scalar() + double());
  using Limits = std::numeric_limits<Scalar>;
  using Double = std::numeric_limits<double>;
  constexpr bool kIsWider = Limits::max_exponent > Double::max_exponent;
  return {static_cast<double>(Limits::epsilon()),
          static_cast<double>(std::numeric_limits<Accumulator>::epsilon()),
          kIsWider ? Double::min() : static_cast<double>(Limits::min()),
          kIsWider ? Double::max() : static_cast<double>(Limits::max())};
}

/// What an error is at most. Gradients' errors are meant in the 2-norm over all entries.
struct Bound {
  double value = 0, grad_a = 0, grad_b = 0;
  double largest = 0;  ///< of all that is computed on the way

  void add(const Bound& part, double weight) {
    value += weight * part.value;
    grad_a += weight * part.grad_a;
    grad_b += weight * part.grad_b;
    largest = std::max(largest, part.largest * std::max(weight, 1.0));
  }
};

template <class Derived>
double norm(const Eigen::MatrixBase<Derived>& x) {
  return static_cast<double>(Exact(sqrt(Exact(x.squaredNorm()))));
}

/// What is rounded, N = sqrt( sum_k |a_k|^2 |b_k|^2 ) / m over the samples.
inline double size_of_products(const Matrix<Exact>& a, const Matrix<Exact>& b, double m) {
  Exact sum(0);
  for (Index k = 0; k < a.rows(); ++k) sum += a.row(k).squaredNorm() * b.row(k).squaredNorm();
  return static_cast<double>(Exact(sqrt(sum))) / m;
}

/// How rounding grows with the block, as that of a transform does: sqrt(1 + log2 b).
inline double growth(Index block_size) {
  return std::sqrt(1 + std::log2(static_cast<double>(block_size)));
}

/// Of R, and of its gradients by the prepared views.
inline Bound regularizer_bound(const Regularized<Exact>& r, const Lags& lags,
                               const Matrix<Exact>& a, const Matrix<Exact>& b, double m,
                               const Arithmetic& arithmetic) {
  const double unit = arithmetic.epsilon * growth(lags.block_size());
  const auto d = static_cast<double>(a.cols()), count = static_cast<double>(r.lag_sums.size());
  // Products that underflow count as the smallest normal number.
  const double n = size_of_products(a, b, m) + std::sqrt(d) * arithmetic.smallest;
  const double value = static_cast<double>(r.value), norm_a = norm(a), norm_b = norm(b);
  const double in_value = kValueConstant * unit, in_gradient = kGradientConstant * unit;
  Bound bound;
  double root, of_one;  // the size of the lag sums, and what their derivatives are off by
  if (lags.exponent() == 2) {
    root = std::sqrt(value);
    bound.value = in_value * root * (root + n) + in_value * in_value * n * n;
    of_one = in_gradient * 2 * (root + n);
  } else {
    root = value;
    bound.value = in_value * (value + std::sqrt(count) * n);
    // The derivative of a lag sum is +1 or -1, and may be either where rounding reaches zero.
    const auto turned = std::count_if(r.lag_sums.begin(), r.lag_sums.end(), [&](const Exact& sum) {
      return abs(sum) <= Exact(in_value * n);
    });
    of_one = in_gradient * std::sqrt(count) + 2 * static_cast<double>(turned);
  }
  bound.value += arithmetic.smallest;
  bound.grad_a = in_gradient * norm(r.grad_a) + of_one / m * norm_b + arithmetic.smallest;
  bound.grad_b = in_gradient * norm(r.grad_b) + of_one / m * norm_a + arithmetic.smallest;
  bound.largest = std::max({(root + d * n) * (root + d * n), m * d * n, (root + n) / m * norm_a * d,
                            (root + n) / m * norm_b * d});
  return bound;
}

/// What a mean adds to the rounding of its feature in all samples, over epsilon of the
/// accumulators.
inline double size_of_mean(const View<Exact>& view, Index j, bool is_standardized) {
  if (is_standardized && !(view.deviation[j] > 0)) return 0;
  const Exact mean = is_standardized ? Exact(view.mean[j] / view.deviation[j]) : view.mean[j];
  return static_cast<double>(Exact(abs(mean))) * std::sqrt(static_cast<double>(view.rows.rows()));
}
/// The same of the view as a whole, beside its numbers as they are then.
inline Arithmetic with_means(Arithmetic arithmetic, const View<Exact>& view, bool is_standardized) {
  double squares = 0;
  for (Index j = 0; j < view.mean.size(); ++j) {
    squares += std::pow(size_of_mean(view, j, is_standardized), 2);
  }
  const double size = norm(view.rows);
  if (size > 0) arithmetic.epsilon += arithmetic.accumulator_epsilon * std::sqrt(squares) / size;
  return arithmetic;
}

/// sum_i (1 - C_ii)^2.
inline Bound diagonal_bound(const Defined<Exact>& defined, const Arithmetic& arithmetic) {
  const auto n = static_cast<double>(defined.a.rows.rows());
  const auto d = static_cast<double>(defined.diagonal.size());
  const double gap = norm((Exact(1) - defined.diagonal.array()).matrix());
  const double in_value = kValueConstant * arithmetic.epsilon;
  Bound bound;
  bound.value = in_value * gap * (gap + std::sqrt(d)) + in_value * in_value * d;
  // Of each feature the other view's, times what its C_ii is away from 1, which of views as they
  // are may be far.
  const double in_gradient = kGradientConstant * arithmetic.epsilon * 2 / n;
  const Vector<Exact> missing = (Exact(1) - defined.diagonal.array()).abs().max(Exact(1)).matrix();
  bound.grad_a = in_gradient * norm(Matrix<Exact>(defined.b.rows * missing.asDiagonal()));
  bound.grad_b = in_gradient * norm(Matrix<Exact>(defined.a.rows * missing.asDiagonal()));
  return bound;
}

/// mean_j max(0, gamma - sigma_j) of one view.
inline Bound hinge_bound(const View<Exact>& view, double gamma, const Arithmetic& arithmetic) {
  const auto d = static_cast<double>(view.mean.size());
  const auto m = static_cast<double>(view.rows.rows() - 1);
  const double in_gradient = kGradientConstant * arithmetic.epsilon;
  Bound bound;
  double squares = 0;
  for (Index j = 0; j < view.mean.size(); ++j) {
    const auto deviation = static_cast<double>(view.deviation[j]);
    if (deviation > gamma * (1 + in_gradient)) continue;
    bound.value += kValueConstant * arithmetic.epsilon * gamma / d;
    // Beside the kink the whole derivative.
    const double share = deviation >= gamma * (1 - in_gradient) ? 1 : in_gradient;
    const double of_mean =
        kGradientConstant * arithmetic.accumulator_epsilon * size_of_mean(view, j, false);
    const double of_one =
        deviation == 0 ? 0 : (share * norm(view.rows.col(j)) + of_mean) / (d * m * deviation);
    squares += of_one * of_one;
  }
  bound.grad_a = std::sqrt(squares);
  return bound;
}

/// mean((A - B)^2).
inline Bound invariance_bound(const Defined<Exact>& defined, const Arithmetic& arithmetic) {
  const auto size = static_cast<double>(defined.a.rows.size());
  const auto mean = static_cast<double>(defined.invariance);
  const double gradient = kGradientConstant * arithmetic.epsilon * 2 * std::sqrt(mean / size);
  return {kValueConstant * arithmetic.epsilon * mean, gradient, gradient, size * mean};
}

/// Variance and covariance of one view; the gradient is grad_a.
inline Bound view_bound(const View<Exact>& view, const Regularized<Exact>& r, const Lags& lags,
                        const decorr::VicregOptions& options, double variance,
                        const Arithmetic& arithmetic) {
  const Arithmetic of_view = with_means(arithmetic, view, false);
  const auto m = static_cast<double>(view.rows.rows() - 1);
  Bound covariance = regularizer_bound(r, lags, view.rows, view.rows, m, of_view);
  // Both factors are this view.
  covariance.grad_a *= 2;
  covariance.grad_b = 0;
  Bound bound;
  bound.add(covariance, options.scale * options.covariance / static_cast<double>(view.mean.size()));
  bound.add(hinge_bound(view, options.gamma, arithmetic), options.scale * variance);
  return bound;
}

/// Of a call. Gradients by views that are standardized are meant times the features' deviations.
inline Bound bound_of(const LossCase& loss_case, const Defined<Exact>& defined,
                      const Arithmetic& arithmetic) {
  const Matrix<Exact>&a = defined.a.rows, &b = defined.b.rows;
  const bool is_covariance =
      defined.diagonal.size() == 0 && loss_case.family != Family::regularizer;
  const Lags lags(loss_case.relaxed(), a.cols(), is_covariance);
  const auto n = static_cast<double>(a.rows());
  Bound bound;
  if (loss_case.family == Family::regularizer) {
    bound = regularizer_bound(defined.of_a, lags, a, b, n, arithmetic);
  } else if (loss_case.family == Family::barlow_twins) {
    const auto& options = loss_case.barlow_twins;
    const Arithmetic with_both =
        options.standardize ? with_means(with_means(arithmetic, defined.a, true), defined.b, true)
                            : arithmetic;
    bound.add(diagonal_bound(defined, with_both), options.scale);
    bound.add(regularizer_bound(defined.of_a, lags, a, b, n, with_both),
              options.scale * options.lambda);
  } else {
    const auto& options = loss_case.vicreg;
    const bool halves = loss_case.family == Family::vicreg && !options.sum_variance;
    const double variance = options.variance * (halves ? 0.5 : 1);
    bound = view_bound(defined.a, defined.of_a, lags.of_view(false), options, variance, arithmetic);
    if (loss_case.family == Family::vicreg) {
      Bound of_b =
          view_bound(defined.b, defined.of_b, lags.of_view(true), options, variance, arithmetic);
      std::swap(of_b.grad_a, of_b.grad_b);
      bound.add(of_b, 1);
      bound.add(invariance_bound(defined, arithmetic), options.scale * options.invariance);
    }
  }
  bound.value += arithmetic.smallest;
  const double lost = arithmetic.epsilon * arithmetic.smallest * std::sqrt(n);
  bound.grad_a += lost * norm(defined.a.deviation);
  if (defined.b.deviation.size() > 0) bound.grad_b += lost * norm(defined.b.deviation);
  return bound;
}

}  // namespace decorr_numerics

#endif  // DECORR_BENCH_NUMERICS_BOUNDS_HPP_
