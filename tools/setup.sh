#!/bin/sh
# Makes .venv from requirements.lock, or does nothing when it is already that. Needs Python 3.11 to 3.14 and nothing else.
# With `up` or `test` it asks first whether this machine is fit for what comes after it, before anything is downloaded.
set -eu
cd "$(dirname "$0")/.."

log=.venv/setup.log
stamp=.venv/made-from

say() { printf '%s\n' "$*"; }
fail() { printf 'Set-up stopped: %s\n' "$*" >&2; exit 1; }

wanted() { # the lock, the project and the place: a moved checkout needs a new .venv
    { pwd; cat requirements.lock pyproject.toml; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1
}

ready() { [ -f "$stamp" ] && [ "$(sed -n 1p "$stamp")" = "$want" ] && [ -x .venv/bin/python ]; }

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; }

can_make_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() { # prints a Python that will do, or says in one sentence what is missing
    suitable=''
    for name in ${PEERLINE_PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        suits "$name" || continue
        if can_make_venvs "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
        suitable=$name
    done
    if [ -n "$suitable" ]; then
        version=$("$suitable" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$suitable cannot make virtual environments because its venv module is incomplete; on Debian and Ubuntu" \
            "\`apt-get install python$version-venv\` (as root) mends that, then run the same command again."
    fi
    found=$(python3 --version 2>/dev/null || true)
    fail "Peerline needs Python 3.11 to 3.14, and ${found:-no Python} is what this machine has;" \
        "install one of them and run the same command again."
}

hold() { # one set-up at a time: `make up` and `make test` may start together
    waited=no
    while ! mkdir .venv.lock 2>/dev/null; do
        holder=$(cat .venv.lock/pid 2>/dev/null || true)
        if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
            rm -rf .venv.lock
            continue
        fi
        [ $waited = yes ] || say "Another set-up is at work in this folder (process ${holder:-unknown}); waiting for it."
        waited=yes
        sleep 1
    done
    echo $$ >.venv.lock/pid
    trap 'rm -rf .venv.lock' EXIT
    trap 'stop_child; exit 130' INT TERM HUP
}

child=''
stop_child() { [ -z "$child" ] || kill "$child" 2>/dev/null || true; }

progress() { # follows pip's log: how many packages of the lock it has at hand
    have=$(grep -c '^Collecting' "$log" 2>/dev/null || true)
    if grep -q '^Installing collected' "$log" 2>/dev/null; then
        line="  all $total packages are here and checked; unpacking them"
    else
        line="  $have of $total packages fetched and checked"
    fi
    [ "$line" != "${shown:-}" ] || return 0
    shown=$line
    if [ -t 1 ]; then printf '\r\033[K%s' "$line"; else say "$line"; fi
}

install_packages() {
    total=$(grep -c '^[a-zA-Z0-9].*==' requirements.lock)
    PYTHONUNBUFFERED=1 PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install \
        --require-hashes --no-input --progress-bar off -r requirements.lock >"$log" 2>&1 </dev/null &
    child=$!
    while kill -0 $child 2>/dev/null; do
        progress
        if [ -t 1 ]; then sleep 1; else sleep 5; fi
    done
    [ ! -t 1 ] || printf '\r\033[K'
    wait $child || explain
    child=''
    PIP_USER=0 .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-input \
        --disable-pip-version-check -e . >>"$log" 2>&1 || explain
}

preflight() { # prints what to expect, or one sentence that says what to do
    case $purpose in
        up) "$python" -S -m deploy.local.preflight --network ;;
        test) "$python" -S -m deploy.local.preflight --network --without-ports ;;
        *) return 0 ;;
    esac || exit 1
    said=yes
}

explain() { # one sentence from pip's log
    if grep -qi 'no space left' "$log"; then
        fail "the disk is full; 2 GB free are enough. Details: $log"
    elif grep -qi 'do not match the hashes' "$log"; then
        fail "a downloaded package is not the one in requirements.lock, so nothing of it was used. Details: $log"
    elif grep -Eqi 'connection|timed out|name resolution|retrying|network' "$log"; then
        fail "the package index could not be reached; check the network or the proxy and run the same command again" \
            "(what was fetched is kept). Details: $log"
    fi
    tail -n 5 "$log" >&2
    fail "pip could not install the packages. Details: $log"
}

purpose=${1:-}
said=no
want=$(wanted)
! ready || exit 0
hold
! ready || exit 0

if [ -f "$stamp" ] && [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null &&
    [ "$(sed -n 2p "$stamp")" = "$(pwd)" ]; then
    say "The lock file or the project has changed: bringing .venv up to date."
else
    python=$(find_python)
    rm -rf .venv
    preflight
    if [ $said = yes ]; then
        say "Making .venv with $python first."
    else
        say "Making .venv with $python: about 240 MB to download, 900 MB on disk, one to three minutes."
    fi
    "$python" -m venv .venv || fail "$python could not make .venv in $(pwd)."
    [ "$purpose" != up ] || : >.venv/.preflight-said
fi
install_packages
printf '%s\n%s\n' "$want" "$(pwd)" >"$stamp"
say "Python packages are ready in .venv."
