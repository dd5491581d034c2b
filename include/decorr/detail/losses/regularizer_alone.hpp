#ifndef DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
#define DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_

#include <algorithm>
#include <optional>

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
        regularizer_(batch.arena, regularizer_setup(batch, kPairing, a_, b_, count_), choice,
                     block_weights(choice, batch.rows.features())) {
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
  static Index sums_size(const decorr::Regularizer& choice, Index features) {
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

template <class Scalar>
Scalar regularizer_alone(const Batch<Scalar>& batch, const decorr::Regularizer& choice) {
  return run_passes<RegularizerAlone<Scalar>>(batch, choice,
                                              [&](auto& loss) { loss.emplace(batch, choice); });
}

// sumvec(C), to features() numbers.
template <class Scalar>
void lag_sums(const Batch<Scalar>& batch, Scalar* to) {
  Relaxed relaxed;
  relaxed.exponent = 1;  // the one that goes through the lag domain
  const Preparation<Scalar> raw;
  const Index count = batch.count(), features = batch.rows.features();
  constexpr auto kPairing = SignalPairing::Kind::views;
  std::optional<UngroupedRelaxed<Scalar>> form;
  batch.attempt([&] {
    form.emplace(batch.arena, regularizer_setup(batch, kPairing, raw, raw, count), relaxed,
                 block_weights(relaxed, features));
    form->add(batch.rows);
  });
  if (batch.processes != nullptr) {
    const Index size = sums_size(relaxed, features, SignalPairing(kPairing));
    batch.processes->sum(
        size,
        [&](auto* sums) { copy_numbers<Accumulator<Scalar>>(form->sums().data(), size, sums); },
        [&](const auto* from) { copy_numbers(from, size, form->sums().data()); });
  }
  const auto* lags = form->lags(static_cast<Accumulator<Scalar>>(count));
  for (Index i = 0; i < features; ++i) {
    to[i] = lags[i].real();
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_REGULARIZER_ALONE_HPP_
