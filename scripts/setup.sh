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

# What the environment must have been made from: the locked requirements, and the Python that it runs.
wanted() {
    "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read() + sys.version.encode()).hexdigest())' \
        <"$root/scripts/requirements-dev.lock"
}

set_up() {
    local base stamp="$venv/.requirements"
    # Absent, or the Python that it was made from has gone.
    if ! "$python" -c '' 2>/dev/null; then
        base="$(find_python)"
        "$base" -c 'import ensurepip, venv' 2>/dev/null ||
            fail "Python's venv module is missing: install it (Debian and Ubuntu: apt-get install python3-venv)."
        "$base" -m venv --clear "$venv" || fail "$venv cannot be made: see the message above."
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted)" ]; then
        return
    fi
    echo "Installing the requirements into .venv: about a minute, once for each change of them." >&2
    "$python" -m pip install -qq --disable-pip-version-check --require-hashes \
        -r "$root/scripts/requirements-dev.lock" ||
        fail "The requirements cannot be installed: see pip's message above; a package index must be reachable."
    wanted >"$stamp"
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
