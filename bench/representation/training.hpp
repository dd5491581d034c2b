#ifndef DECORR_BENCH_REPRESENTATION_TRAINING_HPP_
#define DECORR_BENCH_REPRESENTATION_TRAINING_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <decorr/randomization.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data.hpp"
#include "losses.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "random_numbers.hpp"
#include "storage.hpp"

namespace representation {

/// All that the numbers of a training depend on; the number of threads is not among it.
struct TrainingSettings : LossSettings {
  std::string data = "digits";
  Index training_images = 60000;
  float augmentation = 1;                   ///< how strong, over what is usual here
  Index dimension = 512, batch_size = 256;  ///< d and n
  Index encoder_width = 256, features = 256, projector_width = 256;
  int steps = 400;
  float learning_rate = 2e-3F;  ///< at its highest
  std::uint64_t seed = 0;
};

inline Json key_of(const TrainingSettings& s) {
  return {{"data", s.data},
          {"training_images", s.training_images},
          {"augmentation", s.augmentation},
          {"loss", s.loss},
          {"regularizer", s.regularizer},
          {"randomization", s.exact() ? "none" : s.randomization},
          {"exponent", s.exponent},
          {"block_size", s.block_size},
          {"weight", s.weight},
          {"dimension", s.dimension},
          {"batch_size", s.batch_size},
          {"encoder_width", s.encoder_width},
          {"features", s.features},
          {"projector_width", s.projector_width},
          {"steps", s.steps},
          {"learning_rate", s.learning_rate},
          {"seed", s.seed}};
}

/// What random numbers are for. Each purpose has sequences of its own, by the step and the image,
/// so that they need no state, and no thread draws from another's.
enum class Purpose : std::uint64_t { weights, order, view, regularizer, evaluation };

inline support::SplitMix64 random_engine(const TrainingSettings& settings, Purpose purpose,
                                         std::uint64_t step = 0, std::uint64_t row = 0) {
  return {settings.seed, static_cast<std::uint64_t>(purpose), step, row};
}

/// An encoder, whose output is the representation, and a projector, whose output the loss sees.
struct Model {
  Network<float> encoder, projector;

  Model(const TrainingSettings& s, Index pixels)
      : Model(s, pixels, Random(random_engine(s, Purpose::weights))) {}

  Matrix project(const Matrix& images, int threads) {
    return projector.forward(encoder.forward(images, Mode::evaluation, threads), Mode::evaluation,
                             threads);
  }

  template <class Visit>
  void for_each_state(const Visit& visit) {
    encoder.for_each_state(visit);
    projector.for_each_state(visit);
  }

 private:
  using Random = support::RandomNumbersOf<support::SplitMix64>;

  Model(const TrainingSettings& s, Index pixels, Random random)
      : encoder({pixels, s.encoder_width, s.features}, false, false, random),
        projector({s.features, s.projector_width, s.projector_width, s.dimension}, true, true,
                  random) {}
};

/// Two random views of each of the named images: view a of all in the upper half, view b below.
inline Matrix two_views(const ImageSets& sets, const Matrix& images, const Index* rows, Index count,
                        const TrainingSettings& settings, Purpose purpose, std::uint64_t step,
                        int threads) {
  Matrix views(2 * count, images.cols());
  const support::Augmentation most = support::scaled(sets.augmentation, settings.augmentation);
  for_each_range(2 * count, 8, threads, [&](Index first, Index some) {
    for (Index i = first; i < first + some; ++i) {
      support::RandomNumbersOf<support::SplitMix64> random(
          random_engine(settings, purpose, step, static_cast<std::uint64_t>(i)));
      const Index row = rows == nullptr ? i % count : rows[i % count];
      support::augment(most, images.row(row).data(), views.row(i).data(), random);
    }
  });
  return views;
}

/// Where the time of the steps goes, in seconds.
struct StepTimes {
  double views = 0, encoder = 0, projector = 0, loss = 0;

  double total() const { return views + encoder + projector + loss; }
};

class Stopwatch {
 public:
  /// Seconds since the last lap.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// A training that can be stopped after any step and taken up again from its state.
class Training {
 public:
  Training(const TrainingSettings& settings, const ImageSets& sets, int threads)
      : settings_(settings),
        sets_(sets),
        threads_(threads),
        model_(settings, sets.training.images.cols()),
        gradient_(2 * settings.batch_size, settings.dimension) {
    if (settings.batch_size < 2 || settings.batch_size > sets.training.images.rows()) {
      throw std::runtime_error("batch size " + std::to_string(settings.batch_size) +
                               ", expected 2 to " + std::to_string(sets.training.images.rows()) +
                               ", the number of images");
    }
  }

  void step() {
    const Index n = settings_.batch_size;
    Network<float>&encoder = model_.encoder, &projector = model_.projector;
    Stopwatch watch;

    // Both views go through the network as one matrix.
    Matrix views = two_views(sets_, sets_.training.images, batch_rows(), n, settings_,
                             Purpose::view, static_cast<std::uint64_t>(step_), threads_);
    times_.views += watch.lap();
    Matrix features = encoder.forward(std::move(views), Mode::training, threads_);
    times_.encoder += watch.lap();
    z_ = projector.forward(std::move(features), Mode::training, threads_);
    times_.projector += watch.lap();

    auto engine = random_engine(settings_, Purpose::regularizer, static_cast<std::uint64_t>(step_));
    const decorr::Regularizer regularizer =
        support::draw_regularizer(settings_, settings_.dimension, engine);
    loss_ = loss_and_gradient(settings_, regularizer, z_, gradient_, threads_);
    times_.loss += watch.lap();

    const int warm_up = std::max(1, settings_.steps / 10);
    const float rate =
        support::warm_up_and_cosine(settings_.learning_rate, warm_up, step_, settings_.steps);
    Matrix grad_features = projector.backward(gradient_, threads_);
    projector.step(rate, step_, threads_);
    times_.projector += watch.lap();
    encoder.backward(std::move(grad_features), threads_);
    encoder.step(rate, step_, threads_);
    times_.encoder += watch.lap();
    ++step_;
  }

  bool is_done() const { return step_ >= settings_.steps; }
  int steps_done() const { return step_; }
  const TrainingSettings& settings() const { return settings_; }
  const ImageSets& sets() const { return sets_; }
  int threads() const { return threads_; }
  Model& model() { return model_; }
  const StepTimes& times() const { return times_; }
  /// Of the last step.
  const LossTerms& loss() const { return loss_; }
  const Matrix& embeddings() const { return z_; }

  /// What an observer has written down, which is a part of the state.
  Json notes = Json::object();

  /// All that the steps to come depend on. Random numbers need no more than the step's.
  std::vector<std::uint8_t> state() {
    Json state = {{"key", key_of(settings_)},
                  {"step", step_},
                  {"loss", {loss_.value, loss_.regularizer}},
                  {"times", {times_.views, times_.encoder, times_.projector, times_.loss}},
                  {"notes", notes},
                  {"matrices", Json::array()}};
    model_.for_each_state([&](const Matrix& matrix) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(matrix.data());
      const std::size_t size = static_cast<std::size_t>(matrix.size()) * sizeof(float);
      state["matrices"].push_back(Json::binary(std::vector<std::uint8_t>(bytes, bytes + size)));
    });
    return Json::to_cbor(state);
  }

  /// False, and nothing changed, if the state is that of another training.
  bool restore(const std::vector<std::uint8_t>& bytes) {
    const Json state = Json::from_cbor(bytes);
    if (state.at("key") != key_of(settings_)) return false;
    read_model(state);
    step_ = state.at("step");
    loss_ = {state.at("loss")[0], state.at("loss")[1]};
    const Json& t = state.at("times");
    times_ = {t[0], t[1], t[2], t[3]};
    notes = state.at("notes");
    return true;
  }

  /// Begins with the network that another training has ended with, and nothing else of it.
  void begin_with(const std::vector<std::uint8_t>& state_of_another) {
    read_model(Json::from_cbor(state_of_another));
    const auto forget = [](support::ParameterOf<float>& parameter) {
      parameter.mean.setZero();
      parameter.variance.setZero();
    };
    model_.encoder.for_each_parameter(forget);
    model_.projector.for_each_parameter(forget);
  }

 private:
  void read_model(const Json& state) {
    std::size_t number = 0;
    model_.for_each_state([&](Matrix& matrix) {
      const auto& values = state.at("matrices").at(number++).get_binary();
      if (values.size() != static_cast<std::size_t>(matrix.size()) * sizeof(float)) {
        throw std::runtime_error("a checkpoint's matrix has another size than the network's");
      }
      std::memcpy(matrix.data(), values.data(), values.size());
    });
  }

  /// The images of this step: each epoch has its own order; what is left of it is left out.
  const Index* batch_rows() {
    const Index images = sets_.training.images.rows(), n = settings_.batch_size;
    const Index batches = images / n, epoch = step_ / batches;
    if (epoch != epoch_) {
      auto engine = random_engine(settings_, Purpose::order, static_cast<std::uint64_t>(epoch));
      order_ = decorr::random_permutation(images, engine);
      epoch_ = epoch;
    }
    return order_.data() + step_ % batches * n;
  }

  TrainingSettings settings_;
  const ImageSets& sets_;
  int threads_;
  Model model_;
  int step_ = 0;
  StepTimes times_;
  LossTerms loss_;
  Matrix z_, gradient_;
  Index epoch_ = -1;
  std::vector<Index> order_;
};

/// Where a training is kept while it runs, and how often.
struct Checkpoint {
  Path file;  ///< empty: nowhere
  double seconds = 20;
};

/// Runs a training to its end, from its checkpoint if there is one. observe(training) is called
/// before the first step and after each one.
template <class Observe>
void run(Training& training, const Checkpoint& checkpoint, Observe&& observe) {
  const bool keeps = !checkpoint.file.empty();
  const bool resumes = keeps && std::filesystem::exists(checkpoint.file) &&
                       training.restore(read_file(checkpoint.file));
  if (!resumes) observe(training);
  Stopwatch watch;
  double since_saved = 0;
  while (!training.is_done()) {
    training.step();
    observe(training);
    since_saved += watch.lap();
    if (keeps && since_saved >= checkpoint.seconds) {
      replace_file(checkpoint.file, training.state());
      since_saved = 0;
      watch.lap();
    }
  }
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_TRAINING_HPP_
