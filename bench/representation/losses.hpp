#ifndef DECORR_BENCH_REPRESENTATION_LOSSES_HPP_
#define DECORR_BENCH_REPRESENTATION_LOSSES_HPP_

#include <Eigen/Core>
#include <decorr/options.hpp>
#include <string>

#include "images.hpp"
#include "regularizer_form.hpp"

/// @file
/// The library's calls as this program makes them, apart from the rest since their templates take
/// long to compile.

namespace representation {

using support::Matrix;

/// Which loss, with which form of its regularizer.
struct LossSettings : support::RegularizerForm {
  std::string loss = "barlow_twins";  ///< or vicreg
  /// Of the regularizer, over the one published for the exact form: lambda = 0.0051 of Barlow
  /// Twins, covariance = 1 beside 25 and 25 of VICReg.
  double weight = 1;
};

struct LossTerms {
  double value = 0;
  /// The weighted regularizer.
  double regularizer = 0;
};

/// Of 2 n embeddings, view a in the upper half. Sets the gradient.
LossTerms loss_and_gradient(const LossSettings& settings, const decorr::Regularizer& regularizer,
                            const Matrix& z, Matrix& gradient, int threads);

/// The regularizer alone: of the correlation between two views (with view b) or of the covariance
/// of one view, each in the convention of its loss, but for the weights. Embeddings are taken as
/// they are, centred by the caller; gradients are with respect to them.
struct Embeddings {
  Matrix a, b;  ///< b empty: the covariance of a

  bool two_views() const { return b.size() > 0; }
};
struct Gradients {
  Matrix a, b;
};
double regularizer_value(const Embeddings& z, const decorr::Regularizer& regularizer, int threads);
double regularizer_and_gradient(const Embeddings& z, const decorr::Regularizer& regularizer,
                                Gradients& gradients, int threads);

/// Peak memory in bytes that a call takes beyond its inputs and outputs; 0 where the system does
/// not tell (Linux does). Resets the process's record.
double loss_memory(const LossSettings& settings, const Matrix& z, Matrix& gradient, int threads);

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_LOSSES_HPP_
