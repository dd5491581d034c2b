#ifndef DECORR_TESTS_SUPPORT_VIEWS_CASES_HPP_
#define DECORR_TESTS_SUPPORT_VIEWS_CASES_HPP_

#include <decorr/decorr.hpp>
#include <string>
#include <utility>
#include <vector>

#include "loss_cases.hpp"
#include "naive_views.hpp"
#include "random_matrices.hpp"

namespace decorr_tests {

/// A loss of several views with a regularizer and options, as LossCase.
struct ViewsCase {
  LossCase loss;
  decorr::ViewCombination combination;

  std::string name() const {
    return loss.name + (combination == decorr::ViewCombination::pairs ? ", pairs" : ", centroid");
  }

  /// The value: views_case(views). With gradients: views_case(views, gradients).
  template <class Views, class... Gradients>
  auto operator()(const Views& views, Gradients&&... gradients) const {
    const decorr::Regularizer regularizer = argument(loss.regularizer);
    return loss.family == Family::barlow_twins
               ? decorr::barlow_twins_loss_of_views(views, gradients..., combination,
                                                    loss.barlow_twins, regularizer, loss.execution)
                     .value
               : decorr::vicreg_loss_of_views(views, gradients..., combination, loss.vicreg,
                                              regularizer, loss.execution)
                     .value;
  }

  /// The value by the definition.
  Real definition(const std::vector<RealMatrix>& views, naive::Sides* sides = nullptr) const {
    return loss.family == Family::barlow_twins
               ? naive::barlow_twins_loss_of_views(views, combination, loss.barlow_twins,
                                                   loss.regularizer, sides)
                     .value
               : naive::vicreg_loss_of_views(views, combination, loss.vicreg, loss.regularizer,
                                             sides)
                     .value;
  }
};

/// Those of loss_cases() that have two views, in either combination.
inline std::vector<ViewsCase> views_cases(Index features, Index block_size) {
  std::vector<ViewsCase> cases;
  for (const LossCase& loss : loss_cases(features, block_size)) {
    if (loss.family != Family::barlow_twins && loss.family != Family::vicreg) continue;
    for (const auto combination :
         {decorr::ViewCombination::pairs, decorr::ViewCombination::centroid}) {
      cases.push_back({loss, combination});
    }
  }
  return cases;
}

/// Correlated views with offsets of their own, and features on either side of VICReg's hinge.
template <class Matrix>
std::vector<Matrix> random_views_of(std::size_t count, Index rows, Index cols) {
  const auto common = random_matrix<Eigen::MatrixXd>(rows, cols, 1);
  std::vector<Matrix> views;
  for (std::size_t v = 0; v < count; ++v) {
    Eigen::MatrixXd view = common + 0.6 * random_matrix<Eigen::MatrixXd>(rows, cols, 10 + v);
    for (Index j = 0; j < cols; ++j) {
      view.col(j) *= 0.3 + 1.2 * static_cast<double>(j) / static_cast<double>(cols);
      view.col(j).array() += 0.1 * static_cast<double>(v) + 0.5;
    }
    views.push_back(view.template cast<typename Matrix::Scalar>());
  }
  return views;
}

template <class Matrix>
std::vector<RealMatrix> in_long_double(const std::vector<Matrix>& views) {
  std::vector<RealMatrix> result;
  for (const Matrix& view : views) result.push_back(view.template cast<Real>());
  return result;
}

/// Matrices of the views' shapes, for gradients.
template <class Gradient, class View>
std::vector<Gradient> like(const std::vector<View>& views) {
  return std::vector<Gradient>(views.size(),
                               Gradient::Constant(views[0].rows(), views[0].cols(),
                                                  static_cast<typename Gradient::Scalar>(77)));
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_VIEWS_CASES_HPP_
