#ifndef DECORR_DETAIL_BARLOW_TWINS_HPP_
#define DECORR_DETAIL_BARLOW_TWINS_HPP_

#include <cmath>
#include <optional>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/moments.hpp"
#include "decorr/detail/regularizer.hpp"
#include "decorr/detail/standardization.hpp"
#include "decorr/detail/views.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The parts of a loss in full precision.
template <class Sum>
struct BarlowTwinsTerms {
  Sum diagonal = 0, off_diagonal = 0;
};

// Barlow Twins: moments, the diagonal of C from them, and a regularizer of the cross-correlation.
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

  Moments<Scalar> moments(features, true);
  moments.accumulate(a, &b);
  auto inverse_a = Buffer<Sum>::filled(features, Sum(1)),
       inverse_b = Buffer<Sum>::filled(features, Sum(1));
  Buffer<Sum> diagonal(features);
  Standardization<Scalar> standardization_a, standardization_b;
  if (options.standardize) {
    Buffer<Sum> deviation_a(features), deviation_b(features);
    for (Index j = 0; j < features; ++j) {
      deviation_a[j] = std::sqrt(moments.squares_a[j] / n + static_cast<Sum>(options.epsilon));
      deviation_b[j] = std::sqrt(moments.squares_b[j] / n + static_cast<Sum>(options.epsilon));
      inverse_a[j] = Standardization<Scalar>::inverse_deviation(deviation_a[j]);
      inverse_b[j] = Standardization<Scalar>::inverse_deviation(deviation_b[j]);
      diagonal[j] = moments.products[j] / n * inverse_a[j] * inverse_b[j];
    }
    standardization_a = Standardization<Scalar>(moments.mean_a, deviation_a.data());
    standardization_b = Standardization<Scalar>(moments.mean_b, deviation_b.data());
  } else {
    for (Index j = 0; j < features; ++j) {
      diagonal[j] = moments.products[j] / n + moments.mean_a[j] * moments.mean_b[j];
    }
  }

  auto view_a = make_view(regularizer, ViewName::a, a, standardization_a);
  auto view_b = make_view(regularizer, ViewName::b, b, standardization_b);
  Correlation<Scalar> correlation;
  correlation.left = &view_a;
  correlation.right = &view_b;
  correlation.normalizer = n;
  correlation.left_gradient = grad_a;
  correlation.right_gradient = grad_b;
  auto form =
      make_regularizer(regularizer, correlation, CovarianceScaling::per_dimension, execution);
  std::optional<ViewGradient<Scalar>> gradient_a, gradient_b;
  if (correlation.has_gradient()) {
    const typename ViewGradient<Scalar>::View own_a{&a, &standardization_a},
        own_b{&b, &standardization_b};
    gradient_a.emplace(own_a, own_b, OtherTerm::other_view, grad_a);
    gradient_b.emplace(own_b, own_a, OtherTerm::other_view, grad_b);
  }

  // From here on nothing of the library's own can fail, so the outputs may be written.
  BarlowTwinsTerms<Sum> terms;
  for (Index j = 0; j < features; ++j) {
    terms.diagonal += scale * (1 - diagonal[j]) * (1 - diagonal[j]);
  }
  terms.off_diagonal = weight * correlate(form, a.rows(), weight);
  if (correlation.has_gradient()) {
    differentiate(form, a.rows());
    // With g the gradient with respect to x^ = (x - mean) / sigma, dx = (g - mean(g) - x^ mean(g
    // x^)) / sigma. mean(g) is zero, since g is a combination of the other view's centred features.
    const auto finish = [&](ViewGradient<Scalar>& gradient, const Buffer<Sum>& inverse) {
      const Sum* products = options.standardize ? gradient.products() : nullptr;
      for (Index j = 0; j < features; ++j) {
        const Sum slope = -2 * scale * (1 - diagonal[j]) / n;
        const Sum through_variance =
            options.standardize ? products[j] / n + slope * diagonal[j] : Sum(0);
        gradient.regularizer[j] = static_cast<Scalar>(inverse[j]);
        gradient.own[j] = static_cast<Scalar>(-through_variance * inverse[j]);
        gradient.other[j] = static_cast<Scalar>(slope * inverse[j]);
      }
      gradient.finish();
    };
    finish(*gradient_a, inverse_a);
    finish(*gradient_b, inverse_b);
  }
  return terms;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_BARLOW_TWINS_HPP_
