"""Search by words over shards: the ids, order and scores of one collection that has all records.

BM25 needs counts over all records, so shards are asked twice: for theirs, then with the sum of all. What two lists are worth together depends on places
in the lists of all, so every shard gives what it has for both, with distance and score by words, and the lists are made of that here.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np

from . import _core
from .exceptions import ParameterError

#: Id, distance, score by words and metadata of a record.
Found: TypeAlias = tuple[Any, float, float, Any]
#: Asks all shards for something with some arguments; None for one that does not answer.
Ask: TypeAlias = Callable[..., Sequence[Any]]
_KINDS: list[Any] = [int, str, UUID, bytes]


def counts(collection: Any, text: str, fields: Any) -> dict[str, Any]:
    """Those of a shard."""
    own: dict[str, Any] = collection.word_counts(text, fields=fields)
    return own


def of_shard(collection: Any, text: str, how: dict[str, Any], k: int, metadata: bool, options: dict[str, Any]) -> list[Found]:
    """The best by words; with a vector in `how`, all that is in one of both lists."""
    hits = collection.search(text=text, k=k, **how, **options)
    ids = [hit.id for hit in hits]
    return list(zip(ids, hits.distances.tolist(), hits.text_scores.tolist(), hits.metadata if metadata else [None] * len(ids)))


def search(
    ask: Ask, text: str, vector: Any, k: int, fields: Any, fusion: Any, options: dict[str, Any]
) -> tuple[list[tuple[float, Found]], set[int]]:
    """The best of all shards with their scores, and the shards that have not answered."""
    options = dict(options)
    if "counts" in options or "depth" in options:
        raise ParameterError("searches by words over shards have no counts and no depth: they have their own")
    metadata = "metadata" in (options.pop("include", None) or ())
    own = ask("counts", text, fields)
    how: dict[str, Any] = {"fields": fields, "counts": _added([some for some in own if some is not None])}
    most, depth = k, max(10 * k, 100)
    if vector is not None:
        how |= {"vector": vector, "depth": depth}
        most = 2 * depth
    parts = ask("words", text, how, most, metadata, options)
    missing = {j for j, (some, part) in enumerate(zip(own, parts)) if some is None or part is None}
    found = [one for j, part in enumerate(parts) if j not in missing for one in part]
    scored = [(one[2], one) for one in found] if vector is None else _fused(found, fusion, depth)
    return sorted(scored, key=lambda one: (-one[0], _order(one[1][0])))[:k], missing


def _added(own: Sequence[dict[str, Any]]) -> dict[str, Any]:
    with_word: Counter[str] = Counter()
    for some in own:
        with_word.update(some["texts_with"])
    return {"texts": sum(some["texts"] for some in own), "words": sum(some["words"] for some in own), "texts_with": dict(with_word)}


def _fused(found: list[Found], fusion: Any, depth: int) -> list[tuple[float, Found]]:
    near = sorted(range(len(found)), key=lambda i: found[i][1])[:depth]
    by_words = sorted((i for i in range(len(found)) if found[i][2] > 0), key=lambda i: (-found[i][2], _order(found[i][0])))[:depth]
    worth = _core.fused(fusion, [found[i][1] for i in near], [found[i][2] for i in by_words])
    scores: dict[int, float] = {}
    for places, values in zip((near, by_words), worth):
        for i, value in zip(places, values):
            scores[i] = scores.get(i, 0.0) + value
    return [(score, found[i]) for i, score in scores.items()]


def _order(id: Any) -> tuple[int, Any]:
    """As ids of one collection are ordered: integers, texts, UUIDs, bytes."""
    return _KINDS.index(type(id)), id


def as_arrays(scored: list[tuple[float, Found]]) -> dict[str, Any]:
    """Fields of an `Answer`."""
    ids = [one[0] for _, one in scored]
    whole = {type(id) for id in ids} == {int}
    rows = np.array(ids, np.int64) if whole else np.fromiter(ids, object, len(ids))
    return {
        "ids": rows,
        "distances": np.array([one[1] for _, one in scored], np.float32),
        "scores": np.array([score for score, _ in scored], np.float64),
        "text_scores": np.array([one[2] for _, one in scored], np.float64),
    }
