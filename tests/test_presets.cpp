// The published settings, number by number, and that each of them runs through its loss.
#include <doctest/doctest.h>

#include <cmath>
#include <decorr/decorr.hpp>
#include <random>
#include <stdexcept>
#include <type_traits>

#include "support/calls.hpp"
#include "support/random_matrices.hpp"

namespace test_presets {

namespace {

namespace presets = decorr::presets;
using decorr::BarlowTwinsOptions;
using decorr::CovarianceScaling;
using decorr::Exact;
using decorr::Relaxed;
using decorr::VicregOptions;
using decorr_tests::random_matrix;
using Eigen::Index;
using Matrix = Eigen::MatrixXf;

void check_options(const BarlowTwinsOptions& options, double lambda, double scale) {
  CHECK(options.lambda == lambda);
  CHECK(options.scale == scale);
  CHECK(options.epsilon == 1e-5);
  CHECK(options.standardize);
}

struct VicregNumbers {
  double invariance, variance, covariance, scale;
  bool sum_variance;
  CovarianceScaling covariance_scaling;
};

void check_options(const VicregOptions& options, const VicregNumbers& numbers) {
  CHECK(options.invariance == numbers.invariance);
  CHECK(options.variance == numbers.variance);
  CHECK(options.covariance == numbers.covariance);
  CHECK(options.scale == numbers.scale);
  CHECK(options.sum_variance == numbers.sum_variance);
  CHECK((options.covariance_scaling == numbers.covariance_scaling));
  CHECK(options.gamma == 1);
  CHECK(options.epsilon == 1e-4);
}

// A permutation drawn from a generator in the state `generator` was given in; no signs.
void check_permuted(const Relaxed& relaxed, int exponent, Index block_size, Index d,
                    std::mt19937 generator) {
  CHECK(relaxed.exponent == exponent);
  CHECK(relaxed.block_size == block_size);
  CHECK(relaxed.permutation == decorr::random_permutation(d, generator));
  CHECK(relaxed.signs_a.empty());
  CHECK(relaxed.signs_b.empty());
}

void check_signed(const Relaxed& relaxed, Index block_size, Index d, std::mt19937 generator) {
  CHECK(relaxed.exponent == 2);
  CHECK(relaxed.block_size == block_size);
  CHECK(relaxed.permutation.empty());
  CHECK(relaxed.signs_a == decorr::random_signs(d, generator));
  CHECK(relaxed.signs_b == decorr::random_signs(d, generator));
}

template <class Preset>
void check_runs(const Preset& preset, Index d) {
  const Matrix a = random_matrix<Matrix>(4, d, 1), b = random_matrix<Matrix>(4, d, 2);
  Matrix grad_a = Matrix::Zero(4, d), grad_b = grad_a;
  double value = 0;
  if constexpr (std::is_same<decltype(preset.options), BarlowTwinsOptions>::value) {
    value = decorr::barlow_twins_loss(a, b, grad_a, grad_b, preset.options, preset.regularizer,
                                      decorr_tests::quick())
                .value;
  } else {
    value = decorr::vicreg_loss(a, b, grad_a, grad_b, preset.options, preset.regularizer,
                                decorr_tests::quick())
                .value;
  }
  CHECK(std::isfinite(value));
  CHECK(value > 0);
  CHECK(grad_a.allFinite());
  CHECK(grad_a.norm() > 0);
  CHECK(grad_b.norm() > 0);
}

}  // namespace

TEST_CASE("the options' defaults are the published exact settings") {
  check_options(BarlowTwinsOptions(), 0.0051, 1);
  check_options(VicregOptions(), {25, 25, 1, 1, false, CovarianceScaling::per_dimension});
}

TEST_CASE("Barlow Twins, exact") {
  const presets::BarlowTwinsPreset<Exact> original = presets::barlow_twins_exact();
  check_options(original.options, 0.0051, 1);
  check_runs(original, 64);
  const auto large = presets::barlow_twins_exact_solo_learn_8192();
  check_options(large.options, 0.0051, 0.024);
  check_runs(large, 64);
  const auto small = presets::barlow_twins_exact_solo_learn_2048();
  check_options(small.options, 0.0051, 0.1);
  check_runs(small, 64);
}

TEST_CASE("Barlow Twins, relaxed") {
  for (const Index block_size : {Index{0}, Index{128}}) {
    std::mt19937 generator(1);
    const std::mt19937 before = generator;
    const auto large = presets::barlow_twins_relaxed_8192(generator, block_size);
    CHECK(generator != before);
    check_options(large.options, 0.0004883, 0.024);
    check_permuted(large.regularizer, 2, block_size, 8192, before);
    check_runs(large, 8192);

    const auto small = presets::barlow_twins_relaxed_2048(std::mt19937(2), block_size);
    check_options(small.options, 0.0009765625, 0.125);
    check_permuted(small.regularizer, 2, block_size, 2048, std::mt19937(2));
    check_runs(small, 2048);
  }
  CHECK(presets::barlow_twins_relaxed_2048(std::mt19937()).regularizer.block_size == 0);
  CHECK(presets::barlow_twins_relaxed_8192(std::mt19937()).regularizer.block_size == 0);
}

TEST_CASE("VICReg, exact") {
  const presets::VicregPreset<Exact> original = presets::vicreg_exact();
  check_options(original.options, {25, 25, 1, 1, false, CovarianceScaling::per_dimension});
  check_runs(original, 64);
  const auto solo_learn = presets::vicreg_exact_solo_learn();
  check_options(solo_learn.options, {25, 25, 1, 1, true, CovarianceScaling::per_dimension});
  check_runs(solo_learn, 64);
}

TEST_CASE("VICReg, relaxed") {
  const auto large = presets::vicreg_relaxed_8192(std::mt19937(3));
  check_options(large.options, {2.5, 2.5, 0.1, 1, true, CovarianceScaling::block_mean});
  check_permuted(large.regularizer, 1, 0, 8192, std::mt19937(3));
  check_runs(large, 8192);

  const auto small = presets::vicreg_relaxed_2048(std::mt19937(4));
  check_options(small.options, {25, 25, 1, 0.25, true, CovarianceScaling::block_mean});
  check_permuted(small.regularizer, 1, 0, 2048, std::mt19937(4));
  check_runs(small, 2048);

  const auto grouped = presets::vicreg_relaxed_2048(std::mt19937(5), 128);
  check_options(grouped.options, {25, 25, 2, 0.25, true, CovarianceScaling::block_mean});
  check_permuted(grouped.regularizer, 1, 128, 2048, std::mt19937(5));
  check_runs(grouped, 2048);
}

TEST_CASE("random signs with the exact weights, for any dimension") {
  for (const Index block_size : {Index{0}, Index{16}}) {
    const auto barlow_twins = presets::barlow_twins_random_signs(100, std::mt19937(6), block_size);
    check_options(barlow_twins.options, 0.0051, 1);
    check_signed(barlow_twins.regularizer, block_size, 100, std::mt19937(6));
    check_runs(barlow_twins, 100);

    const auto vicreg = presets::vicreg_random_signs(100, std::mt19937(7), block_size);
    check_options(vicreg.options, {25, 25, 1, 1, false, CovarianceScaling::per_dimension});
    check_signed(vicreg.regularizer, block_size, 100, std::mt19937(7));
    check_runs(vicreg, 100);
  }
}

TEST_CASE("recommended: exact for small batches and few features, else signs in blocks") {
  std::mt19937 generator(8);
  const std::mt19937 before = generator;
  CHECK(presets::recommended(32, 8192, generator).relaxed() == nullptr);
  CHECK(presets::recommended(1, 1, generator).relaxed() == nullptr);
  CHECK(presets::recommended(100000, 32, generator).relaxed() == nullptr);
  CHECK(generator == before);  // nothing was drawn
  struct Rule {
    Index d, block_size;
  };
  for (const Rule& rule : {Rule{33, 0},
                           {512, 0},
                           {513, 256},
                           {1000, 256},
                           {2047, 256},
                           {2048, 512},
                           {5000, 512},
                           {8192, 512},
                           {8193, 1024},
                           {10007, 1024},
                           {16384, 1024},
                           {16385, 2048},
                           {100352, 8192}}) {
    CAPTURE(rule.d);
    CHECK(presets::recommended_block_size(rule.d) == rule.block_size);
    const decorr::Regularizer regularizer =
        presets::recommended(33, rule.d, std::mt19937(static_cast<unsigned>(rule.d)));
    REQUIRE(regularizer.relaxed() != nullptr);
    check_signed(*regularizer.relaxed(), rule.block_size, rule.d,
                 std::mt19937(static_cast<unsigned>(rule.d)));
  }
}

// A choice that is nobody's but the call's, and one that is kept and copied, are the same; and the
// mean of draws is the exact loss.
TEST_CASE("recommended: as an argument of all losses, with their default options") {
  using MatrixXd = Eigen::MatrixXd;
  constexpr Index n = 40, d = 600;
  constexpr int draws = 200;
  const auto a = random_matrix<MatrixXd>(n, d, 1);
  const MatrixXd b = a + random_matrix<MatrixXd>(n, d, 2);
  const auto execution = decorr_tests::quick();
  const decorr::Regularizer kept = presets::recommended(n, d, std::mt19937(4));
  const decorr::Regularizer copied = kept;  // NOLINT(performance-unnecessary-copy-initialization)
  const auto value_of = [&](const auto& loss) {
    const double value = loss(presets::recommended(n, d, std::mt19937(4)));
    CHECK(value == loss(copied));
    const double exact = loss(Exact());
    CHECK(exact == loss(presets::recommended(32, d, std::mt19937(4))));
    std::mt19937 generator(5);
    double sum = 0, squares = 0;
    for (int i = 0; i < draws; ++i) {
      const double deviation = loss(presets::recommended(n, d, generator)) - exact;
      sum += deviation;
      squares += deviation * deviation;
    }
    CHECK(std::abs(sum / draws) < 4 * std::sqrt(squares) / draws);
    return std::sqrt(squares / draws) / exact;
  };
  MatrixXd grad_a(n, d), grad_b(n, d);
  const double barlow_twins = value_of([&](const decorr::Regularizer& regularizer) {
    return decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, regularizer, execution).off_diagonal;
  });
  const double vicreg = value_of([&](const decorr::Regularizer& regularizer) {
    return decorr::vicreg_loss(a, b, grad_a, grad_b, {}, regularizer, execution).covariance;
  });
  const double covariance = value_of([&](const decorr::Regularizer& regularizer) {
    return decorr::variance_covariance_loss(a, grad_a, {}, regularizer, execution).covariance;
  });
  // Of the documented sqrt(2 / (d G)) and sqrt(4 / (d G)), G = d / b, which are those of lags of
  // equal energy; vicreg's are two views' of independent draws.
  const double even = std::sqrt(256.0) / d;
  CHECK(barlow_twins / (std::sqrt(2.0) * even) == doctest::Approx(1).epsilon(0.5));
  CHECK(covariance / (2 * even) == doctest::Approx(1).epsilon(0.5));
  CHECK(vicreg / (std::sqrt(2.0) * even) == doctest::Approx(1).epsilon(0.5));
}

TEST_CASE("what does not fit is reported") {
  std::mt19937 generator;
  const std::mt19937 before = generator;
  CHECK_THROWS_WITH_AS(presets::recommended(0, 5, generator),
                       "recommended: n is 0, expected at least 1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(presets::recommended(5, -1, generator),
                       "recommended: d is -1, expected at least 1", std::invalid_argument);
  CHECK(generator == before);
  CHECK_THROWS_WITH_AS(presets::barlow_twins_random_signs(0, std::mt19937()),
                       "random_signs: d is 0, expected at least 1", std::invalid_argument);
  const auto preset = presets::vicreg_relaxed_2048(std::mt19937(), 4096);
  const Matrix z = random_matrix<Matrix>(4, 2048, 1);
  CHECK_THROWS_WITH_AS(
      decorr::vicreg_loss(z, z, preset.options, preset.regularizer),
      "vicreg_loss: block_size is 4096, expected 0 to 2048, the number of features",
      std::invalid_argument);
}

}  // namespace test_presets
