#ifndef DECORR_BENCH_REPRESENTATION_ESTIMATOR_HPP_
#define DECORR_BENCH_REPRESENTATION_ESTIMATOR_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "linear_probe.hpp"
#include "losses.hpp"
#include "random_numbers.hpp"
#include "storage.hpp"
#include "training.hpp"

/// @file
/// What the relaxed regularizer and its rivals say of R_off on given embeddings: bias and noise of
/// value and gradient over draws, beside the theory of docs/mathematics.md, and time.

namespace representation {

/// The sketch that recent work uses in place of a Fourier transform: |(C - diag C) S|^2 / k with S
/// normal, d x k. Its mean is R_off, for one view R_off of the covariance.
struct GaussianSketch {
  Matrix s;

  template <class Random>
  static GaussianSketch draw(Index dimension, Index width, Random& random) {
    return {Matrix::NullaryExpr(dimension, width, [&] { return random.normal(); })};
  }

  /// O(n d k). Gradients as in regularizer_and_gradient().
  double value_and_gradient(const Embeddings& z, Gradients& gradients) const {
    const Matrix &a = z.a, &b = z.two_views() ? z.b : z.a;
    const auto m = static_cast<float>(z.two_views() ? a.rows() : a.rows() - 1);
    const auto k = static_cast<float>(s.cols());
    const Eigen::RowVectorXf diagonal = a.cwiseProduct(b).colwise().sum() / m;
    const Matrix b_s = b * s;
    Matrix t = a.transpose() * b_s / m;
    t -= diagonal.transpose().asDiagonal() * s;
    // dR/dC is t s' off the diagonal; on it there is nothing to be seen of C.
    const Eigen::RowVectorXf on_diagonal = t.cwiseProduct(s).rowwise().sum().transpose();
    const float factor = 2 / (k * m);
    const Matrix grad_a = factor * (b_s * t.transpose() - b * on_diagonal.asDiagonal());
    const Matrix grad_b = factor * ((a * t) * s.transpose() - a * on_diagonal.asDiagonal());
    if (z.two_views()) {
      gradients.a = grad_a;
      gradients.b = grad_b;
    } else {
      gradients.a = grad_a + grad_b;
    }
    return t.cast<double>().squaredNorm() / static_cast<double>(k);
  }
};

/// One way to estimate R_off.
struct Estimator {
  std::string name;
  support::RegularizerForm form;
  Index sketch_width = 0;  ///< k; 0: no sketch, but the form
  int draws = 1;           ///< whose mean is one estimate
};

inline std::vector<Estimator> estimators_for(Index d) {
  const auto form = [](const char* randomization, Index block_size, int exponent) {
    support::RegularizerForm f;
    f.randomization = randomization;
    f.block_size = block_size;
    f.exponent = exponent;
    return f;
  };
  std::vector<Estimator> all = {{"plain", form("none", 0, 2)},
                                {"permutation", form("permutation", 0, 2)},
                                {"signs", form("signs", 0, 2)},
                                {"both", form("both", 0, 2)},
                                {"signs, 4 draws", form("signs", 0, 2), 0, 4}};
  for (const Index b : {512, 128}) {
    if (b >= d) continue;
    const std::string block = ", b = " + std::to_string(b);
    all.push_back({"permutation" + block, form("permutation", b, 2)});
    all.push_back({"signs" + block, form("signs", b, 2)});
  }
  all.push_back({"signs, q = 1", form("signs", 0, 1)});
  for (const Index k : {4, 16, 64}) {
    all.push_back({"Gaussian sketch, k = " + std::to_string(k), {}, k});
  }
  return all;
}

/// The energies v = sum of C_jl^2 of all lags of all blocks, lags 0 of diagonal blocks left out: by
/// them theory knows the noise of signs.
struct LagEnergies {
  double sum = 0, squares = 0, roots = 0;
  double count = 0;

  /// Relative standard deviation if the energies were equal, and for those that they are.
  double even_deviation(bool two_views) const { return std::sqrt((two_views ? 2 : 4) / count); }
  double deviation(bool two_views) const { return std::sqrt((two_views ? 2 : 4) * squares) / sum; }
};

inline LagEnergies lag_energies(const Embeddings& z, Index block_size, int threads) {
  const Matrix &a = z.a, &b = z.two_views() ? z.b : z.a;
  const Index d = a.cols(), width = block_size > 0 ? block_size : d;
  const Index blocks = (d + width - 1) / width;
  const auto m = static_cast<float>(z.two_views() ? a.rows() : a.rows() - 1);
  Eigen::MatrixXd energies = Eigen::MatrixXd::Zero(width, blocks * blocks);
  for_each_range(blocks, 1, threads, [&](Index g, Index) {
    const Index rows = std::min(width, d - g * width);
    const Matrix c = a.middleCols(g * width, rows).transpose() * b / m;
    for (Index j = 0; j < rows; ++j) {
      for (Index l = 0; l < d; ++l) {
        const Index lag = (l % width - j + width) % width;
        energies(lag, g * blocks + l / width) += static_cast<double>(c(j, l)) * c(j, l);
      }
    }
  });
  for (Index g = 0; g < blocks; ++g) energies(0, g * blocks + g) = 0;
  LagEnergies result;
  result.sum = energies.sum();
  result.squares = energies.squaredNorm();
  result.roots = energies.cwiseSqrt().sum();
  result.count = static_cast<double>(d) * static_cast<double>(blocks);
  return result;
}

/// Mean and deviation over draws, all relative to the exact value or to the exact gradient's norm.
struct Observation {
  double mean = 0, deviation = 0;
  /// The mean gradient's distance from the exact one, less what so many draws leave of the noise.
  double gradient_bias = 0;
  double gradient_noise = 0;
  /// The mean gradient's component along the exact one, 1 without bias, and its standard error.
  double gradient_along = 0, gradient_along_error = 0;
  double milliseconds = 0;  ///< the median of one estimate, value and gradient, one thread

  double standard_error(int count) const { return deviation / std::sqrt(count); }
};

class EstimatorStudy {
 public:
  /// Embeddings are standardized for a correlation, centred for a covariance.
  EstimatorStudy(Embeddings z, int threads) : z_(std::move(z)), threads_(threads) {
    exact_gradient_ = sized_gradients();
    exact_ = regularizer_and_gradient(z_, decorr::Regularizer(), exact_gradient_, threads_);
  }

  double exact() const { return exact_; }
  const Embeddings& embeddings() const { return z_; }

  Observation observe(const Estimator& estimator, int count, std::uint64_t seed) const {
    support::RandomNumbersOf<support::SplitMix64> random{support::SplitMix64({seed, 1})};
    Gradients gradients = sized_gradients(), mean = sized_gradients();
    double values = 0, squares = 0, gradient_squares = 0, along = 0, along_squares = 0;
    const double scale = norm(exact_gradient_);
    std::vector<double> seconds;
    // Without random numbers every draw is the same.
    const bool is_fixed = estimator.sketch_width == 0 && estimator.form.randomization == "none";
    if (is_fixed) count = 3;
    for (int i = 0; i < count; ++i) {
      Stopwatch watch;
      const double value = estimate(estimator, random, gradients) / exact_;
      seconds.push_back(watch.lap());
      values += value / count;
      squares += value * value / count;
      gradient_squares += norm(gradients) / count;
      const double component = product(gradients, exact_gradient_) / scale;
      along += component / count;
      along_squares += component * component / count;
      add(gradients, 1.0F / static_cast<float>(count), mean);
    }
    Observation result;
    result.mean = values;
    result.gradient_along = along;
    if (!is_fixed) {
      result.deviation = std::sqrt(std::max(0.0, squares - values * values) * count / (count - 1));
      result.gradient_along_error =
          std::sqrt(std::max(0.0, along_squares - along * along) / (count - 1));
      const double noise = (gradient_squares - norm(mean)) * count / (count - 1);
      result.gradient_noise = std::sqrt(std::max(0.0, noise) / scale);
      add(exact_gradient_, -1, mean);
      result.gradient_bias = std::sqrt(std::max(0.0, norm(mean) - noise / count) / scale);
    } else {
      add(exact_gradient_, -1, mean);
      result.gradient_bias = std::sqrt(norm(mean) / scale);
    }
    std::nth_element(seconds.begin(), seconds.begin() + count / 2, seconds.end());
    result.milliseconds = 1000 * seconds[static_cast<std::size_t>(count / 2)];
    return result;
  }

 private:
  Gradients sized_gradients() const {
    return {Matrix::Zero(z_.a.rows(), z_.a.cols()), Matrix::Zero(z_.b.rows(), z_.b.cols())};
  }
  static double product(const Gradients& g, const Gradients& h) {
    double sum = g.a.cast<double>().cwiseProduct(h.a.cast<double>()).sum();
    if (g.b.size() > 0) sum += g.b.cast<double>().cwiseProduct(h.b.cast<double>()).sum();
    return sum;
  }
  static double norm(const Gradients& g) { return product(g, g); }
  static void add(const Gradients& g, float factor, Gradients& sum) {
    sum.a += factor * g.a;
    sum.b += factor * g.b;
  }

  /// One estimate, of as many draws as it takes.
  template <class Random>
  double estimate(const Estimator& estimator, Random& random, Gradients& gradients) const {
    const Index d = z_.a.cols();
    const auto draw = [&](Gradients& g) {
      if (estimator.sketch_width > 0) {
        return GaussianSketch::draw(d, estimator.sketch_width, random).value_and_gradient(z_, g);
      }
      return regularizer_and_gradient(
          z_, support::draw_regularizer(estimator.form, d, random.engine()), g, threads_);
    };
    if (estimator.draws == 1) return draw(gradients);
    Gradients one = sized_gradients();
    gradients = sized_gradients();
    double value = 0;
    for (int i = 0; i < estimator.draws; ++i) {
      value += draw(one) / estimator.draws;
      add(one, 1.0F / static_cast<float>(estimator.draws), gradients);
    }
    return value;
  }

  Embeddings z_;
  int threads_;
  double exact_ = 0;
  Gradients exact_gradient_;
};

/// The embeddings as the losses see them: of two views for Barlow Twins, of one for VICReg.
inline Embeddings correlated_views(const Matrix& a, const Matrix& b) {
  return {support::standardized(a, a), support::standardized(b, b)};
}
inline Embeddings centred_view(const Matrix& a) {
  return {a.rowwise() - a.colwise().mean().eval(), Matrix()};
}

/// A table's lines: every estimator on these embeddings.
inline Json study_estimators(const Embeddings& z, int count, std::uint64_t seed) {
  const EstimatorStudy study(z, 1);
  const Index d = z.a.cols();
  Json rows = Json::array();
  for (const Estimator& estimator : estimators_for(d)) {
    const Observation seen = study.observe(estimator, count, seed);
    Json row = {{"name", estimator.name},
                {"mean", seen.mean},
                {"standard_error", seen.standard_error(count)},
                {"deviation", seen.deviation},
                {"gradient_bias", seen.gradient_bias},
                {"gradient_noise", seen.gradient_noise},
                {"gradient_along", seen.gradient_along},
                {"gradient_along_error", seen.gradient_along_error},
                {"milliseconds", seen.milliseconds}};
    if (estimator.sketch_width == 0 && estimator.form.signs()) {
      const LagEnergies energies = lag_energies(z, estimator.form.block_size, 1);
      if (estimator.form.exponent == 2) {
        const double draws = std::sqrt(estimator.draws);
        row["even_deviation"] = energies.even_deviation(z.two_views()) / draws;
        row["predicted_deviation"] = energies.deviation(z.two_views()) / draws;
      } else {
        // A sum of many random signs is nearly normal: E|s| = sqrt(2 v / pi).
        row["predicted_mean"] = std::sqrt(2 / 3.14159265358979) * energies.roots / study.exact();
      }
    }
    rows.push_back(std::move(row));
  }
  return {{"exact", study.exact()},
          {"features", d},
          {"images", z.a.rows()},
          {"draws", count},
          {"estimators", rows}};
}

/// Embeddings that the plain relaxed regularizer finds decorrelated, and that are not.
enum class Adversary {
  /// Feature j is cos(t_j) u + sin(t_j) w of two uncorrelated u and w, with t_j = pi j^2 / d: rank
  /// 2
  /// instead of d. For even d every lag sum of C is zero, as the sequence exp(i t_j) is orthogonal
  /// to its cyclic shifts: Chu 1972, IEEE Transactions on Information Theory 18, 531-532.
  plane,
  /// All features are copies of one, with signs, so that every |C_jl| is 1. With the quadratic
  /// residues of a prime d = 4 k + 3 as signs every lag sum is -1, R_sum a d-th of R_off; less does
  /// no sequence of signs known but for d = 4.
  copies
};

/// The largest dimension up to `most` for which there is such a case.
inline Index adversarial_dimension(Adversary adversary, Index most) {
  if (adversary == Adversary::plane) return most / 2 * 2;
  const auto is_prime = [](Index d) {
    for (Index k = 2; k * k <= d; ++k) {
      if (d % k == 0) return false;
    }
    return d > 1;
  };
  while (most > 3 && (most % 4 != 3 || !is_prime(most))) --most;
  return most;
}

/// n samples; what the features are made of has the mean 0 and the variance 1, and is orthogonal.
inline Matrix adversarial_embeddings(Adversary adversary, Index n, Index d) {
  const double pi = 3.14159265358979323846;
  std::vector<double> angles(static_cast<std::size_t>(d));
  if (adversary == Adversary::plane) {
    for (Index j = 0; j < d; ++j) {
      angles[static_cast<std::size_t>(j)] =
          pi * static_cast<double>(j * j % (2 * d)) / static_cast<double>(d);
    }
  } else {
    // Angles of residues are 0, the others pi; 0 counts as a residue.
    angles.assign(static_cast<std::size_t>(d), pi);
    for (Index j = 0; j < d; ++j) angles[static_cast<std::size_t>(j * j % d)] = 0;
  }
  Matrix z(n, d);
  for (Index i = 0; i < n; ++i) {
    const double turn = 2 * pi * (static_cast<double>(i) + 0.25) / static_cast<double>(n);
    for (Index j = 0; j < d; ++j) {
      const double angle = angles[static_cast<std::size_t>(j)];
      z(i, j) = static_cast<float>(std::sqrt(2.0) * std::cos(turn - angle));
    }
  }
  return z;
}

/// Descends Barlow Twins' gradient from near there, without a network, and records R_off per pair.
/// Exactly there no gradient leads out of the few dimensions that the features have.
inline Json descend_from(const Matrix& view, const LossSettings& settings, int steps,
                         std::uint64_t seed) {
  const Index n = view.rows(), d = view.cols();
  Matrix z(2 * n, d), gradient(2 * n, d);
  support::RandomNumbersOf<support::SplitMix64> random{support::SplitMix64({seed, 2})};
  const float distance = 0.1F;
  z.topRows(n) = view + distance * Matrix::NullaryExpr(n, d, [&] { return random.normal(); });
  z.bottomRows(n) = z.topRows(n);
  Json curve = Json::array();
  const double pairs = static_cast<double>(d) * static_cast<double>(d - 1);
  for (int step = 0; step <= steps; ++step) {
    if (step % 10 == 0) {
      const Embeddings x = correlated_views(z.topRows(n), z.bottomRows(n));
      curve.push_back({{"step", step},
                       {"r_off_per_pair", regularizer_value(x, decorr::Regularizer(), 1) / pairs},
                       {"r_sum_per_pair", regularizer_value(x, decorr::Relaxed(), 1) / pairs}});
    }
    loss_and_gradient(settings, support::draw_regularizer(settings, d, random.engine()), z,
                      gradient, 1);
    // Gradient descent as it is: what makes steps of equal length of any gradient would make them
    // of rounding errors, too.
    const float rate = 2;
    z -= rate * gradient;
  }
  return curve;
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_ESTIMATOR_HPP_
