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
  set(missing "dlib (Debian, Ubuntu: libdlib-dev)")
  if(TARGET dlib::dlib)
    # Debian's package names libraries without which it is installed, too.
    set(missing)
    get_target_property(libraries dlib::dlib INTERFACE_LINK_LIBRARIES)
    foreach(library IN LISTS libraries)
      if(IS_ABSOLUTE "${library}" AND NOT EXISTS "${library}")
        set(missing "${library}, which dlib links (Debian, Ubuntu: libjpeg-dev libopenblas-dev)")
        break()
      endif()
    endforeach()
  endif()
  if(missing)
    decorr_trainer(dlib "${missing}")
  else()
    decorr_trainer(dlib "" dlib::dlib)
  endif()
endif()
