# SPDX-License-Identifier: GPL-2.0-only
#
# The project against an installed ns-3.

set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
include(GNUInstallDirs)

option(COLLAPIPE_WERROR "Treat warnings in the module's own code as errors" ON)

set(COLLAPIPE_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
if(COLLAPIPE_SANITIZE)
  add_compile_options(-fsanitize=${COLLAPIPE_SANITIZE} -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${COLLAPIPE_SANITIZE})
  # The standard library's own checks, of every index.
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()

include(${CMAKE_CURRENT_LIST_DIR}/ns3.cmake)
if(COLLAPIPE_NS3_ERROR)
  message(FATAL_ERROR "${COLLAPIPE_NS3_ERROR}")
endif()
message(STATUS "ns-3 ${COLLAPIPE_NS3_VERSION}: ${COLLAPIPE_NS3_CORE}")
include(${CMAKE_CURRENT_LIST_DIR}/sources.cmake)
collapipe_find_torch()
# As ns-3 and LibTorch ask for; more where the user says so.
if(NOT DEFINED CMAKE_CXX_STANDARD)
  set(CMAKE_CXX_STANDARD ${COLLAPIPE_NS3_STANDARD})
  if(COLLAPIPE_TORCH_STANDARD GREATER CMAKE_CXX_STANDARD)
    set(CMAKE_CXX_STANDARD ${COLLAPIPE_TORCH_STANDARD})
  endif()
endif()
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(ICU REQUIRED COMPONENTS i18n uc)
find_package(Threads REQUIRED)

# Include as ns-3 does: every header in one directory, as "ns3/collapipe-....h".
set(COLLAPIPE_INCLUDE ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${COLLAPIPE_INCLUDE}/ns3)
set(_module_header "")
file(GLOB _links ${COLLAPIPE_INCLUDE}/ns3/*)
foreach(link ${_links})
  get_filename_component(name ${link} NAME)
  if(NOT COLLAPIPE_HEADERS MATCHES "/${name}(;|$)" AND NOT name STREQUAL "collapipe-module.h")
    file(REMOVE ${link})
  endif()
endforeach()
foreach(header ${COLLAPIPE_HEADERS})
  get_filename_component(name ${header} NAME)
  if(NOT EXISTS ${COLLAPIPE_INCLUDE}/ns3/${name})
    file(REMOVE ${COLLAPIPE_INCLUDE}/ns3/${name})
    file(CREATE_LINK ${header} ${COLLAPIPE_INCLUDE}/ns3/${name} SYMBOLIC)
  endif()
  if(NOT header MATCHES "${COLLAPIPE_TORCH_PATTERN}")
    string(APPEND _module_header "#include \"ns3/${name}\"\n")
  endif()
endforeach()
# All public headers at once, as ns-3 has it for every module; in a tree, ns-3 writes it.
file(GENERATE OUTPUT ${COLLAPIPE_INCLUDE}/ns3/collapipe-module.h CONTENT "#pragma once\n${_module_header}")

# Types are chosen by name at run time, so a library counts as used though no symbol of it is.
add_link_options(-Wl,--no-as-needed)

add_library(collapipe_warnings INTERFACE)
target_compile_options(collapipe_warnings INTERFACE -Wall -Wextra
  $<$<BOOL:${COLLAPIPE_WERROR}>:-Werror>)

# ---------------------------------------------------------------- the library

collapipe_split_torch(COLLAPIPE_SOURCES)
add_library(collapipe SHARED ${COLLAPIPE_SOURCES})
add_library(collapipe::collapipe ALIAS collapipe)
target_include_directories(collapipe PUBLIC
  $<BUILD_INTERFACE:${COLLAPIPE_INCLUDE}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
collapipe_define_versions()
set_target_properties(collapipe PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  INSTALL_RPATH_USE_LINK_PATH ON)
target_link_libraries(collapipe
  PUBLIC collapipe_ns3
  PRIVATE collapipe_warnings Eigen3::Eigen nlohmann_json::nlohmann_json ZLIB::ZLIB ICU::i18n ICU::uc
          Threads::Threads ${CMAKE_DL_LIBS})
collapipe_use_openssl(collapipe)

# What computes, opened by the library when it is asked to.
if(COLLAPIPE_TORCH)
  collapipe_add_backend(collapipe-torch ${COLLAPIPE_SOURCES_TORCH})
  set_target_properties(collapipe-torch PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_link_libraries(collapipe-torch
    PRIVATE collapipe collapipe_warnings Eigen3::Eigen nlohmann_json::nlohmann_json)
endif()

include(${CMAKE_CURRENT_LIST_DIR}/malloc.cmake)

# A program of ours: `name`, its sources, further libraries after LIBRARIES.
function(collapipe_program name)
  cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
  set(sources ${arg_UNPARSED_ARGUMENTS})
  collapipe_drop_torch(sources)
  collapipe_torch_options(${sources})
  add_executable(${name} ${sources})
  collapipe_use_malloc(${name})
  target_link_libraries(${name} PRIVATE collapipe collapipe_warnings Eigen3::Eigen
    nlohmann_json::nlohmann_json ZLIB::ZLIB Threads::Threads ${arg_LIBRARIES})
  if("${sources}" MATCHES "/collapipe-torch-")
    # Those that use LibTorch, or the classes that do, themselves.
    target_link_libraries(${name} PRIVATE collapipe-torch ${COLLAPIPE_TORCH_LIBRARIES})
  elseif(COLLAPIPE_TORCH)
    add_dependencies(${name} collapipe-torch)
  endif()
endfunction()

# ---------------------------------------------------------------- programs

file(GLOB _examples CONFIGURE_DEPENDS ${COLLAPIPE_ROOT}/examples/*.cc)
collapipe_drop_torch(_examples)
foreach(source ${_examples})
  get_filename_component(name ${source} NAME_WE)
  collapipe_program(${name} ${source})
  list(APPEND COLLAPIPE_PROGRAMS ${name})
endforeach()
add_custom_target(collapipe-examples DEPENDS ${COLLAPIPE_PROGRAMS})

# The judge: reference solutions with NLopt, for tests and benchmarks; no part of the library.
find_library(COLLAPIPE_NLOPT NAMES nlopt_cxx)
find_path(COLLAPIPE_NLOPT_INCLUDE nlopt.hpp)
mark_as_advanced(COLLAPIPE_NLOPT COLLAPIPE_NLOPT_INCLUDE)
file(GLOB _judge CONFIGURE_DEPENDS ${COLLAPIPE_ROOT}/test/judge/*.cc)
list(FILTER _judge EXCLUDE REGEX "-gtest[.]cc$")
if(COLLAPIPE_NLOPT AND COLLAPIPE_NLOPT_INCLUDE AND _judge)
  add_library(collapipe-judge STATIC EXCLUDE_FROM_ALL ${_judge})
  target_include_directories(collapipe-judge
    PUBLIC ${COLLAPIPE_ROOT}/test PRIVATE ${COLLAPIPE_NLOPT_INCLUDE})
  target_link_libraries(collapipe-judge
    PUBLIC collapipe Eigen3::Eigen ${COLLAPIPE_NLOPT} PRIVATE collapipe_warnings)
endif()

# A benchmark may use Google Benchmark and the judge, and is left out where those are missing.
file(GLOB _benchmarks CONFIGURE_DEPENDS ${COLLAPIPE_ROOT}/bench/*.cc)
collapipe_drop_torch(_benchmarks)
find_package(benchmark QUIET)
foreach(source ${_benchmarks})
  get_filename_component(name ${source} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} _includes REGEX "^#include ")
  set(_libraries "")
  if("${_includes}" MATCHES "benchmark/benchmark[.]h")
    list(APPEND _libraries benchmark::benchmark)
  endif()
  if("${_includes}" MATCHES "judge/collapipe-")
    list(APPEND _libraries collapipe-judge)
  endif()
  set(_missing ${_libraries})
  foreach(library ${_libraries})
    if(TARGET ${library})
      list(REMOVE_ITEM _missing ${library})
    endif()
  endforeach()
  if(NOT _missing)
    collapipe_program(bench-${name} ${source} LIBRARIES ${_libraries})
    set_target_properties(bench-${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endforeach()

# ---------------------------------------------------------------- tests

set(COLLAPIPE_TESTS AUTO CACHE STRING
  "Build the tests: AUTO (those whose libraries are there), ON (all of them) or OFF")
if(COLLAPIPE_TESTS)
  enable_testing()
  include(${CMAKE_CURRENT_LIST_DIR}/tests.cmake)
endif()

# ---------------------------------------------------------------- installation

include(${CMAKE_CURRENT_LIST_DIR}/install.cmake)
