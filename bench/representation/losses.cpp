#include "losses.hpp"

#include <malloc.h>

#include <decorr/decorr.hpp>
#include <fstream>
#include <string>

#include "random_numbers.hpp"

namespace representation {

namespace {

decorr::Execution execution_of(int threads) {
  decorr::Execution execution;
  execution.threads = threads;
  execution.planning = decorr::Planning::estimate;  // the same numbers in every run
  return execution;
}

/// A field of /proc/self/status in KiB; 0 if it is not there.
double status_kib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kib = 0;
  while (status >> word) {
    if (word == field && status >> kib) return kib;
  }
  return 0;
}

}  // namespace

LossTerms loss_and_gradient(const LossSettings& settings, const decorr::Regularizer& regularizer,
                            const Matrix& z, Matrix& gradient, int threads) {
  const Eigen::Index n = z.rows() / 2;
  const auto a = z.topRows(n), b = z.bottomRows(n);
  auto grad_a = gradient.topRows(n), grad_b = gradient.bottomRows(n);
  const decorr::Execution execution = execution_of(threads);
  if (settings.loss == "vicreg") {
    decorr::VicregOptions options = decorr::presets::vicreg_exact().options;
    options.covariance *= settings.weight;
    const auto loss = decorr::vicreg_loss(a, b, grad_a, grad_b, options, regularizer, execution);
    return {loss.value, loss.covariance};
  }
  decorr::BarlowTwinsOptions options = decorr::presets::barlow_twins_exact().options;
  options.lambda *= settings.weight;
  const auto loss =
      decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, regularizer, execution);
  return {loss.value, loss.off_diagonal};
}

double regularizer_and_gradient(const Embeddings& z, const decorr::Regularizer& regularizer,
                                Gradients& gradients, int threads) {
  const decorr::Execution execution = execution_of(threads);
  if (z.two_views()) {
    return regularizer.relaxed() == nullptr
               ? decorr::r_off(z.a, z.b, gradients.a, gradients.b, execution)
               : decorr::r_sum(z.a, z.b, gradients.a, gradients.b, *regularizer.relaxed(),
                               execution);
  }
  decorr::VicregOptions options;
  options.variance = 0;
  options.covariance = static_cast<double>(z.a.cols());  // less the 1 / d of VICReg
  return decorr::variance_covariance_loss(z.a, gradients.a, options, regularizer, execution)
      .covariance;
}

double regularizer_value(const Embeddings& z, const decorr::Regularizer& regularizer, int threads) {
  const decorr::Execution execution = execution_of(threads);
  if (z.two_views()) {
    return regularizer.relaxed() == nullptr
               ? decorr::r_off(z.a, z.b, execution)
               : decorr::r_sum(z.a, z.b, *regularizer.relaxed(), execution);
  }
  decorr::VicregOptions options;
  options.variance = 0;
  options.covariance = static_cast<double>(z.a.cols());
  return decorr::variance_covariance_loss(z.a, options, regularizer, execution).covariance;
}

double loss_memory(const LossSettings& settings, const Matrix& z, Matrix& gradient, int threads) {
  support::SplitMix64 random(0);
  const decorr::Regularizer regularizer = support::draw_regularizer(settings, z.cols(), random);
  // Plans and code that are there after a first call are not a call's memory; workspace that is
  // kept is.
  loss_and_gradient(settings, regularizer, z, gradient, threads);
  decorr::clear_workspaces();
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak is now what is in use
  const double before = status_kib("VmHWM:");
  loss_and_gradient(settings, regularizer, z, gradient, threads);
  return 1024 * (status_kib("VmHWM:") - before);
}

}  // namespace representation
