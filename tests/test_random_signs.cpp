// With random signs and exponent 2 the relaxed regularizer is an unbiased estimate of the exact
// one.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace test_random_signs {

namespace {

using namespace decorr_tests;
using decorr::CovarianceScaling;
using Matrix = RowMajor<double>;

struct Result {
  explicit Result(const Matrix& like)
      : grad_a(Matrix::Zero(like.rows(), like.cols())), grad_b(grad_a) {}
  double value = 0;
  Matrix grad_a, grad_b;
};

// Bit j is the sign of feature j.
std::vector<std::int8_t> signs_from_bits(unsigned bits, Index d) {
  std::vector<std::int8_t> signs;
  for (Index j = 0; j < d; ++j) {
    signs.push_back(static_cast<std::int8_t>((bits >> j) % 2 == 1 ? 1 : -1));
  }
  return signs;
}

// The mean of evaluate(regularizer), a Result, over all signs of both views.
template <class Evaluate>
Result mean_over_all_signs(const Evaluate& evaluate, decorr::Relaxed relaxed, const Matrix& like) {
  const Index d = like.cols();
  const unsigned count = 1u << d;
  Result mean(like);
  for (unsigned bits_a = 0; bits_a < count; ++bits_a) {
    for (unsigned bits_b = 0; bits_b < count; ++bits_b) {
      relaxed.signs_a = signs_from_bits(bits_a, d);
      relaxed.signs_b = signs_from_bits(bits_b, d);
      const Result one = evaluate(Regularizer(relaxed));
      mean.value += one.value;
      mean.grad_a += one.grad_a;
      mean.grad_b += one.grad_b;
    }
  }
  const double draws = static_cast<double>(count) * count;
  mean.value /= draws;
  mean.grad_a /= draws;
  mean.grad_b /= draws;
  return mean;
}

// Every block size with and without a permutation, exponent 2, no signs yet.
std::vector<decorr::Relaxed> unsigned_regularizers(Index d) {
  std::vector<decorr::Relaxed> result;
  for (const auto& relaxed : relaxed_regularizers(d, 1)) {
    if (relaxed.exponent == 2 && relaxed.signs_a.empty()) {
      result.push_back(relaxed);
    }
  }
  return result;
}

// evaluate(a, b, regularizer) gives a Result, definition(a, b) the exact value.
template <class Evaluate, class Definition>
void check_mean_over_all_signs(const Evaluate& evaluate, const Definition& definition) {
  for (const Index d : {1, 2, 3, 4}) {
    const auto views = random_views<Matrix>(5, d, 1);
    const Matrix &a = views.first, &b = views.second;
    const auto evaluate_here = [&](const Regularizer& regularizer) {
      return evaluate(a, b, regularizer);
    };
    const Result exact = evaluate_here(decorr::Exact{});
    const Real value = definition(a.template cast<Real>(), b.template cast<Real>());
    for (const auto& relaxed : unsigned_regularizers(d)) {
      CAPTURE(d);
      CAPTURE(describe(relaxed));
      const Result mean = mean_over_all_signs(evaluate_here, relaxed, a);
      CHECK(relative_error(mean.value, value) < 1e-12);
      CHECK(relative_error(mean.grad_a, exact.grad_a) < 1e-12);
      CHECK(relative_error(mean.grad_b, exact.grad_b) < 1e-12);
    }
  }
}

struct Statistics {
  explicit Statistics(const std::vector<double>& draws) {
    const auto count = static_cast<double>(draws.size());
    for (const double draw : draws) {
      mean += draw / count;
    }
    double squares = 0;
    for (const double draw : draws) {
      squares += (draw - mean) * (draw - mean);
    }
    deviation = std::sqrt(squares / (count - 1));
    standard_error = deviation / std::sqrt(count);
  }
  double mean = 0, deviation = 0, standard_error = 0;
};

// value(relaxed) over independent signs of both views.
template <class Value>
Statistics draw_signs(const Value& value, decorr::Relaxed relaxed, Index d, int count) {
  std::mt19937_64 generator(20230103);
  std::vector<double> draws;
  for (int draw = 0; draw < count; ++draw) {
    relaxed.signs_a = decorr::random_signs(d, generator);
    relaxed.signs_b = decorr::random_signs(d, generator);
    draws.push_back(value(relaxed));
  }
  return Statistics(draws);
}

// On correlated features, where the plain relaxed value is far from the exact one.
template <class Value>
void check_mean_over_draws(const Value& value, const decorr::Relaxed& relaxed, Index d,
                           Real exact_value) {
  CAPTURE(d);
  CAPTURE(describe(relaxed));
  const auto exact = static_cast<double>(exact_value);
  const Statistics statistics = draw_signs(value, relaxed, d, 5000);
  CHECK(std::abs(statistics.mean - exact) < 4 * statistics.standard_error);
  // The check above means something only if the error is small, and the plain value outside.
  CHECK(statistics.standard_error < 0.02 * exact);
  CHECK(std::abs(value(relaxed) - exact) > 10 * statistics.standard_error);
}

decorr::Relaxed with_block_size(Index block_size) {
  decorr::Relaxed relaxed;
  relaxed.block_size = block_size;
  return relaxed;
}

decorr::VicregOptions covariance_only() {
  decorr::VicregOptions options;
  options.invariance = options.variance = 0;
  return options;
}

double covariance_term(const Matrix& z, const decorr::Relaxed& relaxed) {
  return decorr::variance_covariance_loss(z, covariance_only(), relaxed, quick()).covariance;
}

}  // namespace

TEST_CASE("the mean of r_sum over all signs is r_off, gradients included") {
  check_mean_over_all_signs(
      [](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
        Result result(a);
        result.value =
            cross_correlation_regularizer(regularizer, a, b, result.grad_a, result.grad_b);
        return result;
      },
      [](const RealMatrix& a, const RealMatrix& b) {
        return naive::cross_correlation_regularizer(a, b, decorr::Exact{});
      });
}

TEST_CASE("the mean of barlow_twins_loss over all signs is the exact loss, gradients included") {
  const auto options = balanced_barlow_twins_options(true, 5);
  check_mean_over_all_signs(
      [&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
        Result result(a);
        result.value =
            barlow_twins_loss(regularizer, a, b, result.grad_a, result.grad_b, options).value;
        return result;
      },
      [&](const RealMatrix& a, const RealMatrix& b) {
        return naive::barlow_twins_loss(a, b, options, decorr::Exact{}).value;
      });
}

TEST_CASE("the mean of vicreg_loss over all signs is the exact loss, gradients included") {
  const auto options = balanced_vicreg_options(false, CovarianceScaling::per_dimension);
  check_mean_over_all_signs(
      [&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
        Result result(a);
        result.value = vicreg_loss(regularizer, a, b, result.grad_a, result.grad_b, options).value;
        return result;
      },
      [&](const RealMatrix& a, const RealMatrix& b) {
        return naive::vicreg_loss(a, b, options, decorr::Exact{}).value;
      });
}

TEST_CASE("the mean of the covariance term over all signs is the exact one, gradient included") {
  check_mean_over_all_signs(
      [](const Matrix& a, const Matrix&, const Regularizer& regularizer) {
        Result result(a);
        result.value =
            variance_covariance_loss(regularizer, a, result.grad_a, covariance_only()).covariance;
        return result;
      },
      [](const RealMatrix& a, const RealMatrix&) {
        return naive::variance_covariance_loss(a, covariance_only(), decorr::Exact{}).covariance;
      });
}

TEST_CASE("the mean of r_sum over random signs is r_off within its standard error") {
  for (const Index d : {15, 16}) {
    const auto views = random_views<Matrix>(64, d, 2);
    const Matrix &a = views.first, &b = views.second;
    const Real exact =
        naive::cross_correlation_regularizer(a.cast<Real>(), b.cast<Real>(), decorr::Exact{});
    for (const Index block_size : {0, 4, 5}) {
      check_mean_over_draws(
          [&](const decorr::Relaxed& relaxed) { return decorr::r_sum(a, b, relaxed, quick()); },
          with_block_size(block_size), d, exact);
    }
  }
}

TEST_CASE("the mean of the covariance term over random signs is exact within its standard error") {
  for (const Index d : {15, 16}) {
    const Matrix z = random_views<Matrix>(64, d, 2).first;
    const Real exact =
        naive::variance_covariance_loss(z.cast<Real>(), covariance_only(), decorr::Exact{})
            .covariance;
    for (const Index block_size : {0, 4, 5}) {
      check_mean_over_draws(
          [&](const decorr::Relaxed& relaxed) { return covariance_term(z, relaxed); },
          with_block_size(block_size), d, exact);
    }
  }
}

TEST_CASE("the noise of random signs is sqrt(2 / (d G)), for a covariance sqrt(4 / (d G))") {
  const Index d = 64;
  // Independent features and few samples spread the energy evenly over the lags.
  const auto a = random_matrix<Matrix>(8, d, 1), b = random_matrix<Matrix>(8, d, 2);
  for (const Index block_size : {64, 16, 4}) {
    CAPTURE(block_size);
    const Index blocks = d / block_size;
    const auto numbers = static_cast<double>(d * blocks);
    const auto relaxed = with_block_size(block_size);
    const auto check = [&](const Statistics& statistics, double predicted) {
      const double relative = statistics.deviation / statistics.mean;
      CHECK(relative > predicted / 2);
      CHECK(relative < predicted * 2);
    };
    check(draw_signs([&](const auto& drawn) { return decorr::r_sum(a, b, drawn, quick()); },
                     relaxed, d, 400),
          std::sqrt(2 / numbers));
    check(draw_signs([&](const auto& drawn) { return covariance_term(a, drawn); }, relaxed, d, 400),
          std::sqrt(4 / numbers));
  }
}

}  // namespace test_random_signs
