// The loss layers for dlib beside dlib's own, and beside the definitions in long double.

#include <dlib/dnn.h>
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <decorr/decorr.hpp>
#include <decorr/dlib.hpp>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dlib_pairs.hpp"
#include "support/differences.hpp"
#include "support/naive.hpp"
#include "support/random_matrices.hpp"

namespace {

using decorr::dlib_dnn::loss_barlow_twins_;
using decorr::dlib_dnn::loss_vicreg_;
using decorr_tests::random_views;
using decorr_tests::Real;
using decorr_tests::RealMatrix;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowsMap = Eigen::Map<const Rows>;

constexpr long kPairs = 8, kFeatures = 6;

/// What a loss layer sees of a net whose output is given.
class GivenOutput {
 public:
  explicit GivenOutput(const std::pair<Rows, Rows>& views, long k = kFeatures, long nr = 1,
                       long nc = 1) {
    output_.set_size(2 * views.first.rows(), k, nr, nc);
    float* next = std::copy_n(views.first.data(), views.first.size(), output_.host());
    std::copy_n(views.second.data(), views.second.size(), next);
    gradient_.copy_size(output_);
    gradient_ = 0;
  }
  const dlib::tensor& get_output() const { return output_; }
  dlib::tensor& get_gradient_input() { return gradient_; }
  unsigned int sample_expansion_factor() const { return expansion_; }
  void set_sample_expansion_factor(unsigned int expansion) { expansion_ = expansion; }

  template <class Layer>
  double value(const Layer& layer) {
    return layer.compute_loss_value_and_gradient(output_, *this);
  }
  /// Of both views, one above the other.
  Rows gradient() const {
    return RowsMap(gradient_.host(), output_.num_samples(),
                   output_.k() * output_.nr() * output_.nc());
  }

 private:
  dlib::resizable_tensor output_, gradient_;
  unsigned int expansion_ = 2;
};

double relative_difference(const RealMatrix& x, const RealMatrix& expected) {
  return static_cast<double>((x - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff());
}

/// Element by element, of a definition in long double.
template <class Definition>
RealMatrix central_differences(const Definition& definition, const std::pair<Rows, Rows>& views) {
  const RealMatrix a = views.first.cast<Real>(), b = views.second.cast<Real>();
  const RealMatrix zero = RealMatrix::Zero(a.rows(), a.cols());
  RealMatrix gradient(2 * a.rows(), a.cols());
  for (Eigen::Index k = 0; k < 2 * a.rows(); ++k) {
    for (Eigen::Index j = 0; j < a.cols(); ++j) {
      RealMatrix direction = zero;
      direction(k % a.rows(), j) = 1;
      const bool of_a = k < a.rows();
      const auto difference = decorr_tests::central_difference(
          definition, a, b, of_a ? direction : zero, of_a ? zero : direction, Real(1e-5));
      gradient(k, j) = difference.value_or(std::numeric_limits<Real>::quiet_NaN());
    }
  }
  return gradient;
}

// Float has 24 bits; what is added up are n d terms at most.
constexpr double kFloatRounding = 1e-5;

TEST_CASE("dlib's own Barlow Twins") {
  const auto views = random_views<Rows>(kPairs, kFeatures, 1);
  decorr::BarlowTwinsOptions options;
  options.lambda = 0.3F;
  options.epsilon = 1e-4;
  GivenOutput ours(views), theirs(views);
  const double value = ours.value(loss_barlow_twins_(options));
  CHECK(value == doctest::Approx(theirs.value(dlib::loss_barlow_twins_(0.3F))).epsilon(1e-5));
  const RealMatrix gradient = ours.gradient().cast<Real>();
  const RealMatrix expected = theirs.gradient().cast<Real>();
  if (expected.norm() < 2 * gradient.norm()) {
    CHECK(relative_difference(gradient, expected) < 1e-4);
  } else {
    // 19.24 leaves out the division of C by n, and takes C for its transpose for view a. 20.0 does
    // neither.
    CHECK(relative_difference(gradient.bottomRows(kPairs),
                              expected.bottomRows(kPairs) / Real(kPairs)) < 1e-4);
  }
}

TEST_CASE("the definitions, with every form of the regularizer") {
  const auto views = random_views<Rows>(kPairs, kFeatures, 2);
  const RealMatrix a = views.first.cast<Real>(), b = views.second.cast<Real>();
  std::mt19937_64 generator(3);
  decorr::Relaxed relaxed;
  relaxed.block_size = 4;
  relaxed.permutation = decorr::random_permutation(kFeatures, generator);
  relaxed.signs_a = decorr::random_signs(kFeatures, generator);
  relaxed.signs_b = decorr::random_signs(kFeatures, generator);
  for (const decorr_tests::Regularizer& regularizer :
       {decorr_tests::Regularizer(decorr::Exact()), decorr_tests::Regularizer(relaxed)}) {
    const auto draw = [&](Eigen::Index n, Eigen::Index d, std::mt19937_64&) {
      CHECK(n == kPairs);
      CHECK(d == kFeatures);
      return regularizer.index() == 0 ? decorr::Regularizer() : decorr::Regularizer(relaxed);
    };
    const auto check = [&](const auto& layer, const auto& definition) {
      GivenOutput net(views);
      const double value = net.value(layer);
      const auto expected = static_cast<double>(definition(a, b, nullptr));
      CHECK(value == doctest::Approx(expected).epsilon(kFloatRounding));
      CHECK(relative_difference(net.gradient().cast<Real>(),
                                central_differences(definition, views)) < kFloatRounding);
    };
    decorr::BarlowTwinsOptions barlow_twins;
    barlow_twins.lambda = 0.3;
    check(loss_barlow_twins_(barlow_twins, draw), [&](const RealMatrix& x, const RealMatrix& y,
                                                      decorr_tests::naive::Sides* sides) {
      return decorr_tests::naive::barlow_twins_loss(x, y, barlow_twins, regularizer, sides).value;
    });
    decorr::VicregOptions vicreg;
    vicreg.invariance = 2;
    vicreg.sum_variance = true;
    check(loss_vicreg_(vicreg, draw),
          [&](const RealMatrix& x, const RealMatrix& y, decorr_tests::naive::Sides* sides) {
            return decorr_tests::naive::vicreg_loss(x, y, vicreg, regularizer, sides).value;
          });
  }
}

TEST_CASE("outputs of several channels, rows and columns are the features") {
  const auto views = random_views<Rows>(kPairs, 12, 4);
  GivenOutput flat(views, 12), image(views, 2, 3, 2);
  CHECK(flat.value(loss_vicreg_()) == image.value(loss_vicreg_()));
  CHECK(flat.gradient() == image.gradient());
}

/// Signs for every batch.
decorr::Regularizer random_signs(Eigen::Index, Eigen::Index d, std::mt19937_64& generator) {
  decorr::Relaxed relaxed;
  relaxed.signs_a = decorr::random_signs(d, generator);
  relaxed.signs_b = decorr::random_signs(d, generator);
  return {std::move(relaxed)};
}

TEST_CASE("every batch has a draw of its own, from the seed") {
  const auto views = random_views<Rows>(kPairs, kFeatures, 5);
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  const loss_barlow_twins_ layer({}, random_signs, 7, execution);
  const loss_barlow_twins_ copy(layer);
  std::mt19937_64 generator(7);
  GivenOutput net(views);
  std::vector<double> values;
  for (int batch = 0; batch < 3; ++batch) {
    values.push_back(net.value(layer));
    const double expected =
        decorr::barlow_twins_loss(views.first, views.second, {},
                                  random_signs(kPairs, kFeatures, generator), execution)
            .value;
    CHECK(values.back() == doctest::Approx(expected).epsilon(1e-6));
  }
  CHECK(values[0] != values[1]);
  CHECK(net.value(copy) == values[0]);
}

TEST_CASE("the recommended form") {
  const auto views = random_views<Rows>(40, 600, 5);
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  std::mt19937_64 generator(7);
  const double expected =
      decorr::barlow_twins_loss(views.first, views.second, {},
                                decorr::presets::recommended(40, 600, generator), execution)
          .value;
  GivenOutput net(views, 600);
  CHECK(net.value(loss_barlow_twins_({}, decorr::dlib_dnn::recommended, 7, execution)) ==
        doctest::Approx(expected).epsilon(1e-6));
}

template <template <class> class Loss>
using Net = Loss<dlib::fc<kFeatures, dlib::relu<dlib::fc<16, support::InputPair>>>>;

std::vector<support::InputPair::input_type> batch_of(std::uint64_t seed) {
  const auto views = random_views<Rows>(kPairs, 5, seed);
  std::vector<support::InputPair::input_type> batch;
  const auto row = [](const Rows& view, Eigen::Index k) {
    return dlib::matrix<float, 0, 1>(dlib::mat(view.row(k).data(), view.cols(), 1));
  };
  for (Eigen::Index k = 0; k < kPairs; ++k) {
    batch.emplace_back(row(views.first, k), row(views.second, k));
  }
  return batch;
}

TEST_CASE("a net that dlib's trainer trains") {
  const auto batch = batch_of(8);
  const auto loss_after = [&](auto net, int steps) {
    dlib::dnn_trainer<decltype(net), dlib::adam> trainer(net, dlib::adam(0, 0.9F, 0.999F));
    trainer.set_learning_rate(1e-2);
    for (int step = 0; step < steps; ++step) trainer.train_one_step(batch);
    trainer.get_net();
    return net.compute_loss(batch.begin(), batch.end());
  };
  dlib::rand random(1);
  const Net<decorr::dlib_dnn::loss_barlow_twins> barlow_twins;
  CHECK(loss_after(barlow_twins, 100) < 0.3 * loss_after(barlow_twins, 1));
  const Net<decorr::dlib_dnn::loss_vicreg> vicreg;
  CHECK(loss_after(vicreg, 100) < 0.3 * loss_after(vicreg, 1));
}

TEST_CASE("a saved net goes on with the options and the draws") {
  decorr::VicregOptions options;
  options.invariance = 3;
  options.sum_variance = true;
  options.covariance_scaling = decorr::CovarianceScaling::block_mean;
  const auto batch = batch_of(9);
  Net<decorr::dlib_dnn::loss_vicreg> net(loss_vicreg_(options, random_signs, 11));
  Net<decorr::dlib_dnn::loss_vicreg> other(loss_vicreg_({}, random_signs));
  const double first = net.compute_loss(batch.begin(), batch.end());
  std::stringstream file;
  serialize(net, file);
  deserialize(other, file);
  CHECK(other.loss_details().options().invariance == 3);
  CHECK(other.loss_details().options().sum_variance);
  CHECK(other.loss_details().options().covariance_scaling == decorr::CovarianceScaling::block_mean);
  const double second = net.compute_loss(batch.begin(), batch.end());
  CHECK(second != first);
  CHECK(other.compute_loss(batch.begin(), batch.end()) == second);

  std::stringstream of_dlib;
  serialize(dlib::loss_barlow_twins_(), of_dlib);
  loss_barlow_twins_ layer;
  CHECK_THROWS_AS(deserialize(layer, of_dlib), dlib::serialization_error);
}

TEST_CASE("a layer tells of its options") {
  std::ostringstream text, xml;
  text << loss_barlow_twins_();
  CHECK(text.str() == "loss_barlow_twins (lambda=0.0051, scale=1, epsilon=1e-05, standardize=1)");
  to_xml(loss_vicreg_(), xml);
  CHECK(xml.str() ==
        "<loss_vicreg invariance='25' variance='25' covariance='1' gamma='1' epsilon='0.0001' "
        "scale='1' sum_variance='0' covariance_scaling='0'/>\n");
}

template <class Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const decorr::InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_CASE("what is wrong is said") {
  decorr::BarlowTwinsOptions options;
  options.epsilon = -1;
  CHECK(message_of([&] { loss_barlow_twins_ layer(options); }).substr(0, 33) ==
        "barlow_twins_loss: epsilon is -1,");
  decorr::Execution execution;
  execution.threads = 0;
  CHECK(message_of([&] { loss_vicreg_ layer({}, decorr::dlib_dnn::exact, 0, execution); }) ==
        "vicreg_loss: threads is 0, expected at least 1");
  CHECK(message_of([] { loss_vicreg_ layer({}, nullptr); }) ==
        "loss_vicreg: draw is empty, expected a function that returns a Regularizer");
  GivenOutput single(random_views<Rows>(kPairs, kFeatures, 1));
  single.set_sample_expansion_factor(1);
  CHECK(message_of([&] { single.value(loss_barlow_twins_()); }) ==
        "loss_barlow_twins: sample_expansion_factor is 1, expected 2, as of an input layer of "
        "pairs");

  // By way of the trainer's thread.
  const auto too_wide = [](Eigen::Index, Eigen::Index d, std::mt19937_64&) {
    decorr::Relaxed relaxed;
    relaxed.block_size = d + 1;
    return decorr::Regularizer(std::move(relaxed));
  };
  CHECK(message_of([&] {
          Net<decorr::dlib_dnn::loss_barlow_twins> net(loss_barlow_twins_({}, too_wide));
          dlib::dnn_trainer<decltype(net)> trainer(net);
          trainer.train_one_step(batch_of(1));
          trainer.get_net();
        }).substr(0, 35) == "barlow_twins_loss: block_size is 7,");
}

}  // namespace
