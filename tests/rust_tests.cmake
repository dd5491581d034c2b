# The crate of docs/examples/rust with this build's libdecorr, and with the installed one, which it
# finds by pkg-config.
find_program(CARGO_EXECUTABLE cargo)
mark_as_advanced(CARGO_EXECUTABLE)
set(reason)
if(NOT TARGET decorr::c)
  set(reason "libdecorr is not built")
elseif(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(reason "Rust's programs lack the sanitizers' libraries")
elseif(NOT UNIX)
  set(reason "it is for Unix")
elseif(NOT CARGO_EXECUTABLE)
  set(reason "cargo is missing")
else()
  execute_process(COMMAND "${CARGO_EXECUTABLE}" --version RESULT_VARIABLE result
                  OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT result EQUAL 0)
    set(reason "cargo does not run")
  elseif(version MATCHES "cargo ([0-9.]+)" AND CMAKE_MATCH_1 VERSION_LESS 1.63)
    set(reason "cargo is ${CMAKE_MATCH_1}, and 1.63 is needed")
  endif()
endif()
if(reason)
  message(STATUS "Tests of the Rust crate skipped: ${reason}")
  return()
endif()

# decorr_rust_test(<name> <variable> <value> <argument of cargo>...): nothing is written into the
# source directory.
function(decorr_rust_test name variable value)
  add_test(NAME rust.${name} COMMAND "${CARGO_EXECUTABLE}" ${ARGN} --offline --locked
           WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}/docs/examples/rust")
  set_tests_properties(
    rust.${name}
    PROPERTIES LABELS package RESOURCE_LOCK cargo ENVIRONMENT
               "CARGO_TARGET_DIR=${CMAKE_CURRENT_BINARY_DIR}/rust;DECORR_LIB_DIR=;${variable}=${value}")
endfunction()

decorr_rust_test(unit DECORR_LIB_DIR "$<TARGET_FILE_DIR:decorr_c>" test)
decorr_rust_test(example DECORR_LIB_DIR "$<TARGET_FILE_DIR:decorr_c>" run)
if(DECORR_INSTALL AND PKG_CONFIG_EXECUTABLE)
  decorr_rust_test(pkg_config PKG_CONFIG_PATH
                   "${CMAKE_CURRENT_BINARY_DIR}/consumer/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig"
                   run)
  set_tests_properties(rust.pkg_config PROPERTIES FIXTURES_REQUIRED installed)
endif()
