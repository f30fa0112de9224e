# SPDX-License-Identifier: GPL-2.0-only
#
# What both modes share: the lists of files, and which of them may see LibTorch.

# Only files of this name include LibTorch's headers, which cost 10 to 20 s of compilation each.
set(COLLAPIPE_TORCH_PATTERN "/collapipe-torch-[^/]*$")
# Files of this name stand in for those.
set(COLLAPIPE_NO_TORCH_PATTERN "/collapipe-no-torch[^/]*$")

set(COLLAPIPE_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)
get_filename_component(COLLAPIPE_ROOT ${COLLAPIPE_ROOT} ABSOLUTE)

file(GLOB COLLAPIPE_SOURCES CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/model/*.cc ${COLLAPIPE_ROOT}/model/*/*.cc ${COLLAPIPE_ROOT}/helper/*/*.cc)
file(GLOB COLLAPIPE_HEADERS CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/model/*.h ${COLLAPIPE_ROOT}/model/*/*.h ${COLLAPIPE_ROOT}/helper/*/*.h)
file(GLOB COLLAPIPE_TEST_SUITES CONFIGURE_DEPENDS ${COLLAPIPE_ROOT}/test/collapipe-*.cc)

# Finds LibTorch: sets COLLAPIPE_TORCH (ON or OFF), COLLAPIPE_TORCH_LIBRARIES and
# COLLAPIPE_TORCH_OPTIONS (compiler options for the files that include its headers).
macro(collapipe_find_torch)
  if(NOT DEFINED COLLAPIPE_WITH_TORCH)
    # From the environment too: ns-3's own configuration script hands on no options of modules.
    set(_collapipe_with AUTO)
    if(DEFINED ENV{COLLAPIPE_WITH_TORCH})
      set(_collapipe_with $ENV{COLLAPIPE_WITH_TORCH})
    endif()
    set(COLLAPIPE_WITH_TORCH ${_collapipe_with} CACHE STRING
      "Build the parts that need LibTorch: AUTO, ON or OFF")
  endif()
  set(COLLAPIPE_TORCH OFF)
  set(COLLAPIPE_TORCH_LIBRARIES "")
  set(COLLAPIPE_TORCH_OPTIONS "")
  if(COLLAPIPE_WITH_TORCH)
    # LibTorch's package file appends to these; the rest of the build must not see it.
    set(_collapipe_flags "${CMAKE_CXX_FLAGS}")
    find_package(Torch QUIET)
    if(Torch_FOUND)
      set(COLLAPIPE_TORCH ON)
      # Linked only: as usage requirements its definitions and directories would reach every file.
      add_library(collapipe_torch INTERFACE)
      foreach(library ${TORCH_LIBRARIES})
        target_link_libraries(collapipe_torch INTERFACE $<LINK_ONLY:${library}>)
      endforeach()
      set(COLLAPIPE_TORCH_LIBRARIES collapipe_torch)
      separate_arguments(COLLAPIPE_TORCH_OPTIONS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
      foreach(dir ${TORCH_INCLUDE_DIRS})
        if(NOT dir IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
          list(APPEND COLLAPIPE_TORCH_OPTIONS "-isystem${dir}")
        endif()
      endforeach()
    elseif(COLLAPIPE_WITH_TORCH STREQUAL "ON")
      message(FATAL_ERROR "LibTorch was asked for (COLLAPIPE_WITH_TORCH=ON) and not found; "
                          "install libtorch-dev or set Torch_DIR.")
    endif()
    set(CMAKE_CXX_FLAGS "${_collapipe_flags}")
  endif()
  if(NOT COLLAPIPE_TORCH)
    message(STATUS "CollaPipe: without LibTorch (no Torch compute backend)")
  endif()
endmacro()

# Takes the files that need LibTorch out of the list `var` where it was not found, and those that stand
# in for them where it was.
macro(collapipe_drop_torch var)
  if(COLLAPIPE_TORCH)
    list(FILTER ${var} EXCLUDE REGEX "${COLLAPIPE_NO_TORCH_PATTERN}")
  else()
    list(FILTER ${var} EXCLUDE REGEX "${COLLAPIPE_TORCH_PATTERN}")
  endif()
endmacro()

# Gives LibTorch's include directories and flags to those of the listed files that need them.
function(collapipe_torch_options)
  if(NOT COLLAPIPE_TORCH)
    return()
  endif()
  foreach(file ${ARGN})
    if(file MATCHES "${COLLAPIPE_TORCH_PATTERN}")
      set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS ${COLLAPIPE_TORCH_OPTIONS})
      set_property(SOURCE ${file} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()
