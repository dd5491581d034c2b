#ifndef DECORR_REGULARIZERS_HPP_
#define DECORR_REGULARIZERS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <utility>

#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/call/misuse.hpp"
#include "decorr/detail/losses/regularizer_alone.hpp"
#include "decorr/options.hpp"

/// @file
/// The regularizers on C = A^T B / n as they stand: nothing is centred or scaled.
///
/// For all functions here: `a` and `b` are n x d, n and d at least 1, a row is one sample. Float,
/// double, long double; half and bfloat16 are computed in float. Either storage order, Maps, blocks
/// and other views with strides are read in place, other expressions are evaluated once. Gradients
/// are with respect to `a` and `b`; they go to any matrix or view that can be assigned to (where
/// its type knows no strides, by way of n d numbers of workspace), are overwritten, never resized,
/// and may overlap neither the inputs nor each other. Matrices that lie between each other's
/// elements are apart if their strides agree, as those of column blocks of one buffer do, and count
/// as overlapping if not. Of an input that is evaluated the matrices it is made of may be
/// overwritten. NaN and infinities in the data propagate to the value and the gradients; numbers so
/// small that their products are subnormal (1e-20 in float) can take many times as long
/// (docs/performance.md). Throws InvalidArgument, a std::invalid_argument that names function,
/// argument and both values, for shapes that differ, empty matrices, gradients that overlap or
/// whose elements share memory, and options out of range; std::bad_alloc and std::runtime_error (no
/// plan) as they come, CollectiveError with Execution::communicator (losses.hpp). Gradients are
/// untouched when a function throws. All functions may be called from several threads at once.

namespace decorr {
inline namespace DECORR_ABI {

/// R_off(C) = sum over i != j of C_ij^2.
/// O(n d min(n, d)) time: through C (d^2 memory) for n >= d, through the n x n Gram matrices (2 n
/// (n + d) memory) otherwise. Whatever the data, the value is not negative, and value and gradient
/// are as accurate as those through C in the same scalar, up to a factor of ten: features that
/// outweigh the others are kept out of the Gram matrices (O(n d) for each), and where the rest
/// turns out to have lost digits, C is computed after all (O(n d^2) time; hardly anything off the
/// diagonal, or views without a direction in common). Zbontar et al. 2021, arXiv 2103.03230,
/// equation 1; the Gram route after Garrido et al. 2022, arXiv 2206.02574. Value and gradients,
/// dR/da and dR/db.
///
/// @snippet losses.cpp r_off
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
detail::ScalarOf<A, B> r_off(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b,
                             GradientA&& grad_a, GradientB&& grad_b,
                             const Execution& execution = {}) {
  return detail::evaluate<detail::RegularizerFirstPass>(
      "r_off", a.derived(), b.derived(), std::forward<GradientA>(grad_a),
      std::forward<GradientB>(grad_b), detail::NoOptions(), Exact(), execution);
}

/// R_off, value only.
template <class A, class B>
detail::ScalarOf<A, B> r_off(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b,
                             const Execution& execution = {}) {
  return r_off(a, b, no_gradient, no_gradient, execution);
}

/// R_sum(C) = sum over lags i = 1 .. d-1 of |sumvec(C)_i|^q, or its grouped form; q, block size,
/// permutation and signs by `relaxed`. O(n d log d) time and O(d) memory; grouped O(n d (log b +
/// d/b)) time and O(d^2/b) memory, or with q = 2 and n < d/b, unless a block outweighs the others,
/// O(n d (log b + n)) and O(n d), with the accuracy of the former up to a factor of ten (but for
/// the gradient of a block that has no sample in common with any other, or next to none, which is
/// zero up to rounding). A feature that outweighs all others together is kept apart, at about twice
/// the time. With signs drawn anew for each call and q = 2 its expected value is R_off(C), and so
/// for the gradients. Shigeto et al., CVPR 2023, pp. 2052-2060, arXiv 2301.01569. Value and
/// gradients, dR/da and dR/db.
///
/// @snippet losses.cpp r_sum
template <class A, class B, class GradientA, class GradientB, detail::EnableGradient<GradientA> = 0,
          detail::EnableGradient<GradientB> = 0>
detail::ScalarOf<A, B> r_sum(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b,
                             GradientA&& grad_a, GradientB&& grad_b, const Relaxed& relaxed = {},
                             const Execution& execution = {}) {
  return detail::evaluate<detail::RegularizerFirstPass>(
      "r_sum", a.derived(), b.derived(), std::forward<GradientA>(grad_a),
      std::forward<GradientB>(grad_b), detail::NoOptions(), relaxed, execution);
}

/// R_sum, value only.
template <class A, class B>
detail::ScalarOf<A, B> r_sum(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b,
                             const Relaxed& relaxed = {}, const Execution& execution = {}) {
  return r_sum(a, b, no_gradient, no_gradient, relaxed, execution);
}

/// sumvec(C)_i = sum over j of C_{j, (j+i) mod d}, i = 0 .. d-1: the sums of C's wrapped diagonals,
/// a vector of length d. O(n d log d). Shigeto et al., CVPR 2023, pp. 2052-2060,
/// arXiv 2301.01569.
///
/// @snippet losses.cpp sumvec
template <class A, class B>
Eigen::Matrix<detail::ScalarOf<A, B>, Eigen::Dynamic, 1> sumvec(const Eigen::DenseBase<A>& a,
                                                                const Eigen::DenseBase<B>& b,
                                                                const Execution& execution = {}) {
  return detail::evaluate<detail::SumvecFirstPass>("sumvec", a.derived(), b.derived(), no_gradient,
                                                   no_gradient, detail::NoOptions(),
                                                   detail::relaxed_of_sumvec(), execution);
}

/// @cond
// One gradient of two, or the other function's regularizer: compiles to the sentence that says what
// is expected.

template <class A, class... Arguments,
          detail::Misuse kFound = detail::misuse_of_regularizer<void, A, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
detail::ScalarOf<A> r_off(const Eigen::DenseBase<A>&, const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
template <class A, class... Arguments,
          detail::Misuse kFound = detail::misuse_of_regularizer<Relaxed, A, Arguments...>(),
          detail::EnableMisuse<kFound> = 0>
detail::ScalarOf<A> r_sum(const Eigen::DenseBase<A>&, const Arguments&...) {
  static_assert(detail::report_misuse<kFound>());
  return {};
}
/// @endcond

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_REGULARIZERS_HPP_
