// The gradient of one view, with no_gradient in the other's place, and what may stand where a
// matrix or a regularizer does.
#include <doctest/doctest.h>

#include <algorithm>
#include <decorr/decorr.hpp>
#include <string>
#include <vector>

#include "support/cases.hpp"
#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_one_gradient {

namespace {

using decorr::no_gradient;
using decorr_tests::ColumnMajor;
using decorr_tests::LossCase;
using decorr_tests::random_views;
using decorr_tests::relative_error;
using decorr_tests::RowMajor;
using Eigen::Index;

struct Problem {
  Index rows, cols, block_size;
};

// n = 2, few and odd features, a single block that is prime and transformed at another length, last
// blocks that are short, more blocks than samples (the Gram route), and rows for several threads.
const std::vector<Problem> kProblems{{2, 1, 1},  {2, 2, 1},   {2, 3, 2},   {5, 1, 1},
                                     {7, 2, 2},  {6, 3, 2},   {9, 31, 4},  {3, 31, 29},
                                     {5, 62, 4}, {2, 64, 8},  {3, 64, 8},  {21, 8, 3},
                                     {40, 7, 3}, {67, 31, 4}, {70, 62, 29}};

// Two-view losses, weighted so that every term is felt.
std::vector<LossCase> two_view_cases(const Problem& problem) {
  std::vector<LossCase> cases;
  for (LossCase loss_case : decorr_tests::loss_cases(problem.cols, problem.block_size)) {
    loss_case.barlow_twins = decorr_tests::balanced_barlow_twins_options(true, problem.rows);
    loss_case.vicreg =
        decorr_tests::balanced_vicreg_options(false, decorr::CovarianceScaling::per_dimension);
    if (loss_case.is_single_view()) continue;
    cases.push_back(loss_case);
    if (loss_case.family == decorr_tests::Family::barlow_twins) {
      loss_case.barlow_twins.standardize = false;
      loss_case.name += ", not standardized";
      cases.push_back(loss_case);
    }
  }
  return cases;
}

template <class Matrix>
struct Results {
  typename Matrix::Scalar value = 0;
  Matrix grad_a, grad_b;

  bool operator==(const Results& other) const {
    return value == other.value && (grad_a.array() == other.grad_a.array()).all() &&
           (grad_b.array() == other.grad_b.array()).all();
  }
};

// Each of the gradients from a call of its own.
template <class Matrix>
Results<Matrix> one_by_one(const LossCase& loss_case, const Matrix& a, const Matrix& b) {
  Results<Matrix> results{0, Matrix::Constant(a.rows(), a.cols(), 77), a};
  results.grad_b = results.grad_a;
  results.value = loss_case(a, b, results.grad_a, no_gradient);
  CHECK(loss_case(a, b, no_gradient, results.grad_b) == results.value);
  return results;
}

template <class Matrix>
void check_problems(double tolerance) {
  for (const Problem& problem : kProblems) {
    CAPTURE(problem.rows);
    CAPTURE(problem.cols);
    CAPTURE(problem.block_size);
    const auto [a, b] = random_views<Matrix>(problem.rows, problem.cols, 3);
    for (LossCase& loss_case : two_view_cases(problem)) {
      CAPTURE(loss_case.name);
      Results<Matrix> both{0, Matrix(problem.rows, problem.cols), a};
      both.value = loss_case(a, b, both.grad_a, both.grad_b);
      const Results<Matrix> single = one_by_one(loss_case, a, b);
      CHECK(single.value == both.value);
      CHECK(relative_error(single.grad_a, both.grad_a) < tolerance);
      CHECK(relative_error(single.grad_b, both.grad_b) < tolerance);
      CHECK(loss_case(a, b) == both.value);
      CHECK(loss_case(a, b, no_gradient, no_gradient) == both.value);
      loss_case.execution.threads = 2;
      CHECK(one_by_one(loss_case, a, b) == single);
    }
  }
}

// Calls what is refused with every choice of gradients, and says what the argument is called.
template <class Call>
std::string refused_argument(const Call& call) {
  std::vector<std::string> arguments;
  const Eigen::MatrixXd untouched = Eigen::MatrixXd::Constant(6, 5, 77);
  Eigen::MatrixXd grad_a = untouched, grad_b = untouched;
  const auto refuse = [&](auto& first, auto& second) {
    try {
      call(first, second);
      arguments.emplace_back("none");
    } catch (const decorr::InvalidArgument& error) {
      arguments.emplace_back(error.argument());
    }
  };
  refuse(grad_a, grad_b);
  refuse(grad_a, no_gradient);
  refuse(no_gradient, grad_b);
  refuse(no_gradient, no_gradient);
  CHECK(grad_a == untouched);
  CHECK(grad_b == untouched);
  CHECK(std::all_of(arguments.begin(), arguments.end(),
                    [&](const std::string& argument) { return argument == arguments.front(); }));
  return arguments.front();
}

}  // namespace

TEST_CASE("one view's gradient alone is that of the call for both") {
  check_problems<RowMajor<double>>(1e-12);
  check_problems<ColumnMajor<double>>(1e-12);
  check_problems<RowMajor<float>>(1e-5);
  check_problems<ColumnMajor<float>>(1e-5);
}

TEST_CASE("arrays give what matrices give") {
  using Matrix = Eigen::MatrixXd;
  const Problem problem{21, 8, 3};
  const auto [a, b] = random_views<Matrix>(problem.rows, problem.cols, 4);
  const Eigen::ArrayXXd array_a = a, array_b = b;
  for (const LossCase& loss_case : two_view_cases(problem)) {
    CAPTURE(loss_case.name);
    Results<Matrix> both{0, Matrix(problem.rows, problem.cols), a};
    both.value = loss_case(a, b, both.grad_a, both.grad_b);
    Eigen::ArrayXXd grad_a(problem.rows, problem.cols), grad_b = grad_a;
    CHECK(loss_case(array_a, array_b) == both.value);
    CHECK(loss_case(array_a, array_b, grad_a, grad_b) == both.value);
    CHECK(Results<Matrix>{both.value, grad_a, grad_b} == both);
    const Results<Matrix> single = one_by_one(loss_case, a, b);
    // Beside matrices, and as a view of them.
    Matrix viewed = Matrix::Zero(problem.rows, problem.cols);
    auto view = viewed.array();
    grad_a.setZero();
    CHECK(loss_case(array_a, b, grad_a, no_gradient) == both.value);
    CHECK(loss_case(a, array_b, no_gradient, view) == both.value);
    CHECK(Results<Matrix>{both.value, grad_a, viewed} == single);
  }
}

TEST_CASE("a regularizer chosen at run time is the one that was chosen") {
  const auto views = random_views<Eigen::MatrixXd>(6, 5, 5);
  const Eigen::MatrixXd &a = views.first, &b = views.second;
  const decorr::Execution execution = decorr_tests::quick();
  decorr::Relaxed relaxed;
  relaxed.exponent = 1;
  const auto values = [&](const decorr::Regularizer& regularizer) {
    return std::vector<double>{
        decorr::barlow_twins_loss(a, b, {}, regularizer, execution).value,
        decorr::vicreg_loss(a, b, {}, regularizer, execution).value,
        decorr::variance_covariance_loss(a, {}, regularizer, execution).value};
  };
  for (const bool flag : {false, true}) {
    const std::vector<double> chosen =
        values(flag ? decorr::Regularizer(relaxed) : decorr::Regularizer());
    CHECK((chosen == values(relaxed)) == flag);
    CHECK((chosen == values(decorr::Exact{})) == !flag);
    CHECK((chosen == values({})) == !flag);
  }
}

TEST_CASE("covariances refuse the signs of one view alone") {
  const auto views = random_views<Eigen::MatrixXd>(6, 5, 6);
  const Eigen::MatrixXd &a = views.first, &b = views.second;
  decorr::Relaxed only_a, only_b;
  only_a.signs_a = only_b.signs_b = {1, -1, 1, 1, -1};
  const auto vicreg = [&](const decorr::Relaxed& relaxed) {
    return refused_argument([&](auto& grad_a, auto& grad_b) {
      decorr::vicreg_loss(a, b, grad_a, grad_b, {}, relaxed, decorr_tests::quick());
    });
  };
  CHECK(vicreg(only_a) == "signs_b");
  CHECK(vicreg(only_b) == "signs_a");
  const auto one_view = [&](const decorr::Relaxed& relaxed) {
    return refused_argument([&](auto& grad, auto&) {
      decorr::variance_covariance_loss(a, grad, {}, relaxed, decorr_tests::quick());
    });
  };
  CHECK(one_view(only_b) == "signs_a");
  // Those are the view's own.
  CHECK_NOTHROW(
      decorr::variance_covariance_loss(a, no_gradient, {}, only_a, decorr_tests::quick()));
}

}  // namespace test_one_gradient
