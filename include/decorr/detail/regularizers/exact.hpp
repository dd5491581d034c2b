#ifndef DECORR_DETAIL_REGULARIZERS_EXACT_HPP_
#define DECORR_DETAIL_REGULARIZERS_EXACT_HPP_

#include <variant>

#include "decorr/detail/regularizers/exact_correlation.hpp"
#include "decorr/detail/regularizers/exact_gram.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/spectra/packing.hpp"
#include "decorr/options.hpp"

// R_off by the route that suits the sizes and the data (docs/mathematics.md, the exact form).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

enum class ExactRoute { automatic, correlation, gram };

// Through the Gram matrices where they are cheaper, and once more through C where they turn out to
// have lost digits.
template <class Scalar>
class ExactRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  ExactRegularizer(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
                   ExactRoute route, const Execution& execution)
      : correlation_(correlation),
        scaling_(scaling),
        execution_(execution),
        form_(make_form(correlation, scaling, route, execution)) {}

  void accumulate(Index first, Index last) {
    std::visit([=](auto& form) { form.accumulate(first, last); }, form_);
  }

  // After all rows, and before a gradient of either view is written, as it may need memory.
  Sum finish(Sum gradient_weight) {
    const Sum value = std::visit([=](auto& form) { return form.finish(gradient_weight); }, form_);
    const auto* gram = std::get_if<ExactGram<Scalar>>(&form_);
    if (gram == nullptr || gram->is_accurate()) {
      return value;
    }
    auto& form =
        form_.template emplace<ExactCorrelation<Scalar>>(correlation_, scaling_, execution_);
    form.accumulate(0, correlation_.rows());
    return form.finish(gradient_weight);
  }

  void gradient(Index first, Index last) {
    std::visit([=](auto& form) { form.gradient(first, last); }, form_);
  }

 private:
  using Form = std::variant<ExactCorrelation<Scalar>, ExactGram<Scalar>>;

  static Form make_form(const Correlation<Scalar>& correlation, CovarianceScaling scaling,
                        ExactRoute route, const Execution& execution) {
    const bool gram = route == ExactRoute::automatic ? correlation.rows() < correlation.cols()
                                                     : route == ExactRoute::gram;
    return gram ? Form(std::in_place_index<1>, correlation, scaling, execution)
                : Form(std::in_place_index<0>, correlation, scaling, execution);
  }

  Correlation<Scalar> correlation_;
  CovarianceScaling scaling_;
  Execution execution_;
  Form form_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_EXACT_HPP_
