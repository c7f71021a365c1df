"""The programs in `examples` run, and say what they are meant to show."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "examples"
SAYS = {
    "text_search.py": ["[raise]", "[function]"],
    "retrieval.py": ["Answer from these passages only.", "[with]"],
    "image_neighbours.py": ["asked for a recall of 0.95"],
    "deduplicate.py": ["near-duplicates of another"],
    "tables.py": ["pieces", "with Polars"],
}


def test_every_example_is_here_and_in_the_readme():
    programs = {path.name for path in FOLDER.glob("*.py")} - {"corpus.py"}
    assert programs == set(SAYS)
    assert all(f"`{name}`" in (FOLDER / "README.md").read_text() for name in programs)


@pytest.mark.parametrize("name", SAYS)
def test_an_example(name, tmp_path):
    ran = subprocess.run([sys.executable, FOLDER / name], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for text in SAYS[name]:
        assert text in ran.stdout
    assert list(tmp_path.iterdir()) == []
