#ifndef DECORR_EXTRAS_SUPPORT_REGULARIZER_FORM_HPP_
#define DECORR_EXTRAS_SUPPORT_REGULARIZER_FORM_HPP_

#include <Eigen/Core>
#include <decorr/options.hpp>
#include <decorr/randomization.hpp>
#include <string>
#include <utility>

namespace support {

/// A form of the regularizer, as a trainer's options name it.
struct RegularizerForm {
  std::string regularizer = "relaxed";  ///< or exact
  std::string randomization = "signs";  ///< or none, permutation, both
  Eigen::Index block_size = 0;          ///< b; 0: a single block
  int exponent = 2;                     ///< q

  bool exact() const { return regularizer == "exact"; }
  bool signs() const { return randomization == "signs" || randomization == "both"; }
  bool permutation() const { return randomization == "permutation" || randomization == "both"; }
};

/// A batch's regularizer for d features. Signs and permutation are new for every batch, so that no
/// fixed pattern of correlations escapes; they are drawn for the exact form too, so that whatever
/// else the generator is for is the same with both.
template <class Generator>
decorr::Regularizer draw_regularizer(const RegularizerForm& form, Eigen::Index d,
                                     Generator& generator) {
  decorr::Relaxed relaxed;
  relaxed.exponent = form.exponent;
  relaxed.block_size = form.block_size;
  if (form.signs()) {
    relaxed.signs_a = decorr::random_signs(d, generator);
    relaxed.signs_b = decorr::random_signs(d, generator);
  }
  if (form.permutation()) relaxed.permutation = decorr::random_permutation(d, generator);
  return form.exact() ? decorr::Regularizer() : decorr::Regularizer(std::move(relaxed));
}

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_REGULARIZER_FORM_HPP_
