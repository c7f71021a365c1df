"""Seeded mixtures of any size whose points lie near a subspace of few dimensions, as embeddings do.

Independent Gaussian components would make all points equally far apart and every graph useless; here clusters of unequal
shape lie in `LATENT` dimensions of decaying weight, and a little noise covers all `DIM`. Rows are drawn chunk by chunk from
seeds of their own, so a smaller set is a prefix of a larger one.
"""

import numpy as np

SEED = 3
DIM = 768
LATENT = 40
CLUSTERS = 200
NOISE = 0.02
CHUNK = 10_000
QUERIES_CHUNK = 1_000_000


def mixture(n: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` rows and some queries of the same distribution, float32 `[_, DIM]`."""
    base = np.empty((n, DIM), dtype=np.float32)
    for start in range(0, n, CHUNK):
        base[start : start + CHUNK] = _chunk(start // CHUNK)[: n - start]
    return base, _chunk(QUERIES_CHUNK)[:queries]


def _chunk(number: int) -> np.ndarray:
    """Chunk `number` of the endless set: `CHUNK` rows."""
    shape = np.random.default_rng(SEED)
    basis, _ = np.linalg.qr(shape.standard_normal((DIM, LATENT)))
    weights = np.arange(1, LATENT + 1) ** -0.3
    centers = shape.standard_normal((CLUSTERS, LATENT)) * weights
    spreads = shape.uniform(0.5, 1.0, (CLUSTERS, LATENT)) * weights

    draw = np.random.default_rng([SEED, number])
    cluster = draw.integers(CLUSTERS, size=CHUNK)
    latent = centers[cluster] + spreads[cluster] * draw.standard_normal((CHUNK, LATENT))
    rows = (latent @ basis.T).astype(np.float32)
    return rows + np.float32(NOISE) * draw.standard_normal((CHUNK, DIM), dtype=np.float32)
