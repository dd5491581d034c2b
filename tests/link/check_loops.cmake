# The loops over features and frequencies that most of the time goes to are compiled to vector
# instructions, by the compiler's own report of a unit that calls the losses:
#
#   cmake -Dsource=<decorr's source directory> -Dreport=<of -fopt-info-vec> -P check_loops.cmake
#
# GCC gives up without a warning, for instance where a loop that writes one array reads more than
# ten others.
cmake_minimum_required(VERSION 3.16)
set(files
    regularizers/relaxed.hpp spectra/packing.hpp spectra/signal_pairing.hpp
    statistics/gradient_epilogue.hpp statistics/gradient_sink.hpp statistics/standardization.hpp)
# Loops are templates there, for coefficients along a row and for those of a column.
set(copies_in_statistics/gradient_epilogue.hpp 2)
file(READ "${report}" vectorized)
set(loops 0)
foreach(file IN LISTS files)
  if(NOT copies_in_${file})
    set(copies_in_${file} 1)
  endif()
  set(path "${source}/include/decorr/detail/${file}")
  file(READ "${path}" text)
  string(REPLACE ";" "," text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  set(number 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(NOT line MATCHES "for \\(Index ([jf]) = 0, [jf] < count, \\+\\+[jf]\\) {$")
      continue()
    endif()
    math(EXPR loops "${loops} + 1")
    string(REGEX MATCHALL "detail/${file}:${number}:[0-9]+: optimized: +loop vectorized using 32"
                 found "${vectorized}")
    list(LENGTH found copies)
    if(copies LESS "${copies_in_${file}}")
      message(SEND_ERROR "${path}:${number}: this loop is not compiled to vector instructions")
    endif()
  endforeach()
endforeach()
message(STATUS "${loops} loops")
if(loops LESS 12)
  message(SEND_ERROR "Too few loops: this script does not find them any more")
endif()
