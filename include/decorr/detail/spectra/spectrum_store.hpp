#ifndef DECORR_DETAIL_SPECTRA_SPECTRUM_STORE_HPP_
#define DECORR_DETAIL_SPECTRA_SPECTRUM_STORE_HPP_

#include <algorithm>
#include <complex>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/block_layout.hpp"
#include "decorr/detail/spectra/signal_pairing.hpp"

// Where spectra wait between the pass that correlates them and the one that computes gradients.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

enum class SpectrumPlace {
  gradient_rows,  // of their own samples, which are written after they have been read
  buffer,         // of bounded size; the others are transformed again
  nowhere,        // all are transformed again
  elsewhere       // with a form that keeps them itself: transforms need no signals on the way back
};

// Reading them is faster than transforming again, so a buffer is worth this much.
inline constexpr Index kSpectrumBufferBytes = Index{1} << 25;

// Gradient rows hold spectra as long as the two rows that a signal has come from: where both views
// have a gradient, and blocks are neither padded nor cut short. A buffer stands in elsewhere.
inline SpectrumPlace possible_place(SpectrumPlace wish, const BlockLayout& layout,
                                    const SignalPairing& pairing, const RowAccess& access) {
  if (wish != SpectrumPlace::gradient_rows) {
    return wish;
  }
  const bool both = pairing.pairs_samples() || access.gradient_b;
  const bool fits = layout.signal_size() == layout.features && access.gradient_a && both &&
                    !access.copies_gradient_a &&
                    (pairing.pairs_samples() || !access.copies_gradient_b);
  return fits ? SpectrumPlace::gradient_rows : SpectrumPlace::buffer;
}

// The gradient rows of the two rows that share a signal; the second one is null for a last sample
// without another.
template <class Scalar>
struct SignalRows {
  Scalar* first;
  Scalar* second;
};

template <class Scalar>
class SpectrumStore {
 public:
  using Complex = std::complex<Scalar>;

  SpectrumStore() = default;
  // For the signals of `rows` rows at the most.
  SpectrumStore(Arena& arena, SpectrumPlace place, const BlockLayout& layout,
                const SignalPairing& pairing, Index rows)
      : place_(place), size_(layout.signal_size()), stride_(layout.signal_stride<Scalar>()) {
    const Index signals = pairing.num_signals(rows);
    if (place == SpectrumPlace::buffer) {
      held_ =
          std::min(signals, kSpectrumBufferBytes / (stride_ * static_cast<Index>(sizeof(Complex))));
      buffer_ = Buffer<Complex>(arena, held_ * stride_);
    }
    if (place == SpectrumPlace::gradient_rows && !pairing.has_second_row(signals - 1, rows)) {
      tail_ = Buffer<Scalar>(arena, 2 * size_);
    }
  }

  // Whether the first `signals` signals find room.
  bool holds(Index signals) const noexcept {
    return place_ == SpectrumPlace::gradient_rows || signals <= held_;
  }

  // Keeps frequencies first .. last - 1 of a signal that finds room. `rows` are read for gradient
  // rows alone.
  void save(const SignalRows<Scalar>& rows, Index signal, const Complex* spectrum, Index first,
            Index last) noexcept {
    if (place_ != SpectrumPlace::gradient_rows) {
      std::copy(spectrum + first, spectrum + last, buffer_.data() + signal * stride_ + first);
      return;
    }
    Scalar* head = rows.second == nullptr ? tail_.data() : rows.first;
    Scalar* rest = rows.second == nullptr ? tail_.data() + size_ : rows.second;
    const auto* scalars = reinterpret_cast<const Scalar*>(spectrum);
    const Index begin = 2 * first, end = 2 * last, middle = std::clamp(size_, begin, end);
    std::copy(scalars + begin, scalars + middle, head + begin);
    std::copy(scalars + middle, scalars + end, rest + (middle - size_));
  }

  // The same frequencies again, in consecutive pieces: body(f, count, z) for `count` frequencies
  // from f on, whose real and imaginary parts are z[0], z[1] and so on. Writes nothing.
  void load(const SignalRows<Scalar>& rows, Index signal, Index first, Index last,
            FunctionRef<Index, Index, const Scalar*> body) const noexcept {
    if (place_ != SpectrumPlace::gradient_rows) {
      const Complex* z = buffer_.data() + signal * stride_ + first;
      body(first, last - first, reinterpret_cast<const Scalar*>(z));
      return;
    }
    const Scalar* head = rows.second == nullptr ? tail_.data() : rows.first;
    const Scalar* rest = rows.second == nullptr ? tail_.data() + size_ : rows.second;
    const Index half = size_ / 2, odd = size_ % 2;
    const auto piece = [&](Index begin, Index end, const Scalar* z) noexcept {
      const Index low = std::max(first, begin), high = std::min(last, end);
      if (low < high) {
        body(low, high - low, z + 2 * (low - begin));
      }
    };
    piece(0, half, head);
    if (odd != 0) {  // the middle frequency has its parts in either row
      const Scalar middle[2] = {head[size_ - 1], rest[0]};
      piece(half, half + odd, middle);
    }
    piece(half + odd, size_, rest + odd);
  }

 private:
  SpectrumPlace place_ = SpectrumPlace::nowhere;
  Index size_ = 0, stride_ = 0;
  Index held_ = 0;  // signals that the buffer has room for
  Buffer<Complex> buffer_;
  Buffer<Scalar> tail_;  // for the signal of a last sample without another
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_SPECTRUM_STORE_HPP_
