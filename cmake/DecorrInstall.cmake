# Headers, CMake package and pkg-config file. Nothing depends on the architecture, so all goes
# under share/ and include/; libdecorr, which does, is installed by c/CMakeLists.txt.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(decorr_package_directory "${CMAKE_INSTALL_DATADIR}/cmake/decorr")
set(decorr_pkgconfig_directory "${CMAKE_INSTALL_DATADIR}/pkgconfig")
set(decorr_c_package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/decorr")

target_include_directories(decorr INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS decorr EXPORT decorrTargets)
install(EXPORT decorrTargets NAMESPACE decorr:: DESTINATION "${decorr_package_directory}")
install(DIRECTORY include/decorr DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_package_config_file(
  cmake/decorrConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/decorrConfig.cmake"
  INSTALL_DESTINATION "${decorr_package_directory}" PATH_VARS decorr_c_package_directory)
# Before 1.0 a new minor version may break its callers.
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/decorrConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES "${CMAKE_CURRENT_BINARY_DIR}/decorrConfig.cmake"
        "${CMAKE_CURRENT_BINARY_DIR}/decorrConfigVersion.cmake" cmake/FindFFTW3.cmake
  DESTINATION "${decorr_package_directory}")

# decorr_install_pkgconfig(<name> <directory>): <name>.pc, which finds the rest relative to itself,
# so that the installed tree can be moved.
function(decorr_install_pkgconfig name directory)
  file(RELATIVE_PATH decorr_prefix_from_pkgconfig "${CMAKE_INSTALL_PREFIX}/${directory}"
       "${CMAKE_INSTALL_PREFIX}")
  string(REGEX REPLACE "/$" "" decorr_prefix_from_pkgconfig "${decorr_prefix_from_pkgconfig}")
  foreach(kind IN ITEMS include lib)
    string(TOUPPER "CMAKE_INSTALL_${kind}DIR" installed)
    set(decorr_pkgconfig_${kind}dir "${${installed}}")
    if(NOT IS_ABSOLUTE "${${installed}}")
      set(decorr_pkgconfig_${kind}dir "\${prefix}/${${installed}}")
    endif()
  endforeach()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${directory}")
endfunction()
decorr_install_pkgconfig(decorr "${decorr_pkgconfig_directory}")
