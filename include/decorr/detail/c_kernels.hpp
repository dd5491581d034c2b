#ifndef DECORR_DETAIL_C_KERNELS_HPP_
#define DECORR_DETAIL_C_KERNELS_HPP_

#include <Eigen/Core>
#include <type_traits>

#include "decorr/detail/call/argument_checks.hpp"
#include "decorr/detail/call/losses.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/losses.hpp"
#include "decorr/options.hpp"

// What the C interface computes with. Compiled once for each kind of processor, from files that the
// build generates, with Eigen under another name each time: the linker would otherwise keep one
// copy of Eigen's functions for all of them. Nothing here has Eigen's types in its interface, and
// all arguments have been checked.

namespace decorr {
namespace detail {

enum class ElementType { float32, float64, float16, bfloat16 };

inline bool computes_in_double(ElementType type) { return type == ElementType::float64; }

// A matrix whose element type is known at run time. Without data: no matrix.
class CMatrix {
 public:
  CMatrix() = default;
  // The stride of an extent of 1 counts for nothing and is replaced by that of a row-major matrix.
  CMatrix(void* data, ElementType type, Index rows, Index cols, Index row_stride, Index col_stride)
      : data_(data),
        type_(type),
        rows_(rows),
        cols_(cols),
        row_stride_(rows == 1 ? cols : row_stride),
        col_stride_(cols == 1 ? 1 : col_stride) {}

  explicit operator bool() const { return data_ != nullptr; }
  void* data() const { return data_; }
  ElementType type() const { return type_; }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Index row_stride() const { return row_stride_; }
  Index col_stride() const { return col_stride_; }
  Index element_size() const {
    return type_ == ElementType::float64 ? 8 : type_ == ElementType::float32 ? 4 : 2;
  }

 private:
  void* data_ = nullptr;
  ElementType type_ = ElementType::float32;
  Index rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
};

// The matrices of a call; b and grad_b are empty where a function has one view. A null regularizer
// is Exact.
struct CViews {
  CMatrix a, b, grad_a, grad_b;
};
struct CKernels {
  const char* name;
  BarlowTwinsLoss<double> (*barlow_twins)(const CViews&, const BarlowTwinsOptions&, const Relaxed*,
                                          const Execution&);
  VicregLoss<double> (*vicreg)(const CViews&, const VicregOptions&, const Relaxed*,
                               const Execution&);
  VarianceCovarianceLoss<double> (*variance_covariance)(const CViews&, const VicregOptions&,
                                                        const Relaxed*, const Execution&);
  double (*regularizer)(const CViews&, const Relaxed*, const Execution&);
  void (*sumvec)(const CMatrix& a, const CMatrix& b, const CMatrix& lags, const Execution&);
};

inline namespace DECORR_ABI {

// Calls body with a pointer to the elements, one of those that are computed in Scalar.
template <class Scalar, class Body>
auto with_elements(const CMatrix& matrix, Body&& body) {
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
InputRows<Scalar> input_rows(const CMatrix& matrix) {
  return with_elements<Scalar>(matrix, [&](const auto* data) {
    return InputRows<Scalar>(data, matrix.rows(), matrix.cols(), matrix.row_stride(),
                             matrix.col_stride());
  });
}

// As GradientTarget, with an element type known at run time; possibly none.
template <class Scalar>
class CTarget {
 public:
  explicit CTarget(const CMatrix& matrix) : matrix_(matrix) {
    if (matrix && !in_place()) workspace_ = Buffer<Scalar>(matrix.rows() * matrix.cols());
  }
  OutputRows<Scalar> rows() {
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
      copy_strided(workspace_.data(), matrix_.cols(), Index{1}, data, matrix_.row_stride(),
                   matrix_.col_stride(), matrix_.rows(), matrix_.cols());
    });
  }

 private:
  bool in_place() const { return matrix_.element_size() == static_cast<Index>(sizeof(Scalar)); }

  const CMatrix& matrix_;
  Buffer<Scalar> workspace_;
};

// Calls body(a zero of the computing scalar, the regularizer).
template <class Body>
auto with_scalar_and_regularizer(const CViews& views, const Relaxed* relaxed, Body&& body) {
  const auto with_scalar = [&](const auto& regularizer) {
    return computes_in_double(views.a.type()) ? body(double{}, regularizer)
                                              : body(float{}, regularizer);
  };
  return relaxed == nullptr ? with_scalar(Exact{}) : with_scalar(*relaxed);
}

// run(rows of a, rows of b, gradient rows of a, of b), the gradients empty for a value alone.
template <class Scalar, class Run>
auto run_two_views(const CViews& views, const Run& run) {
  CTarget<Scalar> target_a(views.grad_a), target_b(views.grad_b);
  const auto result = run(input_rows<Scalar>(views.a), input_rows<Scalar>(views.b), target_a.rows(),
                          target_b.rows());
  target_a.commit();
  target_b.commit();
  return result;
}

inline BarlowTwinsLoss<double> c_barlow_twins(const CViews& views,
                                              const BarlowTwinsOptions& options,
                                              const Relaxed* relaxed, const Execution& execution) {
  return with_scalar_and_regularizer(views, relaxed, [&](auto zero, const auto& regularizer) {
    using Scalar = decltype(zero);
    const auto loss =
        run_two_views<Scalar>(views, barlow_twins_runner<Scalar>(options, regularizer, execution));
    return BarlowTwinsLoss<double>{loss.value, loss.diagonal, loss.off_diagonal};
  });
}

inline VicregLoss<double> c_vicreg(const CViews& views, const VicregOptions& options,
                                   const Relaxed* relaxed, const Execution& execution) {
  return with_scalar_and_regularizer(views, relaxed, [&](auto zero, const auto& regularizer) {
    using Scalar = decltype(zero);
    const auto loss =
        run_two_views<Scalar>(views, vicreg_runner<Scalar>(options, regularizer, execution));
    return VicregLoss<double>{loss.value, loss.invariance, loss.variance, loss.covariance};
  });
}

inline VarianceCovarianceLoss<double> c_variance_covariance(const CViews& views,
                                                            const VicregOptions& options,
                                                            const Relaxed* relaxed,
                                                            const Execution& execution) {
  return with_scalar_and_regularizer(views, relaxed, [&](auto zero, const auto& regularizer) {
    using Scalar = decltype(zero);
    CTarget<Scalar> target(views.grad_a);
    const auto loss = variance_covariance_runner<Scalar>(options, regularizer, execution)(
        input_rows<Scalar>(views.a), target.rows());
    target.commit();
    return VarianceCovarianceLoss<double>{loss.value, loss.variance, loss.covariance};
  });
}

inline double c_regularizer(const CViews& views, const Relaxed* relaxed,
                            const Execution& execution) {
  return with_scalar_and_regularizer(
      views, relaxed, [&](auto zero, const auto& regularizer) -> double {
        using Scalar = decltype(zero);
        return run_two_views<Scalar>(views, [&](const auto&... rows) {
          return bare<Scalar>(rows..., regularizer, execution);
        });
      });
}

inline void c_sumvec(const CMatrix& a, const CMatrix& b, const CMatrix& lags,
                     const Execution& execution) {
  const auto compute = [&](auto zero) {
    using Scalar = decltype(zero);
    const auto sums = lag_sums(input_rows<Scalar>(a), input_rows<Scalar>(b), execution);
    with_elements<Scalar>(lags, [&](auto* data) {
      copy_strided(sums.data(), Index{1}, Index{1}, data, lags.row_stride(), lags.col_stride(),
                   lags.rows(), Index{1});
    });
  };
  computes_in_double(a.type()) ? compute(double{}) : compute(float{});
}

#if defined(__AVX512F__)
inline constexpr const char* kProcessor = "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr const char* kProcessor = "avx2";
#else
inline constexpr const char* kProcessor = "baseline";
#endif

inline constexpr CKernels kCKernels{
    kProcessor, &c_barlow_twins, &c_vicreg, &c_variance_covariance, &c_regularizer, &c_sumvec};

}  // namespace DECORR_ABI

// Each is defined where the build has generated it.
const CKernels& c_kernels_avx2();
const CKernels& c_kernels_avx512();

}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_C_KERNELS_HPP_
