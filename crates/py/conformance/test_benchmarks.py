"""The modules for other people's benchmarks, run through the calls that their runners make, on stand-ins for their base classes."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "integrations"
ROWS = np.random.default_rng(4).standard_normal((3_000, 20), dtype=np.float32)
QUERIES = np.random.default_rng(5).standard_normal((20, 20), dtype=np.float32)
K = 10


def truth(rows, ids, queries, metric="euclidean"):
    if metric == "angular":
        rows, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, queries))
    distances = ((queries[:, None] - rows[None]) ** 2).sum(axis=2)
    return ids[np.argsort(distances, axis=1)[:, :K]]


def recall(found, true):
    return np.mean([np.isin(t, f).mean() for f, t in zip(found, true)])


@pytest.fixture
def load(monkeypatch):
    """Imports a module as the benchmark does, with an empty base class where it expects one."""

    def load(path, name, base):
        for part in [base[0].rpartition(".")[0], base[0], name.rpartition(".")[0]]:
            package = types.ModuleType(part)
            package.__path__ = []
            monkeypatch.setitem(sys.modules, part, package)
        setattr(sys.modules[base[0]], base[1], type(base[1], (), {}))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("metric", ["angular", "euclidean"])
def test_ann_benchmarks(load, metric):
    base = ("ann_benchmarks.algorithms.base.module", "BaseANN")
    module = load(FOLDER / "ann_benchmarks" / "module.py", "ann_benchmarks.algorithms.proxime.module", base)
    (config,) = yaml.safe_load((FOLDER / "ann_benchmarks" / "config.yml").read_text())["float"]["any"]
    (group,) = config["run_groups"].values()
    for preset in group["arg_groups"][0]["preset"]:
        algorithm = getattr(module, config["constructor"])(metric, {"preset": preset})
        algorithm.fit(ROWS)
        recalls = []
        for ef in group["query_args"][0]:
            algorithm.set_query_arguments(ef)
            one = [[int(id) for id in algorithm.query(query, K)] for query in QUERIES]
            algorithm.batch_query(QUERIES, K)
            np.testing.assert_array_equal(algorithm.res, one)
            recalls.append(recall(one, truth(ROWS, np.arange(len(ROWS)), QUERIES, metric)))
        assert recalls[-1] > 0.99 and recalls[-1] >= recalls[0]
        algorithm.done()


def test_big_ann_streaming(load):
    base = ("neurips23.streaming.base", "BaseStreamingANN")
    module = load(FOLDER / "big_ann" / "proxime_streaming.py", "neurips23.streaming.proxime.proxime_streaming", base)
    config = yaml.safe_load((FOLDER / "big_ann" / "config.yaml").read_text())["random-xs"]["proxime"]
    run = config["run-groups"]["default"]
    (params,), queries = (yaml.safe_load(run[name]) for name in ("args", "query-args"))
    algorithm = getattr(module, config["constructor"])("euclidean", params)
    algorithm.setup("float32", len(ROWS), ROWS.shape[1])
    algorithm.set_query_arguments(queries[-1])
    there = np.zeros(len(ROWS), bool)
    rows = ROWS.copy()
    for step, (operation, start, end) in enumerate(
        [("insert", 0, 2_000), ("delete", 500, 1_500), ("insert", 1_000, 1_200), ("replace", 100, 300), ("insert", 2_000, 3_000), ("delete", 0, 10)]
    ):
        ids = np.arange(start, end, dtype=np.uint32)
        if operation == "delete":
            algorithm.delete(ids)
        else:
            rows[ids] = ROWS[ids] + step
            getattr(algorithm, operation)(rows[ids], ids)
        there[ids] = operation != "delete"
        algorithm.query(QUERIES, K)
        found = algorithm.get_results()
        assert found.shape == (len(QUERIES), K) and there[found].all()
        assert recall(found, truth(rows[there], np.flatnonzero(there), QUERIES)) > 0.98
