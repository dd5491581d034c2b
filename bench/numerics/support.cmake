# decorr_numerics_support: what the program here and its test share, where MPFR and Boost are.
if(NOT TARGET decorr_numerics_support)
  find_library(DECORR_MPFR_LIBRARY mpfr)
  find_path(DECORR_BOOST_DIRECTORY boost/multiprecision/mpfr.hpp)
  mark_as_advanced(DECORR_MPFR_LIBRARY DECORR_BOOST_DIRECTORY)
  if(DECORR_MPFR_LIBRARY AND DECORR_BOOST_DIRECTORY)
    add_library(decorr_numerics_support INTERFACE)
    target_include_directories(decorr_numerics_support INTERFACE "${PROJECT_SOURCE_DIR}/bench"
                                                                 "${PROJECT_SOURCE_DIR}/tests")
    target_include_directories(decorr_numerics_support SYSTEM INTERFACE "${DECORR_BOOST_DIRECTORY}")
    target_link_libraries(decorr_numerics_support INTERFACE "${DECORR_MPFR_LIBRARY}")
  endif()
endif()
