# SPDX-License-Identifier: Apache-2.0
"""Verilates a module that hlsc made and builds its bench."""
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
# Each program runs for a moment only: what costs is to compile it.
CXX = ["clang++-19", "-O0"]
CFLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-I."]
INTERVAL_MAX = "40"  # random kernels have long loops
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
        room = f"&model->rootp->{name}__DOT__{stream}_room" if direction == "out" else "nullptr"
        rows.append(f'        {{"{stream}", {str(direction == "in").lower()}, {size}, &model->{stream}_valid, '
                    f"&model->{stream}_ready, &model->{stream}_data, {room}}},\n")
    return f"""
static bench_model open_{name}()
{{
    static V{name} *model = new V{name};
    return {{&model->clk, &model->rst, &model->idle, &model->rootp->{name}__DOT__active_0, [] {{ model->eval(); }}, {{
{"".join(rows)}    }}}};
}}
"""


def write_unit(folder, names):
    """One C++ unit of the models in FOLDER/obj_NAME: their headers are read once."""
    path = os.path.join(folder, "whole.cpp")
    with open(path, "w", encoding="utf-8") as file:
        for name in names:
            sources = sorted(path for path in os.listdir(f"{folder}/obj_{name}") if path.endswith(".cpp"))
            file.writelines(f'#include "obj_{name}/{source}"\n' for source in sources)
            file.write(f'#include "V{name}.h"\n#include "V{name}___024root.h"\n')
        file.write('#include "bench.h"\n')
        for name in names:
            file.write(model_glue(name, streams_of(os.path.join(folder, name + ".sv"))))
        rows = "".join(f'{{"{name}", open_{name}}}, ' for name in names)
        file.write(f"const std::vector<bench_entry> bench_models = {{{rows}}};\n")
    return path


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


def objects_of(folder, sources):
    objects = []
    for source in sources:
        objects.append(os.path.join(folder, source.replace("/", "_") + ".o"))
        run(["cc", *CFLAGS, "-c", source, "-o", objects[-1]])
    return objects


def kernel_objects(folder, build_folder, runtime):
    """What a bench needs beside its models to compare them with kernels as C."""
    here = os.path.relpath(os.path.dirname(HERE), ROOT)
    llvm = run(["llvm-config-19", "--ldflags", "--libs"]).split()
    objects = objects_of(folder, [f"{here}/rtl/kernel_reference.c", f"{here}/native.c", f"{here}/stimulus.c"])
    return [*objects, f"{build_folder}/lib/libhlsc-front.a", f"{build_folder}/lib/libhlsc.a", *llvm, "-ldl", *runtime]


def build(names, folder, objects):
    """FOLDER/NAME.sv, one or several, become FOLDER/bench; Verilator's warnings are errors. `objects` hold a reference."""
    include = os.path.join(verilator_root(), "include")
    for name in names:
        run(["verilator", "--cc", "-Wall", "--assert", "-DHLSC_CHECK", "--top-module", name,
             "--Mdir", os.path.join(folder, "obj_" + name), os.path.join(folder, name + ".sv")])
    run([*CXX, "-w", "-I" + include, "-I" + include + "/vltstd", "-I" + HERE, "-I" + folder,
         *(f"-I{folder}/obj_{name}" for name in names), write_unit(folder, names), *objects, "-pthread", "-o",
         os.path.join(folder, "bench")])
