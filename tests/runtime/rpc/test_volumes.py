#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks and volumes of a running daemon: from the file, by calls, by the command line; reload, kill -9, metrics."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cipud import BIN, CONFIG, Daemon, Tap, eventually, refusal, same  # noqa: E402

MIB = 1 << 20
VOLUMES = CONFIG + """\
disks:
  - {{name: fast, path: {folder}/disk, size: 64MiB, create: true}}
volumes:
  - {{name: root, backend: "disk:fast/root", size: 8MiB, create: true, iops: 5000, weight: 7}}
  - {{name: scratch, backend: "memory:", size: 16MiB, block-size: 4096}}
"""
tap = Tap()


def names(daemon):
    return [volume["name"] for volume in daemon.call("volume_list")]


def volume(daemon, name):
    return next(volume for volume in daemon.call("volume_list") if volume["name"] == name)


def from_the_file():
    with Daemon(VOLUMES) as daemon:
        same(names(daemon), ["root", "scratch"])
        root, scratch = daemon.call("volume_list")
        same((root["size"], root["block_size"], root["iops"], root["weight"], root["origin"], root["attachments"]),
             (8 * MIB, 512, 5000, 7, "file", 0))
        same((scratch["size"], scratch["block_size"], scratch["weight"], scratch["read_only"]), (16 * MIB, 4096, 100, False))
        same(re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", root["uuid"]) is not None, True)
        disk, = daemon.call("disk_list")
        same((disk["name"], disk["volumes"]), ("fast", [{"name": "root", "size": 8 * MIB, "open": True}]))
        same(disk["free"] % disk["extent_size"], 0)


def calls():
    with Daemon(VOLUMES) as daemon:
        made = daemon.call("volume_create", name="data", backend="disk:fast/data", size="12MiB", create=True)
        same((made["size"], made["origin"]), (12 * MIB, "call"))
        refusal(-17, daemon.call, "volume_create", name="data", backend="memory:", size=4096)
        refusal(-16, daemon.call, "volume_create", name="again", backend="disk:fast/data")
        refusal(-28, daemon.call, "volume_create", name="huge", backend="disk:fast/huge", size="1TiB", create=True)
        refusal(-2, daemon.call, "volume_create", name="lost", backend="file:/nonexistent/x")
        refusal(-22, daemon.call, "volume_create", name="odd", backend="ftp:x", size=4096)
        refusal(-32602, daemon.call, "volume_create", name="odd", backend="memory:", size="4GB")
        same(daemon.call("volume_resize", name="data", size="16MiB")["size"], 16 * MIB)
        refusal(-22, daemon.call, "volume_resize", name="data", size=4096)
        refusal(-2, daemon.call, "volume_resize", name="nobody", size=4096)
        limited = daemon.call("volume_set_qos", name="data", iops=100, bandwidth="10MiB")
        same((limited["iops"], limited["bandwidth"], limited["weight"]), (100, 10 * MIB, 100))
        limited = daemon.call("volume_set_qos", name="data", iops=0, weight=3)
        same(("iops" in limited, limited["bandwidth"], limited["weight"]), (False, 10 * MIB, 3))
        daemon.call("volume_erase", name="data")
        daemon.call("volume_erase", name="scratch")
        rows = daemon.call("volume_latency", name="data")
        same([(row["operation"], row["stage"]) for row in rows][:5],
             [("read", stage) for stage in ("fetch", "queue", "backend", "complete", "total")])
        free = daemon.call("disk_list")[0]["free"]
        refusal(-22, daemon.call, "volume_delete", name="scratch", destroy=True)
        daemon.call("volume_delete", name="data")
        same(daemon.call("disk_list")[0]["free"], free)
        daemon.call("volume_create", name="data", backend="disk:fast/data")
        daemon.call("volume_delete", name="data", destroy=True)
        same(daemon.call("disk_list")[0]["free"], free + 16 * MIB)
        refusal(-2, daemon.call, "volume_delete", name="data")
        same(names(daemon), ["root", "scratch"])


def faults():
    with Daemon(VOLUMES + '  - {{name: drill, backend: "fault:read-error,memory:", size: 1MiB}}\n') as daemon:
        same(volume(daemon, "drill")["faults"], "read-error")
        daemon.call("volume_set_faults", name="drill", rules="write-error=0x1000-0x2000*3;read-delay@5000")
        same(volume(daemon, "drill")["faults"], "write-error=0x1000-0x2000*3;read-delay@5000")
        same(daemon.call("volume_set_faults", name="drill", rules="none")["faults"], "none")
        error = refusal(-22, daemon.call, "volume_set_faults", name="drill", rules="write-burn")
        assert "expected OPERATION-ACTION" in error.message, error.message
        error = refusal(-22, daemon.call, "volume_set_faults", name="scratch", rules="read-error")
        assert "volume scratch: its backend is no fault:" in error.message, error.message
        refusal(-2, daemon.call, "volume_set_faults", name="nobody", rules="none")
        refusal(-32602, daemon.call, "volume_set_faults", name="drill")
        # What went wrong with writes does not any more, and the other way around.
        daemon.call("volume_erase", name="drill")
        daemon.call("volume_set_faults", name="drill", rules="erase-error;zeroes-error")
        refusal(-5, daemon.call, "volume_erase", name="drill")
        daemon.call("volume_set_faults", name="drill", rules="none")
        daemon.call("volume_erase", name="drill")


def encrypted():
    with Daemon(VOLUMES) as daemon:
        key, other = (os.path.join(daemon.folder, name) for name in ("key", "other"))
        for path in (key, other):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(os.urandom(32).hex() + "\n")
        backend = f"crypt:{key},disk:fast/secret"
        free = daemon.call("disk_list")[0]["free"]
        made = daemon.call("volume_create", name="secret", backend=backend, size="4MiB", create=True)
        same((made["size"], made["encrypted"], made["backend"]), (4 * MIB, True, backend))
        same(volume(daemon, "root")["encrypted"], False)
        daemon.call("volume_erase", name="secret")
        same(daemon.call("volume_resize", name="secret", size="6MiB")["size"], 6 * MIB)
        daemon.call("volume_delete", name="secret")
        wrong = refusal(-13, daemon.call, "volume_create", name="secret", backend=f"crypt:{other},disk:fast/secret")
        same("this key file does not open" in str(wrong), True)
        refusal(-16, daemon.call, "volume_create", name="secret", backend=f"crypt:{key},disk:fast/root")
        os.chmod(key, 0o644)
        refusal(-1, daemon.call, "volume_create", name="secret", backend=backend)
        os.chmod(key, 0o600)
        same(daemon.call("volume_create", name="secret", backend=backend)["size"], 6 * MIB)
        daemon.call("volume_delete", name="secret", destroy=True)
        same(daemon.call("disk_list")[0]["free"], free)
        with open(key, encoding="ascii") as file:
            same(file.read().strip() in daemon.log(), False)


def killed():
    with Daemon(VOLUMES) as daemon:
        daemon.call("volume_create", name="data", backend="disk:fast/data", size="12MiB", create=True)
        uuid = volume(daemon, "root")["uuid"]
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.start()
        same(names(daemon), ["root", "scratch"])
        same(volume(daemon, "root")["uuid"], uuid)
        same([one["name"] for one in daemon.call("disk_list")[0]["volumes"]], ["root", "data"])


def reload(daemon, config):
    daemon.write(config)
    mark = len(daemon.log())
    daemon.process.send_signal(signal.SIGHUP)
    return eventually(lambda: re.search(r'.*msg="(configuration reloaded|the reload is refused.*)".*', daemon.log()[mark:]), 20,
                      "the reload").group(0)


def reloaded():
    with Daemon(VOLUMES) as daemon:
        assert "applied=0 refused=0" in reload(daemon, VOLUMES)
        changed = VOLUMES.replace("size: 8MiB", "size: 12MiB").replace("iops: 5000", "iops: 70")
        assert "applied=1 refused=0" in reload(daemon, changed)
        same((volume(daemon, "root")["size"], volume(daemon, "root")["iops"]), (12 * MIB, 70))
        assert "refused=1" in reload(daemon, VOLUMES), "shrinking"
        same(volume(daemon, "root")["size"], 12 * MIB)
        grown = changed + '  - {{name: more, backend: "file:{folder}/more", size: 1MiB, create: true}}\n'
        assert "applied=2 refused=0" in reload(daemon, grown)
        same(names(daemon), ["root", "scratch", "more"])
        assert "applied=2 refused=0" in reload(daemon, grown.replace("block-size: 4096", "block-size: 512")), "another volume"
        same(volume(daemon, "scratch")["block_size"], 512)
        daemon.call("volume_create", name="mine", backend="null:", size=4096)
        assert "refused=0" in reload(daemon, CONFIG), "all are gone"
        same((names(daemon), daemon.call("disk_list")), (["mine"], []))


TENANT = "nqn.2026-11.org.example:tenant"
SUBSYSTEMS = "state: {folder}\n" + VOLUMES + f"""\
subsystems:
  - {{{{name: tenant, nqn: "{TENANT}", place: "disk:fast", capacity: 24MiB, namespaces: 3, iops: 900}}}}
controllers:
  - {{{{id: 5, name: one, type: nvme, socket: {{folder}}/one, subsystem: "{TENANT}", volumes: [root]}}}}
  - {{{{id: 6, name: two, type: nvme, socket: {{folder}}/two, volumes: [scratch]}}}}
"""


def subsystems():
    with Daemon(SUBSYSTEMS) as daemon:
        by_nqn = {one["nqn"]: one for one in daemon.call("subsystem_list")}
        tenant = by_nqn.pop(TENANT)
        same((tenant["name"], tenant["place"], tenant["capacity"], tenant["unallocated"], tenant["namespaces"], tenant["iops"]),
             ("tenant", "disk:fast", 24 * MIB, 24 * MIB, 3, 900))
        same((tenant["controllers"], tenant["attached"]), (["one"], [{"nsid": 1, "volume": "root", "controllers": 1}]))
        same(list(by_nqn.values()), [{"nqn": "nqn.2026-11.org.opencipu:two", "controllers": ["two"],
                                      "attached": [{"nsid": 1, "volume": "scratch", "controllers": 1}]}])
        # Names that guests' volumes have are theirs.
        refusal(-17, daemon.call, "volume_create", name="tenant-ns7", backend="memory:", size=4096)
        refusal(-17, daemon.call, "volume_create", name="sneaky", backend="disk:fast/tenant-ns7", size=4096, create=True)
        daemon.call("volume_create", name="tenant-nsx", backend="memory:", size=4096)
        # Limits change as guests run; a place does not.
        assert "applied=1 refused=0" in reload(daemon, SUBSYSTEMS.replace("capacity: 24MiB", "capacity: 32MiB"))
        same(daemon.call("subsystem_list")[-1]["capacity"], 32 * MIB)
        moved = SUBSYSTEMS.replace("disks:\n", "disks:\n  - {{name: slow, path: {folder}/slow, size: 64MiB, create: true}}\n")
        assert "applied=1 refused=2" in reload(daemon, moved.replace('place: "disk:fast"', 'place: "disk:slow"'))
        assert "this key needs a restart" in reload(daemon, SUBSYSTEMS.replace("state: {folder}", "state: /"))
        # Without controllers it can go; where its disk is not free, what is free counts.
        alone = SUBSYSTEMS[:SUBSYSTEMS.index("controllers:")].replace("capacity: 24MiB", "capacity: 1TiB")
        assert "refused=0" in reload(daemon, alone)
        only, = daemon.call("subsystem_list")
        same((only["controllers"], only["unallocated"]), ([], daemon.call("disk_list")[0]["free"]))
        assert "refused=0" in reload(daemon, VOLUMES.replace("card:", "state: {folder}\ncard:"))
        same(daemon.call("subsystem_list"), [])


def kept_namespaces():
    """What is kept is read with suspicion: a daemon does not start with less than guests had."""
    good = '{"version":1,"controllers":["one"],"namespaces":[%s]}'
    one = '{"nsid":2,"uuid":"000102030405460788090a0b0c0d0e0f","block_size":4096,"ana_group":1,"shared":true,"going":%s,"controllers":[0]}'
    with Daemon(SUBSYSTEMS, start=False) as daemon:
        def keep(text):
            with open(daemon.folder + "/namespaces-tenant", "w", encoding="utf-8") as file:
                file.write(text)

        def fails():
            done = subprocess.run([BIN + "/cipud", "--config", daemon.config_path], capture_output=True, text=True, timeout=60, check=False)
            same(done.returncode, 1)
            return done.stderr
        for text in ("", "{", good % "" + "x", good % one % '"no"', good % (one % "true" + "," + one % "true"),
                     good % one.replace("4096", "1024") % "false", good % one.replace('"nsid":2', '"nsid":65') % "false",
                     good % one.replace("0f", "0g") % "false", good % one.replace("[0]", "[64]") % "false",
                     good.replace("1", "2", 1) % "", good.replace('"one"', "7") % ""):
            keep(text)
            assert "what is kept of its namespaces" in (log := fails()), (text, log)
            assert "is damaged" in log, log
        keep(good % one % "false")
        assert "disk:fast/tenant-ns2: there is no such volume" in (log := fails()), log
        daemon.write(SUBSYSTEMS.replace("state: {folder}", "state: {folder}/unmounted"))
        assert "/unmounted, which its namespaces are kept in" in (log := fails()), log
        daemon.write(SUBSYSTEMS)
        # One that was being made when the daemon died is gone.
        keep(good % one % "true")
        daemon.start()
        same(names(daemon), ["root", "scratch"])
        with open(daemon.folder + "/namespaces-tenant", encoding="utf-8") as file:
            same(json.load(file), {"version": 1, "controllers": ["one"], "namespaces": []})
        # A volume of the disk that is there: it is opened with its form and attached.
        same(daemon.stop(), 0)
        daemon.write(VOLUMES)
        daemon.start()
        daemon.call("volume_create", name="x", backend="disk:fast/tenant-ns2", size="5MiB", create=True)
        same(daemon.stop(), 0)
        keep(good % one % "false")
        daemon.write(SUBSYSTEMS)
        daemon.start()
        kept = volume(daemon, "tenant-ns2")
        same((kept["size"], kept["block_size"], kept["origin"], kept["attachments"], kept["uuid"], kept["iops"]),
             (5 * MIB, 4096, "guest", 1, "00010203-0405-4607-8809-0a0b0c0d0e0f", 900))
        same(daemon.call("subsystem_list")[-1]["unallocated"], 16 * MIB)
        # It belongs to its subsystem, and the operator can take it away and delete it.
        refusal(-1, daemon.call, "volume_attach", controller="two", volume="tenant-ns2")
        refusal(-1, daemon.call, "controller_create", id=9, name="nine", type="virtio-blk", socket=daemon.folder + "/nine",
                volumes=["tenant-ns2"])
        refusal(-1, daemon.call, "volume_delete", name="tenant-ns2")
        refusal(-16, daemon.call, "volume_delete", name="tenant-ns2", destroy=True)
        daemon.call("volume_detach", controller="one", volume="tenant-ns2")
        daemon.call("volume_attach", controller="one", volume="tenant-ns2")
        daemon.call("controller_delete", name="one")
        daemon.call("controller_create", id=7, name="one", type="nvme", socket=daemon.folder + "/one", subsystem=TENANT)
        same(volume(daemon, "tenant-ns2")["attachments"], 1)
        daemon.call("controller_delete", name="one")
        # One that a single controller has at a time leaves one that is not there.
        same(daemon.stop(), 0)
        keep(good % one.replace("true", "false", 1) % "false")
        daemon.write(SUBSYSTEMS.replace("name: one", "name: three"))
        daemon.start()
        same(volume(daemon, "tenant-ns2")["attachments"], 0)
        daemon.call("volume_attach", controller="three", volume="tenant-ns2")
        daemon.call("controller_create", id=7, name="one", type="nvme", socket=daemon.folder + "/seven", subsystem=TENANT)
        refusal(-16, daemon.call, "volume_attach", controller="one", volume="tenant-ns2")
        daemon.call("controller_delete", name="one")
        daemon.call("controller_delete", name="three")
        daemon.call("volume_delete", name="tenant-ns2", destroy=True)
        same(([one["name"] for one in daemon.call("disk_list")[0]["volumes"]], daemon.call("subsystem_list")[-1]["unallocated"]),
             (["root"], 24 * MIB))


def controllers_and_reservations():
    with Daemon(SUBSYSTEMS) as daemon:
        shown = daemon.call("controller_show", name="one")
        same((shown["id"], shown["connected"], shown["ana_groups"], shown["fatal"], shown["host"]), (5, False, ["optimized"] * 16, False, "0" * 32))
        same(set(shown["counters"].values()), {0})
        refusal(-2, daemon.call, "controller_show", name="nobody")
        counted = {one["name"]: one for one in daemon.call("stats_get")["controllers"]}
        same(sorted(counted), ["one", "two"])
        same(set(shown["counters"]) < set(counted["one"]), True)
        same(daemon.call("reservation_list"), [])
        same([(one["volume"], one["nsid"], one["type"], one["registrants"]) for one in daemon.call("reservation_list", name="root")],
             [("root", 1, "none", [])])
        same(daemon.call("reservation_clear", name="root"), True)
        refusal(-2, daemon.call, "reservation_list", name="nobody")
        refusal(-2, daemon.call, "reservation_clear", name="nobody")
        daemon.call("volume_create", name="loose", backend="memory:", size=4096)
        error = refusal(-2, daemon.call, "reservation_clear", name="loose")
        same(error.message, "volume loose is no namespace: nobody can have reserved it")


def refused_files():
    for text, message in (('volumes:\n  - {{name: a, backend: "file:{folder}/a"}}\n', "No such file"),
                          ('disks:\n  - {{name: d, path: {folder}/d}}\n', "No such file"),
                          ('disks:\n  - {{name: d, path: {folder}/cipud.yaml, create: true}}\n', "disk d: ")):
        with Daemon(CONFIG + text, start=False) as daemon:
            done = subprocess.run([BIN + "/cipud", "--config", daemon.config_path], capture_output=True, text=True, timeout=60, check=False)
            same((done.returncode, message in done.stderr), (1, True))


def command_line():
    with Daemon(VOLUMES) as daemon:
        def cipu(*words):
            return subprocess.run([BIN + "/cipu", "--socket", daemon.rpc, *words], capture_output=True, text=True, timeout=60,
                                  check=True).stdout
        cipu("volume", "create", "data", "backend", "disk:fast/data", "size", "8MiB", "create", "iops", "50", "bandwidth", "1MiB")
        table = [line.split() for line in cipu("volume", "list").splitlines()]
        same(table[0], ["NAME", "BACKEND", "SIZE", "BLOCK", "READ-ONLY", "IOPS", "BANDWIDTH", "WEIGHT", "ATTACHED", "ORIGIN"])
        same(table[3], ["data", "disk:fast/data", str(8 * MIB), "512", "no", "50", str(MIB), "100", "0", "call"])
        cipu("volume", "resize", "data", "12MiB")
        cipu("volume", "qos", "data", "iops", "0", "weight", "9")
        same(json.loads(cipu("--json", "volume", "list"))[2]["size"], 12 * MIB)
        same(len(cipu("volume", "latency", "data").splitlines()), 11)
        cipu("volume", "create", "drill", "backend", "fault:read-error,memory:", "size", "1MiB")
        cipu("volume", "fault", "drill", "none")
        cipu("volume", "delete", "drill")
        cipu("volume", "erase", "data")
        same(cipu("disk", "list").splitlines()[1].split()[-1], "root,data")
        cipu("volume", "delete", "data", "destroy")
        same(names(daemon), ["root", "scratch"])


def metrics():
    with Daemon(SUBSYSTEMS) as daemon:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(daemon.folder + "/metrics")
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        for line in (f'cipu_volume_bytes{{volume="root"}} {8 * MIB}', 'cipu_volume_operations_total{volume="scratch",operation="read"} 0',
                     'cipu_volume_errors_total{volume="root",operation="discard"} 0',
                     'cipu_volume_latency_seconds_bucket{volume="root",operation="write",le="+Inf"} 0',
                     'cipu_controller_commands_total{function="5",name="one"} 0', 'cipu_controller_errors_total{function="6",name="two"} 0',
                     'cipu_controller_resets_total{function="5",name="one"} 0', 'cipu_controller_connected{function="5",name="one"} 0',
                     '# TYPE cipu_volume_latency_seconds histogram'):
            assert line in text, line
        same([one["name"] for one in daemon.call("stats_get")["volumes"]], ["root", "scratch"])


for test in (from_the_file, calls, faults, encrypted, killed, reloaded, subsystems, kept_namespaces, controllers_and_reservations, refused_files,
             command_line, metrics):
    tap.run(test.__name__, test)
tap.done()
