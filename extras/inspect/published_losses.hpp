#ifndef DECORR_EXTRAS_INSPECT_PUBLISHED_LOSSES_HPP_
#define DECORR_EXTRAS_INSPECT_PUBLISHED_LOSSES_HPP_

#include <Eigen/Core>
#include <decorr/decorr.hpp>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "npy.hpp"

namespace inspect {

struct LossTerms {
  double value = 0;
  std::vector<std::pair<const char*, double>> terms;  ///< their sum is the value
};

/// What a loss is taken of: one view, or two. With gradients they are written, one for each view.
struct LossArguments {
  const DoubleMatrix* a = nullptr;
  const DoubleMatrix* b = nullptr;
  DoubleMatrix* grad_a = nullptr;
  DoubleMatrix* grad_b = nullptr;
  decorr::Execution execution;
};

template <class Regularizer>
LossTerms evaluate(const decorr::presets::BarlowTwinsPreset<Regularizer>& preset,
                   const LossArguments& in) {
  const auto loss =
      in.grad_a != nullptr
          ? decorr::barlow_twins_loss(*in.a, *in.b, *in.grad_a, *in.grad_b, preset.options,
                                      preset.regularizer, in.execution)
          : decorr::barlow_twins_loss(*in.a, *in.b, preset.options, preset.regularizer,
                                      in.execution);
  return {loss.value, {{"diagonal", loss.diagonal}, {"off_diagonal", loss.off_diagonal}}};
}

/// Of one view: its variance and covariance terms, with the same settings.
template <class Regularizer>
LossTerms evaluate(const decorr::presets::VicregPreset<Regularizer>& preset,
                   const LossArguments& in) {
  if (in.b == nullptr) {
    const auto loss = in.grad_a != nullptr
                          ? decorr::variance_covariance_loss(*in.a, *in.grad_a, preset.options,
                                                             preset.regularizer, in.execution)
                          : decorr::variance_covariance_loss(*in.a, preset.options,
                                                             preset.regularizer, in.execution);
    return {loss.value, {{"variance", loss.variance}, {"covariance", loss.covariance}}};
  }
  const auto loss =
      in.grad_a != nullptr
          ? decorr::vicreg_loss(*in.a, *in.b, *in.grad_a, *in.grad_b, preset.options,
                                preset.regularizer, in.execution)
          : decorr::vicreg_loss(*in.a, *in.b, preset.options, preset.regularizer, in.execution);
  return {loss.value,
          {{"invariance", loss.invariance},
           {"variance", loss.variance},
           {"covariance", loss.covariance}}};
}

/// A setting of presets.hpp, by the name of its function.
struct PublishedLoss {
  std::string name;
  bool exact = false;
  Eigen::Index block_size = 0;
  /// Draws the permutation or the signs where there are any.
  std::function<LossTerms(std::mt19937_64&, const LossArguments&)> evaluate;
};

/// All that apply to d features and one or two views. `block_size` is for random signs; relaxed
/// presets have their own.
inline std::vector<PublishedLoss> published_losses(Eigen::Index d, bool two_views,
                                                   Eigen::Index block_size) {
  using namespace decorr::presets;  // NOLINT(google-build-using-namespace): to name all of them
  std::vector<PublishedLoss> losses;
  const auto exact = [&](const char* name, auto make) {
    losses.push_back({name, true, 0, [make](std::mt19937_64&, const LossArguments& in) {
                        return inspect::evaluate(make(), in);
                      }});
  };
  const auto relaxed = [&](const std::string& name, Eigen::Index block, auto make) {
    losses.push_back(
        {name, false, block, [make, block](std::mt19937_64& generator, const LossArguments& in) {
           return inspect::evaluate(make(generator, block), in);
         }});
  };
  if (two_views) {
    exact("barlow_twins_exact", [] { return barlow_twins_exact(); });
    relaxed("barlow_twins_random_signs", block_size, [d](auto& generator, Eigen::Index block) {
      return barlow_twins_random_signs(d, generator, block);
    });
    const auto relaxed_2048 = [](auto& generator, Eigen::Index block) {
      return barlow_twins_relaxed_2048(generator, block);
    };
    const auto relaxed_8192 = [](auto& generator, Eigen::Index block) {
      return barlow_twins_relaxed_8192(generator, block);
    };
    if (d == 2048) {
      exact("barlow_twins_exact_solo_learn_2048",
            [] { return barlow_twins_exact_solo_learn_2048(); });
      relaxed("barlow_twins_relaxed_2048", 0, relaxed_2048);
      relaxed("barlow_twins_relaxed_2048_b128", 128, relaxed_2048);
    } else if (d == 8192) {
      exact("barlow_twins_exact_solo_learn_8192",
            [] { return barlow_twins_exact_solo_learn_8192(); });
      relaxed("barlow_twins_relaxed_8192", 0, relaxed_8192);
      relaxed("barlow_twins_relaxed_8192_b128", 128, relaxed_8192);
    }
  }
  exact("vicreg_exact", [] { return vicreg_exact(); });
  // It differs in how the views' variance terms are joined.
  if (two_views) exact("vicreg_exact_solo_learn", [] { return vicreg_exact_solo_learn(); });
  relaxed("vicreg_random_signs", block_size, [d](auto& generator, Eigen::Index block) {
    return vicreg_random_signs(d, generator, block);
  });
  const auto relaxed_2048 = [](auto& generator, Eigen::Index block) {
    return vicreg_relaxed_2048(generator, block);
  };
  if (d == 2048) {
    relaxed("vicreg_relaxed_2048", 0, relaxed_2048);
    relaxed("vicreg_relaxed_2048_b128", 128, relaxed_2048);
  } else if (d == 8192) {
    relaxed("vicreg_relaxed_8192", 0, [](auto& generator, Eigen::Index block) {
      return vicreg_relaxed_8192(generator, block);
    });
  }
  return losses;
}

}  // namespace inspect

#endif  // DECORR_EXTRAS_INSPECT_PUBLISHED_LOSSES_HPP_
