#ifndef DECORR_DLIB_HPP_
#define DECORR_DLIB_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <dlib/dnn.h>

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <functional>
#include <istream>
#include <locale>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/errors.hpp"
#include "decorr/losses.hpp"
#include "decorr/options.hpp"
#include "decorr/presets.hpp"

/// @file
/// Optional: the losses as loss layers of dlib's deep networks, in the place of dlib's own
/// loss_barlow_twins. The only header that needs dlib; 19.24 and newer.
///
///     using Net = decorr::dlib_dnn::loss_barlow_twins<
///         dlib::fc<2048, dlib::relu<dlib::fc<512, dlib::input_rgb_image_pair>>>>;
///     Net net(decorr::dlib_dnn::loss_barlow_twins_({}, decorr::dlib_dnn::recommended));
///
/// For all layers here: there are no labels. A sample of the net's input is a pair of views, of
/// which the input layer makes two samples, the first views of all pairs in the first half of its
/// tensor, as dlib's input_rgb_image_pair does. The n pairs of a mini-batch, with k x nr x nc
/// outputs each, are then two views of n x d, d = k nr nc, which are read in place, as the
/// gradients are written. dlib computes in float, and so do these layers, on the CPU: with CUDA
/// dlib copies outputs and gradients.
///
/// A layer is made of options, of what draws the regularizer of every mini-batch, of the seed of
/// the generator that it draws from, and of an Execution; all have defaults, with which it is the
/// exact loss. What is computed, from which source, at what cost, stands with the function of the
/// same name in losses.hpp.
///
/// A saved layer has the options and the state of the generator, so that a training that is resumed
/// goes on drawing where it was. It has neither what draws nor the Execution: those are the layer's
/// that is read into, so read into a net that was made with them. Copies of a layer, as a trainer
/// for several devices makes, draw the same.
///
/// Options are checked when a layer is made. Throws InvalidArgument, a std::invalid_argument that
/// names what is wrong, and what the function of the same name throws; dlib's trainer hands on what
/// was thrown in its own thread. A layer is used by one thread at a time, as the net that it is
/// part of.

namespace decorr {
/// The losses as loss layers of dlib, with names in dlib's manner.
namespace dlib_dnn {

/// The regularizer of a mini-batch of n pairs with d features. It is called anew for every batch;
/// what it draws, it draws from the layer's generator.
///
///     [](Eigen::Index, Eigen::Index d, std::mt19937_64& generator) {
///       decorr::Relaxed relaxed;
///       relaxed.signs_a = decorr::random_signs(d, generator);
///       relaxed.signs_b = decorr::random_signs(d, generator);
///       return decorr::Regularizer(std::move(relaxed));
///     }
using DrawRegularizer =
    std::function<Regularizer(Eigen::Index n, Eigen::Index d, std::mt19937_64& generator)>;

inline namespace DECORR_ABI {

/// The default: the exact regularizer; nothing is drawn.
inline Regularizer exact(Eigen::Index /*n*/, Eigen::Index /*d*/, std::mt19937_64& /*generator*/) {
  return Exact();
}

/// presets::recommended: exact where that is cheap, else with random signs, on average the exact
/// loss, so that the default options are for both.
inline Regularizer recommended(Eigen::Index n, Eigen::Index d, std::mt19937_64& generator) {
  return presets::recommended(n, d, generator);
}

}  // namespace DECORR_ABI

/// @cond
namespace detail {
inline namespace DECORR_ABI {

// What differs between the layers. visit_options calls visit(name, option) of each option, which
// is how they are saved, read and told.

struct BarlowTwins {
  using Options = BarlowTwinsOptions;
  static constexpr const char* kName = "loss_barlow_twins";

  template <class... Arguments>
  static auto loss(Arguments&&... arguments) {
    return barlow_twins_loss(std::forward<Arguments>(arguments)...);
  }
  template <class AnyOptions, class Visit>
  static void visit_options(AnyOptions& options, const Visit& visit) {
    visit("lambda", options.lambda);
    visit("scale", options.scale);
    visit("epsilon", options.epsilon);
    visit("standardize", options.standardize);
  }
};

struct Vicreg {
  using Options = VicregOptions;
  static constexpr const char* kName = "loss_vicreg";

  template <class... Arguments>
  static auto loss(Arguments&&... arguments) {
    return vicreg_loss(std::forward<Arguments>(arguments)...);
  }
  template <class AnyOptions, class Visit>
  static void visit_options(AnyOptions& options, const Visit& visit) {
    visit("invariance", options.invariance);
    visit("variance", options.variance);
    visit("covariance", options.covariance);
    visit("gamma", options.gamma);
    visit("epsilon", options.epsilon);
    visit("scale", options.scale);
    visit("sum_variance", options.sum_variance);
    visit("covariance_scaling", options.covariance_scaling);
  }
};

// A loss layer of two views.
template <class Loss>
class PairLoss {
 public:
  using Options = typename Loss::Options;

  explicit PairLoss(const Options& options = {}, DrawRegularizer draw = exact,
                    std::uint64_t seed = 0, const Execution& execution = {})
      : options_(options), draw_(std::move(draw)), generator_(seed), execution_(execution) {
    if (!draw_) {
      throw InvalidArgument(std::string(Loss::kName) +
                                ": draw is empty, expected a function that returns a Regularizer",
                            "draw");
    }
    // The loss has the checks of its options: one of two samples, of this process alone.
    const std::array<float, 4> views = {};
    std::array<float, 4> gradients = {};
    Execution alone = execution;
    alone.communicator = nullptr;
    alone.planning = Planning::estimate;
    value(views.data(), gradients.data(), 2, 1, Exact(), alone);
  }

  const Options& options() const { return options_; }

  // What dlib calls.
  template <class Subnet>
  double compute_loss_value_and_gradient(const dlib::tensor& /*input*/, Subnet& sub) const {
    const dlib::tensor& output = sub.get_output();
    dlib::tensor& gradient = sub.get_gradient_input();
    if (sub.sample_expansion_factor() != 2) {
      throw InvalidArgument(std::string(Loss::kName) + ": sample_expansion_factor is " +
                                decorr::detail::decimal(sub.sample_expansion_factor()) +
                                ", expected 2, as of an input layer of pairs",
                            "sample_expansion_factor");
    }
    const Eigen::Index n = output.num_samples() / 2, d = output.k() * output.nr() * output.nc();
    return value(output.host(), gradient.host(), n, d, draw_(n, d, generator_), execution_);
  }

  friend void serialize(const PairLoss& layer, std::ostream& out) {
    dlib::serialize(version(), out);
    Loss::visit_options(layer.options_, [&](const char*, const auto& option) {
      dlib::serialize(static_cast<double>(option), out);
    });
    std::ostringstream state;
    state.imbue(std::locale::classic());
    state << layer.generator_;
    dlib::serialize(state.str(), out);
  }
  friend void deserialize(PairLoss& layer, std::istream& in) {
    std::string found;
    dlib::deserialize(found, in);
    if (found != version()) {
      throw dlib::serialization_error("Unexpected version found while deserializing " + version() +
                                      ". Instead found " + found);
    }
    Loss::visit_options(layer.options_, [&](const char*, auto& option) {
      double number = 0;
      dlib::deserialize(number, in);
      option = static_cast<std::decay_t<decltype(option)>>(number);
    });
    std::string text;
    dlib::deserialize(text, in);
    std::istringstream state(text);
    state.imbue(std::locale::classic());
    state >> layer.generator_;
  }
  friend std::ostream& operator<<(std::ostream& out, const PairLoss& layer) {
    out << Loss::kName << " (";
    const char* separator = "";
    Loss::visit_options(layer.options_, [&](const char* name, const auto& option) {
      out << separator << name << '=' << static_cast<double>(option);
      separator = ", ";
    });
    return out << ')';
  }
  friend void to_xml(const PairLoss& layer, std::ostream& out) {
    out << '<' << Loss::kName;
    Loss::visit_options(layer.options_, [&](const char* name, const auto& option) {
      out << ' ' << name << "='" << static_cast<double>(option) << '\'';
    });
    out << "/>\n";
  }

 private:
  static std::string version() { return std::string("decorr_") + Loss::kName; }

  // Of n rows of view a, then n of view b.
  double value(const float* views, float* gradients, Eigen::Index n, Eigen::Index d,
               const Regularizer& regularizer, const Execution& execution) const {
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Rows> z_a(views, n, d), z_b(views + n * d, n, d);
    Eigen::Map<Rows> grad_a(gradients, n, d), grad_b(gradients + n * d, n, d);
    return Loss::loss(z_a, z_b, grad_a, grad_b, options_, regularizer, execution).value;
  }

  Options options_;
  DrawRegularizer draw_;
  mutable std::mt19937_64 generator_;
  Execution execution_;
};

}  // namespace DECORR_ABI
}  // namespace detail
/// @endcond

inline namespace DECORR_ABI {
// NOLINTBEGIN(readability-identifier-naming): dlib's manner, a layer ends with an underscore

/// Barlow Twins, as decorr::barlow_twins_loss; dlib's own has epsilon = 1e-4.
class loss_barlow_twins_ : public detail::PairLoss<detail::BarlowTwins> {
 public:
  using PairLoss::PairLoss;
};
template <class Subnet>
using loss_barlow_twins = dlib::add_loss_layer<loss_barlow_twins_, Subnet>;

/// VICReg, as decorr::vicreg_loss.
class loss_vicreg_ : public detail::PairLoss<detail::Vicreg> {
 public:
  using PairLoss::PairLoss;
};
template <class Subnet>
using loss_vicreg = dlib::add_loss_layer<loss_vicreg_, Subnet>;

// NOLINTEND(readability-identifier-naming)
}  // namespace DECORR_ABI
}  // namespace dlib_dnn
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_DLIB_HPP_
