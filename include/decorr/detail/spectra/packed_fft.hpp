#ifndef DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
#define DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_

#include <algorithm>
#include <complex>
#include <utility>

#include "decorr/detail/fft/plan_cache.hpp"
#include "decorr/detail/fft/transform_length.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// The forward and backward transforms of every relaxed form: rows to spectra, and derivatives of
// spectra to gradient rows. One complex signal holds both views of a sample, or two samples of one
// view; it is transformed block by block (docs/mathematics.md, packed transform).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Whether recall() will be called for the spectra, and whether they may be kept in the gradient
// rows until then.
enum class Spectra { recalled, recalled_elsewhere, taken };

// Memory: O(d) a thread where the matrices' rows are contiguous, and tiles of kTileRows rows where
// they are not. Spectra that the gradient's rows cannot hold take kWorkspaceBytes at the most.
template <class Scalar>
class PackedTransforms {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;

  // A few signals of one tile of rows. Signal i holds row i of either view, or rows 2 i and 2 i + 1
  // of one.
  struct Batch {
    int worker;
    Index first_row, rows;  // of the tile
    Index begin, end;       // signals
    Tile<const Scalar> left, right;
    Tile<Scalar> left_gradient, right_gradient;
  };

  PackedTransforms(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                   SecondRow second_row, const Execution& execution,
                   Padding padding = Padding::allowed, Spectra spectra = Spectra::recalled)
      : correlation_(correlation),
        features_(correlation.cols()),
        width_(relaxed.block_size == 0 ? features_ : relaxed.block_size),
        groups_((features_ + width_ - 1) / width_),
        length_(transform_length(width_, padding)),
        workers_(worker_count(execution.threads, correlation.rows(), kTileRows)),
        // Spectra of padded blocks are longer than the two gradient rows.
        keeps_spectra_(spectra == Spectra::recalled && correlation.has_gradient() &&
                       size() == features_ && correlation.left_gradient.direct() &&
                       (correlation.is_covariance() || correlation.right_gradient.direct())),
        batch_(
            std::max(Index{1}, std::min(kTileRows, kBatchBytes / (padded_size() * kComplexBytes)))),
        packing_(features_, relaxed.permutation, second_row),
        forward_(transform_plan<Scalar>(length_, groups_, Direction::forward, execution.planning)),
        signals_(workers_, batch_ * padded_size()),
        spectra_(workers_, batch_ * padded_size()),
        permuted_(workers_, packing_.permutes() ? size() : 0),
        left_input_(workers_, buffer_size(correlation.left->input().direct())),
        right_input_(workers_, correlation.is_covariance()
                                   ? 0
                                   : buffer_size(correlation.right->input().direct())) {
    if (!correlation.is_covariance() && correlation.left->is_raw()) {
      balances_ = Buffer<Balance<Scalar>>(correlation.rows());
    }
    if (correlation.has_gradient() && spectra != Spectra::taken && !keeps_spectra_) {
      kept_ = std::min(signals_of(correlation.rows()),
                       kWorkspaceBytes / (padded_size() * kComplexBytes));
      workspace_ = Buffer<Complex>(kept_ * padded_size());
    }
    if (correlation.has_gradient()) {
      backward_ = transform_plan<Scalar>(length_, groups_, Direction::backward, execution.planning);
      if (correlation.is_covariance() && correlation.rows() % 2 != 0) {
        tail_ = Buffer<Scalar>(2 * features_);
      }
      left_output_ = PerWorker<Scalar>(workers_, buffer_size(correlation.left_gradient.direct()));
      right_output_ = PerWorker<Scalar>(
          workers_,
          correlation.is_covariance() ? 0 : buffer_size(correlation.right_gradient.direct()));
    }
    if (has_products()) {
      products_ = PerWorker<Scalar>(workers_, 2 * features_);
    }
  }

  const Correlation<Scalar>& correlation() const { return correlation_; }
  Index features() const { return features_; }
  Index width() const { return width_; }
  Index groups() const { return groups_; }
  Index length() const { return length_; }          // of a block's transform
  Index size() const { return length_ * groups_; }  // of a signal
  int workers() const { return workers_; }
  const TransformPlan<Scalar>& forward_plan() const { return forward_; }

  // Calls body(batch) for the signals of some rows, batch by batch. `first` is even for a
  // covariance.
  template <class Body>
  void for_each_batch(int worker, Index first, Index last, const Body& body) {
    for_each_tile(worker, first, last, [&](Batch& tile) { for_each_batch(tile, body); });
  }
  // The same on all workers.
  template <class Body>
  void for_each_batch(Index first, Index last, const Body& body) {
    parallel_chunks(workers_, first, last, kTileRows,
                    [&](int worker, Index chunk_first, Index chunk_last) {
                      for_each_batch(worker, chunk_first, chunk_last, body);
                    });
  }

  // The row of the matrix that a signal holds, or the first of two.
  Index first_row(const Batch& batch, Index signal) const {
    return batch.first_row + (correlation_.is_covariance() ? 2 : 1) * signal;
  }

  // A batch's rows to its spectra.
  void transform(const Batch& batch) {
    if (balances_) {
      for (Index signal = batch.begin; signal < batch.end; ++signal) {
        balances_[batch.first_row + signal] =
            balance(batch.right.row(signal), batch.left.row(signal), features_);
      }
    }
    packing_.for_each_positions([&](Index first, Index count) { load(batch, first, count); });
    for (Index signal = batch.begin; signal < batch.end; ++signal) {
      Complex* packed = this->signal(batch, signal);
      if (packing_.permutes()) {
        Complex* permuted = permuted_.of(batch.worker);
        packing_.permute(packed, permuted);
        packed = permuted;
      }
      pad(packed);
      forward_.execute(packed, spectrum(batch, signal));
    }
  }

  // A signal before the forward transform, or the spectrum of its derivative before the backward
  // one.
  Complex* signal(const Batch& batch, Index signal) {
    return signals_.of(batch.worker) + (signal - batch.begin) * padded_size();
  }
  // What the last transform gave for it.
  Complex* spectrum(const Batch& batch, Index signal) {
    return spectra_.of(batch.worker) + (signal - batch.begin) * padded_size();
  }

  // Keeps frequencies first .. last - 1 of a spectrum for the backward pass: in the two gradient
  // rows that the signal will own, where those can hold it, or in a workspace, as far as that goes.
  void keep(const Batch& batch, Index signal, Index first, Index last) {
    if (in_workspace(batch)) {
      const Complex* from = spectrum(batch, signal);
      std::copy(from + first, from + last, kept(batch, signal) + first);
    } else if (keeps_spectra_) {
      const auto [head, rest] = signal_rows(batch, signal);
      const auto* scalars = reinterpret_cast<const Scalar*>(spectrum(batch, signal));
      const Index begin = 2 * first, end = 2 * last, middle = std::clamp(features_, begin, end);
      std::copy(scalars + begin, scalars + middle, head + begin);
      std::copy(scalars + middle, scalars + end, rest + (middle - features_));
    }
  }

  // Makes a batch's spectra ready to be read once more.
  void recall(const Batch& batch) {
    if (!keeps_spectra_ && !in_workspace(batch)) {
      transform(batch);
    }
  }

  // Frequencies first .. last - 1 of a recalled spectrum, in consecutive pieces: body(f, count, z)
  // for `count` frequencies from f on, whose real and imaginary parts are z[0], z[1] and so on.
  template <class Body>
  void for_each_piece(const Batch& batch, Index signal, Index first, Index last, const Body& body) {
    if (!keeps_spectra_) {
      const Complex* z = in_workspace(batch) ? kept(batch, signal) : spectrum(batch, signal);
      body(first, last - first, reinterpret_cast<const Scalar*>(z + first));
      return;
    }
    const auto [head, rest] = signal_rows(batch, signal);
    const Index half = features_ / 2, odd = features_ % 2;
    const auto piece = [&](Index begin, Index end, const Scalar* z) {
      const Index from = std::max(first, begin), to = std::min(last, end);
      if (from < to) {
        body(from, to - from, z + 2 * (from - begin));
      }
    };
    piece(0, half, head);
    if (odd != 0) {  // the middle frequency has its parts in either row
      Complex& middle = spectrum(batch, signal)[half];
      middle = Complex(head[features_ - 1], rest[0]);
      piece(half, half + odd, reinterpret_cast<const Scalar*>(&middle));
    }
    piece(half + odd, features_, rest + odd);
  }

  // What the rows of a cross-correlation's signal were multiplied by: first is b's factor, second
  // is a's.
  Balance<Scalar> balance_of(const Batch& batch, Index signal) const {
    return balances_ ? balances_[batch.first_row + signal] : Balance<Scalar>();
  }

  // Derivatives to gradient rows, on all workers: fill(batch) writes the spectra of the derivatives
  // to where signal() says. For a cross-correlation the real part becomes the left view's gradient,
  // and the imaginary part the right one's. Products with `chunk_rows` rows are added up in Scalar.
  template <class Fill>
  void backward(Index first, Index last, Index chunk_rows, const Fill& fill) {
    parallel_chunks(
        workers_, first, last, chunk_rows,
        [&](int worker, Index chunk_first, Index chunk_last) {
          clear_products(worker);
          backward_chunk(worker, chunk_first, chunk_last, fill);
        },
        [&](int worker) { merge_products(worker); });
  }

 private:
  // So many bytes of signals, and as many of spectra, stay in the second-level cache.
  static constexpr Index kBatchBytes = Index{1} << 17;
  static constexpr auto kComplexBytes = static_cast<Index>(sizeof(Complex));

  // The most that is kept of spectra that no gradient row can hold: reading them is faster than
  // transforming again.
  static constexpr Index kWorkspaceBytes = Index{1} << 25;

  // Spectra are kept for whole batches.
  bool in_workspace(const Batch& batch) const { return signal_index(batch, batch.end) <= kept_; }
  Complex* kept(const Batch& batch, Index signal) {
    return workspace_.data() + signal_index(batch, signal) * padded_size();
  }
  Index signal_index(const Batch& batch, Index signal) const {
    return signals_of(batch.first_row) + signal;
  }
  // How many signals hold so many rows.
  Index signals_of(Index rows) const {
    return correlation_.is_covariance() ? (rows + 1) / 2 : rows;
  }

  bool has_products() const { return correlation_.left_products != nullptr; }
  Index buffer_size(bool direct) const { return direct ? 0 : tile_size<Scalar>(features_); }
  // Transforms start on 64-byte boundaries.
  Index padded_size() const {
    constexpr auto line = static_cast<Index>(kWorkspaceAlignment / sizeof(Scalar));
    return (size() + line - 1) / line * line;
  }

  template <class Fill>
  void backward_chunk(int worker, Index first, Index last, const Fill& fill) {
    for_each_tile(worker, first, last, [&](Batch& tile) {
      for_each_batch(tile, [&](const Batch& batch) {
        fill(batch);
        for (Index signal = batch.begin; signal < batch.end; ++signal) {
          Complex* derivative = spectrum(batch, signal);
          backward_.execute(this->signal(batch, signal), derivative);
          unpad(derivative);
          if (packing_.permutes()) {
            packing_.restore(derivative, this->signal(batch, signal));
          }
        }
        packing_.for_each_positions(
            [&](Index column, Index count) { split(batch, column, count); });
      });
      correlation_.left_gradient.store(tile.first_row, tile.rows, tile.left_gradient);
      if (!correlation_.is_covariance()) {
        correlation_.right_gradient.store(tile.first_row, tile.rows, tile.right_gradient);
      }
    });
  }

  void clear_products(int worker) {
    if (has_products()) {
      std::fill_n(products_.of(worker), 2 * features_, Scalar(0));
    }
  }
  void merge_products(int worker) {
    if (has_products()) {
      const Scalar* products = products_.of(worker);
      for (Index j = 0; j < features_; ++j) {
        correlation_.left_products[j] += Sum(products[j]);
        correlation_.right_products[j] += Sum(products[features_ + j]);
      }
    }
  }

  template <class Body>
  void for_each_tile(int worker, Index first, Index last, const Body& body) {
    const bool covariance = correlation_.is_covariance();
    for_each_chunk(last - first, kTileRows, [&](Index begin, Index end) {
      Batch tile;
      tile.worker = worker;
      tile.first_row = first + begin;
      tile.rows = end - begin;
      tile.left =
          correlation_.left->input().tile(tile.first_row, tile.rows, left_input_.of(worker));
      tile.right = covariance ? tile.left
                              : correlation_.right->input().tile(tile.first_row, tile.rows,
                                                                 right_input_.of(worker));
      if (correlation_.has_gradient()) {
        tile.left_gradient =
            correlation_.left_gradient.tile(tile.first_row, left_output_.of(worker));
        tile.right_gradient =
            covariance ? tile.left_gradient
                       : correlation_.right_gradient.tile(tile.first_row, right_output_.of(worker));
      }
      body(tile);
    });
  }

  template <class Body>
  void for_each_batch(Batch& tile, const Body& body) {
    for_each_chunk(signals_of(tile.rows), batch_, [&](Index begin, Index end) {
      tile.begin = begin;
      tile.end = end;
      body(tile);
    });
  }

  void load(const Batch& batch, Index first, Index count) {
    for (Index signal = batch.begin; signal < batch.end; ++signal) {
      Complex* to = this->signal(batch, signal);
      if (correlation_.is_covariance()) {
        // x_1 + i x_2; a missing second sample is zero.
        const Index row = 2 * signal;
        batch.left.prefetch_after(row + 1, first, count);
        batch.left.prefetch_after(row + 2, first, count);
        packing_.load(*correlation_.left, batch.left.row(row), *correlation_.left,
                      row + 1 < batch.rows ? batch.left.row(row + 1) : nullptr, Balance<Scalar>(),
                      first, count, to);
      } else {
        // b + i a, or b + i rev(a).
        batch.right.prefetch_after(signal, first, count);
        batch.left.prefetch_after(signal, packing_.second_column(first, count), count);
        packing_.load(*correlation_.right, batch.right.row(signal), *correlation_.left,
                      batch.left.row(signal), balance_of(batch, signal), first, count, to);
      }
    }
  }

  // Moves blocks from where packing left them, one after another, to where their transforms begin,
  // and fills up with zeros. A reversed second row, which ends at position `width`, is moved to the
  // end of a longer transform, so that lag 0 stays at position 0.
  void pad(Complex* signal) const {
    std::fill(signal + features_, signal + groups_ * width_, Complex(0));
    if (length_ == width_) {
      return;
    }
    for (Index g = groups_ - 1; g >= 0; --g) {
      Complex* block = signal + g * length_;
      if (g > 0) {
        std::copy_backward(signal + g * width_, signal + (g + 1) * width_, block + width_);
      }
      std::fill(block + width_, block + length_, Complex(0));
    }
    if (packing_.reverses()) {
      for (Index j = 1; j < width_; ++j) {
        signal[length_ - width_ + j].imag(signal[j].imag());
        signal[j].imag(0);
      }
    }
  }
  // The way back.
  void unpad(Complex* signal) const {
    if (length_ == width_) {
      return;
    }
    if (packing_.reverses()) {
      for (Index j = 1; j < width_; ++j) {
        signal[j].imag(signal[length_ - width_ + j].imag());
      }
    }
    for (Index g = 1; g < groups_; ++g) {
      const Complex* block = signal + g * length_;
      std::copy(block, block + width_, signal + g * width_);
    }
  }

  // The two gradient rows that a signal owns.
  std::pair<Scalar*, Scalar*> signal_rows(const Batch& batch, Index signal) {
    if (!correlation_.is_covariance()) {
      return {batch.left_gradient.row(signal), batch.right_gradient.row(signal)};
    }
    if (2 * signal + 1 < batch.rows) {
      return {batch.left_gradient.row(2 * signal), batch.left_gradient.row(2 * signal + 1)};
    }
    return {tail_.data(), tail_.data() + features_};  // the last of an odd number of samples
  }

  // Some positions of a batch's derivatives into their gradient rows, and their products with the
  // prepared rows. Bound by bytes.
  void split(const Batch& batch, Index column, Index count) {
    alignas(kWorkspaceAlignment) Scalar left_products[kBlock] = {}, right_products[kBlock] = {};
    const Index right_column = packing_.second_column(column, count);
    for (Index signal = batch.begin; signal < batch.end; ++signal) {
      const Complex* y =
          packing_.permutes() ? this->signal(batch, signal) : spectrum(batch, signal);
      if (correlation_.is_covariance()) {
        const Index row = 2 * signal;
        packing_.split(y, column, count, Balance<Scalar>(), batch.left_gradient.row(row),
                       row + 1 < batch.rows ? batch.left_gradient.row(row + 1) : nullptr);
        continue;
      }
      // The derivative with respect to a met b's factor, and the other one a's.
      const Balance<Scalar> met = balance_of(batch, signal);
      Scalar* left = batch.left_gradient.row(signal);
      Scalar* right = batch.right_gradient.row(signal);
      packing_.split(y, column, count, {met.second, met.first}, left, right);
      if (has_products()) {
        batch.left.prefetch_after(signal, column, count);
        batch.right.prefetch_after(signal, right_column, count);
        add_products(*correlation_.left, batch.left.row(signal) + column, left + column, column,
                     count, left_products);
        add_products(*correlation_.right, batch.right.row(signal) + right_column,
                     right + right_column, right_column, count, right_products);
      }
    }
    if (has_products()) {
      Scalar* products = products_.of(batch.worker);
      for (Index j = 0; j < count; ++j) {
        products[column + j] += left_products[j];
        products[features_ + right_column + j] += right_products[j];
      }
    }
  }

  Correlation<Scalar> correlation_;
  Index features_, width_, groups_, length_;
  int workers_;
  bool keeps_spectra_;
  Index batch_;     // signals that are handled together
  Index kept_ = 0;  // signals whose spectra are kept in the workspace
  Packing<Scalar> packing_;
  TransformPlan<Scalar> forward_, backward_;
  PerWorker<Complex> signals_, spectra_, permuted_;
  Buffer<Complex> workspace_;
  PerWorker<Scalar> left_input_, right_input_, left_output_, right_output_;
  Buffer<Scalar> tail_;
  Buffer<Balance<Scalar>> balances_;
  PerWorker<Scalar> products_;  // of one chunk's rows
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
