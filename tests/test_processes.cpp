// A batch that several processes hold together, with threads in their place: the sums, the checks,
// and what happens where one of them fails. tests/mpi has the same with real processes.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <exception>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cases.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"
#include "support/thread_communicator.hpp"

namespace test_processes {

namespace {

using namespace decorr_tests;
using decorr::Communicator;
template <class Scalar>
using Rows = RowMajor<Scalar>;

// What each process holds, in the order of the ranks.
struct Part {
  Index first, count;
};
std::vector<Part> parts_of(const std::vector<Index>& counts) {
  std::vector<Part> parts;
  Index first = 0;
  for (const Index count : counts) {
    parts.push_back({first, count});
    first += count;
  }
  return parts;
}

template <class Scalar>
struct Outcome {
  std::vector<Scalar> values;
  Rows<Scalar> grad_a, grad_b;
};

// The gradients of all processes, one below the other, and each one's value.
template <class Scalar>
Outcome<Scalar> run(const LossCase& loss, const Rows<Scalar>& a, const Rows<Scalar>& b,
                    const std::vector<Index>& counts) {
  const auto parts = parts_of(counts);
  ThreadGroup group(static_cast<int>(counts.size()));
  Outcome<Scalar> outcome{std::vector<Scalar>(counts.size()), Rows<Scalar>(a.rows(), a.cols()),
                          Rows<Scalar>(a.rows(), a.cols())};
  const auto failures = group.run([&](int rank, Communicator& communicator) {
    const auto [first, count] = parts[static_cast<std::size_t>(rank)];
    LossCase own = loss;
    own.execution.communicator = &communicator;
    Rows<Scalar> grad_a(count, a.cols()), grad_b(count, a.cols());
    const Scalar value =
        own(a.middleRows(first, count), b.middleRows(first, count), grad_a, grad_b);
    // A value alone is the same one.
    const Scalar alone = own(a.middleRows(first, count), b.middleRows(first, count));
    CHECK((alone == value || (std::isnan(alone) && std::isnan(value))));
    outcome.values[static_cast<std::size_t>(rank)] = value;
    outcome.grad_a.middleRows(first, count) = grad_a;
    outcome.grad_b.middleRows(first, count) = grad_b;
  });
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return outcome;
}

template <class Scalar>
void check_same(const Rows<Scalar>& x, const Rows<Scalar>& y, double tolerance) {
  const double size = static_cast<double>(y.cwiseAbs().maxCoeff());
  CHECK(static_cast<double>((x - y).cwiseAbs().maxCoeff()) <= tolerance * size);
}

template <class Scalar>
void check_against_one_process(const LossCase& loss, const Rows<Scalar>& a, const Rows<Scalar>& b,
                               const std::vector<Index>& counts, double tolerance) {
  CAPTURE(loss.name);
  CAPTURE(counts.size());
  Rows<Scalar> grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  const double value = static_cast<double>(loss(a, b, grad_a, grad_b));
  const Outcome<Scalar> outcome = run<Scalar>(loss, a, b, counts);
  for (const Scalar own : outcome.values) {
    CHECK(own == outcome.values[0]);
    CHECK(std::abs(static_cast<double>(own) - value) <= tolerance * std::abs(value));
  }
  check_same(outcome.grad_a, grad_a, tolerance);
  if (!loss.is_single_view()) check_same(outcome.grad_b, grad_b, tolerance);
}

template <class Scalar>
void check_against_one_process(const Rows<Scalar>& a, const Rows<Scalar>& b,
                               const std::vector<Index>& counts, double tolerance) {
  for (const LossCase& loss : loss_cases(a.cols(), 5)) {
    check_against_one_process(loss, a, b, counts, tolerance);
  }
}

const std::vector<std::vector<Index>>& divisions() {
  static const std::vector<std::vector<Index>> divisions{
      {24}, {1, 23}, {0, 24}, {24, 0, 0}, {7, 9, 8}, {17, 1, 0, 3, 3}, {3, 3, 3, 3, 3, 3, 3, 3}};
  return divisions;
}

}  // namespace

TEST_CASE("processes with any rows give the value and the gradients of one process: double") {
  const Index n = 24, d = 13;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1);
  const Rows<double> b = a + 0.5 * random_matrix<Rows<double>>(n, d, 2);
  for (const auto& counts : divisions()) check_against_one_process(a, b, counts, 1e-12);
}

TEST_CASE("processes with any rows give the value and the gradients of one process: float") {
  const Index n = 24, d = 13;
  const Rows<float> a = random_matrix<Rows<float>>(n, d, 1);
  const Rows<float> b = a + 0.5F * random_matrix<Rows<float>>(n, d, 2);
  for (const auto& counts : {divisions()[4], divisions()[5]}) {
    check_against_one_process(a, b, counts, 2e-5);
  }
}

TEST_CASE("processes give the value and the gradients of one process of views as they are") {
  const Index n = 24, d = 13;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1);
  const Rows<double> b = a + 0.5 * random_matrix<Rows<double>>(n, d, 2);
  for (LossCase loss : loss_cases(d, 5)) {
    if (loss.family != Family::barlow_twins) continue;
    loss.barlow_twins.standardize = false;
    check_against_one_process(loss, a, b, {7, 0, 17}, 1e-12);
  }
}

TEST_CASE("a large mean costs no digits but its own") {
  const Index n = 24, d = 13;
  const Rows<double> shift = Rows<double>::Constant(n, d, 1e4);
  const Rows<double> a = shift + random_matrix<Rows<double>>(n, d, 1);
  const Rows<double> b = a + 0.5 * random_matrix<Rows<double>>(n, d, 2);
  for (LossCase loss : loss_cases(d, 5)) {
    if (loss.family == Family::regularizer) continue;
    CAPTURE(loss.name);
    Rows<double> grad_a(n, d), grad_b(n, d);
    const double value = loss(a, b, grad_a, grad_b);
    const auto outcome = run<double>(loss, a, b, {17, 1, 0, 3, 3});
    CHECK(std::abs(outcome.values[0] - value) <= 1e-10 * std::abs(value));
    check_same(outcome.grad_a, grad_a, 1e-10);
  }
}

TEST_CASE("a dominant feature costs processes no digits where moments know it: float") {
  const Index n = 24, d = 13;
  Rows<float> a = random_matrix<Rows<float>>(n, d, 1);
  Rows<float> b = a + 0.5F * random_matrix<Rows<float>>(n, d, 2);
  a.col(6) *= 1e6F;
  b.col(6) *= 1e6F;
  for (LossCase loss : loss_cases(d, 5)) {
    if (loss.family != Family::vicreg && loss.family != Family::variance_covariance) continue;
    loss.vicreg.invariance = loss.vicreg.variance = 0;
    // Each of both results is within docs/numerics.md's bound.
    check_against_one_process(loss, a, b, {7, 0, 17}, 4e-6);
  }
}

TEST_CASE("each process may be constant in itself, and numbers small or large") {
  const Index d = 7;
  for (const double size : {1.0, 1e-170, 1e160, 1e200}) {
    CAPTURE(size);
    Rows<double> a(6, d), b(6, d);
    for (Index k = 0; k < 6; ++k) {
      a.row(k) = size * random_matrix<Rows<double>>(1, d, static_cast<std::uint64_t>(k / 2));
      b.row(k) = size * random_matrix<Rows<double>>(1, d, static_cast<std::uint64_t>(9 + k / 2));
    }
    a.col(4).setZero();  // and one feature in all of them
    LossCase loss{"barlow", Family::barlow_twins, decorr::Relaxed{}};
    loss.barlow_twins.epsilon = 0;
    Rows<double> grad_a(6, d), grad_b(6, d);
    const double value = loss(a, b, grad_a, grad_b);
    const auto outcome = run<double>(loss, a, b, {2, 2, 2});
    CHECK(std::abs(outcome.values[0] - value) <= 1e-12 * value);
    check_same(outcome.grad_a, grad_a, 1e-11);
  }
}

TEST_CASE_TEMPLATE("a feature that is constant on all processes is constant", Scalar, float,
                   double) {
  const Index n = 63, d = 5;
  for (const Scalar number : {Scalar(1000), Scalar(3), Scalar(0.7), Scalar(-1e-3)}) {
    Rows<Scalar> a = random_matrix<Rows<Scalar>>(n, d, 1), b = random_matrix<Rows<Scalar>>(n, d, 2);
    a.array() += 1000;  // which lets rounded means count
    for (Rows<Scalar>* view : {&a, &b}) view->col(2).setConstant(number);
    LossCase barlow{"barlow", Family::barlow_twins, decorr::Relaxed{}};
    LossCase vicreg{"vicreg", Family::vicreg, decorr::Exact{}};
    barlow.barlow_twins.epsilon = vicreg.vicreg.epsilon = 0;
    for (const LossCase& loss : {barlow, vicreg}) {
      CAPTURE(loss.name);
      CAPTURE(number);
      for (const std::vector<Index>& counts :
           {std::vector<Index>{20, 43}, {1, 31, 31}, {21, 21, 21}, {5, 20, 19, 19}}) {
        check_against_one_process(loss, a, b, counts, 256 * std::numeric_limits<Scalar>::epsilon());
      }
    }
  }
}

TEST_CASE("a NaN in one process's rows reaches all values") {
  const Index n = 9, d = 6;
  Rows<double> a = random_matrix<Rows<double>>(n, d, 1), b = random_matrix<Rows<double>>(n, d, 2);
  a(8, 3) = std::numeric_limits<double>::quiet_NaN();
  for (const LossCase& loss : loss_cases(d, 5)) {
    CAPTURE(loss.name);
    const auto outcome = run<double>(loss, a, b, {4, 4, 1});
    for (const double value : outcome.values) CHECK(std::isnan(value));
    CHECK(outcome.grad_a.row(0).hasNaN());
  }
}

namespace {

bool is_collective(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const decorr::CollectiveError&) {
    return true;
  } catch (...) {
    return false;
  }
}

// Four processes with three rows each, the last of which does something else.
template <class Body>
std::vector<std::exception_ptr> with_another(const Body& body, Index width = 6) {
  ThreadGroup group(4);
  return group.run([&](int rank, Communicator& communicator) {
    const auto seed = static_cast<std::uint64_t>(rank);
    const Rows<double> a = random_matrix<Rows<double>>(3, width, seed),
                       b = random_matrix<Rows<double>>(3, width, seed + 10);
    decorr::Execution execution = quick();
    execution.communicator = &communicator;
    decorr::Relaxed relaxed;
    relaxed.signs_a.assign(static_cast<std::size_t>(width), 1);
    relaxed.signs_b = relaxed.signs_a;
    decorr::VicregOptions options;
    body(rank == 3, a, b, options, relaxed, execution);
  });
}

}  // namespace

TEST_CASE("settings that differ end the call on all processes, by name and number") {
  using Options = decorr::VicregOptions;
  const auto check = [&](const char* expected, const auto& change) {
    CAPTURE(expected);
    const auto failures =
        with_another([&](bool is_other, const auto& a, const auto& b, Options options,
                         decorr::Relaxed relaxed, const decorr::Execution& execution) {
          relaxed.permutation = {0, 1, 2, 3, 4, 5};
          if (is_other) change(options, relaxed);
          Rows<double> grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
          decorr::vicreg_loss(a, b, grad_a, grad_b, options, relaxed, execution);
        });
    for (std::size_t rank = 0; rank < 4; ++rank) {
      const std::string other = rank == 3 ? ", this one among them" : "";
      CHECK(message_of(failures[rank]) == std::string("vicreg_loss: ") + expected +
                                              " differs from the others' on 1 of 4 processes" +
                                              other);
      CHECK(is_collective(failures[rank]));
    }
  };
  check("signs_b", [](Options&, decorr::Relaxed& relaxed) { relaxed.signs_b[2] = -1; });
  check("permutation",
        [](Options&, decorr::Relaxed& relaxed) { relaxed.permutation = {1, 0, 2, 3, 4, 5}; });
  check("permutation", [](Options&, decorr::Relaxed& relaxed) {
    std::swap(relaxed.permutation[4], relaxed.permutation[5]);
  });
  check("block_size", [](Options&, decorr::Relaxed& relaxed) { relaxed.block_size = 3; });
  check("the regularizer", [](Options&, decorr::Relaxed& relaxed) { relaxed.exponent = 1; });
  check("epsilon", [](Options& options, decorr::Relaxed&) { options.epsilon = 1e-3; });
  check("a weight or gamma", [](Options& options, decorr::Relaxed&) { options.gamma = 2; });
  check("sum_variance or covariance_scaling",
        [](Options& options, decorr::Relaxed&) { options.sum_variance = true; });
  check("scale", [](Options& options, decorr::Relaxed&) { options.scale = 0.5; });
}

TEST_CASE("settings of Barlow Twins that differ") {
  using Options = decorr::BarlowTwinsOptions;
  const auto check = [&](const char* expected, const auto& change) {
    CAPTURE(expected);
    const auto failures =
        with_another([&](bool is_other, const auto& a, const auto& b, decorr::VicregOptions,
                         const decorr::Relaxed& relaxed, const decorr::Execution& execution) {
          Options options;
          if (is_other) change(options);
          decorr::barlow_twins_loss(a, b, options, relaxed, execution);
        });
    for (std::size_t rank = 0; rank < 4; ++rank) {
      CHECK(message_of(failures[rank])
                .find(std::string("barlow_twins_loss: ") + expected +
                      " differs from the others' on 1 of 4 processes") == 0);
    }
  };
  check("lambda", [](Options& options) { options.lambda = 0.01; });
  check("scale", [](Options& options) { options.scale = 0.5; });
  check("epsilon", [](Options& options) { options.epsilon = 1e-3; });
}

TEST_CASE("an epsilon that is not used may differ") {
  const auto failures =
      with_another([&](bool is_other, const auto& a, const auto& b, const auto&,
                       const decorr::Relaxed& relaxed, const decorr::Execution& execution) {
        decorr::BarlowTwinsOptions options;
        options.standardize = false;
        if (is_other) options.epsilon = 1;
        decorr::barlow_twins_loss(a, b, options, relaxed, execution);
      });
  for (const auto& failure : failures) CHECK_FALSE(failure);
}

TEST_CASE("other functions, widths, gradients and scalars are told apart") {
  const auto check = [&](const char* expected, const auto& other_call) {
    const auto failures =
        with_another([&](bool is_other, const auto& a, const auto& b, const auto&,
                         const decorr::Relaxed& relaxed, const decorr::Execution& execution) {
          Rows<double> grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
          if (is_other) return other_call(a, b, relaxed, execution);
          decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, relaxed, execution);
        });
    for (const auto& failure : failures) {
      CHECK(message_of(failure).find(expected) != std::string::npos);
      CHECK(is_collective(failure));
    }
  };
  check("the function",
        [](const auto& a, const auto& b, const auto& relaxed, const auto& execution) {
          decorr::vicreg_loss(a, b, {}, relaxed, execution);
        });
  check("the number of features", [](const auto&, const auto&, const auto&, const auto& execution) {
    const Rows<double> other = random_matrix<Rows<double>>(3, 9, 1);
    decorr::barlow_twins_loss(other, other, {}, decorr::Relaxed{}, execution);
  });
  check("gradients", [](const auto& a, const auto& b, const auto& relaxed, const auto& execution) {
    decorr::barlow_twins_loss(a, b, {}, relaxed, execution);
  });
  check("gradients", [](const auto& a, const auto& b, const auto& relaxed, const auto& execution) {
    Rows<double> grad_a(a.rows(), a.cols());
    decorr::barlow_twins_loss(a, b, grad_a, decorr::no_gradient, {}, relaxed, execution);
  });
  check("scalar", [](const auto& a, const auto& b, const auto& relaxed, const auto& execution) {
    const Rows<float> x = a.template cast<float>(), y = b.template cast<float>();
    Rows<float> grad_a(x.rows(), x.cols()), grad_b(x.rows(), x.cols());
    decorr::barlow_twins_loss(x, y, grad_a, grad_b, {}, relaxed, execution);
  });
}

TEST_CASE("batches in parts that are asked for other gradients are told apart") {
  using decorr::Gradients;
  for (const Gradients other : {Gradients::a, Gradients::b, Gradients::none}) {
    const auto failures =
        with_another([&](bool is_other, const auto& a, const auto& b, const auto&,
                         const decorr::Relaxed& relaxed, const decorr::Execution& execution) {
          decorr::BarlowTwinsBatch<double> batch(a.cols(), {}, relaxed, execution,
                                                 is_other ? other : Gradients::both);
          batch.add(a, b);
          batch.end_pass();
        });
    for (const auto& failure : failures) {
      CHECK(message_of(failure).find("which gradients are asked for") != std::string::npos);
    }
  }
}

TEST_CASE("one process's bad input ends the call on all of them") {
  const auto failures =
      with_another([&](bool is_other, const auto& a, const auto& b, const auto&,
                       decorr::Relaxed relaxed, const decorr::Execution& execution) {
        if (is_other) relaxed.signs_a[1] = 3;
        Rows<double> grad_a = Rows<double>::Constant(3, 6, 7), grad_b = grad_a;
        try {
          decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, relaxed, execution);
        } catch (...) {
          CHECK((grad_a.array() == 7).all());
          throw;
        }
      });
  CHECK(message_of(failures[3]) == "barlow_twins_loss: signs_a[1] is 3, expected +1 or -1");
  CHECK_FALSE(is_collective(failures[3]));
  for (std::size_t rank = 0; rank < 3; ++rank) {
    CHECK(message_of(failures[rank]) ==
          "barlow_twins_loss: failed on 1 of 4 processes, which say why");
    CHECK(is_collective(failures[rank]));
  }
}

// One that fails in a round, with two processes' sums.
class FailingCommunicator final : public Communicator {
 public:
  explicit FailingCommunicator(int round) : round_(round) {}
  void sum(double*, std::size_t) override { count(); }
  void sum(long double*, std::size_t) override { count(); }
  int rounds() const { return rounds_; }

 private:
  void count() {
    if (++rounds_ == round_) throw std::runtime_error("the network is down");
  }
  int round_, rounds_ = 0;
};

TEST_CASE("gradients are untouched whichever sum fails, but the slopes'") {
  const Index n = 40, d = 12;
  const Rows<float> a = random_matrix<Rows<float>>(n, d, 1),
                    b = random_matrix<Rows<float>>(n, d, 2);
  for (LossCase loss : loss_cases(d, 5)) {
    CAPTURE(loss.name);
    FailingCommunicator never(0);
    loss.execution.communicator = &never;
    Rows<float> grad_a(n, d), grad_b(n, d);
    loss(a, b, grad_a, grad_b);
    const int with_slopes = loss.family == Family::barlow_twins ? 1 : 0;
    for (int round = 1; round <= never.rounds() - with_slopes; ++round) {
      FailingCommunicator failing(round);
      loss.execution.communicator = &failing;
      grad_a.setConstant(7);
      grad_b.setConstant(7);
      CHECK_THROWS_WITH(loss(a, b, grad_a, grad_b), "the network is down");
      CHECK((grad_a.array() == 7).all());
      CHECK((grad_b.array() == 7).all());
    }
  }
}

// Sums that are none.
class WrongCommunicator final : public Communicator {
 public:
  explicit WrongCommunicator(double factor, int round) : factor_(factor), round_(round) {}
  void sum(double* numbers, std::size_t count) override {
    if (++rounds_ < round_) return;
    for (std::size_t i = 0; i < count; ++i) numbers[i] *= factor_;
  }
  void sum(long double*, std::size_t) override {}

 private:
  double factor_;
  int round_, rounds_ = 0;
};

TEST_CASE("sums that cannot be, as of processes in different calls, are told") {
  const Rows<double> a = random_matrix<Rows<double>>(7, 5, 1);
  for (const double factor : {0.5, std::numeric_limits<double>::quiet_NaN(), -1.0, 0.0, 1e30}) {
    for (const int round : {1, 2, 3}) {
      WrongCommunicator wrong(factor, round);
      decorr::Execution execution = quick();
      execution.communicator = &wrong;
      std::string message;
      try {
        decorr::vicreg_loss(a, a, {}, decorr::Relaxed{}, execution);
      } catch (const decorr::CollectiveError& e) {
        message = e.what();
      }
      CHECK(message.find("vicreg_loss: the processes do not sum the same") == 0);
    }
  }
}

TEST_CASE("a block of all features is one block, and an epsilon that is not used may differ") {
  ThreadGroup group(2);
  const auto failures = group.run([&](int rank, Communicator& communicator) {
    const Rows<double> z = random_matrix<Rows<double>>(7, 6, 1);
    decorr::Execution execution = quick();
    execution.communicator = &communicator;
    decorr::Relaxed relaxed;
    relaxed.block_size = rank == 0 ? 0 : 6;
    decorr::BarlowTwinsOptions options;
    options.standardize = false;
    options.epsilon = rank;
    decorr::barlow_twins_loss(z, z, options, relaxed, execution);
  });
  for (const auto& failure : failures) CHECK(message_of(failure).empty());
}

TEST_CASE("too few rows are those of all processes") {
  ThreadGroup group(3);
  const auto failures = group.run([](int rank, Communicator& communicator) {
    const Rows<double> z = Rows<double>::Zero(rank == 1 ? 1 : 0, 4);
    decorr::Execution execution = quick();
    execution.communicator = &communicator;
    decorr::vicreg_loss(z, z, {}, {}, execution);
  });
  for (const auto& failure : failures) {
    CHECK(message_of(failure).find("z_a has 1 row, expected at least 2") != std::string::npos);
  }
}

TEST_CASE("the sums are as few and as short as docs/distributed.md says") {
  struct Expected {
    LossCase loss;
    bool has_gradient;
    int rounds;
    Index numbers;  // beside a flag for each round but the first
  };
  const Index n = 10, d = 16, b = 4, g = d / b;
  decorr::Relaxed grouped;
  grouped.block_size = b;
  const Index header = 3 + 4 * 13, in_blocks = 2 * g * g * (b / 2 + 1);
  LossCase raw{"raw", Family::barlow_twins, decorr::Relaxed{}};
  raw.barlow_twins.standardize = false;
  LossCase raw_exact{"raw, exact", Family::barlow_twins, decorr::Exact{}};
  raw_exact.barlow_twins.standardize = false;
  const Family barlow = Family::barlow_twins, vicreg = Family::vicreg;
  const std::vector<Expected> expected{
      {{"r_sum", Family::regularizer, decorr::Relaxed{}}, true, 2, header + 2 * d},
      {{"barlow", barlow, decorr::Relaxed{}}, false, 4, header + 2 * d + 4 * d + 1 + 2 * d},
      {{"barlow", barlow, decorr::Relaxed{}}, true, 5, header + 6 * d + 1 + 2 * d + 2 * d},
      {raw, true, 2, header + 2 * d + d},
      {raw_exact, true, 2, header + d * d + d},
      {{"vicreg", vicreg, decorr::Relaxed{}}, true, 4, header + 6 * d + 1 + 2 * d},
      {{"vcreg", Family::variance_covariance, decorr::Relaxed{}}, true, 4, header + 2 * d + 1 + d},
      {{"barlow, blocks", barlow, grouped}, true, 5, header + 6 * d + 1 + in_blocks + 2 * d},
      {{"vicreg, blocks", vicreg, grouped}, true, 4, header + 6 * d + 1 + 2 * in_blocks},
      {{"barlow, exact", barlow, decorr::Exact{}}, true, 5, header + 6 * d + 1 + d * d + 2 * d},
  };
  for (const Expected& e : expected) {
    CAPTURE(e.loss.name);
    ThreadGroup group(2);
    const auto failures = group.run([&](int rank, Communicator& communicator) {
      LossCase own = e.loss;
      own.execution.communicator = &communicator;
      const auto seed = static_cast<std::uint64_t>(rank);
      const Rows<float> z_a = random_matrix<Rows<float>>(n, d, seed),
                        z_b = random_matrix<Rows<float>>(n, d, seed + 5);
      Rows<float> grad_a(n, d), grad_b(n, d);
      if (e.has_gradient) {
        own(z_a, z_b, grad_a, grad_b);
      } else {
        own(z_a, z_b);
      }
    });
    CHECK(message_of(failures[0]).empty());
    CHECK(group.rounds() == e.rounds);
    CHECK(group.bytes() == sizeof(double) * static_cast<std::size_t>(e.numbers + e.rounds - 1));
  }
}

TEST_CASE("sumvec is that of all processes, and one view's gradient needs no other") {
  const Index n = 11, d = 10;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  const Eigen::VectorXd lags = decorr::sumvec(a, b);
  Rows<double> expected(n, d), grad(n, d);
  decorr::barlow_twins_loss(a, b, decorr::no_gradient, expected, {}, decorr::Relaxed{});
  const auto parts = parts_of({4, 7});
  ThreadGroup group(2);
  const auto failures = group.run([&](int rank, Communicator& communicator) {
    decorr::Execution execution = quick();
    execution.communicator = &communicator;
    const auto [first, count] = parts[static_cast<std::size_t>(rank)];
    const auto own_a = a.middleRows(first, count), own_b = b.middleRows(first, count);
    CHECK((decorr::sumvec(own_a, own_b, execution) - lags).norm() < 1e-12);
    Rows<double> own(count, d);
    decorr::barlow_twins_loss(own_a, own_b, decorr::no_gradient, own, {}, decorr::Relaxed{},
                              execution);
    grad.middleRows(first, count) = own;
  });
  CHECK(message_of(failures[0]).empty());
  check_same(grad, expected, 1e-12);
}

TEST_CASE("sumvec of many features takes memory for them, not for their pairs") {
  const Index d = 1 << 20;  // d^2 doubles are 8 TiB
  const Rows<float> a = random_matrix<Rows<float>>(2, d, 1);
  const Eigen::VectorXf lags = decorr::sumvec(a, a, quick());
  ThreadGroup group(1);
  const auto failures = group.run([&](int, Communicator& communicator) {
    decorr::Execution execution = quick();
    execution.communicator = &communicator;
    CHECK((decorr::sumvec(a, a, execution) - lags).norm() <= 1e-5f * lags.norm());
  });
  CHECK(message_of(failures[0]).empty());
}

}  // namespace test_processes
