"""Neighbours for scikit-learn: `ProximeTransformer` stands where `sklearn.neighbors.KNeighborsTransformer` does.

`pip install "proxime[sklearn]"`. What it makes is the sparse graph that estimators with `metric="precomputed"` take.

>>> from sklearn.cluster import DBSCAN
>>> from sklearn.datasets import make_blobs
>>> from sklearn.pipeline import make_pipeline
>>> from proxime.sklearn import ProximeTransformer
>>> blobs, _ = make_blobs(300, centers=[[0, 0], [9, 9]], random_state=0)
>>> pipeline = make_pipeline(ProximeTransformer(n_neighbors=10), DBSCAN(eps=2, metric="precomputed"))
>>> sorted(set(pipeline.fit_predict(blobs).tolist()))
[0, 1]
"""

# What the types of scikit-learn and joblib say of their arguments and results is narrower or wider than what they are.
# pyright: reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false

from typing import Any, Literal, Self, overload

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as _error:
    raise ImportError('proxime.sklearn needs scikit-learn: pip install "proxime[sklearn]"') from _error

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ._core import Collection, open

__all__ = ["ProximeTransformer"]

_Neighbors = tuple[NDArray[np.float32], NDArray[np.int64]]


class ProximeTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The weighted graph of the nearest neighbours, found by Proxime in memory.

    `mode`, `n_neighbors` and `n_jobs` are those of `KNeighborsTransformer`, and so are the results, but for neighbours that an
    approximate search misses. `metric`: "euclidean" or "cosine". `recall`: the share of neighbours to find, as in `Collection.search`;
    `exact=True` finds all. `preset`: "fast", "default" or "high", how much to spend on the graph.

    After `fit`: `n_samples_fit_`, `n_features_in_`, and `collection_`, a `proxime.Collection` of the rows by their number. Numbers are kept as
    float32. Pickled, it is its rows; the graph is built again, with the same result.
    """

    mode: Literal["distance", "connectivity"]
    metric: Literal["euclidean", "cosine"]
    preset: Literal["fast", "default", "high"]

    def __init__(
        self,
        *,
        mode: Literal["distance", "connectivity"] = "distance",
        n_neighbors: int = 5,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        recall: float | None = 0.99,
        exact: bool = False,
        preset: Literal["fast", "default", "high"] = "default",
        n_jobs: int | None = None,
    ) -> None:
        self.mode = mode
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.recall = recall
        self.exact = exact
        self.preset = preset
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Store the rows of `X`, an array [n, features], and build their graph. `y` is not used."""
        if self.mode not in ("distance", "connectivity"):
            raise ValueError(f"mode = {self.mode!r}; it must be 'distance' or 'connectivity'")
        if self.metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric = {self.metric!r}; it must be 'euclidean' or 'cosine'")
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors = {self.n_neighbors}; it must be 1 or more")
        self._fit_X = validate_data(self, X, dtype=np.float32, order="C")
        self.n_samples_fit_: int = len(self._fit_X)
        self._n_features_out = self.n_samples_fit_
        self._build()
        return self

    def transform(self, X: Any) -> csr_matrix:
        """The graph from the rows of `X` to those that were fitted, a CSR matrix [n, n_samples_fit_].

        With distances each row has `n_neighbors + 1` entries, for a row that was fitted is its own neighbour.
        """
        check_is_fitted(self)
        return self.kneighbors_graph(X, self.n_neighbors + (self.mode == "distance"), self.mode)

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: Literal["distance", "connectivity"] = "connectivity"
    ) -> csr_matrix:
        """The graph of `kneighbors`, with distances or ones."""
        distances, ids = self.kneighbors(X, n_neighbors)
        data = distances if mode == "distance" else np.ones_like(distances)
        starts = np.arange(0, ids.size + 1, ids.shape[1])
        return csr_matrix((data.ravel(), ids.ravel(), starts), shape=(len(ids), self.n_samples_fit_))

    @overload
    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: Literal[True] = True
    ) -> _Neighbors: ...
    @overload
    def kneighbors(self, X: Any, n_neighbors: int | None, return_distance: Literal[False]) -> NDArray[np.int64]: ...
    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> _Neighbors | NDArray[np.int64]:
        """Distances and numbers of the nearest rows, two arrays [n, n_neighbors], nearest first.

        Without `X` those of the fitted rows, which are then not their own neighbours.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        queries = self._fit_X if X is None else validate_data(self, X, dtype=np.float32, order="C", reset=False)
        wanted = k + (X is None)
        if k < 1 or wanted > self.n_samples_fit_:
            raise ValueError(f"n_neighbors = {k}; it must be 1 or more. Expected n_neighbors <= n_samples_fit, but n_samples_fit = {self.n_samples_fit_}")
        ids, distances = self.collection_.search(queries, wanted, recall=None if self.exact else self.recall, exact=self.exact)
        if X is None:
            ids, distances = _without_themselves(ids, distances)
        if self.metric == "euclidean":
            distances = np.sqrt(distances)
        return (distances, ids) if return_distance else ids

    def _build(self) -> None:
        database = open(":memory:", joblib.effective_n_jobs(self.n_jobs))
        metric: Literal["l2", "cosine"] = "l2" if self.metric == "euclidean" else "cosine"
        self.collection_: Collection = database.create_collection("rows", self._fit_X.shape[1], metric, preset=self.preset)
        self.collection_.upsert(np.arange(len(self._fit_X)), self._fit_X)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "collection_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_fit_X" in state:
            self._build()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _without_themselves(
    ids: NDArray[np.int64], distances: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Row i without id i, or, where there are so many equal rows that it is not among them, without the last."""
    others = ids != np.arange(len(ids))[:, None]
    others[others.all(axis=1), -1] = False
    return ids[others].reshape(len(ids), -1), distances[others].reshape(len(ids), -1)
