#ifndef DECORR_DETAIL_CALL_EVALUATE_HPP_
#define DECORR_DETAIL_CALL_EVALUATE_HPP_

#include <Eigen/Core>
#include <optional>
#include <type_traits>
#include <utility>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/call/operands.hpp"
#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// Every public function is one call of evaluate(): types and arguments are checked, matrices become
// rows, and the loss is computed. A value alone is asked for with no_gradient in both places.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Derived>
std::true_type is_dense(const Eigen::DenseBase<Derived>*);
std::false_type is_dense(const void*);
template <class T>
inline constexpr bool kIsDense =
    decltype(is_dense(std::declval<std::remove_reference_t<T>*>()))::value;
template <class T>
inline constexpr bool kIsNoGradient = std::is_same<std::decay_t<T>, NoGradient>::value;

// A gradient argument: any matrix, array, block or Map, by lvalue or as a temporary view, or
// no_gradient. Anything else, options above all, takes a function out of overload resolution, so
// that a value-only call is never mistaken for a gradient call.
template <class Gradient>
using EnableGradient = std::enable_if_t<kIsDense<Gradient> || kIsNoGradient<Gradient>, int>;

// The scalar that a call on these matrices computes in and returns. That it is that of both,
// evaluate() checks: an error here would be followed by one of all overloads.
template <class A, class B = A>
using ScalarOf = ComputeScalarOf<typename A::Scalar>;

// What is wrong with the type of a gradient is said first, in one sentence, and nothing is compiled
// after it.
template <class Gradient, class Scalar>
constexpr bool accepts_gradient() {
  if constexpr (!kIsNoGradient<Gradient>) {
    using Plain = std::remove_reference_t<Gradient>;
    constexpr bool assignable = kIsLvalue<std::remove_const_t<Plain>>;
    constexpr bool writable = !std::is_const<Plain>::value;
    constexpr bool has_scalar =
        std::is_same<ComputeScalarOf<typename Plain::Scalar>, Scalar>::value;
    constexpr bool lasts =
        std::is_lvalue_reference<Gradient>::value ||
        !std::is_base_of<Eigen::PlainObjectBase<std::remove_const_t<Plain>>, Plain>::value;
    if constexpr (!assignable) {
      static_assert(
          assignable,
          "decorr: a gradient must be a matrix that can be assigned to, or a view of one");
    } else if constexpr (!writable) {
      static_assert(writable, "decorr: a gradient must be writable, this one is const");
    } else if constexpr (!has_scalar) {
      static_assert(has_scalar,
                    "decorr: a gradient must have the inputs' scalar, or a 16-bit type for float");
    } else {
      static_assert(lasts,
                    "decorr: this gradient is a temporary matrix and would be lost; pass a matrix "
                    "of yours, a view of one, or decorr::no_gradient");
    }
    return assignable && writable && has_scalar && lasts;
  } else {
    return true;
  }
}

// In the place of the second view, for functions of one view.
struct NoView {};

// The memory of inputs counts only beside that of gradients.
template <class Matrix>
MatrixArgument matrix_argument(const Matrix& matrix, bool with_memory) {
  if constexpr (std::is_same<Matrix, NoView>::value || kIsNoGradient<Matrix>) {
    return {};
  } else {
    MatrixArgument argument{true, matrix.rows(), matrix.cols(), {}};
    if (with_memory && matrix.rows() > 0 && matrix.cols() > 0) {
      argument.memory = memory_layout(matrix);
    }
    return argument;
  }
}

// Nothing in the place of what is not there.
template <>
class Operand<NoView> {
 public:
  explicit Operand(const NoView&) {}
  struct None {
    template <class Scalar>
    operator InputRows<Scalar>() const {  // NOLINT(google-explicit-constructor)
      return {};
    }
  };
  None rows() const { return {}; }
};
template <>
class GradientTarget<const NoGradient> {
 public:
  GradientTarget(Arena&, const NoGradient&) {}
  struct None {
    template <class Scalar>
    operator OutputRows<Scalar>() const {  // NOLINT(google-explicit-constructor)
      return {};
    }
  };
  None rows() const noexcept { return {}; }
  void commit() const noexcept {}
};
template <>
class GradientTarget<NoGradient> : public GradientTarget<const NoGradient> {
  using GradientTarget<const NoGradient>::GradientTarget;
};

// compute(batch) on checked arguments. Gradients are forwarded, as accepts_gradient() tells a
// temporary matrix from one that lasts.
template <class A, class B, class GradientA, class GradientB, class Options, class Compute>
auto evaluate(const Signature& signature, const A& a, const B& b, GradientA&& gradient_a,
              GradientB&& gradient_b, const Options& options, const Regularizer& regularizer,
              const Execution& execution, const Compute& compute) {
  using Other = std::conditional_t<std::is_same<B, NoView>::value, A, B>;
  using Scalar = ScalarOf<A>;
  constexpr bool has_one_scalar = std::is_same<Scalar, ScalarOf<Other>>::value;
  static_assert(has_one_scalar,
                "decorr: both views must have one computing scalar (float for half and bfloat16)");
  using Result = decltype(compute(std::declval<const Batch<Scalar>&>()));
  if constexpr (has_one_scalar && accepts_gradient<GradientA, Scalar>() &&
                accepts_gradient<GradientB, Scalar>()) {
    constexpr bool has_gradient = !kIsNoGradient<GradientA> || !kIsNoGradient<GradientB>;
    const MatrixArguments matrices{
        matrix_argument(a, has_gradient), matrix_argument(b, has_gradient),
        matrix_argument(gradient_a, true), matrix_argument(gradient_b, true)};
    Arena arena;
    std::optional<Processes<Scalar>> processes;
    if (execution.communicator != nullptr) {
      processes.emplace(*execution.communicator, signature.function);
    }
    std::optional<Operand<A>> operand_a;
    std::optional<Operand<B>> operand_b;
    std::optional<GradientTarget<std::remove_reference_t<GradientA>>> target_a;
    std::optional<GradientTarget<std::remove_reference_t<GradientB>>> target_b;
    const auto prepare = [&] {
      check_arguments(signature, matrices, options, regularizer, execution);
      operand_a.emplace(a);
      operand_b.emplace(b);
      target_a.emplace(arena, gradient_a);
      target_b.emplace(arena, gradient_b);
    };
    if (processes) {
      processes->attempt([&] {
        prepare();
        processes->reserve(arena, most_sums<Scalar>(a.cols(), regularizer));
      });
      agree(*processes, signature, matrices, options, regularizer);
    } else {
      prepare();
    }
    Batch<Scalar> batch{arena,
                        {operand_a->rows(), operand_b->rows(), target_a->rows(), target_b->rows()},
                        execution};
    batch.processes = processes ? &*processes : nullptr;
    const Result result = compute(static_cast<const Batch<Scalar>&>(batch));
    target_a->commit();
    target_b->commit();
    return result;
  } else {
    return Result{};
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_EVALUATE_HPP_
