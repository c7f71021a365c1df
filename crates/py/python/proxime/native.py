"""The process's default collection: vectors in, neighbours out, nothing to open.

It is in memory, compares by cosine, and takes the dimension of the first vectors that it is given.

>>> import numpy as np
>>> from proxime import native
>>> native.add_vector_batch([1, 2], np.eye(2), [{"title": "a"}, {"title": "b"}])
>>> native.search_vectors([0.1, 0.9], k=1)[0].metadata
{'title': 'b'}
>>> native.count()
2
"""

import threading
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from ._core import _Ids, _Metadata, _Queries, _Vectors

_lock = threading.Lock()
_collection: "_core.Collection | None" = None


def add_vector_batch(ids: "_Ids", vectors: "_Vectors", metadata: "_Metadata | None" = None) -> None:
    """Store records, replacing those with the same ids. The arguments are those of `Collection.upsert`."""
    global _collection
    with _lock:
        if _collection is None:
            first = _new(vectors)
            first.upsert(ids, vectors, metadata)
            if len(first):  # an empty batch has not settled the dimension
                _collection = first
            return
    _collection.upsert(ids, vectors, metadata)


def search_vectors(queries: "_Queries", k: int = 10, **options: Any) -> Any:
    """The nearest records. Arguments and result are those of `Collection.search`."""
    collection = _new(queries) if _collection is None else _collection
    return collection.search(queries, k, **options)


def count() -> int:
    """The number of records."""
    return 0 if _collection is None else len(_collection)


def _new(like: Any) -> _core.Collection:
    return _core.open(":memory:").create_collection("default", _dim(like))


def _dim(vectors: Any) -> int:
    """The length of a row, without looking further. Where there is none to see, the collection finds the words for it."""
    try:
        shape = getattr(vectors, "shape", None) or (len(vectors[0]),)
    except (TypeError, LookupError):
        shape = (len(vectors),) if hasattr(vectors, "__len__") else (1,)
    return shape[-1] or 1
