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
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/failing_calls.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"
#include "support/views_cases.hpp"

namespace {

unsigned last_flags = 0;       // that FFTW's planner was asked with
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
    if (*n > 2) last_flags = flags;                                                          \
    if (*n > 2 && plan_fails()) return nullptr;                                              \
    return planner(rank, n, count, in, in_extents, in_stride, in_distance, out, out_extents, \
                   out_stride, out_distance, sign, flags);                                   \
  }
DECORR_TESTS_PLANNER(fftwf)
DECORR_TESTS_PLANNER(fftw)
DECORR_TESTS_PLANNER(fftwl)
#endif

namespace {

using decorr_tests::Allocations;
using decorr_tests::Call;
using decorr_tests::fail_each;
using decorr_tests::fail_each_allocation;
using decorr_tests::Failing;
using decorr_tests::Family;
using decorr_tests::fill;
using decorr_tests::is_untouched;
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

// In both views, transforms want it apart.
template <class Matrix>
Matrix with_dominant(Matrix view) {
  view.col(3) *= static_cast<typename Matrix::Scalar>(1e4);
  return view;
}

// Views for which the Gram matrices alone would lose digits: features that outweigh the rest, and
// hardly anything off the diagonal of C.
template <class Matrix>
std::vector<std::pair<const char*, Matrix>> hard_views() {
  const Matrix dominated = with_dominant(view<Matrix>(kRows, kFeatures, 1));
  Matrix diagonal = Matrix::Zero(kRows, kFeatures);
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
      if (loss_case.relaxed() != nullptr && block_size > 1) {
        check_gradients("one dominant feature", with_dominant(a), with_dominant(b), loss_case, 2);
      }
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

// Of several processes, all of which are to hear of a failure.
template <class Call>
double collectively(const Call& call) {
  Witness witness;
  try {
    return static_cast<double>(call(witness));
  } catch (const std::bad_alloc&) {
    // Another type than fail_each() expects.
    if (!witness.told()) throw std::logic_error("others would wait");
    throw;
  }
}

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
             return collectively([&](Witness& witness) {
               views_case.loss.execution.communicator = &witness;
               return views_case(views, gradients);
             });
           },
           outputs});
  }
}

// Where a pass takes memory of its own from the system, not a part of what the call has already.
TEST_CASE("each allocation of a collective call with many features fails") {
  constexpr Index kManyFeatures = 3000;
  const auto a = view<RowMajor<float>>(3, kManyFeatures, 1);
  const auto b = view<RowMajor<float>>(3, kManyFeatures, 2);
  Alone alone;
  for (LossCase loss_case : loss_cases(kManyFeatures, 1500)) {
    if (loss_case.relaxed() == nullptr) continue;
    loss_case.execution.communicator = &alone;
    check_gradients("many features", a, b, loss_case, 1);
  }
}

namespace {

using Floats = RowMajor<float>;

// All passes over two parts, and the gradients, by when all that may fail has happened.
template <class Batch>
void run_two_views(Batch& batch, const Floats& a, const Floats& b, Floats& grad_a, Floats& grad_b) {
  while (batch.has_pass()) {
    batch.add(a.topRows(13), b.topRows(13));
    batch.add(a.bottomRows(7), b.bottomRows(7));
    batch.end_pass();
  }
  batch.gradient(a, b, grad_a, grad_b);
}

double run_in_parts(const LossCase& loss_case, const decorr::Regularizer& regularizer,
                    const Floats& a, const Floats& b, Floats& grad_a, Floats& grad_b) {
  const decorr::Execution& execution = loss_case.execution;
  switch (loss_case.family) {
    case Family::regularizer: {
      decorr::RegularizerBatch<float> batch(kFeatures, regularizer, execution);
      run_two_views(batch, a, b, grad_a, grad_b);
      return batch.value();
    }
    case Family::barlow_twins: {
      decorr::BarlowTwinsBatch<float> batch(kFeatures, loss_case.barlow_twins, regularizer,
                                            execution);
      run_two_views(batch, a, b, grad_a, grad_b);
      return batch.loss().value;
    }
    case Family::vicreg: {
      decorr::VicregBatch<float> batch(kFeatures, loss_case.vicreg, regularizer, execution);
      run_two_views(batch, a, b, grad_a, grad_b);
      return batch.loss().value;
    }
    case Family::variance_covariance:
      break;
  }
  decorr::VarianceCovarianceBatch<float> batch(kFeatures, loss_case.vicreg, regularizer, execution);
  while (batch.has_pass()) {
    batch.add(a.topRows(13));
    batch.add(a.bottomRows(7));
    batch.end_pass();
  }
  batch.gradient(a, grad_a);
  return batch.loss().value;
}

}  // namespace

TEST_CASE("each allocation of a batch in parts fails") {
  const auto a = view<Floats>(kRows, kFeatures, 1), b = view<Floats>(kRows, kFeatures, 2);
  Floats grad_a(kRows, kFeatures), grad_b(kRows, kFeatures);
  for (LossCase loss_case : loss_cases(kFeatures, 5)) {
    const auto outputs = loss_case.is_single_view()
                             ? std::vector<Output>{output(grad_a)}
                             : std::vector<Output>{output(grad_a), output(grad_b)};
    const decorr::Regularizer regularizer = decorr_tests::argument(loss_case.regularizer);
    check({loss_case.name + ", in parts",
           [&] { return run_in_parts(loss_case, regularizer, a, b, grad_a, grad_b); }, outputs});
    check({loss_case.name + ", in parts, collective",
           [&] {
             return collectively([&](Witness& witness) {
               loss_case.execution.communicator = &witness;
               return run_in_parts(loss_case, regularizer, a, b, grad_a, grad_b);
             });
           },
           outputs});
    loss_case.execution.communicator = nullptr;
  }
  check({"sumvec, in parts",
         [&] {
           decorr::SumvecBatch<float> batch(kFeatures, decorr_tests::quick());
           while (batch.has_pass()) {
             batch.add(a, b);
             batch.end_pass();
           }
           return static_cast<double>(batch.lags().sum());
         },
         {}});
}

TEST_CASE("each allocation of a call for one gradient fails, and of one on expressions") {
  const auto a = view<Floats>(kRows, kFeatures, 1), b = view<Floats>(kRows, kFeatures, 2);
  Floats grad(kRows, kFeatures), other(kRows, kFeatures);
  for (const LossCase& loss_case : loss_cases(kFeatures, 5)) {
    check({loss_case.name + ", one gradient",
           [&] { return static_cast<double>(loss_case(a, b, grad, decorr::no_gradient)); },
           {output(grad)}});
  }
  check({"expressions",
         [&] { return static_cast<double>(decorr::r_off(a + b, a - b, grad, other)); },
         {output(grad), output(other)}});
}

TEST_CASE("each allocation of the draws and of a message fails") {
  check({"recommended",
         [] {
           std::mt19937_64 generator(1);
           const auto regularizer = decorr::presets::recommended(256, 128, generator);
           return static_cast<double>(generator());
         },
         {}});
  check({"permutation",
         [] {
           std::mt19937_64 generator(1);
           return static_cast<double>(decorr::random_permutation(kFeatures, generator).front());
         },
         {}});

  // A bad argument is told, or that there was no memory to tell it.
  const auto a = view<Floats>(kRows, kFeatures, 1), b = view<Floats>(kRows + 1, kFeatures, 2);
  Floats grad_a(kRows, kFeatures), grad_b(kRows, kFeatures);
  const Call call{"a bad argument",
                  [&] { return static_cast<double>(decorr::r_off(a, b, grad_a, grad_b)); },
                  {output(grad_a), output(grad_b)}};
  long failures = 0;
  for (bool failed = true; failed; failures += failed) {
    fill(call);
    const long live = Allocations::live();
    bool told = false, out_of_memory = false;
    Allocations::arm(failures, Failing::one);
    try {
      call.run();
    } catch (const decorr::InvalidArgument&) {
      told = true;
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
    failed = Allocations::disarm();
    CHECK(told != out_of_memory);
    CHECK(is_untouched(call));
    CHECK(Allocations::live() == live);
  }
  CHECK(failures > 0);
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
      failures += fail_each_plan(
          {loss_case.name, [&] { return static_cast<double>(loss_case(a, b, grad_a, grad_b)); },
           loss_case.is_single_view() ? std::vector<Output>{output(grad_a)}
                                      : std::vector<Output>{output(grad_a), output(grad_b)}});
    }
  }
  CHECK(failures > 50);
  const auto long_a = view<ColumnMajor<long double>>(kRows, kFeatures, 1);
  const auto long_b = view<ColumnMajor<long double>>(kRows, kFeatures, 2);
  const auto value = [&] {
    return static_cast<double>(decorr::r_sum(long_a, long_b, {}, decorr_tests::quick()));
  };
  CHECK(fail_each_plan({"long double", value, {}}) > 0);
}

TEST_CASE("FFTW's planner is asked with the rigor of the call") {
  using decorr::Planning;
  using Matrix = RowMajor<float>;
  const auto a = view<Matrix>(4, 48, 1);
  for (const auto& [planning, rigor] :
       {std::pair<Planning, unsigned>(Planning::measure, FFTW_MEASURE),
        std::pair<Planning, unsigned>(Planning::estimate, FFTW_ESTIMATE),
        std::pair<Planning, unsigned>(Planning::patient, FFTW_PATIENT)}) {
    empty_all();
    last_flags = ~0U;
    decorr::Execution execution;
    execution.planning = planning;
    decorr::r_sum(a, a, {}, execution);
    CHECK((last_flags & (FFTW_ESTIMATE | FFTW_PATIENT | FFTW_EXHAUSTIVE)) == rigor);
  }
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
