# The program decorr-inspect as its users meet it; docs/examples/CMakeLists.txt includes this. What
# it reads is made, and what it should print computed, by reference.py. The reader of .npy files has
# unit tests of its own, test_npy.cpp.
set(inspect_source "${CMAKE_CURRENT_LIST_DIR}")
set(inspect_data "${inspect_source}/data")

# decorr_inspect_report(<name> <file>...): the report has the lines of expected_<name>.txt.
function(decorr_inspect_report name)
  list(TRANSFORM ARGN PREPEND "${inspect_data}/")
  add_test(NAME inspect.report.${name}
           COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:decorr-inspect>" "-DARGUMENTS=${ARGN}"
                   "-DEXPECTED=${inspect_data}/expected_${name}.txt" -P
                   "${inspect_source}/check_report.cmake")
endfunction()
decorr_inspect_report(a_b a.npy b.npy)
decorr_inspect_report(half half.npy)

# decorr_inspect_error(<name> <message> <argument>...)
function(decorr_inspect_error name message)
  add_test(NAME inspect.error.${name}
           COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:decorr-inspect>" "-DARGUMENTS=${ARGN}"
                   "-DMESSAGE=${message}" -P "${inspect_source}/check_error.cmake")
  set_tests_properties(inspect.error.${name} PROPERTIES WORKING_DIRECTORY "${inspect_data}")
endfunction()
decorr_inspect_error(no_file "decorr-inspect: none.npy: no such file" none.npy)
decorr_inspect_error(folder "decorr-inspect: .: is a folder" .)
decorr_inspect_error(text "expected_half.txt: is not a .npy file" expected_half.txt)
decorr_inspect_error(integers "integers.npy: dtype '<i8' (integers) is not supported" integers.npy)
decorr_inspect_error(one_row "one_row.npy: has 1 row, expected at least 2" one_row.npy)
decorr_inspect_error(
  not_finite "not_finite.npy: 2 NaN, 1 infinite, the first in row 2, column 1" not_finite.npy)
decorr_inspect_error(shapes "half.npy: is 40 x 5, but a.npy is 40 x 12" a.npy half.npy)
decorr_inspect_error(block_size "--block-size is 13, expected at most 12" a.npy --block-size 13)
decorr_inspect_error(loss "--loss is other, expected for these files one of vicreg_exact" a.npy
                     --output "${CMAKE_CURRENT_BINARY_DIR}/inspect" --loss other)
decorr_inspect_error(memory "a.npy: 40 x 12 in double takes" a.npy --memory 1e-9)
decorr_inspect_error(no_argument "a.npy is required")
if(EXISTS /dev/full)
  add_test(NAME inspect.error.full COMMAND sh -c "! \"$0\" a.npy >/dev/full"
                                           "$<TARGET_FILE:decorr-inspect>")
  set_tests_properties(inspect.error.full PROPERTIES WORKING_DIRECTORY "${inspect_data}"
                                                     PASS_REGULAR_EXPRESSION "cannot write the report")
endif()

# Many more files, and what the program writes, with NumPy. Debian's, as another Python that comes
# first in PATH may lack it.
find_program(DECORR_PYTHON NAMES python3 HINTS /usr/bin DOC "A Python that has NumPy, for tests")
set(has_numpy 1)
if(DECORR_PYTHON)
  execute_process(COMMAND "${DECORR_PYTHON}" -c "import numpy" RESULT_VARIABLE has_numpy
                  OUTPUT_QUIET ERROR_QUIET)
endif()
if(has_numpy EQUAL 0)
  add_test(NAME inspect.numpy
           COMMAND "${DECORR_PYTHON}" -B "${inspect_source}/numpy_test.py"
                   "$<TARGET_FILE:decorr-inspect>" "${CMAKE_CURRENT_BINARY_DIR}/inspect")
else()
  message(STATUS "Test inspect.numpy skipped: no NumPy (Debian, Ubuntu: python3-numpy)")
endif()
