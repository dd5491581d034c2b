# Headers, CMake package and pkg-config file. Nothing depends on the architecture, so all goes
# under share/ and include/; extras/c installs libdecorr, which does.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(decorr_package_directory "${CMAKE_INSTALL_DATADIR}/cmake/decorr")
set(decorr_pkgconfig_directory "${CMAKE_INSTALL_DATADIR}/pkgconfig")
set(decorr_c_package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/decorr")
# The package's files say nothing of the architecture either.
if(CMAKE_LIBRARY_ARCHITECTURE)
  string(REPLACE "${CMAKE_LIBRARY_ARCHITECTURE}" "\${CMAKE_LIBRARY_ARCHITECTURE}"
                 decorr_c_package_directory "${decorr_c_package_directory}")
endif()

configure_package_config_file(
  cmake/decorrConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/decorrConfig.cmake"
  INSTALL_DESTINATION "${decorr_package_directory}" PATH_VARS decorr_c_package_directory)
# Before 1.0 a new minor version may break its callers.
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/decorrConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

# decorr_install_pkgconfig(<name> <library directory> <directory> <install argument>...): <name>.pc,
# which finds the rest relative to itself, so that the installed tree can be moved.
function(decorr_install_pkgconfig name library_directory directory)
  file(RELATIVE_PATH decorr_prefix_from_pkgconfig "${CMAKE_INSTALL_PREFIX}/${directory}"
       "${CMAKE_INSTALL_PREFIX}")
  string(REGEX REPLACE "/$" "" decorr_prefix_from_pkgconfig "${decorr_prefix_from_pkgconfig}")
  set(decorr_pkgconfig_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
  set(decorr_pkgconfig_libdir "${library_directory}")
  foreach(kind IN ITEMS include lib)
    if(NOT IS_ABSOLUTE "${decorr_pkgconfig_${kind}dir}")
      string(PREPEND decorr_pkgconfig_${kind}dir "\${pcfiledir}/${decorr_prefix_from_pkgconfig}/")
    endif()
  endforeach()
  set(file "${CMAKE_CURRENT_BINARY_DIR}/pkgconfig/${directory}/${name}.pc")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" "${file}" @ONLY)
  install(FILES "${file}" DESTINATION "${directory}" ${ARGN})
endfunction()

target_include_directories(decorr INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS decorr EXPORT decorrTargets)

# decorr_install_headers(<component> [EXCLUDE_FROM_ALL])
function(decorr_install_headers component)
  set(rest COMPONENT ${component} ${ARGN})
  install(EXPORT decorrTargets NAMESPACE decorr:: DESTINATION "${decorr_package_directory}" ${rest})
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/decorr" "${PROJECT_SOURCE_DIR}/extras/trainers/decorr"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
          ${rest} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
  install(
    FILES "${PROJECT_BINARY_DIR}/decorrConfig.cmake"
          "${PROJECT_BINARY_DIR}/decorrConfigVersion.cmake"
          "${PROJECT_SOURCE_DIR}/cmake/FindFFTW3.cmake"
    DESTINATION "${decorr_package_directory}" ${rest})
  decorr_install_pkgconfig(decorr "${CMAKE_INSTALL_LIBDIR}" "${decorr_pkgconfig_directory}" ${rest})
endfunction()

# The components: headers, library (libdecorr as programs need it at run time) and development (what
# it takes to link it, beside the headers).
decorr_install_headers(headers)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT headers)
