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

#include "support/random_matrices.hpp"
#include "support/rows.hpp"

namespace unit_epilogue {

namespace {

using namespace decorr::detail;
using decorr_tests::input_rows;
using decorr_tests::output_rows;
using decorr_tests::random_matrix;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Numbers of the size of ten, of which a few are added.
constexpr double kTolerance = 1e-13;

// One view's statistics and coefficients, each another number.
struct View {
  View(Arena& arena, Index features, OtherTerm other_term, std::uint64_t seed)
      : mean(random_matrix<Matrix>(1, features, seed)),
        deviation(random_matrix<Matrix>(1, features, seed + 1).cwiseAbs().array() + 0.5),
        coefficients(random_matrix<Matrix>(4, features, seed + 2)) {
    ViewStatistics<double> statistics{Buffer<double>(arena, features),
                                      Buffer<double>(arena, features)};
    std::copy_n(mean.data(), features, statistics.mean.data());
    std::copy_n(deviation.data(), features, statistics.deviation.data());
    standardization = Standardization<double>(arena, statistics, true);
    epilogue = ViewEpilogue<double>(arena, features, standardization, other_term);
    std::copy_n(coefficients.row(0).data(), features, epilogue.regularizer.data());
    std::copy_n(coefficients.row(1).data(), features, epilogue.own.data());
    if (epilogue.other) {
      std::copy_n(coefficients.row(2).data(), features, epilogue.other.data());
    }
  }

  // x^ by the deviation, or by `factor` where the epilogue has one.
  double standardized(Index j, double x) const {
    const double factor = epilogue.factor ? coefficients(3, j) : 1 / deviation(j);
    return (x - mean(j)) * factor;
  }
  double gradient(Index j, double g, double x, double o) const {
    return coefficients(0, j) * g + coefficients(1, j) * standardized(j, x) +
           (epilogue.other ? coefficients(2, j) * o : 0);
  }
  void take_factor(Arena& arena) {
    epilogue.factor = Buffer<double>(arena, mean.size());
    std::copy_n(coefficients.row(3).data(), mean.size(), epilogue.factor.data());
  }

  Matrix mean, deviation, coefficients;
  Standardization<double> standardization;
  ViewEpilogue<double> epilogue;
};

}  // namespace

TEST_CASE("a strip of a row is finished by the formula, for every other term") {
  struct Strip {
    Index first, count;
  };
  constexpr Index kFeatures = 1100;
  const auto x = random_matrix<Matrix>(3, kFeatures, 1);  // own row, the other view's, G
  for (const OtherTerm term : {OtherTerm::none, OtherTerm::other_view, OtherTerm::difference}) {
    for (const bool has_factor : {false, true}) {
      Arena arena;
      View own(arena, kFeatures, term, 2);
      View other(arena, kFeatures, OtherTerm::other_view, 20);
      if (has_factor) own.take_factor(arena);
      CHECK(own.epilogue);
      CHECK(own.epilogue.reads_other() == (term != OtherTerm::none));
      for (const Strip& strip : {Strip{0, kStripColumns}, {1099, 1}, {76, 1024}, {500, 5}}) {
        const Index first = strip.first, count = strip.count;
        CAPTURE(first);
        CAPTURE(static_cast<int>(term));
        Matrix gradient = x.row(2);
        const double* other_x = term == OtherTerm::none ? nullptr : x.row(1).data() + first;
        own.epilogue.finish(first, count, x.row(0).data() + first, other_x,
                            term == OtherTerm::other_view ? &other.epilogue : nullptr,
                            gradient.data() + first);
        double error = 0;
        for (Index j = 0; j < kFeatures; ++j) {
          const double o =
              term == OtherTerm::other_view ? other.standardized(j, x(1, j)) : x(0, j) - x(1, j);
          const bool inside = first <= j && j < first + count;
          const double expected = inside ? own.gradient(j, x(2, j), x(0, j), o) : x(2, j);
          error = std::max(error, std::abs(gradient(j) - expected));
        }
        CHECK(error < kTolerance);
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
  CHECK_FALSE(epilogue.reads_other());
  double gradient[] = {5, 6, 7};
  epilogue.finish(1, 3, nullptr, nullptr, nullptr, gradient);
  const double expected[] = {-5, -6, 7};
  CHECK(std::equal(gradient, gradient + 3, expected));
  CHECK_FALSE(ViewEpilogue<double>());
}

namespace {

// Both views' gradients by a pass; one that is not asked for stays as it is.
template <class Input, class Gradient>
void check_pass(Index rows, Index cols, bool has_a, bool has_b, int threads) {
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(has_a);
  CAPTURE(has_b);
  Arena arena;
  const View view_a(arena, cols, OtherTerm::other_view, 2);
  const View view_b(arena, cols, OtherTerm::other_view, 20);
  const auto a = random_matrix<Input>(rows, cols, 5), b = random_matrix<Input>(rows, cols, 6);
  const auto g_a = random_matrix<Gradient>(rows, cols, 7),
             g_b = random_matrix<Gradient>(rows, cols, 8);
  Gradient gradient_a = g_a, gradient_b = g_b;
  BatchRows<double> batch{input_rows(a), input_rows(b), {}, {}};
  if (has_a) batch.gradient_a = output_rows(gradient_a);
  if (has_b) batch.gradient_b = output_rows(gradient_b);
  EpiloguePass<double> pass(arena, batch, view_a.epilogue, view_b.epilogue, threads);
  pass.run(batch);
  double error_a = 0, error_b = 0;
  for (Index k = 0; k < rows; ++k) {
    for (Index j = 0; j < cols; ++j) {
      const double x_a = view_a.standardized(j, a(k, j)), x_b = view_b.standardized(j, b(k, j));
      const double expected_a = has_a ? view_a.gradient(j, g_a(k, j), a(k, j), x_b) : g_a(k, j);
      const double expected_b = has_b ? view_b.gradient(j, g_b(k, j), b(k, j), x_a) : g_b(k, j);
      error_a = std::max(error_a, std::abs(gradient_a(k, j) - expected_a));
      error_b = std::max(error_b, std::abs(gradient_b(k, j) - expected_b));
    }
  }
  CHECK(error_a < kTolerance);
  CHECK(error_b < kTolerance);
}

}  // namespace

TEST_CASE("the last step finishes both views, by rows or by columns, or one of them") {
  using Columns = Eigen::MatrixXd;
  for (const int threads : {1, 3}) {
    for (const bool has_a : {true, false}) {
      for (const bool has_b : {true, false}) {
        check_pass<Matrix, Matrix>(19, 1030, has_a, has_b, threads);
        check_pass<Columns, Columns>(1030, 19, has_a, has_b, threads);
        check_pass<Columns, Matrix>(35, 17, has_a, has_b, threads);
        check_pass<Matrix, Columns>(35, 17, has_a, has_b, threads);
        check_pass<Columns, Columns>(3, 1, has_a, has_b, threads);
        check_pass<Matrix, Matrix>(1, 1, has_a, has_b, threads);
      }
    }
  }
}

TEST_CASE("slopes are the sums of G times the prepared rows") {
  constexpr Index kRows = 9, kFeatures = 7;
  const auto x = random_matrix<Matrix>(kRows, kFeatures, 1);
  const auto g = random_matrix<Matrix>(kRows, kFeatures, 2);
  const std::int8_t signs[kFeatures] = {1, -1, -1, 1, 1, -1, 1};
  Arena arena;
  const View view(arena, kFeatures, OtherTerm::none, 3);
  const Preparation<double> preparation(arena, kFeatures, view.standardization, signs);
  SlopeSums<double> slopes(arena, kFeatures, preparation, 2);
  CHECK(slopes);
  CHECK_FALSE(SlopeSums<double>());
  const GradientSink<double> sink{&slopes, nullptr, nullptr};
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
  const GradientSink<double> by_signs{nullptr, &signs_alone, nullptr};
  CHECK(by_signs.is_needed());
  CHECK_FALSE(by_signs.reads_rows());
  by_signs(0, 0, 2, nullptr, nullptr, gradient);
  CHECK(gradient[0] == 3);
  CHECK(gradient[1] == -4);

  const View view(arena, 2, OtherTerm::difference, 1), other(arena, 2, OtherTerm::none, 10);
  const GradientSink<double> full{nullptr, &view.epilogue, &other.epilogue};
  CHECK(full.reads_rows());
  CHECK(full.reads_other_rows());
  const double x[] = {1, 2}, o[] = {5, 7};
  full(0, 0, 2, x, o, gradient);
  CHECK(std::abs(gradient[1] - view.gradient(1, -4, 2, 2 - 7)) < kTolerance);
  const GradientSink<double> own_alone{nullptr, &other.epilogue, nullptr};
  CHECK(own_alone.reads_rows());
  CHECK_FALSE(own_alone.reads_other_rows());
}

}  // namespace unit_epilogue
