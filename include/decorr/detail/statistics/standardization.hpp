#ifndef DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_
#define DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_

#include <algorithm>
#include <cmath>
#include <limits>

#include "decorr/detail/kernels/reduction.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/moments.hpp"

// What the moments say of each feature, and the centring and scaling that follow from it.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Zero for a deviation that is zero (constant feature, epsilon = 0) or below the scalar's normal
// numbers, whose inverse would overflow.
template <class Scalar>
Accumulator<Scalar> inverse_deviation(Accumulator<Scalar> deviation) noexcept {
  using Sum = Accumulator<Scalar>;
  return deviation < Sum(std::numeric_limits<Scalar>::min()) ? Sum(0) : Sum(1) / deviation;
}

// Of one view, for each feature over the whole batch.
template <class Scalar>
struct ViewStatistics {
  using Sum = Accumulator<Scalar>;

  Buffer<Sum> mean;
  Buffer<Sum> spread;     // sqrt(variance)
  Buffer<Sum> deviation;  // sqrt(variance + epsilon)

  // The deviation that a feature has when it is standardized: 1, but where epsilon counts.
  Sum standardized(Index j) const noexcept {
    return spread[j] * inverse_deviation<Scalar>(deviation[j]);
  }
};

// The variance is the sum of squares over `degrees`.
template <class Scalar>
DECORR_DETAIL_COLD ViewStatistics<Scalar> view_statistics(Arena& arena,
                                                          const ViewMoments<Scalar>& moments,
                                                          Accumulator<Scalar> degrees,
                                                          Accumulator<Scalar> epsilon) {
  using Sum = Accumulator<Scalar>;
  const Index features = moments.squares.size();
  ViewStatistics<Scalar> statistics{moments.mean, Buffer<Sum>(arena, features),
                                    Buffer<Sum>(arena, features)};
  Buffer<Sum>&spread = statistics.spread, &deviation = statistics.deviation;
  // In two loops, as a compiler that keeps errno has no vectors for the second.
  for (Index j = 0; j < features; ++j) {
    spread[j] = moments.squares[j] / degrees;
    deviation[j] = spread[j] + epsilon;
  }
  for (Index j = 0; j < features; ++j) {
    spread[j] = std::sqrt(spread[j]);
    deviation[j] = std::sqrt(deviation[j]);
  }
  if (moments.unit) {
    const Sum least = std::sqrt(epsilon);
    for (Index j = 0; j < features; ++j) {
      spread[j] *= Sum(moments.unit[j]);
      deviation[j] = std::hypot(spread[j], least);
    }
  }
  return statistics;
}

// The largest deviation that a standardized feature of a view has: 1, but where epsilon outweighs
// all variances. Where these have underflowed beside it, it is too small, at the least 0.
template <class Scalar>
DECORR_DETAIL_COLD Accumulator<Scalar> largest_standardized(
    const ViewStatistics<Scalar>& statistics) noexcept {
  return largest_of(statistics.spread.size(), Accumulator<Scalar>(0),
                    [&](Index j) noexcept { return statistics.standardized(j); });
}
// Whether rows of two standardized views may differ in size by so much that the larger one's
// rounding costs the other one digits.
template <class Sum>
bool differ_in_size(Sum largest_a, Sum largest_b) noexcept {
  constexpr Sum kLeast = Sum(1) / (Index{1} << 40);  // of what cannot have underflowed
  const Sum least = std::min(largest_a, largest_b);
  return !(least >= kLeast && 4 * least >= std::max(largest_a, largest_b));
}

// Of two views together.
template <class Scalar>
struct PairStatistics {
  using Sum = Accumulator<Scalar>;

  Buffer<Sum> diagonal;              // of C
  Buffer<Sum> inverse_a, inverse_b;  // of the deviations; 1 where there is no standardization
};

// Of standardized views.
template <class Scalar>
DECORR_DETAIL_COLD PairStatistics<Scalar> pair_statistics(Arena& arena,
                                                          const Moments<Scalar>& moments,
                                                          const ViewStatistics<Scalar>& a,
                                                          const ViewStatistics<Scalar>& b) {
  using Sum = Accumulator<Scalar>;
  const Index features = moments.products.size();
  const Sum n = static_cast<Sum>(moments.count);
  PairStatistics<Scalar> pair{Buffer<Sum>(arena, features), Buffer<Sum>(arena, features),
                              Buffer<Sum>(arena, features)};
  for (Index j = 0; j < features; ++j) {
    pair.inverse_a[j] = inverse_deviation<Scalar>(a.deviation[j]);
    pair.inverse_b[j] = inverse_deviation<Scalar>(b.deviation[j]);
    pair.diagonal[j] = moments.products[j] / n * (moments.a.unit_of(j) * pair.inverse_a[j]) *
                       (moments.b.unit_of(j) * pair.inverse_b[j]);
  }
  return pair;
}
// Of views that are taken as they are, before their diagonal is known.
template <class Scalar>
DECORR_DETAIL_COLD PairStatistics<Scalar> pair_statistics(Arena& arena, Index features) {
  using Sum = Accumulator<Scalar>;
  const Buffer<Sum> ones(arena, features, Sum(1));
  return {Buffer<Sum>(arena, features), ones, ones};
}

// What belongs to consecutive features, from one of them on, or to a single feature, each as an
// array over the numbers of a row or of a column.
template <class Scalar>
struct PerRow {
  Index first;

  struct Values {
    const Scalar* values;
    Scalar operator[](Index i) const noexcept { return values[i]; }
  };
  Values of(const Buffer<Scalar>& features) const noexcept { return {features.data() + first}; }
};
template <class Scalar>
struct PerColumn {
  Index feature;

  struct Values {
    Scalar value;
    Scalar operator[](Index) const noexcept { return value; }
  };
  Values of(const Buffer<Scalar>& features) const noexcept { return {features[feature]}; }
};

// x^_j = ((x_j - center_j) - residual_j) * factor_j. The mean is center + residual: the first
// difference is nearly exact whatever the mean, the second restores what the rounded centre left
// out. It is dropped where it is small beside the rounding of x^ in every feature.
template <class Scalar>
class Standardization {
 public:
  using Sum = Accumulator<Scalar>;

  // The identity.
  Standardization() = default;
  // Centring; with `scales`, division by the deviations too.
  DECORR_DETAIL_COLD Standardization(Arena& arena, const ViewStatistics<Scalar>& statistics,
                                     bool scales)
      : center_(arena, statistics.mean.size()),
        factor_(arena, statistics.mean.size()),
        residual_(arena, statistics.mean.size()) {
    Index significant = 0;
    for (Index j = 0; j < center_.size(); ++j) {
      const Sum mean = statistics.mean[j];
      center_[j] = static_cast<Scalar>(mean);
      factor_[j] = scales ? static_cast<Scalar>(inverse_deviation<Scalar>(statistics.deviation[j]))
                          : Scalar(1);
      const Sum residual = mean - Sum(center_[j]);
      residual_[j] = static_cast<Scalar>(residual);
      const Sum rounding = Sum(std::numeric_limits<Scalar>::epsilon()) * statistics.spread[j];
      significant += std::abs(residual) <= rounding ? 0 : 1;
    }
    if (significant == 0) {
      residual_ = Buffer<Scalar>();
    }
  }

  bool is_identity() const noexcept { return !center_; }
  Scalar factor(Index j) const noexcept { return is_identity() ? Scalar(1) : factor_[j]; }

  // Empty where there is nothing to subtract, or to multiply by.
  const Buffer<Scalar>& centers() const noexcept { return center_; }
  const Buffer<Scalar>& residuals() const noexcept { return residual_; }
  const Buffer<Scalar>& factors() const noexcept { return factor_; }

  // Standardizes numbers of a row from feature `first` on. `factor` replaces the deviation's where
  // not empty.
  DECORR_DETAIL_NOINLINE void apply(const Scalar* x, Index first, Index count,
                                    const Buffer<Scalar>& factor, Scalar* result) const noexcept {
    const PerRow<Scalar> at{first};
    const Buffer<Scalar>& factors = factor ? factor : factor_;
    if (is_identity()) {
      if (!factors) {
        for (Index j = 0; j < count; ++j) {
          result[j] = x[j];
        }
        return;
      }
      const auto f = at.of(factors);
      for (Index j = 0; j < count; ++j) {
        result[j] = x[j] * f[j];
      }
      return;
    }
    const auto f = at.of(factors), c = at.of(center_);
    if (residual_) {
      const auto r = at.of(residual_);
      for (Index j = 0; j < count; ++j) {
        result[j] = ((x[j] - c[j]) - r[j]) * f[j];
      }
      return;
    }
    for (Index j = 0; j < count; ++j) {
      result[j] = (x[j] - c[j]) * f[j];
    }
  }

 private:
  Buffer<Scalar> center_, factor_, residual_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_STANDARDIZATION_HPP_
