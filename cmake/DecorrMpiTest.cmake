# decorr_mpi_test(<name> <processes> <command>...): a test of real processes, under
# MPIEXEC_EXECUTABLE.

# More processes than processors, and as root where that is who runs the tests.
execute_process(COMMAND "${MPIEXEC_EXECUTABLE}" --version OUTPUT_VARIABLE version ERROR_QUIET)
set(decorr_launcher_flags)
if(version MATCHES "Open MPI|OpenRTE|prte")
  set(decorr_launcher_flags --oversubscribe --allow-run-as-root)
endif()

function(decorr_mpi_test name processes)
  add_test(NAME ${name} COMMAND "${MPIEXEC_EXECUTABLE}" ${decorr_launcher_flags}
                                ${MPIEXEC_NUMPROC_FLAG} ${processes} ${ARGN})
  # One machine is all it takes: without a way to others Open MPI would complain.
  set_tests_properties(
    ${name}
    PROPERTIES TIMEOUT 300 ENVIRONMENT
               "OMP_NUM_THREADS=1;OMPI_MCA_plm=isolated;OMPI_MCA_btl=^tcp;OMPI_MCA_btl_vader_single_copy_mechanism=none")
endfunction()
