#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# A hostile driver on one function of a card, an honest Linux guest on another: every attack stops at most the attacker's own
# queue; the guest loses no packet and its memory stays as it was.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh
. tools/run/job.sh
peer_possible || tap_skip_all 'needs root and the VXLAN device'

setup() {
    peer_create wire && peer_vxlan wire 100 192.0.2.2/24 192.0.2.1 10.0.0.2/24 || return
    cat >"$work/card.yaml" <<END
card: "$job_card:hostile?port0=packet:$(peer_port wire)"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:02:01", ipv4: 192.0.2.1/24}
vpcs:
  - {name: blue, vni: 100, mac: "02:00:00:00:00:fe", gateways: [10.0.0.254/24]}
functions:
  - {id: 1, name: guest, vpc: blue, mac: "02:00:00:00:00:01", addresses: [10.0.0.1], socket: $work/guest.vfio}
  - {id: 2, name: hostile, vpc: blue, mac: "02:00:00:00:00:02", addresses: [10.0.0.3], socket: $work/hostile.vfio}
routes:
  - {vpc: blue, prefix: 10.0.0.2/32, via: 192.0.2.2}
END
    cat >"$work/script" <<'END'
ip link set eth0 up
ip address add 10.0.0.1/24 dev eth0
head -c 32000000 /dev/urandom >/dev/shm/memory
sum=$(md5sum </dev/shm/memory)
ping -c 3 -W 2 10.0.0.2
echo CIPU-RESULT attack now
ping -c 150 -i 0.1 -W 3 10.0.0.2 >/run/ping
echo CIPU-RESULT loss $(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' /run/ping)
[ "$(md5sum </dev/shm/memory)" = "$sum" ] && echo CIPU-RESULT memory unchanged
END
    job_daemon card "$work/card.yaml"
}

job_begin
check 'one card, two functions' setup
job_guest guest "$work/script" -s "$work/guest.vfio"
check 'the guest is up' job_await guest 'CIPU-RESULT attack'
check 'the hostile function serves an honest driver after every attack' "$job_bin/hostile_driver" "$work/hostile.vfio" 20 "$RANDOM"
tap_result "$(kill -0 "${job_processes[card]}"; echo $?)" 'cipud lives'
check 'the guest ends' job_wait guest
check 'the guest lost no packet' test "$(job_result guest loss)" = 0
check "the guest's memory is unchanged" test "$(job_result guest memory)" = unchanged
check 'the stopped queues were reported' test "$(job_statistic card events)" -gt 0
check 'cipud ends cleanly' job_stop card
tap_done
