"""Proxime and its peers behind one shape: build from an array, keep it in files, search with a beam of `ef`.

All compare by squared L2 and are told how many threads to use. `search` gives the ids found, `[n_queries, k]`, and how many
distances it computed for them; None where the library does not say. `proxime-core` alone is no Python object: `core.py`.
"""

import shutil
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
    """An engine's index in this process, empty until `build` or `load`."""

    def build(self, base: np.ndarray) -> None:
        """Take the rows in; return when all can be searched (and, on disk, are durable)."""

    def save(self, folder: Path) -> None:
        """Write what was built into an existing folder."""

    def load(self, folder: Path) -> None:
        """Take the place of the index saved there."""

    def use(self, threads: int) -> None:
        """Search with so many threads from now on; after `load`."""

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        """Ids of the `k` nearest rows and the distances computed."""

    def index_bytes(self) -> int | None:
        """Bytes that stay in memory beside the caller's array; None where the library does not say."""


class Proxime:
    """Proxime through its Python package: one `upsert`, on disk or in memory."""

    def __init__(self, plan: Plan, preset: str, in_memory: bool) -> None:
        """Create an empty collection, in a directory of its own below the plan's unless it is to live in memory."""
        import proxime

        self.open = proxime.open
        self.folder = None if in_memory else tempfile.TemporaryDirectory(dir=plan.scratch, prefix="store-")
        path = ":memory:" if in_memory else Path(self.folder.name, "bench.db")
        self.db = proxime.open(path, threads=plan.threads)
        self.collection = self.db.create_collection("bench", dim=plan.dim, metric="l2", preset=preset)
        self.ids = np.arange(plan.n)

    def build(self, base: np.ndarray) -> None:
        self.collection.upsert(self.ids, base)

    def save(self, folder: Path) -> None:
        self.db.close()
        shutil.copytree(Path(self.folder.name, "bench.db"), folder / "bench.db")

    def load(self, folder: Path) -> None:
        self.path = folder / "bench.db"

    def use(self, threads: int) -> None:
        self.db.close()
        self.db = self.open(self.path, threads=threads)
        self.collection = self.db.collection("bench")

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

        self.use(plan.threads)
        self.index = hnswlib.Index(space="l2", dim=plan.dim)
        self.index.init_index(max_elements=plan.n, M=M, ef_construction=ef_construction)

    def build(self, base: np.ndarray) -> None:
        self.index.add_items(base, num_threads=self.threads)

    def save(self, folder: Path) -> None:
        self.index.save_index(str(folder / "index"))

    def load(self, folder: Path) -> None:
        self.index.load_index(str(folder / "index"))

    def use(self, threads: int) -> None:
        self.threads = threads

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.set_ef(ef)
        ids, _ = self.index.knn_query(queries, k=k, num_threads=self.threads)
        return ids, None

    def index_bytes(self) -> None:
        return None


class Faiss:
    """Faiss's HNSW over float32 vectors, or over 8-bit codes of them and nothing else. It counts every distance."""

    def __init__(self, plan: Plan, ef_construction: int, codes: bool = False) -> None:
        import faiss

        self.faiss = faiss
        self.use(plan.threads)
        self.stats = faiss.cvar.hnsw_stats
        if codes:
            self.index = faiss.IndexHNSWSQ(plan.dim, faiss.ScalarQuantizer.QT_8bit, M)
        else:
            self.index = faiss.IndexHNSWFlat(plan.dim, M)
        self.index.hnsw.efConstruction = ef_construction

    def build(self, base: np.ndarray) -> None:
        self.index.train(base)
        self.index.add(base)

    def save(self, folder: Path) -> None:
        self.faiss.write_index(self.index, str(folder / "index"))

    def load(self, folder: Path) -> None:
        self.index = self.faiss.read_index(str(folder / "index"))

    def use(self, threads: int) -> None:
        self.faiss.omp_set_num_threads(threads)

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.hnsw.efSearch = ef
        self.stats.reset()
        _, ids = self.index.search(queries, k)
        return ids, self.stats.ndis

    def index_bytes(self) -> None:
        return None


class Usearch:
    """USearch over float32 or a narrower type, keys looked up nowhere."""

    def __init__(self, plan: Plan, ef_construction: int, dtype: str = "f32") -> None:
        from usearch.index import Index as UsearchIndex

        self.use(plan.threads)
        self.keys = np.arange(plan.n, dtype=np.uint64)
        self.index = UsearchIndex(
            ndim=plan.dim,
            metric="l2sq",
            dtype=dtype,
            connectivity=M,
            expansion_add=ef_construction,
            enable_key_lookups=False,
        )

    def build(self, base: np.ndarray) -> None:
        self.index.add(self.keys, base, threads=self.threads)

    def save(self, folder: Path) -> None:
        self.index.save(folder / "index")

    def load(self, folder: Path) -> None:
        self.index.load(folder / "index")

    def use(self, threads: int) -> None:
        self.threads = threads

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.expansion_search = ef
        found = self.index.search(queries, k, threads=self.threads)
        return found.keys, found.computed_distances

    def index_bytes(self) -> None:
        return None


class SymphonyQG:
    """SymphonyQG of `rabitqlib`: a graph of fixed degree whose nodes hold the 1-bit codes of their neighbours."""

    def __init__(self, plan: Plan, ef_construction: int) -> None:
        import rabitqlib

        self.kind = rabitqlib.SymqgIndex
        self.ef_construction = ef_construction
        self.use(plan.threads)
        self.index = self.kind(plan.dim, 2 * M)

    def build(self, base: np.ndarray) -> None:
        self.index.build(base, self.ef_construction, num_threads=self.threads)

    def save(self, folder: Path) -> None:
        self.index.save(str(folder / "index"))

    def load(self, folder: Path) -> None:
        self.index = self.kind.load(str(folder / "index"))

    def use(self, threads: int) -> None:
        self.threads = threads

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        ids = self.index.search(queries, k, ef, num_threads=self.threads)[0]
        return ids, None

    def index_bytes(self) -> None:
        return None


class Svs:
    """Intel's SVS: a Vamana graph over float32 or float16 vectors."""

    def __init__(self, plan: Plan, window: int, half: bool = False) -> None:
        import svs

        self.svs, self.dim = svs, plan.dim
        self.dtype, self.of = (np.float16, svs.DataType.float16) if half else (np.float32, svs.DataType.float32)
        self.parameters = svs.VamanaBuildParameters(graph_max_degree=2 * M, window_size=window, alpha=1.2)
        self.threads = plan.threads

    def build(self, base: np.ndarray) -> None:
        rows = base.astype(self.dtype)
        self.index = self.svs.Vamana.build(self.parameters, rows, self.svs.DistanceType.L2, num_threads=self.threads)

    def save(self, folder: Path) -> None:
        self.index.save(*(str(folder / part) for part in ("config", "graph", "data")))

    def load(self, folder: Path) -> None:
        config, graph, data = (str(folder / part) for part in ("config", "graph", "data"))
        rows = self.svs.VectorDataLoader(data, self.of, dims=self.dim)
        loader = self.svs.GraphLoader(graph)
        self.index = self.svs.Vamana(config, loader, rows, self.svs.DistanceType.L2, num_threads=self.threads)

    def use(self, threads: int) -> None:
        self.index.num_threads = threads

    def search(self, queries: np.ndarray, k: int, ef: int) -> Found:
        self.index.search_window_size = ef
        return self.index.search(queries, k)[0], None

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


def _hnsw(package: str, make: Callable[..., Index], ef_construction: int, **others: object) -> Engine:
    settings = {"ef_construction": ef_construction, **others}
    return Engine(package, partial(make, **settings), {"M": M, **settings})


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
    "faiss-sq8": _hnsw("faiss-cpu", Faiss, 100, codes=True),
    "usearch-100": _hnsw("usearch", Usearch, 100),
    "usearch-bf16": _hnsw("usearch", Usearch, 100, dtype="bf16"),
    "symphonyqg-100": _hnsw("rabitqlib", SymphonyQG, 100),
    "svs-f32": Engine("scalable-vs", partial(Svs, window=100), {"degree": 2 * M, "window": 100}),
    "svs-f16": Engine("scalable-vs", partial(Svs, window=100, half=True), {"degree": 2 * M, "window": 100}),
}
