# Sourced by the other scripts: makes .venv, or updates it when the requirements have changed, and sets $python.
# shellcheck shell=bash
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
python="$venv/bin/python"

fail() {
    echo "$*" >&2
    exit 1
}

# The first Python of 3.11 or later; $PYTHON wins.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is needed: install it (Debian and Ubuntu: apt-get install python3) or set PYTHON to it."
}

wanted() {
    cat "$root/requirements.txt" "$root/requirements-dev.txt" | "$1" -c \
        'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read() + sys.version.encode()).hexdigest())'
}

set_up() {
    local base stamp
    base="$(find_python)"
    stamp="$venv/.requirements"
    if [ -x "$python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted "$base")" ]; then
        return
    fi
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python's venv module is missing: install it (Debian and Ubuntu: apt-get install python3-venv)."
    echo "Setting up .venv, which takes about a minute and happens once for each change of the requirements." >&2
    [ -x "$python" ] || "$base" -m venv --clear "$venv" || fail "$venv cannot be made: see the message above."
    "$python" -m pip install --quiet --disable-pip-version-check -r "$root/requirements-dev.txt" ||
        fail "The requirements cannot be installed: see pip's message above; a package index must be reachable."
    wanted "$base" >"$stamp"
}

# Two scripts that start at once: the second waits for the first.
mkdir -p "$root/.run"
if command -v flock >/dev/null; then
    exec 9>"$root/.run/setup.lock"
    flock 9
    set_up
    exec 9>&-
else
    set_up
fi
# The packages of this repository, wherever the script was called from.
export PYTHONPATH="$root"
