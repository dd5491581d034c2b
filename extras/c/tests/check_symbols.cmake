# Fails unless `library` exports the functions that `header` declares, and nothing else.
execute_process(
  COMMAND "${nm}" -D --defined-only --format=posix "${library}"
  OUTPUT_VARIABLE output
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${nm} failed: ${result}")
endif()
string(REGEX MATCHALL "[^ \n]+ [A-Za-z] [^\n]*" lines "${output}")
list(TRANSFORM lines REPLACE " .*" "" OUTPUT_VARIABLE exported)
file(READ "${header}" text)
string(REGEX MATCHALL "DECORR_C_FUNCTION [a-z0-9_ ]+[* \n]+decorr_[a-z_]+\\(" declarations "${text}")
list(TRANSFORM declarations REPLACE ".*[* \n](decorr_[a-z_]+)\\($" "\\1" OUTPUT_VARIABLE declared)
list(SORT exported)
list(SORT declared)
list(LENGTH declared count)
if(count LESS 20 OR NOT exported STREQUAL declared)
  message(FATAL_ERROR "exported: ${exported}\ndeclared: ${declared}")
endif()
