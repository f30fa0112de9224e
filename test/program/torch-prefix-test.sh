#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# LibTorch as PyTorch hands it out: the files of the package that the build uses are put into the layout
# of the download (include/, lib/, share/cmake/Torch) and into that of a Python environment, and a program
# is built against them with the module's own way of finding LibTorch. Takes the build directory and the
# source directory.
# Needs LibTorch.

set -euo pipefail

# shellcheck source=test/program/support/cmake.sh
. "$(dirname -- "$0")/support/cmake.sh"

build=$1 source=$2
use_cmake "$build"
work=$(mktemp -d "${TMPDIR:-/tmp}/collapipe-torch-prefix.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

package=$(sed -n 's/^Torch_DIR:PATH=//p' "$build/CMakeCache.txt")
case $package in
    */share/cmake/Torch) echo "skipped: this build's LibTorch is in that layout already" && exit 77 ;;
esac
libraries=$(dirname -- "$(dirname -- "$package")")
include=$(dirname -- "$(dirname -- "$libraries")")/include
[ -e "$include/torch" ] || include=/usr/include
multiarch=$(basename -- "$libraries")
prefix="$work/libtorch"

# The download's layout. Its CMake files are two folders below the prefix's share/, and its libraries not
# in a folder for one architecture.
mkdir -p -- "$prefix/include" "$prefix/lib" "$prefix/share/cmake"
for name in torch ATen c10 caffe2; do
    [ ! -e "$include/$name" ] || ln -s -- "$include/$name" "$prefix/include/$name"
done
for file in "$libraries"/libtorch*.so* "$libraries"/libc10*.so*; do
    ln -s -- "$file" "$prefix/lib/"
done
cp -r -- "$package" "$(dirname -- "$package")/Caffe2" "$prefix/share/cmake/"
find "$prefix/share/cmake" -name '*.cmake' -exec sed -i -E \
    -e 's,/\.\./\.\./\.\./\.\./,/../../../,g' \
    -e "s,\\$\{_IMPORT_PREFIX\}/($multiarch|lib/$multiarch)/,\${_IMPORT_PREFIX}/lib/,g" \
    -e 's,\$\{_IMPORT_PREFIX\}/\.\./include,${_IMPORT_PREFIX}/include,g' {} +
# A Python environment's.
mkdir -p -- "$work/env/lib/python3.11/site-packages"
ln -s -- "$prefix" "$work/env/lib/python3.11/site-packages/torch"

mkdir -p -- "$work/user"
cat >"$work/user/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(user LANGUAGES C CXX)
include("$source/cmake/torch.cmake")
collapipe_find_torch()
set(CMAKE_CXX_STANDARD \${COLLAPIPE_TORCH_STANDARD})
if(COLLAPIPE_TORCH)
  add_executable(collapipe-torch-user collapipe-torch-user.cc)
  target_compile_options(collapipe-torch-user PRIVATE \${COLLAPIPE_TORCH_OPTIONS})
  target_link_libraries(collapipe-torch-user PRIVATE \${COLLAPIPE_TORCH_LIBRARIES})
endif()
END
cat >"$work/user/collapipe-torch-user.cc" <<'END'
#include <ATen/ATen.h>
#include <iostream>

int
main()
{
    std::cout << at::arange(5).sum().item<int64_t>() << "\n";
}
END

# configure NAME SETTING...: configures the program; NAME.txt has CMake's words. SETTING: for env.
configure()
{
    env -u TORCH_PREFIX -u CMAKE_PREFIX_PATH "${@:2}" \
        "$cmake" "${cmake_as_built[@]}" -S "$work/user" -B "$work/$1" >"$work/$1.txt" 2>&1
}

# takes NAME: the program was configured with the LibTorch in the prefix, nothing of it elsewhere.
takes()
{
    grep -q "CollaPipe: LibTorch [0-9.]*: $work/.*/share/cmake/Torch" "$work/$1.txt" ||
        fail "$1 does not take the LibTorch that was named: $(cat "$work/$1.txt")"
    grep -qE "^TORCH_LIBRARY:FILEPATH=$work/.*/lib/libtorch.so" "$work/$1/CMakeCache.txt" ||
        fail "$1 takes $(grep '^TORCH_LIBRARY:' "$work/$1/CMakeCache.txt")"
}

configure download TORCH_PREFIX="$prefix" || fail "$(cat "$work/download.txt")"
takes download
"$cmake" --build "$work/download" >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
[ "$("$work/download/collapipe-torch-user")" = 10 ] || fail "the program does not compute"
loaded=$(ldd "$work/download/collapipe-torch-user" | grep 'libtorch_cpu')
[[ $loaded == *" $prefix/lib/"* ]] || fail "the program loads $loaded"

configure environment TORCH_PREFIX="$work/env" || fail "$(cat "$work/environment.txt")"
takes environment
configure folder TORCH_PREFIX="$work/env/lib/python3.11/site-packages/torch" || fail "$(cat "$work/folder.txt")"
takes folder
configure path CMAKE_PREFIX_PATH="$prefix" || fail "$(cat "$work/path.txt")"
takes path
# What torch.utils.cmake_prefix_path says.
configure package-path CMAKE_PREFIX_PATH="$prefix/share/cmake" || fail "$(cat "$work/package-path.txt")"
takes package-path

# Another prefix in the same build directory counts.
cp -r -- "$prefix" "$work/other"
configure download TORCH_PREFIX="$work/other" || fail "$(cat "$work/download.txt")"
"$cmake" -D TORCH_PREFIX="$work/other" "$work/download" >"$work/download.txt" 2>&1 ||
    fail "$(cat "$work/download.txt")"
grep -q "^TORCH_LIBRARY:FILEPATH=$work/other/lib/" "$work/download/CMakeCache.txt" ||
    fail "the first prefix is still there: $(grep '^TORCH_LIBRARY:' "$work/download/CMakeCache.txt")"

# Where there is none, the message says what to do; one with the ABI from before 2011 cannot be used.
mkdir -- "$work/empty"
if configure empty TORCH_PREFIX="$work/empty"; then
    fail "a folder without LibTorch was taken"
fi
for words in 'no share/cmake/Torch' 'cxx11 ABI' 'site-packages/torch' TORCH_PREFIX CMAKE_PREFIX_PATH; do
    tr -s ' \n' ' ' <"$work/empty.txt" | grep -qF "$words" || fail "no word of $words: $(cat "$work/empty.txt")"
done
sed -i '$a set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")' "$work/other/share/cmake/Torch/TorchConfig.cmake"
if configure old TORCH_PREFIX="$work/other"; then
    fail "a LibTorch of the old ABI was taken"
fi
tr -s ' \n' ' ' <"$work/old.txt" | grep -q 'ABI from before 2011' || fail "$(cat "$work/old.txt")"

# ./collapipe: an option that names no folder, and one that names a folder.
status=0
said=$("$source/collapipe" --torch "$work/nowhere" version 2>&1) || status=$?
[ "$status" -eq 2 ] || fail "--torch with a folder that is not there ended with $status"
grep -q 'there is no folder' <<<"$said" || fail "$said"
"$source/collapipe" version --torch "$prefix" >/dev/null || fail "--torch after the command was not taken"
echo "as downloaded, in a Python environment, by TORCH_PREFIX and by CMAKE_PREFIX_PATH: found, built, run"
