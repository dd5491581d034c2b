#include <cstdint>
#include <optional>

#include "decorr/c_api.h"
#include "decorr/options.hpp"
#include "kernels.hpp"
#include "matrices.hpp"
#include "plans.hpp"
#include "processes.hpp"
#include "processor.hpp"
#include "status.hpp"
#include "structs.hpp"

namespace decorr {
namespace c {
namespace {

// With the function of the kernels that computes it.
template <class Options, class COptions, class Terms>
decorr_status two_view_loss(const char* function, const decorr_input* z_a, const decorr_input* z_b,
                            const decorr_output* grad_a, const decorr_output* grad_b,
                            const COptions* c_options, const decorr_regularizer* c_regularizer,
                            const decorr_execution* c_execution, Terms* terms,
                            Terms (*Kernels::*compute)(const Views&, const Options&, const Relaxed*,
                                                       const Execution&)) {
  return with_execution(function, c_execution, [&](const Call& call, const Execution& execution) {
    check_planner_free(call);
    const TermsTarget<Terms> target(call, terms);
    const Views views = to_two_views(call, "z_a", "z_b", z_a, z_b, grad_a, grad_b);
    const Options options = to_cpp(call, c_options);
    const auto relaxed = to_cpp(call, "regularizer", c_regularizer, DECORR_EXACT, views.a.cols());
    target.write((kernels().*compute)(views, options, pointer(relaxed), execution));
  });
}

template <class Options, class COptions, class Terms>
decorr_status loss_of_views(const char* function, const decorr_input* const* c_views,
                            const decorr_output* const* gradients, std::int64_t count,
                            std::int32_t combination, const COptions* c_options,
                            const decorr_regularizer* c_regularizer,
                            const decorr_execution* c_execution, Terms* terms,
                            Terms (*Kernels::*compute)(const ManyViews&, const Options&,
                                                       const Relaxed*, const Execution&)) {
  return with_execution(function, c_execution, [&](const Call& call, const Execution& execution) {
    check_planner_free(call);
    const TermsTarget<Terms> target(call, terms);
    const ManyViews views = to_many_views(call, c_views, gradients, count, combination);
    const Options options = to_cpp(call, c_options);
    const auto relaxed =
        to_cpp(call, "regularizer", c_regularizer, DECORR_EXACT, views.views[0].cols());
    target.write((kernels().*compute)(views, options, pointer(relaxed), execution));
  });
}

// regularizer(call, features) is that of the call; none for r_off.
template <class Regularizer>
decorr_status bare_regularizer(const char* function, const decorr_input* a, const decorr_input* b,
                               const decorr_output* grad_a, const decorr_output* grad_b,
                               const decorr_execution* c_execution, double* value,
                               Regularizer&& regularizer) {
  return with_execution(function, c_execution, [&](const Call& call, const Execution& execution) {
    check_planner_free(call);
    const Views views = to_two_views(call, "a", "b", a, b, grad_a, grad_b);
    const std::optional<Relaxed> relaxed = regularizer(call, views.a.cols());
    const double result = kernels().r_sum(views, pointer(relaxed), execution);
    if (value != nullptr) store(value, result);
  });
}

}  // namespace
}  // namespace c
}  // namespace decorr

decorr_status decorr_barlow_twins_loss(const decorr_input* z_a, const decorr_input* z_b,
                                       const decorr_output* grad_a, const decorr_output* grad_b,
                                       const decorr_barlow_twins_options* options,
                                       const decorr_regularizer* regularizer,
                                       const decorr_execution* execution,
                                       decorr_barlow_twins_terms* terms) {
  return decorr::c::two_view_loss("barlow_twins_loss", z_a, z_b, grad_a, grad_b, options,
                                  regularizer, execution, terms,
                                  &decorr::c::Kernels::barlow_twins_loss);
}

decorr_status decorr_vicreg_loss(const decorr_input* z_a, const decorr_input* z_b,
                                 const decorr_output* grad_a, const decorr_output* grad_b,
                                 const decorr_vicreg_options* options,
                                 const decorr_regularizer* regularizer,
                                 const decorr_execution* execution, decorr_vicreg_terms* terms) {
  return decorr::c::two_view_loss("vicreg_loss", z_a, z_b, grad_a, grad_b, options, regularizer,
                                  execution, terms, &decorr::c::Kernels::vicreg_loss);
}

decorr_status decorr_barlow_twins_loss_of_views(const decorr_input* const* views,
                                                const decorr_output* const* gradients,
                                                int64_t count, int32_t combination,
                                                const decorr_barlow_twins_options* options,
                                                const decorr_regularizer* regularizer,
                                                const decorr_execution* execution,
                                                decorr_barlow_twins_terms* terms) {
  return decorr::c::loss_of_views("barlow_twins_loss_of_views", views, gradients, count,
                                  combination, options, regularizer, execution, terms,
                                  &decorr::c::Kernels::barlow_twins_loss_of_views);
}

decorr_status decorr_vicreg_loss_of_views(const decorr_input* const* views,
                                          const decorr_output* const* gradients, int64_t count,
                                          int32_t combination, const decorr_vicreg_options* options,
                                          const decorr_regularizer* regularizer,
                                          const decorr_execution* execution,
                                          decorr_vicreg_terms* terms) {
  return decorr::c::loss_of_views("vicreg_loss_of_views", views, gradients, count, combination,
                                  options, regularizer, execution, terms,
                                  &decorr::c::Kernels::vicreg_loss_of_views);
}

decorr_status decorr_variance_covariance_loss(const decorr_input* z, const decorr_output* grad,
                                              const decorr_vicreg_options* options,
                                              const decorr_regularizer* regularizer,
                                              const decorr_execution* execution,
                                              decorr_variance_covariance_terms* terms) {
  using namespace decorr::c;
  return with_execution(
      "variance_covariance_loss", execution, [&](const Call& call, const auto& cpp_execution) {
        check_planner_free(call);
        const TermsTarget<decorr_variance_covariance_terms> target(call, terms);
        Views views;
        views.a = to_input(call, "z", z);
        views.grad_a = to_output(call, "grad", grad, "z", views.a);
        const auto cpp_options = to_cpp(call, options);
        const auto relaxed = to_cpp(call, "regularizer", regularizer, DECORR_EXACT, views.a.cols());
        target.write(kernels().variance_covariance_loss(views, cpp_options, pointer(relaxed),
                                                        cpp_execution));
      });
}

decorr_status decorr_r_off(const decorr_input* a, const decorr_input* b,
                           const decorr_output* grad_a, const decorr_output* grad_b,
                           const decorr_execution* execution, double* value) {
  return decorr::c::bare_regularizer(
      "r_off", a, b, grad_a, grad_b, execution, value,
      [](const auto&, auto) -> std::optional<decorr::Relaxed> { return std::nullopt; });
}

decorr_status decorr_r_sum(const decorr_input* a, const decorr_input* b,
                           const decorr_output* grad_a, const decorr_output* grad_b,
                           const decorr_regularizer* relaxed, const decorr_execution* execution,
                           double* value) {
  return decorr::c::bare_regularizer(
      "r_sum", a, b, grad_a, grad_b, execution, value, [&](const auto& call, auto features) {
        return std::optional(decorr::c::to_relaxed(call, relaxed, features));
      });
}

decorr_status decorr_sumvec(const decorr_input* a, const decorr_input* b,
                            const decorr_execution* execution, const decorr_output* lags) {
  using namespace decorr::c;
  return with_execution("sumvec", execution, [&](const Call& call, const auto& cpp_execution) {
    check_planner_free(call);
    const Views views = to_two_views(call, "a", "b", a, b, nullptr, nullptr);
    const Matrix target = to_lags(call, lags, "a", views.a);
    kernels().sumvec(views, target, cpp_execution);
  });
}
