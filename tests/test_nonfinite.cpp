// NaN and infinity in the data reach every result that depends on them and crash nothing; constant
// features and extreme magnitudes stay finite where the mathematics does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <decorr/decorr.hpp>
#include <limits>
#include <string>
#include <vector>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_nonfinite {

namespace {

using decorr_tests::Family;
using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using decorr_tests::relative_error;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::MatrixXf;
template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Flags = Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic>;

// The entries of a gradient that depend on a given entry of the data.
struct Dependence {
  Flags own, other;  // of the view that holds the entry, and of the other one
};

// The block that a feature is in; a block of its own for Exact.
Index block_of(const LossCase& loss_case, Index feature) {
  const decorr::Relaxed* relaxed = loss_case.relaxed();
  if (relaxed == nullptr) return feature;
  if (relaxed->block_size == 0) return 0;
  const auto& permutation = relaxed->permutation;
  const Index position =
      permutation.empty()
          ? feature
          : std::find(permutation.begin(), permutation.end(), feature) - permutation.begin();
  return position / relaxed->block_size;
}

// Of R(C) and x = a_kj: row j of C depends on it, hence every lag of the blocks that j's block
// takes part in. dA_l is made of row l's blocks of C and of B; dB_l of column l's blocks and of A.
Dependence dependence(const LossCase& loss_case, Index rows, Index features, Index sample,
                      Index feature) {
  Dependence depends{Flags::Constant(rows, features, false),
                     Flags::Constant(rows, features, false)};
  const bool covariance =
      loss_case.family == Family::vicreg || loss_case.family == Family::variance_covariance;
  if (covariance) {
    // K's row and column j, and so each of its block rows; the other view only through A - B.
    depends.own.setConstant(true);
    depends.other(sample, feature) = loss_case.family == Family::vicreg;
    return depends;
  }
  const bool exact = loss_case.relaxed() == nullptr;
  for (Index l = 0; l < features; ++l) {
    const bool same_block = block_of(loss_case, l) == block_of(loss_case, feature);
    depends.own.col(l).setConstant(same_block);
    // The exact form leaves C_jj out; Barlow Twins has it in its diagonal term.
    depends.other.col(l).setConstant(!(exact && same_block) ||
                                     loss_case.family == Family::barlow_twins);
  }
  return depends;
}

// Every entry that is marked satisfies `condition`.
template <class Condition>
bool all_marked(const MatrixXd& matrix, const Flags& marked, const Condition& condition) {
  for (Index k = 0; k < matrix.rows(); ++k) {
    for (Index j = 0; j < matrix.cols(); ++j) {
      if (marked(k, j) && !condition(matrix(k, j))) return false;
    }
  }
  return true;
}

bool is_nan(double x) { return std::isnan(x); }
bool is_not_finite(double x) { return !std::isfinite(x); }

void check_propagation(Index rows, Index features, Index block_size, double bad) {
  const MatrixXd good_a = random_matrix<MatrixXd>(rows, features, 1);
  const MatrixXd good_b = random_matrix<MatrixXd>(rows, features, 2);
  const auto bad_result = std::isnan(bad) ? is_nan : is_not_finite;
  for (LossCase loss_case : loss_cases(features, block_size)) {
    for (const double gamma : {1.0, 0.0}) {  // the hinge open, and closed but for the NaN
      loss_case.vicreg.gamma = gamma;
      CAPTURE(loss_case.name);
      CAPTURE(gamma);
      // In the first, a middle and the last tile of rows.
      for (const Index sample : {Index{0}, rows / 2, rows - 1}) {
        CAPTURE(sample);
        const Index feature = sample % features;
        const Dependence depends = dependence(loss_case, rows, features, sample, feature);
        for (const bool in_a : {true, false}) {
          CAPTURE(in_a);
          if (!in_a && loss_case.is_single_view()) continue;
          MatrixXd a = good_a, b = good_b;
          (in_a ? a : b)(sample, feature) = bad;
          MatrixXd grad_a = MatrixXd::Zero(rows, features), grad_b = grad_a;
          const double value = loss_case(a, b, grad_a, grad_b);
          // Standardization and centring turn an infinity into NaN.
          CHECK((loss_case.family == Family::regularizer ? bad_result(value) : is_nan(value)));
          CHECK(bad_result(loss_case(a, b)));
          CHECK(all_marked(in_a ? grad_a : grad_b, depends.own, bad_result));
          CHECK(all_marked(in_a ? grad_b : grad_a, depends.other, bad_result));
        }
      }
    }
  }
}

struct FloatResults {
  float value;
  MatrixXf grad_a, grad_b;
};

FloatResults evaluate(const LossCase& loss_case, const MatrixXf& a, const MatrixXf& b) {
  FloatResults results{0, MatrixXf::Zero(a.rows(), a.cols()), MatrixXf::Zero(a.rows(), a.cols())};
  results.value = loss_case(a, b, results.grad_a, results.grad_b);
  return results;
}

void check_finite(const LossCase& loss_case, const MatrixXf& a, const MatrixXf& b) {
  const FloatResults results = evaluate(loss_case, a, b);
  CHECK(std::isfinite(results.value));
  CHECK(results.grad_a.allFinite());
  CHECK(results.grad_b.allFinite());
}

}  // namespace

TEST_CASE("NaN in, NaN out in the value and in the gradients that depend on it") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  check_propagation(40, 8, 3, nan);  // exact through C
  check_propagation(5, 8, 4, nan);   // exact through the Gram matrices
  check_propagation(3, 24, 2, nan);  // the grouped form as well
}

TEST_CASE("infinity in, nothing finite out in what depends on it") {
  for (const double infinity :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    check_propagation(40, 8, 3, infinity);
    check_propagation(5, 8, 4, infinity);
    check_propagation(3, 24, 2, infinity);
  }
}

TEST_CASE("each term of a loss that depends on a NaN is one") {
  // In the value one term could hide what another one loses.
  const MatrixXd good = random_matrix<MatrixXd>(20, 6, 1);
  MatrixXd bad = good;
  bad(17, 2) = std::numeric_limits<double>::quiet_NaN();
  for (const double gamma : {1.0, 0.0}) {
    CAPTURE(gamma);
    decorr::VicregOptions options;
    options.gamma = gamma;
    const auto vicreg = decorr::vicreg_loss(good, bad, options);
    CHECK(std::isnan(vicreg.invariance));
    CHECK(std::isnan(vicreg.variance));
    CHECK(std::isnan(vicreg.covariance));
    const auto single = decorr::variance_covariance_loss(bad, options);
    CHECK(std::isnan(single.variance));
    CHECK(std::isnan(single.covariance));
  }
  const auto barlow_twins = decorr::barlow_twins_loss(good, bad);
  CHECK(std::isnan(barlow_twins.diagonal));
  CHECK(std::isnan(barlow_twins.off_diagonal));
}

TEST_CASE("NaN passes through 16-bit storage and through sumvec") {
  using Half = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic>;
  Half z = random_matrix<MatrixXf>(6, 4, 1).cast<Eigen::half>(), grad(6, 4);
  z(2, 3) = std::numeric_limits<Eigen::half>::quiet_NaN();
  CHECK(std::isnan(decorr::variance_covariance_loss(z, grad).value));
  CHECK(grad.cast<float>().array().isNaN().all());
  CHECK(decorr::sumvec(z, z).array().isNaN().all());
}

TEST_CASE_TEMPLATE("ordinary data trap nothing", Scalar, float, double) {
  // Not even in numbers that no result depends on, as of a vector that is not full: programs may
  // have these exceptions end them.
  const auto trapped = FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW;
  for (const Index rows : {Index{9}, Index{300}}) {
    for (const Index cols : {Index{5}, Index{29}}) {
      const auto a = random_matrix<RowMajor<Scalar>>(rows, cols, 1);
      const auto b = random_matrix<RowMajor<Scalar>>(rows, cols, 2);
      RowMajor<Scalar> grad_a(rows, cols), grad_b(rows, cols);
      for (const LossCase& loss_case : loss_cases(cols, 4)) {
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(loss_case.name);
        std::feclearexcept(FE_ALL_EXCEPT);
        const Scalar value = loss_case(a, b, grad_a, grad_b);
        const int raised = std::fetestexcept(trapped);
        CHECK(raised == 0);
        CHECK(value > 0);
      }
    }
  }
}

TEST_CASE("constant features give finite results") {
  for (const Index rows : {Index{24}, Index{5}}) {
    MatrixXf a = random_matrix<MatrixXf>(rows, 8, 1), b = random_matrix<MatrixXf>(rows, 8, 2);
    a.col(2).setConstant(3.7f);
    b.col(2).setConstant(-1e4f);
    b.col(5).setZero();
    for (LossCase loss_case : loss_cases(8, 3)) {
      for (const bool no_epsilon : {false, true}) {
        if (no_epsilon) loss_case.barlow_twins.epsilon = loss_case.vicreg.epsilon = 0;
        CAPTURE(loss_case.name);
        CAPTURE(rows);
        CAPTURE(no_epsilon);
        check_finite(loss_case, a, b);
        check_finite(loss_case, MatrixXf::Zero(rows, 8), MatrixXf::Zero(rows, 8));
        check_finite(loss_case, MatrixXf::Constant(rows, 8, 0.1f), b);
      }
    }
  }
}

TEST_CASE("a constant feature has the terms that its zero variance implies") {
  MatrixXd a = random_matrix<MatrixXd>(24, 4, 1);
  a.col(1).setConstant(0.3);
  decorr::BarlowTwinsOptions options;
  options.epsilon = 0;
  MatrixXd grad_a(24, 4), grad_b(24, 4);
  // C_jj is 1 for the others and 0 for the constant one.
  const auto loss = decorr::barlow_twins_loss(a, a, grad_a, grad_b, options);
  CHECK(loss.diagonal == doctest::Approx(1).epsilon(1e-12));
  CHECK((grad_a.col(1).array() == 0).all());
}

TEST_CASE("a constant feature has no variance, whatever its size") {
  constexpr Index rows = 70;  // of several tiles
  const MatrixXd zero = MatrixXd::Zero(rows, 4), huge = MatrixXd::Constant(rows, 4, 1e160);
  MatrixXd grad_a(rows, 4), grad_b(rows, 4);
  CHECK(decorr::variance_covariance_loss(huge, grad_a).value ==
        decorr::variance_covariance_loss(zero).value);
  CHECK(decorr::barlow_twins_loss(huge, huge, grad_a, grad_b).value ==
        decorr::barlow_twins_loss(zero, zero).value);
  CHECK((grad_a.array() == 0).all());
}

TEST_CASE("Barlow Twins without epsilon does not depend on the views' scales") {
  // Powers of two near 1e15, so that the data differ in their exponents alone.
  const float scale = 0x1p50f;
  for (const Index rows : {Index{40}, Index{5}}) {
    const MatrixXf a = random_matrix<MatrixXf>(rows, 8, 1), b = random_matrix<MatrixXf>(rows, 8, 2);
    for (LossCase loss_case : loss_cases(8, 3)) {
      if (loss_case.family != Family::barlow_twins) continue;
      loss_case.barlow_twins.epsilon = 0;
      CAPTURE(loss_case.name);
      CAPTURE(rows);
      const FloatResults expected = evaluate(loss_case, a, b);
      for (const auto& factors : {std::pair(scale, scale), std::pair(1 / scale, 1 / scale),
                                  std::pair(scale, 1 / scale), std::pair(1.f, scale)}) {
        const float factor_a = factors.first, factor_b = factors.second;
        CAPTURE(factor_a);
        CAPTURE(factor_b);
        const FloatResults actual = evaluate(loss_case, factor_a * a, factor_b * b);
        CHECK(relative_error(actual.value, expected.value) < 1e-6);
        CHECK(relative_error(factor_a * actual.grad_a, expected.grad_a) < 1e-6);
        CHECK(relative_error(factor_b * actual.grad_b, expected.grad_b) < 1e-6);
      }
    }
  }
}

TEST_CASE("regularizers of views whose scales are up to 1e30 apart keep both gradients' digits") {
  for (const Index rows : {Index{40}, Index{5}}) {
    const MatrixXf a = random_matrix<MatrixXf>(rows, 8, 1), b = random_matrix<MatrixXf>(rows, 8, 2);
    for (const LossCase& loss_case : loss_cases(8, 3)) {
      if (loss_case.family != Family::regularizer) continue;
      CAPTURE(loss_case.name);
      CAPTURE(rows);
      const FloatResults expected = evaluate(loss_case, a, b);
      for (const float scale : {0x1p7f, 0x1p50f, 0x1p-7f, 0x1p-50f}) {  // ratios of 1.6e4 and 1e30
        CAPTURE(scale);
        const FloatResults actual = evaluate(loss_case, scale * a, b / scale);
        CHECK(relative_error(actual.value, expected.value) < 1e-6);
        CHECK(relative_error(scale * actual.grad_a, expected.grad_a) < 1e-6);
        CHECK(relative_error(actual.grad_b / scale, expected.grad_b) < 1e-6);
      }
    }
  }
}

TEST_CASE("very small data give finite results") {
  const float scale = 1e-15f;
  const MatrixXf a = scale * random_matrix<MatrixXf>(24, 8, 1);
  const MatrixXf b = scale * random_matrix<MatrixXf>(24, 8, 2);
  for (const LossCase& loss_case : loss_cases(8, 3)) {
    CAPTURE(loss_case.name);
    check_finite(loss_case, a, b);
    check_finite(loss_case, a, b / scale);
  }
}

}  // namespace test_nonfinite
