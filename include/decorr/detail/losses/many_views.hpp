#ifndef DECORR_DETAIL_LOSSES_MANY_VIEWS_HPP_
#define DECORR_DETAIL_LOSSES_MANY_VIEWS_HPP_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar>
DECORR_DETAIL_NOINLINE void add_multiple(Scalar factor, const Scalar* numbers, Index count,
                                         Scalar* to) noexcept {
  for (Index j = 0; j < count; ++j) {
    to[j] += factor * numbers[j];
  }
}

template <class Scalar>
struct ViewRows {
  InputRows<Scalar> view;
  OutputRows<Scalar> gradient;  // none where no gradient is asked for
};

// As Batch, of any number of views of the same samples: two at least.
template <class Scalar>
struct BatchOfViews {
  using Sum = Accumulator<Scalar>;

  Arena& arena;
  std::vector<ViewRows<Scalar>> views;
  ViewCombination combination;
  Execution execution;
  Processes<Scalar>* processes;  // that hold the batch together; null where this one does

  std::size_t size() const noexcept { return views.size(); }
  Index rows() const noexcept { return views[0].view.rows(); }
  Index features() const noexcept { return views[0].view.cols(); }
  // Rows of the whole batch.
  Index count() const noexcept { return processes == nullptr ? rows() : processes->count(); }
  bool has_gradient() const noexcept {
    return std::any_of(views.begin(), views.end(), [](const ViewRows<Scalar>& each) {
      return static_cast<bool>(each.gradient);
    });
  }

  // One or two of the views, or what stands for one, with memory of their own or of this one.
  Batch<Scalar> of(Arena& memory, const BatchRows<Scalar>& some) const {
    Batch<Scalar> batch{memory, some, execution};
    batch.processes = processes;
    return batch;
  }

  // Does what may fail.
  template <class Body>
  void attempt(const Body& body) const {
    detail::attempt(processes, body);
  }
  // Ends the call on all processes if an attempt has failed on any.
  void agree() const {
    Sum none = 0;
    sum(none);
  }
  // A number of the whole batch, from that of this process's rows.
  void sum(Sum& number) const {
    if (processes != nullptr) {
      processes->sum(1, [&](Sum* to) { *to = number; }, [&](const Sum* from) { number = *from; });
    }
  }
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_MANY_VIEWS_HPP_
