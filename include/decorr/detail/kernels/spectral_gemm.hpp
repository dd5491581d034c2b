#ifndef DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_
#define DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_

#include <Eigen/Core>
#include <cstddef>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// Small complex matrix products, one for every frequency, with frequencies as vector lanes: a
// product runs once for all lanes of a vector, and nothing is ever transposed.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// One complex matrix for each lane. An element is a real part of every lane, then an imaginary one;
// strides count scalars.
template <class Scalar>
struct LaneMatrix {
  Scalar* data;
  Index row_stride, col_stride;

  Scalar* element(Index row, Index col) const noexcept {
    return data + row * row_stride + col * col_stride;
  }
  LaneMatrix transposed() const noexcept { return {data, col_stride, row_stride}; }
  // From an element on.
  LaneMatrix from(Index row, Index col) const noexcept {
    return {element(row, col), row_stride, col_stride};
  }
  operator LaneMatrix<const Scalar>() const noexcept {  // NOLINT(google-explicit-constructor)
    return {data, row_stride, col_stride};
  }
};

enum class Conjugate { none, left, right };

// A tile of kRows x kCols elements of the product. The sums stay in registers; bound by flops.
template <Index kCount, Conjugate kConjugate, Index kRows, Index kCols, class Scalar>
void multiply_tile(const LaneMatrix<const Scalar>& left, const LaneMatrix<const Scalar>& right,
                   Index depth, const LaneMatrix<Scalar>& product, Index row, Index col) noexcept {
  using Lanes = Simd<Scalar, kCount>;
  using Packet = typename Lanes::Packet;
  constexpr auto rows = static_cast<std::size_t>(kRows), cols = static_cast<std::size_t>(kCols);
  Packet real[rows][cols], imaginary[rows][cols];
  for (Index i = 0; i < kRows; ++i) {
    for (Index j = 0; j < kCols; ++j) {
      real[i][j] = imaginary[i][j] = Lanes::broadcast(0);
    }
  }
  for (Index l = 0; l < depth; ++l) {
    Packet b_real[cols], b_imaginary[cols], b_negative[cols];
    for (Index j = 0; j < kCols; ++j) {
      const Scalar* b = right.element(l, col + j);
      b_real[j] = Lanes::load(b);
      b_imaginary[j] = Lanes::load(b + kCount);
      b_negative[j] = Lanes::negate(b_imaginary[j]);
    }
    for (Index i = 0; i < kRows; ++i) {
      const Scalar* a = left.element(row + i, l);
      const auto a_real = Lanes::load(a);
      const auto a_imaginary = Lanes::load(a + kCount);
      const Packet a_signed =
          kConjugate == Conjugate::left ? Lanes::negate(a_imaginary) : a_imaginary;
      for (Index j = 0; j < kCols; ++j) {
        // (a_r + i a_i) (b_r + i b_i), with the sign of a_i or b_i turned by a conjugate.
        const Packet& first = kConjugate == Conjugate::none ? b_negative[j] : b_imaginary[j];
        const Packet& second = kConjugate == Conjugate::right ? b_negative[j] : b_imaginary[j];
        real[i][j] = Lanes::multiply_add(a_real, b_real[j],
                                         Lanes::multiply_add(a_imaginary, first, real[i][j]));
        imaginary[i][j] = Lanes::multiply_add(
            a_real, second, Lanes::multiply_add(a_signed, b_real[j], imaginary[i][j]));
      }
    }
  }
  for (Index i = 0; i < kRows; ++i) {
    for (Index j = 0; j < kCols; ++j) {
      Scalar* to = product.element(row + i, col + j);
      Lanes::store(to, real[i][j]);
      Lanes::store(to + kCount, imaginary[i][j]);
    }
  }
}

// product = left right, rows x depth times depth x cols, either of them conjugated or none.
template <Index kCount, Conjugate kConjugate, class Scalar>
DECORR_DETAIL_NOINLINE void multiply_lanes(const LaneMatrix<const Scalar>& left,
                                           const LaneMatrix<const Scalar>& right, Index rows,
                                           Index cols, Index depth,
                                           const LaneMatrix<Scalar>& product) noexcept {
  // Two registers an element, and what the operands need besides.
  constexpr Index kRows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2, kCols = 2;
  const Index full_rows = rows - rows % kRows, full_cols = cols - cols % kCols;
  for (Index col = 0; col < full_cols; col += kCols) {
    for (Index row = 0; row < full_rows; row += kRows) {
      multiply_tile<kCount, kConjugate, kRows, kCols>(left, right, depth, product, row, col);
    }
    for (Index row = full_rows; row < rows; ++row) {
      multiply_tile<kCount, kConjugate, 1, kCols>(left, right, depth, product, row, col);
    }
  }
  for (Index col = full_cols; col < cols; ++col) {
    for (Index row = 0; row < full_rows; row += kRows) {
      multiply_tile<kCount, kConjugate, kRows, 1>(left, right, depth, product, row, col);
    }
    for (Index row = full_rows; row < rows; ++row) {
      multiply_tile<kCount, kConjugate, 1, 1>(left, right, depth, product, row, col);
    }
  }
}

// The same with as many lanes as a vector has, or with one.
template <Conjugate kConjugate, class Scalar>
void multiply_spectra([[maybe_unused]] Index lanes, const LaneMatrix<const Scalar>& left,
                      const LaneMatrix<const Scalar>& right, Index rows, Index cols, Index depth,
                      const LaneMatrix<Scalar>& product) noexcept {
  if constexpr (kLanes<Scalar> > 1) {
    if (lanes > 1) {
      return multiply_lanes<kLanes<Scalar>, kConjugate>(left, right, rows, cols, depth, product);
    }
  }
  multiply_lanes<1, kConjugate>(left, right, rows, cols, depth, product);
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_SPECTRAL_GEMM_HPP_
