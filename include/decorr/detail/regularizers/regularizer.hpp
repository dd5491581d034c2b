#ifndef DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_
#define DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_

#include <cmath>
#include <complex>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

#include "decorr/detail/regularizers/exact_correlation.hpp"
#include "decorr/detail/regularizers/exact_gram.hpp"
#include "decorr/detail/regularizers/grouped.hpp"
#include "decorr/detail/regularizers/grouped_gram.hpp"
#include "decorr/detail/regularizers/lag_weights.hpp"
#include "decorr/detail/regularizers/relaxed.hpp"
#include "decorr/detail/regularizers/setup.hpp"
#include "decorr/detail/rows/row_views.hpp"
#include "decorr/detail/rows/tiles.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/detail/statistics/diagonal_sums.hpp"
#include "decorr/detail/statistics/gradient_sink.hpp"
#include "decorr/options.hpp"

// Passes 2 to 4, whichever the regularizer: a loss does not know which form it has.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// The blocks of C that a regularizer has, before a loss says what they count.
inline BlockWeights block_weights(const decorr::Regularizer& choice, Index features) {
  const Relaxed* relaxed = choice.relaxed();
  return relaxed == nullptr ? BlockWeights(features, 1, 2)
                            : BlockWeights(features, relaxed->block_size, relaxed->exponent);
}

// Of every form:
//   add(rows)             adds rows to its sums
//   value(rows, m, weight)  R of C = sums / m; gradients will be those of weight * R. `rows` are
//   all
//                         of them, if they are at hand; of Gram matrices value(arena, m, weight)
//   gradient(rows, sinks) their gradient, through the sinks into the gradient rows
// Memory is taken by the constructor, and by value() of those that find out only then what the data
// need; no gradient row is written before the last of it.
template <class Scalar>
class BatchRegularizer {
 public:
  using Sum = Accumulator<Scalar>;

  // `choice` outlives this object.
  BatchRegularizer(Arena& arena, const RegularizerSetup<Scalar>& setup,
                   const decorr::Regularizer& choice, const BlockWeights& weights)
      : arena_(&arena), setup_(setup), choice_(&choice), weights_(weights) {
    const Relaxed* relaxed = choice.relaxed();
    if (setup_.dominant && relaxed != nullptr && relaxed->block_size != 1) {
      set_dominant_apart();
    }
    make_form();
  }

  // With `diagonal`, if it is not null, they are added to that too, in the same read where there is
  // one of both rows.
  DECORR_DETAIL_NOINLINE void add(const BatchRows<Scalar>& rows,
                                  DiagonalSums<Scalar>* diagonal = nullptr) noexcept {
    if (apart_) {
      apart_->zero.regularizer.add(rows);
      apart_->reduced.regularizer.add(rows, diagonal);
      return;
    }
    visit([&](auto& form) noexcept {
      if constexpr (kReadsBothRows<decltype(form)>) {
        static_assert(noexcept(form.add(rows, diagonal)));
        form.add(rows, diagonal);
      } else {
        static_assert(noexcept(form.add(rows)));
        form.add(rows);
        if (diagonal != nullptr) {
          diagonal->add(rows);
        }
      }
    });
  }

  // What a batch is known by, and what replaces it when other processes' has been added.
  DECORR_DETAIL_COLD void write_sums(Sum* to) noexcept {
    join_sums();
    with_sums([&](const auto* sums, Index size) noexcept {
      for (Index i = 0; i < size; ++i) {
        to[i] = static_cast<Sum>(sums[i]);
      }
    });
  }
  DECORR_DETAIL_COLD void read_sums(const Sum* from) noexcept {
    with_sums([&](auto* sums, Index size) noexcept {
      for (Index i = 0; i < size; ++i) {
        sums[i] = static_cast<std::decay_t<decltype(*sums)>>(from[i]);
      }
    });
  }

  // After all rows. Where Gram matrices turn out to have lost digits, the other route is taken from
  // the beginning; `rows` are then all of them once more.
  DECORR_DETAIL_NOINLINE Sum value(const BatchRows<Scalar>& rows, Sum m, Sum gradient_weight) {
    join_sums();
    for (;;) {
      Sum value = 0;
      bool is_accurate = true;
      visit([&](auto& form) {
        if constexpr (kIsGram<decltype(form)>) {
          value = form.value(*arena_, m, gradient_weight);
          is_accurate = form.is_accurate();
        } else {
          value = form.value(rows, m, gradient_weight);
        }
      });
      if (is_accurate) {
        return value;
      }
      setup_.route = Route::features;
      // Until all values are known something may throw, and no gradient row may be written.
      setup_.place = SpectrumPlace::buffer;
      make_form();
      add(rows);
    }
  }

  // Whether gradient() makes whole rows, one after another, and between them reads nothing else
  // that is as large as rows. Then it is the same as begin_gradient() and gradient_on() for all
  // rows, on any of workers(); the first row is a multiple of rows_of_group().
  bool goes_row_by_row() noexcept {
    bool goes = false;
    with_transforms([&](auto& form) noexcept { goes = form.goes_row_by_row(); });
    return goes;
  }
  void begin_gradient(const BatchRows<Scalar>& rows) noexcept {
    with_transforms([&](auto& form) noexcept { form.begin_gradient(rows); });
  }
  DECORR_DETAIL_NOINLINE void gradient_on(int worker, const BatchRows<Scalar>& rows, Index first,
                                          Index last, const GradientSinks<Scalar>& sinks) noexcept {
    with_transforms(
        [&](auto& form) noexcept { form.gradient_on(worker, rows, first, last, sinks); });
  }
  int workers() noexcept {
    int workers = 1;
    with_transforms([&](auto& form) noexcept { workers = form.workers(); });
    return workers;
  }
  Index rows_of_group() noexcept {
    Index rows = kTileRows;
    with_transforms([&](auto& form) noexcept { rows = form.rows_of_group(); });
    return rows;
  }

  DECORR_DETAIL_NOINLINE void gradient(const BatchRows<Scalar>& rows,
                                       const GradientSinks<Scalar>& sinks) noexcept {
    visit([&](auto& form) noexcept {
      static_assert(noexcept(form.gradient(rows, sinks)));
      form.gradient(rows, sinks);
    });
  }

 private:
  using Form = std::variant<std::monostate, UngroupedRelaxed<Scalar>, GroupedRelaxed<Scalar>,
                            GroupedGram<Scalar>, ExactCorrelation<Scalar>, ExactGram<Scalar>>;
  // The forms that go row by row, and read both rows of a sample when they do.
  template <class Body>
  void with_transforms(const Body& body) noexcept {
    visit_if<UngroupedRelaxed<Scalar>>(body);
    visit_if<GroupedRelaxed<Scalar>>(body);
  }
  template <class T>
  static constexpr bool kReadsBothRows =
      std::is_same<std::decay_t<T>, UngroupedRelaxed<Scalar>>::value ||
      std::is_same<std::decay_t<T>, GroupedRelaxed<Scalar>>::value;
  template <class T>
  static constexpr bool kIsGram = std::is_same<std::decay_t<T>, GroupedGram<Scalar>>::value ||
                                  std::is_same<std::decay_t<T>, ExactGram<Scalar>>::value;

  // The same batch with less of the dominant feature.
  struct Less {
    Preparation<Scalar> a, b;
    BatchRegularizer regularizer;
    Buffer<Sum> sums;

    Less(Arena& arena, const RegularizerSetup<Scalar>& setup, Scalar factor,
         const decorr::Regularizer& choice, const BlockWeights& weights)
        : a(less(arena, setup, *setup.a, factor)),
          b(setup.is_covariance() ? a : less(arena, setup, *setup.b, factor)),
          regularizer(arena, setup_of(setup), choice, weights),
          sums(arena, regularizer.num_sums()) {}
    // The regularizer points to the preparations.
    Less(const Less&) = delete;
    Less& operator=(const Less&) = delete;

   private:
    static Preparation<Scalar> less(Arena& arena, const RegularizerSetup<Scalar>& setup,
                                    const Preparation<Scalar>& view, Scalar factor) {
      return view.with_feature_times(arena, setup.features, setup.dominant.feature, factor);
    }
    RegularizerSetup<Scalar> setup_of(RegularizerSetup<Scalar> setup) const {
      setup.a = &a;
      setup.b = setup.is_covariance() ? &a : &b;
      setup.access = setup.access.inputs();
      setup.dominant = {};
      return setup;
    }
  };
  struct Apart {
    Less zero, reduced;
  };
  // Its memory is the arena's.
  struct DestroyApart {
    void operator()(Apart* apart) const noexcept { apart->~Apart(); }
  };

  // Its sums then come from two batches with less of the dominant feature, and are those of all
  // rows in any parts; spectra of the rows as they are, which gradients need, are not made before.
  DECORR_DETAIL_COLD void set_dominant_apart() {
    setup_.has_whole_batch = false;
    setup_.place = SpectrumPlace::nowhere;
    const Scalar factor = std::ldexp(Scalar(1), -setup_.dominant.exponent);
    apart_.reset(new (arena_->take(sizeof(Apart)))
                     Apart{{*arena_, setup_, Scalar(0), *choice_, weights_},
                           {*arena_, setup_, factor, *choice_, weights_}});
  }
  DECORR_DETAIL_COLD void join_sums() noexcept {
    if (!apart_) {
      return;
    }
    Buffer<Sum>&zero = apart_->zero.sums, &reduced = apart_->reduced.sums;
    apart_->zero.regularizer.write_sums(zero.data());
    apart_->reduced.regularizer.write_sums(reduced.data());
    const Sum factor = std::ldexp(Sum(1), setup_.dominant.exponent);
    for (Index i = 0; i < zero.size(); ++i) {
      zero[i] += factor * (reduced[i] - zero[i]);
    }
    read_sums(zero.data());
    apart_.reset();
  }

  DECORR_DETAIL_COLD void make_form() {
    const Relaxed* relaxed = choice_->relaxed();
    if (relaxed == nullptr) {
      if (goes_through_samples()) {
        form_.template emplace<ExactGram<Scalar>>(*arena_, setup_, weights_);
      } else {
        form_.template emplace<ExactCorrelation<Scalar>>(*arena_, setup_, weights_);
      }
      return;
    }
    const Index block_size = relaxed->block_size;
    if (block_size == 0 || block_size == setup_.features) {
      form_.template emplace<UngroupedRelaxed<Scalar>>(*arena_, setup_, *relaxed, weights_);
    } else if (goes_through_gram(setup_, *relaxed, weights_)) {
      form_.template emplace<GroupedGram<Scalar>>(*arena_, setup_, *relaxed, weights_);
    } else {
      form_.template emplace<GroupedRelaxed<Scalar>>(*arena_, setup_, *relaxed, weights_);
    }
  }

  // The exact form through the samples' Gram matrices, where they are smaller than C.
  bool goes_through_samples() const {
    return setup_.has_whole_batch &&
           (setup_.route == Route::gram ||
            (setup_.route == Route::automatic && setup_.count < setup_.features));
  }

  // body(first, count) of the sums as real numbers.
  template <class Body>
  void with_sums(const Body& body) noexcept {
    visit([&](auto& form) noexcept {
      if constexpr (!kIsGram<decltype(form)>) {
        auto& sums = form.sums();
        if constexpr (std::is_same<decltype(sums), Buffer<std::complex<Sum>>&>::value) {
          body(reinterpret_cast<Sum*>(sums.data()), 2 * sums.size());
        } else {
          body(sums.data(), sums.size());
        }
      }
    });
  }

  Index num_sums() noexcept {
    Index count = 0;
    with_sums([&](const auto*, Index size) noexcept { count = size; });
    return count;
  }

  // As std::visit, which may throw by its type.
  template <class Body>
  void visit(const Body& body) noexcept(noexcept(body(std::declval<ExactGram<Scalar>&>()))) {
    visit_one_of<UngroupedRelaxed<Scalar>, GroupedRelaxed<Scalar>, GroupedGram<Scalar>,
                 ExactCorrelation<Scalar>, ExactGram<Scalar>>(body);
  }
  template <class... Forms, class Body>
  void visit_one_of(const Body& body) noexcept(noexcept(body(std::declval<ExactGram<Scalar>&>()))) {
    static_assert(std::is_same<Form, std::variant<std::monostate, Forms...>>::value,
                  "all forms, or one would do nothing");
    (visit_if<Forms>(body), ...);
  }
  template <class Held, class Body>
  void visit_if(const Body& body) noexcept(noexcept(body(std::declval<Held&>()))) {
    if (auto* form = std::get_if<Held>(&form_)) {
      body(*form);
    }
  }

  Arena* arena_;
  RegularizerSetup<Scalar> setup_;
  const decorr::Regularizer* choice_;
  BlockWeights weights_;
  Form form_;
  // Where there is a dominant feature, until all rows are added.
  std::unique_ptr<Apart, DestroyApart> apart_;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_REGULARIZERS_REGULARIZER_HPP_
