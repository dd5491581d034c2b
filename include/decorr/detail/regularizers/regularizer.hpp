#ifndef DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_
#define DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "decorr/detail/regularizers/exact.hpp"
#include "decorr/detail/regularizers/grouped.hpp"
#include "decorr/detail/regularizers/grouped_gram.hpp"
#include "decorr/detail/regularizers/relaxed.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// Phases 2 and 3, whichever the regularizer. Each form takes rows (accumulate), gives the value of
// all of them (finish), and gives rows' gradient (gradient), each on as many threads as it was told
// to; a loss does not know which form it has.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
class RelaxedRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  RelaxedRegularizer(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                     CovarianceScaling scaling, GroupedRoute route, const Execution& execution)
      : correlation_(correlation),
        relaxed_(&relaxed),
        scaling_(scaling),
        execution_(execution),
        form_(make_form(route)) {}

  void accumulate(Index first, Index last) {
    std::visit([=](auto& form) { form.accumulate(first, last); }, form_);
  }

  // After all rows, and before a gradient of either view is written, as it may need memory: where
  // the Gram matrices turn out to have lost digits, the other route is taken from the beginning.
  Sum finish(Sum gradient_weight) {
    const auto finish_form = [=](auto& form) { return form.finish(gradient_weight); };
    const Sum value = std::visit(finish_form, form_);
    const auto* gram = std::get_if<GroupedGram<Scalar>>(&form_);
    if (gram == nullptr || gram->is_accurate()) {
      return value;
    }
    form_ = make_features_form(Spectra::recalled_elsewhere);
    accumulate(0, correlation_.rows());
    return std::visit(finish_form, form_);
  }

  void gradient(Index first, Index last) {
    std::visit([=](auto& form) { form.gradient(first, last); }, form_);
  }

 private:
  using Form = std::variant<UngroupedRelaxed<Scalar>, GroupedRelaxed<Scalar, kLanes<Scalar>>,
                            GroupedRelaxed<Scalar, 1>, GroupedGram<Scalar>>;

  Form make_form(GroupedRoute route) const {
    const Index width = relaxed_->block_size;
    if (width == 0 || width == correlation_.cols()) {
      return Form(std::in_place_index<0>, correlation_, *relaxed_, scaling_, execution_);
    }
    if (goes_through_gram(route, correlation_, *relaxed_, scaling_)) {
      return Form(std::in_place_index<3>, correlation_, *relaxed_, scaling_, execution_);
    }
    return make_features_form(Spectra::recalled);
  }
  Form make_features_form(Spectra spectra) const {
    if (4 * (relaxed_->block_size / 2 + 1) > kLanes<Scalar>) {
      return Form(std::in_place_index<1>, correlation_, *relaxed_, scaling_, execution_, spectra);
    }
    return Form(std::in_place_index<2>, correlation_, *relaxed_, scaling_, execution_, spectra);
  }

  Correlation<Scalar> correlation_;
  const Relaxed* relaxed_;
  CovarianceScaling scaling_;
  Execution execution_;
  Form form_;
};

// Relaxed with its route chosen by the caller.
struct RoutedRelaxed {
  Relaxed relaxed;
  GroupedRoute route = GroupedRoute::automatic;
};

// The form for a public options type. RoutedRelaxed and ExactRoute stand for Relaxed and Exact, for
// tests and benchmarks.
template <class Scalar>
RelaxedRegularizer<Scalar> make_regularizer(const RoutedRelaxed& routed,
                                            const Correlation<Scalar>& correlation,
                                            CovarianceScaling scaling, const Execution& execution) {
  return {correlation, routed.relaxed, scaling, routed.route, execution};
}
template <class Scalar>
RelaxedRegularizer<Scalar> make_regularizer(const Relaxed& relaxed,
                                            const Correlation<Scalar>& correlation,
                                            CovarianceScaling scaling, const Execution& execution) {
  return {correlation, relaxed, scaling, GroupedRoute::automatic, execution};
}
template <class Scalar>
ExactRegularizer<Scalar> make_regularizer(ExactRoute route, const Correlation<Scalar>& correlation,
                                          CovarianceScaling scaling, const Execution& execution) {
  return {correlation, scaling, route, execution};
}
template <class Scalar>
ExactRegularizer<Scalar> make_regularizer(Exact, const Correlation<Scalar>& correlation,
                                          CovarianceScaling scaling, const Execution& execution) {
  return make_regularizer(ExactRoute::automatic, correlation, scaling, execution);
}

// One view as the regularizer asks to see it.
enum class ViewName { a, b };

template <class Scalar>
PreparedView<Scalar> make_view(const Relaxed& relaxed, ViewName name,
                               const InputRows<Scalar>& input,
                               const Standardization<Scalar>& standardization) {
  return {input, standardization, name == ViewName::a ? relaxed.signs_a : relaxed.signs_b};
}
template <class Scalar>
PreparedView<Scalar> make_view(const RoutedRelaxed& routed, ViewName name,
                               const InputRows<Scalar>& input,
                               const Standardization<Scalar>& standardization) {
  return make_view(routed.relaxed, name, input, standardization);
}
template <class Scalar, class ExactLike>
PreparedView<Scalar> make_view(const ExactLike&, ViewName, const InputRows<Scalar>& input,
                               const Standardization<Scalar>& standardization) {
  return {input, standardization, std::vector<std::int8_t>()};
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_
