#ifndef DECORR_VIEWS_HPP_
#define DECORR_VIEWS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <utility>

#include "decorr/detail/call/misuse.hpp"
#include "decorr/detail/call/view_containers.hpp"
#include "decorr/detail/losses/barlow_twins_of_views.hpp"
#include "decorr/detail/losses/vicreg_of_views.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

/// @file
/// The losses of losses.hpp for two views and more, as multi-crop training has them.
///
/// `views` is any container with size() and operator[] of V >= 2 matrices, of one type, or of
/// pointers to matrices: std::vector<Eigen::MatrixXf>, std::array<Eigen::Map<...>, 3>,
/// std::vector<const Eigen::MatrixXf*>. All are n x d, with the same samples in their rows.
/// `gradients` is a container of as many matrices or pointers; a null pointer leaves that view
/// without a gradient, as a teacher's, and what is computed for it alone is not paid for. Without
/// `gradients` the value alone is computed. A ViewCombination has to be named.
///
/// For everything else (types and layouts of matrices, accuracy, errors, threads) what losses.hpp
/// says of two views holds here; messages have views[2] and gradients[2]. No gradient is written
/// before all that can fail has happened. With Execution::communicator a call is one of several
/// processes', all of them with the same number of views, and sums as many times as the calls that
/// it consists of.

namespace decorr {
inline namespace DECORR_ABI {

/// Barlow Twins of V views. pairs: sum over u < v of barlow_twins_loss(views[u], views[v]).
/// centroid: sum over v of barlow_twins_loss(views[v], m), m the mean of the raw views, through
/// which gradients go too. Neither is divided by the number of its terms. Of a pair views[u] has
/// signs_a and views[v] signs_b; against the centroid views[v] has signs_a and m signs_b: each term
/// by itself is on average the exact one, as with two views. Value and gradients.
///
/// Cost over pairs: O(V n d log d + V^2 n d) for more than two standardized views and a relaxed
/// regularizer of one block, of which each view is transformed twice; memory of about 3 V n d
/// numbers, 2 V n d where the value alone is wanted. V (V - 1) / 2 calls of barlow_twins_loss
/// otherwise: of exact and grouped forms, whose products of pairs are most of the work, without
/// standardization, where epsilon outweighs one view's variances, and over several processes; with
/// gradients (V + 2) n d numbers beyond the memory of one call (for two views 2 n d). To the
/// centroid V calls and O(V n d), with (V + 3) n d numbers beyond, n d for the value alone. Terms
/// are summed in at least double, those of calls after each has rounded its own. Zbontar et
/// al. 2021, arXiv 2103.03230, has two views.
///
/// @snippet views.cpp barlow_twins_loss_of_views
template <class Views, class Gradients, detail::EnableContainer<const Views> = 0,
          detail::EnableContainer<Gradients> = 0>
BarlowTwinsLoss<detail::ScalarOfViews<Views>> barlow_twins_loss_of_views(
    const Views& views, Gradients&& gradients, ViewCombination combination,
    const BarlowTwinsOptions& options = {}, const Regularizer& regularizer = {},
    const Execution& execution = {}) {
  return detail::evaluate_views<detail::BarlowTwinsOfViews>(
      "barlow_twins_loss_of_views", views, std::forward<Gradients>(gradients), combination, options,
      regularizer, execution);
}

/// Barlow Twins of V views, value only.
template <class Views, detail::EnableContainer<const Views> = 0>
BarlowTwinsLoss<detail::ScalarOfViews<Views>> barlow_twins_loss_of_views(
    const Views& views, ViewCombination combination, const BarlowTwinsOptions& options = {},
    const Regularizer& regularizer = {}, const Execution& execution = {}) {
  return barlow_twins_loss_of_views(views, detail::NoGradients(), combination, options, regularizer,
                                    execution);
}

/// VICReg of V views. pairs: sum over u < v of vicreg_loss(views[u], views[v]), each view with the
/// same signs in all of its pairs. centroid: scale * ( invariance * sum over v of
/// mean((views[v] - m)^2) + variance * V_all + covariance * sum over v of R(K_v) / d ), m the mean
/// of the views, V_all the average over the views, or with sum_variance their sum, of V_view. Signs
/// go in turn: views[0], views[2], ... have signs_a, the others signs_b, of both or of none; each
/// view's term by itself is on average the exact one. Value and gradients.
///
/// Cost of either: V calls of variance_covariance_loss and O(V n d), since variance and covariance
/// are each view's own, and the sum over pairs of |z_u - z_v|^2 is V sum_v |z_v - m|^2. Memory:
/// that of V such calls, which for a single relaxed block is O(V d). The two-view loss: Bardes et
/// al. 2022, arXiv 2105.04906.
/// The centroid's invariance is that of Skean et al. 2023 (FroSSL), arXiv 2310.02903, up to its
/// factor and without their normalization.
///
/// @snippet views.cpp vicreg_loss_of_views
template <class Views, class Gradients, detail::EnableContainer<const Views> = 0,
          detail::EnableContainer<Gradients> = 0>
VicregLoss<detail::ScalarOfViews<Views>> vicreg_loss_of_views(const Views& views,
                                                              Gradients&& gradients,
                                                              ViewCombination combination,
                                                              const VicregOptions& options = {},
                                                              const Regularizer& regularizer = {},
                                                              const Execution& execution = {}) {
  return detail::evaluate_views<detail::VicregOfViews>(
      "vicreg_loss_of_views", views, std::forward<Gradients>(gradients), combination, options,
      regularizer, execution);
}

/// VICReg of V views, value only.
template <class Views, detail::EnableContainer<const Views> = 0>
VicregLoss<detail::ScalarOfViews<Views>> vicreg_loss_of_views(const Views& views,
                                                              ViewCombination combination,
                                                              const VicregOptions& options = {},
                                                              const Regularizer& regularizer = {},
                                                              const Execution& execution = {}) {
  return vicreg_loss_of_views(views, detail::NoGradients(), combination, options, regularizer,
                              execution);
}

/// @cond
// Settings in another order, and another loss's options: compile to the sentence that says what is
// expected. {} has no type, and so overloads of its own.

template <
    class Views, class... Arguments, detail::EnableContainer<const Views> = 0,
    detail::Misuse kFound = detail::misuse_of_views<BarlowTwinsOptions, Views, Arguments...>(),
    detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOfViews<Views>> barlow_twins_loss_of_views(const Views&,
                                                                         const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <
    class Views, class... Settings, detail::EnableContainer<const Views> = 0,
    detail::Misuse kFound = detail::misuse_behind_combination<BarlowTwinsOptions, Settings...>(),
    detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOfViews<Views>> barlow_twins_loss_of_views(const Views&,
                                                                         detail::DefaultOptions,
                                                                         const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <
    class Views, class Gradients, class... Settings, detail::EnableContainer<const Views> = 0,
    detail::EnableContainer<Gradients> = 0,
    detail::Misuse kFound = detail::misuse_behind_combination<BarlowTwinsOptions, Settings...>(),
    detail::EnableMisuse<kFound> = 0>
BarlowTwinsLoss<detail::ScalarOfViews<Views>> barlow_twins_loss_of_views(const Views&, Gradients&&,
                                                                         detail::DefaultOptions,
                                                                         const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Views, class... Arguments, detail::EnableContainer<const Views> = 0,
          detail::Misuse kFound = detail::misuse_of_views<VicregOptions, Views, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOfViews<Views>> vicreg_loss_of_views(const Views&, const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Views, class... Settings, detail::EnableContainer<const Views> = 0,
          detail::Misuse kFound = detail::misuse_behind_combination<VicregOptions, Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOfViews<Views>> vicreg_loss_of_views(const Views&, detail::DefaultOptions,
                                                              const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class Views, class Gradients, class... Settings, detail::EnableContainer<const Views> = 0,
          detail::EnableContainer<Gradients> = 0,
          detail::Misuse kFound = detail::misuse_behind_combination<VicregOptions, Settings...>(),
          detail::EnableMisuse<kFound> = 0>
VicregLoss<detail::ScalarOfViews<Views>> vicreg_loss_of_views(const Views&, Gradients&&,
                                                              detail::DefaultOptions,
                                                              const Settings&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
/// @endcond

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_VIEWS_HPP_
