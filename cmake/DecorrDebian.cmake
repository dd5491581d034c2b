# Debian packages, by `cpack -G DEB` in the build directory once libdecorr is built: decorr-dev, and
# libdecorr0 and libdecorr-dev where DECORR_BUILD_C is on. They are laid out for /usr whatever
# CMAKE_INSTALL_PREFIX is. packaging/debian/changelog names Debian's revision and the maintainer.
#
# decorr_debian_packages is the list of them, empty where they cannot be made. Where libdecorr is
# compiled in a way that makes no package, decorr_debian_refusal says so, and so does cpack.
set(decorr_debian_packages)
set(decorr_debian_refusal)
find_program(DECORR_DPKG_SHLIBDEPS dpkg-shlibdeps DOC "Finds the packages that libdecorr needs")
find_program(DECORR_FILE file DOC "Tells cpack which files are libraries")
find_program(DECORR_DPKG_DEB dpkg-deb DOC "Packs Debian's packages")
find_program(DECORR_GZIP gzip DOC "Compresses Debian's changelog")
mark_as_advanced(DECORR_DPKG_DEB DECORR_DPKG_SHLIBDEPS DECORR_FILE DECORR_GZIP)

set(debian_directory "${CMAKE_CURRENT_LIST_DIR}/packaging/debian")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${debian_directory}/changelog" LICENSE)
file(STRINGS "${debian_directory}/changelog" changelog)
list(GET changelog 0 debian_version)
list(FILTER changelog INCLUDE REGEX "^ -- ")
list(GET changelog 0 debian_maintainer)
string(REGEX REPLACE "^ -- (.*>)  .*" "\\1" debian_maintainer "${debian_maintainer}")
string(REGEX MATCH "\\(([^-]*)-([^)]*)\\)" debian_version "${debian_version}")
set(debian_upstream_version "${CMAKE_MATCH_1}")
set(debian_revision "${CMAKE_MATCH_2}")

set(missing)
if(NOT CMAKE_LIBRARY_ARCHITECTURE)
  set(missing "directories as Debian has them (CMAKE_LIBRARY_ARCHITECTURE)")
elseif(CMAKE_VERSION VERSION_LESS 3.19)
  set(missing "CMake 3.19")
elseif(NOT DECORR_DPKG_DEB OR NOT DECORR_DPKG_SHLIBDEPS OR NOT DECORR_FILE OR NOT DECORR_GZIP)
  set(missing "dpkg-deb, dpkg-shlibdeps (package dpkg-dev), file and gzip")
elseif(NOT debian_upstream_version STREQUAL PROJECT_VERSION)
  set(missing "an entry for ${PROJECT_VERSION} in cmake/packaging/debian/changelog")
endif()
if(missing)
  message(STATUS "Debian packages are off, as they need ${missing}")
  return()
endif()

# The maintainer of packages that others make is theirs to name.
if(NOT CPACK_DEBIAN_PACKAGE_MAINTAINER)
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${debian_maintainer}")
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_NAME decorr)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR "The decorr authors")
# The first line of each package's description stands for it.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://arxiv.org/abs/2301.01569")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SOURCE_IGNORE_FILES "/build/" "/\\\\.git/")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SOURCE decorr)
set(CPACK_DEBIAN_PACKAGE_RELEASE "${debian_revision}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_POST_BUILD_SCRIPTS "${debian_directory}/finish.cmake")
set(same_version "(= ${PROJECT_VERSION}-${debian_revision})")

file(READ LICENSE licence)
string(STRIP "${licence}" licence)
if(NOT licence MATCHES "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n(.*)$")
  message(FATAL_ERROR "packaging/debian/copyright.in is for another LICENSE")
endif()
set(debian_copyright "${CMAKE_MATCH_1}")
set(licence "${CMAKE_MATCH_2}")
string(REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REPLACE "\n" "\n " debian_licence "${licence}")
configure_file("${debian_directory}/copyright.in" debian/copyright @ONLY)
execute_process(COMMAND "${DECORR_GZIP}" -9nc "${debian_directory}/changelog"
                OUTPUT_FILE "${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian.gz"
                COMMAND_ERROR_IS_FATAL ANY)

# decorr_debian_package(<name> <section> <depends> <description>): what each package has. Its files
# are those of the component of its name, which no other installation takes.
macro(decorr_debian_package name section depends description)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/debian/copyright"
                "${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian.gz"
          DESTINATION "share/doc/${name}" COMPONENT ${name} EXCLUDE_FROM_ALL)
  list(APPEND decorr_debian_packages ${name})
  string(TOUPPER ${name} prefix)
  set(CPACK_DEBIAN_${prefix}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${prefix}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${prefix}_PACKAGE_DEPENDS "${depends}")
  set(CPACK_DEBIAN_${prefix}_DESCRIPTION "${description}")
endmacro()

set(what_it_is
    "decorr computes the value and the analytic gradient of the Barlow Twins,
VICReg and VCReg losses, with the exact regularizer or its relaxation by
Fast Fourier Transform. It needs no deep-learning framework, so any trainer
can call it.
")
decorr_debian_package(decorr-dev libdevel "libeigen3-dev (>= ${decorr_minimum_eigen}), libfftw3-dev"
"feature decorrelation for self-supervised learning (headers)
${what_it_is}
This package has the C++17 headers, on top of Eigen and FFTW, the CMake
package and the pkg-config file.")
set(CPACK_DEBIAN_DECORR-DEV_PACKAGE_ARCHITECTURE all)
decorr_install_headers(decorr-dev EXCLUDE_FROM_ALL)

if(TARGET decorr_c)
  set(CPACK_DEBIAN_DECORR-DEV_PACKAGE_SUGGESTS libdecorr-dev)
  decorr_debian_package(libdecorr0 libs ""
"feature decorrelation for self-supervised learning (C library)
${what_it_is}
This package has the shared library with the C interface, which takes the
loops for AVX2 or AVX-512 where the processor has them.")
  decorr_debian_package(libdecorr-dev libdevel
"libdecorr0 ${same_version}, decorr-dev ${same_version}"
"feature decorrelation for self-supervised learning (C development)
${what_it_is}
This package has what it takes to link the shared library with the C
interface. The header, decorr/c_api.h, is in decorr-dev.")

  # A package runs on every processor of its architecture.
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    include(CheckCXXSourceCompiles)
    unset(DECORR_COMPILES_FOR_EVERY_PROCESSOR CACHE)
    set(CMAKE_REQUIRED_QUIET ON)
    check_cxx_source_compiles(
      "#if defined(__x86_64__) && defined(__SSE3__)
       #error \"x86-64 has SSE2 for certain\"
       #endif
       int main() {}"
      DECORR_COMPILES_FOR_EVERY_PROCESSOR)
    unset(CMAKE_REQUIRED_QUIET)
  endif()
  string(TOUPPER "CMAKE_CXX_FLAGS_${CMAKE_BUILD_TYPE}" flags)
  set(flags "${CMAKE_CXX_FLAGS} ${${flags}}")
  if(NOT DECORR_COMPILES_FOR_EVERY_PROCESSOR OR flags MATCHES "=native")
    set(decorr_debian_refusal "libdecorr is compiled for one kind of processor (${flags}): no package")
  elseif(flags MATCHES "-fsanitize" OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(decorr_debian_refusal "libdecorr is compiled for debugging (${flags}): no package")
  endif()
  install(
    CODE "if(NOT EXISTS \"$<TARGET_FILE:decorr_c>\")
  message(FATAL_ERROR \"libdecorr has not been built: build it first\")
endif()"
    COMPONENT libdecorr0 EXCLUDE_FROM_ALL)
  if(decorr_debian_refusal)
    install(CODE "message(FATAL_ERROR \"${decorr_debian_refusal}\")" COMPONENT libdecorr0 EXCLUDE_FROM_ALL)
  endif()
  decorr_install_library("lib/${CMAKE_LIBRARY_ARCHITECTURE}" libdecorr0 libdecorr-dev
                         EXCLUDE_FROM_ALL)
  # As dh_strip does it, which takes more than CMake's own.
  install(
    CODE "execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded --remove-section=.comment \
--remove-section=.note \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/${CMAKE_LIBRARY_ARCHITECTURE}/\
libdecorr.so.${PROJECT_VERSION}\" COMMAND_ERROR_IS_FATAL ANY)"
    COMPONENT libdecorr0 EXCLUDE_FROM_ALL)
endif()

set(CPACK_COMPONENTS_ALL ${decorr_debian_packages})
include(CPack)
