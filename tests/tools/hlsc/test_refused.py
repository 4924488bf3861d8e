#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hlsc refuses each kernel of tests/tools/hlsc/refused with exactly the messages that its comments expect, has a test for
every code, and explains every code."""
import glob
import os
import re
import subprocess
import sys

HLSC = os.environ.get("B", "build/release") + "/bin/hlsc"
FOLDER = "tests/tools/hlsc/refused"


def run(*arguments):
    return subprocess.run([HLSC, *arguments], capture_output=True, text=True, timeout=60, check=False)


def expected(path):
    """(line or None, code, start of the text) of each message that is due."""
    found = []
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            match = re.search(r"/\* expect(-anywhere)? (HLS\d+) (.*?) \*/", line)
            if match:
                found.append((None if match[1] else number, match[2], match[3]))
    return found


def said(path, text):
    found = []
    for line in text.splitlines():
        match = re.match(r"(.*?)(?::(\d+))?: error: (.*) \[(HLS\d+)\]$", line)
        if match and match[1] == path:
            found.append((int(match[2]) if match[2] else None, match[4], match[3]))
    return found


def check(path):
    result = run("--check", path)
    due, found = expected(path), said(path, result.stderr)
    problems = [] if result.returncode == 1 else [f"status {result.returncode}, expected 1"]
    for line, code, text in due:
        match = [m for m in found if m[1] == code and text in m[2] and line in (None, m[0])]
        if match:
            found.remove(match[0])
        else:
            problems.append(f"expected line {line}: {text} [{code}]")
    problems += [f"unexpected: line {line}: {text} [{code}]" for line, code, text in found]
    return due, problems


def main():
    tests = []
    codes = set()
    for path in sorted(glob.glob(FOLDER + "/*.c")):
        due, problems = check(path)
        codes.update(code for _, code, _ in due)
        tests.append((os.path.basename(path), problems))
    listed = re.findall(r"^HLS\d+", run("--explain", "all").stdout, re.M)
    tests.append(("every code has a test", [code for code in listed if code not in codes]))
    unexplained = [code for code in listed if len(run("--explain", code).stdout.splitlines()) < 3]
    tests.append(("every code is explained", unexplained or ([] if listed else ["no codes"])))
    tests.append(("an unknown code is refused", [] if run("--explain", "HLS999").returncode == 2 else ["status"]))
    for number, (name, problems) in enumerate(tests, 1):
        print(f"{'not ' if problems else ''}ok {number} {name}")
        for problem in problems:
            print(f"# {problem}")
    print(f"1..{len(tests)}")
    return any(problems for _, problems in tests)


if __name__ == "__main__":
    sys.exit(main())
