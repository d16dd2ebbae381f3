#!/bin/sh
# Make this machine ready: a virtual environment with every package, and bubblewrap for the sandbox.
# With the word "tests", also what only the tests need: a browser and a database server.
# Running it again is quick and harmless.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
python=${PYTHON:-python3}

say() { printf '%s\n' "$*"; }

fail() {
    say "setup: $1" >&2
    say "       $2" >&2
    exit 1
}

# Run a command as root, if that may be done without asking for a password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else return 1; fi
}

# install PACKAGE...: Debian packages, or the command for somebody who may
install() {
    if command -v apt-get >/dev/null; then
        say "installing $* ..."
        if as_root apt-get update -qq >/dev/null 2>&1 &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; then
            return 0
        fi
    fi
    return 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or newer is needed; '$python' is not." "Name one: PYTHON=/path/to/python3.11 make setup"

if [ ! -x "$venv/bin/python" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install python3-venv ||
        fail "Python's venv module is missing." "Install it: sudo apt-get install python3-venv"
    say "making $venv ..."
    "$python" -m venv "$venv"
fi

wanted=$(cat requirements.txt pyproject.toml | cksum)
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
    say "installing the packages of requirements.txt into $venv, once; this takes a minute or two ..."
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
    printf '%s\n' "$wanted" >"$venv/.installed"
fi

if ! command -v bwrap >/dev/null; then
    install bubblewrap libseccomp2 ||
        fail "bubblewrap is missing, and without it hostile code cannot be isolated." \
            "Install it: sudo apt-get install bubblewrap libseccomp2"
fi

[ "${1:-}" = tests ] || exit 0

if ! command -v chromium >/dev/null; then
    install chromium fonts-dejavu-core ||
        fail "Chromium is missing, in which the tests open formgrader and reports." \
            "Install it: sudo apt-get install chromium"
fi

# Debian keeps the server's programs out of the PATH.
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    install postgresql ||
        fail "PostgreSQL is missing, which the tests keep a gradebook in." \
            "Install it: sudo apt-get install postgresql"
fi
