# SPDX-License-Identifier: GPL-2.0-only
#
# Three kinds of tests, all under ctest:
#   test/gtest/*.cc, test/judge/*.cc   GoogleTest, for what needs no simulator (judge: NLopt)
#   test/*-test-suite.cc               ns-3 TestSuites, under ns-3's own test runner
#   test/program/*.sh, *.py            scripts that run the built programs; they are given the build
#                                      directory and the source directory; exit status 77 skips; one
#                                      that says "# Needs LibTorch." is skipped where there is none
# A suite of GoogleTest's or ns-3's is one ctest test: in GoogleTest's program LibTorch takes most of a
# second to load, which would be spent on every test case. None has a time limit of its own: ctest's is 1500 s,
# and --timeout says another, for slow or busy machines.

set(COLLAPIPE_RESULTS ${PROJECT_BINARY_DIR}/test-results)
if(COLLAPIPE_TESTS STREQUAL "ON")
  set(_required REQUIRED)
endif()

# Has ctest run every suite of `program`, whose suites `kind` (gtest or ns3) knows how to list.
function(collapipe_discover program kind)
  set(list ${PROJECT_BINARY_DIR}/${program}-tests.cmake)
  set(discover ${COLLAPIPE_ROOT}/cmake/discover-tests.cmake)
  set(run ${COLLAPIPE_ROOT}/cmake/run-test.cmake)
  set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${discover})
  add_custom_command(TARGET ${program} POST_BUILD BYPRODUCTS ${list}
    COMMAND ${CMAKE_COMMAND} -D KIND=${kind} -D PROGRAM=$<TARGET_FILE:${program}> -D LIST=${list}
            -D RUN=${run} -D RESULTS=${COLLAPIPE_RESULTS} -P ${discover}
    VERBATIM)
  # Read by ctest: where the program was not built there is one test, which fails and says so.
  set(include ${PROJECT_BINARY_DIR}/${program}-include.cmake)
  file(WRITE ${include}
    "if(EXISTS \"${list}\")\n  include(\"${list}\")\n"
    "else()\n  add_test(${program}_NOT_BUILT ${program}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY TEST_INCLUDE_FILES ${include})
endfunction()

# Without LibTorch: the suites of those of the listed files that need it, skipped under their names.
function(collapipe_skip_torch)
  foreach(file ${ARGN})
    if(file MATCHES "${COLLAPIPE_TORCH_PATTERN}")
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
      file(STRINGS ${file} cases REGEX "^TEST(_F|_P)?\\(")
      foreach(case ${cases})
        string(REGEX MATCH "\\(([A-Za-z0-9_]+), *([A-Za-z0-9_]+)" name "${case}")
        string(REGEX REPLACE "\\((.*), *(.*)" "\\1.\\2" name "${name}")
        add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: no LibTorch")
        set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: no LibTorch")
      endforeach()
    endif()
  endforeach()
endfunction()

# ---------------------------------------------------------------- GoogleTest

file(GLOB _gtest CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/test/gtest/*.cc ${COLLAPIPE_ROOT}/test/judge/*-gtest.cc)
find_package(GTest QUIET ${_required})
if(NOT COLLAPIPE_TORCH)
  collapipe_skip_torch(${_gtest})
endif()
if(TARGET collapipe-judge)
  set(_judge_library collapipe-judge)
elseif(_required AND _judge)
  message(FATAL_ERROR "NLopt was not found (COLLAPIPE_TESTS=ON): install libnlopt-cxx-dev.")
else()
  message(STATUS "CollaPipe: NLopt was not found, the tests in test/judge are left out")
  list(FILTER _gtest EXCLUDE REGEX "/test/judge/")
  set(_judge_library "")
endif()
if(NOT GTest_FOUND)
  message(STATUS "CollaPipe: GoogleTest was not found, its tests are left out")
elseif(_gtest)
  set_property(SOURCE ${COLLAPIPE_ROOT}/test/gtest/collapipe-test-data.cc APPEND PROPERTY
    COMPILE_DEFINITIONS COLLAPIPE_SOURCE_DIR="${COLLAPIPE_ROOT}")
  collapipe_program(collapipe-gtest ${_gtest} LIBRARIES GTest::gtest GTest::gtest_main ${_judge_library})
  target_include_directories(collapipe-gtest PRIVATE ${COLLAPIPE_ROOT}/test)
  collapipe_discover(collapipe-gtest gtest)
endif()

# ---------------------------------------------------------------- damaged inputs

# The other files of test/fuzz are for libFuzzer, see its README.
foreach(part fuzz/collapipe-fuzz fuzz/collapipe-fuzz-messages fuzz/collapipe-fuzz-peers fuzz/collapipe-fuzz-files
             fuzz/collapipe-fuzz-models collapipe-attacker collapipe-test-run)
  list(APPEND _fuzz ${COLLAPIPE_ROOT}/test/${part}.cc)
endforeach()
collapipe_program(collapipe-fuzz ${_fuzz})
target_include_directories(collapipe-fuzz PRIVATE ${COLLAPIPE_ROOT}/test ${COLLAPIPE_ROOT}/test/fuzz)
# The same inputs every time; ./collapipe fuzz takes as many as one likes.
add_test(NAME fuzz COMMAND collapipe-fuzz --seed=1 --inputs=20000 --seconds=20
  WORKING_DIRECTORY ${PROJECT_BINARY_DIR})

# ---------------------------------------------------------------- ns-3's test runner

if(COLLAPIPE_TEST_SUITES)
  collapipe_program(collapipe-test-runner
    ${COLLAPIPE_ROOT}/test/test-runner.cc ${COLLAPIPE_TEST_SUITES})
  target_include_directories(collapipe-test-runner PRIVATE ${COLLAPIPE_ROOT}/test)
  target_compile_definitions(collapipe-test-runner PRIVATE NS_TEST_SOURCEDIR="test")
  collapipe_discover(collapipe-test-runner ns3)
endif()

# ---------------------------------------------------------------- scripts

file(GLOB _scripts CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/test/program/*.sh ${COLLAPIPE_ROOT}/test/program/*.py)
find_program(COLLAPIPE_BASH bash)
find_program(COLLAPIPE_PYTHON python3)
mark_as_advanced(COLLAPIPE_BASH COLLAPIPE_PYTHON)
foreach(script ${_scripts})
  get_filename_component(name ${script} NAME_WE)
  set(interpreter ${COLLAPIPE_BASH})
  if(script MATCHES "[.]py$")
    set(interpreter ${COLLAPIPE_PYTHON})
  endif()
  set(skip 77)
  file(STRINGS ${script} needs_torch LIMIT_COUNT 1 REGEX "^# Needs LibTorch[.]")
  if(needs_torch AND NOT COLLAPIPE_TORCH)
    set(interpreter ${CMAKE_COMMAND} -E false)
    set(skip 1)
  endif()
  add_test(NAME program.${name} COMMAND ${interpreter} ${script} ${PROJECT_BINARY_DIR} ${COLLAPIPE_ROOT})
  set_tests_properties(program.${name} PROPERTIES SKIP_RETURN_CODE ${skip})
endforeach()
