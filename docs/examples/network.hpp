#ifndef DECORR_EXAMPLES_NETWORK_HPP_
#define DECORR_EXAMPLES_NETWORK_HPP_

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <vector>

#include "images.hpp"
#include "optimizer.hpp"
#include "random_numbers.hpp"

namespace example {

using support::Matrix;
using support::RandomNumbers;
using Parameter = support::ParameterOf<float>;

/// Weights to start from, inputs x outputs. He et al. 2015, arXiv 1502.01852: keeps the scale of
/// the activations through rectified layers.
inline Matrix random_weights(Eigen::Index inputs, Eigen::Index outputs, RandomNumbers& random) {
  const float scale = std::sqrt(2 / static_cast<float>(inputs));
  return Matrix::NullaryExpr(inputs, outputs, [&] { return scale * random.normal(); });
}

/// output = input * weights + bias, then max(0, output) if `rectified`.
class DenseLayer {
 public:
  DenseLayer(Eigen::Index inputs, Eigen::Index outputs, bool rectified, RandomNumbers& random)
      : weights_(random_weights(inputs, outputs, random)),
        bias_(Matrix::Zero(1, outputs)),
        rectified_(rectified) {}

  const Matrix& forward(const Matrix& input) {
    input_ = input;
    output_.noalias() = input * weights_.value;
    output_.rowwise() += bias_.value.row(0);
    if (rectified_) output_ = output_.cwiseMax(0.0F);
    return output_;
  }

  /// From the gradient with respect to the last output: those of the weights, which are added to
  /// theirs, and that of the input, which is returned.
  Matrix backward(Matrix grad_output) {
    if (rectified_) grad_output.array() *= (output_.array() > 0).cast<float>();
    weights_.gradient.noalias() += input_.transpose() * grad_output;
    bias_.gradient += grad_output.colwise().sum();
    return grad_output * weights_.value.transpose();
  }

  template <class Visit>
  void for_each_gradient(const Visit& visit) {
    visit(weights_.gradient);
    visit(bias_.gradient);
  }

  void step(float learning_rate, int steps_done, float epsilon) {
    weights_.step(learning_rate, steps_done, epsilon);
    bias_.step(learning_rate, steps_done, epsilon);
  }

 private:
  Parameter weights_, bias_;
  bool rectified_;
  Matrix input_, output_;
};

/// Dense layers one after another, rectified but for the last if `rectified_output` is false.
class Network {
 public:
  Network(const std::vector<Eigen::Index>& widths, bool rectified_output, RandomNumbers& random) {
    layers_.reserve(widths.size());
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const bool is_last = i + 2 == widths.size();
      layers_.emplace_back(widths[i], widths[i + 1], !is_last || rectified_output, random);
    }
  }

  Matrix forward(Matrix activations) {
    for (DenseLayer& layer : layers_) activations = layer.forward(activations);
    return activations;
  }

  /// The gradient with respect to the last forward's input. Those of the weights add up until
  /// step().
  Matrix backward(Matrix gradient) {
    for (std::size_t i = layers_.size(); i-- > 0;) gradient = layers_[i].backward(gradient);
    return gradient;
  }

  /// visit(Matrix&) of the weights' gradients, in the same order every time.
  template <class Visit>
  void for_each_gradient(const Visit& visit) {
    for (DenseLayer& layer : layers_) layer.for_each_gradient(visit);
  }

  void step(float learning_rate, int steps_done, float epsilon = 1e-8F) {
    for (DenseLayer& layer : layers_) layer.step(learning_rate, steps_done, epsilon);
  }

 private:
  std::vector<DenseLayer> layers_;
};

}  // namespace example

#endif  // DECORR_EXAMPLES_NETWORK_HPP_
