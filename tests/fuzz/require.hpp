#ifndef DECORR_TESTS_FUZZ_REQUIRE_HPP_
#define DECORR_TESTS_FUZZ_REQUIRE_HPP_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace decorr_fuzz {

/// What libFuzzer takes for a find, unless `condition` holds.
inline void require(bool condition, const std::string& what) {
  if (!condition) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  }
}

}  // namespace decorr_fuzz

#endif  // DECORR_TESTS_FUZZ_REQUIRE_HPP_
