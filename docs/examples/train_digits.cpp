// Trains a small network on handwritten digits without their labels: two random views of an image
// shall give the same embedding, and the embedding's features shall be decorrelated. The loop in
// train() is all that a trainer needs of the library.

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "digits.hpp"
#include "evaluation.hpp"
#include "network.hpp"
#include "pictures.hpp"
#include "random_numbers.hpp"

#ifndef DECORR_EXAMPLE_DATA
#define DECORR_EXAMPLE_DATA "docs/examples/data"
#endif

namespace {

using namespace example;  // NOLINT(google-build-using-namespace): the headers beside this file

constexpr Eigen::Index kTrainImages = 1200;  // the rest, written by other people, is for testing

struct Settings {
  std::string regularizer = "relaxed", randomization = "signs";
  Eigen::Index dimension = 2048, block_size = 0, batch_size = 256;
  int exponent = 2, epochs = 200;
  double lambda = 0;
  unsigned seed = 0;
  std::string data = DECORR_EXAMPLE_DATA "/digits.csv", output = "train_digits_output";

  bool exact() const { return regularizer == "exact"; }
  bool signs() const { return randomization == "signs" || randomization == "both"; }
  bool permutation() const { return randomization == "permutation" || randomization == "both"; }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Rises over the first steps, then falls to zero along a cosine.
float learning_rate(int step, int steps) {
  const float done = static_cast<float>(step) / static_cast<float>(steps);
  const float warm_up = std::min(1.0F, static_cast<float>(step + 1) / 50);
  return 2e-3F * warm_up * 0.5F * (1 + std::cos(3.14159265F * done));
}

/// With random signs the relaxed regularizer is on average the exact one, and so is its weight.
/// Without them it is another quantity with a weight of its own.
decorr::BarlowTwinsOptions published_options(const Settings& settings) {
  decorr::BarlowTwinsOptions options;
  if (settings.exact() || settings.signs()) {
    options = decorr::presets::barlow_twins_exact().options;
  } else {
    options = decorr::presets::barlow_twins_relaxed_2048(std::mt19937_64()).options;
  }
  if (settings.lambda > 0) options.lambda = settings.lambda;
  return options;
}

std::vector<EpochLoss> train(const Settings& settings, const Matrix& images, Network& encoder,
                             Network& projector, RandomNumbers& random) {
  const Eigen::Index n = settings.batch_size, d = settings.dimension;
  const auto batches = static_cast<int>(images.rows() / n);
  const auto start = std::chrono::steady_clock::now();
  std::vector<EpochLoss> history;

  const decorr::BarlowTwinsOptions options = published_options(settings);
  decorr::Relaxed relaxed;
  relaxed.exponent = settings.exponent;
  relaxed.block_size = settings.block_size;
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;  // the same numbers in every run

  Matrix gradient(2 * n, d);
  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    EpochLoss mean;
    const auto order = decorr::random_permutation(images.rows(), random.engine());
    for (int batch = 0; batch < batches; ++batch) {
      // Both views go through the network as one matrix, view a in its upper half.
      const Matrix views = two_views(images, order.data() + batch * n, n, random);
      const Matrix z = projector.forward(encoder.forward(views));

      // Anew for every batch, so that no fixed pattern of correlations escapes.
      if (settings.signs()) {
        relaxed.signs_a = decorr::random_signs(d, random.engine());
        relaxed.signs_b = decorr::random_signs(d, random.engine());
      }
      if (settings.permutation()) {
        relaxed.permutation = decorr::random_permutation(d, random.engine());
      }

      // The call: embeddings in, loss out, and its gradient written where the network wants it.
      const auto loss_with = [&](const auto& regularizer) {
        return decorr::barlow_twins_loss(z.topRows(n), z.bottomRows(n), gradient.topRows(n),
                                         gradient.bottomRows(n), options, regularizer, execution);
      };
      const auto loss = settings.exact() ? loss_with(decorr::Exact{}) : loss_with(relaxed);

      encoder.backward(projector.backward(gradient));
      const int step = epoch * batches + batch;
      const float rate = learning_rate(step, settings.epochs * batches);
      encoder.step(rate, step);
      projector.step(rate, step);

      mean.diagonal += loss.diagonal / static_cast<double>(batches);
      mean.off_diagonal += loss.off_diagonal / static_cast<double>(batches);
    }
    history.push_back(mean);
    if ((epoch + 1) % std::max(1, settings.epochs / 20) == 0 || epoch == 0) {
      std::printf("epoch %4d of %d: loss %8.2f = diagonal %8.2f + off-diagonal %8.2f  %6.1f s\n",
                  epoch + 1, settings.epochs, mean.diagonal + mean.off_diagonal, mean.diagonal,
                  mean.off_diagonal, seconds_since(start));
      std::fflush(stdout);
    }
  }
  return history;
}

void print_probe(const char* features, const Probe& probe) {
  std::printf("  %-18s %10.3f %20.3f\n", features, probe.all_labels, probe.few_labels);
}

void run(const Settings& settings) {
  const Digits digits = load_digits(settings.data);
  if (digits.images.rows() <= kTrainImages) {
    throw std::runtime_error(settings.data + " has " + std::to_string(digits.images.rows()) +
                             " images, expected more than " + std::to_string(kTrainImages));
  }
  const Digits training = slice(digits, 0, kTrainImages);
  const Digits test = slice(digits, kTrainImages, digits.images.rows() - kTrainImages);

  RandomNumbers random(settings.seed);
  Network encoder({kPixels, 512, 512, 128}, true, random);
  Network projector({128, 256, settings.dimension}, false, random);

  const auto probe_encoder = [&] {
    return linear_probe(encoder.forward(training.images), training.labels,
                        encoder.forward(test.images), test.labels);
  };
  const auto output_correlation = [&] {
    return correlation(projector.forward(encoder.forward(test.images)));
  };
  const Probe pixels_probe =
      linear_probe(training.images, training.labels, test.images, test.labels);
  const Probe untrained_probe = probe_encoder();
  const Matrix correlation_before = output_correlation();

  const std::vector<EpochLoss> history =
      train(settings, training.images, encoder, projector, random);

  const Probe trained_probe = probe_encoder();
  const Matrix correlation_after = output_correlation();

  std::printf("\nterms of the loss, last epoch: diagonal %.2f, off-diagonal %.2f\n",
              history.back().diagonal, history.back().off_diagonal);
  std::printf("accuracy of a linear probe on %d test images\n",
              static_cast<int>(test.images.rows()));
  std::printf("  %-18s %10s %12d per class\n", "trained with", "all labels", Probe::kFewLabels);
  print_probe("raw pixels", pixels_probe);
  print_probe("untrained encoder", untrained_probe);
  print_probe("trained encoder", trained_probe);
  std::printf(
      "mean absolute off-diagonal correlation of the projector's output: before %.3f, after %.3f\n",
      static_cast<double>(mean_absolute_off_diagonal(correlation_before)),
      static_cast<double>(mean_absolute_off_diagonal(correlation_after)));

  draw_correlations(settings.output, correlation_before, correlation_after);
  draw_loss(settings.output, history);
}

void add_options(CLI::App& app, Settings& settings) {
  app.option_defaults()->take_last()->always_capture_default();
  app.add_option("--regularizer", settings.regularizer, "Off-diagonal term")
      ->check(CLI::IsMember({"exact", "relaxed"}));
  app.add_option("--dimension", settings.dimension, "Features of the projector's output, d")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--exponent", settings.exponent, "q of the relaxed regularizer, 1 or 2");
  app.add_option("--block-size", settings.block_size,
                 "Features a block of the relaxed regularizer, b; 0: a single block");
  app.add_option("--randomization", settings.randomization,
                 "Drawn anew for every batch, for the relaxed regularizer")
      ->check(CLI::IsMember({"none", "permutation", "signs", "both"}));
  app.add_option("--lambda", settings.lambda, "Weight of the off-diagonal term; 0: as published")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", settings.seed, "Of all random numbers");
  app.add_option("--epochs", settings.epochs, "Passes over the training images")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--batch-size", settings.batch_size, "Images a batch, n")
      ->check(CLI::Range(Eigen::Index{2}, kTrainImages));
  app.add_option("--output", settings.output, "Folder for the pictures");
  app.add_option("--data", settings.data, "digits.csv")->check(CLI::ExistingFile);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains a small network on handwritten digits by the Barlow Twins loss");
    Settings settings;
    add_options(app, settings);
    CLI11_PARSE(app, argc, argv);
    Eigen::setNbThreads(1);  // the same numbers on any number of cores; its products are small
    run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_digits: %s\n", error.what());
    return 1;
  }
}
