#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A guest makes namespaces for itself, within what it may have, and reserves a volume; the daemon is killed (kill -9). With the
# next one another guest finds all of that: the namespaces and their bytes, and that it is fenced, until the operator frees the
# volume. An operator sees what guests made; another tenant of the same disk does not.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    local nqn=nqn.2026-11.org.opencipu:tenant other=nqn.2026-11.org.opencipu:other
    mkdir "$work/state"
    cat >"$work/card.yaml" <<END
card: "$job_card:manage"
rpc: $work/card.rpc
state: $work/state
disks:
  - {name: fast, path: $work/disk, size: 64MiB, create: true}
volumes:
  - {name: shared, backend: "disk:fast/shared", size: 4MiB, create: true}
subsystems:
  - {name: tenant, nqn: "$nqn", place: "disk:fast", capacity: 24MiB, namespaces: 3, weight: 50}
  - {name: other, nqn: "$other", place: "disk:fast", capacity: 8MiB, namespaces: 2}
controllers:
  - {id: 1, name: a, type: nvme, socket: $work/a.vfio, volumes: [shared], queues: 2, subsystem: "$nqn"}
  - {id: 2, name: b, type: nvme, socket: $work/b.vfio, volumes: [shared], queues: 2, subsystem: "$nqn"}
  - {id: 3, name: c, type: nvme, socket: $work/c.vfio, queues: 2, subsystem: "$other"}
END
    job_daemon card "$work/card.yaml"
}

guest() { # NAME CONTROLLER...
    local name=$1 controller devices=()
    shift
    cat tests/e2e/manage-script "tests/e2e/manage-$name-script" >"$work/$name.part"
    for controller; do
        devices+=(-s "$work/$controller.vfio")
    done
    block_guest "$name" "$work/$name.part" "${devices[@]}" -t 140
}

job_begin
check 'cipud starts' setup
guest before a c
job_wait before
tap_result $? "the first guest's script ends"
block_results before 'before: '
check 'the operator sees its volumes' block_shows '^tenant-ns2 .* 8388608 +512 .* 50 +2 +guest' volume list
check 'and its subsystem' block_shows '^tenant .* 25165824 +8388608 +a,b +1:shared,2:tenant-ns2,3:tenant-ns3' subsystem list
check_not 'they are nobody else'\''s' block_cipu volume create tenant-ns9 backend memory: size 1MiB
check_not 'and not closed' block_cipu volume delete tenant-ns2
check_not 'nor destroyed while they are attached' block_cipu volume delete tenant-ns2 destroy
check 'the reservation is listed' block_shows '^shared .*tenant +1 +write-exclusive +1 +yes +.* 0xa +yes' reservation list
job_stop card KILL
check 'a new daemon starts after kill -9' job_daemon card "$work/card.yaml"
check 'it has what the guest made' block_shows '^tenant-ns3 .* 8388608 +4096 .* guest' volume list
check 'and the reservation' block_shows 'write-exclusive .* yes .* 0xa +yes' reservation list shared
guest after b
check 'another guest is fenced' job_await after 'CIPU-RESULT fenced ok'
check 'the operator frees the volume' block_cipu reservation clear shared
job_wait after
tap_result $? "the second guest's script ends"
block_results after 'after: '
check 'nothing of it is left' block_shows '^fast .* shared,other-ns1$' disk list
check 'its controller counted' block_shows '^counters.commands +[1-9]' controller show b
check 'cipud ends cleanly' job_stop card
tap_done
