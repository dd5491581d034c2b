#ifndef DECORR_DETAIL_LOSSES_VICREG_HPP_
#define DECORR_DETAIL_LOSSES_VICREG_HPP_

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

template <class Sum>
struct VicregTerms {
  Sum invariance = 0, variance = 0, covariance = 0;
};

// The variance and covariance terms of one view, and its part of the gradient: all of VCReg, and
// either half of VICReg.
template <class Scalar, class Regularizer>
class VarianceCovariance {
 public:
  using Sum = Accumulator<Scalar>;

  // The moments are not needed any longer.
  VarianceCovariance(const InputRows<Scalar>& input, ViewName name, ViewMoments<Scalar> moments,
                     const OutputRows<Scalar>& gradient, const VicregOptions& options,
                     const Regularizer& regularizer, const Execution& execution)
      : options_(options),
        name_(name),
        rows_(input.rows()),
        features_(input.cols()),
        deviations_(
            moments.deviations(static_cast<Sum>(rows_ - 1), static_cast<Sum>(options.epsilon))),
        standardization_(moments.mean, deviations_, false),
        prepared_(make_view(regularizer, name, input, standardization_)),
        form_(make_regularizer(regularizer, correlation(gradient), options.covariance_scaling,
                               execution)) {
    if (gradient) {
      gradient_.emplace(input, standardization_, gradient);
      gradient_->factor = Buffer<Scalar>(features_);
    }
  }
  // The form points to prepared_.
  VarianceCovariance(const VarianceCovariance&) = delete;
  VarianceCovariance& operator=(const VarianceCovariance&) = delete;

  // What is left for the final pass; only with a gradient.
  const ViewGradient<Scalar>& gradient() const { return *gradient_; }

  void accumulate() { form_.accumulate(0, rows_); }

  // Adds this view's terms, `variance_weight` being that of V_view, and sets the final pass's
  // coefficients.
  void finish(Sum variance_weight, VicregTerms<Sum>& terms) {
    const Sum gamma = static_cast<Sum>(options_.gamma);
    const Sum d = static_cast<Sum>(features_), degrees = static_cast<Sum>(rows_ - 1);
    const Sum covariance_weight =
        static_cast<Sum>(options_.scale) * static_cast<Sum>(options_.covariance) /
        (options_.covariance_scaling == CovarianceScaling::per_dimension ? d : Sum(1));
    terms.covariance += covariance_weight * form_.finish(covariance_weight);
    // mean((A-B)^2) has n d terms; its gradient is 2 (A-B) / (n d) for one view and the opposite
    // for the other.
    const Sum invariance_slope = static_cast<Sum>(options_.scale) *
                                 static_cast<Sum>(options_.invariance) * 2 /
                                 (static_cast<Sum>(rows_) * d) * (name_ == ViewName::a ? 1 : -1);
    for (Index j = 0; j < features_; ++j) {
      const Sum deviation = deviations_[j], gap = gamma - deviation;
      // Not std::max(0, gap): a NaN is to stay one.
      const bool inactive = gap <= 0;
      terms.variance += inactive ? Sum(0) : variance_weight * gap / d;
      if (gradient_) {
        gradient_->regularizer[j] = prepared_.sign(j);
        gradient_->own[j] =
            inactive ? Scalar(0) : static_cast<Scalar>(-variance_weight / (d * degrees));
        gradient_->factor[j] =
            static_cast<Scalar>(Standardization<Scalar>::inverse_deviation(deviation));
        gradient_->other[j] = static_cast<Scalar>(invariance_slope);
      }
    }
  }

  // Writes the covariance's gradient.
  void differentiate() {
    if (gradient_) {
      form_.gradient(0, rows_);
    }
  }

 private:
  using Form = decltype(make_regularizer(
      std::declval<const Regularizer&>(), std::declval<Correlation<Scalar>>(),
      CovarianceScaling::per_dimension, std::declval<Execution>()));

  Correlation<Scalar> correlation(const OutputRows<Scalar>& gradient) {
    Correlation<Scalar> correlation;
    correlation.left = correlation.right = &prepared_;
    correlation.normalizer = static_cast<Sum>(rows_ - 1);
    correlation.left_gradient = gradient;
    return correlation;
  }

  VicregOptions options_;
  ViewName name_;
  Index rows_, features_;
  Buffer<Sum> deviations_;
  Standardization<Scalar> standardization_;  // centring only
  PreparedView<Scalar> prepared_;
  Form form_;
  std::optional<ViewGradient<Scalar>> gradient_;
};

template <class Scalar, class Regularizer>
VicregTerms<Accumulator<Scalar>> vicreg(const InputRows<Scalar>& a, const InputRows<Scalar>& b,
                                        const OutputRows<Scalar>& grad_a,
                                        const OutputRows<Scalar>& grad_b,
                                        const VicregOptions& options,
                                        const Regularizer& regularizer,
                                        const Execution& execution) {
  using Sum = Accumulator<Scalar>;
  auto moments = take_moments(a, &b, static_cast<Sum>(options.epsilon), execution.threads);
  VarianceCovariance<Scalar, Regularizer> half_a(a, ViewName::a, std::move(moments.a), grad_a,
                                                 options, regularizer, execution);
  VarianceCovariance<Scalar, Regularizer> half_b(b, ViewName::b, std::move(moments.b), grad_b,
                                                 options, regularizer, execution);
  std::optional<FinalPass<Scalar>> final_pass;
  if (grad_a) {
    final_pass.emplace(half_a.gradient(), &half_b.gradient(), OtherTerm::difference,
                       execution.threads);
  }

  VicregTerms<Sum> terms;
  const Sum scale = static_cast<Sum>(options.scale);
  const Sum invariance_weight = scale * static_cast<Sum>(options.invariance) /
                                (static_cast<Sum>(a.rows()) * static_cast<Sum>(a.cols()));
  for (Index j = 0; j < a.cols(); ++j) {
    terms.invariance += moments.weighted_difference(j, invariance_weight);
  }
  const Sum variance_weight =
      scale * static_cast<Sum>(options.variance) / (options.sum_variance ? 1 : 2);
  half_a.accumulate();
  half_b.accumulate();
  half_a.finish(variance_weight, terms);
  half_b.finish(variance_weight, terms);
  // View b first, as it is still in the cache.
  half_b.differentiate();
  half_a.differentiate();
  if (final_pass) {
    final_pass->run();
  }
  return terms;
}

template <class Scalar, class Regularizer>
VicregTerms<Accumulator<Scalar>> variance_covariance(const InputRows<Scalar>& z,
                                                     const OutputRows<Scalar>& grad,
                                                     const VicregOptions& options,
                                                     const Regularizer& regularizer,
                                                     const Execution& execution) {
  using Sum = Accumulator<Scalar>;
  const InputRows<Scalar>* none = nullptr;
  auto moments = take_moments(z, none, static_cast<Sum>(options.epsilon), execution.threads);
  VarianceCovariance<Scalar, Regularizer> view(z, ViewName::a, std::move(moments.a), grad, options,
                                               regularizer, execution);
  std::optional<FinalPass<Scalar>> final_pass;
  if (grad) {
    final_pass.emplace(view.gradient(), nullptr, OtherTerm::none, execution.threads);
  }
  VicregTerms<Sum> terms;
  view.accumulate();
  view.finish(static_cast<Sum>(options.scale) * static_cast<Sum>(options.variance), terms);
  view.differentiate();
  if (final_pass) {
    final_pass->run();
  }
  return terms;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_VICREG_HPP_
