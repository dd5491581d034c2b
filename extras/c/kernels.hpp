#ifndef DECORR_EXTRAS_C_KERNELS_HPP_
#define DECORR_EXTRAS_C_KERNELS_HPP_

#include <cstddef>
#include <exception>
#include <memory>
#include <vector>

#include "decorr/c_api.h"
#include "decorr/options.hpp"

// What the C interface computes with. kernels.cpp is compiled once for each kind of processor, with
// Eigen under another name each time: the linker would otherwise keep one copy of Eigen's functions
// for all of them. So nothing here has Eigen's types in its interface.

namespace decorr {
namespace c {

enum class ElementType { float32, float64, float16, bfloat16 };

// A matrix whose element type is known at run time. Without columns: no matrix.
class Matrix {
 public:
  Matrix() = default;
  // The stride of an extent of 1 counts for nothing and is replaced by that of a row-major matrix.
  Matrix(void* data, ElementType type, std::ptrdiff_t rows, std::ptrdiff_t cols,
         std::ptrdiff_t row_stride, std::ptrdiff_t col_stride)
      : data_(data),
        type_(type),
        rows_(rows),
        cols_(cols),
        row_stride_(rows == 1 ? cols : row_stride),
        col_stride_(cols == 1 ? 1 : col_stride) {}

  explicit operator bool() const { return cols_ > 0; }
  void* data() const { return data_; }
  ElementType type() const { return type_; }
  std::ptrdiff_t rows() const { return rows_; }
  std::ptrdiff_t cols() const { return cols_; }
  std::ptrdiff_t row_stride() const { return row_stride_; }
  std::ptrdiff_t col_stride() const { return col_stride_; }
  std::ptrdiff_t element_size() const {
    return type_ == ElementType::float64 ? 8 : type_ == ElementType::float32 ? 4 : 2;
  }
  bool computes_in_double() const { return type_ == ElementType::float64; }

 private:
  void* data_ = nullptr;
  ElementType type_ = ElementType::float32;
  std::ptrdiff_t rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 0;
};

// The matrices of a call: all of one computing scalar. A gradient that nobody wants is empty; so
// are b and grad_b where a function has one view.
struct Views {
  Matrix a, b, grad_a, grad_b;
};

// Those of a call of several views: as many gradients, or none at all.
struct ManyViews {
  std::vector<Matrix> views, gradients;
  ViewCombination combination = ViewCombination::pairs;
};

// A batch in parts, as the classes of batches.hpp. Views are of its scalar.
class Parts {
 public:
  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  virtual ~Parts() = default;

  virtual bool has_pass() const noexcept = 0;
  virtual void add(const Views&) = 0;
  // In the place of an add() that has failed before it came here; for end_pass() of several
  // processes.
  virtual void keep(const std::exception_ptr& failure) noexcept = 0;
  virtual void end_pass() = 0;
  virtual std::ptrdiff_t count() const noexcept = 0;
  virtual void gradient(const Views&) = 0;
};
// With its result: terms, or the value of a regularizer.
template <class Result>
class PartsOf : public Parts {
 public:
  virtual Result result() const = 0;
};
class PartsOfSumvec : public Parts {
 public:
  virtual void write(const Matrix& lags) const = 0;
};
template <class Result>
using PartsPointer = std::unique_ptr<PartsOf<Result>>;

// What all batches in parts are made from.
struct PartsSetup {
  bool computes_in_double;
  std::ptrdiff_t features;
  bool wants_a, wants_b;
};

// All of them check their arguments as the C++ functions of the same names do, and throw what those
// throw, before anything is written. A null regularizer is Exact.
struct Kernels {
  const char* name;
  decorr_barlow_twins_terms (*barlow_twins_loss)(const Views&, const BarlowTwinsOptions&,
                                                 const Relaxed*, const Execution&);
  decorr_vicreg_terms (*vicreg_loss)(const Views&, const VicregOptions&, const Relaxed*,
                                     const Execution&);
  decorr_variance_covariance_terms (*variance_covariance_loss)(const Views&, const VicregOptions&,
                                                               const Relaxed*, const Execution&);
  decorr_barlow_twins_terms (*barlow_twins_loss_of_views)(const ManyViews&,
                                                          const BarlowTwinsOptions&, const Relaxed*,
                                                          const Execution&);
  decorr_vicreg_terms (*vicreg_loss_of_views)(const ManyViews&, const VicregOptions&,
                                              const Relaxed*, const Execution&);
  // r_off of a null regularizer.
  double (*r_sum)(const Views&, const Relaxed*, const Execution&);
  // lags has one column and a row for each feature.
  void (*sumvec)(const Views&, const Matrix& lags, const Execution&);

  PartsPointer<decorr_barlow_twins_terms> (*barlow_twins_batch)(const PartsSetup&,
                                                                const BarlowTwinsOptions&,
                                                                const Relaxed*, const Execution&);
  PartsPointer<decorr_vicreg_terms> (*vicreg_batch)(const PartsSetup&, const VicregOptions&,
                                                    const Relaxed*, const Execution&);
  PartsPointer<decorr_variance_covariance_terms> (*variance_covariance_batch)(const PartsSetup&,
                                                                              const VicregOptions&,
                                                                              const Relaxed*,
                                                                              const Execution&);
  PartsPointer<double> (*r_sum_batch)(const PartsSetup&, const Relaxed*, const Execution&);
  std::unique_ptr<PartsOfSumvec> (*sumvec_batch)(const PartsSetup&, const Execution&);
};

const Kernels& baseline_kernels();
// Those that the build has compiled: DECORR_C_HAS_AVX2, DECORR_C_HAS_AVX512.
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_KERNELS_HPP_
