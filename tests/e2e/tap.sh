# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# TAP for bash tests: check NAME COMMAND...; tap_done at the end.

tap_count=0 tap_failed=0

tap_result() { # STATUS NAME
    tap_count=$((tap_count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_count - $2"
    else
        echo "not ok $tap_count - $2"
        tap_failed=$((tap_failed + 1))
    fi
}

# check NAME COMMAND...: passes if the command does.
check() {
    local name=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    tap_result "$status" "$name"
    [ "$status" = 0 ] || printf '%s\n' "$output" | tail -n 60 | sed 's/^/# /'
}

# check_not NAME COMMAND...: passes if the command fails.
check_not() {
    local name=$1
    shift
    check "$name" eval "! $(printf '%q ' "$@")"
}

tap_skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

tap_done() {
    echo "1..$tap_count"
    exit "$((tap_failed > 0))"
}
