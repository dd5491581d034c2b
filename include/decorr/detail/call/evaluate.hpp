#ifndef DECORR_DETAIL_CALL_EVALUATE_HPP_
#define DECORR_DETAIL_CALL_EVALUATE_HPP_

#include <Eigen/Core>
#include <type_traits>
#include <utility>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// From Eigen's types to rows and back: every public function goes through one of the calls below.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Derived>
std::true_type is_dense(const Eigen::DenseBase<Derived>*);
std::false_type is_dense(const void*);

// A gradient argument: any matrix, block or Map, by lvalue or as a temporary view. Anything else,
// options above all, takes a function out of overload resolution, so that a value-only call is
// never mistaken for a gradient call.
template <class Gradient>
using EnableGradient =
    std::enable_if_t<decltype(is_dense(std::declval<std::remove_reference_t<Gradient>*>()))::value,
                     int>;

template <class A, class B = A>
struct CommonScalar {
  using type = ComputeScalarOf<typename A::Scalar>;
  static_assert(std::is_same<type, ComputeScalarOf<typename B::Scalar>>::value,
                "decorr: both views must have one computing scalar (float for half and bfloat16)");
};

// The scalar that a call on these matrices computes in and returns.
template <class A, class B = A>
using ScalarOf = typename CommonScalar<A, B>::type;

// What the arguments of one family of functions are called.
struct ViewNames {
  const char *a, *b, *grad_a, *grad_b;
};
inline constexpr ViewNames kRegularizerNames{"a", "b", "grad_a", "grad_b"};
inline constexpr ViewNames kLossNames{"z_a", "z_b", "grad_a", "grad_b"};
inline constexpr ViewNames kSingleNames{"z", nullptr, "grad", nullptr};

template <class Gradient, class Scalar>
void require_gradient() {
  static_assert(!std::is_const<Gradient>::value,
                "decorr: a gradient must be writable, this one is const");
  static_assert(std::is_same<ComputeScalarOf<typename Gradient::Scalar>, Scalar>::value,
                "decorr: a gradient must have the inputs' scalar, or a 16-bit type for float");
}

template <class A, class B>
void check_views(const Call& call, const ViewNames& names, const A& a, const B& b,
                 Index least_rows) {
  call.check_not_empty(names.a, a.rows(), a.cols(), least_rows);
  call.check_shape(names.b, b.rows(), b.cols(), names.a, a.rows(), a.cols());
}

template <class A, class B, class GradientA, class GradientB>
void check_gradients(const Call& call, const ViewNames& names, const A& a, const B& b,
                     const GradientA& grad_a, const GradientB& grad_b) {
  call.check_shape(names.grad_a, grad_a.rows(), grad_a.cols(), names.a, a.rows(), a.cols());
  call.check_shape(names.grad_b, grad_b.rows(), grad_b.cols(), names.b, b.rows(), b.cols());
  const MemoryLayout memory_a = memory_layout(a), memory_b = memory_layout(b);
  const MemoryLayout gradient_a = memory_layout(grad_a), gradient_b = memory_layout(grad_b);
  call.check_distinct(names.grad_a, gradient_a);
  call.check_distinct(names.grad_b, gradient_b);
  call.check_separate(names.grad_a, gradient_a, names.a, memory_a);
  call.check_separate(names.grad_a, gradient_a, names.b, memory_b);
  call.check_separate(names.grad_b, gradient_b, names.a, memory_a);
  call.check_separate(names.grad_b, gradient_b, names.b, memory_b);
  call.check_separate(names.grad_b, gradient_b, names.grad_a, gradient_a);
}

template <class Z, class Gradient>
void check_gradient(const Call& call, const ViewNames& names, const Z& z, const Gradient& grad) {
  call.check_shape(names.grad_a, grad.rows(), grad.cols(), names.a, z.rows(), z.cols());
  const MemoryLayout gradient = memory_layout(grad);
  call.check_distinct(names.grad_a, gradient);
  call.check_separate(names.grad_a, gradient, names.a, memory_layout(z));
}

// run(rows of a, rows of b, no gradients).
template <class A, class B, class Run>
auto call_two_views(const A& a, const B& b, Run&& run) {
  using Scalar = ScalarOf<A, B>;
  const Operand<A> operand_a(a);
  const Operand<B> operand_b(b);
  return run(operand_a.rows(), operand_b.rows(), OutputRows<Scalar>(), OutputRows<Scalar>());
}

template <class A, class B, class GradientA, class GradientB, class Run>
auto call_two_views(const Call& call, const ViewNames& names, const A& a, const B& b,
                    GradientA& grad_a, GradientB& grad_b, Run&& run) {
  using Scalar = ScalarOf<A, B>;
  require_gradient<GradientA, Scalar>();
  require_gradient<GradientB, Scalar>();
  check_gradients(call, names, a, b, grad_a, grad_b);
  const Operand<A> operand_a(a);
  const Operand<B> operand_b(b);
  GradientTarget<GradientA> target_a(grad_a);
  GradientTarget<GradientB> target_b(grad_b);
  const auto result = run(operand_a.rows(), operand_b.rows(), target_a.rows(), target_b.rows());
  target_a.commit();
  target_b.commit();
  return result;
}

// The same for one view: run(rows of z, gradient).
template <class Z, class Run>
auto call_one_view(const Z& z, Run&& run) {
  const Operand<Z> operand(z);
  return run(operand.rows(), OutputRows<ScalarOf<Z>>());
}

template <class Z, class Gradient, class Run>
auto call_one_view(const Call& call, const ViewNames& names, const Z& z, Gradient& grad,
                   Run&& run) {
  require_gradient<Gradient, ScalarOf<Z>>();
  check_gradient(call, names, z, grad);
  const Operand<Z> operand(z);
  GradientTarget<Gradient> target(grad);
  const auto result = run(operand.rows(), target.rows());
  target.commit();
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_EVALUATE_HPP_
