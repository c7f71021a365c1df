"""Hits of a search. Their own file, so that the core finds the classes before the package is ready."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import uuid


class Hit(NamedTuple):
    """A record that was found: `for id, distance, metadata in hits`."""

    id: "int | str | uuid.UUID | bytes"
    distance: float
    metadata: dict[str, Any]


class ScoredHit(NamedTuple):
    """A record that was found by words, alone or together with a vector."""

    id: "int | str | uuid.UUID | bytes"
    distance: float
    metadata: dict[str, Any]
    score: float
    text_score: float


Hit.__module__ = ScoredHit.__module__ = "proxime"
