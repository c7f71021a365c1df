"""Proxime and other embedded databases behind one shape: records with two numbers, stored batch by batch, found by filter.

All compare by squared L2. `upsert` returns when the database says that the batch is stored, by its own default of what that
means; where the name of the engine says so, by another. `search` is one query a call: few of them offer more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

M = 16
EF_CONSTRUCTION = 100
#: Of LanceDB, times as many as are asked for that it compares by their vectors: its codes alone stay below 0.95.
REFINED = 4
FIELDS = ("spread", "near")


class Where(NamedTuple):
    """A condition on one of `FIELDS`: from `low` on, and below `high`."""

    field: str
    low: int
    high: int


class Store(Protocol):
    """A new database in an empty folder. `fields` are arrays of integers, one for each of `FIELDS`."""

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None: ...

    def index(self) -> None:
        """Put everything into an index, and wait for it."""

    def tune(self, ef: int) -> None:
        """The width of later searches."""

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]: ...

    def close(self) -> None: ...


class Proxime:
    """Proxime on disk. Indexes are made in the background by itself; `index` puts what there is into one segment."""

    def __init__(self, folder: Path, dim: int, durability: str) -> None:
        import proxime

        self.db = proxime.open(folder / "db", durability=durability)
        self.collection = self.db.create_collection("bench", dim=dim, metric="l2")

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None:
        self.collection.upsert(ids, rows, objects(fields))

    def index(self) -> None:
        self.collection.compact()

    def tune(self, ef: int) -> None:
        self.ef = ef

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]:
        condition = where and {where.field: {"$gte": where.low, "$lt": where.high}}
        return self.collection.search(query, k=k, ef=self.ef, where=condition).ids

    def close(self) -> None:
        self.db.close()


class Chroma:
    """Chroma's persistent client. It indexes as it is written to; a new width of search needs it opened anew."""

    def __init__(self, folder: Path, dim: int) -> None:  # noqa: ARG002
        self.folder = str(folder)
        self.open()
        hnsw = {"space": "l2", "ef_construction": EF_CONSTRUCTION, "max_neighbors": M}
        self.collection = self.client.create_collection("bench", configuration={"hnsw": hnsw}, embedding_function=None)

    def open(self) -> None:
        import chromadb

        self.client = chromadb.PersistentClient(self.folder, chromadb.Settings(anonymized_telemetry=False))

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None:
        most = self.client.get_max_batch_size()
        names, numbers = [str(i) for i in ids], objects(fields)
        for at in range(0, len(ids), most):
            some = slice(at, at + most)
            self.collection.upsert(ids=names[some], embeddings=rows[some], metadatas=numbers[some])

    def index(self) -> None:
        """It has no such call."""

    def tune(self, ef: int) -> None:
        from chromadb.api.client import SharedSystemClient

        self.collection.modify(configuration={"hnsw": {"ef_search": ef}})
        self.client.close()
        SharedSystemClient.clear_system_cache()
        self.open()
        self.collection = self.client.get_collection("bench", embedding_function=None)

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]:
        condition = where and {"$and": [{where.field: {"$gte": where.low}}, {where.field: {"$lt": where.high}}]}
        found = self.collection.query(query_embeddings=[query], n_results=k, where=condition, include=["distances"])
        return [int(name) for name in found["ids"][0]]

    def close(self) -> None:
        self.client.close()


class Lance:
    """LanceDB. Rows are added, which is faster than its upsert, until `index` has made one of vectors and of each number."""

    def __init__(self, folder: Path, dim: int) -> None:
        import lancedb
        import pyarrow as pa

        self.arrow, self.dim = pa, dim
        numbers = [pa.field(name, pa.int64()) for name in ("id", *FIELDS)]
        schema = pa.schema([*numbers, pa.field("vector", pa.list_(pa.float32(), dim))])
        self.table = lancedb.connect(folder).create_table("bench", schema=schema)
        self.indexed = False

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None:
        flat = self.arrow.array(np.ascontiguousarray(rows).reshape(-1))
        vectors = self.arrow.FixedSizeListArray.from_arrays(flat, self.dim)
        columns = [self.arrow.array(ids), *(self.arrow.array(fields[name]) for name in FIELDS), vectors]
        batch = self.arrow.Table.from_arrays(columns, names=["id", *FIELDS, "vector"])
        if self.indexed:
            self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(batch)
        else:
            self.table.add(batch)

    def index(self) -> None:
        self.table.create_index(metric="l2", index_type="IVF_HNSW_SQ", m=M, ef_construction=EF_CONSTRUCTION)
        for name in ("id", *FIELDS):
            self.table.create_scalar_index(name)
        self.table.optimize()
        self.indexed = True

    def tune(self, ef: int) -> None:
        self.ef = ef

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]:
        # It refuses a beam narrower than what it refines.
        ef = max(self.ef, REFINED * k)
        search = self.table.search(query).ef(ef).nprobes(max(1, self.ef // 16)).refine_factor(REFINED).limit(k).select(["id"])
        if where:
            search = search.where(f"{where.field} >= {where.low} AND {where.field} < {where.high}", prefilter=True)
        return search.to_arrow()["id"].to_pylist()

    def close(self) -> None:
        """It has no such call."""


class Qdrant:
    """Qdrant Edge. `index` is its `optimize`; nothing goes into an index before."""

    def __init__(self, folder: Path, dim: int, flush: bool = False) -> None:
        import qdrant_edge as edge

        self.edge, self.flush = edge, flush
        vectors = edge.EdgeVectorParams(size=dim, distance=edge.Distance.Euclid)
        hnsw = edge.HnswIndexConfig(m=M, ef_construct=EF_CONSTRUCTION, full_scan_threshold=1000)
        self.shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors, hnsw_config=hnsw))
        for name in FIELDS:
            self.shard.update(edge.UpdateOperation.create_field_index(name, edge.PayloadSchemaType.Integer))

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None:
        points = zip(ids.tolist(), rows.tolist(), objects(fields), strict=True)
        self.shard.update(self.edge.UpdateOperation.upsert_points([self.edge.Point(*point) for point in points]))
        if self.flush:
            self.shard.flush()

    def index(self) -> None:
        while self.shard.optimize():
            pass

    def tune(self, ef: int) -> None:
        self.params = self.edge.SearchParams(hnsw_ef=ef)

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]:
        condition = None
        if where:
            within = self.edge.RangeFloat(gte=where.low, lt=where.high)
            condition = self.edge.Filter(must=[self.edge.FieldCondition(where.field, range=within)])
        nearest = self.edge.Query.Nearest(query.tolist())
        found = self.shard.query(self.edge.QueryRequest(k, query=nearest, filter=condition, params=self.params))
        return [point.id for point in found]

    def close(self) -> None:
        self.shard.close()


class Milvus:
    """Milvus Lite, by the client of Milvus. Its index is made when its rows in memory are flushed."""

    def __init__(self, folder: Path, dim: int) -> None:
        from pymilvus import DataType, MilvusClient

        self.client = MilvusClient(str(folder / "bench.db"))
        schema = self.client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        for name in FIELDS:
            schema.add_field(name, DataType.INT64)
        index = self.client.prepare_index_params()
        parameters = {"M": M, "efConstruction": EF_CONSTRUCTION}
        index.add_index("vector", index_type="HNSW", metric_type="L2", params=parameters)
        self.client.create_collection("bench", schema=schema, index_params=index)

    def upsert(self, ids: np.ndarray, rows: np.ndarray, fields: dict[str, np.ndarray]) -> None:
        numbers = zip(ids.tolist(), objects(fields), rows, strict=True)
        self.client.upsert("bench", [{"id": i, "vector": row, **object_} for i, object_, row in numbers])

    def index(self) -> None:
        self.client.flush("bench")
        self.client.load_collection("bench")

    def tune(self, ef: int) -> None:
        self.params = {"params": {"ef": ef}}

    def search(self, query: np.ndarray, k: int, where: Where | None) -> list[int]:
        condition = f"{where.field} >= {where.low} and {where.field} < {where.high}" if where else ""
        found = self.client.search("bench", [query], filter=condition, limit=k, search_params=self.params)
        return [hit["id"] for hit in found[0]]

    def close(self) -> None:
        self.client.close()


def objects(fields: dict[str, np.ndarray]) -> list[dict[str, int]]:
    """Columns as an object for each row."""
    names = tuple(fields)
    return [dict(zip(names, row, strict=True)) for row in zip(*(column.tolist() for column in fields.values()), strict=True)]


@dataclass
class Engine:
    """The package that it comes from, and how to make one."""

    package: str
    make: Callable[[Path, int], Store]

    @property
    def version(self) -> str | None:
        """The installed version; None if it is not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


DATABASES = {
    "proxime": Engine("proxime", partial(Proxime, durability="always")),
    "proxime-os": Engine("proxime", partial(Proxime, durability="os")),
    "chroma": Engine("chromadb", Chroma),
    "lancedb": Engine("lancedb", Lance),
    "qdrant-edge": Engine("qdrant-edge-py", Qdrant),
    "qdrant-edge-flush": Engine("qdrant-edge-py", partial(Qdrant, flush=True)),
    "milvus-lite": Engine("milvus-lite", Milvus),
}
