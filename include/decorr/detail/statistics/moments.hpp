#ifndef DECORR_DETAIL_STATISTICS_MOMENTS_HPP_
#define DECORR_DETAIL_STATISTICS_MOMENTS_HPP_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/function_ref.hpp"
#include "decorr/detail/runtime/parallel.hpp"
#include "decorr/detail/runtime/processes.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"

// Pass 1: sums per feature over the samples, in one read of the data.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// Of one view, for each feature.
template <class Scalar>
struct ViewMoments {
  using Sum = Accumulator<Scalar>;

  ViewMoments() = default;
  ViewMoments(Arena& arena, Index features) : mean(arena, features), squares(arena, features) {}

  Buffer<Sum> mean;
  Buffer<Sum> squares;  // sum_k ((x_k - mean) / unit)^2
  Buffer<Scalar> unit;  // a power of two; empty where it is 1 for all features

  Sum unit_of(Index j) const noexcept { return unit ? Sum(unit[j]) : Sum(1); }
};

// Of two views, or of view a alone: then the other sums are empty.
template <class Scalar>
struct Moments {
  using Sum = Accumulator<Scalar>;

  Moments() = default;
  Moments(Arena& arena, Index features, bool has_two_views) : a(arena, features) {
    if (has_two_views) {
      b = ViewMoments<Scalar>(arena, features);
      products = Buffer<Sum>(arena, features);
      differences = Buffer<Sum>(arena, features);
    }
  }

  Index count = 0;
  ViewMoments<Scalar> a, b;
  Buffer<Sum> products;            // sum_k ((a_k - mean_a) / unit_a) ((b_k - mean_b) / unit_b)
  Buffer<Sum> differences;         // sum_k ((a_k - b_k) / difference_unit)^2, from the differences
                                   // themselves: exact where a is close to b
  Buffer<Scalar> difference_unit;  // as the views' units

  // weight * sum_k (a_k - b_k)^2, finite wherever that is.
  Sum weighted_difference(Index j, Sum weight) const noexcept {
    const Sum unit = difference_unit ? Sum(difference_unit[j]) : Sum(1);
    return weight * unit * differences[j] * unit;
  }
};

// A strip of features of a tile of rows.
struct MomentTile {
  Index first, rows;
  Index column, width;
};

// One view or two, read in tiles of rows, and these in strips of features: in the order of the
// memory, which costs less than to keep what belongs to a strip in the cache for all rows
// (measured: a tenth to a quarter).
template <class Scalar>
class MomentTiles {
 public:
  // Accumulators of a strip of features stay in the first-level cache; bound by the bytes read.
  static constexpr Index kMostFeatures = 512;
  // Float sums of so many rows are as accurate as their terms.
  static constexpr Index kMostRows = 64;

  MomentTiles(Arena& arena, Index features, Index most_rows, const RowAccess& access, int threads)
      : workers_(
            worker_count(threads, count(most_rows, kMostRows) * count(features, kMostFeatures), 1)),
        buffers_(arena, workers_, access.inputs(), std::min(most_rows, kMostRows),
                 std::min(features, kMostFeatures)),
        tiles_(arena, workers_, 1) {}

  int workers() const noexcept { return workers_; }

  // Calls sum(worker, tile, of a, of b) for each strip, and after it merge(worker, tile), one at a
  // time and in the order of the rows.
  void for_each(
      const BatchRows<Scalar>& views,
      FunctionRef<int, const MomentTile&, const Tile<const Scalar>&, const Tile<const Scalar>&> sum,
      FunctionRef<int, const MomentTile&> merge) noexcept {
    const bool has_two_views = views.has_two_views();
    const Index strips = count(views.features(), kMostFeatures);
    parallel_chunks(
        workers_, 0, strips * count(views.size(), kMostRows), 1,
        [&](int worker, Index number, Index) noexcept {
          MomentTile& tile = *tiles_.of(worker);
          tile.first = number / strips * kMostRows;
          tile.rows = std::min(kMostRows, views.size() - tile.first);
          tile.column = number % strips * kMostFeatures;
          tile.width = std::min(kMostFeatures, views.features() - tile.column);
          const auto of = [&](const InputRows<Scalar>& view, Scalar* buffer) noexcept {
            return view.tile(tile.first, tile.rows, tile.column, tile.width, buffer);
          };
          sum(worker, tile, of(views.a, buffers_.a(worker)),
              has_two_views ? of(views.b, buffers_.b(worker)) : Tile<const Scalar>());
        },
        [&](int worker) noexcept { merge(worker, *tiles_.of(worker)); });
  }

 private:
  static Index count(Index size, Index chunk) { return Chunks(0, size, chunk).count(); }

  int workers_;
  TileBuffers<Scalar> buffers_;
  PerWorker<MomentTile> tiles_;
};

// Adds rows to moments. Squares underflow or overflow where the numbers themselves are good ones.
// So features whose sum of squares says that this may have happened are measured in a unit of their
// own, by a second read: one unit for all that are too small and one for all that are too large, as
// their squares then fit with room to spare (J. L. Blue, ACM Transactions on Mathematical Software
// 4, 1978, 15-23). Ordinary data do not pay for it.
template <class Scalar>
class MomentsPass {
 public:
  using Sum = Accumulator<Scalar>;

  // `count` is the number of rows in all, or more, `most_rows` that of one call of add(). `epsilon`
  // is what will be added to the variances: one that is nothing beside it needs no digits.
  MomentsPass(Arena& arena, Index features, bool has_two_views, Index count, Index most_rows,
              const RowAccess& access, Sum epsilon, int threads)
      : features_(features),
        tiles_(arena, features, most_rows, access, threads),
        moments_(arena, features, has_two_views),
        least_variance_(std::max(Sum(0), least_variance() - epsilon)),
        least_squares_(least_variance_ * Sum(count)),
        sums_(arena, tiles_.workers(), (has_two_views ? 8 : 3) * kMostFeatures),
        varies_(arena, tiles_.workers(), 1),
        unit_a_(Buffer<Scalar>(arena, std::min(features, kMostFeatures), Scalar(1))),
        unit_b_(unit_a_) {
    for (int worker = 0; worker < tiles_.workers(); ++worker) {
      *varies_.of(worker) = 0;
    }
  }

  const Moments<Scalar>& moments() const noexcept { return moments_; }

  // How many numbers sum_over() sums at a time, at the most.
  static Index most_sums(Index features, bool has_two_views) {
    return (has_two_views ? 4 : 1) * features + 1;
  }
  // From the moments of this process's rows to those of all processes'. Means first, as squares are
  // about them: sums of squares about another point would lose digits to a large mean. Where this
  // process has failed, `pass` is null.
  DECORR_DETAIL_COLD static void sum_over(Processes<Scalar>& processes, Index features,
                                          bool has_two_views, MomentsPass* pass) {
    const Index views = has_two_views ? 2 : 1;
    processes.sum(
        views * features,
        [&](Sum* to) {
          const Sum share = Sum(pass->moments_.count) / Sum(processes.count());
          pass->for_each_view([&](ViewMoments<Scalar>& view, Index first) {
            for (Index j = 0; j < features; ++j) {
              to[first + j] = share * view.mean[j];
            }
          });
        },
        [&](const Sum* from) {
          // The sum is rounded as often as there are processes. So that nothing is left of a
          // feature that is constant on all of them, a mean that differs by no more stays as it is.
          const Sum rounding =
              (static_cast<Sum>(processes.size()) + 2) * std::numeric_limits<Sum>::epsilon();
          pass->for_each_view([&](ViewMoments<Scalar>& view, Index first) {
            for (Index j = 0; j < features; ++j) {
              const Sum mean = from[first + j], shift = view.mean[j] - mean;
              const bool is_same = std::abs(shift) <= rounding * std::abs(mean);
              pass->shifts_[first + j] = is_same ? Sum(0) : shift;
              view.mean[j] = is_same ? view.mean[j] : mean;
            }
          });
        });
    processes.sum(
        most_sums(features, has_two_views), [&](Sum* to) { pass->write_squares(to); },
        [&](const Sum* from) {
          pass->read_squares(from);
          pass->moments_.count = processes.count();
        });
  }
  // Memory that sum_over() needs. There may be no rows here.
  void prepare_sums(Arena& arena) {
    shifts_ = Buffer<Sum>(arena, (moments_.products ? 2 : 1) * features_);
    set_to_zero(0, features_);
  }

  void add(const BatchRows<Scalar>& views) noexcept {
    const bool has_two_views = static_cast<bool>(moments_.products);
    tiles_.for_each(
        views,
        [&](int worker, const MomentTile& tile, const auto& tile_a, const auto& tile_b) noexcept {
          if (has_units()) {
            sum_in_units(worker, tile, tile_a, tile_b);
          } else if (has_two_views) {
            const TwoViews sums(sums_.of(worker));
            choose_shift(tile_a, tile, sums.a.shift);
            choose_shift(tile_b, tile, sums.b.shift);
            sum_two(tile_a, tile_b, tile, sums.a.shift, sums.b.shift, sums);
            watch(worker, tile_a, tile, sums.a);
            watch(worker, tile_b, tile, sums.b);
          } else {
            const OneView sums(sums_.of(worker));
            choose_shift(tile_a, tile, sums.shift);
            sum_one(tile_a, tile, sums.shift, sums);
            watch(worker, tile_a, tile, sums);
          }
        },
        [&](int worker, const MomentTile& tile) noexcept {
          const TileMerge merge(moments_.count + tile.first, tile);
          if (merge.is_first) {
            set_to_zero(tile.column, tile.width);
          }
          if (has_two_views) {
            merge_two(worker, merge);
          } else {
            merge_one(worker, merge);
          }
        });
    moments_.count += views.size();
  }

  // Whether all rows are to be added once more, from the beginning, in units that are chosen by
  // what they gave so far.
  DECORR_DETAIL_COLD bool needs_units() {
    // Squared differences that underflow are nothing in a loss of the same scalar.
    return !has_units() && (leave_range(moments_.a.squares, least_squares_of_all()) ||
                            leave_range(moments_.b.squares, least_squares_of_all()) ||
                            leave_range(moments_.differences, Sum(0)));
  }
  // Takes all memory before anything changes.
  DECORR_DETAIL_COLD void start_again(Arena& arena) {
    const Sum least = least_squares_of_all();
    const Buffer<Scalar> of_a = units(arena, moments_.a.squares, least),
                         of_b = units(arena, moments_.b.squares, least),
                         of_differences = units(arena, moments_.differences, Sum(0));
    const Units unit_a(arena, of_a), unit_b(arena, of_b);
    scaled_ = PerWorker<Scalar>(arena, tiles_.workers(), 2 * kScaledTile);
    moments_.a.unit = of_a;
    moments_.b.unit = of_b;
    moments_.difference_unit = of_differences;
    unit_a_ = unit_a;
    unit_b_ = unit_b;
    moments_.count = 0;
  }

 private:
  static constexpr Index kMostFeatures = MomentTiles<Scalar>::kMostFeatures;
  static constexpr Index kScaledTile = MomentTiles<Scalar>::kMostRows * kMostFeatures;
  using Strip = Scalar[static_cast<std::size_t>(kMostFeatures)];

  // What underflows, or is flushed to zero, is then less than a quarter of a variance's last digit.
  static Sum least_variance() {
    using Limits = std::numeric_limits<Scalar>;
    return std::ldexp(Sum(Limits::min()), Limits::digits + 2);
  }
  // A tile's sums, which may be kMostRows times as large, and what is made of them are then finite.
  static Sum largest_squares() {
    return std::ldexp(Sum(1), std::numeric_limits<Scalar>::max_exponent - 20);
  }
  static bool is_too_large(Sum squares) { return !(squares <= largest_squares()); }  // or NaN

  static bool leave_range(const Buffer<Sum>& squares, Sum least) {
    int outside = 0;
    for (Index j = 0; j < squares.size(); ++j) {
      outside |= static_cast<int>(squares[j] < least) | static_cast<int>(is_too_large(squares[j]));
    }
    return outside != 0;
  }
  DECORR_DETAIL_COLD static Buffer<Scalar> units(Arena& arena, const Buffer<Sum>& squares,
                                                 Sum least) {
    // In the middle of the exponents that are out of range.
    constexpr int exponent = std::numeric_limits<Scalar>::max_exponent / 16 * 11;
    const Scalar large = std::ldexp(Scalar(1), exponent), small = std::ldexp(Scalar(1), -exponent);
    Buffer<Scalar> unit(arena, squares.size());
    for (Index j = 0; j < unit.size(); ++j) {
      unit[j] = squares[j] < least ? small : is_too_large(squares[j]) ? large : Scalar(1);
    }
    return unit;
  }
  Sum least_squares_of_all() { return varies() ? least_variance_ * Sum(moments_.count) : Sum(0); }
  bool varies() {
    Index varies = 0;
    for (int worker = 0; worker < tiles_.workers(); ++worker) {
      varies |= *varies_.of(worker);
    }
    return varies != 0;
  }

  bool has_units() const noexcept { return static_cast<bool>(moments_.a.unit); }

  // Where they are in the cache, as the first rows are about to be added.
  void set_to_zero(Index column, Index width) noexcept {
    for (Buffer<Sum>* sums : {&moments_.a.mean, &moments_.a.squares, &moments_.b.mean,
                              &moments_.b.squares, &moments_.products, &moments_.differences}) {
      if (*sums) {
        std::fill_n(sums->data() + column, width, Sum(0));
      }
    }
  }

  // body(view, its first number among those of both).
  template <class Body>
  void for_each_view(const Body& body) {
    body(moments_.a, Index{0});
    if (moments_.products) {
      body(moments_.b, features_);
    }
  }

  // Sums about the means of all rows, from those about this process's.
  DECORR_DETAIL_COLD void write_squares(Sum* to) noexcept {
    std::fill_n(to, most_sums(features_, static_cast<bool>(moments_.products)), Sum(0));
    if (moments_.count == 0) {
      return;
    }
    const Sum count = Sum(moments_.count);
    bool any_varies = varies();
    for_each_view([&](ViewMoments<Scalar>& view, Index first) {
      for (Index j = 0; j < features_; ++j) {
        const Sum delta = shifts_[first + j] / view.unit_of(j);
        to[first + j] = view.squares[j] + delta * (delta * count);
        any_varies = any_varies || (view.squares[j] < least_squares_ && differ(delta, Sum(0)) != 0);
      }
    });
    for (Index j = 0; j < moments_.products.size(); ++j) {
      const Sum delta_a = shifts_[j] / moments_.a.unit_of(j);
      const Sum delta_b = shifts_[features_ + j] / moments_.b.unit_of(j);
      to[2 * features_ + j] = moments_.products[j] + delta_a * (delta_b * count);
      to[3 * features_ + j] = moments_.differences[j];
    }
    *varies_.of(0) = any_varies ? 1 : 0;
    to[(moments_.products ? 4 : 1) * features_] = any_varies ? Sum(1) : Sum(0);
  }
  DECORR_DETAIL_COLD void read_squares(const Sum* from) noexcept {
    for_each_view([&](ViewMoments<Scalar>& view, Index first) {
      copy_numbers(from + first, features_, view.squares.data());
    });
    if (moments_.products) {
      copy_numbers(from + 2 * features_, features_, moments_.products.data());
      copy_numbers(from + 3 * features_, features_, moments_.differences.data());
    }
    *varies_.of(0) = from[(moments_.products ? 4 : 1) * features_] > 0 ? 1 : 0;
  }

  // One tile's sums, in a worker's memory. Within a tile, data are shifted by the mean of some of
  // its rows, so that no digits are lost to a large mean.
  struct OneView {
    explicit OneView(Scalar* memory)
        : shift(memory), sum(shift + kMostFeatures), square(sum + kMostFeatures) {}
    Scalar *shift, *sum, *square;
  };
  struct TwoViews {
    explicit TwoViews(Scalar* memory)
        : a(memory),
          b(memory + 3 * kMostFeatures),
          product(memory + 6 * kMostFeatures),
          difference(product + kMostFeatures) {}
    OneView a, b;
    Scalar *product, *difference;
  };
  // The same of a strip, local to the function that sums it, so that the compiler knows them apart.
  struct StripsOfOne {
    alignas(kWorkspaceAlignment) Strip shift, sum = {}, square = {};
  };
  struct StripsOfTwo {
    StripsOfOne a, b;
    alignas(kWorkspaceAlignment) Strip product = {}, difference = {};
  };
  struct Units {
    // Those of one strip stand for all.
    explicit Units(const Buffer<Scalar>& ones) : unit(ones), inverse(ones), is_of_features(false) {}
    Units(Arena& arena, const Buffer<Scalar>& of_features)
        : unit(of_features), inverse(arena, unit.size()), is_of_features(true) {
      for (Index j = 0; j < unit.size(); ++j) {
        inverse[j] = 1 / unit[j];
      }
    }
    // Of a strip's features.
    const Scalar* units(Index column) const noexcept {
      return unit.data() + (is_of_features ? column : 0);
    }
    const Scalar* inverses(Index column) const noexcept {
      return inverse.data() + (is_of_features ? column : 0);
    }
    Buffer<Scalar> unit, inverse;
    bool is_of_features;
  };
  // How a tile's rows join those before (Chan, Golub and LeVeque, The American Statistician 37,
  // 1983, 242-247).
  struct TileMerge {
    TileMerge(Index before, const MomentTile& of)
        : tile(of),
          is_first(before == 0),
          share(static_cast<Sum>(of.rows) / static_cast<Sum>(before + of.rows)),
          joint(static_cast<Sum>(before) * share),
          inverse_size(1 / static_cast<Sum>(of.rows)) {}
    const MomentTile& tile;
    bool is_first;  // there is nothing yet to join
    Sum share;      // of the tile
    Sum joint;      // n_1 n_2 / (n_1 + n_2)
    Sum inverse_size;
  };

  // The same of what the tiles' numbers are beyond their shift, in units, which are powers of two.
  DECORR_DETAIL_COLD void sum_in_units(int worker, const MomentTile& tile,
                                       const Tile<const Scalar>& tile_a,
                                       const Tile<const Scalar>& tile_b) noexcept {
    const Strip zeros = {};
    Scalar* to = scaled_.of(worker);
    if (tile_b.data == nullptr) {
      const OneView sums(sums_.of(worker));
      choose_shift(tile_a, tile, sums.shift);
      const auto a = in_units(tile_a, tile, sums.shift, moments_.a.unit, to);
      sum_one(a, tile, zeros, sums);
      return;
    }
    const TwoViews sums(sums_.of(worker));
    choose_shift(tile_a, tile, sums.a.shift);
    choose_shift(tile_b, tile, sums.b.shift);
    const auto a = in_units(tile_a, tile, sums.a.shift, moments_.a.unit, to);
    const auto b = in_units(tile_b, tile, sums.b.shift, moments_.b.unit, to + kScaledTile);
    sum_two(a, b, tile, zeros, zeros, sums);
    std::fill_n(sums.difference, tile.width, Scalar(0));
    const Scalar* unit = moments_.difference_unit.data() + tile.column;
    for (Index k = 0; k < tile.rows; ++k) {
      for (Index j = 0; j < tile.width; ++j) {
        const Scalar gap = (tile_a.row(k)[j] - tile_b.row(k)[j]) / unit[j];
        sums.difference[j] += gap * gap;
      }
    }
  }
  DECORR_DETAIL_COLD static Tile<const Scalar> in_units(const Tile<const Scalar>& numbers,
                                                        const MomentTile& tile, const Scalar* shift,
                                                        const Buffer<Scalar>& units,
                                                        Scalar* to) noexcept {
    const Scalar* unit = units.data() + tile.column;
    for (Index k = 0; k < tile.rows; ++k) {
      for (Index j = 0; j < tile.width; ++j) {
        to[k * kMostFeatures + j] = (numbers.row(k)[j] - shift[j]) / unit[j];
      }
    }
    return {to, kMostFeatures};
  }

  // For each feature the mean of eight rows, at no equal distances: where some of them are
  // outliers, or all there is of a sparse feature, it is within a few of the tile's deviations from
  // the mean. A constant feature's is its number. If there are NaN, some sum is one in any case.
  DECORR_DETAIL_NOINLINE static void choose_shift(const Tile<const Scalar>& numbers,
                                                  const MomentTile& tile, Scalar* shift) noexcept {
    constexpr Index kSampled = 8;
    const Scalar* rows[static_cast<std::size_t>(kSampled)];
    for (Index r = 0; r < kSampled; ++r) {
      rows[r] = numbers.row(std::min(r * tile.rows / kSampled + r % 4, tile.rows - 1));
    }
    for (Index j = 0; j < tile.width; ++j) {
      Scalar gap = 0;
      for (Index r = 1; r < kSampled; ++r) {
        gap += (rows[r][j] - rows[0][j]) * (Scalar(1) / kSampled);
      }
      shift[j] = rows[0][j] + gap;
    }
  }

  // So many rows' sums stay in registers: they are as accurate as their terms, and those of the
  // tile are loaded and stored once for all of them.
  static constexpr Index kRowsAtOnce = 8;

  DECORR_DETAIL_NOINLINE static void sum_one(const Tile<const Scalar>& numbers,
                                             const MomentTile& tile, const Scalar* from,
                                             const OneView& sums) noexcept {
    const Index rows = tile.rows, width = tile.width;
    StripsOfOne strips;
    std::copy(from, from + width, strips.shift);
    Index k = 0;
    for (; k + kRowsAtOnce <= rows; k += kRowsAtOnce) {
      add_rows<kRowsAtOnce>(numbers, k, width, strips);
    }
    for (; k < rows; ++k) {
      add_rows<1>(numbers, k, width, strips);
    }
    std::copy(strips.sum, strips.sum + width, sums.sum);
    std::copy(strips.square, strips.square + width, sums.square);
  }
  DECORR_DETAIL_NOINLINE static void sum_two(const Tile<const Scalar>& a,
                                             const Tile<const Scalar>& b, const MomentTile& tile,
                                             const Scalar* from_a, const Scalar* from_b,
                                             const TwoViews& sums) noexcept {
    const Index rows = tile.rows, width = tile.width;
    StripsOfTwo strips;
    std::copy(from_a, from_a + width, strips.a.shift);
    std::copy(from_b, from_b + width, strips.b.shift);
    Index k = 0;
    for (; k + kRowsAtOnce <= rows; k += kRowsAtOnce) {
      add_rows<kRowsAtOnce>(a, b, k, width, strips);
    }
    for (; k < rows; ++k) {
      add_rows<1>(a, b, k, width, strips);
    }
    std::copy(strips.a.sum, strips.a.sum + width, sums.a.sum);
    std::copy(strips.b.sum, strips.b.sum + width, sums.b.sum);
    std::copy(strips.a.square, strips.a.square + width, sums.a.square);
    std::copy(strips.b.square, strips.b.square + width, sums.b.square);
    std::copy(strips.product, strips.product + width, sums.product);
    std::copy(strips.difference, strips.difference + width, sums.difference);
  }

  template <Index kRows>
  DECORR_DETAIL_INLINE static void add_rows(const Tile<const Scalar>& tile, Index k, Index width,
                                            StripsOfOne& strips) noexcept {
    const Scalar* x = tile.row(k);
    for (Index r = 0; r < kRows; ++r) {
      tile.prefetch_after(k + r, 0, width);
    }
    for (Index j = 0; j < width; ++j) {
      Scalar sum = 0, square = 0;
      for (Index r = 0; r < kRows; ++r) {
        const Scalar value = x[r * tile.stride + j] - strips.shift[j];
        sum += value;
        square += value * value;
      }
      strips.sum[j] += sum;
      strips.square[j] += square;
    }
  }
  template <Index kRows>
  DECORR_DETAIL_INLINE static void add_rows(const Tile<const Scalar>& a,
                                            const Tile<const Scalar>& b, Index k, Index width,
                                            StripsOfTwo& strips) noexcept {
    const Scalar* x = a.row(k);
    const Scalar* y = b.row(k);
    for (Index r = 0; r < kRows; ++r) {
      a.prefetch_after(k + r, 0, width);
      b.prefetch_after(k + r, 0, width);
    }
    for (Index j = 0; j < width; ++j) {
      Scalar sum_a = 0, sum_b = 0, square_a = 0, square_b = 0, product = 0, difference = 0;
      for (Index r = 0; r < kRows; ++r) {
        const Scalar x_j = x[r * a.stride + j], y_j = y[r * b.stride + j];
        const Scalar value_a = x_j - strips.a.shift[j], value_b = y_j - strips.b.shift[j];
        const Scalar gap = x_j - y_j;
        sum_a += value_a;
        sum_b += value_b;
        square_a += value_a * value_a;
        square_b += value_b * value_b;
        product += value_a * value_b;
        difference += gap * gap;
      }
      strips.a.sum[j] += sum_a;
      strips.b.sum[j] += sum_b;
      strips.a.square[j] += square_a;
      strips.b.square[j] += square_b;
      strips.product[j] += product;
      strips.difference[j] += difference;
    }
  }

  // Constant features are ordinary data, dead units above all, and their squares tell nothing: zero
  // may be what underflow has left of others. So where small squares matter, a tile that has them
  // is looked at again while it is in the cache.
  DECORR_DETAIL_NOINLINE void watch(int worker, const Tile<const Scalar>& numbers,
                                    const MomentTile& tile, const OneView& sums) noexcept {
    const Index width = tile.width;
    // The shift may be the number that is farthest from the mean.
    const Sum least = least_squares_ * Sum(MomentTiles<Scalar>::kMostRows);
    const auto is_small = [&](Index j) { return static_cast<int>(Sum(sums.square[j]) < least); };
    int small = 0;
    if (least > 0) {
      for (Index j = 0; j < width; ++j) {
        small |= is_small(j);
      }
    }
    for (Index k = 0; small != 0 && *varies_.of(worker) == 0 && k < tile.rows; ++k) {
      const Scalar* x = numbers.row(k);
      int varies = 0;
      for (Index j = 0; j < width; ++j) {
        varies |= is_small(j) & differ(x[j], sums.shift[j]);
      }
      *varies_.of(worker) |= varies;
    }
  }
  template <class T>
  static int differ(T x, T y) noexcept {
    return static_cast<int>(x < y) | static_cast<int>(x > y);
  }

  // The same for tiles that are constant in themselves, before they are merged.
  DECORR_DETAIL_NOINLINE void watch_means(int worker, const TileMerge& merge, const OneView& sums,
                                          const Units& units,
                                          const ViewMoments<Scalar>& view) noexcept {
    if (merge.is_first || !(least_squares_ > 0) || has_units()) {
      return;
    }
    int varies = 0;
    for (Index j = 0; j < merge.tile.width; ++j) {
      const Index feature = merge.tile.column + j;
      varies |= static_cast<int>(view.squares[feature] < least_squares_) &
                differ(tile_mean(merge, sums, j, units), view.mean[feature]);
    }
    *varies_.of(worker) |= varies;
  }

  DECORR_DETAIL_NOINLINE void merge_one(int worker, const TileMerge& merge) noexcept {
    const OneView sums(sums_.of(worker));
    watch_means(worker, merge, sums, unit_a_, moments_.a);
    for (Index j = 0; j < merge.tile.width; ++j) {
      merge_view(merge, sums, j, unit_a_, moments_.a);
    }
  }

  DECORR_DETAIL_NOINLINE void merge_two(int worker, const TileMerge& merge) noexcept {
    const TwoViews sums(sums_.of(worker));
    watch_means(worker, merge, sums.a, unit_a_, moments_.a);
    watch_means(worker, merge, sums.b, unit_b_, moments_.b);
    for (Index j = 0; j < merge.tile.width; ++j) {
      const Sum delta_a = merge_view(merge, sums.a, j, unit_a_, moments_.a);
      const Sum delta_b = merge_view(merge, sums.b, j, unit_b_, moments_.b);
      const Index feature = merge.tile.column + j;
      moments_.products[feature] += Sum(sums.product[j]) -
                                    Sum(sums.a.sum[j]) * (Sum(sums.b.sum[j]) * merge.inverse_size) +
                                    delta_a * (delta_b * merge.joint);
      moments_.differences[feature] += Sum(sums.difference[j]);
    }
  }

  // Merges feature j of a tile, whose sums are in units; returns how far its mean was from that of
  // the rows before, in units.
  static Sum merge_view(const TileMerge& merge, const OneView& sums, Index j, const Units& units,
                        ViewMoments<Scalar>& view) noexcept {
    const Index feature = merge.tile.column + j;
    const Sum gap = tile_mean(merge, sums, j, units) - view.mean[feature];
    const Sum delta = merge.is_first ? Sum(0) : gap * Sum(units.inverses(merge.tile.column)[j]);
    // Not negative but for rounding and underflow; NaN stays one.
    const Sum sum = Sum(sums.sum[j]), own = Sum(sums.square[j]) - sum * merge.inverse_size * sum;
    view.squares[feature] += (own < 0 ? Sum(0) : own) + delta * (delta * merge.joint);
    view.mean[feature] += gap * merge.share;
    return delta;
  }
  static Sum tile_mean(const TileMerge& merge, const OneView& sums, Index j,
                       const Units& units) noexcept {
    return Sum(sums.shift[j]) +
           Sum(sums.sum[j]) * merge.inverse_size * Sum(units.units(merge.tile.column)[j]);
  }

  Index features_;
  MomentTiles<Scalar> tiles_;
  Moments<Scalar> moments_;
  // Features with less than this, for each row or in all, may have lost digits; zero where no
  // digits are needed.
  Sum least_variance_, least_squares_;
  PerWorker<Scalar> sums_;
  Buffer<Sum> shifts_;        // of the means, from this process's to those of all
  PerWorker<Index> varies_;   // whether any tile has small squares of what is not constant
  Units unit_a_, unit_b_;     // those of the moments; 1 for the first read
  PerWorker<Scalar> scaled_;  // tiles in units
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_STATISTICS_MOMENTS_HPP_
