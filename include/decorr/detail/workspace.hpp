#ifndef DECORR_DETAIL_WORKSPACE_HPP_
#define DECORR_DETAIL_WORKSPACE_HPP_

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <limits>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "decorr/detail/abi.hpp"

namespace decorr {
namespace detail {

inline constexpr std::size_t kWorkspaceAlignment = 64;  // a cache line, and the widest vector

struct RawBlock {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// Free blocks of the whole process. Being shared by all threads, it does not grow with threads that
// have ended; being a fixed array, it allocates nothing to take or give back a block.
class WorkspacePool {
 public:
  static constexpr std::size_t kMostBlocks = 256;  // one call takes up to 80
  // Pages that a system gives anew can cost more than the work on them: C of 8192 features stays.
  static constexpr std::size_t kMostBytes = std::size_t{512} << 20;

  // Never destroyed: buffers with static lifetime may outlive any order of destruction.
  static WorkspacePool& instance() {
    static auto* const pool = new WorkspacePool;
    return *pool;
  }

  RawBlock acquire(std::size_t bytes) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
    bytes = size_class(bytes);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      // The block given back last is the one that the cache may still hold. Only one of the very
      // class is taken, so that calls that ask for the same sizes never want for one.
      for (std::size_t i = count_; i > 0; --i) {
        if (blocks_[i - 1].bytes == bytes) return remove(i - 1);
      }
    }
    return {::operator new(bytes, std::align_val_t{kWorkspaceAlignment}), bytes};
  }

  void release(RawBlock block) noexcept {
    if (block.bytes > kMostBytes) return free_block(block);
    const std::lock_guard<std::mutex> lock(mutex_);
    // The block given back longest ago makes room, so that the shapes in use now stay.
    while (count_ == kMostBlocks || retained_ + block.bytes > kMostBytes) free_block(remove(0));
    blocks_[count_++] = block;
    retained_ += block.bytes;
  }

  void clear() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (count_ > 0) free_block(remove(count_ - 1));
  }

 private:
  WorkspacePool() = default;

  // At most an eighth more than asked for, in whole cache lines.
  static std::size_t size_class(std::size_t bytes) {
    std::size_t step = kWorkspaceAlignment;
    while (bytes > 16 * step) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  RawBlock remove(std::size_t index) noexcept {
    const RawBlock block = blocks_[index];
    for (std::size_t i = index + 1; i < count_; ++i) blocks_[i - 1] = blocks_[i];
    --count_;
    retained_ -= block.bytes;
    return block;
  }

  static void free_block(RawBlock block) noexcept {
    ::operator delete(block.data, std::align_val_t{kWorkspaceAlignment});
  }

  std::mutex mutex_;
  std::array<RawBlock, kMostBlocks> blocks_{};  // in the order in which they were given back
  std::size_t count_ = 0;
  std::size_t retained_ = 0;
};

inline void clear_workspaces() noexcept { WorkspacePool::instance().clear(); }

// Owns one block of the pool.
class WorkspaceBlock {
 public:
  WorkspaceBlock() = default;
  explicit WorkspaceBlock(std::size_t bytes) {
    if (bytes > 0) block_ = WorkspacePool::instance().acquire(bytes);
  }
  WorkspaceBlock(WorkspaceBlock&& other) noexcept : block_(std::exchange(other.block_, {})) {}
  WorkspaceBlock& operator=(WorkspaceBlock&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~WorkspaceBlock() {
    if (block_.data != nullptr) WorkspacePool::instance().release(block_);
  }

  void* data() const { return block_.data; }

 private:
  RawBlock block_;
};

inline namespace DECORR_ABI {

inline std::size_t array_bytes(Eigen::Index count, std::size_t element_bytes) {
  if (count < 0 ||
      static_cast<std::size_t>(count) > std::numeric_limits<std::size_t>::max() / element_bytes) {
    throw std::bad_alloc();
  }
  return static_cast<std::size_t>(count) * element_bytes;
}

// An array of T on a 64-byte boundary, from the pool. Its elements start uninitialized.
template <class T>
class Buffer {
 public:
  static_assert(std::is_trivially_copyable<T>::value && std::is_trivially_destructible<T>::value,
                "elements are neither constructed nor destroyed one by one");
  static_assert(alignof(T) <= kWorkspaceAlignment, "T needs a larger alignment");

  Buffer() = default;
  explicit Buffer(Eigen::Index count) : block_(array_bytes(count, sizeof(T))), size_(count) {}
  Buffer(Buffer&& other) noexcept
      : block_(std::move(other.block_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    std::swap(block_, taken.block_);
    std::swap(size_, taken.size_);
    return *this;
  }

  static Buffer filled(Eigen::Index count, T value) {
    Buffer buffer(count);
    T* const x = buffer.data();
    for (Eigen::Index i = 0; i < count; ++i) x[i] = value;
    return buffer;
  }

  T* data() { return static_cast<T*>(block_.data()); }
  const T* data() const { return static_cast<const T*>(block_.data()); }
  Eigen::Index size() const { return size_; }
  T& operator[](Eigen::Index i) { return data()[i]; }
  const T& operator[](Eigen::Index i) const { return data()[i]; }
  explicit operator bool() const { return block_.data() != nullptr; }

 private:
  WorkspaceBlock block_;
  Eigen::Index size_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_WORKSPACE_HPP_
