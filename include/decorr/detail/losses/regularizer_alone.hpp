#ifndef DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
#define DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_

#include <Eigen/Core>
#include <optional>
#include <utility>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/regularizers/relaxed.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_epilogue.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"

// The regularizers of C = A^T B / n alone: a loss without moments.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
class RegularizerAlone : public WithoutSlopes<Scalar> {
 public:
  using Sum = Accumulator<Scalar>;

  RegularizerAlone(const Batch<Scalar>& batch, const decorr::Regularizer& choice)
      : count_(batch.count()),
        a_(batch.arena, batch.rows.features(), {}, signs_a(choice)),
        b_(batch.arena, batch.rows.features(), {}, signs_b(choice)),
        regularizer_(
            batch.arena,
            regularizer_setup(batch, kPairing, a_, b_, count_, dominant_feature(batch, choice)),
            choice, block_weights(choice, batch.rows.features())) {
    // There is nothing to go back through but the signs.
    if (batch.rows.gradient_a && a_.has_signs()) {
      epilogue_a_ = ViewEpilogue<Scalar>(batch.arena, batch.rows.features(), a_);
    }
    if (batch.rows.gradient_b && b_.has_signs()) {
      epilogue_b_ = ViewEpilogue<Scalar>(batch.arena, batch.rows.features(), b_);
    }
  }
  // The regularizer points to the preparations.
  RegularizerAlone(const RegularizerAlone&) = delete;
  RegularizerAlone& operator=(const RegularizerAlone&) = delete;

  // Where rows come in parts it is known after them.
  void set_count(Index count) noexcept { count_ = count; }

  void correlate(const BatchRows<Scalar>& rows) noexcept { regularizer_.add(rows); }
  Scalar value(const BatchRows<Scalar>& rows) {
    return static_cast<Scalar>(regularizer_.value(rows, static_cast<Sum>(count_), Sum(1)));
  }
  static Index sums_size(const NoOptions&, const decorr::Regularizer& choice, Index features) {
    return detail::sums_size(choice, features, SignalPairing(kPairing));
  }
  void write_sums(Sum* to) noexcept { regularizer_.write_sums(to); }
  void read_sums(const Sum* from) noexcept { regularizer_.read_sums(from); }
  void gradient(const BatchRows<Scalar>& rows) noexcept {
    regularizer_.gradient(rows, {{nullptr, epilogue_a_ ? &epilogue_a_ : nullptr},
                                 {nullptr, epilogue_b_ ? &epilogue_b_ : nullptr}});
  }

 private:
  static constexpr SignalPairing::Kind kPairing = SignalPairing::Kind::views;

  Index count_;
  Preparation<Scalar> a_, b_;
  BatchRegularizer<Scalar> regularizer_;
  ViewEpilogue<Scalar> epilogue_a_, epilogue_b_;
};

// sumvec(C), of a choice whose exponent is 1: the form that goes through the lag domain.
template <class Scalar>
class Sumvec : public WithoutSlopes<Scalar> {
 public:
  using Sum = Accumulator<Scalar>;
  using Lags = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  Sumvec(const Batch<Scalar>& batch, const decorr::Regularizer& choice)
      : count_(batch.count()),
        form_(batch.arena, regularizer_setup(batch, kPairing, raw_, raw_, count_),
              *choice.relaxed(), block_weights(choice, batch.rows.features())),
        lags_(batch.rows.features()) {}
  // The form points to the preparation.
  Sumvec(const Sumvec&) = delete;
  Sumvec& operator=(const Sumvec&) = delete;

  void set_count(Index count) noexcept { count_ = count; }

  void correlate(const BatchRows<Scalar>& rows) noexcept { form_.add(rows); }
  Lags value(const BatchRows<Scalar>&) {
    const auto* lags = form_.lags(static_cast<Sum>(count_));
    for (Index i = 0; i < lags_.size(); ++i) {
      lags_[i] = lags[i].real();
    }
    return std::move(lags_);
  }
  static Index sums_size(const NoOptions&, const decorr::Regularizer& choice, Index features) {
    return detail::sums_size(choice, features, SignalPairing(kPairing));
  }
  void write_sums(Sum* to) noexcept {
    copy_numbers<Sum>(form_.sums().data(), form_.sums().size(), to);
  }
  void read_sums(const Sum* from) noexcept {
    copy_numbers(from, form_.sums().size(), form_.sums().data());
  }
  void gradient(const BatchRows<Scalar>&) noexcept {}

 private:
  static constexpr SignalPairing::Kind kPairing = SignalPairing::Kind::views;

  Index count_;
  Preparation<Scalar> raw_;
  UngroupedRelaxed<Scalar> form_;
  Lags lags_;
};
inline Relaxed relaxed_of_sumvec() {
  Relaxed relaxed;
  relaxed.exponent = 1;
  return relaxed;
}

// Of C = A^T B / n there is nothing to find out before.
template <class Scalar, class LossOfViews, class ResultOfLoss>
class NoFirstPass {
 public:
  using Options = NoOptions;
  using Loss = LossOfViews;
  using Result = ResultOfLoss;
  static constexpr bool kHasTwoViews = true, kHasStatistics = false;
  static Index least_rows(const Options&) noexcept { return 1; }

  explicit NoFirstPass(const Options&) noexcept {}
  bool has_statistics() const noexcept { return false; }
  Options options() const noexcept { return {}; }

  void start(const Batch<Scalar>&) noexcept {}
  void add(const BatchRows<Scalar>&) noexcept {}
  bool end(const Batch<Scalar>&) noexcept { return false; }
  void make(std::optional<Loss>& loss, const Batch<Scalar>& batch,
            const decorr::Regularizer& choice) {
    loss.emplace(batch, choice);
  }
};
template <class Scalar>
using RegularizerFirstPass = NoFirstPass<Scalar, RegularizerAlone<Scalar>, Scalar>;
template <class Scalar>
using SumvecFirstPass = NoFirstPass<Scalar, Sumvec<Scalar>, typename Sumvec<Scalar>::Lags>;

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
