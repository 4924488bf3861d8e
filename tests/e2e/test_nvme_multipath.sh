#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A guest reaches a volume by two controllers of one subsystem: its native multipath makes one disk of them, follows what the
# operator says of their access, and goes on with one while the other is unbound, reset, dead, failed or cut off from memory. No
# I/O error, no data lost.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    local of='volumes: [disk], queues: 2, subsystem: "nqn.2026-11.org.opencipu:multipath", serial: multipath'
    cat >"$work/card.yaml" <<END
card: "$job_card:multipath"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24}
volumes:
  - {name: disk, backend: "memory:", size: 64MiB}
controllers:
  - {id: 1, name: a, type: nvme, socket: $work/a.vfio, $of}
  - {id: 2, name: b, type: nvme, socket: $work/b.vfio, $of}
END
    job_daemon card "$work/card.yaml"
}

job_begin
check 'cipud starts' setup
block_guest guest tests/e2e/multipath-script -s "$work/a.vfio" -s "$work/b.vfio" -c 2 -t 280 \
    -k 'iomem=relaxed nvme_core.io_timeout=2 nvme_core.admin_timeout=2'
for change in 'b non-optimized' 'a inaccessible' 'a optimized' 'b optimized'; do
    controller=${change% *} state=${change#* } address=0000:00:01.0
    [ "$controller" = a ] || address=0000:00:02.0
    check "the guest is under load: $controller $state" job_await guest "CIPU-RESULT wants_${state}_$address ok" 120
    check 'its access changes' block_cipu controller ana "$controller" "$state"
done
job_wait guest
tap_result $? "the guest's script ends"
block_results guest
check 'cipud ends cleanly' job_stop card
tap_done
