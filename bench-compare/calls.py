"""Searches for one query through Python and through Rust, in turns: what a call through Python costs.

The collection has so few records that there is little in a call but the call itself. The query is a NumPy array of float32, the
answer the hits' ids and distances.

    python bench-compare/calls.py --rounds 9
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

import tables
from facts import ROOT, facts
from ingest import compiled

RECORDS = 10
K = 10
DIMS = (16, 768)
GROUPS = 40
CALLS = 2_000


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "bench-results" / "results.jsonl")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"kind": "calls", "data": "few records", "run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "n": RECORDS, "k": K, **facts()}
    ways = {"Rust": [compiled("calls")], "Python": [sys.executable, __file__, "--one"]}
    results = [
        about | {"dim": dim, "way": way, "round": number, "us": call(ways[way], dim)}
        for number in range(args.rounds)
        for dim in DIMS
        # Neither is always the one after the other.
        for way in sorted(ways, reverse=number % 2 == 1)
    ]
    with args.out.open("a") as out:
        out.writelines(json.dumps(result) + "\n" for result in results)
    print(f"\n{tables.table(*tables.calls(results))}")


def call(program: list[str], dim: int) -> float:
    """Microseconds of a call, the median of its groups."""
    command = [*program, *map(str, (RECORDS, dim, K, GROUPS, CALLS))]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return median(map(float, child.stdout.split()))


def one() -> None:
    """Be that program: the arguments are those of `crates/db/benches/calls.rs`, and so are the rows."""
    import proxime

    n, dim, k, groups, calls = map(int, sys.argv[2:])
    rows = (np.arange(n * dim) * 7 % 101).astype(np.float32).reshape(n, dim)
    collection = proxime.open(":memory:").create_collection("rows", dim=dim, metric="l2")
    collection.upsert(range(n), rows)
    query = rows[0]
    for _ in range(groups):
        started = time.perf_counter()
        for _ in range(calls):
            collection.search(query, k)
        print((time.perf_counter() - started) * 1e6 / calls)


if __name__ == "__main__":
    one() if sys.argv[1:2] == ["--one"] else main()
