#ifndef DECORR_EXAMPLES_DIGITS_HPP_
#define DECORR_EXAMPLES_DIGITS_HPP_

#include <Eigen/Core>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "network.hpp"
#include "random_numbers.hpp"

namespace example {

constexpr Eigen::Index kSide = 8;
constexpr Eigen::Index kPixels = kSide * kSide;
constexpr int kClasses = 10;

/// An image a row, its pixels row by row between 0 (white) and 1 (black).
struct Digits {
  Matrix images;
  std::vector<int> labels;
};

/// Reads data/digits.csv, see data/README.md.
inline Digits load_digits(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<float> pixels;
  Digits digits;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::vector<float> numbers;
    for (float number = 0; fields >> number; fields.ignore(1)) numbers.push_back(number);
    if (numbers.size() != kPixels + 1 || numbers.back() < 0 || numbers.back() >= kClasses) {
      throw std::runtime_error(path + ", line " + std::to_string(digits.labels.size() + 1) +
                               ": expected 64 pixels and a digit, separated by commas");
    }
    digits.labels.push_back(static_cast<int>(numbers.back()));
    pixels.insert(pixels.end(), numbers.begin(), numbers.end() - 1);
  }
  const auto count = static_cast<Eigen::Index>(digits.labels.size());
  digits.images = Eigen::Map<const Matrix>(pixels.data(), count, kPixels) / 16.0F;
  return digits;
}

inline Digits slice(const Digits& digits, Eigen::Index first, Eigen::Index count) {
  const auto begin = digits.labels.begin() + first;
  return {digits.images.middleRows(first, count), {begin, begin + count}};
}

/// The image's value between pixels: bilinear, white outside.
inline float interpolate(const float* image, float row, float column) {
  float value = 0;
  const auto top = static_cast<Eigen::Index>(std::floor(row));
  const auto left = static_cast<Eigen::Index>(std::floor(column));
  for (Eigen::Index r = top; r <= top + 1; ++r) {
    for (Eigen::Index c = left; c <= left + 1; ++c) {
      if (r < 0 || r >= kSide || c < 0 || c >= kSide) continue;
      const float row_weight = 1 - std::abs(row - static_cast<float>(r));
      const float column_weight = 1 - std::abs(column - static_cast<float>(c));
      value += row_weight * column_weight * image[r * kSide + c];
    }
  }
  return value;
}

/// Writes a random view of an image: turned, stretched, slanted and shifted a little, fainter or
/// darker, noisy, and sometimes with a hole. Small changes, since a pixel is an eighth of a digit.
inline void augment(const float* image, float* view, RandomNumbers& random) {
  const float angle = random.uniform(-0.2F, 0.2F);
  const float cosine = std::cos(angle), sine = std::sin(angle);
  const float height = random.uniform(0.85F, 1.15F), width = random.uniform(0.85F, 1.15F);
  const float slant = random.uniform(-0.15F, 0.15F);
  const float centre = (kSide - 1) / 2.0F;
  const float centre_row = centre + random.uniform(-0.6F, 0.6F);
  const float centre_column = centre + random.uniform(-0.6F, 0.6F);
  const float contrast = random.uniform(0.8F, 1.2F);
  for (Eigen::Index r = 0; r < kSide; ++r) {
    for (Eigen::Index c = 0; c < kSide; ++c) {
      const float y = (static_cast<float>(r) - centre) / height;
      const float x = (static_cast<float>(c) - centre) / width + slant * y;
      const float row = centre_row + cosine * y + sine * x;
      const float column = centre_column + cosine * x - sine * y;
      view[r * kSide + c] = contrast * interpolate(image, row, column) + 0.05F * random.normal();
    }
  }
  if (random.uniform(0, 1) < 0.2F) {
    const Eigen::Index hole = 3;
    const auto top = static_cast<Eigen::Index>(random.uniform(0, kSide - hole + 1));
    const auto left = static_cast<Eigen::Index>(random.uniform(0, kSide - hole + 1));
    Eigen::Map<Matrix>(view, kSide, kSide).block(top, left, hole, hole).setZero();
  }
}

/// Two random views of each of the named images: view a of all in the upper half, view b below.
inline Matrix two_views(const Matrix& images, const Eigen::Index* rows, Eigen::Index count,
                        RandomNumbers& random) {
  Matrix views(2 * count, kPixels);
  for (Eigen::Index i = 0; i < 2 * count; ++i) {
    augment(images.row(rows[i % count]).data(), views.row(i).data(), random);
  }
  return views;
}

}  // namespace example

#endif  // DECORR_EXAMPLES_DIGITS_HPP_
