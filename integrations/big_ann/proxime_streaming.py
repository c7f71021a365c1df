"""Proxime in the streaming track of big-ann-benchmarks: rows come, go and are replaced, and are searched in between."""

import proxime

from neurips23.streaming.base import BaseStreamingANN

METRICS = {"euclidean": "l2", "ip": "dot", "angular": "cosine"}


class Proxime(BaseStreamingANN):
    def __init__(self, metric, index_params):
        self._metric = METRICS[metric]
        self._preset = index_params["preset"]
        self.name = f"proxime-{self._preset}"

    def index_name(self):
        return self.name

    def setup(self, dtype, max_pts, ndims):
        self._db = proxime.open(":memory:")
        self._rows = self._db.create_collection("rows", ndims, self._metric, preset=self._preset)

    def insert(self, X, ids):
        self._rows.upsert(ids, X)

    replace = insert

    def delete(self, ids):
        self._rows.delete(ids)

    def set_query_arguments(self, query_args):
        self._query_args = query_args

    def query(self, X, k):
        self.res = self._rows.search(X, k, ef=self._query_args["ef"])[0]

    def get_results(self):
        return self.res
