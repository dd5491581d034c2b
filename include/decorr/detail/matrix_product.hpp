#ifndef DECORR_DETAIL_MATRIX_PRODUCT_HPP_
#define DECORR_DETAIL_MATRIX_PRODUCT_HPP_

#include <Eigen/Core>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/compiler_warnings.hpp"
#include "decorr/detail/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

enum class Order { as_is, transposed };

// product += left right, rows x depth times depth x cols, or the transpose of what is stored; all
// stored row by row. On the calling thread alone: Eigen's operator would start threads of its own
// where OpenMP is enabled, and its global thread count is the caller's business.
template <Order kLeft, Order kRight, class Scalar>
void multiply_add(const Scalar* left, Index left_stride, const Scalar* right, Index right_stride,
                  Index rows, Index cols, Index depth, Scalar* product, Index product_stride) {
  using namespace Eigen::internal;
  constexpr int left_order = kLeft == Order::as_is ? Eigen::RowMajor : Eigen::ColMajor;
  constexpr int right_order = kRight == Order::as_is ? Eigen::RowMajor : Eigen::ColMajor;
  gemm_blocking_space<Eigen::RowMajor, Scalar, Scalar, Eigen::Dynamic, Eigen::Dynamic,
                      Eigen::Dynamic>
      blocking(rows, cols, depth, 1, true);
  general_matrix_matrix_product<Index, Scalar, left_order, false, Scalar, right_order, false,
                                Eigen::RowMajor, 1>::run(rows, cols, depth, left, left_stride,
                                                         right, right_stride, product, 1,
                                                         product_stride, Scalar(1), blocking);
}

DECORR_DETAIL_VECTOR_CODE_END

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_MATRIX_PRODUCT_HPP_
