#ifndef DECORR_PRESETS_HPP_
#define DECORR_PRESETS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"
#include "decorr/randomization.hpp"

/// Published settings by name, each with its source, for
///
///   auto preset = decorr::presets::vicreg_relaxed_8192(generator);
///   auto loss = decorr::vicreg_loss(z_a, z_b, grad_a, grad_b, preset.options, preset.regularizer);
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
namespace presets {

/// Options and regularizer for barlow_twins_loss. Regularizer is Exact or Relaxed.
template <class Regularizer>
struct BarlowTwinsPreset {
  BarlowTwinsOptions options;
  Regularizer regularizer;
};

/// Options and regularizer for vicreg_loss. Regularizer is Exact or Relaxed.
template <class Regularizer>
struct VicregPreset {
  VicregOptions options;
  Regularizer regularizer;
};

inline namespace DECORR_ABI {

/// Barlow Twins as published: lambda 0.0051, scale 1. Source: facebookresearch/barlowtwins,
/// main.py.
inline BarlowTwinsPreset<Exact> barlow_twins_exact() {
  BarlowTwinsPreset<Exact> preset;
  preset.options.lambda = 0.0051;
  preset.options.scale = 1;
  return preset;
}

/// barlow_twins_exact with scale 0.024: the baseline of the relaxed paper at d = 8192 (ImageNet-1k,
/// ResNet-50). Source: yutaro-s/scalable-decorrelation-ssl,
/// script/in1k-r50-d8192/pretrain/barlow.sh.
inline BarlowTwinsPreset<Exact> barlow_twins_exact_solo_learn_8192() {
  BarlowTwinsPreset<Exact> preset = barlow_twins_exact();
  preset.options.scale = 0.024;
  return preset;
}

/// barlow_twins_exact with scale 0.1: the baseline of the relaxed paper at d = 2048 (ImageNet-100,
/// ResNet-18). Source: yutaro-s/scalable-decorrelation-ssl,
/// script/in100-r18-d2048/pretrain/barlow.sh.
inline BarlowTwinsPreset<Exact> barlow_twins_exact_solo_learn_2048() {
  BarlowTwinsPreset<Exact> preset = barlow_twins_exact();
  preset.options.scale = 0.1;
  return preset;
}

/// Relaxed Barlow Twins at d = 8192, permuted: q = 2, lambda 0.0004883 (about 2^-11), scale 0.024.
/// The published block sizes are 0 (a single block, the default) and 128, with the same weights.
/// Source: yutaro-s/scalable-decorrelation-ssl, script/in1k-r50-d8192/pretrain/sbarlow.sh and
/// sbarlow-b128.sh.
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

/// Barlow Twins with random signs for any d, our recommendation: the published exact weights
/// (lambda 0.0051, scale 1) and q = 2, since the expected value is the exact loss. A smaller
/// block_size lowers the noise of a draw; 0, the default, is a single block. Draws signs_a, then
/// signs_b. Source: docs/mathematics.md, random signs; weights of facebookresearch/barlowtwins.
template <class Generator>
BarlowTwinsPreset<Relaxed> barlow_twins_random_signs(Eigen::Index d, Generator&& generator,
                                                     Eigen::Index block_size = 0) {
  BarlowTwinsPreset<Relaxed> preset;
  preset.options = barlow_twins_exact().options;
  preset.regularizer.exponent = 2;
  preset.regularizer.block_size = block_size;
  preset.regularizer.signs_a = random_signs(d, generator);
  preset.regularizer.signs_b = random_signs(d, generator);
  return preset;
}

/// VICReg as published: 25 / 25 / 1, the variance term averaged over the views. Source:
/// facebookresearch/vicreg, main_vicreg.py.
inline VicregPreset<Exact> vicreg_exact() {
  VicregPreset<Exact> preset;
  preset.options.invariance = 25;
  preset.options.variance = 25;
  preset.options.covariance = 1;
  return preset;
}

/// VICReg of solo-learn: 25 / 25 / 1, the variance term summed over the views. Source:
/// vturrisi/solo-learn, solo/losses/vicreg.py; also the baseline of the relaxed paper.
inline VicregPreset<Exact> vicreg_exact_solo_learn() {
  VicregPreset<Exact> preset = vicreg_exact();
  preset.options.sum_variance = true;
  return preset;
}

/// Relaxed VICReg at d = 8192, permuted: q = 1, 2.5 / 2.5 / 0.1, variance terms summed, covariance
/// scaled by block means. The published block size is 0 (a single block, the default). Source:
/// yutaro-s/scalable-decorrelation-ssl, script/in1k-r50-d8192/pretrain/svicreg.sh.
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

/// VICReg with random signs for any d, our recommendation: the published exact weights (25 / 25 /
/// 1, variance averaged, covariance per dimension) and q = 2, since the expected value is the exact
/// loss. A smaller block_size lowers the noise of a draw; 0, the default, is a single block. Draws
/// signs_a, then signs_b. Source: docs/mathematics.md, random signs; weights of
/// facebookresearch/vicreg.
template <class Generator>
VicregPreset<Relaxed> vicreg_random_signs(Eigen::Index d, Generator&& generator,
                                          Eigen::Index block_size = 0) {
  VicregPreset<Relaxed> preset;
  preset.options = vicreg_exact().options;
  preset.regularizer.exponent = 2;
  preset.regularizer.block_size = block_size;
  preset.regularizer.signs_a = random_signs(d, generator);
  preset.regularizer.signs_b = random_signs(d, generator);
  return preset;
}

}  // namespace DECORR_ABI
}  // namespace presets
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_PRESETS_HPP_
