"""Snapshots in object storage, on a server of S3 that runs here."""

import json
import threading

import numpy as np
import obstore
import pytest
from obstore.store import from_url

import proxime
from proxime import s3
from proxime.sharded import Batch, ShardedIndex, Source, build

ROWS = np.random.default_rng(3).standard_normal((3_000, 16), dtype=np.float32)


@pytest.fixture
def db(tmp_path):
    with proxime.open(tmp_path / "db") as db:
        db.create_collection("c", dim=16, metric="l2").upsert(range(2_000), ROWS[:2_000], {"text": ["a word"] * 2_000})
        yield db


class Counted:
    """Stands for a function of obstore: counts what goes through it, and fails from the `until`-th call on."""

    def __init__(self, monkeypatch, name):
        self._real, self.calls, self.bytes, self.until = getattr(obstore, name), 0, 0, None
        monkeypatch.setattr(obstore, name, self)

    def __call__(self, *args, **options):
        if self.until is not None and self.calls >= self.until:
            raise InterruptedError("the line is dead")
        self.calls += 1
        found = self._real(*args, **options)
        self.bytes += len(found) if hasattr(found, "__len__") else 0
        return found


def objects(place):
    return {entry["path"]: entry["last_modified"] for page in obstore.list(from_url(place)) for entry in page}


def same(one, other):
    ours, its = one.collection("c"), other.collection("c")
    assert ours.digest() == its.digest()
    assert list(ours.search(ROWS[7], 5, exact=True).ids) == list(its.search(ROWS[7], 5, exact=True).ids)


def test_what_is_pushed_comes_back(place, db, tmp_path):
    assert s3.push(db, place) == 1
    with proxime.open(place) as read:
        same(db, read)
        assert read.read_only
        assert list(read.collection("c").search(text="word", k=2).ids) == [0, 1]
        with pytest.raises(proxime.ReadOnlyError):
            read.collection("c").delete([1])
    s3.pull(place, tmp_path / "copy")
    with proxime.open(tmp_path / "copy") as copy:
        same(db, copy)
        copy.collection("c").delete([1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "db", "home-cache"]
    with pytest.raises(proxime.ExistsError):
        s3.pull(place, tmp_path / "copy")


def test_only_what_is_new_is_sent_and_fetched(place, db, tmp_path, monkeypatch):
    puts, gets = Counted(monkeypatch, "put"), Counted(monkeypatch, "get_range")
    assert s3.push(db, place) == 1
    first, before = puts.calls, objects(place)
    assert s3.push(db, place) == 1 and s3.push(db.path, place) == 1
    assert puts.calls == first and objects(place) == before
    with s3.open(place, cache=tmp_path / "cache"):
        pass
    fetched = gets.bytes
    db.collection("c").upsert(range(2_000, 3_000), ROWS[2_000:])
    assert s3.push(db, place) == 2
    assert before.items() < objects(place).items()
    with s3.open(place, cache=tmp_path / "cache") as read:
        same(db, read)
    assert gets.bytes - fetched < fetched  # the segment of before was there
    calls = gets.calls
    with s3.open(place, number=1, cache=tmp_path / "cache") as read:
        assert len(read.collection("c")) == 2_000
    assert gets.calls == calls and s3.snapshots(place) == [1, 2]


def test_interrupted_ones_go_on(place, db, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "_CHUNK", 50_000)
    monkeypatch.setattr(s3, "_AT_ONCE", 1)
    puts, gets = Counted(monkeypatch, "put"), Counted(monkeypatch, "get_range")
    puts.until = 2
    with pytest.raises(InterruptedError):
        s3.push(db, place)
    assert s3.snapshots(place) == []
    sent, puts.until = puts.calls, None
    assert s3.push(db, place) == 1
    total = puts.calls
    gets.until = 3
    with pytest.raises(InterruptedError):
        s3.pull(place, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    gets.until = None
    s3.pull(place, tmp_path / "copy")
    with proxime.open(tmp_path / "copy") as copy:
        same(db, copy)
    files = json.loads(bytes(obstore.get(from_url(place), "SNAPSHOT-00000001.json").bytes()))["files"]
    assert gets.bytes == sum(file["bytes"] for file in files)  # nothing was fetched twice
    assert total == len({file["sha256"] for file in files}) + 1 and sent == 2  # nor sent


def test_what_is_damaged_is_not_used(place, db, tmp_path):
    s3.push(db, place)
    store = from_url(place)
    largest = max((entry for page in obstore.list(store, "files/") for entry in page), key=lambda entry: entry["size"])
    content = bytearray(obstore.get(store, largest["path"]).bytes())
    for damaged in [bytes(content[:-1]), bytes(content) + b"x", bytes([content[0] ^ 1]) + bytes(content[1:])]:
        obstore.put(store, largest["path"], damaged)
        if len(damaged) > len(content):
            continue  # the part that counts is as it was
        with pytest.raises(proxime.DamagedError):
            s3.open(place, cache=tmp_path / "cache")
        with pytest.raises(proxime.DamagedError):
            s3.pull(place, tmp_path / "copy")
    obstore.delete(store, largest["path"])
    with pytest.raises(proxime.DamagedError, match="is missing"):
        s3.pull(place, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    obstore.put(store, largest["path"], bytes(content))
    s3.pull(place, tmp_path / "copy")
    with proxime.open(tmp_path / "copy") as copy:
        same(db, copy)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (b"", proxime.DamagedError),
        (b"[]", proxime.DamagedError),
        (b'{"format": 9, "files": []}', proxime.UnsupportedError),
        (b'{"format": 1, "files": [{"name": "../x", "bytes": 0, "sha256": "%s"}]}' % (b"0" * 64), proxime.DamagedError),
        (b'{"format": 1, "files": [{"name": "/x", "bytes": 0, "sha256": "%s"}]}' % (b"0" * 64), proxime.DamagedError),
        (b'{"format": 1, "files": [{"name": "x", "bytes": -1, "sha256": "%s"}]}' % (b"0" * 64), proxime.DamagedError),
        (b'{"format": 1, "files": [{"name": "x", "bytes": 0, "sha256": "../../x"}]}', proxime.DamagedError),
        (b'{"format": 1, "files": [{"name": "x"}]}', proxime.DamagedError),
    ],
)
def test_a_snapshot_that_is_none(place, tmp_path, what, error):
    with pytest.raises(proxime.StoreNotFoundError):
        s3.pull(place, tmp_path / "copy")
    obstore.put(from_url(place), "SNAPSHOT-00000003.json", what)
    with pytest.raises(error):
        s3.pull(place, tmp_path / "copy")
    with pytest.raises(proxime.StoreNotFoundError):
        s3.open(place, number=2)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["home-cache"])


def test_an_index_in_shards(place, tmp_path, monkeypatch):
    puts, gets = Counted(monkeypatch, "put"), Counted(monkeypatch, "get_range")
    assert build(ROWS, place, shards=3, metric="l2") == 1
    sent = puts.calls
    assert build(ROWS, place, shards=3, metric="l2") == 1
    assert puts.calls == sent and gets.calls == 0
    build(ROWS, tmp_path / "index", shards=3, metric="l2")
    with ShardedIndex.open(place) as index, ShardedIndex.open(tmp_path / "index") as reference:
        assert index.digest() == reference.digest()
        ours, its = index.search(ROWS[:9], 5, exact=True), reference.search(ROWS[:9], 5, exact=True)
        np.testing.assert_array_equal(ours.ids, its.ids)
        np.testing.assert_array_equal(ours.distances, its.distances)
        # One record more: one shard is new, two are there and here.
        fetched = gets.bytes
        assert build([ROWS, Source(16, "l2", lambda: iter([Batch([5_000], ROWS[:1])]))], place, shards=3, metric="l2") == 2
        assert puts.calls - sent <= sent / 2
        index.refresh()
        assert len(index) == 3_001
        assert 0 < gets.bytes - fetched < fetched / 2
    assert s3.snapshots(place) == [1, 2]


def test_sources_in_object_storage(place, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    store = from_url(place)
    column = pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 16)
    pyarrow.parquet.write_table(pa.table({"vector": column, "n": range(len(ROWS))}), tmp_path / "rows.parquet")
    for dtype in ["float32", "float64"]:
        np.save(tmp_path / f"{dtype}.npy", ROWS.astype(dtype))
    for name in ["rows.parquet", "float32.npy", "float64.npy"]:
        obstore.put(store, f"source/{name}", tmp_path / name)
    obstore.put(store, "source/none.npy", b"no array")
    build(ROWS, tmp_path / "reference", shards=2, metric="l2")
    with ShardedIndex.open(tmp_path / "reference") as reference:
        for name in ["rows.parquet", "float32.npy", "float64.npy"]:
            build(f"{place}/source/{name}", tmp_path / f"from-{name}", shards=2, metric="l2")
            with ShardedIndex.open(tmp_path / f"from-{name}") as index:
                ours, its = index.search(ROWS[:9], 5, exact=True), reference.search(ROWS[:9], 5, exact=True)
                np.testing.assert_array_equal(ours.ids, its.ids)
                assert index.get(77)["metadata"] == ({"n": 77} if name == "rows.parquet" else {})
    with pytest.raises(proxime.DamagedError):
        build(f"{place}/source/none.npy", tmp_path / "none", shards=2)
    with pytest.raises(FileNotFoundError):
        build(f"{place}/source/nothing.npy", tmp_path / "none", shards=2)


def test_several_at_once(place, tmp_path):
    """Each that pushes gets a snapshot of its own, each that opens the same files once."""
    dbs = [proxime.open(tmp_path / f"db{i}") for i in range(4)]
    for i, db in enumerate(dbs):
        db.create_collection("c", dim=16, metric="l2").upsert(range(10), ROWS[i : i + 10])
    numbers = {}
    pushes = [threading.Thread(target=lambda i=i: numbers.setdefault(i, s3.push(dbs[i], place))) for i in range(4)]
    for one in pushes:
        one.start()
    for one in pushes:
        one.join()
    assert sorted(numbers.values()) == [1, 2, 3, 4]
    for i, db in enumerate(dbs):
        opened = []
        opens = [threading.Thread(target=lambda: opened.append(s3.open(place, number=numbers[i]))) for _ in range(3)]
        for one in opens:
            one.start()
        for one in opens:
            one.join()
        assert len(opened) == 3
        for read in opened:
            same(db, read)
            read.close()
        db.close()
