#ifndef DECORR_EXTRAS_SUPPORT_PRINTABLE_HPP_
#define DECORR_EXTRAS_SUPPORT_PRINTABLE_HPP_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace support {

/// A file's name or an argument as part of a message: UTF-8 in which every control character, which
/// a terminal might obey, and every byte that is not UTF-8 has become '?'.
inline std::string printable_name(std::string_view name) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(name[i]); };
  std::string shown(name);
  for (std::size_t i = 0; i < name.size();) {
    const unsigned lead = byte(i);
    // By the first byte; C0, C1 and F5 to FF start no character.
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    bool valid = length > 0 && length <= name.size() - i;
    for (std::size_t k = 1; valid && k < length; ++k) valid = (byte(i + k) & 0xC0U) == 0x80;
    const bool control =
        lead < 0x20 || lead == 0x7F || (valid && lead == 0xC2 && byte(i + 1) < 0xA0);
    const std::size_t taken = valid ? length : 1;
    if (control || !valid) std::fill_n(shown.begin() + static_cast<std::ptrdiff_t>(i), taken, '?');
    i += taken;
  }
  return shown;
}

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_PRINTABLE_HPP_
