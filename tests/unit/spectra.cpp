// Packed signals and their spectra, part by part (detail/spectra; packed_fft.cpp has the whole).
// Signals are small whole numbers where nothing is transformed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <decorr/detail/kernels/simd.hpp>
#include <decorr/detail/runtime/compiler.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/detail/spectra/block_layout.hpp>
#include <decorr/detail/spectra/block_spectra.hpp>
#include <decorr/detail/spectra/packing.hpp>
#include <decorr/detail/spectra/row_scale.hpp>
#include <decorr/detail/spectra/signal_pairing.hpp>
#include <decorr/detail/spectra/spectrum_store.hpp>
#include <decorr/detail/statistics/prepared_rows.hpp>
#include <decorr/detail/statistics/standardization.hpp>
#include <limits>
#include <utility>
#include <vector>

#include "unit/transforms.hpp"

namespace unit_spectra {

namespace {

using namespace decorr::detail;
using unit_transforms::dft;
using unit_transforms::random_permutation;
using unit_transforms::random_row;
using Complex = std::complex<double>;
using Row = std::vector<double>;
using Signal = std::vector<Complex>;

constexpr double kTolerance = 1e-12;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }
// i modulo d, for any i.
std::size_t wrapped(Index i, Index d) { return at((i % d + d) % d); }

// s_i = sum_j a_j b_{j+i}.
Row lag_sums(const Row& a, const Row& b) {
  const auto d = static_cast<Index>(a.size());
  Row sums(a.size(), 0);
  for (Index i = 0; i < d; ++i) {
    for (Index j = 0; j < d; ++j) sums[at(i)] += a[at(j)] * b[wrapped(j + i, d)];
  }
  return sums;
}

double largest_difference(const Signal& x, const Signal& y) {
  REQUIRE(x.size() == y.size());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

Signal complex_of(const Row& real, const Row& imaginary) {
  Signal signal(real.size());
  for (std::size_t j = 0; j < real.size(); ++j) signal[j] = {real[j], imaginary[j]};
  return signal;
}
Signal complex_of(const Row& real) { return complex_of(real, Row(real.size(), 0)); }

Row reversed(const Row& x) {
  Row result(x.size());
  for (Index j = 0; j < static_cast<Index>(x.size()); ++j) {
    result[at(j)] = x[wrapped(-j, static_cast<Index>(x.size()))];
  }
  return result;
}

}  // namespace

TEST_CASE("blocks are as many as the features take, and transforms as long as they are or more") {
  const BlockLayout whole(20, 0, Padding::allowed);
  CHECK(whole.block_size == 20);
  CHECK(whole.num_blocks == 1);
  CHECK(whole.signal_size() == 20);
  CHECK(whole.signal_stride<float>() == 32);
  CHECK(whole.signal_stride<double>() == 24);
  const BlockLayout short_last(20, 6, Padding::allowed);
  CHECK(short_last.num_blocks == 4);
  CHECK(short_last.signal_size() == 24);
  const BlockLayout padded(60, 29, Padding::allowed);
  CHECK(padded.num_blocks == 3);
  CHECK(padded.fft_length == 64);
  CHECK(padded.signal_size() == 192);
  CHECK(BlockLayout(60, 29, Padding::none).fft_length == 29);
}

TEST_CASE("pad puts blocks where their transforms begin, and unpad puts them back") {
  struct Shape {
    Index features, block_size;
  };
  for (const Shape& shape : {Shape{1, 0},
                             {7, 0},
                             {31, 0},
                             {8, 4},
                             {10, 4},
                             {10, 9},
                             {58, 29},
                             {70, 29},
                             {62, 31},
                             {5, 1}}) {
    for (const Padding padding : {Padding::allowed, Padding::none}) {
      CAPTURE(shape.features);
      CAPTURE(shape.block_size);
      const BlockLayout layout(shape.features, shape.block_size, padding);
      for (const bool is_reversed : {false, true}) {
        if (is_reversed && layout.num_blocks > 1) continue;
        const Complex junk(-7, -9);
        const Row real = random_row(shape.features, 1), imaginary = random_row(shape.features, 2);
        Signal signal(at(layout.signal_size() + 1), junk);
        for (Index j = 0; j < shape.features; ++j) {
          signal[at(j)] = {real[at(j)], imaginary[at(j)]};
        }
        const Signal packed = signal;
        layout.pad(signal.data(), is_reversed);
        Index wrong = 0;
        const Index b = layout.block_size, length = layout.fft_length;
        for (Index g = 0; g < layout.num_blocks; ++g) {
          for (Index j = 0; j < length; ++j) {
            const auto number = [&](const Row& row, Index position) {
              const Index feature = g * b + position;
              return 0 <= position && position < b && feature < shape.features ? row[at(feature)]
                                                                               : 0;
            };
            // What is reversed stays at the end of the period.
            const Index moved = is_reversed && j > 0 ? j - (length - b) : j;
            const bool none = is_reversed && j > 0 && moved <= 0;
            const Complex expected(number(real, j), none ? 0 : number(imaginary, moved));
            wrong += signal[at(g * length + j)] == expected ? 0 : 1;
          }
        }
        CHECK(wrong == 0);
        CHECK(signal.back() == junk);
        layout.unpad(signal.data(), is_reversed);
        CHECK(std::equal(packed.begin(), packed.begin() + shape.features, signal.begin()));
      }
    }
  }
}

TEST_CASE("padded signals have the lag sums of the block, lag 0 at position 0") {
  for (const Index b : {1, 2, 12, 29, 31}) {
    CAPTURE(b);
    const BlockLayout layout(b, 0, Padding::allowed);
    const Index length = layout.fft_length;
    const Row x_a = random_row(b, 1), x_b = random_row(b, 2);
    Signal signal = complex_of(x_b, reversed(x_a));
    signal.resize(at(length));
    layout.pad(signal.data(), true);
    Row convolved(at(length), 0);
    for (Index i = 0; i < length; ++i) {
      for (Index j = 0; j < length; ++j) {
        convolved[at(i)] += signal[at(j)].real() * signal[wrapped(i - j, length)].imag();
      }
    }
    for (Index i = 1; length > b && i < b; ++i) convolved[at(i)] += convolved[at(length - b + i)];
    convolved.resize(at(b));
    CHECK(convolved == lag_sums(x_a, x_b));
  }
}

TEST_CASE("rows are packed as they are, reversed or permuted, and split into the same rows") {
  for (const Index d : {1, 2, 3, 8, 1024, 1025, 1026, 2100}) {
    for (const bool permutes : {false, true}) {
      for (const SecondRow second_row : {SecondRow::as_is, SecondRow::reversed}) {
        CAPTURE(d);
        CAPTURE(permutes);
        const bool is_reversed = second_row == SecondRow::reversed;
        CAPTURE(is_reversed);
        Arena arena;
        const auto permutation = permutes ? random_permutation(d, 1) : std::vector<Index>();
        const Packing<double> packing(arena, d, permutation, second_row);
        CHECK(packing.permutes() == permutes);
        CHECK(packing.reverses() == is_reversed);

        // One view has signs, the other is standardized too.
        const Row first = random_row(d, 2), second = random_row(d, 3);
        std::vector<std::int8_t> signs(at(d));
        for (Index j = 0; j < d; ++j) signs[at(j)] = j % 3 == 1 ? -1 : 1;
        ViewStatistics<double> statistics{Buffer<double>(arena, d, 3.0),
                                          Buffer<double>(arena, d, 0.4),
                                          Buffer<double>(arena, d, 0.5)};
        const Preparation<double> of_first(arena, d, {}, signs.data());
        const Preparation<double> of_second(arena, d, {arena, statistics, true}, signs.data());
        const RowScale<double> factors{4, 0.25, 0.25, 4};
        Signal loaded(at(d), Complex(-99, -99)), arranged(at(d), Complex(-99, -99));
        std::vector<int> positions(at(d), 0), columns(at(d), 0);
        RowSizes<double> sizes;
        packing.for_each_positions([&](Index begin, Index count) noexcept {
          const Index column = packing.second_column(begin, count);
          packing.load(of_first, first.data() + begin, of_second, second.data() + column, begin,
                       count, loaded.data(), &sizes);
          for (Index i = 0; i < count; ++i) {
            ++positions[at(begin + i)];
            ++columns[at(column + i)];
          }
        });
        const std::vector<int> once(at(d), 1);
        CHECK(positions == once);
        CHECK(columns == once);
        double largest_first = 0, largest_second = 0;
        for (std::size_t j = 0; j < at(d); ++j) {
          largest_first = std::max(largest_first, std::abs(first[j]));
          largest_second = std::max(largest_second, std::abs(second[j] - 3) * 2);
        }
        CHECK(sizes.first == largest_first);
        CHECK(sizes.second == largest_second);
        packing.scale(factors, loaded.data());
        if (permutes) {
          packing.permute(loaded.data(), arranged.data());
        } else {
          arranged = loaded;
        }
        Index wrong = 0;
        for (Index j = 0; j < d; ++j) {
          const auto source = [&](std::size_t position) {
            return permutes ? at(permutation[position]) : position;
          };
          const std::size_t i = source(at(j)), m = source(is_reversed ? wrapped(-j, d) : at(j));
          const Complex expected(4 * first[i] * signs[i], (second[m] - 3) * 2 * signs[m] / 4);
          wrong += arranged[at(j)] == expected ? 0 : 1;
        }
        CHECK(wrong == 0);

        // Back, into either row or both.
        if (permutes) {
          packing.restore(arranged.data(), loaded.data());
        }
        for (const auto& [has_first, has_second] :
             {std::pair(true, true), {true, false}, {false, true}}) {
          Row to_first(at(d), -1), to_second(at(d), -1);
          packing.for_each_positions([&, with_first = has_first, with_second = has_second](
                                         Index begin, Index count) noexcept {
            const Index column = packing.second_column(begin, count);
            packing.split(loaded.data(), begin, count, factors,
                          with_first ? to_first.data() + begin : nullptr,
                          with_second ? to_second.data() + column : nullptr);
          });
          wrong = 0;
          for (std::size_t j = 0; j < at(d); ++j) {
            const double sign = signs[j];
            wrong += to_first[j] == (has_first ? first[j] * sign : -1) ? 0 : 1;
            wrong += to_second[j] == (has_second ? (second[j] - 3) * 2 * sign : -1) ? 0 : 1;
          }
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("a second row that is missing is zero") {
  constexpr Index d = 1030;
  Arena arena;
  const Preparation<double> raw;
  const Row row = random_row(d, 1);
  for (const SecondRow second_row : {SecondRow::as_is, SecondRow::reversed}) {
    const Packing<double> packing(arena, d, {}, second_row);
    Signal signal(at(d), Complex(-99, -99));
    packing.for_each_positions([&](Index begin, Index count) noexcept {
      packing.load(raw, row.data() + begin, raw, nullptr, begin, count, signal.data(), nullptr);
    });
    CHECK(signal == complex_of(row));
  }
}

TEST_CASE_TEMPLATE("rows that share a signal are scaled to one size by powers of two", Scalar,
                   float, double) {
  using Limits = std::numeric_limits<Scalar>;
  const auto scale = [](Scalar first, Scalar second) {
    // The largest entry is last in one row and first in the other.
    const Scalar row_1[] = {first / 8, -first / 2, first}, row_2[] = {-second, 0, second / 4};
    // In two pieces.
    return row_scale<Scalar>({largest_size(row_1 + 1, 2, largest_size(row_1, 1, Scalar(0))),
                              largest_size(row_2 + 2, 1, largest_size(row_2, 2, Scalar(0)))});
  };
  CHECK_FALSE(scale(1, 1).changes_rows());
  CHECK_FALSE(scale(3, 5).changes_rows());
  CHECK(scale(1, 9).changes_rows());
  CHECK(scale(9, 1).changes_rows());
  for (const int exponent : {0, 1, 7, 40, 100}) {
    for (const Scalar size : {Scalar(1), Scalar(1.5), Scalar(1.999)}) {
      for (const bool exchanged : {false, true}) {
        CAPTURE(exponent);
        const Scalar small = std::ldexp(size, -exponent), large = Scalar(3);
        const auto factors = exchanged ? scale(large, small) : scale(small, large);
        int ignored;
        CHECK(std::frexp(factors.first, &ignored) == Scalar(0.5));
        CHECK(factors.first * factors.second == 1);
        CHECK(factors.changes_rows() == (factors.first != 1));
        const Scalar ratio = (exchanged ? large : small) * factors.first /
                             ((exchanged ? small : large) * factors.second);
        CHECK(ratio <= 4);
        CHECK(ratio >= Scalar(0.25));
      }
    }
  }
  constexpr Scalar kInfinity = Limits::infinity(), kNan = Limits::quiet_NaN();
  struct Sizes {
    Scalar first, second;
  };
  for (const Sizes& sizes : {Sizes{Limits::max(), Limits::denorm_min()},
                             {Limits::min(), Limits::max()},
                             {0, 1},
                             {1, 0},
                             {0, 0},
                             {kInfinity, 1},
                             {1, kInfinity},
                             {kNan, 1},
                             {kNan, kNan}}) {
    const Scalar first = sizes.first, second = sizes.second;
    const auto factors = scale(first, second);
    CAPTURE(first);
    CAPTURE(second);
    CHECK(factors.first * factors.second == 1);
    CHECK(std::isnormal(factors.first / 2));
    CHECK(std::isnormal(factors.second / 2));
    CHECK(factors.undo_first == (first > 0 ? factors.second : 0));
    CHECK(factors.undo_second == (second > 0 ? factors.first : 0));
    CHECK(factors.has_row_of_zeros() == !(first > 0 && second > 0));
    // What is finite stays so.
    if (std::isfinite(first)) CHECK(std::isfinite(first * factors.first));
    if (std::isfinite(second)) CHECK(std::isfinite(second * factors.second));
  }
  // Beside a row of zeros the other one is far from what overflows, and from what underflows.
  for (const Scalar size : {Limits::max(), Scalar(1), Limits::min()}) {
    CHECK(scale(0, size).second * size >= Scalar(0.25));
    CHECK(scale(0, size).second * size <= 16);
    CHECK(scale(size, 0).first == scale(0, size).second);
  }
  CHECK(scale(0, 0).first == 1);
  CHECK(scale(kInfinity, 1).first == 1);
  // As far apart as normal numbers can be.
  CHECK(scale(Limits::min(), Limits::max()).first ==
        std::ldexp(Scalar(1), Limits::max_exponent - 4));
}

TEST_CASE("spectra wait in gradient rows where these are as long and in place") {
  const SignalPairing views(SignalPairing::Kind::views), samples(SignalPairing::Kind::samples);
  const BlockLayout fits(12, 4, Padding::allowed), whole(12, 0, Padding::allowed),
      short_last(13, 4, Padding::allowed), padded(29, 0, Padding::allowed);
  RowAccess both, only_a, only_b, copies_a, copies_b;
  both.gradient_a = both.gradient_b = only_a.gradient_a = only_b.gradient_b = true;
  copies_a = copies_b = both;
  copies_a.copies_gradient_a = copies_b.copies_gradient_b = true;
  constexpr auto kRows = SpectrumPlace::gradient_rows;
  const auto place = [&](const BlockLayout& layout, const SignalPairing& pairing,
                         const RowAccess& access) {
    return possible_place(kRows, layout, pairing, access);
  };
  for (const SignalPairing& pairing : {views, samples}) {
    CHECK(place(fits, pairing, both) == kRows);
    CHECK(place(whole, pairing, both) == kRows);
    CHECK(place(short_last, pairing, both) == SpectrumPlace::buffer);
    CHECK(place(padded, pairing, both) == SpectrumPlace::buffer);
    CHECK(place(fits, pairing, copies_a) == SpectrumPlace::buffer);
    CHECK(place(fits, pairing, only_b) == SpectrumPlace::buffer);
    for (const SpectrumPlace wish : {SpectrumPlace::buffer, SpectrumPlace::nowhere}) {
      CHECK(possible_place(wish, fits, pairing, both) == wish);
    }
  }
  // Two samples of one view have both their rows in its gradient.
  CHECK(place(fits, views, only_a) == SpectrumPlace::buffer);
  CHECK(place(fits, samples, only_a) == kRows);
  CHECK(place(fits, views, copies_b) == SpectrumPlace::buffer);
  CHECK(place(fits, samples, copies_b) == kRows);
}

TEST_CASE("spectra come back from where they wait, whole and in pieces") {
  for (const SignalPairing::Kind kind :
       {SignalPairing::Kind::views, SignalPairing::Kind::samples}) {
    for (const SpectrumPlace place : {SpectrumPlace::gradient_rows, SpectrumPlace::buffer}) {
      for (const Index d : {1, 2, 5, 8, 9}) {
        for (const Index rows : {1, 4, 5}) {
          CAPTURE(d);
          CAPTURE(rows);
          const SignalPairing pairing(kind);
          const bool in_rows = place == SpectrumPlace::gradient_rows;
          const BlockLayout layout(d, 0, Padding::none);
          Arena arena;
          SpectrumStore<double> store(arena, place, layout, pairing, rows);
          const Index signals = pairing.num_signals(rows);
          CHECK(store.holds(signals));
          Row gradient_a(at(rows * d), 0), gradient_b(at(rows * d), 0);
          const auto rows_of = [&](Index signal) -> SignalRows<double> {
            if (!in_rows) return {nullptr, nullptr};
            double* first = gradient_a.data() + pairing.first_row(signal) * d;
            if (!pairing.pairs_samples()) return {first, gradient_b.data() + signal * d};
            return {first, pairing.has_second_row(signal, rows) ? first + d : nullptr};
          };
          const auto spectrum = [&](Index signal) {
            return complex_of(random_row(d, 2 * signal), random_row(d, 2 * signal + 1));
          };
          for (const Index piece : {d, Index{1}, Index{2}, Index{3}}) {
            std::fill(gradient_a.begin(), gradient_a.end(), -99.0);
            std::fill(gradient_b.begin(), gradient_b.end(), -99.0);
            // Pieces from the end, so that none is written over by one before it.
            for (Index signal = 0; signal < signals; ++signal) {
              for_each_chunk(
                  d, piece,
                  [&](Index first, Index last) {
                    store.save(rows_of(signal), signal, spectrum(signal).data(), first, last);
                  },
                  Sweep::descending);
            }
            Index wrong = 0;
            const Row before_a = gradient_a, before_b = gradient_b;
            for (Index signal = 0; signal < signals; ++signal) {
              for (Index first = 0; first < d; ++first) {
                for (Index last = first + 1; last <= d; ++last) {
                  Signal loaded(at(d));
                  Index next = first;
                  store.load(rows_of(signal), signal, first, last,
                             [&](Index f, Index count, const double* z) noexcept {
                               wrong += f == next ? 0 : 1;
                               for (Index i = 0; i < count; ++i) {
                                 loaded[at(f + i)] = {z[2 * i], z[2 * i + 1]};
                               }
                               next = f + count;
                             });
                  wrong += next == last ? 0 : 1;
                  Signal expected(at(d));
                  const Signal whole = spectrum(signal);
                  std::copy(whole.begin() + first, whole.begin() + last, expected.begin() + first);
                  wrong += loaded == expected ? 0 : 1;
                }
              }
            }
            CHECK(wrong == 0);
            CHECK(gradient_a == before_a);
            CHECK(gradient_b == before_b);
            const bool touched = gradient_a != Row(at(rows * d), -99.0);
            CHECK(touched == (in_rows && (!pairing.pairs_samples() || rows > 1)));
          }
        }
      }
    }
  }
}

TEST_CASE("a buffer has its bound, and nowhere has no room") {
  const SignalPairing pairing(SignalPairing::Kind::views);
  const BlockLayout layout(Index{1} << 20, 0, Padding::none);
  constexpr Index kSignal = (Index{1} << 20) * static_cast<Index>(sizeof(Complex));
  constexpr Index kHeld = kSpectrumBufferBytes / kSignal;
  Arena arena;
  SpectrumStore<double> store(arena, SpectrumPlace::buffer, layout, pairing, kHeld + 3);
  CHECK(store.holds(kHeld));
  CHECK_FALSE(store.holds(kHeld + 1));
  const BlockLayout small(4, 0, Padding::none);
  const SpectrumStore<double> few(arena, SpectrumPlace::buffer, small, pairing, 3);
  CHECK(few.holds(3));
  CHECK_FALSE(few.holds(4));
  const SpectrumStore<double> nowhere(arena, SpectrumPlace::nowhere, small, pairing, 3);
  CHECK_FALSE(nowhere.holds(1));
  const SpectrumStore<double> in_rows(arena, SpectrumPlace::gradient_rows, small, pairing, 3);
  CHECK(in_rows.holds(1000));
  CHECK_FALSE(SpectrumStore<double>().holds(1));
}

TEST_CASE("signals hold samples one by one or two by two") {
  const SignalPairing views(SignalPairing::Kind::views), samples(SignalPairing::Kind::samples);
  CHECK_FALSE(views.pairs_samples());
  CHECK(samples.pairs_samples());
  CHECK(views.num_signals(5) == 5);
  CHECK(samples.num_signals(5) == 3);
  CHECK(samples.num_signals(4) == 2);
  CHECK(views.first_row(3) == 3);
  CHECK(samples.first_row(3) == 6);
  CHECK(views.has_second_row(4, 5));
  CHECK(samples.has_second_row(1, 5));
  CHECK_FALSE(samples.has_second_row(2, 5));
}

TEST_CASE("sums over the signals give the spectrum of sumvec, and the filter its derivative") {
  for (const SignalPairing::Kind kind :
       {SignalPairing::Kind::views, SignalPairing::Kind::samples}) {
    for (const Index d : {1, 2, 7, 8}) {
      constexpr Index n = 5;
      CAPTURE(d);
      const SignalPairing pairing(kind);
      const bool is_covariance = pairing.pairs_samples();
      const double m = is_covariance ? n - 1 : n;
      std::vector<Row> a, b;
      for (Index k = 0; k < n; ++k) {
        a.push_back(random_row(d, 2 * k));
        b.push_back(random_row(d, 2 * k + 1));
      }
      // By the definition; of a covariance b is not there.
      Row s(at(d), 0);
      for (Index k = 0; k < n; ++k) {
        const Row lags = lag_sums(a[at(k)], is_covariance ? a[at(k)] : b[at(k)]);
        for (Index i = 0; i < d; ++i) s[at(i)] += lags[at(i)] / m;
      }
      // By the signals' spectra, of which one is added in two parts.
      Row sums(at(d * pairing.sums_per_frequency()), 0);
      std::vector<Signal> spectra;
      for (Index signal = 0; signal < pairing.num_signals(n); ++signal) {
        const std::size_t k = at(pairing.first_row(signal));
        Signal z = complex_of(a[k]);
        if (!is_covariance) z = complex_of(b[k], reversed(a[k]));
        if (is_covariance && pairing.has_second_row(signal, n)) z = complex_of(a[k], a[k + 1]);
        spectra.push_back(dft(z, -1));
        const auto* numbers = reinterpret_cast<const double*>(spectra.back().data());
        const Index part = signal == 1 ? d / 2 : 0;
        pairing.add_products(numbers, part, sums.data());
        pairing.add_products(numbers + 2 * part, d - part,
                             sums.data() + part * pairing.sums_per_frequency());
      }
      Signal correlation;
      for (Index f = 0; f < d; ++f) {
        correlation.push_back(
            pairing.correlation(sums.data(), f, static_cast<Index>(wrapped(-f, d)), m));
      }
      CHECK(largest_difference(correlation, dft(complex_of(s), -1)) < kTolerance * 1000);

      // A derivative by s; of a covariance it is symmetric.
      Row g = random_row(d, 100);
      for (Index i = 1; is_covariance && i < d; ++i) g[at(i)] = g[wrapped(-i, d)];
      const Signal derivative = dft(complex_of(g), -1);
      for (Index signal = 0; signal < pairing.num_signals(n); ++signal) {
        Signal filtered = spectra[at(signal)];
        for (Index f = 0; f < d; ++f) {
          filtered[at(f)] *= pairing.filter(derivative[at(f)], 1 / (m * static_cast<double>(d)));
        }
        const auto correlate = [&](const Row& x, Index direction) {
          Row result(at(d), 0);
          for (Index j = 0; j < d; ++j) {
            for (Index i = 0; i < d; ++i) {
              result[at(j)] += g[at(i)] * x[wrapped(j + direction * i, d)] / m;
            }
          }
          return result;
        };
        const std::size_t k = at(pairing.first_row(signal));
        Signal expected;
        if (is_covariance) {
          const bool has_second = pairing.has_second_row(signal, n);
          expected =
              complex_of(correlate(a[k], 1), correlate(has_second ? a[k + 1] : Row(at(d), 0), 1));
          for (Complex& x : expected) x *= 2;
        } else {
          expected = complex_of(correlate(b[k], 1), reversed(correlate(a[k], -1)));
        }
        CHECK(largest_difference(dft(filtered, 1), expected) < kTolerance * 100);
      }
    }
  }
}

DECORR_DETAIL_VECTOR_CODE_BEGIN

namespace {

template <class Scalar, Index kCount>
void check_block_spectra() {
  using Lanes = Simd<Scalar, kCount>;
  using Packet = typename Lanes::Packet;
  constexpr auto kSize = static_cast<std::size_t>(kCount);
  struct alignas(kWorkspaceAlignment) Numbers {
    Scalar lanes[kSize];
  };
  // Real and imaginary parts of U and of V.
  Numbers u_v[4], z[4], again[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const Row row = random_row(kCount, static_cast<Index>(i));
    for (std::size_t l = 0; l < kSize; ++l) u_v[i].lanes[l] = static_cast<Scalar>(row[l]);
  }
  const auto load = [](const Numbers* numbers) -> SpectrumPair<Packet> {
    return {Lanes::load(numbers[0].lanes), Lanes::load(numbers[1].lanes),
            Lanes::load(numbers[2].lanes), Lanes::load(numbers[3].lanes)};
  };
  const auto store = [](Numbers* numbers, const SpectrumPair<Packet>& pair) {
    Lanes::store(numbers[0].lanes, pair.first_real);
    Lanes::store(numbers[1].lanes, pair.first_imaginary);
    Lanes::store(numbers[2].lanes, pair.second_real);
    Lanes::store(numbers[3].lanes, pair.second_imaginary);
  };
  const auto broadcast = [](double x) { return Lanes::broadcast(static_cast<Scalar>(x)); };
  store(z, join_spectra<Lanes>(load(u_v), broadcast(4), broadcast(0.5)));
  // Half of the inverse factors.
  store(again, split_spectrum<Lanes>(load(z), broadcast(0.125), broadcast(1)));
  for (std::size_t l = 0; l < kSize; ++l) {
    // Z = 4 U + i V / 2, and at -f their conjugates: U and V are spectra of real signals.
    const std::complex<Scalar> u(u_v[0].lanes[l], u_v[1].lanes[l]),
        v(u_v[2].lanes[l], u_v[3].lanes[l]), i(0, 1), half(Scalar(0.5)), four(4);
    const auto at_f = four * u + half * i * v,
               mirrored = four * std::conj(u) + half * i * std::conj(v);
    CHECK(z[0].lanes[l] == at_f.real());
    CHECK(z[1].lanes[l] == at_f.imag());
    CHECK(z[2].lanes[l] == mirrored.real());
    CHECK(z[3].lanes[l] == mirrored.imag());
    for (std::size_t part = 0; part < 4; ++part) {
      CHECK(again[part].lanes[l] == u_v[part].lanes[l]);
    }
  }
}

}  // namespace

DECORR_DETAIL_VECTOR_CODE_END

TEST_CASE_TEMPLATE("two spectra that are joined come apart again", Scalar, float, double) {
  check_block_spectra<Scalar, 1>();
  check_block_spectra<Scalar, kLanes<Scalar>>();
}

}  // namespace unit_spectra
