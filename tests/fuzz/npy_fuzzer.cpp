// The .npy reader of decorr-inspect: any bytes are read or end in an NpyError. What is read are the
// numbers of the file, decoded here by arithmetic; a file with a byte more or less is refused; what
// is written again is read as the same. Run with -malloc_limit_mb=1: a header alone must not get
// more memory than the bytes behind it are worth.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include "../../extras/inspect/npy.hpp"
#include "require.hpp"

namespace {

using decorr_fuzz::require;
using Eigen::Index;
using inspect::DoubleMatrix;
using inspect::NpyHeader;
using inspect::NpyLayout;

struct File {
  NpyHeader header;
  DoubleMatrix matrix;
};

File read(const std::string& bytes) {
  std::istringstream stream(bytes);
  const NpyHeader header = inspect::read_npy_header(stream, bytes.size());
  return {header, inspect::read_npy_data(stream, header)};
}

bool is_refused(const std::string& bytes) {
  try {
    read(bytes);
    return false;
  } catch (const inspect::NpyError&) {
    return true;
  }
}

bool same(double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); }

// IEEE 754's sign, exponent and fraction as a sum of powers of two.
double by_arithmetic(const unsigned char* bytes, const NpyLayout& layout) {
  const int size = layout.element_bytes;
  const int fraction_bits = size == 2 ? 10 : size == 4 ? 23 : 52;
  std::uint64_t bits = 0;
  for (int i = 0; i < size; ++i) {
    bits = bits << 8 | bytes[layout.big_endian ? i : size - 1 - i];
  }
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << fraction_bits) - 1);
  const int exponent_bits = 8 * size - 1 - fraction_bits;
  const int most = (1 << exponent_bits) - 1, bias = most / 2;
  const int exponent = static_cast<int>(bits >> fraction_bits) & most;
  const double sign = bits >> (8 * size - 1) == 0 ? 1 : -1;
  if (exponent == most) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  }
  const double whole = exponent == 0 ? 0 : std::ldexp(1.0, fraction_bits);
  return sign * std::ldexp(whole + static_cast<double>(fraction),
                           (exponent == 0 ? 1 : exponent) - bias - fraction_bits);
}

void check_numbers(const File& file, const std::string& bytes) {
  const NpyLayout& layout = file.header.layout;
  const auto size = static_cast<std::size_t>(layout.element_bytes);
  const auto count = static_cast<std::size_t>(file.matrix.size());
  const auto* data =
      reinterpret_cast<const unsigned char*>(bytes.data() + bytes.size() - count * size);
  for (Index i = 0; i < file.matrix.rows(); ++i) {
    for (Index j = 0; j < file.matrix.cols(); ++j) {
      const Index k =
          layout.fortran_order ? j * file.matrix.rows() + i : i * file.matrix.cols() + j;
      require(
          same(file.matrix(i, j), by_arithmetic(data + static_cast<std::size_t>(k) * size, layout)),
          "a number is not that of the file");
    }
  }
}

void check_written(const File& file) {
  std::ostringstream stream;
  inspect::write_npy(stream, file.matrix, file.header.layout);
  const File copy = read(stream.str());
  require(copy.header.layout.descr() == file.header.layout.descr() &&
              copy.header.layout.fortran_order == file.header.layout.fortran_order &&
              copy.matrix.rows() == file.matrix.rows() && copy.matrix.cols() == file.matrix.cols(),
          "what is written has another header");
  for (Index i = 0; i < copy.matrix.size(); ++i) {
    require(same(copy.matrix.data()[i], file.matrix.data()[i]),
            "what is written is another number");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const File file = read(bytes);
    check_numbers(file, bytes);
    check_written(file);
  } catch (const inspect::NpyError&) {
    return 0;
  }
  require(is_refused(bytes.substr(0, size - 1)), "a file that ends early is read");
  require(is_refused(bytes + '\0'), "a file that is too long is read");
  return 0;
}
