#ifndef DECORR_DETAIL_RUNTIME_PROCESSES_HPP_
#define DECORR_DETAIL_RUNTIME_PROCESSES_HPP_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "decorr/communicator.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/decimal.hpp"
#include "decorr/detail/runtime/scalars.hpp"
#include "decorr/detail/runtime/workspace.hpp"
#include "decorr/errors.hpp"

// A call that several processes make together. What fails on one of them is kept until the next
// sum, in which a flag tells all others, so that all of them throw and none waits.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

// As std::copy, whose copy is shared by files that are compiled for different processors.
template <class Number>
void copy_numbers(const Number* from, Index count, Number* to) noexcept {
  for (Index i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

// What has to be the same on all processes, as a hash for each setting.
class SettingsDigest {
 public:
  static constexpr std::size_t kMost = 13;

  void add(const char* name, const void* data, std::size_t bytes) noexcept {
    const auto* byte = static_cast<const unsigned char*>(data);
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (std::size_t i = 0; i < bytes; ++i) {
      hash = (hash ^ byte[i]) * 1099511628211u;
    }
    // MurmurHash3's last step, so that every piece depends on every byte.
    for (const std::uint64_t factor : {0xff51afd7ed558ccdu, 0xc4ceb9fe1a85ec53u}) {
      hash = (hash ^ (hash >> 33)) * factor;
    }
    names_.at(size_) = name;
    hashes_[size_++] = hash ^ (hash >> 33);
  }
  template <class T>
  void add(const char* name, const T& value) noexcept {
    add(name, &value, sizeof(value));
  }

  std::size_t size() const noexcept { return size_; }
  const char* name(std::size_t i) const noexcept { return names_[i]; }
  // Pieces of a hash, each small enough for the sum of its squares to be exact.
  double piece(std::size_t i, int which) const noexcept {
    return static_cast<double>((hashes_[i] >> (16 * which)) & 0xffff);
  }
  std::size_t bin(std::size_t i) const noexcept {
    return static_cast<unsigned>(hashes_[i] >> 48) % kBins;
  }
  static constexpr std::size_t kBins = 256;

 private:
  std::array<const char*, kMost> names_ = {};
  std::array<std::uint64_t, kMost> hashes_ = {};
  std::size_t size_ = 0;
};

template <class Scalar>
class Processes {
 public:
  using Sum = Accumulator<Scalar>;

  // `function` is named in what is thrown, and outlives this object.
  Processes(Communicator& communicator, const char* function)
      : communicator_(&communicator), function_(function) {}

  // The rows of all processes, and how many these are, once they have agreed.
  Index count() const noexcept { return count_; }
  double size() const noexcept { return processes_; }

  // Does what may fail, unless something has.
  template <class Body>
  void attempt(const Body& body) noexcept {
    if (failure_) {
      return;
    }
    try {
      body();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  // Memory for sums of so many numbers.
  void reserve(Arena& arena, Index most) { numbers_ = Buffer<Sum>(arena, most + 1); }

  // The first sum, of the same length whatever differs. Throws on all processes if one has failed,
  // or if settings differ.
  DECORR_DETAIL_COLD void agree(const SettingsDigest& settings, Index rows) {
    constexpr std::size_t most = 3 + 4 * SettingsDigest::kMost;
    std::array<double, most> header = {kFirstSum, failure_ ? 1.0 : 0.0, static_cast<double>(rows)};
    for (std::size_t i = 0; i < settings.size(); ++i) {
      for (int which = 0; which < 2; ++which) {
        const double piece = settings.piece(i, which);
        const std::size_t at = 3 + 4 * i + 2 * static_cast<std::size_t>(which);
        header[at] = piece;
        header[at + 1] = piece * piece;
      }
    }
    communicator_->sum(header.data(), most);
    processes_ = header[0] / kFirstSum;
    check_together(is_count(processes_) && processes_ > 0 && is_count(header[2]));
    throw_failures(header[1]);
    count_ = static_cast<Index>(header[2]);
    bool differ = false;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      differ = differ || differs(header.data() + 3 + 4 * i, settings, i);
    }
    if (differ) {
      throw_differences(header.data() + 3, settings);
    }
  }

  // Sums `size` numbers: fill(to) writes this process's, take(from) reads those of all.
  template <class Fill, class Take>
  void sum(Index size, const Fill& fill, const Take& take) {
    if (failure_) {
      numbers_.fill(Sum(0));
    } else {
      fill(numbers_.data() + 1);
    }
    // Which sum it is, the same on all processes, and whether this one has failed.
    const double which = kLaterSum * ++sums_;
    numbers_[0] = static_cast<Sum>(which) + (failure_ ? 1 : 0);
    communicator_->sum(numbers_.data(), static_cast<std::size_t>(size) + 1);
    const double failures = static_cast<double>(numbers_[0]) - processes_ * which;
    check_together(is_count(failures) && failures <= processes_);
    throw_failures(failures);
    take(static_cast<const Sum*>(numbers_.data() + 1));
  }

  // How many processes say so.
  DECORR_DETAIL_COLD std::string count_of(double processes) const {
    return decimal(static_cast<long long>(processes)) + " of " +
           decimal(static_cast<long long>(processes_)) + " processes";
  }

 private:
  // What sums begin with, times the number of processes: by it sums of different kinds are told
  // apart.
  static constexpr double kFirstSum = (1 << 30) + 1, kLaterSum = 1 << 22;

  static bool is_count(double number) noexcept {
    return number >= 0 && number < 4503599627370496.0 && !differ(number, std::floor(number));
  }
  DECORR_DETAIL_COLD void check_together(bool are_together) const {
    if (!are_together) {
      throw CollectiveError(std::string(function_) +
                            ": the processes do not sum the same: one of them is in another call, "
                            "or has left one without the others; or the sum is none");
    }
  }

  void throw_failures(double failures) const {
    if (!(failures > 0)) {
      return;
    }
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    throw CollectiveError(std::string(function_) + ": failed on " + count_of(failures) +
                          ", which say why");
  }

  // By the sums of the hashes and of their squares: all are equal to this one if their mean is and
  // they have no variance. Whether that is so, all processes find alike.
  bool differs(const double* sums, const SettingsDigest& settings, std::size_t i) const noexcept {
    for (int which = 0; which < 2; ++which, sums += 2) {
      const double piece = settings.piece(i, which);
      if (differ(sums[0], processes_ * piece) || differ(sums[1], processes_ * (piece * piece))) {
        return true;
      }
    }
    return false;
  }

  static bool differ(double x, double y) noexcept { return x < y || x > y; }

  // One more sum, of how many processes have which hash.
  [[noreturn]] DECORR_DETAIL_COLD void throw_differences(const double* sums,
                                                         const SettingsDigest& settings) {
    constexpr std::size_t kBins = SettingsDigest::kBins;
    std::array<double, SettingsDigest::kMost * kBins> counts = {};
    for (std::size_t i = 0; i < settings.size(); ++i) {
      counts[i * kBins + settings.bin(i)] = 1;
    }
    communicator_->sum(counts.data(), counts.size());
    check_together(std::all_of(counts.begin(), counts.end(), [&](double count) noexcept {
      return is_count(count) && count <= processes_;
    }));
    std::string message = function_;
    const char* separator = ": ";
    for (std::size_t i = 0; i < settings.size(); ++i) {
      if (!differs(sums + 4 * i, settings, i)) {
        continue;
      }
      const double* of_bins = counts.data() + i * kBins;
      const double most = *std::max_element(of_bins, of_bins + kBins);
      message += separator;
      message += settings.name(i);
      message += 2 * most > processes_
                     ? " differs from the others' on " + count_of(processes_ - most)
                     : " differs among the processes, at most " + count_of(most) + " agree";
      if (2 * most > processes_ && of_bins[settings.bin(i)] < most) {
        message += ", this one among them";
      }
      separator = "; ";
      if (i == 0) {  // Of another function everything differs.
        break;
      }
    }
    throw CollectiveError(message);
  }

  Communicator* communicator_;
  const char* function_;
  double processes_ = 1;
  Index count_ = 0;
  int sums_ = 0;  // after the first one
  std::exception_ptr failure_;
  Buffer<Sum> numbers_;
};

// Does what may fail. Of several processes none fails alone, and not before the next sum; null
// where there is one.
template <class Scalar, class Body>
void attempt(Processes<Scalar>* processes, const Body& body) {
  if (processes == nullptr) {
    body();
  } else {
    processes->attempt(body);
  }
}

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_PROCESSES_HPP_
