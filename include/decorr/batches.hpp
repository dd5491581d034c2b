#ifndef DECORR_BATCHES_HPP_
#define DECORR_BATCHES_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <utility>

#include "decorr/detail/call/call_matrices.hpp"
#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/misuse.hpp"
#include "decorr/detail/call/parts_call.hpp"
#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

/// @file
/// The losses of losses.hpp, and the regularizers, of a batch whose rows arrive in parts: gradient
/// accumulation over micro-batches with the whole batch's loss, or a batch that does not fit into
/// memory.
///
///     decorr::BarlowTwinsBatch<float> batch(d, options, regularizer, execution);
///     while (batch.has_pass()) {
///       for (const auto& part : parts) batch.add(part.z_a, part.z_b);
///       batch.end_pass();
///     }
///     const auto loss = batch.loss();
///     for (const auto& part : parts) batch.gradient(part.z_a, part.z_b, part.grad_a, part.grad_b);
///
/// Parts may have any number of rows, none too, and come in any order, another one in each pass;
/// the rows of a pass are the same ones in each, number for number, and of several processes on the
/// same process. Values and gradients are those of the one-matrix call up to rounding. Passes: one
/// for the moments (once more where squares leave the scalar's range), one for the correlation, and
/// for gradients of a standardized Barlow Twins a third one; gradient() transforms the rows again.
/// A Barlow Twins that is not standardized has one pass, as a regularizer alone has.
///
/// With Execution::communicator, which has to outlive the object, each process adds its own rows,
/// and end_pass() sums over the processes (docs/distributed.md); what is wrong for a constructor or
/// for add() is then thrown by end_pass(), on all processes. (Where there is not even memory for
/// the object, its constructor throws std::bad_alloc once the others have come to end_pass().)
///
/// Memory: O(d) numbers for an ungrouped Relaxed, O(d G) for G blocks, and at most 256 rows of
/// scratch for each view; Exact goes through C, d^2 numbers, whatever the number of rows. Cost:
/// that of the one-matrix call, and a forward transform more.
///
/// Throws InvalidArgument as the functions do, and std::logic_error, with a text that says what was
/// expected, for calls out of turn and for a pass over other rows than the first one's (their
/// number, and a check sum of some of their numbers). After an end_pass() that has thrown the
/// object is good for nothing but its destructor. One thread at a time uses an object, gradient()
/// included. The regularizer is copied.

namespace decorr {
inline namespace DECORR_ABI {

/// Which gradients will be asked for. Those that are not cost nothing, and without any of them
/// there are fewer passes.
///
/// @snippet batches.cpp VicregBatch
enum class Gradients { none, a, b, both };

/// What the classes below have in common.
template <class Scalar, class FirstPass>
class BatchOfParts {
 public:
  /// @cond
  // Settings in another order, and another loss's options.
  template <
      class... Settings,
      detail::Misuse kFound = detail::misuse_of_batch<
          Gradients, detail::Given<typename FirstPass::Options, Regularizer, Execution, Gradients>,
          Settings...>(),
      detail::EnableMisuse<kFound> = 0>
  explicit BatchOfParts(Eigen::Index features, const Settings&...)
      : BatchOfParts("", features, {}, {}, {}, Gradients::none) {
    static_assert(detail::report_misuse<kFound>());
  }
  template <class... Settings,
            detail::Misuse kFound = detail::misuse_of_batch<
                Gradients, detail::Given<Regularizer, Execution, Gradients>, Settings...>(),
            detail::EnableMisuse<kFound> = 0>
  BatchOfParts(Eigen::Index features, detail::DefaultOptions, const Settings&...)
      : BatchOfParts("", features, {}, {}, {}, Gradients::none) {
    static_assert(detail::report_misuse<kFound>());
  }
  /// @endcond

  /// Whether all rows are to be added (once more). Not after an end_pass() that has failed.
  bool has_pass() const noexcept { return call_.has_pass(); }
  /// After the last rows of a pass; with a communicator a collective call.
  void end_pass() { call_.end_pass(); }
  /// The rows of the batch, of all processes; after the first pass.
  Eigen::Index count() const noexcept { return call_.count(); }

 protected:
  BatchOfParts(const char* name, Eigen::Index features, const typename FirstPass::Options& options,
               const Regularizer& regularizer, const Execution& execution, Gradients gradients)
      : call_(name, features, options, regularizer, execution,
              gradients == Gradients::a || gradients == Gradients::both,
              gradients == Gradients::b || gradients == Gradients::both) {}

  detail::PartsCall<Scalar, FirstPass>& call() noexcept { return call_; }
  const typename FirstPass::Result& result() const { return call_.loss(); }

 private:
  detail::PartsCall<Scalar, FirstPass> call_;
};

/// And those with gradients of two views.
template <class Scalar, class FirstPass>
class BatchOfTwoViews : public BatchOfParts<Scalar, FirstPass> {
 public:
  /// Rows of the pass.
  template <class A, class B>
  void add(const Eigen::DenseBase<A>& z_a, const Eigen::DenseBase<B>& z_b) {
    detail::add_part<Scalar>(this->call(), z_a.derived(), z_b.derived());
  }
  /// After all passes: of some rows, the whole batch's loss by them.
  template <class A, class B, class GradientA, class GradientB>
  void gradient(const Eigen::DenseBase<A>& z_a, const Eigen::DenseBase<B>& z_b, GradientA&& grad_a,
                GradientB&& grad_b) {
    detail::gradient_of_part<Scalar>(this->call(), z_a.derived(), z_b.derived(),
                                     std::forward<GradientA>(grad_a),
                                     std::forward<GradientB>(grad_b));
  }

 protected:
  using BatchOfParts<Scalar, FirstPass>::BatchOfParts;
};

/// barlow_twins_loss of a batch in parts.
///
/// @snippet batches.cpp BarlowTwinsBatch
template <class Scalar>
class BarlowTwinsBatch : public BatchOfTwoViews<Scalar, detail::BarlowTwinsFirstPass<Scalar>> {
 public:
  using BatchOfTwoViews<Scalar, detail::BarlowTwinsFirstPass<Scalar>>::BatchOfTwoViews;
  explicit BarlowTwinsBatch(Eigen::Index features, const BarlowTwinsOptions& options = {},
                            const Regularizer& regularizer = {}, const Execution& execution = {},
                            Gradients gradients = Gradients::both)
      : BatchOfTwoViews<Scalar, detail::BarlowTwinsFirstPass<Scalar>>(
            "BarlowTwinsBatch", features, options, regularizer, execution, gradients) {}

  /// The whole batch's, after the passes that it needs, any number of times.
  BarlowTwinsLoss<Scalar> loss() const { return this->result(); }
};

/// vicreg_loss of a batch in parts.
///
/// @snippet batches.cpp VicregBatch
template <class Scalar>
class VicregBatch : public BatchOfTwoViews<Scalar, detail::VicregFirstPass<Scalar>> {
 public:
  using BatchOfTwoViews<Scalar, detail::VicregFirstPass<Scalar>>::BatchOfTwoViews;
  explicit VicregBatch(Eigen::Index features, const VicregOptions& options = {},
                       const Regularizer& regularizer = {}, const Execution& execution = {},
                       Gradients gradients = Gradients::both)
      : BatchOfTwoViews<Scalar, detail::VicregFirstPass<Scalar>>(
            "VicregBatch", features, options, regularizer, execution, gradients) {}

  /// The whole batch's, after the passes that it needs, any number of times.
  VicregLoss<Scalar> loss() const { return this->result(); }
};

/// r_sum, or with Exact r_off, of a batch in parts.
///
/// @snippet batches.cpp RegularizerBatch
template <class Scalar>
class RegularizerBatch : public BatchOfTwoViews<Scalar, detail::RegularizerFirstPass<Scalar>> {
 public:
  explicit RegularizerBatch(Eigen::Index features, const Regularizer& regularizer = {},
                            const Execution& execution = {}, Gradients gradients = Gradients::both)
      : BatchOfTwoViews<Scalar, detail::RegularizerFirstPass<Scalar>>(
            "RegularizerBatch", features, {}, regularizer, execution, gradients) {}

  /// The whole batch's, after the pass, any number of times.
  Scalar value() const { return this->result(); }
};

/// sumvec of a batch in parts.
///
/// @snippet batches.cpp SumvecBatch
template <class Scalar>
class SumvecBatch : public BatchOfParts<Scalar, detail::SumvecFirstPass<Scalar>> {
 public:
  explicit SumvecBatch(Eigen::Index features, const Execution& execution = {})
      : BatchOfParts<Scalar, detail::SumvecFirstPass<Scalar>>(
            "SumvecBatch", features, {}, detail::relaxed_of_sumvec(), execution, Gradients::none) {}

  /// Rows of the pass.
  template <class A, class B>
  void add(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b) {
    detail::add_part<Scalar>(this->call(), a.derived(), b.derived());
  }
  /// The whole batch's, after the pass, any number of times.
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> lags() const { return this->result(); }
};

/// variance_covariance_loss of a batch in parts; of Gradients none and a.
///
/// @snippet batches.cpp VarianceCovarianceBatch
template <class Scalar>
class VarianceCovarianceBatch : public BatchOfParts<Scalar, detail::VcregFirstPass<Scalar>> {
 public:
  using BatchOfParts<Scalar, detail::VcregFirstPass<Scalar>>::BatchOfParts;
  explicit VarianceCovarianceBatch(Eigen::Index features, const VicregOptions& options = {},
                                   const Regularizer& regularizer = {},
                                   const Execution& execution = {},
                                   Gradients gradients = Gradients::a)
      : BatchOfParts<Scalar, detail::VcregFirstPass<Scalar>>(
            "VarianceCovarianceBatch", features, options, regularizer, execution, gradients) {}

  /// Rows of the pass.
  template <class Z>
  void add(const Eigen::DenseBase<Z>& z) {
    detail::add_part<Scalar>(this->call(), z.derived(), detail::NoView());
  }
  /// The whole batch's, after the passes that it needs, any number of times.
  VarianceCovarianceLoss<Scalar> loss() const { return this->result(); }
  /// After all passes: of some rows, the whole batch's loss by them.
  template <class Z, class Gradient>
  void gradient(const Eigen::DenseBase<Z>& z, Gradient&& grad) {
    detail::gradient_of_part<Scalar>(this->call(), z.derived(), detail::NoView(),
                                     std::forward<Gradient>(grad), no_gradient);
  }
};

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_BATCHES_HPP_
