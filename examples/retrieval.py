"""Retrieval-augmented generation, the retrieval: passages for a prompt, found through LangChain. Any of its models can take it from there."""

from corpus import embedding, paragraphs
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnablePassthrough
from proxime.langchain import ProximeVectorStore


class LatentSemantics(Embeddings):
    """LangChain's interface to the vectors of `corpus`."""

    def __init__(self, texts):
        self.model = embedding(texts)

    def embed_documents(self, texts):
        return (self.model.transform(texts) + 1e-9).tolist()  # no text is the zero vector, which has no direction

    def embed_query(self, text):
        return self.embed_documents([text])[0]


documents = [Document(text, id=str(i), metadata={"topic": topic}) for i, (topic, text) in enumerate(paragraphs())]
store = ProximeVectorStore(LatentSemantics([document.page_content for document in documents]), ":memory:")
store.add_documents(documents)

# Diverse passages: the reference says many things twice.
retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 3, "fetch_k": 20})
prompt = PromptTemplate.from_template("Answer from these passages only.\n\n{passages}\n\nQuestion: {question}")


def joined(found):
    return "\n".join(f"[{document.metadata['topic']}] {document.page_content}" for document in found)


chain = {"passages": retriever | joined, "question": RunnablePassthrough()} | prompt
print(chain.invoke("What does the with statement do with its context manager?").text)
