# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the program tests that configure other projects share: they are configured as the build under test
# is, with its CMake, generator, build program and compilers. CMake's own choice may be a generator whose
# program is not installed.

# cmake_cached BUILD NAME: prints what the build is configured with.
cmake_cached()
{
    sed -n "s/^$2:[A-Z]*=//p" "$1/CMakeCache.txt"
}

# use_cmake BUILD: sets cmake, the program, and cmake_as_built, the arguments with which it configures
# another project in the same way.
use_cmake()
{
    local name
    cmake=$(cmake_cached "$1" CMAKE_COMMAND)
    cmake_as_built=(-G "$(cmake_cached "$1" CMAKE_GENERATOR)")
    for name in CMAKE_MAKE_PROGRAM CMAKE_C_COMPILER CMAKE_CXX_COMPILER; do
        cmake_as_built+=("-D$name=$(cmake_cached "$1" $name)")
    done
    if [ ! -x "$cmake" ] || [[ " ${cmake_as_built[*]} " == *"= "* ]]; then
        echo "FAILED: $1 is not configured: $cmake ${cmake_as_built[*]}" >&2
        exit 1
    fi
}
