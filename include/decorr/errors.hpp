#ifndef DECORR_ERRORS_HPP_
#define DECORR_ERRORS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

/// @file
/// What decorr's functions throw for a bad argument, and where the failure is another process's.
/// Everything else that they throw is the standard library's own: std::bad_alloc,
/// std::runtime_error where FFTW makes no plan or a file cannot be read or written,
/// std::invalid_argument for a length beyond FFTW's integers, std::logic_error for calls of
/// batches.hpp out of turn.

namespace decorr {

/// An argument that does not fit. what() is "function: argument", then what it is and what is
/// expected; argument() is its name alone, for those who have names of their own for it.
///
/// One type for all files of a program, whatever flags they are compiled with, so it stays out of
/// the namespace of detail/runtime/abi.hpp. What might be compiled to vector instructions is
/// inlined, so that no other file's copy of it is ever called.
///
/// @snippet batches.cpp InvalidArgument
class InvalidArgument : public std::invalid_argument {
 public:
  /// The name of an argument is less than kMostCharacters long, and is cut to that.
  static constexpr std::size_t kMostCharacters = 32;

  [[gnu::always_inline]] InvalidArgument(const std::string& what, const char* argument)
      : std::invalid_argument(what) {
    const std::size_t length = std::strlen(argument);
    std::memcpy(argument_, argument, length < kMostCharacters ? length : kMostCharacters - 1);
  }
  [[gnu::always_inline]] InvalidArgument(const InvalidArgument& other) noexcept
      : std::invalid_argument(other) {
    std::memcpy(argument_, other.argument_, kMostCharacters);
  }
  [[gnu::always_inline]] InvalidArgument& operator=(const InvalidArgument& other) noexcept {
    if (this != &other) {
      std::invalid_argument::operator=(other);
      std::memcpy(argument_, other.argument_, kMostCharacters);
    }
    return *this;
  }

  /// The argument, or the field of an argument, that does not fit: "z_b", "epsilon".
  /// Null-terminated, and there as long as the exception. Empty where the mistake is not one
  /// argument's.
  [[gnu::always_inline]] const char* argument() const noexcept { return argument_; }

 private:
  char argument_[kMostCharacters] = {};
};

/// Of a call that several processes make together: another process has failed, which throws what it
/// failed by, or their settings differ. All of them throw, none waits for another.
///
/// @snippet batches.cpp CollectiveError
class CollectiveError : public std::runtime_error {
 public:
  [[gnu::always_inline]] explicit CollectiveError(const std::string& what)
      : std::runtime_error(what) {}
};

}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_ERRORS_HPP_
