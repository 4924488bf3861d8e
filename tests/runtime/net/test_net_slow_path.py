#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The slow path's decisions and packets, built and read by scapy."""

import os
import random
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPOption_NOP, IPv6, IPv6ExtHdrFragment, Raw)
from scapy.layers.inet import IPOption_Timestamp, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded

from slow_path_client import (CONTROL, DECREMENT_TTL, DONT_FRAGMENT, KEEP_UNTAGGED, MISS, MTU, OPTIONS, SET_DESTINATION,
                              SET_SOURCE, TTL, SlowPath, vxlan)

PORT, PEER, GATEWAY = "02:aa:00:00:00:01", "02:bb:00:00:00:02", "02:cc:00:00:00:fe"
G0, G1, G2 = "02:00:00:00:00:00", "02:00:00:00:00:01", "02:00:00:00:00:02"
FAR, FAR6 = "02:dd:00:00:00:05", "02:dd:00:00:00:06"
BOTH = SET_SOURCE | SET_DESTINATION | KEEP_UNTAGGED
ZERO = "00:00:00:00:00:00"


def network(*more):
    """Two functions in VPC red, one in blue with the same addresses, a peer over IPv4 and one over IPv6."""
    path = SlowPath()
    path.configure(
        f"uplink 0 {PORT} 1500 192.0.2.1/24 2001:db8::1/64 192.0.2.254 2001:db8::fe",
        f"vpc red 100 {GATEWAY} 0 10.0.0.254/24 10.9.0.254/24 fd00::fe/64",
        f"vpc blue 200 {GATEWAY} 0 10.0.0.254/24",
        f"function 0 g0 red {G0} 10.0.0.1 fd00::1",
        f"function 1 g1 red {G1} 10.0.0.2 10.9.0.2 fd00::2",
        f"function 2 g2 blue {G2} 10.0.0.1 10.0.0.2",
        f"route red 10.0.0.5 192.0.2.5 {FAR}",
        "route red 10.0.0.6 192.0.2.5 -",
        f"route red 10.5.0.0/16 192.0.2.5 {FAR}",
        f"route red 10.5.5.0/24 198.51.100.9 {FAR6}",
        f"route red fd00::5 2001:db8::5 {FAR}",
        "route red 10.7.0.0/16 192.0.2.5 -",
        f"route red fd05::/16 2001:db8::5 {FAR}",
        *more)
    return path


def reply_arp(path, address="192.0.2.5", mac=PEER, port=0):
    return path.punt(Ether(src=mac, dst=PORT) / ARP(op=2, hwsrc=mac, psrc=address, hwdst=PORT, pdst="192.0.2.1"),
                     f"port {port}", CONTROL)


def reply_nd(path, address="2001:db8::5", mac=PEER):
    return path.punt(Ether(src=mac, dst=PORT) / IPv6(src=address, dst="2001:db8::1", hlim=255) /
                     ICMPv6ND_NA(tgt=address, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac), "port 0", CONTROL)


def udp(source="10.0.0.1", destination="10.0.0.2", size=32, smac=G0, dmac=G1, sport=1000, **ip):
    network_layer = IPv6(src=source, dst=destination, **ip) if ":" in source else IP(src=source, dst=destination, **ip)
    return Ether(src=smac, dst=dmac) / network_layer / UDP(sport=sport, dport=2000) / Raw((bytes(range(256)) * (size // 256 + 1))[:size])


def rebuilt(packet):
    """The packet with all lengths and checksums computed by scapy: equal to the original if they were right."""
    copy = Ether(bytes(packet))
    layer = copy
    while layer:
        for field in ("chksum", "cksum", "len", "plen"):
            if field in getattr(layer, "fields", {}) and not isinstance(layer, ARP):
                delattr(layer, field)
        if isinstance(layer, IP) and (int(layer.flags) & 1 or layer.frag):
            break
        layer = layer.payload if layer.payload else None
        if layer is not None and type(layer).__name__ in ("IPerror", "IPerror6", "Raw", "Padding"):
            break
    return bytes(copy)


def check_bytes(injected):
    assert rebuilt(injected.packet) == injected.data, (injected.data.hex(), rebuilt(injected.packet).hex())


def one(injected):
    assert len(injected) == 1, injected
    return injected[0]


def changed(path, before, **expected):
    after = path.statistics()
    actual = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert actual == expected, (actual, expected)


def test_the_check_itself():
    """check_bytes notices a wrong checksum and a wrong length."""
    packet = udp()
    for layer, field in ((IP, "chksum"), (IP, "len"), (UDP, "chksum"), (UDP, "len")):
        wrong = Ether(bytes(packet))
        setattr(wrong[layer], field, getattr(wrong[layer], field) ^ 1)
        assert rebuilt(Ether(bytes(wrong))) != bytes(wrong)
    assert rebuilt(Ether(bytes(packet))) == bytes(packet)


# ---- decisions ----

def test_local_bridged():
    path = network()
    packet = udp()
    sent = one(path.punt(packet))
    assert (sent.source, sent.source_id, sent.data) == ("function", 0, bytes(packet))
    action = sent.action
    assert (action.kind, action.destination, action.id, action.mtu) == ("forward", "function", 1, 1430)
    assert (action.flags, action.source_mac, action.destination_mac) == (BOTH, G0, G1)
    assert vars(path.lookup(packet)) == vars(action)
    assert path.lookup(packet, "function 1") is None
    assert path.lookup(udp(sport=1001)) is None
    stats = path.statistics()
    assert stats["flows"] == 1 and stats["installed"] == 1 and stats["misses"] == 1


def test_local_routed():
    path = network()
    packet = udp(destination="10.9.0.2", dmac=GATEWAY)
    action = one(path.punt(packet)).action
    assert (action.kind, action.id, action.flags) == ("forward", 1, BOTH | DECREMENT_TTL)
    assert (action.source_mac, action.destination_mac) == (GATEWAY, G1)


def test_local_ipv6():
    path = network()
    action = one(path.punt(udp("fd00::1", "fd00::2"))).action
    assert (action.kind, action.id, action.flags) == ("forward", 1, BOTH)


def test_same_flow_once():
    path = network()
    path.punt(udp())
    before = path.statistics()
    assert one(path.punt(udp())).action.kind == "forward"
    changed(path, before, misses=1)


def test_tunnel_waits_for_arp():
    path = network()
    packets = [udp(destination="10.5.0.1", dmac=GATEWAY, sport=port) for port in range(1000, 1006)]
    asked = one(path.punt(packets[0]))
    assert (asked.action.kind, asked.action.destination, asked.action.id) == ("forward", "port", 0)
    assert asked.data == bytes(Ether(src=PORT, dst="ff:ff:ff:ff:ff:ff") /
                               ARP(op=1, hwsrc=PORT, psrc="192.0.2.1", hwdst=ZERO, pdst="192.0.2.5"))
    for packet in packets[1:]:
        assert path.punt(packet) == []
    before = path.statistics()
    assert before["unresolved"] == 2 # four wait, the oldest went
    sent = reply_arp(path)
    assert [item.data for item in sent] == [bytes(packet) for packet in packets[2:]]
    action = sent[0].action
    assert (action.kind, action.destination, action.id, action.vni) == ("vxlan4", "port", 0, 100)
    assert (action.remote, action.outer_mac, action.ttl, action.mtu) == ("192.0.2.5", PEER, 64, 1430)
    assert action.flags == BOTH | DECREMENT_TTL | DONT_FRAGMENT
    assert (action.source_mac, action.destination_mac) == (GATEWAY, FAR)
    assert path.lookup(packets[5]).kind == "vxlan4"
    assert one(path.punt(packets[0])).action.kind == "vxlan4"


def test_longest_prefix_and_gateway():
    path = network()
    asked = one(path.punt(udp(destination="10.5.5.1", dmac=GATEWAY)))
    assert asked.packet[ARP].pdst == "192.0.2.254"
    action = one(reply_arp(path, "192.0.2.254", "02:bb:00:00:00:fe")).action
    assert (action.remote, action.outer_mac, action.destination_mac) == ("198.51.100.9", "02:bb:00:00:00:fe", FAR6)


def test_tunnel_over_ipv6():
    path = network()
    asked = one(path.punt(udp("fd00::1", "fd05::1", dmac=GATEWAY)))
    expected = (Ether(src=PORT, dst="33:33:ff:00:00:05") / IPv6(src="2001:db8::1", dst="ff02::1:ff00:5", hlim=255) /
                ICMPv6ND_NS(tgt="2001:db8::5") / ICMPv6NDOptSrcLLAddr(lladdr=PORT))
    assert asked.data == bytes(expected)
    action = one(reply_nd(path)).action
    assert (action.kind, action.remote, action.outer_mac, action.mtu) == ("vxlan6", "2001:db8::5", PEER, 1430)
    assert action.source_mac == GATEWAY and action.flags & DECREMENT_TTL


def test_mtu_by_underlay():
    path = SlowPath()
    path.configure(f"uplink 0 {PORT} 1600 192.0.2.1/24 - - -", f"vpc red 100 {GATEWAY} 0", f"vpc small 101 {GATEWAY} 1300")
    assert path.command("mtu red") == ["1550"]
    assert path.command("mtu small") == ["1300"]
    path.configure(f"uplink 0 {PORT} 1600 192.0.2.1/24 2001:db8::1/64 - -")
    assert path.command("mtu red") == ["1530"]


def test_host_route_bridged():
    path = network()
    path.punt(udp(destination="10.0.0.5", dmac=FAR))
    action = one(reply_arp(path)).action
    assert (action.source_mac, action.destination_mac, action.flags) == (G0, FAR, BOTH | DONT_FRAGMENT)


def test_bridged_without_route_mac():
    path = network()
    path.punt(udp(destination="10.0.0.6", dmac="02:77:00:00:00:07"))
    action = one(reply_arp(path)).action
    assert (action.source_mac, action.destination_mac) == (G0, "02:77:00:00:00:07")


def test_routed_without_route_mac():
    """The VPC's gateway asks for the host through the tunnel."""
    path = network()
    packet = udp(destination="10.7.0.9", dmac=GATEWAY)
    assert one(path.punt(packet)).packet[ARP].pdst == "192.0.2.5"
    asked = one(reply_arp(path))
    assert (asked.action.kind, asked.action.vni, asked.action.remote) == ("vxlan4", 100, "192.0.2.5")
    assert asked.data == bytes(Ether(src=GATEWAY, dst="ff:ff:ff:ff:ff:ff") /
                               ARP(op=1, hwsrc=GATEWAY, psrc="10.0.0.254", hwdst=ZERO, pdst="10.7.0.9"))
    answer = Ether(src="02:99:00:00:00:09", dst=GATEWAY) / ARP(op=2, hwsrc="02:99:00:00:00:09", psrc="10.7.0.9",
                                                              hwdst=GATEWAY, pdst="10.0.0.254")
    assert path.punt(vxlan(answer, "198.51.100.9", "192.0.2.1", 100), "port 0", CONTROL) == [] # another endpoint lies
    sent = one(path.punt(vxlan(answer, "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL))
    assert sent.data == bytes(packet)
    assert (sent.action.destination_mac, sent.action.source_mac) == ("02:99:00:00:00:09", GATEWAY)


def test_no_route():
    path = network()
    before = path.statistics()
    packet = udp(destination="172.16.0.1", dmac=GATEWAY)
    answer = one(path.punt(packet))
    check_bytes(answer)
    icmp = answer.packet[ICMP]
    assert (icmp.type, icmp.code, answer.packet[IP].src, answer.packet[IP].dst) == (3, 0, "10.0.0.254", "10.0.0.1")
    assert bytes(icmp.payload) == bytes(packet[IP])
    assert (answer.action.kind, answer.action.destination, answer.action.id) == ("forward", "function", 0)
    changed(path, before, misses=1, no_route=1, icmp=1)
    answer = one(path.punt(udp("fd00::1", "fd99::1", dmac=GATEWAY)))
    check_bytes(answer)
    assert (answer.packet[ICMPv6DestUnreach].code, answer.packet[IPv6].src) == (0, "fd00::fe")
    assert path.punt(udp(destination="172.16.0.1", dmac=G1)) == [] # bridged: nobody's gateway was asked


def test_spoofed():
    path = network()
    before = path.statistics()
    for packet in (udp("10.0.0.2"), udp("10.0.0.9"), udp(smac=G1), udp("fd00::2", "fd00::1"), udp("0.0.0.0"),
                   udp("fe80::1", "fd00::2"), udp("10.0.0.2", "10.0.0.254", dmac=GATEWAY)):
        assert path.punt(packet) == []
        assert path.lookup(packet) is None
    changed(path, before, misses=7, spoofed=7)


def test_address_range():
    path = network(f"function 3 router red 02:00:00:00:00:03 10.77.0.0/16")
    action = one(path.punt(udp("10.77.3.4", "10.0.0.2", smac="02:00:00:00:00:03"), "function 3")).action
    assert action.id == 1
    assert one(path.punt(udp(destination="10.77.250.1", dmac=GATEWAY))).action.id == 3
    assert path.punt(udp("10.78.3.4", "10.0.0.2", smac="02:00:00:00:00:03"), "function 3") == []


def test_group_destinations():
    path = network()
    before = path.statistics()
    for packet in (udp(destination="255.255.255.255", dmac="ff:ff:ff:ff:ff:ff"), udp(destination="224.0.0.251", dmac="01:00:5e:00:00:fb"),
                   udp(destination="224.0.0.251"), udp("fd00::1", "ff02::fb", dmac="33:33:00:00:00:fb"),
                   udp(dmac="ff:ff:ff:ff:ff:ff"), Ether(src=G0, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)):
        assert path.punt(packet, reason=CONTROL) == []
    changed(path, before, other=6)


def test_junk():
    path = network()
    before = path.statistics()
    tagged = Ether(src=G0, dst=G1) / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP()
    for packet in (tagged, Ether(src=G0, dst=G1, type=0x88cc) / b"lldp", bytes(udp())[:20], bytes(udp())[:14], udp(destination="10.0.0.1")):
        assert path.punt(packet) == []
    assert path.punt(udp(), reason=OPTIONS) == []
    assert path.punt(udp(), "function 77") == []
    assert path.punt(udp(), "host 0") == []
    changed(path, before, misses=7, other=8)


def test_tenants_with_same_addresses():
    path = network(f"function 4 g4 blue 02:00:00:00:00:04 10.0.0.3")
    assert one(path.punt(udp())).action.id == 1
    packet = udp("10.0.0.3", "10.0.0.2", smac="02:00:00:00:00:04")
    assert one(path.punt(packet, "function 4")).action.id == 2
    assert path.lookup(packet) is None
    # What red reaches, blue does not: no route, neither bridged nor routed.
    assert path.punt(udp("10.0.0.3", "10.0.0.5", smac="02:00:00:00:00:04", dmac=FAR), "function 4") == []
    inner = udp("10.0.0.5", "10.0.0.1", smac=FAR, dmac=G2)
    assert path.punt(vxlan(inner, "192.0.2.5", "192.0.2.1", 200), "port 0") == []
    assert path.statistics()["spoofed"] == 1


# ---- from the tunnel ----

def test_decapsulate():
    path = network()
    packet = vxlan(udp("10.0.0.5", "10.0.0.1", smac=FAR, dmac=G0), "192.0.2.5", "192.0.2.1", 100)
    sent = one(path.punt(packet, "port 0"))
    assert (sent.source, sent.source_id, sent.data) == ("port", 0, bytes(packet))
    action = sent.action
    assert (action.kind, action.destination, action.id, action.flags) == ("decapsulate", "function", 0, BOTH)
    assert (action.source_mac, action.destination_mac) == (FAR, G0)
    assert path.lookup(packet, "port 0").kind == "decapsulate"


def test_decapsulate_routed_ipv6():
    path = network()
    packet = vxlan(udp("fd05::9", "fd00::2", smac=FAR, dmac=GATEWAY), "2001:db8::5", "2001:db8::1", 100)
    action = one(path.punt(packet, "port 0")).action
    assert (action.kind, action.id, action.flags) == ("decapsulate", 1, BOTH | DECREMENT_TTL)
    assert (action.source_mac, action.destination_mac) == (GATEWAY, G1)


def test_tunnel_refused():
    path = network()
    good = udp("10.0.0.5", "10.0.0.1", smac=FAR, dmac=G0)
    before = path.statistics()
    cases = (
        vxlan(good, "192.0.2.66", "192.0.2.1", 100),                                        # no endpoint of the VPC
        vxlan(udp("10.0.0.2", "10.0.0.1", smac=FAR, dmac=G0), "192.0.2.5", "192.0.2.1", 100),  # a local function's address
        vxlan(udp("10.0.0.254", "10.0.0.1", smac=FAR, dmac=G0), "192.0.2.5", "192.0.2.1", 100), # the gateway's
    )
    for packet in cases:
        assert path.punt(packet, "port 0") == []
    changed(path, before, misses=3, spoofed=3)
    before = path.statistics()
    assert path.punt(vxlan(good, "192.0.2.5", "192.0.2.1", 101), "port 0") == []               # no such VNI
    assert path.punt(vxlan(udp("10.0.0.5", "10.0.0.1", smac=FAR, dmac=G1), "192.0.2.5", "192.0.2.1", 100), "port 0") == []
    assert path.punt(vxlan(good, "192.0.2.5", "192.0.2.2", 100), "port 0") == []               # not our endpoint
    assert path.punt(vxlan(Ether(src=FAR, dst=G0) / Dot1Q(vlan=3) / good[IP], "192.0.2.5", "192.0.2.1", 100), "port 0") == []
    changed(path, before, misses=4, other=4)
    before = path.statistics()
    assert path.punt(vxlan(udp("10.0.0.5", "10.0.0.77", smac=FAR, dmac=G0), "192.0.2.5", "192.0.2.1", 100), "port 0") == []
    changed(path, before, misses=1, no_route=1)


def test_access_port():
    path = network("access 1 1")
    action = one(path.punt(udp())).action
    assert (action.kind, action.destination, action.id) == ("forward", "port", 1)
    packet = udp("10.0.0.2", "10.0.0.1", smac=G1, dmac=G0)
    assert one(path.punt(packet, "function 1")).action.destination == "function"


# ---- ARP and ND ----

def arp(target, source="10.0.0.1", mac=G0, op=1, hwsrc=None, dst="ff:ff:ff:ff:ff:ff"):
    return Ether(src=mac, dst=dst) / ARP(op=op, hwsrc=hwsrc or mac, psrc=source, hwdst=ZERO, pdst=target)


def ns(target, source="fd00::1", mac=G0, option=True, **ip):
    low = target.split(":")[-1]
    packet = (Ether(src=mac, dst="33:33:ff:00:00:%02x" % int(low, 16)) /
              IPv6(src=source, dst="ff02::1:ff00:%x" % int(low, 16), **{"hlim": 255, **ip}) / ICMPv6ND_NS(tgt=target))
    return packet / ICMPv6NDOptSrcLLAddr(lladdr=mac) if option else packet


def test_arp_answers():
    path = network()
    for target, mac in (("10.0.0.254", GATEWAY), ("10.0.0.2", G1), ("10.0.0.5", FAR), ("10.9.0.254", GATEWAY)):
        answer = one(path.punt(arp(target), reason=CONTROL))
        assert answer.data == bytes(Ether(src=mac, dst=G0) / ARP(op=2, hwsrc=mac, psrc=target, hwdst=G0, pdst="10.0.0.1"))
        assert (answer.source, answer.action.kind, answer.action.destination, answer.action.id, answer.action.flags) == \
            ("host", "forward", "function", 0, 0)
    assert path.statistics()["arp"] == 4


def test_arp_silence():
    path = network()
    for packet in (arp("10.0.0.1"), arp("10.0.0.1", source="0.0.0.0"), arp("10.0.0.1", op=2), arp("10.0.0.99"),
                   arp("10.0.0.254", source="10.0.0.2"), arp("10.0.0.254", mac=G1), arp("10.0.0.254", hwsrc=G1),
                   bytes(arp("10.0.0.254"))[:41]):
        assert path.punt(packet, reason=CONTROL) == []
    assert path.statistics()["arp"] == 0
    # A probe for what somebody else has is answered: RFC 5227 section 2.1.1.
    assert one(path.punt(arp("10.0.0.2", source="0.0.0.0"), reason=CONTROL)).packet[ARP].pdst == "0.0.0.0"


def test_arp_through_tunnel():
    path = network()
    request = arp("10.0.0.6")
    path.punt(request, reason=CONTROL)
    sent = one(reply_arp(path))
    assert sent.data == bytes(request)
    assert (sent.action.kind, sent.action.vni, sent.action.remote, sent.action.outer_mac) == ("vxlan4", 100, "192.0.2.5", PEER)
    answer = Ether(src=FAR, dst=G0) / ARP(op=2, hwsrc=FAR, psrc="10.0.0.6", hwdst=G0, pdst="10.0.0.1")
    got = one(path.punt(vxlan(answer, "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL))
    assert got.data == bytes(answer)
    assert (got.action.kind, got.action.destination, got.action.id) == ("forward", "function", 0)
    # Only the endpoint that serves the address may answer, and only for what it serves.
    before = path.statistics()
    assert path.punt(vxlan(answer, "198.51.100.9", "192.0.2.1", 100), "port 0", CONTROL) == []
    lie = Ether(src=FAR, dst=G0) / ARP(op=2, hwsrc=FAR, psrc="10.0.0.2", hwdst=G0, pdst="10.0.0.1")
    assert path.punt(vxlan(lie, "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL) == []
    changed(path, before, spoofed=2)


def test_arp_from_peer():
    path = network()
    for target, mac in (("10.0.0.1", G0), ("10.0.0.254", GATEWAY)):
        request = vxlan(arp(target, "10.0.0.5", FAR), "192.0.2.5", "192.0.2.1", 100)
        asked = path.punt(request, "port 0", CONTROL)
        if asked and asked[0].action.kind == "forward":
            asked = reply_arp(path)
        answer = one(asked)
        assert answer.data == bytes(Ether(src=mac, dst=FAR) / ARP(op=2, hwsrc=mac, psrc=target, hwdst=FAR, pdst="10.0.0.5"))
        assert (answer.action.kind, answer.action.remote, answer.action.vni) == ("vxlan4", "192.0.2.5", 100)
    # The same gateway on another card asks with the gateway's address; nobody else may.
    assert one(path.punt(vxlan(arp("10.0.0.1", "10.0.0.254", GATEWAY), "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL)).packet[ARP].pdst == "10.0.0.254"
    before = path.statistics()
    assert path.punt(vxlan(arp("10.0.0.1", "10.0.0.254", FAR), "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL) == []
    assert path.punt(vxlan(arp("10.0.0.1", "10.0.0.2", FAR), "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL) == []
    assert path.punt(vxlan(arp("10.0.0.1", "10.0.0.5", FAR), "192.0.2.5", "192.0.2.1", 200), "port 0", CONTROL) == []
    assert path.punt(vxlan(arp("10.0.0.88", "10.0.0.5", FAR), "192.0.2.5", "192.0.2.1", 100), "port 0", CONTROL) == []
    changed(path, before, spoofed=3, other=1)


def test_nd_answers():
    path = network()
    for target, mac, router in (("fd00::fe", GATEWAY, 1), ("fd00::2", G1, 0), ("fd00::5", FAR, 0)):
        answer = one(path.punt(ns(target), reason=CONTROL))
        expected = (Ether(src=mac, dst=G0) / IPv6(src=target, dst="fd00::1", hlim=255) /
                    ICMPv6ND_NA(tgt=target, R=router, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac))
        assert answer.data == bytes(expected), answer
    answer = one(path.punt(ns("fd00::fe", "fe80::1"), reason=CONTROL))
    assert answer.packet[IPv6].dst == "fe80::1"
    assert path.statistics()["nd"] == 4


def test_nd_silence():
    path = network()
    bad_checksum = ns("fd00::fe")
    bad_checksum[ICMPv6ND_NS].cksum = 1
    endless = bytearray(bytes(ns("fd00::fe")))
    endless[-7] = 0
    for packet in (ns("fd00::1"), ns("fd00::1", "::", option=False), ns("fe80::1", "::", option=False), ns("fd00::fe", hlim=254),
                   ns("fd00::fe", "fd00::2"), ns("fd00::fe", mac=G1), ns("fd00::fe", "::", option=True), bad_checksum, bytes(endless)):
        assert path.punt(packet, reason=CONTROL) == [], packet
    answer = one(path.punt(ns("fd00::2", "::", option=False), reason=CONTROL)) # a duplicate: RFC 4862 section 5.4.3
    expected = (Ether(src=G1, dst="33:33:00:00:00:01") / IPv6(src="fd00::2", dst="ff02::1", hlim=255) /
                ICMPv6ND_NA(tgt="fd00::2", R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=G1))
    assert answer.data == bytes(expected)


def test_nd_from_peer():
    path = network()
    path.punt(udp("fd00::1", "fd05::1", dmac=GATEWAY))
    reply_nd(path)
    answer = one(path.punt(vxlan(ns("fd00::2", "fd00::5", FAR), "2001:db8::5", "2001:db8::1", 100), "port 0", CONTROL))
    assert (answer.action.kind, answer.action.remote) == ("vxlan6", "2001:db8::5")
    assert answer.packet[ICMPv6ND_NA].tgt == "fd00::2" and answer.packet[ICMPv6NDOptDstLLAddr].lladdr == G1
    check_bytes(answer)


def test_nd_through_tunnel():
    path = network("route red fd00::6 2001:db8::5 -")
    path.punt(ns("fd00::6"), reason=CONTROL)
    assert one(reply_nd(path)).data == bytes(ns("fd00::6"))
    answer = (Ether(src=FAR, dst=G0) / IPv6(src="fd00::6", dst="fd00::1", hlim=255) / ICMPv6ND_NA(tgt="fd00::6", S=1, O=1) /
              ICMPv6NDOptDstLLAddr(lladdr=FAR))
    got = one(path.punt(vxlan(answer, "2001:db8::5", "2001:db8::1", 100), "port 0", CONTROL))
    assert got.data == bytes(answer) and got.action.id == 0


def test_underlay_answers():
    path = network()
    answer = one(path.punt(Ether(src=PEER, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=PEER, psrc="192.0.2.5", pdst="192.0.2.1"), "port 0", CONTROL))
    assert answer.data == bytes(Ether(src=PORT, dst=PEER) / ARP(op=2, hwsrc=PORT, psrc="192.0.2.1", hwdst=PEER, pdst="192.0.2.5"))
    assert (answer.action.kind, answer.action.destination, answer.action.id) == ("forward", "port", 0)
    answer = one(path.punt(ns("2001:db8::1", "2001:db8::5", PEER), "port 0", CONTROL))
    check_bytes(answer)
    assert (answer.packet[ICMPv6ND_NA].tgt, answer.packet[ICMPv6ND_NA].R) == ("2001:db8::1", 0)
    ping = Ether(src=PEER, dst=PORT) / IP(src="192.0.2.5", dst="192.0.2.1") / ICMP(id=7, seq=9) / b"0123456"
    answer = one(path.punt(ping, "port 0", CONTROL))
    check_bytes(answer)
    assert (answer.packet[ICMP].type, answer.packet[ICMP].id, answer.packet[ICMP].seq, bytes(answer.packet[Raw])) == (0, 7, 9, b"0123456")
    ping = Ether(src=PEER, dst=PORT) / IPv6(src="2001:db8::5", dst="2001:db8::1") / ICMPv6EchoRequest(id=3, seq=4, data=b"abc")
    answer = one(path.punt(ping, "port 0", CONTROL))
    check_bytes(answer)
    assert answer.packet[ICMPv6EchoReply].data == b"abc"
    assert path.punt(Ether(src=PEER, dst=PORT) / ARP(op=1, hwsrc=PEER, psrc="192.0.2.5", pdst="192.0.2.77"), "port 0", CONTROL) == []
    assert path.punt(Ether(src=PEER, dst=PORT) / ARP(op=1, hwsrc=PEER, psrc="192.0.2.1", pdst="192.0.2.1"), "port 0", CONTROL) == []


# ---- neighbours ----

def test_neighbour_silent():
    path = network()
    packet = udp(destination="10.5.0.1", dmac=GATEWAY)
    assert len(path.punt(packet)) == 1
    assert path.time(999) == []
    assert one(path.time(1)).packet[ARP].pdst == "192.0.2.5"
    assert len(path.time(1000)) == 1
    assert path.time(1000) == []
    stats = path.statistics()
    assert (stats["unresolved"], stats["neighbours"]) == (1, 0)
    assert len(path.punt(packet)) == 1 # asked anew


def test_neighbour_refreshed():
    path = network()
    packet = udp(destination="10.5.0.1", dmac=GATEWAY)
    path.punt(packet)
    reply_arp(path)
    assert path.time(29999) == []
    probe = one(path.time(1)) # to the station alone: RFC 1122 section 2.3.2.1
    assert (probe.packet.dst, probe.packet[ARP].pdst) == (PEER, "192.0.2.5")
    reply_arp(path)
    for _ in range(3):
        assert path.time(9000) == []
    path.command("count 0 1") # the flow lives
    assert len(path.time(3000)) == 1
    assert len(path.time(1000)) == 1 and len(path.time(1000)) == 1
    assert path.lookup(packet).outer_mac == PEER
    path.time(1000)
    assert path.lookup(packet) is None # nobody there any more
    assert path.statistics()["neighbours"] == 0


def test_neighbour_unused_forgotten():
    path = network()
    path.punt(udp(destination="10.5.0.1", dmac=GATEWAY))
    reply_arp(path)
    path.command("route-remove red 10.5.0.0/16")
    assert path.time(30000) == []
    assert path.statistics()["neighbours"] == 0


def test_neighbour_moves():
    path = network()
    packets = [udp(destination="10.5.0.1", dmac=GATEWAY), udp(destination="10.0.0.5", dmac=FAR)]
    path.punt(packets[0])
    reply_arp(path)
    path.punt(packets[1])
    other = "02:bb:00:00:00:77"
    before = path.statistics()
    path.punt(Ether(src=other, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=other, psrc="192.0.2.5", pdst="192.0.2.5"), "port 0", CONTROL)
    assert [path.lookup(packet).outer_mac for packet in packets] == [other, other]
    changed(path, before)


def test_neighbour_unasked_not_learnt():
    path = network()
    reply_arp(path)
    assert path.statistics()["neighbours"] == 0


def test_neighbours_of_one_vpc_bounded():
    path = network()
    path.punt(udp(destination="10.7.0.1", dmac=GATEWAY))
    reply_arp(path)
    for i in range(400):
        path.punt(udp(destination=f"10.7.{1 + i // 200}.{1 + i % 200}", dmac=GATEWAY))
    stats = path.statistics()
    assert stats["neighbours"] == 257 and stats["unresolved"] == 145, stats
    assert path.lookup(udp(destination="10.7.1.1", dmac=GATEWAY)) is None


# ---- ICMP ----

def test_echo_gateway():
    path = network()
    for request, reply in ((IP(src="10.0.0.1", dst="10.0.0.254") / ICMP(id=5, seq=6) / b"payload", "IPv4"),
                           (IPv6(src="fd00::1", dst="fd00::fe") / ICMPv6EchoRequest(id=5, seq=6, data=b"payload"), "IPv6"),
                           (IP(src="10.0.0.1", dst="10.0.0.254", options=[IPOption_NOP()] * 4) / ICMP(id=5, seq=6) / b"payload", "IPv4")):
        answer = one(path.punt(Ether(src=G0, dst=GATEWAY) / request))
        check_bytes(answer)
        assert (answer.packet.src, answer.packet.dst) == (GATEWAY, G0)
        if reply == "IPv4":
            assert (answer.packet[IP].src, answer.packet[ICMP].type, answer.packet[ICMP].seq) == ("10.0.0.254", 0, 6)
            assert bytes(answer.packet[Raw]) == b"payload"
        else:
            assert answer.packet[ICMPv6EchoReply].data == b"payload" and answer.packet[IPv6].src == "fd00::fe"
    wrong = Ether(src=G0, dst=GATEWAY) / IP(src="10.0.0.1", dst="10.0.0.254") / ICMP(id=5, seq=6, chksum=1)
    assert path.punt(wrong) == []
    assert path.punt(Ether(src=G0, dst=GATEWAY) / IP(src="10.0.0.1", dst="10.0.0.254") / ICMP(type=0)) == []
    assert path.punt(udp(destination="10.0.0.254", dmac=GATEWAY)) == []
    assert path.statistics()["flows"] == 0


def test_echo_gateway_from_peer():
    path = network()
    ping = Ether(src=FAR, dst=GATEWAY) / IP(src="10.5.0.1", dst="10.0.0.254") / ICMP(id=1) / b"x"
    path.punt(vxlan(ping, "192.0.2.5", "192.0.2.1", 100), "port 0")
    answer = one(reply_arp(path))
    check_bytes(answer)
    assert (answer.action.kind, answer.action.remote, answer.packet.dst) == ("vxlan4", "192.0.2.5", FAR)


def test_time_exceeded():
    path = network()
    for ttl in (0, 1):
        packet = udp(destination="10.9.0.2", dmac=GATEWAY, size=900, ttl=ttl)
        answer = one(path.punt(packet, reason=TTL))
        check_bytes(answer)
        assert (answer.packet[ICMP].type, answer.packet[ICMP].code) == (11, 0)
        assert answer.packet[IP].len == 576 and bytes(answer.packet[ICMP].payload) == bytes(packet[IP])[:548]
    packet = udp("fd00::1", "fd00::2", dmac=GATEWAY, size=1400, hlim=1)
    answer = one(path.punt(packet, reason=TTL))
    check_bytes(answer)
    assert answer.packet[IPv6].plen == 1240 and answer.packet[ICMPv6TimeExceeded].code == 0
    assert answer.data[62:] == bytes(packet[IPv6])[:1232]
    assert path.statistics()["flows"] == 0
    assert one(path.punt(udp(ttl=1))).action.kind == "forward" # bridged: no router on the way


def test_too_big():
    path = network()
    packet = udp(size=1431 - 28, flags="DF")
    answer = one(path.punt(packet, reason=MTU))
    check_bytes(answer)
    icmp = answer.packet[ICMP]
    assert (icmp.type, icmp.code, icmp.nexthopmtu, icmp.reserved) == (3, 4, 1430, 0)
    answer = one(path.punt(udp("fd00::1", "fd00::2", size=1431 - 48), reason=MTU))
    check_bytes(answer)
    assert answer.packet[ICMPv6PacketTooBig].mtu == 1430
    assert one(path.punt(udp(size=1430 - 28, flags="DF"))).action.kind == "forward"


def test_too_big_from_peer():
    path = network()
    inner = udp("10.5.0.1", "10.0.0.1", size=1500, smac=FAR, dmac=GATEWAY, flags="DF")
    path.punt(vxlan(inner, "192.0.2.5", "192.0.2.1", 100), "port 0", MTU)
    answer = one(reply_arp(path))
    check_bytes(answer)
    assert (answer.packet[ICMP].nexthopmtu, answer.action.kind, answer.packet.dst) == (1430, "vxlan4", FAR)


def test_too_big_without_gateway():
    path = SlowPath()
    path.configure(f"uplink 0 {PORT} 1500 192.0.2.1/24 - - -", f"vpc red 100 {GATEWAY} 1000", f"function 0 a red {G0} 10.0.0.1",
                   f"function 1 b red {G1} 10.0.0.2")
    answer = one(path.punt(udp(size=1100, flags="DF"), reason=MTU))
    check_bytes(answer)
    assert (answer.packet[IP].src, answer.packet[ICMP].nexthopmtu) == ("10.0.0.2", 1000)


def test_no_errors_about():
    path = network()
    def lost(packet):
        assert path.punt(packet) == []
    dead = "172.16.0.1"
    error = IP(src="10.0.0.1", dst=dead) / ICMP(type=3, code=1) / bytes(udp()[IP])[:28]
    lost(Ether(src=G0, dst=GATEWAY) / error)
    lost(Ether(src=G0, dst=GATEWAY) / IPv6(src="fd00::1", dst="fd99::1") / ICMPv6TimeExceeded() / (b"x" * 40))
    lost(udp(destination=dead, dmac=GATEWAY, frag=5))
    lost(Ether(src=G0, dst=GATEWAY) / IPv6(src="fd00::1", dst="fd99::1") / IPv6ExtHdrFragment(offset=3, nh=17) / (b"x" * 40))
    assert path.statistics()["icmp"] == 0
    ping = Ether(src=G0, dst=GATEWAY) / IP(src="10.0.0.1", dst=dead) / ICMP()
    assert one(path.punt(ping)).packet[ICMP].type == 3 # echo requests are reported


def test_rate_limit():
    path = network()
    packet = udp(destination="172.16.0.1", dmac=GATEWAY)
    sent = sum(len(path.punt(packet)) for _ in range(200))
    assert sent == 20, sent
    path.time(100)
    assert sum(len(path.punt(packet)) for _ in range(200)) == 10
    other = udp("10.0.0.2", "172.16.0.1", smac=G1, dmac=GATEWAY)
    assert len(path.punt(other, "function 1")) == 1 # one tenant's errors are not another's


# ---- fragments ----

def reassemble(fragments):
    parts = sorted((item.packet[IP].frag * 8, bytes(item.packet[IP].payload)[:item.packet[IP].len - item.packet[IP].ihl * 4], int(item.packet[IP].flags) & 1)
                   for item in fragments)
    data = b""
    for offset, part, more in parts:
        assert offset == len(data)
        data += part
    return data, parts[-1][2]


def test_fragment():
    path = network()
    for size in (1403, 1404, 2000, 4000, 8000, 9000):
        packet = udp(size=size, id=4242)
        sent = path.punt(packet, reason=MTU)
        assert len(sent) > 1
        for item in sent:
            check_bytes(item)
            ip = item.packet[IP]
            assert (item.source, item.source_id, item.action.kind, item.action.id) == ("function", 0, "forward", 1)
            assert ip.len <= 1430 and ip.id == 4242 and not int(ip.flags) & 2 and ip.ttl == 64
        data, more = reassemble(sent)
        assert data == bytes(packet[IP].payload) and not more
    assert path.statistics()["flows"] == 0


def test_fragment_of_fragment():
    path = network()
    packet = Ether(src=G0, dst=G1) / IP(src="10.0.0.1", dst="10.0.0.2", id=9, frag=100, flags="MF") / Raw(b"z" * 3000)
    packet[IP].proto = 17
    sent = path.punt(packet, reason=MTU)
    assert [item.packet[IP].frag for item in sent] == [100, 100 + 176, 100 + 352]
    assert all(int(item.packet[IP].flags) & 1 for item in sent)


def test_fragment_options():
    path = network()
    options = [IPOption_NOP(), IPOption_Timestamp(), IPOption_Router_Alert()]
    packet = Ether(src=G0, dst=G1) / IP(src="10.0.0.1", dst="10.0.0.2", options=options) / UDP(sport=1, dport=2) / Raw(b"y" * 3000)
    sent = path.punt(packet, reason=MTU)
    for item in sent:
        check_bytes(item)
    first, later = sent[0].packet[IP], sent[1].packet[IP]
    assert [option.option for option in first.options][:3] == [1, 4, 20]
    assert [option.option for option in later.options if option.option] == [20]
    data, _ = reassemble(sent)
    assert data == bytes(Ether(bytes(packet))[IP].payload)


def test_fragment_from_tunnel():
    path = network()
    inner = udp("10.5.0.1", "10.0.0.1", size=3000, smac=FAR, dmac=GATEWAY, tos=2)
    sent = path.punt(vxlan(inner, "192.0.2.5", "192.0.2.1", 100, tos=3), "port 0", MTU)
    assert len(sent) == 3
    for item in sent:
        check_bytes(item)
        assert (item.action.kind, item.action.destination, item.action.id, item.source) == ("forward", "function", 0, "host")
        assert item.action.flags == BOTH | DECREMENT_TTL
        assert item.packet[IP].tos == 3 # RFC 6040: congestion outside is congestion inside
    assert reassemble(sent)[0] == bytes(inner[IP].payload)
    inner = udp("10.5.0.1", "10.0.0.1", size=3000, smac=FAR, dmac=GATEWAY)
    assert path.punt(vxlan(inner, "192.0.2.5", "192.0.2.1", 100, tos=3), "port 0", MTU) == []


def test_trailer_is_cut():
    """A frame longer than its packet must not come back from the card as too large for ever."""
    path = network()
    packet = udp(size=100)
    sent = one(path.punt(bytes(packet) + b"\xee" * 1500, reason=MTU))
    assert sent.data == bytes(packet)


# ---- changes ----

def test_route_change_removes_flows():
    path = network()
    near = udp(destination="10.5.1.1", dmac=GATEWAY)
    far = udp(destination="10.5.5.1", dmac=GATEWAY)
    back = vxlan(udp("10.5.5.1", "10.0.0.1", smac=FAR6, dmac=G0), "198.51.100.9", "192.0.2.1", 100)
    path.punt(near)
    reply_arp(path)
    path.punt(far)
    reply_arp(path, "192.0.2.254")
    path.punt(back, "port 0")
    local = udp()
    path.punt(local)
    assert path.lookup(back, "port 0") and path.lookup(far)
    path.configure("route-remove red 10.5.5.0/24")
    assert path.lookup(far) is None and path.lookup(back, "port 0") is None
    assert path.lookup(near) and path.lookup(local)
    assert path.punt(back, "port 0") == []                                    # its endpoint serves nothing any more
    assert one(path.punt(far)).action.remote == "192.0.2.5"                   # the shorter prefix takes over
    path.configure(f"route red 10.5.5.1 198.51.100.9 {FAR6}")
    assert path.lookup(far) is None
    assert one(path.punt(far)).action.remote == "198.51.100.9"


def test_function_change_removes_flows():
    path = network()
    there, back = udp(), udp("10.0.0.2", "10.0.0.1", smac=G1, dmac=G0)
    path.punt(there)
    path.punt(back, "function 1")
    path.configure("function-remove 1")
    assert path.lookup(there) is None and path.lookup(back, "function 1") is None
    assert path.punt(back, "function 1") == []
    assert path.punt(there) == [] and path.statistics()["no_route"] == 1
    path.configure(f"function 5 moved red 02:00:00:00:00:55 10.0.0.2")
    assert one(path.punt(there)).action.destination_mac == "02:00:00:00:00:55"


def test_port_change_removes_flows():
    path = network()
    packet = udp(destination="10.5.0.1", dmac=GATEWAY)
    path.punt(packet)
    reply_arp(path)
    path.configure(f"uplink 0 {PORT} 9000 192.0.2.1/24 - 192.0.2.254 -")
    assert path.lookup(packet) is None and path.statistics()["neighbours"] == 0
    path.punt(packet)
    assert one(reply_arp(path)).action.mtu == 8950


def test_vpc_removal():
    path = network()
    assert path.command("vpc-remove red")[0].startswith("error 16 VPC red still has 2 functions and 7 routes")
    path.configure(f"vpc empty 300 {GATEWAY} 0", "vpc-remove empty")
    assert path.command("vpc-remove empty")[0].startswith("error 2 ")


def test_ageing():
    path = network()
    packets = [udp(sport=port) for port in (1, 2)]
    for packet in packets:
        path.punt(packet)
    for _ in range(14):
        path.time(5000)
        path.command("count 1 3")
    assert path.lookup(packets[0]) is None and path.lookup(packets[1])
    assert path.statistics()["expired"] == 1
    for _ in range(14):
        path.time(5000)
    assert path.statistics()["flows"] == 0


def test_refusals():
    path = network()
    expected = {
        f"vpc red 300 {GATEWAY} 0": 17, f"vpc green 100 {GATEWAY} 0": 17, f"vpc green 0 {GATEWAY} 0": 22,
        f"vpc green 16777216 {GATEWAY} 0": 22, "vpc green 300 ff:ff:ff:ff:ff:ff 0": 22, f"vpc green 300 {GATEWAY} 100": 22,
        f"function 0 x red 02:00:00:00:00:09 10.0.0.9": 17, f"function 127 x red 02:00:00:00:00:09 10.0.0.9": 22,
        f"function 9 g1 red 02:00:00:00:00:09 10.0.0.9": 17, f"function 9 x red {G1} 10.0.0.9": 17,
        f"function 9 x red {GATEWAY} 10.0.0.9": 17, f"function 9 x none 02:00:00:00:00:09 10.0.0.9": 2,
        f"function 9 x red 02:00:00:00:00:09 10.0.0.9 10.0.0.1": 17, f"function 9 x red 02:00:00:00:00:09 10.0.0.9/24": 22,
        f"function 9 x red 02:00:00:00:00:09 10.0.0.254": 17, "function-remove 9": 2,
        f"route red 10.0.0.5 192.0.2.9 {FAR}": 17, f"route none 10.0.0.5 192.0.2.9 {FAR}": 2,
        f"route red 10.8.0.1/16 192.0.2.9 {FAR}": 22, "route red 10.8.0.0/16 224.0.0.1 -": 22,
        "route red 10.8.0.0/16 192.0.2.9 01:00:00:00:00:01": 22, "route-remove red 10.8.0.0/16": 2,
        f"uplink 2 {PORT} 1500 192.0.2.1/24 - - -": 22, f"uplink 0 {PORT} 100 192.0.2.1/24 - - -": 22,
        f"uplink 0 {PORT} 1500 192.0.2.1/24 - 198.51.100.1 -": 22, f"uplink 0 {PORT} 1500 2001:db8::1/64 - - -": 22,
        "uplink 0 01:00:00:00:00:01 1500 192.0.2.1/24 - - -": 22, "access 1 127": 22,
    }
    for line, code in expected.items():
        answer = path.command(line)
        assert answer and answer[0].startswith(f"error {code} "), (line, answer)
    # What was refused left nothing behind.
    path.configure("function 9 x red 02:00:00:00:00:09 10.0.0.9", f"vpc green 300 {GATEWAY} 0")


# ---- hostile bytes ----

def mutations(packet, generator):
    data = bytearray(bytes(packet))
    yield bytes(data[:generator.randrange(14, len(data))])
    for _ in range(generator.randrange(1, 4)):
        data[generator.randrange(len(data))] = generator.choice((0, 1, 0x45, 0x60, 0x7f, 0x80, 0xff, generator.randrange(256)))
    yield bytes(data)


def test_hostile():
    generator = random.Random(20)
    path = network()
    inner = (udp("10.5.0.1", "10.0.0.1", smac=FAR, dmac=G0), arp("10.0.0.1", "10.0.0.5", FAR), ns("fd00::2", "fd00::5", FAR))
    corpus = [(udp(), "function 0"), (arp("10.0.0.254"), "function 0"), (ns("fd00::fe"), "function 0"),
              (udp("fd00::1", "fd00::2"), "function 0"), (udp(destination="172.16.0.1", dmac=GATEWAY), "function 0"),
              (Ether(src=G0, dst=G1) / IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrFragment(m=1, nh=17) / UDP() / (b"q" * 1500), "function 0"),
              (udp(size=3000, options=[IPOption_Timestamp(), IPOption_Router_Alert()]), "function 0"),
              (Ether(src=PEER, dst=PORT) / ARP(op=2, hwsrc=PEER, psrc="192.0.2.5", pdst="192.0.2.1"), "port 0"),
              (Ether(src=PEER, dst=PORT) / IP(src="192.0.2.5", dst="192.0.2.1") / ICMP() / b"ping", "port 0")]
    corpus += [(vxlan(item, "192.0.2.5", "192.0.2.1", 100), "port 0") for item in inner]
    corpus += [(vxlan(item, "2001:db8::5", "2001:db8::1", 100), "port 0") for item in inner]
    for packet, source in corpus:
        for _ in range(100):
            for data in mutations(packet, generator):
                for item in path.injected(path.command(f"packet {source} {generator.randrange(7)} {data.hex()}")):
                    assert 14 <= len(item.data) <= 9216
        path.time(generator.randrange(3000))
    # Everything still works.
    assert one(path.punt(arp("10.0.0.254"), reason=CONTROL)).packet[ARP].hwsrc == GATEWAY


def main():
    tests = [(name, function) for name, function in globals().items() if name.startswith("test_") and callable(function)]
    print(f"1..{len(tests)}")
    failed = 0
    for index, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {index} - {name}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {index} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
