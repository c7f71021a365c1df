"""Types of the compiled core. A test compares the names here with those that are there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, final, overload
from uuid import UUID

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._filter import Filter
from ._hit import Hit

class _Updated(Protocol):
    def update(self, n: int, /) -> object: ...

class _Dlpack(Protocol):
    def __dlpack__(self) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self) -> tuple[object, object]: ...

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self) -> object: ...

_Lends: TypeAlias = _Dlpack | _ArrowArray | _ArrowStream
_Id: TypeAlias = int | str | UUID | bytes
_Ids: TypeAlias = NDArray[np.integer[Any]] | Iterable[_Id]
_Vectors: TypeAlias = ArrayLike | _Lends
_Queries: TypeAlias = ArrayLike | _Lends
_Metadata: TypeAlias = Iterable[Mapping[str, Any] | None] | Mapping[str, Iterable[Any]]
_Where: TypeAlias = dict[str, Any] | str | Filter
_Progress: TypeAlias = bool | Callable[[int, int, str], object] | _Updated
_Include: TypeAlias = Literal["metadata", "vectors"]

__all__ = ["Collection", "Database", "Hits", "Transaction", "__version__", "open", "restore", "salvage"]
__version__: str

def open(
    path: str | PathLike[str],
    threads: int | None = None,
    read_only: bool = False,
    *,
    durability: Literal["always", "batch", "os"] = "always",
    verify: Literal["full", "lazy"] = "full",
) -> Database: ...
def salvage(
    source: str | PathLike[str], dest: str | PathLike[str], *, progress: _Progress | None = None
) -> dict[str, Any]: ...
def restore(backup: str | PathLike[str], dest: str | PathLike[str], *, progress: _Progress | None = None) -> None: ...

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
        preset: Literal["fast", "default", "high"] = "default",
        m: int | None = None,
        ef_construction: int | None = None,
        ef_search: int | None = None,
    ) -> Collection: ...
    def collection(self, name: str) -> Collection: ...
    def rename_collection(self, name: str, new_name: str) -> None: ...
    def drop_collection(self, name: str) -> None: ...
    def collections(self) -> list[str]: ...
    def transaction(self) -> Transaction: ...
    def verify(self, deep: bool = False) -> dict[str, Any]: ...
    def rebuild_index(self, *, progress: _Progress | None = None) -> dict[str, Any]: ...
    def backup(self, dest: str | PathLike[str], *, progress: _Progress | None = None) -> None: ...
    def flush(self) -> None: ...
    def maintain(self) -> None: ...
    def close(self) -> None: ...
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
    def upsert(
        self,
        ids: _Ids,
        vectors: _Vectors,
        metadata: _Metadata | None = None,
        *,
        zero_copy: Literal["allow", "require"] = "allow",
        progress: _Progress | None = None,
    ) -> None: ...
    def add(
        self,
        ids: _Ids,
        vectors: _Vectors,
        metadata: _Metadata | None = None,
        *,
        zero_copy: Literal["allow", "require"] = "allow",
        progress: _Progress | None = None,
    ) -> None: ...
    def update(
        self,
        ids: _Ids,
        vectors: _Vectors | None = None,
        metadata: _Metadata | None = None,
        *,
        zero_copy: Literal["allow", "require"] = "allow",
        progress: _Progress | None = None,
    ) -> None: ...
    def add_vector_batch(
        self,
        ids: _Ids,
        vectors: _Vectors,
        metadata: _Metadata | None = None,
        *,
        zero_copy: Literal["allow", "require"] = "allow",
        progress: _Progress | None = None,
    ) -> None: ...
    def delete(
        self,
        ids: _Ids | None = None,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> int: ...
    def compact(self, *, progress: _Progress | None = None) -> None: ...
    @overload
    def get(self, id: _Id) -> dict[str, Any] | None: ...
    @overload
    def get(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[_Id] | NDArray[np.integer[Any]]) -> list[dict[str, Any] | None]: ...
    @overload
    def exists(self, id: _Id) -> bool: ...
    @overload
    def exists(self, id: list[int] | list[str] | list[UUID] | list[bytes] | list[_Id] | NDArray[np.integer[Any]]) -> list[bool]: ...
    def scroll(
        self,
        after: _Id | None = None,
        limit: int = 1000,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]: ...
    @overload  # one query
    def search(
        self,
        queries: Sequence[float],
        k: int = 10,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        include: _Include | Sequence[_Include] = (),
    ) -> Hits: ...
    @overload  # several queries: a tuple of arrays; with `max_distance` a list of `Hits`
    def search(
        self,
        queries: Sequence[Sequence[float]] | Sequence[NDArray[Any]],
        k: int = 10,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        include: _Include | Sequence[_Include] = (),
    ) -> Any: ...
    @overload  # an array: `Hits` for one dimension, a tuple for two
    def search(
        self,
        queries: _Queries,
        k: int = 10,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
        ef: int | None = None,
        recall: float | None = None,
        exact: bool = False,
        max_distance: float | None = None,
        include: _Include | Sequence[_Include] = (),
    ) -> Any: ...
    def count(self, where: _Where | None = None, params: Mapping[str, Any] | None = None) -> int: ...
    def measure_recall(
        self, queries: _Queries, k: int = 10, *, ef: int | None = None, recall: float | None = None
    ) -> dict[str, Any]: ...
    def stats(self) -> dict[str, Any]: ...
    def digest(self) -> str: ...
    def __len__(self) -> int: ...

@final
class Transaction:
    def upsert(
        self, collection: Collection, ids: _Ids, vectors: _Vectors, metadata: _Metadata | None = None
    ) -> None: ...
    def add(
        self, collection: Collection, ids: _Ids, vectors: _Vectors, metadata: _Metadata | None = None
    ) -> None: ...
    def update(
        self,
        collection: Collection,
        ids: _Ids,
        vectors: _Vectors | None = None,
        metadata: _Metadata | None = None,
    ) -> None: ...
    def delete(
        self,
        collection: Collection,
        ids: _Ids | None = None,
        *,
        where: _Where | None = None,
        params: Mapping[str, Any] | None = None,
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
    def metadata(self) -> list[dict[str, Any]]: ...
    @property
    def vectors(self) -> NDArray[np.float32]: ...
    def to_arrow(self) -> Any: ...
    def to_pandas(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def _repr_html_(self) -> str: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Hit]: ...
    @overload
    def __getitem__(self, index: int, /) -> Hit: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Hit]: ...
