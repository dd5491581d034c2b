#ifndef DECORR_BENCH_REPRESENTATION_IDX_HPP_
#define DECORR_BENCH_REPRESENTATION_IDX_HPP_

#include <zlib.h>

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "images.hpp"

/// @file
/// IDX files, of MNIST and of data sets in its form (http://yann.lecun.com/exdb/mnist): big-endian
/// numbers, then bytes. zlib reads them packed by gzip or as they are.

namespace representation {

namespace idx_detail {

class GzipFile {
 public:
  explicit GzipFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) throw std::runtime_error("cannot open " + path);
  }

  void read(std::uint8_t* bytes, std::size_t count) {
    const std::size_t most = std::size_t{1} << 24;  // gzread counts in int
    for (std::size_t done = 0; done < count;) {
      const auto wanted = static_cast<unsigned>(std::min(most, count - done));
      const int got = gzread(file_.get(), bytes + done, wanted);
      if (got <= 0) throw std::runtime_error(path_ + " ends too early or is damaged");
      done += static_cast<std::size_t>(got);
    }
  }

  std::uint32_t read_number() {
    std::uint8_t bytes[4];
    read(bytes, 4);
    std::uint32_t number = 0;
    for (const std::uint8_t byte : bytes) number = number << 8 | byte;
    return number;
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

}  // namespace idx_detail

/// The first `most` images of a set with their labels.
inline support::LabelledImages load_idx(const std::string& image_path,
                                        const std::string& label_path, Eigen::Index most) {
  idx_detail::GzipFile image_file(image_path), label_file(label_path);
  constexpr std::uint32_t images_magic = 0x803, labels_magic = 0x801, most_side = 1024;
  if (image_file.read_number() != images_magic) {
    throw std::runtime_error(image_path + " is no IDX file of images");
  }
  if (label_file.read_number() != labels_magic) {
    throw std::runtime_error(label_path + " is no IDX file of labels");
  }
  const Eigen::Index available = image_file.read_number();
  const std::uint32_t height = image_file.read_number(), width = image_file.read_number();
  if (height != width || height == 0 || height > most_side) {
    throw std::runtime_error(image_path + " has images of " + std::to_string(height) + " x " +
                             std::to_string(width) + " pixels, expected squares of 1 to 1024");
  }
  if (static_cast<Eigen::Index>(label_file.read_number()) != available) {
    throw std::runtime_error(label_path + " has not as many labels as " + image_path + " images");
  }
  const Eigen::Index count = std::min(most, available);
  const Eigen::Index pixels = Eigen::Index{height} * width;
  support::LabelledImages set;
  set.images.resize(count, pixels);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(pixels));
  for (Eigen::Index i = 0; i < count; ++i) {
    image_file.read(bytes.data(), bytes.size());
    const Eigen::Map<const Eigen::Matrix<std::uint8_t, 1, Eigen::Dynamic>> row(bytes.data(),
                                                                               pixels);
    set.images.row(i) = row.cast<float>() / 255.0F;
    std::uint8_t label = 0;
    label_file.read(&label, 1);
    if (label >= support::kClasses) {
      throw std::runtime_error(label_path + ": label " + std::to_string(label) + ", expected 0..9");
    }
    set.labels.push_back(label);
  }
  return set;
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_IDX_HPP_
