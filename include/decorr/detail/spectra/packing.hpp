#ifndef DECORR_DETAIL_SPECTRA_PACKING_HPP_
#define DECORR_DETAIL_SPECTRA_PACKING_HPP_

#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/row_scale.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"

// Two prepared rows to one complex signal, and two derivatives back.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Whether the second row of a signal is stored reversed, rev(x)_j = x_{(-j) mod d}, so that the
// product of two spectra is the transform of a correlation.
enum class SecondRow { as_is, reversed };

// Moves pairs of prepared rows into complex signals, and pairs of derivatives back. Both go in
// chunks of positions, so that what belongs to a feature is read once for several signals; what
// moves whole signals, a permutation, comes between them and the transforms.
template <class Scalar>
class Packing {
 public:
  using Complex = std::complex<Scalar>;

  // `permutation` may be empty.
  DECORR_DETAIL_COLD Packing(Arena& arena, Index features, const std::vector<Index>& permutation,
                             SecondRow second_row)
      : features_(features), reversed_(second_row == SecondRow::reversed) {
    if (!permutation.empty()) {
      permutation_ = Buffer<std::int32_t>(arena, features);
      inverse_ = Buffer<std::int32_t>(arena, features);
      for (Index j = 0; j < features; ++j) {
        const Index source = permutation[static_cast<std::size_t>(j)];
        permutation_[j] = static_cast<std::int32_t>(source);
        inverse_[source] = static_cast<std::int32_t>(j);
      }
    }
  }

  // Whether permute() and restore() are to be called.
  bool permutes() const { return static_cast<bool>(permutation_); }

  bool reverses() const { return reversed_; }

  // Calls body(first, count) for the chunks of positions that load() and split() take.
  template <class Body>
  void for_each_positions(const Body& body) const noexcept {
    const Index start = swaps_ends() ? 1 : 0;  // position 0 is its own mirror image
    if (start > 0) {
      body(Index{0}, start);
    }
    for_each_chunk(features_ - start, kStripColumns,
                   [&](Index begin, Index end) noexcept { body(start + begin, end - begin); });
  }

  // Where the second row's features of a chunk of positions begin: they are as many, and run
  // backwards where the row is reversed.
  Index second_column(Index first, Index count) const {
    return swaps_ends() && first > 0 ? features_ - first - count + 1 : first;
  }

  // signal_j = first'_j + i second'_j for a chunk of positions, the second row reversed unless
  // permute() does that. The rows are given from the chunk's first feature on, which for the second
  // one is second_column(). A missing second row is zero. `sizes`, if it is not null, grows to the
  // rows'. Bound by bytes.
  DECORR_DETAIL_NOINLINE void load(const Preparation<Scalar>& first_view, const Scalar* first_row,
                                   const Preparation<Scalar>& second_view, const Scalar* second_row,
                                   Index first, Index count, Complex* signal,
                                   RowSizes<Scalar>* sizes) const noexcept {
    alignas(kWorkspaceAlignment) Scalar first_block[kStripColumns], second_block[kStripColumns];
    auto* to = reinterpret_cast<Scalar*>(signal + first);
    const Scalar* u = first_view.apply(first_row, first, count, first_block);
    if (second_row == nullptr) {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = u[i];
        to[2 * i + 1] = 0;
      }
      return;
    }
    const Index column = second_column(first, count);
    const Scalar* v = second_view.apply(second_row, column, count, second_block);
    if (sizes != nullptr) {
      sizes->first = largest_size(u, count, sizes->first);
      sizes->second = largest_size(v, count, sizes->second);
    }
    if (swaps_ends()) {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = u[i];
        to[2 * i + 1] = v[count - 1 - i];
      }
    } else {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = u[i];
        to[2 * i + 1] = v[i];
      }
    }
  }
  // Brings both rows of a loaded signal to one size.
  DECORR_DETAIL_NOINLINE void scale(const RowScale<Scalar>& factors,
                                    Complex* signal) const noexcept {
    auto* to = reinterpret_cast<Scalar*>(signal);
    for (Index i = 0; i < features_; ++i) {
      to[2 * i] *= factors.first;
      to[2 * i + 1] *= factors.second;
    }
  }

  // permuted_j = loaded_{p_j}, the imaginary part reversed if that is to be. Bound by the latency
  // of the gather.
  DECORR_DETAIL_NOINLINE void permute(const Complex* loaded, Complex* permuted) const noexcept {
    const std::int32_t* source = permutation_.data();
    if (!reversed_) {
      for (Index j = 0; j < features_; ++j) {
        permuted[j] = loaded[source[j]];
      }
      return;
    }
    permuted[0] = loaded[source[0]];
    for (Index j = 1, mirrored = features_ - 1; j <= mirrored; ++j, --mirrored) {
      const Complex x = loaded[source[j]], y = loaded[source[mirrored]];
      permuted[j] = Complex(x.real(), y.imag());
      permuted[mirrored] = Complex(y.real(), x.imag());
    }
  }

  // Undoes permute().
  DECORR_DETAIL_NOINLINE void restore(const Complex* permuted, Complex* restored) const noexcept {
    const std::int32_t* target = inverse_.data();
    if (!reversed_) {
      for (Index i = 0; i < features_; ++i) {
        restored[i] = permuted[target[i]];
      }
      return;
    }
    for (Index i = 0; i < features_; ++i) {
      const Index j = target[i], mirrored = j == 0 ? 0 : features_ - j;
      restored[i] = Complex(permuted[j].real(), permuted[mirrored].imag());
    }
  }

  // Splits a chunk of positions into parts of two gradient rows, given in the same way, either of
  // which may be null, and undoes the factors.
  DECORR_DETAIL_NOINLINE void split(const Complex* signal, Index first, Index count,
                                    const RowScale<Scalar>& factors, Scalar* first_row,
                                    Scalar* second_row) const noexcept {
    const auto* y = reinterpret_cast<const Scalar*>(signal + first);
    if (first_row != nullptr) {
      Scalar* to = first_row;
      for (Index i = 0; i < count; ++i) {
        to[i] = factors.undo_first * y[2 * i];
      }
    }
    if (second_row == nullptr) {
      return;
    }
    Scalar* to = second_row;
    if (swaps_ends()) {
      for (Index i = 0; i < count; ++i) {
        to[count - 1 - i] = factors.undo_second * y[2 * i + 1];
      }
    } else {
      for (Index i = 0; i < count; ++i) {
        to[i] = factors.undo_second * y[2 * i + 1];
      }
    }
  }

 private:
  // Whether load() and split() reverse the second row; otherwise permute() and restore() do.
  bool swaps_ends() const { return reversed_ && !permutes(); }

  Index features_;
  bool reversed_;
  Buffer<std::int32_t> permutation_, inverse_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_PACKING_HPP_
