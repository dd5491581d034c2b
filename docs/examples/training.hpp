#ifndef DECORR_EXAMPLES_TRAINING_HPP_
#define DECORR_EXAMPLES_TRAINING_HPP_

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <decorr/options.hpp>
#include <decorr/presets.hpp>
#include <decorr/results.hpp>
#include <random>
#include <stdexcept>
#include <string>

#include "digits.hpp"
#include "optimizer.hpp"
#include "random_numbers.hpp"
#include "regularizer_form.hpp"

// What the programs that train have in common, beside the network.

#ifndef DECORR_EXAMPLE_DATA
#define DECORR_EXAMPLE_DATA "docs/examples/data"
#endif

namespace example {

constexpr Eigen::Index kTrainImages = 1200;  // the rest, written by other people, is for testing

struct TrainingSettings : support::RegularizerForm {
  Eigen::Index dimension = 2048, batch_size = 256;
  int epochs = 200;
  double lambda = 0;
  unsigned seed = 0;
  std::string data = DECORR_EXAMPLE_DATA "/digits.csv";
};

inline void add_training_options(CLI::App& app, TrainingSettings& settings,
                                 Eigen::Index most_images) {
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
      ->check(CLI::Range(Eigen::Index{2}, most_images));
  app.add_option("--data", settings.data, "digits.csv")->check(CLI::ExistingFile);
}

struct DigitSets {
  Digits training, test;
};

inline DigitSets load_digit_sets(const std::string& path) {
  const Digits digits = support::load_digits(path);
  if (digits.images.rows() <= kTrainImages) {
    throw std::runtime_error(path + " has " + std::to_string(digits.images.rows()) +
                             " images, expected more than " + std::to_string(kTrainImages));
  }
  return {slice(digits, 0, kTrainImages),
          slice(digits, kTrainImages, digits.images.rows() - kTrainImages)};
}

/// Rises over the first steps, then falls to zero along a cosine.
inline float learning_rate(int step, int steps) {
  return support::warm_up_and_cosine(2e-3F, 50, step, steps);
}

/// With random signs the relaxed regularizer is on average the exact one, and so is its weight.
/// Without them it is another quantity with a weight of its own.
inline decorr::BarlowTwinsOptions published_options(const TrainingSettings& settings) {
  decorr::BarlowTwinsOptions options;
  if (settings.exact() || settings.signs()) {
    options = decorr::presets::barlow_twins_exact().options;
  } else {
    options = decorr::presets::barlow_twins_relaxed_2048(std::mt19937_64()).options;
  }
  if (settings.lambda > 0) options.lambda = settings.lambda;
  return options;
}

/// A batch's regularizer, drawn anew for every batch.
inline decorr::Regularizer draw_regularizer(const TrainingSettings& settings,
                                            RandomNumbers& random) {
  return support::draw_regularizer(settings, settings.dimension, random.engine());
}

/// The mean terms of the loss over one epoch.
struct EpochLoss {
  double diagonal = 0, off_diagonal = 0;

  double value() const { return diagonal + off_diagonal; }
  void add(const decorr::BarlowTwinsLoss<float>& loss, int batches) {
    diagonal += loss.diagonal / static_cast<double>(batches);
    off_diagonal += loss.off_diagonal / static_cast<double>(batches);
  }
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of many epochs only some are told.
inline bool is_told(int epoch, int epochs) {
  return (epoch + 1) % std::max(1, epochs / 20) == 0 || epoch == 0;
}

inline void print_epoch(int epoch, int epochs, const EpochLoss& mean, double seconds) {
  std::printf("epoch %4d of %d: loss %8.2f = diagonal %8.2f + off-diagonal %8.2f  %6.1f s\n",
              epoch + 1, epochs, mean.value(), mean.diagonal, mean.off_diagonal, seconds);
  std::fflush(stdout);
}

/// Where the loss has no terms.
inline void print_epoch(int epoch, int epochs, double mean_loss, double seconds) {
  std::printf("epoch %4d of %d: loss %10.4f  %6.1f s\n", epoch + 1, epochs, mean_loss, seconds);
  std::fflush(stdout);
}

}  // namespace example

#endif  // DECORR_EXAMPLES_TRAINING_HPP_
