#ifndef DECORR_DETAIL_STATISTICS_GRADIENT_EPILOGUE_HPP_
#define DECORR_DETAIL_STATISTICS_GRADIENT_EPILOGUE_HPP_

#include <algorithm>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/prepared_rows.hpp"
#include "decorr/detail/statistics/standardization.hpp"

// The last step of every gradient: from the regularizer's, G, with respect to its prepared rows, to
// the loss's with respect to the raw ones. Only the coefficients are the loss's own.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// What stands for o_kj below: nothing, the other view's standardized row, or how far the raw row is
// from the other view's.
enum class OtherTerm { none, other_view, difference };

// grad_kj = regularizer_j G_kj + own_j x^_kj + other_j o_kj, for the rows of one view. A loss sets
// the coefficients.
template <class Scalar>
class ViewEpilogue {
 public:
  ViewEpilogue() = default;
  // `others` is the other view's, where o is its standardized row.
  DECORR_DETAIL_COLD ViewEpilogue(Arena& arena, Index features,
                                  const Standardization<Scalar>& standardization,
                                  OtherTerm other_term, const Standardization<Scalar>& others = {})
      : regularizer(arena, features),
        own(arena, features),
        other(arena, other_term == OtherTerm::none ? 0 : features),
        other_term_(other_term) {
    // Both views' gradients read the same arrays of the standardizations, which bytes bound.
    Buffer<Scalar> zeros, ones;
    const auto filled = [&](const Buffer<Scalar>& values, Buffer<Scalar>& filler, Scalar value) {
      if (!values && !filler) {
        filler = Buffer<Scalar>(arena, features, value);
      }
      return values ? values : filler;
    };
    factor = filled(standardization.factors(), ones, Scalar(1));
    center_ = filled(standardization.centers(), zeros, Scalar(0));
    residual_ = filled(standardization.residuals(), zeros, Scalar(0));
    if (other_term == OtherTerm::other_view) {
      other_factor_ = filled(others.factors(), ones, Scalar(1));
      other_center_ = filled(others.centers(), zeros, Scalar(0));
      other_residual_ = filled(others.residuals(), zeros, Scalar(0));
    }
  }
  // The signs alone.
  ViewEpilogue(Arena& arena, Index features, const Preparation<Scalar>& preparation)
      : regularizer(arena, features, Scalar(1)) {
    preparation.multiply_by_signs(regularizer);
  }

  Buffer<Scalar> regularizer, own;
  Buffer<Scalar> factor;  // of the centred row in x^; the standardization's unless replaced
  Buffer<Scalar> other;

  explicit operator bool() const noexcept { return static_cast<bool>(regularizer); }
  bool reads_rows() const noexcept { return static_cast<bool>(own); }
  bool reads_other_rows() const noexcept { return static_cast<bool>(other); }

  // G to the gradient, in place, for a strip of a row or a part of a column, from the raw numbers
  // of the view and of the other one. Bound by loads: nothing is stored on the way. GCC compares no
  // more than ten arrays with the one that is written before it gives up vectors, so it is told
  // that they are apart.
  template <class At>
  DECORR_DETAIL_NOINLINE void finish(const At& at, Index count, const Scalar* x,
                                     const Scalar* other_x,
                                     Scalar* __restrict gradient) const noexcept {
    const auto of_g = at.of(regularizer);
    if (!own) {
      for (Index j = 0; j < count; ++j) {
        gradient[j] *= of_g[j];
      }
      return;
    }
    const auto c = at.of(center_), r = at.of(residual_), f = at.of(factor), of_own = at.of(own);
    if (other_term_ == OtherTerm::none) {
      for (Index j = 0; j < count; ++j) {
        gradient[j] = gradient[j] * of_g[j] + ((x[j] - c[j]) - r[j]) * f[j] * of_own[j];
      }
      return;
    }
    const auto of_other = at.of(other);
    if (other_term_ == OtherTerm::difference) {
      for (Index j = 0; j < count; ++j) {
        gradient[j] = gradient[j] * of_g[j] + ((x[j] - c[j]) - r[j]) * f[j] * of_own[j] +
                      (x[j] - other_x[j]) * of_other[j];
      }
      return;
    }
    const auto other_c = at.of(other_center_), other_r = at.of(other_residual_),
               other_f = at.of(other_factor_);
    for (Index j = 0; j < count; ++j) {
      gradient[j] = gradient[j] * of_g[j] + ((x[j] - c[j]) - r[j]) * f[j] * of_own[j] +
                    ((other_x[j] - other_c[j]) - other_r[j]) * other_f[j] * of_other[j];
    }
  }

 private:
  Buffer<Scalar> center_, residual_, other_center_, other_residual_, other_factor_;
  OtherTerm other_term_ = OtherTerm::none;
};

// The last step as a pass of its own, over both views in one read: where the coefficients are known
// only after all of G, or a sweep would cost more. A view without gradient is read, not written.
template <class Scalar>
class EpiloguePass {
 public:
  EpiloguePass() = default;
  EpiloguePass(Arena& arena, const BatchRows<Scalar>& rows, const ViewEpilogue<Scalar>& a,
               const ViewEpilogue<Scalar>& b, int threads)
      : a_(&a),
        b_(&b),
        by_columns_(has_columns(rows.a, rows.gradient_a) && has_columns(rows.b, rows.gradient_b)),
        workers_(worker_count(threads, by_columns_ ? rows.features() : rows.size(), kTileRows)),
        buffers_(arena, workers_, by_columns_ ? RowAccess() : row_access(rows),
                 std::min(rows.size(), kTileRows), std::min(rows.features(), kColumns)) {}

  // O(nd), bound by bytes. Along the columns where they are contiguous; otherwise strips of
  // features are the inner unit, so that their coefficients stay in the first-level cache for some
  // rows.
  void run(const BatchRows<Scalar>& rows) noexcept {
    if (by_columns_) {
      parallel_chunks(workers_, 0, rows.features(), kTileRows,
                      [&](int, Index first, Index last) noexcept {
                        for (Index j = first; j < last; ++j) {
                          finish_column(rows, j);
                        }
                      });
      return;
    }
    parallel_chunks(
        workers_, 0, rows.size(), kTileRows,
        [&](int worker, Index first, Index last) noexcept {
          for_each_chunk(
              last - first, kRows,
              [&](Index begin, Index end) noexcept {
                for_each_chunk(rows.features(), kColumns,
                               [&](Index column, Index column_end) noexcept {
                                 finish_tile(rows, worker, first + begin, end - begin, column,
                                             column_end - column);
                               });
              },
              Sweep::descending);
        },
        Sweep::descending);
  }

 private:
  // So few rows that the coefficients of all features stay in the second-level cache beside them,
  // and so few columns that those of a strip, some ten arrays, stay in the first-level one.
  static constexpr Index kRows = kTileRows / 2, kColumns = kStripColumns / 2;

  // A gradient that is not there has any columns that are asked for.
  static bool has_columns(const InputRows<Scalar>& input, const OutputRows<Scalar>& gradient) {
    return input.column(0) != nullptr &&
           (!gradient || (!gradient.has_contiguous_rows() && gradient.column(0) != nullptr));
  }

  void finish_column(const BatchRows<Scalar>& rows, Index j) const noexcept {
    for_each_chunk(rows.size(), kStripColumns, [&](Index begin, Index end) noexcept {
      finish(PerColumn<Scalar>{j}, end - begin, rows.a.column(j) + begin, rows.b.column(j) + begin,
             rows.gradient_a ? rows.gradient_a.column(j) + begin : nullptr,
             rows.gradient_b ? rows.gradient_b.column(j) + begin : nullptr);
    });
  }

  void finish_tile(const BatchRows<Scalar>& rows, int worker, Index first, Index count,
                   Index column, Index width) noexcept {
    const auto a = rows.a.tile(first, count, column, width, buffers_.a(worker));
    const auto b = rows.b.tile(first, count, column, width, buffers_.b(worker));
    const auto load = [&](const OutputRows<Scalar>& gradient, Scalar* buffer) noexcept {
      return gradient ? gradient.load(first, count, column, width, buffer) : Tile<Scalar>();
    };
    const auto gradient_a = load(rows.gradient_a, buffers_.gradient_a(worker));
    const auto gradient_b = load(rows.gradient_b, buffers_.gradient_b(worker));
    for (Index k = 0; k < count; ++k) {
      finish(PerRow<Scalar>{column}, width, a.row(k), b.row(k),
             rows.gradient_a ? gradient_a.row(k) : nullptr,
             rows.gradient_b ? gradient_b.row(k) : nullptr);
    }
    if (rows.gradient_a) {
      rows.gradient_a.store(first, count, column, width, gradient_a);
    }
    if (rows.gradient_b) {
      rows.gradient_b.store(first, count, column, width, gradient_b);
    }
  }

  template <class At>
  void finish(const At& at, Index count, const Scalar* a, const Scalar* b, Scalar* gradient_a,
              Scalar* gradient_b) const noexcept {
    if (gradient_a != nullptr) {
      a_->finish(at, count, a, b, gradient_a);
    }
    if (gradient_b != nullptr) {
      b_->finish(at, count, b, a, gradient_b);
    }
  }

  const ViewEpilogue<Scalar>* a_ = nullptr;
  const ViewEpilogue<Scalar>* b_ = nullptr;
  bool by_columns_ = false;
  int workers_ = 1;
  TileBuffers<Scalar> buffers_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_GRADIENT_EPILOGUE_HPP_
