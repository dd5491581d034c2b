#ifndef DECORR_DETAIL_LOSSES_PARTS_HPP_
#define DECORR_DETAIL_LOSSES_PARTS_HPP_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

#include "decorr/detail/losses/batch.hpp"
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

// loss_of(), the rows being given to it.
template <class Scalar, class FirstPass>
class BatchInParts {
 public:
  using Options = typename FirstPass::Options;
  using Loss = typename FirstPass::Loss;
  using Result = typename FirstPass::Result;

  // Nothing here fails; start() may.
  BatchInParts(Index features, const Options& options, const Execution& execution, bool wants_a,
               bool wants_b, Processes<Scalar>* processes)
      : batch_{arena_, any_rows(features, wants_a, wants_b), execution, Route::features, processes,
               0},
        first_pass_(options),
        phase_(first_pass_.has_statistics() ? Phase::statistics : Phase::correlation) {}
  BatchInParts(const BatchInParts&) = delete;
  BatchInParts& operator=(const BatchInParts&) = delete;

  Arena& arena() noexcept { return arena_; }
  const Batch<Scalar>& batch() const noexcept { return batch_; }
  Options options() const noexcept { return first_pass_.options(); }
  const decorr::Regularizer& choice() const noexcept { return choice_; }

  void start(const decorr::Regularizer& choice) {
    if (choice.relaxed() != nullptr) {
      choice_ = Relaxed(*choice.relaxed());
    }
    fingerprint_buffer_ = Buffer<Scalar>(arena_, kTileRows * tile_stride<Scalar>(1));
    first_pass_.start(batch_);
    if (!first_pass_.has_statistics()) {
      make_loss();
    }
  }

  bool has_pass() const noexcept { return phase_ != Phase::done; }
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
      switch (phase_) {
        case Phase::statistics:
          first_pass_.add(part);
          break;
        case Phase::correlation:
          if (loss_) {
            loss_->correlate(part);
          }
          break;
        case Phase::slopes:
          part.gradient_a = of_scratch(scratch_a_);
          part.gradient_b = of_scratch(scratch_b_);
          loss_->take_slopes(part);
          break;
        case Phase::done:
          break;
      }
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
    switch (phase_) {
      case Phase::statistics:
        if (!first_pass_.end(batch_)) {
          batch_.attempt([&] { make_loss(); });
          phase_ = Phase::correlation;
        }
        break;
      case Phase::correlation:
        sum_correlation(batch_, options(), choice_, loss_);
        loss_->set_count(count);
        result_ = loss_->value(batch_.rows);
        phase_ = loss_->needs_slopes() ? Phase::slopes : Phase::done;
        break;
      case Phase::slopes:
        sum_slopes(batch_, *loss_);
        phase_ = Phase::done;
        break;
      case Phase::done:
        break;
    }
  }

  // Once it is known.
  const std::optional<Result>& result() const noexcept { return result_; }

  bool wants_gradient_a() const noexcept { return static_cast<bool>(batch_.rows.gradient_a); }
  bool wants_gradient_b() const noexcept { return static_cast<bool>(batch_.rows.gradient_b); }
  // After all passes, of rows with the gradients that are wanted, one at least: a loss without has
  // no memory for its coefficients.
  void gradient(const BatchRows<Scalar>& rows) noexcept {
    for_each_chunk(rows.size(), kPartRows, [&](Index first, Index last) noexcept {
      loss_->gradient(rows.part(first, last - first));
    });
  }

 private:
  // Whatever the number of threads is, so that results do not depend on it, and enough for many of
  // them.
  static constexpr Index kPartRows = 256;

  enum class Phase { statistics, correlation, slopes, done };

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

  void make_loss() {
    first_pass_.make(loss_, batch_, choice_);
    if (loss_->needs_slopes()) {
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
  FirstPass first_pass_;
  Phase phase_;
  std::optional<Loss> loss_;
  std::optional<Result> result_;
  Buffer<Scalar> fingerprint_buffer_, scratch_a_, scratch_b_;
  bool is_first_pass_ = true;
  RowsSeen rows_of_pass_, rows_of_first_pass_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_PARTS_HPP_
