"""The same batch stored through Python and through Rust, in turns: what the way through Python costs.

Each store is made in a process of its own, which has the rows in memory before its time begins. Both take integer ids and
rows, and end with the durable commit.

    python bench-compare/ingest.py --data text-minilm-768 --rounds 9
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import build
import datasets
import tables
from facts import ROOT, facts

# The program is compiled by this, and named in what it prints.
COMPILE = "cargo bench --quiet --locked --package proxime --bench {} --no-run --message-format json"
PLACES = ("disk", "memory")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["text-minilm-768"], "results.jsonl")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "threads": args.threads, **facts()}
    ways = {"Rust": [compiled("ingest")], "Python": [sys.executable, __file__, "--one"]}
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        rows = np.load(data.base)
        of = {"kind": "ingest", "data": name, **data.origin, **about}
        results = [
            of | {"place": place, "way": way, "round": number, "seconds": stored(ways[way], rows, place, args)}
            for number in range(args.rounds)
            for place in PLACES
            # Neither is always the one after the other.
            for way in sorted(ways, reverse=number % 2 == 1)
        ]
        with args.out.open("a") as out:
            out.writelines(json.dumps(result) + "\n" for result in results)
        print(f"\n## {name}\n\n{tables.table(*tables.ingest(results))}")


def compiled(bench: str) -> str:
    """The path of a program of `crates/db/benches`."""
    run = subprocess.run(COMPILE.format(bench).split(), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    made = [json.loads(line).get("executable") for line in run.stdout.splitlines()]
    return next(path for path in made if path)


def stored(program: list[str], rows: np.ndarray, place: str, args: argparse.Namespace) -> float:
    """Seconds to store the rows, as the program says."""
    with tempfile.TemporaryDirectory(dir=args.cache) as folder:
        store = [str(Path(folder) / "store")] if place == "disk" else []
        command = [*program, *map(str, rows.shape), *store, "--threads", str(args.threads)]
        # What others wrote before must not be this one's wait for the disk.
        subprocess.run(["sync"], check=True)
        child = subprocess.run(command, input=rows.data.cast("B"), stdout=subprocess.PIPE, check=True)
    return float(child.stdout)


def one() -> None:
    """Be that program: the arguments are those of `crates/db/benches/ingest.rs`."""
    import proxime

    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("dim", type=int)
    parser.add_argument("store", nargs="?", default=":memory:")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args(sys.argv[2:])
    rows = np.empty((args.n, args.dim), dtype=np.float32)
    sys.stdin.buffer.readinto(rows.data.cast("B"))
    ids = np.arange(args.n)
    with proxime.open(args.store, threads=args.threads) as db:
        collection = db.create_collection("rows", dim=args.dim, metric="l2")
        started = time.perf_counter()
        collection.upsert(ids, rows)
        print(time.perf_counter() - started)


if __name__ == "__main__":
    one() if sys.argv[1:2] == ["--one"] else main()
