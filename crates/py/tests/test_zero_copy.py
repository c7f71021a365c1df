"""Whatever lends its memory is read in place; what is not says so, and why."""

import array
import ctypes

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import proxime
from conftest import DIM, vectors

N = 50


class Interface:
    """Only `__array_interface__`."""

    def __init__(self, rows):
        self.rows = rows
        self.__array_interface__ = rows.__array_interface__


class Dlpack:
    """Only DLPack, as a tensor would have it."""

    def __init__(self, rows):
        self.rows = rows

    def __dlpack__(self, **keywords):
        return self.rows.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.rows.__dlpack_device__()


def fixed_lists(rows):
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def chunked(rows):
    """Chunks of one row, of none, of some that are a part of another array, and of the rest."""
    whole = fixed_lists(rows)
    return pa.chunked_array([whole[:1], whole[:0], whole[1:20], whole[20:]])


def table(rows):
    return pa.table({"vector": chunked(rows)})


LENT = {
    "array": np.asarray,
    "read-only array": lambda rows: np.frombuffer(rows.tobytes(), rows.dtype).reshape(rows.shape),
    "memoryview": memoryview,
    "array.array": lambda rows: memoryview(array.array(rows.dtype.char, rows.tobytes())).cast("B").cast(rows.dtype.char, rows.shape),
    "ctypes": lambda rows: np.ctypeslib.as_ctypes(rows.copy()),
    "__array_interface__": Interface,
    "DLPack": Dlpack,
    "pyarrow fixed-size lists": fixed_lists,
    "pyarrow lists": lambda rows: pa.array(list(rows))[:],
    "pyarrow large lists": lambda rows: pa.array(list(rows), pa.large_list(pa.from_numpy_dtype(rows.dtype))),
    "pyarrow chunks": chunked,
    "pyarrow table": table,
    "pyarrow batch": lambda rows: table(rows).combine_chunks().to_batches()[0],
    "pyarrow reader": lambda rows: table(rows).to_reader(max_chunksize=7),
    "pyarrow tensors": lambda rows: pa.FixedShapeTensorArray.from_numpy_ndarray(rows),
    "Polars series": lambda rows: pl.Series(rows),
    "Polars frame": lambda rows: pl.DataFrame({"vector": pl.Series(rows)}),
}


def stored(docs):
    return np.array([docs.get(i)["vector"] for i in range(N)])


@pytest.mark.parametrize("name", LENT)
def test_what_lends_its_memory_is_read_in_place(docs, name):
    rows = vectors(N)
    given = LENT[name](rows)
    docs.upsert(range(N), given, zero_copy="require")
    np.testing.assert_array_equal(stored(docs), rows)
    assert docs.stats()["bytes_copied"] == 0
    queries = LENT[name](rows)  # a reader can be read once only
    np.testing.assert_array_equal(docs.search(queries, k=3)[0], docs.search(rows, k=3)[0])


@pytest.mark.parametrize("name", LENT)
def test_other_numbers_are_converted_on_the_way(docs, name):
    rows = np.round(vectors(N, seed=1) * 100).astype("f8" if name == "array.array" else "i2")
    with pytest.raises(proxime.ParameterError, match="would be copied: their .*(int16|Int16|float64)"):
        docs.upsert(range(N), LENT[name](rows), zero_copy="require")
    assert len(docs) == 0
    docs.upsert(range(N), LENT[name](rows))
    np.testing.assert_array_equal(stored(docs), rows)
    assert docs.stats()["bytes_copied"] == N * DIM * 4


class OnlyArray:
    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return self.rows


def packed_record(rows):
    records = np.zeros(len(rows), [("flag", "u1"), ("vector", rows.dtype, rows.shape[1])])
    records["vector"] = rows
    return records["vector"]


COPIED = {
    "list": (np.ndarray.tolist, "list"),
    "list of arrays": (list, "list"),
    "every second": (lambda rows: rows.repeat(2, axis=0)[::2], "do not lie one after another"),
    "by column": (np.asfortranarray, "do not lie one after another"),
    "big-endian": (lambda rows: rows.astype(">f4"), ">f4"),
    "record": (packed_record, "not aligned"),
    "__array__": (OnlyArray, "`__array__`"),
    "frame of numbers": (lambda rows: pl.DataFrame(rows), "`__array__`"),
}


@pytest.mark.parametrize("name", COPIED)
def test_where_a_copy_would_be_made_it_is_refused_on_demand(docs, name):
    copied, why = COPIED[name]
    rows = vectors(N)
    for write in [docs.upsert, docs.add, docs.add_vector_batch]:
        with pytest.raises(proxime.ParameterError, match=f"would be copied: .*{why}"):
            write(range(N), copied(rows), zero_copy="require")
    assert docs.stats()["bytes_copied"] == 0
    docs.add(range(N), copied(rows), zero_copy="allow")
    with pytest.raises(proxime.ParameterError, match=f"would be copied: .*{why}"):
        docs.update(range(N), copied(rows), zero_copy="require")
    docs.update(range(N), metadata=[{}] * N, zero_copy="require")
    np.testing.assert_array_equal(stored(docs), rows)
    assert docs.stats()["bytes_copied"] == N * DIM * 4


def test_tensors_of_torch(docs):
    """Where torch is installed; elsewhere its protocol is what there is of it."""
    torch = pytest.importorskip("torch")
    rows = vectors(N)
    docs.upsert(range(N), torch.tensor(rows), zero_copy="require")
    assert docs.stats()["bytes_copied"] == 0
    np.testing.assert_array_equal(stored(docs), rows)
    docs.upsert(range(N), torch.tensor(rows.T.copy()).T.double())
    np.testing.assert_array_equal(stored(docs), rows)
    assert docs.search(torch.tensor(rows[7]), k=1).ids.tolist() == [7]
    with pytest.raises(proxime.ArgumentTypeError, match="detach"):
        docs.upsert(range(N), torch.tensor(rows, requires_grad=True))


def test_nothing_is_copied_of_nothing(docs):
    for nothing in [[], np.empty(0), np.empty((0, DIM), "f8"), pa.array([], pa.list_(pa.float32(), DIM)), chunked(vectors(N))[:0]]:
        docs.upsert([], nothing, zero_copy="require")
    assert len(docs) == docs.stats()["bytes_copied"] == 0


@pytest.mark.parametrize("zero_copy, error", [("never", proxime.ParameterError), (True, proxime.ArgumentTypeError)])
def test_zero_copy_is_a_name(docs, zero_copy, error):
    with pytest.raises(error, match="zero_copy"):
        docs.upsert([1], vectors(1), zero_copy=zero_copy)


ROW = [0.0] * DIM
UNFIT = {
    "null row": (pa.array([ROW, None], pa.list_(pa.float32(), DIM)), "row 1 is null"),
    "null row of a list": (pa.array([ROW, None, ROW]), "row 1 is null"),
    "null number": (pa.array([ROW, ROW[1:] + [None]], pa.list_(pa.float32(), DIM)), f"row 1, component {DIM - 1} is null"),
    "null in a later chunk": (pa.chunked_array([[ROW], [ROW, ROW], [None]], pa.list_(pa.float32())), "row 3 is null"),
    "wrong dimension": (pa.array([[1.0]], pa.list_(pa.float32(), 1)), "1 .*8|8 .*1"),
    "ragged": (pa.chunked_array([[ROW], [ROW, [1.0, 2.0]]]), "row 2 has 2 components"),
    "texts": (pa.array([["a"] * DIM]), "vectors of Arrow type .*Utf8.* cannot be used"),
    "no lists": (pa.array([1.0, 2.0]), "1 dimension"),
    "beyond float32": (pa.chunked_array([[ROW], [ROW, ROW[1:] + [1e300]]]), f"row 2, component {DIM - 1} is 1e300"),
    "NaN": (pa.chunked_array([[ROW], [ROW, ROW[1:] + [float("nan")]]]), "row 2"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_arrow_columns_that_are_no_vectors(docs, name):
    column, message = UNFIT[name]
    with pytest.raises(proxime.Error, match=message):
        docs.upsert(range(len(column)), column)
    assert len(docs) == 0


class Raises:
    def __init__(self, method, what):
        self.method, self.what = method, what

    def __getattr__(self, name):
        if name != self.method:
            raise AttributeError(name)

        def call(*_, **__):
            raise self.what

        return call


class Gives:
    def __init__(self, **given):
        self.given = given

    def __getattr__(self, name):
        if name not in self.given:
            raise AttributeError(name)
        return lambda *_, **__: self.given[name]


def used_stream():
    capsule = chunked(vectors(N)).__arrow_c_stream__()
    pa.chunked_array(Gives(__arrow_c_stream__=capsule))
    return capsule


def used_array():
    capsules = fixed_lists(vectors(N)).__arrow_c_array__()
    pa.array(Gives(__arrow_c_array__=capsules))
    return capsules


def test_objects_that_break_their_promise(docs):
    schema, column = fixed_lists(vectors(N)).__arrow_c_array__()
    for broken in [
        Gives(__arrow_c_stream__=7),
        Gives(__arrow_c_stream__=schema),
        Gives(__arrow_c_array__=None),
        Gives(__arrow_c_array__=(column, schema)),
        Gives(__arrow_c_stream__=used_stream()),
        Gives(__arrow_c_array__=used_array()),
        Gives(__dlpack__=schema, __dlpack_device__=(1, 0)),
        Gives(__dlpack__=3, __dlpack_device__=(2, 0)),
        Raises("__arrow_c_stream__", OSError("broken pipe")),
        Raises("__arrow_c_array__", OSError("broken pipe")),
    ]:
        for call in [lambda: docs.upsert(range(N), broken), lambda: docs.search(broken)]:
            with pytest.raises(proxime.Error):
                call()


def test_what_an_object_raises_is_the_cause():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    docs = proxime.open(":memory:").create_collection("docs", dim=DIM)
    with pytest.raises(proxime.ArgumentTypeError, match="Tensor cannot be read: RuntimeError: call detach") as caught:
        docs.upsert([1], Tensor())
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(KeyboardInterrupt):
        docs.upsert([1], Raises("__arrow_c_stream__", KeyboardInterrupt()))


def test_the_memory_is_the_lenders(docs):
    """Arrays over ctypes' memory keep it alive, however short-lived the lender is."""
    memory = (ctypes.c_float * (N * DIM))(*range(N * DIM))
    docs.upsert(range(N), np.frombuffer(memory, "f4").reshape(N, DIM), zero_copy="require")
    del memory
    np.testing.assert_array_equal(stored(docs), np.arange(N * DIM, dtype="f4").reshape(N, DIM))
