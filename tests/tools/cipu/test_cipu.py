#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line against a running daemon: tables, JSON, exit codes, captures, the manual's examples as they stand."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "tests/runtime/rpc"))
from cipud import BIN, CONFIG, Daemon, Tap, eventually, same  # noqa: E402

CIPU = os.path.abspath(BIN + "/cipu")
tap = Tap()


def run(daemon, *words, code=0, text=True):
    """(standard output, standard error)"""
    socket_option = ["--socket", daemon.rpc] if daemon else []
    done = subprocess.run([CIPU, *socket_option, *words], capture_output=True, text=text, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    same((words, done.returncode, done.stderr if done.returncode != code else ""), (words, code, ""))
    return done.stdout, done.stderr


def rows(daemon, *words):
    lines = run(daemon, *words)[0].splitlines()
    return [line.split() for line in lines]


def tables(daemon):
    table = rows(daemon, "function", "list")
    same(table[0], ["ID", "NAME", "VPC", "TYPE", "MAC", "ADDRESSES", "MTU", "CONNECTED", "SOCKET", "ORIGIN"])
    same(table[1], ["0", "web", "blue", "virtio-net", "02:00:00:00:02:00", "10.0.0.5/32", "1430", "no", daemon.folder + "/web", "file"])
    same(rows(daemon, "vpc", "list")[1], ["blue", "100", "02:00:00:00:01:01", "10.0.0.1/24,fd00::1/64", "1430", "file"])
    same(rows(daemon, "route", "list")[1], ["blue", "10.0.0.9/32", "192.0.2.2", "02:00:00:00:03:09", "file"])
    same(rows(daemon, "port", "list")[1][:2], ["0", "uplink"])
    same(rows(daemon, "flow", "list"), [])
    shown = dict(line.split(None, 1) for line in run(daemon, "function", "show", "web")[0].splitlines())
    same((shown["name"].strip(), shown["device.queues.receive.entries"].strip()), ("web", "256"))


def wide_values(daemon):
    addresses = [f"2001:db8:1111:2222:3333:4444:5555:{i:04x}" for i in range(0x6660, 0x6670)]
    run(daemon, "function", "add", "9", "name", "n" * 63, "vpc", "blue", "mac", "02:00:00:00:02:09", "addresses", ",".join(addresses),
        "socket", daemon.folder + "/wide")
    row = next(row for row in rows(daemon, "function", "list") if row[0] == "9")
    same((row[1], row[5]), ("n" * 63, ",".join(address + "/128" for address in addresses)))
    run(daemon, "function", "del", "n" * 63)


def changes(daemon):
    run(daemon, "vpc", "add", "green", "vni", "200", "mac", "02:00:00:00:01:02", "gateways", "10.2.0.1/24,fd00:2::1/64", "mtu", "1400")
    run(daemon, "function", "add", "7", "name", "db", "vpc", "green", "mac", "02:00:00:00:02:07", "addresses", "10.2.0.7,fd00:2::7",
        "socket", daemon.folder + "/db", "mtu", "1300", "queue-size", "64")
    same(json.loads(run(daemon, "--json", "function", "show", "7")[0])["mtu"], 1300)
    run(daemon, "route", "add", "green", "10.9.0.0/16", "via", "192.0.2.9", "mac", "02:00:00:00:03:09")
    same(len(rows(daemon, "route", "list", "green")), 2)
    run(daemon, "route", "del", "green", "10.9.0.0/16")
    run(daemon, "function", "del", "7")
    run(daemon, "vpc", "del", "green")
    same(run(daemon, "flow", "flush")[0], "0 flows removed\n")


def json_output(daemon):
    for words in (("function", "list"), ("function", "show", "0"), ("vpc", "list"), ("route", "list"), ("port", "list"),
                  ("flow", "list"), ("flow", "flush"), ("stats",), ("rpc", "version_get")):
        json.loads(run(daemon, "--json", *words)[0])
        json.loads(run(daemon, *words, "-j")[0])
    same(json.loads(run(daemon, "rpc", "function_show", '{"id": 0}')[0])["name"], "web")
    same(json.loads(run(daemon, "rpc", "function_show", '{"id": 0}', "--json")[0])["name"], "web")


def exit_codes(daemon):
    same(run(daemon, "function", "show", "77", code=1)[1], "cipu: found function 77, expected one that is there\n")
    same(run(daemon, "vpc", "del", "blue", code=1)[1], "cipu: VPC blue still has 1 functions and 1 routes\n")
    run(daemon, "rpc", "no_such_method", code=1)
    run(daemon, "vpc", "add", "x", "mac", "02:00:00:00:01:02", code=1)
    for words in ((), ("no-such-object",), ("function",), ("function", "lst"), ("function", "show"), ("function", "list", "more"),
                  ("vpc", "add", "x", "vnii", "1"), ("vpc", "add", "x", "vni"), ("vpc", "add", "x", "vni", "one"),
                  ("vpc", "add", "x", "vni", "1", "vni", "2"), ("route", "add", "blue", "10.0.0.0/8"), ("--no-such-option",),
                  ("function", "list", "--watch", "1"), ("stats", "--watch", "0"), ("capture",), ("capture", "-w"),
                  ("capture", "-w", "/dev/null", "prot", "1"), ("rpc", "version_get", "{"), ("vpc", "del", b"\xff")):
        run(daemon, *words, code=2)
    same(run(daemon, "function", "lst", code=2)[1],
         "cipu: found 'function lst', expected one of: 'function list' 'function show' 'function add' 'function del'\nTry 'cipu --help'.\n")
    run(None, "--socket", "/nonexistent/socket", "vpc", "list", code=3)
    run(None, "--socket", "/" + "x" * 200, "vpc", "list", code=2)
    run(None, "--socket", daemon.folder + "/metrics", "vpc", "list", code=3)
    run(None, "--version")


def closing_daemon(daemon):
    path = daemon.folder + "/closing"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            for answer in (b"", b"nonsense\n", b"[]\n", b'{"result"'):
                client, _ = listener.accept()
                client.recv(65536)
                client.sendall(answer)
                client.close()
        thread = threading.Thread(target=serve)
        thread.start()
        for _ in range(4):
            run(None, "--socket", path, "vpc", "list", code=3)
        thread.join()
    os.unlink(path)


def unwritable_output(daemon):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([CIPU, "--socket", daemon.rpc, "vpc", "list"], stdout=full, stderr=subprocess.PIPE, check=False)
    same(done.returncode, 1)
    run(daemon, "capture", "-w", "/nonexistent/file", "--seconds", "1", code=1)


def help_texts(daemon):
    del daemon
    overview = run(None, "--help")[0]
    usages = re.findall(r"^  cipu (.*)$", overview, re.MULTILINE)
    assert len(usages) >= 16, usages
    with open(ROOT + "/docs/cipu.md", encoding="utf-8") as file:
        manual = file.read().replace("\\|", "|")
    for usage in usages:
        assert f"`{usage}`" in manual, f"docs/cipu.md lacks `{usage}`"
        words = usage.split()
        verb = words[1:2] if words[0] in ("function", "vpc", "route", "flow", "port", "disk", "volume", "controller", "subsystem", "reservation") else []
        text = run(None, words[0], *verb, "--help")[0]
        same(text.splitlines()[0], "Usage: cipu " + usage)
        assert "Examples:\n  cipu " in text, text
    same(run(None, "function", "--help")[0].count("Usage:"), 4)


def watch(daemon):
    process = subprocess.Popen([CIPU, "--socket", daemon.rpc, "stats", "--watch", "1"], stdout=subprocess.PIPE, text=True)
    found = any("PACKETS/S" in process.stdout.readline() for _ in range(400))
    process.kill()
    process.communicate()
    assert found
    process = subprocess.Popen([CIPU, "--socket", daemon.rpc, "--json", "stats", "--watch", "1"], stdout=subprocess.PIPE, text=True)
    times = [json.loads(process.stdout.readline())["uptime_seconds"] for _ in range(2)]
    process.kill()
    process.communicate()
    assert times[0] < times[1], times


def manual_examples(daemon):
    """The fenced sh block of docs/cipu.md, line by line, with the example's daemon in a folder of its own."""
    del daemon
    with open(ROOT + "/docs/cipu.md", encoding="utf-8") as file:
        lines = re.search(r"```sh\n(.*?)```", file.read(), re.DOTALL).group(1).splitlines()
    with open(ROOT + "/docs/examples/one-guest.yaml", encoding="utf-8") as file:
        config = file.read().replace("{", "{{").replace("}", "}}").replace("/run/cipu", "{folder}").replace("127.0.0.1:9723", "{folder}/metrics")
    assert len(lines) > 10
    with Daemon("rpc: {folder}/rpc\n" + config) as example:
        wrapper = example.folder + "/bin/cipu"
        os.mkdir(example.folder + "/bin")
        with open(wrapper, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {CIPU} --socket {example.rpc} "$@"\n')
        os.chmod(wrapper, 0o755)
        environment = {**os.environ, "PATH": os.path.dirname(wrapper) + ":" + os.environ["PATH"]}
        for line in lines:
            done = subprocess.run(["bash", "-o", "pipefail", "-c", line.replace("/run/cipu", example.folder)], env=environment, timeout=60,
                                  capture_output=True, text=True, check=False, cwd=ROOT)
            same((line, done.returncode, done.stderr if done.returncode else ""), (line, 0, ""))


def completion(daemon):
    del daemon
    script = f"""
        PATH={os.path.dirname(CIPU)}:$PATH
        source {ROOT}/tools/cipu/completion.bash
        complete_line() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _cipu; echo "${{COMPREPLY[*]}}"; }}
        complete_line cipu f; complete_line cipu function s; complete_line cipu --soc; complete_line cipu --json route ''
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    same(done.stdout.splitlines(), ["flow function", "show", "--socket", "list add del"])


def read_pcap(*source):
    """The packets' one-line descriptions."""
    done = subprocess.run(["tcpdump", "-n", "-r", *source], capture_output=True, text=True, check=False)
    same(done.returncode, 0)
    return done.stdout.splitlines()


def captures(daemon):
    path = daemon.folder + "/capture.pcap"
    process = subprocess.Popen([CIPU, "--socket", daemon.rpc, "capture", "-w", path, "port", "0"], stderr=subprocess.PIPE, text=True)
    eventually(lambda: daemon.call("capture_show")["running"], 10, "capturing")
    same(run(daemon, "capture", "-w", daemon.folder + "/other", code=1)[1].splitlines()[0], "cipu: a capture runs already")
    subprocess.run(["ping", "-c", "4", "-i", "0.2", "-W", "5", "192.0.2.1"], check=True, stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=20)[1]
    same(process.returncode, 0)
    packets = read_pcap(path)
    same(error, f"{len(packets)} packets captured\n")
    same((sum("echo request" in line for line in packets), sum("echo reply" in line for line in packets)), (4, 4))
    same(daemon.call("capture_show"), {"running": False})


def capture_count(daemon):
    ping = subprocess.Popen(["ping", "-i", "0.05", "192.0.2.1"], stdout=subprocess.DEVNULL)
    try:
        path = daemon.folder + "/capture.pcap"
        same(run(daemon, "capture", "-w", path, "--count", "5")[1], "5 packets captured\n")
        same(len(read_pcap(path)), 5)
        out = subprocess.run(f"{CIPU} --socket {daemon.rpc} capture -w - --count 3 | tcpdump -n -r -", shell=True, capture_output=True,
                             text=True, check=True, timeout=60).stdout
        same(len(out.splitlines()), 3)
        out = subprocess.run(f"{CIPU} --socket {daemon.rpc} capture -w - | tcpdump -n -c 3 -r -", shell=True, capture_output=True, text=True,
                             check=True, timeout=60).stdout
        same(len(out.splitlines()), 3)
        start = time.monotonic()
        run(daemon, "capture", "-w", path, "--seconds", "1")
        assert 0.5 < time.monotonic() - start < 15
        assert read_pcap(path)
        tshark = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "icmp.type"], capture_output=True, text=True, check=True)
        assert {"0", "8"} <= set(tshark.stdout.split()), tshark.stdout
    finally:
        ping.kill()
        ping.wait()
    same([name for name in os.listdir("/tmp") if name.startswith("cipu.") and os.path.exists(f"/tmp/{name}/pcap")], [])


def private_network():
    """A network namespace of this process alone; False when that needs a right that it has not."""
    clone_newnet = 0x40000000
    return os.geteuid() == 0 and ctypes.CDLL(None).unshare(clone_newnet) == 0


def with_traffic():
    name = "cipu-tap0"
    with Daemon(CONFIG.replace("native:{name}", "native:{name}?port0=tap:" + name)) as daemon:
        subprocess.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"], check=False)
        subprocess.run(["ip", "address", "add", "192.0.2.2/24", "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        tap.run("a capture until it is interrupted", captures, daemon)
        tap.run("captures of so many packets or seconds, and into pipes", capture_count, daemon)


with Daemon() as running:
    for title, test in (
            ("tables", tables),
            ("wide values are whole", wide_values),
            ("objects are made and removed", changes),
            ("JSON", json_output),
            ("exit codes", exit_codes),
            ("a daemon that closes or talks nonsense", closing_daemon),
            ("output that cannot be written", unwritable_output),
            ("help and manual agree", help_texts),
            ("stats --watch", watch),
            ("the manual's examples as they stand", manual_examples),
            ("completion", completion)):
        tap.run(title, test, running)
if private_network() and shutil.which("tcpdump") and shutil.which("ping"):
    with_traffic()
else:
    for title in ("a capture until it is interrupted", "captures of so many packets or seconds, and into pipes"):
        tap.count += 1
        print(f"ok {tap.count} - {title} # SKIP needs root, tcpdump and ping")
tap.done()
