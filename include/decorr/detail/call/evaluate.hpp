#ifndef DECORR_DETAIL_CALL_EVALUATE_HPP_
#define DECORR_DETAIL_CALL_EVALUATE_HPP_

#include <Eigen/Core>
#include <type_traits>
#include <utility>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/call_matrices.hpp"
#include "decorr/detail/call/checked_call.hpp"
#include "decorr/detail/call/operands.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/options.hpp"

// Every function of losses.hpp and regularizers.hpp is one call of evaluate(): types are checked,
// and checked_call() does the rest. A value alone is asked for with no_gradient in both places.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Derived>
std::true_type is_dense(const Eigen::DenseBase<Derived>*);
std::false_type is_dense(const void*);
template <class T>
inline constexpr bool kIsDense =
    decltype(is_dense(std::declval<std::remove_reference_t<T>*>()))::value;
// A gradient argument: any matrix, array, block or Map, by lvalue or as a temporary view, or
// no_gradient. Anything else, options above all, takes a function out of overload resolution, so
// that a value-only call is never mistaken for a gradient call.
template <class Gradient>
inline constexpr bool kIsGradient = kIsDense<Gradient> || kIsNoGradient<Gradient> ||
                                    std::is_null_pointer<std::decay_t<Gradient>>::value;
template <class Gradient>
using EnableGradient = std::enable_if_t<kIsGradient<Gradient>, int>;

// The scalar that a call on these matrices computes in and returns. That it is that of both,
// evaluate() checks: an error here would be followed by one of all overloads.
template <class A, class B = A>
using ScalarOf = ComputeScalarOf<typename A::Scalar>;

// What is wrong with the type of a gradient is said first, in one sentence, and nothing is compiled
// after it.
template <class Gradient, class Scalar>
constexpr bool accepts_gradient() {
  if constexpr (std::is_null_pointer<std::decay_t<Gradient>>::value) {
    static_assert(
        !std::is_null_pointer<std::decay_t<Gradient>>::value,
        "decorr: a gradient that is not wanted is decorr::no_gradient, not a null pointer");
    return false;
  } else if constexpr (!kIsNoGradient<Gradient>) {
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

// FirstPass is what loss_of() takes. Gradients are forwarded, as accepts_gradient() tells a
// temporary matrix from one that lasts.
template <template <class> class FirstPass, class A, class B, class GradientA, class GradientB,
          class Options>
auto evaluate(const char* function, const A& a, const B& b, GradientA&& gradient_a,
              GradientB&& gradient_b, const Options& options, const Regularizer& regularizer,
              const Execution& execution) {
  using Other = std::conditional_t<std::is_same<B, NoView>::value, A, B>;
  using Scalar = ScalarOf<A>;
  constexpr bool has_one_scalar = std::is_same<Scalar, ScalarOf<Other>>::value;
  static_assert(has_one_scalar,
                "decorr: both views must have one computing scalar (float for half and bfloat16)");
  if constexpr (has_one_scalar && accepts_gradient<GradientA, Scalar>() &&
                accepts_gradient<GradientB, Scalar>()) {
    CallMatrices<A, B, std::remove_reference_t<GradientA>, std::remove_reference_t<GradientB>>
        matrices(a, b, gradient_a, gradient_b);
    return checked_call<FirstPass<Scalar>>(function, matrices, options, regularizer, execution);
  } else {
    return typename FirstPass<Scalar>::Result{};
  }
}

// The same of a part of the rows, for the classes of batches.hpp.
template <class Scalar, class A, class B>
constexpr void check_scalars_of_part() {
  using Other = std::conditional_t<std::is_same<B, NoView>::value, A, B>;
  static_assert(
      std::is_same<ScalarOf<A>, Scalar>::value && std::is_same<ScalarOf<Other>, Scalar>::value,
      "decorr: the views must have the batch's scalar (float for half and bfloat16)");
}
template <class Scalar, class Call, class A, class B>
void add_part(Call& call, const A& a, const B& b) {
  check_scalars_of_part<Scalar, A, B>();
  CallMatrices<A, B, const NoGradient, const NoGradient> matrices(a, b, no_gradient, no_gradient);
  call.add(matrices);
}
template <class Scalar, class Call, class A, class B, class GradientA, class GradientB>
void gradient_of_part(Call& call, const A& a, const B& b, GradientA&& gradient_a,
                      GradientB&& gradient_b) {
  check_scalars_of_part<Scalar, A, B>();
  if constexpr (accepts_gradient<GradientA, Scalar>() && accepts_gradient<GradientB, Scalar>()) {
    CallMatrices<A, B, std::remove_reference_t<GradientA>, std::remove_reference_t<GradientB>>
        matrices(a, b, gradient_a, gradient_b);
    call.gradient(matrices);
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_EVALUATE_HPP_
