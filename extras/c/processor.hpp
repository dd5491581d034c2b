#ifndef DECORR_EXTRAS_C_PROCESSOR_HPP_
#define DECORR_EXTRAS_C_PROCESSOR_HPP_

#include "kernels.hpp"

namespace decorr {
namespace c {

// The kernels for this processor, or those that the environment asks for; chosen at the first call.
const Kernels& kernels();

}  // namespace c
}  // namespace decorr

#endif  // DECORR_EXTRAS_C_PROCESSOR_HPP_
