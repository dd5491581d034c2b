#ifndef DECORR_DETAIL_FFT_PLAN_CACHE_HPP_
#define DECORR_DETAIL_FFT_PLAN_CACHE_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "decorr/detail/fft/fftw.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/detail/runtime/process_state.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {

// A plan as all files of a program know it.
struct PlanData {
  int length = 0, count = 0;
  void* plan = nullptr;                   // FFTW's
  const void* power_deviation = nullptr;  // TransformPlan::power_deviation()
};

// Of a cached plan.
struct PlanKey {
  int scalar = -1;
  int length = 0;
  int count = 0;
  Direction direction = Direction::forward;
  Planning planning = Planning::measure;
};

// The plans of the process, of all scalar types.
struct CachedPlans {
  static constexpr std::size_t kMost = 64;
  struct Entry {
    PlanKey key;
    std::uint64_t last_use = 0;
    std::shared_ptr<const PlanData> plan;
  };

  std::mutex mutex;
  std::array<Entry, kMost> entries;
  std::size_t size = 0;
  std::uint64_t clock = 0;
};
inline ProcessState<CachedPlans> cached_plans_state;

// Two locks: the planner's, which may be held for seconds, and the cache's, for look-ups. Where
// both are taken, the planner's comes first. A plan's destructor takes the planner's lock, so a
// plan may be dropped only under neither.
inline ProcessState<std::mutex> planner_mutex_state;

struct PlannerLifeState {
  std::uint64_t number = 0;
  bool tells = true;
};
template <class Scalar>
inline ProcessState<PlannerLifeState> planner_life_state;

// Plans of an FFTW that has forgotten them, where a search for leaks finds them.
struct KeptPlan {
  void* plan = nullptr;
  KeptPlan* next = nullptr;
};
inline KeptPlan* first_kept_plan = nullptr;

inline namespace DECORR_ABI {

inline std::mutex& process_planner_mutex() { return planner_mutex_state.value; }

// FFTW's cleanup, called by another user of it, leaves all plans undefined; to destroy one then is
// a crash. Nothing tells of it, but it takes all wisdom along, and with it that of a transform
// which nobody else asks for. So a life of FFTW's planner lasts while that is known. Wisdom that
// was only forgotten looks the same, and so does a library without wisdom but for `tells`. Under
// the planner's lock.
template <class Scalar>
class PlannerLife {
 public:
  // That to which a plan made now belongs.
  static std::uint64_t current() {
    PlannerLifeState& now = state();
    if (now.tells && !is_marked()) {
      ++now.number;
      destroy(Fftw<Scalar>::plan_marker(false));
      now.tells = is_marked();
    }
    return now.number;
  }

  // Whether FFTW still knows the plans of this life.
  static bool lasts(std::uint64_t number) {
    return !state().tells || (number == state().number && is_marked());
  }

  // Before wisdom is read from a file, which may bring the mark back.
  static void before_import() {
    if (!is_marked()) ++state().number;
  }

 private:
  static PlannerLifeState& state() { return planner_life_state<Scalar>.value; }

  static bool is_marked() { return destroy(Fftw<Scalar>::plan_marker(true)); }
  static bool destroy(typename Fftw<Scalar>::Plan plan) {
    if (plan != nullptr) Fftw<Scalar>::destroy(plan);
    return plan != nullptr;
  }
};

// A plan of FFTW's, destroyed where FFTW still knows it. Where not it is kept for good.
template <class Scalar>
class OwnedPlan {
 public:
  using Plan = typename Fftw<Scalar>::Plan;

  OwnedPlan() = default;
  OwnedPlan(const OwnedPlan&) = delete;
  OwnedPlan& operator=(const OwnedPlan&) = delete;
  ~OwnedPlan() {
    if (plan_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(process_planner_mutex());
    if (PlannerLife<Scalar>::lasts(life_)) {
      Fftw<Scalar>::destroy(plan_);
    } else {
      kept_->next = first_kept_plan;
      first_kept_plan = kept_.release();
    }
  }

  // Under the planner's lock, once. The arguments are those of Fftw<Scalar>::plan.
  template <class... Arguments>
  bool make(Arguments... arguments) {
    auto kept = std::make_unique<KeptPlan>();
    life_ = PlannerLife<Scalar>::current();
    kept->plan = plan_ = Fftw<Scalar>::plan(arguments...);
    kept_ = std::move(kept);
    return plan_ != nullptr;
  }
  Plan get() const { return plan_; }

 private:
  Plan plan_ = nullptr;
  std::uint64_t life_ = 0;
  std::unique_ptr<KeptPlan> kept_;  // allocated when nothing is lost yet if it fails
};

// `count` complex transforms of `length`, one after another in memory. Immutable, so any number of
// threads may use one. An empty one is for nothing but to be assigned to.
template <class Scalar>
class TransformPlan {
 public:
  TransformPlan() = default;
  explicit TransformPlan(std::shared_ptr<const PlanData> data) : data_(std::move(data)) {}
  TransformPlan(TransformPlan&&) = default;
  TransformPlan& operator=(TransformPlan&&) = default;
  DECORR_DETAIL_COLD ~TransformPlan() {}  // NOLINT(modernize-use-equals-default): once, not inlined

  Eigen::Index length() const { return data_->length; }

  // Both arrays are distinct and on 64-byte boundaries, as the planned ones were. The input is
  // preserved.
  void execute(const std::complex<Scalar>* in, std::complex<Scalar>* out) const noexcept {
    Fftw<Scalar>::execute(static_cast<typename Fftw<Scalar>::Plan>(data_->plan),
                          const_cast<std::complex<Scalar>*>(in), out);
  }

  // How much more power than on average a forward transform of this plan gives to frequencies
  // f = 0 .. length/2 of white noise, relative to the average. Zero in exact arithmetic; rounded
  // twiddle factors make it a few units in the last place, the same for every signal, so that it
  // does not average out over a batch.
  const Scalar* power_deviation() const {
    return static_cast<const Scalar*>(data_->power_deviation);
  }

 private:
  std::shared_ptr<const PlanData> data_;
};

// The plan itself, and what it needs to be made and destroyed.
template <class Scalar>
class MadePlan : public PlanData {
 public:
  MadePlan(int transform_length, int transform_count) {
    length = transform_length;
    count = transform_count;
  }

  // Under the planner's lock. Planning overwrites its arrays, so it gets scratch ones.
  DECORR_DETAIL_COLD void make(Direction direction, Planning planning) {
    const std::size_t row = array_bytes(length, sizeof(std::complex<Scalar>));
    const std::size_t bytes = array_bytes(count, row);
    const WorkspaceBlock in(bytes), out(bytes);
    if (!owned_.make(length, count, static_cast<std::complex<Scalar>*>(in.data()),
                     static_cast<std::complex<Scalar>*>(out.data()), transform_sign(direction),
                     planner_flags(planning))) {
      throw std::runtime_error("decorr: the FFT library made no plan for " + decimal(count) +
                               " complex transforms of length " + decimal(length) + " of " +
                               decimal(static_cast<long long>(sizeof(Scalar))) + "-byte reals");
    }
    plan = owned_.get();
    if (direction == Direction::forward) {
      measure_power(static_cast<std::complex<Scalar>*>(in.data()),
                    static_cast<std::complex<Scalar>*>(out.data()));
    }
  }

 private:
  // From unit impulses, whose spectra have modulus 1 everywhere.
  DECORR_DETAIL_COLD void measure_power(std::complex<Scalar>* in, std::complex<Scalar>* out) {
    using Sum = Accumulator<Scalar>;
    const Eigen::Index size = length, half = size / 2 + 1;
    // All of them for short transforms; for long ones a sample tells nearly as much.
    const Eigen::Index impulses =
        std::min(size, std::max(Eigen::Index{64}, (Eigen::Index{1} << 18) / size));
    const WorkspaceBlock sums(array_bytes(size, sizeof(Sum)));
    Sum* power = static_cast<Sum*>(sums.data());
    std::fill_n(power, size, Sum(0));
    std::fill_n(in, size * count, std::complex<Scalar>(0));
    for (Eigen::Index i = 0; i < impulses; ++i) {
      std::complex<Scalar>& impulse = in[i * size / impulses];
      impulse = Scalar(1);
      Fftw<Scalar>::execute(owned_.get(), in, out);
      impulse = Scalar(0);
      for (Eigen::Index f = 0; f < size; ++f) {
        power[f] +=
            Sum(out[f].real()) * Sum(out[f].real()) + Sum(out[f].imag()) * Sum(out[f].imag());
      }
    }
    const Sum average = std::accumulate(power, power + size, Sum(0)) / Sum(size);
    power_ = WorkspaceBlock(array_bytes(half, sizeof(Scalar)));
    auto* deviation = static_cast<Scalar*>(power_.data());
    power_deviation = deviation;
    for (Eigen::Index f = 0; f < half; ++f) {
      const Eigen::Index mirrored = f == 0 ? 0 : size - f;
      deviation[f] = static_cast<Scalar>((power[f] + power[mirrored]) / (2 * average) - 1);
    }
  }

  OwnedPlan<Scalar> owned_;
  WorkspaceBlock power_;
};

// The least recently used plan makes room.
class PlanCache {
 public:
  using Value = std::shared_ptr<const PlanData>;

  static Value find(const PlanKey& key) {
    const std::lock_guard<std::mutex> lock(cached().mutex);
    for (std::size_t i = 0; i < cached().size; ++i) {
      CachedPlans::Entry& entry = cached().entries[i];
      if (is_same(entry.key, key)) {
        entry.last_use = ++cached().clock;
        return entry.plan;
      }
    }
    return nullptr;
  }

  // Returns the value that made room, for the caller to drop when it holds no lock.
  [[nodiscard]] static Value insert(const PlanKey& key, Value value) {
    const std::lock_guard<std::mutex> lock(cached().mutex);
    auto& entries = cached().entries;
    std::size_t slot = cached().size;
    if (slot < CachedPlans::kMost) {
      ++cached().size;
    } else {
      slot = 0;
      for (std::size_t i = 1; i < CachedPlans::kMost; ++i) {
        if (entries[i].last_use < entries[slot].last_use) slot = i;
      }
    }
    Value evicted = std::exchange(entries[slot].plan, std::move(value));
    entries[slot].key = key;
    entries[slot].last_use = ++cached().clock;
    return evicted;
  }

  static void clear() {
    std::array<CachedPlans::Entry, CachedPlans::kMost> dropped{};  // destroyed without the lock
    const std::lock_guard<std::mutex> lock(cached().mutex);
    dropped.swap(cached().entries);
    cached().size = 0;
  }

  static std::size_t size() {
    const std::lock_guard<std::mutex> lock(cached().mutex);
    return cached().size;
  }

 private:
  static CachedPlans& cached() { return cached_plans_state.value; }
  static bool is_same(const PlanKey& x, const PlanKey& y) {
    return x.scalar == y.scalar && x.length == y.length && x.count == y.count &&
           x.direction == y.direction && x.planning == y.planning;
  }
};

inline int plan_extent(Eigen::Index value, const char* name) {
  if (value < 1 || value > std::numeric_limits<int>::max()) {
    throw std::invalid_argument(std::string("transform_plan: ") + name + " is " + decimal(value) +
                                ", expected 1 to " + decimal(std::numeric_limits<int>::max()));
  }
  return static_cast<int>(value);
}

// The plan from the cache, or a new one. Allocates nothing when the plan is there. Throws
// std::invalid_argument for an extent that the FFT library cannot take, std::runtime_error when it
// makes no plan, std::bad_alloc.
template <class Scalar>
DECORR_DETAIL_COLD TransformPlan<Scalar> transform_plan(Eigen::Index length, Eigen::Index count,
                                                        Direction direction, Planning planning) {
  PlanKey key;
  key.scalar = Fftw<Scalar>::id;
  key.length = plan_extent(length, "length");
  key.count = plan_extent(count, "count");
  key.direction = direction;
  key.planning = planning;

  if (PlanCache::Value hit = PlanCache::find(key)) {
    return TransformPlan<Scalar>(std::move(hit));
  }
  // Declared before the lock, so that they are dropped after it on every way out.
  PlanCache::Value evicted;
  const auto made = std::make_shared<MadePlan<Scalar>>(key.length, key.count);
  const std::lock_guard<std::mutex> lock(process_planner_mutex());
  if (PlanCache::Value hit =
          PlanCache::find(key)) {  // another thread made it while this one waited
    return TransformPlan<Scalar>(std::move(hit));
  }
  made->make(direction, planning);
  evicted = PlanCache::insert(key, made);
  return TransformPlan<Scalar>(made);
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_FFT_PLAN_CACHE_HPP_
