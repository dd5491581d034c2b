// Vectors and matrix products (detail/kernels). Operands are small whole numbers, of which all sums
// are exact, so that results are compared as they are.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <complex>
#include <cstddef>
#include <decorr/detail/kernels/gemm.hpp>
#include <decorr/detail/kernels/gram.hpp>
#include <decorr/detail/kernels/reduction.hpp>
#include <decorr/detail/kernels/simd.hpp>
#include <decorr/detail/kernels/spectral_gemm.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <limits>
#include <random>
#include <vector>

namespace unit_kernels {

namespace {

using namespace decorr::detail;

// From -4 to 4.
template <class Scalar>
Buffer<Scalar> numbers(Arena& arena, Index count, unsigned seed) {
  std::mt19937 generator(seed);
  Buffer<Scalar> result(arena, count);
  for (Index i = 0; i < count; ++i) result[i] = static_cast<Scalar>(generator() % 9) - 4;
  return result;
}

// Of what must stay as it is.
constexpr int kUntouched = 77;

template <class Scalar>
struct StoredMatrix {
  StoredMatrix(Arena& arena, Index rows, Index cols, Index gap, unsigned seed)
      : stride(cols + gap), values(numbers<Scalar>(arena, rows * stride, seed)) {}
  Index stride;
  Buffer<Scalar> values;
  Stored<const Scalar> read() const { return {values.data(), stride}; }
  Stored<Scalar> write() { return {values.data(), stride}; }
  Scalar at(Order order, Index i, Index j) const {
    return order == Order::as_is ? values[i * stride + j] : values[j * stride + i];
  }
};

template <class Scalar, Order kLeft, Order kRight>
void check_multiply_add(const ProductShape& shape, const ProductShape& panels_for, Index gap) {
  CAPTURE(shape.rows);
  CAPTURE(shape.cols);
  CAPTURE(shape.depth);
  Arena arena;
  const auto stored = [&](Order order, Index rows, Index cols, unsigned seed) {
    return order == Order::as_is ? StoredMatrix<Scalar>(arena, rows, cols, gap, seed)
                                 : StoredMatrix<Scalar>(arena, cols, rows, gap, seed);
  };
  const auto left = stored(kLeft, shape.rows, shape.depth, 1);
  const auto right = stored(kRight, shape.depth, shape.cols, 2);
  auto product = stored(Order::as_is, shape.rows, shape.cols, 3);
  const auto expected = stored(Order::as_is, shape.rows, shape.cols, 3);
  ProductPanels<Scalar> panels(arena, 2, {panels_for});
  const Buffer<Scalar> behind(arena, 64, Scalar(kUntouched));  // right behind small panels
  multiply_add<Scalar>(kLeft, left.read(), kRight, right.read(), shape, product.write(), panels, 1);
  Index wrong = 0;
  for (Index i = 0; i < shape.rows; ++i) {
    for (Index j = 0; j < product.stride; ++j) {
      Scalar sum = expected.values[i * product.stride + j];
      for (Index l = 0; j < shape.cols && l < shape.depth; ++l) {
        sum += left.at(kLeft, i, l) * right.at(kRight, l, j);
      }
      wrong += product.values[i * product.stride + j] == sum ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(std::count(behind.data(), behind.data() + behind.size(), Scalar(kUntouched)) ==
        behind.size());
}

template <class Scalar>
void check_multiply_add(const ProductShape& shape, const ProductShape& panels_for, Index gap) {
  check_multiply_add<Scalar, Order::as_is, Order::as_is>(shape, panels_for, gap);
  check_multiply_add<Scalar, Order::as_is, Order::transposed>(shape, panels_for, gap);
  check_multiply_add<Scalar, Order::transposed, Order::as_is>(shape, panels_for, gap);
  check_multiply_add<Scalar, Order::transposed, Order::transposed>(shape, panels_for, gap);
}

// One complex number of each lane of an element.
template <class Scalar>
std::complex<Scalar> lane_of(const LaneMatrix<const Scalar>& matrix, Index lanes, Index row,
                             Index col, Index lane) {
  const Scalar* element = matrix.element(row, col) + lane;
  return {element[0], element[lanes]};
}

template <Conjugate kConjugate, class Scalar>
void check_multiply_spectra(Index lanes) {
  Arena arena;
  const Index element = 2 * lanes;
  for (const Index rows : {1, 2, 3, 4, 5, 9}) {
    for (const Index cols : {1, 2, 3, 8}) {
      for (const Index depth : {0, 1, 2, 7}) {
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(depth);
        // The left one is stored as its transpose, the right one and the product with gaps.
        const Index right_stride = (cols + 1) * element, stride = (cols + 2) * element;
        const auto left_values = numbers<Scalar>(arena, depth * rows * element, 1);
        const auto right_values = numbers<Scalar>(arena, depth * right_stride, 2);
        Buffer<Scalar> values(arena, rows * stride, Scalar(kUntouched));
        const LaneMatrix<const Scalar> stored_left{left_values.data(), rows * element, element};
        const LaneMatrix<const Scalar> left = stored_left.transposed();
        const LaneMatrix<const Scalar> right{right_values.data(), right_stride, element};
        const LaneMatrix<Scalar> product{values.data(), stride, element};
        multiply_spectra<kConjugate, Scalar>(lanes, left, right, rows, cols, depth, product);
        Index wrong = 0;
        for (Index i = 0; i < rows; ++i) {
          for (Index j = 0; j < cols + 2; ++j) {
            for (Index lane = 0; lane < lanes; ++lane) {
              std::complex<Scalar> expected(j < cols ? 0 : kUntouched, j < cols ? 0 : kUntouched);
              for (Index l = 0; j < cols && l < depth; ++l) {
                auto a = lane_of(left, lanes, i, l, lane), b = lane_of(right, lanes, l, j, lane);
                if (kConjugate == Conjugate::left) a = std::conj(a);
                if (kConjugate == Conjugate::right) b = std::conj(b);
                expected += a * b;
              }
              wrong += lane_of<Scalar>(product, lanes, i, j, lane) == expected ? 0 : 1;
            }
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

template <class Scalar, Index kCount>
void check_reversed() {
  using Lanes = Simd<Scalar, kCount>;
  CAPTURE(kCount);
  std::array<Scalar, 3 * static_cast<std::size_t>(kCount)> from{}, to{};
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<Scalar>(i + 1);
  const Index middle = 2 * kCount - 1;
  alignas(kWorkspaceAlignment) Scalar lanes[static_cast<std::size_t>(kCount)];
  Lanes::store(lanes, Lanes::load_reversed(from.data() + middle));
  for (Index l = 0; l < kCount; ++l) CHECK(lanes[l] == from[static_cast<std::size_t>(middle - l)]);

  Lanes::store_reversed(to.data() + middle, Lanes::load_unaligned(from.data() + 1));
  for (Index i = 0; i < 3 * kCount; ++i) {
    const bool inside = kCount <= i && i < 2 * kCount;
    CHECK(to[static_cast<std::size_t>(i)] ==
          (inside ? from[static_cast<std::size_t>(1 + middle - i)] : Scalar(0)));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("multiply_add adds the product to what is there, in every order", Scalar, float,
                   double) {
  for (const Index rows : {0, 1, 2, 13}) {
    for (const Index cols : {0, 1, 3, 17}) {
      for (const Index depth : {0, 1, 2, 19}) {
        const ProductShape shape{rows, cols, depth};
        check_multiply_add<Scalar>(shape, {13, 17, 19}, rows % 3);
      }
    }
  }
}

TEST_CASE_TEMPLATE("multiply_add takes sizes beyond its blocking", Scalar, float, double) {
  // Beyond what Eigen keeps in the caches.
  check_multiply_add<Scalar>({3, 5, 3001}, {3, 5, 3001}, 1);
  check_multiply_add<Scalar>({1100, 5, 33}, {1100, 5, 33}, 1);
  check_multiply_add<Scalar>({4, 1101, 33}, {4, 1101, 33}, 1);
  // Much of nothing.
  check_multiply_add<Scalar>({3, 64, 0}, {3, 64, 0}, 1);
  // Beyond the memory that there is.
  check_multiply_add<Scalar>({31, 45, 57}, {8, 9, 10}, 0);
  check_multiply_add<Scalar>({31, 45, 57}, {31, 1, 57}, 0);
  check_multiply_add<Scalar>({31, 45, 57}, {1, 45, 2}, 0);
  check_multiply_add<Scalar>({31, 45, 57}, {62, 1, 8}, 0);  // room for all rows, of a part of them
}

TEST_CASE_TEMPLATE("products of spectra are those of complex numbers, lane by lane", Scalar, float,
                   double) {
  for (const Index lanes : {Index{1}, kLanes<Scalar>}) {
    CAPTURE(lanes);
    check_multiply_spectra<Conjugate::none, Scalar>(lanes);
    check_multiply_spectra<Conjugate::left, Scalar>(lanes);
    check_multiply_spectra<Conjugate::right, Scalar>(lanes);
  }
}

TEST_CASE("a matrix of lanes begins where it is told to") {
  float values[60] = {};
  const LaneMatrix<float> matrix{values, 20, 4};
  CHECK(matrix.element(2, 3) == values + 52);
  CHECK(matrix.transposed().element(3, 2) == values + 52);
  CHECK(matrix.from(1, 2).element(1, 1) == values + 52);
}

TEST_CASE("Gram matrices are filled by rows, up to the diagonal, and mirrored") {
  Arena arena;
  constexpr Index n = 11, depth = 6, tile = 4;
  const StoredMatrix<double> x(arena, n, depth, 3, 1);
  Buffer<double> gram(arena, n * n, 1.0);
  ProductPanels<double> panels(arena, 1, {{tile, n, depth}});
  for (Index first = 0; first < n; first += tile) {
    add_gram_rows(x.read(), n, depth, first, std::min(n, first + tile), gram.data(), panels, 0);
  }
  CHECK(gram[0 * n + tile] == 1);  // beyond what the first rows need
  mirror_lower(gram.data(), n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = 1;
      for (Index l = 0; l < depth; ++l) {
        sum += x.at(Order::as_is, i, l) * x.at(Order::as_is, j, l);
      }
      CHECK(gram[i * n + j] == sum);
    }
  }
}

TEST_CASE("a matrix less its transpose") {
  Arena arena;
  constexpr Index n = 7;
  const auto before = numbers<float>(arena, n * n, 1);
  auto matrix = numbers<float>(arena, n * n, 1);
  subtract_transpose(matrix.data(), n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      CHECK(matrix[i * n + j] == before[i * n + j] - before[j * n + i]);
    }
  }
}

TEST_CASE("reductions take every term once") {
  for (Index count = 0; count <= 70; ++count) {
    CAPTURE(count);
    std::vector<int> taken(static_cast<std::size_t>(count), 0);
    const auto term = [&](Index j) noexcept {
      ++taken[static_cast<std::size_t>(j)];
      return static_cast<double>(j * j);
    };
    const auto n = static_cast<double>(count);
    CHECK(sum_of<double>(count, term) == (n - 1) * n * (2 * n - 1) / 6);
    CHECK(taken == std::vector<int>(taken.size(), 1));
    // Wherever the largest is.
    for (Index largest = 0; largest < count; ++largest) {
      CHECK(largest_of(count, -1.0, [&](Index j) noexcept { return j == largest ? 5.0 : 2.0; }) ==
            5);
    }
    CHECK(largest_of(count, 9.0, [](Index) noexcept { return 5.0; }) == 9);
  }
}

TEST_CASE("a reduction to the largest passes over NaN, and keeps what came before") {
  for (Index largest = 0; largest < 70; ++largest) {
    for (Index nan = 0; nan < 70; ++nan) {
      if (nan == largest) continue;
      const auto term = [&](Index j) noexcept {
        return j == largest ? 5.0 : j == nan ? std::numeric_limits<double>::quiet_NaN() : 2.0;
      };
      if (largest_of(Index{70}, -1.0, term) == 5) continue;
      CAPTURE(largest);
      FAIL_CHECK(nan);
    }
  }
}

TEST_CASE_TEMPLATE("matrices are transposed whatever their sizes", Scalar, float, double) {
  Arena arena;
  std::vector<Index> sizes{0, 17, 33};
  for (Index size = 1; size <= 9; ++size) sizes.push_back(size);
  for (const Index rows : sizes) {
    for (const Index cols : sizes) {
      CAPTURE(rows);
      CAPTURE(cols);
      const Index from_stride = rows + 3, to_stride = cols + 5;
      const auto from = numbers<Scalar>(arena, cols * from_stride, 1);
      Buffer<Scalar> to(arena, rows * to_stride, Scalar(kUntouched));
      transpose(from.data(), from_stride, to.data(), to_stride, rows, cols);
      Index wrong = 0;
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < to_stride; ++j) {
          const Scalar expected = j < cols ? from[j * from_stride + i] : Scalar(kUntouched);
          wrong += to[i * to_stride + j] == expected ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE_TEMPLATE("lanes are read and written backwards", Scalar, float, double, long double) {
  check_reversed<Scalar, 1>();
  check_reversed<Scalar, kLanes<Scalar>>();
}

}  // namespace unit_kernels
