"""Proxime as a vector store of LangChain: `pip install "proxime[langchain]"`.

>>> from langchain_core.embeddings import DeterministicFakeEmbedding
>>> from proxime.langchain import ProximeVectorStore
>>> store = ProximeVectorStore(DeterministicFakeEmbedding(size=64), "notes.db")  # a directory, or ":memory:"
>>> store.add_texts(["a cat", "a dog"], [{"year": 2020}, {"year": 2024}], ids=["1", "2"])
['1', '2']
>>> store.similarity_search("a cat", k=1, filter={"year": {"$gte": 2021}})
[Document(id='2', metadata={'year': 2024}, page_content='a dog')]
>>> store.close()
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Self, TypeAlias
from uuid import uuid4

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ImportError as _error:
    raise ImportError('proxime.langchain needs LangChain: pip install "proxime[langchain]"') from _error

import numpy as np

from ._core import Database
from ._filter import Filter
from ._lazy import LazyCollection

__all__ = ["ProximeVectorStore"]

_Where: TypeAlias = dict[str, Any] | str | Filter


class ProximeVectorStore(VectorStore):
    """Documents in a collection of a Proxime database.

    `database` is an open database or where to open one: a path, or ":memory:". The collection is made when the first
    documents come, with the dimension of their embeddings. A document is a record: its id is the document's, its metadata
    the document's with the text in one field more, `text_key`. So collections made otherwise can be used, too, if their ids
    are texts and that field has the text.

    Searches take `filter`, in any of the forms that `Collection.search` takes as `where`, and its other options
    (`recall=`, `ef=`, `exact=`). Scores are distances: smaller is nearer.
    """

    def __init__(
        self,
        embedding: Embeddings,
        database: Database | str | PathLike[str] = ":memory:",
        *,
        collection: str = "langchain",
        metric: Literal["cosine", "l2", "dot"] = "cosine",
        text_key: str = "text",
    ) -> None:
        self._embedding = embedding
        self._records = LazyCollection(database, collection, metric)
        self._text_key = text_key

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store with these texts in it; `kwargs` are the arguments of the class."""
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @property
    def embeddings(self) -> Embeddings:
        """What makes vectors of texts."""
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Store texts, all or none, replacing those with the same ids. Ids that are missing are made up; all are returned.

        Errors: lists of different lengths, metadata with a field `text_key` or with values that cannot be stored.
        """
        texts = list(texts)
        given = [None] * len(texts) if ids is None else list(ids)
        metadatas = [{}] * len(texts) if metadatas is None else metadatas
        if not len(texts) == len(metadatas) == len(given):
            raise ValueError(f"{len(texts)} texts, {len(metadatas)} metadatas and {len(given)} ids: one of each is needed")
        for row, metadata in enumerate(metadatas):
            if self._text_key in metadata:
                raise ValueError(f'metadata {row} has a field "{self._text_key}", where the text goes; choose another text_key')
        if not texts:
            return []
        used = [str(uuid4()) if id is None else id for id in given]
        vectors = self._embedding.embed_documents(texts)
        records = [{**metadata, self._text_key: text} for text, metadata in zip(texts, metadatas)]
        self._records.for_vectors(vectors).upsert(used, vectors, records)
        return used

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by id; those that are not there are skipped. Without ids nothing is deleted, and False returned."""
        collection = self._records.existing()
        if collection is not None and ids:
            collection.delete(ids)
        return ids is not None

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in this order; those that are not there are skipped."""
        collection = self._records.existing()
        records = [] if collection is None else collection.get(list(ids))
        return [self._document(record["id"], record["metadata"]) for record in records if record is not None]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The `k` documents nearest to the embedding of `query`, nearest first."""
        return self.similarity_search_by_vector(self._embedding.embed_query(query), k, **kwargs)

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        """The `k` documents nearest to a vector, nearest first."""
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k, **kwargs)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """The same as `similarity_search`, with distances."""
        return self.similarity_search_with_score_by_vector(self._embedding.embed_query(query), k, **kwargs)

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, filter: _Where | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same as `similarity_search_by_vector`, with distances."""
        collection = self._records.existing()
        hits = [] if collection is None else collection.search(embedding, k, where=filter, **kwargs)
        return [(self._document(hit.id, hit.metadata), hit.distance) for hit in hits]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """`k` of the `fetch_k` nearest documents that are near and not all alike; `lambda_mult` 1 is nearness alone."""
        embedding = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(embedding, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: _Where | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The same as `max_marginal_relevance_search`, for a vector."""
        collection = self._records.existing()
        if collection is None:
            return []
        hits = collection.search(embedding, fetch_k, where=filter, include=("metadata", "vectors"), **kwargs)
        chosen = maximal_marginal_relevance(np.asarray(embedding, np.float32), list(hits.vectors), lambda_mult, k)
        return [self._document(hits[i].id, hits[i].metadata) for i in chosen]

    def close(self) -> None:
        """Close the database if it was opened here."""
        self._records.close()

    def _document(self, id: Any, metadata: Mapping[str, Any]) -> Document:
        rest = dict(metadata)
        return Document(id=id, page_content=rest.pop(self._text_key), metadata=rest)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """For vectors of length 1 the cosine, whatever the metric."""
        return {"cosine": lambda d: 1 - d, "l2": lambda d: 1 - d / 2, "dot": lambda d: -d}[self._records.metric]
