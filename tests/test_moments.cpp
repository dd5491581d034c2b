// Moments where squares leave the scalar's range, where means outweigh deviations and where one
// sample outweighs the others, against the definitions in long double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/loss_cases.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace test_moments {

namespace {

using namespace decorr_tests;
using Eigen::MatrixXd;
using Eigen::MatrixXf;

// Largest errors, of values and of each feature's gradient over its largest entry.
template <class Scalar>
constexpr double kTolerance = std::is_same<Scalar, float>::value ? 2e-5 : 1e-12;

// Powers of two from near the smallest normal number to near the largest.
template <class Scalar>
std::vector<Scalar> sizes() {
  std::vector<Scalar> result;
  for (const double part : {-0.94, -0.7, -0.5, -0.3, 0.0, 0.3, 0.5, 0.7, 0.94}) {
    result.push_back(
        std::ldexp(Scalar(1), static_cast<int>(part * std::numeric_limits<Scalar>::max_exponent)));
  }
  return result;
}

// Feature j of size sizes[(step j + first) mod count].
template <class Matrix>
Matrix resized(Matrix x, const std::vector<typename Matrix::Scalar>& sizes, std::size_t step,
               std::size_t first) {
  for (Index j = 0; j < x.cols(); ++j) {
    x.col(j) *= sizes[(step * static_cast<std::size_t>(j) + first) % sizes.size()];
  }
  return x;
}

// The largest relative error of any column on its own scale; NaN if there is one.
template <class Actual>
double column_error(const Actual& actual, const RealMatrix& expected) {
  double error = 0;
  for (Index j = 0; j < expected.cols(); ++j) {
    const double own = relative_error(actual.col(j), expected.col(j));
    if (!(own <= error)) error = own;
    if (std::isnan(error)) return error;
  }
  return error;
}

// The gradients of exact Barlow Twins by the chain rule, in long double: differences of the loss
// see no gradient of numbers that are far below epsilon's root.
RealMatrix barlow_twins_gradient(const RealMatrix& own, const RealMatrix& other,
                                 const decorr::BarlowTwinsOptions& options) {
  const auto n = static_cast<Real>(own.rows());
  const RealMatrix x = naive::standardized(own, options.epsilon),
                   o = naive::standardized(other, options.epsilon), centred = naive::centred(own);
  RealMatrix derivative = Real(options.lambda) * naive::correlation(o, x, n);
  for (Index j = 0; j < own.cols(); ++j) {
    derivative(j, j) = derivative(j, j) / Real(options.lambda) - 1;
  }
  const RealMatrix slope = Real(2 * options.scale) / n * o * derivative;
  RealMatrix gradient(own.rows(), own.cols());
  for (Index j = 0; j < own.cols(); ++j) {
    const Real deviation =
        std::sqrt(naive::variance(centred, j, own.rows()) + Real(options.epsilon));
    const RealMatrix g = slope.col(j);
    gradient.col(j) =
        ((g.array() - g.mean()) - x.col(j).array() * (g.cwiseProduct(x.col(j)).mean())) / deviation;
  }
  return gradient;
}

template <class Matrix>
void check_barlow_twins(const Matrix& a, const Matrix& b,
                        const decorr::BarlowTwinsOptions& options) {
  constexpr double tolerance = kTolerance<typename Matrix::Scalar>;
  const RealMatrix real_a = a.template cast<Real>(), real_b = b.template cast<Real>();
  decorr::Relaxed relaxed;
  relaxed.exponent = 1;
  for (const Regularizer& regularizer : {Regularizer(decorr::Exact()), Regularizer(relaxed)}) {
    CAPTURE(describe(regularizer));
    Matrix grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
    const auto loss = barlow_twins_loss(regularizer, a, b, grad_a, grad_b, options);
    const auto expected = naive::barlow_twins_loss(real_a, real_b, options, regularizer);
    // What is rounded is 1 - C_ii, of C_ii itself.
    CHECK(std::abs(loss.diagonal - expected.diagonal) < tolerance * std::sqrt(expected.diagonal));
    // Sums of lags, all of them of the size of one, may cancel.
    CHECK(std::abs(loss.off_diagonal - expected.off_diagonal) <
          tolerance * (expected.off_diagonal + 1));
    CHECK(grad_a.allFinite());
    CHECK(grad_b.allFinite());
    if (std::holds_alternative<decorr::Exact>(regularizer)) {
      CHECK(column_error(grad_a, barlow_twins_gradient(real_a, real_b, options)) < tolerance);
      CHECK(column_error(grad_b, barlow_twins_gradient(real_b, real_a, options)) < tolerance);
    }
  }
}

// Every size in view a with several in view b, side by side.
template <class Matrix>
void check_sizes(Index rows, Index cols, double epsilon) {
  using Scalar = typename Matrix::Scalar;
  decorr::BarlowTwinsOptions options;
  options.epsilon = epsilon;
  options.lambda = 0.1;
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(epsilon);
  const auto all = sizes<Scalar>();
  for (std::size_t first = 0; first < all.size(); ++first) {
    CAPTURE(first);
    const auto a = random_matrix<Matrix>(rows, cols, 2 * first + 1),
               b = random_matrix<Matrix>(rows, cols, 2 * first + 2);
    check_barlow_twins(resized(a, all, 1, first), resized(b, all, 2, first), options);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("Barlow Twins of features of any size, each gradient on its own scale", Matrix,
                   RowMajor<float>, ColumnMajor<float>, RowMajor<double>) {
  using Scalar = typename Matrix::Scalar;
  const double least = static_cast<double>(std::numeric_limits<Scalar>::min());
  for (const double epsilon : {0.0, least, 1e-300, 1e-20, 1e-5}) {
    check_sizes<Matrix>(3, 1, epsilon);
    check_sizes<Matrix>(5, 3, epsilon);
  }
  check_sizes<Matrix>(67, 2, 0);  // more than one tile
}

TEST_CASE_TEMPLATE("Barlow Twins without epsilon does not depend on a feature's power of two",
                   Scalar, float, double, long double) {
  using Matrix = RowMajor<Scalar>;
  decorr::BarlowTwinsOptions options;
  options.epsilon = 0;
  const auto all = sizes<Scalar>();
  for (const Shape& shape : {Shape{2, 9}, Shape{64, 9}, Shape{200, 600}}) {
    CAPTURE(shape.rows);
    const auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 1);
    const Matrix scaled_a = resized(a, all, 1, 0), scaled_b = resized(b, all, 2, 3);
    const Matrix ones = Matrix::Ones(shape.rows, shape.cols);
    const Matrix size_a = resized(ones, all, 1, 0), size_b = resized(ones, all, 2, 3);
    Matrix grad_a(shape.rows, shape.cols), grad_b = grad_a, wanted_a = grad_a, wanted_b = grad_a;
    const auto wanted =
        decorr::barlow_twins_loss(a, b, wanted_a, wanted_b, options, decorr::Relaxed(), quick());
    for (const int threads : {1, 2}) {
      auto execution = quick();
      execution.threads = threads;
      const auto loss = decorr::barlow_twins_loss(scaled_a, scaled_b, grad_a, grad_b, options,
                                                  decorr::Relaxed(), execution);
      const double tolerance = 4 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
      CHECK(relative_error(loss.value, wanted.value) < tolerance);
      CHECK(relative_error((grad_a.array() * size_a.array()).matrix(), wanted_a) < tolerance);
      CHECK(relative_error((grad_b.array() * size_b.array()).matrix(), wanted_b) < tolerance);
    }
  }
}

// By the formula, in long double: differences of the loss see no gradient of numbers that are far
// below epsilon's root.
RealMatrix variance_gradient(const RealMatrix& z, const decorr::VicregOptions& options) {
  RealMatrix gradient = naive::centred(z);
  const auto degrees = static_cast<Real>(z.rows() - 1);
  for (Index j = 0; j < z.cols(); ++j) {
    const Real deviation =
        std::sqrt(naive::variance(gradient, j, z.rows() - 1) + Real(options.epsilon));
    gradient.col(j) *=
        deviation < Real(options.gamma)
            ? -Real(options.variance) / (static_cast<Real>(z.cols()) * degrees * deviation)
            : Real(0);
  }
  return gradient;
}

TEST_CASE_TEMPLATE("variance terms and their gradients of features of any size", Matrix,
                   RowMajor<float>, ColumnMajor<float>, RowMajor<double>) {
  using Scalar = typename Matrix::Scalar;
  const auto all = sizes<Scalar>();
  for (const Index rows : {Index{2}, Index{3}, Index{70}}) {
    for (const double epsilon : {0.0, 1e-300, 1e-4}) {
      CAPTURE(rows);
      CAPTURE(epsilon);
      const auto columns = static_cast<Index>(all.size());
      const Matrix z = resized(random_matrix<Matrix>(rows, columns, 1), all, 1, 0);
      const RealMatrix real_z = z.template cast<Real>();
      decorr::VicregOptions options;
      options.epsilon = epsilon;
      for (const Scalar size : all) {
        CAPTURE(size);
        options.gamma = 4 * std::max(std::sqrt(epsilon), static_cast<double>(size));
        const auto terms = decorr::variance_covariance_loss(z, options, decorr::Exact(), quick());
        const auto expected = naive::variance_covariance_loss(real_z, options, decorr::Exact());
        CHECK(relative_error(terms.variance, expected.variance) < kTolerance<Scalar>);
        // One feature alone, whose covariance with others does not hide it.
        for (Index j = 0; j < columns; ++j) {
          if (all[static_cast<std::size_t>(j)] > 1)
            continue;  // beyond the range when squared twice
          const Matrix feature = z.col(j);
          const RealMatrix real_feature = real_z.col(j);
          Matrix gradient(rows, 1);
          decorr::variance_covariance_loss(feature, gradient, options, decorr::Exact(), quick());
          CHECK(relative_error(gradient, variance_gradient(real_feature, options)) <
                kTolerance<Scalar>);
        }
      }
    }
  }
}

TEST_CASE("invariance of views whose squared difference is beyond the scalar's range") {
  // One feature outweighs the others; the mean of all is a float.
  const auto [a, b] = random_views<MatrixXf>(40, 64, 1);
  MatrixXf large = a;
  large.col(5) *= 0x1p62f;
  const RealMatrix real_large = large.cast<Real>(), real_b = b.cast<Real>();
  decorr::VicregOptions options;
  options.invariance = 1e-3;
  CHECK(relative_error(
            decorr::vicreg_loss(large, b, options, decorr::Exact(), quick()).invariance,
            naive::vicreg_loss(real_large, real_b, options, decorr::Exact()).invariance) < 1e-6);
  const MatrixXd wide = a.cast<double>() * 1e160, other = b.cast<double>();
  const RealMatrix real_wide = wide.cast<Real>(), real_other = other.cast<Real>();
  options.invariance = 1e-30;
  CHECK(relative_error(
            decorr::vicreg_loss(wide, other, options, decorr::Exact(), quick()).invariance,
            naive::vicreg_loss(real_wide, real_other, options, decorr::Exact()).invariance) <
        1e-13);
  // Of views that are small in themselves, and far from each other.
  const MatrixXd here = a.cast<double>().array() + 1e160, there = b.cast<double>().array() - 1e160;
  const RealMatrix real_here = here.cast<Real>(), real_there = there.cast<Real>();
  CHECK(relative_error(
            decorr::vicreg_loss(here, there, options, decorr::Exact(), quick()).invariance,
            naive::vicreg_loss(real_here, real_there, options, decorr::Exact()).invariance) <
        1e-13);
}

TEST_CASE("what varies is told from what is constant, however little and wherever") {
  decorr::BarlowTwinsOptions options;
  options.epsilon = 0;
  constexpr Index rows = 200;
  // All but two samples are equal, in one tile or another, and cancel in their sum.
  for (const Index row : {Index{0}, Index{31}, Index{63}, Index{64}, Index{198}}) {
    CAPTURE(row);
    for (const double level : {0.0, 1e-200, 3.0}) {
      CAPTURE(level);
      MatrixXd a = MatrixXd::Constant(rows, 3, level), b = a;
      a.col(1) = b.col(1) = random_matrix<MatrixXd>(rows, 1, 1);
      const double size = level == 3.0 ? 1e-12 : 1e-201;
      a(row, 0) += size;
      a(row + 1, 0) -= size;
      b(row, 0) += size;
      b(row + 1, 0) -= size;
      // C_00 and C_11 are 1; feature 2 is constant.
      MatrixXd grad_a(rows, 3), grad_b(rows, 3);
      const auto loss =
          decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, decorr::Exact(), quick());
      CHECK(loss.diagonal == doctest::Approx(1).epsilon(1e-12));
      CHECK(grad_a.allFinite());
      CHECK((grad_a.col(2).array() == 0).all());
    }
  }
  // Every tile is constant in itself.
  MatrixXd steps(rows, 1);
  for (Index k = 0; k < rows; ++k) steps(k) = k < 128 ? 1e-250 : 2e-250;
  CHECK(decorr::barlow_twins_loss(steps, steps, options, decorr::Exact(), quick()).value < 1e-12);
}

TEST_CASE("constant features among very small ones have no variance, whatever their size") {
  decorr::BarlowTwinsOptions options;
  options.epsilon = 0;
  for (const Index rows : {Index{3}, Index{150}}) {
    MatrixXd a = random_matrix<MatrixXd>(rows, 4, 1);
    a.col(0) *= 1e-250;
    a.col(1).setConstant(1e300);
    a.col(2).setConstant(-1e-300);
    MatrixXd grad_a(rows, 4), grad_b(rows, 4);
    const auto loss =
        decorr::barlow_twins_loss(a, a, grad_a, grad_b, options, decorr::Exact(), quick());
    CHECK(loss.diagonal == doctest::Approx(2).epsilon(1e-12));
    CHECK(grad_a.allFinite());
    CHECK((grad_a.middleCols(1, 2).array() == 0).all());
  }
}

TEST_CASE("deviations below the normal numbers count as none") {
  decorr::BarlowTwinsOptions barlow_twins;
  decorr::VicregOptions vicreg;
  barlow_twins.epsilon = vicreg.epsilon = 0;
  const MatrixXf ordinary = random_matrix<MatrixXf>(9, 3, 1);
  MatrixXf small = ordinary;
  small.col(1) *= 1e-41f;
  MatrixXf grad_a(9, 3), grad_b(9, 3);
  const auto loss = decorr::barlow_twins_loss(small, small, grad_a, grad_b, barlow_twins,
                                              decorr::Exact(), quick());
  CHECK(loss.diagonal == doctest::Approx(1));
  CHECK(grad_a.allFinite());
  CHECK((grad_a.col(1).array() == 0).all());
  CHECK(std::isfinite(
      decorr::vicreg_loss(small, ordinary, grad_a, grad_b, vicreg, decorr::Exact(), quick())
          .value));
  CHECK(grad_a.allFinite());
}

TEST_CASE_TEMPLATE("the hinge is closed, and has no gradient, where a deviation is gamma", Scalar,
                   float, double, long double) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  // Deviations of 1, 1/2 and 2, exactly, of which gamma is the first.
  Matrix z(3, 3), grad(3, 3);
  z << 1, Scalar(0.5), -2, 0, 0, 0, -1, Scalar(-0.5), 2;
  decorr::VicregOptions options;
  options.epsilon = options.covariance = 0;
  options.gamma = 1;
  const auto loss = decorr::variance_covariance_loss(z, grad, options, decorr::Exact(), quick());
  CHECK(static_cast<double>(loss.variance) == doctest::Approx(options.variance * 0.5 / 3));
  CHECK((grad.col(0).array() == 0).all());
  CHECK((grad.col(1).array() != 0).any());
  CHECK((grad.col(2).array() == 0).all());
}

TEST_CASE("an epsilon far from every variance") {
  const auto [a, b] = random_views<MatrixXf>(20, 4, 1);
  MatrixXf grad_a(20, 4), grad_b(20, 4);
  decorr::BarlowTwinsOptions options;
  options.epsilon = 1e300;
  const auto loss = decorr::barlow_twins_loss(a, b, grad_a, grad_b, options);
  CHECK(loss.diagonal == doctest::Approx(4));
  CHECK(grad_a.allFinite());
  MatrixXd grad_c(20, 4), grad_d(20, 4);
  const MatrixXd c = 1e-200 * a.cast<double>(), d = 1e200 * b.cast<double>();
  const RealMatrix real_c = c.cast<Real>(), real_d = d.cast<Real>();
  for (const double epsilon : {1e-300, 1e-200, 1e-5, 1e300}) {
    CAPTURE(epsilon);
    options.epsilon = epsilon;
    CHECK(relative_error(
              decorr::barlow_twins_loss(c, d, grad_c, grad_d, options, decorr::Exact()).value,
              naive::barlow_twins_loss(real_c, real_d, options, decorr::Exact()).value) < 1e-12);
    CHECK(grad_c.allFinite());
    CHECK(grad_d.allFinite());
  }
}

TEST_CASE("outliers cost a variance no digits, whichever samples they are") {
  for (const Index rows : {Index{19}, Index{64}, Index{150}}) {
    const std::vector<std::vector<Index>> outliers{
        {0},           {1},           {rows / 2},           {rows - 1},
        {0, rows - 1}, {0, rows / 2}, {rows / 2, rows - 1}, {0, rows / 4, rows / 2, 3 * rows / 4}};
    for (const std::vector<Index>& large : outliers) {
      CAPTURE(rows);
      CAPTURE(large.front());
      CAPTURE(large.back());
      MatrixXf z = random_matrix<MatrixXf>(rows, 32, 1);
      for (const Index row : large) z.row(row).array() += 1e5f;
      const RealMatrix x = naive::centred(z.cast<Real>());
      for (Index j = 0; j < z.cols(); ++j) {
        // What is left of gamma magnifies the deviation's error by a hundred.
        const Real deviation = std::sqrt(naive::variance(x, j, rows - 1));
        decorr::VicregOptions options;
        options.epsilon = 0;
        options.gamma = static_cast<double>(1.01L * deviation);
        const MatrixXf feature = z.col(j);
        const RealMatrix real_feature = feature.cast<Real>();
        CHECK(
            relative_error(
                decorr::variance_covariance_loss(feature, options).variance,
                naive::variance_covariance_loss(real_feature, options, decorr::Exact()).variance) <
            5e-5);
      }
    }
  }
}

TEST_CASE("a sum of squares is never negative") {
  // The squares underflow, the square of their sum, in double, does not. Epsilon makes them count
  // for nothing, so that they are left as they are.
  for (const Index rows : {Index{3}, Index{70}}) {
    const MatrixXf z = 1e-25f * random_matrix<MatrixXf>(rows, 8, 1);
    decorr::detail::Arena arena;
    const decorr::detail::Batch<float> batch{arena, {input_rows(z), input_rows(z), {}, {}}, {}};
    decorr::detail::MomentsOfBatch<float> pass;
    pass.start(batch, 1e-5);
    pass.add(batch.rows);
    CHECK_FALSE(pass.end(batch));
    const auto& moments = pass.moments();
    CHECK_FALSE(moments.a.unit);
    for (Index j = 0; j < 8; ++j) {
      CHECK(moments.a.squares[j] >= 0);
    }
  }
}

// The diagonal term and its gradient alone, in long double.
template <class Matrix>
void check_raw_diagonal(const Matrix& a, const Matrix& b) {
  using Scalar = typename Matrix::Scalar;
  decorr::BarlowTwinsOptions options;
  options.standardize = false;
  options.lambda = 0;
  const RealMatrix real_a = a.template cast<Real>(), real_b = b.template cast<Real>();
  const auto n = static_cast<Real>(a.rows());
  RealMatrix wanted_a(a.rows(), a.cols()), wanted_b(a.rows(), a.cols());
  Real diagonal = 0;
  for (Index j = 0; j < a.cols(); ++j) {
    Real product = 0;
    for (Index k = 0; k < a.rows(); ++k) {
      product += real_a(k, j) * real_b(k, j);
    }
    diagonal += (1 - product / n) * (1 - product / n);
    const Real slope = -2 * (1 - product / n) / n;
    wanted_a.col(j) = slope * real_b.col(j);
    wanted_b.col(j) = slope * real_a.col(j);
  }
  const double tolerance = 32 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  for (const int threads : {1, 2}) {
    auto execution = quick();
    execution.threads = threads;
    Matrix grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
    const auto loss =
        decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, decorr::Exact(), execution);
    CHECK(relative_error(loss.diagonal, diagonal) < tolerance);
    CHECK(column_error(grad_a, wanted_a) < tolerance);
    CHECK(column_error(grad_b, wanted_b) < tolerance);
  }
}

TEST_CASE("the diagonal of raw views with one large number in different samples of each") {
  for (const Index rows : {Index{1}, Index{2}, Index{19}, Index{64}, Index{131}}) {
    for (const Index row_a : {Index{0}, Index{3}, rows - 1}) {
      for (const Index row_b : {Index{5}, rows / 2}) {
        CAPTURE(rows);
        CAPTURE(row_a);
        CAPTURE(row_b);
        for (const Index cols : {Index{1}, Index{3}}) {
          MatrixXf a = MatrixXf::Ones(rows, cols), b = a;
          a.row(row_a % rows).setConstant(1e6f);
          b.row(row_b % rows).setConstant(1e6f);
          check_raw_diagonal(a, b);
          check_raw_diagonal(RowMajor<float>(a), RowMajor<float>(b));
          check_raw_diagonal(RowMajor<double>(a.cast<double>()),
                             RowMajor<double>(b.cast<double>()));
        }
      }
    }
  }
}

TEST_CASE("the diagonal of raw views of more features than are summed at a time") {
  const auto [a, b] = random_views<MatrixXf>(70, 1030, 1);
  check_raw_diagonal(a, b);
  check_raw_diagonal(RowMajor<float>(a), RowMajor<float>(b));
}

TEST_CASE("the diagonal of raw views of any mean, and of an entry near one") {
  for (const Index rows : {Index{3}, Index{100}, Index{700}}) {
    for (const float mean : {0.f, 1e4f, -1e8f}) {
      CAPTURE(rows);
      CAPTURE(mean);
      const auto [centred_a, centred_b] = random_views<RowMajor<float>>(rows, 7, 1);
      const RowMajor<float> a = centred_a.array() + mean;
      check_raw_diagonal(a, centred_b);
      check_raw_diagonal(a, RowMajor<float>(centred_b.array() - mean));
      // C_jj is 1 but for rounding: what is left of it is made of the numbers' last digits.
      RowMajor<float> unit = centred_a;
      for (Index j = 0; j < 7; ++j) {
        const float norm = unit.col(j).norm();
        unit.col(j) *= std::sqrt(static_cast<float>(rows)) / norm;
      }
      check_raw_diagonal(unit, unit);
    }
  }
}

}  // namespace test_moments
