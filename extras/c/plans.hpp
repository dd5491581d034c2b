#ifndef DECORR_EXTRAS_C_PLANS_HPP_
#define DECORR_EXTRAS_C_PLANS_HPP_

#include "status.hpp"

namespace decorr {
namespace c {

// Of every function that may wait for the planner's lock: this thread does not hold it itself.
void check_planner_free(const Call& call);

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_PLANS_HPP_
