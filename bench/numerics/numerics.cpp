// The measured part of docs/numerics.md: the largest errors of value and gradient over what
// bounds.hpp promises, of the library and of the textbook route, for every kind of data.
//
//   bench/numerics/report.sh    (the page)
//   build/release/bench/decorr_numerics --seed 7    (other batches)

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace decorr_numerics {
namespace {

struct Shape {
  Index rows, cols, block_size;
};

/// The largest ratios of the exact form, and of the relaxed ones.
struct Row {
  Measured exact, relaxed;
  int cases = 0;

  void take(const LossCase& loss_case, const Measured& measured) {
    Measured& of = loss_case.relaxed() == nullptr ? exact : relaxed;
    of.library.take_larger(measured.library);
    of.textbook.take_larger(measured.textbook);
    ++cases;
  }
};

void print_header(const std::string& what) {
  std::printf(
      "| %s | exact: value | textbook | gradient | textbook | relaxed: value | textbook | gradient "
      "| textbook |\n| --- |",
      what.c_str());
  for (int column = 0; column < 8; ++column) std::printf(" --- |");
  std::printf("\n");
}

std::string number(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, ratio < 0.01 ? "< 0.01" : ratio < 10 ? "%.2f" : "%.0e", ratio);
  return text;
}

void print_row(const std::string& name, const Row& row) {
  if (row.cases == 0) {
    std::printf("| %s | out of range |  |  |  |  |  |  |  |\n", name.c_str());
    return;
  }
  std::printf("| %s |", name.c_str());
  for (const Measured* of : {&row.exact, &row.relaxed}) {
    std::printf(" %s | %s | %s | %s |", number(of->library.value).c_str(),
                number(of->textbook.value).c_str(), number(of->library.gradient).c_str(),
                number(of->textbook.gradient).c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}

/// All functions and forms of some kinds of data.
template <class Stored, class Scalar>
void measure_into(Row& row, const Kind& kind, const Shape& shape, std::uint64_t seed) {
  const Batch batch = batch_of(kind, shape.rows, shape.cols, seed);
  for (const LossCase& loss_case : numerics_cases(shape.cols, shape.block_size)) {
    if (kind.has_mean && is_raw(loss_case)) continue;
    const auto measured = measure<Stored, Scalar>(loss_case, batch);
    if (measured) row.take(loss_case, *measured);
  }
}

template <class Stored, class Scalar>
void print_kinds(const std::string& title, const std::vector<Kind>& all, std::uint64_t seed,
                 int seeds) {
  std::printf("### %s\n\n", title.c_str());
  print_header("data");
  for (const Kind& kind : all) {
    Row row;
    for (int draw = 0; draw < seeds; ++draw) {
      // More samples than features, fewer, and fewer than blocks: all routes.
      for (const Shape& shape : {Shape{40, 24, 7}, Shape{20, 33, 8}, Shape{5, 48, 4}}) {
        measure_into<Stored, Scalar>(row, kind, shape, seed + static_cast<std::uint64_t>(draw));
      }
    }
    print_row(kind.name, row);
  }
  std::printf("\n");
}

void print_growth(std::uint64_t seed) {
  std::printf("### Growth with n and d: correlated views, float\n\n");
  print_header("n, d");
  for (const Shape& shape : {Shape{8, 8, 2}, Shape{8, 64, 16}, Shape{8, 512, 64}, Shape{64, 8, 2},
                             Shape{512, 8, 2}, Shape{4096, 8, 2}, Shape{512, 64, 16}}) {
    Row row;
    measure_into<float, float>(row, all_kinds().front(), shape, seed);
    print_row(std::to_string(shape.rows) + ", " + std::to_string(shape.cols), row);
  }
  std::printf("\n");
}

int run(int argc, char** argv) {
  CLI::App app{
      "Measures the library's rounding errors against MPFR, and prints docs/numerics.md's tables"};
  std::uint64_t seed = 1;
  int seeds = 2;
  app.add_option("--seed", seed, "of the first batch of each kind")->capture_default_str();
  app.add_option("--seeds", seeds, "batches of each kind")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const std::vector<Kind> all = all_kinds();
  print_kinds<float, float>("float", all, seed, seeds);
  print_kinds<double, double>("double", all, seed, seeds);
  const std::vector<Kind> ordinary(all.begin(), all.begin() + 4);
  print_kinds<long double, long double>("long double", ordinary, seed, seeds);
  print_kinds<Eigen::half, float>("half, computed in float", ordinary, seed, seeds);
  print_kinds<Eigen::bfloat16, float>("bfloat16, computed in float", ordinary, seed, seeds);
  print_growth(seed);
  return 0;
}

}  // namespace
}  // namespace decorr_numerics

int main(int argc, char** argv) { return decorr_numerics::run(argc, argv); }
