"""What a search on a Ray cluster costs beside its work: `python crates/py/conformance/overhead.py`. The figures of docs/SCALE.md.

Three nodes on this machine, six shards, two and three replicas. Every round asks one query of each thing that is compared, in turn.
"""

import os
import pickle
import tempfile
import time

import numpy as np

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
from ray.cluster_utils import Cluster

import proxime.ray
from proxime import sharded

ROWS, DIM, SHARDS, ROUNDS = 60_000, 128, 6, 400


@ray.remote
class Empty:
    def call(self, request):
        return None


def compare(things, rounds):
    times = {name: [] for name in things}
    for _ in range(rounds):
        for name, call in things.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    for name, taken in times.items():
        p50, p99 = np.quantile(taken, [0.5, 0.99]) * 1_000
        print(f"{name:<34} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")


def main():
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(3):
        cluster.add_node(num_cpus=3, object_store_memory=200_000_000)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    random = np.random.default_rng(0)
    rows = random.standard_normal((ROWS, DIM), dtype=np.float32)
    queries = random.standard_normal((1_000, DIM), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        proxime.ray.build(rows, folder, shards=SHARDS, metric="l2")
        print(f"build of {ROWS:,} x {DIM}: {time.perf_counter() - start:.1f} s")
        local = sharded.ShardedIndex.open(folder)
        actors = [Empty.options(num_cpus=0, max_concurrency=8, scheduling_strategy="SPREAD").remote() for _ in range(3)]
        with proxime.ray.open(folder, replicas=2) as index:
            one = queries[:1]
            # Bytes: an array of NumPy would take an empty call half as long again.
            request = pickle.dumps(one)
            things = {
                "empty call of one actor": lambda: ray.get(actors[0].call.remote(request)),
                "empty calls of two actors": lambda: ray.get([actor.call.remote(request) for actor in actors[:2]]),
                "1 query, two of three servers": lambda: index.search(one, timeout=60),
                "1 query, without Ray": lambda: local.search(one),
            }
            compare(things, 50)
            print("warm:")
            compare(things, ROUNDS)
            print(f"{index.hedges} hedges")
            index.scale(replicas=3)
            del things["empty calls of two actors"], things["1 query, two of three servers"]
            things["1 query, one server with all shards"] = lambda: index.search(one, timeout=60)
            compare(things, 50)
            print("three replicas, warm:")
            compare(things, ROUNDS)
            compare({"1,000 queries, three servers": lambda: index.search(queries, timeout=60),
                     "1,000 queries, without Ray": lambda: local.search(queries)}, 10)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
