"""An index in shards on a Ray cluster: `pip install "proxime[ray]"`.

>>> import proxime.ray  # doctest: +SKIP
>>> proxime.ray.build("/shared/parts", "/shared/index", shards=16, vector="emb", id="id")  # doctest: +SKIP
>>> index = proxime.ray.open("/shared/index", replicas=2)  # doctest: +SKIP
>>> answer = index.search(queries, k=10, timeout=2.0)  # doctest: +SKIP

The folder is that of `proxime.sharded` and must be readable under one path on every node; or the index is in object storage, where
`proxime.s3.push_index` or `proxime.sharded.build` has put it, and each node keeps the shards of its servers. It is the only truth, and actors are
caches of it. Server `i` of `s` has the shards `j` with `(j + r) % s == i` for one of the replicas `r`, so the load of a server
that dies is shared by its neighbours. A call sends one message to each server that it needs, of few queries to as few as have all shards. What does not answer in time is asked
of another replica (a hedge), what fails at once; and the parts are merged as `ShardedIndex` does, so the answers are equal.
"""

import hashlib
import os
import pickle
import shutil
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

try:
    import ray
    from ray.exceptions import RayActorError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise ImportError('proxime.ray needs Ray: pip install "proxime[ray]"') from error

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import __version__, _shards
from .exceptions import Error, ParameterError, StorageError, UnsupportedError
from .sharded import Answer, Part, _Source, as_sources, checked_shards, merge, search_shard, shaped

__all__ = ["RayIndex", "ShardUnavailableError", "build", "open"]

_NAMESPACE = "proxime"
#: How long a server that failed or was too slow is asked last.
_SUSPECT_S = 2.0
#: How long a server may take to start.
_START_S = 30.0
#: A hedge goes out when a call takes longer than 95 % of the last ones did; before there are enough of them, after this.
_HEDGE_FIRST_S = 0.05
_HEDGE_MIN_S = 0.01
#: Up to so many queries what a call costs is messages, and few servers are asked; with more it is work, which all share.
_FEW_QUERIES = 32


class ShardUnavailableError(StorageError):
    """Shards of which no replica answered in time; `missing` has their numbers. Asking again may help: servers come back."""

    def __init__(self, missing: Sequence[int]) -> None:
        super().__init__(f"no replica of the shards {list(missing)} answered")
        self.missing = tuple(missing)

    def __reduce__(self) -> Any:
        return type(self), (self.missing,)


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
    return ray.remote(function).options(num_cpus=cpus, max_retries=5, runtime_env=_environment(cpus))


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


def _environment(cpus: float) -> dict[str, Any]:
    return {"env_vars": {"PROXIME_THREADS": str(max(1, int(cpus)))}}


class _Server:
    """An actor: opens the shards that it is asked for, of any manifest, and keeps them."""

    def __init__(self, root: _shards.Root) -> None:
        self._root = root
        self._manifests: dict[int, _shards.Manifest] = {}
        self._opened: dict[_shards.Shard, tuple[Any, Any]] = {}

    def hello(self) -> dict[str, Any]:
        """Who this is."""
        node = ray.get_runtime_context().get_node_id()
        shards = sorted(shard.folder for shard in self._opened)
        return {"version": __version__, "pid": os.getpid(), "node": node, "shards": shards}

    def load(self, number: int, shards: Sequence[int]) -> None:
        """Opens shards, and closes those that are of older manifests only."""
        for shard in shards:
            self._collection(number, shard)
        self._manifests = {n: manifest for n, manifest in self._manifests.items() if n >= number}
        needed = {shard for manifest in self._manifests.values() for shard in manifest.shards}
        for old in [shard for shard in self._opened if shard not in needed]:
            del self._opened[old]  # closed when the last search is done with it

    def search(self, request: bytes) -> bytes:
        """What each shard has; None for one that cannot be read.

        Packed both ways: what Ray itself makes of several small arrays takes it a quarter of an empty call.
        """
        number, shards, queries, k, options = pickle.loads(request)
        found: list[Part | None] = []
        for shard in shards:
            try:
                found.append(search_shard(self._collection(number, shard), queries, k, options))
            except StorageError:
                found.append(None)
        return pickle.dumps(found)

    def _collection(self, number: int, shard: int) -> Any:
        if number not in self._manifests:
            self._manifests[number] = _shards.read(self._root, number)
        chosen = self._manifests[number].shards[shard]
        if chosen not in self._opened:
            self._opened[chosen] = _shards.open_shard(self._root, number, chosen)
        return self._opened[chosen][1]


def open(uri: str | PathLike[str], *, replicas: int = 2, servers: int | None = None, cpus: float = 1) -> "RayIndex":
    """Open the newest complete index in a folder or in object storage, with its servers, one a node if `servers` does not say how many.

    Servers outlive the client: opening again, also from elsewhere, finds those that run. `cpus` is what each of them takes.
    Errors: no index; servers of another version of Proxime.
    """
    root = _shards.place(uri)
    return RayIndex(root if isinstance(root, str) else root.absolute(), replicas, servers or len(_nodes(cpus)), cpus)


def _nodes(cpus: float) -> list[str]:
    """The nodes that have room for a server at all: a head without CPUs has not."""
    return [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= cpus]


class RayIndex:
    """An index in shards, searched by the servers of a Ray cluster. Made by `open`. Several threads may search."""

    def __init__(self, root: _shards.Root, replicas: int, servers: int, cpus: float) -> None:
        self._root = root
        self._cpus = cpus
        self._servers: list[Any] = []
        self._suspect_until: dict[int, float] = {}
        self._times: deque[float] = deque(maxlen=1_000)
        self._hedge_s = _HEDGE_FIRST_S
        self._calls = 0
        self._answers = 0
        self._hedges = 0
        self._replicas = replicas
        self.refresh()
        self.scale(replicas=replicas, servers=servers)

    def scale(self, *, replicas: int | None = None, servers: int | None = None) -> None:
        """Go over to other numbers of replicas or servers. Shards are opened where they are new before this returns."""
        count = len(self._servers) if servers is None else servers
        wanted = self._replicas if replicas is None else replicas
        if not (0 < wanted <= count and _nodes(self._cpus)):
            raise ParameterError(f"{wanted} replicas need at least as many servers; there are {count}, on {len(_nodes(self._cpus))} nodes")
        for gone in self._servers[count:]:
            ray.kill(gone)
        nodes = _nodes(self._cpus)
        # Neighbours, which share shards, on different nodes.
        self._servers = [self._server(i, nodes[i % len(nodes)]) for i in range(count)]
        self._replicas = wanted
        self._suspect_until = {}
        self._load(_START_S)

    def _server(self, i: int, node: str) -> Any:
        place = NodeAffinitySchedulingStrategy(node, soft=True)
        key = hashlib.blake2b(str(self._root).encode(), digest_size=8).hexdigest()
        actor = ray.remote(_Server).options(
            name=f"{key}-{i}",
            namespace=_NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=8,
            num_cpus=self._cpus,
            scheduling_strategy=place,
            runtime_env=_environment(self._cpus),
        )
        return actor.remote(self._root)

    def refresh(self) -> None:
        """Look for what was built since, have the servers open it, and go over to it."""
        self._number = _shards.newest(self._root)
        self._manifest = _shards.read(self._root, self._number)
        if self._servers:
            self._load(_SUSPECT_S)

    def _load(self, patience_s: float) -> None:
        """Has servers open their shards. Those that do not answer now open them when they are asked."""
        shards = range(len(self._manifest.shards))
        calls = []
        for i, (server, hello) in enumerate(zip(self._servers, self.status(patience_s))):
            if hello is None:
                continue
            if hello["version"] != __version__:
                raise UnsupportedError(f"a server runs Proxime {hello['version']}, this client {__version__}; close and open again")
            calls.append(server.load.remote(self._number, [j for j in shards if i in self._homes(j)]))
        for call in calls:
            try:
                ray.get(call)
            except RayActorError:
                continue

    def _homes(self, shard: int) -> list[int]:
        return [(shard + r) % len(self._servers) for r in range(self._replicas)]

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        timeout: float = 10.0,
        partial: Literal["error", "allow"] = "error",
        **options: Any,
    ) -> Answer:
        """The `k` nearest records of each query, as `ShardedIndex.search` finds them.

        While a replica of each shard is alive, the answer is complete. Where there is none, or none answers within `timeout`
        seconds: an error with `partial="error"`, and with `"allow"` the nearest of the rows that were searched, with their
        share as `coverage` and the shards without answer as `missing`. Errors: `ShardUnavailableError`; wrong options.
        """
        if partial not in ("error", "allow"):
            raise ParameterError(f'partial is "error" or "allow", not {partial!r}')
        rows = np.atleast_2d(np.asarray(queries, np.float32))
        call = _Call(self, rows, k, options, time.monotonic() + timeout)
        parts = call.run()
        missing = tuple(j for j, part in enumerate(parts) if part is None)
        if missing and (partial == "error" or len(missing) == len(parts)):
            raise ShardUnavailableError(missing)
        answer = merge([part for part in parts if part is not None], k)
        if missing:
            lost = sum(self._manifest.shards[j].rows for j in missing)
            answer = replace(answer, coverage=1 - lost / self._manifest.rows, missing=missing)
        return shaped(answer, queries)

    def _took(self, seconds: float) -> None:
        """Learns from a call when to send a hedge; now and then, since sorting takes longer than adding."""
        self._times.append(seconds)
        self._answers += 1
        if self._answers % 32 == 0:
            self._hedge_s = max(_HEDGE_MIN_S, float(np.quantile(self._times, 0.95)))

    def status(self, timeout: float = 1.0) -> list[dict[str, Any] | None]:
        """Of each server its version, node, process and open shards; None for one that does not answer in time."""
        calls = [server.hello.remote() for server in self._servers]
        ray.wait(calls, num_returns=len(calls), timeout=timeout)
        found = []
        for call in calls:
            try:
                found.append(ray.get(call, timeout=0))
            except (RayActorError, ray.exceptions.GetTimeoutError):
                found.append(None)
        return found

    @property
    def hedges(self) -> int:
        """How many calls were sent to a second server because the first was slow."""
        return self._hedges

    def digest(self) -> str:
        """One number for all records."""
        return self._manifest.digest()

    def __len__(self) -> int:
        return self._manifest.rows

    def close(self) -> None:
        """End the servers, for every client. Without it they stay, and the next `open` finds them."""
        for server in self._servers:
            ray.kill(server)
        self._servers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _few_servers(homes: Sequence[Sequence[int]], without: set[int], turn: int) -> set[int]:
    """Few servers that have all shards between them, as far as there are such; others with each turn. `homes` has those of each
    shard. Always the one that has most of what is left: at worst a logarithm more than the fewest (Chvátal 1979).
    """
    few: set[int] = set()
    # Of equal servers the one that is met first is taken; each turn of a shard's replicas begins at the next shard.
    begin = turn // len(homes[0])
    shards = [(begin + j) % len(homes) for j in range(len(homes))]
    left = {j: [i for i in homes[j] if i not in without] for j in shards}
    while any(left.values()):
        most, _ = Counter(i for own in left.values() for i in own).most_common(1)[0]
        few.add(most)
        left = {shard: own for shard, own in left.items() if most not in own}
    return few


class _Call:
    """One search: which shards have answered, who has been asked for what, and when a second is asked."""

    def __init__(self, index: RayIndex, queries: NDArray[np.float32], k: int, options: Any, deadline: float) -> None:
        self._index = index
        self._arguments = (queries, k, options)
        self._deadline = deadline
        shards = len(index._manifest.shards)
        self._parts: list[Part | None] = [None] * shards
        # Whom to ask for each shard: in turn, and those last that failed lately.
        index._calls += 1
        now = time.monotonic()
        suspects = {i for i, until in index._suspect_until.items() if until > now}
        turned = [self._turned(index._homes(j), index._calls) for j in range(shards)]
        few = _few_servers(turned, suspects, index._calls) if len(queries) <= _FEW_QUERIES else set()
        self._left = [sorted(homes, key=lambda i: (i in suspects, i not in few)) for homes in turned]
        #: Calls that have not answered: server, shards, and when they were sent; and those of them that were hedged.
        self._asked: dict[Any, tuple[int, list[int], float]] = {}
        self._hedged: set[Any] = set()

    @staticmethod
    def _turned(homes: list[int], by: int) -> list[int]:
        by %= len(homes)
        return homes[by:] + homes[:by]

    def run(self) -> list[Part | None]:
        """What each shard has found; None where no replica answered in time."""
        hedge = self._index._hedge_s
        self._ask(range(len(self._parts)))
        while self._asked and any(part is None for part in self._parts):
            now = time.monotonic()
            if now >= self._deadline:
                break
            waiting = [sent + hedge for ref, (_, _, sent) in self._asked.items() if ref not in self._hedged]
            until = min([self._deadline, *waiting])
            # All are needed until one is hedged: then whichever of the two comes.
            needed = 1 if self._hedged else len(self._asked)
            ready, _ = ray.wait(list(self._asked), num_returns=needed, timeout=max(0.0, until - now))
            for ref in ready:
                self._take(ref)
            self._hedge_older_than(time.monotonic() - hedge)
        for ref, (i, shards, _) in self._asked.items():
            # Slower than its hedge, or too late.
            if ref in self._hedged or any(self._parts[j] is None for j in shards):
                self._index._suspect_until[i] = time.monotonic() + _SUSPECT_S
        return self._parts

    def _ask(self, shards: Iterable[int]) -> None:
        """Asks, for each shard that has not answered, the next of its servers; one message a server."""
        messages: dict[int, list[int]] = {}
        for j in shards:
            if self._parts[j] is None and self._left[j]:
                messages.setdefault(self._left[j].pop(0), []).append(j)
        for i, mine in messages.items():
            request = pickle.dumps((self._index._number, mine, *self._arguments))
            ref = self._index._servers[i].search.remote(request)
            self._asked[ref] = (i, mine, time.monotonic())

    def _take(self, ref: Any) -> None:
        i, shards, sent = self._asked.pop(ref)
        try:
            parts = pickle.loads(ray.get(ref))
        except RayActorError:
            self._index._suspect_until[i] = time.monotonic() + _SUSPECT_S
            parts = [None] * len(shards)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Error):
                raise error.cause from None
            raise
        else:
            self._index._took(time.monotonic() - sent)
        for j, part in zip(shards, parts):
            self._parts[j] = part if self._parts[j] is None else self._parts[j]
        self._ask(shards)

    def _hedge_older_than(self, sent_before: float) -> None:
        for ref, (_, shards, sent) in list(self._asked.items()):
            if sent <= sent_before and ref not in self._hedged:
                self._hedged.add(ref)
                self._index._hedges += 1
                self._ask(shards)
