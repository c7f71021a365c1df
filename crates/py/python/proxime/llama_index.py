"""Proxime as a vector store of LlamaIndex: `pip install "proxime[llama-index]"`.

>>> from llama_index.core.schema import TextNode
>>> from llama_index.core.vector_stores import VectorStoreQuery
>>> from proxime.llama_index import ProximeVectorStore
>>> store = ProximeVectorStore("nodes.db")  # a directory, or ":memory:"
>>> store.add([TextNode(id_="a", text="a cat", embedding=[1.0, 0.0]), TextNode(id_="b", text="a dog", embedding=[0.0, 1.0])])
['a', 'b']
>>> store.query(VectorStoreQuery(query_embedding=[0.1, 0.9], similarity_top_k=1)).nodes[0].text
'a dog'
>>> store.close()
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal

try:
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
    from llama_index.core.schema import BaseNode, MetadataMode
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
except ImportError as _error:
    raise ImportError('proxime.llama_index needs LlamaIndex: pip install "proxime[llama-index]"') from _error

from ._core import Collection, Database
from ._lazy import LazyCollection

__all__ = ["ProximeVectorStore"]

_SIMPLE = {
    FilterOperator.EQ: "$eq",
    FilterOperator.GT: "$gt",
    FilterOperator.GTE: "$gte",
    FilterOperator.LT: "$lt",
    FilterOperator.LTE: "$lte",
    FilterOperator.IN: "$in",
    FilterOperator.NIN: "$nin",
    FilterOperator.CONTAINS: "$contains",
    FilterOperator.TEXT_MATCH: "$contains",
}
_SEVERAL = {FilterOperator.ALL: "$and", FilterOperator.ANY: "$or"}
_NOTHING: list[Any] = []
_MODES = [VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR, VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.HYBRID]


class ProximeVectorStore(BasePydanticVectorStore):
    """Nodes, with their texts, in a collection of a Proxime database.

    `database` is an open database or where to open one: a path, or ":memory:". The collection is made when the first nodes
    come, with the dimension of their embeddings. Similarities are cosines, or what else grows with nearness: the product for
    `dot`, the negated squared distance for `l2`.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    _records: LazyCollection = PrivateAttr()

    def __init__(
        self,
        database: Database | str | PathLike[str] = ":memory:",
        *,
        collection: str = "llama_index",
        metric: Literal["cosine", "l2", "dot"] = "cosine",
    ) -> None:
        super().__init__(stores_text=True)
        self._records = LazyCollection(database, collection, metric)

    @classmethod
    def class_name(cls) -> str:
        """The name of the class."""
        return "ProximeVectorStore"

    @property
    def client(self) -> Collection | None:
        """The collection, if it is there."""
        return self._records.existing()

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Store nodes with embeddings, all or none, replacing those with the same ids. Returns the ids."""
        ids = [node.node_id for node in nodes]
        if ids:
            vectors = [node.get_embedding() for node in nodes]
            self._records.for_vectors(vectors).upsert(ids, vectors, list(map(_metadata, nodes)))
        return ids

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes that came from a document."""
        self._delete({"ref_doc_id": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete the nodes with these ids that match. Errors: neither ids nor filters; `clear` deletes everything."""
        condition = _where(node_ids=node_ids, filters=filters)
        if condition is None:
            raise ValueError("delete_nodes needs ids or filters; clear deletes everything")
        self._delete(condition)

    def clear(self) -> None:
        """Delete everything, the dimension included."""
        if self._records.existing() is not None:
            self._records.database.drop_collection(self._records.name)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """The nodes with these ids that match, in the order of ids."""
        found = self._records.records(_where(node_ids=node_ids, filters=filters))
        return [_node(record["metadata"], record["vector"]) for record in found]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes nearest to an embedding, nearest first; in mode TEXT_SEARCH those that have words of `query_str`, in mode HYBRID both put
        together: by ranks, or with `alpha` by `alpha` of nearness and the rest of words. Nodes stored before these modes existed have no words.

        Mode MMR takes `mmr_threshold`, 1 for nearness alone, and `mmr_prefetch_k`, from how many of the nearest to choose (by
        default four times as many as asked for). Other options are those of `Collection.search`. Errors: other modes, no embedding.
        """
        if query.mode not in _MODES:
            raise ValueError(f"there is no query mode {query.mode.value} here; there are {', '.join(mode.value for mode in _MODES)}")
        collection = self._records.existing()
        if collection is None:
            return VectorStoreQueryResult(nodes=[], similarities=[], ids=[])
        # Indexes pass empty lists of ids and mean all.
        where = _where(query.doc_ids or None, query.node_ids or None, query.filters)
        if query.mode in (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.HYBRID):
            hits = collection.search(
                k=query.hybrid_top_k or query.similarity_top_k,
                vector=query.query_embedding if query.mode == VectorStoreQueryMode.HYBRID else None,
                text=query.query_str or "",
                fields="_text",
                fusion="rrf" if query.alpha is None else (query.alpha, 1 - query.alpha),
                where=where,
                **kwargs,
            )
            nodes = [_node(metadata, vector) for metadata, vector in zip(hits.metadata, hits.vectors)]
            scores = [] if hits.scores is None else hits.scores.tolist()
            return VectorStoreQueryResult(nodes=nodes, similarities=scores, ids=[node.node_id for node in nodes])
        embedding = query.query_embedding
        if embedding is None:
            raise ValueError(f"a query of mode {query.mode.value} needs an embedding")
        is_mmr = query.mode == VectorStoreQueryMode.MMR
        threshold = kwargs.pop("mmr_threshold", query.mmr_threshold)
        prefetch = kwargs.pop("mmr_prefetch_k", 4 * query.similarity_top_k)
        hits = collection.search(
            embedding,
            max(prefetch, query.similarity_top_k) if is_mmr else query.similarity_top_k,
            where=where,
            include=("metadata", "vectors"),
            **kwargs,
        )
        similarities = [1 - hit.distance if collection.metric == "cosine" else -hit.distance for hit in hits]
        chosen = list(range(len(hits)))
        if is_mmr:
            similarities, chosen = get_top_k_mmr_embeddings(
                embedding, list(hits.vectors), None, query.similarity_top_k, chosen, None, threshold
            )
        nodes = [_node(hits[i].metadata, hits.vectors[i]) for i in chosen]
        return VectorStoreQueryResult(nodes=nodes, similarities=similarities, ids=[node.node_id for node in nodes])

    def close(self) -> None:
        """Close the database if it was opened here."""
        self._records.close()

    def _delete(self, condition: dict[str, Any]) -> None:
        collection = self._records.existing()
        if collection is not None:
            collection.delete(where=condition)


def _metadata(node: BaseNode) -> dict[str, Any]:
    """LlamaIndex's own form of a node as metadata, and what filters need beside it."""
    metadata = node_to_metadata_dict(node, flat_metadata=False)
    # Filters of the database compare single values, so which lists are empty is said in words.
    empty = [name for name, value in metadata.items() if value == []]
    return {**metadata, "_node_id": node.node_id, "_empty": empty, "_text": node.get_content(MetadataMode.NONE)}


def _node(metadata: dict[str, Any], vector: Any) -> BaseNode:
    node = metadata_dict_to_node(metadata)
    node.embedding = vector.tolist()
    return node


def _where(
    doc_ids: list[str] | None = None,
    node_ids: list[str] | None = None,
    filters: MetadataFilters | None = None,
) -> dict[str, Any] | None:
    conditions: list[dict[str, Any]] = []
    if doc_ids is not None:
        conditions.append({"ref_doc_id": {"$in": doc_ids}})
    if node_ids is not None:
        conditions.append({"_node_id": {"$in": node_ids}})
    if filters is not None and filters.filters:
        conditions.append(_connected(filters))
    return {"$and": conditions} if conditions else None


def _connected(filters: MetadataFilters) -> dict[str, Any]:
    inner = [_connected(f) if isinstance(f, MetadataFilters) else _condition(f) for f in filters.filters]
    if filters.condition == FilterCondition.NOT:
        return {"$not": {"$or": inner}}
    return {"$or" if filters.condition == FilterCondition.OR else "$and": inner}


def _condition(filter: MetadataFilter) -> dict[str, Any]:
    """As `SimpleVectorStore` understands it: a field that is missing or None is unequal to everything, also to None."""
    key = filter.key.replace("\\", "\\\\").replace(".", "\\.")
    key = f"\\{key}" if key.startswith("$") else key
    operator, value = filter.operator, filter.value
    if operator == FilterOperator.IS_EMPTY:
        return {"$or": [{key: {"$in": [None, ""]}}, {"_empty": {"$contains": filter.key}}]}
    if operator == FilterOperator.NE:
        return {key: {"$nin": _NOTHING if value is None else [value]}}
    if operator == FilterOperator.EQ and value is None:
        return {key: {"$in": _NOTHING}}
    if operator in _SEVERAL:
        if not isinstance(value, list):
            raise ValueError(f"the filter {operator.value} takes a list, not {value!r}")
        if not value:  # every field has all of nothing, and none has any of it
            return {key: {"$ne": None} if operator == FilterOperator.ALL else {"$in": _NOTHING}}
        return {_SEVERAL[operator]: [{key: {"$contains": one}} for one in value]}
    if operator not in _SIMPLE:
        raise ValueError(f"there is no filter {operator.value} here")
    return {key: {_SIMPLE[operator]: value}}
