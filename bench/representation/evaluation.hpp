#ifndef DECORR_BENCH_REPRESENTATION_EVALUATION_HPP_
#define DECORR_BENCH_REPRESENTATION_EVALUATION_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "linear_probe.hpp"
#include "losses.hpp"
#include "training.hpp"

namespace representation {

/// Held-out accuracy of the weighted vote of the k = 20 training images whose features are nearest
/// by their cosine. Features are standardized before.
inline double nearest_neighbour_accuracy(const Matrix& train, const std::vector<int>& train_labels,
                                         const Matrix& test, const std::vector<int>& test_labels,
                                         int threads) {
  constexpr Index k = 20, tile = 64;
  const Matrix from = train.rowwise().normalized(), to = test.rowwise().normalized();
  std::vector<char> right(test_labels.size());
  for_each_range(to.rows(), tile, threads, [&](Index first, Index count) {
    const Matrix cosines = to.middleRows(first, count) * from.transpose();
    std::vector<Index> nearest(static_cast<std::size_t>(from.rows()));
    for (Index i = 0; i < count; ++i) {
      const auto row = cosines.row(i);
      std::iota(nearest.begin(), nearest.end(), Index{0});
      const auto end = nearest.begin() + std::min(k, from.rows());
      std::partial_sort(nearest.begin(), end, nearest.end(), [&](Index x, Index y) {
        return row[x] != row[y] ? row[x] > row[y] : x < y;
      });
      std::array<float, support::kClasses> votes{};
      for (auto it = nearest.begin(); it != end; ++it) {
        votes[static_cast<std::size_t>(train_labels[static_cast<std::size_t>(*it)])] += row[*it];
      }
      const auto best = std::max_element(votes.begin(), votes.end()) - votes.begin();
      const auto image = static_cast<std::size_t>(first + i);
      right[image] = best == test_labels[image] ? 1 : 0;
    }
  });
  return std::accumulate(right.begin(), right.end(), 0.0) / static_cast<double>(right.size());
}

/// The features off the diagonal of the correlation matrix of one set of embeddings.
struct Decorrelation {
  /// R_off over d (d - 1): the mean square of a correlation of two features. Of n independent
  /// images and features without any it is about 1 / n.
  double r_off_per_pair = 0;
  /// R_sum, q = 2, a single block, no signs, over d (d - 1).
  double r_sum_per_pair = 0;
  /// The share of features that another one equals up to sign and scale, |correlation| > 0.95.
  double copies = 0;
};

inline Decorrelation decorrelation(const Matrix& z, int threads) {
  const Embeddings x{support::standardized(z, z), Matrix()};
  const auto d = x.a.cols();
  const double pairs = static_cast<double>(d) * static_cast<double>(d - 1);
  Decorrelation result;
  const Embeddings both{x.a, x.a};  // C itself, with n under the sum, and no half of lag d / 2
  result.r_off_per_pair = regularizer_value(both, decorr::Regularizer(), threads) / pairs;
  result.r_sum_per_pair = regularizer_value(both, decorr::Relaxed(), threads) / pairs;
  std::vector<char> is_copy(static_cast<std::size_t>(d));
  for_each_range(d, 128, threads, [&](Index first, Index count) {
    Matrix c = x.a.middleCols(first, count).transpose() * x.a / static_cast<float>(x.a.rows());
    for (Index i = 0; i < count; ++i) {
      c(i, first + i) = 0;
      is_copy[static_cast<std::size_t>(first + i)] = c.row(i).cwiseAbs().maxCoeff() > 0.95F ? 1 : 0;
    }
  });
  result.copies = std::accumulate(is_copy.begin(), is_copy.end(), 0.0) / static_cast<double>(d);
  return result;
}

/// How much the gradient of the whole loss, with respect to the embeddings of one batch, differs
/// from draw to draw: the root of the mean square deviation over the norm of the mean.
inline double gradient_noise(const LossSettings& settings, const Matrix& z, int draws,
                             int threads) {
  if (settings.exact() || settings.randomization == "none") return 0;
  support::SplitMix64 engine(1);
  Matrix gradient(z.rows(), z.cols()), mean = Matrix::Zero(z.rows(), z.cols());
  double squares = 0;
  for (int draw = 0; draw < draws; ++draw) {
    loss_and_gradient(settings, support::draw_regularizer(settings, z.cols(), engine), z, gradient,
                      threads);
    squares += gradient.cast<double>().squaredNorm() / draws;
    mean += gradient / static_cast<float>(draws);
  }
  const double square_of_mean = mean.cast<double>().squaredNorm();
  const double variance = (squares - square_of_mean) * draws / (draws - 1);
  return std::sqrt(std::max(0.0, variance) / std::max(square_of_mean - variance / draws, 1e-300));
}

/// What can be read from features: of a linear probe on standardized ones, and by neighbours.
struct Readout {
  double linear = 0;      ///< accuracy on held-out images
  double neighbours = 0;  ///< the same
  /// Of the linear probe on a fifth of the training images, by which its penalty, and the weights
  /// of a grid, are chosen.
  double validation = 0;
};

inline Readout read_out(const Matrix& training_features, const std::vector<int>& labels,
                        const Matrix& held_out_features, const std::vector<int>& held_out_labels,
                        int threads) {
  const Matrix train = support::standardized(training_features, training_features);
  const Matrix test = support::standardized(held_out_features, training_features);
  const Index kept = train.rows() / 5 * 4;
  const std::vector<int> first(labels.begin(), labels.begin() + kept);
  const std::vector<int> rest(labels.begin() + kept, labels.end());
  Readout result;
  float penalty = 0;
  for (const float each : {0.3F, 0.03F, 0.003F}) {
    const double accuracy = support::ridge_accuracy(
        train.topRows(kept), first, train.bottomRows(train.rows() - kept), rest, each);
    if (accuracy <= result.validation) continue;
    result.validation = accuracy;
    penalty = each;
  }
  result.linear = support::ridge_accuracy(train, labels, test, held_out_labels, penalty);
  result.neighbours = nearest_neighbour_accuracy(train, labels, test, held_out_labels, threads);
  return result;
}

/// The first training images, as many as the probe is trained with.
inline support::LabelledImages probe_images(const ImageSets& sets) {
  constexpr Index most = 10000;
  return support::slice(sets.training, 0, std::min(most, sets.training.images.rows()));
}

/// Of the encoder's features.
inline Readout read_out(Model& model, const ImageSets& sets, int threads) {
  const support::LabelledImages labelled = probe_images(sets);
  const Matrix train = model.encoder.forward(labelled.images, Mode::evaluation, threads);
  const Matrix test = model.encoder.forward(sets.held_out.images, Mode::evaluation, threads);
  return read_out(train, labelled.labels, test, sets.held_out.labels, threads);
}

/// Of the projector's output for held-out images.
inline Decorrelation held_out_decorrelation(Model& model, const ImageSets& sets, Index most_images,
                                            int threads) {
  const Index images = std::min(most_images, sets.held_out.images.rows());
  return decorrelation(model.project(sets.held_out.images.topRows(images), threads), threads);
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_EVALUATION_HPP_
