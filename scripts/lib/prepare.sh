# shellcheck shell=bash disable=SC2034
# Sourced by the scripts: installs the Debian packages that are missing, and says so in one line. Silent otherwise.

say() { printf '%s\n' "$@"; }
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# For a build folder that is new: half the time. Who works on a file every day may turn it off (CONTRIBUTING.md).
fast_build=-DMARTLET_UNITY_BUILD=ON

# The package of each thing a script needs, as "package" or "package:command" where any build of the tool will do.
packages_to_build=(g++:g++ cmake:cmake ninja-build:ninja libboost1.81-dev libssl-dev libargon2-dev libsqlite3-dev)
packages_for_docs=(python3:python3 cmark-gfm:cmark-gfm doxygen:doxygen)
packages_to_test=(doctest-dev pkg-config:pkg-config mosquitto mosquitto-clients:mosquitto_pub strace:strace man-db:man
    iproute2:ip openssl:openssl "${packages_for_docs[@]}")
packages_to_fuzz=(clang-14:clang++-14 libclang-rt-14-dev)
packages_to_cover=(doctest-dev gcovr:gcovr)

# prepare <package>...
prepare() {
    local missing=() entry
    for entry in "$@"; do
        is_present "$entry" || missing+=("${entry%%:*}")
    done
    if ((${#missing[@]})); then
        install_packages "${missing[@]}"
    fi
}

is_present() {
    local package=${1%%:*} command=${1#*:}
    case $1 in
        *:*) command -v "$command" >/dev/null ;;
        libboost*) has_boost ;;
        mosquitto) [[ -x /usr/sbin/mosquitto ]] || command -v mosquitto >/dev/null ;;
        *) is_installed "$package" ;;
    esac
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Whatever package or installation it came by.
has_boost() {
    local folder
    for folder in "${BOOST_ROOT:-/usr}/include" /usr/local/include /usr/include; do
        if [[ -r $folder/boost/version.hpp ]]; then
            (($(sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' "$folder/boost/version.hpp") >= 108100))
            return
        fi
    done
    return 1
}

install_packages() {
    command -v apt-get >/dev/null ||
        fail "these are missing, and there is no apt-get here to install them: $*"
    as_root true 2>/dev/null ||
        fail "these are missing, and installing them takes root or sudo: apt-get install $*"

    say "Installing with apt: $*"
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    if ! { as_root apt-get update -q && refuse_removals "$@" && without_services install_quietly "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt could not install: $*"
    fi
    rm -f "$log"
}

install_quietly() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=300 "$@"
}

# Nobody asked us to take packages away; --no-remove stops apt, this says what to do.
refuse_removals() {
    local removed
    removed=$(apt-get install -s --no-install-recommends "$@" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    if [[ -n $removed ]]; then
        say "These would have to go first, which is yours to decide: apt-get remove $removed"
        return 1
    fi
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        command -v sudo >/dev/null && sudo "$@"
    fi
}

# Runs an installation that may bring a service (mosquitto) and lets none of them start, now or at the next boot.
# A service that was here before is not among the packages to install, and is left as it is.
without_services() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [[ ! -e $policy ]]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    elif [[ " $* " == *" mosquitto "* ]] && "$policy" mosquitto start >/dev/null 2>&1; then
        say "$policy lets services start; install mosquitto yourself if its service may run here"
        return 1
    else
        policy=
    fi

    "$@" || status=$?

    if [[ -n $policy ]]; then
        as_root rm -f "$policy"
        trap - EXIT INT TERM
    fi
    if [[ " $* " == *" mosquitto "* ]] && is_installed mosquitto; then
        as_root update-rc.d mosquitto disable || true
    fi
    return "$status"
}
