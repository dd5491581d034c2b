// Values and their terms against the definitions, written out in long double.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace test_regularizers {

namespace {

using namespace decorr_tests;
using decorr::CovarianceScaling;

// A sanitizer looks at memory, which is the same for all of them, and takes its time.
#if defined(DECORR_TESTS_SANITIZED)
#define EACH_SCALAR RowMajor<float>, ColumnMajor<double>
#else
#define EACH_SCALAR RowMajor<float>, RowMajor<double>, ColumnMajor<double>, ColumnMajor<long double>
#endif

// Sums over lags lose a few digits to cancellation.
template <class Scalar>
constexpr double kTolerance = 1e-15;
template <>
constexpr double kTolerance<double> = 1e-12;
template <>
constexpr double kTolerance<float> = 1e-5;

// Around the rows of a tile (16) and of a chunk (64, 256), and the features of a strip (512). 31,
// 58, 62 and 530 have large prime factors.
const std::vector<Shape> kShapes{{2, 1},   {2, 2},    {2, 3},   {3, 7},  {5, 8},
                                 {17, 13}, {7, 31},   {5, 58},  {4, 62}, {16, 64},
                                 {65, 12}, {130, 19}, {300, 9}, {3, 530}};
// Where no variance is taken.
const std::vector<Shape> kSingleSamples{{1, 1}, {1, 2}, {1, 8}, {1, 31}};

template <class Matrix>
struct Views {
  explicit Views(const Shape& shape) {
    const auto seed = static_cast<std::uint64_t>(100 * shape.rows + shape.cols);
    std::tie(a, b) = random_views<Matrix>(shape.rows, shape.cols, seed);
    real_a = a.template cast<Real>();
    real_b = b.template cast<Real>();
  }
  Matrix a, b;
  RealMatrix real_a, real_b;  // the same numbers
};

template <class Matrix, class Check>
void for_each_case(const std::vector<Shape>& shapes, const Check& check) {
  for (const Shape& shape : shapes) {
    const Views<Matrix> views(shape);
    const auto regularizers = all_regularizers(shape.cols, 1);
    // The definition takes long for many features; the others meet every combination.
    const std::size_t step = shape.cols > 100 ? 9 : 1;
    for (std::size_t i = 0; i < regularizers.size(); i += step) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(describe(regularizers[i]));
      check(views, regularizers[i]);
    }
  }
}

template <class Scalar>
void check_term(Scalar actual, Real expected) {
  CHECK(relative_error(actual, expected) < kTolerance<Scalar>);
}

// Rounding of the terms and of their sum.
template <class Scalar>
void check_sum(Scalar value, Scalar sum) {
  CHECK(relative_error(value, sum) < 4 * std::numeric_limits<Scalar>::epsilon());
}

}  // namespace

TEST_CASE_TEMPLATE("r_off and r_sum are the definitions", Matrix, EACH_SCALAR) {
  const auto check = [](const Views<Matrix>& views, const Regularizer& regularizer) {
    check_term(cross_correlation_regularizer(regularizer, views.a, views.b),
               naive::cross_correlation_regularizer(views.real_a, views.real_b, regularizer));
  };
  for_each_case<Matrix>(kShapes, check);
  for_each_case<Matrix>(kSingleSamples, check);
}

TEST_CASE_TEMPLATE("r_off is the definition by either route", Matrix, EACH_SCALAR) {
  for (const auto& shapes : {kShapes, kSingleSamples}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const Views<Matrix> views(shape);
      const Real expected =
          naive::cross_correlation_regularizer(views.real_a, views.real_b, decorr::Exact{});
      Matrix grad_a(shape.rows, shape.cols), grad_b(shape.rows, shape.cols);
      for (const auto& routed : routes()) {
        check_term(regularizer_by(routed, views.a, views.b, grad_a, grad_b), expected);
      }
    }
  }
}

TEST_CASE_TEMPLATE("the grouped form is the definition by either route", Matrix, EACH_SCALAR) {
  const auto check = [](const Views<Matrix>& views, const decorr::Relaxed& relaxed) {
    const Regularizer regularizer = with_signs_of_both(relaxed);
    CAPTURE(describe(regularizer));
    Matrix grad_a(views.a.rows(), views.a.cols()), grad_b = grad_a;
    const Real expected =
        naive::cross_correlation_regularizer(views.real_a, views.real_b, regularizer);
    for (const auto& routed : routes(regularizer)) {
      CAPTURE(static_cast<int>(routed.route));
      check_term(regularizer_by(routed, views.a, views.b, grad_a, grad_b), expected);
    }
    for (const auto scaling : {CovarianceScaling::per_dimension, CovarianceScaling::block_mean}) {
      if (views.a.rows() == 1) {
        continue;
      }
      const auto options = balanced_vicreg_options(false, scaling);
      const auto loss = naive::vicreg_loss(views.real_a, views.real_b, options, regularizer);
      for (const auto& routed : routes(regularizer)) {
        CAPTURE(static_cast<int>(routed.route));
        const auto terms = terms_by(routed, views.a, views.b, grad_a, grad_b, options);
        check_term(static_cast<typename Matrix::Scalar>(terms.covariance), loss.covariance);
      }
    }
  };
  for (const auto& shapes : {kShapes, kSingleSamples}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const Views<Matrix> views(shape);
      const auto regularizers = grouped_regularizers(shape.cols, 1);
      const std::size_t step = shape.cols > 100 ? 5 : 1;
      for (std::size_t i = 0; i < regularizers.size(); i += step) {
        check(views, regularizers[i]);
      }
    }
  }
}

TEST_CASE("squares of C that are none in float count where the weight makes them numbers") {
  const auto [a, b] = random_views<Eigen::MatrixXf>(20, 5, 4);
  const Eigen::MatrixXf small_a = 1e-13F * a, small_b = 1e-13F * b;
  decorr::BarlowTwinsOptions options;
  options.standardize = false;
  options.lambda = 1e30;
  const RealMatrix real_a = small_a.cast<Real>(), real_b = small_b.cast<Real>();
  const decorr::Exact exact;
  CHECK(relative_error(
            decorr::barlow_twins_loss(small_a, small_b, options, exact, quick()).off_diagonal,
            naive::barlow_twins_loss(real_a, real_b, options, exact).off_diagonal) < 1e-5);
}

TEST_CASE("thousands of blocks of C are summed without losing digits") {
  // All at hand, and in parts of sums, where the last block is short.
  struct Shape {
    Index rows, cols, block_size;
  };
  for (const Shape& shape : {Shape{300, 256, 1}, Shape{300, 256, 2}, Shape{300, 255, 2}}) {
    CAPTURE(shape.cols);
    CAPTURE(shape.block_size);
    const auto [a, b] = random_views<Eigen::MatrixXd>(shape.rows, shape.cols, 3);
    decorr::Relaxed relaxed;
    relaxed.block_size = shape.block_size;
    const RealMatrix real_a = a.cast<Real>(), real_b = b.cast<Real>();
    CHECK(relative_error(decorr::r_sum(a, b, relaxed, quick()),
                         naive::cross_correlation_regularizer(real_a, real_b, relaxed)) < 2e-15);
  }
}

TEST_CASE("both routes of the grouped form agree to rounding") {
  using Matrix = RowMajor<double>;
  // Rows beyond a tile of a Gram matrix, blocks beyond a tile of a derivative.
  for (const Shape& shape : {Shape{5, 8}, Shape{17, 13}, Shape{7, 58}, Shape{130, 530}}) {
    const Views<Matrix> views(shape);
    for (const auto& relaxed : grouped_regularizers(shape.cols, 1)) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(describe(relaxed));
      const auto compare = [&](const auto& evaluate) {
        Matrix grads[4];
        for (Matrix& grad : grads) {
          grad.resize(shape.rows, shape.cols);
        }
        const auto both = routes(with_signs_of_both(relaxed));
        const double expected = evaluate(both[0], grads[0], grads[1]);
        CHECK(relative_error(evaluate(both[1], grads[2], grads[3]), expected) < 1e-12);
        CHECK(relative_error(grads[2], grads[0]) < 1e-12);
        CHECK(relative_error(grads[3], grads[1]) < 1e-12);
      };
      compare([&](const auto& routed, Matrix& grad_a, Matrix& grad_b) {
        return regularizer_by(routed, views.a, views.b, grad_a, grad_b);
      });
      compare([&](const auto& routed, Matrix& grad_a, Matrix& grad_b) {
        const auto options = balanced_barlow_twins_options(true, shape.rows);
        return terms_by(routed, views.a, views.b, grad_a, grad_b, options).off_diagonal;
      });
      for (const auto scaling : {CovarianceScaling::per_dimension, CovarianceScaling::block_mean}) {
        compare([&](const auto& routed, Matrix& grad_a, Matrix& grad_b) {
          const auto options = balanced_vicreg_options(false, scaling);
          return terms_by(routed, views.a, views.b, grad_a, grad_b, options).covariance;
        });
      }
    }
  }
}

TEST_CASE_TEMPLATE("sumvec is the sums of the wrapped diagonals", Matrix, EACH_SCALAR) {
  for (const auto& shapes : {kShapes, kSingleSamples}) {
    for (const Shape& shape : shapes) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const Views<Matrix> views(shape);
      CHECK(relative_error(decorr::sumvec(views.a, views.b, quick()),
                           naive::sumvec(views.real_a, views.real_b)) <
            kTolerance<typename Matrix::Scalar>);
    }
  }
}

TEST_CASE_TEMPLATE("the terms of barlow_twins_loss are the definitions", Matrix, EACH_SCALAR) {
  for (const bool standardize : {true, false}) {
    CAPTURE(standardize);
    const auto check = [&](const Views<Matrix>& views, const Regularizer& regularizer) {
      const auto options = balanced_barlow_twins_options(standardize, views.a.rows());
      const auto loss = barlow_twins_loss(regularizer, views.a, views.b, options);
      const auto expected =
          naive::barlow_twins_loss(views.real_a, views.real_b, options, regularizer);
      check_term(loss.value, expected.value);
      check_term(loss.diagonal, expected.diagonal);
      check_term(loss.off_diagonal, expected.off_diagonal);
      check_sum(loss.value, loss.diagonal + loss.off_diagonal);
    };
    for_each_case<Matrix>(kShapes, check);
    if (!standardize) {
      for_each_case<Matrix>(kSingleSamples, check);
    }
  }
}

TEST_CASE_TEMPLATE("the terms of vicreg_loss are the definitions", Matrix, EACH_SCALAR) {
  // The two switches act on different terms, and each term is checked.
  for (const bool switched : {false, true}) {
    CAPTURE(switched);
    const auto options = balanced_vicreg_options(
        switched, switched ? CovarianceScaling::block_mean : CovarianceScaling::per_dimension);
    for_each_case<Matrix>(kShapes, [&](const Views<Matrix>& views, const Regularizer& drawn) {
      const Regularizer regularizer = with_signs_of_both(drawn);
      const auto loss = vicreg_loss(regularizer, views.a, views.b, options);
      const auto expected = naive::vicreg_loss(views.real_a, views.real_b, options, regularizer);
      check_term(loss.value, expected.value);
      check_term(loss.invariance, expected.invariance);
      check_term(loss.variance, expected.variance);
      check_term(loss.covariance, expected.covariance);
      check_sum(loss.value, loss.invariance + loss.variance + loss.covariance);
    });
  }
}

TEST_CASE_TEMPLATE("the terms of variance_covariance_loss are the definitions", Matrix,
                   EACH_SCALAR) {
  for (const auto scaling : {CovarianceScaling::per_dimension, CovarianceScaling::block_mean}) {
    CAPTURE(static_cast<int>(scaling));
    const auto options = balanced_vicreg_options(false, scaling);
    for_each_case<Matrix>(kShapes, [&](const Views<Matrix>& views, const Regularizer& regularizer) {
      const auto loss = variance_covariance_loss(regularizer, views.a, options);
      const auto expected = naive::variance_covariance_loss(views.real_a, options, regularizer);
      check_term(loss.value, expected.value);
      check_term(loss.variance, expected.variance);
      check_term(loss.covariance, expected.covariance);
      check_sum(loss.value, loss.variance + loss.covariance);
    });
  }
}

}  // namespace test_regularizers
