#ifndef DECORR_TESTS_SUPPORT_FAILING_CALLS_HPP_
#define DECORR_TESTS_SUPPORT_FAILING_CALLS_HPP_

/// @file
/// Makes calls in which one thing after the other fails. To be included by one file of a program.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "failing_allocations.hpp"

namespace decorr_tests {

/// The bytes of an output.
struct Output {
  void* data;
  std::size_t bytes;
};
template <class Matrix>
Output output(Matrix& matrix) {
  return {matrix.data(), static_cast<std::size_t>(matrix.size()) * sizeof(typename Matrix::Scalar)};
}

/// A call that can be made again and again.
struct Call {
  std::string name;
  std::function<double()> run;
  std::vector<Output> outputs;
};

inline constexpr int kUntouched = 0xA5;

inline void fill(const Call& call) {
  for (const Output& out : call.outputs) std::memset(out.data, kUntouched, out.bytes);
}
inline bool is_untouched(const Call& call) {
  for (const Output& out : call.outputs) {
    const auto* bytes = static_cast<const unsigned char*>(out.data);
    for (std::size_t i = 0; i < out.bytes; ++i) {
      if (bytes[i] != kUntouched) return false;
    }
  }
  return true;
}

struct Result {
  double value = 0;
  std::vector<std::vector<char>> outputs;
  bool operator==(const Result& other) const {
    return value == other.value && outputs == other.outputs;
  }
};
inline Result result_of(const Call& call, double value) {
  Result result{value, {}};
  for (const Output& out : call.outputs) {
    const char* const bytes = static_cast<const char*>(out.data);
    result.outputs.emplace_back(bytes, bytes + out.bytes);
  }
  return result;
}

enum class Thrown { nothing, bad_alloc, runtime_error, something_else };

template <class Run>
Thrown thrown_by(const Run& run) {
  try {
    run();
    return Thrown::nothing;
  } catch (const std::bad_alloc&) {
    return Thrown::bad_alloc;
  } catch (const std::runtime_error&) {
    return Thrown::runtime_error;
  } catch (...) {
    return Thrown::something_else;
  }
}

inline void expect(bool holds, const char* what) {
  if (!holds) FAIL_CHECK(std::string(what) << ": " << decorr_tests::current_case);
}

/// Makes the call with failure 0, 1, ... of a kind until none is met, and once more after each.
/// arm(k) lets failure k happen; disarm() ends that and tells whether one has happened; empty()
/// drops what calls leave. Returns how many failures there are.
template <class Arm, class Disarm>
int fail_each(const Call& call, const char* mode, void (*empty)(), Thrown expected, const Arm& arm,
              const Disarm& disarm) {
  fill(call);
  const Result right = result_of(call, call.run());
  empty();
  const long live = Allocations::live();
  int failures = 0;
  for (bool met = true; met; failures += met) {
    decorr_tests::set_current_case(call.name.c_str(), mode, failures);
    fill(call);
    double value = 0;
    arm(failures);
    const Thrown thrown = thrown_by([&] { value = call.run(); });
    met = disarm();
    expect(thrown == (met ? expected : Thrown::nothing), "not the right exception");
    if (thrown == Thrown::nothing) {
      expect(result_of(call, value) == right, "not the right result");
    } else {
      expect(is_untouched(call), "an output is touched");
      empty();
      expect(Allocations::live() == live, "memory is not given back");
      expect(result_of(call, call.run()) == right, "not the right result after the failure");
    }
    empty();
  }
  decorr_tests::clear_current_case();
  return failures;
}

inline int fail_each_allocation(const Call& call, void (*empty)(), Failing failing) {
  return fail_each(
      call, failing == Failing::one ? "one allocation" : "all allocations from one on", empty,
      Thrown::bad_alloc, [=](int k) { Allocations::arm(k, failing); }, &Allocations::disarm);
}

/// Otherwise the tests would pass without a failure.
inline void check_that_allocations_fail() {
  const auto fails = [](const auto& allocate) {
    Allocations::arm(0, Failing::one);
    allocate();
    return Allocations::disarm();
  };
  // Calls, as compilers may leave out new-expressions.
  constexpr std::align_val_t kLine{64};
  const auto throws = [&](const auto& allocate) {
    return fails([&] { CHECK(thrown_by(allocate) == Thrown::bad_alloc); });
  };
  CHECK(throws([] { ::operator delete(::operator new(8)); }));
  CHECK(throws([=] { ::operator delete(::operator new(8, kLine), kLine); }));
#ifdef DECORR_TESTS_REPLACE_MALLOC
  CHECK(throws([] { ::operator delete[](::operator new[](8)); }));
  CHECK(throws([=] { ::operator delete[](::operator new[](8, kLine), kLine); }));
  CHECK(fails([] { CHECK(::operator new(8, std::nothrow) == nullptr); }));
  static void* volatile memory = nullptr;
  CHECK(fails([] { memory = std::malloc(8); }));
  CHECK(fails([] { memory = std::calloc(8, 8); }));
  CHECK(fails([] { memory = std::realloc(nullptr, 8); }));
  CHECK(fails([] { memory = aligned_alloc(64, 64); }));
  CHECK(memory == nullptr);
  const long live = Allocations::live();
  memory = std::malloc(8);
  CHECK(Allocations::live() == live + 1);
  std::free(memory);
  CHECK(Allocations::live() == live);
#endif
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_FAILING_CALLS_HPP_
