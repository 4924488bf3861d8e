#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `hlsc --vitis` writes for each kernel of the card is C++14, with a stand-in for the vendor's header, and one of
them does what its kernel does."""
import glob
import os
import subprocess
import sys
import tempfile

HLSC = os.environ.get("B", "build/release") + "/bin/hlsc"
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
    for number, (name, problems) in enumerate(tests, 1):
        print(f"{'not ' if problems else ''}ok {number} {name}")
        for problem in problems:
            print(f"# {problem}")
    print(f"1..{len(tests)}")
    return any(problems for _, problems in tests)


if __name__ == "__main__":
    sys.exit(main())
