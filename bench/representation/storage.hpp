#ifndef DECORR_BENCH_REPRESENTATION_STORAGE_HPP_
#define DECORR_BENCH_REPRESENTATION_STORAGE_HPP_

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

/// @file
/// Files that are whole whenever the process, or the machine, stops.

namespace representation {

using Json = nlohmann::json;
using Path = std::filesystem::path;

namespace storage_detail {

class Descriptor {
 public:
  Descriptor(const Path& path, int flags)
      : path_(path), number_(::open(path.c_str(), flags, 0644)) {
    if (number_ < 0) fail("open");
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write(const void* bytes, std::size_t count) {
    const auto* from = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t written = ::write(number_, from, count);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write");
      from += written;
      count -= static_cast<std::size_t>(written);
    }
  }
  void sync() {
    if (::fsync(number_) != 0) fail("sync");
  }
  void truncate(std::uintmax_t size) {
    if (::ftruncate(number_, static_cast<off_t>(size)) != 0) fail("truncate");
  }

 private:
  [[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string("cannot ") + what + " " + path_.string() + ": " +
                             std::strerror(errno));
  }

  Path path_;
  int number_;
};

inline void sync_folder_of(const Path& path) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  Descriptor(folder, O_RDONLY | O_DIRECTORY).sync();
}

}  // namespace storage_detail

/// Replaces a file: whoever reads it finds the old one or the new one, never a part.
inline void replace_file(const Path& path, const std::vector<std::uint8_t>& bytes) {
  const Path temporary = path.string() + ".new";
  {
    storage_detail::Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(bytes.data(), bytes.size());
    file.sync();  // before the name points to it
  }
  std::filesystem::rename(temporary, path);
  storage_detail::sync_folder_of(path);
}

inline std::vector<std::uint8_t> read_file(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Results, one JSON object a line. What a process that was killed has left of a line is dropped.
class ResultsFile {
 public:
  explicit ResultsFile(Path path) : path_(std::move(path)) {
    if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path());
    std::ifstream file(path_);
    std::string line;
    while (std::getline(file, line)) {
      if (file.eof()) break;  // no end of line
      whole_ += line.size() + 1;
      rows_.push_back(Json::parse(line));
    }
  }

  const std::vector<Json>& rows() const { return rows_; }

  /// The row with this member "key"; null if there is none.
  const Json* find(const Json& key) const {
    for (const Json& row : rows_) {
      if (row.at("key") == key) return &row;
    }
    return nullptr;
  }

  void append(const Json& row) {
    storage_detail::Descriptor file(path_, O_WRONLY | O_CREAT | O_APPEND);
    file.truncate(whole_);
    const std::string line = row.dump() + "\n";
    file.write(line.data(), line.size());
    file.sync();
    whole_ += line.size();
    rows_.push_back(row);
  }

 private:
  Path path_;
  std::uintmax_t whole_ = 0;
  std::vector<Json> rows_;
};

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_STORAGE_HPP_
