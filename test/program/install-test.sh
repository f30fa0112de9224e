#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the module, moves the installation elsewhere, and builds somebody else's program against
# it: with CMake's find_package and with pkg-config. Takes the build directory and the source directory.

set -euo pipefail

# shellcheck source=test/program/support/cmake.sh
. "$(dirname -- "$0")/support/cmake.sh"

build=$1 source=$2
use_cmake "$build"
work=$(mktemp -d "${TMPDIR:-/tmp}/collapipe-install.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
prefix="$work/moved here"
options=(--blocks=4 --devices=2 --microBatches=2 --microBatchSize=2 --localIterations=1
    --vocabulary=300 --maxPairs=100 --maxValidation=10 --progress=none --outputDir=)

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# libraries_have FILE TEXT: whether what FILE is linked to has this in it. No pipe: under pipefail, ldd
# would now and then be killed by a grep that has seen enough, and count as failed.
libraries_have()
{
    grep -qF -- "$2" <<<"$(ldd "$1")"
}

# check_program PROGRAM: runs it; leaves what it printed in PROGRAM.txt.
check_program()
{
    libraries_have "$1" "$prefix" || fail "$1 does not use the installed library"
    # Not only what the linker was told to look for, also what it found.
    if libraries_have "$1" 'not found'; then
        fail "$1 lacks libraries: $(ldd "$1" | grep 'not found')"
    fi
    "$1" "${options[@]}" >"$1.txt" || fail "$1 ended with status $?"
    [ "$(grep -c '^plan [0-9.e-]* 2 2$' "$1.txt")" -eq 2 ] || fail "$1 saw no two plans of two clusters"
    [ "$(grep -cE '^round [12] [0-9.]*[1-9]' "$1.txt")" -eq 2 ] || fail "$1 did not run two rounds"
}

command -v pkg-config >/dev/null || { echo "skipped: pkg-config is not there"; exit 77; }
"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || fail "$(cat "$work/install.log")"
mv -- "$work/first" "$prefix"
[ -e "$prefix/include/ns3/collapipe-module.h" ] || fail "no headers under include/ns3"
if grep -rlE '#include *<(torch|ATen|c10)/' "$prefix/include" >&2; then
    fail "these installed headers include LibTorch's"
fi
library=$(find "$prefix" -name 'libcollapipe.so')
backend=$(find "$prefix" -name 'libcollapipe-torch.so*' -type f)
if [ -z "$backend" ]; then
    options+=(--compute=analytic)
elif libraries_have "$backend" 'not found'; then
    fail "$backend lacks libraries: $(ldd "$backend" | grep 'not found')"
fi
if libraries_have "$library" libtorch; then
    fail "$library is linked to LibTorch, which it should open when it computes"
fi

cp -r -- "$source/test/installed" "$work/user"
"$cmake" "${cmake_as_built[@]}" -S "$work/user" -B "$work/user/build" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$work/configure.log" 2>&1 ||
    fail "find_package: $(cat "$work/configure.log")"
"$cmake" --build "$work/user/build" >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
check_program "$work/user/build/user"

# A release that is not there must not be found.
sed -i 's/collapipe 1[.]0 REQUIRED/collapipe 99 REQUIRED/' "$work/user/CMakeLists.txt"
if "$cmake" "${cmake_as_built[@]}" -S "$work/user" -B "$work/user/other" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$work/configure.log" 2>&1; then
    fail "find_package took this release for release 99"
fi
grep -q 'requested version "99"' "$work/configure.log" || fail "another mistake: $(cat "$work/configure.log")"

PKG_CONFIG_PATH=$(dirname -- "$(find "$prefix" -name collapipe.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs collapipe)
compiler=$(cmake_cached "$build" CMAKE_CXX_COMPILER)
eval "'$compiler' -std=c++17 -MD -MF '$work/user.d' '$work/user/user.cc' -o '$work/user/user' $flags" \
    "'-Wl,-rpath,$(dirname -- "$library")'"
if grep -E '/torch/|/ATen/' "$work/user.d" >&2; then
    fail "the program was compiled with headers of LibTorch"
fi
check_program "$work/user/user"
cmp "$work/user/user.txt" "$work/user/build/user.txt" || fail "both programs must print the same"

# The script with a network of its own, as somebody would copy it: queues move, radios obey.
eval "'$compiler' -std=c++17 '$source/examples/collapipe-own-network.cc' -o '$work/user/own-network' $flags" \
    "'-Wl,-rpath,$(dirname -- "$library")'"
own=()
for option in "${options[@]}"; do
    [ "$option" = --devices=2 ] || own+=("$option") # its network is its own
done
"$work/user/own-network" "${own[@]}" --compute=analytic --energyBudget=0.01 --rounds=2 >"$work/own.txt" || fail "own-network ended with status $?"
grep -qE '^[1-9][0-9]* changes of shares and powers' "$work/own.txt" || fail "own-network: $(cat "$work/own.txt")"
grep -qE 'longest energy queue [0-9.e-]*[1-9]' "$work/own.txt" || fail "own-network: $(cat "$work/own.txt")"
echo "installed, moved, found by find_package and pkg-config, built and run"
