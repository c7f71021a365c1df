"""What the stores of other frameworks share: a collection that comes into being with its first vector."""

from collections.abc import Iterator
from os import PathLike
from typing import Any, Literal

from ._core import Collection, Database, open
from .exceptions import ExistsError, NotFoundError


class LazyCollection:
    """A collection of a database, there or not yet: frameworks make a store before they know how long its vectors are.

    A database that is given as a path is opened here and closed by `close`; one that is given open is left open.
    """

    def __init__(
        self,
        database: "Database | str | PathLike[str]",
        name: str,
        metric: Literal["cosine", "l2", "dot"],
    ) -> None:
        self._owns = not isinstance(database, Database)
        self.database = database if isinstance(database, Database) else open(database)
        self.name = name
        self._metric: Literal["cosine", "l2", "dot"] = metric

    @property
    def metric(self) -> Literal["cosine", "l2", "dot"]:
        """That of the collection if it is there, and else what it will get."""
        collection = self.existing()
        return self._metric if collection is None else collection.metric

    def existing(self) -> "Collection | None":
        """The collection, if it is there."""
        try:
            return self.database.collection(self.name)
        except NotFoundError:
            return None

    def for_vectors(self, vectors: Any) -> "Collection":
        """The collection; if it is not there, a new one with the dimension of the first of `vectors`."""
        collection = self.existing()
        if collection is not None:
            return collection
        try:
            return self.database.create_collection(self.name, len(vectors[0]), self._metric)
        except ExistsError:  # another thread was faster
            return self.database.collection(self.name)

    def records(self, where: "dict[str, Any] | None" = None) -> "Iterator[dict[str, Any]]":
        """The records that match, in the order of ids, read page by page. None, if the collection is not there."""
        collection = self.existing()
        if collection is None:
            return
        page = collection.scroll(where=where)
        while page:
            yield from page
            page = collection.scroll(page[-1]["id"], where=where)

    def close(self) -> None:
        """Close the database if it was opened here."""
        if self._owns:
            self.database.close()
