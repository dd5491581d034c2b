#ifndef DECORR_BENCH_BATCH_HPP_
#define DECORR_BENCH_BATCH_HPP_

#include <Eigen/Core>
#include <cmath>
#include <decorr/decorr.hpp>
#include <random>

// Two views with normal features, and their gradients.
template <class Scalar, int kOrder = Eigen::RowMajor>
struct Batch {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, kOrder>;

  // `correlation` is between the same feature of both views.
  Batch(Eigen::Index n, Eigen::Index d, double correlation = 0.6)
      : a(n, d), b(n, d), grad_a(Matrix::Zero(n, d)), grad_b(Matrix::Zero(n, d)) {
    std::mt19937_64 generator(1);
    std::normal_distribution<Scalar> normal;
    const auto common = static_cast<Scalar>(correlation);
    const auto own = static_cast<Scalar>(std::sqrt(1 - correlation * correlation));
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < d; ++j) {
        a(i, j) = normal(generator);
        b(i, j) = common * a(i, j) + own * normal(generator);
      }
    }
  }

  Matrix a, b, grad_a, grad_b;
};

// The same regularizer with a draw of signs.
inline decorr::Relaxed with_signs(Eigen::Index d, decorr::Relaxed relaxed) {
  std::mt19937_64 generator(2);
  relaxed.signs_a = decorr::random_signs(d, generator);
  relaxed.signs_b = decorr::random_signs(d, generator);
  return relaxed;
}

#endif  // DECORR_BENCH_BATCH_HPP_
