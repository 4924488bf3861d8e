#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A hostile NVMe driver on one controller, an honest one on another of the same card: tests/e2e/hostile_nvme.c.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh

setup() {
    cat >"$work/card.yaml" <<END
card: "$job_card:nvme-hostile"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24}
volumes:
  - {name: hostile, backend: "memory:", size: 64MiB}
  - {name: fixed, backend: "memory:", size: 1MiB, read-only: true}
  - {name: honest, backend: "file:$work/honest", size: 64MiB, create: true}
controllers:
  - {id: 1, name: hostile, type: nvme, socket: $work/hostile.vfio, volumes: [hostile, fixed], queues: 4}
  - {id: 2, name: honest, type: nvme, socket: $work/honest.vfio, volumes: [honest], queues: 4}
END
    job_daemon card "$work/card.yaml"
}

# The program's own TAP, with its numbers made ours.
run_hostile() {
    timeout 250 "$job_bin/hostile_nvme" "$work/hostile.vfio" "$work/honest.vfio" "$RANDOM" >"$work/hostile.tap" 2>&1
    ended=$?
    grep '^#' "$work/hostile.tap"
    while read -r line; do
        case $line in
        ok*) tap_result 0 "${line#*- }" ;;
        'not ok'*) tap_result 1 "${line#*- }" ;;
        esac
    done <"$work/hostile.tap"
    return $ended
}

job_begin
check 'one card, two controllers' setup
run_hostile
tap_result $? 'the hostile driver ends'
tap_result "$(kill -0 "${job_processes[card]}"; echo $?)" 'cipud lives'
check 'cipud ends cleanly' job_stop card
tap_done
