// What a collective call's communication takes, beside the model of docs/distributed.md. As a
// program of MPI it measures the link's latency and bandwidth and then, with them, each form of
// Barlow Twins with gradients:
//
//   mpirun -n 4 build/distributed/bench/decorr_distributed_times --features 2048
//
// and with --paper it prints what the model says of processes that nobody has here. Tables are
// Markdown's. bench/distributed.sh runs both.

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <decorr/mpi.hpp>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Eigen::Index;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index kBlocks = 16;
constexpr double kMilli = 1e3, kMicro = 1e6;

struct Settings {
  bool paper = false;
  std::vector<Index> features = {2048};
  Index rows = 64, largest_exact = 2048;
  int repeats = 5;
  double latency = 5, bandwidth = 10;
};

enum class Form { relaxed, grouped, exact, gathered_exact, gathered_relaxed };

const char* name_of(Form form) {
  switch (form) {
    case Form::relaxed:
      return "relaxed";
    case Form::grouped:
      return "16 blocks";
    case Form::exact:
      return "exact, through C";
    case Form::gathered_exact:
      return "rows gathered, exact";
    default:
      return "rows gathered, relaxed";
  }
}
bool is_gathered(Form form) {
  return form == Form::gathered_exact || form == Form::gathered_relaxed;
}

// ---- The model.

// Seconds for a message, and bytes a second, of each process at the same time as all others.
struct Link {
  double latency, bandwidth;
};

double steps(int processes) { return std::ceil(std::log2(processes)); }

// The better of recursive doubling, which exchanges all numbers in each step, and of halving and
// doubling, which exchanges a half, a quarter, ... and all of it once more to spread the sums.
double sum_seconds(const Link& link, int processes, double bytes) {
  const double others = 1 - 1.0 / processes;
  return std::min(steps(processes) * (link.latency + bytes / link.bandwidth),
                  2 * steps(processes) * link.latency + 2 * others * bytes / link.bandwidth);
}

// A ring for each view.
double gathering_seconds(const Link& link, int processes, double bytes_of_a_view) {
  return 2 * (processes - 1) * (link.latency + bytes_of_a_view / link.bandwidth);
}

// The numbers in each sum of a standardized Barlow Twins with gradients, for a d without large
// prime factors.
std::vector<std::size_t> sums_of(Form form, Index features) {
  const auto d = static_cast<std::size_t>(features);
  const auto block = static_cast<std::size_t>(features / kBlocks);
  const std::size_t correlation = form == Form::relaxed ? 2 * d
                                  : form == Form::grouped
                                      ? std::size_t{2 * kBlocks * kBlocks} * (block / 2 + 1)
                                      : d * d;
  return {55, 2 * d + 1, 4 * d + 2, correlation + 1, 2 * d + 1};
}

double predicted_seconds(const Link& link, Form form, int processes, Index rows, Index features) {
  if (is_gathered(form)) {
    return gathering_seconds(link, processes,
                             static_cast<double>(rows * features) * double{sizeof(float)});
  }
  double result = 0;
  for (const std::size_t numbers : sums_of(form, features)) {
    result += sum_seconds(link, processes, static_cast<double>(numbers) * double{sizeof(double)});
  }
  return result;
}

// ---- The table on paper.

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), value < 1 ? "%.2f" : value < 10 ? "%.1f" : "%.0f", value);
  return text;
}
std::string readable(double seconds) {
  return seconds < 0.1 ? rounded(seconds * kMilli) + " ms" : rounded(seconds) + " s";
}

void print_paper(const Settings& settings) {
  const Link link = {settings.latency / kMicro, settings.bandwidth * 1e9};
  std::printf(
      "| d | P | relaxed | 16 blocks | exact, through C | rows gathered | exact: work of gathered "
      "rows to that through C |\n| --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Index features : settings.features) {
    for (const int processes : {8, 64, 1024, 16384}) {
      std::printf("| %ld | %d |", static_cast<long>(features), processes);
      for (const Form form : {Form::relaxed, Form::grouped, Form::exact, Form::gathered_exact}) {
        const double seconds = predicted_seconds(link, form, processes, settings.rows, features);
        std::printf(" %s |", readable(seconds).c_str());
      }
      // (P n)^2 d multiplications to n d^2, where P n rows are fewer than features; then the same
      // products in the same order, of P times the rows.
      const double p = processes;
      const double work =
          p * std::min(p * static_cast<double>(settings.rows), static_cast<double>(features)) /
          static_cast<double>(features);
      std::printf(" %s |\n", rounded(work).c_str());
    }
  }
}

// ---- Measurements.

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int rank_of_world() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}
int size_of_world() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

double most_of_all(double value) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return value;
}

// The least of the repeats, each of which takes as long as its slowest process.
template <class Call>
double least_seconds(int repeats, Call&& call) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeats; ++i) {
    MPI_Barrier(MPI_COMM_WORLD);
    least = std::min(least, most_of_all(call()));
  }
  return least;
}

// A step of the model: all processes at once exchange in pairs; one that is left over with itself.
double exchange_seconds(std::size_t bytes, int times, int repeats) {
  const int rank = rank_of_world();
  const int partner = (rank ^ 1) < size_of_world() ? rank ^ 1 : rank;
  const int count = static_cast<int>(bytes);
  std::vector<char> sent(bytes, 1), received(bytes);
  return least_seconds(repeats, [&] {
    const double start = now();
    for (int i = 0; i < times; ++i) {
      MPI_Sendrecv(sent.data(), count, MPI_BYTE, partner, 0, received.data(), count, MPI_BYTE,
                   partner, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return (now() - start) / times;
  });
}

Link measured_link(int repeats) {
  constexpr std::size_t kSmall = 8, kLarge = std::size_t{4} << 20;
  exchange_seconds(kLarge, 2, 1);  // connections, and buffers that are new
  const double latency = exchange_seconds(kSmall, 100, repeats);
  return {latency, double{kLarge} / (exchange_seconds(kLarge, 2, repeats) - latency)};
}

// Times the sums of another one. All processes begin a sum together, so that waiting for slower
// ones is not counted as communication.
class TimedCommunicator final : public decorr::Communicator {
 public:
  explicit TimedCommunicator(decorr::Communicator& sums) : sums_(sums) {}

  void sum(double* numbers, std::size_t count) override { timed_sum(numbers, count); }
  void sum(long double* numbers, std::size_t count) override { timed_sum(numbers, count); }

  double seconds() const { return seconds_; }
  const std::vector<std::size_t>& counts() const { return counts_; }

 private:
  template <class Number>
  void timed_sum(Number* numbers, std::size_t count) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = now();
    sums_.sum(numbers, count);
    seconds_ += now() - start;
    counts_.push_back(count);
  }

  decorr::Communicator& sums_;
  double seconds_ = 0;
  std::vector<std::size_t> counts_;
};

// A process's rows of a batch, and what a call makes of them.
class Batch {
 public:
  Batch(Index rows, Index features)
      : a_(random_rows(rows, features, 1)), b_(a_ + random_rows(rows, features, 2) / 2) {
    grad_a_ = grad_b_ = Rows::Zero(rows, features);
  }

  float call(Form form, decorr::Communicator& communicator) {
    decorr::Execution execution = local_;
    execution.communicator = &communicator;
    return call(form, a_, b_, grad_a_, grad_b_, execution);
  }

  // With the seconds that gathering took.
  float call_gathered(Form form, double& seconds) {
    const Index rows = a_.rows() * size_of_world();
    all_a_.resize(rows, a_.cols());
    all_b_.resize(rows, a_.cols());
    all_grad_a_.resize(rows, a_.cols());
    all_grad_b_.resize(rows, a_.cols());
    seconds = gather(a_, all_a_) + gather(b_, all_b_);
    return call(form, all_a_, all_b_, all_grad_a_, all_grad_b_, local_);
  }

 private:
  static Rows random_rows(Index rows, Index features, unsigned seed) {
    std::srand(2 * static_cast<unsigned>(rank_of_world()) + seed);
    return Rows::Random(rows, features);
  }

  static float call(Form form, const Rows& a, const Rows& b, Rows& grad_a, Rows& grad_b,
                    const decorr::Execution& execution) {
    decorr::Relaxed relaxed;
    if (form == Form::grouped) relaxed.block_size = a.cols() / kBlocks;
    const bool is_exact = form == Form::exact || form == Form::gathered_exact;
    const auto regularizer = is_exact ? decorr::Regularizer() : decorr::Regularizer(relaxed);
    return decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, regularizer, execution).value;
  }

  static double gather(const Rows& own, Rows& all) {
    const auto processes = static_cast<std::size_t>(size_of_world());
    const int size = static_cast<int>(own.size());
    const std::vector<int> sizes(processes, size);
    std::vector<int> starts(processes);
    for (std::size_t i = 1; i < processes; ++i) starts[i] = starts[i - 1] + size;
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = now();
    MPI_Allgatherv(own.data(), size, MPI_FLOAT, all.data(), sizes.data(), starts.data(), MPI_FLOAT,
                   MPI_COMM_WORLD);
    return now() - start;
  }

  Rows a_, b_, grad_a_, grad_b_;
  Rows all_a_, all_b_, all_grad_a_, all_grad_b_;
  decorr::Execution local_ = [] {
    decorr::Execution execution;
    execution.planning = decorr::Planning::estimate;
    return execution;
  }();
};

void print_row(const Settings& settings, const Link& link, Form form, Index features, Batch& batch,
               double& exact_value) {
  decorr::MpiCommunicator communicator(MPI_COMM_WORLD);
  const int processes = size_of_world();
  double value = 0;
  std::vector<std::size_t> counts;
  const auto communication = [&] {
    double seconds = 0;
    if (is_gathered(form)) {
      value = batch.call_gathered(form, seconds);
      return seconds;
    }
    TimedCommunicator timed(communicator);
    value = batch.call(form, timed);
    counts = timed.counts();
    return timed.seconds();
  };
  const auto whole = [&] {
    double ignored = 0;
    const double start = now();
    if (is_gathered(form)) {
      batch.call_gathered(form, ignored);
    } else {
      batch.call(form, communicator);
    }
    return now() - start;
  };
  communication();  // plans and memory
  const double measured = least_seconds(settings.repeats, communication);
  const double call = least_seconds(settings.repeats, whole);
  const double predicted = predicted_seconds(link, form, processes, settings.rows, features);

  if (!is_gathered(form) && counts != sums_of(form, features)) {
    throw std::runtime_error("the sums of a call are not those of the model");
  }
  if (form == Form::exact) exact_value = value;
  if (form == Form::gathered_exact && std::abs(value - exact_value) > 1e-3 * exact_value) {
    throw std::runtime_error("gathered rows have another loss");
  }
  // What is summed, or received.
  std::size_t bytes = 0;
  for (const std::size_t numbers : counts) bytes += sizeof(double) * numbers;
  if (is_gathered(form)) {
    bytes =
        2 * sizeof(float) * static_cast<std::size_t>((processes - 1) * settings.rows * features);
  }
  if (rank_of_world() == 0) {
    std::printf("| %s | %ld | %d | %zu | %zu | %.3g | %.3g | %.2f | %.3g |\n", name_of(form),
                static_cast<long>(features), processes, is_gathered(form) ? 2 : counts.size(),
                bytes, predicted * kMilli, measured * kMilli, measured / predicted, call * kMilli);
    std::fflush(stdout);
  }
}

void measure(const Settings& settings) {
  if (size_of_world() < 2) throw std::runtime_error("there is nothing to measure on one process");
  const Link link = measured_link(settings.repeats);
  if (rank_of_world() == 0) {
    std::printf("P = %d, n = %ld a process: latency %.3g us, bandwidth %.3g GB/s\n\n",
                size_of_world(), static_cast<long>(settings.rows), link.latency * kMicro,
                link.bandwidth / 1e9);
    std::printf(
        "| form | d | P | rounds | bytes | predicted, ms | measured, ms | measured / predicted | "
        "whole call, ms |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  }
  for (const Index features : settings.features) {
    Batch batch(settings.rows, features);
    double exact_value = 0;
    for (const Form form : {Form::relaxed, Form::grouped, Form::exact, Form::gathered_exact,
                            Form::gathered_relaxed}) {
      const bool is_large = form != Form::relaxed && form != Form::grouped;
      if (is_large && features > settings.largest_exact) continue;
      print_row(settings, link, form, features, batch, exact_value);
    }
  }
  if (rank_of_world() == 0) std::printf("\n");
}

void add_options(CLI::App& app, Settings& settings) {
  app.option_defaults()->always_capture_default();
  app.add_flag("--paper", settings.paper, "The model's table, without measuring");
  app.add_option("--features", settings.features, "d, multiples of 16; one or several")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--rows", settings.rows, "n, of each process")->check(CLI::PositiveNumber);
  app.add_option("--largest-exact", settings.largest_exact,
                 "The most features with which C and gathered rows are measured");
  app.add_option("--repeats", settings.repeats, "Calls, of which the least counts")
      ->check(CLI::PositiveNumber);
  app.add_option("--latency", settings.latency, "Of the model on paper, microseconds")
      ->check(CLI::PositiveNumber);
  app.add_option("--bandwidth", settings.bandwidth, "Of the model on paper, 1e9 bytes a second")
      ->check(CLI::PositiveNumber);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Communication of a collective call, measured and by the model");
  Settings settings;
  add_options(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.paper) {
    print_paper(settings);
    return 0;
  }
  MPI_Init(&argc, &argv);
  try {
    measure(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decorr_distributed_times: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  MPI_Finalize();
}
