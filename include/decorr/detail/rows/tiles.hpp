#ifndef DECORR_DETAIL_ROWS_TILES_HPP_
#define DECORR_DETAIL_ROWS_TILES_HPP_

#include <algorithm>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// How matrices are cut: a tile is a few consecutive rows, a strip some consecutive columns of them.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Rows of a tile: a cache line of a column-major matrix holds a tile's column.
inline constexpr Index kTileRows = 16;
static_assert(kTileRows % 2 == 0, "two samples of a tile share a signal");

// Columns of a strip, so that what belongs to a feature (its mean, its sum) is read once for
// several rows and stays in the first-level cache.
inline constexpr Index kStripColumns = 1024;

// Asks for numbers that are soon to be read; they need not exist.
template <class Scalar>
void prefetch([[maybe_unused]] const Scalar* numbers, [[maybe_unused]] Index count) noexcept {
#if defined(__GNUC__)
  constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
  for (Index j = 0; j < count; j += line) {
    __builtin_prefetch(numbers + j);
  }
#endif
}

// Consecutive rows, or a strip of them, each contiguous.
template <class Scalar>
struct Tile {
  Scalar* data = nullptr;
  Index stride = 0;
  Scalar* row(Index k) const noexcept { return data + k * stride; }

  // Asks for the beginning of a row that need not exist.
  void prefetch(Index k, Index count) const noexcept { detail::prefetch(row(k), count); }

  // Asks for part of the row after row k, or of the next one that is a page away: passes that do
  // other work between rows leave the processor no stream to foresee.
  void prefetch_after(Index k, Index column, Index count) const noexcept {
    constexpr auto page = static_cast<Index>(4096 / sizeof(Scalar));
    const Index ahead = stride >= page ? 1 : page / std::max(stride, Index{1});
    detail::prefetch(row(k + ahead) + column, count);
  }
};

// Rows of a tile's buffer are this far apart. Not a multiple of a page, or the same column of all
// rows would compete for one set of the cache.
template <class Scalar>
constexpr Index tile_stride(Index cols) {
  constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
  return ((cols + line - 1) / line | 1) * line;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_ROWS_TILES_HPP_
