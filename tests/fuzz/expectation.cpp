#include "expectation.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <vector>

#include "support/differences.hpp"

// Compiled without sanitizers: the definition takes most of the time, and none of it is the
// library's.

namespace decorr_fuzz {
namespace {

using RealVector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;
namespace naive = decorr_tests::naive;

/// The step of the central differences, of directions that are as large as the data.
constexpr Real kStep = 0x1p-22L;
/// Of what a central difference is off by, relative to the function's scale: a hundred times the
/// squared step (derivatives of the third order), and long double's rounding over the step.
constexpr Real kTruncation = 100 * kStep * kStep;
constexpr Real kDifferenceRounding = 64 * std::numeric_limits<Real>::epsilon() / kStep;
/// The Gram matrices' forms are "as accurate as through C up to a factor of ten"
/// (regularizers.hpp).
constexpr Real kGramFactor = 10;

enum class Preparation { none, centred, standardized };

Preparation preparation_of(const LossCase& loss_case) {
  const bool plain =
      loss_case.family == Family::regularizer ||
      (loss_case.family == Family::barlow_twins && !loss_case.barlow_twins.standardize);
  return plain                                      ? Preparation::none
         : loss_case.family == Family::barlow_twins ? Preparation::standardized
                                                    : Preparation::centred;
}

/// Features of a view.
struct FeatureSizes {
  RealVector mean, deviation;  ///< absolute; epsilon included
  bool well_conditioned = true;
};

FeatureSizes feature_sizes(const RealMatrix& x, Preparation preparation, Real epsilon,
                           const Arithmetic& arithmetic) {
  FeatureSizes sizes{RealVector::Zero(x.cols()), RealVector::Zero(x.cols()), true};
  if (preparation == Preparation::none) {
    const Real largest = x.cwiseAbs().maxCoeff();
    for (Index j = 0; j < x.cols(); ++j) {
      const Real own = x.col(j).cwiseAbs().maxCoeff();
      sizes.deviation[j] = own > 0 ? own : largest > 0 ? largest : 1;
    }
    return sizes;
  }
  const Index freedom = preparation == Preparation::standardized ? x.rows() : x.rows() - 1;
  for (Index j = 0; j < x.cols(); ++j) {
    const bool constant = x.col(j).minCoeff() == x.col(j).maxCoeff();
    const RealMatrix centred = naive::centred(x.col(j).array() - x(0, j));
    const Real own = constant ? 0 : std::sqrt(naive::variance(centred, 0, freedom));
    sizes.mean[j] = std::abs(x.col(j).mean());
    sizes.deviation[j] = std::hypot(own, std::sqrt(epsilon));
    // Beyond that the first order does not tell; and what losses.hpp says of deviations' range.
    const Real leap = arithmetic.accumulator_unit * sizes.mean[j];
    sizes.well_conditioned = sizes.well_conditioned && (constant || own >= arithmetic.smallest) &&
                             (sizes.deviation[j] == 0 || leap <= 1e-6L * sizes.deviation[j]) &&
                             (constant || centred.cwiseAbs().maxCoeff() <= arithmetic.largest / 4);
  }
  return sizes;
}

/// A view as the regularizer meets it, in absolute values.
struct ViewSizes {
  RealMatrix entries;  ///< with what is left of the mean, in units of the scalar's rounding
  RealMatrix shifted;  ///< with all of the mean: what long double's rounding is relative to
  RealMatrix step;     ///< its change along the direction
};

ViewSizes view_sizes(const RealMatrix& x, const RealMatrix& direction, Preparation preparation,
                     const FeatureSizes& features, const Arithmetic& arithmetic) {
  ViewSizes sizes{x.cwiseAbs(), x.cwiseAbs(), direction.cwiseAbs()};
  if (preparation == Preparation::none) return sizes;
  const RealMatrix centred = naive::centred(x.rowwise() - x.row(0)).cwiseAbs();
  for (Index j = 0; j < x.cols(); ++j) {
    const bool scaled = preparation == Preparation::standardized;
    const Real sigma = scaled ? features.deviation[j] : 1;
    if (sigma == 0) {
      sizes.entries.col(j).setZero();
      sizes.shifted.col(j).setZero();
      sizes.step.col(j).setZero();
      continue;
    }
    const RealVector entry = centred.col(j) / sigma, along = sizes.step.col(j);
    const Real mean = features.mean[j] / sigma;
    sizes.entries.col(j) = entry.array() + arithmetic.accumulator_unit / arithmetic.unit * mean;
    sizes.shifted.col(j) = entry.array() + mean;
    sizes.step.col(j) = (along.array() + along.mean()) / sigma;
    if (scaled) sizes.step.col(j) += entry * (entry.dot(along) / Real(x.rows()) / sigma);
  }
  return sizes;
}

/// What the value and its derivative along the direction may be off by, without and with what the
/// central difference adds; and how near a lag sum or a hinge may be to its kink.
struct Bounds {
  Real value = 0, derivative = 0, kink = 0;
  Real gradient = 0;  ///< what no entry of the gradient by the prepared views is beyond
  bool in_range = true;
};

/// Of one R, with the weights of its blocks.
class RegularizerBound {
 public:
  RegularizerBound(const LossCase& loss_case, Index rows, Index features, bool is_covariance) {
    const auto d = static_cast<Real>(features);
    const decorr::Relaxed* relaxed = loss_case.relaxed();
    const bool block_mean = is_covariance && loss_case.vicreg.covariance_scaling ==
                                                 decorr::CovarianceScaling::block_mean;
    exponent_ = relaxed == nullptr ? 2 : relaxed->exponent;
    const Index b = relaxed == nullptr         ? 1
                    : relaxed->block_size == 0 ? features
                                               : relaxed->block_size;
    const Index blocks = (features + b - 1) / b, last_width = features - (blocks - 1) * b;
    lags_ = static_cast<Real>(b);
    blocks_ = static_cast<Real>(blocks);
    weight_ = !is_covariance ? 1
              : !block_mean
                  ? 1 / d
                  : std::pow(static_cast<Real>(last_width), -exponent_) *
                        std::max(1 / blocks_, blocks == 1 ? 0 : 4 / (blocks_ * (blocks_ - 1)));
    // Transforms of an awkward length go through one that is up to twice as long and more.
    growth_ = static_cast<Real>(rows) + 4 * std::log2(4 * lags_);
    if (exponent_ == 2 && rows < blocks) growth_ *= kGramFactor;
  }

  Real growth() const { return growth_; }

  /// `value` is R, weights included. Rows that are not brought to one size have each other's
  /// rounding.
  Bounds of(const ViewSizes& a, const ViewSizes& b, Real m, Real value, bool balanced,
            const Arithmetic& arithmetic) const {
    Real p = 0, t = 0, q = 0, f = 0, most = 0;
    for (Index k = 0; k < a.entries.rows(); ++k) {
      const Real of_a = a.entries.row(k).norm(), of_b = b.entries.row(k).norm();
      const Real step_a = a.step.row(k).norm(), step_b = b.step.row(k).norm();
      p += (balanced ? of_a * of_b : (of_a * of_a + of_b * of_b) / 2) / m;
      t += (balanced ? step_a * of_b + of_a * step_b : (step_a + step_b) * (of_a + of_b) / 2) / m;
      q += (of_a + step_a) * (of_b + step_b) / m;
      f += (a.shifted.row(k).norm() + step_a) * (b.shifted.row(k).norm() + step_b) / m;
      most = std::max({most, of_a, of_b});
    }
    const Real u = growth_ * arithmetic.unit, delta = u * p;
    Bounds bounds;
    bounds.kink = delta;
    if (exponent_ == 2) {
      // The middle lag may count by a half.
      bounds.value = 2 * std::sqrt(2 * weight_ * lags_ * std::max(value, Real(0))) * delta +
                     weight_ * lags_ * delta * delta;
      bounds.derivative =
          weight_ * lags_ * (4 * u * p * t + kTruncation * q * q + kDifferenceRounding * q * f);
    } else {
      bounds.value = weight_ * lags_ * blocks_ * delta;
      bounds.derivative =
          weight_ * lags_ * blocks_ * (u * t + kTruncation * q + kDifferenceRounding * f);
    }
    // The lags' own sum.
    bounds.value += lags_ * blocks_ * blocks_ * arithmetic.accumulator_unit * std::abs(value);
    // Products of the second and the fourth degree, and what a gradient is made of.
    const Real high = weight_ * lags_ * blocks_ * (q + 1) * (q + 1) * (most + 1);
    bounds.gradient = high;
    bounds.in_range = high < arithmetic.largest / 1e6L &&
                      (p == 0 || (p * p > arithmetic.smallest * 1e9L &&
                                  weight_ * p * p > arithmetic.smallest * 1e9L));
    return bounds;
  }

 private:
  int exponent_;
  Real lags_, blocks_, weight_, growth_;
};

/// The value, and what it and its derivative may be off by.
struct Terms {
  Real value = 0;
  Bounds bounds;
};

void add(Bounds& sum, const Bounds& part, Real weight) {
  sum.value += std::abs(weight) * part.value;
  sum.derivative += std::abs(weight) * part.derivative;
  sum.kink = std::max(sum.kink, part.kink);
  sum.gradient += std::abs(weight) * part.gradient;
  sum.in_range = sum.in_range && part.in_range;
}

/// sum_i (1 - C_ii)^2.
Bounds diagonal_bound(const ViewSizes& a, const ViewSizes& b, Real value, Real growth,
                      const Arithmetic& arithmetic) {
  const auto n = static_cast<Real>(a.entries.rows());
  const Real u = growth * arithmetic.unit;
  Bounds bounds;
  Real squares = 0;
  for (Index j = 0; j < a.entries.cols(); ++j) {
    const auto norm = [&](const RealMatrix& x) { return x.col(j).norm(); };
    const Real p = norm(a.entries) * norm(b.entries) / n;
    const Real t = (norm(a.step) * norm(b.entries) + norm(a.entries) * norm(b.step)) / n;
    const Real q = (norm(a.entries) + norm(a.step)) * (norm(b.entries) + norm(b.step)) / n;
    const Real f = (norm(a.shifted) + norm(a.step)) * (norm(b.shifted) + norm(b.step)) / n;
    const Real delta = u * p + arithmetic.unit;
    bounds.gradient = std::max(bounds.gradient, 2 * (1 + p) * (norm(a.entries) + norm(b.entries)));
    squares += delta * delta;
    bounds.derivative += 4 * (1 + p) * u * t + kTruncation * (1 + q) * (1 + q) +
                         kDifferenceRounding * (1 + q) * (1 + f);
  }
  bounds.value = 2 * std::sqrt(value * squares) + squares +
                 static_cast<Real>(a.entries.cols()) * arithmetic.accumulator_unit * value;
  return bounds;
}

Terms expect_cross_correlation(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b,
                               const ViewSizes& of_a, const ViewSizes& of_b,
                               const Arithmetic& arithmetic) {
  const auto n = static_cast<Real>(a.rows());
  const RegularizerBound regularizer(loss_case, a.rows(), a.cols(), false);
  if (loss_case.family == Family::regularizer) {
    const Real value = loss_case.definition(a, b);
    return {value, regularizer.of(of_a, of_b, n, value, true, arithmetic)};
  }
  const auto& options = loss_case.barlow_twins;
  const auto terms = naive::barlow_twins_loss(a, b, options, loss_case.regularizer);
  const Real weight = Real(options.scale) * options.lambda;
  Terms result{terms.value, {}};
  add(result.bounds,
      diagonal_bound(of_a, of_b, options.scale == 0 ? 0 : terms.diagonal / options.scale,
                     regularizer.growth(), arithmetic),
      options.scale);
  add(result.bounds,
      regularizer.of(of_a, of_b, n, weight == 0 ? 0 : terms.off_diagonal / weight,
                     !options.standardize, arithmetic),
      weight);
  result.bounds.value +=
      8 * arithmetic.unit * (std::abs(terms.diagonal) + std::abs(terms.off_diagonal));
  return result;
}

/// mean_j max(0, gamma - sigma_j).
Bounds hinge_bound(const FeatureSizes& features, const RealMatrix& direction, Real gamma,
                   Real growth, const Arithmetic& arithmetic) {
  const auto d = static_cast<Real>(direction.cols());
  const Real u = growth * arithmetic.unit;
  Bounds bounds;
  for (Index j = 0; j < direction.cols(); ++j) {
    const Real remainder = arithmetic.accumulator_unit / arithmetic.unit * features.mean[j];
    const Real off = u * (features.deviation[j] + remainder + std::abs(gamma));
    const Real along = direction.col(j).norm();
    const Real relative = features.deviation[j] == 0 ? 0 : remainder / features.deviation[j];
    bounds.value +=
        off / d + arithmetic.accumulator_unit * (features.deviation[j] + std::abs(gamma));
    bounds.kink = std::max(bounds.kink, off);
    bounds.derivative +=
        (u * (1 + relative) * along + kTruncation * (along + features.deviation[j]) +
         kDifferenceRounding *
             (along + features.deviation[j] + features.mean[j] + std::abs(gamma))) /
        d;
  }
  return bounds;
}

/// mean((A - B)^2).
Bounds invariance_bound(const RealMatrix& a, const RealMatrix& b, const RealMatrix& along_a,
                        const RealMatrix& along_b, Real value, Real growth,
                        const Arithmetic& arithmetic) {
  const auto size = static_cast<Real>(a.size());
  const RealMatrix apart = (a - b).cwiseAbs(), along = along_a.cwiseAbs() + along_b.cwiseAbs();
  const RealMatrix reach = apart + along, full = a.cwiseAbs() + b.cwiseAbs() + along;
  const Real u = growth * arithmetic.unit;
  Bounds bounds;
  bounds.value = (u + size * arithmetic.accumulator_unit) * value;
  bounds.derivative = (2 * u * apart.cwiseProduct(along).sum() + kTruncation * reach.squaredNorm() +
                       kDifferenceRounding * reach.cwiseProduct(full).sum()) /
                      size;
  bounds.in_range = reach.squaredNorm() < arithmetic.largest / 1e6L;
  return bounds;
}

Terms terms_of(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b,
               const RealMatrix& along_a, const RealMatrix& along_b, const FeatureSizes& features_a,
               const FeatureSizes& features_b, const Arithmetic& arithmetic) {
  const Preparation preparation = preparation_of(loss_case);
  const ViewSizes of_a = view_sizes(a, along_a, preparation, features_a, arithmetic);
  const ViewSizes of_b = view_sizes(b, along_b, preparation, features_b, arithmetic);
  Terms result;
  if (preparation != Preparation::centred) {
    result = expect_cross_correlation(loss_case, a, b, of_a, of_b, arithmetic);
  } else {
    const auto& options = loss_case.vicreg;
    const RegularizerBound regularizer(loss_case, a.rows(), a.cols(), true);
    const auto m = static_cast<Real>(a.rows() - 1);
    const auto with_terms = [&](const auto& terms, bool two_views) {
      const Real weight = Real(options.scale) * options.covariance;
      const Real value = weight == 0 ? 0 : terms.covariance / weight;
      const Real hinge = Real(options.scale) * options.variance;
      result.value = terms.value;
      add(result.bounds, regularizer.of(of_a, of_a, m, value, true, arithmetic), weight);
      add(result.bounds,
          hinge_bound(features_a, along_a, options.gamma, regularizer.growth(), arithmetic), hinge);
      result.bounds.value +=
          8 * arithmetic.unit * (std::abs(terms.covariance) + std::abs(terms.variance));
      if (!two_views) return;
      add(result.bounds, regularizer.of(of_b, of_b, m, value, true, arithmetic), weight);
      add(result.bounds,
          hinge_bound(features_b, along_b, options.gamma, regularizer.growth(), arithmetic), hinge);
    };
    if (loss_case.is_single_view()) {
      with_terms(naive::variance_covariance_loss(a, options, loss_case.regularizer), false);
    } else {
      const auto terms = naive::vicreg_loss(a, b, options, loss_case.regularizer);
      with_terms(terms, true);
      const Real weight = Real(options.scale) * options.invariance;
      add(result.bounds,
          invariance_bound(a, b, along_a, along_b, weight == 0 ? 0 : terms.invariance / weight,
                           regularizer.growth(), arithmetic),
          weight);
      result.bounds.value += 8 * arithmetic.unit * std::abs(terms.invariance);
    }
  }
  result.bounds.value += 8 * arithmetic.unit * std::abs(result.value);
  result.bounds.in_range = result.bounds.in_range && features_a.well_conditioned &&
                           (loss_case.is_single_view() || features_b.well_conditioned);
  return result;
}

FeatureSizes sizes_of(const LossCase& loss_case, const RealMatrix& x,
                      const Arithmetic& arithmetic) {
  const bool of_barlow_twins = loss_case.family == Family::barlow_twins;
  return feature_sizes(x, preparation_of(loss_case),
                       of_barlow_twins ? loss_case.barlow_twins.epsilon : loss_case.vicreg.epsilon,
                       arithmetic);
}

// Losses that centre each view do not change with its means, which cost long double digits.
RealMatrix without_offset(const LossCase& loss_case, const RealMatrix& x) {
  if (preparation_of(loss_case) == Preparation::none || loss_case.family == Family::vicreg) {
    return x;
  }
  return x.rowwise() - x.row(0);
}

// Standardized features' gradients are divided by their deviations.
bool has_gradients_in_range(const LossCase& loss_case, const Bounds& bounds,
                            std::initializer_list<const FeatureSizes*> views,
                            const Arithmetic& arithmetic) {
  Real least = 1;
  for (const FeatureSizes* features : views) {
    for (const Real deviation : features->deviation) {
      if (deviation > 0) least = std::min(least, deviation);
    }
  }
  return preparation_of(loss_case) != Preparation::standardized ||
         bounds.gradient / least < arithmetic.largest / 1e6L;
}

// Nothing where a lag sum or a hinge is no farther from its kink than rounding may take it.
std::optional<Real> derivative_along(const LossCase& loss_case, const RealMatrix& a,
                                     const RealMatrix& b, const RealMatrix& along_a,
                                     const RealMatrix& along_b, Real kink) {
  naive::Sides sides;
  loss_case.definition(a, b, &sides);
  if (!std::all_of(sides.begin(), sides.end(),
                   [&](Real distance) { return std::abs(distance) > kink; })) {
    return std::nullopt;
  }
  return decorr_tests::central_difference(
      [&](const RealMatrix& x, const RealMatrix& y, naive::Sides* of) {
        return loss_case.definition(x, y, of);
      },
      a, b, along_a, along_b, kStep);
}

}  // namespace

bool is_not_finite(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b) {
  if (preparation_of(loss_case) != Preparation::none) return !a.allFinite() || !b.allFinite();
  return !std::isfinite(loss_case.definition(a, b));
}

void scale_directions(const LossCase& loss_case, const RealMatrix& a, const RealMatrix& b,
                      RealMatrix& along_a, RealMatrix& along_b) {
  const Arithmetic arithmetic = arithmetic_of<long double>();
  along_a *= sizes_of(loss_case, a, arithmetic).deviation.asDiagonal();
  along_b *= sizes_of(loss_case, b, arithmetic).deviation.asDiagonal();
}

std::optional<Expectation> expect(const LossCase& loss_case, const RealMatrix& a,
                                  const RealMatrix& b, const RealMatrix& along_a,
                                  const RealMatrix& along_b, const Arithmetic& arithmetic) {
  const RealMatrix x = without_offset(loss_case, a), y = without_offset(loss_case, b);
  const FeatureSizes of_a = sizes_of(loss_case, a, arithmetic);
  const FeatureSizes of_b = sizes_of(loss_case, b, arithmetic);
  const Terms terms = terms_of(loss_case, x, y, along_a, along_b, of_a, of_b, arithmetic);
  if (!terms.bounds.in_range) return std::nullopt;
  Expectation result{{terms.value, terms.bounds.value}, {}};
  const bool is_asked_for = !along_a.isZero(0) || !along_b.isZero(0);
  if (is_asked_for && has_gradients_in_range(loss_case, terms.bounds, {&of_a, &of_b}, arithmetic)) {
    const auto derivative = derivative_along(loss_case, x, y, along_a, along_b, terms.bounds.kink);
    if (derivative) result.derivative = Expected{*derivative, terms.bounds.derivative};
  }
  return result;
}

ExpectedLags expect_sumvec(const RealMatrix& a, const RealMatrix& b, const Arithmetic& arithmetic) {
  LossCase loss_case;
  loss_case.regularizer = decorr::Relaxed();
  const RealMatrix still = RealMatrix::Zero(a.rows(), a.cols());
  const Bounds bounds =
      RegularizerBound(loss_case, a.rows(), a.cols(), false)
          .of({a.cwiseAbs(), a.cwiseAbs(), still}, {b.cwiseAbs(), b.cwiseAbs(), still},
              static_cast<Real>(a.rows()), 0, true, arithmetic);
  ExpectedLags result{naive::sumvec(a, b), {}};
  if (bounds.in_range) result.bound = bounds.kink;
  return result;
}

}  // namespace decorr_fuzz
