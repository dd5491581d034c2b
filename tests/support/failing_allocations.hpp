#ifndef DECORR_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP_
#define DECORR_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP_

/// @file
/// Replaces the allocation functions of a program, so that a chosen allocation fails and those that
/// live are counted. To be included by one file of it.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>

// What some libraries ask for themselves is given: FFTW and OpenMP's end the program where they
// cannot allocate, which is out of our hands, and the C library's dlopen, by which libdecorr looks
// for FFTW's threads, has no such library then. Sanitizers have malloc and its relatives in front
// already, so there, and where the C library does not let a program replace them, operator new
// alone fails.
#if defined(DECORR_TESTS_SANITIZED)
// By the build.
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DECORR_TESTS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DECORR_TESTS_SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(DECORR_TESTS_SANITIZED)
#define DECORR_TESTS_REPLACE_MALLOC
#include <link.h>
#endif

namespace decorr_tests {

/// Which allocations fail: `first` alone, counted from 0 since arm(), or all from there on.
enum class Failing { one, all_from };

class Allocations {
 public:
  static void arm(long first, Failing kind) {
    // Read before any allocation may fail.
    find_libraries();
    failing = kind;
    any_failed = false;
    until_failure = first;
    armed = true;
  }
  /// Whether an allocation has failed since.
  static bool disarm() {
    armed = false;
    return any_failed;
  }
  static long live() { return living; }
  static long count() { return taken_so_far; }

  /// `caller` is where the allocation function will return to.
  static bool fails(const void* caller) {
    ++taken_so_far;
    if (!armed || is_in_library(caller)) return false;
    const long left = until_failure--;
    const bool fails = failing == Failing::one ? left == 0 : left <= 0;
    if (fails) any_failed = true;
    return fails;
  }
  static void* taken(void* memory) {
    if (memory != nullptr) ++living;
    return memory;
  }
  static void given_back(const void* memory) {
    if (memory != nullptr) --living;
  }

 private:
  struct Range {
    std::uintptr_t begin, end;
  };
  static constexpr std::size_t kMostRanges = 64;

#ifdef DECORR_TESTS_REPLACE_MALLOC
  static void find_libraries() {
    if (exempt_count > 0) return;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void*) {
          const char* const exempt[] = {"/libfftw3", "/libgomp.", "/libomp.", "/ld-", "/libc."};
          if (std::none_of(std::begin(exempt), std::end(exempt), [=](const char* name) {
                return std::strstr(info->dlpi_name, name) != nullptr;
              })) {
            return 0;
          }
          for (int i = 0; i < info->dlpi_phnum && exempt_count < kMostRanges; ++i) {
            const auto& part = info->dlpi_phdr[i];
            if (part.p_type != PT_LOAD) continue;
            const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
            exempt_ranges[exempt_count++] = {begin, begin + part.p_memsz};
          }
          return 0;
        },
        nullptr);
  }
#else
  static void find_libraries() {}
#endif
  static bool is_in_library(const void* address) {
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    for (std::size_t i = 0; i < exempt_count; ++i) {
      if (place >= exempt_ranges[i].begin && place < exempt_ranges[i].end) return true;
    }
    return false;
  }

  // Constant-initialized, as allocations come before any constructor.
  inline static std::atomic<long> taken_so_far{0}, living{0}, until_failure{0};
  inline static std::atomic<bool> armed{false}, any_failed{false};
  inline static Failing failing = Failing::one;
  inline static Range exempt_ranges[kMostRanges] = {};
  inline static std::size_t exempt_count = 0;
};

}  // namespace decorr_tests

// One file of a program has these. NOLINTBEGIN(misc-definitions-in-headers,*-identifier*)
#ifdef DECORR_TESTS_REPLACE_MALLOC
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  using decorr_tests::Allocations;
  if (Allocations::fails(__builtin_return_address(0))) return nullptr;
  return Allocations::taken(__libc_malloc(bytes));
}
void* calloc(std::size_t count, std::size_t bytes) {
  using decorr_tests::Allocations;
  if (Allocations::fails(__builtin_return_address(0))) return nullptr;
  return Allocations::taken(__libc_calloc(count, bytes));
}
void* realloc(void* memory, std::size_t bytes) {
  using decorr_tests::Allocations;
  if (Allocations::fails(__builtin_return_address(0))) return nullptr;
  Allocations::given_back(memory);
  return Allocations::taken(__libc_realloc(memory, bytes));
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  using decorr_tests::Allocations;
  if (Allocations::fails(__builtin_return_address(0))) return nullptr;
  return Allocations::taken(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  using decorr_tests::Allocations;
  if (Allocations::fails(__builtin_return_address(0))) return nullptr;
  return Allocations::taken(__libc_memalign(alignment, bytes));
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  using decorr_tests::Allocations;
  constexpr int kOutOfMemory = 12;  // ENOMEM
  if (Allocations::fails(__builtin_return_address(0))) return kOutOfMemory;
  *memory = Allocations::taken(__libc_memalign(alignment, bytes));
  return *memory == nullptr ? kOutOfMemory : 0;
}
void free(void* memory) {
  decorr_tests::Allocations::given_back(memory);
  __libc_free(memory);
}
}
#else
// The array and nothrow forms call these. Inlined, they would look to GCC like new beside free.
namespace decorr_tests {
[[gnu::noinline]] inline void* allocate(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  if (Allocations::fails(nullptr) || posix_memalign(&memory, alignment, bytes) != 0) {
    throw std::bad_alloc();
  }
  return Allocations::taken(memory);
}
[[gnu::noinline]] inline void deallocate(void* memory) noexcept {
  Allocations::given_back(memory);
  std::free(memory);
}
}  // namespace decorr_tests
void* operator new(std::size_t bytes) {
  return decorr_tests::allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return decorr_tests::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { decorr_tests::deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { decorr_tests::deallocate(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { decorr_tests::deallocate(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  decorr_tests::deallocate(memory);
}
#endif
// NOLINTEND(misc-definitions-in-headers,*-identifier*)

namespace decorr_tests {

inline char current_case[400] = "";

/// An end of the program inside a call names the case.
inline void report_ends() {
  std::set_terminate([] {
    Allocations::disarm();
    std::fprintf(stderr, "FAILED: std::terminate in: %s\n", current_case);
    std::abort();
  });
  std::atexit([] {
    if (current_case[0] == '\0') return;
    Allocations::disarm();
    std::fprintf(stderr, "FAILED: the program was ended in: %s\n", current_case);
  });
}

inline void set_current_case(const char* name, const char* mode, long failure) {
  std::snprintf(current_case, sizeof current_case, "%s, %s, failure number %ld", name, mode,
                failure);
}
inline void clear_current_case() { current_case[0] = '\0'; }

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP_
