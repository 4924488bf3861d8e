#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# The daemon is killed at 200 random instants (KILLS in the environment) under writes to a file, to a disk that is cut into volumes,
# and to an encrypted piece of it: what was acknowledged is there each time, and no sector is a mixture.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh

job_begin
(umask 077 && head -c 32 /dev/urandom >"$work/key")
cat >"$work/card.yaml" <<END
card: "native:cut"
rpc: $work/card.rpc
disks:
  - {name: cut, path: $work/disk, size: 64MiB, create: true}
volumes:
  - {name: file, backend: "file:$work/file", size: 16MiB, create: true}
  - {name: part, backend: "disk:cut/part", size: 16MiB, create: true}
  - {name: secret, backend: "crypt:$work/key,disk:cut/secret", size: 8MiB, create: true}
controllers:
  - {id: 1, name: disk, type: nvme, socket: $work/disk.vfio, volumes: [file, part, secret], queues: 1}
END
"$job_bin/power_cut" "$job_cipud" "$work/card.yaml" "$work/disk.vfio" "${KILLS:-200}" >"$work/out" 2>"$work/errors"
status=$?
tail -n 3 "$work/errors" | sed 's/^/# /'
tap_result $status "${KILLS:-200} kills lose nothing that was acknowledged"
tap_done
