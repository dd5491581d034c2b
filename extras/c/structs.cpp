#include "structs.hpp"

#include <limits>
#include <utility>
#include <vector>

namespace decorr {
namespace c {
namespace {

// `expected` has names for the two where they have some.
bool to_bool(const Call& call, const char* name, std::int32_t value,
             const char* expected = "0 or 1") {
  if (value != 0 && value != 1) call.fail(name, " is ", value, ", expected ", expected);
  return value == 1;
}

// One of the regularizer's arrays.
template <class To, class From>
std::vector<To> copy_array(const Call& call, const char* name, const From* from, std::int64_t size,
                           std::ptrdiff_t features) {
  if (from == nullptr && size == 0) return {};
  if (from == nullptr) call.fail(name, " is null, ", name, "_size is ", size);
  if (size != features) {
    call.fail(name, " has ", size, " entries, expected ", features, ", one for each feature");
  }
  std::vector<To> to(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < to.size(); ++i) {
    const From element = load_element(from, i);
    // What does not fit is out of range and refused by the checks that follow.
    to[i] = element < std::numeric_limits<To>::min() || element > std::numeric_limits<To>::max()
                ? To(-1)
                : static_cast<To>(element);
  }
  return to;
}

template <class Struct>
decorr_status write_defaults(const char* function, const char* name, Struct* to, std::size_t size,
                             const Struct& defaults) {
  return with_status(function, [&](const Call& call) {
    call.check_not_null(name, to);
    check_size<Struct>(call, name, size);
    write_struct(to, defaults, size);
  });
}

}  // namespace

void check_reserved(const Call& call, const char* name, std::int32_t reserved) {
  if (reserved != 0) call.fail(name, ".reserved is ", reserved, ", expected 0");
}

decorr_barlow_twins_options to_c(const BarlowTwinsOptions& options) {
  return {sizeof(decorr_barlow_twins_options),
          options.lambda,
          options.scale,
          options.epsilon,
          options.standardize ? 1 : 0,
          0};
}

BarlowTwinsOptions to_cpp(const Call& call, const decorr_barlow_twins_options* from) {
  const auto options = read_struct(call, "options", from, to_c(BarlowTwinsOptions()));
  check_reserved(call, "options", options.reserved);
  BarlowTwinsOptions result;
  result.lambda = options.lambda;
  result.scale = options.scale;
  result.epsilon = options.epsilon;
  result.standardize = to_bool(call, "standardize", options.standardize);
  return result;
}

decorr_vicreg_options to_c(const VicregOptions& options) {
  return {sizeof(decorr_vicreg_options),
          options.invariance,
          options.variance,
          options.covariance,
          options.gamma,
          options.epsilon,
          options.scale,
          options.sum_variance ? 1 : 0,
          options.covariance_scaling == CovarianceScaling::block_mean ? DECORR_BLOCK_MEAN
                                                                      : DECORR_PER_DIMENSION};
}

VicregOptions to_cpp(const Call& call, const decorr_vicreg_options* from) {
  const auto options = read_struct(call, "options", from, to_c(VicregOptions()));
  VicregOptions result;
  result.invariance = options.invariance;
  result.variance = options.variance;
  result.covariance = options.covariance;
  result.gamma = options.gamma;
  result.epsilon = options.epsilon;
  result.scale = options.scale;
  result.sum_variance = to_bool(call, "sum_variance", options.sum_variance);
  result.covariance_scaling = to_bool(call, "covariance_scaling", options.covariance_scaling,
                                      "DECORR_PER_DIMENSION or DECORR_BLOCK_MEAN")
                                  ? CovarianceScaling::block_mean
                                  : CovarianceScaling::per_dimension;
  return result;
}

decorr_execution to_c(const Execution& execution) {
  return {sizeof(decorr_execution), execution.threads,
          execution.planning == Planning::estimate  ? DECORR_ESTIMATE
          : execution.planning == Planning::measure ? DECORR_MEASURE
                                                    : DECORR_PATIENT,
          nullptr, nullptr};
}

decorr_execution read_execution(const Call& call, const decorr_execution* from) {
  return read_struct(call, "execution", from, to_c(Execution()));
}

Execution to_cpp(const Call& call, const decorr_execution& execution) {
  Execution result;
  result.threads = execution.threads;
  switch (execution.planning) {
    case DECORR_ESTIMATE:
      result.planning = Planning::estimate;
      break;
    case DECORR_MEASURE:
      result.planning = Planning::measure;
      break;
    case DECORR_PATIENT:
      result.planning = Planning::patient;
      break;
    default:
      call.fail("planning", " is ", execution.planning, ", expected DECORR_ESTIMATE, ",
                "DECORR_MEASURE or DECORR_PATIENT");
  }
  return result;
}

decorr_regularizer to_c(const Regularizer& regularizer) {
  const Relaxed defaults;
  const Relaxed* const relaxed = regularizer.relaxed();
  const Relaxed& fields = relaxed != nullptr ? *relaxed : defaults;
  return {sizeof(decorr_regularizer),
          relaxed != nullptr ? DECORR_RELAXED : DECORR_EXACT,
          fields.exponent,
          fields.block_size,
          nullptr,
          0,
          nullptr,
          0,
          nullptr,
          0};
}

std::optional<Relaxed> to_cpp(const Call& call, const char* name, const decorr_regularizer* from,
                              std::int32_t default_form, std::ptrdiff_t features) {
  decorr_regularizer defaults = to_c(Regularizer());
  defaults.form = default_form;
  const auto regularizer = read_struct(call, name, from, defaults);
  if (!to_bool(call, "form", regularizer.form, "DECORR_EXACT or DECORR_RELAXED")) {
    return std::nullopt;
  }
  std::optional<Relaxed> relaxed(std::in_place);
  relaxed->exponent = regularizer.exponent;
  // Out of range either way, where Index is narrower.
  relaxed->block_size = static_cast<Eigen::Index>(
      std::clamp<std::int64_t>(regularizer.block_size, std::numeric_limits<Eigen::Index>::min(),
                               std::numeric_limits<Eigen::Index>::max()));
  relaxed->permutation = copy_array<Eigen::Index>(call, "permutation", regularizer.permutation,
                                                  regularizer.permutation_size, features);
  relaxed->signs_a = copy_array<std::int8_t>(call, "signs_a", regularizer.signs_a,
                                             regularizer.signs_a_size, features);
  relaxed->signs_b = copy_array<std::int8_t>(call, "signs_b", regularizer.signs_b,
                                             regularizer.signs_b_size, features);
  return relaxed;
}

Relaxed to_relaxed(const Call& call, const decorr_regularizer* from, std::ptrdiff_t features) {
  auto result = to_cpp(call, "relaxed", from, DECORR_RELAXED, features);
  if (!result) call.fail("form", " is DECORR_EXACT, expected DECORR_RELAXED");
  return *std::move(result);
}

}  // namespace c
}  // namespace decorr

decorr_status decorr_barlow_twins_options_defaults(decorr_barlow_twins_options* options,
                                                   size_t size) {
  return decorr::c::write_defaults("barlow_twins_options_defaults", "options", options, size,
                                   decorr::c::to_c(decorr::BarlowTwinsOptions()));
}

decorr_status decorr_vicreg_options_defaults(decorr_vicreg_options* options, size_t size) {
  return decorr::c::write_defaults("vicreg_options_defaults", "options", options, size,
                                   decorr::c::to_c(decorr::VicregOptions()));
}

decorr_status decorr_regularizer_defaults(decorr_regularizer* regularizer, size_t size) {
  return decorr::c::write_defaults("regularizer_defaults", "regularizer", regularizer, size,
                                   decorr::c::to_c(decorr::Regularizer()));
}

decorr_status decorr_execution_defaults(decorr_execution* execution, size_t size) {
  return decorr::c::write_defaults("execution_defaults", "execution", execution, size,
                                   decorr::c::to_c(decorr::Execution()));
}
