#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 600
#
# The main job in all its forms: IPv4 and IPv6 underlay, private guest memory, an emulated IOMMU, and without root a second card.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh

if peer_possible; then
    check 'guest and Linux VXLAN peer, IPv4 underlay' tools/run/run --underlay 4 --seconds 2 --disk 8 --disk-reads 500
    check 'guest and Linux VXLAN peer, IPv6 underlay' tools/run/run --underlay 6 --seconds 2 --disk 0
    check 'guest with private memory, by messages' tools/run/run --private --seconds 2 --udp-rate 2M
    check 'guest behind an emulated IOMMU' tools/run/run --iommu --seconds 2 --udp-rate 2M --disk 2 --disk-reads 50
    check 'nothing is left: namespaces' test -z "$(ip netns list | grep "^cipu-$$-")"
fi
check 'two cards joined by a cable, a guest on each' tools/run/run --peer card --seconds 2 --disk 0
check_not 'a wrong option is refused' tools/run/run --underlay 5
tap_done
