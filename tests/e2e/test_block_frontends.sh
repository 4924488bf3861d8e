#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# virtio-blk disks in a Linux guest, over vfio-user and over vhost-user; then the daemon dies (kill -9) under a load that is
# verified, and a new one goes on with the vhost-user disk without the guest noticing.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/job.sh
. tests/e2e/block.sh

setup() {
    cat >"$work/card.yaml" <<END
card: "$job_card:frontends"
rpc: $work/card.rpc
volumes:
  - {name: memory, backend: "memory:", size: 32MiB}
  - {name: file, backend: "file:$work/file", size: 32MiB, create: true}
controllers:
  - {id: 1, name: pci, type: virtio-blk, socket: $work/pci.vfio, volumes: [memory], queues: 2}
  - {id: 2, name: vhost, type: virtio-blk, transport: vhost-user, socket: $work/blk.vhost, volumes: [file], queues: 2}
END
    cat >"$work/both" <<'END'
modprobe -a virtio_pci virtio_blk
report disks await 5 test -b /dev/vdb
report size test "$(cat /sys/block/vda/size)" = 65536
for disk in vda vdb; do
    case $(cat /sys/block/$disk/serial) in
    memory) pci=/dev/$disk ;;
    file) vhost=/dev/$disk ;;
    esac
done
report serials test -b "$pci" -a -b "$vhost"
report pci_verify verify "$pci"
report vhost_verify verify "$vhost"
report pci_trim fio --filename="$pci" --name=trim --rw=randtrim --bs=4k --size=2M --ioengine=libaio --direct=1 --iodepth=32
report vhost_trim fio --filename="$vhost" --name=trim --rw=randtrim --bs=4k --size=2M --ioengine=libaio --direct=1 --iodepth=32
report pci_flush fio --filename="$pci" --name=flush --rw=randwrite --bs=4k --size=1M --ioengine=libaio --direct=1 --fsync=8
report vhost_flush fio --filename="$vhost" --name=flush --rw=randwrite --bs=4k --size=1M --ioengine=libaio --direct=1 --fsync=8
report quiet no_complaint
END
    cat >"$work/survivor" <<'END'
modprobe -a virtio_pci virtio_blk
report disk await 5 test -b /dev/vda
echo CIPU-RESULT begins ok
report verify verify /dev/vda --loops=3
report quiet no_complaint
END
    job_daemon card "$work/card.yaml"
}

job_begin
vhost_disk=(-- -chardev "socket,id=blk,path=$work/blk.vhost,reconnect-ms=100"
    -device 'vhost-user-blk-pci,chardev=blk,num-queues=2,disable-legacy=on')
check 'cipud starts' setup
block_guest both "$work/both" -s "$work/pci.vfio" -t 250 "${vhost_disk[@]}"
job_wait both
tap_result $? "the first guest's script ends"
block_results both
block_guest survivor "$work/survivor" -t 250 "${vhost_disk[@]}"
check 'a guest begins to write' job_await survivor 'CIPU-RESULT begins ok'
for round in 1 2; do
    sleep 1
    job_stop card KILL
    check "a new daemon starts after kill -9 ($round)" job_daemon card "$work/card.yaml"
done
job_wait survivor
tap_result $? "its script ends"
block_results survivor 'over two lost daemons: '
check 'cipud ends cleanly' job_stop card
tap_done
