// Every form of a regularizer on a batch that is at hand as a whole, or in parts
// (detail/regularizers/regularizer.hpp and the forms themselves), against the definition.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <decorr/detail/regularizers/dominant_feature.hpp>
#include <decorr/detail/regularizers/regularizer.hpp>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/statistics/prepared_rows.hpp>
#include <decorr/options.hpp>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/random_matrices.hpp"
#include "unit/transforms.hpp"

namespace unit_regularizers {

namespace {

using namespace decorr::detail;
using decorr::Relaxed;
using decorr_tests::random_views;
using decorr_tests::relative_error;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Kind = SignalPairing::Kind;

// Sums of less than a million terms, of which most cancel.
constexpr double kTolerance = 1e-11;
constexpr double kGradientWeight = 0.75;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// A regularizer of prepared rows; without `relaxed` the exact one.
struct Choice {
  std::string name;
  Relaxed relaxed;
  bool is_exact = false, halves_middle = false, takes_means = false;

  decorr::Regularizer argument() const {
    return is_exact ? decorr::Regularizer() : decorr::Regularizer(relaxed);
  }
  BlockWeights weights(Index features) const {
    BlockWeights weights = block_weights(argument(), features);
    if (takes_means) weights.take_means();
    if (halves_middle) weights.halve_middle_lags();
    return weights;
  }
};

Choice exact() {
  Choice choice;
  choice.name = "exact";
  choice.is_exact = true;
  return choice;
}
Choice relaxed(int exponent, Index block_size, Index permuted_features = 0) {
  Choice choice;
  choice.name = "relaxed";
  choice.relaxed.exponent = exponent;
  choice.relaxed.block_size = block_size;
  if (permuted_features > 0) {
    choice.relaxed.permutation = unit_transforms::random_permutation(permuted_features, 3);
  }
  return choice;
}

// Two views, or one; of a covariance b is not there.
struct Batch {
  Batch(Kind its_kind, Index rows, Index features, bool has_signs)
      : kind(its_kind), signs(at(features), 1) {
    auto views = random_views<Matrix>(rows, features, 7);
    a = std::move(views.first);
    if (kind == Kind::views) b = std::move(views.second);
    for (std::size_t j = 0; j < signs.size() && has_signs; j += 3) signs[j] = -1;
    if (has_signs) {
      preparation = Preparation<double>(arena, features, {}, signs.data());
    }
  }

  Index rows() const { return a.rows(); }
  Index features() const { return a.cols(); }
  bool is_covariance() const { return kind == Kind::samples; }
  double m() const { return static_cast<double>(rows() - (is_covariance() ? 1 : 0)); }
  RegularizerSetup<double> setup(Index most_rows, const RowAccess& access, Route route,
                                 SpectrumPlace place, int threads) const {
    RegularizerSetup<double> setup{SignalPairing(kind),
                                   &preparation,
                                   &preparation,
                                   features(),
                                   rows(),
                                   most_rows,
                                   access,
                                   {threads, decorr::Planning::estimate}};
    setup.has_whole_batch = most_rows == rows();
    setup.route = route;
    setup.place = place;
    return setup;
  }

  Kind kind;
  Matrix a, b;
  std::vector<std::int8_t> signs;
  Arena arena;
  Preparation<double> preparation;
};

struct Result {
  double value = 0;
  Matrix gradient_a, gradient_b;
};

// The definition: C is formed, and its lag sums and their derivatives are taken one by one.
Result by_definition(const Batch& batch, const Choice& choice) {
  const Index d = batch.features();
  const Index b = choice.is_exact                  ? 1
                  : choice.relaxed.block_size == 0 ? d
                                                   : choice.relaxed.block_size;
  const Index blocks = (d + b - 1) / b;
  const int q = choice.is_exact ? 2 : choice.relaxed.exponent;
  const auto source = [&](Index j) {
    return choice.relaxed.permutation.empty() ? j : choice.relaxed.permutation[at(j)];
  };
  const auto arranged = [&](const Matrix& x) {
    Matrix result = Matrix::Zero(x.rows(), blocks * b);
    for (Index j = 0; j < d; ++j) {
      result.col(j) = x.col(source(j)) * static_cast<double>(batch.signs[at(source(j))]);
    }
    return result;
  };
  const Matrix a = arranged(batch.a), other = batch.is_covariance() ? a : arranged(batch.b);
  const Matrix c = a.transpose() * other / batch.m();
  Matrix slopes = Matrix::Zero(c.rows(), c.cols());
  Result result;
  const auto g_count = static_cast<double>(blocks);
  for (Index g = 0; g < blocks; ++g) {
    for (Index h = 0; h < blocks; ++h) {
      double block_weight = 1;
      if (choice.takes_means) {
        const Index width = g == blocks - 1 || h == blocks - 1 ? d - (blocks - 1) * b : b;
        block_weight = (g == h ? 1 / g_count : 2 / (g_count * (g_count - 1))) /
                       std::pow(static_cast<double>(width), q);
      }
      for (Index lag = g == h ? 1 : 0; lag < b; ++lag) {
        const bool is_half = choice.halves_middle && g == h && 2 * lag == b;
        const double weight = is_half ? block_weight / 2 : block_weight;
        double s = 0;
        for (Index j = 0; j < b; ++j) s += c(g * b + j, h * b + (j + lag) % b);
        result.value += weight * std::pow(std::abs(s), q);
        const double slope = weight * (q == 2 ? 2 * s : s > 0 ? 1 : -1);
        for (Index j = 0; j < b; ++j) slopes(g * b + j, h * b + (j + lag) % b) = slope;
      }
    }
  }
  slopes *= kGradientWeight / batch.m();
  const auto restored = [&](const Matrix& x) {
    Matrix gradient(x.rows(), d);
    for (Index j = 0; j < d; ++j) gradient.col(source(j)) = x.col(j);
    return gradient;
  };
  if (batch.is_covariance()) {
    result.gradient_a = restored(a * (slopes + slopes.transpose()));
  } else {
    result.gradient_a = restored(other * slopes.transpose());
    result.gradient_b = restored(a * slopes);
  }
  return result;
}

// Some rows of a batch and of a result.
BatchRows<double> rows_of(const Batch& batch, Result& result, Index first, Index count,
                          bool has_a = true, bool has_b = true) {
  const Index d = batch.features();
  BatchRows<double> rows{{batch.a.row(first).data(), count, d, d, 1}, {}, {}, {}};
  if (has_a) rows.gradient_a = {result.gradient_a.row(first).data(), d, d, 1};
  if (!batch.is_covariance()) {
    rows.b = {batch.b.row(first).data(), count, d, d, 1};
    if (has_b) rows.gradient_b = {result.gradient_b.row(first).data(), d, d, 1};
  }
  return rows;
}

struct Course {
  std::vector<Index> parts;  // rows that are at hand at a time
  SpectrumPlace place = SpectrumPlace::nowhere;
  Route route = Route::automatic;
  int threads = 1;
  bool has_a = true, has_b = true;
  DominantFeature dominant = {};
};

Result run(Batch& batch, const Choice& choice, const Course& course) {
  Arena arena;
  Result result;
  result.gradient_a = Matrix::Constant(batch.rows(), batch.features(), -1);
  if (!batch.is_covariance()) result.gradient_b = result.gradient_a;
  const auto rows = [&](Index first, Index count) {
    return rows_of(batch, result, first, count, course.has_a, course.has_b);
  };
  const Index most = *std::max_element(course.parts.begin(), course.parts.end());
  const auto argument = choice.argument();
  auto setup =
      batch.setup(most, row_access(rows(0, most)), course.route, course.place, course.threads);
  setup.dominant = course.dominant;
  BatchRegularizer<double> regularizer(arena, setup, argument, choice.weights(batch.features()));
  Index first = 0;
  for (const Index part : course.parts) {
    regularizer.add(rows(first, part));
    first += part;
  }
  REQUIRE(first == batch.rows());
  result.value = regularizer.value(rows(0, first), batch.m(), kGradientWeight);
  if (!course.has_a && (batch.is_covariance() || !course.has_b)) return result;
  // The last part first: the passes do not depend on each other's order.
  for (std::size_t i = course.parts.size(); i-- > 0;) {
    first -= course.parts[i];
    regularizer.gradient(rows(first, course.parts[i]), {});
  }
  return result;
}

void check_equal(const Result& actual, const Result& expected, bool has_a = true,
                 bool has_b = true) {
  CHECK(relative_error(actual.value, expected.value) < kTolerance);
  const auto check = [](const Matrix& gradient, const Matrix& wanted, bool is_written) {
    REQUIRE(gradient.rows() == wanted.rows());
    if (is_written) {
      CHECK(relative_error(gradient, wanted) < kTolerance);
    } else {
      CHECK((gradient.array() == -1).all());
    }
  };
  check(actual.gradient_a, expected.gradient_a, has_a);
  if (expected.gradient_b.size() > 0) check(actual.gradient_b, expected.gradient_b, has_b);
}

// The same batch as a whole, in parts of several sizes, and with threads.
void check(Kind kind, Index rows, Index features, const Choice& choice, bool has_signs = false) {
  CAPTURE(choice.name);
  CAPTURE(choice.relaxed.exponent);
  CAPTURE(choice.relaxed.block_size);
  CAPTURE(static_cast<int>(kind));
  CAPTURE(rows);
  CAPTURE(features);
  Batch batch(kind, rows, features, has_signs);
  const Result expected = by_definition(batch, choice);
  constexpr auto kRows = SpectrumPlace::gradient_rows, kBuffer = SpectrumPlace::buffer;
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    for (const Route route : {Route::automatic, Route::features, Route::gram}) {
      CAPTURE(static_cast<int>(route));
      const auto course = [&](std::vector<Index> parts, SpectrumPlace place) {
        return Course{std::move(parts), place, route, threads};
      };
      check_equal(run(batch, choice, course({rows}, kRows)), expected);
      if (rows == 1) continue;
      // Gram matrices want all samples, so that these take another way where they were asked for.
      const Index most = (rows + 1) / 2;
      check_equal(run(batch, choice, course({most, rows - most}, SpectrumPlace::nowhere)),
                  expected);
      if (route != Route::automatic) continue;
      check_equal(run(batch, choice, course({rows}, SpectrumPlace::nowhere)), expected);
      check_equal(run(batch, choice, course({rows}, kBuffer)), expected);
      check_equal(run(batch, choice, course({1, rows - 1}, SpectrumPlace::nowhere)), expected);
      // Its products with the others are the same whatever its size is.
      for (const DominantFeature& dominant :
           {DominantFeature{0, 0}, {features / 2, 1}, {features - 1, 6}}) {
        for (Course apart :
             {course({rows}, kRows), course({most, rows - most}, SpectrumPlace::nowhere)}) {
          apart.dominant = dominant;
          check_equal(run(batch, choice, apart), expected);
        }
      }
    }
  }
  // A gradient that is not asked for.
  const Index most = (rows + 1) / 2;
  const std::vector<Index> whole{rows},
      parts = rows == 1 ? whole : std::vector<Index>{most, rows - most};
  for (const auto& [has_a, has_b] : {std::pair(true, false), {false, true}, {false, false}}) {
    for (const auto& cut : {whole, parts}) {
      Course course{cut};
      if (cut.size() == 1) course.place = kRows;
      course.has_a = has_a;
      course.has_b = has_b;
      check_equal(run(batch, choice, course), expected, has_a, has_b);
    }
  }
}

}  // namespace

TEST_CASE("one block, as a whole and in parts") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const int exponent : {1, 2}) {
      check(kind, 2, 2, relaxed(exponent, 0));
      check(kind, 37, 12, relaxed(exponent, 0, 12), true);
      check(kind, 70, 29, relaxed(exponent, 29));
      check(kind, 9, 31, relaxed(exponent, 0, 31), true);
    }
    Choice halved = relaxed(2, 0);
    halved.halves_middle = true;
    check(kind, 20, 14, halved);
  }
}

TEST_CASE("blocks with more samples than blocks, as a whole and in parts") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const int exponent : {1, 2}) {
      check(kind, 37, 12, relaxed(exponent, 4, 12), true);
      check(kind, 70, 11, relaxed(exponent, 4));
      check(kind, 10, 70, relaxed(exponent, 29));
      check(kind, 12, 7, relaxed(exponent, 1));
    }
    Choice means = relaxed(2, 4);
    means.takes_means = means.halves_middle = true;
    check(kind, 20, 14, means);
    check(kind, 20, 16, means);
  }
}

TEST_CASE("more rows than are gathered of a frequency at a time") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    Choice halved = relaxed(2, 4);
    halved.halves_middle = true;
    check(kind, 230, 600, halved);
  }
}

TEST_CASE("blocks with fewer samples than blocks, as a whole and in parts") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const int exponent : {1, 2}) {
      check(kind, 5, 48, relaxed(exponent, 4, 48), true);
      check(kind, 6, 33, relaxed(exponent, 5));
      check(kind, 3, 40, relaxed(exponent, 1));
    }
    Choice means = relaxed(2, 4);
    means.takes_means = true;
    check(kind, 4, 40, means);
    check(kind, 4, 38, means);
  }
}

TEST_CASE("the exact form, as a whole and in parts") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    check(kind, 37, 12, exact());
    check(kind, 300, 7, exact());
    check(kind, 9, 40, exact());
    check(kind, 5, 600, exact());
    Choice means = exact();
    means.takes_means = true;
    check(kind, 9, 12, means);
  }
}

TEST_CASE("where Gram matrices lose their digits the other way is taken, from the beginning") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const Choice& choice : {exact(), relaxed(2, 4)}) {
      CAPTURE(choice.name);
      Batch batch(kind, 6, 100, false);
      batch.a.col(13) *= 1e4;
      if (kind == Kind::views) batch.b.col(70) *= 1e5;
      const Result expected = by_definition(batch, choice);
      check_equal(run(batch, choice, {{6}, SpectrumPlace::gradient_rows}), expected);
      check_equal(run(batch, choice, {{3, 3}}), expected);
    }
  }
}

TEST_CASE("Gram matrices of blocks keep the digits of a dominant feature that nobody has told of") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const double ratio : {1e2, 1e4, 1e6}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(ratio);
      const Choice choice = relaxed(2, 4);
      Batch batch(kind, 6, 100, false);
      batch.a.col(13) *= ratio;
      if (kind == Kind::views) batch.b.col(13) *= ratio;
      const Result expected = by_definition(batch, choice);
      const auto errors = [&](Route route) {
        Course course{{6}, SpectrumPlace::buffer};
        course.route = route;
        const Result result = run(batch, choice, course);
        return std::pair(relative_error(result.value, expected.value),
                         relative_error(result.gradient_a, expected.gradient_a));
      };
      const auto [value, gradient] = errors(Route::gram);
      const auto [value_by_blocks, gradient_by_blocks] = errors(Route::features);
      constexpr double kLeast = 1e-15;
      CHECK(value <= 10 * std::max(value_by_blocks, kLeast));
      CHECK(gradient <= 10 * std::max(gradient_by_blocks, kLeast));
    }
  }
}

TEST_CASE("which feature is dominant") {
  using Squares = std::vector<double>;
  const auto of = [](const Squares& a, const Squares& b) {
    REQUIRE(a.size() == b.size());
    const auto squares = [](const Squares& view) noexcept {
      return [&view](Index j) noexcept { return view[at(j)]; };
    };
    return dominant_feature<float>(static_cast<Index>(a.size()), squares(a), squares(b));
  };
  // More than twice the root of the others' squares, in both views.
  CHECK_FALSE(of({1, 7, 1}, {1, 7, 1}));
  CHECK_FALSE(of({1, 8, 1}, {1, 8, 1}));
  CHECK(of({1, 9, 1}, {1, 9, 1}).feature == 1);
  CHECK(of({1, 100, 3}, {1, 100, 3}).feature == 1);
  CHECK(of({1, 1, 1e9}, {1, 1, 9}).feature == 2);
  CHECK(of({9, 1, 1}, {1e9, 1, 1}).feature == 0);
  CHECK_FALSE(of({1, 1, 1e9}, {1, 1, 7}));
  CHECK_FALSE(of({1, 1, 7}, {1, 1, 1e9}));
  CHECK_FALSE(of({1e9, 1, 1}, {1, 1, 1e9}));
  CHECK_FALSE(of({1e8, 1e8, 1}, {1e8, 1e8, 1}));
  // Divided by 2^exponent it is as large as the others, or down to half as large; of both views by
  // the geometric mean.
  CHECK(of({2, 1024 * 2, 0}, {1, 1024, 0}).exponent == 6);
  CHECK(of({2, 1020 * 2, 0}, {1, 1020, 0}).exponent == 5);
  CHECK(of({1, 1, 1024 * 2}, {1, 1, 64 * 2}).exponent == 5);
  CHECK(of({1, 1, 64 * 2}, {1, 1, 1024 * 2}).exponent == 5);
  CHECK(of({1, std::ldexp(1.0, 126)}, {1, std::ldexp(1.0, 124)}).exponent == 63);
  CHECK(of({1, std::ldexp(1.0, 128)}, {1, std::ldexp(1.0, 128)}).exponent == 65);
  CHECK(of({1e-30, 1e30}, {1e-30, 1e30}).exponent == 100);
  // Where it is alone in a view, by the other one.
  CHECK(of({0, 4, 0}, {1, 32, 1}).exponent == 3);
  CHECK(of({1, 32, 1}, {0, 4, 0}).exponent == 3);
  // As far as 2^-exponent is a normal number, and it keeps its digits: its size is 2^1, and 2^-95.
  CHECK(of({1e-40, 1e40}, {1e-40, 1e40}).exponent == 126);
  CHECK(of({0, 5, 0}, {0, 5, 0}).exponent == 1 + 97);
  CHECK(of({5}, {5}).feature == 0);
  CHECK(of({0, std::ldexp(1.0, -190)}, {1, 1e4}).exponent == 2);
  CHECK(of({1, 1e4}, {0, std::ldexp(1.0, -190)}).exponent == 2);
  CHECK(of({0, std::ldexp(1.0, -192)}, {1, 1e4}).exponent == 1);
  CHECK_FALSE(of({0, std::ldexp(1.0, -194)}, {1, 1e4}));
  // Where nothing can be said.
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  CHECK_FALSE(of({0, 0, 0}, {0, 0, 0}));
  CHECK_FALSE(of({1, infinity, 1}, {1, 100, 1}));
  CHECK_FALSE(of({1, 100, 1}, {1, infinity, 1}));
  CHECK_FALSE(of({1, 100, infinity}, {1, 100, 1}));
  CHECK_FALSE(of({1, 100, 1}, {1, 100, infinity}));
  CHECK_FALSE(of({1, nan, 1}, {1, nan, 1}));
  CHECK_FALSE(of({nan, 100, 1}, {1, 100, 1}));
  CHECK_FALSE(of({1, 100, 1}, {1, 100, nan}));
}

TEST_CASE("rows say which feature is dominant, few of them that none is") {
  for (const Index rows : {1, 4, 5, 40}) {
    CAPTURE(rows);
    const Index features = 2100;
    auto [a, b] = random_views<Matrix>(rows, features, 9);
    const auto found = [&, &x = a, &y = b] {
      Arena arena;
      const Eigen::MatrixXd x_columns = x, y_columns = y;
      const Index d = features;
      const BatchRows<double> in_place{
          {x.data(), rows, d, d, 1}, {y.data(), rows, d, d, 1}, {}, {}},
          copied{
              {x_columns.data(), rows, d, 1, rows}, {y_columns.data(), rows, d, 1, rows}, {}, {}};
      const DominantFeature first = dominant_feature(arena, in_place, 1),
                            second = dominant_feature(arena, copied, 3);
      CHECK(first.feature == second.feature);
      CHECK(first.exponent == second.exponent);
      return first;
    };
    CHECK_FALSE(found());
    a.col(1500) *= 1e4;
    CHECK_FALSE(found());
    b.col(1500) *= 1e4;
    CHECK(found().feature == 1500);
    // 1e4 / sqrt(2100) of the others.
    CHECK(found().exponent >= (rows > 1 ? 7 : 5));
    CHECK(found().exponent <= 9);
    a.col(1500) /= 1e4;
    CHECK_FALSE(found());
    a.col(1500) *= 1e4;
    if (rows > 4) {
      // Of the first four rows alone, a feature is so only as far as all rows say.
      b.col(1500).tail(rows - 4).setZero();
      a.col(1500).tail(rows - 4).setZero();
      CHECK(found().exponent < 8);
      a.col(1500).head(4).setZero();
      CHECK_FALSE(found());
    }
  }
}

TEST_CASE("without the whole batch there is no way through Gram matrices") {
  Batch batch(Kind::views, 4, 40, false);
  const Choice choice = relaxed(2, 4);
  const auto through_gram = [&](Index most_rows, Route route, const Choice& of) {
    return goes_through_gram(batch.setup(most_rows, {}, route, SpectrumPlace::nowhere, 1),
                             of.relaxed, of.weights(40));
  };
  CHECK(through_gram(4, Route::automatic, choice));
  CHECK(through_gram(4, Route::gram, choice));
  CHECK_FALSE(through_gram(4, Route::features, choice));
  CHECK_FALSE(through_gram(3, Route::automatic, choice));
  CHECK_FALSE(through_gram(3, Route::gram, choice));
  // Nor with absolute values, nor for blocks that count differently.
  CHECK_FALSE(through_gram(4, Route::gram, relaxed(1, 4)));
  Choice means = relaxed(2, 6);
  CHECK(through_gram(4, Route::gram, means));
  means.takes_means = true;
  CHECK_FALSE(through_gram(4, Route::gram, means));
  // As many samples as blocks.
  CHECK_FALSE(through_gram(4, Route::automatic, relaxed(2, 10)));
  CHECK(through_gram(4, Route::gram, relaxed(2, 10)));
}

namespace {

// Two halves in two objects, as of two processes, whose sums are added up.
template <class MakeForm>
void check_sums(Batch& batch, const Choice& choice, Index first_rows, const MakeForm& make) {
  CAPTURE(first_rows);
  CAPTURE(choice.name);
  CAPTURE(choice.relaxed.exponent);
  CAPTURE(choice.relaxed.block_size);
  CAPTURE(static_cast<int>(batch.kind));
  const Result expected = by_definition(batch, choice);
  Result result;
  result.gradient_a = Matrix::Constant(batch.rows(), batch.features(), -1);
  if (!batch.is_covariance()) result.gradient_b = result.gradient_a;
  const Index second_rows = batch.rows() - first_rows;
  const auto first = rows_of(batch, result, 0, first_rows);
  const auto second = rows_of(batch, result, first_rows, second_rows);
  const auto all = rows_of(batch, result, 0, batch.rows());
  const auto setup = [&](const BatchRows<double>& rows) {
    auto of_part = batch.setup(rows.size(), row_access(rows), Route::automatic,
                               SpectrumPlace::gradient_rows, 1);
    of_part.has_whole_batch = false;
    return of_part;
  };
  Arena arena;
  auto of_first = make(arena, setup(first)), of_second = make(arena, setup(second)),
       whole = make(arena, setup(all));
  whole.add(all);
  of_first.add(first);
  of_second.add(second);
  REQUIRE(whole.sums().size() == of_first.sums().size());
  double error = 0, largest = 0;
  for (Index i = 0; i < whole.sums().size(); ++i) {
    const auto sum = of_first.sums()[i] + of_second.sums()[i];
    of_first.sums()[i] = of_second.sums()[i] = sum;
    error = std::max(error, static_cast<double>(std::abs(whole.sums()[i] - sum)));
    largest = std::max(largest, static_cast<double>(std::abs(sum)));
  }
  CHECK(largest > 0);
  // Sums of |Z|^2 depend on which samples share a signal; what they say of C does not.
  const bool pairs_others =
      std::is_same<std::decay_t<decltype(whole)>, UngroupedRelaxed<double>>::value &&
      batch.is_covariance() && first_rows % 2 != 0;
  if (!pairs_others) CHECK(error <= kTolerance * largest);
  // Each then has the value of the whole batch, and the gradients of its own rows.
  result.value = of_first.value(first, batch.m(), kGradientWeight);
  CHECK(of_second.value(second, batch.m(), kGradientWeight) == result.value);
  of_first.gradient(first, {});
  of_second.gradient(second, {});
  check_equal(result, expected);
}

}  // namespace

TEST_CASE("sums of two parts of a batch add up to those of the whole") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    Batch batch(kind, 41, 12, true), padded(kind, 41, 29, false);
    for (const Index part : {12, 13}) {
      for (const int exponent : {1, 2}) {
        const Choice one = relaxed(exponent, 0, 12), one_padded = relaxed(exponent, 0),
                     blocks = relaxed(exponent, 5, 12);
        check_sums(batch, one, part, [&](Arena& arena, const RegularizerSetup<double>& setup) {
          return UngroupedRelaxed<double>(arena, setup, one.relaxed, one.weights(12));
        });
        check_sums(padded, one_padded, part,
                   [&](Arena& arena, const RegularizerSetup<double>& setup) {
                     return UngroupedRelaxed<double>(arena, setup, one_padded.relaxed,
                                                     one_padded.weights(29));
                   });
        check_sums(batch, blocks, part, [&](Arena& arena, const RegularizerSetup<double>& setup) {
          return GroupedRelaxed<double>(arena, setup, blocks.relaxed, blocks.weights(12));
        });
      }
      check_sums(padded, exact(), part, [&](Arena& arena, const RegularizerSetup<double>& setup) {
        return ExactCorrelation<double>(arena, setup, exact().weights(29));
      });
    }
  }
}

}  // namespace unit_regularizers
