// train_digits.cpp's training with dlib: network, gradients of its weights and trainer are dlib's,
// the loss layer is decorr's. train_digits_libtorch.cpp is the same with LibTorch: from the same
// seed both have the same weights, views and draws, and so the same losses but for rounding.

#include <dlib/dnn.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <decorr/dlib.hpp>
#include <exception>
#include <random>
#include <vector>

#include "digits.hpp"
#include "dlib_pairs.hpp"
#include "evaluation.hpp"
#include "network.hpp"
#include "random_numbers.hpp"
#include "regularizer_form.hpp"
#include "training.hpp"

namespace {

using namespace example;  // NOLINT(google-build-using-namespace): the headers beside this file

template <long outputs, class Subnet>
using Rectified = dlib::relu<dlib::fc<outputs, Subnet>>;
using Encoder = Rectified<128, Rectified<512, Rectified<512, support::InputPair>>>;
// How many outputs the last layer has, is set when the program runs.
using Net = decorr::dlib_dnn::loss_barlow_twins<dlib::fc<1, Rectified<256, Encoder>>>;
constexpr unsigned long kEncoder = 4;  // its last layer, counted from the loss

using Pairs = std::vector<support::InputPair::input_type>;

/// Row i of the upper half with row i of the lower one.
Pairs pairs_of(const Matrix& views) {
  const auto row = [&](Eigen::Index i) {
    return dlib::matrix<float, 0, 1>(dlib::mat(views.row(i).data(), views.cols(), 1));
  };
  Pairs pairs;
  for (Eigen::Index i = 0; i < views.rows() / 2; ++i) {
    pairs.emplace_back(row(i), row(views.rows() / 2 + i));
  }
  return pairs;
}

void start_from(const Matrix& weights, dlib::tensor& parameters) {
  parameters = 0;  // the biases come last
  std::copy_n(weights.data(), weights.size(), parameters.host());
}

/// With the weights of the other programs.
void initialize(Net& net, const TrainingSettings& settings, RandomNumbers& random) {
  dlib::layer<1>(net).layer_details().set_num_outputs(settings.dimension);
  // dlib makes a layer's weights when it sees the first input.
  const Pairs pairs = pairs_of(Matrix::Zero(2, kPixels));
  dlib::resizable_tensor input;
  net.to_tensor(pairs.begin(), pairs.end(), input);
  net.forward(input);
  start_from(random_weights(kPixels, 512, random),
             dlib::layer<9>(net).layer_details().get_layer_params());
  start_from(random_weights(512, 512, random),
             dlib::layer<7>(net).layer_details().get_layer_params());
  start_from(random_weights(512, 128, random),
             dlib::layer<5>(net).layer_details().get_layer_params());
  start_from(random_weights(128, 256, random),
             dlib::layer<3>(net).layer_details().get_layer_params());
  start_from(random_weights(256, settings.dimension, random),
             dlib::layer<1>(net).layer_details().get_layer_params());
}

void train(const TrainingSettings& settings, const Matrix& images, Net& net,
           RandomNumbers& random) {
  const Eigen::Index n = settings.batch_size;
  const auto batches = static_cast<int>(images.rows() / n);
  const auto start = std::chrono::steady_clock::now();

  dlib::dnn_trainer<Net, dlib::adam> trainer(net, dlib::adam(0, 0.9F, 0.999F));
  trainer.set_learning_rate_shrink_factor(1);
  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    trainer.clear_average_loss();
    const auto order = decorr::random_permutation(images.rows(), random.engine());
    for (int batch = 0; batch < batches; ++batch) {
      const Pairs pairs = pairs_of(two_views(images, order.data() + batch * n, n, random));
      trainer.set_learning_rate(
          static_cast<double>(learning_rate(epoch * batches + batch, settings.epochs * batches)));
      trainer.train_one_step(pairs);
    }
    const double mean = trainer.get_average_loss();
    if (is_told(epoch, settings.epochs)) {
      print_epoch(epoch, settings.epochs, mean, seconds_since(start));
    }
  }
  trainer.get_net();  // waits for the trainer's thread
}

Matrix encoded(Net& net, const Matrix& images) {
  Matrix twice(2 * images.rows(), images.cols());
  twice << images, images;
  const Pairs pairs = pairs_of(twice);
  dlib::resizable_tensor input;
  net.to_tensor(pairs.begin(), pairs.end(), input);
  net.forward(input);
  const dlib::tensor& features = dlib::layer<kEncoder>(net).get_output();
  return Eigen::Map<const Matrix>(features.host(), images.rows(), features.k());
}

void run(const TrainingSettings& settings) {
  const DigitSets digits = load_digit_sets(settings.data);
  RandomNumbers random(settings.seed);

  // The layer draws a regularizer anew for every batch.
  const auto draw = [&](Eigen::Index, Eigen::Index d, std::mt19937_64& generator) {
    return support::draw_regularizer(settings, d, generator);
  };
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;  // the same numbers in every run
  Net net(decorr::dlib_dnn::loss_barlow_twins_(published_options(settings), draw, settings.seed,
                                               execution));
  initialize(net, settings, random);
  const auto probe = [&](const char* features) {
    print_probe(features, linear_probe(encoded(net, digits.training.images), digits.training.labels,
                                       encoded(net, digits.test.images), digits.test.labels));
  };

  print_probe_title(digits.test);
  probe("untrained encoder");
  train(settings, digits.training.images, net, random);
  print_probe_title(digits.test);
  probe("trained encoder");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains a small dlib network on handwritten digits by decorr's loss");
    TrainingSettings settings;
    add_training_options(app, settings, kTrainImages);
    CLI11_PARSE(app, argc, argv);
    run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_digits_dlib: %s\n", error.what());
    return 1;
  }
}
