#ifndef DECORR_TESTS_UNIT_TRANSFORMS_HPP_
#define DECORR_TESTS_UNIT_TRANSFORMS_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

/// @file
/// The discrete Fourier transform as it is written, and rows to transform.

namespace unit_transforms {

using Eigen::Index;

/// Sum over j of x_j exp(sign 2 pi i j f / n), not divided by n.
inline std::vector<std::complex<double>> dft(const std::vector<std::complex<double>>& x, int sign) {
  const std::size_t n = x.size();
  std::vector<std::complex<double>> result(n);
  for (std::size_t f = 0; f < n; ++f) {
    for (std::size_t j = 0; j < n; ++j) {
      const double angle =
          sign * 6.283185307179586 * static_cast<double>(j * f % n) / static_cast<double>(n);
      result[f] += x[j] * std::complex<double>(std::cos(angle), std::sin(angle));
    }
  }
  return result;
}

/// Whole numbers from -8 to 8.
inline std::vector<double> random_row(Index size, Index seed) {
  std::mt19937 generator(static_cast<std::uint32_t>(seed));
  std::vector<double> row(static_cast<std::size_t>(size));
  for (double& x : row) x = static_cast<double>(generator() % 17) - 8;
  return row;
}

/// The same with every standard library, which std::shuffle is not.
inline std::vector<Index> random_permutation(Index size, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<Index> permutation(static_cast<std::size_t>(size));
  std::iota(permutation.begin(), permutation.end(), Index{0});
  for (std::size_t i = permutation.size(); i > 1; --i) {
    std::swap(permutation[i - 1], permutation[generator() % i]);
  }
  return permutation;
}

}  // namespace unit_transforms

#endif  // DECORR_TESTS_UNIT_TRANSFORMS_HPP_
