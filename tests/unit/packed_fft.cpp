// Rows to spectra, and derivatives of spectra to gradient rows (detail/spectra/packed_fft.hpp).
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/spectra/packed_fft.hpp>
#include <decorr/detail/statistics/gradient_sink.hpp>
#include <decorr/detail/statistics/prepared_rows.hpp>
#include <vector>

#include "support/random_matrices.hpp"
#include "support/rows.hpp"
#include "unit/transforms.hpp"

namespace unit_packed_fft {

namespace {

using namespace decorr::detail;
using decorr_tests::input_rows;
using decorr_tests::output_rows;
using decorr_tests::random_matrix;
using Complex = std::complex<double>;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Kind = SignalPairing::Kind;

// Sums of a few hundred numbers of the size of one.
constexpr double kTolerance = 1e-11;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

struct Case {
  Kind kind;
  SecondRow second_row;
  Index features, block_size;
  bool permutes = false, has_signs = false, standardizes = false;
  SpectrumPlace place = SpectrumPlace::gradient_rows;
  int threads = 1;
};

// One view that is prepared with signs, standardization, both or neither.
struct View {
  View(Arena& arena, const Case& c, std::uint64_t seed)
      : mean(random_matrix<Matrix>(1, c.features, seed)), signs(at(c.features), 1) {
    for (std::size_t j = 0; j < signs.size(); ++j) {
      if ((j + seed) % 3 == 0) signs[j] = -1;
    }
    Standardization<double> standardization;
    if (c.standardizes) {
      ViewStatistics<double> statistics{Buffer<double>(arena, c.features),
                                        Buffer<double>(arena, c.features, 0.4),
                                        Buffer<double>(arena, c.features, 0.5)};
      std::copy_n(mean.data(), c.features, statistics.mean.data());
      standardization = Standardization<double>(arena, statistics, true);
    } else {
      mean.setZero();
    }
    factor = c.standardizes ? 2 : 1;
    if (!c.has_signs) signs.assign(at(c.features), 1);
    preparation = Preparation<double>(arena, c.features, standardization,
                                      c.has_signs ? signs.data() : nullptr);
  }
  double prepared(const Matrix& x, Index k, Index j) const {
    return (x(k, j) - mean(j)) * factor * signs[at(j)];
  }

  Matrix mean;
  double factor;
  std::vector<std::int8_t> signs;
  Preparation<double> preparation;
};

// The signal of a row, or of two, before its blocks are cut: first' + i second', permuted.
std::vector<Complex> arranged(const std::vector<double>& first, const std::vector<double>& second,
                              const std::vector<Index>& permutation, bool is_reversed) {
  const std::size_t d = first.size();
  std::vector<Complex> signal(d);
  for (std::size_t j = 0; j < d; ++j) {
    const std::size_t mirrored = is_reversed ? (d - j) % d : j;
    const auto source = [&](std::size_t i) { return permutation.empty() ? i : at(permutation[i]); };
    signal[j] = {first[source(j)], second[source(mirrored)]};
  }
  return signal;
}

// The spectra of its blocks, each padded to `length`.
std::vector<Complex> naive_spectrum(const std::vector<Complex>& signal, const BlockLayout& layout,
                                    bool is_reversed) {
  std::vector<Complex> result;
  for (Index g = 0; g < layout.num_blocks; ++g) {
    std::vector<Complex> block(at(layout.fft_length));
    for (Index j = 0; j < layout.block_size && g * layout.block_size + j < layout.features; ++j) {
      const Complex x = signal[at(g * layout.block_size + j)];
      const bool moves = is_reversed && j > 0;
      block[at(j)] += x.real();
      block[at(moves ? layout.fft_length - layout.block_size + j : j)] += Complex(0, x.imag());
    }
    const auto spectrum = unit_transforms::dft(block, -1);
    result.insert(result.end(), spectrum.begin(), spectrum.end());
  }
  return result;
}

template <class Input, class Gradient>
void check(const Case& c, Index rows, bool has_a, bool has_b) {
  CAPTURE(static_cast<int>(c.kind));
  CAPTURE(static_cast<int>(c.second_row));
  CAPTURE(static_cast<int>(c.place));
  CAPTURE(c.features);
  CAPTURE(c.block_size);
  CAPTURE(c.permutes);
  CAPTURE(c.has_signs);
  CAPTURE(c.standardizes);
  CAPTURE(rows);
  const bool is_reversed = c.second_row == SecondRow::reversed;
  const Index d = c.features;
  Arena arena;
  const View view_a(arena, c, 1), view_b(arena, c, 2);
  Matrix a = random_matrix<Matrix>(rows, d, 3), b = random_matrix<Matrix>(rows, d, 4);
  b.row(rows / 2) *= 1000;  // so that rows of a signal differ in size
  const Input input_a = a, input_b = b;
  Gradient gradient_a = Gradient::Constant(rows, d, -1), gradient_b = gradient_a;
  BatchRows<double> batch{input_rows(input_a), input_rows(input_b), {}, {}};
  if (has_a) batch.gradient_a = output_rows(gradient_a);
  const SignalPairing pairing(c.kind);
  const bool of_views = !pairing.pairs_samples(), writes_b = has_b && of_views;
  if (writes_b) batch.gradient_b = output_rows(gradient_b);
  const auto permutation =
      c.permutes ? unit_transforms::random_permutation(d, 5) : std::vector<Index>();
  const BlockLayout layout(d, c.block_size, Padding::allowed);
  const PackedFftSetup<double> setup{
      pairing,
      c.second_row,
      layout,
      permutation,
      &view_a.preparation,
      pairing.pairs_samples() ? &view_a.preparation : &view_b.preparation,
      rows,
      row_access(batch),
      c.place,
      {c.threads, decorr::Planning::estimate}};
  PackedFft<double> fft(arena, setup);
  CHECK(fft.workers() == worker_count(c.threads, rows, kTileRows));

  // What the tests find in each signal, by its number.
  const Index signals = pairing.num_signals(rows);
  std::vector<int> handled(at(signals), 0);
  std::vector<double> errors(at(signals), 0);
  const auto index_of = [&](const auto& group, Index signal) {
    const Index row = fft.first_row(group, signal);
    return at(pairing.pairs_samples() ? row / 2 : row);
  };
  const auto nothing = [](int) noexcept {};
  const auto forward = [&](const auto& body) {
    fft.forward(batch, 0, rows, 2 * kTileRows, nullptr, nothing, body, nothing);
  };
  forward([&](const auto& group) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      const std::size_t index = index_of(group, signal);
      ++handled[index];
      const Index row = fft.first_row(group, signal);
      const RowScale<double> scale = fft.row_scale_of(group, signal);
      std::vector<double> first(at(d)), second(at(d), 0.0);
      for (Index j = 0; j < d; ++j) {
        if (of_views) {
          first[at(j)] = view_b.prepared(b, row, j) * scale.first;
          second[at(j)] = view_a.prepared(a, row, j) * scale.second;
        } else {
          first[at(j)] = view_a.prepared(a, row, j);
          if (row + 1 < rows) second[at(j)] = view_a.prepared(a, row + 1, j);
        }
      }
      const auto expected =
          naive_spectrum(arranged(first, second, permutation, is_reversed), layout, is_reversed);
      double largest = 0;
      for (const Complex& z : expected) largest = std::max(largest, std::abs(z));
      for (Index f = 0; f < layout.signal_size(); ++f) {
        const double error = std::abs(fft.spectrum(group, signal)[f] - expected[at(f)]) / largest;
        if (!(error <= errors[index])) errors[index] = error;
      }
      fft.save(batch, group, signal, 0, layout.signal_size() / 3);
      fft.save(batch, group, signal, layout.signal_size() / 3, layout.signal_size());
    }
  });
  const std::vector<int> once(at(signals), 1);
  CHECK(handled == once);
  CHECK(*std::max_element(errors.begin(), errors.end()) < kTolerance);
  if (!has_a && !writes_b) return;

  // A filter of one gives the other view's rows times the length, or the view's own; the sinks add
  // the raw rows to them.
  handled.assign(at(signals), 0);
  SlopeSums<double> slopes_a(arena, d, view_a.preparation, fft.workers()),
      slopes_b(arena, d, view_b.preparation, fft.workers());
  ViewEpilogue<double> epilogue(arena, d, {}, OtherTerm::difference);
  for (Index j = 0; j < d; ++j) {
    epilogue.regularizer[j] = 1;
    epilogue.own[j] = static_cast<double>(j);
    epilogue.other[j] = 3;
  }
  const GradientSinks<double> slopes{{&slopes_a, nullptr}, {&slopes_b, nullptr}};
  const GradientSinks<double> epilogues{{nullptr, &epilogue}, {nullptr, &epilogue}};
  const auto backward = [&](const GradientSinks<double>& sinks, bool adds) {
    fft.backward(batch, 0, rows, 2 * kTileRows, sinks, [&](const auto& group) noexcept {
      fft.transform_what_was_not_saved(group);
      for (Index signal = group.begin; signal < group.end; ++signal) {
        handled[index_of(group, signal)] += adds ? 1 : 0;
        const Index size = layout.signal_size();
        for_each_chunk(size, size / 2 + 1, [&](Index begin, Index end) noexcept {
          fft.load(batch, group, signal, begin, end,
                   [&](Index f, Index count, const double* z) noexcept {
                     std::copy_n(z, 2 * count,
                                 reinterpret_cast<double*>(fft.derivative(group, signal) + f));
                   });
        });
      }
    });
  };
  backward(slopes, true);
  CHECK(handled == once);
  const auto length = static_cast<double>(layout.fft_length);
  const auto expected_a = [&](Index k, Index j) {
    return length * (of_views ? view_b.prepared(b, k, j) : view_a.prepared(a, k, j));
  };
  const auto expected_b = [&](Index k, Index j) { return length * view_a.prepared(a, k, j); };
  // Each row on its own scale.
  const auto check_gradient = [&](const Gradient& gradient, bool is_written, const auto& expected) {
    double error = 0;
    for (Index k = 0; k < rows; ++k) {
      double largest = 0, difference = 0;
      for (Index j = 0; j < d; ++j) {
        const double wanted = is_written ? expected(k, j) : -1;
        largest = std::max(largest, std::abs(wanted));
        const double own = std::abs(gradient(k, j) - wanted);
        if (!(own <= difference)) difference = own;
      }
      if (!(difference <= error * largest)) error = difference / largest;
    }
    CHECK(error < kTolerance);
  };
  check_gradient(gradient_a, has_a, expected_a);
  check_gradient(gradient_b, writes_b, expected_b);
  const auto check_slopes = [&](const SlopeSums<double>& sums, const View& view, const Matrix& x,
                                bool is_written, const auto& expected) {
    double error = 0, largest = 0;
    for (Index j = 0; j < d; ++j) {
      double sum = 0;
      for (Index k = 0; k < rows && is_written; ++k) sum += expected(k, j) * view.prepared(x, k, j);
      largest = std::max(largest, std::abs(sum));
      error = std::max(error, std::abs(sums.totals()[j] - sum));
    }
    CHECK(error <= kTolerance * largest);
  };
  check_slopes(slopes_a, view_a, a, has_a, expected_a);
  check_slopes(slopes_b, view_b, b, writes_b, expected_b);

  // Spectra that waited in the gradient rows are gone.
  const auto access = row_access(batch);
  if (possible_place(c.place, layout, pairing, access) == SpectrumPlace::gradient_rows) {
    forward([&](const auto& group) noexcept {
      for (Index signal = group.begin; signal < group.end; ++signal) {
        fft.save(batch, group, signal, 0, layout.signal_size());
      }
    });
  }
  backward(epilogues, false);
  check_gradient(gradient_a, has_a, [&](Index k, Index j) {
    return expected_a(k, j) + static_cast<double>(j) * a(k, j) + 3 * (a(k, j) - b(k, j));
  });
  check_gradient(gradient_b, writes_b, [&](Index k, Index j) {
    return expected_b(k, j) + static_cast<double>(j) * b(k, j) + 3 * (b(k, j) - a(k, j));
  });
}

// One block: two views of which one is reversed, or two samples as they are.
Case one_block(Kind kind, Index features) {
  return {kind, kind == Kind::views ? SecondRow::reversed : SecondRow::as_is, features, 0};
}

}  // namespace

TEST_CASE("one block: spectra are those of the definition, and come back as gradient rows") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const Index features : {1, 2, 9, 12, 29}) {
      for (const Index rows : {1, 2, 15, 16, 17, 37}) {
        check<Matrix, Matrix>(one_block(kind, features), rows, true, true);
      }
    }
  }
}

TEST_CASE("blocks: spectra are those of the definition, and come back as gradient rows") {
  struct Shape {
    Index features, block_size;
  };
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const Shape& shape : {Shape{12, 4}, {11, 4}, {9, 1}, {60, 29}}) {
      for (const Index rows : {1, 3, 37}) {
        check<Matrix, Matrix>({kind, SecondRow::as_is, shape.features, shape.block_size}, rows,
                              true, true);
      }
    }
  }
}

TEST_CASE("permutation, signs, standardization, places and threads") {
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (Case c : {one_block(kind, 12), one_block(kind, 29), Case{kind, SecondRow::as_is, 11, 4}}) {
      for (int bits = 0; bits < 8; ++bits) {
        c.permutes = (bits & 1) != 0;
        c.has_signs = (bits & 2) != 0;
        c.standardizes = (bits & 4) != 0;
        c.threads = bits == 7 ? 3 : 1;
        check<Matrix, Matrix>(c, 35, true, true);
      }
      for (const SpectrumPlace place : {SpectrumPlace::buffer, SpectrumPlace::nowhere}) {
        c.place = place;
        for (const int threads : {1, 3}) {
          c.threads = threads;
          check<Matrix, Matrix>(c, 35, true, true);
        }
      }
    }
  }
}

TEST_CASE("columns, and gradients that are not asked for") {
  using Columns = Eigen::MatrixXd;
  for (const Kind kind : {Kind::views, Kind::samples}) {
    for (const Case& c : {one_block(kind, 12), Case{kind, SecondRow::as_is, 11, 4}}) {
      check<Columns, Columns>(c, 21, true, true);
      check<Matrix, Columns>(c, 21, true, false);
      check<Columns, Matrix>(c, 21, true, false);
      check<Matrix, Matrix>(c, 21, false, false);
      if (kind == Kind::views) check<Columns, Columns>(c, 21, false, true);
      if (kind == Kind::views) check<Matrix, Matrix>(c, 21, false, true);
    }
  }
}

}  // namespace unit_packed_fft
