"""Proxime as a client of VectorDBBench 2.0, which opens the database again in each of its processes."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import proxime
from vectordb_bench.backend.clients.api import VectorDB
from vectordb_bench.backend.filter import FilterOp

METRICS = {"L2": "l2", "COSINE": "cosine", "IP": "dot", "DP": "dot"}


class Proxime(VectorDB):
    supported_filter_types = [FilterOp.NonFilter, FilterOp.NumGE, FilterOp.StrEqual]
    thread_safe = True

    def __init__(self, dim, db_config, db_case_config, collection_name="rows", drop_old=False, with_scalar_labels=False, **_):
        self.name = "Proxime"
        self._path = Path(db_config["path"])
        self._ef = db_config["ef"]
        self._where = self._rows = None
        if drop_old:
            shutil.rmtree(self._path, ignore_errors=True)
            with proxime.open(self._path) as db:
                db.create_collection("rows", dim, METRICS[db_config["metric"]], preset=db_config["preset"])

    @contextmanager
    def init(self):
        try:
            db = proxime.open(self._path)
        except proxime.LockedError:  # one process can write; those that search beside it read
            db = proxime.open(self._path, read_only=True)
        with db:
            self._rows = db.collection("rows")
            yield
            self._rows = None

    def insert_embeddings(self, embeddings, metadata, labels_data=None, **_):
        records = {"id": metadata, **({} if labels_data is None else {"label": labels_data})}
        self._rows.upsert(metadata, np.asarray(embeddings, np.float32), records)
        return len(metadata), None

    def optimize(self, data_size=None):
        self._rows.compact()

    def prepare_filter(self, filters):
        self._where = {
            FilterOp.NonFilter: lambda: None,
            FilterOp.NumGE: lambda: proxime.F("id") >= filters.int_value,
            FilterOp.StrEqual: lambda: proxime.F("label") == filters.label_value,
        }[filters.type]()

    def search_embedding(self, query, k=100, **_):
        return self._rows.search(query, k, ef=self._ef, where=self._where).ids.tolist()
