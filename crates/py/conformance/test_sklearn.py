"""scikit-learn's own checks of estimators, as they are, and its own transformer as oracle."""

import pickle

import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from proxime.sklearn import ProximeNeighborsTransformer

DIGITS, LABELS = load_digits(return_X_y=True)


@parametrize_with_checks([ProximeNeighborsTransformer(), ProximeNeighborsTransformer(recall=None, mode="connectivity")])
def test_what_is_expected_of_estimators(estimator, check):
    check(estimator)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_is_that_of_scikit_learn(metric, mode):
    X = np.random.default_rng(0).standard_normal((1_500, 10)).astype(np.float32)
    ours = ProximeNeighborsTransformer(mode=mode, n_neighbors=7, metric=metric, recall=None).fit(X[:1_400])
    theirs = KNeighborsTransformer(mode=mode, n_neighbors=7, metric=metric).fit(X[:1_400])
    np.testing.assert_allclose(ours.transform(X[1_400:]).toarray(), theirs.transform(X[1_400:]).toarray(), atol=1e-5)
    for Q in [None, X[1_400:]]:
        np.testing.assert_array_equal(ours.kneighbors(Q, return_distance=False), theirs.kneighbors(Q, return_distance=False))


def test_neighbours_of_equal_rows_leave_oneself_out():
    ours = ProximeNeighborsTransformer(n_neighbors=2, recall=None).fit(np.ones((6, 3)))
    ids = ours.kneighbors(return_distance=False)
    assert ids.shape == (6, 2)
    assert not (ids == np.arange(6)[:, None]).any()


def test_a_copy_finds_the_same():
    ours = ProximeNeighborsTransformer().fit(DIGITS)
    before = ours.kneighbors(DIGITS[:50])
    copy = pickle.loads(pickle.dumps(ours))
    for a, b in zip(before, copy.kneighbors(DIGITS[:50])):
        np.testing.assert_array_equal(a, b)


def test_digits_are_classified_and_clustered():
    classifier = KNeighborsClassifier(n_neighbors=5, metric="precomputed")
    model = make_pipeline(ProximeNeighborsTransformer(n_neighbors=10), classifier).fit(DIGITS[:1_500], LABELS[:1_500])
    assert model.score(DIGITS[1_500:], LABELS[1_500:]) > 0.95
    ours, theirs = (
        DBSCAN(eps=20, metric="precomputed").fit(graph.fit_transform(DIGITS)).labels_
        for graph in [ProximeNeighborsTransformer(n_neighbors=30), KNeighborsTransformer(n_neighbors=30)]
    )
    assert np.mean(ours == theirs) > 0.99


def test_wrong_parameters_are_named():
    with pytest.raises(ValueError, match="metric is one of"):
        ProximeNeighborsTransformer(metric="manhattan").fit(DIGITS)
    with pytest.raises(ValueError, match="mode is"):
        ProximeNeighborsTransformer(mode="both").fit(DIGITS)
    with pytest.raises(ValueError, match="n_samples_fit = 3 rows"):
        ProximeNeighborsTransformer(n_neighbors=4).fit(DIGITS[:3]).kneighbors(DIGITS[:1])
