#ifndef DECORR_DETAIL_CALL_VIEWS_CALL_HPP_
#define DECORR_DETAIL_CALL_VIEWS_CALL_HPP_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// As checked_call.hpp, of any number of views. The matrices are an object with
//
//   arguments()     their shapes and places, for the checks
//   prepare(arena)  what may fail, once they are checked
//   rows()          the rows of each view and of its gradient, once they are prepared
//   commit()        to the gradients what went to a workspace
//
// and ViewContainers of view_containers.hpp is one.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Of each view, and of its gradient where gradients are given at all. A view that is not given is a
// null pointer, and a gradient that is not one that nobody wants.
struct ViewArguments {
  std::vector<MatrixArgument> views, gradients;
  bool has_gradients = false;

  // Without any view, none.
  Index rows() const noexcept { return views.empty() ? 0 : views[0].rows; }
  Index features() const noexcept { return views.empty() ? 0 : views[0].cols; }
};

DECORR_DETAIL_COLD inline std::string element_name(const char* container, std::size_t position) {
  return std::string(container) + "[" + decimal(static_cast<long long>(position)) + "]";
}

class ViewChecks {
 public:
  ViewChecks(const char* function, const ViewArguments& matrices)
      : checks_(function), matrices_(matrices) {}

  DECORR_DETAIL_COLD void check_inputs(Index least_rows) const {
    const std::size_t count = matrices_.views.size();
    if (count < 2) {
      checks_.fail("views", " has ", count, count == 1 ? " entry" : " entries",
                   ", expected at least 2");
    }
    for (std::size_t v = 0; v < count; ++v) {
      const MatrixArgument &view = matrices_.views[v], &model = matrices_.views[0];
      const std::string name = element_name("views", v);
      if (!view.is_given) {
        checks_.fail(name.c_str(), " is null");
      }
      if (v == 0) {
        checks_.check_not_empty(name.c_str(), view.rows, view.cols, least_rows);
      } else {
        checks_.check_shape(name.c_str(), view.rows, view.cols, "views[0]", model.rows, model.cols);
      }
    }
  }

  DECORR_DETAIL_COLD void check_gradients() const {
    const std::size_t count = matrices_.gradients.size();
    if (!matrices_.has_gradients) {
      return;
    }
    if (count != matrices_.views.size()) {
      checks_.fail("gradients", " has ", count, count == 1 ? " entry" : " entries", ", views has ",
                   matrices_.views.size());
    }
    for_each_gradient([&](std::size_t v, const char* name, const MatrixArgument& gradient) {
      const MatrixArgument& view = matrices_.views[v];
      checks_.check_shape(name, gradient.rows, gradient.cols, element_name("views", v).c_str(),
                          view.rows, view.cols);
    });
    for_each_gradient([&](std::size_t, const char* name, const MatrixArgument& gradient) {
      checks_.check_distinct(name, gradient.memory);
    });
    for_each_gradient([&](std::size_t v, const char* name, const MatrixArgument& gradient) {
      check_separate(name, gradient, "views", matrices_.views, count);
      check_separate(name, gradient, "gradients", matrices_.gradients, v);
    });
  }

 private:
  template <class Body>
  void for_each_gradient(const Body& body) const {
    for (std::size_t v = 0; v < matrices_.gradients.size(); ++v) {
      if (matrices_.gradients[v].is_given) {
        body(v, element_name("gradients", v).c_str(), matrices_.gradients[v]);
      }
    }
  }
  // From the first `count` of them.
  void check_separate(const char* name, const MatrixArgument& gradient, const char* others_name,
                      const std::vector<MatrixArgument>& others, std::size_t count) const {
    for (std::size_t v = 0; v < count; ++v) {
      // Of many pairs few have to be told by a name.
      if (others[v].is_given && overlap(gradient.memory, others[v].memory)) {
        checks_.check_separate(name, gradient.memory, element_name(others_name, v).c_str(),
                               others[v].memory);
      }
    }
  }

  ArgumentChecks checks_;
  const ViewArguments& matrices_;
};

// Views differ in their number, in how they are combined, and in which of them have gradients.
DECORR_DETAIL_COLD inline MatricesDigest digest_of(const ViewArguments& matrices,
                                                   ViewCombination combination) {
  auto code = static_cast<unsigned>(combination);
  for (const MatrixArgument& gradient : matrices.gradients) {
    code = 31 * code + (gradient.is_given ? 2 : 1);
  }
  code = 31 * code + static_cast<unsigned>(matrices.views.size());
  return {"the views, their combination or which gradients are asked for", static_cast<int>(code),
          matrices.rows(), matrices.features()};
}

// Loss is VicregOfViews or BarlowTwinsOfViews.
template <class Loss, class Matrices>
typename Loss::Result checked_views_call(const char* function, Matrices& matrices,
                                         ViewCombination combination,
                                         const typename Loss::Options& options,
                                         const Regularizer& regularizer,
                                         const Execution& execution) {
  using Scalar = typename Matrices::Scalar;
  const Signature names{function, "views[0]", nullptr, nullptr, nullptr, Loss::least_rows(options)};
  ViewArguments arguments;
  Arena arena;
  std::optional<Processes<Scalar>> processes;
  BatchOfViews<Scalar> batch{arena, {}, combination, execution, nullptr};
  const auto prepare = [&] {
    arguments = matrices.arguments();
    const ViewChecks checks(function, arguments);
    checks.check_inputs(execution.communicator == nullptr ? names.least_rows : 0);
    ArgumentChecks(function).check(combination);
    check_settings(ArgumentChecks(function), options, regularizer, arguments.features(), true,
                   execution);
    checks.check_gradients();
    matrices.prepare(arena);
    batch.views = matrices.rows();
  };
  if (execution.communicator != nullptr) {
    processes.emplace(*execution.communicator, function);
    processes->attempt([&] {
      prepare();
      processes->reserve(arena, most_sums<Scalar>(arguments.features(), regularizer));
    });
    agree(*processes, names, digest_of(arguments, combination), options, regularizer);
    batch.processes = &*processes;
  } else {
    prepare();
  }
  const typename Loss::Result result = Loss::loss(batch, options, regularizer);
  matrices.commit();
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_VIEWS_CALL_HPP_
