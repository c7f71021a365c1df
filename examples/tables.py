"""Search results are Arrow tables: DuckDB and Polars take them as they are, beside tables of their own."""

from pathlib import Path

import duckdb
import numpy as np
import polars
import proxime

DATA = Path(__file__).parent.parent / "data"
base, queries = (np.load(DATA / f"fashion-mnist-10k-{part}.npy") for part in ("base", "queries"))

with proxime.open(":memory:") as db:
    images = db.create_collection("images", dim=base.shape[1], metric="l2")
    images.upsert(range(len(base)), base, {"shelf": [i % 7 for i in range(len(base))]})
    hits = images.search(queries[1], k=50, where="shelf < 5")

# Something that only the tables know.
stock = polars.DataFrame({"shelf": range(7), "pieces": [0, 3, 1, 0, 12, 5, 2]})

print("with DuckDB, what is in stock, nearest first:")
found = hits.to_arrow()
rows = duckdb.sql("select found.id, distance, pieces from found join stock using (shelf) where pieces > 0 order by distance limit 3").fetchall()
for id, distance, pieces in rows:
    print(f"  image {id}: {distance:,.0f}, {pieces} pieces")

print("with Polars, the same:")
same = hits.to_polars().join(stock, on="shelf").filter(polars.col("pieces") > 0).sort("distance").head(3)
print(same.select("id", "distance", "pieces"))
assert [row[0] for row in rows] == same["id"].to_list()
