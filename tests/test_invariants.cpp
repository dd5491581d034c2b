// What must stay the same, or change in a known way, when the input is changed.
#include <doctest/doctest.h>

#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/calls.hpp"
#include "support/cases.hpp"
#include "support/random_matrices.hpp"

namespace test_invariants {

namespace {

using namespace decorr_tests;
using decorr::CovarianceScaling;
using Matrix = RowMajor<double>;
using Permutation = std::vector<Index>;

constexpr double kTolerance = 1e-11;

// Value and gradients of any loss.
struct Result {
  double value;
  Matrix grad_a, grad_b;
};
using Function = std::function<Result(const Matrix&, const Matrix&, const Regularizer&)>;

template <class Call>
Result evaluate(const Matrix& a, const Call& call) {
  Result result{0, Matrix::Zero(a.rows(), a.cols()), Matrix::Zero(a.rows(), a.cols())};
  result.value = call(result.grad_a, result.grad_b);
  return result;
}

Result bare(const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
  return evaluate(a, [&](Matrix& grad_a, Matrix& grad_b) {
    return cross_correlation_regularizer(regularizer, a, b, grad_a, grad_b);
  });
}

Result barlow_twins(const Matrix& a, const Matrix& b, const Regularizer& regularizer,
                    const decorr::BarlowTwinsOptions& options) {
  return evaluate(a, [&](Matrix& grad_a, Matrix& grad_b) {
    return barlow_twins_loss(regularizer, a, b, grad_a, grad_b, options).value;
  });
}

Result vicreg(const Matrix& a, const Matrix& b, const Regularizer& regularizer,
              const decorr::VicregOptions& options) {
  return evaluate(a, [&](Matrix& grad_a, Matrix& grad_b) {
    return vicreg_loss(with_signs_of_both(regularizer), a, b, grad_a, grad_b, options).value;
  });
}

// The covariance terms alone.
Result covariance_terms(const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
  decorr::VicregOptions options;
  options.invariance = options.variance = 0;
  return vicreg(a, b, regularizer, options);
}

struct NamedFunction {
  std::string name;
  Function function;
};

const std::vector<NamedFunction> kFunctions{
    {"r_off or r_sum", bare},
    {"barlow_twins_loss",
     [](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
       return barlow_twins(a, b, regularizer, balanced_barlow_twins_options(true, a.rows()));
     }},
    {"barlow_twins_loss of standardized views",
     [](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
       return barlow_twins(a, b, regularizer, balanced_barlow_twins_options(false, a.rows()));
     }},
    {"vicreg_loss",
     [](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
       return vicreg(a, b, regularizer,
                     balanced_vicreg_options(false, CovarianceScaling::per_dimension));
     }},
    {"vicreg_loss, block means",
     [](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
       return vicreg(a, b, regularizer,
                     balanced_vicreg_options(true, CovarianceScaling::block_mean));
     }},
    {"covariance terms", covariance_terms},
};

void check_same(const Result& actual, const Result& expected) {
  CHECK(relative_error(actual.value, expected.value) < kTolerance);
  CHECK(relative_error(actual.grad_a, expected.grad_a) < kTolerance);
  CHECK(relative_error(actual.grad_b, expected.grad_b) < kTolerance);
}

const std::vector<Shape> kShapes{{6, 2}, {9, 5}, {5, 12}, {70, 8}, {6, 31}};

template <class Check>
void for_each_case(const Check& check) {
  for (const Shape& shape : kShapes) {
    const auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 1);
    for (const Regularizer& regularizer : all_regularizers(shape.cols, 1)) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(describe(regularizer));
      check(a, b, regularizer);
    }
  }
}

template <class Check>
void for_each_function_and_case(const Check& check) {
  for (const NamedFunction& named : kFunctions) {
    CAPTURE(named.name);
    for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
      check(named.function, a, b, regularizer);
    });
  }
}

Permutation identity_permutation(Index size) {
  Permutation permutation(static_cast<std::size_t>(size));
  std::iota(permutation.begin(), permutation.end(), Index{0});
  return permutation;
}

// Column j of the result is column permutation[j], and the way back.
Matrix gathered(const Matrix& x, const Permutation& permutation) {
  Matrix result(x.rows(), x.cols());
  for (Index j = 0; j < x.cols(); ++j) {
    result.col(j) = x.col(permutation[static_cast<std::size_t>(j)]);
  }
  return result;
}
Matrix scattered(const Matrix& x, const Permutation& permutation) {
  Matrix result(x.rows(), x.cols());
  for (Index j = 0; j < x.cols(); ++j) {
    result.col(permutation[static_cast<std::size_t>(j)]) = x.col(j);
  }
  return result;
}

Matrix signed_features(Matrix x, const std::vector<std::int8_t>& signs) {
  for (std::size_t j = 0; j < signs.size(); ++j) {
    x.col(static_cast<Index>(j)) *= signs[j];
  }
  return x;
}

const decorr::Relaxed* relaxed_of(const Regularizer& regularizer) {
  return std::get_if<decorr::Relaxed>(&regularizer);
}
bool has_signs(const Regularizer& regularizer) {
  return relaxed_of(regularizer) != nullptr && !relaxed_of(regularizer)->signs_a.empty();
}
int exponent_of(const Regularizer& regularizer) {
  return relaxed_of(regularizer) == nullptr ? 2 : relaxed_of(regularizer)->exponent;
}

decorr::Relaxed relaxed_with_exponent(int exponent) {
  decorr::Relaxed relaxed;
  relaxed.exponent = exponent;
  return relaxed;
}

// Of the gradient's size, they are rounding.
void check_column_sums_vanish(const Matrix& gradient) {
  CHECK(gradient.colwise().sum().cwiseAbs().maxCoeff() <
        kTolerance * gradient.cwiseAbs().maxCoeff());
}

// Of all entries: <x, grad>.
double inner_product(const Matrix& x, const Matrix& gradient) {
  return x.cwiseProduct(gradient).sum();
}

}  // namespace

TEST_CASE("blocks of one feature with exponent 2 are the exact regularizer") {
  decorr::Relaxed single;
  single.block_size = 1;
  for (const NamedFunction& named : kFunctions) {
    for (const Shape& shape : kShapes) {
      CAPTURE(named.name);
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      const auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 1);
      check_same(named.function(a, b, single), named.function(a, b, decorr::Exact{}));
    }
  }
}

TEST_CASE("a block of all features is the same by its size and by 0") {
  for_each_function_and_case(
      [](const Function& function, const Matrix& a, const Matrix& b, Regularizer regularizer) {
        auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
        if (relaxed != nullptr && relaxed->block_size == 0) {
          const Result expected = function(a, b, regularizer);
          relaxed->block_size = a.cols();
          check_same(function(a, b, regularizer), expected);
        }
      });
}

TEST_CASE("a value does not depend on whether gradients are asked for") {
  for_each_case([](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const auto barlow_twins_options = balanced_barlow_twins_options(true, a.rows());
    const auto vicreg_options = balanced_vicreg_options(true, CovarianceScaling::block_mean);
    Matrix grad_a(a.rows(), a.cols()), grad_b(a.rows(), a.cols());
    const auto check = [](double value_only, double value) {
      CHECK(relative_error(value_only, value) < kTolerance);
    };
    check(cross_correlation_regularizer(regularizer, a, b),
          cross_correlation_regularizer(regularizer, a, b, grad_a, grad_b));
    check(barlow_twins_loss(regularizer, a, b, barlow_twins_options).value,
          barlow_twins_loss(regularizer, a, b, grad_a, grad_b, barlow_twins_options).value);
    const Regularizer both = with_signs_of_both(regularizer);
    check(vicreg_loss(both, a, b, vicreg_options).value,
          vicreg_loss(both, a, b, grad_a, grad_b, vicreg_options).value);
    check(variance_covariance_loss(regularizer, a, vicreg_options).value,
          variance_covariance_loss(regularizer, a, grad_a, vicreg_options).value);
  });
}

TEST_CASE("permuting the samples permutes the gradients") {
  for_each_function_and_case([](const Function& function, const Matrix& a, const Matrix& b,
                                const Regularizer& regularizer) {
    const auto rows = [](const Matrix& x, const Permutation& order) {
      return Matrix(gathered(x.transpose(), order).transpose());
    };
    const Permutation order = decorr::random_permutation(a.rows(), std::mt19937_64(1));
    const Result plain = function(a, b, regularizer);
    check_same(function(rows(a, order), rows(b, order), regularizer),
               {plain.value, rows(plain.grad_a, order), rows(plain.grad_b, order)});
  });
}

TEST_CASE("a cyclic shift of the features leaves R_sum unchanged and shifts its gradients") {
  for_each_function_and_case([](const Function& function, const Matrix& a, const Matrix& b,
                                const Regularizer& regularizer) {
    const auto* relaxed = relaxed_of(regularizer);
    if (relaxed == nullptr || has_signs(regularizer) || !relaxed->permutation.empty()) {
      return;
    }
    // Whole blocks move where there are several, so none may be short.
    const bool grouped = relaxed->block_size > 0;
    if (grouped && a.cols() % relaxed->block_size != 0) {
      return;
    }
    Permutation shift = identity_permutation(a.cols());
    std::rotate(shift.begin(), shift.begin() + (grouped ? relaxed->block_size % a.cols() : 1),
                shift.end());
    const Result plain = function(a, b, regularizer);
    check_same(function(gathered(a, shift), gathered(b, shift), regularizer),
               {plain.value, gathered(plain.grad_a, shift), gathered(plain.grad_b, shift)});
  });
}

TEST_CASE("a permutation is that of the features, done by hand") {
  for_each_function_and_case(
      [](const Function& function, const Matrix& a, const Matrix& b, const Regularizer& drawn) {
        Regularizer regularizer = with_signs_of_both(drawn);
        auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
        if (relaxed == nullptr || relaxed->permutation.empty()) {
          return;
        }
        const Result expected = function(a, b, regularizer);
        const Permutation permutation = std::exchange(relaxed->permutation, {});
        // Signs are those of the original features: x'_j = signs[p_j] x[p_j].
        for (auto* signs : {&relaxed->signs_a, &relaxed->signs_b}) {
          const auto original = *signs;
          for (std::size_t j = 0; j < signs->size(); ++j) {
            (*signs)[j] = original[static_cast<std::size_t>(permutation[j])];
          }
        }
        const Result by_hand =
            function(gathered(a, permutation), gathered(b, permutation), regularizer);
        check_same({by_hand.value, scattered(by_hand.grad_a, permutation),
                    scattered(by_hand.grad_b, permutation)},
                   expected);
      });
}

TEST_CASE("signs of r_sum are those of the features, done by hand") {
  for_each_case([](const Matrix& a, const Matrix& b, Regularizer regularizer) {
    auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer);
    if (relaxed == nullptr) {
      return;
    }
    const Result expected = bare(a, b, regularizer);
    const auto signs_a = std::exchange(relaxed->signs_a, {});
    const auto signs_b = std::exchange(relaxed->signs_b, {});
    const Result by_hand =
        bare(signed_features(a, signs_a), signed_features(b, signs_b), regularizer);
    check_same({by_hand.value, signed_features(by_hand.grad_a, signs_a),
                signed_features(by_hand.grad_b, signs_b)},
               expected);
  });
}

TEST_CASE("signs of +1 halve the middle lag of a covariance and nothing else") {
  for (const Shape& shape : kShapes) {
    for (const int exponent : {1, 2}) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(exponent);
      const auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 1);
      const Matrix z = a.rowwise() - a.colwise().mean();
      const decorr::Relaxed plain = relaxed_with_exponent(exponent);
      decorr::Relaxed positive = plain;
      positive.signs_a.assign(static_cast<std::size_t>(shape.cols), std::int8_t{1});
      positive.signs_b = positive.signs_a;
      check_same(bare(a, b, positive), bare(a, b, plain));

      double halves = 0;
      if (shape.cols % 2 == 0) {
        // One half in each view. K has n - 1 in place of n, and its regularizer is divided by d.
        const auto rows = static_cast<double>(shape.rows);
        const double lag = decorr::sumvec(z, z, quick())[shape.cols / 2] * rows / (rows - 1);
        halves = std::pow(std::abs(lag), exponent) / static_cast<double>(shape.cols);
      }
      CHECK(relative_error(covariance_terms(z, z, positive).value + halves,
                           covariance_terms(z, z, plain).value) < kTolerance);
    }
  }
}

TEST_CASE("exchanging the views exchanges the gradients") {
  for_each_function_and_case(
      [](const Function& function, const Matrix& a, const Matrix& b, Regularizer regularizer) {
        const Result expected = function(a, b, regularizer);
        if (auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer)) {
          std::swap(relaxed->signs_a, relaxed->signs_b);
        }
        const Result exchanged = function(b, a, regularizer);
        check_same({exchanged.value, exchanged.grad_b, exchanged.grad_a}, expected);
      });
}

TEST_CASE("two views that are the same have the same gradients") {
  for_each_function_and_case(
      [](const Function& function, const Matrix& a, const Matrix&, Regularizer regularizer) {
        if (auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer)) {
          relaxed->signs_b = relaxed->signs_a;
        }
        const Result result = function(a, a, regularizer);
        CHECK(relative_error(result.grad_a, result.grad_b) < kTolerance);
      });
}

TEST_CASE("two views that are the same have nothing left to align") {
  for (const Shape& shape : kShapes) {
    const Matrix a = random_views<Matrix>(shape.rows, shape.cols, 1).first;
    decorr::BarlowTwinsOptions options;
    options.epsilon = 0;
    CHECK(decorr::barlow_twins_loss(a, a, options, decorr::Exact{}, quick()).diagonal < 1e-20);
    CHECK(decorr::vicreg_loss(a, a, {}, decorr::Exact{}, quick()).invariance == 0);
  }
}

TEST_CASE("an orthogonal mixture of the samples leaves C alone and mixes the gradients") {
  for_each_case([](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const Matrix q =
        Eigen::HouseholderQR<Matrix>(random_matrix<Matrix>(a.rows(), a.rows(), 2)).householderQ();
    const Result plain = bare(a, b, regularizer);
    check_same(bare(q * a, q * b, regularizer), {plain.value, q * plain.grad_a, q * plain.grad_b});
  });
}

TEST_CASE("r_off and r_sum are homogeneous in each view, covariance terms in theirs") {
  for_each_case([](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const int exponent = exponent_of(regularizer);
    const double scale_a = -3, scale_b = 0.3;
    const Result plain = bare(a, b, regularizer);
    const double factor = std::pow(std::abs(scale_a * scale_b), exponent);
    check_same(
        bare(scale_a * a, scale_b * b, regularizer),
        {factor * plain.value, factor / scale_a * plain.grad_a, factor / scale_b * plain.grad_b});
    // Euler: the derivative by the scale itself.
    CHECK(relative_error(inner_product(a, plain.grad_a), exponent * plain.value) < kTolerance);
    CHECK(relative_error(inner_product(b, plain.grad_b), exponent * plain.value) < kTolerance);

    const Result terms = covariance_terms(a, a, regularizer);
    const double squared = std::pow(scale_a, 2 * exponent);
    check_same(covariance_terms(scale_a * a, scale_a * a, regularizer),
               {squared * terms.value, squared / scale_a * terms.grad_a,
                squared / scale_a * terms.grad_b});
    CHECK(relative_error(inner_product(a, terms.grad_a) + inner_product(a, terms.grad_b),
                         2 * exponent * terms.value) < kTolerance);
  });
}

TEST_CASE("barlow_twins_loss without epsilon does not see a feature's offset and unit") {
  auto options = balanced_barlow_twins_options(true, 0);
  options.epsilon = 0;
  for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const Result plain = barlow_twins(a, b, regularizer, options);
    const Eigen::ArrayXd unit = random_matrix<Eigen::ArrayXd>(a.cols(), 1, 2).exp();
    const auto offset = random_matrix<Eigen::RowVectorXd>(1, a.cols(), 3);
    const Matrix changed = (a * unit.matrix().asDiagonal()).rowwise() + offset;
    check_same(barlow_twins(changed, b, regularizer, options),
               {plain.value, plain.grad_a * unit.inverse().matrix().asDiagonal(), plain.grad_b});
    // So moving a feature along itself or along a constant is in vain.
    check_column_sums_vanish(plain.grad_a);
    check_column_sums_vanish(a.cwiseProduct(plain.grad_a));
  });
}

TEST_CASE("vicreg_loss without invariance does not see the offset of a view") {
  auto options = balanced_vicreg_options(false, CovarianceScaling::per_dimension);
  options.invariance = 0;
  for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const auto offset = random_matrix<Eigen::RowVectorXd>(1, a.cols(), 2);
    const Result plain = vicreg(a, b, regularizer, options);
    check_same(vicreg(a.rowwise() + offset, b, regularizer, options), plain);
    check_column_sums_vanish(plain.grad_a);
    check_column_sums_vanish(plain.grad_b);
  });
}

TEST_CASE("vicreg_loss does not see an offset of both views") {
  const auto options = balanced_vicreg_options(false, CovarianceScaling::per_dimension);
  for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const Result result = vicreg(a, b, regularizer, options);
    check_column_sums_vanish(result.grad_a + result.grad_b);
  });
}

TEST_CASE("vicreg_loss without invariance is variance_covariance_loss of each view") {
  auto options = balanced_vicreg_options(true, CovarianceScaling::block_mean);
  options.invariance = 0;
  for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const Result expected = vicreg(a, b, regularizer, options);
    Regularizer regularizer_b = with_signs_of_both(regularizer);
    if (auto* relaxed = std::get_if<decorr::Relaxed>(&regularizer_b)) {
      relaxed->signs_a = relaxed->signs_b;  // the only view's
    }
    const Result each = evaluate(a, [&](Matrix& grad_a, Matrix& grad_b) {
      return variance_covariance_loss(regularizer, a, grad_a, options).value +
             variance_covariance_loss(regularizer_b, b, grad_b, options).value;
    });
    check_same(each, expected);
  });
}

TEST_CASE("scale multiplies values and gradients") {
  auto barlow_twins_options = balanced_barlow_twins_options(true, 0);
  auto vicreg_options = balanced_vicreg_options(true, CovarianceScaling::per_dimension);
  for_each_case([&](const Matrix& a, const Matrix& b, const Regularizer& regularizer) {
    const auto check = [](const Result& once, const Result& scaled, double ratio) {
      check_same(scaled, {ratio * once.value, ratio * once.grad_a, ratio * once.grad_b});
    };
    auto scaled_barlow_twins_options = barlow_twins_options;
    scaled_barlow_twins_options.scale *= 3;
    check(barlow_twins(a, b, regularizer, barlow_twins_options),
          barlow_twins(a, b, regularizer, scaled_barlow_twins_options), 3);
    auto scaled_vicreg_options = vicreg_options;
    scaled_vicreg_options.scale *= 3;
    check(vicreg(a, b, regularizer, vicreg_options),
          vicreg(a, b, regularizer, scaled_vicreg_options), 3);
  });
}

TEST_CASE("r_sum is the sum over the lags of sumvec, and these add up to all of C") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape.rows);
    CAPTURE(shape.cols);
    const auto [a, b] = random_views<Matrix>(shape.rows, shape.cols, 1);
    const Eigen::VectorXd lags = decorr::sumvec(a, b, quick());
    const auto rest = lags.tail(shape.cols - 1);
    CHECK(relative_error(bare(a, b, relaxed_with_exponent(1)).value, rest.lpNorm<1>()) <
          kTolerance);
    CHECK(relative_error(bare(a, b, relaxed_with_exponent(2)).value, rest.squaredNorm()) <
          kTolerance);
    const double all = a.rowwise().sum().dot(b.rowwise().sum()) / static_cast<double>(shape.rows);
    CHECK(relative_error(lags.sum(), all) < kTolerance);
  }
}

}  // namespace test_invariants
