// From a regularizer's gradient to a loss's (detail/statistics: gradient epilogue and sinks).
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/statistics/gradient_epilogue.hpp>
#include <decorr/detail/statistics/gradient_sink.hpp>
#include <decorr/detail/statistics/prepared_rows.hpp>
#include <decorr/detail/statistics/standardization.hpp>
#include <limits>

#include "support/random_matrices.hpp"
#include "support/rows.hpp"

namespace unit_epilogue {

namespace {

using namespace decorr::detail;
using decorr_tests::input_rows;
using decorr_tests::output_rows;
using decorr_tests::random_matrix;
template <class Scalar>
using Rows = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Matrix = Rows<double>;

// Of numbers of the size of ten, of which a few are added.
constexpr double kTolerance = 1e-13;

// One view's statistics and coefficients, each another number. The means are many deviations, so
// that their rounding to the scalar shows.
template <class Scalar>
struct View {
  View(Arena& arena, Index features, std::uint64_t seed)
      : mean(1e3 * random_matrix<Matrix>(1, features, seed)),
        deviation(random_matrix<Matrix>(1, features, seed + 1).cwiseAbs().array() + 0.5),
        coefficients(random_matrix<Rows<Scalar>>(4, features, seed + 2)) {
    ViewStatistics<Scalar> statistics{Buffer<double>(arena, features),
                                      Buffer<double>(arena, features),
                                      Buffer<double>(arena, features)};
    std::copy_n(mean.data(), features, statistics.mean.data());
    std::copy_n(deviation.data(), features, statistics.spread.data());
    std::copy_n(deviation.data(), features, statistics.deviation.data());
    standardization = Standardization<Scalar>(arena, statistics, true);
  }
  void make_epilogue(Arena& arena, OtherTerm other_term, const View& others,
                     bool has_factor = false) {
    const Index features = mean.size();
    epilogue =
        ViewEpilogue<Scalar>(arena, features, standardization, other_term, others.standardization);
    std::copy_n(coefficients.row(0).data(), features, epilogue.regularizer.data());
    std::copy_n(coefficients.row(1).data(), features, epilogue.own.data());
    if (epilogue.other) {
      std::copy_n(coefficients.row(2).data(), features, epilogue.other.data());
    }
    if (has_factor) {
      epilogue.factor = Buffer<Scalar>(arena, features);
      std::copy_n(coefficients.row(3).data(), features, epilogue.factor.data());
    }
    takes_factor = has_factor;
  }
  // Raw numbers about the means.
  template <class Input = Rows<Scalar>>
  Input rows(Index count, std::uint64_t seed) const {
    Input x = random_matrix<Input>(count, mean.size(), seed);
    x.rowwise() += mean.row(0).template cast<Scalar>();
    return x;
  }

  // x^ by the deviation, or by the factor that the epilogue was given.
  double standardized(Index j, double x) const {
    return (x - mean(j)) * (takes_factor ? double(coefficients(3, j)) : 1 / deviation(j));
  }
  // How far `gradient` is from the formula, relative to its terms.
  double error(double gradient, Index j, double g, double x, double o) const {
    const double terms[] = {coefficients(0, j) * g, coefficients(1, j) * standardized(j, x),
                            epilogue.other ? coefficients(2, j) * o : 0};
    const double size = 1 + std::abs(terms[0]) + std::abs(terms[1]) + std::abs(terms[2]);
    return std::abs(gradient - (terms[0] + terms[1] + terms[2])) / size;
  }

  Matrix mean, deviation;
  Rows<Scalar> coefficients;
  Standardization<Scalar> standardization;
  ViewEpilogue<Scalar> epilogue;
  bool takes_factor = false;
};

template <class Scalar>
constexpr double kRounding = 8 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());

}  // namespace

TEST_CASE_TEMPLATE("a strip of a row is finished by the formula, for every other term", Scalar,
                   float, double) {
  struct Strip {
    Index first, count;
  };
  constexpr Index kFeatures = 1100;
  const auto g = random_matrix<Rows<Scalar>>(1, kFeatures, 1);
  for (const OtherTerm term : {OtherTerm::none, OtherTerm::other_view, OtherTerm::difference}) {
    for (const bool has_factor : {false, true}) {
      Arena arena;
      View<Scalar> own(arena, kFeatures, 2);
      const View<Scalar> other(arena, kFeatures, 20);
      own.make_epilogue(arena, term, other, has_factor);
      const auto x = own.rows(1, 4), o = other.rows(1, 5);
      CHECK(own.epilogue);
      CHECK(own.epilogue.reads_rows());
      CHECK(own.epilogue.reads_other_rows() == (term != OtherTerm::none));
      for (const Strip& strip : {Strip{0, kStripColumns}, {1099, 1}, {76, 1024}, {500, 5}}) {
        const Index first = strip.first, count = strip.count;
        CAPTURE(first);
        CAPTURE(static_cast<int>(term));
        Rows<Scalar> gradient = g;
        own.epilogue.finish(PerRow<Scalar>{first}, count, x.data() + first,
                            term == OtherTerm::none ? nullptr : o.data() + first,
                            gradient.data() + first);
        double error = 0;
        for (Index j = 0; j < kFeatures; ++j) {
          const double of_other = term == OtherTerm::other_view ? other.standardized(j, o(j))
                                                                : double(x(j)) - double(o(j));
          const bool inside = first <= j && j < first + count;
          error = std::max(error, inside ? own.error(gradient(j), j, g(j), x(j), of_other)
                                         : std::abs(double(gradient(j) - g(j))));
        }
        CHECK(error < kRounding<Scalar>);
      }
    }
  }
}

TEST_CASE("where there is nothing but signs the gradient has them alone") {
  Arena arena;
  const std::int8_t signs[] = {1, -1, -1, 1};
  const Preparation<double> preparation(arena, 4, {}, signs);
  const ViewEpilogue<double> epilogue(arena, 4, preparation);
  CHECK(epilogue);
  CHECK_FALSE(epilogue.reads_rows());
  CHECK_FALSE(epilogue.reads_other_rows());
  double gradient[] = {5, 6, 7};
  epilogue.finish(PerRow<double>{1}, 3, nullptr, nullptr, gradient);
  const double expected[] = {-5, -6, 7};
  CHECK(std::equal(gradient, gradient + 3, expected));
  CHECK_FALSE(ViewEpilogue<double>());
}

namespace {

// Both views' gradients by a pass; one that is not asked for stays as it is.
template <class Input, class Gradient>
void check_pass(Index rows, Index cols, bool has_a, bool has_b, int threads) {
  using Scalar = typename Input::Scalar;
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(has_a);
  CAPTURE(has_b);
  Arena arena;
  View<Scalar> view_a(arena, cols, 2), view_b(arena, cols, 20);
  view_a.make_epilogue(arena, OtherTerm::other_view, view_b);
  view_b.make_epilogue(arena, OtherTerm::other_view, view_a);
  const auto a = view_a.template rows<Input>(rows, 5), b = view_b.template rows<Input>(rows, 6);
  const auto g_a = random_matrix<Gradient>(rows, cols, 7),
             g_b = random_matrix<Gradient>(rows, cols, 8);
  Gradient gradient_a = g_a, gradient_b = g_b;
  BatchRows<Scalar> batch{input_rows(a), input_rows(b), {}, {}};
  if (has_a) batch.gradient_a = output_rows(gradient_a);
  if (has_b) batch.gradient_b = output_rows(gradient_b);
  EpiloguePass<Scalar> pass(arena, batch, view_a.epilogue, view_b.epilogue, threads);
  pass.run(batch);
  double error_a = has_a ? 0 : double((gradient_a - g_a).norm());
  double error_b = has_b ? 0 : double((gradient_b - g_b).norm());
  for (Index k = 0; k < rows; ++k) {
    for (Index j = 0; j < cols; ++j) {
      const double x_a = view_a.standardized(j, a(k, j)), x_b = view_b.standardized(j, b(k, j));
      if (has_a) {
        error_a = std::max(error_a, view_a.error(gradient_a(k, j), j, g_a(k, j), a(k, j), x_b));
      }
      if (has_b) {
        error_b = std::max(error_b, view_b.error(gradient_b(k, j), j, g_b(k, j), b(k, j), x_a));
      }
    }
  }
  CHECK(error_a < kRounding<Scalar>);
  CHECK(error_b < kRounding<Scalar>);
}

}  // namespace

TEST_CASE_TEMPLATE("the last step finishes both views, by rows or by columns, or one of them",
                   Scalar, float, double) {
  using Columns = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  for (const int threads : {1, 3}) {
    for (const bool has_a : {true, false}) {
      for (const bool has_b : {true, false}) {
        check_pass<Rows<Scalar>, Rows<Scalar>>(19, 1030, has_a, has_b, threads);
        check_pass<Columns, Columns>(1030, 19, has_a, has_b, threads);
        check_pass<Columns, Rows<Scalar>>(35, 17, has_a, has_b, threads);
        check_pass<Rows<Scalar>, Columns>(35, 17, has_a, has_b, threads);
        check_pass<Columns, Columns>(3, 1, has_a, has_b, threads);
        check_pass<Rows<Scalar>, Rows<Scalar>>(1, 1, has_a, has_b, threads);
      }
    }
  }
}

TEST_CASE("slopes are the sums of G times the prepared rows") {
  constexpr Index kRows = 9, kFeatures = 7;
  const auto g = random_matrix<Matrix>(kRows, kFeatures, 2);
  const std::int8_t signs[kFeatures] = {1, -1, -1, 1, 1, -1, 1};
  Arena arena;
  const View<double> view(arena, kFeatures, 3);
  const auto x = view.rows(kRows, 1);
  const Preparation<double> preparation(arena, kFeatures, view.standardization, signs);
  SlopeSums<double> slopes(arena, kFeatures, preparation, 2);
  CHECK(slopes);
  CHECK_FALSE(SlopeSums<double>());
  const GradientSink<double> sink{&slopes, nullptr};
  CHECK(sink.is_needed());
  CHECK(sink.reads_rows());
  CHECK_FALSE(sink.reads_other_rows());
  // Rows in chunks of two by two workers in turn, and features in strips of three.
  Matrix gradient = g;
  for (Index first = 0; first < kRows; first += 2) {
    const int worker = first % 4 == 0 ? 0 : 1;
    for (Index column = 0; column < kFeatures; column += 3) {
      const Index width = std::min<Index>(3, kFeatures - column);
      sink.begin(worker, column, width);
      for (Index k = first; k < std::min(kRows, first + 2); ++k) {
        sink(worker, column, width, x.row(k).data() + column, nullptr,
             gradient.row(k).data() + column);
      }
      sink.merge(worker, column, width);
    }
  }
  CHECK(gradient == g);
  for (Index j = 0; j < kFeatures; ++j) {
    double sum = 0;
    for (Index k = 0; k < kRows; ++k) sum += g(k, j) * signs[j] * view.standardized(j, x(k, j));
    CHECK(std::abs(slopes.totals()[j] - sum) < kTolerance);
  }
}

TEST_CASE("sinks say what they read") {
  Arena arena;
  const GradientSink<double> none;
  CHECK_FALSE(none.is_needed());
  CHECK_FALSE(none.reads_rows());
  CHECK_FALSE(none.reads_other_rows());
  double gradient[] = {3, 4};
  none.begin(0, 0, 2);
  none(0, 0, 2, nullptr, nullptr, gradient);
  none.merge(0, 0, 2);
  CHECK(gradient[1] == 4);

  const std::int8_t signs[] = {1, -1};
  const Preparation<double> preparation(arena, 2, {}, signs);
  const ViewEpilogue<double> signs_alone(arena, 2, preparation);
  const GradientSink<double> by_signs{nullptr, &signs_alone};
  CHECK(by_signs.is_needed());
  CHECK_FALSE(by_signs.reads_rows());
  by_signs(0, 0, 2, nullptr, nullptr, gradient);
  CHECK(gradient[0] == 3);
  CHECK(gradient[1] == -4);

  View<double> view(arena, 2, 1), other(arena, 2, 10);
  view.make_epilogue(arena, OtherTerm::difference, other);
  other.make_epilogue(arena, OtherTerm::none, view);
  const GradientSink<double> full{nullptr, &view.epilogue};
  CHECK(full.reads_rows());
  CHECK(full.reads_other_rows());
  const double x[] = {1, 2}, o[] = {5, 7};
  full(0, 0, 2, x, o, gradient);
  CHECK(view.error(gradient[1], 1, -4, 2, 2 - 7) < kRounding<double>);
  const GradientSink<double> own_alone{nullptr, &other.epilogue};
  CHECK(own_alone.reads_rows());
  CHECK_FALSE(own_alone.reads_other_rows());
}

}  // namespace unit_epilogue
