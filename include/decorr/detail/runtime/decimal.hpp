#ifndef DECORR_DETAIL_RUNTIME_DECIMAL_HPP_
#define DECORR_DETAIL_RUNTIME_DECIMAL_HPP_

#include <locale>
#include <sstream>
#include <string>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"

// Numbers in messages. By a stream, whose functions are the standard library's compiled ones:
// std::to_string is a template of its headers, and two files of a program that are compiled for
// different processors would share one copy of it.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_COLD inline std::string decimal(long long number) {
  std::ostringstream text;
  // The process's own locale may group digits.
  text.imbue(std::locale::classic());
  text << number;
  return text.str();
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_DECIMAL_HPP_
