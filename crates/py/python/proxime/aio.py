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
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

from . import _core
from ._core import Collection, Database, Transaction
from ._progress import Bar

__all__ = ["AsyncCollection", "AsyncDatabase", "AsyncTransaction", "open"]

_Class = TypeVar("_Class", bound=type)


class _Async:
    """A synchronous object, with its calls made awaitable."""

    def __init__(self, sync: Any) -> None:
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


async def _run(call: Callable[..., Any], stoppable: bool, *args: Any, **keywords: Any) -> Any:
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


def _awaited(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The function, awaitable. Where it takes or returns a synchronous object, that is an asynchronous one here."""
    stoppable = "progress" in inspect.signature(function).parameters

    @functools.wraps(function)
    async def call(*args: Any, **keywords: Any) -> Any:
        args = tuple(map(_sync, args))
        result = await _run(function, stoppable, *args, **{name: _sync(value) for name, value in keywords.items()})
        return _ASYNC[type(result)](result) if type(result) in _ASYNC else result

    return call


def _sync(argument: Any) -> Any:
    return argument.sync if isinstance(argument, _Async) else argument


def _shown(attribute: Any) -> property:
    return property(lambda self: attribute.__get__(self.sync), doc=attribute.__doc__)


def _like(synchronous: type) -> Callable[[_Class], _Class]:
    """Gives a class what a synchronous one has and it has not: methods, which are awaited, and properties."""

    def complete(asynchronous: _Class) -> _Class:
        for name, member in vars(synchronous).items():
            if not name.startswith("_") and name not in vars(asynchronous):
                setattr(asynchronous, name, _awaited(member) if callable(member) else _shown(member))
        return asynchronous

    return complete


@_like(Collection)
class AsyncCollection(_Async):
    """A `Collection` whose calls are awaited. Made by `AsyncDatabase`."""


@_like(Transaction)
class AsyncTransaction(_Async):
    """A `Transaction` whose calls are awaited, used in an `async with` block."""

    async def __aenter__(self) -> Self:
        self.sync.__enter__()
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await _run(self.sync.__exit__, False, type, value, traceback)


@_like(Database)
class AsyncDatabase(_Async):
    """A `Database` whose calls are awaited, used in an `async with` block. Made by `proxime.aio.open`."""

    def transaction(self) -> AsyncTransaction:
        """As `Database.transaction`, for `async with`."""
        return AsyncTransaction(self.sync.transaction())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await _run(self.sync.close, False)


_ASYNC = {Collection: AsyncCollection, Database: AsyncDatabase}
open = _awaited(_core.open)
