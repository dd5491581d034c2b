#ifndef DECORR_EXTRAS_C_TESTS_C_CALLS_HPP_
#define DECORR_EXTRAS_C_TESTS_C_CALLS_HPP_

#include <decorr/c_api.h>
#include <doctest/doctest.h>

#include <cstdint>
#include <decorr/decorr.hpp>
#include <type_traits>
#include <vector>

#include "support/loss_cases.hpp"

/// @file
/// A loss by the C interface, for tests that know it by C++.

namespace decorr_tests {

template <class Storage>
inline constexpr std::int32_t kType = std::is_same<Storage, float>::value         ? DECORR_FLOAT32
                                      : std::is_same<Storage, double>::value      ? DECORR_FLOAT64
                                      : std::is_same<Storage, Eigen::half>::value ? DECORR_FLOAT16
                                                                                  : DECORR_BFLOAT16;

// A case's options for C; the arrays are the case's.
struct CArguments {
  decorr_barlow_twins_options barlow_twins;
  decorr_vicreg_options vicreg;
  decorr_regularizer regularizer;
  decorr_execution execution;
  std::vector<std::int64_t> permutation;

  explicit CArguments(const LossCase& loss_case, decorr_sum sum = nullptr,
                      void* context = nullptr) {
    REQUIRE(decorr_barlow_twins_options_defaults(&barlow_twins, sizeof barlow_twins) == DECORR_OK);
    REQUIRE(decorr_vicreg_options_defaults(&vicreg, sizeof vicreg) == DECORR_OK);
    REQUIRE(decorr_regularizer_defaults(&regularizer, sizeof regularizer) == DECORR_OK);
    REQUIRE(decorr_execution_defaults(&execution, sizeof execution) == DECORR_OK);
    barlow_twins.lambda = loss_case.barlow_twins.lambda;
    barlow_twins.scale = loss_case.barlow_twins.scale;
    barlow_twins.epsilon = loss_case.barlow_twins.epsilon;
    barlow_twins.standardize = loss_case.barlow_twins.standardize ? 1 : 0;
    vicreg.invariance = loss_case.vicreg.invariance;
    vicreg.variance = loss_case.vicreg.variance;
    vicreg.covariance = loss_case.vicreg.covariance;
    vicreg.gamma = loss_case.vicreg.gamma;
    vicreg.epsilon = loss_case.vicreg.epsilon;
    vicreg.scale = loss_case.vicreg.scale;
    vicreg.sum_variance = loss_case.vicreg.sum_variance ? 1 : 0;
    vicreg.covariance_scaling =
        loss_case.vicreg.covariance_scaling == decorr::CovarianceScaling::block_mean ? 1 : 0;
    execution.planning = DECORR_ESTIMATE;
    execution.threads = loss_case.execution.threads;
    execution.sum = sum;
    execution.context = context;
    if (const decorr::Relaxed* relaxed = loss_case.relaxed()) {
      regularizer.form = DECORR_RELAXED;
      regularizer.exponent = relaxed->exponent;
      regularizer.block_size = relaxed->block_size;
      permutation.assign(relaxed->permutation.begin(), relaxed->permutation.end());
      if (!permutation.empty()) regularizer.permutation = permutation.data();
      regularizer.permutation_size = static_cast<std::int64_t>(permutation.size());
      if (!relaxed->signs_a.empty()) regularizer.signs_a = relaxed->signs_a.data();
      regularizer.signs_a_size = static_cast<std::int64_t>(relaxed->signs_a.size());
      if (!relaxed->signs_b.empty()) regularizer.signs_b = relaxed->signs_b.data();
      regularizer.signs_b_size = static_cast<std::int64_t>(relaxed->signs_b.size());
    }
  }
};

/// The value by C; gradients may be null. What the call came to is the status.
inline decorr_status call_by_c(const LossCase& loss_case, const CArguments& c,
                               const decorr_input& a, const decorr_input& b,
                               const decorr_output* grad_a, const decorr_output* grad_b,
                               double& value) {
  decorr_status status = DECORR_INTERNAL;
  switch (loss_case.family) {
    case Family::barlow_twins: {
      decorr_barlow_twins_terms terms{sizeof terms, -1, -1, -1};
      status = decorr_barlow_twins_loss(&a, &b, grad_a, grad_b, &c.barlow_twins, &c.regularizer,
                                        &c.execution, &terms);
      value = terms.value;
      if (status == DECORR_OK) CHECK(terms.diagonal + terms.off_diagonal == doctest::Approx(value));
      break;
    }
    case Family::vicreg: {
      decorr_vicreg_terms terms{sizeof terms, -1, -1, -1, -1};
      status = decorr_vicreg_loss(&a, &b, grad_a, grad_b, &c.vicreg, &c.regularizer, &c.execution,
                                  &terms);
      value = terms.value;
      if (status == DECORR_OK) {
        CHECK(terms.invariance + terms.variance + terms.covariance == doctest::Approx(value));
      }
      break;
    }
    case Family::variance_covariance: {
      decorr_variance_covariance_terms terms{sizeof terms, -1, -1, -1};
      status = decorr_variance_covariance_loss(&a, grad_a, &c.vicreg, &c.regularizer, &c.execution,
                                               &terms);
      value = terms.value;
      if (status == DECORR_OK) CHECK(terms.variance + terms.covariance == doctest::Approx(value));
      break;
    }
    case Family::regularizer:
      status = loss_case.relaxed() == nullptr
                   ? decorr_r_off(&a, &b, grad_a, grad_b, &c.execution, &value)
                   : decorr_r_sum(&a, &b, grad_a, grad_b, &c.regularizer, &c.execution, &value);
      break;
  }
  return status;
}
inline double value_by_c(const LossCase& loss_case, const decorr_input& a, const decorr_input& b,
                         const decorr_output* grad_a, const decorr_output* grad_b) {
  double value = -1;
  const CArguments c(loss_case);
  const decorr_status status = call_by_c(loss_case, c, a, b, grad_a, grad_b, value);
  CHECK_MESSAGE(status == DECORR_OK, decorr_error_message());
  return value;
}

/// The same in parts.
inline decorr_status create_by_c(const LossCase& loss_case, const CArguments& c, std::int32_t type,
                                 std::int64_t d, std::int32_t gradients, decorr_batch** batch) {
  switch (loss_case.family) {
    case Family::barlow_twins:
      return decorr_barlow_twins_batch_create(type, d, gradients, &c.barlow_twins, &c.regularizer,
                                              &c.execution, batch);
    case Family::vicreg:
      return decorr_vicreg_batch_create(type, d, gradients, &c.vicreg, &c.regularizer, &c.execution,
                                        batch);
    case Family::variance_covariance:
      return decorr_variance_covariance_batch_create(
          type, d, gradients & DECORR_GRADIENT_A, &c.vicreg, &c.regularizer, &c.execution, batch);
    case Family::regularizer:
      break;
  }
  return loss_case.relaxed() == nullptr
             ? decorr_r_off_batch_create(type, d, gradients, &c.execution, batch)
             : decorr_r_sum_batch_create(type, d, gradients, &c.regularizer, &c.execution, batch);
}
inline decorr_status result_by_c(const LossCase& loss_case, const decorr_batch* batch,
                                 double& value) {
  decorr_status status = DECORR_INTERNAL;
  const auto take = [&](auto terms, auto function) {
    terms.size = sizeof terms;
    status = function(batch, &terms);
    value = terms.value;
  };
  switch (loss_case.family) {
    case Family::barlow_twins:
      take(decorr_barlow_twins_terms{}, decorr_barlow_twins_batch_loss);
      break;
    case Family::vicreg:
      take(decorr_vicreg_terms{}, decorr_vicreg_batch_loss);
      break;
    case Family::variance_covariance:
      take(decorr_variance_covariance_terms{}, decorr_variance_covariance_batch_loss);
      break;
    case Family::regularizer:
      return decorr_regularizer_batch_value(batch, &value);
  }
  return status;
}

}  // namespace decorr_tests

#endif  // DECORR_EXTRAS_C_TESTS_C_CALLS_HPP_
