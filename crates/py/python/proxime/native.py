"""The process's default collection: vectors in, neighbours out, nothing to open.

It is in memory, compares by cosine, and takes the dimension of the first vectors that it is given. `save_database` writes
it to a directory, `load_database` reads it back.

>>> import numpy as np
>>> from proxime import native
>>> native.add_vector_batch([1, 2], np.eye(2), [{"title": "a"}, {"title": "b"}])
>>> native.search_vectors([0.1, 0.9], k=1)[0].metadata
{'title': 'b'}
>>> native.count()
2
"""

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from ._core import Collection, Database, open

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from ._types import Ids, Metadata, Progress, Queries, Vectors, ZeroCopy

_NAME = "default"


class _Default(NamedTuple):
    database: Database
    collection: Collection


_lock = threading.Lock()
_default: _Default | None = None


def add_vector_batch(
    ids: "Ids",
    vectors: "Vectors",
    metadata: "Metadata | None" = None,
    *,
    zero_copy: "ZeroCopy" = "allow",
    progress: "Progress | None" = None,
) -> None:
    """Store records, replacing those with the same ids. The arguments are those of `Collection.upsert`."""
    global _default
    with _lock:
        default = _default
        if default is None:
            first = _new(_dim(vectors))
            first.collection.upsert(ids, vectors, metadata, zero_copy=zero_copy, progress=progress)
            if len(first.collection):  # an empty batch has not settled the dimension
                _default = first
            return
    default.collection.upsert(ids, vectors, metadata, zero_copy=zero_copy, progress=progress)


def add_vector(id: Any, vector: Any, metadata: "Mapping[str, Any] | None" = None) -> None:
    """Store one record. For many, `add_vector_batch` takes a fraction of the time."""
    add_vector_batch([id], [vector], [metadata])


def search_vectors(queries: "Queries", k: int = 10, **options: Any) -> Any:
    """The nearest records. Arguments and result are those of `Collection.search`."""
    default = _default or _new(_dim(queries))
    return default.collection.search(queries, k, **options)


def count() -> int:
    """The number of records."""
    default = _default
    return 0 if default is None else len(default.collection)


def get_stats() -> dict[str, Any]:
    """The "count" of records, and once there is one, its "dim", the "metric" and what `Collection.stats` says."""
    default = _default
    if default is None:
        return {"count": 0}
    collection = default.collection
    described = {"count": len(collection), "dim": collection.dim, "metric": collection.metric}
    return described | collection.stats()


def save_database(path: "str | PathLike[str]") -> None:
    """Write everything to the directory `path`, durably. It must be empty or new: nothing is overwritten.

    What comes out is a database like any other: `proxime.open(path).collection("default")`.
    """
    default = _default
    database = open(":memory:") if default is None else default.database
    database.backup(path)


def load_database(path: "str | PathLike[str]") -> None:
    """Replace everything by what `save_database` wrote to `path`, which is only read. After an error all is as before.

    It is copied into memory and indexed anew.
    """
    global _default
    with open(path, read_only=True) as stored:
        loaded = _copied(stored.collection(_NAME)) if stored.collections() else None
    with _lock:
        _default = loaded


def clear_database() -> None:
    """Forget everything, the dimension included."""
    global _default
    with _lock:
        _default = None


def _new(dim: int, **options: Any) -> _Default:
    database = open(":memory:")
    return _Default(database, database.create_collection(_NAME, dim, **options))


def _copied(stored: Collection) -> _Default:
    copy = _new(stored.dim, metric=stored.metric)
    # One batch, for one graph over all of it.
    records = stored.scroll(limit=len(stored))
    ids, vectors, metadata = ([record[part] for record in records] for part in ("id", "vector", "metadata"))
    copy.collection.upsert(ids, vectors, metadata)
    return copy


def _dim(vectors: Any) -> int:
    """The length of a row, without looking further. Where there is none to see, the collection finds the words for it."""
    try:
        shape = getattr(vectors, "shape", None) or (len(vectors[0]),)
    except (TypeError, LookupError):
        shape = (len(vectors),) if hasattr(vectors, "__len__") else (1,)
    return shape[-1] or 1
