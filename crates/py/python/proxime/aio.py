"""Proxime for asyncio: the same database, with calls that are awaited.

Calls run on the loop's threads, and so do not keep it from other work. Awaiting one that is cancelled ends when the call has ended:
a write that can still be stopped is, and nothing of it is stored; what is done already stays done. Arguments and results are those
of the class of the same name without `Async`.

>>> import asyncio, numpy as np, proxime.aio
>>> async def main():
...     async with await proxime.aio.open(":memory:") as db:
...         docs = await db.create_collection("docs", dim=2)
...         await docs.upsert(["a", "b"], np.eye(2))
...         return (await docs.search([0.1, 0.9], k=1)).ids
>>> asyncio.run(main())
array(['b'], dtype=object)
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar

from ._core import Collection, Database, Transaction
from ._core import open as _open
from ._progress import Bar

if TYPE_CHECKING:
    from ._types import Queries, Requirement

__all__ = ["AsyncCollection", "AsyncDatabase", "AsyncTransaction", "open"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Sync = TypeVar("_Sync")


class _Async(Generic[_Sync]):
    """A synchronous object, with some of its calls made awaitable."""

    def __init__(self, sync: _Sync) -> None:
        #: The object whose calls are awaited.
        self.sync = sync

    def __repr__(self) -> str:
        return f"Async{self.sync!r}"


class _Cancelled(Exception):
    """Raised by the progress of a call whose task was cancelled; it stops the call and goes no further."""


def _stoppable(progress: Any, cancelled: threading.Event) -> Any:
    """The argument `progress`, so that a call is stopped, too."""

    def checked(tell: Callable[..., object] | None) -> Callable[..., None]:
        def told(*word: Any) -> None:
            if cancelled.is_set():
                raise _Cancelled
            if tell:
                tell(*word)

        return told

    if hasattr(progress, "update"):
        return SimpleNamespace(update=checked(progress.update))
    return checked(progress or None) if callable(progress) or not progress else progress


async def _run(call: Callable[_P, _T], stoppable: bool, *args: _P.args, **keywords: _P.kwargs) -> _T:
    cancelled = threading.Event()
    bar = Bar() if keywords.get("progress") is True else None
    if stoppable:
        keywords["progress"] = _stoppable(bar or keywords.get("progress"), cancelled)
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **keywords))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait([running])
        running.exception()  # seen: whatever it is, the task was cancelled
        raise
    finally:
        if bar:
            bar.close()


def _awaited(method: Callable[Concatenate[_Sync, _P], _T]) -> Callable[Concatenate[_Async[_Sync], _P], Coroutine[Any, Any, _T]]:
    """The method, awaitable."""
    stoppable = "progress" in inspect.signature(method).parameters

    @functools.wraps(method)
    async def call(self: _Async[_Sync], /, *args: _P.args, **keywords: _P.kwargs) -> _T:
        return await _run(functools.partial(method, self.sync), stoppable, *args, **keywords)

    return call


def _awaited_collection(
    method: Callable[Concatenate[Database, _P], Collection],
) -> "Callable[Concatenate[_Async[Database], _P], Coroutine[Any, Any, AsyncCollection]]":
    """The method of a database, awaitable, and with an asynchronous collection as its result."""
    awaited = _awaited(method)

    @functools.wraps(method)
    async def call(self: _Async[Database], /, *args: _P.args, **keywords: _P.kwargs) -> AsyncCollection:
        return AsyncCollection(await awaited(self, *args, **keywords))

    return call


def _awaited_on(
    method: Callable[Concatenate[Transaction, Collection, _P], _T],
) -> "Callable[Concatenate[AsyncTransaction, AsyncCollection, _P], Coroutine[Any, Any, _T]]":
    """The method of a transaction, awaitable, and about an asynchronous collection."""

    @functools.wraps(method)
    async def call(self: "AsyncTransaction", collection: "AsyncCollection", /, *args: _P.args, **keywords: _P.kwargs) -> _T:
        return await _run(functools.partial(method, self.sync, collection.sync), False, *args, **keywords)

    return call


class AsyncCollection(_Async[Collection]):
    """A `Collection` whose calls are awaited. Made by `AsyncDatabase`."""

    upsert = _awaited(Collection.upsert)
    add = _awaited(Collection.add)
    update = _awaited(Collection.update)
    add_vector_batch = _awaited(Collection.add_vector_batch)
    delete = _awaited(Collection.delete)
    compact = _awaited(Collection.compact)
    scroll = _awaited(Collection.scroll)
    facets = _awaited(Collection.facets)
    recommend = _awaited(Collection.recommend)
    search_groups = _awaited(Collection.search_groups)
    search_diverse = _awaited(Collection.search_diverse)
    search_each = _awaited(Collection.search_each)
    why_not = _awaited(Collection.why_not)
    word_counts = _awaited(Collection.word_counts)
    count = _awaited(Collection.count)
    measure_recall = _awaited(Collection.measure_recall)
    stats = _awaited(Collection.stats)
    digest = _awaited(Collection.digest)

    # Overloaded, which type checkers do not carry over.

    @functools.wraps(Collection.search)
    async def search(self, queries: "Queries | None" = None, k: int = 10, **options: Any) -> Any:
        return await _run(functools.partial(self.sync.search, queries, k, **options), False)

    @functools.wraps(Collection.search_by_id)
    async def search_by_id(self, id: Any, k: int = 10, **options: Any) -> Any:
        return await _run(functools.partial(self.sync.search_by_id, id, k, **options), False)

    @functools.wraps(Collection.get)
    async def get(self, id: Any) -> Any:
        return await _run(functools.partial(self.sync.get, id), False)

    @functools.wraps(Collection.exists)
    async def exists(self, id: Any) -> Any:
        return await _run(functools.partial(self.sync.exists, id), False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.sync.name

    @property
    def dim(self) -> int:
        """Components of each vector."""
        return self.sync.dim

    @property
    def metric(self) -> Literal["cosine", "l2", "dot"]:
        """One of "cosine", "l2" and "dot"."""
        return self.sync.metric

    @property
    def dtype(self) -> Literal["f32", "f16", "int8"]:
        """How vectors are stored."""
        return self.sync.dtype

    @property
    def schema(self) -> "dict[str, Requirement]":
        """What metadata must be like."""
        return self.sync.schema


class AsyncTransaction(_Async[Transaction]):
    """A `Transaction` whose calls are awaited, used in an `async with` block."""

    upsert = _awaited_on(Transaction.upsert)
    add = _awaited_on(Transaction.add)
    update = _awaited_on(Transaction.update)
    delete = _awaited_on(Transaction.delete)

    async def __aenter__(self) -> Self:
        self.sync.__enter__()
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await _run(self.sync.__exit__, False, type, value, traceback)


class AsyncDatabase(_Async[Database]):
    """A `Database` whose calls are awaited, used in an `async with` block. Made by `proxime.aio.open`."""

    rename_collection = _awaited(Database.rename_collection)
    drop_collection = _awaited(Database.drop_collection)
    collections = _awaited(Database.collections)
    set_alias = _awaited(Database.set_alias)
    drop_alias = _awaited(Database.drop_alias)
    aliases = _awaited(Database.aliases)
    verify = _awaited(Database.verify)
    rebuild_index = _awaited(Database.rebuild_index)
    backup = _awaited(Database.backup)
    maintain = _awaited(Database.maintain)
    flush = _awaited(Database.flush)
    close = _awaited(Database.close)

    create_collection = _awaited_collection(Database.create_collection)
    collection = _awaited_collection(Database.collection)

    def transaction(self) -> AsyncTransaction:
        """As `Database.transaction`, for `async with`."""
        return AsyncTransaction(self.sync.transaction())

    @property
    def path(self) -> Path | None:
        """The directory; None in memory."""
        return self.sync.path

    @property
    def read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self.sync.read_only

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.close()


def _opened(method: Callable[_P, Database]) -> Callable[_P, Coroutine[Any, Any, AsyncDatabase]]:
    @functools.wraps(method)
    async def call(*args: _P.args, **keywords: _P.kwargs) -> AsyncDatabase:
        return AsyncDatabase(await _run(method, False, *args, **keywords))

    return call


open = _opened(_open)
