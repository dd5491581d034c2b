#ifndef DECORR_EXAMPLES_DIGITS_HPP_
#define DECORR_EXAMPLES_DIGITS_HPP_

#include <Eigen/Core>

#include "images.hpp"
#include "random_numbers.hpp"

namespace example {

using support::kClasses;
using support::Matrix;
using support::RandomNumbers;
using Digits = support::LabelledImages;

constexpr Eigen::Index kPixels = support::kDigitSide * support::kDigitSide;

/// Two random views of each of the named images: view a of all in the upper half, view b below.
inline Matrix two_views(const Matrix& images, const Eigen::Index* rows, Eigen::Index count,
                        RandomNumbers& random) {
  Matrix views(2 * count, kPixels);
  const support::Augmentation most = support::digit_augmentation();
  for (Eigen::Index i = 0; i < 2 * count; ++i) {
    support::augment(most, images.row(rows[i % count]).data(), views.row(i).data(), random);
  }
  return views;
}

}  // namespace example

#endif  // DECORR_EXAMPLES_DIGITS_HPP_
