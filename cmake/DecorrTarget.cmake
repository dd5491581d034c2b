# decorr_missing(<part> <what>): leaves the directory of a part, the DECORR_BUILD_... of that name,
# which lacks something; an error to those who asked for it.
macro(decorr_missing part what)
  if(NOT DECORR_BUILD_${part} STREQUAL "AUTO")
    message(FATAL_ERROR "DECORR_BUILD_${part} needs ${what}")
  endif()
  message(STATUS "DECORR_BUILD_${part} is off, as it needs ${what}")
  return()
endmacro()

# decorr_compile_options(<target>): warnings, and OpenMP where it is wanted.
function(decorr_compile_options target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
    if(DECORR_WARNINGS_AS_ERRORS)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  endif()
  if(DECORR_OPENMP AND OpenMP_CXX_FOUND)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endfunction()

# decorr_target(<target> [NATIVE]): how this project compiles its own tests, benchmarks and
# programs. NATIVE is for those that measure.
function(decorr_target target)
  cmake_parse_arguments(PARSE_ARGV 1 argument "NATIVE" "" "")
  decorr_compile_options(${target})
  target_link_libraries(${target} PRIVATE decorr::decorr)
  if(argument_NATIVE AND DECORR_NATIVE AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE -march=native)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Wrong about the compiler's own AVX-512 intrinsics (GCC bug 105593).
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized -Wno-uninitialized)
    endif()
  endif()
endfunction()
