"""A database on disk: read by other processes, locked against other writers, whole after Ctrl-C."""

import multiprocessing
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest

import proxime
from conftest import DIM, vectors


def run(program, *arguments, **variables):
    """Runs Python code in another process, with environment variables; what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    environment = os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.db"


def filled(path, n=300):
    db = proxime.open(path)
    docs = db.create_collection("docs", dim=DIM, metric="l2")
    docs.upsert([f"id {i}" for i in range(n)], vectors(n), {"i": range(n)})
    return db, docs


def test_another_process_reads_what_this_one_wrote(path):
    db, docs = filled(path)
    answer = docs.search(vectors(3, seed=1), k=5)[0].tolist()
    digest = docs.digest()
    db.close()
    program = """
        import sys, numpy as np, proxime
        with proxime.open(sys.argv[1]) as db:
            docs = db.collection("docs")
            queries = np.random.default_rng(1).standard_normal((3, docs.dim), dtype=np.float32)
            print((docs.search(queries, k=5)[0].tolist(), docs.digest(), docs.metric, len(docs), docs.get("id 7")["metadata"]))
    """
    assert run(program, path) == repr((answer, digest, "l2", 300, {"i": 7}))


def test_a_second_writer_hears_who_is_the_first(path):
    db, _ = filled(path)
    with pytest.raises(proxime.LockedError, match=f"process {os.getpid()}") as caught:
        proxime.open(path)
    assert caught.value.pid == os.getpid()
    program = """
        import sys, proxime
        try:
            proxime.open(sys.argv[1])
        except proxime.LockedError as error:
            print(error.pid, error)
    """
    pid, message = run(program, path).split(" ", 1)
    assert pid == str(os.getpid()) and pid in message
    db.close()
    proxime.open(path).close()


def test_readers_need_no_lock(path):
    db, docs = filled(path)
    with proxime.open(path, read_only=True) as reader:
        assert reader.read_only and not db.read_only
        copy = reader.collection("docs")
        assert copy.digest() == docs.digest()
        with pytest.raises(proxime.ReadOnlyError):
            copy.upsert([1], vectors(1))
        with pytest.raises(proxime.ReadOnlyError):
            reader.create_collection("other", dim=2)
    db.close()


def test_a_missing_database_is_not_made_by_reading(path):
    with pytest.raises(proxime.StoreNotFoundError, match="vectors.db: there is no store") as caught:
        proxime.open(path, read_only=True)
    assert caught.value.path == path
    assert not path.exists()


def test_reading_only_makes_no_sense_in_memory():
    with pytest.raises(proxime.ParameterError, match="path = ':memory:'"):
        proxime.open(":memory:", read_only=True)


def test_a_directory_that_is_not_ours(path):
    path.mkdir()
    (path / "thesis.tex").write_text("three years of work")
    with pytest.raises(proxime.NotAStoreError, match="not a Proxime store"):
        proxime.open(path)
    assert [file.name for file in path.iterdir()] == ["thesis.tex"]


def test_a_file_that_is_not_ours(path):
    path.write_text("not a directory")
    with pytest.raises(proxime.Error, match="vectors.db"):
        proxime.open(path)
    assert path.read_text() == "not a directory"


def test_a_truncated_segment(path):
    db, _ = filled(path)
    db.close()
    largest = max((file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    largest.chmod(0o644)
    os.truncate(largest, largest.stat().st_size // 2)
    with pytest.raises(proxime.DamagedError) as caught:
        proxime.open(path).collection("docs").search(vectors(1))
    assert largest.name in str(caught.value)


def test_verify_sees_a_flipped_bit(path):
    db, _ = filled(path)
    report = db.verify()
    assert report["ok"] and report["collections"][0]["problems"] == []
    db.close()
    largest = max((file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    largest.chmod(0o644)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    try:
        report = proxime.open(path).verify()
    except proxime.DamagedError as error:
        assert largest.name in str(error)
    else:
        assert not report["ok"] and report["collections"][0]["problems"]


def test_deep_verification_tells_the_recall(path):
    db, _ = filled(path)
    assert "deep" not in db.verify()["collections"][0]
    report = db.verify(deep=True)
    deep = report["collections"][0]["deep"]
    assert report["ok"] and deep["recall"] == 1.0 and 0 < deep["queries"] <= 200


def test_a_damaged_graph_is_rebuilt(path):
    db, docs = filled(path, 2000)
    digest = docs.digest()
    assert db.rebuild_index() == {"rebuilt": []}
    db.close()
    (segment,) = path.glob("seg-*")
    content = bytearray(segment.read_bytes())
    blocks = (len(content) - 4096 - 64) // 4100  # the graph is the last section
    content[4096 * (blocks - 1)] ^= 1
    segment.chmod(0o644)
    segment.write_bytes(content)
    with proxime.open(path) as db:
        assert not db.verify()["ok"]
        (rebuilt,) = db.rebuild_index()["rebuilt"]
        assert rebuilt["collection"] == "docs" and "GRAPH" in rebuilt["problem"]
        assert db.verify(deep=True)["ok"] and db.collection("docs").digest() == digest


def test_what_is_left_is_salvaged(path, tmp_path):
    db, docs = filled(path, 2000)
    db.close()
    (segment,) = path.glob("seg-*")
    content = bytearray(segment.read_bytes())
    content[4096] ^= 1  # in the first block of vectors
    segment.chmod(0o644)
    segment.write_bytes(content)
    with pytest.raises(proxime.DamagedError):
        proxime.open(path)
    report = proxime.salvage(path, tmp_path / "new")
    (docs,) = report["collections"]
    (lost,) = docs["lost"]
    rows = 4096 // (4 * DIM)
    assert not report["complete"] and lost["ids"] == [f"id {i}" for i in range(rows)]
    with proxime.open(tmp_path / "new") as db:
        docs = db.collection("docs")
        assert len(docs) == 2000 - rows and docs.get("id 0") is None
        record = docs.get(f"id {rows}")
        assert record["metadata"] == {"i": rows} and (record["vector"] == vectors(2000)[rows]).all()


def test_backup_and_restore(path, tmp_path):
    db, docs = filled(path)
    digest = docs.digest()
    db.backup(tmp_path / "backup")
    docs.upsert([-1], vectors(1))
    proxime.restore(str(tmp_path / "backup"), tmp_path / "restored")
    for copy in [tmp_path / "backup", tmp_path / "restored"]:
        with proxime.open(copy) as copy:
            assert copy.collection("docs").digest() == digest and copy.verify(deep=True)["ok"]
    with pytest.raises(proxime.ExistsError) as caught:
        db.backup(tmp_path / "backup")
    assert caught.value.path == tmp_path / "backup"
    with pytest.raises(proxime.StoreNotFoundError):
        proxime.restore(tmp_path / "nothing", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(proxime.ArgumentTypeError, match="dest"):
        db.backup(7)


def test_closing(path):
    db, docs = filled(path)
    hits = docs.search(vectors(1)[0], k=1)
    db.close()
    db.close()
    for call in [db.collections, db.verify, lambda: db.collection("docs"), lambda: len(docs), docs.stats, docs.digest]:
        with pytest.raises(proxime.ClosedError, match="closed"):
            call()
    with pytest.raises(ValueError):
        docs.search(vectors(1))
    assert "closed" in repr(db) and "closed" in repr(docs)
    assert (docs.name, docs.dim, docs.metric) == ("docs", DIM, "l2")
    assert hits[0].metadata == {"i": 0}


def test_the_last_handle_closes(path):
    db, docs = filled(path)
    del db
    docs.search(vectors(1))
    del docs
    proxime.open(path).close()


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with proxime.open("plain.db") as db:
        assert db.path == pathlib.Path("plain.db")
    with proxime.open(tmp_path / "ünïcödé.db") as db:
        assert db.path == tmp_path / "ünïcödé.db"
        assert repr(db) == f"Database({str(tmp_path / 'ünïcödé.db')!r}, 0 collections)"
    with proxime.open(":memory:") as db:
        assert db.path is None
        assert repr(db) == "Database(':memory:', 0 collections)"


def test_a_with_block_closes_after_an_error(path):
    with pytest.raises(ZeroDivisionError):
        with proxime.open(path):
            1 / 0
    proxime.open(path).close()


def test_collections_are_listed_in_order(db):
    for name in ["b", "a", "ünï/cödé ☃"]:
        db.create_collection(name, dim=2)
    assert db.collections() == ["b", "a", "ünï/cödé ☃"]
    assert repr(db.collection("ünï/cödé ☃")) == "Collection('ünï/cödé ☃', 0 × 2 f32, cosine)"
    assert repr(db) == "Database(':memory:', 3 collections)"


def test_stats(path):
    db, docs = filled(path, 1_500)
    stats = docs.stats()
    assert (stats["name"], stats["dim"], stats["metric"], stats["live"]) == ("docs", DIM, "l2", 1_500)
    assert stats["bytes_on_disk"] > 1_500 * DIM * 4
    db.close()


def test_a_preset_is_kept_and_decides_the_graph(path):
    n = 8_000
    rows = vectors(n)
    degrees = set()
    with proxime.open(path) as db:
        for preset in ["fast", "default", "high"]:
            docs = db.create_collection(preset, dim=DIM, preset=preset)
            docs.upsert(range(n), rows)
            degrees.add(docs.stats()["graph"]["mean_degree"])
        db.create_collection("unsaid", dim=DIM)
    assert len(degrees) == 3
    with proxime.open(path) as db:
        kept = [db.collection(name).stats()["preset"] for name in db.collections()]
    assert kept == ["fast", "default", "high", "default"]


def test_threads_give_one_digest(tmp_path):
    digests = set()
    for threads in [1, 2, 5]:
        with proxime.open(":memory:", threads=threads) as db:
            docs = db.create_collection("docs", dim=DIM)
            docs.upsert(range(3_000), vectors(3_000))
            assert docs.stats()["threads"] == threads
            digests.add(docs.digest())
    assert len(digests) == 1


def test_every_instruction_set_gives_one_digest():
    program = """
        import numpy as np, proxime
        docs = proxime.open(":memory:").create_collection("docs", dim=100)
        docs.upsert(range(3_000), np.random.default_rng(0).standard_normal((3_000, 100)))
        print(docs.stats()["isa"], docs.digest())
    """
    _, digest = run(program).split()
    assert run(program, PROXIME_ISA="scalar").split() == ["scalar", digest]


def test_an_instruction_set_that_is_none():
    program = """
        import proxime
        try:
            proxime.open(":memory:")
        except proxime.ParameterError as error:
            print(error)
    """
    assert run(program, PROXIME_ISA="abacus").startswith('PROXIME_ISA: unknown instruction tier "abacus"')


def test_searches_while_another_thread_writes(db):
    docs = db.create_collection("docs", dim=DIM, metric="l2")
    rows = vectors(2_000)
    docs.upsert(range(500), rows[:500])
    done = threading.Event()
    errors = []

    def search():
        try:
            while not done.is_set():
                ids, found = docs.search(rows[:20], k=3)
                assert (ids[:, 0] == np.arange(20)).all() and (found[:, 0] == 0).all()
                assert docs.search(rows[7], k=1)[0].id == 7
        except BaseException as error:
            errors.append(error)

    searchers = [threading.Thread(target=search) for _ in range(4)]
    for thread in searchers:
        thread.start()
    for start in range(500, 2_000, 100):
        docs.upsert(range(start, start + 100), rows[start : start + 100])
    done.set()
    for thread in searchers:
        thread.join()
    assert not errors
    assert len(docs) == 2_000


def test_writers_in_threads_lose_nothing(db):
    docs = db.create_collection("docs", dim=DIM)
    rows = vectors(400)

    def write(start):
        for i in range(start, start + 100, 10):
            docs.add(range(i, i + 10), rows[i : i + 10])

    writers = [threading.Thread(target=write, args=(start,)) for start in range(0, 400, 100)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert len(docs) == 400
    np.testing.assert_array_equal([docs.get(i)["vector"] for i in range(400)], rows)


def test_python_runs_during_a_write(db):
    docs = db.create_collection("docs", dim=DIM)
    ticks = 0
    running = True

    def tick():
        nonlocal ticks
        while running:
            ticks += 1
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    before = ticks
    start = time.perf_counter()
    docs.upsert(range(20_000), vectors(20_000))
    seconds = time.perf_counter() - start
    during = ticks - before
    running = False
    ticker.join()
    assert during > seconds * 20, (during, seconds)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_can_search(path):
    db, docs = filled(path)
    rows = vectors(3, seed=1)
    expected = docs.search(rows, k=5)[0].tolist()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child():
        try:
            docs.upsert(["child"], vectors(1))
        except proxime.ForkedError as error:
            forked = (error.owner, error.child)
        sender.send((docs.search(rows, k=5)[0].tolist(), docs.get("id 3")["metadata"], forked))

    process = context.Process(target=child)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of fork itself
        process.start()
    assert receiver.poll(30), "the child hangs"
    assert receiver.recv() == (expected, {"i": 3}, (os.getpid(), process.pid))
    process.join()
    assert process.exitcode == 0
    # The parent's handle is none the worse for it.
    docs.upsert(["parent"], vectors(1))
    db.close()


INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy as np, proxime

    db = proxime.open(sys.argv[1])
    docs = db.create_collection("docs", dim=128)
    docs.upsert([0], np.ones((1, 128)))
    before = docs.digest()
    rows = np.random.default_rng(0).standard_normal((300_000, 128), dtype=np.float32)
    sent = None

    def interrupt():
        global sent
        time.sleep(0.15)
        sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        docs.upsert(range(1, 300_001), rows)
    except KeyboardInterrupt as caught:
        waited = time.perf_counter() - sent
        assert caught.__notes__ == ["nothing of the batch was stored"], caught.__notes__
    assert len(docs) == 1 and docs.digest() == before
    docs.upsert(range(1, 101), rows[:100])
    assert len(docs) == 101
    db.close()
    print(waited)
"""


def test_ctrl_c_stops_a_write_and_leaves_nothing_of_it(path):
    assert float(run(INTERRUPTED, path)) < 2.0
    with proxime.open(path) as db:
        assert db.verify()["ok"]
        assert len(db.collection("docs")) == 101


def test_another_signal_handler_is_heard(db):
    docs = db.create_collection("docs", dim=128)
    rows = vectors(300_000, 128)

    def handler(number, frame):
        raise TimeoutError("the caller lost patience")

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.15)
    try:
        with pytest.raises(TimeoutError, match="lost patience"):
            docs.upsert(range(300_000), rows)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(docs) == 0


def test_exceptions_survive_pickling(docs):
    with pytest.raises(proxime.DimensionError) as caught:
        docs.upsert([1], vectors(1, 5))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is proxime.DimensionError
    assert (str(copy), copy.expected, copy.got) == (str(caught.value), DIM, 5)


def test_an_open_handle_does_not_crash_the_end_of_the_interpreter(path):
    program = """
        import sys, threading, numpy as np, proxime
        docs = proxime.open(sys.argv[1]).create_collection("docs", dim=4)
        docs.upsert(range(100), np.random.default_rng(0).standard_normal((100, 4)))
        hits = docs.search([1, 0, 0, 0])

        def forever():
            while True:
                docs.search([1, 0, 0, 0])

        threading.Thread(target=forever, daemon=True).start()
        print("done")
    """
    assert run(program, path) == "done"
