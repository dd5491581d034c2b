// Sums over the samples, in one read or several, and the centring that follows from them
// (detail/statistics: moments, standardization, prepared rows).
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/runtime/processes.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/statistics/diagonal_sums.hpp>
#include <decorr/detail/statistics/moments.hpp>
#include <decorr/detail/statistics/prepared_rows.hpp>
#include <decorr/detail/statistics/standardization.hpp>
#include <limits>
#include <utility>
#include <vector>

#include "support/random_matrices.hpp"
#include "support/rows.hpp"
#include "support/thread_communicator.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace unit_moments {

namespace {

using namespace decorr::detail;
using decorr_tests::input_rows;
using decorr_tests::random_matrix;
using decorr_tests::ThreadGroup;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Real = long double;
using RealVector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;
using RealMatrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;

// Sums of 64 float terms, which are squares or products of at most about four deviations, are off
// by 64 roundings of them at worst.
constexpr double kTolerance = 64 * 4 * 4 * 6e-8;
// What is left are sums in double.
constexpr double kMerged = 1e-13;

template <class View>
BatchRows<float> batch_of(const View& a, const View& b) {
  return {input_rows(a), input_rows(b), {}, {}};
}

// Rows first .. first + count - 1.
BatchRows<float> part_of(const Matrix& a, const Matrix& b, Index first, Index count) {
  return {{a.row(first).data(), count, a.cols(), a.cols(), 1},
          b.size() == 0 ? InputRows<float>()
                        : InputRows<float>{b.row(first).data(), count, b.cols(), b.cols(), 1},
          {},
          {}};
}

MomentsPass<float> pass_for(Arena& arena, const BatchRows<float>& rows, Index count,
                            double epsilon = 1e-5, int threads = 1) {
  return {arena,   rows.features(), rows.has_two_views(), count, rows.size(), row_access(rows),
          epsilon, threads};
}

// Whether the rows have to be read again; the pass is then ready for it.
bool starts_again(MomentsPass<float>& pass, Arena& arena) {
  const bool again = pass.needs_units();
  if (again) pass.start_again(arena);
  return again;
}

Moments<float> moments_of(Arena& arena, const BatchRows<float>& rows, double epsilon = 1e-5,
                          int threads = 1) {
  auto pass = pass_for(arena, rows, rows.size(), epsilon, threads);
  do {
    pass.add(rows);
  } while (starts_again(pass, arena));
  return pass.moments();
}

struct NaiveView {
  RealVector mean;
  RealMatrix centred;

  explicit NaiveView(const Matrix& x)
      : mean(x.cast<Real>().colwise().sum().transpose() / static_cast<Real>(x.rows())),
        centred(x.cast<Real>().rowwise() - mean.transpose()) {}
  Real squares(Index j) const { return centred.col(j).squaredNorm(); }
};

// The largest difference of a sum from f(j), times weight.
template <class Sums, class Expected>
double error_of(const Sums& sums, const Expected& expected, double weight = 1) {
  double error = 0;
  for (Index j = 0; j < sums.size(); ++j) {
    const double difference = std::abs(static_cast<double>(Real(sums[j]) - expected(j)));
    if (!(difference * weight <= error)) error = difference * weight;
  }
  return error;
}

void check_against_definition(const Moments<float>& moments, const Matrix& a, const Matrix& b) {
  const NaiveView view_a(a);
  const double per_row = 1 / static_cast<double>(a.rows());
  CHECK(moments.count == a.rows());
  const auto check_view = [&](const ViewMoments<float>& view, const NaiveView& expected) {
    CHECK(error_of(view.mean, [&](Index j) { return expected.mean[j]; }) < kTolerance);
    CHECK(
        error_of(view.squares, [&](Index j) { return expected.squares(j); }, per_row) < kTolerance);
  };
  check_view(moments.a, view_a);
  if (b.size() == 0) {
    CHECK(moments.products.size() == 0);
    CHECK(moments.b.mean.size() == 0);
    return;
  }
  const NaiveView view_b(b);
  check_view(moments.b, view_b);
  CHECK(error_of(
            moments.products,
            [&](Index j) { return view_a.centred.col(j).dot(view_b.centred.col(j)); },
            per_row) < kTolerance);
  const RealMatrix gaps = a.cast<Real>() - b.cast<Real>();
  CHECK(error_of(
            moments.differences, [&](Index j) { return gaps.col(j).squaredNorm(); }, per_row) <
        kTolerance * 8);  // (a - b)^2 is twice as large as a^2 and b^2, on the average
}

void check_equal(const Moments<float>& x, const Moments<float>& y, double tolerance) {
  const double per_row = 1 / static_cast<double>(x.count);
  CHECK(x.count == y.count);
  const auto check = [&](const auto& first, const auto& second, double weight) {
    CHECK(first.size() == second.size());
    CHECK(error_of(first, [&](Index j) { return Real(second[j]); }, weight) <= tolerance);
  };
  check(x.a.mean, y.a.mean, 1);
  check(x.a.squares, y.a.squares, per_row);
  check(x.b.mean, y.b.mean, 1);
  check(x.b.squares, y.b.squares, per_row);
  check(x.products, y.products, per_row);
  check(x.differences, y.differences, per_row);
}

// Means of a few deviations, so that what is between the rows' means counts.
Matrix view(Index rows, Index cols, std::uint64_t seed) {
  auto x = random_matrix<Matrix>(rows, cols, seed);
  for (Index k = 0; k < rows; ++k) {
    for (Index j = 0; j < cols; ++j) {
      x(k, j) += static_cast<float>(j % 3) + static_cast<float>(k) / static_cast<float>(rows);
    }
  }
  return x;
}

}  // namespace

TEST_CASE("moments are those of the definition, of one view or two, whatever the storage") {
  for (const Index rows : {1, 2, 63, 64, 65, 150}) {
    for (const Index cols : {1, 7, 512, 515}) {
      CAPTURE(rows);
      CAPTURE(cols);
      Arena arena;
      const Matrix a = view(rows, cols, 1), b = view(rows, cols, 2), none;
      const Eigen::MatrixXf columns_a = a, columns_b = b;
      check_against_definition(moments_of(arena, batch_of(a, b)), a, b);
      check_against_definition(moments_of(arena, part_of(a, none, 0, rows)), a, none);
      const auto by_columns = moments_of(arena, batch_of(columns_a, columns_b));
      check_equal(by_columns, moments_of(arena, batch_of(a, b)), 0);
      check_equal(moments_of(arena, batch_of(a, b), 1e-5, 3), by_columns, 0);
    }
  }
}

TEST_CASE("a large mean costs no digits") {
  Arena arena;
  Matrix a = view(100, 5, 1), b = view(100, 5, 2);
  a.array() += 1e4F;
  b.array() -= 1e4F;
  const auto moments = moments_of(arena, batch_of(a, b));
  const NaiveView view_a(a), view_b(b);
  CHECK(error_of(moments.a.mean, [&](Index j) { return view_a.mean[j]; }) < kTolerance);
  CHECK(error_of(moments.a.squares, [&](Index j) { return view_a.squares(j); }) < 100 * kTolerance);
  CHECK(error_of(moments.products, [&](Index j) {
          return view_a.centred.col(j).dot(view_b.centred.col(j));
        }) < 100 * kTolerance);
}

TEST_CASE("a tile's sums have the rounding of a few rows, not of all 64") {
  // Most numbers alike, so that the roundings are alike, too; those that the shift is of are not.
  Real of_one = 0, of_two = 0;
  for (const float number : {1.1f, 1.3f, 1.7f, 1.9f, 2.3f, 2.9f, 3.1f}) {
    Matrix x = Matrix::Constant(64, 1, number), y = 0.7f * x;
    for (const Index row : {0, 32, 63}) x(row, 0) = y(row, 0) = 0;
    const auto moments_about_mean = [](const Matrix& u, const Matrix& v) {
      const RealMatrix from_u = u.cast<Real>().array() - u.cast<Real>().mean();
      const RealMatrix from_v = v.cast<Real>().array() - v.cast<Real>().mean();
      return from_u.cwiseProduct(from_v).sum();
    };
    const Real squares = moments_about_mean(x, x), products = moments_about_mean(x, y);
    const Real size = x.cast<Real>().squaredNorm();
    Arena arena;
    const auto one = moments_of(arena, batch_of(x, Matrix()));
    const auto two = moments_of(arena, batch_of(x, y));
    of_one = std::max(of_one, std::abs(Real(one.a.squares[0]) - squares) / size);
    of_two = std::max({of_two, std::abs(Real(two.a.squares[0]) - squares) / size,
                       std::abs(Real(two.products[0]) - products) / size});
  }
  CHECK(of_one < 4e-7L);
  CHECK(of_two < 4e-7L);
}

TEST_CASE("chunks of rows that are added one after another are as one read") {
  constexpr Index kRows = 64 * 4;
  const Matrix a = view(kRows, 11, 1), b = view(kRows, 11, 2), none;
  for (const bool has_two_views : {true, false}) {
    const Matrix& second = has_two_views ? b : none;
    Arena arena;
    const auto whole = moments_of(arena, part_of(a, second, 0, kRows));
    const auto in_chunks = [&](Index chunk) {
      auto pass = pass_for(arena, part_of(a, second, 0, chunk), kRows);
      for (Index first = 0; first < kRows; first += chunk) {
        pass.add(part_of(a, second, first, std::min(chunk, kRows - first)));
      }
      CHECK_FALSE(starts_again(pass, arena));
      return pass.moments();
    };
    // The tiles are the same, and then others.
    check_equal(in_chunks(64), whole, 0);
    check_equal(in_chunks(128), whole, 0);
    check_against_definition(in_chunks(1), a, second);
    check_against_definition(in_chunks(37), a, second);
  }
}

TEST_CASE("tiles are merged in any order, and as one read") {
  constexpr Index kRows = 64 * 4, kCols = 600;  // more than a strip
  const Matrix a = view(kRows, kCols, 1), b = view(kRows, kCols, 2), none;
  for (const bool has_two_views : {true, false}) {
    Arena arena;
    const Matrix& second = has_two_views ? b : none;
    const auto whole = moments_of(arena, part_of(a, second, 0, kRows));
    struct Part {
      Index first, count;
    };
    const auto in_parts = [&](const std::vector<Part>& parts) {
      auto pass = pass_for(arena, part_of(a, second, 0, kRows), kRows);
      for (const Part& part : parts) {
        pass.add(part_of(a, second, part.first, part.count));
      }
      CHECK_FALSE(starts_again(pass, arena));
      return pass.moments();
    };
    check_equal(in_parts({{192, 64}, {0, 192}}), whole, kMerged);
    check_equal(in_parts({{128, 64}, {0, 64}, {192, 64}, {64, 64}}), whole, kMerged);
    check_equal(in_parts({{0, 192}, {0, 0}, {192, 64}}), whole, 0);
    check_equal(in_parts({{0, 0}, {0, 256}}), whole, 0);
  }
}

TEST_CASE("moments of several processes are those of all rows, and each has them") {
  constexpr Index kRows = 50, kCols = 9;
  for (const bool has_two_views : {false, true}) {
    const Matrix a = view(kRows, kCols, 1), b = has_two_views ? view(kRows, kCols, 2) : Matrix();
    const Index first_rows[] = {0, 17, 17, 18,
                                kRows};  // one of them has none, and one a single row
    ThreadGroup group(4);
    const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
      Arena arena;
      const Index first = first_rows[rank], count = first_rows[rank + 1] - first;
      const BatchRows<float> rows = batch_of(a, b).part(first, count);
      Processes<float> processes(communicator, "moments");
      processes.reserve(arena, MomentsPass<float>::most_sums(kCols, has_two_views));
      SettingsDigest settings;
      processes.agree(settings, count);
      CHECK(processes.count() == kRows);
      auto pass = pass_for(arena, rows, kRows);
      pass.prepare_sums(arena);
      pass.add(rows);
      MomentsPass<float>::sum_over(processes, kCols, has_two_views, &pass);
      check_against_definition(pass.moments(), a, b);
    });
    for (const auto& failure : failures) CHECK_FALSE(failure);
  }
}

TEST_CASE("processes that are constant in themselves vary together, or are constant") {
  Matrix varies = Matrix::Zero(4, 1);
  varies.bottomRows(2).setConstant(1e-30F);  // its square underflows
  // The second process is constant, and has the mean of all.
  Matrix around = Matrix::Constant(4, 1, 1e-30F);
  around(0, 0) = 0;
  around(1, 0) = 2e-30F;
  const Matrix constant = Matrix::Constant(4, 1, 3);
  const Matrix* const cases[] = {&varies, &around, &constant};
  for (const Matrix* each : cases) {
    const Matrix& a = *each;
    const bool is_constant = a(0, 0) == 3;
    CAPTURE(a(0, 0));
    CAPTURE(a(1, 0));
    ThreadGroup group(2);
    const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
      Arena arena;
      const BatchRows<float> rows = batch_of(a, Matrix()).part(2 * rank, 2);
      Processes<float> processes(communicator, "moments");
      processes.reserve(arena, MomentsPass<float>::most_sums(1, false));
      processes.agree(SettingsDigest(), 2);
      auto pass = pass_for(arena, rows, 4, 0);
      pass.prepare_sums(arena);
      pass.add(rows);
      MomentsPass<float>::sum_over(processes, 1, false, &pass);
      CHECK(pass.needs_units() != is_constant);
    });
    for (const auto& failure : failures) CHECK_FALSE(failure);
  }
}

TEST_CASE("features whose squares leave the range have units, and the others none") {
  constexpr Index kRows = 150, kCols = 4;
  Matrix a = view(kRows, kCols, 1), b = view(kRows, kCols, 2);
  const float sizes[kCols] = {1e-30F, 1, 3e27F, 1e-25F};
  for (Index j = 0; j < kCols; ++j) {
    a.col(j) *= sizes[j];
    b.col(j) *= sizes[kCols - 1 - j];
  }
  Arena arena;
  auto pass = pass_for(arena, batch_of(a, b), kRows, 0);
  pass.add(batch_of(a, b));
  REQUIRE(starts_again(pass, arena));
  pass.add(batch_of(a, b));
  CHECK_FALSE(starts_again(pass, arena));
  const Moments<float>& moments = pass.moments();
  CHECK(moments.a.unit_of(0) < 1);
  CHECK(moments.a.unit_of(1) == 1);
  CHECK(moments.a.unit_of(2) > 1);
  CHECK(moments.b.unit_of(3) == moments.a.unit_of(0));
  const NaiveView view_a(a), view_b(b);
  const auto statistics_a = view_statistics<float>(arena, moments.a, kRows, 0);
  const auto statistics_b = view_statistics<float>(arena, moments.b, kRows, 0);
  const auto pair = pair_statistics<float>(arena, moments, statistics_a, statistics_b);
  for (Index j = 0; j < kCols; ++j) {
    CAPTURE(j);
    const Real deviation_a = std::sqrt(view_a.squares(j) / kRows),
               deviation_b = std::sqrt(view_b.squares(j) / kRows);
    CHECK(decorr_tests::relative_error(statistics_a.mean[j], view_a.mean[j]) < kTolerance);
    CHECK(decorr_tests::relative_error(statistics_a.deviation[j], deviation_a) < kTolerance);
    CHECK(decorr_tests::relative_error(statistics_b.deviation[j], deviation_b) < kTolerance);
    const Real diagonal =
        view_a.centred.col(j).dot(view_b.centred.col(j)) / kRows / deviation_a / deviation_b;
    CHECK(std::abs(static_cast<double>(pair.diagonal[j] - diagonal)) < kTolerance);
    const Real squared = (a.col(j).cast<Real>() - b.col(j).cast<Real>()).squaredNorm();
    const double weighted = moments.weighted_difference(j, 1e-10);
    // One that underflows is nothing beside a loss.
    CHECK(std::abs(static_cast<double>(weighted - squared * 1e-10L)) <
          kTolerance * 8 * static_cast<double>(squared * 1e-10L) + 1e-38);
  }
  // Parts in the same units are merged in them.
  auto again = pass_for(arena, part_of(a, b, 0, kRows), kRows, 0);
  const auto add_parts = [&] {
    again.add(part_of(a, b, 0, 80));
    again.add(part_of(a, b, 80, 70));
  };
  add_parts();
  REQUIRE(starts_again(again, arena));
  add_parts();
  const Moments<float>& in_parts = again.moments();
  for (Index j = 0; j < kCols; ++j) {
    CHECK(decorr_tests::relative_error(in_parts.a.squares[j], moments.a.squares[j]) < kTolerance);
    CHECK(decorr_tests::relative_error(in_parts.b.squares[j], moments.b.squares[j]) < kTolerance);
    CHECK(std::abs(in_parts.products[j] - moments.products[j]) <
          kTolerance * std::sqrt(moments.a.squares[j] * moments.b.squares[j]));
  }
}

TEST_CASE("squares have units before they overflow") {
  // Of 64 rows the squares of 2^57 are 2^120, of float's 2^128; those of 2^47 have room enough.
  Matrix a(64, 2);
  for (Index k = 0; k < a.rows(); ++k) {
    a(k, 0) = std::ldexp(k % 2 == 0 ? 1.0F : -1.0F, 47);
    a(k, 1) = a(k, 0) * 1024;
  }
  Arena arena;
  for (const Index features : {1, 2}) {
    const Matrix first = a.leftCols(features);
    auto pass = pass_for(arena, batch_of(first, Matrix()), first.rows(), 0);
    pass.add(batch_of(first, Matrix()));
    CHECK(pass.needs_units() == (features == 2));
  }
}

TEST_CASE("units are each feature's own beyond a tile's columns too, of one view or two") {
  constexpr Index kRows = 20, kCols = 515;
  const float sizes[] = {1e-30F, 1, 3e27F};
  Matrix a = view(kRows, kCols, 1), b = view(kRows, kCols, 2), none;
  for (Index j = 512; j < kCols; ++j) {
    a.col(j) *= sizes[j - 512];
    b.col(j) *= sizes[kCols - 1 - j];
  }
  const auto check_view = [&](Arena& arena, const ViewMoments<float>& moments, const Matrix& x) {
    const NaiveView expected(x);
    const auto statistics = view_statistics<float>(arena, moments, kRows, 0);
    for (const Index j : {0, 511, 512, 513, 514}) {
      CAPTURE(j);
      const Real deviation = std::sqrt(expected.squares(j) / kRows);
      CHECK(decorr_tests::relative_error(statistics.deviation[j], deviation) < kTolerance);
    }
  };
  for (const bool has_two_views : {true, false}) {
    Arena arena;
    const auto moments = moments_of(arena, batch_of(a, has_two_views ? b : none), 0);
    CHECK(moments.a.unit_of(512) < 1);
    CHECK(moments.a.unit_of(514) > 1);
    check_view(arena, moments.a, a);
    if (!has_two_views) continue;
    check_view(arena, moments.b, b);
    const Real squared = (a.col(512).cast<Real>() - b.col(512).cast<Real>()).squaredNorm();
    CHECK(decorr_tests::relative_error(moments.weighted_difference(512, 1e-10), squared * 1e-10L) <
          kTolerance * 8);
  }
}

TEST_CASE("what is small is read again only where digits are wanted and there are any") {
  constexpr Index kRows = 130;
  Arena arena;
  const auto reads_again = [&](const Matrix& x, double epsilon) {
    const Matrix none;
    auto pass = pass_for(arena, part_of(x, none, 0, kRows), kRows, epsilon);
    pass.add(part_of(x, none, 0, kRows));
    return starts_again(pass, arena);
  };
  Matrix x = view(kRows, 5, 1);
  CHECK_FALSE(reads_again(x, 0));
  x.col(2).setConstant(3);
  CHECK_FALSE(reads_again(x, 0));
  // Of two views, each by its own rows.
  const Matrix constant = Matrix::Constant(kRows, 5, 7);
  for (const auto& [first, second] : {std::pair(x, constant), std::pair(constant, x)}) {
    auto pass = pass_for(arena, part_of(first, second, 0, kRows), kRows, 0);
    pass.add(part_of(first, second, 0, kRows));
    CHECK_FALSE(starts_again(pass, arena));
  }
  x.col(3) *= 1e-30F;
  CHECK_FALSE(reads_again(x, 1e-5));
  CHECK(reads_again(x, 0));
  // Tiles that are constant in themselves.
  x.col(3).setConstant(1e-30F);
  CHECK_FALSE(reads_again(x, 0));
  x.col(3).tail(kRows - 64).setConstant(2e-30F);
  CHECK(reads_again(x, 0));
  const Matrix none;
  const auto moments = moments_of(arena, part_of(x, none, 0, kRows), 0);
  const auto deviation = view_statistics<float>(arena, moments.a, kRows, 0).deviation[3];
  const Real expected = std::sqrt(NaiveView(x).squares(3) / kRows);
  CHECK(decorr_tests::relative_error(deviation, expected) < kTolerance);
}

#if defined(__SSE2__)
TEST_CASE("squares that processors flush to zero cost no digits") {
  // As programs have it that are linked with -ffast-math. Most squares are just below the normal
  // numbers, all of them together above; the rows by which data are shifted are zero.
  constexpr Index kRows = 128;
  Matrix x = Matrix::Constant(kRows, 1, 1e-19F);
  for (Index k = 0; k < kRows; k += 10) {
    x(k, 0) = 5e-19F;
  }
  for (Index k = 0; k < kRows; k += 2) {
    x(k, 0) *= -1;
  }
  for (const Index k : {0, 32, 63, 64, 96, 127}) {
    x(k, 0) = 0;
  }
  Arena arena;
  const Matrix none;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  const auto moments = moments_of(arena, part_of(x, none, 0, kRows), 0);
  const auto deviation = view_statistics<float>(arena, moments.a, kRows, 0).deviation[0];
  _mm_setcsr(before);
  CHECK(decorr_tests::relative_error(deviation, std::sqrt(NaiveView(x).squares(0) / kRows)) <
        kTolerance);
}
#endif

TEST_CASE("the diagonal is summed from the raw numbers, in a read of its own or row by row") {
  constexpr Index kRows = 150, kCols = 515;
  Matrix a = view(kRows, kCols, 1), b = view(kRows, kCols, 2);
  a.array() += 100;
  Arena arena;
  const auto rows = batch_of(a, b);
  const RealVector expected = a.cast<Real>().cwiseProduct(b.cast<Real>()).colwise().sum();
  CHECK_FALSE(DiagonalSums<float>());
  for (const int threads : {1, 3}) {
    DiagonalSums<float> whole(arena, kCols, kRows, row_access(rows), threads);
    DiagonalSums<float> parts(arena, kCols, 100, row_access(rows), threads);
    DiagonalSums<float> by_row(arena, kCols, kRows, row_access(rows), threads);
    whole.add(rows);
    parts.add(part_of(a, b, 0, 100));
    parts.add(part_of(a, b, 100, 50));
    // Two chunks, the second of them no rows.
    by_row.begin(0);
    for (Index k = 0; k < kRows; ++k) {
      const Index cut = 200;
      by_row.add(0, 0, cut, a.row(k).data(), b.row(k).data());
      by_row.add(0, cut, kCols - cut, a.row(k).data() + cut, b.row(k).data() + cut);
    }
    by_row.merge(0);
    by_row.begin(0);
    by_row.merge(0);
    for (auto* sums : {&whole, &parts, &by_row}) {
      CHECK(*sums);
      CHECK(error_of(sums->totals(), [&](Index j) { return expected[j]; }) < 1e-9);
    }
  }
  const auto pair = pair_statistics<float>(arena, kCols);
  CHECK(pair.diagonal.size() == kCols);
  CHECK(pair.inverse_a[3] == 1);
  CHECK(pair.inverse_b[kCols - 1] == 1);
}

TEST_CASE("deviations are roots of the variance and epsilon, and none is inverted to infinity") {
  Arena arena;
  ViewMoments<float> moments(arena, 3);
  moments.squares[0] = 36;
  moments.squares[1] = 0;
  const auto statistics = view_statistics<float>(arena, moments, 3, 4);
  CHECK(statistics.deviation[0] == 4);
  CHECK(statistics.deviation[1] == 2);
  CHECK(statistics.spread[0] == std::sqrt(12.0));
  CHECK(statistics.spread[1] == 0);
  // In units of 2^20.
  moments.squares[0] = 48;
  moments.unit = Buffer<float>(arena, 3, 0x1p20F);
  const auto in_units = view_statistics<float>(arena, moments, 3, 9 * 0x1p40);
  CHECK(in_units.spread[0] == 4 * 0x1p20);
  CHECK(in_units.deviation[0] == 5 * 0x1p20);
  CHECK(inverse_deviation<float>(4) == 0.25);
  CHECK(inverse_deviation<float>(0) == 0);
  constexpr double kLeast = std::numeric_limits<float>::min();
  CHECK(inverse_deviation<float>(kLeast) == 1 / kLeast);
  CHECK(inverse_deviation<float>(kLeast / 2) == 0);
  CHECK(std::isnan(inverse_deviation<float>(std::nan(""))));
}

TEST_CASE("standardized views differ in size where epsilon outweighs one of them") {
  Arena arena;
  const auto size = [&](double square, double epsilon, float unit) {
    ViewMoments<float> moments(arena, 3);
    moments.squares[0] = 0;
    moments.squares[1] = 3 * square;
    moments.squares[2] = square;
    if (unit != 1) moments.unit = Buffer<float>(arena, 3, unit);
    return largest_standardized(view_statistics<float>(arena, moments, 3, epsilon));
  };
  CHECK(size(4, 0, 1) == 1);
  CHECK(size(9, 16, 1) == 3 * 0.2);
  CHECK(size(9 * 0x1p40, 16, 0x1p-20F) == 3 * 0.2);
  CHECK(size(0, 1e-5, 1) == 0);
  CHECK(size(0, 0, 1) == 0);
  CHECK_FALSE(differ_in_size(1.0, 1.0));
  CHECK_FALSE(differ_in_size(0.25, 1.0));
  CHECK(differ_in_size(0.2, 1.0));
  CHECK(differ_in_size(1.0, 1e-3));
  CHECK_FALSE(differ_in_size(1e-6, 2e-6));
  // Of what has underflowed nothing is known.
  CHECK(differ_in_size(0.0, 0.0));
  CHECK(differ_in_size(1e-15, 1e-15));
}

TEST_CASE("a mean of a million leaves a standardized number its digits") {
  Arena arena;
  constexpr Index kCount = 40;
  // The last feature's centre is exact, and the first one is constant.
  const double means[] = {5, 1000000.02, -1000000.03, 1e6}, deviations[] = {0, 1.5, 0.7, 3};
  ViewStatistics<float> statistics{Buffer<double>(arena, 4), Buffer<double>(arena, 4),
                                   Buffer<double>(arena, 4)};
  std::copy_n(means, 4, statistics.mean.data());
  std::copy_n(deviations, 4, statistics.spread.data());
  std::copy_n(deviations, 4, statistics.deviation.data());
  for (const bool scales : {true, false}) {
    CAPTURE(scales);
    const Standardization<float> standardization(arena, statistics, scales);
    CHECK_FALSE(standardization.is_identity());
    CHECK(standardization.factor(0) == (scales ? 0 : 1));
    double error = 0;
    for (Index k = 0; k < kCount; ++k) {
      float row[4], result[4];
      for (Index j = 0; j < 4; ++j) {
        row[j] = static_cast<float>(means[j]) + 0.0625F * static_cast<float>(k - kCount / 2);
      }
      standardization.apply(row + 1, 1, 3, {}, result + 1);
      standardization.apply(row, 0, 1, {}, result);
      for (Index j = 0; j < 4; ++j) {
        const double factor = !scales ? 1 : j == 0 ? 0 : 1 / deviations[j];
        const double exact = (static_cast<double>(row[j]) - means[j]) * factor;
        error = std::max(error, std::abs(static_cast<double>(result[j]) - exact));
      }
      // Another factor in the place of the deviation's.
      const Buffer<float> doubled(arena, 4, 2.0F);
      standardization.apply(row, 0, 4, doubled, result);
      const double centred = static_cast<double>(row[1]) - means[1];
      CHECK(std::abs(static_cast<double>(result[1]) - 2 * centred) < 2e-6);
    }
    // Numbers up to two, and up to three roundings of them.
    CHECK(error < 3 * 2 * 1.2e-7);
  }
}

TEST_CASE("rows as they are need no preparation, and signs alone are a factor") {
  Arena arena;
  const Standardization<float> identity;
  CHECK(identity.is_identity());
  CHECK(identity.factor(7) == 1);
  const float row[] = {1, -2, 3};
  float result[3] = {};
  identity.apply(row, 0, 3, {}, result);
  CHECK(std::equal(row, row + 3, result));

  const Preparation<float> raw;
  CHECK(raw.is_raw());
  CHECK_FALSE(raw.has_signs());
  Buffer<float> ones(arena, 3, 1.0F);
  raw.multiply_by_signs(ones);
  CHECK(std::all_of(ones.data(), ones.data() + 3, [](float x) { return x == 1; }));
  CHECK(raw.apply(row, 0, 3, result) == row);

  const std::int8_t signs[] = {1, -1, -1, 1};
  const Preparation<float> signed_rows(arena, 4, identity, signs);
  CHECK(signed_rows.is_raw());
  CHECK(signed_rows.has_signs());
  Buffer<float> twos(arena, 4, 2.0F);
  signed_rows.multiply_by_signs(twos);
  const float signed_twos[] = {2, -2, -2, 2};
  CHECK(std::equal(signed_twos, signed_twos + 4, twos.data()));
  CHECK(signed_rows.apply(row, 1, 3, result) == result);
  const float expected[] = {-1, 2, 3};
  CHECK(std::equal(expected, expected + 3, result));
}

TEST_CASE("what a rounded mean leaves out counts beside the numbers, not beside epsilon") {
  Arena arena;
  const auto has_residuals = [&](double mean, double spread, double deviation) {
    const ViewStatistics<float> statistics{Buffer<double>(arena, 2, mean),
                                           Buffer<double>(arena, 2, spread),
                                           Buffer<double>(arena, 2, deviation)};
    return static_cast<bool>(Standardization<float>(arena, statistics, false).residuals());
  };
  constexpr double kMean = 0.01;  // a third of float's last digit there is 3e-10
  CHECK(has_residuals(kMean, 1e-6, 1e-6));
  CHECK(has_residuals(kMean, 1e-6, 1e-2));
  CHECK_FALSE(has_residuals(kMean, 1e-1, 1e-1));
  CHECK_FALSE(has_residuals(0.25, 1e-6, 1e-6));  // a float
}

TEST_CASE("standardized rows with signs") {
  Arena arena;
  ViewStatistics<float> statistics{Buffer<double>(arena, 3), Buffer<double>(arena, 3),
                                   Buffer<double>(arena, 3)};
  for (Index j = 0; j < 3; ++j) {
    statistics.mean[j] = static_cast<double>(j);
    statistics.spread[j] = statistics.deviation[j] = std::ldexp(1.0, static_cast<int>(j));
  }
  const std::int8_t signs[] = {-1, 1, -1};
  for (const bool scales : {true, false}) {
    const Standardization<float> standardization(arena, statistics, scales);
    const Preparation<float> with(arena, 3, standardization, signs);
    const Preparation<float> without(arena, 3, standardization, nullptr);
    CHECK_FALSE(with.is_raw());
    CHECK_FALSE(without.has_signs());
    const float row[] = {10, 20, 30};
    float result[3];
    for (Index first = 0; first < 3; ++first) {
      for (const Preparation<float>* preparation : {&with, &without}) {
        CHECK(preparation->apply(row + first, first, 3 - first, result) == result);
        for (Index j = first; j < 3; ++j) {
          const float sign = preparation == &with ? static_cast<float>(signs[j]) : 1;
          const auto mean = static_cast<float>(statistics.mean[j]),
                     deviation = scales ? static_cast<float>(statistics.deviation[j]) : 1;
          CHECK(result[j - first] == sign * (row[j] - mean) / deviation);
        }
      }
    }
  }
}

}  // namespace unit_moments
