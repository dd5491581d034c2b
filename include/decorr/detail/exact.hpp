#ifndef DECORR_DETAIL_EXACT_HPP_
#define DECORR_DETAIL_EXACT_HPP_

#include <Eigen/Core>
#include <algorithm>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/packing.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"
#include "decorr/options.hpp"

// R_off, through C or through the Gram matrices of the samples (docs/mathematics.md, the exact
// form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

enum class ExactRoute { automatic, correlation, gram };

// O(n d^2) time and d^2 memory through C, O(n^2 d) time and 2 (n^2 + n d) memory through Gram.
template <class Scalar>
class ExactRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  ExactRegularizer(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
                   ExactRoute route)
      : correlation_(correlation),
        samples_(correlation.rows()),
        features_(correlation.cols()),
        gram_(route == ExactRoute::automatic ? samples_ < features_ : route == ExactRoute::gram),
        right_(kept_rows() * features_),
        left_(correlation.is_covariance() ? 0 : right_.size()),
        prepared_(features_) {
    if (scaling == CovarianceScaling::block_mean) {
      const Sum pairs = Sum(features_) * Sum(features_ - 1);
      weight_ = features_ > 1 ? Sum(2) / pairs : Sum(0);
    }
    if (gram_) {
      right_gram_ = Buffer<Scalar>(samples_ * samples_);
      left_gram_ = Buffer<Scalar>(correlation.is_covariance() ? 0 : samples_ * samples_);
      diagonal_ = Buffer<Sum>::filled(features_, Sum(0));
    } else {
      matrix_ = Buffer<Scalar>::filled(features_ * features_, Scalar(0));
    }
    if (correlation.has_gradient()) {
      derivative_ = Buffer<Scalar>(chunk_rows() * features_);
    }
  }

  Index chunk_rows() const { return kChunkRows; }

  void accumulate(Index first, Index last) {
    const Index rows = last - first, row = gram_ ? first : 0;
    load(first, last, row);
    if (gram_) {
      for (Index k = row; k < row + rows; ++k) {
        const Scalar* a = left_rows().data() + k * features_;
        const Scalar* b = right_.data() + k * features_;
        for (Index j = 0; j < features_; ++j) {
          diagonal_[j] += Sum(a[j]) * Sum(b[j]);
        }
      }
    } else if (correlation_.is_covariance()) {
      matrix().template selfadjointView<Eigen::Lower>().rankUpdate(
          view(right_, 0, rows).transpose());
    } else {
      matrix().noalias() += view(left_, 0, rows).transpose() * view(right_, 0, rows);
    }
  }

  Sum finish(Sum gradient_weight) {
    const Sum m = correlation_.normalizer;
    const Sum factor =
        weight_ * gradient_weight * Sum(correlation_.is_covariance() ? 4 : 2) / (m * m);
    return weight_ * (gram_ ? finish_gram(factor) : finish_matrix(factor));
  }

  void gradient(Index first, Index last) {
    const Index rows = last - first;
    if (!gram_) {
      load(first, last, 0);
    }
    Map derivative(derivative_.data(), rows, features_);
    if (gram_) {
      const bool covariance = correlation_.is_covariance();
      gram_gradient(first, rows, right_gram_, left_rows(), right_, derivative);
      store(first, rows, *correlation_.left, correlation_.left_gradient);
      if (!covariance) {
        gram_gradient(first, rows, left_gram_, right_, left_, derivative);
        store(first, rows, *correlation_.right, correlation_.right_gradient);
      }
    } else {
      derivative.noalias() = view(right_, 0, rows) * matrix().transpose();
      store(first, rows, *correlation_.left, correlation_.left_gradient);
      if (!correlation_.is_covariance()) {
        derivative.noalias() = view(left_, 0, rows) * matrix();
        store(first, rows, *correlation_.right, correlation_.right_gradient);
      }
    }
  }

 private:
  // Long enough that adding to C costs less than the product; bound by flops.
  static constexpr Index kChunkRows = 256;

  using Map = Eigen::Map<RowMajorMatrix<Scalar>>;
  using ConstMap = Eigen::Map<const RowMajorMatrix<Scalar>>;

  Index kept_rows() const { return gram_ ? samples_ : std::min(samples_, kChunkRows); }
  const Buffer<Scalar>& left_rows() const { return correlation_.is_covariance() ? right_ : left_; }
  Map matrix() { return {matrix_.data(), features_, features_}; }
  ConstMap view(const Buffer<Scalar>& buffer, Index first, Index rows) const {
    return {buffer.data() + first * features_, rows, features_};
  }

  void load(Index first, Index last, Index row) {
    load_view(first, last, *correlation_.right, right_.data() + row * features_);
    if (!correlation_.is_covariance()) {
      load_view(first, last, *correlation_.left, left_.data() + row * features_);
    }
  }
  void load_view(Index first, Index last, PreparedView<Scalar>& view, Scalar* to) {
    for_each_chunk(last - first, kTileRows, [&](Index tile_first, Index tile_last) {
      const auto tile = view.tile(first + tile_first, tile_last - tile_first);
      for (Index k = tile_first; k < tile_last; ++k) {
        const Scalar* row = view.prepare(tile.row(k - tile_first), prepared_.data());
        std::copy(row, row + features_, to + k * features_);
      }
    });
  }
  void store(Index first, Index rows, const PreparedView<Scalar>& view,
             const OutputRows<Scalar>& gradient) {
    // A product straight into the caller's memory would need one per storage order; copying n d
    // numbers is cheaper.
    for_each_chunk(rows, kTileRows, [&](Index tile_first, Index tile_last) {
      const Tile<Scalar> tile{derivative_.data() + tile_first * features_, features_};
      if (gradient.direct()) {
        const auto target = gradient.tile(first + tile_first, nullptr);
        for (Index k = 0; k < tile_last - tile_first; ++k) {
          view.restore(tile.row(k), target.row(k));
        }
      } else {
        gradient.store(first + tile_first, tile_last - tile_first, tile);
      }
    });
  }

  // The diagonal is zeroed before squaring: subtracting its squares afterwards would cancel.
  Sum finish_matrix(Sum factor) {
    auto c = matrix();
    if (correlation_.is_covariance()) {
      c.template triangularView<Eigen::StrictlyUpper>() = c.transpose();
    }
    c.diagonal().setZero();
    Sum squares = 0;
    for (Index i = 0; i < features_; ++i) {
      squares += c.row(i).template cast<Sum>().squaredNorm();
    }
    if (correlation_.has_gradient()) {
      c *= static_cast<Scalar>(factor);
    }
    return squares / (correlation_.normalizer * correlation_.normalizer);
  }

  // ||C||_F^2 m^2 = tr( (A A^T) (B B^T) ); less the squared diagonal, in Sum.
  Sum finish_gram(Sum factor) {
    fill_gram(right_, right_gram_);
    if (!correlation_.is_covariance()) {
      fill_gram(left_, left_gram_);
    }
    const Scalar* p = (correlation_.is_covariance() ? right_gram_ : left_gram_).data();
    const Scalar* q = right_gram_.data();
    Sum squares = 0;
    for (Index i = 0; i < samples_ * samples_; ++i) {
      squares += Sum(p[i]) * Sum(q[i]);
    }
    for (Index j = 0; j < features_; ++j) {
      squares -= diagonal_[j] * diagonal_[j];
    }
    factor_ = static_cast<Scalar>(factor);
    return squares / (correlation_.normalizer * correlation_.normalizer);
  }
  void fill_gram(const Buffer<Scalar>& rows, Buffer<Scalar>& gram) {
    Map map(gram.data(), samples_, samples_);
    map.setZero();
    map.template selfadjointView<Eigen::Lower>().rankUpdate(view(rows, 0, samples_));
    map.template triangularView<Eigen::StrictlyUpper>() = map.transpose();
  }
  // dA = factor ( (B B^T) A - B diag(A^T B) ), and dB by exchange.
  void gram_gradient(Index first, Index rows, const Buffer<Scalar>& other_gram,
                     const Buffer<Scalar>& own, const Buffer<Scalar>& other, Map& derivative) {
    const ConstMap gram(other_gram.data() + first * samples_, rows, samples_);
    derivative.noalias() = gram * view(own, 0, samples_);
    for (Index k = 0; k < rows; ++k) {
      const Scalar* o = other.data() + (first + k) * features_;
      for (Index j = 0; j < features_; ++j) {
        derivative(k, j) = factor_ * (derivative(k, j) - o[j] * static_cast<Scalar>(diagonal_[j]));
      }
    }
  }

  Correlation<Scalar> correlation_;
  Index samples_, features_;
  bool gram_;
  Sum weight_ = 1;
  Scalar factor_ = 1;
  Buffer<Scalar> right_, left_, prepared_, matrix_, right_gram_, left_gram_, derivative_;
  Buffer<Sum> diagonal_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_EXACT_HPP_
