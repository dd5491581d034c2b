#ifndef DECORR_EXTRAS_SUPPORT_RANDOM_NUMBERS_HPP_
#define DECORR_EXTRAS_SUPPORT_RANDOM_NUMBERS_HPP_

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>

namespace support {

/// Uniform and normal numbers that are the same for a seed with every standard library, which the
/// standard's own distributions are not. Engine draws 64-bit words.
template <class Engine>
class RandomNumbersOf {
 public:
  explicit RandomNumbersOf(unsigned long long seed) : engine_(seed) {}
  explicit RandomNumbersOf(const Engine& engine) : engine_(engine) {}
  /// A sequence of its own for each combination of numbers.
  explicit RandomNumbersOf(std::seed_seq numbers) : engine_(numbers) {}

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

  /// Nearly normal and cheap: the sum of four uniform numbers, at most 3.5 in size.
  float rough_normal() {
    const auto word = static_cast<std::uint64_t>(engine_());
    const auto sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48);
    const float mean = 2 * 65535.0F, deviation = 65536.0F / 1.7320508F;  // sqrt(4 / 12) of 2^16
    return (static_cast<float>(sum) - mean) / deviation;
  }

  /// For decorr::random_signs and decorr::random_permutation.
  Engine& engine() { return engine_; }

 private:
  Engine engine_;
};

using RandomNumbers = RandomNumbersOf<std::mt19937_64>;

/// An engine that costs nothing to start, so that every image of every step can have one of its
/// own: SplitMix64, Steele, Lea and Flood, OOPSLA 2014. Which numbers an image gets then does not
/// depend on who draws first.
class SplitMix64 {
 public:
  using result_type = std::uint64_t;  // NOLINT(readability-identifier-naming): the standard's name

  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  /// A sequence of its own for each combination of numbers.
  SplitMix64(std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) state_ = mixed(state_ + kIncrement) ^ number;
    state_ = mixed(state_ + kIncrement);
  }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return mixed(state_ += kIncrement); }

 private:
  static constexpr std::uint64_t kIncrement = 0x9E3779B97F4A7C15;

  static std::uint64_t mixed(std::uint64_t word) {
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
    return word ^ (word >> 31);
  }

  std::uint64_t state_ = 0;
};

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_RANDOM_NUMBERS_HPP_
