#ifndef DECORR_DETAIL_CALL_VIEW_CONTAINERS_HPP_
#define DECORR_DETAIL_CALL_VIEW_CONTAINERS_HPP_

#include <Eigen/Core>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/call_matrices.hpp"
#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/misuse.hpp"
#include "decorr/detail/call/operands.hpp"
#include "decorr/detail/call/views_call.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// From containers of Eigen's types to the rows of many views. Elements are matrices or pointers to
// matrices.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Matrix>
Matrix* address_of(Matrix& matrix) {
  return std::addressof(matrix);
}
template <class Matrix>
Matrix* address_of(Matrix* const& matrix) {
  return matrix;
}
template <class Matrix>
Matrix* address_of(Matrix*& matrix) {
  return matrix;
}

template <class Container, class = void>
struct IsContainer : std::false_type {};
template <class Container>
struct IsContainer<Container, std::void_t<decltype(std::declval<Container&>().size()),
                                          decltype(std::declval<Container&>()[std::size_t{0}])>>
    : std::true_type {};
// Anything else takes a function out of overload resolution.
template <class Container>
using EnableContainer = std::enable_if_t<IsContainer<Container>::value, int>;

template <class Options, class... Arguments>
constexpr Misuse misuse_of_views() {
  constexpr std::size_t containers = count_in_front<IsContainer<const Arguments>::value...>();
  return containers == 1 || containers == 2
             ? misuse_of_settings<ViewCombination,
                                  Given<ViewCombination, Options, Regularizer, Execution>>(
                   behind<containers>(Given<Arguments...>()), Misuse::order_of_views)
             : Misuse::none;
}

// In the place of gradients where there are none.
struct NoGradients {
  const NoGradient* operator[](std::size_t) const noexcept { return nullptr; }
  std::size_t size() const noexcept { return 0; }
};

// What a container's elements are, or point to.
template <class Container>
using MatrixOf =
    std::remove_pointer_t<decltype(address_of(std::declval<Container&>()[std::size_t{0}]))>;

// The scalar that a call computes in and returns; any, where accepts_views() says what is wrong.
template <class Matrix, bool kIsMatrix>
struct ScalarOfElement {
  using type = float;
};
template <class Matrix>
struct ScalarOfElement<Matrix, true> {
  using type = ScalarOf<Matrix>;
};
template <class Views>
using ScalarOfViews =
    typename ScalarOfElement<MatrixOf<const Views>, kIsDense<MatrixOf<const Views>>>::type;

template <class Views>
constexpr bool accepts_views() {
  constexpr bool are_matrices = kIsDense<MatrixOf<const Views>>;
  static_assert(are_matrices,
                "decorr: views are a container of matrices, or of pointers to matrices");
  return are_matrices;
}
// Gradients is as it is forwarded, a reference unless it is a temporary.
template <class Gradients, class Scalar>
constexpr bool accepts_gradients() {
  using Container = std::remove_reference_t<Gradients>;
  using Element = MatrixOf<Container>;
  constexpr bool are_matrices = kIsDense<Element> || kIsNoGradient<Element>;
  if constexpr (!are_matrices) {
    static_assert(are_matrices,
                  "decorr: gradients are a container of matrices, or of pointers to matrices");
    return false;
  } else {
    constexpr bool lasts =
        std::is_lvalue_reference<Gradients>::value ||
        std::is_pointer<std::decay_t<decltype(std::declval<Container&>()[std::size_t{0}])>>::value;
    return accepts_gradient<std::conditional_t<lasts, Element&, Element>, Scalar>();
  }
}

template <class Views, class Gradients>
class ViewContainers {
 public:
  using View = std::remove_const_t<MatrixOf<const Views>>;
  using Gradient = MatrixOf<Gradients>;
  using Scalar = ScalarOf<View>;

  ViewContainers(const Views& views, Gradients& gradients) noexcept
      : views_(views), gradients_(gradients) {}

  ViewArguments arguments() const {
    ViewArguments arguments;
    arguments.has_gradients = !kIsNoGradient<Gradient>;
    for (std::size_t v = 0; v < size_of(views_); ++v) {
      arguments.views.push_back(argument(address_of(views_[v]), arguments.has_gradients));
    }
    for (std::size_t v = 0; v < size_of(gradients_); ++v) {
      arguments.gradients.push_back(argument(address_of(gradients_[v]), true));
    }
    return arguments;
  }
  // After the checks: no view is null, and there are as many gradients, or none.
  void prepare(Arena& arena) {
    operands_.reserve(size_of(views_));
    for (std::size_t v = 0; v < size_of(views_); ++v) {
      operands_.emplace_back(*address_of(views_[v]));
    }
    targets_.resize(size_of(views_));
    for (std::size_t v = 0; v < size_of(gradients_); ++v) {
      if (Gradient* gradient = address_of(gradients_[v])) {
        targets_[v].emplace(arena, *gradient);
      }
    }
  }
  std::vector<ViewRows<Scalar>> rows() {
    std::vector<ViewRows<Scalar>> rows(operands_.size());
    for (std::size_t v = 0; v < rows.size(); ++v) {
      rows[v].view = operands_[v].rows();
      if (targets_[v]) {
        rows[v].gradient = targets_[v]->rows();
      }
    }
    return rows;
  }
  void commit() noexcept {
    for (auto& target : targets_) {
      if (target) {
        target->commit();
      }
    }
  }

 private:
  template <class Container>
  static std::size_t size_of(const Container& container) {
    return static_cast<std::size_t>(container.size());
  }
  template <class Matrix>
  static MatrixArgument argument(const Matrix* matrix, bool with_memory) {
    return matrix == nullptr ? MatrixArgument() : matrix_argument(*matrix, with_memory);
  }

  const Views& views_;
  Gradients& gradients_;
  std::vector<Operand<View>> operands_;
  std::vector<std::optional<GradientTarget<Gradient>>> targets_;
};

template <template <class> class Loss, class Views, class Gradients, class Options>
auto evaluate_views(const char* function, const Views& views, Gradients&& gradients,
                    ViewCombination combination, const Options& options,
                    const Regularizer& regularizer, const Execution& execution) {
  using Scalar = ScalarOfViews<Views>;
  if constexpr (accepts_views<Views>() && accepts_gradients<Gradients, Scalar>()) {
    ViewContainers<Views, std::remove_reference_t<Gradients>> matrices(views, gradients);
    return checked_views_call<Loss<Scalar>>(function, matrices, combination, options, regularizer,
                                            execution);
  } else {
    return typename Loss<Scalar>::Result{};
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_VIEW_CONTAINERS_HPP_
