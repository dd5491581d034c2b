#ifndef DECORR_BENCH_REPRESENTATION_DATA_HPP_
#define DECORR_BENCH_REPRESENTATION_DATA_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "idx.hpp"
#include "images.hpp"

#ifndef DECORR_REPRESENTATION_DIGITS
#define DECORR_REPRESENTATION_DIGITS "docs/examples/data/digits.csv"
#endif

namespace representation {

struct ImageSets {
  support::LabelledImages training, held_out;
  support::Augmentation augmentation;
};

/// For images of things and digits of about 28 pixels; only things may be mirrored.
inline support::Augmentation picture_augmentation(Eigen::Index side, bool mirrored) {
  support::Augmentation most;
  most.side = side;
  most.angle = 0.12F;
  most.scale = 0.12F;
  most.slant = 0.08F;
  most.shift = static_cast<float>(side) / 20;
  most.contrast = 0.2F;
  most.noise = 0.05F;
  most.rough_noise = true;
  most.hole_probability = 0.25F;
  most.hole = side / 4;
  most.mirror_probability = mirrored ? 0.5F : 0;
  return most;
}

/// The path of an IDX file, packed or not; empty if there is none.
inline std::string find_idx(const std::filesystem::path& folder, const std::string& name) {
  for (const char* ending : {".gz", ""}) {
    const std::filesystem::path path = folder / (name + ending);
    if (std::filesystem::exists(path)) return path.string();
  }
  return "";
}

inline support::LabelledImages load_part(const std::filesystem::path& folder,
                                         const std::string& part, Eigen::Index most) {
  const std::string images = find_idx(folder, part + "-images-idx3-ubyte");
  const std::string labels = find_idx(folder, part + "-labels-idx1-ubyte");
  if (images.empty() || labels.empty()) return {};
  return load_idx(images, labels, most);
}

/// `where` is "digits", the project's own 8 x 8 digits; "fashion", those of Debian's package
/// dataset-fashion-mnist; or a folder with the IDX files of MNIST. Of a folder that has no training
/// part four fifths of the test part are for training.
inline ImageSets load_images(const std::string& where, Eigen::Index most_training,
                             Eigen::Index most_held_out) {
  using support::slice;
  ImageSets sets;
  if (where == "digits") {
    // The last third was written by other people.
    constexpr Eigen::Index training = 1200;
    const support::LabelledImages digits = support::load_digits(DECORR_REPRESENTATION_DIGITS);
    const Eigen::Index rest = digits.images.rows() - training;
    sets.training = slice(digits, 0, std::min(most_training, training));
    sets.held_out = slice(digits, training, std::min(most_held_out, rest));
    sets.augmentation = support::digit_augmentation();
    return sets;
  }
  const std::filesystem::path folder =
      where == "fashion" ? "/usr/share/datasets/fashion-mnist" : where;
  const support::LabelledImages test = load_part(folder, "t10k", 1 << 30);
  if (test.labels.empty()) {
    throw std::runtime_error("no t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte in " +
                             folder.string() +
                             (where == "fashion" ? " (Debian: dataset-fashion-mnist)" : ""));
  }
  sets.training = load_part(folder, "train", most_training);
  const Eigen::Index count = test.images.rows();
  if (sets.training.labels.empty()) {
    const Eigen::Index kept = count / 5 * 4;
    sets.training = slice(test, 0, std::min(most_training, kept));
    sets.held_out = slice(test, kept, std::min(most_held_out, count - kept));
  } else {
    sets.held_out = slice(test, 0, std::min(most_held_out, count));
  }
  const auto side = static_cast<Eigen::Index>(
      std::lround(std::sqrt(static_cast<double>(sets.training.images.cols()))));
  const bool mirrored = folder.filename().string().find("fashion") != std::string::npos;
  sets.augmentation = picture_augmentation(side, mirrored);
  return sets;
}

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_DATA_HPP_
