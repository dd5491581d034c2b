#ifndef DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_
#define DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_

#include <algorithm>
#include <cmath>
#include <complex>

#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/spectra/packing.hpp"
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

  UngroupedRelaxed(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                   CovarianceScaling scaling, const Execution& execution)
      : transforms_(correlation, relaxed,
                    correlation.is_covariance() ? SecondRow::as_is : SecondRow::reversed,
                    execution),
        covariance_(correlation.is_covariance()),
        features_(correlation.cols()),
        length_(transforms_.length()),
        penalty_(transforms_.forward_plan(), features_, relaxed.exponent, execution.planning),
        filter_(correlation.has_gradient() ? length_ : 0),
        half_(penalty_.half()),
        sums_(transforms_.workers(), sum_size()),
        total_(Buffer<Sum>::filled(sum_size(), Sum(0))) {
    weights_.half_middle = covariance_ && correlation.left->has_signs() && features_ % 2 == 0;
    if (scaling == CovarianceScaling::block_mean) {
      weights_.weight = std::pow(static_cast<long double>(features_), -relaxed.exponent);
    }
  }

  // Takes rows: adds up what the batch is known by, W or sum |Z|^2.
  void accumulate(Index first, Index last) {
    parallel_chunks(
        transforms_.workers(), first, last, kChunkRows,
        [&](int worker, Index chunk_first, Index chunk_last) {
          Scalar* sums = sums_.of(worker);
          std::fill_n(sums, sum_size(), Scalar(0));
          transforms_.for_each_batch(worker, chunk_first, chunk_last, [&](const auto& batch) {
            transforms_.transform(batch);
            for_each_chunk(length_, kBlock / 2, [&](Index begin, Index end) {
              add_spectra(batch, begin, end - begin, sums);
            });
          });
        },
        [&](int worker) {
          const Scalar* sums = sums_.of(worker);
          for (Index i = 0; i < sum_size(); ++i) {
            total_[i] += Sum(sums[i]);
          }
        },
        Sweep::descending);
  }

  // sumvec(C) as real parts; needs exponent 1.
  const Complex* lags() { return penalty_.lags(spectrum()); }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    const Sum value = penalty_.apply(spectrum(), weights_);
    if (filter_) {
      // The inverse transform is not normalized: that goes here. A covariance meets its rows on
      // both sides of C.
      const Sum factor = gradient_weight * Sum(covariance_ ? 2 : 1) /
                         (transforms_.correlation().normalizer * Sum(length_));
      for (Index f = 0; f < half_.size(); ++f) {
        const Complex value_f(
            static_cast<Scalar>(factor * half_[f].real()),
            covariance_ ? Scalar(0) : static_cast<Scalar>(-factor * half_[f].imag()));
        filter_[f] = value_f;
        if (f > 0) {
          filter_[length_ - f] = std::conj(value_f);
        }
      }
    }
    return value;
  }

  // Writes the gradient with respect to the prepared rows.
  void gradient(Index first, Index last) {
    transforms_.backward(first, last, kChunkRows, [&](const auto& batch) {
      transforms_.recall(batch);
      for_each_chunk(length_, kBlock / 2,
                     [&](Index begin, Index end) { filter(batch, begin, end); });
    });
  }

 private:
  // So few rows that their sums are as accurate as the terms, so many that merging them costs
  // little beside the transforms.
  static constexpr Index kChunkRows = 2 * kTileRows;

  Index sum_size() const { return covariance_ ? length_ : 2 * length_; }

  // W += Z o Z, or the sum of |Z|^2, over a batch's signals, which are kept. Bound by bytes.
  template <class Batch>
  void add_spectra(const Batch& batch, Index first, Index count, Scalar* sums) {
    alignas(kWorkspaceAlignment) Scalar partial[kBlock] = {};
    for (Index signal = batch.begin; signal < batch.end; ++signal) {
      const auto* z = reinterpret_cast<const Scalar*>(transforms_.spectrum(batch, signal) + first);
      if (covariance_) {
        for (Index f = 0; f < count; ++f) {
          partial[f] += z[2 * f] * z[2 * f] + z[2 * f + 1] * z[2 * f + 1];
        }
      } else {
        for (Index f = 0; f < count; ++f) {
          partial[2 * f] += z[2 * f] * z[2 * f] - z[2 * f + 1] * z[2 * f + 1];
          partial[2 * f + 1] += 2 * z[2 * f] * z[2 * f + 1];
        }
      }
      transforms_.keep(batch, signal, first, first + count);
    }
    const Index scalars = covariance_ ? 1 : 2;
    for (Index i = 0; i < scalars * count; ++i) {
      sums[scalars * first + i] += partial[i];
    }
  }

  // The spectrum of sumvec(C), the first half, from all rows.
  std::complex<Sum>* spectrum() {
    const Sum m = transforms_.correlation().normalizer;
    for (Index f = 0; f < half_.size(); ++f) {
      const Index mirrored = f == 0 ? 0 : length_ - f;
      if (covariance_) {
        half_[f] = (total_[f] + total_[mirrored]) / (2 * m);
      } else {
        // S_f = (W_f - conj(W_-f)) / (4 i m)
        half_[f] = {(total_[2 * f + 1] + total_[2 * mirrored + 1]) / (4 * m),
                    (total_[2 * mirrored] - total_[2 * f]) / (4 * m)};
      }
    }
    return half_.data();
  }

  // Y = H o Z, for some frequencies of a batch's signals; written out because std::complex's
  // product checks for NaN. Bound by bytes.
  template <class Batch>
  void filter(const Batch& batch, Index first, Index last) {
    for (Index signal = batch.begin; signal < batch.end; ++signal) {
      transforms_.for_each_piece(
          batch, signal, first, last, [&](Index begin, Index count, const Scalar* z) {
            const auto* h = reinterpret_cast<const Scalar*>(filter_.data() + begin);
            auto* y = reinterpret_cast<Scalar*>(transforms_.signal(batch, signal) + begin);
            for (Index f = 0; f < count; ++f) {
              y[2 * f] = h[2 * f] * z[2 * f] - h[2 * f + 1] * z[2 * f + 1];
              y[2 * f + 1] = h[2 * f] * z[2 * f + 1] + h[2 * f + 1] * z[2 * f];
            }
          });
    }
  }

  PackedTransforms<Scalar> transforms_;
  bool covariance_;
  Index features_, length_;
  LagPenalty<Scalar> penalty_;
  LagWeights weights_;
  Buffer<Complex> filter_;
  Buffer<std::complex<Sum>> half_;
  PerWorker<Scalar> sums_;  // of one chunk's rows
  Buffer<Sum> total_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_RELAXED_HPP_
