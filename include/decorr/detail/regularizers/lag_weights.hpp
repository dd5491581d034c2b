#ifndef DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_
#define DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_

#include <cmath>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Which lags of a block of C count, and how much.
struct LagWeights {
  bool without_zero = true;  // lag 0 of a diagonal block holds the diagonal of C
  bool half_middle = false;  // lag b/2 of a diagonal block of a signed covariance would count twice
  long double weight = 1;    // of the whole block
};

// What a loss makes of the blocks of C, told once to whatever regularizer it has.
class BlockWeights {
 public:
  // Every lag of every block counts once. Exact has blocks of one feature.
  BlockWeights(Index features, Index block_size, int exponent)
      : features_(features),
        block_size_(block_size == 0 ? features : block_size),
        num_blocks_((features + block_size_ - 1) / block_size_),
        exponent_(exponent) {}

  // As CovarianceScaling::block_mean says: each lag is a mean over the block's width, and blocks
  // are averaged, diagonal ones and others apart.
  void take_means() { takes_means_ = true; }
  // As blocks of several views, the first views of pairs and the second ones, view g and view h +
  // 1: those of g <= h, none of which holds the diagonal of its C but in lag 0.
  void take_pairs_of_views() { takes_pairs_of_views_ = true; }
  // For a covariance whose one view has signs (docs/mathematics.md, random signs).
  void halve_middle_lags() { halves_middle_ = block_size_ % 2 == 0; }

  // Whether blocks but the diagonal ones, which their zero lag sets apart, all count alike.
  bool are_equal() const noexcept {
    return !takes_pairs_of_views_ && (!takes_means_ || features_ % block_size_ == 0);
  }
  // Whether the zero lags of others go out too.
  bool are_all_without_zero() const noexcept { return takes_pairs_of_views_; }

  LagWeights of(Index g, Index h) const noexcept {
    LagWeights weights;
    weights.without_zero = g == h || takes_pairs_of_views_;
    weights.half_middle = g == h && halves_middle_;
    if (takes_pairs_of_views_) {
      weights.weight = g <= h ? 1 : 0;
    } else if (takes_means_) {
      const Index last = num_blocks_ - 1;
      const Index width = g == last || h == last ? features_ - last * block_size_ : block_size_;
      const auto pairs = static_cast<long double>(num_blocks_) * static_cast<long double>(last);
      weights.weight = (g == h ? 1 / static_cast<long double>(num_blocks_) : 2 / pairs) *
                       std::pow(static_cast<long double>(width), -exponent_);
    }
    return weights;
  }
  // Of all pairs of features, where blocks have one each.
  long double of_pairs() const noexcept { return num_blocks_ > 1 ? of(0, 1).weight : 0; }

 private:
  Index features_, block_size_, num_blocks_;
  int exponent_;
  bool takes_means_ = false, halves_middle_ = false, takes_pairs_of_views_ = false;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_LAG_WEIGHTS_HPP_
