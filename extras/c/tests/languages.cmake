# The programs of docs/languages.md, as the page says to compile and run them, with the installed
# libdecorr. That of Julia, which Debian does not have, is not run.
set(reason)
if("${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
  set(reason "they cannot load a library with sanitizers")
elseif(NOT DECORR_INSTALL)
  set(reason "nothing is installed")
elseif(NOT PKG_CONFIG_EXECUTABLE OR NOT BASH_EXECUTABLE)
  set(reason "pkg-config or bash is missing")
endif()
if(reason)
  message(STATUS "Tests of other languages skipped: ${reason}")
  return()
endif()

decorr_test_program(decorr_c_languages_check languages_check.cpp)

# decorr_language_test(<name> <section of the page> <Debian's packages> <program>...): where the
# programs are.
function(decorr_language_test name language packages)
  foreach(program IN LISTS ARGN)
    find_program(DECORR_PROGRAM_${program} ${program})
    mark_as_advanced(DECORR_PROGRAM_${program})
    if(NOT DECORR_PROGRAM_${program})
      message(STATUS "Test of ${language} skipped: ${program} is missing (Debian, Ubuntu: ${packages})")
      return()
    endif()
  endforeach()
  add_test(NAME languages.${name}
           COMMAND "${BASH_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/languages_test.sh"
                   "${PROJECT_SOURCE_DIR}/docs/languages.md" "${language}"
                   "${CMAKE_CURRENT_BINARY_DIR}/languages/${name}"
                   "$<TARGET_FILE:decorr_c_languages_check>")
  set(prefix "${consumer_binary}/prefix")
  set(directory "${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set_tests_properties(
    languages.${name}
    PROPERTIES LABELS package FIXTURES_REQUIRED installed ENVIRONMENT
               "LD_LIBRARY_PATH=${directory};PKG_CONFIG_PATH=${directory}/pkgconfig:\
${prefix}/${decorr_pkgconfig_directory}")
endfunction()

decorr_language_test(r R "r-base-core, make" R Rscript make)
decorr_language_test(octave Octave octave-dev mkoctfile octave-cli)
decorr_language_test(csharp "C#" "mono-mcs, mono-runtime" mcs mono)
