// Spectra of rows in blocks, taken apart, and where they wait (detail/spectra: spectrum_rows.hpp).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <decorr/detail/kernels/simd.hpp>
#include <decorr/detail/rows/row_views.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/spectra/block_layout.hpp>
#include <decorr/detail/spectra/row_scale.hpp>
#include <decorr/detail/spectra/signal_pairing.hpp>
#include <decorr/detail/spectra/spectrum_rows.hpp>
#include <decorr/detail/spectra/spectrum_store.hpp>
#include <limits>
#include <set>
#include <vector>

#include "unit/transforms.hpp"

namespace unit_spectrum_rows {

namespace {

using namespace decorr::detail;
using unit_transforms::dft;
using unit_transforms::random_row;
using Complex = std::complex<double>;
using Signal = std::vector<Complex>;
using Kind = SignalPairing::Kind;

constexpr double kTolerance = 1e-11;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Two rows of real numbers in blocks.
struct TwoRows {
  TwoRows(Index num_blocks, Index block_size, Index seed)
      : u(random_row(num_blocks * block_size, seed)),
        v(random_row(num_blocks * block_size, seed + 1)),
        blocks(num_blocks),
        length(block_size) {}

  Signal block(const std::vector<double>& row, Index g) const {
    const auto begin = row.begin() + g * length;
    return {begin, begin + length};
  }
  // The spectra of u + i v, block by block.
  template <class Scalar>
  std::vector<std::complex<Scalar>> packed() const {
    std::vector<std::complex<Scalar>> z;
    for (Index g = 0; g < blocks; ++g) {
      Signal signal = block(u, g);
      const Signal other = block(v, g);
      for (std::size_t j = 0; j < signal.size(); ++j) signal[j] += Complex(0, 1) * other[j];
      for (const Complex& number : dft(signal, -1)) z.emplace_back(number);
    }
    return z;
  }

  std::vector<double> u, v;
  Index blocks, length;
};

// Frequency f of block g in a row of spectra.
template <class Scalar>
Complex number_at(const SpectrumLayout<Scalar>& layout, const Scalar* row, Index k, Index g,
                  Index f) {
  const bool is_last = layout.has_last && f == layout.length / 2;
  const Index slot = is_last ? 0 : f, chunk = slot / layout.lanes, lane = slot % layout.lanes;
  const Scalar* element = row + layout.offset(k, chunk) + g * layout.element();
  if (is_last) return element[layout.lanes];
  const bool is_real = f == 0 && layout.has_last;
  return {element[lane], is_real ? 0 : double(element[layout.lanes + lane])};
}

RowAccess with_gradients(bool a, bool b) {
  RowAccess access;
  access.gradient_a = a;
  access.gradient_b = b;
  return access;
}

}  // namespace

TEST_CASE("each chunk of a row of spectra has a place of its own, in every row") {
  for (const Index length : {1, 2, 3, 6, 8, 31, 32, 64, 100, 512}) {
    for (const Index blocks : {2, 3, 7}) {
      const BlockLayout of_row(blocks * length, length, Padding::none);
      const SpectrumLayout<float> layout(of_row);
      CHECK(layout.slots == (length % 2 == 0 ? length / 2 : (length + 1) / 2));
      CHECK(layout.chunks * layout.lanes >= layout.slots);
      CHECK((layout.row_size() == of_row.features) ==
            (length % 2 == 0 && layout.has_full_vectors()));
      Index lanes = 0;
      for (Index c = 0; c < layout.chunks; ++c) lanes += layout.lanes_of(c);
      CHECK(lanes == layout.slots);
      for (Index row = 0; row < 4 * layout.chunks + 5; ++row) {
        std::set<Index> places;
        for (Index c = 0; c < layout.chunks; ++c) {
          places.insert(layout.offset(row, c));
          CHECK(layout.offset(row, c) + layout.chunk_size() <= layout.row_size());
          CHECK(layout.offset(row, c) % layout.chunk_size() == 0);
        }
        CHECK(places.size() == at(layout.chunks));
      }
    }
  }
}

TEST_CASE_TEMPLATE("two rows' spectra come apart, with their lags, and go together again", Scalar,
                   float, double) {
  const double tolerance = 64 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  for (const Index length : {1, 2, 3, 4, 8, 31, 32, 64, 100, 128}) {
    for (const Kind kind : {Kind::views, Kind::samples}) {
      for (const Index row : {0, 5, 22}) {
        CAPTURE(length);
        CAPTURE(row);
        const Index blocks = 3;
        const TwoRows rows(blocks, length, 10 * length);
        const auto z = rows.packed<Scalar>();
        Arena arena;
        SpectrumRows<Scalar> spectra(arena, BlockLayout(blocks * length, length, Padding::none),
                                     SignalPairing(kind), with_gradients(true, true),
                                     SpectrumPlace::buffer, 30, 2);
        const SpectrumLayout<Scalar>& layout = spectra.layout();
        const bool has_lags = layout.has_full_vectors();
        std::vector<Scalar> u(at(layout.row_size())), v(u.size());
        // A factor of two on one side, its inverse on the other.
        const RowScale<Scalar> scale{2, Scalar(0.5), Scalar(0.5), 2};
        double error = 0, largest = 1;
        for (Index g = 0; g < blocks; ++g) {
          LagSums<Accumulator<Scalar>> lags;
          spectra.split(1, z.data() + g * length, scale, row, g, u.data(), v.data(),
                        has_lags ? &lags : nullptr);
          const Signal of_u = dft(rows.block(rows.u, g), -1), of_v = dft(rows.block(rows.v, g), -1);
          Complex zero = 0, middle = 0;
          for (Index f = 0; f < length; ++f) {
            const Complex x = of_u[at(f)] * 0.5, y = of_v[at(f)] * 2.0;
            const Complex product =
                kind == Kind::views ? std::conj(x) * y : Complex(std::norm(x) + std::norm(y));
            zero += product;
            middle += f % 2 == 0 ? product : -product;
            largest = std::max({largest, std::abs(x), std::abs(y)});
            if (f > length / 2) continue;
            error = std::max({error, std::abs(number_at(layout, u.data(), row, g, f) - x),
                              std::abs(number_at(layout, v.data(), row, g, f) - y)});
          }
          if (!has_lags) continue;
          const double size = largest * largest * static_cast<double>(length);
          CHECK(std::abs(lags.zero - zero.real()) <= tolerance * size);
          if (length % 2 == 0) CHECK(std::abs(lags.middle - middle.real()) <= tolerance * size);
        }
        CHECK(error <= tolerance * largest);
        // Together again, scaled back: the derivative of one has the size of the other.
        std::vector<std::complex<Scalar>> joined(z.size());
        spectra.join(1, scale, row, u.data(), v.data(), joined.data());
        const auto error_of = [&](const auto& expected) {
          double largest_gap = 0;
          for (std::size_t i = 0; i < z.size(); ++i) {
            largest_gap = std::max(largest_gap, std::abs(Complex(joined[i]) - expected(i)));
          }
          return largest_gap / largest;
        };
        CHECK(error_of([&](std::size_t i) { return Complex(z[i]); }) <= 4 * tolerance);
        // One that is not there is zero.
        spectra.join(0, scale, row, nullptr, v.data(), joined.data());
        std::vector<Complex> of_v;
        for (Index g = 0; g < blocks; ++g) {
          for (const Complex& number : dft(rows.block(rows.v, g), -1)) of_v.push_back(number);
        }
        CHECK(error_of([&](std::size_t i) { return Complex(0, 1) * of_v[i]; }) <= 4 * tolerance);
      }
    }
  }
}

TEST_CASE("a second row that is missing is not written") {
  Arena arena;
  const TwoRows rows(2, 8, 3);
  const auto z = rows.packed<double>();
  SpectrumRows<double> spectra(arena, BlockLayout(16, 8, Padding::none),
                               SignalPairing(Kind::samples), with_gradients(true, false),
                               SpectrumPlace::buffer, 1, 1);
  std::vector<double> u(at(spectra.layout().row_size()));
  LagSums<double> lags;
  spectra.split(0, z.data(), {}, 0, 0, u.data(), nullptr, &lags);
  const Complex first = dft(rows.block(rows.u, 0), -1)[0];
  CHECK(std::abs(number_at(spectra.layout(), u.data(), 0, 0, 0) - first) < kTolerance);
}

TEST_CASE("a chunk of some rows is gathered and put back, with frequency length/2 apart") {
  for (const Index length : {6, 7, 32, 64}) {
    const Index blocks = 3, count = 11, first = 2;
    Arena arena;
    SpectrumRows<float> spectra(arena, BlockLayout(blocks * length, length, Padding::none),
                                SignalPairing(Kind::samples), with_gradients(true, false),
                                SpectrumPlace::buffer, first + count, 1);
    const SpectrumLayout<float>& layout = spectra.layout();
    std::vector<float> memory(at((first + count) * layout.row_size()));
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i + 1);
    const std::vector<float> before = memory;
    const auto row = [&](Index k) noexcept { return memory.data() + k * layout.row_size(); };
    for (Index chunk = 0; chunk < layout.chunks; ++chunk) {
      const bool takes_last = chunk == 0 && layout.has_last;
      std::vector<float> gathered(at(count * layout.chunk_size()), -1),
          last(at(count * blocks * 2), -1);
      const Tile<float> from{row(first), layout.row_size()};
      spectra.gather(from, first, count, chunk, gathered.data(), last.data());
      Index wrong = 0;
      for (Index k = 0; k < count; ++k) {
        for (Index i = 0; i < layout.chunk_size(); ++i) {
          const bool is_last = takes_last && i % layout.element() == layout.lanes;
          const float expected = row(first + k)[layout.offset(first + k, chunk) + i];
          if (gathered[at(k * layout.chunk_size() + i)] != (is_last ? 0 : expected)) ++wrong;
          const std::size_t place = at((k * blocks + i / layout.element()) * 2);
          if (is_last && (last[place] != expected || last[place + 1] != 0)) ++wrong;
        }
      }
      CHECK(wrong == 0);
      if (!takes_last) CHECK(std::count(last.begin(), last.end(), -1.F) == count * blocks * 2);
      for (Index k = 0; k < count; ++k) {
        std::fill_n(row(first + k) + layout.offset(first + k, chunk), layout.chunk_size(), 0.F);
      }
      spectra.scatter(from, first, count, chunk, gathered.data(), last.data());
      CHECK(memory == before);
    }
  }
}

TEST_CASE("rows of spectra wait in gradient rows, in a buffer, or a window at a time") {
  Arena arena;
  const auto make = [&](Index block_size, const RowAccess& access, SpectrumPlace place,
                        Index most_rows) {
    return SpectrumRows<float>(arena, BlockLayout(256, block_size, Padding::none),
                               SignalPairing(Kind::views), access, place, most_rows, 1);
  };
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Rows gradient_a(100, 256), gradient_b(100, 256);
  BatchRows<float> rows;
  rows.gradient_a = OutputRows<float>(gradient_a.data(), 256, 256, Index{1});
  rows.gradient_b = OutputRows<float>(gradient_b.data(), 256, 256, Index{1});
  const RowAccess both = with_gradients(true, true);
  auto in_gradients = make(64, both, SpectrumPlace::gradient_rows, 100);
  CHECK(in_gradients.holds_all());
  CHECK(in_gradients.a(rows, 0, 7).data == gradient_a.row(7).data());
  CHECK(in_gradients.a(rows, 0, 7).row(2) == gradient_a.row(9).data());
  CHECK(in_gradients.b(rows, 0, 99).data == gradient_b.row(99).data());
  // One gradient alone has no room for two views' spectra, and a short last block none for its own.
  auto one = make(64, with_gradients(true, false), SpectrumPlace::gradient_rows, 100);
  CHECK(one.holds_all());
  CHECK(one.b(rows, 0, 3).data == one.b(rows, 0, 2).row(1));
  CHECK(one.b(rows, 0, 2).stride == one.layout().row_size());
  CHECK(one.a(rows, 0, 2).data != gradient_a.row(2).data());
  auto odd = make(63, both, SpectrumPlace::gradient_rows, 100);
  CHECK(odd.holds_all());
  CHECK(odd.a(rows, 0, 2).data != gradient_a.row(2).data());
  // No room: a window.
  auto nowhere = make(64, both, SpectrumPlace::nowhere, 100);
  CHECK_FALSE(nowhere.holds_all());
  CHECK(nowhere.b(rows, 64, 64).data == nowhere.b(rows, 0, 0).data);
  const Index most = kSpectrumBufferBytes / (2 * 256 * static_cast<Index>(sizeof(float)));
  CHECK(make(64, both, SpectrumPlace::buffer, most).holds_all());
  CHECK_FALSE(make(64, both, SpectrumPlace::buffer, most + 1).holds_all());
  CHECK_FALSE(make(64, {}, SpectrumPlace::gradient_rows, 10).holds_all());
}

}  // namespace unit_spectrum_rows
