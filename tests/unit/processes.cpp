// What several processes agree on, and how failures travel (detail/runtime: processes).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <decorr/detail/losses/batch.hpp>
#include <decorr/detail/runtime/processes.hpp>
#include <decorr/detail/runtime/workspace.hpp>
#include <decorr/errors.hpp>
#include <exception>
#include <functional>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "support/thread_communicator.hpp"

namespace unit_processes {

namespace {

using namespace decorr::detail;
using decorr::Communicator;
using decorr_tests::message_of;
using decorr_tests::ThreadGroup;

}  // namespace

TEST_CASE("settings have a hash each, in pieces whose squares are exact") {
  SettingsDigest settings;
  const double number = 0.1;
  settings.add("number", number);
  settings.add("empty", nullptr, 0);
  settings.add("bytes", "abc", 3);
  CHECK(settings.size() == 3);
  CHECK(std::string(settings.name(2)) == "bytes");
  SettingsDigest other;
  other.add("number", 0.1 + 1e-18);
  other.add("empty", nullptr, 0);
  other.add("bytes", "abd", 3);
  for (const int which : {0, 1}) {
    for (std::size_t i = 0; i < 3; ++i) {
      const double piece = settings.piece(i, which);
      CHECK(0 <= piece);
      CHECK(piece < 65536);
      CHECK(piece == static_cast<double>(static_cast<std::int64_t>(piece)));
      CHECK(settings.bin(i) < SettingsDigest::kBins);
    }
    CHECK(settings.piece(0, which) == other.piece(0, which));
    CHECK(settings.piece(1, which) == other.piece(1, which));
    CHECK(settings.piece(2, which) != other.piece(2, which));
  }
  CHECK(settings.piece(0, 0) != settings.piece(0, 1));
}

TEST_CASE("processes that agree know the rows of all, and sum") {
  ThreadGroup group(3);
  const auto failures = group.run([](int rank, Communicator& communicator) {
    Arena arena;
    Processes<float> processes(communicator, "f");
    processes.attempt([&] { processes.reserve(arena, 4); });
    SettingsDigest settings;
    settings.add("one", 1);
    settings.add("two", 2.5);
    settings.add("three", "three", 5);
    processes.agree(settings, 10 * rank);
    CHECK(processes.count() == 30);
    std::vector<double> taken;
    processes.sum(
        2,
        [&](double* to) {
          to[0] = rank;
          to[1] = 0.5;
        },
        [&](const double* from) { taken.assign(from, from + 2); });
    CHECK(taken == std::vector<double>{3, 1.5});
  });
  for (const auto& failure : failures) CHECK(message_of(failure).empty());
  CHECK(group.rounds() == 2);
}

TEST_CASE("what differs is named, with how many are in the minority, or agree at most") {
  const auto messages = [](const std::vector<int>& values) {
    ThreadGroup group(static_cast<int>(values.size()));
    const auto failures = group.run([&](int rank, Communicator& communicator) {
      Processes<double> processes(communicator, "f");
      SettingsDigest settings;
      settings.add("same", 7);
      // A byte: a hash, and with it which ones meet in a bin, goes by the order of a number's
      // bytes.
      settings.add("other", static_cast<unsigned char>(values[static_cast<std::size_t>(rank)]));
      processes.agree(settings, 1);
    });
    std::vector<std::string> texts;
    for (const auto& failure : failures) texts.push_back(message_of(failure));
    return texts;
  };
  const auto minority = messages({1, 1, 2, 1, 1});
  CHECK(minority[0] == "f: other differs from the others' on 1 of 5 processes");
  CHECK(minority[2] ==
        "f: other differs from the others' on 1 of 5 processes, this one among them");
  for (const auto& text : messages({1, 2, 3, 4})) {
    CHECK(text == "f: other differs among the processes, at most 1 of 4 processes agree");
  }
  // Sums of values that have the mean of the others.
  for (const auto& text : messages({1, 3, 2})) CHECK_FALSE(text.empty());
}

TEST_CASE("where the first setting differs, the function, nothing else is named") {
  ThreadGroup group(3);
  const auto failures = group.run([&](int rank, Communicator& communicator) {
    Processes<double> processes(communicator, "f");
    SettingsDigest settings;
    settings.add("the function", rank == 2 ? 1 : 0);
    settings.add("other", rank == 2 ? 1 : 0);
    processes.agree(settings, 1);
  });
  CHECK(message_of(failures[0]) == "f: the function differs from the others' on 1 of 3 processes");
  CHECK(message_of(failures[2]) ==
        "f: the function differs from the others' on 1 of 3 processes, this one among them");
}

namespace {

// What agree() sums of one setting: four numbers from this one on.
constexpr std::size_t kFirstPiece = 3;

// Two processes beside the one that calls, which give the same but for what `change` makes of the
// first sum.
class TwoOthers : public Communicator {
 public:
  explicit TwoOthers(std::function<void(double* numbers)> change) : change_(std::move(change)) {}
  void sum(double* numbers, std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) numbers[i] *= 3;
    if (sums_++ == 0) change_(numbers);
  }
  void sum(long double*, std::size_t) override { FAIL("nobody asks for this"); }

 private:
  std::function<void(double*)> change_;
  int sums_ = 0;
};

std::string message_with(const std::function<void(double* numbers)>& change) {
  TwoOthers others(change);
  Processes<double> processes(others, "f");
  SettingsDigest settings;
  settings.add("setting", 1.5);
  try {
    processes.agree(settings, 1);
  } catch (const decorr::CollectiveError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a setting is the same if both pieces of its hash have one mean and no variance") {
  CHECK(message_with([](double*) {}).empty());
  for (const std::size_t piece : {0U, 2U}) {
    // Others whose pieces have another mean; or this mean, one above it and one below.
    for (const std::size_t sum : {0U, 1U}) {
      for (const double change : {-2.0, 2.0}) {
        CAPTURE(piece);
        CAPTURE(sum);
        const std::string message =
            message_with([&](double* numbers) { numbers[kFirstPiece + piece + sum] += change; });
        CHECK(message.find("f: setting differs") == 0);
      }
    }
  }
}

TEST_CASE("sums that cannot be those of processes that are together are refused") {
  const std::string refused = "f: the processes do not sum the same";
  for (const double change : {1.0, -1.0, 0.5}) {
    CAPTURE(change);
    CHECK(message_with([&](double* numbers) { numbers[0] += change; }).find(refused) == 0);
  }
  for (const double rows : {-1.0, 2.5}) {
    CAPTURE(rows);
    CHECK(message_with([&](double* numbers) { numbers[2] = rows; }).find(refused) == 0);
  }
  CHECK(message_with([](double* numbers) { numbers[1] = 2; }) ==
        "f: failed on 2 of 3 processes, which say why");
}

TEST_CASE("processes reserve as many numbers as any loss sums at a time") {
  using Kind = SignalPairing::Kind;
  for (const Index features : {1, 2, 6, 29, 64}) {
    std::vector<decorr::Relaxed> forms(3);
    forms[1].block_size = 1;
    forms[2].block_size = (features + 1) / 2;
    std::vector<decorr::Regularizer> choices{decorr::Exact()};
    choices.insert(choices.end(), forms.begin(), forms.end());
    for (const decorr::Regularizer& choice : choices) {
      CAPTURE(features);
      const Index most = most_sums<float>(features, choice);
      CHECK(most >= MomentsPass<float>::most_sums(features, true));
      // Barlow Twins of views as they are has the diagonal, too, VICReg two views at once.
      CHECK(most >= sums_size(choice, features, SignalPairing(Kind::views)) + features);
      CHECK(most >= 2 * sums_size(choice, features, SignalPairing(Kind::samples)));
    }
  }
}

TEST_CASE("a sum of settings that differ is none where it cannot be a count of processes") {
  // Two processes' sums, but for the last, of how many have which setting.
  struct Garbage final : decorr::Communicator {
    explicit Garbage(double last) : number(last) {}
    void sum(double* numbers, std::size_t count) override {
      if (++sums == 1) {
        for (std::size_t i = 0; i < count; ++i) numbers[i] *= 2;
        numbers[3] += 1;  // the first piece of the first setting's hash
      } else {
        std::fill_n(numbers, count, number);
      }
    }
    void sum(long double*, std::size_t) override {}
    double number;
    int sums = 0;
  };
  for (const double number : {1e300, -1e300, std::numeric_limits<double>::quiet_NaN(), 0.5, 3.0}) {
    CAPTURE(number);
    Garbage communicator(number);
    Processes<double> processes(communicator, "f");
    SettingsDigest settings;
    settings.add("one", 1);
    std::string message;
    try {
      processes.agree(settings, 4);
    } catch (const decorr::CollectiveError& error) {
      message = error.what();
    }
    CHECK(message.find("do not sum the same") != std::string::npos);
    CHECK(communicator.sums == 2);
  }
}

TEST_CASE("a later sum of one process is not taken for another later one") {
  // Another process that is one sum behind.
  class Behind : public Communicator {
   public:
    void sum(double* numbers, std::size_t count) override {
      const double first = numbers[0];
      for (std::size_t i = 0; i < count; ++i) numbers[i] *= 2;
      if (++sums_ == 3) numbers[0] = first + before_;
      before_ = first;
    }
    void sum(long double*, std::size_t) override { FAIL("nobody asks for this"); }

   private:
    int sums_ = 0;
    double before_ = 0;
  };
  Behind behind;
  Arena arena;
  Processes<double> processes(behind, "f");
  processes.reserve(arena, 1);
  processes.agree(SettingsDigest(), 1);
  const auto sum = [&] { processes.sum(1, [](double* to) { *to = 0; }, [](const double*) {}); };
  sum();
  CHECK_THROWS_AS(sum(), decorr::CollectiveError);
}

TEST_CASE("a failure is kept until the next sum, and told to all there") {
  for (const int failing_round : {0, 1, 2}) {
    ThreadGroup group(3);
    const auto failures = group.run([&](int rank, Communicator& communicator) {
      Arena arena;
      Processes<double> processes(communicator, "f");
      processes.attempt([&] { processes.reserve(arena, 1); });
      int filled = 0, attempted = 0;
      const auto fail_in = [&](int round) {
        processes.attempt([&] {
          ++attempted;
          if (rank == 1 && round == failing_round) throw std::bad_alloc();
        });
        processes.attempt([&] { ++attempted; });
      };
      const auto sum = [&] {
        processes.sum(1, [&](double* to) { *to = ++filled; }, [](const double*) {});
      };
      fail_in(0);
      CHECK(attempted == (rank == 1 && failing_round == 0 ? 1 : 2));
      processes.agree(SettingsDigest(), 1);
      fail_in(1);
      sum();
      fail_in(2);
      sum();
      CHECK(false);
    });
    for (int rank = 0; rank < 3; ++rank) {
      const std::string text = message_of(failures[static_cast<std::size_t>(rank)]);
      CHECK(text ==
            (rank == 1 ? std::bad_alloc().what() : "f: failed on 1 of 3 processes, which say why"));
    }
    CHECK(group.rounds() == 1 + failing_round);
  }
}

TEST_CASE("a number of rows that is none is told") {
  class Spoiling final : public Communicator {
   public:
    void sum(double* numbers, std::size_t) override { numbers[2] = 0.5; }
    void sum(long double*, std::size_t) override {}
  };
  Spoiling spoiling;
  std::string message;
  try {
    Processes<double>(spoiling, "f").agree(SettingsDigest(), 3);
  } catch (const decorr::CollectiveError& e) {
    message = e.what();
  }
  CHECK(message.find("f: the processes do not sum the same") == 0);
}

TEST_CASE("a later sum of one process is not taken for the first one of another") {
  ThreadGroup group(2);
  const auto failures = group.run([&](int rank, decorr::Communicator& communicator) {
    SettingsDigest settings;
    settings.add("the function", 1);
    Arena arena;
    Processes<double> processes(communicator, "f");
    processes.reserve(arena, 54);
    processes.agree(settings, 3);
    if (rank == 0) {
      processes.sum(54, [](double* to) { to[0] = 0; }, [](const double*) {});
    } else {
      Processes<double>(communicator, "f").agree(settings, 3);
    }
  });
  for (const auto& failure : failures) {
    CHECK(message_of(failure).find("f: the processes do not sum the same") == 0);
  }
}

}  // namespace unit_processes
