#ifndef DECORR_DETAIL_RUNTIME_SCALARS_HPP_
#define DECORR_DETAIL_RUNTIME_SCALARS_HPP_

#include <Eigen/Core>
#include <complex>
#include <type_traits>

namespace decorr {
namespace detail {

using Eigen::Index;

// The type in which a stored element is computed: 16-bit types in float, the others as they are.
template <class Storage>
struct ComputeScalar {
  static_assert(
      std::is_floating_point<Storage>::value,
      "decorr: elements must be float, double, long double, Eigen::half or Eigen::bfloat16");
  using type = Storage;
};
template <>
struct ComputeScalar<Eigen::half> {
  using type = float;
};
template <>
struct ComputeScalar<Eigen::bfloat16> {
  using type = float;
};
template <class Storage>
using ComputeScalarOf = typename ComputeScalar<std::remove_const_t<Storage>>::type;

// Sums over the batch are kept in at least double, so that float does not lose digits as the batch
// grows.
template <class Scalar>
using Accumulator = std::conditional_t<std::is_same<Scalar, float>::value, double, Scalar>;

}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_SCALARS_HPP_
