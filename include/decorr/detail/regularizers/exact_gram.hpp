#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_GRAM_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_GRAM_HPP_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/regularizers/exact_rows.hpp"
#include "decorr/detail/regularizers/gram_accuracy.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// R_off through the Gram matrices of the samples (docs/mathematics.md, the exact form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// O(n^2 d) time and 2 (n^2 + n d) memory; a covariance takes half of it. Products run in tiles that
// depend on the sizes alone; bound by flops.
//
// The Gram matrices hold the diagonal of C, which is subtracted. So that nothing is lost, dominant
// features are kept out of them, and their rows and columns of C are computed directly: O(n d) time
// and n + d memory for each.
template <class Scalar>
class ExactGram {
 public:
  using Sum = Accumulator<Scalar>;

  ExactGram(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
            const Execution& execution)
      : rows_(correlation, correlation.rows(), scaling, execution),
        samples_(correlation.rows()),
        features_(correlation.cols()),
        covariance_(correlation.is_covariance()),
        panels_(rows_.workers(), {{std::min(samples_, kGramTile), samples_, features_},
                                  {samples_, rows_.tile(), samples_}}),
        diagonal_(Buffer<Sum>::filled(features_, Sum(0))) {
    if (rows_.has_gradient()) {
      singled_out_ = PerWorker<Scalar>(rows_.workers(), kTogether * (2 * samples_ + features_));
    }
    prepare(right_);
    if (!covariance_) {
      prepare(left_);
    }
  }

  // Keeps these rows.
  void accumulate(Index begin, Index end) {
    const Index rows = end - begin;
    rows_.load(begin, rows, *rows_.correlation().right, row(right_, begin));
    if (!covariance_) {
      rows_.load(begin, rows, *rows_.correlation().left, row(left_, begin));
    }
    add_squares(begin, end);
  }

  // The value of R; gradients will be those of `gradient_weight` * R.
  Sum finish(Sum gradient_weight) {
    factor_ = rows_.gradient_factor(gradient_weight);
    set_apart(dominant_features(right_.squares, left().squares));
    if (dominant_.size() > 0 && samples_ + 2 * dominant_.size() > features_) {
      is_accurate_ = false;  // C is cheaper
      return 0;
    }
    fill_gram(right_);
    if (!covariance_) {
      fill_gram(left_);
    }
    const GramSums<Sum> sums = sum_gram();
    Sum squares = sums.products;
    for (Index j = 0; j < features_; ++j) {
      squares -= diagonal_[j] * diagonal_[j];
    }
    const Sum own = squares;
    squares += correlate_dominant();
    is_accurate_ = sums.template keeps_digits<Scalar>(own, squares, Sum(samples_)) ||
                   !(is_finite(right_) && is_finite(left()));
    return rows_.value(squares);
  }

  // Whether the value and the gradient are as good as those through C, once finish() was called.
  bool is_accurate() const { return is_accurate_; }

  // Writes the gradient with respect to the prepared rows, all of which it takes at once.
  void gradient(Index, Index) {
    differentiate_dominant<Order::transposed>(right_);
    rows_.for_each_tile([&](int worker, Index column, Index width) {
      differentiate(worker, column, width, left(), right_);
      rows_.store_left(worker, 0, samples_, column, width);
    });
    if (!covariance_) {
      differentiate_dominant<Order::as_is>(left_);
      rows_.for_each_tile([&](int worker, Index column, Index width) {
        differentiate(worker, column, width, right_, left_);
        rows_.store_right(worker, 0, samples_, column, width);
      });
    }
  }

 private:
  using Rows = ExactRows<Scalar>;

  // Rows of a Gram matrix that one worker takes at a time.
  static constexpr Index kGramTile = 64;
  // So many features at a time have their derivatives computed through C where the Gram matrices
  // lose them.
  static constexpr Index kTogether = 8;
  // They lose it where so many times what is left was subtracted.
  static constexpr Scalar kMostLost = 4;

  struct View {
    Buffer<Scalar> rows, gram;  // n x d, without the dominant features, and n x n
    Buffer<Sum> squares;        // of each feature, over the samples
    Buffer<Sum> norms;          // squared, of the rows: the Gram matrix's diagonal
    Buffer<Scalar> dominant;    // n x s
    Buffer<Scalar> cross;  // s x d: the other view's dominant features times this view's others
  };

  void prepare(View& view) const {
    view.rows = Buffer<Scalar>(samples_ * features_);
    view.gram = Buffer<Scalar>::filled(samples_ * samples_, Scalar(0));
    view.squares = Buffer<Sum>::filled(features_, Sum(0));
    view.norms = Buffer<Sum>(samples_);
  }

  View& left() { return covariance_ ? right_ : left_; }
  Scalar* row(View& view, Index k) const { return view.rows.data() + k * features_; }

  // Of both views, and of the diagonal of m C.
  void add_squares(Index begin, Index end) {
    constexpr Index kStrip = 256;  // sums of so many features stay in the first-level cache
    parallel_chunks(rows_.workers(), 0, features_, kStrip, [&](int, Index column, Index last) {
      for (Index k = begin; k < end; ++k) {
        const Scalar* a = row(left(), k);
        const Scalar* b = row(right_, k);
        if (covariance_) {
          for (Index j = column; j < last; ++j) {
            diagonal_[j] += Sum(b[j]) * Sum(b[j]);
          }
          continue;
        }
        for (Index j = column; j < last; ++j) {
          const Sum x = Sum(a[j]), y = Sum(b[j]);
          left_.squares[j] += x * x;
          right_.squares[j] += y * y;
          diagonal_[j] += x * y;
        }
      }
      if (covariance_) {
        std::copy(diagonal_.data() + column, diagonal_.data() + last,
                  right_.squares.data() + column);
      }
    });
  }

  // Moves the dominant features out of the rows.
  void set_apart(Buffer<Index> dominant) {
    dominant_ = std::move(dominant);
    if (dominant_.size() == 0) {
      return;
    }
    set_apart(right_);
    if (!covariance_) {
      set_apart(left_);
    }
    within_ = Buffer<Scalar>::filled(dominant_.size() * dominant_.size(), Scalar(0));
    if (rows_.has_gradient()) {
      derivative_ = Buffer<Scalar>(samples_ * dominant_.size());
    }
    for (Index i = 0; i < dominant_.size(); ++i) {
      diagonal_[dominant_[i]] = 0;
    }
  }
  void set_apart(View& view) const {
    const Index count = dominant_.size();
    view.dominant = Buffer<Scalar>(samples_ * count);
    view.cross = Buffer<Scalar>::filled(count * features_, Scalar(0));
    for (Index k = 0; k < samples_; ++k) {
      for (Index i = 0; i < count; ++i) {
        Scalar& x = row(view, k)[dominant_[i]];
        view.dominant[k * count + i] = x;
        x = 0;
      }
    }
  }

  void fill_gram(View& view) {
    parallel_chunks(rows_.workers(), 0, samples_, kGramTile,
                    [&](int worker, Index first, Index end) {
                      multiply_add<Order::as_is, Order::transposed, Scalar>(
                          {row(view, first), features_}, {row(view, 0), features_},
                          {end - first, end, features_},
                          {view.gram.data() + first * samples_, samples_}, panels_, worker);
                      for (Index k = first; k < end; ++k) {
                        view.norms[k] = squared_norm(row(view, k));
                      }
                    });
    for (Index i = 0; i < samples_; ++i) {
      for (Index j = i + 1; j < samples_; ++j) {
        view.gram[i * samples_ + j] = view.gram[j * samples_ + i];
      }
    }
  }

  Sum squared_norm(const Scalar* row) const {
    Sum squares = 0;
    for_each_chunk(features_, Rows::kTile, [&](Index begin, Index end) {
      squares += Sum(ConstArray<Scalar>(row + begin, end - begin).square().sum());
    });
    return squares;
  }

  // ||C||_F^2 m^2 = tr( (A A^T) (B B^T) ). All of the diagonal's terms have one sign, so that their
  // rounding in the products would not average out.
  GramSums<Sum> sum_gram() {
    GramSums<Sum> sums;
    for (Index i = 0; i < samples_; ++i) {
      const Scalar* p = left().gram.data() + i * samples_;
      const Scalar* q = right_.gram.data() + i * samples_;
      GramSums<Sum> row;
      for (Index j = 0; j < i; ++j) {
        row.add_off_diagonal(Sum(p[j]), Sum(q[j]), 2);
      }
      row.add_diagonal(left().norms[i], right_.norms[i], 1);
      sums.add(row);
    }
    return sums;
  }
  static bool is_finite(const View& view) {
    return all_finite(view.rows) && all_finite(view.dominant);
  }

  // The dominant features' rows and columns of m C, without its diagonal; returns the sum of their
  // squares.
  Sum correlate_dominant() {
    const Index count = dominant_.size();
    if (count == 0) {
      return 0;
    }
    multiply_add<Order::transposed, Order::as_is, Scalar>(
        {left().dominant.data(), count}, {right_.dominant.data(), count}, {count, count, samples_},
        {within_.data(), count}, panels_, 0);
    for (Index i = 0; i < count; ++i) {
      within_[i * count + i] = 0;
    }
    correlate_dominant(left(), right_);
    const Sum within = sum_of_squares(within_);
    if (covariance_) {
      return within + 2 * sum_of_squares(right_.cross);
    }
    correlate_dominant(right_, left_);
    return within + sum_of_squares(right_.cross) + sum_of_squares(left_.cross);
  }
  void correlate_dominant(View& other, View& own) {
    const Index count = dominant_.size();
    rows_.for_each_tile([&](int worker, Index column, Index width) {
      multiply_add<Order::transposed, Order::as_is, Scalar>(
          {other.dominant.data(), count}, {row(own, 0) + column, features_},
          {count, width, samples_}, {own.cross.data() + column, features_}, panels_, worker);
    });
  }
  static Sum sum_of_squares(const Buffer<Scalar>& numbers) {
    Sum squares = 0;
    for_each_chunk(numbers.size(), Rows::kTile, [&](Index begin, Index end) {
      Sum part = 0;
      for (Index i = begin; i < end; ++i) {
        part += Sum(numbers[i]) * Sum(numbers[i]);
      }
      squares += part;
    });
    return squares;
  }

  // Of one view: B (A_s^T B)^T. kWithin: how C among the dominant features comes in.
  template <Order kWithin>
  void differentiate_dominant(View& other) {
    const Index count = dominant_.size();
    if (count == 0) {
      return;
    }
    std::fill_n(derivative_.data(), derivative_.size(), Scalar(0));
    multiply_add<Order::as_is, Order::transposed, Scalar>(
        {row(other, 0), features_}, {other.cross.data(), features_}, {samples_, count, features_},
        {derivative_.data(), count}, panels_, 0);
    multiply_add<Order::as_is, kWithin, Scalar>({other.dominant.data(), count},
                                                {within_.data(), count}, {samples_, count, count},
                                                {derivative_.data(), count}, panels_, 0);
  }

  // dA = factor ( (B B^T) A - B diag(A^T B) + B_s (B_s^T A) ), and dB by exchange, for some
  // features.
  void differentiate(int worker, Index column, Index width, View& own, View& other) {
    const Index count = dominant_.size();
    const Stored<Scalar> derivative = rows_.derivative(worker);
    std::fill_n(derivative.data, samples_ * derivative.stride, Scalar(0));
    multiply_add<Order::as_is, Order::as_is, Scalar>(
        {other.gram.data(), samples_}, {row(own, 0) + column, features_},
        {samples_, width, samples_}, derivative, panels_, worker);
    if (count > 0) {
      multiply_add<Order::as_is, Order::as_is, Scalar>(
          {other.dominant.data(), count}, {own.cross.data() + column, features_},
          {samples_, width, count}, derivative, panels_, worker);
    }
    constexpr auto most = static_cast<std::size_t>(Rows::kTile);
    alignas(kWorkspaceAlignment) Scalar diagonal[most] = {};
    for (Index j = 0; j < width; ++j) {
      diagonal[j] = static_cast<Scalar>(diagonal_[column + j]);
    }
    // The largest parts of each feature's derivative that are subtracted, and left.
    alignas(kWorkspaceAlignment) Scalar subtracted[most] = {}, left[most] = {};
    for (Index k = 0; k < samples_; ++k) {
      Scalar* d = derivative.data + k * derivative.stride;
      const Scalar* o = row(other, k) + column;
      for (Index j = 0; j < width; ++j) {
        const Scalar itself = o[j] * diagonal[j];
        const Scalar difference = d[j] - itself;
        subtracted[j] = std::max(subtracted[j], std::abs(itself));
        left[j] = std::max(left[j], std::abs(difference));
        d[j] = factor_ * difference;
      }
    }
    const ConstArray<Scalar> subtracted_array(subtracted, width), left_array(left, width);
    if ((subtracted_array - kMostLost * left_array).maxCoeff() > 0) {
      Index lost[static_cast<std::size_t>(kTogether)], found = 0;
      for (Index j = 0; j < width; ++j) {
        if (subtracted[j] > kMostLost * left[j]) {
          lost[found++] = j;
        }
        if (found == kTogether || (j == width - 1 && found > 0)) {
          differentiate_directly(worker, column, lost, found, own, other);
          found = 0;
        }
      }
    }
    for (Index i = 0; i < count; ++i) {
      const Index j = dominant_[i] - column;
      for (Index k = 0; k < samples_ && 0 <= j && j < width; ++k) {
        derivative.data[k * derivative.stride + j] = factor_ * derivative_[k * count + i];
      }
    }
  }

  // dA = factor B C^T for a few features, lost[i] of a tile, of which C is computed.
  void differentiate_directly(int worker, Index column, const Index* lost, Index count, View& own,
                              View& other) {
    Scalar* x = singled_out_.of(worker);
    Scalar* result = x + kTogether * samples_;
    Scalar* c = result + kTogether * samples_;
    std::fill_n(result, count * samples_, Scalar(0));
    std::fill_n(c, count * features_, Scalar(0));
    for (Index k = 0; k < samples_; ++k) {
      for (Index i = 0; i < count; ++i) {
        x[k * count + i] = row(own, k)[column + lost[i]];
      }
    }
    multiply_add<Order::transposed, Order::as_is, Scalar>({x, count}, {row(other, 0), features_},
                                                          {count, features_, samples_},
                                                          {c, features_}, panels_, worker);
    for (Index i = 0; i < count; ++i) {
      c[i * features_ + column + lost[i]] = 0;
    }
    multiply_add<Order::as_is, Order::transposed, Scalar>(
        {row(other, 0), features_}, {c, features_}, {samples_, count, features_}, {result, count},
        panels_, worker);
    const Stored<Scalar> derivative = rows_.derivative(worker);
    for (Index i = 0; i < count; ++i) {
      const Index j = lost[i], dominant = dominant_.size();
      if (dominant > 0) {
        multiply_add<Order::as_is, Order::as_is, Scalar>(
            {other.dominant.data(), dominant}, {own.cross.data() + column + j, features_},
            {samples_, 1, dominant}, {result + i, count}, panels_, worker);
      }
      for (Index k = 0; k < samples_; ++k) {
        derivative.data[k * derivative.stride + j] = factor_ * result[k * count + i];
      }
    }
  }

  Rows rows_;
  Index samples_, features_;
  bool covariance_;
  bool is_accurate_ = true;
  Scalar factor_ = 1;
  View right_, left_;
  ProductPanels<Scalar> panels_;
  Buffer<Sum> diagonal_;
  Buffer<Index> dominant_;
  Buffer<Scalar> within_;      // s x s: C among the dominant features
  Buffer<Scalar> derivative_;  // by the dominant features
  PerWorker<Scalar> singled_out_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_GRAM_HPP_
