"""The component of a pipeline that finds the documents nearest to an embedding."""

from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from ._store import ProximeDocumentStore


@component
class ProximeEmbeddingRetriever:
    """Finds the `top_k` documents of a `ProximeDocumentStore` that are nearest to an embedding.

    `filters` given here are replaced by those given to `run`, or, with `FilterPolicy.MERGE`, joined with them.
    """

    __module__ = "proxime.haystack"  # written into files of pipelines

    def __init__(
        self,
        document_store: ProximeDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        *,
        return_embedding: bool = False,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        if not isinstance(document_store, ProximeDocumentStore):
            raise TypeError(f"document_store is a ProximeDocumentStore, not {type(document_store).__name__}")
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.return_embedding = return_embedding
        self.filter_policy = filter_policy

    def to_dict(self) -> dict[str, Any]:
        """For pipelines that are written to a file."""
        return default_to_dict(
            self,
            document_store=self.document_store,
            filters=self.filters,
            top_k=self.top_k,
            return_embedding=self.return_embedding,
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From what `to_dict` made."""
        parameters = dict(data["init_parameters"])
        parameters["filter_policy"] = FilterPolicy.from_str(parameters["filter_policy"])
        return default_from_dict(cls, {**data, "init_parameters": parameters})

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The nearest documents, nearest first, with their scores."""
        return {"documents": self.document_store.embedding_retrieval(query_embedding, *self._options(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The same as `run`, in a thread."""
        options = self._options(filters, top_k)
        return {"documents": await self.document_store.embedding_retrieval_async(query_embedding, *options)}

    def _options(self, filters: dict[str, Any] | None, top_k: int | None) -> tuple[dict[str, Any] | None, int, bool]:
        merged = apply_filter_policy(self.filter_policy, self.filters, filters)
        return merged, self.top_k if top_k is None else top_k, self.return_embedding
