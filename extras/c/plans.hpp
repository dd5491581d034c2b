#ifndef DECORR_EXTRAS_C_PLANS_HPP_
#define DECORR_EXTRAS_C_PLANS_HPP_

#include "status.hpp"

namespace decorr {
namespace c {

// Of every function that may wait for the planner's lock: this thread does not hold it itself.
void check_planner_free(const Call& call);

// What may have plans that are nobody else's any more, and that wait for the lock when they are
// destroyed.
class HasPlans {
 public:
  HasPlans() = default;
  HasPlans(const HasPlans&) = delete;
  HasPlans& operator=(const HasPlans&) = delete;
  virtual ~HasPlans() = default;

  // Destroys it, at once or when this thread gives the lock back: there is no status to refuse by.
  static void destroy(HasPlans* object) noexcept;
  // When it has been given back.
  static void destroy_waiting() noexcept;

 private:
  HasPlans* next_ = nullptr;
};

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_PLANS_HPP_
