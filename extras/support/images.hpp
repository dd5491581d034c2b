#ifndef DECORR_EXTRAS_SUPPORT_IMAGES_HPP_
#define DECORR_EXTRAS_SUPPORT_IMAGES_HPP_

#include <Eigen/Core>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace support {

/// One row a sample.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A square image a row, its pixels row by row between 0, the background, and 1.
struct LabelledImages {
  Matrix images;
  std::vector<int> labels;
};

inline LabelledImages slice(const LabelledImages& set, Eigen::Index first, Eigen::Index count) {
  const auto begin = set.labels.begin() + first;
  return {set.images.middleRows(first, count), {begin, begin + count}};
}

constexpr Eigen::Index kDigitSide = 8;
constexpr int kClasses = 10;

/// Reads docs/examples/data/digits.csv, see the README.md beside it.
inline LabelledImages load_digits(const std::string& path) {
  constexpr Eigen::Index pixels_each = kDigitSide * kDigitSide;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<float> pixels;
  LabelledImages digits;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::vector<float> numbers;
    for (float number = 0; fields >> number; fields.ignore(1)) numbers.push_back(number);
    if (numbers.size() != pixels_each + 1 || numbers.back() < 0 || numbers.back() >= kClasses) {
      throw std::runtime_error(path + ", line " + std::to_string(digits.labels.size() + 1) +
                               ": expected 64 pixels and a digit, separated by commas");
    }
    digits.labels.push_back(static_cast<int>(numbers.back()));
    pixels.insert(pixels.end(), numbers.begin(), numbers.end() - 1);
  }
  const auto count = static_cast<Eigen::Index>(digits.labels.size());
  digits.images = Eigen::Map<const Matrix>(pixels.data(), count, pixels_each) / 16.0F;
  return digits;
}

/// How far a view may be from its image. Each number is the largest deviation, or a probability.
struct Augmentation {
  Eigen::Index side = kDigitSide;
  float angle = 0;           ///< radians
  float scale = 0;           ///< of height and of width, about 1
  float slant = 0;           ///< columns a row
  float shift = 0;           ///< pixels
  float contrast = 0;        ///< about 1
  float noise = 0;           ///< standard deviation
  bool rough_noise = false;  ///< nearly normal, where images are many and large
  float hole_probability = 0;
  Eigen::Index hole = 0;  ///< side of a square that is erased, pixels
  float mirror_probability = 0;
};

/// All deviations by a factor; a hole keeps its size.
inline Augmentation scaled(Augmentation most, float factor) {
  for (float* deviation : {&most.angle, &most.scale, &most.slant, &most.shift, &most.contrast,
                           &most.noise, &most.hole_probability}) {
    *deviation *= factor;
  }
  return most;
}

/// Small changes, since a pixel is an eighth of a digit.
inline Augmentation digit_augmentation() {
  Augmentation digits;
  digits.angle = 0.2F;
  digits.scale = 0.15F;
  digits.slant = 0.15F;
  digits.shift = 0.6F;
  digits.contrast = 0.2F;
  digits.noise = 0.05F;
  digits.hole_probability = 0.2F;
  digits.hole = 3;
  return digits;
}

/// The image's value between pixels: bilinear, 0 outside.
inline float interpolate(const float* image, Eigen::Index side, float row, float column) {
  float value = 0;
  const auto top = static_cast<Eigen::Index>(std::floor(row));
  const auto left = static_cast<Eigen::Index>(std::floor(column));
  for (Eigen::Index r = top; r <= top + 1; ++r) {
    for (Eigen::Index c = left; c <= left + 1; ++c) {
      if (r < 0 || r >= side || c < 0 || c >= side) continue;
      const float row_weight = 1 - std::abs(row - static_cast<float>(r));
      const float column_weight = 1 - std::abs(column - static_cast<float>(c));
      value += row_weight * column_weight * image[r * side + c];
    }
  }
  return value;
}

/// Writes a random view of an image: turned, stretched, slanted and shifted, fainter or darker,
/// noisy, and sometimes mirrored or with a hole.
template <class Random>
void augment(const Augmentation& most, const float* image, float* view, Random& random) {
  const Eigen::Index side = most.side;
  const float angle = random.uniform(-most.angle, most.angle);
  const float cosine = std::cos(angle), sine = std::sin(angle);
  const float height = random.uniform(1 - most.scale, 1 + most.scale);
  float width = random.uniform(1 - most.scale, 1 + most.scale);
  const float slant = random.uniform(-most.slant, most.slant);
  const float centre = static_cast<float>(side - 1) / 2.0F;
  const float centre_row = centre + random.uniform(-most.shift, most.shift);
  const float centre_column = centre + random.uniform(-most.shift, most.shift);
  const float contrast = random.uniform(1 - most.contrast, 1 + most.contrast);
  if (most.mirror_probability > 0 && random.uniform(0, 1) < most.mirror_probability) {
    width = -width;
  }
  for (Eigen::Index r = 0; r < side; ++r) {
    for (Eigen::Index c = 0; c < side; ++c) {
      const float y = (static_cast<float>(r) - centre) / height;
      const float x = (static_cast<float>(c) - centre) / width + slant * y;
      const float row = centre_row + cosine * y + sine * x;
      const float column = centre_column + cosine * x - sine * y;
      const float noise = most.rough_noise ? random.rough_normal() : random.normal();
      view[r * side + c] = contrast * interpolate(image, side, row, column) + most.noise * noise;
    }
  }
  if (random.uniform(0, 1) < most.hole_probability) {
    const auto places = static_cast<float>(side - most.hole + 1);
    const auto top = static_cast<Eigen::Index>(random.uniform(0, places));
    const auto left = static_cast<Eigen::Index>(random.uniform(0, places));
    Eigen::Map<Matrix>(view, side, side).block(top, left, most.hole, most.hole).setZero();
  }
}

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_IMAGES_HPP_
