#ifndef DECORR_DETAIL_EXACT_HPP_
#define DECORR_DETAIL_EXACT_HPP_

#include <algorithm>
#include <numeric>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/matrix_product.hpp"
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

// O(n d^2) time and d^2 memory through C, O(n^2 d) time and 2 (n^2 + n d) memory through Gram; a
// covariance takes half of it. Products run in tiles that depend on the sizes alone; bound by
// flops.
template <class Scalar>
class ExactRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  ExactRegularizer(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
                   ExactRoute route, const Execution& execution)
      : correlation_(correlation),
        covariance_(correlation.is_covariance()),
        samples_(correlation.rows()),
        features_(correlation.cols()),
        gram_(route == ExactRoute::automatic ? samples_ < features_ : route == ExactRoute::gram),
        workers_(worker_count(execution.threads, std::max(samples_, features_), kTile)),
        right_(kept_rows() * features_),
        left_(covariance_ ? 0 : right_.size()),
        tiles_(workers_, tile_size<Scalar>(kBlock)) {
    if (scaling == CovarianceScaling::block_mean) {
      const Sum pairs = Sum(features_) * Sum(features_ - 1);
      weight_ = features_ > 1 ? Sum(2) / pairs : Sum(0);
    }
    if (gram_) {
      right_gram_ = Buffer<Scalar>::filled(samples_ * samples_, Scalar(0));
      left_gram_ = Buffer<Scalar>::filled(covariance_ ? 0 : right_gram_.size(), Scalar(0));
      diagonal_ = Buffer<Sum>::filled(features_, Sum(0));
    } else {
      matrix_ = Buffer<Scalar>::filled(features_ * features_, Scalar(0));
      squares_ = Buffer<Sum>(features_);
    }
    if (correlation.has_gradient()) {
      derivative_ = Buffer<Scalar>(std::min(samples_, kChunkRows) * features_);
    }
  }

  // Takes rows: C += left^T right, or keeps them for the Gram matrices.
  void accumulate(Index begin, Index end) {
    for_each_chunk(end - begin, kChunkRows, [&](Index from, Index to) {
      const Index first = begin + from, rows = to - from;
      load(first, rows);
      if (gram_) {
        add_diagonal(first, rows);
      } else {
        parallel_chunks(workers_, 0, features_, kTile, [&](int, Index row, Index last) {
          // Of a covariance, the tiles up to the diagonal.
          multiply_add<Order::transposed, Order::as_is>(
              left() + row, features_, right_.data(), features_, last - row,
              covariance_ ? last : features_, rows, matrix_.data() + row * features_, features_);
        });
      }
    });
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    const Sum m = correlation_.normalizer;
    factor_ = static_cast<Scalar>(weight_ * gradient_weight * Sum(covariance_ ? 4 : 2) / (m * m));
    if (gram_) {
      fill_gram(right_, right_gram_);
      if (!covariance_) {
        fill_gram(left_, left_gram_);
      }
    }
    const Sum squares = gram_ ? sum_gram() : sum_matrix();
    return weight_ * squares / (m * m);
  }

  // Writes the gradient with respect to the prepared rows.
  void gradient(Index begin, Index end) {
    for_each_chunk(end - begin, kChunkRows, [&](Index from, Index to) {
      const Index first = begin + from, rows = to - from;
      if (gram_) {
        differentiate_gram(first, rows, right_gram_, left(), right_.data());
      } else {
        load(first, rows);
        differentiate_matrix<Order::transposed>(rows, right_.data());
      }
      store(first, rows, *correlation_.left, correlation_.left_gradient,
            correlation_.left_products);
      if (covariance_) {
        return;
      }
      if (gram_) {
        differentiate_gram(first, rows, left_gram_, right_.data(), left());
      } else {
        differentiate_matrix<Order::as_is>(rows, left());
      }
      store(first, rows, *correlation_.right, correlation_.right_gradient,
            correlation_.right_products);
    });
  }

 private:
  // Long enough that adding to C costs less than the product.
  static constexpr Index kChunkRows = 256;
  // Rows or columns of a product that one worker takes at a time.
  static constexpr Index kTile = 512;
  static constexpr Index kGramTile = 64;

  Index kept_rows() const { return gram_ ? samples_ : std::min(samples_, kChunkRows); }
  const Scalar* left() const { return (covariance_ ? right_ : left_).data(); }

  void load(Index first, Index rows) {
    load_view(first, rows, *correlation_.right, right_.data());
    if (!covariance_) {
      load_view(first, rows, *correlation_.left, left_.data());
    }
  }
  // Calls body(worker, feature, features, tile row, rows) for tiles of some rows.
  template <class Body>
  void for_each_tile(Index rows, const Body& body) {
    parallel_chunks(workers_, 0, features_, kBlock, [&](int worker, Index column, Index end) {
      for_each_chunk(rows, kTileRows, [&](Index begin, Index last) {
        body(worker, column, end - column, begin, last - begin);
      });
    });
  }
  void load_view(Index first, Index rows, const PreparedView<Scalar>& view, Scalar* to) {
    to += gram_ ? first * features_ : 0;
    for_each_tile(rows, [&](int worker, Index column, Index width, Index row, Index count) {
      const auto tile = view.input().tile(first + row, count, column, width, tiles_.of(worker));
      for (Index k = 0; k < count; ++k) {
        Scalar* own = to + (row + k) * features_ + column;
        const Scalar* prepared = view.prepare(tile.row(k), column, width, own);
        if (prepared != own) {
          std::copy(prepared, prepared + width, own);
        }
      }
    });
  }
  // The chunk's derivatives into their gradient rows, and their products with the prepared rows.
  void store(Index first, Index rows, const PreparedView<Scalar>& view,
             const OutputRows<Scalar>& gradient, Sum* products) {
    for_each_tile(rows, [&](int worker, Index column, Index width, Index row, Index count) {
      const Tile<Scalar> from{derivative_.data() + row * features_ + column, features_};
      gradient.copy(first + row, count, column, width, from);
      if (products != nullptr) {
        alignas(kWorkspaceAlignment) Scalar partial[kBlock] = {};
        const auto input = view.input().tile(first + row, count, column, width, tiles_.of(worker));
        for (Index k = 0; k < count; ++k) {
          add_products(view, input.row(k), from.row(k), column, width, partial);
        }
        for (Index j = 0; j < width; ++j) {
          products[column + j] += Sum(partial[j]);
        }
      }
    });
  }

  // The diagonal is zeroed before squaring: subtracting its squares afterwards would cancel.
  Sum sum_matrix() {
    Scalar* c = matrix_.data();
    parallel_chunks(workers_, 0, features_, kTile, [&](int, Index first, Index last) {
      for (Index i = first; i < last; ++i) {
        Scalar* row = c + i * features_;
        if (covariance_) {
          for (Index j = i + 1; j < features_; ++j) {
            row[j] = c[j * features_ + i];
          }
        }
        row[i] = 0;
        squares_[i] = 0;
        for (Index j = 0; j < features_; ++j) {
          squares_[i] += Sum(row[j]) * Sum(row[j]);
        }
      }
    });
    return std::accumulate(squares_.data(), squares_.data() + features_, Sum(0));
  }

  // dA = factor B C^T, dB = factor A C, for some rows.
  template <Order kOrder>
  void differentiate_matrix(Index rows, const Scalar* other) {
    parallel_chunks(workers_, 0, features_, kTile, [&](int, Index column, Index end) {
      const Scalar* c = matrix_.data() + column * (kOrder == Order::transposed ? features_ : 1);
      clear(rows, column, end);
      multiply_add<Order::as_is, kOrder>(other, features_, c, features_, rows, end - column,
                                         features_, derivative_.data() + column, features_);
      for (Index k = 0; k < rows; ++k) {
        for (Index j = column; j < end; ++j) {
          derivative_[k * features_ + j] *= factor_;
        }
      }
    });
  }
  void clear(Index rows, Index column, Index end) {
    for (Index k = 0; k < rows; ++k) {
      std::fill_n(derivative_.data() + k * features_ + column, end - column, Scalar(0));
    }
  }

  // The diagonal of m C.
  void add_diagonal(Index first, Index rows) {
    parallel_chunks(workers_, 0, features_, kBlock, [&](int, Index column, Index end) {
      for (Index k = first; k < first + rows; ++k) {
        const Scalar* a = left() + k * features_;
        const Scalar* b = right_.data() + k * features_;
        for (Index j = column; j < end; ++j) {
          diagonal_[j] += Sum(a[j]) * Sum(b[j]);
        }
      }
    });
  }
  void fill_gram(const Buffer<Scalar>& rows, Buffer<Scalar>& gram) {
    parallel_chunks(workers_, 0, samples_, kGramTile, [&](int, Index row, Index end) {
      multiply_add<Order::as_is, Order::transposed>(
          rows.data() + row * features_, features_, rows.data(), features_, end - row, end,
          features_, gram.data() + row * samples_, samples_);
    });
    for (Index i = 0; i < samples_; ++i) {
      for (Index j = i + 1; j < samples_; ++j) {
        gram[i * samples_ + j] = gram[j * samples_ + i];
      }
    }
  }
  // ||C||_F^2 m^2 = tr( (A A^T) (B B^T) ); less the squared diagonal, in Sum.
  Sum sum_gram() {
    const Scalar* p = (covariance_ ? right_gram_ : left_gram_).data();
    const Scalar* q = right_gram_.data();
    Sum squares = 0;
    for (Index i = 0; i < samples_ * samples_; ++i) {
      squares += Sum(p[i]) * Sum(q[i]);
    }
    for (Index j = 0; j < features_; ++j) {
      squares -= diagonal_[j] * diagonal_[j];
    }
    return squares;
  }
  // dA = factor ( (B B^T) A - B diag(A^T B) ), and dB by exchange, for some rows.
  void differentiate_gram(Index first, Index rows, const Buffer<Scalar>& gram, const Scalar* own,
                          const Scalar* other) {
    parallel_chunks(workers_, 0, features_, kTile, [&](int, Index column, Index end) {
      clear(rows, column, end);
      multiply_add<Order::as_is, Order::as_is>(gram.data() + first * samples_, samples_,
                                               own + column, features_, rows, end - column,
                                               samples_, derivative_.data() + column, features_);
      for (Index k = 0; k < rows; ++k) {
        Scalar* derivative = derivative_.data() + k * features_;
        const Scalar* o = other + (first + k) * features_;
        for (Index j = column; j < end; ++j) {
          derivative[j] = factor_ * (derivative[j] - o[j] * static_cast<Scalar>(diagonal_[j]));
        }
      }
    });
  }

  Correlation<Scalar> correlation_;
  bool covariance_;
  Index samples_, features_;
  bool gram_;
  int workers_;
  Sum weight_ = 1;
  Scalar factor_ = 1;
  Buffer<Scalar> right_, left_, matrix_, right_gram_, left_gram_, derivative_;
  Buffer<Sum> diagonal_, squares_;
  PerWorker<Scalar> tiles_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_EXACT_HPP_
