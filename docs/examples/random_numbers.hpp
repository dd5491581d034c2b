#ifndef DECORR_EXAMPLES_RANDOM_NUMBERS_HPP_
#define DECORR_EXAMPLES_RANDOM_NUMBERS_HPP_

#include <cmath>
#include <random>

namespace example {

/// Uniform and normal numbers that are the same for a seed with every standard library, which the
/// standard's own distributions are not.
class RandomNumbers {
 public:
  explicit RandomNumbers(unsigned long long seed) : engine_(seed) {}
  /// A sequence of its own for each combination of numbers.
  explicit RandomNumbers(std::seed_seq numbers) : engine_(numbers) {}

  /// Uniform between low and high.
  float uniform(float low, float high) {
    const double fraction = static_cast<double>(engine_() >> 11) / 9007199254740992.0;  // 2^53
    return low + (high - low) * static_cast<float>(fraction);
  }

  /// Normal with mean 0 and standard deviation 1, by the method of Box and Muller.
  float normal() {
    const float radius = std::sqrt(-2 * std::log(uniform(1e-7F, 1)));
    return radius * std::cos(uniform(0, 6.2831853F));
  }

  /// For decorr::random_signs and decorr::random_permutation.
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace example

#endif  // DECORR_EXAMPLES_RANDOM_NUMBERS_HPP_
