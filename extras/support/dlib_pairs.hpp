#ifndef DECORR_EXTRAS_SUPPORT_DLIB_PAIRS_HPP_
#define DECORR_EXTRAS_SUPPORT_DLIB_PAIRS_HPP_

#include <dlib/dnn.h>

#include <algorithm>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>

namespace support {

/// A dlib input layer for two views of a sample, each a vector of features, as
/// dlib::input_rgb_image_pair is for pictures: the first views of all samples, then the second
/// ones.
class InputPair {
 public:
  using input_type = std::pair<dlib::matrix<float, 0, 1>, dlib::matrix<float, 0, 1>>;

  template <class Iterator>
  void to_tensor(Iterator begin, Iterator end, dlib::resizable_tensor& data) const {
    const long count = static_cast<long>(std::distance(begin, end)), size = begin->first.size();
    data.set_size(2 * count, size);
    float* first = data.host();
    float* second = first + count * size;
    for (Iterator pair = begin; pair != end; ++pair) {
      DLIB_CASSERT(pair->first.size() == size && pair->second.size() == size,
                   "InputPair: all views have the same number of features");
      first = std::copy(pair->first.begin(), pair->first.end(), first);
      second = std::copy(pair->second.begin(), pair->second.end(), second);
    }
  }

  friend void serialize(const InputPair& /*layer*/, std::ostream& out) {
    dlib::serialize(std::string("InputPair"), out);
  }
  friend void deserialize(InputPair& /*layer*/, std::istream& in) {
    std::string found;
    dlib::deserialize(found, in);
    if (found != "InputPair") throw dlib::serialization_error("no InputPair, but " + found);
  }
  friend std::ostream& operator<<(std::ostream& out, const InputPair& /*layer*/) {
    return out << "InputPair";
  }
  friend void to_xml(const InputPair& /*layer*/, std::ostream& out) { out << "<InputPair/>\n"; }
};

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_DLIB_PAIRS_HPP_
