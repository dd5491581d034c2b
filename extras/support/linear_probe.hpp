#ifndef DECORR_EXTRAS_SUPPORT_LINEAR_PROBE_HPP_
#define DECORR_EXTRAS_SUPPORT_LINEAR_PROBE_HPP_

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "images.hpp"

namespace support {

/// Scales each column to mean 0 and variance 1 over the rows of `by`.
inline Matrix standardized(const Matrix& features, const Matrix& by) {
  const Eigen::RowVectorXf mean = by.colwise().mean();
  const Eigen::RowVectorXf variance =
      (by.rowwise() - mean).colwise().squaredNorm() / static_cast<float>(by.rows());
  return (features.rowwise() - mean).array().rowwise() / (variance.array() + 1e-6F).sqrt();
}

/// Test accuracy of ridge regression from features to one-hot labels, with a penalty a sample that
/// does not depend on the features: what is linearly readable from them.
inline double ridge_accuracy(const Matrix& train, const std::vector<int>& train_labels,
                             const Matrix& test, const std::vector<int>& test_labels,
                             float penalty_each = 0.3F) {
  const float penalty = penalty_each * static_cast<float>(train.rows());
  Matrix targets = Matrix::Zero(train.rows(), kClasses);
  for (Eigen::Index i = 0; i < train.rows(); ++i) {
    targets(i, train_labels[static_cast<std::size_t>(i)]) = 1;
  }
  const Eigen::RowVectorXf mean = train.colwise().mean(), mean_target = targets.colwise().mean();
  const Matrix x = train.rowwise() - mean;
  Matrix moments = x.transpose() * x;
  moments.diagonal().array() += penalty;
  const Matrix weights = moments.llt().solve(x.transpose() * (targets.rowwise() - mean_target));
  const Matrix scores = ((test.rowwise() - mean) * weights).rowwise() + mean_target;
  int right = 0;
  for (Eigen::Index i = 0; i < test.rows(); ++i) {
    Eigen::Index best = 0;
    scores.row(i).maxCoeff(&best);
    if (best == test_labels[static_cast<std::size_t>(i)]) ++right;
  }
  return right / static_cast<double>(test.rows());
}

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_LINEAR_PROBE_HPP_
