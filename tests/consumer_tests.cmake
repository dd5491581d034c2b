# Projects outside this one that use decorr in each of the ways that it offers. Label: package.
set(consumer_source "${CMAKE_CURRENT_SOURCE_DIR}/consumer")
set(consumer_project "${consumer_source}")
set(consumer_binary "${CMAKE_CURRENT_BINARY_DIR}/consumer")
set(consumer_prefix "${consumer_binary}/prefix")
set(consumer_fixture installed)
# Here too, as a language that another directory enables has no compiler in this one.
if(TARGET decorr::c)
  enable_language(C)
endif()

# decorr_consumer_test(<name> <cache entry>...): configures, builds and tests the consumer.
function(decorr_consumer_test name)
  list(TRANSFORM ARGN PREPEND "-D")
  add_test(
    NAME consumer.${name}
    COMMAND
      "${CMAKE_CTEST_COMMAND}" --build-and-test "${consumer_project}" "${consumer_binary}/${name}"
      --build-generator "${CMAKE_GENERATOR}" --build-options
      "-DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" ${ARGN}
      --test-command "${CMAKE_CTEST_COMMAND}" --output-on-failure)
  set_tests_properties(consumer.${name} PROPERTIES LABELS package FIXTURES_REQUIRED emptied)
endfunction()

# decorr_installed_test(<name> <cache entry>...): the same with the package in consumer_prefix, which
# consumer_fixture puts there.
function(decorr_installed_test name)
  decorr_consumer_test(${name} "CMAKE_PREFIX_PATH=${consumer_prefix}" ${ARGN})
  set_tests_properties(consumer.${name} PROPERTIES FIXTURES_REQUIRED "emptied;${consumer_fixture}")
endfunction()

# decorr_pkg_config_test(<name>) and decorr_c_pkg_config_test(<name> <library directory>): without
# CMake.
function(decorr_pkg_config_test name)
  add_test(NAME consumer.${name}
           COMMAND "${consumer_source}/pkg_config.sh" "${CMAKE_CXX_COMPILER}"
                   "${CMAKE_CURRENT_BINARY_DIR}/consumer_${name}" decorr fftw3f)
  set_tests_properties(
    consumer.${name}
    PROPERTIES LABELS package FIXTURES_REQUIRED ${consumer_fixture} ENVIRONMENT
               "PKG_CONFIG_PATH=${consumer_prefix}/${decorr_pkgconfig_directory}")
endfunction()

function(decorr_c_pkg_config_test name library_directory)
  add_test(NAME consumer.${name}
           COMMAND "${consumer_source}/pkg_config.sh" "${CMAKE_C_COMPILER}"
                   "${CMAKE_CURRENT_BINARY_DIR}/consumer_${name}" decorr-c)
  set(directory "${consumer_prefix}/${library_directory}")
  set_tests_properties(
    consumer.${name}
    PROPERTIES LABELS package FIXTURES_REQUIRED ${consumer_fixture} ENVIRONMENT
               "SOURCE=c_interface/consumer.c;STANDARD=c99;\
PKG_CONFIG_PATH=${directory}/pkgconfig;LD_LIBRARY_PATH=${directory}")
endfunction()

# A cache from an earlier run would hide what a user meets first.
add_test(NAME consumer.empty COMMAND "${CMAKE_COMMAND}" -E rm -rf "${consumer_binary}")
set_tests_properties(consumer.empty PROPERTIES LABELS package FIXTURES_SETUP emptied)

foreach(use IN ITEMS add_subdirectory FetchContent)
  decorr_consumer_test(${use} DECORR_USE=${use} DECORR_COMPONENTS=float EXPECTED_LIBRARIES=fftw3f)
endforeach()

if(DECORR_INSTALL)
  add_test(NAME consumer.install COMMAND "${CMAKE_COMMAND}" --install "${PROJECT_BINARY_DIR}" --prefix
                                         "${consumer_prefix}")
  set_tests_properties(consumer.install PROPERTIES LABELS package FIXTURES_REQUIRED emptied
                                                   FIXTURES_SETUP installed)
  decorr_installed_test(find_package_float DECORR_COMPONENTS=float EXPECTED_LIBRARIES=fftw3f)
  decorr_installed_test(find_package_float_and_double "DECORR_COMPONENTS=float double"
                        "EXPECTED_LIBRARIES=fftw3 fftw3f")
  decorr_installed_test(find_package "EXPECTED_LIBRARIES=fftw3 fftw3f fftw3l")
  decorr_installed_test(incomplete_fftw_package DECORR_COMPONENTS=float EXPECTED_LIBRARIES=fftw3f
                        "FFTW3f_DIR=${consumer_source}/incomplete_fftw/lib/cmake/fftw3f")
  if(TARGET decorr::mpi)
    decorr_installed_test(mpi DECORR_COMPONENTS=mpi "EXPECTED_LIBRARIES=fftw3 fftw3f fftw3l")
  endif()
  decorr_installed_test(unknown_component DECORR_COMPONENTS=quadruple)
  set_tests_properties(consumer.unknown_component
                       PROPERTIES PASS_REGULAR_EXPRESSION "no component \"quadruple\"")
  if(TARGET decorr::c)
    set(consumer_project "${consumer_source}/c_interface")
    decorr_installed_test(c DECORR_COMPONENTS=c)
    decorr_installed_test(c_and_float "DECORR_COMPONENTS=float c" EXPECTED_TARGETS=decorr::decorr)
    decorr_installed_test(c_without_components EXPECTED_TARGETS=decorr::decorr)
    set(consumer_project "${consumer_source}")
  endif()
endif()

find_program(PKG_CONFIG_EXECUTABLE pkg-config)
if(PKG_CONFIG_EXECUTABLE AND UNIX)
  add_test(NAME consumer.include_directory
           COMMAND "${consumer_source}/pkg_config.sh" "${CMAKE_CXX_COMPILER}"
                   "${CMAKE_CURRENT_BINARY_DIR}/consumer_include_directory" eigen3 fftw3f)
  set_tests_properties(
    consumer.include_directory
    PROPERTIES LABELS package ENVIRONMENT "INCLUDE_DIRECTORY=${PROJECT_SOURCE_DIR}/include")
  if(DECORR_INSTALL)
    decorr_pkg_config_test(pkg_config)
    if(TARGET decorr::c)
      decorr_c_pkg_config_test(c_pkg_config "${CMAKE_INSTALL_LIBDIR}")
    endif()
  endif()
endif()
