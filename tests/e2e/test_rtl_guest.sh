#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 600
#
# The main job on the card whose kernels are modules, in all its forms.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh
peer_possible || tap_skip_all 'needs root and the VXLAN device'

rtl_job() {
    tools/run/run --card rtl --seconds 2 --udp-rate 2M "$@"
}

check 'guest and Linux VXLAN peer, IPv4 underlay' rtl_job --underlay 4
check 'guest and Linux VXLAN peer, IPv6 underlay' rtl_job --underlay 6 --disk 0
check 'guest with private memory, by messages' rtl_job --private
check 'guest behind an emulated IOMMU' rtl_job --iommu --disk 0
check 'two cards joined by a cable, a guest on each' rtl_job --peer card --disk 0
check 'nothing is left: namespaces' test -z "$(ip netns list | grep "^cipu-$$-")"
check_not 'a card of another kind is refused' tools/run/run --card tin
tap_done
