// What the C interface does where memory cannot be had: each allocation of each function fails
// once. A program of its own, because it replaces the allocation functions, the library's included.
#define DOCTEST_CONFIG_IMPLEMENT
#include <decorr/c_api.h>
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/failing_calls.hpp"

namespace {

using decorr_tests::Call;
using decorr_tests::Failing;
using decorr_tests::Output;

// d is prime, so that a single block of it goes through a longer transform, and larger than n, so
// that the exact form and single features go through Gram matrices.
constexpr std::int64_t kRows = 20, kFeatures = 29;

template <class Struct>
Output output(Struct& to) {
  return {&to, sizeof to};
}
template <class Element>
Output output(std::vector<Element>& array) {
  return {array.data(), array.size() * sizeof(Element)};
}

// By an exception, which is what the calls of support/failing_calls.hpp end with.
void require(decorr_status status) {
  if (status == DECORR_OK) return;
  if (status != DECORR_OUT_OF_MEMORY) throw std::runtime_error(decorr_error_message());
  if (*decorr_error_argument() != '\0') throw std::runtime_error(decorr_error_argument());
  throw std::bad_alloc();
}

// Also an error, whose argument is not that of what follows.
void empty_workspaces() {
  decorr_clear_workspaces();
  decorr_cached_plans(nullptr);
}
void empty_all() {
  decorr_clear_plans();
  empty_workspaces();
}

void check(const std::string& name, const std::function<decorr_status()>& run,
           const std::vector<Output>& outputs) {
  const Call call{name,
                  [&] {
                    require(run());
                    return 0.0;
                  },
                  outputs};
  const int cold = fail_each_allocation(call, empty_all, Failing::one);
  const int warm = fail_each_allocation(call, empty_workspaces, Failing::all_from);
  if (warm == 0 || cold < warm) FAIL_CHECK("too few failures: " << name);
}

struct Form {
  std::string name;
  decorr_regularizer regularizer;
};

std::vector<Form> forms(const std::vector<std::int64_t>& permutation,
                        const std::vector<std::int8_t>& signs) {
  decorr_regularizer exact;
  require(decorr_regularizer_defaults(&exact, sizeof exact));
  std::vector<Form> all{{"exact", exact}};
  for (const std::int64_t block_size : {0, 5, 1}) {
    for (const std::int32_t exponent : {1, 2}) {
      decorr_regularizer relaxed = exact;
      relaxed.form = DECORR_RELAXED;
      relaxed.exponent = exponent;
      relaxed.block_size = block_size;
      relaxed.permutation = permutation.data();
      relaxed.signs_a = relaxed.signs_b = signs.data();
      relaxed.permutation_size = relaxed.signs_a_size = relaxed.signs_b_size = kFeatures;
      all.push_back({"relaxed, exponent " + std::to_string(exponent) + ", block size " +
                         std::to_string(block_size),
                     relaxed});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("allocations fail") { decorr_tests::check_that_allocations_fail(); }

TEST_CASE("each allocation of a loss fails") {
  std::vector<float> a(kRows * kFeatures), b(a), grad_a(a), grad_b(a), lags(kFeatures);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::sin(1.7F * static_cast<float>(i));
    b[i] = std::cos(0.9F * static_cast<float>(i));
  }
  const auto input = [](const std::vector<float>& x) {
    return decorr_input_rows(x.data(), DECORR_FLOAT32, kRows, kFeatures);
  };
  const auto written = [](std::vector<float>& x) {
    return decorr_output_rows(x.data(), DECORR_FLOAT32, kRows, kFeatures);
  };
  const decorr_input z_a = input(a), z_b = input(b);
  const decorr_output g_a = written(grad_a), g_b = written(grad_b);

  std::vector<std::int64_t> permutation(kFeatures);
  for (std::int64_t& i : permutation) i = (7 * (&i - permutation.data()) + 3) % kFeatures;
  const std::vector<std::int8_t> signs(kFeatures, -1);
  decorr_execution execution;
  require(decorr_execution_defaults(&execution, sizeof execution));
  execution.planning = DECORR_ESTIMATE;

  for (const std::int32_t threads : {1, 2}) {
    execution.threads = threads;
    for (const Form& form : forms(permutation, signs)) {
      const std::string name = form.name + ", threads: " + std::to_string(threads) + ", ";
      const decorr_regularizer* regularizer = &form.regularizer;
      // The size is read, so it is set before each call, and not an output.
      decorr_barlow_twins_terms barlow_twins{};
      decorr_vicreg_terms vicreg{};
      decorr_variance_covariance_terms single{};
      double value = 0;
      const auto numbers = [](auto& terms) {
        return Output{&terms.value, sizeof terms - offsetof(decorr_vicreg_terms, value)};
      };
      barlow_twins.size = sizeof barlow_twins;
      vicreg.size = sizeof vicreg;
      single.size = sizeof single;
      check(name + "barlow_twins_loss",
            [&] {
              return decorr_barlow_twins_loss(&z_a, &z_b, &g_a, &g_b, nullptr, regularizer,
                                              &execution, &barlow_twins);
            },
            {output(grad_a), output(grad_b), numbers(barlow_twins)});
      check(name + "vicreg_loss",
            [&] {
              return decorr_vicreg_loss(&z_a, &z_b, &g_a, &g_b, nullptr, regularizer, &execution,
                                        &vicreg);
            },
            {output(grad_a), output(grad_b), numbers(vicreg)});
      check(name + "variance_covariance_loss",
            [&] {
              return decorr_variance_covariance_loss(&z_a, &g_a, nullptr, regularizer, &execution,
                                                     &single);
            },
            {output(grad_a), numbers(single)});
      const decorr_input* const views[] = {&z_a, &z_b, &z_a};
      const decorr_output* const gradients[] = {&g_a, &g_b, nullptr};
      check(name + "barlow_twins_loss_of_views",
            [&] {
              return decorr_barlow_twins_loss_of_views(views, gradients, 3, DECORR_PAIRS, nullptr,
                                                       regularizer, &execution, &barlow_twins);
            },
            {output(grad_a), output(grad_b), numbers(barlow_twins)});
      check(name + "vicreg_loss_of_views",
            [&] {
              return decorr_vicreg_loss_of_views(views, gradients, 3, DECORR_CENTROID, nullptr,
                                                 regularizer, &execution, &vicreg);
            },
            {output(grad_a), output(grad_b), numbers(vicreg)});
      check(name + "bare",
            [&] {
              return regularizer->form == DECORR_EXACT
                         ? decorr_r_off(&z_a, &z_b, &g_a, &g_b, &execution, &value)
                         : decorr_r_sum(&z_a, &z_b, &g_a, &g_b, regularizer, &execution, &value);
            },
            {output(grad_a), output(grad_b), output(value)});
    }
    const decorr_output column = decorr_output_rows(lags.data(), DECORR_FLOAT32, kFeatures, 1);
    check("sumvec", [&] { return decorr_sumvec(&z_a, &z_b, &execution, &column); }, {output(lags)});
  }
}

TEST_CASE("each allocation of a batch in parts fails") {
  std::vector<float> a(kRows * kFeatures), b(a), grad_a(a), grad_b(a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::sin(1.7F * static_cast<float>(i));
    b[i] = std::cos(0.9F * static_cast<float>(i));
  }
  decorr_execution execution;
  require(decorr_execution_defaults(&execution, sizeof execution));
  execution.planning = DECORR_ESTIMATE;
  const std::vector<std::int8_t> signs(kFeatures, -1);
  const std::vector<std::int64_t> no_permutation;
  constexpr std::int64_t kPart = kRows / 2;
  for (Form form : forms(no_permutation, signs)) {
    form.regularizer.permutation_size = 0;
    form.regularizer.permutation = nullptr;
    decorr_barlow_twins_terms terms{};
    terms.size = sizeof terms;
    check(form.name + ", barlow_twins_batch",
          [&] {
            decorr_batch* batch = nullptr;
            decorr_status status =
                decorr_barlow_twins_batch_create(DECORR_FLOAT32, kFeatures, DECORR_GRADIENT_BOTH,
                                                 nullptr, &form.regularizer, &execution, &batch);
            const auto for_each_part = [&](const auto& body) {
              for (std::size_t first = 0; first < a.size() && status == DECORR_OK;
                   first += kPart * kFeatures) {
                const auto z_a = decorr_input_rows(a.data() + first, DECORR_FLOAT32, kPart,
                                                   kFeatures),
                           z_b = decorr_input_rows(b.data() + first, DECORR_FLOAT32, kPart,
                                                   kFeatures);
                status = body(z_a, z_b, first);
              }
            };
            while (status == DECORR_OK && decorr_batch_has_pass(batch) == 1) {
              for_each_part([&](const auto& z_a, const auto& z_b, std::size_t) {
                return decorr_batch_add(batch, &z_a, &z_b);
              });
              if (status == DECORR_OK) status = decorr_batch_end_pass(batch);
            }
            if (status == DECORR_OK) status = decorr_barlow_twins_batch_loss(batch, &terms);
            for_each_part([&](const auto& z_a, const auto& z_b, std::size_t first) {
              const auto g_a = decorr_output_rows(grad_a.data() + first, DECORR_FLOAT32, kPart,
                                                  kFeatures),
                         g_b = decorr_output_rows(grad_b.data() + first, DECORR_FLOAT32, kPart,
                                                  kFeatures);
              return decorr_batch_gradient(batch, &z_a, &z_b, &g_a, &g_b);
            });
            decorr_batch_destroy(batch);
            return status;
          },
          {output(grad_a), output(grad_b)});
  }
}

// Of one process: what it is called for, and no more.
struct Sums {
  int count = 0;
  static int sum(void* context, double*, std::size_t) {
    ++static_cast<Sums*>(context)->count;
    return 0;
  }
};

TEST_CASE("each allocation of a collective batch's creation fails, and the others are told once") {
  decorr_execution execution;
  require(decorr_execution_defaults(&execution, sizeof execution));
  execution.planning = DECORR_ESTIMATE;
  execution.sum = Sums::sum;
  const std::vector<std::int8_t> signs(kFeatures, -1);
  const std::vector<std::int64_t> no_permutation;
  for (Form form : forms(no_permutation, signs)) {
    form.regularizer.permutation_size = 0;
    form.regularizer.permutation = nullptr;
    CAPTURE(form.name);
    int failures = 0;
    for (bool has_failed = true; has_failed;) {
      CAPTURE(failures);
      Sums sums;
      execution.context = &sums;
      empty_all();
      decorr_batch* batch = nullptr;
      decorr_tests::Allocations::arm(failures, Failing::one);
      const decorr_status status =
          decorr_vicreg_batch_create(DECORR_FLOAT32, kFeatures, DECORR_GRADIENT_BOTH, nullptr,
                                     &form.regularizer, &execution, &batch);
      has_failed = decorr_tests::Allocations::disarm();
      failures += has_failed ? 1 : 0;
      if (has_failed && status == DECORR_OK) {
        CHECK(decorr_batch_end_pass(batch) == DECORR_OUT_OF_MEMORY);
        CHECK(decorr_batch_end_pass(batch) != DECORR_OK);
        CHECK(decorr_batch_has_pass(batch) == 0);
      } else {
        CHECK(status == (has_failed ? DECORR_OUT_OF_MEMORY : DECORR_OK));
      }
      CHECK(sums.count == (has_failed ? 1 : 0));
      decorr_batch_destroy(batch);
    }
    CHECK(failures > 3);
  }
}

TEST_CASE("each allocation of a draw fails") {
  const auto with_generator = [](const auto& draw) {
    decorr_generator* generator = nullptr;
    decorr_status status = decorr_generator_create(1, &generator);
    if (status == DECORR_OK) status = draw(generator);
    decorr_generator_destroy(generator);
    return status;
  };
  constexpr std::int64_t kPreset = 2048;
  std::vector<std::int64_t> permutation(kPreset);
  std::vector<std::int8_t> signs_a(kPreset), signs_b(kPreset);
  check("random_permutation",
        [&] {
          return with_generator([&](decorr_generator* generator) {
            return decorr_random_permutation(generator, kPreset, permutation.data());
          });
        },
        {output(permutation)});
  check("random_signs",
        [&] {
          return with_generator([&](decorr_generator* generator) {
            return decorr_random_signs(generator, kPreset, signs_a.data());
          });
        },
        {output(signs_a)});
  decorr_regularizer recommended;
  check("recommended",
        [&] {
          recommended.size = sizeof recommended;
          return with_generator([&](decorr_generator* generator) {
            return decorr_recommended(64, kPreset, generator, signs_a.data(), signs_b.data(),
                                      &recommended);
          });
        },
        {output(signs_a), output(signs_b)});
  for (const std::int32_t preset : {DECORR_PRESET_RELAXED_2048, DECORR_PRESET_RANDOM_SIGNS}) {
    decorr_barlow_twins_options options;
    decorr_regularizer regularizer;
    const bool permutes = preset == DECORR_PRESET_RELAXED_2048;
    check(
        "barlow_twins_preset " + std::to_string(preset),
        [&] {
          // What an output holds besides its size does not matter.
          options.size = sizeof options;
          regularizer.size = sizeof regularizer;
          const decorr_status status = with_generator([&](decorr_generator* generator) {
            return decorr_barlow_twins_preset(preset, kPreset, 0, generator, permutation.data(),
                                              signs_a.data(), signs_b.data(), &options,
                                              &regularizer);
          });
          return status;
        },
        permutes ? std::vector<Output>{output(permutation)}
                 : std::vector<Output>{output(signs_a), output(signs_b)});
  }
}

int main(int argc, char** argv) {
  std::printf("loops of %s\n", decorr_cpu());
  decorr_tests::report_ends();
  return doctest::Context(argc, argv).run();
}
