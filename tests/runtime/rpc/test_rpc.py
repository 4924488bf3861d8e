#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC over the daemon's socket: the protocol, its limits, hostile clients, concurrent ones."""
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cipud import Daemon, Tap, eventually, refusal, same  # noqa: E402

tap = Tap()


def request(method, identifier=1, **parameters):
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": parameters, "id": identifier})


def error_code(daemon, text):
    client = daemon.client()
    try:
        return client.ask(text)["error"]["code"]
    finally:
        client.close()


def protocol_errors(daemon):
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": }'), -32700)
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": "version_get", "method": "x", "id": 1}'), -32700)
    same(error_code(daemon, b'{"jsonrpc": "\xff\xfe"}'), -32700)
    same(error_code(daemon, b'{"jsonrpc": "2.0", "method": "' + "é".encode() * 100 + b'", "id": 1}'), -32601)
    same(error_code(daemon, "hello"), -32700)
    same(error_code(daemon, "[" * 3000 + "]" * 3000), -32700)
    same(error_code(daemon, "{}"), -32600)
    same(error_code(daemon, "[]"), -32600)
    same(error_code(daemon, '{"jsonrpc": "1.0", "method": "version_get", "id": 1}'), -32600)
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": 1, "id": 1}'), -32600)
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": "version_get", "id": {}}'), -32600)
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": "version_get", "params": "x", "id": 1}'), -32600)
    same(error_code(daemon, request("no_such_method")), -32601)
    same(error_code(daemon, '{"jsonrpc": "2.0", "method": "version_get", "params": [1], "id": 1}'), -32602)


def after_text_that_is_no_json(daemon):
    client = daemon.client()
    client.send('{"a": ]} ' + request("version_get"))
    same(client.reply()["error"]["code"], -32700)
    assert client.closed(), "nothing after it can be trusted"


def parameters(daemon):
    client = daemon.client()
    error = refusal(-32602, client.call, "vpc_create", name="x", vnii=1)
    same(error.data["parameter"], "vnii")
    same(error.data["known"], ["name", "vni", "mac", "gateways", "mtu"])
    same(error.message, 'parameter "vnii": found an unknown name, expected one of: name, vni, mac, gateways, mtu')
    error = refusal(-32602, client.call, "vpc_create", name="x", vni="1", mac="02:00:00:00:00:01")
    same(error.message, 'parameter "vni": found a string, expected an integer from 1 to 16777215')
    error = refusal(-32602, client.call, "vpc_create", name=5)
    same(error.data["parameter"], "name")
    error = refusal(-32602, client.call, "vpc_create", name="x", vni=1)
    same(error.message, 'parameter "mac": found nothing, expected the MAC address of one station, such as 02:00:00:00:00:01')
    error = refusal(-32602, client.call, "vpc_create", name="x", vni=-1, mac="02:00:00:00:00:01")
    same(error.data["parameter"], "vni")
    refusal(-32602, client.call, "vpc_create", name="x", vni=2**63 - 1, mac="02:00:00:00:00:01")
    refusal(-32602, client.call, "vpc_create", name="x", vni=1.5, mac="02:00:00:00:00:01")
    refusal(-32602, client.call, "vpc_create", name="x" * 64, vni=1, mac="02:00:00:00:00:01")
    error = refusal(-32602, client.call, "vpc_create", name="x", vni=1, mac="02:00:00:00:00:01", gateways="10.0.0.1/24")
    same(error.message, 'parameter "gateways": found a string, expected an array')
    refusal(-32602, client.call, "vpc_create", name="x", vni=1, mac="02:00:00:00:00:01", gateways=["10.0.0.1/24"] * 5)
    refusal(-32602, client.call, "function_create", id=3, **{"queue-size": 4})
    refusal(-32602, client.call, "version_get", verbose=True)
    refusal(-32602, client.call, "log_level_set", level="loud")
    client.close()


def identifiers_and_notifications(daemon):
    client = daemon.client()
    for identifier in ("a", 7, 1.5, None, "é"):
        same(client.ask(request("version_get", identifier))["id"], identifier)
    client.send('{"jsonrpc": "2.0", "method": "version_get"} {"jsonrpc": "2.0", "method": "no_such_method"}')
    same(client.ask(request("version_get", "after"))["id"], "after")
    client.close()


def batches(daemon):
    client = daemon.client()
    replies = client.ask("[" + request("version_get", 1) + ', {"jsonrpc": "2.0", "method": "version_get"}, 5, '
                         + request("no_such_method", 2) + "]")
    same([reply["id"] for reply in replies], [1, None, 2])
    same(replies[1]["error"]["code"], -32600)
    client.send('[{"jsonrpc": "2.0", "method": "version_get"}]')
    same(client.ask(request("version_get", "after"))["id"], "after")
    same(client.ask("[" + ",".join(request("version_get", i) for i in range(257)) + "]")["error"]["code"], -32600)
    same(len(client.ask("[" + ",".join(request("version_get", i) for i in range(256)) + "]")), 256)
    client.close()


def pipelining(daemon):
    client = daemon.client()
    client.send("".join(request("version_get", i) for i in range(3000)))
    same([client.reply()["id"] for _ in range(3000)], list(range(3000)))
    client.close()


def half_closed(daemon):
    client = daemon.client()
    client.send("".join(request("stats_get", i) for i in range(300)))
    client.socket.shutdown(socket.SHUT_WR)
    same([client.reply()["id"] for _ in range(300)], list(range(300)))
    assert client.closed()


def dribbled(daemon):
    client = daemon.client()
    for byte in "  \n" + request("version_get", "\\\"}{[") + "\t":
        client.send(byte)
    same(client.reply()["id"], "\\\"}{[")
    client.close()


def large_requests(daemon):
    client = daemon.client()
    text = request("version_get", "x" * ((1 << 20) - 200))
    same(len(client.ask(text)["id"]), (1 << 20) - 200)
    client.send(" " * (3 << 20))
    same(client.ask(request("version_get", 5))["id"], 5)
    try:
        client.send('{"a": "' + "x" * (2 << 20))
    except OSError:
        pass
    same(client.reply()["error"]["code"], -32600)
    assert client.closed()


def slow_reader(daemon):
    before = daemon.memory_kib()
    slow = [daemon.client() for _ in range(8)]
    for client in slow:
        client.socket.setblocking(False)
        try:
            for _ in range(50):
                client.socket.send("".join(request("rpc_methods_get", i) for i in range(1000)).encode())
        except BlockingIOError:
            pass
    start = time.monotonic()
    other = daemon.client()
    for _ in range(20):
        other.call("version_get")
    assert time.monotonic() - start < 10, "others wait"
    growth = daemon.memory_kib() - before
    assert growth < 65536, f"{growth} KiB for eight clients that do not read"
    for client in slow:
        client.close()
    other.close()


def connection_limit(daemon):
    clients = [daemon.client() for _ in range(64)]
    for client in clients:
        client.call("version_get")
    extra = daemon.client()
    error = extra.reply()["error"]
    same((error["code"], error["data"]["errno"]), (-11, "EAGAIN"))
    assert extra.closed()
    clients.pop().close()

    def room():
        client = daemon.client()
        try:
            return "result" in (client.ask(request("version_get")) or {})
        except OSError:
            return False
        finally:
            client.close()
    eventually(room, 10, "room for one more")
    for client in clients:
        client.close()
    eventually(room, 10, "room again")


def garbage(daemon):
    import random
    source = random.Random(7)
    for _ in range(200):
        client = daemon.client()
        try:
            client.send(bytes(source.choice(b'{}[]":,\\ 0truefalsn\xff') for _ in range(source.randrange(1, 2000))))
            client.socket.shutdown(socket.SHUT_WR)
            while client.line() is not None:
                pass
        except OSError:
            pass
        client.close()
    daemon.call("version_get")


def concurrent(daemon):
    failures = []

    def work(number):
        try:
            client = daemon.client()
            for i in range(30):
                name = f"vpc-{number}-{i}"
                client.call("vpc_create", name=name, vni=1000 + number * 100 + i, mac="02:00:00:00:01:02")
                client.call("route_add", vpc=name, prefix="10.0.0.0/8", via="192.0.2.77")
                same(len(client.call("route_list", vpc=name)), 1)
                client.call("route_delete", vpc=name, prefix="10.0.0.0/8")
                client.call("vpc_delete", name=name)
            client.close()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(repr(error))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failures, [])
    same([vpc["name"] for vpc in daemon.call("vpc_list")], ["blue"])


def functions(daemon):
    client = daemon.client()
    path = daemon.folder + "/db"
    settings = {"id": 7, "name": "db", "vpc": "blue", "mac": "02:00:00:00:02:07", "addresses": ["10.0.0.7", "fd00::7"],
                "socket": path, "queue_size": 512}
    made = client.call("function_create", **settings)
    same((made["id"], made["addresses"], made["origin"], made["mtu"]), (7, ["10.0.0.7/32", "fd00::7/128"], "call", 1430))
    assert os.path.exists(path)
    same([function["name"] for function in client.call("function_list")], ["web", "db"])
    shown = client.call("function_show", name="db")
    same((shown["id"], shown["device"]["broken"], shown["frontend"]["connected"]), (7, False, False))
    same(client.call("function_show", id=7)["name"], "db")
    refusal(-17, client.call, "function_create", **settings)
    refusal(-17, client.call, "function_create", **{**settings, "id": 8})
    error = refusal(-17, client.call, "function_create", **{**settings, "id": 8, "name": "db2"})
    same(error.data["errno"], "EEXIST")
    refusal(-2, client.call, "function_create", **{**settings, "id": 8, "name": "x", "vpc": "red", "socket": path + "x"})
    refusal(-22, client.call, "function_create", id=8, name="x", vpc="blue", mac="02:00:00:00:02:08")
    refusal(-22, client.call, "function_create", id=8, name="x", vpc="blue", mac="02:00:00:00:02:08", type="access")
    refusal(-22, client.call, "function_create", **{**settings, "id": 8, "name": "x", "socket": path + "x", "mtu": 9000,
                                                     "mac": "02:00:00:00:02:08", "addresses": []})
    missing = refusal(-2, client.call, "function_create", **{**settings, "id": 8, "name": "x", "mac": "02:00:00:00:02:08",
                                                              "addresses": [], "socket": "/nonexistent/socket"})
    assert "/nonexistent/socket" in missing.message, missing.message
    same(len(client.call("function_list")), 2)
    refusal(-16, client.call, "vpc_delete", name="blue")
    refusal(-22, client.call, "function_show")
    refusal(-22, client.call, "function_delete", id=7, name="db")
    same(client.call("function_delete", name="db"), True)
    assert not os.path.exists(path)
    refusal(-2, client.call, "function_delete", id=7)
    refusal(-2, client.call, "function_show", name="db")
    client.close()


def overlay(daemon):
    client = daemon.client()
    client.call("vpc_create", name="green", vni=200, mac="02:00:00:00:01:02", gateways=["10.2.0.1/24"])
    refusal(-17, client.call, "vpc_create", name="green", vni=201, mac="02:00:00:00:01:02")
    refusal(-17, client.call, "vpc_create", name="green2", vni=200, mac="02:00:00:00:01:02")
    client.call("route_add", vpc="green", prefix="10.3.0.0/16", via="192.0.2.3")
    client.call("route_add", vpc="green", prefix="10.2.0.9", via="2001:db8::9", mac="02:00:00:00:03:09")
    refusal(-17, client.call, "route_add", vpc="green", prefix="10.3.0.0/16", via="192.0.2.4")
    refusal(-2, client.call, "route_add", vpc="red", prefix="10.3.0.0/16", via="192.0.2.4")
    refusal(-2, client.call, "route_list", vpc="red")
    same(sorted(route["prefix"] for route in client.call("route_list", vpc="green")), ["10.2.0.9/32", "10.3.0.0/16"])
    refusal(-16, client.call, "vpc_delete", name="green")
    refusal(-2, client.call, "route_delete", vpc="green", prefix="10.4.0.0/16")
    client.call("route_delete", vpc="green", prefix="10.3.0.0/16")
    client.call("route_delete", vpc="green", prefix="10.2.0.9")
    client.call("vpc_delete", name="green")
    refusal(-2, client.call, "vpc_delete", name="green")
    same(client.call("port_list")[0]["mode"], "uplink")
    same(client.call("flow_list"), [])
    same(client.call("flow_list", vpc="blue", limit=5), [])
    refusal(-2, client.call, "flow_list", vpc="red")
    same(client.call("flow_flush"), {"removed": 0})
    refusal(-2, client.call, "flow_flush", vpc="red")
    client.close()


def captures(daemon):
    client, other = daemon.client(), daemon.client()
    path = daemon.folder + "/pcap"
    refusal(-2, client.call, "capture_stop")
    refusal(-22, client.call, "capture_start", path="relative")
    refusal(-22, client.call, "capture_start", path="/dev/null")
    refusal(-32602, client.call, "capture_start", path=path, port=2)
    client.call("capture_start", path=path, port=0)
    refusal(-16, other.call, "capture_start", path=path)
    same(other.call("capture_show"), {"running": True})
    other.call("capture_stop")
    same(os.path.getsize(path), 24)
    client.call("capture_start", path=path, attached=True)
    client.close()
    eventually(lambda: not other.call("capture_show")["running"], 10, "an attached capture ends with its client")
    other.call("capture_start", path=path, seconds=1)
    eventually(lambda: not other.call("capture_show")["running"], 10, "a capture ends after its time")
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    refusal(-40, other.call, "capture_start", path=path)
    os.unlink(path)
    other.close()


def statistics(daemon):
    found = daemon.call("stats_get")
    for key in ("uptime_seconds", "events", "card", "punts", "ports", "functions", "net", "rings", "kernels"):
        assert key in found, key
    same(found["functions"][0]["name"], "web")
    assert found["kernels"], "kernels"
    same(set(found["card"]["forwarded"]), {"packets", "bytes"})


def log_levels(daemon):
    daemon.call("log_level_set", level="error")
    same(daemon.call("version_get")["log_level"], "error")
    before = len(daemon.log())
    daemon.call("vpc_create", name="quiet", vni=300, mac="02:00:00:00:01:02")
    daemon.call("vpc_delete", name="quiet")
    same(len(daemon.log()), before)
    daemon.call("log_level_set", level="debug")


def documented(daemon):
    with open(os.path.join(os.path.dirname(__file__), "../../../docs/cipud.md"), encoding="utf-8") as file:
        text = file.read()
    for method in daemon.call("rpc_methods_get"):
        assert f"`{method['name']}`" in text, f"{method['name']} is not in docs/cipud.md"
        for parameter in method["parameters"]:
            assert f"`{parameter['name']}`" in text, f"{method['name']}: {parameter['name']} is not in docs/cipud.md"


def shutdown(daemon):
    same(daemon.call("shutdown"), True)
    same(daemon.process.wait(20), 0)
    same(daemon.sockets(), [])


with Daemon() as running:
    for name, test in (
            ("malformed requests have their codes", protocol_errors),
            ("text that is no JSON ends the connection", after_text_that_is_no_json),
            ("parameters are checked strictly", parameters),
            ("ids are returned, notifications are not answered", identifiers_and_notifications),
            ("batches", batches),
            ("3000 pipelined requests", pipelining),
            ("a client that sends no more is still answered", half_closed),
            ("a request byte by byte", dribbled),
            ("requests of 1 MiB and more", large_requests),
            ("clients that do not read are bounded", slow_reader),
            ("64 clients, not more", connection_limit),
            ("random bytes", garbage),
            ("eight clients at once", concurrent),
            ("functions", functions),
            ("VPCs, routes, flows, ports", overlay),
            ("captures", captures),
            ("statistics", statistics),
            ("log levels", log_levels),
            ("all methods and parameters are documented", documented),
            ("shutdown", shutdown)):
        tap.run(name, test, running)
tap.done()
