// Values and whole gradients of shapes beyond every block of rows, features and blocks that the
// library works in, against the definitions differentiated by hand, in double, through the d x d
// matrix.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/random_matrices.hpp"

namespace test_large_shapes {

namespace {

using namespace decorr_tests;
using Eigen::MatrixXd;
using Eigen::RowVectorXd;

// A function of a matrix C: its value, and its derivatives by C's elements.
struct Slopes {
  double value = 0;
  MatrixXd by_c;
};

Slopes r_off_of(const MatrixXd& c) {
  MatrixXd off_diagonal = c;
  off_diagonal.diagonal().setZero();
  return {off_diagonal.squaredNorm(), 2 * off_diagonal};
}

// Of C as it is permuted, signed and padded, block by block and lag by lag.
Slopes r_sum_of(const MatrixXd& c, const decorr::Relaxed& relaxed, bool is_covariance) {
  const Index d = c.rows(), b = relaxed.block_size == 0 ? d : relaxed.block_size;
  const Index blocks = (d + b - 1) / b;
  const auto& signs_b = is_covariance ? relaxed.signs_a : relaxed.signs_b;
  const auto feature = [&](Index j) {
    return relaxed.permutation.empty() ? j : relaxed.permutation[static_cast<std::size_t>(j)];
  };
  const auto sign = [](const std::vector<std::int8_t>& signs, Index j) {
    return signs.empty() ? 1.0 : signs[static_cast<std::size_t>(j)];
  };
  Slopes result{0, MatrixXd::Zero(d, d)};
  for (Index g = 0; g < blocks; ++g) {
    for (Index h = 0; h < blocks; ++h) {
      for (Index lag = g == h ? 1 : 0; lag < b; ++lag) {
        double sum = 0;
        const auto for_each = [&](const auto& visit) {
          for (Index j = 0; j < b; ++j) {
            const Index row = g * b + j, column = h * b + (j + lag) % b;
            if (row >= d || column >= d) continue;
            const Index p = feature(row), q = feature(column);
            visit(p, q, sign(relaxed.signs_a, p) * sign(signs_b, q));
          }
        };
        for_each([&](Index p, Index q, double s) { sum += s * c(p, q); });
        const bool is_half = is_covariance && !signs_b.empty() && g == h && 2 * lag == b;
        const double weight = is_half ? 0.5 : 1;
        const bool squares = relaxed.exponent == 2;
        result.value += weight * (squares ? sum * sum : std::abs(sum));
        const double slope = weight * (squares ? 2 * sum : (sum > 0 ? 1 : -1));
        for_each([&](Index p, Index q, double s) { result.by_c(p, q) += slope * s; });
      }
    }
  }
  return result;
}

Slopes regularizer_of(const MatrixXd& c, const Regularizer& regularizer, bool is_covariance) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  return relaxed == nullptr ? r_off_of(c) : r_sum_of(c, *relaxed, is_covariance);
}

// The terms of a loss in the order of their members, and the gradients.
struct Definition {
  std::vector<double> terms;
  MatrixXd grad_a, grad_b;
};

Definition cross_correlation_regularizer_of(const MatrixXd& a, const MatrixXd& b,
                                            const Regularizer& regularizer) {
  const auto n = static_cast<double>(a.rows());
  const Slopes slopes = regularizer_of(a.transpose() * b / n, regularizer, false);
  return {{slopes.value}, b * slopes.by_c.transpose() / n, a * slopes.by_c / n};
}

struct Standardized {
  Standardized(const MatrixXd& z, double epsilon) : view(z.rowwise() - z.colwise().mean()) {
    deviations = (view.colwise().squaredNorm() / static_cast<double>(z.rows())).array() + epsilon;
    deviations = deviations.cwiseSqrt();
    view = view.array().rowwise() / deviations.array();
  }
  // Of the raw view, of that by the standardized one.
  MatrixXd gradient(const MatrixXd& by_view) const {
    const RowVectorXd along = by_view.cwiseProduct(view).colwise().mean();
    MatrixXd result = by_view.rowwise() - by_view.colwise().mean();
    result -= (view.array().rowwise() * along.array()).matrix();
    return result.array().rowwise() / deviations.array();
  }
  MatrixXd view;
  RowVectorXd deviations;
};

Definition barlow_twins_loss_of(const MatrixXd& z_a, const MatrixXd& z_b,
                                const decorr::BarlowTwinsOptions& options,
                                const Regularizer& regularizer) {
  const Standardized a(z_a, options.epsilon), b(z_b, options.epsilon);
  const MatrixXd& view_a = options.standardize ? a.view : z_a;
  const MatrixXd& view_b = options.standardize ? b.view : z_b;
  const auto n = static_cast<double>(z_a.rows());
  const MatrixXd c = view_a.transpose() * view_b / n;
  Slopes slopes = regularizer_of(c, regularizer, false);
  slopes.by_c *= options.lambda;
  const RowVectorXd missing = 1 - c.diagonal().transpose().array();
  slopes.by_c.diagonal() -= 2 * missing.transpose();
  slopes.by_c *= options.scale / n;
  const double diagonal = options.scale * missing.squaredNorm();
  const double off_diagonal = options.scale * options.lambda * slopes.value;
  const MatrixXd by_a = view_b * slopes.by_c.transpose(), by_b = view_a * slopes.by_c;
  return {{diagonal + off_diagonal, diagonal, off_diagonal},
          options.standardize ? a.gradient(by_a) : by_a,
          options.standardize ? b.gradient(by_b) : by_b};
}

// Both terms of one view, with weights, and their gradient.
Definition variance_covariance_of(const MatrixXd& z, const decorr::VicregOptions& options,
                                  const Regularizer& regularizer, double variance_weight) {
  const auto freedom = static_cast<double>(z.rows() - 1), d = static_cast<double>(z.cols());
  const MatrixXd centred = z.rowwise() - z.colwise().mean();
  const RowVectorXd deviations =
      (centred.colwise().squaredNorm().array() / freedom + options.epsilon).sqrt();
  const RowVectorXd missing = (options.gamma - deviations.array()).cwiseMax(0);
  const Slopes slopes = regularizer_of(centred.transpose() * centred / freedom, regularizer, true);
  const double weight = options.scale * variance_weight * options.variance / d;
  const RowVectorXd factors = (missing.array() > 0).cast<double>() / deviations.array();
  MatrixXd gradient = centred * (slopes.by_c + slopes.by_c.transpose()) *
                      (options.scale * options.covariance / d / freedom);
  gradient -= (centred.array().rowwise() * factors.array()).matrix() * (weight / freedom);
  return {{weight * missing.sum(), options.scale * options.covariance / d * slopes.value},
          gradient,
          {}};
}

// Regularizers take a view's own signs.
Regularizer of_view_b(const Regularizer& regularizer) {
  Regularizer result = regularizer;
  if (auto* relaxed = std::get_if<decorr::Relaxed>(&result)) {
    std::swap(relaxed->signs_a, relaxed->signs_b);
  }
  return result;
}

Definition vicreg_loss_of(const MatrixXd& z_a, const MatrixXd& z_b,
                          const decorr::VicregOptions& options, const Regularizer& regularizer) {
  const double share = options.sum_variance ? 1 : 0.5;
  const Definition a = variance_covariance_of(z_a, options, regularizer, share);
  const Definition b = variance_covariance_of(z_b, options, of_view_b(regularizer), share);
  const double weight =
      options.scale * options.invariance / static_cast<double>(z_a.rows() * z_a.cols());
  const MatrixXd difference = z_a - z_b;
  const double invariance = weight * difference.squaredNorm();
  const double variance = a.terms[0] + b.terms[0], covariance = a.terms[1] + b.terms[1];
  return {{invariance + variance + covariance, invariance, variance, covariance},
          a.grad_a + 2 * weight * difference,
          b.grad_a - 2 * weight * difference};
}

template <class Scalar>
constexpr double kTolerance = 1e-11;
template <>
constexpr double kTolerance<float> = 2e-5;

// A gradient's place in a matrix of twice as many columns, of which every second one is another's.
template <class Scalar>
class Gradient {
 public:
  Gradient(Index n, Index d, bool strided)
      : strided_(strided), matrix_(RowMajor<Scalar>::Constant(n, strided ? 2 * d : d, 7)) {}
  Eigen::Map<RowMajor<Scalar>, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> view() {
    const Index step = strided_ ? 2 : 1;
    return {matrix_.data(), matrix_.rows(), matrix_.cols() / step, {matrix_.cols(), step}};
  }
  void check(const MatrixXd& expected) {
    CHECK(relative_error(MatrixXd(view().template cast<double>()), expected) < kTolerance<Scalar>);
    if (strided_) {
      for (Index j = 1; j < matrix_.cols(); j += 2) {
        REQUIRE((matrix_.col(j).array() == 7).all());
      }
    }
  }

 private:
  bool strided_;
  RowMajor<Scalar> matrix_;
};

template <class Scalar>
void check_terms(const std::vector<Scalar>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(static_cast<double>(actual[i]) - expected[i]) <=
          kTolerance<Scalar> * std::abs(expected[i]));
  }
}

template <class Scalar>
void check(const Shape& shape, const Regularizer& regularizer, bool strided, int threads) {
  CAPTURE(shape.rows);
  CAPTURE(shape.cols);
  CAPTURE(describe(regularizer));
  CAPTURE(strided);
  CAPTURE(threads);
  const auto [a, b] = random_views<RowMajor<Scalar>>(shape.rows, shape.cols, 3);
  const MatrixXd real_a = a.template cast<double>(), real_b = b.template cast<double>();
  decorr::Execution execution = quick();
  execution.threads = threads;
  Gradient<Scalar> grad_a(shape.rows, shape.cols, strided), grad_b(shape.rows, shape.cols, strided);
  const auto compare = [&](const std::vector<Scalar>& terms, const Definition& expected) {
    check_terms(terms, expected.terms);
    grad_a.check(expected.grad_a);
    grad_b.check(expected.grad_b);
  };
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  const Scalar value = relaxed == nullptr
                           ? decorr::r_off(a, b, grad_a.view(), grad_b.view(), execution)
                           : decorr::r_sum(a, b, grad_a.view(), grad_b.view(), *relaxed, execution);
  compare({value}, cross_correlation_regularizer_of(real_a, real_b, regularizer));
  for (const bool standardize : {true, false}) {
    CAPTURE(standardize);
    const auto options = balanced_barlow_twins_options(standardize, shape.rows);
    const auto loss = decorr::barlow_twins_loss(a, b, grad_a.view(), grad_b.view(), options,
                                                argument(regularizer), execution);
    compare({loss.value, loss.diagonal, loss.off_diagonal},
            barlow_twins_loss_of(real_a, real_b, options, regularizer));
  }
  const auto options = balanced_vicreg_options(false, decorr::CovarianceScaling::per_dimension);
  const auto loss = decorr::vicreg_loss(a, b, grad_a.view(), grad_b.view(), options,
                                        argument(regularizer), execution);
  compare({loss.value, loss.invariance, loss.variance, loss.covariance},
          vicreg_loss_of(real_a, real_b, options, regularizer));
}

decorr::Relaxed drawn(Index d, Index block_size, int exponent) {
  std::mt19937_64 generator(11);
  decorr::Relaxed relaxed;
  relaxed.exponent = exponent;
  relaxed.block_size = block_size;
  relaxed.permutation = decorr::random_permutation(d, generator);
  relaxed.signs_a = decorr::random_signs(d, generator);
  relaxed.signs_b = decorr::random_signs(d, generator);
  return relaxed;
}

}  // namespace

// Chunks of 64 and 256 rows and tiles of 512 features, by both routes: C where n >= d, else the
// Gram matrices.
TEST_CASE("exact, beyond its chunks and tiles") {
  check<double>({260, 270}, decorr::Exact(), false, 1);
  check<double>({270, 260}, decorr::Exact(), true, 2);
  check<double>({520, 516}, decorr::Exact(), false, 2);
  check<float>({60, 530}, decorr::Exact(), true, 1);
}

// Strips of 1024 features, tiles of 16 rows and of 64, parts of 256.
TEST_CASE("a single block, beyond strips and tiles") {
  check<double>({300, 70}, drawn(70, 0, 2), true, 2);
  check<double>({70, 1100}, drawn(1100, 0, 2), true, 1);
  check<float>({20, 1100}, drawn(1100, 0, 2), false, 2);
  check<double>({20, 1100}, drawn(1100, 0, 1), true, 2);
  check<double>({270, 300}, decorr::Relaxed(), false, 1);
}

// Windows of 64 rows, chunks of rows whose products are taken together, and last blocks that are
// short; many blocks go through the samples' Gram matrices, 64 rows and 512 features at a time.
TEST_CASE("blocks, beyond windows, chunks and tiles") {
  check<double>({270, 260}, drawn(260, 64, 2), false, 2);
  check<double>({270, 200}, drawn(200, 72, 2), true, 1);
  check<double>({70, 1100}, drawn(1100, 512, 2), true, 2);
  check<float>({70, 300}, drawn(300, 128, 2), false, 1);
  check<double>({70, 300}, drawn(300, 128, 1), true, 1);
  check<double>({70, 600}, drawn(600, 8, 2), false, 2);
  check<double>({70, 600}, drawn(600, 7, 2), true, 1);
}

}  // namespace test_large_shapes
