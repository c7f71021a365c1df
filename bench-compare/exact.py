"""Exact nearest neighbours: the oracle every recall figure is measured against."""

import numpy as np

BLOCK = 16_384
SPARE = 28


def neighbors(base: np.ndarray, queries: np.ndarray, k: int = 100) -> np.ndarray:
    """Ids of the `k` rows of `base` nearest to each query by squared L2, nearest first, int32 `[n_queries, k]`.

    A float32 matrix product picks `k + SPARE` candidates; float64 differences put them in order, equal distances by id.
    """
    k = min(k, len(base))
    keep = min(k + SPARE, len(base))
    norms = np.einsum("ij,ij->i", base, base, dtype=np.float32)
    out = np.empty((len(queries), k), dtype=np.int32)
    for start in range(0, len(queries), 250):
        block = queries[start : start + 250]
        candidates = _candidates(base, norms, block, keep)
        for row, (query, ids) in enumerate(zip(block, candidates, strict=True), start):
            ids.sort()
            exact = np.square(base[ids].astype(np.float64) - query).sum(axis=1)
            out[row] = ids[np.argsort(exact, kind="stable")[:k]]
    return out


def _candidates(base: np.ndarray, norms: np.ndarray, queries: np.ndarray, keep: int) -> np.ndarray:
    """Ids of the `keep` nearest rows by float32 distance, in no order."""
    ids, distances = [], []
    for start in range(0, len(base), BLOCK):
        rows = base[start : start + BLOCK]
        block = norms[start : start + BLOCK] - 2 * (queries @ rows.T)
        nearest = np.argpartition(block, min(keep, len(rows)) - 1, axis=1)[:, :keep]
        ids.append(nearest + start)
        distances.append(np.take_along_axis(block, nearest, axis=1))
    best = np.argpartition(np.hstack(distances), keep - 1, axis=1)[:, :keep]
    return np.take_along_axis(np.hstack(ids), best, axis=1)
