#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# Two guests in two VPCs with the same addresses, on one card: each reaches its own peer and neither reaches the other.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh
. tools/run/job.sh
peer_possible || tap_skip_all 'needs root and the VXLAN device'

# The peer of each VPC has the address 10.0.0.2 too: in a namespace of its own, its VXLAN device on the common underlay.
peer_of() { # COLOUR VNI
    peer_create "$1" &&
        ip -n "$(peer_namespace wire)" link set "vxlan$2" netns "$(peer_namespace "$1")" &&
        peer_exec "$1" ip link set "vxlan$2" up &&
        peer_address "$1" "vxlan$2" 10.0.0.2/24 &&
        peer_start "$1" "$work/$1.greeting" busybox nc -ll -p 7 -e echo "$1"
}

setup() {
    peer_create wire &&
        peer_vxlan wire 100 192.0.2.2/24 192.0.2.1 && peer_vxlan wire 200 192.0.2.2/24 192.0.2.1 &&
        peer_of blue 100 && peer_of red 200 || return
    cat >"$work/card.yaml" <<END
card: "$job_card:tenants?port0=packet:$(peer_port wire)"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:02:01", ipv4: 192.0.2.1/24}
vpcs:
  - {name: blue, vni: 100, mac: "02:00:00:00:00:fe", gateways: [10.0.0.254/24]}
  - {name: red, vni: 200, mac: "02:00:00:00:00:fe", gateways: [10.0.0.254/24]}
functions:
  - {id: 1, name: blue, vpc: blue, mac: "02:00:00:00:00:01", addresses: [10.0.0.1, 10.0.0.11], socket: $work/blue.vfio}
  - {id: 2, name: red, vpc: red, mac: "02:00:00:00:00:01", addresses: [10.0.0.1, 10.0.0.12], socket: $work/red.vfio}
routes:
  - {vpc: blue, prefix: 10.0.0.2/32, via: 192.0.2.2}
  - {vpc: red, prefix: 10.0.0.2/32, via: 192.0.2.2}
END
    job_daemon card "$work/card.yaml"
}

# Both have 10.0.0.1; blue also has .11 and red .12, which the other must not reach, not even with the MAC given.
guest_script() { # OWN-EXTRA OTHER-EXTRA
    cat <<END
ip link set eth0 up
ip address add 10.0.0.1/24 dev eth0
ip address add 10.0.0.$1/24 dev eth0
ping -c 5 -W 2 10.0.0.2 >/run/out 2>&1 && echo CIPU-RESULT peer ok || cat /run/out
echo CIPU-RESULT greeting \$(nc -w 5 10.0.0.2 7 </dev/null)
ping -c 3 -W 1 10.0.0.$2 >/run/out 2>&1 && echo CIPU-RESULT other reached || echo CIPU-RESULT other unreachable
ip neighbour replace 10.0.0.$2 lladdr 02:00:00:00:00:01 dev eth0
ping -c 3 -W 1 10.0.0.$2 >/run/out 2>&1 && echo CIPU-RESULT forced reached || echo CIPU-RESULT forced unreachable
# A source address that is not its own.
ip address add 10.0.0.77/24 dev eth0
ping -c 2 -W 1 -I 10.0.0.77 10.0.0.2 >/run/out 2>&1 && echo CIPU-RESULT spoofed passed || echo CIPU-RESULT spoofed dropped
END
}

job_begin
check 'two VPCs, two peers with one address' setup
guest_script 11 12 >"$work/blue.script"
guest_script 12 11 >"$work/red.script"
for colour in blue red; do
    job_guest "$colour" "$work/$colour.script" -s "$work/$colour.vfio" -m 192
done
for colour in blue red; do
    job_wait "$colour"
    check "$colour: the guest's script ended" grep -q '^CIPU-GUEST-EXIT 0' "$work/$colour.console"
    check "$colour: reaches its own peer" test "$(job_result "$colour" peer)" = ok
    check "$colour: the peer is its VPC's" test "$(job_result "$colour" greeting)" = "$colour"
    check "$colour: does not reach the other VPC's guest" test "$(job_result "$colour" other)" = unreachable
    check "$colour: not even with its MAC address given" test "$(job_result "$colour" forced)" = unreachable
    check "$colour: a spoofed source address is dropped" test "$(job_result "$colour" spoofed)" = dropped
done
tap_done
