# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# ./collapipe system, read in by ./collapipe: another release of the distribution in a chroot, made
# fresh with debootstrap, in which a clone of this checkout runs the README's two commands.

# Variables and functions that are not here are ./collapipe's.
# shellcheck disable=SC2154

# apt_mirror DISTRIBUTION: prints the first URI of it (debian, ubuntu) in this machine's own apt sources.
apt_mirror()
{
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -oE '^(URIs:|deb) .*' | grep -oE "(https?|file):/[^ ]*/$1/?( |\$)" | tr -d ' ' | head -n 1 || true
}

# system_codename NAME: prints the codename that a number or a name means.
system_codename()
{
    case ${1,,} in
        12 | debian12 | debian-12) echo bookworm ;;
        13 | debian13 | debian-13) echo trixie ;;
        unstable) echo sid ;;
        24.04 | ubuntu24.04 | ubuntu-24.04) echo noble ;;
        26.04 | ubuntu26.04 | ubuntu-26.04) echo resolute ;;
        *) echo "${1,,}" ;;
    esac
}

# find_system NAME: sets codename, mirror, components and keyring.
find_system()
{
    local script distribution=debian
    codename=$(system_codename "$1") components=main
    script=/usr/share/debootstrap/scripts/$codename
    case $codename in
        noble | resolute) distribution=ubuntu ;;
    esac
    # Ubuntu's releases are links to its first ones.
    case $(readlink -f -- "$script" || true) in
        */gutsy | */warty | */hoary) distribution=ubuntu ;;
    esac
    [ "$distribution" = debian ] || components=main,universe
    mirror=$(apt_mirror "$distribution")
    [ -n "$mirror" ] || fail 1 "this machine's apt has no source of ${distribution^}'s packages to make $1 from"
    keyring=/usr/share/keyrings/$distribution-archive-keyring.gpg
    [ -e "$keyring" ] || fail 1 "$keyring is missing; install the package $distribution-archive-keyring"
    [ -e "$script" ] || fail 2 "debootstrap knows no release $1; try bookworm, trixie or sid"
}

# apt_proxies: prints what this machine's apt needs to reach the mirror, as configuration of apt's.
apt_proxies()
{
    apt-config dump | grep -E '^Acquire::(https?::[Pp]roxy|https?::CAInfo|Check-)' || true
}

# make_base DIR: makes DIR/base.tar, the release as debootstrap installs it.
make_base()
{
    local log=$1/debootstrap.log proxy
    [ ! -e "$1/base.tar" ] || return 0
    say "installing the base system of $codename (debootstrap)"
    proxy=$(apt-config dump | sed -n 's/^Acquire::http::[Pp]roxy "\(.*\)";$/\1/p' | head -n 1)
    rm -rf -- "$1/root" "$1/base.tar.new"
    [ -z "$proxy" ] || export http_proxy=${http_proxy:-$proxy}
    debootstrap --variant=minbase --components="$components" --keyring="$keyring" --include=ca-certificates,git \
        "$codename" "$1/root" "$mirror" >"$log" 2>&1 || {
        tail -n 20 -- "$log" >&2
        fail 1 "debootstrap could not install $codename; its words are above"
    }
    rm -rf -- "$1"/root/var/cache/apt/archives/*.deb "$1"/root/var/lib/apt/lists/*
    printf 'deb %s %s %s\n' "$mirror" "$codename" "${components/,/ }" >"$1/root/etc/apt/sources.list"
    apt_proxies >"$1/root/etc/apt/apt.conf.d/90collapipe"
    # Kept from one time to the next.
    echo 'APT::Keep-Downloaded-Packages "true";' >>"$1/root/etc/apt/apt.conf.d/90collapipe"
    tar -C "$1/root" --one-file-system --numeric-owner -cf "$1/base.tar.new" .
    mv -T -- "$1/base.tar.new" "$1/base.tar"
    rm -rf -- "$1/root"
}

# make_root DIR: unpacks a fresh system into DIR/root and clones this checkout into it.
make_root()
{
    local name
    rm -rf -- "$1/root"
    mkdir -p -- "$1/root" "$1/archives/partial" "$1/ccache"
    tar -C "$1/root" --numeric-owner -xf "$1/base.tar"
    for name in resolv.conf hosts; do
        [ ! -e "/etc/$name" ] || cp -L -- "/etc/$name" "$1/root/etc/$name"
    done
    [ -z "$(git -C "$here" status --porcelain)" ] ||
        say "this checkout has changes that are not committed; the clone goes without them"
    git clone -q --no-hardlinks -- "$here" "$1/root/root/collapipe" ||
        fail 1 "this checkout could not be cloned; is it a git repository?"
    mkdir -p -- "$1/root/root/.cache/collapipe/ccache"
    [ ! -d "$here/../shared" ] || mkdir -p -- "$1/root/root/shared"
}

# enter_system DIR COMMAND...: becomes a command in the system's clone. What is mounted goes with it, and
# what it has started.
enter_system()
{
    local root=$1/root
    # shellcheck disable=SC2016 # for the other shell
    exec unshare --mount --pid --fork --kill-child /bin/bash -euc '
        root=$1 dir=$2 shared=$3
        shift 3
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/dev/shm"
        mount --bind "$dir/archives" "$root/var/cache/apt/archives"
        mount --bind "$dir/ccache" "$root/root/.cache/collapipe/ccache"
        if [ -d "$shared" ] && [ -d "$root/root/shared" ]; then
            mount --bind -o ro "$shared" "$root/root/shared"
        fi
        exec chroot "$root" /usr/bin/env -C /root/collapipe -u COLLAPIPE_BUILD -u COLLAPIPE_CACHE \
            -u CCACHE_DIR -u CCACHE_BASEDIR -u LD_LIBRARY_PATH -u XDG_CACHE_HOME -u TMPDIR \
            HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
        system "$root" "$1" "$here/../shared" "${@:2}"
}

# leave_system STATUS: ends what runs in the system, and this program, when that is told to end.
leave_system()
{
    trap - EXIT
    [ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true
    exit "$1"
}

# in_system DIR COMMAND...: runs a command in the system's clone.
in_system()
{
    local status=0
    enter_system "$@" <&0 &
    inside=$!
    wait "$inside" || status=$?
    inside=""
    return "$status"
}

# run_in_system DIR COMMAND [ARGUMENT...]: one command of ./collapipe there; its words go to a log, too.
run_in_system()
{
    local start=$SECONDS status=0 reader
    say "$codename: ./collapipe ${*:2} (log: $1/$2.log)"
    : >"$1/$2.log"
    tail --pid=$$ -n +1 -f -- "$1/$2.log" &
    reader=$!
    in_system "$1" ./collapipe "${@:2}" </dev/null >>"$1/$2.log" 2>&1 || status=$?
    sleep 1 # in which the reader comes to the end
    kill "$reader" 2>/dev/null || true
    results+=("./collapipe ${*:2}: $([ $status -eq 0 ] && echo passed || echo "failed ($status)") after $((SECONDS - start)) s")
    return "$status"
}

# system_versions DIR: prints what the system has of what counts.
system_versions()
{
    # shellcheck disable=SC2016 # for the other shell
    in_system "$1" /bin/sh -c '. /etc/os-release
        echo "$PRETTY_NAME: $(g++ --version | head -n 1), ns-3 $(dpkg-query -W -f \${Version} libns3-dev)," \
            "LibTorch $(dpkg-query -W -f \${Version} libtorch-dev 2>/dev/null || echo none)"' || true
}

command_system()
{
    local codename mirror components keyring dir status=0 fresh=yes inside=""
    local -a results=()
    if [ "${1:-}" = --keep ]; then
        fresh=""
        shift
    fi
    if [ $# -eq 0 ] || [[ $1 == -* ]]; then
        fail 2 "usage: ./collapipe system [--keep] NAME [COMMAND [arguments] | -- PROGRAM [arguments]]"
    fi
    [ "$(id -u)" -eq 0 ] || fail 1 "making another system takes root; run: sudo ./collapipe system $*"
    need_packages debootstrap git util-linux
    find_system "$1"
    shift
    dir=$cache/systems/$codename
    make_cache "$dir"
    lock_folder "$dir"
    make_base "$dir"
    if [ -n "$fresh" ] || [ ! -d "$dir/root/root/collapipe" ]; then
        make_root "$dir"
    else
        git -C "$dir/root/root/collapipe" fetch -q -- "$here" HEAD
        git -C "$dir/root/root/collapipe" reset -q --hard FETCH_HEAD
    fi
    rm -f -- "$dir"/run.log "$dir"/test.log
    trap 'leave_system 129' HUP
    trap 'leave_system 130' INT
    trap 'leave_system 143' TERM
    if [ "${1:-}" = -- ]; then
        in_system "$dir" "${@:2}"
        return
    elif [ $# -gt 0 ]; then
        run_in_system "$dir" "$@" || status=$?
    else
        run_in_system "$dir" run || status=$?
        run_in_system "$dir" test || status=$?
    fi
    printf '\n%s\n' "$(system_versions "$dir")"
    printf '%s\n' "${results[@]}"
    grep -hE '^Tests: [0-9]+ passed, ' "$dir/test.log" 2>/dev/null | tail -n 1 || true
    return "$status"
}
