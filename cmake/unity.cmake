# SPDX-License-Identifier: GPL-2.0-only
#
# cmake -D CMAKE_PROJECT_INCLUDE=<this file>, for an ns-3 tree: compiles ns-3's own libraries a dozen
# files at a time, which takes a third of the time. Most of it is spent on headers that all of them
# include. Modules in contrib/ are compiled as ever.

if(NOT PROJECT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  return()
endif()

# Every file has a log component g_log of its own, and its own context for log lines.
set(COLLAPIPE_UNITY_BEFORE
"#undef NS_LOG_APPEND_CONTEXT
#define NS_LOG_APPEND_CONTEXT
#ifndef COLLAPIPE_JOIN
#define COLLAPIPE_JOIN_EXPANDED(a, b) a##b
#define COLLAPIPE_JOIN(a, b) COLLAPIPE_JOIN_EXPANDED(a, b)
#endif
#undef g_log
#define g_log COLLAPIPE_JOIN(g_log_, COLLAPIPE_FILE_ID)")

# Files that define what another of their module does, specialise templates that one has used, or
# include a header whose guard is another's.
string(JOIN "|" COLLAPIPE_UNITY_ALONE
  mac48-address mac64-address "ipv6-flow-[a-z]+" sqlite-output codel-queue-disc "lte-ff?r-[a-z-]+"
  ss-link-manager ss-net-device)
set(COLLAPIPE_UNITY_ALONE "/(${COLLAPIPE_UNITY_ALONE})[.]cc$")

function(collapipe_unify directory)
  get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "^(OBJECT|SHARED)_LIBRARY$" AND NOT target MATCHES "^libtest$")
      target_compile_options(${target} PRIVATE -w)
      set_target_properties(${target} PROPERTIES
        UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12 UNITY_BUILD_UNIQUE_ID COLLAPIPE_FILE_ID
        UNITY_BUILD_CODE_BEFORE_INCLUDE "${COLLAPIPE_UNITY_BEFORE}")
      get_target_property(sources ${target} SOURCES)
      get_target_property(folder ${target} SOURCE_DIR)
      foreach(source ${sources})
        get_filename_component(source ${source} ABSOLUTE BASE_DIR ${folder})
        if(source MATCHES "${COLLAPIPE_UNITY_ALONE}")
          set_source_files_properties(${source} TARGET_DIRECTORY ${target}
            PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
        endif()
      endforeach()
    endif()
  endforeach()
  get_property(subdirectories DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
  foreach(subdirectory ${subdirectories})
    collapipe_unify(${subdirectory})
  endforeach()
endfunction()

cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL collapipe_unify ${CMAKE_SOURCE_DIR}/src)
