#ifndef DECORR_DETAIL_C_IMPLEMENTATION_HPP_
#define DECORR_DETAIL_C_IMPLEMENTATION_HPP_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "decorr/c_api.h"
#include "decorr/decorr.hpp"
#include "decorr/detail/c_kernels.hpp"
#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/losses.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"

// The functions of c_api.h: C's arguments to C++'s, checks, and exceptions to statuses. For one
// translation unit of libdecorr, which the build generates. DECORR_C_HAS_AVX2 and
// DECORR_C_HAS_AVX512 tell which further kernels are linked.

struct decorr_generator {
  std::mt19937_64 engine;
};

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// ---- Statuses

// Of fixed size, so that no allocation can fail in a failing call.
inline char* error_message() {
  static thread_local char message[1024] = "";
  return message;
}

inline decorr_status report(decorr_status status, const char* what) noexcept {
  std::snprintf(error_message(), 1024, "%s", what);
  return status;
}

inline decorr_status report_out_of_memory(const char* function) noexcept {
  std::snprintf(error_message(), 1024, "%s: out of memory", function);
  return DECORR_OUT_OF_MEMORY;
}

template <class Body>
decorr_status with_status(const char* function, Body&& body) noexcept {
  try {
    body(Call(function));
    return DECORR_OK;
  } catch (const std::invalid_argument& error) {
    return report(DECORR_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return report_out_of_memory(function);
  } catch (const std::length_error&) {  // a std::vector beyond its max_size
    return report_out_of_memory(function);
  } catch (const std::runtime_error& error) {
    return report(DECORR_FAILED, error.what());
  } catch (const std::exception& error) {
    return report(DECORR_INTERNAL, error.what());
  } catch (...) {
    return report(DECORR_INTERNAL, "decorr: unknown exception");
  }
}

// ---- Results and structs. Pointers to them may be misaligned, so they are only ever copied.

template <class Value>
void store(Value* to, Value value) {
  // Value may well be a pointer. NOLINTNEXTLINE(bugprone-sizeof-expression)
  std::memcpy(static_cast<void*>(to), static_cast<const void*>(&value), sizeof(Value));
}

// The sizes of earlier versions of a struct would be listed here, smallest first.
template <class Struct>
void check_size(const Call& call, const char* name, std::size_t size) {
  if (size != sizeof(Struct)) {
    call.fail(name, ".size is ", size, ", expected ", sizeof(Struct), ", the size of the struct");
  }
}

template <class Pointer>
void check_not_null(const Call& call, const char* name, Pointer pointer) {
  if (pointer == nullptr) call.fail(name, " is null");
}

// The size that the caller has set.
template <class Struct>
std::size_t stored_size(const Call& call, const char* name, const Struct* from) {
  std::size_t size = 0;
  std::memcpy(&size, static_cast<const void*>(from), sizeof size);
  check_size<Struct>(call, name, size);
  return size;
}

// The caller's struct; fields that it does not have, or all where there is none, are `defaults`.
template <class Struct>
Struct read_struct(const Call& call, const char* name, const Struct* from, Struct defaults) {
  if (from != nullptr) {
    const std::size_t size = stored_size(call, name, from);
    std::memcpy(&defaults, static_cast<const void*>(from), size);
  }
  return defaults;
}

// As many of the fields as a struct of this size has.
template <class Struct>
void write_struct(Struct* to, Struct from, std::size_t size) {
  from.size = size;
  std::memcpy(static_cast<void*>(to), &from, size);
}

template <class Struct>
decorr_status write_defaults(const char* function, Struct* to, std::size_t size,
                             const Struct& defaults) {
  return with_status(function, [&](const Call& call) {
    check_not_null(call, "the struct", to);
    check_size<Struct>(call, "the struct", size);
    write_struct(to, defaults, size);
  });
}

// Where the terms go; none if `to` is null. The size is checked before anything is computed.
template <class Struct>
class TermsTarget {
 public:
  TermsTarget(const Call& call, Struct* to)
      : to_(to), size_(to == nullptr ? 0 : stored_size(call, "terms", to)) {}
  void write(const Struct& terms) const {
    if (to_ != nullptr) write_struct(to_, terms, size_);
  }

 private:
  Struct* to_;
  std::size_t size_;
};

inline void check_reserved(const Call& call, const char* name, std::int32_t reserved) {
  if (reserved != 0) call.fail(name, ".reserved is ", reserved, ", expected 0");
}

inline bool to_bool(const Call& call, const char* name, std::int32_t value) {
  if (value != 0 && value != 1) call.fail(name, " is ", value, ", expected 0 or 1");
  return value == 1;
}

// ---- Options. The C++ defaults are the only ones.

inline decorr_barlow_twins_options to_c(const BarlowTwinsOptions& options) {
  return {sizeof(decorr_barlow_twins_options),
          options.lambda,
          options.scale,
          options.epsilon,
          options.standardize ? 1 : 0,
          0};
}

inline BarlowTwinsOptions to_cpp(const Call& call, const decorr_barlow_twins_options* from) {
  const auto options = read_struct(call, "options", from, to_c(BarlowTwinsOptions()));
  check_reserved(call, "options", options.reserved);
  BarlowTwinsOptions result;
  result.lambda = options.lambda;
  result.scale = options.scale;
  result.epsilon = options.epsilon;
  result.standardize = to_bool(call, "standardize", options.standardize);
  return result;
}

inline decorr_vicreg_options to_c(const VicregOptions& options) {
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

inline VicregOptions to_cpp(const Call& call, const decorr_vicreg_options* from) {
  const auto options = read_struct(call, "options", from, to_c(VicregOptions()));
  VicregOptions result;
  result.invariance = options.invariance;
  result.variance = options.variance;
  result.covariance = options.covariance;
  result.gamma = options.gamma;
  result.epsilon = options.epsilon;
  result.scale = options.scale;
  result.sum_variance = to_bool(call, "sum_variance", options.sum_variance);
  result.covariance_scaling = to_bool(call, "covariance_scaling", options.covariance_scaling)
                                  ? CovarianceScaling::block_mean
                                  : CovarianceScaling::per_dimension;
  return result;
}

inline decorr_execution to_c(const Execution& execution) {
  return {sizeof(decorr_execution), execution.threads,
          execution.planning == Planning::estimate  ? DECORR_ESTIMATE
          : execution.planning == Planning::measure ? DECORR_MEASURE
                                                    : DECORR_PATIENT};
}

inline Execution to_cpp(const Call& call, const decorr_execution* from) {
  const auto execution = read_struct(call, "execution", from, to_c(Execution()));
  constexpr std::int32_t most_threads = 1024;  // more may be more than a process can have
  Execution result;
  result.threads = std::min(execution.threads, most_threads);
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
      call.fail("planning is ", execution.planning, ", expected DECORR_ESTIMATE, ",
                "DECORR_MEASURE or DECORR_PATIENT");
  }
  return result;
}

inline decorr_regularizer regularizer_defaults(std::int32_t form) {
  const Relaxed relaxed;
  return {sizeof(decorr_regularizer),
          form,
          relaxed.exponent,
          relaxed.block_size,
          nullptr,
          0,
          nullptr,
          0,
          nullptr,
          0};
}

// One of the regularizer's arrays, whose size is checked before it is read.
template <class To, class From>
std::vector<To> copy_array(const Call& call, const char* name, const From* from, std::int64_t size,
                           Index features) {
  if (from == nullptr && size == 0) return {};
  if (from == nullptr) call.fail(name, " is null, ", name, "_size is ", size);
  if (size != features) {
    call.fail(name, " has ", size, " entries, expected ", features, ", one for each feature");
  }
  std::vector<To> to(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < to.size(); ++i) {
    From element;
    std::memcpy(&element, reinterpret_cast<const char*>(from) + i * sizeof element, sizeof element);
    // What does not fit is out of range and refused by the checks that follow.
    to[i] = element < std::numeric_limits<To>::min() || element > std::numeric_limits<To>::max()
                ? To(-1)
                : static_cast<To>(element);
  }
  return to;
}

// None for Exact.
inline std::optional<Relaxed> to_cpp(const Call& call, const char* name,
                                     const decorr_regularizer* from, std::int32_t default_form,
                                     Index features) {
  const auto regularizer = read_struct(call, name, from, regularizer_defaults(default_form));
  if (!to_bool(call, "form", regularizer.form)) return std::nullopt;
  std::optional<Relaxed> relaxed(std::in_place);
  relaxed->exponent = regularizer.exponent;
  // Out of range either way, where Index is narrower.
  relaxed->block_size = static_cast<Index>(
      std::clamp<std::int64_t>(regularizer.block_size, std::numeric_limits<Index>::min(),
                               std::numeric_limits<Index>::max()));
  relaxed->permutation = copy_array<Index>(call, "permutation", regularizer.permutation,
                                           regularizer.permutation_size, features);
  relaxed->signs_a = copy_array<std::int8_t>(call, "signs_a", regularizer.signs_a,
                                             regularizer.signs_a_size, features);
  relaxed->signs_b = copy_array<std::int8_t>(call, "signs_b", regularizer.signs_b,
                                             regularizer.signs_b_size, features);
  return relaxed;
}

template <class Relaxed>
const Relaxed* pointer(const std::optional<Relaxed>& relaxed) {
  return relaxed ? &*relaxed : nullptr;
}

// ---- Matrices

constexpr std::int64_t kMostExtent = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostElements = std::int64_t{1} << 36;  // 256 GiB of floats

inline ElementType element_type(const Call& call, const char* name, std::int32_t type) {
  switch (type) {
    case DECORR_FLOAT32:
      return ElementType::float32;
    case DECORR_FLOAT64:
      return ElementType::float64;
    case DECORR_FLOAT16:
      return ElementType::float16;
    case DECORR_BFLOAT16:
      return ElementType::bfloat16;
    default:
      call.fail(name, ".type is ", type, ", expected DECORR_FLOAT32, DECORR_FLOAT64, ",
                "DECORR_FLOAT16 or DECORR_BFLOAT16");
  }
}

// |stride|, or 0 where the extent has no second element.
inline std::uint64_t step(std::int64_t extent, std::int64_t stride) {
  if (extent == 1) return 0;
  return stride < 0 ? 0 - static_cast<std::uint64_t>(stride) : static_cast<std::uint64_t>(stride);
}

// Bytes from the lowest element to the first, and from the first to the end of the highest.
struct Reach {
  std::uint64_t below = 0, above = 0;
};

inline Reach reach(const Call& call, const char* name, std::int64_t rows, std::int64_t cols,
                   std::int64_t row_stride, std::int64_t col_stride, Index element_size) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
  const auto element = static_cast<std::uint64_t>(element_size);
  const auto fail = [&] {
    call.fail(name, " is ", rows, " x ", cols, " with strides ", row_stride, " and ", col_stride,
              ", which no memory holds");
  };
  Reach reach;
  reach.above = element;
  for (const auto& [extent, stride] : {std::pair(rows, row_stride), std::pair(cols, col_stride)}) {
    const std::uint64_t size = step(extent, stride);
    const auto count = static_cast<std::uint64_t>(extent - 1);
    if (size != 0 && count > most / element / size) fail();
    (stride < 0 ? reach.below : reach.above) += size * count * element;
  }
  if (reach.below + reach.above > most) fail();
  return reach;
}

template <class Matrix>
CMatrix to_matrix(const Call& call, const char* name, const Matrix* from) {
  check_not_null(call, name, from);
  const Matrix matrix = read_struct(call, name, from, Matrix{});
  check_reserved(call, name, matrix.reserved);
  const ElementType type = element_type(call, name, matrix.type);
  if (matrix.rows < 1 || matrix.cols < 1 || matrix.rows > kMostExtent ||
      matrix.cols > kMostExtent) {
    call.fail(name, " is ", matrix.rows, " x ", matrix.cols, ", expected 1 to ", kMostExtent,
              " rows and columns");
  }
  if (matrix.rows > kMostElements / matrix.cols) {
    call.fail(name, " is ", matrix.rows, " x ", matrix.cols, ", expected at most ", kMostElements,
              " elements");
  }
  if (matrix.data == nullptr) call.fail(name, ".data is null");
  const CMatrix result(const_cast<void*>(static_cast<const void*>(matrix.data)), type,
                       static_cast<Index>(matrix.rows), static_cast<Index>(matrix.cols),
                       static_cast<Index>(matrix.row_stride),
                       static_cast<Index>(matrix.col_stride));
  const auto address = reinterpret_cast<std::uintptr_t>(matrix.data);
  if (address % static_cast<std::uintptr_t>(result.element_size()) != 0) {
    call.fail(name, ".data is not aligned to its elements of ", result.element_size(), " bytes");
  }
  const Reach bytes = reach(call, name, matrix.rows, matrix.cols, matrix.row_stride,
                            matrix.col_stride, result.element_size());
  if (bytes.below > address || bytes.above > std::numeric_limits<std::uintptr_t>::max() - address) {
    call.fail(name, " reaches beyond the ends of memory");
  }
  return result;
}

inline CMatrix to_input(const Call& call, const char* name, const decorr_input* from) {
  return to_matrix(call, name, from);
}

inline void check_one_scalar(const Call& call, const char* name, const CMatrix& matrix,
                             const char* other_name, const CMatrix& other) {
  if (computes_in_double(matrix.type()) != computes_in_double(other.type())) {
    call.fail(name, " and ", other_name,
              " differ in type, expected DECORR_FLOAT64 for both or for neither");
  }
}

inline MemoryLayout memory_layout(const CMatrix& matrix) {
  MemoryLayout layout;
  if (matrix) {
    layout.first = reinterpret_cast<std::uintptr_t>(matrix.data());
    layout.element = matrix.element_size();
    layout.rows = matrix.rows();
    layout.cols = matrix.cols();
    layout.row_stride = matrix.row_stride();
    layout.col_stride = matrix.col_stride();
  }
  return layout;
}

// Empty where there is none.
inline CMatrix to_output(const Call& call, const char* name, const decorr_output* from,
                         const char* model_name, const CMatrix& model) {
  if (from == nullptr) return {};
  const CMatrix matrix = to_matrix(call, name, from);
  check_one_scalar(call, name, matrix, model_name, model);
  call.check_distinct(name, memory_layout(matrix));
  return matrix;
}

inline CViews to_two_views(const Call& call, const ViewNames& names, const decorr_input* a,
                           const decorr_input* b, const decorr_output* grad_a,
                           const decorr_output* grad_b) {
  CViews views;
  views.a = to_input(call, names.a, a);
  views.b = to_input(call, names.b, b);
  check_one_scalar(call, names.a, views.a, names.b, views.b);
  if ((grad_a == nullptr) != (grad_b == nullptr)) {
    call.fail(grad_a == nullptr ? names.grad_a : names.grad_b, " is null and ",
              grad_a == nullptr ? names.grad_b : names.grad_a, " is not, expected both or neither");
  }
  views.grad_a = to_output(call, names.grad_a, grad_a, names.a, views.a);
  views.grad_b = to_output(call, names.grad_b, grad_b, names.b, views.b);
  return views;
}

// ---- The processor

#if defined(DECORR_C_HAS_AVX2) || defined(DECORR_C_HAS_AVX512)
inline bool runs_avx2() {
#if defined(DECORR_C_AVX2_HAS_F16C)
  if (!__builtin_cpu_supports("f16c")) return false;
#endif
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
inline bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

inline const CKernels& choose_kernels() {
  [[maybe_unused]] const char* asked = std::getenv("DECORR_CPU");
  if (asked != nullptr && std::strcmp(asked, kCKernels.name) == 0) return kCKernels;
#if defined(DECORR_C_HAS_AVX512)
  const bool not_avx512 = asked != nullptr && std::strcmp(asked, "avx2") == 0;
  if (!not_avx512 && runs_avx512()) return c_kernels_avx512();
#endif
#if defined(DECORR_C_HAS_AVX2)
  if (runs_avx2()) return c_kernels_avx2();
#endif
  return kCKernels;
}

inline const CKernels& kernels() {
  static const CKernels& chosen = choose_kernels();
  return chosen;
}

// ---- The planner's lock

// Whether this thread holds it through decorr_lock_planner.
inline bool& holds_planner() {
  static thread_local bool holds = false;
  return holds;
}

inline void check_planner_free(const Call& call) {
  if (holds_planner()) call.fail("this thread holds the planner's lock");
}

// ---- Whole calls

template <class Options, class COptions, class Terms, class Compute>
decorr_status two_view_loss(const char* function, const decorr_input* z_a, const decorr_input* z_b,
                            const decorr_output* grad_a, const decorr_output* grad_b,
                            const COptions* c_options, const decorr_regularizer* c_regularizer,
                            const decorr_execution* c_execution, Terms* terms, Compute&& compute) {
  return with_status(function, [&](const Call& call) {
    check_planner_free(call);
    const TermsTarget<Terms> target(call, terms);
    const CViews views = to_two_views(call, kLossNames, z_a, z_b, grad_a, grad_b);
    const Options options = to_cpp(call, c_options);
    const auto relaxed = to_cpp(call, "regularizer", c_regularizer, DECORR_EXACT, views.a.cols());
    const Execution execution = to_cpp(call, c_execution);
    target.write(compute(function, views, options, pointer(relaxed), execution));
  });
}

template <class Options>
Call check_loss(const char* function, const ViewNames& names, const CMatrix& a, const CMatrix& b,
                Index least_rows, const Options& options, const Relaxed* relaxed,
                const Execution& execution) {
  return relaxed == nullptr
             ? check_loss(function, names, a, b, least_rows, options, Exact{}, execution)
             : check_loss(function, names, a, b, least_rows, options, *relaxed, execution);
}

template <class Options>
void check_two_view_loss(const char* function, const CViews& views, Index least_rows,
                         const Options& options, const Relaxed* relaxed,
                         const Execution& execution) {
  const Call call =
      check_loss(function, kLossNames, views.a, views.b, least_rows, options, relaxed, execution);
  if (views.grad_a) {
    check_gradients(call, kLossNames, views.a, views.b, views.grad_a, views.grad_b);
  }
}

template <class Options>
void check_single_view_loss(const char* function, const CViews& views, const Options& options,
                            const Relaxed* relaxed, const Execution& execution) {
  const Call call =
      check_loss(function, kSingleNames, views.a, views.a, 2, options, relaxed, execution);
  if (views.grad_a) check_gradient(call, kSingleNames, views.a, views.grad_a);
}

template <class Regularizer>
decorr_status bare_regularizer(const char* function, const decorr_input* a, const decorr_input* b,
                               const decorr_output* grad_a, const decorr_output* grad_b,
                               const decorr_execution* c_execution, double* value,
                               Regularizer&& regularizer) {
  return with_status(function, [&](const Call& call) {
    check_planner_free(call);
    const CViews views = to_two_views(call, kRegularizerNames, a, b, grad_a, grad_b);
    const Execution execution = to_cpp(call, c_execution);
    const std::optional<Relaxed> relaxed = regularizer(call, views.a.cols());
    if (relaxed) {
      check_bare(function, views.a, views.b, *relaxed, execution);
    } else {
      check_bare(function, views.a, views.b, Exact{}, execution);
    }
    if (views.grad_a) {
      check_gradients(call, kRegularizerNames, views.a, views.b, views.grad_a, views.grad_b);
    }
    const double result = kernels().regularizer(views, pointer(relaxed), execution);
    if (value != nullptr) store(value, result);
  });
}

// What a function draws, into an array of the caller's.
template <class To, class From>
void copy_draw(const std::vector<From>& from, To* to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const To element = from[i];
    std::memcpy(reinterpret_cast<char*>(to) + i * sizeof element, &element, sizeof element);
  }
}

inline Index to_features(const Call& call, std::int64_t d) {
  if (d < 1 || d > kMostExtent) call.fail("d is ", d, ", expected 1 to ", kMostExtent);
  return static_cast<Index>(d);
}

template <class Array, class Draw>
decorr_status random_array(const char* function, decorr_generator* generator, std::int64_t d,
                           const char* name, Array* array, Draw&& draw) {
  return with_status(function, [&](const Call& call) {
    check_not_null(call, "generator", generator);
    check_not_null(call, name, array);
    copy_draw(draw(to_features(call, d), generator->engine), array);
  });
}

template <class Scalar>
void save_or_load_wisdom(bool save, const char* path) {
  save ? save_wisdom<Scalar>(path) : load_wisdom<Scalar>(path);
}

inline decorr_status wisdom(const char* function, std::int32_t type, const char* path, bool save) {
  return with_status(function, [&](const Call& call) {
    check_planner_free(call);
    check_not_null(call, "path", path);
    if (type != DECORR_FLOAT32 && type != DECORR_FLOAT64) {
      call.fail("type is ", type, ", expected DECORR_FLOAT32 or DECORR_FLOAT64");
    }
    type == DECORR_FLOAT64 ? save_or_load_wisdom<double>(save, path)
                           : save_or_load_wisdom<float>(save, path);
  });
}

// ---- Presets

// What a preset is drawn with and into.
struct Draws {
  const Call* call;
  Index features, block_size;
  decorr_generator* generator;
  std::int64_t* permutation;
  std::int8_t *signs_a, *signs_b;
};

// The options and the regularizer of a preset; the drawn arrays are written last of all.
template <class Options>
struct CPreset {
  Options options;
  std::optional<Relaxed> relaxed;

  CPreset(const presets::BarlowTwinsPreset<Exact>& preset) : options(preset.options) {}
  CPreset(const presets::VicregPreset<Exact>& preset) : options(preset.options) {}
  CPreset(presets::BarlowTwinsPreset<Relaxed>&& preset)
      : options(preset.options), relaxed(std::move(preset.regularizer)) {}
  CPreset(presets::VicregPreset<Relaxed>&& preset)
      : options(preset.options), relaxed(std::move(preset.regularizer)) {}
};

inline void check_features(const Draws& draws, Index expected) {
  if (draws.features != expected) {
    draws.call->fail("d is ", draws.features, ", expected ", expected, " for this preset");
  }
}
inline std::mt19937_64& engine_for_permutation(const Draws& draws, Index expected) {
  check_features(draws, expected);
  check_not_null(*draws.call, "generator", draws.generator);
  check_not_null(*draws.call, "permutation", draws.permutation);
  return draws.generator->engine;
}
inline std::mt19937_64& engine_for_signs(const Draws& draws) {
  check_not_null(*draws.call, "generator", draws.generator);
  check_not_null(*draws.call, "signs_a", draws.signs_a);
  check_not_null(*draws.call, "signs_b", draws.signs_b);
  return draws.generator->engine;
}
[[noreturn]] inline void fail_preset(const Draws& draws, std::int32_t preset) {
  draws.call->fail("preset is ", preset, ", expected one of this loss's DECORR_PRESET_...");
}

inline CPreset<BarlowTwinsOptions> make_barlow_twins_preset(std::int32_t preset,
                                                            const Draws& draws) {
  switch (preset) {
    case DECORR_PRESET_EXACT:
      return presets::barlow_twins_exact();
    case DECORR_PRESET_EXACT_SOLO_LEARN_2048:
      check_features(draws, 2048);
      return presets::barlow_twins_exact_solo_learn_2048();
    case DECORR_PRESET_EXACT_SOLO_LEARN_8192:
      check_features(draws, 8192);
      return presets::barlow_twins_exact_solo_learn_8192();
    case DECORR_PRESET_RELAXED_2048:
      return presets::barlow_twins_relaxed_2048(engine_for_permutation(draws, 2048),
                                                draws.block_size);
    case DECORR_PRESET_RELAXED_8192:
      return presets::barlow_twins_relaxed_8192(engine_for_permutation(draws, 8192),
                                                draws.block_size);
    case DECORR_PRESET_RANDOM_SIGNS:
      return presets::barlow_twins_random_signs(draws.features, engine_for_signs(draws),
                                                draws.block_size);
    default:
      fail_preset(draws, preset);
  }
}

inline CPreset<VicregOptions> make_vicreg_preset(std::int32_t preset, const Draws& draws) {
  switch (preset) {
    case DECORR_PRESET_EXACT:
      return presets::vicreg_exact();
    case DECORR_PRESET_EXACT_SOLO_LEARN:
      return presets::vicreg_exact_solo_learn();
    case DECORR_PRESET_RELAXED_2048:
      return presets::vicreg_relaxed_2048(engine_for_permutation(draws, 2048), draws.block_size);
    case DECORR_PRESET_RELAXED_8192:
      return presets::vicreg_relaxed_8192(engine_for_permutation(draws, 8192), draws.block_size);
    case DECORR_PRESET_RANDOM_SIGNS:
      return presets::vicreg_random_signs(draws.features, engine_for_signs(draws),
                                          draws.block_size);
    default:
      fail_preset(draws, preset);
  }
}

template <class COptions, class Make>
decorr_status write_preset(const char* function, std::int32_t preset, std::int64_t d,
                           std::int64_t block_size, decorr_generator* generator,
                           std::int64_t* permutation, std::int8_t* signs_a, std::int8_t* signs_b,
                           COptions* options, decorr_regularizer* regularizer, Make&& make) {
  return with_status(function, [&](const Call& call) {
    check_not_null(call, "options", options);
    check_not_null(call, "regularizer", regularizer);
    const std::size_t options_size = stored_size(call, "options", options);
    const std::size_t regularizer_size = stored_size(call, "regularizer", regularizer);
    const Index features = to_features(call, d);
    if (block_size < 0 || block_size > d) {
      call.fail("block_size is ", block_size, ", expected 0 to ", d, ", the number of features");
    }
    const Draws draws{&call,   features, static_cast<Index>(block_size), generator, permutation,
                      signs_a, signs_b};
    const auto made = make(preset, draws);
    auto c_regularizer = regularizer_defaults(made.relaxed ? DECORR_RELAXED : DECORR_EXACT);
    if (made.relaxed) {
      c_regularizer.exponent = made.relaxed->exponent;
      c_regularizer.block_size = made.relaxed->block_size;
      if (!made.relaxed->permutation.empty()) {
        copy_draw(made.relaxed->permutation, permutation);
        c_regularizer.permutation = permutation;
        c_regularizer.permutation_size = d;
      }
      if (!made.relaxed->signs_a.empty()) {
        copy_draw(made.relaxed->signs_a, signs_a);
        copy_draw(made.relaxed->signs_b, signs_b);
        c_regularizer.signs_a = signs_a;
        c_regularizer.signs_b = signs_b;
        c_regularizer.signs_a_size = c_regularizer.signs_b_size = d;
      }
    }
    write_struct(options, to_c(made.options), options_size);
    write_struct(regularizer, c_regularizer, regularizer_size);
  });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

// ---- The functions. Not inline: this header is for one translation unit.
// NOLINTBEGIN(misc-definitions-in-headers)

extern "C" {

const char* decorr_error_message() { return decorr::detail::error_message(); }

const char* decorr_status_name(decorr_status status) {
  constexpr const char* names[] = {"ok", "invalid argument", "out of memory", "failed",
                                   "internal error"};
  return status >= DECORR_OK && status <= DECORR_INTERNAL ? names[status] : "unknown status";
}

const char* decorr_version() { return DECORR_VERSION_STRING; }

const char* decorr_cpu() { return decorr::detail::kernels().name; }

int32_t decorr_has_threads() {
#if defined(_OPENMP)
  return 1;
#else
  return 0;
#endif
}

decorr_status decorr_barlow_twins_options_defaults(decorr_barlow_twins_options* options,
                                                   size_t size) {
  return decorr::detail::write_defaults("barlow_twins_options_defaults", options, size,
                                        decorr::detail::to_c(decorr::BarlowTwinsOptions()));
}

decorr_status decorr_vicreg_options_defaults(decorr_vicreg_options* options, size_t size) {
  return decorr::detail::write_defaults("vicreg_options_defaults", options, size,
                                        decorr::detail::to_c(decorr::VicregOptions()));
}

decorr_status decorr_regularizer_defaults(decorr_regularizer* regularizer, size_t size) {
  return decorr::detail::write_defaults("regularizer_defaults", regularizer, size,
                                        decorr::detail::regularizer_defaults(DECORR_EXACT));
}

decorr_status decorr_execution_defaults(decorr_execution* execution, size_t size) {
  return decorr::detail::write_defaults("execution_defaults", execution, size,
                                        decorr::detail::to_c(decorr::Execution()));
}

decorr_status decorr_barlow_twins_loss(const decorr_input* z_a, const decorr_input* z_b,
                                       const decorr_output* grad_a, const decorr_output* grad_b,
                                       const decorr_barlow_twins_options* options,
                                       const decorr_regularizer* regularizer,
                                       const decorr_execution* execution,
                                       decorr_barlow_twins_terms* terms) {
  using namespace decorr::detail;
  return two_view_loss<decorr::BarlowTwinsOptions>(
      "barlow_twins_loss", z_a, z_b, grad_a, grad_b, options, regularizer, execution, terms,
      [](const char* function, const CViews& views, const auto& cpp_options, const auto* relaxed,
         const auto& cpp_execution) -> decorr_barlow_twins_terms {
        check_two_view_loss(function, views, cpp_options.standardize ? 2 : 1, cpp_options, relaxed,
                            cpp_execution);
        const auto loss = kernels().barlow_twins(views, cpp_options, relaxed, cpp_execution);
        return {sizeof(decorr_barlow_twins_terms), loss.value, loss.diagonal, loss.off_diagonal};
      });
}

decorr_status decorr_vicreg_loss(const decorr_input* z_a, const decorr_input* z_b,
                                 const decorr_output* grad_a, const decorr_output* grad_b,
                                 const decorr_vicreg_options* options,
                                 const decorr_regularizer* regularizer,
                                 const decorr_execution* execution, decorr_vicreg_terms* terms) {
  using namespace decorr::detail;
  return two_view_loss<decorr::VicregOptions>(
      "vicreg_loss", z_a, z_b, grad_a, grad_b, options, regularizer, execution, terms,
      [](const char* function, const CViews& views, const auto& cpp_options, const auto* relaxed,
         const auto& cpp_execution) -> decorr_vicreg_terms {
        check_two_view_loss(function, views, 2, cpp_options, relaxed, cpp_execution);
        const auto loss = kernels().vicreg(views, cpp_options, relaxed, cpp_execution);
        return {sizeof(decorr_vicreg_terms), loss.value, loss.invariance, loss.variance,
                loss.covariance};
      });
}

decorr_status decorr_variance_covariance_loss(const decorr_input* z, const decorr_output* grad,
                                              const decorr_vicreg_options* options,
                                              const decorr_regularizer* regularizer,
                                              const decorr_execution* execution,
                                              decorr_variance_covariance_terms* terms) {
  using namespace decorr::detail;
  return with_status("variance_covariance_loss", [&](const Call& call) {
    check_planner_free(call);
    const TermsTarget<decorr_variance_covariance_terms> target(call, terms);
    CViews views;
    views.a = to_input(call, kSingleNames.a, z);
    views.grad_a = to_output(call, kSingleNames.grad_a, grad, kSingleNames.a, views.a);
    const auto cpp_options = to_cpp(call, options);
    const auto relaxed = to_cpp(call, "regularizer", regularizer, DECORR_EXACT, views.a.cols());
    const auto cpp_execution = to_cpp(call, execution);
    check_single_view_loss("variance_covariance_loss", views, cpp_options, pointer(relaxed),
                           cpp_execution);
    const auto loss =
        kernels().variance_covariance(views, cpp_options, pointer(relaxed), cpp_execution);
    target.write(
        {sizeof(decorr_variance_covariance_terms), loss.value, loss.variance, loss.covariance});
  });
}

decorr_status decorr_r_off(const decorr_input* a, const decorr_input* b,
                           const decorr_output* grad_a, const decorr_output* grad_b,
                           const decorr_execution* execution, double* value) {
  return decorr::detail::bare_regularizer(
      "r_off", a, b, grad_a, grad_b, execution, value,
      [](const auto&, auto) -> std::optional<decorr::Relaxed> { return std::nullopt; });
}

decorr_status decorr_r_sum(const decorr_input* a, const decorr_input* b,
                           const decorr_output* grad_a, const decorr_output* grad_b,
                           const decorr_regularizer* relaxed, const decorr_execution* execution,
                           double* value) {
  return decorr::detail::bare_regularizer(
      "r_sum", a, b, grad_a, grad_b, execution, value, [&](const auto& call, auto features) {
        auto result = decorr::detail::to_cpp(call, "relaxed", relaxed, DECORR_RELAXED, features);
        if (!result) call.fail("form is DECORR_EXACT, expected DECORR_RELAXED");
        return result;
      });
}

decorr_status decorr_sumvec(const decorr_input* a, const decorr_input* b,
                            const decorr_execution* execution, const decorr_output* lags) {
  using namespace decorr::detail;
  return with_status("sumvec", [&](const Call& call) {
    check_planner_free(call);
    const CViews views = to_two_views(call, kRegularizerNames, a, b, nullptr, nullptr);
    check_not_null(call, "lags", lags);
    const CMatrix target = to_output(call, "lags", lags, kRegularizerNames.a, views.a);
    const auto cpp_execution = to_cpp(call, execution);
    check_bare("sumvec", views.a, views.b, decorr::Exact{}, cpp_execution);
    if (target.rows() != views.a.cols() || target.cols() != 1) {
      call.fail("lags is ", target.rows(), " x ", target.cols(), ", expected ", views.a.cols(),
                " x 1");
    }
    call.check_separate("lags", memory_layout(target), "a", memory_layout(views.a));
    call.check_separate("lags", memory_layout(target), "b", memory_layout(views.b));
    kernels().sumvec(views.a, views.b, target, cpp_execution);
  });
}

decorr_status decorr_generator_create(uint64_t seed, decorr_generator** generator) {
  using namespace decorr::detail;
  return with_status("generator_create", [&](const Call& call) {
    check_not_null(call, "generator", generator);
    store(generator, new decorr_generator{std::mt19937_64(seed)});
  });
}

void decorr_generator_destroy(decorr_generator* generator) { delete generator; }

decorr_status decorr_random_permutation(decorr_generator* generator, int64_t d,
                                        int64_t* permutation) {
  return decorr::detail::random_array(
      "random_permutation", generator, d, "permutation", permutation,
      [](auto features, auto& engine) { return decorr::random_permutation(features, engine); });
}

decorr_status decorr_random_signs(decorr_generator* generator, int64_t d, int8_t* signs) {
  return decorr::detail::random_array(
      "random_signs", generator, d, "signs", signs,
      [](auto features, auto& engine) { return decorr::random_signs(features, engine); });
}

decorr_status decorr_barlow_twins_preset(int32_t preset, int64_t d, int64_t block_size,
                                         decorr_generator* generator, int64_t* permutation,
                                         int8_t* signs_a, int8_t* signs_b,
                                         decorr_barlow_twins_options* options,
                                         decorr_regularizer* regularizer) {
  return decorr::detail::write_preset("barlow_twins_preset", preset, d, block_size, generator,
                                      permutation, signs_a, signs_b, options, regularizer,
                                      decorr::detail::make_barlow_twins_preset);
}

decorr_status decorr_vicreg_preset(int32_t preset, int64_t d, int64_t block_size,
                                   decorr_generator* generator, int64_t* permutation,
                                   int8_t* signs_a, int8_t* signs_b, decorr_vicreg_options* options,
                                   decorr_regularizer* regularizer) {
  return decorr::detail::write_preset("vicreg_preset", preset, d, block_size, generator,
                                      permutation, signs_a, signs_b, options, regularizer,
                                      decorr::detail::make_vicreg_preset);
}

decorr_status decorr_lock_planner() {
  using namespace decorr::detail;
  return with_status("lock_planner", [&](const Call& call) {
    check_planner_free(call);
    decorr::planner_mutex().lock();
    holds_planner() = true;
  });
}

decorr_status decorr_unlock_planner() {
  using namespace decorr::detail;
  return with_status("unlock_planner", [](const Call& call) {
    if (!holds_planner()) call.fail("this thread does not hold the lock");
    holds_planner() = false;
    decorr::planner_mutex().unlock();
  });
}

decorr_status decorr_clear_plans() {
  using namespace decorr::detail;
  return with_status("clear_plans", [&](const Call& call) {
    check_planner_free(call);
    decorr::clear_plans();
  });
}

decorr_status decorr_cached_plans(int64_t* count) {
  using namespace decorr::detail;
  return with_status("cached_plans", [&](const Call& call) {
    check_not_null(call, "count", count);
    store(count, static_cast<int64_t>(decorr::cached_plans()));
  });
}

decorr_status decorr_clear_workspaces() {
  return decorr::detail::with_status(
      "clear_workspaces", [](const decorr::detail::Call&) { decorr::clear_workspaces(); });
}

decorr_status decorr_save_wisdom(int32_t type, const char* path) {
  return decorr::detail::wisdom("save_wisdom", type, path, true);
}

decorr_status decorr_load_wisdom(int32_t type, const char* path) {
  return decorr::detail::wisdom("load_wisdom", type, path, false);
}

}  // extern "C"

// NOLINTEND(misc-definitions-in-headers)

#endif  // DECORR_DETAIL_C_IMPLEMENTATION_HPP_
