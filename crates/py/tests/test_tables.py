"""Hits as tables: what Arrow, pandas, Polars and notebooks see of them."""

from datetime import datetime, timezone
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

NOON = datetime(2024, 2, 29, 12, tzinfo=timezone.utc)
METADATA = [
    {"flag": True, "n": 2**60, "x": 1, "text": "é", "raw": b"\0", "when": NOON, "any": [1, {"a": "b"}], "id": 7, "null": None},
    {"flag": False, "n": -1, "x": 0.5, "text": "", "raw": b"", "when": NOON, "any": "text", "distance": "far"},
    {},
]


@pytest.fixture
def hits(docs):
    docs.upsert([10, 11, 12], np.eye(3, docs.dim), METADATA)
    return docs.search(np.eye(docs.dim)[0] + [0, 1e-3, 0, 0, 0, 0, 0, 0], k=3)


def test_every_kind_of_value_gets_its_column(hits):
    table = hits.to_arrow()
    table.validate(full=True)
    expected = {
        "id": (pa.int64(), [10, 11, 12]),
        "distance": (pa.float32(), hits.distances.tolist()),
        "any": (pa.string(), ['[1,{"a":"b"}]', '"text"', None]),
        "metadata.distance": (pa.string(), [None, "far", None]),
        "flag": (pa.bool_(), [True, False, None]),
        "metadata.id": (pa.int64(), [7, None, None]),
        "n": (pa.int64(), [2**60, -1, None]),
        "null": (pa.null(), [None, None, None]),
        "raw": (pa.binary(), [b"\0", b"", None]),
        "text": (pa.string(), ["é", "", None]),
        "when": (pa.timestamp("us", "UTC"), [NOON, NOON, None]),
        "x": (pa.float64(), [1.0, 0.5, None]),
    }
    assert {name: (table.schema.field(name).type, table[name].to_pylist()) for name in table.column_names} == expected
    assert table.column_names == list(expected)


def test_hits_by_words_have_their_scores(docs):
    docs.upsert(["a", "b"], np.eye(2, docs.dim), [{"text": "fox", "score": 7}, {"text": "a red fox"}])
    hits = docs.search(vector=np.eye(docs.dim)[0], text="fox")
    table = hits.to_arrow()
    assert table.column_names == ["id", "distance", "score", "text_score", "metadata.score", "text"]
    for name, numbers in {"score": hits.scores, "text_score": hits.text_scores}.items():
        assert table[name].to_pylist() == numbers.tolist()
        assert not table.schema.field(name).nullable
    assert f"<td>{hits.scores[0]}</td>" in hits._repr_html_()
    assert "score" in docs.search(np.eye(docs.dim)[0]).to_arrow().column_names  # that of the metadata


@pytest.mark.parametrize(
    ("ids", "column"),
    [
        (["a", "b"], ["a", "b"]),
        ([b"\0", b"\1"], [b"\0", b"\1"]),
        ([UUID(int=1), UUID(int=2)], [str(UUID(int=1)), str(UUID(int=2))]),
        ([5, "b"], ["5", "b"]),
    ],
)
def test_ids_of_every_kind(docs, ids, column):
    docs.upsert(ids, np.eye(2, docs.dim))
    hits = docs.search(np.eye(docs.dim)[0], k=2)
    assert hits.to_arrow()["id"].to_pylist() == column


def test_pandas_and_polars_see_the_same(hits):
    rows = hits.to_arrow().to_pylist()
    polars = hits.to_polars()
    assert isinstance(polars, pl.DataFrame)
    assert polars.to_dicts() == rows
    pandas = hits.to_pandas()
    assert isinstance(pandas, pd.DataFrame)
    assert pandas["id"].tolist() == [10, 11, 12]
    assert pandas["text"].tolist()[:2] == ["é", ""]


def test_no_hits_are_an_empty_table(docs):
    table = docs.search(np.ones(docs.dim)).to_arrow()
    assert (table.num_rows, table.column_names) == (0, ["id", "distance"])


def test_a_stream_outlives_the_database_and_need_not_be_read(db, docs):
    docs.upsert([1], np.ones((1, docs.dim)), [{"a": 1}])
    hits = docs.search(np.ones(docs.dim))
    hits.__arrow_c_stream__()
    reader = pa.RecordBatchReader.from_stream(hits)
    del hits
    db.close()
    assert reader.read_all().to_pylist() == [{"id": 1, "distance": 0.0, "a": 1}]


def test_notebooks_show_a_table_and_no_markup_of_the_data(docs):
    docs.upsert(range(12), np.ones((12, docs.dim)), [{"<b>&": "</td><script>"}] * 12)
    html = docs.search(np.ones(docs.dim), k=12)._repr_html_()
    assert "<td>0</td><td>0</td><td>{&#x27;&lt;b&gt;&amp;&#x27;: &#x27;&lt;/td&gt;&lt;script&gt;&#x27;}</td>" in html.replace("'", "&#x27;")
    assert (html.count("<tr>"), "<script" in html, "2 more" in html) == (11, False, True)


def test_notebooks_show_collections_and_databases(db, docs):
    docs.upsert(range(1200), np.ones((1200, docs.dim)))
    row = f"<td>{docs.name}</td><td>1_200</td><td>{docs.dim}</td><td>f32</td><td>{docs.metric}</td>"
    assert row in docs._repr_html_()
    for number in range(11):
        db.create_collection(f"<b>{number}", dim=2)
    html = db._repr_html_()
    assert html.startswith("<p>Database(':memory:', 12 collections)</p>")
    assert (html.count("<tr>"), "<b>" in html, "<p>2 more</p>" in html) == (11, False, True)
    db.close()
    assert docs._repr_html_() == f"<p>{docs!r}</p>" and db._repr_html_() == f"<p>{db!r}</p>"
