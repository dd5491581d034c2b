#ifndef DECORR_DETAIL_KERNELS_SIMD_HPP_
#define DECORR_DETAIL_KERNELS_SIMD_HPP_

#include <Eigen/Core>
#include <type_traits>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler_warnings.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// The processor's vectors, by way of Eigen's: the only file that names its internals for them.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

template <class Scalar>
struct Lanes {
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  static constexpr int kCount = Eigen::internal::unpacket_traits<Packet>::size;
  using Block = Eigen::internal::PacketBlock<Packet, kCount>;
};

DECORR_DETAIL_VECTOR_CODE_END

// A single number in a vector's place.
template <class Scalar>
struct Lane {
  using Packet = Scalar;
};

// As many elements as a vector has lanes; 1 where there are no vectors.
template <class Scalar>
inline constexpr Index kLanes = Lanes<Scalar>::kCount;

// kCount lanes: one, or those of a vector.
template <class Scalar, Index kCount>
using LanePacket = typename std::conditional_t<kCount == 1, Lane<Scalar>, Lanes<Scalar>>::Packet;

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_SIMD_HPP_
