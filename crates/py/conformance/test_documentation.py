"""The examples in the documentation of what needs the packages of others."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[1] / "tests" / "test_guides.py"


@pytest.mark.parametrize("name", ["haystack", "langchain", "llama_index", "sklearn"])
def test_examples_in_the_documentation(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(f"proxime.{name}"))
    assert results.attempted
    assert not results.failed


def test_the_parts_of_guides_that_need_other_packages():
    """Where a package is missing, `cargo xtask test` leaves them out."""
    run = [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", "-W", "default", GUIDES]
    ran = subprocess.run(run, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert "is not installed" not in ran.stdout
