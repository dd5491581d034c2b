#ifndef DECORR_DETAIL_LOSSES_BATCH_HPP_
#define DECORR_DETAIL_LOSSES_BATCH_HPP_

#include <algorithm>
#include <cstdint>

#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/moments.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/options.hpp"

// What every loss does with a batch that is at hand as a whole.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The rows, and what a call brings along.
template <class Scalar>
struct Batch {
  Arena& arena;
  BatchRows<Scalar> rows;
  Execution execution;
  Route route = Route::automatic;
};

// Null where there are none.
inline const std::int8_t* signs_a(const decorr::Regularizer& choice) {
  const Relaxed* relaxed = choice.relaxed();
  return relaxed == nullptr || relaxed->signs_a.empty() ? nullptr : relaxed->signs_a.data();
}
inline const std::int8_t* signs_b(const decorr::Regularizer& choice) {
  const Relaxed* relaxed = choice.relaxed();
  return relaxed == nullptr || relaxed->signs_b.empty() ? nullptr : relaxed->signs_b.data();
}

template <class Scalar>
RegularizerSetup<Scalar> regularizer_setup(const Batch<Scalar>& batch, SignalPairing::Kind kind,
                                           const Preparation<Scalar>& a,
                                           const Preparation<Scalar>& b, Index count) {
  RegularizerSetup<Scalar> setup{SignalPairing(kind),
                                 &a,
                                 &b,
                                 batch.rows.features(),
                                 count,
                                 batch.rows.size(),
                                 row_access(batch.rows),
                                 batch.execution};
  setup.route = batch.route;
  return setup;
}

// As many as any pass has.
template <class Scalar>
int most_workers(const Batch<Scalar>& batch) {
  return worker_count(batch.execution.threads, std::max(batch.rows.size(), batch.rows.features()),
                      kTileRows);
}

// Pass 1.
template <class Scalar>
Moments<Scalar> take_moments(const Batch<Scalar>& batch, Accumulator<Scalar> epsilon) {
  MomentsPass<Scalar> pass(batch.arena, batch.rows.features(), batch.rows.has_two_views(),
                           batch.rows.size(), batch.rows.size(), row_access(batch.rows), epsilon,
                           batch.execution.threads);
  do {
    pass.add(batch.rows);
  } while (pass.starts_again(batch.arena));
  return pass.moments();
}

// Passes 2 to 4. All that can fail has happened when gradient() begins.
template <class Loss, class Scalar>
auto run_passes(Loss& loss, const BatchRows<Scalar>& rows) {
  static_assert(noexcept(loss.correlate(rows)) && noexcept(loss.gradient(rows)),
                "the passes over rows may not fail");
  loss.correlate(rows);
  const auto result = loss.value(rows);
  if (rows.gradient_a || rows.gradient_b) {
    loss.gradient(rows);
  }
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BATCH_HPP_
