// Matrices of any storage as rows of the computing scalar (detail/rows).
#include "support/rows.hpp"

#include <doctest/doctest.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <Eigen/Core>
#include <cstddef>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/rows/tiles.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <type_traits>
#include <vector>

namespace unit_rows {

namespace {

using namespace decorr::detail;
using decorr_tests::input_rows;
using decorr_tests::output_rows;

constexpr Index kRows = 37, kCols = 53;

// Distinct in every element of a matrix, and exact in 16 bits where it has few elements.
template <class Scalar>
Scalar number(Index row, Index col) {
  if (sizeof(Scalar) == 2) return static_cast<Scalar>(static_cast<float>((row * 5 + col) % 251));
  return static_cast<Scalar>(static_cast<double>(row * kCols + col));
}

struct Strides {
  Index row, col;
};

// A matrix in memory with these strides, and something else in the gaps.
template <class Storage>
struct Placed {
  Placed(Index rows, Index cols, const Strides& its_strides)
      : strides(its_strides),
        memory(static_cast<std::size_t>((rows - 1) * strides.row + (cols - 1) * strides.col + 1),
               static_cast<Storage>(-1.0F)) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) at(i, j) = number<Storage>(i, j);
    }
  }
  Storage& at(Index i, Index j) {
    return memory[static_cast<std::size_t>(i * strides.row + j * strides.col)];
  }

  Strides strides;
  std::vector<Storage> memory;
};

// Row-major, with a gap, column-major, with a gap, both.
const Strides kStrides[] = {
    {kCols, 1}, {kCols + 4, 1}, {1, kRows}, {1, kRows + 2}, {2 * kCols + 1, 2}};

// The tiles of a matrix that tests look at, whole ones and odd ones.
struct Part {
  Index first_row, rows, first_col, cols;
};
const Part kParts[] = {
    {0, kRows, 0, kCols}, {5, 16, 0, kCols}, {3, 1, 7, 9}, {36, 1, 52, 1}, {2, 11, 1, 33}};

}  // namespace

TEST_CASE_TEMPLATE("tiles hold the numbers of a matrix, however it is stored", Storage, float,
                   double, long double, Eigen::half, Eigen::bfloat16) {
  using Scalar = ComputeScalarOf<Storage>;
  constexpr bool kAsComputed = std::is_same<Storage, Scalar>::value;
  Arena arena;
  for (const Strides& strides : kStrides) {
    Placed<Storage> placed(kRows, kCols, strides);
    const InputRows<Scalar> rows(placed.memory.data(), kRows, kCols, strides.row, strides.col);
    CHECK(rows.rows() == kRows);
    CHECK(rows.cols() == kCols);
    CHECK(rows.has_contiguous_rows() == (kAsComputed && strides.col == 1));
    CHECK((rows.column(0) != nullptr) == (kAsComputed && strides.row == 1));
    if (rows.column(0) != nullptr) CHECK(rows.column(9)[5] == number<Scalar>(5, 9));
    for (const Part& part : kParts) {
      CAPTURE(strides.row);
      CAPTURE(strides.col);
      CAPTURE(part.first_row);
      CAPTURE(part.first_col);
      const Index needed =
          rows.has_contiguous_rows() ? 0 : part.rows * tile_stride<Scalar>(part.cols);
      Buffer<Scalar> buffer(arena, needed);
      const Tile<const Scalar> tile =
          rows.tile(part.first_row, part.rows, part.first_col, part.cols, buffer.data());
      Index wrong = 0;
      for (Index k = 0; k < part.rows; ++k) {
        for (Index j = 0; j < part.cols; ++j) {
          const auto expected =
              static_cast<Scalar>(number<Storage>(part.first_row + k, part.first_col + j));
          wrong += tile.row(k)[j] == expected ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
      // Without a copy where none is needed.
      CHECK((tile.data == buffer.data()) == (needed > 0));
    }
  }
}

TEST_CASE("a matrix of one column has contiguous rows whatever its strides") {
  const float values[] = {1, 2, 3, 4, 5};
  const InputRows<float> rows(values, 3, 1, 2, 17);
  REQUIRE(rows.has_contiguous_rows());
  CHECK(rows.tile(1, 2, 0, 1, nullptr).row(1)[0] == 5);
  float written[5];
  CHECK(OutputRows<float>(written, 1, 2, 17).has_contiguous_rows());
}

TEST_CASE("a matrix of few columns, or of one row, is strided if its columns are") {
  float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  CHECK_FALSE(OutputRows<float>(values, 2, 1, 4).has_contiguous_rows());
  CHECK_FALSE(OutputRows<float>(values, 3, 2, 2).has_contiguous_rows());
  CHECK_FALSE(InputRows<float>(values, 1, 3, 2, 2).has_contiguous_rows());
  CHECK_FALSE(InputRows<float>(values, 1, 3, 8, 2).has_contiguous_rows());
}

#ifdef __linux__
TEST_CASE("rows may lie further apart than 32 bits count") {
  // Reserved, of which a few pages are used.
  constexpr Index kFarRows = 17, kFarCols = 3, kStride = Index{1} << 27;
  constexpr std::size_t kBytes = static_cast<std::size_t>(kFarRows * kStride) * sizeof(float);
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    MESSAGE("not tested: 9 GiB cannot be reserved");
    return;
  }
  auto* const values = static_cast<float*>(memory);
  for (Index i = 0; i < kFarRows; ++i) {
    for (Index j = 0; j < 2 * kFarCols; ++j) {
      values[i * kStride + j] = static_cast<float>(10 * i + j);
    }
  }
  constexpr Index last = kFarRows - 1;
  const InputRows<float> rows(values, kFarRows, kFarCols, kStride, 1);
  CHECK(rows.tile(last, 1, 1, 1, nullptr).row(0)[0] == 161);
  CHECK(rows.part(last, 1).tile(0, 1, 2, 1, nullptr).row(0)[0] == 162);
  float buffer[64];
  const InputRows<float> strided(values, kFarRows, kFarCols, kStride, 2);
  CHECK(strided.tile(last, 1, 1, 1, buffer).row(0)[0] == 162);
  CHECK(OutputRows<float>(values, kFarCols, kStride, 1).tile(last, 1, 1, nullptr).data ==
        values + last * kStride + 1);
  CHECK(OutputRows<float>(values, kFarCols, kStride, 1).part(last).tile(0, 1, 1, nullptr).data ==
        values + last * kStride + 1);
  CHECK(OutputRows<float>(values, kFarCols, kStride, 2).load(last, 1, 2, 1, buffer).data[0] == 164);
  munmap(memory, kBytes);
}
#endif

TEST_CASE_TEMPLATE("gradient rows are written and read back where they are", Scalar, float,
                   double) {
  Arena arena;
  for (const Strides& strides : kStrides) {
    for (const Part& part : kParts) {
      CAPTURE(strides.row);
      CAPTURE(strides.col);
      CAPTURE(part.first_row);
      Placed<Scalar> placed(kRows, kCols, strides);
      const auto before = placed.memory;
      const OutputRows<Scalar> rows(placed.memory.data(), kCols, strides.row, strides.col);
      REQUIRE(rows);
      CHECK(rows.has_contiguous_rows() == (strides.col == 1));
      const Index needed =
          rows.has_contiguous_rows() ? 0 : part.rows * tile_stride<Scalar>(part.cols);
      Buffer<Scalar> buffer(arena, needed), other(arena, part.rows * (part.cols + 1));

      // Loaded and stored again, nothing changes; changed in between, that alone.
      Tile<Scalar> tile =
          rows.load(part.first_row, part.rows, part.first_col, part.cols, buffer.data());
      Index wrong = 0;
      for (Index k = 0; k < part.rows; ++k) {
        for (Index j = 0; j < part.cols; ++j) {
          wrong += tile.row(k)[j] == number<Scalar>(part.first_row + k, part.first_col + j) ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
      rows.store(part.first_row, part.rows, part.first_col, part.cols, tile);
      CHECK(placed.memory == before);
      const auto expect = [&](Scalar factor) {
        Placed<Scalar> expected(kRows, kCols, strides);
        for (Index k = 0; k < part.rows; ++k) {
          for (Index j = 0; j < part.cols; ++j) {
            expected.at(part.first_row + k, part.first_col + j) *= factor;
          }
        }
        CHECK(placed.memory == expected.memory);
      };
      tile = rows.tile(part.first_row, part.first_col, part.cols, buffer.data());
      for (Index k = 0; k < part.rows; ++k) {
        for (Index j = 0; j < part.cols; ++j) {
          tile.row(k)[j] = 2 * number<Scalar>(part.first_row + k, part.first_col + j);
          other[k * (part.cols + 1) + j] = tile.row(k)[j] * 2;
        }
      }
      rows.store(part.first_row, part.rows, part.first_col, part.cols, tile);
      expect(2);
      // From elsewhere.
      rows.copy(part.first_row, part.rows, part.first_col, part.cols,
                {other.data(), part.cols + 1});
      expect(4);
    }
  }
}

TEST_CASE("columns are there where they are contiguous") {
  std::vector<float> values(60);
  CHECK(OutputRows<float>(values.data(), 5, 5, 1).column(2) == nullptr);
  CHECK(OutputRows<float>(values.data(), 5, 1, 12).column(2) == values.data() + 24);
  CHECK(OutputRows<float>(values.data(), 5, 2, 12).column(2) == nullptr);
}

TEST_CASE("tiles' rows are whole cache lines apart, and never a page") {
  for (Index cols = 1; cols < 5000; ++cols) {
    const Index stride = tile_stride<float>(cols);
    const bool apart = stride >= cols && stride % 16 == 0 && stride / 16 % 2 == 1;
    REQUIRE(apart);
    REQUIRE(stride < cols + 32);
  }
}

TEST_CASE("what has to be copied is known before the rows are seen") {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  RowMajor row_major(3, 4);
  Eigen::MatrixXf col_major(3, 4);
  const Eigen::Matrix<Eigen::half, 3, 4, Eigen::RowMajor> half;
  BatchRows<float> rows{input_rows(row_major), input_rows(col_major), {}, {}};
  const auto is = [&](bool gradient_a, bool gradient_b, bool copies_a, bool copies_b,
                      bool copies_gradient_a, bool copies_gradient_b) {
    const RowAccess access = row_access(rows);
    CHECK(access.gradient_a == gradient_a);
    CHECK(access.gradient_b == gradient_b);
    CHECK(access.copies_a == copies_a);
    CHECK(access.copies_b == copies_b);
    CHECK(access.copies_gradient_a == copies_gradient_a);
    CHECK(access.copies_gradient_b == copies_gradient_b);
    CHECK(access.has_gradient() == (gradient_a || gradient_b));
    const RowAccess inputs = access.inputs();
    CHECK_FALSE(inputs.has_gradient());
    CHECK(inputs.copies_a == copies_a);
    CHECK(inputs.copies_b == copies_b);
    CHECK_FALSE(inputs.copies_gradient_a);
    CHECK_FALSE(inputs.copies_gradient_b);
  };
  is(false, false, false, true, false, false);
  rows.a = input_rows(half);
  rows.gradient_a = output_rows(col_major);
  is(true, false, true, true, true, false);
  rows.gradient_b = output_rows(row_major);
  is(true, true, true, true, true, false);
  rows.b = {};
  CHECK_FALSE(rows.has_two_views());
  is(true, true, true, false, true, false);
}

TEST_CASE("either view may be the one whose gradient is computed") {
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> a(3, 4), b(3, 4),
      gradient_a(3, 4), gradient_b(3, 4);
  const BatchRows<double> rows{input_rows(a), input_rows(b), output_rows(gradient_a),
                               output_rows(gradient_b)};
  const auto start = [](const auto& x) { return x.tile(0, 1, 0, 4, nullptr).data; };
  const auto start_of_gradient = [](const auto& x) { return x.tile(0, 0, 4, nullptr).data; };
  CHECK(rows.size() == 3);
  CHECK(rows.features() == 4);
  const auto from_a = rows.seen_from_a(), from_b = rows.seen_from_b();
  CHECK(start(from_a.a) == a.data());
  CHECK(start(from_a.b) == b.data());
  CHECK(start_of_gradient(from_a.gradient_a) == gradient_a.data());
  CHECK(start(from_b.a) == b.data());
  CHECK(start(from_b.b) == a.data());
  CHECK(start_of_gradient(from_b.gradient_a) == gradient_b.data());
  CHECK_FALSE(from_a.gradient_b);
  CHECK_FALSE(from_b.gradient_b);
}

TEST_CASE_TEMPLATE("a part of the rows is those rows, however they are stored", Storage, float,
                   double, Eigen::half) {
  using Scalar = ComputeScalarOf<Storage>;
  for (const Strides& strides : kStrides) {
    Placed<Storage> a(kRows, kCols, strides);
    Placed<Scalar> gradient(kRows, kCols, strides);
    BatchRows<Scalar> rows{{a.memory.data(), kRows, kCols, strides.row, strides.col},
                           {},
                           {gradient.memory.data(), kCols, strides.row, strides.col},
                           {}};
    const BatchRows<Scalar> part = rows.part(5, 3);
    CHECK(part.size() == 3);
    CHECK(part.features() == kCols);
    CHECK_FALSE(part.has_two_views());
    CHECK(part.gradient_a);
    CHECK_FALSE(part.gradient_b);
    std::vector<Scalar> buffer(static_cast<std::size_t>(3 * tile_stride<Scalar>(kCols)));
    const auto tile = part.a.tile(0, 3, 0, kCols, buffer.data());
    int wrong = 0;
    for (Index k = 0; k < 3; ++k) {
      for (Index j = 0; j < kCols; ++j) {
        wrong += tile.row(k)[j] == static_cast<Scalar>(a.at(5 + k, j)) ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
    std::vector<Scalar> ones(buffer.size(), Scalar(-7));
    part.gradient_a.copy(0, 3, 0, kCols, {ones.data(), tile_stride<Scalar>(kCols)});
    for (Index k = 0; k < kRows; ++k) {
      const bool is_inside = 5 <= k && k < 8;
      wrong += (gradient.at(k, 0) == Scalar(-7)) == is_inside ? 0 : 1;
      wrong += (gradient.at(k, kCols - 1) == Scalar(-7)) == is_inside ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("rows of any storage are rows that have to be copied, and no rows may have a gradient") {
  const auto any = InputRows<float>::any(5, 1);
  CHECK(any.rows() == 5);
  CHECK(any.cols() == 1);
  CHECK_FALSE(any.has_contiguous_rows());
  CHECK(any.column(0) == nullptr);
  const BatchRows<float> none{{static_cast<float*>(nullptr), 0, 4, 4, 1},
                              {static_cast<float*>(nullptr), 0, 4, 4, 1},
                              {nullptr, 4, 4, 1},
                              {}};
  CHECK(none.size() == 0);
  CHECK(none.has_two_views());
  CHECK(none.gradient_a);
  CHECK_FALSE(none.gradient_b);
}

TEST_CASE("workers have memory for tiles of what is copied, and of that alone") {
  Arena arena;
  RowAccess access;
  access.copies_a = access.copies_gradient_b = true;
  constexpr Index kTile = 3, kWidth = 20;
  TileBuffers<float> buffers(arena, 2, access, kTile, kWidth);
  CHECK(buffers.a(1) - buffers.a(0) >= kTile * tile_stride<float>(kWidth));
  CHECK(buffers.gradient_b(1) - buffers.gradient_b(0) >= kTile * tile_stride<float>(kWidth));
  CHECK(buffers.b(0) == nullptr);
  CHECK(buffers.gradient_a(1) == nullptr);
}

}  // namespace unit_rows
