# SPDX-License-Identifier: GPL-2.0-only
#
# cmake -D KIND= -D PROGRAM= -D LIST= -D RUN= -D RESULTS= -P discover-tests.cmake
# Asks PROGRAM for its suites and writes LIST, which ctest includes: one test for each of them.

if(KIND STREQUAL "gtest")
  set(option --gtest_list_tests)
else()
  set(option --list)
endif()
file(REMOVE ${LIST})
execute_process(COMMAND ${PROGRAM} ${option}
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ${option} failed (${status}): ${output}${errors}")
endif()

# GoogleTest prints "Suite." and, indented, its cases; ns-3 one name on a line, also those of the
# suites in its libraries.
set(suites "")
string(REGEX REPLACE "\r?\n" ";" lines "${output}")
foreach(line ${lines})
  if(KIND STREQUAL "gtest" AND line MATCHES "^([^ ]+)[.]( *#.*)?$")
    list(APPEND suites ${CMAKE_MATCH_1})
  elseif(KIND STREQUAL "ns3" AND line MATCHES "^(collapipe[^ ]*)$")
    list(APPEND suites ${CMAKE_MATCH_1})
  endif()
endforeach()

set(text "")
foreach(suite ${suites})
  string(APPEND text "add_test([==[${suite}]==] [==[${CMAKE_COMMAND}]==] -D KIND=${KIND}"
    " -D [==[PROGRAM=${PROGRAM}]==] -D [==[SUITE=${suite}]==] -D [==[RESULTS=${RESULTS}]==]"
    " -P [==[${RUN}]==])\n")
endforeach()
file(WRITE ${LIST} "${text}")
