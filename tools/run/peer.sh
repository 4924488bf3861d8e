# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Linux as the other end: a network namespace joined to the host by a veth, with the kernel's own VXLAN devices in it.
# For bash scripts that run as root:
#
#   . tools/run/peer.sh
#   trap peer_remove_all EXIT
#   peer_create a                                             # the card's port is then: packet:$(peer_port a)
#   peer_vxlan a 100 192.0.2.1/24 192.0.2.2 10.0.0.1/24       # VNI, own underlay address, remote VTEP, overlay addresses
#   peer_iperf3 a
#   peer_exec a ping -c 1 10.0.0.2
#
# Names of interfaces and namespaces carry the process id, so that several scripts can run at once.

peer_names=()
peer_processes=()

# peer_possible: whether this process may create network namespaces, and the kernel has VXLAN.
peer_possible() {
    [ "$(id -u)" = 0 ] && unshare --net ip link add possible type vxlan id 1 dstport 4789 2>/dev/null
}

# peer_namespace NAME, peer_port NAME: the namespace, and the veth's end that stays with the host.
peer_namespace() {
    echo "cipu-$$-$1"
}

peer_port() {
    # An interface's name has at most 15 characters.
    echo "c$$${1:0:7}"
}

# peer_exec NAME COMMAND...
peer_exec() {
    local name=$1
    shift
    ip netns exec "$(peer_namespace "$name")" "$@"
}

# peer_create NAME [MTU]: a namespace whose interface `underlay` is joined to the host's $(peer_port NAME).
peer_create() {
    local name=$1 mtu=${2:-1500} namespace port
    namespace=$(peer_namespace "$name")
    port=$(peer_port "$name")
    peer_names+=("$name")
    ip netns add "$namespace" || return
    # Duplicate address detection would hold addresses back for a second or two.
    peer_exec "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 || return
    ip link add "$port" mtu "$mtu" type veth peer name underlay mtu "$mtu" netns "$namespace" || return
    # The host must not speak on the card's port, and a packet socket must see finished packets and checksums.
    sysctl -qw "net.ipv6.conf.$port.disable_ipv6=1" || return
    ethtool -K "$port" rx off tx off tso off gso off gro off >/dev/null || return
    peer_exec "$name" ethtool -K underlay rx off tx off tso off gso off gro off >/dev/null || return
    ip link set "$port" up || return
    ip -n "$namespace" link set lo up || return
    ip -n "$namespace" link set underlay up
}

# peer_address NAME DEVICE ADDRESS/LENGTH
peer_address() {
    case $3 in
    *:*) ip -n "$(peer_namespace "$1")" address replace "$3" dev "$2" nodad ;;
    *) ip -n "$(peer_namespace "$1")" address replace "$3" dev "$2" ;;
    esac
}

# peer_vxlan NAME VNI LOCAL/LENGTH REMOTE OVERLAY/LENGTH...: a VXLAN device `vxlanVNI` (port 4789) over IPv4 or IPv6;
# its MTU leaves room for the outer headers.
peer_vxlan() {
    local name=$1 vni=$2 local=$3 remote=$4 namespace overhead=50 device zero_checksum=()
    shift 4
    namespace=$(peer_namespace "$name")
    device=vxlan$vni
    if [[ $remote == *:* ]]; then
        overhead=70
        zero_checksum=(udp6zerocsumtx udp6zerocsumrx)
    fi
    peer_address "$name" underlay "$local" || return
    local mtu
    mtu=$(peer_exec "$name" cat /sys/class/net/underlay/mtu)
    ip -n "$namespace" link add "$device" mtu $((mtu - overhead)) type vxlan id "$vni" local "${local%/*}" \
        remote "$remote" dev underlay dstport 4789 "${zero_checksum[@]}" || return
    ip -n "$namespace" link set "$device" up || return
    local address
    for address in "$@"; do
        peer_address "$name" "$device" "$address" || return
    done
}

# peer_start NAME LOG COMMAND...: runs COMMAND in the namespace until peer_remove_all.
peer_start() {
    local name=$1 log=$2
    shift 2
    # setpriv: the process ends with the script even if that is killed.
    setpriv --pdeathsig KILL ip netns exec "$(peer_namespace "$name")" "$@" >"$log" 2>&1 </dev/null &
    peer_processes+=($!)
}

# peer_iperf3 NAME [LOG]: an iperf3 server that listens when this returns.
peer_iperf3() {
    peer_start "$1" "${2:-/dev/null}" iperf3 -s
    local try
    for try in {1..50}; do
        [ -z "$(peer_exec "$1" ss -Hltn 'sport = :5201')" ] || return 0
        sleep 0.1
    done
    echo "peer $1: iperf3 does not listen after $((try / 10)) s" >&2
    return 1
}

# peer_remove_all: ends what was started and removes what was made.
peer_remove_all() {
    local process name
    for process in "${peer_processes[@]}"; do
        kill "$process" 2>/dev/null && wait "$process" 2>/dev/null
    done
    for name in "${peer_names[@]}"; do
        # Destroying the veth here takes effect at once; with the namespace alone it would linger.
        ip link delete "$(peer_port "$name")" 2>/dev/null
        ip netns delete "$(peer_namespace "$name")" 2>/dev/null
    done
    peer_processes=()
    peer_names=()
}
