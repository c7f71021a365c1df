"""Handles in other processes: pickled, forked, spawned, and open when the interpreter ends."""

import concurrent.futures
import copy
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import traceback
import warnings

import numpy as np
import pytest

import proxime
from conftest import DIM, vectors

N = 200


@pytest.fixture
def docs(tmp_path):
    with proxime.open(tmp_path / "db") as db:
        docs = db.create_collection("docs", dim=DIM, metric="l2")
        docs.upsert(range(N), vectors(N), [{"i": i} for i in range(N)])
        yield docs


def test_an_unpickled_collection_reads_what_is_stored_by_then(docs):
    pickled = pickle.dumps(docs)
    docs.upsert(["late"], vectors(1, seed=2))
    reader = pickle.loads(pickled)
    assert (reader.name, reader.dim, reader.metric) == ("docs", DIM, "l2")
    assert len(reader) == N + 1
    np.testing.assert_array_equal(reader.search(vectors(3), k=4)[0], docs.search(vectors(3), k=4)[0])
    with pytest.raises(proxime.ReadOnlyError):
        reader.upsert([1], vectors(1))
    # Copies are made the same way, and a reader's copy is a reader.
    for other in [copy.copy(docs), copy.deepcopy({"docs": reader})["docs"]]:
        assert other.get("late") is not None
        with pytest.raises(proxime.ReadOnlyError):
            other.delete(["late"])


def test_an_unpickled_database_is_at_the_same_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with proxime.open("here") as db:
        db.create_collection("docs", dim=DIM)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        with pickle.loads(pickle.dumps(db)) as reader:
            assert reader.read_only
            assert reader.path == tmp_path / "here"
            assert reader.collections() == ["docs"]


def test_what_cannot_be_opened_again(tmp_path):
    db = proxime.open(":memory:")
    for handle in [db, db.create_collection("docs", dim=DIM)]:
        with pytest.raises(proxime.ArgumentTypeError, match="in memory cannot be pickled.*backup"):
            pickle.dumps(handle)
    with proxime.open(tmp_path / "db") as db:
        docs = db.create_collection("docs", dim=DIM)
        pickled = pickle.dumps(docs)
        db.drop_collection("docs")
    with pytest.raises(proxime.NotFoundError):
        pickle.loads(pickled)


def nearest(docs, query):
    return docs.search(query, k=5).ids.tolist()


@pytest.mark.parametrize("method", [m for m in ["spawn", "forkserver", "fork"] if m in multiprocessing.get_all_start_methods()])
def test_a_pool_of_processes(docs, method):
    queries = vectors(4, seed=3)
    expected = docs.search(queries, k=5)[0].tolist()
    context = multiprocessing.get_context(method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of fork itself
        with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
            found = list(pool.map(nearest, [docs] * 4, queries, timeout=60))
    assert found == expected
    docs.upsert(["after"], vectors(1))


def test_a_fork_in_the_middle_of_other_threads_work(docs):
    """The child has one thread, and locks and pools as they were at that moment."""
    running = True

    def search():
        while running:
            docs.search(vectors(2), k=3, where={"i": {"$gte": 10}})

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(search) for _ in range(2)]
        try:
            for _ in range(10):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    child = os.fork()
                if child == 0:
                    os._exit(0 if len(docs.search(vectors(2), k=3)[0]) == 2 and docs.get(7)["metadata"] == {"i": 7} else 1)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            running = False
        assert all(search.result() is None for search in searches)


def test_a_fork_while_tails_are_sealed(tmp_path):
    """The child reads what there was, may not write, and closes what it has without touching the store; the parent's seals go on."""
    db = proxime.open(tmp_path / "db")
    docs = db.create_collection("docs", dim=DIM, metric="l2")
    rows = vectors(600)
    for turn in range(1, 7):
        # The second batch wakes the thread that seals.
        for first in [1200 * turn, 1200 * turn + 600]:
            docs.upsert(range(first, first + 600), rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that waits for a thread it does not have is killed
            right = False
            try:
                found = docs.search(rows[0], k=turn, exact=True)
                right = (len(docs), found.distances.tolist()) == (1200 * turn, [0.0] * turn)
                with pytest.raises(proxime.ForkedError):
                    docs.upsert([1], rows[:1])
                db.close()
                del docs, db
                gc.collect()
            except BaseException:
                traceback.print_exc()
                right = False
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    db.close()
    with proxime.open(tmp_path / "db") as db:
        assert len(db.collection("docs")) == 7200
        assert db.verify()["ok"]


ENDS = {
    "handles open": "",
    "in a reference cycle": "cycle = [db, docs]; cycle.append(cycle)",
    "kept by a module": "import builtins; builtins.kept = (db, docs, docs.search(rows[0]))",
    "used at exit": "import atexit; atexit.register(lambda: docs.upsert(['last'], rows[:1]))",
    "used by a finalizer": """
        class Late:
            def __del__(self, docs=docs, rows=rows):
                docs.search(rows[0])
                docs.upsert(["last"], rows[:1])
        late = Late(); late.self = late
    """,
    "a transaction open": "doing = db.transaction().__enter__(); doing.delete(docs, [1])",
    "other threads at work": """
        import threading
        def work(i):
            while True:
                docs.search(rows[:50], k=5)
                docs.upsert([i], rows[:1])
        for i in range(4):
            threading.Thread(target=work, args=[i], daemon=True).start()
        import time; time.sleep(0.1)
    """,
    "a build in another thread": """
        import threading
        many = np.random.default_rng(1).random((20_000, 8), dtype=np.float32)
        threading.Thread(target=docs.upsert, args=[range(20_000), many], daemon=True).start()
        import time; time.sleep(0.1)
    """,
    "an exception": "raise SystemExit(0)",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends_with_open_handles(tmp_path, name):
    program = textwrap.dedent("""
        import sys, numpy as np, proxime
        db = proxime.open(sys.argv[1])
        docs = db.create_collection("docs", dim=8)
        rows = np.random.default_rng(0).random((1_000, 8), dtype=np.float32)
        docs.upsert(range(1_000), rows)
    """) + textwrap.dedent(ENDS[name])
    ended = subprocess.run([sys.executable, "-c", program, tmp_path / "db"], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    with proxime.open(tmp_path / "db") as db:
        assert db.verify()["ok"]
        assert len(db.collection("docs")) >= 1_000
