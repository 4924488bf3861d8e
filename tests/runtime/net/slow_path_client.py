# SPDX-License-Identifier: Apache-2.0
"""Drives test-slow-path-pipe (slow_path_pipe.c): packets go in and come out as scapy packets."""

import os
import subprocess

from scapy.all import IP, UDP, Ether, IPv6
from scapy.layers.vxlan import VXLAN

MISS, ACTION, TTL, MTU, CONTROL, OPTIONS = 1, 2, 3, 4, 5, 6
SET_SOURCE, SET_DESTINATION, DECREMENT_TTL, DONT_FRAGMENT, KEEP_UNTAGGED = 1, 2, 4, 8, 32


class Action:
    def __init__(self, words):
        self.kind, self.destination = words[0], words[1]
        self.id, self.mtu, self.flags, self.vni = (int(word) for word in words[2:6])
        self.destination_mac, self.source_mac, self.outer_mac = words[6:9]
        self.ttl, self.remote = int(words[9]), words[10]

    def __repr__(self):
        return str(vars(self))


class Injected:
    def __init__(self, words):
        self.source, self.source_id = words[0], int(words[1])
        self.action = Action(words[2:13])
        self.data = bytes.fromhex(words[13])
        self.packet = Ether(self.data)

    def __repr__(self):
        return f"{self.source} {self.source_id} {self.action} {self.packet!r}"


class SlowPath:
    def __init__(self):
        program = os.path.join(os.environ.get("B", "build/release"), "bin/test-slow-path-pipe")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        return self.process.returncode

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = []
        while True:
            got = self.process.stdout.readline()
            if not got:
                raise RuntimeError(f"the program ended after: {line[:200]}")
            if got == ".\n":
                return answer
            answer.append(got.strip())

    def configure(self, *lines):
        for line in lines:
            answer = self.command(line)
            errors = [text for text in answer if text.startswith("error")]
            assert not errors, (line, errors)

    def injected(self, lines):
        return [Injected(line.split()[1:]) for line in lines if line.startswith("inject")]

    def punt(self, packet, source="function 0", reason=MISS):
        return self.injected(self.command(f"packet {source} {reason} {bytes(packet).hex()}"))

    def time(self, milliseconds):
        return self.injected(self.command(f"time {milliseconds}"))

    def lookup(self, packet, source="function 0"):
        answer = self.command(f"lookup {source} {bytes(packet).hex()}")[0]
        return None if answer == "miss" else Action(answer.split())

    def statistics(self):
        words = self.command("statistics")[0].split()
        return {name: int(value) for name, value in zip(words[::2], words[1::2])}


def vxlan(inner, source, destination, vni, mac="02:aa:00:00:00:01", peer="02:bb:00:00:00:02", tos=0):
    ip = IPv6(src=source, dst=destination, tc=tos) if ":" in source else IP(src=source, dst=destination, tos=tos)
    return Ether(src=peer, dst=mac) / ip / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=vni, flags=8) / inner
