"""What the text examples share: paragraphs of Python's language reference, and vectors of texts without a model to download."""

import pydoc_data.topics
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline


def paragraphs():
    """Pairs of a topic and one of its paragraphs, those of a few words left out."""
    for topic, text in sorted(pydoc_data.topics.topics.items()):
        for paragraph in text.split("\n\n"):
            words = paragraph.split()
            if len(words) >= 12:
                yield topic, " ".join(words)


def embedding(texts, dim=128):
    """Latent semantic analysis, trained on `texts`: its `transform` makes vectors of texts. (Deerwester et al. 1990.)"""
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    return make_pipeline(words, TruncatedSVD(dim, random_state=0)).fit(texts)
