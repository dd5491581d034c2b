// IDX files, results and checkpoints, whole or not.

#include <doctest/doctest.h>
#include <zlib.h>

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data.hpp"
#include "storage.hpp"

namespace {

using namespace representation;  // NOLINT(google-build-using-namespace): what is tested
using Bytes = std::vector<std::uint8_t>;

/// A folder of its own, empty.
Path fresh_folder(const std::string& name) {
  const Path folder = std::filesystem::temp_directory_path() / ("decorr_representation_" + name);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

void append_number(std::uint32_t number, Bytes& bytes) {
  for (const int shift : {24, 16, 8, 0})
    bytes.push_back(static_cast<std::uint8_t>(number >> shift));
}

void write(const Path& path, const Bytes& bytes, bool packed) {
  if (!packed) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return;
  }
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) ==
          static_cast<int>(bytes.size()));
  gzclose(file);
}

Bytes images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  Bytes bytes;
  for (const std::uint32_t number : {0x803U, count, height, width}) append_number(number, bytes);
  for (std::uint32_t i = 0; i < count * height * width; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i * 7));
  }
  return bytes;
}

Bytes labels(std::uint32_t count, std::uint8_t first = 0) {
  Bytes bytes;
  for (const std::uint32_t number : {0x801U, count}) append_number(number, bytes);
  for (std::uint32_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<std::uint8_t>((first + i) % 256));
  return bytes;
}

TEST_CASE("IDX files are read packed and as they are") {
  for (const bool packed : {true, false}) {
    const Path folder = fresh_folder("idx");
    write(folder / "i", images(5, 4, 4), packed);
    write(folder / "l", labels(5), packed);
    const auto set = load_idx(folder / "i", folder / "l", 3);
    REQUIRE(set.images.rows() == 3);
    REQUIRE(set.images.cols() == 16);
    CHECK(set.labels == std::vector<int>{0, 1, 2});
    CHECK(set.images(2, 5) == doctest::Approx((37 * 7 % 256) / 255.0));
  }
}

TEST_CASE("what is wrong with an IDX file is told") {
  const Path folder = fresh_folder("bad_idx");
  const auto load = [&](const Bytes& image_bytes, const Bytes& label_bytes) {
    write(folder / "i", image_bytes, true);
    write(folder / "l", label_bytes, true);
    load_idx(folder / "i", folder / "l", 100);
  };
  const std::string i = (folder / "i").string(), l = (folder / "l").string();
  CHECK_THROWS_WITH(load(labels(2), labels(2)), (i + " is no IDX file of images").c_str());
  CHECK_THROWS_WITH(load(images(2, 3, 3), images(2, 3, 3)),
                    (l + " is no IDX file of labels").c_str());
  CHECK_THROWS_WITH(load(images(2, 3, 3), labels(3)),
                    (l + " has not as many labels as " + i + " images").c_str());
  CHECK_THROWS_WITH(load(images(2, 3, 2), labels(2)),
                    (i + " has images of 3 x 2 pixels, expected squares of 1 to 1024").c_str());
  CHECK_THROWS_WITH(load(images(2, 3, 3), labels(2, 9)), (l + ": label 10, expected 0..9").c_str());
  Bytes short_images = images(2, 3, 3);
  short_images.pop_back();
  CHECK_THROWS_WITH(load(short_images, labels(2)), (i + " ends too early or is damaged").c_str());
  CHECK_THROWS_WITH(load_idx(folder / "none", folder / "l", 1),
                    ("cannot open " + (folder / "none").string()).c_str());
}

TEST_CASE("of a folder without a training part a fifth is held out") {
  const Path folder = fresh_folder("mnist");
  write(folder / "t10k-images-idx3-ubyte.gz", images(10, 4, 4), true);
  write(folder / "t10k-labels-idx1-ubyte.gz", labels(10), true);
  ImageSets sets = load_images(folder, 1000, 1000);
  CHECK(sets.training.images.rows() == 8);
  CHECK(sets.held_out.labels == std::vector<int>{8, 9});
  CHECK(sets.augmentation.side == 4);
  write(folder / "train-images-idx3-ubyte", images(20, 4, 4), false);
  write(folder / "train-labels-idx1-ubyte", labels(10), false);
  CHECK_THROWS(load_images(folder, 1000, 1000));
  write(folder / "train-images-idx3-ubyte", images(10, 4, 4), false);
  sets = load_images(folder, 7, 3);
  CHECK(sets.training.images.rows() == 7);
  CHECK(sets.held_out.images.rows() == 3);
  CHECK_THROWS(load_images(fresh_folder("empty"), 10, 10));
}

TEST_CASE("the half line of a process that was killed is dropped") {
  const Path file = fresh_folder("results") / "deeper" / "results.jsonl";
  const Json one = {{"key", {{"seed", 1}}}, {"value", 0.1}};
  const Json two = {{"key", {{"seed", 2}}}, {"value", 1.0 / 3}};
  {
    ResultsFile results(file);
    CHECK(results.rows().empty());
    results.append(one);
  }
  std::ofstream(file, std::ios::app) << R"({"key": {"seed": 2}, "val)";
  {
    ResultsFile results(file);
    CHECK(results.rows() == std::vector<Json>{one});
    CHECK(results.find(two.at("key")) == nullptr);
    results.append(two);
  }
  ResultsFile results(file);
  CHECK(results.rows() == std::vector<Json>{one, two});
  REQUIRE(results.find(two.at("key")) != nullptr);
  CHECK(results.find(two.at("key"))->at("value") == 1.0 / 3);
}

TEST_CASE("a file is replaced as a whole") {
  const Path file = fresh_folder("replaced") / "state";
  replace_file(file, {1, 2, 3});
  // As if a process had been killed while it wrote.
  std::ofstream(file.string() + ".new") << "half";
  CHECK(read_file(file) == Bytes{1, 2, 3});
  replace_file(file, {4});
  CHECK(read_file(file) == Bytes{4});
  CHECK_THROWS(replace_file("/nowhere/at/all", {1}));
}

}  // namespace
