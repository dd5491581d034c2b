// libdecorr, which chooses its loops at run time, beside the headers compiled for this processor:
// the same calls in turn, so that both meet the same machine. The library is to take at most 1.2
// times as long. DECORR_CPU asks for other loops.
#include <decorr/c_api.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <string>
#include <vector>

namespace {

using Eigen::Index;

template <class Call>
double seconds(Call&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double>& times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

// Prints the medians of both in milliseconds and the median of their ratios.
template <class Library, class Headers>
void compare(const std::string& name, Library&& library, Headers&& headers) {
  constexpr double budget = 1.5;  // seconds for each
  library();
  headers();
  const double once = seconds(headers);
  const int repetitions = std::clamp(static_cast<int>(budget / once), 5, 200);
  std::vector<double> library_times, header_times, ratios;
  for (int i = 0; i < repetitions; ++i) {
    library_times.push_back(seconds(library));
    header_times.push_back(seconds(headers));
    ratios.push_back(library_times.back() / header_times.back());
  }
  std::printf("%-44s %9.3f %9.3f %7.3f\n", name.c_str(), 1e3 * median(library_times),
              1e3 * median(header_times), median(ratios));
}

template <class Storage>
constexpr std::int32_t kType = std::is_same<Storage, float>::value    ? DECORR_FLOAT32
                               : std::is_same<Storage, double>::value ? DECORR_FLOAT64
                                                                      : DECORR_FLOAT16;

template <class Storage>
void compare_barlow_twins(const char* type, Index n, Index d, bool relaxed) {
  using Rows = Eigen::Matrix<Storage, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Rows z_a = Eigen::MatrixXf::Random(n, d).cast<Storage>();
  const Rows z_b = Eigen::MatrixXf::Random(n, d).cast<Storage>();
  Rows grad_a(n, d), grad_b(n, d);
  const auto in_a = decorr_input_rows(z_a.data(), kType<Storage>, n, d);
  const auto in_b = decorr_input_rows(z_b.data(), kType<Storage>, n, d);
  const auto out_a = decorr_output_rows(grad_a.data(), kType<Storage>, n, d);
  const auto out_b = decorr_output_rows(grad_b.data(), kType<Storage>, n, d);
  decorr_regularizer regularizer;
  decorr_regularizer_defaults(&regularizer, sizeof regularizer);
  regularizer.form = relaxed ? DECORR_RELAXED : DECORR_EXACT;
  const auto library = [&] {
    if (decorr_barlow_twins_loss(&in_a, &in_b, &out_a, &out_b, nullptr, &regularizer, nullptr,
                                 nullptr) != DECORR_OK) {
      std::printf("%s\n", decorr_error_message());
    }
  };
  const auto headers = [&] {
    relaxed ? decorr::barlow_twins_loss(z_a, z_b, grad_a, grad_b, {}, decorr::Relaxed{})
            : decorr::barlow_twins_loss(z_a, z_b, grad_a, grad_b, {}, decorr::Exact{});
  };
  compare("barlow_twins/" + std::string(type) + "/n:" + std::to_string(n) +
              "/d:" + std::to_string(d) + (relaxed ? "/relaxed" : "/exact"),
          library, headers);
}

}  // namespace

int main() {
  std::printf("libdecorr %s runs its loops for: %s\n", decorr_version(), decorr_cpu());
  std::printf("%-44s %9s %9s %7s\n", "median, ms", "libdecorr", "headers", "ratio");
  compare_barlow_twins<float>("float", 256, 8192, true);
  compare_barlow_twins<float>("float", 256, 1024, false);
  compare_barlow_twins<float>("float", 2048, 1024, false);
  compare_barlow_twins<double>("double", 256, 8192, true);
  compare_barlow_twins<double>("double", 256, 1024, false);
  compare_barlow_twins<Eigen::half>("half", 256, 8192, true);
}
