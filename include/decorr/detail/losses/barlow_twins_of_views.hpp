#ifndef DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_VIEWS_HPP_
#define DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_VIEWS_HPP_

#include <cstddef>
#include <vector>

#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/barlow_twins_of_pairs.hpp"
#include "decorr/detail/losses/centroid.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/losses/passes.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The sum of a matrix's gradients by several losses, in a workspace. Each is computed where next()
// says, the first one in the sum itself, and then taken.
template <class Scalar>
class GradientSum {
 public:
  // None is wanted.
  GradientSum() = default;
  GradientSum(Arena& arena, Index rows, Index cols, int threads)
      : total_(arena, rows * cols),
        cols_(cols),
        workers_(worker_count(threads, total_.size(), kChunk)) {}

  OutputRows<Scalar> next(Buffer<Scalar>& scratch) noexcept {
    return {(has_any_ ? scratch : total_).data(), cols_, cols_, 1};
  }
  void take(const Buffer<Scalar>& scratch) noexcept {
    if (has_any_) {
      add(1, scratch);
    }
    has_any_ = true;
  }
  void add_mean_of(const GradientSum& other, std::size_t count) noexcept {
    add(1 / static_cast<Scalar>(count), other.total_);
  }
  void write(const OutputRows<Scalar>& to) noexcept {
    if (cols_ > 0) {
      parallel_chunks(workers_, 0, total_.size() / cols_, kTileRows,
                      [&](int, Index first, Index last) noexcept {
                        to.copy(first, last - first, 0, cols_,
                                {total_.data() + first * cols_, cols_});
                      });
    }
  }

 private:
  static constexpr Index kChunk = kTileRows * kStripColumns;

  void add(Scalar factor, const Buffer<Scalar>& other) noexcept {
    parallel_chunks(workers_, 0, total_.size(), kChunk, [&](int, Index first, Index last) noexcept {
      add_multiple(factor, other.data() + first, last - first, total_.data() + first);
    });
  }

  Buffer<Scalar> total_;
  Index cols_ = 0;
  int workers_ = 1;
  bool has_any_ = false;
};

// Barlow Twins of V views, by losses of two: of all pairs, or of each view and the centroid.
template <class Scalar>
class BarlowTwinsOfViews {
 public:
  using Sum = Accumulator<Scalar>;
  using Options = BarlowTwinsOptions;
  using Result = BarlowTwinsLoss<Scalar>;
  static Index least_rows(const Options& options) noexcept {
    return BarlowTwinsFirstPass<Scalar>::least_rows(options);
  }

  static DECORR_DETAIL_COLD Result loss(const BatchOfViews<Scalar>& batch, const Options& options,
                                        const decorr::Regularizer& choice) {
    if (BarlowTwinsOfPairs<Scalar>::suits(batch, options, choice)) {
      if (const auto loss = BarlowTwinsOfPairs<Scalar>::attempt(batch, options, choice)) {
        return *loss;
      }
    }
    return BarlowTwinsOfViews(batch, options, choice).compute();
  }

 private:
  BarlowTwinsOfViews(const BatchOfViews<Scalar>& batch, const Options& options,
                     const decorr::Regularizer& choice)
      : batch_(batch), options_(options), choice_(choice) {}

  Result compute() {
    batch_.attempt([&] { prepare(); });
    batch_.agree();
    if (has_centroid()) {
      write_centroid();
      for (std::size_t v = 0; v < batch_.size(); ++v) {
        add_pair(batch_.views[v].view, centroid_rows(), gradients_[v], gradient_of_centroid_);
      }
    } else {
      for (std::size_t v = 0; v < batch_.size(); ++v) {
        for (std::size_t u = 0; u < v; ++u) {
          add_pair(batch_.views[u].view, batch_.views[v].view, gradients_[u], gradients_[v]);
        }
      }
    }
    write_gradients();
    Result loss{};
    loss.diagonal = static_cast<Scalar>(diagonal_);
    loss.off_diagonal = static_cast<Scalar>(off_diagonal_);
    loss.value = loss.diagonal + loss.off_diagonal;
    return loss;
  }

  bool has_centroid() const noexcept { return batch_.combination == ViewCombination::centroid; }

  void prepare() {
    const Index rows = batch_.rows(), features = batch_.features(), size = rows * features;
    const int threads = batch_.execution.threads;
    gradients_.resize(batch_.size());
    for (std::size_t v = 0; v < batch_.size(); ++v) {
      if (batch_.views[v].gradient) {
        gradients_[v] = GradientSum<Scalar>(batch_.arena, rows, features, threads);
      }
    }
    const bool has_gradient = batch_.has_gradient();
    if (has_centroid()) {
      centroid_ = Buffer<Scalar>(batch_.arena, size);
      shift_ = Buffer<Scalar>(batch_.arena, features, Scalar(0));
      mean_of_views_ = Centroid<Scalar>(batch_.arena, batch_.views, threads);
      if (has_gradient) {
        gradient_of_centroid_ = GradientSum<Scalar>(batch_.arena, rows, features, threads);
      }
    }
    const bool has_one_pair = batch_.size() == 2 && !has_centroid();
    if (has_gradient && !has_one_pair) {
      scratch_a_ = Buffer<Scalar>(batch_.arena, has_centroid() ? 0 : size);
      scratch_b_ = Buffer<Scalar>(batch_.arena, size);
    }
  }

  // A standardized view is the same wherever its features' zeros are: near their means.
  void write_centroid() {
    for (std::size_t v = 0; v < batch_.size() && options_.standardize; ++v) {
      Arena arena;  // of the pass alone
      const auto moments = moments_of_view(batch_.of(arena, {batch_.views[v].view, {}, {}, {}}),
                                           static_cast<Sum>(options_.epsilon));
      for (Index j = 0; j < shift_.size(); ++j) {
        shift_[j] += static_cast<Scalar>(moments.mean[j] / static_cast<Sum>(batch_.size()));
      }
    }
    const Index features = batch_.features();
    mean_of_views_.write({centroid_.data(), features, features, 1}, shift_);
  }

  InputRows<Scalar> centroid_rows() const noexcept {
    return {centroid_.data(), batch_.rows(), batch_.features(), batch_.features(), 1};
  }

  void add_pair(const InputRows<Scalar>& a, const InputRows<Scalar>& b,
                GradientSum<Scalar>& gradient_a, GradientSum<Scalar>& gradient_b) {
    Arena arena;  // so that a pair's memory is the next one's
    const Result loss = loss_of<BarlowTwinsFirstPass<Scalar>>(
        batch_.of(arena, {a, b, gradient_a.next(scratch_a_), gradient_b.next(scratch_b_)}),
        options_, choice_);
    diagonal_ += static_cast<Sum>(loss.diagonal);
    off_diagonal_ += static_cast<Sum>(loss.off_diagonal);
    gradient_a.take(scratch_a_);
    gradient_b.take(scratch_b_);
  }

  void write_gradients() noexcept {
    for (std::size_t v = 0; v < batch_.size(); ++v) {
      if (batch_.views[v].gradient) {
        if (has_centroid()) {
          gradients_[v].add_mean_of(gradient_of_centroid_, batch_.size());
        }
        gradients_[v].write(batch_.views[v].gradient);
      }
    }
  }

  const BatchOfViews<Scalar>& batch_;
  Options options_;
  const decorr::Regularizer& choice_;
  std::vector<GradientSum<Scalar>> gradients_;
  GradientSum<Scalar> gradient_of_centroid_;
  Centroid<Scalar> mean_of_views_;
  Buffer<Scalar> centroid_, shift_, scratch_a_, scratch_b_;
  Sum diagonal_ = 0, off_diagonal_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_BARLOW_TWINS_OF_VIEWS_HPP_
