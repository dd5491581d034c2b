// Trains small networks without labels on real images, and writes down what comes out: what
// docs/evidence.md shows. study.sh beside this file is the whole study.
//
//   build/release/bench/representation/decorr_representation --help

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "data.hpp"
#include "estimator.hpp"
#include "npy.hpp"
#include "printable.hpp"
#include "rows.hpp"
#include "study.hpp"
#include "training.hpp"

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): the headers beside

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
  app.add_option("--augmentation", s.augmentation, "How strong, over what is usual here")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--data", s.data, "digits, fashion, or a folder with MNIST's IDX files");
  app.add_option("--training-images", s.training_images)->check(CLI::Range(2, 1 << 30));
}

void train(const TrainingSettings& settings, Index held_out_images, int threads,
           const Checkpoint& checkpoint) {
  const ImageSets sets = load_images(settings.data, settings.training_images, held_out_images);
  std::printf("%d images of %s for training, %d held out\n",
              static_cast<int>(sets.training.images.rows()),
              support::printable_name(settings.data).c_str(),
              static_cast<int>(sets.held_out.images.rows()));
  Training training(settings, sets, threads);
  run(training, checkpoint, Progress());
  std::printf("%s\n", results_of(training).dump(2).c_str());
}

/// On embeddings of whatever network.
void study_files(const std::string& a, const std::string& b, int draws, std::uint64_t seed) {
  const auto read = [](const std::string& path) -> Matrix {
    return inspect::NpyFile(path).read().cast<float>();
  };
  const Matrix view_a = read(a);
  const Embeddings z = b.empty() ? centred_view(view_a) : correlated_views(view_a, read(b));
  if (z.two_views() && (z.a.rows() != z.b.rows() || z.a.cols() != z.b.cols())) {
    throw std::runtime_error("the views differ in their shapes");
  }
  std::printf("%s\n", study_estimators(z, draws, seed).dump(2).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Trains small networks without labels and measures what they learn");
    app.require_subcommand(1);
    app.fallthrough();  // --threads may stand behind the subcommand, too
    app.option_defaults()->take_last()->always_capture_default();
    StudySettings study;
    study.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    TrainingSettings settings;
    Checkpoint checkpoint;
    std::string checkpoint_file, view_a, view_b;
    bool lists = false;
    app.add_option("--threads", study.threads, "The numbers are the same for any number")
        ->check(CLI::Range(1, 1024));
    app.add_option("--held-out-images", study.held_out_images)->check(CLI::Range(2, 1 << 30));

    CLI::App* training = app.add_subcommand("train", "One training; prints its results as JSON");
    add_training_options(*training, settings);
    training->add_option("--checkpoint", checkpoint_file,
                         "File that keeps the training while it runs, and to go on from");
    training->add_option("--checkpoint-seconds", checkpoint.seconds, "How often");

    CLI::App* whole = app.add_subcommand(
        "study", "All rows of docs/evidence.md, but for those that the results have already");
    whole->add_option("--data", study.base.data, "digits, fashion, or a folder with IDX files");
    whole->add_option("--training-images", study.base.training_images);
    whole->add_option("--steps", study.base.steps, "Of a training")->check(CLI::Range(1, 1 << 30));
    whole->add_option("--seeds", study.seeds, "The first one also for the grids of weights");
    whole->add_option("--folder", study.folder, "For results.jsonl and what else is kept");
    whole->add_option("--only", study.only, "Rows whose names have this regular expression");
    whole->add_option("--checkpoint-seconds", study.checkpoint_seconds, "How often rows are kept");
    whole->add_option("--cost-seconds", study.cost_seconds, "Measured steps of a row of costs");
    whole->add_option("--draws", study.draws, "Of each estimator")->check(CLI::Range(2, 1 << 20));
    whole->add_flag("--list", lists, "Print the rows' names, and make none");

    CLI::App* estimator = app.add_subcommand(
        "estimator", "Bias and noise of every estimator of R_off on saved embeddings, as JSON");
    estimator->add_option("--a", view_a, "A .npy file, a sample a row")->required();
    estimator->add_option("--b", view_b, "The other view; without: the covariance of a");
    estimator->add_option("--draws", study.draws)->check(CLI::Range(2, 1 << 20));
    estimator->add_option("--seed", settings.seed);
    CLI11_PARSE(app, argc, argv);

    Eigen::setNbThreads(1);  // see parallel.hpp
    checkpoint.file = checkpoint_file;
    if (*training) train(settings, study.held_out_images, study.threads, checkpoint);
    if (*estimator) study_files(view_a, view_b, study.draws, settings.seed);
    if (*whole) {
      Study rows(study);
      if (lists) {
        rows.print_names();
      } else {
        rows.run();
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decorr_representation: %s\n", error.what());
    return 1;
  }
}
