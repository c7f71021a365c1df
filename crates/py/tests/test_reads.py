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
