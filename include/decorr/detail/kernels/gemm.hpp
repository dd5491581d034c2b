#ifndef DECORR_DETAIL_KERNELS_GEMM_HPP_
#define DECORR_DETAIL_KERNELS_GEMM_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <initializer_list>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Matrix products by Eigen's packing and its kernel. The loops around them are here, and the kernel
// gets types of ours, so that what it is instantiated to carries DECORR_ABI in its name: the
// product that Eigen offers has one name for every processor.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

enum class Order { as_is, transposed };

struct ProductShape {
  Index rows, cols, depth;
};

// How a product is cut, and the memory where its pieces are packed. Eigen would take that from the
// stack, up to 128 KiB for each operand, and from malloc beyond.
template <class Scalar>
class PanelBlocking {
 public:
  // Eigen's own choice, but for caches of the sizes that its kernel assumes, not those of this
  // machine: sums are cut at the same places everywhere. The product is stored row by row, so the
  // kernel, which goes column by column, computes its transpose: the right factor is its first one.
  DECORR_DETAIL_NOINLINE explicit PanelBlocking(const ProductShape& shape) noexcept
      : rows_(shape.rows), cols_(shape.cols), depth_(shape.depth) {
    if (std::max({rows_, cols_, depth_}) < 48 || std::min({rows_, cols_, depth_}) == 0) return;

    // In the first cache: kCols of one packed factor, kRows of the other, and what these make.
    const Index most_depth = std::max(
        kUnrolled, (kFirstCache - kTile) / ((kCols + kRows) * kSize) / kUnrolled * kUnrolled);
    depth_ = even_piece(shape.depth, most_depth, kUnrolled);

    // All of the left factor's piece in the second cache, or beside the right one's in the first.
    const Index beside = (kFirstCache - kTile) / (depth_ * kSize) - cols_;
    const Index most_rows =
        std::min(kSecondCache / 2 / (depth_ * kSize),
                 beside >= kRows ? beside : kSecondCache * 3 / 4 / (most_depth * kSize));
    rows_ = even_piece(shape.rows, most_rows / kRows * kRows, kRows);
    if (rows_ < shape.rows || depth_ < shape.depth) return;

    // The left factor is one piece: the right one's stay in a cache beside it.
    const Index left_bytes = rows_ * depth_ * kSize;
    const Index cache = left_bytes <= 1024    ? kFirstCache
                        : left_bytes <= 32768 ? kSecondCache / 3
                                              : kSecondCache;
    const Index most_cols = cache / 3 / (depth_ * kSize);
    cols_ = even_piece(shape.cols, std::max(kCols, most_cols / kCols * kCols), kCols);
  }
  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }
  Index depth() const noexcept { return depth_; }
  Scalar* left() const noexcept { return left_; }
  Scalar* right() const noexcept { return right_; }
  Index left_size() const noexcept { return rows_ * depth_; }
  Index right_size() const noexcept { return cols_ * depth_; }

  // Pieces become smaller where the memory is.
  void place(Scalar* left, Index left_size, Scalar* right, Index right_size) noexcept {
    depth_ = std::min({depth_, left_size, right_size});
    rows_ = std::min(rows_, left_size / depth_);
    cols_ = std::min(cols_, right_size / depth_);
    left_ = left;
    right_ = right;
  }

 private:
  using Traits = Eigen::internal::gebp_traits<Scalar, Scalar>;
  static constexpr Index kSize = sizeof(Scalar);
  static constexpr Index kRows = Traits::nr, kCols = Traits::mr;  // of the kernel's registers
  static constexpr Index kTile = kRows * kCols * kSize;
  static constexpr Index kUnrolled = 8;  // the kernel's steps along the depth
#if defined(EIGEN_VECTORIZE_AVX512)
  // Eigen's finding: pieces that fit are too shallow for vectors as long as these.
  static constexpr Index kFirstCache = 4 * Eigen::internal::defaultL1CacheSize;
#else
  static constexpr Index kFirstCache = Eigen::internal::defaultL1CacheSize;
#endif
  static constexpr Index kSecondCache = Index{1536} * 1024;

  // Pieces of `size` that are at most `most` and about equal, in whole steps.
  static Index even_piece(Index size, Index most, Index step) noexcept {
    if (size <= most || size % most == 0) return std::min(size, most);
    return most - step * ((most - 1 - size % most) / (step * (size / most + 1)));
  }

  Index rows_, cols_, depth_;
  Scalar* left_ = nullptr;
  Scalar* right_ = nullptr;
};

// Each worker's memory for packed operands, taken before the products so that none of them can
// fail.
template <class Scalar>
class ProductPanels {
 public:
  ProductPanels() = default;
  // As much as the largest of these products asks for; others make do with it.
  DECORR_DETAIL_COLD ProductPanels(Arena& arena, int workers,
                                   std::initializer_list<ProductShape> shapes) {
    for (const ProductShape& shape : shapes) {
      const PanelBlocking<Scalar> blocking(shape);
      right_size_ = std::max(right_size_, whole_lines(blocking.right_size()));
      left_size_ = std::max(left_size_, blocking.left_size());
    }
    memory_ = PerWorker<Scalar>(arena, workers, right_size_ + left_size_);
  }

  PanelBlocking<Scalar> blocking(int worker, const ProductShape& shape) noexcept {
    PanelBlocking<Scalar> blocking(shape);
    Scalar* const right = memory_.of(worker);
    blocking.place(right + right_size_, left_size_, right, right_size_);
    return blocking;
  }

 private:
  static Index whole_lines(Index size) noexcept {
    constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
    return (size + line - 1) / line * line;
  }

  Index right_size_ = 0, left_size_ = 0;
  PerWorker<Scalar> memory_;
};

// A matrix stored row by row.
template <class Scalar>
struct Stored {
  Scalar* data;
  Index stride;
};

// The kernel's view of a factor, in Eigen's storage order, and of the product.
template <class Scalar, int kStorage>
class FactorView : public Eigen::internal::const_blas_data_mapper<Scalar, Index, kStorage> {
 public:
  FactorView(const Scalar* data, Index stride)
      : Eigen::internal::const_blas_data_mapper<Scalar, Index, kStorage>(data, stride) {}
};
template <class Scalar>
class ProductView : public Eigen::internal::blas_data_mapper<Scalar, Index, Eigen::ColMajor> {
 public:
  using Eigen::internal::blas_data_mapper<Scalar, Index, Eigen::ColMajor>::blas_data_mapper;
};

// Eigen's pieces, by their roles here.
template <class Scalar>
struct ProductKernel {
  using Traits = Eigen::internal::gebp_traits<Scalar, Scalar>;

  // The kernel's first operand: depth x cols of the right factor.
  template <int kStorage>
  static void pack_right(Scalar* packed, const Scalar* first, Index stride, Index depth,
                         Index cols) {
    using View = FactorView<Scalar, kStorage>;
    Eigen::internal::gemm_pack_lhs<Scalar, Index, View, Traits::mr, Traits::LhsProgress,
                                   typename Traits::LhsPacket4Packing, kStorage>()(
        packed, View(first, stride), depth, cols);
  }
  // Its second one: rows x depth of the left factor.
  template <int kStorage>
  static void pack_left(Scalar* packed, const Scalar* first, Index stride, Index depth,
                        Index rows) {
    using View = FactorView<Scalar, kStorage>;
    Eigen::internal::gemm_pack_rhs<Scalar, Index, View, Traits::nr, kStorage>()(
        packed, View(first, stride), depth, rows);
  }
  static void multiply_packed(const Scalar* right, const Scalar* left, const ProductShape& shape,
                              const Stored<Scalar>& product) {
    Eigen::internal::gebp_kernel<Scalar, Scalar, Index, ProductView<Scalar>, Traits::mr,
                                 Traits::nr>()(ProductView<Scalar>(product.data, product.stride),
                                               right, left, shape.cols, shape.depth, shape.rows,
                                               Scalar(1));
  }
};

// Element (i, j) of what a factor is in the product.
template <class Scalar>
const Scalar* element(const Stored<const Scalar>& factor, Order order, Index i, Index j) noexcept {
  return factor.data + (order == Order::as_is ? i * factor.stride + j : j * factor.stride + i);
}

// product += left right, rows x depth times depth x cols, or the transpose of what is stored. On
// the calling thread alone: Eigen's operator would start threads of its own where OpenMP is
// enabled, and its global thread count is the caller's business.
template <class Scalar>
DECORR_DETAIL_NOINLINE void multiply_add(Order left_order, const Stored<const Scalar>& left,
                                         Order right_order, const Stored<const Scalar>& right,
                                         const ProductShape& shape, const Stored<Scalar>& product,
                                         ProductPanels<Scalar>& panels, int worker) noexcept {
  using Kernel = ProductKernel<Scalar>;
  if (shape.rows == 0 || shape.cols == 0 || shape.depth == 0) {
    return;
  }
  // The kernel's operands are transposed, so what is stored row by row is column by column there.
  const auto pack_left = left_order == Order::as_is ? Kernel::template pack_left<Eigen::ColMajor>
                                                    : Kernel::template pack_left<Eigen::RowMajor>;
  const auto pack_right = right_order == Order::as_is
                              ? Kernel::template pack_right<Eigen::ColMajor>
                              : Kernel::template pack_right<Eigen::RowMajor>;

  const PanelBlocking<Scalar> blocking = panels.blocking(worker, shape);
  const bool left_fits = blocking.depth() >= shape.depth && blocking.rows() >= shape.rows;
  ProductShape block{};
  for (Index col = 0; col < shape.cols; col += block.cols) {
    block.cols = std::min(blocking.cols(), shape.cols - col);
    for (Index k = 0; k < shape.depth; k += block.depth) {
      block.depth = std::min(blocking.depth(), shape.depth - k);
      pack_right(blocking.right(), element(right, right_order, k, col), right.stride, block.depth,
                 block.cols);
      for (Index row = 0; row < shape.rows; row += block.rows) {
        block.rows = std::min(blocking.rows(), shape.rows - row);
        if (!left_fits || col == 0) {
          pack_left(blocking.left(), element(left, left_order, row, k), left.stride, block.depth,
                    block.rows);
        }
        Kernel::multiply_packed(blocking.right(), blocking.left(), block,
                                {product.data + row * product.stride + col, product.stride});
      }
    }
  }
}

DECORR_DETAIL_VECTOR_CODE_END

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_KERNELS_GEMM_HPP_
