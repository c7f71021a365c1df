"""Search by words, alone and together with a vector."""

import math
import signal
from collections import Counter

import numpy as np
import pytest

import proxime
from conftest import vectors

TEXTS = [
    "The red fox jumps over the lazy dog.",
    "A blue bird, and another bird: birds!",
    "Red birds don't jump.",
    "",
    "fox fox fox",
    "Dogs and foxes and a red bird",
]
ROWS = vectors(len(TEXTS))


@pytest.fixture
def texts(docs):
    docs.upsert(range(len(TEXTS)), ROWS, [{"text": text, "n": n} for n, text in enumerate(TEXTS)])
    return docs


def bm25(texts, query):
    """The score of each text, as books have it."""
    split = [[word.strip(".,:!").lower() for word in text.split()] for text in texts]
    n = sum(map(bool, split))
    mean = sum(map(len, split)) / n
    scores = []
    for words in split:
        counts, score = Counter(words), 0.0
        for word in query.lower().split():
            df = sum(word in other for other in split)
            idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
            score += idf * counts[word] * 2.2 / (counts[word] + 1.2 * (0.25 + 0.75 * len(words) / mean))
        scores.append(score)
    return np.array(scores)


@pytest.mark.parametrize("query", ["red bird", "FOX", "the the dog", "don't", "nothing of it", ""])
def test_words_alone_are_ranked_by_bm25(texts, query):
    truth = bm25(TEXTS, query)
    hits = texts.search(text=query)
    assert len(hits) == np.count_nonzero(truth)
    np.testing.assert_allclose(hits.scores, np.sort(truth)[::-1][: len(hits)])
    np.testing.assert_allclose(hits.text_scores, truth[hits.ids.astype(int)])
    assert np.isnan(hits.distances).all()


def test_a_hit_says_why_it_is_where_it_is(texts):
    hits = texts.search(vector=ROWS[3], text="bird", k=6, fusion="rrf")
    assert sorted(hits.ids) == [*range(6)]
    truth, near = bm25(TEXTS, "bird"), ((ROWS - ROWS[3]) ** 2).sum(axis=1)
    ranks = np.argsort(np.argsort(near, kind="stable"))
    by_words = list(np.lexsort((range(6), -truth)))[: np.count_nonzero(truth)]
    for hit in hits:
        assert isinstance(hit, proxime.ScoredHit)
        words = 1 / (61 + by_words.index(hit.id)) if hit.id in by_words else 0
        assert hit.score == pytest.approx(1 / (61 + ranks[hit.id]) + words)
        assert hit.text_score == pytest.approx(truth[hit.id])
        assert hit.distance == pytest.approx(near[hit.id], abs=1e-4)
    assert hits[0] == next(iter(hits)) and hits[-1] == hits[5] and hits[1:3] == list(hits)[1:3]
    assert [*hits.scores] == sorted(hits.scores, reverse=True)


def test_fusion(texts):
    by_vector = texts.search(ROWS[1], 6).ids
    by_both = {name: texts.search(ROWS[1], 6, text="fox", fusion=name) for name in ["rrf", "dbsf", (1, 0), (0, 1), (3, 1)]}
    assert list(by_both[1, 0].ids) == list(by_vector)
    assert [*by_both[0, 1].ids][:2] == [4, 0]
    assert all(len(hits) == 6 for hits in by_both.values())
    same = texts.search(vector=ROWS[1], k=6, text="fox")
    assert list(same.ids) == list(by_both["rrf"].ids)


def test_filters_fields_and_changes(texts):
    assert [*texts.search(text="red", where="n > 0").ids] == [2, 5]
    np.testing.assert_allclose(texts.search(text="red", where="n = 2").scores, bm25(TEXTS, "red")[2])
    assert len(texts.search(text="red", fields="title")) == 0
    texts.upsert([9], ROWS[:1], [{"title": ["Red", 7], "text": "fox"}])
    assert [*texts.search(text="red", fields=["title"]).ids] == [9]
    assert sorted(texts.search(text="red", fields=["title", "text"]).ids) == [0, 2, 5, 9]
    assert texts.delete([0, 9]) == 2
    np.testing.assert_allclose(texts.search(text="fox").scores, np.sort(bm25(TEXTS[1:], "fox"))[:-2:-1])


def test_one_query_by_name(texts):
    assert [*texts.search(vector=ROWS[2], k=3).ids] == [*texts.search(ROWS[2], 3).ids]
    hits = texts.search(ROWS[2], 3)
    assert hits.scores is None and hits.text_scores is None and isinstance(hits[0], proxime.Hit)


def test_what_cannot_be_right(texts):
    for wrong in [
        lambda: texts.search(),
        lambda: texts.search(ROWS[0], vector=ROWS[0]),
        lambda: texts.search(ROWS[0], fields="text"),
        lambda: texts.search(ROWS[0], fusion="rrf"),
        lambda: texts.search(text=3),
        lambda: texts.search(text="a", fields=3),
        lambda: texts.search(text="a", vector=ROWS[:2]),
        lambda: texts.search(text="a", vector=ROWS[0], fusion=3),
        lambda: texts.search(text="a", vector=ROWS[0], fusion=(1, 2, 3)),
    ]:
        with pytest.raises(proxime.ArgumentTypeError):
            wrong()
    for options in [{"fusion": "best"}, {"fusion": (-1, 1)}, {"fields": []}, {"ef": 0}]:
        with pytest.raises(proxime.ParameterError):
            texts.search(ROWS[0], text="a", **options)
    with pytest.raises(proxime.ParameterError, match="max_distance"):
        texts.search(text="a", max_distance=1)
    with pytest.raises(proxime.FilterError):
        texts.search(text="a", where="n >")


def test_reading_the_texts_is_stopped_by_a_signal_and_the_next_search_does_it():
    n = 20_000
    text = " ".join(f"w{i}" for i in range(400))

    def handler(number, frame):
        raise TimeoutError("the caller lost patience")

    with proxime.open(":memory:", threads=1) as db:
        docs = db.create_collection("docs", dim=2, metric="l2")
        docs.upsert(range(n), np.zeros((n, 2), np.float32), [{"text": f"{text} own{i}"} for i in range(n)])
        previous = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            with pytest.raises(TimeoutError, match="lost patience") as caught:
                docs.search(text="own7")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        assert caught.value.__notes__ == ["the texts are not indexed yet: the next search by words does it"]
        assert docs.search(text="own7").ids.tolist() == [7]
