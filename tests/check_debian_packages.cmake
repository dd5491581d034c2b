# Unpacks the .deb files of `packages` into `root`. Fails unless they are the three that are meant,
# hold together what an installation without packages has in `installed`, and each what is its own.
function(run)
  execute_process(
    COMMAND ${ARGN}
    OUTPUT_VARIABLE output
    RESULT_VARIABLE result
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect_equal what actual expected)
  list(SORT actual)
  list(SORT expected)
  if(NOT "${actual}" STREQUAL "${expected}")
    message(FATAL_ERROR "${what}: \"${actual}\", expected \"${expected}\"")
  endif()
endfunction()

file(GLOB debs "${packages}/*.deb")
set(names)
set(all_files)
foreach(deb IN LISTS debs)
  run(dpkg-deb --show "--showformat=\${Package}" "${deb}")
  set(name "${output}")
  list(APPEND names ${name})
  foreach(field IN ITEMS Architecture Depends Maintainer Multi-Arch)
    run(dpkg-deb --field "${deb}" ${field})
    set(${name}_${field} "${output}")
  endforeach()
  set(own "${root}-${name}")
  run(dpkg -x "${deb}" "${own}")
  run(dpkg -x "${deb}" "${root}")
  file(GLOB_RECURSE files RELATIVE "${own}/usr" "${own}/*")
  set(documents ${files})
  list(FILTER documents INCLUDE REGEX "^share/doc/")
  expect_equal("Documents" "${documents}"
               "share/doc/${name}/changelog.Debian.gz;share/doc/${name}/copyright")
  list(REMOVE_ITEM files ${documents})
  set(${name}_files ${files})
  list(APPEND all_files ${files})
endforeach()
expect_equal("Packages" "${names}" "decorr-dev;libdecorr0;libdecorr-dev")

file(GLOB_RECURSE files RELATIVE "${installed}" "${installed}/*")
list(FILTER files EXCLUDE REGEX "^share/doc/|^bin/decorr-inspect$|^share/decorr/python/")
list(TRANSFORM files REPLACE "^${installed_library_directory}/" "${library_directory}/")
expect_equal("Files of all packages" "${all_files}" "${files}")

set(libraries ${libdecorr0_files})
list(FILTER libraries EXCLUDE REGEX "^${library_directory}/libdecorr\\.so\\.[0-9.]+$")
expect_equal("Files of libdecorr0 that are no library" "${libraries}" "")
set(headers ${decorr-dev_files})
list(FILTER headers EXCLUDE REGEX "^(include|share)/")
expect_equal("Files of decorr-dev that depend on the architecture" "${headers}" "")
# Nor does what is in them.
run(sh -c "grep -rlF \"$0\" \"$1\" || true" "${library_directory}" "${root}-decorr-dev")
expect_equal("Files of decorr-dev with a name of the architecture" "${output}" "")

expect_equal("Architecture of decorr-dev" "${decorr-dev_Architecture}" all)
expect_equal("Multi-Arch of decorr-dev" "${decorr-dev_Multi-Arch}" foreign)
expect_equal("Multi-Arch of libdecorr-dev" "${libdecorr-dev_Multi-Arch}" same)
foreach(dependency IN ITEMS decorr-dev:libeigen3-dev decorr-dev:libfftw3-dev libdecorr0:libfftw3-single3
                            libdecorr0:libfftw3-double3 "libdecorr-dev:libdecorr0 \\(= "
                            "libdecorr-dev:decorr-dev \\(= ")
  string(REGEX MATCH "^([^:]*):(.*)$" matched "${dependency}")
  if(NOT "${${CMAKE_MATCH_1}_Depends}" MATCHES "(^|, )${CMAKE_MATCH_2}")
    message(FATAL_ERROR "${CMAKE_MATCH_1} depends on \"${${CMAKE_MATCH_1}_Depends}\"")
  endif()
endforeach()

run("${objdump}" -p "${root}/usr/${library_directory}/libdecorr.so")
if(output MATCHES "R(UN)?PATH")
  message(FATAL_ERROR "The library has a search path of its own:\n${output}")
endif()
if(NOT output MATCHES "SONAME +libdecorr\\.so\\.0")
  message(FATAL_ERROR "The library's name is another:\n${output}")
endif()
