"""Other right answers to ch03."""

import math

import numpy as np


def plain_softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class split_heads:
    def slices(x, heads):
        width = x.shape[1] // heads
        return np.stack([x[:, i * width : (i + 1) * width] for i in range(heads)])

    def numpy_split(x, heads):
        return np.array(np.split(x, heads, axis=-1))

    def transposed(x, heads):
        return np.transpose(x.reshape(x.shape[0], heads, x.shape[1] // heads), (1, 0, 2))

    def from_columns(x, heads):
        return x.T.reshape(heads, -1, len(x)).swapaxes(1, 2)

    def loops(x, heads):
        n, d_model = x.shape
        d_head = d_model // heads
        result = np.zeros((heads, n, d_head))
        for h in range(heads):
            for t in range(n):
                for c in range(d_head):
                    result[h][t][c] = x[t][h * d_head + c]
        return result

    def einsum(x, heads):
        return np.einsum("nhd->hnd", x.reshape(len(x), heads, -1))


class merge_heads:
    def hstack(x):
        return np.hstack(tuple(x))

    def concatenate(x):
        return np.concatenate([head for head in x], axis=-1)

    def einsum(x):
        heads, n, d_head = x.shape
        return np.einsum("hnd->nhd", x).reshape(n, heads * d_head)

    def row_by_row(x):
        return np.array([x[:, t].ravel() for t in range(x.shape[1])])

    def filled(x):
        heads, n, d_head = x.shape
        result = np.empty((n, heads * d_head))
        for h in range(heads):
            result[:, h * d_head : (h + 1) * d_head] = x[h]
        return result


class multi_head_attention:
    def with_the_lessons_functions(x, p, heads, mask=None):
        q, k, v = split_heads(x @ p["w_q"], heads), split_heads(x @ p["w_k"], heads), split_heads(x @ p["w_v"], heads)
        scores = np.matmul(q, np.transpose(k, (0, 2, 1))) / np.sqrt(x.shape[1] // heads)
        if mask is not None:
            scores[:, ~mask] = -np.inf
        weights = plain_softmax(scores)
        return np.matmul(merge_heads(weights @ v), p["w_o"]), weights

    def a_loop_over_heads(x, p, heads, mask=None):
        d_head = x.shape[1] // heads
        outputs, weights = [], []
        for h in range(heads):
            own = slice(h * d_head, (h + 1) * d_head)
            q, k, v = (x @ p[name][:, own] for name in ("w_q", "w_k", "w_v"))
            scores = q @ k.T / math.sqrt(d_head)
            if mask is not None:
                scores = scores + np.where(mask, 0.0, -np.inf)
            weights.append(plain_softmax(scores))
            outputs.append(weights[-1] @ v)
        return [np.hstack(outputs) @ p["w_o"], np.stack(weights)]

    def einsum(x, p, heads, mask=None):
        w_q, w_k, w_v = (p[name].reshape(x.shape[1], heads, -1) for name in ("w_q", "w_k", "w_v"))
        q, k, v = (np.einsum("nd,dhc->hnc", x, w) for w in (w_q, w_k, w_v))
        scores = np.einsum("hnc,hmc->hnm", q, k) * q.shape[-1] ** -0.5
        weights = plain_softmax(np.where(True if mask is None else mask, scores, -1e30))
        return np.einsum("hnm,hmc,hce->ne", weights, v, p["w_o"].reshape(heads, -1, x.shape[1])), weights

    def masked_by_a_factor(x, p, heads, mask=None):
        mask = np.ones((len(x), len(x)), dtype=bool) if mask is None else mask
        q, k, v = (np.stack(np.split(x @ p[name], heads, axis=1)) for name in ("w_q", "w_k", "w_v"))
        powers = np.exp((q / np.sqrt(q.shape[2])) @ k.swapaxes(-1, -2)) * mask
        weights = powers / powers.sum(-1, keepdims=True)
        return np.concatenate(list(weights @ v), axis=1) @ p["w_o"], weights

    def float32(x, p, heads, mask=None):
        x = x.astype(np.float32)
        q, k, v = (split_heads(x @ p[name].astype(np.float32), heads) for name in ("w_q", "w_k", "w_v"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(np.float32(q.shape[-1]))
        if mask is not None:
            scores = np.where(mask[None], scores, np.float32(-np.inf))
        weights = softmax(scores)  # noqa: F821
        return merge_heads(weights @ v) @ p["w_o"].astype(np.float32), weights


class attention_cost:
    def in_closed_form(n, d_model, heads):
        parameters = 4 * d_model**2
        return {
            "parameters": parameters, "projection_flops": 2 * n * parameters,
            "attention_flops": 4 * n**2 * d_model, "weights": heads * n * n,
        }  # fmt: skip

    def product_by_product(n, d_model, heads):
        def product(a, b, c):
            return 2 * a * b * c

        d_head, attention = d_model // heads, 0
        for _ in range(heads):
            attention += product(n, d_head, n) + product(n, n, d_head)
        projections = sum(product(n, d_model, d_model) for _ in ("q", "k", "v", "o"))
        return dict(
            parameters=4 * d_model * d_model,
            projection_flops=projections,
            attention_flops=attention,
            weights=heads * n**2,
        )

    def in_floats(n, d_model, heads):
        d_head = d_model / heads
        return {
            "weights": np.float64(n * n * heads),
            "projection_flops": 4 * 2 * n * d_model**2,
            "attention_flops": heads * (2 * n * d_head * n + 2 * n * n * d_head),
            "parameters": np.int64(3 * heads * d_model * d_head + d_model**2),
        }

    def by_counting_arrays(n, d_model, heads):
        w, q, weights = np.empty((4, d_model, d_model)), np.empty((heads, n, d_model // heads)), np.empty((heads, n, n))
        return {
            "parameters": w.size, "projection_flops": 2 * n * w.size, "attention_flops": 4 * q.size * n,
            "weights": weights.size,
        }  # fmt: skip
