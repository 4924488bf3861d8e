#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ports on Linux interfaces: packet: on a veth and tap:, with real frames from sockets of this test. Needs root."""
import functools
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


def has_program(interface):
    shown = subprocess.run(["ip", "-details", "link", "show", interface], capture_output=True, text=True).stdout
    return "prog/xdp" in shown


def packet_sockets(*interfaces):
    """The inodes of the AF_PACKET sockets on each of them: a port that is opened anew has another one."""
    indexes = {str(socket.if_nametoindex(interface)): interface for interface in interfaces}
    found = {interface: set() for interface in interfaces}
    with open("/proc/net/packet", encoding="ascii") as file:
        for words in (line.split() for line in file.readlines()[1:]):
            if words[4] in indexes:
                found[indexes[words[4]]].add(words[8])
    return found


def eventually(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Card:
    def __init__(self, port0, port1, before=(), messages=None):
        self.process = subprocess.Popen([*before, WIRE, port0, port1], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=messages, text=True)
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


def offloads(here, there, card, title):
    packet, pseudo = unfinished_udp()
    here.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    here.send(struct.pack("<BBHHHH", 1, 0, 0, 0, 34, 6) + packet)
    got = receive(there)
    check(got is not None and checksum(pseudo + got[34:]) == 0xFFFF and got[:40] == packet[:40] and
          got[42:] == packet[42:], f"{title}: a checksum that was left to hardware is finished", str(got))
    before = card.ports()[0][RECEIVED_DROPPED]
    large = packet + b"x" * 3000
    large = large[:16] + struct.pack("!H", len(large) - 14) + large[18:38] + struct.pack("!H", len(large) - 34) + large[40:]
    pseudo = pseudo[:-2] + large[38:40]
    large = large[:40] + struct.pack("!H", checksum(pseudo)) + large[42:]
    here.send(struct.pack("<BBHHHH", 1, 5, 42, 1000, 34, 6) + large)
    pieces = []
    while True:
        pieces.append(receive(there, 0.2))
        if pieces[-1] is None:
            break
    # With XDP a veth has its peer's stack cut the frame.
    good = [checksum(piece[26:34] + b"\0\x11" + piece[38:40] + piece[34:]) == 0xFFFF for piece in pieces[:-1]]
    check(card.ports()[0][RECEIVED_DROPPED] == before + 1 if len(pieces) == 1 else len(good) == 4 and all(good),
          f"{title}: a frame whose segmentation was left to hardware comes in good pieces or is dropped and counted",
          f"{good} {card.ports()}")
    here.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 0)


def packet_ports(option, title):
    """All that a packet: port does, whatever way it receives."""
    near, far, card_near, card_far = "cpa" + ID, "cpb" + ID, "cpc" + ID, "cpd" + ID
    veth(near, card_near)
    veth(far, card_far)
    try:
        card = Card("packet:" + card_near + option, "packet:" + card_far + option)
        here, there = raw(near), raw(far)
        check(has_program(card_near) == (option != ""), f"{title}: an XDP program is there if asked for")
        frames_pass(here, there, [14, 15, 60, 63, 64, 65, 128, 1000, 1514], f"{title}: frames of all sizes")
        frames_pass(there, here, [60, 1514, 14], f"{title}: and back")
        tagged = frame(1, 12) + b"\x81\x00\x20\x05" + frame(2, 100)[12:]
        here.send(tagged)
        check(receive(there) == tagged, f"{title}: a VLAN tag stays")
        offloads(here, there, card, title)
        for number in range(2000):
            here.send(frame(number, 200))
            if number % 50 == 49:
                time.sleep(0.002)
        got = 0
        while got < 2000 and receive(there) == frame(got, 200):
            got += 1
        check(got == 2000, f"{title}: 2000 frames in order", f"{got} arrived; {card.ports()}")
        ports = card.ports()
        check(ports[0][LINK] == 1 and ports[1][LINK] == 1, f"{title}: links are up", str(ports))
        ip("link", "set", near, "down")
        check(card.wait(0, LINK, 0), f"{title}: a link goes down")
        ip("link", "set", near, "up")
        check(card.wait(0, LINK, 1), f"{title}: and up")
        here.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        frames_pass(here, there, [100], f"{title}: frames pass again")
        for interface in (card_near, card_far):
            ip("link", "set", interface, "mtu", "9000")
        for interface in (near, far):
            ip("link", "set", interface, "mtu", "9000")
        time.sleep(0.2)
        frames_pass(here, there, [9014, 60, 5000], f"{title}: a larger MTU is noticed")
        before = packet_sockets(card_near, card_far)
        for interface in (near, far, card_near, card_far):
            ip("link", "set", interface, "mtu", "1500")

        def noticed():
            now = packet_sockets(card_near, card_far)
            return has_program(card_near) if option else all(now[i] and not now[i] & before[i] for i in now)
        check(eventually(noticed), f"{title}: and a smaller one", f"{before} {packet_sockets(card_near, card_far)}")
        card.wait(0, LINK, 1)
        card.wait(1, LINK, 1)
        frames_pass(here, there, [1514, 60], f"{title}: frames pass after it")
        here.close()
        ip("link", "del", near)
        check(card.wait(0, LINK, 0), f"{title}: an interface that is deleted is a link that is down")
        there.send(frame(1, 100))
        veth(near, card_near)
        check(card.wait(0, LINK, 1), f"{title}: and up when it is back")
        here = raw(near)
        frames_pass(here, there, [60, 1514], f"{title}: frames pass through the new one")
        frames_pass(there, here, [60, 1514], f"{title}: and back through the new one")
        here.close()
        there.close()
        check(card.close() == 0, f"{title}: the card ends")
        check(not has_program(card_near), f"{title}: no XDP program is left")
    finally:
        for interface in (near, far):
            ip("link", "del", interface, must=False)


def wrong_ports():
    for spec, text in (("packet:cpx" + ID, "there is no such interface"),
                       ("packet:lo,receive=fast", "option 'receive=fast', expected receive=xdp"),
                       ("packet:cpx" + ID + ",receive=xdp", "there is no such interface")):
        failed = subprocess.run([WIRE, spec, "none"], capture_output=True, text=True, timeout=20)
        check(failed.returncode == 1 and text in failed.stderr, f"{spec.replace(ID, '')}: {text}", failed.stderr)


def queues():
    """Frames of every queue arrive: each flow has its own."""
    near, card_near, far, card_far = "cpa" + ID, "cpb" + ID, "cpc" + ID, "cpd" + ID
    many = ["numtxqueues", "4", "numrxqueues", "4"]
    ip("link", "add", near, *many, "type", "veth", "peer", "name", card_near, *many)
    quiet(near)
    quiet(card_near)
    veth(far, card_far)
    try:
        card = Card("packet:" + card_near + ",receive=xdp", "packet:" + card_far)
        there = raw(far)
        sent = []
        for flow in range(64):
            here = raw(near)
            packet = frame(flow, 34)[:12] + b"\x08\x00" + struct.pack(
                "!BBHHHBBH4s4sHHHH", 0x45, 0, 28, 1, 0, 64, 17, 0, bytes([10, 0, 0, flow]), bytes([10, 0, 0, 255]),
                1000 + flow, 9, 8, 0)
            here.send(packet)
            sent.append(packet)
            here.close()
        got = [receive(there) for _ in sent]
        check(sorted(map(str, got)) == sorted(map(str, sent)), "queues: a frame of each flow arrives", str(card.ports()))
        counts = subprocess.run(["ethtool", "-S", card_near], capture_output=True, text=True).stdout.split("\n")
        used = [line for line in counts if "_xdp_packets" in line and "rx_queue" in line and not line.endswith(": 0")]
        check(len(used) > 1, "queues: by more than one queue", str(counts))
        there.close()
        check(card.close() == 0, "queues: the card ends")
    finally:
        for interface in (near, far):
            ip("link", "del", interface, must=False)


def killed():
    near, card_near = "cpa" + ID, "cpb" + ID
    veth(near, card_near)
    try:
        card = Card("packet:" + card_near + ",receive=xdp", "none")
        check(has_program(card_near), "killed: there is an XDP program")
        card.process.kill()
        card.process.wait()
        check(eventually(lambda: not has_program(card_near)), "killed: a card that is killed leaves no XDP program")
        card = Card("packet:" + card_near + ",receive=xdp", "none")
        check(has_program(card_near), "killed: the next card has one again")
        check(card.close() == 0, "killed: the card ends")
    finally:
        ip("link", "del", near, must=False)


def fallbacks():
    """Where receive=xdp is not to be had the port says so and receives all the same."""
    near, far, card_near, card_far, bridge = "cpa" + ID, "cpb" + ID, "cpc" + ID, "cpd" + ID, "cpe" + ID
    veth(near, card_near)
    veth(far, card_far)
    ip("link", "add", bridge, "type", "bridge")
    quiet(bridge)
    try:
        other = Card("packet:" + card_near, "none")
        passes(near, far, card_near, card_far, (), "fallback: another socket has the queue")
        check(other.close() == 0, "fallback: the other card ends")
        caps = ["setpriv", "--inh-caps=-bpf,-sys_admin", "--bounding-set=-bpf,-sys_admin"]
        passes(near, far, card_near, card_far, caps, "fallback: CAP_BPF is missing")
        caps = ["setpriv", "--inh-caps=-bpf,-sys_admin,-net_admin", "--bounding-set=-bpf,-sys_admin,-net_admin"]
        passes(near, far, card_near, card_far, caps, "fallback: CAP_NET_ADMIN is missing")
        ip("link", "set", card_near, "master", bridge)
        passes(near, far, bridge, card_far, (), "fallback: the interface has no native XDP")
    finally:
        for interface in (near, far, bridge):
            ip("link", "del", interface, must=False)


def passes(near, far, card_near, card_far, before, title):
    card = Card("packet:" + card_near + ",receive=xdp", "packet:" + card_far, before, subprocess.PIPE)
    here, there = raw(near), raw(far)
    frames_pass(here, there, [60, 1514], title)
    check(card.close() == 0, f"{title}: the card ends")
    message = card.process.stderr.read()
    check("receives by AF_PACKET, receive=xdp is not to be had: " in message, f"{title}: the log says so", message)
    here.close()
    there.close()


SERVER = """
import hashlib, socket, sys
family, address = (socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET), sys.argv[1]
listener = socket.create_server((address, 5000), family=family)
print("ready", flush=True)
connection, _ = listener.accept()
digest, length = hashlib.sha256(), 0
while data := connection.recv(1 << 16):
    digest.update(data)
    length += len(data)
connection.sendall(digest.digest())
"""

CLIENT = """
import hashlib, os, socket, sys
connection = socket.create_connection((sys.argv[1], 5000), timeout=20)
data = os.urandom(1 << 16) * 64
connection.sendall(data)
connection.shutdown(socket.SHUT_WR)
sys.exit(connection.recv(32) != hashlib.sha256(data).digest())
"""


def transfer(left, right, address, title):
    """4 MiB over TCP between two stacks, each with all the offloads that a veth has by default."""
    server = subprocess.Popen(["ip", "netns", "exec", right, sys.executable, "-c", SERVER, address],
                              stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    try:
        status = subprocess.run(["ip", "netns", "exec", left, sys.executable, "-c", CLIENT, address], timeout=60).returncode
        check(status == 0, title)
    except subprocess.TimeoutExpired:
        check(False, title, "it took more than a minute")
    finally:
        server.kill()
        server.wait()


def stacks(option, title):
    """Two kernels' stacks on either side of the card: TCP and UDP, plain, in VXLAN and with VLAN tags."""
    sides = [("cpl" + ID, "cpa" + ID, "1"), ("cpr" + ID, "cpb" + ID, "2")]
    try:
        for space, card_side, number in sides:
            other = "2" if number == "1" else "1"
            ip("netns", "add", space)
            ip("link", "add", card_side, "type", "veth", "peer", "name", "eth", "netns", space)
            quiet(card_side)
            inside = functools.partial(ip, "-n", space)
            inside("link", "set", "eth", "up")
            inside("address", "add", f"10.9.0.{number}/24", "dev", "eth")
            inside("address", "add", f"fd09::{number}/64", "dev", "eth", "nodad")
            for name, family in (("vx4", "10.9.0."), ("vx6", "fd09::")):
                inside("link", "add", name, "type", "vxlan", "id", name[2], "local", family + number, "remote",
                       family + other, "dstport", "4789")
                inside("link", "set", name, "up")
                inside("address", "add", f"10.{name[2]}.0.{number}/24", "dev", name)
            # docs/cipud.md: whole frames, and for XDP with their tags in them
            features = ["txvlan", "off"] if option else ["tso", "off", "gso", "off"]
            subprocess.run(["ip", "netns", "exec", space, "ethtool", "-K", "eth", *features], check=True,
                           capture_output=True)
            # The kernel may have no VLANs.
            vlan = subprocess.run(["ip", "-n", space, "link", "add", "tagged", "link", "eth", "type", "vlan", "id", "7"],
                                  capture_output=True).returncode == 0
            if vlan:
                inside("link", "set", "tagged", "up")
                inside("address", "add", f"10.7.0.{number}/24", "dev", "tagged")
        card = Card(f"packet:{sides[0][1]}{option}", f"packet:{sides[1][1]}{option}")
        for address, name in (("10.9.0.2", "IPv4"), ("fd09::2", "IPv6"), ("10.4.0.2", "VXLAN over IPv4"),
                              ("10.6.0.2", "VXLAN over IPv6"), *([("10.7.0.2", "VLAN")] if vlan else [])):
            transfer(sides[0][0], sides[1][0], address, f"{title}: TCP, {name}")
        status = subprocess.run(["ip", "netns", "exec", sides[0][0], "ping", "-c", "3", "-i", "0.2", "-s", "3000", "-q",
                                 "10.9.0.2"], capture_output=True, text=True)
        check(" 0% packet loss" in status.stdout, f"{title}: fragments", status.stdout)
        check(card.close() == 0, f"{title}: the card between two stacks ends")
    finally:
        for space, card_side, _ in sides:
            ip("netns", "del", space, must=False)
            ip("link", "del", card_side, must=False)


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
        while got < 1000 and receive(there) == frame(got, 300):
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
    packet_ports("", "packet")
    packet_ports(",receive=xdp", "packet by XDP")
    wrong_ports()
    queues()
    killed()
    fallbacks()
    stacks("", "stacks")
    stacks(",receive=xdp", "stacks by XDP")
    tap_ports()
    print(f"1..{count}")


main()
