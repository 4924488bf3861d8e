#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 1200
#
# An unmodified Debian boots from a volume of the card by the firmware's own NVMe driver, and keeps what it wrote over a reboot.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
[ "$(id -u)" = 0 ] || tap_skip_all 'needs root to make a disk with Debian'

check 'a disk with Debian is made' make --no-print-directory SETUP=0 build/boot/disk.img
check 'Debian boots from NVMe, reboots, and finds its file again' tools/boot/run --card native
check_not 'a wrong option is refused' tools/boot/run --card none
tap_done
