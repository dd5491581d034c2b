#ifndef DECORR_BENCH_NUMERICS_DATA_HPP_
#define DECORR_BENCH_NUMERICS_DATA_HPP_

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/random_matrices.hpp"

/// @file
/// The batches that errors are measured for, one kind a line.

namespace decorr_numerics {

using Eigen::Index;

struct Batch {
  Eigen::MatrixXd a, b;
};

struct Kind {
  std::string name;
  bool has_mean;  ///< which is all that a bare regularizer would see
  std::function<void(Batch&, std::uint64_t seed)> change;  ///< of views with deviations of 1
};

namespace kinds {

using Eigen::MatrixXd;

inline MatrixXd gaussian(Index rows, Index cols, std::uint64_t seed) {
  return decorr_tests::random_matrix<MatrixXd>(rows, cols, seed);
}

template <class Change>
Kind of_each_view(std::string name, bool has_mean, Change change) {
  return {std::move(name), has_mean, [change](Batch& batch, std::uint64_t) {
            change(batch.a);
            change(batch.b);
          }};
}
/// Feature j of both views times factor(j, number of features).
template <class Factor>
Kind scaled_features(std::string name, Factor factor) {
  return of_each_view(std::move(name), false, [factor](MatrixXd& x) {
    for (Index j = 0; j < x.cols(); ++j) x.col(j) *= factor(j, x.cols());
  });
}
inline Kind scaled(std::string name, double factor_a, double factor_b) {
  return {std::move(name), false, [=](Batch& batch, std::uint64_t) {
            batch.a *= factor_a;
            batch.b *= factor_b;
          }};
}
inline Kind offset(std::string name, double mean) {
  return of_each_view(std::move(name), true, [mean](MatrixXd& x) { x.array() += mean; });
}

}  // namespace kinds

inline std::vector<Kind> all_kinds() {
  using namespace kinds;
  std::vector<Kind> all;
  all.push_back(of_each_view("correlated views", false, [](MatrixXd&) {}));
  all.push_back({"independent views", false, [](Batch& batch, std::uint64_t seed) {
                   batch.a = gaussian(batch.a.rows(), batch.a.cols(), seed);
                   batch.b = gaussian(batch.a.rows(), batch.a.cols(), seed + 1);
                 }});
  all.push_back({"nearly equal views", false, [](Batch& batch, std::uint64_t seed) {
                   batch.b = batch.a + 1e-3 * gaussian(batch.a.rows(), batch.a.cols(), seed);
                 }});
  all.push_back(of_each_view("collapsed: all features alike", false, [](MatrixXd& x) {
    for (Index j = 1; j < x.cols(); ++j) x.col(j) = x.col(0) + 1e-2 * x.col(j);
  }));
  for (const double mean : {1.0, 1e2, 1e4, 1e7}) {
    all.push_back(offset("mean / deviation = " + std::to_string(static_cast<int>(mean)), mean));
  }
  all.push_back(scaled("features of 1e-30", 1e-30, 1e-30));
  all.push_back(scaled("features of 1e-8", 1e-8, 1e-8));
  all.push_back(scaled("features of 1e8", 1e8, 1e8));
  all.push_back(scaled("features of 1e30", 1e30, 1e30));
  all.push_back(scaled("views of 1e30 and 1e-30", 1e30, 1e-30));
  all.push_back(scaled("views of 1e4 and 1", 1e4, 1));
  all.push_back(scaled_features("features of 1e-30 to 1e30", [](Index j, Index d) {
    return std::pow(10.0, -30 + 60 * static_cast<double>(j) / static_cast<double>(d - 1));
  }));
  for (const double ratio : {1e2, 1e4, 1e8}) {
    const std::string power = "1e" + std::to_string(std::lround(std::log10(ratio)));
    all.push_back(scaled_features("one feature by " + power,
                                  [=](Index j, Index) { return j == 1 ? ratio : 1; }));
    all.push_back(scaled_features("every fifth by " + power,
                                  [=](Index j, Index) { return j % 5 == 0 ? ratio : 1; }));
  }
  // Beside the default epsilon nothing, so that all views are small and none is divided by itself.
  all.push_back(of_each_view("deviations of 1e-6, mean 0.01", true, [](MatrixXd& x) {
    x *= 1e-6;
    x.array() += 0.01;
  }));
  all.push_back(scaled_features("one feature of 1, others of 1e-5",
                                [](Index j, Index) { return j == 1 ? 1 : 1e-5; }));
  all.push_back(of_each_view("near-constant features", true, [](MatrixXd& x) {
    // Of every third feature one sample differs, in the last digits of float.
    for (Index j = 0; j < x.cols(); j += 3) {
      x.col(j).setConstant(3);
      x(j % x.rows(), j) += 0x1p-20;
    }
  }));
  all.push_back(of_each_view("constant features", true, [](MatrixXd& x) {
    for (Index j = 0; j < x.cols(); j += 3) x.col(j).setConstant(0.1);
  }));
  all.push_back(
      of_each_view("heavy tails", false, [](MatrixXd& x) { x = x.array().cube().cube().eval(); }));
  all.push_back({"one sample by 1e4, in one view", false,
                 [](Batch& batch, std::uint64_t) { batch.a.row(1) *= 1e4; }});
  all.push_back(of_each_view("first and last sample by 1e4", false, [](MatrixXd& x) {
    x.row(0) *= 1e4;
    x.row(x.rows() - 1) = x.row(0);
  }));
  all.push_back(of_each_view("every third sample zero", false, [](MatrixXd& x) {
    for (Index k = 0; k < x.rows(); k += 3) x.row(k).setZero();
  }));
  all.push_back({"samples zero in one view", false, [](Batch& batch, std::uint64_t) {
                   for (Index k = 0; k < batch.a.rows(); k += 3) batch.a.row(k).setZero();
                 }});
  all.push_back(scaled_features("subnormal features beside others",
                                [](Index j, Index) { return j % 5 == 0 ? 1e-40 : 1; }));
  return all;
}

/// A batch of a kind.
inline Batch batch_of(const Kind& kind, Index rows, Index cols, std::uint64_t seed) {
  auto [a, b] = decorr_tests::random_views<Eigen::MatrixXd>(rows, cols, seed);
  Batch batch{std::move(a), std::move(b)};
  kind.change(batch, 1000 * seed);
  return batch;
}

}  // namespace decorr_numerics

#endif  // DECORR_BENCH_NUMERICS_DATA_HPP_
