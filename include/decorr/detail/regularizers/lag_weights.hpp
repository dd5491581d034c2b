#ifndef DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_
#define DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_

#include <cmath>

#include "decorr/detail/regularizers/lag_penalty.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// What counts of block (g, h) of C, in the grouped form.
template <class Scalar>
LagWeights block_weights(const PackedTransforms<Scalar>& transforms, CovarianceScaling scaling,
                         int exponent, Index g, Index h) {
  const auto& correlation = transforms.correlation();
  const Index groups = transforms.groups(), last = groups - 1;
  LagWeights weights;
  weights.without_zero = g == h;
  weights.half_middle = g == h && correlation.is_covariance() && correlation.left->has_signs() &&
                        transforms.width() % 2 == 0;
  if (scaling == CovarianceScaling::block_mean) {
    const Index width = g == last || h == last ? transforms.features() - last * transforms.width()
                                               : transforms.width();
    const auto pairs = static_cast<long double>(groups) * static_cast<long double>(last);
    weights.weight = (g == h ? 1 / static_cast<long double>(groups) : 2 / pairs) *
                     std::pow(static_cast<long double>(width), -exponent);
  }
  return weights;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_
