// The C interface with what a caller can get wrong without pointing to memory that is not its own.
// Every struct, matrix and array is as large as it says, or less where it lies, so that
// AddressSanitizer sees a step beyond it. A call that is right succeeds; one that is wrong ends in
// a status with message and argument, and leaves all memory as it was.
#include <decorr/c_api.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "draws.hpp"
#include "require.hpp"

namespace {

using decorr_fuzz::Draws;
using decorr_fuzz::require;
using Eigen::Index;
using Bytes = std::vector<unsigned char>;
constexpr unsigned char kUntouched = 0x5A;
constexpr auto kLeast64 = std::numeric_limits<std::int64_t>::min();
constexpr auto kMost64 = std::numeric_limits<std::int64_t>::max();
constexpr auto kLeast32 = std::numeric_limits<std::int32_t>::min();
constexpr auto kMost32 = std::numeric_limits<std::int32_t>::max();

// ---- What a call may be

enum class Verdict { right, wrong, either };

/// Of two things about one call.
Verdict both(Verdict x, Verdict y) {
  if (x == Verdict::wrong || y == Verdict::wrong) return Verdict::wrong;
  return x == Verdict::either ? x : y;
}

/// `function` is the name without decorr_.
void require_status(decorr_status status, Verdict verdict, const std::string& function) {
  const std::string message = decorr_error_message(), argument = decorr_error_argument();
  const std::string told = function + ": " + decorr_status_name(status) + ": " + message;
  require(status >= DECORR_OK && status <= DECORR_COLLECTIVE, "no status: " + told);
  require(status != DECORR_INTERNAL, "a bug: " + told);
  if (status == DECORR_OK) {
    require(verdict != Verdict::wrong, "taken, and is wrong: " + function);
    return;
  }
  require(verdict != Verdict::right, "refused, and is right: " + told);
  require(status == DECORR_INVALID_ARGUMENT, "another status: " + told);
  require(message.compare(0, function.size() + 2, function + ": ") == 0, "no function: " + told);
  require(argument.size() < 32 &&
              (argument.empty() ||
               message.compare(function.size() + 2, argument.size(), argument) == 0),
          "the argument " + argument + " is not the message's: " + told);
}

// ---- Memory

/// A struct in memory of its own, perhaps misaligned. Where its size is wrong there is nothing but
/// the size.
template <class Struct>
class Given {
 public:
  Given(Draws& draws, const Struct& fields) : shift_(draws.one_in(4) ? 1 : 0) {
    const bool known = fields.size == sizeof(Struct) || fields.size == earlier_size();
    const std::size_t size = known ? fields.size : sizeof fields.size;
    bytes_.assign(size + shift_, kUntouched);
    std::memcpy(bytes_.data() + shift_, &fields, size);
  }
  Struct* get() { return reinterpret_cast<Struct*>(bytes_.data() + shift_); }
  const Bytes& bytes() const { return bytes_; }

 private:
  static std::size_t earlier_size() {
    if constexpr (std::is_same<Struct, decorr_execution>::value) {
      return offsetof(decorr_execution, sum);
    }
    return sizeof(Struct);
  }

  std::size_t shift_;
  Bytes bytes_;
};

std::size_t bad_size(Draws& draws, std::size_t good) {
  return draws.of(
      std::vector<std::size_t>{0, 1, good - 8, good + 8, std::numeric_limits<std::size_t>::max()});
}

std::size_t element_size(std::int32_t type) {
  return type == DECORR_FLOAT64 ? 8 : type == DECORR_FLOAT32 ? 4 : 2;
}

/// A matrix in a buffer that ends where it ends.
struct Matrix {
  Bytes memory;
  decorr_output fields = {};
  bool is_given = true;

  Matrix(Draws& draws, std::int32_t type, Index rows, Index cols, bool is_output) {
    const decorr_tests::Placement place =
        decorr_fuzz::draw_placement(draws, rows, cols, !is_output);
    const auto reach = decorr_fuzz::reach_of(place);
    const std::size_t size = element_size(type);
    memory.assign(static_cast<std::size_t>(reach.below + reach.above) * size, kUntouched);
    fields = {sizeof fields,
              memory.data() + static_cast<std::size_t>(place.first) * size,
              type,
              0,
              rows,
              cols,
              place.row_stride,
              place.col_stride};
  }
  Matrix(const Matrix&) = delete;
  Matrix(Matrix&&) = default;
  Matrix& operator=(const Matrix&) = delete;
  Matrix& operator=(Matrix&&) = delete;

  /// Any bits, or numbers like 1.
  void fill(Draws& draws) {
    std::mt19937 random(static_cast<unsigned>(draws.seed()));
    const bool any = draws.one_in(4);
    const std::size_t size = element_size(fields.type);
    for (std::size_t i = 0; i < memory.size(); ++i) {
      // The exponent of 1, and of its neighbours, is in the highest bytes.
      const unsigned bits = static_cast<unsigned>(random()) & 0xFF;
      const bool highest = i % size == size - 1;
      memory[i] = static_cast<unsigned char>(!any && highest ? (bits & 0x80) | 0x3F : bits);
    }
  }
  decorr_input as_input() const {
    return {fields.size, fields.data, fields.type,       fields.reserved,
            fields.rows, fields.cols, fields.row_stride, fields.col_stride};
  }
};

/// Makes a matrix wrong, but for what nobody can check. `differs`: another matrix tells its shape.
Verdict spoil(Draws& draws, Matrix& matrix, bool is_output, bool differs) {
  auto& fields = matrix.fields;
  const bool by_rows = draws.one_in(2);
  auto& extent = by_rows ? fields.rows : fields.cols;
  auto& stride = by_rows ? fields.row_stride : fields.col_stride;
  switch (draws.number(0, 7)) {
    case 0:
      fields.data = nullptr;
      return Verdict::wrong;
    case 1:
      fields.size = bad_size(draws, sizeof fields);
      return Verdict::wrong;
    case 2:
      fields.type = draws.of(std::vector<std::int32_t>{0, 5, -1, kLeast32, kMost32});
      return Verdict::wrong;
    case 3:
      fields.reserved = draws.of(std::vector<std::int32_t>{1, -1, kLeast32});
      return Verdict::wrong;
    case 4:
      extent = differs ? extent + draws.of(std::vector<std::int64_t>{1, -1})
                       : draws.of(std::vector<std::int64_t>{0, -1, kLeast64, kMost64,
                                                            std::int64_t{kMost32} + 1});
      return Verdict::wrong;
    case 5:
      if (extent == 1) return Verdict::right;
      stride = draws.of(std::vector<std::int64_t>{kLeast64, kMost64});
      return Verdict::wrong;
    case 6:
      if (extent == 1) return Verdict::right;
      stride = 0;
      return is_output ? Verdict::wrong : Verdict::right;
    default:
      fields.data = static_cast<unsigned char*>(fields.data) + 1;
      return Verdict::wrong;
  }
}

// ---- Settings

/// An array of d, which ends where it ends.
template <class Element>
struct Array {
  std::vector<Element> elements;
  std::int64_t size = 0;
  bool is_null = true;

  const Element* data() const { return is_null ? nullptr : elements.data(); }
  void set(std::vector<Element> to) {
    elements = std::move(to);
    size = static_cast<std::int64_t>(elements.size());
    is_null = false;
  }
  /// Where it has an entry that is as it should not be.
  Verdict spoil(Draws& draws, Index features, const std::vector<Element>& bad) {
    switch (draws.number(0, 2)) {
      case 0:  // what there is, is less than the size says, and less than is needed
        size = draws.of(std::vector<std::int64_t>{features + 1, -1, kMost64, kLeast64});
        if (!is_null) elements.clear();
        elements.shrink_to_fit();
        return Verdict::wrong;
      case 1:
        if (!is_null) elements.clear();
        is_null = true;
        size = features;
        return Verdict::wrong;
      default:
        if (is_null) return Verdict::right;
        elements[static_cast<std::size_t>(draws.between(0, features - 1))] = draws.of(bad);
        return Verdict::wrong;
    }
  }
};

struct Settings {
  decorr_barlow_twins_options barlow_twins;
  decorr_vicreg_options vicreg;
  decorr_regularizer regularizer;
  decorr_execution execution;
  Array<std::int64_t> permutation;
  Array<std::int8_t> signs_a, signs_b;

  void point() {
    regularizer.permutation = permutation.data();
    regularizer.permutation_size = permutation.size;
    regularizer.signs_a = signs_a.data();
    regularizer.signs_a_size = signs_a.size;
    regularizer.signs_b = signs_b.data();
    regularizer.signs_b_size = signs_b.size;
  }
};

/// Sums over one process.
int sum_of_one(void* context, double*, std::size_t) {
  ++*static_cast<int*>(context);
  return 0;
}

Settings draw_settings(Draws& draws, Index features, int& sums) {
  Settings settings;
  decorr_barlow_twins_options_defaults(&settings.barlow_twins, sizeof settings.barlow_twins);
  decorr_vicreg_options_defaults(&settings.vicreg, sizeof settings.vicreg);
  decorr_regularizer_defaults(&settings.regularizer, sizeof settings.regularizer);
  decorr_execution_defaults(&settings.execution, sizeof settings.execution);
  settings.barlow_twins.standardize = draws.number(0, 1);
  settings.vicreg.sum_variance = draws.number(0, 1);
  settings.vicreg.covariance_scaling = draws.number(0, 1);
  settings.execution.planning = DECORR_ESTIMATE;
  settings.execution.threads = draws.of(std::vector<std::int32_t>{1, 2, kMost32});
  if (draws.one_in(4)) settings.execution.size = offsetof(decorr_execution, sum);
  if (draws.one_in(4)) {
    settings.execution.sum = sum_of_one;
    settings.execution.context = &sums;
  }
  settings.regularizer.form = draws.number(DECORR_EXACT, DECORR_RELAXED);
  settings.regularizer.exponent = draws.number(1, 2);
  settings.regularizer.block_size = draws.between(0, features);
  const auto d = static_cast<std::size_t>(features);
  if (draws.one_in(2)) {
    std::vector<std::int64_t> permutation(d);
    for (std::size_t j = 0; j < d; ++j) permutation[j] = static_cast<std::int64_t>(d - 1 - j);
    settings.permutation.set(permutation);
  }
  if (draws.one_in(2)) {
    settings.signs_a.set(std::vector<std::int8_t>(d, 1));
    settings.signs_b.set(std::vector<std::int8_t>(d, -1));
  }
  return settings;
}

enum class Family { barlow_twins, vicreg, variance_covariance, r_off, r_sum, sumvec };

bool has_regularizer(Family family) { return family != Family::r_off && family != Family::sumvec; }

/// Makes a setting wrong that the function takes.
Verdict spoil(Draws& draws, Settings& settings, Family family, Index features) {
  const double bad = draws.of(std::vector<double>{std::numeric_limits<double>::quiet_NaN(),
                                                  std::numeric_limits<double>::infinity(),
                                                  -std::numeric_limits<double>::infinity()});
  const auto bad_choice = draws.of(std::vector<std::int32_t>{3, -1, kLeast32, kMost32});
  auto& [barlow_twins, vicreg, regularizer, execution, permutation, signs_a, signs_b] = settings;
  const bool relaxed = has_regularizer(family) && regularizer.form == DECORR_RELAXED;
  const bool takes_barlow_twins = family == Family::barlow_twins;
  const bool takes_vicreg = family == Family::vicreg || family == Family::variance_covariance;
  switch (draws.number(0, 12)) {
    case 0:
      execution.size = bad_size(draws, sizeof execution) - 1;
      return Verdict::wrong;
    case 1:
      execution.threads = draws.of(std::vector<std::int32_t>{0, -1, kLeast32});
      return Verdict::wrong;
    case 2:
      execution.planning = bad_choice;
      return Verdict::wrong;
    case 3:
      barlow_twins.size = bad_size(draws, sizeof barlow_twins);
      vicreg.size = bad_size(draws, sizeof vicreg);
      return takes_barlow_twins || takes_vicreg ? Verdict::wrong : Verdict::right;
    case 4:
      barlow_twins.epsilon = vicreg.epsilon = draws.one_in(2) ? -1 : bad;
      return takes_barlow_twins || takes_vicreg ? Verdict::wrong : Verdict::right;
    case 5:
      barlow_twins.lambda = vicreg.gamma = bad;
      return takes_barlow_twins || takes_vicreg ? Verdict::wrong : Verdict::right;
    case 6:
      barlow_twins.standardize = vicreg.sum_variance = bad_choice;
      return takes_barlow_twins || takes_vicreg ? Verdict::wrong : Verdict::right;
    case 7:
      barlow_twins.reserved = vicreg.covariance_scaling = bad_choice;
      return takes_barlow_twins || takes_vicreg ? Verdict::wrong : Verdict::right;
    case 8:
      if (!has_regularizer(family)) return Verdict::right;
      regularizer.size = bad_size(draws, sizeof regularizer);
      return Verdict::wrong;
    case 9:
      if (!has_regularizer(family)) return Verdict::right;
      regularizer.form = bad_choice;
      return Verdict::wrong;
    case 10:
      regularizer.exponent = draws.of(std::vector<std::int32_t>{0, 3, -1, kLeast32, kMost32});
      return relaxed ? Verdict::wrong : Verdict::right;
    case 11:
      regularizer.block_size =
          draws.of(std::vector<std::int64_t>{-1, features + 1, kMost64, kLeast64});
      return relaxed ? Verdict::wrong : Verdict::right;
    default:
      Verdict verdict = Verdict::right;
      switch (draws.number(0, 2)) {
        case 0:
          verdict = permutation.spoil(draws, features, {features, -1, kLeast64, kMost64});
          break;
        case 1:
          verdict = signs_a.spoil(draws, features, {0, 2, 127, -128});
          break;
        default:
          verdict = signs_b.spoil(draws, features, {0, 2, 127, -128});
      }
      return relaxed ? verdict : Verdict::right;
  }
}

// ---- Whole calls

const char* name_of(Family family) {
  switch (family) {
    case Family::barlow_twins:
      return "barlow_twins_loss";
    case Family::vicreg:
      return "vicreg_loss";
    case Family::variance_covariance:
      return "variance_covariance_loss";
    case Family::r_off:
      return "r_off";
    case Family::r_sum:
      return "r_sum";
    case Family::sumvec:
      break;
  }
  return "sumvec";
}

/// The results of a call, as large as they are.
struct Results {
  Given<decorr_barlow_twins_terms> barlow_twins;
  Given<decorr_vicreg_terms> vicreg;
  Given<decorr_variance_covariance_terms> variance_covariance;
  std::unique_ptr<double> value = std::make_unique<double>(-7);
  std::unique_ptr<std::int64_t> count = std::make_unique<std::int64_t>(-7);
  bool is_null;

  /// With sizes that are off by so much.
  Results(Draws& draws, std::size_t off)
      : barlow_twins(draws, {sizeof(decorr_barlow_twins_terms) + off, -1, -2, -3}),
        vicreg(draws, {sizeof(decorr_vicreg_terms) + off, -1, -2, -3, -4}),
        variance_covariance(draws, {sizeof(decorr_variance_covariance_terms) + off, -1, -2, -3}),
        is_null(off == 0 && draws.one_in(8)) {}
};

struct Matrices {
  Matrix a, b, grad_a, grad_b;
};

/// What a call reads and writes; to be compared with what it was.
class Memory {
 public:
  Memory(const Matrices& matrices, const Results& results)
      : inputs_{matrices.a.memory, matrices.b.memory},
        outputs_{matrices.grad_a.memory, matrices.grad_b.memory, results.barlow_twins.bytes(),
                 results.vicreg.bytes(), results.variance_covariance.bytes()},
        value_(*results.value),
        count_(*results.count) {}

  void require_unchanged(const Memory& before, decorr_status status) const {
    require(inputs_ == before.inputs_, "an input is written");
    require(status == DECORR_OK ||
                (outputs_ == before.outputs_ && value_ == before.value_ && count_ == before.count_),
            std::string("a call that has failed has written: ") + decorr_error_message());
  }

 private:
  std::vector<Bytes> inputs_, outputs_;
  double value_;
  std::int64_t count_;
};

// The settings as a call is given them.
struct GivenSettings {
  GivenSettings(Draws& draws, const Settings& settings)
      : barlow_twins(draws, settings.barlow_twins),
        vicreg(draws, settings.vicreg),
        regularizer(draws, settings.regularizer),
        execution(draws, settings.execution) {}

  Given<decorr_barlow_twins_options> barlow_twins;
  Given<decorr_vicreg_options> vicreg;
  Given<decorr_regularizer> regularizer;
  Given<decorr_execution> execution;
};

decorr_status call(Draws& draws, Family family, Matrices& matrices, Settings& settings,
                   Results& results) {
  settings.point();
  Given<decorr_input> a(draws, matrices.a.as_input()), b(draws, matrices.b.as_input());
  Given<decorr_output> out_a(draws, matrices.grad_a.fields), out_b(draws, matrices.grad_b.fields);
  const decorr_input* in_a = matrices.a.is_given ? a.get() : nullptr;
  const decorr_input* in_b = matrices.b.is_given ? b.get() : nullptr;
  const decorr_output* grad_a = matrices.grad_a.is_given ? out_a.get() : nullptr;
  const decorr_output* grad_b = matrices.grad_b.is_given ? out_b.get() : nullptr;
  GivenSettings given(draws, settings);
  switch (family) {
    case Family::barlow_twins:
      return decorr_barlow_twins_loss(in_a, in_b, grad_a, grad_b, given.barlow_twins.get(),
                                      given.regularizer.get(), given.execution.get(),
                                      results.is_null ? nullptr : results.barlow_twins.get());
    case Family::vicreg:
      return decorr_vicreg_loss(in_a, in_b, grad_a, grad_b, given.vicreg.get(),
                                given.regularizer.get(), given.execution.get(),
                                results.is_null ? nullptr : results.vicreg.get());
    case Family::variance_covariance:
      return decorr_variance_covariance_loss(
          in_a, grad_a, given.vicreg.get(), given.regularizer.get(), given.execution.get(),
          results.is_null ? nullptr : results.variance_covariance.get());
    case Family::r_off:
      return decorr_r_off(in_a, in_b, grad_a, grad_b, given.execution.get(),
                          results.is_null ? nullptr : results.value.get());
    case Family::r_sum:
      return decorr_r_sum(in_a, in_b, grad_a, grad_b, given.regularizer.get(),
                          given.execution.get(), results.is_null ? nullptr : results.value.get());
    case Family::sumvec:
      break;
  }
  return decorr_sumvec(in_a, in_b, given.execution.get(), grad_a);
}

/// Makes something of the matrices wrong.
Verdict spoil(Draws& draws, Matrices& matrices, Family family) {
  const bool two_views = family != Family::variance_covariance;
  std::vector<Matrix*> given = {&matrices.a};
  if (two_views) given.push_back(&matrices.b);
  if (matrices.grad_a.is_given) given.push_back(&matrices.grad_a);
  if (two_views && matrices.grad_b.is_given) given.push_back(&matrices.grad_b);
  Matrix& matrix = *draws.of(given);
  const bool is_output = &matrix != &matrices.a && &matrix != &matrices.b;
  switch (draws.number(0, 3)) {
    case 0:
      matrix.is_given = false;
      return is_output && family != Family::sumvec ? Verdict::right : Verdict::wrong;
    case 1:
      if (!is_output || family == Family::sumvec) return Verdict::right;
      matrix.fields = &matrix == &matrices.grad_b && matrices.grad_a.is_given && draws.one_in(2)
                          ? matrices.grad_a.fields
                          : matrices.a.fields;
      return Verdict::wrong;
    case 2:
      if (given.size() == 1) return Verdict::right;
      matrix.fields.type = matrix.fields.type == DECORR_FLOAT64 ? DECORR_FLOAT32 : DECORR_FLOAT64;
      return Verdict::wrong;
    default:
      return spoil(draws, matrix, is_output, two_views || is_output);
  }
}

std::int32_t draw_type(Draws& draws, bool in_double) {
  return in_double
             ? DECORR_FLOAT64
             : draws.of(std::vector<std::int32_t>{DECORR_FLOAT32, DECORR_FLOAT16, DECORR_BFLOAT16});
}

Matrices draw_matrices(Draws& draws, Family family, Index n, Index d, bool in_double) {
  const bool lags = family == Family::sumvec;
  const auto matrix = [&](Index rows, Index cols, bool is_output) {
    return Matrix(draws, draw_type(draws, in_double), rows, cols, is_output);
  };
  Matrices matrices{matrix(n, d, false), matrix(n, d, false),
                    matrix(lags ? d : n, lags ? 1 : d, true), matrix(n, d, true)};
  matrices.a.fill(draws);
  matrices.b.fill(draws);
  matrices.grad_a.is_given = lags || !draws.one_in(4);
  matrices.grad_b.is_given = !lags && !draws.one_in(4);
  return matrices;
}

void check_call(Draws& draws, Family family) {
  int sums = 0;
  const Index d = draws.between(1, 40), n = draws.between(1, 20);
  Settings settings = draw_settings(draws, d, sums);
  if (family == Family::r_sum) settings.regularizer.form = DECORR_RELAXED;
  Matrices matrices = draw_matrices(draws, family, n, d, draws.one_in(3));
  const bool takes_variance =
      family == Family::vicreg || family == Family::variance_covariance ||
      (family == Family::barlow_twins && settings.barlow_twins.standardize == 1);
  Verdict verdict = takes_variance && n < 2 ? Verdict::wrong : Verdict::right;
  if (draws.one_in(3)) verdict = both(verdict, spoil(draws, settings, family, d));
  if (draws.one_in(3)) verdict = both(verdict, spoil(draws, matrices, family));
  const bool has_terms =
      family != Family::r_off && family != Family::r_sum && family != Family::sumvec;
  const std::size_t off = draws.one_in(32) ? 8 : 0;
  if (has_terms && off != 0) verdict = Verdict::wrong;
  Results results(draws, off);
  const Memory before(matrices, results);
  const decorr_status status = call(draws, family, matrices, settings, results);
  require_status(status, verdict, name_of(family));
  Memory(matrices, results).require_unchanged(before, status);
}

// ---- Batches in parts

decorr_status create(Draws& draws, Family family, Settings& settings, std::int32_t type, Index d,
                     std::int32_t gradients, decorr_batch** batch) {
  settings.point();
  GivenSettings given(draws, settings);
  switch (family) {
    case Family::barlow_twins:
      return decorr_barlow_twins_batch_create(type, d, gradients, given.barlow_twins.get(),
                                              given.regularizer.get(), given.execution.get(),
                                              batch);
    case Family::vicreg:
      return decorr_vicreg_batch_create(type, d, gradients, given.vicreg.get(),
                                        given.regularizer.get(), given.execution.get(), batch);
    case Family::variance_covariance:
      return decorr_variance_covariance_batch_create(type, d, gradients, given.vicreg.get(),
                                                     given.regularizer.get(), given.execution.get(),
                                                     batch);
    case Family::r_off:
      return decorr_r_off_batch_create(type, d, gradients, given.execution.get(), batch);
    case Family::r_sum:
      return decorr_r_sum_batch_create(type, d, gradients, given.regularizer.get(),
                                       given.execution.get(), batch);
    case Family::sumvec:
      break;
  }
  return decorr_sumvec_batch_create(type, d, given.execution.get(), batch);
}

/// One of the functions of a batch, with what it reads and writes.
decorr_status call(Draws& draws, Family family, decorr_batch* batch, Matrices& matrices,
                   Results& results, std::int32_t lags_type) {
  Given<decorr_input> a(draws, matrices.a.as_input()), b(draws, matrices.b.as_input());
  Given<decorr_output> out_a(draws, matrices.grad_a.fields), out_b(draws, matrices.grad_b.fields);
  const decorr_input* in_a = matrices.a.is_given ? a.get() : nullptr;
  const decorr_input* in_b = matrices.b.is_given ? b.get() : nullptr;
  // Most calls are those that come next.
  const int first = draws.one_in(8) ? 0 : decorr_batch_has_pass(batch) == 1 ? 0 : 2;
  switch (draws.number(first, draws.one_in(8) || first == 2 ? 6 : 1)) {
    case 0:
      return decorr_batch_add(batch, in_a, in_b);
    case 1:
      return decorr_batch_end_pass(batch);
    case 2:
      return decorr_batch_gradient(batch, in_a, in_b,
                                   matrices.grad_a.is_given ? out_a.get() : nullptr,
                                   matrices.grad_b.is_given ? out_b.get() : nullptr);
    case 3:
      return decorr_batch_count(batch, results.is_null ? nullptr : results.count.get());
    case 4:
      return decorr_regularizer_batch_value(batch, results.is_null ? nullptr : results.value.get());
    case 5: {
      Matrix lags(draws, lags_type, std::clamp<std::int64_t>(matrices.a.fields.cols, 1, 64), 1,
                  true);
      Given<decorr_output> out(draws, lags.fields);
      return decorr_sumvec_batch_lags(batch, out.get());
    }
    default:
      return family == Family::barlow_twins
                 ? decorr_barlow_twins_batch_loss(batch, results.barlow_twins.get())
             : family == Family::vicreg
                 ? decorr_vicreg_batch_loss(batch, results.vicreg.get())
                 : decorr_variance_covariance_batch_loss(batch, results.variance_covariance.get());
  }
}

std::string batch_name_of(Family family) {
  const std::string name = name_of(family);
  return name.substr(0, name.find("_loss")) + "_batch";
}

/// Any calls in any order.
void check_batch(Draws& draws, Family family) {
  int sums = 0;
  const Index d = draws.between(1, 20);
  Settings settings = draw_settings(draws, d, sums);
  if (family == Family::r_sum) settings.regularizer.form = DECORR_RELAXED;
  const bool in_double = draws.one_in(3), two_views = family != Family::variance_covariance;
  Verdict verdict = draws.one_in(8) ? spoil(draws, settings, family, d) : Verdict::right;
  // Of several processes the end of the first pass tells what is wrong.
  const bool has_sum =
      settings.execution.size == sizeof settings.execution && settings.execution.sum != nullptr;
  if (has_sum && verdict == Verdict::wrong) verdict = Verdict::either;
  decorr_batch* made = nullptr;
  const decorr_status created =
      create(draws, family, settings, draw_type(draws, in_double), d,
             draws.number(0, two_views ? DECORR_GRADIENT_BOTH : DECORR_GRADIENT_A), &made);
  require_status(created, verdict, batch_name_of(family));
  require((created == DECORR_OK) == (made != nullptr), "made without a status, or not made");
  const std::unique_ptr<decorr_batch, void (*)(decorr_batch*)> batch(made, decorr_batch_destroy);
  for (int calls = draws.number(1, 12); calls > 0; --calls) {
    Matrices matrices = draw_matrices(draws, Family::r_off, draws.between(1, 20), d, in_double);
    if (!two_views) matrices.b.is_given = matrices.grad_b.is_given = false;
    if (draws.one_in(8)) spoil(draws, matrices, two_views ? Family::r_off : family);
    Results results(draws, draws.one_in(8) ? 8 : 0);
    const Memory before(matrices, results);
    const decorr_status status =
        call(draws, family, batch.get(), matrices, results, draw_type(draws, in_double));
    require(status == DECORR_OK ||
                (status == DECORR_INVALID_ARGUMENT && decorr_error_message()[0] != '\0'),
            std::string("another status: ") + decorr_error_message());
    Memory(matrices, results).require_unchanged(before, status);
  }
}

// ---- Draws and presets

/// Arrays of d numbers, and one more where it would be written to.
void check_draws(Draws& draws) {
  decorr_generator* made = nullptr;
  require_status(decorr_generator_create(draws.seed(), &made), Verdict::right, "generator_create");
  const std::unique_ptr<decorr_generator, void (*)(decorr_generator*)> owner(
      made, decorr_generator_destroy);
  decorr_generator* generator = draws.one_in(8) ? nullptr : made;
  const Index good = draws.of(std::vector<Index>{1, 2, 7, 64, 2048, 8192});
  const std::int64_t d =
      draws.one_in(4)
          ? draws.of(std::vector<std::int64_t>{0, -1, kLeast64, kMost64, std::int64_t{kMost32} + 1})
          : good;
  const auto size = static_cast<std::size_t>(good);
  std::vector<std::int64_t> permutation(size, -7);
  std::vector<std::int8_t> signs_a(size, -7), signs_b(size, -7);
  std::int64_t* to_permutation = draws.one_in(8) ? nullptr : permutation.data();
  std::int8_t* to_signs_a = draws.one_in(8) ? nullptr : signs_a.data();
  std::int8_t* to_signs_b = draws.one_in(8) ? nullptr : signs_b.data();
  const bool right = generator != nullptr && d == good;
  const auto verdict = [](bool is_right) { return is_right ? Verdict::right : Verdict::wrong; };
  decorr_status status = DECORR_OK;
  decorr_barlow_twins_options barlow_twins;
  decorr_vicreg_options vicreg;
  decorr_regularizer regularizer;
  decorr_barlow_twins_options_defaults(&barlow_twins, sizeof barlow_twins);
  decorr_vicreg_options_defaults(&vicreg, sizeof vicreg);
  decorr_regularizer_defaults(&regularizer, sizeof regularizer);
  const std::int32_t preset = draws.one_in(8)
                                  ? draws.of(std::vector<std::int32_t>{-1, 7, kLeast32, kMost32})
                                  : draws.number(0, 6);
  const std::int64_t block_size = draws.one_in(4)
                                      ? draws.of(std::vector<std::int64_t>{-1, kMost64, kLeast64})
                                      : draws.between(0, good);
  switch (draws.number(0, 4)) {
    case 0:
      status = decorr_random_permutation(generator, d, to_permutation);
      require_status(status, verdict(right && to_permutation != nullptr), "random_permutation");
      break;
    case 1:
      status = decorr_random_signs(generator, d, to_signs_a);
      require_status(status, verdict(right && to_signs_a != nullptr), "random_signs");
      break;
    case 2:
      status = decorr_recommended(draws.between(-1, 300), d, generator, to_signs_a, to_signs_b,
                                  &regularizer);
      require_status(status, Verdict::either, "recommended");
      break;
    case 3:
      status = decorr_barlow_twins_preset(preset, d, block_size, generator, to_permutation,
                                          to_signs_a, to_signs_b, &barlow_twins, &regularizer);
      require_status(status, Verdict::either, "barlow_twins_preset");
      break;
    default:
      status = decorr_vicreg_preset(preset, d, block_size, generator, to_permutation, to_signs_a,
                                    to_signs_b, &vicreg, &regularizer);
      require_status(status, Verdict::either, "vicreg_preset");
  }
  const auto is_untouched = [](const auto& array) {
    return std::all_of(array.begin(), array.end(), [](auto entry) { return entry == -7; });
  };
  require(status == DECORR_OK ||
              (is_untouched(permutation) && is_untouched(signs_a) && is_untouched(signs_b)),
          "a call that has failed has written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draws draws(data, size);
  const auto family = static_cast<Family>(draws.number(0, 5));
  switch (draws.number(0, 7)) {
    case 0:
      check_draws(draws);
      break;
    case 1:
    case 2:
      check_batch(draws, family);
      break;
    default:
      check_call(draws, family);
  }
  return 0;
}
