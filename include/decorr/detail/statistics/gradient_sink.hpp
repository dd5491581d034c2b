#ifndef DECORR_DETAIL_STATISTICS_GRADIENT_SINK_HPP_
#define DECORR_DETAIL_STATISTICS_GRADIENT_SINK_HPP_

#include <algorithm>

#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_epilogue.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"

// What becomes of a strip of G while it is in the first-level cache.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// sum_k G_kj x'_kj for each feature of one view: what the gradient through the deviation needs.
template <class Scalar>
class SlopeSums {
 public:
  using Sum = Accumulator<Scalar>;

  SlopeSums() = default;
  SlopeSums(Arena& arena, Index features, const Preparation<Scalar>& preparation, int threads)
      : preparation_(&preparation),
        totals_(arena, features, Sum(0)),
        parts_(arena, threads, features) {}

  explicit operator bool() const noexcept { return static_cast<bool>(totals_); }
  Buffer<Sum>& totals() noexcept { return totals_; }
  const Buffer<Sum>& totals() const noexcept { return totals_; }

  // The sums of a worker's chunk are kept in the scalar and added up in the order of the chunks.
  void begin(int worker, Index column, Index count) noexcept {
    std::fill_n(parts_.of(worker) + column, count, Scalar(0));
  }
  void add(int worker, Index column, Index count, const Scalar* x,
           const Scalar* gradient) noexcept {
    alignas(kWorkspaceAlignment) Scalar buffer[kStripColumns];
    const Scalar* prepared = preparation_->apply(x, column, count, buffer);
    Scalar* sums = parts_.of(worker) + column;
    for (Index j = 0; j < count; ++j) {
      sums[j] += gradient[j] * prepared[j];
    }
  }
  void merge(int worker, Index column, Index count) noexcept {
    const Scalar* sums = parts_.of(worker);
    for (Index j = column; j < column + count; ++j) {
      totals_[j] += Sum(sums[j]);
    }
  }

 private:
  const Preparation<Scalar>* preparation_ = nullptr;
  Buffer<Sum> totals_;
  PerWorker<Scalar> parts_;
};

// For one view: G is left as it is, its slopes are summed, or it is finished.
template <class Scalar>
struct GradientSink {
  SlopeSums<Scalar>* slopes = nullptr;
  const ViewEpilogue<Scalar>* epilogue = nullptr;

  bool is_needed() const noexcept { return slopes != nullptr || epilogue != nullptr; }
  bool reads_rows() const noexcept {
    return slopes != nullptr || (epilogue != nullptr && epilogue->reads_rows());
  }
  bool reads_other_rows() const noexcept {
    return epilogue != nullptr && epilogue->reads_other_rows();
  }

  // Around what a worker does on its own.
  void begin(int worker, Index column, Index count) const noexcept {
    if (slopes != nullptr) {
      slopes->begin(worker, column, count);
    }
  }
  // In the order of the chunks, one at a time where they have features in common.
  void merge(int worker, Index column, Index count) const noexcept {
    if (slopes != nullptr) {
      slopes->merge(worker, column, count);
    }
  }

  // At most kStripColumns numbers from feature `column` on, of one sample: its raw row, the other
  // view's, and G.
  void operator()(int worker, Index column, Index count, const Scalar* x, const Scalar* other_x,
                  Scalar* gradient) const noexcept {
    if (slopes != nullptr) {
      slopes->add(worker, column, count, x, gradient);
    } else if (epilogue != nullptr) {
      epilogue->finish(PerRow<Scalar>{column}, count, x, other_x, gradient);
    }
  }
};

template <class Scalar>
struct GradientSinks {
  GradientSink<Scalar> a, b;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_GRADIENT_SINK_HPP_
