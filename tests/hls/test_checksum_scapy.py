#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checksum kernels against scapy: packets as a guest leaves them, with the pseudo header's sum in the checksum field,
must come out with the checksum that scapy computes."""

import os
import random
import subprocess
import sys

from scapy.all import IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, Raw
from scapy.layers.inet6 import in6_chksum
from scapy.utils import checksum

ETHERNET = Ether(dst="52:54:00:00:00:01", src="52:54:00:00:00:02")


def ones_sum(data):
    """The sum of 16-bit words, not complemented."""
    return ~checksum(data) & 0xFFFF


def pseudo_sum(packet, protocol, length):
    if IPv6 in packet:
        zeros = in6_chksum(protocol, packet[IPv6], b"\0" * length)
        return ~zeros & 0xFFFF
    ip = packet[IP]
    header = bytes(IP(src=ip.src, dst=ip.dst))[12:20] + bytes([0, protocol]) + length.to_bytes(2, "big")
    return ones_sum(header)


def case(packet, layer, protocol, offset):
    finished = bytearray(bytes(packet))
    parsed = Ether(bytes(finished))
    length = len(bytes(parsed[layer]))
    start = len(finished) - length
    partial = bytearray(finished)
    partial[start + offset:start + offset + 2] = pseudo_sum(parsed, protocol, length).to_bytes(2, "big")
    return start, offset, bytes(partial), bytes(finished)


def cases():
    rng = random.Random(20)
    sizes = list(range(0, 140)) + [512, 1400, 1447, 1448, 4000, 8900, 8901]
    for size in sizes:
        data = Raw(rng.randbytes(size))
        tag = ETHERNET / Dot1Q(vlan=7) if size % 3 == 0 else ETHERNET
        v4 = IP(src="192.0.2.%d" % rng.randrange(1, 255), dst="198.51.100.%d" % rng.randrange(1, 255))
        v6 = IPv6(src="2001:db8::%x" % rng.randrange(1, 65535), dst="2001:db8:1::%x" % rng.randrange(1, 65535))
        ports = {"sport": rng.randrange(65536), "dport": rng.randrange(1, 65535)}
        yield case(tag / v4 / TCP(seq=rng.getrandbits(32), **ports) / data, TCP, 6, 16)
        yield case(tag / v6 / TCP(options=[("MSS", 1400)], **ports) / data, TCP, 6, 16)
        yield case(tag / v4 / UDP(**ports) / data, UDP, 17, 6)
        yield case(tag / v6 / UDP(**ports) / data, UDP, 17, 6)
        yield case(tag / v6 / ICMPv6EchoRequest(data=data.load), ICMPv6EchoRequest, 58, 2)
    # A UDP checksum that computes to zero is sent as ones: the data makes the sum so.
    probe = ETHERNET / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2) / Raw(b"\0\0ab")
    rest = ~Ether(bytes(probe))[UDP].chksum & 0xFFFF
    word = (0xFFFF - rest) & 0xFFFF
    probe = ETHERNET / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2) / Raw(word.to_bytes(2, "big") + b"ab")
    zero = case(probe, UDP, 17, 6)
    assert zero[3][40:42] == b"\xff\xff", zero[3][40:42].hex()
    yield zero


def main():
    program = os.path.join(os.environ.get("B", "build/release"), "bin", "test-checksum-pipe")
    wanted = list(cases())
    lines = "".join("%d %d %s\n" % (start, offset, partial.hex()) for start, offset, partial, _ in wanted)
    result = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    got = result.stdout.split("\n")[:-1]
    print("1..1")
    bad = [i for i, row in enumerate(wanted) if i >= len(got) or got[i] != row[3].hex()]
    for i in bad[:3]:
        print("# start %d offset %d\n# expected %s\n# got      %s" % (
            wanted[i][0], wanted[i][1], wanted[i][3].hex(), got[i] if i < len(got) else "nothing"))
    print("%sok 1 - %d packets have scapy's checksums" % ("not " if bad else "", len(wanted)))
    return 1 if bad else 0


sys.exit(main())
