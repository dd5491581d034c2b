#ifndef DECORR_TESTS_SUPPORT_PLACEMENTS_HPP_
#define DECORR_TESTS_SUPPORT_PLACEMENTS_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

namespace decorr_tests {

using Eigen::Index;

/// Where a matrix lies in a buffer: element (i, j) begins at byte first + (i * row_stride + j *
/// col_stride) * element.
struct Placement {
  Index first, element, rows, cols, row_stride, col_stride;

  /// Once for each element that holds it.
  std::vector<Index> bytes() const {
    std::vector<Index> all;
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        for (Index k = 0; k < element; ++k) {
          all.push_back(first + (i * row_stride + j * col_stride) * element + k);
        }
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }
};

/// The oracle: both matrices' bytes, compared one by one.
inline bool share_bytes(const Placement& x, const Placement& y) {
  const std::vector<Index> of_x = x.bytes(), of_y = y.bytes();
  return std::any_of(of_x.begin(), of_x.end(), [&](Index byte) {
    return std::binary_search(of_y.begin(), of_y.end(), byte);
  });
}
inline bool repeats_bytes(const Placement& x) {
  const std::vector<Index> bytes = x.bytes();
  return std::adjacent_find(bytes.begin(), bytes.end()) != bytes.end();
}

/// Whether the documentation allows to refuse the two though they share nothing: along some axis
/// the strides differ.
inline bool may_be_refused(const Placement& x, const Placement& y) {
  const auto step = [](Index stride, const Placement& of) { return std::abs(stride) * of.element; };
  return (x.rows > 1 && y.rows > 1 && step(x.row_stride, x) != step(y.row_stride, y)) ||
         (x.cols > 1 && y.cols > 1 && step(x.col_stride, x) != step(y.col_stride, y));
}

/// Draws placements of one shape within `size` bytes, small ones, so that many of them meet.
class PlacementDraws {
 public:
  PlacementDraws(std::uint64_t seed, Index size) : generator_(seed), size_(size) {}

  Index between(Index first, Index last) {
    return first + static_cast<Index>(generator_() % static_cast<std::uint64_t>(last - first + 1));
  }

  /// Strides of any sign, zero too; often those of rows or columns side by side, or of `model`.
  Placement placement(Index rows, Index cols, Index element, const Placement* model = nullptr) {
    Placement place{0, element, rows, cols, between(-12, 12), between(-12, 12)};
    const Index kind = between(0, 3);
    if (kind == 0) {
      place.row_stride = between(cols, 2 * cols + 1);
      place.col_stride = 1;
    } else if (kind == 1) {
      place.row_stride = 1;
      place.col_stride = between(rows, 2 * rows + 1);
    } else if (kind == 2 && model != nullptr) {
      place.row_stride = model->row_stride * model->element / element;
      place.col_stride = model->col_stride * model->element / element;
    }
    place.row_stride *= between(0, 1) == 0 ? 1 : -1;
    place.col_stride *= between(0, 1) == 0 ? 1 : -1;
    const auto reach = [&](bool upwards) {
      Index sum = 0;
      for (const Index span : {(rows - 1) * place.row_stride, (cols - 1) * place.col_stride}) {
        sum += upwards == (span > 0) ? std::abs(span) : 0;
      }
      return sum;
    };
    while (reach(false) + reach(true) >= size_ / element) {
      place.row_stride /= 2;
      place.col_stride /= 2;
    }
    place.first = element * between(reach(false), size_ / element - reach(true) - 1);
    return place;
  }

 private:
  std::mt19937_64 generator_;
  Index size_;
};

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_PLACEMENTS_HPP_
