#ifndef DECORR_OPTIONS_HPP_
#define DECORR_OPTIONS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <cstdint>
#include <utility>
#include <vector>

namespace decorr {

/// The exact regularizer R_off(C) = sum over i != j of C_ij^2, of Barlow Twins and VICReg.
/// O(n d min(n, d)): through C or through the n x n Gram matrices, whichever is cheaper; as
/// accurate as through C whatever the data (regularizers.hpp).
///
/// @snippet losses.cpp Regularizer
struct Exact {};

/// The relaxed regularizer R_sum(C) = sum over lags i of |sumvec(C)_i|^q, O(n d log d), and its
/// grouped form (Shigeto et al., CVPR 2023, pp. 2052-2060, arXiv 2301.01569).
///
/// With permutation p and signs s, feature j enters as x'_j = s[p_j] * x[p_j]. Draw both anew for
/// every batch with random_permutation and random_signs. With random signs and exponent 2 the
/// expected value is R_off itself, so weights tuned for Exact carry over; without signs they do
/// not.
///
/// @snippet losses.cpp r_sum
struct Relaxed {
  /// q, 1 or 2.
  int exponent = 2;
  /// b, 0..d features a block; 0 means d, a single block. b = 1 with exponent 2 is R_off.
  Eigen::Index block_size = 0;
  /// Column j of the permuted matrix is column permutation[j]. Empty: none.
  std::vector<Eigen::Index> permutation;
  /// +1 or -1 for each original feature of view a and of view b. Empty: none. A covariance uses its
  /// own view's signs twice, and then counts the middle lag of a block of even size by one half
  /// (docs/mathematics.md, random signs).
  std::vector<std::int8_t> signs_a, signs_b;
};

/// A choice between Exact and Relaxed, as the losses take it: `relaxed` itself, Exact{}, {}
/// (Exact), or one made at run time, `use_fft ? Regularizer(relaxed) : Regularizer()`. It refers to
/// a Relaxed that has a name, and is to be used while that lives; a temporary one it keeps.
///
/// @snippet losses.cpp Regularizer
class Regularizer {
 public:
  /// Exact.
  Regularizer() = default;
  Regularizer(const Exact&) {}  // NOLINT(google-explicit-constructor)
  Regularizer(const Relaxed& relaxed)
      : relaxed_(&relaxed) {}     // NOLINT(google-explicit-constructor)
  Regularizer(Relaxed&& relaxed)  // NOLINT(google-explicit-constructor)
      : kept_(std::move(relaxed)), keeps_(true) {}

  /// Null for Exact.
  const Relaxed* relaxed() const { return keeps_ ? &kept_ : relaxed_; }

 private:
  const Relaxed* relaxed_ = nullptr;
  Relaxed kept_;
  bool keeps_ = false;
};

/// The type of no_gradient.
struct NoGradient {};
/// In the place of a gradient that is not wanted, as of a teacher's view: it is neither written nor
/// computed, and where the mathematics allows not paid for (losses.hpp).
///
/// @snippet losses.cpp no_gradient
inline constexpr NoGradient no_gradient{};  // NOLINT(readability-identifier-naming): read as a word

/// loss = scale * ( sum_i (1 - C_ii)^2 + lambda * R(C) ).
///
/// @snippet losses.cpp barlow_twins_loss
struct BarlowTwinsOptions {
  /// Weight of the regularizer; 0.0051 is that of facebookresearch/barlowtwins for Exact (see
  /// presets.hpp for Relaxed).
  double lambda = 0.0051;
  /// Factor of the whole loss and of its gradient.
  double scale = 1;
  /// Added to the biased variance under the root; 1e-5 as in BatchNorm. At least 0. Without
  /// `standardize` there is no variance, and it is not used.
  double epsilon = 1e-5;
  /// false: the inputs are taken as they are, for a trainer that has standardized them already.
  bool standardize = true;
};

/// How the covariance term is scaled.
///
/// @snippet losses.cpp vicreg_loss
enum class CovarianceScaling {
  /// R(K) / d, as in the VICReg paper.
  per_dimension,
  /// As in the reference code of arXiv 2301.01569 for the VICReg style: each block's sumvec is
  /// divided by the block's width before the power (a block that touches the last group: by the
  /// last group's true width), then the mean over the diagonal blocks plus twice the mean over the
  /// upper off-diagonal blocks. Exact counts as blocks of one feature.
  block_mean
};

/// loss = scale * ( invariance * mean((A-B)^2) + variance * V + covariance * (R(K_A) + R(K_B)) / d
/// ). The defaults are those of facebookresearch/vicreg.
///
/// @snippet losses.cpp vicreg_loss
struct VicregOptions {
  double invariance = 25, variance = 25, covariance = 1;
  /// The hinge: V_view = mean_j max(0, gamma - sqrt(var_j + epsilon)), var unbiased.
  double gamma = 1;
  /// Added to the unbiased variance under the root. At least 0.
  double epsilon = 1e-4;
  /// Factor of the whole loss and of its gradient.
  double scale = 1;
  /// V = V_a + V_b (solo-learn and the code of arXiv 2301.01569) instead of their average.
  bool sum_variance = false;
  CovarianceScaling covariance_scaling = CovarianceScaling::per_dimension;
};

/// What a loss of several views is (views.hpp): there is no one form that everybody means.
///
/// @snippet views.cpp barlow_twins_loss_of_views
enum class ViewCombination {
  /// The sum of the two-view loss over all pairs of views.
  pairs,
  /// Each view is to be like the centroid, the mean of all views.
  centroid
};

/// How long FFTW searches for its plans, at the first call for a length. `estimate` does not
/// measure, takes 0.02 s for a length of 8192 and 0.1 s for 100,352, and is the one that repeats
/// bit for bit from run to run; `measure` takes 0.2 s for a length of 512, 1 s for 8192 and 10 s
/// for 100,352 (float, docs/performance.md), `patient` far longer.
///
/// @snippet losses.cpp Execution
enum class Planning { estimate, measure, patient };

class Communicator;  // communicator.hpp

/// How a call is carried out, and with whom.
///
/// @snippet losses.cpp Execution
struct Execution {
  /// At least 1, of which 1024 are used: how many threads a call may use where it is compiled with
  /// OpenMP; without, and inside a parallel region of the caller's, it runs on the calling thread.
  /// Results are the same bit for bit for any number.
  int threads = 1;
  Planning planning = Planning::measure;
  /// Null, or the processes that hold the batch together: values are those of the whole batch, and
  /// gradients those of the whole batch's loss with respect to this process's rows
  /// (docs/distributed.md). Not owned.
  Communicator* communicator = nullptr;
};

}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_OPTIONS_HPP_
