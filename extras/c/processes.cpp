#include "processes.hpp"

#include <stdexcept>
#include <string>

#include "decorr/detail/runtime/processes.hpp"

namespace decorr {
namespace c {

void CallbackCommunicator::sum(double* numbers, std::size_t count) {
  has_begun_ = true;
  const int code = callback_(context_, numbers, count);
  if (code != 0) {
    throw std::runtime_error(std::string(function_) + ": sum has failed, it returned " +
                             std::to_string(code));
  }
}

void CallbackCommunicator::sum(long double*, std::size_t) {
  throw std::logic_error("decorr: the interface has no long double");
}

void CallbackCommunicator::tell(const std::exception_ptr& failure) {
  detail::Processes<double> processes(*this, function_);
  processes.attempt([&] { std::rethrow_exception(failure); });
  processes.agree({}, 0);
  std::rethrow_exception(failure);
}

}  // namespace c
}  // namespace decorr
