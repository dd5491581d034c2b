#ifndef DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_PAIRS_HPP_
#define DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_PAIRS_HPP_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/losses/diagonal_term.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/spectra/signal_pairing.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_epilogue.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The relaxed Barlow Twins of all pairs u < v of V standardized views at once, so that each view is
// transformed twice, once as the first of its pairs and once as the second, and not V - 1 times.
// Views 0 .. V - 2 and views 1 .. V - 1, side by side, are two views of (V - 1) d features, of
// which blocks of d meet: the grouped form, where the blocks of pairs count. O(V n d log d + V^2 n
// d) time; memory for the standardized views, and for both parts of the gradient with respect to
// them.
template <class Scalar>
class BarlowTwinsOfPairs {
 public:
  using Sum = Accumulator<Scalar>;

  // Not over processes, whose sums of each pair are told apart; nor where one view's rounding may
  // cost another one's digits, as they share their rows' scales: attempt() finds out.
  static bool suits(const BatchOfViews<Scalar>& batch, const BarlowTwinsOptions& options,
                    const decorr::Regularizer& choice) {
    const Relaxed* relaxed = choice.relaxed();
    return batch.size() > 2 && batch.combination == ViewCombination::pairs &&
           batch.processes == nullptr && options.standardize && relaxed != nullptr &&
           (relaxed->block_size == 0 || relaxed->block_size == batch.features());
  }

  // Nothing where views differ in size by far, or epsilon makes a feature dominant.
  static DECORR_DETAIL_COLD std::optional<BarlowTwinsLoss<Scalar>> attempt(
      const BatchOfViews<Scalar>& batch, const BarlowTwinsOptions& options,
      const decorr::Regularizer& choice) {
    BarlowTwinsOfPairs pairs(batch, options);
    if (!pairs.take_statistics()) {
      return std::nullopt;
    }
    pairs.prepare(choice);
    return pairs.compute();
  }

 private:
  BarlowTwinsOfPairs(const BatchOfViews<Scalar>& batch, const BarlowTwinsOptions& options)
      : batch_(batch),
        views_(static_cast<Index>(batch.size())),
        features_(batch.features()),
        all_features_(views_ * features_),
        epsilon_(static_cast<Sum>(options.epsilon)),
        weight_(static_cast<Sum>(options.scale) * static_cast<Sum>(options.lambda)),
        diagonal_term_(static_cast<Sum>(options.scale)),
        workers_(worker_count(batch.execution.threads, batch.rows(), kTileRows)) {}

  Sum count() const noexcept { return static_cast<Sum>(batch_.rows()); }
  const ViewRows<Scalar>& view(Index v) const { return batch_.views[static_cast<std::size_t>(v)]; }

  // Whether no view differs from another one by far, and none has a dominant feature.
  bool take_statistics() {
    Sum least = 0, most = 0;
    bool has_dominant = false;
    for (Index v = 0; v < views_; ++v) {
      Arena arena;  // of the passes alone
      const auto found = moments_of_view(batch_.of(arena, {view(v).view, {}, {}, {}}), epsilon_);
      const auto statistics = view_statistics(arena, found, count(), epsilon_);
      standardizations_.emplace_back(batch_.arena, statistics, true);
      const Sum largest = largest_standardized(statistics);
      least = v == 0 ? largest : std::min(least, largest);
      most = std::max(most, largest);
      const auto squares = standardized_squares(statistics);
      has_dominant = has_dominant || dominant_feature<Scalar>(features_, squares, squares);
    }
    return !has_dominant && !differ_in_size(least, most);
  }

  // Memory and plans.
  void prepare(const decorr::Regularizer& choice) {
    const Index rows = batch_.rows(), size_of_sides = rows * (all_features_ - features_);
    Arena& arena = batch_.arena;
    prepared_ = Buffer<Scalar>(arena, rows * all_features_);
    tiles_ = PerWorker<Scalar>(arena, workers_,
                               kTileRows * tile_stride<Scalar>(std::min(features_, kStripColumns)));
    diagonal_ = sums(views_ * (views_ - 1) / 2);
    if (batch_.has_gradient()) {
      gradient_a_ = Buffer<Scalar>(arena, size_of_sides);
      gradient_b_ = Buffer<Scalar>(arena, size_of_sides);
      slopes_ = sums(views_);
      of_others_ = Buffer<Scalar>(arena, diagonal_.totals().size());
      of_own_ = Buffer<Scalar>(arena, all_features_);
    }
    choice_ = side_by_side(*choice.relaxed());
    const Batch<Scalar> batch = batch_.of(arena, both_sides());
    side_a_ = Preparation<Scalar>(arena, batch.rows.features(), {}, signs_a(choice_));
    side_b_ = Preparation<Scalar>(arena, batch.rows.features(), {}, signs_b(choice_));
    signs_of_gradient_a_ = ViewEpilogue<Scalar>(arena, batch.rows.features(), side_a_);
    signs_of_gradient_b_ = ViewEpilogue<Scalar>(arena, batch.rows.features(), side_b_);
    BlockWeights weights = block_weights(choice_, batch.rows.features());
    weights.take_pairs_of_views();
    regularizer_.emplace(
        arena, regularizer_setup(batch, SignalPairing::Kind::views, side_a_, side_b_, rows),
        choice_, weights);
  }
  // As of a batch of so many times d features, for each of them the sum of a product.
  DiagonalSums<Scalar> sums(Index times) const {
    return {batch_.arena, times * features_, batch_.rows(), RowAccess(), batch_.execution.threads};
  }
  // Of V - 1 views side by side, each of which is a block.
  decorr::Regularizer side_by_side(const Relaxed& of_view) const {
    Relaxed relaxed;
    relaxed.exponent = of_view.exponent;
    relaxed.block_size = features_;
    for (Index v = 0; v + 1 < views_; ++v) {
      for (const Index feature : of_view.permutation) {
        relaxed.permutation.push_back(v * features_ + feature);
      }
      for (const auto& [from, to] : {std::pair(&of_view.signs_a, &relaxed.signs_a),
                                     std::pair(&of_view.signs_b, &relaxed.signs_b)}) {
        to->insert(to->end(), from->begin(), from->end());
      }
    }
    return relaxed;
  }
  // The first views of pairs, and the second ones.
  BatchRows<Scalar> both_sides() noexcept {
    const Index rows = batch_.rows(), features = all_features_ - features_;
    const auto side = [&](Index first_view) noexcept {
      return InputRows<Scalar>(prepared_.data() + first_view * features_, rows, features,
                               all_features_, 1);
    };
    const auto gradient = [&](Buffer<Scalar>& to) noexcept {
      return to ? OutputRows<Scalar>(to.data(), features, features, 1) : OutputRows<Scalar>();
    };
    return {side(0), side(1), gradient(gradient_a_), gradient(gradient_b_)};
  }

  BarlowTwinsLoss<Scalar> compute() {
    standardize();
    const BatchRows<Scalar> rows = both_sides();
    regularizer_->add(rows);
    BarlowTwinsLoss<Scalar> loss{};
    loss.diagonal = static_cast<Scalar>(diagonal_term_.value(diagonal_.totals()));
    loss.off_diagonal = static_cast<Scalar>(weight_ * regularizer_->value(rows, count(), weight_));
    loss.value = loss.diagonal + loss.off_diagonal;
    if (gradient_a_) {
      regularizer_->gradient(rows,
                             {{nullptr, &signs_of_gradient_a_}, {nullptr, &signs_of_gradient_b_}});
      sum_slopes();
      set_coefficients();
      write_gradients();
    }
    return loss;
  }

  Scalar* prepared(Index row, Index v) noexcept {
    return prepared_.data() + row * all_features_ + v * features_;
  }
  // The derivative by a view's standardized row as the first of pairs, or as the second; null for a
  // view that is never that.
  Scalar* of_first(Index row, Index v) noexcept {
    return v + 1 < views_ ? side_row(gradient_a_, row, v) : nullptr;
  }
  Scalar* of_second(Index row, Index v) noexcept {
    return v > 0 ? side_row(gradient_b_, row, v - 1) : nullptr;
  }
  Scalar* side_row(Buffer<Scalar>& side, Index row, Index v) const noexcept {
    return side.data() + row * (all_features_ - features_) + v * features_;
  }
  // Where the features of pair u < v begin, in the order (0, 1), (0, 2), (1, 2), (0, 3), ...
  Index pair(Index u, Index v) const noexcept {
    return (std::max(u, v) * (std::max(u, v) - 1) / 2 + std::min(u, v)) * features_;
  }

  // Tiles of rows, and of these strips of features: body(worker, first, last, column, end).
  template <class Body>
  void for_each_strip(const Body& body, FunctionRef<int> begin, FunctionRef<int> merge) noexcept {
    parallel_chunks(
        workers_, 0, batch_.rows(), kTileRows,
        [&](int worker, Index first, Index last) noexcept {
          begin(worker);
          for_each_chunk(features_, kStripColumns, [&](Index column, Index end) noexcept {
            body(worker, first, last, column, end);
          });
        },
        merge);
  }

  // The standardized views, and in the same read the diagonals of all pairs' C. Bound by bytes.
  void standardize() noexcept {
    for_each_strip(
        [&](int worker, Index first, Index last, Index column, Index end) noexcept {
          for (Index v = 0; v < views_; ++v) {
            standardize(worker, v, first, last, column, end);
            for (Index u = 0; u < v; ++u) {
              for (Index k = first; k < last; ++k) {
                diagonal_.add(worker, pair(u, v) + column, end - column, prepared(k, u) + column,
                              prepared(k, v) + column);
              }
            }
          }
        },
        [&](int worker) noexcept { diagonal_.begin(worker); },
        [&](int worker) noexcept { diagonal_.merge(worker); });
    for (Index j = 0; j < diagonal_.totals().size(); ++j) {
      diagonal_.totals()[j] /= count();
    }
  }

  // With G the regularizer's gradient with respect to x^_v, that of the loss is (G + sum_u t_uv
  // x^_u - x^_v mean(G x^_v + sum_u t_uv C_uv)) / sigma_v, with the diagonal term's slope t_uv:
  // barlow_twins.hpp, with a sum over the other views.
  void sum_slopes() noexcept {
    for_each_strip(
        [&](int worker, Index first, Index last, Index column, Index end) noexcept {
          for (Index v = 0; v < views_; ++v) {
            for (Index k = first; k < last; ++k) {
              for (const Scalar* gradient : {of_first(k, v), of_second(k, v)}) {
                if (gradient != nullptr) {
                  slopes_.add(worker, v * features_ + column, end - column, gradient + column,
                              prepared(k, v) + column);
                }
              }
            }
          }
        },
        [&](int worker) noexcept { slopes_.begin(worker); },
        [&](int worker) noexcept { slopes_.merge(worker); });
  }
  void set_coefficients() noexcept {
    Buffer<Sum>& slopes = slopes_.totals();
    for (Index j = 0; j < slopes.size(); ++j) {
      slopes[j] /= count();
    }
    for (Index v = 0; v < views_; ++v) {
      for (Index u = 0; u < v; ++u) {
        for (Index j = 0; j < features_; ++j) {
          const Sum diagonal = diagonal_.totals()[pair(u, v) + j];
          const Sum slope = diagonal_term_.slope(diagonal, count());
          of_others_[pair(u, v) + j] = static_cast<Scalar>(slope);
          slopes[u * features_ + j] += slope * diagonal;
          slopes[v * features_ + j] += slope * diagonal;
        }
      }
    }
    for (Index j = 0; j < slopes.size(); ++j) {
      of_own_[j] = static_cast<Scalar>(-slopes[j]);
    }
  }
  // Bound by bytes.
  void write_gradients() noexcept {
    for_each_strip(
        [&](int worker, Index first, Index last, Index column, Index end) noexcept {
          for (Index v = 0; v < views_; ++v) {
            if (view(v).gradient) {
              write_gradient(worker, v, first, last, column, end);
            }
          }
        },
        [](int) noexcept {}, [](int) noexcept {});
  }
  void write_gradient(int worker, Index v, Index first, Index last, Index column,
                      Index end) noexcept {
    const Index width = end - column;
    const Tile<Scalar> gradient = view(v).gradient.tile(first, column, width, tiles_.of(worker));
    for (Index k = first; k < last; ++k) {
      Scalar* to = gradient.row(k - first);
      std::fill_n(to, width, Scalar(0));
      for (const Scalar* part : {of_first(k, v), of_second(k, v)}) {
        if (part != nullptr) {
          add_multiple(Scalar(1), part + column, width, to);
        }
      }
      for (Index u = 0; u < views_; ++u) {
        const Scalar* of_view =
            u == v ? of_own_.data() + v * features_ : of_others_.data() + pair(u, v);
        add_products(of_view + column, prepared(k, u) + column, width, to);
      }
      multiply(standardizations_[static_cast<std::size_t>(v)].factors().data() + column, width, to);
    }
    view(v).gradient.store(first, last - first, column, width, gradient);
  }

  void standardize(int worker, Index v, Index first, Index last, Index column, Index end) noexcept {
    const Tile<const Scalar> raw =
        view(v).view.tile(first, last - first, column, end - column, tiles_.of(worker));
    for (Index k = first; k < last; ++k) {
      standardizations_[static_cast<std::size_t>(v)].apply(raw.row(k - first), column, end - column,
                                                           {}, prepared(k, v) + column);
    }
  }

  DECORR_DETAIL_NOINLINE static void add_products(const Scalar* factors, const Scalar* numbers,
                                                  Index count, Scalar* to) noexcept {
    for (Index j = 0; j < count; ++j) {
      to[j] += factors[j] * numbers[j];
    }
  }
  DECORR_DETAIL_NOINLINE static void multiply(const Scalar* factors, Index count,
                                              Scalar* to) noexcept {
    for (Index j = 0; j < count; ++j) {
      to[j] *= factors[j];
    }
  }

  const BatchOfViews<Scalar>& batch_;
  Index views_, features_, all_features_;
  Sum epsilon_, weight_;
  DiagonalTerm<Scalar> diagonal_term_;
  int workers_;
  std::vector<Standardization<Scalar>> standardizations_;
  decorr::Regularizer choice_;
  Preparation<Scalar> side_a_, side_b_;
  std::optional<BatchRegularizer<Scalar>> regularizer_;
  Buffer<Scalar> prepared_;  // the standardized views, side by side
  PerWorker<Scalar> tiles_;
  DiagonalSums<Scalar> diagonal_;  // of each pair's C
  // With gradients alone.
  ViewEpilogue<Scalar> signs_of_gradient_a_, signs_of_gradient_b_;
  Buffer<Scalar> gradient_a_, gradient_b_;  // with respect to the views as first and as second ones
  DiagonalSums<Scalar> slopes_;             // of each view
  Buffer<Scalar> of_others_, of_own_;       // coefficients of the standardized rows
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_PAIRS_HPP_
