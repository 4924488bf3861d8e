#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# Volumes grow under a guest's load; backends fail and stall under it: the guest sees the size without looking for it, is told
# what failed, and takes back what does not come.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    local errors='read-error=0x100000-0x101000;write-error=0x200000-0x201000;write-nospace=0x300000-0x301000'
    errors+=';zeroes-error=0x400000-0x401000;flush-error*1'
    local stalls='read-stall=0x100000-0x101000*1;write-delay=0x200000-0x201000*1@5000000;read-stall=0x300000-0x301000*1'
    stalls+=';read-delay=0x400000-0x401000@500000;read-stall=0x500000-0x501000'
    local hangs='read-stall=0x800000-0x2000000*100'
    cat >"$work/card.yaml" <<END
card: "$job_card:resize"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24}
volumes:
  - {name: memory, backend: "memory:", size: 32MiB}
  - {name: file, backend: "file:$work/file", size: 32MiB, create: true}
  - {name: faulty, backend: "fault:$errors,memory:", size: 32MiB}
  - {name: stalling, backend: "fault:$stalls,memory:", size: 32MiB}
  - {name: hanging, backend: "fault:$hangs,memory:", size: 32MiB}
controllers:
  - {id: 1, name: disk, type: nvme, socket: $work/disk.vfio, volumes: [memory, file, faulty, stalling, hanging], queues: 2}
END
    job_daemon card "$work/card.yaml"
}

job_begin
check 'cipud starts' setup
block_guest guest tests/e2e/resize-script -s "$work/disk.vfio" -c 2 -t 280 -k 'iomem=relaxed nvme_core.io_timeout=2 nvme_core.max_retries=3'
check 'the guest writes into memory' job_await guest 'CIPU-RESULT ready nvme0n1'
check_not 'it cannot shrink' block_cipu volume resize memory 16MiB
check 'it grows' block_cipu volume resize memory 48MiB
check 'the guest writes into the file' job_await guest 'CIPU-RESULT ready nvme0n2'
check 'it grows' block_cipu volume resize file 48MiB
check 'a place still fails' job_await guest 'CIPU-RESULT drill ok' 200
check 'the operator ends it' block_cipu volume fault faulty none
job_wait guest
tap_result $? "the guest's script ends"
block_results guest
check 'cipud ends cleanly, with a command that never came back' job_stop card
tap_done
