"""The examples in the documentation of what needs the packages of others."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["haystack", "langchain", "llama_index", "sklearn"])
def test_examples_in_the_documentation(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(f"proxime.{name}"))
    assert results.attempted
    assert not results.failed
