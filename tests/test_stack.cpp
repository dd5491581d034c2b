// How much stack a call takes: threads may have 128 KiB of it, as musl's have by default.
// Sanitizers change that, so that there this file is empty.
#if !defined(DECORR_TESTS_SANITIZED) && defined(__unix__)
#include <doctest/doctest.h>
#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <functional>
#include <vector>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_stack {

namespace {

using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using Eigen::Index;

void* run(void* function) {
  (*static_cast<const std::function<void()>*>(function))();
  return nullptr;
}

// Runs `function` on a thread of its own; returns how many bytes of its stack were written.
std::size_t stack_of(std::function<void()> function) {
  constexpr std::size_t kSize = std::size_t{1} << 20;
  constexpr unsigned char kUntouched = 0xA5;
  struct alignas(4096) Stack {
    unsigned char bytes[kSize];
  };
  std::vector<Stack> stack(1);
  unsigned char* const bytes = stack[0].bytes;
  std::fill_n(bytes, kSize, kUntouched);
  pthread_attr_t attributes;
  pthread_t thread;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstack(&attributes, bytes, kSize) == 0);
  REQUIRE(pthread_create(&thread, &attributes, run, &function) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
  // It grows downwards.
  const unsigned char* const end = bytes + kSize;
  const unsigned char* const first =
      std::find_if(bytes, bytes + kSize, [](unsigned char byte) { return byte != kUntouched; });
  return static_cast<std::size_t>(end - first);
}

}  // namespace

TEST_CASE("the stack that was written is seen") {
  const std::size_t none = stack_of([] {});
  const std::size_t some = stack_of([] {
    volatile char written[50000];
    for (volatile char& byte : written) byte = 1;
  });
  CHECK(some >= 50000);
  CHECK(some <= 60000 + none);
}

TEST_CASE_TEMPLATE("no call takes more than 96 KiB of stack", Scalar, float, double, long double) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  struct Shape {
    Index rows, cols, block_size;
  };
  for (const Shape& shape : {Shape{100, 90, 8}, Shape{20, 600, 8}, Shape{3, 1030, 300}}) {
    const auto a = random_matrix<Matrix>(shape.rows, shape.cols, 1);
    const auto b = random_matrix<Matrix>(shape.rows, shape.cols, 2);
    Matrix dominated = a;
    dominated.col(1) *= 1e4;
    Matrix grad_a(shape.rows, shape.cols), grad_b(shape.rows, shape.cols);
    for (const LossCase& loss_case : loss_cases(shape.cols, shape.block_size)) {
      CAPTURE(loss_case.name);
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      // FFTW plans on the stack, too: that is its own.
      loss_case(a, b, grad_a, grad_b);
      for (const Matrix& view : {a, dominated}) {
        CHECK(stack_of([&] { loss_case(view, b, grad_a, grad_b); }) <= 96 * 1024);
      }
    }
  }
}

}  // namespace test_stack
#endif
