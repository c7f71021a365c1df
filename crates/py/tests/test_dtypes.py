"""Components that are stored narrower than float32."""

import numpy as np
import pytest

import proxime


@pytest.mark.parametrize("n", [40, 1_500])
@pytest.mark.parametrize("dtype", ["f16", "int8"])
def test_what_is_stored_comes_back_and_is_searched(tmp_path, dtype, n):
    random = np.random.default_rng(n)
    rows = random.integers(-128, 128, (n, 16)).astype(np.int8) if dtype == "int8" else random.normal(size=(n, 16)).astype(np.float16)
    with proxime.open(tmp_path / "db") as db:
        docs = db.create_collection("docs", dim=16, metric="l2", dtype=dtype)
        docs.upsert(np.arange(n), rows)
        assert docs.dtype == docs.stats()["dtype"] == dtype
        assert repr(docs).endswith(f"16 {dtype}, l2)")
    with proxime.open(tmp_path / "db") as db:
        docs = db.collection("docs")
        stored = docs.get(list(range(n)))
        assert np.array_equal(np.stack([record["vector"] for record in stored]), rows.astype(np.float32))
        query = random.normal(size=16).astype(np.float32)
        distances = np.square(rows.astype(np.float64) - query).sum(axis=1)
        hits = docs.search(query, k=5, exact=True, include=["vectors"])
        assert hits.ids.tolist() == np.argsort(distances, kind="stable")[:5].tolist()
        assert hits.distances == pytest.approx(np.sort(distances)[:5], rel=1e-5)
        assert np.array_equal(hits.vectors, rows[hits.ids].astype(np.float32))


@pytest.mark.parametrize(("dtype", "value"), [("f16", 70_000), ("int8", 0.5), ("int8", 128)])
def test_what_there_is_no_value_for_is_refused(dtype, value):
    with proxime.open(":memory:") as db:
        docs = db.create_collection("docs", dim=2, metric="l2", dtype=dtype)
        with pytest.raises(proxime.UnstorableError, match=f"row 1, component 0 is {value}; this collection stores {dtype}, ") as caught:
            docs.add([1, 2], np.array([[1, 2], [value, 4]], dtype=np.float32))
        assert (caught.value.row, caught.value.column, caught.value.value) == (1, 0, value)
        assert len(docs) == 0
