# Headers, CMake package and pkg-config file. Nothing depends on the architecture, so all goes
# under share/ and include/.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(decorr_package_directory "${CMAKE_INSTALL_DATADIR}/cmake/decorr")
set(decorr_pkgconfig_directory "${CMAKE_INSTALL_DATADIR}/pkgconfig")

target_include_directories(decorr INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS decorr EXPORT decorrTargets)
install(EXPORT decorrTargets NAMESPACE decorr:: DESTINATION "${decorr_package_directory}")
install(DIRECTORY include/decorr DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_package_config_file(
  cmake/decorrConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/decorrConfig.cmake"
  INSTALL_DESTINATION "${decorr_package_directory}")
# Before 1.0 a new minor version may break its callers.
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/decorrConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES "${CMAKE_CURRENT_BINARY_DIR}/decorrConfig.cmake"
        "${CMAKE_CURRENT_BINARY_DIR}/decorrConfigVersion.cmake" cmake/FindFFTW3.cmake
  DESTINATION "${decorr_package_directory}")

# Relative to the file itself, so that the installed tree can be moved.
file(RELATIVE_PATH decorr_prefix_from_pkgconfig
     "${CMAKE_INSTALL_PREFIX}/${decorr_pkgconfig_directory}" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" decorr_prefix_from_pkgconfig "${decorr_prefix_from_pkgconfig}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(decorr_pkgconfig_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(decorr_pkgconfig_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/decorr.pc.in decorr.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/decorr.pc" DESTINATION "${decorr_pkgconfig_directory}")
