// Examples of batches.hpp, communicator.hpp and errors.hpp, which the headers' comments show. What
// follows an example compares it with the definition on the whole batch.

#include <doctest/doctest.h>

#include <cstddef>
#include <decorr/decorr.hpp>
#include <string>

#include "expected.hpp"

using doctest::Approx;

TEST_CASE("reference: BarlowTwinsBatch") {
  //! [BarlowTwinsBatch]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4), grad_b(8, 4);
  decorr::BarlowTwinsBatch<double> batch(4);
  while (batch.has_pass()) {
    for (const int row : {0, 4}) batch.add(z_a.middleRows(row, 4), z_b.middleRows(row, 4));
    batch.end_pass();
  }
  for (const int row : {0, 4}) {
    batch.gradient(z_a.middleRows(row, 4), z_b.middleRows(row, 4), grad_a.middleRows(row, 4),
                   grad_b.middleRows(row, 4));
  }
  const auto loss = batch.loss();
  //! [BarlowTwinsBatch]
  CHECK(batch.count() == 8);
  CHECK(loss.value == Approx(expected::barlow_twins(z_a, z_b, 0.0051)));
  const auto of_a = [&](const auto& z) { return expected::barlow_twins(z, z_b, 0.0051); };
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, z_a)).epsilon(1e-6));
}

TEST_CASE("reference: VicregBatch") {
  //! [VicregBatch]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4);  // b is a teacher's view
  decorr::VicregBatch<double> batch(4, {}, {}, {}, decorr::Gradients::a);
  while (batch.has_pass()) {
    for (const int row : {0, 4}) batch.add(z_a.middleRows(row, 4), z_b.middleRows(row, 4));
    batch.end_pass();
  }
  for (const int row : {0, 4}) {
    batch.gradient(z_a.middleRows(row, 4), z_b.middleRows(row, 4), grad_a.middleRows(row, 4),
                   decorr::no_gradient);
  }
  const auto loss = batch.loss();
  //! [VicregBatch]
  CHECK(loss.value == Approx(expected::vicreg(z_a, z_b)));
  const auto of_a = [&](const auto& z) { return expected::vicreg(z, z_b); };
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, z_a)).epsilon(1e-6));
}

TEST_CASE("reference: VarianceCovarianceBatch") {
  //! [VarianceCovarianceBatch]
  const Eigen::MatrixXd z = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad(8, 4);
  decorr::VarianceCovarianceBatch<double> batch(4);
  while (batch.has_pass()) {
    batch.add(z.topRows(5));
    batch.add(z.bottomRows(3));
    batch.end_pass();
  }
  batch.gradient(z.topRows(5), grad.topRows(5));
  batch.gradient(z.bottomRows(3), grad.bottomRows(3));
  const auto loss = batch.loss();
  //! [VarianceCovarianceBatch]
  const auto definition = [](const auto& x) {
    return expected::variance_term(x) + expected::covariance_term(x);
  };
  CHECK(loss.value == Approx(definition(z)));
  CHECK(grad(0, 0) == Approx(expected::first_slope(definition, z)).epsilon(1e-6));
}

TEST_CASE("reference: RegularizerBatch") {
  //! [RegularizerBatch]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 4), b = Eigen::MatrixXd::Random(8, 4);
  decorr::RegularizerBatch<double> batch(4, decorr::Exact(), {}, decorr::Gradients::none);
  while (batch.has_pass()) {
    batch.add(a.topRows(5), b.topRows(5));
    batch.add(a.bottomRows(3), b.bottomRows(3));
    batch.end_pass();
  }
  const double value = batch.value();
  //! [RegularizerBatch]
  CHECK(value == Approx(expected::sum_off_diagonal(expected::correlation(a, b))));
}

TEST_CASE("reference: SumvecBatch") {
  //! [SumvecBatch]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 4), b = Eigen::MatrixXd::Random(8, 4);
  decorr::SumvecBatch<double> batch(4);
  while (batch.has_pass()) {
    batch.add(a.topRows(5), b.topRows(5));
    batch.add(a.bottomRows(3), b.bottomRows(3));
    batch.end_pass();
  }
  const Eigen::VectorXd lags = batch.lags();
  //! [SumvecBatch]
  CHECK(lags.isApprox(expected::sums_of_wrapped_diagonals(expected::correlation(a, b))));
}

//! [Communicator]
// As if another process had the same rows: every sum over both is twice this one's numbers.
class TwoAlike : public decorr::Communicator {
 public:
  void sum(double* numbers, std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) numbers[i] *= 2;
  }
  void sum(long double* numbers, std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) numbers[i] *= 2;
  }
};
//! [Communicator]

TEST_CASE("reference: Communicator") {
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  TwoAlike communicator;
  decorr::Execution execution;
  execution.communicator = &communicator;
  const auto loss = decorr::vicreg_loss(z_a, z_b, {}, {}, execution);
  CHECK(loss.value ==
        Approx(expected::vicreg(z_a.replicate<2, 1>().eval(), z_b.replicate<2, 1>().eval())));
}

TEST_CASE("reference: InvalidArgument") {
  //! [InvalidArgument]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(7, 4);
  std::string argument, text;
  try {
    decorr::vicreg_loss(z_a, z_b);
  } catch (const decorr::InvalidArgument& error) {
    argument = error.argument();  // "z_b"
    text = error.what();          // "vicreg_loss: z_b has 7 rows, z_a has 8"
  }
  //! [InvalidArgument]
  CHECK(argument == "z_b");
  CHECK(text == "vicreg_loss: z_b has 7 rows, z_a has 8");
}

namespace {

// Sums nothing.
class Broken : public decorr::Communicator {
 public:
  void sum(double* numbers, std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) numbers[i] = 0;
  }
  void sum(long double*, std::size_t) override {}
};

}  // namespace

TEST_CASE("reference: CollectiveError") {
  Broken communicator;
  bool is_told = false;
  //! [CollectiveError]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  decorr::Execution execution;
  execution.communicator = &communicator;
  try {
    decorr::vicreg_loss(z_a, z_b, {}, {}, execution);
  } catch (const decorr::CollectiveError&) {
    is_told = true;  // the fault is another process's, or the communicator's
  }
  //! [CollectiveError]
  CHECK(is_told);
}
