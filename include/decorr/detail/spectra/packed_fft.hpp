#ifndef DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
#define DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_

#include <algorithm>
#include <complex>
#include <vector>

#include "decorr/detail/fft/plan_cache.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/block_layout.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/detail/spectra/row_scale.hpp"
#include "decorr/detail/spectra/signal_pairing.hpp"
#include "decorr/detail/spectra/spectrum_store.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/options.hpp"

// The transforms of every relaxed form: rows to spectra, and derivatives of spectra to gradient
// rows. One complex signal holds two rows; it is transformed block by block.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// What transforms work in, for each worker. Two that never run at the same time, those of two views
// of their own, share it, so that it stays in the cache.
template <class Scalar>
class TransformBuffers {
 public:
  using Complex = std::complex<Scalar>;

  // Takes memory for a group of signals unless it is there.
  void prepare(Arena& arena, int workers, Index group_size, Index permuted_size) {
    if (workers_ != workers || group_size_ != group_size || permuted_size_ != permuted_size) {
      workers_ = workers;
      group_size_ = group_size;
      permuted_size_ = permuted_size;
      signals_ = PerWorker<Complex>(arena, workers, group_size);
      spectra_ = PerWorker<Complex>(arena, workers, group_size);
      permuted_ = PerWorker<Complex>(arena, workers, permuted_size);
    }
  }

  Complex* signals(int worker) noexcept { return signals_.of(worker); }
  Complex* spectra(int worker) noexcept { return spectra_.of(worker); }
  Complex* permuted(int worker) noexcept { return permuted_.of(worker); }

 private:
  int workers_ = 0;
  Index group_size_ = 0, permuted_size_ = 0;
  PerWorker<Complex> signals_, spectra_, permuted_;
};

// What the transforms have to know before they see rows.
template <class Scalar>
struct PackedFftSetup {
  SignalPairing pairing;
  SecondRow second_row;
  BlockLayout layout;
  const std::vector<Index>& permutation;
  const Preparation<Scalar>* a;
  const Preparation<Scalar>* b;  // of a covariance, the same
  Index rows;                    // at hand at a time, at the most
  RowAccess access;
  SpectrumPlace place;
  Execution execution;
  TransformBuffers<Scalar>* shared_buffers = nullptr;
};

// Memory: O(d) a thread where the matrices' rows are contiguous, and tiles of kTileRows rows where
// they are not.
template <class Scalar>
class PackedFft {
 public:
  using Complex = std::complex<Scalar>;

  // A few signals of one tile of rows, handled together.
  struct SignalGroup {
    int worker;
    Index first_row, rows;  // of the tile, among the rows at hand
    Index begin, end;       // signals of the tile
    Tile<const Scalar> a, b;
    Tile<Scalar> gradient_a, gradient_b;
  };

  DECORR_DETAIL_COLD PackedFft(Arena& arena, const PackedFftSetup<Scalar>& setup)
      : pairing_(setup.pairing),
        layout_(setup.layout),
        a_(setup.a),
        b_(setup.b),
        stride_(layout_.template signal_stride<Scalar>()),
        workers_(worker_count(setup.execution.threads, setup.rows, kTileRows)),
        group_(std::max(Index{1}, std::min(kTileRows, kGroupBytes / (stride_ * kComplexBytes)))),
        packing_(arena, layout_.features, setup.permutation, setup.second_row),
        forward_(transform_plan<Scalar>(layout_.fft_length, layout_.num_blocks, Direction::forward,
                                        setup.execution.planning)),
        buffers_(prepared_buffers(arena, setup)),
        tiles_(arena, workers_, setup.access, kTileRows, layout_.features) {
    if (!pairing_.pairs_samples() && a_->is_raw()) {
      scales_ = Buffer<RowScale<Scalar>>(arena, setup.rows);
    }
    if (setup.access.has_gradient()) {
      backward_ = transform_plan<Scalar>(layout_.fft_length, layout_.num_blocks,
                                         Direction::backward, setup.execution.planning);
      const auto place = possible_place(setup.place, layout_, pairing_, setup.access);
      store_ = SpectrumStore<Scalar>(arena, place, layout_, pairing_, setup.rows);
    }
  }

  const SignalPairing& pairing() const noexcept { return pairing_; }
  const BlockLayout& layout() const noexcept { return layout_; }
  int workers() const noexcept { return workers_; }
  const TransformPlan<Scalar>& forward_plan() const noexcept { return forward_; }

  // Rows to spectra, on all workers: body(group) when a group's have been made, and around a
  // worker's chunk begin(worker) and, in order, merge(worker). `first` is even where samples are
  // paired, and so is `chunk_rows`. Adds to the diagonal, if it is not null, while rows are in the
  // cache. Backwards, as what comes before and after this pass goes forwards.
  void forward(const BatchRows<Scalar>& rows, Index first, Index last, Index chunk_rows,
               DiagonalSums<Scalar>* diagonal, FunctionRef<int> begin,
               FunctionRef<const SignalGroup&> body, FunctionRef<int> merge) noexcept {
    parallel_chunks(
        workers_, first, last, chunk_rows,
        [&](int worker, Index chunk_first, Index chunk_last) noexcept {
          if (diagonal != nullptr) {
            diagonal->begin(worker);
          }
          begin(worker);
          for_each_group(
              rows, worker, chunk_first, chunk_last,
              [&](const SignalGroup& group) noexcept {
                transform(group);
                for (Index signal = group.begin; diagonal != nullptr && signal < group.end;
                     ++signal) {
                  diagonal->add(worker, group.a.row(signal), group.b.row(signal));
                }
                body(group);
              },
              Sweep::descending);
        },
        [&](int worker) noexcept {
          if (diagonal != nullptr) {
            diagonal->merge(worker);
          }
          merge(worker);
        },
        Sweep::descending);
  }

  // Calls body(group) for the signals of some rows, group by group, on all workers.
  void for_each_group(const BatchRows<Scalar>& rows, Index first, Index last,
                      FunctionRef<const SignalGroup&> body) noexcept {
    parallel_chunks(workers_, first, last, kTileRows,
                    [&](int worker, Index chunk_first, Index chunk_last) noexcept {
                      for_each_group(rows, worker, chunk_first, chunk_last, body, Sweep::ascending);
                    });
  }

  // Among the rows at hand, the one that a signal holds, or the first of two.
  Index first_row(const SignalGroup& group, Index signal) const noexcept {
    return group.first_row + pairing_.first_row(signal);
  }
  // What the rows of a signal of two views were multiplied by: first is b's factor, second is a's.
  RowScale<Scalar> row_scale_of(const SignalGroup& group, Index signal) const noexcept {
    return scales_ ? scales_[group.first_row + signal] : RowScale<Scalar>();
  }

  // A group's rows to its spectra.
  DECORR_DETAIL_NOINLINE void transform(const SignalGroup& group) noexcept {
    if (scales_) {
      for (Index signal = group.begin; signal < group.end; ++signal) {
        scales_[group.first_row + signal] =
            row_scale(group.b.row(signal), group.a.row(signal), layout_.features);
      }
    }
    packing_.for_each_positions(
        [&](Index first, Index count) noexcept { load_rows(group, first, count); });
    for (Index signal = group.begin; signal < group.end; ++signal) {
      Complex* packed = this->signal(group, signal);
      if (packing_.permutes()) {
        Complex* permuted = buffers_.permuted(group.worker);
        packing_.permute(packed, permuted);
        packed = permuted;
      }
      layout_.pad(packed, packing_.reverses());
      forward_.execute(packed, spectrum(group, signal));
    }
  }

  // A signal before the forward transform, or the spectrum of its derivative before the backward
  // one.
  Complex* signal(const SignalGroup& group, Index signal) noexcept {
    return buffers_.signals(group.worker) + (signal - group.begin) * stride_;
  }
  // What the last transform gave for it.
  Complex* spectrum(const SignalGroup& group, Index signal) noexcept {
    return buffers_.spectra(group.worker) + (signal - group.begin) * stride_;
  }

  // Frequencies first .. last - 1 of a spectrum that transform() has just given wait for the
  // backward pass, where there is room.
  DECORR_DETAIL_NOINLINE void save(const SignalGroup& group, Index signal, Index first,
                                   Index last) noexcept {
    if (waits(group)) {
      store_.save(signal_rows(group, signal), signal_index(group, signal), spectrum(group, signal),
                  first, last);
    }
  }
  // Makes a group's spectra ready to be loaded.
  void transform_what_was_not_saved(const SignalGroup& group) noexcept {
    if (!waits(group)) {
      transform(group);
    }
  }
  void load(const SignalGroup& group, Index signal, Index first, Index last,
            FunctionRef<Index, Index, const Scalar*> body) noexcept {
    if (waits(group)) {
      store_.load(signal_rows(group, signal), signal_index(group, signal), first, last, body);
    } else {
      body(first, last - first, reinterpret_cast<const Scalar*>(spectrum(group, signal) + first));
    }
  }

  // Derivatives to gradient rows, on all workers: fill(group) writes the spectra of the derivatives
  // to where signal() says. Of two views the real part becomes a's gradient, the imaginary part
  // b's. The sinks take strips of them; slopes of `chunk_rows` rows are added up in Scalar.
  void backward(const BatchRows<Scalar>& rows, Index first, Index last, Index chunk_rows,
                const GradientSinks<Scalar>& sinks, FunctionRef<const SignalGroup&> fill) noexcept {
    parallel_chunks(
        workers_, first, last, chunk_rows,
        [&](int worker, Index chunk_first, Index chunk_last) noexcept {
          sinks.a.begin(worker, 0, layout_.features);
          sinks.b.begin(worker, 0, layout_.features);
          backward_on(worker, rows, chunk_first, chunk_last, sinks, fill);
        },
        [&](int worker) noexcept {
          sinks.a.merge(worker, 0, layout_.features);
          sinks.b.merge(worker, 0, layout_.features);
        });
  }
  // The same of some rows on one worker, whose slopes the caller begins and merges.
  DECORR_DETAIL_NOINLINE void backward_on(int worker, const BatchRows<Scalar>& rows, Index first,
                                          Index last, const GradientSinks<Scalar>& sinks,
                                          FunctionRef<const SignalGroup&> fill) noexcept {
    Reads reads{sinks.a.reads_rows() || sinks.b.reads_other_rows(),
                sinks.b.reads_rows() || sinks.a.reads_other_rows()};
    if (!store_.holds(pairing_.num_signals(last))) {
      reads.a |= reads_to_transform().a;
      reads.b |= reads_to_transform().b;
    }
    for_each_tile(rows, worker, first, last, reads, [&](SignalGroup& tile) noexcept {
      for_each_group(tile, [&](const SignalGroup& group) noexcept {
        fill(group);
        invert(group);
        packing_.for_each_positions(
            [&](Index column, Index count) noexcept { split(group, column, count, sinks); });
      });
      store_gradients(rows, tile);
    });
  }
  // How many rows of a tile are handled together.
  Index rows_of_group() const noexcept {
    return std::min(kTileRows, pairing_.pairs_samples() ? 2 * group_ : group_);
  }

 private:
  // So many bytes of signals, and as many of spectra, stay in the second-level cache.
  static constexpr Index kGroupBytes = Index{1} << 17;
  static constexpr auto kComplexBytes = static_cast<Index>(sizeof(Complex));

  TransformBuffers<Scalar> prepared_buffers(Arena& arena,
                                            const PackedFftSetup<Scalar>& setup) const {
    TransformBuffers<Scalar> own;
    TransformBuffers<Scalar>& buffers = setup.shared_buffers ? *setup.shared_buffers : own;
    buffers.prepare(arena, workers_, group_ * stride_,
                    packing_.permutes() ? layout_.signal_size() : 0);
    return buffers;
  }

  Index signal_index(const SignalGroup& group, Index signal) const noexcept {
    return pairing_.num_signals(group.first_row) + signal;
  }
  // Spectra wait for whole groups.
  bool waits(const SignalGroup& group) const noexcept {
    return store_.holds(signal_index(group, group.end));
  }

  // The views whose rows a pass reads: others are not copied.
  struct Reads {
    bool a, b;
  };
  Reads reads_to_transform() const noexcept { return {true, !pairing_.pairs_samples()}; }

  DECORR_DETAIL_NOINLINE void for_each_tile(const BatchRows<Scalar>& rows, int worker, Index first,
                                            Index last, const Reads& reads,
                                            FunctionRef<SignalGroup&> body,
                                            Sweep sweep = Sweep::ascending) noexcept {
    for_each_chunk(
        last - first, kTileRows,
        [&](Index begin, Index end) noexcept {
          SignalGroup tile{};
          tile.worker = worker;
          tile.first_row = first + begin;
          tile.rows = end - begin;
          const Index d = layout_.features;
          if (reads.a) {
            tile.a = rows.a.tile(tile.first_row, tile.rows, 0, d, tiles_.a(worker));
          }
          if (reads.b) {
            tile.b = rows.b.tile(tile.first_row, tile.rows, 0, d, tiles_.b(worker));
          }
          if (rows.gradient_a) {
            tile.gradient_a = rows.gradient_a.tile(tile.first_row, 0, d, tiles_.gradient_a(worker));
          }
          if (rows.gradient_b) {
            tile.gradient_b = rows.gradient_b.tile(tile.first_row, 0, d, tiles_.gradient_b(worker));
          }
          body(tile);
        },
        sweep);
  }
  void for_each_group(const BatchRows<Scalar>& rows, int worker, Index first, Index last,
                      FunctionRef<const SignalGroup&> body, Sweep sweep) noexcept {
    for_each_tile(
        rows, worker, first, last, reads_to_transform(),
        [&](SignalGroup& tile) noexcept { for_each_group(tile, body, sweep); }, sweep);
  }
  void for_each_group(SignalGroup& tile, FunctionRef<const SignalGroup&> body,
                      Sweep sweep = Sweep::ascending) noexcept {
    for_each_chunk(
        pairing_.num_signals(tile.rows), group_,
        [&](Index begin, Index end) noexcept {
          tile.begin = begin;
          tile.end = end;
          body(tile);
        },
        sweep);
  }
  void store_gradients(const BatchRows<Scalar>& rows, const SignalGroup& tile) noexcept {
    if (rows.gradient_a) {
      rows.gradient_a.store(tile.first_row, tile.rows, 0, layout_.features, tile.gradient_a);
    }
    if (rows.gradient_b) {
      rows.gradient_b.store(tile.first_row, tile.rows, 0, layout_.features, tile.gradient_b);
    }
  }

  void load_rows(const SignalGroup& group, Index first, Index count) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      Complex* to = this->signal(group, signal);
      if (pairing_.pairs_samples()) {
        // x_1 + i x_2; a missing second sample is zero.
        const Index row = pairing_.first_row(signal);
        group.a.prefetch_after(row + 1, first, count);
        group.a.prefetch_after(row + 2, first, count);
        packing_.load(*a_, group.a.row(row), *a_,
                      pairing_.has_second_row(signal, group.rows) ? group.a.row(row + 1) : nullptr,
                      RowScale<Scalar>(), first, count, to);
      } else {
        // b + i a, or b + i rev(a).
        group.b.prefetch_after(signal, first, count);
        group.a.prefetch_after(signal, packing_.second_column(first, count), count);
        packing_.load(*b_, group.b.row(signal), *a_, group.a.row(signal),
                      row_scale_of(group, signal), first, count, to);
      }
    }
  }

  SignalRows<Scalar> signal_rows(const SignalGroup& group, Index signal) const noexcept {
    const auto row = [](const Tile<Scalar>& tile, Index k) noexcept {
      return tile.data == nullptr ? nullptr : tile.row(k);
    };
    if (!pairing_.pairs_samples()) {
      return {row(group.gradient_a, signal), row(group.gradient_b, signal)};
    }
    const Index first = pairing_.first_row(signal);
    return {row(group.gradient_a, first), pairing_.has_second_row(signal, group.rows)
                                              ? row(group.gradient_a, first + 1)
                                              : nullptr};
  }

  void invert(const SignalGroup& group) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      Complex* derivative = spectrum(group, signal);
      backward_.execute(this->signal(group, signal), derivative);
      layout_.unpad(derivative, packing_.reverses());
      if (packing_.permutes()) {
        packing_.restore(derivative, this->signal(group, signal));
      }
    }
  }

  // Some positions of a group's derivatives into their gradient rows, and through the sinks. Bound
  // by bytes.
  DECORR_DETAIL_NOINLINE void split(const SignalGroup& group, Index column, Index count,
                                    const GradientSinks<Scalar>& sinks) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      const Complex* derivative =
          packing_.permutes() ? this->signal(group, signal) : spectrum(group, signal);
      const SignalRows<Scalar> to = signal_rows(group, signal);
      if (pairing_.pairs_samples()) {
        packing_.split(derivative, column, count, RowScale<Scalar>(), to.first, to.second);
        const Index row = pairing_.first_row(signal);
        finish(group, sinks.a, group.a, group.b, row, column, count, to.first);
        finish(group, sinks.a, group.a, group.b, row + 1, column, count, to.second);
        continue;
      }
      // The derivative by a has been multiplied by the factor of b, and the other one by that of a.
      const RowScale<Scalar> scale = row_scale_of(group, signal);
      packing_.split(derivative, column, count, {scale.second, scale.first}, to.first, to.second);
      const Index column_b = packing_.second_column(column, count);
      finish(group, sinks.a, group.a, group.b, signal, column, count, to.first);
      finish(group, sinks.b, group.b, group.a, signal, column_b, count, to.second);
    }
  }
  void finish(const SignalGroup& group, const GradientSink<Scalar>& sink,
              const Tile<const Scalar>& own, const Tile<const Scalar>& other, Index row,
              Index column, Index count, Scalar* gradient) const noexcept {
    if (gradient == nullptr || !sink.is_needed()) {
      return;
    }
    const Scalar* own_row = sink.reads_rows() ? own.row(row) + column : nullptr;
    const Scalar* other_row = sink.reads_other_rows() ? other.row(row) + column : nullptr;
    sink(group.worker, column, count, own_row, other_row, gradient + column);
  }

  SignalPairing pairing_;
  BlockLayout layout_;
  const Preparation<Scalar>* a_;
  const Preparation<Scalar>* b_;
  Index stride_;  // from one signal to the next
  int workers_;
  Index group_;  // signals that are handled together
  Packing<Scalar> packing_;
  TransformPlan<Scalar> forward_, backward_;
  TransformBuffers<Scalar> buffers_;
  TileBuffers<Scalar> tiles_;
  SpectrumStore<Scalar> store_;
  Buffer<RowScale<Scalar>> scales_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
