# SPDX-License-Identifier: GPL-2.0-only
#
# What both modes share: the lists of files, and which of them may see LibTorch.

# Only files of this name include LibTorch's headers, which cost 10 to 20 s of compilation each.
set(COLLAPIPE_TORCH_PATTERN "/collapipe-torch-[^/]*$")

set(COLLAPIPE_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)
get_filename_component(COLLAPIPE_ROOT ${COLLAPIPE_ROOT} ABSOLUTE)

file(GLOB COLLAPIPE_SOURCES CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/model/*.cc ${COLLAPIPE_ROOT}/model/*/*.cc ${COLLAPIPE_ROOT}/helper/*/*.cc)
file(GLOB COLLAPIPE_HEADERS CONFIGURE_DEPENDS
  ${COLLAPIPE_ROOT}/model/*.h ${COLLAPIPE_ROOT}/model/*/*.h ${COLLAPIPE_ROOT}/helper/*/*.h)
file(GLOB COLLAPIPE_TEST_SUITES CONFIGURE_DEPENDS ${COLLAPIPE_ROOT}/test/collapipe-*.cc)

include(${CMAKE_CURRENT_LIST_DIR}/torch.cmake)

# Takes the files that need LibTorch out of the list `var` where it was not found.
macro(collapipe_drop_torch var)
  if(NOT COLLAPIPE_TORCH)
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

include(${CMAKE_CURRENT_LIST_DIR}/backend.cmake)

# Tells the files that want to know which release this is and which ns-3 it is built for.
function(collapipe_define_versions)
  foreach(file model/collapipe-version.cc model/learning/collapipe-torch-library.cc)
    set_property(SOURCE ${COLLAPIPE_ROOT}/${file} APPEND PROPERTY COMPILE_DEFINITIONS
      COLLAPIPE_RELEASE="${COLLAPIPE_VERSION}" COLLAPIPE_NS3_RELEASE="${COLLAPIPE_NS3_VERSION}")
    set_property(SOURCE ${COLLAPIPE_ROOT}/${file} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()

# Lets a target authenticate messages where OpenSSL is there; without it runs do so without.
function(collapipe_use_openssl target)
  find_package(OpenSSL 3 QUIET COMPONENTS Crypto)
  if(TARGET OpenSSL::Crypto)
    target_compile_definitions(${target} PRIVATE COLLAPIPE_HAS_OPENSSL)
    target_link_libraries(${target} PRIVATE OpenSSL::Crypto)
  else()
    message(STATUS "CollaPipe: OpenSSL was not found, messages are not authenticated")
  endif()
endfunction()
