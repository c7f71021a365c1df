"""An index in shards: a folder of databases that never change, built from more data than one build takes, searched as one.

>>> import numpy as np
>>> from proxime.sharded import ShardedIndex, build
>>> vectors = np.random.default_rng(0).standard_normal((1_000, 8), dtype=np.float32)
>>> build(vectors, "index", shards=3, metric="l2")  # ids are row numbers
1
>>> with ShardedIndex.open("index") as index:
...     index.search(vectors[:2], k=1).ids
array([[0],
       [1]])

One process searches all shards here. `proxime.ray` searches the same folder with many, and gives the same answers.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _shards, _words
from .exceptions import ParameterError
from .migrate import Batch, Source

__all__ = ["Answer", "Batch", "ShardedIndex", "Source", "build"]

_Path: TypeAlias = str | PathLike[str]
_Source: TypeAlias = NDArray[Any] | _Path | Source
Part: TypeAlias = tuple[NDArray[Any], NDArray[np.float32], list[list[dict[str, Any]]] | None]
_ROWS = 16_384


@dataclass(frozen=True)
class Answer:
    """Of each query the nearest records, nearest first: arrays of shape `[queries, hits]`, or `[hits]` for one query.

    `coverage` is the share of all records that were looked at, and `missing` has the numbers of the shards that were not. All
    there is is right: below a coverage of 1, nearer ones may be absent. Where distances are equal, the order is that of the
    shards, and within a shard its own; it never depends on which answers first. A search by words has `scores`, larger first, and `text_scores`.
    """

    ids: NDArray[Any]
    distances: NDArray[np.float32]
    metadata: list[Any] | None = None
    coverage: float = 1.0
    missing: tuple[int, ...] = ()
    scores: NDArray[np.float64] | None = None
    text_scores: NDArray[np.float64] | None = None


def build(
    source: _Source | Sequence[_Source],
    destination: _Path,
    *,
    shards: int,
    metric: Literal["cosine", "l2", "dot"] | None = None,
    preset: Literal["fast", "default", "high"] = "default",
    vector: str = "vector",
    id: str | None = None,
) -> int:
    """Build an index in the folder `destination`, or at an address in object storage such as "s3://bucket/index" (by way of
    `proxime.s3`), and return the number of its manifest or snapshot.

    A source is an array `[n, dim]`, an `.npy` file (ids are row numbers), a Parquet file, a folder of them, each also at an address in object storage, or a Ray Dataset (column
    `vector`, ids from column `id`, or row numbers; other columns become metadata), or a `Source`; or several of them, with their own ids.
    A record goes to the shard that the hash of its id says. The same input gives the same digests, and shards that are there
    already are left alone. Readers see the new index when it is complete, at their next `refresh`.

    Cost: a copy of the source in `destination` while it builds; memory for one batch, then for one shard.
    """
    root = _shards.place(destination)
    if isinstance(root, str):
        from . import s3

        with tempfile.TemporaryDirectory() as here:
            build(source, here, shards=shards, metric=metric, preset=preset, vector=vector, id=id)
            return s3.push_index(here, root)
    root.mkdir(parents=True, exist_ok=True)
    sources = as_sources(source, metric, vector, id)
    work = Path(tempfile.mkdtemp(prefix=".spill-", dir=root))
    try:
        spills = [work / str(i) for i in range(len(sources))]
        for one, folder in zip(sources, spills):
            with _shards.Spill(folder, range(checked_shards(shards))) as spill:
                for home, group in _shards.grouped(one, shards):
                    spill.write(home, group)
        first = sources[0]
        made = [_shards.build_shard(spills, root, s, shards, first.dim, first.metric, preset) for s in range(shards)]
        return _shards.publish(root, _shards.Manifest(first.dim, first.metric, tuple(made)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


class ShardedIndex:
    """An index in shards, read by this process alone."""

    def __init__(self, root: _Path, threads: int | None = None) -> None:
        self._root = _shards.place(root)
        self._threads = threads
        self.refresh()

    @classmethod
    def open(cls, path: _Path, threads: int | None = None) -> Self:
        """Open the newest complete index in a folder or in object storage, whose shards are then brought to the cache of `proxime.s3`. Errors: no index, a shard that is missing or damaged."""
        return cls(path, threads)

    def refresh(self) -> None:
        """Look for what was built since, and go over to it. After an error all is as before."""
        number = _shards.newest(self._root)
        manifest = _shards.read(self._root, number)
        opened = [_shards.open_shard(self._root, number, shard, self._threads) for shard in manifest.shards]
        self._number, self._manifest, self._opened = number, manifest, opened

    def search(
        self,
        queries: ArrayLike | None = None,
        k: int = 10,
        *,
        vector: ArrayLike | None = None,
        text: str | None = None,
        fields: str | Sequence[str] = "text",
        fusion: Any = "rrf",
        **options: Any,
    ) -> Answer:
        """The `k` nearest records of each query. `options` are those of `Collection.search`: `where`, `ef`, `recall`, `exact`, and
        `include="metadata"`. Every shard gives its own `k`, so nothing is lost by merging; with `exact=True` the answer is exact.

        `text`: search by words, too, or with neither `queries` nor `vector` by words alone, as `Collection.search` does, for one query. Scores are those of a
        collection that has all records.
        """
        if text is not None:
            return by_words(self._ask, text, queries, vector, k, fields, fusion, options)[0]
        given = one_of(queries, vector)
        rows = np.atleast_2d(np.asarray(given, np.float32))
        return shaped(merge(self._ask("near", rows, k, options), k), given)

    def _ask(self, what: str, *arguments: Any) -> list[Any]:
        return [CALLS[what](collection, *arguments) for _, collection in self._opened]

    def get(self, id: Any) -> dict[str, Any] | None:
        """One record, from the one shard that can have it."""
        (home,) = _shards.shard_of([id], len(self._opened))
        return self._opened[home][1].get(id)

    @property
    def dim(self) -> int:
        """The length of the vectors."""
        return self._manifest.dim

    @property
    def metric(self) -> Literal["cosine", "l2", "dot"]:
        """How they are compared."""
        return self._manifest.metric

    def digest(self) -> str:
        """One number for all records."""
        return self._manifest.digest()

    def __len__(self) -> int:
        return self._manifest.rows

    def close(self) -> None:
        """Close the shards."""
        for db, _ in self._opened:
            db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        shards = len(self._manifest.shards)
        return f"ShardedIndex({fspath(self._root)!r}, {shards} shards, {len(self):_} × {self.dim} f32, {self.metric})"


def search_shard(collection: Any, queries: NDArray[np.float32], k: int, options: dict[str, Any]) -> Part:
    """Ids and distances `[queries, hits]`, and metadata if `options` ask for it."""
    _check(options)
    found = collection.search(queries, k, **options)
    return found[0], found[1], found[2] if len(found) > 2 else None


def _check(options: dict[str, Any]) -> None:
    if options.get("include", ()) not in ((), "metadata", ["metadata"], ("metadata",)) or "max_distance" in options:
        raise ParameterError("searches over shards include metadata or nothing, and have no max_distance")


#: What shards can be asked for.
CALLS: dict[str, Callable[..., Any]] = {"near": search_shard, "counts": _words.counts, "words": _words.of_shard}


def by_words(
    ask: _words.Ask, text: str, queries: Any, vector: Any, k: int, fields: Any, fusion: Any, options: dict[str, Any]
) -> tuple[Answer, set[int]]:
    """A search by words over shards that `ask` asks, and which of them did not answer."""
    _check(options)
    given = None if queries is None and vector is None else np.asarray(one_of(queries, vector), np.float32)
    if given is not None and given.ndim != 1:
        raise ParameterError("a search by words has one query")
    found, missing = _words.search(ask, text, given, k, fields, fusion, options)
    metadata = [one[3] for _, one in found] if "metadata" in (options.get("include") or ()) else None
    return Answer(metadata=metadata, **_words.as_arrays(found)), missing


def one_of(queries: Any, vector: Any) -> Any:
    """Either name will do."""
    if (queries is None) == (vector is None):
        raise ParameterError("a search needs queries, vector or text, and not two of the first")
    return vector if queries is None else queries


def merge(parts: Sequence[Part], k: int) -> Answer:
    """The `k` nearest of what shards have found, `parts` being in the order of the shards."""
    distances = np.concatenate([part[1] for part in parts], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    kinds = {part[0].dtype for part in parts if part[0].size}
    kind = kinds.pop() if len(kinds) == 1 else object
    ids = np.concatenate([part[0].astype(kind) for part in parts], axis=1)
    metadata = None
    if lists := [part[2] for part in parts if part[2] is not None]:  # all have them, or none
        rows = [[one for of_shard in lists for one in of_shard[i]] for i in range(len(order))]
        metadata = [[row[j] for j in chosen] for row, chosen in zip(rows, order)]
    return Answer(np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1), metadata)


def shaped(answer: Answer, queries: ArrayLike) -> Answer:
    """One query, one row."""
    if np.ndim(queries) != 1:
        return answer
    metadata = None if answer.metadata is None else answer.metadata[0]
    return Answer(answer.ids[0], answer.distances[0], metadata, answer.coverage, answer.missing)


def checked_shards(shards: int) -> int:
    """How many shards there may be."""
    if not 0 < shards <= 9_999:
        raise ParameterError(f"an index has 1 to 9999 shards, not {shards}")
    return shards


def as_sources(source: Any, metric: Any, vector: str, id: str | None) -> list[Source]:
    """What `build` takes, as sources, alike in dimension and metric."""
    several = source if isinstance(source, (list, tuple)) else [source]
    sources = [_as_source(one, metric or "cosine", vector, id) for one in several]
    if not sources:
        raise ParameterError("there is nothing to build from")
    kinds = {(one.dim, one.metric) for one in sources}
    if len(kinds) > 1:
        raise ParameterError(f"sources have several dimensions or metrics: {sorted(kinds)}")
    if metric is not None and sources[0].metric != metric:
        raise ParameterError(f"the source is compared by {sources[0].metric}, not {metric}")
    return sources


def _as_source(source: Any, metric: Any, vector: str, id: str | None) -> Source:
    if isinstance(source, Source):
        return source
    if isinstance(source, np.ndarray):
        return _of_rows(source, metric)
    if hasattr(source, "iter_batches"):
        return _of_dataset(source, metric, vector, id)
    path = _shards.place(source)
    if not str(path).endswith(".npy"):
        return _of_parquet(path, metric, vector, id)
    if isinstance(path, Path):
        return _of_rows(np.load(path, mmap_mode="r", allow_pickle=False), metric)
    from . import s3

    return _of_rows(s3.Rows(path), metric)


def _of_rows(rows: Any, metric: Any) -> Source:
    if rows.ndim != 2:
        raise ParameterError(f"vectors are rows of a matrix; the shape is {rows.shape}")

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            yield Batch(np.arange(start, start + len(part)), part)

    return Source(rows.shape[1], metric, batches)


def _of_parquet(path: Path | str, metric: Any, vector: str, id: str | None) -> Source:
    import pyarrow.dataset

    data = pyarrow.dataset.dataset(path, format="parquet")
    first = data.head(1).column(vector)
    if not len(first):
        raise ParameterError(f"{path} has no rows")

    def batches() -> Iterator[Batch]:
        start = 0
        for rows in data.to_batches(batch_size=_ROWS):
            column = rows.column(vector)
            if column.null_count:
                raise ParameterError(f"{column.null_count} of the rows from {start} on have no vector")
            numbers = np.asarray(column.flatten()).reshape(len(rows), -1)
            metadata = rows.drop_columns([vector] if id is None else [vector, id]).to_pylist()
            ids = np.arange(start, start + len(rows)) if id is None else rows.column(id).to_pylist()
            yield Batch(ids, numbers, metadata)
            start += len(rows)

    return Source(len(first[0]), metric, batches)


def _of_dataset(data: Any, metric: Any, vector: str, id: str | None) -> Source:
    """A Ray Dataset. Without ids the order of its rows gives them, which Ray may change from run to run."""
    if not (some := data.take(1)):
        raise ParameterError("the dataset has no rows")

    def batches() -> Iterator[Batch]:
        start = 0
        for rows in data.iter_batches(batch_size=_ROWS, batch_format="numpy"):
            column = rows.pop(vector)
            vectors = column if column.ndim == 2 else np.stack(column)
            ids = np.arange(start, start + len(vectors)) if id is None else rows.pop(id).tolist()
            others = [others.tolist() for others in rows.values()]
            metadata = [dict(zip(rows, values)) for values in zip(*others)] if others else None
            yield Batch(ids, vectors, metadata)
            start += len(vectors)

    return Source(len(some[0][vector]), metric, batches)
