"""Proxime: an embedded vector database.

>>> import numpy as np, proxime
>>> db = proxime.open(":memory:")  # or a directory: proxime.open("vectors.db")
>>> docs = db.create_collection("docs", dim=4)
>>> docs.upsert([1, 2, 3, 4], np.eye(4), [{"title": t} for t in "abcd"])
>>> ids, distances = docs.search(np.eye(4)[:2], k=1)  # rows in, rows out
>>> ids
array([[1],
       [2]])
>>> docs.search([0, 1, 0, 0], k=1)[0].metadata  # one vector in, Hits out
{'title': 'b'}
"""

from ._core import Collection, Database, Hits, Transaction, __version__, open, restore, salvage
from ._filter import F, Filter
from ._hit import Hit, ScoredHit
from .exceptions import (
    ArgumentTypeError,
    ClosedError,
    CountError,
    DamagedError,
    DimensionError,
    DuplicateIdError,
    EfficiencyWarning,
    Error,
    ExistsError,
    FilterError,
    ForkedError,
    IdError,
    InternalError,
    LockedError,
    MetadataError,
    NotAStoreError,
    NotFiniteError,
    NotFoundError,
    ParameterError,
    ReadOnlyError,
    SchemaError,
    StorageError,
    StoreNotFoundError,
    UnstorableError,
    UnsupportedError,
    VersionError,
    ZeroVectorError,
)

__all__ = [
    "ArgumentTypeError",
    "ClosedError",
    "Collection",
    "CountError",
    "DamagedError",
    "Database",
    "DimensionError",
    "DuplicateIdError",
    "EfficiencyWarning",
    "Error",
    "ExistsError",
    "F",
    "Filter",
    "FilterError",
    "ForkedError",
    "Hit",
    "Hits",
    "IdError",
    "InternalError",
    "LockedError",
    "MetadataError",
    "NotAStoreError",
    "NotFiniteError",
    "NotFoundError",
    "ParameterError",
    "ReadOnlyError",
    "SchemaError",
    "ScoredHit",
    "StorageError",
    "StoreNotFoundError",
    "Transaction",
    "UnstorableError",
    "UnsupportedError",
    "VersionError",
    "ZeroVectorError",
    "__version__",
    "open",
    "restore",
    "salvage",
]
