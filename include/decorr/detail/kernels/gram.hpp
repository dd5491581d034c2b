#ifndef DECORR_DETAIL_KERNELS_GRAM_HPP_
#define DECORR_DETAIL_KERNELS_GRAM_HPP_

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// Gram matrices of n rows, n x n and row by row.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Rows of a Gram matrix that one worker takes at a time.
inline constexpr Index kGramRows = 64;

// Adds to rows first .. end - 1 of X X^T, up to the diagonal, X being n x depth.
template <class Scalar>
void add_gram_rows(const Stored<const Scalar>& x, Index n, Index depth, Index first, Index end,
                   Scalar* gram, ProductPanels<Scalar>& panels, int worker) noexcept {
  multiply_add<Scalar>(Order::as_is, {x.data + first * x.stride, x.stride}, Order::transposed, x,
                       {end - first, end, depth}, {gram + first * n, n}, panels, worker);
}

// From what stands below the diagonal to all of a symmetric matrix.
template <class Scalar>
void mirror_lower(Scalar* matrix, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    for (Index j = i + 1; j < n; ++j) {
      matrix[i * n + j] = matrix[j * n + i];
    }
  }
}

// M to M - M^T, in place.
template <class Scalar>
void subtract_transpose(Scalar* matrix, Index n) noexcept {
  for (Index i = 0; i < n; ++i) {
    matrix[i * n + i] = 0;
    for (Index j = i + 1; j < n; ++j) {
      Scalar& upper = matrix[i * n + j];
      Scalar& lower = matrix[j * n + i];
      upper -= lower;
      lower = -upper;
    }
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_GRAM_HPP_
