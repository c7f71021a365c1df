"""One engine in a process of its own: builds and saves its index, or loads it and answers what is asked.

A job comes in on standard input, one JSON object a line, and its answer goes out the same way. Building is a process that
ends; answering is one that stays while the engines take turns, so that nothing is loaded twice and the caller's array, which
a search does not need, is in nobody's memory.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from engines import ENGINES, Plan
from measure import THREADS

K = 10
WARM_UP = 200
WARM_UP_EF = 100


class Child:
    """A process that runs one engine."""

    def __init__(self, engine: str, threads: int) -> None:
        env = os.environ | dict.fromkeys(THREADS, str(threads))
        self.engine = engine
        self.process = subprocess.Popen(
            [sys.executable, __file__], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str, **job: object) -> dict:
        """Have one of the functions below called; its answer."""
        self.process.stdin.write(json.dumps({"what": what, **job}) + "\n")
        self.process.stdin.flush()
        # Libraries print to standard output too.
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{self.engine} failed to {what} (exit code {self.process.wait()})")

    def end(self) -> None:
        """Have the process end, and wait until it has."""
        self.process.stdin.close()
        self.process.wait()


class Server:
    """What runs in the process: each method is something to ask for."""

    def build(self, engine: str, base: str, folder: str, threads: int) -> dict:
        """Build from the file `base` and save to `folder`, which is there only when all of it is."""
        unfinished = Path(f"{folder}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.mkdir(parents=True)
        rows = np.load(base)
        index = ENGINES[engine].make(Plan(rows.shape[1], len(rows), threads, unfinished.parent))
        started = time.perf_counter()
        index.build(rows)
        seconds = time.perf_counter() - started
        index.save(unfinished)
        unfinished.rename(folder)
        return {"seconds": seconds}

    def load(self, engine: str, folder: str, queries: str, neighbors: str, n: int, threads: int) -> dict:
        """Take the saved index into memory and warm it up; bytes of memory that this took, and seconds."""
        self.queries = np.load(queries)
        self.neighbors = np.load(neighbors)[:, :K]
        self.index = ENGINES[engine].make(Plan(self.queries.shape[1], n, threads, Path(folder).parent))
        before, started = resident(), time.perf_counter()
        self.index.load(Path(folder))
        self.index.use(threads)
        seconds = time.perf_counter() - started
        self.index.search(self.queries[:WARM_UP], K, WARM_UP_EF)
        after = resident()
        return {"seconds": seconds} | {part: after[part] - before[part] for part in after}

    def use(self, threads: int) -> dict:
        """Search with so many threads; warmed up."""
        self.index.use(threads)
        self.index.search(self.queries[:WARM_UP], K, WARM_UP_EF)
        return {}

    def batch(self, ef: int) -> dict:
        """All queries at once: queries a second and recall."""
        started = time.perf_counter()
        found, _ = self.index.search(self.queries, K, ef)
        seconds = time.perf_counter() - started
        hits = sum(len(np.intersect1d(*pair)) for pair in zip(found, self.neighbors, strict=True))
        return {"qps": len(self.queries) / seconds, "recall": round(hits / self.neighbors.size, 5)}

    def singly(self, ef: int) -> dict:
        """One query at a time: microseconds of each call."""
        calls = [self.queries[i : i + 1] for i in range(len(self.queries))]
        taken = []
        for query in calls:
            started = time.perf_counter_ns()
            self.index.search(query, K, ef)
            taken.append((time.perf_counter_ns() - started) / 1e3)
        return {"us": taken}


def resident() -> dict[str, int]:
    """Bytes of this process in memory, and which of these are mapped files. Linux only."""
    status = Path("/proc/self/status").read_text()
    fields = {"own": "RssAnon", "mapped": "RssFile"}
    return {of: int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024 for of, name in fields.items()}


def main() -> None:
    """Answer until the input ends."""
    server = Server()
    for line in sys.stdin:
        job = json.loads(line)
        answer = getattr(server, job.pop("what"))(**job)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
