#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_GRAM_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_GRAM_HPP_

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "decorr/detail/kernels/gemm.hpp"
#include "decorr/detail/kernels/gram.hpp"
#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/regularizers/exact_rows.hpp"
#include "decorr/detail/regularizers/gram_accuracy.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"

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

  DECORR_DETAIL_COLD ExactGram(Arena& arena, const RegularizerSetup<Scalar>& setup,
                               const BlockWeights& weights)
      : rows_(arena, setup, setup.count, weights),
        samples_(setup.count),
        features_(setup.features),
        is_covariance_(setup.is_covariance()),
        a_(make_view(arena)),
        b_(is_covariance_ ? a_ : make_view(arena)),
        panels_(arena, rows_.workers(),
                {{std::min(samples_, kGramRows), samples_, features_},
                 {samples_, rows_.tile(), samples_}}),
        diagonal_(arena, features_, Sum(0)),
        singled_out_(arena, rows_.workers(),
                     setup.access.has_gradient() ? kTogether * (2 * samples_ + features_) : 0) {}

  // Keeps the rows, all of which it takes at once.
  void add(const BatchRows<Scalar>& rows) noexcept {
    rows_.load_a(rows, 0, samples_, a_.rows.data());
    if (!is_covariance_) {
      rows_.load_b(rows, 0, samples_, b_.rows.data());
    }
    add_squares();
  }

  // The value of R; gradients will be those of `gradient_weight` * R. The arena is for what only
  // some data need.
  DECORR_DETAIL_COLD Sum value(Arena& arena, Sum m, Sum gradient_weight) {
    factor_ = rows_.gradient_factor(gradient_weight, m);
    set_apart(arena, dominant_features(arena, a_.squares, b_.squares));
    if (dominant_.size() > 0 && samples_ + 2 * dominant_.size() > features_) {
      is_accurate_ = false;  // C is cheaper
      return 0;
    }
    fill_gram(a_);
    if (!is_covariance_) {
      fill_gram(b_);
    }
    const GramSums<Sum> sums = sum_gram();
    const Sum own = sums.products - sum_of<Sum>(features_, [&](Index j) noexcept {
                      return diagonal_[j] * diagonal_[j];
                    });
    const Sum squares = own + correlate_dominant();
    is_accurate_ = sums.template keeps_digits<Scalar>(own, squares, Sum(samples_)) ||
                   !(is_finite(a_) && is_finite(b_));
    return rows_.value(squares, m);
  }

  // Whether the value and the gradient are as good as those through C, once value() was called.
  bool is_accurate() const noexcept { return is_accurate_; }

  // The gradient with respect to the prepared rows, through the sinks.
  void gradient(const BatchRows<Scalar>& rows, const GradientSinks<Scalar>& sinks) noexcept {
    if (rows_.access().gradient_a) {
      differentiate_dominant<Order::transposed>(b_);
      rows_.for_each_tile([&](int worker, Index column, Index width) noexcept {
        differentiate(worker, column, width, a_, b_);
        rows_.store_a(worker, rows, 0, samples_, column, width, sinks.a);
      });
    }
    if (rows_.access().gradient_b && !is_covariance_) {
      differentiate_dominant<Order::as_is>(a_);
      rows_.for_each_tile([&](int worker, Index column, Index width) noexcept {
        differentiate(worker, column, width, b_, a_);
        rows_.store_b(worker, rows, 0, samples_, column, width, sinks.b);
      });
    }
  }

 private:
  using Rows = ExactRows<Scalar>;

  // So many features at a time have their derivatives computed through C where the Gram matrices
  // lose them.
  static constexpr Index kTogether = 8;
  // A feature's derivative has lost its digits where what was subtracted is so many times what is
  // left.
  static constexpr Scalar kMostLost = 4;

  // Of a covariance both views are the same one, in the same memory.
  struct View {
    Buffer<Scalar> rows, gram;  // n x d, without the dominant features, and n x n
    Buffer<Sum> squares;        // of each feature, over the samples
    Buffer<Sum> norms;          // squared, of the rows: the Gram matrix's diagonal
    Buffer<Scalar> dominant;    // n x s
    Buffer<Scalar> cross;  // s x d: the other view's dominant features times this view's others
  };

  View make_view(Arena& arena) const {
    View view;
    view.rows = Buffer<Scalar>(arena, samples_ * features_);
    view.gram = Buffer<Scalar>(arena, samples_ * samples_);
    view.squares = Buffer<Sum>(arena, features_, Sum(0));
    view.norms = Buffer<Sum>(arena, samples_);
    return view;
  }

  Scalar* row(View& view, Index k) const noexcept { return view.rows.data() + k * features_; }

  // Of both views, and of the diagonal of m C.
  void add_squares() noexcept {
    constexpr Index kStrip = 256;  // sums of so many features stay in the first-level cache
    parallel_chunks(rows_.workers(), 0, features_, kStrip,
                    [&](int, Index column, Index last) noexcept {
                      for (Index k = 0; k < samples_; ++k) {
                        const Scalar* a = row(a_, k);
                        const Scalar* b = row(b_, k);
                        if (is_covariance_) {
                          for (Index j = column; j < last; ++j) {
                            diagonal_[j] += Sum(b[j]) * Sum(b[j]);
                          }
                          continue;
                        }
                        for (Index j = column; j < last; ++j) {
                          const Sum x = Sum(a[j]), y = Sum(b[j]);
                          a_.squares[j] += x * x;
                          b_.squares[j] += y * y;
                          diagonal_[j] += x * y;
                        }
                      }
                      if (is_covariance_) {
                        std::copy(diagonal_.data() + column, diagonal_.data() + last,
                                  a_.squares.data() + column);
                      }
                    });
  }

  // Moves the dominant features out of the rows.
  DECORR_DETAIL_COLD void set_apart(Arena& arena, const Buffer<Index>& dominant) {
    dominant_ = dominant;
    if (dominant_.size() == 0) {
      return;
    }
    set_apart(arena, a_);
    if (is_covariance_) {
      b_ = a_;
    } else {
      set_apart(arena, b_);
    }
    within_ = Buffer<Scalar>(arena, dominant_.size() * dominant_.size(), Scalar(0));
    if (rows_.access().has_gradient()) {
      derivative_ = Buffer<Scalar>(arena, samples_ * dominant_.size());
    }
    for (Index i = 0; i < dominant_.size(); ++i) {
      diagonal_[dominant_[i]] = 0;
    }
  }
  DECORR_DETAIL_COLD void set_apart(Arena& arena, View& view) const {
    const Index count = dominant_.size();
    view.dominant = Buffer<Scalar>(arena, samples_ * count);
    view.cross = Buffer<Scalar>(arena, count * features_, Scalar(0));
    for (Index k = 0; k < samples_; ++k) {
      for (Index i = 0; i < count; ++i) {
        Scalar& x = row(view, k)[dominant_[i]];
        view.dominant[k * count + i] = x;
        x = 0;
      }
    }
  }

  void fill_gram(View& view) noexcept {
    view.gram.fill(Scalar(0));
    parallel_chunks(rows_.workers(), 0, samples_, kGramRows,
                    [&](int worker, Index first, Index end) noexcept {
                      add_gram_rows({row(view, 0), features_}, samples_, features_, first, end,
                                    view.gram.data(), panels_, worker);
                      for (Index k = first; k < end; ++k) {
                        view.norms[k] = squared_norm(row(view, k));
                      }
                    });
    mirror_lower(view.gram.data(), samples_);
  }

  // In parts, of which float sums are as accurate as their terms.
  Sum squared_norm(const Scalar* row) const noexcept {
    Sum squares = 0;
    for_each_chunk(features_, Rows::kTile, [&](Index begin, Index end) noexcept {
      squares += Sum(sum_of<Scalar>(
          end - begin, [&](Index j) noexcept { return row[begin + j] * row[begin + j]; }));
    });
    return squares;
  }

  // ||C||_F^2 m^2 = tr( (A A^T) (B B^T) ). All of the diagonal's terms have one sign, so that their
  // rounding in the products would not average out.
  GramSums<Sum> sum_gram() noexcept {
    GramSums<Sum> sums;
    sums.add_symmetric(a_.gram.data(), b_.gram.data(), samples_, Sum(1));
    for (Index i = 0; i < samples_; ++i) {
      sums.add_diagonal(a_.norms[i], b_.norms[i], 1);
    }
    return sums;
  }
  static bool is_finite(const View& view) noexcept {
    return all_finite(view.rows) && all_finite(view.dominant);
  }

  // The dominant features' rows and columns of m C, without its diagonal; returns the sum of their
  // squares.
  Sum correlate_dominant() noexcept {
    const Index count = dominant_.size();
    if (count == 0) {
      return 0;
    }
    multiply_add<Scalar>(Order::transposed, {a_.dominant.data(), count}, Order::as_is,
                         {b_.dominant.data(), count}, {count, count, samples_},
                         {within_.data(), count}, panels_, 0);
    for (Index i = 0; i < count; ++i) {
      within_[i * count + i] = 0;
    }
    correlate_dominant(a_, b_);
    const Sum within = sum_of_squares(within_);
    if (is_covariance_) {
      return within + 2 * sum_of_squares(b_.cross);
    }
    correlate_dominant(b_, a_);
    return within + sum_of_squares(b_.cross) + sum_of_squares(a_.cross);
  }
  void correlate_dominant(View& other, View& own) noexcept {
    const Index count = dominant_.size();
    rows_.for_each_tile([&](int worker, Index column, Index width) noexcept {
      multiply_add<Scalar>(Order::transposed, {other.dominant.data(), count}, Order::as_is,
                           {row(own, 0) + column, features_}, {count, width, samples_},
                           {own.cross.data() + column, features_}, panels_, worker);
    });
  }
  static Sum sum_of_squares(const Buffer<Scalar>& numbers) noexcept {
    return sum_of<Sum>(numbers.size(),
                       [&](Index i) noexcept { return Sum(numbers[i]) * Sum(numbers[i]); });
  }

  // Of one view: B (A_s^T B)^T. kWithin: how C among the dominant features comes in.
  template <Order kWithin>
  void differentiate_dominant(View& other) noexcept {
    const Index count = dominant_.size();
    if (count == 0) {
      return;
    }
    std::fill_n(derivative_.data(), derivative_.size(), Scalar(0));
    multiply_add<Scalar>(Order::as_is, {row(other, 0), features_}, Order::transposed,
                         {other.cross.data(), features_}, {samples_, count, features_},
                         {derivative_.data(), count}, panels_, 0);
    multiply_add<Scalar>(Order::as_is, {other.dominant.data(), count}, kWithin,
                         {within_.data(), count}, {samples_, count, count},
                         {derivative_.data(), count}, panels_, 0);
  }

  // dA = factor ( (B B^T) A - B diag(A^T B) + B_s (B_s^T A) ), and dB by exchange, for some
  // features.
  void differentiate(int worker, Index column, Index width, View& own, View& other) noexcept {
    const Index count = dominant_.size();
    const Stored<Scalar> derivative = rows_.derivative(worker);
    std::fill_n(derivative.data, samples_ * derivative.stride, Scalar(0));
    multiply_add<Scalar>(Order::as_is, {other.gram.data(), samples_}, Order::as_is,
                         {row(own, 0) + column, features_}, {samples_, width, samples_}, derivative,
                         panels_, worker);
    if (count > 0) {
      multiply_add<Scalar>(Order::as_is, {other.dominant.data(), count}, Order::as_is,
                           {own.cross.data() + column, features_}, {samples_, width, count},
                           derivative, panels_, worker);
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
    const auto has_lost = [&](Index j) noexcept { return subtracted[j] > kMostLost * left[j]; };
    Index any = 0;
    for (Index j = 0; j < width; ++j) {
      any |= static_cast<Index>(has_lost(j));
    }
    if (any != 0) {
      Index lost[static_cast<std::size_t>(kTogether)], found = 0;
      for (Index j = 0; j < width; ++j) {
        if (has_lost(j)) {
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
                              View& other) noexcept {
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
    multiply_add<Scalar>(Order::transposed, {x, count}, Order::as_is, {row(other, 0), features_},
                         {count, features_, samples_}, {c, features_}, panels_, worker);
    for (Index i = 0; i < count; ++i) {
      c[i * features_ + column + lost[i]] = 0;
    }
    multiply_add<Scalar>(Order::as_is, {row(other, 0), features_}, Order::transposed,
                         {c, features_}, {samples_, count, features_}, {result, count}, panels_,
                         worker);
    const Stored<Scalar> derivative = rows_.derivative(worker);
    for (Index i = 0; i < count; ++i) {
      const Index j = lost[i], dominant = dominant_.size();
      if (dominant > 0) {
        multiply_add<Scalar>(Order::as_is, {other.dominant.data(), dominant}, Order::as_is,
                             {own.cross.data() + column + j, features_}, {samples_, 1, dominant},
                             {result + i, count}, panels_, worker);
      }
      for (Index k = 0; k < samples_; ++k) {
        derivative.data[k * derivative.stride + j] = factor_ * result[k * count + i];
      }
    }
  }

  Rows rows_;
  Index samples_, features_;
  bool is_covariance_;
  bool is_accurate_ = true;
  Scalar factor_ = 1;
  View a_, b_;
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
