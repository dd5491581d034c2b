#ifndef DECORR_LIBTORCH_HPP_
#define DECORR_LIBTORCH_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <torch/autograd.h>
#include <torch/types.h>

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/errors.hpp"
#include "decorr/losses.hpp"
#include "decorr/options.hpp"
#include "decorr/regularizers.hpp"
#include "decorr/results.hpp"

/// @file
/// Optional: the losses for LibTorch, PyTorch in C++, as functions of tensors that autograd
/// differentiates. The only header that needs LibTorch; 1.13 and newer.
///
/// For all functions here: tensors are n x d on the CPU, a row is one sample's embedding, of type
/// Float, Double, Half or BFloat16, all of one call the same. Any strides are read in place, a
/// transposed or a cut tensor's too. Values are in the type that computes: Double for Double, else
/// Float; a value that a view which requires a gradient has gone into requires one too. The
/// gradients are computed with the value, as that is cheapest together, and kept for backward() in
/// memory of the views' size, in the type that computes; there they are multiplied by the gradient
/// of the value, and then rounded to the view's type. A view that requires no gradient, as a
/// teacher's, has none, and it is not computed (no_gradient of losses.hpp); under
/// torch::NoGradGuard nothing but the value is.
///
/// First derivatives only, backward. A gradient that was made with create_graph cannot be
/// differentiated, and a forward-mode derivative cannot be taken: both throw LibTorch's c10::Error
/// instead of leaving something out.
///
/// What is computed, from which source, at what cost, stands with the function of the same name in
/// losses.hpp and regularizers.hpp, and so do options, regularizer and execution. A file takes
/// Execution::threads from at::get_num_threads() where it wants as many as LibTorch's own
/// operations have. Of several processes (Execution::communicator) each gets the gradient by its
/// own rows, which a trainer that averages gradients over the processes multiplies by their number.
/// Each function is a template so that a file compiles those that it calls.
///
/// Throws InvalidArgument, a std::invalid_argument that names function and argument, for tensors
/// that are something else, and what the function of the same name throws. All functions may be
/// called from several threads at once.

namespace decorr {
/// The losses as functions of LibTorch's tensors.
namespace libtorch {

/// @cond
namespace detail {
inline namespace DECORR_ABI {

// One input of a call.
struct View {
  const char* name;
  torch::Tensor tensor;
  torch::Tensor elements;  // as they are in memory
  torch::Tensor gradient;  // undefined where none is required
};

template <class... Parts>
[[noreturn]] void fail(const char* function, const char* argument, const Parts&... parts) {
  std::ostringstream what;
  what.imbue(std::locale::classic());
  what << function << ": " << argument;
  (what << ... << parts);
  throw InvalidArgument(what.str(), argument);
}

inline at::ScalarType computing_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

// How the shapes fit together is checked by the losses.
inline void check(const char* function, const char* name, const torch::Tensor& tensor) {
  if (!tensor.defined()) fail(function, name, " is undefined, expected a tensor");
  if (tensor.layout() != at::kStrided) {
    fail(function, name, " has the layout ", tensor.layout(), ", expected a dense tensor");
  }
  if (!tensor.device().is_cpu()) {
    fail(function, name, " is on the device ", tensor.device(), ", expected the CPU: pass ", name,
         ".cpu()");
  }
  const at::ScalarType type = tensor.scalar_type();
  if (type != at::kFloat && type != at::kDouble && type != at::kHalf && type != at::kBFloat16) {
    fail(function, name, " is of type ", type, ", expected Float, Double, Half or BFloat16");
  }
  if (tensor.dim() != 2) {
    fail(function, name, " has ", tensor.dim(), tensor.dim() == 1 ? " dimension" : " dimensions",
         ", expected 2: samples and features");
  }
}

inline View checked_view(const char* function, const char* name, const torch::Tensor& tensor) {
  check(function, name, tensor);
  const bool needs_gradient = torch::GradMode::is_enabled() && tensor.requires_grad();
  const torch::NoGradGuard no_history;
  // A lazy minus sign is not in memory.
  View view{name, tensor, tensor.resolve_neg(), {}};
  if (needs_gradient) {
    view.gradient =
        torch::empty_like(tensor, tensor.options().dtype(computing_type(tensor.scalar_type())));
  }
  return view;
}

using Views = std::vector<View>;

inline Views checked_views(const char* function, const char* name_a, const torch::Tensor& a,
                           const char* name_b, const torch::Tensor& b) {
  Views views{checked_view(function, name_a, a), checked_view(function, name_b, b)};
  if (a.scalar_type() != b.scalar_type()) {
    fail(function, name_b, " is of type ", b.scalar_type(), ", ", name_a, " of type ",
         a.scalar_type(), ", expected the same");
  }
  return views;
}

// ---- Tensors as Eigen's matrices, in place

template <class Element>
using Rows = Eigen::Matrix<Element, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
// From row to row, and from column to column.
using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
template <class Matrix>
using StridedMap = Eigen::Map<Matrix, Eigen::Unaligned, Strides>;

// Matrix: Rows, const or not.
template <class Matrix>
StridedMap<Matrix> map(const torch::Tensor& tensor) {
  using Element = typename Matrix::Scalar;
  const Eigen::Index n = tensor.size(0), d = tensor.size(1);
  // A stride that is never taken may be anything.
  return {static_cast<Element*>(tensor.data_ptr()), n, d,
          Strides(n == 1 ? d : tensor.stride(0), d == 1 ? 1 : tensor.stride(1))};
}

// body(zero of the views' type, zero of the type that computes).
template <class Body>
auto with_type(const Views& views, Body&& body) {
  switch (views[0].tensor.scalar_type()) {
    case at::kDouble:
      return body(double(), double());
    case at::kHalf:
      return body(Eigen::half(), float());
    case at::kBFloat16:
      return body(Eigen::bfloat16(), float());
    default:
      return body(float(), float());
  }
}

// body(matrix of the view, its gradient or no_gradient).
template <class Element, class Scalar, class Body>
auto with_matrices(const View& view, Body&& body) {
  const auto matrix = map<const Rows<Element>>(view.elements);
  if (!view.gradient.defined()) return body(matrix, no_gradient);
  return body(matrix, map<Rows<Scalar>>(view.gradient));
}

using Terms = std::vector<double>;  // the value, then the terms that it is the sum of

// call(a, b, gradient a, gradient b) of matrices returns the terms.
template <class Call>
Terms terms_of_two(const Views& views, const Call& call) {
  return with_type(views, [&](auto element, auto scalar) {
    using Element = decltype(element);
    using Scalar = decltype(scalar);
    return with_matrices<Element, Scalar>(views[0], [&](const auto& a, auto grad_a) {
      return with_matrices<Element, Scalar>(
          views[1], [&](const auto& b, auto grad_b) { return call(a, b, grad_a, grad_b); });
    });
  });
}
template <class Call>
Terms terms_of_one(const Views& views, const Call& call) {
  return with_type(views, [&](auto element, auto scalar) {
    return with_matrices<decltype(element), decltype(scalar)>(
        views[0], [&](const auto& z, auto grad) { return call(z, grad); });
  });
}

// ---- Differentiating

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A gradient times that of the value. It hangs on the value, and so on the views: made with
// create_graph, to differentiate it again is an error, also in a sum with what has second
// derivatives.
class ScaledGradient : public torch::autograd::Function<ScaledGradient> {
 public:
  static torch::Tensor forward(AutogradContext*, const torch::Tensor& /*value*/,
                               const torch::Tensor& gradient_of_value,
                               const torch::Tensor& gradient, at::ScalarType type) {
    return (gradient * gradient_of_value).to(type);
  }
  static variable_list backward(AutogradContext*, const variable_list&) {
    TORCH_CHECK(false,
                "decorr's losses have no second derivatives: their gradient, made with "
                "create_graph, was differentiated");
    return {};
  }
};

// The value of views whose gradients are known.
class Value : public torch::autograd::Function<Value> {
 public:
  // With a copy that stands for it in the graph of a gradient, as the value itself may be changed
  // in place.
  static variable_list forward(AutogradContext* context, at::TensorList views,
                               const variable_list& gradients, const torch::Tensor& value) {
    variable_list saved{value.clone()};
    saved.insert(saved.end(), gradients.begin(), gradients.end());
    context->save_for_backward(saved);
    context->saved_data["type"] = static_cast<std::int64_t>(views[0].scalar_type());
    return {value.clone(), saved[0]};
  }
  // Of the views, and nothing of the other arguments.
  static variable_list backward(AutogradContext* context, const variable_list& of_outputs) {
    const variable_list saved = context->get_saved_variables();
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    variable_list results;
    for (std::size_t i = 1; i < saved.size(); ++i) {
      results.push_back(saved[i].defined()
                            ? ScaledGradient::apply(saved[0], of_outputs[0], saved[i], type)
                            : torch::Tensor());
    }
    results.resize(results.size() + 2);
    return results;
  }
};

// The terms as tensors, of which the first hangs on the views.
inline variable_list tensors_of(const Views& views, const Terms& terms) {
  const auto options = torch::TensorOptions().dtype(computing_type(views[0].tensor.scalar_type()));
  variable_list tensors, inputs, gradients;
  for (const double term : terms) tensors.push_back(torch::scalar_tensor(term, options));
  for (const View& view : views) {
    inputs.push_back(view.tensor);
    gradients.push_back(view.gradient);
  }
  tensors[0] = Value::apply(at::TensorList(inputs), gradients, tensors[0])[0];
  return tensors;
}

}  // namespace DECORR_ABI
}  // namespace detail
/// @endcond

inline namespace DECORR_ABI {

/// Barlow Twins, as decorr::barlow_twins_loss. `value` is what backward() is called on; the terms
/// beside it require no gradient.
///
///     auto loss = decorr::libtorch::barlow_twins_loss(projector(view_a), projector(view_b), {},
///                                                     decorr::presets::recommended(n, d,
///                                                     generator));
///     loss.value.backward();
template <class Options = BarlowTwinsOptions>
BarlowTwinsLoss<torch::Tensor> barlow_twins_loss(const torch::Tensor& z_a, const torch::Tensor& z_b,
                                                 const Options& options = {},
                                                 const Regularizer& regularizer = {},
                                                 const Execution& execution = {}) {
  const auto views = detail::checked_views("barlow_twins_loss", "z_a", z_a, "z_b", z_b);
  const auto terms = detail::terms_of_two(
      views, [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) -> detail::Terms {
        const auto loss =
            decorr::barlow_twins_loss(a, b, grad_a, grad_b, options, regularizer, execution);
        return {loss.value, loss.diagonal, loss.off_diagonal};
      });
  const auto tensors = detail::tensors_of(views, terms);
  return {tensors[0], tensors[1], tensors[2]};
}

/// VICReg, as decorr::vicreg_loss; see barlow_twins_loss.
template <class Options = VicregOptions>
VicregLoss<torch::Tensor> vicreg_loss(const torch::Tensor& z_a, const torch::Tensor& z_b,
                                      const Options& options = {},
                                      const Regularizer& regularizer = {},
                                      const Execution& execution = {}) {
  const auto views = detail::checked_views("vicreg_loss", "z_a", z_a, "z_b", z_b);
  const auto terms = detail::terms_of_two(
      views, [&](const auto& a, const auto& b, auto& grad_a, auto& grad_b) -> detail::Terms {
        const auto loss =
            decorr::vicreg_loss(a, b, grad_a, grad_b, options, regularizer, execution);
        return {loss.value, loss.invariance, loss.variance, loss.covariance};
      });
  const auto tensors = detail::tensors_of(views, terms);
  return {tensors[0], tensors[1], tensors[2], tensors[3]};
}

/// Variance and covariance of one view (VCReg), as decorr::variance_covariance_loss; see
/// barlow_twins_loss.
template <class Options = VicregOptions>
VarianceCovarianceLoss<torch::Tensor> variance_covariance_loss(const torch::Tensor& z,
                                                               const Options& options = {},
                                                               const Regularizer& regularizer = {},
                                                               const Execution& execution = {}) {
  const detail::Views views{detail::checked_view("variance_covariance_loss", "z", z)};
  const auto terms =
      detail::terms_of_one(views, [&](const auto& rows, auto& grad) -> detail::Terms {
        const auto loss =
            decorr::variance_covariance_loss(rows, grad, options, regularizer, execution);
        return {loss.value, loss.variance, loss.covariance};
      });
  const auto tensors = detail::tensors_of(views, terms);
  return {tensors[0], tensors[1], tensors[2]};
}

/// R_off of a^T b / n, as decorr::r_off.
template <class Settings = Execution>
torch::Tensor r_off(const torch::Tensor& a, const torch::Tensor& b,
                    const Settings& execution = {}) {
  const auto views = detail::checked_views("r_off", "a", a, "b", b);
  const auto terms = detail::terms_of_two(
      views, [&](const auto& x, const auto& y, auto& grad_x, auto& grad_y) -> detail::Terms {
        return {decorr::r_off(x, y, grad_x, grad_y, execution)};
      });
  return detail::tensors_of(views, terms)[0];
}

/// R_sum of a^T b / n, as decorr::r_sum.
template <class Choice = Relaxed>
torch::Tensor r_sum(const torch::Tensor& a, const torch::Tensor& b, const Choice& relaxed = {},
                    const Execution& execution = {}) {
  const auto views = detail::checked_views("r_sum", "a", a, "b", b);
  const auto terms = detail::terms_of_two(
      views, [&](const auto& x, const auto& y, auto& grad_x, auto& grad_y) -> detail::Terms {
        return {decorr::r_sum(x, y, grad_x, grad_y, relaxed, execution)};
      });
  return detail::tensors_of(views, terms)[0];
}

}  // namespace DECORR_ABI
}  // namespace libtorch
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_LIBTORCH_HPP_
