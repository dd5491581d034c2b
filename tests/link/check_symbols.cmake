# Of decorr, two objects that are compiled with different flags have the state of the process, the
# types of options and the exceptions in common, and nothing else: the linker would keep one copy for
# both. Of the exceptions' members they share the destructor alone.
#
#   cmake -Dnm=<nm> -Dfirst=<object> -Dsecond=<object> -P check_symbols.cmake
foreach(object IN ITEMS first second)
  execute_process(
    COMMAND "${nm}" --defined-only "${${object}}"
    OUTPUT_VARIABLE text
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${nm} failed for ${${object}}")
  endif()
  string(REGEX MATCHALL "_Z[A-Za-z0-9_]*6decorr[A-Za-z0-9_]*" ${object}_symbols "${text}")
  list(REMOVE_DUPLICATES ${object}_symbols)
endforeach()
list(LENGTH first_symbols total)
if(total LESS 20)
  message(FATAL_ERROR "${first} has ${total} symbols of decorr's alone")
endif()
set(shared ${first_symbols})
list(REMOVE_ITEM first_symbols ${second_symbols})
list(REMOVE_ITEM shared ${first_symbols})
# What abi.hpp says stays outside, by name; and the standard library's own handling of a pointer to
# plans, in which link.vector_code finds no vector code.
list(
  FILTER
  shared
  EXCLUDE
  REGEX
  "^_ZNSt12__shared_ptrIKN6decorr6detail8PlanDataE|6decorr(7Relaxed|11no_gradientE$|15(InvalidArgument|CollectiveError)(E|D[0-9]Ev)$|6detail(12ProcessState|11free_blocks|18cached_plans_state|18planner_life_state|19planner_mutex_state|15first_kept_plan))"
)
if(shared)
  list(JOIN shared "\n  " shared)
  message(FATAL_ERROR "in both objects:\n  ${shared}")
endif()
