# Sourced after setup.sh: makes .run/tools from scripts/supply-chain.lock, and sets $tools.
# shellcheck shell=bash
tools="$root/.run/tools/bin"

set_up_tools() {
    local stamp="$root/.run/tools/.lock"
    if ! cmp -s "$root/scripts/supply-chain.lock" "$stamp"; then
        "$python" -m venv --clear "$root/.run/tools"
        "$tools/python" -m pip install -qq --require-hashes -r "$root/scripts/supply-chain.lock" ||
            fail "The tools cannot be installed: see pip's message above; a package index must be reachable."
        cp "$root/scripts/supply-chain.lock" "$stamp"
    fi
}

set_up_tools
