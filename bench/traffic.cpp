// Times of the calls whose memory traffic bytes.sh counts: traffic/n:../d:../call, in float. A
// call's matrices, at the speed of the copy, and the bare transforms bound it from below.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <decorr/decorr.hpp>
#include <memory>
#include <string>

#include "calls.hpp"

namespace {

template <int kOrder>
void add_calls(Eigen::Index n, Eigen::Index d, const std::string& suffix) {
  using Floats = Calls<float, kOrder>;
  // For the names; the large batch is made when a case runs.
  const Floats tiny(2, 1024, decorr::Planning::estimate);
  for (const auto& call : tiny.all()) {
    const std::string name = call.first;
    benchmark::RegisterBenchmark(
        ("traffic/n:" + std::to_string(n) + "/d:" + std::to_string(d) + "/" + name + suffix)
            .c_str(),
        [=](benchmark::State& state) {
          const Floats calls(n, d, decorr::Planning::measure);
          const auto& function = calls.all().at(name);
          function();
          for (auto _ : state) {
            function();
            benchmark::ClobberMemory();
          }
        })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

const bool kAdded = [] {
  for (const Eigen::Index n : {128, 512}) {
    add_calls<Eigen::RowMajor>(n, 8192, "");
    add_calls<Eigen::ColMajor>(n, 8192, ", column-major");
  }
  return true;
}();

}  // namespace
