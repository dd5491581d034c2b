// Calls that people write and that do not compile, one for each macro that may be defined. Without
// any, calls that look alike and are right, {} in every place among them.
#include <decorr/decorr.hpp>
#include <random>
#include <utility>
#include <vector>

namespace {

using decorr::no_gradient;
using Eigen::MatrixXd;

struct Settings {
  decorr::BarlowTwinsOptions barlow_twins;
  decorr::VicregOptions vicreg;
  decorr::Relaxed relaxed;
  decorr::Execution execution;
};

#if defined(MISUSE)

void misuse(const MatrixXd& a, const MatrixXd& b, MatrixXd& grad_a, MatrixXd& grad_b,
            const Settings& x) {
  std::mt19937_64 generator(1);
  Eigen::MatrixXf float_grad(8, 8);
  [[maybe_unused]] const std::vector<MatrixXd> views{a, b};
  [[maybe_unused]] std::vector<MatrixXd> gradients{a, b};
#if defined(MISUSE_SWAPPED)
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, x.relaxed, x.barlow_twins);
#elif defined(MISUSE_SWAPPED_VALUE)
  decorr::vicreg_loss(a, b, x.relaxed, x.vicreg);
#elif defined(MISUSE_SWAPPED_ONE_VIEW)
  decorr::variance_covariance_loss(a, no_gradient, decorr::Exact(), x.vicreg);
#elif defined(MISUSE_EXECUTION_TOO_EARLY)
  decorr::vicreg_loss(a, b, grad_a, no_gradient, x.vicreg, x.execution);
#elif defined(MISUSE_PRESET)
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, decorr::presets::barlow_twins_exact());
#elif defined(MISUSE_PRESET_VALUE)
  decorr::vicreg_loss(a, b, decorr::presets::vicreg_random_signs(8, generator));
#elif defined(MISUSE_PRESET_ONE_VIEW)
  decorr::variance_covariance_loss(a, grad_a, decorr::presets::vicreg_exact());
#elif defined(MISUSE_NO_OPTIONS)
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, x.relaxed);
#elif defined(MISUSE_NO_OPTIONS_VALUE)
  decorr::barlow_twins_loss(a, b, x.relaxed);
#elif defined(MISUSE_OTHER_OPTIONS)
  decorr::vicreg_loss(a, b, grad_a, grad_b, x.barlow_twins);
#elif defined(MISUSE_OTHER_OPTIONS_VALUE)
  decorr::barlow_twins_loss(a, b, x.vicreg, x.relaxed);
#elif defined(MISUSE_OTHER_OPTIONS_ONE_VIEW)
  decorr::variance_covariance_loss(a, grad_a, x.barlow_twins);
#elif defined(MISUSE_DEFAULT_THEN_PRESET)
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, decorr::presets::barlow_twins_exact());
#elif defined(MISUSE_DEFAULT_THEN_PRESET_VALUE)
  decorr::vicreg_loss(a, b, {}, decorr::presets::vicreg_exact());
#elif defined(MISUSE_DEFAULT_THEN_EXECUTION)
  decorr::vicreg_loss(a, b, grad_a, no_gradient, {}, x.execution);
#elif defined(MISUSE_DEFAULT_THEN_OPTIONS_VALUE)
  decorr::barlow_twins_loss(a, b, {}, x.barlow_twins);
#elif defined(MISUSE_DEFAULT_THEN_EXECUTION_ONE_VIEW)
  decorr::variance_covariance_loss(a, grad_a, {}, x.execution);
#elif defined(MISUSE_ONE_GRADIENT)
  decorr::vicreg_loss(a, b, grad_a);
#elif defined(MISUSE_ONE_GRADIENT_OPTIONS)
  decorr::barlow_twins_loss(a, b, grad_a, x.barlow_twins, x.relaxed);
#elif defined(MISUSE_ONE_GRADIENT_REGULARIZER)
  decorr::r_sum(a, b, grad_a, x.relaxed);
#elif defined(MISUSE_ONE_GRADIENT_EXACT)
  decorr::r_off(a, b, no_gradient);
#elif defined(MISUSE_RELAXED_EXACT)
  decorr::r_off(a, b, x.relaxed);
#elif defined(MISUSE_RELAXED_EXACT_GRADIENTS)
  decorr::r_off(a, b, grad_a, grad_b, x.relaxed, x.execution);
#elif defined(MISUSE_EXACT_RELAXED)
  decorr::r_sum(a, b, decorr::Exact());
#elif defined(MISUSE_EXACT_RELAXED_GRADIENTS)
  decorr::r_sum(a, b, grad_a, no_gradient, decorr::Regularizer(x.relaxed));
#elif defined(MISUSE_ONE_MATRIX_OF_VIEWS)
  decorr::vicreg_loss_of_views(a, decorr::ViewCombination::pairs);
#elif defined(MISUSE_ONE_GRADIENT_OF_VIEWS)
  decorr::vicreg_loss_of_views(views, grad_a, decorr::ViewCombination::pairs);
#elif defined(MISUSE_TEMPORARY_OF_VIEWS)
  decorr::barlow_twins_loss_of_views(views, std::vector<MatrixXd>(2, a),
                                     decorr::ViewCombination::centroid);
#elif defined(MISUSE_CONST_OF_VIEWS)
  decorr::barlow_twins_loss_of_views(views, views, decorr::ViewCombination::centroid);
#elif defined(MISUSE_OTHER_SCALAR_OF_VIEWS)
  decorr::vicreg_loss_of_views(views, std::vector<Eigen::MatrixXf*>{&float_grad, nullptr},
                               decorr::ViewCombination::pairs);
#elif defined(MISUSE_SWAPPED_OF_VIEWS)
  decorr::vicreg_loss_of_views(views, gradients, decorr::ViewCombination::pairs, x.relaxed);
#elif defined(MISUSE_SWAPPED_VALUE_OF_VIEWS)
  decorr::barlow_twins_loss_of_views(views, decorr::ViewCombination::pairs, x.vicreg);
#elif defined(MISUSE_PRESET_OF_VIEWS)
  decorr::vicreg_loss_of_views(views, gradients, decorr::ViewCombination::pairs,
                               decorr::presets::vicreg_exact());
#elif defined(MISUSE_NO_COMBINATION)
  decorr::barlow_twins_loss_of_views(views, x.barlow_twins, x.relaxed);
#elif defined(MISUSE_NO_COMBINATION_GRADIENTS)
  decorr::vicreg_loss_of_views(views, gradients, x.relaxed);
#elif defined(MISUSE_DEFAULT_COMBINATION)
  decorr::vicreg_loss_of_views(views, {}, x.relaxed);
#elif defined(MISUSE_DEFAULT_COMBINATION_GRADIENTS)
  decorr::barlow_twins_loss_of_views(views, gradients, {}, x.relaxed);
#elif defined(MISUSE_SWAPPED_OF_BATCH)
  decorr::VicregBatch<float> batch(4, x.relaxed);
#elif defined(MISUSE_PRESET_OF_BATCH)
  decorr::VicregBatch<float> batch(4, decorr::presets::vicreg_random_signs(4, generator));
#elif defined(MISUSE_GRADIENTS_TOO_EARLY_OF_BATCH)
  decorr::BarlowTwinsBatch<double> batch(4, x.barlow_twins, x.relaxed, decorr::Gradients::a);
#elif defined(MISUSE_DEFAULT_THEN_GRADIENTS_OF_BATCH)
  decorr::VicregBatch<float> batch(4, {}, x.relaxed, decorr::Gradients::both, x.execution);
#elif defined(MISUSE_OTHER_OPTIONS_OF_BATCH)
  decorr::VarianceCovarianceBatch<float> batch(4, x.barlow_twins);
#elif defined(MISUSE_NULL_GRADIENT)
  decorr::barlow_twins_loss(a, b, grad_a, nullptr);
#elif defined(MISUSE_NULL_GRADIENT_ONE_VIEW)
  decorr::variance_covariance_loss(a, nullptr, x.vicreg);
#elif defined(MISUSE_TEMPORARY)
  decorr::barlow_twins_loss(a, b, grad_a, MatrixXd(8, 8));
#elif defined(MISUSE_TEMPORARY_ONE_VIEW)
  decorr::variance_covariance_loss(a, MatrixXd(8, 8));
#elif defined(MISUSE_CONST)
  decorr::vicreg_loss(a, b, no_gradient, std::as_const(grad_b), x.vicreg, x.relaxed);
#elif defined(MISUSE_CONST_ONE_VIEW)
  decorr::variance_covariance_loss(a, b);  // as if there were two
#elif defined(MISUSE_OTHER_SCALAR)
  decorr::barlow_twins_loss(a, b, float_grad, grad_b);
#elif defined(MISUSE_OTHER_SCALAR_REGULARIZER)
  decorr::r_sum(a, b, no_gradient, float_grad, x.relaxed);
#elif defined(MISUSE_EXPRESSION)
  decorr::vicreg_loss(a, b, 2 * grad_a, grad_b);
#elif defined(MISUSE_EXPRESSION_REGULARIZER)
  decorr::r_off(a, b, grad_a, Eigen::Map<const MatrixXd>(b.data(), 8, 8));
#elif defined(MISUSE_TWO_SCALARS)
  decorr::vicreg_loss(a, b.cast<float>(), grad_a, grad_b);
#elif defined(MISUSE_SEED_PERMUTATION)
  decorr::random_permutation(8, 42);
#elif defined(MISUSE_SEED_SIGNS)
  const unsigned seed = 42;
  decorr::random_signs(8, seed);
#elif defined(MISUSE_SEED_PRESET)
  decorr::presets::barlow_twins_random_signs(8, 42);
#elif defined(MISUSE_OTHER_ENGINE)
  std::minstd_rand engine(1);
  decorr::random_permutation(8, engine);
#endif
}

#else

template <class GradientA, class GradientB>
void two_views(const MatrixXd& a, const MatrixXd& b, GradientA&& grad_a, GradientB&& grad_b,
               const Settings& x, bool flag) {
  const auto barlow_twins = [&](auto&&... settings) {
    decorr::barlow_twins_loss(a, b, grad_a, grad_b, settings...);
  };
  barlow_twins();
  barlow_twins(x.barlow_twins);
  barlow_twins(x.barlow_twins, x.relaxed);
  barlow_twins(x.barlow_twins, decorr::Exact(), x.execution);
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {});
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, {});
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, {}, {});
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, {}, x.execution);
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, x.relaxed);
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, x.relaxed, {});
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, x.barlow_twins, {});
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, x.barlow_twins, {}, x.execution);
  decorr::barlow_twins_loss(a, b, grad_a, grad_b, {},
                            flag ? decorr::Regularizer(x.relaxed) : decorr::Regularizer());
  decorr::vicreg_loss(a, b, grad_a, grad_b, {});
  decorr::vicreg_loss(a, b, grad_a, grad_b, {}, {}, {});
  decorr::vicreg_loss(a, b, grad_a, grad_b, x.vicreg, x.relaxed, {});
  decorr::vicreg_loss(a, b, grad_a, grad_b, x.vicreg, decorr::Exact(), x.execution);
  decorr::r_off(a, b, grad_a, grad_b, {});
  decorr::r_off(a, b, grad_a, grad_b, x.execution);
  decorr::r_sum(a, b, grad_a, grad_b, {}, {});
  decorr::r_sum(a, b, grad_a, grad_b, x.relaxed, {});
}

void values(const MatrixXd& a, const MatrixXd& b, const Settings& x, std::mt19937_64& generator) {
  decorr::barlow_twins_loss(a, b);
  decorr::barlow_twins_loss(a, b, {});
  decorr::barlow_twins_loss(a, b, {}, {});
  decorr::barlow_twins_loss(a, b, {}, {}, {});
  decorr::barlow_twins_loss(a, b, {}, {}, x.execution);
  decorr::barlow_twins_loss(a, b, {}, x.relaxed);
  decorr::barlow_twins_loss(a, b, x.barlow_twins, {}, {});
  decorr::vicreg_loss(a, b, {});
  decorr::vicreg_loss(a, b, {}, {});
  decorr::vicreg_loss(a, b, {}, {}, {});
  decorr::vicreg_loss(a, b, x.vicreg, x.relaxed, {});
  decorr::r_off(a, b, {});
  decorr::r_sum(a, b, {});
  decorr::r_sum(a, b, {}, {});
  decorr::sumvec(a, b, {});
  const auto preset = decorr::presets::vicreg_random_signs(8, generator);
  decorr::vicreg_loss(a, b, preset.options, preset.regularizer);
  decorr::random_permutation(8, std::mt19937(1));
}

template <class Gradient>
void one_view(const MatrixXd& z, Gradient&& grad, const Settings& x) {
  decorr::variance_covariance_loss(z);
  decorr::variance_covariance_loss(z, {}, {}, {});
  decorr::variance_covariance_loss(z, x.vicreg, x.relaxed, {});
  decorr::variance_covariance_loss(z, grad);
  decorr::variance_covariance_loss(z, grad, {});
  decorr::variance_covariance_loss(z, grad, {}, {});
  decorr::variance_covariance_loss(z, grad, {}, {}, {});
  decorr::variance_covariance_loss(z, grad, {}, x.relaxed, x.execution);
}

void several_views(const std::vector<MatrixXd>& views, std::vector<MatrixXd>& gradients,
                   const Settings& x) {
  const auto pairs = decorr::ViewCombination::pairs;
  decorr::vicreg_loss_of_views(views, pairs);
  decorr::vicreg_loss_of_views(views, pairs, {});
  decorr::vicreg_loss_of_views(views, pairs, {}, {}, {});
  decorr::vicreg_loss_of_views(views, pairs, x.vicreg, x.relaxed, x.execution);
  decorr::vicreg_loss_of_views(views, gradients, pairs);
  decorr::barlow_twins_loss_of_views(views, gradients, pairs, {});
  decorr::barlow_twins_loss_of_views(views, gradients, pairs, {}, {}, {});
  decorr::barlow_twins_loss_of_views(views, gradients, {}, {}, x.relaxed);
  decorr::barlow_twins_loss_of_views(views, std::vector<MatrixXd*>{&gradients[0], nullptr}, pairs,
                                     x.barlow_twins);
}

#endif

}  // namespace

#if !defined(MISUSE)
void right_calls(const MatrixXd& a, const MatrixXd& b, MatrixXd& grad_a, MatrixXd& grad_b,
                 std::mt19937_64& generator);
void right_calls(const MatrixXd& a, const MatrixXd& b, MatrixXd& grad_a, MatrixXd& grad_b,
                 std::mt19937_64& generator) {
  const Settings x;
  values(a, b, x, generator);
  two_views(a, b, grad_a, grad_b, x, true);
  two_views(a, b, grad_a, no_gradient, x, true);
  two_views(a, b, no_gradient, grad_b.array(), x, false);
  two_views(a, b, decorr::NoGradient{}, grad_b.leftCols(8), x, false);
  one_view(a, grad_a, x);
  one_view(a, no_gradient, x);
  std::vector<MatrixXd> gradients{a, b};
  several_views({a, b}, gradients, x);
}
#endif
