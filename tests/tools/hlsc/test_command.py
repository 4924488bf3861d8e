#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command hlsc: exit status, what is written where, and that equal input gives equal output."""
import json
import os
import subprocess
import sys
import tempfile

HLSC = os.environ.get("B", "build/release") + "/bin/hlsc"
SPLIT, PUNT, BAD = "hls/split/split.c", "hls/punt/punt.c", "tests/tools/hlsc/refused/division.c"


def run(*arguments):
    return subprocess.run([HLSC, *arguments], capture_output=True, text=True, timeout=60, check=False)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def cases(folder):
    out = folder + "/out"
    yield "help", (result := run("--help")).returncode == 0 and result.stdout.startswith("Usage: hlsc")
    yield "no kernel is a mistake", (result := run()).returncode == 2 and result.stdout == ""
    yield "an unknown option is a mistake", run("--unknown", SPLIT).returncode == 2
    yield "a budget is a number above 0", all(run("-b", value, SPLIT).returncode == 2 for value in ("0", "x", "-1", "2x"))
    yield "a source that is not there", (result := run("--check", "gone.c")).returncode == 1 and "HLS001" in result.stderr
    yield "a compiler that is not there", run("--compiler", "/nowhere/clang", "--check", SPLIT).returncode == 1
    yield "delays that are not there", run("--delays", folder + "/gone", "--check", SPLIT).returncode == 2
    yield "a folder that cannot be made", run("-o", folder + "/gone/out", SPLIT).returncode == 2
    result = run("-o", out, SPLIT, PUNT)
    yield "one line and one module a kernel", (result.returncode == 0 and len(result.stdout.splitlines()) == 2 and
                                               sorted(os.listdir(out)) == ["punt.sv", "split.sv"])
    first = read(out + "/split.sv")
    result = run("-q", "-o", out, SPLIT)
    yield "the same again, quietly", result.stdout == result.stderr == "" and read(out + "/split.sv") == first
    result = run("-o", out, BAD, PUNT)
    yield "a bad kernel does not keep others", result.returncode == 1 and "HLS008" in result.stderr and "punt" in result.stdout
    result = run("--check", "--json", "-r", folder + "/report", SPLIT, PUNT)
    reports = [json.loads(line) for line in read(folder + "/report").splitlines()]
    yield "JSON to a file", result.stdout == "" and [report["kernel"] for report in reports] == ["split", "punt"]
    yield "a tighter budget takes more stages", (
        json.loads(run("--check", "--json", "-b", "1.2", "hls/checksum/checksum.c").stdout)["stages"] >
        json.loads(run("--check", "--json", "-b", "4", "hls/checksum/checksum.c").stdout)["stages"])
    result = run("--check", "--interval", "1", "--loop-budget", "0.5", "-b", "0.5", "hls/ring_post/ring_post.c")
    yield "what does not fit is refused with its path", result.returncode == 1 and "ring_post.c:" in result.stderr


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="hlsc-command-") as folder:
        for count, (name, good) in enumerate(cases(folder), 1):
            failed += not good
            print(f"{'' if good else 'not '}ok {count} {name}")
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
