// The short form of the study: the signs of what docs/evidence.md claims, on the bundled digits.

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "estimator.hpp"
#include "evaluation.hpp"
#include "training.hpp"

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): what is tested

TrainingSettings settings_of(const std::string& randomization, const std::string& loss,
                             std::uint64_t seed) {
  TrainingSettings settings;
  settings.randomization = randomization;
  settings.loss = loss;
  settings.seed = seed;
  settings.dimension = 512;
  settings.batch_size = 256;
  settings.encoder_width = 128;
  settings.features = 64;
  settings.projector_width = 128;
  settings.steps = 80;
  return settings;
}

/// Signs estimate R_off, value and gradient, without bias. The mean of so many draws is within four
/// of its standard errors of R_off with a probability of 0.99994 if that is true, so that with the
/// few moments and the fixed seeds here a failure is a fault, and a bias of a hundredth, a third of
/// the noise of a single draw, is seen.
void check_unbiased(const Embeddings& z) {
  const int draws = 300;
  const EstimatorStudy study(z, 2);
  for (const Index block_size : {0, 128}) {
    Estimator signs;
    signs.form.block_size = block_size;
    const Observation seen = study.observe(signs, draws, 1);
    CAPTURE(block_size);
    CHECK(seen.standard_error(draws) < 0.01);
    CHECK(std::abs(seen.mean - 1) < 4 * seen.standard_error(draws));
    CHECK(std::abs(seen.gradient_along - 1) < 4 * seen.gradient_along_error);
  }
}

TEST_CASE("signs' mean is R_off at every saved moment of a training") {
  const ImageSets sets = load_images("digits", 1200, 597);
  for (const char* loss : {"barlow_twins", "vicreg"}) {
    const TrainingSettings settings = settings_of("signs", loss, 0);
    Training training(settings, sets, 2);
    int moments = 0;
    run(training, {}, [&](Training& t) {
      const int step = t.steps_done();
      if (step != 0 && step != settings.steps / 2 && step != settings.steps) return;
      const Index n = 128;
      const Matrix views =
          two_views(sets, sets.held_out.images, nullptr, n, settings, Purpose::evaluation, 0, 2);
      const Matrix z = t.model().project(views, 2);
      CAPTURE(loss);
      CAPTURE(step);
      if (settings.loss == "vicreg") {
        check_unbiased(centred_view(z.topRows(n)));
      } else {
        check_unbiased(correlated_views(z.topRows(n), z.bottomRows(n)));
      }
      ++moments;
    });
    CHECK(moments == 3);
  }
}

TEST_CASE("plain ends with a larger R_off than signs and than permutation") {
  const ImageSets sets = load_images("digits", 1200, 597);
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    std::map<std::string, Decorrelation> reached;
    for (const char* randomization : {"none", "signs", "permutation"}) {
      Training training(settings_of(randomization, "barlow_twins", seed), sets, 2);
      run(training, {}, [](const Training&) {});
      reached[randomization] = decorrelation(training.model().project(sets.held_out.images, 2), 2);
    }
    CAPTURE(seed);
    const Decorrelation &plain = reached["none"], &signs = reached["signs"],
                        &permutation = reached["permutation"];
    MESSAGE("R_off per pair: plain " << plain.r_off_per_pair << ", signs " << signs.r_off_per_pair
                                     << ", permutation " << permutation.r_off_per_pair);
    // Not by a hair: it was twice as large when this was written.
    CHECK(plain.r_off_per_pair > 1.5 * signs.r_off_per_pair);
    CHECK(plain.r_off_per_pair > 1.5 * permutation.r_off_per_pair);
    // And it does not show in what it minimizes.
    CHECK(plain.r_sum_per_pair < signs.r_sum_per_pair);
  }
}

}  // namespace
