"""Builds an index with the workers of a cluster.

One task a source groups its records by shard; they go to the tasks that build shards through the object store of Ray, which keeps them on disk where
memory is short and has them made again when a node is lost. A shard is built on the disk of its worker or in a folder that all share.
"""

import tempfile
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import RayTaskError

from .. import _shards
from ..exceptions import StorageError
from ..sharded import _Source, as_sources, checked_shards

#: Bytes of vectors that a task groups before it hands them on.
_ROUND_BYTES = 256 << 20
_RETRIES = 5


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

    `destination` is a folder that all nodes share, or an address in object storage: workers then build on disks of their own, and send the shards that are
    not there yet. A task whose worker or node dies is done again, on another. `cpus` is what each takes, and how many threads it uses. Several files
    are read in parallel if they are given as a list. Cost: the records go once through Ray's object store; a worker holds 256 MB of vectors and
    their metadata while it groups them, and its shard while it builds. Errors: those of `proxime.sharded.build`; a folder that is not there on a node.
    """
    root = _shards.place(destination)
    if isinstance(root, Path):
        root = root.absolute()
        root.mkdir(parents=True, exist_ok=True)
    first, *_ = as_sources(source, metric, vector, id)
    checked_shards(shards)
    given = source if isinstance(source, (list, tuple)) else [source]
    group = _task(_grouped, cpus, num_returns="streaming")
    groups = [group.remote(one, metric, vector, id, shards) for one in given]
    parts = [_parts(one, shards) for one in groups]
    make = _task(_shard, cpus)
    with tempfile.TemporaryDirectory(prefix=".spill-", dir=None if isinstance(root, str) else root, ignore_cleanup_errors=True) as work:
        how = (root, work, shards, first.dim, first.metric, preset)
        made = _results([make.remote(s, [ref for part in parts for ref in part[s]], *how) for s in range(shards)])
        manifest = _shards.Manifest(first.dim, first.metric, tuple(shard for shard, _ in made))
        if isinstance(root, Path):
            return _shards.publish(root, manifest)
        from .. import s3

        _shards.publish(Path(work), manifest)
        return s3.publish_index(work, [file for _, files in made for file in files], root)


def _task(function: Any, cpus: float, **options: Any) -> Any:
    return ray.remote(function).options(num_cpus=cpus, max_retries=_RETRIES, runtime_env=environment(cpus), **options)


def _grouped(source: Any, metric: Any, vector: str, id: str | None, shards: int) -> Iterator[list[_shards.Group]]:
    """The records of a source, some at a time: those of shard 0, of shard 1 and so on, then the next."""
    (one,) = as_sources([source], metric, vector, id)
    some: list[list[_shards.Group]] = [[] for _ in range(shards)]
    held = 0
    for shard, group in _shards.grouped(one, shards):
        some[shard].append(group)
        held += group[1].nbytes
        if held >= _ROUND_BYTES:
            for groups in some:  # Ray sends values to generators, which `yield from` would hand on to a list
                yield groups
            some, held = [[] for _ in range(shards)], 0
    for groups in some:
        yield groups


def _parts(grouping: Any, shards: int) -> list[list[Any]]:
    """Of each shard, where what `_grouped` yields is. Errors: its own."""
    yielded = list(grouping)
    _results([grouping.completed()])
    return [yielded[s::shards] for s in range(shards)]


def _results(calls: list[Any]) -> list[Any]:
    """What tasks return, or the error of one as it was raised; either way all have ended."""
    ray.wait(calls, num_returns=len(calls))
    try:
        return ray.get(calls)
    except RayTaskError as error:
        raise error.cause from None


def _shard(
    number: int, parts: list[Any], root: _shards.Root, work: str, of: int, dim: int, metric: Any, preset: Any
) -> tuple[_shards.Shard, list[Any]]:
    """Builds a shard of what is in Ray's object store, and stores it. The shard, and its files in object storage if it is there."""
    if isinstance(root, Path) and not Path(work).is_dir():
        node = ray.util.get_node_ip_address()
        raise StorageError(f"the folder {root} is not there on node {node}: build to one that all nodes share, or to object storage")
    with tempfile.TemporaryDirectory(dir=None if isinstance(root, str) else work) as here:
        spilled, target = Path(here, "spill"), Path(here, "index") if isinstance(root, str) else root
        target.mkdir(exist_ok=True)
        with _shards.Spill(spilled, [number]) as spill:
            for part in parts:
                for group in ray.get(part):
                    spill.write(number, group)
        shard = _shards.build_shard([spilled], target, number, of, dim, metric, preset)
        if isinstance(root, Path):
            return shard, []
        from .. import s3

        return shard, s3.store_shard(target, shard.folder, root)


def environment(cpus: float) -> dict[str, Any]:
    """What a worker may use."""
    return {"env_vars": {"PROXIME_THREADS": str(max(1, int(cpus)))}}
