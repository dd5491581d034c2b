// What is allocated, and what happens when it cannot be. A program of its own, because it replaces
// the allocation functions.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <decorr/decorr.hpp>
#include <new>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace {

std::atomic<long> allocations{0};
std::atomic<long> allocations_until_failure{-1};  // negative: none fails

void* allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) throw std::bad_alloc();
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
  return memory;
}

constexpr std::size_t kDefaultAlignment = alignof(std::max_align_t);

}  // namespace

// The array and nothrow forms call these. Inlined, they would look to GCC like new beside free.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return allocate(bytes, kDefaultAlignment);
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

// Eigen and FFTW allocate by malloc and its relatives. Where the C library lets a program put its
// own in front, they are counted, too; sanitizers have theirs there already.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DECORR_TESTS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DECORR_TESTS_SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(DECORR_TESTS_SANITIZED)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
}
constexpr bool kCountsMalloc = true;
#else
constexpr bool kCountsMalloc = false;
#endif

namespace {

using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using Eigen::Index;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColMajor = Eigen::MatrixXf;

template <class Call>
long count_allocations(Call&& call) {
  const long before = allocations;
  call();
  return allocations - before;
}

}  // namespace

TEST_CASE("the counter counts") {
  // Calls, as compilers may leave out new-expressions.
  CHECK(count_allocations([] { ::operator delete(::operator new(8)); }) > 0);
  CHECK(count_allocations([] { ::operator delete[](::operator new[](8)); }) > 0);
  constexpr std::align_val_t kLine{64};
  CHECK(count_allocations([=] { ::operator delete(::operator new(8, kLine), kLine); }) > 0);
  if (kCountsMalloc) {
    CHECK(count_allocations([] { RowMajor::Zero(100, 100).eval(); }) > 0);
    void* memory = nullptr;
    CHECK(count_allocations([&] { memory = std::malloc(10); }) > 0);
    std::free(memory);
  }
}

TEST_CASE_TEMPLATE("after the first call for a shape the ungrouped relaxed form allocates nothing",
                   Matrix, RowMajor, ColMajor) {
  for (const Index d : {Index{31}, Index{1024}}) {
    const Index n = 37;
    auto a = random_matrix<Matrix>(n, d, 1), b = random_matrix<Matrix>(n, d, 2);
    Matrix grad_a(n, d), grad_b(n, d);
    for (const bool has_dominant_feature : {false, true}) {
      if (has_dominant_feature) {
        a.col(7) *= 1e4;
        b.col(7) *= 1e4;
      }
      for (const LossCase& loss_case : loss_cases(d, d / 4)) {
        if (loss_case.relaxed() == nullptr || loss_case.relaxed()->block_size != 0) continue;
        CAPTURE(loss_case.name);
        CAPTURE(d);
        CAPTURE(has_dominant_feature);
        const auto value = [&] { loss_case(a, b); };
        const auto gradient = [&] { loss_case(a, b, grad_a, grad_b); };
        value();
        CHECK(count_allocations(value) == 0);
        gradient();
        CHECK(count_allocations(gradient) == 0);
        CHECK(count_allocations(gradient) == 0);
      }
    }
  }
}

TEST_CASE("when memory runs out, std::bad_alloc is thrown and the outputs are untouched") {
  // Every allocation of the library's own fails once, of an unprepared call each time. The data
  // make the forms that go through Gram matrices take memory for what those would lose, or another
  // route.
  const Index n = 7, d = 12;
  const float sentinel = -1234;
  const auto ordinary = random_matrix<ColMajor>(n, d, 1), b = random_matrix<ColMajor>(n, d, 2);
  ColMajor dominated = ordinary, diagonal = ColMajor::Zero(n, d);
  dominated.col(3) *= 1e4F;
  diagonal.diagonal() = ordinary.diagonal();
  const auto all_sentinel = [=](const auto& matrix) { return (matrix.array() == sentinel).all(); };
  for (const ColMajor& a : {ordinary, dominated, diagonal}) {
    for (const Index block_size : {Index{5}, Index{1}}) {
      for (const LossCase& loss_case : loss_cases(d, block_size)) {
        CAPTURE(loss_case.name);
        CAPTURE(block_size);
        ColMajor grad_a(n, d), grad_b(n, d);
        const float expected = loss_case(a, b, grad_a, grad_b);
        const ColMajor expected_grad_a = grad_a;
        int failures = 0;
        for (bool failed = true; failed; failures += failed) {
          grad_a.setConstant(sentinel);
          grad_b.setConstant(sentinel);
          decorr::clear_plans();
          decorr::clear_workspaces();
          allocations_until_failure = failures;
          float value = 0;
          failed = false;
          try {
            value = loss_case(a, b, grad_a, grad_b);
          } catch (const std::bad_alloc&) {
            failed = true;
          }
          allocations_until_failure = -1;
          if (failed) {
            REQUIRE(all_sentinel(grad_a));
            REQUIRE(all_sentinel(grad_b));
          } else {
            CHECK(value == expected);
            CHECK(grad_a == expected_grad_a);
          }
        }
        CHECK(failures > 0);
      }
    }
  }
}
