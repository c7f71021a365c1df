"""One build of one index in a process of its own: its time, its memory and, if asked, its recall over a sweep of `ef`.

A process of its own because memory that one library leaves behind must not count for the next, and because each brings its
own thread pool. `run` starts the process; this file is also the program that runs in it, one JSON object in and one out.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import core
from engines import ENGINES, Index, Plan

K = 10
EFS = (10, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 200, 300, 400, 600, 800)
# Every library's way to be told how many threads it may start.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "PROXIME_THREADS")


def run(job: dict) -> dict:
    """Do `job` (see `measure`) in a new process."""
    engine = ENGINES[job["engine"]]
    if engine.make is None:
        return core.run(job, **engine.settings)
    env = os.environ | dict.fromkeys(THREADS, str(job["threads"]))
    child = subprocess.run(
        [sys.executable, __file__], input=json.dumps(job), env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if child.returncode != 0:
        raise SystemExit(f"{job['engine']} failed on {job['base']} (exit code {child.returncode})")
    return json.loads(child.stdout.splitlines()[-1])


def measure(engine: str, base: str, n: int, threads: int, scratch: str, queries: str, neighbors: str, sweep: bool) -> dict:
    """Build `engine` from the first `n` rows of the file `base`; with `sweep`, answer the queries too.

    `peak_bytes` is the most that the process ever had resident during the build, `extra_bytes` that less what it had before
    it began, the caller's array included, `index_bytes` what of that stays.
    """
    rows = np.array(np.load(base, mmap_mode="r")[:n])  # mapped, so that no second copy is ever there
    index = ENGINES[engine].make(Plan(rows.shape[1], n, threads, Path(scratch)))
    os.sync()  # what others wrote before must not be this build's wait for the disk
    before = reset_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    index.build(rows)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resident("VmHWM")
    return {
        "seconds": wall,
        "cpu_seconds": cpu,
        "vec_s": n / wall,
        "peak_bytes": peak,
        "extra_bytes": peak - before,
        "index_bytes": index.index_bytes(),
        "curve": curve(index, np.load(queries), np.load(neighbors)) if sweep else None,
    }


def curve(index: Index, queries: np.ndarray, neighbors: np.ndarray) -> list[dict]:
    """Recall at `K`, and distances per query where the library counts them, for each of `EFS`."""
    points = []
    for ef in EFS:
        found, computed = index.search(queries, K, ef)
        hits = sum(len(np.intersect1d(*pair)) for pair in zip(found, neighbors[:, :K], strict=True))
        points.append(
            {
                "ef": ef,
                "recall": round(hits / (len(queries) * K), 5),
                "distances": computed and round(computed / len(queries), 1),
            }
        )
    return points


def reset_peak() -> int:
    """Forget the peak of resident memory so far; the resident bytes now. Linux only, like `resident`."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def resident(field: str) -> int:
    """A field of this process's status, in bytes."""
    return int(re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(**json.load(sys.stdin))))
