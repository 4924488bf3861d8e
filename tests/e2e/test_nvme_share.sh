#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# Two guests share a volume by reservations: who may not write is told so, and nothing of what it still writes lands on the
# volume, not even what was under way when it lost its rights.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    local of='volumes: [shared, mail], queues: 2, subsystem: "nqn.2026-11.org.opencipu:share", serial: share'
    cat >"$work/card.yaml" <<END
card: "$job_card:share"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24}
volumes:
  - {name: shared, backend: "memory:", size: 16MiB}
  - {name: mail, backend: "memory:", size: 1MiB}
controllers:
  - {id: 1, name: a, type: nvme, socket: $work/a.vfio, $of}
  - {id: 2, name: b, type: nvme, socket: $work/b.vfio, $of}
END
    job_daemon card "$work/card.yaml"
}

job_begin
check 'cipud starts' setup
for guest in a b; do
    cat tests/e2e/share-script "tests/e2e/share-$guest-script" >"$work/$guest.part"
    block_guest "$guest" "$work/$guest.part" -s "$work/$guest.vfio" -t 280
done
for guest in a b; do
    job_wait "$guest"
    tap_result $? "the script of guest $guest ends"
    block_results "$guest" "$guest: "
done
check 'cipud ends cleanly' job_stop card
tap_done
