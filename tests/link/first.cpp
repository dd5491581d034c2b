#include <cstdio>

#include "unit.hpp"

int main() {
  if (!second_unit_can_run()) {
    std::puts("skipped: this processor lacks the second unit's instructions");
    return 77;
  }
  const UnitResult first = run_unit(), second = second_unit();

  bool passed = true;
  for (std::size_t i = 0; i < first.values.size(); ++i) {
    const double difference = std::abs(first.values[i] - second.values[i]);
    // Other instructions round otherwise: a few units in float's last place.
    if (!(difference <= 1e-5 * (1 + std::abs(first.values[i])))) {
      std::printf("value %zu: %.9g in one unit, %.9g in the other\n", i, first.values[i],
                  second.values[i]);
      passed = false;
    }
  }
  if (first.planner_mutex != second.planner_mutex) {
    std::puts("the units have a planner mutex each");
    passed = false;
  }
  if (first.cached_plans == 0 || first.cached_plans != second.cached_plans) {
    std::printf("plans cached: %zu after one unit, %zu after both\n", first.cached_plans,
                second.cached_plans);
    passed = false;
  }
  return passed ? 0 : 1;
}
