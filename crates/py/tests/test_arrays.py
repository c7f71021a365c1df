"""Whatever NumPy can hold goes in, equals its float32 C-ordered self, and is not copied whole on the way."""

import array
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import proxime
from conftest import DIM, vectors

N = 50
DTYPES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def c_order(rows):
    return np.ascontiguousarray(rows)


def every_second_row(rows):
    wide = np.full((2 * len(rows), rows.shape[1]), 99, rows.dtype)
    wide[::2] = rows
    return wide[::2]


def every_third_column(rows):
    wide = np.full((len(rows), 3 * rows.shape[1]), 99, rows.dtype)
    wide[:, ::3] = rows
    return wide[:, ::3]


def backwards(rows):
    return np.ascontiguousarray(rows[::-1, ::-1])[::-1, ::-1]


def part_of_columns(rows):
    wide = np.full((len(rows) + 2, rows.shape[1] + 5), 99, rows.dtype, order="F")
    wide[1:-1, 2:-3] = rows
    return wide[1:-1, 2:-3]


def packed_record(rows):
    records = np.zeros(len(rows), [("flag", "u1"), ("vector", rows.dtype, rows.shape[1])])
    records["vector"] = rows
    assert not records["vector"].flags.aligned or rows.itemsize == 1
    return records["vector"]


def read_only(rows):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


LAYOUTS = [c_order, np.asfortranarray, every_second_row, every_third_column, backwards, part_of_columns, packed_record, read_only]


def stored(docs, rows):
    docs.upsert(range(len(rows)), rows)
    return np.array([docs.get(i)["vector"] for i in range(len(rows))])


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_order_and_stride(db, dtype, order, layout):
    rows = (vectors(N) * 20 + 1).astype(np.dtype(dtype).newbyteorder(order))
    plain = rows.astype(np.float32)
    given = layout(rows)
    np.testing.assert_array_equal(given, rows)

    expected, docs = (db.create_collection(name, dim=DIM, metric="l2") for name in ["plain", "given"])
    np.testing.assert_array_equal(stored(docs, given), plain)
    np.testing.assert_array_equal(stored(expected, plain), plain)

    # As queries, too.
    answers = [docs.search(queries, k=5, exact=True) for queries in [given, plain]]
    np.testing.assert_array_equal(answers[0], answers[1])
    one = docs.search(given[7], k=5, exact=True)
    np.testing.assert_array_equal(one.ids, answers[1][0][7])


def test_equal_numbers_have_equal_digests():
    rows = np.round(vectors(N) * 20)
    digests = set()
    for given in [rows, rows.astype("f8"), rows.astype(">f2"), np.asfortranarray(rows), rows.tolist()]:
        docs = proxime.open(":memory:").create_collection("docs", dim=DIM)
        docs.upsert(range(N), given)
        digests.add(docs.digest())
    assert len(digests) == 1


class Speaks:
    """An object that is no array but can become one."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return self.rows


SEQUENCES = {
    "list of lists": lambda rows: rows.tolist(),
    "list of tuples": lambda rows: [tuple(row) for row in rows.tolist()],
    "tuple of lists": lambda rows: tuple(rows.tolist()),
    "list of ints": lambda rows: rows.astype(int).tolist(),
    "list of lists of NumPy numbers": lambda rows: [list(row) for row in rows],
    "list of arrays": list,
    "list of float64 arrays": lambda rows: list(rows.astype("f8")),
    "list of strided arrays": lambda rows: list(np.asfortranarray(rows)),
    "list of big-endian arrays": lambda rows: list(rows.astype(">f4")),
    "list of array.array": lambda rows: [array.array("f", row) for row in rows],
    "arrays and lists": lambda rows: [list(row) if i % 2 else row for i, row in enumerate(rows)],
    "memoryview": memoryview,
    "__array__": Speaks,
    "np.matrix": lambda rows: rows.view(np.matrix),
    "masked array without a mask": np.ma.array,
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(docs, name):
    rows = np.round(vectors(N) * 20)
    given = SEQUENCES[name](rows)
    docs.upsert(range(N), given)
    np.testing.assert_array_equal([docs.get(i)["vector"] for i in range(N)], rows)
    np.testing.assert_array_equal(docs.search(given, k=3)[0], docs.search(rows, k=3)[0])


@pytest.mark.parametrize("one", [list, tuple, np.asarray, lambda row: row.astype(">f8"), lambda row: row.tolist()])
def test_one_query(docs, one):
    rows = np.round(vectors(N) * 20)
    docs.upsert(range(N), rows)
    hits = docs.search(one(rows[3]), k=4)
    assert isinstance(hits, proxime.Hits)
    np.testing.assert_array_equal(hits.ids, docs.search(rows, k=4)[0][3])


def test_a_large_list_works_and_says_what_would_be_faster(db):
    docs = db.create_collection("wide", dim=5_000, metric="l2")
    rows = vectors(201, 5_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for n in 201, 201, 202:
            docs.upsert(range(n), vectors(n, 5_000).tolist())
    (once,) = caught
    assert once.category is proxime.EfficiencyWarning
    assert "float32 array" in str(once.message)
    assert once.filename == __file__
    np.testing.assert_array_equal(docs.get(200)["vector"], rows[200])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_hostile_arrays_store_what_they_say_or_raise(data):
    dtype = data.draw(st.one_of(hnp.scalar_dtypes(), hnp.array_dtypes(max_size=3)))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    rows = data.draw(hnp.arrays(dtype, shape))
    if rows.ndim and rows.size:
        rows = rows[:: data.draw(st.sampled_from([1, -1, 2]))]
    docs = proxime.open(":memory:").create_collection("docs", dim=max(1, shape[-1] if shape else 1), metric="l2")
    n = len(rows) if rows.ndim else 0
    try:
        docs.upsert(range(n), rows)
    except proxime.Error:
        assert len(docs) == 0
        return
    if rows.size:
        expected = rows.astype(np.float32)
        np.testing.assert_array_equal(np.array([docs.get(i)["vector"] for i in range(n)]).ravel(), expected.ravel())


MEMORY = """
    import sys, threading, time
    import numpy as np, proxime

    LAYOUTS = {
        "float32": lambda rows: rows,
        "float64": lambda rows: rows.astype("f8"),
        "fortran": np.asfortranarray,
        "strided": lambda rows: rows.repeat(2, axis=1)[:, ::2],
        "big-endian": lambda rows: rows.astype(">f4"),
        "list of arrays": list,
    }

    def anonymous():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

    # Few rows and many components: the memory of a graph and of ids is nothing beside that of vectors.
    rows = np.random.default_rng(0).standard_normal((800, 65_536), dtype=np.float32)
    rows = LAYOUTS[sys.argv[2]](rows)
    docs = proxime.open(sys.argv[1]).create_collection("docs", dim=65_536, metric="l2", m=4, ef_construction=10)
    before = peak = anonymous()
    running = True

    def watch():
        global peak
        while running:
            peak = max(peak, anonymous())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    docs.upsert(range(800), rows)
    running = False
    watcher.join()
    print((peak - before) / (800 * 65_536 * 4))
"""


def copies_made(path, layout):
    """The largest memory during an upsert, less that before, as a multiple of the batch in float32."""
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), path, layout]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("layout", ["float32", "float64", "fortran", "strided", "big-endian"])
def test_a_batch_is_not_copied(tmp_path, layout):
    # A quarter is the codes, a byte for each component, that searches run on.
    assert copies_made(tmp_path / "db", layout) < 0.6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_copy_would_have_been_seen(tmp_path):
    assert copies_made(tmp_path / "db", "list of arrays") > 0.9
