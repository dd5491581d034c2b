#ifndef DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_
#define DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

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
  DECORR_DETAIL_COLD explicit Dominance(const Buffer<Sum>& squares) : squares_(&squares) {
    const Sum largest = limit_ =
        largest_of(squares.size(), Sum(0), [&](Index j) noexcept { return squares[j]; });
    if (!(largest >= std::numeric_limits<Sum>::min()) || !std::isfinite(largest)) {
      return;
    }
    const Sum share = std::max(Sum(1) / 64, Sum(8) / Sum(squares.size()));
    limit_ *= std::sqrt(relative_squares(largest) * share);
    has_any_ = largest > limit_;
    for (bool found = has_any_; found;) {
      const Sum before = limit_;
      // Of those that are not dominant so far.
      const Sum next = largest_of(squares.size(), Sum(0), [&](Index j) noexcept {
        return squares[j] > before ? Sum(0) : squares[j];
      });
      limit_ = std::min(before, before * std::sqrt(relative_squares(before) * share));
      found = next > limit_;
    }
  }
  bool has_any() const { return has_any_; }
  bool operator()(Index feature) const { return (*squares_)[feature] > limit_; }

 private:
  // Of all w_j up to `limit`, in units of it.
  DECORR_DETAIL_COLD Sum relative_squares(Sum limit) const noexcept {
    return sum_of<Sum>(squares_->size(), [&](Index j) noexcept {
      const Sum w = (*squares_)[j], relative = w > limit ? Sum(0) : w / limit;
      return relative * relative;
    });
  }

  const Buffer<Sum>* squares_;
  Sum limit_;
  bool has_any_ = false;
};

// The features that are dominant in one of two views, in ascending order. Allocates nothing where
// there are none.
template <class Sum>
DECORR_DETAIL_COLD Buffer<Index> dominant_features(Arena& arena, const Buffer<Sum>& squares_a,
                                                   const Buffer<Sum>& squares_b) {
  const Dominance<Sum> in_a(squares_a), in_b(squares_b);
  Index count = 0;
  if (in_a.has_any() || in_b.has_any()) {
    for (Index j = 0; j < squares_a.size(); ++j) {
      count += in_a(j) || in_b(j) ? 1 : 0;
    }
  }
  Buffer<Index> dominant(arena, count);
  for (Index j = 0, i = 0; i < count; ++j) {
    if (in_a(j) || in_b(j)) {
      dominant[i++] = j;
    }
  }
  return dominant;
}

// Of views with a NaN or an infinity there are no digits to keep.
template <class Scalar>
DECORR_DETAIL_NOINLINE bool all_finite(const Buffer<Scalar>& numbers) noexcept {
  return std::all_of(numbers.data(), numbers.data() + numbers.size(),
                     [](Scalar x) { return std::isfinite(x); });
}

// Sums over the entries of two Gram matrices P and Q, of all frequencies where there are several.
template <class Sum>
struct GramSums {
  Sum products = 0;  // of p q: m^2 ||C||_F^2
  Sum trace_a = 0, trace_b = 0;
  // Of squares off the diagonal: p^2, q^2, and (p q)^2.
  Sum squares_a = 0, squares_b = 0, both = 0;

  void add_off_diagonal(Sum p, Sum q, Sum multiplicity) noexcept {
    const Sum product = p * q;
    products += multiplicity * product;
    squares_a += multiplicity * p * p;
    squares_b += multiplicity * q * q;
    both += multiplicity * product * product;
  }
  void add_diagonal(Sum p, Sum q, Sum multiplicity) noexcept {
    products += multiplicity * p * q;
    trace_a += multiplicity * p;
    trace_b += multiplicity * q;
  }
  // The entries below the diagonal and their mirror images, row by row of n x n matrices whose
  // products are symmetric.
  template <class Scalar>
  void add_symmetric(const Scalar* p, const Scalar* q, Index n, Sum multiplicity) noexcept {
    for (Index i = 0; i < n; ++i) {
      GramSums row;
      for (Index j = 0; j < i; ++j) {
        row.add_off_diagonal(Sum(p[i * n + j]), Sum(q[i * n + j]), 2 * multiplicity);
      }
      add(row);
    }
  }
  void add(const GramSums& other) noexcept {
    products += other.products;
    trace_a += other.trace_a;
    trace_b += other.trace_b;
    squares_a += other.squares_a;
    squares_b += other.squares_b;
    both += other.both;
  }

  // Whether the value and the gradients have the digits that C would have given: `own` is what is
  // left when all that does not count was subtracted, and `squares` the value, to which more may
  // have been added. `rows` are those of all frequencies.
  template <class Scalar>
  bool keeps_digits(Sum own, Sum squares, Sum rows) const noexcept {
    // The entries themselves.
    const Sum least = std::ldexp(Sum(std::numeric_limits<Scalar>::min()),
                                 std::numeric_limits<Scalar>::digits + 2) *
                      rows;
    if ((trace_a > 0 && trace_a < least) || (trace_b > 0 && trace_b < least)) {
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
    return std::sqrt(squares_a) * trace_b <= most && std::sqrt(squares_b) * trace_a <= most;
  }
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_GRAM_ACCURACY_HPP_
