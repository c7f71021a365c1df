"""Store the same rows as an array and as the list of lists that `.tolist()` makes of it, side by side.

    python bench-compare/lists.py --data mixture-10k
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import build
import datasets
import proxime
import tables
from facts import ROOT, facts

SIZES = (1_000, 5_000, 10_000)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["mixture-10k"], "results.jsonl")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts()}
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        base = np.load(data.base, mmap_mode="r")
        # The first writer starts threads, and touches memory that nobody has.
        stored(np.array(base[:1_000]))
        of = {"kind": "lists", "data": name, **data.origin, **about}
        results = [
            of | {"n": n, "round": number} | one(np.array(base[:n]))
            for number in range(args.rounds)
            for n in SIZES
            if n <= len(base)
        ]
        with args.out.open("a") as out:
            out.writelines(json.dumps(result) + "\n" for result in results)
        print(f"\n## {name}\n\n{tables.table(*tables.lists(results))}")


def one(rows: np.ndarray) -> dict:
    """Seconds to store the rows durably either way, and those of `.tolist()`."""
    started = time.perf_counter()
    listed = rows.tolist()
    taken = time.perf_counter() - started
    return {"tolist_seconds": taken, "array_seconds": stored(rows), "list_seconds": stored(listed)}


def stored(rows: np.ndarray | list[list[float]]) -> float:
    """Seconds to the durable commit of a new collection."""
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder, proxime.open(Path(folder) / "db") as db:
        collection = db.create_collection("rows", dim=len(rows[0]))
        ids = np.arange(len(rows))
        started = time.perf_counter()
        with warnings.catch_warnings():
            # That lists are slow is what is measured here.
            warnings.simplefilter("ignore")
            collection.upsert(ids, rows)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
