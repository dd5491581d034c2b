// Batches whose rows arrive in parts, against the one-matrix call.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <decorr/batches.hpp>
#include <decorr/decorr.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"
#include "support/thread_communicator.hpp"

namespace test_batches {

namespace {

using namespace decorr_tests;
using decorr::Gradients;
template <class Scalar>
using Rows = RowMajor<Scalar>;

struct Part {
  Index first, count;
};
// In an order that differs from pass to pass.
std::vector<Part> shuffled_parts(const std::vector<Index>& counts, std::uint64_t seed) {
  std::vector<Part> parts;
  Index first = 0;
  for (const Index count : counts) {
    parts.push_back({first, count});
    first += count;
  }
  std::mt19937_64 generator(seed);
  std::shuffle(parts.begin(), parts.end(), generator);
  return parts;
}

// All passes, and the gradients; returns the number of passes.
template <class Batch, class Add>
int run_passes(Batch& batch, const std::vector<Index>& counts, const Add& add) {
  int passes = 0;
  while (batch.has_pass()) {
    for (const Part& part : shuffled_parts(counts, static_cast<std::uint64_t>(++passes))) {
      add(part.first, part.count);
    }
    batch.end_pass();
  }
  return passes;
}

template <class Scalar>
struct Outcome {
  double value = 0;
  Rows<Scalar> grad_a, grad_b;
  int passes = 0;
};

template <class Scalar, class Batch, class Value>
Outcome<Scalar> of_two_views(Batch& batch, const Rows<Scalar>& a, const Rows<Scalar>& b,
                             const std::vector<Index>& counts, const Value& value) {
  Outcome<Scalar> outcome{0, Rows<Scalar>(a.rows(), a.cols()), Rows<Scalar>(a.rows(), a.cols()), 0};
  outcome.passes = run_passes(batch, counts, [&](Index first, Index count) {
    batch.add(a.middleRows(first, count), b.middleRows(first, count));
  });
  CHECK(batch.count() == a.rows());
  outcome.value = static_cast<double>(value());
  CHECK(static_cast<double>(value()) == outcome.value);
  for (const Part& part : shuffled_parts(counts, 99)) {
    batch.gradient(a.middleRows(part.first, part.count), b.middleRows(part.first, part.count),
                   outcome.grad_a.middleRows(part.first, part.count),
                   outcome.grad_b.middleRows(part.first, part.count));
  }
  return outcome;
}

template <class Scalar>
Outcome<Scalar> in_parts(const LossCase& loss, const Rows<Scalar>& a, const Rows<Scalar>& b,
                         const std::vector<Index>& counts) {
  const Index d = a.cols();
  const decorr::Regularizer regularizer = argument(loss.regularizer);
  switch (loss.family) {
    case Family::barlow_twins: {
      decorr::BarlowTwinsBatch<Scalar> batch(d, loss.barlow_twins, regularizer, loss.execution);
      return of_two_views(batch, a, b, counts, [&] { return batch.loss().value; });
    }
    case Family::vicreg: {
      decorr::VicregBatch<Scalar> batch(d, loss.vicreg, regularizer, loss.execution);
      return of_two_views(batch, a, b, counts, [&] { return batch.loss().value; });
    }
    case Family::regularizer: {
      decorr::RegularizerBatch<Scalar> batch(d, regularizer, loss.execution);
      return of_two_views(batch, a, b, counts, [&] { return batch.value(); });
    }
    case Family::variance_covariance:
      break;
  }
  decorr::VarianceCovarianceBatch<Scalar> batch(d, loss.vicreg, regularizer, loss.execution);
  Outcome<Scalar> outcome{0, Rows<Scalar>(a.rows(), d), Rows<Scalar>(), 0};
  outcome.passes = run_passes(
      batch, counts, [&](Index first, Index count) { batch.add(a.middleRows(first, count)); });
  outcome.value = static_cast<double>(batch.loss().value);
  for (const Part& part : shuffled_parts(counts, 99)) {
    batch.gradient(a.middleRows(part.first, part.count),
                   outcome.grad_a.middleRows(part.first, part.count));
  }
  return outcome;
}

template <class Scalar>
void check_same(const Rows<Scalar>& x, const Rows<Scalar>& y, double tolerance) {
  CHECK(static_cast<double>((x - y).cwiseAbs().maxCoeff()) <=
        tolerance * static_cast<double>(y.cwiseAbs().maxCoeff()));
}

template <class Scalar>
void check_all(Index d, const std::vector<Index>& counts, double tolerance, int threads = 1) {
  Index n = 0;
  for (const Index count : counts) n += count;
  const Rows<Scalar> noise = random_matrix<Rows<Scalar>>(n, d, 2);
  const Rows<Scalar> a = random_matrix<Rows<Scalar>>(n, d, 1).array() + Scalar(3),
                     b = a + noise / 2;
  std::vector<LossCase> cases = loss_cases(d, std::min<Index>(d, 5));
  for (std::size_t i = cases.size(); i > 0; --i) {
    if (cases[i - 1].family != Family::barlow_twins) continue;
    LossCase raw = cases[i - 1];
    raw.name += ", not standardized";
    raw.barlow_twins.standardize = false;
    cases.push_back(raw);
  }
  for (LossCase& loss : cases) {
    CAPTURE(loss.name);
    CAPTURE(d);
    CAPTURE(n);
    loss.execution.threads = threads;
    Rows<Scalar> grad_a(n, d), grad_b(n, d);
    const double value = static_cast<double>(loss(a, b, grad_a, grad_b));
    const auto outcome = in_parts<Scalar>(loss, a, b, counts);
    CHECK(std::abs(outcome.value - value) <= tolerance * std::abs(value));
    check_same(outcome.grad_a, grad_a, tolerance);
    if (!loss.is_single_view()) check_same(outcome.grad_b, grad_b, tolerance);
    const bool has_statistics =
        loss.family != Family::regularizer &&
        (loss.family != Family::barlow_twins || loss.barlow_twins.standardize);
    CHECK(outcome.passes == (!has_statistics ? 1 : loss.family == Family::barlow_twins ? 3 : 2));
  }
}

template <class Body>
std::string misuse_of(const Body& body) {
  try {
    body();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("parts of any size in any order give what one matrix gives") {
  check_all<double>(13, {24}, 1e-13);
  check_all<double>(13, {1, 0, 7, 16, 1}, 1e-13);
  check_all<double>(13, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1e-13);
  check_all<double>(5, {1, 260, 70}, 1e-13);  // beyond the rows that are taken at a time
  check_all<double>(12, {65, 3}, 1e-13, 3);
  check_all<float>(13, {1, 0, 7, 130, 1}, 1e-4);
}

TEST_CASE("parts give the same for any number of threads, bit for bit") {
  const Index d = 13;
  const std::vector<Index> counts{300, 1, 299, 70};
  const Rows<float> a = random_matrix<Rows<float>>(670, d, 1),
                    b = a + random_matrix<Rows<float>>(670, d, 2);
  for (LossCase loss : loss_cases(d, 5)) {
    CAPTURE(loss.name);
    const auto one = in_parts<float>(loss, a, b, counts);
    for (const int threads : {2, 7, 40}) {
      loss.execution.threads = threads;
      const auto several = in_parts<float>(loss, a, b, counts);
      CHECK(several.value == one.value);
      CHECK(several.grad_a == one.grad_a);
      CHECK(several.grad_b == one.grad_b);
    }
  }
}

TEST_CASE("a batch whose end_pass() has failed is of no use any more") {
  const Rows<double> a = random_matrix<Rows<double>>(6, 4, 1);
  decorr::VicregBatch<double> batch(4);
  batch.add(a, a);
  batch.end_pass();
  batch.add(a.topRows(5), a.topRows(5));
  CHECK(misuse_of([&] { batch.end_pass(); }).find("not those of the first pass") !=
        std::string::npos);
  CHECK_FALSE(batch.has_pass());
  Rows<double> grad(6, 4);
  for (const std::string& message :
       {misuse_of([&] { batch.add(a, a); }), misuse_of([&] { batch.end_pass(); }),
        misuse_of([&] { batch.loss(); }), misuse_of([&] { batch.gradient(a, a, grad, grad); })}) {
    CHECK(message.find("an end_pass() has failed, and the batch with it") != std::string::npos);
  }
}

TEST_CASE("sumvec in parts") {
  for (const Index d : {Index{1}, Index{6}, Index{31}}) {
    const Rows<double> a = random_matrix<Rows<double>>(70, d, 1),
                       b = random_matrix<Rows<double>>(70, d, 2);
    const Eigen::VectorXd expected = decorr::sumvec(a, b, quick());
    decorr::SumvecBatch<double> batch(d, quick());
    CHECK(run_passes(batch, {3, 0, 66, 1}, [&](Index first, Index count) {
            batch.add(a.middleRows(first, count), b.middleRows(first, count));
          }) == 1);
    CHECK(batch.count() == 70);
    CHECK((batch.lags() - expected).cwiseAbs().maxCoeff() <=
          1e-13 * expected.cwiseAbs().maxCoeff());
  }
}

TEST_CASE("other storage, expressions and 16 bits, as parts") {
  const Index n = 9, d = 6;
  const Eigen::MatrixXf a = random_matrix<Eigen::MatrixXf>(n, d, 1),
                        b = random_matrix<Eigen::MatrixXf>(n, d, 2);
  Eigen::MatrixXf grad_a(n, d), grad_b(n, d), all_a(n, d), all_b(n, d);
  const decorr::Relaxed relaxed;
  const auto expected = decorr::barlow_twins_loss(a + b, b, all_a, all_b, {}, relaxed, quick());
  decorr::BarlowTwinsBatch<float> batch(d, {}, relaxed, quick());
  const auto add = [&] {
    batch.add((a + b).topRows(4), b.topRows(4));
    batch.add(Eigen::ArrayXXf((a + b).bottomRows(5)), b.bottomRows(5));
  };
  while (batch.has_pass()) {
    add();
    batch.end_pass();
  }
  CHECK(std::abs(batch.loss().value - expected.value) < 1e-5F * expected.value);
  batch.gradient((a + b).topRows(4), b.topRows(4), grad_a.topRows(4), grad_b.topRows(4));
  batch.gradient((a + b).bottomRows(5), b.bottomRows(5), grad_a.bottomRows(5),
                 grad_b.bottomRows(5));
  CHECK((grad_a - all_a).norm() < 1e-5F * all_a.norm());
  CHECK((grad_b - all_b).norm() < 1e-5F * all_b.norm());
  // What is computed elsewhere and then written: 16 bits, and rows by a list.
  Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic> half_a(4, d);
  const std::vector<Index> rows{3, 0, 2, 1};
  const auto columns = Eigen::seqN(0, d);
  batch.gradient((a + b).topRows(4), b.topRows(4), half_a, grad_b(rows, columns));
  CHECK((half_a.cast<float>() - all_a.topRows(4)).norm() < 1e-3F * all_a.norm());
  CHECK((grad_b(rows, columns) - all_b.topRows(4)).norm() < 1e-5F * all_b.norm());
}

TEST_CASE("a value alone takes fewer passes, one gradient is as good as two") {
  const Index n = 9, d = 6;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  const decorr::Relaxed relaxed;
  decorr::BarlowTwinsBatch<double> value(d, {}, relaxed, quick(), Gradients::none);
  CHECK(run_passes(value, {n}, [&](Index, Index) { value.add(a, b); }) == 2);
  const double expected = decorr::barlow_twins_loss(a, b, {}, relaxed, quick()).value;
  CHECK(std::abs(value.loss().value - expected) < 1e-13 * expected);

  Rows<double> all(n, d), own(n, d);
  decorr::barlow_twins_loss(a, b, decorr::no_gradient, all, {}, relaxed, quick());
  decorr::BarlowTwinsBatch<double> batch(d, {}, relaxed, quick(), Gradients::b);
  CHECK(run_passes(batch, {n}, [&](Index, Index) { batch.add(a, b); }) == 3);
  batch.gradient(a, b, decorr::no_gradient, own);
  check_same(own, all, 1e-13);
}

TEST_CASE("without any gradient asked for there is none to compute") {
  const Index n = 9, d = 6;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  const decorr::Relaxed relaxed;
  const auto check = [&](auto&& batch) {
    run_passes(batch, {n}, [&](Index, Index) { batch.add(a, b); });
    batch.gradient(a, b, decorr::no_gradient, decorr::no_gradient);
    Rows<double> grad(n, d);
    CHECK(misuse_of([&] {
            batch.gradient(a, b, grad, decorr::no_gradient);
          }).find("not those that the constructor was asked for") != std::string::npos);
  };
  for (const bool standardize : {true, false}) {
    decorr::BarlowTwinsOptions options;
    options.standardize = standardize;
    check(decorr::BarlowTwinsBatch<double>(d, options, relaxed, quick(), Gradients::none));
    check(decorr::BarlowTwinsBatch<double>(d, options, {}, quick(), Gradients::none));
  }
  check(decorr::VicregBatch<double>(d, {}, relaxed, quick(), Gradients::none));
  check(decorr::RegularizerBatch<double>(d, relaxed, quick(), Gradients::none));
  decorr::VarianceCovarianceBatch<double> single(d, {}, relaxed, quick(), Gradients::none);
  run_passes(single, {n}, [&](Index, Index) { single.add(a); });
  single.gradient(a, decorr::no_gradient);
}

TEST_CASE("features out of the squares' range are read once more") {
  const Index n = 9, d = 4;
  Rows<double> a = random_matrix<Rows<double>>(n, d, 1), b = random_matrix<Rows<double>>(n, d, 2);
  a.col(1) *= 1e-170;
  b.col(2) *= 1e160;
  decorr::BarlowTwinsOptions options;
  options.epsilon = 0;
  const decorr::Relaxed relaxed;
  Rows<double> all_a(n, d), all_b(n, d), grad_a(n, d), grad_b(n, d);
  const double expected =
      decorr::barlow_twins_loss(a, b, all_a, all_b, options, relaxed, quick()).value;
  decorr::BarlowTwinsBatch<double> batch(d, options, relaxed, quick());
  CHECK(run_passes(batch, {4, 5}, [&](Index first, Index count) {
          batch.add(a.middleRows(first, count), b.middleRows(first, count));
        }) == 4);
  CHECK(std::abs(batch.loss().value - expected) < 1e-13 * expected);
  batch.gradient(a, b, grad_a, grad_b);
  for (Index j = 0; j < d; ++j) check_same<double>(grad_a.col(j), all_a.col(j), 1e-11);
}

TEST_CASE("calls out of turn and other rows are told") {
  const Index n = 6, d = 4;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  Rows<double> grad_a(n, d), grad_b(n, d);
  using Batch = decorr::BarlowTwinsBatch<double>;
  Batch batch(d, {}, decorr::Relaxed(), quick());
  CHECK(misuse_of([&] { batch.loss(); }) ==
        "BarlowTwinsBatch::loss: the passes that it needs have not ended; call add() and "
        "end_pass() while has_pass()");
  CHECK(misuse_of([&] { batch.gradient(a, b, grad_a, grad_b); }) ==
        "BarlowTwinsBatch::gradient: passes have not ended; call add() and end_pass() while "
        "has_pass()");
  CHECK(misuse_of([&] { batch.add(a.leftCols(3), b.leftCols(3)); }) ==
        "BarlowTwinsBatch: z_a has 3 columns, expected 4, the batch's features");
  CHECK(misuse_of([&] { batch.add(a, b.topRows(2)); }) ==
        "BarlowTwinsBatch: z_b has 2 rows, z_a has 6");
  batch.add(a, b);
  batch.end_pass();
  batch.add(a.topRows(5), b.topRows(5));
  CHECK(misuse_of([&] { batch.end_pass(); }) ==
        "BarlowTwinsBatch::end_pass: the rows are not those of the first pass, which has 6, this "
        "one 5");
  Batch other(d, {}, decorr::Relaxed(), quick());
  other.add(a, b);
  other.end_pass();
  other.add(b, a);
  CHECK(misuse_of([&] { other.end_pass(); }).find("not those of the first pass") !=
        std::string::npos);
  // Of either view alone.
  for (const bool is_first : {true, false}) {
    Batch another(d, {}, decorr::Relaxed(), quick());
    another.add(a, b);
    another.end_pass();
    another.add(is_first ? b : a, is_first ? b : a);
    CHECK(misuse_of([&] { another.end_pass(); }).find("not those of the first pass") !=
          std::string::npos);
  }
  Batch whole(d, {}, decorr::Relaxed(), quick(), Gradients::a);
  run_passes(whole, {n}, [&](Index, Index) { whole.add(a, b); });
  CHECK(misuse_of([&] { whole.gradient(a, b, grad_a, grad_b); }) ==
        "BarlowTwinsBatch::gradient: the gradients are not those that the constructor was asked "
        "for");
  CHECK(misuse_of([&] { whole.gradient(a, b, grad_a.topRows(3), decorr::no_gradient); }) ==
        "BarlowTwinsBatch: grad_a has 3 rows, z_a has 6");
  CHECK(misuse_of([&] { whole.add(a, b); }) == "BarlowTwinsBatch::add: all passes have ended");
  CHECK(misuse_of([&] { whole.end_pass(); }) ==
        "BarlowTwinsBatch::end_pass: all passes have ended");
  Batch empty(d, {}, decorr::Relaxed(), quick());
  CHECK(misuse_of([&] { empty.end_pass(); }).find("z_a is 0 x 4") != std::string::npos);
  decorr::BarlowTwinsOptions bad;
  bad.epsilon = -1;
  CHECK(misuse_of([&] { Batch(d, bad); }) ==
        "BarlowTwinsBatch: epsilon is -1, expected at least 0");
  CHECK(misuse_of([&] { Batch(0); }) == "BarlowTwinsBatch: features is 0, expected at least 1");
  Batch moved(d, {}, decorr::Relaxed(), quick());
  const Batch elsewhere = std::move(moved);
  CHECK(elsewhere.has_pass());
  // NOLINTBEGIN(bugprone-use-after-move): that is what is asked for.
  CHECK_FALSE(moved.has_pass());
  CHECK(misuse_of([&] { moved.add(a, b); }) ==
        "BarlowTwinsBatch::add: the batch has been moved away");
  // NOLINTEND(bugprone-use-after-move)
  for (const auto gradients : {decorr::Gradients::b, decorr::Gradients::both}) {
    CHECK(misuse_of([&] { decorr::VarianceCovarianceBatch<double>(d, {}, {}, {}, gradients); }) ==
          "VarianceCovarianceBatch: gradients are of b, and there is one view, a");
  }
}

TEST_CASE("parts on several processes are one batch, and a process that fails ends all") {
  const Index n = 20, d = 7;
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  const decorr::Relaxed relaxed;
  Rows<double> all_a(n, d), all_b(n, d), grad_a(n, d), grad_b(n, d);
  const double expected = decorr::barlow_twins_loss(a, b, all_a, all_b, {}, relaxed, quick()).value;
  for (const bool fails : {false, true}) {
    ThreadGroup group(3);
    const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
      decorr::Execution execution = quick();
      execution.communicator = &communicator;
      // Ranks have 9, 0 and 11 rows.
      const Index first = rank == 0 ? 0 : 9, count = rank == 0 ? 9 : rank == 1 ? 0 : 11;
      decorr::BarlowTwinsBatch<double> batch(d, {}, relaxed, execution);
      int passes = 0;
      while (batch.has_pass()) {
        ++passes;
        for (Index k = first; k < first + count; k += 2) {
          const Index rows = std::min<Index>(2, first + count - k);
          batch.add(a.middleRows(k, rows), b.middleRows(k, rows));
        }
        if (fails && rank == 2 && passes == 2) batch.add(a, b.topRows(1));
        batch.end_pass();
      }
      CHECK(batch.count() == n);
      CHECK(std::abs(batch.loss().value - expected) < 1e-13 * expected);
      batch.gradient(a.middleRows(first, count), b.middleRows(first, count),
                     grad_a.middleRows(first, count), grad_b.middleRows(first, count));
    });
    for (const auto& failure : failures) CHECK(static_cast<bool>(failure) == fails);
    if (!fails) {
      check_same(grad_a, all_a, 1e-13);
      check_same(grad_b, all_b, 1e-13);
    }
  }
}

}  // namespace test_batches
