#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The guest runs a script with what it needs, its status comes back, and it ends with its launcher.
set -u
. tests/e2e/tap.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

boot() { # SCRIPT STATUS OPTION...: the guest's script ends with STATUS
    printf '%s\n' "$1" >"$scratch/script"
    local expected=$2
    shift 2
    tools/guest/boot -r "$scratch/script" -l "$scratch/console" "$@"
    local status=$?
    cat "$scratch/console"
    [ "$status" = "$expected" ]
}

printf '#!/bin/sh\necho passed-by-fw-cfg\n' >"$scratch/file"

check "the script's status comes back" boot 'exit 7' 7
# shellcheck disable=SC2016  # the guest's shell expands these
check 'a file is passed, and the tools are the real ones' boot '
    /root/tool | grep -q passed-by-fw-cfg || exit 10
    timeout 5 ip -V | grep -q iproute2 || exit 11
    iperf3 --version >/dev/null && ethtool --version >/dev/null && tcpdump --version >/dev/null || exit 12
    for name in vxlan vfio-pci nvme-tcp; do modprobe $name || exit 13; done' 0 -f tool="$scratch/file"
check 'private memory behind an IOMMU' boot 'ls /sys/class/iommu | grep -q dmar' 0 -i -p -m 512 -c 2
check 'a guest that hangs is ended' boot 'sleep 1000' 124 -t 6
check 'a panic is no success' boot 'echo c >/proc/sysrq-trigger' 125

qemu_of() { # PID: whether a QEMU descends from the launcher
    pgrep -P "$(pgrep -P "$1")"
}

ends_with_launcher() {
    echo 'sleep 1000' >"$scratch/script"
    tools/guest/boot -r "$scratch/script" -l "$scratch/console" &
    local launcher=$! qemu='' try
    for try in {1..50}; do
        qemu=$(qemu_of "$launcher") && break
        sleep 0.1
    done
    kill -KILL "$launcher"
    wait "$launcher"
    for try in {1..50}; do
        [ -n "$qemu" ] && ! kill -0 "$qemu" 2>/dev/null && return 0
        sleep 0.1
    done
    echo "QEMU ${qemu:-not seen} after $((try / 10)) s" >&2
    return 1
}
check 'QEMU ends with a killed launcher' ends_with_launcher
tap_done
