#ifndef DECORR_DETAIL_GRAM_ACCURACY_HPP_
#define DECORR_DETAIL_GRAM_ACCURACY_HPP_

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/standardization.hpp"
#include "decorr/detail/workspace.hpp"

// When Gram matrices of the samples may stand for C. They hold what each feature has with itself,
// which does not count and is subtracted: of ordinary data no more than the rest, but it can be all
// there is (docs/mathematics.md, numerical accuracy).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Feature j is dominant where its sum of squares w_j exceeds an eighth of the root of the sum of
// all w_j^2. What a feature has with itself leaves a rounding of w_j in its gradient, products with
// the others one of about that root. Of a few features each may have more.
template <class Sum>
class Dominance {
 public:
  explicit Dominance(const Buffer<Sum>& squares) : squares_(&squares) {
    const ConstArray<Sum> w(squares.data(), squares.size());
    largest_ = limit_ = w.maxCoeff();
    if (largest_ >= std::numeric_limits<Sum>::min() && std::isfinite(largest_)) {
      const Sum all = (w * (1 / largest_)).square().sum();
      limit_ *= std::sqrt(all * std::max(Sum(1) / 64, Sum(8) / Sum(squares.size())));
    }
  }
  bool has_any() const { return largest_ > limit_; }
  bool operator()(Index feature) const { return (*squares_)[feature] > limit_; }

 private:
  const Buffer<Sum>* squares_;
  Sum largest_, limit_;
};

// The features that are dominant in one of two views, in ascending order. Allocates nothing where
// there are none.
template <class Sum>
Buffer<Index> dominant_features(const Buffer<Sum>& left_squares, const Buffer<Sum>& right_squares) {
  const Dominance<Sum> left(left_squares), right(right_squares);
  Index count = 0;
  if (left.has_any() || right.has_any()) {
    for (Index j = 0; j < left_squares.size(); ++j) {
      count += left(j) || right(j) ? 1 : 0;
    }
  }
  Buffer<Index> dominant(count);
  for (Index j = 0, i = 0; i < count; ++j) {
    if (left(j) || right(j)) {
      dominant[i++] = j;
    }
  }
  return dominant;
}

// Whether a sum of squares that is left of `all`, after what each feature has with itself was
// subtracted, has kept the digits that C would have given. Of views with a NaN or an infinity there
// are none to keep.
template <class Sum>
bool keeps_digits(Sum all, Sum left, const Buffer<Sum>& left_squares,
                  const Buffer<Sum>& right_squares) {
  if (std::isfinite(left)) {
    return left >= all / 4;
  }
  const auto is_finite = [](const Buffer<Sum>& squares) {
    return std::isfinite(std::accumulate(squares.data(), squares.data() + squares.size(), Sum(0)));
  };
  return !is_finite(left_squares) || !is_finite(right_squares);
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_GRAM_ACCURACY_HPP_
