"""Haystack's own tests of document stores, as they are, and what they do not ask for."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy, FilterPolicy
from haystack.errors import FilterError
from haystack.testing import document_store as suites
from haystack.testing import document_store_async as async_suites
from haystack.utils.filters import document_matches_filter

import proxime
from proxime.haystack import ProximeDocumentStore, ProximeEmbeddingRetriever


def as_stored(document):
    """With the embedding rounded to float32."""
    if document.embedding is None:
        return document
    return replace(document, embedding=np.asarray(document.embedding, np.float32).tolist())


@pytest.fixture
def document_store(tmp_path):
    store = ProximeDocumentStore(tmp_path / "documents.db")
    yield store
    store.close()


class InAnyOrder:
    """The suite lets stores say what equality is: the order is theirs, and float32 is what Proxime stores."""

    @staticmethod
    def assert_documents_are_equal(received, expected):
        def by_id(document):
            return document.id

        assert sorted(received, key=by_id) == sorted(map(as_stored, expected), key=by_id)


class TestSync(
    InAnyOrder,
    suites.DocumentStoreBaseExtendedTests,
    suites.CountDocumentsByFilterTest,
    suites.CountUniqueMetadataByFilterTest,
    suites.GetMetadataFieldsInfoTest,
    suites.GetMetadataFieldMinMaxTest,
    suites.GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self, document_store):
        return document_store

    def test_write_documents(self, document_store):
        """The one test that the suite wants from us: without a policy a duplicate is an error."""
        document = Document(content="once")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])


class TestAsync(
    InAnyOrder,
    async_suites.CountDocumentsAsyncTest,
    async_suites.CountDocumentsByFilterAsyncTest,
    async_suites.CountUniqueMetadataByFilterAsyncTest,
    async_suites.DeleteAllAsyncTest,
    async_suites.DeleteByFilterAsyncTest,
    async_suites.DeleteDocumentsAsyncTest,
    async_suites.FilterDocumentsAsyncTest,
    async_suites.GetMetadataFieldMinMaxAsyncTest,
    async_suites.GetMetadataFieldUniqueValuesAsyncTest,
    async_suites.GetMetadataFieldsInfoAsyncTest,
    async_suites.UpdateByFilterAsyncTest,
    async_suites.WriteDocumentsAsyncTest,
):
    @pytest.fixture
    def filterable_docs(self):
        return suites.create_filterable_docs()

    async def test_write_documents_async(self, document_store):
        document = Document(content="once")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])


DAY = "2024-03-01"
VALUES = [None, 1, 1.5, True, "a", DAY, "2024-03-01T00:00:00+00:00", "2024-03-01T02:30", "2024-02-30", {"b": 2, "on": DAY}]


@pytest.mark.parametrize("value", [v for v in VALUES if not isinstance(v, (dict, bool))], ids=str)
@pytest.mark.parametrize("operator", ["==", "!=", ">", ">=", "<", "<=", "in", "not in"])
@pytest.mark.parametrize("field", ["meta.x", "meta.x.b", "meta.x.on", "x"])
def test_filters_mean_what_they_mean_to_haystack(document_store, field, operator, value):
    """Wherever its own definition has an answer: it fails at documents whose values do not compare, which we pass over."""
    documents = [Document(id=str(i), meta={"x": x}) for i, x in enumerate(VALUES)]
    document_store.write_documents(documents)
    condition = {"field": field, "operator": operator, "value": [value] if "in" in operator else value}
    comparable = []
    for document in documents:
        try:
            comparable.append((document.id, document_matches_filter(condition, document)))
        except (FilterError, TypeError):
            continue
    try:
        got = {document.id for document in document_store.filter_documents(condition)}
    except FilterError:
        assert operator in (">", ">=", "<", "<=")
        assert value in ("a", "2024-02-30")
        return
    as_true = {str(i) for i, x in enumerate(VALUES) if x is True}  # to Haystack, unlike here, 1 and True are one value
    assert got - as_true == {id for id, matches in comparable if matches} - as_true


def test_a_date_without_a_zone_is_utc(document_store):
    """Haystack itself takes it for a date of whatever zone it is compared with."""
    document_store.write_documents([Document(id="a", meta={"on": "2024-03-01T02:00:00+02:00"}), Document(id="b", meta={"on": DAY})])
    for value in [DAY, "2024-02-29T23:00:00-01:00"]:
        assert len(document_store.filter_documents({"field": "meta.on", "operator": "==", "value": value})) == 2


def test_everything_of_a_document_survives_reopening(tmp_path):
    path = tmp_path / "db"
    document = Document(
        id="a",
        content="text",
        blob=ByteStream(b"\x00\xff", {"page": 1}, "image/png"),
        meta={"deep": {"list": [1, 2.5, None, True, {"a": "b"}]}, "on": DAY},
        embedding=[0.5, 0.25],
        sparse_embedding=SparseEmbedding([1, 7], [0.5, 2.0]),
    )
    bare = Document(id="b", blob=ByteStream(b""))
    store = ProximeDocumentStore(path)
    store.write_documents([document, bare])
    described = store.to_dict()
    store.close()
    store = ProximeDocumentStore.from_dict(described)
    assert store.filter_documents() == [document, bare]
    store.close()


def test_a_document_moves_when_it_gets_or_loses_its_embedding(document_store):
    bare = Document(id="a", content="text")
    embedded = replace(bare, embedding=[1.0, 0.0])
    for document in [bare, embedded, bare, embedded]:
        document_store.write_documents([document], DuplicatePolicy.OVERWRITE)
        assert document_store.filter_documents() == [document]
        assert len(document_store.embedding_retrieval([1.0, 0.0])) == (document is embedded)
    assert document_store.write_documents([embedded, bare], DuplicatePolicy.OVERWRITE) == 1
    assert document_store.filter_documents() == [bare]


def test_nothing_is_written_of_a_list_with_a_mistake(document_store):
    fine = Document(id="a", embedding=[1.0, 0.0])
    document_store.write_documents([fine])
    for wrong in [Document(embedding=[1.0, 0.0, 0.0]), Document(meta={"x": object()}), Document(embedding=[float("nan"), 1.0])]:
        with pytest.raises(proxime.Error):
            document_store.write_documents([Document(id="b"), wrong])
    with pytest.raises(DuplicateDocumentError):
        document_store.write_documents([Document(id="b"), Document(id="b", embedding=[0.0, 1.0])])
    assert document_store.filter_documents() == [fine]


@pytest.mark.parametrize("metric, score", [("cosine", 0.6), ("dot", 1.2), ("l2", -2.6)])
def test_scores_grow_with_nearness(metric, score):
    store = ProximeDocumentStore(metric=metric)
    store.write_documents([Document(id="far", embedding=[-3.0, 0.0]), Document(id="near", embedding=[1.2, 1.6])])
    found = store.embedding_retrieval([1.0, 0.0], return_embedding=True)
    assert [document.id for document in found] == ["near", "far"]
    assert found[0].score == pytest.approx(score, abs=1e-6)
    assert found[0].embedding == pytest.approx([1.2, 1.6])


def test_a_retriever_in_a_pipeline(tmp_path):
    store = ProximeDocumentStore(tmp_path / "db")
    store.write_documents([Document(id=str(i), embedding=[float(i), 1.0], meta={"i": i, "odd": i % 2}) for i in range(10)])
    odd = {"field": "meta.odd", "operator": "==", "value": 1}
    retriever = ProximeEmbeddingRetriever(store, odd, 3, filter_policy=FilterPolicy.MERGE)
    pipeline = Pipeline()
    pipeline.add_component("retriever", retriever)
    small = {"field": "meta.i", "operator": "<", "value": 8}

    def found(pipeline):
        result = pipeline.run({"retriever": {"query_embedding": [1.0, 0.0], "filters": small}})
        return [document.id for document in result["retriever"]["documents"]]

    assert found(pipeline) == ["7", "5", "3"]
    written = pipeline.dumps()
    store.close()
    again = Pipeline.loads(written, allowed_modules=["proxime.haystack"])
    assert found(again) == ["7", "5", "3"]
    again.get_component("retriever").document_store.close()


async def test_a_retriever_in_a_thread():
    store = ProximeDocumentStore()
    store.write_documents([Document(id="a", embedding=[1.0, 0.0])])
    assert [d.id for d in (await ProximeEmbeddingRetriever(store).run_async([1.0, 0.0]))["documents"]] == ["a"]


@pytest.mark.parametrize(
    "filters",
    [
        {"field": "meta.x", "operator": "~", "value": 1},
        {"field": "meta.x", "value": 1},
        {"field": "meta.x", "operator": "<", "value": True},
        {"field": "meta.x", "operator": ">", "value": datetime.now},
        {"field": "meta.x", "operator": "==", "value": {"a": [1]}},
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": {"field": "meta.x", "operator": "==", "value": 1}},
        {"operator": "AND", "conditions": ["meta.x"]},
    ],
    ids=str,
)
def test_a_wrong_filter_is_an_error_and_deletes_nothing(document_store, filters):
    document_store.write_documents([Document(meta={"x": 1})])
    for call in [document_store.filter_documents, document_store.delete_by_filter, document_store.count_documents_by_filter]:
        with pytest.raises(FilterError):
            call(filters)
    assert document_store.count_documents() == 1
