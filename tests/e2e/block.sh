# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154  # work, job_bin: tools/run/job.sh
#
# What the end-to-end tests of block devices share, on top of tools/run/job.sh and tests/e2e/tap.sh.

# block_guest NAME SCRIPT [BOOT-OPTION]...: a guest with fio and nvme-cli that runs tests/e2e/block-script and then SCRIPT.
# /dev/mem reaches the devices' registers, too: nvme-cli reads them, and scripts do what no driver would.
block_guest() {
    local name=$1 script=$2
    shift 2
    cat tests/e2e/block-script "$script" >"$work/$name.script"
    job_guest "$name" "$work/$name.script" -b -m 384 -k iomem=relaxed "$@"
}

# block_results NAME [TEXT]: one check for each `report` of the guest's script.
block_results() {
    local name=$1 text=${2:-} key
    while read -r key; do
        check "$text$key" block_reported "$name" "$key"
    done < <(sed -n 's/^report \([a-z0-9_]*\).*/\1/p' "$work/$name.script")
}

block_reported() {
    [ "$(job_result "$1" "$2")" != ok ] || return 0
    tr -d '\r' <"$work/$1.console" | sed -n "/^CIPU-RESULT $2 /,/^CIPU-/p"
    return 1
}

# The command line of the daemon `card`.
block_cipu() {
    "$job_bin/cipu" --socket "$work/card.rpc" "$@"
}

# block_shows PATTERN WORD...: what cipu shows has a line that matches.
block_shows() {
    local pattern=$1
    shift
    block_cipu "$@" | tee /dev/stderr | grep -qE "$pattern"
}
