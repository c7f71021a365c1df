"""Proxime in one page: real vectors in, the process forgotten, the same vectors searched from disk by another one.

Run it with `cargo xtask demo`, which builds and installs the package first. The functions `ingest` and `search` are what a
program of your own would look like; the rest measures and prints.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import proxime

DATA = Path(__file__).parent.parent / "data"
QUERIES = 1_000
K = 10
RECALL_MIN = 0.95


def ingest(path, vectors):
    """Make a database at `path` and put the rows of `vectors` in it. Seconds until they are durable and searchable."""
    ids = np.arange(len(vectors))
    metadata = [{"image": int(i), "ink": round(float(row.mean()), 1)} for i, row in zip(ids, vectors)]

    with proxime.open(path) as db:
        collection = db.create_collection("fashion", dim=vectors.shape[1], metric="l2")
        start = time.perf_counter()
        collection.upsert(ids, vectors, metadata)
        return time.perf_counter() - start


def search(path, queries):
    """Open the database at `path` and search it three ways: one query at a time, all at once, and exactly."""
    with proxime.open(path) as db:
        collection = db.collection("fashion")

        latencies = []
        for query in queries:
            start = time.perf_counter()
            hits = collection.search(query, k=K)
            latencies.append(time.perf_counter() - start)
        assert hits[0].metadata["image"] == hits[0].id

        start = time.perf_counter()
        found, _ = collection.search(queries, k=K)
        seconds = time.perf_counter() - start

        exact, _ = collection.search(queries, k=K, exact=True)
        return {
            "latencies": latencies,
            "seconds": seconds,
            "found": found,
            "exact": exact,
            "digest": collection.digest(),
            "stats": collection.stats(),
        }


def recall(found, true):
    """The share of the true neighbours that were found."""
    return np.mean([np.isin(t, f).mean() for f, t in zip(found, true)])


def load(path):
    """Vectors to store, queries that are not among them, and the true neighbours where the file has them."""
    if path is None:
        return np.load(DATA / "fashion-mnist-10k-base.npy"), np.load(DATA / "fashion-mnist-10k-queries.npy"), None
    data = np.load(path)
    if isinstance(data, np.ndarray):
        return data[:-QUERIES], data[-QUERIES:], None
    return data["base"], data["queries"][:QUERIES], data["neighbors"][:QUERIES] if "neighbors" in data else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="an .npz with base and queries, or an .npy with rows; default: the bundled images")
    parser.add_argument("--revision", default="unknown", help="what to print beside the version")
    args = parser.parse_args()

    vectors, queries, neighbors = load(args.data)
    vectors, queries = vectors.astype(np.float32), queries.astype(np.float32)

    with tempfile.TemporaryDirectory(prefix="proxime-demo-") as folder:
        path = Path(folder) / "fashion.db"
        ingest_seconds = ingest(path, vectors)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another_process:
            report = another_process.submit(search, path, queries).result()

    recall_at_k = recall(report["found"], report["exact"])
    p50, p99 = np.percentile(report["latencies"], [50, 99]) * 1e3
    stats = report["stats"]
    rows = [
        ("proxime", f"{proxime.__version__} ({args.revision}), {stats['isa']}, {stats['threads']} threads"),
        ("vectors", f"{len(vectors):,} x {vectors.shape[1]} float32, l2"),
        ("in", f"{len(vectors) / ingest_seconds:,.0f} vectors/s, durable and searchable"),
        (f"recall@{K}", f"{recall_at_k:.4f} against exact search, {len(queries):,} queries, from another process"),
        ("out", f"{len(queries) / report['seconds']:,.0f} queries/s in one batch"),
        ("one query", f"{p50:.3f} ms p50, {p99:.3f} ms p99"),
        ("on disk", f"{stats['bytes_on_disk'] / 1e6:,.1f} MB for {vectors.nbytes / 1e6:,.1f} MB of vectors"),
        ("digest", report["digest"]),
    ]
    if neighbors is not None:
        agreement = recall(report["exact"], neighbors[:, :K])
        rows.insert(4, ("exact search", f"{agreement:.4f} of the neighbours that the file names"))
    for name, value in rows:
        print(f"{name:<14}{value}")
    if recall_at_k < RECALL_MIN:
        raise SystemExit(f"recall@{K} is below {RECALL_MIN}")


if __name__ == "__main__":
    main()
