#ifndef DECORR_DETAIL_LOSSES_PASSES_HPP_
#define DECORR_DETAIL_LOSSES_PASSES_HPP_

#include <optional>
#include <utility>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/options.hpp"

// The order of a loss's passes. It stands here alone, for rows that are all at hand and for those
// that come in parts.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// While has_pass(), all rows are given to add() and end_pass() is called. FirstPass has pass 1, and
// makes the loss of what that finds out:
//
//   Options, Loss, Result
//   kHasTwoViews
//   kHasStatistics              whether there may be a pass 1 at all
//   least_rows(options)         of the whole batch
//   FirstPass(options)
//   options()
//   has_statistics()            whether there is a pass 1; else the loss hears of the number of
//                               rows by its set_count(), where they come in parts
//   start(batch)                and any number of add(rows) noexcept
//   end(batch)                  whether all rows are to be added once more
//   make(loss, batch, choice)   memory and plans
//
// All that can fail has happened when the first gradient row is written, but for the sum of slopes
// over processes, of which communicator.hpp tells.
template <class Scalar, class FirstPass>
class LossPasses {
 public:
  using Options = typename FirstPass::Options;
  using Loss = typename FirstPass::Loss;
  using Result = typename FirstPass::Result;

  enum class Phase { statistics, correlation, slopes, done };

  explicit LossPasses(const Options& options) noexcept
      : first_pass_(options),
        phase_(first_pass_.has_statistics() ? Phase::statistics : Phase::correlation) {}

  void start(const Batch<Scalar>& batch, const decorr::Regularizer& choice) {
    first_pass_.start(batch);
    if (phase_ == Phase::correlation) {
      make(batch, choice);
    }
  }

  Options options() const noexcept { return first_pass_.options(); }
  Phase phase() const noexcept { return phase_; }
  bool has_pass() const noexcept { return phase_ != Phase::done; }

  // With gradient rows where phase() is slopes.
  void add(const BatchRows<Scalar>& rows) noexcept {
    static_assert(noexcept(loss_->correlate(rows)) && noexcept(loss_->take_slopes(rows)) &&
                      noexcept(loss_->finish(rows)) && noexcept(loss_->gradient(rows)),
                  "the passes over rows may not fail");
    switch (phase_) {
      case Phase::statistics:
        first_pass_.add(rows);
        break;
      case Phase::correlation:
        if (loss_) {  // else this process has failed, and says so at the next sum
          loss_->correlate(rows);
        }
        break;
      case Phase::slopes:
        loss_->take_slopes(rows);
        break;
      case Phase::done:
        break;
    }
  }

  void end_pass(const Batch<Scalar>& batch, const decorr::Regularizer& choice) {
    switch (phase_) {
      case Phase::statistics:
        if (!first_pass_.end(batch)) {
          make(batch, choice);
          phase_ = Phase::correlation;
        }
        break;
      case Phase::correlation:
        sum_correlation(batch, choice);
        loss_->set_count(batch.count());
        result_ = loss_->value(batch.rows);
        phase_ = needs_slopes() ? Phase::slopes : Phase::done;
        break;
      case Phase::slopes:
        sum_slopes(batch);
        phase_ = Phase::done;
        break;
      case Phase::done:
        break;
    }
  }

  // Once it is known.
  std::optional<Result>& result() noexcept { return result_; }
  const std::optional<Result>& result() const noexcept { return result_; }

  // After all passes, of any rows.
  void gradient(const BatchRows<Scalar>& rows) noexcept { loss_->gradient(rows); }
  // The same of all rows, as they were given to add().
  void finish(const BatchRows<Scalar>& rows) noexcept {
    if (needs_slopes()) {
      loss_->finish(rows);
    } else {
      loss_->gradient(rows);
    }
  }

 private:
  // Not before the loss is there, after pass 1.
  bool needs_slopes() const noexcept { return loss_->needs_slopes(); }
  void make(const Batch<Scalar>& batch, const decorr::Regularizer& choice) {
    batch.attempt([&] { first_pass_.make(loss_, batch, choice); });
  }
  DECORR_DETAIL_COLD void sum_correlation(const Batch<Scalar>& batch,
                                          const decorr::Regularizer& choice) {
    if (batch.processes != nullptr) {
      batch.processes->sum(
          Loss::sums_size(options(), choice, batch.rows.features()),
          [&](auto* to) { loss_->write_sums(to); },
          [&](const auto* from) { loss_->read_sums(from); });
    }
  }
  DECORR_DETAIL_COLD void sum_slopes(const Batch<Scalar>& batch) {
    if (batch.processes != nullptr) {
      batch.processes->sum(
          loss_->slopes_size(), [&](auto* to) { loss_->write_slopes(to); },
          [&](const auto* from) { loss_->read_slopes(from); });
    }
  }

  FirstPass first_pass_;
  Phase phase_;
  std::optional<Loss> loss_;
  std::optional<Result> result_;
};

// All passes over all rows.
template <class FirstPass, class Scalar>
typename FirstPass::Result loss_of(const Batch<Scalar>& batch,
                                   const typename FirstPass::Options& options,
                                   const decorr::Regularizer& choice) {
  LossPasses<Scalar, FirstPass> passes(options);
  passes.start(batch, choice);
  while (passes.has_pass()) {
    passes.add(batch.rows);
    passes.end_pass(batch, choice);
  }
  if (batch.rows.gradient_a || batch.rows.gradient_b) {
    passes.finish(batch.rows);
  }
  return *std::move(passes.result());
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_PASSES_HPP_
