"""What chapter 0 builds: text as ids, windows, and a plain recurrent network."""

from __future__ import annotations

import numpy as np

__all__ = ["build_vocabulary", "decode", "encode", "rnn_step", "run_rnn", "sliding_windows", "tokenize_chars"]


def tokenize_chars(text: str) -> list[str]:
    """One token for each character, spaces and line breaks too."""
    return list(text)


def build_vocabulary(tokens: list[str]) -> list[str]:
    """The different tokens, sorted; a token's place in the list is its id."""
    return sorted(set(tokens))


def encode(text: str, vocabulary: list[str]) -> list[int]:
    """The id of each character of a text. Raises ValueError for a character that the vocabulary does not hold."""
    ids = {token: i for i, token in enumerate(vocabulary)}
    if unknown := [c for c in text if c not in ids]:
        raise ValueError(f"{unknown[0]!r} is not in the vocabulary")
    return [ids[c] for c in text]


def decode(ids: list[int], vocabulary: list[str]) -> str:
    """The text that has these ids: the inverse of `encode`. Raises ValueError for an id that no token has."""
    if unknown := [i for i in ids if not 0 <= i < len(vocabulary)]:
        raise ValueError(f"no token has the id {unknown[0]}")
    return "".join(vocabulary[i] for i in ids)


def sliding_windows(ids: np.ndarray, length: int) -> np.ndarray:
    """All runs of `length` neighbours of a sequence of shape (n,): an array (n - length + 1, length) of its dtype.

    Raises ValueError unless 1 <= length <= n.
    """
    if not 1 <= length <= len(ids):
        raise ValueError(f"the length must be from 1 to {len(ids)}, got {length}")
    return np.array([ids[i : i + length] for i in range(len(ids) - length + 1)])


def rnn_step(h: np.ndarray, x: np.ndarray, w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One step of a recurrent network (Elman 1990): tanh(h w_h + x w_x + b).

    h and b (d_hidden,), x (d_model,), w_h (d_hidden, d_hidden), w_x (d_model, d_hidden); the new state is (d_hidden,).
    """
    return np.tanh(h @ w_h + x @ w_x + b)


def run_rnn(h: np.ndarray, x: np.ndarray, w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The states (n, d_hidden) after each token of x (n, d_model), starting from the state h (d_hidden,)."""
    states = []
    for token in x:
        h = rnn_step(h, token, w_h, w_x, b)
        states.append(h)
    return np.array(states)
