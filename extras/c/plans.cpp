#include "decorr/plans.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "decorr/c_api.h"
#include "plans.hpp"
#include "status.hpp"
#include "structs.hpp"

namespace decorr {
namespace c {
namespace {

// Whether this thread holds the lock through decorr_lock_planner.
bool& holds_planner() {
  static thread_local bool holds = false;
  return holds;
}

// What this thread has destroyed while it held the lock.
HasPlans*& waiting() {
  static thread_local HasPlans* first = nullptr;
  return first;
}

// Calls body(a zero of the scalar, the file's name).
template <class Body>
decorr_status with_wisdom_file(const char* function, std::int32_t type, const char* path,
                               Body&& body) {
  return with_status(function, [&](const Call& call) {
    check_planner_free(call);
    call.check_not_null("path", path);
    if (type != DECORR_FLOAT32 && type != DECORR_FLOAT64) {
      call.fail("type", " is ", type, ", expected DECORR_FLOAT32 or DECORR_FLOAT64");
    }
    type == DECORR_FLOAT64 ? body(double{}, path) : body(float{}, path);
  });
}

}  // namespace

void HasPlans::destroy(HasPlans* object) noexcept {
  if (object != nullptr && holds_planner()) {
    object->next_ = std::exchange(waiting(), object);
  } else {
    delete object;
  }
}
void HasPlans::destroy_waiting() noexcept {
  while (HasPlans* object = waiting()) {
    waiting() = object->next_;
    delete object;
  }
}

void check_planner_free(const Call& call) {
  if (holds_planner()) call.fail("", "this thread holds the planner's lock");
}

}  // namespace c
}  // namespace decorr

decorr_status decorr_lock_planner() {
  using namespace decorr::c;
  return with_status("lock_planner", [&](const Call& call) {
    check_planner_free(call);
    decorr::planner_mutex().lock();
    holds_planner() = true;
  });
}

decorr_status decorr_unlock_planner() {
  using namespace decorr::c;
  return with_status("unlock_planner", [](const Call& call) {
    if (!holds_planner()) call.fail("", "this thread does not hold the lock");
    holds_planner() = false;
    decorr::planner_mutex().unlock();
    HasPlans::destroy_waiting();
  });
}

decorr_status decorr_clear_plans() {
  using namespace decorr::c;
  return with_status("clear_plans", [&](const Call& call) {
    check_planner_free(call);
    decorr::clear_plans();
  });
}

decorr_status decorr_cached_plans(int64_t* count) {
  using namespace decorr::c;
  return with_status("cached_plans", [&](const Call& call) {
    call.check_not_null("count", count);
    store(count, static_cast<int64_t>(decorr::cached_plans()));
  });
}

decorr_status decorr_clear_workspaces() {
  using namespace decorr::c;
  return with_status("clear_workspaces", [](const Call&) { decorr::clear_workspaces(); });
}

decorr_status decorr_set_workspace_limit(uint64_t bytes, uint64_t* before) {
  using namespace decorr::c;
  return with_status("set_workspace_limit", [&](const Call&) {
    // More than there is, where sizes are narrower.
    constexpr uint64_t most = std::numeric_limits<std::size_t>::max();
    const std::size_t was =
        decorr::set_workspace_limit(static_cast<std::size_t>(std::min(bytes, most)));
    if (before != nullptr) store(before, static_cast<uint64_t>(was));
  });
}

decorr_status decorr_save_wisdom(int32_t type, const char* path) {
  return decorr::c::with_wisdom_file("save_wisdom", type, path, [](auto zero, const char* file) {
    decorr::save_wisdom<decltype(zero)>(file);
  });
}

decorr_status decorr_load_wisdom(int32_t type, const char* path) {
  return decorr::c::with_wisdom_file("load_wisdom", type, path, [](auto zero, const char* file) {
    decorr::load_wisdom<decltype(zero)>(file);
  });
}
