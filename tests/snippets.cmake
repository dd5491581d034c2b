# The code in the pages compiles.

# decorr_page_blocks(<variable> <page> <language>): the code between ```<language> and ```, a list.
# Characters that mean something in a list of CMake's are words in it, until decorr_write_block.
function(decorr_page_blocks variable page language)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${page}")
  file(READ "${PROJECT_SOURCE_DIR}/${page}" text)
  string(REPLACE ";" "@semicolon@" text "${text}")
  string(REPLACE "[" "@open@" text "${text}")
  string(REPLACE "]" "@close@" text "${text}")
  string(REGEX MATCHALL "```${language}\n[^`]*```" blocks "${text}")
  if(NOT blocks)
    message(FATAL_ERROR "${page} has no blocks of ${language} any more: take it from the tests")
  endif()
  list(TRANSFORM blocks REPLACE "^```${language}\n|```$" "")
  set(${variable} "${blocks}" PARENT_SCOPE)
endfunction()

function(decorr_write_block file content)
  string(REPLACE "@semicolon@" ";" content "${content}")
  string(REPLACE "@open@" "[" content "${content}")
  string(REPLACE "@close@" "]" content "${content}")
  file(GENERATE OUTPUT "${file}" CONTENT "${content}\n")
endfunction()

# decorr_add_snippets(<target> <page>...): C++ blocks with an #include as they stand, the others as
# bodies of functions.
function(decorr_add_snippets target)
  set(sources)
  foreach(page IN LISTS ARGN)
    decorr_page_blocks(blocks ${page} cpp)
    set(number 0)
    set(programs "")
    set(functions "#include <Eigen/Dense>\n#include <decorr/decorr.hpp>\n#include <random>\n")
    foreach(block IN LISTS blocks)
      math(EXPR number "${number} + 1")
      if(block MATCHES "#include")
        string(APPEND programs "${block}")
      else()
        string(APPEND functions "void snippet_${number}(const Eigen::MatrixXd& z_a, "
               "const Eigen::MatrixXd& z_b, Eigen::MatrixXd& grad_a, Eigen::MatrixXd& grad_b, "
               "std::mt19937& generator)@semicolon@\nvoid snippet_${number}("
               "@open@@open@maybe_unused@close@@close@ const Eigen::MatrixXd& z_a, "
               "@open@@open@maybe_unused@close@@close@ const Eigen::MatrixXd& z_b, "
               "@open@@open@maybe_unused@close@@close@ Eigen::MatrixXd& grad_a, "
               "@open@@open@maybe_unused@close@@close@ Eigen::MatrixXd& grad_b, "
               "@open@@open@maybe_unused@close@@close@ std::mt19937& generator) {\n${block}}\n")
      endif()
    endforeach()
    string(MAKE_C_IDENTIFIER "${page}" name)
    foreach(part IN ITEMS programs functions)
      set(source "${CMAKE_CURRENT_BINARY_DIR}/snippets/${name}_${part}.cpp")
      decorr_write_block("${source}" "${${part}}")
      list(APPEND sources "${source}")
    endforeach()
  endforeach()
  add_library(${target} OBJECT ${sources})
  decorr_target(${target})
  # A page shows what is of interest and leaves the results to the reader.
  target_compile_options(${target} PRIVATE -O0 -Wno-unused-variable -Wno-unused-but-set-variable)
endfunction()
