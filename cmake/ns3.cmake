# SPDX-License-Identifier: GPL-2.0-only
#
# Finds an installed ns-3 and defines collapipe_ns3, an interface target with what this module
# links; where it cannot, COLLAPIPE_NS3_ERROR says why. The libraries are found one by one: names
# differ between releases (libns3-core, libns3.43-core, libns3.37-core-debug), and Debian 12's exported
# targets name files of other packages and programs that it does not ship. Installed beside
# collapipeConfig.cmake, for those who use the installed module.

set(COLLAPIPE_NS3_ERROR "")
if(TARGET collapipe_ns3)
  return()
endif()

set(COLLAPIPE_NS3_MODULES
  core network stats mobility propagation antenna spectrum energy bridge csma point-to-point
  traffic-control internet internet-apps applications virtual-net-device buildings wifi lte
  flow-monitor netanim config-store)

find_path(COLLAPIPE_NS3_INCLUDE ns3/core-module.h DOC "Directory that holds ns3/core-module.h")
if(NOT COLLAPIPE_NS3_INCLUDE)
  set(COLLAPIPE_NS3_ERROR
    "ns-3 was not found: install libns3-dev, or set CMAKE_PREFIX_PATH to where it is installed.")
  return()
endif()

# Only this file of ns-3's CMake package is read: the targets file of Debian 12 cannot be included.
find_path(COLLAPIPE_NS3_CMAKE ns3ConfigVersion.cmake HINTS ${COLLAPIPE_NS3_INCLUDE}/..
  PATH_SUFFIXES lib/cmake/ns3 lib64/cmake/ns3 lib/${CMAKE_LIBRARY_ARCHITECTURE}/cmake/ns3
  DOC "Directory that holds ns3ConfigVersion.cmake")
if(NOT COLLAPIPE_NS3_VERSION AND COLLAPIPE_NS3_CMAKE)
  file(STRINGS ${COLLAPIPE_NS3_CMAKE}/ns3ConfigVersion.cmake _ns3_line
    REGEX "^ *set *\\(PACKAGE_VERSION " LIMIT_COUNT 1)
  string(REGEX MATCH "3[-.][-.0-9a-z]+" _ns3_version "${_ns3_line}")
  set(COLLAPIPE_NS3_VERSION ${_ns3_version} CACHE STRING "Version of the installed ns-3")
endif()

# The C++ standard that its headers are written in. What has no number is a development version.
set(COLLAPIPE_NS3_STANDARD 23)
if(COLLAPIPE_NS3_VERSION MATCHES "^3[.][0-9]")
  if(COLLAPIPE_NS3_VERSION VERSION_LESS 3.41)
    set(COLLAPIPE_NS3_STANDARD 17)
  elseif(COLLAPIPE_NS3_VERSION VERSION_LESS 3.46)
    set(COLLAPIPE_NS3_STANDARD 20)
  endif()
endif()

set(_ns3_core_names ns3-core)
foreach(profile "" -debug -default -release -optimized)
  list(APPEND _ns3_core_names ns${COLLAPIPE_NS3_VERSION}-core${profile})
endforeach()
find_library(COLLAPIPE_NS3_CORE NAMES ${_ns3_core_names} HINTS ${COLLAPIPE_NS3_INCLUDE}/..
  PATH_SUFFIXES lib lib64)
if(NOT COLLAPIPE_NS3_CORE)
  set(COLLAPIPE_NS3_ERROR "The headers of ns-3 are in ${COLLAPIPE_NS3_INCLUDE}, its library \
libns3-core was not found: set COLLAPIPE_NS3_CORE to its path.")
  return()
endif()

get_filename_component(COLLAPIPE_NS3_LIBRARY_DIR ${COLLAPIPE_NS3_CORE} DIRECTORY)
get_filename_component(_ns3_core_file ${COLLAPIPE_NS3_CORE} NAME)
set(COLLAPIPE_NS3_LIBRARIES "")
foreach(module ${COLLAPIPE_NS3_MODULES})
  string(REGEX REPLACE "-core([-.])" "-${module}\\1" _ns3_file ${_ns3_core_file})
  if(NOT EXISTS ${COLLAPIPE_NS3_LIBRARY_DIR}/${_ns3_file})
    set(COLLAPIPE_NS3_ERROR
      "This ns-3 has no module ${module} (${COLLAPIPE_NS3_LIBRARY_DIR}/${_ns3_file}).")
    return()
  endif()
  list(APPEND COLLAPIPE_NS3_LIBRARIES ${COLLAPIPE_NS3_LIBRARY_DIR}/${_ns3_file})
endforeach()
add_library(collapipe_ns3 INTERFACE)
target_include_directories(collapipe_ns3 SYSTEM INTERFACE ${COLLAPIPE_NS3_INCLUDE})
target_compile_features(collapipe_ns3 INTERFACE cxx_std_${COLLAPIPE_NS3_STANDARD})
target_link_libraries(collapipe_ns3 INTERFACE ${COLLAPIPE_NS3_LIBRARIES})
