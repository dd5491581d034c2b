#ifndef DECORR_TESTS_LINK_UNIT_HPP_
#define DECORR_TESTS_LINK_UNIT_HPP_

#include <array>
#include <cmath>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <mutex>
#include <vector>

struct UnitResult {
  std::array<double, 21> values;  // no std function that both units would share
  const std::mutex* planner_mutex;
  std::size_t cached_plans;
};

// What second.cpp offers to first.cpp.
bool second_unit_can_run();
UnitResult second_unit();

// Unnamed, so that each unit has it as compiled with its own flags.
namespace {

inline UnitResult run_unit() {
  constexpr Eigen::Index rows = 16, features = 12;
  std::vector<float> a(rows * features), b(a), grad_a(a), grad_b(a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<float>(i);
    a[i] = std::sin(1.7F * x);
    b[i] = std::cos(0.9F * x);
  }
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> z_a(a.data(), rows, features), z_b(b.data(), rows, features);
  Eigen::Map<Matrix> g_a(grad_a.data(), rows, features), g_b(grad_b.data(), rows, features);

  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  decorr::Relaxed grouped;
  grouped.block_size = 5;
  UnitResult result{};
  std::size_t count = 0;
  const auto record = [&](float value) {
    for (const float number : {value, g_a(3, 2), g_b(15, 11)}) result.values.at(count++) = number;
  };
  record(decorr::barlow_twins_loss(z_a, z_b, g_a, g_b, {}, decorr::Exact{}, execution).value);
  record(decorr::barlow_twins_loss(z_a, z_b, g_a, g_b, {}, decorr::Relaxed{}, execution).value);
  record(decorr::barlow_twins_loss(z_a, z_b, g_a, g_b, {}, grouped, execution).value);
  record(decorr::vicreg_loss(z_a, z_b, g_a, g_b, {}, grouped, execution).value);
  record(decorr::variance_covariance_loss(z_a, g_a, {}, decorr::Exact{}, execution).value);
  const std::array<const Eigen::Map<const Matrix>*, 2> views{&z_a, &z_b};
  const std::array<Eigen::Map<Matrix>*, 2> gradients{&g_a, &g_b};
  const auto combination = decorr::ViewCombination::centroid;
  record(decorr::barlow_twins_loss_of_views(views, gradients, combination, {}, grouped, execution)
             .value);
  record(decorr::vicreg_loss_of_views(views, gradients, combination, {}, grouped, execution).value);
  result.planner_mutex = &decorr::planner_mutex();
  result.cached_plans = decorr::cached_plans();
  return result;
}

}  // namespace

#endif  // DECORR_TESTS_LINK_UNIT_HPP_
