#ifndef DECORR_DETAIL_LOSSES_VICREG_HPP_
#define DECORR_DETAIL_LOSSES_VICREG_HPP_

#include <cstdint>
#include <optional>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/regularizers/regularizer.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/gradient_epilogue.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/detail/statistics/moments.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/detail/statistics/standardization.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// What a view's terms count in the loss of all views, as factors that are exact in any scalar.
struct ShareOfView {
  int variance_times = 1, variance_over = 1, covariance_times = 1;
  bool has_signs_b = false;  // else signs_a
};
struct VicregOptionsOfView : VicregOptions {
  VicregOptionsOfView(const VicregOptions& options, const ShareOfView& of_view)
      : VicregOptions(options), share(of_view) {}
  ShareOfView share;
};

// The variance and covariance terms of one view, and its gradient: all of VCReg, and either half of
// VICReg. The view is a of `batch`; b, if there is one, is the view that it is to be close to.
template <class Scalar>
class VarianceCovariance {
 public:
  using Sum = Accumulator<Scalar>;

  VarianceCovariance(const Batch<Scalar>& batch, const ViewMoments<Scalar>& moments, Index count,
                     const VicregOptions& options, const decorr::Regularizer& choice,
                     const std::int8_t* signs, TransformBuffers<Scalar>* shared_buffers = nullptr,
                     int covariance_times = 1)
      : options_(options),
        covariance_times_(covariance_times),
        count_(count),
        features_(batch.rows.features()),
        statistics_(view_statistics(batch.arena, moments, degrees_of_freedom(),
                                    static_cast<Sum>(options.epsilon))),
        preparation_(batch.arena, features_,
                     Standardization<Scalar>(batch.arena, statistics_, false), signs),
        regularizer_(batch.arena, setup(batch, shared_buffers), choice, weights(choice)) {
    if (batch.rows.gradient_a) {
      epilogue_ = ViewEpilogue<Scalar>(
          batch.arena, features_, preparation_.standardization(),
          batch.rows.has_two_views() ? OtherTerm::difference : OtherTerm::none);
      epilogue_.factor = Buffer<Scalar>(batch.arena, features_);
    }
  }
  // The regularizer points to the preparation.
  VarianceCovariance(const VarianceCovariance&) = delete;
  VarianceCovariance& operator=(const VarianceCovariance&) = delete;

  void correlate(const BatchRows<Scalar>& rows) noexcept { regularizer_.add(rows); }

  // The weighted covariance term; gradients will be its.
  Sum covariance(const BatchRows<Scalar>& rows) {
    const bool averages = options_.covariance_scaling == CovarianceScaling::per_dimension;
    const Sum weight = static_cast<Sum>(options_.scale) * static_cast<Sum>(options_.covariance) *
                       static_cast<Sum>(covariance_times_) /
                       (averages ? static_cast<Sum>(features_) : Sum(1));
    return weight * regularizer_.value(rows, degrees_of_freedom(), weight);
  }

  // The variance term, V_view times `weight`.
  Sum variance(Sum weight) const noexcept {
    const Sum gamma = static_cast<Sum>(options_.gamma), d = static_cast<Sum>(features_);
    Sum variance = 0;
    for (Index j = 0; j < features_; ++j) {
      const Sum gap = gamma - statistics_.deviation[j];
      // Not std::max(0, gap): a NaN is to stay one.
      variance += gap <= 0 ? Sum(0) : weight * gap / d;
    }
    return variance;
  }

  static Index sums_size(const decorr::Regularizer& choice, Index features) {
    return detail::sums_size(choice, features, SignalPairing(kPairing));
  }
  void write_sums(Sum* to) noexcept { regularizer_.write_sums(to); }
  void read_sums(const Sum* from) noexcept { regularizer_.read_sums(from); }

  BatchRegularizer<Scalar>& regularizer() noexcept { return regularizer_; }

  // Of the last step, which gradient() sets.
  const ViewEpilogue<Scalar>& epilogue() const noexcept { return epilogue_; }

  // After covariance(): the coefficients of epilogue(). `variance_weight` is that of variance().
  DECORR_DETAIL_NOINLINE void set_coefficients(Sum variance_weight) noexcept {
    if (!epilogue_) {
      return;
    }
    const Sum gamma = static_cast<Sum>(options_.gamma), d = static_cast<Sum>(features_);
    // mean((A-B)^2) has n d terms; its gradient is 2 (A-B) / (n d) for either view, as the one that
    // is subtracted from.
    const Sum invariance_slope = static_cast<Sum>(options_.scale) *
                                 static_cast<Sum>(options_.invariance) * 2 /
                                 (static_cast<Sum>(count_) * d);
    for (Index j = 0; j < features_; ++j) {
      const Sum deviation = statistics_.deviation[j];
      epilogue_.regularizer[j] = 1;
      epilogue_.own[j] = gamma - deviation <= 0
                             ? Scalar(0)
                             : static_cast<Scalar>(-variance_weight / (d * degrees_of_freedom()));
      epilogue_.factor[j] = static_cast<Scalar>(inverse_deviation<Scalar>(deviation));
      if (epilogue_.other) {
        epilogue_.other[j] = static_cast<Scalar>(invariance_slope);
      }
    }
    preparation_.multiply_by_signs(epilogue_.regularizer);
  }

  // After set_coefficients(), if there is a gradient: the regularizer's, and the last step in the
  // same sweep or left to a pass of its own.
  void differentiate(const BatchRows<Scalar>& rows, bool in_sweep) noexcept {
    if (rows.gradient_a) {
      regularizer_.gradient(rows, {{nullptr, in_sweep ? &epilogue_ : nullptr}, {}});
    }
  }
  // The same with the last step, in two phases, where the regularizer goes row by row.
  void begin_gradient(const BatchRows<Scalar>& rows) noexcept {
    if (rows.gradient_a) {
      regularizer_.begin_gradient(rows);
    }
  }
  void differentiate_on(int worker, const BatchRows<Scalar>& rows, Index first,
                        Index last) noexcept {
    if (rows.gradient_a) {
      regularizer_.gradient_on(worker, rows, first, last, {{nullptr, &epilogue_}, {}});
    }
  }

 private:
  static constexpr SignalPairing::Kind kPairing = SignalPairing::Kind::samples;

  Sum degrees_of_freedom() const noexcept { return static_cast<Sum>(count_ - 1); }

  RegularizerSetup<Scalar> setup(const Batch<Scalar>& batch,
                                 TransformBuffers<Scalar>* shared_buffers) const {
    const auto variance = [&](Index j) noexcept {
      return statistics_.spread[j] * statistics_.spread[j];
    };
    auto setup = regularizer_setup(batch, kPairing, preparation_, preparation_, count_,
                                   dominant_feature<Scalar>(features_, variance, variance));
    setup.shared_buffers = shared_buffers;
    return setup;
  }
  BlockWeights weights(const decorr::Regularizer& choice) const {
    BlockWeights weights = block_weights(choice, features_);
    if (options_.covariance_scaling == CovarianceScaling::block_mean) {
      weights.take_means();
    }
    if (preparation_.has_signs()) {
      weights.halve_middle_lags();
    }
    return weights;
  }

  VicregOptions options_;
  int covariance_times_;
  Index count_, features_;
  ViewStatistics<Scalar> statistics_;
  Preparation<Scalar> preparation_;  // centring and signs
  BatchRegularizer<Scalar> regularizer_;
  ViewEpilogue<Scalar> epilogue_;
};

template <class Scalar>
class Vicreg : public WithoutSlopes<Scalar> {
 public:
  using Sum = Accumulator<Scalar>;

  Vicreg(const Batch<Scalar>& batch, const Moments<Scalar>& moments, const VicregOptions& options,
         const decorr::Regularizer& choice)
      : moments_(moments),
        invariance_weight_(
            static_cast<Sum>(options.scale) * static_cast<Sum>(options.invariance) /
            (static_cast<Sum>(moments.count) * static_cast<Sum>(batch.rows.features()))),
        variance_weight_(static_cast<Sum>(options.scale) * static_cast<Sum>(options.variance) /
                         (options.sum_variance ? 1 : 2)),
        a_(batch.with(batch.rows.seen_from_a()), moments.a, moments.count, options, choice,
           signs_a(choice), &buffers_),
        b_(batch.with(batch.rows.seen_from_b()), moments.b, moments.count, options, choice,
           signs_b(choice), &buffers_),
        sums_of_view_(VarianceCovariance<Scalar>::sums_size(choice, batch.rows.features())) {
    // A sweep reads the other view's rows beside its own, which costs more than a pass over all of
    // them where they have to be transposed, or compete with spectra or derivatives for the cache.
    const RowAccess access = row_access(batch.rows);
    in_sweep_ = a_.regularizer().goes_row_by_row() && b_.regularizer().goes_row_by_row() &&
                !access.copies_a && !access.copies_b && !access.copies_gradient_a &&
                !access.copies_gradient_b;
    if (access.has_gradient() && !in_sweep_) {
      last_step_ = EpiloguePass<Scalar>(batch.arena, batch.rows, a_.epilogue(), b_.epilogue(),
                                        batch.execution.threads);
    }
  }

  static Index sums_size(const VicregOptions&, const decorr::Regularizer& choice, Index features) {
    return 2 * VarianceCovariance<Scalar>::sums_size(choice, features);
  }
  void write_sums(Sum* to) noexcept {
    a_.write_sums(to);
    b_.write_sums(to + sums_of_view_);
  }
  void read_sums(const Sum* from) noexcept {
    a_.read_sums(from);
    b_.read_sums(from + sums_of_view_);
  }

  void set_count(Index) noexcept {}  // the moments know it
  void correlate(const BatchRows<Scalar>& rows) noexcept {
    a_.correlate(rows.seen_from_a());
    b_.correlate(rows.seen_from_b());
  }

  VicregLoss<Scalar> value(const BatchRows<Scalar>& rows) {
    Sum invariance = 0;
    for (Index j = 0; j < rows.features(); ++j) {
      invariance += moments_.weighted_difference(j, invariance_weight_);
    }
    const Sum covariance_a = a_.covariance(rows.seen_from_a());
    const Sum covariance_b = b_.covariance(rows.seen_from_b());
    VicregLoss<Scalar> loss{};
    loss.invariance = static_cast<Scalar>(invariance);
    loss.variance =
        static_cast<Scalar>(a_.variance(variance_weight_) + b_.variance(variance_weight_));
    loss.covariance = static_cast<Scalar>(covariance_a + covariance_b);
    loss.value = loss.invariance + loss.variance + loss.covariance;
    return loss;
  }

  void gradient(const BatchRows<Scalar>& rows) noexcept {
    a_.set_coefficients(variance_weight_);
    b_.set_coefficients(variance_weight_);
    if (in_sweep_) {
      differentiate_in_lockstep(rows);
      return;
    }
    // View b first, as it is still in the cache.
    b_.differentiate(rows.seen_from_b(), false);
    a_.differentiate(rows.seen_from_a(), false);
    last_step_.run(rows);
  }

 private:
  // Each view's last step reads the other one's rows, which the second of them finds in the cache.
  void differentiate_in_lockstep(const BatchRows<Scalar>& rows) noexcept {
    const BatchRows<Scalar> of_a = rows.seen_from_a(), of_b = rows.seen_from_b();
    BatchRegularizer<Scalar>& either = a_.regularizer();
    const Index group = either.rows_of_group();
    a_.begin_gradient(of_a);
    b_.begin_gradient(of_b);
    parallel_chunks(either.workers(), 0, rows.size(), kTileRows,
                    [&](int worker, Index first, Index last) noexcept {
                      for_each_chunk(last - first, group, [&](Index begin, Index end) noexcept {
                        a_.differentiate_on(worker, of_a, first + begin, first + end);
                        b_.differentiate_on(worker, of_b, first + begin, first + end);
                      });
                    });
  }

  Moments<Scalar> moments_;
  Sum invariance_weight_, variance_weight_;
  TransformBuffers<Scalar> buffers_;
  VarianceCovariance<Scalar> a_, b_;
  Index sums_of_view_;
  bool in_sweep_ = true;
  EpiloguePass<Scalar> last_step_;
};

// One view alone, or one of several.
template <class Scalar>
class Vcreg : public WithoutSlopes<Scalar> {
 public:
  using Sum = Accumulator<Scalar>;

  Vcreg(const Batch<Scalar>& batch, const Moments<Scalar>& moments, const VicregOptions& options,
        const decorr::Regularizer& choice, const ShareOfView& share = {})
      : variance_weight_(static_cast<Sum>(options.scale) * static_cast<Sum>(options.variance) *
                         static_cast<Sum>(share.variance_times) /
                         static_cast<Sum>(share.variance_over)),
        view_(batch, moments.a, moments.count, options, choice,
              share.has_signs_b ? signs_b(choice) : signs_a(choice), nullptr,
              share.covariance_times) {}

  static Index sums_size(const VicregOptions&, const decorr::Regularizer& choice, Index features) {
    return VarianceCovariance<Scalar>::sums_size(choice, features);
  }
  void write_sums(Sum* to) noexcept { view_.write_sums(to); }
  void read_sums(const Sum* from) noexcept { view_.read_sums(from); }

  void set_count(Index) noexcept {}  // the moments know it
  void correlate(const BatchRows<Scalar>& rows) noexcept { view_.correlate(rows); }

  VarianceCovarianceLoss<Scalar> value(const BatchRows<Scalar>& rows) {
    VarianceCovarianceLoss<Scalar> loss{};
    loss.covariance = static_cast<Scalar>(view_.covariance(rows));
    loss.variance = static_cast<Scalar>(view_.variance(variance_weight_));
    loss.value = loss.variance + loss.covariance;
    return loss;
  }

  void gradient(const BatchRows<Scalar>& rows) noexcept {
    view_.set_coefficients(variance_weight_);
    view_.differentiate(rows, true);
  }

 private:
  Sum variance_weight_;
  VarianceCovariance<Scalar> view_;
};

template <class Scalar>
class VcregOfView : public Vcreg<Scalar> {
 public:
  VcregOfView(const Batch<Scalar>& batch, const Moments<Scalar>& moments,
              const VicregOptionsOfView& options, const decorr::Regularizer& choice)
      : Vcreg<Scalar>(batch, moments, options, choice, options.share) {}
};

template <class Scalar, class LossOfViews, class ResultOfLoss, bool kTwoViews,
          class OptionsOfLoss = VicregOptions>
class VarianceFirstPass {
 public:
  using Options = OptionsOfLoss;
  using Loss = LossOfViews;
  using Result = ResultOfLoss;
  static constexpr bool kHasTwoViews = kTwoViews, kHasStatistics = true;
  static Index least_rows(const Options&) noexcept { return 2; }

  explicit VarianceFirstPass(const Options& options) noexcept : options_(options) {}
  bool has_statistics() const noexcept { return true; }
  const Options& options() const noexcept { return options_; }

  void start(const Batch<Scalar>& batch) {
    moments_.start(batch, static_cast<Accumulator<Scalar>>(options_.epsilon));
  }
  void add(const BatchRows<Scalar>& rows) noexcept { moments_.add(rows); }
  bool end(const Batch<Scalar>& batch) { return moments_.end(batch); }
  void make(std::optional<Loss>& loss, const Batch<Scalar>& batch,
            const decorr::Regularizer& choice) {
    loss.emplace(batch, moments_.moments(), options_, choice);
  }

 private:
  Options options_;
  MomentsOfBatch<Scalar> moments_;
};
template <class Scalar>
using VicregFirstPass = VarianceFirstPass<Scalar, Vicreg<Scalar>, VicregLoss<Scalar>, true>;
template <class Scalar>
using VcregFirstPass =
    VarianceFirstPass<Scalar, Vcreg<Scalar>, VarianceCovarianceLoss<Scalar>, false>;
template <class Scalar>
using VcregOfViewFirstPass =
    VarianceFirstPass<Scalar, VcregOfView<Scalar>, VarianceCovarianceLoss<Scalar>, false,
                      VicregOptionsOfView>;

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_VICREG_HPP_
