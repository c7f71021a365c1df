"""Every mistake is an error that says which row, what came and what was needed, and leaves the collection as it was."""

import datetime
import numpy as np
import pytest

import proxime
from conftest import DIM, vectors

INFINITY = float("inf")


def spoiled(row, column, value, dtype=np.float32):
    rows = vectors(20).astype(dtype)
    rows[row, column] = value
    return rows


def masked(row, column):
    rows = np.ma.array(vectors(3))
    rows[row, column] = np.ma.masked
    return rows


BAD_VECTORS = {
    "dimension": (vectors(3, 5), proxime.DimensionError, "5 components; this collection stores vectors of 8"),
    "no components": (np.empty((3, 0)), proxime.DimensionError, "0 components"),
    "dimension of a list": ([[1.0] * 8, [1.0] * 5], proxime.DimensionError, "row 1 has 5 components"),
    "dimension in a list of arrays": ([np.ones(8), np.ones(5)], proxime.DimensionError, "row 1 has 5 components"),
    "one dimension": (vectors(1)[0], proxime.DimensionError, r"vectors\[None, :\]"),
    "one dimension, list": ([1.0] * 8, proxime.DimensionError, r"vectors\[None, :\]"),
    "three dimensions": (vectors(4).reshape(2, 2, 8), proxime.DimensionError, r"not 3: its shape is \(2, 2, 8\)"),
    "no dimension": (np.float32(1), proxime.ArgumentTypeError, "vectors: an array of rows is needed, not numpy.float32"),
    "nan": (spoiled(17, 3, np.nan), proxime.NotFiniteError, "row 17, component 3 is NaN"),
    "infinity": (spoiled(2, 0, INFINITY), proxime.NotFiniteError, "row 2, component 0 is inf"),
    "minus infinity": (spoiled(2, 7, -INFINITY), proxime.NotFiniteError, "row 2, component 7 is -inf"),
    "nan, float64": (spoiled(17, 3, np.nan, "f8"), proxime.NotFiniteError, "row 17, component 3 is NaN"),
    "nan, float16": (spoiled(17, 3, np.nan, "f2"), proxime.NotFiniteError, "row 17, component 3 is NaN"),
    "nan, list": (spoiled(17, 3, np.nan).tolist(), proxime.NotFiniteError, "row 17, component 3 is NaN"),
    "beyond float32": (spoiled(19, 1, 1e300, "f8"), proxime.NotFiniteError, "row 19, component 1 is 1e300, which float32 cannot hold"),
    "beyond float32, big-endian": (spoiled(19, 1, 1e300, ">f8"), proxime.NotFiniteError, "row 19, component 1 is 1e300"),
    "beyond float32, list": ([[1.0] * 8, [1e300] * 8], proxime.NotFiniteError, "row 1, component 0 is 1e300"),
    "beyond float32, list of arrays": ([np.ones(8), np.full(8, 1e300)], proxime.NotFiniteError, "row 1, component 0 is 1e300"),
    "objects": (np.full((2, 8), None), proxime.ArgumentTypeError, "dtype object"),
    "ragged": (np.array([[1.0], [1.0, 2.0]] , dtype=object).reshape(2, 1).repeat(8, 1), proxime.ArgumentTypeError, "dtype object"),
    "complex": (vectors(2).astype("c8"), proxime.ArgumentTypeError, "dtype complex64 cannot be used: complex"),
    "bool": (vectors(2) > 0, proxime.ArgumentTypeError, r"dtype bool cannot be used.*astype\(\"float32\"\)"),
    "long double": (vectors(2).astype(np.longdouble), proxime.ArgumentTypeError, "astype"),
    "texts": (np.full((2, 8), "1"), proxime.ArgumentTypeError, "dtype <U1"),
    "dates": (np.zeros((2, 8), "M8[s]"), proxime.ArgumentTypeError, "dtype datetime64"),
    "masked": (masked(1, 2), proxime.ParameterError, "masked components"),
    "text in a list": ([[1.0] * 8, [1.0] * 7 + ["1"]], proxime.ArgumentTypeError, "row 1, component 7 is a str; a number"),
    "none in a list": ([[1.0] * 8, [None] + [1.0] * 7], proxime.ArgumentTypeError, "row 1, component 0 is a NoneType"),
    "huge int in a list": ([[10**400] + [1.0] * 7], proxime.ArgumentTypeError, "row 0, component 0 is a int; a number that float32 can hold"),
    "none as a row": ([[1.0] * 8, None], proxime.ArgumentTypeError, "row 1 is a NoneType"),
    "text as a row": ([[1.0] * 8, "12345678"], proxime.ArgumentTypeError, "row 1 is a str"),
    "dict": ({"a": 1}, proxime.ArgumentTypeError, "vectors: an array of rows is needed, not dict"),
    "text": ("vectors", proxime.ArgumentTypeError, "vectors: an array of rows is needed, not str"),
    "none": (None, proxime.ArgumentTypeError, "vectors: an array of rows is needed, not NoneType"),
    "generator": ((row for row in [1]), proxime.ArgumentTypeError, "vectors: an array of rows is needed, not generator"),
}


@pytest.mark.parametrize("name", BAD_VECTORS)
@pytest.mark.parametrize("write", ["add", "upsert"])
def test_vectors(docs, name, write):
    rows, error, message = BAD_VECTORS[name]
    n = len(rows) if hasattr(rows, "__len__") else 1
    docs.upsert([1], vectors(1))
    before = docs.digest()
    with pytest.raises(error, match=message):
        getattr(docs, write)(range(100, 100 + n), rows)
    assert (len(docs), docs.digest()) == (1, before)


BAD_IDS = {
    "too few": ([1, 2], proxime.CountError, "3 vectors came with 2 ids"),
    "too many": (range(4), proxime.CountError, "3 vectors came with 4 ids"),
    "bool": ([1, True, 2], proxime.ArgumentTypeError, "row 1: an id is an int, a str, a uuid.UUID or bytes, not bool"),
    "bools": (np.array([True, False, True]), proxime.ArgumentTypeError, "row 0: an id is an int, a str, a uuid.UUID or bytes, not numpy.bool"),
    "float": ([1, 2, 3.0], proxime.ArgumentTypeError, "row 2: an id is an int, a str, a uuid.UUID or bytes, not float"),
    "floats": (np.arange(3.0), proxime.ArgumentTypeError, "row 0: an id is an int, a str, a uuid.UUID or bytes, not numpy.float64"),
    "none": (["a", None, "c"], proxime.ArgumentTypeError, "row 1: an id is an int, a str, a uuid.UUID or bytes, not NoneType"),
    "timedelta": (np.array([1, 2, 3], "m8[s]"), proxime.ArgumentTypeError, "row 0"),
    "too large": ([1, 2, 2**63], proxime.IdError, "row 2: id 9223372036854775808 does not fit"),
    "too small": ([1, -(2**63) - 1, 2], proxime.IdError, "row 1: id -9223372036854775809 does not fit"),
    "too large, array": (np.array([1, 2**64 - 1, 2], "u8"), proxime.IdError, "row 1: id 18446744073709551615"),
    "too long": (["a", "b" * 65_536, "c"], proxime.IdError, "row 1: the id has 65536 bytes"),
    "surrogate": (["a", "\ud800", "c"], proxime.IdError, "row 1: the id is not valid Unicode"),
    "a text": ("abc", proxime.ArgumentTypeError, "ids: a list or an array of int, str, uuid.UUID or bytes is needed, not str"),
    "a set": ({1, 2, 3}, proxime.ArgumentTypeError, "ids: .* not set"),
    "a dict": ({1: 1, 2: 2, 3: 3}, proxime.ArgumentTypeError, "ids: .* not dict"),
    "a number": (3, proxime.ArgumentTypeError, "ids: .* not int"),
    "none at all": (None, proxime.ArgumentTypeError, "ids: .* not NoneType"),
    "two dimensions": (np.zeros((3, 1), int), proxime.ParameterError, "ids: one dimension"),
}


@pytest.mark.parametrize("name", BAD_IDS)
def test_ids(docs, name):
    ids, error, message = BAD_IDS[name]
    with pytest.raises(error, match=message):
        docs.upsert(ids, vectors(3))
    assert len(docs) == 0


def test_add_refuses_an_id_that_is_given_twice(docs):
    with pytest.raises(proxime.DuplicateIdError, match='id "b" is given twice, in rows 1 and 3') as caught:
        docs.add(["a", "b", "c", "b"], vectors(4))
    assert (caught.value.id, caught.value.first_row, caught.value.row) == ("b", 1, 3)
    assert len(docs) == 0


def test_add_refuses_an_id_that_is_there(docs):
    docs.add([1, 2], vectors(2))
    with pytest.raises(proxime.ExistsError, match="row 1: id 2 exists already") as caught:
        docs.add([3, 2], vectors(2))
    assert (caught.value.id, caught.value.row) == (2, 1)
    assert len(docs) == 2


def deep(levels):
    """Metadata with `levels` objects, one inside the other, itself included."""
    return {"a": deep(levels - 1)} if levels > 1 else {}


def endless():
    value = []
    value.append(value)
    return {"a": value}


BAD_METADATA = {
    "too few": ([{}], proxime.CountError, "2 vectors came with 1 metadata"),
    "too short a column": ({"a": [1, 2], "b": [1]}, proxime.CountError, "column \"b\" of metadata has 1 values for 2 vectors"),
    "too long a column": ({"a": [1, 2, 3]}, proxime.CountError, "column \"a\" of metadata has 3 values for 2 vectors"),
    "a column that is none": ({"a": 1}, proxime.ArgumentTypeError, "metadata\\[\"a\"\\]: a list or an array is needed, not int"),
    "a text as column": ({"a": "ab"}, proxime.ArgumentTypeError, "not str"),
    "a number as column name": ({1: [1, 2]}, proxime.ArgumentTypeError, "metadata: a str as the name of a column is needed, not int"),
    "no dict": ([{}, [1]], proxime.MetadataError, "row 1: metadata is a dict or None, not list"),
    "a text": ("ab", proxime.ArgumentTypeError, "metadata: a list of dicts or a dict of columns is needed, not str"),
    "a number": (1, proxime.ArgumentTypeError, "metadata: .* not int"),
    "a date": ([{}, {"when": np.datetime64("2020-01-01")}], proxime.MetadataError, r"row 1, metadata\.when: a numpy.datetime64 cannot be stored"),
    "a tuple": ([{"a": {"b": [0, (1, 2)]}}, {}], proxime.MetadataError, r"row 0, metadata\.a\.b\[1\]: a tuple cannot be stored"),
    "a bytearray": ({"a": ["x", bytearray(b"y")]}, proxime.MetadataError, r"row 1, metadata\.a: a bytearray cannot be stored"),
    "a naive datetime": ([{}, {"t": datetime.datetime(2020, 1, 1)}], proxime.MetadataError, r"row 1, metadata\.t: .* without a time zone"),
    "an array": ([{"a": np.zeros(2)}, {}], proxime.MetadataError, r"row 0, metadata\.a: a numpy.ndarray cannot"),
    "nan": ([{}, {"a": [1.0, float("nan")]}], proxime.MetadataError, r"row 1, metadata\.a\[1\]: NaN is not a finite"),
    "infinity": ({"a": [0.0, INFINITY]}, proxime.MetadataError, r"row 1, metadata\.a: inf is not a finite"),
    "a large int": ([{"a": 2**63}, {}], proxime.MetadataError, r"row 0, metadata\.a: 9223372036854775808 does not fit"),
    "a large NumPy int": ([{"a": np.uint64(2**63)}, {}], proxime.MetadataError, r"row 0, metadata\.a: 9223372036854775808 does not fit"),
    "a number as name": ([{}, {1: 1}], proxime.MetadataError, "row 1, metadata: the name of a field is a str, not int"),
    "a surrogate": ([{"a": "\ud800"}, {}], proxime.MetadataError, r"row 0, metadata\.a: not valid Unicode"),
    "too deep": ([{}, deep(33)], proxime.MetadataError, r"row 1, metadata(\.a){32}: nested deeper than 32"),
    "endless": ([endless(), {}], proxime.MetadataError, r"row 0, metadata\.a(\[0\])+: nested deeper than 32"),
}


@pytest.mark.parametrize("name", BAD_METADATA)
def test_metadata(docs, name):
    metadata, error, message = BAD_METADATA[name]
    with pytest.raises(error, match=message) as raised:
        docs.upsert([1, 2], vectors(2), metadata)
    assert error is not proxime.CountError or raised.value.rows == 2
    assert len(docs) == 0


def test_a_dict_that_changes_while_it_is_read(docs):
    columns = {}

    class Column(list):
        def __iter__(self):
            columns.update({str(i): [1, 2] for i in range(100)})
            return super().__iter__()

    columns["a"] = Column([1, 2])
    docs.upsert([1, 2], vectors(2), columns)
    assert docs.get(2)["metadata"] == {"a": 2}


BAD_QUERIES = {
    "dimension": (vectors(2, 5), proxime.DimensionError, "query vectors have 5 components"),
    "dimension of one": (vectors(1, 5)[0], proxime.DimensionError, "query vectors have 5 components"),
    "dimension of a list": ([1.0] * 5, proxime.DimensionError, "query vectors have 5 components"),
    "nan": (spoiled(17, 3, np.nan), proxime.NotFiniteError, "query 17, component 3 is NaN"),
    "three dimensions": (vectors(4).reshape(2, 2, 8), proxime.DimensionError, "not 3"),
    "no dimension": (1.0, proxime.ArgumentTypeError, "queries: a vector or an array of rows is needed, not float"),
    "text": ("query", proxime.ArgumentTypeError, "queries: .* not str"),
    "text in a list": ([1.0] * 7 + ["1"], proxime.ArgumentTypeError, "query 0, component 7 is a str"),
    "objects": (np.full((2, 8), None), proxime.ArgumentTypeError, "dtype object"),
}


@pytest.mark.parametrize("name", BAD_QUERIES)
def test_queries(docs, name):
    queries, error, message = BAD_QUERIES[name]
    docs.upsert([1, 2, 3], vectors(3))
    with pytest.raises(error, match=message):
        docs.search(queries)


def test_the_zero_vector_has_no_cosine(db):
    docs = db.create_collection("c", dim=DIM)
    rows = vectors(3)
    rows[1] = 0
    with pytest.raises(proxime.ZeroVectorError, match="row 1 is the zero vector") as caught:
        docs.upsert([1, 2, 3], rows)
    assert caught.value.row == 1
    docs.upsert([1], vectors(1))
    with pytest.raises(proxime.ZeroVectorError, match="query 0 is the zero vector"):
        docs.search(np.zeros(DIM))


BAD_ARGUMENTS = {
    "k below 0": (dict(k=-1), proxime.ParameterError, "k = -1; it must be 0 or more"),
    "k no int": (dict(k=2.0), proxime.ArgumentTypeError, "k: an int is needed, not float"),
    "k bool": (dict(k=True), proxime.ArgumentTypeError, "k: an int is needed, not bool"),
    "ef below 0": (dict(ef=-5), proxime.ParameterError, "ef = -5"),
    "ef huge": (dict(ef=10**30), proxime.ParameterError, "ef = .*; it must be between"),
    "ef no int": (dict(ef="64"), proxime.ArgumentTypeError, "ef: an int is needed, not str"),
    "include": (dict(include="documents"), proxime.ParameterError, "include = 'documents'; it must be 'metadata' or 'vectors'"),
    "include no text": (dict(include=[1]), proxime.ArgumentTypeError, "include: a str is needed, not int"),
    "include no list": (dict(include=1), proxime.ArgumentTypeError, "include: a str or a list of str is needed, not int"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_search_arguments(docs, name):
    arguments, error, message = BAD_ARGUMENTS[name]
    docs.upsert([1], vectors(1))
    with pytest.raises(error, match=message):
        docs.search(vectors(1), **arguments)


BAD_COLLECTIONS = {
    "dim 0": (dict(name="c", dim=0), proxime.ParameterError, "dim = 0; it must be"),
    "dim huge": (dict(name="c", dim=10**30), proxime.ParameterError, "dim = "),
    "dim float": (dict(name="c", dim=8.0), proxime.ArgumentTypeError, "dim: an int is needed, not float"),
    "metric": (dict(name="c", dim=8, metric="manhattan"), proxime.ParameterError, "metric = 'manhattan'; it must be 'l2', 'cosine' or 'dot'"),
    "metric no text": (dict(name="c", dim=8, metric=2), proxime.ArgumentTypeError, "metric: a str is needed, not int"),
    "dtype": (dict(name="c", dim=8, dtype="f64"), proxime.ParameterError, "dtype = 'f64'; it must be 'f32', 'f16' or 'int8'"),
    "preset": (dict(name="c", dim=8, preset="best"), proxime.ParameterError, "preset = 'best'; it must be 'fast', 'default' or 'high'"),
    "preset no text": (dict(name="c", dim=8, preset=1), proxime.ArgumentTypeError, "preset: a str is needed, not int"),
    "m": (dict(name="c", dim=8, m=1), proxime.ParameterError, "m = 1; it must be"),
    "ef_construction": (dict(name="c", dim=8, ef_construction=0), proxime.ParameterError, "ef_construction = 0"),
    "ef_search": (dict(name="c", dim=8, ef_search=0), proxime.ParameterError, "ef_search = 0"),
    "name empty": (dict(name="", dim=8), proxime.ParameterError, "cannot name a collection"),
    "name long": (dict(name="c" * 256, dim=8), proxime.ParameterError, "cannot name a collection"),
    "name no text": (dict(name=1, dim=8), proxime.ArgumentTypeError, "name: a str is needed, not int"),
    "name taken": (dict(name="docs", dim=8), proxime.ExistsError, 'collection "docs" exists already'),
}


@pytest.mark.parametrize("name", BAD_COLLECTIONS)
def test_create_collection(db, docs, name):
    arguments, error, message = BAD_COLLECTIONS[name]
    with pytest.raises(error, match=message):
        db.create_collection(**arguments)
    assert db.collections() == ["docs"]


def test_no_such_collection(db, docs):
    with pytest.raises(proxime.NotFoundError) as caught:
        db.collection("nowhere")
    assert str(caught.value) == 'there is no collection "nowhere"; there is "docs"'
    assert caught.value.name == "nowhere"
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("id", [1.0, True, None, bytearray(b"a"), (1,)])
def test_get_of_no_id(docs, id):
    with pytest.raises(proxime.ArgumentTypeError, match="an id is an int, a str, a uuid.UUID or bytes, not"):
        docs.get(id)


@pytest.mark.parametrize("path", [3, None, ["a"], 1.5])
def test_a_path_that_is_none(path):
    with pytest.raises(proxime.ArgumentTypeError, match="path: a str or an os.PathLike is needed"):
        proxime.open(path)


@pytest.mark.parametrize("threads, error", [(-1, proxime.ParameterError), ("2", proxime.ArgumentTypeError)])
def test_threads_that_are_none(threads, error):
    with pytest.raises(error, match="threads"):
        proxime.open(":memory:", threads=threads)


def test_mistakes_are_also_what_python_calls_them():
    for name in proxime.__all__:
        thing = getattr(proxime, name)
        if isinstance(thing, type) and issubclass(thing, Exception) and thing is not proxime.EfficiencyWarning:
            assert issubclass(thing, proxime.Error), name
    assert issubclass(proxime.DimensionError, ValueError)
    assert issubclass(proxime.ArgumentTypeError, TypeError)
    assert issubclass(proxime.NotFoundError, KeyError)
    assert issubclass(proxime.StoreNotFoundError, FileNotFoundError)
    assert issubclass(proxime.StorageError, OSError)


def test_a_finite_limit_is_no_limit(docs):
    docs.upsert([1, 2, 3], vectors(3))
    assert len(docs.search(vectors(1)[0], k=0)) == 0
    assert len(docs.search(vectors(1)[0], k=10**30)) == 3
    assert docs.search(vectors(2), k=0)[0].shape == (2, 0)
    assert docs.search(vectors(2), k=1_000, ef=1_000)[0].shape == (2, 3)


@pytest.mark.parametrize("nothing", [[], (), np.empty((0, DIM)), np.empty(0), np.empty((0, DIM), ">f8", "F")])
def test_nothing_is_fine(docs, nothing):
    docs.upsert([], nothing)
    docs.add(np.empty(0, int), nothing, [])
    docs.upsert([], nothing, {"a": []})
    assert len(docs) == 0
    ids, distances = docs.search(vectors(2), k=3)
    assert ids.shape == distances.shape == (2, 0)
    assert len(docs.search(vectors(1)[0])) == 0
    docs.upsert([1, 2], vectors(2))
    ids, distances = docs.search(nothing, k=3)
    assert ids.shape == distances.shape == (0, 2)
