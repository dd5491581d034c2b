#ifndef DECORR_DETAIL_CALL_MEMORY_LAYOUT_HPP_
#define DECORR_DETAIL_CALL_MEMORY_LAYOUT_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "decorr/detail/call/operands.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// Where matrices lie in memory, and whether they share any of it. In addresses as numbers: a
// pointer below or far beyond an array is undefined, and strides may lead there.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Element (i, j) is at first + (i * row_stride + j * col_stride) * element. The strides have any
// sign, and the one of an extent of 1 counts for nothing.
struct MemoryLayout {
  std::uintptr_t first = 0;
  std::ptrdiff_t element = 0;  // in bytes; 0 for an expression whose elements have no addresses
  std::ptrdiff_t rows = 0, cols = 0, row_stride = 0, col_stride = 0;
  // The address of every element, where no two strides lead to all of them.
  std::vector<std::uintptr_t> scattered;
};

// The same elements from the lowest one on, in steps of bytes that are not negative.
struct Lattice {
  struct Axis {
    std::ptrdiff_t extent, step;
    std::ptrdiff_t span() const { return (extent - 1) * step; }
  };
  std::uintptr_t lowest;
  std::ptrdiff_t element;
  Axis rows, cols;

  std::uintptr_t end() const {
    return lowest + static_cast<std::uintptr_t>(rows.span() + cols.span() + element);
  }
  // Takes what lies between the elements along an axis for theirs.
  void fill(Axis& axis) {
    element += axis.span();
    axis = {1, 0};
  }
};

// Scattered elements are taken for one that covers them all.
inline Lattice lattice(const MemoryLayout& layout) {
  if (!layout.scattered.empty()) {
    const auto [lowest, highest] =
        std::minmax_element(layout.scattered.begin(), layout.scattered.end());
    return {
        *lowest, static_cast<std::ptrdiff_t>(*highest - *lowest) + layout.element, {1, 0}, {1, 0}};
  }
  Lattice result{layout.first, layout.element, {layout.rows, 0}, {layout.cols, 0}};
  const auto set_step = [&](Lattice::Axis& axis, std::ptrdiff_t stride) {
    if (axis.extent > 1) {
      const std::ptrdiff_t step = stride * layout.element;
      axis.step = step < 0 ? -step : step;
      result.lowest -= static_cast<std::uintptr_t>(step < 0 ? axis.span() : 0);
    }
  };
  set_step(result.rows, layout.row_stride);
  set_step(result.cols, layout.col_stride);
  return result;
}

// The least i >= first with i * step > bound; `first` where the step is zero.
inline std::ptrdiff_t first_beyond(std::ptrdiff_t first, std::ptrdiff_t step,
                                   std::ptrdiff_t bound) {
  if (step == 0) {
    return first;
  }
  return (std::max)(first, bound / step + (bound % step < 0 ? 0 : 1));
}

// Exact where the strides agree in bytes, as those of interleaved parts of one buffer do. Along an
// axis whose strides differ a matrix is taken to fill what lies between its elements.
inline bool overlap(Lattice x, Lattice y) {
  if (x.end() <= y.lowest || y.end() <= x.lowest) {
    return false;
  }
  for (const auto axis : {&Lattice::rows, &Lattice::cols}) {
    Lattice::Axis &of_x = x.*axis, &of_y = y.*axis;
    if (of_x.extent == 1) {
      of_x.step = of_y.step;
    }
    if (of_y.extent == 1) {
      of_y.step = of_x.step;
    }
    if (of_x.step != of_y.step) {
      x.fill(of_x);
      y.fill(of_y);
    }
  }
  if (x.rows.step < x.cols.step) {  // so that few i below are tried
    std::swap(x.rows, x.cols);
    std::swap(y.rows, y.cols);
  }
  // Elements meet where i rows and j columns bridge the distance but for less than an element.
  const std::ptrdiff_t row = x.rows.step, col = x.cols.step;
  const auto distance = static_cast<std::ptrdiff_t>(y.lowest - x.lowest);
  const std::ptrdiff_t above = distance - x.element, below = distance + y.element;
  for (std::ptrdiff_t i = first_beyond(1 - y.rows.extent, row, above - x.cols.span());
       i < x.rows.extent && i * row < below + y.cols.span(); ++i) {
    const std::ptrdiff_t j = first_beyond(1 - y.cols.extent, col, above - i * row);
    const std::ptrdiff_t bridged = i * row + j * col;
    if (j < x.cols.extent && above < bridged && bridged < below) {
      return true;
    }
  }
  return false;
}

// Calls body(address) for all bytes of all elements.
template <class Body>
void for_each_byte(const MemoryLayout& layout, const Body& body) {
  const auto visit = [&](std::uintptr_t element) {
    for (std::ptrdiff_t k = 0; k < layout.element; ++k) {
      body(element + static_cast<std::uintptr_t>(k));
    }
  };
  if (!layout.scattered.empty()) {
    std::for_each(layout.scattered.begin(), layout.scattered.end(), visit);
    return;
  }
  for (std::ptrdiff_t i = 0; i < layout.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < layout.cols; ++j) {
      const std::ptrdiff_t distance = i * layout.row_stride + j * layout.col_stride;
      visit(layout.first + static_cast<std::uintptr_t>(distance * layout.element));
    }
  }
}

// Never false where elements have bytes in common. Without any it is true only where one of the
// matrices lies between elements of the other, in strides that differ. O(n d) where elements are
// scattered between each other.
inline bool overlap(const MemoryLayout& x, const MemoryLayout& y) {
  if (x.element == 0 || y.element == 0 || !overlap(lattice(x), lattice(y))) {
    return false;
  }
  if (x.scattered.empty() && y.scattered.empty()) {
    return true;
  }
  const Lattice range = lattice(x);
  std::vector<bool> taken(range.end() - range.lowest);
  for_each_byte(x, [&](std::uintptr_t byte) { taken[byte - range.lowest] = true; });
  bool met = false;
  for_each_byte(y, [&](std::uintptr_t byte) {
    const std::uintptr_t i = byte - range.lowest;  // wraps around below
    met = met || (i < taken.size() && taken[i]);
  });
  return met;
}

// Whether any two of scattered elements have bytes in common.
inline bool repeats(const MemoryLayout& layout) {
  const Lattice range = lattice(layout);
  std::vector<bool> taken(range.end() - range.lowest);
  bool met = false;
  for_each_byte(layout, [&](std::uintptr_t byte) {
    const std::uintptr_t i = byte - range.lowest;
    met = met || taken[i];
    taken[i] = true;
  });
  return met;
}

// Of an expression that can be assigned to but knows no strides of its own (every second row,
// columns in reverse, rows by a list), from the addresses of its elements. O(n d).
template <class Derived>
MemoryLayout found_layout(const Derived& matrix) {
  const auto address = [&](Index i, Index j) {
    return reinterpret_cast<std::uintptr_t>(std::addressof(matrix.coeff(i, j)));
  };
  MemoryLayout layout;
  layout.first = address(0, 0);
  layout.element = static_cast<std::ptrdiff_t>(sizeof(typename Derived::Scalar));
  layout.rows = matrix.rows();
  layout.cols = matrix.cols();
  const auto stride_to = [&](Index i, Index j) {
    return static_cast<std::ptrdiff_t>(address(i, j) - layout.first) / layout.element;
  };
  layout.row_stride = layout.rows > 1 ? stride_to(1, 0) : 0;
  layout.col_stride = layout.cols > 1 ? stride_to(0, 1) : 0;
  bool strided = true;
  for (Index i = 0; i < layout.rows; ++i) {
    for (Index j = 0; j < layout.cols; ++j) {
      const std::ptrdiff_t distance = i * layout.row_stride + j * layout.col_stride;
      strided = strided && address(i, j) == layout.first + static_cast<std::uintptr_t>(
                                                               distance * layout.element);
    }
  }
  if (!strided) {
    layout.scattered.reserve(static_cast<std::size_t>(layout.rows * layout.cols));
    for (Index i = 0; i < layout.rows; ++i) {
      for (Index j = 0; j < layout.cols; ++j) {
        layout.scattered.push_back(address(i, j));
      }
    }
  }
  return layout;
}

// Of any matrix that is not empty.
template <class Derived>
MemoryLayout memory_layout(const Derived& matrix) {
  if constexpr (kHasStrides<Derived>) {
    MemoryLayout layout;
    layout.first = reinterpret_cast<std::uintptr_t>(matrix.data());
    layout.element = static_cast<std::ptrdiff_t>(sizeof(typename Derived::Scalar));
    layout.rows = matrix.rows();
    layout.cols = matrix.cols();
    layout.row_stride = matrix.rowStride();
    layout.col_stride = matrix.colStride();
    return layout;
  } else if constexpr (kIsLvalue<Derived>) {
    return found_layout(matrix);
  } else {
    return {};
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_MEMORY_LAYOUT_HPP_
