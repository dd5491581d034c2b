// Rounding errors of float, and the noise of random signs: the tables of docs/mathematics.md.
//
//   build/release/bench/decorr_benchmarks --benchmark_filter='^(accuracy|noise)'
//
// accuracy: largest error of value and gradient against double on the same float inputs, relative
// to the value and to the gradient's largest entry. noise: mean and standard deviation of the
// relaxed form over draws of signs, relative to the exact one.

#include <benchmark/benchmark.h>

#include <cmath>
#include <decorr/decorr.hpp>
#include <random>

#include "batch.hpp"

namespace {

using Eigen::Index;

template <class Actual, class Expected>
double largest_error(const Actual& actual, const Expected& expected) {
  return (actual.template cast<double>() - expected).cwiseAbs().maxCoeff() /
         expected.cwiseAbs().maxCoeff();
}

// Runs function(batch) for float and for double on the same numbers.
template <class Function>
void compare(benchmark::State& state, double correlation, const Function& function) {
  Batch<float> single(state.range(0), state.range(1), correlation);
  Batch<double> reference(1, 1);
  reference.a = single.a.cast<double>();
  reference.b = single.b.cast<double>();
  reference.grad_a = reference.a;
  reference.grad_b = reference.b;
  for (auto _ : state) {
    const double value = function(single), expected = function(reference);
    state.counters["value"] = std::abs(value / expected - 1);
    state.counters["gradient"] = std::max(largest_error(single.grad_a, reference.grad_a),
                                          largest_error(single.grad_b, reference.grad_b));
  }
}

void accuracy_exact(benchmark::State& state) {
  compare(state, 0.6, [](auto& batch) -> double {
    return decorr::barlow_twins_loss(batch.a, batch.b, batch.grad_a, batch.grad_b).value;
  });
}

void accuracy_signs(benchmark::State& state, int exponent, Index groups) {
  const Index d = state.range(1);
  decorr::Relaxed relaxed;
  relaxed.exponent = exponent;
  relaxed.block_size = d / groups;
  relaxed = with_signs(d, relaxed);
  compare(state, 0.6, [&](auto& batch) -> double {
    return decorr::barlow_twins_loss(batch.a, batch.b, batch.grad_a, batch.grad_b, {}, relaxed)
        .value;
  });
}

void accuracy_r_sum(benchmark::State& state, double correlation) {
  compare(state, correlation, [](auto& batch) -> double {
    return decorr::r_sum(batch.a, batch.b, batch.grad_a, batch.grad_b);
  });
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "d"})->Iterations(1)->Unit(benchmark::kMillisecond);
  for (const auto& [n, d] :
       {std::pair{256, 64}, {256, 1024}, {256, 8192}, {4096, 1024}, {16384, 256}, {65536, 256}}) {
    benchmark->Args({n, d});
  }
}

BENCHMARK(accuracy_exact)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_signs, exponent : 2, 2, 1)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_signs, exponent : 1, 1, 1)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_signs, exponent : 2 / groups : 4, 2, 4)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_r_sum, correlation : 0, 0)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_r_sum, correlation : 0.5, 0.5)->Apply(sizes);
BENCHMARK_CAPTURE(accuracy_r_sum, correlation : 0.95, 0.95)->Apply(sizes);

// Features of one view are correlated with their neighbours', so that C has more than noise off its
// diagonal.
Batch<double> smooth_batch(Index n, Index d) {
  Batch<double> batch(n, d);
  for (Index j = 1; j < d; ++j) {
    batch.a.col(j) = 0.6 * batch.a.col(j - 1) + 0.8 * batch.a.col(j);
    batch.b.col(j) = 0.6 * batch.b.col(j - 1) + 0.8 * batch.b.col(j);
  }
  return batch;
}

template <class Draw>
void observe(benchmark::State& state, double exact, const Draw& draw) {
  constexpr int kDraws = 1500;
  for (auto _ : state) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double ratio = draw() / exact;
      sum += ratio;
      squares += ratio * ratio;
    }
    const double mean = sum / kDraws;
    state.counters["mean"] = mean;
    state.counters["deviation"] = std::sqrt(squares / kDraws - mean * mean);
  }
}

void noise_cross_correlation(benchmark::State& state) {
  const Index d = state.range(0), block_size = state.range(1);
  const auto batch = smooth_batch(512, d);
  std::mt19937_64 generator(3);
  observe(state, decorr::r_off(batch.a, batch.b), [&] {
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    relaxed.signs_a = decorr::random_signs(d, generator);
    relaxed.signs_b = decorr::random_signs(d, generator);
    return decorr::r_sum(batch.a, batch.b, relaxed);
  });
  state.counters["predicted"] = std::sqrt(2 / static_cast<double>(d * (d / block_size)));
}

void noise_covariance(benchmark::State& state) {
  const Index d = state.range(0), block_size = state.range(1);
  const auto batch = smooth_batch(512, d);
  std::mt19937_64 generator(3);
  observe(state, decorr::variance_covariance_loss(batch.a).covariance, [&] {
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    relaxed.signs_a = decorr::random_signs(d, generator);
    return decorr::variance_covariance_loss(batch.a, {}, relaxed).covariance;
  });
  state.counters["predicted"] = std::sqrt(4 / static_cast<double>(d * (d / block_size)));
}

void blocks(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"d", "b"})->Iterations(1)->Unit(benchmark::kMillisecond);
  for (const auto& [d, b] :
       {std::pair{64, 64}, {64, 16}, {255, 255}, {256, 256}, {256, 32}, {1024, 1024}}) {
    benchmark->Args({d, b});
  }
}

BENCHMARK(noise_cross_correlation)->Apply(blocks);
BENCHMARK(noise_covariance)->Apply(blocks);

}  // namespace
