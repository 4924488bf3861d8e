#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A Linux guest with its own nvme driver, nvme-cli and fio on one controller with two namespaces: all that it can ask for, and
# data by PRPs and SGLs, from and to anywhere, over resets, unbinding, formatting and sanitizing; and on an encrypted one, whose key
# it destroys.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    (umask 077 && head -c 32 /dev/urandom >"$work/key")
    cat >"$work/card.yaml" <<END
card: "$job_card:nvme"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24}
volumes:
  - {name: memory, backend: "memory:", size: 64MiB}
  - {name: file, backend: "file:$work/file", size: 64MiB, create: true, block-size: 4096}
  - {name: secret, backend: "crypt:$work/key,file:$work/secret", size: 16MiB, create: true}
controllers:
  - {id: 1, name: disk, type: nvme, socket: $work/disk.vfio, volumes: [memory, file], queues: 4, serial: MAIN}
  - {id: 2, name: secret, type: nvme, socket: $work/secret.vfio, volumes: [secret], queues: 1, serial: SECRET}
END
    job_daemon card "$work/card.yaml"
}

job_begin
check 'cipud starts' setup
block_guest guest tests/e2e/nvme-script -s "$work/disk.vfio" -s "$work/secret.vfio" -c 4 -t 280
job_wait guest
tap_result $? "the guest's script ends"
block_results guest
# Three resets, one under load, an unbinding, the end of the guest.
check 'its controller has counted resets' block_shows '^counters.resets +([6-9]|[1-9][0-9])$' controller show disk
check 'and commands' block_shows '^counters.commands +[0-9]{4}' controller show disk
check 'and errors' block_shows '^counters.errors +[1-9]' controller show disk
check 'and no fault' block_shows '^counters.faults +0$' controller show disk
check 'cipud ends cleanly' job_stop card
tap_done
