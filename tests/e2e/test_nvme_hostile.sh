#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A hostile NVMe driver on one controller, an honest one on another of the same card: tests/e2e/hostile_nvme.c. Once the card
# itself moves the attacker's data, once the host has it in between.
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
  - {name: memory, backend: "memory:", size: 64MiB}
  - {name: file, backend: "file:$work/file", size: 64MiB, create: true}
  - {name: fixed, backend: "memory:", size: 1MiB, read-only: true}
  - {name: honest, backend: "file:$work/honest", size: 64MiB, create: true}
controllers:
  - {id: 1, name: memory, type: nvme, socket: $work/memory.vfio, volumes: [memory, fixed], queues: 4}
  - {id: 2, name: file, type: nvme, socket: $work/file.vfio, volumes: [file, fixed], queues: 4}
  - {id: 3, name: honest, type: nvme, socket: $work/honest.vfio, volumes: [honest], queues: 4}
END
    job_daemon card "$work/card.yaml"
}

# The program's own TAP, with its numbers made ours.
run_hostile() { # CONTROLLER
    local seed=$RANDOM ended line
    echo "# controller $1, seed $seed"
    timeout 140 "$job_bin/hostile_nvme" "$work/$1.vfio" "$work/honest.vfio" "$seed" >"$work/hostile.tap" 2>&1
    ended=$?
    grep '^#' "$work/hostile.tap"
    while read -r line; do
        case $line in
        ok*) tap_result 0 "$1: ${line#*- }" ;;
        'not ok'*) tap_result 1 "$1: ${line#*- }" ;;
        esac
    done <"$work/hostile.tap"
    return $ended
}

job_begin
check 'one card, three controllers' setup
for controller in memory file; do
    run_hostile "$controller"
    tap_result $? "$controller: the hostile driver ends"
done
tap_result "$(kill -0 "${job_processes[card]}"; echo $?)" 'cipud lives'
check 'cipud ends cleanly' job_stop card
tap_done
