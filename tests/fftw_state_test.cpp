// What other users of FFTW do to its state, which is the process's: a program of its own.
#include <doctest/doctest.h>
#include <fftw3.h>

#include <decorr/decorr.hpp>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "support/random_matrices.hpp"

namespace {

using decorr::Planning;
using decorr_tests::random_matrix;
using Eigen::Index;

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// FFTW's functions by the scalar type.
template <class Scalar>
struct Host;
#define HOST(SCALAR, PREFIX)                                                                 \
  template <>                                                                                \
  struct Host<SCALAR> {                                                                      \
    static int init_threads() { return PREFIX##_init_threads(); }                            \
    static void plan_with_nthreads(int n) { PREFIX##_plan_with_nthreads(n); }                \
    static int planner_nthreads() { return PREFIX##_planner_nthreads(); }                    \
    static void set_callback(void (*loop)(void* (*)(char*), char*, std::size_t, int, void*), \
                             void* data) {                                                   \
      PREFIX##_threads_set_callback(loop, data);                                             \
    }                                                                                        \
    static void forget_wisdom() { PREFIX##_forget_wisdom(); }                                \
    static void cleanup() { PREFIX##_cleanup(); }                                            \
    static void cleanup_threads() { PREFIX##_cleanup_threads(); }                            \
  };
HOST(float, fftwf)
HOST(double, fftw)
HOST(long double, fftwl)
#undef HOST

template <class Scalar>
double relaxed_value(Index d, Planning planning = Planning::estimate) {
  const auto a = random_matrix<Matrix<Scalar>>(3, d, 1), b = random_matrix<Matrix<Scalar>>(3, d, 2);
  decorr::Execution execution;
  execution.planning = planning;
  return static_cast<double>(decorr::r_sum(a, b, {}, execution));
}

int spawned = 0;
void count_spawned(void* (*work)(char*), char* data, std::size_t size, int count, void*) {
  spawned += count > 1;
  for (int i = 0; i < count; ++i) work(data + static_cast<std::size_t>(i) * size);
}

}  // namespace

TEST_CASE_TEMPLATE("plans are for one thread, and the program's number stays", Scalar, float,
                   double, long double) {
  REQUIRE(Host<Scalar>::init_threads() != 0);
  Host<Scalar>::set_callback(count_spawned, nullptr);
  for (const int threads : {8, 2, 1}) {
    for (const Planning planning : {Planning::estimate, Planning::measure}) {
      for (const Index d : {64, 1000, 4096, 8192}) {
        decorr::clear_plans();
        Host<Scalar>::plan_with_nthreads(1);
        const double expected = relaxed_value<Scalar>(d, planning);
        decorr::clear_plans();
        Host<Scalar>::plan_with_nthreads(threads);
        spawned = 0;
        CHECK(relaxed_value<Scalar>(d, planning) == doctest::Approx(expected).epsilon(1e-4));
        CHECK(spawned == 0);
        CHECK(Host<Scalar>::planner_nthreads() == threads);
      }
    }
  }
  decorr::clear_plans();
}

TEST_CASE_TEMPLATE("plans may be dropped after another user's cleanup", Scalar, float, double,
                   long double) {
  // Smooth, prime and other lengths: each kind of plan is taken apart in a way of its own.
  const std::vector<Index> lengths = {2, 15, 31, 64, 97, 210, 257, 1000, 1024, 2309, 4096};
  const auto values = [&] {
    std::vector<double> found;
    for (const Index d : lengths) found.push_back(relaxed_value<Scalar>(d));
    return found;
  };
  const auto check_values = [&](const std::vector<double>& expected) {
    const std::vector<double> found = values();
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      CAPTURE(lengths[i]);
      CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-4));
    }
  };
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("decorr_test_" + std::to_string(std::random_device{}())))
                               .string();
  const auto evict = [] {
    for (Index d = 3000; d < 3140; ++d) relaxed_value<Scalar>(d);
  };
  const std::vector<std::function<void()>> cleanups = {Host<Scalar>::cleanup,
                                                       Host<Scalar>::cleanup_threads,
                                                       // Nothing was lost, but it looks the same.
                                                       Host<Scalar>::forget_wisdom,
                                                       [&] {
                                                         decorr::save_wisdom<Scalar>(path);
                                                         Host<Scalar>::cleanup();
                                                         decorr::load_wisdom<Scalar>(path);
                                                       },
                                                       [] {
                                                         Host<Scalar>::cleanup();
                                                         relaxed_value<Scalar>(60);
                                                         Host<Scalar>::cleanup();
                                                       }};
  decorr::clear_plans();
  const std::vector<double> expected = values();
  for (const auto& cleanup : cleanups) {
    check_values(expected);
    cleanup();
    evict();
    check_values(expected);
    cleanup();
    decorr::clear_plans();
    check_values(expected);
    cleanup();
    check_values(expected);
    relaxed_value<Scalar>(61);
    decorr::clear_plans();
    CHECK(decorr::cached_plans() == 0);
  }
  std::filesystem::remove(path);
}

TEST_CASE_TEMPLATE("plans are destroyed where nothing was cleaned up", Scalar, float, double,
                   long double) {
  using Life = decorr::detail::PlannerLife<Scalar>;
  relaxed_value<Scalar>(62);
  const auto life = Life::current();
  relaxed_value<Scalar>(63, Planning::measure);
  decorr::clear_plans();
  CHECK(Life::lasts(life));
  CHECK(Life::current() == life);
  Host<Scalar>::cleanup();
  CHECK_FALSE(Life::lasts(life));
  CHECK(Life::current() != life);
  CHECK_FALSE(Life::lasts(life));
  decorr::clear_plans();
}
