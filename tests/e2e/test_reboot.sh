#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 400
#
# A guest reboots by itself, and is reset from outside, both under traffic: each time it comes back with a virtio-net that works.
# The same QEMU, connection and daemon serve all its lives.
cd "$(dirname "$0")/../.." || exit
. tests/e2e/tap.sh
. tools/run/peer.sh
. tools/run/job.sh
peer_possible || tap_skip_all 'needs root and the VXLAN device'

setup() {
    peer_create wire && peer_vxlan wire 100 192.0.2.2/24 192.0.2.1 10.0.0.2/24 && peer_iperf3 wire || return
    # The guest forgets: its peer counts its lives, one connection each.
    cat >"$work/life" <<END
#!/bin/sh
echo life >>$work/lives
exec wc -l <$work/lives
END
    chmod +x "$work/life"
    peer_start wire "$work/counter.log" busybox nc -ll -p 7 -e "$work/life"
    cat >"$work/card.yaml" <<END
card: "$job_card:reboot?port0=packet:$(peer_port wire)"
rpc: $work/card.rpc
ports:
  - {id: 0, mode: uplink, mac: "02:00:00:00:02:01", ipv4: 192.0.2.1/24}
vpcs:
  - {name: blue, vni: 100, mac: "02:00:00:00:00:fe", gateways: [10.0.0.254/24]}
functions:
  - {id: 1, name: guest, vpc: blue, mac: "02:00:00:00:00:01", addresses: [10.0.0.1], socket: $work/guest.vfio}
routes:
  - {vpc: blue, prefix: 10.0.0.2/32, via: 192.0.2.2}
END
    job_daemon card "$work/card.yaml"
}

# Life 1 ends with `reboot -f` amid traffic both ways, life 2 by the host's hand, life 3 ends well.
guest_script() {
    cat <<'END'
ip link set eth0 up
ip address add 10.0.0.1/24 dev eth0
ping -c 5 -i 0.2 -W 2 10.0.0.2 >/run/out 2>&1 && ping=ok || ping=failed
life=$(nc -w 10 10.0.0.2 7 </dev/null)
echo CIPU-RESULT "ping$life" $ping
if [ "$life" != 3 ]; then
    iperf3 -c 10.0.0.2 -t 300 --bidir >/run/iperf 2>&1 &
    # In full flow: both counters move on.
    for counter in tx rx; do
        while [ "$(cat /sys/class/net/eth0/statistics/${counter}_packets)" -lt 2000 ]; do sleep 0.1; done
    done
    echo CIPU-RESULT "traffic$life" ok
    [ "$life" != 1 ] || reboot -f
    sleep 300
fi
iperf3 -c 10.0.0.2 -t 2 >/run/iperf 2>&1 && echo CIPU-RESULT iperf ok || cat /run/iperf
iperf3 -c 10.0.0.2 -t 2 -R >/run/iperf 2>&1 && echo CIPU-RESULT reverse ok || cat /run/iperf
! dmesg | grep -E 'BUG|Oops|virtio.*(error|failed)|NETDEV WATCHDOG'
END
}

qmp() { # COMMAND
    python3 - "$work/qmp" "$1" <<'END'
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
connection.connect(sys.argv[1])
stream = connection.makefile("rw")
stream.readline()
for command in ("qmp_capabilities", sys.argv[2]):
    stream.write(json.dumps({"execute": command}) + "\n")
    stream.flush()
    while "return" not in json.loads(stream.readline()):
        pass
END
}

# iperf3's server serves one client at a time and may wait long for the one that the reset cut off.
fresh_iperf3() {
    peer_exec wire busybox killall iperf3
    peer_iperf3 wire
}

connections() {
    "$job_bin/cipu" --socket "$work/card.rpc" --json stats |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["functions"][0]["connections"])'
}

job_begin
check 'cipud and the peer start' setup
guest_script >"$work/script"
job_guest guest "$work/script" -s "$work/guest.vfio" -m 192 -t 300 -- \
    -action reboot=reset -qmp "unix:$work/qmp,server=on,wait=off"
check 'life 1: traffic both ways' job_await guest 'CIPU-RESULT traffic1 ok' 90
check 'a fresh iperf3 server' fresh_iperf3
check 'life 2, after reboot -f in the guest: traffic both ways' job_await guest 'CIPU-RESULT traffic2 ok' 90
check 'the guest is reset from outside' qmp system_reset
check 'a fresh iperf3 server' fresh_iperf3
job_wait guest
tap_result $? 'life 3: the script ends well, without a complaint of the kernel'
for key in ping1 ping2 ping3 iperf reverse; do
    check "$key" test "$(job_result guest "$key")" = ok
done
check 'one connection served all lives' test "$(connections)" = 1
tap_done
