#ifndef DECORR_EXAMPLES_EVALUATION_HPP_
#define DECORR_EXAMPLES_EVALUATION_HPP_

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cstddef>
#include <decorr/randomization.hpp>
#include <vector>

#include "digits.hpp"
#include "network.hpp"
#include "random_numbers.hpp"

namespace example {

/// Scales each column to mean 0 and variance 1 over the rows of `by`.
inline Matrix standardized(const Matrix& features, const Matrix& by) {
  const Eigen::RowVectorXf mean = by.colwise().mean();
  const Eigen::RowVectorXf variance =
      (by.rowwise() - mean).colwise().squaredNorm() / static_cast<float>(by.rows());
  return (features.rowwise() - mean).array().rowwise() / (variance.array() + 1e-6F).sqrt();
}

inline Matrix correlation(const Matrix& features) {
  const Matrix x = standardized(features, features);
  return x.transpose() * x / static_cast<float>(x.rows());
}

inline float mean_absolute_off_diagonal(const Matrix& matrix) {
  const float off_diagonal = matrix.cwiseAbs().sum() - matrix.diagonal().cwiseAbs().sum();
  return off_diagonal / static_cast<float>(matrix.rows() * (matrix.rows() - 1));
}

/// Test accuracy of ridge regression from features to one-hot labels, with the same penalty
/// whatever the features: what is linearly readable from them.
inline double ridge_accuracy(const Matrix& train, const std::vector<int>& train_labels,
                             const Matrix& test, const std::vector<int>& test_labels) {
  const float penalty = 0.3F * static_cast<float>(train.rows());
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

/// Test accuracy of a linear probe that is trained with all labels, and with kFewLabels of each
/// class, averaged over random choices of them (the same ones for all features).
struct Probe {
  static constexpr int kFewLabels = 10;
  double all_labels = 0, few_labels = 0;
};

inline Probe linear_probe(const Matrix& train_features, const std::vector<int>& train_labels,
                          const Matrix& test_features, const std::vector<int>& test_labels) {
  const Matrix train = standardized(train_features, train_features);
  const Matrix test = standardized(test_features, train_features);
  Probe probe;
  probe.all_labels = ridge_accuracy(train, train_labels, test, test_labels);
  const int choices = 20;
  RandomNumbers random(0);
  for (int choice = 0; choice < choices; ++choice) {
    std::vector<Eigen::Index> rows;
    std::vector<int> labels, taken(kClasses, 0);
    for (const Eigen::Index row : decorr::random_permutation(train.rows(), random.engine())) {
      const int label = train_labels[static_cast<std::size_t>(row)];
      if (taken[static_cast<std::size_t>(label)]++ >= Probe::kFewLabels) continue;
      rows.push_back(row);
      labels.push_back(label);
    }
    probe.few_labels +=
        ridge_accuracy(train(rows, Eigen::all), labels, test, test_labels) / choices;
  }
  return probe;
}

}  // namespace example

#endif  // DECORR_EXAMPLES_EVALUATION_HPP_
