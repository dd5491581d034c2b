#ifndef DECORR_DETAIL_GROUPED_HPP_
#define DECORR_DETAIL_GROUPED_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/lag_penalty.hpp"
#include "decorr/detail/packing.hpp"
#include "decorr/detail/plan_cache.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"
#include "decorr/options.hpp"

// R_sum^(b) for G = ceil(d/b) > 1 blocks: each block is transformed once, then every frequency is a
// small complex product (docs/mathematics.md, grouped form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n d log b + n d G) time. Memory: the spectra of one chunk of rows and O(d G) complex numbers;
// the backward pass transforms each chunk again.
template <class Scalar>
class GroupedRelaxed {
 public:
  using Sum = Accumulator<Scalar>;
  using Complex = std::complex<Scalar>;
  using ComplexSum = std::complex<Sum>;

  GroupedRelaxed(const Correlation<Scalar>& correlation, Index block_size, int exponent,
                 CovarianceScaling scaling, Planning planning)
      : correlation_(correlation),
        features_(correlation.cols()),
        width_(block_size),
        groups_((features_ + block_size - 1) / block_size),
        exponent_(exponent),
        scaling_(scaling),
        penalty_(block_size, exponent, planning),
        frequencies_(penalty_.half()),
        forward_(transform_plan<Scalar>(width_, groups_, Direction::forward, planning)),
        signal_(width_ * groups_),
        transformed_(width_ * groups_),
        prepared_first_(features_),
        prepared_second_(features_),
        balances_(kChunkRows),
        right_(frequencies_ * kChunkRows * groups_),
        left_(correlation.is_covariance() ? 0 : right_.size()),
        product_(groups_ * groups_),
        block_(frequencies_),
        correlations_(Buffer<ComplexSum>::filled(frequencies_ * groups_ * groups_, ComplexSum(0))) {
    if (correlation.has_gradient()) {
      backward_ = transform_plan<Scalar>(width_, groups_, Direction::backward, planning);
      filters_ = Buffer<Complex>(correlations_.size());
      right_derivative_ = Buffer<Complex>(right_.size());
      left_derivative_ = Buffer<Complex>(left_.size());
      left_tile_ = Buffer<Scalar>(correlation.left_gradient.direct() ? 0 : kTileRows * features_);
      right_tile_ =
          Buffer<Scalar>(correlation.is_covariance() || correlation.right_gradient.direct()
                             ? 0
                             : kTileRows * features_);
    }
  }

  Index chunk_rows() const { return kChunkRows; }

  // S_gh(f) += sum over these rows of conj(A_g(f)) B_h(f).
  void accumulate(Index first, Index last) {
    transform(first, last);
    const Index rows = last - first;
    for (Index f = 0; f < frequencies_; ++f) {
      Matrix product(product_.data(), groups_, groups_);
      product.noalias() = left_spectrum(f, rows).adjoint() * right_spectrum(f, rows);
      ComplexSum* sum = correlations_.data() + f * groups_ * groups_;
      for (Index i = 0; i < product_.size(); ++i) {
        sum[i] += ComplexSum(product_[i].real(), product_[i].imag());
      }
    }
  }

  Sum finish(Sum gradient_weight) {
    Sum value = 0;
    const Sum m = correlation_.normalizer;
    const Sum factor =
        gradient_weight / (m * Sum(width_)) * Sum(correlation_.is_covariance() ? 2 : 1);
    const Index blocks = groups_ * groups_;
    for (Index g = 0; g < groups_; ++g) {
      for (Index h = 0; h < groups_; ++h) {
        const Index block = g * groups_ + h;
        for (Index f = 0; f < frequencies_; ++f) {
          block_[f] = correlations_[f * blocks + block] / m;
        }
        value += penalty_.apply(block_.data(), weights(g, h));
        if (correlation_.has_gradient()) {
          for (Index f = 0; f < frequencies_; ++f) {
            filters_[f * blocks + block] = Complex(static_cast<Scalar>(factor * block_[f].real()),
                                                   static_cast<Scalar>(factor * block_[f].imag()));
          }
        }
      }
    }
    return value;
  }

  void gradient(Index first, Index last) {
    transform(first, last);
    const Index rows = last - first;
    for (Index f = 0; f < frequencies_; ++f) {
      const ConstMatrix filter(filters_.data() + f * groups_ * groups_, groups_, groups_);
      Matrix(right_derivative_.data() + offset(f), rows, groups_).noalias() =
          left_spectrum(f, rows) * filter;
      if (!correlation_.is_covariance()) {
        Matrix(left_derivative_.data() + offset(f), rows, groups_).noalias() =
            right_spectrum(f, rows) * filter.adjoint();
      }
    }
    for_each_chunk(rows, kTileRows, [&](Index tile_first, Index tile_last) {
      store_tile(first, tile_first, tile_last);
    });
  }

 private:
  // Enough rows for the products to be bound by flops.
  static constexpr Index kChunkRows = 64;

  using Matrix = Eigen::Map<RowMajorMatrix<Complex>>;
  using ConstMatrix = Eigen::Map<const RowMajorMatrix<Complex>>;

  // Spectra are stored [frequency][row of the chunk][block].
  Index offset(Index f) const { return f * kChunkRows * groups_; }
  ConstMatrix right_spectrum(Index f, Index rows) const {
    return {right_.data() + offset(f), rows, groups_};
  }
  ConstMatrix left_spectrum(Index f, Index rows) const {
    return {(correlation_.is_covariance() ? right_ : left_).data() + offset(f), rows, groups_};
  }

  LagWeights weights(Index g, Index h) const {
    LagWeights weights;
    weights.without_zero = g == h;
    weights.half_middle =
        g == h && correlation_.is_covariance() && correlation_.left->has_signs() && width_ % 2 == 0;
    if (scaling_ == CovarianceScaling::block_mean) {
      const Index last = groups_ - 1;
      const Index width = g == last || h == last ? features_ - last * width_ : width_;
      const auto pairs = static_cast<long double>(groups_) * static_cast<long double>(last);
      weights.weight = (g == h ? 1 / static_cast<long double>(groups_) : 2 / pairs) *
                       std::pow(static_cast<long double>(width), -exponent_);
    }
    return weights;
  }

  // The two rows that share a complex signal: the views of one sample (right, left), or two samples
  // of one view.
  void transform(Index first, Index last) {
    for_each_chunk(last - first, kTileRows, [&](Index tile_first, Index tile_last) {
      const Index rows = tile_last - tile_first;
      const auto left = correlation_.left->tile(first + tile_first, rows);
      const auto right =
          correlation_.is_covariance() ? left : correlation_.right->tile(first + tile_first, rows);
      for (Index signal = 0; signal < correlation_.signals(rows); ++signal) {
        if (correlation_.is_covariance()) {
          const Index row = 2 * signal;
          const bool pair = row + 1 < rows;
          transform_pair(*correlation_.left, left.row(row), *correlation_.left,
                         pair ? left.row(row + 1) : nullptr,
                         right_.data() + (tile_first + row) * groups_,
                         pair ? right_.data() + (tile_first + row + 1) * groups_ : nullptr,
                         balances_[tile_first + row]);
        } else {
          transform_pair(*correlation_.right, right.row(signal), *correlation_.left,
                         left.row(signal), right_.data() + (tile_first + signal) * groups_,
                         left_.data() + (tile_first + signal) * groups_,
                         balances_[tile_first + signal]);
        }
      }
    });
  }

  // Transforms first + i second block by block and takes the two apart again:
  // U_f = (Z_f + conj(Z_-f)) / 2, V_f = (Z_f - conj(Z_-f)) / (2 i). A missing second row is zero.
  void transform_pair(const PreparedView<Scalar>& first_view, const Scalar* first_row,
                      const PreparedView<Scalar>& second_view, const Scalar* second_row,
                      Complex* first_spectrum, Complex* second_spectrum, Balance& balance_of_row) {
    const Scalar* u = first_view.prepare(first_row, prepared_first_.data());
    const Scalar* v =
        second_row == nullptr ? nullptr : second_view.prepare(second_row, prepared_second_.data());
    balance_of_row = v != nullptr ? balance(u, v, features_) : Balance();
    const int exponent = balance_of_row.exponent;
    const Scalar up = std::ldexp(Scalar(1), exponent), down = std::ldexp(Scalar(1), -exponent);
    for (Index j = 0; j < features_; ++j) {
      signal_[j] = Complex(up * u[j], v == nullptr ? Scalar(0) : down * v[j]);
    }
    std::fill(signal_.data() + features_, signal_.data() + signal_.size(), Complex(0));
    forward_->execute(signal_.data(), transformed_.data());
    for (Index g = 0; g < groups_; ++g) {
      const Complex* z = transformed_.data() + g * width_;
      for (Index f = 0; f < frequencies_; ++f) {
        const Complex direct = z[f], mirrored = z[f == 0 ? 0 : width_ - f];
        first_spectrum[offset(f) + g] = Complex(down * (direct.real() + mirrored.real()) / 2,
                                                down * (direct.imag() - mirrored.imag()) / 2);
        if (second_spectrum != nullptr) {
          second_spectrum[offset(f) + g] = Complex(up * (direct.imag() + mirrored.imag()) / 2,
                                                   up * (mirrored.real() - direct.real()) / 2);
        }
      }
    }
  }

  // Packs two derivatives again, U + i V over the whole circle, for one inverse transform a block.
  // They differ in size as much as the rows did, so they are balanced too.
  void inverse_pair(const Complex* first_spectrum, const Complex* second_spectrum, int exponent) {
    const Scalar up = std::ldexp(Scalar(1), exponent), down = std::ldexp(Scalar(1), -exponent);
    for (Index g = 0; g < groups_; ++g) {
      Complex* y = signal_.data() + g * width_;
      for (Index f = 0; f < frequencies_; ++f) {
        const Complex u = up * first_spectrum[offset(f) + g];
        const Complex v =
            second_spectrum == nullptr ? Complex(0) : down * second_spectrum[offset(f) + g];
        if (f > 0) {
          y[width_ - f] = Complex(u.real() + v.imag(), v.real() - u.imag());
        }
        y[f] = f == 0 || 2 * f == width_ ? Complex(u.real(), v.real())
                                         : Complex(u.real() - v.imag(), u.imag() + v.real());
      }
    }
    backward_->execute(signal_.data(), transformed_.data());
    for (Index j = 0; j < features_; ++j) {
      prepared_first_[j] = down * transformed_[j].real();
      prepared_second_[j] = up * transformed_[j].imag();
    }
  }

  void store_tile(Index chunk_first, Index tile_first, Index tile_last) {
    const Index rows = tile_last - tile_first, first = chunk_first + tile_first;
    const auto left = correlation_.left_gradient.tile(first, left_tile_.data());
    if (correlation_.is_covariance()) {
      for (Index row = 0; row < rows; row += 2) {
        const Complex* spectrum = right_derivative_.data() + (tile_first + row) * groups_;
        const bool pair = row + 1 < rows;
        inverse_pair(spectrum, pair ? spectrum + groups_ : nullptr,
                     balances_[tile_first + row].exponent);
        correlation_.left->restore(prepared_first_.data(), left.row(row));
        if (pair) {
          correlation_.left->restore(prepared_second_.data(), left.row(row + 1));
        }
      }
      correlation_.left_gradient.store(first, rows, left);
      return;
    }
    const auto right = correlation_.right_gradient.tile(first, right_tile_.data());
    for (Index row = 0; row < rows; ++row) {
      inverse_pair(right_derivative_.data() + (tile_first + row) * groups_,
                   left_derivative_.data() + (tile_first + row) * groups_,
                   -balances_[tile_first + row]
                        .exponent);  // each view's gradient is as large as the other view
      correlation_.right->restore(prepared_first_.data(), right.row(row));
      correlation_.left->restore(prepared_second_.data(), left.row(row));
    }
    correlation_.left_gradient.store(first, rows, left);
    correlation_.right_gradient.store(first, rows, right);
  }

  Correlation<Scalar> correlation_;
  Index features_, width_, groups_;
  int exponent_;
  CovarianceScaling scaling_;
  LagPenalty<Scalar> penalty_;
  Index frequencies_;
  std::shared_ptr<const TransformPlan<Scalar>> forward_, backward_;
  Buffer<Complex> signal_, transformed_;
  Buffer<Scalar> prepared_first_, prepared_second_;
  Buffer<Balance> balances_;  // of the chunk's signals, by their first row
  Buffer<Complex> right_, left_, product_, filters_, right_derivative_, left_derivative_;
  Buffer<ComplexSum> block_, correlations_;
  Buffer<Scalar> left_tile_, right_tile_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_GROUPED_HPP_
