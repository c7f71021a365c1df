"""The document store."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from os import PathLike, fspath
from typing import Any, Literal, Self, TypeVar

import numpy as np
from haystack import Document, default_from_dict, default_to_dict
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from .._core import Collection
from .._lazy import LazyCollection
from ..exceptions import FilterError as ProximeFilterError
from ._filters import dates_in, where

_Filters = dict[str, Any] | None
_R = TypeVar("_R")


class ProximeDocumentStore:
    """Documents in a Proxime database: a directory, or ":memory:".

    Documents with an embedding are records of one collection, made when the first of them comes, with the dimension of that
    embedding; those without are in a second one beside it. Every write is one commit over both. Embeddings are stored as
    float32. What is read comes in the order of ids.
    """

    __module__ = "proxime.haystack"  # written into files of pipelines

    def __init__(
        self,
        database: str | PathLike[str] = ":memory:",
        *,
        collection: str = "documents",
        metric: Literal["cosine", "l2", "dot"] = "cosine",
    ) -> None:
        self._parameters = {"database": fspath(database), "collection": collection, "metric": metric}
        self._embedded = LazyCollection(database, collection, metric)
        # Their vectors say nothing: a collection has one for each record.
        self._bare = LazyCollection(self._embedded.database, f"{collection}.without_embedding", "l2")
        self._writing = threading.Lock()

    def to_dict(self) -> dict[str, Any]:
        """For pipelines that are written to a file: where the documents are, not the documents."""
        return default_to_dict(self, **self._parameters)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From what `to_dict` made."""
        return default_from_dict(cls, data)

    def close(self) -> None:
        """Close the database."""
        self._embedded.close()

    def count_documents(self) -> int:
        """How many documents there are."""
        return sum(map(len, self._collections()))

    def count_documents_by_filter(self, filters: _Filters) -> int:
        """How many documents match."""
        condition = where(filters)
        return sum(_checked(collection.count, condition) for collection in self._collections())

    def filter_documents(self, filters: _Filters = None) -> list[Document]:
        """The documents that match; all, if there is no filter."""
        return [_document(record, has_embedding) for record, has_embedding in self._records(filters)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Store documents, all or none. Returns how many were written.

        Where one with the same id is there, or comes before in the list: `OVERWRITE` replaces it, `SKIP` leaves it, and
        `FAIL` and `NONE` raise `DuplicateDocumentError`.
        """
        if not isinstance(documents, list) or not all(isinstance(document, Document) for document in documents):
            raise ValueError("documents must be a list of Documents")
        with self._writing:
            chosen = self._without_duplicates(documents, policy)
            self._write(chosen)
        return len(chosen)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents, in one commit; those that are not there are skipped."""
        with self._writing, self._embedded.database.transaction() as transaction:
            for collection in self._collections():
                transaction.delete(collection, document_ids)

    def delete_by_filter(self, filters: _Filters) -> int:
        """Delete the documents that match, in one commit. Returns how many. Without a condition it is an error."""
        condition = where(filters)
        if condition is None:
            raise FilterError("there is no condition; delete_all_documents deletes everything")
        return self._delete_matching(condition)

    def delete_all_documents(self) -> None:
        """Delete every document."""
        self._delete_matching({"content": {"$exists": True}})

    def update_by_filter(self, filters: _Filters, meta: dict[str, Any]) -> int:
        """Set fields of the metadata of the documents that match, in one commit; other fields stay. Returns how many."""
        with self._writing:
            found = [_document(record, has_embedding) for record, has_embedding in self._records(filters)]
            for document in found:
                document.meta.update(meta)
            self._write(found)
        return len(found)

    def embedding_retrieval(
        self, query_embedding: list[float], filters: _Filters = None, top_k: int = 10, return_embedding: bool = False
    ) -> list[Document]:
        """The `top_k` documents nearest to an embedding, nearest first. Larger scores are nearer: the cosine, the product,
        or, for `l2`, the squared distance, negated.
        """
        collection = self._embedded.existing()
        if collection is None:
            return []
        include = ("metadata", "vectors") if return_embedding else "metadata"
        hits = _checked(collection.search, query_embedding, top_k, where=where(filters), include=include)
        documents = []
        for i, hit in enumerate(hits):
            record = {"metadata": hit.metadata, "vector": hits.vectors[i] if return_embedding else None}
            score = 1 - hit.distance if collection.metric == "cosine" else -hit.distance
            documents.append(_document(record, return_embedding, score))
        return documents

    def count_unique_metadata_by_filter(self, filters: _Filters, metadata_fields: list[str]) -> dict[str, int]:
        """How many different values fields have in the documents that match."""
        names = [field.removeprefix("meta.") for field in metadata_fields]
        metas = list(self._metas(filters))
        return {name: len(_values(metas, name)) for name in names}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """The fields of the metadata with their types: "boolean", "int", "float" or "keyword"."""
        types = {bool: "boolean", int: "int", float: "float"}
        found = (item for meta in self._metas(None) for item in meta.items())
        return {name: {"type": types.get(type(value), "keyword")} for name, value in found if value is not None}

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """The smallest and the largest "min" and "max" of a field; None if it has none, or values that do not compare."""
        values = _values(self._metas(None), metadata_field.removeprefix("meta."))
        try:
            return {"min": min(values, default=None), "max": max(values, default=None)}
        except TypeError:
            return {"min": None, "max": None}

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: _Filters = None,
    ) -> tuple[list[Any], int]:
        """The different values of a field, in the order of their texts, from number `from_` on, and how many there are.

        With `search_term` those with this in their text, in upper or lower case.
        """
        values = _values(self._metas(filters), metadata_field.removeprefix("meta."))
        term = (search_term or "").lower()
        matching = sorted((v for v in values if term in str(v).lower()), key=lambda v: (str(v), type(v).__name__))
        return matching[from_ : from_ + size], len(matching)

    async def count_documents_async(self) -> int:
        """The same as `count_documents`, in a thread."""
        return await asyncio.to_thread(self.count_documents)

    async def count_documents_by_filter_async(self, filters: _Filters) -> int:
        """The same as `count_documents_by_filter`, in a thread."""
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def filter_documents_async(self, filters: _Filters = None) -> list[Document]:
        """The same as `filter_documents`, in a thread."""
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """The same as `write_documents`, in a thread."""
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """The same as `delete_documents`, in a thread."""
        return await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_by_filter_async(self, filters: _Filters) -> int:
        """The same as `delete_by_filter`, in a thread."""
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def delete_all_documents_async(self) -> None:
        """The same as `delete_all_documents`, in a thread."""
        return await asyncio.to_thread(self.delete_all_documents)

    async def update_by_filter_async(self, filters: _Filters, meta: dict[str, Any]) -> int:
        """The same as `update_by_filter`, in a thread."""
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def embedding_retrieval_async(
        self, query_embedding: list[float], filters: _Filters = None, top_k: int = 10, return_embedding: bool = False
    ) -> list[Document]:
        """The same as `embedding_retrieval`, in a thread."""
        return await asyncio.to_thread(self.embedding_retrieval, query_embedding, filters, top_k, return_embedding)

    async def count_unique_metadata_by_filter_async(self, filters: _Filters, metadata_fields: list[str]) -> dict[str, int]:
        """The same as `count_unique_metadata_by_filter`, in a thread."""
        return await asyncio.to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """The same as `get_metadata_fields_info`, in a thread."""
        return await asyncio.to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """The same as `get_metadata_field_min_max`, in a thread."""
        return await asyncio.to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: _Filters = None,
    ) -> tuple[list[Any], int]:
        """The same as `get_metadata_field_unique_values`, in a thread."""
        return await asyncio.to_thread(self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters)

    def _collections(self) -> list[Collection]:
        return [collection for lazy in (self._embedded, self._bare) if (collection := lazy.existing()) is not None]

    def _records(self, filters: _Filters) -> Iterator[tuple[dict[str, Any], bool]]:
        """Records that match, and whether their vectors are embeddings."""
        condition = where(filters)
        for lazy in (self._embedded, self._bare):
            records = lazy.records(condition)
            while (record := _checked(lambda: next(records, None))) is not None:
                yield record, lazy is self._embedded

    def _metas(self, filters: _Filters) -> Iterator[dict[str, Any]]:
        return (record["metadata"]["meta"] for record, _ in self._records(filters))

    def _without_duplicates(self, documents: list[Document], policy: DuplicatePolicy) -> list[Document]:
        if policy == DuplicatePolicy.OVERWRITE:
            return list({document.id: document for document in documents}.values())
        ids = [document.id for document in documents]
        there = {i for collection in self._collections() for i, is_there in zip(ids, collection.exists(ids)) if is_there}
        chosen = []
        for document in documents:
            if document.id not in there:
                chosen.append(document)
            elif policy != DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"there is a document with id {document.id!r} already")
            there.add(document.id)
        return chosen

    def _write(self, documents: list[Document]) -> None:
        """One commit. A document that has lost its embedding, or got one, moves from one collection to the other."""
        embedded = [document for document in documents if document.embedding is not None]
        bare = [document for document in documents if document.embedding is None]
        vectors = [document.embedding for document in embedded]
        parts: list[tuple[Collection, LazyCollection, list[Document], Any]] = []
        if embedded:
            parts.append((self._embedded.for_vectors(vectors), self._bare, embedded, vectors))
        if bare:
            parts.append((self._bare.for_vectors([[0.0]]), self._embedded, bare, np.zeros((len(bare), 1), np.float32)))
        with self._embedded.database.transaction() as transaction:
            for collection, other, part, vectors in parts:
                ids = [document.id for document in part]
                transaction.upsert(collection, ids, vectors, list(map(_metadata, part)))
                elsewhere = other.existing()
                if elsewhere is not None:
                    transaction.delete(elsewhere, ids)

    def _delete_matching(self, condition: dict[str, Any]) -> int:
        with self._writing:
            count = sum(_checked(collection.count, condition) for collection in self._collections())
            with self._embedded.database.transaction() as transaction:
                for collection in self._collections():
                    transaction.delete(collection, where=condition)
        return count


def _checked(call: Callable[..., _R], *args: Any, **kwargs: Any) -> _R:
    """Errors about filters as Haystack has them."""
    try:
        return call(*args, **kwargs)
    except ProximeFilterError as error:
        raise FilterError(str(error)) from error


def _metadata(document: Document) -> dict[str, Any]:
    """What a record holds of a document beside its vector."""
    metadata = {"id": document.id, "content": document.content, "meta": document.meta, "dates": dates_in(document.meta)}
    if document.blob is not None:
        blob = document.blob
        metadata["blob"] = {"data": blob.data, "meta": blob.meta, "mime_type": blob.mime_type}
    if document.sparse_embedding is not None:
        metadata["sparse_embedding"] = document.sparse_embedding.to_dict()
    return metadata


def _document(record: dict[str, Any], has_embedding: bool, score: float | None = None) -> Document:
    metadata = record["metadata"]
    sparse = metadata.get("sparse_embedding")
    return Document(
        id=metadata["id"],
        content=metadata["content"],
        meta=metadata["meta"],
        score=score,
        blob=ByteStream(**metadata["blob"]) if "blob" in metadata else None,
        embedding=record["vector"].tolist() if has_embedding else None,
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(sparse),
    )


def _values(metas: Any, name: str) -> list[Any]:
    """The different values of a field, None left out; 1, 1.0, "1" and True are four."""
    values = (meta[name] for meta in metas if meta.get(name) is not None)
    return list({json.dumps(value, sort_keys=True, default=repr): value for value in values}.values())
