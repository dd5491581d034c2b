# Runs decorr-inspect, which has to end with status 1 and this text on standard error.
#
#   cmake -DPROGRAM=... -DARGUMENTS=a;b -DMESSAGE=text -P check_error.cmake
execute_process(COMMAND "${PROGRAM}" ${ARGUMENTS} OUTPUT_VARIABLE report ERROR_VARIABLE errors
                RESULT_VARIABLE status)
if(NOT status EQUAL 1)
  message(FATAL_ERROR "Exit status ${status}, expected 1\n${report}${errors}")
endif()
string(FIND "${errors}" "${MESSAGE}" position)
if(position EQUAL -1)
  message(FATAL_ERROR "Expected on standard error\n${MESSAGE}\nbut it is\n${errors}")
endif()
