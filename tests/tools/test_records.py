#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cipu-records: the SystemVerilog package agrees with gcc about every record and constant, and two tools read it."""
import glob
import os
import re
import subprocess
import tempfile

TOOL = os.path.abspath("build/gen/bin/cipu-records")
PACKAGE = "build/gen/hw/cipu.sv"
HEADERS = [*sorted(glob.glob("hls/include/*.h")), "hls/checksum/checksum.h", "hls/packet_gate/packet_gate.h"]
count = 0


def check(good, name, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        for line in detail.splitlines():
            print(f"# {line}")


def run(*command, **options):
    return subprocess.run(command, text=True, capture_output=True, timeout=120, **options)


def read_package(text):
    """Records as {name: [(field, bit offset, bits)]} and constants as {name: value}."""
    bits, records, constants = {}, {}, {}
    for body, name in re.findall(r"typedef struct packed \{\n(.*?)\n  \} (\w+)_t;", text, re.S):
        at, fields = 0, []
        for line in reversed(body.splitlines()):
            kind, field = re.fullmatch(r"\s+(.*) (\w+);", line).groups()
            width = re.fullmatch(r"logic \[(\d+):0\]", kind)
            width = int(width[1]) + 1 if width else bits[kind.removesuffix("_t")]
            fields.append((field.removesuffix("_"), at, width))
            at += width
        records[name], bits[name] = fields, at
    for name, base, value in re.findall(r"localparam (\w+) = (?:\d+'(h))?([0-9a-f]+);", text):
        constants[name] = int(value, 16 if base else 10)
    return records, constants


def compiler_program(records, constants):
    lines = ["#include <stdio.h>"] + [f'#include "{header}"' for header in HEADERS] + ["int main(void) {"]
    for name, fields in records.items():
        lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}) * 8);')
        for field, _, _ in fields:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}) * 8, '
                         f'sizeof(((struct {name} *)0)->{field}) * 8);')
    for name in constants:
        if not name.endswith(("_BITS", "_AT")):
            lines.append(f'printf("{name} %llu\\n", (unsigned long long)({name}));')
    return "\n".join(lines + ["}"])


def compare(folder):
    with open(PACKAGE, encoding="utf-8") as file:
        records, constants = read_package(file.read())
    source = os.path.join(folder, "layout.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(compiler_program(records, constants))
    built = run("gcc", "-std=c11", "-I.", "-o", os.path.join(folder, "layout"), source)
    check(built.returncode == 0, "gcc knows every record and constant of the package", built.stderr)
    wrong = []
    for line in run(os.path.join(folder, "layout")).stdout.splitlines():
        name, *numbers = line.split()
        numbers = [int(n) for n in numbers]
        if "." in name:
            record, field = name.split(".")
            expected = [list(f[1:]) for f in records[record] if f[0] == field][0]
        elif name in records:
            expected = [constants[name.upper() + "_BITS"]]
        else:
            expected = [constants[name]]
        if numbers != expected:
            wrong.append(f"{name}: gcc {numbers}, package {expected}")
    check(not wrong, f"{len(records)} records and {len(constants)} constants are those of gcc", "\n".join(wrong))
    check(len(records) > 30 and "dma_request" in records and constants["CARD_MAGIC"] == 0x55504943,
          "the package has what the hardware needs", str(records.keys()))


def main():
    with tempfile.TemporaryDirectory() as folder:
        compare(folder)
        done = run("verilator", "--lint-only", "-Wall", PACKAGE)
        check(done.returncode == 0, "Verilator reads the package without a warning", done.stderr)
        done = run("yosys", "-q", "-p", f"read_verilog -sv {PACKAGE}")
        check(done.returncode == 0, "yosys reads the package", done.stderr)

        header = os.path.join(folder, "bad.h")
        with open(header, "w", encoding="utf-8") as file:
            file.write("#include <stdint.h>\nstruct holey { uint8_t a; uint32_t b; };\n")
        done = run(TOOL, "--package", "-", header)
        check(done.returncode == 1 and "bad.h:2: struct holey has a hole of 3 bytes before b" in done.stderr,
              "a record with a hole is refused", done.stderr)
        with open(header, "w", encoding="utf-8") as file:
            file.write("struct broken {\n")
        done = run(TOOL, "--package", "-", header)
        check(done.returncode == 1 and "bad.h" in done.stderr, "a header that does not compile", done.stderr)
        check(run(TOOL).returncode == 2 and run(TOOL, "--what").returncode == 2, "usage")
        check(run(TOOL, "-p", "/nowhere/x.sv", HEADERS[0]).returncode == 2, "a file that cannot be written")
        made = run(TOOL, "--registers", "-", *HEADERS).stdout
        with open("docs/registers.md", encoding="utf-8") as file:
            check(made == file.read(), "docs/registers.md is that of the headers", "run make docs")
    print(f"1..{count}")


main()
