"""Proxime as a neighbour graph of scikit-learn: `pip install "proxime[sklearn]"`.

>>> import numpy as np
>>> from proxime.sklearn import ProximeNeighborsTransformer
>>> from sklearn.neighbors import KNeighborsClassifier
>>> from sklearn.pipeline import make_pipeline
>>> X = np.random.default_rng(0).standard_normal((1_000, 16))
>>> graph = ProximeNeighborsTransformer(n_neighbors=10)
>>> model = make_pipeline(graph, KNeighborsClassifier(n_neighbors=5, metric="precomputed")).fit(X, X[:, 0] > 0)
>>> model.predict(X[:3]).shape
(3,)
"""

from typing import Any, Literal, Self

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('proxime.sklearn needs scikit-learn: pip install "proxime[sklearn]"') from error

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from . import _core

__all__ = ["ProximeNeighborsTransformer"]

_METRICS = {"euclidean": "l2", "cosine": "cosine"}


class ProximeNeighborsTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The graph of nearest neighbours, as `sklearn.neighbors.KNeighborsTransformer` makes it, by an approximate search.

    `transform` gives a sparse matrix with the distances to the nearest rows that were fitted (`mode="distance"`: `n_neighbors` and one
    more, since a row that was fitted is nearest to itself) or ones (`mode="connectivity"`). `recall` is the share of the true
    neighbours to be found; None looks at every row and finds all. Vectors are compared as float32.
    """

    def __init__(
        self,
        *,
        mode: Literal["distance", "connectivity"] = "distance",
        n_neighbors: int = 5,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        recall: float | None = 0.99,
    ) -> None:
        self.mode = mode
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.recall = recall

    def fit(self, X: Any, y: Any = None) -> Self:
        """Index the rows of `X`."""
        if self.metric not in _METRICS:
            raise ValueError(f"metric is one of {sorted(_METRICS)}, not {self.metric!r}")
        if self.mode not in ("distance", "connectivity"):
            raise ValueError(f'mode is "distance" or "connectivity", not {self.mode!r}')
        self._rows = validate_data(self, X, dtype=np.float32, order="C")
        self.n_samples_fit_ = len(self._rows)
        self._n_features_out = self.n_samples_fit_
        self._collection = self._indexed()
        return self

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | NDArray[np.int64]:
        """Distances to the nearest rows that were fitted, nearest first, and their numbers, `[queries, n_neighbors]`.

        Without `X` the queries are the rows that were fitted, and none is a neighbour of itself.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        itself = X is None
        queries = self._rows if itself else validate_data(self, X, dtype=np.float32, order="C", reset=False)
        if not 0 < k <= self.n_samples_fit_ - itself:
            raise ValueError(f"n_neighbors is {k}; there are n_samples_fit = {self.n_samples_fit_} rows")
        how = {"exact": True} if self.recall is None else {"recall": self.recall}
        ids, distances = self._collection.search(queries, k + itself, **how)
        if itself:
            ids, distances = _without_itself(ids, distances)
        distances = distances.astype(np.float64)
        if self.metric == "euclidean":
            distances = np.sqrt(distances)
        return (distances, ids) if return_distance else ids

    def transform(self, X: Any) -> csr_matrix:
        """The graph from the rows of `X` to those that were fitted, `[queries, n_samples_fit_]`."""
        check_is_fitted(self)
        k = self.n_neighbors + (self.mode == "distance")
        distances, ids = self.kneighbors(X, k)
        data = distances if self.mode == "distance" else np.ones_like(distances)
        rows = np.arange(0, ids.size + 1, k)
        return csr_matrix((data.ravel(), ids.ravel(), rows), shape=(len(ids), self.n_samples_fit_))

    def _indexed(self) -> _core.Collection:
        collection = _core.open(":memory:").create_collection("rows", self._rows.shape[1], _METRICS[self.metric])
        collection.add(np.arange(len(self._rows)), self._rows)
        return collection

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_collection"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_rows" in state:  # it was fitted; the same rows give the same graph
            self._collection = self._indexed()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _without_itself(ids: NDArray[Any], distances: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """One fewer of each row: the row's own number, or, where rows alike have pushed it out, the last."""
    keep = ids != np.arange(len(ids))[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = (len(ids), ids.shape[1] - 1)
    return ids[keep].reshape(shape), distances[keep].reshape(shape)
