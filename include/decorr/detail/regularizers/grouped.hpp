#ifndef DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
#define DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_

#include <algorithm>
#include <complex>
#include <cstddef>

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/kernels/spectral_gemm.hpp"
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
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/options.hpp"

// R_sum^(b) for G = ceil(d/b) > 1 blocks: each block is transformed once, then every frequency is a
// small complex product (docs/mathematics.md, grouped form). grouped_gram.hpp is the other route.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n d log b + n d G) time. Memory: the spectra and derivatives of kChunkRows rows, and O(d G).
// Frequencies are computed several at a time: as many as a vector has lanes, or one where a block
// has so few that most lanes would be idle.
template <class Scalar>
class GroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;
  using ComplexSum = std::complex<Sum>;

  DECORR_DETAIL_COLD GroupedRelaxed(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                    const Relaxed& relaxed, const BlockWeights& weights)
      : fft_(arena, fft_setup(setup, relaxed, SecondRow::as_is, Padding::allowed, setup.place)),
        is_covariance_(setup.is_covariance()),
        wants_a_(setup.access.gradient_a && !is_covariance_),
        wants_b_(setup.access.gradient_b || is_covariance_),
        weights_(weights),
        num_blocks_(fft_.layout().num_blocks),
        length_(fft_.layout().fft_length),
        penalty_(arena, fft_.forward_plan(), fft_.layout().block_size, relaxed.exponent,
                 setup.execution.planning),
        frequencies_(penalty_.num_frequencies()),
        lanes_(4 * frequencies_ > kLanes<Scalar> ? kLanes<Scalar> : 1),
        element_(2 * lanes_),
        lane_chunks_((frequencies_ + lanes_ - 1) / lanes_),
        parts_(arena, fft_.workers(), 2 * part_size()),
        products_(arena, fft_.workers(),
                  std::max(std::min(num_blocks_, kProductRows), 2 * kDerivativeRows) * num_blocks_ *
                      element_),
        chunk_size_((kChunkRows * num_blocks_ + 1) * element_),
        spectra_b_(arena, lane_chunks_ * chunk_size_),
        spectra_a_(is_covariance_ ? spectra_b_ : Buffer<Scalar>(arena, spectra_b_.size())),
        block_(arena, frequencies_),
        sums_(arena, num_blocks_ * num_blocks_ * frequencies_, ComplexSum(0)),
        filters_(arena, setup.access.has_gradient()
                            ? lane_chunks_ * num_blocks_ * num_blocks_ * element_
                            : 0) {
    for (int worker = 0; worker < fft_.workers(); ++worker) {
      std::fill_n(parts_.of(worker), 2 * part_size(), Scalar(0));
    }
  }

  // m S_gh(f), the sum over the rows of conj(A_g(f)) B_h(f), block by block; of a covariance where
  // h >= g.
  Buffer<ComplexSum>& sums() noexcept { return sums_; }

  void add(const BatchRows<Scalar>& rows, DiagonalSums<Scalar>* diagonal) noexcept {
    for_each_chunk(
        rows.size(), kChunkRows,
        [&](Index first, Index last) noexcept {
          fft_.forward(
              rows, first, last, kTileRows, diagonal, [](int) noexcept {},
              [&](const auto& group) noexcept {
                unpack(group, Pass::forward, first);
                for (Index signal = group.begin; signal < group.end; ++signal) {
                  fft_.save(group, signal, 0, fft_.layout().signal_size());
                }
              },
              [](int) noexcept {});
          correlate(last - first);
        },
        Sweep::descending);
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum value(Sum m, Sum gradient_weight) noexcept {
    Sum value = 0;
    const Sum factor = gradient_weight / (m * Sum(length_)) * Sum(is_covariance_ ? 2 : 1);
    filters_.fill(Scalar(0));
    for (Index g = 0; g < num_blocks_; ++g) {
      for (Index h = is_covariance_ ? g : 0; h < num_blocks_; ++h) {
        const ComplexSum* sums = sums_.data() + (g * num_blocks_ + h) * frequencies_;
        for (Index f = 0; f < frequencies_; ++f) {
          block_[f] = sums[f] / m;
        }
        // Block (h, g) of a covariance is the transposed one.
        const bool twice = is_covariance_ && h > g;
        value += Sum(twice ? 2 : 1) * penalty_.apply(block_.data(), weights_.of(g, h));
        for (Index f = 0; f < frequencies_ && filters_; ++f) {
          const ComplexSum filter = factor * block_[f];
          set_filter(f, g, h, filter);
          if (twice) {
            set_filter(f, h, g, std::conj(filter));
          }
        }
      }
    }
    return value;
  }

  // The gradient with respect to the prepared rows, through the sinks. The tiles' order, in which
  // slopes are merged, is the same for every number of threads.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    const Index chunk = std::min(kChunkRows, kTileRows * Index{fft_.workers()});
    for_each_chunk(rows.size(), chunk, [&](Index first, Index last) noexcept {
      fft_.for_each_group(rows, first, last, [&](const auto& group) noexcept {
        fft_.transform_what_was_not_saved(group);
        unpack(group, Pass::backward, first);
      });
      differentiate(last - first);
      store_derivatives(rows, first, last, sinks);
    });
  }

 private:
  // Enough rows for the products to be bound by flops, few enough for their operands to stay in the
  // second-level cache.
  static constexpr Index kChunkRows = 64;
  // As many rows of a product are computed before they are added up, or put in place.
  static constexpr Index kProductRows = 64, kDerivativeRows = 8;
  // A covariance's S_hg is conj(S_gh): of so many rows, only the blocks from their first on.
  static constexpr Index kHermitianRows = 4;
  using Matrix = LaneMatrix<Scalar>;

  // The real parts of a block's spectrum over the whole circle, and the imaginary ones part_size()
  // later. Vectors may reach over either end, into zeros.
  Index part_size() const noexcept { return length_ + 1 + 2 * lanes_; }
  Scalar* real_part(int worker) noexcept { return parts_.of(worker) + lanes_; }

  // Spectra, and the derivatives that replace them, are stored [chunk of frequencies][row of the
  // chunk][block], with one element more a chunk: at a distance of a power of two they would meet
  // in few lines of the cache. An element is real parts and then imaginary parts, one of each a
  // lane.
  Matrix spectra(Buffer<Scalar>& buffer, Index c) noexcept {
    return {buffer.data() + c * chunk_size_, num_blocks_ * element_, element_};
  }

  // Where the real part of a frequency is, in matrices of `size` elements.
  Index lane(Index f, Index element, Index size) const noexcept {
    return ((f / lanes_) * size + element) * element_ + f % lanes_;
  }

  void set_filter(Index f, Index g, Index h, const ComplexSum& value) noexcept {
    Scalar* to = filters_.data() + lane(f, g * num_blocks_ + h, num_blocks_ * num_blocks_);
    to[0] = static_cast<Scalar>(value.real());
    to[lanes_] = static_cast<Scalar>(value.imag());
  }

  // For blocks first .. first + blocks - 1, g and h counted as one.
  DECORR_DETAIL_NOINLINE void add_product(const Scalar* product, Index c, Index first,
                                          Index blocks) noexcept {
    const Index f = c * lanes_, count = std::min(lanes_, frequencies_ - f);
    for (Index block = 0; block < blocks; ++block) {
      const Scalar* from = product + block * element_;
      auto* to = reinterpret_cast<Sum*>(sums_.data() + (first + block) * frequencies_ + f);
      for (Index i = 0; i < count; ++i) {
        to[2 * i] += Sum(from[i]);
        to[2 * i + 1] += Sum(from[lanes_ + i]);
      }
    }
  }

  enum class Pass { forward, backward };

  // Takes the spectra of a group's blocks apart. `first` is the chunk's first row.
  template <class Group>
  void unpack(const Group& group, Pass pass, Index first) noexcept {
    for (Index signal = group.begin; signal < group.end; ++signal) {
      for (Index g = 0; g < num_blocks_; ++g) {
        unpack(group, signal, g, pass, first);
      }
    }
  }

  // The two spectra of a block that share a signal.
  template <class Group>
  void unpack(const Group& group, Index signal, Index g, Pass pass, Index first) noexcept {
    Scalar* real = real_part(group.worker);
    Scalar* imaginary = real + part_size();
    const Index begin = g * length_;
    const auto take = [&](Index from, Index count, const Scalar* z) noexcept {
      for (Index f = 0; f < count; ++f) {
        real[from - begin + f] = z[2 * f];
        imaginary[from - begin + f] = z[2 * f + 1];
      }
    };
    if (pass == Pass::forward) {
      take(begin, length_, reinterpret_cast<const Scalar*>(fft_.spectrum(group, signal) + begin));
    } else {
      fft_.load(group, signal, begin, begin + length_, take);
    }
    real[length_] = real[0];
    imaginary[length_] = imaginary[0];
    const Index row = fft_.first_row(group, signal) - first;
    const Index offset = (row * num_blocks_ + g) * element_;
    Scalar* u = spectra_b_.data() + offset;
    Scalar* v = second_of(group, signal, u, spectra_a_.data() + offset);
    const RowScale<Scalar> scale = fft_.row_scale_of(group, signal);
    if (lanes_ == 1) {
      split_one_lane(real, imaginary, scale, u, v);
    } else {
      split_lanes(real, imaginary, scale, u, v);
    }
  }
  // Two samples of one view share a signal, or b and a.
  template <class Group>
  Scalar* second_of(const Group& group, Index signal, Scalar* first,
                    Scalar* of_other_view) const noexcept {
    if (!is_covariance_) {
      return of_other_view;
    }
    return fft_.pairing().has_second_row(signal, group.rows) ? first + num_blocks_ * element_
                                                             : nullptr;
  }

  // U is b's spectrum and V a's, or they are two samples'.
  DECORR_DETAIL_NOINLINE void split_lanes(const Scalar* real, const Scalar* imaginary,
                                          const RowScale<Scalar>& scale, Scalar* u,
                                          Scalar* v) const noexcept {
    split<kLanes<Scalar>>(real, imaginary, scale, u, v);
  }
  // Blocks of so few features are rare: compiled for size.
  DECORR_DETAIL_COLD void split_one_lane(const Scalar* real, const Scalar* imaginary,
                                         const RowScale<Scalar>& scale, Scalar* u,
                                         Scalar* v) const noexcept {
    split<1>(real, imaginary, scale, u, v);
  }
  template <Index kCount>
  DECORR_DETAIL_INLINE void split(const Scalar* real, const Scalar* imaginary,
                                  const RowScale<Scalar>& scale, Scalar* u,
                                  Scalar* v) const noexcept {
    using Lanes = Simd<Scalar, kCount>;
    using Packet = typename Lanes::Packet;
    const Packet half_u = Lanes::broadcast(scale.second / 2),
                 half_v = Lanes::broadcast(scale.first / 2);
    for (Index c = 0; c < lane_chunks_; ++c) {
      // Lanes beyond the last frequency hold something that nobody reads.
      const Index f = c * kCount, offset = c * chunk_size_;
      const auto pair = split_spectrum<Lanes>(
          {Lanes::load_unaligned(real + f), Lanes::load_unaligned(imaginary + f),
           Lanes::load_reversed(real + length_ - f), Lanes::load_reversed(imaginary + length_ - f)},
          half_u, half_v);
      Lanes::store(u + offset, pair.first_real);
      Lanes::store(u + offset + kCount, pair.first_imaginary);
      if (v != nullptr) {
        Lanes::store(v + offset, pair.second_real);
        Lanes::store(v + offset + kCount, pair.second_imaginary);
      }
    }
  }

  // Lane l goes to to[l], or to to[-l], for the first `count` lanes, at least one.
  template <class Lanes>
  static void store(const typename Lanes::Packet& lanes, Index count, Scalar* to) noexcept {
    if (Lanes::kLaneCount == 1 || count == Lanes::kLaneCount) {
      Lanes::store_unaligned(to, lanes);
      return;
    }
    alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(Lanes::kLaneCount)];
    Lanes::store(numbers, lanes);
    std::copy(numbers, numbers + count, to);
  }
  template <class Lanes>
  static void store_reversed(const typename Lanes::Packet& lanes, Index count,
                             Scalar* to) noexcept {
    if (Lanes::kLaneCount == 1 || count == Lanes::kLaneCount) {
      Lanes::store_reversed(to, lanes);
      return;
    }
    alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(Lanes::kLaneCount)];
    Lanes::store(numbers, lanes);
    std::reverse_copy(numbers, numbers + count, to - (count - 1));
  }

  // Adds what a chunk's rows contribute to the correlations.
  void correlate(Index rows) noexcept {
    parallel_chunks(fft_.workers(), 0, lane_chunks_, 1, [&](int worker, Index c, Index) noexcept {
      for_each_chunk(num_blocks_, is_covariance_ ? kHermitianRows : kProductRows,
                     [&](Index g, Index g_end) noexcept {
                       const Index h = is_covariance_ ? g : 0, cols = num_blocks_ - h;
                       const Matrix product{products_.of(worker), cols * element_, element_};
                       multiply_spectra<Conjugate::left, Scalar>(
                           lanes_, spectra(spectra_a_, c).from(0, g).transposed(),
                           spectra(spectra_b_, c).from(0, h), g_end - g, cols, rows, product);
                       for (Index row = g; row < g_end; ++row) {
                         add_product(product.element(row - g, 0), c, row * num_blocks_ + h, cols);
                       }
                     });
    });
  }

  // Replaces the spectra of a chunk's rows by the derivatives of the same view's: b's is a's
  // spectra times the filter, and the other way round. Few rows at a time, since each needs the
  // other. Of a covariance both are one, computed as b's.
  void differentiate(Index rows) noexcept {
    parallel_chunks(fft_.workers(), 0, lane_chunks_, 1, [&](int worker, Index c, Index) noexcept {
      const Index row_stride = num_blocks_ * element_;
      const Matrix filter{filters_.data() + c * num_blocks_ * row_stride, row_stride, element_};
      const Matrix product_b{products_.of(worker), row_stride, element_};
      const Matrix product_a = product_b.from(kDerivativeRows, 0);
      for_each_chunk(rows, kDerivativeRows, [&](Index first, Index last) noexcept {
        const Matrix a = spectra(spectra_a_, c).from(first, 0);
        const Matrix b = spectra(spectra_b_, c).from(first, 0);
        const Index count = last - first, size = count * row_stride;
        if (wants_b_) {
          multiply_spectra<Conjugate::none, Scalar>(lanes_, a, filter, count, num_blocks_,
                                                    num_blocks_, product_b);
        }
        if (wants_a_) {
          multiply_spectra<Conjugate::right, Scalar>(lanes_, b, filter.transposed(), count,
                                                     num_blocks_, num_blocks_, product_a);
          std::copy(product_a.data, product_a.data + size, a.data);
        }
        if (wants_b_) {
          std::copy(product_b.data, product_b.data + size, b.data);
        }
      });
    });
  }

  void store_derivatives(const BatchRows<Scalar>& rows, Index first, Index last,
                         const GradientSinks<Scalar>& sinks) noexcept {
    fft_.backward(rows, first, last, kTileRows, sinks, [&](const auto& group) noexcept {
      for (Index signal = group.begin; signal < group.end; ++signal) {
        const Index row = fft_.first_row(group, signal) - first;
        const Index offset = row * num_blocks_ * element_;
        const Scalar* u = spectra_a_.data() + offset;
        const Scalar* v =
            second_of(group, signal, spectra_a_.data() + offset, spectra_b_.data() + offset);
        const RowScale<Scalar> scale = fft_.row_scale_of(group, signal);
        if (lanes_ == 1) {
          join_one_lane(scale, u, v, group.worker, fft_.signal(group, signal));
        } else {
          join_lanes(scale, u, v, group.worker, fft_.signal(group, signal));
        }
      }
    });
  }

  // Packs two derivatives for one inverse transform: a's and b's, or two samples'. Each has the
  // size of the other view, so they are scaled the other way round. One that nobody wants, or that
  // is not there, is zero.
  DECORR_DETAIL_NOINLINE void join_lanes(const RowScale<Scalar>& scale, const Scalar* u,
                                         const Scalar* v, int worker, Complex* signal) noexcept {
    join<kLanes<Scalar>>(scale, u, v, worker, signal);
  }
  DECORR_DETAIL_COLD void join_one_lane(const RowScale<Scalar>& scale, const Scalar* u,
                                        const Scalar* v, int worker, Complex* signal) noexcept {
    join<1>(scale, u, v, worker, signal);
  }
  template <Index kCount>
  DECORR_DETAIL_INLINE void join(const RowScale<Scalar>& scale, const Scalar* u, const Scalar* v,
                                 int worker, Complex* signal) noexcept {
    using Lanes = Simd<Scalar, kCount>;
    using Packet = typename Lanes::Packet;
    alignas(kWorkspaceAlignment) const Scalar zeros[2 * static_cast<std::size_t>(kCount)] = {};
    const bool has_u = is_covariance_ || wants_a_;
    const bool has_v = v != nullptr && wants_b_;
    const Packet u_factor = Lanes::broadcast(scale.first),
                 v_factor = Lanes::broadcast(scale.second);
    Scalar* real = real_part(worker);
    Scalar* imaginary = real + part_size();
    for (Index g = 0; g < num_blocks_; ++g) {
      for (Index c = 0; c < lane_chunks_; ++c) {
        const Index f = c * kCount, count = std::min(kCount, frequencies_ - f);
        const Index offset = c * chunk_size_ + g * element_;
        const Scalar* of_u = has_u ? u + offset : zeros;
        const Scalar* of_v = has_v ? v + offset : zeros;
        const auto z = join_spectra<Lanes>({Lanes::load(of_u), Lanes::load(of_u + kCount),
                                            Lanes::load(of_v), Lanes::load(of_v + kCount)},
                                           u_factor, v_factor);
        store<Lanes>(z.first_real, count, real + f);
        store<Lanes>(z.first_imaginary, count, imaginary + f);
        store_reversed<Lanes>(z.second_real, count, real + length_ - f);
        store_reversed<Lanes>(z.second_imaginary, count, imaginary + length_ - f);
      }
      auto* to = reinterpret_cast<Scalar*>(signal + g * length_);
      for (Index f = 0; f < length_; ++f) {
        to[2 * f] = real[f];
        to[2 * f + 1] = imaginary[f];
      }
    }
  }

  PackedFft<Scalar> fft_;
  bool is_covariance_;
  bool wants_a_, wants_b_;  // which derivatives are computed; of a covariance b's stands for both
  BlockWeights weights_;
  Index num_blocks_, length_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_;
  Index lanes_, element_;  // and the scalars that they take, real and imaginary
  Index lane_chunks_;
  PerWorker<Scalar> parts_, products_;
  Index chunk_size_;                      // scalars of a chunk of frequencies
  Buffer<Scalar> spectra_b_, spectra_a_;  // of a covariance, one and the same
  Buffer<ComplexSum> block_, sums_;
  Buffer<Scalar> filters_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
