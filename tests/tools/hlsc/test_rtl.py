#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# time limit: 2400
"""The modules of all kernels and of random designs against their references, bit by bit; yosys reads those of kernels too.
Kernels may be named, also by their path."""
import concurrent.futures
import glob
import os
import signal
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [TESTS, os.path.join(TESTS, "rtl")]
import model

B = os.environ.get("B", "build/release")
RUNS = os.environ.get("RUNS", "6")
SEED = os.environ.get("SEED", "1")
RANDOM_DESIGNS = 8
INTERVAL_MAX = model.INTERVAL_MAX
CFLAGS = model.CFLAGS
HERE = "tests/tools/hlsc"


def kernels():
    """By name; the slowest to build first, so that no core waits at the end."""
    found = {}
    for path in glob.glob("hls/*/*.c"):
        name = os.path.basename(path)[:-2]
        if name == os.path.basename(os.path.dirname(path)):
            found[name] = path
    return dict(sorted(found.items(), key=lambda item: (item[0] != "parse", item[0])))


def run_bench(folder, what, *more):
    return model.run([os.path.join(folder, "bench"), what, SEED, RUNS, *more]).strip()


def directed_of(folder, name):
    """The records of a kernel's surroundings, where random ones do not get far."""
    source = f"{HERE}/directed/{name}.c"
    return model.objects_of(folder, [source]) if os.path.exists(source) else []


def test_kernel(folder, name, source, objects):
    model.run([f"{B}/bin/hlsc", "--quiet", "--interval", INTERVAL_MAX, "-o", folder, source])
    model.run(["yosys", "-q", "-p", f"read_verilog -sv {folder}/{name}.sv; hierarchy -check -top {name}; proc; "
               "check -assert"])
    model.build([name], folder, [*directed_of(folder, name), *objects])
    return run_bench(folder, source, *(["all"] if source.startswith("hls/") else []))


def test_random(folder, number, objects):
    model.build(["random_design"], folder, objects)
    return run_bench(folder, str(number))


def random_designs(folder, maker):
    """Numbers of designs that have a schedule; their modules are made."""
    number = 0
    for _ in range(RANDOM_DESIGNS):
        made = None
        while made is None or made.returncode == 3:
            number += 1
            os.mkdir(os.path.join(folder, f"design_{number}"))
            made = subprocess.run([maker, str(number), os.path.join(folder, f"design_{number}")], capture_output=True,
                                  text=True)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        yield number


def start_jobs(pool, folder, wanted):
    """Futures with their names: each builds a bench and runs it."""
    runtime = model.build_runtime(folder)
    kernel_objects = model.kernel_objects(folder, B, runtime)
    jobs = {}

    def start(function, name, *arguments):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        jobs[pool.submit(function, os.path.join(folder, name), *arguments)] = name

    sources = kernels()
    if wanted:
        sources = {os.path.basename(path).removesuffix(".c"): sources.get(path, path) for path in wanted}
    for name, source in sources.items():
        start(test_kernel, name, name, source, kernel_objects)
    if not wanted:
        objects = model.objects_of(folder, [f"{HERE}/rtl/random_design.c", f"{HERE}/rtl/random_reference.c"])
        objects += [f"{B}/lib/libhlsc.a", *runtime]
        maker = os.path.join(folder, "random_verilog")
        model.run(["cc", *CFLAGS, f"{HERE}/rtl/random_verilog.c", objects[0], f"{B}/lib/libhlsc.a", "-o", maker])
        for number in random_designs(folder, maker):
            start(test_random, f"design_{number}", number, objects)
    return jobs


def main():
    failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the folder is removed
    with tempfile.TemporaryDirectory(prefix="hlsc-rtl-") as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        try:
            jobs = start_jobs(pool, folder, sys.argv[1:])
            for count, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                try:
                    print(f"ok {count} - {jobs[job]}: {job.result()}", flush=True)
                except RuntimeError as error:
                    failed += 1
                    print(f"not ok {count} - {jobs[job]}", *str(error).splitlines(), sep="\n# ", flush=True)
            print(f"1..{len(jobs)}")
        finally:
            pool.shutdown(cancel_futures=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
