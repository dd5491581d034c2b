#ifndef DECORR_TESTS_SUPPORT_ROWS_HPP_
#define DECORR_TESTS_SUPPORT_ROWS_HPP_

#include <decorr/detail/rows/row_views.hpp>

/// @file
/// Matrices as the library's internals take them.

namespace decorr_tests {

template <class Matrix>
decorr::detail::InputRows<decorr::detail::ComputeScalarOf<typename Matrix::Scalar>> input_rows(
    const Matrix& x) {
  return {x.data(), x.rows(), x.cols(), x.rowStride(), x.colStride()};
}
template <class Matrix>
decorr::detail::OutputRows<typename Matrix::Scalar> output_rows(Matrix& x) {
  return {x.data(), x.cols(), x.rowStride(), x.colStride()};
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_ROWS_HPP_
