#ifndef DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
#define DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_

#include <algorithm>
#include <complex>

#include "decorr/detail/kernels/spectral_gemm.hpp"
#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/spectra/spectrum_rows.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/options.hpp"

// R_sum^(b) for G = ceil(d/b) > 1 blocks: each block is transformed once, then every frequency is a
// small complex product (docs/mathematics.md, grouped form). grouped_gram.hpp is the other route.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n d log b + n d G) time. Memory: O(d G), and the spectra of all rows where a gradient is wanted
// and they find room, else those of a window of rows (spectrum_rows.hpp).
//
// For q = 2 the value is a sum over frequencies once lags 0 are known, which the forward pass can
// sum: where all spectra wait, value() then turns those of one vector of frequencies after another
// into their derivatives, which takes one read of them for both. (Not of blocks of one feature:
// their lag 0 is all there is, and nothing may be left of it.)
template <class Scalar>
class GroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;
  using ComplexSum = std::complex<Sum>;

  DECORR_DETAIL_COLD GroupedRelaxed(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                    const Relaxed& relaxed, const BlockWeights& weights)
      : fft_(arena, fft_setup(setup, relaxed, SecondRow::as_is, Padding::allowed,
                              SpectrumPlace::elsewhere)),
        is_covariance_(setup.is_covariance()),
        wants_a_(setup.access.gradient_a && !is_covariance_),
        wants_b_(setup.access.gradient_b || is_covariance_),
        weights_(weights),
        penalty_(arena, fft_.forward_plan(), fft_.layout().block_size, relaxed.exponent,
                 setup.execution.planning),
        spectra_(arena, fft_.layout(), setup.pairing, setup.access, setup.place, setup.most_rows,
                 fft_.workers()),
        layout_(spectra_.layout()),
        num_blocks_(layout_.num_blocks),
        by_frequencies_(setup.has_whole_batch && !penalty_.is_in_lags() &&
                        layout_.has_full_vectors() && layout_.length > 1 &&
                        !weights.are_all_without_zero()),
        at_once_(by_frequencies_ && spectra_.holds_all()),
        window_(window_rows(setup.most_rows)),
        workers_(worker_count(setup.execution.threads, layout_.chunks, 1)),
        gathered_b_(arena, workers_, gathered_size()),
        gathered_a_(is_covariance_ ? gathered_b_
                                   : PerWorker<Scalar>(arena, workers_, gathered_size())),
        last_b_(arena, workers_, last_size()),
        last_a_(is_covariance_ ? last_b_ : PerWorker<Scalar>(arena, workers_, last_size())),
        products_(arena, workers_,
                  std::max(std::min(num_blocks_, kProductRows), 2 * kDerivativeRows) *
                      layout_.chunk_size()),
        block_(arena, layout_.frequencies),
        sums_(arena, at_once_ ? 0 : num_blocks_ * num_blocks_ * layout_.frequencies, ComplexSum(0)),
        chunk_sums_(arena, workers_, at_once_ ? num_blocks_ * num_blocks_ * layout_.lanes : 0),
        last_sums_(arena, at_once_ ? num_blocks_ * num_blocks_ : 0),
        filters_(arena, !setup.access.has_gradient()
                            ? 0
                            : (at_once_ ? Index{workers_} : layout_.chunks) * filter_size()),
        last_filter_(arena, setup.access.has_gradient() ? num_blocks_ * num_blocks_ * 2 : 0),
        lags_(arena, by_frequencies_ ? num_blocks_ : 0, LagSums<Sum>()),
        lags_of_rows_(arena, fft_.workers(), lags_.size()),
        lag_values_(arena, lags_.size()),
        values_(arena, by_frequencies_ ? layout_.chunks : 0) {}

  // m S_gh(f), the sum over the rows of conj(A_g(f)) B_h(f), block by block; of a covariance where
  // h >= g.
  Buffer<ComplexSum>& sums() noexcept { return sums_; }

  void add(const BatchRows<Scalar>& rows, DiagonalSums<Scalar>* diagonal = nullptr) noexcept {
    for_each_window(
        rows.size(),
        [&](Index first, Index last) noexcept {
          make_spectra(rows, first, last, diagonal);
          if (!at_once_) {
            for_each_frequency_chunk([&](int worker, Index chunk) noexcept {
              correlate(rows, first, last, worker, chunk);
            });
          }
        },
        Sweep::descending);
  }

  // The value of R; gradients will be those of `gradient_weight` * R. `rows` are all of them, if
  // they are at hand.
  Sum value(const BatchRows<Scalar>& rows, Sum m, Sum gradient_weight) noexcept {
    const Sum factor = gradient_weight / (m * Sum(layout_.length)) * Sum(is_covariance_ ? 2 : 1);
    return by_frequencies_ ? value_by_frequencies(rows, m, factor) : value_of_sums(m, factor);
  }

  // Whether gradient() makes whole rows, one after another, and between them reads nothing else
  // that is as large as rows.
  bool goes_row_by_row() const noexcept { return spectra_.holds_all(); }

  // The gradient with respect to the prepared rows, through the sinks.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    begin_gradient(rows);
    for_each_window(rows.size(), [&](Index first, Index last) noexcept {
      if (!spectra_.holds_all()) {
        make_spectra(rows, first, last, nullptr);
        differentiate(rows, first, last);
      }
      fft_.backward(rows, first, last, kTileRows, sinks,
                    [&](const auto& group) noexcept { join(rows, group, first); });
    });
  }
  // The same of some rows on one of so many workers, after begin_gradient(), where it goes row by
  // row; `first` is even.
  void begin_gradient(const BatchRows<Scalar>& rows) noexcept {
    if (spectra_.holds_all() && !at_once_) {
      differentiate(rows, 0, rows.size());
    }
  }
  void gradient_on(int worker, const BatchRows<Scalar>& rows, Index first, Index last,
                   const GradientSinks<Scalar>& sinks) noexcept {
    fft_.backward_on(worker, rows, first, last, sinks,
                     [&](const auto& group) noexcept { join(rows, group, 0); });
  }
  int workers() const noexcept { return fft_.workers(); }
  Index rows_of_group() const noexcept { return fft_.rows_of_group(); }

 private:
  // As many rows of a product are computed before they are added up, or put in place.
  static constexpr Index kProductRows = 64, kDerivativeRows = 8;
  static constexpr Index kRowsOfSubtotal = 64;
  // Rows whose products are added up in the scalar.
  static constexpr Index kSumRows = kSpectrumWindow;
  // A covariance's S_hg is conj(S_gh): of so many rows, only the blocks from their first on.
  static constexpr Index kHermitianRows = 4;
  // What is gathered of one chunk of frequencies stays in the second-level cache.
  static constexpr Index kGatheredBytes = Index{1} << 20;
  using Matrix = LaneMatrix<Scalar>;

  Index window_rows(Index most_rows) const {
    const Index views = is_covariance_ ? 1 : 2;
    const auto bytes = views * layout_.chunk_size() * static_cast<Index>(sizeof(Scalar));
    const Index fitting = kGatheredBytes / bytes / kSumRows * kSumRows;
    return std::clamp(fitting, kSumRows, std::max(kSumRows, most_rows));
  }
  Index gathered_size() const noexcept { return window_ * layout_.chunk_size(); }
  Index last_size() const noexcept { return window_ * num_blocks_ * 2; }
  Index filter_size() const noexcept { return num_blocks_ * layout_.chunk_size(); }

  // The rows whose spectra are there at a time.
  template <class Body>
  void for_each_window(Index rows, const Body& body, Sweep sweep = Sweep::ascending) noexcept {
    for_each_chunk(rows, spectra_.holds_all() ? std::max(rows, Index{1}) : kSpectrumWindow, body,
                   sweep);
  }
  template <class Body>
  void for_each_frequency_chunk(const Body& body) noexcept {
    parallel_chunks(workers_, 0, layout_.chunks, 1,
                    [&](int worker, Index chunk, Index) noexcept { body(worker, chunk); });
  }

  void make_spectra(const BatchRows<Scalar>& rows, Index first, Index last,
                    DiagonalSums<Scalar>* diagonal) noexcept {
    fft_.forward(
        rows, first, last, kTileRows, diagonal,
        [&](int worker) noexcept {
          std::fill_n(lags_of_rows_.of(worker), lags_.size(), LagSums<Sum>());
        },
        [&](const auto& group) noexcept { split(rows, group, first); },
        [&](int worker) noexcept {
          for (Index g = 0; g < lags_.size(); ++g) {
            lags_[g].zero += lags_of_rows_.of(worker)[g].zero;
            lags_[g].middle += lags_of_rows_.of(worker)[g].middle;
          }
        });
  }
  // A group's spectra to where they wait: b's and a's, or two samples'.
  template <class Group>
  void split(const BatchRows<Scalar>& rows, const Group& group, Index first) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      const Index row = fft_.first_row(group, signal);
      Scalar* u = spectra_.b(rows, first, row).data;
      Scalar* v = second_of(rows, group, signal, first);
      const Complex* z = fft_.spectrum(group, signal);
      const RowScale<Scalar> scale = fft_.row_scale_of(group, signal);
      for (Index g = 0; g < num_blocks_; ++g) {
        LagSums<Sum>* lags = lags_ ? lags_of_rows_.of(group.worker) + g : nullptr;
        spectra_.split(group.worker, z + g * layout_.length, scale, row, g, u, v, lags);
      }
    }
  }
  template <class Group>
  Scalar* second_of(const BatchRows<Scalar>& rows, const Group& group, Index signal,
                    Index first) noexcept {
    const Index row = fft_.first_row(group, signal);
    if (!is_covariance_) {
      return spectra_.a(rows, first, row).data;
    }
    return fft_.pairing().has_second_row(signal, group.rows) ? spectra_.b(rows, first, row + 1).data
                                                             : nullptr;
  }

  // Packs two derivatives for one inverse transform: a's and b's, or two samples'. Each has the
  // size of the other view, so they are scaled the other way round. One that nobody wants, or that
  // is not there, is zero.
  template <class Group>
  void join(const BatchRows<Scalar>& rows, const Group& group, Index first) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      const Index row = fft_.first_row(group, signal);
      const Scalar* of_b = spectra_.b(rows, first, row).data;
      const Scalar* of_second = second_of(rows, group, signal, first);
      const Scalar* u = is_covariance_ ? of_b : wants_a_ ? of_second : nullptr;
      const Scalar* v = is_covariance_ ? of_second : wants_b_ ? of_b : nullptr;
      spectra_.join(group.worker, fft_.row_scale_of(group, signal), row, u, v,
                    fft_.derivative(group, signal));
    }
  }

  // Frequencies whose products are computed together, a vector of them or frequency length/2
  // alone: the gathered rows, a's and b's, what is known of the batch, and the filter.
  struct Slice {
    bool is_last_frequency;
    Index lanes, first_frequency, count;
    Matrix a, b;
    ComplexSum* sums;  // of each pair of blocks, `sums_stride` numbers apart
    Index sums_stride;
    Matrix filter;
  };
  // Frequency length/2 comes first, as it is put in place with the others.
  DECORR_DETAIL_NOINLINE void for_each_slice(int worker, Index chunk,
                                             FunctionRef<const Slice&> body) noexcept {
    if (chunk == 0 && layout_.has_last) {
      const Index f = layout_.length / 2, row = num_blocks_ * 2;
      body(Slice{true,
                 1,
                 f,
                 1,
                 {last_a_.of(worker), row, 2},
                 {last_b_.of(worker), row, 2},
                 at_once_ ? last_sums_.data() : sums_.data() + f,
                 at_once_ ? Index{1} : layout_.frequencies,
                 {last_filter_.data(), row, 2}});
    }
    const Index f = chunk * layout_.lanes, row = layout_.chunk_size(), element = layout_.element();
    const Index filter = (at_once_ ? Index{worker} : chunk) * filter_size();
    body(Slice{false,
               layout_.lanes,
               f,
               layout_.lanes_of(chunk),
               {gathered_a_.of(worker), row, element},
               {gathered_b_.of(worker), row, element},
               at_once_ ? chunk_sums_.of(worker) : sums_.data() + f,
               at_once_ ? layout_.lanes : layout_.frequencies,
               {filters_.data() + (filters_ ? filter : 0), row, element}});
  }

  // One chunk of frequencies of some rows, to be computed with.
  void gather(const BatchRows<Scalar>& rows, Index window, Index first, Index count, int worker,
              Index chunk) noexcept {
    spectra_.gather(spectra_.b(rows, window, first), first, count, chunk, gathered_b_.of(worker),
                    last_b_.of(worker));
    if (!is_covariance_) {
      spectra_.gather(spectra_.a(rows, window, first), first, count, chunk, gathered_a_.of(worker),
                      last_a_.of(worker));
    }
  }

  // Adds what rows contribute to the correlations at one chunk of frequencies, in the same order
  // whether they come window by window or all at once.
  void correlate(const BatchRows<Scalar>& rows, Index window, Index last, int worker,
                 Index chunk) noexcept {
    for_each_chunk(
        last - window, window_,
        [&](Index begin, Index end) noexcept {
          gather(rows, window, window + begin, end - begin, worker, chunk);
          for_each_slice(worker, chunk, [&](const Slice& slice) noexcept {
            for_each_chunk(
                end - begin, kSumRows,
                [&](Index first_row, Index last_row) noexcept {
                  add_products(slice, first_row, last_row - first_row, products_.of(worker));
                },
                Sweep::descending);
          });
        },
        Sweep::descending);
  }
  DECORR_DETAIL_NOINLINE void add_products(const Slice& slice, Index first, Index count,
                                           Scalar* products) noexcept {
    const Index element = 2 * slice.lanes;
    for_each_chunk(num_blocks_, is_covariance_ ? kHermitianRows : kProductRows,
                   [&](Index g, Index g_end) noexcept {
                     const Index h = is_covariance_ ? g : 0, cols = num_blocks_ - h;
                     const Matrix product{products, cols * element, element};
                     multiply_spectra<Conjugate::left, Scalar>(
                         slice.lanes, slice.a.from(first, g).transposed(), slice.b.from(first, h),
                         g_end - g, cols, count, product);
                     for (Index row = g; row < g_end; ++row) {
                       for (Index col = h; col < num_blocks_; ++col) {
                         add_product(slice, product.element(row - g, col - h),
                                     row * num_blocks_ + col);
                       }
                     }
                   });
  }
  // For blocks g and h counted as one.
  static void add_product(const Slice& slice, const Scalar* product, Index block) noexcept {
    auto* to = reinterpret_cast<Sum*>(slice.sums + block * slice.sums_stride);
    for (Index i = 0; i < slice.count; ++i) {
      to[2 * i] += Sum(product[i]);
      to[2 * i + 1] += Sum(product[slice.lanes + i]);
    }
  }

  // Replaces a window's spectra by the derivatives of the same view's, at one chunk of frequencies:
  // b's is a's spectra times the filter, and the other way round. Of a covariance both are one,
  // computed as b's. The first rows may be gathered already.
  void differentiate(const BatchRows<Scalar>& rows, Index window, Index last, int worker,
                     Index chunk, bool is_gathered) noexcept {
    for_each_chunk(last - window, window_, [&](Index begin, Index end) noexcept {
      const Index first = window + begin, count = end - begin;
      if (!is_gathered) {
        gather(rows, window, first, count, worker, chunk);
      }
      // correlate(), which went the other way, has left the first ones.
      is_gathered = false;
      for_each_slice(worker, chunk, [&](const Slice& slice) noexcept {
        differentiate(
            slice, count, products_.of(worker),
            [&](bool is_b, Index row, Index rows_of_product, const Scalar* product) noexcept {
              const Tile<Scalar> to = is_b ? spectra_.b(rows, window, first + row)
                                           : spectra_.a(rows, window, first + row);
              const Scalar* of_last = (is_b ? last_b_ : last_a_).of(worker);
              spectra_.scatter(to, first + row, rows_of_product, chunk, product,
                               of_last + row * num_blocks_ * 2);
            });
      });
    });
  }
  // Few rows at a time, since each view needs the other's, to where put(is_b, row, count, product)
  // says; frequency length/2 in place.
  DECORR_DETAIL_NOINLINE void differentiate(
      const Slice& slice, Index rows, Scalar* products,
      FunctionRef<bool, Index, Index, const Scalar*> put) noexcept {
    const Index row_stride = slice.b.row_stride;
    const Matrix product_b{products, row_stride, 2 * slice.lanes};
    const Matrix product_a = product_b.from(kDerivativeRows, 0);
    for_each_chunk(rows, kDerivativeRows, [&](Index first, Index last) noexcept {
      const Matrix a = slice.a.from(first, 0), b = slice.b.from(first, 0);
      const Index count = last - first, size = count * row_stride;
      if (wants_b_) {
        multiply_spectra<Conjugate::none, Scalar>(slice.lanes, a, slice.filter, count, num_blocks_,
                                                  num_blocks_, product_b);
      }
      if (wants_a_) {
        multiply_spectra<Conjugate::right, Scalar>(slice.lanes, b, slice.filter.transposed(), count,
                                                   num_blocks_, num_blocks_, product_a);
      }
      if (slice.is_last_frequency) {
        std::copy(product_b.data, product_b.data + (wants_b_ ? size : 0), b.data);
        std::copy(product_a.data, product_a.data + (wants_a_ ? size : 0), a.data);
        return;
      }
      if (wants_b_) {
        put(true, first, count, product_b.data);
      }
      if (wants_a_) {
        put(false, first, count, product_a.data);
      }
    });
  }
  void differentiate(const BatchRows<Scalar>& rows, Index window, Index last) noexcept {
    for_each_frequency_chunk([&](int worker, Index chunk) noexcept {
      differentiate(rows, window, last, worker, chunk, false);
    });
  }

  // From the derivatives of a slice's frequencies for one block of C.
  DECORR_DETAIL_NOINLINE void set_filters(const Slice& slice, Index g, Index h,
                                          const ComplexSum* derivatives, Sum factor) noexcept {
    Scalar* to = slice.filter.element(g, h);
    // Block (h, g) of a covariance is the transposed one.
    Scalar* transposed = is_covariance_ ? slice.filter.element(h, g) : to;
    for (Index i = 0; i < slice.count; ++i) {
      const auto imaginary = static_cast<Scalar>(factor * derivatives[i].imag());
      transposed[i] = to[i] = static_cast<Scalar>(factor * derivatives[i].real());
      transposed[slice.lanes + i] = -imaginary;
      to[slice.lanes + i] = imaginary;
    }
    // What else a vector has is multiplied, too: nothing that may trap, or takes longer.
    for (Index i = slice.count; i < slice.lanes; ++i) {
      transposed[i] = to[i] = transposed[slice.lanes + i] = to[slice.lanes + i] = 0;
    }
  }

  // For q = 1, padded blocks, and rows that are not all at hand.
  DECORR_DETAIL_COLD Sum value_of_sums(Sum m, Sum factor) noexcept {
    return sum_over_blocks([&](Index g, Index h) noexcept {
      const ComplexSum* sums = sums_.data() + (g * num_blocks_ + h) * layout_.frequencies;
      for (Index f = 0; f < layout_.frequencies; ++f) {
        block_[f] = sums[f] / m;
      }
      const Sum value = penalty_.apply(block_.data(), weights_.of(g, h));
      for (Index chunk = 0; chunk < layout_.chunks && filters_; ++chunk) {
        for_each_slice(0, chunk, [&](const Slice& slice) noexcept {
          set_filters(slice, g, h, block_.data() + slice.first_frequency, factor);
        });
      }
      return value;
    });
  }
  // of_block(g, h) of all blocks of C. In subtotals of rows of blocks, and of some rows, as
  // thousands times thousands of additions to one number would round too often.
  template <class OfBlock>
  Sum sum_over_blocks(const OfBlock& of_block) const noexcept {
    Sum value = 0;
    for_each_chunk(num_blocks_, kRowsOfSubtotal, [&](Index first, Index last) noexcept {
      Sum of_rows = 0;
      for (Index g = first; g < last; ++g) {
        Sum of_row = 0;
        for (Index h = is_covariance_ ? g : 0; h < num_blocks_; ++h) {
          of_row += Sum(counts(g, h)) * of_block(g, h);
        }
        of_rows += of_row;
      }
      value += of_rows;
    });
    return value;
  }
  // How many blocks of C a computed one stands for.
  Index counts(Index g, Index h) const noexcept { return is_covariance_ && h > g ? 2 : 1; }

  // One chunk of frequencies after another, with correlations and derivatives in the same go if all
  // spectra wait. The value is the same bit for bit wherever they wait, and without gradients.
  Sum value_by_frequencies(const BatchRows<Scalar>& rows, Sum m, Sum factor) noexcept {
    const Index last = num_blocks_ - 1;
    // Of blocks off the diagonal and on it, and of these with the last block, which may be short.
    const LagWeights weights[] = {weights_.of(0, 1), weights_.of(0, 0), weights_.of(0, last),
                                  weights_.of(last, last)};
    const auto weights_of = [&](Index g, Index h) noexcept -> const LagWeights& {
      return weights[(g == h ? 1 : 0) + (g == last || h == last ? 2 : 0)];
    };
    Sum value = 0;
    for (Index g = 0; g < num_blocks_; ++g) {
      const Sum zero = lags_[g].zero / (m * Sum(layout_.length));
      const Sum middle = lags_[g].middle / (m * Sum(layout_.length));
      lag_values_[g] = {zero, penalty_.middle_lag(middle, zero, weights_of(g, g))};
      value += penalty_.middle_square(weights_of(g, g), lag_values_[g]);
    }
    for_each_frequency_chunk([&](int worker, Index chunk) noexcept {
      if (at_once_) {
        for_each_slice(worker, chunk, [&](const Slice& slice) noexcept {
          std::fill_n(slice.sums, num_blocks_ * num_blocks_ * slice.sums_stride, ComplexSum(0));
        });
        correlate(rows, 0, rows.size(), worker, chunk);
      }
      values_[chunk] = 0;
      for_each_slice(worker, chunk, [&](const Slice& slice) noexcept {
        values_[chunk] += sum_over_blocks([&](Index g, Index h) noexcept {
          // Replaced by the derivatives.
          ComplexSum* sums = slice.sums + (g * num_blocks_ + h) * slice.sums_stride;
          Sum of_block = 0;
          for (Index i = 0; i < slice.count; ++i) {
            sums[i] /= m;
            of_block += penalty_.square(slice.first_frequency + i, sums[i], weights_of(g, h),
                                        lag_values_[g]);
          }
          if (filters_) {
            set_filters(slice, g, h, sums, factor);
          }
          return of_block;
        });
      });
      if (at_once_) {
        differentiate(rows, 0, rows.size(), worker, chunk, true);
      }
    });
    for (Index chunk = 0; chunk < layout_.chunks; ++chunk) {
      value += values_[chunk];
    }
    return value;
  }

  PackedFft<Scalar> fft_;
  bool is_covariance_;
  bool wants_a_, wants_b_;  // which derivatives are computed; of a covariance b's stands for both
  BlockWeights weights_;
  LagPenalty<Scalar> penalty_;
  SpectrumRows<Scalar> spectra_;
  SpectrumLayout<Scalar> layout_;
  Index num_blocks_;
  bool by_frequencies_;  // whether the value is summed over frequencies, lags 0 being known
  bool at_once_;         // and value() makes the derivatives too
  Index window_;         // rows that are gathered at a time
  int workers_;          // for chunks of frequencies
  PerWorker<Scalar> gathered_b_, gathered_a_;  // of a covariance, one and the same
  PerWorker<Scalar> last_b_, last_a_;          // the same of frequency length/2
  PerWorker<Scalar> products_;
  Buffer<ComplexSum> block_, sums_;
  PerWorker<ComplexSum> chunk_sums_;  // of one chunk of frequencies, in the place of sums_
  Buffer<ComplexSum> last_sums_;      // the same of frequency length/2
  Buffer<Scalar> filters_, last_filter_;
  Buffer<LagSums<Sum>> lags_;
  PerWorker<LagSums<Sum>> lags_of_rows_;
  Buffer<LagValues<Sum>> lag_values_;
  Buffer<Sum> values_;  // of each chunk of frequencies
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
