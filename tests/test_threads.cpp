// Calls from many threads at once; meant for ThreadSanitizer as well.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_threads {

namespace {

using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using decorr_tests::relative_error;
using Eigen::Index;
using Matrix = Eigen::MatrixXd;

constexpr Index kRows = 19;
// Prime, even and odd; of no other test, as wisdom from measuring would change an estimated plan.
constexpr Index kLengths[] = {74, 37, 111, 82, 41, 123};

struct Results {
  double value = 0;
  Matrix grad_a, grad_b;

  bool operator==(const Results& other) const {
    return value == other.value && grad_a == other.grad_a && grad_b == other.grad_b;
  }
};

Results evaluate(const LossCase& loss_case, const Matrix& a, const Matrix& b) {
  Results results{0, Matrix::Zero(a.rows(), a.cols()), Matrix::Zero(a.rows(), a.cols())};
  results.value = loss_case(a, b, results.grad_a, results.grad_b);
  return results;
}

// One length's calls and what they give on a single thread.
struct Work {
  Matrix a, b;
  std::vector<LossCase> cases;
  std::vector<Results> expected;

  explicit Work(Index d)
      : a(random_matrix<Matrix>(kRows, d, 1)),
        b(random_matrix<Matrix>(kRows, d, 2)),
        cases(loss_cases(d, d / 4)) {
    for (const LossCase& loss_case : cases) expected.push_back(evaluate(loss_case, a, b));
  }
};

}  // namespace

TEST_CASE("calls from many threads give the serial results while caches are cleared") {
  std::vector<Work> all_work;
  for (const Index d : kLengths) all_work.emplace_back(d);

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0}, calls{0};
  std::vector<std::thread> workers;
  // Two threads for each length, so that some want the same plans and others different ones.
  for (std::size_t t = 0; t < 2 * all_work.size(); ++t) {
    workers.emplace_back([&, t] {
      const Work& work = all_work[t % all_work.size()];
      for (int repetition = 0; repetition < 4; ++repetition) {
        for (std::size_t i = 0; i < work.cases.size(); ++i) {
          wrong += !(evaluate(work.cases[i], work.a, work.b) == work.expected[i]);
          ++calls;
        }
      }
    });
  }
  std::thread clearing([&] {
    while (!done) {
      decorr::clear_plans();
      decorr::clear_workspaces();
      std::this_thread::yield();
    }
  });
  std::thread saving([&] {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("decorr_test_" + std::to_string(std::random_device{}())))
                                 .string();
    while (!done) {
      decorr::save_wisdom<double>(path);
      decorr::load_wisdom<double>(path);
      wrong += decorr::cached_plans() > 64;
    }
    std::filesystem::remove(path);
  });
  for (std::thread& worker : workers) worker.join();
  done = true;
  clearing.join();
  saving.join();
  CHECK(calls == static_cast<int>(4 * workers.size() * all_work[0].cases.size()));
  CHECK(wrong == 0);
}

TEST_CASE("many threads measure plans at once, in all scalar types") {
  std::atomic<int> wrong{0};
  const auto check = [&](auto scalar, Index d) {
    using Real = decltype(scalar);
    using RealMatrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;
    const auto a = random_matrix<RealMatrix>(kRows, d, 1),
               b = random_matrix<RealMatrix>(kRows, d, 2);
    // Blocks of one feature: the exact regularizer, by transforms.
    decorr::Relaxed single_features;
    single_features.block_size = 1;
    wrong += !(relative_error(decorr::r_sum(a, b, single_features), decorr::r_off(a, b)) < 1e-5);
    decorr::Relaxed grouped;
    grouped.block_size = d / 2;
    wrong += !(relative_error(decorr::barlow_twins_loss(a, b, {}, grouped).diagonal,
                              decorr::barlow_twins_loss(a, b).diagonal) < 1e-5);
    wrong += !std::isfinite(decorr::vicreg_loss(a, b, {}, decorr::Relaxed()).value);
  };
  std::vector<std::thread> threads;
  for (const Index d : {Index{16}, Index{24}, Index{31}, Index{45}}) {
    threads.emplace_back([&, d] { check(float{}, d); });
    threads.emplace_back([&, d] { check(double{}, d); });
    threads.emplace_back([&, d] { check(static_cast<long double>(0), d); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("results do not depend on the number of threads, bit for bit") {
  // Enough rows for several chunks, and either route of the grouped form.
  struct Shape {
    Index rows, d, block_size;
  };
  for (const Shape& shape :
       {Shape{5, 43, 11}, Shape{300, 43, 11}, Shape{5, 43, 3}, Shape{70, 220, 3}}) {
    const Index rows = shape.rows, d = shape.d;
    const Matrix a = random_matrix<Matrix>(rows, d, 1), b = random_matrix<Matrix>(rows, d, 2);
    for (LossCase loss_case : loss_cases(d, shape.block_size)) {
      CAPTURE(loss_case.name);
      CAPTURE(rows);
      CAPTURE(d);
      const Results expected = evaluate(loss_case, a, b);
      for (const int threads : {2, 3, 8}) {
        CAPTURE(threads);
        loss_case.execution.threads = threads;
        CHECK(evaluate(loss_case, a, b) == expected);
        CHECK(loss_case(a, b) == expected.value);
      }
    }
  }
}

TEST_CASE("calls inside a parallel region give the same and leave Eigen's thread count") {
  const int eigen_threads = Eigen::nbThreads();
  Eigen::setNbThreads(3);
  const int set_threads = Eigen::nbThreads();  // 1 without OpenMP
  const Index d = 43;
  const Matrix a = random_matrix<Matrix>(70, d, 1), b = random_matrix<Matrix>(70, d, 2);
  for (LossCase loss_case : loss_cases(d, 11)) {
    CAPTURE(loss_case.name);
    const Results expected = evaluate(loss_case, a, b);
    loss_case.execution.threads = 2;
    constexpr int calls = 4;
    std::atomic<int> right = 0;
#if defined(_OPENMP)
#pragma omp parallel for num_threads(2)
#endif
    for (int i = 0; i < calls; ++i) {
      if (evaluate(loss_case, a, b) == expected) ++right;
    }
    CHECK(right == calls);
    CHECK(Eigen::nbThreads() == set_threads);
  }
  Eigen::setNbThreads(eigen_threads);
}

}  // namespace test_threads
