"""LlamaIndex has no suite for vector stores; its `SimpleVectorStore` says what is right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import VectorStoreQueryMode

import proxime
from proxime.llama_index import ProximeVectorStore

OF = FilterOperator
# A key has values of one type: where types are mixed, the oracle fails or takes True for 1.
VALUES = {
    "year": st.integers(-2, 2),
    "score": st.sampled_from([-0.5, 0.0, 1.0, 2.5]),
    "lang": st.sampled_from(["", "de", "en", "deen"]),
    "tags": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
    "a.b": st.integers(0, 1),
    "$odd": st.integers(0, 1),
}
metadatas = st.fixed_dictionaries({}, optional={key: st.none() | values for key, values in VALUES.items()})


@st.composite
def filters(draw):
    key = draw(st.sampled_from(list(VALUES)))
    if key == "tags":
        operator = draw(st.sampled_from([OF.CONTAINS, OF.ANY, OF.ALL, OF.IS_EMPTY]))
        values = st.sampled_from(["a", "b", "c"])
    else:
        operators = [OF.EQ, OF.NE, OF.GT, OF.GTE, OF.LT, OF.LTE, OF.IN, OF.NIN, OF.IS_EMPTY]
        operators += [OF.CONTAINS, OF.TEXT_MATCH] if key == "lang" else []
        operator = draw(st.sampled_from(operators))
        values = VALUES[key]
    if operator in (OF.EQ, OF.NE):
        values = st.none() | values
    if operator in (OF.ANY, OF.ALL, OF.IN, OF.NIN):
        values = st.lists(values, max_size=3)
    return MetadataFilter(key=key, operator=operator, value=None if operator == OF.IS_EMPTY else draw(values))


def test_words_alone_and_with_an_embedding():
    """`SimpleVectorStore` has neither; what words find is BM25, of the text and not of the metadata."""
    texts = ["the pump stops", "error E1042", "pump error E1042 again", "nothing"]
    vectors = np.eye(4).tolist()
    store = ProximeVectorStore()
    store.add([TextNode(id_=f"n{i}", text=t, embedding=v, metadata={"file": "pump"}) for i, (t, v) in enumerate(zip(texts, vectors))])

    def ask(mode, **options):
        query = VectorStoreQuery(query_embedding=vectors[3], query_str="pump E1042", similarity_top_k=4, mode=mode, **options)
        return store.query(query)

    words = ask(VectorStoreQueryMode.TEXT_SEARCH)
    assert words.ids[0] == "n2" and sorted(words.ids) == ["n0", "n1", "n2"]
    assert words.similarities == sorted(words.similarities, reverse=True)
    assert words.nodes[0].text == texts[2] and words.nodes[0].embedding == vectors[2]
    both = ask(VectorStoreQueryMode.HYBRID)
    assert sorted(both.ids) == ["n0", "n1", "n2", "n3"]
    assert ask(VectorStoreQueryMode.HYBRID, alpha=1.0).ids[0] == "n3"
    assert ask(VectorStoreQueryMode.HYBRID, alpha=0.0, hybrid_top_k=1).ids == ["n2"]
    few = MetadataFilters(filters=[MetadataFilter(key="file", value="motor")])
    assert ask(VectorStoreQueryMode.TEXT_SEARCH, filters=few).ids == []


def node(i, vector, metadata):
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc{i % 3}")}
    return TextNode(id_=f"n{i}", text=f"text {i}", embedding=vector, metadata=metadata, relationships=source)


def stores(metadatas, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((len(metadatas), 4), dtype=np.float32).tolist()
    ours, oracle = ProximeVectorStore(), SimpleVectorStore()
    for store in (ours, oracle):
        store.add([node(i, vector, dict(metadata)) for i, (vector, metadata) in enumerate(zip(vectors, metadatas))])
    return ours, oracle


def same(ours, oracle):
    assert ours.ids == oracle.ids
    assert [n.node_id for n in ours.nodes] == ours.ids
    np.testing.assert_allclose(ours.similarities, oracle.similarities, atol=1e-5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(metadatas, min_size=1, max_size=12),
    st.lists(filters(), max_size=3),
    st.sampled_from(FilterCondition),
    st.integers(1, 15),
    st.none() | st.lists(st.integers(0, 13).map("n{}".format), max_size=9),
    st.sampled_from([VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR]),
    st.sampled_from([None, 0.2, 1.0]),
)
def test_queries_and_deletions_are_those_of_the_simple_store(metadatas, filters, condition, k, node_ids, mode, threshold):
    ours, oracle = stores(metadatas)
    chosen = MetadataFilters(filters=filters, condition=condition)
    query = VectorStoreQuery([1.0, 2.0, -1.0, 0.5], k, node_ids=node_ids or None, filters=chosen, mode=mode)
    options = {"mmr_prefetch_k": 20} if mode == VectorStoreQueryMode.MMR else {}
    same(ours.query(query, mmr_threshold=threshold, **options), oracle.query(query, mmr_threshold=threshold))
    if node_ids is not None or filters:
        for store in (ours, oracle):
            store.delete_nodes(node_ids, chosen)
    for store in (ours, oracle):
        store.delete("doc1")
    left = VectorStoreQuery([1.0, 2.0, -1.0, 0.5], 20)
    same(ours.query(left), oracle.query(left))


def test_nested_filters():
    ours, _ = stores([{"year": i, "lang": "de" if i % 2 else "en"} for i in range(6)])
    early = MetadataFilter(key="year", operator=OF.LT, value=2)
    late = MetadataFilter(key="year", operator=OF.GT, value=3)
    ends = MetadataFilters(filters=[early, late], condition=FilterCondition.OR)
    german = MetadataFilter(key="lang", value="de")
    assert [n.node_id for n in ours.get_nodes(filters=MetadataFilters(filters=[german, ends]))] == ["n1", "n5"]


def test_what_there_is_not_is_an_error_and_deletes_nothing():
    ours, _ = stores([{"year": 1}])
    with pytest.raises(ValueError, match="no query mode svm"):
        ours.query(VectorStoreQuery([1.0] * 4, mode=VectorStoreQueryMode.SVM))
    for mode in [VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR]:
        with pytest.raises(ValueError, match=f"mode {mode.value} needs an embedding"):
            ours.query(VectorStoreQuery(query_str="a cat", mode=mode))
    insensitive = MetadataFilter(key="lang", operator=OF.TEXT_MATCH_INSENSITIVE, value="D")
    with pytest.raises(ValueError, match="no filter text_match_insensitive"):
        ours.delete_nodes(filters=MetadataFilters(filters=[insensitive]))
    with pytest.raises(proxime.FilterError):
        ours.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="x", operator=OF.IN, value="ab")]))
    with pytest.raises(ValueError, match="clear deletes everything"):
        ours.delete_nodes()
    assert len(ours.get_nodes()) == 1
    ours.clear()
    assert ours.get_nodes() == []
    assert ours.query(VectorStoreQuery([1.0] * 4)).ids == []


def test_an_index_over_a_store_on_disk(tmp_path):
    context = StorageContext.from_defaults(vector_store=ProximeVectorStore(tmp_path / "db"))
    nodes = [TextNode(id_=f"n{i}", text=f"text {i}", metadata={"i": i}) for i in range(5)]
    VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(embed_dim=8))
    context.vector_store.close()
    with proxime.open(tmp_path / "db") as db:
        index = VectorStoreIndex.from_vector_store(ProximeVectorStore(db), embed_model=MockEmbedding(embed_dim=8))
        fourth = MetadataFilters(filters=[MetadataFilter(key="i", value=4)])
        found = index.as_retriever(similarity_top_k=3, filters=fourth).retrieve("anything")
        assert [(n.node_id, n.text, n.metadata) for n in found] == [("n4", "text 4", {"i": 4})]
