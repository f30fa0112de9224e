# SPDX-License-Identifier: GPL-2.0-only
#
# Finds LibTorch: a distribution's package, or one as PyTorch hands it out, downloaded or in a Python
# environment.

set(COLLAPIPE_TORCH_ADVICE "install libtorch-dev; or download LibTorch for C++ (for the CPU, cxx11 ABI) \
from PyTorch and unpack it, or install PyTorch into a Python environment, and name the folder that \
holds share/cmake/Torch (of a Python environment: lib/python3.N/site-packages/torch) in TORCH_PREFIX \
or in CMAKE_PREFIX_PATH")

# Sets `name` to what the option or else the environment variable of that name says, or to `default`. From
# the environment too: ns-3's own configuration script hands on no options of modules.
macro(collapipe_ask name default)
  if("${${name}}" STREQUAL "" AND DEFINED ENV{${name}})
    set(${name} "$ENV{${name}}")
  elseif("${${name}}" STREQUAL "")
    set(${name} "${default}")
  endif()
endmacro()

# Sets `var` to the folder with LibTorch's include/, lib/ and share/ that `prefix` means: itself, the
# torch folder in it, or that of the Python environment it is; empty where there is none.
function(collapipe_torch_root var prefix)
  set(${var} "" PARENT_SCOPE)
  file(GLOB places LIST_DIRECTORIES ON
    ${prefix} ${prefix}/libtorch ${prefix}/torch ${prefix}/lib/python3*/site-packages/torch)
  foreach(place ${places})
    if(EXISTS ${place}/share/cmake/Torch/TorchConfig.cmake)
      set(${var} ${place} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Points CMake at the LibTorch in TORCH_PREFIX, and at its libraries: its package file would take those
# of the distribution before its own.
macro(collapipe_use_torch_prefix)
  # What was found for another prefix is forgotten.
  if(DEFINED COLLAPIPE_TORCH_PREFIX_USED AND NOT COLLAPIPE_TORCH_PREFIX_USED STREQUAL TORCH_PREFIX)
    foreach(variable Torch_DIR Caffe2_DIR TORCH_LIBRARY c10_LIBRARY kineto_LIBRARY)
      unset(${variable} CACHE)
    endforeach()
  endif()
  set(COLLAPIPE_TORCH_PREFIX_USED "${TORCH_PREFIX}" CACHE INTERNAL "What Torch_DIR was found for")
  if(TORCH_PREFIX)
    collapipe_torch_root(_collapipe_root "${TORCH_PREFIX}")
    if(NOT _collapipe_root)
      message(FATAL_ERROR "There is no LibTorch in ${TORCH_PREFIX} (no share/cmake/Torch). "
                          "To have one: ${COLLAPIPE_TORCH_ADVICE}.")
    endif()
    set(Torch_DIR ${_collapipe_root}/share/cmake/Torch CACHE PATH "LibTorch's CMake package" FORCE)
    list(PREPEND CMAKE_PREFIX_PATH ${_collapipe_root})
  endif()
endmacro()

# LibTorch's CMake package may also be named without the folder that its libraries are in, as
# torch.utils.cmake_prefix_path does.
macro(collapipe_complete_prefix_path)
  foreach(path ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
    if(path MATCHES "^(.*)/share/cmake/?$" AND EXISTS "${path}/Torch/TorchConfig.cmake")
      list(PREPEND CMAKE_PREFIX_PATH ${CMAKE_MATCH_1})
    endif()
  endforeach()
endmacro()

# Sets COLLAPIPE_TORCH (ON or OFF), COLLAPIPE_TORCH_LIBRARIES, COLLAPIPE_TORCH_OPTIONS (compiler
# options for the files that include its headers) and COLLAPIPE_TORCH_STANDARD (of C++, that it asks
# for).
macro(collapipe_find_torch)
  set(COLLAPIPE_WITH_TORCH "" CACHE STRING "Build the parts that need LibTorch: AUTO, ON or OFF")
  set(TORCH_PREFIX "" CACHE STRING "Folder of a LibTorch as downloaded, or of a Python environment's torch")
  collapipe_ask(COLLAPIPE_WITH_TORCH AUTO)
  collapipe_ask(TORCH_PREFIX "")
  set(COLLAPIPE_TORCH OFF)
  set(COLLAPIPE_TORCH_LIBRARIES "")
  set(COLLAPIPE_TORCH_OPTIONS "")
  set(COLLAPIPE_TORCH_STANDARD 17)
  if(COLLAPIPE_WITH_TORCH)
    # LibTorch's package file appends to these; the rest of the build must not see it.
    set(_collapipe_flags "${CMAKE_CXX_FLAGS}")
    set(_collapipe_prefixes "${CMAKE_PREFIX_PATH}")
    collapipe_complete_prefix_path()
    collapipe_use_torch_prefix()
    find_package(Torch QUIET)
    if(Torch_FOUND)
      collapipe_take_torch()
    elseif(COLLAPIPE_WITH_TORCH STREQUAL "ON" OR TORCH_PREFIX)
      message(FATAL_ERROR "LibTorch was asked for (COLLAPIPE_WITH_TORCH=${COLLAPIPE_WITH_TORCH}, "
                          "TORCH_PREFIX=${TORCH_PREFIX}) and not found: ${COLLAPIPE_TORCH_ADVICE}.")
    endif()
    set(CMAKE_CXX_FLAGS "${_collapipe_flags}")
    set(CMAKE_PREFIX_PATH "${_collapipe_prefixes}")
  endif()
  if(NOT COLLAPIPE_TORCH)
    message(STATUS "CollaPipe: without LibTorch (no Torch compute backend). To have it: "
                   "${COLLAPIPE_TORCH_ADVICE}.")
  endif()
endmacro()

# Takes over what find_package(Torch) found.
macro(collapipe_take_torch)
  if("${TORCH_CXX_FLAGS}" MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
    message(FATAL_ERROR "The LibTorch in ${Torch_DIR} has the C++ ABI from before 2011, which ns-3 has "
                        "not: take the download whose name says cxx11-abi, or a later release.")
  endif()
  set(COLLAPIPE_TORCH ON)
  # Linked only: as usage requirements its definitions and directories would reach every file.
  add_library(collapipe_torch INTERFACE)
  foreach(library ${TORCH_LIBRARIES})
    target_link_libraries(collapipe_torch INTERFACE $<LINK_ONLY:${library}>)
    if(TARGET ${library})
      get_target_property(_collapipe_standard ${library} CXX_STANDARD)
      if(_collapipe_standard GREATER COLLAPIPE_TORCH_STANDARD)
        set(COLLAPIPE_TORCH_STANDARD ${_collapipe_standard})
      endif()
    endif()
  endforeach()
  set(COLLAPIPE_TORCH_LIBRARIES collapipe_torch)
  separate_arguments(COLLAPIPE_TORCH_OPTIONS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  foreach(dir ${TORCH_INCLUDE_DIRS})
    if(NOT dir IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
      list(APPEND COLLAPIPE_TORCH_OPTIONS "-isystem${dir}")
    endif()
  endforeach()
  message(STATUS "CollaPipe: LibTorch ${Torch_VERSION}: ${Torch_DIR}")
endmacro()
