#ifndef DECORR_DETAIL_LOSSES_BATCH_HPP_
#define DECORR_DETAIL_LOSSES_BATCH_HPP_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "decorr/detail/regularizers/dominant_feature.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/moments.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/options.hpp"

// What every loss has of a batch: its rows, pass 1 over them, and where it sums over processes.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// In the place of options of a function that has none.
struct NoOptions {};

// The rows, and what a call brings along.
template <class Scalar>
struct Batch {
  Arena& arena;
  BatchRows<Scalar> rows;
  Execution execution;
  Route route = Route::automatic;
  Processes<Scalar>* processes = nullptr;  // that hold the batch together; null where this one does

  // Where rows come in parts: those of the whole batch, and `rows` stands for any part.
  Index count_of_parts = -1;

  bool is_in_parts() const noexcept { return count_of_parts >= 0; }
  // Rows of the whole batch, which are not all at hand where there are several processes.
  Index count() const noexcept {
    return is_in_parts() ? count_of_parts : processes == nullptr ? rows.size() : processes->count();
  }
  // The same, or more where rows come in parts and have not been counted yet.
  Index most_count() const noexcept { return is_in_parts() ? Index{1} << 30 : count(); }
  // Whether all rows are at hand, as the Gram matrices want them.
  bool is_whole() const noexcept { return processes == nullptr && !is_in_parts(); }
  // The same with one view's gradient; see BatchRows.
  Batch with(const BatchRows<Scalar>& other) const {
    return {arena, other, execution, route, processes, count_of_parts};
  }

  // Does what may fail.
  template <class Body>
  void attempt(const Body& body) const {
    detail::attempt(processes, body);
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
                                           const Preparation<Scalar>& b, Index count,
                                           const DominantFeature& dominant = {}) {
  RegularizerSetup<Scalar> setup{SignalPairing(kind),
                                 &a,
                                 &b,
                                 batch.rows.features(),
                                 count,
                                 batch.rows.size(),
                                 row_access(batch.rows),
                                 batch.execution};
  setup.has_whole_batch = batch.is_whole();
  setup.route = batch.route;
  setup.dominant = dominant;
  if (batch.is_in_parts()) {
    setup.place = SpectrumPlace::nowhere;
  } else if (batch.processes != nullptr) {
    // Another process's failure ends the call after the forward transforms, and no gradient row may
    // have been written then.
    setup.place = SpectrumPlace::buffer;
  }
  return setup;
}

// Of views that are taken as they are, where the rows say it before the first pass.
template <class Scalar>
DominantFeature dominant_feature(const Batch<Scalar>& batch, const decorr::Regularizer& choice) {
  return batch.is_whole() && choice.relaxed() != nullptr
             ? dominant_feature(batch.arena, batch.rows, batch.execution.threads)
             : DominantFeature();
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
                   sums_size(choice, features, SignalPairing(Kind::views)) + features,
                   2 * sums_size(choice, features, SignalPairing(Kind::samples))});
}

// Pass 1, over rows that are given to add(): all of them, or a part at a time.
template <class Scalar>
class MomentsOfBatch {
 public:
  using Sum = Accumulator<Scalar>;

  void start(const Batch<Scalar>& batch, Sum epsilon) {
    features_ = batch.rows.features();
    has_two_views_ = batch.rows.has_two_views();
    batch.attempt([&] {
      pass_.emplace(batch.arena, features_, has_two_views_, batch.most_count(), batch.rows.size(),
                    row_access(batch.rows), epsilon, batch.execution.threads);
      if (batch.processes != nullptr) {
        pass_->prepare_sums(batch.arena);
      }
    });
  }
  void add(const BatchRows<Scalar>& rows) noexcept {
    if (pass_) {
      pass_->add(rows);
    }
  }
  // After all rows; whether all of them are to be added once more.
  bool end(const Batch<Scalar>& batch) {
    if (batch.processes != nullptr) {
      MomentsPass<Scalar>::sum_over(*batch.processes, features_, has_two_views_,
                                    pass_ ? &*pass_ : nullptr);
    }
    const bool again = pass_->needs_units();
    batch.attempt([&] {
      if (again) {
        pass_->start_again(batch.arena);
      }
    });
    return again;
  }
  const Moments<Scalar>& moments() const noexcept { return pass_->moments(); }

 private:
  Index features_ = 0;
  bool has_two_views_ = false;
  std::optional<MomentsPass<Scalar>> pass_;
};

// Of rows that are at hand at once.
template <class Scalar>
ViewMoments<Scalar> moments_of_view(const Batch<Scalar>& batch, Accumulator<Scalar> epsilon) {
  MomentsOfBatch<Scalar> moments;
  moments.start(batch, epsilon);
  do {
    moments.add(batch.rows);
  } while (moments.end(batch));
  return moments.moments().a;
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

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BATCH_HPP_
