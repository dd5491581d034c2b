// The C interface gives what the C++ functions give: every function, regularizer, element type and
// memory order. Bit for bit where both run the same instructions, otherwise to rounding.
#define DOCTEST_CONFIG_IMPLEMENT
#include <decorr/c_api.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <decorr/decorr.hpp>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "c_calls.hpp"
#include "support/foreign_locale.hpp"
#include "support/locks.hpp"
#include "support/loss_cases.hpp"
#include "support/placements.hpp"
#include "support/random_matrices.hpp"
#include "support/views_cases.hpp"

namespace {

using decorr_tests::kType;
using decorr_tests::loss_cases;
using decorr_tests::LossCase;
using decorr_tests::RowMajor;
using decorr_tests::value_by_c;
using Eigen::Index;

// More than one tile of rows, the last one short; a last block of two features.
constexpr Index kRows = 21, kCols = 8, kBlock = 3;

bool same_instructions() {
#if defined(__x86_64__) && !defined(__AVX__)
  return std::string(decorr_cpu()) == "baseline";
#else
  return false;
#endif
}

// Of the type that is stored.
template <class Storage>
double rounding() {
  return std::is_same<Storage, double>::value        ? 1e-12
         : std::is_same<Storage, float>::value       ? 2e-5
         : std::is_same<Storage, Eigen::half>::value ? 2e-3
                                                     : 2e-2;
}

// Against C++.
template <class Storage>
double tolerance() {
  return same_instructions() ? 0 : rounding<Storage>();
}

bool close(double actual, double expected, double scale, double tolerance) {
  return std::abs(actual - expected) <= tolerance * scale;
}

// How a matrix lies in memory: element (i, j) is data[offset + i * row_stride + j * col_stride].
struct Order {
  const char* name;
  Index row_stride, col_stride;
  Index offset() const {
    return std::max(Index{0}, -row_stride) * (kRows - 1) +
           std::max(Index{0}, -col_stride) * (kCols - 1);
  }
  Index size() const {
    return std::abs(row_stride) * (kRows - 1) + std::abs(col_stride) * (kCols - 1) + 1;
  }
};
constexpr Order kOrders[] = {{"row-major", kCols, 1},
                             {"column-major", 1, kRows},
                             {"padded rows", kCols + 3, 1},
                             {"every second column", 2 * kCols, 2},
                             {"rows from the last on", -kCols, 1},
                             {"columns from the last on", kCols, -1},
                             {"column-major, both from the last on", -1, -kRows}};

// A matrix in some order, gaps between its elements filled with a sentinel.
template <class Storage>
class Stored {
 public:
  explicit Stored(const Order& order)
      : order_(order), memory_(static_cast<std::size_t>(order.size()), kSentinel) {}
  Stored(const Order& order, const RowMajor<Storage>& values) : Stored(order) {
    for (Index i = 0; i < kRows; ++i) {
      for (Index j = 0; j < kCols; ++j) at(i, j) = values(i, j);
    }
  }
  decorr_input input() const { return described<decorr_input>(memory_.data()); }
  decorr_output output() { return described<decorr_output>(memory_.data()); }
  RowMajor<double> values() {
    RowMajor<double> result(kRows, kCols);
    for (Index i = 0; i < kRows; ++i) {
      for (Index j = 0; j < kCols; ++j) result(i, j) = static_cast<double>(at(i, j));
    }
    return result;
  }
  // Whether what lies between the elements is as it was.
  bool gaps_untouched() {
    const auto sentinels = std::count(memory_.begin(), memory_.end(), kSentinel);
    Index own = 0;
    for (Index i = 0; i < kRows; ++i) {
      for (Index j = 0; j < kCols; ++j) own += at(i, j) == kSentinel ? 1 : 0;
    }
    return sentinels - own == static_cast<Index>(memory_.size()) - kRows * kCols;
  }

 private:
  template <class Matrix, class Data>
  Matrix described(Data* memory) const {
    return {sizeof(Matrix), memory + order_.offset(), kType<Storage>,   0, kRows,
            kCols,          order_.row_stride,        order_.col_stride};
  }
  Storage& at(Index i, Index j) {
    return memory_[static_cast<std::size_t>(order_.offset() + i * order_.row_stride +
                                            j * order_.col_stride)];
  }
  static inline const Storage kSentinel{77};
  Order order_;
  std::vector<Storage> memory_;
};

template <class Scalar>
double largest(const RowMajor<Scalar>& x) {
  return static_cast<double>(x.cwiseAbs().maxCoeff());
}

// Inputs stored as InputA and InputB, gradients as Gradient, all computed in Scalar.
template <class Scalar, class InputA, class InputB, class Gradient>
void check_types(const Order& order, std::vector<LossCase> cases) {
  CAPTURE(order.name);
  CAPTURE(decorr_cpu());
  const RowMajor<double> first = decorr_tests::random_matrix<RowMajor<double>>(kRows, kCols, 1),
                         second = decorr_tests::random_matrix<RowMajor<double>>(kRows, kCols, 2);
  const RowMajor<InputA> stored_a = first.cast<InputA>();
  const RowMajor<InputB> stored_b = (first + 0.5 * second).eval().cast<InputB>();
  const RowMajor<Scalar> a = stored_a.template cast<Scalar>(), b = stored_b.template cast<Scalar>();
  const Stored<InputA> c_a(order, stored_a);
  const Stored<InputB> c_b(order, stored_b);
  const decorr_input in_a = c_a.input(), in_b = c_b.input();
  for (const LossCase& loss_case : cases) {
    CAPTURE(loss_case.name);
    RowMajor<Scalar> grad_a = RowMajor<Scalar>::Zero(kRows, kCols), grad_b = grad_a;
    const auto expected = static_cast<double>(loss_case(a, b, grad_a, grad_b));
    Stored<Gradient> c_grad_a(order), c_grad_b(order);
    const decorr_output out_a = c_grad_a.output(), out_b = c_grad_b.output();

    const double alone = value_by_c(loss_case, in_a, in_b, nullptr, nullptr);
    CHECK(close(alone, expected, std::abs(expected), tolerance<Scalar>()));
    CHECK(value_by_c(loss_case, in_a, in_b, &out_a, &out_b) == alone);

    const auto check_gradient = [](Stored<Gradient>& actual, const RowMajor<Scalar>& gradient) {
      const RowMajor<double> rounded = gradient.template cast<Gradient>().template cast<double>();
      const double difference = largest<double>(actual.values() - rounded);
      CHECK(close(difference, 0, largest(gradient), tolerance<Gradient>()));
      CHECK(actual.gaps_untouched());
    };
    check_gradient(c_grad_a, grad_a);
    if (loss_case.is_single_view()) continue;
    check_gradient(c_grad_b, grad_b);

    // Of one view alone: the same but for rounding.
    Stored<Gradient> only_a(order), only_b(order);
    const decorr_output out_only_a = only_a.output(), out_only_b = only_b.output();
    CHECK(value_by_c(loss_case, in_a, in_b, &out_only_a, nullptr) == alone);
    CHECK(value_by_c(loss_case, in_a, in_b, nullptr, &out_only_b) == alone);
    const auto check_same = [](Stored<Gradient>& actual, Stored<Gradient>& both) {
      const RowMajor<double> of_both = both.values();
      const double difference = largest<double>(actual.values() - of_both);
      CHECK(close(difference, 0, largest(of_both), rounding<Gradient>()));
      CHECK(actual.gaps_untouched());
    };
    check_same(only_a, c_grad_a);
    check_same(only_b, c_grad_b);
  }
}

std::vector<LossCase> all_cases() { return loss_cases(kCols, kBlock); }

TEST_CASE("C gives what C++ gives") {
  for (const Order& order : kOrders) {
    check_types<float, float, float, float>(order, all_cases());
    check_types<double, double, double, double>(order, all_cases());
    check_types<float, Eigen::half, Eigen::half, Eigen::half>(order, all_cases());
    check_types<float, Eigen::bfloat16, Eigen::bfloat16, Eigen::bfloat16>(order, all_cases());
  }
}

TEST_CASE("Types that are computed in float mix") {
  check_types<float, Eigen::half, float, Eigen::bfloat16>(kOrders[0], all_cases());
  check_types<float, float, Eigen::bfloat16, Eigen::half>(kOrders[1], all_cases());
  check_types<float, Eigen::bfloat16, Eigen::half, float>(kOrders[4], all_cases());
}

// Three views, the last one's gradient not wanted by C.
template <class Scalar, class Storage>
void check_views(const Order& order) {
  CAPTURE(order.name);
  CAPTURE(decorr_cpu());
  const auto stored = decorr_tests::random_views_of<RowMajor<Storage>>(3, kRows, kCols);
  std::vector<RowMajor<Scalar>> views;
  std::vector<Stored<Storage>> c_views;
  for (const RowMajor<Storage>& view : stored) {
    views.push_back(view.template cast<Scalar>());
    c_views.emplace_back(order, view);
  }
  std::vector<decorr_input> inputs;
  for (const Stored<Storage>& view : c_views) inputs.push_back(view.input());
  const decorr_input* const pointers[] = {&inputs[0], &inputs[1], &inputs[2]};
  for (const decorr_tests::ViewsCase& views_case : decorr_tests::views_cases(kCols, kBlock)) {
    const auto name = views_case.name();
    CAPTURE(name);
    auto gradients = decorr_tests::like<RowMajor<Scalar>>(views);
    const auto expected = static_cast<double>(views_case(views, gradients));

    const decorr_tests::CArguments c(views_case.loss);
    const std::int32_t combination =
        views_case.combination == decorr::ViewCombination::pairs ? DECORR_PAIRS : DECORR_CENTROID;
    std::vector<Stored<Storage>> c_gradients(2, Stored<Storage>(order));
    const decorr_output first = c_gradients[0].output(), second = c_gradients[1].output();
    const decorr_output* const outputs[] = {&first, &second, nullptr};
    for (const decorr_output* const* wanted : {static_cast<const decorr_output* const*>(nullptr),
                                               static_cast<const decorr_output* const*>(outputs)}) {
      decorr_barlow_twins_terms barlow_twins{sizeof barlow_twins, -1, -1, -1};
      decorr_vicreg_terms vicreg{sizeof vicreg, -1, -1, -1, -1};
      const bool is_vicreg = views_case.loss.family == decorr_tests::Family::vicreg;
      const decorr_status status =
          is_vicreg
              ? decorr_vicreg_loss_of_views(pointers, wanted, 3, combination, &c.vicreg,
                                            &c.regularizer, &c.execution, &vicreg)
              : decorr_barlow_twins_loss_of_views(pointers, wanted, 3, combination, &c.barlow_twins,
                                                  &c.regularizer, &c.execution, &barlow_twins);
      REQUIRE_MESSAGE(status == DECORR_OK, decorr_error_message());
      CHECK(close(is_vicreg ? vicreg.value : barlow_twins.value, expected, std::abs(expected),
                  tolerance<Scalar>()));
    }
    for (std::size_t v = 0; v < c_gradients.size(); ++v) {
      const RowMajor<double> difference =
          c_gradients[v].values() - gradients[v].template cast<double>();
      CHECK(close(largest<double>(difference), 0, largest(gradients[v]), rounding<Storage>()));
      CHECK(c_gradients[v].gaps_untouched());
    }
  }
}

TEST_CASE("C gives what C++ gives of several views") {
  for (const Order& order : kOrders) {
    check_views<float, float>(order);
    check_views<double, double>(order);
    check_views<float, Eigen::half>(order);
  }
}

TEST_CASE("Options arrive") {
  std::vector<LossCase> cases;
  for (LossCase loss_case : all_cases()) {
    loss_case.barlow_twins = decorr_tests::balanced_barlow_twins_options(false, kRows);
    loss_case.vicreg =
        decorr_tests::balanced_vicreg_options(true, decorr::CovarianceScaling::block_mean);
    loss_case.execution.threads = 2;
    cases.push_back(loss_case);
  }
  check_types<double, double, double, double>(kOrders[0], cases);
}

TEST_CASE("sumvec") {
  const auto a = decorr_tests::random_matrix<RowMajor<double>>(kRows, kCols, 3),
             b = decorr_tests::random_matrix<RowMajor<double>>(kRows, kCols, 4);
  const Eigen::VectorXd expected = decorr::sumvec(a, b, decorr_tests::quick());
  const auto in_a = decorr_input_rows(a.data(), DECORR_FLOAT64, kRows, kCols);
  const auto in_b = decorr_input_rows(b.data(), DECORR_FLOAT64, kRows, kCols);
  decorr_execution execution{sizeof execution, 1, DECORR_ESTIMATE, nullptr, nullptr};
  // Every second element, from the last on.
  std::vector<double> sums(2 * kCols, 77);
  decorr_output lags{sizeof lags, &sums[2 * kCols - 2], DECORR_FLOAT64, 0, kCols, 1, -2, 0};
  REQUIRE(decorr_sumvec(&in_a, &in_b, &execution, &lags) == DECORR_OK);
  for (Index i = 0; i < kCols; ++i) {
    const double sum = sums[static_cast<std::size_t>(2 * (kCols - 1 - i))];
    CHECK(close(sum, expected[i], expected.cwiseAbs().maxCoeff(), tolerance<double>()));
    CHECK(sums[static_cast<std::size_t>(2 * i + 1)] == 77);
  }
}

// Anywhere in one buffer, of any types that go together: what shares memory is refused, and else
// only what lies between each other's elements in strides that differ.
TEST_CASE("Matrices in one buffer are accepted where they share nothing") {
  constexpr Index size = 400;
  alignas(8) static char buffer[size];
  decorr_tests::PlacementDraws draws(4, size);
  int refused = 0, accepted = 0;
  for (int i = 0; i < 8000; ++i) {
    const Index rows = draws.between(1, 4), cols = draws.between(1, 4);
    const Index widest = draws.between(0, 3) == 0 ? 8 : 4;
    const auto type = [](Index element) {
      return element == 8 ? DECORR_FLOAT64 : element == 4 ? DECORR_FLOAT32 : DECORR_FLOAT16;
    };
    const auto element = [&] { return widest == 4 && draws.between(0, 2) == 0 ? 2 : widest; };
    const auto a = draws.placement(rows, cols, element());
    const auto b = draws.placement(rows, cols, element(), &a);
    const auto grad_a = draws.placement(rows, cols, element(), &a);
    const auto grad_b = draws.placement(rows, cols, element(), &grad_a);
    const auto lags = draws.placement(cols, 1, element(), &a);
    const auto described = [&](const decorr_tests::Placement& place, auto matrix) {
      matrix = {sizeof matrix, buffer + place.first, type(place.element), 0,
                place.rows,    place.cols,           place.row_stride,    place.col_stride};
      return matrix;
    };
    const auto in_a = described(a, decorr_input{}), in_b = described(b, decorr_input{});
    const auto fill = [&] {
      for (Index k = 0; k < size; ++k) buffer[k] = static_cast<char>(k % 50);
    };
    const auto check = [&](const auto& outputs, auto&& call) {
      fill();
      const std::vector<char> before(buffer, buffer + size);
      const decorr_status status = call();
      bool share = false, may_be_refused = false;
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        share = share || repeats_bytes(outputs[k]);
        const auto meet = [&](const decorr_tests::Placement& other) {
          share = share || share_bytes(outputs[k], other);
          may_be_refused = may_be_refused || decorr_tests::may_be_refused(outputs[k], other);
        };
        meet(a);
        meet(b);
        if (k > 0) meet(outputs[0]);
      }
      CAPTURE(decorr_error_message());
      if (status == DECORR_OK) {
        ++accepted;
        REQUIRE(!share);
        for (const auto& place : {a, b}) {
          for (const Index byte : place.bytes()) {
            REQUIRE(buffer[byte] == before[static_cast<std::size_t>(byte)]);
          }
        }
      } else {
        ++refused;
        REQUIRE((share || may_be_refused));
        REQUIRE(std::memcmp(buffer, before.data(), size) == 0);
      }
    };
    check(std::vector{grad_a, grad_b}, [&] {
      const auto out_a = described(grad_a, decorr_output{});
      const auto out_b = described(grad_b, decorr_output{});
      return decorr_r_off(&in_a, &in_b, &out_a, &out_b, nullptr, nullptr);
    });
    check(std::vector{lags}, [&] {
      const auto out = described(lags, decorr_output{});
      const decorr_execution execution{sizeof execution, 1, DECORR_ESTIMATE, nullptr, nullptr};
      return decorr_sumvec(&in_a, &in_b, &execution, &out);
    });
  }
  CHECK(refused > 2000);
  CHECK(accepted > 500);
}

TEST_CASE("Seeds draw what C++ draws") {
  constexpr Index d = 100;
  for (const std::uint64_t seed : {UINT64_C(5), (UINT64_C(7) << 32) + 5}) {
    std::mt19937_64 engine(seed);
    const auto permutation = decorr::random_permutation(d, engine);
    const auto signs = decorr::random_signs(d, engine);
    decorr_generator* generator = nullptr;
    REQUIRE(decorr_generator_create(seed, &generator) == DECORR_OK);
    std::vector<std::int64_t> c_permutation(d);
    std::vector<std::int8_t> c_signs(d);
    CHECK(decorr_random_permutation(generator, d, c_permutation.data()) == DECORR_OK);
    CHECK(decorr_random_signs(generator, d, c_signs.data()) == DECORR_OK);
    CHECK(std::equal(permutation.begin(), permutation.end(), c_permutation.begin()));
    CHECK(signs == c_signs);
    decorr_generator_destroy(generator);
  }
}

void check_regularizer(const decorr_regularizer& c, const decorr::Exact&) {
  CHECK(c.form == DECORR_EXACT);
}
void check_regularizer(const decorr_regularizer& c, const decorr::Relaxed& relaxed) {
  CHECK(c.form == DECORR_RELAXED);
  CHECK(c.exponent == relaxed.exponent);
  CHECK(c.block_size == relaxed.block_size);
  const auto same = [](const auto* array, std::int64_t size, const auto& expected) {
    return size == static_cast<std::int64_t>(expected.size()) &&
           std::equal(expected.begin(), expected.end(), array);
  };
  CHECK(same(c.permutation, c.permutation_size, relaxed.permutation));
  CHECK(same(c.signs_a, c.signs_a_size, relaxed.signs_a));
  CHECK(same(c.signs_b, c.signs_b_size, relaxed.signs_b));
}

TEST_CASE("Presets are those of C++") {
  decorr_generator* generator = nullptr;
  REQUIRE(decorr_generator_create(9, &generator) == DECORR_OK);
  std::mt19937_64 engine(9);
  std::vector<std::int64_t> permutation(8192);
  std::vector<std::int8_t> signs_a(8192), signs_b(8192);
  decorr_barlow_twins_options barlow_twins;
  decorr_vicreg_options vicreg;
  decorr_regularizer regularizer;
  REQUIRE(decorr_barlow_twins_options_defaults(&barlow_twins, sizeof barlow_twins) == DECORR_OK);
  REQUIRE(decorr_vicreg_options_defaults(&vicreg, sizeof vicreg) == DECORR_OK);
  REQUIRE(decorr_regularizer_defaults(&regularizer, sizeof regularizer) == DECORR_OK);
  const auto check_barlow_twins = [&](std::int32_t name, Index d, Index block, const auto& preset) {
    CAPTURE(name);
    REQUIRE(decorr_barlow_twins_preset(name, d, block, generator, permutation.data(),
                                       signs_a.data(), signs_b.data(), &barlow_twins,
                                       &regularizer) == DECORR_OK);
    CHECK(barlow_twins.lambda == preset.options.lambda);
    CHECK(barlow_twins.scale == preset.options.scale);
    check_regularizer(regularizer, preset.regularizer);
  };
  const auto check_vicreg = [&](std::int32_t name, Index d, Index block, const auto& preset) {
    CAPTURE(name);
    REQUIRE(decorr_vicreg_preset(name, d, block, generator, permutation.data(), signs_a.data(),
                                 signs_b.data(), &vicreg, &regularizer) == DECORR_OK);
    CHECK(vicreg.invariance == preset.options.invariance);
    CHECK(vicreg.variance == preset.options.variance);
    CHECK(vicreg.covariance == preset.options.covariance);
    CHECK(vicreg.scale == preset.options.scale);
    CHECK(vicreg.sum_variance == (preset.options.sum_variance ? 1 : 0));
    CHECK((vicreg.covariance_scaling == DECORR_BLOCK_MEAN) ==
          (preset.options.covariance_scaling == decorr::CovarianceScaling::block_mean));
    check_regularizer(regularizer, preset.regularizer);
  };
  using namespace decorr::presets;
  check_barlow_twins(DECORR_PRESET_EXACT, 5, 0, barlow_twins_exact());
  check_barlow_twins(DECORR_PRESET_EXACT_SOLO_LEARN_2048, 2048, 0,
                     barlow_twins_exact_solo_learn_2048());
  check_barlow_twins(DECORR_PRESET_EXACT_SOLO_LEARN_8192, 8192, 0,
                     barlow_twins_exact_solo_learn_8192());
  check_barlow_twins(DECORR_PRESET_RELAXED_2048, 2048, 128, barlow_twins_relaxed_2048(engine, 128));
  check_barlow_twins(DECORR_PRESET_RELAXED_8192, 8192, 0, barlow_twins_relaxed_8192(engine));
  check_barlow_twins(DECORR_PRESET_RANDOM_SIGNS, 100, 10,
                     barlow_twins_random_signs(100, engine, 10));
  check_vicreg(DECORR_PRESET_EXACT, 5, 0, vicreg_exact());
  // Which ignore the block size.
  check_vicreg(DECORR_PRESET_EXACT, 5, 9, vicreg_exact());
  check_barlow_twins(DECORR_PRESET_EXACT_SOLO_LEARN_2048, 2048, -1,
                     barlow_twins_exact_solo_learn_2048());
  check_vicreg(DECORR_PRESET_EXACT_SOLO_LEARN, 5, 0, vicreg_exact_solo_learn());
  check_vicreg(DECORR_PRESET_RELAXED_2048, 2048, 128, vicreg_relaxed_2048(engine, 128));
  check_vicreg(DECORR_PRESET_RELAXED_8192, 8192, 0, vicreg_relaxed_8192(engine));
  check_vicreg(DECORR_PRESET_RANDOM_SIGNS, 100, 0, vicreg_random_signs(100, engine));
  const auto check_recommended = [&](Index n, Index d) {
    CAPTURE(n);
    CAPTURE(d);
    const decorr::Regularizer expected = recommended(n, d, engine);
    std::fill(signs_a.begin(), signs_a.end(), std::int8_t{7});
    REQUIRE(decorr_recommended(n, d, generator, signs_a.data(), signs_b.data(), &regularizer) ==
            DECORR_OK);
    if (expected.relaxed() != nullptr) {
      check_regularizer(regularizer, *expected.relaxed());
    } else {
      CHECK(regularizer.form == DECORR_EXACT);
      CHECK(regularizer.signs_a == nullptr);
      CHECK(signs_a[0] == 7);
    }
  };
  check_recommended(32, 8192);
  check_recommended(33, 8192);
  check_recommended(1000000, 32);
  check_recommended(100, 700);
  decorr_generator_destroy(generator);
}

TEST_CASE("Messages do not depend on the locale") {
  const decorr_tests::ForeignLocale locale;
  std::vector<float> memory(4096);
  const decorr_input few = decorr_input_rows(memory.data(), DECORR_FLOAT32, 2, 1024);
  const decorr_input many = decorr_input_rows(memory.data(), DECORR_FLOAT32, 2, 2048);
  decorr_barlow_twins_options options;
  decorr_barlow_twins_options_defaults(&options, sizeof options);
  options.epsilon = -0.5;
  decorr_barlow_twins_terms terms = {sizeof terms, 0, 0, 0};
  const auto message = [&](const decorr_input& b) {
    CHECK(decorr_barlow_twins_loss(&few, &b, nullptr, nullptr, &options, nullptr, nullptr,
                                   &terms) == DECORR_INVALID_ARGUMENT);
    return std::string(decorr_error_message());
  };
  CHECK(message(many) == "barlow_twins_loss: z_b has 2048 columns, z_a has 1024");
  CHECK(std::string(decorr_error_argument()) == "z_b");
  CHECK(message(few) == "barlow_twins_loss: epsilon is -0.5, expected at least 0");
  CHECK(std::string(decorr_error_argument()) == "epsilon");
}

TEST_CASE("Messages are each thread's own") {
  CHECK(decorr_cached_plans(nullptr) == DECORR_INVALID_ARGUMENT);
  CHECK(std::string(decorr_error_message()) == "cached_plans: count is null");
  CHECK(std::string(decorr_error_argument()) == "count");
  std::thread([] {
    CHECK(std::string(decorr_error_message()).empty());
    CHECK(std::string(decorr_error_argument()).empty());
  }).join();
}

TEST_CASE("The planner's lock is one for all threads") {
  struct {
    void lock() const { CHECK(decorr_lock_planner() == DECORR_OK); }
    void unlock() const { CHECK(decorr_unlock_planner() == DECORR_OK); }
  } planner;
  CHECK(decorr_tests::waits_for(planner, [&] {
    planner.lock();
    planner.unlock();
  }));
}

TEST_CASE("Wisdom goes to a file and back") {
  const std::string path = "decorr_c_wisdom";
  for (const std::int32_t type : {DECORR_FLOAT32, DECORR_FLOAT64}) {
    CHECK(decorr_save_wisdom(type, path.c_str()) == DECORR_OK);
    CHECK(decorr_load_wisdom(type, path.c_str()) == DECORR_OK);
    const auto other = type == DECORR_FLOAT32 ? DECORR_FLOAT64 : DECORR_FLOAT32;
    CHECK(decorr_load_wisdom(other, path.c_str()) == DECORR_FAILED);
  }
  std::remove(path.c_str());
}

}  // namespace

// 77, which ctest takes for skipped, where this processor or build has not what DECORR_CPU asks
// for.
int main(int argc, char** argv) {
  const char* asked = std::getenv("DECORR_CPU");
  if (asked != nullptr && std::strcmp(asked, decorr_cpu()) != 0) {
    std::printf("skipped: asked for %s, got %s\n", asked, decorr_cpu());
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
