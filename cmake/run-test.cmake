# SPDX-License-Identifier: GPL-2.0-only
#
# cmake -D KIND= -D PROGRAM= -D SUITE= -D RESULTS= -P run-test.cmake
# Runs one suite in a directory of its own and leaves the number of its test cases that passed,
# failed and were skipped in RESULTS/SUITE.count.

string(REPLACE "/" "_" name "${SUITE}")
set(work ${RESULTS}/${name})
set(report ${RESULTS}/${name}.report)
file(REMOVE_RECURSE ${work})
file(REMOVE ${report} ${RESULTS}/${name}.count)
file(MAKE_DIRECTORY ${work}/tmp)
if(KIND STREQUAL "gtest")
  set(options --gtest_filter=${SUITE}.* --gtest_output=xml:${report})
else()
  set(options --suite=${SUITE} --verbose --tempdir=${work}/tmp --out=${report})
endif()

set(ENV{TMPDIR} ${work}/tmp)
execute_process(COMMAND ${PROGRAM} ${options} WORKING_DIRECTORY ${work} RESULT_VARIABLE status)

# The function counts the lines of the report that match.
function(count variable pattern)
  set(lines "")
  if(EXISTS ${report})
    file(STRINGS ${report} lines REGEX "${pattern}")
  endif()
  list(LENGTH lines number)
  set(${variable} ${number} PARENT_SCOPE)
endfunction()

# The function adds up the numbers that the pattern finds in the report.
function(total variable pattern)
  set(sum 0)
  set(lines "")
  if(EXISTS ${report})
    file(STRINGS ${report} lines REGEX "${pattern}")
  endif()
  foreach(line IN LISTS lines)
    string(REGEX MATCH "${pattern}" found "${line}")
    math(EXPR sum "${sum} + ${CMAKE_MATCH_1}")
  endforeach()
  set(${variable} ${sum} PARENT_SCOPE)
endfunction()

if(KIND STREQUAL "gtest")
  # As the suite says itself: what a case that is no empty element has may be a failure or a property.
  foreach(number tests failures disabled skipped)
    total(${number} "<testsuite .* ${number}=\"([0-9]+)\"")
  endforeach()
  set(failed ${failures})
  math(EXPR passed "${tests} - ${failures} - ${disabled} - ${skipped}")
else()
  if(EXISTS ${report})
    file(READ ${report} text)
    message("${text}")
  endif()
  # test/collapipe-needs-torch.h: ns-3 has no skipped test cases of its own.
  count(run "^ +PASS ")
  count(failed "^ +(FAIL|CRASH) ")
  count(skipped "^ +PASS +SKIPPED, ")
  math(EXPR passed "${run} - ${skipped}")
endif()
if(NOT status EQUAL 0 AND failed EQUAL 0)
  set(failed 1)
endif()
file(WRITE ${RESULTS}/${name}.count "${passed} ${failed} ${skipped}\n")

if(NOT status EQUAL 0)
  message(FATAL_ERROR "${SUITE}: ${status}")
endif()
math(EXPR all "${passed} + ${skipped}")
if(all EQUAL 0)
  message(FATAL_ERROR "${SUITE}: no test case was run")
endif()
file(REMOVE_RECURSE ${work})
file(REMOVE ${report})
