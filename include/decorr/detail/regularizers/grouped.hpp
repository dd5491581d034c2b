#ifndef DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
#define DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_

#include <algorithm>
#include <complex>
#include <cstddef>

#include "decorr/detail/kernels/spectral_gemm.hpp"
#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// R_sum^(b) for G = ceil(d/b) > 1 blocks: each block is transformed once, then every frequency is a
// small complex product (docs/mathematics.md, grouped form). grouped_gram.hpp is the other route.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n d log b + n d G) time. Memory: the spectra and derivatives of kChunkRows rows, and O(d G).
// Frequencies are computed kLaneCount at a time: as many as a vector holds, or one where a block
// has so few that most lanes would be idle.
template <class Scalar, Index kLaneCount>
class GroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;
  using ComplexSum = std::complex<Sum>;

  GroupedRelaxed(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                 CovarianceScaling scaling, const Execution& execution,
                 Spectra spectra = Spectra::recalled)
      : transforms_(correlation, relaxed, SecondRow::as_is, execution, Padding::allowed, spectra),
        covariance_(correlation.is_covariance()),
        exponent_(relaxed.exponent),
        scaling_(scaling),
        groups_(transforms_.groups()),
        length_(transforms_.length()),
        penalty_(transforms_.forward_plan(), transforms_.width(), relaxed.exponent,
                 execution.planning),
        frequencies_(penalty_.half()),
        lane_chunks_((frequencies_ + kLaneCount - 1) / kLaneCount),
        parts_(transforms_.workers(), 2 * part_size()),
        products_(
            transforms_.workers(),
            std::max(std::min(groups_, kProductRows), 2 * kDerivativeRows) * groups_ * kElement),
        chunk_size_((kChunkRows * groups_ + 1) * kElement),
        right_(lane_chunks_ * chunk_size_),
        left_(covariance_ ? 0 : right_.size()),
        block_(frequencies_),
        correlations_(Buffer<ComplexSum>::filled(groups_ * groups_ * frequencies_, ComplexSum(0))) {
    for (int worker = 0; worker < transforms_.workers(); ++worker) {
      std::fill_n(parts_.of(worker), 2 * part_size(), Scalar(0));
    }
    if (correlation.has_gradient()) {
      filters_ = Buffer<Scalar>(lane_chunks_ * groups_ * groups_ * kElement);
    }
  }

  // S_gh(f) += sum over these rows of conj(A_g(f)) B_h(f); of a covariance where h >= g.
  void accumulate(Index begin, Index end) {
    for_each_chunk(
        end - begin, kChunkRows,
        [&](Index first, Index last) {
          load_spectra(begin + first, begin + last, Pass::forward);
          correlate(last - first);
        },
        Sweep::descending);
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    Sum value = 0;
    const Sum m = transforms_.correlation().normalizer;
    const Sum factor = gradient_weight / (m * Sum(length_)) * Sum(covariance_ ? 2 : 1);
    std::fill_n(filters_.data(), filters_.size(), Scalar(0));
    for (Index g = 0; g < groups_; ++g) {
      for (Index h = covariance_ ? g : 0; h < groups_; ++h) {
        const ComplexSum* correlation = correlations_.data() + (g * groups_ + h) * frequencies_;
        for (Index f = 0; f < frequencies_; ++f) {
          block_[f] = correlation[f] / m;
        }
        // Block (h, g) of a covariance is the transposed one.
        const bool twice = covariance_ && h > g;
        value +=
            Sum(twice ? 2 : 1) *
            penalty_.apply(block_.data(), block_weights(transforms_, scaling_, exponent_, g, h));
        if (filters_) {
          for (Index f = 0; f < frequencies_; ++f) {
            const ComplexSum filter = factor * block_[f];
            set_filter(f, g, h, filter);
            if (twice) {
              set_filter(f, h, g, std::conj(filter));
            }
          }
        }
      }
    }
    return value;
  }

  // Writes the gradient with respect to the prepared rows. The tiles' order, in which sums are
  // merged, is the same for every number of threads.
  void gradient(Index begin, Index end) {
    const Index rows = std::min(kChunkRows, kTileRows * Index{transforms_.workers()});
    for_each_chunk(end - begin, rows, [&](Index first, Index last) {
      load_spectra(begin + first, begin + last, Pass::backward);
      differentiate(last - first);
      store_derivatives(begin + first, begin + last);
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
  using Packet = LanePacket<Scalar, kLaneCount>;
  static constexpr Index kElement = LaneMatrix<Scalar, kLaneCount>::kElement;

  // The real parts of a block's spectrum over the whole circle, and the imaginary ones part_size()
  // later. Vectors may reach over either end, into zeros.
  Index part_size() const { return length_ + 1 + 2 * kLaneCount; }
  Scalar* real_part(int worker) { return parts_.of(worker) + kLaneCount; }

  // Spectra, and the derivatives that replace them, are stored [chunk of frequencies][row of the
  // chunk][block], with one element more a chunk: at a distance of a power of two they would meet
  // in few lines of the cache.
  LaneMatrix<const Scalar, kLaneCount> spectra(const Buffer<Scalar>& buffer, Index c) const {
    return {buffer.data() + c * chunk_size_, groups_, 1};
  }
  static LaneMatrix<const Scalar, kLaneCount> transposed(
      const LaneMatrix<const Scalar, kLaneCount>& matrix) {
    return {matrix.data, matrix.col_stride, matrix.row_stride};
  }
  const Buffer<Scalar>& left() const { return covariance_ ? right_ : left_; }
  // Where the real part of a frequency is, in matrices of `size` elements.
  static Index lane(Index f, Index element, Index size) {
    return ((f / kLaneCount) * size + element) * kElement + f % kLaneCount;
  }

  void set_filter(Index f, Index g, Index h, const ComplexSum& value) {
    Scalar* to = filters_.data() + lane(f, g * groups_ + h, groups_ * groups_);
    to[0] = static_cast<Scalar>(value.real());
    to[kLaneCount] = static_cast<Scalar>(value.imag());
  }

  // For blocks first .. first + blocks - 1, g and h counted as one.
  void add_product(const Scalar* product, Index c, Index first, Index blocks) {
    const Index f = c * kLaneCount, count = std::min(kLaneCount, frequencies_ - f);
    for (Index block = 0; block < blocks; ++block) {
      const Scalar* from = product + block * kElement;
      auto* to = reinterpret_cast<Sum*>(correlations_.data() + (first + block) * frequencies_ + f);
      for (Index i = 0; i < count; ++i) {
        to[2 * i] += Sum(from[i]);
        to[2 * i + 1] += Sum(from[kLaneCount + i]);
      }
    }
  }

  enum class Pass { forward, backward };

  void load_spectra(Index first, Index last, Pass pass) {
    transforms_.for_each_batch(first, last, [&](const auto& batch) {
      if (pass == Pass::forward) {
        transforms_.transform(batch);
      } else {
        transforms_.recall(batch);
      }
      for (Index signal = batch.begin; signal < batch.end; ++signal) {
        for (Index g = 0; g < groups_; ++g) {
          unpack(batch, signal, g, pass, first);
        }
        if (pass == Pass::forward) {
          transforms_.keep(batch, signal, 0, transforms_.size());
        }
      }
    });
  }

  // Takes the spectra of a block apart that share a signal. `first` is the chunk's first row.
  template <class Batch>
  void unpack(const Batch& batch, Index signal, Index g, Pass pass, Index first) {
    Scalar* real = real_part(batch.worker);
    Scalar* imaginary = real + part_size();
    const Index begin = g * length_;
    const auto take = [&](Index from, Index count, const Scalar* z) {
      for (Index f = 0; f < count; ++f) {
        real[from - begin + f] = z[2 * f];
        imaginary[from - begin + f] = z[2 * f + 1];
      }
    };
    if (pass == Pass::forward) {
      take(begin, length_,
           reinterpret_cast<const Scalar*>(transforms_.spectrum(batch, signal) + begin));
    } else {
      transforms_.for_each_piece(batch, signal, begin, begin + length_, take);
    }
    real[length_] = real[0];
    imaginary[length_] = imaginary[0];
    unpack(real, imaginary, g, transforms_.balance_of(batch, signal),
           transforms_.first_row(batch, signal) - first, batch.first_row + batch.rows - first);
  }

  // U_f = (Z_f + conj(Z_-f)) / 2, V_f = (Z_f - conj(Z_-f)) / (2 i). U is the right view's and V the
  // left one's, or they are two samples'.
  void unpack(const Scalar* real, const Scalar* imaginary, Index g, const Balance<Scalar>& met,
              Index row, Index rows) {
    Scalar* second = covariance_ ? (row + 1 < rows ? right_.data() + groups_ * kElement : nullptr)
                                 : left_.data();
    using namespace Eigen::internal;
    const auto half_u = pset1<Packet>(met.second / 2), half_v = pset1<Packet>(met.first / 2);
    for (Index c = 0; c < lane_chunks_; ++c) {
      // Lanes beyond the last frequency hold something that nobody reads.
      const Index f = c * kLaneCount;
      const auto x = ploadu<Packet>(real + f), y = ploadu<Packet>(imaginary + f);
      const auto mirrored_x = load_mirrored(real + length_ - f);
      const auto mirrored_y = load_mirrored(imaginary + length_ - f);
      const Index offset = c * chunk_size_ + (row * groups_ + g) * kElement;
      Scalar* u = right_.data() + offset;
      pstore(u, pmul(half_u, padd(x, mirrored_x)));
      pstore(u + kLaneCount, pmul(half_u, psub(y, mirrored_y)));
      if (second != nullptr) {
        Scalar* v = second + offset;
        pstore(v, pmul(half_v, padd(y, mirrored_y)));
        pstore(v + kLaneCount, pmul(half_v, psub(mirrored_x, x)));
      }
    }
  }

  // Lane l is from[-l].
  static Packet load_mirrored(const Scalar* from) {
    return Eigen::internal::preverse(Eigen::internal::ploadu<Packet>(from - (kLaneCount - 1)));
  }
  // Lane l goes to to[l] and to to[-l], for the first `count` lanes, at least one.
  static void store(const Packet& lanes, Index count, Scalar* to) {
    if (kLaneCount == 1 || count == kLaneCount) {
      Eigen::internal::pstoreu(to, lanes);
    } else {
      alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(kLaneCount)];
      Eigen::internal::pstore(numbers, lanes);
      std::copy(numbers, numbers + count, to);
    }
  }
  static void store_mirrored(const Packet& lanes, Index count, Scalar* to) {
    if (kLaneCount == 1 || count == kLaneCount) {
      Eigen::internal::pstoreu(to - (kLaneCount - 1), Eigen::internal::preverse(lanes));
    } else {
      alignas(kWorkspaceAlignment) Scalar numbers[static_cast<std::size_t>(kLaneCount)];
      Eigen::internal::pstore(numbers, lanes);
      std::reverse_copy(numbers, numbers + count, to - (count - 1));
    }
  }

  // Adds what a chunk's rows contribute to the correlations.
  void correlate(Index rows) {
    parallel_chunks(transforms_.workers(), 0, lane_chunks_, 1, [&](int worker, Index c, Index) {
      for_each_chunk(groups_, covariance_ ? kHermitianRows : kProductRows,
                     [&](Index g, Index g_end) {
                       const Index h = covariance_ ? g : 0, cols = groups_ - h;
                       const LaneMatrix<Scalar, kLaneCount> product{products_.of(worker), cols, 1};
                       auto left_columns = transposed(spectra(left(), c));
                       left_columns.data = left_columns.element(g, 0);
                       auto right_columns = spectra(right_, c);
                       right_columns.data = right_columns.element(0, h);
                       multiply_lanes<Conjugate::left, Scalar, kLaneCount>(
                           left_columns, right_columns, g_end - g, cols, rows, product);
                       for (Index row = g; row < g_end; ++row) {
                         add_product(product.element(row - g, 0), c, row * groups_ + h, cols);
                       }
                     });
    });
  }

  // Replaces the spectra of a chunk's rows by the derivatives of the same view's: the right view's
  // is the left one's spectra times the filter, and the other way round. Few rows at a time, since
  // each needs the other.
  void differentiate(Index rows) {
    parallel_chunks(transforms_.workers(), 0, lane_chunks_, 1, [&](int worker, Index c, Index) {
      const LaneMatrix<const Scalar, kLaneCount> filter{
          filters_.data() + c * groups_ * groups_ * kElement, groups_, 1};
      Scalar* right_product = products_.of(worker);
      Scalar* left_product = right_product + kDerivativeRows * groups_ * kElement;
      for_each_chunk(rows, kDerivativeRows, [&](Index first, Index last) {
        const Index offset = c * chunk_size_ + first * groups_ * kElement;
        const Index size = (last - first) * groups_ * kElement;
        multiply_lanes<Conjugate::none, Scalar, kLaneCount>({left().data() + offset, groups_, 1},
                                                            filter, last - first, groups_, groups_,
                                                            {right_product, groups_, 1});
        if (!covariance_) {
          multiply_lanes<Conjugate::right, Scalar, kLaneCount>(
              {right_.data() + offset, groups_, 1}, transposed(filter), last - first, groups_,
              groups_, {left_product, groups_, 1});
          std::copy(left_product, left_product + size, left_.data() + offset);
        }
        std::copy(right_product, right_product + size, right_.data() + offset);
      });
    });
  }

  void store_derivatives(Index first, Index last) {
    transforms_.backward(first, last, kTileRows, [&](const auto& batch) {
      for (Index signal = batch.begin; signal < batch.end; ++signal) {
        pack(transforms_.balance_of(batch, signal), transforms_.first_row(batch, signal) - first,
             batch.first_row + batch.rows - first, batch.worker, transforms_.signal(batch, signal));
      }
    });
  }

  // Packs two derivatives, U + i V over the whole circle, for one inverse transform: the left
  // view's and the right one's, or two samples'. Each has the size of the other view, so they are
  // balanced the other way round.
  void pack(const Balance<Scalar>& met, Index row, Index rows, int worker, Complex* signal) {
    const Scalar* first = left().data();
    const Scalar* second =
        covariance_ ? (row + 1 < rows ? first + groups_ * kElement : nullptr) : right_.data();
    using namespace Eigen::internal;
    alignas(kWorkspaceAlignment) const Scalar zeros[static_cast<std::size_t>(kElement)] = {};
    const auto u_factor = pset1<Packet>(met.first), v_factor = pset1<Packet>(met.second);
    Scalar* real = real_part(worker);
    Scalar* imaginary = real + part_size();
    for (Index g = 0; g < groups_; ++g) {
      for (Index c = 0; c < lane_chunks_; ++c) {
        const Index f = c * kLaneCount, count = std::min(kLaneCount, frequencies_ - f);
        const Index offset = c * chunk_size_ + (row * groups_ + g) * kElement;
        const Scalar* u = first + offset;
        const Scalar* v = second == nullptr ? zeros : second + offset;
        const auto u_real = pmul(u_factor, pload<Packet>(u));
        const auto u_imaginary = pmul(u_factor, pload<Packet>(u + kLaneCount));
        const auto v_real = pmul(v_factor, pload<Packet>(v));
        const auto v_imaginary = pmul(v_factor, pload<Packet>(v + kLaneCount));
        store(psub(u_real, v_imaginary), count, real + f);
        store(padd(v_real, u_imaginary), count, imaginary + f);
        store_mirrored(padd(u_real, v_imaginary), count, real + length_ - f);
        store_mirrored(psub(v_real, u_imaginary), count, imaginary + length_ - f);
      }
      auto* z = reinterpret_cast<Scalar*>(signal + g * length_);
      for (Index f = 0; f < length_; ++f) {
        z[2 * f] = real[f];
        z[2 * f + 1] = imaginary[f];
      }
    }
  }

  PackedTransforms<Scalar> transforms_;
  bool covariance_;
  int exponent_;
  CovarianceScaling scaling_;
  Index groups_, length_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_, lane_chunks_;
  PerWorker<Scalar> parts_, products_;
  Index chunk_size_;  // scalars of a chunk of frequencies
  Buffer<Scalar> right_, left_, filters_;
  Buffer<ComplexSum> block_, correlations_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GROUPED_HPP_
