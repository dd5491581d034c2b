#ifndef DECORR_DETAIL_CALL_CHECKED_CALL_HPP_
#define DECORR_DETAIL_CALL_CHECKED_CALL_HPP_

#include <optional>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/losses/passes.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// A call whatever its matrices are, of Eigen's types or of element types known at run time. They
// are an object with
//
//   arguments()     their shapes and places, for the checks
//   prepare(arena)  what may fail, once they are checked
//   rows()          the rows, once they are prepared
//   commit()        to the matrices what went to a workspace
//
// and CallMatrices of call_matrices.hpp is one.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The loss, by loss_of().
template <class FirstPass, class Matrices, class Options>
auto checked_call(const char* function, Matrices& matrices, const Options& options,
                  const Regularizer& regularizer, const Execution& execution) {
  using Scalar = typename Matrices::Scalar;
  const Signature signature = signature_of<FirstPass>(function, options);
  MatrixArguments arguments;
  Arena arena;
  std::optional<Processes<Scalar>> processes;
  const auto prepare = [&] {
    arguments = matrices.arguments();
    check_arguments(signature, arguments, options, regularizer, execution);
    matrices.prepare(arena);
  };
  if (execution.communicator != nullptr) {
    processes.emplace(*execution.communicator, function);
    processes->attempt([&] {
      prepare();
      processes->reserve(arena, most_sums<Scalar>(arguments.a.cols, regularizer));
    });
    agree(*processes, signature, arguments, options, regularizer);
  } else {
    prepare();
  }
  Batch<Scalar> batch{arena, matrices.rows(), execution};
  batch.processes = processes ? &*processes : nullptr;
  typename FirstPass::Result result =
      loss_of<FirstPass>(static_cast<const Batch<Scalar>&>(batch), options, regularizer);
  matrices.commit();
  return result;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_CHECKED_CALL_HPP_
