#ifndef DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_
#define DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_

#include <type_traits>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Matrices of any storage type and strides, seen as rows of the computing scalar. The storage type
// is known to one copying function only, so every pass is compiled once per scalar.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class From, class To>
DECORR_DETAIL_NOINLINE void copy_strided(const From* from, Index from_row, Index from_col, To* to,
                                         Index to_row, Index to_col, Index rows,
                                         Index cols) noexcept {
  if constexpr (std::is_same<From, To>::value) {
    if (from_row == 1 && to_col == 1) {
      return transpose(from, from_col, to, to_row, rows, cols);
    }
    if (from_col == 1 && to_row == 1) {
      return transpose(from, from_row, to, to_col, cols, rows);
    }
  }
  const auto copy_rows = [&](auto from_step, auto to_step) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        to[i * to_row + j * to_step] = static_cast<To>(from[i * from_row + j * from_step]);
      }
    }
  };
  if (from_col == 1 && to_col == 1) {  // constants, for what the compiler makes of 16-bit types
    using One = std::integral_constant<Index, 1>;
    return copy_rows(One{}, One{});
  }
  copy_rows(from_col, to_col);
}

// A matrix that is read; none by default.
template <class Scalar>
class InputRows {
 public:
  InputRows() = default;
  template <class Storage>
  InputRows(const Storage* data, Index rows, Index cols, Index row_stride, Index col_stride)
      : data_(data),
        rows_(rows),
        cols_(cols),
        row_stride_(row_stride),
        col_stride_(col_stride),
        element_bytes_(static_cast<Index>(sizeof(Storage))),
        stored_as_computed_(std::is_same<Storage, Scalar>::value),
        copy_(&copy_tile<Storage>) {}

  // In the place of matrices that are not known yet: of any storage.
  static InputRows any(Index rows, Index cols) {
    InputRows matrix;
    matrix.rows_ = rows;
    matrix.cols_ = cols;
    matrix.stored_as_computed_ = false;
    return matrix;
  }

  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }
  InputRows part(Index first, Index count) const noexcept {
    InputRows rows = *this;
    rows.data_ = static_cast<const char*>(data_) + first * row_stride_ * element_bytes_;
    rows.rows_ = count;
    return rows;
  }
  // So many rows, at equal distances, with the first and nearly the last one.
  InputRows spread(Index count) const noexcept {
    InputRows rows = *this;
    rows.rows_ = count;
    rows.row_stride_ *= count > 1 ? (rows_ - 1) / (count - 1) : 1;
    return rows;
  }
  // Whether tiles come without a copy, so that tile() needs no buffer.
  bool has_contiguous_rows() const noexcept {
    return stored_as_computed_ && (col_stride_ == 1 || cols_ == 1);
  }
  // A column where columns are contiguous, otherwise null.
  const Scalar* column(Index j) const noexcept {
    return stored_as_computed_ && row_stride_ == 1
               ? static_cast<const Scalar*>(data_) + j * col_stride_
               : nullptr;
  }

  Tile<const Scalar> tile(Index first_row, Index rows, Index first_col, Index cols,
                          Scalar* buffer) const noexcept {
    if (has_contiguous_rows()) {
      return {static_cast<const Scalar*>(data_) + first_row * row_stride_ + first_col, row_stride_};
    }
    copy_(*this, first_row, rows, first_col, cols, buffer);
    return {buffer, tile_stride<Scalar>(cols)};
  }

 private:
  template <class Storage>
  static void copy_tile(const InputRows& from, Index first_row, Index rows, Index first_col,
                        Index cols, Scalar* to) noexcept {
    const Storage* start = static_cast<const Storage*>(from.data_) + first_row * from.row_stride_ +
                           first_col * from.col_stride_;
    copy_strided(start, from.row_stride_, from.col_stride_, to, tile_stride<Scalar>(cols), Index{1},
                 rows, cols);
  }

  const void* data_ = nullptr;
  Index rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
  Index element_bytes_ = 0;
  bool stored_as_computed_ = true;
  void (*copy_)(const InputRows&, Index, Index, Index, Index, Scalar*) noexcept = nullptr;
};

// A matrix of the computing scalar that is written, and read back between the passes; none by
// default.
template <class Scalar>
class OutputRows {
 public:
  OutputRows() = default;
  OutputRows(Scalar* data, Index cols, Index row_stride, Index col_stride)
      : data_(data), cols_(cols), row_stride_(row_stride), col_stride_(col_stride) {}

  // Without any row it has no data, and still is one.
  explicit operator bool() const noexcept { return cols_ > 0; }
  bool has_contiguous_rows() const noexcept { return col_stride_ == 1 || cols_ == 1; }
  OutputRows part(Index first) const noexcept {
    return {data_ + first * row_stride_, cols_, row_stride_, col_stride_};
  }
  Scalar* column(Index j) const noexcept {
    return row_stride_ == 1 ? data_ + j * col_stride_ : nullptr;
  }

  // A strip of rows to be overwritten: where they are if their rows are contiguous, otherwise
  // `buffer`; store() puts them in place. load() reads what is there.
  Tile<Scalar> tile(Index first_row, Index first_col, Index cols, Scalar* buffer) const noexcept {
    if (has_contiguous_rows()) {
      return {start(first_row, first_col), row_stride_};
    }
    return {buffer, tile_stride<Scalar>(cols)};
  }
  Tile<Scalar> load(Index first_row, Index rows, Index first_col, Index cols,
                    Scalar* buffer) const noexcept {
    if (!has_contiguous_rows()) {
      copy_strided(start(first_row, first_col), row_stride_, col_stride_, buffer,
                   tile_stride<Scalar>(cols), Index{1}, rows, cols);
    }
    return tile(first_row, first_col, cols, buffer);
  }
  void store(Index first_row, Index rows, Index first_col, Index cols,
             const Tile<Scalar>& tile) const noexcept {
    if (!has_contiguous_rows()) {
      copy(first_row, rows, first_col, cols, tile);
    }
  }
  // Puts rows in place that were not written where tile() said.
  void copy(Index first_row, Index rows, Index first_col, Index cols,
            const Tile<Scalar>& tile) const noexcept {
    copy_strided(tile.data, tile.stride, Index{1}, start(first_row, first_col), row_stride_,
                 col_stride_, rows, cols);
  }

 private:
  Scalar* start(Index first_row, Index first_col) const noexcept {
    return data_ + first_row * row_stride_ + first_col * col_stride_;
  }

  Scalar* data_ = nullptr;
  Index cols_ = 0, row_stride_ = 0, col_stride_ = 0;
};

// The rows at hand: the same samples of two views, or of view a alone, and where their gradients
// go. All of a batch, a chunk of it, or a process's part.
template <class Scalar>
struct BatchRows {
  InputRows<Scalar> a, b;
  OutputRows<Scalar> gradient_a, gradient_b;  // none where no gradient is asked for

  Index size() const noexcept { return a.rows(); }
  Index features() const noexcept { return a.cols(); }
  bool has_two_views() const noexcept { return b.cols() > 0; }
  BatchRows part(Index first, Index count) const noexcept {
    const auto of = [&](const OutputRows<Scalar>& gradient) noexcept {
      return gradient ? gradient.part(first) : gradient;
    };
    return {a.part(first, count), has_two_views() ? b.part(first, count) : b, of(gradient_a),
            of(gradient_b)};
  }
  // The same as one view sees them: it is a, the other is b, and its gradient is the only one.
  BatchRows seen_from_a() const noexcept { return {a, b, gradient_a, {}}; }
  BatchRows seen_from_b() const noexcept { return {b, a, gradient_b, {}}; }
};

// What passes have to know of rows before they see them: which gradients there are, and which
// matrices have to be copied tile by tile, as their rows are not contiguous or not stored in the
// computing scalar.
struct RowAccess {
  bool gradient_a = false, gradient_b = false;
  bool copies_a = false, copies_b = false, copies_gradient_a = false, copies_gradient_b = false;

  bool has_gradient() const noexcept { return gradient_a || gradient_b; }
  // Whether any of them has.
  bool copies() const noexcept {
    return copies_a || copies_b || copies_gradient_a || copies_gradient_b;
  }
  RowAccess inputs() const noexcept { return {false, false, copies_a, copies_b, false, false}; }
};

template <class Scalar>
RowAccess row_access(const BatchRows<Scalar>& rows) {
  const auto copies = [](const auto& matrix) { return !matrix.has_contiguous_rows(); };
  RowAccess access;
  access.gradient_a = static_cast<bool>(rows.gradient_a);
  access.gradient_b = static_cast<bool>(rows.gradient_b);
  access.copies_a = copies(rows.a);
  access.copies_b = rows.has_two_views() && copies(rows.b);
  access.copies_gradient_a = rows.gradient_a && copies(rows.gradient_a);
  access.copies_gradient_b = rows.gradient_b && copies(rows.gradient_b);
  return access;
}

// Each worker's memory for the tiles of what has to be copied.
template <class Scalar>
class TileBuffers {
 public:
  TileBuffers() = default;
  TileBuffers(Arena& arena, int workers, const RowAccess& access, Index rows, Index cols)
      : a_(arena, workers, size(access.copies_a, rows, cols)),
        b_(arena, workers, size(access.copies_b, rows, cols)),
        gradient_a_(arena, workers, size(access.copies_gradient_a, rows, cols)),
        gradient_b_(arena, workers, size(access.copies_gradient_b, rows, cols)) {}

  Scalar* a(int worker) noexcept { return a_.of(worker); }
  Scalar* b(int worker) noexcept { return b_.of(worker); }
  Scalar* gradient_a(int worker) noexcept { return gradient_a_.of(worker); }
  Scalar* gradient_b(int worker) noexcept { return gradient_b_.of(worker); }

 private:
  static Index size(bool copies, Index rows, Index cols) {
    return copies ? rows * tile_stride<Scalar>(cols) : 0;
  }

  PerWorker<Scalar> a_, b_, gradient_a_, gradient_b_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_
