#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: start, refusals, kill -9, reload, metrics."""
import http.client
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cipud import BIN, CONFIG, Daemon, Tap, eventually, refusal, same  # noqa: E402

tap = Tap()


def run_cipud(daemon, *arguments):
    """(exit status, standard output, standard error) of one that must end by itself."""
    command = [BIN + "/cipud", *(arguments or ("--config", daemon.config_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def clean_end():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Daemon() as daemon:
            same(daemon.sockets(), ["metrics", "rpc", "rpc.lock", "web"])
            same(daemon.stop(number), 0)
            same(daemon.sockets(), [])


def socket_modes():
    with Daemon() as daemon:
        for name in ("rpc", "metrics"):
            same(oct(os.stat(daemon.folder + "/" + name).st_mode & 0o777), "0o600")


def second_daemon():
    with Daemon() as daemon:
        status, _, log = run_cipud(daemon)
        same(status, 1)
        assert "another cipud serves" in log, log
        daemon.call("version_get")
        same(daemon.sockets(), ["metrics", "rpc", "rpc.lock", "web"])


def killed():
    with Daemon() as daemon:
        daemon.call("vpc_create", name="lost", vni=900, mac="02:00:00:00:01:09")
        daemon.stop(signal.SIGKILL)
        same(daemon.sockets(), ["metrics", "rpc", "rpc.lock", "web"])
        daemon.start()
        same([vpc["name"] for vpc in daemon.call("vpc_list")], ["blue"])
        same([function["name"] for function in daemon.call("function_list")], ["web"])
        same(daemon.stop(), 0)
        same(daemon.sockets(), [])


def refused(what, config, expected, prepare=None):
    def test():
        with Daemon(config, start=False) as daemon:
            left = []
            if prepare:
                left = prepare(daemon)
            status, _, log = run_cipud(daemon)
            same(status, 1)
            assert re.search(expected, log), log
            same([name for name in daemon.sockets() if name not in left], [])
    tap.run("refused: " + what, test)


listeners = []


def live_socket(name):
    def prepare(daemon):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(daemon.folder + "/" + name)
        listener.listen()
        listeners.append(listener)
        return [name]
    return prepare


def plain_file(daemon):
    with open(daemon.folder + "/rpc", "w", encoding="utf-8") as file:
        file.write("precious")
    return ["rpc"]


def check_option():
    with Daemon(start=False) as daemon:
        status, out, log = run_cipud(daemon, "--check", daemon.config_path)
        same((status, out, log), (0, f"{daemon.config_path}: 1 ports, 1 VPCs, 1 functions, 1 routes, 0 disks, 0 volumes, 0 subsystems, 0 controllers\n", ""))
        daemon.write(CONFIG.replace("vni: 100", "vni: no").replace("id: 0, name: web", "id: 300, name: web"))
        status, out, log = run_cipud(daemon, "--check", daemon.config_path)
        same((status, out), (1, ""))
        same(log.splitlines(), [
            f'{daemon.config_path}:7: vpcs[0].vni: found "no", expected an integer from 1 to 16777215',
            f'{daemon.config_path}:9: functions[0].id: found "300", expected an integer from 0 to 126'])
        same(run_cipud(daemon, "--no-such-option")[0], 2)
        same(run_cipud(daemon, "argument")[0], 2)
        status, out, _ = run_cipud(daemon, "--version")
        same((status, out[:6]), (0, "cipud "))


def examples():
    folder = os.path.join(os.path.dirname(__file__), "../../../docs/examples")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
    assert names, "no examples"
    for name in names:
        status, _, log = run_cipud(None, "--check", os.path.join(folder, name))
        same((name, status, log), (name, 0, ""))


EXTENDED = CONFIG.replace("functions:\n", """\
  - {{name: green, vni: 200, mac: "02:00:00:00:01:02", gateways: [10.0.0.1/24]}}
functions:
  - {{id: 4, name: db, vpc: green, mac: "02:00:00:00:02:04", addresses: [10.0.0.5], socket: {folder}/db}}
""") + "  - {{vpc: green, prefix: 10.4.0.0/16, via: 192.0.2.4}}\n"


def reload(daemon, config):
    mark = len(daemon.log())
    daemon.write(config)
    daemon.process.send_signal(signal.SIGHUP)
    return eventually(lambda: re.search(r'.*msg="(configuration reloaded|the reload is refused.*)".*', daemon.log()[mark:]), 20,
                      "the reload").group(0)


def reload_difference():
    with Daemon() as daemon:
        client = socket.socket(socket.AF_UNIX)
        client.connect(daemon.folder + "/web")
        eventually(lambda: daemon.call("function_show", id=0)["connected"], 10, "connected")
        daemon.call("function_create", id=9, name="mine", vpc="blue", mac="02:00:00:00:02:09", socket=daemon.folder + "/mine")
        assert "applied=3 refused=0" in reload(daemon, EXTENDED)
        same([function["name"] for function in daemon.call("function_list")], ["web", "db", "mine"])
        same(len(daemon.call("route_list", vpc="green")), 1)
        assert "applied=0 refused=0" in reload(daemon, EXTENDED), "nothing changed"
        # Another address and another gateway: the device and its client stay.
        changed = EXTENDED.replace("[10.0.0.5], socket: {folder}/web", "[10.0.0.6], socket: {folder}/web")
        assert "refused=0" in reload(daemon, changed)
        shown = daemon.call("function_show", id=0)
        same((shown["addresses"], shown["frontend"]["connections"], shown["connected"]), (["10.0.0.6/32"], 1, True))
        # Another socket: a new device.
        moved = changed.replace("socket: {folder}/web", "socket: {folder}/www")
        assert "refused=0" in reload(daemon, moved)
        assert os.path.exists(daemon.folder + "/www") and not os.path.exists(daemon.folder + "/web")
        # What a remote call made stays, and keeps its VPC from being changed.
        assert "refused=" in reload(daemon, moved.replace("vni: 100", "vni: 101"))
        same([vpc["vni"] for vpc in daemon.call("vpc_list") if vpc["name"] == "blue"], [100])
        same([function["name"] for function in daemon.call("function_list")], ["web", "db", "mine"])
        daemon.call("function_delete", name="mine")
        assert "refused=0" in reload(daemon, moved.replace("vni: 100", "vni: 101")), "is tried again"
        same([vpc["vni"] for vpc in daemon.call("vpc_list") if vpc["name"] == "blue"], [101])
        assert "refused=0" in reload(daemon, CONFIG)
        same([function["name"] for function in daemon.call("function_list")], ["web"])
        same([vpc["name"] for vpc in daemon.call("vpc_list")], ["blue"])
        same(len(daemon.call("route_list")), 1)
        client.close()
        same(daemon.stop(), 0)


def reload_refused():
    with Daemon() as daemon:
        for config, why in ((CONFIG.replace("native:{name}", "native:other"), "key=card"),
                            (CONFIG.replace("192.0.2.1/24", "192.0.2.7/24"), "key=ports"),
                            (CONFIG.replace("rpc: {folder}/rpc", "rpc: {folder}/other"), "key=rpc"),
                            (EXTENDED.replace("vni: 200", "vni: x"), 'cipud.yaml:8: vpcs\\[1\\].vni')):
            assert re.search(why, reload(daemon, config)), daemon.log()
            same(len(daemon.call("vpc_list")), 1)
        refusal(-22, daemon.call, "config_reload")
        daemon.write(EXTENDED)
        same(daemon.call("config_reload"), True)
        same(len(daemon.call("vpc_list")), 2)


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def scrape(path, method="GET", url="/metrics"):
    connection = UnixHttp(path)
    connection.request(method, url)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, response.getheader("Content-Type"), body


SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?[0-9.]+(?:e[+-]?\d+)?)$')


def parse_metrics(text):
    """What promtool check metrics demands: HELP and TYPE once and first, no metric twice, groups unbroken, counters end in _total."""
    assert text.endswith("\n")
    helps, types, samples, closed, current = {}, {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# "):
            kind, name, rest = re.match(r"# (HELP|TYPE) (\S+) (.+)$", line).groups()
            table = helps if kind == "HELP" else types
            assert name not in table, line
            table[name] = rest
            if name != current:
                closed.add(current)
                current = name
            assert name not in closed, line
            continue
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match.groups()
        same(name, current)
        assert name in helps and types[name] in ("counter", "gauge"), line
        assert (types[name] == "counter") == name.endswith("_total"), line
        assert (name, labels) not in samples, line
        samples[name, labels] = float(value)
    return samples


def metrics():
    with Daemon() as daemon:
        path = daemon.folder + "/metrics"
        status, kind, text = scrape(path)
        same((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        samples = parse_metrics(text)
        names = {name for name, _ in samples}
        for name in ("cipu_packets_total", "cipu_port_packets_total", "cipu_function_packets_total", "cipu_flows",
                     "cipu_kernel_activations_total", "cipu_slow_path_total", "cipu_function_queue_stops_total",
                     "cipu_frontend_messages_total", "cipu_ring_dropped_total", "cipu_build_info"):
            assert name in names, name
        same(samples["cipu_function_packets_total", 'function="0",name="web",vpc="blue",direction="sent"'], 0)
        same(scrape(path, url="/")[0], 404)
        assert scrape(path, method="POST")[0] >= 400
        with open(os.path.join(os.path.dirname(__file__), "../../../docs/cipud.md"), encoding="utf-8") as file:
            documentation = file.read()
        for name in names:
            assert f"`{name}`" in documentation, f"{name} is not in docs/cipud.md"


def hostile_metrics():
    with Daemon() as daemon:
        path = daemon.folder + "/metrics"
        idle = []
        for _ in range(60):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(b"GET /metrics")
            idle.append(connection)
        descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        assert descriptors < 150, descriptors
        daemon.call("version_get")
        for connection in idle:
            connection.close()
        eventually(lambda: scrape(path)[0] == 200, 20, "metrics again")
        for data in (b"\r\n\r\n", b"\0" * 100, b"GET " + b"x" * 100000, b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 20000):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(15)
            connection.connect(path)
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass
            connection.close()
        same(scrape(path)[0], 200)
        for _ in range(100):
            same(scrape(path)[0], 200)
        same(daemon.stop(), 0)


def metrics_over_tcp():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Daemon(CONFIG.replace("{folder}/metrics", f"127.0.0.1:{port}")) as daemon:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/metrics")
        parse_metrics(connection.getresponse().read().decode())
        connection.close()
        same(daemon.stop(), 0)


def access_port():
    config = CONFIG.replace("vpcs:\n", '  - {{id: 1, mode: access, function: 5, mac: "02:00:00:00:00:02"}}\nvpcs:\n').replace(
        "routes:\n", '  - {{id: 5, name: wire, vpc: blue, mac: "02:00:00:00:02:05", addresses: [10.0.0.50], type: access}}\nroutes:\n')
    with Daemon(config) as daemon:
        same([function["type"] for function in daemon.call("function_list")], ["virtio-net", "access"])
        same([port["mode"] for port in daemon.call("port_list")], ["uplink", "access"])
        same(daemon.call("port_list")[1]["function"], 5)
        same(daemon.stop(), 0)


tap.run("a clean end removes all sockets", clean_end)
tap.run("sockets are their owner's", socket_modes)
tap.run("a second daemon on one socket is refused", second_daemon)
tap.run("after kill -9 the same file serves again", killed)
refused("a card that is not there", CONFIG.replace("native:{name}", "abacus:"), "level=error")
refused("a port that cannot be opened", CONFIG.replace("native:{name}", "native:{name}?port0=packet:no-such-if"), "no-such-if")
refused("a folder that is not there", CONFIG.replace("{folder}/web", "{folder}/no/web"), "/no/web")
refused("an RPC socket in a folder that is not there", CONFIG.replace("{folder}/rpc", "{folder}/no/rpc"), "/no/rpc")
refused("a function's socket that answers", CONFIG, "/web", live_socket("web"))
refused("a metrics socket that answers", CONFIG, "/metrics", live_socket("metrics"))
refused("an RPC socket that answers", CONFIG, "/rpc", live_socket("rpc"))
refused("an RPC socket that is a file", CONFIG, "no socket", plain_file)
refused("a metrics address of another host", CONFIG.replace("{folder}/metrics", "192.0.2.99:9100"), "metrics 192.0.2.99:9100")
refused("a wrong configuration", CONFIG.replace("vni", "vnii"), r"cipud.yaml:7: vpcs\[0\].vnii")
tap.run("cipud --check", check_option)
tap.run("the examples are right", examples)
tap.run("a reload applies the difference", reload_difference)
tap.run("a reload is refused as a whole", reload_refused)
tap.run("metrics", metrics)
tap.run("hostile clients of the metrics", hostile_metrics)
tap.run("metrics over TCP", metrics_over_tcp)
tap.run("access ports", access_port)
tap.done()
