// Which overload a call picks, and what its result is.
#include <doctest/doctest.h>

#include <decorr/decorr.hpp>
#include <type_traits>
#include <utility>

#include "support/random_matrices.hpp"

namespace test_overloads {

namespace {

using decorr::BarlowTwinsOptions;
using decorr::Exact;
using decorr::Execution;
using decorr::Relaxed;
using decorr::VicregOptions;
using decorr_tests::random_matrix;
using Eigen::Index;
using Matrix = Eigen::MatrixXd;
template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// A function as a type, so that std::is_invocable can ask about it.
#define DECORR_TESTS_CALLABLE(Name, function)                                 \
  struct Name {                                                               \
    template <class... Arguments>                                             \
    auto operator()(Arguments&&... arguments) const                           \
        -> decltype(decorr::function(std::forward<Arguments>(arguments)...)); \
  }
DECORR_TESTS_CALLABLE(ROff, r_off);
DECORR_TESTS_CALLABLE(RSum, r_sum);
DECORR_TESTS_CALLABLE(Sumvec, sumvec);
DECORR_TESTS_CALLABLE(BarlowTwins, barlow_twins_loss);
DECORR_TESTS_CALLABLE(Vicreg, vicreg_loss);
DECORR_TESTS_CALLABLE(VarianceCovariance, variance_covariance_loss);

template <class Function, class... Arguments>
inline constexpr bool kCallable = std::is_invocable<Function, Arguments...>::value;

using In = const Matrix&;
using Out = Matrix&;

// Gradients come in pairs, before the options; the regularizer is no option. (What tests/misuse has
// is callable, too, but does not compile.)
static_assert(kCallable<BarlowTwins, In, In>);
static_assert(kCallable<BarlowTwins, In, In, Out, Out>);
static_assert(kCallable<BarlowTwins, In, In, BarlowTwinsOptions, Relaxed>);
static_assert(!kCallable<BarlowTwins, In>);
static_assert(!kCallable<BarlowTwins, In, In, BarlowTwinsOptions, Out>);
static_assert(!kCallable<BarlowTwins, In, In, double, double>);
static_assert(!kCallable<BarlowTwins, In, In, Matrix*, Matrix*>);
static_assert(kCallable<Vicreg, In, In, Out, Out, VicregOptions, Exact>);
static_assert(kCallable<Vicreg, In, In, Out, Out, VicregOptions, Relaxed>);
static_assert(kCallable<VarianceCovariance, In, Out>);
static_assert(!kCallable<VarianceCovariance, In, Out, Out>);
static_assert(kCallable<RSum, In, In, Relaxed>);
static_assert(kCallable<ROff, In, In, Execution>);
// A regularizer chosen at run time, and one gradient alone.
static_assert(kCallable<BarlowTwins, In, In, BarlowTwinsOptions, decorr::Regularizer>);
static_assert(kCallable<Vicreg, In, In, Out, decorr::NoGradient>);
static_assert(kCallable<Vicreg, In, In, const decorr::NoGradient&, Out, VicregOptions, Relaxed>);
static_assert(kCallable<VarianceCovariance, In, decorr::NoGradient, VicregOptions>);
// Arrays, as inputs and as gradients.
static_assert(kCallable<BarlowTwins, const Eigen::ArrayXXd&, In, Eigen::ArrayXXd&, Out>);
static_assert(kCallable<ROff, const Eigen::ArrayXXd&, const Eigen::ArrayXXd&>);
// Options that are const, and gradients that are temporary views.
static_assert(kCallable<Vicreg, In, In, const VicregOptions&, const Relaxed&>);
static_assert(kCallable<ROff, In, In, Eigen::Block<Matrix>, Eigen::Map<Matrix>>);

// The result's scalar is the one that is computed in.
template <class Scalar, class Result>
constexpr bool gives() {
  using Z = const MatrixOf<Scalar>&;
  return std::is_same<std::invoke_result_t<ROff, Z, Z>, Result>::value &&
         std::is_same<std::invoke_result_t<RSum, Z, Z>, Result>::value &&
         std::is_same<std::invoke_result_t<Sumvec, Z, Z>,
                      Eigen::Matrix<Result, Eigen::Dynamic, 1>>::value &&
         std::is_same<std::invoke_result_t<BarlowTwins, Z, Z>,
                      decorr::BarlowTwinsLoss<Result>>::value &&
         std::is_same<std::invoke_result_t<Vicreg, Z, Z>, decorr::VicregLoss<Result>>::value &&
         std::is_same<std::invoke_result_t<VarianceCovariance, Z>,
                      decorr::VarianceCovarianceLoss<Result>>::value;
}
static_assert(gives<float, float>());
static_assert(gives<double, double>());
static_assert(gives<long double, long double>());
static_assert(gives<Eigen::half, float>());
static_assert(gives<Eigen::bfloat16, float>());

struct Data {
  Matrix a = random_matrix<Matrix>(6, 5, 1), b = random_matrix<Matrix>(6, 5, 2);
  Matrix grad_a = Matrix::Zero(6, 5), grad_b = Matrix::Zero(6, 5);
};

}  // namespace

TEST_CASE("nothing said, or {}, means the published options and Exact") {
  Data x;
  const double exact = decorr::barlow_twins_loss(x.a, x.b, BarlowTwinsOptions(), Exact()).value;
  const double relaxed = decorr::barlow_twins_loss(x.a, x.b, BarlowTwinsOptions(), Relaxed()).value;
  REQUIRE(exact != doctest::Approx(relaxed));
  CHECK(decorr::barlow_twins_loss(x.a, x.b).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, {}, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, {}, {}, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, {}, Relaxed()).value == relaxed);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, {}, Relaxed(), {}).value == relaxed);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b, {}, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b, {}, {}, {}).value == exact);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b, {}, Relaxed()).value == relaxed);
}

TEST_CASE("the same for VICReg and for one view") {
  Data x;
  const double exact = decorr::vicreg_loss(x.a, x.b, VicregOptions(), Exact()).value;
  const double relaxed = decorr::vicreg_loss(x.a, x.b, VicregOptions(), Relaxed()).value;
  REQUIRE(exact != doctest::Approx(relaxed));
  CHECK(decorr::vicreg_loss(x.a, x.b).value == exact);
  CHECK(decorr::vicreg_loss(x.a, x.b, {}, {}).value == exact);
  CHECK(decorr::vicreg_loss(x.a, x.b, {}, Relaxed()).value == relaxed);
  CHECK(decorr::vicreg_loss(x.a, x.b, x.grad_a, x.grad_b, {}, {}).value == exact);
  CHECK(decorr::vicreg_loss(x.a, x.b, x.grad_a, x.grad_b, {}, Relaxed(), {}).value == relaxed);

  const double single = decorr::variance_covariance_loss(x.a, VicregOptions(), Exact()).value;
  const double single_relaxed =
      decorr::variance_covariance_loss(x.a, VicregOptions(), Relaxed()).value;
  REQUIRE(single != doctest::Approx(single_relaxed));
  CHECK(decorr::variance_covariance_loss(x.a).value == single);
  CHECK(decorr::variance_covariance_loss(x.a, {}, {}).value == single);
  CHECK(decorr::variance_covariance_loss(x.a, {}, Relaxed()).value == single_relaxed);
  CHECK(decorr::variance_covariance_loss(x.a, x.grad_a, {}, {}).value == single);
  CHECK(decorr::variance_covariance_loss(x.a, x.grad_a, {}, Relaxed()).value == single_relaxed);
}

TEST_CASE("{} for the bare regularizers") {
  Data x;
  CHECK(decorr::r_off(x.a, x.b, {}) == decorr::r_off(x.a, x.b));
  CHECK(decorr::r_off(x.a, x.b, x.grad_a, x.grad_b, {}) == decorr::r_off(x.a, x.b));
  CHECK(decorr::r_sum(x.a, x.b, {}, {}) == decorr::r_sum(x.a, x.b, Relaxed()));
  CHECK(decorr::r_sum(x.a, x.b, x.grad_a, x.grad_b, {}) == decorr::r_sum(x.a, x.b));
}

TEST_CASE("options reach the loss in either form of call") {
  Data x;
  BarlowTwinsOptions options;
  options.scale = 2;
  const auto plain = decorr::barlow_twins_loss(x.a, x.b);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, options).value ==
        doctest::Approx(2 * plain.value).epsilon(1e-14));
  const Matrix before = x.grad_a;
  decorr::barlow_twins_loss(x.a, x.b, options);
  CHECK(x.grad_a == before);
  CHECK(decorr::barlow_twins_loss(x.a, x.b, x.grad_a, x.grad_b, options).value ==
        doctest::Approx(2 * plain.value).epsilon(1e-14));
  CHECK(x.grad_a != before);
}

TEST_CASE("temporary views are gradients") {
  Data x;
  decorr::vicreg_loss(x.a, x.b, x.grad_a, x.grad_b);
  Matrix both(6, 10), stacked(12, 5), transposed(5, 12);
  decorr::vicreg_loss(x.a, x.b, both.leftCols(5), both.rightCols(5));
  decorr::vicreg_loss(x.a, x.b, stacked.topRows(6), stacked.bottomRows(6));
  decorr::vicreg_loss(x.a, x.b, transposed.leftCols(6).transpose(),
                      transposed.rightCols(6).transpose());
  CHECK(both.leftCols(5) == x.grad_a);
  CHECK(both.rightCols(5) == x.grad_b);
  CHECK(stacked.topRows(6) == x.grad_a);
  CHECK(transposed.rightCols(6).transpose() == x.grad_b);
}

TEST_CASE("a result's terms sum to its value") {
  Data x;
  const auto barlow_twins_result = decorr::barlow_twins_loss(x.a, x.b);
  CHECK(barlow_twins_result.value ==
        barlow_twins_result.diagonal + barlow_twins_result.off_diagonal);
  const auto vicreg_result = decorr::vicreg_loss(x.a, x.b);
  CHECK(vicreg_result.value ==
        vicreg_result.invariance + vicreg_result.variance + vicreg_result.covariance);
  const auto single = decorr::variance_covariance_loss(x.a);
  CHECK(single.value == single.variance + single.covariance);
}

}  // namespace test_overloads
