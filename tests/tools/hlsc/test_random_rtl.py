#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# time limit: 86400
"""The modules of random kernels, under Verilator, against the kernels as C, bit by bit: the differential fuzzer of hlsc. SEED
and COUNT say which kernels."""
import concurrent.futures
import os
import signal
import sys
import tempfile

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [TESTS, os.path.join(TESTS, "rtl")]
import model
import random_kernel

B = os.environ.get("B", "build/release")
SEED, COUNT = int(os.environ.get("SEED", "1000")), int(os.environ.get("COUNT", "120"))
BATCH = 20  # kernels in one program
RUNS = "2"


def compare(folder, numbers, objects):
    """{kernel: problem or ""} of one program's kernels."""
    os.makedirs(folder)
    sources = {os.path.basename(path)[:-2]: path for path in (random_kernel.write(folder, number) for number in numbers)}
    model.run([f"{B}/bin/hlsc", "--quiet", "--interval", model.INTERVAL_MAX, "-o", folder, *sources.values()])
    model.build(list(sources), folder, objects)
    found = {}
    for name, source in sources.items():
        try:
            model.run([f"{folder}/bench", source, str(SEED), RUNS])
            found[name] = ""
        except RuntimeError as error:
            found[name] = str(error)
    return found


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the folder is removed
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="hlsc-random-") as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        try:
            objects = model.kernel_objects(folder, B, model.build_runtime(folder))
            batches = [range(first, min(first + BATCH, SEED + COUNT)) for first in range(SEED, SEED + COUNT, BATCH)]
            jobs = {pool.submit(compare, f"{folder}/{batch[0]}", batch, objects): batch for batch in batches}
            for job in concurrent.futures.as_completed(jobs):
                try:
                    results = job.result()
                except RuntimeError as error:
                    results = {f"kernels {jobs[job][0]} to {jobs[job][-1]}": str(error)}
                for name, problem in results.items():
                    count += 1
                    failed += bool(problem)
                    print(f"{'not ok' if problem else 'ok'} {count} - {name}", *problem.splitlines(), sep="\n# ", flush=True)
            print(f"1..{count}")
        finally:
            pool.shutdown(cancel_futures=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
