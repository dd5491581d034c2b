#ifndef DECORR_DLIB_HPP_
#define DECORR_DLIB_HPP_

#include <dlib/dnn.h>

#include "decorr/detail/runtime/prologue.hpp"

#include <Eigen/Core>
#include <functional>
#include <iosfwd>
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

/// @file
/// Optional: the losses as loss layers of dlib's deep networks, in the place of dlib's own
/// loss_barlow_twins. The only header that needs dlib; 19.24 and newer.
///
///     using Net = decorr::dlib_dnn::loss_barlow_twins<dlib::fc<2048, dlib::relu<dlib::fc<512,
///                 dlib::input_rgb_image_pair>>>>;
///     Net net(decorr::dlib_dnn::loss_barlow_twins_({}, decorr::dlib_dnn::Recommended()));
///
/// A layer has no labels: a sample of the net's input is a pair of views, which the input layer puts
/// into the first and the second half of the tensor, as input_rgb_image_pair does
/// (sample_expansion_factor() is 2). A mini-batch of n pairs with k x nr x nc outputs each is two
/// views of n x d, d = k nr nc, which are read in place; the gradient is written into the net's own
/// tensor. dlib computes in float, and so do these layers, on the CPU: with CUDA, dlib moves the
/// tensor there and the gradient back.

namespace decorr {
/// The losses as loss layers of dlib.
namespace dlib_dnn {

/// The regularizer of a mini-batch of n pairs with d features. What is drawn is drawn from the
/// layer's generator, anew for every batch.
using DrawRegularizer =
    std::function<Regularizer(Eigen::Index n, Eigen::Index d, std::mt19937_64& generator)>;

}  // namespace dlib_dnn
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_DLIB_HPP_
