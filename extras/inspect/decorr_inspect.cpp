// Tells from saved embeddings whether they have collapsed, what the losses make of them, and how
// well the relaxed regularizer stands in for the exact one. See docs/inspect.md.

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "diagnostics.hpp"
#include "gnuplot.hpp"
#include "npy.hpp"
#include "printable.hpp"
#include "published_losses.hpp"

namespace {

using namespace inspect;  // NOLINT(google-build-using-namespace): the headers beside this file
using support::correlation_commands;
using support::draw;
using support::printable_name;

namespace fs = std::filesystem;

// What may be left out is, beyond so many multiplications: about a minute of one core.
constexpr double kMostWork = 1e12;
constexpr double kBytesPerGiB = 1024.0 * 1024 * 1024;

struct Settings {
  std::string path_a, output, loss;
  std::optional<std::string> path_b;
  double collapsed_below = 0.01, memory_gib = 8;
  Index block_size = 0;
  int draws = 16, threads = 1;
  std::uint64_t seed = 0;
  bool force = false, pictures = true;

  bool two_views() const { return path_b.has_value(); }
};

/// A file's matrix and what is computed from it. The program calls them A and B.
struct View {
  std::string path;
  const char* name = "A";
  NpyHeader header;
  DoubleMatrix z;
  Standardized standardized;
};

std::runtime_error error_in(const std::string& path, const std::string& what) {
  return std::runtime_error(path + ": " + what);
}

void print_line(const char* label, const std::string& text) {
  std::printf("  %-22s %s\n", label, text.c_str());
}

/// Printed as it is, but a NaN without its sign, which means nothing.
double shown(double value) { return std::isnan(value) ? std::abs(value) : value; }
long long shown(long long value) { return value; }
int shown(int value) { return value; }

/// Text by the format of printf, of numbers alone.
template <class... Numbers>
std::string format(const char* pattern, Numbers... numbers) {
  std::string text(
      static_cast<std::size_t>(std::snprintf(nullptr, 0, pattern, shown(numbers)...)) + 1, '\0');
  std::snprintf(text.data(), text.size(), pattern, shown(numbers)...);
  text.pop_back();
  return text;
}

long long number(Index index) { return static_cast<long long>(index); }

/// What a computation takes, for the decision whether to run it.
struct Cost {
  double multiplications = 0, bytes = 0;
};

Cost exact_cost(Index samples, Index features) {
  const auto n = static_cast<double>(samples), d = static_cast<double>(features);
  return {n * d * std::min(n, d), 8 * (n < d ? 2 * n * (n + d) : d * d)};
}

Cost relaxed_cost(Index samples, Index features, Index block_size, int draws) {
  const auto n = static_cast<double>(samples), d = static_cast<double>(features);
  const double blocks = block_size == 0 ? 1 : std::ceil(d / static_cast<double>(block_size));
  const double products = blocks > 1 ? std::min(n, blocks) : 1;
  return {draws * n * d * (5 * std::log2(d / blocks + 1) + 2 * products),
          8 * d * (blocks > 1 ? std::min(n, blocks) : 1)};
}

Cost rank_cost(Index samples, Index features) {
  const auto n = static_cast<double>(samples), d = static_cast<double>(features);
  const double m = std::min(n, d);
  // The eigenvalues' solver is bound by memory.
  return {n * d * m + 8 * m * m * m, 24 * m * m};
}

Cost correlation_cost(Index samples, Index features) {
  return {
      static_cast<double>(samples) * static_cast<double>(features) * static_cast<double>(features),
      0};
}

/// Why something is left out because of its cost; nothing if it is not.
std::optional<std::string> too_costly(const Settings& settings, const Cost& cost) {
  if (cost.bytes > settings.memory_gib * kBytesPerGiB) {
    return format("left out, as it takes %.3g GiB: --memory allows more",
                  cost.bytes / kBytesPerGiB);
  }
  if (cost.multiplications > kMostWork && !settings.force) {
    return format("left out, as it takes %.2g multiplications: --force computes it",
                  cost.multiplications);
  }
  return std::nullopt;
}

// ---- Input

/// Opens both files before either is read, so that a mistake is told at once.
std::vector<View> load(const Settings& settings) {
  std::vector<std::string> paths = {settings.path_a};
  if (settings.two_views()) paths.push_back(*settings.path_b);
  std::vector<View> views;
  std::vector<NpyFile> files;
  for (const std::string& path : paths) {
    try {
      files.emplace_back(path);
    } catch (const NpyError& error) {
      throw error_in(path, error.what());
    }
    views.push_back({path, views.empty() ? "A" : "B", files.back().header(), {}, {}});
  }
  const NpyHeader& a = views.front().header;
  const NpyHeader& b = views.back().header;
  if (a.rows != b.rows || a.cols != b.cols) {
    throw error_in(*settings.path_b,
                   format("is %lld x %lld, but ", number(b.rows), number(b.cols)) +
                       settings.path_a + format(" is %lld x %lld", number(a.rows), number(a.cols)));
  }
  if (a.rows < 2) {
    throw error_in(settings.path_a,
                   "has 1 row, expected at least 2: a variance is taken over rows");
  }
  if (settings.block_size > a.cols) {
    throw std::runtime_error(
        format("--block-size is %lld, expected at most %lld, the number of "
               "features",
               number(settings.block_size), number(a.cols)));
  }
  // Of each view the embeddings, standardized, and a copy of them on the way or their gradient;
  // besides signs, spectra and sums over rows, which count where these are few.
  const double bytes = 8 * static_cast<double>(views.size()) *
                       (3 * static_cast<double>(a.rows) + 16) * static_cast<double>(a.cols);
  if (bytes > settings.memory_gib * kBytesPerGiB) {
    throw error_in(settings.path_a,
                   format("%lld x %lld in double takes %.3g GiB of memory: --memory allows more, "
                          "or save fewer rows",
                          number(a.rows), number(a.cols), bytes / kBytesPerGiB));
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    try {
      views[i].z = files[i].read();
    } catch (const NpyError& error) {
      throw error_in(paths[i], error.what());
    }
  }
  return views;
}

// ---- Output files

/// Where a file of --output goes; nothing that is read is overwritten, by whatever name.
fs::path output_path(const Settings& settings, const std::string& name) {
  fs::path path = fs::path(settings.output) / name;
  for (const std::string& input : {settings.path_a, settings.path_b.value_or(settings.path_a)}) {
    std::error_code none;
    if (fs::equivalent(path, input, none)) {
      throw std::runtime_error(path.string() +
                               " would be overwritten, but is an input file: choose "
                               "another folder for --output");
    }
  }
  return path;
}

std::string gradient_name(const View& view) {
  return std::string("gradient_") + (view.name[0] == 'A' ? "a" : "b") + ".npy";
}

/// Before anything is computed: the folder is there, and holds no input under an output's name.
void prepare_output(const Settings& settings) {
  std::error_code error;
  fs::create_directories(settings.output, error);
  if (!fs::is_directory(settings.output)) {
    throw error_in(settings.output,
                   "cannot be made a folder: " + (error ? error.message() : "it is a file"));
  }
  for (const char* name : {"gradient_a.npy", "gradient_b.npy", "correlation_a.png",
                           "correlation_a.gnuplot", "correlation_b.png", "correlation_b.gnuplot",
                           "correlation_a_b.png", "correlation_a_b.gnuplot"}) {
    output_path(settings, name);
  }
}

void write_gradient(const Settings& settings, const View& view, const DoubleMatrix& gradient) {
  const fs::path path = output_path(settings, gradient_name(view));
  std::ofstream file(path, std::ios::binary);
  if (!file) throw error_in(path.string(), "cannot be written");
  write_npy(file, gradient, view.header.layout);
  file.close();
  if (!file) {
    std::error_code none;
    fs::remove(path, none);
    throw error_in(path.string(), "cannot be written to its end");
  }
  std::printf("gradient: %s\n", printable_name(fs::absolute(path).string()).c_str());

  // 16 bits end at 65504 and 6e-8.
  Index infinite = 0, vanished = 0;
  for (const double value : gradient.reshaped()) {
    const double stored = rounded_to(view.header.layout, value);
    if (!std::isfinite(stored)) ++infinite;
    if (stored == 0 && value != 0) ++vanished;
  }
  if (infinite + vanished > 0) {
    std::printf(
        "  note: as %s, %lld of its elements are not finite and %lld that are not 0 become 0\n",
        view.header.layout.type_name().c_str(), number(infinite), number(vanished));
  }
}

void draw_picture(const Settings& settings, const std::string& name, const std::string& title,
                  const CorrelationPicture& picture) {
  const DoubleMatrix pixels = picture.pixels();
  const Index size = pixels.rows();
  if (size < 2) {
    std::printf("no picture of one feature's correlation\n");
    return;
  }
  std::ostringstream what;
  what << title;
  if (picture.block() > 1) {
    what << ": a pixel is the mean of the absolute values of " << picture.block() << " x "
         << picture.block() << " pairs of features";
  }
  draw(settings.output, name, "1100,1000", correlation_commands(what.str(), pixels));
}

// ---- Report

void print_header(const View& view) {
  std::printf("%s: %s\n", view.name, printable_name(view.path).c_str());
  const NpyLayout& layout = view.header.layout;
  print_line("shape", format("%lld x %lld", number(view.header.rows), number(view.header.cols)) +
                          " (samples x features), " + layout.type_name() + " (" + layout.descr() +
                          "), " + (layout.fortran_order ? "Fortran" : "C") + " order");
}

/// What is not finite, which leaves nothing else to compute; empty if all is.
std::string print_finiteness(const View& view) {
  const NonFinite found = count_nonfinite(view.z);
  std::string text = "all finite";
  if (found.row >= 0) {
    text = format("%lld NaN, %lld infinite, the first in row %lld, column %lld", number(found.nan),
                  number(found.infinite), number(found.row), number(found.column));
  }
  print_line("values", text);
  return found.row >= 0 ? text : "";
}

void print_collapsed(const Settings& settings, const Eigen::VectorXd& deviations, double scale) {
  const double threshold = settings.collapsed_below * scale;
  constexpr Index shown = 10;
  Index count = 0;
  std::string first;
  for (Index j = 0; j < deviations.size(); ++j) {
    if (deviations[j] > threshold) continue;
    if (count < shown) first += format(count == 0 ? ": %lld" : ", %lld", number(j));
    ++count;
  }
  if (count > shown) first += ", ...";
  print_line("collapsed features", format("%lld of %lld have a standard deviation of at most %.6g",
                                          number(count), number(deviations.size()), threshold) +
                                       first);
}

void print_range(const char* label, const char* what, const Range& range) {
  print_line(label, format("mean %.6g, least %.6g (", range.mean, range.smallest) + what +
                        format(" %lld), largest %.6g (", number(range.smallest_at), range.largest) +
                        what + format(" %lld)", number(range.largest_at)));
}

std::string off_diagonal_text(const CorrelationSummary& summary) {
  if (summary.pairs == 0) return "no pair of features that vary";
  return format("mean absolute %.6g, largest %.6g (features %lld and %lld)", summary.mean_absolute,
                summary.largest, number(summary.largest_row), number(summary.largest_column));
}

/// Off-diagonal correlation of one view or, given two, of A's features with B's.
void print_correlation(const Settings& settings, const View& left, const View& right) {
  const bool one_view = &left == &right;
  const char* label = one_view ? "correlation" : "off the diagonal";
  if (const auto reason =
          too_costly(settings, correlation_cost(left.header.rows, left.header.cols))) {
    print_line(label, *reason);
    return;
  }
  std::optional<CorrelationPicture> picture;
  if (!settings.output.empty() && settings.pictures) picture.emplace(left.header.cols);
  const CorrelationSummary summary =
      summarize_correlation(left.standardized, right.standardized, picture ? &*picture : nullptr);
  if (!one_view && summary.diagonals > 0) {
    print_line("diagonal", format("mean %.6g, least %.6g (feature %lld)", summary.diagonal_mean,
                                  summary.diagonal_smallest, number(summary.diagonal_smallest_at)));
  }
  print_line(label, off_diagonal_text(summary));
  const Index constant = left.header.cols - left.standardized.varying();
  if (one_view && constant > 0) {
    print_line("", format("without the features that do not vary: %lld", number(constant)));
  }
  if (picture) {
    const std::string suffix = one_view ? (left.name[0] == 'A' ? "_a" : "_b") : "_a_b";
    draw_picture(settings, "correlation" + suffix,
                 one_view ? std::string("Correlation of the features of ") + left.name
                          : "Correlation of the features of A (rows) with those of B",
                 *picture);
  }
}

/// Prints what is to be said of one file, and leaves it standardized.
void inspect(const Settings& settings, View& view) {
  print_line("duplicate rows", format("%lld", number(count_duplicate_rows(view.z))));
  print_range("norm of a row", "row", range_of(row_norms(view.z)));
  Centred centred = centre(view.z);
  const Eigen::VectorXd deviations = centred.standard_deviations();
  print_range("standard deviation", "feature", range_of(deviations));
  print_collapsed(settings, deviations, centred.root_mean_square());

  if (const auto reason = too_costly(settings, rank_cost(view.header.rows, view.header.cols))) {
    print_line("effective rank", *reason);
  } else {
    const EffectiveRank rank = effective_rank(centred);
    print_line("effective rank",
               format("%.6g centred, %.6g as it is (RankMe), of at most %lld", rank.centred,
                      rank.uncentred, number(std::min(view.header.rows, view.header.cols))));
  }
  view.standardized = standardize(std::move(centred));
  print_correlation(settings, view, view);
}

struct Estimate {
  double mean = 0, deviation = 0;
  int draws = 0;

  std::string standard_error_text() const {
    return draws > 1 ? format("%.3g", deviation / std::sqrt(draws)) : "unknown";
  }
};

Estimate estimate(const std::vector<double>& values) {
  Estimate result;
  result.draws = static_cast<int>(values.size());
  for (const double value : values) result.mean += value / result.draws;
  for (const double value : values) {
    result.deviation +=
        (value - result.mean) * (value - result.mean) / std::max(1, result.draws - 1);
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

decorr::Execution execution_of(const Settings& settings) {
  decorr::Execution execution;
  execution.threads = settings.threads;
  execution.planning = decorr::Planning::estimate;  // the same numbers in every run
  return execution;
}

/// The exact regularizer of the (cross-)correlation matrix beside its estimate with random signs.
void print_regularizer(const Settings& settings, const View& a, const View& b) {
  std::printf("\nR_off of the correlation matrix of %s\n", &a == &b ? "A" : "A with B");
  const Index n = a.header.rows, d = a.header.cols;
  const DoubleMatrix& x = a.standardized.values;
  const DoubleMatrix& y = b.standardized.values;
  const decorr::Execution execution = execution_of(settings);
  std::optional<double> exact;
  if (const auto reason = too_costly(settings, exact_cost(n, d))) {
    print_line("exact", *reason);
  } else {
    exact = decorr::r_off(x, y, execution);
    print_line("exact", format("%.6g", *exact));
  }
  const Cost cost = relaxed_cost(n, d, settings.block_size, settings.draws);
  if (const auto reason = too_costly(settings, cost)) {
    print_line("with random signs", *reason + ", or fewer --draws");
    return;
  }
  std::mt19937_64 generator(settings.seed);
  std::vector<double> values;
  for (int draw = 0; draw < settings.draws; ++draw) {
    decorr::Relaxed relaxed;
    relaxed.block_size = settings.block_size;
    relaxed.signs_a = decorr::random_signs(d, generator);
    relaxed.signs_b = decorr::random_signs(d, generator);
    values.push_back(decorr::r_sum(x, y, relaxed, execution));
  }
  const Estimate result = estimate(values);
  print_line("with random signs", format("%.6g, standard error ", result.mean) +
                                      result.standard_error_text() +
                                      format(", draws %d", result.draws));
  if (exact && *exact > 0 && result.draws > 1) {
    print_line("one draw", format("is off by %.2g %% of the exact value (standard deviation)",
                                  100 * result.deviation / *exact));
  }
}

std::string terms_text(const LossTerms& loss) {
  std::string text = format("%.6g", loss.value);
  const char* before = " = ";
  for (const auto& [name, value] : loss.terms) {
    text += before + std::string(name) + format(" %.6g", value);
    before = " + ";
  }
  return text;
}

LossArguments arguments_of(const Settings& settings, const std::vector<View>& views) {
  LossArguments arguments;
  arguments.a = &views.front().z;
  if (views.size() == 2) arguments.b = &views.back().z;
  arguments.execution = execution_of(settings);
  return arguments;
}

void print_loss(const Settings& settings, const std::vector<View>& views,
                const PublishedLoss& published) {
  const Index n = views.front().header.rows, d = views.front().header.cols;
  const int draws = published.exact ? 1 : settings.draws;
  const Cost cost =
      published.exact ? exact_cost(n, d) : relaxed_cost(n, d, published.block_size, draws);
  if (const auto reason = too_costly(settings, cost)) {
    std::printf("  %-35s%s%s\n", published.name.c_str(), reason->c_str(),
                published.exact ? "" : ", or fewer --draws");
    return;
  }
  std::mt19937_64 generator(settings.seed);
  LossTerms mean = published.evaluate(generator, arguments_of(settings, views));
  // Of the last term, the only one that is drawn: beside the others it can be below rounding.
  std::vector<double> values = {mean.terms.back().second};
  for (int draw = 1; draw < draws; ++draw) {
    const LossTerms loss = published.evaluate(generator, arguments_of(settings, views));
    values.push_back(loss.terms.back().second);
    mean.value += loss.value;
    for (std::size_t i = 0; i < loss.terms.size(); ++i)
      mean.terms[i].second += loss.terms[i].second;
  }
  mean.value /= draws;
  for (auto& term : mean.terms) term.second /= draws;
  std::printf("  %-35s%s", published.name.c_str(), terms_text(mean).c_str());
  if (!published.exact) {
    std::printf("; standard error %s", estimate(values).standard_error_text().c_str());
  }
  std::printf(std::isfinite(mean.value) ? "\n" : " (squares overflow)\n");
}

void print_losses(const Settings& settings, const std::vector<View>& views,
                  const std::vector<PublishedLoss>& losses) {
  std::printf("\nLoss %sunder published settings (decorr::presets)\n",
              views.size() == 2 ? "" : "terms of one view, variance and covariance, ");
  for (const PublishedLoss& published : losses) print_loss(settings, views, published);
  std::printf("  with random signs or permutations: means over the draws\n");
}

void write_gradients(const Settings& settings, const std::vector<View>& views,
                     const PublishedLoss& published) {
  const Index n = views.front().header.rows, d = views.front().header.cols;
  const Cost cost =
      published.exact ? exact_cost(n, d) : relaxed_cost(n, d, published.block_size, 1);
  std::printf("\nGradient of %s\n", published.name.c_str());
  if (const auto reason = too_costly(settings, {3 * cost.multiplications, cost.bytes})) {
    std::printf("  %s\n", reason->c_str());
    return;
  }
  DoubleMatrix grad_a(n, d), grad_b(views.size() == 2 ? n : 0, d);
  LossArguments arguments = arguments_of(settings, views);
  arguments.grad_a = &grad_a;
  arguments.grad_b = &grad_b;
  std::mt19937_64 generator(settings.seed);
  const LossTerms loss = published.evaluate(generator, arguments);
  print_line(published.exact ? "loss" : "loss of the first draw", terms_text(loss));
  write_gradient(settings, views.front(), grad_a);
  if (views.size() == 2) write_gradient(settings, views.back(), grad_b);
}

/// The loss named by --loss.
const PublishedLoss& chosen_loss(const Settings& settings,
                                 const std::vector<PublishedLoss>& losses) {
  if (settings.loss.empty()) return losses.front();
  std::string names;
  for (const PublishedLoss& loss : losses) {
    if (loss.name == settings.loss) return loss;
    names += (names.empty() ? "" : ", ") + loss.name;
  }
  throw std::runtime_error("--loss is " + settings.loss + ", expected for these files one of " +
                           names);
}

void run(const Settings& settings) {
  std::vector<View> views = load(settings);
  const std::vector<PublishedLoss> losses =
      published_losses(views.front().header.cols, settings.two_views(), settings.block_size);
  const PublishedLoss& chosen = chosen_loss(settings, losses);
  if (!settings.output.empty()) prepare_output(settings);

  std::optional<std::runtime_error> not_finite;
  for (View& view : views) {
    if (&view != &views.front()) std::printf("\n");
    print_header(view);
    const std::string found = print_finiteness(view);
    if (!found.empty() && !not_finite) {
      not_finite = error_in(view.path, found + ": nothing more is computed");
    }
    if (!not_finite) inspect(settings, view);
  }
  if (not_finite) throw *not_finite;
  const View& a = views.front();
  const View& b = views.back();
  if (settings.two_views()) {
    std::printf("\nA with B\n");
    print_correlation(settings, a, b);
  }
  print_regularizer(settings, a, b);
  for (View& view : views) view.standardized = {};
  print_losses(settings, views, losses);
  if (!settings.output.empty()) write_gradients(settings, views, chosen);
}

/// A number that is finite and not negative; NaN passes CLI11's own ranges.
const CLI::Validator kFinite(
    [](std::string& text) -> std::string {
      double value = 0;
      if (CLI::detail::lexical_cast(text, value) && value >= 0 && value < 1e9) return "";
      return "is " + text + ", expected 0 to 1e9";
    },
    "NUMBER");

/// CLI11 itself takes -1 for the largest unsigned number, what is above that for the same, and 010
/// for 8.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const std::string range = std::to_string(least) + " to " + std::to_string(most);
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        std::uint64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc() || stop != end || value < least || value > most) {
          return "is " + text + ", expected a whole number from " + range;
        }
        text = std::to_string(value);
        return "";
      },
      range);
}

const CLI::Validator kNotEmpty(
    [](std::string& text) -> std::string { return text.empty() ? "is empty" : ""; }, "");

void add_options(CLI::App& app, Settings& settings) {
  app.option_defaults()->take_last()->always_capture_default();
  app.add_option("a.npy", settings.path_a, "Embeddings, a row a sample: float16, 32 or 64 of NumPy")
      ->required();
  app.add_option("b.npy", settings.path_b, "The same samples' other view: adds the losses of two");
  app.add_option("--collapsed-below", settings.collapsed_below,
                 "A feature counts as collapsed where its standard deviation is at most this times "
                 "the root mean square of all values")
      ->check(kFinite);
  app.add_option("--draws", settings.draws, "Of random signs and permutations")
      ->transform(whole_number(1, 1000000));
  app.add_option("--block-size", settings.block_size,
                 "Features a block with random signs, b; 0: a single block")
      ->transform(whole_number(0, 1000000000));
  app.add_option("--seed", settings.seed, "Of the draws")
      ->transform(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
  auto* output =
      app.add_option("--output", settings.output,
                     "Folder to write the gradients (gradient_a.npy, gradient_b.npy; of "
                     "the input's type, shape and order) and pictures of the correlation "
                     "matrices to; files there of these names are overwritten")
          ->check(kNotEmpty);
  app.add_option(
         "--loss", settings.loss,
         "Whose gradients are written, of the first draw: a name as in the report; else the "
         "first there")
      ->needs(output);
  app.add_flag("!--no-pictures", settings.pictures, "Gradients alone")->needs(output);
  app.add_option("--threads", settings.threads)->transform(whole_number(1, 1024));
  app.add_option("--memory", settings.memory_gib,
                 "GiB that the embeddings, and what is computed of them, may take")
      ->check(kFinite);
  app.add_flag("--force", settings.force, "Computes what would be left out as taking too long");
  app.set_version_flag("--version", "decorr-inspect " DECORR_VERSION_STRING);
  app.footer(
      "Exit status: 0 if all is well; 1 for wrong arguments, a file that cannot be read or "
      "written, "
      "and embeddings with NaN or infinite values.");
}

/// On standard error, after what the report has up to here.
void print_error(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "decorr-inspect: %s\n", printable_name(message).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  try {
    CLI::App app("Inspects embeddings saved by numpy.save: collapse, losses, and the relaxed loss",
                 "decorr-inspect");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
      return printable_name(error.what()) + "\nRun with --help for more information.\n";
    });
    add_options(app, settings);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : 1;
    }
    Eigen::setNbThreads(settings.threads);
    run(settings);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw std::runtime_error("cannot write the report");
    }
    return 0;
  } catch (const std::bad_alloc&) {
    const std::string files =
        settings.path_a + (settings.two_views() ? " and " + *settings.path_b : "");
    print_error(files + ": out of memory: save fewer rows or features");
  } catch (const std::exception& error) {
    print_error(error.what());
  }
  return 1;
}
