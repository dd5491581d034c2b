// Messages are the same whatever locale the program has made its own.
#include <doctest/doctest.h>

#include <decorr/decorr.hpp>
#include <functional>
#include <locale>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/foreign_locale.hpp"

namespace test_locale {

namespace {

using Matrix = Eigen::MatrixXd;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("messages have neither grouped digits nor another decimal point") {
  const decorr_tests::ForeignLocale locale;
  // As the streams of this program have them now.
  REQUIRE(decorr_tests::ForeignLocale::text_of(4096) == "4.096");
  REQUIRE(decorr_tests::ForeignLocale::text_of(-0.5) == "-0,5");

  const Matrix few = Matrix::Ones(2, 1024), many = Matrix::Ones(2, 4096);
  const Matrix tall = Matrix::Ones(12345, 1), other = Matrix::Ones(2000, 1);
  Matrix gradient(2, 1000);
  decorr::BarlowTwinsOptions barlow_twins;
  barlow_twins.epsilon = -0.5;
  decorr::VicregOptions vicreg;
  vicreg.epsilon = -1234567.25;
  decorr::Relaxed blocks, permuted, signs;
  blocks.block_size = 5000;
  permuted.permutation.assign(1024, 2048);
  signs.signs_a.assign(3000, 1);
  decorr::Execution execution;
  execution.threads = -1000;

  CHECK(message_of([&] { decorr::r_off(few, many); }) == "r_off: b has 4096 columns, a has 1024");
  CHECK(message_of([&] { decorr::barlow_twins_loss(tall, other); }) ==
        "barlow_twins_loss: z_b has 2000 rows, z_a has 12345");
  CHECK(message_of([&] { decorr::variance_covariance_loss(few, gradient); }) ==
        "variance_covariance_loss: grad has 1000 columns, z has 1024");
  const auto contains = [](const std::string& message, const std::string& part) {
    INFO("message: " << message << ", expected: " << part);
    CHECK(message.find(part) != std::string::npos);
  };
  contains(message_of([&] { decorr::barlow_twins_loss(few, few, barlow_twins); }),
           "epsilon is -0.5,");
  contains(message_of([&] { decorr::vicreg_loss(few, few, vicreg); }), "epsilon is -1.23457e+06,");
  contains(message_of([&] { decorr::r_sum(few, few, blocks); }),
           "block_size is 5000, expected 0 to 1024");
  contains(message_of([&] { decorr::r_sum(few, few, permuted); }), "2048");
  contains(message_of([&] { decorr::r_sum(few, few, signs); }), "signs_a has 3000 entries");
  contains(message_of([&] { decorr::sumvec(few, few, execution); }), "threads is -1000");
  contains(message_of([&] { decorr::random_permutation(-4096, std::mt19937_64()); }),
           "d is -4096, expected at least 1");
}

}  // namespace test_locale
