"""The notebooks in `examples/notebooks` show what they say that they show."""

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def run():
    spec = importlib.util.spec_from_file_location("run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, run, monkeypatch):
    monkeypatch.chdir(FOLDER)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    ran = run(notebook)
    for kept, cell in zip(notebook["cells"], ran["cells"], strict=True):
        assert kept.get("outputs") == cell.get("outputs"), "".join(cell["source"])


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2
