"""asyncio: the same answers, without keeping the loop from other work, and with cancellation that reaches the database."""

import asyncio
import doctest
import inspect
import threading

import numpy as np
import pytest

import async_stub
import proxime
from conftest import DIM, vectors
from proxime import aio

MANY = 10_000


@pytest.mark.parametrize("synchronous", [proxime.Database, proxime.Collection, proxime.Transaction])
def test_nothing_is_missing(synchronous):
    asynchronous = getattr(aio, f"Async{synchronous.__name__}")
    for name, there in vars(synchronous).items():
        if name.startswith("_"):
            continue
        assert hasattr(asynchronous, name), name
        if callable(there):
            method = getattr(asynchronous, name)
            assert inspect.signature(method).parameters.keys() == inspect.signature(there).parameters.keys(), name
            assert method.__doc__


def test_the_stub_is_that_of_the_core():
    assert async_stub.STUB.read_text() == async_stub.text(), f"run {async_stub.__file__}"


def test_examples():
    assert doctest.testmod(aio).failed == 0


def test_the_same_answers(tmp_path):
    rows = vectors(300)

    async def main():
        async with await aio.open(tmp_path / "db", threads=1) as db:
            assert (db.path, db.read_only) == (tmp_path / "db", False)
            docs = await db.create_collection("docs", DIM, metric="l2", m=8)
            assert (docs.name, docs.dim, docs.metric) == ("docs", DIM, "l2")
            await docs.upsert(range(300), rows, [{"i": i} for i in range(300)])
            found = await asyncio.gather(*(docs.search(row, k=3, where={"i": {"$lt": 200}}) for row in rows[:20]))
            assert [hits.ids.tolist() for hits in found] == [
                docs.sync.search(row, k=3, where={"i": {"$lt": 200}}).ids.tolist() for row in rows[:20]
            ]
            assert await docs.exists([1, "b"]) == [True, False]
            assert (await docs.get(7))["metadata"] == {"i": 7}
            async with db.transaction() as moving:
                await moving.delete(collection=docs, ids=[1])
                await moving.add(docs, ["new"], rows[:1])
            with pytest.raises(ZeroDivisionError):
                async with db.transaction() as moving:
                    await moving.delete(docs, [2])
                    raise ZeroDivisionError
            assert await docs.exists([1, 2, "new"]) == [False, True, True]
            with pytest.raises(proxime.NotFoundError):
                await db.collection("no such")
            assert repr(docs) == f"Async{docs.sync!r}"
        with pytest.raises(proxime.ClosedError):
            await docs.count()

    asyncio.run(main())


def test_the_loop_goes_on_and_hears_of_progress():
    async def main():
        words, ticks, updates = [], 0, []

        class Bar:
            def update(self, n):
                updates.append(n)

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        db = await aio.open(":memory:")
        docs = await db.create_collection("docs", DIM)
        await docs.upsert(range(MANY), vectors(MANY), progress=lambda *word: words.append(word))
        during = ticks
        await docs.upsert(range(3_000), vectors(3_000), progress=Bar())
        ticking.cancel()
        assert during > 100
        assert {stage for _, _, stage in words} >= {"build"}
        assert sum(updates) == 3_000
        with pytest.raises(proxime.ArgumentTypeError, match="progress"):
            await docs.upsert([1], vectors(1), progress=7)

    asyncio.run(main())


def test_a_bar(capsys):
    async def main():
        docs = await (await aio.open(":memory:")).create_collection("docs", DIM)
        await docs.upsert(range(2_000), vectors(2_000), progress=True)

    asyncio.run(main())
    assert capsys.readouterr().err.endswith("\n")


@pytest.mark.parametrize("told", [True, False])
def test_a_cancelled_write_stores_nothing(told):
    async def main():
        docs = await (await aio.open(":memory:")).create_collection("docs", DIM)
        loop = asyncio.get_running_loop()
        heard = threading.Event()

        def cancel():
            writing.cancel()
            loop.call_soon(heard.set)  # the task is told before

        def interrupt(*_):
            loop.call_soon_threadsafe(cancel)
            heard.wait()

        class Read:
            """Vectors whose task is cancelled while they are read."""

            def __array__(self, *_, **__):
                interrupt()
                return vectors(MANY)

        call = docs.upsert(range(MANY), vectors(MANY), progress=interrupt) if told else docs.upsert(range(MANY), Read())
        writing = asyncio.create_task(call)
        with pytest.raises(asyncio.CancelledError):
            await writing
        # The call has ended, too.
        assert await docs.count() == 0
        await docs.upsert([1], vectors(1))
        assert await docs.count() == 1

    asyncio.run(main())


def test_cancelling_a_search_waits_for_its_end():
    async def main():
        docs = await (await aio.open(":memory:")).create_collection("docs", DIM)
        await docs.upsert(range(2_000), vectors(2_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(docs.search(vectors(2_000), k=500, exact=True), timeout=1e-6)
        np.testing.assert_array_equal((await docs.search(vectors(1)[0], k=1)).ids, [0])

    asyncio.run(main())
