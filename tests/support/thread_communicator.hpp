#ifndef DECORR_TESTS_SUPPORT_THREAD_COMMUNICATOR_HPP_
#define DECORR_TESTS_SUPPORT_THREAD_COMMUNICATOR_HPP_

#include <condition_variable>
#include <cstddef>
#include <decorr/communicator.hpp>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace decorr_tests {

inline std::string message_of(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

/// Threads in the place of processes: what the communicators of one group are given is added up in
/// the order of the ranks.
class ThreadGroup {
 public:
  explicit ThreadGroup(int size) : parts_(static_cast<std::size_t>(size)) {}

  int size() const { return static_cast<int>(parts_.size()); }
  /// The sums so far, and how many bytes each process gave to them.
  int rounds() const { return rounds_; }
  std::size_t bytes() const { return bytes_; }

  class Member : public decorr::Communicator {
   public:
    Member(ThreadGroup& group, int rank) : group_(&group), rank_(rank) {}
    void sum(double* numbers, std::size_t count) override { group_->sum(rank_, numbers, count); }
    void sum(long double* numbers, std::size_t count) override {
      group_->sum(rank_, numbers, count);
    }

   private:
    ThreadGroup* group_;
    int rank_;
  };

  /// body(rank, communicator) on a thread for each rank; what they threw, or null.
  std::vector<std::exception_ptr> run(
      const std::function<void(int rank, decorr::Communicator& communicator)>& body) {
    std::vector<std::exception_ptr> failures(parts_.size());
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size(); ++rank) {
      threads.emplace_back([&, rank] {
        Member member(*this, rank);
        try {
          body(rank, member);
        } catch (...) {
          failures[static_cast<std::size_t>(rank)] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return failures;
  }

 private:
  template <class Number>
  void sum(int rank, Number* numbers, std::size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    auto& part = parts_[static_cast<std::size_t>(rank)];
    part.assign(numbers, numbers + count);
    if (++arrived_ == size()) {
      total_.assign(count, 0);
      for (const auto& its : parts_) {
        if (its.size() != count) differ_ = true;
        for (std::size_t i = 0; i < count && !differ_; ++i) total_[i] += its[i];
      }
      ++rounds_;
      bytes_ += count * sizeof(Number);
      arrived_ = 0;
      all_.notify_all();
    } else {
      const int round = rounds_;
      all_.wait(lock, [&] { return rounds_ != round; });
    }
    if (differ_) throw std::logic_error("the processes sum different lengths");
    for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<Number>(total_[i]);
  }

  std::mutex mutex_;
  std::condition_variable all_;
  std::vector<std::vector<long double>> parts_;
  std::vector<long double> total_;
  int arrived_ = 0, rounds_ = 0;
  std::size_t bytes_ = 0;
  bool differ_ = false;
};

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_THREAD_COMMUNICATOR_HPP_
