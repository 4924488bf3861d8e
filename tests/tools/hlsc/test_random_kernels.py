#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random kernels: what hlsc makes of them does what C does. SEED and COUNT say which."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import random_kernel

B = os.environ.get("B", "build/release")


def main():
    seed, count = int(os.environ.get("SEED", "0")), int(os.environ.get("COUNT", "30"))
    with tempfile.TemporaryDirectory(prefix="hlsc-random-") as folder:
        sources = [random_kernel.write(folder, number) for number in range(seed, seed + count)]
        environment = dict(os.environ, ATTEMPTS="2000")
        return subprocess.run([f"{B}/test/test_hlsc_kernels", *sources], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
