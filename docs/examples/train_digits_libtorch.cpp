// train_digits.cpp's training with LibTorch: network, gradients of its weights and optimizer are
// LibTorch's, the loss is decorr's. train_digits_dlib.cpp is the same with dlib: from the same seed
// both have the same weights, views and draws, and so the same losses but for rounding.

#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <decorr/libtorch.hpp>
#include <exception>
#include <random>
#include <vector>

#include "digits.hpp"
#include "evaluation.hpp"
#include "network.hpp"
#include "random_numbers.hpp"
#include "regularizer_form.hpp"
#include "training.hpp"

namespace {

using namespace example;  // NOLINT(google-build-using-namespace): the headers beside this file

/// Of the same memory.
torch::Tensor tensor_of(Matrix& matrix) {
  return torch::from_blob(matrix.data(), {matrix.rows(), matrix.cols()});
}

/// Dense layers one after another, rectified but for the last if `rectified_output` is false.
torch::nn::Sequential network_of(const std::vector<Eigen::Index>& widths, bool rectified_output,
                                 RandomNumbers& random) {
  torch::nn::Sequential network;
  const torch::NoGradGuard no_history;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    Matrix weights = random_weights(widths[i], widths[i + 1], random);
    torch::nn::Linear layer(widths[i], widths[i + 1]);
    layer->weight.copy_(tensor_of(weights).t());
    layer->bias.zero_();
    network->push_back(layer);
    if (i + 2 < widths.size() || rectified_output) network->push_back(torch::nn::ReLU());
  }
  return network;
}

void train(const TrainingSettings& settings, const Matrix& images, torch::nn::Sequential& encoder,
           torch::nn::Sequential& projector, RandomNumbers& random) {
  const Eigen::Index n = settings.batch_size, d = settings.dimension;
  const auto batches = static_cast<int>(images.rows() / n);
  const auto start = std::chrono::steady_clock::now();

  const decorr::BarlowTwinsOptions options = published_options(settings);
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;  // the same numbers in every run
  std::mt19937_64 generator(settings.seed);

  std::vector<torch::Tensor> parameters = encoder->parameters();
  for (const torch::Tensor& parameter : projector->parameters()) parameters.push_back(parameter);
  torch::optim::Adam optimizer(parameters);
  auto& adam = static_cast<torch::optim::AdamOptions&>(optimizer.param_groups()[0].options());

  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    double mean = 0;
    const auto order = decorr::random_permutation(images.rows(), random.engine());
    for (int batch = 0; batch < batches; ++batch) {
      // Both views go through the network as one tensor, view a in its upper half.
      Matrix views = two_views(images, order.data() + batch * n, n, random);
      const torch::Tensor z = projector->forward(encoder->forward(tensor_of(views)));

      // The call: its halves are read where they are.
      const auto loss = decorr::libtorch::barlow_twins_loss(
          z.narrow(0, 0, n), z.narrow(0, n, n), options,
          support::draw_regularizer(settings, d, generator), execution);

      optimizer.zero_grad();
      loss.value.backward();
      adam.lr(
          static_cast<double>(learning_rate(epoch * batches + batch, settings.epochs * batches)));
      optimizer.step();
      mean += loss.value.item<double>() / batches;
    }
    if (is_told(epoch, settings.epochs)) {
      print_epoch(epoch, settings.epochs, mean, seconds_since(start));
    }
  }
}

Matrix encoded(torch::nn::Sequential& encoder, Matrix images) {
  const torch::NoGradGuard no_history;
  const torch::Tensor features = encoder->forward(tensor_of(images)).contiguous();
  return Eigen::Map<const Matrix>(features.data_ptr<float>(), features.size(0), features.size(1));
}

void run(const TrainingSettings& settings) {
  const DigitSets digits = load_digit_sets(settings.data);
  RandomNumbers random(settings.seed);
  torch::nn::Sequential encoder = network_of({kPixels, 512, 512, 128}, true, random);
  torch::nn::Sequential projector = network_of({128, 256, settings.dimension}, false, random);
  const auto probe = [&](const char* features) {
    print_probe(features,
                linear_probe(encoded(encoder, digits.training.images), digits.training.labels,
                             encoded(encoder, digits.test.images), digits.test.labels));
  };

  print_probe_title(digits.test);
  probe("untrained encoder");
  train(settings, digits.training.images, encoder, projector, random);
  print_probe_title(digits.test);
  probe("trained encoder");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains a small LibTorch network on handwritten digits by decorr's loss");
    TrainingSettings settings;
    add_training_options(app, settings, kTrainImages);
    CLI11_PARSE(app, argc, argv);
    torch::set_num_threads(1);  // the same numbers on any number of cores; its products are small
    run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_digits_libtorch: %s\n", error.what());
    return 1;
  }
}
