#ifndef DECORR_DETAIL_CALL_PARTS_CALL_HPP_
#define DECORR_DETAIL_CALL_PARTS_CALL_HPP_

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/losses/parts.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// A call whose rows come in parts, whatever its matrices are; see checked_call.hpp.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class Scalar, class FirstPass>
class PartsCall {
 public:
  using Options = typename FirstPass::Options;
  using Result = typename FirstPass::Result;

  PartsCall(const char* function, Index features, const Options& options,
            const Regularizer& regularizer, const Execution& execution, bool wants_a, bool wants_b)
      : signature_(signature_of<FirstPass>(function, options)),
        features_(features),
        state_(make_state(features, options, regularizer, execution, wants_a, wants_b)) {
    attempt([&] {
      const ArgumentChecks checks(signature_.function);
      if (features < 1) {
        checks.fail("features", " is ", features, ", expected at least 1");
      }
      if (wants_b && !FirstPass::kHasTwoViews) {
        checks.fail("gradients", " are of b, and there is one view, a");
      }
      check_settings(checks, options, regularizer, features, FirstPass::kHasTwoViews, execution);
      if (state_->processes) {
        state_->processes->reserve(state_->loss.arena(), most_sums<Scalar>(features, regularizer));
      }
      state_->loss.start(regularizer);
    });
  }

  // Not any more after an end_pass() that has failed, so that a loop over passes ends.
  bool has_pass() const noexcept {
    return state_ != nullptr && !state_->has_failed && state_->loss.has_pass();
  }

  template <class Matrices>
  void add(Matrices& matrices) {
    check_pass("add");
    attempt([&] {
      check_part(matrices.arguments());
      Arena arena;
      matrices.prepare(arena);
      state_->loss.add(matrices.rows());
    });
  }

  // Of several processes none fails alone, and not before the next sum.
  template <class Body>
  void attempt(const Body& body) const {
    state_->loss.batch().attempt(body);
  }

  void end_pass() {
    check_pass("end_pass");
    auto& loss = state_->loss;
    state_->has_failed = true;  // unless it comes to the end
    attempt([&] {
      if (!loss.has_same_rows()) {
        misused("end_pass", loss.rows_of_pass() == loss.rows_of_first_pass()
                                ? "the rows are not those of the first pass: as many, with other "
                                  "values"
                                : "the rows are not those of the first pass, which has " +
                                      decimal(loss.rows_of_first_pass()) + ", this one " +
                                      decimal(loss.rows_of_pass()));
      }
    });
    if (loss.is_first_pass()) {
      count_ = agree_on_count();
    }
    loss.end_pass(count_);
    state_->has_failed = false;
  }

  Index count() const noexcept { return count_; }

  const Result& loss() const {
    check_alive("loss");
    if (!state_->loss.result()) {
      misused("loss",
              "the passes that it needs have not ended; call add() and end_pass() while "
              "has_pass()");
    }
    return *state_->loss.result();
  }

  template <class Matrices>
  void gradient(Matrices& matrices) {
    check_alive("gradient");
    if (has_pass()) {
      misused("gradient", "passes have not ended; call add() and end_pass() while has_pass()");
    }
    const MatrixArguments arguments = matrices.arguments();
    if (state_->loss.wants_gradient_a() != arguments.gradient_a.is_given ||
        state_->loss.wants_gradient_b() != arguments.gradient_b.is_given) {
      misused("gradient", "the gradients are not those that the constructor was asked for");
    }
    check_part(arguments);
    if (!arguments.gradient_a.is_given && !arguments.gradient_b.is_given) {
      return;
    }
    Arena arena;
    matrices.prepare(arena);
    state_->loss.gradient(matrices.rows());
    matrices.commit();
  }

 private:
  struct State {
    State(const Signature& signature, Index features, const Options& options,
          const Execution& execution, bool wants_a, bool wants_b)
        : processes(processes_of(signature, execution)),
          loss(features, options, execution, wants_a, wants_b, processes ? &*processes : nullptr) {}

    static std::optional<Processes<Scalar>> processes_of(const Signature& signature,
                                                         const Execution& execution) {
      if (execution.communicator == nullptr) {
        return std::nullopt;
      }
      return Processes<Scalar>(*execution.communicator, signature.function);
    }

    std::optional<Processes<Scalar>> processes;
    BatchInParts<Scalar, FirstPass> loss;
    bool has_failed = false;
  };

  // Without it there is nothing to fail later: of several processes the others hear of it now.
  DECORR_DETAIL_COLD std::unique_ptr<State> make_state(Index features, const Options& options,
                                                       const Regularizer& regularizer,
                                                       const Execution& execution, bool wants_a,
                                                       bool wants_b) const {
    try {
      return std::make_unique<State>(signature_, features, options, execution, wants_a, wants_b);
    } catch (...) {
      if (std::optional<Processes<Scalar>> processes = State::processes_of(signature_, execution)) {
        processes->attempt([] { throw; });
        agree(*processes, signature_, MatrixArguments(), options, regularizer);
      }
      throw;
    }
  }

  // Throws on all processes where one has failed, or is given other settings.
  Index agree_on_count() {
    const Index rows = state_->loss.rows_of_pass();
    const ArgumentChecks checks(signature_.function);
    if (!state_->processes) {
      checks.check_not_empty(signature_.a, rows, features_, signature_.least_rows);
      return rows;
    }
    MatrixArguments matrices;
    matrices.a = {true, rows, features_, {}};
    matrices.gradient_a.is_given = state_->loss.wants_gradient_a();
    matrices.gradient_b.is_given = state_->loss.wants_gradient_b();
    agree(*state_->processes, signature_, matrices, state_->loss.options(), state_->loss.choice());
    return state_->processes->count();
  }

  void check_part(const MatrixArguments& matrices) const {
    const ArgumentChecks checks(signature_.function);
    if (matrices.a.cols != features_) {
      checks.fail(signature_.a, " has ", matrices.a.cols, " columns, expected ", features_,
                  ", the batch's features");
    }
    Signature names = signature_;
    names.least_rows = 0;
    checks.check_inputs(names, matrices);
    checks.check_gradients(names, matrices);
  }

  void check_alive(const char* function) const {
    if (state_ == nullptr) {
      misused(function, "the batch has been moved away");
    }
    if (state_->has_failed) {
      misused(function, "an end_pass() has failed, and the batch with it");
    }
  }
  void check_pass(const char* function) const {
    check_alive(function);
    if (!has_pass()) {
      misused(function, "all passes have ended");
    }
  }

  [[noreturn]] void misused(const char* function, const std::string& text) const {
    throw std::logic_error(std::string(signature_.function) + "::" + function + ": " + text);
  }

  Signature signature_;
  Index features_, count_ = 0;
  std::unique_ptr<State> state_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_PARTS_CALL_HPP_
