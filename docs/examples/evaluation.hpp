#ifndef DECORR_EXAMPLES_EVALUATION_HPP_
#define DECORR_EXAMPLES_EVALUATION_HPP_

#include <Eigen/Core>
#include <cstddef>
#include <cstdio>
#include <decorr/randomization.hpp>
#include <vector>

#include "digits.hpp"
#include "linear_probe.hpp"
#include "random_numbers.hpp"

namespace example {

using support::ridge_accuracy;
using support::standardized;

inline Matrix correlation(const Matrix& features) {
  const Matrix x = standardized(features, features);
  return x.transpose() * x / static_cast<float>(x.rows());
}

inline float mean_absolute_off_diagonal(const Matrix& matrix) {
  const float off_diagonal = matrix.cwiseAbs().sum() - matrix.diagonal().cwiseAbs().sum();
  return off_diagonal / static_cast<float>(matrix.rows() * (matrix.rows() - 1));
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
        ridge_accuracy(train(rows, Eigen::seqN(0, train.cols())), labels, test, test_labels) /
        choices;
  }
  return probe;
}

inline void print_probe_title(const Digits& test) {
  std::printf("accuracy of a linear probe on %d test images\n",
              static_cast<int>(test.images.rows()));
  std::printf("  %-18s %10s %12d per class\n", "trained with", "all labels", Probe::kFewLabels);
}

inline void print_probe(const char* features, const Probe& probe) {
  std::printf("  %-18s %10.3f %20.3f\n", features, probe.all_labels, probe.few_labels);
}

}  // namespace example

#endif  // DECORR_EXAMPLES_EVALUATION_HPP_
