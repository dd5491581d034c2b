#ifndef DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_
#define DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/standardization.hpp"

// When Gram matrices of the samples may stand for C. They hold what each feature has with itself,
// which does not count and is subtracted: of ordinary data no more than the rest, but it can be all
// there is (docs/mathematics.md, numerical accuracy).

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Feature j is dominant where its sum of squares w_j exceeds an eighth of the root of the sum of
// all w_i^2 but those of more dominant ones. What a feature has with itself leaves a rounding of
// w_j in its gradient, products with the others one of about that root. Of a few features each may
// have more.
template <class Sum>
class Dominance {
 public:
  explicit Dominance(const Buffer<Sum>& squares) : squares_(&squares) {
    const ConstArray<Sum> w(squares.data(), squares.size());
    const Sum largest = w.maxCoeff();
    limit_ = largest;
    if (!(largest >= std::numeric_limits<Sum>::min()) || !std::isfinite(largest)) {
      return;
    }
    const Sum share = std::max(Sum(1) / 64, Sum(8) / Sum(squares.size()));
    limit_ *= std::sqrt((w * (1 / largest)).square().sum() * share);
    has_any_ = largest > limit_;
    for (bool found = has_any_; found;) {
      const Sum before = limit_;
      Sum rest = 0, next = 0;  // of those that are not dominant so far
      for (Index j = 0; j < squares.size(); ++j) {
        const Sum other = squares[j] > before ? Sum(0) : squares[j];
        rest += (other / before) * (other / before);
        next = std::max(next, other);
      }
      limit_ = std::min(before, before * std::sqrt(rest * share));
      found = next > limit_;
    }
  }
  bool has_any() const { return has_any_; }
  bool operator()(Index feature) const { return (*squares_)[feature] > limit_; }

 private:
  const Buffer<Sum>* squares_;
  Sum limit_;
  bool has_any_ = false;
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

// Of views with a NaN or an infinity there are no digits to keep.
template <class Scalar>
bool all_finite(const Buffer<Scalar>& numbers) {
  return std::all_of(numbers.data(), numbers.data() + numbers.size(),
                     [](Scalar x) { return std::isfinite(x); });
}

// Sums over the entries of two Gram matrices P and Q, of all frequencies where there are several.
template <class Sum>
struct GramSums {
  Sum products = 0;  // of p q: m^2 ||C||_F^2
  Sum left_trace = 0, right_trace = 0;
  // Of squares off the diagonal: p^2, q^2, and (p q)^2.
  Sum left = 0, right = 0, both = 0;

  void add_off_diagonal(Sum p, Sum q, Sum multiplicity) {
    const Sum product = p * q;
    products += multiplicity * product;
    left += multiplicity * p * p;
    right += multiplicity * q * q;
    both += multiplicity * product * product;
  }
  void add_diagonal(Sum p, Sum q, Sum multiplicity) {
    products += multiplicity * p * q;
    left_trace += multiplicity * p;
    right_trace += multiplicity * q;
  }
  void add(const GramSums& other) {
    products += other.products;
    left_trace += other.left_trace;
    right_trace += other.right_trace;
    left += other.left;
    right += other.right;
    both += other.both;
  }

  // Whether the value and the gradients have the digits that C would have given: `own` is what is
  // left when all that does not count was subtracted, and `squares` the value, to which more may
  // have been added. `rows` are those of all frequencies.
  template <class Scalar>
  bool keeps_digits(Sum own, Sum squares, Sum rows) const {
    // The entries themselves.
    const Sum least = std::ldexp(Sum(std::numeric_limits<Scalar>::min()),
                                 std::numeric_limits<Scalar>::digits + 2) *
                      rows;
    if ((left_trace > 0 && left_trace < least) || (right_trace > 0 && right_trace < least)) {
      return false;
    }
    // The diagonal of C against the rest, and the products against each other: directions that both
    // views' samples have, but at right angles, cancel.
    if (!(squares >= products / 4 && squares * squares >= both)) {
      return false;
    }
    // The gradients, P B and Q A: of the size of own / tr(Q) times B, with the rounding of a row of
    // P.
    const Sum most = 4 * own * std::sqrt(rows);
    return std::sqrt(left) * right_trace <= most && std::sqrt(right) * left_trace <= most;
  }
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_
