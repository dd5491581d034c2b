#ifndef DECORR_DETAIL_KERNELS_GEMM_HPP_
#define DECORR_DETAIL_KERNELS_GEMM_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <initializer_list>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

enum class Order { as_is, transposed };

struct ProductShape {
  Index rows, cols, depth;
};

// How Eigen cuts a product, and the memory where it packs the pieces. Eigen would take that from
// the stack, up to 128 KiB for each operand, and from malloc beyond.
template <class Scalar>
class PanelBlocking : public Eigen::internal::level3_blocking<Scalar, Scalar> {
 public:
  // For a product that is stored row by row, which Eigen computes as its transpose.
  explicit PanelBlocking(const ProductShape& shape) {
    this->m_mc = shape.cols;
    this->m_nc = shape.rows;
    this->m_kc = shape.depth;
    Eigen::internal::computeProductBlockingSizes<Scalar, Scalar, 1>(this->m_kc, this->m_mc,
                                                                    this->m_nc, Index{1});
  }
  Index first_size() const { return this->m_mc * this->m_kc; }
  Index second_size() const { return this->m_nc * this->m_kc; }

  // Pieces become smaller where the memory is.
  void place(Scalar* first, Index first_size, Scalar* second, Index second_size) {
    this->m_kc = std::min({this->m_kc, first_size, second_size});
    this->m_mc = std::min(this->m_mc, first_size / this->m_kc);
    this->m_nc = std::min(this->m_nc, second_size / this->m_kc);
    this->m_blockA = first;
    this->m_blockB = second;
  }
};

// Each worker's memory for packed operands, taken before the products so that none of them can
// fail.
template <class Scalar>
class ProductPanels {
 public:
  ProductPanels() = default;
  // As much as the largest of these products asks for; others make do with it.
  ProductPanels(Arena& arena, int workers, std::initializer_list<ProductShape> shapes) {
    for (const ProductShape& shape : shapes) {
      const PanelBlocking<Scalar> blocking(shape);
      first_size_ = std::max(first_size_, whole_lines(blocking.first_size()));
      second_size_ = std::max(second_size_, blocking.second_size());
    }
    memory_ = PerWorker<Scalar>(arena, workers, first_size_ + second_size_);
  }

  PanelBlocking<Scalar> blocking(int worker, const ProductShape& shape) noexcept {
    PanelBlocking<Scalar> blocking(shape);
    blocking.place(memory_.of(worker), first_size_, memory_.of(worker) + first_size_, second_size_);
    return blocking;
  }

 private:
  static Index whole_lines(Index size) {
    constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
    return (size + line - 1) / line * line;
  }

  Index first_size_ = 0, second_size_ = 0;
  PerWorker<Scalar> memory_;
};

// A matrix stored row by row.
template <class Scalar>
struct Stored {
  Scalar* data;
  Index stride;
};

// product += left right, rows x depth times depth x cols, or the transpose of what is stored. On
// the calling thread alone: Eigen's operator would start threads of its own where OpenMP is
// enabled, and its global thread count is the caller's business.
template <Order kLeft, Order kRight, class Scalar>
void multiply_add(const Stored<const Scalar>& left, const Stored<const Scalar>& right,
                  const ProductShape& shape, const Stored<Scalar>& product,
                  ProductPanels<Scalar>& panels, int worker) noexcept {
  using namespace Eigen::internal;
  if (shape.rows == 0 || shape.cols == 0 || shape.depth == 0) {
    return;
  }
  constexpr int left_order = kLeft == Order::as_is ? Eigen::RowMajor : Eigen::ColMajor;
  constexpr int right_order = kRight == Order::as_is ? Eigen::RowMajor : Eigen::ColMajor;
  PanelBlocking<Scalar> blocking = panels.blocking(worker, shape);
  general_matrix_matrix_product<Index, Scalar, left_order, false, Scalar, right_order, false,
                                Eigen::RowMajor, 1>::run(shape.rows, shape.cols, shape.depth,
                                                         left.data, left.stride, right.data,
                                                         right.stride, product.data, 1,
                                                         product.stride, Scalar(1), blocking);
}

DECORR_DETAIL_VECTOR_CODE_END

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_GEMM_HPP_
