#ifndef DECORR_TESTS_SUPPORT_NAIVE_VIEWS_HPP_
#define DECORR_TESTS_SUPPORT_NAIVE_VIEWS_HPP_

#include <cstddef>
#include <decorr/options.hpp>
#include <decorr/results.hpp>
#include <vector>

#include "naive.hpp"

/// @file
/// The losses of several views as they are defined: pair by pair, or with the centroid formed.

namespace decorr_tests {
namespace naive {

inline RealMatrix centroid(const std::vector<RealMatrix>& views) {
  RealMatrix sum = RealMatrix::Zero(views[0].rows(), views[0].cols());
  for (const RealMatrix& view : views) sum += view;
  return sum / static_cast<Real>(views.size());
}

inline Real mean_square(const RealMatrix& x) {
  return x.array().square().sum() / static_cast<Real>(x.size());
}

/// Calls body(u, v) for u < v.
template <class Body>
void for_each_pair(std::size_t count, const Body& body) {
  for (std::size_t u = 0; u < count; ++u) {
    for (std::size_t v = u + 1; v < count; ++v) body(u, v);
  }
}

inline decorr::BarlowTwinsLoss<Real> barlow_twins_loss_of_views(
    const std::vector<RealMatrix>& views, decorr::ViewCombination combination,
    const decorr::BarlowTwinsOptions& options, const Regularizer& regularizer,
    Sides* sides = nullptr) {
  decorr::BarlowTwinsLoss<Real> total{};
  const auto add = [&](const RealMatrix& a, const RealMatrix& b) {
    const auto loss = barlow_twins_loss(a, b, options, regularizer, sides);
    total.value += loss.value;
    total.diagonal += loss.diagonal;
    total.off_diagonal += loss.off_diagonal;
  };
  if (combination == decorr::ViewCombination::pairs) {
    for_each_pair(views.size(), [&](std::size_t u, std::size_t v) { add(views[u], views[v]); });
  } else {
    for (const RealMatrix& view : views) add(view, centroid(views));
  }
  return total;
}

inline decorr::VicregLoss<Real> vicreg_loss_of_views(const std::vector<RealMatrix>& views,
                                                     decorr::ViewCombination combination,
                                                     const decorr::VicregOptions& options,
                                                     const Regularizer& regularizer,
                                                     Sides* sides = nullptr) {
  const Real scale = options.scale;
  std::vector<Real> variances, covariances;
  for (std::size_t v = 0; v < views.size(); ++v) {
    const Signs signs = signs_of(regularizer);
    variances.push_back(scale * options.variance * hinged_deviation(views[v], options, sides));
    covariances.push_back(scale * options.covariance *
                          covariance_regularizer(views[v], v % 2 == 0 ? signs.a : signs.b,
                                                 options.covariance_scaling, regularizer, sides));
  }
  decorr::VicregLoss<Real> total{};
  if (combination == decorr::ViewCombination::pairs) {
    for_each_pair(views.size(), [&](std::size_t u, std::size_t v) {
      total.invariance += scale * options.invariance * mean_square(views[u] - views[v]);
      total.variance += (variances[u] + variances[v]) / (options.sum_variance ? 1 : 2);
      total.covariance += covariances[u] + covariances[v];
    });
  } else {
    const RealMatrix mean = centroid(views);
    for (std::size_t v = 0; v < views.size(); ++v) {
      total.invariance += scale * options.invariance * mean_square(views[v] - mean);
      total.variance += variances[v] / (options.sum_variance ? 1 : static_cast<Real>(views.size()));
      total.covariance += covariances[v];
    }
  }
  total.value = total.invariance + total.variance + total.covariance;
  return total;
}

}  // namespace naive
}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_NAIVE_VIEWS_HPP_
