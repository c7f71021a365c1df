"""Images that look alike, as characters, and how many of the true neighbours an approximate search finds."""

from pathlib import Path

import numpy as np
import proxime

DATA = Path(__file__).parent.parent / "data"
base, queries = (np.load(DATA / f"fashion-mnist-10k-{part}.npy") for part in ("base", "queries"))


def drawn(pixels):
    """14 lines of 14 characters."""
    grey = pixels.reshape(14, 2, 14, 2).mean(axis=(1, 3))
    return ["".join(" .:-=+*#%@"[int(value) * 10 // 256] for value in line) for line in grey]


with proxime.open(":memory:") as db:
    images = db.create_collection("images", dim=base.shape[1], metric="l2")
    images.upsert(range(len(base)), base)
    hits = images.search(queries[0], k=4)
    print("an image, and the four that are nearest to it:\n")
    for lines in zip(drawn(queries[0]), *(drawn(base[hit.id]) for hit in hits)):
        print("   ".join(lines))

    found, _ = images.search(queries, k=10, recall=0.95)
    true, _ = images.search(queries, k=10, exact=True)
    recall = np.mean([np.isin(t, f).mean() for f, t in zip(found, true)])
    print(f"\nasked for a recall of 0.95, got {recall:.3f} over {len(queries):,} queries")
    assert recall >= 0.95
