"""Every block in the README and the guides runs as it is printed, in order, in an empty folder: Python here, commands in a shell."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import vectors

ROOT = Path(__file__).parents[3]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_guide(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = guide.read_text(encoding="utf-8")
    if guide.stem == "README":
        files_of_a_reader(tmp_path)
    namespace = {}
    blocks = list(BLOCK.finditer(text))
    assert blocks
    for block in blocks:
        language, code = block.groups()
        if language == "python":
            # Errors name the guide and its line.
            lines = "\n" * text.count("\n", 0, block.start(2))
            exec(compile(lines + code, guide, "exec"), namespace)
        elif "proxime " in code:  # the others build it
            assert shutil.which("proxime"), "cargo build -p proxime-cli makes the command that belongs on PATH here"
            subprocess.run(["sh", "-ec", code], check=True)


def files_of_a_reader(folder):
    """What the README's commands take for granted, as its reader has files of their own."""
    rows = vectors(1_200, dim=16)
    np.save(folder / "docs.npy", rows)
    np.save(folder / "q.npy", rows[:20])
    (folder / "ids.txt").write_text("".join(f"doc-{i}\n" for i in range(len(rows))))
    (folder / "meta.jsonl").write_text("".join(json.dumps({"page": i}) + "\n" for i in range(len(rows))))
    more = ({"id": f"more-{i}", "vector": row.tolist()} for i, row in enumerate(vectors(10, dim=16, seed=1)))
    (folder / "more.jsonl").write_text("".join(json.dumps(record) + "\n" for record in more))


def test_there_are_guides():
    assert len(GUIDES) >= 7
