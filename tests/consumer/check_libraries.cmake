# Fails unless the FFTW libraries that `program` links are those `expected`.
execute_process(
  COMMAND "${objdump}" -p "${program}"
  OUTPUT_VARIABLE headers
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${objdump} failed: ${result}")
endif()
string(REGEX MATCHALL "NEEDED +lib(fftw3[a-z]*)" needed "${headers}")
string(REGEX REPLACE "NEEDED +lib" "" needed "${needed}")
list(SORT needed)
string(REPLACE ";" " " needed "${needed}")
if(NOT needed STREQUAL expected)
  message(FATAL_ERROR "${program} links \"${needed}\", expected \"${expected}\"")
endif()
