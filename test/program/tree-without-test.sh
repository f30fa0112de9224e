#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In an ns-3 tree, a library that the module needs and that is not there must leave the module out and
# the tree alone. The tree is a small stand-in: its build_lib is all that the module asks of ns-3's.
# Takes the build directory and the source directory.

set -euo pipefail

# shellcheck source=test/program/support/cmake.sh
. "$(dirname -- "$0")/support/cmake.sh"

build=$1 source=$2
use_cmake "$build"
work=$(mktemp -d "${TMPDIR:-/tmp}/collapipe-tree-without.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

mkdir -p -- "$work/tree"
echo 3.43 >"$work/tree/VERSION"
echo 'int stand_in;' >"$work/tree/stand-in.cc"
cat >"$work/tree/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(tree LANGUAGES C CXX)
set(CMAKE_HEADER_OUTPUT_DIRECTORY \${CMAKE_BINARY_DIR}/include/ns3)
macro(build_lib)
  message(STATUS "the module is built")
  add_library(collapipe-stand-in STATIC \${PROJECT_SOURCE_DIR}/stand-in.cc)
  set(libcollapipe collapipe-stand-in)
endmacro()
add_subdirectory("$source" contrib/collapipe)
message(STATUS "the rest of the tree is configured")
END

# configure NAME OPTION...: configures the tree; leaves what CMake said in NAME.txt.
configure()
{
    "$cmake" "${cmake_as_built[@]}" -S "$work/tree" -B "$work/$1" -DCOLLAPIPE_WITH_TORCH=OFF "${@:2}" \
        >"$work/$1.txt" 2>&1 ||
        fail "$1: the tree could not be configured: $(cat "$work/$1.txt")"
    grep -q 'the rest of the tree is configured' "$work/$1.txt" || fail "$1: $(cat "$work/$1.txt")"
}

# folder_of NAME: where the first configuration found a header.
folder_of()
{
    sed -n "s/^COLLAPIPE_$1_INCLUDE:PATH=//p" "$work/all/CMakeCache.txt"
}

# left_out NAME PACKAGE: the module was left out for want of this package.
left_out()
{
    if grep -q 'the module is built' "$work/$1.txt"; then
        fail "$1: the module was built all the same"
    fi
    tr -s ' \n' ' ' <"$work/$1.txt" | grep -q "module collapipe is left out.*($2).*Install" ||
        fail "$1: no sentence names $2: $(cat "$work/$1.txt")"
}

configure all
grep -q 'the module is built' "$work/all.txt" || fail "nothing is missing: $(cat "$work/all.txt")"
configure eigen "-DCMAKE_IGNORE_PATH=$(folder_of EIGEN)"
left_out eigen libeigen3-dev
configure json "-DCMAKE_IGNORE_PATH=$(folder_of JSON)"
left_out json nlohmann-json3-dev
configure zlib -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON
left_out zlib zlib1g-dev
configure icu -DCMAKE_DISABLE_FIND_PACKAGE_ICU=ON
left_out icu libicu-dev
echo "with everything the module is built, without Eigen, JSON, zlib or ICU the tree does without the module"
