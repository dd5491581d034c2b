#ifndef DECORR_TESTS_SUPPORT_LOCKS_HPP_
#define DECORR_TESTS_SUPPORT_LOCKS_HPP_

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace decorr_tests {

/// Whether a call on another thread waits while this one holds the mutex; it is over on return. A
/// call that takes the lock always does; one that does not is given much longer than it needs.
template <class Mutex, class Call>
bool waits_for(Mutex& mutex, const Call& call) {
  std::atomic<bool> is_over{false};
  std::unique_lock<Mutex> lock(mutex);
  std::thread thread([&] {
    call();
    is_over = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const bool waited = !is_over;
  lock.unlock();
  thread.join();
  return waited;
}

/// Whether a call on another thread comes to its end while this one holds the mutex. One that waits
/// for it is given up after seconds.
template <class Call>
bool is_over_while_held(std::mutex& mutex, const Call& call) {
  std::atomic<bool> is_over{false};
  std::unique_lock<std::mutex> lock(mutex);
  std::thread thread([&] {
    call();
    is_over = true;
  });
  for (int i = 0; i < 1000 && !is_over; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const bool result = is_over;
  lock.unlock();
  thread.join();
  return result;
}

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_LOCKS_HPP_
