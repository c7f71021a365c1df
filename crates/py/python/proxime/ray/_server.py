"""The actor that has shards open, and answers searches of them."""

import os
import pickle
import threading
from collections.abc import Sequence
from typing import Any

import ray

from .. import __version__, _shards
from ..exceptions import DamagedError, StorageError
from ..sharded import CALLS
from ._wire import Listener


class Server:
    """An actor: opens the shards that it is asked for, of any manifest, and keeps them."""

    def __init__(self, root: _shards.Root) -> None:
        self._root = root
        self._opening = threading.Lock()
        self._manifests: dict[int, _shards.Manifest] = {}
        self._opened: dict[_shards.Shard, tuple[Any, Any]] = {}
        self._listener = Listener(ray.util.get_node_ip_address(), self._answer)

    def hello(self) -> dict[str, Any]:
        """Who this is."""
        node = ray.get_runtime_context().get_node_id()
        shards = sorted(shard.folder for shard in list(self._opened))
        return {"version": __version__, "pid": os.getpid(), "node": node, "shards": shards}

    def where(self) -> tuple[tuple[str, int], bytes]:
        """The address that searches go to, and the key that they need."""
        return self._listener.address, self._listener.key

    def load(self, number: int, shards: Sequence[int]) -> dict[int, Exception]:
        """Opens shards, and closes those that are of older manifests only. What is wrong with those that it could not open."""
        wrong: dict[int, Exception] = {}
        for shard in shards:
            try:
                self._collection(number, shard)
            except Exception as error:
                wrong[shard] = error
        with self._opening:
            self._manifests = {n: manifest for n, manifest in self._manifests.items() if n >= number}
            needed = {shard for manifest in self._manifests.values() for shard in manifest.shards}
            # Closed when the last search is done with them.
            self._opened = {shard: opened for shard, opened in self._opened.items() if shard in needed}
        return wrong

    def _answer(self, request: bytes) -> bytes:
        """What each shard has, and None for one that cannot be read; or the error of a request that is wrong."""
        number, shards, *arguments = pickle.loads(request)
        try:
            return pickle.dumps([self._found(number, shard, *arguments) for shard in shards])
        except Exception as error:
            return pickle.dumps(error)

    def _found(self, number: int, shard: int, what: str, *arguments: Any) -> Any:
        """What another replica may be able to read is no error."""
        try:
            collection = self._collection(number, shard)
        except Exception:
            return None
        try:
            return CALLS[what](collection, *arguments)
        except (DamagedError, StorageError):
            return None

    def _collection(self, number: int, shard: int) -> Any:
        manifest = self._manifests.get(number)
        opened = self._opened.get(manifest.shards[shard]) if manifest else None
        return opened[1] if opened else self._open(number, shard)

    def _open(self, number: int, shard: int) -> Any:
        """One at a time: what two open at once would be read twice."""
        with self._opening:
            if number not in self._manifests:
                self._manifests[number] = _shards.read(self._root, number)
            chosen = self._manifests[number].shards[shard]
            if chosen not in self._opened:
                self._opened[chosen] = _shards.open_shard(self._root, number, chosen)
            return self._opened[chosen][1]
