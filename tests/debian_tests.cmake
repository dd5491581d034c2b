# The Debian packages of cmake/DecorrDebian.cmake: built, unpacked and used. Label: package.
set(reason)
if(NOT decorr_debian_packages)
  set(reason "this build makes none")
elseif(NOT TARGET decorr::c)
  set(reason "libdecorr is not built")
elseif(decorr_debian_refusal)
  set(reason "${decorr_debian_refusal}")
elseif(NOT PKG_CONFIG_EXECUTABLE)
  set(reason "pkg-config is missing")
endif()
if(reason)
  message(STATUS "Tests of the Debian packages skipped: ${reason}")
  return()
endif()

set(debian_directory "${CMAKE_CURRENT_BINARY_DIR}/debian")
set(debian_library_directory "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
add_test(NAME debian.empty COMMAND "${CMAKE_COMMAND}" -E rm -rf "${debian_directory}")
set_tests_properties(debian.empty PROPERTIES LABELS package FIXTURES_SETUP debian_emptied)
add_test(NAME debian.build COMMAND "${CMAKE_CPACK_COMMAND}" -G DEB -C $<CONFIG> -B
                                   "${debian_directory}" WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
set_tests_properties(debian.build PROPERTIES LABELS package FIXTURES_REQUIRED debian_emptied
                                             FIXTURES_SETUP debian_built)
add_test(
  NAME debian.unpack
  COMMAND
    "${CMAKE_COMMAND}" "-Dpackages=${debian_directory}" "-Droot=${debian_directory}/unpacked"
    "-Dinstalled=${consumer_prefix}" "-Dinstalled_library_directory=${CMAKE_INSTALL_LIBDIR}"
    "-Dlibrary_directory=${debian_library_directory}" "-Dobjdump=${CMAKE_OBJDUMP}" -P
    "${CMAKE_CURRENT_SOURCE_DIR}/check_debian_packages.cmake")
set_tests_properties(
  debian.unpack PROPERTIES LABELS package FIXTURES_REQUIRED "debian_built;installed"
                           FIXTURES_SETUP debian_unpacked)

set(consumer_prefix "${debian_directory}/unpacked/usr")
set(consumer_fixture debian_unpacked)
decorr_installed_test(debian DECORR_COMPONENTS=float EXPECTED_LIBRARIES=fftw3f)
decorr_pkg_config_test(debian_pkg_config)
set(consumer_project "${consumer_source}/c_interface")
decorr_installed_test(debian_c DECORR_COMPONENTS=c)
set(consumer_project "${consumer_source}")
decorr_c_pkg_config_test(debian_c_pkg_config "${debian_library_directory}")

find_program(LINTIAN_EXECUTABLE lintian)
mark_as_advanced(LINTIAN_EXECUTABLE)
if(LINTIAN_EXECUTABLE)
  add_test(NAME debian.lintian
           COMMAND sh -c "\"${LINTIAN_EXECUTABLE}\" --allow-root --fail-on error,warning debian/*.deb"
           WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  set_tests_properties(debian.lintian PROPERTIES LABELS package FIXTURES_REQUIRED debian_built)
else()
  message(STATUS "Test of the Debian packages with lintian skipped: lintian is missing")
endif()
