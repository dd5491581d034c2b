# Runs the port's portfile.cmake with stand-ins for vcpkg's functions, which do what those are
# documented to do, for one configuration: `features` of the sources in `source`, built in `build`,
# into `packages`.
cmake_minimum_required(VERSION 3.19)

set(PORT decorr)
set(FEATURES core ${features})
set(CURRENT_PACKAGES_DIR "${packages}")
set(port_directory "${source}/cmake/packaging/vcpkg")
file(READ "${port_directory}/vcpkg.json" manifest)
string(JSON VERSION GET "${manifest}" version)
file(REMOVE_RECURSE "${build}" "${packages}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}\n${output}")
  endif()
endfunction()

function(vcpkg_from_github)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_SOURCE_PATH;REPO;REF;SHA512;HEAD_REF" "")
  if(NOT arg_REF STREQUAL "v${VERSION}" OR NOT arg_REPO OR NOT DEFINED arg_SHA512)
    message(FATAL_ERROR "vcpkg_from_github(${ARGV})")
  endif()
  set(${arg_OUT_SOURCE_PATH} "${source}" PARENT_SCOPE)
endfunction()

function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" OUT_FEATURE_OPTIONS FEATURES)
  set(options)
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature variable)
    string(JSON ignored GET "${manifest}" features ${feature})  # an error if it is not there
    if(feature IN_LIST FEATURES)
      list(APPEND options -D${variable}=ON)
    else()
      list(APPEND options -D${variable}=OFF)
    endif()
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()

function(vcpkg_check_linkage)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" SOURCE_PATH "OPTIONS;MAYBE_UNUSED_VARIABLES")
  run("${CMAKE_COMMAND}" -S "${arg_SOURCE_PATH}" -B "${build}" -G "${generator}"
      -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_COMPILER=${compiler}"
      "-DCMAKE_INSTALL_PREFIX=${packages}" ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
  run("${CMAKE_COMMAND}" --build "${build}" --target install)
endfunction()

# Moves the files, and sets right what they take for the prefix.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" CONFIG_PATH "")
  file(GLOB files "${packages}/${arg_CONFIG_PATH}/*")
  file(COPY ${files} DESTINATION "${packages}/share/${PORT}")
  get_filename_component(parent "${packages}/${arg_CONFIG_PATH}" DIRECTORY)
  file(REMOVE_RECURSE "${parent}")
  set(up "\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)")
  file(GLOB files "${packages}/share/${PORT}/*.cmake")
  foreach(file IN LISTS files)
    file(READ "${file}" text)
    string(REPLACE "${up}" "" text "${text}")
    string(REGEX REPLACE "(_IMPORT_PREFIX \"[^\n]*CMAKE_CURRENT_LIST_FILE}\" PATH\\))" "\\1${up}${up}"
                         text "${text}")
    string(REGEX REPLACE "CMAKE_CURRENT_LIST_DIR}/(\\.\\./)+" "CMAKE_CURRENT_LIST_DIR}/../../"
                         text "${text}")
    file(WRITE "${file}" "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" FILE_LIST)
  configure_file("${arg_FILE_LIST}" "${packages}/share/${PORT}/copyright" COPYONLY)
endfunction()

include("${port_directory}/portfile.cmake")

# What vcpkg complains of.
foreach(file IN ITEMS copyright decorrConfig.cmake decorrTargets.cmake)
  if(NOT EXISTS "${packages}/share/decorr/${file}")
    message(FATAL_ERROR "No ${file} in share/decorr")
  endif()
endforeach()
foreach(directory IN ITEMS lib/cmake share/cmake share/doc debug/include debug/share)
  if(EXISTS "${packages}/${directory}")
    message(FATAL_ERROR "${directory} is left")
  endif()
endforeach()
