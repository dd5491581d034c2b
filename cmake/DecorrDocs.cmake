# The target docs makes the documentation as a site, in site/html of the build directory, by
# docs/doxygen/Doxyfile. decorr_docs_command is what it runs, in the source directory; empty where
# that cannot be, and decorr_docs_missing says why.
find_program(DOXYGEN_EXECUTABLE doxygen)
find_program(AWK_EXECUTABLE awk)
# What pages in a browser load to show formulas: a folder with MathJax 2.7, or its address.
find_path(DECORR_MATHJAX MathJax.js PATHS /usr/share/javascript/mathjax
          DOC "MathJax 2.7, for the target docs: a folder or an address" NO_DEFAULT_PATH)
mark_as_advanced(DOXYGEN_EXECUTABLE AWK_EXECUTABLE DECORR_MATHJAX)

set(decorr_docs_command)
set(decorr_docs_missing)
if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/docs/doxygen/Doxyfile")
  set(decorr_docs_missing "docs/doxygen")
elseif(NOT DOXYGEN_EXECUTABLE)
  set(decorr_docs_missing "doxygen")
elseif(NOT AWK_EXECUTABLE)
  set(decorr_docs_missing "awk")
elseif(NOT DECORR_MATHJAX)
  set(decorr_docs_missing "MathJax (Debian, Ubuntu: libjs-mathjax)")
endif()
if(decorr_docs_missing)
  return()
endif()

set(decorr_docs_directory "${CMAKE_CURRENT_BINARY_DIR}/site")
file(MAKE_DIRECTORY "${decorr_docs_directory}")
set(decorr_docs_command
    "${CMAKE_COMMAND}" -E env "DECORR_VERSION=${PROJECT_VERSION}"
    "DECORR_DOCS_OUTPUT=${decorr_docs_directory}" "DECORR_MATHJAX=${DECORR_MATHJAX}"
    "DECORR_AWK=${AWK_EXECUTABLE}" "${DOXYGEN_EXECUTABLE}" docs/doxygen/Doxyfile)
add_custom_target(
  docs
  COMMAND ${decorr_docs_command}
  WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
  COMMENT "Writing site/html/index.html"
  VERBATIM)
