"""How far a long call is, and what becomes of it when the one who is told objects."""

import numpy as np
import pytest

import proxime
from conftest import vectors

ROWS = 3_000


class Updated:
    """What tqdm looks like from here."""

    def __init__(self):
        self.steps = []

    def update(self, n):
        self.steps.append(n)


@pytest.mark.parametrize("write", ["add", "upsert", "add_vector_batch"])
def test_a_function_is_told_up_to_the_last_row(docs, write):
    told = []
    getattr(docs, write)(np.arange(ROWS), vectors(ROWS), progress=lambda done, total, stage: told.append((done, total, stage)))
    assert {total for _, total, _ in told} == {ROWS}
    assert {stage for _, _, stage in told} <= {"write", "build", "commit"}
    assert told, "the last word is passed on however short the call was"
    assert len(docs) == ROWS


def test_updates_add_up_to_the_rows(docs):
    for n in 1, 50, ROWS:
        bar = Updated()
        docs.upsert(np.arange(n), vectors(n), progress=bar)
        assert sum(bar.steps) == n
        assert min(bar.steps) > 0
    bar = Updated()
    docs.update(np.arange(ROWS), vectors(ROWS, seed=1), progress=bar)
    assert sum(bar.steps) == ROWS


def test_copies_are_counted_in_bytes(db, docs, tmp_path):
    docs.upsert(np.arange(ROWS), vectors(ROWS))
    backup, restored = Updated(), Updated()
    db.backup(tmp_path / "copy", progress=backup)
    proxime.restore(tmp_path / "copy", tmp_path / "again", progress=restored)
    assert sum(backup.steps) == sum(restored.steps)
    assert sum(backup.steps) > vectors(ROWS).nbytes


def test_true_shows_a_bar(docs, capfd):
    docs.upsert(np.arange(ROWS), vectors(ROWS), progress=True)
    docs.compact(progress=False)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("\n")
    assert f" of {ROWS:,}" in shown.err


def test_what_a_function_raises_reaches_the_caller_and_says_what_was_stored(docs):
    def objects(done, total, stage):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        docs.add(np.arange(ROWS), vectors(ROWS), progress=objects)
    (note,) = caught.value.__notes__
    assert len(docs) == (ROWS if note == "the batch was stored already" else 0)


@pytest.mark.parametrize("progress", [1, "yes", object()])
def test_other_things_are_refused(docs, progress):
    with pytest.raises(proxime.ArgumentTypeError, match="progress"):
        docs.add([1], vectors(1), progress=progress)
    assert len(docs) == 0
