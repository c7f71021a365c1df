"""An index on a Ray cluster of three nodes, all on this machine: the answers of the index without Ray, whatever dies.

While something goes wrong, a thread asks without pause and compares every answer with the reference. `pytest -s test_ray.py --drills 20` has each thing
happen twenty times, and prints how long it took to recover.
"""

import os
import signal
import sys
import threading
import time

import numpy as np
import obstore
import pytest
from obstore.store import from_url

import proxime
from proxime import sharded

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray")
import proxime.ray  # noqa: E402  (after the variable)
import proxime.s3  # noqa: E402
from conftest import environment  # noqa: E402
from proxime.ray._call import View, few_servers  # noqa: E402

# Workers do not have this module.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

N, DIM, SHARDS, K = 6_000, 16, 6, 10
ROWS = np.random.default_rng(1).standard_normal((N, DIM), dtype=np.float32)
QUERIES = np.random.default_rng(2).standard_normal((5, DIM), dtype=np.float32)
MEMORY = 80_000_000
#: Of calls under load. A machine that stands still for so long is not what is tested.
PATIENCE_S = 600


@pytest.fixture(scope="module")
def cluster(server, tmp_path_factory):
    from ray.cluster_utils import Cluster

    # Nodes and their workers have what this process has when it starts them.
    os.environ |= environment(server) | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    # The head has no CPUs, so no server is on the node that everything depends on.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False})
    for _ in range(3):
        cluster.add_node(num_cpus=3, object_store_memory=MEMORY)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def root(cluster, tmp_path_factory):
    root = tmp_path_factory.mktemp("ray") / "index"
    assert proxime.ray.build(ROWS, root, shards=SHARDS, metric="l2") == 1
    return root


@pytest.fixture(scope="module")
def truth(root):
    with sharded.ShardedIndex.open(root) as index:
        return index.search(QUERIES, K, exact=True)


@pytest.fixture
def index(root):
    with proxime.ray.open(root, replicas=2) as index:
        wait_until_all_answer(index)
        yield index


class Load:
    """Asks without pause in a thread, as long as the block lasts."""

    def __init__(self, index, truth):
        self.index, self.truth = index, truth
        self.calls, self.failures, self.wrong, self.times = 0, [], 0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            start = time.perf_counter()
            try:
                found = self.index.search(QUERIES, K, exact=True, timeout=PATIENCE_S)
            except Exception as error:
                self.failures.append(error)
            else:
                same = np.array_equal(found.ids, self.truth.ids) and np.array_equal(found.distances, self.truth.distances)
                self.wrong += not (same and found.coverage == 1)
                self.times.append(time.perf_counter() - start)
            self.calls += 1

    def __enter__(self):
        self._thread.start()
        self.wait_for_calls(30)
        return self

    def wait_for_calls(self, more):
        goal = self.calls + more
        while self.calls < goal:
            time.sleep(0.01)

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        p50, p99 = np.quantile(self.times, [0.5, 0.99]) * 1_000
        print(f"{self.calls} calls, {len(self.failures)} failed, {self.wrong} wrong, {self.index.hedges} hedges in all, "
              f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(self.times) * 1_000:.0f} ms")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_until_all_answer(index, since=None):
    """Prints how long that took, `since` something happened."""
    while None in index.status():
        time.sleep(0.05)
    if since is not None:
        print(f"\nall servers answer again after {time.monotonic() - since:.1f} s", end=", ")


def whole(load):
    assert load.failures == []
    assert load.wrong == 0


def test_few_queries_go_to_few_servers_in_turn():
    for servers, replicas, shards, most in [(3, 2, 6, 2), (3, 1, 6, 3), (5, 2, 20, 3), (8, 3, 24, 3), (4, 4, 7, 1), (10, 2, 40, 5)]:
        homes = [[(j + r) % servers for r in range(replicas)] for j in range(shards)]
        asked = np.zeros(servers, int)
        view = View(1, None, (None,) * servers, replicas)
        for turn in range(shards * replicas):
            turned = [view.homes(j, turn) for j in range(shards)]
            assert [set(own) for own in turned] == [set(own) for own in homes]
            few = few_servers(turned, set(), turn)
            assert len(few) <= most
            assert all(few & set(own) for own in homes)
            asked[list(few)] += 1
            without = {turn % servers}
            others = few_servers(turned, without, turn)
            assert not others & without
            assert all(others & set(own) for own in homes if set(own) - without)
        assert asked.max() <= 2 * asked.min()


def test_answers_are_those_without_ray(root, index, truth):
    with sharded.ShardedIndex.open(root) as reference:
        assert index.digest() == reference.digest()
        assert len(index) == N
        for options in [{"exact": True}, {"ef": 50}, {"recall": 0.9}]:
            ours, its = index.search(QUERIES, K, **options), reference.search(QUERIES, K, **options)
            np.testing.assert_array_equal(ours.ids, its.ids)
            np.testing.assert_array_equal(ours.distances, its.distances)
        np.testing.assert_array_equal(index.search(QUERIES[1], K, exact=True).ids, truth.ids[1])
    with pytest.raises(proxime.FilterError, match="x"):
        index.search(QUERIES, where={"x": {"$around": 1}})
    with pytest.raises(proxime.DimensionError):
        index.search(QUERIES[:, :5])
    with pytest.raises(proxime.ParameterError):
        index.search(QUERIES, partial="maybe")
    with pytest.raises(proxime.ParameterError):
        proxime.ray.open(root, replicas=4)


def test_words_are_found_as_without_ray(cluster, tmp_path):
    texts = [" ".join("red blue fox bird dog".split()[j] for j in range(5) if i >> j & 1) for i in range(1_000)]
    source = sharded.Source(DIM, "l2", lambda: iter([sharded.Batch(range(1_000), ROWS[:1_000], [{"text": text} for text in texts])]))
    proxime.ray.build(source, tmp_path / "index", shards=3)
    with proxime.ray.open(tmp_path / "index") as index, sharded.ShardedIndex.open(tmp_path / "index") as reference:
        for options in [{}, {"vector": QUERIES[0], "exact": True}]:
            ours, its = (one.search(text="fox or bird", k=20, include="metadata", **options) for one in (index, reference))
            np.testing.assert_array_equal(ours.ids, its.ids)
            np.testing.assert_array_equal(ours.scores, its.scores)
            assert ours.metadata == its.metadata


def test_a_server_is_killed(index, truth, drills):
    for drill in drills:
        pid = index.status()[drill % 3]["pid"]
        with Load(index, truth) as load:
            since = time.monotonic()
            kill(pid)
            load.wait_for_calls(100)
            wait_until_all_answer(index, since)
            load.wait_for_calls(50)
        whole(load)


def test_a_server_hangs(index, truth, drills):
    for drill in drills:
        pid = index.status()[drill % 3]["pid"]
        with Load(index, truth) as load:
            os.kill(pid, signal.SIGSTOP)
            try:
                load.wait_for_calls(200)
            finally:
                since = time.monotonic()
                os.kill(pid, signal.SIGCONT)
            wait_until_all_answer(index, since)
            load.wait_for_calls(50)
        whole(load)
    assert index.hedges > 0


def test_a_node_joins(cluster, index, truth, drills):
    for _ in drills:
        with Load(index, truth) as load:
            since = time.monotonic()
            node = cluster.add_node(num_cpus=3, object_store_memory=MEMORY)
            index.scale(servers=4)
            wait_until_all_answer(index, since)
            load.wait_for_calls(50)
            assert index.status()[3]["node"] == node.node_id
            index.scale(servers=3)
            load.wait_for_calls(50)
        whole(load)
        cluster.remove_node(node)


def test_a_node_dies_with_its_server(cluster, root, truth, drills):
    for drill in drills:
        # Anew, for a server whose node has died may start beside its replica.
        with proxime.ray.open(root, replicas=2) as index:
            wait_until_all_answer(index)
            victim = index.status()[drill % 3]
            (node,) = [node for node in cluster.worker_nodes if node.node_id == victim["node"]]
            with Load(index, truth) as load:
                since = time.monotonic()
                cluster.remove_node(node, allow_graceful=False)
                kill(victim["pid"])  # it outlives its node for a moment, and answers
                load.wait_for_calls(200)
                wait_until_all_answer(index, since)
                load.wait_for_calls(50)
            whole(load)
        cluster.add_node(num_cpus=3, object_store_memory=MEMORY)
        cluster.wait_for_nodes()


def test_without_a_replica_the_answer_is_an_error_or_says_what_it_covers(root, truth):
    with proxime.ray.open(root, replicas=1) as index:
        assert len({server["node"] for server in index.status()}) == 3
        pid = index.status()[0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(proxime.ray.ShardUnavailableError) as error:
                index.search(QUERIES, K, exact=True, timeout=1)
            assert error.value.missing == (0, 3)
            found = index.search(QUERIES, K, exact=True, timeout=1, partial="allow")
        finally:
            os.kill(pid, signal.SIGCONT)
    shards = proxime._shards.read(root, 1).shards
    assert found.missing == (0, 3)
    assert found.coverage == pytest.approx(1 - (shards[0].rows + shards[3].rows) / N)
    homes = proxime._shards.shard_of(np.arange(N), SHARDS)
    there = np.flatnonzero(~np.isin(homes, [0, 3]))
    distances = ((QUERIES[:, None] - ROWS[there][None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found.ids, there[np.argsort(distances, axis=1)[:, :K]])


def test_servers_outlive_a_client_and_follow_it(root, truth, tmp_path):
    first = proxime.ray.open(root, replicas=2)
    second = proxime.ray.open(root, replicas=1)
    assert [s["pid"] for s in first.status()] == [s["pid"] for s in second.status()]
    second.scale(replicas=3)
    assert all(len(s["shards"]) == SHARDS for s in second.status())
    first.close()

    copy = tmp_path / "index"
    proxime.ray.build(ROWS[:1_000], copy, shards=2, metric="l2")
    with proxime.ray.open(copy) as index:
        proxime.ray.build(ROWS, copy, shards=SHARDS, metric="l2")
        assert len(index) == 1_000
        assert index.search(QUERIES, K).ids.max() < 1_000
        index.refresh()
        np.testing.assert_array_equal(index.search(QUERIES, K, exact=True).ids, truth.ids)
        assert all(len(s["shards"]) == 2 * SHARDS // 3 for s in index.status())


def test_a_dataset_of_ray_is_a_source(root, cluster, tmp_path):
    rows = [{"vector": ROWS[i], "key": f"k{i}", "n": i} for i in range(300)]
    data = ray.data.from_items(rows)
    for build in [proxime.ray.build, sharded.build]:
        folder = tmp_path / build.__module__
        build(data, folder, shards=2, metric="l2", id="key")
        with sharded.ShardedIndex.open(folder) as index:
            assert len(index) == 300
            np.testing.assert_array_equal(index.get("k7")["vector"], ROWS[7])
            assert index.get("k7")["metadata"] == {"n": 7}


class Deadly:
    """Kills the process that unpickles it, the first time."""

    def __init__(self, once):
        self._once = once

    def __reduce__(self):
        return die_once, (self._once,)


def die_once(once):
    if not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def written(place):
    return {entry["path"]: entry["last_modified"] for page in obstore.list(from_url(place)) for entry in page}


def test_an_index_in_object_storage(cluster, root, truth, place):
    """Without a folder that nodes share."""
    assert proxime.ray.build(ROWS, place, shards=SHARDS, metric="l2") == 1
    before = written(place)
    with proxime.ray.open(place, replicas=2) as index:
        found = index.search(QUERIES, K, exact=True)
        np.testing.assert_array_equal(found.ids, truth.ids)
        np.testing.assert_array_equal(found.distances, truth.distances)
        with sharded.ShardedIndex.open(root) as reference:
            assert index.digest() == reference.digest()
        assert proxime.ray.build(ROWS, place, shards=SHARDS, metric="l2") == 1
        assert sharded.build(ROWS, place, shards=SHARDS, metric="l2") == 1
        assert written(place) == before
        more = [ROWS, sharded.Source(DIM, "l2", lambda: iter([sharded.Batch([N], QUERIES[:1])]))]
        assert proxime.ray.build(more, place, shards=SHARDS, metric="l2") == 2
        assert before.items() < written(place).items()
        index.refresh()
        assert index.search(QUERIES[0], 1, exact=True).ids.tolist() == [N]


def test_a_build_to_object_storage_survives_killed_workers(cluster, place, tmp_path):
    grouping, building = tmp_path / "grouping", tmp_path / "building"

    def batches():
        for start in range(0, 1_000, 100):
            if start == 500:
                die_once(grouping)
            part = ROWS[start : start + 100]
            yield sharded.Batch(range(start, start + 100), part, [{"n": Deadly(building) if start == 300 else 7}] * 100)

    assert proxime.ray.build(sharded.Source(DIM, "l2", batches), place, shards=2) == 1
    assert grouping.exists() and building.exists()
    calm = sharded.Source(DIM, "l2", lambda: iter([sharded.Batch(range(1_000), ROWS[:1_000], [{"n": 7}] * 1_000)]))
    sharded.build(calm, tmp_path / "index", shards=2)
    with sharded.ShardedIndex.open(tmp_path / "index") as its, sharded.ShardedIndex.open(place) as ours:
        assert ours.digest() == its.digest()


def test_a_folder_that_is_not_there_on_a_node(cluster, tmp_path):
    with pytest.raises(proxime.StorageError, match="all nodes share"):
        ray.get(ray.remote(proxime.ray._build._shard).remote(0, [], tmp_path, str(tmp_path / "elsewhere"), 1, 4, "l2", "default"))


def test_a_build_survives_a_killed_worker_and_building_again_writes_nothing(root, tmp_path):
    once = tmp_path / "once"

    def batches():
        if not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield sharded.Batch(np.arange(N), ROWS)

    index = tmp_path / "index"
    assert proxime.ray.build(sharded.Source(DIM, "l2", batches), index, shards=SHARDS) == 1
    assert once.exists()
    assert proxime._shards.read(index, 1) == proxime._shards.read(root, 1)
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    assert proxime.ray.build(ROWS, index, shards=SHARDS, metric="l2") == 1
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before
    wrong = ROWS.copy()
    wrong[5, 5] = np.inf
    with pytest.raises(proxime.NotFiniteError):
        proxime.ray.build(wrong, index, shards=SHARDS, metric="l2")
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before
