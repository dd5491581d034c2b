#include "kernels.hpp"

#include <Eigen/Core>
#include <cstdint>
#include <type_traits>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/losses/barlow_twins.hpp"
#include "decorr/detail/losses/batch.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/detail/losses/vicreg.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

// The one file of the C interface that knows decorr's internals: from matrices whose element type
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
  return {true, matrix.rows(), matrix.cols(), memory_layout(matrix)};
}
detail::MatrixArguments arguments(const Views& views) {
  return {argument(views.a), argument(views.b), argument(views.grad_a), argument(views.grad_b)};
}

Regularizer regularizer_of(const Relaxed* relaxed) {
  return relaxed == nullptr ? Regularizer() : Regularizer(*relaxed);
}

// compute(batch) in the scalar of the views, whose arguments have been checked.
template <class Compute>
auto evaluate(const Views& views, const Execution& execution, const Compute& compute) {
  const auto in = [&](auto zero) {
    using Scalar = decltype(zero);
    detail::Arena arena;
    Target<Scalar> target_a(arena, views.grad_a), target_b(arena, views.grad_b);
    const auto rows_b = views.b ? input_rows<Scalar>(views.b) : detail::InputRows<Scalar>();
    const detail::Batch<Scalar> batch{
        arena, {input_rows<Scalar>(views.a), rows_b, target_a.rows(), target_b.rows()}, execution};
    const auto result = compute(batch);
    target_a.commit();
    target_b.commit();
    return result;
  };
  return views.a.computes_in_double() ? in(double{}) : in(float{});
}

decorr_barlow_twins_terms barlow_twins_loss(const Views& views, const BarlowTwinsOptions& options,
                                            const Relaxed* relaxed, const Execution& execution) {
  const Regularizer regularizer = regularizer_of(relaxed);
  detail::check_arguments(detail::loss_signature("barlow_twins_loss", options.standardize ? 2 : 1),
                          arguments(views), options, regularizer, execution);
  return evaluate(views, execution, [&](const auto& batch) -> decorr_barlow_twins_terms {
    const auto loss = detail::barlow_twins(batch, options, regularizer);
    return {sizeof(decorr_barlow_twins_terms), loss.value, loss.diagonal, loss.off_diagonal};
  });
}

decorr_vicreg_terms vicreg_loss(const Views& views, const VicregOptions& options,
                                const Relaxed* relaxed, const Execution& execution) {
  const Regularizer regularizer = regularizer_of(relaxed);
  detail::check_arguments(detail::loss_signature("vicreg_loss", 2), arguments(views), options,
                          regularizer, execution);
  return evaluate(views, execution, [&](const auto& batch) -> decorr_vicreg_terms {
    const auto loss = detail::vicreg(batch, options, regularizer);
    return {sizeof(decorr_vicreg_terms), loss.value, loss.invariance, loss.variance,
            loss.covariance};
  });
}

decorr_variance_covariance_terms variance_covariance_loss(const Views& views,
                                                          const VicregOptions& options,
                                                          const Relaxed* relaxed,
                                                          const Execution& execution) {
  const Regularizer regularizer = regularizer_of(relaxed);
  detail::check_arguments(detail::one_view_signature("variance_covariance_loss", 2),
                          arguments(views), options, regularizer, execution);
  return evaluate(views, execution, [&](const auto& batch) -> decorr_variance_covariance_terms {
    const auto loss = detail::variance_covariance(batch, options, regularizer);
    return {sizeof(decorr_variance_covariance_terms), loss.value, loss.variance, loss.covariance};
  });
}

double r_sum(const Views& views, const Relaxed* relaxed, const Execution& execution) {
  const Regularizer regularizer = regularizer_of(relaxed);
  detail::check_arguments(detail::regularizer_signature(relaxed == nullptr ? "r_off" : "r_sum"),
                          arguments(views), detail::NoOptions(), regularizer, execution);
  return evaluate(views, execution, [&](const auto& batch) -> double {
    return detail::regularizer_alone(batch, regularizer);
  });
}

template <class Scalar>
int write_lag_sums(const detail::Batch<Scalar>& batch, const Matrix& lags) {
  detail::Buffer<Scalar> sums(batch.arena, batch.rows.features());
  detail::lag_sums(batch, sums.data());
  with_elements<Scalar>(lags, [&](auto* data) {
    detail::copy_strided(sums.data(), Index{1}, Index{1}, data, lags.row_stride(),
                         lags.col_stride(), lags.rows(), Index{1});
  });
  return 0;
}

void sumvec(const Views& views, const Matrix& lags, const Execution& execution) {
  detail::check_arguments(detail::regularizer_signature("sumvec"), arguments(views),
                          detail::NoOptions(), Regularizer(), execution);
  const detail::ArgumentChecks checks("sumvec");
  checks.check_distinct("lags", memory_layout(lags));
  checks.check_separate("lags", memory_layout(lags), "a", memory_layout(views.a));
  checks.check_separate("lags", memory_layout(lags), "b", memory_layout(views.b));
  evaluate(views, execution, [&](const auto& batch) { return write_lag_sums(batch, lags); });
}

#if defined(__AVX512F__)
constexpr const char* kProcessor = "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
constexpr const char* kProcessor = "avx2";
#else
constexpr const char* kProcessor = "baseline";
#endif

constexpr Kernels kKernels{
    kProcessor, &barlow_twins_loss, &vicreg_loss, &variance_covariance_loss, &r_sum, &sumvec};

}  // namespace

#if !defined(DECORR_C_KERNELS)
#define DECORR_C_KERNELS baseline_kernels
#endif
const Kernels& DECORR_C_KERNELS() { return kKernels; }

}  // namespace c
}  // namespace decorr
