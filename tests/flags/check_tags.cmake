# Sets of flags under which compilers or Eigen write different code have different names:
#
#   cmake -Dcompiler=<C++ compiler> -Dflags=<flags for all> -Ddirectory=<where to write> -P this
#
# Sets that the compiler does not know are left out.
file(WRITE "${directory}/tag.cpp" "#include \"decorr/detail/runtime/abi.hpp\"\nDECORR_ABI\n")
set(sets
    " "
    "-msse3"
    "-mssse3"
    "-msse4.1"
    "-msse4.2"
    "-mavx"
    "-mavx -mf16c"
    "-mfma"
    "-mfma4"
    "-mxop"
    "-mavx2"
    "-mavx2 -mfma"
    "-mavx2 -mf16c"
    "-mavx2 -mfma -mf16c"
    "-mavxvnni"
    "-mpopcnt"
    "-mlzcnt"
    "-mbmi"
    "-mbmi2"
    "-mmovbe"
    "-mavx512f"
    "-mavx512f -mavx512dq"
    "-mavx512f -mavx512bw"
    "-mavx512f -mavx512vl"
    "-mavx512f -mavx512cd -mavx512vl"
    "-mavx512f -mavx512dq -mavx512bw -mavx512vl"
    "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16"
    "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512fp16"
    "-march=x86-64-v2"
    "-march=x86-64-v3"
    "-march=x86-64-v4"
    "-march=armv8.2-a"
    "-march=armv8.2-a+fp16"
    "-march=armv8-a+sve"
    "-march=armv8-a+sve -msve-vector-bits=512"
    "-DEIGEN_DONT_VECTORIZE"
    "-DEIGEN_MAX_ALIGN_BYTES=128"
    "-DEIGEN_MAX_STATIC_ALIGN_BYTES=0"
    "-ffast-math -DDECORR_ALLOW_FAST_MATH"
    "-ffinite-math-only -DDECORR_ALLOW_FAST_MATH"
    "-D_OPENMP=201511 -DEIGEN_DONT_PARALLELIZE")
separate_arguments(flags)
set(seen 0)
foreach(set IN LISTS sets)
  separate_arguments(options UNIX_COMMAND "${set}")
  execute_process(
    COMMAND ${compiler} ${flags} ${options} -E -P "${directory}/tag.cpp"
    RESULT_VARIABLE failed
    OUTPUT_VARIABLE text
    ERROR_QUIET)
  if(failed)
    continue()
  endif()
  string(STRIP "${text}" text)
  string(REGEX REPLACE ".*\n" "" tag "${text}")
  if(NOT tag MATCHES "^(openmp|serial)_[a-z0-9_]+$" OR tag MATCHES "__")
    message(FATAL_ERROR "no name for \"${set}\": ${tag}")
  endif()
  if(DEFINED flags_${tag})
    message(FATAL_ERROR "\"${set}\" and \"${flags_${tag}}\" have one name: ${tag}")
  endif()
  set(flags_${tag} "${set}")
  math(EXPR seen "${seen} + 1")
endforeach()
if(seen LESS 4)
  message(FATAL_ERROR "the compiler took ${seen} sets of flags alone")
endif()
message(STATUS "${seen} sets of flags, each with a name of its own")
