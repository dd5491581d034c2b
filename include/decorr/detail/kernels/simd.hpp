#ifndef DECORR_DETAIL_KERNELS_SIMD_HPP_
#define DECORR_DETAIL_KERNELS_SIMD_HPP_

#include <Eigen/Core>
#include <type_traits>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// The processor's vectors, by way of Eigen's. With gemm.hpp the only file that names Eigen's
// internals.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

template <class Scalar>
struct VectorTypes {
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  static constexpr int kLanes = Eigen::internal::unpacket_traits<Packet>::size;
  using Square = Eigen::internal::PacketBlock<Packet, kLanes>;
};
template <class Scalar>
struct OneLane {
  using Packet = Scalar;
};

// As many elements as a vector has lanes; 1 where there are no vectors.
template <class Scalar>
inline constexpr Index kLanes = VectorTypes<Scalar>::kLanes;

// kCount lanes: those of a vector, or a single number in a vector's place.
template <class Scalar, Index kCount>
struct Simd {
  static constexpr Index kLaneCount = kCount;
  static_assert(kCount == 1 || kCount == kLanes<Scalar>, "one lane, or those of a vector");
  using Packet =
      typename std::conditional_t<kCount == 1, OneLane<Scalar>, VectorTypes<Scalar>>::Packet;

  static Packet broadcast(Scalar x) { return Eigen::internal::pset1<Packet>(x); }
  // `load` and `store` want the alignment of a vector.
  static Packet load(const Scalar* from) { return Eigen::internal::pload<Packet>(from); }
  static Packet load_unaligned(const Scalar* from) { return Eigen::internal::ploadu<Packet>(from); }
  static void store(Scalar* to, const Packet& x) { Eigen::internal::pstore(to, x); }
  static void store_unaligned(Scalar* to, const Packet& x) { Eigen::internal::pstoreu(to, x); }
  static Packet add(const Packet& x, const Packet& y) { return Eigen::internal::padd(x, y); }
  static Packet subtract(const Packet& x, const Packet& y) { return Eigen::internal::psub(x, y); }
  static Packet multiply(const Packet& x, const Packet& y) { return Eigen::internal::pmul(x, y); }
  // x y + z
  static Packet multiply_add(const Packet& x, const Packet& y, const Packet& z) {
    return Eigen::internal::pmadd(x, y, z);
  }
  static Packet negate(const Packet& x) { return Eigen::internal::pnegate(x); }
  static Packet reverse(const Packet& x) { return Eigen::internal::preverse(x); }
  // Lane l is from[-l], or goes to to[-l].
  static Packet load_reversed(const Scalar* from) {
    return reverse(load_unaligned(from - (kCount - 1)));
  }
  static void store_reversed(Scalar* to, const Packet& x) {
    store_unaligned(to - (kCount - 1), reverse(x));
  }
};

// to[i][j] = from[j][i], both contiguous along their second index. In blocks of vectors, so that
// every cache line is read and written whole; bound by bytes.
template <class Scalar>
DECORR_DETAIL_NOINLINE void transpose(const Scalar* from, Index from_stride, Scalar* to,
                                      Index to_stride, Index rows, Index cols) noexcept {
  using Packet = typename VectorTypes<Scalar>::Packet;
  constexpr Index size = kLanes<Scalar>;
  const Index full_rows = rows - rows % size, full_cols = cols - cols % size;
  for (Index j = 0; j < full_cols; j += size) {
    for (Index i = 0; i < full_rows; i += size) {
      typename VectorTypes<Scalar>::Square block;
      for (Index k = 0; k < size; ++k) {
        block.packet[k] = Eigen::internal::ploadu<Packet>(from + (j + k) * from_stride + i);
      }
      Eigen::internal::ptranspose(block);
      for (Index k = 0; k < size; ++k) {
        Eigen::internal::pstoreu(to + (i + k) * to_stride + j, block.packet[k]);
      }
    }
  }
  for (Index i = 0; i < rows; ++i) {
    for (Index j = i < full_rows ? full_cols : 0; j < cols; ++j) {
      to[i * to_stride + j] = from[j * from_stride + i];
    }
  }
}

DECORR_DETAIL_VECTOR_CODE_END

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_SIMD_HPP_
