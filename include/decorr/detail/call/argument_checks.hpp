#ifndef DECORR_DETAIL_CALL_ARGUMENT_CHECKS_HPP_
#define DECORR_DETAIL_CALL_ARGUMENT_CHECKS_HPP_

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <locale>
#include <numeric>
#include <sstream>
#include <type_traits>
#include <vector>

#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/errors.hpp"
#include "decorr/options.hpp"

// The checks of a call's arguments. All of them run before any output is written.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// What a function and its arguments are called, and how many rows it wants.
struct Signature {
  const char* function;
  const char *a, *b, *gradient_a, *gradient_b;
  Index least_rows;
};
// Of a function that computes by this first pass (losses/passes.hpp).
template <class FirstPass>
Signature signature_of(const char* function, const typename FirstPass::Options& options) {
  const Index least_rows = FirstPass::least_rows(options);
  if (!FirstPass::kHasTwoViews) {
    return {function, "z", nullptr, "grad", nullptr, least_rows};
  }
  return FirstPass::kHasStatistics
             ? Signature{function, "z_a", "z_b", "grad_a", "grad_b", least_rows}
             : Signature{function, "a", "b", "grad_a", "grad_b", least_rows};
}

// A matrix as the checks see it.
struct MatrixArgument {
  bool is_given = false;
  Index rows = 0, cols = 0;
  MemoryLayout memory;
};

// Of functions of one view b is not given, and neither is a gradient that nobody wants.
struct MatrixArguments {
  MatrixArgument a, b, gradient_a, gradient_b;
};

// What the processes of a collective call have to agree in, beside the number of features.
template <class Options>
void add_options([[maybe_unused]] SettingsDigest& settings,
                 [[maybe_unused]] const Options& options) {
  if constexpr (std::is_same<Options, BarlowTwinsOptions>::value) {
    settings.add("lambda", options.lambda);
    settings.add("scale", options.scale);
    settings.add("epsilon", options.standardize ? options.epsilon : 0);  // else it is not used
    settings.add("standardize", options.standardize);
  } else if constexpr (std::is_same<Options, VicregOptions>::value) {
    const double weights[] = {options.invariance, options.variance, options.covariance,
                              options.gamma};
    settings.add("a weight or gamma", weights);
    settings.add("scale", options.scale);
    settings.add("epsilon", options.epsilon);
    settings.add("sum_variance or covariance_scaling",
                 2 * static_cast<int>(options.covariance_scaling) + (options.sum_variance ? 1 : 0));
  } else {
    static_assert(std::is_same<Options, NoOptions>::value, "options that nobody would compare");
  }
}
DECORR_DETAIL_COLD inline void add_regularizer(SettingsDigest& settings,
                                               const Regularizer& regularizer, Index features) {
  const Relaxed none, *relaxed = regularizer.relaxed();
  const Relaxed& of = relaxed == nullptr ? none : *relaxed;
  settings.add("the regularizer", relaxed == nullptr ? 0 : of.exponent);
  settings.add("block_size", of.block_size == features ? Index{0} : of.block_size);
  settings.add("permutation", of.permutation.data(), of.permutation.size() * sizeof(Index));
  settings.add("signs_a", of.signs_a.data(), of.signs_a.size());
  settings.add("signs_b", of.signs_b.data(), of.signs_b.size());
}

// A word or a number of a message.
class MessagePart {
 public:
  MessagePart(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  MessagePart(double number) : number_(number), is_number_(true) {}  // NOLINT
  template <class Integer, class = std::enable_if_t<std::is_integral<Integer>::value>>
  MessagePart(Integer number)  // NOLINT(google-explicit-constructor)
      : integer_(static_cast<long long>(number)) {}

  void append_to(std::ostringstream& message) const {
    if (text_ != nullptr) {
      message << text_;
    } else if (is_number_) {
      message << number_;
    } else {
      message << integer_;
    }
  }

 private:
  const char* text_ = nullptr;
  double number_ = 0;
  long long integer_ = 0;
  bool is_number_ = false;
};

// The name of the function that was called; throws in its name.
class ArgumentChecks {
 public:
  explicit ArgumentChecks(const char* function) : function_(function) {}

  // Says of the argument what follows its name.
  template <class... Parts>
  [[noreturn]] void fail(const char* argument, const Parts&... parts) const {
    fail_with(argument, {MessagePart(parts)...});
  }

  DECORR_DETAIL_COLD void check_not_empty(const char* name, Index rows, Index cols,
                                          Index least_rows) const {
    if (rows < std::min(Index{1}, least_rows) || cols < 1) {
      fail(name, " is ", rows, " x ", cols, ", expected at least 1 row and 1 column");
    }
    if (rows < least_rows) {
      fail(name, " has ", rows, rows == 1 ? " row" : " rows", ", expected at least ", least_rows,
           " (a variance is taken over the rows)");
    }
  }

  DECORR_DETAIL_COLD void check_shape(const char* name, Index rows, Index cols, const char* model,
                                      Index model_rows, Index model_cols) const {
    if (rows != model_rows) {
      fail(name, " has ", rows, rows == 1 ? " row, " : " rows, ", model, " has ", model_rows);
    }
    if (cols != model_cols) {
      fail(name, " has ", cols, cols == 1 ? " column, " : " columns, ", model, " has ", model_cols);
    }
  }

  DECORR_DETAIL_COLD void check_separate(const char* name, const MemoryLayout& memory,
                                         const char* other_name, const MemoryLayout& other) const {
    if (overlap(memory, other)) {
      fail(name, " overlaps ", other_name, ", expected memory of its own");
    }
  }

  // Of a matrix that is written. Elements (i, j) and (k, l) are one if (i-k) row_stride = (l-j)
  // col_stride, of which the smallest solution is that of the strides without their common divisor.
  DECORR_DETAIL_COLD void check_distinct(const char* name, const MemoryLayout& memory) const {
    if (!memory.scattered.empty()) {
      if (repeats(memory)) {
        fail(name, " has elements that share memory, expected memory of its own for each");
      }
      return;
    }
    const auto size = [](std::ptrdiff_t stride) { return stride < 0 ? -stride : stride; };
    const std::ptrdiff_t row = memory.rows > 1 ? size(memory.row_stride) : 1;
    const std::ptrdiff_t col = memory.cols > 1 ? size(memory.col_stride) : 1;
    const std::ptrdiff_t divisor = std::gcd(row, col);
    if (row == 0 || col == 0 || (col / divisor < memory.rows && row / divisor < memory.cols)) {
      fail(name, " has strides ", memory.row_stride, " and ", memory.col_stride, " for ",
           memory.rows, " x ", memory.cols, " elements, of which some share memory");
    }
  }

  DECORR_DETAIL_COLD void check_inputs(const Signature& names,
                                       const MatrixArguments& matrices) const {
    const MatrixArgument &a = matrices.a, &b = matrices.b;
    check_not_empty(names.a, a.rows, a.cols, names.least_rows);
    if (b.is_given) {
      check_shape(names.b, b.rows, b.cols, names.a, a.rows, a.cols);
    }
  }

  DECORR_DETAIL_COLD void check_gradients(const Signature& names,
                                          const MatrixArguments& matrices) const {
    struct Gradient {
      const char* name;
      const MatrixArgument* matrix;
      const char* view_name;
      const MatrixArgument* view;
    };
    const Gradient gradients[] = {{names.gradient_a, &matrices.gradient_a, names.a, &matrices.a},
                                  {names.gradient_b, &matrices.gradient_b, names.b, &matrices.b}};
    for (const Gradient& g : gradients) {
      if (g.matrix->is_given) {
        check_shape(g.name, g.matrix->rows, g.matrix->cols, g.view_name, g.view->rows,
                    g.view->cols);
      }
    }
    for (const Gradient& g : gradients) {
      if (g.matrix->is_given) {
        check_distinct(g.name, g.matrix->memory);
      }
    }
    for (const Gradient& g : gradients) {
      if (g.matrix->is_given) {
        check_separate(g.name, g.matrix->memory, names.a, matrices.a.memory);
        if (matrices.b.is_given) {
          check_separate(g.name, g.matrix->memory, names.b, matrices.b.memory);
        }
      }
    }
    if (matrices.gradient_a.is_given && matrices.gradient_b.is_given) {
      check_separate(names.gradient_b, matrices.gradient_b.memory, names.gradient_a,
                     matrices.gradient_a.memory);
    }
  }

  DECORR_DETAIL_COLD void check(const Execution& execution) const {
    if (execution.threads < 1) {
      fail("threads", " is ", execution.threads, ", expected at least 1");
    }
    check_choice("planning", static_cast<int>(execution.planning),
                 static_cast<int>(Planning::patient));
  }

  DECORR_DETAIL_COLD void check(const BarlowTwinsOptions& options) const {
    check_finite("lambda", options.lambda);
    check_finite("scale", options.scale);
    check_epsilon(options.epsilon);
  }
  DECORR_DETAIL_COLD void check(const VicregOptions& options) const {
    check_finite("invariance", options.invariance);
    check_finite("variance", options.variance);
    check_finite("covariance", options.covariance);
    check_finite("gamma", options.gamma);
    check_finite("scale", options.scale);
    check_epsilon(options.epsilon);
    check_choice("covariance_scaling", static_cast<int>(options.covariance_scaling),
                 static_cast<int>(CovarianceScaling::block_mean));
  }

  DECORR_DETAIL_COLD void check(ViewCombination combination) const {
    check_choice("combination", static_cast<int>(combination),
                 static_cast<int>(ViewCombination::centroid));
  }

  DECORR_DETAIL_COLD void check(const Regularizer& regularizer, Index features) const {
    if (regularizer.relaxed() == nullptr) {
      return;
    }
    const Relaxed& relaxed = *regularizer.relaxed();
    if (relaxed.exponent != 1 && relaxed.exponent != 2) {
      fail("exponent", " is ", relaxed.exponent, ", expected 1 or 2");
    }
    if (relaxed.block_size < 0 || relaxed.block_size > features) {
      fail("block_size", " is ", relaxed.block_size, ", expected 0 to ", features,
           ", the number of features");
    }
    check_permutation(relaxed.permutation, features);
    check_signs("signs_a", relaxed.signs_a, features);
    check_signs("signs_b", relaxed.signs_b, features);
  }
  // A covariance meets its own view's signs on both sides, so those of one view alone would leave
  // the other one as it is: plain, and biased.
  DECORR_DETAIL_COLD void check_signs_of_covariances(const Regularizer& regularizer,
                                                     bool has_two_views) const {
    if (regularizer.relaxed() == nullptr) {
      return;
    }
    const bool has_a = !regularizer.relaxed()->signs_a.empty();
    const bool has_b = !regularizer.relaxed()->signs_b.empty();
    if (has_b && !has_a) {
      fail("signs_a", " is empty, signs_b is not, expected the signs of ",
           has_two_views ? "both views, or of none" : "the view in signs_a");
    }
    if (has_a && !has_b && has_two_views) {
      fail("signs_b", " is empty, signs_a is not, expected the signs of both views, or of none");
    }
  }

 private:
  [[noreturn]] DECORR_DETAIL_COLD void fail_with(const char* argument,
                                                 std::initializer_list<MessagePart> parts) const {
    std::ostringstream message;
    // The process's own locale may group digits, or write a comma for the decimal point.
    message.imbue(std::locale::classic());
    message << function_ << ": " << argument;
    for (const MessagePart& part : parts) {
      part.append_to(message);
    }
    throw InvalidArgument(message.str(), argument);
  }

  void check_finite(const char* name, double value) const {
    if (!std::isfinite(value)) {
      fail(name, " is ", value, ", expected a finite number");
    }
  }

  void check_epsilon(double epsilon) const {
    if (!(epsilon >= 0)) {
      fail("epsilon", " is ", epsilon, ", expected at least 0");
    }
    check_finite("epsilon", epsilon);
  }

  void check_choice(const char* name, int value, int last) const {
    if (value < 0 || value > last) {
      fail(name, " is ", value, ", expected one of its names");
    }
  }

  [[noreturn]] void fail_size(const char* name, Index size, Index features) const {
    fail(name, " has ", size, size == 1 ? " entry" : " entries", ", expected ", features,
         ", one for each feature");
  }

  DECORR_DETAIL_COLD void check_permutation(const std::vector<Index>& permutation,
                                            Index features) const {
    if (permutation.empty()) {
      return;
    }
    const auto size = static_cast<Index>(permutation.size());
    if (size != features) {
      fail_size("permutation", size, features);
    }
    Arena arena;
    Buffer<Index> position(arena, features, -1);
    for (Index j = 0; j < features; ++j) {
      const Index feature = permutation[static_cast<std::size_t>(j)];
      if (feature < 0 || feature >= features) {
        fail("permutation", "[", j, "] is ", feature, ", expected 0 to ", features - 1);
      }
      if (position[feature] >= 0) {
        fail("permutation", "[", j, "] is ", feature, " as permutation[", position[feature],
             "] is, expected each feature once");
      }
      position[feature] = j;
    }
  }

  DECORR_DETAIL_COLD void check_signs(const char* name, const std::vector<std::int8_t>& signs,
                                      Index features) const {
    if (signs.empty()) {
      return;
    }
    const auto size = static_cast<Index>(signs.size());
    if (size != features) {
      fail_size(name, size, features);
    }
    for (Index j = 0; j < features; ++j) {
      const std::int8_t sign = signs[static_cast<std::size_t>(j)];
      if (sign != 1 && sign != -1) {
        fail(name, "[", j, "] is ", static_cast<int>(sign), ", expected +1 or -1");
      }
    }
  }

  const char* function_;
};

// Of what is not a matrix.
template <class Options>
void check_settings(const ArgumentChecks& checks, const Options& options,
                    const Regularizer& regularizer, Index features, bool has_two_views,
                    const Execution& execution) {
  if constexpr (!std::is_same<Options, NoOptions>::value) {
    checks.check(options);
  }
  checks.check(regularizer, features);
  if constexpr (std::is_same<Options, VicregOptions>::value) {
    checks.check_signs_of_covariances(regularizer, has_two_views);
  }
  checks.check(execution);
}

// All that a function wants of its arguments.
template <class Options>
DECORR_DETAIL_COLD void check_arguments(Signature names, const MatrixArguments& matrices,
                                        const Options& options, const Regularizer& regularizer,
                                        const Execution& execution) {
  const ArgumentChecks checks(names.function);
  if (execution.communicator != nullptr) {
    names.least_rows = 0;  // of this process; agree() counts all
  }
  checks.check_inputs(names, matrices);
  check_settings(checks, options, regularizer, matrices.a.cols, matrices.b.is_given, execution);
  checks.check_gradients(names, matrices);
}

// Which matrices a collective call has, so far as its processes have to agree in them.
struct MatricesDigest {
  const char* name;  // what differs where `code` does
  int code;
  Index rows, features;
};

// The first sum of a collective call, on all processes: what failed on any of them so far, other
// settings, or too few rows in all end it.
template <class Scalar, class Options>
DECORR_DETAIL_COLD void agree(Processes<Scalar>& processes, const Signature& names,
                              const MatricesDigest& matrices, const Options& options,
                              const Regularizer& regularizer) {
  SettingsDigest settings;
  settings.add("the function", names.function, std::strlen(names.function));
  settings.add("the scalar", sizeof(Scalar));
  settings.add("the number of features", matrices.features);
  settings.add(matrices.name, matrices.code);
  add_options(settings, options);
  add_regularizer(settings, regularizer, matrices.features);
  processes.agree(settings, matrices.rows);
  ArgumentChecks(names.function)
      .check_not_empty(names.a, processes.count(), matrices.features, names.least_rows);
}
template <class Scalar, class Options>
DECORR_DETAIL_COLD void agree(Processes<Scalar>& processes, const Signature& names,
                              const MatrixArguments& matrices, const Options& options,
                              const Regularizer& regularizer) {
  const int gradients =
      2 * (matrices.gradient_a.is_given ? 1 : 0) + (matrices.gradient_b.is_given ? 1 : 0);
  agree(
      processes, names,
      MatricesDigest{"which gradients are asked for", gradients, matrices.a.rows, matrices.a.cols},
      options, regularizer);
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_ARGUMENT_CHECKS_HPP_
