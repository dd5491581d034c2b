#ifndef DECORR_DETAIL_ROW_CHUNKS_HPP_
#define DECORR_DETAIL_ROW_CHUNKS_HPP_

#include <algorithm>

#include "decorr/detail/abi.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Calls body(first, last) for consecutive chunks of rows. Chunks depend on the sizes alone and come
// in order, so a result never depends on how the work is carried out.
template <class Body>
void for_each_chunk(Index rows, Index chunk_rows, Body&& body) {
  for (Index first = 0; first < rows; first += chunk_rows) {
    body(first, std::min(rows, first + chunk_rows));
  }
}

// Sums over the rows of a batch: a few rows in Scalar, their partial sums in Accumulator<Scalar>.
template <class Scalar>
class RowSums {
 public:
  using Sum = Accumulator<Scalar>;
  // Rounding errors of so many additions stay below those of the terms themselves.
  static constexpr Index kPartialRows = 64;

  RowSums() = default;
  explicit RowSums(Index width)
      : partial_(Buffer<Scalar>::filled(width, Scalar(0))),
        total_(Buffer<Sum>::filled(width, Sum(0))) {}

  // Where to add the next row's terms; call advance() after each row and finish() after the last.
  Scalar* partial() { return partial_.data(); }
  void advance() {
    if (++pending_ == kPartialRows) {
      finish();
    }
  }
  void finish() {
    pending_ = 0;
    for (Index i = 0; i < total_.size(); ++i) {
      total_[i] += Sum(partial_[i]);
      partial_[i] = Scalar(0);
    }
  }
  const Sum* total() const { return total_.data(); }

 private:
  Buffer<Scalar> partial_;
  Buffer<Sum> total_;
  Index pending_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_ROW_CHUNKS_HPP_
