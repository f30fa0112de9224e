# SPDX-License-Identifier: GPL-2.0-only
#
# A fifth of a simulation's processor time is the C library's malloc. The programs are linked to
# another one where there is one; the library is not, since which malloc is used is its users' choice.

set(COLLAPIPE_MALLOC AUTO CACHE STRING
  "malloc of the programs: AUTO (mimalloc 2, or else tcmalloc, where they are there), OFF, or a library")
set(COLLAPIPE_MALLOC_LIBRARY "")

# Sanitizers bring a malloc of their own.
get_directory_property(_flags COMPILE_OPTIONS)
string(TOUPPER "${CMAKE_BUILD_TYPE}" _type)
if("${_flags} ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${_type}}" MATCHES "-fsanitize=")
  message(STATUS "CollaPipe: the programs have the sanitizer's malloc")
elseif(COLLAPIPE_MALLOC STREQUAL "AUTO")
  # Not mimalloc 3: with 3.0.1 (Debian 13) a program that had begun and ended some hundred threads crashed in
  # its next allocation, where others and valgrind found nothing wrong.
  find_library(COLLAPIPE_QUICK_MALLOC NAMES libmimalloc.so.2 tcmalloc_minimal libtcmalloc_minimal.so.4)
  mark_as_advanced(COLLAPIPE_QUICK_MALLOC)
  if(COLLAPIPE_QUICK_MALLOC)
    set(COLLAPIPE_MALLOC_LIBRARY ${COLLAPIPE_QUICK_MALLOC})
  endif()
elseif(COLLAPIPE_MALLOC)
  if(NOT EXISTS "${COLLAPIPE_MALLOC}")
    message(FATAL_ERROR "COLLAPIPE_MALLOC=${COLLAPIPE_MALLOC}: there is no such library; take AUTO, OFF "
                        "or the path of one that replaces malloc.")
  endif()
  set(COLLAPIPE_MALLOC_LIBRARY ${COLLAPIPE_MALLOC})
endif()
if(COLLAPIPE_MALLOC_LIBRARY)
  message(STATUS "CollaPipe: malloc of the programs: ${COLLAPIPE_MALLOC_LIBRARY}")
endif()

# Links the program `name` to it: before all else, so that its malloc is the one that is found.
function(collapipe_use_malloc name)
  if(COLLAPIPE_MALLOC_LIBRARY)
    target_link_options(${name} PRIVATE -Wl,--push-state,--no-as-needed ${COLLAPIPE_MALLOC_LIBRARY}
      -Wl,--pop-state)
    get_filename_component(_folder ${COLLAPIPE_MALLOC_LIBRARY} DIRECTORY)
    if(NOT _folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
      set_property(TARGET ${name} APPEND PROPERTY BUILD_RPATH ${_folder})
    endif()
  endif()
endfunction()
