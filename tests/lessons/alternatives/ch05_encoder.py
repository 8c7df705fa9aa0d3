"""Other right answers to ch05."""

import math

import numpy as np


class layer_norm:
    def two_moments(x, gain, bias, eps=1e-5):
        mean = np.mean(x, axis=-1)[..., None]
        return (x - mean) * gain / np.sqrt(np.var(x, axis=-1)[..., None] + eps) + bias

    def last_axis_first(x, gain, bias, eps=1e-5):
        rows = np.moveaxis(x, -1, 0)  # then no keepdims is needed
        deviation = (rows.var(axis=0) + eps) ** 0.5
        return np.moveaxis((rows - rows.mean(axis=0)) / deviation, 0, -1) * gain + bias

    def row_by_row(x, gain, bias, eps=1e-5):
        rows = []
        for row in x.reshape(-1, x.shape[-1]):
            mean = sum(row) / len(row)
            variance = sum((v - mean) ** 2 for v in row) / len(row)
            rows.append([g * (v - mean) / math.sqrt(variance + eps) + b for v, g, b in zip(row, gain, bias)])  # noqa: B905
        return np.array(rows).reshape(x.shape)

    def along_an_axis(x, gain, bias, eps=1e-5):
        def one(row):
            return (row - row.mean()) / np.hypot(row.std(), np.sqrt(eps)) * gain + bias

        return np.apply_along_axis(one, -1, x)

    def einsum_with_a_centring_matrix(x, gain, bias, eps=1e-5):
        d = x.shape[-1]
        centred = np.einsum("...d,dc->...c", x, np.eye(d) - 1 / d)
        squares = np.einsum("...d,...d->...", centred, centred) / d
        return np.einsum("...d,...,d->...d", centred, 1 / np.sqrt(squares + eps), gain) + bias

    def float32(x, gain, bias, eps=1e-5):
        x, gain, bias = (np.asarray(a, dtype=np.float32) for a in (x, gain, bias))
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(eps)) * gain + bias


class gelu:
    def by_logistic(x):
        u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        with np.errstate(over="ignore"):
            return x / (1 + np.exp(-2 * u))

    def factored(x):
        return x / 2 * (1 + np.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x)))

    def number_by_number(x):
        def one(z):
            return 0.5 * z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))

        return np.array([one(z) for z in x.ravel()]).reshape(x.shape)

    def in_place_on_a_copy(x):
        out = np.power(x, 3)
        out *= 0.044715
        out += x
        out *= np.sqrt(2 / np.pi)
        np.tanh(out, out=out)
        out += 1
        out *= 0.5 * x
        return out

    def float32(x):
        x = x.astype(np.float32)
        inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
        return np.float32(0.5) * x * (1 + np.tanh(inner))


def tanh_gelu(z):
    return z / 2 * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


class feed_forward:
    def with_own_gelu(x, p):
        hidden = tanh_gelu(np.dot(x, p["w_1"]) + p["b_1"])
        return np.dot(hidden, p["w_2"]) + p["b_2"]

    def transposed(x, p):
        hidden = tanh_gelu(p["w_1"].T @ x.T + p["b_1"][:, None])
        return (p["w_2"].T @ hidden + p["b_2"][:, None]).T

    def question_by_question(x, p):
        out = np.tile(p["b_2"], (len(x), 1))
        for j in range(len(p["b_1"])):
            answer = tanh_gelu(x @ p["w_1"][:, j] + p["b_1"][j])
            out += np.outer(answer, p["w_2"][j])
        return out

    def bias_as_one_more_input(x, p):
        one = np.ones((len(x), 1))
        hidden = tanh_gelu(np.hstack([x, one]) @ np.vstack([p["w_1"], p["b_1"]]))
        return np.hstack([hidden, one]) @ np.vstack([p["w_2"], p["b_2"]])

    def einsum_of_named_weights(x, p):
        w_1, b_1, w_2, b_2 = (p[name] for name in ("w_1", "b_1", "w_2", "b_2"))
        return np.einsum("nf,fd->nd", gelu(np.einsum("nd,df->nf", x, w_1) + b_1), w_2) + b_2

    def float32(x, p):
        p = {name: value.astype(np.float32) for name, value in p.items()}
        return tanh_gelu(x.astype(np.float32) @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]


def normed(x, p):
    return (x - x.mean(1)[:, None]) / np.sqrt(x.var(1) + 1e-5)[:, None] * p["gain"] + p["bias"]


def network(x, f):
    return tanh_gelu(x @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]


def look(z, a, heads, mask):
    """Attention on its own, head after head."""
    out, width = 0, z.shape[1] // heads
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        scores = z @ a["w_q"][:, part] @ (z @ a["w_k"][:, part]).T / math.sqrt(width)
        powers = np.exp(scores - scores.max()) * (1 if mask is None else mask)
        out = out + powers / powers.sum(1, keepdims=True) @ (z @ a["w_v"][:, part]) @ a["w_o"][part]
    return out


class encoder_block:
    def on_its_own(x, p, heads, mask=None):
        x = x + look(normed(x, p["norm_1"]), p["attention"], heads, mask)
        return x + network(normed(x, p["norm_2"]), p["ffn"])

    def by_position(x, p, heads, mask=None):
        z = layer_norm(x, p["norm_1"]["gain"], p["norm_1"]["bias"])
        middle = x + multi_head_attention(z, p["attention"], heads, mask)[0]  # noqa: F821
        z = layer_norm(middle, p["norm_2"]["gain"], p["norm_2"]["bias"])
        return np.add(middle, feed_forward(z, p["ffn"]))

    def in_place_on_a_copy(x, p, heads, mask=None):
        stream = np.array(x)
        stream += look(normed(stream, p["norm_1"]), p["attention"], heads, mask)
        stream += network(normed(stream, p["norm_2"]), p["ffn"])
        return stream

    def all_true_for_none(x, p, heads, mask=None):
        if mask is None:
            mask = np.ones((len(x), len(x)), dtype=bool)
        attended, _ = multi_head_attention(layer_norm(x, **p["norm_1"]), p["attention"], heads, mask)  # noqa: F821
        after = attended + x
        return feed_forward(layer_norm(after, **p["norm_2"]), p["ffn"]) + after

    def token_by_token(x, p, heads, mask=None):
        x = x + look(normed(x, p["norm_1"]), p["attention"], heads, mask)
        return np.vstack([row + network(normed(row[None], p["norm_2"]), p["ffn"]) for row in x])

    def float32(x, p, heads, mask=None):
        def narrow(tree):
            return {k: narrow(v) for k, v in tree.items()} if isinstance(tree, dict) else tree.astype(np.float32)

        x, p = narrow(x), narrow(p)
        x = x + look(normed(x, p["norm_1"]), p["attention"], heads, mask)
        return (x + network(normed(x, p["norm_2"]), p["ffn"])).astype(np.float32)


class count_parameters:
    def from_shapes(d_model, d_ff):
        shapes = {
            "norms": [(2, d_model), (2, d_model)],
            "attention": [(4, d_model, d_model)],
            "ffn": [(d_model, d_ff), (1, d_ff), (d_ff, d_model), (1, d_model)],
        }
        return {part: sum(math.prod(shape) for shape in listed) for part, listed in shapes.items()}

    def one_row_more_for_a_bias(d_model, d_ff):
        ffn = (d_model + 1) * d_ff + (d_ff + 1) * d_model
        return dict(ffn=ffn, attention=(2 * d_model) ** 2, norms=2 * (d_model + d_model))

    def numpy_integers(d_model, d_ff):
        sizes = np.array([4 * d_model, 4 * d_model * d_model, d_model + d_ff + 2 * d_model * d_ff])
        return dict(zip(["norms", "attention", "ffn"], sizes))  # noqa: B905
