// The backward passes against central differences, and the same numbers for any number of threads.

#include "network.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "evaluation.hpp"
#include "random_numbers.hpp"
#include "training.hpp"

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): what is tested
using Random = support::RandomNumbersOf<support::SplitMix64>;
using DoubleMatrix = MatrixOf<double>;

DoubleMatrix random_matrix(Index rows, Index cols, Random& random) {
  return DoubleMatrix::NullaryExpr(rows, cols, [&] { return double{random.normal()}; });
}

// Any function of the outputs has a gradient; this one's is `slopes`.
double weighted_sum(const DoubleMatrix& outputs, const DoubleMatrix& slopes) {
  return outputs.cwiseProduct(slopes).sum();
}

TEST_CASE("a network's backward pass is the derivative of its forward pass") {
  Random random(7);
  for (const bool ends_in_dense : {false, true}) {
    Network<double> network({6, 9, 5, 7}, ends_in_dense, true, random);
    // Gains of 1 and shifts of 0 would hide that they are forgotten.
    network.for_each_parameter([&](support::ParameterOf<double>& parameter) {
      parameter.value +=
          0.3 * random_matrix(parameter.value.rows(), parameter.value.cols(), random);
    });
    const DoubleMatrix input = random_matrix(12, 6, random);
    const DoubleMatrix slopes = random_matrix(12, 7, random);
    const auto value = [&](const DoubleMatrix& x) {
      return weighted_sum(network.forward(x, Mode::training, 1), slopes);
    };
    value(input);
    const DoubleMatrix grad_input = network.backward(slopes, 1);

    // Central differences are wrong by step^2, and by rounding over step: about 1e-10 each.
    const double step = 1e-5, tolerance = 1e-7;
    const DoubleMatrix direction = random_matrix(12, 6, random);
    const double expected =
        (value(input + step * direction) - value(input - step * direction)) / (2 * step);
    CHECK(grad_input.cwiseProduct(direction).sum() == doctest::Approx(expected).epsilon(tolerance));

    int parameters = 0;
    network.for_each_parameter([&](support::ParameterOf<double>& parameter) {
      const DoubleMatrix saved = parameter.value, gradient = parameter.gradient;
      const DoubleMatrix along = random_matrix(saved.rows(), saved.cols(), random);
      parameter.value = saved + step * along;
      const double after = value(input);
      parameter.value = saved - step * along;
      const double before = value(input);
      parameter.value = saved;
      CHECK(gradient.cwiseProduct(along).sum() ==
            doctest::Approx((after - before) / (2 * step)).epsilon(tolerance));
      ++parameters;
    });
    CHECK(parameters == (ends_in_dense ? 7 : 9));
  }
}

TEST_CASE("evaluation normalizes by the running moments") {
  const Index n = 8;
  Random random(3);
  NormalizedRectifier<double> layer(2);
  const DoubleMatrix x = random_matrix(n, 2, random);
  layer.forward(x, Mode::training, 1);
  const DoubleMatrix seen = layer.forward(x, Mode::evaluation, 1);
  for (Index j = 0; j < 2; ++j) {
    const double mean = x.col(j).mean();
    const double variance = (x.col(j).array() - mean).square().mean();
    const double running_mean = 0.1 * mean, running_variance = 0.9 + 0.1 * variance;
    for (Index i = 0; i < n; ++i) {
      const double expected = (x(i, j) - running_mean) / std::sqrt(running_variance + 1e-5);
      CHECK(seen(i, j) == doctest::Approx(std::max(0.0, expected)));
    }
  }
}

TEST_CASE("products are those of Eigen for any shape") {
  Random random(5);
  for (const auto& [rows, cols] : {std::pair<Index, Index>{300, 7}, {7, 300}, {1, 1}, {129, 257}}) {
    const DoubleMatrix left = random_matrix(rows, 20, random),
                       right = random_matrix(20, cols, random);
    DoubleMatrix result(rows, cols);
    multiply(left, right, result, 2);
    CHECK((result - left * right).cwiseAbs().maxCoeff() < 1e-12);
  }
}

TrainingSettings small_settings() {
  TrainingSettings settings;
  settings.dimension = 300;
  settings.batch_size = 100;
  settings.steps = 6;
  settings.block_size = 64;
  return settings;
}

/// All but the times.
Json state_of(Training& training) {
  Json state = Json::from_cbor(training.state());
  state.erase("times");
  return state;
}

TEST_CASE("a training's numbers are the same for any number of threads") {
  const ImageSets sets = load_images("digits", 400, 200);
  for (const char* regularizer : {"exact", "relaxed"}) {
    TrainingSettings settings = small_settings();
    settings.regularizer = regularizer;
    Json expected;
    for (const int threads : {1, 2, 3, 5}) {
      Training training(settings, sets, threads);
      run(training, {}, [](const Training&) {});
      const Json state = state_of(training);
      if (threads == 1) {
        expected = state;
      } else {
        CHECK(state == expected);
        const Readout one = read_out(training.model(), sets, 1);
        const Readout several = read_out(training.model(), sets, threads);
        CHECK(one.linear == several.linear);
        CHECK(one.neighbours == several.neighbours);
        CHECK(held_out_decorrelation(training.model(), sets, 200, 1).r_off_per_pair ==
              held_out_decorrelation(training.model(), sets, 200, threads).r_off_per_pair);
      }
    }
    settings.seed = 1;
    Training other(settings, sets, 1);
    run(other, {}, [](const Training&) {});
    CHECK(state_of(other).at("matrices") != expected.at("matrices"));
  }
}

TEST_CASE("a training goes on from its state as if it had not stopped") {
  const ImageSets sets = load_images("digits", 400, 200);
  const TrainingSettings settings = small_settings();
  Training whole(settings, sets, 1);
  run(whole, {}, [](Training& t) { t.notes["last"] = t.steps_done(); });

  Training first(settings, sets, 1);
  for (int step = 0; step < 3; ++step) first.step();
  Training second(settings, sets, 2);
  REQUIRE(second.restore(first.state()));
  while (!second.is_done()) second.step();
  second.notes["last"] = 6;
  CHECK(state_of(second) == state_of(whole));

  TrainingSettings others = settings;
  others.learning_rate = 1e-3F;
  CHECK_FALSE(Training(others, sets, 1).restore(first.state()));
}

TEST_CASE("the loss of a training falls") {
  const ImageSets sets = load_images("digits", 1200, 200);
  for (const char* loss : {"barlow_twins", "vicreg"}) {
    TrainingSettings settings = small_settings();
    settings.loss = loss;
    settings.steps = 60;
    Training training(settings, sets, 2);
    training.step();
    const double before = training.loss().value;
    run(training, {}, [](const Training&) {});
    CHECK(training.loss().value < 0.8 * before);
  }
}

TEST_CASE("a vote of neighbours, one by one") {
  Random random(9);
  const Index n = 60, tests = 30;
  const Matrix train = random_matrix(n, 4, random).cast<float>();
  const Matrix test = random_matrix(tests, 4, random).cast<float>();
  std::vector<int> labels, test_labels;
  for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % 3));
  for (Index i = 0; i < tests; ++i) test_labels.push_back(static_cast<int>(i % 3));
  int right = 0;
  for (Index i = 0; i < tests; ++i) {
    std::vector<std::pair<double, int>> all;
    for (Index k = 0; k < n; ++k) {
      const double cosine =
          test.row(i).dot(train.row(k)) / (test.row(i).norm() * train.row(k).norm());
      all.emplace_back(-cosine, labels[static_cast<std::size_t>(k)]);
    }
    std::sort(all.begin(), all.end());
    double votes[3] = {0, 0, 0};
    for (int k = 0; k < 20; ++k)
      votes[all[static_cast<std::size_t>(k)].second] -= all[static_cast<std::size_t>(k)].first;
    if (std::max_element(votes, votes + 3) - votes == test_labels[static_cast<std::size_t>(i)])
      ++right;
  }
  CHECK(nearest_neighbour_accuracy(train, labels, test, test_labels, 2) ==
        doctest::Approx(right / static_cast<double>(tests)));
}

TEST_CASE("copies and correlations of features, by the definition") {
  Random random(11);
  Matrix z = random_matrix(50, 10, random).cast<float>();
  z.col(3) = -2 * z.col(7);  // the only copies
  const DoubleMatrix x = z.cast<double>();
  const DoubleMatrix centred = x.rowwise() - x.colwise().mean();
  double r_off = 0, r_sum = 0;
  Eigen::VectorXd lags = Eigen::VectorXd::Zero(10);
  for (Index j = 0; j < 10; ++j) {
    for (Index l = 0; l < 10; ++l) {
      const double c =
          centred.col(j).dot(centred.col(l)) / (centred.col(j).norm() * centred.col(l).norm());
      if (j != l) r_off += c * c;
      lags[(l - j + 10) % 10] += c;
    }
  }
  for (Index lag = 1; lag < 10; ++lag) r_sum += lags[lag] * lags[lag];
  const Decorrelation seen = decorrelation(z, 2);
  CHECK(seen.r_off_per_pair == doctest::Approx(r_off / 90).epsilon(1e-4));
  CHECK(seen.r_sum_per_pair == doctest::Approx(r_sum / 90).epsilon(1e-4));
  CHECK(seen.copies == doctest::Approx(0.2));
}

}  // namespace
