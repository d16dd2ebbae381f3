#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image: Python 3.11 or newer, bubblewrap, and the packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

new_enough() { "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null && new_enough "$python"; then
            command -v "$python"
            return
        fi
    done
    return 1
}

install() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; }

if ! command -v bwrap >/dev/null || ! find_python >/dev/null; then
    apt-get update
    install bubblewrap libseccomp2
    find_python >/dev/null || install python3-venv || true
    find_python >/dev/null || install python3.12 python3.12-venv || install python3.11 python3.11-venv
fi

"$(find_python)" -m venv venv
venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt
venv/bin/python -m pip install --disable-pip-version-check --no-deps --editable .
