#ifndef DECORR_BENCH_REPRESENTATION_NETWORK_HPP_
#define DECORR_BENCH_REPRESENTATION_NETWORK_HPP_

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "optimizer.hpp"
#include "parallel.hpp"

/// @file
/// Layers with their backward passes, for whatever scalar: the tests compare them in double with
/// central differences. Matrices have a sample a row. A layer keeps what its backward pass needs of
/// the last forward pass.

namespace representation {

template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// training: a batch is normalized by its own moments. evaluation: by those of the batches before.
enum class Mode { training, evaluation };

/// output = input * weights. No bias: what follows takes the mean away, be it a normalization or
/// the loss.
template <class Scalar>
class DenseLayer {
 public:
  using Matrix = MatrixOf<Scalar>;

  // He et al. 2015, arXiv 1502.01852: keeps the scale of the activations through rectified layers.
  template <class Random>
  DenseLayer(Index inputs, Index outputs, Random& random)
      : weights_(Matrix::NullaryExpr(inputs, outputs, [&] {
          return static_cast<Scalar>(std::sqrt(2 / static_cast<float>(inputs)) * random.normal());
        })) {}

  Matrix forward(Matrix input, int threads) {
    input_ = std::move(input);
    Matrix output(input_.rows(), weights_.value.cols());
    multiply(input_, weights_.value, output, threads);
    return output;
  }

  /// Sets the gradient of the weights, and returns that of the input, if it is wanted.
  Matrix backward(const Matrix& grad_output, bool wants_grad_input, int threads) {
    multiply(input_.transpose(), grad_output, weights_.gradient, threads);
    Matrix grad_input;
    if (wants_grad_input) {
      grad_input.resize(input_.rows(), input_.cols());
      multiply(grad_output, weights_.value.transpose(), grad_input, threads);
    }
    return grad_input;
  }

  template <class Visit>
  void for_each_parameter(const Visit& visit) {
    visit(weights_);
  }

 private:
  support::ParameterOf<Scalar> weights_;
  Matrix input_;
};

/// output = max(0, gain * x' + shift), where x' is the input with mean 0 and variance 1 in each
/// column: batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167), then a rectifier.
template <class Scalar>
class NormalizedRectifier {
 public:
  using Matrix = MatrixOf<Scalar>;
  using Row = Eigen::Array<Scalar, 1, Eigen::Dynamic>;

  explicit NormalizedRectifier(Index features)
      : gain_(Matrix::Ones(1, features)),
        shift_(Matrix::Zero(1, features)),
        mean_(Matrix::Zero(1, features)),
        deviation_(Matrix::Ones(1, features)),
        running_mean_(Matrix::Zero(1, features)),
        running_variance_(Matrix::Ones(1, features)) {}

  Matrix forward(Matrix input, Mode mode, int threads) {
    normalized_ = std::move(input);
    Matrix output(normalized_.rows(), normalized_.cols());
    for_each_strip(threads, [&](Index first, Index width) {
      if (mode == Mode::training) take_moments(first, width);
      const Row mean = (mode == Mode::training ? mean_ : running_mean_).middleCols(first, width);
      const Row scale =
          mode == Mode::training
              ? Row(1 / deviation_.middleCols(first, width).array())
              : Row(1 / (running_variance_.middleCols(first, width).array() + kEpsilon).sqrt());
      for (Index i = 0; i < output.rows(); ++i) {
        auto x = normalized_.row(i).segment(first, width).array();
        x = (x - mean) * scale;
        output.row(i).segment(first, width) = affine(first, width, x).max(Scalar(0)).matrix();
      }
    });
    return output;
  }

  /// Of a pass in training mode: sets the gradients of gain and shift, and turns that of the output
  /// into that of the input.
  Matrix backward(Matrix gradient, int threads) {
    const auto count = static_cast<Scalar>(gradient.rows());
    for_each_strip(threads, [&](Index first, Index width) {
      Row shift_gradient = Row::Zero(width), gain_gradient = Row::Zero(width);
      for (Index i = 0; i < gradient.rows(); ++i) {
        auto g = gradient.row(i).segment(first, width).array();
        const auto x = normalized_.row(i).segment(first, width).array();
        g *= (affine(first, width, x) > 0).template cast<Scalar>();
        shift_gradient += g;
        gain_gradient += g * x;
      }
      const Row factor = gain_.value.middleCols(first, width).array() /
                         deviation_.middleCols(first, width).array();
      for (Index i = 0; i < gradient.rows(); ++i) {
        auto g = gradient.row(i).segment(first, width).array();
        const auto x = normalized_.row(i).segment(first, width).array();
        g = factor * (g - (shift_gradient + x * gain_gradient) / count);
      }
      shift_.gradient.middleCols(first, width) = shift_gradient.matrix();
      gain_.gradient.middleCols(first, width) = gain_gradient.matrix();
    });
    return gradient;
  }

  template <class Visit>
  void for_each_parameter(const Visit& visit) {
    visit(gain_);
    visit(shift_);
  }
  template <class Visit>
  void for_each_statistic(const Visit& visit) {
    visit(running_mean_);
    visit(running_variance_);
  }

 private:
  static constexpr Scalar kEpsilon = Scalar(1e-5), kMomentum = Scalar(0.1);  // PyTorch's defaults

  /// Features are apart from each other: threads take strips of columns.
  template <class Work>
  void for_each_strip(int threads, const Work& work) {
    for_each_range(normalized_.cols(), 64, threads, work);
  }

  template <class Values>
  auto affine(Index first, Index width, const Values& x) const {
    return gain_.value.row(0).segment(first, width).array() * x +
           shift_.value.row(0).segment(first, width).array();
  }

  void take_moments(Index first, Index width) {
    const Index n = normalized_.rows();
    Row mean = Row::Zero(width), squares = Row::Zero(width);
    for (Index i = 0; i < n; ++i) mean += normalized_.row(i).segment(first, width).array();
    mean /= static_cast<Scalar>(n);
    for (Index i = 0; i < n; ++i) {
      squares += (normalized_.row(i).segment(first, width).array() - mean).square();
    }
    const Row variance = squares / static_cast<Scalar>(n);
    mean_.middleCols(first, width) = mean.matrix();
    deviation_.middleCols(first, width) = (variance + kEpsilon).sqrt().matrix();
    auto running_mean = running_mean_.middleCols(first, width);
    auto running_variance = running_variance_.middleCols(first, width);
    running_mean += kMomentum * (mean.matrix() - running_mean);
    running_variance += kMomentum * (variance.matrix() - running_variance);
  }

  support::ParameterOf<Scalar> gain_, shift_;
  Matrix mean_, deviation_, running_mean_, running_variance_;
  Matrix normalized_;
};

/// Dense layers one after another, each normalized and rectified but for the last one if
/// `ends_in_dense`.
template <class Scalar>
class Network {
 public:
  using Matrix = MatrixOf<Scalar>;

  /// Without `wants_grad_input` backward() returns nothing: of images no gradient is needed.
  template <class Random>
  Network(const std::vector<Index>& widths, bool ends_in_dense, bool wants_grad_input,
          Random& random)
      : wants_grad_input_(wants_grad_input) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const bool is_bare = ends_in_dense && i + 2 == widths.size();
      stages_.push_back({DenseLayer<Scalar>(widths[i], widths[i + 1], random), std::nullopt});
      if (!is_bare) stages_.back().rectifier.emplace(widths[i + 1]);
    }
  }

  Matrix forward(Matrix x, Mode mode, int threads) {
    for (Stage& stage : stages_) {
      x = stage.dense.forward(std::move(x), threads);
      if (stage.rectifier) x = stage.rectifier->forward(std::move(x), mode, threads);
    }
    return x;
  }

  Matrix backward(Matrix gradient, int threads) {
    for (std::size_t i = stages_.size(); i-- > 0;) {
      Stage& stage = stages_[i];
      if (stage.rectifier) gradient = stage.rectifier->backward(std::move(gradient), threads);
      gradient = stage.dense.backward(gradient, i > 0 || wants_grad_input_, threads);
    }
    return gradient;
  }

  void step(Scalar learning_rate, int steps_done, int threads) {
    for_each_parameter([&](support::ParameterOf<Scalar>& parameter) {
      for_each_range(parameter.value.rows(), 32, threads, [&](Index first, Index count) {
        parameter.step_rows(first, count, learning_rate, steps_done, Scalar(1e-8F));
      });
    });
  }

  template <class Visit>
  void for_each_parameter(const Visit& visit) {
    for (Stage& stage : stages_) {
      stage.dense.for_each_parameter(visit);
      if (stage.rectifier) stage.rectifier->for_each_parameter(visit);
    }
  }

  /// visit(Matrix&) of all that a step changes and a later one depends on.
  template <class Visit>
  void for_each_state(const Visit& visit) {
    for_each_parameter([&](support::ParameterOf<Scalar>& parameter) {
      visit(parameter.value);
      visit(parameter.mean);
      visit(parameter.variance);
    });
    for (Stage& stage : stages_) {
      if (stage.rectifier) stage.rectifier->for_each_statistic(visit);
    }
  }

 private:
  struct Stage {
    DenseLayer<Scalar> dense;
    std::optional<NormalizedRectifier<Scalar>> rectifier;
  };

  std::vector<Stage> stages_;
  bool wants_grad_input_;
};

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_NETWORK_HPP_
