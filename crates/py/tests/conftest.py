"""What the tests share: a collection, random vectors, and the definition of nearness as three lines of NumPy."""

import numpy as np
import pytest

import proxime

DIM = 8


def vectors(n, dim=DIM, seed=0):
    """`n` rows of float32 that are no two alike."""
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)


def distances(metric, queries, rows):
    """Every distance, `[queries, rows]`, in float64: the oracle."""
    queries, rows = np.asarray(queries, np.float64), np.asarray(rows, np.float64)
    if metric == "l2":
        return ((queries[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    if metric == "cosine":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return 1 - queries @ rows.T
    return -queries @ rows.T


def recall(found, true):
    """The share of the true neighbours that were found."""
    return np.mean([np.isin(t, f).mean() for f, t in zip(found, true)])


@pytest.fixture
def db():
    with proxime.open(":memory:") as db:
        yield db


@pytest.fixture
def docs(db):
    return db.create_collection("docs", dim=DIM, metric="l2")
