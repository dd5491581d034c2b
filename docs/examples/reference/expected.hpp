#ifndef DECORR_EXAMPLES_REFERENCE_EXPECTED_HPP_
#define DECORR_EXAMPLES_REFERENCE_EXPECTED_HPP_

#include <Eigen/Core>

// What the examples compare with: the definitions of docs/mathematics.md, written down.

namespace expected {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

inline MatrixXd centred(const MatrixXd& z) { return z.rowwise() - z.colwise().mean(); }

// By the biased variance, as Barlow Twins does.
inline MatrixXd standardized(const MatrixXd& z, double epsilon = 1e-5) {
  const MatrixXd x = centred(z);
  const VectorXd variance = x.colwise().squaredNorm() / static_cast<double>(z.rows());
  return x * (variance.array() + epsilon).rsqrt().matrix().asDiagonal();
}

inline MatrixXd correlation(const MatrixXd& a, const MatrixXd& b) {
  return a.transpose() * b / static_cast<double>(a.rows());
}

inline MatrixXd covariance(const MatrixXd& z) {
  return centred(z).transpose() * centred(z) / static_cast<double>(z.rows() - 1);
}

inline double sum_off_diagonal(const MatrixXd& c) {
  return c.squaredNorm() - c.diagonal().squaredNorm();
}

inline VectorXd sums_of_wrapped_diagonals(const MatrixXd& c) {
  VectorXd sums = VectorXd::Zero(c.cols());
  for (Index j = 0; j < c.rows(); ++j) {
    for (Index l = 0; l < c.cols(); ++l) sums[(l - j + c.cols()) % c.cols()] += c(j, l);
  }
  return sums;
}

inline double barlow_twins(const MatrixXd& z_a, const MatrixXd& z_b, double lambda) {
  const MatrixXd c = correlation(standardized(z_a), standardized(z_b));
  return (1 - c.diagonal().array()).square().sum() + lambda * sum_off_diagonal(c);
}

// 25 times the hinge at 1.
inline double variance_term(const MatrixXd& z) {
  const MatrixXd k = covariance(z);
  return 25 * (1 - (k.diagonal().array() + 1e-4).sqrt()).cwiseMax(0).mean();
}

inline double covariance_term(const MatrixXd& z) {
  return sum_off_diagonal(covariance(z)) / static_cast<double>(z.cols());
}

inline double vicreg(const MatrixXd& z_a, const MatrixXd& z_b) {
  return 25 * (z_a - z_b).array().square().mean() + (variance_term(z_a) + variance_term(z_b)) / 2 +
         covariance_term(z_a) + covariance_term(z_b);
}

// The derivative of function(z) by element (0, 0), by central differences.
template <class Function>
double first_slope(const Function& function, MatrixXd z) {
  constexpr double step = 1e-5;
  z(0, 0) += step;
  const double above = function(z);
  z(0, 0) -= 2 * step;
  return (above - function(z)) / (2 * step);
}

}  // namespace expected

#endif  // DECORR_EXAMPLES_REFERENCE_EXPECTED_HPP_
