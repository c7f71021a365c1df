"""Builds an index with the workers of a cluster."""

import shutil
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import ray

from .. import _shards
from ..exceptions import ParameterError
from ..sharded import _Source, as_sources, checked_shards


def build(
    source: _Source | Sequence[_Source],
    destination: str | PathLike[str],
    *,
    shards: int,
    metric: Literal["cosine", "l2", "dot"] | None = None,
    preset: Literal["fast", "default", "high"] = "default",
    vector: str = "vector",
    id: str | None = None,
    cpus: float = 1,
) -> int:
    """Build an index as `proxime.sharded.build` does, and the same one, with a task per source and one per shard.

    A task whose worker dies is done again, on another. `cpus` is what each takes, and how many threads it uses. Several files
    are read in parallel if they are given as a list. Errors: those of `proxime.sharded.build`.
    """
    place = _shards.place(destination)
    if isinstance(place, str):
        raise ParameterError("workers need a folder that all of them share; build there, then proxime.s3.push_index brings it to object storage")
    root = place.absolute()
    root.mkdir(parents=True, exist_ok=True)
    sources = as_sources(source, metric, vector, id)
    checked_shards(shards)
    first = sources[0]
    work = Path(tempfile.mkdtemp(prefix=".spill-", dir=root))
    try:
        spill = _task(_spill_anew, cpus)
        given = source if isinstance(source, (list, tuple)) else [source]
        calls = [spill.remote(one, metric, vector, id, work / str(i), shards) for i, one in enumerate(given)]
        _results(calls)
        spills = [work / str(i) for i in range(len(given))]
        shard = _task(_shards.build_shard, cpus)
        made = _results([shard.remote(spills, root, s, shards, first.dim, first.metric, preset) for s in range(shards)])
        return _shards.publish(root, _shards.Manifest(first.dim, first.metric, tuple(made)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _task(function: Any, cpus: float) -> Any:
    return ray.remote(function).options(num_cpus=cpus, max_retries=5, runtime_env=environment(cpus))


def _results(calls: list[Any]) -> list[Any]:
    """What tasks return, or the error of one as it was raised; either way all have ended."""
    ray.wait(calls, num_returns=len(calls))
    try:
        return ray.get(calls)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None


def _spill_anew(source: Any, metric: Any, vector: str, id: str | None, folder: Path, shards: int) -> None:
    """A task before this one may have died at it."""
    shutil.rmtree(folder, ignore_errors=True)
    (one,) = as_sources([source], metric, vector, id)
    _shards.spill(one, folder, shards)


def environment(cpus: float) -> dict[str, Any]:
    """What a worker may use."""
    return {"env_vars": {"PROXIME_THREADS": str(max(1, int(cpus)))}}


