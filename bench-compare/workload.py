"""What `records.py` asks of a database, in a process of its own: one JSON object in, one out.

`ingest` stores rows batch by batch; `syncs` does little of that, to be watched; `filtered` searches under filters; `mixed`
searches from four threads beside a writer.
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from databases import DATABASES, FIELDS, Store, Where

K = 10
EFS = (16, 32, 64, 128, 256, 512)
RECALL = 0.95
READERS = 4
# Between two searches of a reader: readers that never pause fill all processors, and wait for each other without any writer.
PAUSE_SECONDS = 0.004
# Rows that are stored at once where storing is not what is measured.
LOAD_ROWS = 5_000
# The disk has room for so many.
ROWS_MAX = 200_000
# Searches of one filter take no longer, if there have been enough of them.
SECONDS_MAX = 2.0
QUERIES_MIN = 20


class Rows:
    """The rows of a set, and two numbers of each: one drawn by lot, and its rank by distance to one of the rows."""

    def __init__(self, base: str, n: int | None = None) -> None:
        self.vectors = np.ascontiguousarray(np.load(base, mmap_mode="r")[:n])
        n = len(self.vectors)
        spread = np.random.default_rng(7).permutation(n)
        distances = np.square(self.vectors - self.vectors[n // 3]).sum(axis=1)
        near = np.empty(n, dtype=np.int64)
        near[np.argsort(distances, kind="stable")] = np.arange(n)
        self.fields = dict(zip(FIELDS, (spread, near), strict=True))

    def upsert(self, store: Store, ids: np.ndarray) -> None:
        """Store records with these ids. There are as many as one likes: vectors and numbers come again."""
        at = ids % len(self.vectors)
        store.upsert(ids, self.vectors[at], {name: column[at] for name, column in self.fields.items()})

    def load(self, store: Store) -> None:
        """Store all of them, and have them in an index."""
        for at in range(0, len(self.vectors), LOAD_ROWS):
            self.upsert(store, np.arange(at, min(at + LOAD_ROWS, len(self.vectors))))
        store.index()


def ingest(store: Store, base: str, batch: int, seconds: float) -> dict:
    """New rows, `batch` at a time, for so many seconds."""
    rows = Rows(base)
    # The first batch makes files and threads.
    rows.upsert(store, np.arange(batch))
    os.sync()
    taken, started = [], time.perf_counter()
    for at in range(batch, ROWS_MAX, batch):
        before = time.perf_counter()
        rows.upsert(store, np.arange(at, at + batch))
        taken.append(time.perf_counter() - before)
        if time.perf_counter() - started > seconds:
            break
    total = time.perf_counter() - started
    p50, p99 = np.percentile(taken, (50, 99)) * 1e3
    return {"rows_s": batch * len(taken) / total, "batches": len(taken), "p50_ms": p50, "p99_ms": p99}


def syncs(store: Store, base: str, batches: int) -> dict:
    """Some batches of 100, for somebody who watches the system calls."""
    rows = Rows(base, 100 * batches + 1)
    for number in range(batches):
        rows.upsert(store, np.arange(100 * number, 100 * number + 100))
    return {}


def filtered(store: Store, base: str, queries: str, questions: list[dict]) -> dict:
    """For each filter the narrowest search that finds enough, or the widest: recall and queries a second of one caller."""
    rows = Rows(base)
    started = time.perf_counter()
    rows.load(store)
    loaded = time.perf_counter() - started
    vectors = np.load(queries, mmap_mode="r")
    answers = [{} for _ in questions]
    for ef in EFS:
        store.tune(ef)
        for question, answer in zip(questions, answers, strict=True):
            if answer.get("recall", 0) < RECALL:
                where = question["where"] and Where(*question["where"])
                found = asked(store, vectors[question["queries"]], where, question["neighbors"])
                if found["recall"] > answer.get("recall", -1):
                    answer.update(found, ef=ef)
    return {"load_seconds": loaded, "answers": answers}


def asked(store: Store, queries: np.ndarray, where: Where | None, neighbors: list[list[int]]) -> dict:
    """One query a call."""
    for query in queries[:5]:
        store.search(query, K, where)
    hits, started = [], time.perf_counter()
    for query in queries:
        hits.append(store.search(query, K, where))
        if len(hits) >= QUERIES_MIN and time.perf_counter() - started > SECONDS_MAX:
            break
    seconds = time.perf_counter() - started
    right = sum(len(set(found) & set(true)) for found, true in zip(hits, neighbors, strict=False))
    return {"recall": right / sum(len(true) for true in neighbors[: len(hits)]), "qps": len(hits) / seconds}


def mixed(store: Store, base: str, seconds: float) -> dict:
    """Latencies of searches from four threads: alone, beside upserts of one row at a time, and of a hundred."""
    rows = Rows(base)
    rows.load(store)
    store.tune(64)
    return {str(batch): beside(store, rows, batch, seconds) for batch in (0, 1, 100)}


def beside(store: Store, rows: Rows, batch: int, seconds: float) -> dict:
    """Searches beside a writer of so many rows at a time; of none, if there is no writer."""
    ended, taken = threading.Event(), [[] for _ in range(READERS)]

    def read(number: int) -> None:
        random = np.random.default_rng(number)
        while not ended.is_set():
            query = rows.vectors[random.integers(len(rows.vectors))]
            before = time.perf_counter()
            store.search(query, K, None)
            taken[number].append(time.perf_counter() - before)
            time.sleep(PAUSE_SECONDS)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for reader in readers:
        reader.start()
    random, started, writes = np.random.default_rng(99), time.perf_counter(), []
    while (now := time.perf_counter()) - started < seconds:
        if batch:
            rows.upsert(store, random.choice(len(rows.vectors), batch, replace=False))
            writes.append(time.perf_counter() - now)
        else:
            time.sleep(0.05)
    total = time.perf_counter() - started
    ended.set()
    for reader in readers:
        reader.join()
    p50, p99 = np.percentile(np.concatenate(taken), (50, 99)) * 1e6
    write = {"rows_s": batch * len(writes) / total, "write_p99_ms": np.percentile(writes, 99) * 1e3} if batch else {}
    return {"searches_s": sum(map(len, taken)) / total, "p50_us": p50, "p99_us": p99, **write}


def main() -> None:
    """Do one job in a new folder of `scratch`."""
    job = json.load(sys.stdin)
    work = {work.__name__: work for work in (ingest, syncs, filtered, mixed)}[job.pop("what")]
    engine, dim = DATABASES[job.pop("engine")], job.pop("dim")
    with tempfile.TemporaryDirectory(dir=job.pop("scratch"), prefix="records-", ignore_cleanup_errors=True) as folder:
        store = engine.make(Path(folder), dim)
        answer = work(store, **job)
        store.close()
    # Some leave threads behind that would not let the process end.
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
