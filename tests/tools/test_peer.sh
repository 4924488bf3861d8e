#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two peers, joined by a bridge where the card would be, reach each other through VXLAN; nothing is left behind. Needs root.
set -u
. tests/e2e/tap.sh
. tools/run/peer.sh

peer_possible || tap_skip_all 'network namespaces need root'

leftovers() {
    ip netns list | grep "cipu-$$-" || ip -o link | grep -E " (c$$|b$$)"
}

clean() {
    peer_remove_all
    ip link delete b$$ 2>/dev/null
}
trap clean EXIT

join() {
    peer_create left && peer_create right && ip link add b$$ type bridge && ip link set b$$ up &&
        ip link set "$(peer_port left)" master b$$ && ip link set "$(peer_port right)" master b$$
}

no_offloads() {
    ! ethtool -k "$(peer_port left)" | grep -E '^(tx-checksumming|tcp-segmentation-offload|generic-.*-offload): on'
}

# The server counts only what has arrived when the client's end message overtakes the rest on the control connection.
transfers() {
    peer_exec left iperf3 -c "$1" -n 1M -J | python3 -c '
import json, sys
end = json.load(sys.stdin)["end"]
sys.exit(not (end["sum_sent"]["bytes"] >= 1000000 and end["sum_received"]["bytes"] > 0))'
}

check 'two peers on a bridge' join
check 'offloads are off' no_offloads
peer_vxlan left 100 192.0.2.1/24 192.0.2.2 10.9.0.1/24 && peer_vxlan right 100 192.0.2.2/24 192.0.2.1 10.9.0.2/24
check 'ping through VXLAN over IPv4' peer_exec left ping -c 2 -i 0.2 -W 5 10.9.0.2
check 'a full-sized packet passes unfragmented' peer_exec left ping -c 1 -W 5 -M "do" -s 1422 10.9.0.2
peer_vxlan left 101 2001:db8::1/64 2001:db8::2 10.8.0.1/24 fd00::1/64 &&
    peer_vxlan right 101 2001:db8::2/64 2001:db8::1 10.8.0.2/24 fd00::2/64
check 'ping through VXLAN over IPv6' peer_exec left ping -c 2 -i 0.2 -W 5 fd00::2
peer_iperf3 right
check 'TCP through VXLAN over IPv4' transfers 10.9.0.2
check 'TCP through VXLAN over IPv6' transfers fd00::2
clean
check_not 'nothing is left' leftovers
tap_done
