"""Proxime as a document store of Haystack: `pip install "proxime[haystack]"`.

>>> from haystack import Document
>>> from proxime.haystack import ProximeDocumentStore, ProximeEmbeddingRetriever
>>> store = ProximeDocumentStore("documents.db")  # a directory, or ":memory:"
>>> store.write_documents([
...     Document(id="a", content="a cat", embedding=[1.0, 0.0], meta={"year": 2020}),
...     Document(id="b", content="a dog", embedding=[0.0, 1.0], meta={"year": 2024}),
... ])
2
>>> retriever = ProximeEmbeddingRetriever(store, top_k=1)
>>> retriever.run([0.9, 0.1], filters={"field": "meta.year", "operator": ">", "value": 2021})["documents"][0].content
'a dog'
>>> store.close()
"""

try:
    import haystack
except ImportError as _error:
    raise ImportError('proxime.haystack needs Haystack: pip install "proxime[haystack]"') from _error

from ._retriever import ProximeEmbeddingRetriever
from ._store import ProximeDocumentStore

__all__ = ["ProximeDocumentStore", "ProximeEmbeddingRetriever"]
del haystack
