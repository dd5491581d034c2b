#ifndef DECORR_PRESETS_HPP_
#define DECORR_PRESETS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <string>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/errors.hpp"
#include "decorr/options.hpp"
#include "decorr/randomization.hpp"

/// @file
/// The form that we recommend, for every loss with its default options,
///
///     auto loss = decorr::barlow_twins_loss(z_a, z_b, grad_a, grad_b, {},
///                                           decorr::presets::recommended(n, d, generator));
///
/// and published settings by name, each with its source, for
///
///     auto preset = decorr::presets::vicreg_relaxed_8192(generator);
///     auto loss = decorr::vicreg_loss(z_a, z_b, grad_a, grad_b, preset.options,
///                                     preset.regularizer);
///
/// The functions that take a generator draw a batch's permutation or signs: call them anew for
/// every batch. The generator is as for random_permutation. They cost O(d) and throw what
/// random_permutation and random_signs throw; a block size that does not fit d is reported by the
/// loss. All are thread-safe for distinct generators.
///
/// Weights do not carry over between forms: those of a relaxed preset belong to its block size, its
/// exponent and its convention. "The relaxed paper" is Shigeto et al., CVPR 2023, arXiv 2301.01569,
/// and its settings are those of the pretraining scripts in yutaro-s/scalable-decorrelation-ssl,
/// which extends solo-learn (vturrisi/solo-learn). They are for the dimensions in their names, with
/// block sizes 0 (a single block) and 128.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// q = 2 and signs drawn anew, signs_a before signs_b.
template <class Generator>
Relaxed relaxed_with_random_signs(Eigen::Index d, Generator&& generator, Eigen::Index block_size) {
  Relaxed relaxed;
  relaxed.exponent = 2;
  relaxed.block_size = block_size;
  relaxed.signs_a = random_signs(d, generator);
  relaxed.signs_b = random_signs(d, generator);
  return relaxed;
}

}  // namespace DECORR_ABI
}  // namespace detail

namespace presets {

/// Options and regularizer for barlow_twins_loss. Regularizer is Exact or Relaxed.
///
/// @snippet settings.cpp BarlowTwinsPreset
template <class Regularizer>
struct BarlowTwinsPreset {
  BarlowTwinsOptions options;
  Regularizer regularizer;
};

/// Options and regularizer for vicreg_loss. Regularizer is Exact or Relaxed.
///
/// @snippet settings.cpp VicregPreset
template <class Regularizer>
struct VicregPreset {
  VicregOptions options;
  Regularizer regularizer;
};

inline namespace DECORR_ABI {

/// How recommended() divides d features: the block size of the largest number of blocks that costs
/// at most about a third more than a single one. 0, a single block, up to d = 512; 256 below
/// d = 2048; then 512, and beyond d = 8192 the power of two that makes 9 to 16 blocks. Powers of
/// two have the fastest transforms, so for d with other factors this is often faster than one
/// block.
///
/// @snippet settings.cpp recommended
inline Eigen::Index recommended_block_size(Eigen::Index d) {
  if (d <= 512) return 0;
  if (d < 2048) return 256;
  Eigen::Index block_size = 512;
  while (block_size < d - 15 * block_size) block_size *= 2;
  return block_size;
}

/// The form that we recommend for a batch of n samples, those of all its processes and parts, with
/// d features: the exact value and gradient or an unbiased estimate of them, so for all losses with
/// the published weights of the exact form, which are the default options.
///
/// Exact where n or d is at most 32, as it costs no more there than the other, but for a quarter in
/// VICReg; nothing is drawn then. Beyond, Relaxed with q = 2, blocks of recommended_block_size(d)
/// and signs drawn anew, signs_a before signs_b. With G blocks the standard deviation of a draw's R
/// is about sqrt(2 / (d G)) of R for Barlow Twins and sqrt(4 / (d G)) for VICReg: 1.6 and 2.2 % at
/// d = 2048, 0.4 and 0.6 % at d = 8192.
///
/// Throws InvalidArgument when n < 1 or d < 1, with the generator untouched. O(d). Source:
/// docs/performance.md, "The recommended form", for the costs, measured by bench/report.sh;
/// docs/mathematics.md, random signs, for the deviation.
///
/// @snippet settings.cpp recommended
template <class Generator>
Regularizer recommended(Eigen::Index n, Eigen::Index d, Generator&& generator) {
  constexpr Eigen::Index most_exact = 32;
  if (n < 1) {
    throw InvalidArgument("recommended: n is " + detail::decimal(n) + ", expected at least 1", "n");
  }
  detail::checked_dimension(d, "recommended");
  if (n <= most_exact || d <= most_exact) return Exact();
  return detail::relaxed_with_random_signs(d, generator, recommended_block_size(d));
}

/// Barlow Twins as published: lambda 0.0051, scale 1. Source: facebookresearch/barlowtwins,
/// main.py.
///
/// @snippet settings.cpp BarlowTwinsPreset
inline BarlowTwinsPreset<Exact> barlow_twins_exact() {
  BarlowTwinsPreset<Exact> preset;
  preset.options.lambda = 0.0051;
  preset.options.scale = 1;
  return preset;
}

/// barlow_twins_exact with scale 0.024: the baseline of the relaxed paper at d = 8192 (ImageNet-1k,
/// ResNet-50). Source: yutaro-s/scalable-decorrelation-ssl,
/// script/in1k-r50-d8192/pretrain/barlow.sh.
///
/// @snippet settings.cpp BarlowTwinsPreset
inline BarlowTwinsPreset<Exact> barlow_twins_exact_solo_learn_8192() {
  BarlowTwinsPreset<Exact> preset = barlow_twins_exact();
  preset.options.scale = 0.024;
  return preset;
}

/// barlow_twins_exact with scale 0.1: the baseline of the relaxed paper at d = 2048 (ImageNet-100,
/// ResNet-18). Source: yutaro-s/scalable-decorrelation-ssl,
/// script/in100-r18-d2048/pretrain/barlow.sh.
///
/// @snippet settings.cpp BarlowTwinsPreset
inline BarlowTwinsPreset<Exact> barlow_twins_exact_solo_learn_2048() {
  BarlowTwinsPreset<Exact> preset = barlow_twins_exact();
  preset.options.scale = 0.1;
  return preset;
}

/// Relaxed Barlow Twins at d = 8192, permuted: q = 2, lambda 0.0004883 (about 2^-11), scale 0.024.
/// The published block sizes are 0 (a single block, the default) and 128, with the same weights.
/// Source: yutaro-s/scalable-decorrelation-ssl, script/in1k-r50-d8192/pretrain/sbarlow.sh and
/// sbarlow-b128.sh.
///
/// @snippet settings.cpp BarlowTwinsPreset
template <class Generator>
BarlowTwinsPreset<Relaxed> barlow_twins_relaxed_8192(Generator&& generator,
                                                     Eigen::Index block_size = 0) {
  BarlowTwinsPreset<Relaxed> preset;
  preset.options.lambda = 0.0004883;
  preset.options.scale = 0.024;
  preset.regularizer.exponent = 2;
  preset.regularizer.block_size = block_size;
  preset.regularizer.permutation = random_permutation(8192, generator);
  return preset;
}

/// Relaxed Barlow Twins at d = 2048, permuted: q = 2, lambda 2^-10, scale 0.125. The published
/// block sizes are 0 (a single block, the default) and 128, with the same weights. Source:
/// yutaro-s/scalable-decorrelation-ssl, script/in100-r18-d2048/pretrain/sbarlow.sh and
/// sbarlow-b128.sh.
///
/// @snippet settings.cpp BarlowTwinsPreset
template <class Generator>
BarlowTwinsPreset<Relaxed> barlow_twins_relaxed_2048(Generator&& generator,
                                                     Eigen::Index block_size = 0) {
  BarlowTwinsPreset<Relaxed> preset;
  preset.options.lambda = 1.0 / 1024;
  preset.options.scale = 0.125;
  preset.regularizer.exponent = 2;
  preset.regularizer.block_size = block_size;
  preset.regularizer.permutation = random_permutation(2048, generator);
  return preset;
}

/// Barlow Twins with random signs for any d: the published exact weights (lambda 0.0051, scale 1)
/// and q = 2, since the expected value is the exact loss. A smaller block_size lowers the noise of
/// a draw (recommended_block_size has one that is nearly free); 0, the default, is a single block.
/// Draws signs_a, then signs_b. Source: docs/mathematics.md, random signs; weights of
/// facebookresearch/barlowtwins.
///
/// @snippet settings.cpp BarlowTwinsPreset
template <class Generator>
BarlowTwinsPreset<Relaxed> barlow_twins_random_signs(Eigen::Index d, Generator&& generator,
                                                     Eigen::Index block_size = 0) {
  BarlowTwinsPreset<Relaxed> preset;
  preset.options = barlow_twins_exact().options;
  preset.regularizer = detail::relaxed_with_random_signs(d, generator, block_size);
  return preset;
}

/// VICReg as published: 25 / 25 / 1, the variance term averaged over the views. Source:
/// facebookresearch/vicreg, main_vicreg.py.
///
/// @snippet settings.cpp VicregPreset
inline VicregPreset<Exact> vicreg_exact() {
  VicregPreset<Exact> preset;
  preset.options.invariance = 25;
  preset.options.variance = 25;
  preset.options.covariance = 1;
  return preset;
}

/// VICReg of solo-learn: 25 / 25 / 1, the variance term summed over the views. Source:
/// vturrisi/solo-learn, solo/losses/vicreg.py; also the baseline of the relaxed paper.
///
/// @snippet settings.cpp VicregPreset
inline VicregPreset<Exact> vicreg_exact_solo_learn() {
  VicregPreset<Exact> preset = vicreg_exact();
  preset.options.sum_variance = true;
  return preset;
}

/// Relaxed VICReg at d = 8192, permuted: q = 1, 2.5 / 2.5 / 0.1, variance terms summed, covariance
/// scaled by block means. The published block size is 0 (a single block, the default). Source:
/// yutaro-s/scalable-decorrelation-ssl, script/in1k-r50-d8192/pretrain/svicreg.sh.
///
/// @snippet settings.cpp VicregPreset
template <class Generator>
VicregPreset<Relaxed> vicreg_relaxed_8192(Generator&& generator, Eigen::Index block_size = 0) {
  VicregPreset<Relaxed> preset;
  preset.options.invariance = 2.5;
  preset.options.variance = 2.5;
  preset.options.covariance = 0.1;
  preset.options.sum_variance = true;
  preset.options.covariance_scaling = CovarianceScaling::block_mean;
  preset.regularizer.exponent = 1;
  preset.regularizer.block_size = block_size;
  preset.regularizer.permutation = random_permutation(8192, generator);
  return preset;
}

/// Relaxed VICReg at d = 2048, permuted: q = 1, 25 / 25 / 1, scale 0.25, variance terms summed,
/// covariance scaled by block means. The published block sizes are 0 (a single block, the default)
/// and 128, which has covariance 2. Source: yutaro-s/scalable-decorrelation-ssl,
/// script/in100-r18-d2048/pretrain/svicreg.sh and svicreg-b128.sh.
///
/// @snippet settings.cpp VicregPreset
template <class Generator>
VicregPreset<Relaxed> vicreg_relaxed_2048(Generator&& generator, Eigen::Index block_size = 0) {
  VicregPreset<Relaxed> preset;
  preset.options.invariance = 25;
  preset.options.variance = 25;
  preset.options.covariance = block_size == 128 ? 2 : 1;
  preset.options.scale = 0.25;
  preset.options.sum_variance = true;
  preset.options.covariance_scaling = CovarianceScaling::block_mean;
  preset.regularizer.exponent = 1;
  preset.regularizer.block_size = block_size;
  preset.regularizer.permutation = random_permutation(2048, generator);
  return preset;
}

/// VICReg with random signs for any d: the published exact weights (25 / 25 / 1, variance averaged,
/// covariance per dimension) and q = 2, since the expected value is the exact loss. A smaller
/// block_size lowers the noise of a draw (recommended_block_size); 0, the default, is a single
/// block. Draws signs_a, then signs_b. Source: docs/mathematics.md, random signs; weights of
/// facebookresearch/vicreg.
///
/// @snippet settings.cpp VicregPreset
template <class Generator>
VicregPreset<Relaxed> vicreg_random_signs(Eigen::Index d, Generator&& generator,
                                          Eigen::Index block_size = 0) {
  VicregPreset<Relaxed> preset;
  preset.options = vicreg_exact().options;
  preset.regularizer = detail::relaxed_with_random_signs(d, generator, block_size);
  return preset;
}

}  // namespace DECORR_ABI
}  // namespace presets
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_PRESETS_HPP_
