"""What a client has: `open`, and the index that it gives."""

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import ray
from numpy.typing import ArrayLike
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .. import __version__, _shards
from ..exceptions import ClosedError, ParameterError, UnsupportedError
from ..sharded import Answer, by_words, merge, one_of, shaped
from ._build import environment
from ._call import SUSPECT_S, Call, Pace, Peer, ShardUnavailableError, View
from ._server import Server

_NAMESPACE = "proxime"
#: How long a server may take to start.
_START_S = 30.0
#: Up to so many queries what a call costs is messages, and few servers are asked; with more it is work, which all share.
_FEW_QUERIES = 32


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
    """An index in shards, searched by the servers of a Ray cluster. Made by `open`. Several threads may search, and one beside them `refresh` or
    `scale`.
    """

    def __init__(self, root: _shards.Root, replicas: int, servers: int, cpus: float) -> None:
        self._root = root
        self._cpus = cpus
        self._pace = Pace()
        self._turns = itertools.count()
        self._hedges = 0
        number = _shards.newest(root)
        self._view = View(number, _shards.read(root, number), (), replicas)
        self.scale(servers=servers)

    def scale(self, *, replicas: int | None = None, servers: int | None = None) -> None:
        """Go over to other numbers of replicas or servers. Shards are opened where they are new before this returns."""
        old = self._view
        count = len(old.peers) if servers is None else servers
        wanted = old.replicas if replicas is None else replicas
        nodes = _nodes(self._cpus)
        if not (0 < wanted <= count and nodes):
            raise ParameterError(f"{wanted} replicas need at least as many servers; there are {count}, on {len(nodes)} nodes")
        # What is new goes to the nodes with the fewest servers; neighbours, which share shards, to different ones.
        taken = Counter(server["node"] for server in self.status() if server)
        nodes.sort(key=lambda node: taken[node])
        peers = tuple(Peer(self._server(i, nodes[(i - len(old.peers)) % len(nodes)])) for i in range(count))
        self._go_over_to(replace(old, peers=peers, replicas=wanted), _START_S)
        for gone in old.peers[count:]:
            ray.kill(gone.actor)

    def _server(self, i: int, node: str) -> Any:
        place = NodeAffinitySchedulingStrategy(node, soft=True)
        key = hashlib.blake2b(str(self._root).encode(), digest_size=8).hexdigest()
        actor = ray.remote(Server).options(
            name=f"{key}-{i}",
            namespace=_NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=8,
            num_cpus=self._cpus,
            scheduling_strategy=place,
            runtime_env=environment(self._cpus),
        )
        return actor.remote(self._root)

    def refresh(self) -> None:
        """Look for what was built since, have the servers open it, and go over to it."""
        number = _shards.newest(self._root)
        self._go_over_to(replace(self._view, number=number, manifest=_shards.read(self._root, number)), SUSPECT_S)

    def _go_over_to(self, view: View, patience_s: float) -> None:
        """Has servers open their shards. Those that do not answer now open them when they are asked."""
        shards = range(len(view.manifest.shards))
        calls = {}
        for i, (peer, hello) in enumerate(zip(view.peers, _hellos(view.peers, patience_s))):
            if hello is None:
                continue
            if hello["version"] != __version__:
                raise UnsupportedError(f"a server runs Proxime {hello['version']}, this client {__version__}; close and open again")
            calls[peer.actor.load.remote(view.number, [j for j in shards if i in view.homes(j)])] = peer
        wrong: dict[int, list[Exception]] = {}
        while calls:
            done, waiting = ray.wait(list(calls), num_returns=len(calls), timeout=SUSPECT_S)
            for call in done:
                try:
                    for shard, error in ray.get(call).items():
                        wrong.setdefault(shard, []).append(error)
                except RayActorError:
                    continue
            # Who has much to open still says hello, who hangs does not.
            hellos = _hellos([calls[call] for call in waiting], SUSPECT_S)
            calls = {call: calls[call] for call, hello in zip(waiting, hellos) if hello}
        for errors in wrong.values():
            if len(errors) == view.replicas:
                raise errors[0]
        self._view = view

    def search(
        self,
        queries: ArrayLike | None = None,
        k: int = 10,
        *,
        vector: ArrayLike | None = None,
        text: str | None = None,
        fields: str | Sequence[str] = "text",
        fusion: Any = "rrf",
        timeout: float = 10.0,
        partial: Literal["error", "allow"] = "error",
        **options: Any,
    ) -> Answer:
        """The `k` nearest records of each query, or those that a search by words puts first, as `ShardedIndex.search` finds them.

        While a replica of each shard is alive, the answer is complete. Where none answers within `timeout` seconds: an error with
        `partial="error"`. With `"allow"`, as soon as there is none left to ask: the nearest of the rows that were searched, with their
        share as `coverage` and the shards without answer as `missing`. Errors: `ShardUnavailableError`; wrong options.
        """
        if partial not in ("error", "allow"):
            raise ParameterError(f'partial is "error" or "allow", not {partial!r}')
        deadline = time.monotonic() + timeout
        view = self._view
        if not view.peers:
            raise ClosedError("the index is closed")

        def ask(*arguments: Any, few: bool = True) -> list[Any]:
            call = Call(view, self._pace, next(self._turns), arguments, few=few, patient=partial == "error")
            parts = call.run(deadline)
            self._hedges += call.hedges
            return parts

        if text is not None:
            answer, lost = by_words(ask, text, queries, vector, k, fields, fusion, options)
            return self._covering(view, answer, lost, partial)
        given = one_of(queries, vector)
        rows = np.atleast_2d(np.asarray(given, np.float32))
        parts = ask("near", rows, k, options, few=len(rows) <= _FEW_QUERIES)
        lost = {j for j, part in enumerate(parts) if part is None}
        there = [part for part in parts if part is not None]
        return self._covering(view, shaped(merge(there, k), given) if there else None, lost, partial)

    def _covering(self, view: View, answer: Answer | None, lost: set[int], partial: str) -> Answer:
        """The answer with what it covers. Errors: that is not enough."""
        missing = tuple(sorted(lost))
        if answer is None or missing and (partial == "error" or len(missing) == len(view.manifest.shards)):
            raise ShardUnavailableError(missing)
        if not missing:
            return answer
        rows = sum(view.manifest.shards[j].rows for j in missing)
        return replace(answer, coverage=1 - rows / view.manifest.rows, missing=missing)

    def status(self, timeout: float = 1.0) -> list[dict[str, Any] | None]:
        """Of each server its version, node, process and open shards; None for one that does not answer in time."""
        return _hellos(self._view.peers, timeout)

    @property
    def hedges(self) -> int:
        """How many requests were sent to a second server because the first was slow."""
        return self._hedges

    def digest(self) -> str:
        """One number for all records."""
        return self._view.manifest.digest()

    def __len__(self) -> int:
        return self._view.manifest.rows

    def close(self) -> None:
        """End the servers, for every client. Without it they stay, and the next `open` finds them."""
        for peer in self._view.peers:
            ray.kill(peer.actor)
        self._view = replace(self._view, peers=())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hellos(peers: Sequence[Peer], timeout: float) -> list[dict[str, Any] | None]:
    calls = [peer.actor.hello.remote() for peer in peers]
    if calls:
        ray.wait(calls, num_returns=len(calls), timeout=timeout)
    found = []
    for call in calls:
        try:
            found.append(ray.get(call, timeout=0))
        except (RayActorError, GetTimeoutError):
            found.append(None)
    return found
