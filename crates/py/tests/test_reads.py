"""Reads by id and page by page."""

import numpy as np
import pytest

import proxime
from conftest import vectors


def test_get_and_exists_of_several(docs):
    rows = vectors(4)
    docs.upsert([1, 2, "a", "b"], rows, [{"n": i} for i in range(4)])
    found = docs.get(["b", 7, 1])
    assert [record and record["id"] for record in found] == ["b", None, 1]
    assert [record and record["metadata"] for record in found] == [{"n": 3}, None, {"n": 0}]
    np.testing.assert_array_equal(found[0]["vector"], rows[3])
    assert docs.exists(["b", 7, 1]) == [True, False, True]
    assert docs.exists(np.array([2, 3])) == [True, False]
    assert (docs.exists("a"), docs.exists("1"), docs.get("1")) == (True, False, None)
    assert docs.get([]) == docs.exists([]) == []
    with pytest.raises(proxime.ArgumentTypeError):
        docs.exists([1.0])


def test_scroll_sees_every_record_once_in_order(docs):
    docs.upsert([*range(50), "a", "b"], vectors(52), [{"even": i % 2 == 0} for i in range(52)])
    seen, after = [], None
    while page := docs.scroll(after, 7):
        seen += [record["id"] for record in page]
        after = seen[-1]
        docs.upsert([-len(seen)], vectors(1))  # behind the cursor
    assert seen == [*range(50), "a", "b"]
    even = docs.scroll(limit=100, where="even = :e", params={"e": True})
    assert [record["id"] for record in even] == [*range(0, 50, 2), "a"]
    assert len(docs.scroll(after=40)) == 11 and docs.scroll(limit=0) == []
    with pytest.raises(proxime.FilterError):
        docs.scroll(where={})


def test_sorted_pages_and_facets(docs):
    years = [2021, None, 2019, 2021, 2020.5, "old", True]
    docs.upsert(range(7), vectors(7), [{} if year is None else {"year": year} for year in years])
    assert [record["id"] for record in docs.scroll(order_by="year")] == [6, 2, 4, 0, 3, 5, 1]
    assert [record["id"] for record in docs.scroll(order_by="year", descending=True)] == [5, 0, 3, 4, 2, 6, 1]
    assert [record["id"] for record in docs.scroll(4, 2, order_by="year", where="year >= 2021")] == [0, 3]
    assert docs.facets("year") == [(2021, 2), (True, 1), (2019, 1), (2020.5, 1), ("old", 1)]
    assert docs.facets("year", where={"year": {"$lt": 2020}}) == [(2019, 1)] and docs.facets("none") == []
    with pytest.raises(proxime.NotFoundError):
        docs.scroll(9, order_by="year")
