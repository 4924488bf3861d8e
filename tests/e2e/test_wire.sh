#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
#
# What the card puts on the wire, as tshark reads it: outer headers, checksums of every layer, VNI, source port. And the
# overlay's services as the guest sees them: gateway, routing, TTL, an unreachable destination, both inner families.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh
. tools/run/job.sh
peer_possible || tap_skip_all 'needs root and the VXLAN device'

# overlay UNDERLAY CARD PEER LENGTH: leaves $work/UNDERLAY.{console,pcap}
overlay() {
    local underlay=$1 card=$2 peer=$3 length=$4
    peer_create "$underlay" &&
        peer_vxlan "$underlay" 100 "$peer/$length" "$card" 10.0.0.2/24 fd00::2/64 &&
        peer_exec "$underlay" ip link set vxlan100 address 02:00:00:00:00:02 &&
        peer_exec "$underlay" ip address add 10.0.1.2/24 dev lo &&
        peer_iperf3 "$underlay" || return
    cat >"$work/$underlay.yaml" <<END
card: "$job_card:wire?port0=packet:$(peer_port "$underlay")"
rpc: $work/$underlay.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:02:01", ip$underlay: "$card/$length"}
vpcs:
  - {name: blue, vni: 100, mac: "02:00:00:00:00:fe", gateways: [10.0.0.254/24, "fd00::fe/64"]}
functions:
  - {id: 1, name: guest, vpc: blue, mac: "02:00:00:00:00:01", addresses: [10.0.0.1, "fd00::1"], socket: $work/$underlay.vfio}
routes:
  - {vpc: blue, prefix: 10.0.0.2/32, via: "$peer", mac: "02:00:00:00:00:02"}
  - {vpc: blue, prefix: 10.0.1.0/24, via: "$peer", mac: "02:00:00:00:00:02"}
  - {vpc: blue, prefix: "fd00::2/128", via: "$peer"}
END
    peer_start "$underlay" "$work/$underlay.tcpdump" tcpdump -i underlay -w "$work/$underlay.pcap" -U -B 16384 -Q in
    local tcpdump=${peer_processes[-1]}
    job_daemon "$underlay" "$work/$underlay.yaml" &&
        job_guest "$underlay" tests/e2e/overlay-script -s "$work/$underlay.vfio" &&
        job_wait "$underlay"
    sleep 0.3
    kill -INT "$tcpdump" && wait "$tcpdump"
    job_stop "$underlay"
}

# read_capture UNDERLAY FILTER [OPTION]...: all checksums are verified, also of what lies inside the tunnel.
read_capture() {
    local capture=$work/$1.pcap filter=$2
    shift 2
    tshark -n -r "$capture" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE \
        -Y "$filter" "$@" 2>/dev/null
}
some() { [ -n "$(read_capture "$1" "$2" | head -n 1)" ]; }
none() { # shows the first frames that it should not find
    local found
    found=$(read_capture "$1" "$2" -V | head -n 150)
    [ -z "$found" ] || { echo "$found"; return 1; }
}
# outer UNDERLAY FIELD: the values that a field of the outer headers has.
outer() {
    read_capture "$1" vxlan -T fields -E occurrence=f -e "$2" | sort -u
}

job_begin
for case in 'v4 192.0.2.1 192.0.2.2 24' 'v6 2001:db8::1 2001:db8::2 64'; do
    read -r underlay card peer length <<<"$case"
    overlay "$underlay" "$card" "$peer" "$length" >"$work/$underlay.out" 2>&1
    for name in neighbour neighbour6 gateway gateway6 routed large fragmented tcp tcp_reverse udp tcp6 ttl traceroute unreachable; do
        result=$(job_result "$underlay" "$name")
        tap_result "$([ "$result" = ok ]; echo $?)" "$underlay underlay: guest: $name"
    done
    grep -q '^CIPU-RESULT .* failed' "$work/$underlay.console" &&
        tail -n 100 "$work/$underlay.out" "$work/$underlay.log" "$work/$underlay.console" | sed 's/^/# /'
    check "$underlay underlay: VXLAN is on the wire" some "$underlay" "vxlan.vni == 100"
    check "$underlay underlay: only VNI 100" none "$underlay" "vxlan && vxlan.vni != 100"
    check "$underlay underlay: all IPv4 header checksums are right" none "$underlay" "ip.checksum.status == Bad"
    check "$underlay underlay: all UDP checksums are right" none "$underlay" "udp.checksum.status == Bad"
    check "$underlay underlay: all TCP checksums are right" none "$underlay" "tcp.checksum.status == Bad"
    check "$underlay underlay: all ICMP checksums are right" none "$underlay" "icmp.checksum.status == Bad || icmpv6.checksum.status == Bad"
    check "$underlay underlay: nothing malformed" none "$underlay" "_ws.malformed || _ws.short"
    outer "$underlay" udp.srcport >"$work/ports"
    check "$underlay underlay: source ports are dynamic" test "$(sort -n "$work/ports" | head -n 1)" -ge 49152
    check "$underlay underlay: several source ports" test "$(wc -l <"$work/ports")" -gt 3
    check "$underlay underlay: inner source MAC is the function's or the gateway's" \
        none "$underlay" "vxlan && !(eth.src == 02:00:00:00:00:01 || eth.src == 02:00:00:00:00:fe)"
    if [ "$underlay" = v4 ]; then
        check 'v4 underlay: outer DF is set' test "$(outer v4 ip.flags.df)" = 1
        check 'v4 underlay: outer TTL is 64' test "$(outer v4 ip.ttl)" = 64
    fi
done
tap_done
