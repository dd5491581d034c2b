#ifndef DECORR_DETAIL_PLAN_CACHE_HPP_
#define DECORR_DETAIL_PLAN_CACHE_HPP_

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

#include "decorr/detail/fftw.hpp"
#include "decorr/detail/scalars.hpp"
#include "decorr/detail/workspace.hpp"
#include "decorr/options.hpp"

namespace decorr {
namespace detail {

// Two locks: the planner's, which may be held for seconds, and the cache's, for look-ups. Where
// both are taken, the planner's comes first. A plan's destructor takes the planner's lock, so a
// plan may be dropped only under neither.

// Never destroyed, as plans may be destroyed after static objects are.
inline std::mutex& process_planner_mutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

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
    State& now = state();
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
  struct State {
    std::uint64_t number = 0;
    bool tells = true;
  };
  static State& state() {
    static State state;
    return state;
  }

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
      kept_->next = std::exchange(first_kept(), kept_.get());
      kept_.release();
    }
  }

  // Under the planner's lock, once. The arguments are those of Fftw<Scalar>::plan.
  template <class... Arguments>
  bool make(Arguments... arguments) {
    auto kept = std::make_unique<Kept>();
    life_ = PlannerLife<Scalar>::current();
    plan_ = kept->plan = Fftw<Scalar>::plan(arguments...);
    kept_ = std::move(kept);
    return plan_ != nullptr;
  }
  Plan get() const { return plan_; }

 private:
  // Where they can be found, so that a search for leaks does not tell of them.
  struct Kept {
    Plan plan = nullptr;
    Kept* next = nullptr;
  };
  static Kept*& first_kept() {
    static Kept* first = nullptr;
    return first;
  }

  Plan plan_ = nullptr;
  std::uint64_t life_ = 0;
  std::unique_ptr<Kept> kept_;  // allocated when nothing is lost yet if it fails
};

template <class Scalar>
class TransformPlan;

template <class Scalar>
std::shared_ptr<const TransformPlan<Scalar>> transform_plan(Eigen::Index length, Eigen::Index count,
                                                            Direction direction, Planning planning);

// `count` complex transforms of `length`, one after another in memory. Immutable, so any number of
// threads may use one.
template <class Scalar>
class TransformPlan {
 public:
  TransformPlan(const TransformPlan&) = delete;
  TransformPlan& operator=(const TransformPlan&) = delete;

  Eigen::Index length() const { return length_; }
  Eigen::Index count() const { return count_; }

  // Both arrays are distinct and on 64-byte boundaries, as the planned ones were. The input is
  // preserved.
  void execute(const std::complex<Scalar>* in, std::complex<Scalar>* out) const noexcept {
    Fftw<Scalar>::execute(plan_.get(), const_cast<std::complex<Scalar>*>(in), out);
  }

  // How much more power than on average a forward transform of this plan gives to frequencies
  // f = 0 .. length/2 of white noise, relative to the average. Zero in exact arithmetic; rounded
  // twiddle factors make it a few units in the last place, the same for every signal, so that it
  // does not average out over a batch.
  const Scalar* power_deviation() const {
    return static_cast<const Scalar*>(power_deviation_.data());
  }

 private:
  friend std::shared_ptr<const TransformPlan> transform_plan<Scalar>(Eigen::Index, Eigen::Index,
                                                                     Direction, Planning);

  TransformPlan(int length, int count) : length_(length), count_(count) {}

  // Under the planner's lock. Planning overwrites its arrays, so it gets scratch ones.
  void make(Direction direction, Planning planning) {
    const std::size_t row = array_bytes(length_, sizeof(std::complex<Scalar>));
    const std::size_t bytes = array_bytes(count_, row);
    const WorkspaceBlock in(bytes), out(bytes);
    if (!plan_.make(length_, count_, static_cast<std::complex<Scalar>*>(in.data()),
                    static_cast<std::complex<Scalar>*>(out.data()), transform_sign(direction),
                    planner_flags(planning))) {
      throw std::runtime_error("decorr: the FFT library made no plan for " +
                               std::to_string(count_) + " complex transforms of length " +
                               std::to_string(length_) + " of " + std::to_string(sizeof(Scalar)) +
                               "-byte reals");
    }
    if (direction == Direction::forward) {
      measure_power(static_cast<std::complex<Scalar>*>(in.data()),
                    static_cast<std::complex<Scalar>*>(out.data()));
    }
  }

  // From unit impulses, whose spectra have modulus 1 everywhere.
  void measure_power(std::complex<Scalar>* in, std::complex<Scalar>* out) {
    using Sum = Accumulator<Scalar>;
    const Eigen::Index length = length_, half = length / 2 + 1;
    // All of them for short transforms; for long ones a sample tells nearly as much.
    const Eigen::Index impulses =
        std::min(length, std::max(Eigen::Index{64}, (Eigen::Index{1} << 18) / length));
    const WorkspaceBlock sums(array_bytes(length, sizeof(Sum)));
    Sum* power = static_cast<Sum*>(sums.data());
    std::fill_n(power, length, Sum(0));
    std::fill_n(in, length * count_, std::complex<Scalar>(0));
    for (Eigen::Index i = 0; i < impulses; ++i) {
      std::complex<Scalar>& impulse = in[i * length / impulses];
      impulse = Scalar(1);
      execute(in, out);
      impulse = Scalar(0);
      for (Eigen::Index f = 0; f < length; ++f) {
        power[f] +=
            Sum(out[f].real()) * Sum(out[f].real()) + Sum(out[f].imag()) * Sum(out[f].imag());
      }
    }
    const Sum average = std::accumulate(power, power + length, Sum(0)) / Sum(length);
    power_deviation_ = WorkspaceBlock(array_bytes(half, sizeof(Scalar)));
    auto* deviation = static_cast<Scalar*>(power_deviation_.data());
    for (Eigen::Index f = 0; f < half; ++f) {
      const Eigen::Index mirrored = f == 0 ? 0 : length - f;
      deviation[f] = static_cast<Scalar>((power[f] + power[mirrored]) / (2 * average) - 1);
    }
  }

  int length_;
  int count_;
  OwnedPlan<Scalar> plan_;
  WorkspaceBlock power_deviation_;
};

struct PlanKey {
  int scalar = -1;
  int length = 0;
  int count = 0;
  Direction direction = Direction::forward;
  Planning planning = Planning::measure;

  bool operator==(const PlanKey& other) const {
    return scalar == other.scalar && length == other.length && count == other.count &&
           direction == other.direction && planning == other.planning;
  }
};

// The plans of the process, of all scalar types; the least recently used one makes room.
class PlanCache {
 public:
  static constexpr std::size_t kCapacity = 64;
  using Value = std::shared_ptr<const void>;

  static PlanCache& instance() {
    static auto* const cache = new PlanCache;
    return *cache;
  }

  Value find(const PlanKey& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t i = 0; i < size_; ++i) {
      if (entries_[i].key == key) {
        entries_[i].last_use = ++clock_;
        return entries_[i].value;
      }
    }
    return nullptr;
  }

  // Returns the value that made room, for the caller to drop when it holds no lock.
  [[nodiscard]] Value insert(const PlanKey& key, Value value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::size_t slot = size_;
    if (size_ < kCapacity) {
      ++size_;
    } else {
      slot = 0;
      for (std::size_t i = 1; i < size_; ++i) {
        if (entries_[i].last_use < entries_[slot].last_use) slot = i;
      }
    }
    Value evicted = std::exchange(entries_[slot].value, std::move(value));
    entries_[slot].key = key;
    entries_[slot].last_use = ++clock_;
    return evicted;
  }

  void clear() {
    std::array<Entry, kCapacity> dropped{};  // destroyed after the lock is given back
    const std::lock_guard<std::mutex> lock(mutex_);
    dropped.swap(entries_);
    size_ = 0;
  }

  std::size_t size() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return size_;
  }

 private:
  struct Entry {
    PlanKey key;
    std::uint64_t last_use = 0;
    Value value;
  };

  PlanCache() = default;

  std::mutex mutex_;
  std::array<Entry, kCapacity> entries_{};
  std::size_t size_ = 0;
  std::uint64_t clock_ = 0;
};

inline int plan_extent(Eigen::Index value, const char* name) {
  if (value < 1 || value > std::numeric_limits<int>::max()) {
    throw std::invalid_argument(std::string("transform_plan: ") + name + " is " +
                                std::to_string(value) + ", expected 1 to " +
                                std::to_string(std::numeric_limits<int>::max()));
  }
  return static_cast<int>(value);
}

// The plan from the cache, or a new one. Allocates nothing when the plan is there. Throws
// std::invalid_argument for an extent that the FFT library cannot take, std::runtime_error when it
// makes no plan, std::bad_alloc.
template <class Scalar>
std::shared_ptr<const TransformPlan<Scalar>> transform_plan(Eigen::Index length, Eigen::Index count,
                                                            Direction direction,
                                                            Planning planning) {
  using Plan = TransformPlan<Scalar>;
  PlanKey key;
  key.scalar = Fftw<Scalar>::id;
  key.length = plan_extent(length, "length");
  key.count = plan_extent(count, "count");
  key.direction = direction;
  key.planning = planning;

  PlanCache& cache = PlanCache::instance();
  if (PlanCache::Value hit = cache.find(key)) {
    return std::static_pointer_cast<const Plan>(std::move(hit));
  }
  // Declared before the lock, so that they are dropped after it on every way out.
  PlanCache::Value evicted;
  const std::shared_ptr<Plan> made(new Plan(key.length, key.count));
  const std::lock_guard<std::mutex> lock(process_planner_mutex());
  if (PlanCache::Value hit = cache.find(key)) {  // another thread made it while this one waited
    return std::static_pointer_cast<const Plan>(std::move(hit));
  }
  made->make(direction, planning);
  evicted = cache.insert(key, made);
  return made;
}

}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_PLAN_CACHE_HPP_
