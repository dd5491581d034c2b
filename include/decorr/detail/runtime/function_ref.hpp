#ifndef DECORR_DETAIL_RUNTIME_FUNCTION_REF_HPP_
#define DECORR_DETAIL_RUNTIME_FUNCTION_REF_HPP_

#include <memory>
#include <utility>

#include "decorr/detail/runtime/abi.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// A function that is called with Arguments and cannot throw, by reference: so that a loop over rows
// is compiled once, and not once for each pass. One call is for hundreds of numbers or more.
template <class... Arguments>
class FunctionRef {
 public:
  template <class Function>
  FunctionRef(const Function& function)  // NOLINT(google-explicit-constructor)
      : function_(std::addressof(function)),
        call_([](const void* object, Arguments... arguments) noexcept {
          (*static_cast<const Function*>(object))(arguments...);
        }) {
    static_assert(noexcept(function(std::declval<Arguments>()...)),
                  "what runs between the first and the last written row may not throw");
  }
  void operator()(Arguments... arguments) const noexcept { call_(function_, arguments...); }

 private:
  const void* function_;
  void (*call_)(const void*, Arguments...) noexcept;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_FUNCTION_REF_HPP_
