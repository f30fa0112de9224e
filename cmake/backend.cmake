# SPDX-License-Identifier: GPL-2.0-only
#
# The library with LibTorch, libcollapipe-torch: what the files collapipe-torch-* compute. LibTorch takes
# most of a second to load, so the module is not linked to this library and opens it, where it stands
# beside the module's own, when a computation is asked for.

# The file of the module that opens it.
set(COLLAPIPE_OPENER ${COLLAPIPE_ROOT}/model/learning/collapipe-compute-library.cc)

# Moves the files that need LibTorch from the list `var` to the list `var`_TORCH, which is empty where
# there is none.
macro(collapipe_split_torch var)
  set(${var}_TORCH ${${var}})
  list(FILTER ${var} EXCLUDE REGEX "${COLLAPIPE_TORCH_PATTERN}")
  list(FILTER ${var}_TORCH INCLUDE REGEX "${COLLAPIPE_TORCH_PATTERN}")
  if(NOT COLLAPIPE_TORCH)
    set(${var}_TORCH "")
  endif()
  collapipe_torch_options(${${var}_TORCH})
endmacro()

# Makes the target collapipe-torch of these files, named `name` as ns-3 names libraries, and has the
# module open it.
function(collapipe_add_backend name)
  add_library(collapipe-torch SHARED ${ARGN})
  set_target_properties(collapipe-torch PROPERTIES
    OUTPUT_NAME ${name} INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
  target_link_libraries(collapipe-torch
    PRIVATE Threads::Threads ${CMAKE_DL_LIBS} ${COLLAPIPE_TORCH_LIBRARIES})
  set_property(SOURCE ${COLLAPIPE_OPENER} APPEND PROPERTY
    COMPILE_DEFINITIONS "COLLAPIPE_COMPUTE_LIBRARY=\"$<TARGET_SONAME_FILE_NAME:collapipe-torch>\"")
endfunction()
