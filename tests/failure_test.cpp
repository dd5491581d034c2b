// What a call does where memory, or a plan of FFTW's, cannot be had: each allocation of each form
// of each function fails once. A program of its own, because it replaces the allocation functions
// and FFTW's planner.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fftw3.h>

#if defined(__has_include)
#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif

#include <cmath>
#include <decorr/decorr.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/failing_calls.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"
#include "support/views_cases.hpp"

namespace {

int plans_until_failure = -1;  // negative: none fails
bool plan_fails() {
  if (plans_until_failure < 0) return false;
  --plans_until_failure;
  return plans_until_failure < 0;
}

}  // namespace

// FFTW's planner in front of FFTW's own. One that searches wisdom alone, or makes the two-element
// transform by which decorr knows its plans from those of another FFTW, is no plan of a call.
#ifdef RTLD_NEXT
#define DECORR_TESTS_PLANNER(PREFIX)                                                         \
  extern "C" PREFIX##_plan PREFIX##_plan_many_dft(                                           \
      int rank, const int* n, int count, PREFIX##_complex* in, const int* in_extents,        \
      int in_stride, int in_distance, PREFIX##_complex* out, const int* out_extents,         \
      int out_stride, int out_distance, int sign, unsigned flags) {                          \
    static auto* const planner = reinterpret_cast<decltype(&PREFIX##_plan_many_dft)>(        \
        dlsym(RTLD_NEXT, #PREFIX "_plan_many_dft"));                                         \
    if (*n > 2 && plan_fails()) return nullptr;                                              \
    return planner(rank, n, count, in, in_extents, in_stride, in_distance, out, out_extents, \
                   out_stride, out_distance, sign, flags);                                   \
  }
DECORR_TESTS_PLANNER(fftwf)
DECORR_TESTS_PLANNER(fftw)
#endif

namespace {

using decorr_tests::Call;
using decorr_tests::fail_each;
using decorr_tests::fail_each_allocation;
using decorr_tests::Failing;
using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::Output;
using decorr_tests::output;
using decorr_tests::random_matrix;
using decorr_tests::Thrown;
using Eigen::Index;
template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Scalar>
using ColumnMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// FFTW's plans are dropped, or kept for calls that find them. Its wisdom and more of its own stay
// from its first plan on, which the first call of each case, a clean one, makes.
void empty_all() {
  decorr::clear_plans();
  decorr::clear_workspaces();
}
void empty_workspaces() { decorr::clear_workspaces(); }

int fail_each_plan(const Call& call) {
  return fail_each(
      call, "a plan", empty_all, Thrown::runtime_error, [](int k) { plans_until_failure = k; },
      [] { return std::exchange(plans_until_failure, -1) < 0; });
}

void check(const Call& call) {
  // A lone failure meets what goes on, lasting ones meet what cleans up.
  const int cold = fail_each_allocation(call, empty_all, Failing::one);
  const int warm = fail_each_allocation(call, empty_workspaces, Failing::all_from);
  CHECK_MESSAGE(cold >= warm, call.name);
  CHECK_MESSAGE(warm > 0, call.name);
}

// d is prime, so that a single block of it goes through a longer transform; n < d, so that Exact
// and single features go through Gram matrices, groups of 5 not; two tiles of rows for two threads.
constexpr Index kRows = 20, kFeatures = 29;

template <class Matrix>
Matrix view(Index rows, Index features, std::uint64_t seed) {
  return random_matrix<Matrix>(rows, features, seed);
}

// Views for which the Gram matrices alone would lose digits: features that outweigh the rest, and
// hardly anything off the diagonal of C.
template <class Matrix>
std::vector<std::pair<const char*, Matrix>> hard_views() {
  Matrix dominated = view<Matrix>(kRows, kFeatures, 1), diagonal = Matrix::Zero(kRows, kFeatures);
  dominated.col(3) *= static_cast<typename Matrix::Scalar>(1e4);
  diagonal.diagonal() = dominated.diagonal();
  return {{"dominated", dominated}, {"diagonal", diagonal}};
}

template <class Inputs, class Gradients = Inputs>
void check_gradients(const char* data, const Inputs& a, const Inputs& b, const LossCase& loss_case,
                     int threads) {
  LossCase with_threads = loss_case;
  with_threads.execution.threads = threads;
  Gradients grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  check({loss_case.name + ", " + data + ", threads: " + std::to_string(threads),
         [&] { return static_cast<double>(with_threads(a, b, grad_a, grad_b)); },
         loss_case.is_single_view() ? std::vector<Output>{output(grad_a)}
                                    : std::vector<Output>{output(grad_a), output(grad_b)}});
}

bool squares(const LossCase& loss_case) {
  return loss_case.relaxed() == nullptr ||
         (loss_case.relaxed()->block_size > 0 && loss_case.relaxed()->exponent == 2);
}

}  // namespace

TEST_CASE("allocations fail") { decorr_tests::check_that_allocations_fail(); }

TEST_CASE("each allocation of a gradient fails") {
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(kRows, kFeatures, 1), b = view<Matrix>(kRows, kFeatures, 2);
  for (const Index block_size : {5, 1}) {
    for (const LossCase& loss_case : loss_cases(kFeatures, block_size)) {
      for (const int threads : {1, 2}) check_gradients("ordinary", a, b, loss_case, threads);
      if (!squares(loss_case)) continue;
      for (const auto& [name, hard] : hard_views<Matrix>()) {
        check_gradients(name, hard, b, loss_case, 2);
      }
    }
  }
}

// Sanitizers make compiling long: they see gradients in float alone.
#ifndef DECORR_TESTS_SANITIZED
TEST_CASE("each allocation of a value fails") {
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(kRows, kFeatures, 1), b = view<Matrix>(kRows, kFeatures, 2);
  for (const Index block_size : {5, 1}) {
    for (const LossCase& loss_case : loss_cases(kFeatures, block_size)) {
      check({loss_case.name + ", value", [&] { return static_cast<double>(loss_case(a, b)); }, {}});
    }
  }
  Eigen::VectorXf lags(kFeatures);
  check({"sumvec",
         [&] {
           lags = decorr::sumvec(a, b, decorr_tests::quick());
           return 0.0;
         },
         {}});
}

TEST_CASE("each allocation of a gradient fails: n > d, no prime, double, column-major") {
  using Matrix = ColumnMajor<double>;
  for (const auto& [rows, features] :
       {std::pair<Index, Index>(40, 24), std::pair<Index, Index>(5, 24)}) {
    const auto a = view<Matrix>(rows, features, 1), b = view<Matrix>(rows, features, 2);
    for (const LossCase& loss_case : loss_cases(features, 6)) {
      check_gradients("double", a, b, loss_case, 2);
    }
  }
}

TEST_CASE("each allocation of a gradient fails: half, in another order than its input") {
  const auto a = view<ColumnMajor<float>>(kRows, kFeatures, 1);
  const auto b = view<ColumnMajor<float>>(kRows, kFeatures, 2);
  for (const LossCase& loss_case : loss_cases(kFeatures, 5)) {
    check_gradients<ColumnMajor<float>, RowMajor<Eigen::half>>("half", a, b, loss_case, 1);
  }
}

namespace {

// A single process that does as if there were others.
class Alone : public decorr::Communicator {
 public:
  void sum(double*, std::size_t) override {}
  void sum(long double*, std::size_t) override {}
};

}  // namespace

TEST_CASE("each allocation of a collective call fails") {
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(kRows, kFeatures, 1), b = view<Matrix>(kRows, kFeatures, 2);
  Alone alone;
  for (LossCase loss_case : loss_cases(kFeatures, 5)) {
    loss_case.execution.communicator = &alone;
    check_gradients("collective", a, b, loss_case, 2);
  }
}

namespace {

// And notices whether the last sum has told others of a failure.
class Witness : public decorr::Communicator {
 public:
  void sum(double* numbers, std::size_t count) override {
    const bool is_first = count == 55;
    told_ = is_first ? numbers[1] == 1 : std::fmod(numbers[0], 1 << 22) == 1;
  }
  void sum(long double*, std::size_t) override {}
  bool told() const { return told_; }

 private:
  bool told_ = false;
};

}  // namespace

TEST_CASE("each allocation of a loss of several views fails, of one process and of several") {
  using Matrix = RowMajor<float>;
  const std::vector<Matrix> views = decorr_tests::random_views_of<Matrix>(3, kRows, kFeatures);
  std::vector<Matrix> gradients = decorr_tests::like<Matrix>(views);
  std::vector<Output> outputs;
  for (Matrix& each : gradients) outputs.push_back(output(each));
  for (decorr_tests::ViewsCase views_case : decorr_tests::views_cases(kFeatures, 5)) {
    check({views_case.name(), [&] { return static_cast<double>(views_case(views, gradients)); },
           outputs});
    check({views_case.name() + ", collective",
           [&] {
             Witness witness;
             views_case.loss.execution.communicator = &witness;
             try {
               return static_cast<double>(views_case(views, gradients));
             } catch (const std::bad_alloc&) {
               // Another type than fail_each() expects.
               if (!witness.told()) throw std::logic_error("others would wait");
               throw;
             }
           },
           outputs});
  }
}

TEST_CASE("each allocation of a batch in parts fails") {
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(kRows, kFeatures, 1), b = view<Matrix>(kRows, kFeatures, 2);
  Matrix grad_a(kRows, kFeatures), grad_b(kRows, kFeatures);
  Alone alone;
  for (LossCase loss_case : loss_cases(kFeatures, 5)) {
    for (const bool is_collective : {false, true}) {
      if (is_collective) loss_case.execution.communicator = &alone;
      if (loss_case.family != decorr_tests::Family::barlow_twins) continue;
      const auto regularizer = decorr_tests::argument(loss_case.regularizer);
      check({loss_case.name + ", in parts",
             [&] {
               decorr::BarlowTwinsBatch<float> batch(kFeatures, loss_case.barlow_twins, regularizer,
                                                     loss_case.execution);
               while (batch.has_pass()) {
                 batch.add(a.topRows(13), b.topRows(13));
                 batch.add(a.bottomRows(7), b.bottomRows(7));
                 batch.end_pass();
               }
               // All that may fail has happened.
               batch.gradient(a, b, grad_a, grad_b);
               return static_cast<double>(batch.loss().value);
             },
             {output(grad_a), output(grad_b)}});
    }
  }
}

#endif  // DECORR_TESTS_SANITIZED

#ifdef RTLD_NEXT
TEST_CASE("FFTW makes no plan") {
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(kRows, kFeatures, 1), b = view<Matrix>(kRows, kFeatures, 2);
  Matrix grad_a(kRows, kFeatures), grad_b(kRows, kFeatures);
  int failures = 0;
  for (const Index block_size : {5, 1}) {
    for (const LossCase& loss_case : loss_cases(kFeatures, block_size)) {
      failures +=
          fail_each_plan({loss_case.name,
                          [&] { return static_cast<double>(loss_case(a, b, grad_a, grad_b)); },
                          {output(grad_a)}});
    }
  }
  CHECK(failures > 50);
}
#endif

int main(int argc, char** argv) {
#if defined(_OPENMP)
  // libgomp ends the program where it cannot start a thread, so it gets its threads before.
#pragma omp parallel num_threads(2)
  static_cast<void>(omp_get_thread_num());
#endif
  decorr_tests::report_ends();
  return doctest::Context(argc, argv).run();
}
