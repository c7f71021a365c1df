"""An index in shards answers as one collection does, and is built whole or not at all."""

import doctest
import os
import uuid

import numpy as np
import pytest

import proxime
from conftest import distances, vectors
from proxime import _shards, sharded
from proxime.sharded import Batch, ShardedIndex, Source, build

N, DIM = 3_000, 8
ROWS = vectors(N, DIM, seed=5)
QUERIES = vectors(20, DIM, seed=6)


def source(ids, metric="l2", metadata=None, batch=700):
    def batches():
        for start in range(0, len(ids), batch):
            part = slice(start, start + batch)
            yield Batch(ids[part], ROWS[part], metadata and metadata[part])

    return Source(DIM, metric, batches)


def files(root):
    """Every file with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
@pytest.mark.parametrize("shards", [1, 4])
def test_an_exact_search_is_that_of_one_collection(tmp_path, metric, shards):
    build(ROWS, tmp_path, shards=shards, metric=metric)
    with ShardedIndex.open(tmp_path) as index:
        assert (len(index), index.dim, index.metric) == (N, DIM, metric)
        found = index.search(QUERIES, 10, exact=True)
        true = distances(metric, QUERIES, ROWS)
        np.testing.assert_array_equal(found.ids, np.argsort(true, axis=1)[:, :10])
        np.testing.assert_allclose(found.distances, np.sort(true, axis=1)[:, :10], atol=1e-5)
        assert (found.coverage, found.missing) == (1.0, ())
        one = index.search(QUERIES[3], 10, exact=True)
        np.testing.assert_array_equal(one.ids, found.ids[3])
        approximate = index.search(QUERIES, 10, ef=200)
        assert np.mean([np.isin(a, b).mean() for a, b in zip(approximate.ids, found.ids)]) > 0.95


def test_ids_metadata_and_filters(tmp_path):
    kinds = [str, int, lambda i: uuid.UUID(int=i), lambda i: b"%d" % i]
    ids = [kinds[i % 4](i) for i in range(N)]
    build(source(ids, metadata=[{"i": i} for i in range(N)]), tmp_path, shards=3)
    with ShardedIndex.open(tmp_path) as index:
        for i in [0, 1, 2, 3, 2_998]:
            assert index.get(ids[i])["metadata"] == {"i": i}
        assert index.get("none") is None
        found = index.search(QUERIES, 5, exact=True, where="i < 3", include="metadata")
        assert found.ids.shape == (20, 3)
        assert all({m["i"] for m in row} == {0, 1, 2} for row in found.metadata)
        assert all(ids[m["i"]] == id for row, them in zip(found.metadata, found.ids) for m, id in zip(row, them))
        with pytest.raises(proxime.FilterError):
            index.search(QUERIES, where="i <")
        with pytest.raises(proxime.ParameterError):
            index.search(QUERIES, include="vectors")


@pytest.mark.parametrize("shards", [1, 3])
def test_a_search_by_words_is_that_of_one_collection(tmp_path, shards):
    """Ids, order and scores to the last bit, in shards of which none has the counts of all."""
    random = np.random.default_rng(11)
    kinds = [str, int, lambda i: uuid.UUID(int=i), lambda i: b"%d" % i]
    ids = [kinds[i % 4](i) for i in range(N)]
    names = np.array(["fox", "bird", "dog", "red", "blue", "jumps", "over", "lazy"])
    texts = [" ".join(random.choice(names, random.integers(0, 9), p=np.arange(8, 0, -1) / 36)) for _ in range(N)]
    metadata = [{"text": text, "i": i} for i, text in enumerate(texts)]
    build(source(ids, metadata=metadata), tmp_path, shards=shards)
    whole = proxime.open(":memory:").create_collection("c", DIM, "l2")
    whole.upsert(ids, ROWS, metadata)
    with ShardedIndex.open(tmp_path) as index:
        for text in ["lazy", "red fox fox", "nothing", "", "blue lazy over jumps"]:
            for fusion in [None, "rrf", "dbsf", (1, 0.3)]:
                for options in [{}, {"where": "i < 100"}]:
                    both = {} if fusion is None else {"vector": QUERIES[1], "fusion": fusion, "exact": True}
                    ours = index.search(text=text, k=7, include="metadata", **both, **options)
                    its = whole.search(text=text, k=7, **both, **options)
                    assert list(ours.ids) == [hit.id for hit in its]
                    np.testing.assert_array_equal(ours.scores, its.scores)
                    np.testing.assert_array_equal(ours.text_scores, its.text_scores)
                    np.testing.assert_array_equal(ours.distances, its.distances)
                    assert ours.metadata == [hit.metadata for hit in its]
        with pytest.raises(proxime.ParameterError):
            index.search(QUERIES, text="fox")
        with pytest.raises(proxime.ParameterError):
            index.search()
        with pytest.raises(proxime.ParameterError):
            index.search(text="fox", vector=QUERIES[0], max_distance=1)
        with pytest.raises(proxime.ParameterError):
            index.search(text="fox", fields=[])


def test_the_home_of_an_id_is_the_same_for_ever():
    homes = [0, 789, 67, 533, 485, 495, 649, 29]
    ids = [0, 1, -1, 2**63 - 1, "0", "ä", b"0", uuid.UUID(int=7)]
    assert _shards.shard_of(ids, 1_000).tolist() == homes
    assert _shards.shard_of(np.array(ids[:4]), 1_000).tolist() == homes[:4]
    counts = np.bincount(_shards.shard_of(range(80_000), 8).astype(int))
    assert counts.min() > 9_500

def test_building_again_writes_nothing_and_other_ways_give_the_same(tmp_path):
    ids = list(range(N))
    assert build(source(ids), tmp_path / "a", shards=3) == 1
    before = files(tmp_path / "a")
    assert build(source(ids, batch=311), tmp_path / "a", shards=3) == 1
    after = files(tmp_path / "a")
    assert {path: time for path, time in after.items() if path != tmp_path / "a"} == before
    np.save(tmp_path / "rows.npy", ROWS)
    build(tmp_path / "rows.npy", tmp_path / "b", shards=3, metric="l2")
    assert ShardedIndex.open(tmp_path / "a").digest() == ShardedIndex.open(tmp_path / "b").digest()


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(2):
        mine = slice(part * 1_500, (part + 1) * 1_500)
        column = pa.FixedSizeListArray.from_arrays(pa.array(ROWS[mine].ravel()), DIM)
        table = pa.table({"key": [f"k{i}" for i in range(N)[mine]], "emb": column, "n": range(N)[mine]})
        pyarrow.parquet.write_table(table, folder / f"{part}.parquet")
    build(folder, tmp_path / "index", shards=2, metric="l2", vector="emb", id="key")
    with ShardedIndex.open(tmp_path / "index") as index:
        for i in [0, 1_499, 1_500, 2_999]:
            record = index.get(f"k{i}")
            assert record["metadata"] == {"n": i}
            np.testing.assert_array_equal(record["vector"], ROWS[i])


def test_no_rows(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    column = pa.array([], pa.list_(pa.float32(), DIM))
    pyarrow.parquet.write_table(pa.table({"vector": column}), tmp_path / "none.parquet")
    with pytest.raises(proxime.ParameterError, match="none.parquet has no rows"):
        build(tmp_path / "none.parquet", tmp_path / "index", shards=2)


def test_refresh_goes_over_to_what_was_built_since(tmp_path):
    build(ROWS[:1_000], tmp_path, shards=2, metric="l2")
    with ShardedIndex.open(tmp_path) as index:
        assert build(ROWS, tmp_path, shards=3, metric="l2") == 2
        assert len(index) == 1_000
        index.refresh()
        assert len(index) == N
        assert index.search(ROWS[2_999], 1).ids.tolist() == [2_999]


def test_a_build_that_fails_is_not_seen(tmp_path):
    build(ROWS, tmp_path, shards=2, metric="l2")
    before = sorted(os.listdir(tmp_path))
    wrong = ROWS.copy()
    wrong[7, 3] = np.nan
    with pytest.raises(proxime.NotFiniteError):
        build(wrong, tmp_path, shards=1, metric="l2")
    assert sorted(os.listdir(tmp_path)) == before
    with pytest.raises(proxime.StoreNotFoundError):
        ShardedIndex.open(tmp_path / "nothing")
    for shards in [0, -1, 10_000]:
        with pytest.raises(proxime.ParameterError):
            build(ROWS, tmp_path, shards=shards)
    with pytest.raises(proxime.ParameterError):
        build([ROWS, ROWS[:, :4]], tmp_path, shards=1)


def test_a_damaged_manifest_or_an_exchanged_shard_is_an_error(tmp_path):
    build(ROWS, tmp_path, shards=2, metric="l2")
    first, second = (tmp_path / shard.folder for shard in _shards.read(tmp_path, 1).shards)
    os.rename(first, tmp_path / "x")
    os.rename(second, first)
    os.rename(tmp_path / "x", second)
    with pytest.raises(proxime.DamagedError):
        ShardedIndex.open(tmp_path)
    manifest = tmp_path / "MANIFEST-00000001.json"
    good = manifest.read_text()
    for bad in ["", "{}", "[]", good[:-5], good.replace("shard-0000", "../shard-0000"), good.replace('"dim"', '"dims"')]:
        manifest.write_text(bad)
        with pytest.raises(proxime.DamagedError):
            ShardedIndex.open(tmp_path)
    manifest.write_text(good.replace('"format": 1', '"format": 2'))
    with pytest.raises(proxime.UnsupportedError):
        ShardedIndex.open(tmp_path)


def test_examples_in_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(sharded)
    assert results.attempted
    assert not results.failed
