"""LangChain's own tests of vector stores, as they are, and what they do not ask for."""

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import VectorStoreIntegrationTests

import proxime
from proxime.langchain import ProximeVectorStore


class TestInMemory(VectorStoreIntegrationTests):
    @pytest.fixture()
    def vectorstore(self):
        store = ProximeVectorStore(self.get_embeddings())
        yield store
        store.close()


class TestOnDisk(VectorStoreIntegrationTests):
    @pytest.fixture()
    def vectorstore(self, tmp_path):
        store = ProximeVectorStore(self.get_embeddings(), tmp_path / "notes.db", metric="l2")
        yield store
        store.close()


class Angles(Embeddings):
    """A text that is a number of degrees becomes a point of the unit circle."""

    def embed_query(self, text):
        angle = np.radians(float(text))
        return [np.cos(angle), np.sin(angle)]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


def texts(documents):
    return [document.page_content for document in documents]


@pytest.fixture(params=["cosine", "l2", "dot"])
def angles(request):
    metadatas = [{"n": i, "odd": i % 2 == 1} for i in range(9)]
    return ProximeVectorStore.from_texts([str(10 * i) for i in range(9)], Angles(), metadatas, metric=request.param)


def test_filters_reach_the_database(angles):
    assert texts(angles.similarity_search("0", k=3, filter={"odd": True, "n": {"$gt": 2}})) == ["30", "50", "70"]
    assert texts(angles.similarity_search("80", k=2, filter="odd = false AND n < 5")) == ["40", "20"]
    assert texts(angles.similarity_search("0", k=9, filter=proxime.F("n") >= 7)) == ["70", "80"]
    with pytest.raises(proxime.FilterError):
        angles.similarity_search("0", filter={"n": {"$around": 2}})


def test_relevance_is_the_cosine_for_every_metric(angles):
    scored = angles.similarity_search_with_relevance_scores("0", k=9, exact=True)
    assert [score for _, score in scored] == pytest.approx(np.cos(np.radians(np.arange(0, 90, 10))), abs=1e-6)


def test_marginal_relevance_weighs_nearness_against_likeness(angles):
    assert texts(angles.max_marginal_relevance_search("0", k=3, lambda_mult=1)) == ["0", "10", "20"]
    assert texts(angles.max_marginal_relevance_search("0", k=2, lambda_mult=0)) == ["0", "80"]
    assert texts(angles.max_marginal_relevance_search("0", k=2, lambda_mult=0, filter={"n": {"$lt": 4}})) == ["0", "30"]


async def test_a_retriever(angles):
    retriever = angles.as_retriever(search_kwargs={"k": 2, "filter": {"odd": True}})
    assert texts(retriever.invoke("70")) == texts(await retriever.ainvoke("70")) == ["70", "50"]


def test_documents_survive_reopening(tmp_path):
    metadata = {"id": 1, "deep": {"list": [1, 2.5, None, True]}}
    with_id = Document(id="a", page_content="10", metadata=metadata)
    store = ProximeVectorStore(Angles(), tmp_path / "db")
    assert store.add_documents([with_id]) == ["a"]
    store.close()
    with proxime.open(tmp_path / "db") as db:
        store = ProximeVectorStore(Angles(), db)
        assert store.get_by_ids(["b", "a"]) == [with_id]
        store.close()
        assert db.collections() == ["langchain"]  # a database that was given open is left open


def test_nothing_is_stored_of_a_batch_with_a_mistake(angles):
    with pytest.raises(ValueError, match='metadata 1 has a field "text"'):
        angles.add_texts(["1", "2"], [{}, {"text": "mine"}])
    with pytest.raises(ValueError, match="2 texts, 1 metadatas"):
        angles.add_texts(["1", "2"], [{}])
    with pytest.raises(proxime.Error):
        angles.add_texts(["1", "2"], [{}, {"when": object()}])
    assert len(angles.similarity_search("0", k=100)) == 9
    assert angles.add_texts([]) == []
    assert angles.delete() is False
