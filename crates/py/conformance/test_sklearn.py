"""scikit-learn's own checks of estimators, and that the transformer stands where `KNeighborsTransformer` does."""

import doctest
import pickle

import numpy as np
import pytest
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.datasets import make_blobs
from sklearn.manifold import Isomap
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import proxime.sklearn
from proxime.sklearn import ProximeTransformer


@parametrize_with_checks([ProximeTransformer(), ProximeTransformer(mode="connectivity", metric="euclidean", exact=True)])
def test_checks_of_estimators(estimator, check):
    check(estimator)


def test_examples():
    assert doctest.testmod(proxime.sklearn).failed == 0


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).standard_normal((1_500, 16))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_same_graph(rows, metric, mode):
    fitted, others = rows[:1_200], rows[1_200:]
    theirs = KNeighborsTransformer(mode=mode, n_neighbors=7, metric=metric).fit(fitted)
    ours = ProximeTransformer(mode=mode, n_neighbors=7, metric=metric, exact=True).fit(fitted)
    for queries in [fitted, others]:
        expected, graph = theirs.transform(queries), ours.transform(queries)
        assert issparse(graph) and graph.shape == expected.shape and graph.nnz == expected.nnz
        # A cosine distance of 0 may be 1e-8 here and -1e-8 there.
        np.testing.assert_allclose(graph.toarray(), expected.toarray(), atol=2e-3 if mode == "distance" else 0)
    for expected, found in zip(theirs.kneighbors(), ours.kneighbors()):
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert (theirs.get_feature_names_out()[-1], ours.get_feature_names_out()[-1]) == ("kneighborstransformer1199", "proximetransformer1199")


def test_approximate_neighbours_are_nearly_all(rows):
    _, expected = KNeighborsTransformer(n_neighbors=10).fit(rows).kneighbors()
    found = ProximeTransformer(n_neighbors=10, recall=0.99).fit(rows).kneighbors(None, None, False)
    assert np.mean([np.isin(t, f).mean() for t, f in zip(expected, found)]) > 0.97


def test_equal_rows_are_neighbours_of_each_other_and_not_of_themselves():
    rows = np.repeat(np.eye(3), 8, axis=0)
    distances, ids = ProximeTransformer(n_neighbors=4).fit(rows).kneighbors()
    assert (distances == 0).all()
    assert (ids // 8 == np.arange(24)[:, None] // 8).all()
    assert (ids != np.arange(24)[:, None]).all()


def test_pickled_it_is_the_same(rows):
    fitted = ProximeTransformer(n_neighbors=3).fit(rows)
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.collection_.digest() == fitted.collection_.digest()
    assert (copy.transform(rows[:50]) != fitted.transform(rows[:50])).nnz == 0
    assert not hasattr(pickle.loads(pickle.dumps(clone(fitted))), "collection_")


def test_in_pipelines():
    blobs, labels = make_blobs(1_200, centers=4, cluster_std=0.5, random_state=3)
    classifier = make_pipeline(ProximeTransformer(n_neighbors=20), KNeighborsClassifier(5, metric="precomputed"))
    assert classifier.fit(blobs[:1_000], labels[:1_000]).score(blobs[1_000:], labels[1_000:]) > 0.95
    found = make_pipeline(ProximeTransformer(n_neighbors=20), DBSCAN(metric="precomputed", min_samples=3)).fit_predict(blobs)
    assert len(set(found) - {-1}) >= 4
    one, _ = make_blobs(300, centers=1, random_state=3)
    assert make_pipeline(ProximeTransformer(n_neighbors=20), Isomap(n_neighbors=10, metric="precomputed")).fit_transform(one).shape == (300, 2)


@pytest.mark.parametrize("wrong", [dict(mode="graph"), dict(metric="manhattan"), dict(n_neighbors=0), dict(n_neighbors=1_501), dict(preset="best"), dict(recall=2)])
def test_parameters_that_make_no_sense(rows, wrong):
    with pytest.raises(ValueError):
        ProximeTransformer(**wrong).fit(rows).transform(rows)
