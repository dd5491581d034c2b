#ifndef DECORR_BENCH_PEERS_SIGREG_HPP_
#define DECORR_BENCH_PEERS_SIGREG_HPP_

#include <Eigen/Core>
#include <cmath>

/// @file
/// SIGReg of LeJEPA (Balestriero and LeCun 2025, arXiv 2511.08544), the other regularizer of linear
/// cost in d: random directions u, and in each the Epps-Pulley distance of the projections x = Z u
/// from a standard normal,
///
///   n * integral over -3 .. 3 of |mean_i exp(i t x_i) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt,
///
/// by the trapezoid rule with knots on 0 .. 3, doubled as the integrand is even; the value is the
/// mean over the directions. O(n d K + n K knots) for K directions.

namespace peers {

inline constexpr int kKnots = 17;

/// Value, and the gradient by z. `directions` is K x d, a row a unit vector.
template <class Matrix>
typename Matrix::Scalar sigreg(const Matrix& z, const Matrix& directions, Matrix& gradient) {
  using Scalar = typename Matrix::Scalar;
  using Eigen::Index;
  using Column = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
  constexpr Scalar step = Scalar{3} / (kKnots - 1);
  const Index n = z.rows(), slices = directions.rows();
  const auto count = static_cast<Scalar>(n);

  // A row is a slice, so that its n projections are contiguous; it becomes its slopes.
  Matrix projections = directions * z.transpose();
  Eigen::Array<Scalar, Eigen::Dynamic, kKnots> cosines(n, kKnots), sines(n, kKnots);
  Column x(n), slopes(n);
  Scalar sum = 0;
  for (Index slice = 0; slice < slices; ++slice) {
    x = projections.row(slice).transpose().array();
    // exp(i t x) at the knots t = k step are powers of one number: a product each.
    cosines.col(0).setOnes();
    sines.col(0).setZero();
    cosines.col(1) = (step * x).cos();
    sines.col(1) = (step * x).sin();
    for (int k = 2; k < kKnots; ++k) {
      cosines.col(k) = cosines.col(k - 1) * cosines.col(1) - sines.col(k - 1) * sines.col(1);
      sines.col(k) = sines.col(k - 1) * cosines.col(1) + cosines.col(k - 1) * sines.col(1);
    }
    slopes.setZero();
    for (int k = 0; k < kKnots; ++k) {
      const Scalar t = static_cast<Scalar>(k) * step;
      const Scalar normal = std::exp(-t * t / 2);
      const Scalar weight = (k == 0 || k == kKnots - 1 ? 1 : 2) * step * normal;
      const Scalar real = cosines.col(k).mean() - normal, imaginary = sines.col(k).mean();
      sum += weight * count * (real * real + imaginary * imaginary);
      slopes += (2 * weight * t) * (imaginary * cosines.col(k) - real * sines.col(k));
    }
    projections.row(slice) = slopes.matrix().transpose() / static_cast<Scalar>(slices);
  }
  gradient.noalias() = projections.transpose() * directions;
  return sum / static_cast<Scalar>(slices);
}

}  // namespace peers

#endif  // DECORR_BENCH_PEERS_SIGREG_HPP_
