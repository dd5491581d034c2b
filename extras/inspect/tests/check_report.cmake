# Runs decorr-inspect and looks for lines in its report, with runs of spaces as one.
#
#   cmake -DPROGRAM=... -DARGUMENTS=a;b -DEXPECTED=file -P check_report.cmake
execute_process(COMMAND "${PROGRAM}" ${ARGUMENTS} OUTPUT_VARIABLE report ERROR_VARIABLE errors
                RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT errors STREQUAL "")
  message(FATAL_ERROR "Exit status ${status}, expected 0\n${report}${errors}")
endif()
string(REGEX REPLACE "  +" " " report "\n${report}")
string(REPLACE "\n " "\n" report "${report}")
file(STRINGS "${EXPECTED}" lines)
list(LENGTH lines count)
if(count LESS 5)
  message(FATAL_ERROR "${EXPECTED} has ${count} lines, expected more")
endif()
foreach(line IN LISTS lines)
  string(FIND "${report}" "\n${line}\n" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "This line of ${EXPECTED} is missing:\n${line}\nin the report\n${report}")
  endif()
endforeach()
