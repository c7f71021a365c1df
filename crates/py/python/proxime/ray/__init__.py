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

Ray starts servers, starts them again elsewhere and knows where they are. Searches go to them over TCP, on ports that they choose among the free ones, from
wherever Ray's own messages between nodes can be sent.
"""

try:
    import ray
except ImportError as _error:
    raise ImportError('proxime.ray needs Ray: pip install "proxime[ray]"') from _error

from ._build import build
from ._call import ShardUnavailableError
from ._index import RayIndex, open

__all__ = ["RayIndex", "ShardUnavailableError", "build", "open"]
del ray
