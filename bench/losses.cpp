// Time of the losses and regularizers, beside what bounds them: the bare transforms and a copy.
//
//   build/release/bench/decorr_benchmarks --benchmark_filter=barlow_twins/float/n:256
//
// Names read loss/scalar/n:../d:../form[/variant]. Times are for value and gradient, on row-major
// matrices and one thread, unless the variant says otherwise.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <complex>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>

#include "batch.hpp"

namespace {

using decorr::Execution;
using decorr::detail::Route;
using Eigen::Index;

enum class Loss { barlow_twins, vicreg, bare };
enum class Output { gradient, value };

const char* name_of(Loss loss) {
  return loss == Loss::barlow_twins ? "barlow_twins" : loss == Loss::vicreg ? "vicreg" : "bare";
}

// A regularizer by a route: routes have no public name.
struct Form {
  Form(const decorr::Relaxed& form, Route by = Route::automatic) : relaxed(form), route(by) {}
  explicit Form(Route by) : route(by) {}  // exact

  std::optional<decorr::Relaxed> relaxed;
  Route route;
};

template <class Scalar, int kOrder>
void call(Loss loss, Output output, Batch<Scalar, kOrder>& data, const Form& form,
          const Execution& execution) {
  using decorr::detail::Arena;
  using decorr::detail::GradientTarget;
  using decorr::detail::loss_of;
  using decorr::detail::Operand;
  using Matrix = typename Batch<Scalar, kOrder>::Matrix;
  Arena arena;
  decorr::detail::Batch<Scalar> batch{
      arena,
      {Operand<Matrix>(data.a).rows(), Operand<Matrix>(data.b).rows(), {}, {}},
      execution,
      form.route};
  if (output == Output::gradient) {
    batch.rows.gradient_a = GradientTarget<Matrix>(arena, data.grad_a).rows();
    batch.rows.gradient_b = GradientTarget<Matrix>(arena, data.grad_b).rows();
  }
  const auto regularizer =
      form.relaxed ? decorr::Regularizer(*form.relaxed) : decorr::Regularizer();
  if (loss == Loss::barlow_twins) {
    benchmark::DoNotOptimize(
        loss_of<decorr::detail::BarlowTwinsFirstPass<Scalar>>(batch, {}, regularizer));
  } else if (loss == Loss::vicreg) {
    benchmark::DoNotOptimize(
        loss_of<decorr::detail::VicregFirstPass<Scalar>>(batch, {}, regularizer));
  } else {
    benchmark::DoNotOptimize(
        loss_of<decorr::detail::RegularizerFirstPass<Scalar>>(batch, {}, regularizer));
  }
  benchmark::ClobberMemory();
}

std::string size_name(Index n, Index d) {
  return "n:" + std::to_string(n) + "/d:" + std::to_string(d);
}

template <class Scalar>
const char* scalar_name() {
  return std::is_same<Scalar, float>::value ? "float" : "double";
}

template <class Function>
void add(const std::string& name, Function function) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(function))
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

template <class Scalar, int kOrder = Eigen::RowMajor>
void add_call(Loss loss, Index n, Index d, const std::string& form, const Form& regularizer,
              Output output = Output::gradient, const Execution& execution = {}) {
  add(std::string(name_of(loss)) + "/" + scalar_name<Scalar>() + "/" + size_name(n, d) + "/" + form,
      [=](benchmark::State& state) {
        Batch<Scalar, kOrder> batch(n, d);
        call(loss, output, batch, regularizer, execution);
        for (auto _ : state) {
          call(loss, output, batch, regularizer, execution);
        }
      });
}

// What no implementation on these transforms can beat: n forward and n backward ones, on data that
// stay in the cache.
template <class Scalar>
void add_transforms(Index n, Index d, decorr::Planning planning = decorr::Planning::measure,
                    const std::string& variant = {}) {
  add(std::string("transforms/") + scalar_name<Scalar>() + "/" + size_name(n, d) + variant,
      [=](benchmark::State& state) {
        using decorr::detail::Buffer;
        decorr::detail::Arena arena;
        using Complex = std::complex<Scalar>;
        const auto forward = decorr::detail::transform_plan<Scalar>(
            d, 1, decorr::detail::Direction::forward, planning);
        const auto backward = decorr::detail::transform_plan<Scalar>(
            d, 1, decorr::detail::Direction::backward, planning);
        Buffer<Complex> signal(arena, d, Complex(1, 1));
        Buffer<Complex> spectrum(arena, d, Complex(1, 1));
        for (auto _ : state) {
          for (Index k = 0; k < n; ++k) {
            forward.execute(signal.data(), spectrum.data());
          }
          for (Index k = 0; k < n; ++k) {
            backward.execute(signal.data(), spectrum.data());
          }
          benchmark::ClobberMemory();
        }
      });
}

// The exact form's products alone, in memory that is there already: what a hand-written exact loss
// can come to.
template <class Scalar>
void add_products(Index n, Index d, Route route) {
  const bool gram = route == Route::gram;
  add(std::string("products_") + (gram ? "gram/" : "correlation/") + scalar_name<Scalar>() + "/" +
          size_name(n, d),
      [=](benchmark::State& state) {
        Batch<Scalar> batch(n, d);
        using Matrix = typename Batch<Scalar>::Matrix;
        Matrix first = Matrix::Zero(gram ? n : d, gram ? n : d);
        Matrix second = Matrix::Zero(gram ? n : 0, gram ? n : 0);
        for (auto _ : state) {
          if (gram) {
            first.noalias() = batch.a * batch.a.transpose();
            second.noalias() = batch.b * batch.b.transpose();
            batch.grad_a.noalias() = second * batch.a;
            batch.grad_b.noalias() = first * batch.b;
          } else {
            first.noalias() = batch.a.transpose() * batch.b;
            batch.grad_a.noalias() = batch.b * first.transpose();
            batch.grad_b.noalias() = batch.a * first;
          }
          benchmark::ClobberMemory();
        }
      });
}

template <class Scalar>
void add_copy(Index n, Index d) {
  add(std::string("copy/") + scalar_name<Scalar>() + "/" + size_name(n, d),
      [=](benchmark::State& state) {
        Batch<Scalar> batch(n, d);
        for (auto _ : state) {
          batch.grad_a = batch.a;
          batch.grad_b = batch.b;
          benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(state.iterations() * 4 * n * d *
                                static_cast<std::int64_t>(sizeof(Scalar)));
      });
}

decorr::Relaxed relaxed(int exponent = 2, Index block_size = 0) {
  decorr::Relaxed result;
  result.exponent = exponent;
  result.block_size = block_size;
  return result;
}

decorr::Relaxed with_permutation(Index d, decorr::Relaxed result) {
  std::mt19937_64 generator(3);
  result.permutation = decorr::random_permutation(d, generator);
  return result;
}

Execution on_threads(int threads) {
  Execution execution;
  execution.threads = threads;
  return execution;
}

// Everything that is compared at one size.
template <class Scalar>
void add_size(Index n, Index d) {
  add_transforms<Scalar>(n, d);
  add_copy<Scalar>(n, d);
  const double flops =
      8.0 * static_cast<double>(n) * static_cast<double>(d) * static_cast<double>(std::max(n, d));
  const bool through_correlation = flops < 3e11, through_gram = n <= 4096;
  if (through_correlation) {
    add_products<Scalar>(n, d, Route::features);
  }
  if (through_gram) {
    add_products<Scalar>(n, d, Route::gram);
  }
  for (const Loss loss : {Loss::barlow_twins, Loss::vicreg}) {
    add_call<Scalar>(loss, n, d, "relaxed", relaxed());
    add_call<Scalar>(loss, n, d, "relaxed/value", relaxed(), Output::value);
    add_call<Scalar>(loss, n, d, "relaxed/exponent:1", relaxed(1));
    add_call<Scalar>(loss, n, d, "relaxed/signs", with_signs(d, relaxed()));
    add_call<Scalar>(loss, n, d, "relaxed/permutation", with_permutation(d, relaxed()));
    add_call<Scalar, Eigen::ColMajor>(loss, n, d, "relaxed/column_major", relaxed());
    add_call<Scalar>(loss, n, d, "relaxed/threads:2", relaxed(), Output::gradient, on_threads(2));
    for (const Index block_size : {Index{128}, Index{512}}) {
      if (block_size < d) {
        add_call<Scalar>(loss, n, d, "relaxed/block_size:" + std::to_string(block_size) + "/signs",
                         with_signs(d, relaxed(2, block_size)));
      }
    }
    // More blocks than samples, by either route.
    const Index small_block = 8;
    if (n < d / small_block) {
      const std::string form = "relaxed/block_size:" + std::to_string(small_block);
      add_call<Scalar>(loss, n, d, form, relaxed(2, small_block));
      if (d <= 8192) {
        add_call<Scalar>(loss, n, d, form + "/features",
                         Form(relaxed(2, small_block), Route::features));
      }
    }
    if (through_correlation) {
      add_call<Scalar>(loss, n, d, "exact_correlation", Form(Route::features));
    }
    if (through_gram) {
      add_call<Scalar>(loss, n, d, "exact_gram", Form(Route::gram));
    }
  }
}

// What recommended() chooses between, and what it chooses.
void add_choice(Index n, Index d) {
  std::mt19937_64 generator(2);
  const decorr::Regularizer recommended = decorr::presets::recommended(n, d, generator);
  for (const Loss loss : {Loss::barlow_twins, Loss::vicreg}) {
    add_call<float>(loss, n, d, "choice/exact", Form(Route::automatic));
    add_call<float>(loss, n, d, "choice/signs", with_signs(d, relaxed()));
    if (recommended.relaxed() != nullptr) {
      add_call<float>(loss, n, d, "choice/recommended", *recommended.relaxed());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Eigen::setNbThreads(1);  // the products that are compared with run on one thread, as the calls do
  for (const Index n : {64, 256, 1024, 4096}) {
    for (Index d = 256; d <= 65536; d *= 2) {
      add_size<float>(n, d);
      add_size<double>(n, d);
    }
  }
  for (const Index n : {16, 32, 64, 256}) {
    for (const Index d : {32, 64, 512, 1000, 1024, 2048, 4096, 8191, 8192, 16384}) {
      add_choice(n, d);
    }
  }
  for (const Index d : {8191, 8190, 10007}) {  // prime, smooth, prime
    add_transforms<float>(256, d);
    add_call<float>(Loss::barlow_twins, 256, d, "relaxed", relaxed());
  }
  for (const auto& [n, d] : {std::pair<Index, Index>{64, 1 << 20}, {65536, 256}}) {  // extremes
    add_transforms<float>(n, d);
    add_call<float>(Loss::barlow_twins, n, d, "relaxed", relaxed());
  }
  // In a process of their own: FFTW keeps what it has learnt, and plans with it from then on.
  for (const Index d : {4096, 8192, 16384}) {
    Execution execution;
    execution.planning = decorr::Planning::patient;
    add_transforms<float>(256, d, execution.planning, "/patient");
    add_call<float>(Loss::barlow_twins, 256, d, "patient_relaxed", relaxed(), Output::gradient,
                    execution);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
