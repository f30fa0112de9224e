# SPDX-License-Identifier: GPL-2.0-only
#
# The project as contrib/collapipe of an ns-3 tree; COLLAPIPE_NS3_LIBRARIES is set by the caller.

find_package(Threads QUIET)
find_package(ZLIB QUIET)
find_package(ICU QUIET COMPONENTS i18n uc)
find_path(COLLAPIPE_EIGEN_INCLUDE Eigen/Core PATH_SUFFIXES eigen3)
find_path(COLLAPIPE_JSON_INCLUDE nlohmann/json.hpp)
mark_as_advanced(COLLAPIPE_EIGEN_INCLUDE COLLAPIPE_JSON_INCLUDE)
set(_collapipe_missing "")
if(NOT COLLAPIPE_EIGEN_INCLUDE)
  list(APPEND _collapipe_missing "Eigen (libeigen3-dev)")
endif()
if(NOT COLLAPIPE_JSON_INCLUDE)
  list(APPEND _collapipe_missing "nlohmann-json (nlohmann-json3-dev)")
endif()
if(NOT ZLIB_FOUND)
  list(APPEND _collapipe_missing "zlib (zlib1g-dev)")
endif()
if(NOT ICU_FOUND)
  list(APPEND _collapipe_missing "ICU (libicu-dev)")
endif()
if(NOT Threads_FOUND)
  list(APPEND _collapipe_missing "threads")
endif()
# As ns-3's own modules do it, the rest of the tree is not stopped.
if(_collapipe_missing)
  string(REPLACE ";" ", " _collapipe_missing "${_collapipe_missing}")
  message(WARNING "The module collapipe is left out of this tree, since these are missing: "
                  "${_collapipe_missing}. Install them and configure again to have it.")
  return()
endif()

include(${CMAKE_CURRENT_LIST_DIR}/sources.cmake)
collapipe_find_torch()

collapipe_split_torch(COLLAPIPE_SOURCES)
collapipe_split_torch(COLLAPIPE_TEST_SUITES)
# Where ns-3 is to be one library, so is the module.
set(COLLAPIPE_ONE_LIBRARY OFF)
if(COLLAPIPE_TORCH AND (NS3_STATIC OR NS3_MONOLIB))
  set(COLLAPIPE_ONE_LIBRARY ON)
  list(APPEND COLLAPIPE_SOURCES ${COLLAPIPE_SOURCES_TORCH})
  set_property(SOURCE ${COLLAPIPE_OPENER} APPEND PROPERTY
    COMPILE_DEFINITIONS COLLAPIPE_COMPUTE_LINKED)
endif()

file(STRINGS ${PROJECT_SOURCE_DIR}/VERSION COLLAPIPE_NS3_VERSION LIMIT_COUNT 1)
collapipe_define_versions()
set(COLLAPIPE_SYSTEM_INCLUDES "")
foreach(dir ${COLLAPIPE_EIGEN_INCLUDE} ${COLLAPIPE_JSON_INCLUDE} ${ZLIB_INCLUDE_DIRS}
            ${ICU_INCLUDE_DIRS})
  if(NOT dir IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    list(APPEND COLLAPIPE_SYSTEM_INCLUDES ${dir})
  endif()
endforeach()

# Headers have to be named relative to the module. ns-3 writes a forwarding header for each, once:
# one that leads to where the header no longer is has to go.
set(_headers "")
list(FILTER COLLAPIPE_HEADERS EXCLUDE REGEX "${COLLAPIPE_TORCH_PATTERN}")
foreach(path ${COLLAPIPE_HEADERS})
  file(RELATIVE_PATH header ${COLLAPIPE_ROOT} ${path})
  list(APPEND _headers ${header})
  get_filename_component(name ${path} NAME)
  set(forwarding ${CMAKE_HEADER_OUTPUT_DIRECTORY}/${name})
  if(EXISTS ${forwarding})
    file(STRINGS ${forwarding} line LIMIT_COUNT 1 REGEX "^#include ")
    if(line AND NOT line STREQUAL "#include \"${path}\"")
      file(REMOVE ${forwarding})
    endif()
  endif()
endforeach()

# LibTorch's targets are local to this directory and must not reach build_lib, which hands its
# libraries on to the whole tree.
build_lib(
  LIBNAME collapipe
  SOURCE_FILES ${COLLAPIPE_SOURCES}
  HEADER_FILES ${_headers}
  LIBRARIES_TO_LINK ${COLLAPIPE_NS3_LIBRARIES}
  TEST_SOURCES ${COLLAPIPE_TEST_SUITES}
)

foreach(target ${libcollapipe} ${libcollapipe-obj} libcollapipe-test collapipe-test)
  if(TARGET ${target})
    target_include_directories(${target} SYSTEM PRIVATE ${COLLAPIPE_SYSTEM_INCLUDES})
  endif()
endforeach()
target_include_directories(${libcollapipe} SYSTEM INTERFACE ${COLLAPIPE_SYSTEM_INCLUDES})
target_link_libraries(${libcollapipe}
  PRIVATE ZLIB::ZLIB ICU::i18n ICU::uc Threads::Threads ${CMAKE_DL_LIBS})
foreach(target ${libcollapipe} ${libcollapipe-obj})
  if(TARGET ${target})
    collapipe_use_openssl(${target})
  endif()
endforeach()

if(COLLAPIPE_ONE_LIBRARY)
  target_link_libraries(${libcollapipe} PRIVATE ${COLLAPIPE_TORCH_LIBRARIES})
elseif(COLLAPIPE_TORCH)
  # Not linked to the module, which is there before it: so it can be built with whatever is linked to
  # the module, a user's own script too.
  collapipe_add_backend(ns${NS3_VER}-collapipe-torch${build_profile_suffix} ${COLLAPIPE_SOURCES_TORCH})
  target_include_directories(collapipe-torch
    PRIVATE $<TARGET_PROPERTY:${libcollapipe},INTERFACE_INCLUDE_DIRECTORIES>)
  target_include_directories(collapipe-torch SYSTEM PRIVATE ${COLLAPIPE_SYSTEM_INCLUDES})
  add_dependencies(${libcollapipe} collapipe-torch)
  install(TARGETS collapipe-torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
