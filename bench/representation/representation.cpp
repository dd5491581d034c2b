// Trains small networks without labels on real images, and writes down what comes out: what
// docs/evidence.md shows. study.sh beside this file is the whole study.
//
//   build/release/bench/representation/decorr_representation --help

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "data.hpp"
#include "printable.hpp"
#include "rows.hpp"
#include "storage.hpp"
#include "training.hpp"

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): the headers beside

struct Common {
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  Index held_out_images = 10000;
};

void add_training_options(CLI::App& app, TrainingSettings& s) {
  app.add_option("--loss", s.loss)->check(CLI::IsMember({"barlow_twins", "vicreg"}));
  app.add_option("--regularizer", s.regularizer)->check(CLI::IsMember({"exact", "relaxed"}));
  app.add_option("--randomization", s.randomization, "Anew for every batch, if relaxed")
      ->check(CLI::IsMember({"none", "permutation", "signs", "both"}));
  app.add_option("--exponent", s.exponent, "q")->check(CLI::Range(1, 2));
  app.add_option("--block-size", s.block_size, "b; 0: a single block");
  app.add_option("--weight", s.weight, "Of the regularizer, over the published exact one");
  app.add_option("--dimension", s.dimension, "d")->check(CLI::Range(1, 1 << 20));
  app.add_option("--batch-size", s.batch_size, "n")->check(CLI::Range(2, 1 << 20));
  app.add_option("--encoder-width", s.encoder_width)->check(CLI::Range(1, 1 << 20));
  app.add_option("--features", s.features, "Of the representation")->check(CLI::Range(1, 1 << 20));
  app.add_option("--projector-width", s.projector_width)->check(CLI::Range(1, 1 << 20));
  app.add_option("--steps", s.steps)->check(CLI::Range(1, 1 << 30));
  app.add_option("--learning-rate", s.learning_rate)->check(CLI::PositiveNumber);
  app.add_option("--seed", s.seed);
  app.add_option("--data", s.data, "digits, fashion, or a folder with MNIST's IDX files");
  app.add_option("--training-images", s.training_images)->check(CLI::Range(2, 1 << 30));
}

void train(const TrainingSettings& settings, const Common& common, const Checkpoint& checkpoint) {
  const ImageSets sets =
      load_images(settings.data, settings.training_images, common.held_out_images);
  std::printf("%d images of %s for training, %d held out\n",
              static_cast<int>(sets.training.images.rows()),
              support::printable_name(settings.data).c_str(),
              static_cast<int>(sets.held_out.images.rows()));
  Training training(settings, sets, common.threads);
  run(training, checkpoint, Progress());
  std::printf("%s\n", results_of(training).dump(2).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains small networks without labels and measures what they learn");
    app.require_subcommand(1);
    app.option_defaults()->take_last()->always_capture_default();
    Common common;
    TrainingSettings settings;
    Checkpoint checkpoint;
    std::string checkpoint_file;
    app.add_option("--threads", common.threads, "The numbers are the same for any number")
        ->check(CLI::Range(1, 1024));

    CLI::App* training = app.add_subcommand("train", "One training; prints its results as JSON");
    add_training_options(*training, settings);
    training->add_option("--held-out-images", common.held_out_images);
    training->add_option("--checkpoint", checkpoint_file,
                         "File that keeps the training while it runs, and to go on from");
    training->add_option("--checkpoint-seconds", checkpoint.seconds, "How often");
    CLI11_PARSE(app, argc, argv);

    Eigen::setNbThreads(1);  // see parallel.hpp
    checkpoint.file = checkpoint_file;
    if (*training) train(settings, common, checkpoint);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decorr_representation: %s\n", error.what());
    return 1;
  }
}
