"""Exercises of ch03, multi-head attention. It agrees with `torch.nn.MultiheadAttention(bias=False)`, its split with
`torch.Tensor.tensor_split`, its cost with `torch.utils.flop_counter` and with the size of torch's layer."""

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact

TITLE = "Multi-head attention"

moved_numbers = close(1e-6, 1e-7, why="numbers are only moved, but may have been copied to float32")
NUMPY_ONLY = {
    "torch": "this chapter builds attention from NumPy",
    "scipy": "this chapter builds attention from NumPy",
}


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def split(x, heads):
    return np.moveaxis(x.reshape(len(x), heads, -1), 1, 0)


def merge(x):
    return np.hstack(list(x))


@exercise(points=2, minutes=8, source="Vaswani et al. 2017, section 3.2.2", forbids=NUMPY_ONLY)
class split_heads:
    """Cut every token's vector into equal slices, one for each head."""

    tolerance = moved_numbers

    def cases(rng):
        for n, heads, d_head in [(1, 2, 2), (3, 2, 4), (4, 3, 2), (5, 1, 4), (2, 6, 3), (6, 3, 4)]:
            x = rng.standard_normal((n, heads * d_head))
            yield case(x, heads, label=f"{n} tokens, d_model = {heads * d_head}, {heads} heads")
        n, heads, d_head = (int(rng.integers(low, high)) for low, high in [(4, 8), (2, 5), (5, 7)])
        yield case(rng.standard_normal((n, heads * d_head)), heads, label="random sizes")

    def reference(x, heads):
        d_head = x.shape[1] // heads
        head = np.empty((heads, len(x), d_head))
        for i, token in enumerate(x):
            for column, number in enumerate(token):
                head[column // d_head, i, column % d_head] = number
        return head

    class misconceptions:
        def reshaped_only(x, heads):
            """You reshape straight to (heads, n, d_head). That cuts between tokens: a head gets some tokens whole and
            never sees the others. First (n, heads, d_head), then swap two axes."""
            return x.reshape(heads, len(x), -1)

        def axes_not_swapped(x, heads):
            """The slices are right, the order of the axes is not: (n, heads, d_head) came, (heads, n, d_head) is asked
            for. Swap the first two axes."""
            return x.reshape(len(x), heads, -1)

        def every_headth_column(x, heads):
            """Your heads take turns: head 0 gets columns 0, h, 2h, ... A head owns columns that lie side by side: head
            0 the first d_head of them."""
            return x.reshape(len(x), -1, heads).transpose(2, 0, 1)

        def same_slice_for_all(x, heads):
            """Every head gets the same slice, the first one. Head i starts at column i * d_head."""
            return np.stack([x[:, : x.shape[1] // heads]] * heads)

        def nothing_cut(x, heads):
            """Every head gets the whole vector. Cut it: a head's slice is d_model / heads wide."""
            return np.stack([x] * heads)

        def tokens_shared_out(x, heads):
            """You share out the tokens among the heads. Every head keeps all tokens, and gets a slice of each."""
            return x.reshape(heads, -1, x.shape[1])

        def heads_transposed(x, heads):
            """Each head is lying on its side, (d_head, n). Tokens stay rows: (n, d_head) for every head."""
            return x.T.reshape(heads, -1, len(x))

        def transposed_then_reshaped(x, heads):
            """You transpose x and then reshape to (heads, n, d_head): that mixes up tokens and columns. Cut into heads
            first, swap axes afterwards."""
            return x.T.reshape(heads, len(x), -1)

        def heads_and_width_swapped(x, heads):
            """`heads` is the number of heads, you use it as the width of a head. The width is d_model / heads."""
            return x.reshape(len(x), -1, heads).transpose(1, 0, 2)

        def a_list_of_slices(x, heads):
            """The slices are right, but they come in a list. `np.stack` makes one array of them."""
            d_head = x.shape[1] // heads
            return [x[:, i * d_head : (i + 1) * d_head] for i in range(heads)]

        def rows_split(x, heads):
            """`np.split` cuts along axis 0 by default, so it shares out the tokens. Cut the columns: axis 1."""
            return np.array(np.split(x, heads))

        def width_as_a_float(x, heads):
            """`/` gives a float, and a length has to be a whole number. Use `//`."""
            return x.reshape(len(x), heads, x.shape[1] / heads).swapaxes(0, 1)

        def heads_last(x, heads):
            """Your heads are the last axis: (n, d_head, heads). They come first: (heads, n, d_head)."""
            return np.dstack(np.split(x, heads, axis=1))


@exercise(
    points=2, minutes=5, source="Vaswani et al. 2017, section 3.2.2: Concat(head_1, ..., head_h)", forbids=NUMPY_ONLY
)
class merge_heads:
    """Lay the heads' results side by side, so that every token has one vector again."""

    tolerance = moved_numbers

    def cases(rng):
        for n, heads, d_head in [(1, 2, 3), (3, 2, 4), (4, 3, 2), (5, 1, 4), (2, 5, 3), (6, 3, 4)]:
            x = rng.standard_normal((heads, n, d_head))
            yield case(x, label=f"{heads} heads, {n} tokens, d_head = {d_head}")
        heads, n, d_head = (int(rng.integers(low, high)) for low, high in [(2, 5), (5, 7), (2, 5)])
        yield case(rng.standard_normal((heads, n, d_head)), label="random sizes")

    def reference(x):
        heads, n, d_head = x.shape
        rows = [[x[j // d_head, i, j % d_head] for j in range(heads * d_head)] for i in range(n)]
        return np.array(rows)

    class misconceptions:
        def reshaped_only(x):
            """You reshape without swapping axes: a row then holds several tokens of one head. First bring the tokens
            to the front: (n, heads, d_head)."""
            return x.reshape(x.shape[1], -1)

        def columns_take_turns(x):
            """The heads' columns take turns in your rows. All of head 0 comes first, then all of head 1: the last axis
            stays d_head when you reshape."""
            return x.transpose(1, 2, 0).reshape(x.shape[1], -1)

        def heads_added(x):
            """You add the heads up. They are laid side by side: the result is heads * d_head wide."""
            return x.sum(axis=0)

        def heads_averaged(x):
            """You average the heads. They are laid side by side: the result is heads * d_head wide."""
            return x.mean(axis=0)

        def heads_under_one_another(x):
            """The heads stand under one another, (heads * n, d_head). Put them side by side: the last axis grows, the
            number of tokens does not."""
            return np.concatenate(list(x), axis=0)

        def two_axes_left(x):
            """The tokens are in front now, but heads and d_head are still two axes. Join them into one of d_model."""
            return x.transpose(1, 0, 2)

        def lying_on_its_side(x):
            """Your result is transposed: (d_model, n). Tokens are rows."""
            return x.transpose(0, 2, 1).reshape(-1, x.shape[1])

        def all_axes_reversed(x):
            """`.T` of three axes reverses all of them, to (d_head, n, heads). Swap the first two only, with
            `transpose(1, 0, 2)` or `swapaxes`."""
            return x.T.reshape(x.shape[1], -1)

        def first_head_only(x):
            """Only head 0 is in your result. All heads belong into it, side by side."""
            return x[0]

        def joined_along_a_third_axis(x):
            """`np.concatenate` takes the heads one by one, and each has two axes only: side by side is axis 1, or -1."""
            return np.concatenate(x, axis=2)


def attend(q, k, v, mask=None, scale=None):
    """Attention of every head by itself: (heads, n, d_head) three times; returns outputs and weights."""
    scores = q @ np.swapaxes(k, -1, -2) / (np.sqrt(q.shape[-1]) if scale is None else scale)
    weights = softmax(scores if mask is None else np.where(mask, scores, -np.inf))
    return weights @ v, weights


def projected(x, p, heads, cut=split):
    """Queries, keys and values, cut into heads."""
    return [cut(x @ p[name], heads) for name in ("w_q", "w_k", "w_v")]


def _weights(rng, d_model):
    """Projections as they come from a usual initialisation, but with sharper queries: weights surely differ."""
    return {name: rng.standard_normal((d_model, d_model)) * (1.5 if name == "w_q" else 1) / np.sqrt(d_model)
            for name in ("w_q", "w_k", "w_v", "w_o")}  # fmt: skip


@exercise(
    parts={"values": 4, "mask": 1},
    minutes=15,
    source="Vaswani et al. 2017, section 3.2.2; the mask: section 3.2.3",
    forbids=NUMPY_ONLY,
    uses=("ch03.split_heads", "ch03.merge_heads"),
)
class multi_head_attention:
    """Project, split, attend in every head, merge, project once more."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds through four projections and a softmax")

    def cases(rng):
        for n, heads, d_head in [(1, 2, 2), (4, 2, 3), (3, 4, 2), (5, 1, 4), (6, 3, 5)]:
            d_model = heads * d_head
            x = rng.standard_normal((n, d_model))
            yield case(x, _weights(rng, d_model), heads, label=f"{n} tokens, d_model = {d_model}, {heads} heads")
        n, heads, d_head = int(rng.choice([5, 7])), int(rng.integers(2, 4)), int(rng.integers(2, 5))
        masks = {"a random mask": rng.random((n, n)) < 0.5, "a mask of the past": np.tri(n, dtype=bool)}
        for name, mask in masks.items():
            mask[np.arange(n), rng.integers(0, n, n) if name == "a random mask" else 0] = (
                True  # each row sees something
            )
            mask[0, 0], mask[0, 1:] = True, False
            x = rng.standard_normal((n, heads * d_head))
            yield case(x, _weights(rng, heads * d_head), heads, mask, label=f"{n} tokens, {name}", part="mask")

    def reference(x, p, heads, mask=None):
        n, d_model = x.shape
        d_head = d_model // heads
        q, k, v = (np.einsum("nd,de->ne", x, p[name]) for name in ("w_q", "w_k", "w_v"))
        weights, output = np.zeros((heads, n, n)), np.zeros((n, d_model))
        for h in range(heads):
            own = slice(h * d_head, (h + 1) * d_head)
            for i in range(n):
                seen = [j for j in range(n) if mask is None or mask[i, j]]
                scores = [float(np.dot(q[i, own], k[j, own])) / d_head**0.5 for j in seen]
                powers = [np.exp(s - max(scores)) for s in scores]
                weights[h, i, seen] = [e / sum(powers) for e in powers]
            output += weights[h] @ v[:, own] @ p["w_o"][own]  # each head writes through its own rows of w_o
        return output, weights

    class misconceptions:
        def output_projection_left_out(x, p, heads, mask=None):
            """The last step is missing: the merged heads are multiplied by `p["w_o"]`."""
            out, w = attend(*projected(x, p, heads), mask)
            return merge(out), w

        def scaled_by_d_model(x, p, heads, mask=None):
            """You scale by the square root of d_model. A head's queries are only d_head wide: divide by sqrt(d_head)."""
            out, w = attend(*projected(x, p, heads), mask, np.sqrt(x.shape[-1]))
            return merge(out) @ p["w_o"], w

        def no_scale(x, p, heads, mask=None):
            """The scores are not scaled: divide them by the square root of d_head."""
            out, w = attend(*projected(x, p, heads), mask, 1.0)
            return merge(out) @ p["w_o"], w

        def divided_by_d_head(x, p, heads, mask=None):
            """You divide the scores by d_head; the scale is its square root."""
            out, w = attend(*projected(x, p, heads), mask, x.shape[-1] / heads)
            return merge(out) @ p["w_o"], w

        def scaled_by_heads(x, p, heads, mask=None):
            """You scale by the number of heads (`shape[0]` after the split); d_head is the last axis of a head's
            queries."""
            out, w = attend(*projected(x, p, heads), mask, np.sqrt(heads))
            return merge(out) @ p["w_o"], w

        def scaled_by_n(x, p, heads, mask=None):
            """You scale by the number of tokens (`shape[1]` after the split); d_head is the last axis, `shape[-1]`."""
            out, w = attend(*projected(x, p, heads), mask, np.sqrt(len(x)))
            return merge(out) @ p["w_o"], w

        def softmax_over_queries(x, p, heads, mask=None):
            """The softmax runs over the queries. Each query's weights must sum to 1: take the last axis, the keys."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            w = softmax(scores if mask is None else np.where(mask, scores, -np.inf), axis=1)
            return merge(w @ v) @ p["w_o"], w

        def softmax_over_heads(x, p, heads, mask=None):
            """The softmax runs over the heads (axis 0), as if they competed. Each head has its own: take the last
            axis."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            w = softmax(scores if mask is None else np.where(mask, scores, -np.inf), axis=0)
            return merge(w @ v) @ p["w_o"], w

        def softmax_over_everything(x, p, heads, mask=None):
            """One softmax over all scores: only their total is 1. Every query of every head has its own (the last
            axis)."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            powers = np.exp(scores if mask is None else np.where(mask, scores, -np.inf))
            w = powers / powers.sum()
            return merge(w @ v) @ p["w_o"], w

        def split_without_swapping_axes(x, p, heads, mask=None):
            """Your heads hold whole tokens, not slices of every token: the split reshapes to (heads, n, d_head)
            without swapping axes."""
            out, w = attend(*projected(x, p, heads, lambda a, h: a.reshape(h, len(a), -1)), mask)
            return merge(out) @ p["w_o"], w

        def tokens_attend_within_themselves(x, p, heads, mask=None):
            """Your arrays are (n, heads, d_head): so the heads of one token attend to one another, and no token sees
            another. Bring the heads to the front."""
            q, k, v = (a.swapaxes(0, 1) for a in projected(x, p, heads))
            out, w = attend(q, k, v)
            return out.reshape(x.shape) @ p["w_o"], w

        def merged_without_swapping_axes(x, p, heads, mask=None):
            """The attention is right, the merge is not: it reshapes (heads, n, d_head) without bringing the tokens to
            the front, and mixes them up."""
            out, w = attend(*projected(x, p, heads), mask)
            return out.reshape(x.shape) @ p["w_o"], w

        def same_slice_for_all(x, p, heads, mask=None):
            """All your heads are alike: each uses the first slice of q, k and v. Head i starts at column i * d_head."""
            out, w = attend(*projected(x, p, heads, lambda a, h: np.stack([a[:, : a.shape[1] // h]] * h)), mask)
            return merge(out) @ p["w_o"], w

        def every_headth_column(x, p, heads, mask=None):
            """Your heads take every h-th column. A head owns columns that lie side by side."""
            out, w = attend(*projected(x, p, heads, lambda a, h: a.reshape(len(a), -1, h).transpose(2, 0, 1)), mask)
            return merge(out) @ p["w_o"], w

        def not_split(x, p, heads, mask=None):
            """There is only one head, d_model wide. Split queries, keys and values before they meet."""
            out, w = attend(*projected(x, p, 1), mask)
            return merge(out) @ p["w_o"], w

        def weights_averaged(x, p, heads, mask=None):
            """You average the weights over the heads (PyTorch's layer does so by default). Return all: (heads, n, n)."""
            out, w = attend(*projected(x, p, heads), mask)
            return merge(out) @ p["w_o"], w.mean(axis=0)

        def output_only(x, p, heads, mask=None):
            """Only the output is returned. Return two things: `return output, weights`."""
            return merge(attend(*projected(x, p, heads), mask)[0]) @ p["w_o"]

        def results_swapped(x, p, heads, mask=None):
            """The two results are swapped: first the output, then the weights."""
            out, w = attend(*projected(x, p, heads), mask)
            return w, merge(out) @ p["w_o"]

        def scores_returned(x, p, heads, mask=None):
            """The second result is the scores before the softmax; return the weights after it."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            return merge(attend(q, k, v, mask)[0]) @ p["w_o"], scores

        def not_projected(x, p, heads, mask=None):
            """You split x itself. Project first: the queries are `x @ p["w_q"]`, and so on; then split."""
            out, w = attend(split(x, heads), split(x, heads), split(x, heads), mask)
            return merge(out) @ p["w_o"], w

        def values_not_projected(x, p, heads, mask=None):
            """The values are slices of x itself. They are projected too, by `p["w_v"]`."""
            q, k, _ = projected(x, p, heads)
            out, w = attend(q, k, split(x, heads), mask)
            return merge(out) @ p["w_o"], w

        def transposed_projections(x, p, heads, mask=None):
            """You multiply by the transposed matrices. Here the input's axis comes first: `x @ p["w_q"]`."""
            turned = {name: w.T for name, w in p.items()}
            out, w = attend(*projected(x, turned, heads), mask)
            return merge(out) @ turned["w_o"], w

        def queries_and_keys_swapped(x, p, heads, mask=None):
            """Queries and keys are swapped: rows of the weights belong to queries, columns to keys, q @ k^T."""
            q, k, v = projected(x, p, heads)
            out, w = attend(k, q, v, mask)
            return merge(out) @ p["w_o"], w

        def all_axes_reversed(x, p, heads, mask=None):
            """`k.T` of three axes reverses all of them. Swap the last two only: `swapaxes(1, 2)`."""
            q, k, v = projected(x, p, heads)
            w = softmax(q @ k.T / np.sqrt(q.shape[-1]))
            return merge(w @ v) @ p["w_o"], w

        def output_projection_before_merging(x, p, heads, mask=None):
            """You multiply by w_o before merging: a head's result is only d_head wide. Merge first, then `@ p["w_o"]`."""
            out, w = attend(*projected(x, p, heads), mask)
            return merge(out @ p["w_o"]), w

        def where_without_a_mask(x, p, heads, mask=None):
            """If mask is None, `np.where(None, ...)` hides everything, and 0 / 0 is NaN. Ask `if mask is not None:` first."""
            q, k, v = projected(x, p, heads)
            w = softmax(np.where(mask, q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), -np.inf))
            return merge(w @ v) @ p["w_o"], w

        def mask_asked_for_its_truth(x, p, heads, mask=None):
            """`if mask:` asks whether a whole array is true. Ask whether there is one: `if mask is not None:`."""
            out, w = attend(*projected(x, p, heads), mask if mask else None)
            return merge(out) @ p["w_o"], w

        def mask_ignored(x, p, heads, mask=None):
            """The mask has no effect on your result. Hidden scores become -np.inf before the softmax."""
            out, w = attend(*projected(x, p, heads))
            return merge(out) @ p["w_o"], w

        def inverted_mask(x, p, heads, mask=None):
            """The mask is used the wrong way round: True means that the query may look at the key."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            w = softmax(scores if mask is None else np.where(mask, -np.inf, scores))
            return merge(w @ v) @ p["w_o"], w

        def mask_after_softmax(x, p, heads, mask=None):
            """You mask after the softmax: hidden keys already took their share, so rows no longer sum to 1."""
            q, k, v = projected(x, p, heads)
            w = attend(q, k, v)[1] * (True if mask is None else mask)
            return merge(w @ v) @ p["w_o"], w

        def zero_instead_of_minus_infinity(x, p, heads, mask=None):
            """Hidden scores are 0 in your version, but exp(0) = 1 still gives them weight. Use -np.inf."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            w = softmax(scores if mask is None else scores * mask)
            return merge(w @ v) @ p["w_o"], w

        def mask_added(x, p, heads, mask=None):
            """You add the boolean mask to the scores: that adds 1 to the allowed ones. Put -np.inf at the hidden ones."""
            q, k, v = projected(x, p, heads)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            w = softmax(scores if mask is None else scores + mask)
            return merge(w @ v) @ p["w_o"], w

        def transposed_mask(x, p, heads, mask=None):
            """The mask is transposed: its rows are queries, its columns keys, as in the scores."""
            out, w = attend(*projected(x, p, heads), None if mask is None else mask.T | np.eye(len(x), dtype=bool))
            return merge(out) @ p["w_o"], w


def _cost(n, d_model, heads, parameters=4, projections=8, attention=4, **others):
    """The four numbers, with the factors in which wrong versions differ, or with others in their place."""
    numbers = {
        "parameters": parameters * d_model**2, "projection_flops": projections * n * d_model**2,
        "attention_flops": attention * n**2 * d_model, "weights": heads * n**2,
    }  # fmt: skip
    return {name: float(number) for name, number in (numbers | others).items()}


@exercise(points=3, minutes=10, source="the matrix products of Vaswani et al. 2017, section 3.2.2, counted by hand")
class attention_cost:
    """What multi-head attention costs: learned parameters, FLOPs of its matrix products, attention weights to keep."""

    tolerance = exact

    def cases(rng):
        for n, d_model, heads in [(1, 6, 2), (5, 6, 3), (4, 12, 1), (9, 8, 4), (7, 16, 2)]:
            yield case(n, d_model, heads, label=f"n = {n}, d_model = {d_model}, {heads} heads")
        n, heads, d_head = (int(rng.integers(low, high)) for low, high in [(10, 30), (5, 8), (3, 7)])
        yield case(n, heads * d_head, heads, label="random sizes")

    def reference(n, d_model, heads):
        def flops(products):  # each entry is a sum of `inner` products: as many multiplications, as many additions
            return float(sum(rows * columns * (inner + inner) for rows, inner, columns in products))

        d_head = d_model // heads
        return {
            "parameters": float(sum(d_model for _ in range(4 * d_model))),
            "projection_flops": flops([(n, d_model, d_model)] * 4),
            "attention_flops": flops([(n, d_head, n), (n, n, d_head)] * heads),
            "weights": float(sum(n * n for _ in range(heads))),
        }

    class misconceptions:
        def multiplications_only(n, d_model, heads):
            """You count multiplications only. Each comes with an addition: a product of (a, b) and (b, c) costs 2abc."""
            return _cost(n, d_model, heads, projections=4, attention=2)

        def three_matrices(n, d_model, heads):
            """There are four matrices: you leave out w_o, which every merged row is multiplied by."""
            return _cost(n, d_model, heads, parameters=3, projections=6)

        def parameters_of_three(n, d_model, heads):
            """You leave out the parameters of w_o: there are four matrices of shape (d_model, d_model)."""
            return _cost(n, d_model, heads, parameters=3)

        def output_projection_for_free(n, d_model, heads):
            """The product with w_o costs as much as each of the other three projections, and is missing in your FLOPs."""
            return _cost(n, d_model, heads, projections=6)

        def one_projection(n, d_model, heads):
            """You count the FLOPs of one projection. There are four: queries, keys, values, and the one by w_o."""
            return _cost(n, d_model, heads, projections=2)

        def one_matrix(n, d_model, heads):
            """You count the parameters of one matrix. There are four: w_q, w_k, w_v and w_o."""
            return _cost(n, d_model, heads, parameters=1)

        def heads_of_full_width(n, d_model, heads):
            """You give every head matrices of full width. The heads share them: each has d_model / heads columns."""
            return _cost(n, d_model, heads, 4 * heads, 8 * heads, 4 * heads)

        def parameters_times_heads(n, d_model, heads):
            """You multiply the parameters by the number of heads. The heads share the four matrices, a slice each."""
            return _cost(n, d_model, heads, parameters=4 * heads)

        def projections_times_heads(n, d_model, heads):
            """You multiply the FLOPs of the projections by the number of heads. x is projected once, for all heads."""
            return _cost(n, d_model, heads, projections=8 * heads)

        def scores_of_full_width(n, d_model, heads):
            """Your scores have full width in each head. A head's queries, keys and values are only d_head wide."""
            return _cost(n, d_model, heads, attention=4 * heads)

        def one_head_only(n, d_model, heads):
            """The FLOPs of the attention are those of one head. All heads do this."""
            return _cost(n, d_model, heads, attention_flops=4 * n**2 * (d_model // heads))

        def scores_only(n, d_model, heads):
            """The scores are counted, the mixing of the values is not: weights @ v is a matrix product too."""
            return _cost(n, d_model, heads, attention=2)

        def one_matrix_of_weights(n, d_model, heads):
            """Each head has attention weights of its own, n * n of them; you count those of one."""
            return _cost(n, d_model, heads, weights=n**2)

        def weights_of_each_number(n, d_model, heads):
            """A pair of tokens has one attention weight in each head, not one for each number of d_model."""
            return _cost(n, d_model, heads, weights=n**2 * d_model)

        def biases_counted(n, d_model, heads):
            """You count biases. The projections of this chapter have none: four matrices, nothing else."""
            return _cost(n, d_model, heads) | {"parameters": 4.0 * d_model**2 + 4 * d_model}


@question(answer="c")
class reshape_alone:
    """`x` holds 4 tokens of width 6, one in each row, and there are 2 heads. What is in `x.reshape(2, 4, 3)[0]`?"""

    a = (
        "The first half of every token: columns 0 to 2.",
        "That is what head 0 should get. But reshape walks through x row by row, and a row is a token.",
    )
    b = (
        "Every second column of every token.",
        "No: reshape never skips numbers. It takes them in the order in which they lie, row after row.",
    )
    c = (
        "The first two tokens, each cut into two pieces.",
        "Right: the first 12 numbers are tokens 0 and 1. Tokens 2 and 3 are not in this head at all.",
    )
    d = (
        "Nothing: the shapes do not fit, so NumPy raises an error.",
        "2 * 4 * 3 = 24 = 4 * 6, so it fits. That is what makes this mistake so easy to miss: nothing complains.",
    )


@question(answer="b")
class why_several_heads:
    """The word "it" should look fully at "cat" (what it stands for) and fully at "was" (what follows). Can one head do so?"""

    a = (
        "Yes, if its queries are long enough to give both keys a weight of 1.",
        "A row of weights sums to 1, however long the query. Two keys can get at most 0.5 each.",
    )
    b = (
        "No: its weights sum to 1, so it can only blend the two. Two heads can look at one each.",
        "Right: and the two results stay apart, side by side, instead of being averaged into one vector.",
    )
    c = (
        "No: a head can look at one other token only.",
        "A head may spread its weight over as many tokens as it likes; what it fetches is then their average.",
    )
    d = (
        "Yes: it looks at one in the first step and at the other in the second.",
        "There are no steps: a head shares out all of its weight at once.",
    )


@question(answer=["a", "b", "d"])
class equal_width:
    """Your d_model stays 512, and you go from 1 head to 8. Which statements are true? Choose all that are."""

    a = (
        "The number of parameters stays the same.",
        "Right: the four matrices keep their shape. They are only read as 8 slices.",
    )
    b = (
        "The FLOPs of all matrix products stay the same.",
        "Right: 8 heads multiply matrices of an eighth of the width.",
    )
    c = (
        "Each head has queries of width 512.",
        "No: the heads share the width, so d_head = 512 / 8 = 64.",
    )
    d = (
        "There are 8 times as many attention weights.",
        "Right: one (n, n) matrix for each head. The softmax has to visit all of them.",
    )
