#ifndef DECORR_DETAIL_LOSSES_VICREG_OF_VIEWS_HPP_
#define DECORR_DETAIL_LOSSES_VICREG_OF_VIEWS_HPP_

#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "decorr/detail/losses/centroid.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/losses/passes.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// VICReg of V views. Variance and covariance are each view's own, so that pairs only count them
// V - 1 times; and the invariance over pairs is V times that to the centroid, sum_{u<v} |z_u -
// z_v|^2 = V sum_v |z_v - m|^2.
template <class Scalar>
class VicregOfViews {
 public:
  using Sum = Accumulator<Scalar>;
  using Options = VicregOptions;
  using Result = VicregLoss<Scalar>;
  static Index least_rows(const Options&) noexcept { return 2; }

  static DECORR_DETAIL_COLD Result loss(const BatchOfViews<Scalar>& batch, const Options& options,
                                        const decorr::Regularizer& choice) {
    return VicregOfViews(batch, options, choice).compute();
  }

 private:
  using Passes = LossPasses<Scalar, VcregOfViewFirstPass<Scalar>>;

  VicregOfViews(const BatchOfViews<Scalar>& batch, const Options& options,
                const decorr::Regularizer& choice)
      : batch_(batch),
        options_(options),
        choice_(choice),
        invariance_weight_(
            static_cast<Sum>(options.scale) * static_cast<Sum>(options.invariance) *
            static_cast<Sum>(batch.combination == ViewCombination::pairs ? batch.size() : 1) /
            (static_cast<Sum>(batch.count()) * static_cast<Sum>(batch.features()))) {}

  Result compute() {
    Sum invariance = 0;
    batch_.attempt([&] {
      for (std::size_t v = 0; v < batch_.size(); ++v) {
        views_.push_back(std::make_unique<Passes>(VicregOptionsOfView(options_, share(v))));
      }
      centroid_ = Centroid<Scalar>(batch_.arena, batch_.views, batch_.execution.threads);
      // The weight before the squares, whose range it may bring them into.
      const Sum squares = centroid_.squares(std::sqrt(std::abs(invariance_weight_)));
      invariance = invariance_weight_ < 0 ? -squares : squares;
    });
    batch_.sum(invariance);
    // All views' memory and plans before the first one's spectra, which may wait in its gradient.
    for_each_view([&](Passes& passes, const Batch<Scalar>& batch) {
      passes.start(batch, choice_);
      while (passes.phase() == Passes::Phase::statistics) {
        run(passes, batch);
      }
    });
    Sum variance = 0, covariance = 0;
    for_each_view([&](Passes& passes, const Batch<Scalar>& batch) {
      run(passes, batch);
      variance += static_cast<Sum>(passes.result()->variance);
      covariance += static_cast<Sum>(passes.result()->covariance);
    });
    if (batch_.has_gradient()) {
      differentiate();
    }
    Result loss{};
    loss.invariance = static_cast<Scalar>(invariance);
    loss.variance = static_cast<Scalar>(variance);
    loss.covariance = static_cast<Scalar>(covariance);
    loss.value = loss.invariance + loss.variance + loss.covariance;
    return loss;
  }

  void differentiate() noexcept {
    for_each_view([&](Passes& passes, const Batch<Scalar>& batch) noexcept {
      if (batch.rows.gradient_a) {
        passes.finish(batch.rows);
      }
    });
    centroid_.add_to_gradients(2 * invariance_weight_);
  }

  // The average over the views, or their sum; over pairs that of each pair.
  ShareOfView share(std::size_t view) const noexcept {
    const bool is_of_pairs = batch_.combination == ViewCombination::pairs;
    const auto views = static_cast<int>(batch_.size());
    ShareOfView share;
    share.variance_times = share.covariance_times = is_of_pairs ? views - 1 : 1;
    share.variance_over = options_.sum_variance ? 1 : is_of_pairs ? 2 : views;
    share.has_signs_b = view % 2 == 1;
    return share;
  }

  void run(Passes& passes, const Batch<Scalar>& batch) {
    passes.add(batch.rows);
    passes.end_pass(batch, choice_);
  }

  template <class Body>
  void for_each_view(const Body& body) {
    for (std::size_t v = 0; v < views_.size(); ++v) {
      const ViewRows<Scalar>& each = batch_.views[v];
      body(*views_[v], batch_.of(batch_.arena, {each.view, {}, each.gradient, {}}));
    }
  }

  const BatchOfViews<Scalar>& batch_;
  Options options_;
  const decorr::Regularizer& choice_;
  Sum invariance_weight_;
  std::vector<std::unique_ptr<Passes>> views_;
  Centroid<Scalar> centroid_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_VICREG_OF_VIEWS_HPP_
