#ifndef DECORR_DETAIL_SPECTRA_PACKING_HPP_
#define DECORR_DETAIL_SPECTRA_PACKING_HPP_

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/standardization.hpp"

// Load: centre, scale, sign and permute a row, and pack two rows in one complex signal. Store: the
// way back.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The rows of one view as a regularizer sees them, x'_j = s_j x^_j, with standardization and signs
// s folded into one affine map. What is not asked for costs nothing. The permutation comes later:
// it moves both rows of a signal at once.
template <class Scalar>
class PreparedView {
 public:
  PreparedView(const InputRows<Scalar>& input, const Standardization<Scalar>& standardization,
               const std::vector<std::int8_t>& signs)
      : input_(&input),
        standardization_(&standardization),
        signs_(signs.empty() ? nullptr : signs.data()) {
    if (!signs.empty()) {
      factor_ = Buffer<Scalar>(input.cols());
      for (Index j = 0; j < input.cols(); ++j) {
        factor_[j] = Scalar(signs[static_cast<std::size_t>(j)]) * standardization.factor(j);
      }
    }
  }

  Index rows() const { return input_->rows(); }
  Index cols() const { return input_->cols(); }
  const InputRows<Scalar>& input() const { return *input_; }
  bool has_signs() const { return signs_ != nullptr; }
  Scalar sign(Index j) const { return signs_ == nullptr ? Scalar(1) : Scalar(signs_[j]); }
  // Without standardization two views may differ in scale by any factor.
  bool is_raw() const { return standardization_->is_identity(); }

  // Prepares x, which holds features first .. first + count - 1 of a row: x itself where there is
  // nothing to do, otherwise `buffer`.
  const Scalar* prepare(const Scalar* x, Index first, Index count, Scalar* buffer) const {
    if (is_raw() && signs_ == nullptr) {
      return x;
    }
    standardization_->apply(x, count, factor_, AtSegment<Scalar>{first, count}, buffer);
    return buffer;
  }

 private:
  const InputRows<Scalar>* input_;
  const Standardization<Scalar>* standardization_;
  const std::int8_t* signs_;
  Buffer<Scalar> factor_;
};

// The operands of C = left^T right / normalizer: two views for a cross-correlation, twice the same
// one for a covariance.
template <class Scalar>
struct Correlation {
  const PreparedView<Scalar>* left = nullptr;
  const PreparedView<Scalar>* right = nullptr;
  Accumulator<Scalar> normalizer = 1;  // m
  // Where the gradients with respect to the prepared rows go; empty for a value alone.
  OutputRows<Scalar> left_gradient, right_gradient;
  // Where to put sum_k G_kj x'_kj, for the gradient through the variance; null where not needed.
  Accumulator<Scalar>* left_products = nullptr;
  Accumulator<Scalar>* right_products = nullptr;

  bool is_covariance() const { return left == right; }
  bool has_gradient() const { return static_cast<bool>(left_gradient); }
  Index rows() const { return left->rows(); }
  Index cols() const { return left->cols(); }
};

// Two rows that share a complex signal, first + i second, may differ in size by many orders of
// magnitude (raw views, or an outlier). Scaling them by powers of two to equal size costs no
// accuracy and keeps the smaller one's.
template <class Scalar>
struct Balance {
  Scalar first = 1, second = 1;  // the factors; their product is 1
};

template <class Scalar>
Balance<Scalar> balance(const Scalar* first, const Scalar* second, Index features) {
  Scalar largest_first = 0, largest_second = 0;
  for (Index j = 0; j < features; ++j) {
    largest_first = std::max(largest_first, std::abs(first[j]));
    largest_second = std::max(largest_second, std::abs(second[j]));
  }
  constexpr int kLimit = std::numeric_limits<Scalar>::max_exponent / 2 - 4;
  int exponent = 0;
  if (!(largest_first > 0) || !(largest_second > 0)) {
    // A row of zeros needs no room.
    exponent = largest_first > 0 ? -kLimit / 2 : largest_second > 0 ? kLimit / 2 : 0;
  } else if (std::isfinite(largest_first) && std::isfinite(largest_second)) {
    exponent = (std::ilogb(largest_second) - std::ilogb(largest_first)) / 2;
  }
  exponent = std::max(-kLimit, std::min(kLimit, exponent));
  return {std::ldexp(Scalar(1), exponent), std::ldexp(Scalar(1), -exponent)};
}

// products_j += gradient_j x'_j for features first .. first + count - 1 of one row, at most kBlock.
template <class Scalar>
void add_products(const PreparedView<Scalar>& view, const Scalar* x, const Scalar* gradient,
                  Index first, Index count, Scalar* products) {
  alignas(kWorkspaceAlignment) Scalar block[kBlock];
  const Scalar* prepared = view.prepare(x, first, count, block);
  for (Index j = 0; j < count; ++j) {
    products[j] += gradient[j] * prepared[j];
  }
}

// Whether the second row of a signal is stored reversed, rev(x)_j = x_{(-j) mod d}, so that the
// product of two spectra is the transform of a correlation.
enum class SecondRow { as_is, reversed };

// Moves pairs of prepared rows into complex signals, and pairs of derivatives back. Both go in
// chunks of positions, so that what belongs to a feature is read once for several signals; what
// moves whole signals, a permutation, comes between them and the transforms.
template <class Scalar>
class Packing {
 public:
  using Complex = std::complex<Scalar>;

  // `permutation` may be empty.
  Packing(Index features, const std::vector<Index>& permutation, SecondRow second_row)
      : features_(features), reversed_(second_row == SecondRow::reversed) {
    if (!permutation.empty()) {
      permutation_ = Buffer<std::int32_t>(features);
      inverse_ = Buffer<std::int32_t>(features);
      for (Index j = 0; j < features; ++j) {
        const Index source = permutation[static_cast<std::size_t>(j)];
        permutation_[j] = static_cast<std::int32_t>(source);
        inverse_[source] = static_cast<std::int32_t>(j);
      }
    }
  }

  // Whether permute() and restore() are to be called.
  bool permutes() const { return static_cast<bool>(permutation_); }

  bool reverses() const { return reversed_; }

  // Calls body(first, count) for the chunks of positions that load() and split() take.
  template <class Body>
  void for_each_positions(const Body& body) const {
    const Index start = swaps_ends() ? 1 : 0;  // position 0 is its own mirror image
    if (start > 0) {
      body(Index{0}, start);
    }
    for_each_chunk(features_ - start, kBlock,
                   [&](Index begin, Index end) { body(start + begin, end - begin); });
  }

  // Where the second row's features of a chunk of positions begin: they are as many, and run
  // backwards where the row is reversed.
  Index second_column(Index first, Index count) const {
    return swaps_ends() && first > 0 ? features_ - first - count + 1 : first;
  }

  // signal_j = factor first'_j + i factor second'_j for a chunk of positions, the second row
  // reversed unless permute() does that. A missing second row is zero. Bound by bytes.
  void load(const PreparedView<Scalar>& first_view, const Scalar* first_row,
            const PreparedView<Scalar>& second_view, const Scalar* second_row,
            const Balance<Scalar>& factors, Index first, Index count, Complex* signal) const {
    alignas(kWorkspaceAlignment) Scalar first_block[kBlock], second_block[kBlock];
    auto* to = reinterpret_cast<Scalar*>(signal + first);
    const Scalar* u = first_view.prepare(first_row + first, first, count, first_block);
    if (second_row == nullptr) {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = factors.first * u[i];
        to[2 * i + 1] = 0;
      }
      return;
    }
    const Index column = second_column(first, count);
    const Scalar* v = second_view.prepare(second_row + column, column, count, second_block);
    if (swaps_ends()) {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = factors.first * u[i];
        to[2 * i + 1] = factors.second * v[count - 1 - i];
      }
    } else {
      for (Index i = 0; i < count; ++i) {
        to[2 * i] = factors.first * u[i];
        to[2 * i + 1] = factors.second * v[i];
      }
    }
  }

  // permuted_j = loaded_{p_j}, the imaginary part reversed if that is to be. Bound by the latency
  // of the gather.
  void permute(const Complex* loaded, Complex* permuted) const {
    const std::int32_t* source = permutation_.data();
    if (!reversed_) {
      for (Index j = 0; j < features_; ++j) {
        permuted[j] = loaded[source[j]];
      }
      return;
    }
    permuted[0] = loaded[source[0]];
    for (Index j = 1, mirrored = features_ - 1; j <= mirrored; ++j, --mirrored) {
      const Complex x = loaded[source[j]], y = loaded[source[mirrored]];
      permuted[j] = Complex(x.real(), y.imag());
      permuted[mirrored] = Complex(y.real(), x.imag());
    }
  }

  // Undoes permute().
  void restore(const Complex* permuted, Complex* restored) const {
    const std::int32_t* target = inverse_.data();
    if (!reversed_) {
      for (Index i = 0; i < features_; ++i) {
        restored[i] = permuted[target[i]];
      }
      return;
    }
    for (Index i = 0; i < features_; ++i) {
      const Index j = target[i], mirrored = j == 0 ? 0 : features_ - j;
      restored[i] = Complex(permuted[j].real(), permuted[mirrored].imag());
    }
  }

  // Splits a chunk of positions into parts of two gradient rows. `second_row` may be null.
  void split(const Complex* signal, Index first, Index count, const Balance<Scalar>& factors,
             Scalar* first_row, Scalar* second_row) const {
    const auto* y = reinterpret_cast<const Scalar*>(signal + first);
    first_row += first;
    if (second_row == nullptr) {
      for (Index i = 0; i < count; ++i) {
        first_row[i] = factors.first * y[2 * i];
      }
      return;
    }
    second_row += second_column(first, count);
    if (swaps_ends()) {
      for (Index i = 0; i < count; ++i) {
        first_row[i] = factors.first * y[2 * i];
        second_row[count - 1 - i] = factors.second * y[2 * i + 1];
      }
    } else {
      for (Index i = 0; i < count; ++i) {
        first_row[i] = factors.first * y[2 * i];
        second_row[i] = factors.second * y[2 * i + 1];
      }
    }
  }

 private:
  // Whether load() and split() reverse the second row; otherwise permute() and restore() do.
  bool swaps_ends() const { return reversed_ && !permutes(); }

  Index features_;
  bool reversed_;
  Buffer<std::int32_t> permutation_, inverse_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_PACKING_HPP_
