#ifndef DECORR_TESTS_SUPPORT_RANDOM_MATRICES_HPP_
#define DECORR_TESTS_SUPPORT_RANDOM_MATRICES_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>

namespace decorr_tests {

using Eigen::Index;

/// Standard Gaussian numbers that are the same with every standard library, up to the rounding of
/// log and cos: std::normal_distribution is not.
class Gaussian {
 public:
  explicit Gaussian(std::uint64_t seed) : generator_(seed) {}

  double operator()() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  // In (0, 1).
  double uniform() { return (static_cast<double>(generator_() >> 12) + 0.5) * 0x1p-52; }

  std::mt19937_64 generator_;
};

/// Independent standard Gaussian entries. The numbers depend on the shape and the seed alone, not
/// on Matrix's scalar (up to rounding) or storage order.
template <class Matrix>
Matrix random_matrix(Index rows, Index cols, std::uint64_t seed) {
  Gaussian gaussian(seed);
  Matrix matrix(rows, cols);
  for (Index k = 0; k < rows; ++k) {
    for (Index j = 0; j < cols; ++j) {
      matrix(k, j) = static_cast<typename Matrix::Scalar>(gaussian());
    }
  }
  return matrix;
}

/// Two views of the same samples: unit variance, correlated with each other (0.7) and, within a
/// view, between neighbouring features (0.5).
template <class Matrix>
std::pair<Matrix, Matrix> random_views(Index rows, Index cols, std::uint64_t seed) {
  using Double = Eigen::MatrixXd;
  const auto common = random_matrix<Double>(rows, cols + 1, 3 * seed);
  const auto view = [&](std::uint64_t noise_seed) {
    const auto noise = random_matrix<Double>(rows, cols + 1, noise_seed);
    const Double raw = std::sqrt(0.7) * common + std::sqrt(0.3) * noise;
    const Double mixed = std::sqrt(0.5) * (raw.leftCols(cols) + raw.rightCols(cols));
    return Matrix(mixed.template cast<typename Matrix::Scalar>());
  };
  return {view(3 * seed + 1), view(3 * seed + 2)};
}

/// The largest difference over the largest expected entry. NaN if there is any; infinite if
/// `expected` is zero and `actual` is not.
template <class Actual, class Expected>
double relative_error(const Eigen::DenseBase<Actual>& actual,
                      const Eigen::DenseBase<Expected>& expected) {
  eigen_assert(actual.rows() == expected.rows() && actual.cols() == expected.cols());
  long double difference = 0;
  long double largest = 0;
  for (Index k = 0; k < expected.rows(); ++k) {
    for (Index j = 0; j < expected.cols(); ++j) {
      const auto wanted = static_cast<long double>(expected.coeff(k, j));
      const auto error = std::abs(static_cast<long double>(actual.coeff(k, j)) - wanted);
      if (std::isnan(error)) {
        return std::nan("");
      }
      difference = std::max(difference, error);
      largest = std::max(largest, std::abs(wanted));
    }
  }
  return difference == 0 ? 0 : static_cast<double>(difference / largest);
}

/// The same for numbers.
inline double relative_error(long double actual, long double expected) {
  return actual == expected ? 0 : static_cast<double>(std::abs((actual - expected) / expected));
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_RANDOM_MATRICES_HPP_
