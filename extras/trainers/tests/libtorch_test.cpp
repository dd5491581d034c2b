// The losses for LibTorch beside the same formulas in LibTorch's operations, which autograd
// differentiates.

#include <torch/torch.h>

#include <decorr/decorr.hpp>
#include <decorr/libtorch.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "textbook.hpp"
#undef CHECK  // of LibTorch's logging
#include <doctest/doctest.h>

namespace {

namespace libtorch = decorr::libtorch;
using torch::Tensor;

constexpr std::int64_t kSamples = 12, kFeatures = 10;

/// A leaf that requires a gradient, the same numbers for the same seed.
Tensor random_leaf(std::uint64_t seed, at::ScalarType type = at::kDouble) {
  torch::manual_seed(seed);
  return torch::randn({kSamples, kFeatures}, torch::kDouble).to(type).requires_grad_();
}

/// Over the largest number that is expected, if there is one.
double relative_difference(const Tensor& x, const Tensor& expected) {
  const double difference =
      (x.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
  const double largest = expected.to(at::kDouble).abs().max().item<double>();
  return largest > 0 ? difference / largest : difference;
}

/// Of each regularizer a form: exact; one block; blocks of which the last is shorter, with signs
/// and a permutation, either exponent.
std::vector<decorr::Regularizer> regularizers() {
  std::mt19937_64 generator(1);
  std::vector<decorr::Regularizer> all{decorr::Exact(), decorr::Relaxed()};
  for (const int exponent : {1, 2}) {
    decorr::Relaxed relaxed;
    relaxed.exponent = exponent;
    relaxed.block_size = 4;
    relaxed.permutation = decorr::random_permutation(kFeatures, generator);
    relaxed.signs_a = decorr::random_signs(kFeatures, generator);
    relaxed.signs_b = decorr::random_signs(kFeatures, generator);
    all.emplace_back(std::move(relaxed));
  }
  return all;
}

/// A loss of two views, here and in LibTorch's operations.
struct Loss {
  std::string name;
  std::function<std::vector<Tensor>(const Tensor&, const Tensor&, const decorr::Regularizer&)> ours;
  std::function<Tensor(const Tensor&, const Tensor&, const decorr::Regularizer&)> expected;
};
std::vector<Loss> losses() {
  decorr::BarlowTwinsOptions barlow_twins;
  barlow_twins.lambda = 0.3;  // so that neither term hides the other
  barlow_twins.scale = 0.7;
  decorr::BarlowTwinsOptions raw = barlow_twins;
  raw.standardize = false;
  decorr::VicregOptions vicreg;
  vicreg.invariance = 2;
  vicreg.variance = 3;
  vicreg.scale = 0.7;
  const auto barlow_twins_of = [](const std::string& name,
                                  const decorr::BarlowTwinsOptions& options) {
    return Loss{name,
                [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
                  const auto loss = libtorch::barlow_twins_loss(a, b, options, regularizer);
                  return std::vector<Tensor>{loss.value, loss.diagonal, loss.off_diagonal};
                },
                [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
                  return textbook::barlow_twins(a, b, options, regularizer);
                }};
  };
  return {
      barlow_twins_of("Barlow Twins", barlow_twins),
      barlow_twins_of("Barlow Twins without standardization", raw),
      {"VICReg",
       [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
         const auto loss = libtorch::vicreg_loss(a, b, vicreg, regularizer);
         return std::vector<Tensor>{loss.value, loss.invariance, loss.variance, loss.covariance};
       },
       [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
         return textbook::vicreg(a, b, vicreg, regularizer);
       }},
      {"VCReg of both views",
       [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
         const auto of_a = libtorch::variance_covariance_loss(a, vicreg, regularizer);
         const auto of_b = libtorch::variance_covariance_loss(b, vicreg, regularizer);
         return std::vector<Tensor>{of_a.value + of_b.value, of_a.variance + of_b.variance,
                                    of_a.covariance + of_b.covariance};
       },
       [=](const Tensor& a, const Tensor& b, const decorr::Regularizer& regularizer) {
         return textbook::variance_covariance(a, vicreg, regularizer) +
                textbook::variance_covariance(b, vicreg, regularizer);
       }},
  };
}

struct Gradients {
  Tensor value, a, b;
};
/// Of three times the value, so that the factor of backward() counts.
Gradients gradients_of(const Tensor& value, const Tensor& a, const Tensor& b) {
  const auto gradients = torch::autograd::grad({3 * value}, {a, b});
  return {value.detach(), gradients[0], gradients[1]};
}

// Rounding of sums of n d terms, all of the size of the largest.
constexpr double kDoubleRounding = 1e-12;

TEST_CASE("values and gradients are those of autograd") {
  for (const Loss& loss : losses()) {
    CAPTURE(loss.name);
    for (const decorr::Regularizer& regularizer : regularizers()) {
      CAPTURE(regularizer.relaxed() == nullptr ? 0 : regularizer.relaxed()->exponent);
      const Tensor a = random_leaf(1), b = random_leaf(2);
      const std::vector<Tensor> terms = loss.ours(a, b, regularizer);
      const Gradients ours = gradients_of(terms[0], a, b);
      const Gradients expected = gradients_of(loss.expected(a, b, regularizer), a, b);
      CHECK(relative_difference(ours.value, expected.value) < kDoubleRounding);
      CHECK(relative_difference(ours.a, expected.a) < kDoubleRounding);
      CHECK(relative_difference(ours.b, expected.b) < kDoubleRounding);
      double sum = 0;
      for (std::size_t i = 1; i < terms.size(); ++i) {
        CHECK_FALSE(terms[i].requires_grad());
        sum += terms[i].item<double>();
      }
      CHECK(sum == doctest::Approx(ours.value.item<double>()).epsilon(kDoubleRounding));
    }
  }
}

TEST_CASE("the bare regularizers") {
  const Tensor a = random_leaf(1), b = random_leaf(2);
  const auto n = static_cast<double>(kSamples);
  for (const decorr::Regularizer& regularizer : regularizers()) {
    const Tensor value = regularizer.relaxed() == nullptr
                             ? libtorch::r_off(a, b)
                             : libtorch::r_sum(a, b, *regularizer.relaxed());
    const Gradients ours = gradients_of(value, a, b);
    const Gradients expected =
        gradients_of(textbook::regularizer(a, b, n, regularizer, false), a, b);
    CHECK(relative_difference(ours.value, expected.value) < kDoubleRounding);
    CHECK(relative_difference(ours.a, expected.a) < kDoubleRounding);
    CHECK(relative_difference(ours.b, expected.b) < kDoubleRounding);
  }
}

TEST_CASE("tensors of any strides") {
  using torch::indexing::Slice;
  const std::int64_t n = kSamples, d = kFeatures;
  // Each a matrix of n x d out of another tensor's memory.
  const std::vector<std::function<Tensor(const Tensor&)>> layouts{
      [&](const Tensor& x) { return x.reshape({d, n}).t(); },
      [&](const Tensor& x) { return torch::cat({x, x}, 1).index({Slice(), Slice(0, 2 * d, 2)}); },
      [&](const Tensor& x) { return torch::cat({x, x}, 0).index({Slice(0, 2 * n, 2)}); },
      [&](const Tensor& x) { return x.index({Slice(), Slice(0, 1)}).expand({n, d}); },
      [&](const Tensor& x) { return torch::imag(torch::complex(x, x).conj()); },
  };
  CHECK(layouts[3](random_leaf(1)).stride(1) == 0);
  CHECK(layouts[4](random_leaf(1)).is_neg());
  for (const auto& layout : layouts) {
    for (const Loss& loss : losses()) {
      CAPTURE(loss.name);
      const Tensor a = random_leaf(1), b = random_leaf(2);
      const Gradients ours = gradients_of(loss.ours(layout(a), b, {})[0], a, b);
      const Gradients expected = gradients_of(loss.expected(layout(a), b, {}), a, b);
      CHECK(relative_difference(ours.value, expected.value) < kDoubleRounding);
      CHECK(relative_difference(ours.a, expected.a) < kDoubleRounding);
      CHECK(relative_difference(ours.b, expected.b) < kDoubleRounding);
    }
  }
}

TEST_CASE("no gradient for views that require none") {
  for (const Loss& loss : losses()) {
    CAPTURE(loss.name);
    const Tensor a = random_leaf(1), b = random_leaf(2), teacher = b.detach();
    const Gradients both = gradients_of(loss.ours(a, b, {})[0], a, b);
    loss.ours(a, teacher, {})[0].mul(3).backward();
    CHECK_FALSE(teacher.grad().defined());
    CHECK(relative_difference(a.grad(), both.a) < kDoubleRounding);
    a.mutable_grad() = Tensor();
    loss.ours(a.detach(), b, {})[0].mul(3).backward();
    CHECK_FALSE(a.grad().defined());
    CHECK(relative_difference(b.grad(), both.b) < kDoubleRounding);

    const Tensor constant = loss.ours(a.detach(), teacher, {})[0];
    CHECK_FALSE(constant.requires_grad());
    CHECK(torch::equal(constant, loss.ours(a, b, {})[0].detach()));
    const torch::NoGradGuard no_history;
    CHECK_FALSE(loss.ours(a, b, {})[0].requires_grad());
  }
}

TEST_CASE("float and 16-bit tensors") {
  struct Precision {
    at::ScalarType type;
    double of_value, of_gradient;
  };
  // The value is computed in float; a gradient is rounded to the view's type once.
  for (const Precision& precision :
       {Precision{at::kFloat, 2e-6, 1e-5}, Precision{at::kHalf, 2e-6, 0x1p-11 + 1e-5},
        Precision{at::kBFloat16, 2e-6, 0x1p-8 + 1e-5}}) {
    for (const Loss& loss : losses()) {
      CAPTURE(loss.name);
      const Tensor a = random_leaf(1, precision.type), b = random_leaf(2, precision.type);
      const Gradients ours = gradients_of(loss.ours(a, b, {})[0], a, b);
      const Tensor exact_a = a.detach().to(at::kDouble).requires_grad_();
      const Tensor exact_b = b.detach().to(at::kDouble).requires_grad_();
      const Gradients expected =
          gradients_of(loss.expected(exact_a, exact_b, {}), exact_a, exact_b);
      CHECK((ours.value.scalar_type() == at::kFloat));
      CHECK((ours.a.scalar_type() == precision.type));
      CHECK(relative_difference(ours.value, expected.value) < precision.of_value);
      CHECK(relative_difference(ours.a, expected.a) < precision.of_gradient);
      CHECK(relative_difference(ours.b, expected.b) < precision.of_gradient);
    }
  }
}

TEST_CASE("small gradients of 16-bit tensors are lifted before they are rounded") {
  decorr::BarlowTwinsOptions options;
  options.scale = 1e-9;  // the least positive number of Half is 6e-8
  const Tensor a = random_leaf(1, at::kHalf), b = random_leaf(2, at::kHalf);
  const double lift = 1e9;
  const auto lifted =
      torch::autograd::grad({libtorch::barlow_twins_loss(a, b, options).value * lift}, {a})[0];
  const auto expected = torch::autograd::grad({libtorch::barlow_twins_loss(a, b).value}, {a})[0];
  CHECK(relative_difference(lifted, expected) < 0x1p-11);
}

TEST_CASE("within a network, again and after changes in place") {
  torch::manual_seed(5);
  torch::nn::Linear layer(kFeatures, kFeatures);
  layer->to(torch::kDouble);
  const Tensor x = random_leaf(1).detach(), y = random_leaf(2).detach();
  const auto gradient_after = [&](const Tensor& value) {
    layer->zero_grad();
    value.backward();
    return layer->weight.grad().clone();
  };
  const Tensor expected =
      gradient_after(2 * textbook::barlow_twins(layer->forward(x), layer->forward(y), {}, {}));

  Tensor z_a = layer->forward(x);
  const Tensor z_b = layer->forward(y);
  Tensor value = libtorch::barlow_twins_loss(z_a, z_b).value;
  value.mul_(2);
  {
    const torch::NoGradGuard no_history;
    z_a.zero_();  // gradients were computed with the value
  }
  layer->zero_grad();
  value.backward({}, /*retain_graph=*/true);
  const Tensor once = layer->weight.grad().clone();
  CHECK(relative_difference(once, expected) < kDoubleRounding);
  value.backward();
  CHECK(relative_difference(layer->weight.grad(), 2 * once) < kDoubleRounding);
}

/// The message of what it throws.
template <class Error, class Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_CASE("second derivatives are refused") {
  for (const Loss& loss : losses()) {
    const Tensor a = random_leaf(1), b = random_leaf(2);
    const auto gradients =
        torch::autograd::grad({loss.ours(a, b, {})[0]}, {a, b}, {}, true, /*create_graph=*/true);
    const auto expected = torch::autograd::grad({loss.expected(a, b, {})}, {a, b});
    CHECK(relative_difference(gradients[0], expected[0]) < kDoubleRounding);
    CHECK(relative_difference(gradients[1], expected[1]) < kDoubleRounding);
    const std::string message =
        "decorr's losses have no second derivatives: their gradient, made with create_graph, was "
        "differentiated";
    // Also beside what has them, and by either view.
    const Tensor sum =
        gradients[0].square().sum() + gradients[1].square().sum() + a.pow(3).sum() + b.pow(3).sum();
    for (const Tensor& z : {a, b}) {
      const std::string said = message_of<c10::Error>(
          [&] { torch::autograd::grad({sum}, {z}, {}, /*retain_graph=*/true); });
      CHECK(said.substr(0, message.size()) == message);
    }
  }
}

TEST_CASE("forward-mode derivatives are refused") {
  const auto level = torch::autograd::ForwardADLevel::get_next_idx();
  for (const bool requires_gradient : {true, false}) {
    const Tensor a = random_leaf(1).detach().requires_grad_(requires_gradient);
    const Tensor dual = torch::_make_dual(a, torch::ones_like(a), static_cast<std::int64_t>(level));
    const std::string said =
        message_of<c10::Error>([&] { libtorch::barlow_twins_loss(dual, random_leaf(2).detach()); });
    CHECK(said.find("jvp is not implemented") != std::string::npos);
  }
  torch::autograd::ForwardADLevel::release_idx(level);
}

TEST_CASE("wrong tensors are refused in words") {
  const Tensor a = random_leaf(1), b = random_leaf(2);
  const auto refusal = [&](const Tensor& z_a, const Tensor& z_b) {
    return message_of<decorr::InvalidArgument>([&] { libtorch::barlow_twins_loss(z_a, z_b); });
  };
  CHECK(refusal(Tensor(), b) == "barlow_twins_loss: z_a is undefined, expected a tensor");
  CHECK(refusal(a, b.to(at::kFloat)) ==
        "barlow_twins_loss: z_b is of type Float, z_a of type Double, expected the same");
  CHECK(refusal(a.to(at::kLong), b) ==
        "barlow_twins_loss: z_a is of type Long, expected Float, Double, Half or BFloat16");
  CHECK(refusal(a, b.index({0})) ==
        "barlow_twins_loss: z_b has 1 dimension, expected 2: samples and features");
  CHECK(refusal(a, b.to_sparse()) ==
        "barlow_twins_loss: z_b has the layout Sparse, expected a dense tensor");
  CHECK(refusal(a, b.to(at::kMeta)) ==
        "barlow_twins_loss: z_b is on the device meta, expected the CPU: pass z_b.cpu()");
  CHECK(refusal(a, b.narrow(0, 0, kSamples - 1)) ==
        "barlow_twins_loss: z_b has 11 rows, z_a has 12");
  CHECK(refusal(a.narrow(0, 0, 1), b.narrow(0, 0, 1)).substr(0, 32) ==
        "barlow_twins_loss: z_a has 1 row");
  CHECK(refusal(a.narrow(1, 0, 0), b.narrow(1, 0, 0)).substr(0, 29) ==
        "barlow_twins_loss: z_a is 12 ");
  CHECK(message_of<decorr::InvalidArgument>([&] {
          libtorch::variance_covariance_loss(a.unsqueeze(0));
        }) == "variance_covariance_loss: z has 3 dimensions, expected 2: samples and features");
  decorr::Relaxed relaxed;
  relaxed.block_size = kFeatures + 1;
  CHECK(message_of<decorr::InvalidArgument>([&] {
          libtorch::vicreg_loss(a, b, {}, relaxed);
        }).substr(0, 29) == "vicreg_loss: block_size is 11");
}

TEST_CASE("one feature, and two samples") {
  for (const auto& shape :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{kSamples, 1}, {2, kFeatures}}) {
    for (const Loss& loss : losses()) {
      CAPTURE(loss.name);
      const Tensor a = random_leaf(1), b = random_leaf(2);
      const auto part = [&](const Tensor& z) {
        return z.narrow(0, 0, shape.first).narrow(1, 0, shape.second);
      };
      const Gradients ours = gradients_of(loss.ours(part(a), part(b), {})[0], a, b);
      const Gradients expected = gradients_of(loss.expected(part(a), part(b), {}), a, b);
      CHECK(relative_difference(ours.value, expected.value) < kDoubleRounding);
      CHECK(relative_difference(ours.a, expected.a) < 1e-9);  // of two samples, by small deviations
      CHECK(relative_difference(ours.b, expected.b) < 1e-9);
    }
  }
}

}  // namespace
