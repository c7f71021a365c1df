"""The types of `proxime.aio`: those of the compiled core, with calls that are awaited.

Run, it writes them; a test compares.
"""

import json
import re
from pathlib import Path

from proxime import aio

FOLDER = Path(aio.__file__).parent
CORE, STUB = FOLDER / "_core.pyi", FOLDER / "aio.pyi"
HEAD = '"""Types of `aio`, written by crates/py/tests/async_stub.py from those of the core."""\n\n'
CHANGES = [
    # Imports.
    (re.compile(r"Iterator, |final, "), ""),
    (re.compile(r"from \._hit import .*"), "from ._core import Collection, Database, Hits, Transaction"),
    # What cannot be awaited.
    (re.compile(r"    def (_repr_html_|__len__)\(.*\n"), ""),
    # The rest.
    (re.compile(r"@final\nclass (\w+):\n"), r"class Async\1:\n    sync: \1\n    def __init__(self, sync: \1) -> None: ...\n"),
    (re.compile(r"(?<!@property\n)^( *)def (?!transaction|__init__)", re.MULTILINE), r"\1async def "),
    (re.compile(r"__(enter|exit)__"), r"__a\1__"),
    (re.compile(r"(?<=-> )(Database|Collection|Transaction)\b|(?<=collection: )(Collection)\b"), r"Async\1\2"),
]


def text() -> str:
    """What the stub should be."""
    core = CORE.read_text()
    imports = core[core.index("from collections") : core.index("__all__")]
    parts = re.findall(r"^(?:def open|@final\nclass (?!Hits)).*?(?=^def|^@final)", core, re.MULTILINE | re.DOTALL)
    stub = f"{imports}__all__ = {json.dumps(aio.__all__)}\n\n" + "\n".join(parts)
    for pattern, replacement in CHANGES:
        stub = pattern.sub(replacement, stub)
    return HEAD + stub.strip() + "\n"


if __name__ == "__main__":
    STUB.write_text(text())
