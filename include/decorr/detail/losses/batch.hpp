#ifndef DECORR_DETAIL_LOSSES_BATCH_HPP_
#define DECORR_DETAIL_LOSSES_BATCH_HPP_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/processes.hpp"
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
  Processes<Scalar>* processes = nullptr;  // that hold the batch together; null where this one does

  // Rows of the whole batch, which are not all at hand where there are several processes.
  Index count() const noexcept { return processes == nullptr ? rows.size() : processes->count(); }
  // The Gram matrices want all rows at once.
  Route possible_route() const noexcept { return processes == nullptr ? route : Route::features; }
  // The same with one view's gradient; see BatchRows.
  Batch with(const BatchRows<Scalar>& other) const {
    return {arena, other, execution, route, processes};
  }

  // Does what may fail. Of several processes none fails alone, and not before the next sum.
  template <class Body>
  void attempt(const Body& body) const {
    if (processes == nullptr) {
      body();
    } else {
      processes->attempt(body);
    }
  }
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
  setup.route = batch.possible_route();
  return setup;
}

// As many as any pass has.
template <class Scalar>
int most_workers(const Batch<Scalar>& batch) {
  return worker_count(batch.execution.threads, std::max(batch.rows.size(), batch.rows.features()),
                      kTileRows);
}

// How many numbers the processes of a collective call sum at a time, at the most.
template <class Scalar>
Index most_sums(Index features, const decorr::Regularizer& choice) {
  using Kind = SignalPairing::Kind;
  return std::max({MomentsPass<Scalar>::most_sums(features, true),
                   sums_size(choice, features, SignalPairing(Kind::views)),
                   2 * sums_size(choice, features, SignalPairing(Kind::samples))});
}

// Pass 1.
template <class Scalar>
Moments<Scalar> take_moments(const Batch<Scalar>& batch, Accumulator<Scalar> epsilon) {
  const Index features = batch.rows.features();
  const bool has_two_views = batch.rows.has_two_views();
  std::optional<MomentsPass<Scalar>> pass;
  batch.attempt([&] {
    pass.emplace(batch.arena, features, has_two_views, batch.count(), batch.rows.size(),
                 row_access(batch.rows), epsilon, batch.execution.threads);
    if (batch.processes != nullptr) {
      pass->prepare_sums(batch.arena);
    }
  });
  bool again = true;
  while (again) {
    if (pass) {
      pass->add(batch.rows);
    }
    if (batch.processes != nullptr) {
      MomentsPass<Scalar>::sum_over(*batch.processes, features, has_two_views,
                                    pass ? &*pass : nullptr);
    }
    again = pass->needs_units();
    batch.attempt([&] {
      if (again) {
        pass->start_again(batch.arena);
      }
    });
  }
  return pass->moments();
}

// Pass 1 of views that are taken as they are.
template <class Scalar>
ProductsPass<Scalar> take_products(const Batch<Scalar>& batch) {
  const Index features = batch.rows.features();
  std::optional<ProductsPass<Scalar>> pass;
  batch.attempt([&] {
    pass.emplace(batch.arena, features, batch.rows.size(), row_access(batch.rows),
                 batch.execution.threads);
    pass->add(batch.rows);
  });
  if (batch.processes != nullptr) {
    ProductsPass<Scalar>::sum_over(*batch.processes, features, pass ? &*pass : nullptr);
  }
  return *pass;
}

// Of a loss whose gradients need no more than the correlation.
template <class Scalar>
class WithoutSlopes {
 public:
  using Sum = Accumulator<Scalar>;

  bool needs_slopes() const noexcept { return false; }
  Index slopes_size() const noexcept { return 0; }
  void write_slopes(Sum*) const noexcept {}
  void read_slopes(const Sum*) noexcept {}
  void take_slopes(const BatchRows<Scalar>&) noexcept {}
  void finish(const BatchRows<Scalar>&) noexcept {}
};

// Passes 2 to 4. make(loss) prepares the loss. All that can fail has happened when the gradient's
// passes begin.
template <class Loss, class Scalar, class Make>
auto run_passes(const Batch<Scalar>& batch, const decorr::Regularizer& choice, const Make& make) {
  const BatchRows<Scalar>& rows = batch.rows;
  std::optional<Loss> made;
  batch.attempt([&] {
    make(made);
    made->correlate(rows);
  });
  Processes<Scalar>* processes = batch.processes;
  if (processes != nullptr) {
    processes->sum(
        Loss::sums_size(choice, rows.features()), [&](auto* to) { made->write_sums(to); },
        [&](const auto* from) { made->read_sums(from); });
  }
  Loss& loss = *made;
  static_assert(noexcept(loss.correlate(rows)) && noexcept(loss.take_slopes(rows)) &&
                    noexcept(loss.finish(rows)) && noexcept(loss.gradient(rows)),
                "the passes over rows may not fail");
  const auto result = loss.value(rows);
  if (!rows.gradient_a && !rows.gradient_b) {
    return result;
  }
  if (!loss.needs_slopes()) {
    loss.gradient(rows);
    return result;
  }
  loss.take_slopes(rows);
  if (processes != nullptr) {
    processes->sum(
        loss.slopes_size(), [&](auto* to) { loss.write_slopes(to); },
        [&](const auto* from) { loss.read_slopes(from); });
  }
  loss.finish(rows);
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BATCH_HPP_
