# decorr_libtorch and decorr_dlib, which the tests and examples of decorr/libtorch.hpp and
# decorr/dlib.hpp link: the frameworks, where they are found. Of the top level's scope, as that is
# where what their packages import can be seen.

# decorr_trainer(<name> <what is missing, if so> <library>...)
function(decorr_trainer name missing)
  if(ARGN)
    add_library(decorr_${name} INTERFACE)
    target_link_libraries(decorr_${name} INTERFACE ${ARGN})
  else()
    message(STATUS "Test and example of decorr/${name}.hpp are off, as they need ${missing}")
  endif()
endfunction()

# Sanitizers find what the frameworks do.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  message(STATUS "Tests and examples of decorr/libtorch.hpp and decorr/dlib.hpp are left out")
else()
  find_package(Torch QUIET)
  decorr_trainer(libtorch "LibTorch (Debian, Ubuntu: libtorch-dev)" ${TORCH_LIBRARIES})
  find_package(dlib CONFIG QUIET)
  if(TARGET dlib::dlib)
    decorr_trainer(dlib "" dlib::dlib)
  else()
    decorr_trainer(dlib "dlib (Debian, Ubuntu: libdlib-dev)")
  endif()
endif()
