"""Opening without reading: the same answers, and damage where it is met."""

from pathlib import Path

import numpy as np
import proxime
import pytest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((1500, 8)).astype(np.float32)
    with proxime.open(tmp_path / "db") as db:
        docs = db.create_collection("docs", dim=8, metric="l2")
        docs.upsert(np.arange(1500), vectors, {"n": list(range(1500))})
    np.save(tmp_path / "vectors.npy", vectors)
    return tmp_path


def test_answers_as_any_other(store: Path) -> None:
    vectors = np.load(store / "vectors.npy")
    found = []
    for verify in ("full", "lazy"):
        with proxime.open(store / "db", read_only=True, verify=verify) as db:  # type: ignore[arg-type]
            docs = db.collection("docs")
            ids, distances = docs.search(vectors[:50], k=5)
            found.append((ids.tolist(), distances.tolist(), docs.digest(), docs.get(7)["metadata"]))
    assert found[0] == found[1]


def test_damage_is_met_where_it_is(store: Path) -> None:
    [segment] = (store / "db").glob("seg-*")
    data = bytearray(segment.read_bytes())
    data[4096 + 32 * 700] ^= 1
    segment.chmod(0o644)
    segment.write_bytes(data)
    with pytest.raises(proxime.DamagedError):
        proxime.open(store / "db")
    with proxime.open(store / "db", verify="lazy") as db:
        docs = db.collection("docs")
        assert docs.get(1)["metadata"] == {"n": 1}
        with pytest.raises(proxime.DamagedError, match="VEC block"):
            docs.get(700)
        assert not db.verify()["ok"]


def test_only_two_ways() -> None:
    with pytest.raises(proxime.ParameterError, match="verify"):
        proxime.open(":memory:", verify="off")  # type: ignore[arg-type]
