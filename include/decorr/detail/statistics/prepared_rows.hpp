#ifndef DECORR_DETAIL_STATISTICS_PREPARED_ROWS_HPP_
#define DECORR_DETAIL_STATISTICS_PREPARED_ROWS_HPP_

#include <cstdint>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/standardization.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// How the raw rows of one view become those that a regularizer sees, x'_j = s_j x^_j, with
// standardization and signs s folded into one affine map. What is not asked for costs nothing. The
// permutation comes later: it moves both rows of a signal at once.
template <class Scalar>
class Preparation {
 public:
  // Rows as they are.
  Preparation() = default;
  // `signs` may be null, and are kept as a pointer.
  DECORR_DETAIL_COLD Preparation(Arena& arena, Index features,
                                 const Standardization<Scalar>& standardization,
                                 const std::int8_t* signs)
      : standardization_(standardization), signs_(signs) {
    if (signs_ != nullptr) {
      factor_ = Buffer<Scalar>(arena, features);
      for (Index j = 0; j < features; ++j) {
        factor_[j] = Scalar(signs_[j]) * standardization.factor(j);
      }
    }
  }

  // The same with one feature multiplied by `factor`.
  DECORR_DETAIL_COLD Preparation with_feature_times(Arena& arena, Index features, Index feature,
                                                    Scalar factor) const {
    Preparation changed = *this;
    changed.factor_ = Buffer<Scalar>(arena, features);
    for (Index j = 0; j < features; ++j) {
      changed.factor_[j] =
          (factor_ ? factor_[j] : standardization_.factor(j)) * (j == feature ? factor : Scalar(1));
    }
    return changed;
  }

  bool has_signs() const noexcept { return signs_ != nullptr; }
  void multiply_by_signs(Buffer<Scalar>& features) const noexcept {
    if (signs_ != nullptr) {
      for (Index j = 0; j < features.size(); ++j) {
        features[j] *= Scalar(signs_[j]);
      }
    }
  }
  // Without standardization two views may differ in scale by any factor.
  bool is_raw() const noexcept { return standardization_.is_identity(); }
  const Standardization<Scalar>& standardization() const noexcept { return standardization_; }

  // Prepares x, which holds features first .. first + count - 1 of a row: x itself where there is
  // nothing to do, otherwise `buffer`.
  const Scalar* apply(const Scalar* x, Index first, Index count, Scalar* buffer) const noexcept {
    if (is_raw() && !factor_) {
      return x;
    }
    standardization_.apply(x, first, count, factor_, buffer);
    return buffer;
  }

 private:
  Standardization<Scalar> standardization_;
  const std::int8_t* signs_ = nullptr;
  Buffer<Scalar> factor_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_PREPARED_ROWS_HPP_
