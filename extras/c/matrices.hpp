#ifndef DECORR_EXTRAS_C_MATRICES_HPP_
#define DECORR_EXTRAS_C_MATRICES_HPP_

#include <cstdint>

#include "decorr/c_api.h"
#include "kernels.hpp"
#include "status.hpp"

// The interface's matrices, checked as far as one can be without the others: what the kernels check
// is how they fit together.

namespace decorr {
namespace c {

constexpr std::int64_t kMostExtent = INT32_MAX;
constexpr std::int64_t kMostViews = 65536;
constexpr std::int64_t kMostElements = std::int64_t{1} << 36;  // 256 GiB of floats

// `field` is that of the argument, ".type", or "".
ElementType element_type(const Call& call, const char* name, const char* field, std::int32_t type);

// Of one computing scalar.
void check_one_scalar(const Call& call, const char* name, const Matrix& matrix,
                      const char* other_name, const Matrix& other);

Matrix to_input(const Call& call, const char* name, const decorr_input* from);

// Empty for null. Of the scalar that `model`, an input, is computed in.
Matrix to_output(const Call& call, const char* name, const decorr_output* from,
                 const char* model_name, const Matrix& model);

// What sumvec of inputs like `model` is written to.
Matrix to_lags(const Call& call, const decorr_output* from, const char* model_name,
               const Matrix& model);

// The names of the inputs; the gradients are grad_a and grad_b everywhere.
Views to_two_views(const Call& call, const char* name_a, const char* name_b, const decorr_input* a,
                   const decorr_input* b, const decorr_output* grad_a, const decorr_output* grad_b);

// `count` views and, unless that is null, as many gradients.
ManyViews to_many_views(const Call& call, const decorr_input* const* views,
                        const decorr_output* const* gradients, std::int64_t count,
                        std::int32_t combination);

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_MATRICES_HPP_
