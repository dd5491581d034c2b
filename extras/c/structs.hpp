#ifndef DECORR_EXTRAS_C_STRUCTS_HPP_
#define DECORR_EXTRAS_C_STRUCTS_HPP_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "decorr/c_api.h"
#include "decorr/options.hpp"
#include "status.hpp"

// The interface's structs, from C to C++ and back. Pointers to them may be misaligned, so they are
// only ever copied.

namespace decorr {
namespace c {

// ---- Results

template <class Value>
void store(Value* to, Value value) {
  // Value may well be a pointer. NOLINTNEXTLINE(bugprone-sizeof-expression)
  std::memcpy(static_cast<void*>(to), static_cast<const void*>(&value), sizeof(Value));
}

// Element i of an array wherever it lies.
template <class Value>
void store_element(Value* to, std::size_t i, Value value) {
  std::memcpy(reinterpret_cast<char*>(to) + i * sizeof value, &value, sizeof value);
}

template <class Value>
Value load_element(const Value* from, std::size_t i) {
  Value value;
  // Value may well be a pointer. NOLINTNEXTLINE(bugprone-sizeof-expression)
  constexpr std::size_t size = sizeof(Value);
  std::memcpy(static_cast<void*>(&value), reinterpret_cast<const char*>(from) + i * size, size);
  return value;
}

// ---- Sizes

// Whether it is that of an earlier version of a struct.
template <class Struct>
bool is_earlier_size(std::size_t size) {
  return std::is_same<Struct, decorr_execution>::value &&
         size == offsetof(decorr_execution, sum);  // 0.1
}

template <class Struct>
void check_size(const Call& call, const char* name, std::size_t size) {
  if (size == sizeof(Struct) || is_earlier_size<Struct>(size)) return;
  call.fail(name, ".size is ", size, ", expected ", sizeof(Struct), ", the size of the struct");
}

// The size that the caller has set.
template <class Struct>
std::size_t stored_size(const Call& call, const char* name, const Struct* from) {
  std::size_t size = 0;
  std::memcpy(&size, static_cast<const void*>(from), sizeof size);
  check_size<Struct>(call, name, size);
  return size;
}

// The caller's struct; fields that it does not have, or all where there is none, are `defaults`.
template <class Struct>
Struct read_struct(const Call& call, const char* name, const Struct* from, Struct defaults) {
  if (from != nullptr) {
    const std::size_t size = stored_size(call, name, from);
    std::memcpy(&defaults, static_cast<const void*>(from), size);
  }
  return defaults;
}

// As many of the fields as a struct of this size has.
template <class Struct>
void write_struct(Struct* to, Struct from, std::size_t size) {
  from.size = size;
  std::memcpy(static_cast<void*>(to), &from, size);
}

// Where the terms go; none if `to` is null. The size is checked before anything is computed.
template <class Struct>
class TermsTarget {
 public:
  TermsTarget(const Call& call, Struct* to)
      : to_(to), size_(to == nullptr ? 0 : stored_size(call, "terms", to)) {}
  void write(const Struct& terms) const {
    if (to_ != nullptr) write_struct(to_, terms, size_);
  }

 private:
  Struct* to_;
  std::size_t size_;
};

void check_reserved(const Call& call, const char* name, std::int32_t reserved);

// ---- Options. A null pointer means the defaults, and the C++ defaults are the only ones.

decorr_barlow_twins_options to_c(const BarlowTwinsOptions& options);
decorr_vicreg_options to_c(const VicregOptions& options);
decorr_execution to_c(const Execution& execution);
// Its arrays stay null.
decorr_regularizer to_c(const Regularizer& regularizer);

BarlowTwinsOptions to_cpp(const Call& call, const decorr_barlow_twins_options* from);
VicregOptions to_cpp(const Call& call, const decorr_vicreg_options* from);
decorr_execution read_execution(const Call& call, const decorr_execution* from);
// Without the communicator.
Execution to_cpp(const Call& call, const decorr_execution& execution);
// Without a value for Exact. The size of the arrays is checked before they are read.
std::optional<Relaxed> to_cpp(const Call& call, const char* name, const decorr_regularizer* from,
                              std::int32_t default_form, std::ptrdiff_t features);
// Of an argument `relaxed`, that is never Exact.
Relaxed to_relaxed(const Call& call, const decorr_regularizer* from, std::ptrdiff_t features);

// As the kernels take it; null for Exact.
inline const Relaxed* pointer(const std::optional<Relaxed>& relaxed) {
  return relaxed ? &*relaxed : nullptr;
}

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_STRUCTS_HPP_
