#ifndef DECORR_DETAIL_LOSSES_CENTROID_HPP_
#define DECORR_DETAIL_LOSSES_CENTROID_HPP_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Passes over the rows of all views with their centroid, the mean m of the views z_v, which no pass
// keeps. In Sum, and by differences from the first view, so that views far from zero and close to
// each other lose no digits: m = z_0 + offset, offset = mean_v (z_v - z_0), z_v - m =
// (z_v - z_0) - offset. O(V n d) each, bound by bytes.
template <class Scalar>
class Centroid {
 public:
  using Sum = Accumulator<Scalar>;

  Centroid() = default;
  // Of views that outlive it.
  DECORR_DETAIL_COLD Centroid(Arena& arena, const std::vector<ViewRows<Scalar>>& views, int threads)
      : views_(&views),
        workers_(worker_count(threads, views[0].view.rows(), kTileRows)),
        width_(std::min(views[0].view.cols(), kColumns)),
        offsets_(arena, workers_, kTileRows * width_),
        totals_(arena, workers_, 1) {
    for (PerWorker<Scalar>* tiles : {&first_, &other_, &output_}) {
      *tiles = PerWorker<Scalar>(arena, workers_, kTileRows * tile_stride<Scalar>(width_));
    }
  }

  // sum_v |factor * (z_v - m)|^2 over the rows at hand.
  Sum squares(Sum factor) noexcept {
    Sum total = 0;
    for_each_tile([&](int worker) noexcept { *totals_.of(worker) = 0; },
                  [&](int worker, const Place& at) noexcept {
                    for (const ViewRows<Scalar>& each : *views_) {
                      const auto rows = tile(each, other_.of(worker), at);
                      for (Index k = 0; k < at.count; ++k) {
                        *totals_.of(worker) += squares(rows.row(k), at.first.row(k),
                                                       at.offsets + k * width_, at.width, factor);
                      }
                    }
                  },
                  [&](int worker) noexcept { total += *totals_.of(worker); });
    return total;
  }

  // Adds slope * (z_v - m) to the gradients.
  void add_to_gradients(Sum slope) noexcept {
    for_each_tile([&](int worker, const Place& at) noexcept {
      for (const ViewRows<Scalar>& each : *views_) {
        if (!each.gradient) {
          continue;
        }
        const auto rows = tile(each, other_.of(worker), at);
        const auto gradient =
            each.gradient.load(at.row, at.count, at.column, at.width, output_.of(worker));
        for (Index k = 0; k < at.count; ++k) {
          add(rows.row(k), at.first.row(k), at.offsets + k * width_, at.width, slope,
              gradient.row(k));
        }
        each.gradient.store(at.row, at.count, at.column, at.width, gradient);
      }
    });
  }

  // m beyond each feature's `shift`: near the mean it keeps the digits that m has as a Scalar only
  // beside 0.
  void write(const OutputRows<Scalar>& to, const Buffer<Scalar>& shift) noexcept {
    for_each_tile([&](int worker, const Place& at) noexcept {
      const auto mean = to.tile(at.row, at.column, at.width, output_.of(worker));
      for (Index k = 0; k < at.count; ++k) {
        write(at.first.row(k), at.offsets + k * width_, shift.data() + at.column, at.width,
              mean.row(k));
      }
      to.store(at.row, at.count, at.column, at.width, mean);
    });
  }

 private:
  // So few that the offsets of a tile stay in the first-level cache.
  static constexpr Index kColumns = kStripColumns / 4;

  // A tile of the rows, with the first view's and the offsets of the mean from it.
  struct Place {
    Index row, count, column, width;
    Tile<const Scalar> first;
    const Sum* offsets;
  };

  Tile<const Scalar> tile(const ViewRows<Scalar>& each, Scalar* buffer,
                          const Place& at) const noexcept {
    return each.view.tile(at.row, at.count, at.column, at.width, buffer);
  }

  template <class Body>
  void for_each_tile(const Body& body) noexcept {
    for_each_tile([](int) noexcept {}, body, [](int) noexcept {});
  }
  // For each chunk of rows begin(worker), body(worker, place) for its tiles, and in the order of
  // the chunks merge(worker).
  template <class Begin, class Body, class Merge>
  void for_each_tile(const Begin& begin, const Body& body, const Merge& merge) noexcept {
    const InputRows<Scalar>& first_view = (*views_)[0].view;
    parallel_chunks(
        workers_, 0, first_view.rows(), kTileRows,
        [&](int worker, Index first, Index last) noexcept {
          begin(worker);
          for_each_chunk(first_view.cols(), width_, [&](Index column, Index end) noexcept {
            Place at{first, last - first, column, end - column, {}, offsets_.of(worker)};
            at.first = tile((*views_)[0], first_.of(worker), at);
            take_offsets(worker, at);
            body(worker, at);
          });
        },
        [&](int worker) noexcept { merge(worker); });
  }

  void take_offsets(int worker, const Place& at) noexcept {
    Sum* offsets = offsets_.of(worker);
    std::fill_n(offsets, kTileRows * width_, Sum(0));
    for (std::size_t v = 1; v < views_->size(); ++v) {
      const auto rows = tile((*views_)[v], other_.of(worker), at);
      for (Index k = 0; k < at.count; ++k) {
        add_difference(rows.row(k), at.first.row(k), at.width, offsets + k * width_);
      }
    }
    const Sum views = static_cast<Sum>(views_->size());
    for (Index j = 0; j < kTileRows * width_; ++j) {
      offsets[j] /= views;
    }
  }

  DECORR_DETAIL_NOINLINE static void add_difference(const Scalar* z, const Scalar* first,
                                                    Index count, Sum* offsets) noexcept {
    for (Index j = 0; j < count; ++j) {
      offsets[j] += Sum(z[j]) - Sum(first[j]);
    }
  }
  DECORR_DETAIL_NOINLINE static Sum squares(const Scalar* z, const Scalar* first,
                                            const Sum* offsets, Index count, Sum factor) noexcept {
    return sum_of<Sum>(count, [&](Index j) noexcept {
      const Sum deviation = factor * ((Sum(z[j]) - Sum(first[j])) - offsets[j]);
      return deviation * deviation;
    });
  }
  DECORR_DETAIL_NOINLINE static void add(const Scalar* z, const Scalar* first, const Sum* offsets,
                                         Index count, Sum slope, Scalar* gradient) noexcept {
    for (Index j = 0; j < count; ++j) {
      gradient[j] += static_cast<Scalar>(slope * ((Sum(z[j]) - Sum(first[j])) - offsets[j]));
    }
  }
  DECORR_DETAIL_NOINLINE static void write(const Scalar* first, const Sum* offsets,
                                           const Scalar* shift, Index count,
                                           Scalar* mean) noexcept {
    for (Index j = 0; j < count; ++j) {
      mean[j] = static_cast<Scalar>((Sum(first[j]) - Sum(shift[j])) + offsets[j]);
    }
  }

  const std::vector<ViewRows<Scalar>>* views_ = nullptr;
  int workers_ = 1;
  Index width_ = 1;
  PerWorker<Sum> offsets_, totals_;
  PerWorker<Scalar> first_, other_, output_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_CENTROID_HPP_
