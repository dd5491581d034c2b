// Trains a small network on handwritten digits without their labels: two random views of an image
// shall give the same embedding, and the embedding's features shall be decorrelated. The loop in
// train(), with published_options() and draw_regularizer() of training.hpp, is all that a trainer
// needs of the library. train_digits_distributed.cpp is the same for batches over several
// processes, and for those that do not fit into memory.

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <chrono>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <string>
#include <vector>

#include "digits.hpp"
#include "evaluation.hpp"
#include "network.hpp"
#include "pictures.hpp"
#include "random_numbers.hpp"
#include "training.hpp"

namespace {

using namespace example;  // NOLINT(google-build-using-namespace): the headers beside this file

struct Settings : TrainingSettings {
  std::string output = "train_digits_output";
};

std::vector<EpochLoss> train(const Settings& settings, const Matrix& images, Network& encoder,
                             Network& projector, RandomNumbers& random) {
  const Eigen::Index n = settings.batch_size, d = settings.dimension;
  const auto batches = static_cast<int>(images.rows() / n);
  const auto start = std::chrono::steady_clock::now();
  std::vector<EpochLoss> history;

  const decorr::BarlowTwinsOptions options = published_options(settings);
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

      // The call: embeddings in, loss out, and its gradient written where the network wants it.
      const auto loss = decorr::barlow_twins_loss(
          z.topRows(n), z.bottomRows(n), gradient.topRows(n), gradient.bottomRows(n), options,
          draw_regularizer(settings, random), execution);

      encoder.backward(projector.backward(gradient));
      const int step = epoch * batches + batch;
      const float rate = learning_rate(step, settings.epochs * batches);
      encoder.step(rate, step);
      projector.step(rate, step);

      mean.add(loss, batches);
    }
    history.push_back(mean);
    if (is_told(epoch, settings.epochs)) {
      print_epoch(epoch, settings.epochs, mean, seconds_since(start));
    }
  }
  return history;
}

void run(const Settings& settings) {
  const DigitSets digits = load_digit_sets(settings.data);
  const Digits &training = digits.training, &test = digits.test;

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
  print_probe_title(test);
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

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains a small network on handwritten digits by the Barlow Twins loss");
    Settings settings;
    add_training_options(app, settings, kTrainImages);
    app.add_option("--output", settings.output, "Folder for the pictures");
    CLI11_PARSE(app, argc, argv);
    Eigen::setNbThreads(1);  // the same numbers on any number of cores; its products are small
    run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_digits: %s\n", error.what());
    return 1;
  }
}
