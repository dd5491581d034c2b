#ifndef DECORR_BENCH_REPRESENTATION_ROWS_HPP_
#define DECORR_BENCH_REPRESENTATION_ROWS_HPP_

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "evaluation.hpp"
#include "storage.hpp"
#include "training.hpp"

/// @file
/// A row of the results: a training, and what came out of it.

namespace representation {

inline std::string clock_text(double seconds) {
  const int whole = static_cast<int>(std::lround(seconds));
  char text[32];
  std::snprintf(text, sizeof text, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

/// A line every few seconds: how far the training is, its loss, and how long it will take.
class Progress {
 public:
  explicit Progress(std::string name = "") : name_(std::move(name)) {}

  void operator()(const Training& training) {
    since_told_ += watch_.lap();
    if (first_step_ < 0) first_step_ = training.steps_done();
    if (since_told_ < kSeconds && !training.is_done()) return;
    elapsed_ += since_told_;
    since_told_ = 0;
    const int done = training.steps_done(), left = training.settings().steps - done;
    const double a_step = elapsed_ / std::max(1, done - first_step_);
    std::printf("  %s step %d of %d, loss %.4g, regularizer %.4g, left %s\n", name_.c_str(), done,
                training.settings().steps, training.loss().value, training.loss().regularizer,
                clock_text(a_step * left).c_str());
    std::fflush(stdout);
  }

 private:
  static constexpr double kSeconds = 10;

  std::string name_;
  Stopwatch watch_;
  double since_told_ = 0, elapsed_ = 0;
  int first_step_ = -1;
};

/// What is reported of a training that has ended.
inline Json results_of(Training& training) {
  const TrainingSettings& settings = training.settings();
  const Readout readout = read_out(training.model(), training.sets(), training.threads());
  const Decorrelation reached =
      held_out_decorrelation(training.model(), training.sets(), 2048, training.threads());
  const StepTimes& times = training.times();
  const double milliseconds = 1000.0 / std::max(1, training.steps_done());
  const Matrix views =
      two_views(training.sets(), training.sets().training.images, nullptr, settings.batch_size,
                settings, Purpose::evaluation, 0, training.threads());
  const Matrix z = training.model().project(views, training.threads());
  return {{"loss", training.loss().value},
          {"regularizer", training.loss().regularizer},
          {"linear", readout.linear},
          {"neighbours", readout.neighbours},
          {"validation", readout.validation},
          {"r_off_per_pair", reached.r_off_per_pair},
          {"r_sum_per_pair", reached.r_sum_per_pair},
          {"copies", reached.copies},
          {"gradient_noise", gradient_noise(settings, z, 8, training.threads())},
          {"step_ms", times.total() * milliseconds},
          {"loss_ms", times.loss * milliseconds}};
}

/// The numbers of results_of() that are times, and so not the same in every run.
inline bool is_time(const std::string& name) {
  return name.size() > 3 && name.compare(name.size() - 3, 3, "_ms") == 0;
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// What a step costs: medians over a few steps after a first one, and the loss' memory.
inline Json costs_of(Training& training, double seconds) {
  std::vector<double> views, encoder, projector, loss, total;
  training.step();
  Stopwatch watch;
  double spent = 0;
  while (!training.is_done() && (total.size() < 3 || spent < seconds)) {
    const StepTimes before = training.times();
    training.step();
    const StepTimes& after = training.times();
    views.push_back(1000 * (after.views - before.views));
    encoder.push_back(1000 * (after.encoder - before.encoder));
    projector.push_back(1000 * (after.projector - before.projector));
    loss.push_back(1000 * (after.loss - before.loss));
    total.push_back(1000 * (after.total() - before.total()));
    spent += watch.lap();
  }
  Matrix gradient(training.embeddings().rows(), training.embeddings().cols());
  gradient.setZero();  // its pages are the caller's, not the call's
  const double memory =
      loss_memory(training.settings(), training.embeddings(), gradient, training.threads());
  return {{"steps", total.size()},         {"views_ms", median(views)},
          {"encoder_ms", median(encoder)}, {"projector_ms", median(projector)},
          {"loss_ms", median(loss)},       {"step_ms", median(total)},
          {"loss_memory", memory},         {"threads", training.threads()}};
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_ROWS_HPP_
