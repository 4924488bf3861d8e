#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# The daemon is killed at random instants (KILLS in the environment) while a guest makes and deletes namespaces, and the operator
# looks at them: what was acknowledged is there each time, nothing half-made is, and no byte of the capacity is lost.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh

# Each round takes its time under a sanitizer.
kills=${KILLS:-25}
[[ ${B:-} != *tsan ]] || kills=${KILLS:-10}
job_begin
mkdir "$work/state"
cat >"$work/card.yaml" <<END
card: "native:names"
rpc: $work/card.rpc
state: $work/state
disks:
  - {name: cut, path: $work/disk, size: 96MiB, create: true}
subsystems:
  - {name: tenant, nqn: "nqn.2026-11.org.opencipu:cut", place: "disk:cut", capacity: 64MiB, namespaces: 10}
controllers:
  - {id: 1, name: disk, type: nvme, socket: $work/disk.vfio, subsystem: "nqn.2026-11.org.opencipu:cut", queues: 1}
END
"$job_bin/namespace_cut" "$job_cipud" "$work/card.yaml" "$work/disk.vfio" "$kills" 67108864 >"$work/out" 2>"$work/errors" &
job_processes[cut]=$!
looks=0
while kill -0 "${job_processes[cut]}" 2>/dev/null; do
    for words in 'volume list' 'subsystem list' 'controller list' 'disk list' stats; do
        # shellcheck disable=SC2086
        ! "$job_bin/cipu" --socket "$work/card.rpc" $words >/dev/null 2>&1 || looks=$((looks + 1))
    done
    sleep 0.02
done
job_wait cut
status=$?
tail -n 3 "$work/errors" | sed 's/^/# /'
tap_result $status "$kills kills lose nothing that was acknowledged"
check_not 'no thread is in the way of another' grep -A40 ThreadSanitizer "$work/errors"
tap_result "$((looks == 0))" 'the operator sees what there is meanwhile'
tap_done
