#ifndef DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_
#define DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_

#include <Eigen/Core>
#include <cstddef>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// Small complex matrix products, one for every frequency, with frequencies as vector lanes: a
// product runs once for all lanes of a vector, and nothing is ever transposed.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// One complex matrix for each lane. An element is kCount real parts, then kCount imaginary parts;
// strides count elements.
template <class Scalar, Index kCount>
struct LaneMatrix {
  Scalar* data;
  Index row_stride, col_stride;

  static constexpr Index kElement = 2 * kCount;
  Scalar* element(Index row, Index col) const {
    return data + (row * row_stride + col * col_stride) * kElement;
  }
};

enum class Conjugate { none, left, right };

// A tile of kRows x kCols elements of the product. The sums stay in registers; bound by flops.
template <Conjugate kConjugate, Index kRows, Index kCols, class Scalar, Index kCount>
void multiply_tile(const LaneMatrix<const Scalar, kCount>& left,
                   const LaneMatrix<const Scalar, kCount>& right, Index depth,
                   const LaneMatrix<Scalar, kCount>& product, Index row, Index col) {
  static_assert(kCount == 1 || kCount == kLanes<Scalar>, "one lane, or those of a vector");
  using Packet = LanePacket<Scalar, kCount>;
  using namespace Eigen::internal;
  constexpr auto rows = static_cast<std::size_t>(kRows), cols = static_cast<std::size_t>(kCols);
  Packet real[rows][cols], imaginary[rows][cols];
  for (Index i = 0; i < kRows; ++i) {
    for (Index j = 0; j < kCols; ++j) {
      real[i][j] = imaginary[i][j] = pset1<Packet>(Scalar(0));
    }
  }
  for (Index l = 0; l < depth; ++l) {
    Packet b_real[cols], b_imaginary[cols], b_negative[cols];
    for (Index j = 0; j < kCols; ++j) {
      const Scalar* b = right.element(l, col + j);
      b_real[j] = pload<Packet>(b);
      b_imaginary[j] = pload<Packet>(b + kCount);
      b_negative[j] = pnegate(b_imaginary[j]);
    }
    for (Index i = 0; i < kRows; ++i) {
      const Scalar* a = left.element(row + i, l);
      const auto a_real = pload<Packet>(a);
      const auto a_imaginary = pload<Packet>(a + kCount);
      const Packet a_signed = kConjugate == Conjugate::left ? pnegate(a_imaginary) : a_imaginary;
      for (Index j = 0; j < kCols; ++j) {
        // (a_r + i a_i) (b_r + i b_i), with the sign of a_i or b_i turned by a conjugate.
        const Packet& first = kConjugate == Conjugate::none ? b_negative[j] : b_imaginary[j];
        const Packet& second = kConjugate == Conjugate::right ? b_negative[j] : b_imaginary[j];
        real[i][j] = pmadd(a_real, b_real[j], pmadd(a_imaginary, first, real[i][j]));
        imaginary[i][j] = pmadd(a_real, second, pmadd(a_signed, b_real[j], imaginary[i][j]));
      }
    }
  }
  for (Index i = 0; i < kRows; ++i) {
    for (Index j = 0; j < kCols; ++j) {
      Scalar* to = product.element(row + i, col + j);
      pstore(to, real[i][j]);
      pstore(to + kCount, imaginary[i][j]);
    }
  }
}

// product = left right, rows x depth times depth x cols, one of them conjugated.
template <Conjugate kConjugate, class Scalar, Index kCount>
void multiply_lanes(const LaneMatrix<const Scalar, kCount>& left,
                    const LaneMatrix<const Scalar, kCount>& right, Index rows, Index cols,
                    Index depth, const LaneMatrix<Scalar, kCount>& product) {
  // Two registers an element, and what the operands need besides.
  constexpr Index kRows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2, kCols = 2;
  const Index full_rows = rows - rows % kRows, full_cols = cols - cols % kCols;
  for (Index col = 0; col < full_cols; col += kCols) {
    for (Index row = 0; row < full_rows; row += kRows) {
      multiply_tile<kConjugate, kRows, kCols>(left, right, depth, product, row, col);
    }
    for (Index row = full_rows; row < rows; ++row) {
      multiply_tile<kConjugate, 1, kCols>(left, right, depth, product, row, col);
    }
  }
  for (Index col = full_cols; col < cols; ++col) {
    for (Index row = 0; row < full_rows; row += kRows) {
      multiply_tile<kConjugate, kRows, 1>(left, right, depth, product, row, col);
    }
    for (Index row = full_rows; row < rows; ++row) {
      multiply_tile<kConjugate, 1, 1>(left, right, depth, product, row, col);
    }
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_
