// With -fassociative-math, of which Clang tells nothing: means are still compensated, or float's
// gradients at an offset of 1e4 would be 1e-4 off.
#include <cstdio>
#include <decorr/decorr.hpp>
#include <random>

int main() {
  constexpr Eigen::Index n = 64, d = 7;
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  const auto draw = [&] { return 1e4F + normal(generator); };
  const Eigen::MatrixXf a = Eigen::MatrixXf::NullaryExpr(n, d, draw);
  const Eigen::MatrixXf b = Eigen::MatrixXf::NullaryExpr(n, d, draw);
  Eigen::MatrixXf grad_a(n, d), grad_b(n, d);
  Eigen::MatrixXd right_a(n, d), right_b(n, d);
  decorr::barlow_twins_loss(a, b, grad_a, grad_b);
  decorr::barlow_twins_loss(a.cast<double>(), b.cast<double>(), right_a, right_b);
  const double error =
      (grad_a.cast<double>() - right_a).cwiseAbs().maxCoeff() / right_a.cwiseAbs().maxCoeff();
  std::printf("the gradient is %.2g off\n", error);
  return error < 1e-5 ? 0 : 1;
}
