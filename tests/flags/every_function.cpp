// Every public function in every scalar, to be compiled with the flags that users have.
#include <decorr/decorr.hpp>
#include <random>
#include <string>
#include <vector>

namespace {

template <class Scalar, class Storage>
double call_batches(const decorr::Execution& execution) {
  using Matrix = Eigen::Matrix<Storage, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index n = 4, d = 6;
  const Matrix a = Matrix::Random(n, d), b = Matrix::Random(n, d);
  Matrix grad_a(n, d), grad_b(n, d);
  const auto run = [&](auto& batch) {
    while (batch.has_pass()) {
      batch.add(a, b);
      batch.end_pass();
    }
    batch.gradient(a, b, grad_a, grad_b);
  };
  const decorr::Relaxed relaxed;
  decorr::BarlowTwinsBatch<Scalar> barlow_twins(d, {}, relaxed, execution);
  decorr::VicregBatch<Scalar> vicreg(d, {}, relaxed, execution);
  decorr::RegularizerBatch<Scalar> regularizer(d, relaxed, execution);
  run(barlow_twins);
  run(vicreg);
  run(regularizer);
  decorr::VarianceCovarianceBatch<Scalar> one_view(d, {}, relaxed, execution);
  while (one_view.has_pass()) {
    one_view.add(a);
    one_view.end_pass();
  }
  one_view.gradient(a, grad_a);
  return static_cast<double>(barlow_twins.loss().value + vicreg.loss().value + regularizer.value() +
                             one_view.loss().value);
}

template <class Scalar, class Storage>
double call_losses(const decorr::Execution& execution) {
  using Matrix = Eigen::Matrix<Storage, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Index n = 4, d = 6;
  const Matrix a = Matrix::Random(n, d), b = Matrix::Random(n, d);
  Matrix grad_a(n, d), grad_b(n, d);
  const auto by_list = [](Matrix& matrix) {
    return matrix(Eigen::seqN(0, 4, 1), std::vector<int>{5, 3, 4, 1, 2, 0});
  };
  decorr::Relaxed relaxed;
  relaxed.block_size = 2;
  long double sum = 0;
  const auto add = [&](auto value) { sum += static_cast<long double>(value); };
  const auto add_all = [&](const auto& regularizer) {
    add(decorr::barlow_twins_loss(a, b, {}, regularizer, execution).value);
    add(decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, regularizer, execution).diagonal);
    add(decorr::vicreg_loss(a, b, {}, regularizer, execution).value);
    add(decorr::vicreg_loss(a, b, grad_a, by_list(grad_b), {}, regularizer, execution).variance);
    add(decorr::variance_covariance_loss(a, {}, regularizer, execution).value);
    add(decorr::variance_covariance_loss(a, grad_a, {}, regularizer, execution).covariance);
    const std::vector<Matrix> views{a, b};
    const std::vector<Matrix*> gradients{&grad_a, &grad_b};
    for (const auto combination :
         {decorr::ViewCombination::pairs, decorr::ViewCombination::centroid}) {
      add(decorr::barlow_twins_loss_of_views(views, gradients, combination, {}, regularizer,
                                             execution)
              .value);
      add(decorr::vicreg_loss_of_views(views, combination, {}, regularizer, execution).value);
      add(decorr::vicreg_loss_of_views(views, gradients, combination, {}, regularizer, execution)
              .value);
    }
  };
  add_all(decorr::Exact{});
  add_all(relaxed);
  add(decorr::r_off(a, b, execution));
  add(decorr::r_off(a, b, grad_a.reverse(), grad_b, execution));
  add(decorr::r_sum(a, b, relaxed, execution));
  add(decorr::r_sum(a, b, grad_a, grad_b, relaxed, execution));
  const Eigen::Matrix<Scalar, Eigen::Dynamic, 1> lags = decorr::sumvec(a, b, execution);
  add(lags[0]);
  return static_cast<double>(sum);
}

template <class Scalar>
void go_through_plans(const std::string& path) {
  decorr::save_wisdom<Scalar>(path);
  decorr::load_wisdom<Scalar>(path);
}

template <class Engine>
std::size_t draw() {
  Engine engine(1);
  return decorr::random_permutation(8, engine).size() + decorr::random_signs(8, engine).size() +
         decorr::presets::barlow_twins_random_signs(8, engine, 4).regularizer.signs_a.size() +
         decorr::presets::vicreg_random_signs(8, engine, 4).regularizer.signs_b.size() +
         decorr::presets::barlow_twins_relaxed_2048(engine, 128).regularizer.permutation.size() +
         decorr::presets::vicreg_relaxed_8192(engine).regularizer.permutation.size();
}

}  // namespace

double call_everything(const std::string& path);
double call_everything(const std::string& path) {
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  go_through_plans<float>(path);
  go_through_plans<double>(path);
  go_through_plans<long double>(path);
  decorr::clear_plans();
  decorr::clear_workspaces();
  const std::size_t count = draw<std::mt19937>() + draw<std::mt19937_64>() + decorr::cached_plans();
  const auto exact = decorr::presets::barlow_twins_exact();
  return call_batches<float, Eigen::half>(execution) + call_batches<double, double>(execution) +
         call_batches<long double, long double>(execution) + call_losses<float, float>(execution) +
         call_losses<double, double>(execution) + call_losses<long double, long double>(execution) +
         call_losses<float, Eigen::half>(execution) +
         call_losses<float, Eigen::bfloat16>(execution) + static_cast<double>(count) +
         exact.options.lambda;
}
