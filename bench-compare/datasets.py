"""The data sets of the benchmarks, by name: made once from what the machine has, then read from a cache.

A set is three `.npy` files, `base` and `queries` (float32) and `neighbors` (int32, the 100 nearest by squared L2), and a
`.json` that says where it came from. The `.json` is written last: a set without one is made anew.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import exact
import synthetic
import texts

QUERIES = 2_000
SENTENCES = 59_000
SENTENCES_MIN = 10_000
SEED = 3

Made = tuple[np.ndarray, np.ndarray, dict]


@dataclass
class Dataset:
    """A set on disk. The rows stay there until `np.load` reads them, so that a child process can."""

    name: str
    base: Path
    queries: Path
    neighbors: Path
    origin: dict


def load(name: str, cache: Path, fashion: Path | None = None) -> Dataset:
    """The set of that name, made now if the cache has none. Fashion-MNIST is read from the archive at `fashion`."""
    cache.mkdir(parents=True, exist_ok=True)
    stem = str(cache / name)
    paths = {part: Path(f"{stem}-{part}.npy") for part in ("base", "queries", "neighbors")}
    stamp = Path(f"{stem}.json")
    if not stamp.exists():
        make = partial(fashion_mnist, fashion) if name == "fashion-784" else MAKERS[name]
        base, queries, origin = make()
        origin |= {"n": len(base), "dim": base.shape[1]}
        np.save(paths["base"], base)
        np.save(paths["queries"], queries)
        np.save(paths["neighbors"], exact.neighbors(base, queries))
        stamp.write_text(json.dumps(origin))
    return Dataset(name, origin=json.loads(stamp.read_text()), **paths)


def fashion_mnist(archive: Path | None) -> Made:
    """Fashion-MNIST as the nearest-neighbour benchmarks have it: an `.npz` of `base` and `queries`, uint8."""
    if archive is None:
        raise SystemExit("fashion-784 needs --fashion FILE.npz with `base` [60000, 784] and `queries` [10000, 784]")
    with np.load(archive) as whole:
        base, queries = (whole[part].astype(np.float32) for part in ("base", "queries"))
    return base, queries[:QUERIES], {"what": "Fashion-MNIST pixels"}


def text_minilm(layers: tuple[int, ...]) -> Made:
    """Embeddings of all-MiniLM-L6-v2."""
    import minilm

    sentences, sources = _sentences()
    rows = minilm.MiniLM().encode(sentences, layers)
    return _split(rows, {"what": f"all-MiniLM-L6-v2, layers {layers}", "sentences": sources})


def text_svd() -> Made:
    """TF-IDF of words and pairs of words, reduced to 768 dimensions by truncated SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    sentences, sources = _sentences()
    tfidf = TfidfVectorizer(
        sublinear_tf=True, min_df=2, ngram_range=(1, 2), max_features=60_000, dtype=np.float32
    ).fit_transform(sentences)
    rows = TruncatedSVD(768, n_iter=4, random_state=SEED).fit_transform(tfidf).astype(np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    known = norms[:, 0] > 1e-3
    return _split(rows[known] / norms[known], {"what": "TF-IDF and SVD", "sentences": sources})


def mixture(n: int) -> Made:
    """Clusters near a subspace of few dimensions."""
    base, queries = synthetic.mixture(n, QUERIES)
    return base, queries, {"what": "synthetic mixture"}


def _sentences() -> tuple[list[str], dict[str, int]]:
    sentences, sources = texts.collect(SENTENCES)
    if len(sentences) < SENTENCES_MIN:
        raise SystemExit(f"only {len(sentences)} sentences on this machine; `apt-get update` brings tens of thousands")
    return sentences, sources


def _split(rows: np.ndarray, origin: dict) -> Made:
    """Equal rows dropped but for the first; then the first `QUERIES` rows held out as queries."""
    _, first = np.unique(rows, axis=0, return_index=True)
    rows = rows[np.sort(first)]
    return rows[QUERIES:].copy(), rows[:QUERIES].copy(), origin


MAKERS: dict[str, Callable[[], Made]] = {
    "text-minilm-384": partial(text_minilm, (6,)),
    "text-minilm-768": partial(text_minilm, (3, 6)),
    "text-svd-768": text_svd,
    "mixture-10k": partial(mixture, 10_000),
    "mixture-100k": partial(mixture, 100_000),
    "mixture-1m": partial(mixture, 1_000_000),
}
NAMES = ("fashion-784", *MAKERS)
