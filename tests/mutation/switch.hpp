#pragma once

// Included before everything else in the copy of the sources that has the faults: which one of them
// is on, by the environment, so that one build serves all.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

namespace decorr_mutation {

inline constexpr std::size_t kMost = 4096;

inline const long chosen = [] {
  const char* const number = std::getenv("DECORR_FAULT");
  return number == nullptr ? 0L : std::atol(number);
}();

// A byte for each fault whose place was reached, in the file that DECORR_REACHED names: shared, as
// tests fork, and end in other ways than by main().
inline volatile unsigned char* const reached = []() -> unsigned char* {
  static unsigned char nowhere[kMost];
  const char* const path = std::getenv("DECORR_REACHED");
  if (path == nullptr) return nowhere;
  const int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, kMost) != 0) return nowhere;
  void* const shared = mmap(nullptr, kMost, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return shared == MAP_FAILED ? nowhere : static_cast<unsigned char*>(shared);
}();

// Whether fault `number` is on. Numbers begin with 1.
inline bool planted(long number) noexcept {
  reached[number] = 1;
  return number == chosen;
}

}  // namespace decorr_mutation
