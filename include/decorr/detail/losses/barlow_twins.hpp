#ifndef DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_
#define DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_

#include <optional>
#include <utility>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/losses/diagonal_term.hpp"
#include "decorr/detail/regularizers/dominant_feature.hpp"
#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_epilogue.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/detail/statistics/moments.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Of each standardized feature over the samples, but for their number.
template <class Scalar>
auto standardized_squares(const ViewStatistics<Scalar>& of) {
  return [&of](Index j) noexcept { return of.standardized(j) * of.standardized(j); };
}

// What pass 1 finds out; of views that are taken as they are nothing, and the diagonal comes later.
template <class Scalar>
struct BarlowTwinsStatistics {
  using Sum = Accumulator<Scalar>;

  DECORR_DETAIL_COLD void take(Arena& arena, const Moments<Scalar>& moments, Sum epsilon) {
    count = moments.count;
    const auto of_a = view_statistics(arena, moments.a, Sum(count), epsilon);
    const auto of_b = view_statistics(arena, moments.b, Sum(count), epsilon);
    a = Standardization<Scalar>(arena, of_a, true);
    b = Standardization<Scalar>(arena, of_b, true);
    pair = pair_statistics(arena, moments, of_a, of_b);
    // Where epsilon outweighs all variances but one.
    dominant = dominant_feature<Scalar>(pair.diagonal.size(), standardized_squares(of_a),
                                        standardized_squares(of_b));
  }

  Index count = 0;
  DominantFeature dominant;
  Standardization<Scalar> a, b;
  PairStatistics<Scalar> pair;
};

// Barlow Twins: the diagonal of C, and a regularizer of the cross-correlation.
template <class Scalar>
class BarlowTwins {
 public:
  using Sum = Accumulator<Scalar>;

  DECORR_DETAIL_COLD BarlowTwins(const Batch<Scalar>& batch,
                                 const BarlowTwinsStatistics<Scalar>& statistics,
                                 const BarlowTwinsOptions& options,
                                 const decorr::Regularizer& choice)
      : statistics_(statistics),
        diagonal_term_(static_cast<Sum>(options.scale)),
        weight_(static_cast<Sum>(options.scale) * static_cast<Sum>(options.lambda)),
        a_(batch.arena, batch.rows.features(), statistics.a, signs_a(choice)),
        b_(batch.arena, batch.rows.features(), statistics.b, signs_b(choice)),
        regularizer_(batch.arena,
                     regularizer_setup(batch, kPairing, a_, b_, statistics_.count,
                                       options.standardize ? statistics_.dominant
                                                           : dominant_feature(batch, choice)),
                     choice, block_weights(choice, batch.rows.features())),
        sums_of_regularizer_(
            detail::sums_size(choice, batch.rows.features(), SignalPairing(kPairing))) {
    const RowAccess access = row_access(batch.rows);
    const Index features = batch.rows.features();
    if (!options.standardize) {
      diagonal_ = DiagonalSums<Scalar>(batch.arena, features, batch.rows.size(), access,
                                       batch.execution.threads);
    }
    if (!access.has_gradient()) {
      return;
    }
    epilogue_a_ = ViewEpilogue<Scalar>(batch.arena, features, statistics.a, OtherTerm::other_view,
                                       statistics.b);
    epilogue_b_ = ViewEpilogue<Scalar>(batch.arena, features, statistics.b, OtherTerm::other_view,
                                       statistics.a);
    if (options.standardize) {
      const int workers = most_workers(batch);
      if (access.gradient_a) {
        slopes_a_ = SlopeSums<Scalar>(batch.arena, features, a_, workers);
      }
      if (access.gradient_b) {
        slopes_b_ = SlopeSums<Scalar>(batch.arena, features, b_, workers);
      }
      last_step_ = EpiloguePass<Scalar>(batch.arena, batch.rows, epilogue_a_, epilogue_b_,
                                        batch.execution.threads);
    }
  }
  // The regularizer points to the preparations.
  BarlowTwins(const BarlowTwins&) = delete;
  BarlowTwins& operator=(const BarlowTwins&) = delete;

  // Where rows come in parts it may be known after them.
  void set_count(Index count) noexcept { statistics_.count = count; }

  void correlate(const BatchRows<Scalar>& rows) noexcept {
    regularizer_.add(rows, diagonal_ ? &diagonal_ : nullptr);
  }

  BarlowTwinsLoss<Scalar> value(const BatchRows<Scalar>& rows) {
    const Sum n = static_cast<Sum>(statistics_.count);
    Buffer<Sum>& diagonal = statistics_.pair.diagonal;
    for (Index j = 0; j < diagonal_.totals().size(); ++j) {
      diagonal[j] = diagonal_.totals()[j] / n;
    }
    const Sum on_diagonal = diagonal_term_.value(diagonal);
    const Sum off_diagonal = weight_ * regularizer_.value(rows, n, weight_);
    BarlowTwinsLoss<Scalar> loss{};
    loss.diagonal = static_cast<Scalar>(on_diagonal);
    loss.off_diagonal = static_cast<Scalar>(off_diagonal);
    loss.value = loss.diagonal + loss.off_diagonal;
    return loss;
  }

  // What the batch is known by after the correlation, and after the slopes.
  static Index sums_size(const BarlowTwinsOptions& options, const decorr::Regularizer& choice,
                         Index features) {
    return detail::sums_size(choice, features, SignalPairing(kPairing)) +
           (options.standardize ? 0 : features);
  }
  void write_sums(Sum* to) noexcept {
    regularizer_.write_sums(to);
    copy_numbers<Sum>(diagonal_.totals().data(), diagonal_.totals().size(),
                      to + sums_of_regularizer_);
  }
  void read_sums(const Sum* from) noexcept {
    regularizer_.read_sums(from);
    copy_numbers(from + sums_of_regularizer_, diagonal_.totals().size(), diagonal_.totals().data());
  }
  Index slopes_size() const noexcept {
    return slopes_a_.totals().size() + slopes_b_.totals().size();
  }
  void write_slopes(Sum* to) const noexcept {
    for (const SlopeSums<Scalar>* slopes : {&slopes_a_, &slopes_b_}) {
      const Buffer<Sum>& totals = slopes->totals();
      copy_numbers(totals.data(), totals.size(), to);
      to += totals.size();
    }
  }
  void read_slopes(const Sum* from) noexcept {
    for (SlopeSums<Scalar>* slopes : {&slopes_a_, &slopes_b_}) {
      Buffer<Sum>& totals = slopes->totals();
      copy_numbers(from, totals.size(), totals.data());
      from += totals.size();
    }
  }

  // Through the deviations each gradient depends on all of G.
  bool needs_slopes() const noexcept { return slopes_size() > 0; }
  // G waits in the gradient rows.
  void take_slopes(const BatchRows<Scalar>& rows) noexcept {
    regularizer_.gradient(rows, {{slopes_a_ ? &slopes_a_ : nullptr, nullptr},
                                 {slopes_b_ ? &slopes_b_ : nullptr, nullptr}});
  }
  // After take_slopes() of the same rows.
  void finish(const BatchRows<Scalar>& rows) noexcept {
    set_coefficients();
    last_step_.run(rows);
  }
  // Of any rows.
  void gradient(const BatchRows<Scalar>& rows) noexcept {
    set_coefficients();
    regularizer_.gradient(rows, {{nullptr, &epilogue_a_}, {nullptr, &epilogue_b_}});
  }

 private:
  static constexpr SignalPairing::Kind kPairing = SignalPairing::Kind::views;

  // With g the gradient with respect to x^ = (x - mean) / sigma, dx = (g - mean(g) - x^ mean(g x^))
  // / sigma. mean(g) is zero, since g is a combination of the other view's centred features.
  void set_coefficients() noexcept {
    set_coefficients(a_, slopes_a_, statistics_.pair.inverse_a, epilogue_a_);
    set_coefficients(b_, slopes_b_, statistics_.pair.inverse_b, epilogue_b_);
  }
  DECORR_DETAIL_COLD void set_coefficients(const Preparation<Scalar>& preparation,
                                           const SlopeSums<Scalar>& slopes,
                                           const Buffer<Sum>& inverse,
                                           ViewEpilogue<Scalar>& epilogue) const noexcept {
    const Buffer<Sum>& diagonal = statistics_.pair.diagonal;
    const Sum n = static_cast<Sum>(statistics_.count);
    for (Index j = 0; j < diagonal.size(); ++j) {
      epilogue.regularizer[j] = static_cast<Scalar>(inverse[j]);
      epilogue.other[j] = static_cast<Scalar>(diagonal_term_.slope(diagonal[j], n) * inverse[j]);
      epilogue.own[j] = 0;
    }
    preparation.multiply_by_signs(epilogue.regularizer);
    const Buffer<Sum>& totals = slopes.totals();
    for (Index j = 0; j < totals.size(); ++j) {
      const Sum through_variance =
          totals[j] / n + diagonal_term_.slope(diagonal[j], n) * diagonal[j];
      epilogue.own[j] = static_cast<Scalar>(-through_variance * inverse[j]);
    }
  }

  BarlowTwinsStatistics<Scalar> statistics_;
  DiagonalTerm<Scalar> diagonal_term_;
  Sum weight_;
  Preparation<Scalar> a_, b_;
  BatchRegularizer<Scalar> regularizer_;
  Index sums_of_regularizer_;
  DiagonalSums<Scalar> diagonal_;  // of views that are taken as they are
  ViewEpilogue<Scalar> epilogue_a_, epilogue_b_;
  SlopeSums<Scalar> slopes_a_, slopes_b_;
  EpiloguePass<Scalar> last_step_;
};

template <class Scalar>
class BarlowTwinsFirstPass {
 public:
  using Options = BarlowTwinsOptions;
  using Loss = BarlowTwins<Scalar>;
  using Result = BarlowTwinsLoss<Scalar>;
  static constexpr bool kHasTwoViews = true, kHasStatistics = true;
  // A variance is taken.
  static Index least_rows(const Options& options) noexcept { return options.standardize ? 2 : 1; }

  explicit BarlowTwinsFirstPass(const Options& options) noexcept : options_(options) {}
  const Options& options() const noexcept { return options_; }
  bool has_statistics() const noexcept { return options_.standardize; }

  void start(const Batch<Scalar>& batch) {
    if (has_statistics()) {
      moments_.start(batch, epsilon());
    }
  }
  void add(const BatchRows<Scalar>& rows) noexcept { moments_.add(rows); }
  bool end(const Batch<Scalar>& batch) { return has_statistics() && moments_.end(batch); }
  DECORR_DETAIL_COLD void make(std::optional<Loss>& loss, const Batch<Scalar>& batch,
                               const decorr::Regularizer& choice) {
    BarlowTwinsStatistics<Scalar> statistics;
    if (has_statistics()) {
      statistics.take(batch.arena, moments_.moments(), epsilon());
    } else {
      statistics.count = batch.count();
      statistics.pair = pair_statistics<Scalar>(batch.arena, batch.rows.features());
    }
    loss.emplace(batch, statistics, options_, choice);
  }

 private:
  Accumulator<Scalar> epsilon() const noexcept {
    return static_cast<Accumulator<Scalar>>(options_.epsilon);
  }

  Options options_;
  MomentsOfBatch<Scalar> moments_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BARLOW_TWINS_HPP_
