#ifndef DECORR_DETAIL_RUNTIME_WORKSPACE_HPP_
#define DECORR_DETAIL_RUNTIME_WORKSPACE_HPP_

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <limits>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/process_state.hpp"

namespace decorr {
namespace detail {

inline constexpr std::size_t kWorkspaceAlignment = 64;  // a cache line, and the widest vector

struct RawBlock {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// The free blocks of the process, in the order in which they were given back.
struct FreeBlocks {
  static constexpr std::size_t kMost = 256;  // one call takes up to 80

  std::mutex mutex;
  std::array<RawBlock, kMost> blocks;
  std::size_t count = 0;
  std::size_t bytes = 0;
};
inline ProcessState<FreeBlocks> free_blocks;

inline namespace DECORR_ABI {

// Being shared by all threads, it does not grow with threads that have ended; being a fixed array,
// it allocates nothing to take or give back a block.
class WorkspacePool {
 public:
  // Pages that a system gives anew can cost more than the work on them: C of 8192 features stays.
  static constexpr std::size_t kMostBytes = std::size_t{512} << 20;

  static RawBlock acquire(std::size_t bytes) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
    bytes = size_class(bytes);
    {
      const std::lock_guard<std::mutex> lock(free().mutex);
      // The block given back last is the one that the cache may still hold. Only one of the very
      // class is taken, so that calls that ask for the same sizes never want for one.
      for (std::size_t i = free().count; i > 0; --i) {
        if (free().blocks[i - 1].bytes == bytes) return remove(i - 1);
      }
    }
    return {::operator new(bytes, std::align_val_t{kWorkspaceAlignment}), bytes};
  }

  static void release(RawBlock block) noexcept {
    if (block.bytes > kMostBytes) return delete_block(block);
    const std::lock_guard<std::mutex> lock(free().mutex);
    // The block given back longest ago makes room, so that the shapes in use now stay.
    while (free().count == FreeBlocks::kMost || free().bytes + block.bytes > kMostBytes) {
      delete_block(remove(0));
    }
    free().blocks[free().count++] = block;
    free().bytes += block.bytes;
  }

  static void clear() noexcept {
    const std::lock_guard<std::mutex> lock(free().mutex);
    while (free().count > 0) delete_block(remove(free().count - 1));
  }

 private:
  static FreeBlocks& free() { return free_blocks.value; }

  // At most an eighth more than asked for, in whole cache lines.
  static std::size_t size_class(std::size_t bytes) {
    std::size_t step = kWorkspaceAlignment;
    while (bytes > 16 * step) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  static RawBlock remove(std::size_t index) noexcept {
    const RawBlock block = free().blocks[index];
    for (std::size_t i = index + 1; i < free().count; ++i) {
      free().blocks[i - 1] = free().blocks[i];
    }
    --free().count;
    free().bytes -= block.bytes;
    return block;
  }

  static void delete_block(RawBlock block) noexcept {
    ::operator delete(block.data, std::align_val_t{kWorkspaceAlignment});
  }
};

inline void clear_workspaces() noexcept { WorkspacePool::clear(); }

// Owns one block of the pool.
class WorkspaceBlock {
 public:
  WorkspaceBlock() = default;
  explicit WorkspaceBlock(std::size_t bytes) {
    if (bytes > 0) block_ = WorkspacePool::acquire(bytes);
  }
  WorkspaceBlock(WorkspaceBlock&& other) noexcept : block_(std::exchange(other.block_, {})) {}
  WorkspaceBlock& operator=(WorkspaceBlock&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~WorkspaceBlock() {
    if (block_.data != nullptr) WorkspacePool::release(block_);
  }

  void* data() const { return block_.data; }

 private:
  RawBlock block_;
};

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

#endif  // DECORR_DETAIL_RUNTIME_WORKSPACE_HPP_
