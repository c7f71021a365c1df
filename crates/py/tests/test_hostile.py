"""Anything, anywhere: an answer that is right or an error that has a type, never a signal, and nothing stored by halves."""

import functools
import inspect
import itertools
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import proxime
from conftest import DIM, vectors
from proxime import native

ROWS = 5


class Hostile(Exception):
    """What hostile objects raise."""


#: TypeError: a flag that is no bool. MemoryError: NumPy is asked for an array of 10**15 numbers.
REFUSALS = (proxime.Error, TypeError, MemoryError, Hostile)


def refuse(*_, **__):
    raise Hostile


def class_with(**methods):
    return type("Thing", (), methods)


def recursive_list():
    itself = [1.0]
    itself.append(itself)
    return itself


def recursive_dict():
    itself = {"a": [1]}
    itself["a"].append(itself)
    return itself


def deep(levels):
    value = {}
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


def overlapping():
    return np.lib.stride_tricks.as_strided(np.arange(20, dtype="f4"), (ROWS, DIM), (4, 4))


def read_only():
    rows = vectors(ROWS)
    rows.flags.writeable = False
    return rows


def masked():
    return np.ma.array(vectors(ROWS), mask=vectors(ROWS) > 0)


# Each is made anew every time: some end, some change.
THINGS = [
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 0,
    lambda: 2**63,
    lambda: 10**400,
    lambda: 0.5,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: 1j,
    lambda: "",
    lambda: "year > ",
    lambda: "\ud800",
    lambda: "a\0b",
    lambda: b"\xff" * 300,
    lambda: bytearray(8),
    lambda: memoryview(b"12345678"),
    lambda: range(ROWS),
    lambda: range(10**15),
    lambda: itertools.count(),
    lambda: itertools.repeat({}),
    lambda: (row for row in vectors(ROWS)),
    lambda: {1, 2, 3},
    lambda: {"year": {"$gte": recursive_list()}},
    lambda: {"$not": deep(10_000)},
    lambda: [{"a": deep(10_000)}] * ROWS,
    lambda: [recursive_dict()] * ROWS,
    lambda: {"a": recursive_list()},
    recursive_list,
    recursive_dict,
    object,
    lambda: proxime,
    lambda: refuse,
    lambda: int,
    lambda: proxime.F("a"),
    lambda: proxime.F("a") == recursive_list(),
    overlapping,
    read_only,
    masked,
    lambda: np.float32(3),
    lambda: np.array(3),
    lambda: np.array([]),
    lambda: np.empty((0, DIM)),
    lambda: np.empty((DIM, 0)),
    lambda: np.full((ROWS, DIM), np.nan),
    lambda: np.broadcast_to(np.float32(1), (ROWS, DIM)),
    lambda: np.broadcast_to(np.float32(1), (2**40, 2)),
    lambda: np.full((ROWS, DIM), recursive_dict()),
    lambda: np.zeros(ROWS, [("a", "f4"), ("b", "O")]),
    lambda: np.zeros((ROWS, DIM), "M8[ns]"),
    lambda: vectors(ROWS).astype(">f8")[::-1, ::-1],
    lambda: np.array(["a", "b"]),
    lambda: class_with(__len__=lambda _: 2**62, __getitem__=lambda _, i: i)(),
    lambda: class_with(__len__=refuse, __iter__=refuse, __getitem__=refuse)(),
    lambda: class_with(__iter__=lambda _: iter([1, refuse]))(),
    lambda: class_with(__getattr__=refuse)(),
    lambda: class_with(__array__=refuse)(),
    lambda: class_with(__array__=lambda *_, **__: 7)(),
    lambda: class_with(__array_interface__={"version": 3, "shape": (2, 2), "typestr": "<f4", "data": None})(),
    lambda: class_with(__array_struct__=7)(),
    lambda: class_with(__dlpack__=refuse, __dlpack_device__=refuse)(),
    lambda: class_with(__arrow_c_stream__=refuse)(),
    lambda: class_with(__arrow_c_array__=lambda _: (1, 2))(),
    lambda: class_with(__index__=refuse, __float__=refuse, __bool__=refuse, __str__=refuse, __repr__=refuse)(),
    lambda: class_with(__fspath__=refuse)(),
    lambda: class_with(__eq__=refuse, __hash__=refuse)(),
    lambda: class_with(update=refuse)(),
]

HUGE = st.sampled_from([0, 1, 3, 10**4, 2**31, 2**64, 10**30])
#: What a parameter of this name could be, so that the others are looked at, too.
FITTING = {
    "ids": st.sampled_from([list(range(ROWS)), ["a", 1, b"x", "b", 2], np.arange(ROWS, dtype=">u2")]),
    "id": st.sampled_from([1, "a", [1, "x"], np.arange(3)]),
    "vectors": st.one_of(st.just(vectors(ROWS)), hnp.arrays(st.sampled_from(["f2", ">f8", "i4"]), (ROWS, DIM))),
    "vector": st.just(vectors(1)[0]),
    "queries": st.one_of(st.just(vectors(3)), st.just(vectors(1)[0]), hnp.arrays("f4", (2, DIM))),
    "metadata": st.sampled_from([None, [{"year": 2020}] * ROWS, {"year": range(ROWS)}]),
    "name": st.just("docs"),
    "new_name": st.just("other"),
    "k": HUGE,
    "limit": HUGE,
    "ef": HUGE,
    "dim": HUGE,
    "m": HUGE,
    "where": st.sampled_from([None, {"year": {"$gte": 2020}}, "year >= :y"]),
    "params": st.sampled_from([None, {"y": 2020}]),
    "deep": st.booleans(),
    "collection": st.just(None),
}
ANYTHING = st.sampled_from(THINGS).map(lambda make: make())


def filled():
    db = proxime.open(":memory:", threads=1)
    docs = db.create_collection("docs", dim=DIM, metric="l2")
    docs.upsert(range(ROWS), vectors(ROWS), [{"year": 2018 + i} for i in range(ROWS)])
    return db, docs


TOO_LATE = {"the batch was stored already", "it was done already"}
# Those that write to directories get none.
ELSEWHERE = {"backup", "transaction", "close"}
METHODS = [
    (owner, name)
    for owner in [proxime.Database, proxime.Collection, proxime.Transaction]
    for name, method in vars(owner).items()
    if callable(method) and (not name.startswith("_") or name in {"__getitem__", "__contains__"}) and name not in ELSEWHERE
]


def parameters_of(function):
    return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]


@pytest.mark.parametrize("owner, name", METHODS, ids=lambda it: getattr(it, "__name__", it))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_arguments_of_any_method(owner, name, data):
    method = getattr(owner, name)
    arguments = {}
    for parameter in parameters_of(method):
        if parameter.default is not parameter.empty and data.draw(st.booleans()):
            continue
        fitting = FITTING.get(parameter.name, ANYTHING)
        arguments[parameter.name] = data.draw(st.one_of(fitting, ANYTHING) if data.draw(st.booleans()) else fitting)
    # A condition that is no condition deletes nothing; ids without an end are nobody's.
    if name == "delete" and isinstance(arguments.get("ids"), (range, itertools.count, itertools.repeat)):
        return
    db, docs = filled()
    before = docs.digest()
    self = {proxime.Database: db, proxime.Collection: docs}.get(owner)
    try:
        if owner is proxime.Transaction:
            if "collection" in arguments and arguments["collection"] is None:
                arguments["collection"] = docs
            with db.transaction() as transaction:
                getattr(transaction, name)(**arguments)
        else:
            getattr(self, name)(**arguments)
    except proxime.InternalError:
        raise
    except REFUSALS as error:
        # What `progress` raises at the end comes too late, and says so.
        assert db.collection("docs").digest() == before or TOO_LATE.intersection(getattr(error, "__notes__", ()))
    docs = db.collection("docs" if "docs" in db.collections() else db.collections()[0]) if db.collections() else None
    if docs is not None:
        found = docs.search(np.zeros(DIM), k=3, exact=True)
        assert not np.isnan(found.distances).any()  # what is beyond float32 is infinite
    assert db.verify()["ok"]


@pytest.mark.parametrize("function", [native.add_vector_batch, native.add_vector, native.search_vectors], ids=lambda f: f.__name__)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_arguments_of_the_default_collection(function, data):
    native.clear_database()
    parameters = [p for p in parameters_of(function) if p.kind is not p.VAR_KEYWORD]
    arguments = {p.name: data.draw(st.one_of(FITTING.get(p.name, ANYTHING), ANYTHING)) for p in parameters}
    try:
        function(**arguments)
    except proxime.InternalError:
        raise
    except REFUSALS:
        assert native.count() == 0
    native.clear_database()


def test_more_queries_than_memory():
    """An array that repeats one row takes none; what is made of it would end the process before any allocation fails."""
    native.clear_database()
    rows = np.broadcast_to(np.float32(1), (2**40, 2))
    with pytest.raises(proxime.ParameterError, match=f"query: {2**40} rows of 2 do not fit into memory"):
        native.search_vectors(rows)


@pytest.mark.parametrize("thing", THINGS)
def test_no_path_at_all(thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in [
        lambda thing: proxime.open(thing, read_only=True),
        lambda thing: proxime.open(":memory:", threads=thing).close(),
        lambda thing: proxime.restore(thing, tmp_path / "restored"),
        lambda thing: proxime.salvage(thing, tmp_path / "salvaged"),
        lambda thing: native.load_database(thing),
    ]:
        try:
            call(thing())
        except proxime.InternalError:
            raise
        except REFUSALS:
            pass
    assert not list(tmp_path.iterdir())


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.integers(), ANYTHING, st.slices(20)))
def test_hits_at_any_place(index):
    hits = HITS()
    try:
        found = hits[index]
    except (IndexError, TypeError, Hostile):
        return
    assert found == list(hits)[index]


@functools.cache
def HITS():
    return filled()[1].search(np.zeros(DIM), k=4)


def test_lists_that_change_while_they_are_read(docs):
    """Python code runs in the middle of the conversion, and takes away what is being read."""

    def vanishing(change):
        outer = []

        class Number:
            def __float__(self):
                change(outer)
                return 1.0

        outer.extend([[Number()] + [1.0] * (DIM - 1) for _ in range(ROWS)])
        return outer

    changes = [list.clear, lambda outer: outer[0].clear(), lambda outer: outer.append([2.0] * DIM), lambda outer: outer.__setitem__(1, None)]
    for change in itertools.chain(changes, [lambda outer: [row.extend([0.0] * 1_000) for row in outer if row]]):
        for call in [lambda rows: docs.upsert(range(ROWS), rows), docs.search]:
            try:
                call(vanishing(change))
            except proxime.InternalError:
                raise
            except proxime.Error:
                pass
    for i in range(ROWS):
        record = docs.get(i)
        assert record is None or np.isfinite(record["vector"]).all()


def test_arrays_that_other_threads_write_to(docs):
    """What is stored is what was checked, whatever the array holds by then."""
    rows = vectors(2_000)
    running = True

    def write():
        while running:
            rows[:] = np.nan
            rows[:] = 1.0

    writer = threading.Thread(target=write)
    writer.start()
    stored = 0
    try:
        for _ in range(10):
            try:
                docs.upsert(range(len(rows)), rows)
                stored += 1
            except proxime.NotFiniteError:
                pass
            assert len(docs) == (len(rows) if stored else 0)
            try:
                docs.search(rows[:50], k=3)
            except proxime.NotFiniteError:
                pass
    finally:
        running = False
        writer.join()
    for record in docs.scroll(limit=5_000):
        assert np.isfinite(record["vector"]).all()


def test_rows_that_overlap(docs):
    for rows in [overlapping(), np.broadcast_to(np.float32(3), (ROWS, DIM))]:
        docs.upsert(range(ROWS), rows)
        np.testing.assert_array_equal([docs.get(i)["vector"] for i in range(ROWS)], rows)
