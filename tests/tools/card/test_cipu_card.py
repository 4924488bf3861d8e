#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cipu-card: packets through the simulated card alone, their way through the kernels, and the waveform of its modules."""
import json
import os
import struct
import subprocess
import sys
import tempfile

BUILD = os.environ.get("B", "build/release")
CARD, SIGNAL = f"{BUILD}/bin/cipu-card", f"{BUILD}/test/fst_signal"
CYCLE_NANOSECONDS = 4
count = failures = 0


def check(good, name, detail=""):
    global count, failures
    count += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    for line in "" if good else str(detail)[:4000].splitlines():
        print(f"# {line}")


def run(*arguments, program=CARD):
    return subprocess.run([program, *arguments], text=True, capture_output=True, timeout=120)


def write_pcap(path, frames, link_type=1):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    with open(path, "rb") as file:
        data, at, frames = file.read(), 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


def udp(length, port):
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, length - 14, 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head[10:12] = struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    payload = bytes(i * 7 & 0xFF for i in range(length - 42))
    return bytes.fromhex("5254000000025254000000010800") + bytes(head) + struct.pack(">HHHH", port, 53, length - 34, 0) + payload


def arp():
    return bytes.fromhex("ffffffffffff525400000001" "0806" "0001080006040001") + bytes(38)


def fates(*arguments):
    done = run("--json", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def streams(packet):
    return [record["stream"] for record in packet["records"]]


def test_ways(folder, packets, frames):
    ways, done = fates("--write", f"{folder}/out.pcap", packets)
    check(done.returncode == 0 and len(ways) == len(frames), "every packet is reported", done.stderr)
    check(["left by port 1"] * 3 + ["handed to the host (control)"] == [way["fate"] for way in ways],
          "packets with a flow leave by the other port, ARP is the host's", [way["fate"] for way in ways])
    check(read_pcap(f"{folder}/out.pcap") == frames, "they leave unchanged, and are written")
    expected = ["port.rx0:ingress.port0", "ingress.out:split.in", "split.window:parse.in", "parse.out:match_bucket.in",
                "match_bucket.out:match_way.in", "match_way.out:match_entry.in", "match_entry.out:apply.in",
                "apply.out:rewrite.command", "rewrite.out:egress.in", "egress.port1:port.tx1"]
    way = [stream for stream in streams(ways[0]) if stream in expected]
    check(way == expected, "a small packet's way is that of the graph, in order", way)
    beats = [record for record in ways[1]["records"] if record["stream"] == "egress.port1:port.tx1"]
    check(len(beats) == -(-len(frames[1]) // 64), "a long one leaves in beats of 64 bytes", len(beats))
    check(all(record["taken"] is not None and record["taken"] > record["cycle"] for way in ways for record in way["records"]),
          "every record is taken out in a later cycle than it came")
    check(not any("port.tx" in stream for stream in streams(ways[3])) and "egress.host:punt.in" in streams(ways[3]),
          "the host's packet goes by way of punt")
    return ways


def test_actions(packets):
    dropped, _ = fates("--action", "drop", packets)
    check([way["fate"] for way in dropped[:3]] == ["dropped"] * 3, "--action drop drops", [way["fate"] for way in dropped])
    missed, _ = fates("--action", "punt", packets)
    check([way["fate"] for way in missed[:3]] == ["handed to the host (miss)"] * 3, "without an entry the host gets them",
          [way["fate"] for way in missed])
    back, _ = fates("--port", "1", packets)
    check([way["fate"] for way in back[:3]] == ["left by port 0"] * 3, "from port 1 they leave by port 0")


def test_text(packets, ways):
    whole = run("--packet", "2", packets).stdout.splitlines()
    check(whole[0] == f"packet 2: 1514 bytes into port 0, left by port 1 after {ways[1]['latency']} cycles",
          "the text tells fate and latency", whole[0])
    check(len(whole) == 2 + len(ways[1]["records"]) + 1, "and a line for each record", len(whole))
    quiet = run("-q", packets).stdout.splitlines()
    check(len(quiet) == len(ways), "--quiet prints one line for each packet", "\n".join(quiet))


def signal_changes(path, *names):
    changes = {name: [] for name in names}
    done = run(path, *names, program=SIGNAL)
    for line in done.stdout.splitlines():
        time, name, value = line.split()
        changes[name].append((int(time), value))
    return changes, done.stderr


def value_at(changes, time):
    value = None
    for at, new in changes:
        if at > time:
            break
        value = new
    return value


def test_waveform(folder, packets, ways):
    path = f"{folder}/card.fst"
    traced, _ = fates("--trace", path, packets)
    check(traced == ways, "a waveform changes nothing: the same cycles")
    valid, ready, clock = "split.split.window_valid", "split.split.window_ready", "split.split.clk"
    changes, problem = signal_changes(path, valid, ready, clock)
    last = max(record["taken"] for way in ways for record in way["records"])
    moved = [cycle for cycle in range(last) if value_at(changes[valid], CYCLE_NANOSECONDS * cycle) == "1"
             and value_at(changes[ready], CYCLE_NANOSECONDS * cycle) == "1"]
    written = sorted(record["cycle"] for way in ways for record in way["records"] if record["stream"] == "split.window:parse.in")
    check(moved == written and written, "its handshakes are the records' cycles", f"{moved} {written} {problem}")
    rises = [time for time, value in changes[clock] if value == "1"]
    check(len(rises) > len(written) and all(time % CYCLE_NANOSECONDS == CYCLE_NANOSECONDS // 2 for time in rises),
          "the clock rises in the middle of its 4 ns")
    first = written[1]
    run("-q", "--trace", path, "--from", str(first), "--for", "3", packets)
    changes, _ = signal_changes(path, clock)
    times = [time for time, _ in changes[clock] if time]
    check(times and min(times) >= CYCLE_NANOSECONDS * first and max(times) < CYCLE_NANOSECONDS * (first + 3),
          "--from and --for bound it", times)


def test_wrong(folder, packets):
    write_pcap(f"{folder}/raw.pcap", [], link_type=101)
    with open(f"{folder}/broken.pcap", "wb") as file:
        file.write(b"no capture")
    write_pcap(f"{folder}/short.pcap", [bytes(13), udp(60, 1)])
    for arguments, code, words in (
            (["--port", "2", packets], 2, "--port: found '2', expected 0 or 1"),
            (["--action", "fly", packets], 2, "expected forward, drop or punt"),
            (["--packet", "0", packets], 2, "--packet: found '0'"),
            (["--from", "x", packets], 2, "--from: found 'x', expected a cycle"),
            ([], 2, "Usage"),
            ([f"{folder}/none.pcap"], 3, "none.pcap"),
            ([f"{folder}/broken.pcap"], 3, "broken.pcap"),
            ([f"{folder}/raw.pcap"], 3, "link type 12, expected Ethernet"),
            (["--write", "/nowhere/out.pcap", packets], 3, "/nowhere/out.pcap"),
            (["--trace", "/nowhere/card.fst", packets], 3, "/nowhere/card.fst"),
            ([f"{folder}/short.pcap"], 1, "packet 1: a packet of 13 bytes, expected 14 to 9216")):
        done = run(*arguments)
        check(done.returncode == code and words in done.stderr, f"refused: {' '.join(arguments).replace(folder, '') or 'nothing'}",
              f"{done.returncode} {done.stderr}")
    check("packet 2: 60 bytes into port 0, left by port 1" in run("-q", f"{folder}/short.pcap").stdout,
          "a bad packet does not stop the next")


def socket_folders():
    return {name for name in os.listdir("/tmp") if name.startswith("cipu-card.")}


def main():
    there_before = socket_folders()
    with tempfile.TemporaryDirectory() as folder:
        frames = [udp(60, 1000), udp(1514, 1001), udp(100, 1002), arp()]
        packets = f"{folder}/packets.pcap"
        write_pcap(packets, frames)
        ways = test_ways(folder, packets, frames)
        test_actions(packets)
        test_text(packets, ways)
        test_waveform(folder, packets, ways)
        test_wrong(folder, packets)
    check(socket_folders() <= there_before, "no sockets are left behind")
    print(f"1..{count}")
    return 1 if failures else 0


sys.exit(main())
