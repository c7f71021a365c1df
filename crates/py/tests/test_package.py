"""The package as a whole: its import, its stub, its documentation, and `proxime.native`."""

import ast
import doctest
import inspect
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import proxime
from proxime import _core, exceptions, native

FOLDER = pathlib.Path(proxime.__file__).parent


def isolated(program):
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_import_brings_the_package_and_nothing_else():
    program = "import sys, typing; before = set(sys.modules); import proxime; print(*sorted(set(sys.modules) - before))"
    assert isolated(program).split() == ["proxime", "proxime._core", "proxime._filter", "proxime._hit", "proxime.exceptions"]


def test_a_typed_package():
    assert (FOLDER / "py.typed").exists()


def public(names):
    return {name for name in names if not name.startswith("_") or name == "__version__"}


def declared(tree):
    """Names that a stub declares, with those of each class: functions with their parameters, the rest with None."""
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names[node.name] = declared(node)
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args
            parameters = [argument.arg for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)
            names[node.name] = None if is_property else [name for name in parameters if name != "self"]
        elif isinstance(node, ast.AnnAssign):
            names[node.target.id] = None
    return names


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name not in ("self", "/")]


def test_the_stub_says_what_is_there():
    stub = declared(ast.parse((FOLDER / "_core.pyi").read_text()))
    assert public(stub) == public(vars(_core))
    assert stub["open"] == parameters(_core.open)
    for class_name in ["Database", "Collection", "Transaction", "Hits"]:
        there = vars(getattr(_core, class_name))
        assert public(stub[class_name]) == public(there)
        # Special methods may be declared or not, but not be made up.
        assert stub[class_name].keys() <= there.keys()
        for name in public(stub[class_name]):
            expected = stub[class_name][name]
            assert expected == (parameters(there[name]) if callable(there[name]) else None), name


def test_everything_exported_is_documented():
    modules = {name for name, thing in vars(proxime).items() if inspect.ismodule(thing)}  # imported by other tests
    assert set(proxime.__all__) == public(vars(proxime)) - modules
    for name in proxime.__all__:
        thing = getattr(proxime, name)
        assert name == "__version__" or thing.__doc__, name
        if isinstance(thing, type) and thing.__module__ == "proxime":
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or inspect.isdatadescriptor(value)):
                    assert value.__doc__, f"{name}.{member}"


def test_every_exception_is_exported():
    classes = {name for name, thing in vars(exceptions).items() if isinstance(thing, type)}
    assert classes <= set(proxime.__all__)
    assert all(getattr(proxime, name).__module__ == "proxime" for name in classes)


DOCUMENTED = [
    proxime,
    proxime.open,
    proxime.Collection.upsert,
    proxime.Hits,
]


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_examples_in_the_documentation(thing):
    examples = doctest.DocTestFinder(recurse=False).find(thing, thing.__name__, module=False, globs={"proxime": proxime})
    if not examples:  # doctest does not look into built-in functions by itself
        examples = [doctest.DocTestParser().get_doctest(thing.__doc__, {}, thing.__name__, None, 0)]
    (examples,) = examples
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_native_examples():
    program = "import doctest; from proxime import native; print(doctest.testmod(native))"
    assert isolated(program) == "TestResults(failed=0, attempted=5)"


@pytest.fixture
def fresh():
    native.clear_database()
    yield
    native.clear_database()


def test_native(fresh):
    assert native.count() == 0
    rows = np.eye(4, dtype=np.float32)
    assert len(native.search_vectors(rows[0])) == 0
    assert native.search_vectors(rows)[0].shape == (4, 0)
    native.add_vector_batch([], [])
    native.add_vector_batch(np.arange(4), rows, [{"i": i} for i in range(4)])
    native.add_vector_batch(["again"], rows[:1].tolist(), {"i": [9]})
    assert native.count() == 5
    ids, distances = native.search_vectors(rows[1:], k=1)
    assert ids.tolist() == [[1], [2], [3]]
    np.testing.assert_allclose(distances, 0, atol=1e-6)
    assert {hit.metadata["i"] for hit in native.search_vectors([1, 0, 0, 0], 2, exact=True)} == {0, 9}
    native.add_vector_batch([0], rows[3:])
    assert native.count() == 5


@pytest.mark.parametrize("vectors", [np.ones(4), [1.0, 2.0], np.ones((2, 2, 2)), "text", None, 7, {"a": 1}, [[np.nan, 1.0]], np.ones((1, 0))])
def test_native_refuses_like_a_collection_and_keeps_its_dimension_open(fresh, vectors):
    with pytest.raises(proxime.Error):
        native.add_vector_batch([1], vectors)
    assert native.count() == 0
    native.add_vector_batch([1], np.ones((1, 3)))
    assert native.count() == 1
    with pytest.raises(proxime.DimensionError):
        native.add_vector_batch([1], np.ones((1, 4)))


def test_native_saves_and_loads_everything(fresh, tmp_path):
    rows = np.random.default_rng(7).normal(size=(1_500, 8)).astype(np.float32)
    native.add_vector_batch(np.arange(1_500), rows, [{"i": i} for i in range(1_500)])
    native.add_vector("one", rows[0], {"i": -1})
    native.add_vector(1, rows[2].tolist())
    queries = rows[::100]
    before = native.search_vectors(queries, 5, exact=True, include="metadata")
    native.save_database(tmp_path / "saved")
    native.clear_database()
    assert native.count() == 0
    assert native.get_stats() == {"count": 0}
    native.add_vector("of another dimension", [1, 2])
    native.load_database(tmp_path / "saved")
    assert native.count() == 1_501
    assert native.get_stats().items() >= {"count": 1_501, "dim": 8, "metric": "cosine"}.items()
    # Where two are equally near, which comes first may depend on the order of writing; the distances do not.
    after = native.search_vectors(queries, 5, exact=True, include="metadata")
    np.testing.assert_array_equal(after[1], before[1])
    for a, b in zip(after[2], before[2]):
        assert sorted(m.get("i", 1) for m in a) == sorted(m.get("i", 1) for m in b)
    assert {hit.id: hit.metadata for hit in native.search_vectors(rows[0], 1, where={"i": -1})} == {"one": {"i": -1}}


def test_native_overwrites_no_file_and_keeps_all_when_loading_fails(fresh, tmp_path):
    native.add_vector(1, [1.0, 0.0])
    native.save_database(tmp_path / "saved")
    with pytest.raises(proxime.Error):
        native.save_database(tmp_path / "saved")
    with pytest.raises(proxime.StoreNotFoundError):
        native.load_database(tmp_path / "missing")
    with proxime.open(tmp_path / "other") as other:
        other.create_collection("of another name", dim=2)
    with pytest.raises(proxime.NotFoundError):
        native.load_database(tmp_path / "other")
    assert native.count() == 1
    native.load_database(tmp_path / "saved")
    assert native.search_vectors([1.0, 0.0])[0].id == 1


def test_native_saves_nothing_too(fresh, tmp_path):
    native.save_database(tmp_path / "empty")
    native.add_vector(1, [1.0, 0.0])
    native.load_database(tmp_path / "empty")
    assert native.count() == 0


def test_the_same_call_on_a_collection(docs):
    docs.add_vector_batch([1], np.ones((1, docs.dim)), [{"a": 1}])
    docs.add_vector_batch([1], np.ones((1, docs.dim)), [{"a": 2}])
    assert docs.get(1)["metadata"] == {"a": 2}
