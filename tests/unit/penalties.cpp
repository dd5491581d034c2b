// What is made of lag sums and of Gram matrices (detail/regularizers: lag penalty, weights of
// lags, accuracy of Gram matrices).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <decorr/detail/fft/plan_cache.hpp>
#include <decorr/detail/fft/transform_length.hpp>
#include <decorr/detail/regularizers/gram_accuracy.hpp>
#include <decorr/detail/regularizers/lag_penalty.hpp>
#include <decorr/detail/regularizers/lag_weights.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <limits>
#include <random>
#include <vector>

#include "unit/transforms.hpp"

namespace unit_penalties {

namespace {

using namespace decorr::detail;
using decorr::Planning;
using Complex = std::complex<double>;
using unit_transforms::dft;
using unit_transforms::random_row;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

template <class Scalar>
TransformPlan<Scalar> forward_plan(Index length) {
  return transform_plan<Scalar>(length, 1, Direction::forward, Planning::estimate);
}

// The first half of the spectrum of lags, in a transform of `length`: lag i at i, or a part of it
// at the end of a longer period.
template <class Scalar>
std::vector<std::complex<Accumulator<Scalar>>> half_spectrum(const std::vector<double>& lags) {
  std::vector<Complex> signal(lags.begin(), lags.end());
  const auto spectrum = dft(signal, -1);
  return {spectrum.begin(), spectrum.begin() + static_cast<std::ptrdiff_t>(lags.size() / 2 + 1)};
}

template <class Scalar>
void check_penalty(Index block_size, Padding padding, int exponent, const LagWeights& weights,
                   double lag_0) {
  CAPTURE(block_size);
  CAPTURE(exponent);
  CAPTURE(weights.without_zero);
  CAPTURE(weights.half_middle);
  const Index length = transform_length(block_size, padding);
  CAPTURE(length);
  Arena arena;
  const auto transform = forward_plan<Scalar>(length);
  LagPenalty<Scalar> penalty(arena, transform, block_size, exponent, Planning::estimate);
  CHECK(penalty.num_frequencies() == length / 2 + 1);

  std::vector<double> placed(at(length), 0.0);
  const auto random = random_row(2 * block_size, block_size);
  std::vector<double> lags(at(block_size), 0.0);
  for (Index i = 0; i < block_size; ++i) {
    placed[at(i)] = i == 0 ? lag_0 : random[at(i)] + 0.25;
    if (length != block_size && i > 0)
      placed[at(length - block_size + i)] = random[at(block_size + i)];
    lags[at(i)] = placed[at(i)] + (length != block_size && i > 0 ? random[at(block_size + i)] : 0);
  }
  double value = 0, largest = 0;
  std::vector<double> derivative(at(length), 0.0);
  for (Index i = 0; i < block_size; ++i) {
    const double s = lags[at(i)], size = std::abs(s);
    double weight = static_cast<double>(weights.weight);
    if (i == 0 && weights.without_zero) weight = 0;
    if (weights.half_middle && i > 0 && 2 * i == block_size) weight /= 2;
    value += weight * (exponent == 2 ? size * size : size);
    const double slope = weight * (exponent == 2 ? 2 * s : s > 0 ? 1 : -1);
    derivative[at(i)] = slope;
    if (length != block_size && i > 0) derivative[at(length - block_size + i)] = slope;
    largest = std::max(largest, std::abs(slope));
  }
  auto spectrum = half_spectrum<Scalar>(placed);
  const auto actual = static_cast<double>(penalty.apply(spectrum.data(), weights));
  // A few roundings of each lag, of which lag 0 is the largest.
  const double tolerance =
      64 * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) * (20 + std::abs(lag_0));
  CHECK(std::abs(actual - value) <= tolerance * (1 + std::sqrt(value) * std::sqrt(block_size)));
  const auto expected = half_spectrum<Scalar>(derivative);
  double error = 0;
  for (std::size_t f = 0; f < expected.size(); ++f) {
    error = std::max(error, static_cast<double>(std::abs(spectrum[f] - expected[f])));
  }
  CHECK(error <= tolerance * (1 + largest) * std::sqrt(static_cast<double>(length)));

  if (exponent == 1) {
    auto again = half_spectrum<Scalar>(placed);
    const auto* sums = penalty.lags(again.data());
    double lag_error = 0;
    for (Index i = 0; i < block_size; ++i) {
      lag_error = std::max(lag_error, std::abs(static_cast<double>(sums[i].real()) - lags[at(i)]));
    }
    CHECK(lag_error <= tolerance);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("lag penalties and their derivatives are those of the definition", Scalar, float,
                   double) {
  for (const Index block_size : {1, 2, 3, 8, 15, 29, 58}) {
    for (const Padding padding : {Padding::allowed, Padding::none}) {
      for (const int exponent : {1, 2}) {
        for (const bool without_zero : {true, false}) {
          for (const bool half_middle : {false, true}) {
            if (half_middle && block_size % 2 != 0) continue;
            for (const long double weight : {1.0L, 0.375L}) {
              check_penalty<Scalar>(block_size, padding, exponent,
                                    {without_zero, half_middle, weight}, 3);
            }
          }
        }
        // The diagonal of C may outweigh all else.
        check_penalty<Scalar>(block_size, padding, exponent, {true, false, 1}, 1000);
      }
    }
  }
}

TEST_CASE("a lag 0 that is larger than all float digits of the others costs them none") {
  struct Case {
    Index block_size;
    Padding padding;
    int exponent;
    bool half_middle;
  };
  for (const Case& c : {Case{32, Padding::none, 1, false}, Case{32, Padding::none, 1, true},
                        Case{32, Padding::none, 2, false}, Case{32, Padding::none, 2, true},
                        Case{29, Padding::allowed, 1, false}, Case{29, Padding::allowed, 2, false},
                        Case{96, Padding::none, 2, true}, Case{120, Padding::none, 2, true}}) {
    CAPTURE(c.block_size);
    CAPTURE(c.exponent);
    CAPTURE(c.half_middle);
    const Index length = transform_length(c.block_size, c.padding);
    Arena arena;
    const auto transform = forward_plan<float>(length);
    LagPenalty<float> penalty(arena, transform, c.block_size, c.exponent, Planning::estimate);
    const auto random = random_row(c.block_size, 1);
    std::vector<double> placed(at(length), 0.0);
    double expected = 0;
    for (Index i = 1; i < c.block_size; ++i) {
      placed[at(i)] = 0.01 * random[at(i)];
      const double weight = c.half_middle && 2 * i == c.block_size ? 0.5 : 1;
      expected += weight * std::pow(std::abs(placed[at(i)]), c.exponent);
    }
    auto spectrum = half_spectrum<float>(placed);
    for (std::size_t f = 0; f < spectrum.size(); ++f) {
      // As the transforms would have rendered it.
      spectrum[f] += 1e6 * (1 + double(transform.power_deviation()[f]));
    }
    LagWeights weights;
    weights.half_middle = c.half_middle;
    const double value = penalty.apply(spectrum.data(), weights);
    CHECK(std::abs(value - expected) <= 1e-5 * expected);
  }
}

TEST_CASE("frequencies stand for two but for the first and the middle one") {
  Arena arena;
  for (const Index length : {1, 2, 7, 8}) {
    const auto transform = forward_plan<double>(length);
    const LagPenalty<double> penalty(arena, transform, length, 2, Planning::estimate);
    Index all = 0;
    for (Index f = 0; f < penalty.num_frequencies(); ++f) all += penalty.multiplicity(f);
    CHECK(all == length);
    CHECK(penalty.multiplicity(0) == 1);
  }
}

TEST_CASE("a NaN stays one, in lag 0 too") {
  Arena arena;
  const auto transform = forward_plan<double>(8);
  for (const int exponent : {1, 2}) {
    LagPenalty<double> penalty(arena, transform, 8, exponent, Planning::estimate);
    auto spectrum = half_spectrum<double>({1, 2, 3, 4, 5, 6, 7, 8});
    spectrum[3] = std::nan("");
    CHECK(std::isnan(penalty.apply(spectrum.data(), {})));
    CHECK(std::isnan(spectrum[0].real()));
  }
  CHECK(sign_of(-3.0) == -1);
  CHECK(sign_of(2.0F) == 1);
  CHECK(sign_of(0.0) == 0);
  CHECK(std::isnan(sign_of(std::nan(""))));
}

TEST_CASE("blocks count alike, their zero lags set the diagonal ones apart") {
  BlockWeights weights(20, 8, 2);
  CHECK(weights.are_equal());
  for (Index g = 0; g < 3; ++g) {
    for (Index h = 0; h < 3; ++h) {
      CHECK(weights.of(g, h).without_zero == (g == h));
      CHECK_FALSE(weights.of(g, h).half_middle);
      CHECK(weights.of(g, h).weight == 1);
    }
  }
  weights.halve_middle_lags();
  CHECK(weights.of(1, 1).half_middle);
  CHECK_FALSE(weights.of(0, 1).half_middle);
  BlockWeights odd(20, 5, 1);
  odd.halve_middle_lags();
  CHECK_FALSE(odd.of(0, 0).half_middle);
  BlockWeights single(20, 0, 1);
  single.halve_middle_lags();
  CHECK(single.of(0, 0).half_middle);
  CHECK(single.of_pairs() == 0);
  CHECK(BlockWeights(20, 1, 2).of_pairs() == 1);
}

TEST_CASE("pairs of views: blocks from the diagonal on, all of them without lag 0") {
  BlockWeights weights(24, 8, 2);
  CHECK_FALSE(weights.are_all_without_zero());
  weights.take_pairs_of_views();
  CHECK(weights.are_all_without_zero());
  CHECK_FALSE(weights.are_equal());
  for (Index g = 0; g < 3; ++g) {
    for (Index h = 0; h < 3; ++h) {
      CAPTURE(g);
      CAPTURE(h);
      CHECK(weights.of(g, h).without_zero);
      CHECK(static_cast<double>(weights.of(g, h).weight) == doctest::Approx(g <= h ? 1 : 0));
    }
  }
}

TEST_CASE("means over blocks: of lags by the width, of diagonal and of upper blocks apart") {
  for (const int exponent : {1, 2}) {
    CAPTURE(exponent);
    BlockWeights weights(20, 8, exponent);  // 8, 8 and 4 features
    weights.take_means();
    CHECK_FALSE(weights.are_equal());
    for (Index g = 0; g < 3; ++g) {
      for (Index h = 0; h < 3; ++h) {
        const double width = g == 2 || h == 2 ? 4 : 8;
        // Three diagonal blocks; of six others (h, g) repeats (g, h), and twice their mean counts.
        const double expected = 1.0 / 3 / std::pow(width, exponent);
        CHECK(std::abs(static_cast<double>(weights.of(g, h).weight) - expected) < 1e-15);
      }
    }
    BlockWeights even(24, 6, exponent);
    even.take_means();
    CHECK(even.are_equal());
    CHECK(std::abs(static_cast<double>(even.of(0, 0).weight) - 0.25 / std::pow(6.0, exponent)) <
          1e-15);
    CHECK(std::abs(static_cast<double>(even.of(0, 3).weight) - 2.0 / 12 / std::pow(6.0, exponent)) <
          1e-15);
  }
  BlockWeights pairs(5, 1, 2);
  pairs.take_means();
  CHECK(std::abs(static_cast<double>(pairs.of_pairs()) - 0.1) < 1e-15);
}

namespace {

// By the definition: what exceeds the share of all that are not dominant so far is so, too.
std::vector<Index> naive_dominant(const Buffer<double>& squares) {
  const auto d = static_cast<double>(squares.size());
  const double share = std::max(1.0 / 64, 8 / d);
  std::vector<bool> dominant(at(squares.size()), false);
  for (bool found = true; found;) {
    found = false;
    double rest = 0;
    for (Index j = 0; j < squares.size(); ++j) {
      rest += dominant[at(j)] ? 0 : squares[j] * squares[j];
    }
    for (Index j = 0; j < squares.size(); ++j) {
      if (!dominant[at(j)] && squares[j] * squares[j] > share * rest) {
        dominant[at(j)] = found = true;
      }
    }
  }
  std::vector<Index> result;
  for (Index j = 0; j < squares.size(); ++j) {
    if (dominant[at(j)]) result.push_back(j);
  }
  return result;
}

std::vector<Index> dominant(Arena& arena, const Buffer<double>& a, const Buffer<double>& b) {
  const auto found = dominant_features(arena, a, b);
  return {found.data(), found.data() + found.size()};
}

}  // namespace

TEST_CASE("features are dominant that outweigh what is not more dominant, in either view") {
  Arena arena;
  std::mt19937 generator(1);
  for (const Index d : {1, 5, 20, 100, 700}) {
    for (const int most : {0, 1, 8, 20}) {
      CAPTURE(d);
      CAPTURE(most);
      Buffer<double> squares(arena, d), even(arena, d, 2.0), zeros(arena, d, 0.0);
      for (Index j = 0; j < d; ++j) {
        const bool stands_out = generator() % 16 == 0;
        squares[j] = 1 + static_cast<double>(generator() % 8) / 8;
        if (stands_out && most > 0) {
          squares[j] *=
              std::pow(3.0, static_cast<double>(generator() % static_cast<unsigned>(most)));
        }
      }
      const auto expected = naive_dominant(squares);
      CHECK(dominant(arena, squares, even) == expected);
      CHECK(dominant(arena, even, squares) == expected);
      CHECK(dominant(arena, squares, zeros) == expected);
      CHECK(Dominance<double>(squares).has_any() == !expected.empty());
      // Of any size.
      Buffer<double> large(arena, d);
      for (Index j = 0; j < d; ++j) large[j] = squares[j] * 1e280;
      CHECK(dominant(arena, large, even) == expected);
    }
  }
}

TEST_CASE("several dominant features are found one below the other, and united over the views") {
  Arena arena;
  Buffer<double> a(arena, 600, 1.0), b(arena, 600, 1.0);
  a[500] = 1e12;
  a[3] = 1e6;
  a[7] = 5;
  b[4] = 100;
  const std::vector<Index> expected{3, 4, 7, 500};
  CHECK(dominant(arena, a, b) == expected);
  CHECK(Dominance<double>(a)(7));
  CHECK_FALSE(Dominance<double>(a)(8));
  // Where nothing can be compared none is.
  a.fill(0);
  b.fill(0);
  CHECK(dominant(arena, a, b).empty());
  a[1] = std::numeric_limits<double>::infinity();
  CHECK(dominant(arena, a, b).empty());
}

TEST_CASE("sums over two Gram matrices") {
  constexpr Index n = 5;
  const auto p = random_row(n * n, 1), q = random_row(n * n, 2);
  GramSums<double> sums, frequency;
  double products = 0, trace_a = 0, trace_b = 0, squares_a = 0, squares_b = 0, both = 0;
  for (Index i = 0; i < n; ++i) {
    const double p_i = p[at(i * n + i)], q_i = q[at(i * n + i)];
    frequency.add_diagonal(p_i, q_i, 2);
    products += 2 * p_i * q_i;
    trace_a += 2 * p_i;
    trace_b += 2 * q_i;
    for (Index j = 0; j < n; ++j) {
      if (i == j) continue;
      // The lower halves count, for both.
      const Index low = std::max(i, j) * n + std::min(i, j);
      const double x = p[at(low)], y = q[at(low)];
      products += 2 * x * y;
      squares_a += 2 * x * x;
      squares_b += 2 * y * y;
      both += 2 * x * y * x * y;
    }
  }
  frequency.add_symmetric(p.data(), q.data(), n, 2.0);
  sums.add(frequency);
  sums.add(frequency);
  CHECK(sums.products == 2 * products);
  CHECK(sums.trace_a == 2 * trace_a);
  CHECK(sums.trace_b == 2 * trace_b);
  CHECK(sums.squares_a == 2 * squares_a);
  CHECK(sums.squares_b == 2 * squares_b);
  CHECK(sums.both == 2 * both);
}

TEST_CASE("Gram matrices keep digits where enough is left of their sums") {
  constexpr double kRows = 16;
  const auto keeps = [](const GramSums<double>& sums, double own, double squares) {
    return sums.keeps_digits<float>(own, squares, kRows);
  };
  GramSums<double> good;
  good.products = 100;
  good.trace_a = good.trace_b = 20;
  good.squares_a = good.squares_b = 64;
  good.both = 50;
  CHECK(keeps(good, 40, 40));
  // A quarter of the products is left, or less.
  CHECK(keeps(good, 25, 25));
  CHECK_FALSE(keeps(good, 24, 24));
  CHECK(keeps(good, 20, 25));
  // Large terms that cancel.
  GramSums<double> changed = good;
  changed.both = 1601;
  CHECK_FALSE(keeps(changed, 40, 40));
  changed.both = 1600;
  CHECK(keeps(changed, 40, 40));
  // Rows of one Gram matrix against what is left: 4 own sqrt(16) = 640 at the most.
  changed = good;
  changed.squares_a = 32 * 32;
  CHECK(keeps(changed, 40, 40));
  changed.squares_a = 33 * 33;
  CHECK_FALSE(keeps(changed, 40, 40));
  changed = good;
  changed.squares_b = 32 * 32;
  CHECK(keeps(changed, 40, 40));
  changed.squares_b = 33 * 33;
  CHECK_FALSE(keeps(changed, 40, 40));
  for (const bool of_a : {true, false}) {
    changed = good;
    double& trace = of_a ? changed.trace_a : changed.trace_b;
    trace = 81;
    CHECK_FALSE(keeps(changed, 40, 40));
    trace = 80;
    CHECK(keeps(changed, 40, 40));
  }
  // Entries that have underflowed, and zeros, which have not.
  constexpr double kLeast = std::numeric_limits<float>::min() * double{1 << 26} * kRows;
  GramSums<double> tiny;
  CHECK(keeps(tiny, 0, 0));
  tiny.trace_a = tiny.trace_b = kLeast;
  CHECK(keeps(tiny, kLeast, kLeast));
  tiny.trace_a = kLeast / 2;
  CHECK_FALSE(keeps(tiny, kLeast, kLeast));
  tiny.trace_a = kLeast;
  tiny.trace_b = kLeast / 2;
  CHECK_FALSE(keeps(tiny, kLeast, kLeast));
  CHECK_FALSE(keeps(good, std::nan(""), std::nan("")));
}

TEST_CASE("infinite numbers are found wherever they are") {
  Arena arena;
  Buffer<float> numbers(arena, 9, 1.0F);
  CHECK(all_finite(numbers));
  CHECK(all_finite(Buffer<float>()));
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    for (Index i = 0; i < 9; ++i) {
      numbers.fill(1);
      numbers[i] = bad;
      CHECK_FALSE(all_finite(numbers));
    }
  }
}

}  // namespace unit_penalties
