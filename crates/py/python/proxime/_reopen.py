"""What unpickling a handle calls."""

from ._core import Collection, Database, open


def reopen(path: str, threads: int | None, collection: str | None) -> Database | Collection:
    """The database at `path`, opened for reading, or its collection of that name."""
    # Bytes are checked before they are used either way, and many processes may be doing this.
    database = open(path, threads, read_only=True, verify="lazy")
    return database if collection is None else database.collection(collection)
