// Examples of losses.hpp, regularizers.hpp, options.hpp and results.hpp, which the headers'
// comments show. What follows an example compares it with the definition.

#include <doctest/doctest.h>

#include <decorr/decorr.hpp>

#include "expected.hpp"

using doctest::Approx;

TEST_CASE("reference: barlow_twins_loss") {
  //! [barlow_twins_loss]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4), grad_b(8, 4);
  decorr::BarlowTwinsOptions options;
  options.lambda = 0.01;
  const decorr::BarlowTwinsLoss<double> loss =
      decorr::barlow_twins_loss(z_a, z_b, grad_a, grad_b, options);
  const double sum_of_terms = loss.diagonal + loss.off_diagonal;  // loss.value
  //! [barlow_twins_loss]
  CHECK(loss.value == Approx(expected::barlow_twins(z_a, z_b, 0.01)));
  CHECK(loss.value == Approx(sum_of_terms));
  const auto of_a = [&](const auto& z) { return expected::barlow_twins(z, z_b, 0.01); };
  const auto of_b = [&](const auto& z) { return expected::barlow_twins(z_a, z, 0.01); };
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, z_a)).epsilon(1e-6));
  CHECK(grad_b(0, 0) == Approx(expected::first_slope(of_b, z_b)).epsilon(1e-6));
}

TEST_CASE("reference: vicreg_loss") {
  //! [vicreg_loss]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4), grad_b(8, 4);
  decorr::VicregOptions options;  // as published: 25, 25 and 1
  options.covariance_scaling = decorr::CovarianceScaling::per_dimension;
  const decorr::VicregLoss<double> loss = decorr::vicreg_loss(z_a, z_b, grad_a, grad_b, options);
  const double sum_of_terms = loss.invariance + loss.variance + loss.covariance;  // loss.value
  //! [vicreg_loss]
  CHECK(loss.value == Approx(expected::vicreg(z_a, z_b)));
  CHECK(loss.value == Approx(sum_of_terms));
  const auto of_a = [&](const auto& z) { return expected::vicreg(z, z_b); };
  const auto of_b = [&](const auto& z) { return expected::vicreg(z_a, z); };
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, z_a)).epsilon(1e-6));
  CHECK(grad_b(0, 0) == Approx(expected::first_slope(of_b, z_b)).epsilon(1e-6));
}

TEST_CASE("reference: variance_covariance_loss") {
  //! [variance_covariance_loss]
  const Eigen::MatrixXd z = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad(8, 4);
  const decorr::VarianceCovarianceLoss<double> loss = decorr::variance_covariance_loss(z, grad);
  const double sum_of_terms = loss.variance + loss.covariance;  // loss.value
  //! [variance_covariance_loss]
  const auto definition = [](const auto& x) {
    return expected::variance_term(x) + expected::covariance_term(x);
  };
  CHECK(loss.value == Approx(definition(z)));
  CHECK(loss.value == Approx(sum_of_terms));
  CHECK(grad(0, 0) == Approx(expected::first_slope(definition, z)).epsilon(1e-6));
}

TEST_CASE("reference: no_gradient") {
  //! [no_gradient]
  const Eigen::MatrixXd student = Eigen::MatrixXd::Random(8, 4);
  const Eigen::MatrixXd teacher = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_of_student(8, 4);
  const auto loss = decorr::vicreg_loss(student, teacher, grad_of_student, decorr::no_gradient);
  //! [no_gradient]
  CHECK(loss.value == Approx(expected::vicreg(student, teacher)));
  const auto of_student = [&](const auto& z) { return expected::vicreg(z, teacher); };
  CHECK(grad_of_student(0, 0) == Approx(expected::first_slope(of_student, student)).epsilon(1e-6));
}

TEST_CASE("reference: r_off") {
  //! [r_off]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 4), b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4), grad_b(8, 4);
  const double value = decorr::r_off(a, b, grad_a, grad_b);
  //! [r_off]
  const auto of_a = [&](const auto& x) {
    return expected::sum_off_diagonal(expected::correlation(x, b));
  };
  CHECK(value == Approx(of_a(a)));
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, a)).epsilon(1e-6));
}

TEST_CASE("reference: r_sum") {
  //! [r_sum]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 4), b = Eigen::MatrixXd::Random(8, 4);
  Eigen::MatrixXd grad_a(8, 4), grad_b(8, 4);
  decorr::Relaxed relaxed;
  relaxed.exponent = 1;
  const double value = decorr::r_sum(a, b, grad_a, grad_b, relaxed);
  //! [r_sum]
  const auto of_a = [&](const auto& x) {
    return expected::sums_of_wrapped_diagonals(expected::correlation(x, b))
        .tail(3)
        .template lpNorm<1>();
  };
  CHECK(value == Approx(of_a(a)));
  CHECK(grad_a(0, 0) == Approx(expected::first_slope(of_a, a)).epsilon(1e-6));
}

TEST_CASE("reference: sumvec") {
  //! [sumvec]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 4), b = Eigen::MatrixXd::Random(8, 4);
  const Eigen::VectorXd lags = decorr::sumvec(a, b);  // lags[0] is the trace of a^T b / 8
  //! [sumvec]
  CHECK(lags.isApprox(expected::sums_of_wrapped_diagonals(expected::correlation(a, b))));
}

TEST_CASE("reference: regularizers chosen at run time") {
  const bool use_fft = true;
  //! [Regularizer]
  const Eigen::MatrixXd z_a = Eigen::MatrixXd::Random(8, 4), z_b = Eigen::MatrixXd::Random(8, 4);
  decorr::Relaxed relaxed;
  relaxed.block_size = 1;  // with exponent 2, the default, the exact one by another way
  const auto loss = decorr::barlow_twins_loss(
      z_a, z_b, {}, use_fft ? decorr::Regularizer(relaxed) : decorr::Regularizer(decorr::Exact()));
  //! [Regularizer]
  CHECK(loss.value == Approx(expected::barlow_twins(z_a, z_b, 0.0051)));
}

TEST_CASE("reference: execution") {
  //! [Execution]
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 6), b = Eigen::MatrixXd::Random(8, 6);
  decorr::Execution execution;
  execution.threads = 2;                            // compiled with -fopenmp
  execution.planning = decorr::Planning::estimate;  // repeats bit for bit from run to run
  const double value = decorr::r_sum(a, b, decorr::Relaxed(), execution);
  //! [Execution]
  const auto c = expected::correlation(a, b);
  CHECK(value == Approx(expected::sums_of_wrapped_diagonals(c).tail(5).squaredNorm()));
}
