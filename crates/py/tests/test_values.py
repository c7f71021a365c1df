"""Ids and metadata come back as they went in, to the type."""

import datetime
import math
import uuid
from enum import IntEnum, StrEnum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import format_reader
import proxime
from conftest import vectors

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT
    | st.datetimes(timezones=st.timezones(), allow_imaginary=False) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def same(a, b):
    """Equal, and of equal types all the way down: `True == 1 == 1.0` is not enough, nor is `0.0 == -0.0`."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, datetime.datetime):
        # In the hour that a clock goes through twice, Python calls times of different zones unequal whatever they are.
        a, b = a.astimezone(datetime.UTC), b.astimezone(datetime.UTC)
    return a == b


def test_same_is_strict():
    assert not same(1, True) and not same(1, 1.0) and not same(0.0, -0.0) and not same([1], [True])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | st.dictionaries(TEXT, VALUES, max_size=4), min_size=1, max_size=5))
def test_metadata_round_trips(metadata):
    docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
    docs.upsert(range(len(metadata)), vectors(len(metadata), 2), metadata)
    for i, expected in enumerate(metadata):
        assert same(docs.get(i)["metadata"], expected or {})
    _, _, rows = docs.search(vectors(1, 2), k=10, include="metadata")
    hits = docs.search(vectors(1, 2)[0], k=10)
    assert same(rows[0], hits.metadata)
    assert all(same(hit.metadata, metadata[hit.id] or {}) for hit in hits)


@settings(max_examples=200, deadline=None)
@given(st.lists(INT64 | TEXT, unique=True, min_size=1, max_size=10))
def test_ids_round_trip(ids):
    docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
    rows = vectors(len(ids), 2)
    docs.add(ids, rows)
    for id, row in zip(ids, rows):
        record = docs.get(id)
        assert same(record["id"], id)
        np.testing.assert_array_equal(record["vector"], row)
        assert docs.search(row, k=1)[0].id == id
    found, _ = docs.search(rows, k=1)
    assert found.dtype == (np.int64 if all(isinstance(id, int) for id in ids) else object)
    assert all(map(same, found[:, 0].tolist(), ids))


def test_a_number_and_its_text_are_different_ids(docs):
    docs.add([1, "1"], vectors(2))
    assert docs.get(1)["id"] == 1
    assert docs.get("1")["id"] == "1"


ID_INPUTS = {
    "list": [3, 1, 2],
    "tuple": (3, 1, 2),
    "range": range(3, 0, -1),
    "iterator": iter([3, 2, 1]),
    "int64": np.array([3, 1, 2]),
    "uint64": np.array([3, 1, 2], "u8"),
    "int8": np.array([3, -1, 2], "i1"),
    "big-endian": np.array([3, 1, 2], ">i4"),
    "strided": np.array([3, 0, 1, 0, 2, 0])[::2],
    "objects": np.array([3, "a", 2], object),
    "NumPy ints": list(np.array([3, 1, 2], "u2")),
    "texts": np.array(["a", "bb", "ccc"]),
    "NumPy texts": list(np.array(["a", "bb", "ccc"])),
    "enums": [IntEnum("Number", "A").A, StrEnum("Text", "B").B, 3],
}


@pytest.mark.parametrize("name", ID_INPUTS)
def test_id_inputs(docs, name):
    ids = list(ID_INPUTS[name]) if name == "iterator" else ID_INPUTS[name]
    docs.add(iter(ids) if name == "iterator" else ids, vectors(3))
    for id, row in zip(ids, vectors(3)):
        np.testing.assert_array_equal(docs.get(id)["vector"], row)


NUMPY_VALUES = [
    (np.bool_(True), True),
    (np.int8(-3), -3),
    (np.uint64(2**63 - 1), 2**63 - 1),
    (np.float16(0.5), 0.5),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float64(0.1), 0.1),
    (np.str_("a"), "a"),
]


@pytest.mark.parametrize("given, expected", NUMPY_VALUES, ids=lambda value: type(value).__name__)
def test_numpy_numbers_are_the_python_numbers_they_equal(docs, given, expected):
    docs.upsert([1], vectors(1), [{"a": given, "b": [given]}])
    assert same(docs.get(1)["metadata"], {"a": expected, "b": [expected]})


def test_columns(docs):
    columns = {"year": np.array([2019, 2020, 2021]), "lang": ("en", None, "de"), "seen": (b for b in [True, False, True]), "x": np.arange(3.0)}
    docs.upsert([1, 2, 3], vectors(3), columns)
    assert same(docs.get(1)["metadata"], {"year": 2019, "lang": "en", "seen": True, "x": 0.0})
    assert same(docs.get(2)["metadata"], {"year": 2020, "lang": None, "seen": False, "x": 1.0})


def test_the_deepest_metadata(docs):
    metadata = {}
    for _ in range(31):
        metadata = {"a": metadata}
    docs.upsert([1], vectors(1), [metadata])
    assert docs.get(1)["metadata"] == metadata


def test_upsert_replaces_everything(docs):
    docs.upsert(["a", "b"], vectors(2), [{"old": 1}, {"old": 2}])
    docs.upsert(["b"], vectors(1, seed=1))
    assert len(docs) == 2
    assert docs.get("a")["metadata"] == {"old": 1}
    assert docs.get("b")["metadata"] == {}
    np.testing.assert_array_equal(docs.get("b")["vector"], vectors(1, seed=1)[0])


def test_the_last_of_equal_ids_wins(docs):
    docs.upsert([1, 2, 1], vectors(3), {"row": [0, 1, 2]})
    assert len(docs) == 2
    assert docs.get(1)["metadata"] == {"row": 2}
    np.testing.assert_array_equal(docs.get(1)["vector"], vectors(3)[2])


def test_ids_come_back_as_what_they_were(tmp_path):
    ids = [7, "7", uuid.UUID(int=7), uuid.UUID(int=2**128 - 1), b"7", b"", b"\xff\x00"]
    with proxime.open(tmp_path / "db") as db:
        db.create_collection("docs", dim=3).upsert(ids, vectors(7, 3))
    assert list(format_reader.read(tmp_path / "db")["docs"]) == ids
    docs = proxime.open(tmp_path / "db").collection("docs")
    seen = [record["id"] for record in docs.scroll()]
    assert seen == [*ids[:4], b"", b"7", b"\xff\x00"] and list(map(type, seen)) == [int, str, *[uuid.UUID] * 2, *[bytes] * 3]
    assert docs.get(uuid.UUID(int=7))["id"] == uuid.UUID(int=7) and docs.exists(b"7") and not docs.exists(b"8")
    assert [record["id"] for record in docs.scroll(after=uuid.UUID(int=8))] == [ids[3], b"", b"7", b"\xff\x00"]
    found = docs.search(vectors(7, 3)[2], k=1)
    assert found.ids[0] == found[0].id == ids[2]
    with pytest.raises(proxime.ExistsError) as raised:
        docs.add([uuid.UUID(int=7)], vectors(1, 3))
    assert raised.value.id == uuid.UUID(int=7) and "00000000-0000-0000-0000-000000000007" in str(raised.value)
    with pytest.raises(proxime.IdError, match="at most 65535"):
        docs.upsert([b"x" * 65_536], vectors(1, 3))
    with pytest.raises(proxime.ArgumentTypeError, match="row 0"):
        docs.upsert([bytearray(b"x")], vectors(1, 3))
    assert docs.delete([b"7", uuid.UUID(int=7)]) == 2


def test_times_compare_as_times(tmp_path):
    db = proxime.open(tmp_path / "db")
    docs = db.create_collection("docs", dim=2, metric="l2")
    hour = datetime.timedelta(hours=1)
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(5 * hour))
    docs.upsert(range(6), vectors(6, 2), [*({"t": start + i * hour, "b": bytes([i])} for i in range(4)), {"t": "2021"}, {}])
    utc = start.astimezone(datetime.timezone.utc)
    assert docs.count({"t": {"$gte": utc + 2 * hour}}) == docs.count("t >= :t", {"t": utc + 2 * hour}) == 2
    assert docs.count(proxime.F("t") < utc + hour) == docs.count({"t": utc}) == docs.count({"b": b"\x03"}) == 1
    assert docs.get(1)["metadata"]["t"] == start + hour and docs.get(1)["metadata"]["t"].utcoffset() == 0 * hour
    assert docs.count({"t": {"$in": [utc, "2021"]}}) == 2 and docs.count({"t": {"$lt": "3000"}}) == 1
    with pytest.raises(proxime.FilterError, match="without a time zone"):
        docs.count({"t": datetime.datetime(2020, 1, 1)})
    with pytest.raises(proxime.FilterError):
        docs.count({"b": {"$gt": b""}})
    db.close()
    stored = format_reader.read(tmp_path / "db")["docs"]
    assert stored[3][1] == {"t": utc + 3 * hour, "b": b"\x03"}
