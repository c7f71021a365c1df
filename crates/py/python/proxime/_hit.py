"""One hit of a search. Its own file, so that the core finds the class before the package is ready."""

from typing import Any, NamedTuple


class Hit(NamedTuple):
    """A record that was found: `for id, distance, metadata in hits`."""

    id: "int | str"
    distance: float
    metadata: "dict[str, Any]"


Hit.__module__ = "proxime"
