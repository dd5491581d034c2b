#include "kernels.hpp"

#include <Eigen/Core>
#include <cstdint>
#include <type_traits>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/losses.hpp"
#include "decorr/detail/call/memory_layout.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/losses.hpp"

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

using detail::Call;
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
  explicit Target(const Matrix& matrix) : matrix_(matrix) {
    if (matrix && !in_place()) {
      workspace_ = detail::Buffer<Scalar>(matrix.rows() * matrix.cols());
    }
  }
  detail::OutputRows<Scalar> rows() {
    if (!matrix_) return {};
    if (in_place()) {
      return {static_cast<Scalar*>(matrix_.data()), matrix_.rows(), matrix_.cols(),
              matrix_.row_stride(), matrix_.col_stride()};
    }
    return {workspace_.data(), matrix_.rows(), matrix_.cols(), matrix_.cols(), 1};
  }
  void commit() {
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

// Calls body(a zero of the computing scalar).
template <class Body>
auto with_scalar(const Matrix& matrix, Body&& body) {
  return matrix.computes_in_double() ? body(double{}) : body(float{});
}

// Calls body(the regularizer, of its own type).
template <class Body>
auto with_regularizer(const Relaxed* relaxed, Body&& body) {
  return relaxed == nullptr ? body(Exact{}) : body(*relaxed);
}

void check_gradients(const Call& call, const detail::ViewNames& names, const Views& views) {
  if (views.grad_a) {
    detail::check_gradients(call, names, views.a, views.b, views.grad_a, views.grad_b);
  }
}

// run(rows of a, rows of b, gradient rows of a, of b), the gradients empty for a value alone.
template <class Scalar, class Run>
auto run_two_views(const Views& views, const Run& run) {
  Target<Scalar> target_a(views.grad_a), target_b(views.grad_b);
  const auto result = run(input_rows<Scalar>(views.a), input_rows<Scalar>(views.b), target_a.rows(),
                          target_b.rows());
  target_a.commit();
  target_b.commit();
  return result;
}

decorr_barlow_twins_terms barlow_twins_loss(const Views& views, const BarlowTwinsOptions& options,
                                            const Relaxed* relaxed, const Execution& execution) {
  return with_regularizer(relaxed, [&](const auto& regularizer) {
    check_gradients(detail::check_barlow_twins(views.a, views.b, options, regularizer, execution),
                    detail::kLossNames, views);
    return with_scalar(views.a, [&](auto zero) -> decorr_barlow_twins_terms {
      using Scalar = decltype(zero);
      const auto loss = run_two_views<Scalar>(
          views, detail::barlow_twins_runner<Scalar>(options, regularizer, execution));
      return {sizeof(decorr_barlow_twins_terms), loss.value, loss.diagonal, loss.off_diagonal};
    });
  });
}

decorr_vicreg_terms vicreg_loss(const Views& views, const VicregOptions& options,
                                const Relaxed* relaxed, const Execution& execution) {
  return with_regularizer(relaxed, [&](const auto& regularizer) {
    check_gradients(detail::check_loss("vicreg_loss", detail::kLossNames, views.a, views.b, 2,
                                       options, regularizer, execution),
                    detail::kLossNames, views);
    return with_scalar(views.a, [&](auto zero) -> decorr_vicreg_terms {
      using Scalar = decltype(zero);
      const auto loss = run_two_views<Scalar>(
          views, detail::vicreg_runner<Scalar>(options, regularizer, execution));
      return {sizeof(decorr_vicreg_terms), loss.value, loss.invariance, loss.variance,
              loss.covariance};
    });
  });
}

decorr_variance_covariance_terms variance_covariance_loss(const Views& views,
                                                          const VicregOptions& options,
                                                          const Relaxed* relaxed,
                                                          const Execution& execution) {
  return with_regularizer(relaxed, [&](const auto& regularizer) {
    const Call call = detail::check_loss("variance_covariance_loss", detail::kSingleNames, views.a,
                                         views.a, 2, options, regularizer, execution);
    if (views.grad_a) detail::check_gradient(call, detail::kSingleNames, views.a, views.grad_a);
    return with_scalar(views.a, [&](auto zero) -> decorr_variance_covariance_terms {
      using Scalar = decltype(zero);
      Target<Scalar> target(views.grad_a);
      const auto loss = detail::variance_covariance_runner<Scalar>(options, regularizer, execution)(
          input_rows<Scalar>(views.a), target.rows());
      target.commit();
      return {sizeof(decorr_variance_covariance_terms), loss.value, loss.variance, loss.covariance};
    });
  });
}

double r_sum(const Views& views, const Relaxed* relaxed, const Execution& execution) {
  const char* const function = relaxed == nullptr ? "r_off" : "r_sum";
  return with_regularizer(relaxed, [&](const auto& regularizer) {
    check_gradients(detail::check_bare(function, views.a, views.b, regularizer, execution),
                    detail::kRegularizerNames, views);
    return with_scalar(views.a, [&](auto zero) -> double {
      using Scalar = decltype(zero);
      return run_two_views<Scalar>(views, [&](const auto&... rows) {
        return detail::bare<Scalar>(rows..., regularizer, execution);
      });
    });
  });
}

void sumvec(const Views& views, const Matrix& lags, const Execution& execution) {
  const Call call = detail::check_bare("sumvec", views.a, views.b, Exact{}, execution);
  call.check_distinct("lags", memory_layout(lags));
  call.check_separate("lags", memory_layout(lags), "a", memory_layout(views.a));
  call.check_separate("lags", memory_layout(lags), "b", memory_layout(views.b));
  with_scalar(views.a, [&](auto zero) {
    using Scalar = decltype(zero);
    const auto sums =
        detail::lag_sums(input_rows<Scalar>(views.a), input_rows<Scalar>(views.b), execution);
    with_elements<Scalar>(lags, [&](auto* data) {
      detail::copy_strided(sums.data(), Index{1}, Index{1}, data, lags.row_stride(),
                           lags.col_stride(), lags.rows(), Index{1});
    });
  });
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
