// The public functions of C++ with any shapes, storage, options, overlaps and numbers. A call that
// documentation refuses ends in an InvalidArgument and leaves all memory as it was; any other one
// writes its gradients and nothing else, and value and gradients are those of the definition in
// long double, up to the bounds of expectation.hpp. What is not finite in the data is not finite
// in the value.
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "draws.hpp"
#include "expectation.hpp"
#include "require.hpp"
#include "support/random_matrices.hpp"

namespace {

using namespace decorr_fuzz;
using decorr_tests::Gaussian;
using decorr_tests::Regularizer;

// ---- Memory

/// A matrix in a buffer.
template <class Scalar>
struct Placed {
  std::vector<Scalar>* buffer;
  Placement place;

  Scalar& operator()(Index i, Index j) const {
    return (*buffer)[static_cast<std::size_t>(place.first + i * place.row_stride +
                                              j * place.col_stride)];
  }
  auto map() const {
    using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
    using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    return Eigen::Map<Matrix, 0, Strides>(buffer->data() + place.first, place.rows, place.cols,
                                          Strides(place.col_stride, place.row_stride));
  }
  RealMatrix numbers() const {
    RealMatrix result(place.rows, place.cols);
    for (Index i = 0; i < place.rows; ++i) {
      for (Index j = 0; j < place.cols; ++j) {
        result(i, j) = static_cast<Real>((*this)(i, j));
      }
    }
    return result;
  }
};

template <class Scalar>
using Buffers = std::array<std::vector<Scalar>, 4>;

/// The matrices of a call, a, b, grad_a, grad_b, each in a buffer that ends where it ends, so that
/// AddressSanitizer sees a step beyond it; or several of them in one buffer.
template <class Scalar>
struct Memory {
  static constexpr std::size_t kCount = 4;
  Buffers<Scalar> buffers;
  std::array<Placed<Scalar>, kCount> matrices;

  Memory(Draws& draws, const std::array<Index, kCount>& rows,
         const std::array<Index, kCount>& cols) {
    std::array<Index, kCount> sizes = {};
    for (std::size_t i = 0; i < kCount; ++i) {
      Placement place = draw_placement(draws, rows[i], cols[i], true);
      matrices[i].buffer = &buffers[i];
      if (i > 0 && draws.one_in(16)) {
        const auto& other = matrices[static_cast<std::size_t>(draws.number(0, int(i) - 1))];
        if (draws.one_in(2)) {  // so that they may lie between each other's elements
          place.row_stride = other.place.row_stride;
          place.col_stride = other.place.col_stride;
        }
        const auto home = static_cast<std::size_t>(other.buffer - buffers.data());
        place.first = reach_of(place).below + draws.between(0, sizes[home]);
        matrices[i].buffer = other.buffer;
      }
      matrices[i].place = place;
      Index& size = sizes[static_cast<std::size_t>(matrices[i].buffer - buffers.data())];
      size = std::max(size, place.first + reach_of(place).above);
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      buffers[i].assign(static_cast<std::size_t>(sizes[i]), Scalar(77.25));
    }
  }
};

/// Also where they are NaN.
template <class Scalar>
bool are_bits_the_same(const Buffers<Scalar>& x, const Buffers<Scalar>& y) {
  return std::equal(x.begin(), x.end(), y.begin(), [](const auto& of_x, const auto& of_y) {
    return of_x.empty() || std::memcmp(of_x.data(), of_y.data(), of_x.size() * sizeof(Scalar)) == 0;
  });
}

// ---- Numbers

template <class Scalar>
std::vector<Scalar> special_numbers() {
  using Limits = std::numeric_limits<Scalar>;
  return {Scalar(0),
          -Scalar(0),
          Limits::quiet_NaN(),
          Limits::infinity(),
          -Limits::infinity(),
          Limits::denorm_min(),
          Limits::min(),
          Limits::max(),
          Limits::lowest(),
          Limits::max() / 8,
          std::sqrt(Limits::max()),
          std::sqrt(Limits::min()),
          Scalar(1e4),
          Scalar(1e-4)};
}

/// Gaussian numbers of drawn sizes and means, some features constant or larger than the others,
/// some samples zero, some numbers special ones.
template <class Scalar>
void draw_numbers(Draws& draws, const Placed<Scalar>& to) {
  const std::vector<int> exponents = {0, 0, 0, 4, -4, 14, -14, 50, -50, 120, -120};
  const Index rows = to.place.rows, cols = to.place.cols;
  if (rows == 0 || cols == 0) return;
  Gaussian gaussian(draws.seed());
  const auto scale = static_cast<Scalar>(std::ldexp(1.0, draws.of(exponents)));
  const auto mean = draws.of(std::vector<Scalar>{0, 0, 0, 1, -30, 1000});
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      to(i, j) = (static_cast<Scalar>(gaussian()) + mean) * scale;
    }
  }
  for (Index change = draws.one_in(2) ? draws.between(1, 4) : 0; change > 0; --change) {
    const Index row = draws.between(0, rows - 1), col = draws.between(0, cols - 1);
    const Scalar special = draws.of(special_numbers<Scalar>());
    switch (draws.number(0, 4)) {
      case 0:
        to(row, col) = special;
        break;
      case 1:
        for (Index i = 0; i < rows; ++i) to(i, col) = to(0, col);
        break;
      case 2:
        for (Index i = 0; i < rows; ++i)
          to(i, col) *= static_cast<Scalar>(std::ldexp(1.0, draws.number(-30, 30)));
        break;
      case 3:
        for (Index j = 0; j < cols; ++j)
          to(row, j) *= draws.of(std::vector<Scalar>{0, Scalar(1e4), Scalar(1e-4)});
        break;
      default:
        for (Index i = 0; i < rows; ++i) to(i, col) = special;
    }
  }
}

// ---- Settings

Regularizer draw_regularizer(Draws& draws, Index features) {
  if (draws.one_in(3)) return decorr::Exact();
  std::mt19937_64 generator(draws.seed());
  decorr::Relaxed relaxed;
  relaxed.exponent = draws.number(1, 2);
  relaxed.block_size = draws.one_in(2) ? draws.between(1, features) : 0;
  if (draws.one_in(2)) relaxed.permutation = decorr::random_permutation(features, generator);
  if (draws.one_in(2)) relaxed.signs_a = decorr::random_signs(features, generator);
  if (draws.one_in(2)) relaxed.signs_b = decorr::random_signs(features, generator);
  return relaxed;
}

LossCase draw_case(Draws& draws, Index features) {
  LossCase loss_case;
  loss_case.family = draws.of(std::vector<Family>{Family::regularizer, Family::barlow_twins,
                                                  Family::vicreg, Family::variance_covariance});
  loss_case.regularizer = draw_regularizer(draws, features);
  if (loss_case.family == Family::vicreg && !draws.one_in(32)) {
    loss_case.regularizer = decorr_tests::with_signs_of_both(loss_case.regularizer);
  }
  const std::vector<double> weights = {1, 0.6, 0, -2, 25}, epsilons = {1e-3, 0, 1e-5, 1, 1e-30};
  loss_case.execution.threads = draws.number(1, 2);
  auto& barlow_twins = loss_case.barlow_twins;
  barlow_twins.lambda = draws.of(weights);
  barlow_twins.scale = draws.of(weights);
  barlow_twins.epsilon = draws.of(epsilons);
  barlow_twins.standardize = !draws.one_in(3);
  auto& vicreg = loss_case.vicreg;
  vicreg.scale = barlow_twins.scale;
  vicreg.epsilon = barlow_twins.epsilon;
  if (loss_case.family == Family::vicreg || loss_case.family == Family::variance_covariance) {
    vicreg.invariance = draws.of(weights);
    vicreg.variance = draws.of(weights);
    vicreg.covariance = draws.of(weights);
    vicreg.gamma = draws.of(weights);
    vicreg.sum_variance = draws.one_in(2);
    vicreg.covariance_scaling = draws.one_in(2) ? decorr::CovarianceScaling::block_mean
                                                : decorr::CovarianceScaling::per_dimension;
  }
  return loss_case;
}

/// Makes a setting wrong. False where the drawn one is not there or not used.
bool spoil(Draws& draws, LossCase& loss_case, Index features) {
  const auto bad = draws.of(std::vector<double>{std::numeric_limits<double>::quiet_NaN(),
                                                std::numeric_limits<double>::infinity(),
                                                -std::numeric_limits<double>::infinity()});
  auto* relaxed = std::get_if<decorr::Relaxed>(&loss_case.regularizer);
  auto& vicreg = loss_case.vicreg;
  auto& barlow_twins = loss_case.barlow_twins;
  const bool has_vicreg = loss_case.family == Family::vicreg || loss_case.is_single_view();
  const bool has_barlow_twins = loss_case.family == Family::barlow_twins;
  const auto any_feature = [&] { return static_cast<std::size_t>(draws.between(0, features - 1)); };
  const auto spoil_signs = [&](std::vector<std::int8_t>& signs) {
    if (signs.empty() || draws.one_in(2)) {
      signs.resize(signs.size() + 1, 1);
      return signs.size() != static_cast<std::size_t>(features);
    }
    signs[any_feature()] = draws.of(std::vector<std::int8_t>{0, 2, -128, 127});
    return true;
  };
  switch (draws.number(0, 8)) {
    case 0:
      loss_case.execution.threads = draws.number(-1, 0);
      return true;
    case 1:
      loss_case.execution.planning =
          static_cast<decorr::Planning>(draws.of(std::vector<int>{3, -1}));
      return true;
    case 2:
      barlow_twins.epsilon = vicreg.epsilon = draws.one_in(2) ? -1e-30 : bad;
      return has_barlow_twins || has_vicreg;
    case 3:
      barlow_twins.lambda = vicreg.invariance = bad;
      return has_barlow_twins || has_vicreg;
    case 4:
      vicreg.covariance_scaling =
          static_cast<decorr::CovarianceScaling>(draws.of(std::vector<int>{2, -1}));
      return has_vicreg;
    case 5:
      if (relaxed == nullptr) return false;
      relaxed->exponent = draws.of(std::vector<int>{0, 3, -1});
      return true;
    case 6:
      if (relaxed == nullptr) return false;
      relaxed->block_size = draws.of(std::vector<Index>{
          -1, features + 1, std::numeric_limits<Index>::max(), std::numeric_limits<Index>::min()});
      return true;
    case 7:
      if (relaxed == nullptr) return false;
      return spoil_signs(draws.one_in(2) ? relaxed->signs_b : relaxed->signs_a);
    default:
      if (relaxed == nullptr) return false;
      if (relaxed->permutation.empty()) {
        relaxed->permutation.assign(static_cast<std::size_t>(features) + 1, 0);
        return true;
      }
      const std::size_t at = any_feature();
      // One that is there already, or none.
      const Index wrong = draws.of(std::vector<Index>{relaxed->permutation[any_feature()], features,
                                                      -1, std::numeric_limits<Index>::max()});
      const bool changed = relaxed->permutation[at] != wrong;
      relaxed->permutation[at] = wrong;
      return changed;
  }
}

bool has_wrong_signs(const LossCase& loss_case) {
  const auto* relaxed = loss_case.relaxed();
  if (relaxed == nullptr) return false;
  const bool has_a = !relaxed->signs_a.empty(), has_b = !relaxed->signs_b.empty();
  return loss_case.family == Family::vicreg ? has_a != has_b
                                            : loss_case.is_single_view() && has_b && !has_a;
}

Index least_rows(const LossCase& loss_case) {
  const bool takes_variance = loss_case.family == Family::barlow_twins
                                  ? loss_case.barlow_twins.standardize
                                  : loss_case.family != Family::regularizer;
  return takes_variance ? 2 : 1;
}

// ---- Calls

struct Wanted {
  bool grad_a, grad_b;
};

template <class Scalar>
Scalar call(const LossCase& loss_case, const Memory<Scalar>& memory, Wanted wanted) {
  const auto a = memory.matrices[0].map(), b = memory.matrices[1].map();
  auto grad_a = memory.matrices[2].map(), grad_b = memory.matrices[3].map();
  if (wanted.grad_a && wanted.grad_b) return loss_case(a, b, grad_a, grad_b);
  if (wanted.grad_a) return loss_case(a, b, grad_a, decorr::no_gradient);
  if (wanted.grad_b) return loss_case(a, b, decorr::no_gradient, grad_b);
  return loss_case(a, b);
}

/// Whether the memory that a call writes has to be refused, or may be.
struct Refusal {
  bool must = false, may = false;
};

template <class Scalar>
Refusal refusal_of_memory(const Memory<Scalar>& memory, Wanted wanted, bool two_views) {
  const std::array<bool, 4> written = {false, false, wanted.grad_a, wanted.grad_b};
  const std::array<bool, 4> read = {true, two_views, false, false};
  Refusal refusal;
  for (std::size_t i = 2; i < 4; ++i) {
    if (!written[i]) continue;
    const auto& [buffer, place] = memory.matrices[i];
    refusal.must = refusal.must || decorr_tests::repeats_bytes(place);
    for (std::size_t j = 0; j < i; ++j) {
      const auto& [other_buffer, other] = memory.matrices[j];
      if ((!read[j] && !written[j]) || other_buffer != buffer) continue;
      refusal.must = refusal.must || decorr_tests::share_bytes(place, other);
      refusal.may = refusal.may || decorr_tests::may_be_refused(place, other);
    }
  }
  return refusal;
}

/// What is written lies in the gradients.
template <class Scalar>
void require_nothing_else_written(const Memory<Scalar>& memory, Buffers<Scalar>& before,
                                  Wanted wanted) {
  for (const std::size_t i : {std::size_t{2}, std::size_t{3}}) {
    if (!(i == 2 ? wanted.grad_a : wanted.grad_b)) continue;
    const Placement& place = memory.matrices[i].place;
    const auto home = static_cast<std::size_t>(memory.matrices[i].buffer - memory.buffers.data());
    const Placed<Scalar> saved{&before[home], place};
    for (Index k = 0; k < place.rows; ++k) {
      for (Index j = 0; j < place.cols; ++j) saved(k, j) = memory.matrices[i](k, j);
    }
  }
  require(are_bits_the_same(memory.buffers, before),
          "something other than the gradients is written");
}

/// +1 or -1 in one entry, or in all of them; zero for a gradient that is not asked for.
RealMatrix draw_direction(Draws& draws, Index rows, Index cols, bool wanted) {
  RealMatrix direction = RealMatrix::Zero(rows, cols);
  if (!wanted) return direction;
  Gaussian gaussian(draws.seed());
  const auto sign = [&] { return gaussian() > 0 ? Real(1) : Real(-1); };
  if (draws.one_in(2)) {
    direction(draws.between(0, rows - 1), draws.between(0, cols - 1)) = sign();
    return direction;
  }
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) direction(i, j) = sign();
  }
  return direction;
}

std::string title(const LossCase& loss_case, Index rows, Index cols) {
  const char* names[] = {"regularizer", "barlow_twins_loss", "vicreg_loss",
                         "variance_covariance_loss"};
  return std::string(names[static_cast<int>(loss_case.family)]) + ", " +
         decorr_tests::describe(loss_case.regularizer) + ", " + std::to_string(rows) + " x " +
         std::to_string(cols);
}

void require_near(const std::string& what, Real actual, const Expected& expected) {
  if (expected.admits(actual)) return;
  std::fprintf(stderr, "%.20Lg, expected %.20Lg up to %Lg\n", actual, expected.number,
               expected.bound);
  require(false, what + ": beyond rounding");
}

template <class Scalar>
void check_numbers(Draws& draws, const LossCase& loss_case, const RealMatrix& a,
                   const RealMatrix& b, const Memory<Scalar>& memory, Scalar value, Wanted wanted) {
  RealMatrix along_a = draw_direction(draws, a.rows(), a.cols(), wanted.grad_a);
  RealMatrix along_b = draw_direction(draws, a.rows(), a.cols(), wanted.grad_b);
  scale_directions(loss_case, a, b, along_a, along_b);
  const auto expected = expect(loss_case, a, b, along_a, along_b, arithmetic_of<Scalar>());
  if (!expected) return;
  const std::string name = title(loss_case, a.rows(), a.cols());
  require_near(name + ", value", static_cast<Real>(value), expected->value);
  if (!expected->derivative) return;
  Real derivative = 0;
  if (wanted.grad_a) derivative += memory.matrices[2].numbers().cwiseProduct(along_a).sum();
  if (wanted.grad_b) derivative += memory.matrices[3].numbers().cwiseProduct(along_b).sum();
  require_near(name + ", derivative", derivative, *expected->derivative);
}

template <class Scalar>
void check_sumvec(const Memory<Scalar>& memory, const decorr::Execution& execution) {
  const auto &a = memory.matrices[0], &b = memory.matrices[1];
  const RealMatrix lags = decorr::sumvec(a.map(), b.map(), execution).template cast<Real>();
  const ExpectedLags expected = expect_sumvec(a.numbers(), b.numbers(), arithmetic_of<Scalar>());
  require(lags.rows() == expected.lags.rows() && lags.cols() == 1, "sumvec has another length");
  for (Index lag = 0; lag < lags.size(); ++lag) {
    const Real number = expected.lags(lag, 0);
    if (!std::isfinite(number)) {
      require(!std::isfinite(lags(lag, 0)), "sumvec is finite, and should not be");
    } else if (expected.bound) {
      require_near("sumvec", lags(lag, 0), {number, *expected.bound});
    }
  }
}

template <class Scalar>
void check_loss(Draws& draws, LossCase loss_case, Index n, Index d) {
  const bool two_views = !loss_case.is_single_view();
  const bool wants_a = !draws.one_in(4);
  const Wanted wanted{wants_a, two_views && !draws.one_in(4)};
  bool wrong = draws.one_in(16) && spoil(draws, loss_case, d);
  if (n < least_rows(loss_case) || has_wrong_signs(loss_case)) wrong = true;
  std::array<Index, 4> rows = {n, n, n, n}, cols = {d, d, d, d};
  if (draws.one_in(32)) {
    const std::size_t i = draws.of(std::vector<std::size_t>{1, 2, 3});
    (draws.one_in(2) ? rows : cols)[i] += draws.one_in(2) ? 1 : -1;
    if (i == 1 ? two_views : i == 2 ? wanted.grad_a : wanted.grad_b) wrong = true;
  }
  if (draws.one_in(64)) {
    (draws.one_in(2) ? rows : cols).fill(0);
    wrong = true;
  }
  Memory<Scalar> memory(draws, rows, cols);
  const auto &a = memory.matrices[0], &b = memory.matrices[1];
  draw_numbers(draws, a);
  draw_numbers(draws, b);
  const RealMatrix real_a = a.numbers(), real_b = two_views ? b.numbers() : real_a;
  Buffers<Scalar> before = memory.buffers;
  const Refusal refusal = refusal_of_memory(memory, wanted, two_views);
  Scalar value = 0;
  try {
    value = call(loss_case, memory, wanted);
  } catch (const decorr::InvalidArgument& error) {
    require(wrong || refusal.must || refusal.may,
            std::string("refused, and is right: ") + error.what());
    require(are_bits_the_same(before, memory.buffers),
            std::string("refused, but written: ") + error.what());
    return;
  }
  require(!wrong && !refusal.must, "taken, and is wrong");
  require_nothing_else_written(memory, before, wanted);
  if (real_a.allFinite() && real_b.allFinite()) {
    check_numbers(draws, loss_case, real_a, real_b, memory, value, wanted);
  } else {
    require(!std::isfinite(value) || !is_not_finite(loss_case, real_a, real_b),
            "the value is finite, and should not be");
  }
}

template <class Scalar>
void check(Draws& draws) {
  const Index d = draws.features(), n = draws.rows(d);
  const LossCase loss_case = draw_case(draws, d);
  if (loss_case.family == Family::regularizer && draws.one_in(6)) {
    Memory<Scalar> memory(draws, {n, n, n, n}, {d, d, d, d});
    draw_numbers(draws, memory.matrices[0]);
    draw_numbers(draws, memory.matrices[1]);
    check_sumvec(memory, loss_case.execution);
  } else {
    check_loss<Scalar>(draws, loss_case, n, d);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draws draws(data, size);
  draws.one_in(2) ? check<double>(draws) : check<float>(draws);
  return 0;
}
