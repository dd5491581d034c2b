#ifndef DECORR_DECORR_HPP_
#define DECORR_DECORR_HPP_

/// @file
/// Everything but the optional parts.

#include "decorr/batches.hpp"
#include "decorr/communicator.hpp"
#include "decorr/errors.hpp"
#include "decorr/losses.hpp"
#include "decorr/options.hpp"
#include "decorr/plans.hpp"
#include "decorr/presets.hpp"
#include "decorr/randomization.hpp"
#include "decorr/regularizers.hpp"
#include "decorr/results.hpp"
#include "decorr/version.hpp"
#include "decorr/views.hpp"

#endif  // DECORR_DECORR_HPP_
