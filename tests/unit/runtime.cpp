// Chunks, workers, memory and references to functions (detail/runtime).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <decorr/detail/runtime/decimal.hpp>
#include <decorr/detail/runtime/function_ref.hpp>
#include <decorr/detail/runtime/parallel.hpp>
#include <decorr/detail/runtime/scalars.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <limits>
#include <mutex>
#include <new>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/locks.hpp"

namespace unit_runtime {

namespace {

using namespace decorr::detail;

using Pairs = std::vector<std::pair<Index, Index>>;

// The chunks of first .. last - 1, cut one index after another.
Pairs cut(Index first, Index last, Index chunk, Sweep sweep) {
  Pairs pairs;
  for (Index i = first; i < last; ++i) {
    if ((i - first) % chunk == 0) pairs.emplace_back(i, i);
    pairs.back().second = i + 1;
  }
  if (sweep == Sweep::descending) std::reverse(pairs.begin(), pairs.end());
  return pairs;
}

bool is_aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % kWorkspaceAlignment == 0;
}

// No block of the pool is left over from before, and the limit is as it was in the end.
class EmptyPool {
 public:
  EmptyPool() : limit_(WorkspacePool::set_limit(std::size_t{64} << 20)) { WorkspacePool::clear(); }
  ~EmptyPool() { WorkspacePool::set_limit(limit_); }
  EmptyPool(const EmptyPool&) = delete;
  EmptyPool& operator=(const EmptyPool&) = delete;

  static std::size_t count() { return free_blocks.value.count; }
  static std::size_t bytes() { return free_blocks.value.bytes; }

 private:
  std::size_t limit_;
};

}  // namespace

TEST_CASE("chunks hold every index once, in the order of the sweep") {
  for (const Sweep sweep : {Sweep::ascending, Sweep::descending}) {
    for (Index size = 0; size <= 13; ++size) {
      for (const Index chunk : {1, 2, 3, 5, 12, 13, 14, 100}) {
        CAPTURE(size);
        CAPTURE(chunk);
        Pairs visited;
        for_each_chunk(
            size, chunk, [&](Index begin, Index end) { visited.emplace_back(begin, end); }, sweep);
        CHECK(visited == cut(0, size, chunk, sweep));

        const Chunks chunks(7, 7 + size, chunk, sweep);
        visited.clear();
        for (Index i = 0; i < chunks.count(); ++i) {
          chunks.visit(i, [&](Index begin, Index end) { visited.emplace_back(begin, end); });
        }
        CHECK(visited == cut(7, 7 + size, chunk, sweep));
      }
    }
  }
}

TEST_CASE("parallel_chunks takes every chunk once and merges in the order of the sweep") {
  constexpr Index kFirst = 3;
  for (const Sweep sweep : {Sweep::ascending, Sweep::descending}) {
    for (int workers = 1; workers <= 3; ++workers) {
      for (const Index size : {0, 1, 4, 5, 29}) {
        for (const Index chunk : {1, 4, 30}) {
          CAPTURE(workers);
          CAPTURE(size);
          CAPTURE(chunk);
          std::vector<int> taken(static_cast<std::size_t>(size), 0);
          std::vector<std::pair<Index, Index>> current(static_cast<std::size_t>(workers));
          Pairs merged;
          merged.reserve(64);
          bool known = true;
          const auto body = [&](int worker, Index first, Index last) noexcept {
            for (Index i = first; i < last; ++i) ++taken[static_cast<std::size_t>(i - kFirst)];
            if (worker < 0 || worker >= workers) {
              known = false;
              return;
            }
            current[static_cast<std::size_t>(worker)] = {first, last};
          };
          parallel_chunks(
              workers, kFirst, kFirst + size, chunk, body,
              [&](int worker) noexcept {
                merged.push_back(current[static_cast<std::size_t>(worker)]);
              },
              sweep);
          const std::vector<int> once(taken.size(), 1), twice(taken.size(), 2);
          CHECK(taken == once);
          CHECK(merged == cut(kFirst, kFirst + size, chunk, sweep));
          parallel_chunks(workers, kFirst, kFirst + size, chunk, body, sweep);
          CHECK(taken == twice);
          CHECK(known);
        }
      }
    }
  }
}

TEST_CASE("there are as many workers as threads and chunks allow, at least one") {
#if defined(_OPENMP)
  CHECK(worker_count(3, 100, 10) == 3);
  CHECK(worker_count(20, 100, 10) == 10);
  CHECK(worker_count(20, 101, 10) == 11);
  CHECK(worker_count(3, 5, 10) == 1);
  CHECK(worker_count(std::numeric_limits<int>::max(), Index{1} << 30, 10) == 1024);
#else
  CHECK(worker_count(3, 100, 10) == 1);
#endif
  CHECK(worker_count(1, 100, 10) == 1);
  CHECK(worker_count(3, 0, 10) == 1);
}

TEST_CASE_TEMPLATE("workers' arrays share no cache line", T, char, float, double, Index) {
  Arena arena;
  for (const Index size : {1, 7, 64, 65}) {
    PerWorker<T> arrays(arena, 3, size);
    for (int worker = 0; worker < 3; ++worker) {
      CHECK(is_aligned(arrays.of(worker)));
      std::fill_n(arrays.of(worker), size, static_cast<T>(worker));
      if (worker > 0) CHECK(arrays.of(worker) - arrays.of(worker - 1) >= size);
    }
    for (int worker = 0; worker < 3; ++worker) {
      CHECK(std::count(arrays.of(worker), arrays.of(worker) + size, static_cast<T>(worker)) ==
            size);
    }
  }
}

TEST_CASE("an arena's arrays are aligned, hold what was asked for and do not overlap") {
  const EmptyPool pool;
  Arena arena;
  struct Taken {
    unsigned char* data;
    std::size_t bytes;
  };
  std::vector<Taken> all;
  // Small ones share a block, which is full several times over; large ones are in between.
  for (int round = 0; round < 40; ++round) {
    for (const std::size_t bytes : {1U, 63U, 64U, 65U, 5000U, 16383U, 16384U, 16385U, 200000U}) {
      if (bytes > 20000 && round > 3) continue;
      all.push_back({static_cast<unsigned char*>(arena.take(bytes)), bytes});
      CHECK(is_aligned(all.back().data));
    }
  }
  const auto pattern = [](std::size_t i) { return static_cast<unsigned char>(i % 251); };
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::fill_n(all[i].data, all[i].bytes, pattern(i));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto bytes = static_cast<std::ptrdiff_t>(all[i].bytes);
    CHECK(std::count(all[i].data, all[i].data + bytes, pattern(i)) == bytes);
  }
}

TEST_CASE("an arena gives back all that it took, and the next one gets the same") {
  const EmptyPool pool;
  std::set<const void*> first, second;
  for (std::set<const void*>* taken : {&first, &second}) {
    {
      Arena arena;
      for (const std::size_t bytes :
           {100U, 300000U, 40000U, 10000U, 300000U, 16000U, 16000U, 16000U}) {
        taken->insert(arena.take(bytes));
      }
      CHECK(pool.count() == 0);
    }
    CHECK(pool.count() == 4);  // three large ones, and one that the small ones share
    CHECK(pool.bytes() >= 640000 + 58100);
  }
  CHECK(first == second);
  WorkspacePool::clear();
  CHECK(pool.count() == 0);
  CHECK(pool.bytes() == 0);
}

TEST_CASE("buffers are as long as asked for, filled where a value is given, and empty by default") {
  Arena arena;
  Buffer<double> empty, none(arena, 0), ones(arena, 17, 1.0);
  CHECK_FALSE(empty);
  CHECK_FALSE(none);
  CHECK(none.size() == 0);
  REQUIRE(ones);
  CHECK(ones.size() == 17);
  CHECK(std::count(ones.data(), ones.data() + 17, 1.0) == 17);
  ones.fill(2);
  CHECK(std::count(ones.data(), ones.data() + 17, 2.0) == 17);
}

TEST_CASE("a block of the pool is at most an eighth larger than what is asked for") {
  const EmptyPool pool;
  for (std::size_t bytes = 1; bytes < (std::size_t{1} << 22); bytes += 1 + bytes / 7) {
    const RawBlock block = WorkspacePool::acquire(bytes);
    CHECK(is_aligned(block.data));
    CHECK(block.bytes >= bytes);
    CHECK(block.bytes <= std::max(bytes + bytes / 8, (bytes + 63) / 64 * 64));
    WorkspacePool::release(block);
  }
}

TEST_CASE("a block goes with the one that it is moved to, and none is taken for no bytes") {
  WorkspaceBlock block(100);
  void* const data = block.data();
  WorkspaceBlock moved(std::move(block));
  CHECK(moved.data() == data);
  CHECK(block.data() == nullptr);  // NOLINT(bugprone-use-after-move): that is what is asked for
  CHECK(WorkspaceBlock(0).data() == nullptr);
}

TEST_CASE("the pool keeps no more bytes than its limit, and those given back last") {
  const EmptyPool pool;
  CHECK(WorkspacePool::set_limit(10000) == std::size_t{64} << 20);
  const RawBlock first = WorkspacePool::acquire(4096), second = WorkspacePool::acquire(4096),
                 third = WorkspacePool::acquire(4096), large = WorkspacePool::acquire(20000);
  for (const RawBlock& block : {first, second, third, large}) {
    WorkspacePool::release(block);
    CHECK(pool.bytes() <= 10000);
  }
  CHECK(pool.count() == 2);
  const RawBlock last = WorkspacePool::acquire(4096), before = WorkspacePool::acquire(4096);
  CHECK(last.data == third.data);
  CHECK(before.data == second.data);
  WorkspacePool::release(before);
  WorkspacePool::release(last);
  CHECK(WorkspacePool::set_limit(5000) == 10000);
  CHECK(pool.count() == 1);
  CHECK(WorkspacePool::set_limit(0) == 5000);
  CHECK(pool.count() == 0);
  {
    Arena arena;
    const Buffer<float> used(arena, 1000);
  }
  CHECK(pool.count() == 0);
}

TEST_CASE("a block comes back to those who ask for its size, and to nobody else") {
  const EmptyPool pool;
  {
    const WorkspaceBlock large(8192);
  }
  REQUIRE(pool.count() == 1);
  {
    const WorkspaceBlock small(64);
    CHECK(pool.count() == 1);
    const WorkspaceBlock large(8192);
    CHECK(pool.count() == 0);
  }
  CHECK(pool.count() == 2);
  CHECK(pool.bytes() == 8192 + 64);
}

TEST_CASE("a block as large as the limit is kept") {
  const EmptyPool pool;
  WorkspacePool::set_limit(4096);
  {
    const WorkspaceBlock block(4096);
  }
  CHECK(pool.count() == 1);
}

TEST_CASE("numbers in messages have all of their digits") {
  CHECK(decimal(0) == "0");
  CHECK(decimal(-1234567) == "-1234567");
  CHECK(decimal((1LL << 40) + 5) == "1099511627781");
}

TEST_CASE("the pool keeps no more blocks than it has places for") {
  const EmptyPool pool;
  std::vector<RawBlock> blocks(FreeBlocks::kMost + 5);
  for (RawBlock& block : blocks) block = WorkspacePool::acquire(64);
  for (const RawBlock& block : blocks) WorkspacePool::release(block);
  CHECK(pool.count() == FreeBlocks::kMost);
  CHECK(pool.bytes() == 64 * FreeBlocks::kMost);
}

TEST_CASE("what cannot be had throws bad_alloc, and leaves an arena as it was") {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  CHECK_THROWS_AS(array_bytes(-1, 8), std::bad_alloc);
  CHECK_THROWS_AS(array_bytes(-1, 1), std::bad_alloc);
  CHECK_THROWS_AS(array_bytes(std::numeric_limits<Index>::max(), 8), std::bad_alloc);
  CHECK(array_bytes(5, 8) == 40);
  CHECK_THROWS_AS(WorkspaceBlock(kMost / 2), std::bad_alloc);
  CHECK_THROWS_AS(WorkspaceBlock{kMost}, std::bad_alloc);
  Arena arena;
  CHECK_THROWS_AS(arena.take(kMost), std::bad_alloc);
  CHECK_THROWS_AS(arena.take(kMost / 2), std::bad_alloc);
  CHECK_THROWS_AS(Buffer<double>(arena, std::numeric_limits<Index>::max()), std::bad_alloc);
  const Buffer<int> usable(arena, 3, 4);
  CHECK(usable[2] == 4);
}

TEST_CASE("threads take blocks from one pool and give them back") {
  const EmptyPool pool;
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 200; ++round) {
        Arena arena;
        const auto number = static_cast<int>(t) * 1000 + round;
        const Buffer<int> small(arena, 100, number), large(arena, 10000, number);
        for (const Buffer<int>& buffer : {small, large}) {
          wrong[t] +=
              std::count(buffer.data(), buffer.data() + buffer.size(), number) != buffer.size();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
  CHECK(pool.count() >= 2);
  CHECK(pool.count() <= 8);
}

TEST_CASE("the pool is changed under its lock") {
  using decorr_tests::waits_for;
  const EmptyPool pool;
  std::mutex& mutex = free_blocks.value.mutex;
  RawBlock block;
  CHECK(waits_for(mutex, [&] { block = WorkspacePool::acquire(64); }));
  CHECK(waits_for(mutex, [&] { WorkspacePool::release(block); }));
  CHECK(waits_for(mutex, [] { WorkspacePool::set_limit(std::size_t{1} << 20); }));
  CHECK(waits_for(mutex, [] { WorkspacePool::clear(); }));
}

TEST_CASE("a reference to a function calls that very function") {
  struct Counter {
    int* calls;
    const Counter* self;
    void operator()(int factor) const noexcept { *calls += this == self ? factor : 1000; }
  };
  int calls = 0;
  Counter counter{&calls, nullptr};
  counter.self = &counter;
  const FunctionRef<int> reference(counter), copy = reference;
  reference(2);
  copy(3);
  CHECK(calls == 5);

  int sum = 0;
  const auto add_product = [&sum](int x, const int& y) noexcept { sum += x * y; };
  const FunctionRef<int, const int&> two(add_product);
  two(4, 5);
  CHECK(sum == 20);
}

TEST_CASE("16-bit numbers are computed in float, and float is summed in double") {
  CHECK(std::is_same<ComputeScalarOf<const Eigen::half>, float>::value);
  CHECK(std::is_same<ComputeScalarOf<Eigen::bfloat16>, float>::value);
  CHECK(std::is_same<ComputeScalarOf<float>, float>::value);
  CHECK(std::is_same<ComputeScalarOf<long double>, long double>::value);
  CHECK(std::is_same<Accumulator<float>, double>::value);
  CHECK(std::is_same<Accumulator<double>, double>::value);
  CHECK(std::is_same<Accumulator<long double>, long double>::value);
}

}  // namespace unit_runtime
