#ifndef DECORR_EXTRAS_C_PROCESSES_HPP_
#define DECORR_EXTRAS_C_PROCESSES_HPP_

#include <cstddef>
#include <exception>

#include "decorr/c_api.h"
#include "decorr/communicator.hpp"
#include "decorr/options.hpp"
#include "status.hpp"
#include "structs.hpp"

// Calls that several processes make together, through the caller's own function that sums.

namespace decorr {
namespace c {

class CallbackCommunicator final : public Communicator {
 public:
  // `function` is named in what is thrown, and outlives this object.
  CallbackCommunicator(const char* function, decorr_sum callback, void* context)
      : function_(function), callback_(callback), context_(context) {}

  void sum(double* numbers, std::size_t count) override;
  // No caller has any.
  void sum(long double* numbers, std::size_t count) override;

  // Whether the others have heard of this process in this call.
  bool has_begun() const { return has_begun_; }
  // Takes part in the first sum of a call that has failed before it, so that the others do not
  // wait; throws what it has failed by.
  [[noreturn]] void tell(const std::exception_ptr& failure);

 private:
  const char* function_;
  decorr_sum callback_;
  void* context_;
  bool has_begun_ = false;
};

// Runs body(call, execution) of a function of the interface. Of several processes none fails alone:
// whatever it throws before the first sum, the others are told.
template <class Body>
decorr_status with_execution(const char* function, const decorr_execution* from,
                             const Body& body) noexcept {
  return with_status(function, [&](const Call& call) {
    const decorr_execution fields = read_execution(call, from);
    if (fields.sum == nullptr) {
      body(call, to_cpp(call, fields));
      return;
    }
    CallbackCommunicator communicator(function, fields.sum, fields.context);
    try {
      Execution execution = to_cpp(call, fields);
      execution.communicator = &communicator;
      body(call, execution);
    } catch (...) {
      if (communicator.has_begun()) throw;
      communicator.tell(std::current_exception());
    }
  });
}

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_PROCESSES_HPP_
