# As FFTW's autotools build installs it: what it includes is never installed (FFTW/fftw3, issue 130).
set(FFTW3f_LIBRARIES fftw3f)
include("${CMAKE_CURRENT_LIST_DIR}/FFTW3fLibraryDepends.cmake")
