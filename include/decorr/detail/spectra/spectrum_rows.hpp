#ifndef DECORR_DETAIL_SPECTRA_SPECTRUM_ROWS_HPP_
#define DECORR_DETAIL_SPECTRA_SPECTRUM_ROWS_HPP_

#include <algorithm>
#include <complex>
#include <cstddef>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/block_layout.hpp"
#include "decorr/detail/spectra/block_spectra.hpp"
#include "decorr/detail/spectra/row_scale.hpp"
#include "decorr/detail/spectra/signal_pairing.hpp"
#include "decorr/detail/spectra/spectrum_store.hpp"

// The spectra of rows that are cut into blocks, taken apart, so that each row has its own, and
// where they wait.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// A row's spectra as vectors of frequencies. A frequency is a lane; a vector's real parts of a
// block, and then its imaginary parts, are an element; the elements of all blocks for the same
// frequencies are a chunk; a row is its chunks. Of an even length the frequency length/2, which is
// real as frequency 0 is, has the place of the imaginary part of that. So a row of spectra is as
// long as the row that they have come from, where vectors are full.
template <class Scalar>
struct SpectrumLayout {
  explicit SpectrumLayout(const BlockLayout& layout)
      : num_blocks(layout.num_blocks),
        length(layout.fft_length),
        frequencies(length / 2 + 1),
        has_last(length % 2 == 0),
        slots(has_last ? frequencies - 1 : frequencies),
        lanes(4 * slots > kLanes<Scalar> ? kLanes<Scalar> : 1),
        chunks((slots + lanes - 1) / lanes) {}

  Index num_blocks, length;
  Index frequencies;  // 0 .. length/2
  bool has_last;      // length/2 is one of them
  Index slots;        // complex numbers
  Index lanes;        // as many as a vector has, or 1 where most of them would be idle
  Index chunks;

  Index element() const noexcept { return 2 * lanes; }
  Index chunk_size() const noexcept { return num_blocks * element(); }
  Index row_size() const noexcept { return chunks * chunk_size(); }
  bool has_full_vectors() const noexcept { return slots % lanes == 0; }
  Index lanes_of(Index chunk) const noexcept { return std::min(lanes, slots - chunk * lanes); }

  // Where a chunk is. Rows whose distance is a power of two would meet in few lines of the cache,
  // when the same chunk of all of them is read, so every fourth one begins with another.
  Index offset(Index row, Index chunk) const noexcept {
    return (chunk + row / 4) % chunks * chunk_size();
  }
};

// What lags 0 and length/2 of the diagonal blocks of C are made of, for one row: sums over the
// frequencies of conj(A) B, and of the same with alternating signs.
template <class Sum>
struct LagSums {
  Sum zero = 0, middle = 0;
};

// Rows of spectra: in the gradient rows of their own samples where they fit, else in a buffer, of
// all rows if it has room for them, and of kSpectrumWindow rows if not.
inline constexpr Index kSpectrumWindow = 64;

template <class Scalar>
class SpectrumRows {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;

  SpectrumRows(Arena& arena, const BlockLayout& layout, const SignalPairing& pairing,
               const RowAccess& access, SpectrumPlace place, Index most_rows, int workers)
      : layout_(layout),
        has_two_views_(!pairing.pairs_samples()),
        parts_(arena, workers, 2 * part_size()) {
    const Index views = has_two_views_ ? 2 : 1;
    const auto bytes = views * layout_.row_size() * static_cast<Index>(sizeof(Scalar));
    if (access.has_gradient()) {
      in_gradients_ =
          possible_place(place, layout, pairing, access) == SpectrumPlace::gradient_rows &&
          layout_.row_size() == layout.features;
      holds_all_ = in_gradients_ ||
                   (place != SpectrumPlace::nowhere && most_rows <= kSpectrumBufferBytes / bytes);
    }
    if (!in_gradients_) {
      const Index rows = holds_all_ ? most_rows : std::min(most_rows, kSpectrumWindow);
      b_ = Buffer<Scalar>(arena, rows * layout_.row_size());
      a_ = has_two_views_ ? Buffer<Scalar>(arena, b_.size()) : b_;
    }
    for (int worker = 0; worker < workers; ++worker) {
      std::fill_n(parts_.of(worker), 2 * part_size(), Scalar(0));
    }
  }

  const SpectrumLayout<Scalar>& layout() const noexcept { return layout_; }
  // Whether all rows find room, or a window of them.
  bool holds_all() const noexcept { return holds_all_; }

  // From row `row` on, of view b, or of the one view. `first` is the first row of the window.
  Tile<Scalar> b(const BatchRows<Scalar>& rows, Index first, Index row) noexcept {
    return in_gradients_ ? gradient_rows(has_two_views_ ? rows.gradient_b : rows.gradient_a, row)
                         : buffer_rows(b_, row - first);
  }
  Tile<Scalar> a(const BatchRows<Scalar>& rows, Index first, Index row) noexcept {
    return in_gradients_ ? gradient_rows(rows.gradient_a, row) : buffer_rows(a_, row - first);
  }

  // Takes the spectra of block g apart that share a signal's, which is z: U to u, that of row
  // `row`, and V to v, which may be null. Where `lags` is not null it gets what diagonal blocks'
  // lags are made of, for which vectors have to be full: U and V are two views, or two samples of
  // one.
  void split(int worker, const Complex* z, const RowScale<Scalar>& scale, Index row, Index g,
             Scalar* u, Scalar* v, LagSums<Sum>* lags) noexcept {
    Scalar* real = real_part(worker);
    Scalar* imaginary = real + part_size();
    const auto* scalars = reinterpret_cast<const Scalar*>(z);
    for (Index f = 0; f < layout_.length; ++f) {
      real[f] = scalars[2 * f];
      imaginary[f] = scalars[2 * f + 1];
    }
    real[layout_.length] = real[0];
    imaginary[layout_.length] = imaginary[0];
    if (layout_.lanes == 1) {
      split_one_lane(real, imaginary, scale, row, g, u, v, lags);
    } else {
      split_lanes(real, imaginary, scale, row, g, u, v, lags);
    }
  }

  // The way back, for all blocks: Z of two spectra, each times its factor. One that is null is
  // zero.
  void join(int worker, const RowScale<Scalar>& scale, Index row, const Scalar* u, const Scalar* v,
            Complex* z) noexcept {
    if (layout_.lanes == 1) {
      join_one_lane(worker, scale, row, u, v, z);
    } else {
      join_lanes(worker, scale, row, u, v, z);
    }
  }

  // A chunk of `count` rows from row `first` on, whose spectra are `rows`, one after another in
  // `to`, and what has the place of frequency length/2 in `last`, as complex numbers: [row][block];
  // or back to where they wait. Bound by bytes.
  DECORR_DETAIL_NOINLINE void gather(const Tile<Scalar>& rows, Index first, Index count,
                                     Index chunk, Scalar* to, Scalar* last) const noexcept {
    const Index size = layout_.chunk_size();
    for (Index k = 0; k < count; ++k, to += size) {
      const Scalar* from = rows.row(k) + layout_.offset(first + k, chunk);
      std::copy(from, from + size, to);
      if (chunk == 0 && layout_.has_last) {
        for (Index g = 0; g < layout_.num_blocks; ++g) {
          Scalar& place = to[g * layout_.element() + layout_.lanes];
          *last++ = place;
          *last++ = 0;
          place = 0;
        }
      }
    }
  }
  DECORR_DETAIL_NOINLINE void scatter(const Tile<Scalar>& rows, Index first, Index count,
                                      Index chunk, const Scalar* from,
                                      const Scalar* last) const noexcept {
    const Index size = layout_.chunk_size();
    for (Index k = 0; k < count; ++k, from += size) {
      Scalar* to = rows.row(k) + layout_.offset(first + k, chunk);
      std::copy(from, from + size, to);
      if (chunk == 0 && layout_.has_last) {
        for (Index g = 0; g < layout_.num_blocks; ++g, last += 2) {
          to[g * layout_.element() + layout_.lanes] = *last;
        }
      }
    }
  }

 private:
  static Tile<Scalar> gradient_rows(const OutputRows<Scalar>& gradient, Index row) noexcept {
    return gradient.tile(row, 0, 0, nullptr);
  }
  Tile<Scalar> buffer_rows(Buffer<Scalar>& buffer, Index row) const noexcept {
    return {buffer.data() + row * layout_.row_size(), layout_.row_size()};
  }

  // The real parts of a block's spectrum over the whole circle, and the imaginary ones part_size()
  // later. Vectors may reach over either end, into zeros.
  Index part_size() const noexcept { return layout_.length + 1 + 2 * layout_.lanes; }
  Scalar* real_part(int worker) noexcept { return parts_.of(worker) + layout_.lanes; }

  // Bound by bytes, of the first-level cache.
  DECORR_DETAIL_NOINLINE void split_lanes(const Scalar* real, const Scalar* imaginary,
                                          const RowScale<Scalar>& scale, Index row, Index g,
                                          Scalar* u, Scalar* v, LagSums<Sum>* lags) const noexcept {
    split<kLanes<Scalar>>(real, imaginary, scale, row, g, u, v, lags);
  }
  // Blocks of so few features are rare: compiled for size.
  DECORR_DETAIL_COLD void split_one_lane(const Scalar* real, const Scalar* imaginary,
                                         const RowScale<Scalar>& scale, Index row, Index g,
                                         Scalar* u, Scalar* v, LagSums<Sum>* lags) const noexcept {
    split<1>(real, imaginary, scale, row, g, u, v, lags);
  }
  template <Index kCount>
  DECORR_DETAIL_INLINE void split(const Scalar* real, const Scalar* imaginary,
                                  const RowScale<Scalar>& scale, Index row, Index g, Scalar* u,
                                  Scalar* v, LagSums<Sum>* lags) const noexcept {
    using Lanes = Simd<Scalar, kCount>;
    using Packet = typename Lanes::Packet;
    const Index length = layout_.length;
    const Scalar half_u = scale.undo_first / 2, half_v = scale.undo_second / 2;
    const Packet u_factor = Lanes::broadcast(half_u), v_factor = Lanes::broadcast(half_v);
    Packet even = Lanes::broadcast(0), odd = even;  // of chunks, where a chunk is one frequency
    for (Index c = 0; c < layout_.chunks; ++c) {
      // Lanes beyond the last frequency hold something that nobody reads.
      const Index f = c * kCount, offset = layout_.offset(row, c) + g * 2 * kCount;
      const auto pair = split_spectrum<Lanes>(
          {Lanes::load_unaligned(real + f), Lanes::load_unaligned(imaginary + f),
           Lanes::load_reversed(real + length - f), Lanes::load_reversed(imaginary + length - f)},
          u_factor, v_factor);
      Lanes::store_unaligned(u + offset, pair.first_real);
      Lanes::store_unaligned(u + offset + kCount, pair.first_imaginary);
      if (v != nullptr) {
        Lanes::store_unaligned(v + offset, pair.second_real);
        Lanes::store_unaligned(v + offset + kCount, pair.second_imaginary);
      }
      Packet& sum = kCount == 1 && c % 2 != 0 ? odd : even;
      sum = add_products<Lanes>(pair, sum);
    }
    const Index first = layout_.offset(row, 0) + g * 2 * kCount;
    const Scalar u_zero = u[first], v_zero = v == nullptr ? Scalar(0) : v[first];
    Scalar u_last = 0, v_last = 0;
    if (layout_.has_last) {
      u_last = 2 * half_u * real[length / 2];
      v_last = 2 * half_v * imaginary[length / 2];
      u[first + kCount] = u_last;
      if (v != nullptr) {
        v[first + kCount] = v_last;
      }
    }
    if (lags != nullptr) {
      const auto product = [&](Scalar x, Scalar y) noexcept {
        return has_two_views_ ? Sum(x) * Sum(y) : Sum(x) * Sum(x) + Sum(y) * Sum(y);
      };
      alignas(kWorkspaceAlignment) Scalar sums[2 * static_cast<std::size_t>(kCount)];
      Lanes::store(sums, even);
      Lanes::store(sums + kCount, odd);
      Sum of_even = 0, of_odd = 0;
      for (Index l = 0; l < kCount; ++l) {
        (l % 2 == 0 ? of_even : of_odd) += Sum(sums[l]);
      }
      of_odd += kCount == 1 ? Sum(sums[kCount]) : 0;
      // Both ends of the half circle count once, all others twice.
      const Sum zero = product(u_zero, v_zero), last = product(u_last, v_last);
      const Sum sign = length / 2 % 2 == 0 ? 1 : -1;
      lags->zero += 2 * (of_even + of_odd) - zero + last;
      lags->middle += 2 * (of_even - of_odd) - zero + sign * last;
    }
  }
  // Re(conj(U) V), or |U|^2 + |V|^2.
  template <class Lanes, class Packet>
  Packet add_products(const SpectrumPair<Packet>& pair, const Packet& sum) const noexcept {
    if (has_two_views_) {
      return Lanes::multiply_add(
          pair.first_real, pair.second_real,
          Lanes::multiply_add(pair.first_imaginary, pair.second_imaginary, sum));
    }
    const Packet of_u =
        Lanes::multiply_add(pair.first_real, pair.first_real,
                            Lanes::multiply_add(pair.first_imaginary, pair.first_imaginary, sum));
    return Lanes::multiply_add(
        pair.second_real, pair.second_real,
        Lanes::multiply_add(pair.second_imaginary, pair.second_imaginary, of_u));
  }

  // Bound by bytes, of the first-level cache.
  DECORR_DETAIL_NOINLINE void join_lanes(int worker, const RowScale<Scalar>& scale, Index row,
                                         const Scalar* u, const Scalar* v, Complex* z) noexcept {
    join<kLanes<Scalar>>(worker, scale, row, u, v, z);
  }
  DECORR_DETAIL_COLD void join_one_lane(int worker, const RowScale<Scalar>& scale, Index row,
                                        const Scalar* u, const Scalar* v, Complex* z) noexcept {
    join<1>(worker, scale, row, u, v, z);
  }
  template <Index kCount>
  DECORR_DETAIL_INLINE void join(int worker, const RowScale<Scalar>& scale, Index row,
                                 const Scalar* u, const Scalar* v, Complex* z) noexcept {
    using Lanes = Simd<Scalar, kCount>;
    using Packet = typename Lanes::Packet;
    constexpr auto kElement = 2 * static_cast<std::size_t>(kCount);
    alignas(kWorkspaceAlignment) const Scalar zeros[kElement] = {};
    const Packet u_factor = Lanes::broadcast(scale.first),
                 v_factor = Lanes::broadcast(scale.second);
    const Index length = layout_.length;
    Scalar* real = real_part(worker);
    Scalar* imaginary = real + part_size();
    for (Index g = 0; g < layout_.num_blocks; ++g) {
      for (Index c = 0; c < layout_.chunks; ++c) {
        const Index offset = layout_.offset(row, c) + g * 2 * kCount;
        const Scalar* of_u = u == nullptr ? zeros : u + offset;
        const Scalar* of_v = v == nullptr ? zeros : v + offset;
        Packet u_imaginary = Lanes::load_unaligned(of_u + kCount),
               v_imaginary = Lanes::load_unaligned(of_v + kCount);
        if (c == 0 && layout_.has_last) {
          real[length / 2] = scale.first * of_u[kCount];
          imaginary[length / 2] = scale.second * of_v[kCount];
          u_imaginary = without_first<Lanes>(u_imaginary);
          v_imaginary = without_first<Lanes>(v_imaginary);
        }
        const auto pair = join_spectra<Lanes>(
            {Lanes::load_unaligned(of_u), u_imaginary, Lanes::load_unaligned(of_v), v_imaginary},
            u_factor, v_factor);
        const Index f = c * kCount, count = layout_.lanes_of(c);
        store<Lanes>(pair.first_real, count, real + f);
        store<Lanes>(pair.first_imaginary, count, imaginary + f);
        store_reversed<Lanes>(pair.second_real, count, real + length - f);
        store_reversed<Lanes>(pair.second_imaginary, count, imaginary + length - f);
      }
      auto* to = reinterpret_cast<Scalar*>(z + g * length);
      for (Index f = 0; f < length; ++f) {
        to[2 * f] = real[f];
        to[2 * f + 1] = imaginary[f];
      }
    }
  }
  template <class Lanes, class Packet>
  static Packet without_first(const Packet& lanes) noexcept {
    alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(Lanes::kLaneCount)];
    Lanes::store(numbers, lanes);
    numbers[0] = 0;
    return Lanes::load(numbers);
  }

  // Lane l goes to to[l], or to to[-l], for the first `count` lanes, at least one.
  template <class Lanes>
  static void store(const typename Lanes::Packet& lanes, Index count, Scalar* to) noexcept {
    if (Lanes::kLaneCount == 1 || count == Lanes::kLaneCount) {
      Lanes::store_unaligned(to, lanes);
      return;
    }
    alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(Lanes::kLaneCount)];
    Lanes::store(numbers, lanes);
    std::copy(numbers, numbers + count, to);
  }
  template <class Lanes>
  static void store_reversed(const typename Lanes::Packet& lanes, Index count,
                             Scalar* to) noexcept {
    if (Lanes::kLaneCount == 1 || count == Lanes::kLaneCount) {
      Lanes::store_reversed(to, lanes);
      return;
    }
    alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(Lanes::kLaneCount)];
    Lanes::store(numbers, lanes);
    std::reverse_copy(numbers, numbers + count, to - (count - 1));
  }

  SpectrumLayout<Scalar> layout_;
  bool has_two_views_;
  bool in_gradients_ = false, holds_all_ = false;
  Buffer<Scalar> b_, a_;  // of one view, one and the same
  PerWorker<Scalar> parts_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_SPECTRUM_ROWS_HPP_
