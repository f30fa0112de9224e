# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# ./collapipe tree, read in by ./collapipe: the module inside an ns-3 source tree, the distribution's own
# or the user's, built with CMake or with waf.

# Variables and functions that are not here are ./collapipe's.
# shellcheck disable=SC2154

# Prints the tree of the distribution's own ns-3 source package, downloading it once.
distribution_tree()
{
    local base=$cache/ns-3 apt=$cache/ns-3/apt codename uri keyring log version try
    make_cache "$base"
    lock_folder "$base"
    tree=$(find "$base" -mindepth 2 -maxdepth 2 -name ns3 -printf '%h\n' -quit)
    [ -z "$tree" ] || return 0
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$codename" ] || fail 1 "this is no Debian release; name an ns-3 tree: ./collapipe tree --dir PATH"
    uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -oE '^(URIs:|deb) .*' | grep -oE 'https?://[^ ]*/debian/?' | head -n 1 || true)
    [ -n "$uri" ] || fail 1 "apt has no source of Debian's packages; name an ns-3 tree: ./collapipe tree --dir PATH"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p -- "$apt/lists/partial" "$apt/archives/partial"
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$uri" "$codename" "$keyring" >"$apt/ns-3.sources"
    printf '%s\n' 'Acquire::Languages "none";' "Dir::State::Lists \"$apt/lists\";" \
        "Dir::Cache \"$apt\";" "Dir::Etc::SourceList \"$apt/ns-3.sources\";" \
        'Dir::Etc::SourceParts "/dev/null";' 'APT::Sandbox::User "";' >"$apt/apt.conf"
    log=$apt/log
    for try in 1 2 3; do
        say "downloading the source package ns3 of $codename"
        if (cd -- "$apt" && export APT_CONFIG=$apt/apt.conf && apt-get update -qq --error-on=any &&
            apt-get source --download-only -qq ns3) >"$log" 2>&1; then
            break
        elif [ "$try" = 3 ]; then
            cat -- "$log" >&2
            fail 1 "could not download ns-3's source package from $uri; apt's words are above"
        fi
        sleep $((10 * try))
    done
    if ! (cd -- "$apt" && rm -rf unpacked && dpkg-source --no-check -x ns3_*.dsc unpacked) >"$log" 2>&1; then
        cat -- "$log" >&2
        fail 1 "could not unpack ns-3's source package"
    fi
    tree=$(dirname -- "$(find "$apt/unpacked" -maxdepth 2 -name ns3 -type f -print -quit)")
    version=$(head -n 1 "$tree/VERSION")
    mv -T -- "$tree" "$base/ns-$version"
    tree=$base/ns-$version
    rm -rf -- "$apt"
}

# link_module TREE: links this checkout into contrib/ of an ns-3 tree.
link_module()
{
    local link=$1/contrib/collapipe name
    if [ -e "$link" ] && [ ! -L "$link" ] && [ ! -L "$link/wscript" ]; then
        fail 1 "$link is there and is no link of ours"
    fi
    mkdir -p -- "$1/contrib"
    if [ -e "$1/ns3" ]; then
        # Left alone where it is right, so that nothing is configured anew.
        if [ "$(readlink -- "$link" || true)" != "$here" ]; then
            rm -rf -- "$link"
            ln -s -- "$here" "$link"
            # What was compiled from another checkout may be younger than this one's files.
            [ ! -d "$1/cmake-cache" ] ||
                find "$1/cmake-cache" -path '*/contrib/collapipe/*.o' -delete
        fi
        return
    fi
    # waf knows a module by a file that must not lie in the checkout, where it would make modules of
    # folders in other trees.
    [ ! -L "$link" ] || rm -f -- "$link"
    mkdir -p -- "$link"
    for name in model helper examples test CMakeLists.txt; do
        ln -sfn -- "$here/$name" "$link/$name"
    done
    ln -sfn -- "$here/wscript-compat/wscript.in" "$link/wscript"
}

command_tree()
{
    local tree="" status=0
    if [ "${1:-}" = --dir ]; then
        [ $# -eq 2 ] || fail 2 "usage: ./collapipe tree [--dir PATH]"
        if [ ! -e "$2/VERSION" ] || { [ ! -e "$2/ns3" ] && [ ! -e "$2/waf" ]; }; then
            fail 2 "$2 is no ns-3 source tree (it has no VERSION, or neither ns3 nor waf)"
        fi
        tree=$(cd -- "$2" && pwd -P)
    elif [ $# -gt 0 ]; then
        fail 2 "usage: ./collapipe tree [--dir PATH]"
    fi
    need_packages "${packages_tree[@]}"
    use_openblas
    need_catalogs
    if [ -z "$tree" ]; then
        distribution_tree
        exec {lock}>&-
        quick=yes
    fi
    lock_folder "$tree"
    use_ccache "$tree"
    link_module "$tree"
    if [ -e "$tree/ns3" ]; then
        build_tree "$tree"
        test_tree "$tree" || status=$?
    else
        build_waf_tree "$tree"
        test_waf_tree "$tree" || status=$?
    fi
    return "$status"
}

# cached TREE NAME VALUE: whether the tree is configured so.
cached()
{
    grep -qsx "$2:[A-Z]*=$3" "$1/cmake-cache/CMakeCache.txt"
}

# build_tree TREE: builds the module, its tests and examples, and what they need of ns-3, in the
# profile that the tree is configured for. One that is not configured yet gets ns-3's own choice,
# "default", which is optimised and has asserts and logging; our own is a debug build.
build_tree()
{
    local log=$1/collapipe-build.log profile="" how=()
    : >"$log"
    [ -z "${quick:-}" ] || profile=debug
    if [ -e "$1/cmake-cache/CMakeCache.txt" ]; then
        [ -z "$profile" ] || cached "$1" CMAKE_BUILD_TYPE "$profile" || how=(-d "$profile")
    else
        how=(-G Ninja -d "${profile:-default}")
    fi
    if [ ${#how[@]} -gt 0 ] || [ -n "${new_packages:-}" ] ||
        { [ ! -e "$1/cmake-cache/build.ninja" ] && [ ! -e "$1/cmake-cache/Makefile" ]; } ||
        ! cached "$1" NS3_ENABLED_MODULES collapipe || ! cached "$1" NS3_TESTS ON ||
        ! cached "$1" NS3_EXAMPLES ON || ! cached "$1" NS3_FILTER_MODULE_EXAMPLES_AND_TESTS collapipe; then
        say "configuring ns-3 $(cat -- "$1/VERSION") in $1 for this module with its tests and examples"
        (cd -- "$1" && ./ns3 configure "${how[@]}" --enable-tests --enable-examples \
            --enable-modules=collapipe --filter-module-examples-and-tests=collapipe) >>"$log" 2>&1 ||
            tree_failed "ns-3 could not be configured with the module; its words are above" "$log"
    fi
    if ! cached "$1" COLLAPIPE_WITH_TORCH "$torch" || ! cached "$1" TORCH_PREFIX "$torch_prefix"; then
        set_tree "$1" "-DCOLLAPIPE_WITH_TORCH=$torch" "-DTORCH_PREFIX=$torch_prefix"
    fi
    if [ -n "${quick:-}" ] && [ ! -e "$1/cmake-cache/collapipe-plain" ]; then
        # A tree of our own need not be compiled in the way that is best for working on it. With -Og
        # its tests take a third of the time.
        if ! cached "$1" CMAKE_PROJECT_INCLUDE "$here/cmake/unity.cmake" ||
            ! cached "$1" CMAKE_CXX_FLAGS_DEBUG "-Og -g1"; then
            set_tree "$1" "-DCMAKE_PROJECT_INCLUDE=$here/cmake/unity.cmake" "-DCMAKE_CXX_FLAGS_DEBUG=-Og -g1"
        fi
        # Anything else that goes wrong goes wrong below, too.
        if ! compile_tree "$1" && grep -q '^FAILED: .*/Unity/' "$log"; then
            say "compiling file by file, since ns-3 does not compile by the dozen"
            set_tree "$1" -UCMAKE_PROJECT_INCLUDE
            : >"$1/cmake-cache/collapipe-plain"
        fi
    fi
    compile_tree "$1" ||
        tree_failed "ns-3 could not be built with the module; the compiler's words are above" "$log"
}

# set_tree TREE OPTION...: configures with further options of CMake's.
set_tree()
{
    cmake "${@:2}" "$1/cmake-cache" >>"$1/collapipe-build.log" 2>&1 ||
        tree_failed "ns-3 could not be configured with the module; CMake's words are above" \
            "$1/collapipe-build.log"
}

compile_tree()
{
    cmake --build "$1/cmake-cache" -j "$(jobs_now)" 2>&1 | tee -a -- "$1/collapipe-build.log" | progress
}

# tree_failed SENTENCE LOG
tree_failed()
{
    grep -vE '^\[ *[0-9]+/[0-9]+\] ' "$2" | tail -n 200 >&2 || true
    fail 1 "$1"
}

# test_tree TREE: runs the module's suites and examples under ns-3's test.py.
test_tree()
{
    local log=$1/collapipe-test.log status=0
    # Only this module's suites and examples were built, and in some releases a dozen of ns-3's that
    # belong to no module; there is nothing to choose.
    (cd -- "$1" && ./test.py --no-build) 2>&1 | tee -- "$log" || status=$?
    # "7 of 9 tests passed (7 passed, 1 skipped, 1 failed, 0 crashed, 0 valgrind errors)"
    sed -n -E "s/^[0-9]+ of [0-9]+ tests passed \(([0-9]+) passed, ([0-9]+) skipped, ([0-9]+) failed, ([0-9]+) crashed.*/\1 \2 \3 \4/p" \
        "$log" | tail -n 1 | (read -r passed skipped failed crashed &&
        tree_totals "$1" "$passed" $((failed + crashed)) "$skipped" && [ "$passed" -gt 0 ]) || status=1
    return "$status"
}

# tree_totals TREE PASSED FAILED SKIPPED
tree_totals()
{
    printf '\nSuites and examples in ns-3 %s: %d passed, %d failed, %d skipped\n' \
        "$(cat -- "$1/VERSION")" "$2" "$3" "$4"
}

# build_waf_tree TREE: the same with waf, in the profile that the tree is configured for; "debug" with
# some optimisation where it is not, since without it the tests take three times as long. The tests
# are linked to a program of this module's: waf cannot leave out those of the other modules.
build_waf_tree()
{
    local log=$1/collapipe-build.log kept=$1/build/c4che/_cache.py profile
    : >"$log"
    profile=$(sed -n "s/^BUILD_PROFILE = '\(.*\)'/\1/p" "$kept" 2>/dev/null || true)
    [ -n "$profile" ] || export CXXFLAGS_EXTRA="-Og -g1 -Wno-error ${CXXFLAGS_EXTRA:-}"
    if [ -z "$profile" ] || ! grep -qs "ns3-collapipe" "$kept" || [ -n "${new_packages:-}" ]; then
        say "configuring ns-3 $(cat -- "$1/VERSION") in $1 for this module and its tests"
        (cd -- "$1" && CXX="ccache g++" CC="ccache gcc" python3 ./waf configure -d "${profile:-debug}" \
            --disable-python --disable-tests --disable-examples --enable-modules=collapipe) >>"$log" 2>&1 ||
            tree_failed "ns-3 could not be configured with the module; its words are above" "$log"
    fi
    (cd -- "$1" && python3 ./waf build -j "$(jobs_now)") 2>&1 | sed -u 's/^\[ */[/' | tee -a -- "$log" |
        progress || tree_failed "ns-3 could not be built with the module; waf's words are above" "$log"
}

# test_waf_tree TREE: runs the module's suites and the examples that test.py would run.
test_waf_tree()
{
    local base=$1/build/contrib/collapipe suite line words
    passed=0 failed=0
    export LD_LIBRARY_PATH=$1/build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    [ -n "$(waf_program "$base" test-runner)" ] || fail 1 "the program collapipe-test-runner was not built"
    for suite in $("$(waf_program "$base" test-runner)" --list | grep '^collapipe'); do
        run_waf_test "$1" "TestSuite $suite" "$(waf_program "$base" test-runner)" --suite="$suite"
    done
    while IFS= read -r line; do
        read -ra words <<<"$line"
        run_waf_test "$1" "Example $line" "$(waf_program "$base" "${words[0]#collapipe-}")" "${words[@]:1}"
    done < <(python3 -c '
import os, sys
lists = {}
exec(open(sys.argv[1]).read(), lists)
for command, condition, _ in lists["cpp_examples"]:
    if eval(condition):
        print(command)' "$here/test/examples-to-run.py")
    tree_totals "$1" "$passed" "$failed" 0
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# waf_program FOLDER NAME: prints the path of a program that waf built; its name has version and profile.
waf_program()
{
    find "$1" -type f -name "ns3*-collapipe-$2*" -perm -u+x -print -quit
}

# run_waf_test TREE NAME COMMAND...: counts into passed and failed.
run_waf_test()
{
    local log=$1/collapipe-test.log
    if "${@:3}" >"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "PASS $2"
    else
        failed=$((failed + 1))
        echo "FAIL $2"
        cat -- "$log"
    fi
}
