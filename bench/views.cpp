// The losses of several views, with their gradients, against the number of views: what it costs to
// take all pairs, or the centroid. `--benchmark_filter=^views` alone.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <vector>

#include "batch.hpp"

namespace {

using decorr::ViewCombination;
using Matrix = Batch<float>::Matrix;

// Views in pairs of one batch each, which is as good as any for a time.
std::vector<Matrix> views_of(std::int64_t count, Eigen::Index n, Eigen::Index d) {
  const Batch<float> batch(n, d);
  std::vector<Matrix> views;
  views.reserve(static_cast<std::size_t>(count));
  for (std::int64_t v = 0; v < count; ++v) {
    views.push_back(v % 2 == 0 ? batch.a : batch.b);
  }
  return views;
}

template <class Loss>
void run(benchmark::State& state, const Loss& loss) {
  constexpr Eigen::Index kSamples = 256, kFeatures = 2048;
  const std::vector<Matrix> views = views_of(state.range(0), kSamples, kFeatures);
  std::vector<Matrix> gradients(views.size(), Matrix::Zero(kSamples, kFeatures));
  const decorr::Relaxed relaxed = with_signs(kFeatures, {});
  loss(views, gradients, relaxed);
  for (auto _ : state) {
    loss(views, gradients, relaxed);
    benchmark::ClobberMemory();
  }
}

void views_barlow_twins(benchmark::State& state, ViewCombination combination) {
  run(state, [=](const auto& views, auto& gradients, const auto& regularizer) {
    decorr::barlow_twins_loss_of_views(views, gradients, combination, {}, regularizer);
  });
}

void views_vicreg(benchmark::State& state, ViewCombination combination) {
  run(state, [=](const auto& views, auto& gradients, const auto& regularizer) {
    decorr::vicreg_loss_of_views(views, gradients, combination, {}, regularizer);
  });
}

void counts(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("views")->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const std::int64_t count : {2, 4, 8}) {
    benchmark->Arg(count);
  }
}

BENCHMARK_CAPTURE(views_barlow_twins, pairs, ViewCombination::pairs)->Apply(counts);
BENCHMARK_CAPTURE(views_barlow_twins, centroid, ViewCombination::centroid)->Apply(counts);
BENCHMARK_CAPTURE(views_vicreg, pairs, ViewCombination::pairs)->Apply(counts);
BENCHMARK_CAPTURE(views_vicreg, centroid, ViewCombination::centroid)->Apply(counts);

}  // namespace
