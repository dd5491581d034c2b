// Losses of several views against their definitions, summed pair by pair in long double, and
// against central differences of these.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <decorr/decorr.hpp>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "support/cases.hpp"
#include "support/loss_cases.hpp"
#include "support/naive_views.hpp"
#include "support/random_matrices.hpp"
#include "support/thread_communicator.hpp"
#include "support/views_cases.hpp"

namespace test_views {

namespace {

using namespace decorr_tests;
using decorr::ViewCombination;
using Matrix = RowMajor<double>;
using Views = std::vector<Matrix>;

constexpr ViewCombination kCombinations[] = {ViewCombination::pairs, ViewCombination::centroid};
// n < d, n > d, rows beyond a tile (16), a strip of the centroid's passes (256 columns) beside
// blocks of 100.
struct Setting {
  std::size_t views;
  Index rows, features, block_size;
};
constexpr Setting kSettings[] = {{2, 9, 7, 3}, {3, 20, 6, 4}, {5, 5, 8, 3}, {3, 4, 301, 100}};

double largest(const Views& matrices) {
  double size = 0;
  for (const Matrix& each : matrices) size = std::max(size, each.cwiseAbs().maxCoeff());
  return size;
}
void check_close(const Views& found, const Views& expected, double tolerance) {
  REQUIRE(found.size() == expected.size());
  const double size = largest(expected);
  for (std::size_t v = 0; v < found.size(); ++v) {
    CAPTURE(v);
    CHECK((found[v] - expected[v]).cwiseAbs().maxCoeff() <= tolerance * size);
  }
}

// The loss's options that change what a view counts.
std::vector<ViewsCase> with_options(const ViewsCase& plain) {
  std::vector<ViewsCase> cases{plain};
  ViewsCase& changed = cases.emplace_back(plain);
  changed.loss.barlow_twins = {0.3, 0.7, 1e-3, false};
  changed.loss.vicreg = {2, 3, 4, 1.1, 1e-3, 0.5, true, decorr::CovarianceScaling::block_mean};
  return cases;
}

// By one view along a direction, at a step that is small enough for the truncation, and large
// enough for long double's rounding (test_gradients.cpp); NaN where it crosses a kink.
Real difference(const ViewsCase& views_case, const Views& views, std::size_t view,
                const RealMatrix& direction) {
  constexpr Real step = 0x1p-18L;
  auto moved = in_long_double(views);
  naive::Sides sides_before, sides_after;
  moved[view] -= step * direction;
  const Real before = views_case.definition(moved, &sides_before);
  moved[view] += 2 * step * direction;
  const Real after = views_case.definition(moved, &sides_after);
  return naive::are_the_same(sides_before, sides_after) ? (after - before) / (2 * step)
                                                        : std::numeric_limits<Real>::quiet_NaN();
}

}  // namespace

TEST_CASE("losses of several views: the terms are those of the definitions") {
  for (const Setting& setting : kSettings) {
    const auto views = random_views_of<Matrix>(setting.views, setting.rows, setting.features);
    const auto exact_views = in_long_double(views);
    for (const ViewsCase& plain : views_cases(setting.features, setting.block_size)) {
      for (const ViewsCase& c : with_options(plain)) {
        CAPTURE(c.name());
        CAPTURE(setting.views);
        const decorr::Regularizer regularizer = argument(c.loss.regularizer);
        if (c.loss.family == Family::barlow_twins) {
          const auto found = decorr::barlow_twins_loss_of_views(
              views, c.combination, c.loss.barlow_twins, regularizer, quick());
          const auto expected = naive::barlow_twins_loss_of_views(
              exact_views, c.combination, c.loss.barlow_twins, c.loss.regularizer);
          CHECK(relative_error(found.value, expected.value) < 1e-12);
          CHECK(relative_error(found.diagonal, expected.diagonal) < 1e-12);
          CHECK(relative_error(found.off_diagonal, expected.off_diagonal) < 1e-11);
        } else {
          const auto found = decorr::vicreg_loss_of_views(views, c.combination, c.loss.vicreg,
                                                          regularizer, quick());
          const auto expected = naive::vicreg_loss_of_views(exact_views, c.combination,
                                                            c.loss.vicreg, c.loss.regularizer);
          CHECK(relative_error(found.value, expected.value) < 1e-12);
          CHECK(relative_error(found.invariance, expected.invariance) < 1e-13);
          CHECK(relative_error(found.variance, expected.variance) < 1e-12);
          CHECK(relative_error(found.covariance, expected.covariance) < 1e-11);
        }
      }
    }
  }
}

TEST_CASE("losses of several views: the gradients are central differences of the definitions") {
  int compared = 0;
  for (const Setting& setting : kSettings) {
    if (setting.features > 100) continue;  // the definitions take O(d^2)
    const auto views = random_views_of<Matrix>(setting.views, setting.rows, setting.features);
    for (const ViewsCase& plain : views_cases(setting.features, setting.block_size)) {
      for (const ViewsCase& c : with_options(plain)) {
        CAPTURE(c.name());
        auto gradients = like<Matrix>(views);
        const double value = c(views, gradients);
        CHECK(value == c(views));
        for (std::size_t v = 0; v < views.size(); ++v) {
          RealMatrix direction = random_matrix<RealMatrix>(setting.rows, setting.features, 50 + v);
          direction /= direction.norm();
          const Real expected = difference(c, views, v, direction);
          if (std::isnan(expected)) continue;
          const Real found = (gradients[v].cast<Real>().array() * direction.array()).sum();
          CAPTURE(v);
          CHECK(std::abs(found - expected) <= 1e-7 * gradients[v].norm());
          ++compared;
        }
      }
    }
  }
  CHECK(compared > 300);
}

TEST_CASE("losses over pairs are the sum of the two-view function's, gradients included") {
  std::vector<Setting> settings(std::begin(kSettings), std::end(kSettings));
  settings.push_back({4, 35, 1031, 300});  // two strips of features, a prime of them
  settings.push_back({3, 9, 12, 12});      // a block of all features
  for (const Setting& setting : settings) {
    const auto views = random_views_of<Matrix>(setting.views, setting.rows, setting.features);
    for (const ViewsCase& c : views_cases(setting.features, setting.block_size)) {
      if (c.combination != ViewCombination::pairs) continue;
      // Of VICReg each view keeps its signs, where the two-view function gives them by position.
      const bool has_signs = c.loss.relaxed() != nullptr && !c.loss.relaxed()->signs_a.empty();
      if (c.loss.family == Family::vicreg && has_signs && setting.views > 2) continue;
      CAPTURE(c.name());
      CAPTURE(setting.views);
      auto gradients = like<Matrix>(views);
      const double value = c(views, gradients);
      double expected = 0;
      Views sum(views.size(), Matrix::Zero(setting.rows, setting.features));
      naive::for_each_pair(views.size(), [&](std::size_t u, std::size_t v) {
        Matrix grad_a(setting.rows, setting.features), grad_b(setting.rows, setting.features);
        expected += c.loss(views[u], views[v], grad_a, grad_b);
        sum[u] += grad_a;
        sum[v] += grad_b;
      });
      CHECK(value == doctest::Approx(expected).epsilon(1e-13));
      check_close(gradients, sum, 1e-12);
    }
  }
}

TEST_CASE("a view of several that epsilon outweighs keeps its digits") {
  const auto views = random_views_of<RowMajor<float>>(3, 40, 30);
  std::vector<RowMajor<float>> apart = views;
  apart[1] *= 1e-6f;
  Views in_double;
  for (const auto& view : apart) in_double.push_back(view.cast<double>());
  for (ViewsCase c : views_cases(30, 8)) {
    if (c.loss.family != Family::barlow_twins || c.combination != ViewCombination::pairs) continue;
    CAPTURE(c.name());
    // Of the regularizer's gradient the diagonal's would leave nothing to be seen.
    c.loss.barlow_twins = {1e15, 1e-15, 1e-5, true};
    auto gradients = like<RowMajor<float>>(apart);
    auto expected = like<Matrix>(in_double);
    CHECK(relative_error(c(apart, gradients), c(in_double, expected)) < 1e-5);
    // A lag sum's sign may be another one in float.
    const auto* relaxed = c.loss.relaxed();
    if (relaxed != nullptr && relaxed->exponent == 1) continue;
    for (std::size_t v = 0; v < apart.size(); ++v) {
      CAPTURE(v);
      CHECK(relative_error(gradients[v], expected[v]) < 1e-5);
    }
  }
}

TEST_CASE_TEMPLATE("losses of several views in float and long double", Scalar, float, long double) {
  const Setting setting = kSettings[1];
  const auto views = random_views_of<RowMajor<Scalar>>(3, setting.rows, setting.features);
  std::vector<RowMajor<double>> in_double;
  for (const auto& view : views) in_double.push_back(view.template cast<double>());
  const double tolerance = std::is_same<Scalar, float>::value ? 1e-5 : 1e-12;
  for (const ViewsCase& c : views_cases(setting.features, setting.block_size)) {
    CAPTURE(c.name());
    auto gradients = like<RowMajor<Scalar>>(views);
    const Scalar value = c(views, gradients);
    // To all digits of a long double.
    const double digits = std::is_same<Scalar, float>::value ? 1e-5 : 1e-16;
    CHECK(relative_error(static_cast<Real>(value), c.definition(in_long_double(views))) < digits);
    auto expected = like<Matrix>(in_double);
    c(in_double, expected);
    for (std::size_t v = 0; v < views.size(); ++v) {
      CHECK(relative_error(gradients[v], expected[v]) < tolerance);
    }
  }
}

TEST_CASE("views far from zero and close to each other keep the digits of their differences") {
  const Index n = 6, d = 5;
  Views views, near_zero;
  for (std::size_t v = 0; v < 3; ++v) {
    // Multiples of 2^-10, of which 2^40 takes none away.
    Matrix small = random_matrix<Matrix>(n, d, v);
    small = (small.array() * 1024).round().matrix() / 1024;
    near_zero.push_back(small);
    views.push_back(small.array() + 0x1p40);
  }
  decorr::VicregOptions options;
  for (const auto combination : kCombinations) {
    const double expected =
        decorr::vicreg_loss_of_views(near_zero, combination, options, {}, quick()).invariance;
    CHECK(decorr::vicreg_loss_of_views(views, combination, options, {}, quick()).invariance ==
          doctest::Approx(expected).epsilon(1e-14));
  }
}

TEST_CASE("the centroid of standardized views keeps its digits beside a large mean") {
  const Index n = 20, d = 6;
  std::vector<Eigen::MatrixXf> views, near_zero;
  for (std::size_t v = 0; v < 3; ++v) {
    // Multiples of 2^-6, of which 2^16 takes none away.
    Eigen::MatrixXf small = random_matrix<Eigen::MatrixXf>(n, d, v);
    small = (small.array() * 64).round().matrix() / 64;
    near_zero.push_back(small);
    views.emplace_back(small.array() + static_cast<float>(v + 1) * 0x1p15F);
  }
  std::vector<Eigen::MatrixXf> gradients(3, Eigen::MatrixXf(n, d)), expected(gradients);
  const decorr::BarlowTwinsOptions options;
  const auto combination = decorr::ViewCombination::centroid;
  const auto loss =
      decorr::barlow_twins_loss_of_views(views, gradients, combination, options, {}, quick());
  const auto wanted =
      decorr::barlow_twins_loss_of_views(near_zero, expected, combination, options, {}, quick());
  CHECK(relative_error(loss.diagonal, static_cast<Real>(wanted.diagonal)) < 1e-5);
  CHECK(relative_error(loss.off_diagonal, static_cast<Real>(wanted.off_diagonal)) < 1e-5);
  for (std::size_t v = 0; v < 3; ++v) {
    CHECK(relative_error(gradients[v], expected[v].cast<Real>()) < 1e-5);
  }
}

TEST_CASE("an invariance within the range has no squares beyond it") {
  const Matrix one = Matrix::Constant(4, 3, 1e200);
  const Views views{one, 3 * one, 2 * one};  // each a constant: no variance, no covariance
  decorr::VicregOptions options;
  options.invariance = 1e-300;
  options.variance = options.covariance = 0;
  const double value =
      decorr::vicreg_loss_of_views(views, ViewCombination::pairs, options, {}, quick()).invariance;
  CHECK(value == doctest::Approx(6e100).epsilon(1e-13));
  options.invariance = -1e-300;
  CHECK(decorr::vicreg_loss_of_views(views, ViewCombination::centroid, options, {}, quick())
            .invariance == doctest::Approx(-2e100).epsilon(1e-13));
}

TEST_CASE("containers of matrices, Maps, blocks and pointers, in any layout") {
  const Setting setting = kSettings[1];
  const auto views = random_views_of<Matrix>(3, setting.rows, setting.features);
  for (const ViewsCase& c : views_cases(setting.features, setting.block_size)) {
    CAPTURE(c.name());
    auto expected = like<Matrix>(views);
    const double value = c(views, expected);

    std::vector<ColumnMajor<double>> columns(views.begin(), views.end());
    auto gradients = like<ColumnMajor<double>>(columns);
    CHECK(c(columns, gradients) == doctest::Approx(value).epsilon(1e-12));
    check_close(Views(gradients.begin(), gradients.end()), expected, 1e-12);

    // Interleaved in one buffer each.
    using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    using Map = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;
    std::vector<double> buffer(static_cast<std::size_t>(3 * setting.rows * setting.features));
    std::vector<double> target(buffer.size(), 77);
    const auto at = [&](std::vector<double>& memory, Index v) {
      return Map(memory.data() + v, setting.rows, setting.features,
                 Stride(3 * setting.features, 3));
    };
    for (Index v = 0; v < 3; ++v) at(buffer, v) = views[static_cast<std::size_t>(v)];
    const std::array<Map, 3> maps{at(buffer, 0), at(buffer, 1), at(buffer, 2)};
    std::array<Map, 3> targets{at(target, 0), at(target, 1), at(target, 2)};
    CHECK(c(maps, targets) == doctest::Approx(value).epsilon(1e-12));
    check_close({targets[0], targets[1], targets[2]}, expected, 1e-12);

    // Pointers, of which one gradient is not wanted.
    const std::vector<const Matrix*> pointers{&views[0], &views[1], &views[2]};
    auto pointed = like<Matrix>(views);
    for (std::size_t left_out = 0; left_out < 3; ++left_out) {
      std::vector<Matrix*> some{&pointed[0], &pointed[1], &pointed[2]};
      some[left_out] = nullptr;
      for (Matrix& each : pointed) each.setConstant(77);
      CHECK(c(pointers, some) == doctest::Approx(value).epsilon(1e-12));
      for (std::size_t v = 0; v < 3; ++v) {
        if (v == left_out) {
          CHECK((pointed[v].array() == 77).all());
        } else {
          CHECK(relative_error(pointed[v], expected[v]) < 1e-12);
        }
      }
    }
  }
}

TEST_CASE("blocks and expressions as views, a temporary container of Maps as gradients") {
  const auto views = random_views_of<Matrix>(3, 8, 5);
  Matrix all(8, 15), target(8, 15);
  all << views[0], views[1], views[2];
  auto expected = like<Matrix>(views);
  const auto loss =
      decorr::barlow_twins_loss_of_views(views, expected, ViewCombination::pairs, {}, {}, quick());
  const std::vector<Eigen::Block<Matrix>> blocks{all.middleCols(0, 5), all.middleCols(5, 5),
                                                 all.middleCols(10, 5)};
  const auto of_blocks = decorr::barlow_twins_loss_of_views(
      blocks,
      std::vector<Eigen::Block<Matrix>>{target.middleCols(0, 5), target.middleCols(5, 5),
                                        target.middleCols(10, 5)},
      ViewCombination::pairs, {}, {}, quick());
  CHECK(of_blocks.value == doctest::Approx(loss.value).epsilon(1e-12));
  check_close({target.middleCols(0, 5), target.middleCols(5, 5), target.middleCols(10, 5)},
              expected, 1e-12);
  const auto halved = [](const Matrix& view) { return 0.5 * view; };
  using Expression = decltype(halved(views[0]));
  const std::vector<Expression> expressions{halved(views[0]), halved(views[1]), halved(views[2])};
  const Views halves{0.5 * views[0], 0.5 * views[1], 0.5 * views[2]};
  CHECK(decorr::vicreg_loss_of_views(expressions, ViewCombination::pairs, {}, {}, quick()).value ==
        doctest::Approx(
            decorr::vicreg_loss_of_views(halves, ViewCombination::pairs, {}, {}, quick()).value)
            .epsilon(1e-13));
}

TEST_CASE("views in 16 bits are computed in float, with gradients in either") {
  using Half = RowMajor<Eigen::half>;
  const auto views = random_views_of<Half>(3, 20, 6);
  std::vector<RowMajor<float>> in_float;
  for (const Half& view : views) in_float.push_back(view.cast<float>());
  for (const ViewsCase& c : views_cases(6, 4)) {
    CAPTURE(c.name());
    auto expected = like<RowMajor<float>>(in_float);
    const float value = c(in_float, expected);
    auto gradients = like<RowMajor<float>>(views);
    auto halves = like<Half>(views);
    CHECK(c(views, gradients) == doctest::Approx(value).epsilon(1e-6));
    CHECK(c(views, halves) == doctest::Approx(value).epsilon(1e-6));
    for (std::size_t v = 0; v < 3; ++v) {
      CHECK(relative_error(gradients[v], expected[v]) < 1e-5);
      CHECK(relative_error(halves[v].cast<float>(), expected[v]) < 1e-3);
    }
  }
}

TEST_CASE("losses of several views do not depend on the number of threads, bit for bit") {
  const auto views = random_views_of<RowMajor<float>>(3, 70, 12);
  for (ViewsCase c : views_cases(12, 5)) {
    CAPTURE(c.name());
    auto expected = like<RowMajor<float>>(views);
    const float value = c(views, expected);
    for (const int threads : {2, 5}) {
      c.loss.execution.threads = threads;
      auto gradients = like<RowMajor<float>>(views);
      CHECK(c(views, gradients) == value);
      for (std::size_t v = 0; v < 3; ++v) CHECK(gradients[v] == expected[v]);
    }
  }
}

TEST_CASE("the mean of losses of several views over all signs is the exact loss") {
  constexpr Index d = 3;
  const auto views = random_views_of<Matrix>(3, 7, d);
  for (const auto combination : kCombinations) {
    for (const Family family : {Family::barlow_twins, Family::vicreg}) {
      ViewsCase exact{{"exact", family, decorr::Exact{}}, combination};
      double sum = 0;
      const unsigned draws = 1U << (2 * d);
      for (unsigned bits = 0; bits < draws; ++bits) {
        decorr::Relaxed relaxed;
        for (Index j = 0; j < 2 * d; ++j) {
          const std::int8_t sign = ((bits >> j) & 1U) != 0 ? 1 : -1;
          (j < d ? relaxed.signs_a : relaxed.signs_b).push_back(sign);
        }
        sum += ViewsCase{{"signs", family, relaxed}, combination}(views);
      }
      CHECK(sum / draws == doctest::Approx(exact(views)).epsilon(1e-12));
    }
  }
}

TEST_CASE("NaN in one view reaches the values and all views' gradients") {
  auto views = random_views_of<Matrix>(3, 8, 5);
  views[1](2, 3) = std::numeric_limits<double>::quiet_NaN();
  for (const ViewsCase& c : views_cases(5, 2)) {
    CAPTURE(c.name());
    auto gradients = like<Matrix>(views);
    CHECK(std::isnan(c(views, gradients)));
    for (const Matrix& each : gradients) CHECK(each.array().isNaN().any());
  }
}

// ---- Arguments

namespace {

// The message of a call that is to be refused, with its gradients untouched.
template <class Given, class Gradients>
std::string refusal(const Given& views, Gradients& gradients, ViewCombination combination,
                    const decorr::VicregOptions& options = {},
                    const decorr::Regularizer& regularizer = {},
                    const decorr::Execution& execution = quick()) {
  std::string messages[2];
  for (const bool is_vicreg : {false, true}) {
    try {
      if (is_vicreg) {
        decorr::vicreg_loss_of_views(views, gradients, combination, options, regularizer,
                                     execution);
      } else {
        decorr::barlow_twins_loss_of_views(
            views, gradients, combination,
            {options.invariance, options.scale, options.epsilon, true}, regularizer, execution);
      }
    } catch (const decorr::InvalidArgument& error) {
      const std::string text = error.what(), function = text.substr(0, text.find(": ") + 2);
      CHECK(function == (is_vicreg ? "vicreg_loss_of_views: " : "barlow_twins_loss_of_views: "));
      messages[is_vicreg ? 1 : 0] = text.substr(function.size());
      CHECK(messages[is_vicreg ? 1 : 0].rfind(error.argument(), 0) == 0);
    }
  }
  CHECK(messages[0] == messages[1]);
  return messages[0];
}

}  // namespace

TEST_CASE("what is wrong with several views is told by the argument's name and place") {
  const auto good = random_views_of<Matrix>(3, 6, 5);
  auto gradients = like<Matrix>(good);
  const auto untouched = [&] {
    for (const Matrix& each : gradients) CHECK((each.array() == 77).all());
  };
  const auto told = [&](const Views& views) {
    const std::string message = refusal(views, gradients, ViewCombination::pairs);
    untouched();
    return message;
  };
  CHECK(told({}) == "views has 0 entries, expected at least 2");
  CHECK(told({good[0]}) == "views has 1 entry, expected at least 2");
  CHECK(told({good[0], good[1], Matrix::Zero(5, 5)}) == "views[2] has 5 rows, views[0] has 6");
  CHECK(told({good[0], Matrix::Zero(6, 1), good[1]}) == "views[1] has 1 column, views[0] has 5");
  CHECK(told({Matrix(0, 5), Matrix(0, 5)}) ==
        "views[0] is 0 x 5, expected at least 1 row and 1 column");
  CHECK(told({Matrix(6, 0), Matrix(6, 0)}) ==
        "views[0] is 6 x 0, expected at least 1 row and 1 column");
  CHECK(told({Matrix::Zero(1, 5), Matrix::Zero(1, 5)}) ==
        "views[0] has 1 row, expected at least 2 (a variance is taken over the rows)");
  CHECK(told({good[0], good[1]}) == "gradients has 3 entries, views has 2");

  const std::vector<const Matrix*> with_null{&good[0], nullptr, &good[2]};
  CHECK(refusal(with_null, gradients, ViewCombination::pairs) == "views[1] is null");
  CHECK(refusal(good, gradients, static_cast<ViewCombination>(2)) ==
        "combination is 2, expected one of its names");
  CHECK(refusal(good, gradients, static_cast<ViewCombination>(-1)) ==
        "combination is -1, expected one of its names");
  decorr::VicregOptions options;
  options.scale = std::numeric_limits<double>::infinity();
  CHECK(refusal(good, gradients, ViewCombination::centroid, options) ==
        "scale is inf, expected a finite number");
  decorr::Relaxed relaxed;
  relaxed.block_size = 6;
  CHECK(refusal(good, gradients, ViewCombination::pairs, {}, relaxed) ==
        "block_size is 6, expected 0 to 5, the number of features");
  decorr::Execution none = quick();
  none.threads = 0;
  CHECK(refusal(good, gradients, ViewCombination::pairs, {}, {}, none) ==
        "threads is 0, expected at least 1");
  untouched();
  // One row has no variance to be divided by where nothing is standardized.
  decorr::BarlowTwinsOptions raw;
  raw.standardize = false;
  const Views rows{good[0].topRows(1), good[1].topRows(1), good[2].topRows(1)};
  CHECK(decorr::barlow_twins_loss_of_views(rows, ViewCombination::pairs, raw, {}, quick()).value >
        0);
}

TEST_CASE("signs of VICReg's views are of all or of none") {
  const auto views = random_views_of<Matrix>(3, 6, 5);
  decorr::Relaxed relaxed;
  relaxed.signs_a.assign(5, 1);
  CHECK_THROWS_WITH_AS(
      decorr::vicreg_loss_of_views(views, ViewCombination::pairs, {}, relaxed, quick()),
      "vicreg_loss_of_views: signs_b is empty, signs_a is not, expected the signs of both views, "
      "or "
      "of none",
      decorr::InvalidArgument);
}

TEST_CASE("gradients of several views that overlap, or have another shape, are refused") {
  const auto views = random_views_of<Matrix>(3, 6, 5);
  std::vector<double> memory(1000, 77);
  using Map = Eigen::Map<Matrix>;
  const auto at = [&](Index offset, Index rows = 6, Index cols = 5) {
    return Map(memory.data() + offset, rows, cols);
  };
  const auto told = [&](std::vector<Map> gradients) {
    const std::string message = refusal(views, gradients, ViewCombination::centroid);
    for (const double each : memory) CHECK(each == 77);
    return message;
  };
  CHECK(told({at(0)}) == "gradients has 1 entry, views has 3");
  CHECK(told({at(0), at(100), at(200, 6, 4)}) == "gradients[2] has 4 columns, views[2] has 5");
  CHECK(told({at(0), at(100, 7), at(200)}) == "gradients[1] has 7 rows, views[1] has 6");
  CHECK(told({at(0), at(100), at(29)}) ==
        "gradients[2] overlaps gradients[0], expected memory of its own");
  CHECK(told({at(0), at(0), at(100)}) ==
        "gradients[1] overlaps gradients[0], expected memory of its own");

  // In the place of a view, its own too.
  auto inputs = views;
  for (std::size_t v = 0; v < 3; ++v) {
    std::vector<Map> gradients{at(0), Map(inputs[v].data(), 6, 5), at(100)};
    CHECK(refusal(inputs, gradients, ViewCombination::pairs) ==
          "gradients[1] overlaps views[" + std::to_string(v) + "], expected memory of its own");
  }
  for (std::size_t v = 0; v < 3; ++v) CHECK(inputs[v] == views[v]);

  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  using Strided = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;
  std::vector<Strided> shared(3, Strided(memory.data(), 6, 5, Stride(0, 1)));
  CHECK(refusal(views, shared, ViewCombination::pairs) ==
        "gradients[0] has strides 0 and 1 for 6 x 5 elements, of which some share memory");
  // One matrix may be several views.
  const std::vector<const Matrix*> same{&views[0], &views[0], &views[0]};
  CHECK(decorr::vicreg_loss_of_views(same, ViewCombination::pairs, {}, {}, quick()).invariance ==
        0);
}

// ---- Several processes

namespace {

// Rows `first` to `first + count - 1` of each view.
Views part(const Views& views, Index first, Index count) {
  Views rows;
  for (const Matrix& view : views) rows.push_back(view.middleRows(first, count));
  return rows;
}

}  // namespace

TEST_CASE("processes with any rows give the losses of several views of one process") {
  const Index n = 24, d = 7;
  const auto views = random_views_of<Matrix>(3, n, d);
  for (const std::vector<Index>& counts :
       {std::vector<Index>{24}, {7, 0, 17}, {1, 23}, {6, 6, 6, 6}}) {
    for (const ViewsCase& c : views_cases(d, 3)) {
      CAPTURE(c.name());
      auto expected = like<Matrix>(views);
      const double value = c(views, expected);
      auto gradients = like<Matrix>(views);
      ThreadGroup group(static_cast<int>(counts.size()));
      std::vector<double> values(counts.size());
      const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
        Index first = 0;
        for (int before = 0; before < rank; ++before) {
          first += counts[static_cast<std::size_t>(before)];
        }
        const Index count = counts[static_cast<std::size_t>(rank)];
        const Views own = part(views, first, count);
        ViewsCase mine = c;
        mine.loss.execution.communicator = &communicator;
        Views own_gradients(3, Matrix(count, d));
        values[static_cast<std::size_t>(rank)] = mine(own, own_gradients);
        CHECK(mine(own) == values[static_cast<std::size_t>(rank)]);
        for (std::size_t v = 0; v < 3; ++v) {
          gradients[v].middleRows(first, count) = own_gradients[v];
        }
      });
      for (const auto& failure : failures) CHECK(message_of(failure).empty());
      for (const double each : values) CHECK(each == doctest::Approx(value).epsilon(1e-12));
      check_close(gradients, expected, 1e-12);
    }
  }
}

namespace {

// A process's sums are counted, and one of them fails if that is asked for.
class Counting final : public decorr::Communicator {
 public:
  explicit Counting(int failing = 0) : failing_(failing) {}
  void sum(double*, std::size_t) override {
    if (++sums_ == failing_) throw std::runtime_error("the network is down");
  }
  void sum(long double*, std::size_t) override {}
  int sums() const { return sums_; }

 private:
  int failing_, sums_ = 0;
};

}  // namespace

TEST_CASE("gradients of several views are untouched whichever sum fails") {
  const auto views = random_views_of<Matrix>(3, 20, 7);
  for (ViewsCase c : views_cases(7, 3)) {
    CAPTURE(c.name());
    Counting all;
    c.loss.execution.communicator = &all;
    auto gradients = like<Matrix>(views);
    c(views, gradients);
    for (int sum = 1; sum <= all.sums(); ++sum) {
      Counting failing(sum);
      c.loss.execution.communicator = &failing;
      auto untouched = like<Matrix>(views);
      CHECK_THROWS_WITH(c(views, untouched), "the network is down");
      for (const Matrix& each : untouched) CHECK((each.array() == 77).all());
    }
  }
}

TEST_CASE("processes with other views, combinations or gradients are told apart") {
  const auto views = random_views_of<Matrix>(3, 8, 5);
  struct Change {
    const char* told;
    bool other_combination, fewer_views, fewer_gradients, other_shape;
  };
  const char* const differ =
      "the views, their combination or which gradients are asked for differs";
  for (const Change& change :
       {Change{differ, true, false, false, false}, Change{differ, false, true, false, false},
        Change{differ, false, false, true, false},
        Change{"failed on 1 of 3 processes, which say why", false, false, false, true}}) {
    for (const bool is_vicreg : {false, true}) {
      ThreadGroup group(3);
      const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
        const bool is_other = rank == 1;
        std::vector<const Matrix*> given{&views[0], &views[1], &views[2]};
        auto targets = like<Matrix>(views);
        std::vector<Matrix*> gradients{&targets[0], &targets[1], &targets[2]};
        const Matrix wrong = Matrix::Zero(8, 4);
        ViewsCase c{{"", is_vicreg ? Family::vicreg : Family::barlow_twins, decorr::Relaxed{}},
                    ViewCombination::pairs};
        c.loss.execution.communicator = &communicator;
        if (is_other && change.other_combination) c.combination = ViewCombination::centroid;
        if (is_other && change.fewer_views) {
          given.pop_back();
          gradients.pop_back();
        }
        if (is_other && change.fewer_gradients) gradients[2] = nullptr;
        if (is_other && change.other_shape) given[1] = &wrong;
        const auto check_untouched = [&] {
          for (const Matrix& each : targets) CHECK((each.array() == 77).all());
        };
        try {
          c(given, gradients);
        } catch (...) {
          check_untouched();
          throw;
        }
      });
      for (std::size_t rank = 0; rank < 3; ++rank) {
        const std::string message = message_of(failures[rank]);
        CAPTURE(message);
        if (change.other_shape && rank == 1) {
          CHECK(message.find("views[1] has 4 columns, views[0] has 5") != std::string::npos);
        } else {
          CHECK(message.find(change.told) != std::string::npos);
        }
      }
    }
  }
}

TEST_CASE("the sums of several views are those of the calls that they consist of") {
  const auto views = random_views_of<Matrix>(3, 8, 5);
  const auto sums_of = [&](const auto& call) {
    Counting counting;
    decorr::Execution execution = quick();
    execution.communicator = &counting;
    call(execution);
    return counting.sums();
  };
  Matrix grad_a(8, 5), grad_b(8, 5);
  auto gradients = like<Matrix>(views);
  const decorr::Relaxed relaxed;
  const int of_two = sums_of([&](const auto& execution) {
    decorr::barlow_twins_loss(views[0], views[1], grad_a, grad_b, {}, relaxed, execution);
  });
  const int of_one = sums_of([&](const auto& execution) {
    decorr::variance_covariance_loss(views[0], grad_a, {}, relaxed, execution);
  });
  for (const auto combination : kCombinations) {
    // The first sum is one for all, and one more is the call's own; two of each view are of the
    // means that the centroid is taken beside.
    const int of_means = combination == decorr::ViewCombination::centroid ? 2 * 3 : 0;
    CHECK(sums_of([&](const auto& execution) {
            decorr::barlow_twins_loss_of_views(views, gradients, combination, {}, relaxed,
                                               execution);
          }) == 2 + of_means + 3 * (of_two - 1));
    CHECK(sums_of([&](const auto& execution) {
            decorr::vicreg_loss_of_views(views, gradients, combination, {}, relaxed, execution);
          }) == 2 + 3 * (of_one - 1));
  }
}

}  // namespace test_views
