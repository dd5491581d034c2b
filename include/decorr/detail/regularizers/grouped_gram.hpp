#ifndef DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_
#define DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_

#include <algorithm>
#include <complex>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/kernels/gram.hpp"
#include "decorr/detail/regularizers/gram_accuracy.hpp"
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
#include "decorr/detail/spectra/block_spectra.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/options.hpp"

// R_sum^(b) with q = 2 for fewer samples than blocks: at each frequency through the Gram matrices
// of the samples' spectra (docs/mathematics.md, grouped form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// By the sizes and options alone; the routes take equal time at about n = G (measured). Without
// squares there is no Gram route, and one Gram matrix serves all blocks, which therefore need equal
// weights: not those of a short last block's means. It wants all samples at once.
template <class Scalar>
bool goes_through_gram(const RegularizerSetup<Scalar>& setup, const Relaxed& relaxed,
                       const BlockWeights& weights) {
  const Index num_blocks = (setup.features + relaxed.block_size - 1) / relaxed.block_size;
  const bool possible = relaxed.exponent == 2 && weights.are_equal() && setup.has_whole_batch;
  return possible && (setup.route == Route::gram ||
                      (setup.route == Route::automatic && setup.count < num_blocks));
}

// O(n d log b + n^2 d) time. Memory: all spectra, 2 n d scalars; 2 n^2 b for the Gram matrices, and
// derivatives of kChunkRows rows; a covariance takes half of it. Bound by the flops of the
// products, which run in tiles that depend on the sizes alone.
template <class Scalar>
class GroupedGram {
 public:
  using Sum = Accumulator<Scalar>;
  using ComplexSum = std::complex<Sum>;

  DECORR_DETAIL_COLD GroupedGram(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                 const Relaxed& relaxed, const BlockWeights& weights)
      // Squares cannot be taken before the lags of a longer transform are folded, and spectra are
      // all kept here.
      : fft_(arena,
             fft_setup(setup, relaxed, SecondRow::as_is, Padding::none, SpectrumPlace::elsewhere)),
        is_covariance_(setup.is_covariance()),
        has_gradient_(setup.access.has_gradient()),
        weights_(weights),
        threads_(setup.execution.threads),
        samples_(setup.count),
        num_blocks_(fft_.layout().num_blocks),
        length_(fft_.layout().fft_length),
        penalty_(arena, fft_.forward_plan(), fft_.layout().block_size, kExponent,
                 setup.execution.planning),
        frequencies_(penalty_.num_frequencies()),
        workers_(worker_count(
            threads_,
            frequencies_ * std::max(tiles(num_blocks_, kBlockTile), tiles(samples_, kGramRows)),
            1)),
        panels_(arena, workers_,
                {{std::min(samples_, kGramRows), samples_, 2 * num_blocks_},
                 {std::min(samples_, kChunkRows), std::min(num_blocks_, kBlockTile), samples_}}),
        a_(make_view(arena, setup.access.gradient_a)),
        b_(is_covariance_ ? a_ : make_view(arena, setup.access.gradient_b)),
        block_(arena, frequencies_),
        diagonal_(arena, frequencies_ * num_blocks_, ComplexSum(0)),
        frequency_sums_(arena, frequencies_),
        correction_(arena, has_gradient_ ? 2 * frequencies_ * num_blocks_ : 0) {}

  // Keeps the spectra of the rows, and adds to those of the diagonal blocks.
  void add(const BatchRows<Scalar>& rows) noexcept {
    for_each_chunk(
        rows.size(), kChunkRows,
        [&](Index first, Index last) noexcept {
          load_spectra(rows, first, last);
          add_diagonal(first, last);
        },
        Sweep::descending);
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  DECORR_DETAIL_COLD Sum value(Arena&, Sum m, Sum gradient_weight) {
    const Sum weight = static_cast<Sum>(weights_.of(0, 1).weight);
    const Sum factor = gradient_weight / (m * Sum(length_)) * Sum(is_covariance_ ? 2 : 1);
    factor_ = static_cast<Scalar>(2 * weight * factor / m);
    fill_gram(a_);
    if (!is_covariance_) {
      fill_gram(b_);
    }
    // All blocks alike, less the diagonal ones, which go through the penalty.
    const GramSums<Sum> sums = sum_gram();
    Sum squares = sums.products / (m * m), value = 0;
    for (Index g = 0; g < num_blocks_; ++g) {
      const ComplexSum* diagonal = diagonal_.data() + g;
      for (Index f = 0; f < frequencies_; ++f) {
        block_[f] = diagonal[f * num_blocks_] / m;
        squares -= Sum(penalty_.multiplicity(f)) * std::norm(block_[f]);
      }
      value += penalty_.apply(block_.data(), weights_.of(g, g));
      for (Index f = 0; f < frequencies_ && correction_; ++f) {
        const ComplexSum correction =
            factor * (block_[f] - 2 * weight * (diagonal[f * num_blocks_] / m));
        Scalar* to = correction_.data() + 2 * f * num_blocks_ + g;
        to[0] = static_cast<Scalar>(correction.real());
        to[num_blocks_] = static_cast<Scalar>(correction.imag());
      }
    }
    // A block that outweighs the others is most of the products, too.
    is_accurate_ = sums.template keeps_digits<Scalar>(squares * m * m, squares * m * m,
                                                      Sum(samples_ * length_)) ||
                   !(all_finite(a_.spectra) && all_finite(b_.spectra));
    return value + weight * squares / Sum(length_);
  }

  // Whether the value and the gradient are as good as those by the other route, once value() was
  // called.
  bool is_accurate() const noexcept { return is_accurate_; }

  // The gradient with respect to the prepared rows, through the sinks.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    for_each_chunk(rows.size(), kChunkRows, [&](Index first, Index last) noexcept {
      if (a_.derivative) {
        differentiate(first, last - first, b_, a_, Scalar(-1));
      }
      if (b_.derivative && !is_covariance_) {
        differentiate(first, last - first, a_, b_, Scalar(1));
      }
      store_derivatives(rows, first, last, sinks);
    });
  }

 private:
  static constexpr int kExponent = 2;
  // Few enough for float sums of the diagonal to be accurate, many enough for products to be fast.
  static constexpr Index kChunkRows = 64;
  // Blocks of a derivative that one worker takes at a time.
  static constexpr Index kBlockTile = 512;

  // Of a covariance both views are the same one, in the same memory.
  struct View {
    Buffer<Scalar> spectra, gram;
    Buffer<Scalar> derivative;  // of kChunkRows rows, where it is wanted
  };

  View make_view(Arena& arena, bool has_gradient) const {
    const Index size = fft_.layout().signal_size();
    View view;
    view.spectra = Buffer<Scalar>(arena, samples_ * size);
    view.gram = Buffer<Scalar>(arena, samples_ * samples_ * length_);
    view.derivative =
        Buffer<Scalar>(arena, has_gradient ? std::min(samples_, kChunkRows) * size : 0);
    return view;
  }

  // Spectra of real signals are stored as real matrices, one for each frequency: row by row, real
  // parts of all blocks, then imaginary ones where there are any. So there are as many numbers as
  // in the signals. Gram matrices are stored as real part, then imaginary part.
  Index parts(Index f) const noexcept { return penalty_.multiplicity(f); }
  Index parts_before(Index f) const noexcept { return f == 0 ? 0 : 2 * f - 1; }
  Index row_size(Index f) const noexcept { return parts(f) * num_blocks_; }
  Index matrix_begin(Index f, Index rows) const noexcept {
    return parts_before(f) * num_blocks_ * rows;
  }
  Index gram_begin(Index f) const noexcept { return parts_before(f) * samples_ * samples_; }

  static Index tiles(Index size, Index tile) noexcept { return (size + tile - 1) / tile; }

  // Calls body(worker, f, first, last) for every frequency and every tile of 0 .. size - 1.
  template <class Body>
  void for_each_tile(Index size, Index tile, const Body& body) noexcept {
    const Index count = tiles(size, tile), items = frequencies_ * count;
    parallel_chunks(worker_count(threads_, items, 1), 0, items, 1,
                    [&](int worker, Index item, Index) noexcept {
                      const Index first = item % count * tile;
                      body(worker, item / count, first, std::min(size, first + tile));
                    });
  }

  void load_spectra(const BatchRows<Scalar>& rows, Index first, Index last) noexcept {
    const auto nothing = [](int) noexcept {};
    fft_.forward(
        rows, first, last, kTileRows, nullptr, nothing,
        [&](const auto& group) noexcept {
          for (Index signal = group.begin; signal < group.end; ++signal) {
            split(reinterpret_cast<const Scalar*>(fft_.spectrum(group, signal)),
                  fft_.row_scale_of(group, signal), fft_.first_row(group, signal),
                  fft_.pairing().has_second_row(signal, group.rows));
          }
        },
        nothing);
  }

  // The two spectra that share a signal, b's and a's or two samples', to where they are kept.
  void split(const Scalar* z, const RowScale<Scalar>& met, Index row, bool has_second) noexcept {
    using One = Simd<Scalar, 1>;
    for (Index f = 0; f < frequencies_; ++f) {
      const Scalar* at = z + 2 * f;
      const Scalar* mirrored = z + 2 * (f == 0 ? 0 : length_ - f);
      const Index offset = matrix_begin(f, samples_) + row * row_size(f);
      Scalar* u = b_.spectra.data() + offset;
      Scalar* v = !has_second      ? nullptr
                  : is_covariance_ ? u + row_size(f)
                                   : a_.spectra.data() + offset;
      const Index imaginary = parts(f) == 2 ? num_blocks_ : 0;
      for (Index g = 0; g < num_blocks_; ++g) {
        const Index i = 2 * g * length_;
        const auto pair = split_spectrum<One>({at[i], at[i + 1], mirrored[i], mirrored[i + 1]},
                                              met.undo_first / 2, met.undo_second / 2);
        // Where there is no imaginary part, the real one takes its place.
        u[g + imaginary] = pair.first_imaginary;
        u[g] = pair.first_real;
        if (v != nullptr) {
          v[g + imaginary] = pair.second_imaginary;
          v[g] = pair.second_real;
        }
      }
    }
  }

  // m S_gg(f) += conj(A_g(f)) B_g(f). Bound by bytes.
  void add_diagonal(Index first, Index last) noexcept {
    for_each_tile(num_blocks_, kBlockTile, [&](int, Index f, Index column, Index end) noexcept {
      const Index width = end - column, begin = matrix_begin(f, samples_) + column;
      Scalar real[kBlockTile] = {}, imaginary[kBlockTile] = {};
      for (Index k = first; k < last; ++k) {
        const Scalar* a = a_.spectra.data() + begin + k * row_size(f);
        const Scalar* b = b_.spectra.data() + begin + k * row_size(f);
        for (Index g = 0; g < width; ++g) {
          real[g] += a[g] * b[g];
        }
        if (parts(f) == 2) {
          for (Index g = 0; g < width; ++g) {
            const Scalar imaginary_a = a[num_blocks_ + g], imaginary_b = b[num_blocks_ + g];
            real[g] += imaginary_a * imaginary_b;
            imaginary[g] += a[g] * imaginary_b - imaginary_a * b[g];
          }
        }
      }
      const Index at = f * num_blocks_ + column;
      for (Index g = 0; g < width; ++g) {
        diagonal_[at + g] += ComplexSum(Sum(real[g]), Sum(imaginary[g]));
      }
    });
  }

  // X X^*, whose real part is the product of the stored rows with each other, and whose imaginary
  // part is M - M^T with M = Im(X) Re(X)^T.
  void fill_gram(View& view) noexcept {
    const Index n = samples_;
    view.gram.fill(Scalar(0));
    for_each_tile(n, kGramRows, [&](int worker, Index f, Index row, Index end) noexcept {
      const Index stride = row_size(f);
      const Stored<const Scalar> x{view.spectra.data() + matrix_begin(f, n), stride};
      Scalar* real = view.gram.data() + gram_begin(f);
      add_gram_rows(x, n, stride, row, end, real, panels_, worker);
      if (parts(f) == 2) {
        multiply_add<Scalar>(Order::as_is, {x.data + row * stride + num_blocks_, stride},
                             Order::transposed, x, {end - row, n, num_blocks_},
                             {real + (n + row) * n, n}, panels_, worker);
      }
    });
    for_each_tile(1, 1, [&](int, Index f, Index, Index) noexcept {
      Scalar* real = view.gram.data() + gram_begin(f);
      mirror_lower(real, n);
      if (parts(f) == 2) {
        subtract_transpose(real + n * n, n);
      }
    });
  }

  // The sum of m^2 |S_gh(f)|^2 over all blocks and the whole circle: at each frequency it is
  // tr( (A A^*) (B B^*) ).
  GramSums<Sum> sum_gram() noexcept {
    const Index n = samples_;
    for_each_tile(1, 1, [&](int, Index f, Index, Index) noexcept {
      const Scalar* p = a_.gram.data() + gram_begin(f);
      const Scalar* q = b_.gram.data() + gram_begin(f);
      const Sum multiplicity = Sum(penalty_.multiplicity(f));
      GramSums<Sum> sums;
      for (Index i = 0; i < n; ++i) {
        sums.add_diagonal(Sum(p[i * n + i]), Sum(q[i * n + i]), multiplicity);
      }
      for (Index part = 0; part < parts(f); ++part) {
        sums.add_symmetric(p + part * n * n, q + part * n * n, n, multiplicity);
      }
      frequency_sums_[f] = sums;
    });
    GramSums<Sum> all;
    for (Index f = 0; f < frequencies_; ++f) {
      all.add(frequency_sums_[f]);
    }
    return all;
  }

  // dB_g = factor (A A^* B)_g + D_g A_g for some rows, with D the diagonal blocks' correction; dA
  // by exchange, with conj(D): the sign of its imaginary part.
  void differentiate(Index first, Index rows, const View& other, View& own, Scalar sign) noexcept {
    for_each_tile(
        num_blocks_, kBlockTile, [&](int worker, Index f, Index column, Index end) noexcept {
          const Index width = end - column, stride = row_size(f), n = samples_;
          const Scalar* p = other.gram.data() + gram_begin(f);
          const Scalar* x = own.spectra.data() + matrix_begin(f, n) + column;
          Scalar* d = own.derivative.data() + matrix_begin(f, rows) + column;
          for (Index part = 0; part < parts(f); ++part) {
            for (Index k = 0; k < rows; ++k) {
              std::fill_n(d + k * stride + part * num_blocks_, width, Scalar(0));
            }
            multiply_add<Scalar>(Order::as_is, {p + first * n, n}, Order::as_is,
                                 {x + part * num_blocks_, stride}, {rows, width, n},
                                 {d + part * num_blocks_, stride}, panels_, worker);
          }
          if (parts(f) == 2) {
            const Scalar* imaginary = p + n * n;  // its transpose is its negative
            multiply_add<Scalar>(Order::transposed, {imaginary + first, n}, Order::as_is,
                                 {x + num_blocks_, stride}, {rows, width, n}, {d, stride}, panels_,
                                 worker);
            multiply_add<Scalar>(Order::as_is, {imaginary + first * n, n}, Order::as_is,
                                 {x, stride}, {rows, width, n}, {d + num_blocks_, stride}, panels_,
                                 worker);
          }
          const Scalar* correction = correction_.data() + 2 * f * num_blocks_ + column;
          const Scalar* o = other.spectra.data() + matrix_begin(f, n) + first * stride + column;
          for (Index k = 0; k < rows; ++k) {
            correct(o + k * stride, correction, sign, width, parts(f) == 2, d + k * stride);
          }
        });
  }
  void correct(const Scalar* other, const Scalar* correction, Scalar sign, Index width,
               bool complex, Scalar* derivative) const noexcept {
    if (!complex) {
      for (Index g = 0; g < width; ++g) {
        derivative[g] = factor_ * derivative[g] + correction[g] * other[g];
      }
      return;
    }
    for (Index g = 0; g < width; ++g) {
      const Index i = num_blocks_ + g;
      const Scalar real = correction[g], imaginary = sign * correction[i];
      derivative[g] = factor_ * derivative[g] + (real * other[g] - imaginary * other[i]);
      derivative[i] = factor_ * derivative[i] + (real * other[i] + imaginary * other[g]);
    }
  }

  void store_derivatives(const BatchRows<Scalar>& rows, Index first, Index last,
                         const GradientSinks<Scalar>& sinks) noexcept {
    fft_.backward(rows, first, last, kTileRows, sinks, [&](const auto& group) noexcept {
      for (Index signal = group.begin; signal < group.end; ++signal) {
        join(fft_.row_scale_of(group, signal), fft_.first_row(group, signal) - first, last - first,
             fft_.pairing().has_second_row(signal, group.rows),
             reinterpret_cast<Scalar*>(fft_.derivative(group, signal)));
      }
    });
  }

  // Packs two derivatives for one inverse transform: a's and b's, or two samples'. Each has the
  // size of the other view, so they are scaled the other way round. One that nobody wants, or that
  // is not there, is zero.
  void join(const RowScale<Scalar>& met, Index row, Index rows, bool has_second,
            Scalar* z) const noexcept {
    using One = Simd<Scalar, 1>;
    for (Index f = 0; f < frequencies_; ++f) {
      const Index offset = matrix_begin(f, rows) + row * row_size(f);
      const Scalar* u = a_.derivative ? a_.derivative.data() + offset : nullptr;
      const Scalar* v = !has_second      ? nullptr
                        : is_covariance_ ? u + row_size(f)
                        : b_.derivative  ? b_.derivative.data() + offset
                                         : nullptr;
      const bool complex = parts(f) == 2;
      const auto real = [](const Scalar* x, Index g) noexcept {
        return x == nullptr ? Scalar(0) : x[g];
      };
      const auto imaginary = [&](const Scalar* x, Index g) noexcept {
        return x == nullptr || !complex ? Scalar(0) : x[num_blocks_ + g];
      };
      Scalar* at = z + 2 * f;
      Scalar* mirrored = z + 2 * (f == 0 ? 0 : length_ - f);
      for (Index g = 0; g < num_blocks_; ++g) {
        const Index i = 2 * g * length_;
        const auto joined = join_spectra<One>(
            {real(u, g), imaginary(u, g), real(v, g), imaginary(v, g)}, met.first, met.second);
        at[i] = joined.first_real;
        at[i + 1] = joined.first_imaginary;
        mirrored[i] = joined.second_real;
        mirrored[i + 1] = joined.second_imaginary;
      }
    }
  }

  PackedFft<Scalar> fft_;
  bool is_covariance_, has_gradient_;
  BlockWeights weights_;
  int threads_;
  Index samples_, num_blocks_, length_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_;
  int workers_;
  ProductPanels<Scalar> panels_;
  bool is_accurate_ = true;
  Scalar factor_ = 1;
  View a_, b_;
  Buffer<ComplexSum> block_, diagonal_;
  Buffer<GramSums<Sum>> frequency_sums_;
  Buffer<Scalar> correction_;  // of a frequency's diagonal blocks, real parts and imaginary parts
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_
