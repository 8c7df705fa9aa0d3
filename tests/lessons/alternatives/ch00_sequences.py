"""Other right answers to ch00."""

import math

import numpy as np


class tokenize_chars:
    def comprehension(text):
        return [c for c in text]

    def loop(text):
        tokens = []
        for i in range(len(text)):
            tokens += [text[i]]
        return tokens

    def a_tuple(text):
        return tuple(text)

    def unpacked(text):
        return [*text]

    def by_numpy(text):
        return np.array(list(text), dtype=object).tolist()


class build_vocabulary:
    def unique(tokens):
        return [str(t) for t in np.unique(np.array(tokens, dtype=object))]

    def dictionary(tokens):
        return sorted(dict.fromkeys(tokens))

    def skips_neighbours(tokens):
        ordered = sorted(tokens)
        return tuple(t for i, t in enumerate(ordered) if i == 0 or ordered[i - 1] != t)

    def smallest_first(tokens):
        left, found = set(tokens), []
        while left:
            found.append(min(left))
            left.remove(found[-1])
        return found


class encode:
    def searches_the_list(text, vocabulary):
        return [vocabulary.index(c) for c in text]  # list.index raises ValueError itself

    def turns_the_error_round(text, vocabulary):
        table = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
        try:
            return [table[c] for c in text]
        except KeyError as error:
            raise ValueError("unknown") from error

    def numpy_integers(text, vocabulary):
        ids = []
        for c in text:
            found = np.flatnonzero(np.array(vocabulary) == c)
            if len(found) == 0:
                raise ValueError(c)
            ids.append(found[0])
        return tuple(ids)

    def array_to_list(text, vocabulary):
        if set(text) - set(vocabulary):
            raise ValueError("some characters have no id")
        return np.array([vocabulary.index(c) for c in text], dtype=int).tolist()

    def an_error_of_its_own(text, vocabulary):
        class UnknownCharacter(ValueError):
            pass

        ids = []
        for c in text:
            if c not in vocabulary:
                raise UnknownCharacter(f"there is no {c!r}")
            ids.append(vocabulary.index(c))
        return ids


class decode:
    def loop(ids, vocabulary):
        text = ""
        for i in ids:
            if i < 0 or i >= len(vocabulary):
                raise ValueError("no such id")
            text += vocabulary[i]
        return text

    def table(ids, vocabulary):
        table = dict(enumerate(vocabulary))
        if not set(ids) <= set(table):
            raise ValueError
        return "".join(map(table.get, ids))

    def checked_by_extremes(ids, vocabulary):
        if len(ids) and (min(ids) < 0 or max(ids) > len(vocabulary) - 1):
            raise ValueError("out of range")
        return "".join([vocabulary[i] for i in ids])

    def turns_the_error_round(ids, vocabulary):
        try:
            return "".join(vocabulary[i if i >= 0 else len(vocabulary)] for i in ids)
        except IndexError:
            raise ValueError("unknown id") from None


class sliding_windows:
    def numpys_own(ids, length):
        if length == 0:
            raise ValueError("no window of length 0")
        return np.lib.stride_tricks.sliding_window_view(ids, length)  # a view, read-only

    def by_index(ids, length):
        starts = np.arange(len(ids) - length + 1)
        if length <= 0 or len(starts) == 0:
            raise ValueError
        return ids[starts[:, None] + np.arange(length)]

    def columns(ids, length):
        if not length in range(1, len(ids) + 1):  # noqa: E713
            raise ValueError(length)
        n = len(ids)
        return np.column_stack([ids[j : n - length + 1 + j] for j in range(length)])

    def filled_cell_by_cell(ids, length):
        n = len(ids)
        if length > n or length < 1:
            raise ValueError("bad length")
        windows = np.zeros((n - length + 1, length), dtype=ids.dtype)
        for i in range(len(windows)):
            for j in range(length):
                windows[i, j] = ids[i + j]
        return windows

    def a_transposed_view(ids, length):
        if length < 1 or length > len(ids):
            raise ValueError
        return np.array([ids[j : len(ids) - length + 1 + j] for j in range(length)]).T

    def int32_and_lists(ids, length):
        if length < 1 or length > len(ids):
            raise ValueError
        narrow = np.int32 if ids.dtype.kind == "i" else np.float64
        return np.array([list(ids)[i : i + length] for i in range(len(ids) - length + 1)], dtype=narrow)


class rnn_step:
    def matrix_from_the_left(h, x, w_h, w_x, b):
        return np.tanh(w_h.T @ h + w_x.T @ x + b)

    def joined(h, x, w_h, w_x, b):
        return np.tanh(np.concatenate([h, x]) @ np.vstack([w_h, w_x]) + b)

    def einsum(h, x, w_h, w_x, b):
        return np.tanh(np.einsum("i,ij->j", h, w_h) + np.einsum("i,ij->j", x, w_x) + b)

    def loops(h, x, w_h, w_x, b):
        new = np.zeros(len(h))
        for j in range(len(h)):
            total = b[j]
            for i in range(len(h)):
                total += h[i] * w_h[i, j]
            for i in range(len(x)):
                total += x[i] * w_x[i, j]
            new[j] = math.tanh(total)
        return new

    def by_exponentials(h, x, w_h, w_x, b):
        up = np.exp(np.dot(h, w_h) + np.dot(x, w_x) + b)
        return (up - 1 / up) / (up + 1 / up)

    def float32(h, x, w_h, w_x, b):
        h, x, w_h, w_x, b = (a.astype(np.float32) for a in (h, x, w_h, w_x, b))
        return np.tanh(h @ w_h + x @ w_x + b)


class run_rnn:
    def with_rnn_step(h, x, w_h, w_x, b):
        states = np.zeros((x.shape[0], h.shape[0]))
        for t in range(x.shape[0]):
            states[t] = h = rnn_step(h, x[t], w_h, w_x, b)
        return states

    def on_its_own(h, x, w_h, w_x, b):
        states, from_tokens = [h], x @ w_x + b  # what comes from the tokens needs no waiting
        for row in from_tokens:
            states.append(np.tanh(states[-1] @ w_h + row))
        return np.array(states[1:])

    def recursive(h, x, w_h, w_x, b):
        new = rnn_step(h, x[0], w_h, w_x, b)[None]
        return new if len(x) == 1 else np.concatenate([new, run_rnn(new[0], x[1:], w_h, w_x, b)])

    def a_view_of_more(h, x, w_h, w_x, b):
        states = np.empty((len(x) + 1, len(h)))
        states[0] = h
        for t, token in enumerate(x):
            states[t + 1] = np.tanh(states[t] @ w_h + token @ w_x + b)
        return states[1:]

    def float32(h, x, w_h, w_x, b):
        h, x, w_h, w_x, b = (a.astype(np.float32) for a in (h, x, w_h, w_x, b))
        states = []
        for token in x:
            h = np.tanh(h @ w_h + token @ w_x + b)
            states.append(h)
        return np.stack(states)
