#ifndef DECORR_DETAIL_REGULARIZERS_SETUP_HPP_
#define DECORR_DETAIL_REGULARIZERS_SETUP_HPP_

#include "decorr/detail/regularizers/dominant_feature.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/spectra/packed_fft.hpp"
#include "decorr/detail/spectra/signal_pairing.hpp"
#include "decorr/detail/spectra/spectrum_store.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// How a regularizer is computed, where there are two ways: through the features' C or its blocks,
// or through the samples' Gram matrices. `automatic` is what suits the sizes.
enum class Route { automatic, features, gram };

// What every form of a regularizer is made from: all but the rows and their sums.
template <class Scalar>
struct RegularizerSetup {
  // C = a^T b / m of the prepared rows of two views, or of one view with itself.
  SignalPairing pairing;
  const Preparation<Scalar>* a;
  const Preparation<Scalar>* b;  // of a covariance, the same
  Index features;
  Index count;      // rows of the whole batch, by which the route is chosen
  Index most_rows;  // at hand at a time
  RowAccess access;
  Execution execution;
  bool has_whole_batch = true;  // at hand, as the Gram matrices want it
  Route route = Route::automatic;
  SpectrumPlace place = SpectrumPlace::gradient_rows;  // where they fit
  TransformBuffers<Scalar>* shared_buffers = nullptr;  // with another regularizer
  DominantFeature dominant = {};                       // of which transforms are to keep digits

  bool is_covariance() const noexcept { return pairing.pairs_samples(); }
};

// How many numbers a batch is known by, by the route through the features.
inline Index sums_size(const decorr::Regularizer& choice, Index features,
                       const SignalPairing& pairing) {
  const Relaxed* relaxed = choice.relaxed();
  if (relaxed == nullptr) {
    return features * features;
  }
  const BlockLayout layout(features, relaxed->block_size, Padding::allowed);
  return layout.num_blocks == 1
             ? pairing.sums_per_frequency() * layout.fft_length
             : 2 * layout.num_blocks * layout.num_blocks * (layout.fft_length / 2 + 1);
}

// The transforms of a relaxed form.
template <class Scalar>
PackedFftSetup<Scalar> fft_setup(const RegularizerSetup<Scalar>& setup, const Relaxed& relaxed,
                                 SecondRow second_row, Padding padding, SpectrumPlace place) {
  return {setup.pairing,
          second_row,
          BlockLayout(setup.features, relaxed.block_size, padding),
          relaxed.permutation,
          setup.a,
          setup.b,
          setup.most_rows,
          setup.access,
          place,
          setup.execution,
          setup.shared_buffers};
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_SETUP_HPP_
