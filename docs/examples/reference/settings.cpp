// Examples of presets.hpp, randomization.hpp and plans.hpp, which the headers' comments show. What
// follows an example compares it with what the sources have published, or with its meaning.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <mutex>
#include <random>
#include <string>
#include <vector>

using doctest::Approx;

TEST_CASE("reference: random_permutation") {
  //! [random_permutation]
  std::mt19937_64 generator(1);
  decorr::Relaxed relaxed;
  relaxed.permutation = decorr::random_permutation(5, generator);  // anew for every batch
  //! [random_permutation]
  std::vector<Eigen::Index> sorted = relaxed.permutation;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == std::vector<Eigen::Index>{0, 1, 2, 3, 4});
}

TEST_CASE("reference: random_signs") {
  //! [random_signs]
  std::mt19937_64 generator(1);
  decorr::Relaxed relaxed;
  relaxed.signs_a = decorr::random_signs(3, generator);  // both anew for every batch
  relaxed.signs_b = decorr::random_signs(3, generator);
  //! [random_signs]
  std::mt19937_64 same(1);  // sign j is bit j of the word
  for (const auto* signs : {&relaxed.signs_a, &relaxed.signs_b}) {
    const std::uint64_t word = same();
    for (unsigned j = 0; j < 3; ++j) CHECK((*signs)[j] == ((word >> j & 1) != 0 ? 1 : -1));
  }
}

TEST_CASE("reference: recommended") {
  //! [recommended]
  std::mt19937_64 generator(1);
  const decorr::Regularizer for_few = decorr::presets::recommended(16, 2048, generator);
  const decorr::Regularizer for_many = decorr::presets::recommended(256, 2048, generator);
  const bool is_exact = for_few.relaxed() == nullptr;
  const Eigen::Index block_size = decorr::presets::recommended_block_size(2048);
  //! [recommended]
  CHECK(is_exact);
  REQUIRE(for_many.relaxed() != nullptr);
  CHECK(for_many.relaxed()->block_size == block_size);
  CHECK(block_size == 512);
  CHECK(for_many.relaxed()->signs_a.size() == 2048);
}

TEST_CASE("reference: presets of Barlow Twins") {
  //! [BarlowTwinsPreset]
  std::mt19937_64 generator(1);
  const decorr::presets::BarlowTwinsPreset<decorr::Exact> exact =
      decorr::presets::barlow_twins_exact();
  const auto exact_8192 = decorr::presets::barlow_twins_exact_solo_learn_8192();
  const auto exact_2048 = decorr::presets::barlow_twins_exact_solo_learn_2048();
  const auto relaxed_8192 = decorr::presets::barlow_twins_relaxed_8192(generator);
  const auto relaxed_2048 = decorr::presets::barlow_twins_relaxed_2048(generator);
  const auto signs = decorr::presets::barlow_twins_random_signs(64, generator);

  const Eigen::MatrixXd z = Eigen::MatrixXd::Random(8, 64);
  const auto loss = decorr::barlow_twins_loss(z, z, signs.options, signs.regularizer);
  //! [BarlowTwinsPreset]
  CHECK(exact.options.lambda == 0.0051);
  CHECK(exact_8192.options.scale == 0.024);
  CHECK(exact_2048.options.scale == 0.1);
  CHECK(relaxed_8192.options.lambda == 0.0004883);
  CHECK(relaxed_8192.regularizer.permutation.size() == 8192);
  CHECK(relaxed_2048.options.lambda == 1.0 / 1024);
  CHECK(relaxed_2048.regularizer.permutation.size() == 2048);
  CHECK(signs.regularizer.signs_b.size() == 64);
  CHECK(loss.value == Approx(loss.diagonal + loss.off_diagonal));
  CHECK(loss.diagonal < 1e-6);  // of two equal views
}

TEST_CASE("reference: presets of VICReg") {
  //! [VicregPreset]
  std::mt19937_64 generator(1);
  const decorr::presets::VicregPreset<decorr::Exact> exact = decorr::presets::vicreg_exact();
  const auto exact_solo_learn = decorr::presets::vicreg_exact_solo_learn();
  const auto relaxed_8192 = decorr::presets::vicreg_relaxed_8192(generator);
  const auto relaxed_2048 = decorr::presets::vicreg_relaxed_2048(generator, 128);
  const auto signs = decorr::presets::vicreg_random_signs(64, generator);

  const Eigen::MatrixXd z = Eigen::MatrixXd::Random(8, 64);
  const auto loss = decorr::vicreg_loss(z, z, signs.options, signs.regularizer);
  //! [VicregPreset]
  CHECK(exact.options.invariance == 25);
  CHECK(!exact.options.sum_variance);
  CHECK(exact_solo_learn.options.sum_variance);
  CHECK(relaxed_8192.options.covariance == 0.1);
  CHECK(relaxed_8192.regularizer.exponent == 1);
  CHECK(relaxed_2048.options.covariance == 2);
  CHECK(signs.regularizer.signs_a.size() == 64);
  CHECK(loss.invariance == 0);  // of two equal views
}

TEST_CASE("reference: plans and workspaces") {
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(8, 6);
  //! [plans]
  const double value = decorr::r_sum(a, a);                         // plans transforms of 6 numbers
  const std::size_t count = decorr::cached_plans();                 // of all lengths
  const std::size_t before = decorr::set_workspace_limit(1 << 20);  // 1 MiB from now on
  decorr::clear_workspaces();
  {
    const std::lock_guard<std::mutex> lock(decorr::planner_mutex());
    // Calls of FFTW's planner of your own.
  }
  decorr::clear_plans();  // before fftw_cleanup()
  //! [plans]
  CHECK(value > 0);
  CHECK(count > 0);
  CHECK(decorr::cached_plans() == 0);
  CHECK(before == std::size_t{64} << 20);
  CHECK(decorr::set_workspace_limit(before) == 1 << 20);
}

TEST_CASE("reference: wisdom") {
  //! [wisdom]
  const std::string path = "decorr_reference.wisdom";
  decorr::save_wisdom<double>(path);  // at the end of a run
  decorr::load_wisdom<double>(path);  // before the first loss of the next one
  //! [wisdom]
  CHECK(std::remove(path.c_str()) == 0);
  CHECK_THROWS_AS(decorr::load_wisdom<double>(path), std::runtime_error);
}
