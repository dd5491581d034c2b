#ifndef DECORR_DETAIL_LOSSES_DIAGONAL_TERM_HPP_
#define DECORR_DETAIL_LOSSES_DIAGONAL_TERM_HPP_

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Barlow Twins' sum of scale (1 - C_jj)^2, for one pair of views or for many.
template <class Scalar>
class DiagonalTerm {
 public:
  using Sum = Accumulator<Scalar>;

  explicit DiagonalTerm(Sum scale) noexcept : scale_(scale) {}

  Sum value(const Buffer<Sum>& diagonal) const noexcept {
    return sum_of<Sum>(diagonal.size(), [&](Index j) noexcept {
      return scale_ * (1 - diagonal[j]) * (1 - diagonal[j]);
    });
  }

  // Of n samples. With C_jj = sum of x^ y^ / n the derivative by a sample's x^ is slope * y^, and
  // what it has in common with x^, its mean product with it, is slope * C_jj.
  Sum slope(Sum diagonal, Sum n) const noexcept { return -2 * scale_ / n * (1 - diagonal); }

 private:
  Sum scale_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_LOSSES_DIAGONAL_TERM_HPP_
