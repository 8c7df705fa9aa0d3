"""Exercises of ch01, attention from scratch. The softmax agrees with `torch.softmax`, attention with
`torch.nn.functional.scaled_dot_product_attention(x, x, x, scale=1)`."""

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close

TITLE = "Attention from scratch"

FROM_NUMPY = {"torch": "this chapter builds attention from NumPy", "scipy": "this chapter builds it from NumPy"}
float32_products = close(1e-5, 1e-5, why="a float32 solution rounds its inputs and sums of up to 9 products")


def soft(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@exercise(points=2, minutes=6, source="Luong et al. 2015, section 3.1, the score `dot`", forbids=FROM_NUMPY)
class similarity:
    """How alike all pairs of tokens are: the dot product of every row with every row."""

    tolerance = float32_products

    def cases(rng):
        for n, d in [(4, 2), (3, 7), (5, 5), (int(rng.integers(6, 9)), 4)]:
            yield case(rng.standard_normal((n, d)), label=f"{n} tokens of width {d}")
        yield case(rng.standard_normal((1, 3)), label="a single token")

    def reference(x):
        return np.array([[float(sum(a * b for a, b in zip(one, other, strict=True))) for other in x] for one in x])

    class misconceptions:
        def dimensions_compared(x):
            """You compare dimensions with dimensions, (d, d). Tokens are rows: each row meets each row, (n, n)."""
            return x.T @ x

        def not_transposed(x):
            """`x @ x` multiplies rows by columns of the same x. Entry (i, j) is row i times row j: transpose the second."""
            return x @ x

        def entry_by_entry(x):
            """`x * x` multiplies each number with itself. A dot product pairs two tokens and adds up the products."""
            return x * x

        def only_with_itself(x):
            """You compare each token only with itself. Every token is compared with every other: n rows, n columns."""
            return (x * x).sum(axis=-1)

        def only_with_the_first(x):
            """You compare all tokens with the first one only. Each of the n tokens needs a row of its own."""
            return x @ x[0]

        def one_triangle(x):
            """Half of the table is 0. The pair (i, j) has the same product as (j, i): fill both."""
            return np.triu(x @ x.T)

        def diagonal_left_out(x):
            """The diagonal is 0. A token is compared with itself too: that entry is its squared length."""
            return x @ x.T * (1 - np.eye(len(x)))

        def cosine(x):
            """You divide by the lengths: that is the cosine. The plain dot product is asked for, in which length counts."""
            lengths = np.linalg.norm(x, axis=-1)
            return x @ x.T / np.outer(lengths, lengths)

        def distance(x):
            """You compute distances, which are small for tokens that are alike. A dot product is large for them."""
            return np.linalg.norm(x[:, None] - x[None, :], axis=-1)

        def outer_product(x):
            """`np.outer` multiplies every number with every number. A dot product pairs equal dimensions and adds up."""
            return np.outer(x, x)

        def correlation(x):
            """`np.corrcoef` subtracts means and divides by spreads first. The plain dot product is asked for."""
            return np.corrcoef(x)

        def scaled(x):
            """You divide by the square root of the width. That comes in ch02; here the plain dot products are asked for."""
            return x @ x.T / np.sqrt(x.shape[-1])

        def already_weights(x):
            """You already took the softmax. Return the dot products themselves; weights are made of them later."""
            return soft(x @ x.T)

        def products_not_summed(x):
            """You multiply the pairs of rows but do not add up the products: sum over the last axis."""
            return x[:, None] * x[None, :]


def _count(n, what):
    return f"{n} {what}s" if n > 1 else f"one {what}"


def _ladder(rng, n):
    """Scores a few quarters apart, in random order: float32 still tells them apart when they are near 1000."""
    return rng.permutation(np.cumsum(rng.integers(1, 4, n)) / 4)


@exercise(
    parts={"values": 2, "another axis": 1, "extreme scores": 1},
    minutes=12,
    source="Bridle 1990 (the name); Goodfellow et al. 2016, section 4.1 (the stable form)",
    forbids=FROM_NUMPY,
)
class softmax:
    """Scores to weights: positive, in the same order, and summing to 1 along an axis; no score is too large."""

    tolerance = close(1e-5, 1e-7, why="a float32 solution rounds powers and sums of up to 6 terms")

    def cases(rng):
        for shape in [(4,), (3, 5), (6, 2), (2, 3, 4), (1,)]:
            yield case(1.5 * rng.standard_normal(shape), label=f"scores of shape {shape}")
        for shape, axis in [((3, 5), 0), ((4, 4), 0), ((2, 3, 4), 1), ((3, 2, 5), -3)]:
            scores = 1.5 * rng.standard_normal(shape)
            yield case(scores, axis=axis, label=f"shape {shape}, axis {axis}", part="another axis")
        far_apart = rng.permutation([3000.0, 2999.25, 0.0, -3000.0, -2999.0])
        rows = [1000 + _ladder(rng, 5), -1000 - _ladder(rng, 5), _ladder(rng, 5), far_apart]
        yield case(np.array(rows), label="scores around 1000, around -1000, far apart", part="extreme scores")
        hidden = np.append(800 + _ladder(rng, 4), -np.inf)
        yield case(rng.permutation(hidden), label="one score is minus infinity", part="extreme scores")

    def reference(x, axis=-1):
        return np.exp(x - np.logaddexp.reduce(np.asarray(x, np.float64), axis=axis, keepdims=True))

    class misconceptions:
        def whole_array(x, axis=-1):
            """You divide by the sum of the whole array. Every row along the axis must sum to 1 by itself: sum over `axis`."""
            e = np.exp(x - x.max())
            return e / e.sum()

        def first_axis(x, axis=-1):
            """You sum over axis 0, so columns sum to 1. The default axis is -1, the last: rows sum to 1."""
            return soft(x, 0)

        def keepdims_left_out(x, axis=-1):
            """A sum or maximum over an axis drops it, and then does not line up with x. Keep it: keepdims=True."""
            e = np.exp(x)
            return e / e.sum(axis=axis)

        def no_exponential(x, axis=-1):
            """You divide by the sum without exp. Scores may be negative; exp makes them positive first."""
            return x / x.sum(axis=axis, keepdims=True)

        def no_sum(x, axis=-1):
            """You return the powers. Divide them by their sum, so that they sum to 1."""
            return np.exp(x)

        def shifted_powers(x, axis=-1):
            """Your largest weight is 1. Subtract the maximum before exp, but then divide by the sum of the powers."""
            return np.exp(x - x.max(axis=axis, keepdims=True))

        def divided_by_maximum(x, axis=-1):
            """You divide the scores by their maximum, which changes the weights. Subtracting it does not: x - max."""
            e = np.exp(x / x.max(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def negative_sign(x, axis=-1):
            """The sign is wrong: your largest weight stands at the smallest score. Use exp(x), not exp(-x)."""
            return soft(-x, axis)

        def hard_maximum(x, axis=-1):
            """You give everything to the largest score. Softmax shares: every score gets exp(score) / sum."""
            return (x == x.max(axis=axis, keepdims=True)).astype(float)

        def logarithms(x, axis=-1):
            """These are the logarithms of the weights. Return the weights themselves."""
            return np.log(soft(x, axis))

        def sigmoid(x, axis=-1):
            """This is the sigmoid, 1 / (1 + exp(-x)): each score by itself. Softmax weights share a sum of 1."""
            return 1 / (1 + np.exp(-x))

        def equal_shares(x, axis=-1):
            """All weights are equal, whatever the scores. Divide each exp(score) by the sum of these powers."""
            return np.full(x.shape, 1 / x.shape[axis])

        def axis_ignored(x, axis=-1):
            """You always use the last axis. Pass the argument `axis` on to the maximum and the sum."""
            return soft(x, -1)

        def unstable(x, axis=-1):
            """`exp(710)` is too large for a float, and `exp(-750)` is 0. Subtract the maximum along the axis before you take exp."""
            e = np.exp(x)
            return e / e.sum(axis=axis, keepdims=True)

        def one_maximum_for_all(x, axis=-1):
            """You subtract the maximum of the whole array: rows far below it become 0 / 0. Take each row's own maximum."""
            e = np.exp(x - x.max())
            return e / e.sum(axis=axis, keepdims=True)

        def minimum_subtracted(x, axis=-1):
            """You subtract the minimum, so the largest score can still overflow. Subtract the maximum: exponents <= 0."""
            e = np.exp(x - x.min(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def mean_subtracted(x, axis=-1):
            """You subtract the mean, so scores far above it still overflow. Subtract the maximum: exponents <= 0."""
            e = np.exp(x - x.mean(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def clipped(x, axis=-1):
            """You clip large scores, which makes them equal. Subtracting the maximum keeps their differences."""
            return soft(np.clip(x, -500, 500), axis)


@exercise(points=2, minutes=6, source="Bahdanau et al. 2015, equation 5", forbids=FROM_NUMPY)
class weighted_average:
    """One weighted average of the value rows for each row of weights."""

    tolerance = float32_products

    def cases(rng):
        for n, m, d in [(2, 5, 3), (4, 3, 2), (3, 3, 3), (5, 2, int(rng.integers(6, 9))), (1, 6, 4), (3, 1, 2)]:
            weights = soft(1.5 * rng.standard_normal((n, m)))
            yield case(
                weights, 2 + rng.standard_normal((m, d)), label=f"{_count(n, 'average')} of {_count(m, 'value')}"
            )

    def reference(weights, values):
        rows = []
        for shares in weights:
            average = np.zeros(values.shape[1])
            for share, value in zip(shares, values, strict=True):
                average += float(share) * value
            rows.append(average)
        return np.array(rows)

    class misconceptions:
        def order_reversed(weights, values):
            """You put the values first. Each row of weights mixes the rows of values: weights on the left."""
            return values @ weights

        def weights_transposed(weights, values):
            """You use the weights by columns. Row i of the weights makes row i of the result: do not transpose them."""
            return weights.T @ values

        def result_transposed(weights, values):
            """The result is transposed: one row for each row of weights, one column for each dimension, (n, d)."""
            return values.T @ weights.T

        def entry_by_entry(weights, values):
            """`*` multiplies entry by entry. An average adds up, over all m values, weight times value."""
            return weights * values

        def not_summed(weights, values):
            """You multiply but do not add up: sum over the m values, so that (n, d) is left."""
            return weights[:, :, None] * values[None, :, :]

        def summed_over_the_rows(weights, values):
            """You add up over the rows of weights. Add up over the m values, and keep one result for each row of weights."""
            return (weights[:, :, None] * values[None, :, :]).sum(axis=0)

        def numpy_average_at_once(weights, values):
            """`np.average` takes one row of weights at a time. Call it for each row, or use a matrix product."""
            return np.average(values, axis=0, weights=weights)

        def divided_by_m(weights, values):
            """You divide by the number of values. The weights sum to 1 already, so the sum is the average."""
            return weights @ values / len(values)

        def weights_ignored(weights, values):
            """The weights have no effect: this is the plain mean of all values."""
            return np.repeat(values.mean(axis=0, keepdims=True), len(weights), axis=0)

        def largest_only(weights, values):
            """You take only the value with the largest weight. All values take part, each by its weight."""
            return values[weights.argmax(axis=-1)]

        def softmax_again(weights, values):
            """You take a softmax of the weights. They are shares already: use them as they are."""
            return soft(weights) @ values

        def first_row_only(weights, values):
            """You use only the first row of weights. Each of the n rows gives an average of its own."""
            return weights[0] @ values

        def all_averages_in_one(weights, values):
            """You add up over the rows of weights too, and one vector is left. Keep one average for each row."""
            return (weights @ values).sum(axis=0)


@exercise(
    parts={"values": 3, "long vectors": 1},
    minutes=8,
    source="Vaswani et al. 2017, equation 1, with Q = K = V = X and no scale",
    uses=("ch01.similarity", "ch01.softmax", "ch01.weighted_average"),
)
class simple_attention:
    """Self-attention without projections: compare all tokens, share out, average."""

    tolerance = float32_products

    def cases(rng):
        for n, d in [(4, 3), (3, 6), (5, 5), (int(rng.integers(6, 9)), 4)]:
            yield case(rng.standard_normal((n, d)), label=f"{n} tokens of width {d}")
        yield case(rng.standard_normal((1, 4)), label="a single token")
        # Whole numbers, which float32 multiplies and adds exactly; the last row's scores lie far below the others'.
        long = np.hstack([np.full((5, 1), 32.0), rng.integers(-2, 3, (5, 3)).astype(float)])
        long[-1, 0], long[-1, 1], long[:2, 2] = 0.0, 1.0, (2.0, -2.0)
        yield case(long, label="similarities around 1000", part="long vectors")

    def reference(x):
        output, weights = np.zeros(x.shape), np.zeros((len(x), len(x)))
        for i, token in enumerate(x):
            scores = [float(token @ other) for other in x]
            powers = [np.exp(s - max(scores)) for s in scores]
            weights[i] = [p / sum(powers) for p in powers]
            output[i] = sum(w * other for w, other in zip(weights[i], x, strict=True))
        return output, weights

    class misconceptions:
        def softmax_left_out(x):
            """There is no softmax: the similarities are used as weights, and their rows do not sum to 1."""
            s = x @ x.T
            return s @ x, s

        def similarities_returned(x):
            """The second result is the similarities before the softmax. Return the weights after it."""
            s = x @ x.T
            return soft(s) @ x, s

        def swapped_results(x):
            """The two results are swapped: first the output, then the weights."""
            w = soft(x @ x.T)
            return w, w @ x

        def output_only(x):
            """You return only the output. Return both: `return output, weights`."""
            return soft(x @ x.T) @ x

        def softmax_over_columns(x):
            """Your columns sum to 1. The softmax runs along each token's own row, the last axis."""
            w = soft(x @ x.T, 0)
            return w @ x, w

        def softmax_of_everything(x):
            """The whole matrix sums to 1. Each row must sum to 1 by itself: softmax along the last axis."""
            s = x @ x.T
            e = np.exp(s - s.max())
            return e / e.sum() @ x, e / e.sum()

        def similarities_averaged(x):
            """You average the similarities. The weights are used to average the tokens: the values are x."""
            s = x @ x.T
            return soft(s) @ s, soft(s)

        def weights_averaged(x):
            """You average the weights. What is averaged are the tokens: the values are x."""
            w = soft(x @ x.T)
            return w @ w, w

        def arguments_swapped(x):
            """The arguments of the average are swapped: first the weights, then the values."""
            w = soft(x @ x.T)
            return x @ w, w

        def similarity_skipped(x):
            """You take the softmax of the tokens themselves. First compare them; the softmax belongs on the similarities."""
            w = soft(x)
            return w @ x, w

        def weights_transposed(x):
            """You average with the transposed weights. Row i of the weights makes row i of the output."""
            w = soft(x @ x.T)
            return w.T @ x, w

        def not_itself(x):
            """You keep tokens from looking at themselves. Here each token is one of those that it looks at."""
            w = soft(np.where(np.eye(len(x), dtype=bool), -np.inf, x @ x.T))
            return w @ x, w

        def scaled(x):
            """You divide by the square root of the width. That comes in ch02; use the plain similarities."""
            w = soft(x @ x.T / np.sqrt(x.shape[-1]))
            return w @ x, w

        def input_added(x):
            """You add x to the average. That comes in ch05; here the output is the average alone."""
            w = soft(x @ x.T)
            return x + w @ x, w

        def weights_of_the_vectors(x):
            """You take the softmax of the vectors. It belongs on the similarities, which compare the tokens."""
            p = soft(x)
            return soft(p @ p.T) @ x, soft(p @ p.T)

        def unstable_softmax(x):
            """exp of a large similarity overflows. Use the stable softmax, which subtracts each row's maximum first."""
            e = np.exp(x @ x.T)
            w = e / e.sum(axis=-1, keepdims=True)
            return w @ x, w

        def one_maximum_for_all(x):
            """You subtract one maximum for the whole matrix: rows far below it become 0 / 0. Take each row's own."""
            s = x @ x.T
            e = np.exp(s - s.max())
            w = e / e.sum(axis=-1, keepdims=True)
            return w @ x, w


@question(answer="c")
class what_length_does:
    """You double every number in the vector of "cat" and leave the other tokens alone. What happens to its similarities?"""

    a = (
        "Nothing: the direction is the same, and only the direction counts.",
        "That holds for the cosine, which divides by the lengths. The dot product does not divide.",
    )
    b = (
        "All of them double, that with itself too.",
        "Nearly: in the product of the token with itself both factors have doubled.",
    )
    c = (
        "Those with other tokens double, and that with itself becomes four times as large.",
        "Right: one factor doubled with the others, both factors with itself. Long vectors speak and listen louder.",
    )
    d = (
        "They grow by the same amount for every token.",
        "They are multiplied, not shifted: a similarity of 0 stays 0, and a negative one becomes more negative.",
    )


@question(answer=["b", "d"])
class what_softmax_ignores:
    """A row of scores becomes a row of weights. Which changes of the scores leave all weights as they were? Choose all that do."""

    a = (
        "Multiply every score by 2.",
        "This doubles the differences, and the weights become sharper: it is a temperature of one half.",
    )
    b = (
        "Add 5 to every score.",
        "Right: every power is multiplied by e^5, and so is their sum. The factor cancels.",
    )
    c = (
        "Add 5 to the largest score only.",
        "Only its own power grows, and it takes weight from all others.",
    )
    d = (
        "Subtract the largest score from every score.",
        "Right: that too adds one number to all. It is what makes the stable softmax stable.",
    )


@question(answer="a")
class why_itself:
    """With these vectors "cat" gives more than 0.9 of its weight to itself. Why?"""

    a = (
        "Its dot product with itself is its squared length, and few other tokens point where it points.",
        "Right: the same vector asks and answers. From ch02 on a token asks with another vector than it answers with.",
    )
    b = (
        "The softmax gives the largest weight to the diagonal.",
        'The softmax knows no diagonal. "The" gives "because" more weight than itself: that vector is longer.',
    )
    c = (
        "The weights of a row must sum to 1.",
        "They do, but that says nothing about which token gets most.",
    )
    d = (
        "A dot product with itself is always the largest of its row.",
        'Not always: a longer vector of the same direction has a larger one. See "it" and "cat".',
    )
