// The .npy reader of decorr-inspect: every kind of file that it takes, with the bytes as
// NumPy's format description has them, and that all others end in an NpyError.
#include "../npy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "printable.hpp"

namespace {

using inspect::DoubleMatrix;
using inspect::NpyError;
using inspect::NpyHeader;
using inspect::NpyLayout;
using std::string_literals::operator""s;

// A file with this header text, as it stands.
std::string file_of(const std::string& header, const std::string& data, int version = 1) {
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::string file = "\x93NUMPY" + std::string{static_cast<char>(version), '\0'};
  for (std::size_t i = 0; i < length_bytes; ++i) {
    file += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  }
  return file + header + data;
}

std::string dictionary(const std::string& descr, const std::string& order,
                       const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

struct Array {
  NpyHeader header;
  DoubleMatrix values;
};

Array read(const std::string& file) {
  std::istringstream stream(file);
  Array array;
  array.header = inspect::read_npy_header(stream, file.size());
  array.values = inspect::read_npy_data(stream, array.header);
  return array;
}

// The error's message; empty if the file is read.
std::string error_of(const std::string& file) {
  try {
    read(file);
    return "";
  } catch (const NpyError& error) {
    return error.what();
  }
}

// 1, -2, 0.5 / 3, infinity, -0 as the bytes of each type, little-endian.
struct Stored {
  std::string type;
  std::vector<std::string> elements;
};
const std::vector<Stored> kStored = {
    {"f2", {"\x00\x3c"s, "\x00\xc0"s, "\x00\x38"s, "\x00\x42"s, "\x00\x7c"s, "\x00\x80"s}},
    {"f4",
     {"\x00\x00\x80\x3f"s, "\x00\x00\x00\xc0"s, "\x00\x00\x00\x3f"s, "\x00\x00\x40\x40"s,
      "\x00\x00\x80\x7f"s, "\x00\x00\x00\x80"s}},
    {"f8",
     {"\x00\x00\x00\x00\x00\x00\xf0\x3f"s, "\x00\x00\x00\x00\x00\x00\x00\xc0"s,
      "\x00\x00\x00\x00\x00\x00\xe0\x3f"s, "\x00\x00\x00\x00\x00\x00\x08\x40"s,
      "\x00\x00\x00\x00\x00\x00\xf0\x7f"s, "\x00\x00\x00\x00\x00\x00\x00\x80"s}}};

std::string data_of(const Stored& stored, bool big_endian, bool fortran_order) {
  std::string data;
  for (const std::size_t k : fortran_order ? std::vector<std::size_t>{0, 3, 1, 4, 2, 5}
                                           : std::vector<std::size_t>{0, 1, 2, 3, 4, 5}) {
    const std::string& element = stored.elements[k];
    data += big_endian ? std::string(element.rbegin(), element.rend()) : element;
  }
  return data;
}

// A valid file of 2 x 3 float32, for headers to be compared with.
const std::string kData = data_of(kStored[1], false, false);
std::string with_header(const std::string& header) { return file_of(header, kData); }
std::string with_shape(const std::string& shape) {
  return with_header(dictionary("'<f4'", "False", shape));
}
std::string with_descr(const std::string& descr) {
  return with_header(dictionary(descr, "False", "(2, 3)"));
}

void check_error(const std::string& file, const std::string& expected) {
  const std::string message = error_of(file);
  INFO("message: " << message << ", expected: " << expected);
  CHECK(message.find(expected) != std::string::npos);
  CHECK_FALSE(expected.empty());
}

}  // namespace

TEST_CASE("npy: every type, byte order, storage order and version is read and written back") {
  for (const Stored& stored : kStored) {
    for (const bool big_endian : {false, true}) {
      for (const bool fortran_order : {false, true}) {
        for (const int version : {1, 2, 3}) {
          CAPTURE(stored.type);
          CAPTURE(big_endian);
          CAPTURE(fortran_order);
          CAPTURE(version);
          const std::string header =
              dictionary("'" + ((big_endian ? ">" : "<") + stored.type) + "'",
                         fortran_order ? "True" : "False", "(2, 3)");
          const std::string data = data_of(stored, big_endian, fortran_order);
          const Array array = read(file_of(header + "    \n", data, version));
          REQUIRE(array.header.rows == 2);
          REQUIRE(array.header.cols == 3);
          DoubleMatrix expected(2, 3);
          expected << 1, -2, 0.5, 3, HUGE_VAL, -0.0;
          CHECK(array.values == expected);
          CHECK(std::signbit(array.values(1, 2)));

          std::ostringstream written;
          inspect::write_npy(written, array.values, array.header.layout);
          const std::string text = written.str();
          CHECK(text.size() % 64 == data.size());
          CHECK(text.substr(text.size() - data.size() - 1) == "\n" + data);
          CHECK(read(text).values == expected);
        }
      }
    }
  }
}

TEST_CASE("npy: rounding and the ends of the 16-bit type") {
  const NpyLayout half{2, false, false};
  CHECK(inspect::rounded_to(half, 65504.0) == 65504.0);
  CHECK(std::isinf(inspect::rounded_to(half, 65520.0)));
  CHECK(inspect::rounded_to(half, 0x1p-24) == 0x1p-24);
  CHECK(inspect::rounded_to(half, 0x1p-26) == 0);
  CHECK(inspect::rounded_to(half, 1 + 0x1p-10 + 0x1p-12) == 1 + 0x1p-10);
  CHECK(std::isnan(inspect::rounded_to(half, std::nan(""))));
  CHECK(inspect::rounded_to({4, true, false}, 1 + 0x1p-30) == 1);
  CHECK(inspect::rounded_to({8, true, true}, 1 + 0x1p-30) == 1 + 0x1p-30);
}

TEST_CASE("npy: the dictionary in any of the ways to write it") {
  const DoubleMatrix expected = read(with_shape("(2, 3)")).values;
  for (const char* header : {
           "{'shape': (2, 3), 'descr': '<f4', 'fortran_order': False}",
           "{\"fortran_order\": False, \"shape\": (2, 3), \"descr\": \"<f4\"}",
           "{'descr':'<f4','fortran_order':False,'shape':(2,3)}",
           " { 'descr' :\t'<f4' ,\n'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } \n\n",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
       }) {
    CAPTURE(header);
    CHECK(read(with_header(header)).values == expected);
  }
  // Without a byte order that of the machine is meant, little-endian where this is checked.
  for (const char* descr : {"'=f4'", "'|f4'", "'f4'"}) {
    std::uint16_t one = 1;
    if (*reinterpret_cast<unsigned char*>(&one) == 1) {
      CHECK(read(with_descr(descr)).values == expected);
    }
  }
}

TEST_CASE("npy: every name that numpy.dtype has for the types") {
  // With what NumPy 1.24 and 2.4 make of it, where they make a float of it.
  struct Name {
    const char* type;
    std::size_t stored;
    bool is_code;
  };
  for (const Name& name : {Name{"f2", 0, true}, Name{"e", 0, true}, Name{"float16", 0, false},
                           Name{"half", 0, false}, Name{"f4", 1, true}, Name{"f", 1, true},
                           Name{"float32", 1, false}, Name{"single", 1, false}, Name{"f8", 2, true},
                           Name{"d", 2, true}, Name{"float64", 2, false}, Name{"double", 2, false},
                           Name{"float", 2, false}, Name{"float_", 2, false}}) {
    const Stored& stored = kStored[name.stored];
    std::uint16_t one = 1;
    const bool native = *reinterpret_cast<unsigned char*>(&one) == 0;
    for (const std::string order : {"", "=", "|", "<", ">"}) {
      const std::string descr = order + name.type;
      CAPTURE(descr);
      const bool big_endian = order == ">" || (native && order != "<");
      const std::string file = file_of(dictionary("'" + descr + "'", "False", "(2, 3)"),
                                       data_of(stored, big_endian, false));
      if (name.is_code || order.empty()) {
        const Array array = read(file);
        CHECK(array.header.layout.descr() == (big_endian ? ">" : "<") + stored.type);
        CHECK(array.values(0, 1) == -2);
        CHECK(array.values(1, 0) == 3);
      } else {
        check_error(file, "dtype '" + descr + "' is not supported, expected float16, float32 or");
      }
    }
  }
}

TEST_CASE("npy: malformed dictionaries") {
  for (const char* header : {
           "",
           " ",
           "{",
           "{'descr'",
           "{'descr': '<f4",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)]",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}}",
           "{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f4',, 'fortran_order': False, 'shape': (2, 3)}",
           "{,'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr' '<f4', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': false, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': FalseTrue, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': None, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, +3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3.0)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0x3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (02, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2,, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (, 2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3LL)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, True)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999)}",
           "{'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'shape': (2, 3)}",
           "{'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
           "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 3)}",
           "{descr: '<f4', fortran_order: False, shape: (2, 3)}",
           "['descr', '<f4', 'fortran_order', False, 'shape', (2, 3)]",
       }) {
    CAPTURE(header);
    check_error(with_header(header), "malformed header at byte ");
  }
  check_error(with_header(dictionary("'<f4'", "False", "(2, 3)") + "\0"s), "malformed header");
  check_error(with_header("{'descr': 'a\nb', }"), "malformed header at byte 20");
  // Where it is wrong: behind 10 bytes of magic, version and length.
  check_error(with_header("{'descr': 4}"), "malformed header at byte 20: expected a dtype");
}

TEST_CASE("npy: types that are not read, each by its name") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {" (integers)", {"<i8", "|u1", "b", "|b", ">H", "int64", "uint8", "int"}},
      {" (booleans)", {"|b1", "?", "bool", "bool_"}},
      {" (complex numbers)", {"<c8", "D", "complex64"}},
      {" (Python objects, stored by pickle, which can run any code when loaded)", {"|O", "object"}},
      {" (strings)", {"<U3", "|S3", "str"}},
      {" (dates or times)", {"<M8[s]", "<m8", "datetime64[ns]"}},
      {" (bfloat16, which NumPy does not have: save array.astype(numpy.float32))",
       {"bfloat16", "<bfloat16", "<V2", "|V2"}},
      {" (raw bytes or records)", {"|V12", "V"}},
      {" (long double)", {"<f16", "f12", "g", "longdouble", "float128"}},
      {"",
       {"", "<", "<<f4", "<f3", "<f44", "f4 ", " f4", "F4", "Float32", "bloat", "f1", "float8_e4m3",
        "torch.float32", "1f4", "b12x", "nothing", "<float32", "|half"}},
  };
  for (const auto& [words, descrs] : kinds) {
    for (const std::string& descr : descrs) {
      CAPTURE(descr);
      CHECK(error_of(with_descr("'" + descr + "'")) ==
            "dtype '" + descr + "'" + words +
                " is not supported, expected float16, float32 or float64");
    }
  }
  check_error(with_descr("[('x', '<f4'), ('y', '<f4')]"), "structured dtype");
  // A message is fit for a terminal, and short.
  check_error(with_descr("'\x1b[31m" + std::string(1000, 'x') + "'"), "'?[31mxxx");
  CHECK(error_of(with_descr("'" + std::string(1000, 'x') + "'")).size() < 200);
}

TEST_CASE("npy: shapes") {
  CHECK(read(with_shape("(6, 1)")).values.rows() == 6);
  check_error(with_shape("()"), "shape () has 0 dimensions");
  check_error(with_shape("(6,)"), "shape (6,) has 1 dimension, expected 2");
  check_error(with_shape("(1, 2, 3)"), "has 3 dimensions");
  check_error(with_shape("(0, 3)"), "expected at least 1 row");
  check_error(with_shape("(2, 0)"), "expected at least 1 row");
  check_error(with_shape("(2, 2)"), "oversized: shape (2, 2) of float32 takes 16 bytes, 24 are");
  check_error(with_shape("(2, 4)"), "truncated");
  check_error(with_shape("(7, 1)"), "truncated");
  // Products that overflow 64 bits, some to the size of the data.
  for (const char* shape :
       {"(9223372036854775807, 9223372036854775807)", "(4611686018427387904, 4)",
        "(2305843009213693953, 8)", "(3, 6148914691236517208)", "(1, 9223372036854775807)",
        "(4611686018427387910, 1)", "(2147483648, 8589934592)"}) {
    CAPTURE(shape);
    check_error(with_shape(shape), "truncated");
  }
  check_error(with_shape("(1, 9223372036854775808)"), "above 2^63 - 1");
}

TEST_CASE("npy: files that end early, or are something else") {
  const std::string file = with_shape("(2, 3)");
  for (std::size_t length = 0; length < file.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(error_of(file.substr(0, length)).empty());
  }
  check_error("", "is empty");
  check_error(file.substr(0, 9), "truncated: the file ends within the header, at byte 9");
  check_error(file + "x", "oversized");
  check_error("PK\x03\x04 more", "zip archive");
  check_error("1.5,2.5\n", "is not a .npy file");
  check_error("\x93NUMPX", "is not a .npy file");
  check_error("\x93NUMPY\x04\x00\x10\x00"s, "format version 4.0");
  check_error("\x93NUMPY\x01\x01\x10\x00"s, "format version 1.1");
  // Headers of forged lengths.
  check_error("\x93NUMPY\x01\x00\xff\xff{}"s, "a header of 65535 bytes, of which 2 are there");
  check_error("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"s, "a header of 4294967295 bytes");
  check_error(file_of(dictionary("'<f4'", "False", "(2, 3)") + std::string(70000, ' '), kData, 2),
              "expected at most 65536");
  // A file that shrinks while it is read.
  std::istringstream stream(file.substr(0, file.size() - 1));
  const NpyHeader header = inspect::read_npy_header(stream, file.size());
  CHECK_THROWS_AS(inspect::read_npy_data(stream, header), NpyError);
}

// Changed files either are read or end in an NpyError: nothing else is thrown, and nothing happens
// that a sanitizer sees.
TEST_CASE("names of files are printed without control characters") {
  using support::printable_name;
  for (const std::string& kept : {"a.npy"s, " ~!?"s, "\xC2\xA0"s, "\xC3\xA9\xDF\xBF"s,
                                  "\xE2\x82\xAC\xEF\xBF\xBD"s, "\xF0\x9F\x98\x80"s}) {
    CHECK(printable_name(kept) == kept);
  }
  CHECK(printable_name("") == "");
  CHECK(printable_name("\x1B]0;title\x07.npy") == "?]0;title?.npy");
  CHECK(printable_name("a\nb\tc\rd\x7F"s + '\0') == "a?b?c?d??");
  // U+0080 to U+009F, of which U+009B starts an escape sequence as ESC [ does.
  CHECK(printable_name("\xC2\x80 \xC2\x9B"
                       "31m\xC2\x9F") == "?? ??31m??");
  // No UTF-8: a byte that a terminal for another encoding takes for a control character.
  CHECK(printable_name("\x9B"
                       "31m\xFF") == "?31m?");
  CHECK(printable_name("\xC3\x1B[31m") == "??[31m");
  CHECK(printable_name("\xE2\x82\x1B") == "???");
  CHECK(printable_name("\xE2\x82") == "??");
  CHECK(printable_name("\xC3\xA9\xC3") == "\xC3\xA9?");
}

TEST_CASE("npy: files with random changes") {
  std::mt19937 random(1);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  std::vector<std::string> files;
  for (const int version : {1, 2, 3}) {
    files.push_back(file_of(dictionary("'<f4'", "False", "(2, 3)") + "\n", kData, version));
    files.push_back(file_of(dictionary("'>f2'", "True", "(3, 2)"), kData.substr(12), version));
  }
  const std::vector<std::string> pieces = {
      "'",    "\"", "(",  ")",    "{",     "}",  ",", ":", "L", "9999999999", "0",       "-", "\0"s,
      "\xff", "f8", "|O", "True", "False", "()", "[", " ", "4", "1",          "'descr'", "\\"};
  int read_count = 0, error_count = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string file = files[below(files.size())];
    for (std::size_t change = below(3) + 1; change > 0 && !file.empty(); --change) {
      const std::size_t at = below(file.size());
      switch (below(5)) {
        case 0:
          file[at] = static_cast<char>(random() & 0xFF);
          break;
        case 1:
          file.erase(at, below(4) + 1);
          break;
        case 2:
          file.insert(at, pieces[below(pieces.size())]);
          break;
        case 3:
          file.resize(at);
          break;
        default:
          file[at] = static_cast<char>(file[at] ^ (1 << below(8)));
      }
    }
    error_of(file).empty() ? ++read_count : ++error_count;
  }
  CHECK(read_count > 100);
  CHECK(error_count > 10000);
}
