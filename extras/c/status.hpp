#ifndef DECORR_EXTRAS_C_STATUS_HPP_
#define DECORR_EXTRAS_C_STATUS_HPP_

#include <locale>
#include <sstream>

#include "decorr/c_api.h"
#include "decorr/errors.hpp"

// From exceptions to statuses: none leaves the library.

namespace decorr {
namespace c {

// The name of the function that was called; throws in its name.
class Call {
 public:
  explicit Call(const char* function) : function_(function) {}

  // Says of the argument what follows its name; "" where it is about none.
  template <class... Parts>
  [[noreturn]] void fail(const char* argument, const Parts&... parts) const {
    std::ostringstream message;
    // The process's own locale may group digits, or write a comma for the decimal point.
    message.imbue(std::locale::classic());
    message << function_ << ": " << argument;
    (message << ... << parts);
    throw InvalidArgument(message.str(), argument);
  }

  template <class Pointer>
  void check_not_null(const char* name, Pointer pointer) const {
    if (pointer == nullptr) fail(name, " is null");
  }

 private:
  const char* function_;
};

// The status for the exception that is being handled, whose message and argument are kept.
decorr_status status_of_exception(const char* function) noexcept;

// Runs the body of a function of the interface, body(call).
template <class Body>
decorr_status with_status(const char* function, Body&& body) noexcept {
  try {
    body(Call(function));
    return DECORR_OK;
  } catch (...) {
    return status_of_exception(function);
  }
}

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_STATUS_HPP_
