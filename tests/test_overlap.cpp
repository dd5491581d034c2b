// What shares memory with what: never missed, and seen without need only where the documentation
// says so. The oracle compares bytes one by one.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <decorr/decorr.hpp>
#include <decorr/detail/call/memory_layout.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/placements.hpp"
#include "support/random_matrices.hpp"

namespace test_overlap {

namespace {

using decorr::detail::MemoryLayout;
using decorr_tests::may_be_refused;
using decorr_tests::Placement;
using decorr_tests::PlacementDraws;
using decorr_tests::random_matrix;
using decorr_tests::repeats_bytes;
using decorr_tests::share_bytes;
using Eigen::Dynamic;
using Eigen::Index;

template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::RowMajor>;
using AnyStride = Eigen::Stride<Dynamic, Dynamic>;

template <class Scalar>
Eigen::Map<RowMajor<Scalar>, 0, AnyStride> view(std::vector<double>& buffer,
                                                const Placement& place) {
  auto* start = reinterpret_cast<char*>(buffer.data()) + place.first;
  return {reinterpret_cast<Scalar*>(start), place.rows, place.cols,
          AnyStride(place.row_stride, place.col_stride)};
}

MemoryLayout layout_of(const Placement& place) {
  MemoryLayout layout;
  layout.first = static_cast<std::uintptr_t>(10000 + place.first);
  layout.element = place.element;
  layout.rows = place.rows;
  layout.cols = place.cols;
  layout.row_stride = place.row_stride;
  layout.col_stride = place.col_stride;
  return layout;
}

std::string describe(const Placement& place) {
  std::string text = "at " + std::to_string(place.first);
  for (const Index number :
       {place.element, place.rows, place.cols, place.row_stride, place.col_stride}) {
    text += " " + std::to_string(number);
  }
  return text;
}

// Any layout as one whose elements have no strides.
MemoryLayout scattered(const Placement& place) {
  MemoryLayout layout = layout_of(place);
  for (Index i = 0; i < place.rows; ++i) {
    for (Index j = 0; j < place.cols; ++j) {
      layout.scattered.push_back(
          layout.first + static_cast<std::uintptr_t>((i * place.row_stride + j * place.col_stride) *
                                                     place.element));
    }
  }
  return layout;
}

}  // namespace

TEST_CASE("layouts overlap where they share a byte, and else only in strides that differ") {
  PlacementDraws draws(1, 512);
  int shared = 0, refused = 0, interleaved = 0;
  for (int i = 0; i < 40000; ++i) {
    const auto element = [&] { return Index{1} << draws.between(1, 4); };
    const Placement x = draws.placement(draws.between(1, 5), draws.between(1, 5), element());
    const bool same_shape = draws.between(0, 3) > 0;
    const Placement y = draws.placement(same_shape ? x.rows : draws.between(1, 5),
                                        same_shape ? x.cols : draws.between(1, 5),
                                        draws.between(0, 1) == 0 ? x.element : element(), &x);
    CAPTURE(describe(x));
    CAPTURE(describe(y));
    const MemoryLayout layout_x = layout_of(x), layout_y = layout_of(y);
    const bool share = share_bytes(x, y), overlap = decorr::detail::overlap(layout_x, layout_y);
    shared += share ? 1 : 0;
    REQUIRE(overlap == decorr::detail::overlap(layout_y, layout_x));
    if (overlap != share) {
      ++refused;
      REQUIRE(overlap);
      REQUIRE(may_be_refused(x, y));
    }
    const std::vector<Index> of_x = x.bytes(), of_y = y.bytes();
    const bool apart = of_x.back() < of_y.front() || of_y.back() < of_x.front();
    interleaved += !overlap && !apart ? 1 : 0;
    if (apart) REQUIRE(!overlap);
    REQUIRE(decorr::detail::overlap(scattered(x), scattered(y)) == share);
    REQUIRE(decorr::detail::overlap(layout_x, scattered(y)) == share);
    REQUIRE(decorr::detail::overlap(scattered(x), layout_y) == share);
  }
  // The draws reach every outcome.
  CHECK(shared > 4000);
  CHECK(refused > 400);
  CHECK(interleaved > 400);
}

TEST_CASE("a gradient is distinct where no two of its elements share a byte") {
  PlacementDraws draws(2, 2048);
  int repeated = 0, distinct = 0;
  for (int i = 0; i < 20000; ++i) {
    const Placement place = draws.placement(draws.between(1, 7), draws.between(1, 7), 4);
    CAPTURE(describe(place));
    const bool repeats = repeats_bytes(place);
    (repeats ? repeated : distinct) += 1;
    for (const MemoryLayout& layout : {layout_of(place), scattered(place)}) {
      bool accepted = true;
      try {
        decorr::detail::ArgumentChecks("f").check_distinct("x", layout);
      } catch (const std::invalid_argument&) {
        accepted = false;
      }
      REQUIRE(accepted == !repeats);
    }
  }
  CHECK(repeated > 2000);
  CHECK(distinct > 2000);
}

TEST_CASE_TEMPLATE("a call with its matrices anywhere in one buffer is refused or right", Gradient,
                   float, Eigen::half) {
  constexpr Index bytes = 480;
  PlacementDraws draws(3, bytes);
  int refused = 0, accepted = 0;
  for (int i = 0; i < 6000; ++i) {
    const Index rows = draws.between(1, 4), cols = draws.between(1, 4);
    const Index size = sizeof(Gradient);
    const Placement a = draws.placement(rows, cols, 4), b = draws.placement(rows, cols, 4, &a);
    const Placement grad_a = draws.placement(rows, cols, size, &a);
    const Placement grad_b = draws.placement(rows, cols, size, &grad_a);
    for (const Placement& place : {a, b, grad_a, grad_b}) CAPTURE(describe(place));
    std::vector<double> buffer(bytes / sizeof(double));
    Eigen::Map<Eigen::VectorXf>(reinterpret_cast<float*>(buffer.data()), bytes / 4) =
        random_matrix<Eigen::VectorXf>(bytes / 4, 1, static_cast<std::uint64_t>(i));
    const RowMajor<float> z_a = view<float>(buffer, a), z_b = view<float>(buffer, b);
    RowMajor<Gradient> expected_a(rows, cols), expected_b(rows, cols);
    const float expected = decorr::r_off(z_a, z_b, expected_a, expected_b);
    const std::vector<double> before = buffer;

    auto target_a = view<Gradient>(buffer, grad_a), target_b = view<Gradient>(buffer, grad_b);
    try {
      const float value =
          decorr::r_off(view<float>(buffer, a), view<float>(buffer, b), target_a, target_b);
      ++accepted;
      REQUIRE(value == expected);
      REQUIRE(target_a == expected_a);
      REQUIRE(target_b == expected_b);
      REQUIRE(view<float>(buffer, a) == z_a);
      REQUIRE(view<float>(buffer, b) == z_b);
    } catch (const std::invalid_argument&) {
      ++refused;
      REQUIRE(std::memcmp(buffer.data(), before.data(), bytes) == 0);
      bool reason = repeats_bytes(grad_a) || repeats_bytes(grad_b);
      const auto meet = [&](const Placement& x, const Placement& y) {
        reason = reason || share_bytes(x, y) || may_be_refused(x, y);
      };
      for (const Placement& gradient : {grad_a, grad_b}) {
        meet(gradient, a);
        meet(gradient, b);
      }
      meet(grad_a, grad_b);
      REQUIRE(reason);
    }
  }
  CHECK(refused > 1000);
  CHECK(accepted > 200);
}

TEST_CASE("a list of rows that begins as strides would is not taken for them") {
  const Index d = 3;
  Eigen::MatrixXd buffer = random_matrix<Eigen::MatrixXd>(8, d, 1);
  const Eigen::MatrixXd a = random_matrix<Eigen::MatrixXd>(3, d, 2);
  const auto columns = Eigen::seqN(0, d);
  const std::vector<Index> repeated{0, 1, 0}, beyond{0, 1, 7};
  CHECK_THROWS_AS(decorr::r_off(a, a, buffer(repeated, columns), decorr::no_gradient),
                  decorr::InvalidArgument);
  CHECK_THROWS_AS(
      decorr::r_off(a, buffer.bottomRows(3), buffer(beyond, columns), decorr::no_gradient),
      decorr::InvalidArgument);
}

TEST_CASE("strides that lead downwards hide no overlap") {
  constexpr Index rows = 5, cols = 3;
  std::vector<double> buffer(rows * cols);
  const RowMajor<double> other = random_matrix<RowMajor<double>>(rows, cols, 2);
  RowMajor<double> gradient(rows, cols);
  const Eigen::Map<RowMajor<double>> forward(buffer.data(), rows, cols);
  Eigen::Map<RowMajor<double>> writable(buffer.data(), rows, cols);
  const Index last_row = (rows - 1) * cols, last_col = cols - 1;
  struct Reversal {
    Index first, row_stride, col_stride;
  };
  for (const Reversal& reversal : {Reversal{last_row, -cols, 1}, Reversal{last_col, cols, -1},
                                   Reversal{last_row + last_col, -cols, -1}}) {
    Eigen::Map<RowMajor<double>, 0, AnyStride> reversed(
        buffer.data() + reversal.first, rows, cols,
        AnyStride(reversal.row_stride, reversal.col_stride));
    CHECK_THROWS_WITH_AS(decorr::r_off(reversed, other, reversed, gradient),
                         "r_off: grad_a overlaps a, expected memory of its own",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(decorr::r_off(forward, other, gradient, reversed),
                         "r_off: grad_b overlaps a, expected memory of its own",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(decorr::r_off(other, reversed, writable, gradient),
                         "r_off: grad_a overlaps b, expected memory of its own",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(decorr::r_off(other, other, reversed, writable),
                         "r_off: grad_b overlaps grad_a, expected memory of its own",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(decorr::variance_covariance_loss(forward, reversed),
                         "variance_covariance_loss: grad overlaps z, expected memory of its own",
                         std::invalid_argument);
  }
}

}  // namespace test_overlap
