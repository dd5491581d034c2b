#ifndef DECORR_RANDOMIZATION_HPP_
#define DECORR_RANDOMIZATION_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/errors.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Generator, class = void>
struct IsEngine : std::false_type {};
template <class Generator>
struct IsEngine<Generator, std::void_t<decltype((Generator::min)()), decltype((Generator::max)()),
                                       decltype(std::declval<Generator&>()())>> : std::true_type {};

// What is wrong with the type of a generator is said first, and nothing is compiled after it.
template <class Generator>
constexpr bool accepts_generator() {
  constexpr bool is_engine = IsEngine<Generator>::value;
  static_assert(is_engine,
                "decorr: the generator must be an engine that can be drawn from, such as "
                "std::mt19937_64, and no seed; of a seed make one, std::mt19937_64 "
                "generator(seed), and draw all from it");
  return is_engine;
}

// 64 random bits: one draw of a 64-bit engine, or two of a 32-bit one, high half first. By the
// engine's range and not its result type, which is wider than 32 bits for std::mt19937 on some
// platforms.
template <class Engine>
std::uint64_t random_word(Engine& engine) {
  constexpr bool from_zero = (Engine::min)() == 0;
  constexpr bool is_32_bit = (Engine::max)() == UINT64_C(0xffffffff);
  constexpr bool is_64_bit = (Engine::max)() == UINT64_C(0xffffffffffffffff);
  static_assert(
      from_zero && (is_32_bit || is_64_bit),
      "decorr: the generator must draw all 32-bit or all 64-bit words, as std::mt19937 and "
      "std::mt19937_64 do; std::minstd_rand, std::ranlux24 and the like do not");
  const auto first = static_cast<std::uint64_t>(engine());
  if constexpr (is_64_bit) {
    return first;
  } else {
    return (first << 32) | static_cast<std::uint64_t>(engine());
  }
}

// Uniform on 0 .. bound - 1. The lowest 2^64 mod bound words are drawn again: what is left is a
// multiple of bound.
template <class Engine>
std::uint64_t random_below(std::uint64_t bound, Engine& engine) {
  const std::uint64_t excess = (0 - bound) % bound;
  std::uint64_t word = random_word(engine);
  while (word < excess) word = random_word(engine);
  return word % bound;
}

inline std::size_t checked_dimension(Eigen::Index d, const char* function) {
  if (d < 1) {
    throw InvalidArgument(
        std::string(function) + ": d is " + detail::decimal(d) + ", expected at least 1", "d");
  }
  return static_cast<std::size_t>(d);
}

}  // namespace DECORR_ABI
}  // namespace detail

inline namespace DECORR_ABI {

/// A uniformly random permutation of 0 .. d-1, for Relaxed::permutation. Draw one for every batch.
///
/// `generator` is any engine that draws all 32-bit or all 64-bit words, as std::mt19937 and
/// std::mt19937_64 do; others do not compile. The same engine in the same state gives the same
/// permutation on every platform and standard library. Where processes compute one loss together,
/// all of them need the same one.
///
/// Throws InvalidArgument when d < 1, with the generator untouched. O(d). Thread-safe for distinct
/// generators.
///
/// Source: Durstenfeld, "Algorithm 235: random permutation", CACM 1964 (Fisher-Yates); permuting
/// the features each batch: Shigeto et al., CVPR 2023, arXiv 2301.01569.
///
/// @snippet settings.cpp random_permutation
template <class Generator>
std::vector<Eigen::Index> random_permutation(Eigen::Index d, Generator&& generator) {
  const std::size_t size = detail::checked_dimension(d, "random_permutation");
  std::vector<Eigen::Index> permutation(size);
  if constexpr (detail::accepts_generator<std::remove_reference_t<Generator>>()) {
    for (std::size_t j = 0; j < size; ++j) permutation[j] = static_cast<Eigen::Index>(j);
    for (std::size_t left = size; left > 1; --left) {
      const auto pick = static_cast<std::size_t>(detail::random_below(left, generator));
      std::swap(permutation[left - 1], permutation[pick]);
    }
  }
  return permutation;
}

/// d independent signs, +1 or -1 with equal probability, for Relaxed::signs_a or Relaxed::signs_b.
/// Draw both anew, one after the other, for every batch: the regularizer is unbiased only when the
/// two views' signs are independent.
///
/// Sign j is bit j mod 64, from the lowest, of the 64-bit word j / 64: +1 where it is set.
/// `generator` is as for random_permutation, and the result is the same everywhere, too. Where
/// processes compute one loss together, all of them need the same signs.
///
/// Throws InvalidArgument when d < 1, with the generator untouched. O(d). Thread-safe for distinct
/// generators.
///
/// Source: docs/mathematics.md, random signs; as in the count-sketch of Charikar, Chen,
/// Farach-Colton, 2002.
///
/// @snippet settings.cpp random_signs
template <class Generator>
std::vector<std::int8_t> random_signs(Eigen::Index d, Generator&& generator) {
  const std::size_t size = detail::checked_dimension(d, "random_signs");
  std::vector<std::int8_t> signs(size);
  if constexpr (detail::accepts_generator<std::remove_reference_t<Generator>>()) {
    std::uint64_t word = 0;
    for (std::size_t j = 0; j < size; ++j) {
      word = j % 64 == 0 ? detail::random_word(generator) : word >> 1;
      signs[j] = static_cast<std::int8_t>((word & 1) != 0 ? 1 : -1);
    }
  }
  return signs;
}

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_RANDOMIZATION_HPP_
