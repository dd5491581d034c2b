#ifndef DECORR_DETAIL_RUNTIME_PROCESS_STATE_HPP_
#define DECORR_DETAIL_RUNTIME_PROCESS_STATE_HPP_

namespace decorr {
namespace detail {

// What there is one of in a process, whatever flags its files are compiled with: plain data outside
// the ABI's namespace (abi.hpp), and no code that works on it, which is inside. It is there before
// any code runs and is never destroyed, as buffers and plans with static lifetime may outlive any
// order of destruction.
template <class State>
union ProcessState {
  State value;

  constexpr ProcessState() : value() {}
  ~ProcessState() {}  // NOLINT(modernize-use-equals-default): that would be deleted
};

}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_PROCESS_STATE_HPP_
