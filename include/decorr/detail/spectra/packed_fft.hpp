#ifndef DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
#define DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_

#include <algorithm>
#include <array>
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

  // Takes memory unless it is there: for signals that are loaded together, spectra of a group of
  // them, and what permutes one.
  void prepare(Arena& arena, int workers, Index loaded_size, Index group_size,
               Index permuted_size) {
    const std::array<Index, 4> sizes{workers, loaded_size, group_size, permuted_size};
    if (sizes != sizes_) {
      sizes_ = sizes;
      signals_ = PerWorker<Complex>(arena, workers, loaded_size);
      spectra_ = PerWorker<Complex>(arena, workers, group_size);
      derivatives_ = PerWorker<Complex>(arena, workers, group_size);
      permuted_ = PerWorker<Complex>(arena, workers, permuted_size);
    }
  }

  Complex* signals(int worker) noexcept { return signals_.of(worker); }
  Complex* spectra(int worker) noexcept { return spectra_.of(worker); }
  Complex* derivatives(int worker) noexcept { return derivatives_.of(worker); }
  Complex* permuted(int worker) noexcept { return permuted_.of(worker); }

 private:
  std::array<Index, 4> sizes_{};
  PerWorker<Complex> signals_, spectra_, derivatives_, permuted_;
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

// Memory: O(d) a thread where the matrices' rows are contiguous, and the signals of kTileRows rows
// where they are not: those are copied strip by strip, for all rows of a tile.
template <class Scalar>
class PackedFft {
 public:
  using Complex = std::complex<Scalar>;

  // A few signals of one tile of rows, handled together.
  struct SignalGroup {
    int worker;
    Index first_row, rows;  // of the tile, among the rows at hand
    Index begin, end;       // signals of the tile
    Index loaded;           // the first one that is in the buffer of signals
  };

  DECORR_DETAIL_COLD PackedFft(Arena& arena, const PackedFftSetup<Scalar>& setup)
      : pairing_(setup.pairing),
        layout_(setup.layout),
        a_(setup.a),
        b_(setup.b),
        stride_(layout_.template signal_stride<Scalar>()),
        workers_(worker_count(setup.execution.threads, setup.rows, kTileRows)),
        group_(std::max(Index{1}, std::min(kTileRows, kGroupBytes / (stride_ * kComplexBytes)))),
        loaded_(setup.access.copies() ? pairing_.num_signals(kTileRows) : group_),
        packing_(arena, layout_.features, setup.permutation, setup.second_row),
        forward_(transform_plan<Scalar>(layout_.fft_length, layout_.num_blocks, Direction::forward,
                                        setup.execution.planning)),
        buffers_(prepared_buffers(arena, setup)),
        strips_(arena, workers_, setup.access, kTileRows,
                std::min(layout_.features, kStripColumns)),
        other_strips_(arena, workers_, setup.access.inputs(), kTileRows,
                      std::min(layout_.features, kStripColumns)),
        transforms_again_(setup.place != SpectrumPlace::elsewhere) {
    if (!pairing_.pairs_samples()) {
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
  // How many rows of a tile are handled together.
  Index rows_of_group() const noexcept {
    return std::min(kTileRows, pairing_.pairs_samples() ? 2 * group_ : group_);
  }

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
          for_each_load(
              worker, chunk_first, chunk_last,
              [&](const SignalGroup& load) noexcept {
                load_signals(rows, load, Sweep::descending);
                if (diagonal != nullptr) {
                  add_diagonal(rows, load, *diagonal);
                }
                for_each_group(
                    load,
                    [&](const SignalGroup& group) noexcept {
                      transform(group);
                      body(group);
                    },
                    Sweep::descending);
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

  // Among the rows at hand, the one that a signal holds, or the first of two.
  Index first_row(const SignalGroup& group, Index signal) const noexcept {
    return group.first_row + pairing_.first_row(signal);
  }
  // What the rows of a signal of two views were multiplied by: first is b's factor, second is a's.
  RowScale<Scalar> row_scale_of(const SignalGroup& group, Index signal) const noexcept {
    return scales_ ? scales_[group.first_row + signal] : RowScale<Scalar>();
  }
  // The spectrum of a signal, after the forward transform.
  Complex* spectrum(const SignalGroup& group, Index signal) noexcept {
    return buffers_.spectra(group.worker) + (signal - group.begin) * stride_;
  }
  // Where that of its derivative is wanted, for the backward one.
  Complex* derivative(const SignalGroup& group, Index signal) noexcept {
    return buffers_.derivatives(group.worker) + (signal - group.begin) * stride_;
  }

  // Frequencies first .. last - 1 of a spectrum that has just been made wait for the backward pass,
  // where there is room.
  DECORR_DETAIL_NOINLINE void save(const BatchRows<Scalar>& rows, const SignalGroup& group,
                                   Index signal, Index first, Index last) noexcept {
    if (waits(group)) {
      store_.save(signal_rows(rows, group, signal), signal_index(group, signal),
                  spectrum(group, signal), first, last);
    }
  }
  // Makes a group's spectra ready to be loaded.
  void transform_what_was_not_saved(const SignalGroup& group) noexcept {
    if (!waits(group)) {
      transform(group);
    }
  }
  void load(const BatchRows<Scalar>& rows, const SignalGroup& group, Index signal, Index first,
            Index last, FunctionRef<Index, Index, const Scalar*> body) noexcept {
    if (waits(group)) {
      store_.load(signal_rows(rows, group, signal), signal_index(group, signal), first, last, body);
    } else {
      body(first, last - first, reinterpret_cast<const Scalar*>(spectrum(group, signal) + first));
    }
  }

  // Derivatives to gradient rows, on all workers: fill(group) writes their spectra to where
  // derivative() says. Of two views the real part becomes a's gradient, the imaginary part b's. The
  // sinks take strips of them; slopes of `chunk_rows` rows are added up in Scalar.
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
    for_each_load(worker, first, last, [&](const SignalGroup& load) noexcept {
      if (transforms_again_ && !waits(load)) {
        load_signals(rows, load, Sweep::ascending);
      }
      for_each_group(load, [&](const SignalGroup& group) noexcept {
        fill(group);
        invert(group);
      });
      packing_.for_each_positions(
          [&](Index column, Index count) noexcept { split(rows, load, column, count, sinks); });
    });
  }

 private:
  // So many bytes of signals, and as many of spectra, stay in the second-level cache.
  static constexpr Index kGroupBytes = Index{1} << 17;
  static constexpr auto kComplexBytes = static_cast<Index>(sizeof(Complex));

  TransformBuffers<Scalar> prepared_buffers(Arena& arena,
                                            const PackedFftSetup<Scalar>& setup) const {
    TransformBuffers<Scalar> own;
    TransformBuffers<Scalar>& buffers = setup.shared_buffers ? *setup.shared_buffers : own;
    buffers.prepare(arena, workers_, loaded_ * stride_, group_ * stride_,
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

  // Calls body for the signals of some rows that are loaded together, tile by tile.
  DECORR_DETAIL_NOINLINE void for_each_load(int worker, Index first, Index last,
                                            FunctionRef<const SignalGroup&> body,
                                            Sweep sweep = Sweep::ascending) noexcept {
    for_each_chunk(
        last - first, kTileRows,
        [&](Index tile_begin, Index tile_end) noexcept {
          const Index tile_rows = tile_end - tile_begin;
          for_each_chunk(
              pairing_.num_signals(tile_rows), loaded_,
              [&](Index begin, Index end) noexcept {
                body({worker, first + tile_begin, tile_rows, begin, end, begin});
              },
              sweep);
        },
        sweep);
  }
  void for_each_group(const SignalGroup& load, FunctionRef<const SignalGroup&> body,
                      Sweep sweep = Sweep::ascending) noexcept {
    for_each_chunk(
        load.end - load.begin, group_,
        [&](Index begin, Index end) noexcept {
          SignalGroup group = load;
          group.begin = load.begin + begin;
          group.end = load.begin + end;
          body(group);
        },
        sweep);
  }

  // A signal before the forward transform, or its derivative after the backward one.
  Complex* signal(const SignalGroup& group, Index signal) noexcept {
    return buffers_.signals(group.worker) + (signal - group.loaded) * stride_;
  }

  // The rows of signals that are loaded together: the first one, and how many.
  Index begin_row(const SignalGroup& load) const noexcept { return first_row(load, load.begin); }
  Index num_rows(const SignalGroup& load) const noexcept {
    return std::min(load.rows, pairing_.first_row(load.end)) - pairing_.first_row(load.begin);
  }
  // Some columns of them.
  Tile<const Scalar> strip(const InputRows<Scalar>& view, const SignalGroup& load, Index column,
                           Index count, Scalar* buffer) const noexcept {
    return view.tile(begin_row(load), num_rows(load), column, count, buffer);
  }

  DECORR_DETAIL_NOINLINE void load_signals(const BatchRows<Scalar>& rows, const SignalGroup& load,
                                           Sweep sweep) noexcept {
    RowSizes<Scalar> sizes[kTileRows];
    packing_.for_each_positions([&](Index first, Index count) noexcept {
      load_strip(rows, load, first, count, sweep, sizes);
    });
    for (Index signal = load.begin; signal < load.end && scales_; ++signal) {
      RowScale<Scalar>& scale = scales_[load.first_row + signal];
      scale = row_scale(sizes[signal - load.begin]);
      if (scale.changes_rows()) {
        packing_.scale(scale, this->signal(load, signal));
      }
    }
  }
  // Two samples of view a share a signal, x_1 + i x_2, or two views do, b + i a or b + i rev(a), of
  // which the sizes are found on the way.
  void load_strip(const BatchRows<Scalar>& rows, const SignalGroup& load, Index first, Index count,
                  Sweep sweep, RowSizes<Scalar>* sizes) noexcept {
    const bool pairs_samples = pairing_.pairs_samples();
    const Index second_column = packing_.second_column(first, count);
    const auto u = pairs_samples ? strip(rows.a, load, first, count, strips_.a(load.worker))
                                 : strip(rows.b, load, first, count, strips_.b(load.worker));
    const auto v =
        pairs_samples ? u : strip(rows.a, load, second_column, count, strips_.a(load.worker));
    for (Index signal = load.begin; signal < load.end; ++signal) {
      const Index k = pairing_.first_row(signal) - pairing_.first_row(load.begin);
      // The rows of the next signal on the way, which on the way back come before those of `load`.
      const Index rows_of_signal = pairs_samples ? 2 : 1;
      const bool goes_back = sweep == Sweep::descending && signal + 1 == load.end;
      const Index next = k + rows_of_signal * (goes_back ? 1 - 2 * (load.end - load.begin) : 1);
      u.prefetch(next, count);
      if (pairs_samples) {
        u.prefetch(next + 1, count);
        packing_.load(*a_, u.row(k), *a_,
                      pairing_.has_second_row(signal, load.rows) ? u.row(k + 1) : nullptr, first,
                      count, this->signal(load, signal), nullptr);
      } else {
        v.prefetch(next, count);
        packing_.load(*b_, u.row(k), *a_, v.row(k), first, count, this->signal(load, signal),
                      sizes + (signal - load.begin));
      }
    }
  }
  // Backwards, as loads come, so that the sums do not depend on how many rows are loaded together.
  DECORR_DETAIL_NOINLINE void add_diagonal(const BatchRows<Scalar>& rows, const SignalGroup& load,
                                           DiagonalSums<Scalar>& diagonal) noexcept {
    for_each_chunk(layout_.features, kStripColumns, [&](Index column, Index end) noexcept {
      const Index count = end - column;
      const auto a = strip(rows.a, load, column, count, strips_.a(load.worker)),
                 b = strip(rows.b, load, column, count, strips_.b(load.worker));
      for (Index k = num_rows(load) - 1; k >= 0; --k) {
        diagonal.add(load.worker, column, count, a.row(k), b.row(k));
      }
    });
  }

  DECORR_DETAIL_NOINLINE void transform(const SignalGroup& group) noexcept {
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
  void invert(const SignalGroup& group) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      Complex* to = this->signal(group, signal);
      Complex* inverse = packing_.permutes() ? buffers_.permuted(group.worker) : to;
      backward_.execute(derivative(group, signal), inverse);
      layout_.unpad(inverse, packing_.reverses());
      if (packing_.permutes()) {
        packing_.restore(inverse, to);
      }
    }
  }

  // Of the matrices whose rows are contiguous.
  SignalRows<Scalar> signal_rows(const BatchRows<Scalar>& rows, const SignalGroup& group,
                                 Index signal) const noexcept {
    const auto row = [](const OutputRows<Scalar>& gradient, Index k) noexcept {
      return gradient ? gradient.tile(k, 0, 0, nullptr).data : nullptr;
    };
    const Index first = first_row(group, signal);
    if (!pairing_.pairs_samples()) {
      return {row(rows.gradient_a, first), row(rows.gradient_b, first)};
    }
    return {row(rows.gradient_a, first), pairing_.has_second_row(signal, group.rows)
                                             ? row(rows.gradient_a, first + 1)
                                             : nullptr};
  }

  // Some columns of one view's gradient and of what its sink reads.
  struct Strips {
    Tile<const Scalar> own, other;
    Tile<Scalar> gradient;

    Scalar* row(Index k) const noexcept {
      return gradient.data == nullptr ? nullptr : gradient.row(k);
    }
  };
  Strips strips_of(const GradientSink<Scalar>& sink, const SignalGroup& load,
                   const InputRows<Scalar>& own, const InputRows<Scalar>& other,
                   const OutputRows<Scalar>& gradient, Index column, Index count,
                   Scalar* own_buffer, Scalar* other_buffer,
                   Scalar* gradient_buffer) const noexcept {
    Strips strips;
    if (!gradient) {
      return strips;
    }
    strips.gradient = gradient.tile(begin_row(load), column, count, gradient_buffer);
    if (sink.reads_rows()) {
      strips.own = strip(own, load, column, count, own_buffer);
    }
    if (sink.reads_other_rows()) {
      strips.other = strip(other, load, column, count, other_buffer);
    }
    return strips;
  }

  // Some positions of derivatives into their gradient rows, and through the sinks. Bound by bytes.
  DECORR_DETAIL_NOINLINE void split(const BatchRows<Scalar>& rows, const SignalGroup& load,
                                    Index column, Index count,
                                    const GradientSinks<Scalar>& sinks) noexcept {
    const int worker = load.worker;
    const Index first = begin_row(load), column_b = packing_.second_column(column, count);
    const Strips a =
        strips_of(sinks.a, load, rows.a, rows.b, rows.gradient_a, column, count, strips_.a(worker),
                  other_strips_.b(worker), strips_.gradient_a(worker));
    const Strips b =
        strips_of(sinks.b, load, rows.b, rows.a, rows.gradient_b, column_b, count,
                  strips_.b(worker), other_strips_.a(worker), strips_.gradient_b(worker));
    for (Index signal = load.begin; signal < load.end; ++signal) {
      const Index k = pairing_.first_row(signal) - pairing_.first_row(load.begin);
      const Complex* derivative = this->signal(load, signal);
      if (pairing_.pairs_samples()) {
        const bool has_second = pairing_.has_second_row(signal, load.rows);
        packing_.split(derivative, column, count, RowScale<Scalar>(), a.row(k),
                       has_second ? a.row(k + 1) : nullptr);
        finish(sinks.a, worker, a, k, has_second ? 2 : 1, column, count);
        continue;
      }
      // The derivative by a has been multiplied by the factor of b, and the other one by that of a.
      packing_.split(derivative, column, count, row_scale_of(load, signal), a.row(k), b.row(k));
      finish(sinks.a, worker, a, k, 1, column, count);
      finish(sinks.b, worker, b, k, 1, column_b, count);
    }
    if (rows.gradient_a) {
      rows.gradient_a.store(first, num_rows(load), column, count, a.gradient);
    }
    if (rows.gradient_b) {
      rows.gradient_b.store(first, num_rows(load), column_b, count, b.gradient);
    }
  }
  DECORR_DETAIL_NOINLINE static void finish(const GradientSink<Scalar>& sink, int worker,
                                            const Strips& strips, Index k, Index num_rows,
                                            Index column, Index count) noexcept {
    if (strips.gradient.data == nullptr || !sink.is_needed()) {
      return;
    }
    for (Index row = k; row < k + num_rows; ++row) {
      sink(worker, column, count, strips.own.data == nullptr ? nullptr : strips.own.row(row),
           strips.other.data == nullptr ? nullptr : strips.other.row(row),
           strips.gradient.row(row));
    }
  }

  SignalPairing pairing_;
  BlockLayout layout_;
  const Preparation<Scalar>* a_;
  const Preparation<Scalar>* b_;
  Index stride_;  // from one signal to the next
  int workers_;
  Index group_, loaded_;  // signals that are transformed, and loaded, together
  Packing<Scalar> packing_;
  TransformPlan<Scalar> forward_, backward_;
  TransformBuffers<Scalar> buffers_;
  TileBuffers<Scalar> strips_, other_strips_;  // of what is not contiguous
  bool transforms_again_;                      // what does not wait
  SpectrumStore<Scalar> store_;
  Buffer<RowScale<Scalar>> scales_;  // of the signals of two views
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_PACKED_FFT_HPP_
