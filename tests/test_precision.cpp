// Float against double on the same float inputs: 1e-5, the largest difference over the largest
// entry.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <decorr/decorr.hpp>
#include <limits>
#include <string>
#include <utility>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_precision {

namespace {

using decorr_tests::Family;
using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using decorr_tests::relative_error;
using Eigen::Index;
template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Errors {
  double value, gradient;
};

Errors float_errors(const LossCase& loss_case, const RowMajor<float>& a, const RowMajor<float>& b) {
  RowMajor<float> grad_a = RowMajor<float>::Zero(a.rows(), a.cols()), grad_b = grad_a;
  RowMajor<double> exact_grad_a = RowMajor<double>::Zero(a.rows(), a.cols()),
                   exact_grad_b = exact_grad_a;
  const float value = loss_case(a, b, grad_a, grad_b);
  const double exact_value =
      loss_case(RowMajor<double>(a.cast<double>()), RowMajor<double>(b.cast<double>()),
                exact_grad_a, exact_grad_b);
  return {relative_error(static_cast<long double>(value), static_cast<long double>(exact_value)),
          std::max(relative_error(grad_a, exact_grad_a), relative_error(grad_b, exact_grad_b))};
}

// Unit variance, independent features, views correlated by `correlation`.
std::pair<RowMajor<float>, RowMajor<float>> correlated_views(Index rows, Index cols,
                                                             double correlation) {
  const auto common = random_matrix<RowMajor<double>>(rows, cols, 1);
  const auto noise = random_matrix<RowMajor<double>>(rows, cols, 2);
  const RowMajor<double> b =
      correlation * common + std::sqrt(1 - correlation * correlation) * noise;
  return {common.cast<float>(), b.cast<float>()};
}

// DECORR_PRINT_ERRORS=1 prints what was measured.
void report(const LossCase& loss_case, Index rows, Index cols, const std::string& data,
            const Errors& errors) {
  static const bool print = std::getenv("DECORR_PRINT_ERRORS") != nullptr;
  if (print) {
    std::printf("%-75s n=%-6lld d=%-4lld %-18s value %.1e gradient %.1e\n", loss_case.name.c_str(),
                static_cast<long long>(rows), static_cast<long long>(cols), data.c_str(),
                errors.value, errors.gradient);
  }
}

void check_precision(const LossCase& loss_case, const RowMajor<float>& a, const RowMajor<float>& b,
                     const std::string& data) {
  CAPTURE(loss_case.name);
  CAPTURE(data);
  CAPTURE(a.rows());
  CAPTURE(a.cols());
  const Errors errors = float_errors(loss_case, a, b);
  report(loss_case, a.rows(), a.cols(), data, errors);
  CHECK(errors.value < 1e-5);
  CHECK(errors.gradient < 1e-5);
}

}  // namespace

TEST_CASE("float is within 1e-5 of double") {
  struct Shape {
    Index rows, cols, block_size;
  };
  for (const Shape& shape :
       {Shape{64, 256, 32}, Shape{256, 256, 48}, Shape{1024, 64, 8}, Shape{4096, 31, 7}}) {
    for (const double correlation : {0.0, 0.5, 0.95}) {
      const auto [a, b] = correlated_views(shape.rows, shape.cols, correlation);
      for (LossCase loss_case : loss_cases(shape.cols, shape.block_size)) {
        check_precision(loss_case, a, b, "correlation " + std::to_string(correlation));
        if (loss_case.family == Family::vicreg) {
          loss_case.name += ", block mean";
          loss_case.vicreg.covariance_scaling = decorr::CovarianceScaling::block_mean;
          check_precision(loss_case, a, b, "correlation " + std::to_string(correlation));
        }
      }
    }
  }
}

TEST_CASE("float is within 1e-5 of double where there are more blocks than samples") {
  const Index rows = 64, cols = 1024;
  for (const Index block_size : {1, 3, 8}) {
    for (const double correlation : {0.0, 0.5, 0.95}) {
      const auto [a, b] = correlated_views(rows, cols, correlation);
      for (LossCase loss_case : loss_cases(cols, block_size)) {
        const decorr::Relaxed* relaxed = loss_case.relaxed();
        // Among so many sums of lags, some are zero up to rounding: q = 1 has kinks there.
        if (relaxed == nullptr || relaxed->block_size == 0 || relaxed->exponent == 1) continue;
        for (const auto scaling :
             {decorr::CovarianceScaling::per_dimension, decorr::CovarianceScaling::block_mean}) {
          loss_case.vicreg.covariance_scaling = scaling;
          check_precision(loss_case, a, b, "correlation " + std::to_string(correlation));
        }
      }
    }
  }
}

TEST_CASE("float is within 1e-5 of double for large batches") {
  const Index rows = 65536, cols = 32;
  for (const double correlation : {0.0, 0.5, 0.95}) {
    const auto [a, b] = correlated_views(rows, cols, correlation);
    for (const LossCase& loss_case : loss_cases(cols, 8)) {
      if (loss_case.relaxed() != nullptr && !loss_case.relaxed()->signs_a.empty()) continue;
      check_precision(loss_case, a, b, "correlation " + std::to_string(correlation));
    }
  }
}

TEST_CASE("float is within 1e-5 of double where lag 0 is thousands of times the other lags") {
  // sumvec is about d times the correlation at lag 0, which does not count, and sqrt(d / n) at the
  // others, which are all that counts.
  for (const Index cols : {256, 251}) {  // the latter goes through a longer transform
    const auto [a, b] = correlated_views(65536, cols, 0.95);
    const decorr::Relaxed relaxed;
    check_precision({"r_sum", Family::regularizer, relaxed}, a, b, "correlation 0.95");
    LossCase barlow_twins{"barlow, lambda 1", Family::barlow_twins, relaxed};
    barlow_twins.barlow_twins.lambda = 1;
    check_precision(barlow_twins, a, b, "correlation 0.95");
  }
}

TEST_CASE("float is within 1e-5 of double for views whose scales differ by 1e4") {
  for (const Index rows : {Index{256}, Index{4096}}) {
    const Index cols = 64;
    const auto [a, b] = correlated_views(rows, cols, 0.5);
    for (const LossCase& loss_case : loss_cases(cols, 24)) {
      if (loss_case.family != Family::regularizer) continue;
      check_precision(loss_case, a, 1e4f * b, "b 1e4 times a");
      check_precision(loss_case, 1e2f * a, 1e-2f * b, "a 1e4 times b");
      // Samples of one batch differ, too.
      RowMajor<float> uneven = a;
      for (Index k = 0; k < rows; k += 3) uneven.row(k) *= 1e-4f;
      check_precision(loss_case, uneven, b, "every third row 1e-4");
    }
  }
}

TEST_CASE("views at both ends of float's range are as accurate as others") {
  const Index rows = 64, cols = 30;
  const auto [a, b] = correlated_views(rows, cols, 0.5);
  for (const LossCase& loss_case : loss_cases(cols, 8)) {
    if (loss_case.family != Family::regularizer) continue;
    check_precision(loss_case, 1e30f * a, 1e-30f * b, "1e30 and 1e-30");
    check_precision(loss_case, 1e-36f * a, 1e36f * b, "1e-36 and 1e36");
  }
}

TEST_CASE_TEMPLATE("a sample that is zero in one view leaves nothing of the other view", Scalar,
                   float, double) {
  // Beside ordinary samples one that is so large that its square overflows, or that tiny ones would
  // drown in its rounding.
  const auto far =
      static_cast<Scalar>(std::ldexp(1.0, std::numeric_limits<Scalar>::max_exponent * 4 / 5));
  for (const Index cols : {Index{12}, Index{29}}) {  // the latter goes through a longer transform
    for (const Index rows : {Index{2}, Index{40}}) {
      auto a = random_matrix<RowMajor<Scalar>>(rows, cols, 1);
      auto b = random_matrix<RowMajor<Scalar>>(rows, cols, 2);
      for (const auto& sizes : {std::pair(Scalar(1), far),
                                {Scalar(1), 1 / far},
                                {Scalar(0.5) / std::sqrt(far), std::sqrt(far)}}) {
        const Scalar others = sizes.first, size = sizes.second;
        CAPTURE(cols);
        CAPTURE(rows);
        CAPTURE(size);
        RowMajor<Scalar> x = others * a, y = others * b;
        x.row(0).setZero();
        y.row(0) *= size;
        const RowMajor<Scalar> rest_x = x.bottomRows(rows - 1), rest_y = y.bottomRows(rows - 1);
        const auto share = static_cast<Scalar>(rows - 1) / static_cast<Scalar>(rows);
        const auto lags = decorr::sumvec(x, y, decorr_tests::quick());
        const Eigen::Matrix<Scalar, Eigen::Dynamic, 1> of_rest =
            share * decorr::sumvec(rest_x, rest_y, decorr_tests::quick());
        const double tolerance = 64 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
        CHECK((lags - of_rest).norm() <= tolerance * of_rest.norm());
        x.bottomRows(rows - 1).setZero();
        CHECK(decorr::sumvec(x, y, decorr_tests::quick()).isZero(0));
        CHECK(decorr::sumvec(y, x, decorr_tests::quick()).isZero(0));
        for (const LossCase& loss_case : loss_cases(cols, 5)) {
          if (loss_case.family != Family::regularizer) continue;
          CAPTURE(loss_case.name);
          RowMajor<Scalar> grad_x = RowMajor<Scalar>::Ones(rows, cols), grad_y = grad_x;
          CHECK(loss_case(x, y, grad_x, grad_y) == 0);
          CHECK(grad_x.isZero(0));
          CHECK(grad_y.isZero(0));
        }
      }
    }
  }
}

TEST_CASE("epsilon that outweighs one view's deviations costs the other one's gradient no digits") {
  const Index rows = 64, cols = 30;
  const auto [a, b] = correlated_views(rows, cols, 0.5);
  struct Sizes {
    float a, b;
    double epsilon;
  };
  for (const Sizes& sizes :
       {Sizes{1, 1e-6f, 1e-5}, Sizes{1e-5f, 1, 1e-5}, Sizes{1e-36f, 1e-30f, 1e-60}}) {
    CAPTURE(sizes.a);
    for (LossCase loss_case : loss_cases(cols, 8)) {
      if (loss_case.family != Family::barlow_twins) continue;
      // Of the regularizer's gradient the diagonal's would leave nothing to be seen.
      loss_case.barlow_twins.lambda = 1e15;
      loss_case.barlow_twins.scale = 1e-15;
      loss_case.barlow_twins.epsilon = sizes.epsilon;
      check_precision(loss_case, sizes.a * a, sizes.b * b, "views apart");
    }
  }
}

TEST_CASE("a sample that outweighs all others in one view costs the other one no digits") {
  // Standardized it has the size of sqrt(n) of the others.
  const Index rows = 8192, cols = 48;
  auto [a, b] = correlated_views(rows, cols, 0.5);
  a.row(5) *= 1e4f;
  for (LossCase loss_case : loss_cases(cols, 12)) {
    if (loss_case.family != Family::barlow_twins) continue;
    // Of the regularizer's gradient the diagonal's would leave nothing to be seen.
    loss_case.barlow_twins.lambda = 1e6;
    loss_case.barlow_twins.scale = 1e-6;
    CAPTURE(loss_case.name);
    for (const bool exchanged : {false, true}) {
      const Errors errors =
          exchanged ? float_errors(loss_case, b, a) : float_errors(loss_case, a, b);
      CHECK(errors.value < 2e-6);
      CHECK(errors.gradient < 2e-6);
    }
  }
}

TEST_CASE("features that hardly correlate with others keep the digits of their gradients") {
  // Fewer samples than features, so that what a feature has with itself is a part of what the Gram
  // matrices give, and is subtracted. Each of the first three has two samples for itself, and but
  // 1e-5 in one of those of all others, which are much alike.
  const Index rows = 16, alone = 3, cols = 40, first_of_others = 2 * alone;
  const auto view = [&](unsigned seed) {
    const auto noise = random_matrix<RowMajor<float>>(rows, cols, seed);
    RowMajor<float> x = RowMajor<float>::Zero(rows, cols);
    for (Index j = 0; j < alone; ++j) {
      x(2 * j, j) = 1.1f + 0.1f * noise(0, j);
      x(2 * j + 1, j) = 0.7f + 0.1f * noise(1, j);
      x(first_of_others + j, j) = 1e-5f;
    }
    x.bottomRightCorner(rows - first_of_others, cols - alone) =
        0.1f * noise.bottomRightCorner(rows - first_of_others, cols - alone);
    x.bottomRightCorner(rows - first_of_others, cols - alone).array() += 0.3f;
    return x;
  };
  const RowMajor<float> a = view(1), b = view(2);
  const LossCase r_off{"r_off", Family::regularizer, decorr::Exact()};
  RowMajor<float> grad_a(rows, cols), grad_b(rows, cols);
  RowMajor<double> exact_grad_a(rows, cols), exact_grad_b(rows, cols);
  r_off(a, b, grad_a, grad_b);
  r_off(RowMajor<double>(a.cast<double>()), RowMajor<double>(b.cast<double>()), exact_grad_a,
        exact_grad_b);
  for (Index j = 0; j < cols; ++j) {
    CAPTURE(j);
    CHECK(relative_error(grad_a.col(j), exact_grad_a.col(j)) < 1e-5);
    CHECK(relative_error(grad_b.col(j), exact_grad_b.col(j)) < 1e-5);
  }
}

TEST_CASE("what is not a number is not taken for a row of zeros") {
  const auto check_not_a_number = [](const RowMajor<float>& a, const RowMajor<float>& b) {
    CHECK(decorr::sumvec(a, b, decorr_tests::quick()).array().isNaN().all());
    CHECK(decorr::sumvec(b, a, decorr_tests::quick()).array().isNaN().all());
    for (const LossCase& loss_case : loss_cases(a.cols(), (a.cols() + 1) / 2)) {
      // One feature has no pairs.
      if (loss_case.family != Family::regularizer || a.cols() == 1) continue;
      CAPTURE(loss_case.name);
      CHECK(std::isnan(loss_case(a, b)));
      CHECK(std::isnan(loss_case(b, a)));
    }
  };
  for (const float number : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    for (const Index cols : {1, 2, 8}) {
      CAPTURE(number);
      CAPTURE(cols);
      RowMajor<float> a = random_matrix<RowMajor<float>>(3, cols, 1),
                      b = random_matrix<RowMajor<float>>(3, cols, 2);
      const RowMajor<float> of_numbers = a;
      a.row(1).setZero();
      b.row(1).setZero();
      b(1, cols / 2) = number;
      check_not_a_number(a, b);
      if (std::isinf(number)) continue;
      // Of which the largest size says nothing either.
      b.row(1).setConstant(number);
      check_not_a_number(a, b);
      check_not_a_number(of_numbers, b);
    }
  }
}

TEST_CASE("blocks of long double keep its digits and its range") {
  const Index n = 40, d = 32;
  using Matrix = RowMajor<long double>;
  const Matrix a = random_matrix<Matrix>(n, d, 1), b = random_matrix<Matrix>(n, d, 2) + a;
  decorr::Relaxed relaxed;
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  for (const Index block_size : {1, 4, 8, 16}) {
    CAPTURE(block_size);
    relaxed.block_size = block_size;
    Matrix grad_a(n, d), grad_b(n, d), part_a(n, d), part_b(n, d);
    const long double value = decorr::r_sum(a, b, grad_a, grad_b, relaxed, execution);
    // Rows in parts go another way.
    decorr::RegularizerBatch<long double> batch(d, relaxed, execution);
    while (batch.has_pass()) {
      batch.add(a, b);
      batch.end_pass();
    }
    batch.gradient(a, b, part_a, part_b);
    CHECK(std::abs(batch.value() - value) <= 1e-17L * value);
    CHECK((grad_a - part_a).norm() <= 1e-17L * part_a.norm());
    CHECK((grad_b - part_b).norm() <= 1e-17L * part_b.norm());
    // By a power of two, whose fourth is far beyond what double has.
    const long double scale = std::ldexp(1.0L, 660);
    Matrix scaled_a(n, d), scaled_b(n, d);
    const long double scaled =
        decorr::r_sum(Matrix(scale * a), Matrix(scale * b), scaled_a, scaled_b, relaxed, execution);
    CHECK(std::abs(std::ldexp(scaled, -4 * 660) - value) <= 1e-17L * value);
    CHECK((Matrix(std::ldexp(1.0L, -3 * 660) * scaled_a) - grad_a).norm() <=
          1e-17L * grad_a.norm());
  }
}

TEST_CASE("a mean of 1e4 deviations costs the loss at most 1e-3") {
  for (const Index rows : {Index{256}, Index{4096}}) {
    const Index cols = 64;
    const auto [centred_a, centred_b] = correlated_views(rows, cols, 0.5);
    const RowMajor<float> a = centred_a.array() + 1e4f, b = centred_b.array() - 1e4f;
    for (const LossCase& loss_case : loss_cases(cols, 24)) {
      // The bare regularizers do not centre, and invariance of views that lie 2e4 apart is all that
      // there is of VICReg.
      if (loss_case.family == Family::regularizer) continue;
      CAPTURE(loss_case.name);
      CAPTURE(rows);
      const RowMajor<float>& other =
          loss_case.family == Family::vicreg ? RowMajor<float>(centred_b.array() + 1e4f) : b;
      const Errors errors = float_errors(loss_case, a, other);
      report(loss_case, rows, cols, "mean 1e4", errors);
      CHECK(errors.value < 1e-3);
    }
  }
}

}  // namespace test_precision
