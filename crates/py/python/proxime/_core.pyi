"""Types of the compiled core. A test compares the names here with those that are there."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, final, overload
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ._hit import Hit, ScoredHit
from ._types import (
    FieldType,
    Fusion,
    Id,
    Ids,
    Include,
    Metadata,
    Progress,
    Queries,
    Requirement,
    Vectors,
    Versions,
    Where,
    ZeroCopy,
)

__all__ = ["Collection", "Database", "Hits", "Transaction", "__version__", "fused", "open", "restore", "salvage"]
__version__: str

def open(
    path: str | PathLike[str],
    threads: int | None = None,
    read_only: bool = False,
    *,
    durability: Literal["always", "batch", "os"] = "always",
    verify: Literal["full", "lazy"] = "full",
) -> Database: ...
def fused(
    fusion: Fusion | None, distances: Sequence[float], scores: Sequence[float]
) -> tuple[list[float], list[float]]: ...
def salvage(
    source: str | PathLike[str], dest: str | PathLike[str], *, progress: Progress | None = None
) -> dict[str, Any]: ...
def restore(backup: str | PathLike[str], dest: str | PathLike[str], *, progress: Progress | None = None) -> None: ...

@final
class Database:
    @property
    def path(self) -> Path | None: ...
    @property
    def read_only(self) -> bool: ...
    def create_collection(
        self,
        name: str,
        dim: int,
        metric: Literal["cosine", "l2", "dot"] = "cosine",
        *,
        dtype: Literal["f32", "f16", "int8"] = "f32",
        schema: Mapping[str, FieldType | Requirement] | None = None,
        preset: Literal["fast", "default", "high"] = "default",
        m: int | None = None,
        ef_construction: int | None = None,
        ef_search: int | None = None,
    ) -> Collection: ...
    def collection(self, name: str) -> Collection: ...
    def rename_collection(self, name: str, new_name: str) -> None: ...
    def drop_collection(self, name: str) -> None: ...
    def collections(self) -> list[str]: ...
    def set_alias(self, alias: str, name: str) -> None: ...
    def drop_alias(self, alias: str) -> None: ...
    def aliases(self) -> dict[str, str]: ...
    def transaction(self) -> Transaction: ...
    def verify(self, deep: bool = False) -> dict[str, Any]: ...
    def rebuild_index(self, *, progress: Progress | None = None) -> dict[str, Any]: ...
    def backup(self, dest: str | PathLike[str], *, progress: Progress | None = None) -> None: ...
    def flush(self) -> None: ...
    def maintain(self) -> None: ...
    def close(self) -> None: ...
    def _repr_html_(self) -> str: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Collection:
    @property
    def name(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def metric(self) -> Literal["cosine", "l2", "dot"]: ...
    @property
    def dtype(self) -> Literal["f32", "f16", "int8"]: ...
    @property
    def schema(self) -> dict[str, Requirement]: ...
    def upsert(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    def add(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    def update(
        self,
        ids: Ids,
        vectors: Vectors | None = None,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    def add_vector_batch(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    def delete(
        self,
        ids: Ids | None = None,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        if_version: Versions | None = None,
    ) -> int: ...
    def compact(self, *, progress: Progress | None = None) -> None: ...
    @overload
    def get(self, id: Id) -> dict[str, Any] | None: ...
    @overload
    def get(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[Id] | NDArray[np.integer[Any]]) -> list[dict[str, Any] | None]: ...
    @overload
    def exists(self, id: Id) -> bool: ...
    @overload
    def exists(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[Id] | NDArray[np.integer[Any]]) -> list[bool]: ...
    def scroll(
        self,
        after: Id | None = None,
        limit: int = 1000,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        descending: bool = False,
    ) -> list[dict[str, Any]]: ...
    def facets(
        self, field: str, *, where: Where | None = None, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, int]]: ...
    @overload
    def search_by_id(
        self,
        id: Id,
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> Hits: ...
    @overload
    def search_by_id(
        self,
        id: list[int] | list[str] | list[UUID] | list[bytes] | list[Id] | NDArray[np.integer[Any]],
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> list[Hits]: ...
    def why_not(
        self,
        query: Queries,
        id: Id,
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> dict[str, Any]: ...
    def recommend(
        self,
        positive: Ids,
        negative: Ids = (),
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> Hits: ...
    def search_groups(
        self,
        query: Queries,
        group_by: str,
        k: int = 10,
        *,
        group_size: int = 1,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> list[tuple[Any, Hits]]: ...
    def search_diverse(
        self,
        query: Queries,
        k: int = 10,
        *,
        relevance: float = 0.5,
        candidates: int = 50,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> Hits: ...
    def search_each(
        self,
        queries: Queries,
        filters: list[Where | None],
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
    ) -> list[Hits]: ...
    @overload  # one query
    def search(
        self,
        queries: Sequence[float],
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
        include: Include | Sequence[Include] = (),
        explain: Literal[False] = False,
    ) -> Hits: ...
    @overload  # one query, explained
    def search(
        self,
        queries: Sequence[float],
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
        include: Include | Sequence[Include] = (),
        explain: Literal[True],
    ) -> tuple[Hits, dict[str, Any]]: ...
    @overload  # several queries: a tuple of arrays; with `max_distance` a list of `Hits`
    def search(
        self,
        queries: Sequence[Sequence[float]] | Sequence[NDArray[Any]],
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
        include: Include | Sequence[Include] = (),
        explain: bool = False,
    ) -> Any: ...
    @overload  # an array: `Hits` for one dimension, a tuple for two
    def search(
        self,
        queries: Queries,
        k: int = 10,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
        include: Include | Sequence[Include] = (),
        explain: bool = False,
    ) -> Any: ...
    @overload  # words, alone or with one query; or one query by its name
    def search(
        self,
        queries: Queries | None = None,
        k: int = 10,
        *,
        vector: Queries | None = None,
        text: str | None = None,
        fields: str | Sequence[str] = "text",
        fusion: Fusion = "rrf",
        depth: int | None = None,
        counts: Mapping[str, Any] | None = None,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        without: Ids = (),
        include: Include | Sequence[Include] = (),
        explain: Literal[False] = False,
    ) -> Hits: ...
    def word_counts(self, text: str, fields: str | Sequence[str] = "text") -> dict[str, Any]: ...
    def count(self, where: Where | None = None, params: Mapping[str, Any] | None = None) -> int: ...
    def measure_recall(
        self, queries: Queries, k: int = 10, *, ef: int | None = None, recall: float | None = None
    ) -> dict[str, Any]: ...
    def stats(self) -> dict[str, Any]: ...
    def digest(self) -> str: ...
    def _repr_html_(self) -> str: ...
    def __len__(self) -> int: ...

@final
class Transaction:
    def upsert(
        self,
        collection: Collection,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
    ) -> None: ...
    def add(
        self, collection: Collection, ids: Ids, vectors: Vectors, metadata: Metadata | None = None
    ) -> None: ...
    def update(
        self,
        collection: Collection,
        ids: Ids,
        vectors: Vectors | None = None,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
    ) -> None: ...
    def delete(
        self,
        collection: Collection,
        ids: Ids | None = None,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        if_version: Versions | None = None,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Hits:
    @property
    def ids(self) -> NDArray[Any]: ...
    @property
    def distances(self) -> NDArray[np.float32]: ...
    @property
    def scores(self) -> NDArray[np.float64] | None: ...
    @property
    def text_scores(self) -> NDArray[np.float64] | None: ...
    @property
    def metadata(self) -> list[dict[str, Any]]: ...
    @property
    def vectors(self) -> NDArray[np.float32]: ...
    def to_arrow(self) -> Any: ...
    def to_pandas(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def _repr_html_(self) -> str: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Hit | ScoredHit]: ...
    @overload
    def __getitem__(self, index: int, /) -> Hit | ScoredHit: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Hit | ScoredHit]: ...
