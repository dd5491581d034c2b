#ifndef DECORR_TESTS_SUPPORT_CASES_HPP_
#define DECORR_TESTS_SUPPORT_CASES_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <decorr/options.hpp>
#include <decorr/randomization.hpp>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "naive.hpp"

namespace decorr_tests {

template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Scalar>
using ColumnMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

struct Shape {
  Index rows, cols;
};

/// Prime, and large enough for the library to go through a longer transform.
inline constexpr Index kSlowWidth = 29;

/// One block by either name, single features, blocks that leave a last one that is short (down to a
/// single feature) and blocks that divide d.
inline std::vector<Index> block_sizes(Index d) {
  std::vector<Index> sizes;
  for (const Index size :
       {Index{0}, Index{1}, Index{2}, Index{3}, kSlowWidth, d / 2 + 1, d - 1, d}) {
    if (size >= 0 && size <= d && std::find(sizes.begin(), sizes.end(), size) == sizes.end()) {
      sizes.push_back(size);
    }
  }
  return sizes;
}

/// Every exponent with every block size, with and without permutation, without signs, with both
/// views' and with one view's.
inline std::vector<decorr::Relaxed> relaxed_regularizers(Index d, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<decorr::Relaxed> regularizers;
  for (const int exponent : {1, 2}) {
    for (const Index block_size : block_sizes(d)) {
      for (const bool permuted : {false, true}) {
        for (const int signed_views : {0, 1, 2}) {
          decorr::Relaxed relaxed;
          relaxed.exponent = exponent;
          relaxed.block_size = block_size;
          if (permuted) {
            relaxed.permutation = decorr::random_permutation(d, generator);
          }
          if (signed_views > 0) {
            relaxed.signs_a = decorr::random_signs(d, generator);
          }
          if (signed_views > 1) {
            relaxed.signs_b = decorr::random_signs(d, generator);
          }
          regularizers.push_back(relaxed);
        }
      }
    }
  }
  return regularizers;
}

/// The same for covariances, which take signs of both views or of none: one view's, backwards, for
/// the other one.
inline Regularizer with_signs_of_both(Regularizer regularizer) {
  if (auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer)) {
    auto &a = relaxed->signs_a, &b = relaxed->signs_b;
    if (a.empty()) a.assign(b.rbegin(), b.rend());
    if (b.empty()) b.assign(a.rbegin(), a.rend());
  }
  return regularizer;
}

/// Those of the above that have a choice of routes: squares, in more than one block.
inline std::vector<decorr::Relaxed> grouped_regularizers(Index d, std::uint64_t seed) {
  std::vector<decorr::Relaxed> regularizers;
  for (const auto& relaxed : relaxed_regularizers(d, seed)) {
    if (relaxed.exponent == 2 && relaxed.block_size > 0 && relaxed.block_size < d) {
      regularizers.push_back(relaxed);
    }
  }
  return regularizers;
}

/// Exact, and all of the above.
inline std::vector<Regularizer> all_regularizers(Index d, std::uint64_t seed) {
  std::vector<Regularizer> regularizers{decorr::Exact{}};
  for (const auto& relaxed : relaxed_regularizers(d, seed)) {
    regularizers.emplace_back(relaxed);
  }
  return regularizers;
}

/// Weights that let every term be felt: with the published ones the regularizer would drown in the
/// other terms.
inline decorr::BarlowTwinsOptions balanced_barlow_twins_options(bool standardize, Index samples) {
  decorr::BarlowTwinsOptions options;
  // Two standardized samples are +1 and -1 but for epsilon: the loss would be nearly flat, and 1 -
  // C_ii and sums of lags would cancel to nothing.
  options.epsilon = samples == 2 ? 0.1 : options.epsilon;
  options.lambda = 0.7;
  options.scale = 0.6;
  options.standardize = standardize;
  return options;
}
inline decorr::VicregOptions balanced_vicreg_options(bool sum_variance,
                                                     decorr::CovarianceScaling scaling) {
  decorr::VicregOptions options;
  options.invariance = 1.5;
  options.variance = 2.5;
  options.covariance = 3;
  options.gamma = 1.1;
  options.epsilon = 1e-3;
  options.scale = 0.8;
  options.sum_variance = sum_variance;
  options.covariance_scaling = scaling;
  return options;
}

/// For messages.
inline std::string describe(const Regularizer& regularizer) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  if (relaxed == nullptr) {
    return "exact";
  }
  return "relaxed, exponent " + std::to_string(relaxed->exponent) + ", block size " +
         std::to_string(relaxed->block_size) + (relaxed->permutation.empty() ? "" : ", permuted") +
         (relaxed->signs_a.empty() ? "" : ", signs_a") +
         (relaxed->signs_b.empty() ? "" : ", signs_b");
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_CASES_HPP_
