#ifndef DECORR_DETAIL_CALL_MISUSE_HPP_
#define DECORR_DETAIL_CALL_MISUSE_HPP_

#include <type_traits>

#include "decorr/detail/call/evaluate.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/options.hpp"

// Calls that people write and that no function takes. Overloads for them alone end in one sentence
// instead of a list of candidates.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

template <class T, class = void>
struct IsPreset : std::false_type {};
template <class T>
struct IsPreset<
    T, std::void_t<decltype(std::declval<T>().options), decltype(std::declval<T>().regularizer)>>
    : std::true_type {};

// One of the types that stand after the matrices.
template <class T>
inline constexpr bool kIsSetting =
    IsPreset<T>::value || std::is_same<std::decay_t<T>, BarlowTwinsOptions>::value ||
    std::is_same<std::decay_t<T>, VicregOptions>::value ||
    std::is_convertible<T, Regularizer>::value || std::is_convertible<T, Execution>::value;

// Whether settings stand in the order of Expected, of which any number may be left out from the
// right.
template <class... Settings>
struct Given {};
template <class Given, class... Expected>
struct InOrder : std::false_type {};
template <class... Expected>
struct InOrder<Given<>, Expected...> : std::true_type {};
template <class First, class... Rest, class Expected, class... Others>
struct InOrder<Given<First, Rest...>, Expected, Others...>
    : std::bool_constant<std::is_convertible<First, Expected>::value &&
                         InOrder<Given<Rest...>, Others...>::value> {};

// Settings, but not in Order; Choice is the enumeration that is a setting of the function's alone,
// void where there is none.
template <class Choice, class T>
inline constexpr bool kIsSettingOr = kIsSetting<T> || std::is_same<std::decay_t<T>, Choice>::value;
template <class Choice, class Order, class... Settings>
struct AreMisplaced;
template <class Choice, class... Order, class... Settings>
struct AreMisplaced<Choice, Given<Order...>, Settings...>
    : std::bool_constant<(kIsSettingOr<Choice, Settings> && ...) &&
                         !InOrder<Given<Settings...>, Order...>::value> {};
template <class Choice, class Order, class... Settings>
using EnableMisplacedIn = std::enable_if_t<AreMisplaced<Choice, Order, Settings...>::value, int>;

// What stands after the matrices of two views; behind {} for the first of them, something that
// takes that alone.
struct DefaultOptions {};
template <class Options, class... Settings>
using EnableMisplaced =
    EnableMisplacedIn<void, Given<Options, Regularizer, Execution>, Settings...>;
template <class... Settings>
using EnableMisplacedBehindDefault =
    EnableMisplacedIn<void, Given<Regularizer, Execution>, Settings...>;

// After several views and their gradients.
template <class Options, class... Settings>
using EnableMisplacedOfViews =
    EnableMisplacedIn<ViewCombination, Given<ViewCombination, Options, Regularizer, Execution>,
                      Settings...>;
template <class Options, class... Settings>
using EnableMisplacedBehindCombination =
    EnableMisplacedIn<ViewCombination, Given<Options, Regularizer, Execution>, Settings...>;

// After the features of a batch in parts.
template <class Gradients, class Options, class... Settings>
using EnableMisplacedOfBatch =
    EnableMisplacedIn<Gradients, Given<Options, Regularizer, Execution, Gradients>, Settings...>;
template <class Gradients, class... Settings>
using EnableMisplacedOfBatchBehindDefault =
    EnableMisplacedIn<Gradients, Given<Regularizer, Execution, Gradients>, Settings...>;

// One gradient where there are two views: what stands behind it is none.
template <class Gradient, class... Settings>
struct IsOneGradient : std::bool_constant<kIsDense<Gradient> || kIsNoGradient<Gradient>> {};
template <class Gradient, class First, class... Rest>
struct IsOneGradient<Gradient, First, Rest...>
    : std::bool_constant<(kIsDense<Gradient> || kIsNoGradient<Gradient>) && kIsSetting<First>> {};
template <class Gradient, class... Settings>
using EnableOneGradient = std::enable_if_t<IsOneGradient<Gradient, Settings...>::value, int>;

template <class Gradient>
constexpr bool report_one_gradient() {
  static_assert(!std::is_same<Gradient, Gradient>::value,
                "decorr: gradients of both views are expected, decorr::no_gradient in the place of "
                "one that is not wanted");
  return true;
}

// A regularizer where the function is one itself: any but `Own`.
template <class Own, class Choice>
using EnableOtherRegularizer = std::enable_if_t<!std::is_same<Choice, Own>::value &&
                                                    (std::is_same<Choice, Relaxed>::value ||
                                                     std::is_same<Choice, Exact>::value ||
                                                     std::is_same<Choice, Regularizer>::value),
                                                int>;

template <class Choice>
constexpr bool report_other_regularizer() {
  static_assert(!std::is_same<Choice, Choice>::value,
                "decorr: r_off is the exact regularizer and takes none, r_sum takes a Relaxed");
  return true;
}

template <class... Settings>
constexpr bool report_misplaced_settings() {
  static_assert(!(IsPreset<Settings>::value || ...),
                "decorr: of a preset pass preset.options, preset.regularizer");
  static_assert(
      (IsPreset<Settings>::value || ...),
      "decorr: after the matrices come the loss's own options, then the regularizer, then "
      "the execution; {} means the default");
  return true;
}

template <class... Settings>
constexpr bool report_misplaced_settings_of_views() {
  static_assert(sizeof...(Settings) == 0,
                "decorr: after the matrices come a ViewCombination, the loss's own options, the "
                "regularizer and the execution, in this order; {} means the default of the last "
                "three");
  return true;
}

template <class... Settings>
constexpr bool report_misplaced_settings_of_batch() {
  static_assert(sizeof...(Settings) == 0,
                "decorr: after the features come the loss's own options, the regularizer, the "
                "execution and which gradients, in this order; {} means the default");
  return true;
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_CALL_MISUSE_HPP_
