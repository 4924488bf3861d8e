#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 120
#
# The daemon is killed 20 times while writes of a virtio-blk disk wait for their rate and cheap requests come behind them: each
# request of the driver ends once.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh

job_begin
cat >"$work/card.yaml" <<END
card: "native:overtake"
rpc: $work/card.rpc
volumes:
  - {name: slow, backend: "file:$work/file", size: 4MiB, create: true, iops: 100, iops-burst: 1}
controllers:
  - {id: 1, name: disk, type: virtio-blk, transport: vhost-user, socket: $work/disk.sock, volumes: [slow]}
END
"$job_bin/overtake" "$job_cipud" "$work/card.yaml" "$work/disk.sock" 20 >"$work/out" 2>"$work/errors"
status=$?
tail -n 3 "$work/errors" | sed 's/^/# /'
tap_result $status '20 kills lose no request and end none twice'
tap_done
