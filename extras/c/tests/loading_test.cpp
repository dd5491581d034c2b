// libdecorr in a process that loads it when it is running, after and beside other libraries, and
// closes it again. Each test case is for a process of its own.
#include <decorr/c_api.h>
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

template <class Function>
Function* function_of(void* library, const char* name) {
  auto* const function = reinterpret_cast<Function*>(dlsym(library, name));
  INFO(name);
  REQUIRE((function != nullptr));
  return function;
}

void* load(const char* path, int flags) {
  void* const library = dlopen(path, RTLD_NOW | flags);
  INFO(path);
  REQUIRE((library != nullptr));
  return library;
}

void* load_decorr() { return load(DECORR_TEST_LIBRARY, RTLD_LOCAL); }

// r_sum of two matrices of which it is known: C's wrapped diagonals by the definition.
template <class Scalar>
void check_relaxed(void* decorr, int64_t d, int threads = 1, int32_t planning = DECORR_ESTIMATE) {
  constexpr std::size_t rows = 128;  // enough for several threads
  const auto n = static_cast<int64_t>(rows);
  const auto size = static_cast<std::size_t>(d);
  std::vector<Scalar> a(rows * size), b(rows * size);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<Scalar>(std::sin(1.7 * static_cast<double>(i)));
    b[i] = static_cast<Scalar>(std::cos(2.3 * static_cast<double>(i)));
  }
  double expected = 0;
  for (std::size_t lag = 1; lag < size; ++lag) {
    double sum = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t j = 0; j < size; ++j) {
        sum += static_cast<double>(a[row * size + j]) *
               static_cast<double>(b[row * size + (j + lag) % size]);
      }
    }
    expected += sum * sum / static_cast<double>(n * n);
  }
  const int32_t type = sizeof(Scalar) == sizeof(float) ? DECORR_FLOAT32 : DECORR_FLOAT64;
  const decorr_input input_a = decorr_input_rows(a.data(), type, n, d);
  const decorr_input input_b = decorr_input_rows(b.data(), type, n, d);
  decorr_regularizer regularizer;
  decorr_execution execution;
  function_of<decltype(decorr_regularizer_defaults)>(decorr, "decorr_regularizer_defaults")(
      &regularizer, sizeof regularizer);
  function_of<decltype(decorr_execution_defaults)>(decorr, "decorr_execution_defaults")(
      &execution, sizeof execution);
  regularizer.form = DECORR_RELAXED;
  execution.threads = threads;
  execution.planning = planning;
  double value = 0;
  CHECK(function_of<decltype(decorr_r_sum)>(decorr, "decorr_r_sum")(
            &input_a, &input_b, nullptr, nullptr, &regularizer, &execution, &value) == DECORR_OK);
  CHECK(value == doctest::Approx(expected).epsilon(1e-4));
}

void check_relaxed(void* decorr) {
  for (const int64_t d : {7, 64, 500}) {
    check_relaxed<float>(decorr, d);
    check_relaxed<double>(decorr, d);
  }
}

int spawned = 0;
void count_spawned(void* (*work)(char*), char* data, std::size_t size, int count, void*) {
  spawned += count > 1;
  for (int i = 0; i < count; ++i) work(data + static_cast<std::size_t>(i) * size);
}

// Sets 8 threads for the planner, as a host does, with its own library of FFTW's threads.
void* set_planner_threads(const char* path) {
  using Callback = void(void* (*)(char*), char*, std::size_t, int, void*);
  void* const library = load(path, RTLD_LOCAL);
  CHECK(function_of<int()>(library, "fftwf_init_threads")() != 0);
  function_of<void(int)>(library, "fftwf_plan_with_nthreads")(8);
  function_of<void(Callback*, void*)>(library, "fftwf_threads_set_callback")(count_spawned,
                                                                             nullptr);
  return library;
}

void check_one_thread(void* decorr, void* threads) {
  for (const int64_t d : {64, 360, 1024}) check_relaxed<float>(decorr, d);
  check_relaxed<float>(decorr, 512, 1, DECORR_MEASURE);
  CHECK(spawned == 0);
  CHECK(function_of<int()>(threads, "fftwf_planner_nthreads")() == 8);
}

}  // namespace

TEST_CASE("A library that is closed after a call with several threads") {
  void* decorr = load_decorr();
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (const bool elsewhere : {true, false}) {
      const auto call = [&] { check_relaxed<float>(decorr, 64, 4); };
      if (elsewhere) {
        std::thread(call).join();
      } else {
        call();
      }
      CHECK(dlclose(decorr) == 0);
      // For threads that still wait for work.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      decorr = load_decorr();
    }
  }
  std::thread ends_later([&] {
    check_relaxed<double>(decorr, 64, 2);
    CHECK(dlclose(decorr) == 0);
  });
  ends_later.join();
}

TEST_CASE("Another library's FFTW, loaded before for the whole process, is not used") {
  load(DECORR_TEST_OTHER_FFTW, RTLD_GLOBAL);
  check_relaxed(load_decorr());
}

TEST_CASE("Another library's FFTW, loaded later, is not used") {
  void* const decorr = load_decorr();
  check_relaxed<float>(decorr, 12);
  load(DECORR_TEST_OTHER_FFTW, RTLD_GLOBAL);
  check_relaxed(decorr);
}

#ifdef DECORR_TEST_FFTW_THREADS
TEST_CASE("Plans are for one thread, where the host's planner was there before") {
  void* const threads = set_planner_threads(DECORR_TEST_FFTW_THREADS);
  check_one_thread(load_decorr(), threads);
}

TEST_CASE("Plans are for one thread, where the host's planner came later") {
  void* const decorr = load_decorr();
  check_relaxed(decorr);
  void* const threads = set_planner_threads(DECORR_TEST_FFTW_THREADS);
  check_one_thread(decorr, threads);
}
#endif
