// Lengths of transforms, and the plans that make them (detail/fft).
#include <doctest/doctest.h>
#include <fftw3.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdint>
#include <decorr/detail/fft/fftw.hpp>
#include <decorr/detail/fft/plan_cache.hpp>
#include <decorr/detail/fft/transform_length.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/locks.hpp"
#include "support/random_matrices.hpp"

namespace unit_fft {

namespace {

using namespace decorr::detail;
using decorr::Planning;

// By trial division, 1 of 1.
Index largest_factor(Index number) {
  Index largest = 1;
  for (Index factor = 2; number > 1; ++factor) {
    while (number % factor == 0) {
      number /= factor;
      largest = factor;
    }
  }
  return largest;
}

template <class Scalar>
using Signal = Buffer<std::complex<Scalar>>;

template <class Scalar>
Signal<Scalar> random_signal(Arena& arena, Index size, std::uint64_t seed) {
  decorr_tests::Gaussian gaussian(seed);
  Signal<Scalar> signal(arena, size);
  for (Index j = 0; j < size; ++j) {
    const auto real = static_cast<Scalar>(gaussian());
    signal[j] = {real, static_cast<Scalar>(gaussian())};
  }
  return signal;
}

// Frequency f of one signal, by the definition.
template <class Scalar>
std::complex<long double> naive_dft(const std::complex<Scalar>* signal, Index length, Index f,
                                    Direction direction) {
  const long double turn = direction == Direction::forward ? -2 : 2;
  std::complex<long double> sum = 0;
  for (Index j = 0; j < length; ++j) {
    const long double angle = turn * 3.14159265358979323846264338327950288L *
                              static_cast<long double>(j * f % length) /
                              static_cast<long double>(length);
    sum += std::complex<long double>(signal[j]) *
           std::complex<long double>(std::cos(angle), std::sin(angle));
  }
  return sum;
}

}  // namespace

TEST_CASE("smooth numbers are those without large prime factors") {
  Index wrong = 0;
  for (Index number = 1; number <= 3000; ++number) {
    const Index factor = largest_factor(number);
    for (const Index largest : {2, 5, 22, 23}) {
      wrong += is_smooth(number, largest) == (factor <= largest) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("transforms are as long as what they transform, or padded where that is slow") {
  for (Index width = 1; width <= 1200; ++width) {
    CAPTURE(width);
    CHECK(transform_length(width, Padding::none) == width);
    const Index length = transform_length(width);
    if (largest_factor(width) <= 23) {
      CHECK(length == width);
      continue;
    }
    CHECK(length >= 2 * width - 1);
    CHECK(length % 8 == 0);
    CHECK(largest_factor(length) <= 5);
    Index shorter = 2 * width - 1;
    while (shorter % 8 != 0 || largest_factor(shorter) > 5) ++shorter;
    CHECK(length == shorter);
  }
}

TEST_CASE("long padded lengths are powers of two, and end where FFTW's do") {
  CHECK(smooth_length(1) == 8);
  CHECK(smooth_length((1 << 18) - 1) == 1 << 18);
  CHECK(smooth_length(1 << 18) == 1 << 18);
  CHECK(smooth_length((1 << 18) + 1) == 1 << 19);
  CHECK(smooth_length(249999) == 250000);
  CHECK(transform_length(300007) == 1 << 20);
  for (const Index prime : {536'870'923, std::numeric_limits<int>::max()}) {
    CHECK(transform_length(prime) == prime);
  }
  CHECK(transform_length(536'870'909) == 1 << 30);  // the last prime below 2^29
}

TEST_CASE_TEMPLATE("plans transform by the definition, and backward undoes forward", Scalar, float,
                   double, long double) {
  constexpr auto kRounding = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  Arena arena;
  for (const Index length : {1, 2, 3, 8, 23, 29, 90}) {
    for (const Index count : {1, 3}) {
      CAPTURE(length);
      CAPTURE(count);
      const auto forward =
          transform_plan<Scalar>(length, count, Direction::forward, Planning::estimate);
      const auto backward =
          transform_plan<Scalar>(length, count, Direction::backward, Planning::estimate);
      CHECK(forward.length() == length);
      const Index size = length * count;
      const auto signal = random_signal<Scalar>(arena, size, 1);
      Signal<Scalar> input(arena, size), spectrum(arena, size), again(arena, size);
      std::copy_n(signal.data(), size, input.data());
      forward.execute(input.data(), spectrum.data());
      CHECK(std::equal(input.data(), input.data() + size, signal.data()));
      backward.execute(spectrum.data(), again.data());
      // The largest error of a transform grows as the logarithm of its length.
      const double tolerance = 8 * kRounding * static_cast<double>(length);
      double error_forward = 0, error_backward = 0, error_again = 0;
      for (Index i = 0; i < count; ++i) {
        for (Index f = 0; f < length; ++f) {
          const Index at = i * length + f;
          const auto difference = [](const auto& x, const auto& y) {
            return static_cast<double>(std::abs(std::complex<long double>(x) - y));
          };
          error_forward = std::max(
              error_forward, difference(spectrum[at], naive_dft(signal.data() + i * length, length,
                                                                f, Direction::forward)));
          error_backward = std::max(
              error_backward, difference(again[at], naive_dft(spectrum.data() + i * length, length,
                                                              f, Direction::backward)));
          error_again =
              std::max(error_again, difference(again[at], std::complex<long double>(signal[at]) *
                                                              static_cast<long double>(length)));
        }
      }
      CHECK(error_forward <= tolerance);
      CHECK(error_backward <= tolerance * static_cast<double>(length));
      CHECK(error_again <= tolerance);
    }
  }
}

TEST_CASE_TEMPLATE("a forward plan's power is even over the frequencies but for rounding", Scalar,
                   float, double, long double) {
  for (const Index length : {1, 2, 7, 64, 91, 1000}) {
    CAPTURE(length);
    const auto plan = transform_plan<Scalar>(length, 2, Direction::forward, Planning::estimate);
    // Each of a few steps rounds a factor of modulus one, whose square is off by twice as much.
    const Scalar most = 16 * std::numeric_limits<Scalar>::epsilon();
    const Scalar* deviation = plan.power_deviation();
    REQUIRE(deviation != nullptr);
    Scalar largest = 0;
    for (Index f = 0; f <= length / 2; ++f) {
      const bool small = std::abs(deviation[f]) <= most;
      CHECK(small);
      largest = std::max(largest, std::abs(deviation[f]));
    }
    // Double's happens to be even.
    if (length == 1000 && sizeof(Scalar) == sizeof(float)) CHECK(largest > 0);
  }
}

TEST_CASE("a plan's deviation is that of the power of unit impulses, of f and -f together") {
  // Of longer ones a sample of the impulses is taken.
  for (const Index length : {7, 31, 64, 91, 500}) {
    CAPTURE(length);
    const auto plan = transform_plan<float>(length, 1, Direction::forward, Planning::estimate);
    const auto size = static_cast<std::size_t>(length);
    const WorkspaceBlock in_block(size * sizeof(std::complex<float>)),
        out_block(size * sizeof(std::complex<float>));
    auto* in = static_cast<std::complex<float>*>(in_block.data());
    auto* out = static_cast<std::complex<float>*>(out_block.data());
    std::vector<long double> power(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
      std::fill_n(in, size, 0.0F);
      in[i] = 1;
      plan.execute(in, out);
      for (std::size_t f = 0; f < size; ++f)
        power[f] += std::norm(std::complex<long double>(out[f]));
    }
    const long double all = std::accumulate(power.begin(), power.end(), 0.0L);
    for (std::size_t f = 0; f <= size / 2; ++f) {
      const long double both = power[f] + power[(size - f) % size],
                        expected = both * static_cast<long double>(length) / (2 * all) - 1;
      // A float's digits of it, and what sums in double leave.
      CHECK(std::abs(static_cast<long double>(plan.power_deviation()[f]) - expected) <=
            1e-6L * std::abs(expected) + 1e-13L);
    }
  }
}

TEST_CASE("each rigor is FFTW's of that name, and input is preserved") {
  CHECK(planner_flags(Planning::estimate) == (FFTW_ESTIMATE | FFTW_PRESERVE_INPUT));
  CHECK(planner_flags(Planning::measure) == (FFTW_MEASURE | FFTW_PRESERVE_INPUT));
  CHECK(planner_flags(Planning::patient) == (FFTW_PATIENT | FFTW_PRESERVE_INPUT));
}

TEST_CASE("plans come from the cache, and outlive their place in it") {
  PlanCache::clear();
  const auto plan = [](Index length) {
    return transform_plan<double>(length, 1, Direction::forward, Planning::estimate);
  };
  const auto first = plan(5);
  const Index size = 5;
  CHECK(plan(5).power_deviation() == first.power_deviation());
  CHECK(PlanCache::size() == 1);
  const auto another = transform_plan<float>(5, 1, Direction::forward, Planning::estimate);
  CHECK(PlanCache::size() == 2);
  const auto used = plan(7);
  for (Index length = 1; length <= static_cast<Index>(CachedPlans::kMost) + 2; ++length) {
    plan(length);
    plan(7);  // in use all the time, from its first use on
  }
  CHECK(PlanCache::size() == CachedPlans::kMost);
  CHECK(plan(7).power_deviation() == used.power_deviation());
  Arena arena;
  const auto signal = random_signal<double>(arena, size, 2);
  Signal<double> from_first(arena, size), from_new(arena, size);
  first.execute(signal.data(), from_first.data());
  plan(5).execute(signal.data(), from_new.data());
  CHECK(std::equal(from_first.data(), from_first.data() + size, from_new.data()));
  PlanCache::clear();
  CHECK(PlanCache::size() == 0);
  CHECK(first.length() == 5);
}

TEST_CASE("the plan used longest ago makes room, one at a time") {
  PlanCache::clear();
  const auto plan = [](Index length) {
    return transform_plan<double>(length, 1, Direction::forward, Planning::estimate);
  };
  constexpr auto kMost = static_cast<Index>(CachedPlans::kMost);
  std::vector<TransformPlan<double>> kept;
  for (Index length = 1; length <= kMost; ++length) kept.push_back(plan(length));
  plan(1);          // so that 2 is the one used longest ago
  plan(kMost + 1);  // in its place
  for (Index length = 1; length <= kMost; ++length) {
    CAPTURE(length);
    if (length == 2) continue;
    CHECK(plan(length).power_deviation() ==
          kept[static_cast<std::size_t>(length - 1)].power_deviation());
  }
  CHECK(plan(2).power_deviation() != kept[1].power_deviation());
  // What has just come is not what makes room.
  const auto last = plan(kMost + 2);
  plan(kMost + 3);
  CHECK(plan(kMost + 2).power_deviation() == last.power_deviation());
  PlanCache::clear();
}

TEST_CASE("threads that wait for the planner get the plan that one of them has made") {
  PlanCache::clear();
  std::vector<std::optional<TransformPlan<float>>> plans(4);
  std::vector<std::thread> threads;
  {
    const std::lock_guard<std::mutex> lock(process_planner_mutex());
    for (auto& plan : plans) {
      threads.emplace_back(
          [&plan] { plan = transform_plan<float>(40, 1, Direction::forward, Planning::estimate); });
    }
    // Until they have found that there is none.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  for (std::thread& thread : threads) thread.join();
  std::set<const float*> made;
  for (const auto& plan : plans) made.insert(plan->power_deviation());
  CHECK(made.size() == 1);
  CHECK(PlanCache::size() == 1);
  PlanCache::clear();
}

TEST_CASE("plans are looked up, made and destroyed under the locks of the cache and the planner") {
  using decorr_tests::is_over_while_held;
  using decorr_tests::waits_for;
  const auto plan = [] {
    return transform_plan<float>(24, 1, Direction::forward, Planning::estimate);
  };
  std::mutex &cache = cached_plans_state.value.mutex, &planner = process_planner_mutex();
  PlanCache::clear();
  CHECK(waits_for(planner, plan));
  CHECK(is_over_while_held(planner, plan));  // it is in the cache
  CHECK(waits_for(cache, [] { PlanCache::find(PlanKey()); }));
  CHECK(waits_for(cache, [] { static_cast<void>(PlanCache::insert(PlanKey(), nullptr)); }));
  CHECK(waits_for(cache, [] { PlanCache::size(); }));
  CHECK(waits_for(cache, [] { PlanCache::clear(); }));
  plan();
  CHECK(waits_for(planner, [] { PlanCache::clear(); }));
}

TEST_CASE("extents that FFTW cannot take are refused") {
  const auto plan = [](Index length, Index count) {
    return transform_plan<float>(length, count, Direction::forward, Planning::estimate);
  };
  constexpr Index kTooMany = Index{1} << 31;
  CHECK_THROWS_AS(plan(0, 1), std::invalid_argument);
  CHECK_THROWS_AS(plan(-1, 1), std::invalid_argument);
  CHECK_THROWS_AS(plan(kTooMany, 1), std::invalid_argument);
  CHECK_THROWS_AS(plan(1, 0), std::invalid_argument);
  CHECK_THROWS_AS(plan(1, kTooMany), std::invalid_argument);
}

}  // namespace unit_fft
