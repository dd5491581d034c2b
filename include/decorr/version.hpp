#ifndef DECORR_VERSION_HPP_
#define DECORR_VERSION_HPP_

// The single source of the version: CMakeLists.txt parses these three lines.
#define DECORR_VERSION_MAJOR 0
#define DECORR_VERSION_MINOR 2
#define DECORR_VERSION_PATCH 0

/// @cond
#define DECORR_DETAIL_QUOTE_TOKEN(x) #x
#define DECORR_DETAIL_QUOTE(x) DECORR_DETAIL_QUOTE_TOKEN(x)
/// @endcond

/// The version as a string literal, "major.minor.patch".
#define DECORR_VERSION_STRING               \
  DECORR_DETAIL_QUOTE(DECORR_VERSION_MAJOR) \
  "." DECORR_DETAIL_QUOTE(DECORR_VERSION_MINOR) "." DECORR_DETAIL_QUOTE(DECORR_VERSION_PATCH)

#endif  // DECORR_VERSION_HPP_
