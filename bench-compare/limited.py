"""Search a collection that is larger than the memory a process may have, beside the same search without a limit.

The limit is that of a control group (version 1) below the process's own: a quarter of what the collection takes on disk, or
`--share` of it. So it takes root, and Linux. What Python itself takes is added, for small sets. Pages of the store that
others have read are dropped before each turn.

    python bench-compare/limited.py --data mixture-100k
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import build
import datasets
from facts import facts
from serve import resident
from tables import table

QUERIES = 200
EFS = (32, 64, 128)
K = 10
GROUPS = Path("/sys/fs/cgroup/memory")


def main() -> None:
    """Run what the command line asks for, data set by data set; or be one of its processes."""
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(searched(**json.loads(sys.argv[1]))))
        return
    args = arguments()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts()}
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        with tempfile.TemporaryDirectory(dir=args.cache, prefix="limited-") as folder:
            results = measure(data, Path(folder, "bench.db"), args)
        with args.out.open("a") as out:
            out.writelines(json.dumps({"data": name, **data.origin, **about, **result}) + "\n" for result in results)
        print(f"\n## {name}: {data.origin['n']:,} x {data.origin['dim']}\n\n{shown(results)}", flush=True)


def measure(data: datasets.Dataset, store: Path, args: argparse.Namespace) -> list[dict]:
    """Turns without and with the limit."""
    # In a process of its own: what it has allocated is none of this one's.
    program = "import sys, numpy, proxime; base = numpy.load(sys.argv[1]); db = proxime.open(sys.argv[2])"
    program += "; db.create_collection('bench', dim=base.shape[1], metric='l2').upsert(numpy.arange(len(base)), base)"
    subprocess.run([sys.executable, "-c", program, str(data.base), str(store)], check=True)
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    results = []
    for _ in range(args.rounds):
        for limit in (None, int(size * args.share)):
            job = {"store": str(store), "queries": str(data.queries), "neighbors": str(data.neighbors), "limit": limit}
            child = subprocess.run(
                [sys.executable, __file__, json.dumps(job)], check=True, stdout=subprocess.PIPE, text=True
            )
            results.append({"size": size, "limit": limit} | json.loads(child.stdout.splitlines()[-1]))
    return results


def searched(store: str, queries: str, neighbors: str, limit: int | None) -> dict:
    """Open and search a store with no more memory than that."""
    import proxime

    drop(Path(store))
    queries, truth = np.load(queries), np.load(neighbors)[:, :K]
    outer = own_group()
    group = outer / f"proxime-bench-{os.getpid()}"
    if limit is not None:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit + sum(resident().values())))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    started = time.perf_counter()
    db = proxime.open(store, verify="lazy")
    collection = db.collection("bench")
    collection.search(queries[:1], k=K, ef=EFS[0])
    first, points = time.perf_counter() - started, []
    for turn, ef in enumerate(EFS):
        # Others each time: what the ones before have read is in memory.
        some = slice(turn * QUERIES, (turn + 1) * QUERIES)
        before, started = read(), time.perf_counter()
        found, _ = collection.search(queries[some], k=K, ef=ef)
        seconds = time.perf_counter() - started
        hits = sum(len(np.intersect1d(*pair)) for pair in zip(found, truth[some], strict=True))
        of = {"ef": ef, "recall": hits / found.size, "qps": len(found) / seconds}
        points.append(of | {"read_bytes": (read() - before) / len(found)})
    refused = None
    if limit is not None:
        refused = int((group / "memory.failcnt").read_text())
        (outer / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()
    return {"first_seconds": first, "memory": resident(), "points": points, "refused": refused}


def own_group() -> Path:
    """The control group that this process is in: what limits it goes on to."""
    return GROUPS / re.search(r":memory:/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)[1]


def drop(store: Path) -> None:
    """Have the system forget what it has of the files."""
    for path in store.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read() -> int:
    """Bytes that this process has had the disk read."""
    return int(re.search(r"^read_bytes: (\d+)", Path("/proc/self/io").read_text(), re.MULTILINE)[1])


def shown(results: list[dict]) -> str:
    """A line a turn and beam."""
    rows = [
        [
            "none" if result["limit"] is None else f"{result['limit'] / 1e6:,.0f}",
            f"{result['size'] / 1e6:,.0f}",
            f"{result['first_seconds']:.2f}",
            str(point["ef"]),
            f"{point['recall']:.3f}",
            f"{point['qps']:,.0f}",
            f"{point['read_bytes'] / 1e3:,.1f}",
            f"{result['memory']['own'] / 1e6:,.0f}",
            "" if result["refused"] is None else f"{result['refused']:,}",
        ]
        for result in results
        for point in result["points"]
    ]
    heads = ["limit MB", "store MB", "first search s", "ef", "recall@10", "queries/s", "KB read a query", "own MB"]
    # How often memory was asked for that the limit does not give: without any it was no limit.
    return table([*heads, "times at the limit"], rows)


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["mixture-100k"], "limited.jsonl")
    parser.add_argument("--share", type=float, default=0.25, help="memory for each byte of the store")
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
