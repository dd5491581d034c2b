// Gradients against central differences of the definitions, taken in long double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/differences.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace test_gradients {

namespace {

using namespace decorr_tests;
using decorr::CovarianceScaling;

// Largest difference over largest entry.
constexpr double kTolerance = 1e-7;
// Data are of order one. Small enough for the truncation, and that few steps cross a kink; large
// enough for long double's rounding.
constexpr Real kStep = 0x1p-18L;
// Of each view; more would take long, under a sanitizer above all.
#if defined(DECORR_TESTS_SANITIZED)
constexpr Index kMostEntries = 2;
#else
constexpr Index kMostEntries = 24;
#endif

// n = 2, odd n, rows beyond a tile (16) and a chunk (64) of the library's, large prime factors.
const std::vector<Shape> kShapes{{2, 1},  {5, 1},  {2, 2},  {3, 2},  {2, 3},
                                 {7, 3},  {2, 7},  {6, 7},  {3, 8},  {17, 8},
                                 {2, 31}, {9, 31}, {3, 62}, {3, 64}, {67, 5}};
const std::vector<Shape> kSingleSamples{{1, 1}, {1, 3}, {1, 8}};

// Entries spread over the matrix, and one direction in which all of them change.
std::vector<RealMatrix> directions(const Shape& shape) {
  auto everywhere = random_matrix<RealMatrix>(shape.rows, shape.cols, 1);
  everywhere /= everywhere.norm();
  std::vector<RealMatrix> result{everywhere};
  const Index entries = shape.rows * shape.cols, picked = std::min(entries, kMostEntries);
  for (Index i = 0; i < picked; ++i) {
    const Index entry = i * entries / picked;
    result.emplace_back(RealMatrix::Zero(shape.rows, shape.cols));
    result.back()(entry / shape.cols, entry % shape.cols) = 1;
  }
  return result;
}

// Of each view along each direction.
struct Derivatives {
  explicit Derivatives(std::size_t count)
      : a(static_cast<Index>(count)), b(static_cast<Index>(count)) {}
  Eigen::Matrix<Real, Eigen::Dynamic, 1> a, b;
};

template <class Definition>
std::optional<Derivatives> differences(const Definition& definition, const RealMatrix& a,
                                       const RealMatrix& b,
                                       const std::vector<RealMatrix>& directions) {
  const RealMatrix still = RealMatrix::Zero(a.rows(), a.cols());
  Derivatives result(directions.size());
  for (std::size_t i = 0; i < directions.size(); ++i) {
    const auto by_a = central_difference(definition, a, b, directions[i], still, kStep);
    const auto by_b = central_difference(definition, a, b, still, directions[i], kStep);
    if (!by_a || !by_b) {
      return std::nullopt;
    }
    result.a[static_cast<Index>(i)] = *by_a;
    result.b[static_cast<Index>(i)] = *by_b;
  }
  return result;
}

template <class Matrix>
Real inner_product(const Matrix& gradient, const RealMatrix& direction) {
  return gradient.template cast<Real>().cwiseProduct(direction).sum();
}

template <class Matrix, class Library>
void compare(const Library& library, const Matrix& a, const Matrix& b,
             const std::vector<RealMatrix>& directions, const Derivatives& expected) {
  CAPTURE(bool(Matrix::IsRowMajor));
  Matrix grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  library(a, b, grad_a, grad_b);
  Derivatives actual(directions.size());
  for (std::size_t i = 0; i < directions.size(); ++i) {
    actual.a[static_cast<Index>(i)] = inner_product(grad_a, directions[i]);
    actual.b[static_cast<Index>(i)] = inner_product(grad_b, directions[i]);
  }
  CHECK(relative_error(actual.a, expected.a) < kTolerance);
  CHECK(relative_error(actual.b, expected.b) < kTolerance);
}

// definition(a, b, sides) is the value, library(a, b, grad_a, grad_b) writes the gradients. Views
// are drawn again where a step would cross a kink.
template <class Definition, class Library>
void check_gradients(const Shape& shape, const Definition& definition, const Library& library) {
  const auto along = directions(shape);
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto [a, b] = random_views<ColumnMajor<double>>(shape.rows, shape.cols, seed);
    const auto expected = differences(definition, a.cast<Real>(), b.cast<Real>(), along);
    if (expected) {
      CAPTURE(seed);
      compare<ColumnMajor<double>>(library, a, b, along, *expected);
      compare<RowMajor<double>>(library, a, b, along, *expected);
      return;
    }
  }
  FAIL("every draw is near a kink");
}

// Where the function is smooth, a central difference is off by a multiple of the squared step and
// no more: halving the step divides the error by four, unless the gradient itself is off.
template <class Definition, class Library>
void check_order(const Shape& shape, const Definition& definition, const Library& library) {
  const auto [a, b] = random_views<ColumnMajor<double>>(shape.rows, shape.cols, 5);
  ColumnMajor<double> grad_a(shape.rows, shape.cols), grad_b(shape.rows, shape.cols);
  library(a, b, grad_a, grad_b);
  const RealMatrix real_a = a.cast<Real>(), real_b = b.cast<Real>();
  const RealMatrix along_a = random_matrix<RealMatrix>(shape.rows, shape.cols, 6).normalized();
  const RealMatrix along_b = random_matrix<RealMatrix>(shape.rows, shape.cols, 7).normalized();
  const Real derivative = inner_product(grad_a, along_a) + inner_product(grad_b, along_b);
  const auto error = [&](Real step) {
    const auto difference = central_difference(definition, real_a, real_b, along_a, along_b, step);
    REQUIRE(difference.has_value());
    return *difference - derivative;
  };
  // Far above rounding.
  const Real step = 0x1p-9L;
  CHECK(static_cast<double>(error(step) / error(step / 2)) == doctest::Approx(4).epsilon(1e-3));
}

template <class Check>
void for_each_case(const std::vector<Shape>& shapes, const Check& check) {
  for (const Shape& shape : shapes) {
    for (const Regularizer& regularizer : all_regularizers(shape.cols, 1)) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(describe(regularizer));
      check(shape, regularizer);
    }
  }
}

// Every function as a pair: its definition's value, its gradients by the library.
template <class Check>
void with_cross_correlation_regularizer(const Regularizer& regularizer, const Check& check) {
  check(
      [&](const auto& a, const auto& b, naive::Sides* sides) {
        return naive::cross_correlation_regularizer(a, b, regularizer, sides);
      },
      [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
        cross_correlation_regularizer(regularizer, a, b, grad_a, grad_b);
      });
}

template <class Check>
void with_barlow_twins_loss(const decorr::BarlowTwinsOptions& options,
                            const Regularizer& regularizer, const Check& check) {
  check(
      [&](const auto& a, const auto& b, naive::Sides* sides) {
        return naive::barlow_twins_loss(a, b, options, regularizer, sides).value;
      },
      [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
        barlow_twins_loss(regularizer, a, b, grad_a, grad_b, options);
      });
}

template <class Check>
void with_vicreg_loss(const decorr::VicregOptions& options, const Regularizer& drawn,
                      const Check& check) {
  const Regularizer regularizer = with_signs_of_both(drawn);
  check(
      [&](const auto& a, const auto& b, naive::Sides* sides) {
        return naive::vicreg_loss(a, b, options, regularizer, sides).value;
      },
      [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
        vicreg_loss(regularizer, a, b, grad_a, grad_b, options);
      });
}

// There is one view; the value does not depend on a second one.
template <class Check>
void with_variance_covariance_loss(const decorr::VicregOptions& options,
                                   const Regularizer& regularizer, const Check& check) {
  check(
      [&](const auto& z, const auto&, naive::Sides* sides) {
        return naive::variance_covariance_loss(z, options, regularizer, sides).value;
      },
      [&](const auto& z, const auto&, auto& grad, auto& no_gradient) {
        variance_covariance_loss(regularizer, z, grad, options);
        no_gradient.setZero();
      });
}

// For the functions above.
auto gradients_of(const Shape& shape) {
  return [&shape](const auto& definition, const auto& library) {
    check_gradients(shape, definition, library);
  };
}

}  // namespace

TEST_CASE("gradients of r_off and r_sum") {
  const auto check = [](const Shape& shape, const Regularizer& regularizer) {
    with_cross_correlation_regularizer(regularizer, gradients_of(shape));
  };
  for_each_case(kShapes, check);
  for_each_case(kSingleSamples, check);
}

TEST_CASE("gradients of r_off by either route") {
  for (const auto& shapes : {kShapes, kSingleSamples}) {
    for (const Shape& shape : shapes) {
      for (const auto& routed : routes()) {
        CAPTURE(shape.rows);
        CAPTURE(shape.cols);
        CAPTURE(static_cast<int>(routed.route));
        check_gradients(
            shape,
            [](const auto& a, const auto& b, naive::Sides* sides) {
              return naive::cross_correlation_regularizer(a, b, decorr::Exact{}, sides);
            },
            [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
              regularizer_by(routed, a, b, grad_a, grad_b);
            });
      }
    }
  }
}

TEST_CASE("gradients of the grouped form by either route") {
  const auto check = [](const Shape& shape, const Routed& routed) {
    const Regularizer& regularizer = routed.regularizer;
    check_gradients(
        shape,
        [&](const auto& a, const auto& b, naive::Sides* sides) {
          return naive::cross_correlation_regularizer(a, b, regularizer, sides);
        },
        [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
          regularizer_by(routed, a, b, grad_a, grad_b);
        });
    for (const auto scaling : {CovarianceScaling::per_dimension, CovarianceScaling::block_mean}) {
      if (shape.rows == 1) {
        continue;
      }
      const auto options = balanced_vicreg_options(false, scaling);
      check_gradients(
          shape,
          [&](const auto& a, const auto& b, naive::Sides* sides) {
            return naive::vicreg_loss(a, b, options, regularizer, sides).value;
          },
          [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) {
            terms_by(routed, a, b, grad_a, grad_b, options);
          });
    }
  };
  for (const auto& shapes : {kShapes, kSingleSamples}) {
    for (const Shape& shape : shapes) {
      for (const auto& relaxed : grouped_regularizers(shape.cols, 1)) {
        for (const auto& routed : routes(with_signs_of_both(relaxed))) {
          CAPTURE(shape.rows);
          CAPTURE(shape.cols);
          CAPTURE(describe(relaxed));
          CAPTURE(static_cast<int>(routed.route));
          check(shape, routed);
        }
      }
    }
  }
}

TEST_CASE("gradients of barlow_twins_loss") {
  for (const bool standardize : {true, false}) {
    CAPTURE(standardize);
    const auto check = [&](const Shape& shape, const Regularizer& regularizer) {
      with_barlow_twins_loss(balanced_barlow_twins_options(standardize, shape.rows), regularizer,
                             gradients_of(shape));
    };
    for_each_case(kShapes, check);
    if (!standardize) {
      for_each_case(kSingleSamples, check);
    }
  }
}

TEST_CASE("gradients of vicreg_loss") {
  // The two switches act on different terms.
  for (const bool switched : {false, true}) {
    CAPTURE(switched);
    const auto options = balanced_vicreg_options(
        switched, switched ? CovarianceScaling::block_mean : CovarianceScaling::per_dimension);
    for_each_case(kShapes, [&](const Shape& shape, const Regularizer& regularizer) {
      with_vicreg_loss(options, regularizer, gradients_of(shape));
    });
  }
}

TEST_CASE("gradients of variance_covariance_loss") {
  for (const auto scaling : {CovarianceScaling::per_dimension, CovarianceScaling::block_mean}) {
    CAPTURE(static_cast<int>(scaling));
    const auto options = balanced_vicreg_options(false, scaling);
    for_each_case(kShapes, [&](const Shape& shape, const Regularizer& regularizer) {
      with_variance_covariance_loss(options, regularizer, gradients_of(shape));
    });
  }
}

TEST_CASE("the error of central differences falls by four when the step is halved") {
  // The hinge of every feature is active, far from its kink.
  auto vicreg = balanced_vicreg_options(false, CovarianceScaling::per_dimension);
  vicreg.gamma = 10;
  for_each_case({{9, 2}, {6, 7}, {17, 8}, {9, 31}, {5, 64}}, [&](const Shape& shape,
                                                                 const Regularizer& regularizer) {
    const auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
    if (relaxed != nullptr && relaxed->exponent == 1) {
      return;
    }
    const auto check = [&](const auto& definition, const auto& library) {
      check_order(shape, definition, library);
    };
    with_cross_correlation_regularizer(regularizer, check);
    with_barlow_twins_loss(balanced_barlow_twins_options(true, shape.rows), regularizer, check);
    with_vicreg_loss(vicreg, regularizer, check);
    with_variance_covariance_loss(vicreg, regularizer, check);
  });
}

TEST_CASE_TEMPLATE("gradients in float and long double are those in double", Scalar, float,
                   long double) {
  const double tolerance = std::is_same_v<Scalar, float> ? 1e-5 : 1e-12;
  const auto vicreg = balanced_vicreg_options(true, CovarianceScaling::block_mean);
  for_each_case(
      {{7, 3}, {17, 8}, {9, 31}, {67, 5}}, [&](const Shape& shape, const Regularizer& regularizer) {
        // The same numbers in all types.
        const auto [a, b] = random_views<RowMajor<float>>(shape.rows, shape.cols, 3);
        const RowMajor<Scalar> own_a = a.template cast<Scalar>(), own_b = b.template cast<Scalar>();
        const RowMajor<double> double_a = a.template cast<double>(),
                               double_b = b.template cast<double>();
        const auto check = [&](const auto&, const auto& library) {
          RowMajor<Scalar> grad_a(shape.rows, shape.cols), grad_b(shape.rows, shape.cols);
          RowMajor<double> expected_a(shape.rows, shape.cols), expected_b(shape.rows, shape.cols);
          library(own_a, own_b, grad_a, grad_b);
          library(double_a, double_b, expected_a, expected_b);
          CHECK(relative_error(grad_a, expected_a) < tolerance);
          CHECK(relative_error(grad_b, expected_b) < tolerance);
        };
        with_cross_correlation_regularizer(regularizer, check);
        with_barlow_twins_loss(balanced_barlow_twins_options(true, shape.rows), regularizer, check);
        with_vicreg_loss(vicreg, regularizer, check);
        with_variance_covariance_loss(vicreg, regularizer, check);
      });
}

}  // namespace test_gradients
