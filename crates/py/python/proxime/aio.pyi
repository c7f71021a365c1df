"""Types of `aio`, written by crates/py/tests/async_stub.py from those of the core."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, overload
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ._core import Collection, Database, Hits, Transaction
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

__all__ = ["AsyncCollection", "AsyncDatabase", "AsyncTransaction", "open"]

async def open(
    path: str | PathLike[str],
    threads: int | None = None,
    read_only: bool = False,
    *,
    durability: Literal["always", "batch", "os"] = "always",
    verify: Literal["full", "lazy"] = "full",
) -> AsyncDatabase: ...

class AsyncDatabase:
    sync: Database
    def __init__(self, sync: Database) -> None: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def read_only(self) -> bool: ...
    async def create_collection(
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
    ) -> AsyncCollection: ...
    async def collection(self, name: str) -> AsyncCollection: ...
    async def rename_collection(self, name: str, new_name: str) -> None: ...
    async def drop_collection(self, name: str) -> None: ...
    async def collections(self) -> list[str]: ...
    async def set_alias(self, alias: str, name: str) -> None: ...
    async def drop_alias(self, alias: str) -> None: ...
    async def aliases(self) -> dict[str, str]: ...
    def transaction(self) -> AsyncTransaction: ...
    async def verify(self, deep: bool = False) -> dict[str, Any]: ...
    async def rebuild_index(self, *, progress: Progress | None = None) -> dict[str, Any]: ...
    async def backup(self, dest: str | PathLike[str], *, progress: Progress | None = None) -> None: ...
    async def flush(self) -> None: ...
    async def maintain(self) -> None: ...
    async def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class AsyncCollection:
    sync: Collection
    def __init__(self, sync: Collection) -> None: ...
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
    async def upsert(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    async def add(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    async def update(
        self,
        ids: Ids,
        vectors: Vectors | None = None,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    async def add_vector_batch(
        self,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        zero_copy: ZeroCopy = "allow",
        progress: Progress | None = None,
    ) -> None: ...
    async def delete(
        self,
        ids: Ids | None = None,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        if_version: Versions | None = None,
    ) -> int: ...
    async def compact(self, *, progress: Progress | None = None) -> None: ...
    @overload
    async def get(self, id: Id) -> dict[str, Any] | None: ...
    @overload
    async def get(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[Id] | NDArray[np.integer[Any]]) -> list[dict[str, Any] | None]: ...
    @overload
    async def exists(self, id: Id) -> bool: ...
    @overload
    async def exists(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[Id] | NDArray[np.integer[Any]]) -> list[bool]: ...
    async def scroll(
        self,
        after: Id | None = None,
        limit: int = 1000,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        descending: bool = False,
    ) -> list[dict[str, Any]]: ...
    async def facets(
        self, field: str, *, where: Where | None = None, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, int]]: ...
    @overload
    async def search_by_id(
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
    async def search_by_id(
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
    async def why_not(
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
    async def recommend(
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
    async def search_groups(
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
    async def search_diverse(
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
    async def search_each(
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
    async def search(
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
    async def search(
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
    async def search(
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
    async def search(
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
    async def search(
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
    async def word_counts(self, text: str, fields: str | Sequence[str] = "text") -> dict[str, Any]: ...
    async def count(self, where: Where | None = None, params: Mapping[str, Any] | None = None) -> int: ...
    async def measure_recall(
        self, queries: Queries, k: int = 10, *, ef: int | None = None, recall: float | None = None
    ) -> dict[str, Any]: ...
    async def stats(self) -> dict[str, Any]: ...
    async def digest(self) -> str: ...


class AsyncTransaction:
    sync: Transaction
    def __init__(self, sync: Transaction) -> None: ...
    async def upsert(
        self,
        collection: AsyncCollection,
        ids: Ids,
        vectors: Vectors,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
    ) -> None: ...
    async def add(
        self, collection: AsyncCollection, ids: Ids, vectors: Vectors, metadata: Metadata | None = None
    ) -> None: ...
    async def update(
        self,
        collection: AsyncCollection,
        ids: Ids,
        vectors: Vectors | None = None,
        metadata: Metadata | None = None,
        *,
        if_version: Versions | None = None,
    ) -> None: ...
    async def delete(
        self,
        collection: AsyncCollection,
        ids: Ids | None = None,
        *,
        where: Where | None = None,
        params: Mapping[str, Any] | None = None,
        if_version: Versions | None = None,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
