#ifndef DECORR_DETAIL_CALL_MISUSE_HPP_
#define DECORR_DETAIL_CALL_MISUSE_HPP_

#include <cstddef>
#include <type_traits>
#include <utility>

#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"

// Calls that people write and that no function takes. Overloads for them alone end in one sentence
// instead of a list of candidates.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

enum class Misuse {
  none,
  preset,
  order,
  order_of_views,
  order_of_batch,
  one_gradient,
  other_regularizer,
};
template <Misuse kFound>
using EnableMisuse = std::enable_if_t<kFound != Misuse::none, int>;

template <Misuse kFound>
constexpr bool report_misuse() {
  static_assert(kFound != Misuse::preset,
                "decorr: of a preset pass preset.options, preset.regularizer");
  static_assert(kFound != Misuse::order,
                "decorr: after the matrices come the loss's own options, then the regularizer, "
                "then the execution; {} means the default");
  static_assert(kFound != Misuse::order_of_views,
                "decorr: after the matrices come a ViewCombination, the loss's own options, the "
                "regularizer and the execution, in this order; {} means the default of the last "
                "three");
  static_assert(kFound != Misuse::order_of_batch,
                "decorr: after the features come the loss's own options, the regularizer, the "
                "execution and which gradients, in this order; {} means the default");
  static_assert(kFound != Misuse::one_gradient,
                "decorr: gradients of both views are expected, decorr::no_gradient in the place of "
                "one that is not wanted");
  static_assert(kFound != Misuse::other_regularizer,
                "decorr: r_off is the exact regularizer and takes none, r_sum takes a Relaxed");
  return true;
}

// Types of arguments, from the left.
template <class... Types>
struct Given {};

template <class T, class = void>
struct IsPreset : std::false_type {};
template <class T>
struct IsPreset<
    T, std::void_t<decltype(std::declval<T>().options), decltype(std::declval<T>().regularizer)>>
    : std::true_type {};

// What stands after the matrices. Choice is the enumeration that is a setting of some functions
// alone, void of the others.
template <class Choice, class T>
inline constexpr bool kIsSetting =
    IsPreset<T>::value || std::is_same<T, BarlowTwinsOptions>::value ||
    std::is_same<T, VicregOptions>::value || std::is_same<T, Choice>::value ||
    std::is_convertible<T, Regularizer>::value || std::is_convertible<T, Execution>::value;

// Whether settings stand in the order of Expected, of which any number may be left out from the
// right.
template <class Settings, class Expected>
struct InOrder : std::false_type {};
template <class... Expected>
struct InOrder<Given<>, Given<Expected...>> : std::true_type {};
template <class First, class... Rest, class Expected, class... Others>
struct InOrder<Given<First, Rest...>, Given<Expected, Others...>>
    : std::bool_constant<std::is_convertible<First, Expected>::value &&
                         InOrder<Given<Rest...>, Given<Others...>>::value> {};

template <class Choice, class Expected, class... Settings>
constexpr Misuse misuse_of_settings(Given<Settings...>, Misuse of_order) {
  if (!(kIsSetting<Choice, Settings> && ...) || InOrder<Given<Settings...>, Expected>::value) {
    return Misuse::none;
  }
  return (IsPreset<Settings>::value || ...) ? Misuse::preset : of_order;
}

// How many hold before the first that does not.
template <bool... kHold>
constexpr std::size_t count_in_front() {
  constexpr bool hold[] = {kHold..., false};
  std::size_t count = 0;
  while (hold[count]) {
    ++count;
  }
  return count;
}
// The types behind so many.
template <std::size_t kCount>
constexpr Given<> behind(Given<>) {
  return {};
}
template <std::size_t kCount, class First, class... Rest>
constexpr auto behind(Given<First, Rest...> all) {
  if constexpr (kCount == 0) {
    return all;
  } else {
    return behind<kCount - 1>(Given<Rest...>());
  }
}

template <class... Arguments>
constexpr std::size_t matrices_in_front() {
  return count_in_front<kIsGradient<Arguments>...>();
}

// Of kInputs views, with as many gradients or none, and settings.
template <std::size_t kInputs, class Options, class... Arguments>
constexpr Misuse misuse_of_loss() {
  constexpr std::size_t matrices = matrices_in_front<Arguments...>();
  if (kInputs == 2 && matrices == 3) {
    return Misuse::one_gradient;
  }
  return matrices != kInputs && matrices != 2 * kInputs
             ? Misuse::none
             : misuse_of_settings<void, Given<Options, Regularizer, Execution>>(
                   behind<matrices>(Given<Arguments...>()), Misuse::order);
}
// Behind {} for the options: something that takes that alone.
struct DefaultOptions {};
template <class... Settings>
constexpr Misuse misuse_behind_default() {
  return misuse_of_settings<void, Given<Regularizer, Execution>>(Given<Settings...>(),
                                                                 Misuse::order);
}

// Of several views, behind {} for the combination.
template <class Options, class... Settings>
constexpr Misuse misuse_behind_combination() {
  return misuse_of_settings<ViewCombination, Given<Options, Regularizer, Execution>>(
      Given<Settings...>(), Misuse::order_of_views);
}

// Of a batch in parts, of which Expected is what may come next.
template <class Gradients, class Expected, class... Settings>
constexpr Misuse misuse_of_batch() {
  return misuse_of_settings<Gradients, Expected>(Given<Settings...>(), Misuse::order_of_batch);
}

// Of r_off() and r_sum(), which is given the other one's regularizer: any but Own.
template <class Own>
constexpr bool begins_with_other_regularizer(Given<>) {
  return false;
}
template <class Own, class First, class... Rest>
constexpr bool begins_with_other_regularizer(Given<First, Rest...>) {
  return !std::is_same<First, Own>::value &&
         (std::is_same<First, Relaxed>::value || std::is_same<First, Exact>::value ||
          std::is_same<First, Regularizer>::value);
}
template <class Own, class... Arguments>
constexpr Misuse misuse_of_regularizer() {
  constexpr std::size_t matrices = matrices_in_front<Arguments...>();
  if (matrices == 3) {
    return Misuse::one_gradient;
  }
  return (matrices == 2 || matrices == 4) &&
                 begins_with_other_regularizer<Own>(behind<matrices>(Given<Arguments...>()))
             ? Misuse::other_regularizer
             : Misuse::none;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_MISUSE_HPP_
