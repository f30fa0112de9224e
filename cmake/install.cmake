# SPDX-License-Identifier: GPL-2.0-only
#
# What `cmake --install` installs: the library, its headers under ns3/ as ns-3's own are, a CMake
# package (collapipe::collapipe) and a pkg-config file (collapipe). LibTorch is linked to a library
# that the first one opens: users need neither its headers nor its CMake package.

include(CMakePackageConfigHelpers)

set(_headers ${COLLAPIPE_HEADERS})
list(FILTER _headers EXCLUDE REGEX "${COLLAPIPE_TORCH_PATTERN}")
install(TARGETS collapipe LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(COLLAPIPE_TORCH)
  install(TARGETS collapipe-torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()
install(FILES ${_headers} ${COLLAPIPE_INCLUDE}/ns3/collapipe-module.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ns3)

set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/collapipe)
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/collapipeConfig.cmake.in ${PROJECT_BINARY_DIR}/collapipeConfig.cmake
  INSTALL_DESTINATION ${_package}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/collapipeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/collapipeConfig.cmake ${PROJECT_BINARY_DIR}/collapipeConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/ns3.cmake
  DESTINATION ${_package})

# pkg-config finds the prefix from where its file is, so that the installation can be moved.
file(RELATIVE_PATH COLLAPIPE_PC_PREFIX
  /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" COLLAPIPE_PC_PREFIX "${COLLAPIPE_PC_PREFIX}")
set(COLLAPIPE_PC_NS3_CFLAGS "")
if(NOT COLLAPIPE_NS3_INCLUDE IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  set(COLLAPIPE_PC_NS3_CFLAGS " -I${COLLAPIPE_NS3_INCLUDE}")
endif()
if(COLLAPIPE_NS3_STANDARD GREATER 17)
  string(APPEND COLLAPIPE_PC_NS3_CFLAGS " -std=c++${COLLAPIPE_NS3_STANDARD}")
endif()
set(COLLAPIPE_PC_NS3_LIBS "")
if(NOT COLLAPIPE_NS3_LIBRARY_DIR IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
  set(COLLAPIPE_PC_NS3_LIBS " -L${COLLAPIPE_NS3_LIBRARY_DIR}")
endif()
foreach(library ${COLLAPIPE_NS3_LIBRARIES})
  get_filename_component(library ${library} NAME)
  string(REGEX REPLACE "^lib(.*)[.](so|a)$" "-l\\1" library ${library})
  string(APPEND COLLAPIPE_PC_NS3_LIBS " ${library}")
endforeach()
configure_file(
  ${CMAKE_CURRENT_LIST_DIR}/collapipe.pc.in ${PROJECT_BINARY_DIR}/collapipe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/collapipe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
