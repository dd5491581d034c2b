#ifndef DECORR_DETAIL_LOSSES_PARTS_HPP_
#define DECORR_DETAIL_LOSSES_PARTS_HPP_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/losses/passes.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// The passes of a loss over rows that come in parts. Spectra do not wait from pass to pass, so
// memory depends on the features alone.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Which rows a pass has seen, whatever their order: how many, and a sum of hashes of some of their
// numbers.
struct RowsSeen {
  Index count = 0;
  std::uint64_t hash = 0;

  bool operator==(const RowsSeen& other) const noexcept {
    return count == other.count && hash == other.hash;
  }

  // `buffer` is for a tile of rows and one feature of either view.
  template <class Scalar>
  DECORR_DETAIL_COLD void add(const BatchRows<Scalar>& rows, Scalar* buffer) noexcept {
    constexpr Index kMostFeatures = 4;
    const Index step = std::max(Index{1}, rows.features() / kMostFeatures);
    for_each_chunk(rows.size(), kTileRows, [&](Index first, Index last) noexcept {
      std::uint64_t hashes[kTileRows] = {};
      for (Index j = 0; j < rows.features(); j += step) {
        for (const InputRows<Scalar>* view : {&rows.a, &rows.b}) {
          if (view->cols() == 0) {
            continue;
          }
          const auto tile = view->tile(first, last - first, j, 1, buffer);
          for (Index k = 0; k < last - first; ++k) {
            const auto number = static_cast<double>(*tile.row(k));
            std::uint64_t bits = 0;
            std::memcpy(&bits, &number, sizeof(bits));
            hashes[k] = (hashes[k] ^ bits) * 1099511628211u;
            hashes[k] ^= hashes[k] >> 29;
          }
        }
      }
      for (Index k = 0; k < last - first; ++k) {
        hash += hashes[k];
      }
    });
    count += rows.size();
  }
};

// The rows are given a part at a time, and no larger one than kPartRows reaches the passes.
template <class Scalar, class FirstPass>
class BatchInParts {
 public:
  using Passes = LossPasses<Scalar, FirstPass>;
  using Options = typename Passes::Options;
  using Result = typename Passes::Result;

  // Nothing here fails; start() may.
  BatchInParts(Index features, const Options& options, const Execution& execution, bool wants_a,
               bool wants_b, Processes<Scalar>* processes)
      : batch_{arena_, any_rows(features, wants_a, wants_b), execution, Route::features, processes,
               0},
        passes_(options) {}
  BatchInParts(const BatchInParts&) = delete;
  BatchInParts& operator=(const BatchInParts&) = delete;

  Arena& arena() noexcept { return arena_; }
  const Batch<Scalar>& batch() const noexcept { return batch_; }
  Options options() const noexcept { return passes_.options(); }
  const decorr::Regularizer& choice() const noexcept { return choice_; }

  void start(const decorr::Regularizer& choice) {
    if (choice.relaxed() != nullptr) {
      choice_ = Relaxed(*choice.relaxed());
    }
    fingerprint_buffer_ = Buffer<Scalar>(arena_, kTileRows * tile_stride<Scalar>(1));
    passes_.start(batch_, choice_);
  }

  bool has_pass() const noexcept { return passes_.has_pass(); }
  bool is_first_pass() const noexcept { return is_first_pass_; }
  Index rows_of_pass() const noexcept { return rows_of_pass_.count; }
  // The same rows as in the first pass, if this is not that.
  bool has_same_rows() const noexcept {
    return is_first_pass_ || rows_of_pass_ == rows_of_first_pass_;
  }
  Index rows_of_first_pass() const noexcept { return rows_of_first_pass_.count; }

  // Rows of a pass, without gradients.
  void add(const BatchRows<Scalar>& rows) noexcept {
    rows_of_pass_.add(rows, fingerprint_buffer_.data());
    for_each_chunk(rows.size(), kPartRows, [&](Index first, Index last) noexcept {
      BatchRows<Scalar> part = rows.part(first, last - first);
      part.gradient_a = of_scratch(scratch_a_);
      part.gradient_b = of_scratch(scratch_b_);
      passes_.add(part);
    });
  }

  // `count` is the number of rows in all, of all processes.
  void end_pass(Index count) {
    if (is_first_pass_) {
      rows_of_first_pass_ = rows_of_pass_;
      is_first_pass_ = false;
      batch_.count_of_parts = count;
    }
    rows_of_pass_ = {};
    passes_.end_pass(batch_, choice_);
    batch_.attempt([&] { make_scratch(); });
  }

  // Once it is known.
  const std::optional<Result>& result() const noexcept { return passes_.result(); }

  bool wants_gradient_a() const noexcept { return static_cast<bool>(batch_.rows.gradient_a); }
  bool wants_gradient_b() const noexcept { return static_cast<bool>(batch_.rows.gradient_b); }
  // After all passes, of rows with the gradients that are wanted, one at least: a loss without has
  // no memory for its coefficients.
  void gradient(const BatchRows<Scalar>& rows) noexcept {
    for_each_chunk(rows.size(), kPartRows, [&](Index first, Index last) noexcept {
      passes_.gradient(rows.part(first, last - first));
    });
  }

 private:
  // Whatever the number of threads is, so that results do not depend on it, and enough for many of
  // them.
  static constexpr Index kPartRows = 256;

  BatchRows<Scalar> any_rows(Index features, bool wants_a, bool wants_b) const {
    BatchRows<Scalar> rows;
    rows.a = InputRows<Scalar>::any(kPartRows, features);
    if (FirstPass::kHasTwoViews) {
      rows.b = rows.a;
    }
    const OutputRows<Scalar> gradient(nullptr, features, Index{1}, Index{2});
    if (wants_a) {
      rows.gradient_a = gradient;
    }
    if (wants_b) {
      rows.gradient_b = gradient;
    }
    return rows;
  }

  // In the place of gradients, of which a part has none while slopes are summed.
  void make_scratch() {
    if (passes_.phase() == Passes::Phase::slopes) {
      const Index size = kPartRows * batch_.rows.features();
      scratch_a_ = Buffer<Scalar>(arena_, wants_gradient_a() ? size : 0);
      scratch_b_ = Buffer<Scalar>(arena_, wants_gradient_b() ? size : 0);
    }
  }
  OutputRows<Scalar> of_scratch(Buffer<Scalar>& scratch) const noexcept {
    const Index features = batch_.rows.features();
    return scratch ? OutputRows<Scalar>(scratch.data(), features, features, Index{1})
                   : OutputRows<Scalar>();
  }

  Arena arena_;
  decorr::Regularizer choice_;
  Batch<Scalar> batch_;  // its rows stand for any part
  Passes passes_;
  Buffer<Scalar> fingerprint_buffer_, scratch_a_, scratch_b_;
  bool is_first_pass_ = true;
  RowsSeen rows_of_pass_, rows_of_first_pass_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_PARTS_HPP_
