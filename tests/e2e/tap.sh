# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# TAP for bash tests: check NAME COMMAND...; tap_done at the end.

tap_count=0 tap_failed=0 tap_output=$(mktemp)

tap_result() { # STATUS NAME
    tap_count=$((tap_count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_count - $2"
    else
        echo "not ok $tap_count - $2"
        tap_failed=$((tap_failed + 1))
    fi
}

# check NAME COMMAND...: passes if the command does. The command runs in this shell: what it starts can be waited for.
check() {
    local name=$1 status
    shift
    "$@" >"$tap_output" 2>&1
    status=$?
    tap_result "$status" "$name"
    [ "$status" = 0 ] || tail -n 150 "$tap_output" | sed 's/^/# /'
}

# check_not NAME COMMAND...: passes if the command fails.
check_not() {
    local name=$1
    shift
    check "$name" tap_fails "$@"
}

tap_fails() {
    ! "$@"
}

tap_skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

tap_done() {
    rm -f "$tap_output"
    echo "1..$tap_count"
    exit "$((tap_failed > 0))"
}
