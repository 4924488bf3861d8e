# SPDX-License-Identifier: Apache-2.0
"""What the tests of cipud share: TAP, a daemon in a folder of its own, a JSON-RPC client."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BIN = os.path.join(os.environ.get("B", "build/release"), "bin")
CONFIG = """\
card: "native:{name}"
rpc: {folder}/rpc
metrics: {folder}/metrics
ports:
  - {{id: 0, mode: uplink, mac: "02:00:00:00:00:01", ipv4: 192.0.2.1/24, ipv6: "2001:db8::1/64"}}
vpcs:
  - {{name: blue, vni: 100, mac: "02:00:00:00:01:01", gateways: [10.0.0.1/24, "fd00::1/64"]}}
functions:
  - {{id: 0, name: web, vpc: blue, mac: "02:00:00:00:02:00", addresses: [10.0.0.5], socket: {folder}/web}}
routes:
  - {{vpc: blue, prefix: 10.0.0.9, via: 192.0.2.2, mac: "02:00:00:00:03:09"}}
"""


class Tap:
    """Each function given to run() is one result; an exception is a failure."""

    def __init__(self):
        self.count = self.failed = 0

    def run(self, name, function, *arguments):
        self.count += 1
        try:
            function(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.failed += 1
            print(f"not ok {self.count} - {name}", flush=True)
            trace = error.__traceback__
            while trace.tb_next:
                trace = trace.tb_next
            print(f"# line {trace.tb_lineno}: {type(error).__name__}: {error}".replace("\n", "\n# ")[:3000], flush=True)
            return
        print(f"ok {self.count} - {name}", flush=True)

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


def same(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def eventually(condition, seconds=10, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


class Refused(Exception):
    """An error reply."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code, self.message, self.data = error["code"], error["message"], error.get("data", {})


class Client:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""
        self.id = 0

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next reply's text, or None at the end."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def reply(self):
        line = self.line()
        return None if line is None else json.loads(line)

    def ask(self, data):
        self.send(data)
        return self.reply()

    def call(self, method, **parameters):
        self.id += 1
        request = {"jsonrpc": "2.0", "method": method, "id": self.id}
        if parameters:
            request["params"] = parameters
        reply = self.ask(json.dumps(request))
        assert reply is not None, f"{method}: the daemon closed the connection"
        same(reply["jsonrpc"], "2.0")
        same(reply["id"], self.id)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def closed(self):
        """Whether the daemon closes the connection without a further reply."""
        return self.line() is None

    def close(self):
        self.socket.close()


def refusal(code, call, *arguments, **parameters):
    """Runs a call that must be refused with `code`; returns the error."""
    try:
        result = call(*arguments, **parameters)
    except Refused as error:
        same(error.code, code)
        return error
    raise AssertionError(f"not refused, but {result!r}")


class Daemon:
    def __init__(self, config=CONFIG, start=True):
        self.folder = tempfile.mkdtemp(prefix="cipud-")
        self.config_path = self.folder + "/cipud.yaml"
        self.process = None
        self.write(config)
        if start:
            try:
                self.start()
            except Exception:
                self.__exit__()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def rpc(self):
        return self.folder + "/rpc"

    def expand(self, config):
        return config.format(folder=self.folder, name=os.path.basename(self.folder))

    def write(self, config):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(self.expand(config))

    def start(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen([BIN + "/cipud", "-v", "--config", self.config_path], stderr=log, stdin=subprocess.DEVNULL)
        eventually(self.answers, 30, "the daemon answers")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"cipud ended with {self.process.returncode}: {self.log()}")
        try:
            client = self.client()
        except OSError:
            return False
        try:
            return client.call("version_get")
        finally:
            client.close()

    def client(self, timeout=30):
        return Client(self.rpc, timeout)

    def call(self, method, **parameters):
        client = self.client()
        try:
            return client.call(method, **parameters)
        finally:
            client.close()

    def log(self):
        with open(self.folder + "/log", encoding="utf-8") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        """The exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(next(line for line in file if line.startswith("VmRSS")).split()[1])

    def sockets(self):
        return sorted(name for name in os.listdir(self.folder) if name not in ("cipud.yaml", "log"))
