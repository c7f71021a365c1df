"""Codecs side by side on the same rows: recall with and without rerank, bytes, time to look at all codes and to encode.

No graph: every codec looks at all of its codes, one query after the other on one thread, and they take turns. Proxime's are
those of `proxime-quant`, by its benchmark program; the others are of faiss, rotated at random where the method asks for it.

    python bench-compare/quantizers.py --data text-minilm-768,text-svd-768
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np

import build
import datasets
from facts import ROOT, facts
from tables import table

PROGRAM = "cargo bench --quiet --locked --package proxime-quant --bench scan --"
QUERIES = 100
K = 10
# Candidates that are compared by their vectors; so many true neighbours as are among them are found.
DEPTHS = (10, 20, 50, 100)
ENCODED_ALONE = 1_000


class Codec(Protocol):
    """Codes of all rows of a set."""

    def look(self) -> dict:
        """Bytes a row, seconds to encode one and of the fastest query; of each query the `DEPTHS[-1]` nearest by codes."""


class Ours:
    """Proxime's codecs: one process has all of them, so only the first asked for encodes."""

    process: subprocess.Popen | None = None

    def __init__(self, name: str, data: datasets.Dataset, queries: Path) -> None:
        self.name = name
        if Ours.process is None:
            arguments = [str(data.base.resolve()), str(queries), str(data.origin["dim"]), str(DEPTHS[-1])]
            Ours.process = subprocess.Popen(
                [*PROGRAM.split(), *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def look(self) -> dict:
        Ours.process.stdin.write(f"{self.name}\n")
        Ours.process.stdin.flush()
        answer = json.loads(Ours.process.stdout.readline())
        return dict(zip(("bytes", "encode_seconds", "seconds", "found"), answer, strict=True))


class Faiss:
    """An index of faiss that looks at all codes."""

    def __init__(self, make: Callable[[int], faiss.Index], data: datasets.Dataset, queries: Path) -> None:
        rows, self.queries = np.load(data.base), np.load(queries)
        self.index = make(rows.shape[1])
        faiss.omp_set_num_threads(os.cpu_count())
        self.index.train(rows)
        faiss.omp_set_num_threads(1)
        started = time.perf_counter()
        self.index.add(rows[:ENCODED_ALONE])
        self.encode_seconds = (time.perf_counter() - started) / ENCODED_ALONE
        faiss.omp_set_num_threads(os.cpu_count())
        self.index.add(rows[ENCODED_ALONE:])

    def look(self) -> dict:
        faiss.omp_set_num_threads(1)
        taken, found = [], []
        for i in range(len(self.queries)):
            started = time.perf_counter()
            _, ids = self.index.search(self.queries[i : i + 1], DEPTHS[-1])
            taken.append(time.perf_counter() - started)
            found.append(ids[0])
        index = faiss.downcast_index(self.index.index) if isinstance(self.index, faiss.IndexPreTransform) else self.index
        return {
            "bytes": index.code_size,
            "encode_seconds": self.encode_seconds,
            "seconds": min(taken),
            "found": found,
        }


def rotated(dim: int, index: faiss.Index) -> faiss.Index:
    """The index behind a random rotation."""
    return faiss.IndexPreTransform(faiss.RandomRotationMatrix(dim, dim), index)


def rabitq(bits: int) -> Callable[[int], faiss.Index]:
    """RaBitQ and its extension to more bits; the query has 8 bits."""

    def make(dim: int) -> faiss.Index:
        index = faiss.IndexRaBitQ(dim, faiss.METRIC_L2, bits)
        index.qb = 8
        return rotated(dim, index)

    return make


def product(d_sub: int) -> Callable[[int], faiss.Index]:
    """Product codes of 4 bits for each `d_sub` components, scanned 32 rows at a time by tables in registers."""
    return lambda dim: faiss.IndexPQFastScan(dim, dim // d_sub, 4)


def scalar(kind: int) -> Callable[[int], faiss.Index]:
    """Scalar codes with a range for each component."""
    return lambda dim: faiss.IndexScalarQuantizer(dim, kind)


THEIRS: dict[str, Callable[[int], faiss.Index]] = {
    "faiss-f32": lambda dim: faiss.IndexFlatL2(dim),
    "faiss-sq8": scalar(faiss.ScalarQuantizer.QT_8bit),
    "faiss-sq4": scalar(faiss.ScalarQuantizer.QT_4bit),
    "rabitq-4": rabitq(4),
    "rabitq-2": rabitq(2),
    "rabitq-1": rabitq(1),
    "rabitq-1-fastscan": lambda dim: rotated(dim, faiss.IndexRaBitQFastScan(dim, faiss.METRIC_L2)),
    "pq-fastscan-2": product(2),
    "pq-fastscan-4": product(4),
}
NAMES = ("int8", "u4", "signs", *THEIRS)


def main() -> None:
    """Run what the command line asks for, data set by data set."""
    args = arguments()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts()}
    print(f"{about['cpu']}, load {about['load']}, revision {about['revision']}, faiss {faiss.__version__}")
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        results = [{"data": name, **data.origin, **about, **result} for result in measure(data, args)]
        with args.out.open("a") as out:
            out.writelines(json.dumps(result) + "\n" for result in results)
        print(f"\n## {name}: {data.origin['n']:,} x {data.origin['dim']}, {QUERIES} queries\n\n{shown(results)}", flush=True)


def measure(data: datasets.Dataset, args: argparse.Namespace) -> list[dict]:
    """One result a codec; times are of the fastest query, which other work on the machine changes least."""
    queries = (args.cache / "quantizers-queries.npy").resolve()
    np.save(queries, np.load(data.queries)[:QUERIES])
    codecs: dict[str, Codec] = {
        name: Faiss(THEIRS[name], data, queries) if name in THEIRS else Ours(name, data, queries) for name in args.engines
    }
    turns = {name: [] for name in codecs}
    for _ in range(args.rounds):
        for name, codec in codecs.items():
            turns[name].append(codec.look())
    if Ours.process:
        Ours.process.stdin.close()
        Ours.process.wait()
        Ours.process = None
    truth = np.load(data.neighbors)[:QUERIES, :K]
    return [
        {
            "codec": name,
            "bytes": looks[0]["bytes"],
            "recall": {depth: recall(looks[0]["found"], truth, depth) for depth in DEPTHS},
            "scan_ns": 1e9 * min(look["seconds"] for look in looks) / data.origin["n"],
            "encode_us": 1e6 * looks[0]["encode_seconds"],
        }
        for name, looks in turns.items()
    ]


def recall(found: list, truth: np.ndarray, depth: int) -> float:
    """The share of the true neighbours that are among the nearest `depth` by codes."""
    pairs = zip(found, truth, strict=True)
    return sum(len(np.intersect1d(ids[:depth], nearest)) for ids, nearest in pairs) / truth.size


def shown(results: list[dict]) -> str:
    """A line a codec."""
    rows = [
        [
            result["codec"],
            f"{result['bytes']:,}",
            *(f"{recall:.3f}" for recall in result["recall"].values()),
            f"{result['scan_ns']:.1f}",
            f"{result['encode_us']:,.1f}",
        ]
        for result in results
    ]
    reranked = [f"rerank {depth}" for depth in DEPTHS[1:]]
    return table(["codec", "bytes", "recall@10", *reranked, "ns a row", "us to encode"], rows)


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["text-minilm-768", "text-svd-768"], "codecs.jsonl")
    parser.add_argument("--engines", type=build.names(NAMES), default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
