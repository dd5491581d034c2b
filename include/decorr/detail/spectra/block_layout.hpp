#ifndef DECORR_DETAIL_SPECTRA_BLOCK_LAYOUT_HPP_
#define DECORR_DETAIL_SPECTRA_BLOCK_LAYOUT_HPP_

#include <algorithm>
#include <complex>

#include "decorr/detail/fft/transform_length.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Where the blocks of a signal lie: features one after another while rows are packed, and each
// block at the beginning of its transform, which may be longer.
struct BlockLayout {
  // A block size of 0 is one block of all features.
  BlockLayout(Index number_of_features, Index features_a_block, Padding padding)
      : features(number_of_features),
        block_size(features_a_block == 0 ? features : features_a_block),
        num_blocks((features + block_size - 1) / block_size),
        fft_length(transform_length(block_size, padding)) {}

  Index features, block_size, num_blocks, fft_length;

  Index signal_size() const noexcept { return fft_length * num_blocks; }
  // From one signal to the next: transforms start on 64-byte boundaries.
  template <class Scalar>
  Index signal_stride() const noexcept {
    constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
    return (signal_size() + line - 1) / line * line;
  }

  // Moves blocks from where packing left them to where their transforms begin, and fills up with
  // zeros. A reversed imaginary part, which ends at position `block_size` of its one block, is
  // moved to the end of a longer transform, so that lag 0 stays at position 0.
  template <class Scalar>
  DECORR_DETAIL_NOINLINE void pad(std::complex<Scalar>* signal,
                                  bool imaginary_is_reversed) const noexcept {
    using Complex = std::complex<Scalar>;
    std::fill(signal + features, signal + num_blocks * block_size, Complex(0));
    if (fft_length == block_size) {
      return;
    }
    for (Index g = num_blocks - 1; g >= 0; --g) {
      Complex* block = signal + g * fft_length;
      if (g > 0) {
        std::copy_backward(signal + g * block_size, signal + (g + 1) * block_size,
                           block + block_size);
      }
      std::fill(block + block_size, block + fft_length, Complex(0));
    }
    if (imaginary_is_reversed) {
      for (Index j = 1; j < block_size; ++j) {
        signal[fft_length - block_size + j].imag(signal[j].imag());
        signal[j].imag(0);
      }
    }
  }
  // The way back.
  template <class Scalar>
  DECORR_DETAIL_NOINLINE void unpad(std::complex<Scalar>* signal,
                                    bool imaginary_is_reversed) const noexcept {
    if (fft_length == block_size) {
      return;
    }
    if (imaginary_is_reversed) {
      for (Index j = 1; j < block_size; ++j) {
        signal[j].imag(signal[fft_length - block_size + j].imag());
      }
    }
    for (Index g = 1; g < num_blocks; ++g) {
      const std::complex<Scalar>* block = signal + g * fft_length;
      std::copy(block, block + block_size, signal + g * block_size);
    }
  }
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_BLOCK_LAYOUT_HPP_
