#ifndef DECORR_EXTRAS_TRAINERS_TESTS_TEXTBOOK_HPP_
#define DECORR_EXTRAS_TRAINERS_TESTS_TEXTBOOK_HPP_

#include <torch/torch.h>

#include <cstdint>
#include <decorr/options.hpp>
#include <vector>

/// @file
/// The losses as their papers write them, in LibTorch's own operations, for autograd to
/// differentiate: C is formed, and lags are summed entry by entry.

namespace textbook {

using torch::Tensor;

/// x'_j = signs[p_j] x[p_j], then zero features up to a multiple of the block size.
inline Tensor arranged(const Tensor& x, const decorr::Relaxed& relaxed,
                       const std::vector<std::int8_t>& signs, std::int64_t padded) {
  std::vector<Tensor> columns;
  for (std::int64_t j = 0; j < padded; ++j) {
    if (j >= x.size(1)) {
      columns.push_back(torch::zeros_like(x.select(1, 0)));
      continue;
    }
    const auto place = static_cast<std::size_t>(j);
    const std::int64_t feature = relaxed.permutation.empty() ? j : relaxed.permutation[place];
    const int sign = signs.empty() ? 1 : signs[static_cast<std::size_t>(feature)];
    columns.push_back(x.select(1, feature) * sign);
  }
  return torch::stack(columns, 1);
}

/// R of a^T b / m.
inline Tensor regularizer(const Tensor& a, const Tensor& b, double m,
                          const decorr::Regularizer& choice, bool is_covariance) {
  if (choice.relaxed() == nullptr) {
    const Tensor c = a.t().mm(b) / m;
    return c.square().sum() - c.diagonal().square().sum();
  }
  const decorr::Relaxed& relaxed = *choice.relaxed();
  const std::int64_t d = a.size(1);
  const std::int64_t block = relaxed.block_size == 0 ? d : relaxed.block_size;
  const std::int64_t blocks = (d + block - 1) / block;
  const std::vector<std::int8_t>& signs_b = is_covariance ? relaxed.signs_a : relaxed.signs_b;
  const Tensor c = arranged(a, relaxed, relaxed.signs_a, blocks * block)
                       .t()
                       .mm(arranged(b, relaxed, signs_b, blocks * block)) /
                   m;
  Tensor sum = torch::zeros({}, a.options());
  for (std::int64_t g = 0; g < blocks; ++g) {
    for (std::int64_t h = 0; h < blocks; ++h) {
      for (std::int64_t lag = g == h ? 1 : 0; lag < block; ++lag) {
        Tensor lag_sum = torch::zeros({}, a.options());
        for (std::int64_t j = 0; j < block; ++j) {
          lag_sum = lag_sum + c.index({g * block + j, h * block + (j + lag) % block});
        }
        const Tensor power = relaxed.exponent == 1 ? lag_sum.abs() : lag_sum.square();
        const bool counted_twice =
            is_covariance && !relaxed.signs_a.empty() && g == h && 2 * lag == block;
        sum = sum + (counted_twice ? power / 2 : power);
      }
    }
  }
  return sum;
}

/// Zbontar et al. 2021, equations 1 and 2.
inline Tensor barlow_twins(const Tensor& z_a, const Tensor& z_b,
                           const decorr::BarlowTwinsOptions& options,
                           const decorr::Regularizer& choice) {
  const auto n = static_cast<double>(z_a.size(0));
  const auto standardized = [&](const Tensor& z) {
    if (!options.standardize) return z;
    const Tensor x = z - z.mean(0);
    return x / (x.square().mean(0) + options.epsilon).sqrt();
  };
  const Tensor a = standardized(z_a), b = standardized(z_b);
  const Tensor diagonal = (a * b).sum(0) / n;
  return options.scale *
         ((1 - diagonal).square().sum() + options.lambda * regularizer(a, b, n, choice, false));
}

struct Parts {
  Tensor variance, covariance;
};
/// Bardes et al. 2022, equations 1 and 3, of one view.
inline Parts variance_and_covariance(const Tensor& z, const decorr::VicregOptions& options,
                                     const decorr::Regularizer& choice) {
  const auto n = static_cast<double>(z.size(0)), d = static_cast<double>(z.size(1));
  const Tensor x = z - z.mean(0);
  const Tensor deviation = (x.square().sum(0) / (n - 1) + options.epsilon).sqrt();
  return {(options.gamma - deviation).relu().mean(), regularizer(x, x, n - 1, choice, true) / d};
}

/// Equation 6, with the constants of the authors' code.
inline Tensor vicreg(const Tensor& z_a, const Tensor& z_b, const decorr::VicregOptions& options,
                     const decorr::Regularizer& choice) {
  decorr::Relaxed of_b = choice.relaxed() == nullptr ? decorr::Relaxed() : *choice.relaxed();
  of_b.signs_a = of_b.signs_b;
  const Parts a = variance_and_covariance(z_a, options, choice);
  const Parts b = variance_and_covariance(
      z_b, options, choice.relaxed() == nullptr ? choice : decorr::Regularizer(of_b));
  return options.scale * (options.invariance * (z_a - z_b).square().mean() +
                          options.variance * (a.variance + b.variance) / 2 +
                          options.covariance * (a.covariance + b.covariance));
}

/// Zhu et al. 2023.
inline Tensor variance_covariance(const Tensor& z, const decorr::VicregOptions& options,
                                  const decorr::Regularizer& choice) {
  const Parts parts = variance_and_covariance(z, options, choice);
  return options.scale *
         (options.variance * parts.variance + options.covariance * parts.covariance);
}

}  // namespace textbook

#endif  // DECORR_EXTRAS_TRAINERS_TESTS_TEXTBOOK_HPP_
