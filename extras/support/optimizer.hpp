#ifndef DECORR_EXTRAS_SUPPORT_OPTIMIZER_HPP_
#define DECORR_EXTRAS_SUPPORT_OPTIMIZER_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace support {

/// Weights that learn by Adam (Kingma and Ba 2015, arXiv 1412.6980). Their gradient is the sum of
/// what has been added since the last step.
template <class Scalar>
struct ParameterOf {
  using Values = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Values value, gradient, mean, variance;

  explicit ParameterOf(const Values& start)
      : value(start),
        gradient(Values::Zero(start.rows(), start.cols())),
        mean(gradient),
        variance(gradient) {}

  void step(Scalar learning_rate, int steps_done, Scalar epsilon) {
    step_rows(0, value.rows(), learning_rate, steps_done, epsilon);
  }

  /// The step of some rows alone.
  void step_rows(Eigen::Index first, Eigen::Index count, Scalar learning_rate, int steps_done,
                 Scalar epsilon) {
    const auto mean_decay = Scalar(0.9F), variance_decay = Scalar(0.999F);
    const auto steps = static_cast<Scalar>(steps_done + 1);
    const Scalar mean_bias = 1 - std::pow(mean_decay, steps);
    const Scalar variance_bias = 1 - std::pow(variance_decay, steps);
    auto g = gradient.middleRows(first, count);
    auto m = mean.middleRows(first, count), v = variance.middleRows(first, count);
    m += (1 - mean_decay) * (g - m);
    v += (1 - variance_decay) * (g.cwiseAbs2() - v);
    value.middleRows(first, count).array() -=
        learning_rate / mean_bias * m.array() / ((v.array() / variance_bias).sqrt() + epsilon);
    g.setZero();
  }
};

/// Rises to `peak` over the first warm_up steps, then falls to zero along a cosine.
inline float warm_up_and_cosine(float peak, int warm_up, int step, int steps) {
  const float done = static_cast<float>(step) / static_cast<float>(steps);
  const float rising = std::min(1.0F, static_cast<float>(step + 1) / static_cast<float>(warm_up));
  return peak * rising * 0.5F * (1 + std::cos(3.14159265F * done));
}

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_OPTIMIZER_HPP_
