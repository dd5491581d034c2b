// What a process meets that lives long: 10^5 calls over changing shapes, many threads with many
// lengths, other users of FFTW, fork, signals. Numbers stay what they were, bit for bit, and memory
// stays bounded. A program of its own, because it replaces the allocation functions to count them.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <fftw3.h>

#if defined(__unix__)
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <atomic>
#include <complex>
#include <cstddef>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <mutex>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include "support/failing_allocations.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace {

using decorr_tests::Allocations;
using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using Eigen::Index;

// A function with every form, for one shape and scalar type, and what its calls gave at first.
template <class Scalar>
class Work {
 public:
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  Work(Index n, Index d)
      : a_(random_matrix<Matrix>(n, d, 1)),
        b_(random_matrix<Matrix>(n, d, 2)),
        cases_(loss_cases(d, (d + 2) / 3)) {
    for (std::size_t i = 0; i < cases_.size(); ++i) expected_.push_back(call(i, 1));
  }

  std::size_t size() const { return cases_.size(); }
  bool repeats(std::size_t i, int threads) const { return call(i, threads) == expected_[i]; }
  bool all_repeat() const {
    for (std::size_t i = 0; i < size(); ++i) {
      if (!repeats(i, 1)) return false;
    }
    return true;
  }

 private:
  struct Results {
    Scalar value = 0;
    Matrix grad_a, grad_b;
    bool operator==(const Results& other) const {
      return value == other.value && grad_a == other.grad_a && grad_b == other.grad_b;
    }
  };
  Results call(std::size_t i, int threads) const {
    Results results{0, Matrix::Zero(a_.rows(), a_.cols()), Matrix::Zero(a_.rows(), a_.cols())};
    LossCase loss_case = cases_[i];
    loss_case.execution.threads = threads;
    results.value = loss_case(a_, b_, results.grad_a, results.grad_b);
    return results;
  }

  Matrix a_, b_;
  std::vector<LossCase> cases_;
  std::vector<Results> expected_;
};

// Few and many samples, of which 20 are two chunks for two threads; even, odd and prime lengths, of
// which 29 goes through a longer transform.
template <class Scalar>
std::vector<Work<Scalar>> all_work() {
  std::vector<Work<Scalar>> work;
  for (const Index n : {2, 7, 20}) {
    for (const Index d : {2, 5, 12, 29, 40}) work.emplace_back(n, d);
  }
  return work;
}

void clear_all() {
  decorr::clear_plans();
  decorr::clear_workspaces();
}

// What the system has given to the process, in bytes; 0 where it does not tell.
long resident_bytes() {
  long pages = 0, resident = 0;
#if defined(__linux__)
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  std::fclose(file);
  resident *= sysconf(_SC_PAGESIZE);
#endif
  static_cast<void>(pages);
  return resident;
}

}  // namespace

TEST_CASE("after 100,000 calls over changing shapes no memory is lost, and results are the same") {
  const auto work = std::make_tuple(all_work<float>(), all_work<double>(), all_work<long double>());
  std::mt19937_64 generator(1);
  const auto draw = [&](std::size_t count) {
    return static_cast<std::size_t>(generator() % count);
  };
  long wrong = 0;
  const auto call = [&](const auto& all) {
    const auto& chosen = all[draw(all.size())];
    wrong += !chosen.repeats(draw(chosen.size()), draw(8) == 0 ? 2 : 1);
  };
  const auto call_any = [&] {
    switch (draw(3)) {
      case 0:
        return call(std::get<0>(work));
      case 1:
        return call(std::get<1>(work));
      default:
        return call(std::get<2>(work));
    }
  };
  // Threads have been started, and FFTW knows all lengths, of whose plans its wisdom stays.
  constexpr int kWarmUp = 5000;
  for (int i = 0; i < kWarmUp; ++i) call_any();
  const long resident_before = resident_bytes();
  clear_all();
  const long live_before = Allocations::live();

  // 64 bytes, the least that the library takes from the system, lost in each call would be more.
  constexpr int kCalls = 100'000;
  constexpr long kMostGrowth = 64L * kCalls / 2;
  long most_growth = 0;
  std::size_t most_plans = 0;
  for (int i = 1; i <= kCalls; ++i) {
    call_any();
    if (i % 500 != 0) continue;
    most_growth = std::max(most_growth, resident_bytes() - resident_before);
    most_plans = std::max(most_plans, decorr::cached_plans());
    if (i % 1000 == 0) clear_all();
    // Without a pool each call takes its memory from the system.
    if (i % 20'000 == 0) decorr::set_workspace_limit(i % 40'000 == 0 ? std::size_t{64} << 20 : 0);
  }
  decorr::set_workspace_limit(std::size_t{64} << 20);
  clear_all();
  const long live_after = Allocations::live();
  CHECK(wrong == 0);
  CHECK(most_plans <= 64);
  CHECK(live_after == live_before);
  if (resident_before == 0) {
    MESSAGE("not looked at: resident memory, of which this system does not tell");
  }
  CHECK(most_growth < kMostGrowth);
}

TEST_CASE("many threads with many lengths, caches that are cleared, and another user of FFTW") {
  // Forward and backward transforms of these are more plans than the cache has room for.
  std::vector<Work<float>> work;
  for (Index d = 30; d < 70; ++d) work.emplace_back(3, d);

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < 8; ++t) {
    workers.emplace_back([&, t] {
      for (std::size_t i = 0; i < work.size(); ++i) {
        wrong += !work[(i + 5 * t) % work.size()].all_repeat();
      }
    });
  }
  std::thread clearing([&] {
    while (!done) {
      clear_all();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  // Real transforms, in decorr's precision and of its lengths, planned as plans.hpp asks for.
  std::thread foreign([&] {
    std::vector<float> in(100);
    std::vector<std::complex<float>> out(100);
    auto* const spectrum = reinterpret_cast<fftwf_complex*>(out.data());
    for (int i = 0; !done; ++i) {
      const int length = 30 + i % 40;
      fftwf_plan plan = nullptr;
      {
        const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
        plan = fftwf_plan_dft_r2c_1d(length, in.data(), spectrum, FFTW_ESTIMATE);
      }
      in.assign(in.size(), 1);
      fftwf_execute(plan);
      wrong += !(std::abs(out[0] - std::complex<float>(static_cast<float>(length))) < 1e-3F);
      const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
      fftwf_destroy_plan(plan);
    }
  });
  for (std::thread& worker : workers) worker.join();
  done = true;
  clearing.join();
  foreign.join();
  CHECK(wrong == 0);
}

#if defined(__unix__)
TEST_CASE("a forked child computes the same, with the parent's plans and its own") {
  const std::vector<Work<float>> work = all_work<float>();
  // Another thread that has been in the library, and now is not: the child does not have it.
  std::atomic<bool> called{false}, done{false};
  std::thread other([&] {
    called = work[0].all_repeat();
    while (!done) std::this_thread::yield();
  });
  while (!called) std::this_thread::yield();

  for (const bool planned : {true, false}) {
    CAPTURE(planned);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(60);  // Not for ever, if a lock is not free.
      if (!planned) clear_all();
      int wrong = 0;
      for (const Work<float>& each : work) wrong += !each.all_repeat();
      clear_all();
      _exit(wrong);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  done = true;
  other.join();
  CHECK(work[1].all_repeat());
}

namespace {

volatile sig_atomic_t interruptions = 0;
void count_interruption(int) { interruptions = interruptions + 1; }

}  // namespace

TEST_CASE("calls that signals interrupt give the same") {
  const std::vector<Work<double>> work = all_work<double>();
  struct sigaction counting{}, before{};
  counting.sa_handler = count_interruption;  // No SA_RESTART: what waits in the system is ended.
  REQUIRE(sigaction(SIGALRM, &counting, &before) == 0);
  const itimerval often{{0, 100}, {0, 100}}, never{};  // microseconds
  REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);
  int wrong = 0;
  for (int round = 0; interruptions < 1000 && round < 100'000; ++round) {
    if (round % 4 == 0) clear_all();
    for (const Work<double>& each : work) {
      wrong += !each.repeats(static_cast<std::size_t>(round) % each.size(), 1 + round % 2);
    }
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  CHECK(interruptions >= 1000);
  CHECK(wrong == 0);
}
#endif
