// Every way to hold a matrix gives the result of a plain row-major one, bit for bit: the strides
// decide where numbers are read and written, not what is done with them.
#include <doctest/doctest.h>

#include <complex>
#include <cstdint>
#include <cstring>
#include <decorr/decorr.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/loss_cases.hpp"
#include "support/random_matrices.hpp"

namespace test_storage {

namespace {

using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::random_matrix;
using Eigen::Dynamic;
using Eigen::Index;

template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic, Eigen::RowMajor>;
template <class Scalar>
using ColMajor = Eigen::Matrix<Scalar, Dynamic, Dynamic>;
using AnyStride = Eigen::Stride<Dynamic, Dynamic>;
template <class Scalar>
using Strided = Eigen::Map<RowMajor<Scalar>, Eigen::Unaligned, AnyStride>;

// More than one tile of rows, the last one short; a last block of two features.
constexpr Index kRows = 21, kCols = 8, kBlock = 3;

// What a plain row-major call gives.
template <class Scalar>
struct Results {
  Scalar value = 0;
  RowMajor<Scalar> grad_a, grad_b;
};

template <class Scalar>
Results<Scalar> plain_results(const LossCase& loss_case, const RowMajor<Scalar>& a,
                              const RowMajor<Scalar>& b) {
  Results<Scalar> results;
  results.grad_a = results.grad_b = RowMajor<Scalar>::Zero(a.rows(), a.cols());
  results.value = loss_case(a, b, results.grad_a, results.grad_b);
  return results;
}

// Gradient as it is stored in `Gradient`.
template <class Gradient, class Scalar>
bool same(const Eigen::MatrixBase<Gradient>& actual, const RowMajor<Scalar>& expected) {
  const auto stored = expected.template cast<typename Gradient::Scalar>().eval();
  for (Index k = 0; k < expected.rows(); ++k) {
    for (Index j = 0; j < expected.cols(); ++j) {
      if (!(actual.derived().coeff(k, j) == stored(k, j))) return false;
    }
  }
  return true;
}

// All functions with the given operands, against the plain results for `a` and `b`. The gradients
// come in as zeros.
template <class Scalar, class A, class B, class GradientA, class GradientB>
void check_storage(const std::string& name, const RowMajor<Scalar>& a, const RowMajor<Scalar>& b,
                   const A& stored_a, const B& stored_b, GradientA&& grad_a, GradientB&& grad_b) {
  CAPTURE(name);
  for (const LossCase& loss_case : loss_cases(a.cols(), std::min(kBlock, a.cols()))) {
    CAPTURE(loss_case.name);
    const bool needs_variance = loss_case.family != decorr_tests::Family::regularizer;
    if (needs_variance && a.rows() < 2) continue;
    const Results<Scalar> expected = plain_results(loss_case, a, b);
    grad_a.setZero();
    grad_b.setZero();
    CHECK(loss_case(stored_a, stored_b) == expected.value);
    CHECK(loss_case(stored_a, stored_b, grad_a, grad_b) == expected.value);
    CHECK(same(grad_a, expected.grad_a));
    CHECK(same(grad_b, expected.grad_b));
  }
  CHECK(decorr::sumvec(stored_a, stored_b, decorr_tests::quick()) ==
        decorr::sumvec(a, b, decorr_tests::quick()));
}

// A matrix inside a larger memory, whose other elements must never change.
template <class Scalar>
class Canvas {
 public:
  Canvas(Index rows, Index cols, Index row_stride, Index col_stride)
      : memory_(static_cast<std::size_t>(2 * kMargin + (rows - 1) * row_stride +
                                         (cols - 1) * col_stride + 1),
                Scalar(kSentinel)),
        rows_(rows),
        cols_(cols),
        stride_(row_stride, col_stride) {}

  Strided<Scalar> view() { return {memory_.data() + kMargin, rows_, cols_, stride_}; }

  // Whether the elements around the matrix are as they were.
  bool is_intact() {
    view().setConstant(Scalar(kSentinel));
    for (const Scalar& element : memory_) {
      if (!(element == Scalar(kSentinel))) return false;
    }
    return true;
  }

 private:
  static constexpr Index kMargin = 40;
  static constexpr float kSentinel = -1234;

  std::vector<Scalar> memory_;
  Index rows_, cols_;
  AnyStride stride_;
};

}  // namespace

TEST_CASE_TEMPLATE("row-major and column-major, alone and mixed", Scalar, float, double,
                   long double) {
  const auto a = random_matrix<RowMajor<Scalar>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<Scalar>>(kRows, kCols, 2);
  const ColMajor<Scalar> column_a = a, column_b = b;
  RowMajor<Scalar> row_grad_a(kRows, kCols);
  ColMajor<Scalar> column_grad_a(kRows, kCols), column_grad_b(kRows, kCols);
  check_storage("column-major", a, b, column_a, column_b, column_grad_a, column_grad_b);
  check_storage("mixed", a, b, column_a, b, row_grad_a, column_grad_b);
  check_storage("a gradient alone", a, b, a, b, row_grad_a, column_grad_b);
}

TEST_CASE("matrices of fixed and of bounded size") {
  const auto a = random_matrix<RowMajor<double>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<double>>(kRows, kCols, 2);
  const Eigen::Matrix<double, kRows, kCols> fixed_a = a;
  const Eigen::Matrix<double, Dynamic, kCols, Eigen::RowMajor> fixed_b = b;
  Eigen::Matrix<double, kRows, Dynamic> grad_a(kRows, kCols);
  Eigen::Matrix<double, Dynamic, Dynamic, Eigen::RowMajor, 32, 16> grad_b(kRows, kCols);
  check_storage("fixed size", a, b, fixed_a, fixed_b, grad_a, grad_b);
}

TEST_CASE_TEMPLATE("Maps with any strides, and the memory around them stays as it was", Scalar,
                   float, double) {
  const auto a = random_matrix<RowMajor<Scalar>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<Scalar>>(kRows, kCols, 2);
  struct Strides {
    const char* name;
    Index row, col;
  };
  const Strides all[] = {{"row-major", kCols, 1},
                         {"padded rows", kCols + 5, 1},
                         {"padded columns", 1, kRows + 5},
                         {"every third element", 3 * kCols, 3},
                         {"both strided, columns apart", 2, 2 * kRows + 7}};
  const std::size_t count = std::size(all);
  for (std::size_t i = 0; i < count; ++i) {
    const auto canvas = [](const Strides& strides) {
      return Canvas<Scalar>(kRows, kCols, strides.row, strides.col);
    };
    // Each layout in each place, in combinations that differ from place to place.
    auto canvas_a = canvas(all[i]), canvas_b = canvas(all[(i + 1) % count]);
    auto canvas_grad_a = canvas(all[(i + 2) % count]), canvas_grad_b = canvas(all[(i + 4) % count]);
    canvas_a.view() = a;
    canvas_b.view() = b;
    auto grad_a = canvas_grad_a.view(), grad_b = canvas_grad_b.view();
    check_storage(all[i].name, a, b, canvas_a.view(), canvas_b.view(), grad_a, grad_b);
    CHECK(canvas_a.view() == a);
    CHECK(canvas_b.view() == b);
    CHECK(canvas_a.is_intact());
    CHECK(canvas_b.is_intact());
    CHECK(canvas_grad_a.is_intact());
    CHECK(canvas_grad_b.is_intact());
  }
}

TEST_CASE("inputs by columns, gradients with gaps along rows and columns") {
  using Matrix = ColMajor<double>;
  const Matrix a = random_matrix<Matrix>(7, 5, 1), b = random_matrix<Matrix>(7, 5, 2);
  const auto check = [&](const auto& loss) {
    Matrix grad_a(7, 5), grad_b(7, 5);
    loss(grad_a, grad_b);
    std::vector<double> memory_a(5 * 17), memory_b(5 * 17);
    Eigen::Map<Matrix, Eigen::Unaligned, AnyStride> own_a(memory_a.data(), 7, 5, {17, 2}),
        own_b(memory_b.data(), 7, 5, {17, 2});
    loss(own_a, own_b);
    CHECK(own_a.isApprox(grad_a, 1e-12));
    CHECK(own_b.isApprox(grad_b, 1e-12));
  };
  check([&](auto& to_a, auto& to_b) { decorr::barlow_twins_loss(a, b, to_a, to_b); });
  check([&](auto& to_a, auto& to_b) { decorr::vicreg_loss(a, b, to_a, to_b); });
}

TEST_CASE("blocks, transposes, Refs and unaligned Maps") {
  const auto a = random_matrix<RowMajor<double>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<double>>(kRows, kCols, 2);
  ColMajor<double> sheet = ColMajor<double>::Constant(kRows + 3, 3 * kCols, 9);
  RowMajor<double> row_sheet = RowMajor<double>::Constant(kRows + 3, 3 * kCols, 9);
  sheet.block(1, 3, kRows, kCols) = a;
  row_sheet.block(2, 5, kRows, kCols) = b;
  ColMajor<double> out = ColMajor<double>::Constant(kRows + 3, 3 * kCols, 9);
  RowMajor<double> row_out = RowMajor<double>::Constant(kRows + 3, 3 * kCols, 9);
  check_storage("blocks", a, b, sheet.block(1, 3, kRows, kCols),
                row_sheet.block(2, 5, kRows, kCols), out.block(2, 1, kRows, kCols),
                row_out.block(3, 4, kRows, kCols));
  out.block(2, 1, kRows, kCols).setConstant(9);
  row_out.block(3, 4, kRows, kCols).setConstant(9);
  CHECK((out.array() == 9).all());
  CHECK((row_out.array() == 9).all());

  const ColMajor<double> transposed_a = a.transpose();
  const RowMajor<double> transposed_b = b.transpose();
  ColMajor<double> transposed_grad_a(kCols, kRows);
  RowMajor<double> transposed_grad_b(kCols, kRows);
  check_storage("transposes", a, b, transposed_a.transpose(), transposed_b.transpose(),
                transposed_grad_a.transpose(), transposed_grad_b.transpose());

  ColMajor<double> grad_a(kRows, kCols);
  RowMajor<double> grad_b(kRows, kCols);
  Eigen::Ref<ColMajor<double>> ref_grad_a = grad_a;
  Eigen::Ref<RowMajor<double>, 0, AnyStride> ref_grad_b = grad_b;
  check_storage("Refs", a, b, Eigen::Ref<const RowMajor<double>>(a),
                Eigen::Ref<const RowMajor<double>, 0, AnyStride>(b), ref_grad_a, ref_grad_b);

  std::vector<double> memory(kRows * kCols + 1), gradient_memory(kRows * kCols + 1);
  Eigen::Map<RowMajor<double>>(memory.data() + 1, kRows, kCols) = a;
  Eigen::Map<RowMajor<double>> unaligned(gradient_memory.data() + 1, kRows, kCols);
  check_storage("unaligned Maps", a, b,
                Eigen::Map<const RowMajor<double>>(memory.data() + 1, kRows, kCols), b, unaligned,
                grad_b);
}

TEST_CASE("expressions are evaluated") {
  const auto a = random_matrix<RowMajor<double>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<double>>(kRows, kCols, 2);
  RowMajor<double> grad_a(kRows, kCols), grad_b(kRows, kCols);
  check_storage("scaled and summed", RowMajor<double>(a * 2), RowMajor<double>(a + b), a * 2, a + b,
                grad_a, grad_b);
  check_storage("cast", a, RowMajor<double>(b.cast<float>().cast<double>()),
                a.cast<long double>().cast<double>(), b.cast<float>().cast<double>(), grad_a,
                grad_b);
  const RowMajor<double> square = random_matrix<RowMajor<double>>(kCols, kCols, 3);
  check_storage("products", RowMajor<double>(a * square), RowMajor<double>(b * square.transpose()),
                a * square, b * square.transpose(), grad_a, grad_b);
  check_storage("coefficient-wise", RowMajor<double>(a.cwiseAbs()), RowMajor<double>(-b),
                a.cwiseAbs(), -b, grad_a, grad_b);
  check_storage("reversed and replicated", RowMajor<double>(a.rowwise().reverse()),
                RowMajor<double>(b.row(0).replicate(kRows, 1)), a.rowwise().reverse(),
                b.row(0).replicate(kRows, 1), grad_a, grad_b);
}

// Eigen gives some of them strides, depending on its version, and others none.
TEST_CASE("views by indices, reversed and reshaped ones, as inputs and as gradients") {
  using Eigen::fix;
  using Eigen::seqN;
#if EIGEN_VERSION_AT_LEAST(3, 4, 90)
  const auto all = Eigen::placeholders::all;
#else
  const auto all = Eigen::all;
#endif
  // Views of larger matrices of either storage order, whose other elements must stay as they are.
  const auto sheet = random_matrix<ColMajor<double>>(2 * kRows, 2 * kCols, 5);
  const auto row_sheet = random_matrix<RowMajor<double>>(2 * kRows, 2 * kCols, 6);
  const auto check = [&](const char* name, auto&& view_of) {
    CAPTURE(name);
    auto in = sheet, out = sheet;
    auto row_in = row_sheet, row_out = row_sheet;
    const RowMajor<double> a = view_of(in), b = view_of(row_in);
    RowMajor<double> grad_a(a.rows(), a.cols()), grad_b(b.rows(), b.cols());
    const double value = decorr::r_off(a, b, grad_a, grad_b);
    CHECK(decorr::r_off(view_of(in), view_of(row_in)) == value);
    CHECK(decorr::r_off(view_of(in), view_of(row_in), view_of(row_out), view_of(out)) == value);
    CHECK(RowMajor<double>(view_of(row_out)) == grad_a);
    CHECK(RowMajor<double>(view_of(out)) == grad_b);
    CHECK(in == sheet);
    CHECK(row_in == row_sheet);
    view_of(out) = view_of(in);
    view_of(row_out) = view_of(row_in);
    CHECK(out == sheet);
    CHECK(row_out == row_sheet);
  };
  check("every second row", [&](auto& m) { return m(seqN(1, kRows, 2), seqN(2, kCols)); });
  check("every second row, known to the compiler",
        [&](auto& m) { return m(seqN(1, kRows, fix<2>), seqN(2, kCols)); });
  check("every second column", [&](auto& m) { return m(seqN(3, kRows), seqN(0, kCols, 2)); });
  check("rows from the last on",
        [&](auto& m) { return m(seqN(kRows, kRows, -1), seqN(1, kCols)); });
  check("rows from the last on, known to the compiler",
        [&](auto& m) { return m(seqN(2 * kRows - 1, kRows, fix<-2>), seqN(1, kCols)); });
  check("all rows", [&](auto& m) { return m(all, seqN(0, kCols, 2)); });
  check("one row", [&](auto& m) { return m(seqN(3, 1, 2), seqN(0, kCols, 2)); });
  check("one column", [&](auto& m) { return m(seqN(0, kRows, 2), seqN(3, 1, 2)); });
  const std::vector<int> rows{7, 3, 30, 1, 0, 40, 41, 5, 13, 12, 11};
  const std::vector<Index> cols{3, 2, 9, 15, 0};
  check("rows by a list", [&](auto& m) { return m(rows, all); });
  check("rows and columns by lists", [&](auto& m) { return m(rows, cols); });
  check("transposed", [&](auto& m) { return m(seqN(0, kCols, 3), seqN(1, 7, 2)).transpose(); });
  check("reversed", [](auto& m) { return m.reverse(); });
  check("reversed part", [](auto& m) { return m.block(1, 2, kRows, kCols).rowwise().reverse(); });
  check("reshaped", [](auto& m) { return m.reshaped(4 * kRows, kCols); });
  check("reshaped by rows",
        [](auto& m) { return m.template reshaped<Eigen::RowMajor>(4 * kRows, kCols); });
  check("diagonal", [](auto& m) { return m.diagonal(); });

  const auto a = random_matrix<RowMajor<float>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<float>>(kRows, kCols, 2);
  RowMajor<float> out = row_sheet.cast<float>();
  RowMajor<Eigen::half> half_out(kCols, 2 * kRows);
  check_storage("every function, gradients of either type", a, b, a, b,
                out(seqN(0, kRows, 2), seqN(0, kCols, 2)),
                half_out(all, seqN(1, kRows, 2)).transpose());
}

TEST_CASE("nestByValue() and views of const matrices as inputs") {
  using Eigen::seqN;
  const auto sheet = random_matrix<ColMajor<double>>(2 * kRows, kCols, 1);
  const auto even = seqN(0, kRows, 2), odd = seqN(1, kRows, 2);
  const RowMajor<double> a = sheet(even, seqN(0, kCols)), b = sheet(odd, seqN(0, kCols));
  RowMajor<double> grad_a(kRows, kCols), grad_b(kRows, kCols);
  check_storage("by indices", a, b, sheet(even, seqN(0, kCols)), sheet(odd, seqN(0, kCols)), grad_a,
                grad_b);
  check_storage("nested", a, b, a.nestByValue(), ColMajor<double>(b).nestByValue(), grad_a, grad_b);
}

TEST_CASE("two views and their gradients interleaved in one matrix each") {
  using Eigen::seqN;
  auto both = random_matrix<ColMajor<double>>(2 * kRows, kCols, 1);
  ColMajor<double> gradients = ColMajor<double>::Zero(2 * kRows, kCols);
  const auto columns = seqN(0, kCols);
  const auto check = [&](const char* name, const auto& first, const auto& second) {
    const RowMajor<double> a = both(first, columns), b = both(second, columns);
    check_storage(name, a, b, both(first, columns), both(second, columns),
                  gradients(first, columns), gradients(second, columns));
  };
  check("in turn", seqN(0, kRows, 2), seqN(1, kRows, 2));
  check("one of them upwards", seqN(0, kRows, 2), seqN(2 * kRows - 1, kRows, -2));
  std::vector<int> first, second;
  for (int i = 0; i < 2 * kRows; ++i)
    (i * i % 5 < 2 && first.size() < kRows ? first : second).push_back(i);
  first.resize(std::min(first.size(), second.size()));
  second.resize(first.size());
  check("by lists", first, second);
}

// Refused, and nothing is written: the same for views with and without strides.
TEST_CASE("gradients in views without strides that share elements") {
  using Eigen::seqN;
  auto z = random_matrix<ColMajor<double>>(2 * kRows, kCols, 1), out = z;
  const auto a = random_matrix<RowMajor<double>>(kRows, kCols, 2);
  RowMajor<double> grad(kRows, kCols);
  std::vector<int> rows(kRows), repeated(kRows);
  for (int i = 0; i < kRows; ++i) rows[static_cast<std::size_t>(i)] = i * 11 % 40;
  repeated = rows;
  repeated[5] = repeated[17];
  const auto columns = seqN(0, kCols);
  const ColMajor<double> before_z = z, before_out = out;
  const auto check = [&](const char* message, const auto& stored_a, auto&& grad_a, auto&& grad_b) {
    CHECK_THROWS_WITH_AS(decorr::r_off(stored_a, a, grad_a, grad_b), message,
                         std::invalid_argument);
    CHECK(z == before_z);
    CHECK(out == before_out);
  };
  check("r_off: grad_a has elements that share memory, expected memory of its own for each", a,
        out(repeated, columns), grad);
  check("r_off: grad_b has strides 0 and 42 for 21 x 8 elements, of which some share memory", a,
        grad, out(std::vector<int>(kRows, 3), columns));
  const char* inputs = "r_off: grad_a overlaps a, expected memory of its own";
  check(inputs, z(rows, columns), z(rows, columns), grad);
  check(inputs, z(rows, columns), z(seqN(0, kRows, 2), columns), grad);
  check(inputs, z(seqN(1, kRows, 2), columns), z(seqN(1, kRows, 2), columns), grad);
  check(inputs, z.topRows(kRows), z.topRows(kRows).reverse(), grad);
  const char* gradients = "r_off: grad_b overlaps grad_a, expected memory of its own";
  check(gradients, a, out(rows, columns), out(seqN(0, kRows, 2), columns));
  check(gradients, a, out.topRows(kRows).reverse(), out.topRows(kRows));
  check("r_off: grad_a has 20 rows, a has 21", a, out(seqN(0, kRows - 1, 2), columns), grad);
}

TEST_CASE("real and imaginary parts of complex matrices") {
  const auto a = random_matrix<RowMajor<double>>(kRows, kCols, 1);
  const auto b = random_matrix<RowMajor<double>>(kRows, kCols, 2);
  Eigen::MatrixXcd both(kRows, kCols);
  both.real() = a;
  both.imag() = b;
  Eigen::Matrix<std::complex<double>, Dynamic, Dynamic, Eigen::RowMajor> gradients(kRows, kCols);
  check_storage("complex parts", a, b, both.real(), both.imag(), gradients.real(),
                gradients.imag());
  const Eigen::MatrixXcd& constant = both;
  check_storage("parts of a const matrix", a, b, constant.real(), constant.imag(), gradients.imag(),
                gradients.real());
  Eigen::MatrixXcd larger = Eigen::MatrixXcd::Zero(kRows + 3, kCols + 2);
  auto block = larger.block(1, 2, kRows, kCols);
  block = both;
  Eigen::MatrixXcd larger_gradients(kRows + 3, kCols + 2);
  auto gradient_block = larger_gradients.block(2, 1, kRows, kCols);
  check_storage("parts of a block", a, b, block.real(), block.imag(), gradient_block.real(),
                gradient_block.imag());
}

TEST_CASE("vectors are matrices of one row or of one column") {
  const auto a = random_matrix<RowMajor<double>>(kRows, 1, 1);
  const auto b = random_matrix<RowMajor<double>>(kRows, 1, 2);
  Eigen::VectorXd grad_a(kRows), grad_b(kRows);
  check_storage("columns", a, b, Eigen::VectorXd(a), Eigen::VectorXd(b), grad_a, grad_b);

  const auto row_a = random_matrix<RowMajor<double>>(1, kCols, 1);
  const auto row_b = random_matrix<RowMajor<double>>(1, kCols, 2);
  Eigen::RowVectorXd row_grad_a(kCols), row_grad_b(kCols);
  check_storage("rows", row_a, row_b, Eigen::RowVectorXd(row_a), Eigen::RowVectorXd(row_b),
                row_grad_a, row_grad_b);

  const auto matrix = random_matrix<ColMajor<double>>(kRows, kCols, 3);
  check_storage("a row and a segment of a column-major matrix", RowMajor<double>(matrix.row(4)),
                RowMajor<double>(matrix.col(2).segment(3, kCols).transpose()), matrix.row(4),
                matrix.col(2).segment(3, kCols).transpose(), row_grad_a, row_grad_b);
}

TEST_CASE("spectra beyond what the workspace holds are transformed once more") {
  // Each signal takes 64 KiB of 32 MiB.
  constexpr Index rows = 1040, cols = 4096, period = 64;
  const RowMajor<double> a = random_matrix<RowMajor<double>>(rows, period, 1).replicate(1, 64);
  const RowMajor<double> b = random_matrix<RowMajor<double>>(rows, period, 2).replicate(1, 64);
  const ColMajor<double> column_a = a, column_b = b;
  const decorr::Execution execution = decorr_tests::quick();
  const auto check = [&](const auto& loss) {
    RowMajor<double> grad_a(rows, cols), grad_b(rows, cols);
    ColMajor<double> column_grad_a(rows, cols), column_grad_b(rows, cols);
    const double value = loss(a, b, grad_a, grad_b);
    CHECK(loss(column_a, column_b, column_grad_a, column_grad_b) == value);
    CHECK(column_grad_a == grad_a);
    CHECK(column_grad_b == grad_b);
  };
  decorr::Relaxed relaxed;
  for (const Index block_size : {Index{0}, Index{1024}}) {
    relaxed.block_size = block_size;
    check([&](auto&... arguments) {
      return decorr::barlow_twins_loss(arguments..., {}, relaxed, execution).value;
    });
    check([&](auto&... arguments) {
      return decorr::vicreg_loss(arguments..., {}, relaxed, execution).value;
    });
  }
}

TEST_CASE_TEMPLATE("16-bit inputs are computed in float", Storage, Eigen::half, Eigen::bfloat16) {
  const RowMajor<Storage> a = random_matrix<RowMajor<float>>(kRows, kCols, 1).cast<Storage>();
  const RowMajor<Storage> b = random_matrix<RowMajor<float>>(kRows, kCols, 2).cast<Storage>();
  const RowMajor<float> float_a = a.template cast<float>(), float_b = b.template cast<float>();
  RowMajor<float> grad_a(kRows, kCols);
  RowMajor<Storage> short_grad_a(kRows, kCols);
  ColMajor<Storage> short_grad_b(kRows, kCols);
  check_storage("16-bit gradients", float_a, float_b, a, b, short_grad_a, short_grad_b);
  check_storage("beside float, gradients of either kind", float_a, float_b, ColMajor<Storage>(a),
                float_b, grad_a, short_grad_b);

  Canvas<Storage> canvas(kRows, kCols, 2 * kCols + 3, 2);
  auto strided = canvas.view();
  check_storage("strided 16-bit gradient", float_a, float_b, a, b, grad_a, strided);
  CHECK(canvas.is_intact());
}

TEST_CASE("a diagonal of raw numbers has the same bits however many rows are loaded together") {
  // Features beyond what a group of signals has room for.
  const Index n = 64, d = 600;
  decorr::BarlowTwinsOptions options;
  options.standardize = false;
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto a = random_matrix<RowMajor<double>>(n, d, seed),
               b = random_matrix<RowMajor<double>>(n, d, seed + 10);
    RowMajor<double> row_a(n, d), row_b(n, d);
    ColMajor<double> col_a(n, d), col_b(n, d);
    const decorr::Relaxed relaxed;
    const auto alone = decorr::barlow_twins_loss(a, b, options, relaxed, execution);
    const auto rows = decorr::barlow_twins_loss(a, b, row_a, row_b, options, relaxed, execution);
    const auto cols = decorr::barlow_twins_loss(a, b, col_a, col_b, options, relaxed, execution);
    CHECK(rows.diagonal == alone.diagonal);
    CHECK(cols.diagonal == alone.diagonal);
    CHECK(cols.off_diagonal == alone.off_diagonal);
  }
}

TEST_CASE("half beside bfloat16") {
  const RowMajor<Eigen::half> a =
      random_matrix<RowMajor<float>>(kRows, kCols, 1).cast<Eigen::half>();
  const ColMajor<Eigen::bfloat16> b =
      random_matrix<ColMajor<float>>(kRows, kCols, 2).cast<Eigen::bfloat16>();
  RowMajor<Eigen::bfloat16> grad_a(kRows, kCols);
  RowMajor<Eigen::half> grad_b(kRows, kCols);
  check_storage("half and bfloat16", RowMajor<float>(a.cast<float>()),
                RowMajor<float>(b.cast<float>()), a, b, grad_a, grad_b);
}

}  // namespace test_storage
