// Batches in parts, and over processes, by the C interface: what one call computes of all rows.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <decorr/c_api.h>
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "c_calls.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"
#include "support/thread_communicator.hpp"

namespace {

using namespace decorr_tests;

constexpr Index kRows = 21, kCols = 8, kBlock = 3;
// Of the parts, and of the processes.
const std::vector<Index> kParts{5, 0, 1, 15};

std::vector<LossCase> all_cases() { return loss_cases(kCols, kBlock); }

// Where C's functions sum: threads in the place of processes.
int sum_of_threads(void* context, double* numbers, std::size_t count) {
  static_cast<decorr::Communicator*>(context)->sum(numbers, count);
  return 0;
}

template <class Scalar>
struct Views {
  RowMajor<Scalar> a = random_matrix<RowMajor<Scalar>>(kRows, kCols, 1);
  RowMajor<Scalar> b = a + random_matrix<RowMajor<Scalar>>(kRows, kCols, 2) / 2;
  RowMajor<Scalar> grad_a = RowMajor<Scalar>::Zero(kRows, kCols), grad_b = grad_a;

  // Where there are no rows, there is no memory either.
  decorr_input input(const RowMajor<Scalar>& x, Index first, Index count) const {
    return decorr_input_rows(count == 0 ? nullptr : x.data() + first * kCols, kType<Scalar>, count,
                             kCols);
  }
  decorr_output output(RowMajor<Scalar>& x, Index first, Index count) {
    return decorr_output_rows(count == 0 ? nullptr : x.data() + first * kCols, kType<Scalar>, count,
                              kCols);
  }
};

// body(first row, rows) for each part.
void for_each_part(const std::function<void(Index, Index)>& body) {
  Index first = 0;
  for (const Index count : kParts) {
    body(first, count);
    first += count;
  }
}

template <class Scalar>
void check_same(const RowMajor<Scalar>& actual, const RowMajor<Scalar>& expected,
                double tolerance) {
  const auto size = static_cast<double>(expected.cwiseAbs().maxCoeff());
  CHECK(static_cast<double>((actual - expected).cwiseAbs().maxCoeff()) <= tolerance * size);
}

// One call by C++.
template <class Scalar>
double expected_of(const LossCase& loss_case, Views<Scalar>& whole) {
  return static_cast<double>(loss_case(whole.a, whole.b, whole.grad_a, whole.grad_b));
}

template <class Scalar>
void check_parts(const LossCase& loss_case, double tolerance) {
  CAPTURE(loss_case.name);
  Views<Scalar> whole, parts;
  const double expected = expected_of(loss_case, whole);
  const bool one_view = loss_case.is_single_view();
  decorr_batch* batch = nullptr;
  REQUIRE(create_by_c(loss_case, CArguments(loss_case), kType<Scalar>, kCols, DECORR_GRADIENT_BOTH,
                      &batch) == DECORR_OK);
  while (decorr_batch_has_pass(batch) == 1) {
    for_each_part([&](Index first, Index count) {
      const auto a = parts.input(parts.a, first, count), b = parts.input(parts.b, first, count);
      CHECK(decorr_batch_add(batch, &a, one_view ? nullptr : &b) == DECORR_OK);
    });
    REQUIRE(decorr_batch_end_pass(batch) == DECORR_OK);
  }
  double value = -1;
  for (int time = 0; time < 2; ++time) {
    REQUIRE(result_by_c(loss_case, batch, value) == DECORR_OK);
    CHECK(std::abs(value - expected) <= tolerance * std::abs(expected));
  }
  std::int64_t rows = -1;
  CHECK(decorr_batch_count(batch, &rows) == DECORR_OK);
  CHECK(rows == kRows);
  for_each_part([&](Index first, Index count) {
    const auto a = parts.input(parts.a, first, count), b = parts.input(parts.b, first, count);
    const auto grad_a = parts.output(parts.grad_a, first, count),
               grad_b = parts.output(parts.grad_b, first, count);
    CHECK(decorr_batch_gradient(batch, &a, one_view ? nullptr : &b, &grad_a,
                                one_view ? nullptr : &grad_b) == DECORR_OK);
  });
  decorr_batch_destroy(batch);
  check_same(parts.grad_a, whole.grad_a, tolerance);
  if (!one_view) check_same(parts.grad_b, whole.grad_b, tolerance);
}

TEST_CASE("parts give what the whole batch gives") {
  for (const LossCase& loss_case : all_cases()) {
    check_parts<double>(loss_case, 1e-12);
    check_parts<float>(loss_case, 4e-5);
  }
}

TEST_CASE("processes give what one of them gives") {
  for (const LossCase& loss_case : all_cases()) {
    CAPTURE(loss_case.name);
    Views<double> whole, parts;
    const double expected = expected_of(loss_case, whole);
    ThreadGroup group(static_cast<int>(kParts.size()));
    std::vector<double> values(kParts.size(), -1);
    std::vector<Index> firsts;
    for_each_part([&](Index first, Index) { firsts.push_back(first); });
    const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
      const auto at = static_cast<std::size_t>(rank);
      const CArguments c(loss_case, sum_of_threads, &communicator);
      const auto a = parts.input(parts.a, firsts[at], kParts[at]),
                 b = parts.input(parts.b, firsts[at], kParts[at]);
      const auto grad_a = parts.output(parts.grad_a, firsts[at], kParts[at]),
                 grad_b = parts.output(parts.grad_b, firsts[at], kParts[at]);
      CHECK(call_by_c(loss_case, c, a, b, &grad_a, &grad_b, values[at]) == DECORR_OK);
    });
    for (const auto& failure : failures) CHECK(message_of(failure).empty());
    for (const double value : values) {
      CHECK(std::abs(value - expected) <= 1e-12 * std::abs(expected));
    }
    check_same(parts.grad_a, whole.grad_a, 1e-12);
    if (!loss_case.is_single_view()) check_same(parts.grad_b, whole.grad_b, 1e-12);
  }
}

TEST_CASE("sumvec in parts and over processes") {
  Views<double> views;
  const Eigen::VectorXd expected = decorr::sumvec(views.a, views.b, quick());
  const double size = expected.cwiseAbs().maxCoeff();
  Eigen::VectorXd lags(kCols);
  const auto out = decorr_output_rows(lags.data(), DECORR_FLOAT64, kCols, 1);
  decorr_batch* batch = nullptr;
  REQUIRE(decorr_sumvec_batch_create(DECORR_FLOAT64, kCols, nullptr, &batch) == DECORR_OK);
  for_each_part([&](Index first, Index count) {
    const auto a = views.input(views.a, first, count), b = views.input(views.b, first, count);
    CHECK(decorr_batch_add(batch, &a, &b) == DECORR_OK);
  });
  CHECK(decorr_sumvec_batch_lags(batch, &out) == DECORR_INVALID_ARGUMENT);
  CHECK(decorr_batch_end_pass(batch) == DECORR_OK);
  CHECK(decorr_batch_has_pass(batch) == 0);
  CHECK(decorr_sumvec_batch_lags(batch, &out) == DECORR_OK);
  CHECK((lags - expected).cwiseAbs().maxCoeff() <= 1e-12 * size);
  auto bad = out;
  bad.row_stride = 0;
  CHECK(decorr_sumvec_batch_lags(batch, &bad) == DECORR_INVALID_ARGUMENT);
  bad = out;
  bad.type = DECORR_FLOAT32;
  CHECK(decorr_sumvec_batch_lags(batch, &bad) == DECORR_INVALID_ARGUMENT);
  double value = 0;
  CHECK(decorr_regularizer_batch_value(batch, &value) == DECORR_INVALID_ARGUMENT);
  CHECK(std::string(decorr_error_message()) ==
        "regularizer_batch_value: batch is of another function, sumvec_batch");
  decorr_batch_destroy(batch);

  ThreadGroup group(2);
  std::vector<Eigen::VectorXd> all(2, lags);
  group.run([&](int rank, decorr::Communicator& communicator) {
    const decorr_execution execution{sizeof execution, 1, DECORR_ESTIMATE, sum_of_threads,
                                     &communicator};
    const Index first = rank == 0 ? 0 : 4, count = rank == 0 ? 4 : kRows - 4;
    const auto a = views.input(views.a, first, count), b = views.input(views.b, first, count);
    auto& own = all[static_cast<std::size_t>(rank)];
    own.setZero();
    const auto to = decorr_output_rows(own.data(), DECORR_FLOAT64, kCols, 1);
    CHECK(decorr_sumvec(&a, &b, &execution, &to) == DECORR_OK);
  });
  for (const auto& own : all) CHECK((own - expected).cwiseAbs().maxCoeff() <= 1e-12 * size);
}

// One process of three calls with what `spoil` has made of its arguments.
struct Arguments {
  Views<double> views;
  decorr_input a, b;
  decorr_output grad_a, grad_b;
  decorr_barlow_twins_options options;
  decorr_execution execution;
  decorr_barlow_twins_terms terms{sizeof terms, 0, 0, 0};

  explicit Arguments(decorr::Communicator* communicator)
      : a(views.input(views.a, 0, kRows)),
        b(views.input(views.b, 0, kRows)),
        grad_a(views.output(views.grad_a, 0, kRows)),
        grad_b(views.output(views.grad_b, 0, kRows)),
        execution{sizeof execution, 1, DECORR_ESTIMATE, sum_of_threads, communicator} {
    decorr_barlow_twins_options_defaults(&options, sizeof options);
  }
  decorr_status call() {
    return decorr_barlow_twins_loss(&a, &b, &grad_a, &grad_b, &options, nullptr, &execution,
                                    &terms);
  }
  // The status of what ends it.
  decorr_status call_in_parts() {
    decorr_batch* batch = nullptr;
    decorr_status status = decorr_barlow_twins_batch_create(
        DECORR_FLOAT64, kCols, DECORR_GRADIENT_BOTH, &options, nullptr, &execution, &batch);
    if (status != DECORR_OK) return status;
    while (status == DECORR_OK && decorr_batch_has_pass(batch) == 1) {
      status = decorr_batch_add(batch, &a, &b);
      if (status == DECORR_OK) status = decorr_batch_end_pass(batch);
    }
    decorr_batch_destroy(batch);
    return status;
  }
};

TEST_CASE("what is wrong with one process ends the call of all") {
  struct Mistake {
    std::function<void(Arguments&)> spoil;
    const char* text;
  };
  // Of all kinds: what the interface finds itself, and what the loops find.
  const std::vector<Mistake> mistakes{
      {[](Arguments& x) { x.a.type = 9; }, "z_a.type is 9"},
      {[](Arguments& x) { x.b.size = 3; }, "z_b.size is 3"},
      {[](Arguments& x) { x.b.data = nullptr; }, "z_b.data is null"},
      {[](Arguments& x) { x.options.size = 1; }, "options.size is 1"},
      {[](Arguments& x) { x.options.standardize = 7; }, "standardize is 7"},
      {[](Arguments& x) { x.options.epsilon = -1; }, "epsilon is -1"},
      {[](Arguments& x) { x.execution.planning = 7; }, "planning is 7"},
      {[](Arguments& x) { x.execution.threads = 0; }, "threads is 0"}};
  for (const Mistake& mistake : mistakes) {
    for (const bool in_parts : {false, true}) {
      CAPTURE(mistake.text);
      CAPTURE(in_parts);
      ThreadGroup group(3);
      group.run([&](int rank, decorr::Communicator& communicator) {
        Arguments arguments(&communicator);
        if (rank == 1) mistake.spoil(arguments);
        const decorr_status status = in_parts ? arguments.call_in_parts() : arguments.call();
        const std::string message = decorr_error_message();
        if (rank == 1) {
          CHECK(status == DECORR_INVALID_ARGUMENT);
          CHECK(message.find(mistake.text) != std::string::npos);
        } else {
          CHECK(status == DECORR_COLLECTIVE);
          CHECK(message.find(": failed on 1 of 3 processes, which say why") != std::string::npos);
        }
        CHECK(arguments.views.grad_a.isZero(0));
        // And the next call is as if nothing had been.
        CHECK(Arguments(&communicator).call() == DECORR_OK);
      });
    }
  }
}

TEST_CASE("settings that differ") {
  ThreadGroup group(3);
  group.run([&](int rank, decorr::Communicator& communicator) {
    Arguments arguments(&communicator);
    if (rank == 2) arguments.options.lambda = 1;
    CHECK(arguments.call() == DECORR_COLLECTIVE);
    const std::string message = decorr_error_message();
    CHECK(message.find("lambda differs from the others' on 1 of 3 processes") != std::string::npos);
  });
}

TEST_CASE("a sum that fails") {
  Arguments arguments(nullptr);
  int calls = 0;
  arguments.execution.context = &calls;
  arguments.execution.sum = [](void* context, double*, std::size_t) {
    return ++*static_cast<int*>(context) == 3 ? 42 : 0;
  };
  CHECK(arguments.call() == DECORR_FAILED);
  CHECK(calls == 3);
  CHECK(std::string(decorr_error_message()) == "barlow_twins_loss: sum has failed, it returned 42");
  CHECK(arguments.views.grad_a.isZero(0));
}

TEST_CASE("a batch that could not be made has one pass, at whose end it says so") {
  Arguments arguments(nullptr);
  arguments.execution.sum = [](void*, double*, std::size_t) { return 0; };  // of one process
  arguments.execution.planning = 7;
  decorr_batch* batch = nullptr;
  REQUIRE(decorr_barlow_twins_batch_create(DECORR_FLOAT64, kCols, 0, &arguments.options, nullptr,
                                           &arguments.execution, &batch) == DECORR_OK);
  CHECK(decorr_batch_has_pass(batch) == 1);
  CHECK(decorr_batch_add(batch, &arguments.a, &arguments.b) == DECORR_OK);
  for (int i = 0; i < 2; ++i) {
    CHECK(decorr_batch_end_pass(batch) == DECORR_INVALID_ARGUMENT);
    CHECK(std::string(decorr_error_message()).find("planning is 7") != std::string::npos);
    CHECK(decorr_batch_has_pass(batch) == 0);
  }
  decorr_batch_destroy(batch);
}

TEST_CASE("a batch that is destroyed while the planner is locked waits for that to end") {
  Arguments arguments(nullptr);
  decorr_batch* batch = nullptr;
  decorr_regularizer relaxed;
  REQUIRE(decorr_regularizer_defaults(&relaxed, sizeof relaxed) == DECORR_OK);
  relaxed.form = DECORR_RELAXED;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(decorr_r_sum_batch_create(DECORR_FLOAT64, kCols, 0, &relaxed, &arguments.execution,
                                      &batch) == DECORR_OK);
    // Its plans are nobody else's then.
    REQUIRE(decorr_clear_plans() == DECORR_OK);
    REQUIRE(decorr_lock_planner() == DECORR_OK);
    decorr_batch_destroy(batch);
    decorr_batch_destroy(nullptr);
    REQUIRE(decorr_unlock_planner() == DECORR_OK);
  }
}

TEST_CASE("the execution of version 0.1, without a sum") {
  Arguments arguments(nullptr);
  decorr_execution earlier{};
  constexpr std::size_t size = offsetof(decorr_execution, sum);
  earlier.sum = [](void*, double*, std::size_t) { return 1; };
  CHECK(decorr_execution_defaults(&earlier, size) == DECORR_OK);
  CHECK(earlier.size == size);
  CHECK(earlier.planning == DECORR_MEASURE);
  const bool is_untouched = earlier.sum != nullptr;  // beyond what it has
  CHECK(is_untouched);
  arguments.execution = earlier;
  CHECK(arguments.call() == DECORR_OK);
}

TEST_CASE("calls out of turn, and of another kind") {
  Arguments arguments(nullptr);
  arguments.execution.sum = nullptr;
  const auto refused = [](decorr_status status, const char* text) {
    CHECK(status == DECORR_INVALID_ARGUMENT);
    CAPTURE(decorr_error_message());
    CHECK(std::string(decorr_error_message()).find(text) != std::string::npos);
  };
  const auto create = [&](std::int32_t type, std::int64_t d, std::int32_t gradients,
                          decorr_batch** batch) {
    return decorr_barlow_twins_batch_create(type, d, gradients, nullptr, nullptr, nullptr, batch);
  };
  decorr_batch* batch = nullptr;
  refused(create(DECORR_FLOAT64, kCols, DECORR_GRADIENT_BOTH, nullptr), "batch is null");
  refused(create(7, kCols, DECORR_GRADIENT_BOTH, &batch), "type is 7");
  refused(create(DECORR_FLOAT64, 0, DECORR_GRADIENT_BOTH, &batch), "d is 0");
  refused(create(DECORR_FLOAT64, std::int64_t{1} << 31, DECORR_GRADIENT_BOTH, &batch),
          "d is 2147483648, expected 1 to 2147483647");
  refused(create(DECORR_FLOAT64, kCols, 4, &batch), "gradients is 4, expected 0 to 3");
  refused(create(DECORR_FLOAT64, kCols, -1, &batch), "gradients is -1, expected 0 to 3");
  refused(decorr_variance_covariance_batch_create(DECORR_FLOAT64, kCols, DECORR_GRADIENT_BOTH,
                                                  nullptr, nullptr, nullptr, &batch),
          "gradients is 3, expected 0 to 1");
  CHECK(batch == nullptr);
  CHECK(decorr_batch_has_pass(nullptr) == 0);
  refused(decorr_batch_add(nullptr, &arguments.a, &arguments.b), "batch is null");
  refused(decorr_batch_end_pass(nullptr), "batch is null");
  refused(decorr_barlow_twins_batch_loss(nullptr, &arguments.terms), "batch is null");
  decorr_batch_destroy(nullptr);

  REQUIRE(create(DECORR_FLOAT64, kCols, DECORR_GRADIENT_A, &batch) == DECORR_OK);
  auto narrow = arguments.a;
  narrow.cols = kCols - 1;
  refused(decorr_batch_add(batch, &narrow, &narrow), "expected 8, the batch's features");
  auto single = arguments.a;
  single.type = DECORR_FLOAT32;
  refused(decorr_batch_add(batch, &single, &single), "z_a and batch differ in type");
  refused(decorr_batch_add(batch, &arguments.a, nullptr), "z_b is null");
  refused(decorr_barlow_twins_batch_loss(batch, &arguments.terms), "have not ended");
  refused(decorr_batch_gradient(batch, &arguments.a, &arguments.b, &arguments.grad_a, nullptr),
          "passes have not ended");
  while (decorr_batch_has_pass(batch) == 1) {
    REQUIRE(decorr_batch_add(batch, &arguments.a, &arguments.b) == DECORR_OK);
    REQUIRE(decorr_batch_end_pass(batch) == DECORR_OK);
  }
  refused(decorr_batch_add(batch, &arguments.a, &arguments.b), "all passes have ended");
  refused(decorr_batch_end_pass(batch), "all passes have ended");
  refused(decorr_batch_gradient(batch, &arguments.a, &arguments.b, &arguments.grad_a,
                                &arguments.grad_b),
          "not those that the constructor was asked for");
  decorr_vicreg_terms other{sizeof other, 0, 0, 0, 0};
  refused(decorr_vicreg_batch_loss(batch, &other), "batch is of another function");
  refused(decorr_barlow_twins_batch_loss(batch, nullptr), "terms is null");
  refused(decorr_regularizer_batch_value(batch, nullptr), "value is null");
  std::int64_t rows = 0;
  REQUIRE(decorr_lock_planner() == DECORR_OK);
  refused(decorr_batch_count(batch, &rows), "holds the planner's lock");
  REQUIRE(decorr_unlock_planner() == DECORR_OK);
  CHECK(decorr_batch_count(batch, &rows) == DECORR_OK);
  CHECK(rows == arguments.a.rows);
  decorr_batch_destroy(batch);

  REQUIRE(decorr_variance_covariance_batch_create(DECORR_FLOAT64, kCols, DECORR_GRADIENT_A, nullptr,
                                                  nullptr, nullptr, &batch) == DECORR_OK);
  refused(decorr_batch_add(batch, &arguments.a, &arguments.b),
          "z_b is given, and the batch has one");
  refused(decorr_batch_gradient(batch, &arguments.a, nullptr, &arguments.grad_a, &arguments.grad_b),
          "grad_b is given, and the batch has one view");
  CHECK(decorr_batch_add(batch, &arguments.a, nullptr) == DECORR_OK);
  CHECK(decorr_batch_end_pass(batch) == DECORR_OK);
  auto fewer = arguments.a;
  fewer.rows -= 1;
  CHECK(decorr_batch_add(batch, &fewer, nullptr) == DECORR_OK);
  refused(decorr_batch_end_pass(batch), "the rows are not those of the first pass");
  decorr_batch_destroy(batch);
}

}  // namespace
