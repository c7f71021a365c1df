"""Store and search records with Proxime and other databases: durable rows a second, filters, searches beside writes.

Databases take turns, each job in a process of its own with a new store. Every job is one line of the results file.

    python bench-compare/records.py --data mixture-10k --what ingest,filtered
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

import build
import datasets
import exact
from databases import DATABASES, Where
from facts import facts
from tables import table
from workload import RECALL, Rows

PARTS = ("syncs", "ingest", "filtered", "mixed")
BATCHES = (1, 100, 10_000)
PER_CENT = (90, 50, 10, 2, 1, 0.5, 0.1)
# Of Proxime and of Qdrant there are two for ingest; they do not differ in anything else.
SEARCHED = ("proxime", "chroma", "lancedb", "qdrant-edge", "milvus-lite")
SYNCS = "fsync,fdatasync,sync_file_range,msync,sync,syncfs"
# Syncs of a batch that is on the disk when it is acknowledged; files of an index are synced now and then by others, too.
SYNCED = 0.9
# Two numbers of batches, so that what opening and closing sync does not count.
FEW, MANY = 20, 100


def main() -> None:
    """Run what the command line asks for, data set by data set."""
    args = arguments()
    versions = {engine: DATABASES[engine].version for engine in args.engines}
    missing = sorted(engine for engine, version in versions.items() if version is None)
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    engines = [engine for engine in args.engines if engine not in missing]
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts(), "versions": versions}
    print(f"{about['cpu']}, load {about['load']}, revision {about['revision']}; {versions}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        print(f"\n## {name}: {data.origin['n']:,} x {data.origin['dim']}, {data.origin['what']}", flush=True)
        measured = {}
        for what in args.what:
            results = measured[what] = []
            with args.out.open("a") as out:
                for result in MEASURES[what](data, engines, args):
                    results.append(result)
                    out.write(json.dumps({"kind": what, "data": name, **data.origin, **about, **result}) + "\n")
            print(f"\n{SHOWN[what](results)}", flush=True)
        if "syncs" in measured and "ingest" in measured:
            print(f"\n{shown_levels(measured['syncs'], measured['ingest'])}", flush=True)


def run(data: datasets.Dataset, engine: str, what: str, args: argparse.Namespace, **job: object) -> dict | None:
    """Do a job of `workload.py` in a new process; None, after saying so, if it fails. `watched`: a file for its syncs."""
    watched = job.pop("watched", None)
    job |= {"what": what, "engine": engine, "base": str(data.base), "dim": data.origin["dim"], "scratch": str(args.cache)}
    watch = ["strace", "-f", "-qq", "-e", f"trace={SYNCS}", "-o", str(watched)] if watched else []
    child = subprocess.run(
        [*watch, sys.executable, Path(__file__).with_name("workload.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = child.stdout.splitlines()
    if child.returncode == 0 and lines:
        return json.loads(lines[-1])
    print(f"{engine} failed at {what} (exit code {child.returncode}): {child.stderr.strip().splitlines()[-1:]}", flush=True)
    return None


def syncs(data: datasets.Dataset, engines: list[str], args: argparse.Namespace) -> Iterator[dict]:
    """How often a batch of 100 is synced, counted by watching system calls."""
    if shutil.which("strace") is None:
        print("\nstrace is not installed: syncs are not counted")
        return
    for engine in engines:
        counts = [watch(data, engine, args, batches) for batches in (FEW, MANY)]
        if None not in counts:
            yield {"engine": engine, "syncs_a_batch": (counts[1] - counts[0]) / (MANY - FEW)}


def watch(data: datasets.Dataset, engine: str, args: argparse.Namespace, batches: int) -> int | None:
    """Syncs of a process that stores so many batches."""
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder, "calls")
        if run(data, engine, "syncs", args, batches=batches, watched=calls) is None:
            return None
        # A call that another thread interrupts in the log is `unfinished` first, and `resumed` then.
        return len(re.findall(r"^\d+ +(?:\w*sync\w*)\(", calls.read_text(), re.MULTILINE))


def ingest(data: datasets.Dataset, engines: list[str], args: argparse.Namespace) -> Iterator[dict]:
    """Rows a second, by size of batch."""
    for number in range(args.rounds):
        for batch in BATCHES:
            for engine in engines:
                answer = run(data, engine, "ingest", args, batch=batch, seconds=args.seconds)
                if answer:
                    yield {"engine": engine, "batch": batch, "round": number, **answer}


def filtered(data: datasets.Dataset, engines: list[str], args: argparse.Namespace) -> Iterator[dict]:
    """Searches under filters that are true of so many per cent, of rows anywhere, near the query or far from it."""
    asked = list(questions(data, args.queries))
    for engine in engines:
        if engine not in SEARCHED:
            continue
        job = {"queries": str(data.queries), "questions": [question for _, question in asked]}
        answer = run(data, engine, "filtered", args, **job)
        for (labels, _), one in zip(asked, answer["answers"] if answer else (), strict=False):
            yield {"engine": engine, **labels, "load_seconds": answer["load_seconds"], **one}


def questions(data: datasets.Dataset, count: int) -> Iterator[tuple[dict, dict]]:
    """Filters, the queries that are asked with each, and the rows that are to be found."""
    rows, queries = Rows(str(data.base)), np.load(data.queries)
    n = len(rows.vectors)
    anchor = rows.vectors[rows.fields["near"] == 0]
    anywhere = np.arange(min(count, len(queries)))
    close = np.argsort(np.square(queries - anchor).sum(axis=1), kind="stable")[:count]
    for where, picked in (("anywhere", anywhere), ("near", close), ("far", close)):
        for per_cent in PER_CENT:
            matches = max(1, round(n * per_cent / 100))
            field = "spread" if where == "anywhere" else "near"
            low, high = (n - matches, n) if where == "far" else (0, matches)
            ids = np.flatnonzero((rows.fields[field] >= low) & (rows.fields[field] < high))
            neighbors = ids[exact.neighbors(rows.vectors[ids], queries[picked], 10)]
            question = {"queries": picked.tolist(), "where": Where(field, low, high), "neighbors": neighbors.tolist()}
            yield {"matches": where, "per_cent": per_cent}, question


def mixed(data: datasets.Dataset, engines: list[str], args: argparse.Namespace) -> Iterator[dict]:
    """Four readers: alone, beside upserts of single rows, and of batches of a hundred."""
    for engine in engines:
        if engine in SEARCHED and (answer := run(data, engine, "mixed", args, seconds=args.seconds)):
            for batch, of in answer.items():
                yield {"engine": engine, "batch": int(batch), **of}


def shown_syncs(results: list[dict]) -> str:
    """Syncs of each engine."""
    return table(["engine", "syncs a batch of 100"], [[r["engine"], f"{r['syncs_a_batch']:.2f}"] for r in results])


def shown_ingest(results: list[dict]) -> str:
    """Median rates, and latencies of batches, of each engine."""
    rows = []
    for engine in dict.fromkeys(r["engine"] for r in results):
        row = [engine]
        for batch in BATCHES:
            of = [r for r in results if r["engine"] == engine and r["batch"] == batch]
            if of:
                rate, p50, p99 = (median(r[part] for r in of) for part in ("rows_s", "p50_ms", "p99_ms"))
                row.append(f"{rate:,.0f} ({p50:,.1f} / {p99:,.1f})")
            else:
                row.append("")
        rows.append(row)
    return table(["engine: rows/s (p50 / p99 ms of a batch)", *(f"batches of {batch:,}" for batch in BATCHES)], rows)


def shown_levels(syncs: list[dict], ingest: list[dict]) -> str:
    """Median rates against the best peer that syncs as much: a batch is on the disk when the call returns, or with the system."""
    rows = []
    for level, is_synced in (("on the disk", True), ("with the system", False)):
        engines = [r["engine"] for r in syncs if (r["syncs_a_batch"] >= SYNCED) == is_synced]
        for batch in BATCHES:
            rates = {e: [r["rows_s"] for r in ingest if (r["engine"], r["batch"]) == (e, batch)] for e in engines}
            medians = {engine: median(of) for engine, of in rates.items() if of}
            own = {engine: rate for engine, rate in medians.items() if engine.startswith("proxime")}
            peers = {engine: rate for engine, rate in medians.items() if engine not in own}
            if own and peers:
                best, rate = max(peers.items(), key=lambda peer: peer[1]), max(own.values())
                rows.append([level, f"{batch:,}", f"{rate:,.0f}", f"{best[1]:,.0f} ({best[0]})", f"{rate / best[1]:.1f}"])
    return table(["durability", "batches of", "proxime rows/s", "best peer", "ratio"], rows)


def shown_filtered(results: list[dict]) -> str:
    """Queries a second of the narrowest search that finds enough; in brackets the recall of those that never do."""
    rows = []
    engines = dict.fromkeys(r["engine"] for r in results)
    for where, per_cent in dict.fromkeys((r["matches"], r["per_cent"]) for r in results):
        of = {r["engine"]: r for r in results if (r["matches"], r["per_cent"]) == (where, per_cent)}
        cells = []
        for engine in engines:
            r = of.get(engine)
            enough = r and r["recall"] >= RECALL
            cells.append(f"{r['qps']:,.0f} at {r['recall']:.3f}" if enough else f"({r['recall']:.3f})" if r else "")
        peers = [r["qps"] for r in of.values() if r["engine"] != "proxime" and r["recall"] >= RECALL]
        own = of.get("proxime")
        ratio = f"{own['qps'] / max(peers):.1f}" if own and peers and own["recall"] >= RECALL else ""
        rows.append([where, f"{per_cent:g} %", *cells, ratio])
    return table(["matches", "share", *(f"{engine}: q/s at recall@10" for engine in engines), "ratio to best peer"], rows)


def shown_mixed(results: list[dict]) -> str:
    """Latencies, and how many times those without a writer they are."""
    idle = {r["engine"]: r["p99_us"] for r in results if r["batch"] == 0}
    rows = [
        [
            r["engine"],
            f"{r['batch']}" if r["batch"] else "none",
            f"{r['searches_s']:,.0f}",
            f"{r['p50_us']:,.0f}",
            f"{r['p99_us']:,.0f}",
            f"{r['p99_us'] / idle[r['engine']]:.2f}",
            *((f"{r['rows_s']:,.0f}", f"{r['write_p99_ms']:,.1f}") if r["batch"] else ("", "")),
        ]
        for r in results
    ]
    header = ["engine", "upserts of", "searches/s", "p50 us", "p99 us", "p99 / idle", "rows/s", "p99 of a write, ms"]
    return table(header, rows)


MEASURES = dict(zip(PARTS, (syncs, ingest, filtered, mixed), strict=True))
SHOWN = dict(zip(PARTS, (shown_syncs, shown_ingest, shown_filtered, shown_mixed), strict=True))


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["mixture-100k"], "records.jsonl")
    parser.add_argument("--engines", type=build.names(DATABASES), default=list(DATABASES), help=", ".join(DATABASES))
    parser.add_argument("--what", type=build.names(PARTS), default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=1, help="turns at ingest")
    parser.add_argument("--seconds", type=float, default=5, help="of one ingest, and of one phase of readers and writers")
    parser.add_argument("--queries", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
