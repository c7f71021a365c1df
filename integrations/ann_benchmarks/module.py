"""Proxime in ann-benchmarks: one collection in memory; the beam width is what queries vary."""

import numpy as np
import proxime

from ..base.module import BaseANN

METRICS = {"angular": "cosine", "euclidean": "l2"}


class Proxime(BaseANN):
    def __init__(self, metric, method_param):
        self._metric = METRICS[metric]
        self._preset = method_param["preset"]

    def fit(self, X):
        self._db = proxime.open(":memory:")
        self._rows = self._db.create_collection("rows", X.shape[1], self._metric, preset=self._preset)
        self._rows.add(np.arange(len(X)), X)
        self._rows.search(X[0], 1)  # the first search makes the codes that all of them use: a part of building

    def set_query_arguments(self, ef):
        self._ef = ef
        self.name = f"Proxime(preset={self._preset}, ef={ef})"

    def query(self, v, n):
        return self._rows.search(v, n, ef=self._ef).ids

    def batch_query(self, X, n):
        self.res = self._rows.search(X, n, ef=self._ef)[0]

    def done(self):
        self._db.close()
