"""Filters from Python: the ways to write one, what it is true of, and what is refused."""

import numpy as np
import pytest

import proxime
from conftest import distances, vectors
from proxime import F

N = 2_000


@pytest.fixture
def films(docs):
    """Enough for a graph; every third without a year, every fourth without tags."""
    records = [
        {"lang": "en" if i % 2 else "de", "n": i, "by": {"name": f"p{i % 7}"}}
        | ({} if i % 3 == 0 else {"year": 1990 + i % 40})
        | ({} if i % 4 == 0 else {"tags": ["a", i % 5]})
        for i in range(N)
    ]
    docs.upsert(range(N), vectors(N), records)
    return docs, records


WAYS = [
    (
        {"lang": "en", "year": {"$gte": 2020}},
        "lang = 'en' AND year >= 2020",
        (F("lang") == "en") & (F("year") >= 2020),
        lambda r: r["lang"] == "en" and r.get("year", 0) >= 2020,
    ),
    (
        {"$or": [{"by.name": {"$in": ["p1", "p2"]}}, {"$not": {"tags": {"$contains": 3}}}]},
        "by.name in ('p1', 'p2') or not tags contains 3",
        F("by.name").is_in(("p1", "p2")) | ~F("tags").contains(3),
        lambda r: r["by"]["name"] in ("p1", "p2") or 3 not in r.get("tags", []),
    ),
    (
        {"year": {"$exists": False}, "lang": {"$ne": "de"}, "n": {"$lt": 100}},
        "year IS MISSING AND lang <> 'de' AND n < 1e2",
        ~F("year").exists() & (F("lang") != "de") & (F("n") < 100),
        lambda r: "year" not in r and r["lang"] != "de" and r["n"] < 100,
    ),
    (
        {"year": None, "lang": {"$nin": ["fr", "de"]}},
        "year IS NULL AND lang NOT IN ('fr', 'de')",
        (F("year") == None) & F("lang").not_in(["fr", "de"]),  # noqa: E711
        lambda r: r.get("year") is None and r["lang"] == "en",
    ),
]


@pytest.mark.parametrize("as_dict, as_text, as_expression, meaning", WAYS)
def test_every_way_finds_what_a_loop_finds(films, as_dict, as_text, as_expression, meaning):
    docs, records = films
    true_of = np.array([i for i, record in enumerate(records) if meaning(record)])
    query = vectors(5, seed=1)
    near = np.argsort(distances("l2", query, vectors(N)[true_of]), axis=1)[:, :10]
    for where in (as_dict, as_text, as_expression):
        assert docs.count(where) == len(true_of) > 10
        assert docs.count(where=where) == len(true_of)
        ids, found = docs.search(query, k=10, where=where, exact=True)
        np.testing.assert_array_equal(ids, true_of[near])
        ids, found = docs.search(query, k=10, where=where)
        assert ids.shape == (5, 10) and np.isin(ids, true_of).all()
        assert np.mean([np.isin(a, b).mean() for a, b in zip(ids, true_of[near])]) >= 0.95
        assert all(meaning(hit.metadata) for hit in docs.search(query[0], k=len(true_of), where=where))
        assert len(docs.search(query[0], k=N, where=where)) == len(true_of)
        assert docs.search(query[:0], k=10, where=where)[0].shape == (0, 10)


def test_parameters_are_values_and_nothing_else(films):
    docs, _ = films
    assert docs.count("lang = :l AND year IN :years", {"l": "en", "years": [1991, 1993]}) > 0
    assert docs.count("lang = :l", params={"l": "en' OR 1 = 1"}) == 0
    for where, params in [("lang = :l", None), ("lang = :l", {"l": "en", "m": 1}), ("lang = :l", {"l": {}})]:
        with pytest.raises(proxime.FilterError, match="parameter|single value|nested"):
            docs.count(where, params)
    with pytest.raises(proxime.ParameterError, match="params"):
        docs.count({"lang": "en"}, {"l": 1})
    with pytest.raises(proxime.ParameterError, match="params"):
        docs.search(vectors(1), params={"l": 1})


def test_types_are_exact(docs):
    docs.upsert(range(5), vectors(5), [{"a": a} for a in (True, 1, 1.0, "1", np.int32(1))])
    assert [docs.count({"a": a}) for a in (True, 1, 1.0, "1", np.float32(1))] == [1, 3, 3, 1, 3]


@pytest.mark.parametrize(
    "where, message",
    [
        ({}, "empty"),
        ("", "empty"),
        ({"a": {}}, r"filter\.a: empty"),
        ({"a": {"$regex": "x"}}, r"filter\.a\.\$regex: there is no operator"),
        ({"a": {"b": 1}}, "there is no operator \"b\""),
        ({"a": [1]}, "a single value is needed, not a list"),
        ({"a": {"$gt": True}}, "neither less nor greater"),
        ({"a": float("nan")}, "not a finite number"),
        ({"a": 2**63}, "does not fit"),
        ({"a": {1, 2}}, r"filter\.a: a set cannot be stored"),
        ({"$and": [{"a": 1}, {1: 2}]}, r"filter\.\$and\[1\]"),
        ("a == ", "byte 5: a value is needed"),
    ],
)
def test_wrong_filters_say_what_is_wrong_and_never_match(docs, where, message):
    docs.upsert(range(3), vectors(3), [{"a": 1}] * 3)
    for call in (lambda: docs.count(where), lambda: docs.search(vectors(1), where=where)):
        with pytest.raises(proxime.FilterError, match=message) as raised:
            call()
        assert isinstance(raised.value, ValueError)


def test_filters_have_limits(docs):
    deep = wide = F("a") == 1
    for _ in range(40):
        deep = ~deep
    with pytest.raises(proxime.FilterError, match="nested deeper than 32"):
        docs.count(deep)
    for i in range(1_000):
        wide = wide | (F("a") == i)
    assert docs.count(wide) == 0
    cyclic = {}
    cyclic["$not"] = cyclic
    with pytest.raises(proxime.FilterError, match="nested too deep"):
        docs.count(cyclic)
    with pytest.raises(proxime.ArgumentTypeError, match="where"):
        docs.count([("a", 1)])


def test_expressions_are_not_booleans():
    with pytest.raises(TypeError, match="&"):
        (F("a") == 1) and (F("b") == 2)
    with pytest.raises(TypeError):
        bool(F("a"))
    with pytest.raises(TypeError):
        (F("a") == 1) & {"b": 2}
    with pytest.raises(TypeError):
        F(1)
    assert (F("$a") == 1).to_dict() == {"\\$a": {"$eq": 1}}


def test_max_distance(docs):
    rows = vectors(300)
    docs.upsert(range(300), rows)
    queries = vectors(4, seed=1)
    true = distances("l2", queries, rows)
    reach = float(np.median(true))
    for exact in (True, False):
        found = docs.search(queries, k=300, max_distance=reach, exact=exact)
        assert [len(hits) for hits in found] == (true <= reach).sum(axis=1).tolist()
        assert all((hits.distances <= np.float32(reach)).all() for hits in found)
    assert len(docs.search(queries[0], k=3, max_distance=reach)) == 3
    assert len(docs.search(queries[0], max_distance=0)) == 0
    with pytest.raises(proxime.ParameterError, match="max_distance"):
        docs.search(queries, max_distance=float("nan"))
    with pytest.raises(proxime.ArgumentTypeError, match="max_distance"):
        docs.search(queries, max_distance="1")
