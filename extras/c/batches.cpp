#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "decorr/c_api.h"
#include "decorr/options.hpp"
#include "kernels.hpp"
#include "matrices.hpp"
#include "plans.hpp"
#include "processes.hpp"
#include "processor.hpp"
#include "status.hpp"
#include "structs.hpp"

// Batches in parts: the classes of batches.hpp.

struct decorr_batch final : decorr::c::HasPlans {
  const char* function = nullptr;                   // that made it, as messages have it
  const char *name_a = nullptr, *name_b = nullptr;  // of the views; the second one may not be there
  decorr::c::Matrix part;                           // no rows; the type and the width of all
  std::unique_ptr<decorr::c::CallbackCommunicator> communicator;
  std::unique_ptr<decorr::c::Parts> parts;
  // In the place of the parts where making them has failed, until the others are told.
  std::exception_ptr failure;
  bool is_told = false;
};

namespace decorr {
namespace c {
namespace {

// With nothing but its communicator. Where there is no memory for these the others hear of it now,
// as there is no batch to tell them by.
std::unique_ptr<decorr_batch> make_batch(const char* function, const decorr_execution& fields) {
  try {
    auto made = std::make_unique<decorr_batch>();
    made->function = function;
    if (fields.sum != nullptr) {
      made->communicator =
          std::make_unique<CallbackCommunicator>(function, fields.sum, fields.context);
    }
    return made;
  } catch (...) {
    if (fields.sum == nullptr) throw;
    CallbackCommunicator(function, fields.sum, fields.context).tell(std::current_exception());
  }
}

// What the functions that make a batch have in common. make(call, setup, execution) makes the
// parts.
template <class Make>
decorr_status create(const char* function, const char* name_a, const char* name_b,
                     std::int32_t type, std::int64_t d, std::int32_t gradients,
                     const decorr_execution* c_execution, decorr_batch** batch, const Make& make) {
  return with_status(function, [&](const Call& call) {
    call.check_not_null("batch", batch);
    const decorr_execution fields = read_execution(call, c_execution);
    auto made = make_batch(function, fields);
    made->name_a = name_a;
    made->name_b = name_b;
    try {
      check_planner_free(call);
      Execution execution = to_cpp(call, fields);
      execution.communicator = made->communicator.get();
      const ElementType element = element_type(call, "type", "", type);
      if (d < 1 || d > kMostExtent) call.fail("d", " is ", d, ", expected 1 to ", kMostExtent);
      const std::int32_t most = name_b == nullptr ? DECORR_GRADIENT_A : DECORR_GRADIENT_BOTH;
      if (gradients < 0 || gradients > most) {
        call.fail("gradients", " is ", gradients, ", expected 0 to ", most);
      }
      const auto features = static_cast<std::ptrdiff_t>(d);
      made->part = Matrix(nullptr, element, 0, features, features, 1);
      const PartsSetup setup{made->part.computes_in_double(), features,
                             (gradients & DECORR_GRADIENT_A) != 0,
                             (gradients & DECORR_GRADIENT_B) != 0};
      made->parts = make(call, setup, execution);
    } catch (...) {
      if (made->communicator == nullptr) throw;
      made->failure = std::current_exception();
      // Without memory for what would tell them later.
      made->is_told = made->communicator->has_begun();
    }
    store(batch, made.release());
  });
}

// With the function of the kernels that makes the parts.
template <class Options, class COptions, class Terms>
decorr_status create_of_loss(const char* function, const char* name_a, const char* name_b,
                             std::int32_t type, std::int64_t d, std::int32_t gradients,
                             const COptions* c_options, const decorr_regularizer* c_regularizer,
                             const decorr_execution* c_execution, decorr_batch** batch,
                             PartsPointer<Terms> (*Kernels::*make)(const PartsSetup&,
                                                                   const Options&, const Relaxed*,
                                                                   const Execution&)) {
  return create(function, name_a, name_b, type, d, gradients, c_execution, batch,
                [&](const Call& call, const PartsSetup& setup, const Execution& execution) {
                  const Options options = to_cpp(call, c_options);
                  const auto relaxed =
                      to_cpp(call, "regularizer", c_regularizer, DECORR_EXACT, setup.features);
                  return (kernels().*make)(setup, options, pointer(relaxed), execution);
                });
}

// In the name of the function that made the batch.
Views to_views(const decorr_batch& batch, const decorr_input* a, const decorr_input* b,
               const decorr_output* grad_a, const decorr_output* grad_b) {
  const Call call(batch.function);
  Views views;
  if (batch.name_b == nullptr) {
    if (b != nullptr || grad_b != nullptr) {
      call.fail(b != nullptr ? "z_b" : "grad_b", " is given, and the batch has one view");
    }
    views.a = to_input(call, batch.name_a, a);
    views.grad_a = to_output(call, "grad", grad_a, batch.name_a, views.a);
  } else {
    views = to_two_views(call, batch.name_a, batch.name_b, a, b, grad_a, grad_b);
  }
  check_one_scalar(call, batch.name_a, views.a, "batch", batch.part);
  return views;
}

// Runs body(call, batch) for a batch that has been made well.
template <class Batch, class Body>
decorr_status with_batch(const char* function, Batch* batch, const Body& body) {
  return with_status(function, [&](const Call& call) {
    call.check_not_null("batch", batch);
    check_planner_free(call);
    if (batch->failure) std::rethrow_exception(batch->failure);
    body(call, *batch);
  });
}

// The parts, of the kind that has this result.
template <class Kind>
const Kind& of_kind(const Call& call, const decorr_batch& batch) {
  const auto* parts = dynamic_cast<const Kind*>(batch.parts.get());
  if (parts == nullptr) call.fail("batch", " is of another function, ", batch.function);
  return *parts;
}

template <class Terms>
decorr_status write_terms(const char* function, const decorr_batch* batch, Terms* terms) {
  return with_batch(function, batch, [&](const Call& call, const decorr_batch& of) {
    call.check_not_null("terms", terms);
    const TermsTarget<Terms> target(call, terms);
    target.write(of_kind<PartsOf<Terms>>(call, of).result());
  });
}

}  // namespace
}  // namespace c
}  // namespace decorr

decorr_status decorr_barlow_twins_batch_create(int32_t type, int64_t d, int32_t gradients,
                                               const decorr_barlow_twins_options* options,
                                               const decorr_regularizer* regularizer,
                                               const decorr_execution* execution,
                                               decorr_batch** batch) {
  return decorr::c::create_of_loss("barlow_twins_batch", "z_a", "z_b", type, d, gradients, options,
                                   regularizer, execution, batch,
                                   &decorr::c::Kernels::barlow_twins_batch);
}

decorr_status decorr_vicreg_batch_create(int32_t type, int64_t d, int32_t gradients,
                                         const decorr_vicreg_options* options,
                                         const decorr_regularizer* regularizer,
                                         const decorr_execution* execution, decorr_batch** batch) {
  return decorr::c::create_of_loss("vicreg_batch", "z_a", "z_b", type, d, gradients, options,
                                   regularizer, execution, batch,
                                   &decorr::c::Kernels::vicreg_batch);
}

decorr_status decorr_variance_covariance_batch_create(int32_t type, int64_t d, int32_t gradients,
                                                      const decorr_vicreg_options* options,
                                                      const decorr_regularizer* regularizer,
                                                      const decorr_execution* execution,
                                                      decorr_batch** batch) {
  return decorr::c::create_of_loss("variance_covariance_batch", "z", nullptr, type, d, gradients,
                                   options, regularizer, execution, batch,
                                   &decorr::c::Kernels::variance_covariance_batch);
}

decorr_status decorr_r_off_batch_create(int32_t type, int64_t d, int32_t gradients,
                                        const decorr_execution* execution, decorr_batch** batch) {
  using namespace decorr::c;
  return create("r_off_batch", "a", "b", type, d, gradients, execution, batch,
                [&](const Call&, const PartsSetup& setup, const decorr::Execution& with) {
                  return kernels().r_sum_batch(setup, nullptr, with);
                });
}

decorr_status decorr_r_sum_batch_create(int32_t type, int64_t d, int32_t gradients,
                                        const decorr_regularizer* relaxed,
                                        const decorr_execution* execution, decorr_batch** batch) {
  using namespace decorr::c;
  return create("r_sum_batch", "a", "b", type, d, gradients, execution, batch,
                [&](const Call& call, const PartsSetup& setup, const decorr::Execution& with) {
                  const decorr::Relaxed choice = to_relaxed(call, relaxed, setup.features);
                  return kernels().r_sum_batch(setup, &choice, with);
                });
}

decorr_status decorr_sumvec_batch_create(int32_t type, int64_t d, const decorr_execution* execution,
                                         decorr_batch** batch) {
  using namespace decorr::c;
  return create("sumvec_batch", "a", "b", type, d, 0, execution, batch,
                [&](const Call&, const PartsSetup& setup, const decorr::Execution& with) {
                  return kernels().sumvec_batch(setup, with);
                });
}

void decorr_batch_destroy(decorr_batch* batch) { decorr::c::HasPlans::destroy(batch); }

int32_t decorr_batch_has_pass(const decorr_batch* batch) {
  if (batch == nullptr) return 0;
  // One that could not be made has a pass, at whose end all processes hear of it.
  return batch->parts == nullptr ? !batch->is_told : batch->parts->has_pass() ? 1 : 0;
}

decorr_status decorr_batch_add(decorr_batch* batch, const decorr_input* a, const decorr_input* b) {
  using namespace decorr::c;
  return with_status("batch_add", [&](const Call& call) {
    call.check_not_null("batch", batch);
    if (batch->failure) {
      if (batch->is_told) std::rethrow_exception(batch->failure);
      return;
    }
    try {
      check_planner_free(call);
      batch->parts->add(to_views(*batch, a, b, nullptr, nullptr));
    } catch (...) {
      // Calls out of turn are told at once.
      if (batch->communicator == nullptr || !batch->parts->has_pass()) throw;
      batch->parts->keep(std::current_exception());
    }
  });
}

decorr_status decorr_batch_end_pass(decorr_batch* batch) {
  using namespace decorr::c;
  return with_status("batch_end_pass", [&](const Call& call) {
    call.check_not_null("batch", batch);
    if (batch->failure) {
      if (std::exchange(batch->is_told, true)) std::rethrow_exception(batch->failure);
      batch->communicator->tell(batch->failure);
    }
    try {
      check_planner_free(call);
    } catch (...) {
      if (batch->communicator == nullptr) throw;
      batch->parts->keep(std::current_exception());
    }
    batch->parts->end_pass();
  });
}

decorr_status decorr_batch_count(const decorr_batch* batch, int64_t* count) {
  using namespace decorr::c;
  return with_batch("batch_count", batch, [&](const Call& call, const decorr_batch& of) {
    call.check_not_null("count", count);
    store(count, static_cast<int64_t>(of.parts->count()));
  });
}

decorr_status decorr_batch_gradient(decorr_batch* batch, const decorr_input* a,
                                    const decorr_input* b, const decorr_output* grad_a,
                                    const decorr_output* grad_b) {
  using namespace decorr::c;
  return with_batch("batch_gradient", batch, [&](const Call&, decorr_batch& of) {
    of.parts->gradient(to_views(of, a, b, grad_a, grad_b));
  });
}

decorr_status decorr_barlow_twins_batch_loss(const decorr_batch* batch,
                                             decorr_barlow_twins_terms* terms) {
  return decorr::c::write_terms("barlow_twins_batch_loss", batch, terms);
}

decorr_status decorr_vicreg_batch_loss(const decorr_batch* batch, decorr_vicreg_terms* terms) {
  return decorr::c::write_terms("vicreg_batch_loss", batch, terms);
}

decorr_status decorr_variance_covariance_batch_loss(const decorr_batch* batch,
                                                    decorr_variance_covariance_terms* terms) {
  return decorr::c::write_terms("variance_covariance_batch_loss", batch, terms);
}

decorr_status decorr_regularizer_batch_value(const decorr_batch* batch, double* value) {
  using namespace decorr::c;
  return with_batch("regularizer_batch_value", batch, [&](const Call& call, const auto& of) {
    call.check_not_null("value", value);
    store(value, of_kind<PartsOf<double>>(call, of).result());
  });
}

decorr_status decorr_sumvec_batch_lags(const decorr_batch* batch, const decorr_output* lags) {
  using namespace decorr::c;
  return with_batch("sumvec_batch_lags", batch, [&](const Call& call, const decorr_batch& of) {
    const auto& parts = of_kind<PartsOfSumvec>(call, of);
    parts.write(to_lags(call, lags, "batch", of.part));
  });
}
