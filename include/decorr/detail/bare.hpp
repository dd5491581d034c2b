#ifndef DECORR_DETAIL_BARE_HPP_
#define DECORR_DETAIL_BARE_HPP_

#include <Eigen/Core>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/border.hpp"
#include "decorr/detail/regularizer.hpp"
#include "decorr/options.hpp"

// The regularizers of C = A^T B / n alone: a loss without moments.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
Correlation<Scalar> bare_correlation(PreparedView<Scalar>& a, PreparedView<Scalar>& b,
                                     const OutputRows<Scalar>& grad_a,
                                     const OutputRows<Scalar>& grad_b) {
  Correlation<Scalar> correlation;
  correlation.left = &a;
  correlation.right = &b;
  correlation.normalizer = static_cast<Accumulator<Scalar>>(a.rows());
  correlation.left_gradient = grad_a;
  correlation.right_gradient = grad_b;
  return correlation;
}

// For rows that are already at hand, with any regularizer, an ExactRoute included.
template <class Scalar, class Regularizer>
Scalar bare(const InputRows<Scalar>& a, const InputRows<Scalar>& b,
            const OutputRows<Scalar>& grad_a, const OutputRows<Scalar>& grad_b,
            const Regularizer& regularizer, const Execution& execution) {
  const Standardization<Scalar> identity;
  auto view_a = make_view(regularizer, ViewName::a, a, identity);
  auto view_b = make_view(regularizer, ViewName::b, b, identity);
  const auto correlation = bare_correlation(view_a, view_b, grad_a, grad_b);
  auto form =
      make_regularizer(regularizer, correlation, CovarianceScaling::per_dimension, execution);
  const auto value = correlate(form, a.rows(), Accumulator<Scalar>(1));
  if (correlation.has_gradient()) {
    differentiate(form, a.rows());
  }
  return static_cast<Scalar>(value);
}

template <class A, class B, class Regularizer>
Call check_bare(const char* function, const A& a, const B& b, const Regularizer& regularizer,
                const Execution& execution) {
  const Call call(function);
  check_views(call, kRegularizerNames, a, b, 1);
  call.check(regularizer, a.cols());
  call.check(execution);
  return call;
}

template <class A, class B, class Regularizer>
ScalarOf<A, B> bare_value(const char* function, const A& a, const B& b,
                          const Regularizer& regularizer, const Execution& execution) {
  check_bare(function, a, b, regularizer, execution);
  return call_two_views(a, b, [&](const auto&... rows) {
    return bare<ScalarOf<A, B>>(rows..., regularizer, execution);
  });
}

template <class A, class B, class GradientA, class GradientB, class Regularizer>
ScalarOf<A, B> bare_gradient(const char* function, const A& a, const B& b, GradientA& grad_a,
                             GradientB& grad_b, const Regularizer& regularizer,
                             const Execution& execution) {
  const Call call = check_bare(function, a, b, regularizer, execution);
  return call_two_views(call, kRegularizerNames, a, b, grad_a, grad_b, [&](const auto&... rows) {
    return bare<ScalarOf<A, B>>(rows..., regularizer, execution);
  });
}

template <class A, class B>
Eigen::Matrix<ScalarOf<A, B>, Eigen::Dynamic, 1> bare_sumvec(const char* function, const A& a,
                                                             const B& b,
                                                             const Execution& execution) {
  using Scalar = ScalarOf<A, B>;
  check_bare(function, a, b, Exact{}, execution);
  return call_two_views(
      a, b, [&](const auto& rows_a, const auto& rows_b, const auto& no_gradient, const auto&) {
        const Standardization<Scalar> identity;
        auto view_a = make_view(Exact{}, ViewName::a, rows_a, identity);
        auto view_b = make_view(Exact{}, ViewName::b, rows_b, identity);
        // Exponent 1 is the one that goes through the lag domain.
        UngroupedRelaxed<Scalar> form(bare_correlation(view_a, view_b, no_gradient, no_gradient), 1,
                                      CovarianceScaling::per_dimension, execution.planning);
        for_each_chunk(rows_a.rows(), form.chunk_rows(),
                       [&](Index first, Index last) { form.accumulate(first, last); });
        const auto* lags = form.lags();
        Eigen::Matrix<Scalar, Eigen::Dynamic, 1> result(rows_a.cols());
        for (Index i = 0; i < result.size(); ++i) {
          result[i] = lags[i].real();
        }
        return result;
      });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_BARE_HPP_
