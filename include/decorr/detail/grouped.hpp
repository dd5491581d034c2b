#ifndef DECORR_DETAIL_GROUPED_HPP_
#define DECORR_DETAIL_GROUPED_HPP_

#include <algorithm>
#include <cmath>
#include <complex>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/lag_penalty.hpp"
#include "decorr/detail/packed_transforms.hpp"
#include "decorr/detail/packing.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/spectral_products.hpp"
#include "decorr/detail/workspace.hpp"
#include "decorr/options.hpp"

// R_sum^(b) for G = ceil(d/b) > 1 blocks: each block is transformed once, then every frequency is a
// small complex product (docs/mathematics.md, grouped form).

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
                 CovarianceScaling scaling, const Execution& execution)
      : transforms_(correlation, relaxed, SecondRow::as_is, execution),
        covariance_(correlation.is_covariance()),
        exponent_(relaxed.exponent),
        scaling_(scaling),
        width_(transforms_.width()),
        groups_(transforms_.groups()),
        penalty_(transforms_.forward_plan(), relaxed.exponent, execution.planning),
        frequencies_(penalty_.half()),
        lane_chunks_((frequencies_ + kLaneCount - 1) / kLaneCount),
        parts_(transforms_.workers(), 2 * (width_ + 1)),
        products_(transforms_.workers(), std::min(groups_, kProductRows) * groups_ * kElement),
        right_(lane_chunks_ * kChunkRows * groups_ * kElement),
        left_(covariance_ ? 0 : right_.size()),
        block_(frequencies_),
        correlations_(Buffer<ComplexSum>::filled(groups_ * groups_ * frequencies_, ComplexSum(0))) {
    if (correlation.has_gradient()) {
      filters_ = Buffer<Scalar>(lane_chunks_ * groups_ * groups_ * kElement);
      right_derivative_ = Buffer<Scalar>(right_.size());
      left_derivative_ = Buffer<Scalar>(left_.size());
    }
  }

  // S_gh(f) += sum over these rows of conj(A_g(f)) B_h(f).
  void accumulate(Index begin, Index end) {
    for_each_chunk(end - begin, kChunkRows, [&](Index first, Index last) {
      load_spectra(begin + first, begin + last, Pass::forward);
      parallel_chunks(transforms_.workers(), 0, lane_chunks_, 1, [&](int worker, Index c, Index) {
        for_each_chunk(groups_, kProductRows, [&](Index g, Index g_end) {
          const LaneMatrix<Scalar, kLaneCount> product{products_.of(worker), groups_, 1};
          auto left_columns = transposed(spectra(left(), c));
          left_columns.data = left_columns.element(g, 0);
          multiply_lanes<Conjugate::left, Scalar, kLaneCount>(
              left_columns, spectra(right_, c), g_end - g, groups_, last - first, product);
          add_product(product.data, c, g * groups_, g_end * groups_);
        });
      });
    });
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    Sum value = 0;
    const Sum m = transforms_.correlation().normalizer;
    const Sum factor = gradient_weight / (m * Sum(width_)) * Sum(covariance_ ? 2 : 1);
    std::fill_n(filters_.data(), filters_.size(), Scalar(0));
    for (Index g = 0; g < groups_; ++g) {
      for (Index h = 0; h < groups_; ++h) {
        const ComplexSum* correlation = correlations_.data() + (g * groups_ + h) * frequencies_;
        for (Index f = 0; f < frequencies_; ++f) {
          block_[f] = correlation[f] / m;
        }
        value += penalty_.apply(block_.data(), weights(g, h));
        if (filters_) {
          for (Index f = 0; f < frequencies_; ++f) {
            Scalar* to = filters_.data() + lane(f, g * groups_ + h, groups_ * groups_);
            to[0] = static_cast<Scalar>(factor * block_[f].real());
            to[kLaneCount] = static_cast<Scalar>(factor * block_[f].imag());
          }
        }
      }
    }
    return value;
  }

  // Writes the gradient with respect to the prepared rows.
  void gradient(Index begin, Index end) {
    for_each_chunk(end - begin, kChunkRows, [&](Index first, Index last) {
      load_spectra(begin + first, begin + last, Pass::backward);
      parallel_chunks(transforms_.workers(), 0, lane_chunks_, 1, [&](int, Index c, Index) {
        const LaneMatrix<const Scalar, kLaneCount> filter{
            filters_.data() + c * groups_ * groups_ * kElement, groups_, 1};
        const Index rows = last - first;
        multiply_lanes<Conjugate::none, Scalar, kLaneCount>(
            spectra(left(), c), filter, rows, groups_, groups_, derivatives(right_derivative_, c));
        if (!covariance_) {
          multiply_lanes<Conjugate::right, Scalar, kLaneCount>(
              spectra(right_, c), transposed(filter), rows, groups_, groups_,
              derivatives(left_derivative_, c));
        }
      });
      store_derivatives(begin + first, begin + last);
    });
  }

 private:
  // Enough rows for the products to be bound by flops, few enough for their operands to stay in the
  // second-level cache.
  static constexpr Index kChunkRows = 64;
  // As many rows of a product are computed before they are added up.
  static constexpr Index kProductRows = 64;
  static constexpr Index kElement = LaneMatrix<Scalar, kLaneCount>::kElement;

  // Spectra and derivatives are stored [chunk of frequencies][row of the chunk][block].
  LaneMatrix<const Scalar, kLaneCount> spectra(const Buffer<Scalar>& buffer, Index c) const {
    return {buffer.data() + c * kChunkRows * groups_ * kElement, groups_, 1};
  }
  LaneMatrix<Scalar, kLaneCount> derivatives(Buffer<Scalar>& buffer, Index c) const {
    return {buffer.data() + c * kChunkRows * groups_ * kElement, groups_, 1};
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

  LagWeights weights(Index g, Index h) const {
    LagWeights weights;
    weights.without_zero = g == h;
    weights.half_middle =
        g == h && covariance_ && transforms_.correlation().left->has_signs() && width_ % 2 == 0;
    if (scaling_ == CovarianceScaling::block_mean) {
      const Index last = groups_ - 1;
      const Index width = g == last || h == last ? transforms_.features() - last * width_ : width_;
      const auto pairs = static_cast<long double>(groups_) * static_cast<long double>(last);
      weights.weight = (g == h ? 1 / static_cast<long double>(groups_) : 2 / pairs) *
                       std::pow(static_cast<long double>(width), -exponent_);
    }
    return weights;
  }

  // For blocks first .. last - 1, g and h counted as one.
  void add_product(const Scalar* product, Index c, Index first, Index last) {
    const Index f = c * kLaneCount, count = std::min(kLaneCount, frequencies_ - f);
    for (Index block = first; block < last; ++block) {
      const Scalar* from = product + (block - first) * kElement;
      auto* to = reinterpret_cast<Sum*>(correlations_.data() + block * frequencies_ + f);
      for (Index i = 0; i < count; ++i) {
        to[2 * i] += Sum(from[i]);
        to[2 * i + 1] += Sum(from[kLaneCount + i]);
      }
    }
  }

  // The row of the matrix that a signal holds, or the first of two.
  template <class Batch>
  Index first_row(const Batch& batch, Index signal) const {
    return batch.first_row + (covariance_ ? 2 : 1) * signal;
  }

  enum class Pass { forward, backward };

  void load_spectra(Index first, Index last, Pass pass) {
    parallel_chunks(
        transforms_.workers(), first, last, kTileRows,
        [&](int worker, Index tile_first, Index tile_last) {
          transforms_.for_each_batch(worker, tile_first, tile_last, [&](const auto& batch) {
            for (Index signal = batch.begin; signal < batch.end; ++signal) {
              const Complex* z;
              if (pass == Pass::forward) {
                z = transforms_.transform(batch, signal);
                transforms_.keep(batch, signal, 0, transforms_.size());
              } else {
                z = transforms_.recall(batch, signal);
              }
              unpack(z, transforms_.balance_of(batch, signal), first_row(batch, signal) - first,
                     batch.first_row + batch.rows - first, parts_.of(worker));
            }
          });
        });
  }

  // Takes a signal's two spectra apart: U_f = (Z_f + conj(Z_-f)) / 2, V_f = (Z_f - conj(Z_-f)) /
  // (2 i). U is the right view's and V the left one's, or they are two samples'.
  void unpack(const Complex* signal, const Balance<Scalar>& met, Index row, Index rows,
              Scalar* parts) {
    Scalar* second = covariance_ ? (row + 1 < rows ? right_.data() + groups_ * kElement : nullptr)
                                 : left_.data();
    const Scalar half_u = met.second / 2, half_v = met.first / 2;
    Scalar* real = parts;
    Scalar* imaginary = parts + width_ + 1;
    for (Index g = 0; g < groups_; ++g) {
      const auto* z = reinterpret_cast<const Scalar*>(signal + g * width_);
      for (Index f = 0; f < width_; ++f) {
        real[f] = z[2 * f];
        imaginary[f] = z[2 * f + 1];
      }
      real[width_] = real[0];
      imaginary[width_] = imaginary[0];
      for (Index c = 0; c < lane_chunks_; ++c) {
        const Index f = c * kLaneCount, count = std::min(kLaneCount, frequencies_ - f);
        const Index offset = ((c * kChunkRows + row) * groups_ + g) * kElement;
        add_mirrored(real, f, half_u, half_u, count, right_.data() + offset);
        add_mirrored(imaginary, f, half_u, -half_u, count, right_.data() + offset + kLaneCount);
        if (second != nullptr) {
          add_mirrored(imaginary, f, half_v, half_v, count, second + offset);
          add_mirrored(real, f, -half_v, half_v, count, second + offset + kLaneCount);
        }
      }
    }
  }
  // to_l = direct x_{f + l} + mirrored x_{b - f - l}; zero in the lanes that have no frequency.
  void add_mirrored(const Scalar* x, Index f, Scalar direct, Scalar mirrored, Index count,
                    Scalar* to) const {
    const Scalar* forth = x + f;
    const Scalar* back = x + width_ - f;
    if (count == kLaneCount) {
      for (Index l = 0; l < kLaneCount; ++l) {
        to[l] = direct * forth[l] + mirrored * back[-l];
      }
    } else {
      for (Index l = 0; l < kLaneCount; ++l) {
        to[l] = l < count ? direct * forth[l] + mirrored * back[-l] : Scalar(0);
      }
    }
  }

  void store_derivatives(Index first, Index last) {
    parallel_chunks(
        transforms_.workers(), first, last, kTileRows,
        [&](int worker, Index tile_first, Index tile_last) {
          transforms_.clear_products(worker);
          transforms_.backward(
              worker, tile_first, tile_last, [&](const auto& batch, Index signal, Complex* y) {
                pack(transforms_.balance_of(batch, signal), first_row(batch, signal) - first,
                     batch.first_row + batch.rows - first, parts_.of(worker), y);
              });
        },
        [&](int worker) { transforms_.merge_products(worker); });
  }

  // Packs two derivatives, U + i V over the whole circle, for one inverse transform: the left
  // view's and the right one's, or two samples'. Each has the size of the other view, so they are
  // balanced the other way round.
  void pack(const Balance<Scalar>& met, Index row, Index rows, Scalar* parts, Complex* signal) {
    const Scalar* first = covariance_ ? right_derivative_.data() : left_derivative_.data();
    const Scalar* second = covariance_ ? (row + 1 < rows ? first + groups_ * kElement : nullptr)
                                       : right_derivative_.data();
    Scalar* real = parts;
    Scalar* imaginary = parts + width_ + 1;
    for (Index g = 0; g < groups_; ++g) {
      for (Index c = 0; c < lane_chunks_; ++c) {
        const Index f = c * kLaneCount, count = std::min(kLaneCount, frequencies_ - f);
        const Index offset = ((c * kChunkRows + row) * groups_ + g) * kElement;
        const Scalar* u = first + offset;
        const Scalar* v = second == nullptr ? nullptr : second + offset;
        for (Index l = 0; l < count; ++l) {
          const Scalar u_real = met.first * u[l], u_imaginary = met.first * u[kLaneCount + l];
          const Scalar v_real = v == nullptr ? Scalar(0) : met.second * v[l];
          const Scalar v_imaginary = v == nullptr ? Scalar(0) : met.second * v[kLaneCount + l];
          real[f + l] = u_real - v_imaginary;
          imaginary[f + l] = v_real + u_imaginary;
          real[width_ - f - l] = u_real + v_imaginary;
          imaginary[width_ - f - l] = v_real - u_imaginary;
        }
      }
      auto* z = reinterpret_cast<Scalar*>(signal + g * width_);
      for (Index f = 0; f < width_; ++f) {
        z[2 * f] = real[f];
        z[2 * f + 1] = imaginary[f];
      }
    }
  }

  PackedTransforms<Scalar> transforms_;
  bool covariance_;
  int exponent_;
  CovarianceScaling scaling_;
  Index width_, groups_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_, lane_chunks_;
  PerWorker<Scalar> parts_, products_;
  Buffer<Scalar> right_, left_, filters_, right_derivative_, left_derivative_;
  Buffer<ComplexSum> block_, correlations_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_GROUPED_HPP_
