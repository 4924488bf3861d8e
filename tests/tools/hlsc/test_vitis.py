#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `hlsc --vitis` writes for each kernel of the card is C++14, with a stand-in for the vendor's header, and one of
them does what its kernel does. What `cipu-graph --vitis` writes: modules that Verilator reads without a warning, around those
of hlsc, and scripts that name every kernel and stream."""
import glob
import os
import re
import subprocess
import sys
import tempfile

HLSC = os.environ.get("B", "build/release") + "/bin/hlsc"
GRAPH = os.environ.get("B", "build/release") + "/bin/cipu-graph"
CXX = ["g++", "-std=c++14", "-Wall", "-Wno-unknown-pragmas", "-Werror", "-I.", "-Itests/tools/hlsc/vitis"]
MAIN = """
#include "split.cpp"
int main()
{
    hls::stream<struct beat> in, packet;
    hls::stream<struct window> window;
    struct beat beat = {};
    beat.data[0] = 7;
    beat.meta.last = 1;
    beat.meta.source = ENDPOINT_PORT;
    split_top(in, packet, window);
    if (!packet.empty() || !window.empty())
        return 1;
    in.write(beat);
    split_top(in, packet, window);
    return !(in.empty() && packet.read().data[0] == 7 && window.read().data[0] == 7 && window.empty());
}
"""


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return [] if result.returncode == 0 else (result.stdout + result.stderr).splitlines() or [f"{command[0]} failed"]


def graph_files(folder, sources):
    """Problems of the RTL kernels and of the scripts around them."""
    rtl, out = f"{folder}/rtl", f"{folder}/vitis"
    os.mkdir(rtl)
    os.mkdir(out)
    problems = run(HLSC, "--quiet", "-o", rtl, *sources) + run(GRAPH, "--vitis", out)
    if problems:
        return problems
    problems = run("verilator", "--lint-only", "-Wall", "-Wno-MULTITOP", "build/gen/hw/cipu.sv", f"{out}/kernels.sv",
                   *sorted(glob.glob(f"{rtl}/*.sv")))
    texts = {}
    for name in ("kernels.sv", "package.tcl", "link.cfg"):
        with open(f"{out}/{name}", encoding="utf-8") as file:
            texts[name] = file.read()
    with open("hls/card.cfg", encoding="utf-8") as file:
        card = file.read()
    for stream in re.findall(r"^stream_connect=.*", card, re.M):
        if stream not in texts["link.cfg"]:
            problems.append(f"link.cfg: no {stream}")
    for kernel in re.findall(r"^nk=(\w+):", card, re.M):
        with open(f"{rtl}/{kernel}.sv", encoding="utf-8") as file:
            streams = re.findall(r"^ *(?:in|out)put wire \[\d+:0\] (\w+)_data,", file.read(), re.M)
        packaged = re.search(rf"^package_kernel {kernel} \{{(.*)\}}$", texts["package.tcl"], re.M)
        if not packaged or sorted(packaged[1].split()) != sorted(streams):
            problems.append(f"package.tcl: {kernel} has {streams}")
        if not os.path.exists(f"{out}/{kernel}.cfg"):
            problems.append(f"no {kernel}.cfg")
    return problems


def main():
    tests = []
    sources = [path for path in sorted(glob.glob("hls/*/*.c")) if path.split("/")[1] + ".c" == path.split("/")[2]]
    with tempfile.TemporaryDirectory(prefix="hlsc-vitis-") as folder:
        tests.append(("hlsc --vitis", run(HLSC, "--vitis", "-o", folder, *sources)))
        for source in sources:
            name = os.path.basename(source)[:-2]
            tests.append((name, run(*CXX, "-fsyntax-only", f"{folder}/{name}.cpp")))
        with open(f"{folder}/main.cpp", "w", encoding="utf-8") as file:
            file.write(MAIN)
        tests.append(("split compiled", run(*CXX, "-o", f"{folder}/split", f"{folder}/main.cpp")))
        tests.append(("split runs", run(f"{folder}/split")))
        tests.append(("cipu-graph --vitis", graph_files(folder, sources)))
    for number, (name, problems) in enumerate(tests, 1):
        print(f"{'not ' if problems else ''}ok {number} {name}")
        for problem in problems:
            print(f"# {problem}")
    print(f"1..{len(tests)}")
    return any(problems for _, problems in tests)


if __name__ == "__main__":
    sys.exit(main())
