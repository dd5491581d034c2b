#ifndef DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_
#define DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_

#include <optional>
#include <utility>

#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/statistics/moments.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The parts of a loss in full precision.
template <class Sum>
struct BarlowTwinsTerms {
  Sum diagonal = 0, off_diagonal = 0;
};

// Barlow Twins: moments and the diagonal of C, and a regularizer of the cross-correlation.
// Gradients may be empty.
template <class Scalar, class Regularizer>
BarlowTwinsTerms<Accumulator<Scalar>> barlow_twins(
    const InputRows<Scalar>& a, const InputRows<Scalar>& b, const OutputRows<Scalar>& grad_a,
    const OutputRows<Scalar>& grad_b, const BarlowTwinsOptions& options,
    const Regularizer& regularizer, const Execution& execution) {
  using Sum = Accumulator<Scalar>;
  const Index features = a.cols();
  const Sum n = static_cast<Sum>(a.rows());
  const Sum scale = static_cast<Sum>(options.scale);
  const Sum weight = scale * static_cast<Sum>(options.lambda);

  Buffer<Sum> diagonal;  // of C
  Buffer<Sum> inverse_a, inverse_b;
  Standardization<Scalar> standardization_a, standardization_b;
  if (options.standardize) {
    const Sum epsilon = static_cast<Sum>(options.epsilon);
    auto moments = take_moments(a, &b, epsilon, execution.threads);
    const auto deviations_a = moments.a.deviations(n, epsilon),
               deviations_b = moments.b.deviations(n, epsilon);
    inverse_a = Standardization<Scalar>::inverse_deviations(deviations_a);
    inverse_b = Standardization<Scalar>::inverse_deviations(deviations_b);
    standardization_a = Standardization<Scalar>(moments.a.mean, deviations_a, true);
    standardization_b = Standardization<Scalar>(moments.b.mean, deviations_b, true);
    diagonal = std::move(moments.products);
    for (Index j = 0; j < features; ++j) {
      diagonal[j] = diagonal[j] / n * (moments.a.unit_of(j) * inverse_a[j]) *
                    (moments.b.unit_of(j) * inverse_b[j]);
    }
  } else {
    diagonal = mean_products(a, b, execution.threads);
    inverse_a = Buffer<Sum>::filled(features, Sum(1));
    inverse_b = Buffer<Sum>::filled(features, Sum(1));
  }

  const auto view_a = make_view(regularizer, ViewName::a, a, standardization_a);
  const auto view_b = make_view(regularizer, ViewName::b, b, standardization_b);
  Correlation<Scalar> correlation;
  correlation.left = &view_a;
  correlation.right = &view_b;
  correlation.normalizer = n;
  correlation.left_gradient = grad_a;
  correlation.right_gradient = grad_b;
  const bool through_variance = correlation.has_gradient() && options.standardize;
  Buffer<Sum> products_a, products_b;  // sum_k G_kj x^_kj
  if (through_variance) {
    products_a = Buffer<Sum>::filled(features, Sum(0));
    products_b = Buffer<Sum>::filled(features, Sum(0));
    correlation.left_products = products_a.data();
    correlation.right_products = products_b.data();
  }
  auto form =
      make_regularizer(regularizer, correlation, CovarianceScaling::per_dimension, execution);
  std::optional<ViewGradient<Scalar>> gradient_a, gradient_b;
  std::optional<FinalPass<Scalar>> final_pass;
  if (correlation.has_gradient()) {
    gradient_a.emplace(a, standardization_a, grad_a);
    gradient_b.emplace(b, standardization_b, grad_b);
    final_pass.emplace(*gradient_a, &*gradient_b, OtherTerm::other_view, execution.threads);
  }

  // From here on nothing of the library's own can fail, so the outputs may be written.
  BarlowTwinsTerms<Sum> terms;
  for (Index j = 0; j < features; ++j) {
    terms.diagonal += scale * (1 - diagonal[j]) * (1 - diagonal[j]);
  }
  form.accumulate(0, a.rows());
  terms.off_diagonal = weight * form.finish(weight);
  if (correlation.has_gradient()) {
    form.gradient(0, a.rows());
    // With g the gradient with respect to x^ = (x - mean) / sigma, dx = (g - mean(g) - x^ mean(g
    // x^)) / sigma. mean(g) is zero, since g is a combination of the other view's centred features.
    const auto set_coefficients = [&](ViewGradient<Scalar>& gradient,
                                      const PreparedView<Scalar>& view, const Buffer<Sum>& products,
                                      const Buffer<Sum>& inverse) {
      for (Index j = 0; j < features; ++j) {
        const Sum slope = -2 * scale * (1 - diagonal[j]) / n;
        const Sum variance_slope =
            through_variance ? products[j] / n + slope * diagonal[j] : Sum(0);
        gradient.regularizer[j] = static_cast<Scalar>(inverse[j]) * view.sign(j);
        gradient.own[j] = static_cast<Scalar>(-variance_slope * inverse[j]);
        gradient.other[j] = static_cast<Scalar>(slope * inverse[j]);
      }
    };
    set_coefficients(*gradient_a, view_a, products_a, inverse_a);
    set_coefficients(*gradient_b, view_b, products_b, inverse_b);
    final_pass->run();
  }
  return terms;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_
