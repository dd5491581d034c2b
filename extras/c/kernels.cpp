#include "kernels.hpp"

#include <Eigen/Core>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/checked_call.hpp"
#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/call/parts_call.hpp"
#include "decorr/detail/call/views_call.hpp"
#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/barlow_twins_of_views.hpp"
#include "decorr/detail/losses/many_views.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/detail/losses/vicreg_of_views.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"
#include "decorr/results.hpp"

// The file of the C interface that computes by decorr's internals: from matrices whose element type
// is known at run time to rows, past the same checks as those of the C++ functions. What is defined
// here is this file's own, so that each of its compilations keeps its copy.

namespace decorr {
namespace c {

// Where decorr's own checks find it.
static detail::MemoryLayout memory_layout(const Matrix& matrix) {
  detail::MemoryLayout layout;
  layout.first = reinterpret_cast<std::uintptr_t>(matrix.data());
  layout.element = matrix.element_size();
  layout.rows = matrix.rows();
  layout.cols = matrix.cols();
  layout.row_stride = matrix.row_stride();
  layout.col_stride = matrix.col_stride();
  return layout;
}

namespace {

using detail::Index;

// Calls body with a pointer to the elements, one of those that are computed in Scalar.
template <class Scalar, class Body>
auto with_elements(const Matrix& matrix, Body&& body) {
  if constexpr (std::is_same<Scalar, float>::value) {
    switch (matrix.type()) {
      case ElementType::float16:
        return body(static_cast<Eigen::half*>(matrix.data()));
      case ElementType::bfloat16:
        return body(static_cast<Eigen::bfloat16*>(matrix.data()));
      default:
        break;
    }
  }
  return body(static_cast<Scalar*>(matrix.data()));
}

template <class Scalar>
detail::InputRows<Scalar> input_rows(const Matrix& matrix) {
  return with_elements<Scalar>(matrix, [&](const auto* data) {
    return detail::InputRows<Scalar>(data, matrix.rows(), matrix.cols(), matrix.row_stride(),
                                     matrix.col_stride());
  });
}

// As detail::GradientTarget, with an element type known at run time; possibly none.
template <class Scalar>
class Target {
 public:
  Target(detail::Arena& arena, const Matrix& matrix) : matrix_(matrix) {
    if (matrix && !in_place()) {
      workspace_ = detail::Buffer<Scalar>(arena, matrix.rows() * matrix.cols());
    }
  }
  detail::OutputRows<Scalar> rows() noexcept {
    if (!matrix_) return {};
    if (in_place()) {
      return {static_cast<Scalar*>(matrix_.data()), matrix_.cols(), matrix_.row_stride(),
              matrix_.col_stride()};
    }
    return {workspace_.data(), matrix_.cols(), matrix_.cols(), 1};
  }
  void commit() noexcept {
    if (!workspace_) return;
    with_elements<Scalar>(matrix_, [&](auto* data) {
      detail::copy_strided(workspace_.data(), matrix_.cols(), Index{1}, data, matrix_.row_stride(),
                           matrix_.col_stride(), matrix_.rows(), matrix_.cols());
    });
  }

 private:
  bool in_place() const { return matrix_.element_size() == static_cast<Index>(sizeof(Scalar)); }

  const Matrix& matrix_;
  detail::Buffer<Scalar> workspace_;
};

detail::MatrixArgument argument(const Matrix& matrix) {
  if (!matrix) return {};
  return {true, matrix.rows(), matrix.cols(),
          matrix.rows() > 0 ? memory_layout(matrix) : detail::MemoryLayout()};
}

// As detail::CallMatrices, of element types known at run time.
template <class ComputeScalar>
class ViewMatrices {
 public:
  using Scalar = ComputeScalar;

  explicit ViewMatrices(const Views& views) : views_(views) {}

  detail::MatrixArguments arguments() const {
    return {argument(views_.a), argument(views_.b), argument(views_.grad_a),
            argument(views_.grad_b)};
  }
  void prepare(detail::Arena& arena) {
    target_a_.emplace(arena, views_.grad_a);
    target_b_.emplace(arena, views_.grad_b);
  }
  detail::BatchRows<Scalar> rows() noexcept {
    return {input_rows<Scalar>(views_.a),
            views_.b ? input_rows<Scalar>(views_.b) : detail::InputRows<Scalar>(),
            target_a_->rows(), target_b_->rows()};
  }
  void commit() noexcept {
    target_a_->commit();
    target_b_->commit();
  }

 private:
  const Views& views_;
  std::optional<Target<Scalar>> target_a_, target_b_;
};

// As detail::ViewContainers.
template <class ComputeScalar>
class ManyViewMatrices {
 public:
  using Scalar = ComputeScalar;

  explicit ManyViewMatrices(const ManyViews& matrices) : matrices_(matrices) {}

  detail::ViewArguments arguments() const {
    detail::ViewArguments arguments;
    arguments.has_gradients = !matrices_.gradients.empty();
    for (const Matrix& view : matrices_.views) arguments.views.push_back(argument(view));
    for (const Matrix& each : matrices_.gradients) arguments.gradients.push_back(argument(each));
    return arguments;
  }
  void prepare(detail::Arena& arena) {
    targets_.reserve(matrices_.gradients.size());
    for (const Matrix& gradient : matrices_.gradients) targets_.emplace_back(arena, gradient);
  }
  std::vector<detail::ViewRows<Scalar>> rows() {
    std::vector<detail::ViewRows<Scalar>> rows(matrices_.views.size());
    for (std::size_t v = 0; v < rows.size(); ++v) {
      rows[v].view = input_rows<Scalar>(matrices_.views[v]);
      if (v < targets_.size()) rows[v].gradient = targets_[v].rows();
    }
    return rows;
  }
  void commit() noexcept {
    for (Target<Scalar>& target : targets_) target.commit();
  }

 private:
  const ManyViews& matrices_;
  std::vector<Target<Scalar>> targets_;
};

Regularizer regularizer_of(const Relaxed* relaxed) {
  return relaxed == nullptr ? Regularizer() : Regularizer(*relaxed);
}

// ---- Results as the interface has them; sumvec as it is.

template <class Scalar>
decorr_barlow_twins_terms to_c(const BarlowTwinsLoss<Scalar>& loss) {
  return {sizeof(decorr_barlow_twins_terms), loss.value, loss.diagonal, loss.off_diagonal};
}
template <class Scalar>
decorr_vicreg_terms to_c(const VicregLoss<Scalar>& loss) {
  return {sizeof(decorr_vicreg_terms), loss.value, loss.invariance, loss.variance, loss.covariance};
}
template <class Scalar>
decorr_variance_covariance_terms to_c(const VarianceCovarianceLoss<Scalar>& loss) {
  return {sizeof(decorr_variance_covariance_terms), loss.value, loss.variance, loss.covariance};
}
double to_c(double value) { return value; }

template <class Scalar>
void write_lags(const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>& from, const Matrix& lags) {
  with_elements<Scalar>(lags, [&](auto* data) {
    detail::copy_strided(from.data(), Index{1}, Index{1}, data, lags.row_stride(),
                         lags.col_stride(), lags.rows(), Index{1});
  });
}

// ---- Whole batches. What happens with the result is up to `take`.

template <template <class> class FirstPass, class Options, class Take>
auto evaluate(const char* function, const Views& views, const Options& options,
              const Regularizer& regularizer, const Execution& execution, const Take& take) {
  const auto in = [&](auto zero) {
    ViewMatrices<decltype(zero)> matrices(views);
    return take(detail::checked_call<FirstPass<decltype(zero)>>(function, matrices, options,
                                                                regularizer, execution));
  };
  return views.a.computes_in_double() ? in(double{}) : in(float{});
}
constexpr auto kToC = [](const auto& result) { return to_c(result); };

decorr_barlow_twins_terms barlow_twins_loss(const Views& views, const BarlowTwinsOptions& options,
                                            const Relaxed* relaxed, const Execution& execution) {
  return evaluate<detail::BarlowTwinsFirstPass>("barlow_twins_loss", views, options,
                                                regularizer_of(relaxed), execution, kToC);
}

decorr_vicreg_terms vicreg_loss(const Views& views, const VicregOptions& options,
                                const Relaxed* relaxed, const Execution& execution) {
  return evaluate<detail::VicregFirstPass>("vicreg_loss", views, options, regularizer_of(relaxed),
                                           execution, kToC);
}

decorr_variance_covariance_terms variance_covariance_loss(const Views& views,
                                                          const VicregOptions& options,
                                                          const Relaxed* relaxed,
                                                          const Execution& execution) {
  return evaluate<detail::VcregFirstPass>("variance_covariance_loss", views, options,
                                          regularizer_of(relaxed), execution, kToC);
}

template <template <class> class Loss, class Options>
auto evaluate_views(const char* function, const ManyViews& views, const Options& options,
                    const Relaxed* relaxed, const Execution& execution) {
  const auto in = [&](auto zero) {
    ManyViewMatrices<decltype(zero)> matrices(views);
    return to_c(detail::checked_views_call<Loss<decltype(zero)>>(
        function, matrices, views.combination, options, regularizer_of(relaxed), execution));
  };
  return views.views[0].computes_in_double() ? in(double{}) : in(float{});
}

decorr_barlow_twins_terms barlow_twins_loss_of_views(const ManyViews& views,
                                                     const BarlowTwinsOptions& options,
                                                     const Relaxed* relaxed,
                                                     const Execution& execution) {
  return evaluate_views<detail::BarlowTwinsOfViews>("barlow_twins_loss_of_views", views, options,
                                                    relaxed, execution);
}

decorr_vicreg_terms vicreg_loss_of_views(const ManyViews& views, const VicregOptions& options,
                                         const Relaxed* relaxed, const Execution& execution) {
  return evaluate_views<detail::VicregOfViews>("vicreg_loss_of_views", views, options, relaxed,
                                               execution);
}

double r_sum(const Views& views, const Relaxed* relaxed, const Execution& execution) {
  return evaluate<detail::RegularizerFirstPass>(relaxed == nullptr ? "r_off" : "r_sum", views,
                                                detail::NoOptions(), regularizer_of(relaxed),
                                                execution, kToC);
}

void sumvec(const Views& views, const Matrix& lags, const Execution& execution) {
  const detail::ArgumentChecks checks("sumvec");
  checks.check_distinct("lags", memory_layout(lags));
  for (const auto& [name, view] : {std::pair("a", &views.a), std::pair("b", &views.b)}) {
    if (view->rows() > 0) {
      checks.check_separate("lags", memory_layout(lags), name, memory_layout(*view));
    }
  }
  evaluate<detail::SumvecFirstPass>("sumvec", views, detail::NoOptions(),
                                    detail::relaxed_of_sumvec(), execution,
                                    [&](const auto& sums) { write_lags(sums, lags); });
}

// ---- Batches in parts

template <class Scalar, class FirstPass, class Base>
class PartsIn : public Base {
 public:
  PartsIn(const char* function, const PartsSetup& setup, const typename FirstPass::Options& options,
          const Regularizer& regularizer, const Execution& execution)
      : call_(function, setup.features, options, regularizer, execution, setup.wants_a,
              setup.wants_b) {}

  bool has_pass() const noexcept override { return call_.has_pass(); }
  void add(const Views& views) override {
    ViewMatrices<Scalar> matrices(views);
    call_.add(matrices);
  }
  void keep(const std::exception_ptr& failure) noexcept override {
    call_.attempt([&] { std::rethrow_exception(failure); });
  }
  void end_pass() override { call_.end_pass(); }
  std::ptrdiff_t count() const noexcept override { return call_.count(); }
  void gradient(const Views& views) override {
    ViewMatrices<Scalar> matrices(views);
    call_.gradient(matrices);
  }

 protected:
  const detail::PartsCall<Scalar, FirstPass>& call() const { return call_; }

 private:
  detail::PartsCall<Scalar, FirstPass> call_;
};

template <class Scalar, class FirstPass>
using TermsOf = decltype(to_c(std::declval<const typename FirstPass::Result&>()));
template <class Scalar, class FirstPass>
class PartsWithTerms final
    : public PartsIn<Scalar, FirstPass, PartsOf<TermsOf<Scalar, FirstPass>>> {
 public:
  using PartsIn<Scalar, FirstPass, PartsOf<TermsOf<Scalar, FirstPass>>>::PartsIn;
  TermsOf<Scalar, FirstPass> result() const override { return to_c(this->call().loss()); }
};
template <class Scalar>
class PartsWithLags final : public PartsIn<Scalar, detail::SumvecFirstPass<Scalar>, PartsOfSumvec> {
 public:
  using PartsIn<Scalar, detail::SumvecFirstPass<Scalar>, PartsOfSumvec>::PartsIn;
  void write(const Matrix& lags) const override {
    detail::ArgumentChecks("sumvec_batch_lags").check_distinct("lags", memory_layout(lags));
    write_lags(this->call().loss(), lags);
  }
};

template <template <class> class FirstPass, class Options>
auto parts_of(const char* function, const PartsSetup& setup, const Options& options,
              const Relaxed* relaxed, const Execution& execution) {
  using Terms = TermsOf<double, FirstPass<double>>;
  const auto in = [&](auto zero) -> PartsPointer<Terms> {
    using Scalar = decltype(zero);
    return std::make_unique<PartsWithTerms<Scalar, FirstPass<Scalar>>>(
        function, setup, options, regularizer_of(relaxed), execution);
  };
  return setup.computes_in_double ? in(double{}) : in(float{});
}

PartsPointer<decorr_barlow_twins_terms> barlow_twins_batch(const PartsSetup& setup,
                                                           const BarlowTwinsOptions& options,
                                                           const Relaxed* relaxed,
                                                           const Execution& execution) {
  return parts_of<detail::BarlowTwinsFirstPass>("barlow_twins_batch", setup, options, relaxed,
                                                execution);
}

PartsPointer<decorr_vicreg_terms> vicreg_batch(const PartsSetup& setup,
                                               const VicregOptions& options, const Relaxed* relaxed,
                                               const Execution& execution) {
  return parts_of<detail::VicregFirstPass>("vicreg_batch", setup, options, relaxed, execution);
}

PartsPointer<decorr_variance_covariance_terms> variance_covariance_batch(
    const PartsSetup& setup, const VicregOptions& options, const Relaxed* relaxed,
    const Execution& execution) {
  return parts_of<detail::VcregFirstPass>("variance_covariance_batch", setup, options, relaxed,
                                          execution);
}

PartsPointer<double> r_sum_batch(const PartsSetup& setup, const Relaxed* relaxed,
                                 const Execution& execution) {
  return parts_of<detail::RegularizerFirstPass>(relaxed == nullptr ? "r_off_batch" : "r_sum_batch",
                                                setup, detail::NoOptions(), relaxed, execution);
}

std::unique_ptr<PartsOfSumvec> sumvec_batch(const PartsSetup& setup, const Execution& execution) {
  const auto in = [&](auto zero) -> std::unique_ptr<PartsOfSumvec> {
    return std::make_unique<PartsWithLags<decltype(zero)>>(
        "sumvec_batch", setup, detail::NoOptions(), detail::relaxed_of_sumvec(), execution);
  };
  return setup.computes_in_double ? in(double{}) : in(float{});
}

#if defined(__AVX512F__)
constexpr const char* kProcessor = "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
constexpr const char* kProcessor = "avx2";
#else
constexpr const char* kProcessor = "baseline";
#endif

constexpr Kernels kKernels{kProcessor,
                           &barlow_twins_loss,
                           &vicreg_loss,
                           &variance_covariance_loss,
                           &barlow_twins_loss_of_views,
                           &vicreg_loss_of_views,
                           &r_sum,
                           &sumvec,
                           &barlow_twins_batch,
                           &vicreg_batch,
                           &variance_covariance_batch,
                           &r_sum_batch,
                           &sumvec_batch};

}  // namespace

#if !defined(DECORR_C_KERNELS)
#define DECORR_C_KERNELS baseline_kernels
#endif
const Kernels& DECORR_C_KERNELS() { return kKernels; }

}  // namespace c
}  // namespace decorr
