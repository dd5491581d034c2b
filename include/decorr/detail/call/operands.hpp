#ifndef DECORR_DETAIL_CALL_OPERANDS_HPP_
#define DECORR_DETAIL_CALL_OPERANDS_HPP_

#include <Eigen/Core>
#include <type_traits>
#include <utility>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// From Eigen's types to rows, and back.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Derived>
inline constexpr bool kIsLvalue = (int(Derived::Flags) & int(Eigen::LvalueBit)) != 0;

// Whether a type says where its elements are. Eigen 3.4 gives its flag for that to expressions
// without data(), too, whose strides must not be asked for (views by indices, nestByValue()), and
// to what is made of them.
template <class Derived, class = void>
struct HasStrides : std::false_type {};
template <class Derived, class = void>
struct NestsStrides : std::true_type {};
template <class Derived>
struct NestsStrides<Derived,
                    std::void_t<decltype(std::declval<const Derived&>().nestedExpression())>>
    : HasStrides<std::decay_t<decltype(std::declval<const Derived&>().nestedExpression())>> {};
// The real parts of a block of a complex matrix have a data() that does not compile, as it asks for
// the first element by a single index.
template <class Derived, class = void>
struct HasUsableData : std::true_type {};
template <class Derived>
struct HasUsableData<Derived, std::void_t<decltype(std::declval<const Derived&>().functor())>>
    : std::bool_constant<(int(Derived::Flags) & int(Eigen::LinearAccessBit)) != 0> {};
template <class Derived>
struct HasStrides<Derived, std::void_t<decltype(std::declval<const Derived&>().data())>>
    : std::bool_constant<(int(Derived::Flags) & int(Eigen::DirectAccessBit)) != 0 &&
                         HasUsableData<Derived>::value && NestsStrides<Derived>::value> {};
template <class Derived>
inline constexpr bool kHasStrides = HasStrides<Derived>::value;

// An input: an expression without strides of its own is evaluated once.
template <class Derived>
class Operand {
 public:
  using Storage = typename Derived::Scalar;
  using Scalar = ComputeScalarOf<Storage>;

  explicit Operand(const Derived& expression) : value_(expression) {}
  InputRows<Scalar> rows() const {
    return {value_.data(), value_.rows(), value_.cols(), value_.rowStride(), value_.colStride()};
  }

 private:
  using Evaluated = Eigen::Matrix<Storage, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::conditional_t<kHasStrides<Derived>, const Derived&, Evaluated> value_;
};

// A gradient. One that is stored in 16 bits, or in an expression without strides of its own, is
// computed in a workspace of n x d numbers, and moved at the end.
template <class Derived>
class GradientTarget {
 public:
  using Storage = typename Derived::Scalar;
  using Scalar = ComputeScalarOf<Storage>;

  GradientTarget(Arena& arena, Derived& target) : target_(target) {
    if constexpr (!kInPlace) {
      workspace_ = Buffer<Scalar>(arena, target.rows() * target.cols());
    }
  }
  OutputRows<Scalar> rows() noexcept {
    if constexpr (kInPlace) {
      return {target_.data(), target_.cols(), target_.rowStride(), target_.colStride()};
    } else {
      return {workspace_.data(), target_.cols(), target_.cols(), 1};
    }
  }
  void commit() noexcept {
    if constexpr (kInPlace) {
      return;
    } else if constexpr (kHasStrides<Derived>) {
      copy_strided(workspace_.data(), target_.cols(), Index{1}, target_.data(), target_.rowStride(),
                   target_.colStride(), target_.rows(), target_.cols());
    } else {
      const Scalar* from = workspace_.data();
      for (Index i = 0; i < target_.rows(); ++i) {
        for (Index j = 0; j < target_.cols(); ++j) {
          target_.coeffRef(i, j) = static_cast<Storage>(*from++);
        }
      }
    }
  }

 private:
  static constexpr bool kInPlace = kHasStrides<Derived> && std::is_same<Storage, Scalar>::value;
  Derived& target_;
  Buffer<Scalar> workspace_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_OPERANDS_HPP_
