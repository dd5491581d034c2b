// The study's own arithmetic: the sketch, the energies of lags, the cases that plain does not see.

#include "estimator.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): what is tested
using Random = support::RandomNumbersOf<support::SplitMix64>;

Matrix random_matrix(Index rows, Index cols, Random& random) {
  return Matrix::NullaryExpr(rows, cols, [&] { return random.normal(); });
}

Embeddings random_embeddings(bool two_views, Index d) {
  Random random(21);
  const Index n = 40;
  // Neighbours share what they are made of, so that C has more than noise off its diagonal.
  Matrix a = random_matrix(n, d, random), b = random_matrix(n, d, random);
  for (Index j = 1; j < d; ++j) {
    a.col(j) = 0.6F * a.col(j - 1) + 0.8F * a.col(j);
    b.col(j) = a.col(j) + 0.5F * b.col(j);
  }
  return two_views ? correlated_views(a, b) : centred_view(a);
}

TEST_CASE("the Gaussian sketch estimates R_off without bias, and its gradient is its derivative") {
  for (const bool two_views : {true, false}) {
    const Embeddings z = random_embeddings(two_views, 12);
    const double exact = regularizer_value(z, decorr::Regularizer(), 1);
    Random random(22);
    Gradients gradients{z.a, z.b};
    double sum = 0, squares = 0;
    const int draws = 4000;
    for (int i = 0; i < draws; ++i) {
      const double ratio =
          GaussianSketch::draw(12, 4, random).value_and_gradient(z, gradients) / exact;
      sum += ratio / draws;
      squares += ratio * ratio / draws;
    }
    // Beyond four standard errors is one seed of 16,000, and this one is fixed.
    CHECK(std::abs(sum - 1) < 4 * std::sqrt((squares - sum * sum) / draws));

    const GaussianSketch sketch = GaussianSketch::draw(12, 4, random);
    sketch.value_and_gradient(z, gradients);
    const Matrix direction_a = random_matrix(40, 12, random);
    const Matrix direction_b = random_matrix(40, 12, random);
    const auto value_at = [&](float step) {
      Embeddings moved{z.a + step * direction_a, Matrix()};
      if (two_views) moved.b = z.b + step * direction_b;
      Gradients unused;
      return sketch.value_and_gradient(moved, unused);
    };
    double slope = gradients.a.cwiseProduct(direction_a).sum();
    if (two_views) slope += gradients.b.cwiseProduct(direction_b).sum();
    // In float: rounding over the step, 1e-7 / 1e-2, and the step's square.
    CHECK(slope == doctest::Approx((value_at(0.01F) - value_at(-0.01F)) / 0.02).epsilon(2e-3));
  }
}

TEST_CASE("energies of lags are R_off, and predict mean and noise of signs") {
  for (const bool two_views : {true, false}) {
    const Embeddings z = random_embeddings(two_views, 96);
    const EstimatorStudy study(z, 1);
    for (const Index b : {0, 32, 40}) {
      const LagEnergies energies = lag_energies(z, b, 2);
      CHECK(energies.sum == doctest::Approx(study.exact()).epsilon(1e-4));
      Estimator signs;
      signs.form.block_size = b;
      const int draws = 1500;
      const Observation seen = study.observe(signs, draws, 5);
      CHECK(std::abs(seen.mean - 1) < 4 * seen.standard_error(draws));
      CHECK(std::abs(seen.gradient_along - 1) < 4 * seen.gradient_along_error);
      // Of neighbours that are alike a few lags have most of the energy: the even spread says too
      // little, and the energies, which leave out fourth powers, what is right up to a third.
      CHECK(seen.deviation > 1.2 * energies.even_deviation(two_views));
      CHECK(seen.deviation == doctest::Approx(energies.deviation(two_views)).epsilon(0.35));
    }
  }
}

TEST_CASE("q = 1 under signs estimates the roots of the lags' energies") {
  const Embeddings z = random_embeddings(true, 96);
  const Json study = study_estimators(z, 400, 3);
  bool found = false;
  for (const Json& row : study.at("estimators")) {
    if (row.at("name") != "signs, q = 1") continue;
    found = true;
    CHECK(row.at("mean").get<double>() ==
          doctest::Approx(row.at("predicted_mean").get<double>()).epsilon(0.05));
  }
  CHECK(found);
}

TEST_CASE("fully correlated features that the plain relaxed form does not see") {
  for (const Adversary adversary : {Adversary::plane, Adversary::copies}) {
    const Index d = adversarial_dimension(adversary, 120);
    CHECK(d == (adversary == Adversary::plane ? 120 : 107));
    const Matrix view = adversarial_embeddings(adversary, 64, d);
    const Embeddings z = correlated_views(view, view);
    const double pairs = static_cast<double>(d * (d - 1));
    const double exact = regularizer_value(z, decorr::Regularizer(), 1) / pairs;
    const double plain = regularizer_value(z, decorr::Relaxed(), 1) / pairs;
    if (adversary == Adversary::plane) {
      CHECK(exact == doctest::Approx(0.5).epsilon(0.02));
      CHECK(plain < 1e-9);
    } else {
      CHECK(exact == doctest::Approx(1).epsilon(1e-4));
      CHECK(plain == doctest::Approx(1.0 / static_cast<double>(d)).epsilon(0.01));
    }
    const EstimatorStudy study(z, 1);
    const int draws = 300;
    Estimator signs;
    const Observation seen = study.observe(signs, draws, 1);
    CHECK(std::abs(seen.mean - 1) < 4 * seen.standard_error(draws));
  }
}

}  // namespace
