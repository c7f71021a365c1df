"""The format is what docs/FORMAT.md says: a reader that knows nothing else finds what the engine finds, also in damaged files."""

import random
import shutil
from pathlib import Path

import pytest

import format_reader
import proxime

GOLDEN = Path(__file__).parents[2] / "db" / "tests" / "golden"
STORES = sorted(folder.name for folder in GOLDEN.iterdir())
#: Ids that the stores have used: integers where even, else texts.
IDS = [number if number % 2 == 0 else f"id {number}" for number in range(2000)]


def engine(folder):
    """What the engine finds, in the form of the reader."""
    with proxime.open(folder, read_only=True) as db:
        collections = {}
        for name in db.collections():
            docs = db.collection(name)
            records = {id: docs.get(id) for id in IDS}
            found = {id: (tuple(r["vector"].tolist()), r["metadata"], r["version"]) for id, r in records.items() if r}
            assert len(found) == len(docs)
            collections[name] = found
        return collections


@pytest.mark.parametrize("name", STORES)
def test_reader_and_engine_agree_on_whole_stores(name):
    found = format_reader.read(GOLDEN / name)
    assert found["docs"] and found == engine(GOLDEN / name)


def test_on_a_store_with_several_collections(tmp_path):
    with proxime.open(tmp_path / "db") as db:
        for name, metric in [("a", "l2"), ("b", "cosine")]:
            docs = db.create_collection(name, dim=2, metric=metric)
            docs.upsert([2, 4, 6], [[1, 2], [3, 4], [5, 6]], [{"x": None}, {"y": [1, 2.5, "z", True]}, {}])
    assert format_reader.read(tmp_path / "db") == engine(tmp_path / "db")


@pytest.mark.parametrize("name", STORES)
def test_reader_and_engine_agree_on_damaged_stores(name, tmp_path):
    source = random.Random(name)
    refused = 0
    for trial in range(40):
        folder = tmp_path / str(trial)
        shutil.copytree(GOLDEN / name, folder)
        # Small files as often as large ones.
        file = source.choice(sorted(folder.iterdir()))
        content = bytearray(file.read_bytes())
        if trial % 4 == 0:
            del content[source.randrange(len(content)) :]
        else:
            content[source.randrange(len(content))] ^= 1 << source.randrange(8)
        file.write_bytes(content)
        try:
            expected = format_reader.read(folder)
        except (format_reader.Damaged, ValueError):
            refused += 1
            with pytest.raises(proxime.Error):
                engine(folder)
        else:
            assert engine(folder) == expected, file
    assert refused > 15
