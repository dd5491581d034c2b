// Examples of views.hpp, which the header's comments show. What follows an example compares it with
// the definition.

#include <doctest/doctest.h>

#include <array>
#include <decorr/decorr.hpp>
#include <vector>

#include "expected.hpp"

using doctest::Approx;
using Eigen::MatrixXd;

TEST_CASE("reference: barlow_twins_loss_of_views") {
  //! [barlow_twins_loss_of_views]
  std::vector<Eigen::MatrixXd> crops, gradients;  // of one batch, cropped three times
  for (int crop = 0; crop < 3; ++crop) {
    crops.emplace_back(Eigen::MatrixXd::Random(8, 4));
    gradients.emplace_back(8, 4);
  }
  decorr::BarlowTwinsOptions options;
  options.scale = 1 / 3.0;  // the mean over the pairs, not their sum
  const auto loss =
      decorr::barlow_twins_loss_of_views(crops, gradients, decorr::ViewCombination::pairs, options);
  //! [barlow_twins_loss_of_views]
  const auto definition = [&](const MatrixXd& first) {
    return (expected::barlow_twins(first, crops[1], 0.0051) +
            expected::barlow_twins(first, crops[2], 0.0051) +
            expected::barlow_twins(crops[1], crops[2], 0.0051)) /
           3;
  };
  CHECK(loss.value == Approx(definition(crops[0])));
  CHECK(gradients[0](0, 0) == Approx(expected::first_slope(definition, crops[0])).epsilon(1e-6));
}

TEST_CASE("reference: vicreg_loss_of_views") {
  //! [vicreg_loss_of_views]
  using Rows = Eigen::Map<Eigen::MatrixXd>;
  Eigen::MatrixXd teacher = Eigen::MatrixXd::Random(8, 4), crops = Eigen::MatrixXd::Random(8, 8);
  Eigen::MatrixXd gradient(8, 8);  // crops and their gradients lie beside each other
  const std::array<Rows, 3> views{Rows(teacher.data(), 8, 4), Rows(crops.data(), 8, 4),
                                  Rows(crops.data() + 32, 8, 4)};
  Rows of_first(gradient.data(), 8, 4), of_second(gradient.data() + 32, 8, 4);
  std::array<Rows*, 3> gradients{nullptr, &of_first, &of_second};  // the teacher has none
  const auto loss =
      decorr::vicreg_loss_of_views(views, gradients, decorr::ViewCombination::centroid);
  //! [vicreg_loss_of_views]
  const auto definition = [&](const MatrixXd& z) {
    const MatrixXd mean = (teacher + z.leftCols(4) + z.rightCols(4)) / 3;
    double sum = 0;
    for (const MatrixXd& view : {teacher, MatrixXd(z.leftCols(4)), MatrixXd(z.rightCols(4))}) {
      sum += 25 * (view - mean).array().square().mean() + expected::variance_term(view) / 3 +
             expected::covariance_term(view);
    }
    return sum;
  };
  CHECK(loss.value == Approx(definition(crops)));
  CHECK(gradient(0, 0) == Approx(expected::first_slope(definition, crops)).epsilon(1e-6));
}
