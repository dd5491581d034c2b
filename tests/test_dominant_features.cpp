// Where a few features outweigh the rest, or hardly anything is off the diagonal of C: the forms
// that hold that diagonal in between, against the definition in long double, and of the forms that
// go through Gram matrices against C in the same scalar.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/calls.hpp"
#include "support/loss_cases.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace test_dominant_features {

namespace {

using decorr_tests::argument;
using decorr_tests::Family;
using decorr_tests::Gaussian;
using decorr_tests::LossCase;
using decorr_tests::quick;
using decorr_tests::random_matrix;
using decorr_tests::random_views;
using decorr_tests::Real;
using decorr_tests::RealMatrix;
using decorr_tests::Regularizer;
using decorr_tests::regularizer_by;
using decorr_tests::relative_error;
using decorr_tests::Routed;
using decorr_tests::routes;
using Eigen::Index;
using Matrix = Eigen::MatrixXd;
namespace naive = decorr_tests::naive;

struct Data {
  std::string name;
  Matrix a, b;
};

// Columns that are orthogonal to each other, as good as double has them.
Matrix orthogonal_columns(Index rows, Index cols, std::uint64_t seed) {
  Matrix x = random_matrix<Matrix>(rows, cols, seed);
  for (Index j = 0; j < cols; ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (Index i = 0; i < j; ++i) {
        x.col(j) -= x.col(i).dot(x.col(j)) * x.col(i);
      }
    }
    x.col(j).normalize();
  }
  return x;
}

// What people have, and what they could have. Needs more than 16 columns and fewer rows than those.
std::vector<Data> data_sets(Index rows, Index cols, std::uint64_t seed) {
  std::vector<Data> sets;
  const auto add = [&](const std::string& name, const std::function<void(Matrix&)>& change) {
    auto [a, b] = random_views<Matrix>(rows, cols, seed + sets.size());
    change(a);
    change(b);
    sets.push_back({name, a, b});
    sets.push_back({name + ", one view", a, a});
  };
  const auto scale_columns = [&](const std::string& name, const std::function<double(Index)>& by) {
    add(name, [&](Matrix& x) {
      for (Index j = 0; j < x.cols(); ++j) {
        x.col(j) *= by(j);
      }
    });
  };
  add("ordinary", [](Matrix&) {});
  for (const Index feature : {Index{0}, cols / 2, cols - 1}) {
    for (const double ratio : {1e2, 1e3, 1e4, 1e6, 1e9}) {
      scale_columns("feature " + std::to_string(feature) + " by " + std::to_string(ratio),
                    [&](Index j) { return j == feature ? ratio : 1; });
    }
  }
  for (const Index count : {2, 5, 16}) {
    for (const double ratio : {1e2, 1e4, 1e7}) {
      scale_columns(std::to_string(count) + " features by " + std::to_string(ratio),
                    [&](Index j) { return j * 7 % cols < count ? ratio : 1; });
    }
  }
  scale_columns("powers of ten", [](Index j) { return std::pow(10.0, j % 9); });
  scale_columns("power law", [](Index j) { return std::pow(1.0 + static_cast<double>(j), -2); });
  scale_columns("geometric", [](Index j) { return std::pow(0.8, j % 40); });
  scale_columns("half of them zero", [](Index j) { return j % 2 == 0 ? 1 : 0; });
  add("heavy tails", [](Matrix& x) { x = x.array().cube().cube().eval(); });
  add("one sample by 1e4", [](Matrix& x) { x.row(0) *= 1e4; });
  add("one entry of 1e5", [](Matrix& x) { x(x.rows() - 1, 1) = 1e5; });
  add("mean 10", [](Matrix& x) { x.array() += 10; });
  // Directions over the samples that both views have, but at right angles.
  for (const double mean : {3.0, 30.0, 1e3, 1e5}) {
    auto [a, b] = random_views<Matrix>(rows, cols, seed + 105);
    a.array() += mean;
    b.rowwise() -= b.colwise().mean().eval();
    sets.push_back({"one view's mean " + std::to_string(mean), a, b});
    b.col(1) *= 100;
    sets.push_back({"the same, one feature by 100", a, b});
  }
  for (const double noise : {1e-1, 1e-3}) {
    const Matrix directions = orthogonal_columns(rows, 2, seed + 106);
    const Matrix weights = random_matrix<Matrix>(2, cols, seed + 107);
    sets.push_back(
        {"two directions and noise " + std::to_string(noise),
         directions.col(0) * weights.row(0) + noise * random_matrix<Matrix>(rows, cols, seed + 108),
         directions.col(1) * weights.row(1) +
             noise * random_matrix<Matrix>(rows, cols, seed + 109)});
  }
  const auto [large, small] = random_views<Matrix>(rows, cols, seed + 110);
  sets.push_back({"views of 1e12 and 1e-22", 1e12 * large, 1e-22 * small});
  for (const double ratio : {1.0, 1e2, 1e4}) {
    Matrix x = random_matrix<Matrix>(rows, cols, seed + 100);
    const Index count = std::min<Index>(rows / 2, 5);
    x.leftCols(count) =
        ratio * std::sqrt(static_cast<double>(rows)) * orthogonal_columns(rows, count, seed + 101);
    sets.push_back({"orthogonal features by " + std::to_string(ratio), x, x});
  }
  // As little off the diagonal as the rank allows.
  const Matrix whitened = orthogonal_columns(cols, rows, seed + 102).transpose();
  sets.push_back({"whitened", whitened, whitened});
  // Features that have no sample in common, beside others that have.
  Matrix disjoint = random_matrix<Matrix>(rows, cols, seed + 103);
  const Index half = rows / 2;
  const Eigen::VectorXd own = disjoint.diagonal().head(half);
  disjoint.topRows(half).setZero();
  disjoint.leftCols(half).setZero();
  disjoint.diagonal().head(half) = own;
  sets.push_back({"disjoint", disjoint, disjoint});
  // Nearly so, and all of one sign.
  disjoint.diagonal().head(half) = -own.cwiseAbs();
  disjoint.bottomLeftCorner(rows - half, half) =
      1e-5 * random_matrix<Matrix>(rows - half, half, seed + 111);
  sets.push_back({"nearly disjoint", disjoint, disjoint});
  Matrix diagonal = Matrix::Zero(rows, cols);
  diagonal.diagonal() = random_matrix<Matrix>(rows, 1, seed + 104);
  sets.push_back({"diagonal", diagonal, diagonal});
  return sets;
}

// The largest error of each feature's gradient, over what `scale` has for the feature: 0 for none.
template <class Scalar>
Eigen::ArrayXd feature_errors(const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>& gradient,
                              const RealMatrix& expected, const RealMatrix& scale) {
  Eigen::ArrayXd errors(expected.cols());
  for (Index j = 0; j < expected.cols(); ++j) {
    const Real error =
        (gradient.col(j).template cast<Real>() - expected.col(j)).cwiseAbs().maxCoeff();
    errors[j] = error == 0 ? 0 : static_cast<double>(error / scale.col(j).cwiseAbs().maxCoeff());
  }
  return errors;
}

// Value and gradients by the definition. With each of them the gradient is R's derivative by C,
// which is linear in C's entries, times the other view.
struct Definition {
  Real value;
  RealMatrix grad_a, grad_b;
};
Definition definition(const RealMatrix& a, const RealMatrix& b, Index block_size) {
  const Index d = a.cols(), blocks = (d + block_size - 1) / block_size;
  const auto n = static_cast<Real>(a.rows());
  RealMatrix c = RealMatrix::Zero(blocks * block_size, blocks * block_size);
  c.topLeftCorner(d, d) = naive::correlation(a, b, n);
  RealMatrix slope = RealMatrix::Zero(c.rows(), c.cols());
  Definition result{0, {}, {}};
  for (Index g = 0; g < blocks; ++g) {
    for (Index h = 0; h < blocks; ++h) {
      for (Index lag = g == h ? 1 : 0; lag < block_size; ++lag) {
        const Real sum = naive::lag_sum(c, g * block_size, h * block_size, block_size, lag);
        result.value += sum * sum;
        for (Index j = 0; j < block_size; ++j) {
          slope(g * block_size + j, h * block_size + (j + lag) % block_size) = 2 * sum;
        }
      }
    }
  }
  result.grad_a = b * slope.topLeftCorner(d, d).transpose() / n;
  result.grad_b = a * slope.topLeftCorner(d, d) / n;
  return result;
}

struct Result {
  double value_error;
  Eigen::ArrayXd gradient_errors;  // of each feature, of both views
};

// By one route, against the definition; gradients' errors over `scale`.
template <class Scalar>
Result result_of(const Routed& routed, const Data& data, const Definition& expected,
                 const Definition& scale) {
  using View = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  const View a = data.a.cast<Scalar>(), b = data.b.cast<Scalar>();
  View grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  const Scalar value = regularizer_by(routed, a, b, grad_a, grad_b);
  CHECK(value >= 0);
  Result result{relative_error(static_cast<Real>(value), expected.value),
                Eigen::ArrayXd(2 * a.cols())};
  result.gradient_errors << feature_errors(grad_a, expected.grad_a, scale.grad_a),
      feature_errors(grad_b, expected.grad_b, scale.grad_b);
  return result;
}

// Checks the Gram route of a regularizer against its other route. `scale` is what the gradients'
// errors are measured by.
template <class Scalar>
void check_routes(const Data& data, const Definition& expected, const Definition& scale,
                  const Routed& direct, const Routed& gram) {
  const Result through_c = result_of<Scalar>(direct, data, expected, scale);
  const Result through_gram = result_of<Scalar>(gram, data, expected, scale);
  // Two roundings of the value itself; of the gradient, those of a few terms.
  const double unit = std::numeric_limits<Scalar>::epsilon();
  if (std::isfinite(through_c.value_error)) {
    CHECK(through_gram.value_error <= 10 * std::max(through_c.value_error, 2 * unit));
  }
  if (through_c.gradient_errors.isFinite().all()) {
    CHECK(through_gram.gradient_errors.maxCoeff() <=
          10 * std::max(through_c.gradient_errors.maxCoeff(), 4 * unit));
  }
}

template <class Scalar>
Data rounded(const Data& data) {
  return {data.name, data.a.cast<Scalar>().template cast<double>(),
          data.b.cast<Scalar>().template cast<double>()};
}

}  // namespace

TEST_CASE_TEMPLATE("Gram matrices are as accurate as C, whatever the data", Scalar, float, double) {
  const auto exact = routes();
  struct Shape {
    Index rows, cols;
  };
  // Of 16 rows, eight features are disjoint, which is as many as are singled out at a time.
  for (const Shape& shape :
       {Shape{24, 130}, Shape{63, 64}, Shape{16, 40}, Shape{9, 17}, Shape{2, 5}}) {
    for (const Data& drawn : data_sets(shape.rows, shape.cols, 1)) {
      const Data data = rounded<Scalar>(drawn);
      CAPTURE(data.name);
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const RealMatrix a = data.a.cast<Real>(), b = data.b.cast<Real>();
      const Definition expected = definition(a, b, 1);
      const auto check = [&](const Definition& scale) {
        check_routes<Scalar>(data, expected, scale, exact[0], exact[1]);
      };
      check(expected);
      // What rounding is relative to: the definition of the absolute values. Features that have no
      // sample in common with others have none.
      check(definition(a.cwiseAbs(), b.cwiseAbs(), 1));
    }
  }
}

TEST_CASE_TEMPLATE("Gram matrices of blocks are as accurate as the blocks, whatever the data",
                   Scalar, float, double) {
  struct Shape {
    Index rows, cols, block_size;
  };
  for (const Shape& shape : {Shape{12, 110, 8}, Shape{9, 95, 4}, Shape{20, 64, 3}}) {
    decorr::Relaxed relaxed;
    relaxed.block_size = shape.block_size;
    for (const Data& drawn : data_sets(shape.rows, shape.cols, 2)) {
      // Transforms leave rounding where blocks have no sample in common, or next to none.
      if (drawn.name == "disjoint" || drawn.name == "nearly disjoint") continue;
      const Data data = rounded<Scalar>(drawn);
      CAPTURE(data.name);
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const Definition expected =
          definition(data.a.cast<Real>(), data.b.cast<Real>(), shape.block_size);
      const auto grouped = routes(relaxed);
      check_routes<Scalar>(data, expected, expected, grouped[0], grouped[1]);
    }
  }
}

TEST_CASE_TEMPLATE("a dominant feature costs transforms no digits", Scalar, float, double) {
  // Of docs/numerics.md's bound for a value of the size of what it is made of.
  constexpr double kRounding = 32 * std::numeric_limits<Scalar>::epsilon();
  using View = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  struct Shape {
    Index rows, cols, block_size;
  };
  for (const Shape& shape :
       {Shape{40, 25, 0}, Shape{12, 100, 0}, Shape{40, 25, 7}, Shape{12, 100, 16}, Shape{5, 100, 8},
        Shape{2, 3, 0}, Shape{40, 25, 1}, Shape{12, 100, 1}}) {
    for (const double ratio : {1e3, 1e4, 1e6, 1e9}) {
      for (const Index feature : {Index{0}, shape.cols / 2, shape.cols - 1}) {
        auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 5);
        a.col(feature) *= ratio;
        b.col(feature) *= ratio / 8;
        const Data data = rounded<Scalar>({"", a, b});
        CAPTURE(shape.rows);
        CAPTURE(shape.cols);
        CAPTURE(shape.block_size);
        CAPTURE(ratio);
        CAPTURE(feature);
        const Definition expected =
            definition(data.a.cast<Real>(), data.b.cast<Real>(),
                       shape.block_size == 0 ? shape.cols : shape.block_size);
        const View x = data.a.cast<Scalar>(), y = data.b.cast<Scalar>();
        View grad_x(x.rows(), x.cols()), grad_y(x.rows(), x.cols());
        decorr::Relaxed relaxed;
        relaxed.block_size = shape.block_size;
        const Scalar value = decorr::r_sum(x, y, grad_x, grad_y, relaxed, quick());
        CHECK(relative_error(static_cast<Real>(value), expected.value) < kRounding);
        CHECK(relative_error(grad_x.template cast<Real>(), expected.grad_a) < kRounding);
        CHECK(relative_error(grad_y.template cast<Real>(), expected.grad_b) < kRounding);
      }
    }
  }
}

TEST_CASE("a feature that is alone in its view is not made too small") {
  const Index n = 40, d = 24;
  // The first one is too small to be made smaller.
  for (const float size : {1e-31F, 1e-27F, 1e-25F, 1e-21F, 1.0F}) {
    for (const Index block_size : {Index{0}, Index{7}}) {
      CAPTURE(size);
      CAPTURE(block_size);
      Eigen::MatrixXf a = Eigen::MatrixXf::Zero(n, d);
      Eigen::MatrixXf b = random_matrix<Eigen::MatrixXf>(n, d, 2) / size * 1e-16F;
      a.col(3) = size * random_matrix<Eigen::MatrixXf>(n, 1, 1);
      b.col(3) *= 100;
      decorr::Relaxed relaxed;
      relaxed.block_size = block_size;
      const RealMatrix real_a = a.cast<Real>(), real_b = b.cast<Real>();
      const Definition expected = definition(real_a, real_b, block_size == 0 ? d : block_size);
      Eigen::MatrixXf grad_a(n, d), grad_b(n, d);
      const float value = decorr::r_sum(a, b, grad_a, grad_b, relaxed, quick());
      const double tolerance = size < 1e-30F ? 2e-5 : 2e-6;
      CHECK(relative_error(static_cast<Real>(value), expected.value) < tolerance);
      CHECK(relative_error(grad_a.cast<Real>(), expected.grad_a) < 2 * tolerance);
    }
  }
}

TEST_CASE("a feature by most of the scalar's range") {
  const Index n = 40, d = 24;
  auto [a, b] = random_views<Eigen::MatrixXf>(n, d, 18);
  for (Eigen::MatrixXf* view : {&a, &b}) {
    *view *= 1e-15F;
    view->col(0) *= 1e30F;
  }
  const Definition expected = definition(a.cast<Real>(), b.cast<Real>(), d);
  Eigen::MatrixXf grad_a(n, d), grad_b(n, d);
  const float value = decorr::r_sum(a, b, grad_a, grad_b, {}, quick());
  CHECK(relative_error(static_cast<Real>(value), expected.value) < 2e-6);
  CHECK(relative_error(grad_a.cast<Real>(), expected.grad_a) < 2e-6);
}

TEST_CASE("a dominant feature is found behind samples of zeros") {
  const Index n = 40, d = 24;
  auto [a, b] = random_views<Eigen::MatrixXf>(n, d, 17);
  for (Eigen::MatrixXf* view : {&a, &b}) {
    view->col(3) *= 1e6F;
    view->topRows(4).setZero();
  }
  const Definition expected = definition(a.cast<Real>(), b.cast<Real>(), d);
  Eigen::MatrixXf grad_a(n, d), grad_b(n, d);
  const float value = decorr::r_sum(a, b, grad_a, grad_b, {}, quick());
  CHECK(relative_error(static_cast<Real>(value), expected.value) < 2e-6);
  CHECK(relative_error(grad_a.cast<Real>(), expected.grad_a) < 2e-6);
  CHECK(relative_error(grad_b.cast<Real>(), expected.grad_b) < 2e-6);
}

TEST_CASE("epsilon hides no dominant feature") {
  const Index n = 40, d = 24;
  for (const Index block_size : {Index{0}, Index{7}, Index{1}}) {
    CAPTURE(block_size);
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    auto [a, b] = random_views<Eigen::MatrixXf>(n, d, 19);
    a *= 1e-6F;
    b *= 1e-6F;
    a.col(3) *= 1e6F;
    b.col(3) *= 1e6F;
    const RealMatrix real_a = a.cast<Real>(), real_b = b.cast<Real>();
    const decorr::VicregOptions vicreg;
    CHECK(relative_error(decorr::variance_covariance_loss(a, vicreg, relaxed, quick()).covariance,
                         naive::variance_covariance_loss(real_a, vicreg, relaxed).covariance) <
          2e-6);
    const decorr::BarlowTwinsOptions barlow_twins;
    const Real wanted =
        naive::barlow_twins_loss(real_a, real_b, barlow_twins, relaxed).off_diagonal;
    CHECK(
        relative_error(decorr::barlow_twins_loss(a, b, barlow_twins, relaxed, quick()).off_diagonal,
                       wanted) < 2e-6);
    // Over all pairs of three views there is another route.
    const std::vector<Eigen::MatrixXf> views{a, b, b};
    const Real of_pairs =
        2 * wanted + naive::barlow_twins_loss(real_b, real_b, barlow_twins, relaxed).off_diagonal;
    CHECK(relative_error(decorr::barlow_twins_loss_of_views(views, decorr::ViewCombination::pairs,
                                                            barlow_twins, relaxed, quick())
                             .off_diagonal,
                         of_pairs) < 2e-6);
  }
}

TEST_CASE("one dominant feature in every loss, float") {
  // Hidden layers of language models have such features.
  const Index n = 40, d = 230;
  Eigen::MatrixXf a = 0.05F * random_matrix<Eigen::MatrixXf>(n, d, 1);
  Eigen::MatrixXf b = 0.7F * a + 0.035F * random_matrix<Eigen::MatrixXf>(n, d, 2);
  for (const Index feature : {Index{0}, Index{201}}) {
    Eigen::MatrixXf x = a, y = b;
    x.col(feature) *= 1e4F;
    y.col(feature) *= 1e4F;
    const RealMatrix real_x = x.cast<Real>(), real_y = y.cast<Real>();
    decorr::Relaxed grouped;
    grouped.block_size = 4;
    for (const Regularizer& regularizer : {Regularizer(decorr::Exact{}), Regularizer(grouped)}) {
      CAPTURE(feature);
      CAPTURE(regularizer.index());
      const double tolerance = 1e-6;
      const decorr::VicregOptions vicreg;
      CHECK(
          relative_error(decorr_tests::variance_covariance_loss(regularizer, x, vicreg).covariance,
                         naive::variance_covariance_loss(real_x, vicreg, regularizer).covariance) <
          tolerance);
      CHECK(relative_error(decorr_tests::vicreg_loss(regularizer, x, y, vicreg).covariance,
                           naive::vicreg_loss(real_x, real_y, vicreg, regularizer).covariance) <
            tolerance);
      CHECK(relative_error(decorr_tests::cross_correlation_regularizer(regularizer, x, y),
                           naive::cross_correlation_regularizer(real_x, real_y, regularizer)) <
            tolerance);
      decorr::BarlowTwinsOptions barlow_twins;
      barlow_twins.standardize = false;
      CHECK(relative_error(
                decorr_tests::barlow_twins_loss(regularizer, x, y, barlow_twins).off_diagonal,
                naive::barlow_twins_loss(real_x, real_y, barlow_twins, regularizer).off_diagonal) <
            tolerance);
    }
  }
}

TEST_CASE("a dominant feature costs no loss digits, float") {
  const Index n = 10, d = 13;
  for (const double ratio : {3e2, 1e4, 1e7}) {
    for (const Index feature : {Index{0}, Index{7}}) {
      auto [a, b] = random_views<Matrix>(n, d, 11);
      a.col(feature) *= ratio;
      b.col(feature) *= ratio;
      const Eigen::MatrixXf x = a.cast<float>(), y = b.cast<float>();
      const RealMatrix real_x = x.cast<Real>(), real_y = y.cast<Real>();
      for (LossCase loss : decorr_tests::loss_cases(d, 4)) {
        loss.barlow_twins.standardize = false;
        // The terms that are linear in the large feature are not to hide the others.
        loss.barlow_twins.lambda = 1;
        loss.vicreg.invariance = loss.vicreg.variance = 0;
        CAPTURE(ratio);
        CAPTURE(feature);
        CAPTURE(loss.name);
        Eigen::MatrixXf grad_x = Eigen::MatrixXf::Zero(n, d), grad_y = grad_x;
        const auto value = static_cast<Real>(loss(x, y, grad_x, grad_y));
        if (loss.family == Family::barlow_twins) {
          // Its diagonal term, which has the feature's product with itself, hides the other.
          const auto terms =
              decorr::barlow_twins_loss(x, y, loss.barlow_twins, argument(loss.regularizer));
          const auto wanted =
              naive::barlow_twins_loss(real_x, real_y, loss.barlow_twins, loss.regularizer);
          CHECK(relative_error(terms.diagonal, wanted.diagonal) < 2e-6);
          CHECK(relative_error(terms.off_diagonal, wanted.off_diagonal) < 2e-6);
          continue;
        }
        CHECK(relative_error(value, loss.definition(real_x, real_y)) < 2e-6);
        // The gradient in some directions, by central differences of the definition.
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
          const auto directions = random_views<Matrix>(n, d, 20 + seed);
          const RealMatrix of_x = directions.first.cast<Real>(),
                           of_y = (loss.is_single_view() ? 0 : 1) * directions.second.cast<Real>();
          const Real step = 1e-6L;
          const Real expected = (loss.definition(real_x + step * of_x, real_y + step * of_y) -
                                 loss.definition(real_x - step * of_x, real_y - step * of_y)) /
                                (2 * step);
          const Real actual = grad_x.cast<Real>().cwiseProduct(of_x).sum() +
                              grad_y.cast<Real>().cwiseProduct(of_y).sum();
          const Real size = std::sqrt(grad_x.cast<Real>().squaredNorm() * of_x.squaredNorm() +
                                      grad_y.cast<Real>().squaredNorm() * of_y.squaredNorm());
          CHECK(std::abs(actual - expected) <= 1e-6L * size);
        }
      }
    }
  }
}

TEST_CASE("a view with a dominant feature beside one without") {
  const Index n = 40, d = 60;
  // Row-major, which takes the last step of both views row by row.
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  auto [a, b] = random_views<Rows>(n, d, 13);
  b.col(31) *= 1e3;
  for (const Index block_size : {Index{0}, Index{16}, Index{4}}) {
    CAPTURE(block_size);
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    Rows grad_a(n, d), grad_b(n, d), alone(n, d);
    decorr::VicregOptions options;
    options.invariance = 0;
    const auto check = [&](const Rows& first, const Rows& second) {
      const auto both =
          decorr::vicreg_loss(first, second, grad_a, grad_b, options, relaxed, quick());
      const auto of_first =
          decorr::variance_covariance_loss(first, alone, options, relaxed, quick());
      CHECK(relative_error(grad_a, alone) < 1e-10);
      const auto of_second =
          decorr::variance_covariance_loss(second, alone, options, relaxed, quick());
      CHECK(relative_error(grad_b, alone) < 1e-10);
      CHECK(relative_error(both.covariance, of_first.covariance + of_second.covariance) < 1e-12);
    };
    options.variance = 0;
    check(a, b);
    check(b, a);
  }
}

TEST_CASE("a dominant feature costs a batch in parts no digits, float") {
  const Index n = 40, d = 60;
  auto [a, b] = random_views<Matrix>(n, d, 12);
  a.col(31) *= 1e6;
  b.col(31) *= 1e6;
  const Eigen::MatrixXf x = a.cast<float>(), y = b.cast<float>();
  for (const Index block_size : {Index{0}, Index{16}}) {
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    Eigen::MatrixXf grad_x(n, d), grad_y(n, d), whole_x(n, d), whole_y(n, d);
    decorr::VicregBatch<float> batch(d, {}, relaxed, quick());
    while (batch.has_pass()) {
      batch.add(x.topRows(15), y.topRows(15));
      batch.add(x.bottomRows(25), y.bottomRows(25));
      batch.end_pass();
    }
    batch.gradient(x.topRows(15), y.topRows(15), grad_x.topRows(15), grad_y.topRows(15));
    batch.gradient(x.bottomRows(25), y.bottomRows(25), grad_x.bottomRows(25),
                   grad_y.bottomRows(25));
    const auto whole = decorr::vicreg_loss(x, y, whole_x, whole_y, {}, relaxed, quick());
    CHECK(relative_error(batch.loss().covariance, whole.covariance) < 1e-6);
    CHECK(relative_error(
              whole.covariance,
              naive::vicreg_loss(x.cast<Real>(), y.cast<Real>(), {}, relaxed).covariance) < 1e-6);
    CHECK(relative_error(grad_x, whole_x) < 4e-6);
    CHECK(relative_error(grad_y, whole_y) < 4e-6);
  }
}

TEST_CASE("no value is negative") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Eigen::MatrixXf z = 0.1F * random_matrix<Eigen::MatrixXf>(32, 64, seed);
    z.col(static_cast<Index>(seed) % 64) *= 1e4F;
    CHECK(decorr::variance_covariance_loss(z).covariance > 0);
    Eigen::MatrixXd diagonal = Eigen::MatrixXd::Zero(9, 20);
    diagonal.diagonal() = random_matrix<Eigen::MatrixXd>(9, 1, seed);
    CHECK(decorr::r_off(diagonal, diagonal) == 0);
    const Eigen::MatrixXf single = diagonal.cast<float>();
    CHECK(decorr::r_off(single, single) == 0);
  }
}

TEST_CASE("the result does not depend on the number of threads where the route changes") {
  const auto sets = data_sets(30, 100, 3);
  decorr::Relaxed grouped;
  grouped.block_size = 3;
  for (const Data& data : sets) {
    CAPTURE(data.name);
    const auto call = [&](int threads, Matrix& grad_a, Matrix& grad_b, const auto& regularizer) {
      decorr::Execution execution = quick();
      execution.threads = threads;
      return decorr::vicreg_loss(data.a, data.b, grad_a, grad_b, {}, regularizer, execution).value;
    };
    const auto check = [&](const auto& regularizer) {
      Matrix grad_a(30, 100), grad_b(30, 100), other_grad_a(30, 100), other_grad_b(30, 100);
      CHECK(call(1, grad_a, grad_b, regularizer) ==
            call(3, other_grad_a, other_grad_b, regularizer));
      CHECK(grad_a == other_grad_a);
      CHECK(grad_b == other_grad_b);
    };
    check(decorr::Exact{});
    check(grouped);
  }
}

}  // namespace test_dominant_features
