#[=======================================================================[.rst:
FindFFTW3
---------

Finds FFTW3, or another library with the FFTW3 interface, one precision at a time.

Components: ``float`` (libfftw3f), ``double`` (libfftw3), ``long_double`` (libfftw3l). Without
components all three are tried, and one is enough.

Imported targets: ``FFTW3::fftw3f``, ``FFTW3::fftw3``, ``FFTW3::fftw3l``.

Result variables: ``FFTW3_FOUND``; ``FFTW3_<component>_FOUND`` for each component;
``FFTW3_LIBRARIES``, the imported targets that were found; ``FFTW3_NOT_FOUND_MESSAGE``, what is
missing and what to install.

Each precision is taken from the first of these that has it:

1. an imported target of that name which exists already;
2. the cache variables below, where set;
3. FFTW's own CMake packages ``FFTW3f``, ``FFTW3``, ``FFTW3l`` (those of FFTW's autotools build
   include a file that is never installed, and are passed over);
4. pkg-config, and the usual directories, ``FFTW3_ROOT`` and ``CMAKE_PREFIX_PATH`` first.

Cache variables, which also select another provider of the interface:

``FFTW3_INCLUDE_DIR``
  The directory of ``fftw3.h``.
``FFTW3_FLOAT_LIBRARY``, ``FFTW3_DOUBLE_LIBRARY``, ``FFTW3_LONG_DOUBLE_LIBRARY``
  What to link: a path, a name, or a list of them.

Intel MKL (float and double):
  ``-DFFTW3_INCLUDE_DIR=$MKLROOT/include/fftw -DFFTW3_FLOAT_LIBRARY=$MKLROOT/lib/libmkl_rt.so
  -DFFTW3_DOUBLE_LIBRARY=$MKLROOT/lib/libmkl_rt.so``
Arm Performance Libraries (float and double):
  ``-DFFTW3_INCLUDE_DIR=$ARMPL_DIR/include -DFFTW3_FLOAT_LIBRARY=$ARMPL_DIR/lib/libarmpl_lp64.so
  -DFFTW3_DOUBLE_LIBRARY=$ARMPL_DIR/lib/libarmpl_lp64.so``
AMD's build of FFTW (the same library names as FFTW's):
  ``-DFFTW3_ROOT=$AOCL_ROOT``
#]=======================================================================]

include(FindPackageHandleStandardArgs)
find_package(PkgConfig QUIET)

# FFTW's CMake package `name`, unless its configuration includes a file that is not there, which
# would be an error that QUIET does not stop.
function(_fftw3_find_config name)
  # No version is this high, so the candidates are listed and none is read.
  find_package(${name} 999999 CONFIG QUIET)
  foreach(config IN LISTS ${name}_CONSIDERED_CONFIGS)
    get_filename_component(directory "${config}" DIRECTORY)
    file(READ "${config}" text)
    string(REGEX MATCHALL "CMAKE_CURRENT_LIST_DIR}/[^\")]+" included "${text}")
    list(TRANSFORM included REPLACE "^CMAKE_CURRENT_LIST_DIR}" "${directory}")
    set(complete TRUE)
    foreach(file IN LISTS included)
      if(NOT EXISTS "${file}")
        set(complete FALSE)
      endif()
    endforeach()
    if(complete)
      find_package(${name} CONFIG QUIET PATHS "${directory}" NO_DEFAULT_PATH)
      break()
    endif()
  endforeach()
endfunction()

# Makes the imported target FFTW3::fftw3<suffix>, where its library is found. It is global, so that
# a target of an enclosing directory may come to link it.
function(_fftw3_find_precision component suffix)
  set(target FFTW3::fftw3${suffix})
  string(TOUPPER "FFTW3_${component}_LIBRARY" library)
  if(TARGET ${target})
    return()
  endif()

  if(NOT ${library})
    _fftw3_find_config(FFTW3${suffix})
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
      return()
    endif()
    if(PKG_CONFIG_FOUND)
      pkg_check_modules(FFTW3_PKGCONFIG_${component} QUIET fftw3${suffix})
    endif()
    find_library(
      ${library}
      NAMES fftw3${suffix} libfftw3${suffix} libfftw3${suffix}-3
      HINTS ${FFTW3_PKGCONFIG_${component}_LIBDIR}
      DOC "Library with the FFTW3 interface for ${component}")
    mark_as_advanced(${library})
  endif()
  if(NOT FFTW3_INCLUDE_DIR)
    find_path(
      FFTW3_INCLUDE_DIR
      NAMES fftw3.h
      HINTS ${FFTW3_PKGCONFIG_${component}_INCLUDEDIR}
      DOC "Directory of fftw3.h")
    mark_as_advanced(FFTW3_INCLUDE_DIR)
  endif()
  if(${library} AND FFTW3_INCLUDE_DIR)
    # An interface target, as another provider may need several libraries.
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${FFTW3_INCLUDE_DIR}"
                                               INTERFACE_LINK_LIBRARIES "${${library}}")
  endif()
endfunction()

set(_fftw3_suffix_float f)
set(_fftw3_suffix_double "")
set(_fftw3_suffix_long_double l)
set(_fftw3_components ${FFTW3_FIND_COMPONENTS})
if(NOT _fftw3_components)
  set(_fftw3_components float double long_double)
endif()

set(FFTW3_LIBRARIES)
set(FFTW3_NOT_FOUND_MESSAGE)
foreach(_fftw3_component IN LISTS _fftw3_components)
  set(FFTW3_${_fftw3_component}_FOUND FALSE)
  if(NOT DEFINED _fftw3_suffix_${_fftw3_component})
    string(APPEND FFTW3_NOT_FOUND_MESSAGE "\n  FFTW3 has no component \"${_fftw3_component}\", only "
           "float, double and long_double.")
    continue()
  endif()
  set(_fftw3_suffix ${_fftw3_suffix_${_fftw3_component}})
  _fftw3_find_precision(${_fftw3_component} "${_fftw3_suffix}")
  if(TARGET FFTW3::fftw3${_fftw3_suffix})
    set(FFTW3_${_fftw3_component}_FOUND TRUE)
    list(APPEND FFTW3_LIBRARIES FFTW3::fftw3${_fftw3_suffix})
  else()
    string(TOUPPER "FFTW3_${_fftw3_component}_LIBRARY" _fftw3_library)
    string(
      APPEND
      FFTW3_NOT_FOUND_MESSAGE
      "\n  FFTW3 for ${_fftw3_component} (libfftw3${_fftw3_suffix} and fftw3.h) is missing. Install "
      "libfftw3-dev (Debian, Ubuntu), fftw-devel (Fedora), fftw (Homebrew, Arch), fftw3 (vcpkg), or "
      "set FFTW3_ROOT, or FFTW3_INCLUDE_DIR and ${_fftw3_library}.")
  endif()
endforeach()

find_package_handle_standard_args(
  FFTW3
  REQUIRED_VARS FFTW3_LIBRARIES
  HANDLE_COMPONENTS REASON_FAILURE_MESSAGE "${FFTW3_NOT_FOUND_MESSAGE}")

foreach(_fftw3_variable IN ITEMS suffix_float suffix_double suffix_long_double suffix component
                                 components library variable)
  unset(_fftw3_${_fftw3_variable})
endforeach()
