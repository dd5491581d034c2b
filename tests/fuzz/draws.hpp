#ifndef DECORR_TESTS_FUZZ_DRAWS_HPP_
#define DECORR_TESTS_FUZZ_DRAWS_HPP_

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "support/placements.hpp"

namespace decorr_fuzz {

using decorr_tests::Placement;
using Eigen::Index;

/// What a fuzzer tries, from libFuzzer's bytes. Bytes that have run out draw what is simplest.
class Draws {
 public:
  Draws(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  Index between(Index first, Index last) {
    return bytes_.ConsumeIntegralInRange<Index>(first, last);
  }
  int number(int first, int last) { return static_cast<int>(between(first, last)); }
  bool one_in(Index count) { return between(1, count) == count; }
  std::uint64_t seed() { return static_cast<std::uint64_t>(between(0, 255)); }
  template <class Value>
  Value of(const std::vector<Value>& values) {
    return values[static_cast<std::size_t>(between(0, static_cast<Index>(values.size()) - 1))];
  }

  /// Of the features. The definition takes long for many of them.
  Index features() {
    return one_in(24) ? between(71, 300) : one_in(3) ? between(1, 70) : between(1, 17);
  }
  /// Of the samples: around the rows of a tile (16) and beyond two of them.
  Index rows(Index features) {
    return features > 70 ? between(1, 6) : one_in(3) ? between(1, 40) : between(1, 9);
  }

 private:
  FuzzedDataProvider bytes_;
};

/// Elements below the first one, and up to the end of the highest one.
struct Reach {
  Index below, above;
};
inline Reach reach_of(const Placement& place) {
  Reach reach{0, 1};
  for (const auto& [extent, stride] :
       {std::pair(place.rows, place.row_stride), std::pair(place.cols, place.col_stride)}) {
    (stride < 0 ? reach.below : reach.above) += std::abs(stride) * std::max<Index>(extent - 1, 0);
  }
  return reach;
}

/// In units of elements: row-major or column-major, with gaps between elements and between rows or
/// columns, in either direction; rarely, where that is asked for, any strides, which may lead to
/// one element twice. It begins where its lowest element is.
inline Placement draw_placement(Draws& draws, Index rows, Index cols, bool any_strides) {
  Placement place{0, 1, rows, cols, 0, 0};
  const bool by_rows = !draws.one_in(2);
  Index& inner = by_rows ? place.col_stride : place.row_stride;
  Index& outer = by_rows ? place.row_stride : place.col_stride;
  inner = draws.one_in(4) ? draws.between(2, 3) : 1;
  outer = inner * (by_rows ? cols : rows) + (draws.one_in(4) ? draws.between(1, 5) : 0);
  if (any_strides && draws.one_in(32)) {
    inner = draws.between(-3, 3);
    outer = draws.between(-3, 3);
  }
  if (draws.one_in(6)) inner = -inner;
  if (draws.one_in(6)) outer = -outer;
  place.first = reach_of(place).below;
  return place;
}

}  // namespace decorr_fuzz

#endif  // DECORR_TESTS_FUZZ_DRAWS_HPP_
