"""Near-duplicates: groups of images that are closer to each other than a tenth of what is usual between neighbours."""

from pathlib import Path

import numpy as np
import proxime

base = np.load(Path(__file__).parent.parent / "data" / "fashion-mnist-10k-base.npy")

with proxime.open(":memory:") as db:
    images = db.create_collection("images", dim=base.shape[1], metric="l2")
    images.upsert(range(len(base)), base)
    ids, distances = images.search(base, k=5, recall=0.99)  # nearest to each is itself
    near = np.median(distances[:, 1]) / 10

    # Each image points to the smallest number within reach; following the pointers leads to one image of each group.
    group = np.arange(len(base))
    for image in range(len(base)):
        for other in ids[image][distances[image] < near]:
            a, b = image, int(other)
            while group[a] != a:
                a = group[a]
            while group[b] != b:
                b = group[b]
            group[max(a, b)] = min(a, b)
    copies = [image for image in range(len(base)) if group[image] != image]
    print(f"squared distance to the nearest other image: {np.median(distances[:, 1]):,.0f} in the median; duplicates: below {near:,.0f}")
    print(f"{len(copies)} of {len(base):,} images are near-duplicates of another:")
    for image in copies[:10]:
        print(f"  {image} of {group[image]}")

    print(f"deleted {images.delete(copies)}; {len(images):,} are left")
    assert len(images) == len(base) - len(copies)
