"""Sentences from the documentation that a machine already has.

Nothing is downloaded and nothing is kept in the repository: package descriptions known to apt, summaries of manual pages,
first sentences of Python docstrings and of the Rust toolchain's pages. Sources are read in that order until enough distinct
sentences are found, so two machines with different documents get different data; `collect` says how many came from where.
"""

import ast
import gzip
import html
import random
import re
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

WORDS_MIN = 3
SEED = 3


def collect(count: int) -> tuple[list[str], dict[str, int]]:
    """Up to `count` distinct sentences in a seeded random order, and how many each source gave.

    Sentences that differ only in case, spacing or punctuation count as one.
    """
    sources = {"apt": apt, "man": man_pages, "python": docstrings, "rust": rust_pages}
    found: dict[str, str] = {}
    origin: Counter[str] = Counter()
    for source, read in sources.items():
        candidates = sorted({s.strip() for s in read()}) if len(found) < count else []
        random.Random(SEED).shuffle(candidates)
        for sentence in candidates:
            words = re.findall(r"\w+", sentence.casefold())
            if len(words) >= WORDS_MIN and len(found) < count and " ".join(words) not in found:
                found[" ".join(words)] = sentence
                origin[source] += 1
    sentences = list(found.values())
    random.Random(SEED).shuffle(sentences)
    return sentences, dict(origin)


def apt() -> Iterator[str]:
    """One-line descriptions of the packages in apt's lists (`apt-get update` fills them)."""
    if shutil.which("apt-cache"):
        listing = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace", check=False)
        yield from re.findall(r"^Description(?:-en)?: (.+)$", listing.stdout, re.MULTILINE)


def man_pages() -> Iterator[str]:
    """The `name - what it does` line of each manual page, without the name."""
    for path in Path("/usr/share/man").glob("man*/*"):
        try:
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except OSError:
            continue
        line = re.search(rb'\.S[Hh] +"?NAME"?\n(?:\.\\".*\n)*.*? \\?- (.+)', raw)
        if line:
            yield re.sub(r"\\f.|\\", "", line[1].decode(errors="replace"))


def docstrings() -> Iterator[str]:
    """First sentences of the docstrings of the standard library and of installed packages."""
    for root in {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}:
        for path in Path(root).rglob("*.py"):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                continue
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            for node in ast.walk(tree):
                if isinstance(node, documented) and (text := ast.get_docstring(node)):
                    yield first_sentence(text)


def rust_pages() -> Iterator[str]:
    """First sentences of the paragraphs of the Rust toolchain's own HTML documentation."""
    if not shutil.which("rustc"):
        return
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=False).stdout.strip()
    for path in Path(sysroot, "share/doc/rust/html").rglob("*.html"):
        for paragraph in re.findall(r"<p>(.*?)</p>", path.read_text(errors="replace"), re.DOTALL):
            yield first_sentence(html.unescape(re.sub(r"<[^>]+>", "", paragraph)))


def first_sentence(text: str) -> str:
    """The text up to its first blank line or full stop, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", paragraph)[0]
