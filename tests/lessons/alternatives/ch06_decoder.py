"""Other right answers to ch06."""

import math

import numpy as np


def plain_softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class causal_mask:
    def comparison(n):
        if n < 0:
            raise ValueError("negative")
        return np.arange(n)[:, None] >= np.arange(n)[None, :]

    def tril(n):
        return np.tril(np.ones((n, n))).astype(bool)  # np.ones itself refuses a negative n with ValueError

    def loops(n):
        if n < 0:
            raise ValueError
        mask = np.zeros((n, n), bool)
        for i in range(n):
            for j in range(i + 1):
                mask[i, j] = True
        return mask

    def a_view(n):
        if n < 0:
            raise ValueError("a sequence has no negative length")
        return ~np.triu(np.ones((n + 1, n + 1), dtype=bool), 1)[:n, :n]

    def transposed(n):
        if not n >= 0:
            raise ValueError(n)
        return np.logical_not(np.tri(n, k=-1, dtype=np.bool_)).T


class masked_attention:
    def exponentials_times_mask(q, k, v, mask):
        scores = np.einsum("nd,md->nm", q, k) / math.sqrt(k.shape[1])
        top = np.where(mask, scores, -np.inf).max(axis=1, keepdims=True)
        powers = np.where(mask, np.exp(np.where(mask, scores - np.where(np.isfinite(top), top, 0), 0)), 0)
        weights = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300)
        return weights @ v, weights

    def row_by_row(q, k, v, mask):
        weights = np.zeros((len(q), len(k)))
        for i, row in enumerate(mask):
            if not any(row):
                continue
            scores = k[row] @ q[i] / math.sqrt(k.shape[1])
            weights[i, row] = plain_softmax(scores)
        return [np.array([w @ v for w in weights]), weights]

    def additive_mask(q, k, v, mask):
        bias = np.zeros(mask.shape)
        bias[~mask] = -np.inf
        scores = (q / np.sqrt(q.shape[-1])) @ k.T + bias
        with np.errstate(invalid="ignore"):
            weights = np.nan_to_num(plain_softmax(scores), nan=0.0)
        return weights @ v, weights

    def masked_array(q, k, v, mask):
        scores = np.ma.masked_array(q @ k.T / np.sqrt(k.shape[-1]), ~mask)
        powers = np.ma.exp(scores - scores.max(axis=-1, keepdims=True)).filled(0.0)
        sums = powers.sum(axis=-1, keepdims=True)
        weights = np.divide(powers, sums, out=np.zeros_like(powers), where=sums > 0)
        return weights @ v, weights

    def float32(q, k, v, mask):
        scores = np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf)
        blind = ~mask.any(-1)
        scores[blind] = 0
        weights = plain_softmax(scores).astype(np.float32)
        weights[blind] = 0
        return weights @ v.astype(np.float32), weights


class cross_attention:
    def without_masked_attention(x, memory, w_q, w_k, w_v):
        q, k, v = x @ w_q, memory @ w_k, memory @ w_v
        return plain_softmax(q @ k.T / np.sqrt(k.shape[-1])) @ v

    def with_masked_attention(x, memory, w_q, w_k, w_v):
        mask = np.full((x.shape[0], memory.shape[0]), True)
        return masked_attention(x @ w_q, memory @ w_k, memory @ w_v, mask)[0]

    def einsum(x, memory, w_q, w_k, w_v):
        scores = np.einsum("nd,dk,mk->nm", x, w_q, memory @ w_k, optimize=True) * w_q.shape[1] ** -0.5
        return np.einsum("nm,md,dv->nv", plain_softmax(scores), memory, w_v, optimize=True)

    def loops(x, memory, w_q, w_k, w_v):
        rows = []
        for token in x:
            scores = [(token @ w_q) @ (entry @ w_k) / math.sqrt(w_k.shape[1]) for entry in memory]
            powers = [math.exp(s - max(scores)) for s in scores]
            rows.append(sum(p / sum(powers) * (entry @ w_v) for p, entry in zip(powers, memory, strict=True)))
        return np.stack(rows)

    def float32(x, memory, w_q, w_k, w_v):
        x, memory, w_q, w_k, w_v = (a.astype(np.float32) for a in (x, memory, w_q, w_k, w_v))
        return plain_softmax((x @ w_q) @ (memory @ w_k).T / np.sqrt(np.float32(w_k.shape[1]))) @ (memory @ w_v)


def normed(x, p):
    return (x - x.mean(1)[:, None]) / np.sqrt(x.var(1) + 1e-5)[:, None] * p["gain"] + p["bias"]


def tanh_gelu(z):
    return z / 2 * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


def look(x, source, p, mask):
    scores = (x @ p["w_q"]) @ (source @ p["w_k"]).T / math.sqrt(p["w_k"].shape[1])
    return plain_softmax(np.where(mask, scores, -np.inf)) @ (source @ p["w_v"]) @ p["w_o"]


class decoder_block:
    def on_its_own(x, memory, p):
        n, m = len(x), len(memory)
        z = normed(x, p["norm_1"])
        x = x + look(z, z, p["self"], np.tri(n, dtype=bool))
        x = x + look(normed(x, p["norm_2"]), memory, p["cross"], np.ones((n, m), bool))
        f = p["ffn"]
        return x + tanh_gelu(normed(x, p["norm_3"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]

    def in_place_on_a_copy(x, memory, p):
        out = np.array(x)
        z = layer_norm(out, p["norm_1"]["gain"], p["norm_1"]["bias"])  # noqa: F821
        s, c, f = p["self"], p["cross"], p["ffn"]
        mask = causal_mask(len(x))
        out += masked_attention(z @ s["w_q"], z @ s["w_k"], z @ s["w_v"], mask)[0] @ s["w_o"]
        out += cross_attention(normed(out, p["norm_2"]), memory, c["w_q"], c["w_k"], c["w_v"]) @ c["w_o"]
        out += tanh_gelu(normed(out, p["norm_3"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
        return out

    def token_by_token(x, memory, p):
        rows, f = [], p["ffn"]
        for t in range(len(x)):  # what a token sees is the text up to itself: no mask is needed
            seen = normed(x[: t + 1], p["norm_1"])
            row = x[t : t + 1] + look(seen[-1:], seen, p["self"], True)
            row = row + look(normed(row, p["norm_2"]), memory, p["cross"], True)
            row = row + tanh_gelu(normed(row, p["norm_3"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
            rows.append(row[0])
        return np.vstack(rows)

    def float32(x, memory, p):
        def narrow(tree):
            return {k: narrow(v) for k, v in tree.items()} if isinstance(tree, dict) else tree.astype(np.float32)

        x, memory, p = narrow(x), narrow(memory), narrow(p)
        z = normed(x, p["norm_1"])
        x = x + look(z, z, p["self"], np.tri(len(x), dtype=bool))
        x = x + look(normed(x, p["norm_2"]), memory, p["cross"], True)
        f = p["ffn"]
        return x + tanh_gelu(normed(x, p["norm_3"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
