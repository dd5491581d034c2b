// The published implementations' results in float64, to 1e-10.
#include <doctest/doctest.h>

#include <decorr/decorr.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/random_matrices.hpp"

namespace test_reference {

namespace {

using decorr_tests::relative_error;
using Matrix = Eigen::MatrixXd;

struct Reference {
  std::map<std::string, std::string> values;
  std::map<std::string, Matrix> matrices;
  std::vector<Eigen::Index> permutation;

  double number(const std::string& key, double otherwise) const {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : std::stod(found->second);
  }
};

Reference read_reference(const std::string& name) {
  std::ifstream file(std::string(DECORR_TEST_DATA) + "/reference/" + name + ".txt");
  REQUIRE(file.good());
  Reference reference;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "permutation") {
      for (Eigen::Index feature = 0; words >> feature;) reference.permutation.push_back(feature);
    } else if (key == "z_a" || key == "z_b" || key == "grad_a" || key == "grad_b") {
      Eigen::Index rows = 0, cols = 0;
      words >> rows >> cols;
      Matrix matrix(rows, cols);
      for (Eigen::Index i = 0; i < rows; ++i) {
        for (Eigen::Index j = 0; j < cols; ++j) file >> matrix(i, j);
      }
      std::getline(file, line);
      reference.matrices[key] = matrix;
    } else {
      words >> reference.values[key];
    }
  }
  return reference;
}

void check_reference(const std::string& name) {
  const Reference reference = read_reference(name);
  const Matrix &a = reference.matrices.at("z_a"), &b = reference.matrices.at("z_b");
  Matrix grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
  decorr::Relaxed relaxed;
  relaxed.exponent = static_cast<int>(reference.number("exponent", 2));
  relaxed.block_size = static_cast<Eigen::Index>(reference.number("block_size", 0));
  relaxed.permutation = reference.permutation;
  const bool exact = reference.values.at("regularizer") == "exact";
  const std::string function = reference.values.at("loss_function");
  double value = 0;
  if (function == "barlow_twins") {
    decorr::BarlowTwinsOptions options;
    options.lambda = reference.number("lambda", 0);
    options.scale = reference.number("scale", 1);
    value = exact ? decorr::barlow_twins_loss(a, b, grad_a, grad_b, options).value
                  : decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, relaxed).value;
  } else if (function == "r_sum") {
    value = decorr::r_sum(a, b, grad_a, grad_b, relaxed);
  } else {
    decorr::VicregOptions options;
    options.invariance = reference.number("invariance", 0);
    options.variance = reference.number("variance", 0);
    options.covariance = reference.number("covariance", 0);
    options.sum_variance = function != "vicreg";
    if (function == "vicreg_reference_implementation") {
      options.covariance_scaling = decorr::CovarianceScaling::block_mean;
    }
    value = exact ? decorr::vicreg_loss(a, b, grad_a, grad_b, options).value
                  : decorr::vicreg_loss(a, b, grad_a, grad_b, options, relaxed).value;
  }
  REQUIRE(reference.values.count("loss") == 1);
  CHECK(relative_error(value, reference.number("loss", 0)) < 1e-10);
  CHECK(relative_error(grad_a, reference.matrices.at("grad_a")) < 1e-10);
  CHECK(relative_error(grad_b, reference.matrices.at("grad_b")) < 1e-10);
}

}  // namespace

TEST_CASE("results of the published implementations are reproduced") {
  for (const char* name : {"barlow_exact",
                           "barlow_exact_sololearn",
                           "barlow_relaxed_q1",
                           "barlow_relaxed_q1_grouped_permuted",
                           "barlow_relaxed_q1_grouped_short_last_block",
                           "barlow_relaxed_q1_permuted",
                           "barlow_relaxed_q2",
                           "barlow_relaxed_q2_grouped_permuted",
                           "barlow_relaxed_q2_grouped_short_last_block",
                           "barlow_relaxed_q2_permuted",
                           "r_sum_q1",
                           "r_sum_q2",
                           "vicreg_exact",
                           "vicreg_exact_sololearn",
                           "vicreg_relaxed_q1",
                           "vicreg_relaxed_q1_grouped_permuted",
                           "vicreg_relaxed_q1_grouped_short_last_block",
                           "vicreg_relaxed_q1_permuted",
                           "vicreg_relaxed_q2",
                           "vicreg_relaxed_q2_grouped_permuted",
                           "vicreg_relaxed_q2_grouped_short_last_block",
                           "vicreg_relaxed_q2_permuted"}) {
    SUBCASE(name) { check_reference(name); }
  }
}

}  // namespace test_reference
