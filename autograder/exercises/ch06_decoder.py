"""Exercises of ch06, the decoder block. Attention agrees with `torch.nn.functional.scaled_dot_product_attention`,
the block with `torch.nn.TransformerDecoderLayer(norm_first=True, nhead=1)`."""

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact

TITLE = "The decoder block"

float32_sums = close(2e-5, 5e-6, why="a float32 solution rounds sums of up to 64 terms")


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def attend(q, k, v, mask=None):
    scores = q @ k.T / np.sqrt(k.shape[-1])
    if mask is None:
        return softmax(scores) @ v
    scores = np.where(mask, scores, -np.inf)
    return softmax(scores) @ v


@exercise(parts={"values": 2, "bad input": 1}, minutes=5, source="Vaswani et al. 2017, section 3.2.3")
class causal_mask:
    """Lower-triangular boolean mask: row i is True at the positions that token i may look at."""

    tolerance = exact

    def cases(rng):
        for n in (1, 2, 5, int(rng.integers(6, 20))):
            yield case(n, label=f"n = {n}")
        yield case(0, label="an empty sequence")
        yield case(-1, label="a negative length", part="bad input")

    def reference(n):
        if n < 0:
            raise ValueError("n must not be negative")
        rows = [[j <= i for j in range(n)] for i in range(n)]
        return np.array(rows, dtype=bool).reshape(n, n)

    class misconceptions:
        def upper_triangle(n):
            """The mask is upside down: token i may look at j <= i (itself and the past), you allow j >= i."""
            return np.triu(np.ones((n, n), bool))

        def cannot_see_itself(n):
            """A token may look at itself: the diagonal must be True. Without it the first token can look at nothing."""
            return np.tril(np.ones((n, n), bool), -1)

        def sees_one_ahead(n):
            """Token i can look at token i + 1: the diagonal offset is one too large."""
            return np.tril(np.ones((n, n), bool), 1)

        def true_means_hidden(n):
            """Your mask says True where a key is hidden. In this course True = may attend (as in PyTorch's attention)."""
            return np.triu(np.ones((n, n), bool), 1)

        def no_mask(n):
            """Everything is allowed. Allow only the positions j <= i."""
            return np.ones((n, n), bool)

        def only_itself(n):
            """Only the diagonal is allowed: a token sees itself but none of the tokens before it."""
            return np.eye(n, dtype=bool)


@exercise(
    parts={"values": 3, "rows with nothing to see": 1},
    minutes=12,
    source="Vaswani et al. 2017, section 3.2.3",
    forbids={"torch": "this chapter builds attention from NumPy"},
)
class masked_attention:
    """Attention in which a query sees only the keys that the mask allows."""

    tolerance = float32_sums

    def cases(rng):
        sizes = [(1, 1, 4, 3), (4, 4, 3, 3), (3, 6, 8, 2), (6, 4, 5, 4)]
        for n, m, d_k, d_v in sizes:
            mask = rng.random((n, m)) < 0.6
            mask[np.arange(n), rng.integers(0, m, n)] = True
            qkv = (rng.standard_normal(s) for s in [(n, d_k), (m, d_k), (m, d_v)])
            yield case(*qkv, mask, label=f"{n} queries, {m} keys, a random mask")
        q, k, v = (rng.standard_normal(s) for s in [(5, 4), (5, 4), (5, 3)])
        yield case(q, k, v, np.tri(5, dtype=bool), label="5 tokens, the causal mask")
        yield case(-30 * np.abs(q), np.abs(k), v, np.tri(5, dtype=bool), label="very negative scores")
        mask = np.tri(5, dtype=bool)
        mask[int(rng.integers(1, 5))] = False
        yield case(q, k, v, mask, label="one query sees no key", part="rows with nothing to see")

    def reference(q, k, v, mask):
        weights = np.zeros(mask.shape)
        for i in range(len(q)):
            allowed = np.flatnonzero(mask[i])
            if len(allowed):
                scores = np.array([q[i] @ k[j] for j in allowed]) / k.shape[-1] ** 0.5
                powers = np.exp(scores - scores.max())
                weights[i, allowed] = powers / powers.sum()
        return weights @ v, weights

    class misconceptions:
        def mask_after_softmax(q, k, v, mask):
            """You mask after the softmax: the hidden keys already took their share, so rows no longer sum to 1."""
            w = np.where(mask, softmax(q @ k.T / np.sqrt(k.shape[-1])), 0.0)
            return w @ v, w

        def zero_instead_of_minus_infinity(q, k, v, mask):
            """Hidden scores are 0 (set, or multiplied by the mask), but exp(0) = 1 still gives them weight. Use -inf."""
            w = softmax(np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), 0.0))
            return w @ v, w

        def inverted_mask(q, k, v, mask):
            """The mask is used the wrong way round: True means that the query may look at the key."""
            w = softmax(np.where(mask, -np.inf, q @ k.T / np.sqrt(k.shape[-1])))
            return w @ v, w

        def mask_ignored(q, k, v, mask):
            """The mask has no effect on your result."""
            w = softmax(q @ k.T / np.sqrt(k.shape[-1]))
            return w @ v, w

        def no_scale(q, k, v, mask):
            """The scores are not divided by sqrt(d_k)."""
            w = softmax(np.where(mask, q @ k.T, -np.inf))
            return w @ v, w

        def mask_added(q, k, v, mask):
            """You add the boolean mask to the scores: that adds 1 to the allowed ones. Put -inf at the hidden ones."""
            w = softmax(q @ k.T / np.sqrt(k.shape[-1]) + mask)
            return w @ v, w

        def softmax_over_queries(q, k, v, mask):
            """The softmax runs over the queries (axis 0); each query's own row must sum to 1."""
            w = softmax(np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf), axis=0)
            return w @ v, w

        def nan_for_an_empty_row(q, k, v, mask):
            """A query that may see nothing gives 0 / 0 = NaN. Its weights, and its output, should be 0."""
            w = softmax(np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf))
            return w @ v, w

        def large_negative_number(q, k, v, mask):
            """You used a large negative number in place of -inf: where nothing is allowed, all keys get equal weight."""
            w = softmax(np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -1e9))
            return w @ v, w

        def small_negative_number(q, k, v, mask):
            """Your stand-in for -inf is not small enough: real scores can lie below it. Use -np.inf."""
            w = softmax(np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -10.0))
            return w @ v, w


@exercise(points=3, minutes=8, source="Vaswani et al. 2017, section 3.2.3", uses=("ch06.masked_attention",))
class cross_attention:
    """Attention from one sequence to another: queries from x, keys and values from the memory."""

    tolerance = float32_sums

    def cases(rng):
        for n, m, d_model, d_k, d_v in [(1, 1, 3, 2, 2), (2, 5, 4, 3, 6), (6, 3, 5, 2, 5), (4, 4, 4, 4, 4)]:
            shapes = [(n, d_model), (m, d_model), (d_model, d_k), (d_model, d_k), (d_model, d_v)]
            yield case(*(rng.standard_normal(s) for s in shapes), label=f"{n} tokens look at {m}")

    def reference(x, memory, w_q, w_k, w_v):
        rows = []
        for token in x @ w_q:
            scores = [token @ (row @ w_k) / w_k.shape[1] ** 0.5 for row in memory]
            powers = np.exp(np.array(scores) - max(scores))
            rows.append((powers / powers.sum()) @ (memory @ w_v))
        return np.array(rows)

    class misconceptions:
        def queries_from_memory(x, memory, w_q, w_k, w_v):
            """The roles are swapped: the tokens being written ask (queries from x), the memory answers (keys, values)."""
            return attend(memory @ w_q, x @ w_k, x @ w_v)

        def self_attention(x, memory, w_q, w_k, w_v):
            """You attend from x to x, and the memory is never used."""
            return attend(x @ w_q, x @ w_k, x @ w_v)

        def memory_only(x, memory, w_q, w_k, w_v):
            """You attend from the memory to itself: the queries come from x."""
            return attend(memory @ w_q, memory @ w_k, memory @ w_v)

        def values_from_x(x, memory, w_q, w_k, w_v):
            """The values come from x. What is fetched comes from the memory, like the keys."""
            return attend(x @ w_q, memory @ w_k, x @ w_v)

        def causal_mask_used(x, memory, w_q, w_k, w_v):
            """You hide part of the memory with a causal mask. The memory is known in full: every token may see all of it."""
            return attend(x @ w_q, memory @ w_k, memory @ w_v, np.tri(len(x), len(memory), dtype=bool))

        def no_scale(x, memory, w_q, w_k, w_v):
            """The scores are not divided by sqrt(d_k)."""
            return softmax(x @ w_q @ (memory @ w_k).T) @ (memory @ w_v)

        def scaled_by_d_model(x, memory, w_q, w_k, w_v):
            """You scale by the width of x; d_k is the width of the projected queries and keys."""
            return softmax(x @ w_q @ (memory @ w_k).T / np.sqrt(x.shape[-1])) @ (memory @ w_v)

        def output_and_weights(x, memory, w_q, w_k, w_v):
            """You return the pair (output, weights); only the output is asked for."""
            q, k = x @ w_q, memory @ w_k
            return attend(q, k, memory @ w_v), softmax(q @ k.T / np.sqrt(k.shape[-1]))


def _norm(x, p, eps=1e-5):
    centred = x - x.mean(-1, keepdims=True)
    return p["gain"] * centred / np.sqrt(x.var(-1, keepdims=True) + eps) + p["bias"]


def _self(x, p, mask):
    return attend(x @ p["w_q"], x @ p["w_k"], x @ p["w_v"], mask) @ p["w_o"]


def _cross(x, memory, p):
    return attend(x @ p["w_q"], memory @ p["w_k"], memory @ p["w_v"]) @ p["w_o"]


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _ffn(x, p):
    return _gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]


def _parameters(rng, d, d_k, d_ff):
    def attention():
        shapes = {"w_q": (d, d_k), "w_k": (d, d_k), "w_v": (d, d_k), "w_o": (d_k, d)}
        return {name: rng.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}

    def norm():
        return {"gain": 1 + 0.3 * rng.standard_normal(d), "bias": 0.3 * rng.standard_normal(d)}

    ffn = {"w_1": (d, d_ff), "b_1": (d_ff,), "w_2": (d_ff, d), "b_2": (d,)}
    return {
        "norm_1": norm(), "self": attention(), "norm_2": norm(), "cross": attention(), "norm_3": norm(),
        "ffn": {name: 0.5 * rng.standard_normal(shape) for name, shape in ffn.items()},
    }  # fmt: skip


@exercise(
    points=4,
    minutes=15,
    source="Vaswani et al. 2017, section 3.1, with the norms placed as in Xiong et al. 2020, section 3",
    uses=("ch06.causal_mask", "ch06.masked_attention", "ch06.cross_attention"),
)
class decoder_block:
    """A pre-norm decoder block: causal self-attention, cross-attention, feed-forward, each with norm and residual."""

    tolerance = close(
        1e-4, 1e-5, why="a float32 solution rounds through three sublayers and two divisions by a deviation"
    )

    def cases(rng):
        for n, m, d, d_k, d_ff in [(1, 1, 4, 3, 5), (4, 3, 4, 2, 6), (3, 5, 6, 4, 8), (7, 2, 5, 5, 5)]:
            x, memory = rng.standard_normal((n, d)), rng.standard_normal((m, d))
            yield case(x, memory, _parameters(rng, d, d_k, d_ff), label=f"{n} tokens, a memory of {m}, d_model = {d}")

    def reference(x, memory, p):
        x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
        x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
        return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

    class misconceptions:
        def not_causal(x, memory, p):
            """The self-attention is not masked: tokens see the future. Pass causal_mask(n) to masked_attention."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.ones((len(x), len(x)), bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def post_norm(x, memory, p):
            """You normalise after adding (post-norm). Here the norm comes first, inside: x + sublayer(norm(x))."""
            x = _norm(x + _self(x, p["self"], np.tri(len(x), dtype=bool)), p["norm_1"])
            x = _norm(x + _cross(x, memory, p["cross"]), p["norm_2"])
            return _norm(x + _ffn(x, p["ffn"]), p["norm_3"])

        def no_residuals(x, memory, p):
            """The residual connections are missing: each sublayer's output is added to its input."""
            x = _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            return _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def last_residual_missing(x, memory, p):
            """The feed-forward's output is returned without its residual: return x + ffn(...)."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            return _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def self_attention_residual_missing(x, memory, p):
            """The self-attention's output replaces x. It is added to it: x + attended @ w_o."""
            x = _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def cross_attention_residual_missing(x, memory, p):
            """The cross-attention's output replaces x. It is added to it, as in the other two sublayers."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def norm_of_the_norm(x, memory, p):
            """You normalise what was normalised before. Each norm starts from the current x: norm_2(x), norm_3(x)."""
            z = _norm(x, p["norm_1"])
            x = x + _self(z, p["self"], np.tri(len(x), dtype=bool))
            z = _norm(z, p["norm_2"])
            x = x + _cross(z, memory, p["cross"])
            return x + _ffn(_norm(z, p["norm_3"]), p["ffn"])

        def weights_of_the_other_attention(x, memory, p):
            """The weights are mixed up: p["self"] belongs to the self-attention, p["cross"] to the cross-attention."""
            x = x + _self(_norm(x, p["norm_1"]), p["cross"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["self"])
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def no_activation(x, memory, p):
            """There is no GELU: between w_1 and w_2 stands a non-linear function, gelu(z @ w_1 + b_1) @ w_2 + b_2."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            f = p["ffn"]
            return x + (_norm(x, p["norm_3"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]

        def residual_of_the_norm(x, memory, p):
            """You add the normalised input. The residual is the input before the norm: x + sublayer(norm(x))."""
            x = _norm(x, p["norm_1"])
            x = x + _self(x, p["self"], np.tri(len(x), dtype=bool))
            x = _norm(x, p["norm_2"])
            x = x + _cross(x, memory, p["cross"])
            x = _norm(x, p["norm_3"])
            return x + _ffn(x, p["ffn"])

        def cross_attention_first(x, memory, p):
            """Cross-attention comes before self-attention in your block; the order is self, cross, feed-forward."""
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def memory_normalised(x, memory, p):
            """You also normalise the memory. Only x passes through norm_2; the encoder has normalised its output itself."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), _norm(memory, p["norm_2"]), p["cross"])
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def no_cross_attention(x, memory, p):
            """The memory is never read: the cross-attention sublayer is missing."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            return x + _ffn(_norm(x, p["norm_3"]), p["ffn"])

        def relu_feed_forward(x, memory, p):
            """The feed-forward uses ReLU; this block uses GELU (`gelu`, from ch05)."""
            x = x + _self(_norm(x, p["norm_1"]), p["self"], np.tri(len(x), dtype=bool))
            x = x + _cross(_norm(x, p["norm_2"]), memory, p["cross"])
            f = p["ffn"]
            return x + np.maximum(_norm(x, p["norm_3"]) @ f["w_1"] + f["b_1"], 0) @ f["w_2"] + f["b_2"]


@question(answer="c")
class why_before_softmax:
    """Why is the mask applied to the scores before the softmax, and not to the weights after it?"""

    a = (
        "It saves time: the softmax skips masked entries.",
        "The softmax still visits every entry; speed is not the reason.",
    )
    b = (
        "After the softmax the weights are read-only.",
        "Nothing forbids changing them; the result would just not be what we want.",
    )
    c = (
        "So that the softmax shares the whole weight 1 among the allowed keys.",
        "Right: with -inf a hidden key takes no share at all, and each row still sums to 1.",
    )
    d = (
        "Because a weight of 0 would still let the value through.",
        "A weight of exactly 0 does stop the value. The trouble is what the other weights then sum to.",
    )


@question(answer="a")
class where_queries_come_from:
    """A decoder translates. It has read the English sentence (the memory) and is writing German (x). In cross-attention..."""

    a = (
        "queries come from the German tokens, keys and values from the English ones.",
        "Right: the token being written asks; the memory is looked up and its contents are fetched.",
    )
    b = (
        "queries come from the English tokens, keys and values from the German ones.",
        "Then the output would have one row for each English token; the decoder needs one for each German token.",
    )
    c = (
        "queries and keys come from the German tokens, values from the English ones.",
        "Weights would have a column for each German token, but there is one value for each English token.",
    )
    d = (
        "all three come from the German tokens.",
        "That is self-attention: it could not read the English sentence at all.",
    )


@question(answer=["b", "c"])
class training_in_parallel:
    """What does the causal mask make possible in training? Choose all that apply."""

    a = (
        "The model can generate a whole text in one pass.",
        "No: in generation each token depends on the one before, so tokens still come one by one.",
    )
    b = (
        "All positions of a text are trained in one pass, each predicting its next token.",
        "Right: no position sees its own target, so n predictions are learned at once.",
    )
    c = (
        "What was computed for earlier tokens stays valid when a token is appended.",
        "Right: earlier rows never looked ahead. This is what the KV cache of ch08 rests on.",
    )
    d = (
        "Attention needs fewer parameters.",
        "No: the mask has no parameters, and the projections stay as they are.",
    )
