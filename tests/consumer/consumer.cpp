// A program that uses decorr as any other would: in float alone, so that FFTW's float library is
// the only one it needs.

#include <cmath>
#include <cstdio>
#include <decorr/decorr.hpp>

namespace {

// Column j of x, standardized, in double.
Eigen::VectorXd standardized(const Eigen::MatrixXf& x, Eigen::Index j, double epsilon) {
  const Eigen::VectorXd column = x.col(j).cast<double>();
  const Eigen::VectorXd centred = column.array() - column.mean();
  return centred / std::sqrt(centred.squaredNorm() / static_cast<double>(x.rows()) + epsilon);
}

// Barlow Twins by its definition: sum_i (1 - C_ii)^2 + lambda * R(C), where R is the sum of the
// squared wrapped diagonals of C but the main one.
double relaxed_barlow_twins(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b,
                            const decorr::BarlowTwinsOptions& options) {
  const Eigen::Index features = a.cols();
  double loss = 0;
  for (Eigen::Index lag = 0; lag < features; ++lag) {
    double sum = 0;
    for (Eigen::Index j = 0; j < features; ++j) {
      const Eigen::Index k = (j + lag) % features;
      const double correlation =
          standardized(a, j, options.epsilon).dot(standardized(b, k, options.epsilon)) /
          static_cast<double>(a.rows());
      sum += correlation;
      if (lag == 0) loss += (1 - correlation) * (1 - correlation);
    }
    if (lag != 0) loss += options.lambda * sum * sum;
  }
  return loss;
}

}  // namespace

int main() {
  Eigen::MatrixXf a(8, 6), b(8, 6);
  for (Eigen::Index i = 0; i < a.size(); ++i) {
    const auto x = static_cast<float>(i);
    a.data()[i] = std::sin(1.3F * x);
    b.data()[i] = a.data()[i] + 0.5F * std::cos(2.1F * x);
  }
  Eigen::MatrixXf grad_a(a.rows(), a.cols()), grad_b(grad_a);
  decorr::BarlowTwinsOptions options;
  options.lambda = 0.25;
  const auto loss = decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, decorr::Relaxed{});
  const double expected = relaxed_barlow_twins(a, b, options);
  std::printf("decorr %s: loss %.7g, by definition %.7g\n", DECORR_VERSION_STRING,
              static_cast<double>(loss.value), expected);
  const bool equal = std::abs(static_cast<double>(loss.value) - expected) <= 1e-5 * expected;
  return equal && grad_a.norm() > 0 && grad_b.norm() > 0 ? 0 : 1;
}
