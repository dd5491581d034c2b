// Random permutations and signs: the same numbers everywhere, uniform, and valid.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace test_randomization {

namespace {

using decorr::random_permutation;
using decorr::random_signs;
using Eigen::Index;
using Permutation = std::vector<Index>;
using Signs = std::vector<std::int8_t>;

// An engine that draws the given words and counts them.
struct Script {
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return words.at(drawn++); }

  std::vector<result_type> words;
  std::size_t drawn = 0;
};

// sum over the outcomes of (count - expected)^2 / expected, every outcome being equally likely.
template <class Outcome>
double chi_square(const std::map<Outcome, int>& counts, int draws, int outcomes) {
  const double expected = static_cast<double>(draws) / outcomes;
  double sum = (outcomes - static_cast<int>(counts.size())) * expected;  // those never seen
  for (const auto& [outcome, count] : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

}  // namespace

// The literals come from a program in another language that implements both generators after
// Matsumoto and Nishimura (1998) and Nishimura (2000), checked by their 10000th outputs, and the
// draws after the documentation of random_permutation and random_signs.
TEST_CASE("first values of std::mt19937") {
  std::mt19937 generator(2023);
  CHECK(random_permutation(12, generator) == Permutation{2, 10, 11, 9, 1, 3, 7, 8, 6, 4, 0, 5});
  CHECK(random_signs(70, generator) ==
        Signs{-1, 1,  -1, 1,  1,  1,  -1, -1, -1, -1, 1,  1,  1,  -1, -1, -1, -1, 1,
              1,  -1, 1,  1,  -1, -1, -1, -1, 1,  1,  -1, 1,  1,  -1, 1,  1,  -1, -1,
              -1, -1, -1, 1,  -1, 1,  1,  -1, 1,  -1, -1, 1,  -1, 1,  -1, 1,  1,  -1,
              1,  -1, -1, -1, -1, -1, -1, -1, -1, 1,  1,  -1, -1, -1, 1,  -1});
  CHECK(generator() == 649280110);  // as many numbers drawn as foreseen
  std::mt19937 unseeded;
  CHECK(random_permutation(8, unseeded) == Permutation{1, 2, 0, 3, 4, 7, 5, 6});
  CHECK(random_signs(16, unseeded) ==
        Signs{-1, -1, -1, -1, 1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, -1});
}

TEST_CASE("first values of std::mt19937_64") {
  std::mt19937_64 generator(2023);
  CHECK(random_permutation(12, generator) == Permutation{7, 3, 0, 8, 6, 1, 2, 10, 5, 11, 9, 4});
  CHECK(random_signs(70, generator) ==
        Signs{-1, -1, -1, 1, -1, -1, -1, -1, 1,  1,  -1, -1, -1, 1,  -1, -1, -1, 1,
              1,  1,  -1, 1, -1, 1,  1,  -1, 1,  1,  -1, -1, 1,  -1, -1, 1,  -1, -1,
              1,  1,  1,  1, -1, 1,  -1, 1,  -1, -1, 1,  1,  -1, -1, 1,  -1, 1,  1,
              -1, 1,  -1, 1, 1,  1,  1,  -1, 1,  -1, -1, -1, -1, -1, -1, -1});
  CHECK(generator() == UINT64_C(17614205419405203137));
  std::mt19937_64 unseeded;
  CHECK(random_permutation(8, unseeded) == Permutation{3, 4, 7, 0, 5, 2, 1, 6});
  CHECK(random_signs(16, unseeded) ==
        Signs{-1, 1, 1, -1, -1, -1, -1, 1, 1, 1, -1, -1, -1, 1, 1, 1});
}

TEST_CASE("words that would favour the first features are drawn again") {
  // 2^64 mod 3 is 1, so that the word 0 is one too many for three features; for two, none is.
  Script script{{0, 2, 5}};
  CHECK(random_permutation(3, script) == Permutation{0, 1, 2});
  CHECK(script.drawn == 3);
  Script swaps{{3, 4}};
  CHECK(random_permutation(3, swaps) == Permutation{1, 2, 0});
  CHECK(swaps.drawn == 2);
}

TEST_CASE("a permutation holds every feature once, signs are +1 or -1") {
  std::mt19937 generator(1);
  for (const Index d : {1, 2, 3, 63, 64, 65, 1000}) {
    CAPTURE(d);
    Permutation permutation = random_permutation(d, generator);
    std::sort(permutation.begin(), permutation.end());
    Permutation identity(static_cast<std::size_t>(d));
    std::iota(identity.begin(), identity.end(), Index{0});
    CHECK(permutation == identity);
    const Signs signs = random_signs(d, generator);
    CHECK(signs.size() == static_cast<std::size_t>(d));
    CHECK(std::all_of(signs.begin(), signs.end(), [](int sign) { return sign * sign == 1; }));
  }
}

TEST_CASE_TEMPLATE("permutations are uniform", Generator, std::mt19937, std::mt19937_64) {
  Generator generator(5);
  constexpr int kDraws = 24000;
  std::map<Permutation, int> orders;
  for (int draw = 0; draw < kDraws; ++draw) ++orders[random_permutation(4, generator)];
  CHECK(chi_square(orders, kDraws, 24) < 49.7);  // exceeded once in 1000, 23 degrees of freedom

  // Where a feature goes, for a size that is no power of two.
  std::map<std::pair<Index, Index>, int> places;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Permutation permutation = random_permutation(7, generator);
    for (Index j = 0; j < 7; ++j) ++places[{j, permutation[static_cast<std::size_t>(j)]}];
  }
  // 36 degrees of freedom, as rows and columns of the table have fixed sums; 6/7 of the sum's
  // weight.
  CHECK(chi_square(places, 7 * kDraws, 49) * 6 / 7 < 67.9);
}

TEST_CASE_TEMPLATE("signs are fair and independent", Generator, std::mt19937, std::mt19937_64) {
  Generator generator(6);
  constexpr int kDraws = 32000;
  std::map<Signs, int> patterns;
  for (int draw = 0; draw < kDraws; ++draw) ++patterns[random_signs(5, generator)];
  CHECK(chi_square(patterns, kDraws, 32) < 61.1);  // 31 degrees of freedom

  // Each of the places of more than one word: 5 standard deviations.
  std::array<int, 130> sums{};
  for (int draw = 0; draw < 10000; ++draw) {
    const Signs signs = random_signs(130, generator);
    for (std::size_t j = 0; j < signs.size(); ++j) sums[j] += signs[j];
  }
  for (const int sum : sums) CHECK(std::abs(sum) < 500);
}

TEST_CASE("any standard engine of 32 or 64 bits will do, by reference or as a temporary") {
  CHECK(random_permutation(9, std::mt19937(3)) == random_permutation(9, std::mt19937(3)));
  std::independent_bits_engine<std::mt19937_64, 64, std::uint64_t> engine;
  CHECK(random_signs(9, engine) == random_signs(9, std::mt19937_64()));
}

TEST_CASE("just those words are drawn again that would make small numbers likelier") {
  struct Engine {
    using result_type = std::uint64_t;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
    result_type operator()() { return words[next++]; }
    std::vector<result_type> words;
    std::size_t next = 0;
  };
  // 2^64 is 1 modulo 3 and 5: of 0 there would be one more.
  for (const std::uint64_t bound : {std::uint64_t{3}, std::uint64_t{5}}) {
    Engine engine{{0, 0, 1, 2, Engine::max()}};
    CHECK(decorr::detail::random_below(bound, engine) == 1);
    CHECK(decorr::detail::random_below(bound, engine) == 2);
    CHECK(decorr::detail::random_below(bound, engine) == Engine::max() % bound);
  }
}

TEST_CASE("fewer than one feature is rejected, with the generator untouched") {
  std::mt19937_64 generator(4);
  const std::mt19937_64 before = generator;
  for (const Index d : {Index{0}, Index{-1}, std::numeric_limits<Index>::min()}) {
    const std::string message = " d is " + std::to_string(d) + ", expected at least 1";
    CHECK_THROWS_WITH_AS(random_permutation(d, generator),
                         ("random_permutation:" + message).c_str(), std::invalid_argument);
    CHECK_THROWS_WITH_AS(random_signs(d, generator), ("random_signs:" + message).c_str(),
                         std::invalid_argument);
  }
  CHECK(generator == before);
}

}  // namespace test_randomization
