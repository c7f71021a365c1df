"""Moving in: what other libraries have stored, with ids and metadata, as a collection.

>>> import faiss, numpy as np, proxime  # doctest: +SKIP
>>> from proxime import migrate  # doctest: +SKIP
>>> with proxime.open("vectors.db") as db:  # doctest: +SKIP
...     docs = migrate.from_faiss("old.index").into(db, "docs")

Each reader opens the files with the library that wrote them, which must be installed: only it knows all versions of its
formats. What is read is a `Source`; nothing is written before `Source.into`. Vectors arrive as float32. Libraries that keep
cosine vectors at length 1 (hnswlib, Qdrant) give them back so: directions and cosine distances are the same.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from ._core import Collection, Database

__all__ = ["Batch", "Source", "from_chroma", "from_faiss", "from_hnswlib", "from_lancedb", "from_qdrant_edge", "from_usearch"]

_Metric: TypeAlias = Literal["cosine", "l2", "dot"]
_Path: TypeAlias = str | PathLike[str]
_ROWS = 16_384


class Batch(NamedTuple):
    """Some records: the arguments of `Collection.upsert`."""

    ids: Any
    vectors: Any
    metadata: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Source:
    """What there is to move: how long vectors are, how they are compared, and the records, batch by batch."""

    dim: int
    metric: _Metric
    batches: Callable[[], Iterator[Batch]]

    def into(self, database: Database, name: str, metadata: Mapping[Any, Mapping[str, Any]] | None = None) -> Collection:
        """All records as a new collection, or, after an error, no collection.

        `metadata` has, by id, what the source does not have itself: indexes of hnswlib, FAISS and USearch know ids only. Ids that
        are not in it get none. Cost: one batch of the source in memory at a time.
        """
        collection = database.create_collection(name, self.dim, self.metric)
        try:
            for batch in self.batches():
                found = batch.metadata if metadata is None else [metadata.get(id, {}) for id in _scalars(batch.ids)]
                collection.add(batch.ids, batch.vectors, found)
        except BaseException:
            database.drop_collection(name)
            raise
        return collection


def from_hnswlib(path: _Path, metric: _Metric) -> Source:
    """An index that `save_index` of hnswlib wrote. The file does not say its `metric`. Deleted elements stay behind."""
    import hnswlib

    with open(path, "rb") as file:
        header = file.read(48)
    if len(header) < 48:
        raise ValueError(f"{fspath(path)} is not an index of hnswlib: it has {len(header)} bytes")
    # Where in an element its label is, and where its vector, which ends there.
    *_, label_at, vector_at = struct.unpack("<6Q", header)
    dim, rest = divmod(label_at - vector_at, 4)
    if rest or not 0 < dim < 1 << 20:
        raise ValueError(f"{fspath(path)} is not an index of hnswlib with float32 vectors")
    index = hnswlib.Index({"cosine": "cosine", "l2": "l2", "dot": "ip"}[metric], dim)
    index.load_index(fspath(path))

    def batches() -> Iterator[Batch]:
        for ids in _pages(index.get_ids_list()):
            yield from _hnswlib_items(index, ids)

    return Source(dim, metric, batches)


def _hnswlib_items(index: Any, ids: list[int]) -> Iterator[Batch]:
    """It does not say which are deleted, but refuses a list with one of them: halves, then, down to the one."""
    try:
        yield Batch(ids, index.get_items(ids))
    except RuntimeError:
        if len(ids) > 1:
            yield from _hnswlib_items(index, ids[: len(ids) // 2])
            yield from _hnswlib_items(index, ids[len(ids) // 2 :])


def from_faiss(path: _Path, metric: _Metric | None = None) -> Source:
    """An index that `faiss.write_index` wrote and that gives its vectors back: flat or HNSW, with ids (`IndexIDMap`) or not.

    Without ids the rows are numbered from 0. The index is compared by l2 or by inner product; of vectors of length 1 the latter
    is `metric="cosine"`. Quantized indexes give back what their codes say.
    """
    import faiss

    index = faiss.read_index(fspath(path))
    metrics: dict[int, _Metric] = {faiss.METRIC_L2: "l2", faiss.METRIC_INNER_PRODUCT: "dot"}
    chosen = metric or metrics.get(index.metric_type)
    if chosen is None:
        raise ValueError(f"{fspath(path)} is compared by FAISS's metric {index.metric_type}; there are l2 and inner product")

    def batches() -> Iterator[Batch]:
        ids: Any = range(index.ntotal)
        vectors = index
        if isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2)):
            ids = faiss.vector_to_array(index.id_map)
            vectors = faiss.downcast_index(index.index)  # `index` owns it
        for start in range(0, len(ids), _ROWS):
            part = ids[start : start + _ROWS]
            yield Batch(part, vectors.reconstruct_n(start, len(part)))

    return Source(index.d, chosen, batches)


def from_usearch(path: _Path) -> Source:
    """An index that `Index.save` of USearch wrote, compared by cos, ip or l2sq, with one vector a key."""
    import numpy as np
    from usearch.compiled import MetricKind
    from usearch.index import Index

    index = Index.restore(fspath(path))
    if index is None:
        raise ValueError(f"{fspath(path)} is not an index of USearch")
    metrics: dict[Any, _Metric] = {MetricKind.Cos: "cosine", MetricKind.IP: "dot", MetricKind.L2sq: "l2"}
    if index.metric_kind not in metrics or index.multi:
        kind = "several vectors a key" if index.multi else index.metric_kind
        raise ValueError(f"{fspath(path)} has {kind}; there are one vector a key and cos, ip, l2sq")

    def batches() -> Iterator[Batch]:
        for keys in _pages(np.asarray(index.keys[:])):
            yield Batch(keys, np.asarray(index.get(keys, dtype="f32")))

    return Source(index.ndim, metrics[index.metric_kind], batches)


def from_chroma(path: _Path, collection: str, text_key: str = "text") -> Source:
    """A collection of a directory of Chroma. Documents become the field `text_key` of the metadata."""
    import chromadb

    chroma = chromadb.PersistentClient(fspath(path)).get_collection(collection, embedding_function=None)
    hnsw = chroma.configuration.get("hnsw") or {}
    space = hnsw.get("space", "l2")
    first = chroma.get(limit=1, include=["embeddings"])["embeddings"]
    if first is None or not len(first):
        raise ValueError(f"collection {collection!r} of {fspath(path)} is empty")

    def batches() -> Iterator[Batch]:
        for start in range(0, chroma.count(), _ROWS):
            # By its type any part of it may be missing; what is included is there.
            page: Any = chroma.get(limit=_ROWS, offset=start, include=["embeddings", "metadatas", "documents"])
            texts = [{} if text is None else {text_key: text} for text in page["documents"]]
            metadata = [{**(own or {}), **text} for own, text in zip(page["metadatas"], texts)]
            yield Batch(page["ids"], page["embeddings"], metadata)

    metrics: dict[str, _Metric] = {"cosine": "cosine", "l2": "l2", "ip": "dot"}
    return Source(len(first[0]), metrics[space], batches)


def from_lancedb(path: _Path, table: str, metric: _Metric = "l2", *, vector: str = "vector", id: str | None = None) -> Source:
    """A table of a LanceDB directory. Column `vector` has the vectors, `id` the ids (else rows are numbered from 0), and all
    others become metadata. Tables do not say how they are compared: LanceDB does so by l2 if nothing else is asked for.
    """
    import lancedb
    import numpy as np

    lance = lancedb.connect(fspath(path)).open_table(table)
    kind = lance.schema.field(vector).type
    dim = getattr(kind, "list_size", -1)
    if dim < 1:
        raise ValueError(f"column {vector!r} of table {table!r} is {kind}; a fixed-size list of numbers is needed")

    def batches() -> Iterator[Batch]:
        start = 0
        for rows in lance.search().limit(lance.count_rows()).to_batches(_ROWS):
            vectors = rows.column(vector)
            if vectors.null_count:
                raise ValueError(f"{vectors.null_count} of the rows from {start} on have no vector")
            numbers = np.asarray(vectors.flatten()).reshape(-1, dim)
            metadata = rows.drop_columns([vector] if id is None else [vector, id]).to_pylist()
            yield Batch(range(start, start + len(rows)) if id is None else rows.column(id).to_pylist(), numbers, metadata)
            start += len(rows)

    return Source(dim, metric, batches)


def from_qdrant_edge(path: _Path, metric: _Metric = "cosine", *, vector: str = "") -> Source:
    """A shard of Qdrant Edge: its points with their payloads, and of each point the vector named `vector`, or its only one.

    Ids that are UUIDs stay such. How a shard is compared is not told; Qdrant's usual is cosine.
    """
    import qdrant_edge

    shard = qdrant_edge.EdgeShard.load(fspath(path))

    def page(start: Any, rows: int) -> tuple[list[Any], Any]:
        return shard.scroll(qdrant_edge.ScrollRequest(offset=start, limit=rows, with_payload=True, with_vector=True))

    def vector_of(point: Any) -> Any:
        found = point.vector.get(vector) if isinstance(point.vector, dict) else point.vector
        if found is None:
            raise ValueError(f"point {point.id} has no vector {vector!r}; it has {sorted(point.vector or [])}")
        return found

    first, _ = page(None, 1)
    if not first:
        raise ValueError(f"{fspath(path)} has no points")

    def batches() -> Iterator[Batch]:
        start, more = None, True
        while more:
            points, start = page(start, _ROWS)
            ids = [UUID(point.id) if isinstance(point.id, str) else point.id for point in points]
            yield Batch(ids, [vector_of(point) for point in points], [point.payload or {} for point in points])
            more = start is not None

    return Source(len(vector_of(first[0])), metric, batches)


def _pages(ids: Any) -> Iterator[Any]:
    return (ids[start : start + _ROWS] for start in range(0, len(ids), _ROWS))


def _scalars(ids: Any) -> Any:
    """Ids as Python has them, which is how they are looked up."""
    return ids.tolist() if hasattr(ids, "tolist") else ids
