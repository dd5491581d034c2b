#ifndef DECORR_TESTS_SUPPORT_NAIVE_HPP_
#define DECORR_TESTS_SUPPORT_NAIVE_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <decorr/losses.hpp>
#include <decorr/options.hpp>
#include <variant>
#include <vector>

/// @file
/// The definitions as they are written, in long double and in O(n d^2): C is formed, and its
/// entries are summed lag by lag and block by block. No transform, no Gram matrix, no formula of
/// the library's.

namespace decorr_tests {

using Eigen::Index;
using Real = long double;
using RealMatrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;

/// The regularizer of a loss, chosen at run time.
using Regularizer = std::variant<decorr::Exact, decorr::Relaxed>;

namespace naive {

/// How far from its kink, and on which side, every absolute value (q = 1) and every hinge is.
/// Between two points on the same sides the function is smooth.
using Sides = std::vector<Real>;

inline void note(Sides* sides, Real distance) {
  if (sides != nullptr) {
    sides->push_back(distance);
  }
}
inline bool are_the_same(const Sides& x, const Sides& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](Real of_x, Real of_y) { return (of_x > 0) == (of_y > 0); });
}

/// A^T B / m.
inline RealMatrix correlation(const RealMatrix& a, const RealMatrix& b, Real m) {
  RealMatrix c(a.cols(), b.cols());
  for (Index i = 0; i < a.cols(); ++i) {
    const Real* left = a.data() + i * a.rows();
    for (Index j = 0; j < b.cols(); ++j) {
      const Real* right = b.data() + j * b.rows();
      Real sum = 0;
      for (Index k = 0; k < a.rows(); ++k) {
        sum += left[k] * right[k];
      }
      c(i, j) = sum / m;
    }
  }
  return c;
}

/// Sum over j of C_{j, (j+i) mod width} in one block of C.
inline Real lag_sum(const RealMatrix& c, Index first_row, Index first_col, Index width, Index lag) {
  Real sum = 0;
  for (Index j = 0; j < width; ++j) {
    sum += c.coeff(first_row + j, first_col + (j + lag) % width);
  }
  return sum;
}

inline Real sum_of_squares_above_diagonal(const RealMatrix& c) {
  Real sum = 0;
  for (Index i = 0; i < c.rows(); ++i) {
    for (Index j = i + 1; j < c.cols(); ++j) {
      sum += c(i, j) * c(i, j);
    }
  }
  return sum;
}

/// What R is taken of: C = left^T right / normalizer.
struct Views {
  const RealMatrix &left, &right;
  const std::vector<std::int8_t>&left_signs, &right_signs;
  Real normalizer;
  bool is_covariance;
  decorr::CovarianceScaling scaling;
};

inline Real evaluate(const decorr::Exact&, const Views& views, Sides*) {
  const RealMatrix c = correlation(views.left, views.right, views.normalizer);
  const Real above = sum_of_squares_above_diagonal(c);
  if (views.scaling == decorr::CovarianceScaling::per_dimension) {
    return above + sum_of_squares_above_diagonal(c.transpose());
  }
  // Blocks of one feature: twice the mean over those above the diagonal.
  const auto d = static_cast<Real>(c.cols());
  return c.cols() == 1 ? 0 : 2 * above / (d * (d - 1) / 2);
}

/// Permuted, signed, and padded with zero features to a multiple of the block size.
inline RealMatrix arranged(const RealMatrix& x, const std::vector<Index>& permutation,
                           const std::vector<std::int8_t>& signs, Index padded) {
  RealMatrix result = RealMatrix::Zero(x.rows(), padded);
  for (Index j = 0; j < x.cols(); ++j) {
    const Index feature = permutation.empty() ? j : permutation[static_cast<std::size_t>(j)];
    const Real sign = signs.empty() ? 1 : signs[static_cast<std::size_t>(feature)];
    result.col(j) = sign * x.col(feature);
  }
  return result;
}

inline Real evaluate(const decorr::Relaxed& relaxed, const Views& views, Sides* sides) {
  const bool block_mean = views.scaling == decorr::CovarianceScaling::block_mean;
  const Index d = views.left.cols();
  const Index b = relaxed.block_size == 0 ? d : relaxed.block_size;
  const Index blocks = (d + b - 1) / b;
  const Index last_width = d - (blocks - 1) * b;
  const RealMatrix c = correlation(
      arranged(views.left, relaxed.permutation, views.left_signs, blocks * b),
      arranged(views.right, relaxed.permutation, views.right_signs, blocks * b), views.normalizer);
  Real diagonal_blocks = 0, lower_blocks = 0, upper_blocks = 0;
  for (Index g = 0; g < blocks; ++g) {
    for (Index h = 0; h < blocks; ++h) {
      const bool touches_last = g == blocks - 1 || h == blocks - 1;
      const auto width = static_cast<Real>(touches_last ? last_width : b);
      Real block = 0;
      for (Index lag = g == h ? 1 : 0; lag < b; ++lag) {
        const Real sum = lag_sum(c, g * b, h * b, b, lag) / (block_mean ? width : 1);
        const bool counted_twice =
            views.is_covariance && !views.left_signs.empty() && g == h && 2 * lag == b;
        const Real power = relaxed.exponent == 1 ? std::abs(sum) : sum * sum;
        block += counted_twice ? power / 2 : power;
        if (relaxed.exponent == 1) {
          note(sides, sum);
        }
      }
      (g == h ? diagonal_blocks : g < h ? upper_blocks : lower_blocks) += block;
    }
  }
  if (!block_mean) {
    return diagonal_blocks + lower_blocks + upper_blocks;
  }
  const auto count = static_cast<Real>(blocks);
  return diagonal_blocks / count + (blocks == 1 ? 0 : 2 * upper_blocks / (count * (count - 1) / 2));
}

inline Real evaluate(const Regularizer& regularizer, const Views& views, Sides* sides) {
  return std::visit([&](const auto& choice) { return evaluate(choice, views, sides); },
                    regularizer);
}

struct Signs {
  std::vector<std::int8_t> a, b;
};
inline Signs signs_of(const Regularizer& regularizer) {
  const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
  return relaxed == nullptr ? Signs() : Signs{relaxed->signs_a, relaxed->signs_b};
}

/// R(A^T B / n): r_off, or r_sum.
inline Real cross_correlation_regularizer(const RealMatrix& a, const RealMatrix& b,
                                          const Regularizer& regularizer, Sides* sides = nullptr) {
  const Signs signs = signs_of(regularizer);
  return evaluate(regularizer,
                  {a, b, signs.a, signs.b, static_cast<Real>(a.rows()), false,
                   decorr::CovarianceScaling::per_dimension},
                  sides);
}

inline RealMatrix sumvec(const RealMatrix& a, const RealMatrix& b) {
  const RealMatrix c = correlation(a, b, static_cast<Real>(a.rows()));
  RealMatrix result(a.cols(), 1);
  for (Index lag = 0; lag < a.cols(); ++lag) {
    result(lag, 0) = lag_sum(c, 0, 0, a.cols(), lag);
  }
  return result;
}

inline RealMatrix centred(const RealMatrix& x) {
  RealMatrix result(x.rows(), x.cols());
  for (Index j = 0; j < x.cols(); ++j) {
    Real sum = 0;
    for (Index k = 0; k < x.rows(); ++k) {
      sum += x(k, j);
    }
    for (Index k = 0; k < x.rows(); ++k) {
      result(k, j) = x(k, j) - sum / static_cast<Real>(x.rows());
    }
  }
  return result;
}

/// Of one centred feature.
inline Real variance(const RealMatrix& centred, Index feature, Index degrees_of_freedom) {
  Real sum = 0;
  for (Index k = 0; k < centred.rows(); ++k) {
    sum += centred(k, feature) * centred(k, feature);
  }
  return sum / static_cast<Real>(degrees_of_freedom);
}

/// A feature without deviation is zero.
inline RealMatrix standardized(const RealMatrix& x, double epsilon) {
  RealMatrix result = centred(x);
  for (Index j = 0; j < x.cols(); ++j) {
    const Real deviation = std::sqrt(variance(result, j, x.rows()) + epsilon);
    result.col(j) /= deviation == 0 ? 1 : deviation;
  }
  return result;
}

inline decorr::BarlowTwinsLoss<Real> barlow_twins_loss(const RealMatrix& z_a, const RealMatrix& z_b,
                                                       const decorr::BarlowTwinsOptions& options,
                                                       const Regularizer& regularizer,
                                                       Sides* sides = nullptr) {
  const RealMatrix a = options.standardize ? standardized(z_a, options.epsilon) : z_a;
  const RealMatrix b = options.standardize ? standardized(z_b, options.epsilon) : z_b;
  const RealMatrix c = correlation(a, b, static_cast<Real>(a.rows()));
  Real diagonal = 0;
  for (Index i = 0; i < a.cols(); ++i) {
    diagonal += (1 - c(i, i)) * (1 - c(i, i));
  }
  diagonal *= options.scale;
  const Real off_diagonal = static_cast<Real>(options.scale) * options.lambda *
                            cross_correlation_regularizer(a, b, regularizer, sides);
  return {diagonal + off_diagonal, diagonal, off_diagonal};
}

/// V_view = mean_j max(0, gamma - sqrt(var_j + epsilon)).
inline Real hinged_deviation(const RealMatrix& z, const decorr::VicregOptions& options,
                             Sides* sides) {
  const RealMatrix x = centred(z);
  Real sum = 0;
  for (Index j = 0; j < z.cols(); ++j) {
    const Real gap = options.gamma - std::sqrt(variance(x, j, z.rows() - 1) + options.epsilon);
    sum += gap > 0 ? gap : 0;
    note(sides, gap);
  }
  return sum / static_cast<Real>(z.cols());
}

/// R(K), or R(K) / d.
inline Real covariance_regularizer(const RealMatrix& z, const std::vector<std::int8_t>& signs,
                                   decorr::CovarianceScaling scaling,
                                   const Regularizer& regularizer, Sides* sides) {
  const RealMatrix x = centred(z);
  const Real value = evaluate(
      regularizer, {x, x, signs, signs, static_cast<Real>(z.rows() - 1), true, scaling}, sides);
  return scaling == decorr::CovarianceScaling::per_dimension ? value / static_cast<Real>(z.cols())
                                                             : value;
}

inline decorr::VicregLoss<Real> vicreg_loss(const RealMatrix& z_a, const RealMatrix& z_b,
                                            const decorr::VicregOptions& options,
                                            const Regularizer& regularizer,
                                            Sides* sides = nullptr) {
  const Signs signs = signs_of(regularizer);
  Real squares = 0;
  for (Index j = 0; j < z_a.cols(); ++j) {
    for (Index k = 0; k < z_a.rows(); ++k) {
      squares += (z_a(k, j) - z_b(k, j)) * (z_a(k, j) - z_b(k, j));
    }
  }
  const Real scale = options.scale;
  const Real invariance = scale * options.invariance * squares / static_cast<Real>(z_a.size());
  const Real variances =
      hinged_deviation(z_a, options, sides) + hinged_deviation(z_b, options, sides);
  const Real variance =
      scale * options.variance * (options.sum_variance ? variances : variances / 2);
  const Real covariance =
      scale * options.covariance *
      (covariance_regularizer(z_a, signs.a, options.covariance_scaling, regularizer, sides) +
       covariance_regularizer(z_b, signs.b, options.covariance_scaling, regularizer, sides));
  return {invariance + variance + covariance, invariance, variance, covariance};
}

inline decorr::VarianceCovarianceLoss<Real> variance_covariance_loss(
    const RealMatrix& z, const decorr::VicregOptions& options, const Regularizer& regularizer,
    Sides* sides = nullptr) {
  const Real scale = options.scale;
  const Real variance = scale * options.variance * hinged_deviation(z, options, sides);
  const Real covariance = scale * options.covariance *
                          covariance_regularizer(z, signs_of(regularizer).a,
                                                 options.covariance_scaling, regularizer, sides);
  return {variance + covariance, variance, covariance};
}

}  // namespace naive
}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_NAIVE_HPP_
