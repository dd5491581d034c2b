#ifndef DECORR_BENCH_REPRESENTATION_ROWS_HPP_
#define DECORR_BENCH_REPRESENTATION_ROWS_HPP_

#include <algorithm>
#include <cstdio>
#include <string>

#include "evaluation.hpp"
#include "storage.hpp"
#include "training.hpp"

/// @file
/// A row of the results: a training, and what came out of it.

namespace representation {

inline std::string clock_text(double seconds) {
  const int whole = static_cast<int>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

/// A line every few seconds: how far the training is, its loss, and how long it will take.
class Progress {
 public:
  void operator()(const Training& training) {
    since_told_ += watch_.lap();
    if (first_step_ < 0) first_step_ = training.steps_done();
    if (since_told_ < kSeconds && !training.is_done()) return;
    elapsed_ += since_told_;
    since_told_ = 0;
    const int done = training.steps_done(), left = training.settings().steps - done;
    const double a_step = elapsed_ / std::max(1, done - first_step_);
    std::printf("  step %d of %d, loss %.4g, regularizer %.4g, left %s\n", done,
                training.settings().steps, training.loss().value, training.loss().regularizer,
                clock_text(a_step * left).c_str());
    std::fflush(stdout);
  }

 private:
  static constexpr double kSeconds = 10;

  Stopwatch watch_;
  double since_told_ = 0, elapsed_ = 0;
  int first_step_ = -1;
};

/// What is reported of a training that has ended.
inline Json results_of(Training& training) {
  const TrainingSettings& settings = training.settings();
  const Evaluation evaluation = evaluate(training.model(), training.sets(), training.threads());
  const StepTimes& times = training.times();
  const double milliseconds = 1000.0 / std::max(1, training.steps_done());
  Matrix gradient(2 * settings.batch_size, settings.dimension);
  const Matrix z = training.model().project(
      two_views(training.sets(), training.sets().training.images, nullptr, settings.batch_size,
                settings, Purpose::evaluation, 0, training.threads()),
      training.threads());
  return {{"loss", training.loss().value},
          {"regularizer", training.loss().regularizer},
          {"linear", evaluation.linear},
          {"neighbours", evaluation.neighbours},
          {"validation", evaluation.validation},
          {"r_off_per_pair", evaluation.decorrelation.r_off_per_pair},
          {"r_sum_per_pair", evaluation.decorrelation.r_sum_per_pair},
          {"copies", evaluation.decorrelation.copies},
          {"gradient_noise", gradient_noise(settings, z, 8, training.threads())},
          {"memory", loss_memory(settings, z, gradient, training.threads())},
          {"views_ms", times.views * milliseconds},
          {"encoder_ms", times.encoder * milliseconds},
          {"projector_ms", times.projector * milliseconds},
          {"loss_ms", times.loss * milliseconds},
          {"step_ms", times.total() * milliseconds},
          {"threads", training.threads()}};
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_ROWS_HPP_
