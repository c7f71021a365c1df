"""Every block of Python in the guides runs as it is printed, in order, in an empty folder."""

import re
from pathlib import Path

import pytest

GUIDES = sorted((Path(__file__).parents[3] / "docs" / "guide").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_guide(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = guide.read_text(encoding="utf-8")
    namespace = {}
    blocks = list(BLOCK.finditer(text))
    assert blocks
    for block in blocks:
        # Errors name the guide and its line.
        lines = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(lines + block[1], guide, "exec"), namespace)


def test_there_are_guides():
    assert len(GUIDES) >= 6
