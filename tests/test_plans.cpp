// The plan cache, wisdom files and the planner's lock.
#include <doctest/doctest.h>
#include <fftw3.h>

#include <algorithm>
#include <decorr/decorr.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/locks.hpp"
#include "support/random_matrices.hpp"

namespace test_plans {

namespace {

using decorr::Planning;
using decorr_tests::random_matrix;
using Eigen::Index;
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

decorr::Execution planned(Planning planning) {
  decorr::Execution execution;
  execution.planning = planning;
  return execution;
}

template <class Scalar>
Scalar value_of_length(Index d, Planning planning) {
  const auto a = random_matrix<Matrix<Scalar>>(3, d, 1), b = random_matrix<Matrix<Scalar>>(3, d, 2);
  return decorr::r_sum(a, b, {}, planned(planning));
}

// A file that is gone at the end of the test.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() /
              ("decorr_test_" + std::to_string(std::random_device{}()))) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.string(); }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  // In no particular order, as wisdom comes from a hash table.
  std::vector<std::string> sorted_lines() const {
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  std::filesystem::path path_;
};

// What a program that uses FFTW itself does: its planner's calls under decorr's lock.
template <class Scalar>
void forget_wisdom() {
  const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
  if constexpr (std::is_same<Scalar, float>::value) {
    fftwf_forget_wisdom();
  } else if constexpr (std::is_same<Scalar, double>::value) {
    fftw_forget_wisdom();
  } else {
    fftwl_forget_wisdom();
  }
}

}  // namespace

TEST_CASE("a plan is made once for each length, scalar type and rigor") {
  decorr::clear_plans();
  CHECK(decorr::cached_plans() == 0);
  value_of_length<double>(12, Planning::estimate);
  std::size_t plans = decorr::cached_plans();
  CHECK(plans > 0);
  value_of_length<double>(12, Planning::estimate);
  CHECK(decorr::cached_plans() == plans);

  const auto adds_plans = [&](auto&& call) {
    call();
    const std::size_t before = plans;
    plans = decorr::cached_plans();
    call();
    CHECK(decorr::cached_plans() == plans);
    return plans > before;
  };
  CHECK(adds_plans([] { value_of_length<double>(14, Planning::estimate); }));
  CHECK(adds_plans([] { value_of_length<float>(12, Planning::estimate); }));
  CHECK(adds_plans([] { value_of_length<long double>(12, Planning::estimate); }));
  CHECK(adds_plans([] { value_of_length<double>(12, Planning::measure); }));
  CHECK(adds_plans([] { value_of_length<double>(12, Planning::patient); }));
  decorr::clear_plans();
  CHECK(decorr::cached_plans() == 0);
}

TEST_CASE("the exact regularizer needs no plan") {
  decorr::clear_plans();
  const auto a = random_matrix<Matrix<double>>(8, 6, 1);
  decorr::barlow_twins_loss(a, a);
  CHECK(decorr::cached_plans() == 0);
}

TEST_CASE("the cache is bounded, and results do not depend on what is in it") {
  decorr::clear_plans();
  std::vector<double> first;
  for (Index d = 2; d < 102; ++d) first.push_back(value_of_length<double>(d, Planning::estimate));
  CHECK(decorr::cached_plans() == 64);
  for (Index d = 2; d < 102; ++d) {
    CHECK(value_of_length<double>(d, Planning::estimate) ==
          doctest::Approx(first[static_cast<std::size_t>(d - 2)]).epsilon(1e-12));
  }
  CHECK(decorr::cached_plans() == 64);
  // The plan used last is still there, the one used longest ago is not.
  value_of_length<double>(101, Planning::estimate);
  CHECK(decorr::cached_plans() == 64);
  decorr::clear_plans();
  CHECK(value_of_length<double>(2, Planning::estimate) == doctest::Approx(first[0]).epsilon(1e-12));
}

TEST_CASE("all rigors compute the same") {
  for (const Planning planning : {Planning::measure, Planning::patient}) {
    CHECK(value_of_length<double>(30, planning) ==
          doctest::Approx(value_of_length<double>(30, Planning::estimate)).epsilon(1e-12));
  }
}

TEST_CASE("estimated plans repeat bit for bit") {
  // A length that no other test measures: wisdom would be used for an estimate, too.
  const Index d = 1386;
  const auto a = random_matrix<Matrix<float>>(5, d, 1), b = random_matrix<Matrix<float>>(5, d, 2);
  decorr::Relaxed relaxed;
  relaxed.exponent = 1;
  const auto gradients = [&] {
    Matrix<float> both(5, 2 * d);
    decorr::r_sum(a, b, both.leftCols(d), both.rightCols(d), relaxed, planned(Planning::estimate));
    return both;
  };
  const Matrix<float> first = gradients();
  decorr::clear_plans();
  decorr::clear_workspaces();
  CHECK(gradients() == first);
}

TEST_CASE_TEMPLATE("wisdom is saved and loaded", Scalar, float, double, long double) {
  value_of_length<Scalar>(60, Planning::measure);
  const TemporaryFile saved, again;
  decorr::save_wisdom<Scalar>(saved.path());
  // More than the opening and closing lines.
  CHECK(saved.sorted_lines().size() > 2);

  forget_wisdom<Scalar>();
  decorr::save_wisdom<Scalar>(again.path());
  CHECK(again.sorted_lines().size() == 2);
  decorr::load_wisdom<Scalar>(saved.path());
  decorr::save_wisdom<Scalar>(again.path());
  CHECK(again.sorted_lines() == saved.sorted_lines());

  // Planned anew, from wisdom.
  decorr::clear_plans();
  CHECK(value_of_length<Scalar>(60, Planning::measure) ==
        doctest::Approx(static_cast<double>(value_of_length<Scalar>(60, Planning::estimate)))
            .epsilon(1e-5));
}

TEST_CASE("wisdom that cannot be written or read is reported with the file's name") {
  const TemporaryFile directory;
  const std::string nowhere = directory.path() + "/wisdom";
  CHECK_THROWS_WITH_AS(decorr::save_wisdom<double>(nowhere),
                       ("save_wisdom: cannot write \"" + nowhere + "\"").c_str(),
                       std::runtime_error);
  const auto unreadable = [](const std::string& path) {
    return "load_wisdom: cannot read \"" + path +
           "\", or it holds no wisdom of this scalar type and library";
  };
  CHECK_THROWS_WITH_AS(decorr::load_wisdom<double>(nowhere), unreadable(nowhere).c_str(),
                       std::runtime_error);
  // A directory is no file.
  const std::string folder = std::filesystem::temp_directory_path().string();
  CHECK_THROWS_AS(decorr::save_wisdom<float>(folder), std::runtime_error);
  CHECK_THROWS_AS(decorr::load_wisdom<float>(folder), std::runtime_error);

  const TemporaryFile file;
  for (const char* text : {"", "no wisdom at all", "(fftw-3.3.10 fftw_wisdom #x0 #x0"}) {
    CAPTURE(text);
    file.write(text);
    CHECK_THROWS_WITH_AS(decorr::load_wisdom<double>(file.path()), unreadable(file.path()).c_str(),
                         std::runtime_error);
  }
}

TEST_CASE("wisdom of another scalar type is rejected") {
  const TemporaryFile file;
  decorr::save_wisdom<double>(file.path());
  CHECK_THROWS_AS(decorr::load_wisdom<float>(file.path()), std::runtime_error);
  CHECK_THROWS_AS(decorr::load_wisdom<long double>(file.path()), std::runtime_error);
  CHECK_NOTHROW(decorr::load_wisdom<double>(file.path()));
}

TEST_CASE_TEMPLATE("wisdom is read and written under the planner's lock", Scalar, float, double) {
  using decorr_tests::waits_for;
  const TemporaryFile file;
  const auto save = [&] { decorr::save_wisdom<Scalar>(file.path()); };
  CHECK(waits_for(decorr::planner_mutex(), save));
  CHECK(waits_for(decorr::planner_mutex(), [&] { decorr::load_wisdom<Scalar>(file.path()); }));
}

TEST_CASE("other users of FFTW share the planner through its lock") {
  std::vector<std::complex<double>> in(16, 1), out(16);
  const auto cast = [](std::vector<std::complex<double>>& x) {
    return reinterpret_cast<fftw_complex*>(x.data());
  };
  std::thread other([] {
    for (Index d = 110; d < 130; ++d) {
      value_of_length<double>(d, Planning::estimate);
      decorr::clear_plans();
    }
  });
  for (int repetition = 0; repetition < 200; ++repetition) {
    const auto plan = [&] {
      const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
      return fftw_plan_dft_1d(16, cast(in), cast(out), FFTW_FORWARD, FFTW_ESTIMATE);
    }();
    fftw_execute(plan);
    CHECK(out[0].real() == 16);
    const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
    fftw_destroy_plan(plan);
  }
  other.join();
  // The lock is free when no call is in progress.
  CHECK(decorr::planner_mutex().try_lock());
  decorr::planner_mutex().unlock();
}

}  // namespace test_plans
