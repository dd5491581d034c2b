# The vcpkg port and the Conan recipe as far as they can be tried without vcpkg and Conan, the version
# in every file that has one, and what .ci/release refuses. Label: package.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  message(STATUS "Tests of packaging skipped: sanitizers have nothing to find in them")
  return()
elseif(CMAKE_VERSION VERSION_LESS 3.19)
  message(STATUS "Tests of packaging skipped: CMake is older than 3.19, which reads JSON")
  return()
endif()

add_test(NAME packaging.versions
         COMMAND "${CMAKE_COMMAND}" "-Dsource=${PROJECT_SOURCE_DIR}" "-Dversion=${PROJECT_VERSION}" -P
                 "${CMAKE_CURRENT_SOURCE_DIR}/check_versions.cmake")
set_tests_properties(packaging.versions PROPERTIES LABELS package)

find_program(BASH_EXECUTABLE bash)
mark_as_advanced(BASH_EXECUTABLE)
if(BASH_EXECUTABLE)
  add_test(NAME packaging.install_missing
           COMMAND "${BASH_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/install_missing_test.sh")
  set_tests_properties(packaging.install_missing PROPERTIES LABELS package)
endif()

find_program(GIT_EXECUTABLE git)
find_program(ABIDIFF_EXECUTABLE abidiff)
mark_as_advanced(ABIDIFF_EXECUTABLE GIT_EXECUTABLE)
if(BASH_EXECUTABLE AND GIT_EXECUTABLE)
  add_test(NAME packaging.release COMMAND "${BASH_EXECUTABLE}"
                                          "${CMAKE_CURRENT_SOURCE_DIR}/release_test.sh")
  set_tests_properties(packaging.release PROPERTIES LABELS package)
else()
  message(STATUS "Test of releases skipped: bash or git is missing")
endif()
if(BASH_EXECUTABLE AND ABIDIFF_EXECUTABLE AND CMAKE_C_COMPILER)
  add_test(NAME packaging.abi COMMAND "${BASH_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/abi_test.sh"
                                      "${CMAKE_C_COMPILER}")
  set_tests_properties(packaging.abi PROPERTIES LABELS package)
else()
  message(STATUS "Test of the comparison of ABIs skipped: a C compiler or abidiff is missing "
                 "(Debian, Ubuntu: abigail-tools)")
endif()

set(vcpkg_directory "${CMAKE_CURRENT_BINARY_DIR}/vcpkg")
add_test(
  NAME packaging.vcpkg_port
  COMMAND
    "${CMAKE_COMMAND}" "-Dsource=${PROJECT_SOURCE_DIR}" "-Dbuild=${vcpkg_directory}/build"
    "-Dpackages=${vcpkg_directory}/packages" "-Dgenerator=${CMAKE_GENERATOR}"
    "-Dcompiler=${CMAKE_CXX_COMPILER}" -Dfeatures= -P
    "${CMAKE_CURRENT_SOURCE_DIR}/vcpkg_port.cmake")
set_tests_properties(packaging.vcpkg_port PROPERTIES LABELS package FIXTURES_SETUP vcpkg_installed)
set(consumer_prefix "${vcpkg_directory}/packages")
set(consumer_fixture vcpkg_installed)
decorr_installed_test(vcpkg DECORR_COMPONENTS=float EXPECTED_LIBRARIES=fftw3f)

find_program(PYTHON3_EXECUTABLE python3)
mark_as_advanced(PYTHON3_EXECUTABLE)
if(PYTHON3_EXECUTABLE)
  add_test(
    NAME packaging.conan_recipe_parses
    COMMAND
      "${PYTHON3_EXECUTABLE}" -c
      "import sys; [compile(open(name).read(), name, 'exec') for name in sys.argv[1:]]" conanfile.py
      test_package/conanfile.py
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}/cmake/packaging/conan")
  set_tests_properties(packaging.conan_recipe_parses PROPERTIES LABELS package)
else()
  message(STATUS "Test of the Conan recipe skipped: python3 is missing")
endif()
