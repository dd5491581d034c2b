// One of the calls whose memory traffic is counted, so many times in a row, for bytes.sh:
//
//   decorr_counted_calls --call vicreg/signs --calls 2

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <stdexcept>
#include <string>

#include "calls.hpp"

namespace {

using Eigen::Index;

struct Settings {
  std::string call = "barlow_twins/signs", scalar = "float", order = "row_major";
  Index rows = 128, features = 8192;
  int calls = 1;
};

template <class Scalar, int kOrder>
void run(const Settings& settings) {
  // FFTW measures nothing, so that a call does the same wherever it is counted.
  const Calls<Scalar, kOrder> calls(settings.rows, settings.features, decorr::Planning::estimate);
  const auto found = calls.all().find(settings.call);
  if (found == calls.all().end()) {
    std::string message = "no call " + settings.call + "; there are";
    for (const auto& call : calls.all()) {
      message += " " + call.first;
    }
    throw std::invalid_argument(message);
  }
  for (int i = 0; i < settings.calls; ++i) {
    found->second();
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Calls of one kind, to be counted by another program");
    Settings settings;
    app.option_defaults()->always_capture_default();
    app.add_option("--call", settings.call, "Which, with gradients");
    app.add_option("--calls", settings.calls, "How many of them")->check(CLI::NonNegativeNumber);
    app.add_option("--scalar", settings.scalar)->check(CLI::IsMember({"float", "double"}));
    app.add_option("--order", settings.order, "Of the matrices' storage")
        ->check(CLI::IsMember({"row_major", "column_major"}));
    app.add_option("--rows", settings.rows, "Samples, n")->check(CLI::PositiveNumber);
    app.add_option("--features", settings.features, "d")->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    const bool column_major = settings.order == "column_major";
    if (settings.scalar == "float") {
      column_major ? run<float, Eigen::ColMajor>(settings) : run<float, Eigen::RowMajor>(settings);
    } else {
      column_major ? run<double, Eigen::ColMajor>(settings)
                   : run<double, Eigen::RowMajor>(settings);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decorr_counted_calls: %s\n", error.what());
    return 1;
  }
}
