"""Searches find what NumPy finds."""

import numpy as np
import pytest

import proxime
from conftest import DIM, distances, recall, vectors

METRICS = ["l2", "cosine", "dot"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", [1, 3, 16, 100])
def test_exact_search_is_brute_force(db, metric, dim):
    docs = db.create_collection("docs", dim=dim, metric=metric)
    rows, queries = vectors(500, dim), vectors(20, dim, seed=1)
    docs.upsert(range(500), rows)
    true = distances(metric, queries, rows)
    ids, found = docs.search(queries, k=10, exact=True)

    assert (ids.dtype, found.dtype) == (np.int64, np.float32)
    assert ids.shape == found.shape == (20, 10)
    tolerance = dict(rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found, np.sort(true, axis=1)[:, :10], **tolerance)
    np.testing.assert_allclose(found, np.take_along_axis(true, ids, axis=1), **tolerance)
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize("metric", METRICS)
def test_recall_on_clusters(db, metric):
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((50, 32), dtype=np.float32) * 3
    points = centres[generator.integers(50, size=5_200)] + generator.standard_normal((5_200, 32), dtype=np.float32)
    rows, queries = points[:5_000], points[5_000:]
    docs = db.create_collection("docs", dim=32, metric=metric)
    docs.upsert(range(5_000), rows)
    true = np.argsort(distances(metric, queries, rows), axis=1)[:, :10]
    assert recall(docs.search(queries)[0], true) >= 0.95
    assert recall(docs.search(queries, ef=500)[0], true) >= recall(docs.search(queries, ef=10)[0], true)


def test_one_query_is_one_row_of_many(docs):
    docs.upsert([f"id {i}" for i in range(100)], vectors(100), {"i": range(100)})
    queries = vectors(5, seed=1)
    ids, found, metadata, rows = docs.search(queries, k=7, include=["metadata", "vectors"])
    assert (ids.dtype, ids.shape, rows.shape, rows.dtype) == (object, (5, 7), (5, 7, DIM), np.float32)
    for i, query in enumerate(queries):
        hits = docs.search(query, k=7, include="metadata")
        assert hits.ids.tolist() == ids[i].tolist()
        np.testing.assert_array_equal(hits.distances, found[i])
        assert hits.metadata == metadata[i]
        np.testing.assert_array_equal(hits.vectors, rows[i])
        for hit, row in zip(hits, hits.vectors):
            assert hit.id == f"id {hit.metadata['i']}"
            np.testing.assert_array_equal(row, vectors(100)[hit.metadata["i"]])


def test_include_is_in_the_order_asked_for(docs):
    docs.upsert([1], vectors(1), [{"a": 1}])
    rows, metadata = docs.search(vectors(1), include=("vectors", "metadata"))[2:]
    assert metadata == [[{"a": 1}]]
    np.testing.assert_array_equal(rows, [vectors(1)])
    assert len(docs.search(vectors(1))) == 2


def test_explain_comes_beside_the_answer(docs):
    docs.upsert(range(2_000), vectors(2_000), {"i": range(2_000)})
    queries = vectors(5, seed=1)
    (ids, found), how = docs.search(queries, k=7, ef=50, explain=True)
    np.testing.assert_array_equal(ids, docs.search(queries, k=7, ef=50)[0])
    assert found.shape == (5, 7)
    (segment,) = how["segments"]
    assert (how["queries"], segment["rows"], segment["available"], segment["walks"]) == (5, 2_000, 2_000, 5)
    assert segment["nodes"] > 0 and 5 * 7 <= segment["vectors_read"] <= 5 * 50
    assert all(how[f"{stage}_seconds"] >= 0 for stage in ["filter", "prepare", "search"])

    hits, how = docs.search(queries[0], k=7, exact=True, where={"i": {"$lt": 100}}, explain=True)
    assert list(hits.ids) == list(docs.search(queries[0], k=7, exact=True, where={"i": {"$lt": 100}}).ids)
    (segment,) = how["segments"]
    assert (segment["available"], segment["vector_scans"], segment["vectors_read"]) == (100, 1, 100)
    assert how["unknown_fields"] == []
    where = {"ii": 3}
    assert docs.search(queries, where=where, explain=True)[1]["unknown_fields"] == [{"field": "ii", "there": ["i"]}]
    lists, how = docs.search(queries, max_distance=0, explain=True)
    assert (len(lists), how["queries"]) == (5, 5)


def test_hits_are_a_sequence(docs):
    docs.upsert(range(20), vectors(20), {"i": range(20)})
    hits = docs.search(vectors(1)[0], k=12)
    assert len(hits) == len(list(hits)) == 12
    assert hits[0] == hits[-12] == next(iter(hits)) == (0, 0.0, {"i": 0})
    assert hits[-1] == hits[11] == list(hits)[-1]
    assert hits[2:8:3] == [hits[2], hits[5]]
    for index in [12, -13, 10**10]:
        with pytest.raises(IndexError):
            hits[index]
    with pytest.raises(TypeError):
        hits["a"]
    id, distance, metadata = hits[1]
    assert (type(id), type(distance), type(metadata)) == (int, float, dict)
    assert hits[1] == proxime.Hit(id, distance, metadata)
    assert list(reversed(hits[:2])) == [hits[1], hits[0]]


def test_hits_look_like_what_they_are(docs):
    docs.upsert(["a"], vectors(1), [{"lang": "en"}])
    assert repr(docs.search(vectors(1)[0])) == "Hits([Hit(id='a', distance=0.0, metadata={'lang': 'en'})])"
    docs.upsert(range(30), vectors(30))
    assert repr(docs.search(vectors(1)[0], k=15)).endswith("metadata={})], 5 more)")


def test_hits_stay_what_they_were(docs):
    docs.upsert([1], vectors(1), [{"version": 1}])
    hits = docs.search(vectors(1)[0])
    docs.upsert([1], vectors(1, seed=1), [{"version": 2}])
    assert hits[0].metadata == {"version": 1}
    np.testing.assert_array_equal(hits.vectors, vectors(1))


def test_a_batch_in_which_only_some_ids_are_text(docs):
    docs.upsert([1, "two", 3], np.eye(3, DIM))
    ids, _ = docs.search(np.eye(2, DIM), k=1)
    assert ids.tolist() == [[1], ["two"]]
    assert docs.search(np.eye(1, DIM), k=1)[0].dtype == np.int64


def test_what_is_found_does_not_change_with_what_the_caller_does_next(docs):
    rows = vectors(10)
    docs.upsert(range(10), rows)
    stored = rows.copy()
    rows[:] = 0
    np.testing.assert_array_equal(docs.get(3)["vector"], stored[3])
    record = docs.get(3)
    record["vector"][:] = 0
    record["metadata"]["a"] = 1
    np.testing.assert_array_equal(docs.get(3)["vector"], stored[3])
    assert docs.get(3)["metadata"] == {}


def test_get_of_an_id_that_is_not_there(docs):
    docs.upsert([1], vectors(1))
    assert docs.get(2) is None
    assert docs.get("1") is None


def test_from_stored_records(docs):
    rows = vectors(40)
    docs.upsert(range(40), rows, {"even": [i % 2 == 0 for i in range(40)]})
    near = docs.search_by_id(7, 3, exact=True)
    assert list(near.ids) == list(docs.search(rows[7], 4, exact=True).ids)[1:]
    several = docs.search_by_id(np.array([7, 8]), 3, where={"even": True}, exact=True)
    assert [len(hits) for hits in several] == [3, 3] and all(hit.id % 2 == 0 and hit.id != 8 for hit in several[1])
    assert list(docs.recommend([7], k=3, exact=True).ids) == list(near.ids)
    liked = docs.recommend([1, 2], [3], 5, exact=True)
    asked = docs.search(rows[1] + rows[2] - rows[3], 8, exact=True)
    assert list(liked.ids) == [id for id in asked.ids if id not in (1, 2, 3)][:5]
    with pytest.raises(proxime.NotFoundError):
        docs.search_by_id([1, 99])
    with pytest.raises(proxime.ParameterError, match="positive"):
        docs.recommend([])
    with pytest.raises(TypeError, match="whre"):
        docs.search_by_id(1, whre={})
    with pytest.raises(proxime.ArgumentTypeError, match="exact"):
        docs.search_by_id(1, exact=3)


def test_groups(docs):
    rows = vectors(60)
    docs.upsert(range(60), rows, [{"doc": i // 20} for i in range(40)] + [{}] * 20)
    found = docs.search_groups(rows[25], "doc", 5, group_size=3)
    assert [doc for doc, _ in found] == [1, 0]
    for doc, hits in found:
        assert list(hits.ids) == list(docs.search(rows[25], 3, where={"doc": doc}, exact=True).ids)
    with pytest.raises(proxime.ParameterError, match="group_size"):
        docs.search_groups(rows[0], "doc", group_size=0)
    with pytest.raises(proxime.ArgumentTypeError, match="query"):
        docs.search_groups(rows, "doc")


def test_why_not(docs):
    rows = vectors(60)
    docs.upsert(range(60), rows, {"even": [i % 2 == 0 for i in range(60)]})
    order = np.argsort(((rows - rows[0]) ** 2).sum(axis=1), kind="stable").tolist()
    ninth = docs.why_not(rows[0], order[8], 5)
    assert (ninth["found"], ninth["presence"], ninth["rank"], ninth["rejected_by"]) == (False, "stored", 9, [])
    assert docs.why_not(rows[0], order[8], 9)["found"] and ninth["ef"] >= 1
    odd = docs.why_not(rows[0], 1, where={"even": True}, max_distance=0.0)
    assert odd["rejected_by"] == ["even = TRUE"] and odd["too_far"] and odd["ef"] is None
    odd = docs.why_not(rows[0], 1, where="evne = TRUE")
    assert odd["unknown_fields"] == [{"field": "evne", "there": ["even"]}]
    left_out = docs.why_not(rows[0], order[8], 20, without=[order[8], order[0]])
    assert (left_out["left_out"], left_out["found"], left_out["rank"]) == (True, False, 8)
    docs.delete([3])
    assert docs.why_not(rows[0], 99)["presence"] == "unknown" and docs.why_not(rows[0], 3)["rank"] is None


def test_what_is_not_to_be_found_is_not(docs):
    rows = vectors(60)
    docs.upsert(range(60), rows, {"text": ["fox" if i % 2 else "bird" for i in range(60)]})
    order = np.argsort(((rows - rows[0]) ** 2).sum(axis=1), kind="stable").tolist()
    seen = [*order[1:4], 99, order[1]]
    left = [order[0], *order[4:]]
    assert list(docs.search(rows[0], 9, without=seen).ids) == left[:9]
    assert docs.search(rows[:1], 9, without=seen)[0].tolist() == [left[:9]]
    assert list(docs.search_by_id(order[0], 9, without=np.array(seen)).ids) == left[1:10]
    assert list(docs.search_diverse(rows[0], 9, relevance=1, without=seen).ids) == left[:9]
    assert list(docs.recommend([order[0]], k=9, without=seen).ids) == left[1:10]
    assert list(docs.search_each(rows[:1], [None], 9, without=seen)[0].ids) == left[:9]
    (best, _), *_ = docs.search_groups(rows[0], "text", 2, without=[order[0]])
    assert best == ("fox" if order[1] % 2 else "bird")
    by_words = docs.search(text="fox", k=60, without=seen).ids
    assert sorted(by_words) == [i for i in range(1, 60, 2) if i not in seen]
    by_both = docs.search(rows[0], text="fox", k=60, without=seen).ids
    assert set(by_both) == set(left)
    with pytest.raises(proxime.ArgumentTypeError, match="ids"):
        docs.search(rows[0], without="abc")


def test_hits_that_differ():
    docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
    docs.upsert(["a", "as a", "b", "c"], [[1, 0], [1.1, 0], [0, 2], [9, 9]], {"n": [0, 1, 2, 3]})
    assert list(docs.search_diverse([0, 0], 2).ids) == ["a", "b"]
    assert list(docs.search_diverse([0, 0], 3, relevance=1).ids) == ["a", "as a", "b"]
    assert list(docs.search_diverse([0, 0], 2, candidates=2).ids) == ["a", "as a"]
    assert list(docs.search_diverse([0, 0], 2, relevance=0, where={"n": {"$gte": 1}}).ids) == ["as a", "c"]
    with pytest.raises(proxime.ParameterError, match="relevance"):
        docs.search_diverse([0, 0], relevance=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'fetch'"):
        docs.search_diverse([0, 0], fetch=2)


def test_queries_with_filters_of_their_own():
    docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
    docs.upsert([1, 2, 3, 4], [[1, 0], [2, 0], [3, 0], [4, 0]], {"n": [1, 2, 3, 4]})
    queries = np.zeros((4, 2), np.float32)
    filters = [{"n": {"$gte": 2}}, None, "n > :n", proxime.F("n") == 9]
    found = docs.search_each(queries, filters, k=2, params={"n": 2})
    assert [list(hits.ids) for hits in found] == [[2, 3], [1, 2], [3, 4], []]
    found = docs.search_each(queries[:2], filters[:2], where={"n": {"$lt": 3}})
    assert [list(hits.ids) for hits in found] == [[2], [1, 2]]
    for wrong, error in ((filters[:2], proxime.ParameterError), ("n > 1", proxime.ArgumentTypeError), ([1] * 4, proxime.ArgumentTypeError)):
        with pytest.raises(error):
            docs.search_each(queries, wrong)
