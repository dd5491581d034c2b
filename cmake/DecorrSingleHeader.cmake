# The target decorr_single_header writes single_header/decorr.hpp into the build directory, and beside
# it forwarding/, a folder that stands for include/ (amalgamate.cmake).
set(decorr_single_header "${CMAKE_CURRENT_BINARY_DIR}/single_header/decorr.hpp")
set(decorr_forwarding_directory "${CMAKE_CURRENT_BINARY_DIR}/single_header/forwarding")
set(amalgamate "${CMAKE_CURRENT_LIST_DIR}/amalgamate.cmake")
file(GLOB_RECURSE single_header_parts CONFIGURE_DEPENDS include/decorr/*.hpp)
add_custom_command(
  OUTPUT "${decorr_single_header}"
  COMMAND "${CMAKE_COMMAND}" "-Dsource=${CMAKE_CURRENT_SOURCE_DIR}" "-Doutput=${decorr_single_header}"
          "-Dforwarding=${decorr_forwarding_directory}" -P "${amalgamate}"
  DEPENDS "${amalgamate}" "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE" ${single_header_parts}
  COMMENT "Writing single_header/decorr.hpp"
  VERBATIM)
add_custom_target(decorr_single_header ALL DEPENDS "${decorr_single_header}")
