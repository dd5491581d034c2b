#include "decorr/randomization.hpp"

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "decorr/c_api.h"
#include "decorr/options.hpp"
#include "decorr/presets.hpp"
#include "matrices.hpp"
#include "status.hpp"
#include "structs.hpp"

// The generator, and what is drawn with it: permutations, signs and presets.

struct decorr_generator {
  std::mt19937_64 engine;
};

namespace decorr {
namespace c {
namespace {

// Into an array of the caller's.
template <class To, class From>
void copy_draw(const std::vector<From>& from, To* to) {
  for (std::size_t i = 0; i < from.size(); ++i) store_element(to, i, To{from[i]});
}

Eigen::Index to_features(const Call& call, std::int64_t d) {
  if (d < 1 || d > kMostExtent) call.fail("d", " is ", d, ", expected 1 to ", kMostExtent);
  return static_cast<Eigen::Index>(d);
}

template <class Array, class Draw>
decorr_status random_array(const char* function, decorr_generator* generator, std::int64_t d,
                           const char* name, Array* array, Draw&& draw) {
  return with_status(function, [&](const Call& call) {
    call.check_not_null("generator", generator);
    call.check_not_null(name, array);
    copy_draw(draw(to_features(call, d), generator->engine), array);
  });
}

// ---- Presets

// What a preset is drawn with and into.
struct Draws {
  const Call* call;
  Eigen::Index features, block_size;
  decorr_generator* generator;
  std::int64_t* permutation;
  std::int8_t *signs_a, *signs_b;
};

// The options and the regularizer of a preset; the drawn arrays are written last of all.
template <class Options>
struct Preset {
  Options options;
  Regularizer regularizer;

  template <template <class> class FromCpp, class Form>
  Preset(FromCpp<Form> preset)
      : options(preset.options), regularizer(std::move(preset.regularizer)) {}
};

void check_features(const Draws& draws, Eigen::Index expected) {
  if (draws.features != expected) {
    draws.call->fail("d", " is ", draws.features, ", expected ", expected, " for this preset");
  }
}
std::mt19937_64& engine_for_permutation(const Draws& draws, Eigen::Index expected) {
  check_features(draws, expected);
  draws.call->check_not_null("generator", draws.generator);
  draws.call->check_not_null("permutation", draws.permutation);
  return draws.generator->engine;
}
std::mt19937_64& engine_for_signs(const Draws& draws) {
  draws.call->check_not_null("generator", draws.generator);
  draws.call->check_not_null("signs_a", draws.signs_a);
  draws.call->check_not_null("signs_b", draws.signs_b);
  return draws.generator->engine;
}

// Into the caller's arrays, to which the result then points.
void write_permutation(const Draws& draws, const Relaxed& relaxed, decorr_regularizer* result) {
  if (relaxed.permutation.empty()) return;
  copy_draw(relaxed.permutation, draws.permutation);
  result->permutation = draws.permutation;
  result->permutation_size = draws.features;
}
void write_signs(const Draws& draws, const Relaxed& relaxed, decorr_regularizer* result) {
  if (relaxed.signs_a.empty()) return;
  copy_draw(relaxed.signs_a, draws.signs_a);
  copy_draw(relaxed.signs_b, draws.signs_b);
  result->signs_a = draws.signs_a;
  result->signs_b = draws.signs_b;
  result->signs_a_size = result->signs_b_size = draws.features;
}

[[noreturn]] void fail_preset(const Draws& draws, std::int32_t preset) {
  draws.call->fail("preset", " is ", preset, ", expected one of this loss's DECORR_PRESET_...");
}

Preset<BarlowTwinsOptions> make_barlow_twins_preset(std::int32_t preset, const Draws& draws) {
  switch (preset) {
    case DECORR_PRESET_EXACT:
      return presets::barlow_twins_exact();
    case DECORR_PRESET_EXACT_SOLO_LEARN_2048:
      check_features(draws, 2048);
      return presets::barlow_twins_exact_solo_learn_2048();
    case DECORR_PRESET_EXACT_SOLO_LEARN_8192:
      check_features(draws, 8192);
      return presets::barlow_twins_exact_solo_learn_8192();
    case DECORR_PRESET_RELAXED_2048:
      return presets::barlow_twins_relaxed_2048(engine_for_permutation(draws, 2048),
                                                draws.block_size);
    case DECORR_PRESET_RELAXED_8192:
      return presets::barlow_twins_relaxed_8192(engine_for_permutation(draws, 8192),
                                                draws.block_size);
    case DECORR_PRESET_RANDOM_SIGNS:
      return presets::barlow_twins_random_signs(draws.features, engine_for_signs(draws),
                                                draws.block_size);
    default:
      fail_preset(draws, preset);
  }
}

Preset<VicregOptions> make_vicreg_preset(std::int32_t preset, const Draws& draws) {
  switch (preset) {
    case DECORR_PRESET_EXACT:
      return presets::vicreg_exact();
    case DECORR_PRESET_EXACT_SOLO_LEARN:
      return presets::vicreg_exact_solo_learn();
    case DECORR_PRESET_RELAXED_2048:
      return presets::vicreg_relaxed_2048(engine_for_permutation(draws, 2048), draws.block_size);
    case DECORR_PRESET_RELAXED_8192:
      return presets::vicreg_relaxed_8192(engine_for_permutation(draws, 8192), draws.block_size);
    case DECORR_PRESET_RANDOM_SIGNS:
      return presets::vicreg_random_signs(draws.features, engine_for_signs(draws),
                                          draws.block_size);
    default:
      fail_preset(draws, preset);
  }
}

template <class COptions, class Make>
decorr_status write_preset(const char* function, std::int32_t preset, std::int64_t d,
                           std::int64_t block_size, decorr_generator* generator,
                           std::int64_t* permutation, std::int8_t* signs_a, std::int8_t* signs_b,
                           COptions* options, decorr_regularizer* regularizer, Make&& make) {
  return with_status(function, [&](const Call& call) {
    call.check_not_null("options", options);
    call.check_not_null("regularizer", regularizer);
    const std::size_t options_size = stored_size(call, "options", options);
    const std::size_t regularizer_size = stored_size(call, "regularizer", regularizer);
    const Eigen::Index features = to_features(call, d);
    const bool is_exact =
        preset >= DECORR_PRESET_EXACT && preset <= DECORR_PRESET_EXACT_SOLO_LEARN_8192;
    if (!is_exact && (block_size < 0 || block_size > d)) {
      call.fail("block_size", " is ", block_size, ", expected 0 to ", d,
                ", the number of features");
    }
    const Draws draws{&call,     features,    static_cast<Eigen::Index>(block_size),
                      generator, permutation, signs_a,
                      signs_b};
    const auto made = make(preset, draws);
    decorr_regularizer c_regularizer = to_c(made.regularizer);
    if (const Relaxed* relaxed = made.regularizer.relaxed()) {
      write_permutation(draws, *relaxed, &c_regularizer);
      write_signs(draws, *relaxed, &c_regularizer);
    }
    write_struct(options, to_c(made.options), options_size);
    write_struct(regularizer, c_regularizer, regularizer_size);
  });
}

}  // namespace
}  // namespace c
}  // namespace decorr

decorr_status decorr_generator_create(uint64_t seed, decorr_generator** generator) {
  using namespace decorr::c;
  return with_status("generator_create", [&](const Call& call) {
    call.check_not_null("generator", generator);
    store(generator, new decorr_generator{std::mt19937_64(seed)});
  });
}

void decorr_generator_destroy(decorr_generator* generator) { delete generator; }

decorr_status decorr_random_permutation(decorr_generator* generator, int64_t d,
                                        int64_t* permutation) {
  return decorr::c::random_array(
      "random_permutation", generator, d, "permutation", permutation,
      [](auto features, auto& engine) { return decorr::random_permutation(features, engine); });
}

decorr_status decorr_random_signs(decorr_generator* generator, int64_t d, int8_t* signs) {
  return decorr::c::random_array(
      "random_signs", generator, d, "signs", signs,
      [](auto features, auto& engine) { return decorr::random_signs(features, engine); });
}

decorr_status decorr_barlow_twins_preset(int32_t preset, int64_t d, int64_t block_size,
                                         decorr_generator* generator, int64_t* permutation,
                                         int8_t* signs_a, int8_t* signs_b,
                                         decorr_barlow_twins_options* options,
                                         decorr_regularizer* regularizer) {
  return decorr::c::write_preset("barlow_twins_preset", preset, d, block_size, generator,
                                 permutation, signs_a, signs_b, options, regularizer,
                                 decorr::c::make_barlow_twins_preset);
}

decorr_status decorr_vicreg_preset(int32_t preset, int64_t d, int64_t block_size,
                                   decorr_generator* generator, int64_t* permutation,
                                   int8_t* signs_a, int8_t* signs_b, decorr_vicreg_options* options,
                                   decorr_regularizer* regularizer) {
  return decorr::c::write_preset("vicreg_preset", preset, d, block_size, generator, permutation,
                                 signs_a, signs_b, options, regularizer,
                                 decorr::c::make_vicreg_preset);
}

decorr_status decorr_recommended(int64_t n, int64_t d, decorr_generator* generator, int8_t* signs_a,
                                 int8_t* signs_b, decorr_regularizer* regularizer) {
  using namespace decorr::c;
  return with_status("recommended", [&](const Call& call) {
    call.check_not_null("regularizer", regularizer);
    const std::size_t size = stored_size(call, "regularizer", regularizer);
    const Draws draws{&call, to_features(call, d), 0, generator, nullptr, signs_a, signs_b};
    if (n < 1) call.fail("n", " is ", n, ", expected at least 1");
    const decorr::Regularizer made = decorr::presets::recommended(
        static_cast<Eigen::Index>(n), draws.features, engine_for_signs(draws));
    decorr_regularizer result = to_c(made);
    if (made.relaxed() != nullptr) write_signs(draws, *made.relaxed(), &result);
    write_struct(regularizer, result, size);
  });
}
