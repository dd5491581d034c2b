#ifndef DECORR_DETAIL_REGULARIZER_HPP_
#define DECORR_DETAIL_REGULARIZER_HPP_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/exact.hpp"
#include "decorr/detail/grouped.hpp"
#include "decorr/detail/packing.hpp"
#include "decorr/detail/relaxed.hpp"
#include "decorr/detail/row_chunks.hpp"
#include "decorr/options.hpp"

// Phases 2 and 3, whichever the regularizer. Each form takes rows (accumulate), gives the value of
// all of them (finish), and gives rows' gradient (gradient); a loss does not know which form it
// has.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
class RelaxedRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  RelaxedRegularizer(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                     CovarianceScaling scaling, Planning planning)
      : form_(make_form(correlation, relaxed, scaling, planning)) {}

  Index chunk_rows() const {
    return std::visit([](const auto& form) { return form.chunk_rows(); }, form_);
  }
  void accumulate(Index first, Index last) {
    std::visit([=](auto& form) { form.accumulate(first, last); }, form_);
  }
  Sum finish(Sum gradient_weight) {
    return std::visit([=](auto& form) { return form.finish(gradient_weight); }, form_);
  }
  void gradient(Index first, Index last) {
    std::visit([=](auto& form) { form.gradient(first, last); }, form_);
  }

 private:
  using Form = std::variant<UngroupedRelaxed<Scalar>, GroupedRelaxed<Scalar>>;

  static Form make_form(const Correlation<Scalar>& correlation, const Relaxed& relaxed,
                        CovarianceScaling scaling, Planning planning) {
    if (relaxed.block_size == 0 || relaxed.block_size == correlation.cols()) {
      return Form(std::in_place_type<UngroupedRelaxed<Scalar>>, correlation, relaxed.exponent,
                  scaling, planning);
    }
    return Form(std::in_place_type<GroupedRelaxed<Scalar>>, correlation, relaxed.block_size,
                relaxed.exponent, scaling, planning);
  }

  Form form_;
};

// The form for a public options type. ExactRoute stands for Exact with its route chosen by the
// caller, for tests and benchmarks.
template <class Scalar>
RelaxedRegularizer<Scalar> make_regularizer(const Relaxed& relaxed,
                                            const Correlation<Scalar>& correlation,
                                            CovarianceScaling scaling, const Execution& execution) {
  return {correlation, relaxed, scaling, execution.planning};
}
template <class Scalar>
ExactRegularizer<Scalar> make_regularizer(ExactRoute route, const Correlation<Scalar>& correlation,
                                          CovarianceScaling scaling, const Execution&) {
  return {correlation, scaling, route};
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
  return {input, standardization, relaxed.permutation,
          name == ViewName::a ? relaxed.signs_a : relaxed.signs_b};
}
template <class Scalar, class ExactLike>
PreparedView<Scalar> make_view(const ExactLike&, ViewName, const InputRows<Scalar>& input,
                               const Standardization<Scalar>& standardization) {
  return {input, standardization, std::vector<Index>(), std::vector<std::int8_t>()};
}

// Phase 2 over a whole matrix: the value of R.
template <class Regularizer, class Sum>
Sum correlate(Regularizer& regularizer, Index rows, Sum gradient_weight) {
  for_each_chunk(rows, regularizer.chunk_rows(),
                 [&](Index first, Index last) { regularizer.accumulate(first, last); });
  return regularizer.finish(gradient_weight);
}

// Phase 3 over a whole matrix: the gradient with respect to the standardized rows.
template <class Regularizer>
void differentiate(Regularizer& regularizer, Index rows) {
  for_each_chunk(rows, regularizer.chunk_rows(),
                 [&](Index first, Index last) { regularizer.gradient(first, last); });
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZER_HPP_
