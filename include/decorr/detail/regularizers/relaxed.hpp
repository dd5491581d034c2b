#ifndef DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_
#define DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_

#include <algorithm>
#include <complex>

#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/options.hpp"

// R_sum by the packed transform: one complex transform of length d for each sample of a
// cross-correlation, and for each two samples of a covariance (docs/mathematics.md, packed
// transform).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// For one block, b = d. O(n d log d).
template <class Scalar>
class UngroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;

  DECORR_DETAIL_COLD UngroupedRelaxed(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                      const Relaxed& relaxed, const BlockWeights& weights)
      : fft_(arena, fft_setup(setup, relaxed,
                              setup.is_covariance() ? SecondRow::as_is : SecondRow::reversed,
                              Padding::allowed, setup.place)),
        pairing_(setup.pairing),
        length_(fft_.layout().fft_length),
        weights_(weights.of(0, 0)),
        penalty_(arena, fft_.forward_plan(), setup.features, relaxed.exponent,
                 setup.execution.planning),
        filter_(arena, setup.access.has_gradient() ? length_ : 0),
        correlation_(arena, penalty_.num_frequencies()),
        sums_(arena, pairing_.sums_per_frequency() * length_, Sum(0)),
        parts_(arena, fft_.workers(), sums_.size()) {}

  // What the batch is known by, W or sum |Z|^2.
  Buffer<Sum>& sums() noexcept { return sums_; }

  void add(const BatchRows<Scalar>& rows, DiagonalSums<Scalar>* diagonal = nullptr) noexcept {
    fft_.forward(
        rows, 0, rows.size(), kChunkRows, diagonal,
        [&](int worker) noexcept { std::fill_n(parts_.of(worker), sums_.size(), Scalar(0)); },
        [&](const auto& group) noexcept {
          for_each_chunk(length_, kChunkFrequencies, [&](Index begin, Index end) noexcept {
            add_spectra(rows, group, begin, end, parts_.of(group.worker));
          });
        },
        [&](int worker) noexcept {
          const Scalar* parts = parts_.of(worker);
          for (Index i = 0; i < sums_.size(); ++i) {
            sums_[i] += Sum(parts[i]);
          }
        });
  }

  // sumvec(C) as real parts, of C = sums / m; needs exponent 1.
  const Complex* lags(Sum m) noexcept { return penalty_.lags(correlation(m)); }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum value(const BatchRows<Scalar>&, Sum m, Sum gradient_weight) noexcept {
    const Sum value = penalty_.apply(correlation(m), weights_);
    // The inverse transform is not normalized: that goes here.
    const Sum factor = gradient_weight / (m * Sum(length_));
    for (Index f = 0; f < correlation_.size() && filter_; ++f) {
      const auto filter = pairing_.filter(correlation_[f], factor);
      filter_[f] = Complex(static_cast<Scalar>(filter.real()), static_cast<Scalar>(filter.imag()));
      if (f > 0) {
        filter_[length_ - f] = std::conj(filter_[f]);
      }
    }
    return value;
  }

  // The gradient with respect to the prepared rows, through the sinks.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    fft_.backward(rows, 0, rows.size(), kChunkRows, sinks,
                  [&](const auto& group) noexcept { filter(rows, group); });
  }
  bool goes_row_by_row() const noexcept { return true; }
  void begin_gradient(const BatchRows<Scalar>&) noexcept {}
  // The same of some rows on one of so many workers; `first` is even.
  void gradient_on(int worker, const BatchRows<Scalar>& rows, Index first, Index last,
                   const GradientSinks<Scalar>& sinks) noexcept {
    fft_.backward_on(worker, rows, first, last, sinks,
                     [&](const auto& group) noexcept { filter(rows, group); });
  }
  int workers() const noexcept { return fft_.workers(); }
  Index rows_of_group() const noexcept { return fft_.rows_of_group(); }

 private:
  // So few rows that their sums are as accurate as the terms, so many that merging them costs
  // little beside the transforms.
  static constexpr Index kChunkRows = 2 * kTileRows;
  // Their sums stay in the first-level cache for all signals of a group.
  static constexpr Index kChunkFrequencies = kStripColumns / 2;

  // Adds some frequencies of a group's signals, which are saved. Bound by bytes.
  template <class Group>
  void add_spectra(const BatchRows<Scalar>& rows, const Group& group, Index first, Index last,
                   Scalar* parts) noexcept {
    alignas(kWorkspaceAlignment) Scalar partial[2 * kChunkFrequencies] = {};
    for (Index signal = group.begin; signal < group.end; ++signal) {
      const auto* z = reinterpret_cast<const Scalar*>(fft_.spectrum(group, signal) + first);
      if (fft_.row_scale_of(group, signal).has_row_of_zeros()) {
        pairing_.add_zeros(z, last - first, partial);
      } else {
        pairing_.add_products(z, last - first, partial);
      }
      fft_.save(rows, group, signal, first, last);
    }
    const Index scalars = pairing_.sums_per_frequency();
    for (Index i = 0; i < scalars * (last - first); ++i) {
      parts[scalars * first + i] += partial[i];
    }
  }

  // The spectrum of sumvec(C), the first half.
  std::complex<Sum>* correlation(Sum m) noexcept {
    for (Index f = 0; f < correlation_.size(); ++f) {
      correlation_[f] = pairing_.correlation(sums_.data(), f, f == 0 ? 0 : length_ - f, m);
    }
    return correlation_.data();
  }

  template <class Group>
  void filter(const BatchRows<Scalar>& rows, const Group& group) noexcept {
    fft_.transform_what_was_not_saved(group);
    for_each_chunk(length_, kChunkFrequencies,
                   [&](Index begin, Index end) noexcept { filter(rows, group, begin, end); });
  }
  // Y = H o Z, for some frequencies of a group's signals; written out because std::complex's
  // product checks for NaN. Bound by bytes.
  template <class Group>
  void filter(const BatchRows<Scalar>& rows, const Group& group, Index first, Index last) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      fft_.load(rows, group, signal, first, last,
                [&](Index begin, Index count, const Scalar* z) noexcept {
                  const auto* h = reinterpret_cast<const Scalar*>(filter_.data() + begin);
                  auto* y = reinterpret_cast<Scalar*>(fft_.derivative(group, signal) + begin);
                  for (Index f = 0; f < count; ++f) {
                    y[2 * f] = h[2 * f] * z[2 * f] - h[2 * f + 1] * z[2 * f + 1];
                    y[2 * f + 1] = h[2 * f] * z[2 * f + 1] + h[2 * f + 1] * z[2 * f];
                  }
                });
    }
  }

  PackedFft<Scalar> fft_;
  SignalPairing pairing_;
  Index length_;
  LagWeights weights_;
  LagPenalty<Scalar> penalty_;
  Buffer<Complex> filter_;
  Buffer<std::complex<Sum>> correlation_;  // and then the derivative by it
  Buffer<Sum> sums_;
  PerWorker<Scalar> parts_;  // of one chunk's rows
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_
