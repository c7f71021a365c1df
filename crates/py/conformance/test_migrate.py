"""Files that other libraries wrote, read with ids and metadata. Each is made here, by the library itself."""

import re
from uuid import UUID

import numpy as np
import pytest

import proxime
from proxime import migrate

N, DIM = 1_200, 12
VECTORS = np.random.default_rng(3).standard_normal((N, DIM), dtype=np.float32)
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
IDS = np.arange(N) * 3 + 5


@pytest.fixture
def db():
    with proxime.open(":memory:") as db:
        yield db


def check(collection, expected, metadata=None, atol=0.0):
    """The collection has exactly these vectors by id, and this metadata."""
    assert len(collection) == len(expected)
    ids = list(expected)
    records = collection.get(ids)
    np.testing.assert_allclose([record["vector"] for record in records], [expected[id] for id in ids], atol=atol)
    assert [record["metadata"] for record in records] == [(metadata or {}).get(id, {}) for id in ids]


@pytest.mark.parametrize("metric, space", [("cosine", "cosine"), ("l2", "l2"), ("dot", "ip")])
def test_hnswlib(db, tmp_path, monkeypatch, metric, space):
    import hnswlib

    monkeypatch.setattr(migrate, "_ROWS", 500)
    index = hnswlib.Index(space, DIM)
    index.init_index(N, M=8)
    index.add_items(VECTORS, IDS)
    for gone in IDS[[0, 7, 501, 1_199]]:
        index.mark_deleted(gone)
    index.save_index(str(tmp_path / "old.bin"))
    stored = UNIT if metric == "cosine" else VECTORS
    left = {int(id): row for id, row in zip(IDS, stored) if id not in IDS[[0, 7, 501, 1_199]]}
    known = {8: {"title": "second"}}
    moved = migrate.from_hnswlib(tmp_path / "old.bin", metric).into(db, "docs", known)
    assert moved.metric == metric
    check(moved, left, known, atol=1e-6 if metric == "cosine" else 0)


@pytest.mark.parametrize("kind", ["flat", "flat with ids", "hnsw", "hnsw with ids"])
def test_faiss(db, tmp_path, monkeypatch, kind):
    import faiss

    monkeypatch.setattr(migrate, "_ROWS", 500)
    index = faiss.IndexFlatIP(DIM) if "flat" in kind else faiss.IndexHNSWFlat(DIM, 8)
    if "ids" in kind:
        index = faiss.IndexIDMap2(index)
        index.add_with_ids(VECTORS, IDS)
    else:
        index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "old.index"))
    moved = migrate.from_faiss(tmp_path / "old.index").into(db, "docs")
    assert moved.metric == ("dot" if "flat" in kind else "l2")
    check(moved, dict(zip(IDS.tolist() if "ids" in kind else range(N), VECTORS)))
    assert migrate.from_faiss(tmp_path / "old.index", metric="cosine").into(db, "again").metric == "cosine"


@pytest.mark.parametrize("dtype, atol", [("f32", 0), ("f16", 2e-3), ("bf16", 2e-2)])
def test_usearch(db, tmp_path, monkeypatch, dtype, atol):
    from usearch.index import Index

    monkeypatch.setattr(migrate, "_ROWS", 500)
    index = Index(ndim=DIM, metric="ip", dtype=dtype)
    index.add(IDS, VECTORS)
    index.remove(int(IDS[3]))
    index.save(tmp_path / "old.usearch")
    moved = migrate.from_usearch(tmp_path / "old.usearch").into(db, "docs", {5: {"a": 1}})
    assert moved.metric == "dot"
    check(moved, {int(id): row for id, row in zip(IDS, VECTORS) if id != IDS[3]}, {5: {"a": 1}}, atol)


def test_chroma(db, tmp_path, monkeypatch):
    import chromadb

    monkeypatch.setattr(migrate, "_ROWS", 500)
    chroma = chromadb.PersistentClient(str(tmp_path)).create_collection("docs", metadata={"hnsw:space": "cosine"})
    ids = [f"c{i}" for i in range(N)]
    chroma.add(ids, VECTORS, [{"n": i, "odd": i % 2 == 1, "x": i / 4} for i in range(N)], [f"text {i}" for i in range(N)])
    chroma.add(["bare"], np.ones((1, DIM)))
    moved = migrate.from_chroma(tmp_path, "docs").into(db, "docs")
    assert moved.metric == "cosine"
    metadata = {f"c{i}": {"n": i, "odd": i % 2 == 1, "x": i / 4, "text": f"text {i}"} for i in range(N)}
    # With cosine, Chroma gives back what it has normalised and multiplied again.
    check(moved, dict(zip(ids, VECTORS)) | {"bare": np.ones(DIM)}, metadata, atol=1e-6)


@pytest.mark.parametrize("id", [None, "key"])
def test_lancedb(db, tmp_path, monkeypatch, id):
    import lancedb
    import pyarrow as pa

    monkeypatch.setattr(migrate, "_ROWS", 500)
    keys = [f"l{i}" for i in range(N)]
    columns = {"key": keys, "vector": pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), DIM), "n": range(N)}
    lancedb.connect(tmp_path).create_table("docs", pa.table(columns))
    moved = migrate.from_lancedb(tmp_path, "docs", "dot", id=id).into(db, "docs")
    found = keys if id else range(N)
    metadata = {key: {"n": i} if id else {"key": keys[i], "n": i} for i, key in enumerate(found)}
    check(moved, dict(zip(found, VECTORS)), metadata)


def test_qdrant_edge(db, tmp_path, monkeypatch):
    import qdrant_edge as qdrant

    monkeypatch.setattr(migrate, "_ROWS", 500)
    path = tmp_path / "shard"
    path.mkdir()
    shard = qdrant.EdgeShard.create(str(path), qdrant.EdgeConfig(vectors=qdrant.EdgeVectorParams(DIM, qdrant.Distance.Cosine)))
    ids = [UUID(int=i) if i % 2 else i for i in range(N)]
    points = [qdrant.Point(str(id) if isinstance(id, UUID) else id, VECTORS[i].tolist(), {"n": i}) for i, id in enumerate(ids)]
    shard.update(qdrant.UpdateOperation.upsert_points(points))
    shard.close()
    moved = migrate.from_qdrant_edge(path).into(db, "docs")
    check(moved, dict(zip(ids, UNIT)), {id: {"n": i} for i, id in enumerate(ids)}, atol=1e-6)


def test_no_collection_is_left_after_an_error(db):
    def batches():
        yield migrate.Batch([1], np.ones((1, 4)))
        yield migrate.Batch([2], np.full((1, 4), np.nan))

    with pytest.raises(proxime.NotFiniteError):
        migrate.Source(4, "l2", batches).into(db, "docs")
    assert db.collections() == []


@pytest.mark.parametrize("content", [b"", b"x" * 47, b"\xff" * 200, bytes(200)])
def test_a_file_that_is_no_index_is_named(tmp_path, content):
    path = tmp_path / "old.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        migrate.from_hnswlib(path, "l2")
    with pytest.raises(Exception):
        migrate.from_faiss(path)
