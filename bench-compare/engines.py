"""Proxime and its peers behind one shape: build from an array, search with a beam of `ef`.

All compare by squared L2 and are told how many threads to use. `search` gives the ids found, `[n_queries, k]`, and how many
distances it computed for them; None where the library does not say. `proxime-core` alone is no Python object: `core.py`.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

import core

M = 16
PRESETS = ("fast", "default", "high")
Found = tuple[np.ndarray, int | None]


@dataclass
class Plan:
    """What an engine may know before the rows come: their shape, how many threads to use, a folder for files."""

    dim: int
    n: int
    threads: int
    scratch: Path


class Index(Protocol):
    """An engine's index in this process, empty until `build`."""

    def build(self, base: np.ndarray) -> None:
        """Take the rows in; return when all can be searched (and, on disk, are durable)."""

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        """Ids of the `k` nearest rows and the distances computed."""

    def index_bytes(self) -> int | None:
        """Bytes that stay in memory beside the caller's array; None where the library does not say."""


class Proxime:
    """Proxime through its Python package: one `upsert`, on disk or in memory."""

    def __init__(self, plan: Plan, preset: str, in_memory: bool) -> None:
        """Create an empty collection, in a directory of its own below the plan's unless it is to live in memory."""
        import proxime

        self.folder = None if in_memory else tempfile.TemporaryDirectory(dir=plan.scratch, prefix="store-")
        path = ":memory:" if in_memory else Path(self.folder.name, "bench.db")
        self.db = proxime.open(path, threads=plan.threads)
        self.collection = self.db.create_collection("bench", dim=plan.dim, metric="l2", preset=preset)
        self.ids = np.arange(plan.n)

    def build(self, base: np.ndarray) -> None:
        self.collection.upsert(self.ids, base)

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        ids, _ = self.collection.search(queries, k=k, ef=ef)
        return ids, None

    def index_bytes(self) -> int:
        """What is in the files, but for the vectors where those are on disk: codes, graph and ids."""
        stats = self.collection.stats()
        return stats["bytes_on_disk"] - (4 * stats["rows"] * stats["dim"] if self.folder else 0)


class Hnswlib:
    """The reference implementation of HNSW."""

    def __init__(self, plan: Plan, ef_construction: int) -> None:
        import hnswlib

        self.threads = plan.threads
        self.index = hnswlib.Index(space="l2", dim=plan.dim)
        self.index.init_index(max_elements=plan.n, M=M, ef_construction=ef_construction)

    def build(self, base: np.ndarray) -> None:
        self.index.add_items(base, num_threads=self.threads)

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.set_ef(ef)
        ids, _ = self.index.knn_query(queries, k=k, num_threads=self.threads)
        return ids, None

    def index_bytes(self) -> None:
        return None


class Faiss:
    """Faiss's HNSW over uncompressed vectors. It counts every distance, those on the upper levels included."""

    def __init__(self, plan: Plan, ef_construction: int) -> None:
        import faiss

        faiss.omp_set_num_threads(plan.threads)
        self.stats = faiss.cvar.hnsw_stats
        self.index = faiss.IndexHNSWFlat(plan.dim, M)
        self.index.hnsw.efConstruction = ef_construction

    def build(self, base: np.ndarray) -> None:
        self.index.add(base)

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.hnsw.efSearch = ef
        self.stats.reset()
        _, ids = self.index.search(queries, k)
        return ids, self.stats.ndis

    def index_bytes(self) -> None:
        return None


class Usearch:
    """USearch over float32, keys looked up nowhere."""

    def __init__(self, plan: Plan, ef_construction: int) -> None:
        from usearch.index import Index as UsearchIndex

        self.threads = plan.threads
        self.keys = np.arange(plan.n, dtype=np.uint64)
        self.index = UsearchIndex(
            ndim=plan.dim,
            metric="l2sq",
            dtype="f32",
            connectivity=M,
            expansion_add=ef_construction,
            enable_key_lookups=False,
        )

    def build(self, base: np.ndarray) -> None:
        self.index.add(self.keys, base, threads=self.threads)

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.expansion_search = ef
        found = self.index.search(queries, k, threads=self.threads)
        return found.keys, found.computed_distances

    def index_bytes(self) -> None:
        return None


@dataclass
class Engine:
    """The package that it comes from, how to make one, and what results should say of it."""

    package: str
    # None for `proxime-core`.
    make: Callable[..., Index] | None
    settings: dict = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """The installed version; None if it is not installed."""
        if self.make is None:
            return "of this tree" if core.available() else None
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


def _hnsw(package: str, make: Callable[..., Index], ef_construction: int) -> Engine:
    settings = {"M": M, "ef_construction": ef_construction}
    return Engine(package, partial(make, ef_construction=ef_construction), settings)


def _proxime(preset: str, in_memory: bool = False) -> Engine:
    settings = {"store": "memory" if in_memory else "disk", "preset": preset}
    return Engine("proxime", partial(Proxime, preset=preset, in_memory=in_memory), settings)


ENGINES = {
    **{f"proxime-{preset}": _proxime(preset) for preset in PRESETS},
    "proxime-memory": _proxime("default", in_memory=True),
    **{f"core-{preset}": Engine("proxime-core", None, {"preset": preset}) for preset in PRESETS},
    "hnswlib-100": _hnsw("hnswlib", Hnswlib, 100),
    "hnswlib-200": _hnsw("hnswlib", Hnswlib, 200),
    "faiss-100": _hnsw("faiss-cpu", Faiss, 100),
    "faiss-200": _hnsw("faiss-cpu", Faiss, 200),
    "usearch-100": _hnsw("usearch", Usearch, 100),
}
