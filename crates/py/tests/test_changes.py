"""Small batches, deletions, compaction and durability levels, against a dict."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import format_reader
import numpy as np
import proxime
import pytest


def vector(seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.random.default_rng(seed).random(8, dtype=np.float32)


def test_like_a_dict(tmp_path: Path) -> None:
    draw = random.Random(5)
    model: dict[int | str, np.ndarray] = {}
    db = proxime.open(tmp_path / "db")
    docs = db.create_collection("docs", dim=8, metric="l2")
    for step in range(300):
        ids = [draw.choice([draw.randrange(60), f"t{draw.randrange(20)}"]) for _ in range(draw.randrange(1, 5))]
        if draw.random() < 0.6:
            rows = np.stack([vector(step * 10 + i) for i in range(len(ids))])
            docs.upsert(ids, rows, [{"step": step}] * len(ids))
            model.update(zip(ids, rows, strict=True))
        else:
            there = {id for id in ids if model.pop(id, None) is not None}
            assert docs.delete(ids) == len(there)
        if step % 90 == 89:
            docs.compact()
        if step % 50 == 49:
            db.close()
            db = proxime.open(tmp_path / "db")
            docs = db.collection("docs")
        assert len(docs) == len(model)
    for id, expected in model.items():
        record = docs.get(id)
        assert record is not None and (record["vector"] == expected).all()
    query = vector(-1 % 1000)
    found = docs.search(query, k=len(model) + 5)
    nearest = sorted((float(((v - query) ** 2).sum()), str(id)) for id, v in model.items())
    assert len(found.ids) == len(model)
    np.testing.assert_allclose(found.distances, [d for d, _ in nearest], rtol=1e-5)


def test_what_delete_takes(tmp_path: Path) -> None:
    docs = proxime.open(":memory:").create_collection("docs", dim=8)
    docs.upsert(range(10), np.stack([vector(i) for i in range(10)]))
    assert docs.delete([]) == 0
    assert docs.delete(np.array([1, 2, 99], dtype=np.uint8)) == 2
    assert docs.delete([3, 3, "3"]) == 1
    with pytest.raises(proxime.ArgumentTypeError, match="row 1"):
        docs.delete([4, 5.0])
    with pytest.raises(proxime.ArgumentTypeError):
        docs.delete("abc")
    assert len(docs) == 7
    db = proxime.open(tmp_path / "db")
    db.create_collection("docs", dim=8)
    db.close()
    with pytest.raises(proxime.ReadOnlyError):
        proxime.open(tmp_path / "db", read_only=True).collection("docs").delete([1])


def test_delete_where() -> None:
    docs = proxime.open(":memory:").create_collection("docs", dim=8)
    docs.upsert(range(2000), np.random.default_rng(1).random((2000, 8)), {"n": list(range(2000))})
    docs.upsert(range(2000, 2010), np.random.default_rng(2).random((10, 8)), {"n": list(range(2000, 2010))})
    assert docs.delete(where=proxime.F("n") >= 1995) == 15
    assert docs.delete(where="n IN (1, 2, 2)") == 2
    assert docs.delete(where={"n": -1}) == 0
    assert len(docs) == 1993 and docs.exists([0, 1, 1994, 1995, 2009]) == [True, False, True, False, False]
    with pytest.raises(proxime.ParameterError, match="either"):
        docs.delete()
    with pytest.raises(proxime.ParameterError, match="either"):
        docs.delete([1], where={"n": 1})
    with pytest.raises(proxime.Error):
        docs.delete(where={})


@pytest.mark.parametrize("level", ["always", "batch", "os"])
def test_a_killed_process_loses_nothing(tmp_path: Path, level: str) -> None:
    script = """
import os, signal, sys
import numpy as np, proxime
docs = proxime.open(sys.argv[1], durability=sys.argv[2]).create_collection("docs", dim=8)
for i in range(50):
    docs.upsert([i], np.full((1, 8), i + 1.0))
docs.delete([7])
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "db"), level], check=False, timeout=60)
    with proxime.open(tmp_path / "db") as db:
        docs = db.collection("docs")
        assert len(docs) == 49 and docs.get(7) is None
        record = docs.get(49)
        assert record is not None and (record["vector"] == 50.0).all()


def test_levels() -> None:
    with pytest.raises(proxime.ParameterError, match="always"):
        proxime.open(":memory:", durability="never")  # type: ignore[arg-type]
    with pytest.raises(proxime.ParameterError, match="only read"):
        proxime.open("s3://bucket/notes", durability="batch")
    with proxime.open(":memory:", durability="batch") as db:
        db.create_collection("docs", dim=8).upsert([1], vector(1)[None])
        db.flush()


def test_readers_see_small_batches(tmp_path: Path) -> None:
    with proxime.open(tmp_path / "db") as db:
        docs = db.create_collection("docs", dim=8)
        docs.upsert(["a", "b"], np.stack([vector(1), vector(2)]))
        docs.delete(["a"])
        seen = proxime.open(tmp_path / "db", read_only=True).collection("docs")
        assert len(seen) == 1 and seen.search(vector(2), k=3).ids.tolist() == ["b"]


def test_update_keeps_the_other_half(tmp_path: Path) -> None:
    db = proxime.open(tmp_path / "db")
    docs = db.create_collection("docs", dim=8)
    docs.upsert([1, "a"], np.stack([vector(1), vector(2)]), {"n": [1, 2]})
    docs.update(["a"], metadata=[{"n": 3}])
    docs.update([1], vectors=vector(3)[None])
    docs.update([1, 1], np.stack([vector(4), vector(5)]), {"n": [5, 6]})
    db.close()
    docs = proxime.open(tmp_path / "db").collection("docs")
    one, a = docs.get([1, "a"])
    assert one is not None and a is not None
    assert (one["vector"] == vector(5)).all() and one["metadata"] == {"n": 6}
    assert (a["vector"] == vector(2)).all() and a["metadata"] == {"n": 3}
    with pytest.raises(proxime.NotFoundError, match="row 1: there is no record with id 7") as missing:
        docs.update([1, 7], metadata=[{}, {}])
    assert (missing.value.id, missing.value.row) == (7, 1)  # type: ignore[attr-defined]
    with pytest.raises(proxime.ParameterError, match="at least one"):
        docs.update([1])
    with pytest.raises(proxime.CountError):
        docs.update([1], metadata=[{}, {}])
    assert docs.get(1) is not None and docs.get(1)["metadata"] == {"n": 6}  # type: ignore[index]


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    db = proxime.open(tmp_path / "db")
    a, b = db.create_collection("a", dim=8), db.create_collection("b", dim=8)
    a.upsert([1, 2], np.stack([vector(1), vector(2)]), {"n": [1, 2]})
    rows = vector(3)[None].copy()
    with db.transaction() as both:
        both.add(b, ["x"], rows, [{"n": 9}])
        both.update(a, [1], metadata=[{"n": 7}])
        both.delete(a, where={"n": 2})
        both.delete(b, ["not there"])
        rows[:] = 0  # what it was given is copied
        assert len(b) == 0 and len(a) == 2
    with pytest.raises(ZeroDivisionError), db.transaction() as failing:
        failing.delete(a, [1])
        _ = 1 / 0
    with pytest.raises(proxime.ExistsError), db.transaction() as failing:
        failing.delete(a, [1])
        failing.add(b, ["x"], vector(3)[None])
    with pytest.raises(proxime.ClosedError, match="ended"):
        failing.delete(a, [1])
    with pytest.raises(proxime.ParameterError), db.transaction() as failing:
        failing.delete(a)
    db.close()
    found = format_reader.read(tmp_path / "db")
    assert {name: set(records) for name, records in found.items()} == {"a": {1}, "b": {"x"}}
    db = proxime.open(tmp_path / "db")
    record = db.collection("b").get("x")
    assert record is not None and (record["vector"] == vector(3)).all()
    assert db.collection("a").scroll()[0]["metadata"] == {"n": 7}


def test_collections_are_renamed_and_dropped(tmp_path: Path) -> None:
    db = proxime.open(tmp_path / "db")
    docs = db.create_collection("docs", dim=8)
    docs.upsert([1], vector(1)[None])
    db.create_collection("other", dim=8)
    db.rename_collection("docs", "papers")
    assert docs.get(1) is not None
    with pytest.raises(proxime.ExistsError):
        db.rename_collection("papers", "other")
    db.drop_collection("other")
    with pytest.raises(proxime.NotFoundError):
        db.drop_collection("other")
    db.close()
    assert proxime.open(tmp_path / "db").collections() == ["papers"]


def test_maintain_seals_what_was_written_in_small_batches(tmp_path):
    with proxime.open(tmp_path / "db") as db:
        c = db.create_collection("c", dim=2)
        for first in range(0, 1100, 100):
            c.upsert(list(range(first, first + 100)), np.ones((100, 2), np.float32))
        db.maintain()
        assert c.stats()["segments"] == 1
        assert c.stats()["tail_rows"] < 1024
        assert len(c) == 1100


def test_a_write_on_condition_of_a_version(tmp_path):
    db = proxime.open(tmp_path / "db")
    c = db.create_collection("c", dim=2)
    c.upsert([1, "a"], np.ones((2, 2)), if_version=0)
    version = c.get(1)["version"]
    assert version == c.get("a")["version"] == c.scroll()[0]["version"] > 0
    c.update([1], metadata=[{"n": 1}], if_version=version)
    with pytest.raises(proxime.VersionError, match="has version") as error:
        c.upsert([5, 1], np.ones((2, 2)), if_version=[0, version])
    details = error.value
    assert (details.id, details.row, details.expected, details.found) == (1, 1, version, version + 1)
    assert c.get(5) is None
    with pytest.raises(proxime.VersionError):
        c.delete([1], if_version=version)
    with pytest.raises(proxime.VersionError):
        with db.transaction() as t:
            t.delete(c, ["a"], if_version=version)
            t.upsert(c, [2], np.ones((1, 2)), if_version=version)
    assert c.exists(["a", 2]) == [True, False]
    with db.transaction() as t:
        t.update(c, ["a"], metadata=[{}], if_version=version)
        t.upsert(c, [2], np.ones((1, 2)), if_version=0)
    assert c.delete([1, "nobody"], if_version=[version + 1, 0]) == 1
    for bad, error in [(True, TypeError), ("1", TypeError), (-1, ValueError), ([1, 2], ValueError)]:
        with pytest.raises(error):
            c.delete([2], if_version=bad)


def test_an_alias_moves_and_is_kept(tmp_path: Path) -> None:
    with proxime.open(tmp_path / "db") as db:
        for name in ("old", "new"):
            db.create_collection(name, dim=8)
            db.set_alias("docs", name)
        db.set_alias("spare", "old")
        db.drop_alias("spare")
        with pytest.raises(proxime.ExistsError):
            db.set_alias("old", "new")
        with pytest.raises(proxime.NotFoundError):
            db.drop_alias("spare")
        with pytest.raises(proxime.ArgumentTypeError):
            db.set_alias("x", 1)  # type: ignore[arg-type]
    db = proxime.open(tmp_path / "db")
    assert db.aliases() == {"docs": "new"}
    assert db.collection("docs").name == "new"
    assert db.collections() == ["old", "new"]


def test_a_schema_is_checked_and_kept(tmp_path: Path) -> None:
    with proxime.open(tmp_path / "db") as db:
        db.create_collection("docs", dim=8, schema={"year": "int", "lang": {"type": "text", "required": True}})
    db = proxime.open(tmp_path / "db")
    docs = db.collection("docs")
    assert docs.schema == {"year": {"type": "int", "required": False}, "lang": {"type": "text", "required": True}}
    assert db.create_collection("any", dim=8).schema == {}
    rows = np.stack([vector(1), vector(2)])
    with pytest.raises(proxime.SchemaError, match=r"row 1, metadata\.year: is of type bool; .* says int") as caught:
        docs.upsert([1, 2], rows, {"lang": ["en", "en"], "year": [2020, True]})
    told = caught.value
    assert (told.row, told.path, told.expected, told.found) == (1, ".year", "int", "bool")
    assert isinstance(told, proxime.MetadataError)
    with pytest.raises(proxime.SchemaError) as caught:
        docs.upsert([1, 2], rows)
    assert (caught.value.path, caught.value.found) == (".lang", None)
    docs.upsert([1, 2], rows, {"lang": ["en", "de"], "year": [None, 2020], "more": [1, "x"]})
    docs.update([1], vectors=rows[1:])
    with pytest.raises(proxime.SchemaError):
        docs.update([1], metadata=[{"lang": 1}])
    assert len(docs) == 2


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        (["year"], proxime.ArgumentTypeError),
        ({"year": "date"}, proxime.ParameterError),
        ({"year": int}, proxime.ArgumentTypeError),
        ({"year": {"required": True}}, proxime.ParameterError),
        ({"year": {"type": "int", "default": 1}}, proxime.ParameterError),
        ({"year": {"type": "int", "required": "yes"}}, proxime.ArgumentTypeError),
        ({1: "int"}, proxime.ArgumentTypeError),
        ({"a\\": "int"}, proxime.FilterError),
    ],
)
def test_a_schema_that_is_none(schema: Any, error: type[Exception]) -> None:
    db = proxime.open(":memory:")
    with pytest.raises(error):
        db.create_collection("docs", dim=8, schema=schema)
    assert db.collections() == []
