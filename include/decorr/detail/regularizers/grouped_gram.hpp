#ifndef DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_
#define DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_

#include <algorithm>
#include <cmath>
#include <complex>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/regularizers/gram_accuracy.hpp"
#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// R_sum^(b) with q = 2 for fewer samples than blocks: at each frequency through the Gram matrices
// of the samples' spectra (docs/mathematics.md, grouped form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

enum class GroupedRoute { automatic, features, gram };

// By the sizes and options alone; the routes take equal time at about n = G (measured). Without
// squares there is no Gram route, and one Gram matrix serves all blocks, which therefore need equal
// weights: not those of a short last block's means.
template <class Scalar>
bool goes_through_gram(GroupedRoute route, const Correlation<Scalar>& correlation,
                       const Relaxed& relaxed, CovarianceScaling scaling) {
  const Index groups = (correlation.cols() + relaxed.block_size - 1) / relaxed.block_size;
  const bool possible = relaxed.exponent == 2 && (scaling != CovarianceScaling::block_mean ||
                                                  correlation.cols() % relaxed.block_size == 0);
  return possible && (route == GroupedRoute::gram ||
                      (route == GroupedRoute::automatic && correlation.rows() < groups));
}

// O(n d log b + n^2 d) time. Memory: all spectra, 2 n d scalars; 2 n^2 b for the Gram matrices, and
// derivatives of kChunkRows rows; a covariance takes half of it. Bound by the flops of the
// products, which run in tiles that depend on the sizes alone.
template <class Scalar>
class GroupedGram {
 public:
  using Sum = Accumulator<Scalar>;
  using ComplexSum = std::complex<Sum>;

  GroupedGram(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
              CovarianceScaling scaling, const Execution& execution)
      // Squares cannot be taken before the lags of a longer transform are folded.
      : transforms_(correlation, relaxed, SecondRow::as_is, execution, Padding::none,
                    Spectra::taken),
        covariance_(correlation.is_covariance()),
        scaling_(scaling),
        threads_(execution.threads),
        samples_(correlation.rows()),
        groups_(transforms_.groups()),
        length_(transforms_.length()),
        penalty_(transforms_.forward_plan(), transforms_.width(), kExponent, execution.planning),
        frequencies_(penalty_.half()),
        workers_(worker_count(
            threads_, frequencies_ * std::max(tiles(groups_, kTile), tiles(samples_, kGramTile)),
            1)),
        panels_(workers_, {{std::min(samples_, kGramTile), samples_, 2 * groups_},
                           {std::min(samples_, kChunkRows), std::min(groups_, kTile), samples_}}),
        right_(samples_ * transforms_.size()),
        left_(covariance_ ? 0 : right_.size()),
        right_gram_(samples_ * samples_ * length_),
        left_gram_(covariance_ ? 0 : right_gram_.size()),
        block_(frequencies_),
        diagonal_(Buffer<ComplexSum>::filled(frequencies_ * groups_, ComplexSum(0))),
        sums_(frequencies_),
        right_squares_(Buffer<Sum>::filled(frequencies_ * groups_, Sum(0))),
        left_squares_(Buffer<Sum>::filled(covariance_ ? 0 : right_squares_.size(), Sum(0))),
        right_blocks_(groups_),
        left_blocks_(covariance_ ? 0 : groups_) {
    if (correlation.has_gradient()) {
      correction_ = Buffer<Scalar>(2 * frequencies_ * groups_);
      right_derivative_ = Buffer<Scalar>(std::min(samples_, kChunkRows) * transforms_.size());
      left_derivative_ = Buffer<Scalar>(covariance_ ? 0 : right_derivative_.size());
    }
  }

  // Keeps the spectra of these rows, and adds to those of the diagonal blocks.
  void accumulate(Index begin, Index end) {
    for_each_chunk(
        end - begin, kChunkRows,
        [&](Index first, Index last) {
          load_spectra(begin + first, begin + last);
          add_diagonal(begin + first, begin + last);
        },
        Sweep::descending);
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    const Sum m = transforms_.correlation().normalizer;
    const Sum weight = static_cast<Sum>(weights(0, 1).weight);
    const Sum factor = gradient_weight / (m * Sum(length_)) * Sum(covariance_ ? 2 : 1);
    factor_ = static_cast<Scalar>(2 * weight * factor / m);
    fill_gram(right_, right_gram_);
    if (!covariance_) {
      fill_gram(left_, left_gram_);
    }
    // All blocks alike, less the diagonal ones, which go through the penalty.
    const GramSums<Sum> sums = sum_gram();
    Sum squares = sums.products / (m * m), value = 0;
    for (Index g = 0; g < groups_; ++g) {
      const ComplexSum* diagonal = diagonal_.data() + g;
      for (Index f = 0; f < frequencies_; ++f) {
        block_[f] = diagonal[f * groups_] / m;
        squares -= Sum(penalty_.multiplicity(f)) * std::norm(block_[f]);
      }
      value += penalty_.apply(block_.data(), weights(g, g));
      for (Index f = 0; f < frequencies_ && correction_; ++f) {
        const ComplexSum correction =
            factor * (block_[f] - 2 * weight * (diagonal[f * groups_] / m));
        Scalar* to = correction_.data() + 2 * f * groups_ + g;
        to[0] = static_cast<Scalar>(correction.real());
        to[groups_] = static_cast<Scalar>(correction.imag());
      }
    }
    sum_blocks(right_squares_, right_blocks_);
    if (!covariance_) {
      sum_blocks(left_squares_, left_blocks_);
    }
    is_accurate_ = (dominant_features(left_blocks(), right_blocks_).size() == 0 &&
                    sums.template keeps_digits<Scalar>(squares * m * m, squares * m * m,
                                                       Sum(samples_ * length_))) ||
                   !(all_finite(right_) && all_finite(left()));
    return value + weight * squares / Sum(length_);
  }

  // Whether the value and the gradient are as good as those by the other route, once finish() was
  // called.
  bool is_accurate() const { return is_accurate_; }

  // Writes the gradient with respect to the prepared rows.
  void gradient(Index begin, Index end) {
    for_each_chunk(end - begin, kChunkRows, [&](Index from, Index to) {
      const Index first = begin + from, rows = to - from;
      differentiate(first, rows, left_gram(), right_, left(), Scalar(1), right_derivative_);
      if (!covariance_) {
        differentiate(first, rows, right_gram_, left_, right_, Scalar(-1), left_derivative_);
      }
      store_derivatives(first, first + rows);
    });
  }

 private:
  static constexpr int kExponent = 2;
  // Few enough for float sums of the diagonal to be accurate, many enough for products to be fast.
  static constexpr Index kChunkRows = 64;
  // Rows of a Gram matrix, or blocks of a derivative, that one worker takes at a time.
  static constexpr Index kGramTile = 64, kTile = 512;

  const Buffer<Scalar>& left() const { return covariance_ ? right_ : left_; }
  const Buffer<Scalar>& left_gram() const { return covariance_ ? right_gram_ : left_gram_; }
  const Buffer<Sum>& left_blocks() const { return covariance_ ? right_blocks_ : left_blocks_; }
  LagWeights weights(Index g, Index h) const {
    return block_weights(transforms_, scaling_, kExponent, g, h);
  }

  // Spectra of real signals are stored as real matrices, one for each frequency: row by row, real
  // parts of all blocks, then imaginary ones where there are any. So there are as many numbers as
  // in the signals. Gram matrices are stored as real part, then imaginary part.
  Index parts(Index f) const { return penalty_.multiplicity(f); }
  Index parts_before(Index f) const { return f == 0 ? 0 : 2 * f - 1; }
  Index row_size(Index f) const { return parts(f) * groups_; }
  Index matrix_begin(Index f, Index rows) const { return parts_before(f) * groups_ * rows; }
  Index gram_begin(Index f) const { return parts_before(f) * samples_ * samples_; }

  static Index tiles(Index size, Index tile) { return (size + tile - 1) / tile; }

  // Calls body(worker, f, first, last) for every frequency and every tile of 0 .. size - 1.
  template <class Body>
  void for_each_tile(Index size, Index tile, const Body& body) {
    const Index count = tiles(size, tile), items = frequencies_ * count;
    parallel_chunks(worker_count(threads_, items, 1), 0, items, 1,
                    [&](int worker, Index item, Index) {
                      const Index first = item % count * tile;
                      body(worker, item / count, first, std::min(size, first + tile));
                    });
  }

  void load_spectra(Index first, Index last) {
    transforms_.for_each_batch(first, last, [&](const auto& batch) {
      transforms_.transform(batch);
      for (Index signal = batch.begin; signal < batch.end; ++signal) {
        unpack(reinterpret_cast<const Scalar*>(transforms_.spectrum(batch, signal)),
               transforms_.balance_of(batch, signal), transforms_.first_row(batch, signal),
               batch.first_row + batch.rows);
      }
    });
  }

  // U_f = (Z_f + conj(Z_-f)) / 2, V_f = (Z_f - conj(Z_-f)) / (2 i). U is the right view's and V the
  // left one's, or they are two samples'.
  void unpack(const Scalar* z, const Balance<Scalar>& met, Index row, Index rows) {
    const bool has_second = !covariance_ || row + 1 < rows;
    const Scalar half_u = met.second / 2, half_v = met.first / 2;
    for (Index f = 0; f < frequencies_; ++f) {
      const Scalar* at = z + 2 * f;
      const Scalar* mirrored = z + 2 * (f == 0 ? 0 : length_ - f);
      Scalar* u = right_.data() + matrix_begin(f, samples_) + row * row_size(f);
      Scalar* v = covariance_ ? u + row_size(f)
                              : left_.data() + matrix_begin(f, samples_) + row * row_size(f);
      const bool complex = parts(f) == 2;
      for (Index g = 0; g < groups_; ++g) {
        const Index i = 2 * g * length_;
        u[g] = half_u * (at[i] + mirrored[i]);
        if (complex) {
          u[groups_ + g] = half_u * (at[i + 1] - mirrored[i + 1]);
        }
      }
      for (Index g = 0; g < groups_ && has_second; ++g) {
        const Index i = 2 * g * length_;
        v[g] = half_v * (at[i + 1] + mirrored[i + 1]);
        if (complex) {
          v[groups_ + g] = half_v * (mirrored[i] - at[i]);
        }
      }
    }
  }

  // m S_gg(f) += conj(A_g(f)) B_g(f), and the squares of both. Bound by bytes.
  void add_diagonal(Index first, Index last) {
    for_each_tile(groups_, kTile, [&](int, Index f, Index column, Index end) {
      const Index width = end - column, begin = matrix_begin(f, samples_) + column;
      Scalar real[kTile] = {}, imaginary[kTile] = {}, a_square[kTile] = {}, b_square[kTile] = {};
      for (Index k = first; k < last; ++k) {
        const Scalar* a = left().data() + begin + k * row_size(f);
        const Scalar* b = right_.data() + begin + k * row_size(f);
        for (Index g = 0; g < width; ++g) {
          real[g] += a[g] * b[g];
          a_square[g] += a[g] * a[g];
          b_square[g] += b[g] * b[g];
        }
        if (parts(f) == 2) {
          for (Index g = 0; g < width; ++g) {
            const Scalar a_imaginary = a[groups_ + g], b_imaginary = b[groups_ + g];
            real[g] += a_imaginary * b_imaginary;
            imaginary[g] += a[g] * b_imaginary - a_imaginary * b[g];
            a_square[g] += a_imaginary * a_imaginary;
            b_square[g] += b_imaginary * b_imaginary;
          }
        }
      }
      const Index at = f * groups_ + column;
      for (Index g = 0; g < width; ++g) {
        diagonal_[at + g] += ComplexSum(Sum(real[g]), Sum(imaginary[g]));
        right_squares_[at + g] += Sum(b_square[g]);
        if (!covariance_) {
          left_squares_[at + g] += Sum(a_square[g]);
        }
      }
    });
  }

  // X X^*, whose real part is the product of the stored rows with each other, and whose imaginary
  // part is M - M^T with M = Im(X) Re(X)^T.
  void fill_gram(const Buffer<Scalar>& rows, Buffer<Scalar>& gram) {
    std::fill_n(gram.data(), gram.size(), Scalar(0));
    for_each_tile(samples_, kGramTile, [&](int worker, Index f, Index row, Index end) {
      const Index stride = row_size(f);
      const Stored<const Scalar> x{rows.data() + matrix_begin(f, samples_), stride};
      const Stored<const Scalar> tile{x.data + row * stride, stride};
      const Stored<Scalar> real{gram.data() + gram_begin(f) + row * samples_, samples_};
      multiply_add<Order::as_is, Order::transposed, Scalar>(tile, x, {end - row, end, stride}, real,
                                                            panels_, worker);
      if (parts(f) == 2) {
        multiply_add<Order::as_is, Order::transposed, Scalar>(
            {tile.data + groups_, stride}, x, {end - row, samples_, groups_},
            {real.data + samples_ * samples_, samples_}, panels_, worker);
      }
    });
    for_each_tile(1, 1, [&](int, Index f, Index, Index) {
      Scalar* real = gram.data() + gram_begin(f);
      Scalar* imaginary = real + samples_ * samples_;
      for (Index i = 0; i < samples_; ++i) {
        for (Index j = i + 1; j < samples_; ++j) {
          real[i * samples_ + j] = real[j * samples_ + i];
          if (parts(f) == 2) {
            Scalar& upper = imaginary[i * samples_ + j];
            Scalar& lower = imaginary[j * samples_ + i];
            upper -= lower;
            lower = -upper;
          }
        }
        if (parts(f) == 2) {
          imaginary[i * samples_ + i] = 0;
        }
      }
    });
  }

  // The sum of m^2 |S_gh(f)|^2 over all blocks and the whole circle: at each frequency it is
  // tr( (A A^*) (B B^*) ).
  GramSums<Sum> sum_gram() {
    for_each_tile(1, 1, [&](int, Index f, Index, Index) {
      const Scalar* p = left_gram().data() + gram_begin(f);
      const Scalar* q = right_gram_.data() + gram_begin(f);
      const Sum multiplicity = Sum(penalty_.multiplicity(f));
      GramSums<Sum> sums;
      for (Index part = 0; part < parts(f); ++part) {
        for (Index i = 0; i < samples_; ++i) {
          const Index first = (part * samples_ + i) * samples_;
          GramSums<Sum> row;
          for (Index j = 0; j < samples_; ++j) {
            if (i != j) {
              row.add_off_diagonal(Sum(p[first + j]), Sum(q[first + j]), multiplicity);
            }
          }
          if (part == 0) {
            row.add_diagonal(Sum(p[first + i]), Sum(q[first + i]), multiplicity);
          }
          sums.add(row);
        }
      }
      sums_[f] = sums;
    });
    GramSums<Sum> all;
    for (Index f = 0; f < frequencies_; ++f) {
      all.add(sums_[f]);
    }
    return all;
  }

  // Of each block over the whole circle.
  void sum_blocks(const Buffer<Sum>& squares, Buffer<Sum>& blocks) const {
    std::fill_n(blocks.data(), groups_, Sum(0));
    for (Index f = 0; f < frequencies_; ++f) {
      for (Index g = 0; g < groups_; ++g) {
        blocks[g] += Sum(penalty_.multiplicity(f)) * squares[f * groups_ + g];
      }
    }
  }

  // dB_g = factor (A A^* B)_g + D_g A_g for some rows, with D the diagonal blocks' correction; dA
  // by exchange, with conj(D): the sign of its imaginary part.
  void differentiate(Index first, Index rows, const Buffer<Scalar>& gram, const Buffer<Scalar>& own,
                     const Buffer<Scalar>& other, Scalar sign, Buffer<Scalar>& derivative) {
    for_each_tile(groups_, kTile, [&](int worker, Index f, Index column, Index end) {
      const Index width = end - column, stride = row_size(f), n = samples_;
      const Scalar* p = gram.data() + gram_begin(f);
      const Scalar* x = own.data() + matrix_begin(f, n) + column;
      Scalar* d = derivative.data() + matrix_begin(f, rows) + column;
      for (Index part = 0; part < parts(f); ++part) {
        for (Index k = 0; k < rows; ++k) {
          std::fill_n(d + k * stride + part * groups_, width, Scalar(0));
        }
        multiply_add<Order::as_is, Order::as_is, Scalar>(
            {p + first * n, n}, {x + part * groups_, stride}, {rows, width, n},
            {d + part * groups_, stride}, panels_, worker);
      }
      if (parts(f) == 2) {
        const Scalar* imaginary = p + n * n;  // its transpose is its negative
        multiply_add<Order::transposed, Order::as_is, Scalar>(
            {imaginary + first, n}, {x + groups_, stride}, {rows, width, n}, {d, stride}, panels_,
            worker);
        multiply_add<Order::as_is, Order::as_is, Scalar>({imaginary + first * n, n}, {x, stride},
                                                         {rows, width, n}, {d + groups_, stride},
                                                         panels_, worker);
      }
      const Scalar* correction = correction_.data() + 2 * f * groups_ + column;
      const Scalar* o = other.data() + matrix_begin(f, n) + first * stride + column;
      for (Index k = 0; k < rows; ++k) {
        correct(o + k * stride, correction, sign, width, parts(f) == 2, d + k * stride);
      }
    });
  }
  void correct(const Scalar* other, const Scalar* correction, Scalar sign, Index width,
               bool complex, Scalar* derivative) const {
    if (!complex) {
      for (Index g = 0; g < width; ++g) {
        derivative[g] = factor_ * derivative[g] + correction[g] * other[g];
      }
      return;
    }
    for (Index g = 0; g < width; ++g) {
      const Index i = groups_ + g;
      const Scalar real = correction[g], imaginary = sign * correction[i];
      derivative[g] = factor_ * derivative[g] + (real * other[g] - imaginary * other[i]);
      derivative[i] = factor_ * derivative[i] + (real * other[i] + imaginary * other[g]);
    }
  }

  void store_derivatives(Index first, Index last) {
    transforms_.backward(first, last, kTileRows, [&](const auto& batch) {
      for (Index signal = batch.begin; signal < batch.end; ++signal) {
        pack(transforms_.balance_of(batch, signal), transforms_.first_row(batch, signal) - first,
             last - first, reinterpret_cast<Scalar*>(transforms_.signal(batch, signal)));
      }
    });
  }

  // Packs two derivatives, U + i V over the whole circle, for one inverse transform: the left
  // view's and the right one's, or two samples'. Each has the size of the other view, so they are
  // balanced the other way round.
  void pack(const Balance<Scalar>& met, Index row, Index rows, Scalar* z) const {
    const bool has_second = !covariance_ || row + 1 < rows;
    const Scalar u_factor = met.first, v_factor = has_second ? met.second : Scalar(0);
    for (Index f = 0; f < frequencies_; ++f) {
      const Index offset = matrix_begin(f, rows) + row * row_size(f);
      const Scalar* u = (covariance_ ? right_derivative_ : left_derivative_).data() + offset;
      const Scalar* v = !covariance_ ? right_derivative_.data() + offset
                        : has_second ? u + row_size(f)
                                     : u;
      Scalar* at = z + 2 * f;
      Scalar* mirrored = z + 2 * (f == 0 ? 0 : length_ - f);
      for (Index g = 0; g < groups_; ++g) {
        const Index i = 2 * g * length_;
        const Scalar u_real = u_factor * u[g], v_real = v_factor * v[g];
        if (parts(f) == 1) {
          at[i] = u_real;
          at[i + 1] = v_real;
          continue;
        }
        const Scalar u_imaginary = u_factor * u[groups_ + g];
        const Scalar v_imaginary = v_factor * v[groups_ + g];
        at[i] = u_real - v_imaginary;
        at[i + 1] = v_real + u_imaginary;
        mirrored[i] = u_real + v_imaginary;
        mirrored[i + 1] = v_real - u_imaginary;
      }
    }
  }

  PackedTransforms<Scalar> transforms_;
  bool covariance_;
  CovarianceScaling scaling_;
  int threads_;
  Index samples_, groups_, length_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_;
  int workers_;
  ProductPanels<Scalar> panels_;
  bool is_accurate_ = true;
  Scalar factor_ = 1;
  Buffer<Scalar> right_, left_, right_gram_, left_gram_, right_derivative_, left_derivative_;
  Buffer<Scalar> correction_;  // of a frequency's diagonal blocks, real parts and imaginary parts
  Buffer<ComplexSum> block_, diagonal_;
  Buffer<GramSums<Sum>> sums_;                // of each frequency
  Buffer<Sum> right_squares_, left_squares_;  // of each frequency's blocks
  Buffer<Sum> right_blocks_, left_blocks_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GROUPED_GRAM_HPP_
