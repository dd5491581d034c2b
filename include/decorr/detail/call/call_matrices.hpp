#ifndef DECORR_DETAIL_CALL_CALL_MATRICES_HPP_
#define DECORR_DETAIL_CALL_CALL_MATRICES_HPP_

#include <optional>
#include <type_traits>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/call/operands.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// The matrices of a call of Eigen's types, as checked_call.hpp wants them, and what stands in the
// place of those that are not there.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// In the place of the second view, for functions of one view.
struct NoView {};

template <class T>
inline constexpr bool kIsNoGradient = std::is_same<std::decay_t<T>, NoGradient>::value;

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

template <class A, class B, class GradientA, class GradientB>
class CallMatrices {
 public:
  using Scalar = ComputeScalarOf<typename A::Scalar>;

  CallMatrices(const A& a, const B& b, GradientA& gradient_a, GradientB& gradient_b)
      : a_(a), b_(b), gradient_a_(gradient_a), gradient_b_(gradient_b) {}
  CallMatrices(const CallMatrices&) = delete;
  CallMatrices& operator=(const CallMatrices&) = delete;
  // Inlined, GCC 12 warns of what an optional without value may hold.
  DECORR_DETAIL_NOINLINE ~CallMatrices() = default;

  MatrixArguments arguments() const {
    constexpr bool has_gradient = !kIsNoGradient<GradientA> || !kIsNoGradient<GradientB>;
    return {matrix_argument(a_, has_gradient), matrix_argument(b_, has_gradient),
            matrix_argument(gradient_a_, true), matrix_argument(gradient_b_, true)};
  }
  void prepare(Arena& arena) {
    operand_a_.emplace(a_);
    operand_b_.emplace(b_);
    target_a_.emplace(arena, gradient_a_);
    target_b_.emplace(arena, gradient_b_);
  }
  BatchRows<Scalar> rows() noexcept {
    return {operand_a_->rows(), operand_b_->rows(), target_a_->rows(), target_b_->rows()};
  }
  void commit() noexcept {
    target_a_->commit();
    target_b_->commit();
  }

 private:
  const A& a_;
  const B& b_;
  GradientA& gradient_a_;
  GradientB& gradient_b_;
  std::optional<Operand<A>> operand_a_;
  std::optional<Operand<B>> operand_b_;
  std::optional<GradientTarget<GradientA>> target_a_;
  std::optional<GradientTarget<GradientB>> target_b_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_CALL_MATRICES_HPP_
