#ifndef DECORR_RESULTS_HPP_
#define DECORR_RESULTS_HPP_

/// @file
/// What the losses return: their weighted terms by name, each summed in at least double and rounded
/// once, and their sum.

namespace decorr {

/// The weighted terms of a Barlow Twins loss; value is their sum.
///
/// @snippet losses.cpp barlow_twins_loss
template <class Scalar>
struct BarlowTwinsLoss {
  Scalar value;
  Scalar diagonal;      ///< scale * sum_i (1 - C_ii)^2, the invariance term of the paper
  Scalar off_diagonal;  ///< scale * lambda * R(C), the redundancy reduction term
};

/// The weighted terms of a VICReg loss; value is their sum.
///
/// @snippet losses.cpp vicreg_loss
template <class Scalar>
struct VicregLoss {
  Scalar value;
  Scalar invariance;
  Scalar variance;
  Scalar covariance;
};

/// The weighted terms of variance_covariance_loss; value is their sum.
///
/// @snippet losses.cpp variance_covariance_loss
template <class Scalar>
struct VarianceCovarianceLoss {
  Scalar value;
  Scalar variance;
  Scalar covariance;
};

}  // namespace decorr

#endif  // DECORR_RESULTS_HPP_
