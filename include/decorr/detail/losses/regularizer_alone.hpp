#ifndef DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
#define DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_

#include <Eigen/Core>
#include <optional>

#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"

// The regularizers of C = A^T B / n alone: a loss without moments.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
Correlation<Scalar> bare_correlation(const PreparedView<Scalar>& a, const PreparedView<Scalar>& b,
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

// The final pass of one view where there is nothing to go back through but its signs.
template <class Scalar>
class SignPass {
 public:
  SignPass(const PreparedView<Scalar>& view, const Standardization<Scalar>& identity,
           const OutputRows<Scalar>& gradient, int threads)
      : coefficients_(view.input(), identity, gradient),
        pass_(coefficients_, nullptr, OtherTerm::none, threads) {
    for (Index j = 0; j < view.cols(); ++j) {
      coefficients_.regularizer[j] = view.sign(j);
      coefficients_.own[j] = 0;
    }
  }
  void run() { pass_.run(); }

 private:
  ViewGradient<Scalar> coefficients_;
  FinalPass<Scalar> pass_;
};

// For rows that are already at hand, with any regularizer, an ExactRoute included.
template <class Scalar, class Regularizer>
Scalar bare(const InputRows<Scalar>& a, const InputRows<Scalar>& b,
            const OutputRows<Scalar>& grad_a, const OutputRows<Scalar>& grad_b,
            const Regularizer& regularizer, const Execution& execution) {
  const Standardization<Scalar> identity;
  const auto view_a = make_view(regularizer, ViewName::a, a, identity);
  const auto view_b = make_view(regularizer, ViewName::b, b, identity);
  const auto correlation = bare_correlation(view_a, view_b, grad_a, grad_b);
  auto form =
      make_regularizer(regularizer, correlation, CovarianceScaling::per_dimension, execution);
  std::optional<SignPass<Scalar>> signs_a, signs_b;
  if (correlation.has_gradient() && view_a.has_signs()) {
    signs_a.emplace(view_a, identity, grad_a, execution.threads);
  }
  if (correlation.has_gradient() && view_b.has_signs()) {
    signs_b.emplace(view_b, identity, grad_b, execution.threads);
  }
  form.accumulate(0, a.rows());
  const auto value = form.finish(Accumulator<Scalar>(1));
  if (correlation.has_gradient()) {
    form.gradient(0, a.rows());
  }
  if (signs_a) {
    signs_a->run();
  }
  if (signs_b) {
    signs_b->run();
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

template <class Scalar>
Eigen::Matrix<Scalar, Eigen::Dynamic, 1> lag_sums(const InputRows<Scalar>& a,
                                                  const InputRows<Scalar>& b,
                                                  const Execution& execution) {
  const Standardization<Scalar> identity;
  Relaxed relaxed;
  relaxed.exponent = 1;  // the one that goes through the lag domain
  const auto view_a = make_view(relaxed, ViewName::a, a, identity);
  const auto view_b = make_view(relaxed, ViewName::b, b, identity);
  const OutputRows<Scalar> no_gradient;
  UngroupedRelaxed<Scalar> form(bare_correlation(view_a, view_b, no_gradient, no_gradient), relaxed,
                                CovarianceScaling::per_dimension, execution);
  form.accumulate(0, a.rows());
  const auto* lags = form.lags();
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> result(a.cols());
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = lags[i].real();
  }
  return result;
}

template <class A, class B>
Eigen::Matrix<ScalarOf<A, B>, Eigen::Dynamic, 1> bare_sumvec(const char* function, const A& a,
                                                             const B& b,
                                                             const Execution& execution) {
  check_bare(function, a, b, Exact{}, execution);
  return call_two_views(a, b, [&](const auto& rows_a, const auto& rows_b, const auto&...) {
    return lag_sums(rows_a, rows_b, execution);
  });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
