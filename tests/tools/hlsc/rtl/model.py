# SPDX-License-Identifier: Apache-2.0
"""Verilates a module that hlsc made and builds its bench."""
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../../../.."))


def streams_of(path):
    """(name, "in" or "out", bytes) of a module's streams."""
    with open(path, encoding="utf-8") as file:
        ports = re.findall(r"^ *(in|out)put wire \[(\d+):0\] (\w+)_data,", file.read(), re.MULTILINE)
    return [(name, direction, (int(high) + 1) // 8) for direction, high, name in ports]


def model_glue(name, streams):
    """What bench.h asks of a model; streams are (name, "in" or "out", bytes)."""
    rows = []
    for stream, direction, size in streams:
        room = f"&model.rootp->{name}__DOT__{stream}_room" if direction == "out" else "nullptr"
        rows.append(f'        {{"{stream}", {str(direction == "in").lower()}, {size}, &model.{stream}_valid, '
                    f"&model.{stream}_ready, &model.{stream}_data, {room}}},\n")
    return f"""#include "V{name}.h"
#include "V{name}___024root.h"
#include "bench.h"
static V{name} model;
void bench_eval() {{ model.eval(); }}
bench_model bench_open()
{{
    return {{&model.clk, &model.rst, &model.idle, &model.rootp->{name}__DOT__active_0, {{
{"".join(rows)}    }}}};
}}
"""


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(" ".join(command) + "\n" + done.stdout[-6000:])
    return done.stdout


def verilator_root():
    return run(["verilator", "--getenv", "VERILATOR_ROOT"]).strip()


def build_runtime(folder):
    """What all benches share; returns the objects."""
    include = os.path.join(verilator_root(), "include")
    objects = [os.path.join(folder, "bench.o")]
    run(["g++", "-O1", "-Wall", "-Wextra", "-c", os.path.join(HERE, "bench.cpp"), "-o", objects[0]])
    for name in ("verilated", "verilated_threads"):
        objects.append(os.path.join(folder, name + ".o"))
        run(["g++", "-O1", "-w", "-I" + include, "-I" + include + "/vltstd", "-c", f"{include}/{name}.cpp", "-o",
             objects[-1]])
    return objects


def build(name, folder, objects):
    """FOLDER/NAME.sv becomes FOLDER/bench; Verilator's warnings are errors. `objects` hold a reference."""
    include = os.path.join(verilator_root(), "include")
    made = os.path.join(folder, "obj")
    run(["verilator", "--cc", "-Wall", "--assert", "-DHLSC_CHECK", "--top-module", name,
         "--Mdir", made, os.path.join(folder, name + ".sv")])
    sources = sorted(path for path in os.listdir(made) if path.endswith(".cpp"))
    whole = os.path.join(folder, "whole.cpp")
    with open(whole, "w") as file:
        file.writelines(f'#include "obj/{path}"\n' for path in sources)
        file.write(model_glue(name, streams_of(os.path.join(folder, name + ".sv"))))
    run(["g++", "-O1", "-w", "-I" + include, "-I" + include + "/vltstd", "-I" + HERE, "-I" + folder, "-I" + made, whole,
         *objects, "-pthread", "-o", os.path.join(folder, "bench")])
