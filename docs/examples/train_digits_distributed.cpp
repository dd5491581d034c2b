// train_digits.cpp for batches that several processes hold together, and for those that do not fit
// into memory: each process takes its rows of the batch through the network chunk by chunk, and all
// of them descend the whole batch's loss. accumulate_gradients() and sum_over_processes() are what
// such a trainer has to do.
//
//   mpirun -n 4 build/docs/examples/train_digits_distributed --compare

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <decorr/mpi.hpp>
#include <exception>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "digits.hpp"
#include "evaluation.hpp"
#include "network.hpp"
#include "random_numbers.hpp"
#include "training.hpp"

namespace {

using namespace example;  // NOLINT(google-build-using-namespace): the headers beside this file

struct Settings : TrainingSettings {
  Eigen::Index chunk_size = 0;
  bool compare = false;
  double tolerance = 0;
};

/// This process among all of them.
struct Process {
  int rank = 0, count = 1;

  bool is_first() const { return rank == 0; }
};

struct Model {
  Network encoder, projector;

  Matrix forward(const Matrix& views) { return projector.forward(encoder.forward(views)); }
  void backward(const Matrix& gradient) { encoder.backward(projector.backward(gradient)); }

  /// Some weights have no gradient but rounding errors: the last bias, as the loss does not change
  /// with the features' means, and that of hidden units that no row switches off. With its usual
  /// epsilon of 1e-8 Adam makes whole steps of these errors, which are others for every number of
  /// processes. This one is between them, 1e-6, and the gradients, about 1.
  void step(float rate, int steps_done) {
    const float epsilon = 1e-3F;
    encoder.step(rate, steps_done, epsilon);
    projector.step(rate, steps_done, epsilon);
  }
};

/// Some images of a batch.
struct Rows {
  Eigen::Index first = 0, count = 0;
};

/// Those of this process, in chunks of at most chunk_size; 0: in one.
std::vector<Rows> own_chunks(const Settings& settings, const Process& process) {
  const Eigen::Index begin = settings.batch_size * process.rank / process.count;
  const Eigen::Index end = settings.batch_size * (process.rank + 1) / process.count;
  const Eigen::Index most = settings.chunk_size > 0 ? settings.chunk_size : settings.batch_size;
  std::vector<Rows> chunks;
  for (Eigen::Index row = begin; row < end; row += most) {
    chunks.push_back({row, std::min(most, end - row)});
  }
  return chunks;
}

/// The images of a batch, and two random views of each, which are drawn when they are asked for:
/// the same ones every time, on every process, and in chunks of any size.
class Batch {
 public:
  Batch(const Matrix& images, const Eigen::Index* order, unsigned seed, int step)
      : images_(images), order_(order), seed_(seed), step_(static_cast<unsigned>(step)) {}

  /// View a of all rows in the upper half, view b below.
  Matrix views(const Rows& rows) const {
    Matrix views(2 * rows.count, kPixels);
    const support::Augmentation most = support::digit_augmentation();
    for (Eigen::Index i = 0; i < rows.count; ++i) {
      const Eigen::Index row = rows.first + i;
      RandomNumbers random({seed_, step_, static_cast<unsigned>(row)});
      const float* image = images_.row(order_[row]).data();
      support::augment(most, image, views.row(i).data(), random);
      support::augment(most, image, views.row(rows.count + i).data(), random);
    }
    return views;
  }

 private:
  const Matrix& images_;
  const Eigen::Index* order_;
  unsigned seed_, step_;
};

/// The images of an epoch in random order; of those of a large batch some more than once, each time
/// with other views.
std::vector<Eigen::Index> draw_order(Eigen::Index images, Eigen::Index count,
                                     RandomNumbers& random) {
  std::vector<Eigen::Index> order;
  while (static_cast<Eigen::Index>(order.size()) < count) {
    const auto all = decorr::random_permutation(images, random.engine());
    order.insert(order.end(), all.begin(), all.end());
  }
  return order;
}

/// What a call of the loss is given beside the embeddings.
struct Call {
  Eigen::Index d = 0;
  const decorr::BarlowTwinsOptions& options;
  const decorr::Regularizer& regularizer;
  const decorr::Execution& execution;
};

/// Adds to the gradients of the model's weights those of the whole batch's loss, as far as they
/// come from these chunks. Memory: that of one chunk. A network that has several goes through them
/// once more for each pass of the loss, as its activations are those of the last one.
decorr::BarlowTwinsLoss<float> accumulate_gradients(const Call& call, const Batch& batch,
                                                    const std::vector<Rows>& chunks, Model& model) {
  Matrix z, gradient;
  const Rows* in_model = nullptr;
  const auto embed = [&](const Rows& chunk) {
    if (in_model == &chunk) return;
    z = model.forward(batch.views(chunk));
    in_model = &chunk;
  };

  decorr::BarlowTwinsBatch<float> loss(call.d, call.options, call.regularizer, call.execution);
  while (loss.has_pass()) {
    for (const Rows& chunk : chunks) {
      embed(chunk);
      loss.add(z.topRows(chunk.count), z.bottomRows(chunk.count));
    }
    loss.end_pass();
  }
  for (const Rows& chunk : chunks) {
    embed(chunk);
    gradient.resize(z.rows(), z.cols());
    loss.gradient(z.topRows(chunk.count), z.bottomRows(chunk.count), gradient.topRows(chunk.count),
                  gradient.bottomRows(chunk.count));
    model.backward(gradient);
  }
  return loss.loss();
}

/// Sums, not means: each process has its rows' part of the gradient (docs/distributed.md, the
/// factor P). They are the same everywhere, bit for bit, and so are the weights after a step.
void sum_over_processes(Model& model) {
  const auto sum = [](Matrix& gradient) {
    MPI_Allreduce(MPI_IN_PLACE, gradient.data(), static_cast<int>(gradient.size()), MPI_FLOAT,
                  MPI_SUM, MPI_COMM_WORLD);
  };
  model.encoder.for_each_gradient(sum);
  model.projector.for_each_gradient(sum);
}

/// The same without chunks and without other processes, as train_digits.cpp has it.
decorr::BarlowTwinsLoss<float> accumulate_at_once(const Call& call, const Batch& batch,
                                                  Eigen::Index n, Model& model) {
  const Matrix z = model.forward(batch.views({0, n}));
  Matrix gradient(2 * n, call.d);
  const auto loss = decorr::barlow_twins_loss(z.topRows(n), z.bottomRows(n), gradient.topRows(n),
                                              gradient.bottomRows(n), call.options,
                                              call.regularizer, call.execution);
  model.backward(gradient);
  return loss;
}

/// Prints the mean loss of an epoch, and that of the copy if there is one. Returns whether they are
/// within the tolerance.
bool report(const Settings& settings, int epoch, const EpochLoss& mean, const EpochLoss* of_copy,
            double seconds) {
  const bool is_shown = is_told(epoch, settings.epochs);
  if (is_shown) print_epoch(epoch, settings.epochs, mean, seconds);
  if (of_copy == nullptr) return true;
  const double difference = std::abs(mean.value() - of_copy->value()) / std::abs(of_copy->value());
  if (is_shown) {
    std::printf("  one process, at once: loss %8.2f, relative difference %.1e\n", of_copy->value(),
                difference);
    std::fflush(stdout);
  }
  return settings.tolerance == 0 || difference <= settings.tolerance;  // a NaN is not
}

/// Returns whether the losses of all epochs are within the tolerance of the copy's.
bool train(const Settings& settings, const Process& process, const Matrix& images, Model& model,
           RandomNumbers& random) {
  const Eigen::Index n = settings.batch_size;
  const int batches = std::max(1, static_cast<int>(images.rows() / n));
  const std::vector<Rows> chunks = own_chunks(settings, process);
  const decorr::BarlowTwinsOptions options = published_options(settings);
  const auto start = std::chrono::steady_clock::now();

  decorr::Execution alone;
  alone.planning = decorr::Planning::estimate;  // the same numbers in every run
  decorr::MpiCommunicator communicator(MPI_COMM_WORLD);
  decorr::Execution together = alone;
  together.communicator = &communicator;

  std::optional<Model> copy;
  if (settings.compare && process.is_first()) copy = model;
  bool is_close = true;

  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    EpochLoss mean, mean_of_copy;
    // The same order, signs and permutations on all processes, as they have the same seed.
    const std::vector<Eigen::Index> order = draw_order(images.rows(), batches * n, random);
    for (int i = 0; i < batches; ++i) {
      const int step = epoch * batches + i;
      const float rate = learning_rate(step, settings.epochs * batches);
      const Batch batch(images, order.data() + i * n, settings.seed, step);
      const decorr::Regularizer regularizer = draw_regularizer(settings, random);

      const Call call = {settings.dimension, options, regularizer, together};
      mean.add(accumulate_gradients(call, batch, chunks, model), batches);
      sum_over_processes(model);
      model.step(rate, step);

      if (copy) {
        const Call call_of_copy = {settings.dimension, options, regularizer, alone};
        mean_of_copy.add(accumulate_at_once(call_of_copy, batch, n, *copy), batches);
        copy->step(rate, step);
      }
    }
    if (process.is_first() &&
        !report(settings, epoch, mean, copy ? &mean_of_copy : nullptr, seconds_since(start))) {
      is_close = false;
    }
  }
  return is_close;
}

/// The most memory that this process has had, in MiB; 0 where only Linux would tell.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes / 1024;
  }
  return 0;
}

/// That of the process that has had most.
void print_peak_memory(const Process& process) {
  const double own = peak_memory();
  double most = 0;
  MPI_Reduce(&own, &most, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  if (process.is_first() && most > 0) std::printf("peak memory of a process: %.0f MiB\n", most);
}

/// The exit status.
int run(const Settings& settings, const Process& process) {
  const DigitSets digits = load_digit_sets(settings.data);
  RandomNumbers random(settings.seed);
  Network encoder({kPixels, 512, 512, 128}, true, random);
  Network projector({128, 256, settings.dimension}, false, random);
  Model model{std::move(encoder), std::move(projector)};

  const bool is_close = train(settings, process, digits.training.images, model, random);
  print_peak_memory(process);
  if (!process.is_first()) return 0;

  const Probe probe =
      linear_probe(model.encoder.forward(digits.training.images), digits.training.labels,
                   model.encoder.forward(digits.test.images), digits.test.labels);
  std::printf("accuracy of a linear probe on the trained encoder: %.3f\n", probe.all_labels);
  if (is_close) return 0;
  std::fprintf(stderr, "train_digits_distributed: the losses differ by more than %g\n",
               settings.tolerance);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 1;
  try {
    Process process;
    MPI_Comm_rank(MPI_COMM_WORLD, &process.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &process.count);

    CLI::App app("Trains as train_digits does, on several processes and in chunks of a batch");
    Settings settings;
    add_training_options(app, settings, 1000000);
    app.add_option("--chunk-size", settings.chunk_size,
                   "Images that go through the network at once; 0: all of a process")
        ->check(CLI::NonNegativeNumber);
    app.add_flag(
        "--compare", settings.compare,
        "Train a copy on one process with the whole batch at once, and compare the losses");
    app.add_option(
           "--tolerance", settings.tolerance,
           "Of --compare: a larger relative difference in any epoch is an error; 0: none is")
        ->check(CLI::NonNegativeNumber);
    try {
      app.parse(argc, argv);
      Eigen::setNbThreads(1);  // the processes share the cores
      status = run(settings, process);
    } catch (const CLI::ParseError& error) {
      status = process.is_first() ? app.exit(error) : error.get_exit_code();
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_digits_distributed: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);  // the others would wait for this one
  }
  MPI_Finalize();
  return status;
}
