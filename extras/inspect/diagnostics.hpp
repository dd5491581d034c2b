#ifndef DECORR_EXTRAS_INSPECT_DIAGNOSTICS_HPP_
#define DECORR_EXTRAS_INSPECT_DIAGNOSTICS_HPP_

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "npy.hpp"

/// @file
/// What tells whether embeddings have collapsed. A row is one sample's embedding, rows and features
/// are counted from 0. All in double.

namespace inspect {

using Eigen::Index;

struct NonFinite {
  Index nan = 0, infinite = 0;
  Index row = -1, column = -1;  ///< the first of them, row by row
};

inline NonFinite count_nonfinite(const DoubleMatrix& z) {
  NonFinite found;
  for (Index i = 0; i < z.rows(); ++i) {
    for (Index j = 0; j < z.cols(); ++j) {
      const double x = z(i, j);
      if (std::isfinite(x)) continue;
      if (found.row < 0) {
        found.row = i;
        found.column = j;
      }
      ++(std::isnan(x) ? found.nan : found.infinite);
    }
  }
  return found;
}

/// Rows that equal an earlier one. O(n d log n).
inline Index count_duplicate_rows(const DoubleMatrix& z) {
  std::vector<const double*> rows(static_cast<std::size_t>(z.rows()));
  for (Index i = 0; i < z.rows(); ++i) rows[static_cast<std::size_t>(i)] = z.row(i).data();
  const Index d = z.cols();
  std::sort(rows.begin(), rows.end(), [d](const double* x, const double* y) {
    return std::lexicographical_compare(x, x + d, y, y + d);
  });
  Index duplicates = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (std::equal(rows[i], rows[i] + d, rows[i - 1])) ++duplicates;
  }
  return duplicates;
}

struct Range {
  double mean = 0, smallest = 0, largest = 0;
  Index smallest_at = 0, largest_at = 0;
};

inline Range range_of(const Eigen::VectorXd& values) {
  Range range;
  range.mean = (values / static_cast<double>(values.size())).sum();
  range.smallest = values.minCoeff(&range.smallest_at);
  range.largest = values.maxCoeff(&range.largest_at);
  return range;
}

inline Eigen::VectorXd row_norms(const DoubleMatrix& z) {
  Eigen::VectorXd norms(z.rows());
  for (Index i = 0; i < z.rows(); ++i) norms[i] = z.row(i).stableNorm();
  return norms;
}

/// Embeddings as scale * (values + mean): values have the mean 0 in every column, and are exactly 0
/// where a column is constant. The scale, a power of two, keeps squares from overflowing.
struct Centred {
  DoubleMatrix values;
  Eigen::RowVectorXd mean;
  double scale = 1;

  double root_mean_square() const {
    const auto n = static_cast<double>(values.rows());
    const double squares = values.squaredNorm() + n * mean.squaredNorm();
    return scale * std::sqrt(squares / static_cast<double>(values.size()));
  }
  /// Of each feature, with n - 1 as in VICReg.
  Eigen::VectorXd standard_deviations() const {
    Eigen::RowVectorXd squares = Eigen::RowVectorXd::Zero(values.cols());
    for (Index i = 0; i < values.rows(); ++i) squares += values.row(i).cwiseAbs2();
    return scale * (squares / static_cast<double>(values.rows() - 1)).cwiseSqrt().transpose();
  }
};

inline Centred centre(const DoubleMatrix& z) {
  const double largest = z.cwiseAbs().maxCoeff();
  Centred centred;
  centred.scale = largest > 0 ? std::ldexp(1.0, std::ilogb(largest)) : 1;
  centred.values = z / centred.scale;
  centred.mean = Eigen::RowVectorXd::Zero(z.cols());
  DoubleMatrix& y = centred.values;
  // The second round takes away what rounding left of a large mean.
  for (int round = 0; round < 2; ++round) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(z.cols());
    for (Index i = 0; i < y.rows(); ++i) sum += y.row(i);
    const Eigen::RowVectorXd mean = sum / static_cast<double>(y.rows());
    for (Index i = 0; i < y.rows(); ++i) y.row(i) -= mean;
    centred.mean += mean;
  }
  std::vector<bool> constant(static_cast<std::size_t>(z.cols()), true);
  for (Index i = 1; i < z.rows(); ++i) {
    for (Index j = 0; j < z.cols(); ++j) {
      if (z(i, j) != z(0, j)) constant[static_cast<std::size_t>(j)] = false;
    }
  }
  for (Index j = 0; j < z.cols(); ++j) {
    if (!constant[static_cast<std::size_t>(j)]) continue;
    y.col(j).setZero();
    centred.mean[j] = z(0, j) / centred.scale;
  }
  return centred;
}

/// The exponential of the entropy of the singular values, which are scaled to the sum 1: RankMe,
/// Garrido et al., ICML 2023, arXiv 2210.02885, there of the embeddings as they are, uncentred.
struct EffectiveRank {
  double centred = 0, uncentred = 0;  ///< 0: all values are 0. NaN: the solver did not converge.
};

/// From the Gram matrix of rows or of columns, the squares of whose singular values these are.
inline double effective_rank_of_gram(const Eigen::MatrixXd& gram) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram, Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success) return std::numeric_limits<double>::quiet_NaN();
  const Eigen::VectorXd& squares = solver.eigenvalues();
  // Below this there is nothing but rounding.
  const double floor = 16 * std::numeric_limits<double>::epsilon() * squares.maxCoeff();
  double sum = 0, weighted_logarithms = 0;
  for (const double square : squares) {
    if (square <= floor) continue;
    const double value = std::sqrt(square);
    sum += value;
    weighted_logarithms += value * std::log(value);
  }
  return sum > 0 ? std::exp(std::log(sum) - weighted_logarithms / sum) : 0;
}

/// O(n d m + m^3) time and O(m^2) memory, m = min(n, d).
inline EffectiveRank effective_rank(const Centred& z) {
  const Index n = z.values.rows(), d = z.values.cols(), m = std::min(n, d);
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(m, m);
  EffectiveRank rank;
  if (n < d) {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(z.values);
    rank.centred = effective_rank_of_gram(gram);
    const Eigen::VectorXd products = z.values * z.mean.transpose();
    gram.selfadjointView<Eigen::Lower>().rankUpdate(products, Eigen::VectorXd::Ones(n));
    gram.array() += z.mean.squaredNorm();
  } else {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(z.values.transpose());
    rank.centred = effective_rank_of_gram(gram);
    gram.selfadjointView<Eigen::Lower>().rankUpdate(z.mean.transpose(), static_cast<double>(n));
  }
  rank.uncentred = effective_rank_of_gram(gram);
  return rank;
}

/// Features with mean 0 and the biased variance 1, so that left^T right / n is a correlation
/// matrix; zero where they do not vary.
struct Standardized {
  DoubleMatrix values;
  std::vector<bool> varies;

  Index varying() const { return std::count(varies.begin(), varies.end(), true); }
};

inline Standardized standardize(Centred centred) {
  Standardized result;
  result.values = std::move(centred.values);
  DoubleMatrix& y = result.values;
  Eigen::RowVectorXd factor = Eigen::RowVectorXd::Zero(y.cols());
  for (Index i = 0; i < y.rows(); ++i) factor += y.row(i).cwiseAbs2();
  for (Index j = 0; j < y.cols(); ++j) {
    result.varies.push_back(factor[j] > 0);
    factor[j] = factor[j] > 0 ? std::sqrt(static_cast<double>(y.rows()) / factor[j]) : 0;
  }
  for (Index i = 0; i < y.rows(); ++i) y.row(i).array() *= factor.array();
  return result;
}

/// A correlation matrix to look at, at most kLargest pixels high and wide: the values themselves,
/// or where a pixel is a block of them, the mean of their absolute values less the diagonal's.
class CorrelationPicture {
 public:
  explicit CorrelationPicture(Index features)
      : block_((features + kLargest - 1) / kLargest),
        sums_(DoubleMatrix::Zero(size_of(features), size_of(features))),
        counts_(sums_) {}

  Index block() const { return block_; }

  void add(Index row, Index column, double value) {
    if (block_ > 1 && row == column) return;
    sums_(row / block_, column / block_) += block_ > 1 ? std::abs(value) : value;
    ++counts_(row / block_, column / block_);
  }
  DoubleMatrix pixels() const { return sums_.cwiseQuotient(counts_.cwiseMax(1.0)); }

 private:
  static constexpr Index kLargest = 1024;

  Index size_of(Index features) const { return (features + block_ - 1) / block_; }

  Index block_;
  DoubleMatrix sums_, counts_;
};

struct CorrelationSummary {
  /// Over the pairs of different features that vary; one view's own pairs count once.
  Index pairs = 0;
  double mean_absolute = 0, largest = 0;
  Index largest_row = 0, largest_column = 0;
  /// Of two views: over the features that vary in both.
  Index diagonals = 0;
  double diagonal_mean = 0, diagonal_smallest = 1;
  Index diagonal_smallest_at = 0;
};

/// Of left^T right / n; `right` may be `left` itself. O(n d^2) time, in tiles, so that no memory
/// grows with d^2.
inline CorrelationSummary summarize_correlation(const Standardized& left, const Standardized& right,
                                                CorrelationPicture* picture) {
  constexpr Index tile = 512;
  const bool one_view = &left == &right;
  const Index n = left.values.rows(), d = left.values.cols();
  CorrelationSummary summary;
  double sum = 0, diagonal_sum = 0;
  const auto take = [&](Index i, Index j, double value) {
    if (picture != nullptr) {
      picture->add(i, j, value);
      if (one_view && i != j) picture->add(j, i, value);
    }
    if (!left.varies[static_cast<std::size_t>(i)] || !right.varies[static_cast<std::size_t>(j)]) {
      return;
    }
    if (i == j) {
      if (summary.diagonals++ == 0 || value < summary.diagonal_smallest) {
        summary.diagonal_smallest = value;
        summary.diagonal_smallest_at = i;
      }
      diagonal_sum += value;
      return;
    }
    if (summary.pairs++ == 0 || std::abs(value) > std::abs(summary.largest)) {
      summary.largest = value;
      summary.largest_row = i;
      summary.largest_column = j;
    }
    sum += std::abs(value);
  };
  for (Index row = 0; row < d; row += tile) {
    const Index height = std::min(tile, d - row);
    for (Index column = one_view ? row : 0; column < d; column += tile) {
      const Index width = std::min(tile, d - column);
      const DoubleMatrix product = left.values.middleCols(row, height).transpose() *
                                   right.values.middleCols(column, width) / static_cast<double>(n);
      for (Index i = 0; i < height; ++i) {
        const Index first = one_view && column == row ? i : 0;
        for (Index j = first; j < width; ++j) take(row + i, column + j, product(i, j));
      }
    }
  }
  if (summary.pairs > 0) summary.mean_absolute = sum / static_cast<double>(summary.pairs);
  if (summary.diagonals > 0) {
    summary.diagonal_mean = diagonal_sum / static_cast<double>(summary.diagonals);
  }
  return summary;
}

}  // namespace inspect

#endif  // DECORR_EXTRAS_INSPECT_DIAGNOSTICS_HPP_
