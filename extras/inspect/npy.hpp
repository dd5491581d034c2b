#ifndef DECORR_EXTRAS_INSPECT_NPY_HPP_
#define DECORR_EXTRAS_INSPECT_NPY_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// @file
/// Matrices in NumPy's .npy files, format versions 1.0, 2.0 and 3.0
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
///
/// A file is not trusted: nothing is allocated by what its header says before that agrees with the
/// size of the file, and the header is parsed, never evaluated.

namespace inspect {

/// All types are read into double, which holds each of them exactly.
using DoubleMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What is wrong with a file; the message does not name it.
class NpyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How the elements of an array are stored. Also what a file of the same kind is written from.
struct NpyLayout {
  int element_bytes = 4;  ///< 2, 4 or 8: float16, float32, float64
  bool big_endian = false;
  bool fortran_order = false;

  std::string descr() const { return (big_endian ? ">f" : "<f") + std::to_string(element_bytes); }
  std::string type_name() const { return "float" + std::to_string(8 * element_bytes); }
};

/// A header that agrees with the size of its file.
struct NpyHeader {
  NpyLayout layout;
  Eigen::Index rows = 0, cols = 0;  ///< at least 1 each
};

namespace npy_detail {

constexpr std::string_view kMagic = "\x93NUMPY";
/// NumPy writes 118 bytes for a matrix, and itself takes no more than 10000 from strangers.
constexpr std::uint32_t kLongestHeader = 65536;

/// Text of a file as part of a message: without control characters, and not too long.
inline std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return "'" + shown + (text.size() > 40 ? "...'" : "'");
}

/// The names that numpy.dtype takes for a type. With a byte order before them, codes alone.
struct FloatNames {
  int element_bytes;
  std::array<std::string_view, 2> codes;
  std::array<std::string_view, 4> names;
};
constexpr std::array<FloatNames, 3> kFloatNames = {{
    {2, {"f2", "e"}, {"float16", "half"}},
    {4, {"f4", "f"}, {"float32", "single"}},
    {8, {"f8", "d"}, {"float64", "double", "float", "float_"}},
}};

/// What is meant by a dtype that is not read, given without its byte order; empty where unknown.
inline std::string_view type_in_words(std::string_view type) {
  if (type.empty()) return "";
  const auto starts_with_one_of = [&](std::initializer_list<std::string_view> starts) {
    return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) {
      return type.substr(0, start.size()) == start;
    });
  };
  const auto is_letter_of = [&](std::string_view letters) {
    return type.size() == 1 && letters.find(type[0]) != std::string_view::npos;
  };
  const auto is_sized_letter_of = [&](std::string_view letters) {
    return letters.find(type[0]) != std::string_view::npos &&
           type.find_first_not_of("0123456789", 1) == std::string_view::npos;
  };
  if (starts_with_one_of({"bfloat16"}) || type == "V2") {
    return "bfloat16, which NumPy does not have: save array.astype(numpy.float32)";
  }
  if (is_sized_letter_of("O") || starts_with_one_of({"object"})) {
    return "Python objects, stored by pickle, which can run any code when loaded";
  }
  if (type == "b1" || type == "?" || starts_with_one_of({"bool"})) return "booleans";
  if (is_letter_of("bBhHiIlLqQpP") || is_sized_letter_of("iu") ||
      starts_with_one_of({"int", "uint"}))
    return "integers";
  if (is_letter_of("FDG") || is_sized_letter_of("c") || starts_with_one_of({"complex"}))
    return "complex numbers";
  if (is_sized_letter_of("SUa") || starts_with_one_of({"str", "bytes"})) return "strings";
  if (starts_with_one_of({"M8", "m8", "datetime64", "timedelta64"})) return "dates or times";
  if (is_sized_letter_of("V") || starts_with_one_of({"void"})) return "raw bytes or records";
  if (type == "f12" || type == "f16" || type == "g" ||
      starts_with_one_of({"longdouble", "float96", "float128"})) {
    return "long double";
  }
  return "";
}

/// The header's Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  /// `offset`: where the text starts in the file, for messages.
  HeaderParser(std::string_view text, std::uint64_t offset) : text_(text), offset_(offset) {}

  struct Fields {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::uint64_t>> shape;
  };

  Fields parse() {
    Fields fields;
    expect('{');
    while (!accept('}')) {
      parse_entry(fields);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (position_ != text_.size()) fail("expected nothing but spaces after the dictionary");
    if (!fields.descr) fail("the dictionary has no key 'descr'");
    if (!fields.fortran_order) fail("the dictionary has no key 'fortran_order'");
    if (!fields.shape) fail("the dictionary has no key 'shape'");
    return fields;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw NpyError("malformed header at byte " + std::to_string(offset_ + position_) + ": " + what);
  }

  void parse_entry(Fields& fields) {
    const std::string key = parse_string("a key");
    expect(':');
    if (key == "descr") {
      set(fields.descr, key, parse_descr());
    } else if (key == "fortran_order") {
      set(fields.fortran_order, key, parse_bool());
    } else if (key == "shape") {
      set(fields.shape, key, parse_shape());
    } else {
      fail("unknown key " + printable(key));
    }
  }
  template <class Value>
  void set(std::optional<Value>& field, const std::string& key, Value value) const {
    if (field) fail("key '" + key + "' is there twice");
    field = std::move(value);
  }

  std::string parse_descr() {
    skip_spaces();
    if (peek() == '[') {
      throw NpyError(
          "structured dtype (records of named fields) is not supported, expected float16, float32 "
          "or float64");
    }
    return parse_string("a dtype");
  }
  std::string parse_string(const char* what) {
    skip_spaces();
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail(std::string("expected ") + what + " in quotes");
    const std::size_t begin = position_ + 1;
    const std::size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) fail("a string does not end");
    const std::string_view value = text_.substr(begin, end - begin);
    if (value.find_first_of("\\\n") != std::string_view::npos)
      fail("unexpected character in a string");
    position_ = end + 1;
    return std::string(value);
  }
  bool parse_bool() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair("True", true), std::pair("False", false)}) {
      if (text_.substr(position_, std::strlen(word)) == word) {
        position_ += std::strlen(word);
        return value;
      }
    }
    fail("expected True or False");
  }
  std::vector<std::uint64_t> parse_shape() {
    std::vector<std::uint64_t> shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(parse_extent());
      if (accept(',')) continue;
      expect(')');
      if (shape.size() == 1) fail("expected a tuple, (n,) for one extent");
      break;
    }
    return shape;
  }
  std::uint64_t parse_extent() {
    skip_spaces();
    constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
    std::uint64_t value = 0;
    const std::size_t begin = position_;
    for (; peek() >= '0' && peek() <= '9'; ++position_) {
      const auto digit = static_cast<std::uint64_t>(peek() - '0');
      if (value > (largest - digit) / 10) fail("an extent of the shape is above 2^63 - 1");
      value = 10 * value + digit;
    }
    if (position_ == begin) fail("expected an extent of the shape, a number from 0 on");
    if (text_[begin] == '0' && position_ > begin + 1) fail("a number starts with 0");
    if (peek() == 'L') ++position_;  // Python 2's long integers
    return value;
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void skip_spaces() {
    position_ = std::min(text_.find_first_not_of(" \t\r\n\f", position_), text_.size());
  }
  bool accept(char c) {
    skip_spaces();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'");
  }

  std::string_view text_;
  std::uint64_t offset_;
  std::size_t position_ = 0;
};

inline NpyLayout parse_layout(const std::string& descr, bool fortran_order) {
  // As numpy.dtype takes it: no sign, = and | mean the byte order of this machine.
  const std::uint16_t one = 1;
  unsigned char first_byte = 0;
  std::memcpy(&first_byte, &one, 1);
  bool big_endian = first_byte == 0;
  std::string_view type = descr;
  const bool has_order = !type.empty() && std::string_view("<>=|").find(type[0]) != type.npos;
  if (has_order) {
    if (type[0] == '<' || type[0] == '>') big_endian = type[0] == '>';
    type.remove_prefix(1);
  }
  const auto is_one_of = [&](const auto& names) {
    return !type.empty() && std::find(names.begin(), names.end(), type) != names.end();
  };
  for (const FloatNames& known : kFloatNames) {
    if (is_one_of(known.codes) || (!has_order && is_one_of(known.names))) {
      return {known.element_bytes, big_endian, fortran_order};
    }
  }
  const std::string words(type_in_words(type));
  throw NpyError("dtype " + printable(descr) + (words.empty() ? "" : " (" + words + ")") +
                 " is not supported, expected float16, float32 or float64");
}

inline std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < std::min<std::size_t>(shape.size(), 8); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() > 8 ? ", ...)" : shape.size() == 1 ? ",)" : ")");
}

/// Checks the shape, and that its elements fill the rest of the file, `available` bytes.
inline NpyHeader check_size(const NpyLayout& layout, const std::vector<std::uint64_t>& shape,
                            std::uint64_t available) {
  const std::string text = shape_text(shape);
  if (shape.size() != 2) {
    throw NpyError("shape " + text + " has " + std::to_string(shape.size()) +
                   (shape.size() == 1 ? " dimension" : " dimensions") +
                   ", expected 2: samples x features");
  }
  const std::uint64_t rows = shape[0], cols = shape[1];
  if (rows == 0 || cols == 0) {
    throw NpyError("shape " + text + ": expected at least 1 row and 1 column");
  }
  const auto bytes = static_cast<std::uint64_t>(layout.element_bytes);
  // Compared by division, as products of forged extents overflow.
  const std::uint64_t there = available / bytes;
  if (cols > there || rows > there / cols) {
    throw NpyError("truncated: shape " + text + " of " + layout.type_name() +
                   " does not fit into the " + std::to_string(available) +
                   " bytes after the header");
  }
  const std::uint64_t needed = rows * cols * bytes;
  if (needed < available) {
    throw NpyError("oversized: shape " + text + " of " + layout.type_name() + " takes " +
                   std::to_string(needed) + " bytes, " + std::to_string(available) +
                   " are after the header");
  }
  return {layout, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

inline void read_bytes(std::istream& stream, unsigned char* to, std::size_t count) {
  stream.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count));
  if (static_cast<std::size_t>(stream.gcount()) != count) {
    throw NpyError("cannot be read to its end");
  }
}

template <class Bits>
Bits load_bits(const unsigned char* from, bool big_endian) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < sizeof(Bits); ++i) {
    bits |= std::uint64_t{from[big_endian ? sizeof(Bits) - 1 - i : i]} << (8 * i);
  }
  return static_cast<Bits>(bits);
}

template <class Bits>
void store_bits(Bits bits, unsigned char* to, bool big_endian) {
  for (std::size_t i = 0; i < sizeof(Bits); ++i) {
    to[big_endian ? sizeof(Bits) - 1 - i : i] =
        static_cast<unsigned char>(std::uint64_t{bits} >> (8 * i) & 0xFF);
  }
}

inline double decode(const unsigned char* from, const NpyLayout& layout) {
  using Eigen::numext::bit_cast;
  switch (layout.element_bytes) {
    case 2:
      return static_cast<float>(
          bit_cast<Eigen::half>(load_bits<std::uint16_t>(from, layout.big_endian)));
    case 4:
      return static_cast<double>(
          bit_cast<float>(load_bits<std::uint32_t>(from, layout.big_endian)));
    default:
      return bit_cast<double>(load_bits<std::uint64_t>(from, layout.big_endian));
  }
}

inline void encode(double value, const NpyLayout& layout, unsigned char* to) {
  using Eigen::numext::bit_cast;
  switch (layout.element_bytes) {
    case 2:
      return store_bits(bit_cast<std::uint16_t>(Eigen::half(static_cast<float>(value))), to,
                        layout.big_endian);
    case 4:
      return store_bits(bit_cast<std::uint32_t>(static_cast<float>(value)), to, layout.big_endian);
    default:
      return store_bits(bit_cast<std::uint64_t>(value), to, layout.big_endian);
  }
}

/// Calls body(first, count) for stretches of the elements in the order of the file.
template <class Body>
void for_each_stretch(Eigen::Index elements, const Body& body) {
  constexpr Eigen::Index stretch = 65536;
  for (Eigen::Index first = 0; first < elements; first += stretch) {
    body(first, std::min(stretch, elements - first));
  }
}

/// The element that is number k in the file.
template <class Matrix>
auto& element(Matrix& matrix, Eigen::Index k, bool fortran_order) {
  return fortran_order ? matrix(k % matrix.rows(), k / matrix.rows())
                       : matrix(k / matrix.cols(), k % matrix.cols());
}

}  // namespace npy_detail

/// What is read where `value` has been written.
inline double rounded_to(const NpyLayout& layout, double value) {
  std::array<unsigned char, 8> bytes = {};
  npy_detail::encode(value, layout, bytes.data());
  return npy_detail::decode(bytes.data(), layout);
}

/// Reads the header from the start of a file of `size` bytes and leaves the stream at the data.
/// Throws NpyError for anything but a matrix of float16, float32 or float64 that ends where the
/// file ends.
inline NpyHeader read_npy_header(std::istream& stream, std::uint64_t size) {
  using namespace npy_detail;
  if (size == 0) throw NpyError("is empty, expected a .npy file");
  std::array<unsigned char, 12> start = {};
  const std::size_t version_end = kMagic.size() + 2;
  const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(size, version_end));
  read_bytes(stream, start.data(), first);
  const std::string_view magic(reinterpret_cast<const char*>(start.data()),
                               std::min(first, kMagic.size()));
  if (magic.substr(0, 4) == "PK\x03\x04") {
    throw NpyError("is a zip archive (.npz, or of torch.save), expected a .npy file of numpy.save");
  }
  if (magic != kMagic.substr(0, magic.size())) {
    throw NpyError("is not a .npy file: it does not start with \\x93NUMPY");
  }
  if (size < version_end + 2) {
    throw NpyError("truncated: the file ends within the header, at byte " + std::to_string(size));
  }
  const int major = start[kMagic.size()], minor = start[kMagic.size() + 1];
  if (major < 1 || major > 3 || minor != 0) {
    throw NpyError("format version " + std::to_string(major) + "." + std::to_string(minor) +
                   " is not supported, expected 1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::uint64_t text_begin = version_end + length_bytes;
  if (size < text_begin) {
    throw NpyError("truncated: the file ends within the header, at byte " + std::to_string(size));
  }
  read_bytes(stream, start.data() + version_end, length_bytes);
  const std::uint32_t length = major == 1
                                   ? load_bits<std::uint16_t>(start.data() + version_end, false)
                                   : load_bits<std::uint32_t>(start.data() + version_end, false);
  if (length > size - text_begin) {
    throw NpyError("truncated: a header of " + std::to_string(length) + " bytes, of which " +
                   std::to_string(size - text_begin) + " are there");
  }
  if (length > kLongestHeader) {
    throw NpyError("a header of " + std::to_string(length) + " bytes, expected at most " +
                   std::to_string(kLongestHeader));
  }
  std::string text(length, '\0');
  read_bytes(stream, reinterpret_cast<unsigned char*>(text.data()), length);
  const auto fields = HeaderParser(text, text_begin).parse();
  return check_size(parse_layout(*fields.descr, *fields.fortran_order), *fields.shape,
                    size - text_begin - length);
}

/// Reads the data, from where read_npy_header left the stream.
inline DoubleMatrix read_npy_data(std::istream& stream, const NpyHeader& header) {
  using namespace npy_detail;
  DoubleMatrix matrix(header.rows, header.cols);
  const auto bytes = static_cast<Eigen::Index>(header.layout.element_bytes);
  std::vector<unsigned char> buffer;
  for_each_stretch(matrix.size(), [&](Eigen::Index first, Eigen::Index count) {
    buffer.resize(static_cast<std::size_t>(count * bytes));
    read_bytes(stream, buffer.data(), buffer.size());
    for (Eigen::Index k = 0; k < count; ++k) {
      element(matrix, first + k, header.layout.fortran_order) =
          decode(buffer.data() + k * bytes, header.layout);
    }
  });
  return matrix;
}

/// Writes a matrix as format version 1.0, rounded to the layout's type.
inline void write_npy(std::ostream& stream, const DoubleMatrix& matrix, const NpyLayout& layout) {
  using namespace npy_detail;
  std::string text = "{'descr': '" + layout.descr() +
                     "', 'fortran_order': " + (layout.fortran_order ? "True" : "False") +
                     ", 'shape': (" + std::to_string(matrix.rows()) + ", " +
                     std::to_string(matrix.cols()) + "), }";
  const std::size_t start = kMagic.size() + 4, alignment = 64;
  text.resize((start + text.size() + alignment) / alignment * alignment - start - 1, ' ');
  text += '\n';
  std::array<unsigned char, 4> version_and_length = {1, 0};
  store_bits(static_cast<std::uint16_t>(text.size()), version_and_length.data() + 2, false);
  stream << kMagic;
  stream.write(reinterpret_cast<const char*>(version_and_length.data()), 4);
  stream << text;

  const auto bytes = static_cast<Eigen::Index>(layout.element_bytes);
  std::vector<unsigned char> buffer;
  for_each_stretch(matrix.size(), [&](Eigen::Index first, Eigen::Index count) {
    buffer.resize(static_cast<std::size_t>(count * bytes));
    for (Eigen::Index k = 0; k < count; ++k) {
      encode(element(matrix, first + k, layout.fortran_order), layout, buffer.data() + k * bytes);
    }
    stream.write(reinterpret_cast<const char*>(buffer.data()),
                 static_cast<std::streamsize>(buffer.size()));
  });
}

/// A .npy file, of which the header has been read and checked.
class NpyFile {
 public:
  /// Throws NpyError, also for what is no regular file: a pipe has no size to check a header by.
  explicit NpyFile(const std::filesystem::path& path) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) throw NpyError("no such file");
    if (error) throw NpyError("cannot be opened: " + error.message());
    if (std::filesystem::is_directory(status)) throw NpyError("is a folder, expected a .npy file");
    if (!std::filesystem::is_regular_file(status)) {
      throw NpyError("is a pipe or a device, expected a regular file: save the array first");
    }
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) throw NpyError("cannot be opened: " + error.message());
    errno = 0;
    stream_.open(path, std::ios::binary);
    if (!stream_) throw NpyError(std::string("cannot be opened: ") + std::strerror(errno));
    header_ = read_npy_header(stream_, size);
  }

  const NpyHeader& header() const { return header_; }
  /// To be called once.
  DoubleMatrix read() { return read_npy_data(stream_, header_); }

 private:
  std::ifstream stream_;
  NpyHeader header_;
};

}  // namespace inspect

#endif  // DECORR_EXTRAS_INSPECT_NPY_HPP_
