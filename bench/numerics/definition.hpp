#ifndef DECORR_BENCH_NUMERICS_DEFINITION_HPP_
#define DECORR_BENCH_NUMERICS_DEFINITION_HPP_

#include <Eigen/Core>
#include <boost/multiprecision/eigen.hpp>
#include <boost/multiprecision/mpfr.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <decorr/options.hpp>
#include <vector>

/// @file
/// The losses as they are defined, with their gradients as automatic differentiation has them, in
/// any type of number: two passes for the moments, C = A^T B / m as a product of matrices, the
/// regularizer's derivative by each entry of C, and back through C, scaling and centring. O(n d^2).
/// No transform, no Gram matrix, no formula of the library's.
///
/// In Exact numbers this is what errors are measured against; in the library's scalar it is the
/// textbook route, beside which the library's errors are shown.

namespace decorr_numerics {

using Eigen::Index;

/// Fifty decimal digits, by MPFR.
using Exact = boost::multiprecision::number<
    boost::multiprecision::mpfr_float_backend<50, boost::multiprecision::allocate_stack>,
    boost::multiprecision::et_off>;

template <class Number>
using Matrix = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic>;
template <class Number>
using Vector = Eigen::Matrix<Number, Eigen::Dynamic, 1>;

/// What becomes of raw embeddings before a regularizer sees them.
enum class Preparation { none, centred, standardized };

/// One view after that. Without preparation the mean is 0 and the deviation 1.
template <class Number>
struct View {
  Matrix<Number> rows;
  Vector<Number> mean, deviation;  ///< sqrt(variance + epsilon)
};

/// The variance is the sum of squares over `degrees`. A deviation of zero leaves a feature of
/// zeros.
template <class Number>
View<Number> prepared(const Matrix<Number>& z, Preparation preparation, Number degrees,
                      Number epsilon, Number least) {
  using std::sqrt;
  View<Number> view{z, Vector<Number>::Zero(z.cols()), Vector<Number>::Ones(z.cols())};
  if (preparation == Preparation::none) return view;
  for (Index j = 0; j < z.cols(); ++j) {
    view.mean[j] = z.col(j).sum() / static_cast<Number>(z.rows());
    view.rows.col(j).array() -= view.mean[j];
    view.deviation[j] = sqrt(Number(view.rows.col(j).squaredNorm() / degrees + epsilon));
    if (preparation != Preparation::standardized) continue;
    if (view.deviation[j] > 0 && view.deviation[j] >= least) {
      view.rows.col(j) /= view.deviation[j];
    } else {
      view.deviation[j] = 0;
      view.rows.col(j).setZero();
    }
  }
  return view;
}

/// Where the lag sums of a regularizer are: feature `feature[j]` of the views at position j, times
/// the views' signs; positions in blocks of `block_size`. Exact is Relaxed with blocks of one.
class Lags {
 public:
  Lags(const decorr::Relaxed* relaxed, Index features, bool is_covariance)
      : features_(features),
        exponent_(relaxed == nullptr ? 2 : relaxed->exponent),
        block_size_(relaxed == nullptr         ? 1
                    : relaxed->block_size == 0 ? features
                                               : relaxed->block_size),
        blocks_((features + block_size_ - 1) / block_size_) {
    for (Index j = 0; j < features; ++j) {
      const bool permuted = relaxed != nullptr && !relaxed->permutation.empty();
      feature_.push_back(permuted ? relaxed->permutation[static_cast<std::size_t>(j)] : j);
    }
    if (relaxed != nullptr) {
      signs_a_ = relaxed->signs_a;
      signs_b_ = relaxed->signs_b;
    }
    halves_middle_ = is_covariance && !signs_a_.empty();
  }

  int exponent() const { return exponent_; }
  Index block_size() const { return block_size_; }
  Index blocks() const { return blocks_; }

  /// Of one view's covariance: both factors have its signs.
  Lags of_view(bool second) const {
    Lags lags = *this;
    (second ? lags.signs_a_ : lags.signs_b_) = second ? signs_b_ : signs_a_;
    return lags;
  }

  /// Calls body(weight, entries) for every lag sum that has entries, where entries(add) calls
  /// add(sign, row, column) for the entries of C in it.
  template <class Body>
  void for_each(const Body& body) const {
    for (Index g = 0; g < blocks_; ++g) {
      for (Index h = 0; h < blocks_; ++h) {
        for (Index lag = g == h ? 1 : 0; lag < block_size_; ++lag) {
          if (!has_entries(g, h, lag)) continue;
          const bool counts_half = halves_middle_ && g == h && 2 * lag == block_size_;
          body(counts_half ? 0.5 : 1.0, [&](const auto& add) {
            for (Index i = 0; i < block_size_; ++i) {
              const Index j = g * block_size_ + i, l = h * block_size_ + (i + lag) % block_size_;
              if (j < features_ && l < features_) {
                const Index row = feature_[static_cast<std::size_t>(j)];
                const Index column = feature_[static_cast<std::size_t>(l)];
                add(sign(signs_a_, row) * sign(signs_b_, column), row, column);
              }
            }
          });
        }
      }
    }
  }

 private:
  /// Blocks that reach beyond the last feature may have none.
  bool has_entries(Index g, Index h, Index lag) const {
    for (Index i = 0; i < block_size_; ++i) {
      const Index j = g * block_size_ + i, l = h * block_size_ + (i + lag) % block_size_;
      if (j < features_ && l < features_) return true;
    }
    return false;
  }
  static int sign(const std::vector<std::int8_t>& signs, Index feature) {
    return signs.empty() ? 1 : signs[static_cast<std::size_t>(feature)];
  }

  Index features_;
  int exponent_;
  Index block_size_, blocks_;
  std::vector<Index> feature_;
  std::vector<std::int8_t> signs_a_, signs_b_;
  bool halves_middle_ = false;
};

/// R(C) and its derivatives by the views of C = A^T B / m; of a covariance that by A is the whole.
template <class Number>
struct Regularized {
  Number value{0};
  Matrix<Number> grad_a, grad_b;
  std::vector<Number> lag_sums;
};

template <class Number>
Regularized<Number> regularized(const Lags& lags, const Matrix<Number>& a, const Matrix<Number>& b,
                                Number m) {
  using std::abs;
  const Matrix<Number> c = a.transpose() * b / m;
  Matrix<Number> slope = Matrix<Number>::Zero(c.rows(), c.cols());
  Regularized<Number> result;
  lags.for_each([&](double weight, const auto& entries) {
    Number sum(0);
    entries([&](int sign, Index row, Index column) {
      sum += static_cast<Number>(sign) * c(row, column);
    });
    const bool squares = lags.exponent() == 2;
    const auto counts = static_cast<Number>(weight);
    result.value += counts * (squares ? Number(sum * sum) : Number(abs(sum)));
    const Number side(sum > 0 ? 1 : sum < 0 ? -1 : 0);
    const Number derivative = counts * (squares ? Number(2 * sum) : side);
    entries([&](int sign, Index row, Index column) {
      slope(row, column) += static_cast<Number>(sign) * derivative;
    });
    result.lag_sums.push_back(sum);
  });
  result.grad_a = b * slope.transpose() / m;
  result.grad_b = a * slope / m;
  return result;
}

/// From the derivative by prepared rows to that by raw ones.
template <class Number>
Matrix<Number> through_preparation(const View<Number>& view, Preparation preparation,
                                   const Matrix<Number>& gradient) {
  Matrix<Number> result = gradient;
  if (preparation == Preparation::none) return result;
  const auto n = static_cast<Number>(gradient.rows());
  for (Index j = 0; j < gradient.cols(); ++j) {
    const Number mean = gradient.col(j).sum() / n;
    result.col(j).array() -= mean;
    if (preparation == Preparation::standardized) {
      const Number slope = gradient.col(j).dot(view.rows.col(j)) / n;
      result.col(j) -= slope * view.rows.col(j);
      if (view.deviation[j] > 0) {
        result.col(j) /= view.deviation[j];
      } else {
        result.col(j).setZero();
      }
    }
  }
  return result;
}

/// A loss, its gradients, and what it was made of, which its bounds are made of.
template <class Number>
struct Defined {
  Number value{0};
  Matrix<Number> grad_a, grad_b;
  View<Number> a, b;
  Regularized<Number> of_a, of_b;  ///< of a cross-correlation the first alone
  Vector<Number> diagonal;         ///< C_ii
  Number invariance{0};            ///< mean((A - B)^2)
};

/// r_off, r_sum.
template <class Number>
Defined<Number> regularizer(const Matrix<Number>& z_a, const Matrix<Number>& z_b,
                            const decorr::Relaxed* relaxed) {
  Defined<Number> result;
  result.a = prepared<Number>(z_a, Preparation::none, Number(1), Number(0), Number(0));
  result.b = prepared<Number>(z_b, Preparation::none, Number(1), Number(0), Number(0));
  result.of_a =
      regularized(Lags(relaxed, z_a.cols(), false), z_a, z_b, static_cast<Number>(z_a.rows()));
  result.value = result.of_a.value;
  result.grad_a = result.of_a.grad_a;
  result.grad_b = result.of_a.grad_b;
  return result;
}

template <class Number>
Defined<Number> barlow_twins(const Matrix<Number>& z_a, const Matrix<Number>& z_b,
                             const decorr::BarlowTwinsOptions& options,
                             const decorr::Relaxed* relaxed, Number least_deviation) {
  const auto n = static_cast<Number>(z_a.rows()), scale = static_cast<Number>(options.scale);
  const Number weight = scale * static_cast<Number>(options.lambda);
  const auto epsilon = static_cast<Number>(options.epsilon);
  const auto preparation = options.standardize ? Preparation::standardized : Preparation::none;
  Defined<Number> result;
  result.a = prepared<Number>(z_a, preparation, n, epsilon, least_deviation);
  result.b = prepared<Number>(z_b, preparation, n, epsilon, least_deviation);
  const Matrix<Number>&a = result.a.rows, &b = result.b.rows;
  result.of_a = regularized(Lags(relaxed, z_a.cols(), false), a, b, n);
  result.diagonal = Vector<Number>(z_a.cols());
  Matrix<Number> grad_a = weight * result.of_a.grad_a, grad_b = weight * result.of_a.grad_b;
  Number diagonal(0);
  for (Index j = 0; j < z_a.cols(); ++j) {
    result.diagonal[j] = a.col(j).dot(b.col(j)) / n;
    const Number gap = 1 - result.diagonal[j];
    diagonal += gap * gap;
    const Number slope = -2 * scale * gap / n;
    grad_a.col(j) += slope * b.col(j);
    grad_b.col(j) += slope * a.col(j);
  }
  result.value = scale * diagonal + weight * result.of_a.value;
  result.grad_a = through_preparation(result.a, preparation, grad_a);
  result.grad_b = through_preparation(result.b, preparation, grad_b);
  return result;
}

/// Variance and covariance of one view, added to a result; `variance_weight` is that of its V.
template <class Number>
void add_view(const View<Number>& view, const decorr::VicregOptions& options,
              Number variance_weight, const Lags& lags, Regularized<Number>& covariance,
              Number& value, Matrix<Number>& gradient) {
  const auto d = static_cast<Number>(view.rows.cols());
  const auto m = static_cast<Number>(view.rows.rows() - 1);
  const auto gamma = static_cast<Number>(options.gamma);
  covariance = regularized(lags, view.rows, view.rows, m);
  const Number weight =
      static_cast<Number>(options.scale) * static_cast<Number>(options.covariance) / d;
  value += weight * covariance.value;
  gradient += weight * through_preparation(view, Preparation::centred,
                                           Matrix<Number>(covariance.grad_a + covariance.grad_b));
  for (Index j = 0; j < view.rows.cols(); ++j) {
    const Number gap = gamma - view.deviation[j];
    if (gap > 0) {
      value += variance_weight * gap / d;
      // A constant feature's derivative is zero.
      const Number sigma = view.deviation[j] > 0 ? view.deviation[j] : Number(1);
      gradient.col(j) -= variance_weight / (d * m * sigma) * view.rows.col(j);
    }
  }
}

template <class Number>
Defined<Number> variance_covariance(const Matrix<Number>& z, const decorr::VicregOptions& options,
                                    const decorr::Relaxed* relaxed) {
  Defined<Number> result;
  result.a = prepared<Number>(z, Preparation::centred, static_cast<Number>(z.rows() - 1),
                              static_cast<Number>(options.epsilon), Number(0));
  result.grad_a = Matrix<Number>::Zero(z.rows(), z.cols());
  add_view<Number>(
      result.a, options, static_cast<Number>(options.scale) * static_cast<Number>(options.variance),
      Lags(relaxed, z.cols(), true).of_view(false), result.of_a, result.value, result.grad_a);
  return result;
}

template <class Number>
Defined<Number> vicreg(const Matrix<Number>& z_a, const Matrix<Number>& z_b,
                       const decorr::VicregOptions& options, const decorr::Relaxed* relaxed) {
  const auto m = static_cast<Number>(z_a.rows() - 1);
  const auto epsilon = static_cast<Number>(options.epsilon);
  const auto scale = static_cast<Number>(options.scale);
  Defined<Number> result;
  result.a = prepared<Number>(z_a, Preparation::centred, m, epsilon, Number(0));
  result.b = prepared<Number>(z_b, Preparation::centred, m, epsilon, Number(0));
  const Matrix<Number> apart = z_a - z_b;
  const auto size = static_cast<Number>(z_a.size());
  const Number weight = scale * static_cast<Number>(options.invariance);
  result.invariance = apart.squaredNorm() / size;
  result.value = weight * result.invariance;
  result.grad_a = 2 * weight / size * apart;
  result.grad_b = -result.grad_a;
  const Number variance =
      scale * static_cast<Number>(options.variance) / Number(options.sum_variance ? 1 : 2);
  const Lags lags(relaxed, z_a.cols(), true);
  add_view<Number>(result.a, options, variance, lags.of_view(false), result.of_a, result.value,
                   result.grad_a);
  add_view<Number>(result.b, options, variance, lags.of_view(true), result.of_b, result.value,
                   result.grad_b);
  return result;
}

}  // namespace decorr_numerics

#endif  // DECORR_BENCH_NUMERICS_DEFINITION_HPP_
