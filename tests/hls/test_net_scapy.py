#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The card's parser and rewriter against scapy and tshark: what the parser finds in random packets of every kind, whole, cut
off and damaged, and what others find in the packets that the card encapsulates."""

import ipaddress
import os
import random
import struct
import subprocess
import sys
import tempfile

from scapy.all import (
    ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA,
    ICMPv6ND_NS, IPOption_RR, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, Raw,
    wrpcap)
from scapy.layers.vxlan import VXLAN

PORT, FUNCTION = 1, 2
LOOKUP, PUNT, DROP = 0, 2, 3
PUNT_CONTROL, PUNT_OPTIONS = 5, 6
TRUNCATED, MALFORMED, CHECKSUM = 5, 6, 7
PORT_MAC, ENDPOINT4, ENDPOINT6 = "02:00:00:00:09:09", "192.0.2.1", "2001:db8::1"
VXLAN_PORT = 4789


class Card:
    def __init__(self):
        program = os.path.join(os.environ.get("B", "build/release"), "bin", "test-net-pipe")
        self.pipe = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.pipe.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.pipe.stdin.flush()
        answers = []
        while (line := self.pipe.stdout.readline().strip()) != ".":
            if not line:
                raise RuntimeError("the card's program ended")
            fields = dict(field.split("=", 1) for field in line.split())
            answers.append({name: value if name in ("bytes", "source", "destination") or name.endswith("_port") else int(value)
                            for name, value in fields.items()})
        return answers

    def parse(self, source, packet):
        return self.ask("parse", source, 0 if source == PORT else 3, bytes(packet).hex())[0]

    def close(self):
        self.pipe.stdin.close()
        return self.pipe.wait()


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def port_setting(mode):
    return struct.pack("<BBH6sH4s16s16x", mode, 0, 0, mac_bytes(PORT_MAC), 0, ipaddress.ip_address(ENDPOINT4).packed,
                       ipaddress.ip_address(ENDPOINT6).packed)


# ---- packets of every kind, with what is to be found in them ----

rng = random.Random(7)


def random_ipv4():
    return str(ipaddress.ip_address(rng.randrange(0x0A000000, 0x0B000000)))


def random_ipv6():
    return str(ipaddress.ip_address(0xFD << 120 | rng.getrandbits(100)))


def random_transport(version):
    """A layer and what the key says of it: protocol, ports, and whether it is the host's."""
    kind = rng.choice(("tcp", "udp", "icmp", "echo", "other", "discovery"))
    sport, dport = rng.randrange(65536), rng.randrange(1000, 65536)
    data = Raw(rng.randbytes(rng.choice((0, 1, 5, 40, 150, 1200))))
    ports = struct.pack(">HH", sport, dport).hex()
    if kind == "tcp":
        options = rng.choice(([], [("MSS", 1400)], [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]))
        return TCP(sport=sport, dport=dport, options=options) / data, 6, ports, False
    if kind == "udp":
        return UDP(sport=sport, dport=dport) / data, 17, ports, False
    if kind == "other":
        return Raw(rng.randbytes(30)), 132, "00000000", False
    if version == 4:
        if kind == "echo":
            kind, identifier = rng.choice((0, 8)), rng.randrange(65536)
            return ICMP(type=kind, id=identifier) / data, 1, "%04x%02x00" % (identifier, kind), False
        return ICMP(type=3, code=4) / Raw(rng.randbytes(28)), 1, "00000304", False
    if kind == "echo":
        layer, identifier = rng.choice((ICMPv6EchoRequest, ICMPv6EchoReply)), rng.randrange(65536)
        number = 128 if layer is ICMPv6EchoRequest else 129
        return layer(id=identifier, data=data.load), 58, "%04x%02x00" % (identifier, number), False
    if kind == "discovery":
        layer = rng.choice((ICMPv6ND_NS(tgt=random_ipv6()), ICMPv6ND_NA(tgt=random_ipv6())))
        return layer, 58, "0000%02x00" % layer.type, True
    return ICMPv6DestUnreach(code=1) / Raw(rng.randbytes(48)), 58, "00000101", False


def random_extensions():
    """Up to four extension headers, hop-by-hop first."""
    headers = []
    for i in range(rng.choice((0, 0, 1, 2, 3, 4))):
        if i == 0 and rng.random() < 0.4:
            headers.append(IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]))
        else:
            headers.append(rng.choice((IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(rng.choice((4, 4, 12))))]),
                                       IPv6ExtHdrRouting(type=4, segleft=0, addresses=[]))))
    return headers


def random_frame():
    """A frame and what is to be found in it."""
    tags = rng.choice((0, 0, 0, 1, 2))
    ether = Ether(dst="02:00:00:00:00:%02x" % rng.randrange(256), src="02:00:00:00:01:00")
    if tags == 2:
        ether = ether / Dot1AD(vlan=rng.randrange(4096)) / Dot1Q(vlan=rng.randrange(4096), prio=3)
    elif tags == 1:
        ether = ether / rng.choice((Dot1Q, Dot1AD))(vlan=rng.randrange(4096))
    network = 14 + 4 * tags
    kind = rng.choice((4, 4, 4, 6, 6, 6, 0))
    expected = {"tags": tags, "network": network, "fragment": 0, "transport": 0, "options": False, "beyond": False}
    if kind == 0:
        payload = rng.choice((ARP(pdst=random_ipv4()), Raw(rng.randbytes(50))))
        if isinstance(payload, Raw):
            ether.lastlayer().type = 0x88CC
        expected |= {"kind": 0, "host": True}
        return ether / payload, expected
    traffic_class, ttl = rng.randrange(256), rng.randrange(256)
    transport, protocol, ports, host = random_transport(kind)
    fragment = rng.choice((None, None, None, None, (0, 1), (185, 1), (185, 0), (0, 0)))
    if kind == 4:
        source, destination = random_ipv4(), random_ipv4()
        options = rng.choice(([], [], [], [IPOption_RR(length=3 + 4 * n, pointer=4, routers=["0.0.0.0"] * n)
                                           for n in [rng.randrange(1, 9)]]))
        offset, more = fragment or (0, 0)
        ip = IP(src=source, dst=destination, tos=traffic_class, ttl=ttl, options=options, proto=protocol, frag=offset,
                flags=1 if more else 0)
        real_fragment = bool(offset or more)
        header = len(bytes(ip))
        expected["checksum"] = IP(bytes(ip / transport)).chksum
    else:
        source, destination = random_ipv6(), random_ipv6()
        ip = IPv6(src=source, dst=destination, tc=traffic_class, hlim=ttl, fl=rng.getrandbits(20))
        extensions = random_extensions()
        if fragment is not None:
            extensions = extensions[:3] + [IPv6ExtHdrFragment(offset=fragment[0], m=fragment[1], id=9)]
        layers = ip
        for extension in extensions:
            layers = layers / extension
        if protocol == 132 and extensions:
            layers.lastlayer().nh = 132
        elif protocol == 132:
            ip = layers = IPv6(src=source, dst=destination, tc=traffic_class, hlim=ttl, nh=132)
        real_fragment = fragment is not None and fragment != (0, 0)
        ip, header = layers, len(bytes(layers))
        expected["options"] = bool(extensions)
    if kind == 4:
        expected["options"] = bool(options)
    known = protocol != 132 and not real_fragment
    expected |= {"kind": kind // 2 - 1, "host": host and not real_fragment, "protocol": protocol, "ttl": ttl,
                 "traffic_class": traffic_class, "fragment": int(real_fragment),
                 "source": ipaddress.ip_address(source).packed.rjust(16, b"\0").hex(),
                 "destination": ipaddress.ip_address(destination).packed.rjust(16, b"\0").hex(),
                 "ports": ports if known else "00000000", "transport": network + header if known else 0,
                 "header": header}
    return ether / ip / transport, expected


def outer(version, options=False, **fields):
    ether = Ether(dst=PORT_MAC, src="02:00:00:00:09:0a")
    for _ in range(fields.pop("tags", 0)):
        ether = ether / Dot1Q(vlan=5)
    if version == 4:
        ip = IP(src="192.0.2.9", dst=ENDPOINT4, options=[IPOption_RR()] if options else [], **fields)
    else:
        ip = IPv6(src="2001:db8::9", dst=ENDPOINT6, **fields)
        if options:
            ip = ip / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    return ether / ip / UDP(sport=50000, dport=VXLAN_PORT, chksum=0)


# ---- checks ----

def wrong(found, expected, what):
    return "; ".join("%s is %s, expected %s" % (name, found[name], value) for name, value in expected.items()
                     if found[name] != value) and "%s: found %s, expected %s" % (what, found, expected)


def key_expected(expected, domain):
    if expected["kind"] == 0:
        return {"verdict": PUNT, "detail": PUNT_CONTROL, "kind": 0, "domain": domain, "tags": expected["tags"],
                "network": expected["network"]}
    want = {name: expected[name] for name in ("kind", "tags", "network", "transport", "protocol", "ttl", "traffic_class",
                                              "fragment", "source", "destination")}
    want |= {"source_port": expected["ports"][:4], "destination_port": expected["ports"][4:], "domain": domain}
    want |= {"checksum": expected["checksum"]} if expected["kind"] == 1 else {"checksum": 0}
    want |= {"verdict": PUNT, "detail": PUNT_CONTROL} if expected["host"] else {"verdict": LOOKUP, "detail": 0}
    return want


def fields_of_functions(card):
    for i in range(700):
        frame, expected = random_frame()
        padding = rng.choice((0, 0, 7, 46))
        found = card.parse(FUNCTION, bytes(frame) + bytes(padding))
        want = key_expected(expected, 0x01000003) | {"inner": 0, "frame_length": len(bytes(frame)) + padding}
        if message := wrong(found, want, "frame %d %s" % (i, frame.summary())):
            return message
    return ""


def fields_inside_vxlan(card):
    for i in range(700):
        frame, expected = random_frame()
        version, tags, ecn, vni = rng.choice((4, 6)), rng.randrange(3), rng.randrange(4), rng.getrandbits(24)
        head = outer(version, tags=tags, **{"tos" if version == 4 else "tc": ecn})
        # Reserved bits are ignored on receipt (RFC 7348, section 5).
        vxlan = bytes([rng.getrandbits(8) | 8]) + rng.randbytes(3) + vni.to_bytes(3, "big") + rng.randbytes(1)
        packet = head / Raw(vxlan + bytes(frame))
        padding = rng.choice((0, 0, 3, 100))
        found = card.parse(PORT, bytes(packet) + bytes(padding))
        want = key_expected(expected, 0x02000000 | vni)
        want |= {"inner": len(bytes(head)) + 8, "frame_length": len(bytes(frame)), "outer_ecn": ecn}
        # Of the inner frame the window holds 114 bytes.
        if expected["kind"] and expected["transport"] + 16 > 114:
            want = {"verdict": PUNT, "detail": PUNT_CONTROL if expected["host"] else PUNT_OPTIONS}
            if expected["host"]:
                continue
        if expected["kind"] == 2 and expected["network"] + expected["header"] > 114:
            continue
        if message := wrong(found, want, "packet %d %s" % (i, frame.summary())):
            return message
    return ""


def cut_off(card):
    """Cut anywhere: inside the headers up to the IP header the packet is truncated, after them it contradicts itself."""
    for i in range(40):
        frame, expected = random_frame()
        data = bytes(frame)
        source = rng.choice((FUNCTION, PORT))
        if source == PORT:
            version = rng.choice((4, 6))
            head = bytes(outer(version) / VXLAN(vni=5))
            data, first, header, kind = bytes(outer(version) / VXLAN(vni=5) / frame), 14, 20 if version == 4 else 40, 1
            assert data[:6] == head[:6]
        else:
            first, kind = expected["network"], expected["kind"]
            header = 40 if kind == 2 else expected.get("header", 0)
        for length in range(14, len(data)):
            found = card.parse(source, data[:length])
            if length < first + header:
                want = {"verdict": DROP, "detail": TRUNCATED}
            elif kind:
                want = {"verdict": DROP, "detail": MALFORMED}
            else:
                want = {"verdict": PUNT, "detail": PUNT_CONTROL}
            if message := wrong(found, want, "packet %d cut to %d bytes: %s" % (i, length, frame.summary())):
                return message
    return ""


def cut_off_inside(card):
    """The inner frame ends anywhere, the outer lengths are right."""
    for i in range(40):
        frame, expected = random_frame()
        data = bytes(frame)
        for length in range(14, len(data)):
            found = card.parse(PORT, outer(4) / VXLAN(vni=5) / Raw(data[:length]))
            kind, header = expected["kind"], 40 if expected["kind"] == 2 else expected.get("header", 0)
            if length < expected["network"] + header:
                want = {"verdict": DROP, "detail": TRUNCATED}
            elif kind:
                want = {"verdict": DROP, "detail": MALFORMED}
            else:
                want = {"verdict": PUNT, "detail": PUNT_CONTROL}
            if message := wrong(found, want, "packet %d cut to %d bytes: %s" % (i, length, frame.summary())):
                return message
    return ""


def short_payloads(card):
    """IP lengths that end inside the transport header: truncated; lengths of the transport that are wrong: malformed."""
    ether = Ether(dst="02:00:00:00:00:01")
    for version in (4, 6):
        ip = IP(dst="10.0.0.1") if version == 4 else IPv6(dst="fd00::1")
        field = "proto" if version == 4 else "nh"
        for protocol, need in ((6, 20), (17, 8), (1 if version == 4 else 58, 8)):
            for size in range(need):
                data = TCP() if protocol == 6 else UDP(len=8) if protocol == 17 else Raw(bytes(8))
                layer = ip.copy()
                setattr(layer, field, protocol)
                found = card.parse(FUNCTION, ether / layer / Raw(bytes(data)[:size]))
                if message := wrong(found, {"verdict": DROP, "detail": TRUNCATED}, "%d bytes of protocol %d" % (size, protocol)):
                    return message
        for layer in (UDP(len=7), UDP(len=13) / Raw(b"1234"), TCP(dataofs=4), TCP(dataofs=6)):
            if message := wrong(card.parse(FUNCTION, ether / ip / layer), {"verdict": DROP, "detail": MALFORMED}, layer.summary()):
                return message
        if message := wrong(card.parse(FUNCTION, ether / ip / UDP(dport=9, len=8) / Raw(b"1234")), {"verdict": LOOKUP}, "short UDP"):
            return message
    return ""


def contradictions(card):
    ether = Ether(dst="02:00:00:00:00:01")
    hop = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))])
    option = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    cases = [
        (IP(dst="10.0.0.1", version=5) / UDP(), DROP, MALFORMED),
        (IP(dst="10.0.0.1", ihl=4) / UDP(), DROP, MALFORMED),
        (IP(dst="10.0.0.1", len=19) / UDP(), DROP, MALFORMED),
        (IP(dst="10.0.0.1", len=29) / UDP(), DROP, MALFORMED),
        (IP(dst="10.0.0.1", chksum=1) / UDP(), DROP, CHECKSUM),
        (IPv6(dst="fd00::1", version=4) / UDP(), DROP, MALFORMED),
        (IPv6(dst="fd00::1", plen=9) / UDP(), DROP, MALFORMED),
        (IPv6(dst="fd00::1") / option / hop / UDP(), DROP, MALFORMED),
        (IPv6(dst="fd00::1", nh=60) / Raw(bytes([17, 1, 1, 4, 0, 0, 0, 0])), DROP, TRUNCATED),
        (IPv6(dst="fd00::1", nh=60) / Raw(bytes(7)), DROP, TRUNCATED),
        (IPv6(dst="fd00::1") / option / option / option / option / option / UDP(), PUNT, PUNT_OPTIONS),
        (IPv6(dst="fd00::1") / option / option / option / option / UDP(dport=9), LOOKUP, 0),
        (IPv6(dst="fd00::1", nh=59), LOOKUP, 0),
    ]
    for packet, verdict, detail in cases:
        if message := wrong(card.parse(FUNCTION, ether / packet), {"verdict": verdict, "detail": detail}, packet.summary()):
            return message
    return ""


def tunnels(card):
    """What is not a plain VXLAN packet for the endpoint."""
    inner = Ether(dst="02:00:00:00:00:01") / IP(dst="10.0.0.1") / UDP(dport=9)
    cases = [
        (outer(4, options=True) / VXLAN() / inner, PUNT, PUNT_OPTIONS),
        (outer(6, options=True) / VXLAN() / inner, PUNT, PUNT_OPTIONS),
        (outer(4) / VXLAN(flags=0) / inner, DROP, MALFORMED),
        (outer(4) / Raw(bytes(7)), DROP, TRUNCATED),
        (outer(4) / VXLAN() / Raw(bytes(13)), DROP, TRUNCATED),
        (outer(4, chksum=1) / VXLAN() / inner, DROP, CHECKSUM),
        (outer(4, frag=1) / VXLAN() / inner, PUNT, PUNT_CONTROL),
        (Ether(dst=PORT_MAC) / IP(dst=ENDPOINT4) / UDP(dport=53) / Raw(bytes(20)), PUNT, PUNT_CONTROL),
        (Ether(dst=PORT_MAC) / IPv6(dst=ENDPOINT6) / ICMPv6EchoRequest(), PUNT, PUNT_CONTROL),
        (Ether(dst=PORT_MAC) / IP(dst="192.0.2.77") / UDP(dport=VXLAN_PORT) / VXLAN() / inner, LOOKUP, 0),
        (Ether(dst="02:00:00:00:09:08") / IP(dst=ENDPOINT4) / UDP(dport=VXLAN_PORT) / VXLAN() / inner, DROP, 8),
        (outer(4) / VXLAN() / Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(), PUNT, PUNT_CONTROL),
        (outer(4) / VXLAN() / Ether(dst="33:33:00:00:00:01") / IPv6(dst="ff02::1") / UDP(), PUNT, PUNT_CONTROL),
        (outer(4) / VXLAN() / Ether(dst="02:00:00:00:00:01") / IP(dst="10.0.0.1", chksum=1) / UDP(), DROP, CHECKSUM),
    ]
    for packet, verdict, detail in cases:
        if message := wrong(card.parse(PORT, packet), {"verdict": verdict, "detail": detail}, packet.summary()):
            return message
    return ""


def action_line(kind, **fields):
    values = {"destination": PORT, "destination_id": 0, "mtu": 0, "flags": 0, "vni": 0, "ttl": 64, "dscp": 0, "remote": bytes(16)}
    values |= fields
    return struct.pack("<BBHHHI6s6s6sBB16s", kind, values["destination"], values["destination_id"], values["mtu"],
                       values["flags"], values["vni"], bytes(6), bytes(6), mac_bytes("02:00:00:00:09:0b"), values["ttl"],
                       values["dscp"], values["remote"]).hex()


def encapsulated(card):
    """Random frames of all sizes, encapsulated: dissected by scapy; collected for tshark."""
    packets = []
    for i in range(200):
        frame, expected = random_frame()
        data = bytes(frame)
        version, vni = rng.choice((4, 6)), rng.getrandbits(24)
        flags, dscp, ttl = rng.choice((0, 8, 16, 24)), rng.randrange(64), rng.randrange(1, 256)
        remote = ipaddress.ip_address("192.0.2.200" if version == 4 else "2001:db8::c8").packed.rjust(16, b"\0")
        status = card.ask("action", 9, action_line(version // 2, flags=flags, vni=vni, ttl=ttl, dscp=dscp, remote=remote))
        answers = card.ask("inject", 9, FUNCTION, 3, data.hex())
        if status != [{"status": 0}] or len(answers) != 1:
            return "frame %d: %s, %s" % (i, status, answers)
        out = Ether(bytes.fromhex(answers[0]["bytes"]))
        ip = out[IP] if version == 4 else out[IPv6]
        inner_class = expected["traffic_class"] if expected["kind"] else 0
        want_dscp = inner_class >> 2 if flags & 16 and expected["kind"] else dscp
        found = {"dst": out.dst, "src": out.src, "source": ip.src, "destination": ip.dst, "udp": out[UDP].dport,
                 "checksum": out[UDP].chksum, "vni": out[VXLAN].vni, "flags": int(out[VXLAN].flags),
                 "length": out[UDP].len, "inner": bytes(out[VXLAN].payload),
                 "ttl": ip.ttl if version == 4 else ip.hlim, "class": ip.tos if version == 4 else ip.tc,
                 "whole": len(bytes(out)), "ports": 49152 <= out[UDP].sport <= 65535}
        want = {"dst": "02:00:00:00:09:0b", "src": PORT_MAC, "source": ENDPOINT4 if version == 4 else ENDPOINT6,
                "destination": "192.0.2.200" if version == 4 else "2001:db8::c8", "udp": VXLAN_PORT, "checksum": 0,
                "vni": vni, "flags": 8, "length": 16 + len(data), "inner": data, "ttl": ttl,
                "class": want_dscp << 2 | inner_class & 3, "whole": len(data) + (50 if version == 4 else 70), "ports": True}
        if version == 4:
            found |= {"id": ip.id, "df": "DF" in ip.flags, "sum": ip.chksum, "len": ip.len}
            want |= {"id": 0, "df": bool(flags & 8), "len": len(data) + 36}
            again = ip.copy()
            del again.chksum
            want["sum"] = IP(bytes(again)).chksum
        if message := wrong(found, want, "frame %d" % i):
            return message
        packets.append((bytes(out), vni))
    return tshark(packets)


def tshark(packets):
    """The outer headers are good and the tunnel's number is seen, as tshark reads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.pcap")
        wrpcap(path, [Ether(data) for data, _ in packets])
        options = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
        fields = [word for name in ("ip.checksum.status", "vxlan.vni", "udp.checksum", "_ws.malformed")
                  for word in ("-e", name)]
        result = subprocess.run(["tshark", "-r", path, "-T", "fields", "-E", "occurrence=f", *options, *fields],
                                capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return "tshark: " + result.stderr
    lines = result.stdout.rstrip("\n").split("\n")
    for number, (line, (data, vni)) in enumerate(zip(lines, packets)):
        status, seen, checksum, _ = line.split("\t")
        if data[12:14] == b"\x08\x00" and status not in ("1", "Good"):
            return "frame %d: tshark says of the IPv4 checksum %s" % (number, status)
        if int(seen) != vni or int(checksum, 16) != 0:
            return "frame %d: tshark sees VNI %s, UDP checksum %s, expected VNI %d and 0" % (number, seen, checksum, vni)
    return "" if len(lines) == len(packets) else "tshark saw %d packets of %d" % (len(lines), len(packets))


def there_and_back(card):
    """What one card encapsulates, the parser and rewriter take apart again."""
    card.ask("action", 11, action_line(4, destination=FUNCTION, destination_id=3))
    for i in range(100):
        frame, expected = random_frame()
        version = rng.choice((4, 6))
        remote = ipaddress.ip_address(ENDPOINT4 if version == 4 else ENDPOINT6).packed.rjust(16, b"\0")
        card.ask("action", 9, action_line(version // 2, vni=5, remote=remote))
        out = bytes.fromhex(card.ask("inject", 9, FUNCTION, 3, bytes(frame).hex())[0]["bytes"])
        out = mac_bytes(PORT_MAC) + out[6:]
        back = card.ask("inject", 11, PORT, 0, out.hex())
        if len(back) != 1 or back[0]["bytes"] != bytes(frame).hex() or back[0]["output"] != 2:
            return "frame %d %s: %s" % (i, expected, back)
    return ""


def main():
    card = Card()
    for port in (0, 1):
        card.ask("port", port, port_setting(1).hex())
    tests = (fields_of_functions, fields_inside_vxlan, cut_off, cut_off_inside, short_payloads, contradictions, tunnels,
             encapsulated, there_and_back)
    failed = 0
    print("1..%d" % (len(tests) + 1))
    for number, test in enumerate(tests, 1):
        message = test(card)
        failed += bool(message)
        print("%sok %d - %s" % ("not " if message else "", number, test.__name__.replace("_", " ")))
        if message:
            print("# " + message)
        sys.stdout.flush()
    status = card.close()
    print("%sok %d - the card's promises were kept" % ("not " if status else "", len(tests) + 1))
    return 1 if failed or status else 0


if __name__ == "__main__":
    sys.exit(main())
