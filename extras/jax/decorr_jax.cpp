// The losses of libdecorr as handlers of XLA's foreign function interface, which decorr_jax.py
// calls. XLA's header is that of jaxlib (jax.ffi.include_dir()); it is all of JAX that is compiled.

#include <xla/ffi/api/ffi.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "decorr/c_api.h"

namespace {

namespace ffi = xla::ffi;
using Buffer = ffi::AnyBuffer;
using Result = ffi::Result<Buffer>;

// 0 for what decorr does not compute with.
int32_t element_type(ffi::DataType type) {
  switch (type) {
    case ffi::F32:
      return DECORR_FLOAT32;
    case ffi::F64:
      return DECORR_FLOAT64;
    case ffi::F16:
      return DECORR_FLOAT16;
    case ffi::BF16:
      return DECORR_BFLOAT16;
    default:
      return 0;
  }
}

// XLA hands over row-major arrays, as decorr_jax.py asks for no other layout.
decorr_input input(const Buffer& array) {
  return decorr_input_rows(array.untyped_data(), element_type(array.element_type()),
                           array.dimensions()[0], array.dimensions()[1]);
}

// A gradient, which nobody wants where it has no rows.
class Output {
 public:
  explicit Output(Result& array)
      : is_wanted_(array->dimensions()[0] > 0),
        matrix_(decorr_output_rows(array->untyped_data(), element_type(array->element_type()),
                                   array->dimensions()[0], array->dimensions()[1])) {}
  const decorr_output* pointer() const { return is_wanted_ ? &matrix_ : nullptr; }

 private:
  bool is_wanted_;
  decorr_output matrix_;
};

// What every loss has beside its views and options. Arrays without elements are none.
struct Settings {
  Buffer permutation, signs_a, signs_b;
  int64_t relaxed, exponent, block_size, threads, planning;
};

class Regularizer {
 public:
  explicit Regularizer(const Settings& settings) {
    decorr_regularizer_defaults(&regularizer_, sizeof regularizer_);
    regularizer_.form = settings.relaxed != 0 ? DECORR_RELAXED : DECORR_EXACT;
    regularizer_.exponent = static_cast<int32_t>(settings.exponent);
    regularizer_.block_size = settings.block_size;
    // JAX has integers of 32 bits unless told otherwise.
    const auto* entries = static_cast<const int32_t*>(settings.permutation.untyped_data());
    permutation_.assign(entries, entries + settings.permutation.element_count());
    if (!permutation_.empty()) regularizer_.permutation = permutation_.data();
    regularizer_.permutation_size = static_cast<int64_t>(permutation_.size());
    set_signs(settings.signs_a, &regularizer_.signs_a, &regularizer_.signs_a_size);
    set_signs(settings.signs_b, &regularizer_.signs_b, &regularizer_.signs_b_size);
  }
  const decorr_regularizer* pointer() const { return &regularizer_; }

 private:
  static void set_signs(const Buffer& from, const int8_t** signs, int64_t* size) {
    *size = static_cast<int64_t>(from.element_count());
    if (*size > 0) *signs = static_cast<const int8_t*>(from.untyped_data());
  }

  std::vector<int64_t> permutation_;
  decorr_regularizer regularizer_ = {};
};

// The terms are the value, then what it is the sum of, in the type that computes.
ffi::Error ended(decorr_status status, Result& results, const std::vector<double>& terms) {
  if (status != DECORR_OK) {
    return {status == DECORR_INVALID_ARGUMENT ? ffi::ErrorCode::kInvalidArgument
                                              : ffi::ErrorCode::kInternal,
            decorr_error_message()};
  }
  if (results->element_type() == ffi::F64) {
    std::copy(terms.begin(), terms.end(), static_cast<double*>(results->untyped_data()));
  } else {
    std::copy(terms.begin(), terms.end(), static_cast<float*>(results->untyped_data()));
  }
  return ffi::Error::Success();
}

decorr_execution execution_of(const Settings& settings) {
  decorr_execution execution;
  decorr_execution_defaults(&execution, sizeof execution);
  execution.threads = static_cast<int32_t>(settings.threads);
  execution.planning = static_cast<int32_t>(settings.planning);
  return execution;
}

ffi::Error barlow_twins(Buffer z_a, Buffer z_b, Buffer permutation, Buffer signs_a, Buffer signs_b,
                        Result terms, Result grad_a, Result grad_b, ffi::Span<const double> numbers,
                        int64_t relaxed, int64_t exponent, int64_t block_size, int64_t threads,
                        int64_t planning) {
  const Settings settings{permutation, signs_a,    signs_b, relaxed,
                          exponent,    block_size, threads, planning};
  const Regularizer regularizer(settings);
  const decorr_execution execution = execution_of(settings);
  decorr_barlow_twins_options options;
  decorr_barlow_twins_options_defaults(&options, sizeof options);
  options.lambda = numbers[0];
  options.scale = numbers[1];
  options.epsilon = numbers[2];
  options.standardize = static_cast<int32_t>(numbers[3]);
  const decorr_input a = input(z_a), b = input(z_b);
  const Output to_a(grad_a), to_b(grad_b);
  decorr_barlow_twins_terms loss = {sizeof loss, 0, 0, 0};
  const decorr_status status = decorr_barlow_twins_loss(
      &a, &b, to_a.pointer(), to_b.pointer(), &options, regularizer.pointer(), &execution, &loss);
  return ended(status, terms, {loss.value, loss.diagonal, loss.off_diagonal});
}

ffi::Error vicreg(Buffer z_a, Buffer z_b, Buffer permutation, Buffer signs_a, Buffer signs_b,
                  Result terms, Result grad_a, Result grad_b, ffi::Span<const double> numbers,
                  int64_t relaxed, int64_t exponent, int64_t block_size, int64_t threads,
                  int64_t planning) {
  const Settings settings{permutation, signs_a,    signs_b, relaxed,
                          exponent,    block_size, threads, planning};
  const Regularizer regularizer(settings);
  const decorr_execution execution = execution_of(settings);
  decorr_vicreg_options options;
  decorr_vicreg_options_defaults(&options, sizeof options);
  options.invariance = numbers[0];
  options.variance = numbers[1];
  options.covariance = numbers[2];
  options.gamma = numbers[3];
  options.epsilon = numbers[4];
  options.scale = numbers[5];
  options.sum_variance = static_cast<int32_t>(numbers[6]);
  const decorr_input a = input(z_a), b = input(z_b);
  const Output to_a(grad_a), to_b(grad_b);
  decorr_vicreg_terms loss = {sizeof loss, 0, 0, 0, 0};
  const decorr_status status = decorr_vicreg_loss(&a, &b, to_a.pointer(), to_b.pointer(), &options,
                                                  regularizer.pointer(), &execution, &loss);
  return ended(status, terms, {loss.value, loss.invariance, loss.variance, loss.covariance});
}

auto binding() {
  return ffi::Ffi::Bind()
      .Arg<Buffer>()
      .Arg<Buffer>()
      .Arg<Buffer>()
      .Arg<Buffer>()
      .Arg<Buffer>()
      .Ret<Buffer>()
      .Ret<Buffer>()
      .Ret<Buffer>()
      .Attr<ffi::Span<const double>>("options")
      .Attr<int64_t>("relaxed")
      .Attr<int64_t>("exponent")
      .Attr<int64_t>("block_size")
      .Attr<int64_t>("threads")
      .Attr<int64_t>("planning");
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(decorr_jax_barlow_twins, barlow_twins, binding());
XLA_FFI_DEFINE_HANDLER_SYMBOL(decorr_jax_vicreg, vicreg, binding());
