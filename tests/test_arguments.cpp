// Every check of an argument, for every function that makes it: the exception's type, its message,
// and that nothing was written.
#include <doctest/doctest.h>

#include <cstring>
#include <decorr/decorr.hpp>
#include <functional>
#include <limits>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/random_matrices.hpp"

namespace test_arguments {

namespace {

using decorr_tests::random_matrix;
using Eigen::Index;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

constexpr Index kRows = 6, kCols = 5;
constexpr double kSentinel = -12345.678;

// Where one argument lies in the common memory.
struct Placement {
  Index offset, rows = kRows, cols = kCols, row_stride = kCols, col_stride = 1;
};

// The arguments of one call, good ones until a test changes them.
struct Arguments {
  std::vector<double> memory = std::vector<double>(800, kSentinel);
  Placement a{0}, b{200}, grad_a{400}, grad_b{600};
  decorr::BarlowTwinsOptions barlow_twins;
  decorr::VicregOptions vicreg;
  decorr::Relaxed relaxed;
  decorr::Execution execution;

  Arguments() {
    view(a) = random_matrix<RowMajor>(kRows, kCols, 1);
    view(b) = random_matrix<RowMajor>(kRows, kCols, 2);
  }
  View view(const Placement& place) {
    return {memory.data() + place.offset, place.rows, place.cols,
            Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>(place.row_stride, place.col_stride)};
  }
};

struct Function {
  const char* name;
  const char *a, *b, *grad_a, *grad_b;  // what its arguments are called; null: it has none
  bool is_relaxed, takes_variance, may_skip_variance;
  std::function<void(Arguments&)> run;

  bool has_gradient() const { return grad_a != nullptr; }
};

enum class Form { exact, relaxed };

// The value and the gradient call of every public function.
std::vector<Function> all_functions() {
  std::vector<Function> functions;
  const auto add = [&](const char* name, Form form, auto value, auto gradient) {
    const std::string text = name;
    const bool loss = text.find("_loss") != std::string::npos;
    const bool single = text == "variance_covariance_loss";
    const char* a = single ? "z" : loss ? "z_a" : "a";
    const char* b = single ? nullptr : loss ? "z_b" : "b";
    const bool barlow_twins = text == "barlow_twins_loss";
    const bool relaxed = form == Form::relaxed;
    functions.push_back({name, a, b, nullptr, nullptr, relaxed, loss, barlow_twins, value});
    if constexpr (!std::is_same<decltype(gradient), std::nullptr_t>::value) {
      functions.push_back({name, a, b, single ? "grad" : "grad_a", single ? nullptr : "grad_b",
                           relaxed, loss, barlow_twins, gradient});
    }
  };
  using A = Arguments;
  add(
      "r_off", Form::exact, [](A& x) { decorr::r_off(x.view(x.a), x.view(x.b), x.execution); },
      [](A& x) {
        decorr::r_off(x.view(x.a), x.view(x.b), x.view(x.grad_a), x.view(x.grad_b), x.execution);
      });
  add(
      "r_sum", Form::relaxed,
      [](A& x) { decorr::r_sum(x.view(x.a), x.view(x.b), x.relaxed, x.execution); },
      [](A& x) {
        decorr::r_sum(x.view(x.a), x.view(x.b), x.view(x.grad_a), x.view(x.grad_b), x.relaxed,
                      x.execution);
      });
  add(
      "sumvec", Form::exact, [](A& x) { decorr::sumvec(x.view(x.a), x.view(x.b), x.execution); },
      nullptr);
  const auto add_losses = [&](Form form, auto regularizer_of) {
    add(
        "barlow_twins_loss", form,
        [=](A& x) {
          decorr::barlow_twins_loss(x.view(x.a), x.view(x.b), x.barlow_twins, regularizer_of(x),
                                    x.execution);
        },
        [=](A& x) {
          decorr::barlow_twins_loss(x.view(x.a), x.view(x.b), x.view(x.grad_a), x.view(x.grad_b),
                                    x.barlow_twins, regularizer_of(x), x.execution);
        });
    add(
        "vicreg_loss", form,
        [=](A& x) {
          decorr::vicreg_loss(x.view(x.a), x.view(x.b), x.vicreg, regularizer_of(x), x.execution);
        },
        [=](A& x) {
          decorr::vicreg_loss(x.view(x.a), x.view(x.b), x.view(x.grad_a), x.view(x.grad_b),
                              x.vicreg, regularizer_of(x), x.execution);
        });
    add(
        "variance_covariance_loss", form,
        [=](A& x) {
          decorr::variance_covariance_loss(x.view(x.a), x.vicreg, regularizer_of(x), x.execution);
        },
        [=](A& x) {
          decorr::variance_covariance_loss(x.view(x.a), x.view(x.grad_a), x.vicreg,
                                           regularizer_of(x), x.execution);
        });
  };
  add_losses(Form::exact, [](const A&) { return decorr::Exact{}; });
  add_losses(Form::relaxed, [](const A& x) { return x.relaxed; });
  return functions;
}

const std::vector<Function>& functions() {
  static const std::vector<Function> all = all_functions();
  return all;
}

// The name that the exception carries is the one that the message says something of.
template <class Call>
void check_argument(const std::string& expected_message, Call&& call) {
  try {
    call();
    FAIL("no exception");
  } catch (const decorr::InvalidArgument& error) {
    CHECK(std::string(error.what()) == expected_message);
    const std::string subject = expected_message.substr(expected_message.find(": ") + 2);
    CHECK(std::string(error.argument()) == subject.substr(0, subject.find_first_of(" [")));
  }
}

void check_rejected(const Function& function, Arguments arguments, const std::string& message) {
  const std::string expected = std::string(function.name) + ": " + message;
  CAPTURE(expected);
  const std::vector<double> before = arguments.memory;
  CHECK_THROWS_WITH_AS(function.run(arguments), expected.c_str(), std::invalid_argument);
  check_argument(expected, [&] { function.run(arguments); });
  CHECK(std::memcmp(before.data(), arguments.memory.data(), before.size() * sizeof(double)) == 0);
}

// All functions that `applies` to, called with good arguments but for `change`.
template <class Applies, class Change, class Message>
void check_all_rejected(Applies&& applies, Change&& change, Message&& message) {
  int tried = 0;
  for (const Function& function : functions()) {
    if (!applies(function)) continue;
    ++tried;
    Arguments arguments;
    change(arguments);
    check_rejected(function, arguments, message(function));
  }
  CHECK(tried > 0);
}

bool any(const Function&) { return true; }
bool has_b(const Function& f) { return f.b != nullptr; }
bool has_gradient(const Function& f) { return f.has_gradient(); }
bool has_two_gradients(const Function& f) { return f.grad_b != nullptr; }
bool is_relaxed(const Function& f) { return f.is_relaxed; }

}  // namespace

TEST_CASE("good arguments are accepted by every function") {
  CHECK(functions().size() == 17);
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    Arguments arguments;
    CHECK_NOTHROW(function.run(arguments));
    const bool written = arguments.view(arguments.grad_a)(0, 0) != kSentinel;
    CHECK(written == function.has_gradient());
  }
}

TEST_CASE("copies of an InvalidArgument have its message and its argument") {
  static_assert(std::is_nothrow_copy_constructible<decorr::InvalidArgument>::value, "");
  static_assert(std::is_nothrow_copy_assignable<decorr::InvalidArgument>::value, "");
  const std::string longest(decorr::InvalidArgument::kMostCharacters - 1, 'x');
  for (const std::string& name : {std::string(), std::string("z_b"), longest, longest + "yz"}) {
    const decorr::InvalidArgument error("f: " + name + " is wrong", name.c_str());
    const decorr::InvalidArgument copy =
        error;  // NOLINT(performance-unnecessary-copy-initialization)
    decorr::InvalidArgument assigned("", "another name");
    assigned = copy;
    const decorr::InvalidArgument& itself = assigned;
    assigned = itself;
    for (const decorr::InvalidArgument* each : {&error, &copy, &std::as_const(assigned)}) {
      CHECK(each->what() == "f: " + name + " is wrong");
      CHECK(each->argument() == name.substr(0, longest.size()));
    }
  }
}

TEST_CASE("empty matrices are rejected") {
  for (const auto& shape : {std::pair<Index, Index>{0, kCols}, {kRows, 0}, {0, 0}}) {
    const Index rows = shape.first, cols = shape.second;
    check_all_rejected(
        any,
        [=](Arguments& x) {
          for (Placement* place : {&x.a, &x.b, &x.grad_a, &x.grad_b}) {
            place->rows = rows;
            place->cols = cols;
          }
        },
        [=](const Function& f) {
          return std::string(f.a) + " is " + std::to_string(rows) + " x " + std::to_string(cols) +
                 ", expected at least 1 row and 1 column";
        });
  }
}

TEST_CASE("views of different shapes are rejected") {
  for (const Index rows : {kRows - 1, kRows + 1, Index{0}}) {
    check_all_rejected(
        has_b, [=](Arguments& x) { x.b.rows = rows; },
        [=](const Function& f) {
          return std::string(f.b) + " has " + std::to_string(rows) + " rows, " + f.a + " has 6";
        });
  }
  for (const Index cols : {kCols - 1, kCols + 1, Index{0}}) {
    check_all_rejected(
        has_b, [=](Arguments& x) { x.b.cols = cols; },
        [=](const Function& f) {
          return std::string(f.b) + " has " + std::to_string(cols) + " columns, " + f.a + " has 5";
        });
  }
  check_all_rejected(
      has_b, [](Arguments& x) { x.b.cols = 1; },
      [](const Function& f) { return std::string(f.b) + " has 1 column, " + f.a + " has 5"; });
}

TEST_CASE("the message for views of different shapes names function, argument and both values") {
  const RowMajor a = random_matrix<RowMajor>(256, 4, 1), b = random_matrix<RowMajor>(255, 4, 2);
  CHECK_THROWS_WITH_AS(decorr::barlow_twins_loss(a, b),
                       "barlow_twins_loss: z_b has 255 rows, z_a has 256", std::invalid_argument);
}

TEST_CASE("one row is rejected where a variance is needed, and accepted where none is") {
  const auto one_row = [](Arguments& x) {
    for (Placement* place : {&x.a, &x.b, &x.grad_a, &x.grad_b}) place->rows = 1;
  };
  check_all_rejected([](const Function& f) { return f.takes_variance; }, one_row,
                     [](const Function& f) {
                       return std::string(f.a) +
                              " has 1 row, expected at least 2 (a variance is taken over the rows)";
                     });
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    Arguments arguments;
    one_row(arguments);
    arguments.barlow_twins.standardize = false;
    if (!function.takes_variance || function.may_skip_variance) {
      CHECK_NOTHROW(function.run(arguments));
    }
  }
}

TEST_CASE("gradients of another shape are rejected, not resized") {
  const auto check = [](auto applies, auto place, auto name, auto input) {
    for (const Index rows : {kRows - 1, kRows + 1, Index{0}}) {
      check_all_rejected(
          applies, [=](Arguments& x) { (x.*place).rows = rows; },
          [=](const Function& f) {
            return std::string(f.*name) + " has " + std::to_string(rows) + " rows, " + f.*input +
                   " has 6";
          });
    }
    for (const Index cols : {kCols - 1, kCols + 1, Index{0}}) {
      check_all_rejected(
          applies, [=](Arguments& x) { (x.*place).cols = cols; },
          [=](const Function& f) {
            return std::string(f.*name) + " has " + std::to_string(cols) + " columns, " + f.*input +
                   " has 5";
          });
    }
  };
  check(has_gradient, &Arguments::grad_a, &Function::grad_a, &Function::a);
  check(has_two_gradients, &Arguments::grad_b, &Function::grad_b, &Function::b);

  // A matrix could be resized, unlike a Map.
  const RowMajor a = random_matrix<RowMajor>(kRows, kCols, 1);
  RowMajor empty, grad(kRows, kCols);
  CHECK_THROWS_WITH_AS(decorr::r_off(a, a, empty, grad), "r_off: grad_a has 0 rows, a has 6",
                       std::invalid_argument);
  CHECK(empty.size() == 0);
}

TEST_CASE("gradients that overlap an input or each other are rejected") {
  const auto check = [](auto applies, auto gradient, auto name, auto other, auto other_name) {
    const auto message = [=](const Function& f) {
      return std::string(f.*name) + " overlaps " + f.*other_name + ", expected memory of its own";
    };
    // The same memory; moved by an element, by a row; one common element at either end.
    for (const Index shift : {Index{0}, Index{1}, kCols, kRows * kCols - 1, 1 - kRows * kCols}) {
      CAPTURE(shift);
      check_all_rejected(
          applies,
          [=](Arguments& x) {
            (x.*other).offset += 100;
            (x.*gradient).offset = (x.*other).offset + shift;
          },
          message);
    }
    // Another layout over the same range.
    check_all_rejected(
        applies,
        [=](Arguments& x) {
          (x.*gradient).offset = (x.*other).offset;
          (x.*gradient).row_stride = 1;
          (x.*gradient).col_stride = kRows;
        },
        message);
    // Column blocks of one buffer with a common column.
    check_all_rejected(
        applies,
        [=](Arguments& x) {
          (x.*gradient).offset = (x.*other).offset + kCols - 1;
          (x.*gradient).row_stride = (x.*other).row_stride = 3 * kCols;
        },
        message);
  };
  check(has_gradient, &Arguments::grad_a, &Function::grad_a, &Arguments::a, &Function::a);
  check(has_two_gradients, &Arguments::grad_a, &Function::grad_a, &Arguments::b, &Function::b);
  check(has_two_gradients, &Arguments::grad_b, &Function::grad_b, &Arguments::a, &Function::a);
  check(has_two_gradients, &Arguments::grad_b, &Function::grad_b, &Arguments::b, &Function::b);
  check(has_two_gradients, &Arguments::grad_b, &Function::grad_b, &Arguments::grad_a,
        &Function::grad_a);
}

TEST_CASE("a gradient that overlaps an input of another scalar type is rejected") {
  std::vector<float> memory(kRows * kCols, 1.f);
  using Half = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Half> z(reinterpret_cast<const Eigen::half*>(memory.data()), kRows, kCols);
  Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> grad(
      memory.data(), kRows, kCols);
  const std::vector<float> before = memory;
  CHECK_THROWS_WITH_AS(decorr::variance_covariance_loss(z, grad),
                       "variance_covariance_loss: grad overlaps z, expected memory of its own",
                       std::invalid_argument);
  CHECK(memory == before);
}

TEST_CASE("interleaved parts of one buffer that share no element are accepted") {
  struct Layout {
    const char* name;
    Index distance, row_stride, col_stride;
  };
  for (const Layout& layout :
       {Layout{"column blocks of a row-major buffer", kCols, 4 * kCols, 1},
        Layout{"rows of each in turn", kCols, 4 * kCols, 1},
        Layout{"elements of each in turn", 1, 4 * kCols, 4},
        Layout{"row blocks of a column-major buffer", kRows, 1, 4 * kRows}}) {
    CAPTURE(layout.name);
    for (const Function& function : functions()) {
      if (!function.has_gradient()) continue;
      CAPTURE(function.name);
      Arguments plain, interleaved;
      function.run(plain);
      Index offset = 0;
      for (Placement* place :
           {&interleaved.a, &interleaved.b, &interleaved.grad_a, &interleaved.grad_b}) {
        place->offset = offset;
        place->row_stride = layout.row_stride;
        place->col_stride = layout.col_stride;
        offset += layout.distance;
      }
      interleaved.view(interleaved.a) = plain.view(plain.a);
      interleaved.view(interleaved.b) = plain.view(plain.b);
      REQUIRE_NOTHROW(function.run(interleaved));
      CHECK(interleaved.view(interleaved.a) == plain.view(plain.a));
      CHECK(interleaved.view(interleaved.b) == plain.view(plain.b));
      CHECK(interleaved.view(interleaved.grad_a) == plain.view(plain.grad_a));
      if (function.grad_b != nullptr) {
        CHECK(interleaved.view(interleaved.grad_b) == plain.view(plain.grad_b));
      }
    }
  }
}

TEST_CASE("one matrix may be both inputs") {
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    Arguments arguments;
    arguments.b = arguments.a;
    CHECK_NOTHROW(function.run(arguments));
  }
}

TEST_CASE("an exponent other than 1 and 2 is rejected") {
  for (const int exponent : {-1, 0, 3, 4}) {
    check_all_rejected(
        is_relaxed, [=](Arguments& x) { x.relaxed.exponent = exponent; },
        [=](const Function&) {
          return "exponent is " + std::to_string(exponent) + ", expected 1 or 2";
        });
  }
}

TEST_CASE("a block size outside of 0 to d is rejected") {
  for (const Index block_size : {Index{-1}, kCols + 1, std::numeric_limits<Index>::max()}) {
    check_all_rejected(
        is_relaxed, [=](Arguments& x) { x.relaxed.block_size = block_size; },
        [=](const Function&) {
          return "block_size is " + std::to_string(block_size) +
                 ", expected 0 to 5, the number of features";
        });
  }
  for (Index block_size = 0; block_size <= kCols; ++block_size) {
    for (const Function& function : functions()) {
      Arguments arguments;
      arguments.relaxed.block_size = block_size;
      CHECK_NOTHROW(function.run(arguments));
    }
  }
}

TEST_CASE("a permutation that is none is rejected") {
  const auto check = [](const std::vector<Index>& permutation, const std::string& message) {
    check_all_rejected(
        is_relaxed, [&](Arguments& x) { x.relaxed.permutation = permutation; },
        [&](const Function&) { return message; });
  };
  check({0}, "permutation has 1 entry, expected 5, one for each feature");
  check({0, 1, 2, 3}, "permutation has 4 entries, expected 5, one for each feature");
  check({0, 1, 2, 3, 4, 5}, "permutation has 6 entries, expected 5, one for each feature");
  check({0, 1, -1, 3, 4}, "permutation[2] is -1, expected 0 to 4");
  check({0, 1, 2, 3, 5}, "permutation[4] is 5, expected 0 to 4");
  check({3, 1, 2, 3, 4}, "permutation[3] is 3 as permutation[0] is, expected each feature once");
}

TEST_CASE("signs of the wrong number or value are rejected, for either view") {
  // A function of one view checks both, too: what is wrong is seen before it is used.
  for (const auto& [signs, name] : {std::pair(&decorr::Relaxed::signs_a, "signs_a"),
                                    std::pair(&decorr::Relaxed::signs_b, "signs_b")}) {
    const auto check = [member = signs, prefix = std::string(name)](
                           const std::vector<std::int8_t>& values, const std::string& message) {
      check_all_rejected(
          is_relaxed, [&](Arguments& x) { x.relaxed.*member = values; },
          [&](const Function&) { return prefix + message; });
    };
    check({1, 1, -1, 1}, " has 4 entries, expected 5, one for each feature");
    check({1, 1, -1, 1, 1, 1}, " has 6 entries, expected 5, one for each feature");
    check({1, 0, -1, 1, 1}, "[1] is 0, expected +1 or -1");
    check({1, 1, -1, 1, 2}, "[4] is 2, expected +1 or -1");
    check({-128, 1, -1, 1, 1}, "[0] is -128, expected +1 or -1");
  }
}

TEST_CASE("fewer than one thread is rejected") {
  for (const int threads : {0, -1}) {
    check_all_rejected(
        any, [=](Arguments& x) { x.execution.threads = threads; },
        [=](const Function&) {
          return "threads is " + std::to_string(threads) + ", expected at least 1";
        });
  }
}

TEST_CASE("a negative or undefined epsilon is rejected") {
  for (const auto& [epsilon, text] :
       {std::pair(-1e-5, "-1e-05"), std::pair(std::numeric_limits<double>::quiet_NaN(), "nan")}) {
    check_all_rejected(
        [](const Function& f) { return f.takes_variance; },
        [value = epsilon](Arguments& x) { x.barlow_twins.epsilon = x.vicreg.epsilon = value; },
        [given = std::string(text)](const Function&) {
          return "epsilon is " + given + ", expected at least 0";
        });
  }
}

TEST_CASE("weights that are not finite are rejected") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()}) {
    std::ostringstream text;
    text << value;
    const auto check = [&](const char* name, auto member, auto options) {
      check_all_rejected(
          [&](const Function& f) { return std::string(f.name).find(options.second) == 0; },
          [&](Arguments& x) { x.*options.first.*member = value; },
          [&](const Function&) {
            return name + std::string(" is ") + text.str() + ", expected a finite number";
          });
    };
    const auto barlow_twins = std::pair(&Arguments::barlow_twins, "barlow_twins_loss");
    check("lambda", &decorr::BarlowTwinsOptions::lambda, barlow_twins);
    check("scale", &decorr::BarlowTwinsOptions::scale, barlow_twins);
    for (const char* function : {"vicreg_loss", "variance_covariance_loss"}) {
      const auto vicreg = std::pair(&Arguments::vicreg, function);
      check("invariance", &decorr::VicregOptions::invariance, vicreg);
      check("variance", &decorr::VicregOptions::variance, vicreg);
      check("covariance", &decorr::VicregOptions::covariance, vicreg);
      check("gamma", &decorr::VicregOptions::gamma, vicreg);
      check("scale", &decorr::VicregOptions::scale, vicreg);
    }
  }
  check_all_rejected([](const Function& f) { return f.takes_variance; },
                     [](Arguments& x) { x.barlow_twins.epsilon = x.vicreg.epsilon = kInfinity; },
                     [](const Function&) { return "epsilon is inf, expected a finite number"; });
}

TEST_CASE("enumerators that are none are rejected") {
  for (const int value : {-1, 3}) {
    check_all_rejected(
        any, [=](Arguments& x) { x.execution.planning = static_cast<decorr::Planning>(value); },
        [=](const Function&) {
          return "planning is " + std::to_string(value) + ", expected one of its names";
        });
  }
  check_all_rejected(
      [](const Function& f) { return f.takes_variance && !f.may_skip_variance; },
      [](Arguments& x) { x.vicreg.covariance_scaling = static_cast<decorr::CovarianceScaling>(2); },
      [](const Function&) { return "covariance_scaling is 2, expected one of its names"; });
}

TEST_CASE("a gradient whose elements share memory is rejected") {
  for (const auto& [row_stride, col_stride] :
       {std::pair<Index, Index>{0, 1}, {1, 0}, {1, 1}, {4, 1}, {2, 3}, {-4, 1}}) {
    const std::string strides = std::to_string(row_stride) + " and " + std::to_string(col_stride);
    const auto check = [&, row = row_stride, col = col_stride](auto member, auto name) {
      check_all_rejected([&](const Function& f) { return f.*name != nullptr; },
                         [&](Arguments& x) {
                           (x.*member).row_stride = row;
                           (x.*member).col_stride = col;
                           (x.*member).offset += 30;
                         },
                         [&](const Function& f) {
                           return f.*name + (" has strides " + strides) +
                                  " for 6 x 5 elements, of which some share memory";
                         });
    };
    check(&Arguments::grad_a, &Function::grad_a);
    check(&Arguments::grad_b, &Function::grad_b);
  }
}

TEST_CASE("a transform longer than the FFT library can count is rejected") {
  // By the internal name: through a public one it would take a matrix of 2^31 columns.
  const auto plan = [](Index length, Index count) {
    decorr::detail::transform_plan<double>(length, count, decorr::detail::Direction::forward,
                                           decorr::Planning::estimate);
  };
  const Index large = Index{1} << 31;
  CHECK_THROWS_WITH_AS(plan(large, 1),
                       "transform_plan: length is 2147483648, expected 1 to 2147483647",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(plan(4, large),
                       "transform_plan: count is 2147483648, expected 1 to 2147483647",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(plan(0, 1), "transform_plan: length is 0, expected 1 to 2147483647",
                       std::invalid_argument);
}

}  // namespace test_arguments
