"""Searches over servers in which faults are planted, without a cluster: each server is a thread of this process that does what the test says."""

import pickle
import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("ray")
from proxime import _shards, sharded  # noqa: E402
from proxime.exceptions import Error, ParameterError  # noqa: E402
from proxime.ray import _call, _server  # noqa: E402
from proxime.ray._wire import Line, Listener, answers  # noqa: E402

HOST = "127.0.0.1"
#: Beyond what a busy machine takes for anything here.
PATIENCE_S = 600.0
QUERIES = np.zeros((2, 4), np.float32)


def part(shard):
    """What a shard has: hits that tell which it is."""
    return np.full((2, 1), shard), np.full((2, 1), shard, np.float32), None


def right(request):
    _, shards, *_ = pickle.loads(request)
    return pickle.dumps([part(shard) for shard in shards])


def unreadable(request):
    return pickle.dumps([None for _ in pickle.loads(request)[1]])


def dead():
    """An address at which nobody listens."""
    with socket.create_server((HOST, 0)) as gone:
        return gone.getsockname()


class Fake(_call.Peer):
    """A server that does `answer`; one that has died before it was asked if that is None. It may be given another later."""

    def __init__(self, answer):
        self.actor = self
        self.where = self
        super().__init__(self)
        self.become(answer)

    def remote(self):
        """As a method of an actor."""

    def become(self, answer):
        self.listener = answer and Listener(HOST, answer)
        self._now = (self.listener.address, self.listener.key) if answer else (dead(), b"?" * 32)

    def _answered(self):
        self._where = self._now
        return self._where


def search(*peers, replicas=2, shards=3, timeout=PATIENCE_S, patient=True, queries=QUERIES, turn=0):
    view = _call.View(1, _shards.Manifest(4, "l2", tuple(_shards.Shard(f"s{j}", "", 1) for j in range(shards))), peers, replicas)
    call = _call.Call(view, _call.Pace(), turn, ("near", queries, 1, {}), few=True, patient=patient)
    return [None if found is None else found[0][0, 0] for found in call.run(time.monotonic() + timeout)], call


class Hanging:
    """Answers when it is let."""

    def __init__(self, answer=right):
        self._answer, self.let, self.asked = answer, threading.Event(), threading.Event()

    def __call__(self, request):
        self.asked.set()
        self.let.wait(60)
        return self._answer(request)


@pytest.mark.parametrize("turn", range(6))
def test_a_server_that_has_died_between_placement_and_call(turn):
    found, call = search(Fake(right), Fake(None), Fake(right), turn=turn)
    assert found == [0, 1, 2]
    assert call.hedges == 0


@pytest.mark.parametrize("turn", range(6))
def test_a_server_that_hangs_up_in_the_middle_of_a_call(turn):
    def dies(request):
        raise ConnectionAbortedError

    found, call = search(Fake(right), Fake(right), Fake(dies), turn=turn)
    assert found == [0, 1, 2]
    assert call.hedges == 0


@pytest.mark.parametrize("late", [unreadable, right])
def test_a_hedge_whose_first_answer_is_an_error(late):
    first, second = Hanging(late), Hanging(right)
    threading.Thread(target=lambda: (second.asked.wait(60), first.let.set(), time.sleep(0.1), second.let.set())).start()
    found, call = search(Fake(first), Fake(second), shards=1)
    assert found == [0]
    assert call.hedges >= 1


def test_a_shard_that_one_replica_cannot_read():
    assert search(Fake(unreadable), Fake(right), Fake(right))[0] == [0, 1, 2]


def test_all_replicas_fail_at_once_and_one_comes_back():
    peers = [Fake(None), Fake(None), Fake(unreadable)]
    threading.Timer(0.3, lambda: [peer.become(right) for peer in peers[:2]]).start()
    assert search(*peers)[0] == [0, 1, 2]


def test_without_a_replica_the_patient_wait_and_others_do_not():
    peers = [Fake(right), Fake(None), Fake(None)]
    start = time.monotonic()
    assert search(*peers, patient=False)[0] == [0, None, 2]
    assert time.monotonic() - start < PATIENCE_S / 2
    assert search(*peers, timeout=0.5)[0] == [0, None, 2]
    assert time.monotonic() - start > 0.5


def test_an_answer_that_is_here_counts_though_this_process_stood_still_beyond_the_timeout(monkeypatch):
    def still(lines, timeout):
        time.sleep(0.4)
        return answers(lines, timeout)

    monkeypatch.setattr(_call, "answers", still)
    assert search(Fake(right), Fake(right), timeout=0.2)[0] == [0, 1, 2]


def test_a_large_request_to_a_server_that_reads_nothing_holds_up_no_other():
    with socket.create_server((HOST, 0)) as deaf:
        hung = Fake(right)
        hung._now = (deaf.getsockname(), b"?" * 32)
        found, call = search(hung, Fake(right), Fake(right), queries=np.zeros((2, 10_000_000), np.float32))
    assert found == [0, 1, 2]
    assert call.hedges >= 1
    assert hung.suspect()


def test_a_wrong_request_is_an_error_at_once():
    def wrong(request):
        return pickle.dumps(ParameterError("no"))

    with pytest.raises(ParameterError, match="no"):
        search(Fake(wrong), Fake(wrong))


def test_a_server_reads_nothing_of_whom_has_another_key():
    asked = []
    listener = Listener(HOST, lambda request: asked.append(request) or b"")
    for key in [b"?" * 32, listener.key[:-1]]:
        line = Line(listener.address, key)
        line.ask(b"request")
        while not (found := answers([line], 10)):
            pass
        assert found == [(line, None)]
    assert asked == []
    line = Line(listener.address, listener.key)
    line.ask(b"request")
    while not (found := answers([line], 10)):
        pass
    assert found == [(line, b"")]


def test_a_server_answers_for_an_old_index_while_it_goes_over_to_new_ones(tmp_path, monkeypatch):
    """The moment between a look whether a shard is open and its use is made long: others open and close shards in it."""
    rows = np.random.default_rng(1).standard_normal((300, 4), dtype=np.float32)
    for n in [100, 200, 300]:
        sharded.build(rows[:n], tmp_path, shards=2, metric="l2")
    server = _server.Server(tmp_path)
    monkeypatch.setattr(_shards.Shard, "__hash__", lambda shard: time.sleep(0.001) or hash(shard.folder))
    wanted = {n: pickle.loads(server._answer(pickle.dumps((n, [0, 1], "near", QUERIES, 5, {})))) for n in [1, 2, 3]}
    stop = threading.Event()

    def load():
        while not stop.is_set():
            for n in [1, 2, 3]:
                assert server.load(n, [0, 1]) == {}

    loading = [threading.Thread(target=load) for _ in range(2)]
    for thread in loading:
        thread.start()
    try:
        for turn in range(60):
            number = turn % 3 + 1
            found = pickle.loads(server._answer(pickle.dumps((number, [0, 1], "near", QUERIES, 5, {}))))
            assert not isinstance(found, Exception), found
            for ours, its in zip(found, wanted[number]):
                np.testing.assert_array_equal(ours[0], its[0])
    finally:
        stop.set()
        for thread in loading:
            thread.join()


def test_a_damaged_shard_is_no_answer_and_a_wrong_option_is_an_error(tmp_path):
    rows = np.random.default_rng(1).standard_normal((300, 4), dtype=np.float32)
    sharded.build(rows, tmp_path, shards=2, metric="l2")
    first, _ = _shards.read(tmp_path, 1).shards
    for file in (tmp_path / first.folder).rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-100])
    server = _server.Server(tmp_path)
    wrong = server.load(1, [0, 1])
    assert set(wrong) == {0}
    assert isinstance(wrong[0], Error)
    found = pickle.loads(server._answer(pickle.dumps((1, [0, 1], "near", QUERIES, 5, {}))))
    assert found[0] is None
    assert found[1] is not None
    error = pickle.loads(server._answer(pickle.dumps((1, [1], "near", QUERIES[:, :3], 5, {}))))
    assert isinstance(error, ValueError)
