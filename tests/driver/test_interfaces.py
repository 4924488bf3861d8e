#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ports on Linux interfaces: packet: on a veth and tap:, with real frames from sockets of this test. Needs root."""
import os
import select
import socket
import struct
import subprocess
import sys
import time

WIRE = os.environ.get("B", "build/release") + "/bin/card-wire"
ID = str(os.getpid() % 100000)
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 8, 15, 23, 3
SO_RCVBUFFORCE, TP_STATUS_VLAN_VALID = 33, 16
LINK, RECEIVED, RECEIVED_DROPPED, SENT, SEND_DROPPED = range(5)

count = 0


def check(good, name, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        print(f"# {detail}")


def ip(*arguments, must=True):
    subprocess.run(["ip", *arguments], check=must, capture_output=not must)


def quiet(interface, up=True):
    """No addresses and no frames of the interface's own."""
    with open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")
    if up:
        ip("link", "set", interface, "up")


def veth(near, far):
    ip("link", "add", near, "type", "veth", "peer", "name", far)
    quiet(near)
    quiet(far)


class Card:
    def __init__(self, port0, port1):
        self.process = subprocess.Popen([WIRE, port0, port1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the card did not start"

    def ports(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        values = [int(word) for word in self.process.stdout.readline().split()]
        return values[:5], values[5:]

    def wait(self, port, field, value, seconds=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.ports()[port][field] == value:
                return True
            time.sleep(0.01)
        return False

    def close(self):
        self.process.stdin.close()
        return self.process.wait(20)


def raw(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.bind((interface, ETH_P_ALL))
    return sock


def receive(sock, seconds=3.0):
    """The next frame, with the VLAN tag that the kernel takes out of it."""
    if not select.select([sock], [], [], seconds)[0]:
        return None
    data, control, _, _ = sock.recvmsg(65536, 256)
    for level, kind, value in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                data = data[:12] + struct.pack("!HH", protocol, tag) + data[12:]
    return data


def frame(number, length):
    return (bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + struct.pack("<I", number) +
            bytes((number + i * 7) & 255 for i in range(length)))[:length]


def frames_pass(here, there, lengths, name):
    good = True
    for number, length in enumerate(lengths):
        here.send(frame(number, length))
        got = receive(there)
        if got != frame(number, length):
            good = False
            print(f"# {length} bytes: {got and len(got)} arrived")
            break
    check(good, name)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def unfinished_udp():
    """A UDP packet as a sender leaves it whose interface finishes checksums: the field holds the pseudo header's sum."""
    payload = b"odd length!"
    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 17]) + struct.pack("!H", 8 + len(payload))
    udp = struct.pack("!HHHH", 1000, 2000, 8 + len(payload), checksum(pseudo)) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, pseudo[:4], pseudo[4:8])
    header = header[:10] + struct.pack("!H", 0xFFFF ^ checksum(header)) + header[12:]
    return bytes.fromhex("020000000002020000000001") + b"\x08\x00" + header + udp, pseudo


def offloads(here, there, card):
    packet, pseudo = unfinished_udp()
    here.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    here.send(struct.pack("<BBHHHH", 1, 0, 0, 0, 34, 6) + packet)
    got = receive(there)
    check(got is not None and checksum(pseudo + got[34:]) == 0xFFFF and got[:40] == packet[:40] and
          got[42:] == packet[42:], "a checksum that was left to hardware is finished", str(got))
    before = card.ports()[0][RECEIVED_DROPPED]
    large = packet + b"x" * 3000
    large = large[:16] + struct.pack("!H", len(large) - 14) + large[18:38] + struct.pack("!H", len(large) - 34) + large[40:]
    here.send(struct.pack("<BBHHHH", 1, 5, 42, 1000, 34, 6) + large)
    check(card.wait(0, RECEIVED_DROPPED, before + 1) or receive(there, 0.2) is not None,
          "a frame whose segmentation was left to hardware is dropped and counted", str(card.ports()))
    here.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 0)


def packet_ports():
    near, far, card_near, card_far = "cpa" + ID, "cpb" + ID, "cpc" + ID, "cpd" + ID
    veth(near, card_near)
    veth(far, card_far)
    try:
        card = Card("packet:" + card_near, "packet:" + card_far)
        here, there = raw(near), raw(far)
        frames_pass(here, there, [14, 15, 60, 63, 64, 65, 128, 1000, 1514], "packet: frames of all sizes")
        frames_pass(there, here, [60, 1514, 14], "packet: and back")
        tagged = frame(1, 12) + b"\x81\x00\x20\x05" + frame(2, 100)[12:]
        here.send(tagged)
        check(receive(there) == tagged, "packet: a VLAN tag stays")
        offloads(here, there, card)
        for number in range(2000):
            here.send(frame(number, 200))
            if number % 50 == 49:
                time.sleep(0.002)
        got = 0
        while got < 2000 and receive(there, 0.5) == frame(got, 200):
            got += 1
        check(got == 2000, "packet: 2000 frames in order", f"{got} arrived; {card.ports()}")
        ports = card.ports()
        check(ports[0][LINK] == 1 and ports[1][LINK] == 1, "packet: links are up", str(ports))
        ip("link", "set", near, "down")
        check(card.wait(0, LINK, 0), "packet: a link goes down")
        ip("link", "set", near, "up")
        check(card.wait(0, LINK, 1), "packet: and up")
        here.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        frames_pass(here, there, [100], "packet: frames pass again")
        for interface in (card_near, card_far):
            ip("link", "set", interface, "mtu", "9000")
        for interface in (near, far):
            ip("link", "set", interface, "mtu", "9000")
        time.sleep(0.2)
        frames_pass(here, there, [9014, 60, 5000], "packet: a larger MTU is noticed")
        here.close()
        ip("link", "del", near)
        check(card.wait(0, LINK, 0), "packet: an interface that is deleted is a link that is down")
        there.send(frame(1, 100))
        veth(near, card_near)
        check(card.wait(0, LINK, 1), "packet: and up when it is back")
        here = raw(near)
        frames_pass(here, there, [60, 1514], "packet: frames pass through the new one")
        frames_pass(there, here, [60, 1514], "packet: and back through the new one")
        here.close()
        there.close()
        check(card.close() == 0, "packet: the card ends")
    finally:
        for interface in (near, far):
            ip("link", "del", interface, must=False)
    failed = subprocess.run([WIRE, "packet:" + near, "none"], capture_output=True, text=True, timeout=20)
    check(failed.returncode == 1 and "there is no such interface" in failed.stderr, "packet: no such interface",
          failed.stderr)


def tap_ports():
    tap, near, far = "cpt" + ID, "cpe" + ID, "cpf" + ID
    veth(near, far)
    try:
        card = Card("tap:" + tap, "packet:" + far)
        quiet(tap)
        here, there = raw(tap), raw(near)
        while receive(there, 0.1):
            pass
        frames_pass(here, there, [14, 60, 64, 65, 1514], "tap: frames out of the host's interface")
        frames_pass(there, here, [14, 60, 1514], "tap: and into it")
        for number in range(1000):
            here.send(frame(number, 300))
            if number % 50 == 49:
                time.sleep(0.002)
        got = 0
        while got < 1000 and receive(there, 0.5) == frame(got, 300):
            got += 1
        check(got == 1000, "tap: 1000 frames in order", f"{got} arrived; {card.ports()}")
        here.close()
        there.close()
        check(card.close() == 0, "tap: the card ends")
        check(not os.path.exists("/sys/class/net/" + tap), "tap: an interface that the card made goes with it")
    finally:
        ip("link", "del", near, must=False)


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("1..0 # SKIP needs root and /dev/net/tun")
        sys.exit(0)
    packet_ports()
    tap_ports()
    print(f"1..{count}")


main()
