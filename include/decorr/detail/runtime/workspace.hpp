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
#include "decorr/detail/runtime/compiler.hpp"
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
  static constexpr std::size_t kMost = 256;

  std::mutex mutex;
  std::array<RawBlock, kMost> blocks;
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t most_bytes = std::size_t{64} << 20;  // set_workspace_limit() changes it
};
inline ProcessState<FreeBlocks> free_blocks;

inline namespace DECORR_ABI {

// Being shared by all threads, it does not grow with threads that have ended; being a fixed array,
// it allocates nothing to take or give back a block. Cold, so never inlined.
class WorkspacePool {
 public:
  DECORR_DETAIL_COLD static RawBlock acquire(std::size_t bytes) {
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

  DECORR_DETAIL_COLD static void release(RawBlock block) noexcept {
    const std::lock_guard<std::mutex> lock(free().mutex);
    if (block.bytes > free().most_bytes) return delete_block(block);
    // The block given back longest ago makes room, so that the shapes in use now stay.
    shrink_to(free().most_bytes - block.bytes, FreeBlocks::kMost - 1);
    free().blocks[free().count++] = block;
    free().bytes += block.bytes;
  }

  DECORR_DETAIL_COLD static void clear() noexcept {
    const std::lock_guard<std::mutex> lock(free().mutex);
    shrink_to(0, 0);
  }

  DECORR_DETAIL_COLD static std::size_t set_limit(std::size_t bytes) noexcept {
    const std::lock_guard<std::mutex> lock(free().mutex);
    shrink_to(bytes, FreeBlocks::kMost);
    return std::exchange(free().most_bytes, bytes);
  }

 private:
  static FreeBlocks& free() { return free_blocks.value; }

  // At most an eighth more than asked for, in whole cache lines.
  static std::size_t size_class(std::size_t bytes) {
    std::size_t step = kWorkspaceAlignment;
    while (bytes > 16 * step) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  static void shrink_to(std::size_t bytes, std::size_t count) noexcept {
    while (free().bytes > bytes || free().count > count) delete_block(remove(0));
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

// The memory of one call, all of it given back at the end. What may allocate, and so may fail,
// takes an arena as argument; what takes none is noexcept. Small arrays share a block of the pool,
// large ones have their own: calls for the same shapes ask for the same blocks.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  DECORR_DETAIL_COLD ~Arena() {
    while (last_ != nullptr) WorkspacePool::release(std::exchange(last_, last_->before)->block);
  }

  // On a 64-byte boundary. Throws std::bad_alloc.
  DECORR_DETAIL_COLD void* take(std::size_t bytes) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
    bytes = (bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment;
    if (bytes > kSharedBytes / 4) return add_block(bytes);
    if (bytes > left_) {
      next_ = add_block(kSharedBytes);
      left_ = kSharedBytes;
    }
    left_ -= bytes;
    return std::exchange(next_, next_ + bytes);
  }

 private:
  static constexpr std::size_t kSharedBytes = std::size_t{1} << 16;

  // At the beginning of each block, so that the list of them takes no memory of its own.
  struct alignas(kWorkspaceAlignment) Header {
    RawBlock block;
    Header* before;
  };

  char* add_block(std::size_t bytes) {
    const RawBlock block = WorkspacePool::acquire(sizeof(Header) + bytes);
    last_ = new (block.data) Header{block, last_};
    return static_cast<char*>(block.data) + sizeof(Header);
  }

  Header* last_ = nullptr;
  char* next_ = nullptr;
  std::size_t left_ = 0;  // bytes from next_ on
};

// An array of T on a 64-byte boundary, in an arena that outlives it: a pointer and a size, to be
// copied as they are. Its elements start uninitialized.
template <class T>
class Buffer {
 public:
  static_assert(std::is_trivially_copyable<T>::value && std::is_trivially_destructible<T>::value,
                "elements are neither constructed nor destroyed one by one");
  static_assert(alignof(T) <= kWorkspaceAlignment, "T needs a larger alignment");

  Buffer() = default;
  Buffer(Arena& arena, Eigen::Index count)
      : data_(count == 0 ? nullptr : static_cast<T*>(arena.take(array_bytes(count, sizeof(T))))),
        size_(count) {}
  Buffer(Arena& arena, Eigen::Index count, T value) : Buffer(arena, count) { fill(value); }

  void fill(T value) noexcept {
    for (Eigen::Index i = 0; i < size_; ++i) data_[i] = value;
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  Eigen::Index size() const noexcept { return size_; }
  T& operator[](Eigen::Index i) noexcept { return data_[i]; }
  const T& operator[](Eigen::Index i) const noexcept { return data_[i]; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  T* data_ = nullptr;
  Eigen::Index size_ = 0;
};

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_RUNTIME_WORKSPACE_HPP_
