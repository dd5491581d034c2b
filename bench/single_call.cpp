// One loss on matrices from files, in a process of its own so that the peak memory is its own:
//
//   build/release/bench/decorr_single_call --a a.raw --b b.raw --rows 256 --columns 8192
//
// Prints lines of key and value. bench/peers/compare.py runs it beside bench/peers/single_call.py,
// which takes the same options.

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "peers/sigreg.hpp"

namespace {

using Eigen::Index;

struct Settings {
  std::string a, b, gradient_a, gradient_b, permutation, directions;
  std::string scalar = "float32", loss = "barlow_twins", form = "relaxed", planning = "measure";
  Index rows = 0, columns = 0, block_size = 0, slices = 0;
  int exponent = 2, repeats = 10;
};

std::streamsize bytes_of(Index count, std::size_t size) {
  return static_cast<std::streamsize>(count) * static_cast<std::streamsize>(size);
}

template <class Value>
void read(const std::string& path, Value* values, Index count) {
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values), bytes_of(count, sizeof(Value)));
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw std::runtime_error(path + " does not hold " + std::to_string(count) + " values");
  }
}

template <class Matrix>
void write(const std::string& path, const Matrix& matrix) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(matrix.data()),
             bytes_of(matrix.size(), sizeof(*matrix.data())));
  if (!file) throw std::runtime_error("cannot write " + path);
}

decorr::Relaxed read_relaxed(const Settings& settings) {
  decorr::Relaxed result;
  result.exponent = settings.exponent;
  result.block_size = settings.block_size;
  if (!settings.permutation.empty()) {
    std::vector<std::int64_t> permutation(static_cast<std::size_t>(settings.columns));
    read(settings.permutation, permutation.data(), settings.columns);
    result.permutation.assign(permutation.begin(), permutation.end());
  }
  return result;
}

// Not getrusage's ru_maxrss: that one starts at the size of the process that started this one.
long peak_memory_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  long kib = 0;
  while (status >> word) {
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  throw std::runtime_error("no VmHWM in /proc/self/status");
}

// SIGReg's directions, or none.
template <class Matrix>
Matrix read_directions(const Settings& settings) {
  Matrix directions(settings.slices, settings.columns);
  if (settings.slices > 0) read(settings.directions, directions.data(), directions.size());
  return directions;
}

template <class Matrix>
typename Matrix::Scalar call(const Settings& settings, const decorr::Relaxed& relaxed,
                             const Matrix& directions, const Matrix& a, const Matrix& b,
                             Matrix& grad_a, Matrix& grad_b) {
  if (settings.loss == "sigreg") {
    return peers::sigreg(a, directions, grad_a) + peers::sigreg(b, directions, grad_b);
  }
  decorr::Execution execution;
  execution.planning = settings.planning == "estimate"  ? decorr::Planning::estimate
                       : settings.planning == "patient" ? decorr::Planning::patient
                                                        : decorr::Planning::measure;
  const auto loss_with = [&](const auto& regularizer) {
    return settings.loss == "vicreg"
               ? decorr::vicreg_loss(a, b, grad_a, grad_b, {}, regularizer, execution).value
               : decorr::barlow_twins_loss(a, b, grad_a, grad_b, {}, regularizer, execution).value;
  };
  return settings.form == "exact" ? loss_with(decorr::Exact{}) : loss_with(relaxed);
}

template <class Scalar>
void run(const Settings& settings) {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const decorr::Relaxed relaxed = read_relaxed(settings);
  const auto directions = read_directions<Matrix>(settings);
  Matrix a(settings.rows, settings.columns), b(settings.rows, settings.columns);
  read(settings.a, a.data(), a.size());
  read(settings.b, b.data(), b.size());
  Matrix grad_a = Matrix::Zero(a.rows(), a.cols()), grad_b = grad_a;

  // Code is loaded when it is first used; it shall not count as memory of the call.
  const Matrix tiny = Matrix::Random(2, 8);
  Matrix tiny_grad_a = tiny, tiny_grad_b = tiny;
  call(settings, {}, tiny, tiny, tiny, tiny_grad_a, tiny_grad_b);

  const long baseline = peak_memory_kib();
  Scalar value = 0;
  const auto timed_call = [&] {
    const auto start = std::chrono::steady_clock::now();
    value = call(settings, relaxed, directions, a, b, grad_a, grad_b);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  const double first = timed_call();  // makes the plans
  std::vector<double> milliseconds;
  for (int i = 0; i < settings.repeats; ++i) milliseconds.push_back(timed_call());
  const long peak = peak_memory_kib();

  const auto middle = milliseconds.begin() + settings.repeats / 2;
  std::nth_element(milliseconds.begin(), middle, milliseconds.end());
  std::printf("value %.17g\nmilliseconds %.6g\n", static_cast<double>(value), *middle);
  std::printf("first_call_milliseconds %.6g\n", first);
  std::printf("peak_memory_kib %ld\nbaseline_memory_kib %ld\n", peak, baseline);
  if (!settings.gradient_a.empty()) write(settings.gradient_a, grad_a);
  if (!settings.gradient_b.empty()) write(settings.gradient_b, grad_b);
}

void add_options(CLI::App& app, Settings& settings) {
  app.option_defaults()->always_capture_default();
  app.add_option("--a", settings.a, "File of the first view: raw values, row by row")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--b", settings.b, "File of the second view")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--rows", settings.rows, "Samples, n")->required()->check(CLI::PositiveNumber);
  app.add_option("--columns", settings.columns, "Features, d")
      ->required()
      ->check(CLI::PositiveNumber);
  app.add_option("--scalar", settings.scalar, "Type of the values")
      ->check(CLI::IsMember({"float32", "float64"}));
  app.add_option("--loss", settings.loss, "With the library's default weights; or SIGReg's")
      ->check(CLI::IsMember({"barlow_twins", "vicreg", "sigreg"}));
  app.add_option("--slices", settings.slices, "Of SIGReg");
  app.add_option("--directions", settings.directions,
                 "File of SIGReg's directions: slices x columns values, row by row")
      ->check(CLI::ExistingFile);
  app.add_option("--form", settings.form, "Of the regularizer")
      ->check(CLI::IsMember({"relaxed", "exact"}));
  app.add_option("--exponent", settings.exponent, "q of the relaxed form, 1 or 2");
  app.add_option("--block-size", settings.block_size,
                 "Features a block of the relaxed form, b; 0: a single block");
  app.add_option("--permutation", settings.permutation,
                 "File of the relaxed form's permutation: raw int64")
      ->check(CLI::ExistingFile);
  app.add_option("--planning", settings.planning, "How FFTW plans, in the first call")
      ->check(CLI::IsMember({"estimate", "measure", "patient"}));
  app.add_option("--repeats", settings.repeats, "Calls that are timed, after the first")
      ->check(CLI::PositiveNumber);
  app.add_option("--gradient-a", settings.gradient_a, "File for the gradient by the first view");
  app.add_option("--gradient-b", settings.gradient_b, "File for the gradient by the second view");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Value, time and memory of one loss with its gradients, on one thread");
    Settings settings;
    add_options(app, settings);
    CLI11_PARSE(app, argc, argv);
    if (settings.scalar == "float64") {
      run<double>(settings);
    } else {
      run<float>(settings);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decorr_single_call: %s\n", error.what());
    return 1;
  }
}
