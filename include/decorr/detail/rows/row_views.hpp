#ifndef DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_
#define DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <type_traits>
#include <utility>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler_warnings.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Matrices of any storage type and strides, seen as rows of the computing scalar. The storage type
// is known to one copying function only, so every pass is compiled once per scalar.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Rows are handed out this many at a time: a cache line of a column-major matrix holds a tile's
// column.
inline constexpr Index kTileRows = 16;

// Features are handled this many at a time, so that what belongs to a feature (its mean, its sum)
// is read once for several rows and stays in the first-level cache.
inline constexpr Index kBlock = 1024;

// Asks for numbers that are soon to be read; they need not exist.
template <class Scalar>
void prefetch([[maybe_unused]] const Scalar* numbers, [[maybe_unused]] Index count) {
#if defined(__GNUC__)
  constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
  for (Index j = 0; j < count; j += line) {
    __builtin_prefetch(numbers + j);
  }
#endif
}

// Consecutive rows, each contiguous.
template <class Scalar>
struct Tile {
  Scalar* data = nullptr;
  Index stride = 0;
  Scalar* row(Index k) const { return data + k * stride; }

  // Asks for part of the row after row k, or of the next one that is a page away: passes that do
  // other work between rows leave the processor no stream to foresee.
  void prefetch_after(Index k, Index column, Index count) const {
    constexpr auto page = static_cast<Index>(4096 / sizeof(Scalar));
    const Index ahead = stride >= page ? 1 : page / std::max(stride, Index{1});
    prefetch(row(k + ahead) + column, count);
  }
};

DECORR_DETAIL_VECTOR_CODE_BEGIN

// to[i][j] = from[j][i], both contiguous along their second index. In blocks of vectors, so that
// every cache line is read and written whole; bound by bytes.
template <class Scalar>
void transpose(const Scalar* from, Index from_stride, Scalar* to, Index to_stride, Index rows,
               Index cols) {
  using Packet = typename Lanes<Scalar>::Packet;
  constexpr Index size = kLanes<Scalar>;
  const Index full_rows = rows - rows % size, full_cols = cols - cols % size;
  for (Index j = 0; j < full_cols; j += size) {
    for (Index i = 0; i < full_rows; i += size) {
      typename Lanes<Scalar>::Block block;
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

template <class From, class To>
void copy_strided(const From* from, Index from_row, Index from_col, To* to, Index to_row,
                  Index to_col, Index rows, Index cols) {
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

// Rows of a tile's buffer are this far apart. Not a multiple of a page, or the same column of all
// rows would compete for one set of the cache.
template <class Scalar>
constexpr Index tile_stride(Index cols) {
  constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
  return ((cols + line - 1) / line | 1) * line;
}
template <class Scalar>
constexpr Index tile_size(Index cols) {
  return kTileRows * tile_stride<Scalar>(cols);
}

// A matrix that is read.
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
        stored_as_computed_(std::is_same<Storage, Scalar>::value),
        copy_(&copy_tile<Storage>) {}

  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  // Whether tiles come without a copy, so that tile() needs no buffer.
  bool direct() const { return stored_as_computed_ && (col_stride_ == 1 || cols_ == 1); }
  // A column where columns are contiguous, otherwise null.
  const Scalar* column(Index j) const {
    return stored_as_computed_ && row_stride_ == 1
               ? static_cast<const Scalar*>(data_) + j * col_stride_
               : nullptr;
  }

  Tile<const Scalar> tile(Index first_row, Index rows, Index first_col, Index cols,
                          Scalar* buffer) const {
    if (direct()) {
      return {static_cast<const Scalar*>(data_) + first_row * row_stride_ + first_col, row_stride_};
    }
    copy_(*this, first_row, rows, first_col, cols, buffer);
    return {buffer, tile_stride<Scalar>(cols)};
  }
  Tile<const Scalar> tile(Index first_row, Index rows, Scalar* buffer) const {
    return tile(first_row, rows, 0, cols_, buffer);
  }

 private:
  template <class Storage>
  static void copy_tile(const InputRows& from, Index first_row, Index rows, Index first_col,
                        Index cols, Scalar* to) {
    const Storage* start = static_cast<const Storage*>(from.data_) + first_row * from.row_stride_ +
                           first_col * from.col_stride_;
    copy_strided(start, from.row_stride_, from.col_stride_, to, tile_stride<Scalar>(cols), Index{1},
                 rows, cols);
  }

  const void* data_ = nullptr;
  Index rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
  bool stored_as_computed_ = true;
  void (*copy_)(const InputRows&, Index, Index, Index, Index, Scalar*) = nullptr;
};

// A matrix of the computing scalar that is written, and read back between the passes.
template <class Scalar>
class OutputRows {
 public:
  OutputRows() = default;
  OutputRows(Scalar* data, Index rows, Index cols, Index row_stride, Index col_stride)
      : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride), col_stride_(col_stride) {}

  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  bool direct() const { return col_stride_ == 1 || cols_ == 1; }
  explicit operator bool() const { return data_ != nullptr; }
  Scalar* column(Index j) const { return row_stride_ == 1 ? data_ + j * col_stride_ : nullptr; }

  // Rows to be overwritten; store() puts them in place.
  Tile<Scalar> tile(Index first_row, Scalar* buffer) const {
    return tile(first_row, 0, cols_, buffer);
  }
  void store(Index first_row, Index rows, const Tile<Scalar>& tile) const {
    store(first_row, rows, 0, cols_, tile);
  }

  // The same for some of their columns; load() reads what is there.
  Tile<Scalar> load(Index first_row, Index rows, Index first_col, Index cols,
                    Scalar* buffer) const {
    if (!direct()) {
      copy_strided(start(first_row, first_col), row_stride_, col_stride_, buffer,
                   tile_stride<Scalar>(cols), Index{1}, rows, cols);
    }
    return tile(first_row, first_col, cols, buffer);
  }
  void store(Index first_row, Index rows, Index first_col, Index cols,
             const Tile<Scalar>& tile) const {
    if (!direct()) {
      copy_strided(tile.data, tile.stride, Index{1}, start(first_row, first_col), row_stride_,
                   col_stride_, rows, cols);
    }
  }
  // Puts rows in place that were not written where tile() said.
  void copy(Index first_row, Index rows, Index first_col, Index cols,
            const Tile<Scalar>& tile) const {
    copy_strided(tile.data, tile.stride, Index{1}, start(first_row, first_col), row_stride_,
                 col_stride_, rows, cols);
  }

 private:
  Scalar* start(Index first_row, Index first_col) const {
    return data_ + first_row * row_stride_ + first_col * col_stride_;
  }
  Tile<Scalar> tile(Index first_row, Index first_col, Index cols, Scalar* buffer) const {
    if (direct()) {
      return {start(first_row, first_col), row_stride_};
    }
    return {buffer, tile_stride<Scalar>(cols)};
  }

  Scalar* data_ = nullptr;
  Index rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
};

template <class Derived>
inline constexpr bool kIsLvalue = (int(Derived::Flags) & int(Eigen::LvalueBit)) != 0;

// Whether a type says where its elements are. Eigen 3.4 gives its flag for that to expressions
// without data(), too, whose strides must not be asked for (views by indices, nestByValue()), and
// to what is made of them.
template <class Derived, class = void>
struct HasStrides : std::false_type {};
template <class Derived, class = void>
struct NestsStrides : std::true_type {};
template <class Derived>
struct NestsStrides<Derived,
                    std::void_t<decltype(std::declval<const Derived&>().nestedExpression())>>
    : HasStrides<std::decay_t<decltype(std::declval<const Derived&>().nestedExpression())>> {};
// The real parts of a block of a complex matrix have a data() that does not compile, as it asks for
// the first element by a single index.
template <class Derived, class = void>
struct HasUsableData : std::true_type {};
template <class Derived>
struct HasUsableData<Derived, std::void_t<decltype(std::declval<const Derived&>().functor())>>
    : std::bool_constant<(int(Derived::Flags) & int(Eigen::LinearAccessBit)) != 0> {};
template <class Derived>
struct HasStrides<Derived, std::void_t<decltype(std::declval<const Derived&>().data())>>
    : std::bool_constant<(int(Derived::Flags) & int(Eigen::DirectAccessBit)) != 0 &&
                         HasUsableData<Derived>::value && NestsStrides<Derived>::value> {};
template <class Derived>
inline constexpr bool kHasStrides = HasStrides<Derived>::value;

// An input at the border: an expression without strides of its own is evaluated once.
template <class Derived>
class Operand {
 public:
  using Storage = typename Derived::Scalar;
  using Scalar = ComputeScalarOf<Storage>;

  explicit Operand(const Derived& expression) : value_(expression) {}
  InputRows<Scalar> rows() const {
    return {value_.data(), value_.rows(), value_.cols(), value_.rowStride(), value_.colStride()};
  }

 private:
  using Evaluated = Eigen::Matrix<Storage, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::conditional_t<kHasStrides<Derived>, const Derived&, Evaluated> value_;
};

// A gradient at the border. One that is stored in 16 bits, or in an expression without strides of
// its own, is computed in a workspace of n x d numbers, and moved at the end.
template <class Derived>
class GradientTarget {
 public:
  using Storage = typename Derived::Scalar;
  using Scalar = ComputeScalarOf<Storage>;
  static_assert(kIsLvalue<Derived>,
                "decorr: a gradient must be a matrix that can be assigned to, or a view of one");

  explicit GradientTarget(Derived& target) : target_(target) {
    if constexpr (!kInPlace) {
      workspace_ = Buffer<Scalar>(target.rows() * target.cols());
    }
  }
  OutputRows<Scalar> rows() {
    if constexpr (kInPlace) {
      return {target_.data(), target_.rows(), target_.cols(), target_.rowStride(),
              target_.colStride()};
    } else {
      return {workspace_.data(), target_.rows(), target_.cols(), target_.cols(), 1};
    }
  }
  void commit() {
    if constexpr (kInPlace) {
      return;
    } else if constexpr (kHasStrides<Derived>) {
      copy_strided(workspace_.data(), target_.cols(), Index{1}, target_.data(), target_.rowStride(),
                   target_.colStride(), target_.rows(), target_.cols());
    } else {
      const Scalar* from = workspace_.data();
      for (Index i = 0; i < target_.rows(); ++i) {
        for (Index j = 0; j < target_.cols(); ++j) {
          target_.coeffRef(i, j) = static_cast<Storage>(*from++);
        }
      }
    }
  }

 private:
  static constexpr bool kInPlace = kHasStrides<Derived> && std::is_same<Storage, Scalar>::value;
  Derived& target_;
  Buffer<Scalar> workspace_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_ROWS_ROW_VIEWS_HPP_
