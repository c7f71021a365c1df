"""Semantic search: paragraphs of Python's language reference that are about what was asked, in whichever words."""

import numpy as np
import proxime
from corpus import embedding, paragraphs

pairs = list(paragraphs())
texts = [text for _, text in pairs]
model = embedding(texts)
vectors = model.transform(texts)
# A paragraph with no known word is the zero vector, which has no direction and so no cosine.
known = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 1e-6)

with proxime.open(":memory:") as db:  # or a directory
    reference = db.create_collection("reference", dim=vectors.shape[1])
    reference.upsert(known, vectors[known], [{"topic": pairs[i][0], "text": texts[i]} for i in known])
    print(f"{len(reference):,} paragraphs of {len({topic for topic, _ in pairs})} topics")

    for question in ["what happens when an exception is not handled", "arguments with default values of a function"]:
        print(f"\n{question}?")
        for hit in reference.search(model.transform([question])[0], k=3):
            print(f"  {1 - hit.distance:.2f}  [{hit.metadata['topic']}] {hit.metadata['text'][:90]}...")

    question = "how is an object turned into a string"
    print(f"\n{question}? (only in the topic on methods)")
    for hit in reference.search(model.transform([question])[0], k=3, where={"topic": "customization"}):
        print(f"  {1 - hit.distance:.2f}  {hit.metadata['text'][:90]}...")
