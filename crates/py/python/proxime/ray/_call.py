"""One search over the servers: whom to ask for what, what to do when one is slow or dies, until every shard has answered or time is up."""

import pickle
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import GetTimeoutError, RayError

from .. import _shards
from ..exceptions import StorageError
from ._wire import Line, answers

#: How long a server that failed or was too slow is asked last.
SUSPECT_S = 2.0
#: After how long a shard is asked for again of whom has failed, if there is nobody else.
_AGAIN_S = 0.05
#: A hedge goes out when a call takes longer than 95 % of the last ones did; before there are enough of them, after this.
_HEDGE_FIRST_S = 0.05
_HEDGE_MIN_S = 0.01


class ShardUnavailableError(StorageError):
    """Shards of which no replica answered in time; `missing` has their numbers. Asking again may help: servers come back."""

    def __init__(self, missing: Sequence[int]) -> None:
        super().__init__(f"no replica of the shards {list(missing)} answered")
        self.missing: tuple[int, ...] = tuple(missing)

    def __reduce__(self) -> Any:
        return type(self), (self.missing,)


class Peer:
    """A server as a client sees it: the actor, the lines to it, and until when it is asked last."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self._suspect_until = 0.0
        self._idle: deque[Line] = deque()
        self._where: tuple[tuple[str, int], bytes] | None = None
        self._asked_where: Any = actor.where.remote()

    def suspect(self) -> bool:
        """Whether it has failed lately."""
        return self._suspect_until > time.monotonic()

    def line(self) -> Line | None:
        """One that nobody uses, or a new one; None while Ray does not say where the server is."""
        try:
            return self._idle.popleft()
        except IndexError:
            where = self._where or self._answered()
            return Line(*where) if where else None

    def _answered(self) -> tuple[tuple[str, int], bytes] | None:
        asked = self._asked_where
        try:
            self._where = ray.get(asked, timeout=0)
        except GetTimeoutError:
            return None
        except RayError:
            self._asked_where = self.actor.where.remote()
        return self._where

    def give_back(self, line: Line) -> None:
        """A line whose answer is here."""
        self._idle.append(line)

    def slow(self) -> None:
        """It has not answered in time."""
        self._suspect_until = time.monotonic() + SUSPECT_S

    def failed(self) -> None:
        """It has hung up: it has died, and Ray starts another, somewhere else."""
        self.slow()
        self._idle.clear()
        if self._where is not None:
            self._asked_where, self._where = self.actor.where.remote(), None


class Pace:
    """Learns from calls when to send a hedge."""

    def __init__(self) -> None:
        self.hedge_s = _HEDGE_FIRST_S
        self._times: deque[float] = deque(maxlen=1_000)
        self._answers = 0

    def took(self, seconds: float) -> None:
        """An answer. The quantile is taken now and then, since sorting takes longer than adding."""
        self._times.append(seconds)
        self._answers += 1
        if self._answers % 32 == 0:
            self.hedge_s = max(_HEDGE_MIN_S, float(np.quantile(list(self._times), 0.95)))


@dataclass(frozen=True)
class View:
    """What a search needs to know. It never changes: who goes over to something else makes another."""

    number: int
    manifest: _shards.Manifest
    peers: tuple[Peer, ...]
    replicas: int

    def homes(self, shard: int, turn: int = 0) -> list[int]:
        """The servers of a shard, another one first with each turn."""
        return [(shard + (turn + r) % self.replicas) % len(self.peers) for r in range(self.replicas)]


def few_servers(homes: Sequence[Sequence[int]], without: set[int], turn: int) -> set[int]:
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


@dataclass
class _Request:
    """On its way: to which server, for which shards, since when, and whether others were asked for the same."""

    server: int
    shards: list[int]
    sent: float
    hedged: bool = False


class Call:
    """One search: which shards have answered, who has been asked for what, and when a second is asked."""

    def __init__(self, view: View, pace: Pace, turn: int, arguments: tuple[Any, ...], *, few: bool, patient: bool) -> None:
        self._view = view
        self._pace = pace
        self._arguments = arguments
        #: Whether a shard whose servers have all failed is asked for again.
        self._patient = patient
        shards = range(len(view.manifest.shards))
        self._parts: list[Any] = [None for _ in shards]
        # Whom to ask for each shard: in turn, and those last that failed lately.
        suspects = {i for i, peer in enumerate(view.peers) if peer.suspect()}
        turned = [view.homes(j, turn) for j in shards]
        chosen = few_servers(turned, suspects, turn) if few else set()
        self._left = [sorted(homes, key=lambda i: (i in suspects, i not in chosen)) for homes in turned]
        self._requests: dict[Line, _Request] = {}
        self._again: dict[int, float] = {}
        self.hedges = 0

    def run(self, deadline: float) -> list[Any]:
        """What each shard has found; None where no replica answered in time. Errors: those of a wrong request."""
        hedge = self._pace.hedge_s
        try:
            self._ask(range(len(self._parts)))
            while (self._requests or self._again) and any(part is None for part in self._parts):
                waiting = [request.sent + hedge for request in self._requests.values() if not request.hedged]
                until = min([deadline, *waiting, *self._again.values()])
                found = answers(self._requests, max(0.0, until - time.monotonic()))
                for line, answer in found:
                    self._take(line, answer)
                now = time.monotonic()
                # What is here already counts, also if this process was held up for longer than it wanted to wait.
                if now >= deadline and not found:
                    break
                self._hedge_older_than(now - hedge)
                self._ask_again(now)
            return self._parts
        finally:
            for line, request in self._requests.items():
                line.close()
                # Slower than its hedge, or too late.
                if request.hedged or any(self._parts[j] is None for j in request.shards):
                    self._view.peers[request.server].slow()

    def _ask(self, shards: Iterable[int]) -> None:
        """Asks, for each shard that has not answered, the next of its servers; one message a server."""
        messages: dict[int, list[int]] = {}
        for j in shards:
            if self._parts[j] is None and self._left[j]:
                messages.setdefault(self._left[j].pop(0), []).append(j)
            elif self._parts[j] is None and self._patient:
                self._again[j] = time.monotonic() + _AGAIN_S
        for i, mine in messages.items():
            line = self._view.peers[i].line()
            if line is None:
                self._ask(mine)
            else:
                line.ask(pickle.dumps((self._view.number, mine, *self._arguments)))
                self._requests[line] = _Request(i, mine, time.monotonic())

    def _take(self, line: Line, answer: bytes | None) -> None:
        request = self._requests.pop(line)
        peer = self._view.peers[request.server]
        if answer is None:
            peer.failed()
        else:
            peer.give_back(line)
            self._pace.took(time.monotonic() - request.sent)
            found = pickle.loads(answer)
            if isinstance(found, Exception):
                raise found
            for j, part in zip(request.shards, found):
                self._parts[j] = part if self._parts[j] is None else self._parts[j]
        self._ask(request.shards)

    def _hedge_older_than(self, sent_before: float) -> None:
        for request in list(self._requests.values()):
            if request.sent <= sent_before and not request.hedged:
                request.hedged = True
                self.hedges += 1
                self._ask(request.shards)

    def _ask_again(self, now: float) -> None:
        """For shards of which no server is left, those that do not have a request of this call."""
        due = [j for j, when in self._again.items() if when <= now]
        for j in due:
            del self._again[j]
            asked = {request.server for request in self._requests.values() if j in request.shards}
            self._left[j] = [i for i in self._view.homes(j) if i not in asked]
        self._ask(due)
