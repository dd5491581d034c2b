// One of the calls whose memory traffic is counted, so many times in a row, for bytes.sh:
//
//   decorr_counted_calls --call vicreg/signs --calls 2

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <complex>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "batch.hpp"

namespace {

using Eigen::Index;

// FFTW measures nothing, so that a call does the same wherever it is counted.
decorr::Execution estimated() {
  decorr::Execution execution;
  execution.planning = decorr::Planning::estimate;
  return execution;
}

template <class Scalar, int kOrder = Eigen::RowMajor>
class Calls {
 public:
  using Function = std::function<void()>;

  Calls(Index n, Index d) : data_(n, d) {
    for (const Index block_size : {Index{0}, Index{512}}) {
      decorr::Relaxed relaxed;
      relaxed.block_size = block_size;
      const decorr::Relaxed signs = with_signs(d, relaxed);
      const std::string form = block_size == 0 ? "signs" : "block_size:512/signs";
      calls_["barlow_twins/" + form] = [this, signs] { barlow_twins(signs, true); };
      calls_["barlow_twins/" + form + "/not_standardized"] = [this, signs] {
        barlow_twins(signs, false);
      };
      calls_["vicreg/" + form] = [this, signs] {
        decorr::vicreg_loss(data_.a, data_.b, data_.grad_a, data_.grad_b, {}, signs, estimated());
      };
      calls_["variance_covariance/" + form] = [this, signs] {
        decorr::variance_covariance_loss(data_.a, data_.grad_a, {}, signs, estimated());
      };
    }
    calls_["r_sum"] = [this] {
      decorr::r_sum(data_.a, data_.b, data_.grad_a, data_.grad_b, {}, estimated());
    };
    // What bounds them: a copy of both views, and the transforms on data that stay in the cache.
    calls_["copy"] = [this] {
      data_.grad_a = data_.a;
      data_.grad_b = data_.b;
    };
    calls_["transforms"] = [this] { transforms(); };
  }

  const std::map<std::string, Function>& all() const { return calls_; }

 private:
  void barlow_twins(const decorr::Relaxed& relaxed, bool standardize) {
    decorr::BarlowTwinsOptions options;
    options.standardize = standardize;
    decorr::barlow_twins_loss(data_.a, data_.b, data_.grad_a, data_.grad_b, options, relaxed,
                              estimated());
  }
  void transforms() {
    using Complex = std::complex<Scalar>;
    using decorr::detail::Direction;
    const Index d = data_.a.cols();
    std::vector<Complex> signal(static_cast<std::size_t>(d)), spectrum(signal.size());
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      const auto plan =
          decorr::detail::transform_plan<Scalar>(d, 1, direction, decorr::Planning::estimate);
      for (Index k = 0; k < data_.a.rows(); ++k) {
        plan.execute(signal.data(), spectrum.data());
      }
    }
  }

  Batch<Scalar, kOrder> data_;
  std::map<std::string, Function> calls_;
};

struct Settings {
  std::string call = "barlow_twins/signs", scalar = "float", order = "row_major";
  Index rows = 128, features = 8192;
  int calls = 1;
};

template <class Scalar, int kOrder>
void run(const Settings& settings) {
  const Calls<Scalar, kOrder> calls(settings.rows, settings.features);
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
